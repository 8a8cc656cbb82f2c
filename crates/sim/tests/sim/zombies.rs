//! Calls that are over without anyone's saying so, and calls that only seem to be.

use std::time::Duration;

use call::event::{Party, Why};
use call::{Direction, Machine, Mode, Opening, Phrases, Plan, Policy, Recording};
use sim::{Account, Fate, Line, Told, Wish, live_through};

use crate::script::ms;

fn s(seconds: u64) -> Duration {
    ms(1_000 * seconds)
}

/// Up after a second, over after ten minutes, and nobody says so.
const LOST: Fate = Fate {
    connected: Some(Duration::from_secs(1)),
    over: Some(Duration::from_secs(600)),
    told: Told::Nothing,
    line: Line::Steady,
    wish: None,
};

fn live(fate: Fate) -> Account {
    live_with(fate, |_| Some(ms(200)))
}

fn live_with(fate: Fate, api: impl FnMut(Duration) -> Option<Duration>) -> Account {
    let mode = match fate.wish {
        Some((_, Wish::PutThrough(_))) => Mode::Conversation {
            opening: Opening::Wait,
        },
        Some((_, Wish::HangUp)) | None => Mode::Loopback,
    };
    let plan = Plan {
        direction: Direction::Outbound,
        mode,
        machine: Machine::Talk,
        policy: Policy {
            limit: s(24 * 3_600),
            silence: s(24 * 3_600),
            ..Policy::default()
        },
        phrases: Phrases::default(),
        announcement: None,
        recording: Recording::Never,
    };
    live_through(plan, fate, api)
}

/// How long we took a call for alive that was over.
#[track_caller]
fn too_long(account: &Account) -> Duration {
    let (ended, _) = account.ended.expect("it is noticed");
    ended - account.over.expect("it ended")
}

#[test]
fn an_end_that_nothing_tells_is_noticed_in_time() {
    let thrifty = Line::Thrifty(s(3), s(40));
    for told in [Told::Nothing, Told::NothingBehindAProxy] {
        for line in [Line::Steady, thrifty, Line::Freezes(s(595))] {
            let account = live(Fate { told, line, ..LOST });
            assert!(too_long(&account) <= s(10), "{account:?}");
            assert_eq!(account.hang_ups, [], "{account:?}");
        }
    }
}

#[test]
fn a_carrier_that_does_not_answer_at_first_is_asked_again() {
    let mut lost = 1;
    let account = live_with(LOST, |_| {
        let answer = (lost == 0).then_some(ms(200));
        lost = 0;
        answer
    });
    assert!(too_long(&account) <= s(15), "{account:?}");
}

#[test]
fn a_phone_that_stops_ringing_is_noticed_in_time() {
    let account = live(Fate {
        connected: None,
        over: Some(s(12)),
        ..LOST
    });
    assert!(too_long(&account) <= s(10), "{account:?}");
}

#[test]
fn the_end_of_a_caller_who_was_put_through_is_noticed_in_time() {
    let account = live(Fate {
        wish: Some((s(30), Wish::PutThrough(s(8)))),
        ..LOST
    });
    assert!(too_long(&account) <= s(10), "{account:?}");
}

#[test]
fn a_call_is_as_old_as_it_likes() {
    let over = s(20 * 3_600);
    let thrifty = Line::Thrifty(s(1), s(3_600));
    for line in [Line::Steady, thrifty] {
        for api in [Some(ms(200)), Some(s(20)), None] {
            let fate = Fate {
                over: Some(over),
                told: Told::All,
                line,
                ..LOST
            };
            let account = live_with(fate, |_| api);
            let (ended, end) = account.ended.expect("its end is told");
            assert!(ended >= over, "{account:?}");
            assert_eq!((end.by, end.why), (Party::Caller, Why::HungUp));
            assert_eq!(account.disconnected, 0, "{account:?}");
            if line == Line::Steady {
                assert_eq!(account.asked, 0, "nobody doubts it");
            }
        }
    }
}

#[test]
fn a_call_whose_socket_leads_nowhere_gets_another() {
    let fate = Fate {
        told: Told::All,
        line: Line::Freezes(s(100)),
        ..LOST
    };
    let account = live(fate);
    assert_eq!(account.disconnected, 1, "{account:?}");
    let (ended, _) = account.ended.expect("its end is told");
    assert!(ended >= s(600), "{account:?}");
}

#[test]
fn a_hang_up_that_is_lost_is_repeated_until_it_worked() {
    let back = s(60 + 200);
    let fate = Fate {
        over: None,
        wish: Some((s(60), Wish::HangUp)),
        ..LOST
    };
    let account = live_with(fate, |at| (at >= back).then_some(ms(200)));
    let over = account.over.expect("it is hung up in the end");
    assert!(over - back <= s(30), "{account:?}");
    for pair in account.hang_ups.windows(2) {
        assert!(pair[1] - pair[0] <= s(30), "{account:?}");
    }
}

#[test]
fn a_hang_up_that_worked_is_not_repeated() {
    let fate = Fate {
        over: None,
        wish: Some((s(60), Wish::HangUp)),
        ..LOST
    };
    assert_eq!(live(fate).hang_ups, [s(60)]);
}
