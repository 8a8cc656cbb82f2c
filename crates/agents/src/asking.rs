//! Asks someone who has picked up whether they will take a call, and no more than that.

use async_trait::async_trait;
use call::meeting::Consent;
use call::{Digit, Private, TurnId};
use ports::agent::{Agent, Answer, Introduction, Tell};
use ports::{Fault, Link};
use tokio::sync::mpsc;

use crate::words::{Verdict, verdict, words};

/// What it says besides the question, which opens the call.
#[derive(Clone, Debug)]
pub struct Phrases {
    /// The question again, for whoever gave no answer.
    pub again: Private<String>,
    /// They will.
    pub thanks: Private<String>,
    /// They will not.
    pub regrets: Private<String>,
}

/// An agent that asks whether a call is taken. It was opened with the question; says so to whoever
/// listens to `told` once it knows.
///
/// Yes is a yes, or the key `1`. Whoever says no, presses another key, or twice says neither, does not
/// take it, and is hung up on with a word.
pub struct Asking {
    phrases: Phrases,
    told: mpsc::Sender<Consent>,
}

impl Asking {
    /// Asks for whoever listens to the other end of `told`.
    pub fn new(phrases: Phrases, told: mpsc::Sender<Consent>) -> Self {
        Self { phrases, told }
    }
}

#[async_trait]
impl Agent for Asking {
    async fn open(&self, _: Introduction) -> Result<Link<Tell, Answer>, Fault> {
        let (near, far) = ports::pair(ROOM);
        let asked = Asked {
            phrases: self.phrases.clone(),
            told: self.told.clone(),
            link: far,
            unclear: 0,
            answering: Answering::Nothing,
        };
        tokio::spawn(asked.run());
        Ok(near)
    }

    async fn check(&self) -> Result<String, Fault> {
        Ok("asks whether a call is taken".to_owned())
    }
}

struct Asked {
    phrases: Phrases,
    told: mpsc::Sender<Consent>,
    link: Link<Answer, Tell>,
    /// How often they said neither.
    unclear: u32,
    answering: Answering,
}

/// What the turn says that is being said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answering {
    Nothing,
    Thanks(TurnId),
}

impl Asked {
    async fn run(mut self) {
        while let Some(tell) = self.link.rx.recv().await {
            let consent = match tell {
                Tell::Turn { turn, said } => self.answer(turn, said.reveal()).await,
                Tell::Open { turn } => {
                    self.say(turn, &self.phrases.again).await;
                    self.finish(turn).await;
                    None
                }
                Tell::Pressed(digit) => Some(pressed(digit)),
                // They said yes, and were thanked, or do not want to be.
                Tell::Heard { turn, .. } | Tell::Interrupted { turn, .. } => {
                    (self.answering == Answering::Thanks(turn)).then_some(Consent::Yes)
                }
                Tell::Abandon(_)
                | Tell::Opened { .. }
                | Tell::Proved
                | Tell::Refused(_)
                | Tell::Used { .. } => None,
            };
            if let Some(consent) = consent
                && self.told.send(consent).await.is_err()
            {
                return;
            }
        }
    }

    async fn answer(&mut self, turn: TurnId, said: &str) -> Option<Consent> {
        let consent = match consent(said) {
            Some(consent) => consent,
            None if self.unclear < ASKED_AGAIN => {
                self.unclear += 1;
                self.say(turn, &self.phrases.again).await;
                self.finish(turn).await;
                return None;
            }
            None => Consent::No,
        };
        match consent {
            Consent::Yes => {
                self.answering = Answering::Thanks(turn);
                self.say(turn, &self.phrases.thanks).await;
                self.finish(turn).await;
                None
            }
            Consent::No => {
                self.say(turn, &self.phrases.regrets).await;
                let _ = self.link.tx.send(Answer::HangUp(turn)).await;
                Some(Consent::No)
            }
        }
    }

    async fn say(&self, turn: TurnId, text: &Private<String>) {
        let _ = self.link.tx.send(Answer::Text(turn, text.clone())).await;
    }

    async fn finish(&self, turn: TurnId) {
        let _ = self.link.tx.send(Answer::Finish(turn)).await;
    }
}

fn pressed(digit: Digit) -> Consent {
    if digit.as_char() == '1' {
        Consent::Yes
    } else {
        Consent::No
    }
}

