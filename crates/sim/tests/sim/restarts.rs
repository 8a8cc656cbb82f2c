//! The line is gone, or we are: the call goes on where it was.

use std::time::Duration;

use call::input::Carrier;
use call::{Direction, Mode, Opening};
use expect_test::expect;
use sim::{Happening, Mouth, Reply, World};

use crate::script::{check, conversation, hang_up, opening, plan, speak, up};

fn dropped() -> Happening {
    Happening::Carrier(Carrier::Dropped)
}

fn connected() -> Happening {
    Happening::Carrier(Carrier::Connected)
}

fn killed(ms: u64) -> Happening {
    Happening::Killed(Duration::from_millis(ms))
}

const HOURS: &str = "We open at nine and close at five every day. On Sundays we are closed.";

#[test]
fn a_broken_line_is_mended_and_the_sentence_goes_on() {
    let world = conversation(&[HOURS])
        .at(1_000, speak(400, "hello"))
        .at(4_000, dropped())
        .at(4_700, connected())
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
        004000  call.disconnected
        004000    carrier: Reconnect
        004000  agent.interrupted heard="We open at nine and" unheard="close at five every day. On Sundays we are closed."
        004700  call.reconnected gap_ms=700
        006360  agent.said "close at five every day."
        007860  agent.said "On Sundays we are closed."
        007860    agent: 1 heard "We open at nine and close at five every day. On Sundays we are closed."
        014000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_killed_gateway_goes_on_with_what_was_not_heard() {
    let world = conversation(&[HOURS, "Yes."])
        .at(1_000, speak(400, "hello"))
        .at(4_000, killed(600))
        .at(4_400, connected())
        .at(10_000, speak(600, "are you sure"))
        .at(15_000, hang_up())
        .run(20_000);
    check(
        &world,
        expect![[r#"
            001040  caller.speech_started
            001580  caller.speech_ended
            002180  caller.said "hello"
            002180  agent.turn_started "hello"
            002180    agent: 1 turn "hello"
            004000  call.disconnected
            004000  agent.interrupted heard="We open at nine and" unheard="close at five every day. On Sundays we are closed."
            004400  call.reconnected gap_ms=1000
            006060  agent.said "close at five every day."
            007560  agent.said "On Sundays we are closed."
            007560    agent: 1 heard "We open at nine and close at five every day. On Sundays we are closed."
            010040  caller.speech_started
            010780  caller.speech_ended
            011380  caller.said "are you sure"
            011380  agent.turn_started "are you sure"
            011380    agent: 2 turn "are you sure"
            011940  agent.said "Yes."
            011940    agent: 2 heard "Yes."
            015000  call.ended by="caller" why="hung_up"
        "#]],
    );
}

#[test]
fn a_long_gap_is_apologised_for() {
    let world = conversation(&[HOURS])
        .at(1_000, speak(400, "hello"))
        .at(4_000, killed(2_500))
        .at(4_400, connected())
        .at(15_000, hang_up())
        .run(20_000);
    check(
        &world,
        expect![[r#"
            001040  caller.speech_started
            001580  caller.speech_ended
            002180  caller.said "hello"
            002180  agent.turn_started "hello"
            002180    agent: 1 turn "hello"
            004000  call.disconnected
            004000  agent.interrupted heard="We open at nine and" unheard="close at five every day. On Sundays we are closed."
            004400  call.reconnected gap_ms=2900
            006120  agent.said "Sorry, the line was gone."
            007560  agent.said "close at five every day."
            009060  agent.said "On Sundays we are closed."
            009060    agent: 1 heard "We open at nine and close at five every day. On Sundays we are closed."
            015000  call.ended by="caller" why="hung_up"
        "#]],
    );
}

#[test]
fn apologies_do_not_pile_up() {
    let world = conversation(&[HOURS])
        .at(1_000, speak(400, "hello"))
        .at(4_000, killed(2_500))
        .at(4_400, connected())
        .at(5_300, killed(1_200))
        .at(5_700, connected())
        .at(6_100, killed(2_500))
        .at(6_500, connected())
        .at(15_000, hang_up())
        .run(20_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        004000  call.disconnected
        004000  agent.interrupted heard="We open at nine and" unheard="close at five every day. On Sundays we are closed."
        004400  call.reconnected gap_ms=2900
        005300  call.disconnected
        005300  agent.interrupted heard="Sorry," unheard="the line was gone. close at five every day. On Sundays we are closed."
        005700  call.reconnected gap_ms=1600
        006100  call.disconnected
        006500  call.reconnected gap_ms=2900
        008220  agent.said "Sorry, the line was gone."
        009660  agent.said "close at five every day."
        011160  agent.said "On Sundays we are closed."
        011160    agent: 1 heard "We open at nine and close at five every day. On Sundays we are closed."
        015000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_silence_that_becomes_long_behind_a_short_gap_is_apologised_for() {
    // What is left to say never has sound.
    let mouth = Mouth {
        hangs: vec![3, 4],
        ..Mouth::default()
    };
    let world = conversation(&[HOURS])
        .mouth(mouth)
        .at(1_000, speak(400, "hello"))
        .at(4_000, killed(600))
        .at(4_400, connected())
        .at(15_000, hang_up())
        .run(20_000);
    check(
        &world,
        expect![[r#"
            001040  caller.speech_started
            001580  caller.speech_ended
            002180  caller.said "hello"
            002180  agent.turn_started "hello"
            002180    agent: 1 turn "hello"
            004000  call.disconnected
            004000  agent.interrupted heard="We open at nine and" unheard="close at five every day. On Sundays we are closed."
            004400  call.reconnected gap_ms=1000
            006880  agent.said "Sorry, the line was gone."
            008320  agent.said "close at five every day."
            009820  agent.said "On Sundays we are closed."
            009820    agent: 1 heard "We open at nine and close at five every day. On Sundays we are closed."
            015000  call.ended by="caller" why="hung_up"
        "#]],
    );
}

#[test]
fn a_caller_cut_off_in_the_middle_is_answered_all_the_same() {
    let world = conversation(&["At nine."])
        .at(1_000, speak(900, "when do you open"))
        .at(2_700, killed(500))
        .at(3_000, connected())
        .at(12_000, hang_up())
        .run(20_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        002080  caller.speech_ended
        002680  caller.said "when do you open"
        002680  agent.turn_started "when do you open"
        002680    agent: 1 turn "when do you open"
        002700  call.disconnected
        003000  call.reconnected gap_ms=800
        004300  agent.turn_started "when do you open"
        004300    agent: 2 turn "when do you open"
        005800  agent.stalled
        007160  agent.said "One moment, please."
        012000    agent: 2 abandon
        012000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_gateway_killed_while_its_agent_thinks_asks_again() {
    let world = World::new(
        std::time::Instant::now(),
        plan(Direction::Inbound, Opening::Wait),
        vec![
            Reply::say("never heard").after(5_000),
            Reply::say("At nine."),
        ],
    );
    let world = up(world)
        .at(1_000, speak(900, "when do you open"))
        .at(4_000, killed(500))
        .at(4_300, connected())
        .at(12_000, hang_up())
        .run(20_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        002080  caller.speech_ended
        002680  caller.said "when do you open"
        002680  agent.turn_started "when do you open"
        002680    agent: 1 turn "when do you open"
        004000  call.disconnected
        004300  call.reconnected gap_ms=800
        005600  agent.turn_started "when do you open"
        005600    agent: 2 turn "when do you open"
        006400  agent.said "At nine."
        006400    agent: 2 heard "At nine."
        012000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_greeting_nobody_heard_is_said_from_its_beginning() {
    let world = opening(Opening::Say("Good morning. How can I help?".into()), vec![])
        .at(60, killed(500))
        .at(400, connected())
        .at(8_000, hang_up())
        .run(20_000);
    check(
        &world,
        expect![[r#"
        000400  call.connected
        002360  agent.said "Good morning. How can I help?"
        002360    agent: opened "Good morning. How can I help?"
        008000  call.ended by="caller" why="hung_up"
    "#]],
    );
}

#[test]
fn a_notice_is_not_said_twice() {
    let mut plan = plan(Direction::Outbound, Opening::Wait);
    plan.mode = Mode::Notify {
        text: "The oven is still on. Please turn it off now. Thank you very much.".into(),
    };
    let world = up(World::new(std::time::Instant::now(), plan, vec![]))
        .at(3_500, killed(800))
        .at(4_000, connected())
        .run(30_000);
    check(
        &world,
        expect![[r#"
            000000  call.dialed
            000000    carrier: Dial
            000000  call.answered
            000000  call.connected
            003500  call.disconnected
            003500  agent.interrupted heard="The oven is still on. Please turn it off" unheard="now. Thank you very much."
            004000  call.reconnected gap_ms=1300
            005720  agent.said "now. Thank you very much."
            007220    carrier: HangUp
            012220  call.ended by="agent" why="completed"
        "#]],
    );
}

#[test]
fn sound_that_does_not_come_back_ends_the_call() {
    let world = conversation(&[HOURS])
        .at(1_000, speak(400, "hello"))
        .at(4_000, dropped())
        .run(60_000);
    check(
        &world,
        expect![[r#"
        001040  caller.speech_started
        001580  caller.speech_ended
        002180  caller.said "hello"
        002180  agent.turn_started "hello"
        002180    agent: 1 turn "hello"
        004000  call.disconnected
        004000    carrier: Reconnect
        004000  agent.interrupted heard="We open at nine and" unheard="close at five every day. On Sundays we are closed."
        024000    agent: 1 interrupted "We open at nine and"
        024000    carrier: HangUp
        029000  call.ended by="carrier" why="fault"
    "#]],
    );
}

#[test]
fn a_call_killed_while_it_rings_is_waited_for_and_never_dialled() {
    let plan = plan(Direction::Outbound, Opening::Say("Hello.".into()));
    let world = World::new(std::time::Instant::now(), plan, vec![])
        .at(500, Happening::Carrier(Carrier::Ringing))
        .at(1_000, killed(500))
        .at(3_000, Happening::Carrier(Carrier::Answered))
        .at(3_100, connected())
        .at(8_000, hang_up())
        .run(20_000);
    check(
        &world,
        expect![[r#"
        000000  call.dialed
        000000    carrier: Dial
        000500  call.ringing
        003000  call.answered
        003100  call.connected
        003680  agent.said "Hello."
        003680    agent: opened "Hello."
        008000  call.ended by="caller" why="hung_up"
    "#]],
    );
}
