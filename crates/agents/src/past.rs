//! What was said on a call so far, for an agent that keeps nothing itself: what the caller said, and what they heard.

use std::collections::VecDeque;

use call::{Private, TurnId};
use ports::agent::{self, Line};
use ports::{Key, Kind, Need, Problem, Settings};

use crate::patience::number;

/// The conversation so far.
#[derive(Debug)]
pub(crate) struct Past {
    lines: VecDeque<Line>,
    /// The turn of which it is not known yet what was heard, and what the caller said.
    open: Option<(TurnId, Private<String>)>,
    /// How many bytes are kept.
    room: usize,
}

impl Past {
    /// What was said before this agent was asked anything. `room` is in bytes.
    pub(crate) fn new(past: agent::Past, room: usize) -> Self {
        let mut lines = VecDeque::from(past.lines);
        if let Some((_, said)) = &past.open {
            // It is told again, with all that was heard of the answer, when the turn is over.
            let by_agent = |it: &mut Line| matches!(it, Line::Agent(_));
            while lines.pop_back_if(by_agent).is_some() {}
            lines.pop_back_if(|it| matches!(it, Line::Caller(text) if text == said));
        }
        let mut new = Self {
            lines,
            open: past.open,
            room,
        };
        new.forget();
        new
    }

    /// The caller said this, and wants an answer. Empty where the agent speaks first.
    pub(crate) fn turn(&mut self, turn: TurnId, said: Private<String>) {
        // An answer of which nothing was reported was not heard; the caller's words stay.
        if let Some((_, said)) = self.open.replace((turn, said)) {
            self.add(Line::Caller(said));
        }
    }

    /// We said this in the agent's name.
    pub(crate) fn opened(&mut self, text: Private<String>) {
        self.add(Line::Agent(text));
    }

    /// The turn is over, and this was heard of its answer.
    pub(crate) fn heard(&mut self, turn: TurnId, text: Private<String>) {
        if let Some((_, said)) = self.open.take_if(|(open, _)| *open == turn) {
            self.add(Line::Caller(said));
            self.add(Line::Agent(text));
        }
    }

    /// The turn is taken back: the caller's words come again in another.
    pub(crate) fn abandon(&mut self, turn: TurnId) {
        self.open.take_if(|(open, _)| *open == turn);
    }

    /// In order, without the turn that is open.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &Line> {
        self.lines.iter()
    }

    fn add(&mut self, line: Line) {
        if !text(&line).trim().is_empty() {
            self.lines.push_back(line);
            self.forget();
        }
    }

    /// The oldest goes first.
    fn forget(&mut self) {
        let mut size: usize = self.lines.iter().map(|it| text(it).len()).sum();
        while size > self.room && self.lines.len() > 1 {
            let gone = self.lines.pop_front();
            size -= gone.map_or(0, |it| text(&it).len());
        }
    }
}

/// The words of a line.
pub(crate) fn text(line: &Line) -> &str {
    match line {
        Line::Agent(text) | Line::Caller(text) => text.reveal(),
    }
}

/// Who spoke it.
pub(crate) fn who(line: &Line) -> &'static str {
    match line {
        Line::Agent(_) => "agent",
        Line::Caller(_) => "caller",
    }
}

/// How much of a call an agent is reminded of.
pub(crate) const HISTORY: Key = Key::new(
    "history_chars",
    Kind::Number,
    Need::Optional,
    "how much of a call it is reminded of; default 24000",
);

/// The same as it is written in the configuration, in bytes.
pub(crate) fn room(settings: &Settings, problems: &mut Vec<Problem>) -> usize {
    let room = number(settings, HISTORY.name, (ROOM as u64, MOST_ROOM), problems);
    usize::try_from(room).unwrap_or(usize::MAX)
}

/// Where nobody says.
pub(crate) const ROOM: usize = 24_000;
const MOST_ROOM: u64 = 10_000_000;
/// How many keys are remembered from one turn to the next.
pub(crate) const MOST_KEYS: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_what_was_heard() {
        let mut past = Past::new(agent::Past::default(), 1_000);
        past.opened("Hello.".into());
        past.turn(TurnId(1), "When do you open?".into());
        past.heard(TurnId(1), "At nine".into());
        past.turn(TurnId(2), "And when".into());
        past.abandon(TurnId(2));
        past.turn(TurnId(3), "And when do you close?".into());
        past.turn(TurnId(4), "Hello?".into());
        past.heard(TurnId(2), "nobody heard this".into());
        let expected = [
            "agent Hello.",
            "caller When do you open?",
            "agent At nine",
            "caller And when do you close?",
        ];
        assert_eq!(shown(&past), expected);
    }

    #[test]
    fn a_turn_that_another_process_began_goes_on() {
        let lines = [
            Line::Caller("Are you open?".into()),
            Line::Agent("We are".into()),
        ];
        let open = Some((TurnId(7), "Are you open?".into()));
        let lines = lines.into();
        let mut past = Past::new(agent::Past { lines, open }, 1_000);
        assert!(shown(&past).is_empty());
        past.heard(TurnId(7), "We are open.".into());
        assert_eq!(shown(&past), ["caller Are you open?", "agent We are open."]);
    }

    #[test]
    fn the_oldest_is_forgotten_first() {
        let mut past = Past::new(agent::Past::default(), 20);
        for turn in 0..50 {
            past.turn(TurnId(turn), format!("said {turn}").into());
            past.heard(TurnId(turn), format!("heard {turn}").into());
        }
        assert_eq!(shown(&past), ["caller said 49", "agent heard 49"]);
    }

    fn shown(past: &Past) -> Vec<String> {
        let lines = past.lines();
        lines
            .map(|it| format!("{} {}", who(it), text(it)))
            .collect()
    }
}
