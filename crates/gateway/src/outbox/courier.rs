//! One destination: reads the journal along for it, and carries what waits.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::FutureExt as _;
use jiff::Timestamp;
use ports::Fault;
use sha2::{Digest, Sha256};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::door::Outcome;
use super::kinds::{END, Kinds, REPORT};
use super::queue::{Fate, Miss, Place, Queue, Tries, What, later};
use super::report::{Writer, Written};
use super::store::{Letter, State, Store};
use super::{Backoff, ReportPlan};
use crate::hex;
use crate::journal::{Head, Reader};
use crate::metrics::{Reported, metrics};

/// Hands a message over.
#[async_trait]
pub(super) trait Deliver: Send + Sync {
    /// Once; a part of it may be done if this is dropped.
    async fn deliver(&self, letter: &Letter, now: Timestamp) -> Outcome;
}

/// Writes a message and hands it over.
pub(super) struct Mail {
    writer: Writer,
    plan: ReportPlan,
}

impl Mail {
    pub(super) fn new(writer: Writer, plan: ReportPlan) -> Self {
        Self { writer, plan }
    }
}

#[async_trait]
impl Deliver for Mail {
    async fn deliver(&self, letter: &Letter, now: Timestamp) -> Outcome {
        match self.writer.write(letter, now).await {
            Ok(Written::Body(body)) => {
                let ReportPlan { door, patience, .. } = &self.plan;
                door.hand(letter, body, *patience).await
            }
            Ok(Written::NotYet) => Outcome::NotYet,
            Ok(Written::Forgotten) => {
                Outcome::Refused("the journal has forgotten what happened".to_owned())
            }
            Err(fault) => Outcome::Failed(fault.message, None),
        }
    }
}

/// Reads the journal for one destination.
pub(super) struct Follower {
    reader: Reader,
    durable: watch::Receiver<u64>,
    name: String,
    kinds: Kinds,
}

/// What was read at once.
pub(super) struct Batch {
    letters: Vec<Letter>,
    /// All there was up to here.
    cursor: u64,
}

impl Follower {
    pub(super) fn new(
        reader: Reader,
        durable: watch::Receiver<u64>,
        (name, kinds): (String, Kinds),
    ) -> Self {
        Self {
            reader,
            durable,
            name,
            kinds,
        }
    }

    /// Reads on from an entry, as fast as the messages that come of it are taken.
    async fn run(mut self, mut cursor: u64, to: mpsc::Sender<Batch>) {
        if cursor > *self.durable.borrow() {
            tracing::warn!(
                destination = self.name,
                "the journal was begun anew: reports are told from its beginning"
            );
            cursor = 0;
        }
        loop {
            // What becomes durable from here on is waited for below.
            self.durable.borrow_and_update();
            let heads = match self.reader.heads(cursor).await {
                Ok(heads) => heads,
                Err(fault) => {
                    complain(&fault);
                    sleep(TROUBLE).await;
                    continue;
                }
            };
            let (Some(first), Some(last)) = (heads.first(), heads.last()) else {
                if self.durable.changed().await.is_err() {
                    return;
                }
                continue;
            };
            if first.id > cursor + 1 {
                let (from, to) = (cursor + 1, first.id - 1);
                tracing::warn!(
                    destination = self.name,
                    from,
                    to,
                    "the journal has forgotten entries that were not looked at yet: reports of them are not made"
                );
            }
            cursor = last.id;
            let letters = heads.iter().flat_map(|it| self.letters(it)).collect();
            if to.send(Batch { letters, cursor }).await.is_err() {
                return;
            }
        }
    }

    /// The messages that an entry makes.
    fn letters(&self, head: &Head) -> Vec<Letter> {
        let event = self.kinds.take(&head.kind).then_some(What::Event);
        let report = head.kind == END && self.kinds.take(REPORT);
        let report = report.then_some(What::Report);
        let at = Timestamp::from_millisecond(head.at).unwrap_or_default();
        let letter = |what| {
            let kind = match what {
                What::Event => head.kind.clone(),
                What::Report => REPORT.to_owned(),
            };
            Letter {
                id: name(&self.name, head, &kind),
                destination: self.name.clone(),
                place: Place {
                    entry: head.id,
                    what,
                },
                call: head.call.clone(),
                kind,
                at,
                tries: Tries::default(),
                state: State::Waits(at),
            }
        };
        event.into_iter().chain(report).map(letter).collect()
    }
}

