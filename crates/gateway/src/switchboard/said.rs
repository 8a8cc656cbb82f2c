//! What was said on a call so far, as an agent is reminded of it.

use call::{Event, Phrases, Private};
use policy::Proof;
use ports::agent::Line;
use serde_json::Value;

use super::life::spoken;

/// What was said: not what is said again, nor what we say for an agent that does not.
pub(super) struct Said {
    lines: Vec<Line>,
    ours: Vec<Private<String>>,
    recorded: bool,
    /// They keyed the right PIN.
    proved: bool,
    /// It was not a person, as far as anybody can tell, that picked up.
    doubtful: bool,
}

impl Said {
    /// Nothing, where we say these for an agent.
    pub(super) fn nothing(phrases: &Phrases) -> Self {
        Self::after(Vec::new(), phrases)
    }

    /// This.
    pub(super) fn after(lines: Vec<Line>, phrases: &Phrases) -> Self {
        let ours = [
            &phrases.filler,
            &phrases.still,
            &phrases.apology,
            &phrases.back,
            &phrases.goodbye,
        ];
        let ours = ours.into_iter().flat_map(spoken).collect();
        Self {
            lines,
            ours,
            recorded: false,
            proved: false,
            doubtful: false,
        }
    }

    /// Adds what an event says was said.
    pub(super) fn hear(&mut self, event: &Event) {
        if let Event::AgentTurnStarted { text } = event {
            self.asked(text.clone());
        } else if let Event::AgentSaid { text } = event {
            self.answered(text.clone());
        } else if let Event::AgentInterrupted { heard, .. } = event {
            self.lines.push(Line::Agent(heard.clone()));
        }
    }

    /// The same for an event as it is written down.
    pub(super) fn read(&mut self, event: &Value) {
        let text = |name: &str| Private::from(event[name].as_str().unwrap_or_default().to_owned());
        match event["type"].as_str().unwrap_or_default() {
            "agent.turn_started" => self.asked(text("text")),
            "agent.said" => self.answered(text("text")),
            "recording.started" => self.recorded = true,
            "caller.proved" => self.proved = true,
            "call.answered_by" => self.doubtful |= event["who"] != "human",
            "agent.interrupted" => self.lines.push(Line::Agent(text("heard"))),
            _ => {}
        }
    }

    /// Whether it was recorded.
    pub(super) fn recorded(&self) -> bool {
        self.recorded
    }

    /// What whoever is on it proved of who they are, if that was read too.
    pub(super) fn proof(&self, connected: bool) -> Proof {
        if self.proved {
            Proof::Pin
        } else if connected && !self.doubtful {
            Proof::PickedUp
        } else {
            Proof::Nothing
        }
    }

    /// All of it, in order.
    pub(super) fn lines(self) -> Vec<Line> {
        self.lines
    }

    fn asked(&mut self, text: Private<String>) {
        // A turn of which nothing was heard was taken back, and its words came again.
        if let Some(Line::Caller(_)) = self.lines.last() {
            self.lines.pop();
        }
        self.lines.push(Line::Caller(text));
    }

    fn answered(&mut self, text: Private<String>) {
        if !self.ours.contains(&text) {
            self.lines.push(Line::Agent(text));
        }
    }
}
