use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::IntoResponse;
use call::Number;
use call::event::{End, Party, Why};
use ports::carrier::{Detect, Dial, Leg, Offers, Orders, Status, Stream};
use ports::{Retry, Secret, code};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::{CALL, carrier_at, carrier_with, oracle};

#[tokio::test]
async fn every_request_is_one_that_telnyx_describes() {
    let exchange = Recorder::start(vec![
        (
            200,
            json!({"data": {"call_control_id": CALL, "is_alive": false, "record_type": "call"}}),
        ),
        (200, json!({"data": {"is_alive": true}})),
        (200, json!({"data": {"result": "ok"}})),
        (200, json!({"data": {"result": "ok"}})),
        (200, json!({"data": {"result": "ok"}})),
        (200, json!({"data": {"result": "ok"}})),
        (
            200,
            json!({"data": {"application_name": "x", "webhook_event_url": "https://a"}}),
        ),
    ])
    .await;
    let carrier = carrier_at(exchange.address);
    let calls = &carrier.calls;
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    let dialled = calls.dial(dial(&from, &to)).await;
    assert_eq!(dialled.expect("it is dialled"), leg());
    let status = calls.status(&leg()).await;
    assert_eq!(status.expect("it has one"), Status::Up);
    calls.hang_up(&leg()).await.expect("it is hung up");
    calls
        .reconnect(&leg(), &stream())
        .await
        .expect("it gets a socket");
    offers(&carrier.orders)
        .answer(&leg(), &stream())
        .await
        .expect("it is answered");
    offers(&carrier.orders)
        .reject(&leg())
        .await
        .expect("it is rejected");
    let line = calls.check().await.expect("the key is good");
    assert!(line.contains("https://a"), "{line}");

    let requests = exchange.requests();
    let api = oracle("telnyx/telnyx-voice.openapi.json");
    for request in &requests {
        assert_eq!(check(&api, request), Ok(()), "{request:?}");
        assert_eq!(request.authorization, "Bearer KEY");
    }
    println!(
        "requests validated against the OpenAPI description: {}",
        requests.len()
    );
    assert_eq!(requests.len(), 7);
    let mut spoiled = requests[0].clone();
    spoiled.body["timeout_secs"] = json!("ten");
    assert!(check(&api, &spoiled).is_err(), "the check itself refuses");
    assert!(carrier.limits.is_none(), "Telnyx changes no limit later");
}

#[tokio::test]
async fn requests_are_those_of_telnyxs_own_library() {
    let exchange = Recorder::start(vec![(200, json!({"data": {"call_control_id": CALL}}))]).await;
    let carrier = carrier_at(exchange.address);
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    carrier
        .calls
        .dial(dial(&from, &to))
        .await
        .expect("it is dialled");
    offers(&carrier.orders)
        .answer(&leg(), &stream())
        .await
        .expect("it is answered");
    carrier
        .calls
        .reconnect(&leg(), &stream())
        .await
        .expect("it gets a socket");
    let golden = oracle("vectors/golden-requests.json");
    let named = |action: &str| {
        let all = golden["telnyx"].as_array().expect("a list").iter();
        let mut found = all.filter(|it| it["action"] == action);
        found.next().expect("the library sends it").clone()
    };
    let requests = exchange.requests();
    let theirs = ["dial with rtp stream", "answer", "start streaming"].map(named);
    for (ours, theirs) in requests.iter().zip(&theirs) {
        assert_eq!(ours.method, theirs["method"]);
        let path = ours.path.replace(CALL, "v3:abc-DEF_1");
        assert_eq!(format!("https://api.telnyx.com{path}"), theirs["url"]);
        assert_eq!(ours.content_type, theirs["content_type"]);
        assert_eq!(ours.authorization, theirs["authorization"]);
        for (name, value) in theirs["json"].as_object().expect("an object") {
            let ours = &ours.body[name];
            assert!(
                ours.is_null() || same_type(ours, value),
                "{name}: {ours} {value}"
            );
        }
    }
    let dialled = &requests[0].body;
    for name in [
        "connection_id",
        "from",
        "to",
        "time_limit_secs",
        "timeout_secs",
    ] {
        assert_eq!(dialled[name], theirs[0]["json"][name], "{name}");
    }
    println!(
        "requests compared with those of Telnyx's own library: {}",
        theirs.len()
    );
}

