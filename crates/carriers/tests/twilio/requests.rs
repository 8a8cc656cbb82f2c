//! Every request we can make, against Twilio's own description of its API.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use call::Number;
use call::event::{End, Party, Why};
use ports::carrier::{Detect, Dial, Leg, Status, Stream};
use ports::{Blame, Retry, Secret, Value, code};
use serde_json::json;

use super::openapi::{Api, example};
use super::recorder::Recorder;
use super::{ACCOUNT, CALL, KEY, TOKEN, carrier_at, entry, oracle, settings, signed_post};

#[tokio::test]
async fn every_request_is_one_that_twilio_describes() {
    let exchange = Recorder::start(vec![
        (201, example("Calls.json", "post", "201")),
        (200, example("Calls/{Sid}.json", "get", "200")),
        (200, example("Calls/{Sid}.json", "post", "200")),
        (200, example("Calls/{Sid}.json", "post", "200")),
        (200, example("Calls/{Sid}.json", "post", "200")),
        (200, example("IncomingPhoneNumbers.json", "get", "200")),
    ])
    .await;
    let carrier = carrier_at(exchange.address);
    let calls = &carrier.calls;
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    let dialed = calls.dial(dial(&from, &to)).await.expect("it is dialled");
    assert_eq!(dialed, Leg("CAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_owned()));
    calls.status(&leg()).await.expect("it has a status");
    calls.hang_up(&leg()).await.expect("it is hung up");
    let stream = Stream {
        url: "wss://e.com/m".to_owned(),
        token: Secret::new("t"),
        back: "https://e.com/again?call=1&after=2".to_owned(),
    };
    calls
        .reconnect(&leg(), &stream)
        .await
        .expect("it gets another socket");
    let limits = carrier.limits.expect("they can be changed");
    limits
        .limit(&leg(), Duration::from_secs(600))
        .await
        .expect("it gets more time");
    calls.check().await.expect("the credentials are good");

    let requests = exchange.requests();
    let api = Api::read();
    for request in &requests {
        assert_eq!(api.check(request), Ok(()), "{request:?}");
    }
    println!(
        "requests validated against the OpenAPI description: {}",
        requests.len()
    );
    assert_eq!(requests.len(), 6, "each needs one");
}

#[tokio::test]
async fn requests_are_those_of_twilios_own_library() {
    let exchange = Recorder::start(vec![
        (201, example("Calls.json", "post", "201")),
        (200, example("Calls/{Sid}.json", "get", "200")),
        (200, example("Calls/{Sid}.json", "post", "200")),
    ])
    .await;
    let calls = carrier_at(exchange.address).calls;
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    calls.dial(dial(&from, &to)).await.expect("it is dialled");
    calls.status(&leg()).await.expect("it has a status");
    calls.hang_up(&leg()).await.expect("it is hung up");

    let requests = exchange.requests();
    let mut compared = 0;
    for (ours, action) in requests.iter().zip([
        "create call with url, all status events, async AMD",
        "fetch",
        "hang up",
    ]) {
        let golden = golden(action);
        assert_eq!(ours.method, golden["method"]);
        assert_eq!(
            format!("https://api.twilio.com{}", ours.path),
            golden["url"]
        );
        assert_eq!(ours.header("accept"), golden["accept"].as_str());
        assert_eq!(ours.header("content-type"), golden["content_type"].as_str());
        assert_eq!(ours.header("authorization"), Some(&*basic()));
        let theirs: Vec<(String, String)> =
            serde_json::from_value(golden["form"].clone()).expect("a list of pairs");
        if action.starts_with("create") {
            // Theirs also records and listens for machines, which we do not ask for.
            let known = |it: &&(String, String)| ours.form.iter().any(|(name, _)| *name == it.0);
            let mut shared: Vec<_> = theirs.iter().filter(known).cloned().collect();
            shared.push(("StatusCallbackMethod".to_owned(), "POST".to_owned()));
            // Ours have a fragment, by which Twilio tries again.
            for (_, url) in shared.iter_mut().filter(|it| it.1.starts_with("https")) {
                url.push_str("#rc=5&rp=5xx,ct,rt");
            }
            assert_eq!(sorted(&ours.form), sorted(&shared));
        } else {
            assert_eq!(ours.form, theirs, "{action}");
        }
        compared += 1;
    }
    println!("requests compared with those of Twilio's own library: {compared}");
    assert_eq!(compared, 3);
}

#[tokio::test]
async fn an_api_key_signs_in_and_the_path_is_still_the_accounts() {
    let exchange = Recorder::start(vec![
        (201, example("Calls.json", "post", "201")),
        (200, example("Calls/{Sid}.json", "post", "200")),
    ])
    .await;
    let settings = settings()
        .with(
            "api_url",
            Value::Text(format!("http://{}", exchange.address)),
        )
        .with("api_key", Value::Text(KEY.to_owned()))
        .with("api_secret", Value::Secret(Secret::new("s3cret")));
    let carrier = (entry().build)(&settings).unwrap_or_else(|them| panic!("{them:?}"));
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    let dialled = carrier.calls.dial(dial(&from, &to)).await;
    dialled.expect("it is dialled");
    carrier.calls.hang_up(&leg()).await.expect("it is hung up");
    let api = Api::read();
    for request in exchange.requests() {
        assert_eq!(api.check(&request), Ok(()));
        let expected = format!("Basic {}", STANDARD.encode(format!("{KEY}:s3cret")));
        assert_eq!(request.header("authorization"), Some(&*expected));
        let path = format!("/2010-04-01/Accounts/{ACCOUNT}/");
        assert!(request.path.starts_with(&path), "{}", request.path);
    }
    // The key signs no webhook: the account's token does.
    let webhook = signed_post("https://e.com/twilio/status", &[("CallSid", CALL)]);
    assert!(carrier.webhooks.verify(&webhook).is_ok());
}

#[tokio::test]
async fn durations_are_whole_seconds_within_twilios_limits() {
    let exchange = Recorder::start(vec![(201, json!({"sid": CALL}))]).await;
    let calls = carrier_at(exchange.address).calls;
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    for (ring, limit, expected) in [
        (
            Duration::from_millis(25_001),
            Duration::from_secs(3600),
            ("26", "3600"),
        ),
        (Duration::ZERO, Duration::ZERO, ("1", "1")),
        (
            Duration::from_secs(9999),
            Duration::from_millis(1),
            ("600", "1"),
        ),
    ] {
        let dial = Dial {
            name: "0192",
            ring,
            limit,
            ..dial(&from, &to)
        };
        calls.dial(dial).await.expect("it is dialled");
        let request = exchange.requests().pop().expect("it was dialled");
        let value = |name| request.form.iter().find(|it| it.0 == name).map(|it| &*it.1);
        assert_eq!(
            (value("Timeout"), value("TimeLimit")),
            (Some(expected.0), Some(expected.1))
        );
    }
}

#[tokio::test]
async fn a_call_is_doing_what_twilio_says() {
    let cases = [
        ("queued", "outbound-api", Status::Pending),
        ("ringing", "outbound-api", Status::Pending),
        ("in-progress", "inbound", Status::Up),
        ("completed", "inbound", ended(Party::Caller, Why::HungUp)),
        ("busy", "outbound-api", ended(Party::Caller, Why::Busy)),
        ("failed", "outbound-api", ended(Party::Carrier, Why::Fault)),
        (
            "no-answer",
            "outbound-api",
            ended(Party::Caller, Why::NoAnswer),
        ),
        (
            "canceled",
            "outbound-api",
            ended(Party::Gateway, Why::Canceled),
        ),
        ("canceled", "inbound", ended(Party::Caller, Why::Canceled)),
    ];
    for (status, direction, expected) in cases {
        let answer = json!({"sid": CALL, "status": status, "direction": direction});
        let exchange = Recorder::start(vec![(200, answer)]).await;
        let found = carrier_at(exchange.address).calls.status(&leg()).await;
        assert_eq!(
            found.expect("it has a status"),
            expected,
            "{status} {direction}"
        );
    }
}

#[tokio::test]
async fn a_call_that_is_over_is_hung_up() {
    for (status, number) in [(404, 20404), (400, 21220), (404, 0)] {
        let exchange = Recorder::start(vec![(status, json!({"code": number}))]).await;
        let done = carrier_at(exchange.address).calls.hang_up(&leg()).await;
        assert!(done.is_ok(), "{done:?}");
        assert_eq!(exchange.requests().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn hanging_up_is_tried_again_but_not_for_ever() {
    let busy = (429, json!({"code": 20429}));
    let trouble = (503, json!({}));
    let done = (200, json!({}));
    let exchange = Recorder::start(vec![busy, trouble.clone(), done]).await;
    carrier_at(exchange.address)
        .calls
        .hang_up(&leg())
        .await
        .expect("the third time");
    assert_eq!(exchange.requests().len(), 3);

    let exchange = Recorder::start(vec![trouble]).await;
    let fault = carrier_at(exchange.address)
        .calls
        .hang_up(&leg())
        .await
        .expect_err("never");
    assert_eq!(
        (fault.code, fault.retry),
        (code::CARRIER_UNREACHABLE, Retry::Now)
    );
    assert_eq!(exchange.requests().len(), 3);

    let exchange = Recorder::start(vec![(401, json!({"code": 20003}))]).await;
    let fault = carrier_at(exchange.address)
        .calls
        .hang_up(&leg())
        .await
        .expect_err("never");
    assert_eq!(fault.code, code::CARRIER_CREDENTIALS);
    assert_eq!(exchange.requests().len(), 1, "it would fail the same way");
}

#[tokio::test]
async fn names_that_are_no_calls_never_get_into_a_path() {
    let exchange = Recorder::start(vec![(200, json!({}))]).await;
    let calls = carrier_at(exchange.address).calls;
    for name in [
        "",
        "CA1",
        "../Calls",
        "CA1111111111111111111111111111111/",
        "AC11111111111111111111111111111111",
    ] {
        let fault = calls.hang_up(&Leg(name.to_owned())).await.expect_err(name);
        assert_eq!(fault.code, code::CARRIER_NO_SUCH_CALL);
        assert!(calls.status(&Leg(name.to_owned())).await.is_err());
    }
    assert!(exchange.requests().is_empty());
}

#[tokio::test]
async fn doctor_hears_about_the_account() {
    let number = json!({"incoming_phone_numbers": [{"phone_number": "+15550001111"}]});
    let none = json!({"incoming_phone_numbers": []});
    for (answer, expected) in [
        (
            number,
            "Twilio took the credentials; the account has +155…11, perhaps more",
        ),
        (
            none,
            "Twilio took the credentials; the account has no phone number yet",
        ),
    ] {
        let exchange = Recorder::start(vec![(200, answer)]).await;
        let line = carrier_at(exchange.address)
            .calls
            .check()
            .await
            .expect("all is well");
        assert_eq!(line, expected);
    }
    let exchange = Recorder::start(vec![(401, json!({"code": 20003}))]).await;
    let fault = carrier_at(exchange.address)
        .calls
        .check()
        .await
        .expect_err("refused");
    assert_eq!(
        (fault.code, fault.blame),
        (code::CARRIER_CREDENTIALS, Blame::Config)
    );
}

fn golden(action: &str) -> serde_json::Value {
    let golden = oracle("vectors/golden-requests.json");
    let all = golden["twilio"].as_array().expect("a list");
    all.iter()
        .find(|it| it["action"] == action)
        .expect("it is on the list")
        .clone()
}

fn basic() -> String {
    use base64::Engine as _;
    let pair = format!("{ACCOUNT}:{TOKEN}");
    format!(
        "Basic {}",
        base64::engine::general_purpose::STANDARD.encode(pair)
    )
}

fn sorted(form: &[(String, String)]) -> Vec<(String, String)> {
    let mut form = form.to_vec();
    // A stable sort: what repeats a name keeps its order.
    form.sort_by(|a, b| a.0.cmp(&b.0));
    form
}

pub(super) fn dial<'a>(from: &'a Number, to: &'a Number) -> Dial<'a> {
    Dial {
        name: "0192",
        from,
        to,
        voice_url: "https://e.com/v",
        status_url: "https://e.com/s",
        ring: Duration::from_secs(25),
        limit: Duration::from_secs(600),
        detect: Detect::Nothing,
    }
}

pub(super) fn number(text: &str) -> Number {
    Number::parse(text).expect("the test's numbers are numbers")
}

fn leg() -> Leg {
    Leg(CALL.to_owned())
}

fn ended(by: Party, why: Why) -> Status {
    Status::Ended(End { by, why })
}
