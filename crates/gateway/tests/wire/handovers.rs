//! What is refused, counted and looked at again before a carrier puts anyone through by itself.

use std::path::Path;
use std::sync::Arc;

use call::Referral;
use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::{EndedBy, Trouble};
use gateway::switchboard::{Record, Referred};
use ports::{Fault, code};

use crate::house::{House, OURS, THEIRS, events, exchange_of, soon};
use crate::owners::post;
use crate::{listener, ms};

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_put_through_from_a_call_without_an_agent() {
    for by in ["carrier", "gateway"] {
        let house = house(by, 20).await;
        let record = house
            .notify(THEIRS, "This is a notice, and a long one.")
            .await;
        let record = record.expect("it may be called");
        soon(record.log.connected()).await;
        let fault = refer(&house, &record)
            .await
            .expect_err("a notice waits for nobody");
        assert_eq!(fault.code, code::CALL_NOT_UP, "{by}: {fault}");
        soon(record.log.ended()).await;
        let told = events(&record);
        let gone = |it: &call::Event| matches!(it, call::Event::HandedOver { .. });
        assert!(!told.iter().any(gone));
        assert_eq!(dials(&house), 1, "{by}: the notice alone");
    }
}

/// An hour may have two calls in it, and the second is asked for twice.
#[tokio::test(flavor = "multi_thread")]
async fn asked_for_twice_a_caller_is_put_through_once() {
    let house = house("carrier", 1).await;
    let (call, record) = caller(&house).await;
    let (one, other) = tokio::join!(refer(&house, &record), refer(&house, &record));
    assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
    let handed = async {
        while record.log.is_alone() {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(handed).await;
    let fault = refer(&house, &record).await.expect_err("they are gone");
    assert_eq!(fault.code, code::CALL_NOT_UP);
    let outcome = soon(house.exchange.call(&call)).await;
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    let told = events(&record);
    let gone = |it: &&call::Event| matches!(it, call::Event::HandedOver { .. });
    assert_eq!(told.iter().filter(gone).count(), 1, "{told:?}");
    let failed = |it: &call::Event| matches!(it, call::Event::TransferFailed { why, .. } if *why == call::event::Why::Busy);
    assert!(
        told.iter().any(failed),
        "his phone rang, and he was busy: {told:?}"
    );
}

/// The same where we call him ourselves: his phone rings once, and one of the two is refused.
#[tokio::test(flavor = "multi_thread")]
async fn asked_for_twice_at_once_we_call_once() {
    let house = house("gateway", 20).await;
    let (call, record) = caller(&house).await;
    let (one, other) = tokio::join!(refer(&house, &record), refer(&house, &record));
    let refused = match (one, other) {
        (Ok(_), Err(fault)) | (Err(fault), Ok(_)) => fault,
        both => panic!("{both:?}"),
    };
    assert_eq!(refused.code, code::CALL_NOT_UP, "{refused}");
    // He was busy, and whoever is back may be put through again.
    let regrets = async {
        let sorry = "I am sorry, Ben is on another call.";
        let said = |it: &call::Event| matches!(it, call::Event::AgentSaid { text } if text.reveal() == sorry);
        while !events(&record).iter().any(said) {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(regrets).await;
    assert_eq!(dials(&house), 1);
    refer(&house, &record).await.expect("nobody has them now");
    let outcome = soon(house.exchange.call(&call)).await;
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    assert_eq!(dials(&house), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_is_asked_for_again_by_its_key_calls_once() {
    let house = house("gateway", 20).await;
    let (_, record) = caller(&house).await;
    let path = format!("/v1/calls/{}/transfer", record.id);
    let wanted = serde_json::json!({ "to": "ben" });
    let (status, again, _) = post(&house, &path, "one", &wanted).await;
    assert_eq!((status, again), (202, false));
    let (status, again, _) = post(&house, &path, "one", &wanted).await;
    assert_eq!((status, again), (202, true));
    let other = serde_json::json!({ "to": "ben", "about": "the order" });
    assert_eq!(post(&house, &path, "one", &other).await.0, 422);
    let called = async {
        while dials(&house) == 0 {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(called).await;
    record.hang_up().await;
    soon(record.log.ended()).await;
    assert_eq!(dials(&house), 1);
}

/// Whoever asks is told by the rules in force, and what is dialled is what they were asked about.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_means_whom_it_means_by_now() {
    let house = house("carrier", 20).await;
    let (call, record) = caller(&house).await;
    let text = house.text.replace(BEN, ELSEWHERE);
    std::fs::write(house.file("offhook.toml"), text).expect("the folder is ours");
    let rulebook = house.gateway.rulebook.clone().expect("it has a file");
    rulebook.reload().await.expect("nothing is wrong with it");
    assert!(matches!(
        refer(&house, &record).await,
        Ok(Referred::ToCarrier)
    ));
    let first = soon(house.exchange.next_outcome()).await;
    let second = soon(house.exchange.next_outcome()).await;
    let called = if first.call == call { second } else { first };
    assert_eq!(called.to, ELSEWHERE);
}

#[tokio::test(flavor = "multi_thread")]
async fn hanging_up_does_not_wait_for_a_carrier_that_is_slow_to_answer() {
    let house = house("carrier", 20).await;
    let (call, record) = caller(&house).await;
    let slow = Trouble::Slow(ms(12_000));
    house.exchange.trouble(slow);
    assert!(matches!(
        refer(&house, &record).await,
        Ok(Referred::ToCarrier)
    ));
    let is_told = |it: &exchange::Request| it.form.iter().any(|(name, _)| name == "Twiml");
    let asked = async {
        while !house.exchange.requests().iter().any(is_told) {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(asked).await;
    record.hang_up().await;
    let over = tokio::time::timeout(ms(6_000), house.exchange.call(&call)).await;
    let outcome = over.expect("the call is over before that is answered");
    assert_eq!(outcome.ended_by, EndedBy::Api);
}

/// A house whose callers may be put through to someone who is on another call.
async fn house(by: &str, calls_per_hour: usize) -> House {
    let busy = || PhonePlan::never_talks(Pickup::Busy);
    let exchange = exchange_of("twilio")
        .phone(BEN, busy())
        .phone(ELSEWHERE, busy());
    let text = |_: &Path, text: String| {
        let agent = format!(
            "[agents.service]\nkind = \"answering-service\"\nowner = \"Robert\"\n\
             opening = \"Good morning, who is it?\"\ntransfer_to = [\"ben\"]\n\
             [transfers.ben]\nspoken = \"Ben\"\nnumber = \"{BEN}\"\nby = \"{by}\"\n\
             [policy]\ncalls_per_hour = {calls_per_hour}\ncall = [\"{BEN}\", \"{ELSEWHERE}\", "
        );
        let text = text.replace("agent = \"echo\"", "agent = \"service\"");
        let text = text.replace("max_calls = 2", "max_calls = 4");
        text.replace("[policy]\ncall = [", &agent)
    };
    House::beside(exchange, listener(), Mischief::default(), text).await
}

/// Someone calls, and has heard the greeting.
async fn caller(house: &House) -> (String, Arc<Record>) {
    let stays = [Step::Wait(ms(8_000)), Step::HangUp];
    let call = house.exchange.call_in(THEIRS, OURS, stays).expect("ours");
    let greeted = |it: &Arc<Record>| {
        let told = events(it);
        told.iter()
            .any(|it| matches!(it, call::Event::AgentSaid { .. }))
    };
    let record = async {
        loop {
            if let Some(record) = house.gateway.board.calls().first().filter(|it| greeted(it)) {
                return record.clone();
            }
            tokio::time::sleep(ms(10)).await;
        }
    };
    (call, soon(record).await)
}

async fn refer(house: &House, record: &Arc<Record>) -> Result<Referred, Fault> {
    let referral = Referral {
        to: "ben".to_owned(),
        about: "the order".to_owned().into(),
    };
    house.gateway.board.refer(record, referral).await
}

/// How many calls the gateway has asked its carrier for.
fn dials(house: &House) -> usize {
    let requests = house.exchange.requests();
    requests
        .iter()
        .filter(|it| crate::contract::is_dial(it))
        .count()
}

const BEN: &str = "+15557654321";
const ELSEWHERE: &str = "+15557650000";
