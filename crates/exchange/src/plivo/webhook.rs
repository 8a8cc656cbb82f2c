//! Webhooks: how they are signed, sent, repeated and lost.
//!
//! Source: the carrier's pages on requests, signature validation and callback configurations, and its SDKs for the signatures.

use super::cause::status_word;
use super::{Call, Carrier, Method, Notice, date, digits};
use crate::courier::{Courier, Errand, Failure, Page, Round};
use crate::ledger::{Answer, Delivery, Direction, Kind};
use crate::mischief::Callbacks;
use crate::standing::Vouched;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use jiff::Timestamp;
use sha2::Sha256;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// The signature of a request, version 3: of the URL with its query sorted, the form sorted behind it, and the nonce.
pub(crate) fn sign(
    token: &str,
    (method, url): (Method, &str),
    form: &[(String, String)],
    nonce: &str,
) -> String {
    mac(token, &[&signed_text(method, url, form), ".", nonce])
}

/// The older signature, version 2, which covers no parameters.
pub(crate) fn sign_v2(token: &str, url: &str, nonce: &str) -> String {
    let bare = url.split(['?', '#']).next().unwrap_or(url);
    mac(token, &[bare, nonce])
}

fn signed_text(method: Method, url: &str, form: &[(String, String)]) -> String {
    let url = url.split('#').next().unwrap_or(url);
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    let mut query: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    query.sort();
    let query: Vec<String> = query
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let query = query.join("&");
    let posted = method == Method::Post && !form.is_empty();
    let mut text = place.to_owned();
    if posted || !query.is_empty() {
        text.push('?');
        text.push_str(&query);
    }
    if posted {
        if !query.is_empty() {
            text.push('.');
        }
        let mut sorted: Vec<_> = form.iter().collect();
        sorted.sort();
        for (name, value) in sorted {
            text.push_str(name);
            text.push_str(value);
        }
    }
    text
}

fn mac(token: &str, parts: &[&str]) -> String {
    let mut mac =
        Hmac::<Sha256>::new_from_slice(token.as_bytes()).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

/// A new nonce: twenty digits.
pub(crate) fn nonce() -> String {
    format!("{:020}", rand::random::<u64>())
}

/// A token that is not the account's.
pub(crate) const WRONG_TOKEN: &str = "not the token of this account";

/// One webhook to be sent.
pub(crate) struct Webhook<'a> {
    pub(crate) event: &'a str,
    pub(crate) to: &'a Notice,
    pub(crate) form: Vec<(String, String)>,
    pub(crate) kind: Kind,
    /// The same on every repetition.
    pub(crate) nonce: &'a str,
}

/// The fields every webhook about a call carries.
pub(crate) fn fields(carrier: &Carrier, call: &Call, event: &str) -> Vec<(String, String)> {
    let state = call.state();
    let direction = match call.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    };
    let mut fields = vec![
        ("BillRate", "0.00000"),
        ("CallStatus", status_word(state.status, call.direction)),
        ("CallUUID", &call.id),
        ("CallerName", &call.from),
        ("Direction", direction),
        ("Event", event),
        ("From", digits(&call.from)),
        ("ParentAuthID", &carrier.account.id),
        ("To", digits(&call.to)),
    ];
    match &state.own.request {
        Some(request) => fields.extend([
            ("ALegRequestUUID", request.as_str()),
            ("ALegUUID", &call.id),
            ("RequestUUID", request),
        ]),
        None => fields.push((
            "STIRVerification",
            match carrier.office.vouched() {
                Vouched::Unsigned => "Not Applicable",
                Vouched::Failed | Vouched::Gateway | Vouched::Partial => "Not Verified",
                Vouched::Full => "Verified",
            },
        )),
    }
    let start = call.created.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string();
    fields.push(("SessionStart", &start));
    owned(&fields)
}

/// The fields the last webhook carries beyond those.
pub(super) fn last_fields(call: &Call) -> Vec<(String, String)> {
    let state = call.state();
    let seconds = state.talked.as_secs_f64().ceil();
    let time = |time: Option<Timestamp>| time.map(date).unwrap_or_default();
    let mut fields = vec![
        ("AnswerTime".to_owned(), time(state.started)),
        ("BillDuration".to_owned(), billed(seconds).to_string()),
        ("Duration".to_owned(), seconds.to_string()),
        ("EndTime".to_owned(), time(state.ended)),
        ("StartTime".to_owned(), date(call.created)),
        ("TotalCost".to_owned(), "0.00000".to_owned()),
    ];
    if let Some(hangup) = state.own.ended {
        fields.extend(owned(&[
            ("HangupCause", hangup.cause),
            ("HangupCauseCode", &hangup.code.to_string()),
            ("HangupCauseName", hangup.name),
            ("HangupSource", hangup.source),
        ]));
    }
    fields
}

/// The seconds that are billed: whole minutes.
pub(crate) fn billed(seconds: f64) -> f64 {
    (seconds / 60.0).ceil() * 60.0
}

