//! REST requests to a phone company: bounded in time and size, following nobody, sent once each.

use std::error::Error;
use std::time::{Duration, SystemTime};

use egress::{Destination, Egress};
use ports::{Blame, Fault, Problem, Retry, code};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, RequestBuilder};
use serde::Deserialize;
use tokio::sync::mpsc;
use url::{Host, Origin, Url};

/// What people are told about whose API it is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Company {
    /// Its name.
    pub(crate) name: &'static str,
    /// Where the account's owner looks.
    pub(crate) console: &'static str,
    /// Where it says how it is doing.
    pub(crate) status: &'static str,
    /// Where its API is, unless the configuration says otherwise.
    pub(crate) api: &'static str,
    /// The key of the configuration that says otherwise.
    pub(crate) key: &'static str,
}

/// A way to send requests to one company.
#[derive(Debug)]
pub(crate) struct Rest {
    company: &'static Company,
    http: Client,
    /// Where the API is.
    origin: Origin,
    /// To where it is not.
    egress: Egress,
}

/// An address that a company gave us.
pub(crate) enum Elsewhere {
    /// It is where its API is.
    Ours(Url),
    /// It is somebody's.
    Theirs(Destination),
}

/// An answer of any status.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    /// When it was made, by the far end's clock, if it says so.
    pub(crate) date: Option<SystemTime>,
}

/// A request without an answer.
pub(crate) enum Lost {
    /// There was no connection to send it on.
    NotSent(reqwest::Error),
    /// Nobody can tell how much of it arrived.
    PerhapsSent(reqwest::Error),
}

impl Rest {
    /// `url` is where the API is.
    pub(crate) fn new(company: &'static Company, url: &Url) -> Result<Self, Problem> {
        let made = client(url).and_then(|http| Ok((http, Egress::new()?)));
        let (http, egress) = made.map_err(|error| Problem {
            key: company.key,
            message: format!("no connection to the API can be made: {}", root(&error)),
            hint: "install this machine's trusted certificates (on Debian: ca-certificates)"
                .to_owned(),
        })?;
        Ok(Self {
            company,
            http,
            origin: url.origin(),
            egress,
        })
    }

    pub(crate) fn request(&self, method: Method, url: &str) -> RequestBuilder {
        let request = self.http.request(method, url);
        request.header("accept", "application/json")
    }

