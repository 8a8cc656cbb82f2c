//! The exchange's books: calls, requests, deliveries, warnings, outcomes. All of them bounded.

use crate::ear::{Ear, millis};
use crate::phone::Missed;
use crate::stopwatch::Report;
use serde::Serialize;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, broadcast};

/// A call's state as the carrier tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Taken, not yet dialled.
    Queued,
    /// Dialled; told in callbacks only.
    Initiated,
    /// The phone rings.
    Ringing,
    /// Answered.
    InProgress,
    /// Over after it was answered.
    Completed,
    /// The phone was busy, or the person rejected the call.
    Busy,
    /// Nobody answered.
    NoAnswer,
    /// The call could not be placed.
    Failed,
    /// Given up before it was answered.
    Canceled,
}

impl Status {
    /// The carrier's word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Initiated => "initiated",
            Self::Ringing => "ringing",
            Self::InProgress => "in-progress",
            Self::Completed => "completed",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Failed => "failed",
            Self::Canceled => "canceled",
        }
    }

    /// Whether the call is over.
    pub fn is_final(self) -> bool {
        match self {
            Self::Queued | Self::Initiated | Self::Ringing | Self::InProgress => false,
            Self::Completed | Self::Busy | Self::NoAnswer | Self::Failed | Self::Canceled => true,
        }
    }
}

/// Who or what ended a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndedBy {
    /// The person at the phone hung up.
    Caller,
    /// The application asked for it over the carrier's API.
    Api,
    /// The application's instructions said so, or there were none left.
    Instructions,
    /// The application closed the media socket, and nothing was to follow.
    SocketClosed,
    /// The media socket failed, and nothing was to follow.
    SocketFailed,
    /// The call's time limit.
    TimeLimit,
    /// The application's instructions could not be had or read; the number says why, as in [`Warning::code`].
    Fault(u32),
    /// The phone: busy, rejected, unreachable, or nobody there.
    Phone,
    /// The application refused the call before it was answered.
    Rejected,
    /// The other leg ended: the one that this call was put through to, or was made for.
    OtherLeg,
    /// The exchange was shut down.
    Exchange,
}

/// Which way a call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// A person called the application.
    Inbound,
    /// The application called a person.
    Outbound,
}

/// One request to the carrier's API, without its credentials.
#[derive(Clone, Debug, Serialize)]
pub struct Request {
    /// The HTTP method.
    pub method: String,
    /// The path.
    pub path: String,
    /// The query, decoded.
    pub query: Vec<(String, String)>,
    /// The form, decoded; of a JSON object its members, texts as they are and anything else as JSON.
    pub form: Vec<(String, String)>,
    /// The status it was answered with.
    pub status: u16,
    /// The carrier's error code; 0 when there was no error, or the carrier has no numbers for them.
    pub code: u32,
}

/// One webhook the exchange sent.
#[derive(Clone, Debug, Serialize)]
pub struct Delivery {
    /// The call it is about.
    pub call: String,
    /// What for, in the carrier's words: for Twilio `voice`, `action`, `stream`, or a status event (`initiated`, `ringing`,
    /// `answered`, `completed`).
    pub event: String,
    /// The URL as signed.
    pub url: String,
    /// The form as sent; of an event in JSON what it says of itself and of the call, as in [`Request::form`].
    pub params: Vec<(String, String)>,
    /// The signature as sent.
    pub signature: String,
    /// Whether it was an honest delivery, a repetition, or a forgery.
    pub kind: Kind,
    /// What came back.
    pub answer: Answer,
}

/// Whether a delivery was honest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// The delivery itself.
    Genuine,
    /// The same once more.
    Duplicate,
    /// One with a signature that is not the carrier's.
    Forged,
}

/// What came back from a webhook.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Answer {
    /// An HTTP status.
    Status(u16),
    /// Nothing: why.
    Nothing(String),
}

/// What the carrier's debugger would show.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Warning {
    /// The carrier's number for it; 0 when it has none.
    pub code: u32,
    /// The call.
    pub call: String,
    /// What happened.
    pub text: String,
}

/// A mark that was returned.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Its name.
    pub name: String,
    /// When it was returned, since the answer.
    #[serde(rename = "at_ms", serialize_with = "millis")]
    pub at: Duration,
    /// Why it was returned.
    pub why: Returned,
}

/// Why a mark was returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Returned {
    /// Everything before it had been played.
    Played,
    /// The buffer was empty when it came.
    AtOnce,
    /// The buffer was cleared.
    Cleared,
}

/// What is known of a call when it is over.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// The call's id.
    pub call: String,
    /// Which way it went.
    pub direction: Direction,
    /// Who called.
    pub from: String,
    /// Who was called.
    pub to: String,
    /// Its last status.
    pub status: Status,
    /// Who or what ended it.
    pub ended_by: EndedBy,
    /// How long it lasted since it was answered; zero if it never was.
    #[serde(rename = "talked_ms", serialize_with = "millis")]
    pub talked: Duration,
    /// The stopwatch's times.
    pub report: Report,
    /// The marks that were returned, in order.
    pub marks: Vec<Mark>,
    /// The steps of the person's script that ran into their time-out.
    pub missed: Vec<Missed>,
    /// What the carrier's debugger would show for this call.
    pub warnings: Vec<Warning>,
    /// What was said and heard at the phone.
    #[serde(skip)]
    pub ear: Ear,
}

