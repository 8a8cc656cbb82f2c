use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use call::Attestation;
use call::event::{End, Party, Why};
use ports::carrier::{Door, Leg, News, Reply, Webhook};
use ports::{Fault, code};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{CALL, carrier, signed};

#[test]
fn a_call_is_offered() {
    let payload = json!({
        "direction": "incoming", "state": "parked", "client_state": null,
        "from": "+15551234567", "to": "+15550001111", "field_of_the_future": {"a": [1]},
    });
    let webhook = decode("call.initiated", payload).expect("a call is offered");
    assert_eq!(webhook.leg, Leg(CALL.to_owned()));
    assert_eq!(webhook.dialled, webhook.leg);
    assert_eq!(webhook.notice, "0ccc7b54");
    assert_eq!(
        webhook.news,
        News::Offered {
            from: "+15551234567".into(),
            to: "+15550001111".into(),
            attestation: Attestation::Nothing,
        }
    );
    assert!(!format!("{webhook:?}").contains("5551234"));
}

#[test]
fn only_a_validated_level_a_vouches_for_a_number() {
    for (level, validated, attestation) in [
        (json!("A"), json!(true), Attestation::Full),
        (json!("B"), json!(true), Attestation::Partial),
        (json!("C"), json!(true), Attestation::Partial),
        (json!("A"), json!(false), Attestation::Failed),
        (json!("A"), json!(null), Attestation::Failed),
        (json!("A"), json!("true"), Attestation::Failed),
        (json!("A"), json!(1), Attestation::Failed),
        (json!("D"), json!(true), Attestation::Nothing),
        (json!(null), json!(true), Attestation::Nothing),
        (json!(""), json!(true), Attestation::Nothing),
    ] {
        let payload = json!({
            "direction": "incoming", "from": "+15551234567", "to": "+1",
            "shaken_stir_attestation": level, "shaken_stir_validated": validated,
        });
        let news = decode("call.initiated", payload)
            .expect("a call is offered")
            .news;
        let (from, to) = ("+15551234567".into(), "+1".into());
        assert_eq!(
            news,
            News::Offered {
                from,
                to,
                attestation
            },
            "{level} {validated}"
        );
    }
}

#[test]
fn what_happens_to_a_call() {
    let (ours, theirs) = (STANDARD.encode("dialled"), STANDARD.encode("answered"));
    let out = json!({"client_state": ours});
    for (event, payload, news) in [
        (
            "call.initiated",
            json!({"direction": "outgoing"}),
            News::Ringing,
        ),
        ("call.answered", out, News::Answered),
        // Ours was the command that answered it, and started its stream.
        (
            "call.answered",
            json!({"client_state": theirs}),
            News::Nothing,
        ),
        (
            "streaming.started",
            json!({"stream_id": "1"}),
            News::Nothing,
        ),
        (
            "streaming.failed",
            json!({"failure_reason": "connection_failed"}),
            News::Unconnected("connection_failed".to_owned()),
        ),
        ("call.dtmf.received", json!({"digit": "1"}), News::Nothing),
        ("call.of.the.future", json!({}), News::Nothing),
    ] {
        let webhook = decode(event, payload.clone()).expect("it makes sense");
        assert_eq!(webhook.news, news, "{event} {payload}");
    }
}

#[test]
fn how_a_call_ends() {
    let ours = STANDARD.encode("dialled");
    for (cause, by, why) in [
        ("normal_clearing", Party::Caller, Why::HungUp),
        ("user_busy", Party::Caller, Why::Busy),
        ("call_rejected", Party::Caller, Why::Rejected),
        ("timeout", Party::Caller, Why::NoAnswer),
        ("no_answer", Party::Caller, Why::NoAnswer),
        ("originator_cancel", Party::Gateway, Why::Canceled),
        ("not_found", Party::Carrier, Why::Fault),
        ("something_new", Party::Carrier, Why::Fault),
    ] {
        let payload = json!({"client_state": ours, "hangup_cause": cause});
        let webhook = decode("call.hangup", payload).expect("it makes sense");
        assert_eq!(webhook.news, ended(by, why), "{cause}");
    }
    // Our side, and not by us: whom it was put through to.
    for (state, source, by, why) in [
        (ours.as_str(), "caller", Party::Carrier, Why::Completed),
        (ours.as_str(), "callee", Party::Caller, Why::HungUp),
        ("", "callee", Party::Carrier, Why::Completed),
        ("", "caller", Party::Caller, Why::HungUp),
    ] {
        let payload = json!({
            "client_state": state, "hangup_cause": "normal_clearing", "hangup_source": source,
        });
        let webhook = decode("call.hangup", payload).expect("it makes sense");
        assert_eq!(webhook.news, ended(by, why), "{source}");
    }
    let theirs = json!({"hangup_cause": "originator_cancel"});
    let webhook = decode("call.hangup", theirs).expect("it makes sense");
    assert_eq!(webhook.news, ended(Party::Caller, Why::Canceled));
}

#[test]
fn either_door_takes_anything() {
    for door in [Door::Voice, Door::Status, Door::Again] {
        let body = body("call.hangup", json!({"hangup_cause": "user_busy"}));
        let request = signed(&body);
        let genuine = carrier().webhooks.verify(&request).expect("it is signed");
        let webhook = carrier()
            .webhooks
            .decode(door, genuine)
            .expect("it is read");
        assert_eq!(webhook.news, ended(Party::Caller, Why::Busy));
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let without_call = body("call.hangup", json!({})).replace("call_control_id", "call_id");
    let without_party = body(
        "call.initiated",
        json!({"direction": "incoming", "to": "+1"}),
    );
    for body in [
        "",
        "[]",
        "{",
        r#"{"data":{}}"#,
        &without_call,
        &without_party,
    ] {
        let fault = read(body).expect_err("it makes no sense");
        assert_eq!(fault.code, code::WEBHOOK_MALFORMED, "{body}");
        assert!(!format!("{fault}").contains(CALL));
    }
}

#[test]
fn a_reply_says_nothing_but_thank_you() {
    for reply in [Reply::HangUp, Reply::Reject, Reply::Taken] {
        let response = carrier().webhooks.reply(reply);
        assert_eq!(
            (response.content_type, &*response.body),
            ("application/json", "{}")
        );
    }
}

proptest! {
    #[test]
    fn no_signed_text_is_too_strange(text in ".*") {
        let _ = read(&text);
    }
}

fn decode(event: &str, payload: Value) -> Result<Webhook, Fault> {
    read(&body(event, payload))
}

fn read(body: &str) -> Result<Webhook, Fault> {
    let request = signed(body);
    let genuine = carrier().webhooks.verify(&request).expect("it is signed");
    carrier().webhooks.decode(Door::Voice, genuine)
}

fn body(event: &str, payload: Value) -> String {
    let payload = with(
        json!({"call_control_id": CALL, "call_leg_id": "1"}),
        payload,
    );
    json!({
        "data": {
            "record_type": "event", "event_type": event, "id": "0ccc7b54",
            "occurred_at": "2018-02-02T22:25:27.521992Z", "payload": payload,
        },
        "meta": {"attempt": 1, "delivered_to": "https://a.example/telnyx/voice"},
    })
    .to_string()
}

fn with(mut one: Value, other: Value) -> Value {
    if let (Value::Object(one), Value::Object(other)) = (&mut one, other) {
        one.extend(other);
    }
    one
}

fn ended(by: Party, why: Why) -> News {
    News::Ended(End { by, why })
}
