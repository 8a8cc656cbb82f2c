//! Calls over the real wire: a carrier's API, its webhooks, its sockets, on loopback.

mod agents;
mod canaries;
mod conferences;
mod contract;
mod disk;
mod doctor;
mod doors;
mod expose;
mod flights;
mod handovers;
mod histories;
mod house;
mod judged;
mod keys;
mod law;
mod load;
mod logs;
mod matrix;
mod meetings;
mod numbers;
mod outcomes;
mod owners;
mod phone;
mod promises;
mod rails;
mod reload;
mod reports;
mod restart;
mod servers;
mod setup;
mod surface;
mod tools;
mod traces;
mod trust;
mod wide;

use std::time::Duration;

use call::Event;
use call::event::{End, Party, Why};
use exchange::mischief::{Callbacks, Mischief, Order, Signature, Socket, Wire};
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::{Answer, EndedBy, Kind, Status};
use house::{House, OURS, STRANGER, THEIRS, events, soon};
use ports::code;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Picks up, listens, and waits for the far end to hang up.
fn listener() -> PhonePlan {
    PhonePlan::answers(
        ms(100),
        [Step::WaitForHangUp { timeout: ms(8_000) }, Step::HangUp],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_is_said_heard_and_the_call_ended() {
    let house = House::new(listener(), Mischief::default()).await;
    let record = house
        .notify(THEIRS, "Hi! This is a test call.")
        .await
        .expect("it may be dialled");
    let outcome = house.outcome().await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Completed, EndedBy::Api)
    );
    assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
    let spoke = outcome.report.agent_spoke;
    assert!(
        spoke.abs_diff(ms(24 * 50)) < ms(60),
        "24 letters were heard for {spoke:?}"
    );
    assert!(outcome.report.underruns.is_empty());
    soon(record.log.ended()).await;
    let said: Vec<_> = events(&record);
    assert!(
        said.iter().any(|it| matches!(it, Event::Answered)),
        "{said:?}"
    );
    assert!(said.iter().any(|it| matches!(it, Event::AgentSaid { .. })));
    let end = End {
        by: Party::Agent,
        why: Why::Completed,
    };
    assert_eq!(said.last(), Some(&Event::Ended(end)));
    let dials = house
        .exchange
        .requests()
        .iter()
        .filter(|it| it.path.ends_with("/Calls.json"))
        .count();
    assert_eq!(dials, 1, "one request, one dial");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_number_that_is_not_listed_is_never_dialled() {
    let house = House::new(listener(), Mischief::default()).await;
    for number in [
        STRANGER,
        "+155512345678",
        "+1555123456",
        "15551234567",
        "911",
        "",
        "+1 555 123 4567",
    ] {
        let fault = house
            .notify(number, "Hi")
            .await
            .expect_err("it may not be dialled");
        assert!(
            [
                code::POLICY_NOT_ALLOWED,
                code::POLICY_NUMBER,
                code::POLICY_DANGEROUS
            ]
            .contains(&fault.code),
            "{number}: {}",
            fault.code
        );
        assert!(fault.hint.is_some(), "{number}");
    }
    assert!(
        house.exchange.requests().is_empty(),
        "the carrier saw nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn phones_that_are_not_answered_end_the_call_as_they_should() {
    let cases = [
        (Pickup::Busy, Party::Caller, Why::Busy),
        (Pickup::Reject(ms(50)), Party::Caller, Why::Busy),
        (Pickup::Unreachable, Party::Carrier, Why::Fault),
    ];
    for (pickup, by, why) in cases {
        let house = House::new(PhonePlan::never_talks(pickup), Mischief::default()).await;
        let record = house.notify(THEIRS, "Hi").await.expect("it may be dialled");
        soon(record.log.ended()).await;
        assert_eq!(
            events(&record).last(),
            Some(&Event::Ended(End { by, why })),
            "{pickup:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_on_the_list_is_answered_and_hears_themselves() {
    let house = House::new(listener(), Mischief::default()).await;
    let tone: Vec<i16> = (0..8_000)
        .map(|at| (9_000.0 * (f64::from(at) * 0.35).sin()) as i16)
        .collect();
    let script = [
        Step::Wait(ms(300)),
        Step::Say(tone),
        Step::Wait(ms(500)),
        Step::HangUp,
    ];
    let call = house
        .exchange
        .call_in(THEIRS, OURS, script)
        .expect("the number is ours");
    let outcome = soon(house.exchange.call(&call)).await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Completed, EndedBy::Caller)
    );
    assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
    assert!(
        outcome.report.agent_spoke >= ms(950),
        "{:?}",
        outcome.report
    );
    let record = &house.gateway.board.calls()[0];
    soon(record.log.ended()).await;
    let end = End {
        by: Party::Caller,
        why: Why::HungUp,
    };
    assert_eq!(events(record).last(), Some(&Event::Ended(end)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_is_not_listed_costs_nothing() {
    let house = House::new(listener(), Mischief::default()).await;
    for from in [STRANGER, "anonymous", "", "+266696687", "+155512345670"] {
        let call = house
            .exchange
            .call_in(from, OURS, [Step::HangUp])
            .expect("the number is ours");
        let outcome = soon(house.exchange.call(&call)).await;
        assert_eq!(outcome.ended_by, EndedBy::Rejected, "{from}");
        assert_eq!(outcome.talked, Duration::ZERO, "{from}");
    }
    assert!(house.gateway.board.calls().is_empty());
    assert!(house.exchange.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_calls_are_up_than_may_be() {
    let house = House::new(listener(), Mischief::default()).await;
    let script = [Step::Wait(ms(3_000)), Step::HangUp];
    let calls: Vec<_> = (0..2)
        .map(|_| {
            house
                .exchange
                .call_in(THEIRS, OURS, script.clone())
                .expect("ours")
        })
        .collect();
    while house.gateway.board.calls().len() < 2 {
        tokio::task::yield_now().await;
    }
    let third = house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    let outcome = soon(house.exchange.call(&third)).await;
    assert_eq!(outcome.ended_by, EndedBy::Rejected);
    let fault = house
        .notify(THEIRS, "Hi")
        .await
        .expect_err("there is no room");
    assert_eq!(fault.code, code::POLICY_TOO_MANY_CALLS);
    for call in calls {
        assert_eq!(
            soon(house.exchange.call(&call)).await.status,
            Status::Completed
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn notices_repeated_reordered_late_and_forged_change_nothing() {
    let honest = story(Callbacks::default()).await;
    let twisted = [
        Callbacks {
            duplicates: 4,
            ..Callbacks::default()
        },
        Callbacks {
            order: Order::Swapped,
            ..Callbacks::default()
        },
        Callbacks {
            order: Order::LastFirst,
            ..Callbacks::default()
        },
        Callbacks {
            delay: ms(700),
            ..Callbacks::default()
        },
        Callbacks {
            forged: 2,
            ..Callbacks::default()
        },
        Callbacks {
            lost: vec!["initiated".into(), "ringing".into(), "answered".into()],
            ..Callbacks::default()
        },
    ];
    for callbacks in twisted {
        let told = story(callbacks.clone()).await;
        assert_eq!(told, honest, "{callbacks:?}");
    }
}

/// What a call that goes well is told as, apart from ringing, which a carrier may tell too late.
async fn story(callbacks: Callbacks) -> Vec<Event> {
    let forged = callbacks.forged;
    let mischief = Mischief {
        callbacks,
        ..Mischief::default()
    };
    let house = House::new(listener(), mischief).await;
    let record = house
        .notify(THEIRS, "Hello there.")
        .await
        .expect("it may be dialled");
    soon(record.log.ended()).await;
    house.outcome().await;
    let deliveries = house.exchange.deliveries();
    let fakes: Vec<_> = deliveries
        .iter()
        .filter(|it| it.kind == Kind::Forged)
        .collect();
    assert!(
        fakes.iter().all(|it| it.answer == Answer::Status(403)),
        "{fakes:?}"
    );
    assert_eq!(fakes.is_empty(), forged == 0);
    let mut events = events(&record);
    events.retain(|it| !matches!(it, Event::Ringing));
    events
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_drops_ends_the_call_with_a_fault() {
    let socket = Socket {
        line: Wire::DropsAt(ms(400)),
        ..Socket::default()
    };
    let house = House::new(
        listener(),
        Mischief {
            socket,
            ..Mischief::default()
        },
    )
    .await;
    let record = house
        .notify(
            THEIRS,
            "This sentence is far too long to be finished in time.",
        )
        .await
        .expect("listed");
    soon(record.log.ended()).await;
    let last = events(&record).pop();
    assert!(
        matches!(
            last,
            Some(Event::Ended(End {
                why: Why::Fault | Why::HungUp,
                ..
            }))
        ),
        "{last:?}"
    );
    house.outcome().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_that_reads_nothing_harms_nobody() {
    let socket = Socket {
        line: Wire::StallsAt(ms(300)),
        ..Socket::default()
    };
    let house = House::new(
        listener(),
        Mischief {
            socket,
            ..Mischief::default()
        },
    )
    .await;
    let record = house
        .notify(THEIRS, "Is anybody there?")
        .await
        .expect("listed");
    soon(record.log.ended()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_without_a_good_signature_is_refused() {
    for signature in [Signature::Forged, Signature::Absent] {
        let socket = Socket {
            signature,
            ..Socket::default()
        };
        let house = House::new(
            listener(),
            Mischief {
                socket,
                ..Mischief::default()
            },
        )
        .await;
        let record = house.notify(THEIRS, "Hi").await.expect("listed");
        let outcome = house.outcome().await;
        assert!(
            outcome.warnings.iter().any(|it| it.code == 31920),
            "{:?}",
            outcome.warnings
        );
        soon(record.log.ended()).await;
        assert!(
            !events(&record)
                .iter()
                .any(|it| matches!(it, Event::Connected))
        );
    }
}
