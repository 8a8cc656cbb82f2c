//! Callers in a room that their carrier keeps, for carriers that have such.

use std::sync::Arc;

use call::Referral;
use exchange::mischief::{Callbacks, Mischief, Order};
use exchange::phone::Step;
use exchange::{Answer, EndedBy, Exchange, Kind, Trouble};
use expect_test::expect;
use gateway::cli::lists;
use gateway::config;
use gateway::switchboard::{Record, Referred};

use crate::contract::{is_dial, told};
use crate::house::{House, OURS, THEIRS, events, exchange_of, soon};
use crate::meetings::{power_at, tone};
use crate::{listener, ms};

/// Tells every story over the wire of every carrier that keeps rooms.
macro_rules! conferring {
    ($($carrier:ident),*) => {
        /// The carriers that keep rooms.
        const ABLE: &[&str] = &[$(stringify!($carrier)),*];

        $(mod $carrier {
            #[tokio::test(flavor = "multi_thread")]
            async fn two_callers_are_put_into_one_room_and_hear_each_other() {
                super::two_in_a_room(stringify!($carrier)).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_room_that_says_nothing_is_asked() {
                super::a_silent_room(stringify!($carrier)).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn what_is_said_twice_or_forged_changes_nothing() {
                super::a_noisy_room(stringify!($carrier)).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_caller_who_is_not_let_in_stays_with_the_agent() {
                super::a_closed_door(stringify!($carrier)).await;
            }
        })*
    };
}

conferring!(twilio, plivo);

async fn two_in_a_room(carrier: &str) {
    let house = with_room(carrier, Callbacks::default()).await;
    let tones = [500.0, 750.0];
    let (mut calls, mut records) = (Vec::new(), Vec::new());
    for ((from, hz), stays) in [THEIRS, COLLEAGUE]
        .into_iter()
        .zip(tones)
        .zip([5_000, 1_500])
    {
        let script = [
            greeted(),
            // Both are in the room by then.
            Step::Wait(ms(6_000)),
            Step::Say(tone(hz, ms(2_000))),
            Step::Wait(ms(stays)),
            Step::HangUp,
        ];
        let (call, record) = called(&house, from, script).await;
        put_in(&house, &record).await;
        calls.push(call);
        records.push(record);
    }
    for (index, call) in calls.iter().enumerate() {
        let outcome = soon(house.exchange.call(call)).await;
        assert_eq!(outcome.ended_by, EndedBy::Caller);
        assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
        let heard = |hz: f64| {
            let windows = outcome.ear.agent().chunks(8 * 100);
            windows.filter(|it| power_at(it, hz) > 0.5).count()
        };
        let (own, other) = (heard(tones[index]), heard(tones[1 - index]));
        assert!(other >= 15, "{index} heard {other} tenths");
        assert_eq!(own, 0, "{index} hears themselves");
    }
    for record in &records {
        expect![[r#"
            {"type":"call.offered"}
            {"type":"call.answered"}
            {"type":"call.connected"}
            {"type":"agent.said","text":"Good morning, who is it?"}
            {"type":"call.handed_over","to":"standup"}
            {"type":"call.transferred","to":"standup"}
            {"type":"call.ended","by":"caller","why":"hung_up"}
        "#]]
        .assert_eq(&told(record).await);
    }
    let requests = house.exchange.requests();
    assert!(!requests.iter().any(is_dial), "nobody is dialled");
}

/// A room says who is in it only to whoever opened it, and not always in order.
async fn a_silent_room(carrier: &str) {
    // That they came is never said, or when they are gone.
    let callbacks = [
        Callbacks {
            lost: ARRIVALS.map(str::to_owned).into(),
            ..Callbacks::default()
        },
        Callbacks {
            order: Order::LastFirst,
            ..Callbacks::default()
        },
    ];
    for callbacks in callbacks {
        let (house, record) = visited(carrier, callbacks.clone()).await;
        if callbacks.order == Order::LastFirst {
            let story = told(&record).await;
            arrival(&house.exchange).await;
            assert_eq!(told(&record).await, story, "nothing is revived");
        }
    }
}

async fn a_noisy_room(carrier: &str) {
    let callbacks = Callbacks {
        forged: 2,
        duplicates: 2,
        ..Callbacks::default()
    };
    let (house, _) = visited(carrier, callbacks).await;
    let deliveries = house.exchange.deliveries();
    let fakes: Vec<_> = deliveries
        .iter()
        .filter(|it| it.kind == Kind::Forged)
        .collect();
    assert!(!fakes.is_empty());
    for fake in fakes {
        assert_eq!(fake.answer, Answer::Status(403));
    }
}

/// A call that was in a room for a while, and how that was told.
async fn visited(carrier: &str, callbacks: Callbacks) -> (House, Arc<Record>) {
    let house = with_room(carrier, callbacks).await;
    let script = [greeted(), Step::Wait(ms(4_000)), Step::HangUp];
    let (call, record) = called(&house, THEIRS, script).await;
    put_in(&house, &record).await;
    soon(house.exchange.call(&call)).await;
    let story = told(&record).await;
    let end = "{\"type\":\"call.handed_over\",\"to\":\"standup\"}\n\
               {\"type\":\"call.transferred\",\"to\":\"standup\"}\n\
               {\"type\":\"call.ended\",\"by\":\"caller\",\"why\":\"hung_up\"}\n";
    assert!(story.ends_with(end), "{story}");
    (house, record)
}

async fn a_closed_door(carrier: &str) {
    let house = with_room(carrier, Callbacks::default()).await;
    let script = [greeted(), Step::Wait(ms(5_000)), Step::HangUp];
    let (call, record) = called(&house, THEIRS, script).await;
    house.exchange.trouble(Trouble::Unavailable);
    put_in(&house, &record).await;
    let outcome = soon(house.exchange.call(&call)).await;
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    let story = told(&record).await;
    let end = "{\"type\":\"call.handed_over\",\"to\":\"standup\"}\n\
               {\"type\":\"call.transfer_failed\",\"to\":\"standup\",\"why\":\"fault\"}\n";
    assert!(story.contains(end), "{story}");
    let sorry = "I am sorry, I cannot let you into the stand-up right now.";
    assert!(story.contains(sorry), "{story}");
}

/// Waits until somebody's arrival was reported.
async fn arrival(exchange: &Exchange) {
    let reported = async {
        let is_arrival = |it: &exchange::Delivery| ARRIVALS.contains(&it.event.as_str());
        while !exchange.deliveries().iter().any(is_arrival) {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(reported).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_without_rooms_is_refused_one_at_start_up() {
    for carrier in exchange::CARRIERS {
        let exchange = exchange_of(carrier).number(OURS, "http://127.0.0.1:9/");
        let exchange = exchange.start().await.expect("the exchange starts");
        let text = format!(
            "[server]\npublic_url = \"http://localhost:1\"\n{}\n\
             [numbers.\"{OURS}\"]\ncarrier = \"{carrier}\"\nagent = \"echo\"\n\
             [agents.echo]\nkind = \"echo-test\"\n\
             [transfers.standup]\nconference = \"Daily stand-up\"\n[policy]\ncall = []\n",
            exchange.configuration()
        );
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let path = folder.path().join("offhook.toml");
        std::fs::write(&path, text).expect("the folder is ours");
        match config::load(&path, &lists()) {
            Ok(_) => assert!(ABLE.contains(carrier), "{carrier}"),
            Err(problems) => {
                assert!(!ABLE.contains(carrier), "{carrier}: {problems:#?}");
                assert_eq!(problems.len(), 1, "{problems:#?}");
                let problem = problems[0].to_string();
                assert!(problem.contains("keeps no conferences"), "{problem}");
            }
        }
    }
}

fn greeted() -> Step {
    Step::WaitForAgent {
        quiet: ms(500),
        timeout: ms(9_000),
    }
}

/// A house that may dial nobody, with an agent that may put callers into a room.
async fn with_room(carrier: &str, callbacks: Callbacks) -> House {
    let mischief = Mischief {
        callbacks,
        ..Mischief::default()
    };
    let text = |_: &std::path::Path, text: String| {
        let agent = r#"
[agents.service]
kind = "answering-service"
owner = "Robert"
opening = "Good morning, who is it?"
transfer_to = ["standup"]
[transfers.standup]
conference = "Daily stand-up"
spoken = "the stand-up"
[policy]
calls_per_hour = 0
call = ["#;
        let text = text.replace("agent = \"echo\"", "agent = \"service\"");
        let text = text.replace(&format!("call = [\"{THEIRS}\"]"), "call = []");
        let answers = format!("answer = [\"{COLLEAGUE}\", ");
        let text = text.replace("answer = [", &answers);
        let text = text.replace("owner = [", &format!("owner = [\"{COLLEAGUE}\", "));
        text.replace("[policy]\ncall = [", agent)
    };
    House::beside(exchange_of(carrier), listener(), mischief, text).await
}

/// Someone calls, and has heard the greeting.
async fn called(house: &House, from: &str, script: impl Into<Vec<Step>>) -> (String, Arc<Record>) {
    let call = house.exchange.call_in(from, OURS, script).expect("ours");
    let greeted = async {
        loop {
            let calls = house.gateway.board.calls();
            let record = calls
                .iter()
                .find(|it| it.caller.as_ref().is_some_and(|it| it.as_str() == from));
            if let Some(record) = record
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

async fn put_in(house: &House, record: &Arc<Record>) {
    let referral = Referral {
        to: "standup".to_owned(),
        about: "the order".to_owned().into(),
    };
    let referred = house.gateway.board.refer(record, referral).await;
    assert!(matches!(referred, Ok(Referred::ToCarrier)), "{referred:?}");
}

const COLLEAGUE: &str = "+15552223333";

/// What carriers call it that somebody came into a room.
const ARRIVALS: [&str; 2] = ["participant-join", "ConferenceEnter"];
