//! What a model is told of the conversation so far: what the caller said, and what the caller
//! heard. Not what the model wrote.

use std::collections::VecDeque;

use call::{Digit, Private, TurnId};
use ports::agent::{self, Past};
use serde::Serialize;

use crate::past::MOST_KEYS;

/// The conversation so far.
#[derive(Debug)]
pub(super) struct History {
    system: Private<String>,
    past: VecDeque<Line>,
    /// The turn whose answer has not been heard yet.
    open: Option<(TurnId, Private<String>)>,
    /// Keys pressed since the last turn.
    keys: String,
    /// What else happened since then.
    notes: Vec<&'static str>,
    /// What was done for it in the turn that is open, or in one that was taken back.
    done: Vec<String>,
    /// How many bytes of past are kept.
    room: usize,
}

#[derive(Debug)]
struct Line {
    who: Role,
    text: Private<String>,
}

/// Who speaks in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Role {
    /// Instructions.
    System,
    /// The caller.
    User,
    /// The model.
    Assistant,
}

/// One message, as the endpoint wants it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Message {
    /// Who speaks.
    pub role: Role,
    /// What they say.
    pub content: Private<String>,
}

impl History {
    /// A conversation that begins with `scene`, said in the caller's place: many models want the
    /// other side to speak first. `room` is in bytes.
    pub(super) fn new(system: String, scene: &str, room: usize) -> Self {
        let scene = Line {
            who: Role::User,
            text: scene.into(),
        };
        Self {
            system: system.into(),
            past: VecDeque::from([scene]),
            open: None,
            keys: String::new(),
            notes: Vec::new(),
            done: Vec::new(),
            room,
        }
    }

    /// What was said before this model was asked anything.
    pub(super) fn recall(&mut self, past: Past) {
        for line in past.lines {
            match line {
                agent::Line::Agent(text) => self.add(Role::Assistant, text),
                agent::Line::Caller(text) => self.add(Role::User, text),
            }
        }
        if let Some((turn, said)) = past.open {
            // It is told again, with all that was heard of the answer, when the turn is over.
            while self
                .past
                .pop_back_if(|it| it.who == Role::Assistant)
                .is_some()
            {}
            self.past
                .pop_back_if(|it| it.who == Role::User && it.text == said);
            self.open = Some((turn, said));
        }
    }

    /// We said this in the model's name.
    pub(super) fn opened(&mut self, text: Private<String>) {
        self.add(Role::Assistant, text);
    }

    /// The caller said this, and wants an answer. Empty where the model speaks first.
    pub(super) fn turn(&mut self, turn: TurnId, said: &str) {
        // An answer of which nothing was reported was not heard; the caller's words stay.
        if let Some((_, said)) = self.open.take() {
            self.add(Role::User, said);
        }
        let keys = std::mem::take(&mut self.keys);
        let pressed = if keys.is_empty() {
            String::new()
        } else {
            format!("(The caller pressed {keys} on the phone.) ")
        };
        let notes: String = std::mem::take(&mut self.notes)
            .into_iter()
            .map(|it| format!("({it}) "))
            .collect();
        let done = self.take_done();
        let said = format!("{done}{notes}{pressed}{said}");
        self.open = Some((turn, said.trim().into()));
    }

    /// The turn is over, and this was heard of its answer.
    pub(super) fn heard(&mut self, turn: TurnId, text: Private<String>) {
        if let Some((_, said)) = self.open.take_if(|(open, _)| *open == turn) {
            let done = self.take_done();
            self.add(
                Role::User,
                format!("{}\n{done}", said.reveal()).trim().into(),
            );
            self.add(Role::Assistant, text);
        }
    }

    /// Something was done for it, and this came of that: it remembers so when it is next asked.
    pub(super) fn done(&mut self, what: String) {
        if self.done.len() < MOST_DONE {
            self.done.push(what);
        }
    }

    fn take_done(&mut self) -> String {
        let done = std::mem::take(&mut self.done).into_iter();
        done.map(|it| format!("(You had this done: {it}) "))
            .collect()
    }

    /// The turn is taken back: the caller's words come again in another.
    pub(super) fn abandon(&mut self, turn: TurnId) {
        self.open.take_if(|(open, _)| *open == turn);
    }

    /// Something happened that the model should know. The same twice is once.
    pub(super) fn note(&mut self, what: &'static str) {
        if !self.notes.contains(&what) {
            self.notes.push(what);
        }
    }

    /// A key was pressed.
    pub(super) fn pressed(&mut self, digit: Digit) {
        if self.keys.len() < MOST_KEYS {
            self.keys.push(digit.as_char());
        }
    }

