//! Webhooks: how they are signed, sent, repeated and lost.
//!
//! Source: the carrier's webhook security and connection-override documents, and its SDKs for the signature.

use super::twiml::Method;
use super::{Call, Carrier, date, direction};
use crate::courier::{Courier, Errand, Failure, Page, Round};
use crate::ledger::{Answer, Delivery, Direction, Kind, Status};
use crate::mischief::Callbacks;
use crate::office::fresh;
use crate::standing::Vouched;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use sha1::Sha1;
use std::sync::Arc;
use std::time::Duration;
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

/// Why a webhook got no answer (11200, 11205, 11750).
pub(crate) struct Unanswered {
    pub(crate) code: u32,
    pub(crate) text: String,
}

/// The fields every webhook about a call carries.
pub(crate) fn fields(carrier: &Carrier, call: &Call) -> Vec<(String, String)> {
    let state = call.state();
    let direction = direction(call.direction, &state.own);
    let status = state.status;
    let mut fields: Vec<(String, String)> = [
        ("AccountSid", carrier.account.id.as_str()),
        ("ApiVersion", "2010-04-01"),
        ("CallSid", &call.id),
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
        let verstat = match carrier.office.vouched() {
            Vouched::Unsigned => "No-TN-Validation",
            Vouched::Failed => "TN-Validation-Failed-A",
            Vouched::Gateway => "TN-Validation-Passed-C",
            Vouched::Partial => "TN-Validation-Passed-B",
            Vouched::Full => "TN-Validation-Passed-A",
        };
        fields.push(("StirVerstat".to_owned(), verstat.to_owned()));
    }
    if let Some(parent) = state.own.parent {
        fields.push(("ParentCallSid".to_owned(), parent));
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
        Kind::Genuine | Kind::Duplicate => sign(&carrier.account.secret, &url, signed),
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
    carrier.office.ledger.delivered(Delivery {
        call: call.id.clone(),
        event: webhook.event.to_owned(),
        url,
        params: webhook.form,
        signature,
        kind: webhook.kind,
        answer: match &result {
            Ok(page) => Answer::Status(page.status),
            Err(failure) => Answer::Nothing(failure.text().to_owned()),
        },
    });
    result.map_err(Unanswered::from)
}

async fn once(
    carrier: &Carrier,
    webhook: &Webhook<'_>,
    url: &str,
    signature: &str,
    left: Duration,
) -> Result<Page, Failure> {
    let mut headers = vec![
        ("X-Twilio-Signature", signature),
        ("I-Twilio-Idempotency-Token", webhook.token),
        ("User-Agent", "TwilioProxy/1.1"),
        ("Accept", "*/*"),
    ];
    let (method, body) = match webhook.method {
        Method::Get => (reqwest::Method::GET, Vec::new()),
        Method::Post => {
            headers.push((
                "Content-Type",
                "application/x-www-form-urlencoded; charset=UTF-8",
            ));
            (reqwest::Method::POST, encoded(&webhook.form).into_bytes())
        }
    };
    let errand = Errand {
        method,
        url,
        headers,
        body,
        within: left,
    };
    errand.run(&carrier.office).await
}

impl From<Failure> for Unanswered {
    fn from(failure: Failure) -> Self {
        let code = match failure {
            Failure::Connect(_) => 11205,
            Failure::Read(_) => 11200,
            Failure::TooLarge(_) => 11750,
        };
        Self {
            code,
            text: failure.text().to_owned(),
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
    let query = encoded(form);
    let glue = if url.contains('?') { '&' } else { '?' };
    format!("{url}{glue}{query}")
}

fn encoded(form: &[(String, String)]) -> String {
    form_urlencoded::Serializer::new(String::new())
        .extend_pairs(form)
        .finish()
}

/// Tells the application of a call's status.
pub(crate) struct StatusCourier {
    courier: Courier<Event>,
    /// How many events have been told.
    told: u32,
}

struct StatusCallbacks {
    carrier: Arc<Carrier>,
    call: Arc<Call>,
}

struct Event {
    name: &'static str,
    form: Vec<(String, String)>,
    token: String,
}

impl StatusCourier {
    pub(crate) fn new(carrier: Arc<Carrier>, call: Arc<Call>, mischief: Callbacks) -> Self {
        Self {
            courier: Courier::new(StatusCallbacks { carrier, call }, mischief),
            told: 0,
        }
    }

    /// Takes note of the call's status now; the delivery happens later.
    pub(crate) fn tell(&mut self, carrier: &Carrier, call: &Call) {
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
        let callback = &state.own.callback;
        if callback.url.is_empty() || !callback.events.iter().any(|event| event == name) {
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
        let token = fresh("");
        self.courier
            .take(Event { name, form, token })
            .expect("a call has four status events, and a courier carries more");
    }

    /// Waits until everything has been delivered.
    pub(crate) async fn finish(self) {
        self.courier.finish().await;
    }
}

impl Round for StatusCallbacks {
    type Event = Event;

    fn name(event: &Event) -> &str {
        event.name
    }

    async fn deliver(&self, event: &Event, kind: Kind) {
        let callback = self.call.state().own.callback;
        let method = if callback.method == "GET" {
            Method::Get
        } else {
            Method::Post
        };
        let (form, token) = if kind == Kind::Forged {
            (forge(&event.form), fresh(""))
        } else {
            (event.form.clone(), event.token.clone())
        };
        let webhook = Webhook {
            event: event.name,
            url: &callback.url,
            method,
            form,
            kind,
            token: &token,
        };
        let (code, text) = match send(&self.carrier, &self.call, webhook).await {
            Ok(page) if page.status < 400 || kind == Kind::Forged => return,
            Ok(page) => (11200, format!("HTTP {}", page.status)),
            Err(unanswered) => (unanswered.code, unanswered.text),
        };
        let text = format!("{}: {text}", event.name);
        self.carrier.office.ledger.warn(code, &self.call.id, text);
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
