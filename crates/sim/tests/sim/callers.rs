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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001980  {"type":"caller.speech_ended"}
        002580  {"type":"caller.said","text":"when do you open"}
        002580  {"type":"agent.turn_started","text":"when do you open"}
        003860  {"type":"agent.said","text":"We open at nine."}
        006000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002580  1 turn "when do you open"
        003860  1 heard "We open at nine."
    "#]],
    );
}

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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"hello"}
        002180  {"type":"agent.turn_started","text":"hello"}
        004040  {"type":"caller.speech_started"}
        004260  {"type":"agent.interrupted","heard":"We open at nine and close at","unheard":"five every day but Sunday."}
        004780  {"type":"caller.speech_ended"}
        005380  {"type":"caller.said","text":"wait"}
        005380  {"type":"agent.turn_started","text":"wait"}
        006060  {"type":"agent.said","text":"Sorry?"}
        008000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "hello"
        004260  1 interrupted "We open at nine and close at"
        005380  2 turn "wait"
        006060  2 heard "Sorry?"
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
            000000  {"type":"call.offered"}
            000000  {"type":"call.answered"}
            000000  {"type":"call.connected"}
            001040  {"type":"caller.speech_started"}
            001580  {"type":"caller.speech_ended"}
            002180  {"type":"caller.said","text":"are you open"}
            002180  {"type":"agent.turn_started","text":"are you open"}
            002520  {"type":"caller.speech_started"}
            002740  {"type":"agent.said","text":"Yes."}
            002740  {"type":"agent.interrupted","heard":"","unheard":"We do open on Sundays, from ten to noon."}
            003260  {"type":"caller.speech_ended"}
            003860  {"type":"caller.said","text":"hold on"}
            003860  {"type":"agent.turn_started","text":"hold on"}
            005360  {"type":"agent.stalled"}
            006000  {"type":"agent.interrupted","heard":"One","unheard":"moment, please."}
            006000  {"type":"call.ended","by":"caller","why":"hung_up"}
        "#]],
    );
    check_told(
        &world,
        expect![[r#"
            002180  1 turn "are you open"
            002740  1 interrupted "Yes."
            003860  2 turn "hold on"
            006000  2 abandon
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"hello"}
        002180  {"type":"agent.turn_started","text":"hello"}
        005140  {"type":"agent.said","text":"We open at nine and close at five every day."}
        007000  {"type":"call.ended","by":"caller","why":"hung_up"}
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
            000000  {"type":"call.offered"}
            000000  {"type":"call.answered"}
            000000  {"type":"call.connected"}
            001040  {"type":"caller.speech_started"}
            001500  {"type":"caller.said","text":"hello"}
            001580  {"type":"caller.speech_ended"}
            001980  {"type":"agent.turn_started","text":"hello"}
            003040  {"type":"caller.speech_started"}
            003180  {"type":"caller.said","text":"uh-huh"}
            003260  {"type":"caller.speech_ended"}
            004940  {"type":"agent.said","text":"We open at nine and close at five every day."}
            007040  {"type":"caller.speech_started"}
            007500  {"type":"caller.said","text":"thanks"}
            007580  {"type":"caller.speech_ended"}
            007980  {"type":"agent.turn_started","text":"uh-huh thanks"}
            009260  {"type":"agent.said","text":"You are welcome."}
            012000  {"type":"call.ended","by":"caller","why":"hung_up"}
        "#]],
    );
    check_told(
        &world,
        expect![[r#"
            001980  1 turn "hello"
            004940  1 heard "We open at nine and close at five every day."
            007980  2 turn "uh-huh thanks"
            009260  2 heard "You are welcome."
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"a table"}
        002180  {"type":"agent.turn_started","text":"a table"}
        003480  {"type":"caller.speech_started"}
        003700  {"type":"caller.speech_ended"}
        004240  {"type":"agent.said","text":"Shall I book it for you then?"}
        004440  {"type":"caller.said","text":"yeah"}
        004440  {"type":"agent.turn_started","text":"yeah"}
        005540  {"type":"agent.said","text":"It is booked."}
        008000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "a table"
        004240  1 heard "Shall I book it for you then?"
        004440  2 turn "yeah"
        005540  2 heard "It is booked."
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"hello"}
        002180  {"type":"agent.turn_started","text":"hello"}
        003280  {"type":"caller.speech_started"}
        003460  {"type":"agent.said","text":"We open at nine."}
        004320  {"type":"caller.speech_ended"}
        004920  {"type":"caller.said","text":"thank you very much"}
        004920  {"type":"agent.turn_started","text":"thank you very much"}
        006200  {"type":"agent.said","text":"You are welcome."}
        008000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002180  1 turn "hello"
        003460  1 heard "We open at nine."
        004920  2 turn "thank you very much"
        006200  2 heard "You are welcome."
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001420  {"type":"caller.hearing","text":"hello"}
        001580  {"type":"caller.speech_ended"}
        002180  {"type":"caller.said","text":"hello"}
        002180  {"type":"agent.turn_started","text":"hello"}
        003040  {"type":"caller.speech_started"}
        003120  {"type":"caller.hearing","text":"no"}
        003120  {"type":"agent.interrupted","heard":"We open","unheard":"at nine and close at five every day."}
        003220  {"type":"caller.hearing","text":"no no"}
        003320  {"type":"caller.hearing","text":"no no no"}
        003420  {"type":"caller.hearing","text":"no no no no"}
        003520  {"type":"caller.hearing","text":"no no no no no"}
        003620  {"type":"caller.hearing","text":"no no no no no no"}
        003780  {"type":"caller.speech_ended"}
        004380  {"type":"caller.said","text":"no no no no no no"}
        004380  {"type":"agent.turn_started","text":"no no no no no no"}
        004940  {"type":"agent.said","text":"Yes?"}
        008000  {"type":"call.ended","by":"caller","why":"hung_up"}
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001580  {"type":"caller.speech_ended"}
        001800  {"type":"caller.said","text":"hello"}
        001980  {"type":"agent.turn_started","text":"hello"}
        003540  {"type":"caller.speech_started"}
        003760  {"type":"caller.speech_ended"}
        003980  {"type":"caller.said","text":"stop"}
        003980  {"type":"agent.interrupted","heard":"We open at nine and close at","unheard":"five every day."}
        004580  {"type":"agent.turn_started","text":"stop"}
        005140  {"type":"agent.said","text":"Yes?"}
        008000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        001980  1 turn "hello"
        003980  1 interrupted "We open at nine and close at"
        004580  2 turn "stop"
        005140  2 heard "Yes?"
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001780  {"type":"caller.speech_ended"}
        002380  {"type":"caller.said","text":"when do you open"}
        002380  {"type":"agent.turn_started","text":"when do you open"}
        002640  {"type":"caller.speech_started"}
        003280  {"type":"caller.speech_ended"}
        003880  {"type":"caller.said","text":"on Sundays"}
        003880  {"type":"agent.turn_started","text":"when do you open on Sundays"}
        005220  {"type":"agent.said","text":"On Sunday at ten."}
        009000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002380  1 turn "when do you open"
        002640  1 abandon
        003880  2 turn "when do you open on Sundays"
        005220  2 heard "On Sunday at ten."
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001780  {"type":"caller.speech_ended"}
        002380  {"type":"caller.said","text":"when do you open"}
        002380  {"type":"agent.turn_started","text":"when do you open"}
        002500  {"type":"caller.speech_started"}
        003140  {"type":"caller.speech_ended"}
        003740  {"type":"caller.said","text":"on Sundays"}
        003740  {"type":"agent.turn_started","text":"when do you open on Sundays"}
        005080  {"type":"agent.said","text":"On Sunday at ten."}
        009000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        002380  1 turn "when do you open"
        002500  1 abandon
        003740  2 turn "when do you open on Sundays"
        005080  2 heard "On Sunday at ten."
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001780  {"type":"caller.speech_ended"}
        002040  {"type":"caller.speech_started"}
        002780  {"type":"caller.speech_ended"}
        003380  {"type":"caller.said","text":"a table for two"}
        003380  {"type":"agent.turn_started","text":"a table for two"}
        004780  {"type":"agent.said","text":"For two, at eight."}
        007000  {"type":"call.ended","by":"caller","why":"hung_up"}
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001780  {"type":"caller.speech_ended"}
        002180  {"type":"caller.speech_started"}
        002920  {"type":"caller.speech_ended"}
        003520  {"type":"caller.said","text":"a table for two"}
        003520  {"type":"agent.turn_started","text":"a table for two"}
        004920  {"type":"agent.said","text":"For two, at eight."}
        007000  {"type":"call.ended","by":"caller","why":"hung_up"}
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001780  {"type":"caller.speech_ended"}
        002300  {"type":"caller.speech_started"}
        002640  {"type":"caller.speech_ended"}
        002880  {"type":"caller.said","text":"a table"}
        003740  {"type":"caller.said","text":"for two"}
        003740  {"type":"agent.turn_started","text":"a table for two"}
        005140  {"type":"agent.said","text":"For two, at eight."}
        008000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
}

#[test]
fn a_turn_that_is_surely_over_ends_sooner() {
    let world = conversation(&["At nine."])
        .at(1_000, Happening::Judged(ms(600), "when do you open", 0.9))
        .at(6_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001780  {"type":"caller.speech_ended"}
        002080  {"type":"caller.said","text":"when do you open"}
        002080  {"type":"agent.turn_started","text":"when do you open"}
        002880  {"type":"agent.said","text":"At nine."}
        006000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
}

#[test]
fn a_turn_that_is_surely_not_over_ends_later() {
    let world = conversation(&["At nine."])
        .at(1_000, Happening::Judged(ms(600), "when do you", 0.1))
        .at(6_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001780  {"type":"caller.speech_ended"}
        003080  {"type":"caller.said","text":"when do you"}
        003080  {"type":"agent.turn_started","text":"when do you"}
        003880  {"type":"agent.said","text":"At nine."}
        006000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
}

#[test]
fn a_verdict_that_comes_late_is_due_at_once() {
    let ears = Ears {
        judges: ms(340),
        ..Ears::default()
    };
    let world = conversation(&["At nine."])
        .ears(ears)
        .at(1_000, Happening::Judged(ms(600), "when do you open", 0.9))
        .at(6_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001780  {"type":"caller.speech_ended"}
        002320  {"type":"caller.said","text":"when do you open"}
        002320  {"type":"agent.turn_started","text":"when do you open"}
        003120  {"type":"agent.said","text":"At nine."}
        006000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
}

#[test]
fn a_transcriber_that_is_sure_by_itself_is_not_asked() {
    let ears = Ears {
        eager: Some(ms(300)),
        answers: None,
        ..Ears::default()
    };
    let world = conversation(&["At nine."])
        .ears(ears)
        .at(1_000, speak(600, "when do you open"))
        .at(6_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001780  {"type":"caller.speech_ended"}
        001900  {"type":"caller.said","text":"when do you open"}
        002180  {"type":"agent.turn_started","text":"when do you open"}
        002980  {"type":"agent.said","text":"At nine."}
        006000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
}

#[test]
fn when_the_transcriber_is_late_the_words_last_heard_must_do() {
    let ears = Ears {
        partials: Some(ms(200)),
        answers: Some(ms(2_000)),
        ..Ears::default()
    };
    let world = conversation(&["At nine every day."])
        .ears(ears)
        .at(1_000, speak(600, "when do you open"))
        .at(9_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001360  {"type":"caller.hearing","text":"when"}
        001500  {"type":"caller.hearing","text":"when do"}
        001660  {"type":"caller.hearing","text":"when do you"}
        001780  {"type":"caller.speech_ended"}
        001800  {"type":"caller.hearing","text":"when do you open"}
        003680  {"type":"caller.said","text":"when do you open"}
        003680  {"type":"agent.turn_started","text":"when do you open"}
        005080  {"type":"agent.said","text":"At nine every day."}
        009000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        003680  1 turn "when do you open"
        005080  1 heard "At nine every day."
    "#]],
    );
}

#[test]
fn words_beyond_those_that_had_to_do_are_not_lost() {
    let ears = Ears {
        answers: None,
        ..Ears::default()
    };
    let world = conversation(&["At nine every day.", "Tomorrow at ten."])
        .ears(ears)
        .at(1_000, speak(600, ""))
        .at(
            1_500,
            Happening::Speech(Speech::Partial("when do you".into())),
        )
        .at(
            4_000,
            Happening::Speech(Speech::Final("When do you open tomorrow?".into())),
        )
        .at(9_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001500  {"type":"caller.hearing","text":"when do you"}
        001780  {"type":"caller.speech_ended"}
        003680  {"type":"caller.said","text":"when do you"}
        003680  {"type":"agent.turn_started","text":"when do you"}
        004000  {"type":"caller.said","text":"open tomorrow?"}
        004600  {"type":"agent.turn_started","text":"when do you open tomorrow?"}
        005880  {"type":"agent.said","text":"Tomorrow at ten."}
        009000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        003680  1 turn "when do you"
        004000  1 abandon
        004600  2 turn "when do you open tomorrow?"
        005880  2 heard "Tomorrow at ten."
    "#]],
    );
}

#[test]
fn a_transcriber_that_never_answers_does_not_swallow_the_next_words() {
    let ears = Ears {
        answers: None,
        ..Ears::default()
    };
    let world = conversation(&["At nine every day.", "For two, good."])
        .ears(ears)
        .at(1_000, speak(600, ""))
        .at(
            1_500,
            Happening::Speech(Speech::Partial("when do you open".into())),
        )
        .at(8_000, speak(600, ""))
        .at(
            8_700,
            Happening::Speech(Speech::Final("for two please".into())),
        )
        .at(14_000, hang_up())
        .run(15_000);
    check(
        &world,
        expect![[r#"
            000000  {"type":"call.offered"}
            000000  {"type":"call.answered"}
            000000  {"type":"call.connected"}
            001040  {"type":"caller.speech_started"}
            001500  {"type":"caller.hearing","text":"when do you open"}
            001780  {"type":"caller.speech_ended"}
            003680  {"type":"caller.said","text":"when do you open"}
            003680  {"type":"agent.turn_started","text":"when do you open"}
            005080  {"type":"agent.said","text":"At nine every day."}
            008040  {"type":"caller.speech_started"}
            008700  {"type":"caller.said","text":"for two please"}
            008780  {"type":"caller.speech_ended"}
            009180  {"type":"agent.turn_started","text":"for two please"}
            010340  {"type":"agent.said","text":"For two, good."}
            014000  {"type":"call.ended","by":"caller","why":"hung_up"}
        "#]],
    );
    check_told(
        &world,
        expect![[r#"
            003680  1 turn "when do you open"
            005080  1 heard "At nine every day."
            009180  2 turn "for two please"
            010340  2 heard "For two, good."
        "#]],
    );
}

#[test]
fn noise_that_was_no_words_gives_the_floor_back() {
    let world = conversation(&[]).at(1_000, speak(600, "")).run(4_000);
    check(
        &world,
        expect![[r#"
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001780  {"type":"caller.speech_ended"}
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001780  {"type":"caller.speech_ended"}
        063120  {"type":"agent.said","text":"I have to go. Goodbye."}
        068120  {"type":"call.ended","by":"gateway","why":"silence"}
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001000  {"type":"caller.said","text":"when do you open"}
        001600  {"type":"agent.turn_started","text":"when do you open"}
        002400  {"type":"agent.said","text":"At nine."}
        006000  {"type":"call.ended","by":"caller","why":"hung_up"}
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        030000  {"type":"caller.pressed","digit":"4"}
        050000  {"type":"caller.pressed","digit":"#"}
        111540  {"type":"agent.said","text":"I have to go. Goodbye."}
        116540  {"type":"call.ended","by":"gateway","why":"silence"}
    "##]],
    );
    check_told(
        &world,
        expect![[r#"
        030000  pressed 4
        050000  pressed #
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001540  {"type":"caller.speech_started"}
        001760  {"type":"agent.interrupted","heard":"Good morning, this is the","unheard":"bakery. How may I help you?"}
        002480  {"type":"caller.speech_ended"}
        003080  {"type":"caller.said","text":"when do you open"}
        003080  {"type":"agent.turn_started","text":"when do you open"}
        003880  {"type":"agent.said","text":"At nine."}
        007000  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
    check_told(
        &world,
        expect![[r#"
        001760  opened "Good morning, this is the"
        003080  1 turn "when do you open"
        003880  1 heard "At nine."
    "#]],
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
        000000  {"type":"call.offered"}
        000000  {"type":"call.answered"}
        000000  {"type":"call.connected"}
        001040  {"type":"caller.speech_started"}
        001380  {"type":"caller.hearing","text":"call"}
        001640  {"type":"caller.hearing","text":"call me"}
        001900  {"type":"caller.hearing","text":"call me back"}
        001960  {"type":"caller.said","text":"call me back"}
        001960  {"type":"call.ended","by":"caller","why":"hung_up"}
    "#]],
    );
}
