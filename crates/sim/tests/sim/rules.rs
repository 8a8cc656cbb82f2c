//! What becomes of a call that is up when its owner's rules become stricter.

use std::time::Instant;

use call::event::{Party, Why};
use call::input::{Carrier, Command};
use call::{Direction, Mode, Opening};
use expect_test::expect;
use sim::{Happening, World};

use crate::script::*;

fn forbidden() -> Happening {
    Happening::Command(Command::Forbid)
}

fn limited(length: u64) -> Happening {
    Happening::Command(Command::Limit(ms(length)))
}

#[test]
fn a_call_that_is_forbidden_is_said_goodbye_to_in_mid_sentence() {
    let world = conversation(&["We open at nine and close at five every day."])
        .at(1_000, speak(400, "hello"))
        .at(4_000, forbidden())
        .at(4_500, forbidden())
        .run(60_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        004000  agent.interrupted heard="We open at nine and" unheard="close at five every day."
        004000    agent: 1 interrupted "We open at nine and"
        005540  agent.said "I have to go. Goodbye."
        005540    carrier: HangUp
        010540  call.ended by="gateway" why="policy"
    "#]],
    );
}

#[test]
fn a_phone_that_is_forbidden_while_it_rings_stops_ringing() {
    let world = World::new(
        Instant::now(),
        plan(Direction::Outbound, Opening::Wait),
        vec![],
    )
    .at(500, Happening::Carrier(Carrier::Ringing))
    .at(1_000, forbidden())
    .at(1_100, ended(Party::Caller, Why::Canceled))
    .run(10_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000500  call.ringing
        001000    carrier: HangUp
        001100  call.ended by="gateway" why="policy"
    "#]],
    );
}

#[test]
fn a_notice_that_is_forbidden_is_broken_off() {
    let mut plan = plan(Direction::Outbound, Opening::Wait);
    plan.mode = Mode::Notify {
        text: "Your table is ready. Please come to the bar.".into(),
    };
    let world = up(World::new(Instant::now(), plan, vec![]))
        .at(1_500, forbidden())
        .run(20_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        001500  agent.interrupted heard="Your" unheard="table is ready. Please come to the bar."
        001500    carrier: HangUp
        006500  call.ended by="gateway" why="policy"
    "#]],
    );
}

#[test]
fn time_that_is_taken_away_is_gone_and_is_not_given_back() {
    let world = conversation(&[])
        .at(1_000, limited(20_000))
        .at(2_000, limited(40_000))
        .run(60_000);
    check(
        &world,
        expect![[r#"
        021540  agent.said "I have to go. Goodbye."
        021540    carrier: HangUp
        026540  call.ended by="gateway" why="time_limit"
    "#]],
    );
}

#[test]
fn a_call_that_has_lasted_longer_than_it_now_may_is_said_goodbye_to_at_once() {
    let world = conversation(&[]).at(9_000, limited(4_000)).run(60_000);
    check(
        &world,
        expect![[r#"
        010540  agent.said "I have to go. Goodbye."
        010540    carrier: HangUp
        015540  call.ended by="gateway" why="time_limit"
    "#]],
    );
}

#[test]
fn a_call_that_is_limited_while_it_rings_is_limited_when_it_talks() {
    let mut plan = plan(Direction::Inbound, Opening::Wait);
    plan.mode = Mode::Loopback;
    let world = World::new(Instant::now(), plan, vec![])
        .at(100, limited(3_000))
        .at(5_000, Happening::Carrier(Carrier::Connected))
        .run(20_000);
    check(
        &world,
        expect![[r#"
        000000  call.offered
        000000    carrier: Answer
        005000  call.answered
        005000  call.connected
        008000    carrier: HangUp
        013000  call.ended by="gateway" why="time_limit"
    "#]],
    );
}
