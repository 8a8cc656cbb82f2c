use std::error::Error;
use std::time::Duration;

use async_trait::async_trait;
use call::Number;
use ports::carrier::{Calls, Dial, Leg, Limits, Reply, Status, Stream};
use ports::{Blame, Fault, Problem, Retry, code};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use serde::Deserialize;
use url::Url;

use super::refusal::Refusal;
use super::status::{CallStatus, Cause, Direction};
use super::{API_URL, Account, is_loopback, is_sid, twiml};

/// Twilio's REST API.
///
/// Source: [the Call resource](https://www.twilio.com/docs/voice/api/call-resource). Requests are
/// forms with names in `PascalCase`, answers are JSON with names in `snake_case`.
pub(super) struct Api {
    account: Account,
    /// What the address of everything in the account begins with.
    base: String,
    http: Client,
}

impl Api {
    pub(super) fn new(account: Account, url: Url) -> Result<Self, Problem> {
        let http = client(&url).map_err(|error| Problem {
            key: API_URL,
            message: format!("no connection to the API can be made: {}", root(&error)),
            hint: "install this machine's trusted certificates (on Debian: ca-certificates)"
                .to_owned(),
        })?;
        let root = url.as_str().trim_end_matches('/');
        let base = format!("{root}/2010-04-01/Accounts/{}", account.sid);
        Ok(Self {
            account,
            base,
            http,
        })
    }
}

#[async_trait]
impl Calls for Api {
    /// Twilio has no key that would make a repeated dial harmless, so this sends one request, once.
    async fn dial(&self, dial: Dial<'_>) -> Result<Leg, Fault> {
        let request = self.http.post(format!("{}/Calls.json", self.base));
        let answer = self.send(request.form(&dial_form(&dial))).await;
        let answer = answer.map_err(Lost::of_dial)?;
        match answer.status {
            200..=299 => {
                let call: Option<Created> = serde_json::from_slice(&answer.body).ok();
                let sid = call.map(|it| it.sid).filter(|it| is_sid("CA", it));
                let sid = sid.ok_or_else(|| unknown("Twilio's answer to a dial cannot be read"));
                sid.map(Leg)
            }
            status if is_trouble(status) => Err(unknown(format!(
                "Twilio answered a dial with HTTP status {status}"
            ))),
            status => Err(Refusal::read(&answer.body).fault(status)),
        }
    }

    async fn hang_up(&self, leg: &Leg) -> Result<(), Fault> {
        let url = self.call_url(leg)?;
        let mut outcome = self.end(&url).await;
        for pause in HANG_UP_PAUSES {
            match &outcome {
                Err(fault) if fault.retry != Retry::Never => {}
                Ok(()) | Err(_) => break,
            }
            tokio::time::sleep(pause).await;
            outcome = self.end(&url).await;
        }
        outcome
    }

    async fn reconnect(&self, leg: &Leg, stream: &Stream) -> Result<(), Fault> {
        let twiml = twiml::response(Reply::Connect(stream)).body;
        let request = self.http.post(self.call_url(leg)?);
        let answer = self.send(request.form(&[("Twiml", twiml)])).await;
        let answer = answer.map_err(|lost| match lost {
            Lost::NotSent(error) => unreachable(error).retry(Retry::IfNotSent),
            Lost::PerhapsSent(error) => unreachable(error),
        })?;
        changed(&answer)
    }

    async fn status(&self, leg: &Leg) -> Result<Status, Fault> {
        let answer = self.get(self.http.get(self.call_url(leg)?)).await?;
        let call: CallResource = answer.read()?;
        let direction = Direction::parse(&call.direction);
        let status = CallStatus::parse(&call.status).ok_or_else(|| {
            let message = "Twilio says that a call is in a state it did not use to have";
            Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message)
                .hint("a newer offhook may know it")
        })?;
        Ok(match status.end(direction, Cause::Unsaid) {
            Some(end) => Status::Ended(end),
            None if status == CallStatus::InProgress => Status::Up,
            None => Status::Pending,
        })
    }

    async fn check(&self) -> Result<String, Fault> {
        let request = self.http.get(format!(
            "{}/IncomingPhoneNumbers.json?PageSize=1",
            self.base
        ));
        let numbers: Numbers = self.get(request).await?.read()?;
        let first = numbers.incoming_phone_numbers.first();
        let first = first.map(|it| Number::parse(&it.phone_number));
        Ok(match first {
            None => "Twilio took the credentials; the account has no phone number yet".to_owned(),
            Some(Ok(number)) => {
                format!("Twilio took the credentials; the account has {number:?}, perhaps more")
            }
            Some(Err(_)) => "Twilio took the credentials; the account has a number".to_owned(),
        })
    }
}

