//! Calls that are put through to another phone by `<Dial>`.

use super::gateway::Hook;
use super::*;
use crate::gateway::tone;
use exchange::mischief::Callbacks;
use exchange::phone::{Pickup, Step};
use exchange::{Direction, EndedBy, Kind, Status};

/// Whom calls are put through to.
const OTHER: &str = "+15557770002";

/// A gateway that connects its calls to a stream, and closes that when the caller presses a key; and an exchange with a
/// phone that calls can be put through to.
async fn parties(other: PhonePlan, mischief: Mischief) -> (Gateway, Exchange) {
    let gateway = Gateway::start(|mut socket| async move {
        while let Some(message) = socket.hear().await {
            if message["event"] == "dtmf" {
                return socket.close().await;
            }
        }
    })
    .await;
    let waits = r#"<Wait length="15"/>"#;
    gateway.answer("/answer/", &stream(&gateway, "", waits));
    gateway.answer("/done", "<Hangup/>");
    gateway.answer("/report", "");
    let exchange = Exchange::builder()
        .carrier("plivo")
        .account(ACCOUNT, TOKEN)
        .number(OURS, &gateway.url("/answer/"))
        .status_url(&gateway.url("/hangup"))
        .phone(OTHER, other)
        .mischief(mischief)
        .start()
        .await
        .expect("a free port of 127.0.0.1 can be listened on");
    (gateway, exchange)
}

/// Somebody calls in, and is sent to ask for a `<Dial>` once the stream runs.
async fn put_through(
    gateway: &Gateway,
    exchange: &Exchange,
    script: Vec<Step>,
    more: &str,
) -> String {
    let (done, report) = (gateway.url("/done?after=1"), gateway.url("/report"));
    let dial = format!(
        r#"<Dial callerId="15550001111" action="{done}#rc=5" callbackUrl="{report}" {more}><Number>15557770002</Number></Dial>"#
    );
    gateway.answer("/dial", &dial);
    let mut steps = vec![Step::Wait(ms(300)), Step::Press('1')];
    steps.extend(script);
    let call = exchange.call_in(PHONE, OURS, steps).unwrap();
    gateway.wait_for_heard("media").await;
    let there = json!({"legs": "aleg", "aleg_url": gateway.url("/dial"), "aleg_method": "POST"});
    let (status, answer) = ask(exchange, "POST", &format!("Call/{call}/"), there).await;
    assert_eq!(status, 202, "{answer}");
    call
}

async fn honest_parties(pickup: Pickup, script: Vec<Step>) -> (Gateway, Exchange) {
    parties(PhonePlan { pickup, script }, Mischief::default()).await
}

/// The outcome of the leg that was made for another one.
async fn other_outcome(exchange: &Exchange, call: &str) -> Arc<Outcome> {
    loop {
        let next = next_outcome(exchange).await;
        if next.call != call {
            return next;
        }
    }
}

fn reported(gateway: &Gateway) -> Vec<String> {
    let hooks = gateway.hooks("/report");
    hooks
        .iter()
        .map(|hook| hook.field("DialAction").to_owned())
        .collect()
}

fn heard(sound: &[i16], what: &[i16]) -> bool {
    sound.windows(what.len()).any(|it| it == what)
}

#[tokio::test]
async fn two_people_are_put_through_and_hear_one_another() {
    let (theirs, ours) = (tone(400, 600.0), tone(400, 900.0));
    let script = vec![
        Step::Say(theirs.clone()),
        Step::Press('7'),
        Step::Wait(ms(900)),
        Step::HangUp,
    ];
    let (gateway, exchange) = honest_parties(Pickup::Answer(ms(300)), script).await;
    let wait = Step::WaitForAgent {
        quiet: ms(200),
        timeout: ms(5_000),
    };
    let script = vec![wait, Step::Say(ours.clone()), Step::Wait(ms(9_000))];
    let call = put_through(&gateway, &exchange, script, "").await;
    let second = other_outcome(&exchange, &call).await;
    let first = outcome(&exchange, &call).await;
    assert_eq!(
        (second.status, second.ended_by),
        (Status::Completed, EndedBy::Caller)
    );
    assert_eq!((second.from.as_str(), second.to.as_str()), (OURS, OTHER));
    assert_eq!(second.direction, Direction::Outbound);
    assert_eq!(
        (first.status, first.ended_by),
        (Status::Completed, EndedBy::Instructions)
    );
    assert!(
        heard(first.ear.agent(), &theirs),
        "the other's words are heard whole"
    );
    assert!(heard(second.ear.agent(), &ours), "and the caller's");
    is_told(&gateway, &call, &second);
    let (_, record) = ask(
        &exchange,
        "GET",
        &format!("Call/{}/", second.call),
        json!(null),
    )
    .await;
    assert_eq!(record["parent_call_uuid"], call);
    assert!(first.warnings.is_empty(), "{:?}", first.warnings);
}

