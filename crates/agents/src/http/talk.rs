//! One call's conversation: what happens is gathered, and told with the next turn.

use std::sync::Arc;

use call::{Private, Trust, TurnId};
use ports::agent::{Answer, Introduction, Tell, Then, Use, Used};
use ports::{Fault, Link};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::answer::Ending;
use super::ask::Address;
use crate::letters;
use crate::past::Past;
use crate::patience::nonsense;

/// A conversation.
pub(super) struct Talk {
    address: Arc<Address>,
    call: Introduction,
    link: Link<Answer, Tell>,
    past: Past,
    /// What happened since it was last asked.
    news: News,
    answering: Answering,
}

/// What happened since the last turn.
#[derive(Default)]
struct News {
    /// What was heard of an answer, and whether that was all of it.
    heard: Option<(TurnId, Private<String>, Heard)>,
    pressed: String,
    refused: Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Heard {
    Whole,
    Partly,
}

/// The request under way. Dropping it ends the request.
enum Answering {
    Nothing,
    Turn {
        turn: TurnId,
        _request: AbortOnDrop,
        /// Where what came of tools is waited for.
        results: mpsc::Sender<(String, Used)>,
    },
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Talk {
    pub(super) fn new(
        address: Arc<Address>,
        mut call: Introduction,
        room: usize,
        link: Link<Answer, Tell>,
    ) -> Self {
        let past = Past::new(std::mem::take(&mut call.past), room);
        Self {
            address,
            call,
            link,
            past,
            news: News::default(),
            answering: Answering::Nothing,
        }
    }

    /// Until the call hangs up, which the agent is told.
    pub(super) async fn run(mut self) {
        while let Some(tell) = self.link.rx.recv().await {
            self.told(tell).await;
        }
        self.answering = Answering::Nothing;
        let told = self.told_of("ended", None);
        let id = format!("{}.ended", self.call.call);
        if let Err(fault) = self.address.tell(&id, &told).await {
            tracing::debug!(
                code = fault.code,
                "an agent was not told that its call is over: {fault}"
            );
        }
    }

    async fn told(&mut self, tell: Tell) {
        match tell {
            Tell::Open { turn } => self.begin(turn, Private::default()),
            Tell::Turn { turn, said } => self.begin(turn, said),
            Tell::Used { turn, id, used } => self.used(turn, id, used).await,
            Tell::Opened { text } => self.past.opened(text),
            Tell::Heard { turn, text } => self.over(turn, text, Heard::Whole),
            Tell::Interrupted { turn, heard } => self.over(turn, heard, Heard::Partly),
            Tell::Abandon(turn) => {
                self.stop(turn);
                self.past.abandon(turn);
            }
            Tell::Pressed(digit) => {
                if self.news.pressed.len() < MOST_KEYS {
                    self.news.pressed.push(digit.as_char());
                }
            }
            Tell::Proved => self.call.trust = Trust::Proven,
            Tell::Refused(refused) => self.news.refused = Some(refused.code),
        }
    }

    fn begin(&mut self, turn: TurnId, said: Private<String>) {
        let told = self.told_of("turn", Some((turn, &said)));
        self.past.turn(turn, said);
        let (results, came) = mpsc::channel(MOST_ROUNDS);
        let round = Round {
            address: Arc::clone(&self.address),
            call: self.call.call.clone(),
            ends: self
                .call
                .tools
                .iter()
                .filter(|it| it.then == Then::Ends)
                .map(|it| it.name.clone())
                .collect(),
            turn,
            tx: self.link.tx.clone(),
            came,
        };
        let task = tokio::spawn(round.answer(told));
        self.answering = Answering::Turn {
            turn,
            _request: AbortOnDrop(task.abort_handle()),
            results,
        };
    }

    /// All that a request says. What happened since the last one is told once.
    fn told_of(&mut self, event: &str, turn: Option<(TurnId, &Private<String>)>) -> Value {
        let News {
            heard,
            pressed,
            refused,
        } = std::mem::take(&mut self.news);
        let heard = heard.map(|(turn, text, how)| {
            json!({ "turn": turn.0, "text": text.reveal(), "interrupted": how == Heard::Partly })
        });
        let mut told = json!({
            "event": event,
            "call": letters::call(&self.call, self.call.trust),
            "past": letters::past(self.past.lines()),
            "heard": heard,
            "pressed": pressed,
            "refused": refused,
        });
        if let Some((turn, said)) = turn {
            told["turn"] = json!(turn.0);
            told["said"] = json!(said.reveal());
            told["tools"] = letters::tools(&self.call.tools);
            told["used"] = json!([]);
        }
        told
    }

    /// Something came of a tool.
    async fn used(&self, over: TurnId, id: String, used: Used) {
        match &self.answering {
            Answering::Turn { turn, results, .. } if *turn == over => {
                let _ = results.send((id, used)).await;
            }
            Answering::Turn { .. } | Answering::Nothing => {}
        }
    }

    fn over(&mut self, turn: TurnId, text: Private<String>, how: Heard) {
        self.stop(turn);
        self.news.heard = Some((turn, text.clone(), how));
        self.past.heard(turn, text);
    }

    fn stop(&mut self, over: TurnId) {
        match &self.answering {
            Answering::Turn { turn, .. } if *turn == over => self.answering = Answering::Nothing,
            Answering::Turn { .. } | Answering::Nothing => {}
        }
    }
}

/// One turn: as many requests as it takes, with what the agent wants done in between.
struct Round {
    address: Arc<Address>,
    call: String,
    /// The tools that end a turn.
    ends: Vec<String>,
    turn: TurnId,
    tx: mpsc::Sender<Answer>,
    came: mpsc::Receiver<(String, Used)>,
}

impl Round {
    async fn answer(mut self, asked: Value) {
        let turn = self.turn;
        let last = match self.rounds(asked).await {
            Ok(Some(last)) => last,
            // What it had done ends the turn by itself.
            Ok(None) => return,
            Err(fault) => Answer::Failed(turn, fault),
        };
        drop(self.tx.send(last).await);
    }