#[async_trait]
impl Limits for Api {
    async fn limit(&self, leg: &Leg, length: Duration) -> Result<(), Fault> {
        let limit = [("TimeLimit", seconds(length).min(MAX_LIMIT).to_string())];
        let request = self.http.post(self.call_url(leg)?).form(&limit);
        let answer = self.send(request).await.map_err(Lost::of_harmless)?;
        changed(&answer)
    }
}

fn dial_form<'a>(dial: &Dial<'a>) -> Vec<(&'static str, String)> {
    let mut form = vec![
        ("To", dial.to.as_str().to_owned()),
        ("From", dial.from.as_str().to_owned()),
        ("Url", dial.voice_url.to_owned()),
        ("Method", "POST".to_owned()),
        ("StatusCallback", dial.status_url.to_owned()),
        ("StatusCallbackMethod", "POST".to_owned()),
        ("Timeout", seconds(dial.ring).min(MAX_RING).to_string()),
        ("TimeLimit", seconds(dial.limit).to_string()),
    ];
    let events = ["initiated", "ringing", "answered", "completed"];
    form.extend(events.map(|it| ("StatusCallbackEvent", it.to_owned())));
    form
}

/// Whole seconds, at least one. A part of a second counts as one.
fn seconds(duration: Duration) -> u64 {
    let whole = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    whole.max(1)
}

impl Api {
    /// A leg's name goes into a path, so it is looked at first.
    fn call_url(&self, leg: &Leg) -> Result<String, Fault> {
        if is_sid("CA", &leg.0) {
            return Ok(format!("{}/Calls/{}.json", self.base, leg.0));
        }
        let message = "the name of a call is not CA and 32 hex digits";
        Err(Fault::new(
            Blame::Gateway,
            code::CARRIER_NO_SUCH_CALL,
            message,
        ))
    }

    /// Ends a call. Doing it twice does no harm.
    async fn end(&self, url: &str) -> Result<(), Fault> {
        let request = self.http.post(url).form(&[("Status", "completed")]);
        let answer = self.send(request.timeout(HANG_UP_PATIENCE)).await;
        let answer = answer.map_err(Lost::of_harmless)?;
        match answer.status {
            200..=299 => Ok(()),
            status if is_trouble(status) => Err(trouble(status)),
            status => {
                let refusal = Refusal::read(&answer.body);
                let over = refusal.is_over(status);
                over.then_some(()).ok_or_else(|| refusal.fault(status))
            }
        }
    }

    /// Sends a request that changes nothing, and takes only an answer that is one.
    async fn get(&self, request: RequestBuilder) -> Result<Answer, Fault> {
        let answer = self.send(request).await.map_err(Lost::of_harmless)?;
        changed(&answer).map(|()| answer)
    }