/// The three defaults that break a first integration, and the two that cost money.
#[tokio::test]
async fn nothing_is_left_to_a_default_that_would_break_a_call() {
    let exchange = Recorder::start(vec![(200, json!({"data": {"call_control_id": CALL}}))]).await;
    let carrier = carrier_at(exchange.address);
    carrier
        .calls
        .reconnect(&leg(), &stream())
        .await
        .expect("it gets a socket");
    offers(&carrier.orders)
        .answer(&leg(), &stream())
        .await
        .expect("it is answered");
    for request in exchange.requests() {
        let body = request.body;
        assert_eq!(body["stream_bidirectional_mode"], "rtp");
        assert_eq!(body["stream_bidirectional_codec"], "PCMU");
        assert_eq!(body["stream_bidirectional_target_legs"], "self");
        assert_eq!(body["stream_codec"], "PCMU");
        assert_eq!(body["stream_url"], "wss://e.com/m");
    }
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    let long = Dial {
        name: "0192",
        ring: Duration::from_millis(500),
        limit: Duration::from_secs(90_000),
        ..dial(&from, &to)
    };
    carrier.calls.dial(long).await.expect("it is dialled");
    let body = exchange.requests().pop().expect("it was dialled").body;
    assert_eq!(
        (&body["timeout_secs"], &body["time_limit_secs"]),
        (&json!(5), &json!(14_400))
    );
    assert_eq!(body["retry_on_timeout"], json!(false));
}

#[tokio::test]
async fn the_same_command_has_the_same_id_and_another_has_another() {
    let exchange = Recorder::start(vec![(200, json!({"data": {"call_control_id": CALL}}))]).await;
    let carrier = carrier_at(exchange.address);
    let other = Stream {
        token: Secret::new("another"),
        ..stream()
    };
    for stream in [stream(), stream(), other] {
        carrier
            .calls
            .reconnect(&leg(), &stream)
            .await
            .expect("it gets a socket");
    }
    offers(&carrier.orders)
        .answer(&leg(), &stream())
        .await
        .expect("it is answered");
    let ids: Vec<_> = exchange
        .requests()
        .iter()
        .map(|it| it.body["command_id"].to_string())
        .collect();
    assert_eq!(ids[0], ids[1]);
    assert!(ids[1] != ids[2] && ids[0] != ids[3], "{ids:?}");
    assert!(ids.iter().all(|it| !it.contains("another")));
}

