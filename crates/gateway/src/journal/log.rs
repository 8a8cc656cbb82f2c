//! What happens on a call that is up, in order, for those who are near it.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use call::{Event, Private, Trust};
use jiff::Timestamp;
use ports::agent::Objective;
use serde::{Serialize, Serializer};
use tokio::sync::watch;

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
    /// Which rule of the owner's allowed it, and where that stands. Empty: none did.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub allowed_by: String,
    /// How sure we are of who the person is, before they prove anything.
    pub trust: Trust,
    /// What the call is for, if somebody said: the goal as `objective`, and all else as `brief`.
    #[serde(flatten, serialize_with = "aim")]
    pub objective: Option<Objective>,
    /// What the token is called that the call was asked for with, where that matters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked_by: Option<String>,
}

/// What a call is for, as its first event tells it.
#[derive(Serialize)]
struct Aim<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    objective: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    brief: Option<serde_json::Value>,
}

fn aim<S: Serializer>(objective: &Option<Objective>, to: S) -> Result<S::Ok, S::Error> {
    let aim = Aim {
        objective: objective.as_ref().map(|it| it.goal.reveal().as_str()),
        brief: objective.as_ref().and_then(Objective::brief),
    };
    aim.serialize(to)
}

/// The moment a call began, by both clocks.
///
/// Everything after it is counted from here by the first clock alone, so that a date that is put
/// right in the middle of a call moves nothing in it, and so that the same call run again is stamped
/// the same.
#[derive(Clone, Copy, Debug)]
pub struct Began {
    /// By the clock that only ever goes forward.
    pub at: Instant,
    /// By the one on the wall.
    pub time: Timestamp,
}

impl Began {
    /// It begins now.
    pub fn now() -> Self {
        Self {
            at: tokio::time::Instant::now().into_std(),
            time: Timestamp::now(),
        }
    }
}

/// One call's events. Clones are the same log.
#[derive(Clone, Debug)]
pub struct CallLog(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    call: String,
    parties: Parties,
    pen: Pen,
    began: Began,
    past: Past,
    entries: Mutex<Vec<Entry>>,
    length: watch::Sender<Length>,
}

/// What other processes have written of a call before this one took it up.
#[derive(Clone, Copy, Debug, Default)]
pub struct Past {
    /// How many entries.
    pub entries: u64,
    /// For how long.
    pub age: Duration,
    /// Whether there was sound.
    pub connected: bool,
    /// Whether whoever is on it sat at a meeting.
    pub seated: bool,
}

/// How much has been written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Length {
    entries: usize,
    connected: bool,
    /// It may be recorded.
    recorded: bool,
    /// There was sound, and for now there is none.
    away: bool,
    /// Whoever is on it sits at a meeting.
    seated: bool,
    closed: bool,
}

/// More details than this of one call are not kept, and no more than ten times as much of what was
/// said and done; the end always is.
const LIMIT: usize = 20_000;

/// What only tells how something came about that is told by itself too.
fn is_detail(event: &Event) -> bool {
    matches!(
        event,
        Event::CallerHearing { .. } | Event::CallerSpeechStarted | Event::CallerSpeechEnded
    )
}

impl CallLog {
    /// Starts the log of a call that begins now. All that happens on it is also written with `pen`.
    pub fn new(call: String, parties: Parties, pen: Pen) -> Self {
        Self::since(Began::now(), Past::default(), call, parties, pen)
    }

    /// The log of a call that this process has since then, and others before it.
    pub fn since(began: Began, past: Past, call: String, parties: Parties, pen: Pen) -> Self {
        Self(Arc::new(Inner {
            call,
            parties,
            pen,
            began,
            past,
            entries: Mutex::new(Vec::new()),
            length: watch::Sender::new(Length {
                connected: past.connected,
                away: past.connected,
                seated: past.seated,
                ..Length::default()
            }),
        }))
    }

