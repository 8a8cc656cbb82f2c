use std::collections::BTreeSet;
use std::time::Duration;

use crate::words::plain;

/// Notices a conversation that goes round in circles, and one that two machines have with each other.
///
/// What counts is what both sides bring. A round is what the far end said and what was heard in answer to
/// it; one in which hardly a word is new leads nowhere, however politely it is said. People repeat
/// themselves too, when they are not understood, but then the answers change, or they hang up. A far end
/// that calls itself a machine is not ended for that: it gets so many rounds to come to the point, and so
/// much time.
#[derive(Debug, Default)]
pub(crate) struct Circles {
    /// Every word that either side has said.
    known: BTreeSet<String>,
    rounds: u32,
    /// How many of the last rounds, one after the other, brought nothing new.
    stale: u32,
    far: Far,
}

/// Who the far end is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Far {
    /// Somebody.
    #[default]
    Somebody,
    /// A machine, by its own word, and so many rounds ago.
    Machine { rounds: u32 },
}

/// How long a conversation may lead nowhere. Counted in rounds: each is a turn of the far end's and the answer to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rounds {
    /// So many in a row may bring nothing new.
    pub stale: u32,
    /// So many may be had with a far end that calls itself a machine.
    pub machine: u32,
    /// So many may be had at all.
    pub most: u32,
}

impl Default for Rounds {
    fn default() -> Self {
        Self {
            stale: 6,
            machine: 14,
            most: 200,
        }
    }
}

impl Circles {
    /// A round is over: the far end said this, and heard that.
    pub(crate) fn round(&mut self, said: &str, answered: &str) {
        self.rounds += 1;
        self.far = match self.far {
            Far::Machine { rounds } => Far::Machine { rounds: rounds + 1 },
            Far::Somebody if is_a_machine(said) => Far::Machine { rounds: 1 },
            Far::Somebody => Far::Somebody,
        };
        let (mut all, mut new) = (0_u32, 0_u32);
        for word in plain(said).chain(plain(answered)) {
            all += 1;
            // A number is news each time: people spell out theirs, digit by digit.
            let counts = is_a_number(&word);
            let fresh = if self.known.len() < MOST_KNOWN {
                self.known.insert(word)
            } else {
                !self.known.contains(&word)
            };
            new += u32::from(fresh || counts);
        }
        self.stale = if new * HARDLY < all.max(1) {
            self.stale + 1
        } else {
            0
        };
    }

    /// Whether it is to end, having lasted so long, before another round begins.
    pub(crate) fn is_enough(&self, rounds: &Rounds, lasted: Duration) -> bool {
        let with_a_machine = match self.far {
            Far::Somebody => false,
            Far::Machine { rounds: had } => had >= rounds.machine || lasted >= WITH_A_MACHINE,
        };
        with_a_machine || self.stale >= rounds.stale || self.rounds >= rounds.most
    }
}

/// Whether someone says of themselves that they are a machine. Whoever asks whether we are one says nothing of the
/// kind.
fn is_a_machine(said: &str) -> bool {
    let words: Vec<String> = plain(said).collect();
    // As it is often heard: letter by letter.
    let mut joined: Vec<&str> = Vec::new();
    for word in &words {
        match (joined.last(), word.as_str()) {
            (Some(&"a"), "i") => {
                joined.pop();
                joined.push("ai");
            }
            (_, word) => joined.push(word),
        }
    }
    SUBJECTS.iter().any(|subject| {
        let at = joined.windows(subject.len()).enumerate();
        let mut after = at
            .filter(|(_, it)| it == subject)
            .map(|(at, _)| &joined[at + subject.len()..]);
        after.any(|rest| {
            let rest = match rest {
                ["a" | "an" | "the" | "your" | "our", rest @ ..] => rest,
                rest => rest,
            };
            matches!(rest, [kind, noun, ..] if KINDS.contains(kind) && NOUNS.contains(noun))
        })
    })
}

fn is_a_number(word: &str) -> bool {
    word.chars().any(|it| it.is_ascii_digit()) || NUMBERS.contains(&word)
}

const SUBJECTS: &[&[&str]] = &[
    &["i", "am"],
    &["i'm"],
    &["this", "is"],
    &["it's"],
    &["you", "are", "speaking", "with"],
    &["you", "are", "speaking", "to"],
    &["you", "are", "talking", "to"],
    &["you", "are", "talking", "with"],
    &["you're", "speaking", "with"],
    &["you're", "speaking", "to"],
    &["you're", "talking", "to"],
    &["you're", "talking", "with"],
    &["you", "have", "reached"],
];
const KINDS: &[&str] = &["ai", "artificial", "automated", "automatic"];
const NOUNS: &[&str] = &[
    "agent",
    "assistant",
    "attendant",
    "bot",
    "call",
    "intelligence",
    "message",
    "receptionist",
    "service",
    "system",
    "voice",
];
const NUMBERS: &[&str] = &[
    "zero", "oh", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "double", "triple", "hundred", "thousand",
];

