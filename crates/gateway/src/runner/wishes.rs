//! What an agent wants, before its call is told: an agent may be anything, also out of its mind, and what
//! it hands over is bounded here.

use call::input::{self, Input};
use call::{Private, Referral, TurnId};
use ports::agent::Answer;

use super::{Order, Runner};
use crate::line::Line;

impl<L: Line> Runner<L> {
    /// The agent answers, or is gone.
    pub(super) fn answered(&mut self, answer: Option<Answer>) {
        // That it is gone is noticed when it is next asked.
        let Some(answer) = answer else {
            self.agent = None;
            return;
        };
        if let Answer::Use(turn, used) = answer {
            return self.wants(turn, used);
        }
        match self.wishes.heed(answer) {
            Heeded::Told(input) => self.tell(input),
            Heeded::Stranger(referral) => {
                // A desk so busy has more urgent things to do than to say no.
                let _ = self.orders.try_send(Order::PutThrough(referral));
            }
            Heeded::Dropped => {}
        }
    }
}

/// What an agent has wanted of a call so far.
pub(super) struct Wishes {
    /// Whom it may put callers through to, by name.
    transfers: Vec<String>,
    /// How much it has said in its latest turn, in bytes.
    said: (TurnId, usize),
    messages: usize,
}

/// What becomes of an agent's answer.
pub(super) enum Heeded {
    /// The call is told.
    Told(Input),
    /// There is nobody of that name for this agent, so the call is not to begin with it: the switchboard
    /// says so.
    Stranger(Referral),
    /// It is more than an agent can have to say.
    Dropped,
}

impl Wishes {
    /// Those of an agent that may put callers through to these.
    pub(super) fn of(transfers: Vec<String>) -> Self {
        Self {
            transfers,
            said: (TurnId(0), 0),
            messages: 0,
        }
    }

    /// Takes what the agent answers.
    pub(super) fn heed(&mut self, answer: Answer) -> Heeded {
        Heeded::Told(Input::Agent(match answer {
            Answer::Text(turn, text) => {
                let Some(text) = self.speak(turn, text) else {
                    return Heeded::Dropped;
                };
                input::Agent::Say(turn, text)
            }
            // Something else is done about it.
            Answer::Use(..) => return Heeded::Dropped,
            Answer::Working(turn, most) => input::Agent::Working(turn, most),
            Answer::Finish(turn) => input::Agent::Finish(turn),
            Answer::HangUp(turn) => input::Agent::HangUp(turn),
            Answer::PutThrough(turn, referral) => {
                let referral = Referral {
                    about: bounded(referral.about, MOST_ABOUT),
                    to: referral.to,
                };
                if !self.transfers.contains(&referral.to) {
                    return Heeded::Stranger(referral);
                }
                input::Agent::PutThrough(turn, referral)
            }
            Answer::Message { name, text } => {
                self.messages += 1;
                if self.messages > MOST_MESSAGES {
                    return Heeded::Dropped;
                }
                input::Agent::Message {
                    name: bounded(name, MOST_NAME),
                    text: bounded(text, MOST_MESSAGE),
                }
            }
            Answer::Failed(turn, fault) => {
                super::note(&fault);
                input::Agent::Failed(turn, fault.code)
            }
        }))
    }

    /// What of a turn's words is still to be said: nobody listens to more.
    fn speak(&mut self, turn: TurnId, text: Private<String>) -> Option<Private<String>> {
        if self.said.0 != turn {
            self.said = (turn, 0);
        }
        let left = MOST_SAID.saturating_sub(self.said.1);
        self.said.1 = self.said.1.saturating_add(text.reveal().len());
        (left > 0).then(|| cut(text, left))
    }
}

/// One line of at most so many bytes: line breaks and other signs that nobody can say are spaces.
fn bounded(text: Private<String>, most: usize) -> Private<String> {
    let line = cut(text, most).into_revealed();
    let plain = |it: char| if it.is_control() { ' ' } else { it };
    Private::from(line.chars().map(plain).collect::<String>())
}

/// The beginning of a text, of at most so many bytes.
fn cut(text: Private<String>, most: usize) -> Private<String> {
    if text.reveal().len() <= most {
        return text;
    }
    let mut text = text.into_revealed();
    text.truncate(text.floor_char_boundary(most));
    Private::from(text)
}

/// An hour of speech.
const MOST_SAID: usize = 64 * 1024;
const MOST_ABOUT: usize = 300;
const MOST_NAME: usize = 200;
const MOST_MESSAGE: usize = 4_000;
const MOST_MESSAGES: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    fn told(heeded: Heeded) -> Option<Input> {
        match heeded {
            Heeded::Told(input) => Some(input),
            Heeded::Stranger(_) | Heeded::Dropped => None,
        }
    }

    #[test]
    fn an_agent_speaks_no_longer_than_anyone_would_listen() {
        let mut wishes = Wishes::of(Vec::new());
        let mut said = 0;
        for _ in 0..100 {
            let text = "é".repeat(5_000);
            let heeded = wishes.heed(Answer::Text(TurnId(1), text.into()));
            if let Some(Input::Agent(input::Agent::Say(_, text))) = told(heeded) {
                said += text.reveal().len();
            }
        }
        assert_eq!(said, MOST_SAID);
        let next = wishes.heed(Answer::Text(TurnId(2), "Hello.".to_owned().into()));
        assert!(told(next).is_some(), "another turn is another");
    }

    #[test]
    fn only_a_name_on_its_list_reaches_the_call() {
        let mut wishes = Wishes::of(vec!["ben".to_owned()]);
        let mut wish = |to: &str| {
            let about = format!("line\n\u{1b}[31m{}", "x".repeat(1_000)).into();
            let to = to.to_owned();
            wishes.heed(Answer::PutThrough(TurnId(1), Referral { to, about }))
        };
        for stranger in [
            "",
            "Ben",
            "ben ",
            "+19005551234",
            "sip:ben@example.com",
            "ben\n",
        ] {
            assert!(
                matches!(wish(stranger), Heeded::Stranger(_)),
                "{stranger:?}"
            );
        }
        let Some(Input::Agent(input::Agent::PutThrough(_, referral))) = told(wish("ben")) else {
            panic!("ben is on the list");
        };
        let about = referral.about.into_revealed();
        assert!(
            about.len() <= MOST_ABOUT && !about.contains(char::is_control),
            "{about:?}"
        );
    }

    #[test]
    fn messages_are_short_and_few() {
        let mut wishes = Wishes::of(Vec::new());
        let mut kept = 0;
        for _ in 0..100 {
            let (name, text) = ("n".repeat(100_000).into(), "t\0".repeat(100_000).into());
            let heeded = wishes.heed(Answer::Message { name, text });
            if let Some(Input::Agent(input::Agent::Message { name, text })) = told(heeded) {
                assert!(name.reveal().len() <= MOST_NAME);
                assert!(text.reveal().len() <= MOST_MESSAGE && !text.reveal().contains('\0'));
                kept += 1;
            }
        }
        assert_eq!(kept, MOST_MESSAGES);
    }
}
