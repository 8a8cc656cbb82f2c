//! What agents and voices do.

use call::input::{Agent, Speech};
use call::{Event, Opening};
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
        001000  agent.said "Good morning."
        001000    agent: opened "Good morning."
        003000  call.ended by="caller" why="hung_up"
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
        000000    agent: 1 open
        001340  agent.said "Hello, who is it?"
        001340    agent: 1 heard "Hello, who is it?"
        003000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn every_stage_of_an_answer_is_timed_from_the_end_of_the_callers_speech() {
    let replies = vec![
        Reply::say("We open at nine."),
        Reply::say("We close at five.").after(1_000),
        Reply::say("Never heard."),
    ];
    let world = replying(replies)
        .at(1_000, speak(800, "when do you open"))
        .at(5_000, speak(800, "and when do you close"))
        .at(10_000, speak(800, "on Sundays"))
        .at(11_700, speak(800, "I mean"))
        .at(12_500, hang_up())
        .run(14_000);
    expect![[r#"
        {"turn":1,"transcribed_ms":800,"told_ms":800,"first_token_ms":900,"first_clause_ms":900,"first_audio_ms":1100,"at_ear_ms":1120}
        {"turn":2,"transcribed_ms":800,"told_ms":800,"first_token_ms":1800,"first_clause_ms":1800,"first_audio_ms":2000,"at_ear_ms":2020}
        {"turn":3,"transcribed_ms":800,"told_ms":800,"first_token_ms":900,"first_clause_ms":900}
    "#]].assert_eq(&world.timed());
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
        001040  caller.speech_started
        001980  caller.speech_ended
        002580  caller.said "when do you open"
        002580  agent.turn_started "when do you open"
        002580    agent: 1 turn "when do you open"
        004080  agent.stalled
        005440  agent.said "One moment, please."
        007760  agent.said "We open at nine."
        007760    agent: 1 heard "We open at nine."
        012000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001980  caller.speech_ended
        002580  caller.said "when do you open"
        002580  agent.turn_started "when do you open"
        002580    agent: 1 turn "when do you open"
        003560  agent.said "Let me see."
        005060  agent.stalled
        006420  agent.said "One moment, please."
        007380  agent.said "At nine."
        007380    agent: 1 heard "Let me see. At nine."
        012000  call.ended by="caller" why="hung_up"
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
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001980  caller.speech_ended
        002580  caller.said "when do you open"
        002580  agent.turn_started "when do you open"
        002580    agent: 1 turn "when do you open"
        003560  agent.said "Let me see."
        004040  caller.speech_started
        004260  caller.speech_ended
        006380  agent.said "At nine."
        006380    agent: 1 heard "Let me see. At nine."
        012000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001980  caller.speech_ended
        002580  caller.said "when do you open"
        002580  agent.turn_started "when do you open"
        002580    agent: 1 turn "when do you open"
        004080  agent.stalled
        005440  agent.said "One moment, please."
        012580  agent.failed code="agent.timeout"
        012580    agent: 1 abandon
        014060  agent.said "Sorry, what was that?"
        018040  caller.speech_started
        018980  caller.speech_ended
        019580  caller.said "when do you open"
        019580  agent.turn_started "when do you open when do you open"
        019580    agent: 2 turn "when do you open when do you open"
        020860  agent.said "We open at nine."
        020860    agent: 2 heard "We open at nine."
        026000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "one"
        002180  agent.turn_started "one"
        002180    agent: 1 turn "one"
        002280  agent.failed code="agent.unreachable"
        002280    agent: 1 abandon
        003760  agent.said "Sorry, what was that?"
        006040  caller.speech_started
        006580  caller.speech_ended
        007180  caller.said "two"
        007180  agent.turn_started "one two"
        007180    agent: 2 turn "one two"
        007280  agent.failed code="agent.unreachable"
        007280    agent: 2 abandon
        008760  agent.said "Sorry, what was that?"
        012040  caller.speech_started
        012580  caller.speech_ended
        013180  caller.said "three"
        013180  agent.turn_started "one two three"
        013180    agent: 3 turn "one two three"
        013280  agent.failed code="agent.unreachable"
        013280    agent: 3 abandon
        014820  agent.said "I have to go. Goodbye."
        014820    carrier: HangUp
        019820  call.ended by="gateway" why="fault"
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
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "one"
        002180  agent.turn_started "one"
        002180    agent: 1 turn "one"
        002280  agent.failed code="agent.unreachable"
        002280    agent: 1 abandon
        003760  agent.said "Sorry, what was that?"
        006040  caller.speech_started
        006580  caller.speech_ended
        007180  caller.said "two"
        007180  agent.turn_started "one two"
        007180    agent: 2 turn "one two"
        007280  agent.failed code="agent.unreachable"
        007280    agent: 2 abandon
        008760  agent.said "Sorry, what was that?"
        012040  caller.speech_started
        012580  caller.speech_ended
        013180  caller.said "three"
        013180  agent.turn_started "one two three"
        013180    agent: 3 turn "one two three"
        013680  agent.said "Hi."
        013680    agent: 3 heard "Hi."
        016040  caller.speech_started
        016580  caller.speech_ended
        017180  caller.said "four"
        017180  agent.turn_started "four"
        017180    agent: 4 turn "four"
        017280  agent.failed code="agent.unreachable"
        017280    agent: 4 abandon
        018760  agent.said "Sorry, what was that?"
        022040  caller.speech_started
        022580  caller.speech_ended
        023180  caller.said "five"
        023180  agent.turn_started "four five"
        023180    agent: 5 turn "four five"
        023280  agent.failed code="agent.unreachable"
        023280    agent: 5 abandon
        024760  agent.said "Sorry, what was that?"
        030000  call.ended by="caller" why="hung_up"
    "#]],
    );
    assert!(world.story().contains(r#"by="caller""#));
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
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "when"
        002180  agent.turn_started "when"
        002180    agent: 1 turn "when"
        002280  agent.failed code="agent.refused"
        003100  agent.said "We open at"
        003100    agent: 1 heard "We open at"
        006000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "bye"
        002180  agent.turn_started "bye"
        002180    agent: 1 turn "bye"
        003880  agent.said "Goodbye, and thank you."
        003880    agent: 1 heard "Goodbye, and thank you."
        003880    carrier: HangUp
        008880  call.ended by="agent" why="hung_up"
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
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "bye"
        002180  agent.turn_started "bye"
        002180    agent: 1 turn "bye"
        003540  caller.speech_started
        003760  agent.interrupted heard="Goodbye, and thank" unheard="you for calling us today."
        003760    agent: 1 interrupted "Goodbye, and thank"
        004280  caller.speech_ended
        004880  caller.said "oh wait"
        004880  agent.turn_started "oh wait"
        004880    agent: 2 turn "oh wait"
        005800  agent.said "Of course."
        005800    agent: 2 heard "Of course."
        009000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "bye"
        002180  agent.turn_started "bye"
        002180    agent: 1 turn "bye"
        003540  caller.speech_started
        003760  agent.interrupted heard="Goodbye, and thank" unheard="you for calling us today."
        003760    agent: 1 interrupted "Goodbye, and thank"
        004280  caller.speech_ended
        009000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "bye"
        002180  agent.turn_started "bye"
        002180    agent: 1 turn "bye"
        002980  agent.said "Goodbye."
        002980    agent: 1 heard "Goodbye."
        005000    carrier: HangUp
        010000  call.ended by="agent" why="hung_up"
    "#]],
    );
}

#[test]
fn a_note_is_kept_whenever_it_comes_and_changes_nothing() {
    let replies = || replying(vec![Reply::farewell("Goodbye.")]).at(1_000, speak(400, "bye"));
    let note = |text: &str| Happening::Agent(Agent::Note(text.into()));
    let noted = replies()
        .at(2_500, note("They sounded tired."))
        .at(4_500, note("Ring Ann."))
        .run(20_000);
    let is_note = |it: &Event| matches!(it, Event::AgentNoted { .. });
    let (notes, others): (Vec<_>, Vec<_>) = noted.events().into_iter().partition(is_note);
    assert_eq!(notes.len(), 2);
    assert_eq!(others, replies().run(20_000).events());
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
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "bye"
        002180  agent.turn_started "bye"
        002180    agent: 1 turn "bye"
        002500  agent.took_message name="Ann" "Call me."
        002980  agent.said "Goodbye."
        002980    agent: 1 heard "Goodbye."
        002980    carrier: HangUp
        004500  agent.took_message name="Ann" "Today."
        007980  call.ended by="agent" why="hung_up"
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
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        002540  speech.failed code="speech.failed"
        002740  agent.said "Yes."
        003240  agent.said "Come by!"
        003240    agent: 1 heard "Yes. Come by!"
        008000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        002700  speech.failed code="speech.failed"
        003480  agent.said "We open at nine."
        003480    agent: 1 heard "We open at nine."
        012000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        007280  speech.failed code="speech.failed"
        007280    agent: 1 heard ""
        008760  agent.said "Sorry, what was that?"
        009040  caller.speech_started
        009580  caller.speech_ended
        010180  caller.said "hello"
        010180  agent.turn_started "hello"
        010180    agent: 2 turn "hello"
        010980  agent.said "At nine."
        010980    agent: 2 heard "At nine."
        013000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "count"
        002180  agent.turn_started "count"
        002180    agent: 1 turn "count"
        002480  speech.failed code="speech.failed"
        002560  speech.failed code="speech.failed"
        002660  speech.failed code="speech.failed"
        002760  agent.said "Two."
        003080  agent.said "Four."
        003340  agent.said "Six."
        003340    agent: 1 heard "Two. Four. Six."
        009000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        002480  speech.failed code="speech.failed"
        002500  speech.failed code="speech.failed"
        002520  speech.failed code="speech.failed"
        002520    agent: 1 abandon
        002520    carrier: HangUp
        007520  call.ended by="gateway" why="fault"
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
        001040  caller.speech_started
        001200  speech.failed code="speech.failed"
        001580  caller.speech_ended
        002740  agent.said "I have to go. Goodbye."
        002740    carrier: HangUp
        002940  caller.said "hello"
        007740  call.ended by="gateway" why="fault"
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
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        002280    agent: 1 heard ""
        006000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn an_agent_at_work_is_heard_to_be_for_as_long_as_it_is() {
    let most = ms(30_000);
    let world = replying(vec![
        Reply::say("You are free on Friday.").working(20_000, most),
    ])
    .at(1_000, speak(800, "am I free on Friday"))
    .at(30_000, hang_up())
    .run(32_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001980  caller.speech_ended
        002580  caller.said "am I free on Friday"
        002580  agent.turn_started "am I free on Friday"
        002580    agent: 1 turn "am I free on Friday"
        004080  agent.stalled
        005440  agent.said "One moment, please."
        015480  agent.said "I am still on it."
        024280  agent.said "You are free on Friday."
        024280    agent: 1 heard "You are free on Friday."
        030000  call.ended by="caller" why="hung_up"
    "#]],
    );
    let silence = world.longest_silence(ms(2_580), ms(24_000));
    assert!(silence <= ms(2_000), "{silence:?}");
}

#[test]
fn an_agent_that_works_longer_than_it_said_is_apologised_for() {
    let world = replying(vec![Reply::silence().working(0, ms(5_000))])
        .at(1_000, speak(800, "am I free on Friday"))
        .at(25_000, hang_up())
        .run(27_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001980  caller.speech_ended
        002580  caller.said "am I free on Friday"
        002580  agent.turn_started "am I free on Friday"
        002580    agent: 1 turn "am I free on Friday"
        004080  agent.stalled
        005440  agent.said "One moment, please."
        015480  agent.said "I am still on it."
        017680  agent.failed code="agent.timeout"
        017680    agent: 1 abandon
        019160  agent.said "Sorry, what was that?"
        025000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_caller_who_changes_their_mind_takes_the_work_back() {
    let replies = vec![
        Reply::say("You are free on Friday.").working(20_000, ms(30_000)),
        Reply::say("All right."),
    ];
    let world = replying(replies)
        .at(1_000, speak(800, "am I free on Friday"))
        .at(9_000, speak(800, "never mind"))
        .at(30_000, hang_up())
        .run(32_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001980  caller.speech_ended
        002580  caller.said "am I free on Friday"
        002580  agent.turn_started "am I free on Friday"
        002580    agent: 1 turn "am I free on Friday"
        004080  agent.stalled
        005440  agent.said "One moment, please."
        009040  caller.speech_started
        009040    agent: 1 abandon
        009980  caller.speech_ended
        010580  caller.said "never mind"
        010580  agent.turn_started "am I free on Friday never mind"
        010580    agent: 2 turn "am I free on Friday never mind"
        011500  agent.said "All right."
        011500    agent: 2 heard "All right."
        030000  call.ended by="caller" why="hung_up"
    "#]],
    );
}
