//! What agents that are somewhere else are told, and answer, as JSON. Which of it travels how is up to each kind.

use call::{Direction, Trust};
use ports::agent::{Company, Introduction, Line, Then, Tool, Use, Used};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::past::{text, who};

/// A call, as an agent is told of it.
pub(crate) fn call(call: &Introduction, trust: Trust) -> Value {
    json!({
        "id": call.call,
        "direction": match call.direction {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        },
        "caller": call.caller.as_ref().map(call::Number::as_str),
        "contact": call.contact,
        "trust": trust.as_str(),
        "number": call.number.as_str(),
        "objective": call.objective.as_ref().map(|it| it.reveal()),
        "company": match call.company {
            Company::Caller => "caller",
            Company::Meeting => "meeting",
        },
    })
}

/// What was said so far.
pub(crate) fn past<'l>(lines: impl Iterator<Item = &'l Line>) -> Value {
    let lines = lines.map(|it| json!({ "who": who(it), "text": text(it) }));
    lines.collect()
}

/// What an agent may have done.
pub(crate) fn tools(tools: &[Tool]) -> Value {
    let tools = tools.iter().map(|it| {
        let ends = it.then == Then::Ends;
        json!({ "name": it.name, "about": it.about, "takes": it.takes, "ends_turn": ends })
    });
    tools.collect()
}

/// What came of something that it had done.
pub(crate) fn used(id: &str, used: &Used) -> Value {
    match used {
        Used::Done(text) => json!({ "id": id, "done": text.reveal() }),
        Used::Failed(why) => json!({ "id": id, "failed": why.reveal() }),
    }
}

/// Something that an agent wants done.
#[derive(Debug, Deserialize)]
pub(crate) struct Wanted {
    id: Option<String>,
    tool: String,
    takes: Option<Value>,
}

impl Wanted {
    /// As it is asked for. One without a name of its own gets one by its place.
    pub(crate) fn into_use(self, at: usize) -> Use {
        let takes = match self.takes {
            Some(Value::String(written)) => written,
            Some(takes) => takes.to_string(),
            None => "{}".to_owned(),
        };
        Use {
            id: self.id.unwrap_or_else(|| format!("use_{at}")),
            tool: self.tool,
            takes: takes.into(),
        }
    }
}