    /// Sends a request, once.
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Answer, Lost> {
        let mut response = request.send().await.map_err(|error| {
            // Connecting ends before the first byte of the request.
            let sent = !error.is_connect() && !error.is_builder();
            let error = error.without_url();
            if sent {
                Lost::PerhapsSent(error)
            } else {
                Lost::NotSent(error)
            }
        })?;
        let status = response.status().as_u16();
        let date = response
            .headers()
            .get("date")
            .and_then(|it| it.to_str().ok());
        let date = date.and_then(|it| httpdate::parse_http_date(it).ok());
        // What is too long or breaks off is short of its end, and will not be read as JSON.
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = MAX_ANSWER - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == MAX_ANSWER {
                break;
            }
        }
        Ok(Answer { status, body, date })
    }

    /// Sends a request that may be sent twice.
    pub(crate) async fn send_harmless(&self, request: RequestBuilder) -> Result<Answer, Fault> {
        self.send(request).await.map_err(|lost| match lost {
            Lost::NotSent(error) | Lost::PerhapsSent(error) => {
                self.unreachable(error).retry(Retry::Now)
            }
        })
    }

    /// Asks for something long, and passes it on piece by piece. The answer's own body is empty, unless
    /// it is no good one.
    pub(crate) async fn fetch(
        &self,
        request: RequestBuilder,
        pieces: &mpsc::Sender<Vec<u8>>,
    ) -> Result<Answer, Fault> {
        let request = request.timeout(FETCH_PATIENCE);
        let lost = |error: reqwest::Error| {
            let error = error.without_url();
            self.unreachable(error).retry(Retry::Now)
        };
        let mut response = request.send().await.map_err(lost)?;
        let status = response.status().as_u16();
        let mut answer = Answer {
            status,
            body: Vec::new(),
            date: None,
        };
        let mut left = if answer.is_good() {
            LONGEST_FETCHED
        } else {
            MAX_ANSWER
        };
        while let Some(chunk) = response.chunk().await.map_err(lost)? {
            left = left
                .checked_sub(chunk.len())
                .ok_or_else(|| self.too_long())?;
            if !answer.is_good() {
                answer.body.extend_from_slice(&chunk);
            } else if pieces.send(chunk.into()).await.is_err() {
                let message = "nobody wants the rest of what is fetched";
                return Err(Fault::new(Blame::Gateway, code::GATEWAY_BROKEN, message));
            }
        }
        Ok(answer)
    }

    /// Reads an address that the company gave us. It is where its API is, or somewhere public that cannot
    /// be listened in on: whoever can have it name another machine beside us gains nothing by that.
    pub(crate) fn elsewhere(&self, address: &str) -> Result<Elsewhere, Fault> {
        match Url::parse(address) {
            Ok(url) if url.origin() == self.origin => Ok(Elsewhere::Ours(url)),
            Ok(_) | Err(_) => self.egress.destination(address).map(Elsewhere::Theirs),
        }
    }

    /// Asks for what is at such an address, with nothing of ours.
    pub(crate) fn get_from(&self, place: &Elsewhere) -> RequestBuilder {
        match place {
            Elsewhere::Ours(url) => self.request(Method::GET, url.as_str()),
            Elsewhere::Theirs(place) => self.egress.get(place),
        }
    }

    fn too_long(&self) -> Fault {
        let message = format!("what {} sent is too long", self.company.name);
        Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message)
    }

    /// Sends a request that ends a call until that is done, a few times: doing it twice does no harm.
    /// `done` reads the answer.
    pub(crate) async fn insist(
        &self,
        request: RequestBuilder,
        done: impl Fn(&Answer) -> Result<(), Fault> + Send + Sync,
    ) -> Result<(), Fault> {
        let request = request.timeout(HANG_UP_PATIENCE);
        let mut pauses = HANG_UP_PAUSES.into_iter();
        loop {
            let again = request.try_clone().expect("its body is not a stream");
            let answer = self.send_harmless(again).await;
            match (answer.and_then(|it| done(&it)), pauses.next()) {
                (Err(fault), Some(pause)) if fault.retry != Retry::Never => {
                    tokio::time::sleep(pause).await;
                }
                (outcome, _) => return outcome,
            }
        }
    }

    /// A dial without an answer.
    pub(crate) fn lost_dial(&self, lost: Lost) -> Fault {
        match lost {
            Lost::NotSent(error) => self.unreachable(error).retry(Retry::IfNotSent),
            Lost::PerhapsSent(error) => {
                let (name, why) = (self.company.name, root(&error));
                let message = format!("{name}'s answer to a dial did not come: {why}");
                self.unknown(message).because(error)
            }
        }
    }

    /// Something else that must not be done twice, without an answer.
    pub(crate) fn lost(&self, lost: Lost) -> Fault {
        match lost {
            Lost::NotSent(error) => self.unreachable(error).retry(Retry::IfNotSent),
            Lost::PerhapsSent(error) => self.unreachable(error),
        }
    }

    /// The call may exist or not. Only what the carrier tells later can say.
    pub(crate) fn unknown(&self, message: impl Into<String>) -> Fault {
        let console = self.company.console;
        Fault::new(Blame::Carrier, code::CARRIER_UNKNOWN, message).hint(format!(
            "the call may have been made all the same: look at the account's call log on \
             {console} before calling again"
        ))
    }

    /// What it comes to that a status [is trouble](Answer::is_trouble).
    pub(crate) fn trouble(&self, status: u16) -> Fault {
        let message = format!("{} answered with HTTP status {status}", self.company.name);
        Fault::new(Blame::Carrier, code::CARRIER_UNREACHABLE, message)
            .hint(format!("see {}", self.company.status))
            .retry(Retry::Now)
    }

    /// The answer to a dial, of a status that is no refusal, means nothing certain.
    pub(crate) fn troubled_dial(&self, status: u16) -> Fault {
        let name = self.company.name;
        self.unknown(format!("{name} answered a dial with HTTP status {status}"))
    }

    /// Reads an answer.
    pub(crate) fn read<'a, T: Deserialize<'a>>(&self, answer: &'a Answer) -> Result<T, Fault> {
        let Company { name, key, .. } = self.company;
        serde_json::from_slice(&answer.body).map_err(|_| {
            let message =
                format!("{name}'s answer cannot be read: it broke off, or is not {name}'s");
            Fault::new(Blame::Carrier, code::CARRIER_UNREACHABLE, message)
                .hint(format!(
                    "check `{key}`, and whether a proxy stands in between"
                ))
                .retry(Retry::Now)
        })
    }

    fn unreachable(&self, error: reqwest::Error) -> Fault {
        let Company { name, key, .. } = self.company;
        let message = format!("{name} cannot be reached: {}", root(&error));
        Fault::new(Blame::Carrier, code::CARRIER_UNREACHABLE, message)
            .hint(format!(
                "check this machine's network, and `{key}` if it is set"
            ))
            .because(error)
    }
}

