use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use call::Direction;
use call::event::{End, Party, Why};
use ports::carrier::{Door, Leg, News, Recording, Tape, Webhook};
use ports::{Fault, Retry, code};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::requests::{Recorder, check};
use super::{CALL, carrier, carrier_at, oracle, signed};

#[tokio::test]
async fn a_call_is_recorded_by_a_command_that_telnyx_describes() {
    let exchange = Recorder::start(vec![(200, json!({"data": {"result": "ok"}}))]).await;
    let recordings = carrier_at(exchange.address).recordings.expect("it can");
    for (direction, limit, state, said) in [
        (Direction::Inbound, 0, "answered", 1),
        (Direction::Outbound, 600, "dialled", 600),
        (Direction::Outbound, 99_999, "dialled", 14_400),
    ] {
        let recording = Recording {
            direction,
            limit: Duration::from_secs(limit),
            report: "https://e.com/telnyx/status?call=1",
        };
        let done = recordings.record(&leg(), &recording).await;
        done.expect("it is recorded");
        let request = exchange.requests().pop().expect("it was sent");
        let api = oracle("telnyx/telnyx-voice.openapi.json");
        assert_eq!(check(&api, &request), Ok(()));
        assert!(request.path.ends_with("/actions/record_start"));
        let body = &request.body;
        assert_eq!(
            (&body["format"], &body["channels"], &body["max_length"]),
            (&json!("wav"), &json!("dual"), &json!(said))
        );
        // Every later webhook repeats it, so it has to say what the one before said too.
        assert_eq!(body["client_state"], json!(state_of(state)));
    }
    let ids = exchange.requests();
    assert_eq!(ids[0].body["command_id"], ids[1].body["command_id"]);
}

#[tokio::test]
async fn a_recording_is_fetched_from_the_address_that_its_name_leads_to() {
    let exchange = Recorder::start(vec![(200, json!({"data": {"download_urls": {}}}))]).await;
    let recordings = carrier_at(exchange.address).recordings.expect("it can");
    let (tx, _pieces) = mpsc::channel(4);
    let fault = recordings.fetch(&tape(NAME), tx).await;
    assert_eq!(fault.expect_err("it is not there").retry, Retry::Now);

    let storage = Recorder::start(vec![(200, json!("sound"))]).await;
    let address = format!("http://{}/x.wav?X-Amz-Signature=1", storage.address);
    // Whoever has the same origin as the API, so that it may be asked at all, has our key already.
    let recordings = carrier_at(storage.address).recordings.expect("it can");
    let (tx, mut pieces) = mpsc::channel(4);
    let done = recordings.fetch(&tape(&address), tx).await;
    done.expect("it is there");
    assert_eq!(pieces.recv().await, Some(b"\"sound\"".to_vec()));
    let request = storage.requests().pop().expect("it was asked for");
    assert_eq!(request.authorization, "", "the address is enough");
}

#[tokio::test]
async fn nothing_is_fetched_from_a_machine_that_is_not_public() {
    let exchange = Recorder::start(vec![(200, json!("secret"))]).await;
    let inside = Recorder::start(vec![(200, json!("secret"))]).await;
    let recordings = carrier_at(exchange.address).recordings.expect("it can");
    let port = inside.address.port();
    for address in [
        format!("http://127.0.0.1:{port}/"),
        format!("https://127.0.0.1:{port}/"),
        format!("https://localhost:{port}/"),
        "https://[::1]/".to_owned(),
        "https://169.254.169.254/latest/meta-data".to_owned(),
        "http://storage.example/x.wav".to_owned(),
        "file:///etc/passwd".to_owned(),
        "gopher://x".to_owned(),
    ] {
        let (tx, _pieces) = mpsc::channel(4);
        let fault = recordings.fetch(&tape(&address), tx).await;
        let fault = fault.expect_err("it is not fetched from");
        assert_eq!(fault.code, code::EGRESS_REFUSED, "{address}");
        assert!(!format!("{fault:?}").contains("169"), "{fault:?}");
    }
    let (tx, _pieces) = mpsc::channel(4);
    let fault = recordings.fetch(&tape("../calls"), tx).await;
    assert_eq!(fault.expect_err("no name").retry, Retry::Never);
    assert_eq!(exchange.requests().len() + inside.requests().len(), 0);
}

#[test]
fn what_becomes_of_a_recording() {
    let urls = json!({"wav": "https://s3.example/1.wav?X-Amz-Signature=1"});
    let ours = state_of("dialled");
    for (payload, name) in [
        (
            json!({"call_control_id": CALL, "recording_urls": urls}),
            "https://s3.example/1.wav?X-Amz-Signature=1",
        ),
        (
            json!({"call_control_id": CALL, "recording_urls": urls, "recording_id": NAME}),
            NAME,
        ),
        // As the documentation has it: it names no call.
        (
            json!({"call_leg_id": "1", "client_state": ours, "recording_id": NAME}),
            NAME,
        ),
    ] {
        let webhook = decode("call.recording.saved", payload).expect("it makes sense");
        assert_eq!(webhook.leg, leg());
        assert_eq!(webhook.news, News::Recorded(tape(name)));
        assert!(!format!("{webhook:?}").contains("Signature"));
    }
    for payload in [
        json!({"call_control_id": CALL}),
        json!({"call_control_id": CALL, "recording_urls": {"mp3": "https://s3.example/1.mp3"}}),
        json!({"call_leg_id": "1", "client_state": STANDARD.encode("other/x"), "recording_id": NAME}),
    ] {
        let fault = decode("call.recording.saved", payload).expect_err("it makes no sense");
        assert_eq!(fault.code, code::WEBHOOK_MALFORMED);
    }
}

#[test]
fn a_call_that_is_recorded_is_still_known_for_one_that_we_dialled() {
    let payload = json!({
        "call_control_id": CALL, "client_state": state_of("dialled"),
        "hangup_cause": "originator_cancel",
    });
    let webhook = decode("call.hangup", payload).expect("it makes sense");
    let (by, why) = (Party::Gateway, Why::Canceled);
    assert_eq!(webhook.news, News::Ended(End { by, why }));
    let payload = json!({"call_control_id": CALL, "client_state": state_of("answered")});
    let webhook = decode("call.answered", payload).expect("it makes sense");
    assert_eq!(webhook.news, News::Nothing, "we answered it ourselves");
}

fn decode(event: &str, payload: Value) -> Result<Webhook, Fault> {
    let body = json!({
        "data": {
            "record_type": "event", "event_type": event, "id": "0ccc7b54",
            "occurred_at": "2018-02-02T22:25:27.521992Z", "payload": payload,
        },
    });
    let request = signed(&body.to_string());
    let webhooks = carrier().webhooks;
    webhooks.decode(
        Door::Voice,
        webhooks.verify(&request).expect("it is signed"),
    )
}

fn state_of(word: &str) -> String {
    STANDARD.encode(format!("{word}/{CALL}"))
}

fn leg() -> Leg {
    Leg(CALL.to_owned())
}

fn tape(name: &str) -> Tape {
    Tape(name.to_owned().into())
}

const NAME: &str = "4577f9a2-cf0e-44f3-ac57-9f95fb03fa47";
