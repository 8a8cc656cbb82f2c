//! Calls that say one thing.

use std::time::Instant;

use call::{Direction, Mode, Opening, Plan};
use expect_test::expect;
use sim::{Happening, Mouth, World};

use crate::script::*;

fn notice() -> World {
    let plan = Plan {
        mode: Mode::Notify {
            text: "Your table is ready.".into(),
        },
        ..plan(Direction::Outbound, Opening::Wait)
    };
    up(World::new(Instant::now(), plan, vec![]))
}

#[test]
fn a_notice_is_said_and_the_call_ends() {
    let world = notice().run(20_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        002120  agent.said "Your table is ready."
        003620    carrier: HangUp
        008620  call.ended by="agent" why="completed"
    "#]],
    );
}

#[test]
fn a_notice_may_be_longer_than_any_mouth_remembers() {
    let sentences: Vec<String> = (1..=200).map(|it| format!("Line {it}.")).collect();
    let plan = Plan {
        mode: Mode::Notify {
            text: sentences.join(" ").into(),
        },
        ..plan(Direction::Outbound, Opening::Wait)
    };
    let world = up(World::new(Instant::now(), plan, vec![])).run(400_000);
    let events = world.events();
    let said = |it: &&call::Event| matches!(it, call::Event::AgentSaid { .. });
    assert_eq!(events.iter().filter(said).count(), 200);
}

#[test]
fn a_notice_waits_for_hello() {
    let world = notice().at(300, speak(700, "hello")).run(20_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        000340  caller.speech_started
        001180  caller.speech_ended
        001380  caller.said "hello"
        002600  agent.said "Your table is ready."
        004100    carrier: HangUp
        009100  call.ended by="agent" why="completed"
    "#]],
    );
}

#[test]
fn a_notice_does_not_wait_for_a_long_hello() {
    let world = notice()
        .at(300, speak(6_000, "hello you have reached a machine"))
        .run(20_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        000340  caller.speech_started
        003420  agent.said "Your table is ready."
        006420    carrier: HangUp
        006620  caller.said "hello you have reached a machine"
        011420  call.ended by="agent" why="completed"
    "#]],
    );
}

#[test]
fn a_notice_is_not_interrupted() {
    let world = notice().at(1_600, speak(1_000, "who is this")).run(20_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        001640  caller.speech_started
        002120  agent.said "Your table is ready."
        002780  caller.speech_ended
        002980  caller.said "who is this"
        003620    carrier: HangUp
        008620  call.ended by="agent" why="completed"
    "#]],
    );
}

#[test]
fn a_notice_lingers_for_someone_who_speaks_but_not_forever() {
    let world = notice().at(3_000, speak(9_000, "thank you")).run(20_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        002120  agent.said "Your table is ready."
        003040  caller.speech_started
        005120    carrier: HangUp
        010120  call.ended by="agent" why="completed"
    "#]],
    );
}

#[test]
fn a_notice_that_could_not_be_said_is_said_again() {
    let mouth = Mouth {
        fails: vec![1],
        ..Mouth::default()
    };
    let world = notice().mouth(mouth).run(20_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        000900  speech.failed code="speech.failed"
        002320  agent.said "Your table is ready."
        003820    carrier: HangUp
        008820  call.ended by="agent" why="completed"
    "#]],
    );
}

#[test]
fn a_notice_that_cannot_be_said_is_a_fault() {
    let mouth = Mouth {
        hangs: vec![1, 2, 3],
        ..Mouth::default()
    };
    let world = notice().mouth(mouth).run(40_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        005700  speech.failed code="speech.failed"
        010700  speech.failed code="speech.failed"
        015700  speech.failed code="speech.failed"
        015700    carrier: HangUp
        020700  call.ended by="gateway" why="fault"
    "#]],
    );
}

#[test]
fn the_owner_may_add_to_a_notice() {
    let world = notice()
        .at(200, say("Please hurry."))
        .at(4_000, say("It is by the window."))
        .run(20_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        002120  agent.said "Your table is ready."
        002900  agent.said "Please hurry."
        005420  agent.said "It is by the window."
        006920    carrier: HangUp
        011920  call.ended by="agent" why="completed"
    "#]],
    );
}

#[test]
fn a_notice_needs_no_ears() {
    let failed = call::input::Speech::EarsFailed("speech.failed");
    let world = notice()
        .at(1_000, Happening::Speech(failed))
        .at(2_000, pressed('9'))
        .run(20_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        001000  speech.failed code="speech.failed"
        002000  caller.pressed digit="9"
        002120  agent.said "Your table is ready."
        003620    carrier: HangUp
        008620  call.ended by="agent" why="completed"
    "#]],
    );
}
