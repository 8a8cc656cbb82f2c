//! What agents and voices do.

use call::Opening;
use call::input::{Agent, Speech};
use expect_test::expect;
use sim::{Happening, Mouth, Reply};

use crate::script::*;

#[test]
fn an_opening_is_said_at_once_and_the_agent_knows() {
    let world = opening(Opening::Say("Good morning.".into()), vec![])
        .at(3_000, hang_up())
        .run(5_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001000  {"type":"agent.said","text":"Good morning."}
        003000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        001000  opened "Good morning."
    "#]],
    );
}

#[test]
fn an_agent_may_open_with_words_of_its_own() {
    let world = opening(Opening::Ask, vec![Reply::say("Hello, who is it?")])
        .at(3_000, hang_up())
        .run(5_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001340  {"type":"agent.said","text":"Hello, who is it?"}
        003000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        000000  1 open
        001340  1 heard "Hello, who is it?"
    "#]],
    );
}

#[test]
fn a_slow_agent_is_covered_for() {
    let world = replying(vec![Reply::say("We open at nine.").after(4_000)])
        .at(1_000, speak(800, "when do you open"))
        .at(12_000, hang_up())
        .run(14_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001980  {"type":"caller.speech_ended"}
        002580  {"type":"caller.said","text":"when do you open"}
        002580  {"type":"agent.turn_started","text":"when do you open"}
        004080  {"type":"agent.stalled"}
        005440  {"type":"agent.said","text":"One moment, please."}
        007760  {"type":"agent.said","text":"We open at nine."}
        012000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002580  1 turn "when do you open"
        007760  1 heard "We open at nine."
    "#]],
    );
}

#[test]
fn an_agent_that_stalls_in_mid_answer_is_covered_for() {
    let world = replying(vec![
        Reply::say("At nine.").beginning("Let me see. ", 4_000),
    ])
    .at(1_000, speak(800, "when do you open"))
    .at(12_000, hang_up())
    .run(14_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001980  {"type":"caller.speech_ended"}
        002580  {"type":"caller.said","text":"when do you open"}
        002580  {"type":"agent.turn_started","text":"when do you open"}
        003560  {"type":"agent.said","text":"Let me see."}
        005060  {"type":"agent.stalled"}
        006420  {"type":"agent.said","text":"One moment, please."}
        007380  {"type":"agent.said","text":"At nine."}
        012000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002580  1 turn "when do you open"
        007380  1 heard "Let me see. At nine."
    "#]],
    );
}

