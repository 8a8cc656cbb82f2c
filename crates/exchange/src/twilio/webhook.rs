//! Webhooks: how they are signed, sent, repeated and lost.
//!
//! Source: the carrier's webhook security and connection-override documents, and its SDKs for the signature.

use super::twiml::Method;
use super::{Call, Carrier, Reach, date, fresh};
use crate::ledger::{Answer, Delivery, Direction, Kind, Status};
use crate::mischief::{Callbacks, Order};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use reqwest::header::{CONTENT_TYPE, HOST};
use sha1::Sha1;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::Instant;

/// The signature of a request: of the URL as it was configured, and of the form's fields sorted by name.
pub(crate) fn sign(token: &str, url: &str, form: &[(String, String)]) -> String {
    let mut sorted: Vec<_> = form.iter().collect();
    sorted.sort();
    sorted.dedup();
    let mut mac =
        Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(url.as_bytes());
    for (name, value) in sorted {
        mac.update(name.as_bytes());
        mac.update(value.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

/// One webhook to be sent.
pub(crate) struct Webhook<'a> {
    pub(crate) event: &'a str,
    pub(crate) url: &'a str,
    pub(crate) method: Method,
    pub(crate) form: Vec<(String, String)>,
    pub(crate) kind: Kind,
    /// The same on every repetition.
    pub(crate) token: &'a str,
}

/// An answer that came back whole.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) content_type: String,
    pub(crate) body: String,
}

/// Why a webhook got no answer (11200, 11205, 11750).
pub(crate) struct Unanswered {
    pub(crate) code: u32,
    pub(crate) text: String,
}

/// The fields every webhook about a call carries.
pub(crate) fn fields(carrier: &Carrier, call: &Call) -> Vec<(String, String)> {
    let direction = match call.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound-api",
    };
    let status = call.state().status;
    let mut fields: Vec<(String, String)> = [
        ("AccountSid", carrier.account.sid.as_str()),
        ("ApiVersion", "2010-04-01"),
        ("CallSid", &call.sid),
        ("CallStatus", status.as_str()),
        ("Called", &call.to),
        ("CalledCity", ""),
        ("CalledCountry", "US"),
        ("CalledState", ""),
        ("CalledZip", ""),
        ("Caller", &call.from),
        ("CallerCity", ""),
        ("CallerCountry", "US"),
        ("CallerState", ""),
        ("CallerZip", ""),
        ("Direction", direction),
        ("From", &call.from),
        ("FromCity", ""),
        ("FromCountry", "US"),
        ("FromState", ""),
        ("FromZip", ""),
        ("To", &call.to),
        ("ToCity", ""),
        ("ToCountry", "US"),
        ("ToState", ""),
        ("ToZip", ""),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .into();
    if call.direction == Direction::Inbound {
        fields.push((
            "StirVerstat".to_owned(),
            "TN-Validation-Passed-A".to_owned(),
        ));
    }
    fields
}

/// Sends a webhook, with the retries its URL asks for, and writes it into the books.
pub(crate) async fn send(
    carrier: &Carrier,
    call: &Call,
    webhook: Webhook<'_>,
) -> Result<Page, Unanswered> {
    let (plain, overrides) = Overrides::split(webhook.url);
    let url = match webhook.method {
        Method::Post => plain.to_owned(),
        Method::Get => with_query(plain, &webhook.form),
    };
    let signed: &[(String, String)] = match webhook.method {
        Method::Post => &webhook.form,
        Method::Get => &[],
    };
    let signature = match webhook.kind {
        Kind::Genuine | Kind::Duplicate => sign(&carrier.account.token, &url, signed),
        Kind::Forged => sign("not the token of this account", &url, signed),
    };
    let deadline = Instant::now() + overrides.total;
    let mut tries = 0;
    let result = loop {
        let left = deadline
            .saturating_duration_since(Instant::now())
            .min(overrides.read);
        let result = once(carrier, &webhook, &url, &signature, left).await;
        tries += 1;
        let again =
            tries <= overrides.retries && Instant::now() < deadline && overrides.retry(&result);
        if !again {
            break result;
        }
    };
    carrier.ledger.delivered(Delivery {
        call: call.sid.clone(),
        event: webhook.event.to_owned(),
        url,
        params: webhook.form,
        signature,
        kind: webhook.kind,
        answer: match &result {
            Ok(page) => Answer::Status(page.status),
            Err(Failure::Connect(text) | Failure::Read(text) | Failure::TooLarge(text)) => {
                Answer::Nothing(text.clone())
            }
        },
    });
    result.map_err(Failure::into_unanswered)
}

async fn once(
    carrier: &Carrier,
    webhook: &Webhook<'_>,
    url: &str,
    signature: &str,
    left: Duration,
) -> Result<Page, Failure> {
    let (target, host) = match carrier.reach(url) {
        Reach::Direct => (url.to_owned(), None),
        Reach::Tunnelled(target) => (target, authority(url)),
    };
    let mut request = match webhook.method {
        Method::Get => carrier.http.get(target),
        Method::Post => carrier
            .http
            .post(target)
            .header(
                CONTENT_TYPE,
                "application/x-www-form-urlencoded; charset=UTF-8",
            )
            .form(&webhook.form),
    };
    if let Some(host) = host {
        request = request
            .header(HOST, host)
            .header("X-Forwarded-Proto", "https");
    }
    let request = request
        .header("X-Twilio-Signature", signature)
        .header("I-Twilio-Idempotency-Token", webhook.token)
        .header("User-Agent", "TwilioProxy/1.1")
        .header("Accept", "*/*")
        .timeout(left);
    let answer = request.send().await.map_err(Failure::from_reqwest)?;
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

enum Failure {
    Connect(String),
    Read(String),
    TooLarge(String),
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

    fn into_unanswered(self) -> Unanswered {
        match self {
            Self::Connect(text) => Unanswered { code: 11205, text },
            Self::Read(text) => Unanswered { code: 11200, text },
            Self::TooLarge(text) => Unanswered { code: 11750, text },
        }
    }
}

/// The connection overrides in a URL's fragment, which is neither sent nor signed.
struct Overrides {
    read: Duration,
    total: Duration,
    retries: u32,
    policy: String,
}

impl Overrides {
    fn split(url: &str) -> (&str, Self) {
        let (plain, fragment) = url.split_once('#').unwrap_or((url, ""));
        let mut overrides = Self {
            read: Duration::from_secs(15),
            total: Duration::from_secs(15),
            retries: 1,
            policy: "ct".to_owned(),
        };
        for (name, value) in form_urlencoded::parse(fragment.as_bytes()) {
            let milliseconds = value
                .parse()
                .map(|value: u64| Duration::from_millis(value.clamp(100, 15_000)));
            match (name.as_ref(), milliseconds) {
                ("rt", Ok(time)) => overrides.read = time,
                ("tt", Ok(time)) => overrides.total = time,
                ("rc", _) => overrides.retries = value.parse().map_or(1, |count: u32| count.min(5)),
                ("rp", _) => overrides.policy = value.into_owned(),
                _ => {}
            }
        }
        (plain, overrides)
    }

    fn retry(&self, result: &Result<Page, Failure>) -> bool {
        let class = match result {
            Ok(page) if (400..500).contains(&page.status) => "4xx",
            Ok(page) if page.status >= 500 => "5xx",
            Ok(_) | Err(Failure::TooLarge(_)) => return false,
            Err(Failure::Connect(_)) => "ct",
            Err(Failure::Read(_)) => "rt",
        };
        self.policy
            .split(',')
            .any(|policy| policy.trim() == class || policy.trim() == "all")
    }
}

fn with_query(url: &str, form: &[(String, String)]) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish();
    let glue = if url.contains('?') { '&' } else { '?' };
    format!("{url}{glue}{query}")
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

/// Delivers a call's status callbacks, in its own time and with the mischief that was asked for.
pub(crate) struct Courier {
    events: mpsc::Sender<Event>,
    // A set, so that dropping the courier stops it.
    task: JoinSet<()>,
    /// How many events have been told.
    told: u32,
}

struct Event {
    name: &'static str,
    form: Vec<(String, String)>,
}

impl Courier {
    pub(crate) fn new(carrier: Arc<Carrier>, call: Arc<Call>, mischief: Callbacks) -> Self {
        let (events, inbox) = mpsc::channel(32);
        let mut task = JoinSet::new();
        task.spawn(deliver_all(carrier, call, mischief, inbox));
        Self {
            events,
            task,
            told: 0,
        }
    }

    /// Takes note of the call's status now; the delivery happens later.
    pub(crate) async fn tell(&mut self, carrier: &Carrier, call: &Call) {
        let state = call.state();
        let name = match state.status {
            Status::Queued => return,
            Status::Initiated => "initiated",
            Status::Ringing => "ringing",
            Status::InProgress => "answered",
            Status::Completed
            | Status::Busy
            | Status::NoAnswer
            | Status::Failed
            | Status::Canceled => "completed",
        };
        if state.callback.url.is_empty() || !state.callback.events.iter().any(|event| event == name)
        {
            return;
        }
        let mut form = fields(carrier, call);
        let mut add = |name: &str, value: String| form.push((name.to_owned(), value));
        add("Timestamp", date(Timestamp::now()));
        add("CallbackSource", "call-progress-events".to_owned());
        add("SequenceNumber", self.told.to_string());
        self.told += 1;
        if state.status.is_final() {
            let seconds = state.talked.as_secs_f64().ceil();
            add("CallDuration", seconds.to_string());
            add("Duration", (seconds / 60.0).ceil().to_string());
            add("SipResponseCode", sip_code(state.status).to_owned());
        }
        // The inbox holds more events than a call has, so this never waits for a slow webhook.
        let _ = self.events.send(Event { name, form }).await;
    }

    /// Waits until everything has been delivered.
    pub(crate) async fn finish(mut self) {
        drop(self.events);
        self.task.join_next().await;
    }
}

async fn deliver_all(
    carrier: Arc<Carrier>,
    call: Arc<Call>,
    mischief: Callbacks,
    mut inbox: mpsc::Receiver<Event>,
) {
    let mut held: Vec<Event> = Vec::new();
    while let Some(event) = inbox.recv().await {
        match mischief.order {
            Order::AsTheyHappened => deliver(&carrier, &call, &mischief, event).await,
            Order::Swapped if held.is_empty() => held.push(event),
            Order::Swapped => {
                deliver(&carrier, &call, &mischief, event).await;
                for event in held.drain(..) {
                    deliver(&carrier, &call, &mischief, event).await;
                }
            }
            Order::LastFirst => held.push(event),
        }
    }
    for event in held.into_iter().rev() {
        deliver(&carrier, &call, &mischief, event).await;
    }
}

async fn deliver(carrier: &Carrier, call: &Call, mischief: &Callbacks, event: Event) {
    if mischief.lost.iter().any(|lost| lost == event.name) {
        return;
    }
    tokio::time::sleep(mischief.delay).await;
    let callback = call.state().callback;
    let method = if callback.method == "GET" {
        Method::Get
    } else {
        Method::Post
    };
    let token = fresh("");
    let forged = (0..mischief.forged).map(|_| (Kind::Forged, forge(&event.form)));
    let genuine = std::iter::once((Kind::Genuine, event.form.clone()));
    let duplicates = (0..mischief.duplicates).map(|_| (Kind::Duplicate, event.form.clone()));
    for (kind, form) in forged.chain(genuine).chain(duplicates) {
        let token = if kind == Kind::Forged {
            fresh("")
        } else {
            token.clone()
        };
        let webhook = Webhook {
            event: event.name,
            url: &callback.url,
            method,
            form,
            kind,
            token: &token,
        };
        let result = send(carrier, call, webhook).await;
        match result {
            Ok(page) if page.status < 400 || kind == Kind::Forged => {}
            Ok(page) => carrier.ledger.warn(
                11200,
                &call.sid,
                format!("{}: HTTP {}", event.name, page.status),
            ),
            Err(unanswered) => {
                carrier.ledger.warn(
                    unanswered.code,
                    &call.sid,
                    format!("{}: {}", event.name, unanswered.text),
                );
            }
        }
    }
}

/// The same event, claiming that the call is over.
fn forge(form: &[(String, String)]) -> Vec<(String, String)> {
    form.iter()
        .map(|(name, value)| match name.as_str() {
            "CallStatus" => (name.clone(), "completed".to_owned()),
            _ => (name.clone(), value.clone()),
        })
        .collect()
}

fn sip_code(status: Status) -> &'static str {
    match status {
        Status::Busy => "486",
        Status::NoAnswer | Status::Canceled => "487",
        Status::Failed => "404",
        Status::Queued
        | Status::Initiated
        | Status::Ringing
        | Status::InProgress
        | Status::Completed => "200",
    }
}

const LARGEST_PAGE: usize = 256 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use std::path::Path;

    #[test]
    fn signs_as_the_carriers_own_sdk_does() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/oracles/vectors/webhook-signatures.json");
        let text = std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let vectors: Value = serde_json::from_slice(&text).unwrap();
        let mut checked = 0;
        for vector in vectors["twilio"].as_array().unwrap() {
            if vector["algorithm"] != "HMAC_SHA1" || !vector["params"].is_object() {
                continue;
            }
            let form: Vec<(String, String)> = vector["params"]
                .as_object()
                .unwrap()
                .iter()
                .flat_map(|(name, value)| {
                    let values = value
                        .as_array()
                        .cloned()
                        .unwrap_or_else(|| vec![value.clone()]);
                    values
                        .into_iter()
                        .map(|value| (name.clone(), value.as_str().unwrap().to_owned()))
                })
                .collect();
            let signature = sign(
                vector["auth_token"].as_str().unwrap(),
                vector["url_signed"].as_str().unwrap(),
                &form,
            );
            assert_eq!(signature, vector["signature"], "{}", vector["name"]);
            checked += 1;
        }
        assert_eq!(checked, 5);
    }

    #[test]
    fn a_fragment_overrides_and_is_not_sent() {
        let (plain, overrides) = Overrides::split("https://e.com/v?a=1#rc=2&rp=5xx,ct&rt=500");
        assert_eq!(plain, "https://e.com/v?a=1");
        assert_eq!(
            (overrides.retries, overrides.read),
            (2, Duration::from_millis(500))
        );
        let page = |status| {
            Ok(Page {
                status,
                content_type: String::new(),
                body: String::new(),
            })
        };
        assert!(overrides.retry(&page(503)));
        assert!(!overrides.retry(&page(404)));
        assert!(!overrides.retry(&Err(Failure::Read("slow".into()))));
        let (_, defaults) = Overrides::split("https://e.com/v");
        assert!(!defaults.retry(&page(500)));
        assert!(defaults.retry(&Err(Failure::Connect("refused".into()))));
    }
}