    async fn send(&self, request: RequestBuilder) -> Result<Answer, Lost> {
        let request = request
            .basic_auth(&self.account.sid, Some(self.account.token.reveal()))
            .header("accept", "application/json");
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
        // What is too long or breaks off is short of its end, and will not be read as JSON.
        let mut body = Vec::new();
        while let Ok(Some(chunk)) = response.chunk().await {
            let room = MAX_ANSWER - body.len();
            body.extend_from_slice(&chunk[..chunk.len().min(room)]);
            if body.len() == MAX_ANSWER {
                break;
            }
        }
        Ok(Answer { status, body })
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

/// Whether a change to a call was taken.
fn changed(answer: &Answer) -> Result<(), Fault> {
    match answer.status {
        200..=299 => Ok(()),
        status if is_trouble(status) => Err(trouble(status)),
        status => Err(Refusal::read(&answer.body).fault(status)),
    }
}

/// An answer of any status.
struct Answer {
    status: u16,
    body: Vec<u8>,
}

impl Answer {
    fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, Fault> {
        serde_json::from_slice(&self.body).map_err(|_| {
            let message = "Twilio's answer cannot be read: it broke off, or is not Twilio's";
            Fault::new(Blame::Carrier, code::CARRIER_UNREACHABLE, message)
                .hint("check `api_url`, and whether a proxy stands in between")
                .retry(Retry::Now)
        })
    }
}

/// A request without an answer.
enum Lost {
    /// There was no connection to send it on.
    NotSent(reqwest::Error),
    /// Nobody can tell how much of it arrived.
    PerhapsSent(reqwest::Error),
}

impl Lost {
    fn of_dial(self) -> Fault {
        match self {
            Self::NotSent(error) => unreachable(error).retry(Retry::IfNotSent),
            Self::PerhapsSent(error) => {
                let message = format!("Twilio's answer to a dial did not come: {}", root(&error));
                unknown(message).because(error)
            }
        }
    }

    /// For a request that may be sent twice.
    fn of_harmless(self) -> Fault {
        match self {
            Self::NotSent(error) | Self::PerhapsSent(error) => unreachable(error).retry(Retry::Now),
        }
    }
}

fn unreachable(error: reqwest::Error) -> Fault {
    let message = format!("Twilio cannot be reached: {}", root(&error));
    Fault::new(Blame::Carrier, code::CARRIER_UNREACHABLE, message)
        .hint("check this machine's network, and `api_url` if it is set")
        .because(error)
}

/// The call may exist or not. Only what Twilio tells later can say.
fn unknown(message: impl Into<String>) -> Fault {
    Fault::new(Blame::Carrier, code::CARRIER_UNKNOWN, message).hint(
        "the call may have been made all the same: look at the account's call log on \
         console.twilio.com before calling again",
    )
}

/// Whether a status says that the far end, or something before it, did not get to an answer.
fn is_trouble(status: u16) -> bool {
    status == 408 || status >= 500
}

fn trouble(status: u16) -> Fault {
    let message = format!("Twilio answered with HTTP status {status}");
    Fault::new(Blame::Carrier, code::CARRIER_UNREACHABLE, message)
        .hint("see https://status.twilio.com")
        .retry(Retry::Now)
}

/// What lies at the bottom of an error, which is the part that says something.
fn root(error: &reqwest::Error) -> String {
    let mut deepest: &dyn Error = error;
    while let Some(source) = deepest.source() {
        deepest = source;
    }
    deepest.to_string()
}

/// What creating a call returns, as far as we need it.
#[derive(Deserialize)]
struct Created {
    sid: String,
}

/// What asking for a call returns, as far as we need it.
#[derive(Deserialize)]
struct CallResource {
    status: String,
    #[serde(default)]
    direction: String,
}

/// What asking for the account's numbers returns, as far as we need it.
#[derive(Deserialize)]
struct Numbers {
    incoming_phone_numbers: Vec<OwnedNumber>,
}

#[derive(Deserialize)]
struct OwnedNumber {
    phone_number: String,
}

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// For a whole request, from connecting to the last byte of the answer.
const PATIENCE: Duration = Duration::from_secs(15);

/// For one try at hanging up.
const HANG_UP_PATIENCE: Duration = Duration::from_secs(5);

/// Between one try at hanging up and the next.
const HANG_UP_PAUSES: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(1)];

/// A connection that has been idle for longer may be closing just as it is used, and a dial on it
/// would be lost.
const IDLE: Duration = Duration::from_secs(10);

/// An answer of Twilio's has at most a few KiB.
const MAX_ANSWER: usize = 64 * 1024;

/// Twilio's own limit to ringing, in seconds.
const MAX_RING: u64 = 600;

/// Twilio's own limit to a call, in seconds.
const MAX_LIMIT: u64 = 86_400;
