//! The threads that run the models, so that the threads that move sound never do.

use std::collections::BTreeMap;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ports::{Blame, Fault, Retry, code};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use tokio::task::JoinHandle;

use super::figures::{self, Kind};

/// What must not wait for what: the first goes before all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// Whether the caller has finished: it decides how long we wait before we answer.
    Turn,
    /// What the caller said: the agent waits for it.
    Words,
    /// The first sound of an answer: the caller waits for it.
    FirstClause,
    /// Sound that follows sound which is still playing.
    NextClause,
    /// What the caller has said so far.
    Partial,
    /// What may be said later.
    Prepare,
}

/// A fixed number of threads and what waits for them. Dropping the last handle ends the threads
/// once they have done what was asked before.
#[derive(Clone)]
pub(super) struct Pool {
    shared: Arc<Shared>,
    /// How much more of each urgency may wait.
    room: Arc<[Arc<Semaphore>; URGENCIES]>,
    _open: Arc<Open>,
}

/// Work under way. Dropping it calls it off.
pub(super) struct Pending<T> {
    /// The result.
    pub(super) task: JoinHandle<Result<T, Fault>>,
    stop: Arc<AtomicBool>,
    begun: Arc<AtomicBool>,
}

struct Shared {
    state: Mutex<State>,
    work: Condvar,
    threads: usize,
}

struct State {
    jobs: BTreeMap<(Urgency, u64), Job>,
    next: u64,
    busy: usize,
    open: bool,
}

struct Job {
    run: Box<dyn FnOnce() + Send>,
    /// Given back when the job is no longer waiting.
    room: OwnedSemaphorePermit,
}

impl Pool {
    /// Starts the threads.
    pub(super) fn start(threads: usize) -> Self {
        let threads = threads.max(1);
        let state = State {
            jobs: BTreeMap::new(),
            next: 0,
            busy: 0,
            open: true,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            work: Condvar::new(),
            threads,
        });
        for n in 0..threads {
            let shared = Arc::clone(&shared);
            let named = thread::Builder::new().name(format!("speech {n}"));
            let started = named.spawn(move || shared.serve());
            started.expect("a process that cannot start a thread cannot go on");
        }
        let room = [(); URGENCIES].map(|()| Arc::new(Semaphore::new(threads * WAITING_PER_THREAD)));
        Self {
            _open: Arc::new(Open(Arc::clone(&shared))),
            shared,
            room: Arc::new(room),
        }
    }

    /// Has some work done. It is given a flag that says when it is no longer wanted. Fails with
    /// `speech.overloaded` if there is no room for it to wait in for [`PATIENCE`].
    pub(super) fn begin<T: Send + 'static>(
        &self,
        urgency: Urgency,
        work: impl FnOnce(&AtomicBool) -> Result<T, Fault> + Send + 'static,
    ) -> Pending<T> {
        let stop = Arc::new(AtomicBool::new(false));
        let begun = Arc::new(AtomicBool::new(false));
        let (flag, pool, begins) = (Arc::clone(&stop), self.clone(), Arc::clone(&begun));
        let (tx, rx) = oneshot::channel();
        let run: Box<dyn FnOnce() + Send> = Box::new(move || {
            begins.store(true, Ordering::Relaxed);
            if !flag.load(Ordering::Relaxed) {
                // Nobody listens any more if it was called off meanwhile.
                let _ = tx.send(work(&flag));
            }
        });
        let room = Arc::clone(&self.room[urgency as usize]);
        // What is asked for first waits first, so it takes its place before this returns.
        let waits = match Arc::clone(&room).try_acquire_owned() {
            Ok(room) => {
                self.shared.queue(urgency, Job { run, room });
                None
            }
            Err(_) => Some(run),
        };
        let task = tokio::spawn(async move {
            if let Some(run) = waits {
                let room = tokio::time::timeout(PATIENCE, room.acquire_owned()).await;
                let room = room.map_err(|_| overloaded())?.map_err(|_| lost())?;
                pool.shared.queue(urgency, Job { run, room });
            }
            let _open = pool;
            rx.await.map_err(|_| lost())?
        });
        Pending { task, stop, begun }
    }

    /// Whether a thread has nothing to do and nothing is waiting.
    pub(super) fn spare(&self) -> bool {
        let state = self.shared.lock();
        state.jobs.is_empty() && state.busy < self.shared.threads
    }
}

impl<T> Pending<T> {
    /// Whether a thread works on it, or has.
    pub(super) fn has_begun(&self) -> bool {
        self.begun.load(Ordering::Relaxed)
    }
}

impl<T> Drop for Pending<T> {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.task.abort();
    }
}

impl Shared {
    fn queue(&self, urgency: Urgency, job: Job) {
        let mut state = self.lock();
        let next = state.next;
        state.next += 1;
        state.jobs.insert((urgency, next), job);
        drop(state);
        figures::waiting(Kind::Pool(urgency), 1);
        self.work.notify_one();
    }

