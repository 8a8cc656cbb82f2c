//! Calls on which everyone hears first who speaks to them, and perhaps that they are recorded.

use std::time::Instant;

use call::event::{Judge, Who};
use call::input::{Carrier, Command, Speech};
use call::{Announcement, Digit, Direction, Machine, Mode, Opening, Plan, Recording};
use expect_test::expect;
use sim::{Happening, Mouth, Reply, World};

use crate::script::*;

fn told(direction: Direction, opening: Opening, recording: Recording) -> Plan {
    Plan {
        announcement: Some(Announcement {
            text: "You speak with a machine.".into(),
            sha256: "c0ffee".into(),
            bytes: 64_000,
            length: ms(2_000),
        }),
        recording,
        ..plan(direction, opening)
    }
}

fn caller(recording: Recording) -> World {
    let plan = told(
        Direction::Inbound,
        Opening::Say("Good day.".into()),
        recording,
    );
    let replies = vec![Reply::say("We open at nine.")];
    up(World::new(Instant::now(), plan, replies))
}

#[test]
fn who_speaks_over_it_hears_it_to_its_end_and_loses_no_word() {
    let world = caller(Recording::Never)
        .at(500, speak(900, "when do you open"))
        .at(4_000, speak(400, "hello"));
    check(
        &world.run(10_000),
        expect![[r#"
        000540  caller.speech_started
        001580  caller.speech_ended
        002000  disclosure.played "You speak with a machine." sha256="c0ffee" bytes=64000
        002760  agent.said "Good day."
        002760    agent: opened "Good day."
        004040  caller.speech_started
        004580  caller.speech_ended
        005180  caller.said "when do you open hello"
        005180  agent.turn_started "when do you open hello"
        005180    agent: 1 turn "when do you open hello"
        006460  agent.said "We open at nine."
        006460    agent: 1 heard "We open at nine."
    "#]],
    );
}

#[test]
fn whoever_picks_up_hears_it_before_what_we_call_for() {
    let plan = Plan {
        mode: Mode::Notify {
            text: "Your table is ready.".into(),
        },
        ..told(Direction::Outbound, Opening::Wait, Recording::Announced)
    };
    let world = up(World::new(Instant::now(), plan, vec![])).at(300, speak(500, "hello"));
    check(
        &world.run(20_000),
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        000340  caller.speech_started
        000980  caller.speech_ended
        002000  disclosure.played "You speak with a machine." sha256="c0ffee" bytes=64000
        002000  recording.started consent="announced"
        002200  caller.said "hello"
        003420  agent.said "Your table is ready."
        004920    carrier: HangUp
        009920  call.ended by="agent" why="completed"
    "#]],
    );
}

#[test]
fn a_machine_is_left_it_before_the_message() {
    let plan = Plan {
        machine: Machine::Leave(Judge::Carrier, "Please call us back.".into()),
        ..told(Direction::Outbound, Opening::Ask, Recording::Never)
    };
    let world = up(World::new(Instant::now(), plan, vec![]))
        .at(300, speak(2_000, "leave a message"))
        .at(900, Happening::Carrier(Carrier::AnsweredBy(Who::Machine)));
    check(
        &world.run(20_000),
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000000  call.answered
        000000  call.connected
        000340  caller.speech_started
        000900  call.answered_by who="machine" by="carrier"
        002480  caller.speech_ended
        004280  call.greeting_ended beep=false
        006300  disclosure.played "You speak with a machine." sha256="c0ffee" bytes=64000
        006500  caller.said "leave a message"
        007720  agent.said "Please call us back."
        009220    carrier: HangUp
        014220  call.ended by="agent" why="completed"
    "#]],
    );
}

#[test]
fn after_a_break_of_the_line_it_is_heard_from_its_beginning() {
    let world = caller(Recording::Announced)
        .at(1_000, Happening::Carrier(Carrier::Dropped))
        .at(1_500, Happening::Carrier(Carrier::Connected));
    check(
        &world.run(6_000),
        expect![[r#"
        001000  call.disconnected
        001000    carrier: Reconnect
        001500  call.reconnected gap_ms=500
        003500  disclosure.played "You speak with a machine." sha256="c0ffee" bytes=64000
        003500  recording.started consent="announced"
        004260  agent.said "Good day."
        004260    agent: opened "Good day."
    "#]],
    );
}

#[test]
fn a_process_that_dies_in_the_middle_of_it_leaves_it_to_the_next_and_none_says_it_twice() {
    let world = caller(Recording::Never)
        .at(1_000, Happening::Killed(ms(300)))
        .at(1_200, Happening::Carrier(Carrier::Connected))
        .at(5_000, Happening::Killed(ms(300)))
        .at(5_200, Happening::Carrier(Carrier::Connected));
    check(
        &world.run(8_000),
        expect![[r#"
        001200  call.connected
        003200  disclosure.played "You speak with a machine." sha256="c0ffee" bytes=64000
        003960  agent.said "Good day."
        003960    agent: opened "Good day."
        005000  call.disconnected
        005200  call.reconnected gap_ms=500
    "#]],
    );
}

#[test]
fn it_takes_neither_a_mouth_nor_ears() {
    let dead = Mouth {
        fails: (1..20).collect(),
        ..Mouth::default()
    };
    let world = caller(Recording::Never)
        .mouth(dead)
        .at(600, Happening::Speech(Speech::EarsFailed("speech.failed")));
    check(
        &world.run(12_000),
        expect![[r#"
        000600  speech.failed code="speech.failed"
        002000  disclosure.played "You speak with a machine." sha256="c0ffee" bytes=64000
        002000  agent.interrupted heard="" unheard="Good day."
        002220  speech.failed code="speech.failed"
        002220    carrier: HangUp
        007220  call.ended by="gateway" why="fault"
    "#]],
    );
}

#[test]
fn who_hangs_up_on_it_was_not_talked_to() {
    let world = caller(Recording::Announced).at(1_000, Happening::Command(Command::HangUp));
    check(
        &world.run(8_000),
        expect![[r#"
        001000    carrier: HangUp
        006000  call.ended by="owner" why="hung_up"
    "#]],
    );
}

#[test]
fn a_yes_to_the_question_starts_the_recording() {
    let world = caller(Recording::Asked).at(2_900, speak(400, "yes please"));
    check(
        &world.run(9_000),
        expect![[r#"
        002000  disclosure.played "You speak with a machine." sha256="c0ffee" bytes=64000
        002940  caller.speech_started
        003480  caller.speech_ended
        003680  caller.said "yes please"
        003680  recording.started consent="given"
        004440  agent.said "Good day."
        004440    agent: opened "Good day."
    "#]],
    );
}

#[test]
fn a_yes_before_the_question_is_no_consent() {
    let world = caller(Recording::Asked).at(200, speak(400, "yes"));
    check(
        &world.run(14_000),
        expect![[r#"
        000240  caller.speech_started
        000780  caller.speech_ended
        002000  disclosure.played "You speak with a machine." sha256="c0ffee" bytes=64000
        002200  caller.said "yes"
        010000  recording.refused why="no_answer"
        010760  agent.said "Good day."
        010760    agent: opened "Good day."
    "#]],
    );
}

#[test]
fn a_no_leaves_the_call_unrecorded_and_goes_on() {
    let world = caller(Recording::Asked).at(2_900, speak(900, "no who are you"));
    check(
        &world.run(9_000),
        expect![[r#"
        002000  disclosure.played "You speak with a machine." sha256="c0ffee" bytes=64000
        002940  caller.speech_started
        003980  caller.speech_ended
        004180  caller.said "no who are you"
        004180  recording.refused why="declined"
        004940  agent.said "Good day."
        004940    agent: opened "Good day."
    "#]],
    );
}

#[test]
fn keys_answer_too() {
    for (key, recorded) in [('1', true), ('2', false)] {
        let digit = Digit::new(key).expect("it is a key");
        let pressed = Happening::Carrier(Carrier::Pressed(digit));
        let world = caller(Recording::Asked).at(2_900, pressed).run(4_000);
        let story = world.story();
        assert_eq!(story.contains("recording.started"), recorded, "{story}");
        assert_eq!(story.contains("recording.refused"), !recorded, "{story}");
    }
}
