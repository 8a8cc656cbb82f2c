//! The one thread that writes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use call::Event;
use call::event::End;
use jiff::Timestamp;
use ports::{Blame, Fault, code};
use tokio::sync::watch;

use super::log::Entry;
use super::reader::Summary;
use super::store::{Line, Note, Store};
use crate::metrics::metrics;

/// Writes entries. Clones write to the same journal.
#[derive(Clone, Debug)]
pub struct Pen(Nib);

#[derive(Clone, Debug)]
enum Nib {
    /// Nothing is kept: for calls that are tried out.
    Dry,
    Wet {
        lines: SyncSender<Note>,
        sick: Arc<AtomicBool>,
    },
}

impl Pen {
    /// A pen that keeps nothing.
    pub fn dry() -> Self {
        Self(Nib::Dry)
    }

    /// Whether new calls may begin: what happens on them would be kept.
    ///
    /// # Errors
    /// The journal cannot be written at the moment.
    pub fn check(&self) -> Result<(), Fault> {
        match &self.0 {
            Nib::Wet { sick, .. } if sick.load(Ordering::Relaxed) => {
                let message = "what happens on calls cannot be written down, so none begins";
                let fault = Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message);
                Err(fault.hint("is the disk full? the log says what is wrong"))
            }
            Nib::Wet { .. } | Nib::Dry => Ok(()),
        }
    }

    /// Hands an entry over. Never waits: if the disk has been gone for long, it is lost, and no
    /// new call begins.
    pub(super) fn write(&self, entry: &Entry) {
        self.hand_over(|| {
            Note::Entry(Line {
                call: entry.call.clone(),
                seq: entry.seq,
                at: entry.time.as_millisecond(),
                entry: serde_json::to_string(entry).expect("an entry has only strings for keys"),
            })
        });
    }

    /// Notes how its carrier calls a call.
    pub fn bind(&self, call: &str, leg: &str) {
        self.hand_over(|| Note::Leg {
            call: call.to_owned(),
            leg: leg.to_owned(),
        });
    }

    /// Writes the end of a call that a gateway before us did not live to see.
    pub fn close(&self, call: &Summary, now: Timestamp, end: End) {
        let began = call.began["time"].as_str().and_then(|it| it.parse().ok());
        let began: Timestamp = began.unwrap_or(now);
        self.write(&Entry {
            v: 1,
            call: call.id.clone(),
            seq: call.seq + 1,
            ms: u64::try_from(now.duration_since(began).as_millis()).unwrap_or_default(),
            time: now,
            parties: None,
            event: Event::Ended(end),
        });
    }

    fn hand_over(&self, note: impl FnOnce() -> Note) {
        let Nib::Wet { lines, sick } = &self.0 else {
            return;
        };
        metrics().journal_waiting.inc();
        if lines.try_send(note()).is_ok() {
            return;
        }
        metrics().journal_waiting.dec();
        if !sick.swap(true, Ordering::Relaxed) {
            tracing::error!(
                code = code::JOURNAL_BROKEN,
                "events are lost: the journal cannot be written"
            );
        }
    }
}

/// Starts the thread. It ends when the last pen is gone, having written everything.
pub(super) fn start(store: Store, last: u64) -> (Pen, watch::Receiver<u64>) {
    let (lines, coming) = sync_channel(WAITING);
    let (durable, seen) = watch::channel(last);
    let sick = Arc::new(AtomicBool::new(false));
    let writer = Writer {
        store,
        coming,
        durable,
        sick: sick.clone(),
    };
    let named = thread::Builder::new().name("journal".to_owned());
    let started = named.spawn(move || writer.run());
    started.expect("the system has room for one more thread");
    (Pen(Nib::Wet { lines, sick }), seen)
}

struct Writer {
    store: Store,
    coming: Receiver<Note>,
    durable: watch::Sender<u64>,
    sick: Arc<AtomicBool>,
}

impl Writer {
    fn run(mut self) {
        self.prune();
        let mut batch = Vec::new();
        while let Ok(line) = self.coming.recv() {
            batch.push(line);
            batch.extend(self.coming.try_iter().take(TOGETHER));
            self.commit(&mut batch);
        }
    }

    /// Writes a batch, and tries again for as long as it cannot be written.
    fn commit(&mut self, batch: &mut Vec<Note>) {
        let mut tries = 0;
        loop {
            let began = Instant::now();
            match self.store.append(batch) {
                Ok(last) => {
                    metrics()
                        .journal_flush
                        .observe(began.elapsed().as_secs_f64());
                    metrics().journal_entries.inc_by(batch.len() as u64);
                    metrics().journal_waiting.sub(batch.len() as i64);
                    batch.clear();
                    self.durable.send_replace(last);
                    if self.sick.swap(false, Ordering::Relaxed) {
                        tracing::info!("the journal can be written again");
                    }
                    return;
                }
                Err(error) => {
                    if !self.sick.swap(true, Ordering::Relaxed) {
                        tracing::error!(code = code::JOURNAL_BROKEN, %error, "the journal cannot be written: no new call begins");
                    }
                    tries += 1;
                    if tries == TRIES {
                        tracing::error!(events = batch.len(), "events are lost");
                        metrics().journal_waiting.sub(batch.len() as i64);
                        batch.clear();
                        return;
                    }
                    thread::park_timeout(PAUSE);
                }
            }
        }
    }

    fn prune(&mut self) {
        let oldest = Timestamp::now().as_millisecond() - KEPT.as_millis() as i64;
        match self.store.prune(oldest, MOST) {
            Ok(0) => {}
            Ok(entries) => tracing::info!(entries, "old entries of the journal were forgotten"),
            Err(error) => tracing::warn!(%error, "old entries cannot be forgotten"),
        }
    }
}

/// Entries that wait for a slow disk: minutes of a busy gateway's.
const WAITING: usize = 16_384;
/// Made durable together, at most.
const TOGETHER: usize = 1_024;
/// A disk that stays broken for an hour loses what waits.
const TRIES: u32 = 7_200;
const PAUSE: Duration = Duration::from_millis(500);
/// Entries are kept for so long…
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);
/// … and no more than so many: about a gigabyte.
const MOST: u64 = 3_000_000;