/// What the gateway was asked and told about two people who talked.
fn is_told(gateway: &Gateway, call: &str, second: &Outcome) {
    assert_eq!(reported(gateway), ["answer", "connected", "hangup"]);
    for hook in gateway.hooks("/report") {
        assert!(hook.is_signed_for(&gateway.origin()), "{hook:?}");
        let said = ["CallUUID", "DialALegUUID", "DialBLegUUID"].map(|name| hook.field(name));
        assert_eq!(said, [call, call, &second.call]);
        assert_eq!(
            (hook.field("DialBLegFrom"), hook.field("DialBLegTo")),
            ("15550001111", "15557770002")
        );
        assert_eq!(hook.field("CallStatus"), "in-progress");
    }
    let events: Vec<String> = gateway
        .hooks("/report")
        .iter()
        .map(|hook| hook.field("Event").to_owned())
        .collect();
    assert_eq!(events, ["DialAnswer", "DialConnected", "DialHangup"]);
    let asked = gateway.hooks("/dial");
    assert_eq!((asked.len(), asked[0].field("Event")), (1, "StartApp"));
    let done = gateway.hooks("/done");
    assert_eq!(done.len(), 1);
    assert!(done[0].is_signed_for(&gateway.origin()));
    let said = |name: &str| done[0].field(name).to_owned();
    assert_eq!(
        (said("DialStatus"), said("DialHangupCause")),
        ("completed".into(), "NORMAL_CLEARING".into())
    );
    assert_eq!(
        (said("DialALegUUID"), said("DialBLegUUID")),
        (call.to_owned(), second.call.clone())
    );
    assert_eq!(
        (said("CallStatus"), said("Event")),
        ("in-progress".into(), "Redirect".into())
    );
    assert_eq!(said("DialRingStatus"), "true");
}

