use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use call::Number;
use call::event::{End, Party, Why};
use ports::carrier::{Detect, Dial, Leg, Status, Stream};
use ports::{Retry, Secret, code};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{CALL, ID, REQUEST, TOKEN, carrier_at, oracle};

#[tokio::test]
async fn requests_are_those_of_plivos_own_library() {
    let exchange = Recorder::start(vec![
        (201, fired()),
        (204, json!(null)),
        (202, json!({})),
        (200, json!({"call_status": "in-progress"})),
    ])
    .await;
    let calls = carrier_at(exchange.address).calls;
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    let dialled = calls.dial(dial(&from, &to)).await.expect("it is dialled");
    assert_eq!(dialled, Leg("request/request-uuid".to_owned()));
    calls.hang_up(&dialled).await.expect("it is canceled");
    calls
        .reconnect(&leg(), &stream())
        .await
        .expect("it asks again");
    assert_eq!(calls.status(&leg()).await.expect("it has one"), Status::Up);
    let golden = oracle("vectors/golden-requests.json");
    let mut compared = 0;
    for (ours, action) in
        exchange
            .requests()
            .iter()
            .zip(["create call", "cancel before answer", "transfer", "live"])
    {
        let all = golden["plivo"].as_array().expect("a list").iter();
        let theirs = all
            .clone()
            .find(|it| it["action"] == action)
            .expect("it is sent");
        assert_eq!(ours.method, theirs["method"], "{action}");
        let theirs_url = theirs["url"].as_str().expect("an address");
        let theirs_url = theirs_url.replace(&format!("MA{}", "X".repeat(18)), ID);
        let ours_url = format!("https://api.plivo.com{}", ours.path);
        assert_eq!(ours_url, theirs_url, "{action}");
        let basic = format!("{ID}:{TOKEN}");
        assert_eq!(
            ours.authorization,
            format!("Basic {}", STANDARD.encode(basic))
        );
        if let Some(body) = ours.body.as_object() {
            assert_eq!(ours.content_type, theirs["content_type"]);
            for (name, value) in body {
                let theirs = &theirs["json"][name];
                let same = match value.as_str() {
                    Some(url) if name.ends_with("_url") => url.starts_with("https://e.com/"),
                    _ => value == theirs,
                };
                assert!(
                    same && theirs.is_null() == value.is_null(),
                    "{action} {name}: {value} {theirs}"
                );
            }
        }
        compared += 1;
    }
    let (dialled, transferred) = (&exchange.requests()[0].body, &exchange.requests()[2].body);
    let addresses = ["answer_url", "ring_url", "hangup_url"].map(|it| dialled[it].clone());
    let (voice, status) = (dial(&from, &to).voice_url, dial(&from, &to).status_url);
    // A fragment that is not asked for, and has Plivo try again.
    let retried = |url: &str| Value::from(format!("{url}#rc=5&rp=5xx,ct,rt"));
    assert_eq!(addresses, [voice, status, status].map(retried));
    assert_eq!(dialled.as_object().map(serde_json::Map::len), Some(10));
    assert_eq!(transferred["aleg_url"], stream().back);
    println!("requests compared with those of Plivo's own library: {compared}");
    assert_eq!(compared, 4);
}

#[tokio::test]
async fn several_request_ids_are_one_call_to_us() {
    let several = json!({"message": "call queued", "request_uuid": [REQUEST, "2"], "api_id": "1"});
    let exchange = Recorder::start(vec![(201, several)]).await;
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    let dialled = carrier_at(exchange.address)
        .calls
        .dial(dial(&from, &to))
        .await;
    assert_eq!(
        dialled.expect("it is dialled"),
        Leg(format!("request/{REQUEST}"))
    );
}

