//! What owners say in the middle of a call.

use expect_test::expect;
use sim::Reply;

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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        002720  {"type":"agent.said","text":"You have one minute left."}
        006000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(&world, expect![[""]]);
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"hello"}
        002180  {"type":"agent.turn_started","text":"hello"}
        003460  {"type":"agent.said","text":"We open at nine."}
        003940  {"type":"agent.said","text":"Come by!"}
        005440  {"type":"agent.said","text":"You have one minute left."}
        009000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "hello"
        005440  1 heard "We open at nine. Come by!"
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
            000000  {"type":"call.offered"}
            000000  {"type":"call.answered"}
            000000  {"type":"call.connected"}
            001040  {"type":"caller.speech_started"}
            002680  {"type":"caller.speech_ended"}
            003280  {"type":"caller.said","text":"when do you open"}
            003280  {"type":"agent.turn_started","text":"when do you open"}
            004460  {"type":"agent.said","text":"One minute left."}
            006460  {"type":"agent.said","text":"We open at nine."}
            009000  {"type":"call.ended","by":"caller","why":"hung_up"}
        "#]],
    );
    check_told(
        &world,
        expect![[r#"
            003280  1 turn "when do you open"
            006460  1 heard "We open at nine."
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        013180  {"type":"agent.said","text":"One minute left."}
        016000  {"type":"call.ended","by":"caller","why":"hung_up"}
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"hello"}
        002180  {"type":"agent.turn_started","text":"hello"}
        003640  {"type":"caller.speech_started"}
        003860  {"type":"agent.interrupted","heard":"We open at nine and","unheard":"close at five every day. One minute left."}
        004380  {"type":"caller.speech_ended"}
        004980  {"type":"caller.said","text":"wait"}
        004980  {"type":"agent.turn_started","text":"wait"}
        006160  {"type":"agent.said","text":"One minute left."}
        006400  {"type":"agent.said","text":"Yes?"}
        010000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "hello"
        003860  1 interrupted "We open at nine and"
        004980  2 turn "wait"
        006400  2 heard "Yes?"
    "#]],
    );
}