#[test]
fn a_cough_while_the_agent_stalls_in_mid_answer_changes_nothing() {
    let world = replying(vec![
        Reply::say("At nine.").beginning("Let me see. ", 3_000),
    ])
    .at(1_000, speak(800, "when do you open"))
    .at(4_000, speak(80, ""))
    .at(12_000, hang_up())
    .run(14_000);
    check_told(
        &world,
        expect![[r#"
        002580  1 turn "when do you open"
        006380  1 heard "Let me see. At nine."
    "#]],
    );
}

#[test]
fn an_agent_that_never_answers_is_apologised_for() {
    let world = replying(vec![Reply::silence(), Reply::say("We open at nine.")])
        .at(1_000, speak(800, "when do you open"))
        .at(18_000, speak(800, "when do you open"))
        .at(26_000, hang_up())
        .run(30_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001980  {"type":"caller.speech_ended"}
        002580  {"type":"caller.said","text":"when do you open"}
        002580  {"type":"agent.turn_started","text":"when do you open"}
        004080  {"type":"agent.stalled"}
        005440  {"type":"agent.said","text":"One moment, please."}
        012580  {"type":"agent.failed","code":"agent.timeout"}
        014060  {"type":"agent.said","text":"Sorry, what was that?"}
        018040  {"type":"caller.speech_started"}
        018980  {"type":"caller.speech_ended"}
        019580  {"type":"caller.said","text":"when do you open"}
        019580  {"type":"agent.turn_started","text":"when do you open when do you open"}
        020860  {"type":"agent.said","text":"We open at nine."}
        026000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002580  1 turn "when do you open"
        012580  1 abandon
        019580  2 turn "when do you open when do you open"
        020860  2 heard "We open at nine."
    "#]],
    );
}

#[test]
fn an_agent_that_fails_three_times_in_a_row_ends_the_call() {
    let fail = || Reply::fail("", "agent.unreachable");
    let world = replying(vec![fail(), fail(), fail()])
        .at(1_000, speak(400, "one"))
        .at(6_000, speak(400, "two"))
        .at(12_000, speak(400, "three"))
        .run(30_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"one"}
        002180  {"type":"agent.turn_started","text":"one"}
        002280  {"type":"agent.failed","code":"agent.unreachable"}
        003760  {"type":"agent.said","text":"Sorry, what was that?"}
        006040  {"type":"caller.speech_started"}
        006580  {"type":"caller.speech_ended"}
        007180  {"type":"caller.said","text":"two"}
        007180  {"type":"agent.turn_started","text":"one two"}
        007280  {"type":"agent.failed","code":"agent.unreachable"}
        008760  {"type":"agent.said","text":"Sorry, what was that?"}
        012040  {"type":"caller.speech_started"}
        012580  {"type":"caller.speech_ended"}
        013180  {"type":"caller.said","text":"three"}
        013180  {"type":"agent.turn_started","text":"one two three"}
        013280  {"type":"agent.failed","code":"agent.unreachable"}
        014820  {"type":"agent.said","text":"I have to go. Goodbye."}
        019820  {"type":"call.ended","by":"gateway","why":"fault"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "one"
        002280  1 abandon
        007180  2 turn "one two"
        007280  2 abandon
        013180  3 turn "one two three"
        013280  3 abandon
    "#]],
    );
}

#[test]
fn an_agent_that_recovers_may_fail_again() {
    let fail = || Reply::fail("", "agent.unreachable");
    let world = replying(vec![fail(), fail(), Reply::say("Hi."), fail(), fail()])
        .at(1_000, speak(400, "one"))
        .at(6_000, speak(400, "two"))
        .at(12_000, speak(400, "three"))
        .at(16_000, speak(400, "four"))
        .at(22_000, speak(400, "five"))
        .at(30_000, hang_up())
        .run(40_000);
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "one"
        002280  1 abandon
        007180  2 turn "one two"
        007280  2 abandon
        013180  3 turn "one two three"
        013680  3 heard "Hi."
        017180  4 turn "four"
        017280  4 abandon
        023180  5 turn "four five"
        023280  5 abandon
    "#]],
    );
    assert!(world.story().contains(r#""by":"caller""#));
}

#[test]
fn what_an_agent_said_before_it_failed_is_its_answer() {
    let world = replying(vec![Reply::fail("We open at", "agent.refused")])
        .at(1_000, speak(400, "when"))
        .at(6_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"when"}
        002180  {"type":"agent.turn_started","text":"when"}
        002280  {"type":"agent.failed","code":"agent.refused"}
        003100  {"type":"agent.said","text":"We open at"}
        006000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "when"
        003100  1 heard "We open at"
    "#]],
    );
}

#[test]
fn an_agent_that_hangs_up_is_heard_out_first() {
    let world = replying(vec![Reply::farewell("Goodbye, and thank you.")])
        .at(1_000, speak(400, "bye"))
        .run(20_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"bye"}
        002180  {"type":"agent.turn_started","text":"bye"}
        003880  {"type":"agent.said","text":"Goodbye, and thank you."}
        008880  {"type":"call.ended","by":"agent","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "bye"
        003880  1 heard "Goodbye, and thank you."
    "#]],
    );
    check_orders(
        &world,
        expect![[r#"
        000000  Answer
        003880  HangUp
    "#]],
    );
}

#[test]
fn a_caller_who_interrupts_a_goodbye_takes_it_back() {
    let world = replying(vec![
        Reply::farewell("Goodbye, and thank you for calling us today."),
        Reply::say("Of course."),
    ])
    .at(1_000, speak(400, "bye"))
    .at(3_500, speak(600, "oh wait"))
    .at(9_000, hang_up())
    .run(20_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"bye"}
        002180  {"type":"agent.turn_started","text":"bye"}
        003540  {"type":"caller.speech_started"}
        003760  {"type":"agent.interrupted","heard":"Goodbye, and thank","unheard":"you for calling us today."}
        004280  {"type":"caller.speech_ended"}
        004880  {"type":"caller.said","text":"oh wait"}
        004880  {"type":"agent.turn_started","text":"oh wait"}
        005800  {"type":"agent.said","text":"Of course."}
        009000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "bye"
        003760  1 interrupted "Goodbye, and thank"
        004880  2 turn "oh wait"
        005800  2 heard "Of course."
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
fn an_agent_that_was_interrupted_cannot_hang_up_any_more() {
    let late = Happening::Agent(Agent::HangUp(call::TurnId(1)));
    let world = conversation(&["Goodbye, and thank you for calling us today."])
        .at(1_000, speak(400, "bye"))
        .at(3_500, speak(600, ""))
        .at(6_000, late)
        .at(9_000, hang_up())
        .run(20_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"bye"}
        002180  {"type":"agent.turn_started","text":"bye"}
        003540  {"type":"caller.speech_started"}
        003760  {"type":"agent.interrupted","heard":"Goodbye, and thank","unheard":"you for calling us today."}
        004280  {"type":"caller.speech_ended"}
        009000  {"type":"call.ended","by":"caller","why":"hung_up"}
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
fn an_agent_may_think_of_hanging_up_after_it_was_heard() {
    let hang_up = Happening::Agent(Agent::HangUp(call::TurnId(1)));
    let world = conversation(&["Goodbye."])
        .at(1_000, speak(400, "bye"))
        .at(5_000, hang_up)
        .run(20_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"bye"}
        002180  {"type":"agent.turn_started","text":"bye"}
        002980  {"type":"agent.said","text":"Goodbye."}
        010000  {"type":"call.ended","by":"agent","why":"hung_up"}
    "#]],
    );
}

#[test]
fn a_message_is_kept_even_when_the_call_is_ending() {
    let message = |text: &str| {
        Happening::Agent(Agent::Message {
            name: "Ann".into(),
            text: text.into(),
        })
    };
    let world = replying(vec![Reply::farewell("Goodbye.")])
        .at(1_000, speak(400, "bye"))
        .at(2_500, message("Call me."))
        .at(4_500, message("Today."))
        .run(20_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"bye"}
        002180  {"type":"agent.turn_started","text":"bye"}
        002500  {"type":"agent.took_message","name":"Ann","text":"Call me."}
        002980  {"type":"agent.said","text":"Goodbye."}
        004500  {"type":"agent.took_message","name":"Ann","text":"Today."}
        007980  {"type":"call.ended","by":"agent","why":"hung_up"}
    "#]],
    );
}

#[test]
fn a_clause_that_cannot_be_said_is_skipped() {
    let mouth = Mouth {
        fails: vec![2],
        ..Mouth::default()
    };
    let world = conversation(&["Yes. We open at nine. Come by!"])
        .mouth(mouth)
        .at(1_000, speak(400, "hello"))
        .at(8_000, hang_up())
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
        002540  {"type":"speech.failed","code":"speech.failed"}
        002740  {"type":"agent.said","text":"Yes."}
        003240  {"type":"agent.said","text":"Come by!"}
        008000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "hello"
        003240  1 heard "Yes. Come by!"
    "#]],
    );
}

#[test]
fn a_mouth_that_hangs_is_not_waited_for_forever() {
    let mouth = Mouth {
        hangs: vec![1],
        ..Mouth::default()
    };
    let world = conversation(&["Yes. We open at nine."])
        .mouth(mouth)
        .at(1_000, speak(400, "hello"))
        .at(12_000, hang_up())
        .run(14_000);
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
            002700  {"type":"speech.failed","code":"speech.failed"}
            003480  {"type":"agent.said","text":"We open at nine."}
            012000  {"type":"call.ended","by":"caller","why":"hung_up"}
        "#]],
    );
    check_told(
        &world,
        expect![[r#"
            002180  1 turn "hello"
            003480  1 heard "We open at nine."
        "#]],
    );
}

#[test]
fn a_clause_that_never_sounds_is_given_up() {
    let mouth = Mouth {
        hangs: vec![1],
        ..Mouth::default()
    };
    let world = conversation(&["We open at nine.", "At nine."])
        .mouth(mouth)
        .at(1_000, speak(400, "hello"))
        .at(9_000, speak(400, "hello"))
        .at(13_000, hang_up())
        .run(14_000);
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
            007280  {"type":"speech.failed","code":"speech.failed"}
            008760  {"type":"agent.said","text":"Sorry, what was that?"}
            009040  {"type":"caller.speech_started"}
            009580  {"type":"caller.speech_ended"}
            010180  {"type":"caller.said","text":"hello"}
            010180  {"type":"agent.turn_started","text":"hello"}
            010980  {"type":"agent.said","text":"At nine."}
            013000  {"type":"call.ended","by":"caller","why":"hung_up"}
        "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "hello"
        007280  1 heard ""
        010180  2 turn "hello"
        010980  2 heard "At nine."
    "#]],
    );
}

#[test]
fn a_mouth_that_fails_now_and_then_does_not_end_the_call() {
    let mouth = Mouth {
        fails: vec![1, 3, 5],
        ..Mouth::default()
    };
    let world = conversation(&["One. Two. Three. Four. Five. Six."])
        .mouth(mouth)
        .at(1_000, speak(400, "count"))
        .at(9_000, hang_up())
        .run(14_000);
    check(
        &world,
        expect![[r#"
            000000  {"type":"call.offered"}
            000000  {"type":"call.answered"}
            000000  {"type":"call.connected"}
            001040  {"type":"caller.speech_started"}
            001580  {"type":"caller.speech_ended"}
            002180  {"type":"caller.said","text":"count"}
            002180  {"type":"agent.turn_started","text":"count"}
            002480  {"type":"speech.failed","code":"speech.failed"}
            002560  {"type":"speech.failed","code":"speech.failed"}
            002660  {"type":"speech.failed","code":"speech.failed"}
            002760  {"type":"agent.said","text":"Two."}
            003080  {"type":"agent.said","text":"Four."}
            003340  {"type":"agent.said","text":"Six."}
            009000  {"type":"call.ended","by":"caller","why":"hung_up"}
        "#]],
    );
    check_told(
        &world,
        expect![[r#"
            002180  1 turn "count"
            003340  1 heard "Two. Four. Six."
        "#]],
    );
}

#[test]
fn a_mouth_that_fails_three_times_in_a_row_ends_the_call() {
    let mouth = Mouth {
        fails: (1..10).collect(),
        ..Mouth::default()
    };
    let world = conversation(&["Yes. We open at nine. Come by!"])
        .mouth(mouth)
        .at(1_000, speak(400, "hello"))
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
        002480  {"type":"speech.failed","code":"speech.failed"}
        002500  {"type":"speech.failed","code":"speech.failed"}
        002520  {"type":"speech.failed","code":"speech.failed"}
        007520  {"type":"call.ended","by":"gateway","why":"fault"}
    "#]],
    );
    check_orders(
        &world,
        expect![[r#"
        000000  Answer
        002520  HangUp
    "#]],
    );
}

#[test]
fn a_deaf_call_says_goodbye() {
    let world = conversation(&["Yes?"])
        .at(1_000, speak(400, "hello"))
        .at(
            1_200,
            Happening::Speech(Speech::EarsFailed("speech.failed")),
        )
        .run(20_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001200  {"type":"speech.failed","code":"speech.failed"}
        001580  {"type":"caller.speech_ended"}
        002740  {"type":"agent.said","text":"I have to go. Goodbye."}
        002940  {"type":"caller.said","text":"hello"}
        007740  {"type":"call.ended","by":"gateway","why":"fault"}
    "#]],
    );
    check_orders(
        &world,
        expect![[r#"
        000000  Answer
        002740  HangUp
    "#]],
    );
}

#[test]
fn an_agent_that_has_nothing_to_say_gives_the_floor_back() {
    let world = replying(vec![Reply::say("")])
        .at(1_000, speak(400, "hello"))
        .at(6_000, hang_up())
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
        006000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "hello"
        002280  1 heard ""
    "#]],
    );
}
