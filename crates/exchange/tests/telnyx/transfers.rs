//! Calls that are put through to another phone by a command.

use super::*;
use crate::gateway::tone;
use exchange::Direction;
use exchange::mischief::Callbacks;

/// Whom calls are put through to.
const OTHER: &str = "+15557770002";

async fn parties(pickup: Pickup, script: Vec<Step>) -> (Gateway, Exchange) {
    parties_with(pickup, script, Mischief::default()).await
}

async fn parties_with(
    pickup: Pickup,
    script: Vec<Step>,
    mischief: Mischief,
) -> (Gateway, Exchange) {
    let gateway = Gateway::silent().await;
    let exchange = Exchange::builder()
        .carrier("telnyx")
        .account(CONNECTION, KEY)
        .number(OURS, &gateway.url("/events"))
        .phone(OTHER, PhonePlan { pickup, script })
        .mischief(mischief)
        .start()
        .await
        .expect("a free port of 127.0.0.1 can be listened on");
    (gateway, exchange)
}

/// Somebody calls in, is answered with a stream, and put through once that runs.
async fn put_through(
    gateway: &Gateway,
    exchange: &Exchange,
    script: Vec<Step>,
    more: Value,
) -> String {
    let call = exchange.call_in(PHONE, OURS, script).unwrap();
    gateway.event("call.initiated").await;
    let state = json!({"client_state": STANDARD.encode("first")});
    obeyed(exchange, &call, "answer", with(stream(gateway), state)).await;
    gateway.wait_for_heard("media", 1).await;
    obeyed(exchange, &call, "transfer", with(transfer(gateway), more)).await;
    call
}

fn transfer(gateway: &Gateway) -> Value {
    json!({
        "to": OTHER,
        "from": OURS,
        "target_leg_client_state": STANDARD.encode("second"),
        "webhook_url": gateway.url("/report"),
        "command_id": "transfer-1",
    })
}

