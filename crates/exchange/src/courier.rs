//! Webhooks on their way to the application: sent one after the other, in the order and with the repetitions, forgeries, delays and
//! losses that were asked for.

use crate::ledger::Kind;
use crate::mischief::{Callbacks, Order};
use crate::office::{Office, Reach, authority};
use reqwest::Method;
use reqwest::header::{CONTENT_TYPE, HOST};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// How a carrier's events about one call reach the application.
pub(crate) trait Round: Send + Sync + 'static {
    type Event: Send + Sync + 'static;

    /// The event's name, as [`Callbacks::lost`] has it.
    fn name(event: &Self::Event) -> &str;

    /// Sends an event once, as what it claims to be, and writes it into the books.
    fn deliver(&self, event: &Self::Event, kind: Kind) -> impl Future<Output = ()> + Send;
}

/// Delivers a call's events in its own time.
pub(crate) struct Courier<E> {
    events: mpsc::Sender<E>,
    // A set, so that dropping the courier stops it.
    task: JoinSet<()>,
}

/// More events are waiting than a courier can carry; this one is lost.
#[derive(Debug)]
pub(crate) struct Overburdened;

impl<E: Send + Sync + 'static> Courier<E> {
    pub(crate) fn new(round: impl Round<Event = E>, mischief: Callbacks) -> Self {
        let (events, inbox) = mpsc::channel(MOST_WAITING);
        let mut task = JoinSet::new();
        task.spawn(deliver_all(round, mischief, inbox));
        Self { events, task }
    }

    /// Takes an event along; the delivery happens later.
    pub(crate) fn take(&self, event: E) -> Result<(), Overburdened> {
        self.events.try_send(event).map_err(|_| Overburdened)
    }

    /// Waits until everything has been delivered.
    pub(crate) async fn finish(mut self) {
        drop(self.events);
        self.task.join_next().await;
    }
}

async fn deliver_all<R: Round>(round: R, mischief: Callbacks, mut inbox: mpsc::Receiver<R::Event>) {
    let mut held: Vec<R::Event> = Vec::new();
    while let Some(event) = inbox.recv().await {
        match mischief.order {
            Order::AsTheyHappened => deliver(&round, &mischief, event).await,
            Order::Swapped if held.is_empty() => held.push(event),
            Order::Swapped => {
                deliver(&round, &mischief, event).await;
                for event in held.drain(..) {
                    deliver(&round, &mischief, event).await;
                }
            }
            Order::LastFirst => held.push(event),
        }
    }
    for event in held.into_iter().rev() {
        deliver(&round, &mischief, event).await;
    }
}

async fn deliver<R: Round>(round: &R, mischief: &Callbacks, event: R::Event) {
    if mischief.lost.iter().any(|lost| lost == R::name(&event)) {
        return;
    }
    tokio::time::sleep(mischief.delay).await;
    let forged = (0..mischief.forged).map(|_| Kind::Forged);
    let duplicates = (0..mischief.duplicates).map(|_| Kind::Duplicate);
    for kind in forged.chain([Kind::Genuine]).chain(duplicates) {
        round.deliver(&event, kind).await;
    }
}

/// A request to the application.
pub(crate) struct Errand<'a> {
    pub(crate) method: Method,
    /// The public URL; a tunnel may lead elsewhere.
    pub(crate) url: &'a str,
    pub(crate) headers: Vec<(&'static str, &'a str)>,
    pub(crate) body: Vec<u8>,
    /// How long all of it may take.
    pub(crate) within: Duration,
}

/// An answer that came back whole.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// Why nothing came back.
pub(crate) enum Failure {
    Connect(String),
    Read(String),
    TooLarge(String),
}

impl Errand<'_> {
    /// Goes there and comes back with what was said.
    pub(crate) async fn run(self, office: &Office) -> Result<Page, Failure> {
        let (target, host) = match office.reach(self.url) {
            Reach::Direct => (self.url.to_owned(), None),
            Reach::Tunnelled(target) => (target, authority(self.url)),
        };
        let mut request = office.http.request(self.method, target);
        if let Some(host) = host {
            request = request
                .header(HOST, host)
                .header("X-Forwarded-Proto", "https");
        }
        for (name, value) in self.headers {
            request = request.header(name, value);
        }
        if !self.body.is_empty() {
            request = request.body(self.body);
        }
        let answer = request
            .timeout(self.within)
            .send()
            .await
            .map_err(Failure::from_reqwest)?;
        let status = answer.status().as_u16();
        let content_type = answer
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned();
        let body = read(answer).await?;
        Ok(Page {
            status,
            content_type,
            body,
        })
    }
}

async fn read(mut answer: reqwest::Response) -> Result<String, Failure> {
    let mut body = Vec::new();
    while let Some(part) = answer.chunk().await.map_err(Failure::from_reqwest)? {
        body.extend_from_slice(&part);
        if body.len() > LARGEST_PAGE {
            return Err(Failure::TooLarge(format!(
                "more than {LARGEST_PAGE} bytes came back"
            )));
        }
    }
    Ok(String::from_utf8_lossy(&body).into_owned())
}

impl Failure {
    fn from_reqwest(error: reqwest::Error) -> Self {
        let mut text = error.to_string();
        let mut source = std::error::Error::source(&error);
        while let Some(inner) = source {
            text = format!("{text}: {inner}");
            source = inner.source();
        }
        if error.is_connect() {
            Self::Connect(text)
        } else {
            Self::Read(text)
        }
    }

    pub(crate) fn text(&self) -> &str {
        let (Self::Connect(text) | Self::Read(text) | Self::TooLarge(text)) = self;
        text
    }
}

/// More events than a call has, unless the application is slow and somebody plays on the keys.
const MOST_WAITING: usize = 256;
const LARGEST_PAGE: usize = 256 * 1024;
