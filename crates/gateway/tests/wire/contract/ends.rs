//! Who ends a call, and when: each side, at moments at which it is easily overlooked.

use exchange::mischief::{Callbacks, Mischief};
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::{EndedBy, Status};
use expect_test::expect;

use super::{connected, house, is_dial, is_told, notify, told};
use crate::house::{OURS, THEIRS, soon};
use crate::{listener, ms};

pub(super) async fn hung_up_by_us_at_once(carrier: &str) {
    let house = house(carrier, listener(), Mischief::default()).await;
    let record = notify(&house, "Hi").await;
    record.hang_up().await;
    soon(record.log.ended()).await;
    let outcome = house.outcome().await;
    assert_eq!(outcome.ended_by, EndedBy::Api);
    let story = told(&record).await;
    let end = r#"{"type":"call.ended","by":"owner","why":"hung_up"}"#;
    assert!(story.trim_end().ends_with(end), "{story}");
    let requests = house.exchange.requests();
    assert!(requests.iter().filter(|it| is_dial(it)).count() <= 1);
}

pub(super) async fn hung_up_by_them_as_soon_as_they_pick_up(carrier: &str) {
    let phone = PhonePlan::answers(ms(100), [Step::HangUp]);
    let house = house(carrier, phone, Mischief::default()).await;
    let record = notify(&house, "Hi! This is a test call.").await;
    let outcome = house.outcome().await;
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    let story = told(&record).await;
    let end = r#"{"type":"call.ended","by":"caller","why":"hung_up"}"#;
    assert!(story.trim_end().ends_with(end), "{story}");
    assert!(!story.contains("agent.said"), "{story}");
}

pub(super) async fn hung_up_by_a_caller_as_soon_as_we_answer(carrier: &str) {
    let house = house(carrier, listener(), Mischief::default()).await;
    let call = house.exchange.call_in(THEIRS, OURS, [Step::HangUp]);
    let outcome = soon(house.exchange.call(&call.expect("ours"))).await;
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    let record = &house.gateway.board.calls()[0];
    let story = told(record).await;
    let end = r#"{"type":"call.ended","by":"caller","why":"hung_up"}"#;
    assert!(story.trim_end().ends_with(end), "{story}");
}

pub(super) async fn hung_up_by_both(carrier: &str) {
    let phone = PhonePlan::answers(ms(100), [Step::Wait(ms(1_200)), Step::HangUp]);
    let house = house(carrier, phone, Mischief::default()).await;
    let record = notify(&house, "This sentence is longer than anybody listens.").await;
    connected(&record).await;
    tokio::time::sleep(ms(1_150)).await;
    record.hang_up().await;
    let outcome = house.outcome().await;
    assert_eq!(outcome.status, Status::Completed);
    let story = told(&record).await;
    assert_eq!(story.matches("call.ended").count(), 1, "{story}");
    assert!(
        [r#""by":"owner""#, r#""by":"caller""#]
            .iter()
            .any(|it| story.lines().last().is_some_and(|last| last.contains(it))),
        "{story}"
    );
}

/// A rule that has become stricter meanwhile is a limit like any other, and need not be waited for.
pub(super) async fn a_call_that_lasts_too_long(carrier: &str) {
    let house = house(carrier, listener(), Mischief::default()).await;
    let record = notify(&house, &"Somebody talks and talks and talks. ".repeat(4)).await;
    connected(&record).await;
    let mut plan = (*house.gateway.board.plan()).clone();
    plan.rules.max_length.value = ms(1_500);
    house.gateway.board.adopt(plan);
    let outcome = house.outcome().await;
    assert_eq!(outcome.ended_by, EndedBy::Api);
    assert!(
        outcome.talked.abs_diff(ms(1_500)) < ms(500),
        "{:?}",
        outcome.talked
    );
    let story = told(&record).await;
    let end = r#"{"type":"call.ended","by":"gateway","why":"time_limit"}"#;
    assert!(story.trim_end().ends_with(end), "{story}");
}

/// The word that a call is over never comes: the carrier is asked.
pub(super) async fn an_end_that_nobody_reports(carrier: &str) {
    let lost = ["completed", "Hangup", "call.hangup"].map(str::to_owned);
    let callbacks = Callbacks {
        lost: lost.into(),
        ..Callbacks::default()
    };
    let mischief = Mischief {
        callbacks,
        ..Mischief::default()
    };
    let phone = PhonePlan::answers(ms(100), [Step::Wait(ms(600)), Step::HangUp]);
    let house = house(carrier, phone, mischief).await;
    let record = notify(&house, "This sentence is longer than anybody listens.").await;
    let outcome = house.outcome().await;
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    soon(record.log.ended()).await;
    let story = told(&record).await;
    let last = story.lines().last().unwrap_or_default();
    assert!(last.contains("call.ended"), "{story}");
    assert!(!last.contains("fault"), "{story}");
}

pub(super) async fn keys_before_anyone_answers(carrier: &str) {
    let script = [Step::WaitForHangUp { timeout: ms(8_000) }, Step::HangUp];
    let phone = PhonePlan {
        pickup: Pickup::Answer(ms(1_000)),
        script: script.into(),
    };
    let house = house(carrier, phone, Mischief::default()).await;
    let record = notify(&house, "Hi!").await;
    let keys = call::Keys::parse("42#").expect("they are keys");
    let pressed = house.gateway.board.press(&record, keys).await;
    assert!(pressed.expect("they may be pressed"));
    let outcome = house.outcome().await;
    assert_eq!(crate::owners::keys(outcome.ear.agent()), "");
    is_told(
        &record,
        &expect![[r#"
            {"type":"call.dialed"}
            {"type":"call.answered"}
            {"type":"call.connected"}
            {"type":"agent.said","text":"Hi!"}
            {"type":"call.ended","by":"agent","why":"completed"}
        "#]],
    )
    .await;
}
