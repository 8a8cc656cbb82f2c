//! What a destination may be told of, by the names of the events.

use std::collections::BTreeSet;

/// What a destination is told of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    named: BTreeSet<String>,
    /// Everything whose name begins so.
    families: Vec<String>,
}

impl Kinds {
    /// Nothing but the report of each call.
    pub fn report() -> Self {
        let mut kinds = Self::default();
        kinds.named.insert(REPORT.to_owned());
        kinds
    }

    /// Adds an event by its name, or a family of them: `call.*`, or `*`. `false`: there is no such event.
    #[must_use]
    pub fn add(&mut self, written: &str) -> bool {
        let Some(family) = written.strip_suffix('*') else {
            let known = ALL.contains(&written);
            if known {
                self.named.insert(written.to_owned());
            }
            return known;
        };
        let whole = family.is_empty() || family.ends_with('.');
        let known = whole && ALL.iter().any(|it| it.starts_with(family));
        if known {
            self.families.push(family.to_owned());
        }
        known
    }

    /// Whether an event of this name is told.
    pub fn take(&self, kind: &str) -> bool {
        self.named.contains(kind) || self.families.iter().any(|it| kind.starts_with(it))
    }
}

/// All there is to say about a call that is over: no event of its own.
pub const REPORT: &str = "call.report";

/// Whose report is made.
pub(crate) const END: &str = "call.ended";

/// What came of a call, in the words of whoever had it made.
pub(crate) const OUTCOME: &str = "call.outcome";

/// Everything that may be named.
pub const ALL: &[&str] = &[
    REPORT,
    OUTCOME,
    "agent.called_tool",
    "agent.failed",
    "agent.interrupted",
    "agent.noted",
    "agent.pressed",
    "agent.refused",
    "agent.said",
    "agent.stalled",
    "agent.took_message",
    "agent.turn_started",
    "agent.turn_timed",
    "call.answered",
    "call.answered_by",
    "call.connected",
    "call.dialed",
    "call.disconnected",
    END,
    "call.greeting_ended",
    "call.handed_over",
    "call.offered",
    OUTCOME,
    "call.reconnected",
    "call.ringing",
    "call.transfer_failed",
    "call.transferred",
    "call.transferring",
    "caller.failed_proof",
    "caller.hearing",
    "caller.in_emergency",
    "caller.opted_out",
    "caller.pressed",
    "caller.proved",
    "caller.said",
    "caller.speech_ended",
    "caller.speech_started",
    "disclosure.played",
    "meeting.joined",
    "meeting.left",
    "meeting.muted",
    "meeting.speaking",
    "meeting.stopped_speaking",
    "meeting.unmuted",
    "policy.allowed",
    "policy.held",
    "policy.purpose",
    "policy.refused",
    "recording.refused",
    "recording.started",
    "speech.failed",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_can_be_named() {
        let source = include_str!("../../../call/src/event.rs");
        let named = source.split("serde(rename = \"").skip(1);
        let named: Vec<_> = named.filter_map(|it| it.split('"').next()).collect();
        let events = named.iter().filter(|it| it.contains('.'));
        assert!(events.clone().count() > 40, "{named:?}");
        for event in events {
            assert!(ALL.contains(event), "{event} is missing in the list");
        }
    }

    #[test]
    fn families_are_told_whole_and_nothing_else_is() {
        let mut kinds = Kinds::report();
        assert!(kinds.take(REPORT) && !kinds.take(END));
        assert!(kinds.add("caller.*") && kinds.add("agent.said"));
        assert!(kinds.take("caller.said") && kinds.take("agent.said"));
        assert!(!kinds.take("agent.failed") && !kinds.take("call.ended"));
        for wrong in ["caller.sad", "caller.sai*", "nobody.*", "", "call"] {
            assert!(!kinds.add(wrong), "{wrong}");
        }
        assert!(kinds.add("*") && kinds.take("call.ended"));
    }
}
