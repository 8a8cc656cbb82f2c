//! Callers whom their carrier puts through by itself.

use std::path::Path;
use std::sync::Arc;

use call::Referral;
use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::{EndedBy, Outcome, Status};
use expect_test::expect;
use gateway::switchboard::{Record, Referred};

use super::{is_dial, is_told, told, tone};
use crate::house::{House, OURS, THEIRS, events, exchange_of, soon};
use crate::{listener, ms};

pub(super) async fn a_transfer(carrier: &str) {
    let script = [
        Step::Wait(ms(800)),
        Step::Say(tone()),
        Step::Wait(ms(800)),
        Step::HangUp,
    ];
    let house = with_ben(carrier, PhonePlan::answers(ms(300), script)).await;
    let timeout = ms(15_000);
    let script = [
        Step::Wait(ms(5_500)),
        Step::Say(tone()),
        Step::WaitForHangUp { timeout },
    ];
    let (call, record) = called(&house, script).await;
    put_through(&house, &record).await;
    let caller = soon(house.exchange.call(&call)).await;
    let ben = other(&house, &call).await;
    assert_eq!(
        (caller.status, ben.status),
        (Status::Completed, Status::Completed)
    );
    assert_eq!(ben.ended_by, EndedBy::Caller, "he hung up");
    assert_eq!((ben.from.as_str(), ben.to.as_str()), (OURS, BEN));
    // The greeting, and the second that Ben spoke for.
    let heard = caller.report.agent_spoke;
    assert!(heard >= ms(1_800), "{heard:?}");
    assert!(caller.warnings.is_empty(), "{:?}", caller.warnings);
    is_told(
        &record,
        &expect![[r#"
        {"type":"call.offered"}
        {"type":"call.answered"}
        {"type":"call.connected"}
        {"type":"agent.said","text":"Good morning, who is it?"}
        {"type":"call.handed_over","to":"ben"}
        {"type":"call.transferred","to":"ben"}
        {"type":"call.ended","by":"carrier","why":"completed"}
    "#]],
    )
    .await;
    let requests = house.exchange.requests();
    assert!(
        !requests.iter().any(is_dial),
        "the carrier dials, and not we"
    );
}

pub(super) async fn a_transfer_nobody_takes(carrier: &str) {
    let house = with_ben(carrier, PhonePlan::never_talks(Pickup::Busy)).await;
    let script = [Step::Wait(ms(6_000)), Step::HangUp];
    let (call, record) = called(&house, script).await;
    put_through(&house, &record).await;
    let outcome = soon(house.exchange.call(&call)).await;
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    is_told(
        &record,
        &expect![[r#"
        {"type":"call.offered"}
        {"type":"call.answered"}
        {"type":"call.connected"}
        {"type":"agent.said","text":"Good morning, who is it?"}
        {"type":"call.handed_over","to":"ben"}
        {"type":"call.transfer_failed","to":"ben","why":"busy"}
        {"type":"call.reconnected"}
        {"type":"agent.said","text":"I am sorry, Ben is on another call."}
        {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    )
    .await;
}

pub(super) async fn a_transfer_that_the_caller_leaves(carrier: &str) {
    let house = with_ben(carrier, PhonePlan::never_talks(Pickup::NoAnswer)).await;
    let script = [Step::Wait(ms(3_500)), Step::HangUp];
    let (call, record) = called(&house, script).await;
    put_through(&house, &record).await;
    let outcome = soon(house.exchange.call(&call)).await;
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    let ben = other(&house, &call).await;
    assert_eq!(ben.talked, ms(0), "his phone rings no longer");
    let story = told(&record).await;
    let end = "{\"type\":\"call.handed_over\",\"to\":\"ben\"}\n{\"type\":\"call.ended\",\"by\":\"caller\",\"why\":\"hung_up\"}\n";
    assert!(story.ends_with(end), "{story}");
}

/// A house with an agent that talks, and someone it may put callers through to.
async fn with_ben(carrier: &str, ben: PhonePlan) -> House {
    with_ben_and(carrier, ben, "").await
}

/// The same, with more in its configuration.
pub(super) async fn with_ben_and(carrier: &str, ben: PhonePlan, more: &str) -> House {
    let exchange = exchange_of(carrier).phone(BEN, ben);
    House::beside(exchange, listener(), Mischief::default(), knows_ben(more)).await
}

/// An agent that talks, and may put callers through to Ben.
pub(crate) fn knows_ben(more: &str) -> impl FnOnce(&Path, String) -> String {
    move |_, text| {
        let agent = r#"
[agents.service]
kind = "answering-service"
owner = "Robert"
opening = "Good morning, who is it?"
transfer_to = ["ben"]
[transfers.ben]
number = "<ben>"
spoken = "Ben"
by = "carrier"
[policy]
call = ["<ben>", "#;
        let text = text.replace("agent = \"echo\"", "agent = \"service\"");
        text.replace("[policy]\ncall = [", &agent.replace("<ben>", BEN)) + more
    }
}

/// Someone calls, and has heard the greeting.
pub(super) async fn called(house: &House, script: impl Into<Vec<Step>>) -> (String, Arc<Record>) {
    let call = house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    let greeted = async {
        loop {
            if let Some(record) = house.gateway.board.calls().first()
                && events(record)
                    .iter()
                    .any(|it| matches!(it, call::Event::AgentSaid { .. }))
            {
                return record.clone();
            }
            tokio::time::sleep(ms(10)).await;
        }
    };
    (call, soon(greeted).await)
}

pub(super) async fn put_through(house: &House, record: &Arc<Record>) {
    let referral = Referral {
        to: "ben".to_owned(),
        about: "the order".to_owned().into(),
    };
    let referred = house.gateway.board.refer(record, referral).await;
    assert!(matches!(referred, Ok(Referred::ToCarrier)), "{referred:?}");
}

/// What became of the call that the carrier made.
pub(super) async fn other(house: &House, call: &str) -> Arc<Outcome> {
    loop {
        let outcome = house.outcome().await;
        if outcome.call != call {
            return outcome;
        }
    }
}

pub(crate) const BEN: &str = "+15557654321";