pub(crate) fn owned(fields: &[(&str, &str)]) -> Vec<(String, String)> {
    fields
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// Sends a webhook, with the retries its URL asks for, and writes it into the books. Only an answer with status 200 is one;
/// otherwise, why there is none.
pub(crate) async fn send(
    carrier: &Carrier,
    call: &Call,
    webhook: Webhook<'_>,
) -> Result<Page, String> {
    let (plain, overrides) = Overrides::split(&webhook.to.url);
    let method = webhook.to.method;
    let (url, signed): (_, &[_]) = match method {
        Method::Post => (plain.to_owned(), &webhook.form),
        Method::Get => (with_query(plain, &webhook.form), &[]),
    };
    let token = match webhook.kind {
        Kind::Genuine | Kind::Duplicate => carrier.account.secret.as_str(),
        Kind::Forged => WRONG_TOKEN,
    };
    let signatures = [
        sign(token, (method, &url), signed, webhook.nonce),
        sign_v2(token, &url, webhook.nonce),
    ];
    let deadline = Instant::now() + overrides.total;
    let mut tries = 0;
    let result = loop {
        let left = deadline
            .saturating_duration_since(Instant::now())
            .min(overrides.read);
        let result = once(carrier, &webhook, &url, &signatures, left).await;
        tries += 1;
        let again =
            tries <= overrides.retries && Instant::now() < deadline && overrides.retry(&result);
        if !again {
            break result;
        }
    };
    let [signature, _] = signatures;
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
    match result {
        Ok(page) if page.status == 200 => Ok(page),
        Ok(page) => Err(format!("HTTP {} is not 200", page.status)),
        Err(failure) => Err(failure.text().to_owned()),
    }
}

async fn once(
    carrier: &Carrier,
    webhook: &Webhook<'_>,
    url: &str,
    [v3, v2]: &[String; 2],
    left: Duration,
) -> Result<Page, Failure> {
    // Every account here is a main account, so the plain signatures and the main account's are the same.
    let mut headers = vec![
        ("X-Plivo-Signature-V3", v3.as_str()),
        ("X-Plivo-Signature-Ma-V3", v3),
        ("X-Plivo-Signature-V3-Nonce", webhook.nonce),
        ("X-Plivo-Signature-V2", v2),
        ("X-Plivo-Signature-Ma-V2", v2),
        ("X-Plivo-Signature-V2-Nonce", webhook.nonce),
        ("User-Agent", "PlivoVoice"),
        ("Accept", "*/*"),
    ];
    let (method, body) = match webhook.to.method {
        Method::Get => (reqwest::Method::GET, Vec::new()),
        Method::Post => {
            headers.push(("Content-Type", "application/x-www-form-urlencoded"));
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

/// What a URL's fragment, which is neither sent nor signed, asks of the requests to it. Connecting to loopback takes no time,
/// so `ct` is only known as a reason to try again.
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
            read: Duration::from_millis(40_000),
            total: Duration::from_millis(55_000),
            retries: 1,
            policy: "ct,rt".to_owned(),
        };
        for (name, value) in form_urlencoded::parse(fragment.as_bytes()) {
            let number = value.parse::<u64>();
            match (name.as_ref(), number) {
                ("rt", Ok(time)) => overrides.read = Duration::from_millis(time.clamp(100, 40_000)),
                ("tt", Ok(time)) => overrides.total = Duration::from_millis(time.min(55_000)),
                ("rc", Ok(count)) => overrides.retries = count.min(5) as u32,
                ("rp", _) => overrides.policy = value.into_owned(),
                _ => {}
            }
        }
        (plain, overrides)
    }

    fn retry(&self, result: &Result<Page, Failure>) -> bool {
        let class = match result {
            Ok(page) if page.status == 200 => return false,
            Ok(page) if (400..500).contains(&page.status) => "4xx",
            Ok(page) if page.status >= 500 => "5xx",
            Ok(_) | Err(Failure::TooLarge(_)) => "",
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

/// Tells the application that a call rings and that it is over.
pub(crate) struct Notices {
    carrier: Arc<Carrier>,
    call: Arc<Call>,
    courier: Courier<Event>,
}

struct CallNotices {
    carrier: Arc<Carrier>,
    call: Arc<Call>,
}

struct Event {
    name: &'static str,
    to: Notice,
    form: Vec<(String, String)>,
    nonce: String,
}

impl Notices {
    pub(crate) fn new(carrier: &Arc<Carrier>, call: &Arc<Call>, mischief: Callbacks) -> Self {
        let round = CallNotices {
            carrier: Arc::clone(carrier),
            call: Arc::clone(call),
        };
        Self {
            carrier: Arc::clone(carrier),
            call: Arc::clone(call),
            courier: Courier::new(round, mischief),
        }
    }

    /// Takes note that the call rings; the delivery happens later.
    pub(crate) fn ring(&self) {
        if let Some(to) = self.call.state().own.ring {
            self.tell("Ring", to, Vec::new());
        }
    }

    /// Takes note that the call is over; the delivery happens later.
    pub(crate) fn hangup(&self) {
        if let Some(to) = self.call.state().own.hangup {
            self.tell("Hangup", to, last_fields(&self.call));
        }
    }

    /// Takes note of something, with what is to be told of it beyond the call; the delivery happens later.
    pub(crate) fn tell(&self, name: &'static str, to: Notice, more: Vec<(String, String)>) {
        let mut form = fields(&self.carrier, &self.call, name);
        form.extend(more);
        let nonce = nonce();
        self.courier
            .take(Event {
                name,
                to,
                form,
                nonce,
            })
            .expect("a call has a few notices, and a courier carries more");
    }

    /// Waits until everything has been delivered.
    pub(crate) async fn finish(self) {
        self.courier.finish().await;
    }
}

impl Round for CallNotices {
    type Event = Event;

    fn name(event: &Event) -> &str {
        event.name
    }

    async fn deliver(&self, event: &Event, kind: Kind) {
        let forgery;
        let (to, form, nonce) = match kind {
            Kind::Genuine | Kind::Duplicate => (&event.to, event.form.clone(), &event.nonce),
            Kind::Forged => {
                let to = self.call.state().own.hangup;
                forgery = (to.unwrap_or_else(|| event.to.clone()), nonce());
                (&forgery.0, forge(&event.form), &forgery.1)
            }
        };
        let webhook = Webhook {
            event: event.name,
            to,
            form,
            kind,
            nonce,
        };
        match send(&self.carrier, &self.call, webhook).await {
            Ok(_) => {}
            Err(_) if kind == Kind::Forged => {}
            Err(why) => {
                let text = format!("{}: {why}", event.name);
                self.carrier.office.ledger.warn(0, &self.call.id, text);
            }
        }
    }
}

/// The same event, claiming that the call is over.
fn forge(form: &[(String, String)]) -> Vec<(String, String)> {
    form.iter()
        .map(|(name, value)| match name.as_str() {
            "CallStatus" => (name.clone(), "completed".to_owned()),
            "Event" => (name.clone(), "Hangup".to_owned()),
            _ => (name.clone(), value.clone()),
        })
        .collect()
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
        let signed = |vector: &Value| {
            let said = |name: &str| vector[name].as_str().unwrap_or_default().to_owned();
            let (token, url, nonce) = (said("auth_token"), said("url"), said("nonce"));
            let form: Vec<(String, String)> = vector["params"]
                .as_object()
                .into_iter()
                .flatten()
                .map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()))
                .collect();
            let method = Method::named(vector["method"].as_str()).unwrap();
            let signature = match vector["version"].as_str() {
                Some("V2") => sign_v2(&token, &url, &nonce),
                _ => {
                    let text = format!("{}.{nonce}", signed_text(method, &url, &form));
                    assert!(vector["signed_text"].is_null() || vector["signed_text"] == text);
                    sign(&token, (method, &url), &form, &nonce)
                }
            };
            said("signature").split(',').any(|one| one == signature)
        };
        let positive = vectors["plivo"].as_array().unwrap();
        for vector in positive {
            assert!(signed(vector), "{}", vector["name"]);
        }
        assert_eq!(positive.len(), 5);
    }

    #[test]
    fn a_query_and_a_form_are_signed_apart() {
        let form = owned(&[
            ("CallUUID", "97ceeb52-58b6-11e1-86da-77300b68f8bb"),
            ("CallStatus", "in-progress"),
            ("Direction", "outbound"),
            ("From", "14157654321"),
            ("To", "14153464321"),
            ("Event", "StartApp"),
        ]);
        let url = "https://foo.com/answer/?b=2&a=1#rc=3";
        assert_eq!(
            sign(
                "my_auth_token",
                (Method::Post, url),
                &form,
                "05429567804466091622"
            ),
            "QGKgFt//Rlwz8wmxTpXlNcwNCf7Gjc6FpKJ/ekjo7Hw="
        );
        let repeated = signed_text(Method::Get, "https://e.com/?b=2&a=2&a=1", &[]);
        assert_eq!(repeated, "https://e.com/?a=1&a=2&b=2");
    }

    #[test]
    fn a_fragment_overrides_and_is_not_sent() {
        let page = |status| {
            Ok(Page {
                status,
                content_type: String::new(),
                body: String::new(),
            })
        };
        let (plain, overrides) = Overrides::split("https://e.com/v?a=1#rc=2&rp=5xx,ct&rt=500");
        assert_eq!(plain, "https://e.com/v?a=1");
        assert_eq!(
            (overrides.retries, overrides.read),
            (2, Duration::from_millis(500))
        );
        assert!(overrides.retry(&page(503)));
        assert!(!overrides.retry(&page(404)));
        assert!(!overrides.retry(&Err(Failure::Read("slow".into()))));
        let (_, defaults) = Overrides::split("https://e.com/v");
        assert_eq!(defaults.read, Duration::from_secs(40));
        assert!(!defaults.retry(&page(500)));
        assert!(defaults.retry(&Err(Failure::Connect("refused".into()))));
        assert!(defaults.retry(&Err(Failure::Read("slow".into()))));
        let (_, all) = Overrides::split("https://e.com/v#rp=all");
        assert!(all.retry(&page(204)) && !all.retry(&page(200)));
    }
}
