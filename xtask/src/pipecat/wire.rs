//! Messages, side by side: what we write and what Pipecat writes for the same.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// How our messages differ from Pipecat's.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Differences {
    /// How many were compared.
    pub(super) compared: usize,
    /// What only one of the two writes, and makes no difference to the carrier.
    pub(super) harmless: BTreeSet<String>,
    /// Everything else.
    pub(super) wrong: BTreeSet<String>,
}

impl Differences {
    /// Compares two messages that should mean the same.
    pub(super) fn compare(&mut self, carrier: &str, ours: &Value, theirs: &Value) {
        self.compared += 1;
        let (ours, theirs) = (fields(ours), fields(theirs));
        let event = text(ours.get("/event"));
        let paths: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
        for path in paths {
            match (ours.get(path), theirs.get(path)) {
                (Some(our), Some(their)) if is_same(path, our, their) => {}
                (our, their) => {
                    let known = our.is_none() && OPTIONAL.contains(&(carrier, &event, path));
                    let list = if known {
                        &mut self.harmless
                    } else {
                        &mut self.wrong
                    };
                    // A payload is too long to be read, and an id is another one in each call.
                    let said = match (our, their) {
                        (Some(_), Some(_)) if path == PAYLOAD => {
                            "are not the same sound".to_owned()
                        }
                        (Some(our), Some(their)) => format!("is {our} here and {their} at Pipecat"),
                        (Some(_), None) => "is written by us alone".to_owned(),
                        (None, _) => "is written by Pipecat alone".to_owned(),
                    };
                    list.insert(format!("{event}: {path} {said}"));
                }
            }
        }
    }

    /// Notes a message of ours that Pipecat has no like of.
    pub(super) fn alone(&mut self, event: &str) {
        let list = if UNSAID.contains(&event) {
            &mut self.harmless
        } else {
            &mut self.wrong
        };
        list.insert(format!("{event}: Pipecat never sends it"));
    }

    /// Notes what Pipecat does not have.
    pub(super) fn tolerate(&mut self, what: &str) {
        self.harmless.insert(what.to_owned());
    }
}

/// What a message has, by where it is.
fn fields(message: &Value) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    let mut open = vec![(String::new(), message)];
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Object(members) => {
                let below = members.iter();
                open.extend(below.map(|(name, value)| (format!("{path}/{name}"), value)));
            }
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_) => {
                found.insert(path, value.clone());
            }
        }
    }
    found
}

fn is_same(path: &str, ours: &Value, theirs: &Value) -> bool {
    if path != PAYLOAD {
        return ours == theirs;
    }
    let sound = |value: &Value| {
        let bytes = STANDARD.decode(value.as_str().unwrap_or_default());
        bytes.map(|it| it.into_iter().map(the_one_silence).collect::<Vec<_>>())
    };
    matches!((sound(ours), sound(theirs)), (Ok(ours), Ok(theirs)) if ours == theirs)
}

/// µ-law has two codes for nothing. A-law has another sample there, which our callers never say.
fn the_one_silence(code: u8) -> u8 {
    if code == 0x7F { 0xFF } else { code }
}

fn text(value: Option<&Value>) -> String {
    let text = value.and_then(Value::as_str);
    text.unwrap_or("a message without an event").to_owned()
}

const PAYLOAD: &str = "/media/payload";

/// What Pipecat writes and the carrier's documents do not ask for.
const OPTIONAL: &[(&str, &str, &str)] = &[("plivo", "playAudio", "/streamId")];

/// What Pipecat never asks: when something has been played.
const UNSAID: &[&str] = &["mark", "checkpoint"];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compared(carrier: &str, ours: &Value, theirs: &Value) -> Differences {
        let mut found = Differences::default();
        found.compare(carrier, ours, theirs);
        found
    }

    #[test]
    fn the_same_sound_may_be_written_with_either_silence() {
        let one = json!({"event": "media", "media": {"payload": "/38="}});
        let other = json!({"event": "media", "media": {"payload": "//8="}});
        assert_eq!(compared("twilio", &one, &other).wrong.len(), 0);
        let louder = json!({"event": "media", "media": {"payload": "/wA="}});
        assert_eq!(compared("twilio", &one, &louder).wrong.len(), 1);
    }

    #[test]
    fn only_what_the_carrier_does_not_ask_for_may_be_missing() {
        let ours = json!({"event": "playAudio"});
        let theirs = json!({"event": "playAudio", "streamId": "a"});
        let found = compared("plivo", &ours, &theirs);
        assert_eq!((found.harmless.len(), found.wrong.len()), (1, 0));
        let clear = json!({"event": "clearAudio"});
        let named = json!({"event": "clearAudio", "streamId": "a"});
        assert_eq!(compared("plivo", &clear, &named).wrong.len(), 1);
        let other = json!({"event": "clearAudio", "streamId": "b"});
        assert_eq!(compared("plivo", &other, &named).wrong.len(), 1);
        assert_eq!(compared("plivo", &theirs, &ours).wrong.len(), 1);
    }

    #[test]
    fn only_marks_are_ours_alone() {
        let mut found = Differences::default();
        found.alone("checkpoint");
        assert!(found.wrong.is_empty());
        found.alone("clears");
        assert_eq!(found.wrong.len(), 1);
    }
}