    async fn rounds(&mut self, mut asked: Value) -> Result<Option<Answer>, Fault> {
        let mut results = Vec::new();
        for round in 0..MOST_ROUNDS {
            let say = |text: String| {
                let (tx, turn) = (self.tx.clone(), self.turn);
                // A call that has gone needs no words; the request is ended from outside.
                async move { drop(tx.send(Answer::Text(turn, text.into())).await) }
            };
            let id = format!("{}.{}.{round}", self.call, self.turn.0);
            let uses = match self.address.answer(&id, &asked, say).await? {
                Ending::Listen => return Ok(Some(Answer::Finish(self.turn))),
                Ending::HangUp => return Ok(Some(Answer::HangUp(self.turn))),
                Ending::Uses(uses) => uses,
            };
            if self.have_done(&uses).await == Then::Ends {
                return Ok(None);
            }
            self.results(&uses, &mut results).await;
            asked["used"] = Value::from(results.clone());
        }
        Err(nonsense("goes on wanting things done and does not answer"))
    }

    /// Asks for all of it; what ends the turn comes last.
    async fn have_done(&self, uses: &[Use]) -> Then {
        let ends = |it: &&Use| self.ends.contains(&it.tool);
        let last = uses.iter().find(ends);
        let others = uses.iter().filter(|it| !ends(it));
        for it in others.chain(last) {
            drop(self.tx.send(Answer::Use(self.turn, it.clone())).await);
        }
        last.map_or(Then::GoesOn, |_| Then::Ends)
    }

    /// Waits for what comes of each. Whoever does things says so of every one, in time.
    async fn results(&mut self, uses: &[Use], results: &mut Vec<Value>) {
        for _ in uses {
            let Some((id, used)) = self.came.recv().await else {
                return;
            };
            let mut told = letters::used(&id, &used);
            let known = uses.iter().find(|it| it.id == id);
            told["tool"] = json!(known.map(|it| &it.tool));
            told["takes"] = json!(known.map(|it| it.takes.reveal()));
            results.push(told);
        }
    }
}

/// So often an agent may want things done before it answers.
const MOST_ROUNDS: usize = 8;
const MOST_KEYS: usize = 32;
