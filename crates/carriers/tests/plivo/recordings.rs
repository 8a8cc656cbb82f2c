use std::time::Duration;

use call::Direction;
use call::event::{End, Party, Why};
use ports::carrier::{Door, Leg, News, Recording, Tape, Webhook};
use ports::{Fault, Retry, code};
use serde_json::json;
use tokio::sync::mpsc;

use super::requests::Recorder;
use super::{CALL, ID, REQUEST, carrier, carrier_at, signed_post};

#[tokio::test]
async fn a_call_is_recorded_for_as_long_as_it_may_last() {
    let started = json!({"message": "call recording started", "recording_id": TAPE});
    let exchange = Recorder::start(vec![(202, started)]).await;
    let recordings = carrier_at(exchange.address).recordings.expect("it can");
    let recording = Recording {
        direction: Direction::Outbound,
        limit: Duration::from_millis(600_500),
        report: "https://e.com/plivo/status?call=1",
    };
    let done = recordings.record(&Leg(CALL.to_owned()), &recording).await;
    done.expect("it is recorded");
    let requests = exchange.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].method, "POST");
    assert_eq!(
        requests[0].path,
        format!("/v1/Account/{ID}/Call/{CALL}/Record/")
    );
    // Left out, it would end after a minute, in one channel, as MP3.
    let body = json!({
        "time_limit": 601,
        "file_format": "wav",
        "record_channel_type": "stereo",
        "callback_url": "https://e.com/plivo/status?call=1#rc=5&rp=5xx,ct,rt",
        "callback_method": "POST",
    });
    assert_eq!(requests[0].body, body);
    let never_up = Leg(format!("request/{REQUEST}"));
    let fault = recordings.record(&never_up, &recording).await;
    assert_eq!(
        fault.expect_err("it is not up").code,
        code::CARRIER_NO_SUCH_CALL
    );
    assert_eq!(exchange.requests().len(), 1);
}

#[tokio::test]
async fn a_recording_is_fetched_from_where_the_api_says_and_from_nowhere_inside() {
    let storage = Recorder::start(vec![(200, json!("sound"))]).await;
    let inside = format!("http://{}/x.wav", storage.address);
    let exchange = Recorder::start(vec![(200, json!({"recording_url": inside}))]).await;
    let recordings = carrier_at(exchange.address).recordings.expect("it can");
    let (tx, _pieces) = mpsc::channel(4);
    let fault = recordings.fetch(&tape(TAPE), tx).await;
    assert_eq!(fault.expect_err("it is inside").code, code::EGRESS_REFUSED);
    assert_eq!(storage.requests().len(), 0);
    let asked = exchange.requests().pop().expect("the API was asked");
    assert_eq!(asked.path, format!("/v1/Account/{ID}/Recording/{TAPE}/"));
    assert!(asked.authorization.starts_with("Basic "));
    let gone = Recorder::start(vec![(404, json!({"error": "not found"}))]).await;
    let recordings = carrier_at(gone.address).recordings.expect("it can");
    let (tx, _pieces) = mpsc::channel(4);
    let fault = recordings.fetch(&tape(TAPE), tx).await;
    assert_eq!(fault.expect_err("it is not there yet").retry, Retry::Now);
    let (tx, _pieces) = mpsc::channel(4);
    let fault = recordings.fetch(&tape("../Call"), tx).await;
    assert_eq!(fault.expect_err("it is no name").retry, Retry::Never);
    assert_eq!(gone.requests().len(), 1);
}

/// Plivo's pages write the fields in two ways.
#[test]
fn what_becomes_of_a_recording() {
    for said in [
        [
            ("call_uuid", CALL),
            ("recording_id", TAPE),
            ("record_url", "https://media.plivo.com/x.wav"),
        ],
        [
            ("CallUUID", CALL),
            ("RecordingID", TAPE),
            ("RecordUrl", "https://media.plivo.com/x.wav"),
        ],
    ] {
        let webhook = decode(&said).expect("it makes sense");
        assert_eq!(webhook.news, News::Recorded(tape(TAPE)));
        assert_eq!(webhook.leg, Leg(CALL.to_owned()));
        assert!(webhook.notice.contains(TAPE), "each is news");
    }
    let fault = decode(&[("call_uuid", CALL), ("recording_id", "../x")]);
    assert_eq!(fault.expect_err("no name").code, code::WEBHOOK_MALFORMED);
    let fault = decode(&[("recording_id", TAPE)]);
    assert_eq!(fault.expect_err("no call").code, code::WEBHOOK_MALFORMED);
}

#[test]
fn the_end_of_a_call_is_one_whatever_it_says_of_a_recording() {
    let said = [
        ("CallUUID", CALL),
        ("Event", "Hangup"),
        ("CallStatus", "completed"),
        ("Direction", "inbound"),
        ("RecordingID", TAPE),
    ];
    let (by, why) = (Party::Caller, Why::HungUp);
    let webhook = decode(&said).expect("it makes sense");
    assert_eq!(webhook.news, News::Ended(End { by, why }));
}

fn decode(fields: &[(&str, &str)]) -> Result<Webhook, Fault> {
    let request = signed_post("https://e.com/plivo/status?call=1", fields);
    let webhooks = carrier().webhooks;
    webhooks.decode(
        Door::Status,
        webhooks.verify(&request).expect("it is signed"),
    )
}

fn tape(name: &str) -> Tape {
    Tape(name.to_owned().into())
}

const TAPE: &str = "c2186400-1c8c-11e4-a664-0026b945b52x";
