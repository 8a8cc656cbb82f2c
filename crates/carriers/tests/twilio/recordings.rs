use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use call::Direction;
use call::event::{End, Party, Why};
use ports::carrier::{Door, Leg, News, Recording, Tape, Webhook};
use ports::{Fault, Retry, code};
use serde_json::json;
use tokio::sync::mpsc;

use super::openapi::Api;
use super::recorder::Recorder;
use super::{ACCOUNT, CALL, TOKEN, carrier, carrier_at, oracle, signed_post};

#[tokio::test]
async fn a_call_is_recorded_by_the_request_that_twilios_library_makes() {
    let exchange = Recorder::start(vec![(201, json!({"sid": TAPE}))]).await;
    let recordings = carrier_at(exchange.address).recordings.expect("it can");
    let done = recordings.record(&Leg(CALL.to_owned()), &recording()).await;
    done.expect("it is recorded");
    let requests = exchange.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(Api::read().check(&requests[0]), Ok(()));
    let golden = oracle("vectors/golden-requests.json");
    let mut all = golden["twilio"].as_array().expect("a list").iter();
    let theirs = all.find(|it| it["action"] == "record");
    let theirs = theirs.expect("the library sends it");
    assert_eq!(
        format!("https://api.twilio.com{}", requests[0].path),
        theirs["url"].as_str().expect("an address")
    );
    let said = |name: &str| {
        let found = requests[0].form.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    };
    assert_eq!(said("RecordingChannels"), Some("dual"));
    // The other request's default would cut silences out.
    assert_eq!(said("Trim"), Some("do-not-trim"));
    let report = "https://e.com/twilio/status?call=1#rc=5&rp=5xx,ct,rt";
    assert_eq!(said("RecordingStatusCallback"), Some(report));
}

#[tokio::test]
async fn a_recording_is_fetched_by_its_name_from_where_the_api_is() {
    let exchange = Recorder::start(vec![(200, json!("sound"))]).await;
    let recordings = carrier_at(exchange.address).recordings.expect("it can");
    let (tx, mut pieces) = mpsc::channel(4);
    let done = recordings.fetch(&tape(TAPE), tx).await;
    done.expect("it is there");
    assert_eq!(pieces.recv().await, Some(b"\"sound\"".to_vec()));
    let request = exchange.requests().pop().expect("it was asked for");
    assert_eq!(
        request.path,
        format!("/2010-04-01/Accounts/{ACCOUNT}/Recordings/{TAPE}.wav")
    );
    let both = ("RequestedChannels".to_owned(), "2".to_owned());
    assert_eq!(request.query, [both]);
    let signed_in = format!("Basic {}", STANDARD.encode(format!("{ACCOUNT}:{TOKEN}")));
    assert_eq!(request.header("authorization"), Some(&*signed_in));
}

#[tokio::test]
async fn a_recording_that_is_not_there_yet_is_asked_for_again() {
    let gone = json!({"code": 20404, "message": "not found", "status": 404});
    let exchange = Recorder::start(vec![(404, gone)]).await;
    let recordings = carrier_at(exchange.address).recordings.expect("it can");
    let (tx, _pieces) = mpsc::channel(4);
    let fault = recordings.fetch(&tape(TAPE), tx).await;
    assert_eq!(fault.expect_err("it is not there").retry, Retry::Now);
    let (tx, _pieces) = mpsc::channel(4);
    let fault = recordings.fetch(&tape("../Keys"), tx).await;
    let fault = fault.expect_err("it is no recording's name");
    assert_eq!(fault.retry, Retry::Never);
    assert!(!format!("{fault:?}").contains("Keys"));
    assert_eq!(exchange.requests().len(), 1);
}

#[test]
fn what_becomes_of_a_recording() {
    for (status, news) in [
        ("completed", News::Recorded(tape(TAPE))),
        ("in-progress", News::Nothing),
        ("absent", News::Nothing),
    ] {
        // It says nothing of how the call is doing.
        let said = [("RecordingSid", TAPE), ("RecordingStatus", status)];
        let webhook = decode(&said).expect("it makes sense");
        assert_eq!(webhook.news, news, "{status}");
        assert_eq!(webhook.leg, Leg(CALL.to_owned()));
    }
    let said = [
        ("RecordingSid", "RE/../x"),
        ("RecordingStatus", "completed"),
    ];
    let fault = decode(&said).expect_err("it is no recording's name");
    assert_eq!(fault.code, code::WEBHOOK_MALFORMED);
}

#[test]
fn the_end_of_a_call_is_one_whatever_it_says_of_a_recording() {
    let said = [
        ("CallStatus", "completed"),
        ("RecordingSid", TAPE),
        ("RecordingUrl", "https://api.twilio.com/x"),
        ("RecordingDuration", "7"),
    ];
    let (by, why) = (Party::Caller, Why::HungUp);
    let webhook = decode(&said).expect("it makes sense");
    assert_eq!(webhook.news, News::Ended(End { by, why }));
}

fn decode(fields: &[(&str, &str)]) -> Result<Webhook, Fault> {
    let mut all = vec![("AccountSid", ACCOUNT), ("CallSid", CALL)];
    all.extend(fields);
    let request = signed_post("https://e.com/twilio/status?call=1", &all);
    let webhooks = carrier().webhooks;
    webhooks.decode(
        Door::Status,
        webhooks.verify(&request).expect("it is signed"),
    )
}

fn recording() -> Recording<'static> {
    Recording {
        direction: Direction::Inbound,
        limit: Duration::from_secs(600),
        report: "https://e.com/twilio/status?call=1",
    }
}

fn tape(name: &str) -> Tape {
    Tape(name.to_owned().into())
}

const TAPE: &str = "RE44444444444444444444444444444444";
