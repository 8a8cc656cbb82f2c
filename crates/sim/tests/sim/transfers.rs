//! A carrier puts the caller through by itself: we are gone from the line, and perhaps come back.

use std::time::Duration;

use call::event::Why;
use call::input::{Carrier, Command};
use call::{BlindTransfer, Regrets};
use expect_test::expect;
use sim::{Happening, World};

use crate::script::{check, conversation, ended, hang_up, ms, say, speak};

fn transfer() -> Happening {
    Happening::Command(Command::Transfer(BlindTransfer {
        to: "ben".to_owned(),
        patience: Duration::from_secs(40),
        regrets: Regrets {
            nobody: "I am sorry, Ben does not answer.".into(),
            busy: "I am sorry, Ben is on another call.".into(),
            declined: "I am sorry, Ben cannot take the call.".into(),
        },
    }))
}

fn carrier(news: Carrier) -> Happening {
    Happening::Carrier(news)
}

fn talking() -> World {
    conversation(&["We open at nine and close at five every day.", "Of course."])
        .at(1_000, speak(400, "hello"))
        .at(3_500, transfer())
}

#[test]
fn they_talk_and_we_are_gone() {
    let world = talking()
        .at(3_550, carrier(Carrier::Disconnected))
        .at(9_000, carrier(Carrier::Joined))
        .at(9_100, carrier(Carrier::Joined))
        .at(10_000, say("Dinner is ready."))
        .at(90_000, hang_up())
        .run(100_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        003500  agent.interrupted heard="We open at nine" unheard="and close at five every day."
        003500    agent: 1 interrupted "We open at nine"
        003500  call.handed_over to="ben"
        003500    carrier: Transfer("ben")
        009000  call.transferred to="ben"
        090000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn when_the_other_one_hangs_up_so_do_we() {
    let world = talking()
        .at(9_000, carrier(Carrier::Joined))
        .at(60_000, carrier(Carrier::Parted))
        .at(60_200, hang_up())
        .run(70_000);
    check(
        &world,
        expect![[r#"
            001040  caller.speech_started
            001580  caller.speech_ended
            002180  caller.said "hello"
            002180  agent.turn_started "hello"
            002180    agent: 1 turn "hello"
            003500  agent.interrupted heard="We open at nine" unheard="and close at five every day."
            003500    agent: 1 interrupted "We open at nine"
            003500  call.handed_over to="ben"
            003500    carrier: Transfer("ben")
            009000  call.transferred to="ben"
            060000    carrier: HangUp
            060200  call.ended by="carrier" why="completed"
        "#]],
    );
}

/// A room may say that somebody came when they are long gone from it.
#[test]
fn that_they_came_revives_nothing_once_they_are_back() {
    let world = talking()
        .at(6_000, carrier(Carrier::PutBack(Why::Fault)))
        .at(6_010, carrier(Carrier::Joined))
        .at(6_040, carrier(Carrier::Connected))
        .at(6_050, carrier(Carrier::Joined))
        .at(14_000, hang_up())
        .at(14_100, carrier(Carrier::Joined))
        .run(20_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        003500  agent.interrupted heard="We open at nine" unheard="and close at five every day."
        003500    agent: 1 interrupted "We open at nine"
        003500  call.handed_over to="ben"
        003500    carrier: Transfer("ben")
        006000  call.transfer_failed to="ben" why="fault"
        006040  call.reconnected gap_ms=2540
        008180  agent.said "I am sorry, Ben does not answer."
        014000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_caller_whom_nobody_takes_comes_back_and_hears_why() {
    let world = talking()
        .at(6_000, carrier(Carrier::PutBack(Why::Busy)))
        .at(6_040, carrier(Carrier::Connected))
        .at(10_000, speak(600, "take a message then"))
        .at(14_000, hang_up())
        .run(20_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        003500  agent.interrupted heard="We open at nine" unheard="and close at five every day."
        003500    agent: 1 interrupted "We open at nine"
        003500  call.handed_over to="ben"
        003500    carrier: Transfer("ben")
        006000  call.transfer_failed to="ben" why="busy"
        006040  call.reconnected gap_ms=2540
        008360  agent.said "I am sorry, Ben is on another call."
        010040  caller.speech_started
        010780  caller.speech_ended
        011380  caller.said "take a message then"
        011380  agent.turn_started "take a message then"
        011380    agent: 2 turn "take a message then"
        012300  agent.said "Of course."
        012300    agent: 2 heard "Of course."
        014000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_carrier_that_says_nothing_is_asked_for_the_caller() {
    let world = talking()
        .at(44_000, carrier(Carrier::Connected))
        .at(50_000, hang_up())
        .run(60_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        003500  agent.interrupted heard="We open at nine" unheard="and close at five every day."
        003500    agent: 1 interrupted "We open at nine"
        003500  call.handed_over to="ben"
        003500    carrier: Transfer("ben")
        043500  call.transfer_failed to="ben" why="no_answer"
        043500    carrier: Reconnect
        044000  call.reconnected gap_ms=40500
        046140  agent.said "I am sorry, Ben does not answer."
        050000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_process_that_dies_meanwhile_changes_nothing() {
    let killed = |gone| Happening::Killed(ms(gone));
    let world = talking()
        .at(4_000, killed(500))
        .at(9_000, carrier(Carrier::Joined))
        .at(20_000, killed(2_000))
        .at(60_000, carrier(Carrier::Parted))
        .at(60_200, hang_up())
        .run(70_000);
    check(
        &world,
        expect![[r#"
            001040  caller.speech_started
            001580  caller.speech_ended
            002180  caller.said "hello"
            002180  agent.turn_started "hello"
            002180    agent: 1 turn "hello"
            003500  agent.interrupted heard="We open at nine" unheard="and close at five every day."
            003500    agent: 1 interrupted "We open at nine"
            003500  call.handed_over to="ben"
            003500    carrier: Transfer("ben")
            009000  call.transferred to="ben"
            060000    carrier: HangUp
            060200  call.ended by="carrier" why="completed"
        "#]],
    );
}

#[test]
fn a_limit_holds_while_they_talk() {
    let world = talking()
        .at(9_000, carrier(Carrier::Joined))
        .at(10_000, Happening::Command(Command::Limit(ms(60_000))))
        .run(70_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        003500  agent.interrupted heard="We open at nine" unheard="and close at five every day."
        003500    agent: 1 interrupted "We open at nine"
        003500  call.handed_over to="ben"
        003500    carrier: Transfer("ben")
        009000  call.transferred to="ben"
        060000    carrier: HangUp
        065000  call.ended by="gateway" why="time_limit"
    "#]],
    );
}

#[test]
fn the_owner_hangs_up_whenever_they_want() {
    for joined in [5_000, 30_000] {
        let world = talking()
            .at(joined, carrier(Carrier::Joined))
            .at(20_000, Happening::Command(Command::HangUp))
            .at(20_100, ended(call::event::Party::Owner, Why::HungUp))
            .run(25_000);
        let story = world.story();
        let end = r#"call.ended by="owner" why="hung_up""#;
        assert!(story.trim_end().ends_with(end), "{story}");
        assert!(story.contains("carrier: HangUp"), "{story}");
    }
}