    /// The messages for the turn that is open. Two in a row never have the same role: some models
    /// refuse that.
    pub(super) fn messages(&self) -> Vec<Message> {
        let mut messages = vec![Message {
            role: Role::System,
            content: self.system.clone(),
        }];
        let past = self.past.iter().map(|line| (line.who, &line.text));
        let open = self.open.iter().map(|(_, said)| (Role::User, said));
        for (role, text) in past.chain(open) {
            if text.reveal().is_empty() {
                continue;
            }
            match messages.last_mut() {
                Some(last) if last.role == role => {
                    last.content = format!("{}\n{}", last.content.reveal(), text.reveal()).into();
                }
                Some(_) | None => messages.push(Message {
                    role,
                    content: text.clone(),
                }),
            }
        }
        messages
    }

    fn add(&mut self, who: Role, text: Private<String>) {
        if text.reveal().trim().is_empty() {
            return;
        }
        self.past.push_back(Line { who, text });
        let mut size: usize = self.past.iter().map(|line| line.text.reveal().len()).sum();
        // The oldest goes first, and an answer does not outlive its question.
        while self.past.len() > 1 {
            let orphan = self.past[0].who == Role::Assistant;
            if size <= self.room && !orphan {
                break;
            }
            size -= self
                .past
                .pop_front()
                .map_or(0, |line| line.text.reveal().len());
        }
    }
}

const MOST_DONE: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_heard() {
        let mut history = history(1000);
        history.opened("Hello.".into());
        history.turn(TurnId(1), "When do you open?");
        history.heard(TurnId(1), "At nine".into());
        history.turn(TurnId(2), "And when");
        history.abandon(TurnId(2));
        history.turn(TurnId(3), "And when do you close?");
        history.heard(TurnId(2), "nobody heard this".into());
        let expected = [
            "s: sys",
            "u: (ring)",
            "a: Hello.",
            "u: When do you open?",
            "a: At nine",
            "u: And when do you close?",
        ];
        assert_eq!(shown(&history), expected);
    }

    #[test]
    fn a_conversation_that_another_process_began_goes_on() {
        let mut history = history(1000);
        let caller = |text: &str| agent::Line::Caller(text.into());
        let agent = |text: &str| agent::Line::Agent(text.into());
        history.recall(Past {
            lines: vec![
                agent("Hello."),
                caller("When do you open?"),
                agent("At nine."),
                caller("And on Sundays?"),
                agent("On Sundays"),
            ],
            open: Some((TurnId(7), "And on Sundays?".into())),
        });
        history.heard(TurnId(7), "On Sundays we are closed.".into());
        history.turn(TurnId(8), "Thanks.");
        let expected = [
            "s: sys",
            "u: (ring)",
            "a: Hello.",
            "u: When do you open?",
            "a: At nine.",
            "u: And on Sundays?",
            "a: On Sundays we are closed.",
            "u: Thanks.",
        ];
        assert_eq!(shown(&history), expected);
    }

    #[test]
    fn nobody_speaks_twice_in_a_row() {
        let mut history = history(1000);
        history.turn(TurnId(1), "One");
        history.heard(TurnId(1), "".into());
        history.turn(TurnId(2), "Two");
        history.turn(TurnId(3), "Three");
        assert_eq!(shown(&history), ["s: sys", "u: (ring)|One|Two|Three"]);
    }

    #[test]
    fn keys_are_told_with_the_next_turn() {
        let mut history = history(1000);
        for key in ['1', '#'] {
            history.pressed(Digit::new(key).expect("it is a key"));
        }
        history.turn(TurnId(1), "There.");
        history.heard(TurnId(1), "Thanks.".into());
        history.turn(TurnId(2), "Bye.");
        let expected = [
            "s: sys",
            "u: (ring)|(The caller pressed 1# on the phone.) There.",
            "a: Thanks.",
            "u: Bye.",
        ];
        assert_eq!(shown(&history), expected);
    }

    #[test]
    fn the_oldest_is_forgotten_first_but_never_the_instructions() {
        let mut history = history(40);
        for turn in 0..50 {
            history.turn(TurnId(turn), &format!("question {turn}"));
            history.heard(TurnId(turn), format!("answer {turn}").into());
        }
        history.turn(TurnId(50), &"long ".repeat(100));
        let shown = shown(&history);
        assert_eq!(
            shown[..5],
            [
                "s: sys",
                "u: question 48",
                "a: answer 48",
                "u: question 49",
                "a: answer 49"
            ]
        );
        assert_eq!(shown.len(), 6);
    }

    fn history(room: usize) -> History {
        History::new("sys".to_owned(), "(ring)", room)
    }

    fn shown(history: &History) -> Vec<String> {
        let messages = history.messages();
        let show = |message: &Message| {
            let role = match message.role {
                Role::System => "s",
                Role::User => "u",
                Role::Assistant => "a",
            };
            format!("{role}: {}", message.content.reveal().replace('\n', "|"))
        };
        messages.iter().map(show).collect()
    }
}