impl Answer {
    /// What was asked for was done.
    pub(crate) fn is_good(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// What time the far end had.
    pub(crate) fn time(&self, company: &'static Company) -> Result<SystemTime, Fault> {
        self.date.ok_or_else(|| {
            let message = format!("{} did not say what time it has", company.name);
            Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message).hint(format!(
                "check `{}`, and whether a proxy stands in between",
                company.key
            ))
        })
    }

    /// The far end, or something before it, did not get to an answer.
    pub(crate) fn is_trouble(&self) -> bool {
        self.status == 408 || self.status >= 500
    }
}

/// Whole seconds, at least one. A part of a second counts as one.
pub(crate) fn seconds(duration: Duration) -> u64 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    whole.max(1)
}

/// A company's sentence without its digits, since it likes to repeat the number called.
pub(crate) fn masked(message: &str) -> String {
    let printable = message.chars().filter(|c| !c.is_control());
    let masked = printable.map(|c| if c.is_numeric() { '•' } else { c });
    masked.take(MAX_SAID).collect()
}

/// Reads the address of an API. Plain HTTP is for this machine alone: secrets travel on it.
pub(crate) fn address(company: &'static Company, text: Option<&str>) -> Result<Url, Problem> {
    let problem = |message: &str, hint: String| Problem {
        key: company.key,
        message: message.to_owned(),
        hint,
    };
    let api = company.api;
    let url = Url::parse(text.unwrap_or(api)).map_err(|error| {
        problem(
            &format!("this is not an address: {error}"),
            format!("leave it out to use {api}"),
        )
    })?;
    let extra = url.query().is_some()
        || url.fragment().is_some()
        || !url.username().is_empty()
        || url.password().is_some();
    if extra {
        let message = "the address of the API has no user, query or fragment";
        return Err(problem(message, format!("write it like {api}")));
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        _ => Err(problem(
            "the account's secret would travel in the clear",
            "use https; http is only for this machine, as in http://127.0.0.1:4010".to_owned(),
        )),
    }
}

/// Makes the HTTP client: bounded in time, following nobody, sending nothing twice.
fn client(url: &Url) -> reqwest::Result<Client> {
    // The program may have chosen a provider. If it did not, a client could not be made at all.
    let _already = rustls::crypto::ring::default_provider().install_default();
    let mut builder = Client::builder()
        .user_agent(concat!("offhook/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_PATIENCE)
        .timeout(PATIENCE)
        .pool_idle_timeout(IDLE)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .http1_only();
    if url.scheme() == "http" {
        // It stays on this machine: no proxy, and no certificates to look for.
        builder = builder.no_proxy().tls_certs_only([]);
    } else if is_loopback(url) {
        builder = builder.no_proxy();
    }
    builder.build()
}

/// Whether `url` stays on this machine.
fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// What lies at the bottom of an error, which is the part that says something.
fn root(error: &reqwest::Error) -> String {
    let mut deepest: &dyn Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// How much of a company's own words goes into a message, in characters.
const MAX_SAID: usize = 200;

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// For a whole request, from connecting to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// For pressing keys: what is being said waits for them.
pub(crate) const PRESS_PATIENCE: Duration = Duration::from_secs(3);

/// For something long.
const FETCH_PATIENCE: Duration = Duration::from_secs(10 * 60);

/// Four hours of two channels of 16-bit samples at 16 kHz, and a little.
const LONGEST_FETCHED: usize = 1024 * 1024 * 1024;

/// For one try at hanging up.
const HANG_UP_PATIENCE: Duration = Duration::from_secs(5);

/// Between one try at hanging up and the next.
const HANG_UP_PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// A connection that has been idle for longer may be closing just as it is used, and a dial on it
/// would be lost.
const IDLE: Duration = Duration::from_secs(10);

/// An answer has at most a few KiB.
const MAX_ANSWER: usize = 64 * 1024;
