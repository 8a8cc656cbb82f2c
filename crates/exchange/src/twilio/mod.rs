//! Twilio's side of the wire: its REST API, its webhooks, its instructions, its media socket.
//!
//! What differs from the real thing, on purpose: everything is plain HTTP and `ws` on loopback (the real one demands
//! `https` and `wss`; [`crate::Builder::tunnel`] lets an application keep its public `https` address); `<Say>` and
//! `<Play>` make no sound; recording, answering-machine detection, conferences and `<Dial>` are not played.

mod form;
pub(crate) mod life;
pub(crate) mod load;
pub(crate) mod media;
pub(crate) mod rest;
pub(crate) mod twiml;
pub(crate) mod webhook;

use crate::ledger::{Direction, Happening, Ledger, Status};
use crate::mischief::Mischief;
use crate::phone::PhonePlan;
use jiff::Timestamp;
use rand::RngCore;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// The carrier played here.
pub(crate) const NAME: &str = "twilio";

/// The carrier: its account, its books, its live calls.
pub(crate) struct Carrier {
    pub(crate) account: Account,
    pub(crate) phones: HashMap<String, PhonePlan>,
    pub(crate) anyone: Anyone,
    pub(crate) tunnels: Vec<Tunnel>,
    pub(crate) http: reqwest::Client,
    pub(crate) ledger: Ledger,
    numbers: Mutex<HashMap<String, Number>>,
    mischief: Mutex<Mischief>,
    troubles: Mutex<VecDeque<Trouble>>,
    calls: Mutex<VecDeque<Arc<Call>>>,
    tasks: Mutex<JoinSet<()>>,
}

pub(crate) struct Account {
    pub(crate) sid: String,
    pub(crate) token: String,
}

/// A number of the account.
#[derive(Clone)]
pub(crate) struct Number {
    pub(crate) sid: String,
    pub(crate) voice_url: String,
    pub(crate) status_url: String,
}

/// What happens at numbers nobody planned for.
pub(crate) enum Anyone {
    Unreachable,
    Follows(PhonePlan),
}

/// A public address that leads to a local one.
pub(crate) struct Tunnel {
    pub(crate) public: String,
    pub(crate) local: String,
}

/// Trouble for one request to the REST API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// 429 with code 20429: never processed, safe to repeat.
    TooMany,
    /// 503: never processed, though nobody can know.
    Unavailable,
    /// Processed at once, answered after this long.
    Slow(Duration),
}

/// One call as the carrier keeps it.
pub(crate) struct Call {
    pub(crate) sid: String,
    pub(crate) direction: Direction,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) number_sid: String,
    pub(crate) created: Timestamp,
    pub(crate) commands: mpsc::Sender<Command>,
    state: Mutex<CallState>,
}

#[derive(Clone)]
pub(crate) struct CallState {
    pub(crate) status: Status,
    pub(crate) updated: Timestamp,
    pub(crate) started: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) talked: Duration,
    pub(crate) callback: Callback,
}

/// Where status callbacks go.
#[derive(Clone, Default)]
pub(crate) struct Callback {
    pub(crate) url: String,
    pub(crate) method: String,
    pub(crate) events: Vec<String>,
}

/// What the REST API asks of a live call.
pub(crate) enum Command {
    Complete,
    Cancel,
    Redirect(Instructions),
    TimeLimit(Duration),
}

/// Where a call's instructions come from.
#[derive(Clone, Debug)]
pub(crate) enum Instructions {
    Inline(String),
    Fetch(Fetch),
}

#[derive(Clone, Debug)]
pub(crate) struct Fetch {
    pub(crate) url: String,
    pub(crate) method: twiml::Method,
    pub(crate) fallback: twiml::Onward,
    pub(crate) event: &'static str,
    pub(crate) extra: Vec<(String, String)>,
}

impl Carrier {
    pub(crate) fn new(
        account: Account,
        numbers: HashMap<String, Number>,
        phones: (HashMap<String, PhonePlan>, Anyone),
        tunnels: Vec<Tunnel>,
        mischief: Mischief,
    ) -> Result<Self, reqwest::Error> {
        // The exchange speaks plain HTTP only; an empty list of roots spares it the search for the system's.
        let http = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .tls_certs_only([])
            .build()?;
        Ok(Self {
            account,
            phones: phones.0,
            anyone: phones.1,
            tunnels,
            http,
            ledger: Ledger::new(),
            numbers: Mutex::new(numbers),
            mischief: Mutex::new(mischief),
            troubles: Mutex::default(),
            calls: Mutex::default(),
            tasks: Mutex::default(),
        })
    }

    pub(crate) fn number(&self, number: &str) -> Option<Number> {
        lock(&self.numbers).get(number).cloned()
    }

    pub(crate) fn numbers(&self) -> Vec<(String, Number)> {
        let mut numbers: Vec<_> = lock(&self.numbers)
            .iter()
            .map(|(key, number)| (key.clone(), number.clone()))
            .collect();
        numbers.sort_by(|left, right| left.0.cmp(&right.0));
        numbers
    }

