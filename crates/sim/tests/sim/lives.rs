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
        000000  {"type":"call.dialed"}
        000200  {"type":"call.ringing"}
        003000  {"type":"call.answered"}
        003200  {"type":"call.connected"}
        005000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_orders(
        &world,
        expect![[r#"
        000000  Dial
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
        000000  {"type":"call.dialed"}
        001000  {"type":"call.answered"}
        001000  {"type":"call.connected"}
        003000  {"type":"call.ended","by":"caller","why":"hung_up"}
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
        000000  {"type":"call.dialed"}
        000200  {"type":"call.ringing"}
        046000  {"type":"call.ended","by":"gateway","why":"no_answer"}
    "#]],
    );
    check_orders(
        &world,
        expect![[r#"
        000000  Dial
        045000  HangUp
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
        000000  {"type":"call.dialed"}
        000800  {"type":"call.ended","by":"caller","why":"busy"}
    "#]],
    );
    check_orders(
        &world,
        expect![[r#"
        000000  Dial
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
        000000  {"type":"call.dialed"}
        000800  {"type":"call.ringing"}
        002000  {"type":"call.ended","by":"caller","why":"rejected"}
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
        000000  {"type":"call.offered"}
        000500  {"type":"call.ended","by":"caller","why":"canceled"}
    "#]],
    );
    check_orders(
        &world,
        expect![[r#"
        000000  Answer
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
        000000  {"type":"call.dialed"}
        001000  {"type":"call.answered"}
        016000  {"type":"call.ended","by":"gateway","why":"fault"}
    "#]],
    );
    check_orders(
        &world,
        expect![[r#"
        000000  Dial
        011000  HangUp
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        002300  {"type":"call.ended","by":"owner","why":"hung_up"}
    "#]],
    );
    check_orders(
        &world,
        expect![[r#"
        000000  Answer
        002000  HangUp
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"hello"}
        002180  {"type":"agent.turn_started","text":"hello"}
        004000  {"type":"agent.interrupted","heard":"We open at nine and","unheard":"close at five every day."}
        009000  {"type":"call.ended","by":"owner","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "hello"
        004000  1 interrupted "We open at nine and"
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
        000000  {"type":"call.dialed"}
        001100  {"type":"call.ended","by":"owner","why":"hung_up"}
    "#]],
    );
}

#[test]
fn a_silent_line_is_said_goodbye_to() {
    let world = conversation(&[]).run(120_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        061540  {"type":"agent.said","text":"I have to go. Goodbye."}
        066540  {"type":"call.ended","by":"gateway","why":"silence"}
    "#]],
    );
    check_orders(
        &world,
        expect![[r#"
        000000  Answer
        061540  HangUp
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"hello"}
        002180  {"type":"agent.turn_started","text":"hello"}
        004000  {"type":"agent.interrupted","heard":"We open at nine and","unheard":"close at five every day."}
        005540  {"type":"agent.said","text":"I have to go. Goodbye."}
        010540  {"type":"call.ended","by":"gateway","why":"time_limit"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "hello"
        004000  1 interrupted "We open at nine and"
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"hello"}
        002180  {"type":"agent.turn_started","text":"hello"}
        004000  {"type":"agent.interrupted","heard":"We open at nine and","unheard":"close at five every day."}
        004600  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "hello"
        004000  1 interrupted "We open at nine and"
    "#]],
    );
    check_orders(
        &world,
        expect![[r#"
        000000  Answer
    "#]],
    );
}

#[test]
fn lost_sound_without_a_reason_is_the_carriers_fault() {
    let world = conversation(&[])
        .at(1_000, speak(800, "is anybody there"))
        .at(1_900, Happening::Carrier(Carrier::Disconnected))
        .at(3_000, Happening::Carrier(Carrier::Connected))
        .run(20_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        002100  {"type":"caller.said","text":"is anybody there"}
        011900  {"type":"call.ended","by":"carrier","why":"fault"}
    "#]],
    );
    check_orders(
        &world,
        expect![[r#"
        000000  Answer
        006900  HangUp
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        002000  {"type":"caller.pressed","digit":"1"}
        125000  {"type":"call.ended","by":"gateway","why":"time_limit"}
    "#]],
    );
    check_orders(
        &world,
        expect![[r#"
        000000  Answer
        120000  HangUp
    "#]],
    );
}