/// What an answer to the question comes to; `None`: it is none.
fn consent(said: &str) -> Option<Consent> {
    let said = words(said);
    let has = |phrase: &&str| {
        let phrase: Vec<_> = phrase.split(' ').collect();
        said.windows(phrase.len()).any(|it| {
            it.iter()
                .map(|word| word.low.as_str())
                .eq(phrase.iter().copied())
        })
    };
    match verdict(&said).0 {
        Verdict::No => Some(Consent::No),
        _ if REFUSING.iter().any(has) => Some(Consent::No),
        Verdict::Yes => Some(Consent::Yes),
        Verdict::Neither if WILLING.iter().any(has) => Some(Consent::Yes),
        Verdict::Neither => None,
    }
}

/// Heard anywhere in an answer, these mean no.
const REFUSING: &[&str] = &[
    "not now",
    "not right now",
    "busy",
    "later",
    "can't",
    "cannot",
    "don't",
    "call back",
    "call me back",
    "in a meeting",
    "no",
];

/// And these yes.
const WILLING: &[&str] = &[
    "put them through",
    "put him through",
    "put her through",
    "put it through",
    "connect",
    "go ahead",
    "i'll take it",
    "i will take it",
    "yes",
    "sure",
    "okay",
    "ok",
    "please do",
];

/// Whoever says neither yes nor no is asked so often again.
const ASKED_AGAIN: u32 = 1;

const ROOM: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_understood() {
        for (said, meant) in [
            ("Yes.", Some(Consent::Yes)),
            ("Yeah, sure, put them through.", Some(Consent::Yes)),
            ("Um, okay.", Some(Consent::Yes)),
            ("Please put her through", Some(Consent::Yes)),
            ("No.", Some(Consent::No)),
            ("No, thank you.", Some(Consent::No)),
            ("Not right now, please.", Some(Consent::No)),
            ("Yes, but I'm busy, I'll call back.", Some(Consent::No)),
            ("Sorry, I can't.", Some(Consent::No)),
            ("Who is this?", None),
            ("Hello?", None),
        ] {
            assert_eq!(consent(said), meant, "{said}");
        }
    }

    #[tokio::test]
    async fn whoever_says_nothing_clear_twice_does_not_take_it() {
        let (told, mut hears) = mpsc::channel(4);
        let link = open(told).await;
        for (turn, said) in [(1, "Who is this?"), (2, "What do you mean?")] {
            let said = said.to_owned().into();
            let turn = TurnId(turn);
            link.tx
                .send(Tell::Turn { turn, said })
                .await
                .expect("it listens");
        }
        assert_eq!(hears.recv().await, Some(Consent::No));
    }

    #[tokio::test]
    async fn a_yes_counts_once_the_thanks_were_heard_and_a_key_at_once() {
        let (told, mut hears) = mpsc::channel(4);
        let link = open(told).await;
        let (turn, said) = (TurnId(1), "Yes.".to_owned().into());
        link.tx
            .send(Tell::Turn { turn, said })
            .await
            .expect("it listens");
        tokio::task::yield_now().await;
        assert!(hears.try_recv().is_err(), "it is still being thanked");
        let text = "Thanks".to_owned().into();
        link.tx
            .send(Tell::Heard { turn, text })
            .await
            .expect("it listens");
        assert_eq!(hears.recv().await, Some(Consent::Yes));
        let one = Digit::new('1').expect("a key");
        link.tx.send(Tell::Pressed(one)).await.expect("it listens");
        assert_eq!(hears.recv().await, Some(Consent::Yes));
    }

    async fn open(told: mpsc::Sender<Consent>) -> Link<Tell, Answer> {
        let phrase = |text: &str| Private::from(text.to_owned());
        let phrases = Phrases {
            again: phrase("Shall I?"),
            thanks: phrase("Thanks."),
            regrets: phrase("Goodbye."),
        };
        let introduction = Introduction {
            transfers: Vec::new(),
            call: "a call".to_owned(),
            session: "a call".to_owned(),
            direction: call::Direction::Outbound,
            caller: None,
            contact: None,
            trust: call::Trust::Unknown,
            number: call::Number::parse("+15551234567").expect("a number"),
            tools: Vec::new(),
            objective: None,
            company: ports::agent::Company::Caller,
            past: ports::agent::Past::default(),
        };
        let agent = Asking::new(phrases, told);
        agent.open(introduction).await.expect("it opens")
    }
}
