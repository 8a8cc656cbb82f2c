//! How calls begin and end.

use std::time::{Duration, Instant};

use call::event::{Party, Why};
use call::input::{Carrier, Command};
use call::{Direction, Mode, Opening};
use expect_test::expect;
use sim::{Happening, World};

use crate::script::*;

fn outbound() -> World {
    World::new(
        Instant::now(),
        plan(Direction::Outbound, Opening::Wait),
        vec![],
    )
}

#[test]
fn a_call_that_is_made_rings_and_is_answered() {
    let world = outbound()
        .at(200, Happening::Carrier(Carrier::Ringing))
        .at(300, Happening::Carrier(Carrier::Ringing))
        .at(3_000, Happening::Carrier(Carrier::Answered))
        .at(3_100, Happening::Carrier(Carrier::Answered))
        .at(3_200, Happening::Carrier(Carrier::Connected))
        .at(3_300, Happening::Carrier(Carrier::Connected))
        .at(3_400, Happening::Carrier(Carrier::Ringing))
        .at(3_500, Happening::Carrier(Carrier::Answered))
        .at(5_000, hang_up())
        .at(5_000, ended(Party::Carrier, Why::Fault))
        .run(10_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000200  call.ringing
        003000  call.answered
        003200  call.connected
        005000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn sound_may_come_before_the_news_that_it_was_answered() {
    let world = outbound()
        .at(1_000, Happening::Carrier(Carrier::Connected))
        .at(1_200, Happening::Carrier(Carrier::Answered))
        .at(1_300, Happening::Carrier(Carrier::Ringing))
        .at(3_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        001000  call.answered
        001000  call.connected
        003000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn nobody_picks_up() {
    let world = outbound()
        .at(200, Happening::Carrier(Carrier::Ringing))
        .at(46_000, ended(Party::Caller, Why::NoAnswer))
        .run(60_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000200  call.ringing
        045000    carrier: HangUp
        046000  call.ended by="gateway" why="no_answer"
    "#]],
    );
}

#[test]
fn the_line_is_busy() {
    let world = outbound()
        .at(800, ended(Party::Caller, Why::Busy))
        .run(60_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000800  call.ended by="caller" why="busy"
    "#]],
    );
}

#[test]
fn the_call_is_rejected() {
    let world = outbound()
        .at(800, Happening::Carrier(Carrier::Ringing))
        .at(2_000, ended(Party::Caller, Why::Rejected))
        .run(60_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000800  call.ringing
        002000  call.ended by="caller" why="rejected"
    "#]],
    );
}

#[test]
fn the_caller_gives_up_before_we_answer() {
    let world = World::new(
        Instant::now(),
        plan(Direction::Inbound, Opening::Wait),
        vec![],
    )
    .at(500, ended(Party::Caller, Why::Canceled))
    .run(60_000);
    check(
        &world,
        expect![[r#"
        000000  call.offered
        000000    carrier: Answer
        000500  call.ended by="caller" why="canceled"
    "#]],
    );
}

#[test]
fn an_answered_call_without_sound_is_given_up() {
    let world = outbound()
        .at(1_000, Happening::Carrier(Carrier::Answered))
        .run(60_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        001000  call.answered
        011000    carrier: HangUp
        016000  call.ended by="gateway" why="fault"
    "#]],
    );
}

#[test]
fn a_hang_up_of_ours_is_ours_whatever_the_carrier_says() {
    let world = conversation(&[])
        .at(2_000, Happening::Command(Command::HangUp))
        .at(2_300, ended(Party::Carrier, Why::Fault))
        .run(10_000);
    check(
        &world,
        expect![[r#"
        002000    carrier: HangUp
        002300  call.ended by="owner" why="hung_up"
    "#]],
    );
}

#[test]
fn a_hang_up_in_mid_sentence_tells_what_was_heard() {
    let world = conversation(&["We open at nine and close at five every day."])
        .at(1_000, speak(400, "hello"))
        .at(4_000, Happening::Command(Command::HangUp))
        .run(20_000);
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
        004000    carrier: HangUp
        009000  call.ended by="owner" why="hung_up"
    "#]],
    );
}

#[test]
fn a_ringing_call_can_be_called_off() {
    let world = outbound()
        .at(1_000, Happening::Command(Command::HangUp))
        .at(1_100, ended(Party::Caller, Why::Canceled))
        .run(10_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        001000    carrier: HangUp
        001100  call.ended by="owner" why="hung_up"
    "#]],
    );
}

#[test]
fn a_silent_line_is_said_goodbye_to() {
    let world = conversation(&[]).run(120_000);
    check(
        &world,
        expect![[r#"
        061540  agent.said "I have to go. Goodbye."
        061540    carrier: HangUp
        066540  call.ended by="gateway" why="silence"
    "#]],
    );
}

#[test]
fn a_call_that_lasts_too_long_is_said_goodbye_to_in_mid_sentence() {
    let mut plan = plan(Direction::Inbound, Opening::Wait);
    plan.policy.limit = Duration::from_secs(4);
    let replies = vec![sim::Reply::say(
        "We open at nine and close at five every day.",
    )];
    let world = up(World::new(Instant::now(), plan, replies))
        .at(1_000, speak(400, "hello"))
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
        010540  call.ended by="gateway" why="time_limit"
    "#]],
    );
}

#[test]
fn lost_sound_usually_means_that_the_caller_hung_up() {
    let world = conversation(&["We open at nine and close at five every day."])
        .at(1_000, speak(400, "hello"))
        .at(4_000, Happening::Carrier(Carrier::Disconnected))
        .at(4_600, hang_up())
        .run(20_000);
    check(
        &world,
        expect![[r#"
            001040  caller.speech_started
            001580  caller.speech_ended
            002180  caller.said "hello"
            002180  agent.turn_started "hello"
            002180    agent: 1 turn "hello"
            004000  agent.interrupted heard="We open at nine and" unheard="close at five every day."
            004600    agent: 1 interrupted "We open at nine and"
            004600  call.ended by="caller" why="hung_up"
        "#]],
    );
}

#[test]
fn lost_sound_without_a_reason_is_the_carriers_fault() {
    let world = conversation(&[])
        .at(1_000, speak(800, "is anybody there"))
        .at(1_900, Happening::Carrier(Carrier::Disconnected))
        .run(60_000);
    check(
        &world,
        expect![[r#"
            001040  caller.speech_started
            002100  caller.said "is anybody there"
            006900  call.disconnected
            006900    carrier: Reconnect
            026900    carrier: HangUp
            031900  call.ended by="carrier" why="fault"
        "#]],
    );
}

#[test]
fn an_echo_has_no_manners_but_a_limit() {
    let mut plan = plan(Direction::Inbound, Opening::Wait);
    plan.mode = Mode::Loopback;
    plan.policy.limit = Duration::from_secs(120);
    let world = up(World::new(Instant::now(), plan, vec![]))
        .at(1_000, speak(800, "echo echo"))
        .at(2_000, pressed('1'))
        .run(200_000);
    check(
        &world,
        expect![[r#"
        002000  caller.pressed digit="1"
        120000    carrier: HangUp
        125000  call.ended by="gateway" why="time_limit"
    "#]],
    );
}
