//! Who has the floor when both speak.

use call::Opening;
use expect_test::expect;
use sim::{Ears, Reply};

use crate::script::*;

#[test]
fn a_caller_who_interrupts_is_recorded_as_having_heard_only_the_start() {
    let world = conversation(&[
        "We open at nine and close at five every day but Sunday.",
        "Sorry?",
    ])
    .at(1_000, speak(400, "hello"))
    .at(4_000, speak(600, "wait"))
    .at(8_000, hang_up())
    .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        004040  caller.speech_started
        004260  agent.interrupted heard="We open at nine and close at" unheard="five every day but Sunday."
        004260    agent: 1 interrupted "We open at nine and close at"
        004780  caller.speech_ended
        005380  caller.said "wait"
        005380  agent.turn_started "wait"
        005380    agent: 2 turn "wait"
        006060  agent.said "Sorry?"
        006060    agent: 2 heard "Sorry?"
        008000  call.ended by="caller" why="hung_up"
    "#]],
    );
    // The first clause would have lasted 3.3 s.
    assert!(world.played() < ms(2_800), "{:?}", world.played());
}

#[test]
fn an_interruption_between_two_clauses_leaves_the_second_unheard() {
    let world = conversation(&["Yes. We do open on Sundays, from ten to noon."])
        .at(1_000, speak(400, "are you open"))
        .at(2_480, speak(600, "hold on"))
        .at(6_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "are you open"
        002180  agent.turn_started "are you open"
        002180    agent: 1 turn "are you open"
        002520  caller.speech_started
        002740  agent.said "Yes."
        002740  agent.interrupted heard="" unheard="We do open on Sundays, from ten to noon."
        002740    agent: 1 interrupted "Yes."
        003260  caller.speech_ended
        003860  caller.said "hold on"
        003860  agent.turn_started "hold on"
        003860    agent: 2 turn "hold on"
        005360  agent.stalled
        006000    agent: 2 abandon
        006000  agent.interrupted heard="One" unheard="moment, please."
        006000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_cough_does_not_stop_the_agent() {
    let world = conversation(&["We open at nine and close at five every day."])
        .at(1_000, speak(400, "hello"))
        .at(3_000, speak(40, ""))
        .at(7_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        005140  agent.said "We open at nine and close at five every day."
        005140    agent: 1 heard "We open at nine and close at five every day."
        007000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_murmur_does_not_stop_the_agent_and_joins_the_next_turn() {
    let ears = Ears {
        eager: Some(ms(100)),
        ..Ears::default()
    };
    let world = conversation(&[
        "We open at nine and close at five every day.",
        "You are welcome.",
    ])
    .ears(ears)
    .at(1_000, speak(400, "hello"))
    .at(3_000, speak(80, "uh-huh"))
    .at(7_000, speak(400, "thanks"))
    .at(12_000, hang_up())
    .run(14_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001500  caller.said "hello"
        001580  caller.speech_ended
        001980  agent.turn_started "hello"
        001980    agent: 1 turn "hello"
        003040  caller.speech_started
        003180  caller.said "uh-huh"
        003260  caller.speech_ended
        004940  agent.said "We open at nine and close at five every day."
        004940    agent: 1 heard "We open at nine and close at five every day."
        007040  caller.speech_started
        007500  caller.said "thanks"
        007580  caller.speech_ended
        007980  agent.turn_started "uh-huh thanks"
        007980    agent: 2 turn "uh-huh thanks"
        009260  agent.said "You are welcome."
        009260    agent: 2 heard "You are welcome."
        012000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_word_said_into_the_agents_last_moment_answers_it() {
    let world = conversation(&["Shall I book it for you then?", "It is booked."])
        .at(1_000, speak(400, "a table"))
        .at(3_440, speak(80, "yeah"))
        .at(8_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "a table"
        002180  agent.turn_started "a table"
        002180    agent: 1 turn "a table"
        003480  caller.speech_started
        003700  caller.speech_ended
        004240  agent.said "Shall I book it for you then?"
        004240    agent: 1 heard "Shall I book it for you then?"
        004440  caller.said "yeah"
        004440  agent.turn_started "yeah"
        004440    agent: 2 turn "yeah"
        005540  agent.said "It is booked."
        005540    agent: 2 heard "It is booked."
        008000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_caller_who_begins_as_the_agent_ends_has_the_floor() {
    let world = conversation(&["We open at nine.", "You are welcome."])
        .at(1_000, speak(400, "hello"))
        .at(3_240, speak(900, "thank you very much"))
        .at(8_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        003280  caller.speech_started
        003460  agent.said "We open at nine."
        003460    agent: 1 heard "We open at nine."
        004320  caller.speech_ended
        004920  caller.said "thank you very much"
        004920  agent.turn_started "thank you very much"
        004920    agent: 2 turn "thank you very much"
        006200  agent.said "You are welcome."
        006200    agent: 2 heard "You are welcome."
        008000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn words_in_the_making_take_the_floor_before_the_sound_has_lasted() {
    let ears = Ears {
        partials: Some(ms(20)),
        ..Ears::default()
    };
    let world = conversation(&["We open at nine and close at five every day.", "Yes?"])
        .ears(ears)
        .at(1_000, speak(400, "hello"))
        .at(3_000, speak(600, "no no no no no no"))
        .at(8_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001420  caller.hearing "hello"
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        003040  caller.speech_started
        003120  caller.hearing "no"
        003120  agent.interrupted heard="We open" unheard="at nine and close at five every day."
        003120    agent: 1 interrupted "We open"
        003220  caller.hearing "no no"
        003320  caller.hearing "no no no"
        003420  caller.hearing "no no no no"
        003520  caller.hearing "no no no no no"
        003620  caller.hearing "no no no no no no"
        003780  caller.speech_ended
        004380  caller.said "no no no no no no"
        004380  agent.turn_started "no no no no no no"
        004380    agent: 2 turn "no no no no no no"
        004940  agent.said "Yes?"
        004940    agent: 2 heard "Yes?"
        008000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn short_words_take_the_floor_even_after_their_sound_has_ended() {
    let ears = Ears {
        eager: Some(ms(400)),
        ..Ears::default()
    };
    let world = conversation(&["We open at nine and close at five every day.", "Yes?"])
        .ears(ears)
        .at(1_000, speak(400, "hello"))
        .at(3_500, speak(80, "stop"))
        .at(8_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        001800  caller.said "hello"
        001980  agent.turn_started "hello"
        001980    agent: 1 turn "hello"
        003540  caller.speech_started
        003760  caller.speech_ended
        003980  caller.said "stop"
        003980  agent.interrupted heard="We open at nine and close at" unheard="five every day."
        003980    agent: 1 interrupted "We open at nine and close at"
        004580  agent.turn_started "stop"
        004580    agent: 2 turn "stop"
        005140  agent.said "Yes?"
        005140    agent: 2 heard "Yes?"
        008000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_caller_who_talks_into_the_opening_cuts_it() {
    let world = opening(
        Opening::Say("Good morning, this is the bakery. How may I help you?".into()),
        vec![Reply::say("At nine.")],
    )
    .at(1_500, speak(800, "when do you open"))
    .at(7_000, hang_up())
    .run(10_000);
    check(
        &world,
        expect![[r#"
        001540  caller.speech_started
        001760  agent.interrupted heard="Good morning, this is the" unheard="bakery. How may I help you?"
        001760    agent: opened "Good morning, this is the"
        002480  caller.speech_ended
        003080  caller.said "when do you open"
        003080  agent.turn_started "when do you open"
        003080    agent: 1 turn "when do you open"
        003880  agent.said "At nine."
        003880    agent: 1 heard "At nine."
        007000  call.ended by="caller" why="hung_up"
    "#]],
    );
}
