//! What callers do.

use std::time::Instant;

use call::input::Speech;
use call::{Direction, Opening};
use expect_test::expect;
use sim::{Ears, Happening, Reply, World};

use crate::script::*;

#[test]
fn a_caller_asks_and_is_answered() {
    let world = conversation(&["We open at nine."])
        .at(1_000, speak(800, "when do you open"))
        .at(6_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001980  caller.speech_ended
        002580  caller.said "when do you open"
        002580  agent.turn_started "when do you open"
        002580    agent: 1 turn "when do you open"
        003860  agent.said "We open at nine."
        003860    agent: 1 heard "We open at nine."
        006000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_caller_who_goes_on_before_the_answer_takes_the_turn_back() {
    let world = replying(vec![
        Reply::say("At nine.").after(900),
        Reply::say("On Sunday at ten."),
    ])
    .at(1_000, speak(600, "when do you open"))
    .at(2_600, speak(500, "on Sundays"))
    .at(9_000, hang_up())
    .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001780  caller.speech_ended
        002380  caller.said "when do you open"
        002380  agent.turn_started "when do you open"
        002380    agent: 1 turn "when do you open"
        002640  caller.speech_started
        002640    agent: 1 abandon
        003280  caller.speech_ended
        003880  caller.said "on Sundays"
        003880  agent.turn_started "when do you open on Sundays"
        003880    agent: 2 turn "when do you open on Sundays"
        005220  agent.said "On Sunday at ten."
        005220    agent: 2 heard "On Sunday at ten."
        009000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn an_answer_that_is_made_but_not_heard_is_taken_back_too() {
    let world = conversation(&["At nine every day.", "On Sunday at ten."])
        .at(1_000, speak(600, "when do you open"))
        .at(2_460, speak(500, "on Sundays"))
        .at(9_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001780  caller.speech_ended
        002380  caller.said "when do you open"
        002380  agent.turn_started "when do you open"
        002380    agent: 1 turn "when do you open"
        002500  caller.speech_started
        002500    agent: 1 abandon
        003140  caller.speech_ended
        003740  caller.said "on Sundays"
        003740  agent.turn_started "when do you open on Sundays"
        003740    agent: 2 turn "when do you open on Sundays"
        005080  agent.said "On Sunday at ten."
        005080    agent: 2 heard "On Sunday at ten."
        009000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_caller_may_pause_and_go_on() {
    let world = conversation(&["For two, at eight."])
        .at(1_000, speak(600, "a table"))
        .at(2_000, speak(600, "for two"))
        .at(7_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001780  caller.speech_ended
        002040  caller.speech_started
        002780  caller.speech_ended
        003380  caller.said "a table for two"
        003380  agent.turn_started "a table for two"
        003380    agent: 1 turn "a table for two"
        004780  agent.said "For two, at eight."
        004780    agent: 1 heard "For two, at eight."
        007000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_caller_who_goes_on_while_the_transcriber_is_asked_keeps_the_turn() {
    let world = conversation(&["For two, at eight."])
        .at(1_000, speak(600, "a table"))
        .at(2_140, speak(600, "for two"))
        .at(7_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001780  caller.speech_ended
        002180  caller.speech_started
        002920  caller.speech_ended
        003520  caller.said "a table for two"
        003520  agent.turn_started "a table for two"
        003520    agent: 1 turn "a table for two"
        004920  agent.said "For two, at eight."
        004920    agent: 1 heard "For two, at eight."
        007000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn an_answer_that_comes_after_more_was_said_does_not_cover_it() {
    let ears = Ears {
        answers: Some(ms(700)),
        ..Ears::default()
    };
    let world = conversation(&["For two, at eight."])
        .ears(ears)
        .at(1_000, speak(600, "a table"))
        .at(2_260, speak(200, "for two"))
        .at(8_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001780  caller.speech_ended
        002300  caller.speech_started
        002640  caller.speech_ended
        002880  caller.said "a table"
        003740  caller.said "for two"
        003740  agent.turn_started "a table for two"
        003740    agent: 1 turn "a table for two"
        005140  agent.said "For two, at eight."
        005140    agent: 1 heard "For two, at eight."
        008000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn noise_that_was_no_words_gives_the_floor_back() {
    let world = conversation(&[]).at(1_000, speak(600, "")).run(4_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001780  caller.speech_ended
    "#]],
    );
}

#[test]
fn silence_counts_from_the_true_end_of_the_last_sound() {
    // It ends at 1.6 s; goodbye begins 60 s later.
    let world = conversation(&[]).at(1_000, speak(600, "")).run(70_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001780  caller.speech_ended
        063120  agent.said "I have to go. Goodbye."
        063120    carrier: HangUp
        068120  call.ended by="gateway" why="silence"
    "#]],
    );
}

#[test]
fn words_too_quiet_for_the_detector_are_answered_all_the_same() {
    let world = conversation(&["At nine."])
        .at(
            1_000,
            Happening::Speech(Speech::Final("when do you open".into())),
        )
        .at(6_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001000  caller.said "when do you open"
        001600  agent.turn_started "when do you open"
        001600    agent: 1 turn "when do you open"
        002400  agent.said "At nine."
        002400    agent: 1 heard "At nine."
        006000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn keys_are_told_and_count_as_a_sign_of_life() {
    let world = conversation(&[])
        .at(30_000, pressed('4'))
        .at(50_000, pressed('#'))
        .run(200_000);
    check(
        &world,
        expect![[r##"
        030000  caller.pressed digit="4"
        030000    agent: pressed 4
        050000  caller.pressed digit="#"
        050000    agent: pressed #
        111540  agent.said "I have to go. Goodbye."
        111540    carrier: HangUp
        116540  call.ended by="gateway" why="silence"
    "##]],
    );
}

#[test]
fn the_last_words_before_a_hang_up_are_written_down() {
    let ears = Ears {
        partials: Some(ms(100)),
        ..Ears::default()
    };
    let world = World::new(
        Instant::now(),
        plan(Direction::Inbound, Opening::Wait),
        vec![],
    );
    let world = up(world)
        .ears(ears)
        .at(1_000, speak(800, "call me back"))
        .at(1_950, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001380  caller.hearing "call"
        001640  caller.hearing "call me"
        001900  caller.hearing "call me back"
        001960  caller.said "call me back"
        001960  call.ended by="caller" why="hung_up"
    "#]],
    );
}
