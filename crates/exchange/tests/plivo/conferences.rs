//! Calls that are put into a room by `<Conference>`.

use super::*;
use crate::gateway::{share, tone};
use exchange::EndedBy;
use exchange::phone::Step;
use futures_util::future::join_all;

/// A gateway that puts its callers into a room, and an exchange.
async fn town(attributes: &str) -> (Gateway, Exchange) {
    let gateway = Gateway::listening().await;
    let (done, report) = (gateway.url("/done"), gateway.url("/report"));
    let room = format!(
        r#"<Conference action="{done}" callbackUrl="{report}" {attributes}>Daily stand-up</Conference>"#
    );
    gateway.answer("/answer/", &room);
    gateway.answer("/done", "<Hangup/>");
    gateway.answer("/report", "");
    let nobody = PhonePlan::answers(ms(100), []);
    let exchange = honest(&gateway, nobody).await;
    (gateway, exchange)
}

fn calls(exchange: &Exchange, scripts: impl IntoIterator<Item = Vec<Step>>) -> Vec<String> {
    let scripts = scripts.into_iter().zip(1..);
    let call = |(script, caller)| {
        let from = format!("+1555123456{caller}");
        exchange.call_in(&from, OURS, script).expect("ours")
    };
    scripts.map(call).collect()
}

async fn outcomes(exchange: &Exchange, calls: &[String]) -> Vec<Arc<Outcome>> {
    join_all(calls.iter().map(|it| outcome(exchange, it))).await
}

#[tokio::test]
async fn three_in_a_room_hear_one_another_and_not_themselves() {
    let (gateway, exchange) = town("").await;
    let tones = [500.0, 750.0, 1_150.0];
    let script = |hz| {
        vec![
            Step::Wait(ms(800)),
            Step::Say(tone(2_000, hz)),
            Step::Wait(ms(400)),
            Step::HangUp,
        ]
    };
    let calls = calls(&exchange, tones.map(script));
    let outcomes = outcomes(&exchange, &calls).await;
    for (index, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.ended_by, EndedBy::Caller);
        assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
        let middle = &outcome.ear.agent()[8 * 1_300..8 * 2_300];
        for (other, hz) in tones.into_iter().enumerate() {
            let share = share(middle, hz);
            if other == index {
                assert!(share < 0.02, "{index} hears themselves: {share}");
            } else {
                assert!(share > 0.4, "{index} does not hear {other}: {share}");
            }
        }
    }
    gateway.wait_for_hooks("/report", 6).await;
    let hooks = gateway.hooks("/report");
    for call in &calls {
        let told = hooks.iter().filter(|it| it.field("CallUUID") == call);
        let told: Vec<_> = told
            .map(|it| (it.field("ConferenceAction"), it.field("Event")))
            .collect();
        assert_eq!(
            told,
            [("enter", "ConferenceEnter"), ("exit", "ConferenceExit")]
        );
    }
    for hook in &hooks {
        assert!(hook.is_signed_for(&gateway.origin()));
        assert_eq!(hook.field("ConferenceName"), "Daily stand-up");
        assert_eq!(
            hook.field("ConferenceUUID"),
            hooks[0].field("ConferenceUUID")
        );
    }
    // Those who hung up are told of at `action` too, and nothing comes of it.
    gateway.wait_for_hooks("/done", 3).await;
}

#[tokio::test]
async fn who_is_in_a_room_is_shown_until_it_is_closed() {
    let (gateway, exchange) = town("").await;
    let stays = || vec![Step::WaitForHangUp { timeout: ms(9_000) }];
    let calls = calls(&exchange, [stays(), stays()]);
    gateway.wait_for_hooks("/report", 2).await;
    let place = "Conference/Daily%20stand-up/";
    let (status, room) = ask(&exchange, "GET", place, json!(null)).await;
    assert_eq!(
        (status, &room["conference_member_count"]),
        (200, &json!("2"))
    );
    let members = room["members"].as_array().expect("a list");
    for call in &calls {
        assert!(members.iter().any(|it| it["call_uuid"] == **call), "{room}");
    }
    assert_eq!(ask(&exchange, "DELETE", place, json!(null)).await.0, 204);
    for outcome in outcomes(&exchange, &calls).await {
        assert_eq!(
            outcome.ended_by,
            EndedBy::Instructions,
            "it went on at `action`"
        );
    }
    let done = gateway.hooks("/done");
    assert_eq!(done.len(), 2);
    for hook in done {
        assert_eq!(hook.field("CallStatus"), "in-progress");
        assert_eq!(hook.field("ConferenceName"), "Daily stand-up");
    }
    assert_eq!(ask(&exchange, "GET", place, json!(null)).await.0, 404);
}

#[tokio::test]
async fn a_room_closes_with_its_host_or_in_time_and_takes_only_so_many() {
    let stays = || vec![Step::WaitForHangUp { timeout: ms(9_000) }];
    let (_gateway, exchange) = town(r#"endConferenceOnExit="true""#).await;
    let calls_ = calls(
        &exchange,
        [vec![Step::Wait(ms(900)), Step::HangUp], stays()],
    );
    let ended = outcomes(&exchange, &calls_).await;
    assert_eq!(ended[0].ended_by, EndedBy::Caller);
    assert_eq!(ended[1].ended_by, EndedBy::Instructions);
    let (gateway, exchange) = town(r#"timeLimit="1" maxMembers="1""#).await;
    let first = calls(&exchange, [stays()]);
    gateway.wait_for_hooks("/report", 1).await;
    let second = calls(&exchange, [stays()]);
    let ended = outcomes(&exchange, &[first[0].clone(), second[0].clone()]).await;
    assert!(ended.iter().all(|it| it.ended_by == EndedBy::Instructions));
    assert_eq!(codes(&ended[1]), [0], "it is full");
}

#[tokio::test]
async fn a_room_that_cannot_be_meant_is_not_performed() {
    for attributes in [
        r#"muted="perhaps""#,
        r#"maxMembers="21""#,
        r#"timeLimit="0""#,
        r#"redirect="no""#,
    ] {
        let (_gateway, exchange) = town(attributes).await;
        let calls = calls(&exchange, [vec![]]);
        let outcome = outcomes(&exchange, &calls).await.remove(0);
        assert!(matches!(outcome.ended_by, EndedBy::Fault(_)), "{outcome:?}");
    }
}
