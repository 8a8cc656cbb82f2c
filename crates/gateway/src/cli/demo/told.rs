//! How the demo's call went: for people as a few lines, for programs as one object.

use std::path::PathBuf;
use std::time::Duration;

use call::Event;
use call::event::{End, Why};
use exchange::Outcome;
use exchange::stopwatch::{Clear, Reply};
use serde::Serialize;
use speech::words::error_rate;

use crate::cli::{Done, Out};
use crate::switchboard::{Record, Report};

/// Everything measured and heard.
#[derive(Debug, Serialize)]
pub(super) struct Summary {
    ended: Option<End>,
    turns: Vec<Turn>,
    /// After so much silence a caller counts as having finished, unless the turn detector is sure.
    silence_ms: u128,
    barge_in: Option<BargeIn>,
    /// Words wrong at the far ear, against what the agent says it said.
    heard_wer: f64,
    /// Words wrong in what the agent understood, against what the same ears make of the caller's
    /// clean side of the recording.
    understood_wer: f64,
    message: Option<Message>,
    /// What the phone heard: the caller left, the agent right.
    recording: String,
    /// The same as the gateway recorded it.
    gateway_recording: String,
    /// Everything the call was told, to be run again with `offhook replay`.
    flight_recording: Option<String>,
    /// The two sides of the recording, written down again.
    heard: Heard,
    underruns: usize,
    fault: Option<Report>,
}

#[derive(Debug, Default, Serialize)]
struct Turn {
    caller_said: String,
    agent_said: String,
    /// From the caller's last sound to the agent's first, at the ear.
    gap_ms: Option<u128>,
}

#[derive(Debug, Serialize)]
struct BargeIn {
    /// From the caller's first sound to the agent's last, at the ear.
    stop_ms: u128,
    /// From the moment the carrier was told to the agent's last sound.
    stop_after_decision_ms: Option<u128>,
    heard: String,
    unheard: String,
}

#[derive(Debug, Serialize)]
struct Message {
    name: String,
    text: String,
}

#[derive(Debug, Serialize)]
struct Heard {
    agent: String,
    caller: String,
}

/// What the demo leaves behind.
pub(super) struct Files {
    pub(super) heard: PathBuf,
    pub(super) inside: PathBuf,
    pub(super) flight: Option<PathBuf>,
}

impl Summary {
    pub(super) fn of(
        record: &Record,
        outcome: &Outcome,
        (agent, caller): (&str, &str),
        silence: Duration,
        files: &Files,
    ) -> Self {
        let events: Vec<Event> = record.log.after(0).into_iter().map(|it| it.event).collect();
        let mut turns = turns(&events);
        let replies = outcome.report.turns.iter().map(|it| match it.reply {
            Reply::After { gap } => Some(gap.as_millis()),
            Reply::Overlapping | Reply::Never => None,
        });
        // The first turn is the agent's own opening: nobody spoke before it.
        for (turn, gap) in turns.iter_mut().skip(1).zip(replies) {
            turn.gap_ms = gap;
        }
        let join = |of: fn(&Turn) -> &str| turns.iter().map(of).collect::<Vec<_>>().join(" ");
        let (said, understood) = (join(|it| &it.agent_said), join(|it| &it.caller_said));
        Self {
            ended: ended(&events),
            silence_ms: silence.as_millis(),
            barge_in: barge_in(&events, outcome),
            heard_wer: error_rate(&said, agent),
            understood_wer: error_rate(caller, &understood),
            message: events.iter().find_map(message),
            recording: files.heard.display().to_string(),
            gateway_recording: files.inside.display().to_string(),
            flight_recording: files.flight.as_ref().map(|it| it.display().to_string()),
            heard: Heard {
                agent: agent.to_owned(),
                caller: caller.to_owned(),
            },
            underruns: outcome.report.underruns.len(),
            fault: record.fault().cloned(),
            turns,
        }
    }

    pub(super) fn print(&self, out: &mut Out) {
        out.line("");
        for (at, turn) in self.turns.iter().enumerate().skip(1) {
            let gap = turn.gap_ms.map_or("—".to_owned(), |it| format!("{it} ms"));
            out.line(format_args!(
                "turn {at}: {gap} from the caller's last sound to the agent's first, at the ear"
            ));
        }
        if let Some(cut) = &self.barge_in {
            out.line(format_args!(
                "interrupted: the agent was silent {} ms after the caller began",
                cut.stop_ms
            ));
        }
        if let Some(message) = &self.message {
            out.line(format_args!(
                "message taken: {:?} from {}",
                message.text, message.name
            ));
        }
        out.line(format_args!(
            "the recording, written down again, differs from what the agent says it said in {:.1} % of words",
            self.heard_wer * 100.0
        ));
        out.line(format_args!("its agent's side: {}", self.heard.agent));
        out.line(format_args!("its caller's side: {}", self.heard.caller));
        out.line(format_args!(
            "listen: {} (the caller left, the agent right)",
            self.recording
        ));
        if let Some(flight) = &self.flight_recording {
            out.line(format_args!("run it again: offhook replay {flight}"));
        }
        out.json(self);
    }

    pub(super) fn done(&self) -> Done {
        match self.ended {
            Some(End {
                why: Why::HungUp | Why::Completed,
                ..
            }) => Done::Well,
            Some(_) | None => Done::CallFailed,
        }
    }
}

/// What each side said in turn, as the agent heard the caller and the caller heard the agent.
fn turns(events: &[Event]) -> Vec<Turn> {
    let mut turns = vec![Turn::default()];
    for event in events {
        let last = turns.len() - 1;
        if let Event::AgentTurnStarted { text } = event {
            turns.push(Turn {
                caller_said: text.reveal().clone(),
                ..Turn::default()
            });
        } else if let Event::AgentSaid { text } | Event::AgentInterrupted { heard: text, .. } =
            event
        {
            let said = &mut turns[last].agent_said;
            if !said.is_empty() && !text.reveal().is_empty() {
                said.push(' ');
            }
            said.push_str(text.reveal());
        }
    }
    turns
}

fn ended(events: &[Event]) -> Option<End> {
    events.iter().find_map(|event| {
        if let Event::Ended(end) = event {
            Some(*end)
        } else {
            None
        }
    })
}

fn message(event: &Event) -> Option<Message> {
    let Event::AgentTookMessage { name, text } = event else {
        return None;
    };
    Some(Message {
        name: name.reveal().clone(),
        text: text.reveal().clone(),
    })
}

fn barge_in(events: &[Event], outcome: &Outcome) -> Option<BargeIn> {
    let (heard, unheard) = events.iter().find_map(|event| {
        let Event::AgentInterrupted { heard, unheard } = event else {
            return None;
        };
        Some((heard.reveal().clone(), unheard.reveal().clone()))
    })?;
    let measured = outcome.report.interruptions.first()?;
    Some(BargeIn {
        stop_ms: measured.stop.as_millis(),
        stop_after_decision_ms: match measured.clear {
            Clear::Sent { stop, .. } => Some(stop.as_millis()),
            Clear::Never => None,
        },
        heard,
        unheard,
    })
}
