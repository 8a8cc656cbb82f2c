//! What an agent has done for it in the middle of its turn.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use call::input::{self, Input};
use call::{Private, Referral, TurnId, output};
use ports::agent::{Answer, Tell, Use, Used};
use ports::code;
use serde_json::Value;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::Runner;
use crate::line::Line;
use crate::tools::Builtin;

/// Does things for a call's agent, where the owner's rules allow it.
#[async_trait]
pub trait Toolbox: Send + Sync {
    /// How long a tool may take; `None`: the agent has no such tool.
    fn patience(&self, tool: &str) -> Option<Duration>;

    /// Does it. Dropping this gives it up.
    async fn run(&self, used: &Use) -> Used;
}

/// What is being done.
pub(super) struct Errands {
    toolbox: Option<Arc<dyn Toolbox>>,
    /// The turn that the agent has.
    turn: Option<TurnId>,
    /// Dropping it gives up what is in it.
    pub(super) under_way: JoinSet<Came>,
    /// How much was done so far.
    uses: usize,
}

/// What came of a use, in which turn.
pub(super) type Came = (TurnId, String, Used);

impl Errands {
    pub(super) fn new(toolbox: Option<Arc<dyn Toolbox>>) -> Self {
        Self {
            toolbox,
            turn: None,
            under_way: JoinSet::new(),
            uses: 0,
        }
    }

    /// What the agent is told changes whose turn it is.
    pub(super) fn note(&mut self, told: &output::Agent) {
        match told {
            output::Agent::Open { turn } | output::Agent::Turn { turn, .. } => {
                self.turn = Some(*turn);
            }
            output::Agent::Abandon(_)
            | output::Agent::Heard { .. }
            | output::Agent::Interrupted { .. } => {
                self.turn = None;
                // Nobody will speak of it any more.
                if !self.under_way.is_empty() {
                    self.under_way = JoinSet::new();
                }
            }
            output::Agent::Opened { .. }
            | output::Agent::Pressed(_)
            | output::Agent::Proved
            | output::Agent::Refused(_) => {}
        }
    }

    fn toolbox(&self, tool: &str) -> Option<(Arc<dyn Toolbox>, Duration)> {
        let toolbox = self.toolbox.as_ref()?;
        Some((toolbox.clone(), toolbox.patience(tool)?))
    }
}

impl<L: Line> Runner<L> {
    /// The agent wants something done.
    pub(super) fn wants(&mut self, turn: TurnId, used: Use) {
        // One that wants something in a turn that is over talks to itself.
        if self.errands.turn != Some(turn) {
            return;
        }
        let Some((toolbox, patience)) = self.errands.toolbox(&used.tool) else {
            return self.used(turn, used.id, failed("there is no such tool"));
        };
        self.errands.uses += 1;
        let too_much = self.errands.uses > MOST || self.errands.under_way.len() >= MOST_AT_ONCE;
        if too_much || used.takes.reveal().len() > LONGEST || used.id.len() > LONGEST_ID {
            return self.used(
                turn,
                used.id,
                failed("that is more than can be done on a call"),
            );
        }
        let Ok(takes) = read(&used) else {
            return self.used(turn, used.id, failed("what it takes is no JSON object"));
        };
        let text = |key: &str| takes[key].as_str().unwrap_or_default().to_owned();
        match Builtin::of(&used.tool) {
            Some(Builtin::HangUp) => self.tell(Input::Agent(input::Agent::HangUp(turn))),
            Some(Builtin::TransferTo) => {
                let (to, about) = (text("to"), text("about").into());
                let referral = Referral { to, about };
                self.answered(Some(Answer::PutThrough(turn, referral)));
            }
            Some(Builtin::TakeMessage) => {
                let (name, text) = (text("name").into(), text("text").into());
                self.answered(Some(Answer::Message { name, text }));
                let done = Used::Done("It is taken down.".to_owned().into());
                self.used(turn, used.id, done);
            }
            Some(Builtin::Note) => {
                let noted = text("text");
                let noted = noted.trim();
                if noted.is_empty() {
                    return self.used(turn, used.id, failed("there is nothing in `text`"));
                }
                let noted: String = noted.chars().take(LONGEST_NOTE).collect();
                self.tell(Input::Agent(input::Agent::Note(noted.into())));
                let done = Used::Done("It is written down.".to_owned().into());
                self.used(turn, used.id, done);
            }
            Some(Builtin::PressKeys | Builtin::AskOwner | Builtin::CallBackLater) | None => {
                self.send_out(turn, used, (toolbox, patience));
            }
        }
    }

    fn send_out(
        &mut self,
        turn: TurnId,
        used: Use,
        (toolbox, patience): (Arc<dyn Toolbox>, Duration),
    ) {
        let calls = input::Agent::CallsTool(turn, used.tool.clone(), patience);
        self.tell(Input::Agent(calls));
        self.errands.under_way.spawn(async move {
            let came = timeout(patience, toolbox.run(&used)).await;
            let came = came.unwrap_or_else(|_| {
                failed("it took too long; if the caller wants, offer to call them back")
            });
            (turn, used.id, came)
        });
    }

    /// Tells the agent what came of something.
    pub(super) fn used(&mut self, turn: TurnId, id: String, used: Used) {
        if self.errands.turn != Some(turn) {
            return;
        }
        let used = Tell::Used { turn, id, used };
        let sent = self.agent.as_ref().map(|it| it.tx.try_send(used));
        if !matches!(sent, Some(Ok(()))) {
            // It would wait for that until it is given up, and the caller with it.
            let failed = input::Agent::Failed(turn, code::AGENT_UNREACHABLE);
            self.tell(Input::Agent(failed));
        }
    }
}

fn read(used: &Use) -> Result<Value, ()> {
    let text = used.takes.reveal().trim();
    let text = if text.is_empty() { "{}" } else { text };
    let takes = serde_json::from_str::<Value>(text).map_err(|_| ())?;
    takes.is_object().then_some(takes).ok_or(())
}

fn failed(why: &str) -> Used {
    Used::Failed(Private::from(why.to_owned()))
}

/// On one call.
const MOST: usize = 200;
const MOST_AT_ONCE: usize = 8;
const LONGEST: usize = 64 * 1024;
const LONGEST_ID: usize = 256;
const LONGEST_NOTE: usize = 2_000;
