//! What the stories share: how a call begins, what can happen, and how a story is checked.

use std::time::{Duration, Instant};

use call::event::{End, Party, Why};
use call::input::{Carrier, Command};
use call::{Digit, Direction, Machine, Mode, Opening, Phrases, Plan, Policy, Recording};
use expect_test::Expect;
use sim::{Happening, Reply, World};

/// What is decided about most calls here.
pub(crate) fn plan(direction: Direction, opening: Opening) -> Plan {
    Plan {
        direction,
        mode: Mode::Conversation { opening },
        machine: Machine::Talk,
        policy: Policy::default(),
        phrases: Phrases {
            filler: "One moment, please.".into(),
            still: "I am still on it.".into(),
            apology: "Sorry, what was that?".into(),
            back: "Sorry, the line was gone.".into(),
            goodbye: "I have to go. Goodbye.".into(),
        },
        announcement: None,
        recording: Recording::Never,
    }
}

/// An inbound call that is up from the first moment, and on which the caller speaks first.
pub(crate) fn conversation(replies: &[&'static str]) -> World {
    replying(replies.iter().map(|it| Reply::say(it)).collect())
}

/// The same, with an agent that may do more than answer.
pub(crate) fn replying(replies: Vec<Reply>) -> World {
    up(World::new(
        Instant::now(),
        plan(Direction::Inbound, Opening::Wait),
        replies,
    ))
}

/// The same, with an opening.
pub(crate) fn opening(opening: Opening, replies: Vec<Reply>) -> World {
    up(World::new(
        Instant::now(),
        plan(Direction::Inbound, opening),
        replies,
    ))
}

/// Answers and connects it at once.
pub(crate) fn up(world: World) -> World {
    world
        .at(0, Happening::Carrier(Carrier::Answered))
        .at(0, Happening::Carrier(Carrier::Connected))
}

/// Checks the story from where the call is up, if it is so from the first moment.
#[track_caller]
pub(crate) fn check(world: &World, expected: Expect) {
    let story = world.story();
    expected.assert_eq(story.strip_prefix(UP).unwrap_or(&story));
}

/// How the stories begin in which [`up`] answers.
const UP: &str = "\
000000  call.offered
000000    carrier: Answer
000000  call.answered
000000  call.connected
";

pub(crate) fn speak(length: u64, words: &'static str) -> Happening {
    Happening::Speak(ms(length), words)
}

pub(crate) fn hang_up() -> Happening {
    ended(Party::Caller, Why::HungUp)
}

pub(crate) fn ended(by: Party, why: Why) -> Happening {
    Happening::Carrier(Carrier::Ended(End { by, why }))
}

pub(crate) fn pressed(key: char) -> Happening {
    let key = Digit::new(key).expect("the tests press keys that exist");
    Happening::Carrier(Carrier::Pressed(key))
}

pub(crate) fn say(text: &str) -> Happening {
    Happening::Command(Command::Say(text.into()))
}

pub(crate) fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}