/// A round in which fewer than one in so many words is new brings nothing new.
const HARDLY: u32 = 10;

/// Nobody says more different words than this in a call; beyond it everything new counts as new.
const MOST_KNOWN: usize = 20_000;

/// How long a call with a machine may last until a round begins.
const WITH_A_MACHINE: Duration = Duration::from_secs(9 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    const ORDINARY: &str = include_str!("ordinary.txt");
    const LOOPS: &str = include_str!("loops.txt");

    /// Conversations of a file: a name, then lines of the far end's (`>`) and the answers to them.
    fn conversations(text: &str) -> Vec<(&str, Vec<(&str, &str)>)> {
        let mut all: Vec<(&str, Vec<(&str, &str)>)> = Vec::new();
        let mut said = None;
        for line in text.lines().filter(|it| !it.trim().is_empty()) {
            if let Some(name) = line.strip_prefix("# ") {
                all.push((name, Vec::new()));
            } else if let Some(line) = line.strip_prefix("> ") {
                said = Some(line);
            } else {
                let said = said.take().expect("an answer to something");
                let (_, rounds) = all.last_mut().expect("it has a name");
                rounds.push((said, line));
            }
        }
        all
    }

    /// After how many rounds it is enough, going on again from its beginning where it is over if `again`.
    fn ends_after(rounds: &[(&str, &str)], most: usize) -> Option<usize> {
        let mut circles = Circles::default();
        for (at, (said, answered)) in rounds.iter().cycle().take(most).enumerate() {
            circles.round(said, answered);
            if circles.is_enough(&Rounds::default(), Duration::ZERO) {
                return Some(at + 1);
            }
        }
        None
    }

    #[test]
    fn no_ordinary_conversation_is_ended() {
        let all = conversations(ORDINARY);
        let rounds: usize = all.iter().map(|(_, it)| it.len()).sum();
        assert!(all.len() >= 20 && rounds >= 140, "{} {rounds}", all.len());
        let mut most = 0;
        for (name, rounds) in &all {
            assert_eq!(ends_after(rounds, rounds.len()), None, "{name}");
            let mut circles = Circles::default();
            for (said, answered) in rounds {
                circles.round(said, answered);
                most = most.max(circles.stale);
            }
        }
        let all = all.len();
        println!("{all} conversations, {rounds} rounds: none ended, at most {most} in a row stale");
    }

    #[test]
    fn every_loop_is_ended_within_thirty_turns() {
        let all = conversations(LOOPS);
        assert!(all.len() >= 6, "{}", all.len());
        for (name, rounds) in all {
            let ended = ends_after(&rounds, 100).unwrap_or(usize::MAX);
            println!("{name}: ended after {ended} rounds");
            assert!(ended <= 15, "{name}: {ended}");
        }
    }

    #[test]
    fn only_who_says_so_is_a_machine() {
        for machine in [
            "Hello. You are speaking with an AI assistant.",
            "hello you're talking to an a i assistant",
            "Thank you for calling. This is an automated system.",
            "Hi, I'm your AI receptionist, how can I help?",
            "I am an artificial intelligence.",
        ] {
            assert!(is_a_machine(machine), "{machine}");
        }
        for person in [
            "Am I speaking with an AI assistant?",
            "Are you a machine? I want a person.",
            "I am an AI engineer.",
            "I'm a virtual assistant at Miller's.",
            "This is Anna.",
            "I'm an assistant.",
            "",
        ] {
            assert!(!is_a_machine(person), "{person}");
        }
    }

    #[test]
    fn a_machine_gets_so_many_rounds_and_so_much_time() {
        let rounds = Rounds::default();
        let mut circles = Circles::default();
        for at in 0..rounds.machine {
            assert!(!circles.is_enough(&rounds, Duration::ZERO), "after {at}");
            let said = format!("This is an automated system of kind w{at}x.");
            circles.round(&said, &format!("And what does a{at}b c{at}d mean?"));
        }
        assert!(circles.is_enough(&rounds, Duration::ZERO));
        let mut slow = Circles::default();
        slow.round("I am an AI agent of the bank.", "Good morning.");
        assert!(!slow.is_enough(&rounds, Duration::from_secs(539)));
        assert!(slow.is_enough(&rounds, Duration::from_secs(540)));
    }

    #[test]
    fn nothing_goes_on_for_ever() {
        let mut circles = Circles::default();
        for at in 0..200 {
            assert!(!circles.is_enough(&Rounds::default(), Duration::ZERO));
            circles.round(&format!("word{at} and another{at}"), "Tell me more.");
        }
        assert!(circles.is_enough(&Rounds::default(), Duration::ZERO));
    }
}