#[tokio::test]
async fn a_call_is_doing_what_telnyx_says() {
    let over = End {
        by: Party::Caller,
        why: Why::HungUp,
    };
    for (call, expected) in [
        (json!({"is_alive": true}), Status::Up),
        (json!({"is_alive": false}), Status::Pending),
        (
            json!({"is_alive": false, "end_time": "2026-01-01T00:00:00Z"}),
            Status::Ended(over),
        ),
    ] {
        let exchange = Recorder::start(vec![(200, json!({"data": call}))]).await;
        let found = carrier_at(exchange.address).calls.status(&leg()).await;
        assert_eq!(found.expect("it has one"), expected);
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_over_is_hung_up_and_trouble_is_tried_again() {
    let over = (422, json!({"errors": [{"code": "90018"}]}));
    let missing = (404, json!({"errors": [{"code": "10005"}]}));
    for answers in [
        vec![over],
        vec![missing],
        vec![(503, json!({})), (200, json!({}))],
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
            (401, json!({"errors": [{"code": "10009"}]})),
            code::CARRIER_CREDENTIALS,
            Retry::Never,
        ),
        (
            (422, json!({"errors": [{"code": "10016"}]})),
            code::CARRIER_NO_SUCH_NUMBER,
            Retry::Never,
        ),
        (
            (403, json!({"errors": [{"code": "10039"}]})),
            code::CARRIER_NOT_PERMITTED,
            Retry::Never,
        ),
        (
            (429, json!({"errors": [{"code": "10011"}]})),
            code::CARRIER_BUSY,
            Retry::IfNotSent,
        ),
        (
            (422, json!({"errors": [{"code": "7", "title": "Odd"}]})),
            code::CARRIER_REFUSED,
            Retry::Never,
        ),
        (
            (400, json!("a proxy's page")),
            code::CARRIER_REFUSED,
            Retry::Never,
        ),
        ((500, json!({})), code::CARRIER_UNKNOWN, Retry::Never),
        ((503, json!({})), code::CARRIER_UNKNOWN, Retry::Never),
        (
            (200, json!({"data": {}})),
            code::CARRIER_UNKNOWN,
            Retry::Never,
        ),
        (
            (200, json!({"data": {"call_control_id": "../x"}})),
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
        assert!(fault.hint.is_some());
        assert_eq!(exchange.requests().len(), 1);
    }
}

#[tokio::test]
async fn a_leg_that_is_none_is_never_asked_about() {
    let exchange = Recorder::start(vec![(200, json!({}))]).await;
    let calls = carrier_at(exchange.address).calls;
    for name in ["", "..", "a/b", "a?b", "a#b", "a%2fb", "a b"] {
        let fault = calls
            .hang_up(&Leg(name.to_owned()))
            .await
            .expect_err("it is none");
        assert_eq!(fault.code, code::CARRIER_NO_SUCH_CALL);
    }
    assert_eq!(exchange.requests().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn wide_sound_is_asked_for_both_ways_as_soon_as_a_call_is_answered() {
    for (sound, codec) in [("l16", "L16"), ("g722", "G722"), ("opus", "OPUS")] {
        let unanswered = (422, json!({"errors": [{"code": "90034"}]}));
        let done = (200, json!({"data": {"result": "ok"}}));
        let answers = vec![done.clone(), unanswered.clone(), unanswered, done];
        let exchange = Recorder::start(answers).await;
        let carrier = carrier_with(exchange.address, "sound", sound);
        offers(&carrier.orders)
            .answer(&leg(), &stream())
            .await
            .expect("it is answered");
        let requests = exchange.requests();
        let api = oracle("telnyx/telnyx-voice.openapi.json");
        for request in &requests {
            assert_eq!(check(&api, request), Ok(()), "{request:?}");
        }
        // An answer has no word for the rate, so it says nothing of a stream.
        assert!(requests[0].body.get("stream_url").is_none());
        let [.., last] = &requests[..] else {
            panic!("there are some");
        };
        assert_eq!(last.body["stream_codec"], codec);
        assert_eq!(last.body["stream_bidirectional_codec"], codec);
        assert_eq!(last.body["stream_bidirectional_sampling_rate"], 16_000);
        let ids: BTreeSet<String> = requests
            .iter()
            .map(|it| it.body["command_id"].to_string())
            .collect();
        assert_eq!(ids.len(), 4, "one that was refused may count as had");
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_streams_already_is_not_asked_again() {
    let streaming = (422, json!({"errors": [{"code": "90045"}]}));
    let done = (200, json!({"data": {"result": "ok"}}));
    let exchange = Recorder::start(vec![done, streaming]).await;
    let carrier = carrier_with(exchange.address, "sound", "l16");
    let answered = offers(&carrier.orders).answer(&leg(), &stream()).await;
    assert!(answered.is_ok(), "{answered:?}");
    assert_eq!(exchange.requests().len(), 2);
    let unanswered = (422, json!({"errors": [{"code": "90034"}]}));
    let exchange = Recorder::start(vec![(200, json!({})), unanswered]).await;
    let carrier = carrier_with(exchange.address, "sound", "l16");
    let answered = offers(&carrier.orders).answer(&leg(), &stream()).await;
    assert!(answered.is_err(), "it is not tried for ever");
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
    let recorded = Recorded {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
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

/// Says what Telnyx would not understand in a request, by its own description.
pub(super) fn check(api: &Value, request: &Recorded) -> Result<(), String> {
    let path = request
        .path
        .strip_prefix("/v2")
        .ok_or("it is not version 2")?;
    let template = path.replace(CALL, "{call_control_id}");
    let template = template.replace(
        "/call_control_applications/1",
        "/call_control_applications/{id}",
    );
    let operation = &api["paths"][&template][request.method.to_lowercase()];
    if operation.is_null() {
        return Err(format!("no {} {template}", request.method));
    }
    let mut schema = operation["requestBody"]["content"]["application/json"]["schema"].clone();
    if schema.is_null() {
        return request
            .body
            .is_null()
            .then_some(())
            .ok_or_else(|| "it has a body".to_owned());
    }
    schema["components"] = api["components"].clone();
    let validator = jsonschema::validator_for(&schema).expect("the schemas are schemas");
    validator
        .validate(&request.body)
        .map_err(|it| it.to_string())?;
    let named = properties(api, &schema);
    let body = request.body.as_object().ok_or("it is no object")?;
    let unknown = body.keys().find(|name| !named.contains(name));
    unknown.map_or(Ok(()), |it| Err(format!("{it} is not described")))
}

/// The names that a schema describes, wherever it says them.
fn properties(api: &Value, schema: &Value) -> Vec<String> {
    let mut named: Vec<String> = schema["properties"]
        .as_object()
        .into_iter()
        .flat_map(|it| it.keys().cloned())
        .collect();
    if let Some(place) = schema["$ref"].as_str() {
        named.extend(properties(
            api,
            api.pointer(&place[1..]).unwrap_or(&Value::Null),
        ));
    }
    for one in schema["allOf"].as_array().into_iter().flatten() {
        named.extend(properties(api, one));
    }
    named
}

fn same_type(one: &Value, other: &Value) -> bool {
    std::mem::discriminant(one) == std::mem::discriminant(other)
}

fn offers(orders: &Orders) -> &dyn Offers {
    match orders {
        Orders::Requested(offers) => &**offers,
        Orders::Replied => panic!("Telnyx reads no replies"),
    }
}

pub(super) fn dial<'a>(from: &'a Number, to: &'a Number) -> Dial<'a> {
    Dial {
        name: "0192",
        from,
        to,
        voice_url: "https://e.com/telnyx/voice?call=1",
        status_url: "https://e.com/telnyx/status?call=1",
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
