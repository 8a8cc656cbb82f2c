//! Calls that are put through to another phone by `<Dial>`.

use super::*;
use crate::gateway::Hook;

/// Whom calls are put through to.
const OTHER: &str = "+15557770002";

/// A gateway that connects its calls to a stream, and an exchange with a phone that it can put them through to.
async fn parties(other: PhonePlan) -> (Gateway, Exchange) {
    parties_with(other, Mischief::default()).await
}

async fn parties_with(other: PhonePlan, mischief: Mischief) -> (Gateway, Exchange) {
    let gateway =
        Gateway::start(|mut socket| async move { while socket.hear().await.is_some() {} }).await;
    gateway.answer("/voice", &connect(&gateway));
    gateway.answer("/again", "<Response><Hangup/></Response>");
    gateway.answer("/report", "<Response/>");
    let exchange = Exchange::builder()
        .account(ACCOUNT, TOKEN)
        .number(OURS, &gateway.url("/voice"))
        .status_url(&gateway.url("/status"))
        .phone(OTHER, other)
        .mischief(mischief)
        .start()
        .await
        .expect("a free port of 127.0.0.1 can be listened on");
    (gateway, exchange)
}

/// Somebody calls in, and is put through once the stream runs.
async fn put_through(
    gateway: &Gateway,
    exchange: &Exchange,
    script: Vec<Step>,
    dial: &str,
) -> String {
    let call = exchange.call_in(PHONE, OURS, script).unwrap();
    gateway.wait_for_heard("media").await;
    let form = [("Twiml", dial)];
    let (status, answer) = ask(exchange, &format!("Calls/{call}.json"), &form).await;
    assert_eq!(status, 200, "{answer}");
    call
}

fn dial(gateway: &Gateway, more: &str) -> String {
    let (back, report) = (gateway.url("/again?after=1"), gateway.url("/report"));
    format!(
        r#"<Response><Dial callerId="{OURS}" action="{back}#rc=5" {more}><Number statusCallback="{report}#rc=5" statusCallbackEvent="initiated ringing answered completed">{OTHER}</Number></Dial></Response>"#
    )
}

/// The outcome of the call that was made for another one.
async fn other_outcome(exchange: &Exchange, call: &str) -> Arc<Outcome> {
    loop {
        let next = tokio::time::timeout(ms(30_000), exchange.next_outcome());
        let next = next.await.expect("both calls end");
        if next.call != call {
            return next;
        }
    }
}

fn hooks_of(gateway: &Gateway, path: &str, call: &str) -> Vec<Hook> {
    let mut hooks = gateway.hooks(path);
    hooks.retain(|hook| hook.field("CallSid") == call);
    hooks
}

fn progress(gateway: &Gateway) -> Vec<String> {
    let hooks = gateway.hooks("/report");
    hooks
        .iter()
        .map(|hook| hook.field("CallStatus").to_owned())
        .collect()
}

#[tokio::test]
async fn two_people_are_put_through_and_hear_one_another() {
    let (theirs, ours) = (tone(400, 600.0), tone(400, 900.0));
    let other = PhonePlan::answers(
        ms(300),
        [
            Step::Say(theirs.clone()),
            Step::Press('7'),
            Step::Wait(ms(900)),
            Step::HangUp,
        ],
    );
    let (gateway, exchange) = parties(other).await;
    let wait = Step::WaitForAgent {
        quiet: ms(200),
        timeout: ms(5_000),
    };
    let script = vec![wait, Step::Say(ours.clone()), Step::Wait(ms(9_000))];
    let call = put_through(&gateway, &exchange, script, &dial(&gateway, "")).await;
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
    let heard = |sound: &[i16], what: &[i16]| sound.windows(what.len()).any(|it| it == what);
    assert!(
        heard(first.ear.agent(), &theirs),
        "the other's words are heard whole"
    );
    assert!(heard(second.ear.agent(), &ours), "and the caller's");
    assert_eq!(first.ear.caller()[..160], [0; 160]);
    is_told(&gateway, &call, &second);
    let (_, child) = ask(&exchange, &format!("Calls/{}.json", second.call), &[]).await;
    let made = (&child["parent_call_sid"], &child["direction"]);
    assert_eq!(made, (&json!(call), &json!("outbound-dial")));
    assert!(first.warnings.is_empty(), "{:?}", first.warnings);
}

