use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use call::Number;
use call::event::Why;
use ports::carrier::{Door, Leg, News, Transfer, Webhook};
use ports::code;
use serde_json::{Value, json};

use super::requests::{Recorder, check};
use super::{CALL, carrier, carrier_at, oracle, signed};

#[tokio::test]
async fn a_call_is_put_through_by_one_command() {
    let exchange = Recorder::start(vec![(200, json!({"data": {"result": "ok"}}))]).await;
    let transfers = carrier_at(exchange.address).transfers.expect("it can");
    let (to, from) = numbers();
    for (ring, limit, said) in [
        (24_001, 3_600, (25, 3_600)),
        (0, 0, (5, 30)),
        (9_999_000, 99_999, (600, 14_400)),
    ] {
        let transfer = Transfer {
            ring: Duration::from_millis(ring),
            limit: Duration::from_secs(limit),
            ..transfer(&to, &from)
        };
        let done = transfers.transfer(&leg(), &transfer).await;
        done.expect("it is told so");
        let request = exchange.requests().pop().expect("it was sent");
        let api = oracle("telnyx/telnyx-voice.openapi.json");
        assert_eq!(check(&api, &request), Ok(()));
        assert!(request.path.ends_with("/actions/transfer"));
        let body = &request.body;
        assert_eq!(
            (&body["timeout_secs"], &body["time_limit_secs"]),
            (&json!(said.0), &json!(said.1))
        );
        assert_eq!(
            (&body["to"], &body["from"]),
            (&json!("+15551230002"), &json!("+15551230001"))
        );
        // Else the webhooks of the call that was there would not be known any more.
        assert_eq!(body["client_state"], Value::Null);
        // Both hang up together: nobody is left alone on a line that costs money.
        assert_eq!(body["park_after_unbridge"], Value::Null);
    }
    let requests = exchange.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(
        requests[0].body["command_id"],
        requests[1].body["command_id"]
    );
}

#[tokio::test]
async fn what_telnyx_refuses_rings_nobodys_phone_twice() {
    let (to, from) = numbers();
    let exchange = Recorder::start(vec![(503, json!({}))]).await;
    let transfers = carrier_at(exchange.address).transfers.expect("it can");
    let done = transfers.transfer(&leg(), &transfer(&to, &from)).await;
    done.expect_err("Telnyx is in trouble");
    assert_eq!(exchange.requests().len(), 1);
    let nobody = Leg("a/b".to_owned());
    let done = transfers.transfer(&nobody, &transfer(&to, &from)).await;
    assert_eq!(
        done.expect_err("it is no call's name").code,
        code::CARRIER_NO_SUCH_CALL
    );
    assert_eq!(exchange.requests().len(), 1);
}

#[tokio::test]
async fn the_new_call_speaks_of_the_one_it_was_made_for() {
    let exchange = Recorder::start(vec![(200, json!({"data": {"result": "ok"}}))]).await;
    let transfers = carrier_at(exchange.address).transfers.expect("it can");
    let (to, from) = numbers();
    let done = transfers.transfer(&leg(), &transfer(&to, &from)).await;
    done.expect("it is told so");
    let told = exchange.requests()[0].body["target_leg_client_state"].clone();
    for (event, cause, news) in [
        ("call.initiated", "", News::Nothing),
        ("call.answered", "", News::Nothing),
        ("call.bridged", "", News::Joined),
        ("call.hangup", "user_busy", News::PutBack(Why::Busy)),
        ("call.hangup", "call_rejected", News::PutBack(Why::Rejected)),
        ("call.hangup", "timeout", News::PutBack(Why::NoAnswer)),
        ("call.hangup", "no_answer", News::PutBack(Why::NoAnswer)),
        ("call.hangup", "not_found", News::PutBack(Why::Fault)),
        ("call.hangup", "something_new", News::PutBack(Why::Fault)),
        // They talked, or the caller hung up first: the caller's own call says the rest.
        ("call.hangup", "normal_clearing", News::Nothing),
        ("call.hangup", "time_limit", News::Nothing),
        ("call.hangup", "originator_cancel", News::Nothing),
    ] {
        let payload = json!({
            "call_control_id": "v3:other", "client_state": told, "direction": "outgoing",
            "hangup_cause": cause,
        });
        let webhook = decode(event, payload);
        assert_eq!(
            (webhook.news, webhook.leg),
            (news, leg()),
            "{event} {cause}"
        );
    }
    // They talked, and this one hung up.
    let payload = json!({
        "call_control_id": "v3:other", "client_state": told, "direction": "outgoing",
        "hangup_cause": "normal_clearing", "hangup_source": "callee",
    });
    assert_eq!(decode("call.hangup", payload).news, News::Parted);
    // The call itself is told of too.
    for state in ["dialled", "answered"] {
        let payload = json!({"call_control_id": CALL, "client_state": STANDARD.encode(state)});
        assert_eq!(decode("call.bridged", payload).news, News::Joined);
    }
    // What is no name of a call is none.
    let payload = json!({
        "call_control_id": CALL, "client_state": STANDARD.encode("put through/a/../b"),
    });
    assert_eq!(decode("call.bridged", payload).leg, leg());
}

fn decode(event: &str, payload: Value) -> Webhook {
    let body = json!({"data": {"event_type": event, "id": "0ccc7b54", "payload": payload}});
    let request = signed(&body.to_string());
    let webhooks = carrier().webhooks;
    let genuine = webhooks.verify(&request).expect("it is signed");
    webhooks
        .decode(Door::Voice, genuine)
        .expect("it makes sense")
}

fn transfer<'a>(to: &'a Number, from: &'a Number) -> Transfer<'a> {
    Transfer {
        to,
        from,
        ring: Duration::from_secs(25),
        limit: Duration::from_secs(3_600),
        back: "https://e.com/telnyx/again?call=1&after=2",
        report: "https://e.com/telnyx/status?call=1",
    }
}

fn numbers() -> (Number, Number) {
    let number = |it| Number::parse(it).expect("it is a number");
    (number("+15551230002"), number("+15551230001"))
}

fn leg() -> Leg {
    Leg(CALL.to_owned())
}
