//! Calls whose end is said by nothing: no webhook, no last message, no closed socket, no answer to our
//! own request. And calls of which nothing is heard, and which are well.

use std::sync::Arc;
use std::time::Duration;

use exchange::mischief::{Abrupt, Callbacks, Connect, Mischief, Socket, Wire};
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::{EndedBy, Request, Status, Trouble};
use gateway::switchboard::Record;

use super::{connected, house, notify, told, without_times};
use crate::house::{House, OURS, THEIRS, soon};
use crate::{listener, ms};

/// All of them at once: each is mostly waiting.
pub(super) async fn calls_of_which_nothing_is_heard(carrier: &str) {
    tokio::join!(
        an_end_that_nothing_tells(carrier),
        a_hang_up_that_is_lost(carrier),
        a_phone_that_stops_ringing(carrier),
        a_line_that_is_thrifty(carrier),
        a_socket_that_is_half_open(carrier),
    );
}

/// The caller hangs up, and nothing that would say so arrives. The carrier is slow when it is asked.
async fn an_end_that_nothing_tells(carrier: &str) {
    let house = house(carrier, listener(), unsaid(Wire::FreezesAtItsEnd)).await;
    let script = [Step::Wait(ms(600)), Step::HangUp];
    let record = call_in(&house, script).await;
    let outcome = house.outcome().await;
    assert_eq!(outcome.ended_by, EndedBy::Caller);
    assert!(!record.log.is_closed(), "nobody can know yet");
    let slow = Trouble::Slow(Duration::from_secs(5));
    house.exchange.trouble(slow);
    let story = told(&record).await;
    let last = story.lines().last().unwrap_or_default();
    assert!(last.contains("call.ended"), "{story}");
    assert!(!last.contains("fault"), "{story}");
    assert!(!story.contains("call.disconnected"), "{story}");
}

/// We hang up, and the carrier is not there to be told, again and again.
async fn a_hang_up_that_is_lost(carrier: &str) {
    let house = house(carrier, listener(), unsaid(Wire::Holds)).await;
    let record = call_in(&house, forever()).await;
    for _ in 0..5 {
        house.exchange.trouble(Trouble::Unavailable);
    }
    record.hang_up().await;
    let outcome = house.outcome().await;
    assert_eq!(
        (outcome.status, outcome.ended_by),
        (Status::Completed, EndedBy::Api)
    );
    let story = told(&record).await;
    let end = r#"{"type":"call.ended","by":"owner","why":"hung_up"}"#;
    assert!(story.trim_end().ends_with(end), "{story}");
}

/// A phone that rings is not picked up, and nobody says so.
async fn a_phone_that_stops_ringing(carrier: &str) {
    let phone = PhonePlan::never_talks(Pickup::Reject(ms(300)));
    let house = house(carrier, phone, unsaid(Wire::Holds)).await;
    let record = notify(&house, "Hi").await;
    house.outcome().await;
    assert!(!record.log.is_closed(), "nobody can know yet");
    let story = told(&record).await;
    let last = story.lines().last().unwrap_or_default();
    assert!(last.contains("call.ended"), "{story}");
    assert!(!last.contains("fault"), "{story}");
}

/// A line that carries no silence is let be. A machine that stands still for seconds answers no probes either, so that
/// one time proves nothing.
async fn a_line_that_is_thrifty(carrier: &str) {
    for _ in 0..3 {
        if is_let_be(carrier).await {
            return;
        }
    }
    panic!("a socket that is still there was given up, three times in three");
}

/// Whether a call on such a line keeps its socket. That it is asked about once more soon after would be to find out
/// whether that is still there.
async fn is_let_be(carrier: &str) -> bool {
    let house = house(carrier, listener(), unsaid(Wire::HushesAt(ms(300)))).await;
    let record = call_in(&house, forever()).await;
    let asked = async {
        let questions = || {
            let requests = house.exchange.requests();
            requests.iter().filter(|it| is_question(it)).count()
        };
        while questions() < 3 {
            if without_times(&record).contains("call.disconnected") {
                return false;
            }
            tokio::time::sleep(ms(20)).await;
        }
        true
    };
    let is_let_be = soon(asked).await;
    record.hang_up().await;
    let outcome = house.outcome().await;
    assert_eq!(outcome.ended_by, EndedBy::Api);
    let story = told(&record).await;
    let end = r#"{"type":"call.ended","by":"owner","why":"hung_up"}"#;
    assert!(story.trim_end().ends_with(end), "{story}");
    is_let_be
}

/// The call is up, and its socket leads nowhere.
async fn a_socket_that_is_half_open(carrier: &str) {
    let house = house(carrier, listener(), unsaid(Wire::FreezesAt(ms(500)))).await;
    let record = call_in(&house, forever()).await;
    let back = async {
        while !without_times(&record).contains("call.reconnected") {
            assert!(!record.log.is_closed(), "{}", without_times(&record));
            tokio::time::sleep(ms(20)).await;
        }
    };
    soon(back).await;
    record.hang_up().await;
    let outcome = house.outcome().await;
    assert_eq!(outcome.ended_by, EndedBy::Api);
}

/// Nothing reports the end of a call, and its socket is like this.
fn unsaid(line: Wire) -> Mischief {
    let lost = ["completed", "Hangup", "call.hangup"].map(str::to_owned);
    Mischief {
        callbacks: Callbacks {
            lost: lost.into(),
            ..Callbacks::default()
        },
        socket: Socket {
            line,
            abrupt: Abrupt::Stays,
            ..Socket::default()
        },
    }
}

fn forever() -> [Step; 2] {
    let timeout = Duration::from_secs(60);
    [Step::WaitForHangUp { timeout }, Step::HangUp]
}

async fn call_in(house: &House, script: impl Into<Vec<Step>>) -> Arc<Record> {
    house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    let begun = async {
        while house.gateway.board.calls().is_empty() {
            tokio::time::sleep(ms(10)).await;
        }
    };
    soon(begun).await;
    let record = house.gateway.board.calls()[0].clone();
    connected(&record).await;
    record
}

/// Whether a request asks about a call, in any carrier's way.
fn is_question(request: &Request) -> bool {
    let ways = ["/Calls/", "/calls/", "/Call/"];
    request.method == "GET" && ways.iter().any(|it| request.path.contains(it))
}

/// A carrier that cannot reach us for the sound says so, where it says anything of it: then it is asked to
/// try again, and in the end its own reason is told.
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_cannot_connect_the_sound() {
    let socket = Socket {
        connect: Connect::Cut,
        ..Socket::default()
    };
    let mischief = Mischief {
        socket,
        ..Mischief::default()
    };
    let house = House::of("telnyx", listener(), mischief, |_, text| {
        text + "connect_s = 3\n"
    })
    .await;
    let record = notify(&house, "Hi").await;
    let story = told(&record).await;
    assert!(!story.contains("call.connected"), "{story}");
    let requests = house.exchange.requests();
    let streams = requests
        .iter()
        .filter(|it| it.path.ends_with("/streaming_start"));
    assert_eq!(streams.count(), 3, "its first and two more");
    let fault = record.fault().expect("it says why");
    assert_eq!(fault.code, "carrier.unreached");
    assert!(
        fault.message.ends_with("connection_failed"),
        "{}",
        fault.message
    );
}
