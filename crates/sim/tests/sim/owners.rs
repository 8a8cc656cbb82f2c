//! What owners say in the middle of a call.

use std::time::Duration;

use call::Keys;
use call::input::Command;
use expect_test::expect;
use sim::{Happening, Reply, World};

use crate::script::*;

#[test]
fn the_owner_speaks_while_nobody_does() {
    let world = conversation(&[])
        .at(1_000, say("You have one minute left."))
        .at(6_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        002720  agent.said "You have one minute left."
        006000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn the_owner_speaks_after_the_agent() {
    let world = conversation(&["We open at nine. Come by!"])
        .at(1_000, speak(400, "hello"))
        .at(2_600, say("You have one minute left."))
        .at(9_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        003460  agent.said "We open at nine."
        003940  agent.said "Come by!"
        005440  agent.said "You have one minute left."
        005440    agent: 1 heard "We open at nine. Come by!"
        009000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn the_owner_does_not_speak_over_the_caller() {
    let world = replying(vec![Reply::say("We open at nine.").after(2_000)])
        .at(1_000, speak(1_500, "when do you open"))
        .at(1_500, say("One minute left."))
        .at(9_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        002680  caller.speech_ended
        003280  caller.said "when do you open"
        003280  agent.turn_started "when do you open"
        003280    agent: 1 turn "when do you open"
        004460  agent.said "One minute left."
        006460  agent.said "We open at nine."
        006460    agent: 1 heard "We open at nine."
        009000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn the_owner_does_not_wait_forever_for_a_caller_who_does_not_stop() {
    let world = conversation(&[])
        .at(1_000, speak(20_000, "well"))
        .at(2_000, say("One minute left."))
        .at(16_000, hang_up())
        .run(20_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        013180  agent.said "One minute left."
        016000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn what_the_owner_said_unheard_is_said_again() {
    // It waits behind the agent's words when the caller takes the floor.
    let world = conversation(&["We open at nine and close at five every day.", "Yes?"])
        .at(1_000, speak(400, "hello"))
        .at(2_600, say("One minute left."))
        .at(3_600, speak(600, "wait"))
        .at(10_000, hang_up())
        .run(12_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        003640  caller.speech_started
        003860  agent.interrupted heard="We open at nine and" unheard="close at five every day. One minute left."
        003860    agent: 1 interrupted "We open at nine and"
        004380  caller.speech_ended
        004980  caller.said "wait"
        004980  agent.turn_started "wait"
        004980    agent: 2 turn "wait"
        006160  agent.said "One minute left."
        006400  agent.said "Yes?"
        006400    agent: 2 heard "Yes?"
        010000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn keys_are_pressed_at_once_and_what_is_said_goes_on_after_them() {
    let keys = |text| Happening::Command(Command::Press(Keys::parse(text).expect("they are keys")));
    let story = |world: World| {
        world
            .at(1_000, speak(800, "when do you open"))
            .at(9_000, hang_up())
            .run(10_000)
    };
    let answer = "We open at nine and close at five.";
    let plain = story(conversation(&[answer]));
    // More than two seconds of keys, in the middle of the answer.
    let world = story(conversation(&[answer]).at(3_000, keys("12345w678w")));
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001980  caller.speech_ended
        002580  caller.said "when do you open"
        002580  agent.turn_started "when do you open"
        002580    agent: 1 turn "when do you open"
        003000  agent.pressed digits="12345w678w"
        007540  agent.said "We open at nine and close at five."
        007540    agent: 1 heard "We open at nine and close at five."
        009000  call.ended by="caller" why="hung_up"
    "#]],
    );
    let tones = Duration::from_millis(8 * 200 + 2 * 500);
    assert_eq!(world.played(), plain.played() + tones);
}
