//! One thread that tells speech from other sound for all calls, as many as are waiting at a time.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use media::WINDOW;
use ports::Fault;
use ports::speech::{SpeechDetector, Verdict, Windows};
use tokio::sync::mpsc;

use super::figures::{self, Kind};
use super::silero::{Memory, Question, Silero};
use crate::models::Store;

/// Tells speech from other sound on a thread of its own, which lives as long as anyone has
/// something to ask it.
#[derive(Clone)]
pub struct Detector {
    queue: SyncSender<Window>,
}

/// One call's end of it.
struct OneCall {
    queue: SyncSender<Window>,
    call: Arc<Call>,
}

struct Call {
    verdicts: mpsc::Sender<Verdict>,
    /// Only the detector's thread uses it; the lock is never waited for.
    past: Mutex<Past>,
}

#[derive(Default)]
struct Past {
    last: Option<u64>,
    memory: Memory,
}

struct Window {
    call: Arc<Call>,
    number: u64,
    samples: [i16; WINDOW],
}

impl Detector {
    /// Loads the model and starts the thread.
    ///
    /// # Errors
    /// Says what to run where the model is missing.
    pub fn start(store: &Store) -> Result<Self, Fault> {
        let model = Silero::load(store)?;
        let (queue, windows) = sync_channel(WAITING);
        let named = thread::Builder::new().name("speech detector".to_owned());
        let started = named.spawn(move || serve(model, &windows));
        started.expect("a process that cannot start a thread cannot go on");
        Ok(Self { queue })
    }
}

impl SpeechDetector for Detector {
    fn open(&self, verdicts: mpsc::Sender<Verdict>) -> Box<dyn Windows> {
        let call = Call {
            verdicts,
            past: Mutex::default(),
        };
        Box::new(OneCall {
            queue: self.queue.clone(),
            call: Arc::new(call),
        })
    }
}

impl Windows for OneCall {
    fn submit(&mut self, window: u64, samples: &[i16; WINDOW]) -> bool {
        let window = Window {
            call: Arc::clone(&self.call),
            number: window,
            samples: *samples,
        };
        self.queue.try_send(window).is_ok()
    }
}

fn serve(mut model: Silero, queue: &Receiver<Window>) {
    let mut waiting: VecDeque<Window> = VecDeque::new();
    let mut batch: Vec<Window> = Vec::new();
    loop {
        if waiting.is_empty() {
            match queue.recv() {
                Ok(window) => waiting.push_back(window),
                Err(_) => return,
            }
        }
        let room = LOOK_AHEAD.saturating_sub(waiting.len());
        waiting.extend(queue.try_iter().take(room));
        choose(&mut waiting, &mut batch);
        let began = Instant::now();
        let judged = judge(&mut model, &batch);
        figures::took(Kind::Speech, began.elapsed());
        if let Err(fault) = judged {
            tracing::error!(code = fault.code, "windows were not judged");
        }
        batch.clear();
    }
}

/// Moves the oldest window of as many calls as fit into one run.
fn choose(waiting: &mut VecDeque<Window>, batch: &mut Vec<Window>) {
    for _ in 0..waiting.len() {
        let Some(window) = waiting.pop_front() else {
            return;
        };
        // What the model remembers after one window goes into the next, so a call has one a run.
        let taken = batch.iter().any(|it| Arc::ptr_eq(&it.call, &window.call));
        if taken || batch.len() >= BATCH {
            waiting.push_back(window);
        } else {
            batch.push(window);
        }
    }
}

fn judge(model: &mut Silero, batch: &[Window]) -> Result<(), Fault> {
    let locks = batch.iter().map(|it| it.call.past.lock());
    let mut pasts: Vec<_> = locks
        .map(|it| it.unwrap_or_else(PoisonError::into_inner))
        .collect();
    let mut questions: Vec<Question<'_>> = Vec::with_capacity(batch.len());
    for (past, window) in pasts.iter_mut().zip(batch) {
        let past = &mut **past;
        // After a gap the past says nothing about the present.
        let gap = past
            .last
            .is_none_or(|last| window.number.saturating_sub(last) > FEW);
        if gap {
            past.memory = Memory::default();
        }
        past.last = Some(window.number);
        questions.push(Question {
            memory: &mut past.memory,
            samples: &window.samples,
            probability: 0.0,
        });
    }
    model.ask(&mut questions)?;
    for (question, window) in questions.iter().zip(batch) {
        let verdict = Verdict {
            window: window.number,
            probability: question.probability,
        };
        // A call that does not read its verdicts goes without.
        let _ = window.call.verdicts.try_send(verdict);
    }
    Ok(())
}

/// Windows that may wait: a tenth of a second of 300 calls.
const WAITING: usize = 1_024;
const LOOK_AHEAD: usize = 256;
const BATCH: usize = 64;
/// So many windows may be missing before a call's past is forgotten.
const FEW: u64 = 4;

#[cfg(test)]
mod tests {
    use super::*;

    fn window(call: &Arc<Call>, number: u64) -> Window {
        Window {
            call: Arc::clone(call),
            number,
            samples: [0; WINDOW],
        }
    }

    #[test]
    fn a_run_has_one_window_of_a_call_and_keeps_their_order() {
        let call = || {
            Arc::new(Call {
                verdicts: mpsc::channel(1).0,
                past: Mutex::default(),
            })
        };
        let (one, other) = (call(), call());
        let mut waiting: VecDeque<_> = [
            window(&one, 1),
            window(&one, 2),
            window(&other, 7),
            window(&one, 3),
        ]
        .into();
        let mut batch = Vec::new();
        choose(&mut waiting, &mut batch);
        let numbers = |windows: &[Window]| windows.iter().map(|it| it.number).collect::<Vec<_>>();
        assert_eq!(numbers(&batch), [1, 7]);
        batch.clear();
        choose(&mut waiting, &mut batch);
        assert_eq!(numbers(&batch), [2]);
        assert_eq!(numbers(waiting.make_contiguous()), [3]);
    }
}