    pub(crate) fn set_number(&self, number: &str, voice_url: &str, status_url: &str) {
        let mut numbers = lock(&self.numbers);
        let sid = numbers
            .get(number)
            .map_or_else(|| fresh("PN"), |known| known.sid.clone());
        let (voice_url, status_url) = (voice_url.to_owned(), status_url.to_owned());
        numbers.insert(
            number.to_owned(),
            Number {
                sid,
                voice_url,
                status_url,
            },
        );
    }

    pub(crate) fn mischief(&self) -> Mischief {
        lock(&self.mischief).clone()
    }

    pub(crate) fn set_mischief(&self, mischief: Mischief) {
        *lock(&self.mischief) = mischief;
    }

    pub(crate) fn trouble(&self, trouble: Trouble) {
        let mut troubles = lock(&self.troubles);
        if troubles.len() < MOST_TROUBLES {
            troubles.push_back(trouble);
        }
    }

    fn next_trouble(&self) -> Option<Trouble> {
        lock(&self.troubles).pop_front()
    }

    /// Enters a call into the books; the oldest one that is over makes room.
    pub(crate) fn enter(&self, call: Arc<Call>) -> Result<(), Full> {
        let mut calls = lock(&self.calls);
        if calls.len() >= MOST_CALLS {
            let over = calls
                .iter()
                .position(|call| call.state().status.is_final())
                .ok_or(Full)?;
            calls.remove(over);
        }
        calls.push_back(call);
        Ok(())
    }

    pub(crate) fn call(&self, sid: &str) -> Option<Arc<Call>> {
        lock(&self.calls)
            .iter()
            .find(|call| call.sid == sid)
            .cloned()
    }

    /// All calls in the books, the newest first.
    pub(crate) fn calls(&self) -> Vec<Arc<Call>> {
        lock(&self.calls).iter().rev().cloned().collect()
    }

    /// Runs something until it is over or the exchange is dropped.
    pub(crate) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = lock(&self.tasks);
        while tasks.try_join_next().is_some() {}
        tasks.spawn(work);
    }

    pub(crate) fn stop(&self) {
        lock(&self.tasks).abort_all();
    }

    /// Where a public URL leads, and whether a tunnel leads there.
    pub(crate) fn reach(&self, url: &str) -> Reach {
        for tunnel in &self.tunnels {
            for (public, local) in [
                (tunnel.public.clone(), tunnel.local.clone()),
                (socket_scheme(&tunnel.public), socket_scheme(&tunnel.local)),
            ] {
                let Some(rest) = url.strip_prefix(&public) else {
                    continue;
                };
                if rest.is_empty() || rest.starts_with(['/', '?', '#']) {
                    return Reach::Tunnelled(format!("{local}{rest}"));
                }
            }
        }
        Reach::Direct
    }
}

/// How a URL is reached.
pub(crate) enum Reach {
    Direct,
    Tunnelled(String),
}

/// There are as many live calls as the exchange can hold.
#[derive(Debug)]
pub(crate) struct Full;

impl Call {
    pub(crate) fn new(
        direction: Direction,
        (from, to): (&str, &str),
        number_sid: String,
        callback: Callback,
    ) -> (Arc<Self>, mpsc::Receiver<Command>) {
        let (commands, obeyed) = mpsc::channel(16);
        let now = Timestamp::now();
        let status = match direction {
            Direction::Inbound => Status::Ringing,
            Direction::Outbound => Status::Queued,
        };
        let call = Self {
            sid: fresh("CA"),
            direction,
            from: from.to_owned(),
            to: to.to_owned(),
            number_sid,
            created: now,
            commands,
            state: Mutex::new(CallState {
                status,
                updated: now,
                started: None,
                ended: None,
                talked: Duration::ZERO,
                callback,
            }),
        };
        (Arc::new(call), obeyed)
    }

    pub(crate) fn state(&self) -> CallState {
        lock(&self.state).clone()
    }

    pub(crate) fn set_callback(&self, change: impl FnOnce(&mut Callback)) {
        change(&mut lock(&self.state).callback);
    }

    /// Changes the status. A final status never changes again.
    pub(crate) fn change(&self, ledger: &Ledger, status: Status, talked: Duration) {
        let mut state = lock(&self.state);
        if state.status.is_final() {
            return;
        }
        let now = Timestamp::now();
        state.status = status;
        state.updated = now;
        if status == Status::InProgress {
            state.started = Some(now);
        }
        if status.is_final() {
            state.ended = Some(now);
            state.talked = talked;
        }
        drop(state);
        ledger.tell(Happening::Changed {
            call: self.sid.clone(),
            status,
        });
    }
}

/// A new id: two letters and 32 hexadecimal digits.
pub(crate) fn fresh(prefix: &str) -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    bytes
        .iter()
        .fold(prefix.to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// A date as the carrier writes it (RFC 2822, UTC).
pub(crate) fn date(time: Timestamp) -> String {
    time.strftime("%a, %d %b %Y %H:%M:%S +0000").to_string()
}

fn socket_scheme(url: &str) -> String {
    match url.strip_prefix("http") {
        Some(rest) => format!("ws{rest}"),
        None => url.to_owned(),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every value behind these locks is whole between two statements; a panic elsewhere leaves it usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MOST_CALLS: usize = 5_000;
const MOST_TROUBLES: usize = 1_000;