/// The outcome of the leg that was made for another one.
async fn other_outcome(exchange: &Exchange, call: &str) -> Arc<Outcome> {
    let other = async {
        loop {
            let next = exchange.next_outcome().await;
            if next.call != call {
                return next;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(70), other)
        .await
        .expect("both legs end")
}

/// The names of what was told of a leg.
fn told(gateway: &Gateway, call: &str) -> Vec<String> {
    let mut events = gateway.events();
    events.retain(|event| event.payload("call_control_id") == call);
    events.iter().map(|event| event.name().to_owned()).collect()
}

fn last(gateway: &Gateway, call: &str) -> [Value; 2] {
    let mut events = gateway.events();
    events.retain(|event| event.payload("call_control_id") == call);
    let last = events.pop().unwrap();
    assert_eq!(last.name(), "call.hangup");
    ["hangup_cause", "hangup_source"].map(|name| last.payload(name).clone())
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
    let (gateway, exchange) = parties(Pickup::Answer(ms(300)), script).await;
    let wait = Step::WaitForAgent {
        quiet: ms(200),
        timeout: ms(5_000),
    };
    let script = vec![wait, Step::Say(ours.clone()), Step::Wait(ms(9_000))];
    let call = put_through(&gateway, &exchange, script, json!({})).await;
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
        (Status::Completed, EndedBy::OtherLeg)
    );
    assert!(
        heard(first.ear.agent(), &theirs),
        "the other's words are heard whole"
    );
    assert!(heard(second.ear.agent(), &ours), "and the caller's");
    is_told(&gateway, &exchange, &call, &second).await;
    assert!(first.warnings.is_empty(), "{:?}", first.warnings);
}

/// What the gateway was told about two people who talked.
async fn is_told(gateway: &Gateway, exchange: &Exchange, call: &str, second: &Outcome) {
    let of_first = [
        "call.initiated",
        "call.answered",
        "streaming.started",
        "streaming.stopped",
        "call.bridged",
        "call.hangup",
    ];
    assert_eq!(told(gateway, call), of_first);
    let of_second = [
        "call.initiated",
        "call.answered",
        "call.bridged",
        "call.dtmf.received",
        "call.hangup",
    ];
    assert_eq!(told(gateway, &second.call), of_second);
    assert_eq!(last(gateway, &second.call), ["normal_clearing", "callee"]);
    assert_eq!(last(gateway, call), ["normal_clearing", "callee"]);
    let session = gateway
        .event("call.initiated")
        .await
        .payload("call_session_id")
        .clone();
    for event in gateway.events() {
        assert!(is_genuine(exchange, &event), "{event:?}");
        assert_eq!(event.payload("call_session_id"), &session, "of one session");
        if event.payload("call_control_id") == &json!(second.call) {
            assert_eq!(event.path, "/report");
            assert_eq!(
                event.payload("client_state"),
                &json!(STANDARD.encode("second"))
            );
            assert_eq!(
                (event.payload("from"), event.payload("to")),
                (&json!(OURS), &json!(OTHER))
            );
        } else if event.name() != "call.initiated" {
            assert_eq!(
                event.payload("client_state"),
                &json!(STANDARD.encode("first"))
            );
        }
    }
    assert!(
        gateway
            .heard()
            .iter()
            .any(|message| message["event"] == "stop")
    );
}

#[tokio::test]
async fn a_caller_whom_nobody_takes_stays_and_hears_nothing() {
    let stories = [
        (Pickup::Busy, Status::Busy, "user_busy", "callee"),
        (
            Pickup::Reject(ms(100)),
            Status::Busy,
            "call_rejected",
            "callee",
        ),
        (Pickup::NoAnswer, Status::NoAnswer, "timeout", "caller"),
        (Pickup::Unreachable, Status::Failed, "not_found", "callee"),
    ];
    let stories = stories.map(|(pickup, status, cause, source)| async move {
        let (gateway, exchange) = parties(pickup, vec![]).await;
        let more = json!({"timeout_secs": 5});
        let call = put_through(&gateway, &exchange, vec![], more).await;
        let second = other_outcome(&exchange, &call).await;
        assert_eq!((second.status, second.ended_by), (status, EndedBy::Phone));
        assert_eq!(
            told(&gateway, &second.call),
            ["call.initiated", "call.hangup"]
        );
        assert_eq!(last(&gateway, &second.call), [cause, source]);
        // The first leg is up, and takes another stream.
        obeyed(&exchange, &call, "streaming_start", stream(&gateway)).await;
        gateway.wait_for_heard("start", 2).await;
        obeyed(&exchange, &call, "hangup", json!({})).await;
        let first = outcome(&exchange, &call).await;
        assert_eq!(first.ended_by, EndedBy::Api);
        assert!(!told(&gateway, &call).contains(&"call.bridged".to_owned()));
    });
    futures_util::future::join_all(stories).await;
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_the_second_leg() {
    for (ring, status, cause) in [
        (ms(20_000), Status::Canceled, "originator_cancel"),
        (ms(100), Status::Completed, "normal_clearing"),
    ] {
        let (gateway, exchange) = parties(Pickup::Answer(ring), vec![]).await;
        let script = vec![Step::Wait(ms(1_200)), Step::HangUp];
        let call = put_through(&gateway, &exchange, script, json!({})).await;
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
        assert_eq!(last(&gateway, &second.call), [cause, "caller"]);
        assert_eq!(last(&gateway, &call), ["normal_clearing", "caller"]);
    }
}

#[tokio::test(start_paused = true)]
async fn two_people_may_talk_for_so_long() {
    let (gateway, exchange) = parties(Pickup::Answer(ms(100)), vec![]).await;
    let more = json!({"time_limit_secs": 30});
    let call = put_through(&gateway, &exchange, vec![], more).await;
    let second = other_outcome(&exchange, &call).await;
    assert_eq!(
        (second.status, second.ended_by),
        (Status::Completed, EndedBy::TimeLimit)
    );
    assert!(
        second.talked.abs_diff(ms(30_000)) <= ms(100),
        "{:?}",
        second.talked
    );
    let first = outcome(&exchange, &call).await;
    assert_eq!(first.ended_by, EndedBy::OtherLeg);
    assert_eq!(last(&gateway, &second.call)[0], "time_limit");
    assert_eq!(last(&gateway, &call)[0], "normal_clearing");
}

#[tokio::test]
async fn a_command_that_is_repeated_rings_nobody_twice() {
    let (gateway, exchange) = parties(
        Pickup::Answer(ms(100)),
        vec![Step::Wait(ms(400)), Step::HangUp],
    )
    .await;
    let more = json!({"park_after_unbridge": "self"});
    let call = put_through(&gateway, &exchange, vec![], more).await;
    obeyed(&exchange, &call, "transfer", transfer(&gateway)).await;
    other_outcome(&exchange, &call).await;
    // Parked: the first leg is still up, and can be put through again.
    obeyed(&exchange, &call, "transfer", transfer(&gateway)).await;
    assert_eq!(
        gateway
            .names()
            .iter()
            .filter(|name| *name == "call.initiated")
            .count(),
        2
    );
    let again = with(transfer(&gateway), json!({"command_id": "transfer-2"}));
    obeyed(&exchange, &call, "transfer", again).await;
    other_outcome(&exchange, &call).await;
    assert_eq!(outcome(&exchange, &call).await.ended_by, EndedBy::OtherLeg);
}

#[tokio::test]
async fn the_second_leg_can_be_hung_up_and_played_keys() {
    let (gateway, exchange) = parties(Pickup::Answer(ms(50)), vec![]).await;
    let mut watcher = exchange.watch();
    let call = put_through(&gateway, &exchange, vec![], json!({})).await;
    let second = tokio::time::timeout(ms(10_000), async {
        loop {
            let happened = watcher.recv().await.unwrap();
            if let exchange::Happening::Changed { call: leg, status } = happened
                && (status == Status::InProgress && leg != call)
            {
                return leg;
            }
        }
    });
    let second = second.await.expect("the other phone is answered");
    obeyed(&exchange, &second, "send_dtmf", json!({"digits": "12"})).await;
    tokio::time::sleep(ms(700)).await;
    obeyed(&exchange, &second, "hangup", json!({})).await;
    let other = outcome(&exchange, &second).await;
    assert_eq!(
        (other.status, other.ended_by),
        (Status::Completed, EndedBy::Api)
    );
    let spoke = other.report.agent_spoke;
    assert!((ms(460)..ms(580)).contains(&spoke), "two keys: {spoke:?}");
    assert_eq!(outcome(&exchange, &call).await.ended_by, EndedBy::OtherLeg);
}

#[tokio::test]
async fn transfers_are_refused_as_the_real_one_refuses_them() {
    let (gateway, exchange) = parties(Pickup::Answer(ms(50)), vec![]).await;
    let call = exchange.call_in(PHONE, OURS, []).unwrap();
    gateway.event("call.initiated").await;
    let early = refused(&exchange, &call, "transfer", transfer(&gateway)).await;
    assert_eq!(early, (422, "90034".to_owned()));
    obeyed(&exchange, &call, "answer", json!({})).await;
    gateway.event("call.answered").await;
    for (more, status, code) in [
        (json!({"to": null}), 422, "10004"),
        (json!({"to": "5551234"}), 422, "10016"),
        (json!({"from": "+15558889999"}), 403, "10010"),
        (json!({"timeout_secs": 4}), 422, "10015"),
        (json!({"time_limit_secs": 29}), 422, "10015"),
        (json!({"target_leg_client_state": "second"}), 422, "90017"),
        (json!({"webhook_url": "ftp://e.com"}), 422, "10015"),
        (json!({"park_after_unbridge": "both"}), 422, "10032"),
    ] {
        let body = with(transfer(&gateway), more.clone());
        let answer = refused(&exchange, &call, "transfer", body).await;
        assert_eq!(answer, (status, code.to_owned()), "{more}");
    }
    assert!(!gateway.names().contains(&"streaming.stopped".to_owned()));
    obeyed(&exchange, &call, "hangup", json!({})).await;
    outcome(&exchange, &call).await;
    let late = refused(&exchange, &call, "transfer", transfer(&gateway)).await;
    assert_eq!(late, (422, "90018".to_owned()));
}

#[tokio::test]
async fn what_is_told_of_the_second_leg_can_come_twice_and_forged() {
    let callbacks = Callbacks {
        duplicates: 1,
        forged: 1,
        ..Callbacks::default()
    };
    let mischief = Mischief {
        callbacks,
        ..Mischief::default()
    };
    let script = vec![Step::Wait(ms(200)), Step::HangUp];
    let (gateway, exchange) = parties_with(Pickup::Answer(ms(50)), script, mischief).await;
    let call = put_through(&gateway, &exchange, vec![], json!({})).await;
    let second = other_outcome(&exchange, &call).await;
    let mut events = gateway.events();
    events.retain(|event| event.payload("call_control_id") == &json!(second.call));
    let genuine: Vec<&Event> = events
        .iter()
        .filter(|it| is_genuine(&exchange, it))
        .collect();
    assert_eq!((events.len(), genuine.len()), (12, 8));
    assert!(
        genuine
            .chunks(2)
            .all(|pair| pair[0].data["id"] == pair[1].data["id"])
    );
}