    fn serve(&self) {
        let mut state = self.lock();
        loop {
            if let Some(((urgency, _), job)) = state.jobs.pop_first() {
                state.busy += 1;
                drop(state);
                drop(job.room);
                figures::waiting(Kind::Pool(urgency), -1);
                let began = Instant::now();
                // One broken utterance must not take a thread from all calls. Whoever waits for the
                // result learns that it is lost.
                if panic::catch_unwind(AssertUnwindSafe(job.run)).is_err() {
                    tracing::error!("a speech model panicked");
                }
                figures::took(Kind::Pool(urgency), began.elapsed());
                state = self.lock();
                state.busy -= 1;
            } else if state.open {
                state = self
                    .work
                    .wait(state)
                    .unwrap_or_else(PoisonError::into_inner);
            } else {
                return;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic happens under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends the threads when the last handle is gone.
struct Open(Arc<Shared>);

impl Drop for Open {
    fn drop(&mut self) {
        self.0.lock().open = false;
        self.0.work.notify_all();
    }
}

fn overloaded() -> Fault {
    Fault::new(
        Blame::Gateway,
        code::SPEECH_OVERLOADED,
        "speech has more to do than this machine can",
    )
    .retry(Retry::Now)
    .hint("take fewer calls at once (`policy.max_calls`), or use a machine with more cores")
}

fn lost() -> Fault {
    Fault::new(
        Blame::Gateway,
        code::SPEECH_FAILED,
        "a speech model failed while running",
    )
}

const URGENCIES: usize = 6;
const WAITING_PER_THREAD: usize = 8;
/// How long work may wait before it may even join the queue.
const PATIENCE: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    /// A pool of one thread that is busy until something is sent.
    async fn busy() -> (Pool, mpsc::Sender<()>, Pending<()>) {
        let pool = Pool::start(1);
        let (go, wait) = mpsc::channel::<()>();
        let (started, running) = oneshot::channel();
        let first = pool.begin(Urgency::Words, move |_| {
            let _ = started.send(());
            let _ = wait.recv_timeout(Duration::from_secs(20));
            Ok(())
        });
        running.await.expect("the thread takes the only job");
        (pool, go, first)
    }

    #[tokio::test]
    async fn the_urgent_goes_first() {
        let (pool, go, _first) = busy().await;
        assert!(!pool.spare());
        let order = Arc::new(Mutex::new(Vec::new()));
        let urgencies = [
            Urgency::Prepare,
            Urgency::NextClause,
            Urgency::Words,
            Urgency::FirstClause,
        ];
        let mut jobs = urgencies.map(|urgency| {
            let order = Arc::clone(&order);
            pool.begin(urgency, move |_| {
                order.lock().expect("no test panics in here").push(urgency);
                Ok(())
            })
        });
        while pool.shared.lock().jobs.len() < 4 {
            tokio::task::yield_now().await;
        }
        go.send(()).expect("the first job waits for it");
        for job in &mut jobs {
            (&mut job.task)
                .await
                .expect("no job panics")
                .expect("no job fails");
        }
        let wanted = [
            Urgency::Words,
            Urgency::FirstClause,
            Urgency::NextClause,
            Urgency::Prepare,
        ];
        assert_eq!(*order.lock().expect("all jobs are done"), wanted);
    }

    #[tokio::test]
    async fn what_is_called_off_is_not_done() {
        let (pool, go, _first) = busy().await;
        let (tx, rx) = mpsc::channel();
        let job = pool.begin(Urgency::Words, move |_| {
            let _ = tx.send(());
            Ok(())
        });
        while pool.shared.lock().jobs.is_empty() {
            tokio::task::yield_now().await;
        }
        drop(job);
        go.send(()).expect("the first job waits for it");
        // The sender is dropped with the job, without having been used.
        let gone = rx.recv_timeout(Duration::from_secs(20));
        assert_eq!(gone, Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_is_a_fault_after_a_while() {
        let (pool, go, _first) = busy().await;
        let waiting: Vec<_> = (0..WAITING_PER_THREAD)
            .map(|_| pool.begin(Urgency::Words, |_| Ok(())))
            .collect();
        let mut one_more = pool.begin(Urgency::Words, |_| Ok(()));
        let fault = (&mut one_more.task)
            .await
            .expect("no panic")
            .expect_err("there is no room");
        assert_eq!(fault.code, code::SPEECH_OVERLOADED);
        go.send(()).expect("the first job waits for it");
        drop(waiting);
    }

    #[tokio::test]
    async fn a_panic_costs_one_job() {
        let pool = Pool::start(1);
        let mut broken = pool.begin::<()>(Urgency::Words, |_| panic!("on purpose"));
        let fault = (&mut broken.task)
            .await
            .expect("the task lives")
            .expect_err("the job died");
        assert_eq!(fault.code, code::SPEECH_FAILED);
        let mut next = pool.begin(Urgency::Words, |_| Ok(7));
        assert_eq!(
            (&mut next.task).await.expect("no panic").expect("no fault"),
            7
        );
    }
}
