//! Callers whom their carrier puts through: people we called, and gateways that do not live to see how it ends.

use std::sync::Arc;

use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::{EndedBy, Status};
use expect_test::{Expect, expect};
use gateway::journal::{Row, Wanted};
use gateway::switchboard::{OnMachine, Purpose, Record, Wish};
use serde_json::Value;

use super::transfers::{BEN, called, knows_ben, other, put_through};
use super::{is_dial, is_told, tone};
use crate::house::{House, THEIRS, events, exchange_of, soon};
use crate::ms;

pub(super) async fn a_transfer_of_someone_we_called(carrier: &str) {
    let talks = [
        Step::Wait(ms(800)),
        Step::Say(tone()),
        Step::Wait(ms(800)),
        Step::HangUp,
    ];
    let timeout = ms(15_000);
    let stays = [Step::WaitForHangUp { timeout }];
    let (house, record) = on_the_phone(carrier, talks, stays).await;
    put_through(&house, &record).await;
    let outcomes = [house.outcome().await, house.outcome().await];
    let theirs = outcomes.iter().find(|it| it.to == THEIRS);
    let theirs = theirs.expect("they were called");
    assert_eq!(theirs.status, Status::Completed);
    // The greeting, and the second that Ben spoke for.
    let heard = theirs.report.agent_spoke;
    assert!(heard >= ms(1_800), "{heard:?}");
    assert!(theirs.warnings.is_empty(), "{:?}", theirs.warnings);
    is_told(
        &record,
        &expect![[r#"
        {"type":"call.dialed"}
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
    assert_eq!(requests.iter().filter(|it| is_dial(it)).count(), 1);
}

pub(super) async fn a_transfer_left_by_someone_we_called(carrier: &str) {
    let timeout = ms(15_000);
    let stays = [Step::WaitForHangUp { timeout }];
    let leaves = [Step::Wait(ms(5_000)), Step::HangUp];
    let (house, record) = on_the_phone(carrier, stays, leaves).await;
    put_through(&house, &record).await;
    let outcomes = [house.outcome().await, house.outcome().await];
    let theirs = outcomes.iter().find(|it| it.to == THEIRS);
    assert_eq!(theirs.map(|it| it.ended_by), Some(EndedBy::Caller));
    is_told(
        &record,
        &expect![[r#"
        {"type":"call.dialed"}
        {"type":"call.answered"}
        {"type":"call.connected"}
        {"type":"agent.said","text":"Good morning, who is it?"}
        {"type":"call.handed_over","to":"ben"}
        {"type":"call.transferred","to":"ben"}
        {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    )
    .await;
}

pub(super) async fn a_transfer_that_outlives_its_gateway(carrier: &str) {
    let script = [
        Step::Wait(ms(4_000)),
        Step::Say(tone()),
        Step::Wait(ms(500)),
        Step::HangUp,
    ];
    let exchange = exchange_of(carrier).phone(BEN, PhonePlan::answers(ms(300), script));
    let house = House::mortal(exchange, crate::listener(), knows_ben("")).await;
    let timeout = ms(15_000);
    let (call, record) = called(&house, [Step::WaitForHangUp { timeout }]).await;
    put_through(&house, &record).await;
    until(&record, |it| matches!(it, call::Event::Transferred { .. })).await;
    drop(record);
    let house = house.with_its_gateway_killed().await;
    let caller = soon(house.exchange.call(&call)).await;
    let ben = other(&house, &call).await;
    assert_eq!(ben.ended_by, EndedBy::Caller, "he hung up");
    let heard = caller.report.agent_spoke;
    assert!(heard >= ms(1_800), "Ben was heard: {heard:?}");
    is_written(
        &house,
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

pub(super) async fn a_transfer_nobody_takes_that_outlives_its_gateway(carrier: &str) {
    let exchange = exchange_of(carrier).phone(BEN, PhonePlan::never_talks(Pickup::NoAnswer));
    let more = "[transfers.ben]\nwait_seconds = 10\n";
    let other = |path: &std::path::Path, text: String| {
        knows_ben("")(path, text).replace("[transfers.ben]\n", more)
    };
    let house = House::mortal(exchange, crate::listener(), other).await;
    let script = [Step::Wait(ms(16_000)), Step::HangUp];
    let (call, record) = called(&house, script).await;
    put_through(&house, &record).await;
    until(&record, |it| matches!(it, call::Event::HandedOver { .. })).await;
    // So long that his phone rings, wherever it is.
    tokio::time::sleep(ms(1_000)).await;
    drop(record);
    let house = house.with_its_gateway_killed().await;
    let caller = soon(house.exchange.call(&call)).await;
    assert_eq!(caller.ended_by, EndedBy::Caller);
    is_written(
        &house,
        &expect![[r#"
        {"type":"call.offered"}
        {"type":"call.answered"}
        {"type":"call.connected"}
        {"type":"agent.said","text":"Good morning, who is it?"}
        {"type":"call.handed_over","to":"ben"}
        {"type":"call.transfer_failed","to":"ben","why":"no_answer"}
        {"type":"call.reconnected"}
        {"type":"agent.said","text":"I am sorry, Ben does not answer."}
        {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    )
    .await;
}

/// Someone we called talks to an agent, and has heard its greeting.
async fn on_the_phone(
    carrier: &str,
    ben: impl Into<Vec<Step>>,
    theirs: impl Into<Vec<Step>>,
) -> (House, Arc<Record>) {
    let exchange = exchange_of(carrier).phone(BEN, PhonePlan::answers(ms(300), ben));
    let phone = PhonePlan::answers(ms(100), theirs);
    let house = House::beside(exchange, phone, Mischief::default(), knows_ben("")).await;
    let wish = Wish {
        to: THEIRS.into(),
        purpose: Purpose::Converse,
        on_machine: OnMachine::Talk,
        ..Wish::default()
    };
    let record = house.gateway.board.dial(wish).await;
    let record = record.expect("it may be called");
    until(&record, |it| matches!(it, call::Event::AgentSaid { .. })).await;
    (house, record)
}

async fn until(record: &Record, so: impl Fn(&call::Event) -> bool) {
    let told = async {
        while !events(record).iter().any(&so) {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(told).await;
}

/// Everything that is written of the only call there has been, by whichever gateway, without times.
async fn is_written(house: &House, story: &Expect) {
    let journal = house.gateway.board.journal();
    let reader = journal.reader().expect("it is there");
    let whole = async {
        loop {
            let rows = reader
                .after(&Wanted::default())
                .await
                .expect("it can be read");
            if rows.iter().any(|it| it.entry.contains("\"call.ended\"")) {
                return rows;
            }
            tokio::time::sleep(ms(10)).await;
        }
    };
    let plain = ["type", "to", "why", "by", "text"];
    let rows = soon(whole).await.into_iter();
    // That they may be put through is said beside the call, once.
    let is_beside = |it: &Row| it.entry.contains("\"policy.");
    let (beside, rows): (Vec<_>, Vec<_>) = rows.partition(is_beside);
    assert_eq!(beside.len(), 1, "{beside:?}");
    assert!(
        beside[0].entry.contains("\"what\":\"transfer\""),
        "{beside:?}"
    );
    let lines = rows.into_iter().map(|row| {
        let mut entry: Value = serde_json::from_str(&row.entry).expect("it is JSON");
        if let Value::Object(fields) = &mut entry {
            fields.retain(|name, _| plain.contains(&name.as_str()));
        }
        format!("{entry}\n")
    });
    story.assert_eq(&lines.collect::<String>());
}
