//! Calls that ask first who picked up.

use std::time::{Duration, Instant};

use call::event::{Judge, Who};
use call::input::{Carrier, Command};
use call::{BlindTransfer, Direction, Machine, Mode, Opening, Plan, Regrets};
use expect_test::expect;
use sim::{Happening, World};

use crate::script::*;

fn notice(machine: Machine) -> World {
    let plan = Plan {
        mode: Mode::Notify {
            text: "Your table is ready.".into(),
        },
        machine,
        ..plan(Direction::Outbound, Opening::Wait)
    };
    up(World::new(Instant::now(), plan, vec![]))
}

fn talk(opening: Opening, machine: Machine) -> World {
    let plan = Plan {
        machine,
        ..plan(Direction::Outbound, opening)
    };
    up(World::new(
        Instant::now(),
        plan,
        vec![sim::Reply::say("We open at nine.")],
    ))
}

fn leave(judge: Judge) -> Machine {
    Machine::Leave(judge, "Please call us back.".into())
}

fn judged(who: Who) -> Happening {
    Happening::Carrier(Carrier::AnsweredBy(who))
}

#[test]
fn a_person_hears_the_message_as_soon_as_they_wait() {
    let world = notice(leave(Judge::Gateway)).at(300, speak(700, "hello"));
    check(
        &world.run(20_000),
        expect![[r#"
            000000  call.dialed
            000000    carrier: Dial
            000000  call.answered
            000000  call.connected
            000340  caller.speech_started
            001180  caller.speech_ended
            001780  call.answered_by who="human" by="gateway" judged_ms=1800 speech_ms=300 greeting_ms=700 pause_ms=0 silence_ms=800 bursts=1
            001980  caller.said "hello"
            003200  agent.said "Your table is ready."
            004700    carrier: HangUp
            009700  call.ended by="agent" why="completed"
        "#]],
    );
}

#[test]
fn a_machine_hears_it_when_its_greeting_is_over() {
    let world = notice(leave(Judge::Gateway)).at(300, speak(6_000, "you have reached a machine"));
    check(
        &world.run(30_000),
        expect![[r#"
            000000  call.dialed
            000000    carrier: Dial
            000000  call.answered
            000000  call.connected
            000340  caller.speech_started
            004280  call.answered_by who="machine" by="gateway" judged_ms=4300 speech_ms=300 greeting_ms=4000 pause_ms=0 silence_ms=0 bursts=1
            006480  caller.speech_ended
            008280  call.greeting_ended beep=false
            008480  caller.said "you have reached a machine"
            009700  agent.said "Please call us back."
            011200    carrier: HangUp
            016200  call.ended by="agent" why="completed"
        "#]],
    );
}

#[test]
fn a_machine_is_hung_up_on() {
    let world = talk(Opening::Wait, Machine::HangUp(Judge::Gateway))
        .at(300, speak(6_000, "you have reached a machine"));
    check(
        &world.run(30_000),
        expect![[r#"
            000000  call.dialed
            000000    carrier: Dial
            000000  call.answered
            000000  call.connected
            000340  caller.speech_started
            004280  call.answered_by who="machine" by="gateway" judged_ms=4300 speech_ms=300 greeting_ms=4000 pause_ms=0 silence_ms=0 bursts=1
            004280    carrier: HangUp
            004480  caller.said "you have reached"
            009280  call.ended by="gateway" why="machine"
        "#]],
    );
}

#[test]
fn what_a_person_says_first_is_answered() {
    let world = talk(Opening::Wait, Machine::HangUp(Judge::Gateway))
        .at(300, speak(700, "when do you open"));
    check(
        &world.run(12_000),
        expect![[r#"
            000000  call.dialed
            000000    carrier: Dial
            000000  call.answered
            000000  call.connected
            000340  caller.speech_started
            001180  caller.speech_ended
            001780  call.answered_by who="human" by="gateway" judged_ms=1800 speech_ms=300 greeting_ms=700 pause_ms=0 silence_ms=800 bursts=1
            001980  caller.said "when do you open"
            001980  agent.turn_started "when do you open"
            001980    agent: 1 turn "when do you open"
            003260  agent.said "We open at nine."
            003260    agent: 1 heard "We open at nine."
        "#]],
    );
}

#[test]
fn the_opening_line_waits_for_a_person() {
    let opening = Opening::Say("Good morning.".into());
    let world = talk(opening, Machine::HangUp(Judge::Gateway)).at(300, speak(700, "hello"));
    check(
        &world.run(8_000),
        expect![[r#"
            000000  call.dialed
            000000    carrier: Dial
            000000  call.answered
            000000  call.connected
            000340  caller.speech_started
            001180  caller.speech_ended
            001780  call.answered_by who="human" by="gateway" judged_ms=1800 speech_ms=300 greeting_ms=700 pause_ms=0 silence_ms=800 bursts=1
            002780  agent.said "Good morning."
            002780    agent: opened "Good morning."
        "#]],
    );
}

#[test]
fn who_says_nothing_is_taken_for_a_person() {
    check(
        &notice(leave(Judge::Gateway)).run(20_000),
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        002480  call.answered_by who="unknown" by="gateway" judged_ms=2500 silence_ms=2500
        003900  agent.said "Your table is ready."
        005400    carrier: HangUp
        010400  call.ended by="agent" why="completed"
    "#]],
    );
}

#[test]
fn the_carriers_word_is_waited_for_and_the_first_one_stands() {
    let world = notice(leave(Judge::Carrier))
        .at(300, speak(700, "hello"))
        .at(3_000, judged(Who::Machine))
        .at(3_500, judged(Who::Human));
    check(
        &world.run(20_000),
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        000340  caller.speech_started
        001180  caller.speech_ended
        003000  call.answered_by who="machine" by="carrier"
        003000  call.greeting_ended beep=false
        003200  caller.said "hello"
        004420  agent.said "Please call us back."
        005920    carrier: HangUp
        010920  call.ended by="agent" why="completed"
    "#]],
    );
}

#[test]
fn a_carrier_that_says_nothing_is_not_waited_for_any_longer() {
    let world = notice(leave(Judge::Carrier)).at(300, speak(700, "hello"));
    check(
        &world.run(20_000),
        expect![[r#"
            000000  call.dialed
            000000    carrier: Dial
            000000  call.answered
            000000  call.connected
            000340  caller.speech_started
            001180  caller.speech_ended
            006000  call.answered_by who="human" by="gateway" judged_ms=1800 speech_ms=300 greeting_ms=700 pause_ms=0 silence_ms=800 bursts=1
            006200  caller.said "hello"
            007420  agent.said "Your table is ready."
            008920    carrier: HangUp
            013920  call.ended by="agent" why="completed"
        "#]],
    );
}

#[test]
fn someone_who_is_put_through_is_taken_for_a_person() {
    let transfer = || {
        Happening::Command(Command::Transfer(BlindTransfer {
            to: "ben".to_owned(),
            patience: Duration::from_secs(40),
            regrets: Regrets {
                nobody: "Ben does not answer.".into(),
                busy: "Ben is on another call.".into(),
                declined: "Ben cannot take the call.".into(),
            },
        }))
    };
    let opening = Opening::Say("Good evening.".into());
    let world = talk(opening, leave(Judge::Gateway))
        .at(400, transfer())
        .at(5_000, Happening::Carrier(Carrier::Joined))
        .at(9_000, hang_up());
    check(
        &world.run(20_000),
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        000400  agent.interrupted heard="" unheard="Good evening."
        000400  call.handed_over to="ben"
        000400    carrier: Transfer("ben")
        005000  call.transferred to="ben"
        009000  call.ended by="caller" why="hung_up"
    "#]],
    );
    // A notice waits for nobody.
    let world = notice(leave(Judge::Gateway))
        .at(400, transfer())
        .at(2_000, hang_up());
    check(
        &world.run(20_000),
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        002000  call.ended by="caller" why="hung_up"
    "#]],
    );
}