#[tokio::test]
async fn a_call_is_doing_what_plivo_says() {
    let missing = (404, json!({"error": "not found"}));
    for (said, expected) in [("in-progress", Status::Up), ("ringing", Status::Pending)] {
        let exchange = Recorder::start(vec![(200, json!({"call_status": said}))]).await;
        let found = carrier_at(exchange.address).calls.status(&leg()).await;
        assert_eq!(found.expect("it has one"), expected);
    }
    for (record, by, why) in [
        (
            json!({"hangup_cause_code": 4000}),
            Party::Caller,
            Why::HungUp,
        ),
        (json!({"hangup_cause_code": 3010}), Party::Caller, Why::Busy),
        (
            json!({"hangup_cause_code": 6010}),
            Party::Caller,
            Why::NoAnswer,
        ),
        (
            json!({"hangup_cause_code": 6000}),
            Party::Carrier,
            Why::TimeLimit,
        ),
        (json!({"hangup_cause_code": 0}), Party::Caller, Why::HungUp),
        (
            json!({"hangup_cause_code": 1000, "call_direction": "outbound"}),
            Party::Gateway,
            Why::Canceled,
        ),
        (
            json!({"hangup_cause_code": "4000", "hangup_source": "API Request"}),
            Party::Gateway,
            Why::HungUp,
        ),
        (
            json!({"hangup_cause_code": null, "hangup_source": null, "call_direction": null}),
            Party::Caller,
            Why::HungUp,
        ),
        (json!({}), Party::Caller, Why::HungUp),
    ] {
        let exchange = Recorder::start(vec![missing.clone(), (200, record.clone())]).await;
        let found = carrier_at(exchange.address).calls.status(&leg()).await;
        let over = Status::Ended(End { by, why });
        assert_eq!(found.expect("it is over"), over, "{record}");
    }
    let exchange = Recorder::start(vec![missing]).await;
    let found = carrier_at(exchange.address).calls.status(&leg()).await;
    assert_eq!(
        found.expect_err("nobody knows it").code,
        code::CARRIER_NO_SUCH_CALL
    );
    let provisional = Leg(format!("request/{REQUEST}"));
    let found = carrier_at(exchange.address)
        .calls
        .status(&provisional)
        .await;
    assert_eq!(found.expect("it waits"), Status::Pending);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_over_is_hung_up_and_trouble_is_tried_again() {
    for answers in [
        vec![(404, json!({}))],
        vec![(503, json!({})), (204, json!(null))],
    ] {
        let tries = answers.len();
        let exchange = Recorder::start(answers).await;
        let done = carrier_at(exchange.address).calls.hang_up(&leg()).await;
        assert!(done.is_ok(), "{done:?}");
        assert_eq!(exchange.requests().len(), tries);
    }
    let exchange = Recorder::start(vec![(503, json!({}))]).await;
    carrier_at(exchange.address)
        .calls
        .hang_up(&leg())
        .await
        .expect_err("never");
    assert_eq!(exchange.requests().len(), 3);
}

#[tokio::test]
async fn a_refused_dial_says_why_and_is_sent_once() {
    for (answer, expected, retry) in [
        (
            (401, json!({"error": "no"})),
            code::CARRIER_CREDENTIALS,
            Retry::Never,
        ),
        (
            (403, json!({"error": "geo"})),
            code::CARRIER_NOT_PERMITTED,
            Retry::Never,
        ),
        (
            (
                400,
                json!({"api_id": "1", "error": "to +15551230000 is bad"}),
            ),
            code::CARRIER_REFUSED,
            Retry::Never,
        ),
        (
            (400, json!({"error": {"to": ["bad"]}})),
            code::CARRIER_REFUSED,
            Retry::Never,
        ),
        ((429, json!({})), code::CARRIER_BUSY, Retry::IfNotSent),
        ((500, json!({})), code::CARRIER_UNKNOWN, Retry::Never),
        ((503, json!({})), code::CARRIER_UNKNOWN, Retry::Never),
        ((201, json!({})), code::CARRIER_UNKNOWN, Retry::Never),
        (
            (201, json!({"request_uuid": []})),
            code::CARRIER_UNKNOWN,
            Retry::Never,
        ),
        (
            (201, json!({"request_uuid": "../x"})),
            code::CARRIER_UNKNOWN,
            Retry::Never,
        ),
    ] {
        let exchange = Recorder::start(vec![answer]).await;
        let (from, to) = (number("+15551230001"), number("+15551230000"));
        let dialled = carrier_at(exchange.address)
            .calls
            .dial(dial(&from, &to))
            .await;
        let fault = dialled.expect_err("it is refused");
        assert_eq!((fault.code, fault.retry), (expected, retry), "{fault}");
        assert!(
            fault.hint.is_some() && !fault.message.contains("1555123"),
            "{fault}"
        );
        assert_eq!(exchange.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_leg_that_is_none_is_never_asked_about() {
    let exchange = Recorder::start(vec![(200, json!({}))]).await;
    let calls = carrier_at(exchange.address).calls;
    for name in ["", "..", "a/b", "request/", "request/../x", "a?b", "a%2fb"] {
        let fault = calls
            .hang_up(&Leg(name.to_owned()))
            .await
            .expect_err("it is none");
        assert_eq!(fault.code, code::CARRIER_NO_SUCH_CALL);
    }
    assert_eq!(exchange.requests().len(), 0);
}

#[tokio::test]
async fn a_call_that_was_never_up_is_not_transferred() {
    let exchange = Recorder::start(vec![(202, json!({}))]).await;
    let calls = carrier_at(exchange.address).calls;
    let provisional = Leg(format!("request/{REQUEST}"));
    let refused = calls.reconnect(&provisional, &stream()).await;
    let fault = refused.expect_err("it has no name of its own yet");
    assert_eq!(
        (fault.code, fault.retry),
        (code::CARRIER_NO_SUCH_CALL, Retry::Never)
    );
    assert_eq!(exchange.requests().len(), 0);
}

#[tokio::test]
async fn a_transfer_is_sent_once() {
    for (status, expected) in [
        (404, code::CARRIER_NO_SUCH_CALL),
        (429, code::CARRIER_BUSY),
        (500, code::CARRIER_UNREACHABLE),
    ] {
        let exchange = Recorder::start(vec![(status, json!({}))]).await;
        let calls = carrier_at(exchange.address).calls;
        let fault = calls.reconnect(&leg(), &stream()).await;
        assert_eq!(fault.expect_err("it is refused").code, expected);
        assert_eq!(exchange.requests().len(), 1);
    }
}

#[tokio::test]
async fn durations_are_whole_seconds_within_plivos_limits() {
    let exchange = Recorder::start(vec![(201, fired())]).await;
    let calls = carrier_at(exchange.address).calls;
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    let longest = Duration::from_secs(1_000_000);
    for (length, ring, limit) in [
        (Duration::ZERO, 1, 1),
        (Duration::from_millis(1_001), 2, 2),
        (longest, 600, 86_400),
    ] {
        let mut dial = dial(&from, &to);
        (dial.ring, dial.limit) = (length, length);
        calls.dial(dial).await.expect("it is dialled");
        let sent = exchange.requests().pop().expect("it was sent").body;
        assert_eq!(
            (&sent["ring_timeout"], &sent["time_limit"]),
            (&json!(ring), &json!(limit))
        );
    }
}

#[tokio::test]
async fn doctor_hears_about_the_account() {
    for (objects, expected) in [
        (json!([]), "no phone number yet"),
        (json!([{"number": "15551230001"}]), "perhaps more"),
        (json!([{"number": "sip:x"}]), "has a number"),
    ] {
        let answer = json!({"api_id": "1", "meta": {"limit": 1}, "objects": objects});
        let exchange = Recorder::start(vec![(200, answer)]).await;
        let line = carrier_at(exchange.address).calls.check().await;
        let line = line.expect("the credentials are good");
        assert!(
            line.contains(expected) && !line.contains("5551230001"),
            "{line}"
        );
        let asked = exchange.requests().pop().expect("it was asked");
        assert_eq!((&*asked.method, asked.path), ("GET", numbers()));
    }
    let exchange = Recorder::start(vec![(401, json!({"error": "no"}))]).await;
    let fault = carrier_at(exchange.address).calls.check().await;
    assert_eq!(
        fault.expect_err("they are not").code,
        code::CARRIER_CREDENTIALS
    );
}

fn numbers() -> String {
    format!("/v1/Account/{ID}/Number/?limit=1")
}

/// Writes down what it is asked, and gives prepared answers: the last one again and again.
pub(super) struct Recorder {
    pub(super) address: SocketAddr,
    requests: Arc<Mutex<Vec<Recorded>>>,
}

#[derive(Clone, Debug)]
pub(super) struct Recorded {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) content_type: Value,
    pub(super) authorization: String,
    pub(super) body: Value,
}

pub(super) type Answers = Vec<(u16, Value)>;
type Records = (Arc<Mutex<Vec<Recorded>>>, Arc<Answers>);

impl Recorder {
    pub(super) async fn start(answers: Answers) -> Self {
        let requests = Arc::new(Mutex::new(Vec::new()));
        let state = (requests.clone(), Arc::new(answers));
        let app = Router::new().fallback(record).with_state(state);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .await
            .expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        tokio::spawn(async { axum::serve(listener, app).await });
        Self { address, requests }
    }

    pub(super) fn requests(&self) -> Vec<Recorded> {
        self.requests
            .lock()
            .expect("no test panics holding it")
            .clone()
    }
}

async fn record(State((requests, answers)): State<Records>, request: Request) -> impl IntoResponse {
    let (parts, body) = request.into_parts();
    let body = axum::body::to_bytes(body, 64 * 1024)
        .await
        .expect("requests are short");
    let header = |name: &str| {
        parts
            .headers
            .get(name)
            .map(|it| it.to_str().expect("ASCII").to_owned())
    };
    let path = parts.uri.path_and_query().map_or("", |it| it.as_str());
    let recorded = Recorded {
        method: parts.method.to_string(),
        path: path.to_owned(),
        content_type: header("content-type").into(),
        authorization: header("authorization").unwrap_or_default(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
    };
    let mut requests = requests.lock().expect("no test panics holding it");
    let (status, answer) = &answers[requests.len().min(answers.len() - 1)];
    requests.push(recorded);
    (
        StatusCode::from_u16(*status).expect("a status"),
        axum::Json(answer.clone()),
    )
}

pub(super) fn fired() -> Value {
    json!({"message": "call fired", "request_uuid": "request-uuid", "api_id": "97ceeb52"})
}

pub(super) fn dial<'a>(from: &'a Number, to: &'a Number) -> Dial<'a> {
    Dial {
        name: "0192",
        from,
        to,
        voice_url: "https://e.com/plivo/voice?call=1",
        status_url: "https://e.com/plivo/status?call=1",
        ring: Duration::from_secs(25),
        limit: Duration::from_secs(600),
        detect: Detect::Nothing,
    }
}

fn stream() -> Stream {
    Stream {
        url: "wss://e.com/m".to_owned(),
        token: Secret::new("t"),
        back: "https://e.com/again?call=1&after=2".to_owned(),
    }
}

fn leg() -> Leg {
    Leg(CALL.to_owned())
}

pub(super) fn number(text: &str) -> Number {
    Number::parse(text).expect("it is a number")
}
