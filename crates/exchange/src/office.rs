//! The office: what every carrier has, whichever it is. Its numbers, the phones it reaches, its way out to the application,
//! its ledger, and what is to go wrong.

use crate::ledger::Ledger;
use crate::line::Band;
use crate::mischief::Mischief;
use crate::phone::{PhonePlan, Pickup};
use crate::standing::{Owner, Standing, Vouched};
use crate::tape::Tapes;
use rand::RngCore;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// What every carrier has.
pub(crate) struct Office {
    pub(crate) http: reqwest::Client,
    pub(crate) ledger: Ledger,
    /// How much of a voice its lines carry, where the carrier can send that on.
    pub(crate) band: Band,
    pub(crate) tapes: Tapes,
    phones: HashMap<String, PhonePlan>,
    anyone: Anyone,
    tunnels: Vec<Tunnel>,
    numbers: Mutex<HashMap<String, Number>>,
    mischief: Mutex<Mischief>,
    troubles: Mutex<VecDeque<Trouble>>,
    standing: Mutex<Standing>,
    vouched: Mutex<Vouched>,
    tasks: Mutex<JoinSet<()>>,
}

/// How an office is to be.
#[derive(Default)]
pub(crate) struct Setup {
    pub(crate) numbers: HashMap<String, Number>,
    pub(crate) phones: HashMap<String, PhonePlan>,
    pub(crate) anyone: Anyone,
    pub(crate) tunnels: Vec<Tunnel>,
    pub(crate) mischief: Mischief,
    pub(crate) band: Band,
}

/// The application's account, as the carrier names and knows it.
#[derive(Default)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// A number of the account.
#[derive(Clone)]
pub(crate) struct Number {
    /// 32 hexadecimal digits, which carriers dress as they like.
    pub(crate) id: String,
    pub(crate) voice_url: String,
    pub(crate) status_url: String,
    pub(crate) owner: Owner,
}

/// What happens at numbers nobody planned for.
#[derive(Default)]
pub(crate) enum Anyone {
    #[default]
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
    /// 429, with the carrier's own code: never processed, safe to repeat.
    TooMany,
    /// 503: never processed, though nobody can know.
    Unavailable,
    /// Processed at once, answered after this long.
    Slow(Duration),
    /// Processed at once, and the connection breaks after this many bytes of the answer's body, if it is
    /// as long as that.
    Cut(usize),
}

/// An answer whose connection breaks after so many bytes of its body.
pub(crate) async fn cut(
    response: axum::response::Response,
    bytes: usize,
) -> axum::response::Response {
    let (parts, body) = response.into_parts();
    let whole = axum::body::to_bytes(body, LONGEST_CUT)
        .await
        .unwrap_or_default();
    let mut parts = parts;
    // What is said to come does not.
    parts
        .headers
        .insert(axum::http::header::CONTENT_LENGTH, whole.len().into());
    let begin = whole.slice(..bytes.min(whole.len()));
    let end = if begin.len() < whole.len() {
        Err(std::io::Error::other("it breaks here"))
    } else {
        Ok(axum::body::Bytes::new())
    };
    let stream = futures_util::stream::iter([Ok(begin), end]);
    axum::response::Response::from_parts(parts, axum::body::Body::from_stream(stream))
}

/// An answer has at most a few KiB.
const LONGEST_CUT: usize = 1024 * 1024;

/// How a URL is reached.
pub(crate) enum Reach {
    Direct,
    Tunnelled(String),
}

impl Office {
    pub(crate) fn new(setup: Setup) -> Result<Self, reqwest::Error> {
        // The exchange speaks plain HTTP only; an empty list of roots spares it the search for the system's.
        let http = reqwest::Client::builder()
            .no_proxy()
            .http1_only()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(5))
            .tls_certs_only([])
            .build()?;
        Ok(Self {
            http,
            ledger: Ledger::new(),
            band: setup.band,
            tapes: Tapes::default(),
            phones: setup.phones,
            anyone: setup.anyone,
            tunnels: setup.tunnels,
            numbers: Mutex::new(setup.numbers),
            mischief: Mutex::new(setup.mischief),
            troubles: Mutex::default(),
            standing: Mutex::default(),
            vouched: Mutex::default(),
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
        let id = numbers
            .get(number)
            .map_or_else(|| fresh(""), |known| known.id.clone());
        let (voice_url, status_url) = (voice_url.to_owned(), status_url.to_owned());
        numbers.insert(
            number.to_owned(),
            Number {
                id,
                voice_url,
                status_url,
                owner: Owner::Itself,
            },
        );
    }

    /// The number as it is called: one that something else has does not ask at its own address.
    pub(crate) fn called(&self, number: &str) -> Option<Number> {
        self.number(number).filter(|it| it.owner == Owner::Itself)
    }

    /// Changes a number, if it is the account's.
    pub(crate) fn change(&self, number: &str, change: impl FnOnce(&mut Number)) {
        if let Some(known) = lock(&self.numbers).get_mut(number) {
            change(known);
        }
    }

    /// Changes every number.
    pub(crate) fn change_all(&self, change: impl FnMut(&mut Number)) {
        lock(&self.numbers).values_mut().for_each(change);
    }

    pub(crate) fn vouched(&self) -> Vouched {
        *lock(&self.vouched)
    }

    pub(crate) fn set_vouched(&self, vouched: Vouched) {
        *lock(&self.vouched) = vouched;
    }

    pub(crate) fn standing(&self) -> Standing {
        lock(&self.standing).clone()
    }

    pub(crate) fn set_standing(&self, standing: Standing) {
        *lock(&self.standing) = standing;
    }

    /// What happens when a number is called.
    pub(crate) fn phone(&self, number: &str) -> PhonePlan {
        match (self.phones.get(number), &self.anyone) {
            (Some(plan), _) | (None, Anyone::Follows(plan)) => plan.clone(),
            (None, Anyone::Unreachable) => PhonePlan::never_talks(Pickup::Unreachable),
        }
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

    pub(crate) fn next_trouble(&self) -> Option<Trouble> {
        lock(&self.troubles).pop_front()
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

/// A new id: a prefix and 32 hexadecimal digits.
pub(crate) fn fresh(prefix: &str) -> String {
    let mut bytes = [0; 16];
    rand::rng().fill_bytes(&mut bytes);
    bytes
        .iter()
        .fold(prefix.to_owned(), |text, byte| format!("{text}{byte:02x}"))
}

/// The host and port of a URL, as a proxy would pass them on.
pub(crate) fn authority(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    Some(
        rest.split(['/', '?', '#'])
            .next()
            .unwrap_or(rest)
            .to_owned(),
    )
}

fn socket_scheme(url: &str) -> String {
    match url.strip_prefix("http") {
        Some(rest) => format!("ws{rest}"),
        None => url.to_owned(),
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every value behind these locks is whole between two statements; a panic elsewhere leaves it usable.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

const MOST_TROUBLES: usize = 1_000;