/// Something that happened at the exchange, for people who watch it.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Happening {
    /// A request to the carrier's API was answered.
    Requested(Request),
    /// A webhook was sent.
    Delivered(Delivery),
    /// A call's status changed.
    Changed {
        /// The call.
        call: String,
        /// Its new status.
        status: Status,
    },
    /// A media stream began.
    Streaming {
        /// The call.
        call: String,
        /// The socket's URL, without what follows its host.
        host: String,
    },
    /// A mark was returned.
    Marked {
        /// The call.
        call: String,
        /// Which.
        mark: Mark,
    },
    /// The far end emptied the buffer.
    Cleared {
        /// The call.
        call: String,
        /// When, since the answer.
        #[serde(rename = "at_ms", serialize_with = "millis")]
        at: Duration,
    },
    /// The person pressed a key.
    Pressed {
        /// The call.
        call: String,
        /// Which key.
        key: char,
    },
    /// The carrier's debugger has something to say.
    Warned(Warning),
    /// A call is over.
    Ended(#[serde(serialize_with = "whole")] Arc<Outcome>),
}

/// The books themselves.
pub(crate) struct Ledger {
    books: Mutex<Books>,
    watchers: broadcast::Sender<Happening>,
    ended: Notify,
}

#[derive(Default)]
struct Books {
    requests: VecDeque<Request>,
    deliveries: VecDeque<Delivery>,
    warnings: VecDeque<Warning>,
    outcomes: VecDeque<Arc<Outcome>>,
    unread: VecDeque<Arc<Outcome>>,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        let (watchers, _) = broadcast::channel(1_024);
        Self {
            books: Mutex::default(),
            watchers,
            ended: Notify::new(),
        }
    }

    pub(crate) fn watch(&self) -> broadcast::Receiver<Happening> {
        self.watchers.subscribe()
    }

    /// Tells those who watch. Nobody watching is no fault.
    pub(crate) fn tell(&self, happening: Happening) {
        let _ = self.watchers.send(happening);
    }

    pub(crate) fn requested(&self, request: Request) {
        push(&mut self.books().requests, request.clone(), MOST_ENTRIES);
        self.tell(Happening::Requested(request));
    }

    pub(crate) fn delivered(&self, delivery: Delivery) {
        push(&mut self.books().deliveries, delivery.clone(), MOST_ENTRIES);
        self.tell(Happening::Delivered(delivery));
    }

    pub(crate) fn warn(&self, code: u32, call: &str, text: impl Into<String>) {
        let warning = Warning {
            code,
            call: call.to_owned(),
            text: text.into(),
        };
        push(&mut self.books().warnings, warning.clone(), MOST_ENTRIES);
        self.tell(Happening::Warned(warning));
    }

    pub(crate) fn ended(&self, outcome: Outcome) {
        let outcome = Arc::new(outcome);
        let mut books = self.books();
        push(&mut books.outcomes, Arc::clone(&outcome), MOST_OUTCOMES);
        push(&mut books.unread, Arc::clone(&outcome), MOST_OUTCOMES);
        drop(books);
        self.tell(Happening::Ended(outcome));
        self.ended.notify_waiters();
    }

    pub(crate) fn requests(&self) -> Vec<Request> {
        self.books().requests.iter().cloned().collect()
    }

    pub(crate) fn deliveries(&self) -> Vec<Delivery> {
        self.books().deliveries.iter().cloned().collect()
    }

    pub(crate) fn warnings(&self) -> Vec<Warning> {
        self.books().warnings.iter().cloned().collect()
    }

    pub(crate) fn warnings_of(&self, call: &str) -> Vec<Warning> {
        self.books()
            .warnings
            .iter()
            .filter(|warning| warning.call == call)
            .cloned()
            .collect()
    }

    /// The outcome of one call, when it has one.
    pub(crate) async fn outcome(&self, call: &str) -> Arc<Outcome> {
        self.wait(|books| {
            books
                .outcomes
                .iter()
                .find(|outcome| outcome.call == call)
                .cloned()
        })
        .await
    }

    /// The oldest outcome nobody was given yet.
    pub(crate) async fn next_outcome(&self) -> Arc<Outcome> {
        self.wait(|books| books.unread.pop_front()).await
    }

    async fn wait(&self, mut look: impl FnMut(&mut Books) -> Option<Arc<Outcome>>) -> Arc<Outcome> {
        loop {
            let notified = self.ended.notified();
            tokio::pin!(notified);
            // Enabled before looking, so that an outcome between the look and the wait is not missed.
            notified.as_mut().enable();
            if let Some(outcome) = look(&mut self.books()) {
                return outcome;
            }
            notified.await;
        }
    }

    fn books(&self) -> MutexGuard<'_, Books> {
        // The books are plain lists; a panic elsewhere cannot leave them half written.
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn whole<S: serde::Serializer>(outcome: &Arc<Outcome>, serializer: S) -> Result<S::Ok, S::Error> {
    outcome.as_ref().serialize(serializer)
}

fn push<T>(list: &mut VecDeque<T>, entry: T, most: usize) {
    if list.len() >= most {
        list.pop_front();
    }
    list.push_back(entry);
}

const MOST_ENTRIES: usize = 10_000;
/// An outcome holds the call's sound, 32 kB a second.
const MOST_OUTCOMES: usize = 256;