/// What the gateway was told of two people who talked.
fn is_told(gateway: &Gateway, call: &str, second: &Outcome) {
    assert_eq!(
        progress(gateway),
        ["initiated", "ringing", "in-progress", "completed"]
    );
    for hook in gateway.hooks("/report") {
        assert_eq!(hook.field("ParentCallSid"), call);
        assert_eq!(hook.field("CallSid"), second.call);
        assert_eq!(hook.field("Direction"), "outbound-dial");
        assert_eq!(
            hook.signature,
            signature(&gateway.url("/report"), &hook.form)
        );
    }
    let again = gateway.hooks("/again");
    assert_eq!(again.len(), 1);
    let said = |name: &str| again[0].field(name).to_owned();
    assert_eq!(said("DialCallStatus"), "completed");
    assert_eq!(said("DialBridged"), "true");
    assert_eq!(said("DialCallSid"), second.call);
    assert_eq!(
        said("DialCallDuration"),
        second.talked.as_secs_f64().ceil().to_string()
    );
    assert_eq!(
        (said("CallSid"), said("CallStatus")),
        (call.to_owned(), "in-progress".into())
    );
    let url = gateway.url("/again?after=1");
    assert_eq!(again[0].signature, signature(&url, &again[0].form));
    assert!(
        gateway
            .heard()
            .iter()
            .any(|message| message["event"] == "stop")
    );
}

