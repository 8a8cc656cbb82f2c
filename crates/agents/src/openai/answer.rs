//! What an endpoint answers, from its events to words.

use ports::agent::Use;
use ports::{Blame, Fault, Retry, code};
use serde::Deserialize;

use crate::marker::{Marker, Wish};
use crate::patience::nonsense;
use crate::sse::Events;

/// An answer that is streamed: bytes in, however they are cut, and words out.
#[derive(Default)]
pub(super) struct Streamed {
    events: Events,
    answer: Answer,
}

impl Streamed {
    /// Takes the next bytes.
    pub(super) fn push(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.events.push(bytes).map_err(|_| nonsense(ENDLESS))
    }

    /// The stream is over, rightly or not: what the events say decides.
    pub(super) fn over(&mut self) -> Result<(), Fault> {
        self.answer.over();
        self.events.finish().map_err(|_| nonsense(ENDLESS))
    }

    /// What can be spoken of the next event; `None`: none is whole yet, or the endpoint has said that it is
    /// done. What comes behind that does not count, whether it comes in the same packet or later.
    pub(super) fn next(&mut self) -> Result<Option<String>, Fault> {
        if self.answer.end == End::Said {
            return Ok(None);
        }
        let event = self.events.next();
        event.map(|it| self.answer.event(&it.data)).transpose()
    }

    /// Whether a word came.
    pub(super) fn has_spoken(&self) -> bool {
        self.answer.has_spoken()
    }

    /// As of an [`Answer`].
    pub(super) fn finished(&mut self) -> Result<Option<Finished>, Fault> {
        self.answer.finished()
    }
}

const ENDLESS: &str = "sent an event without end";

/// How an answer ends.
#[derive(Debug, Default)]
pub(super) struct Finished {
    /// What is left to say.
    pub(super) rest: String,
    /// What the model wants besides.
    pub(super) wish: Wish,
    /// What it wants done before it goes on.
    pub(super) uses: Vec<Use>,
}

/// Something the model wants done, as far as it came.
#[derive(Clone, Default)]
struct Call {
    id: String,
    name: String,
    /// JSON, as the model wrote it.
    arguments: String,
}

/// An answer that comes in pieces.
#[derive(Default)]
pub(super) struct Answer {
    marker: Marker,
    spoken: Spoken,
    end: End,
    calls: Vec<Call>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Spoken {
    #[default]
    Nothing,
    Something,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    NotYet,
    /// The endpoint said that it is done.
    Said,
    /// The stream just ended.
    CutOff,
}

impl Answer {
    /// Whether a word came.
    pub(super) fn has_spoken(&self) -> bool {
        self.spoken == Spoken::Something
    }

    /// The stream has ended, rightly or not.
    pub(super) fn over(&mut self) {
        if self.end == End::NotYet {
            self.end = End::CutOff;
        }
    }

    /// The answer came in one piece, and is whole.
    pub(super) fn whole(&mut self) {
        self.end = End::Said;
    }

    /// Reads one event, and gives what of it can be spoken by now.
    pub(super) fn event(&mut self, data: &str) -> Result<String, Fault> {
        let data = data.trim();
        if data == "[DONE]" {
            self.end = End::Said;
        }
        if data == "[DONE]" || data.is_empty() {
            return Ok(String::new());
        }
        let chunk: Chunk =
            serde_json::from_str(data).map_err(|_| nonsense("sent an event that is no JSON"))?;
        if let Some(error) = chunk.error {
            return Err(nonsense(&format!(
                "broke off with an error{}",
                named(&error)
            )));
        }
        let Some(choice) = chunk.choices.into_iter().flatten().next() else {
            return Ok(String::new());
        };
        if choice.finish_reason.is_some() {
            self.end = End::Said;
        }
        let delta = choice.delta.or(choice.message).unwrap_or_default();
        for piece in delta.tool_calls.into_iter().flatten() {
            self.call(piece)?;
        }
        let content = delta.content;
        let content = content
            .as_ref()
            .and_then(|it| it.as_str())
            .unwrap_or_default();
        if !content.is_empty() {
            self.spoken = Spoken::Something;
        }
        Ok(self.marker.push(content))
    }