#[tokio::test]
async fn a_caller_whom_nobody_takes_is_asked_about() {
    let stories = [
        (Pickup::Busy, Status::Busy, ("busy", "USER_BUSY", "3010")),
        (
            Pickup::Reject(ms(100)),
            Status::Busy,
            ("busy", "CALL_REJECTED", "3020"),
        ),
        (
            Pickup::NoAnswer,
            Status::NoAnswer,
            ("no-answer", "NO_ANSWER", "6010"),
        ),
        (
            Pickup::Unreachable,
            Status::Failed,
            ("failed", "DESTINATION_OUT_OF_ORDER", "2010"),
        ),
    ];
    let stories = stories.map(|(pickup, status, (word, cause, code))| async move {
        let (gateway, exchange) = honest_parties(pickup, vec![]).await;
        let call = put_through(&gateway, &exchange, vec![], r#"timeout="2""#).await;
        let second = other_outcome(&exchange, &call).await;
        assert_eq!((second.status, second.ended_by), (status, EndedBy::Phone));
        let first = outcome(&exchange, &call).await;
        assert_eq!(first.ended_by, EndedBy::Instructions, "the reply hangs up");
        let done = gateway.hooks("/done").pop().unwrap();
        assert_eq!(
            (done.field("DialStatus"), done.field("DialHangupCause")),
            (word, cause)
        );
        assert_eq!(done.field("DialBLegUUID"), "", "nobody answered");
        assert_eq!(reported(&gateway), ["hangup"]);
        let report: Hook = gateway.hooks("/report").pop().unwrap();
        assert_eq!(report.field("DialBLegHangupCauseCode"), code);
        assert_eq!(report.field("DialBLegDuration"), "0");
    });
    futures_util::future::join_all(stories).await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_the_second_leg() {
    for (ring, status, word, source) in [
        (ms(20_000), Status::Canceled, "cancel", "Caller"),
        (ms(100), Status::Completed, "completed", "Caller"),
    ] {
        let (gateway, exchange) = honest_parties(Pickup::Answer(ring), vec![]).await;
        let script = vec![Step::Wait(ms(900)), Step::HangUp];
        let call = put_through(&gateway, &exchange, script, "").await;
        let second = other_outcome(&exchange, &call).await;
        assert_eq!(
            (second.status, second.ended_by),
            (status, EndedBy::OtherLeg)
        );
        let first = outcome(&exchange, &call).await;
        assert_eq!(
            (first.status, first.ended_by),
            (Status::Completed, EndedBy::Caller)
        );
        gateway.wait_for_hooks("/done", 1).await;
        let done = gateway.hooks("/done").pop().unwrap();
        assert_eq!(
            (done.field("DialStatus"), done.field("CallStatus")),
            (word, "completed")
        );
        let report = gateway.hooks("/report").pop().unwrap();
        assert_eq!(report.field("DialBLegHangupSource"), source);
        assert_eq!(hangup(&gateway), told("completed", 4000, "Caller"));
    }
}

#[tokio::test]
async fn two_people_may_talk_for_so_long_and_then_the_call_goes_on() {
    let (gateway, exchange) = honest_parties(Pickup::Answer(ms(100)), vec![]).await;
    let more = r#"timeLimit="1" redirect="false""#;
    let call = put_through(&gateway, &exchange, vec![], more).await;
    let second = other_outcome(&exchange, &call).await;
    assert_eq!(
        (second.status, second.ended_by),
        (Status::Completed, EndedBy::TimeLimit)
    );
    assert!(
        second.talked.abs_diff(ms(1_000)) <= ms(100),
        "{:?}",
        second.talked
    );
    let first = outcome(&exchange, &call).await;
    assert_eq!(first.ended_by, EndedBy::Instructions);
    assert_eq!(hangup(&gateway), told("completed", 4010, "Plivo"));
    gateway.wait_for_hooks("/done", 1).await;
    let done = gateway.hooks("/done").pop().unwrap();
    assert_eq!(done.field("DialStatus"), "completed");
}

#[tokio::test]
async fn the_rest_api_plays_keys_to_the_second_leg_and_hangs_it_up() {
    let (gateway, exchange) = honest_parties(Pickup::Answer(ms(50)), vec![Step::Press('1')]).await;
    let mut watcher = exchange.watch();
    let call = put_through(&gateway, &exchange, vec![], "").await;
    let pressed = async {
        loop {
            if let exchange::Happening::Pressed { call: on, .. } = watcher.recv().await.unwrap()
                && on != call
            {
                return on;
            }
        }
    };
    let second = tokio::time::timeout(ms(10_000), pressed).await.unwrap();
    let path = format!("Call/{second}/");
    let keys = json!({"digits": "12"});
    assert_eq!(
        ask(&exchange, "POST", &format!("{path}DTMF/"), keys)
            .await
            .0,
        202
    );
    tokio::time::sleep(ms(400)).await;
    assert_eq!(ask(&exchange, "DELETE", &path, json!(null)).await.0, 204);
    let other = outcome(&exchange, &second).await;
    assert_eq!(
        (other.status, other.ended_by),
        (Status::Completed, EndedBy::Api)
    );
    let spoke = other.report.agent_spoke;
    assert!((ms(160)..ms(280)).contains(&spoke), "two keys: {spoke:?}");
    outcome(&exchange, &call).await;
    let done = gateway.hooks("/done").pop().unwrap();
    assert_eq!(done.field("DialStatus"), "completed");
}

#[tokio::test]
async fn what_cannot_be_dialled_fails() {
    for dial in [
        "<Dial action=\"DONE\"><Number>12</Number></Dial>",
        "<Dial action=\"DONE\" callerId=\"15558889999\"><Number>15557770002</Number></Dial>",
    ] {
        let (gateway, exchange) = honest_parties(Pickup::Answer(ms(50)), vec![]).await;
        gateway.answer("/answer/", &dial.replace("DONE", &gateway.url("/done")));
        let call = exchange.call_in(PHONE, OURS, []).unwrap();
        let first = outcome(&exchange, &call).await;
        assert_eq!(codes(&first), [0], "{:?}", first.warnings);
        let done = gateway.hooks("/done").pop().unwrap();
        assert_eq!(
            (done.field("DialStatus"), done.field("DialRingStatus")),
            ("failed", "false")
        );
        assert_eq!(done.field("DialBLegUUID"), "");
    }
}

#[tokio::test]
async fn an_action_that_cannot_be_had_ends_the_call() {
    let (gateway, exchange) = honest_parties(Pickup::Busy, vec![]).await;
    gateway.answer_with("/done", 404, "");
    let call = put_through(&gateway, &exchange, vec![], "").await;
    let first = outcome(&exchange, &call).await;
    assert_eq!(first.ended_by, EndedBy::Fault(7012));
    assert_eq!(hangup(&gateway), told("completed", 7012, "Error"));
}

#[tokio::test]
async fn what_is_told_of_the_second_leg_can_come_twice_and_be_lost() {
    let callbacks = Callbacks {
        duplicates: 1,
        forged: 1,
        lost: vec!["DialAnswer".to_owned()],
        ..Callbacks::default()
    };
    let mischief = Mischief {
        callbacks,
        ..Mischief::default()
    };
    let other = PhonePlan::answers(ms(50), [Step::Wait(ms(200)), Step::HangUp]);
    let (gateway, exchange) = parties(other, mischief).await;
    let call = put_through(&gateway, &exchange, vec![], "").await;
    other_outcome(&exchange, &call).await;
    assert_eq!(
        reported(&gateway),
        ["connected", "connected", "hangup", "hangup"]
    );
    let deliveries = exchange.deliveries();
    let dial = deliveries.iter().filter(|it| it.event.starts_with("Dial"));
    assert_eq!(dial.filter(|it| it.kind == Kind::Forged).count(), 2);
}