    /// Adds an event, which happened at `at`.
    pub fn push(&self, at: Instant, event: Event) {
        metrics().saw(self.0.parties.direction, &event);
        let began = self.0.began;
        let elapsed = at.saturating_duration_since(began.at);
        let closed = matches!(event, Event::Ended(_));
        let connected = matches!(event, Event::Connected);
        let lost = matches!(event, Event::Disconnected | Event::HandedOver { .. });
        let back = matches!(event, Event::Reconnected { .. });
        let recorded = matches!(event, Event::RecordingStarted { .. });
        let sat = matches!(event, Event::MeetingJoined { .. });
        let stood = matches!(event, Event::MeetingLeft { .. });
        let mut entries = self.entries();
        let limit = if is_detail(&event) { LIMIT } else { 10 * LIMIT };
        if entries.len() < limit || closed {
            let entry = Entry {
                v: 1,
                call: self.0.call.clone(),
                seq: self.0.past.entries + entries.len() as u64 + 1,
                ms: (self.0.past.age + elapsed).as_millis() as u64,
                time: began.time.checked_add(elapsed).unwrap_or(began.time),
                parties: self.is_first(&entries).then(|| self.0.parties.clone()),
                event,
            };
            self.0.pen.write(&entry);
            entries.push(entry);
        }
        if closed {
            self.0.pen.forget(&self.0.call);
        }
        let entries = entries.len();
        self.0.length.send_modify(|it| {
            it.entries = entries;
            it.connected |= connected;
            it.recorded |= recorded;
            it.away = (it.away || lost) && !back;
            it.seated = (it.seated || sat) && !stood;
            it.closed |= closed;
        });
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
        let first = entries.first().filter(|_| self.0.past.entries == 0);
        let began = first.map(json).unwrap_or_else(|| {
            // It has only just begun and nothing has happened yet, or it began in another process.
            let mut began = serde_json::to_value(self.parties()).unwrap_or_default();
            let time = self.0.began.time.checked_sub(self.0.past.age);
            began["time"] = time.unwrap_or(self.0.began.time).to_string().into();
            began
        });
        let last = entries.last();
        let ended = last.filter(|it| matches!(it.event, Event::Ended(_)));
        Summary {
            id: self.0.call.clone(),
            began,
            ended: ended.map(json),
            seq: self.0.past.entries + entries.len() as u64,
        }
    }

    /// Whether what is heard now is heard by someone.
    pub fn has_sound(&self) -> bool {
        self.is_connected() && !self.0.length.borrow().away
    }

    /// Whether what is heard now is heard by someone who sits at no meeting.
    pub fn is_alone(&self) -> bool {
        self.has_sound() && !self.0.length.borrow().seated
    }

    /// Waits until it is not heard by someone who sits at no meeting, for whatever reason.
    pub async fn left_alone(&self) {
        let mut length = self.0.length.subscribe();
        let alone = |it: &Length| it.connected && !it.closed && !it.away && !it.seated;
        let _ = length.wait_for(|it| !alone(it)).await;
    }

    /// Whether there has been sound, and there is still someone to talk to.
    pub fn is_connected(&self) -> bool {
        let length = *self.0.length.borrow();
        length.connected && !length.closed
    }

    /// Waits until there has been sound, or the call is over.
    pub async fn connected(&self) {
        let mut length = self.0.length.subscribe();
        let _ = length.wait_for(|it| it.closed || it.connected).await;
    }

    /// Waits until the call has sound and may be recorded, or is over.
    pub async fn may_be_recorded(&self) {
        let mut length = self.0.length.subscribe();
        let _ = length.wait_for(|it| it.closed || it.recorded).await;
    }

    fn is_first(&self, entries: &[Entry]) -> bool {
        self.0.past.entries == 0 && entries.is_empty()
    }

    /// Whether the call is over.
    pub fn is_closed(&self) -> bool {
        self.0.length.borrow().closed
    }

    /// Whether it has been told how the call ended; one that another process takes up has not.
    pub fn has_end(&self) -> bool {
        let last = self.entries().last().map(|it| it.event.clone());
        last.is_some_and(|it| matches!(it, Event::Ended(_)))
    }

    /// How long ago the call began.
    pub fn age(&self) -> Duration {
        let here = Began::now().at.saturating_duration_since(self.0.began.at);
        self.0.past.age + here
    }

    /// What other processes have written before.
    pub fn before(&self) -> Past {
        self.0.past
    }

    /// When the call began, for this process.
    pub fn began(&self) -> Began {
        self.0.began
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Vec<Entry>> {
        self.0
            .entries
            .lock()
            .expect("no one panics while writing an entry")
    }
}
