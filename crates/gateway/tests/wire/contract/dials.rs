//! Dials whose answer does not come, on every carrier's wire. Each makes one request, whatever happens.

use std::time::Duration;

use call::{Dialling, Pace};
use exchange::mischief::{Callbacks, Mischief};
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::{EndedBy, Trouble};
use gateway::config::Plan;
use gateway::switchboard::CallId;
use ports::code;

use super::{house, is_dial, notify, told};
use crate::house::{House, THEIRS, exchange_of, soon};
use crate::owners::client;
use crate::{listener, ms};

/// The carrier took the dial, its answer breaks off, and the call tells of itself.
pub(super) async fn a_dial_without_an_answer(carrier: &str) {
    for bytes in [0, 9] {
        let house = house(carrier, listener(), Mischief::default()).await;
        house.exchange.trouble(Trouble::Cut(bytes));
        let record = notify(&house, "Hi! This is a test call.").await;
        let outcome = house.outcome().await;
        assert_eq!(outcome.ended_by, EndedBy::Api);
        let story = told(&record).await;
        assert!(story.contains("agent.said"), "{story}");
        assert_eq!(record.dialling(), Dialling::Placed);
        assert_eq!(dials(&house), 1);
    }
}

/// The same, and nothing tells of it while it rings: it is in the carrier's lists, and so it can be hung up.
pub(super) async fn a_dial_that_is_found_again(carrier: &str) {
    let mischief = Mischief {
        callbacks: Callbacks {
            lost: ["initiated", "ringing", "Ring", "call.initiated"]
                .map(str::to_owned)
                .into(),
            ..Callbacks::default()
        },
        ..Mischief::default()
    };
    let phone = PhonePlan::never_talks(Pickup::NoAnswer);
    let house = house(carrier, phone, mischief).await;
    hurry(&house);
    house.exchange.trouble(Trouble::Cut(0));
    let record = notify(&house, "Hi").await;
    let found = async {
        while record.leg().is_none() {
            assert!(!record.log.is_closed(), "nobody knows yet");
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(found).await;
    record.hang_up().await;
    let outcome = house.outcome().await;
    assert_eq!(outcome.ended_by, EndedBy::Api);
    assert_eq!(outcome.talked, ms(0));
    soon(record.log.ended()).await;
    assert_eq!(record.dialling(), Dialling::Placed);
    assert_eq!(dials(&house), 1);
}

/// The carrier took it, nothing told of it, and it was over before anyone asked: no carrier says that it never was.
pub(super) async fn a_dial_that_was_over_before_anyone_asked(carrier: &str) {
    let mischief = Mischief {
        callbacks: Callbacks {
            lost: [
                "initiated",
                "ringing",
                "Ring",
                "answered",
                "completed",
                "Hangup",
                "StartApp",
                "call.initiated",
                "call.answered",
                "call.hangup",
            ]
            .map(str::to_owned)
            .into(),
            ..Callbacks::default()
        },
        ..Mischief::default()
    };
    let phone = PhonePlan::never_talks(Pickup::Reject(ms(50)));
    let house = house(carrier, phone, mischief).await;
    hurry(&house);
    house.exchange.trouble(Trouble::Cut(0));
    let record = notify(&house, "Hi").await;
    house.outcome().await;
    soon(record.log.ended()).await;
    let settled = async {
        while record.dialling() != Dialling::Placed {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(settled).await;
    assert_eq!(dials(&house), 1);
}

/// The carrier did not take it, and nobody could know: it is asked twice, and believed.
pub(super) async fn a_dial_that_never_was(carrier: &str) {
    let house = house(carrier, listener(), Mischief::default()).await;
    hurry(&house);
    house.exchange.trouble(Trouble::Unavailable);
    let record = notify(&house, "Hi").await;
    let story = told(&record).await;
    let end = r#"{"type":"call.ended","by":"carrier","why":"fault"}"#;
    assert!(story.trim_end().ends_with(end), "{story}");
    let settled = async {
        while record.dialling() != Dialling::Refused {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(settled).await;
    assert_eq!(
        record.fault().map(|it| it.code),
        Some(code::CARRIER_UNKNOWN)
    );
    assert_eq!(dials(&house), 1);
}

/// The gateway is gone between the request and its answer. The next one knows that it may have been sent,
/// and goes on with the call.
pub(super) async fn a_dial_that_its_gateway_did_not_live_to_see_answered(carrier: &str) {
    let script = [Step::Wait(ms(2_500)), Step::HangUp];
    let phone = PhonePlan::answers(ms(2_000), script);
    let house = House::mortal(exchange_of(carrier), phone, |_, text| text).await;
    house
        .exchange
        .trouble(Trouble::Slow(Duration::from_secs(10)));
    // By its own door: what it begins by itself is gone with it.
    let order = serde_json::json!({ "to": THEIRS, "say": "Hi! This is a test call." });
    let asked = client()
        .post(format!("{}/v1/calls", house.public))
        .json(&order);
    let asked = asked.bearer_auth(house.gateway.token.reveal());
    let answer = soon(asked.send()).await.expect("it answers");
    let call: serde_json::Value = soon(answer.json()).await.expect("it is JSON");
    let sent = async {
        while dials(&house) == 0 {
            tokio::time::sleep(ms(5)).await;
        }
    };
    soon(sent).await;
    let id = call["id"]
        .as_str()
        .and_then(CallId::parse)
        .expect("it was made");
    let house = house.with_its_gateway_killed().await;
    house.outcome().await;
    assert_eq!(dials(&house), 1);
    let record = house.gateway.board.call(id).expect("it was taken up");
    soon(record.log.ended()).await;
    assert_eq!(record.dialling(), Dialling::Placed);
}

fn dials(house: &House) -> usize {
    house
        .exchange
        .requests()
        .iter()
        .filter(|it| is_dial(it))
        .count()
}

/// Nobody waits here for lists that are behind.
fn hurry(house: &House) {
    let board = &house.gateway.board;
    let inquiry = Pace {
        first: ms(200),
        second: ms(300),
        ..Pace::default()
    };
    board.adopt(Plan {
        inquiry,
        ..(*board.plan()).clone()
    });
}
