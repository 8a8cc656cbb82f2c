//! What agents that are somewhere else are told, and answer, as JSON. Which of it travels how is up to each kind.

use std::time::Duration;

use call::{Direction, Trust, TurnId};
use ports::Fault;
use ports::agent::{Answer, Company, Introduction, Line, Objective, Tell, Then, Tool, Use, Used};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::past::{text, who};
use crate::patience::nonsense;

/// A call, as an agent is told of it.
pub(crate) fn call(call: &Introduction, trust: Trust) -> Value {
    let mut told = json!({
        "id": call.call,
        "session": call.session,
        "direction": match call.direction {
            Direction::Inbound => "inbound",
            Direction::Outbound => "outbound",
        },
        "caller": call.caller.as_ref().map(call::Number::as_str),
        "contact": call.contact,
        "trust": trust.as_str(),
        "number": call.number.as_str(),
        "objective": call.objective.as_ref().map(|it| it.goal.reveal()),
        "company": match call.company {
            Company::Caller => "caller",
            Company::Meeting => "meeting",
        },
    });
    if let Some(brief) = call.objective.as_ref().and_then(Objective::brief) {
        told["brief"] = brief;
    }
    told
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

/// One thing that an agent is told, as it is written to whoever has it answered in letters.
pub(crate) fn told(tell: &Tell) -> Value {
    match tell {
        Tell::Open { turn } => json!({ "type": "turn", "turn": turn.0, "said": "" }),
        Tell::Turn { turn, said } => {
            json!({ "type": "turn", "turn": turn.0, "said": said.reveal() })
        }
        Tell::Opened { text } => json!({ "type": "opened", "text": text.reveal() }),
        Tell::Heard { turn, text } => {
            json!({ "type": "heard", "turn": turn.0, "text": text.reveal() })
        }
        Tell::Interrupted { turn, heard } => {
            json!({ "type": "interrupted", "turn": turn.0, "heard": heard.reveal() })
        }
        Tell::Abandon(turn) => json!({ "type": "abandoned", "turn": turn.0 }),
        Tell::Pressed(digit) => json!({ "type": "pressed", "key": digit.as_char().to_string() }),
        Tell::Proved => json!({ "type": "proved" }),
        Tell::Refused(refused) => json!({
            "type": "refused", "code": refused.code, "needs": refused.needs.as_str(), "trust": refused.trust.as_str(),
        }),
        Tell::Used {
            turn,
            id,
            used: came,
        } => {
            let mut told = used(id, came);
            told["type"] = json!("used");
            told["turn"] = json!(turn.0);
            told
        }
    }
}

/// Reads what an agent writes.
pub(crate) fn read(line: &str) -> Result<Answer, Fault> {
    let letter: Letter = serde_json::from_str(line)
        .map_err(|_| nonsense("wrote something that is no message as it should be"))?;
    Ok(match letter {
        Letter::Say { turn, text } => Answer::Text(TurnId(turn), text.into()),
        Letter::Finish { turn } => Answer::Finish(TurnId(turn)),
        Letter::HangUp { turn } => Answer::HangUp(TurnId(turn)),
        Letter::Use { turn, wanted } => Answer::Use(TurnId(turn), wanted.into_use(0)),
        Letter::Working { turn, seconds } => {
            Answer::Working(TurnId(turn), Duration::from_secs(seconds.min(LONGEST_WORK)))
        }
        Letter::Message { name, text } => Answer::Message {
            name: name.into(),
            text: text.into(),
        },
    })
}

/// What an agent may write.
#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Letter {
    Say {
        turn: u32,
        text: String,
    },
    Finish {
        turn: u32,
    },
    HangUp {
        turn: u32,
    },
    Use {
        turn: u32,
        #[serde(flatten)]
        wanted: Wanted,
    },
    Working {
        turn: u32,
        seconds: u64,
    },
    Message {
        name: String,
        text: String,
    },
}

/// In seconds.
const LONGEST_WORK: u64 = 3_600;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_are_read_and_other_things_refused() {
        let used =
            read(r#"{"type":"use","turn":3,"id":"a","tool":"calendar","takes":{"day":"Friday"}}"#);
        let Ok(Answer::Use(TurnId(3), used)) = used else {
            panic!("it is one: {used:?}");
        };
        assert_eq!(
            (used.id.as_str(), used.takes.reveal().as_str()),
            ("a", r#"{"day":"Friday"}"#)
        );
        let working = read(r#"{"type":"working","turn":1,"seconds":99999999}"#);
        assert!(
            matches!(working, Ok(Answer::Working(TurnId(1), it)) if it.as_secs() == LONGEST_WORK)
        );
        for wrong in [
            "",
            "hello",
            "{}",
            r#"{"type":"say"}"#,
            r#"{"type":"dance","turn":1}"#,
            r#"{"type":"finish","turn":-1}"#,
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
