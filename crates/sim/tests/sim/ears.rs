//! When a turn is over, and what was said in it: what ears do.

use call::input::Speech;
use expect_test::expect;
use sim::{Ears, Happening};

use crate::script::*;

#[test]
fn a_turn_that_is_surely_over_ends_sooner() {
    let world = conversation(&["At nine."])
        .at(1_000, Happening::Judged(ms(600), "when do you open", 0.9))
        .at(6_000, hang_up())
        .run(10_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001780  caller.speech_ended
        002080  caller.said "when do you open"
        002080  agent.turn_started "when do you open"
        002080    agent: 1 turn "when do you open"
        002880  agent.said "At nine."
        002880    agent: 1 heard "At nine."
        006000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001780  caller.speech_ended
        003080  caller.said "when do you"
        003080  agent.turn_started "when do you"
        003080    agent: 1 turn "when do you"
        003880  agent.said "At nine."
        003880    agent: 1 heard "At nine."
        006000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001780  caller.speech_ended
        002320  caller.said "when do you open"
        002320  agent.turn_started "when do you open"
        002320    agent: 1 turn "when do you open"
        003120  agent.said "At nine."
        003120    agent: 1 heard "At nine."
        006000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001780  caller.speech_ended
        001900  caller.said "when do you open"
        002180  agent.turn_started "when do you open"
        002180    agent: 1 turn "when do you open"
        002980  agent.said "At nine."
        002980    agent: 1 heard "At nine."
        006000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001360  caller.hearing "when"
        001500  caller.hearing "when do"
        001660  caller.hearing "when do you"
        001780  caller.speech_ended
        001800  caller.hearing "when do you open"
        003680  caller.said "when do you open"
        003680  agent.turn_started "when do you open"
        003680    agent: 1 turn "when do you open"
        005080  agent.said "At nine every day."
        005080    agent: 1 heard "At nine every day."
        009000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001500  caller.hearing "when do you"
        001780  caller.speech_ended
        003680  caller.said "when do you"
        003680  agent.turn_started "when do you"
        003680    agent: 1 turn "when do you"
        004000  caller.said "open tomorrow?"
        004000    agent: 1 abandon
        004600  agent.turn_started "when do you open tomorrow?"
        004600    agent: 2 turn "when do you open tomorrow?"
        005880  agent.said "Tomorrow at ten."
        005880    agent: 2 heard "Tomorrow at ten."
        009000  call.ended by="caller" why="hung_up"
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
        001040  caller.speech_started
        001500  caller.hearing "when do you open"
        001780  caller.speech_ended
        003680  caller.said "when do you open"
        003680  agent.turn_started "when do you open"
        003680    agent: 1 turn "when do you open"
        005080  agent.said "At nine every day."
        005080    agent: 1 heard "At nine every day."
        008040  caller.speech_started
        008700  caller.said "for two please"
        008780  caller.speech_ended
        009180  agent.turn_started "for two please"
        009180    agent: 2 turn "for two please"
        010340  agent.said "For two, good."
        010340    agent: 2 heard "For two, good."
        014000  call.ended by="caller" why="hung_up"
    "#]],
    );
}
