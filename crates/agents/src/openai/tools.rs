//! What a model has done for it in the middle of its turn.

use std::sync::Arc;

use call::{Private, TurnId};
use ports::Fault;
use ports::agent::{Answer, Then, Tool, Use, Used};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::answer::Call;
use super::ask::{Asked, Endpoint};
use crate::marker::Wish;
use crate::patience::nonsense;

/// What a model may have done.
#[derive(Debug)]
pub(super) struct Tools(pub(super) Vec<Tool>);

impl Tools {
    /// As the endpoint wants it.
    pub(super) fn written(&self) -> Vec<Value> {
        let written = self.0.iter().map(|it| {
            json!({ "type": "function", "function": {
                "name": it.name, "description": it.about, "parameters": it.takes } })
        });
        written.collect()
    }

    fn then(&self, name: &str) -> Then {
        let tool = self.0.iter().find(|it| it.name == name);
        tool.map_or(Then::GoesOn, |it| it.then)
    }
}

/// One turn of a model's: as many answers as it takes, with what it wants done in between.
pub(super) struct Round {
    pub(super) endpoint: Arc<Endpoint>,
    pub(super) tools: Arc<Tools>,
    pub(super) turn: TurnId,
    pub(super) tx: mpsc::Sender<Answer>,
    pub(super) came: mpsc::Receiver<(String, Used)>,
}

impl Round {
    pub(super) async fn answer(mut self, asked: Asked) {
        let turn = self.turn;
        let last = match self.rounds(asked).await {
            Ok(Some(Wish::Talk | Wish::Silence)) => Answer::Finish(turn),
            Ok(Some(Wish::HangUp)) => Answer::HangUp(turn),
            // What it had done ends the turn by itself.
            Ok(None) => return,
            Err(fault) => Answer::Failed(turn, fault),
        };
        drop(self.tx.send(last).await);
    }

    async fn rounds(&mut self, mut asked: Asked) -> Result<Option<Wish>, Fault> {
        for _ in 0..MOST_ROUNDS {
            let said = std::sync::Mutex::new(String::new());
            let say = |text: String| {
                let (tx, turn) = (self.tx.clone(), self.turn);
                if let Ok(mut said) = said.lock() {
                    said.push_str(&text);
                }
                // A call that has gone needs no words; the request is ended from outside.
                async move { drop(tx.send(Answer::Text(turn, Private::new(text))).await) }
            };
            let (wish, calls) = self.endpoint.answer(&asked, say).await?;
            if calls.is_empty() {
                return Ok(Some(wish));
            }
            let said = said.into_inner().unwrap_or_default();
            if self.have_done(&calls).await == Then::Ends {
                return Ok(None);
            }
            let results = self.results(&calls).await;
            asked.messages.push(wanted(&said, &calls));
            asked.messages.extend(results);
        }
        Err(nonsense("goes on wanting things done and does not answer"))
    }

    /// Asks for all of it; what ends the turn comes last.
    async fn have_done(&self, calls: &[Call]) -> Then {
        let ends = |it: &&Call| self.tools.then(&it.name) == Then::Ends;
        let last = calls.iter().find(ends);
        let others = calls.iter().filter(|it| !ends(it));
        for call in others.chain(last) {
            let used = Use {
                id: call.id.clone(),
                tool: call.name.clone(),
                takes: call.arguments.clone().into(),
            };
            drop(self.tx.send(Answer::Use(self.turn, used)).await);
        }
        last.map_or(Then::GoesOn, |_| Then::Ends)
    }

    /// What came of each, in the order of the calls.
    async fn results(&mut self, calls: &[Call]) -> Vec<Value> {
        let mut came: Vec<Option<Used>> = vec![None; calls.len()];
        while came.iter().any(Option::is_none) {
            // Whoever does things says of each what came of it, in time.
            let Some((id, used)) = self.came.recv().await else {
                break;
            };
            let open = calls.iter().zip(&mut came);
            let mut open = open.filter(|(call, came)| call.id == id && came.is_none());
            if let Some((_, came)) = open.next() {
                *came = Some(used);
            }
        }
        let results = calls.iter().zip(came).map(|(call, came)| {
            let content = match came {
                Some(Used::Done(text)) => fenced(text.reveal()),
                Some(Used::Failed(why)) => format!("It failed: {}", why.reveal()),
                None => "It is not known what came of it.".to_owned(),
            };
            json!({ "role": "tool", "tool_call_id": call.id, "content": content })
        });
        results.collect()
    }
}

/// The model's own message, in which it wanted this done.
fn wanted(said: &str, calls: &[Call]) -> Value {
    let calls = calls.iter().map(|it| {
        let arguments = if it.arguments.is_empty() {
            "{}"
        } else {
            &it.arguments
        };
        json!({ "id": it.id, "type": "function", "function": { "name": it.name, "arguments": arguments } })
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

/// So often a model may want things done before it answers.
const MOST_ROUNDS: usize = 8;
const REMEMBERED: usize = 1_000;
