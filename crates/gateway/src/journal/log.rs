//! What happens on a call that is up, in order, for those who are near it.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use call::{Event, Private};
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::watch;
use tokio::time::Instant;

use super::reader::Summary;
use super::writer::Pen;
use crate::metrics::metrics;

/// One public event, stamped.
#[derive(Clone, Debug, Serialize)]
pub struct Entry {
    /// The version of this format.
    pub v: u32,
    /// Which call.
    pub call: String,
    /// Counts up from 1 within the call.
    pub seq: u64,
    /// Milliseconds since the call began.
    pub ms: u64,
    /// The date.
    pub time: Timestamp,
    /// Who talks to whom: in a call's first event.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub parties: Option<Parties>,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

/// Who talks to whom.
#[derive(Clone, Debug, Serialize)]
pub struct Parties {
    /// `inbound` or `outbound`.
    pub direction: &'static str,
    /// Our number.
    pub number: Private<String>,
    /// The person's number, if it is known.
    pub caller: Option<Private<String>>,
    /// By which carrier.
    pub carrier: String,
    /// Which agent answers.
    pub agent: String,
    /// Which rule of the owner's allowed it, and where that stands.
    pub allowed_by: String,
}

/// One call's events. Clones are the same log.
#[derive(Clone, Debug)]
pub struct CallLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    call: String,
    parties: Parties,
    pen: Pen,
    began: Instant,
    entries: Mutex<Vec<Entry>>,
    length: watch::Sender<Length>,
}

/// How much has been written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Length {
    entries: usize,
    closed: bool,
}

/// More events than this in one call are not kept; the end always is.
const LIMIT: usize = 20_000;

impl CallLog {
    /// Starts the log of a call that begins now. All that happens on it is also written with `pen`.
    pub fn new(call: String, parties: Parties, pen: Pen) -> Self {
        Self(Arc::new(Inner {
            call,
            parties,
            pen,
            began: Instant::now(),
            entries: Mutex::new(Vec::new()),
            length: watch::Sender::default(),
        }))
    }

    /// Adds an event.
    pub fn push(&self, event: Event) {
        metrics().saw(self.0.parties.direction, &event);
        let closed = matches!(event, Event::Ended(_));
        let mut entries = self.entries();
        if entries.len() < LIMIT || closed {
            let entry = Entry {
                v: 1,
                call: self.0.call.clone(),
                seq: entries.len() as u64 + 1,
                ms: self.0.began.elapsed().as_millis() as u64,
                time: Timestamp::now(),
                parties: entries.is_empty().then(|| self.0.parties.clone()),
                event,
            };
            self.0.pen.write(&entry);
            entries.push(entry);
        }
        let entries = entries.len();
        self.0.length.send_replace(Length { entries, closed });
    }

    /// Everything after the first `seen` entries.
    pub fn after(&self, seen: usize) -> Vec<Entry> {
        self.entries().get(seen..).unwrap_or_default().to_vec()
    }

    /// Waits for anything after the first `seen` entries. Empty: the call is over and there is
    /// nothing more.
    pub async fn wait(&self, seen: usize) -> Vec<Entry> {
        let mut length = self.0.length.subscribe();
        let more = length.wait_for(|it| it.entries > seen || it.closed).await;
        drop(more);
        self.after(seen)
    }

    /// Waits until the call is over.
    pub async fn ended(&self) {
        let mut length = self.0.length.subscribe();
        let _ = length.wait_for(|it| it.closed).await;
    }

    /// Which call's it is.
    pub fn call(&self) -> &str {
        &self.0.call
    }

    /// What it is also written with.
    pub fn pen(&self) -> &Pen {
        &self.0.pen
    }

    /// Who talks to whom.
    pub fn parties(&self) -> &Parties {
        &self.0.parties
    }

    /// The call, as its first and last events tell it.
    pub fn summary(&self) -> Summary {
        let json = |entry: &Entry| serde_json::to_value(entry).unwrap_or_default();
        let entries = self.entries();
        let began = entries.first().map(json).unwrap_or_else(|| {
            // It has only just begun, and nothing has happened yet.
            let mut began = serde_json::to_value(self.parties()).unwrap_or_default();
            began["time"] = Timestamp::now().to_string().into();
            began
        });
        let last = entries.last();
        let ended = last.filter(|it| matches!(it.event, Event::Ended(_)));
        Summary {
            id: self.0.call.clone(),
            began,
            ended: ended.map(json),
            seq: entries.len() as u64,
        }
    }

    /// Whether there is sound, and someone to hear it.
    pub fn is_connected(&self) -> bool {
        let entries = self.entries();
        let connected = entries.iter().any(|it| it.event == Event::Connected);
        connected && !self.is_closed()
    }

    /// Whether the call is over.
    pub fn is_closed(&self) -> bool {
        self.0.length.borrow().closed
    }

    /// How long ago the call began.
    pub fn age(&self) -> Duration {
        self.0.began.elapsed()
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.0
            .entries
            .lock()
            .expect("no one panics while writing an entry")
    }
}