/// The same for the same, whoever makes it and how often; and another in a journal that was begun anew.
fn name(destination: &str, head: &Head, kind: &str) -> String {
    let (id, at) = (head.id.to_string(), head.at.to_string());
    let mut hash = Sha256::new();
    for part in [destination, &id, &at, &head.call, kind] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    format!("msg_{}", hex::of(&hash.finalize()[..16]))
}

/// Carries the messages of one destination.
pub(super) struct Courier {
    name: String,
    store: Store,
    /// Since when the oldest waits, for whoever measures.
    oldest: Arc<Mutex<BTreeMap<String, Timestamp>>>,
    mail: Arc<dyn Deliver>,
    clock: Clock,
    queue: Queue,
    backoff: Backoff,
    letters: BTreeMap<Place, Letter>,
    under_way: JoinSet<(Place, Outcome)>,
    /// Up to where the journal was read, and up to where that is written down.
    read: u64,
    noted: u64,
}

/// The date, as it goes on by the clock that only ever goes forward.
#[derive(Clone, Copy)]
struct Clock {
    at: Instant,
    time: Timestamp,
}

impl Clock {
    fn now(self) -> Timestamp {
        later(self.time, self.at.elapsed())
    }

    fn until(self, time: Timestamp) -> Instant {
        let wait = time.duration_since(self.now());
        Instant::now() + Duration::try_from(wait).unwrap_or_default()
    }
}

impl Courier {
    pub(super) fn new(
        name: String,
        (store, oldest): (Store, Arc<Mutex<BTreeMap<String, Timestamp>>>),
        mail: Arc<dyn Deliver>,
        plan: ReportPlan,
    ) -> Self {
        let queue = Queue::new(plan.door.width(), plan.backoff.clone());
        Self {
            name,
            store,
            oldest,
            mail,
            clock: Clock {
                at: Instant::now(),
                time: Timestamp::now(),
            },
            queue,
            backoff: plan.backoff,
            letters: BTreeMap::new(),
            under_way: JoinSet::new(),
            read: 0,
            noted: 0,
        }
    }