#[tokio::test]
async fn a_caller_whom_nobody_takes_comes_back() {
    let cases = [
        (Pickup::Busy, Status::Busy, vec!["initiated", "busy"]),
        (
            Pickup::Reject(ms(100)),
            Status::Busy,
            vec!["initiated", "ringing", "busy"],
        ),
        (
            Pickup::NoAnswer,
            Status::NoAnswer,
            vec!["initiated", "ringing", "no-answer"],
        ),
        (
            Pickup::Unreachable,
            Status::Failed,
            vec!["initiated", "failed"],
        ),
    ];
    let stories = cases.map(|(pickup, status, told)| async move {
        let (gateway, exchange) = parties(PhonePlan::never_talks(pickup)).await;
        gateway.answer("/again", &connect(&gateway));
        let dial = dial(&gateway, r#"timeout="5""#);
        let call = put_through(&gateway, &exchange, vec![], &dial).await;
        let second = other_outcome(&exchange, &call).await;
        assert_eq!((second.status, second.ended_by), (status, EndedBy::Phone));
        assert_eq!(second.talked, Duration::ZERO);
        gateway.wait_for_upgrades(2).await;
        assert_eq!(progress(&gateway), told);
        let again = gateway.hooks("/again").pop().unwrap();
        assert_eq!(again.field("DialCallStatus"), status.as_str());
        assert_eq!(again.field("DialBridged"), "false");
        assert_eq!(again.field("DialCallDuration"), "");
        let path = format!("Calls/{call}.json");
        ask(&exchange, &path, &[("Status", "completed")]).await;
        let first = outcome(&exchange, &call).await;
        let rang = !matches!(pickup, Pickup::Busy | Pickup::Unreachable);
        assert_eq!(loud_at_all(first.ear.agent()), rang, "it is heard to ring");
    });
    futures_util::future::join_all(stories).await;
}

fn loud_at_all(sound: &[i16]) -> bool {
    sound.iter().any(|sample| sample.unsigned_abs() > 1_000)
}

#[tokio::test]
async fn a_caller_who_hangs_up_ends_the_other_call() {
    for (ring, status, dialled) in [
        (ms(20_000), Status::Canceled, "canceled"),
        (ms(100), Status::Completed, "completed"),
    ] {
        let (gateway, exchange) = parties(PhonePlan::answers(ring, [])).await;
        let script = vec![Step::Wait(ms(1_200)), Step::HangUp];
        let call = put_through(&gateway, &exchange, script, &dial(&gateway, "")).await;
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
        gateway.wait_for_hooks("/again", 1).await;
        let again = gateway.hooks("/again").pop().unwrap();
        assert_eq!(again.field("DialCallStatus"), dialled);
        assert_eq!(again.field("CallStatus"), "completed");
        assert_eq!(hooks_of(&gateway, "/status", &call).len(), 1);
        assert_eq!(
            progress(&gateway).last().map(String::as_str),
            Some(status.as_str())
        );
    }
}

#[tokio::test]
async fn two_people_may_talk_for_so_long() {
    let (gateway, exchange) = parties(PhonePlan::answers(ms(100), [])).await;
    let dial = dial(&gateway, r#"timeLimit="1""#);
    let call = put_through(&gateway, &exchange, vec![], &dial).await;
    let second = other_outcome(&exchange, &call).await;
    assert_eq!(
        (second.status, second.ended_by),
        (Status::Completed, EndedBy::TimeLimit)
    );
    assert!(
        near(second.talked, ms(1_000), ms(100)),
        "{:?}",
        second.talked
    );
    let first = outcome(&exchange, &call).await;
    assert_eq!(first.ended_by, EndedBy::Instructions);
    let again = gateway.hooks("/again").pop().unwrap();
    assert_eq!(again.field("DialCallStatus"), "completed");
    assert_eq!(again.field("DialCallDuration"), "1");
}

#[tokio::test]
async fn the_rest_api_takes_a_caller_back_and_hangs_up_on_the_other() {
    let (gateway, exchange) = parties(PhonePlan::answers(ms(50), [Step::Press('1')])).await;
    let mut watcher = exchange.watch();
    let call = put_through(&gateway, &exchange, vec![], &dial(&gateway, "")).await;
    pressed(&mut watcher).await;
    let form = [("Twiml", connect(&gateway))];
    let form: Vec<_> = form
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    assert_eq!(
        ask(&exchange, &format!("Calls/{call}.json"), &form).await.0,
        200
    );
    let second = other_outcome(&exchange, &call).await;
    assert_eq!(
        (second.status, second.ended_by),
        (Status::Completed, EndedBy::OtherLeg)
    );
    gateway.wait_for_upgrades(2).await;
    assert!(
        gateway.hooks("/again").is_empty(),
        "a redirect is not asked about"
    );
    // Once more, and now it is the other call that is ended.
    let form = [("Twiml", dial(&gateway, ""))];
    let form: Vec<_> = form
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    ask(&exchange, &format!("Calls/{call}.json"), &form).await;
    let other = pressed(&mut watcher).await;
    ask(
        &exchange,
        &format!("Calls/{other}.json"),
        &[("Status", "completed")],
    )
    .await;
    let third = outcome(&exchange, &other).await;
    assert_eq!(
        (third.status, third.ended_by),
        (Status::Completed, EndedBy::Api)
    );
    assert_eq!(
        outcome(&exchange, &call).await.ended_by,
        EndedBy::Instructions
    );
    assert_eq!(gateway.hooks("/again").len(), 1);
}

/// Waits until a person presses a key; on which call.
async fn pressed(watcher: &mut tokio::sync::broadcast::Receiver<exchange::Happening>) -> String {
    let pressed = async {
        loop {
            if let exchange::Happening::Pressed { call, .. } = watcher.recv().await.unwrap() {
                return call;
            }
        }
    };
    tokio::time::timeout(ms(10_000), pressed)
        .await
        .expect("a key is pressed")
}

#[tokio::test]
async fn what_cannot_be_dialled_fails() {
    for (document, code) in [
        ("<Dial action=\"ACTION\">5551234</Dial>", 13_224),
        (
            "<Dial action=\"ACTION\" callerId=\"+15558889999\">+15557770002</Dial>",
            13_214,
        ),
    ] {
        let (gateway, exchange) = parties(PhonePlan::answers(ms(50), [])).await;
        let document = document.replace("ACTION", &gateway.url("/again"));
        let document = format!("<Response>{document}</Response>");
        let call = put_through(&gateway, &exchange, vec![], &document).await;
        let first = outcome(&exchange, &call).await;
        assert_eq!(codes(&first), [code]);
        let again = gateway.hooks("/again").pop().unwrap();
        assert_eq!(again.field("DialCallStatus"), "failed");
        assert_eq!(again.field("DialCallSid"), "");
    }
}

#[tokio::test]
async fn what_is_told_of_the_other_call_can_come_twice_and_forged() {
    let mischief = Mischief {
        callbacks: Callbacks {
            duplicates: 1,
            forged: 1,
            ..Callbacks::default()
        },
        ..Mischief::default()
    };
    let other = PhonePlan::answers(ms(50), [Step::Wait(ms(200)), Step::HangUp]);
    let (gateway, exchange) = parties_with(other, mischief).await;
    let call = put_through(&gateway, &exchange, vec![], &dial(&gateway, "")).await;
    let second = other_outcome(&exchange, &call).await;
    let hooks = gateway.hooks("/report");
    let genuine: Vec<&Hook> = hooks
        .iter()
        .filter(|hook| hook.signature == signature(&gateway.url("/report"), &hook.form))
        .collect();
    assert_eq!((hooks.len(), genuine.len()), (12, 8));
    assert!(
        genuine
            .chunks(2)
            .all(|pair| pair[0].idempotency == pair[1].idempotency)
    );
    let deliveries = exchange.deliveries();
    let told = deliveries
        .iter()
        .filter(|delivery| delivery.call == second.call);
    assert_eq!(
        told.filter(|delivery| delivery.kind == Kind::Forged)
            .count(),
        4
    );
}
