//! One call's conversation: what happens is gathered, and told with the next turn.

use std::sync::Arc;

use call::{Private, Trust, TurnId};
use ports::agent::{Answer, Introduction, Tell, Then};
use ports::{Fault, Link};
use serde_json::{Value, json};

use super::answer::Ending;
use super::ask::Address;
use crate::letters;
use crate::past::{MOST_KEYS, Past};
use crate::patience::nonsense;
use crate::round::{Answering, MOST_ROUNDS, Round};

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
            Tell::Used { turn, id, used } => self.answering.used(turn, id, used).await,
            Tell::Opened { text } => self.past.opened(text),
            Tell::Heard { turn, text } => self.over(turn, text, Heard::Whole),
            Tell::Interrupted { turn, heard } => self.over(turn, heard, Heard::Partly),
            Tell::Abandon(turn) => {
                self.answering.stop(turn);
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
        let (address, call) = (Arc::clone(&self.address), self.call.call.clone());
        let answer = |round| answer(address, call, round, told);
        self.answering = Answering::begin(turn, &self.call.tools, &self.link.tx, answer);
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

    fn over(&mut self, turn: TurnId, text: Private<String>, how: Heard) {
        self.answering.stop(turn);
        self.news.heard = Some((turn, text.clone(), how));
        self.past.heard(turn, text);
    }
}

/// Answers one turn: as many requests as it takes, with what the agent wants done in between.
async fn answer(address: Arc<Address>, call: String, mut round: Round, asked: Value) {
    let turn = round.turn;
    let last = match rounds(&address, &call, &mut round, asked).await {
        Ok(Some(last)) => last,
        // What it had done ends the turn by itself.
        Ok(None) => return,
        Err(fault) => Answer::Failed(turn, fault),
    };
    round.answer(last).await;
}

async fn rounds(
    address: &Address,
    call: &str,
    round: &mut Round,
    mut asked: Value,
) -> Result<Option<Answer>, Fault> {
    let (turn, mut results) = (round.turn, Vec::new());
    for number in 0..MOST_ROUNDS {
        let id = format!("{call}.{}.{number}", turn.0);
        let uses = match address.answer(&id, &asked, |text| round.say(text)).await? {
            Ending::Listen => return Ok(Some(Answer::Finish(turn))),
            Ending::HangUp => return Ok(Some(Answer::HangUp(turn))),
            Ending::Uses(uses) => uses,
        };
        if round.have_done(&uses).await == Then::Ends {
            return Ok(None);
        }
        let came = round.results(&uses).await;
        let told = uses.iter().zip(came).filter_map(|(it, used)| {
            let mut told = letters::used(&it.id, &used?);
            told["tool"] = json!(it.tool);
            told["takes"] = json!(it.takes.reveal());
            Some(told)
        });
        results.extend(told);
        asked["used"] = Value::from(results.clone());
    }
    Err(nonsense("goes on wanting things done and does not answer"))
}