    /// Until it is to rest, and what is under way then has arrived or had its time.
    pub(super) async fn run(
        mut self,
        follower: Follower,
        nudged: Arc<Notify>,
        mut resting: watch::Receiver<bool>,
    ) {
        self.look().await;
        let cursor = insist(|| {
            let (store, name) = (self.store.clone(), self.name.clone());
            async move { store.cursor(name).await }
        })
        .await;
        (self.read, self.noted) = (cursor, cursor);
        let (tx, mut batches) = mpsc::channel(1);
        let following = follower.run(cursor, tx);
        let work = async {
            // A gateway that was told to rest before this had begun rests.
            if *resting.borrow_and_update() {
                return;
            }
            loop {
                self.set_off();
                let wake = self.queue.wakes().map(|it| self.clock.until(it));
                let wakes = async {
                    match wake {
                        Some(at) => sleep_until(at).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    Some(batch) = batches.recv(), if self.queue.len() < ROOM => self.take(batch).await,
                    Some(done) = self.under_way.join_next() => self.came(done).await,
                    () = wakes => {}
                    () = nudged.notified() => self.look().await,
                    _ = resting.changed() => return,
                }
            }
        };
        // Of the two, reading alone may end: nobody writes the journal any more.
        let reads = async {
            following.await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = work => {}
            () = reads => {}
        }
        let arrive = async {
            while let Some(done) = self.under_way.join_next().await {
                self.came(done).await;
            }
        };
        let _ = timeout(LAST, arrive).await;
    }

    /// Sends all that is due.
    fn set_off(&mut self) {
        while let Some(place) = self.queue.start(self.clock.now()) {
            let Some(letter) = self.letters.get(&place).cloned() else {
                self.queue.over(place);
                continue;
            };
            let (mail, now) = (self.mail.clone(), self.clock.now());
            self.under_way.spawn(async move {
                let delivered = AssertUnwindSafe(mail.deliver(&letter, now)).catch_unwind();
                let broke = || Outcome::Failed("delivering it broke".to_owned(), None);
                (place, delivered.await.unwrap_or_else(|_| broke()))
            });
        }
        let oldest = self.letters.values().map(|it| it.at).next();
        let mut all = self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
        match oldest {
            Some(oldest) => all.insert(self.name.clone(), oldest),
            None => all.remove(&self.name),
        };
    }

    /// More happened. It is written down before any of it is sent.
    async fn take(&mut self, batch: Batch) {
        let Batch { letters, cursor } = batch;
        self.read = cursor;
        // Most of what happens is told to nobody: where the journal was read up to is then written down now and then.
        if letters.is_empty() && cursor.abs_diff(self.noted) < SELDOM {
            return;
        }
        insist(|| {
            let (store, name, letters) = (self.store.clone(), self.name.clone(), letters.clone());
            async move { store.add(name, letters, cursor).await }
        })
        .await;
        self.noted = cursor;
        for letter in letters {
            self.wait_for(letter);
        }
    }

    /// Looks at what waits on the disk, where more may have come back to life.
    async fn look(&mut self) {
        let waiting = insist(|| {
            let (store, name) = (self.store.clone(), self.name.clone());
            async move { store.waiting(name).await }
        })
        .await;
        for letter in waiting {
            self.wait_for(letter);
        }
    }

    fn wait_for(&mut self, letter: Letter) {
        if let State::Waits(due) = letter.state {
            // The clock may have been set back since.
            let last = later(self.clock.now(), self.backoff.longest());
            let (call, tries) = (&letter.call, letter.tries);
            self.queue.add(letter.place, call, tries, due.min(last));
            self.letters.entry(letter.place).or_insert(letter);
        }
    }

    /// One arrived, or did not.
    async fn came(&mut self, done: Result<(Place, Outcome), tokio::task::JoinError>) {
        // Whoever broke was caught; nobody is cancelled while this lives.
        let Ok((place, outcome)) = done else { return };
        let now = self.clock.now();
        let (miss, why) = match outcome {
            Outcome::Delivered => {
                self.queue.delivered(place, now);
                self.letters.remove(&place);
                metrics().report(Reported::Delivered);
                let name = self.name.clone();
                return noted(self.store.delivered(name, place, now).await);
            }
            Outcome::NotYet => return self.queue.again(place, later(now, MOMENT)),
            Outcome::Refused(why) => {
                self.queue.over(place);
                (None, why)
            }
            Outcome::Failed(why, asked) => (Some(Miss::Refused(asked)), why),
            Outcome::Away(why) => (Some(Miss::Away), why),
        };
        let fate = miss.map(|it| self.queue.failed(place, now, it, rand::random()));
        let state = match fate {
            Some(Fate::Again(at)) => State::Waits(at),
            Some(Fate::Dead) | None => State::Dead,
        };
        metrics().report(match state {
            State::Waits(_) => Reported::Failed,
            State::Dead => Reported::Dead,
        });
        if state == State::Dead {
            self.letters.remove(&place);
            tracing::warn!(
                destination = self.name,
                "a report was given up: {why}; `offhook reports dead` lists those"
            );
        }
        let came = (miss.unwrap_or(Miss::Refused(None)), state, why);
        let name = self.name.clone();
        noted(self.store.failed(name, place, came, now).await);
    }
}

/// Tries until it is done: a disk that is full has room again one day, and nothing is told before it has.
async fn insist<T, F>(work: impl Fn() -> F) -> T
where
    F: Future<Output = Result<T, Fault>>,
{
    loop {
        match work().await {
            Ok(done) => return done,
            Err(fault) => complain(&fault),
        }
        sleep(TROUBLE).await;
    }
}

/// What is not written down is told again by the next gateway, under the same name.
fn noted(written: Result<(), Fault>) {
    if let Err(fault) = written {
        complain(&fault);
    }
}

fn complain(fault: &Fault) {
    tracing::error!(code = fault.code, hint = fault.hint, "{fault}");
}

/// So many messages of a destination wait in memory; the journal keeps the others.
const ROOM: usize = 10_000;
/// So many entries of which nothing is told are read again at most.
const SELDOM: u64 = 1_000;
const TROUBLE: Duration = Duration::from_secs(1);
/// How soon it is looked again whether a message can be written.
const MOMENT: Duration = Duration::from_millis(250);
/// How long a gateway that stops waits for what is under way.
const LAST: Duration = Duration::from_secs(3);

#[cfg(test)]
mod tests;
