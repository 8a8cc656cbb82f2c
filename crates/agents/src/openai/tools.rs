//! What a model has done for it in the middle of its turn.

use std::sync::{Arc, Mutex};

use ports::Fault;
use ports::agent::{Answer, Then, Tool, Use, Used};
use serde_json::{Value, json};

use super::ask::{Asked, Endpoint};
use crate::marker::Wish;
use crate::patience::nonsense;
use crate::round::{MOST_ROUNDS, Round};

/// What a model may have done, as the endpoint wants it.
pub(super) fn written(tools: &[Tool]) -> Vec<Value> {
    let written = tools.iter().map(|it| {
        json!({ "type": "function", "function": {
            "name": it.name, "description": it.about, "parameters": it.takes } })
    });
    written.collect()
}

/// Answers one turn: as many requests as it takes, with what the model wants done in between.
pub(super) async fn answer(endpoint: Arc<Endpoint>, mut round: Round, asked: Asked) {
    let turn = round.turn;
    let last = match rounds(&endpoint, &mut round, asked).await {
        Ok(Some(Wish::Talk | Wish::Silence)) => Answer::Finish(turn),
        Ok(Some(Wish::HangUp)) => Answer::HangUp(turn),
        // What it had done ends the turn by itself.
        Ok(None) => return,
        Err(fault) => Answer::Failed(turn, fault),
    };
    round.answer(last).await;
}

async fn rounds(
    endpoint: &Endpoint,
    round: &mut Round,
    mut asked: Asked,
) -> Result<Option<Wish>, Fault> {
    for _ in 0..MOST_ROUNDS {
        let said = Mutex::new(String::new());
        let say = |text: String| {
            if let Ok(mut said) = said.lock() {
                said.push_str(&text);
            }
            round.say(text)
        };
        let (wish, uses) = endpoint.answer(&asked, say).await?;
        if uses.is_empty() {
            return Ok(Some(wish));
        }
        let said = said.into_inner().unwrap_or_default();
        if round.have_done(&uses).await == Then::Ends {
            return Ok(None);
        }
        let results = round.results(&uses).await;
        asked.messages.push(wanted(&said, &uses));
        let told = uses.iter().zip(results).map(|(it, came)| told(it, came));
        asked.messages.extend(told);
    }
    Err(nonsense("goes on wanting things done and does not answer"))
}

/// What came of something.
fn told(wanted: &Use, came: Option<Used>) -> Value {
    let content = match came {
        Some(Used::Done(text)) => fenced(text.reveal()),
        Some(Used::Failed(why)) => format!("It failed: {}", why.reveal()),
        None => "It is not known what came of it.".to_owned(),
    };
    json!({ "role": "tool", "tool_call_id": wanted.id, "content": content })
}

/// The model's own message, in which it wanted this done.
fn wanted(said: &str, uses: &[Use]) -> Value {
    let calls = uses.iter().map(|it| {
        json!({ "id": it.id, "type": "function", "function": {
            "name": it.tool, "arguments": it.takes.reveal() } })
    });
    let calls: Vec<_> = calls.collect();
    let content = (!said.is_empty()).then_some(said);
    json!({ "role": "assistant", "content": content, "tool_calls": calls })
}

/// What came from outside, with an end that it cannot write itself.
fn fenced(text: &str) -> String {
    format!("<result>\n{}\n</result>", text.replace("</", "<\u{200b}/"))
}

/// As much of a text as is worth remembering after its turn.
pub(super) fn cut(text: &str) -> String {
    let end = text.floor_char_boundary(REMEMBERED);
    text[..end].to_owned()
}

const REMEMBERED: usize = 1_000;