    /// A piece of something the model wants done: the first of it has its name, the others more of what it is for.
    fn call(&mut self, piece: CallPiece) -> Result<(), Fault> {
        let at = piece.index.unwrap_or(self.calls.len());
        if at >= MOST_CALLS {
            return Err(nonsense("wants more done at once than anybody could"));
        }
        if at >= self.calls.len() {
            self.calls.resize(at + 1, Call::default());
        }
        let call = &mut self.calls[at];
        if let Some(id) = piece.id.filter(|it| !it.is_empty()) {
            call.id = id;
        }
        let function = piece.function.unwrap_or_default();
        call.name.push_str(&function.name.unwrap_or_default());
        call.arguments
            .push_str(&function.arguments.unwrap_or_default());
        if call.arguments.len() > LONGEST_ARGUMENTS || call.name.len() > LONGEST_ARGUMENTS {
            return Err(nonsense("wants something done without end"));
        }
        Ok(())
    }

    /// If the answer is over: what is left to say, and what the model wants.
    pub(super) fn finished(&mut self) -> Result<Option<Finished>, Fault> {
        match (self.end, self.spoken) {
            (End::NotYet, _) => Ok(None),
            (End::Said, Spoken::Nothing) if self.calls.is_empty() => {
                Err(nonsense("answered without a word"))
            }
            (End::Said, Spoken::Something | Spoken::Nothing) => {
                let (rest, wish) = std::mem::take(&mut self.marker).finish();
                let calls = std::mem::take(&mut self.calls).into_iter();
                let calls = calls.filter(|it| !it.name.is_empty()).enumerate();
                let uses = calls.map(|(at, call)| call.wanted(at)).collect();
                Ok(Some(Finished { rest, wish, uses }))
            }
            (End::CutOff, _) => {
                let message = "the agent's answer broke off";
                Err(Fault::new(Blame::Agent, code::AGENT_UNREACHABLE, message).retry(Retry::Now))
            }
        }
    }
}

impl Call {
    fn wanted(self, at: usize) -> Use {
        let or = |text: String, otherwise: String| {
            if text.is_empty() { otherwise } else { text }
        };
        Use {
            // Some endpoints leave the names out where there is only one.
            id: or(self.id, format!("call_{at}")),
            tool: self.name,
            takes: or(self.arguments, "{}".to_owned()).into(),
        }
    }
}

/// The name of the error in a body, where it has a plain one: ` (model_not_found)`. Of its words
/// nothing is repeated: endpoints quote requests, and keys.
pub(super) fn error_name(body: &[u8]) -> String {
    let error = serde_json::from_slice::<Chunk>(body)
        .ok()
        .and_then(|body| body.error);
    error.as_ref().map(named).unwrap_or_default()
}

fn named(error: &serde_json::Value) -> String {
    let plain =
        |name: &&str| name.len() <= 40 && name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    let name = ["code", "type"]
        .into_iter()
        .filter_map(|key| error.get(key)?.as_str())
        .find(plain);
    name.map(|name| format!(" ({name})")).unwrap_or_default()
}

/// What of a chunk matters. Everything else an endpoint may add is passed over.
#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Choice {
    delta: Option<Delta>,
    message: Option<Delta>,
    finish_reason: Option<serde_json::Value>,
}

#[derive(Default, Deserialize)]
struct Delta {
    content: Option<serde_json::Value>,
    tool_calls: Option<Vec<CallPiece>>,
}

#[derive(Deserialize)]
struct CallPiece {
    index: Option<usize>,
    id: Option<String>,
    function: Option<Function>,
}

#[derive(Default, Deserialize)]
struct Function {
    name: Option<String>,
    arguments: Option<String>,
}

/// So many things may be wanted at once.
const MOST_CALLS: usize = 16;
const LONGEST_ARGUMENTS: usize = 64 * 1024;
