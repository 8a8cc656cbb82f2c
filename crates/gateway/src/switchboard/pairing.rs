//! Callers who are not on the list, and may ask to be: a fixed voice has them key a code of the owner's, and then
//! the owner decides. No agent and no model has any part in it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use agents::doorkeeper::Doorkeeper;
use call::input::Command;
use call::{Mode, Number, Opening, Private};
use jiff::Timestamp;
use policy::{Callers, Keyed, Refusal, Rules};
use ports::agent::{Answerer, Opens};
use ports::{Blame, Fault, code};

use super::adopt::command;
use super::life::Kept;
use super::wish::{answerer, mode};
use super::{Desk, Purpose, Record, Switchboard};
use crate::config::Plan;
use crate::pairings::Pairings;
use crate::rules;

/// By which right somebody is on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Entrance {
    /// The configuration's, or they were called.
    Listed,
    /// The owner confirmed them.
    Paired,
    /// None yet: they may key a code, and nothing else.
    Stranger,
}

/// What a caller meets.
pub(super) struct Welcome {
    pub(super) mode: Mode,
    pub(super) answerer: Answerer,
    pub(super) plan: Arc<Plan>,
    pub(super) kept: Kept,
    pub(super) allowed_by: String,
}

impl Switchboard {
    /// Who was paired, or asks to be.
    pub fn pairings(&self) -> &Pairings {
        &self.pairings
    }

    /// By which right a caller would come in, if they do.
    pub(super) async fn entrance(&self, rules: &Rules, from: &str) -> Result<Entrance, Fault> {
        let Some(number) = policy::shown(from).filter(|_| rules.pairing) else {
            return Ok(Entrance::Listed);
        };
        if self.pairings.is_paired(&number).await? {
            return Ok(Entrance::Paired);
        }
        let listed = !matches!(&rules.answer.value, Callers::These(it) if !it.contains(&number));
        Ok(if listed {
            Entrance::Listed
        } else {
            Entrance::Stranger
        })
    }

    /// Whether a caller who comes in like this may reach us now.
    pub(super) fn may_enter(
        &self,
        desk: &Desk,
        from: &str,
        entrance: Entrance,
    ) -> Result<Option<Number>, Fault> {
        let plan = self.plan();
        let entered = match entrance {
            Entrance::Listed => plan.rules.may_answer(from, desk.up),
            Entrance::Paired => plan.rules.may_pair(from, desk.up).map(Some),
            Entrance::Stranger => plan.rules.may_pair(from, desk.up).and_then(|number| {
                desk.may_knock(&plan.rules)?;
                Ok(Some(number))
            }),
        };
        entered.map_err(rules::told)
    }

    /// Whom a caller meets who comes in like this.
    pub(super) fn welcome_in(
        plan: &Arc<Plan>,
        agent: &str,
        entrance: Entrance,
    ) -> Result<Welcome, Fault> {
        match entrance {
            Entrance::Listed | Entrance::Paired => {
                let answerer = answerer(plan, agent)?;
                Ok(Welcome {
                    mode: mode(plan, agent, &answerer, Purpose::Converse)?,
                    answerer,
                    plan: plan.clone(),
                    kept: Kept::AcrossProcesses,
                    allowed_by: match entrance {
                        Entrance::Paired => format!("paired: {}", plan.rules.lets_pair()),
                        Entrance::Listed | Entrance::Stranger => plan.rules.lets_in(),
                    },
                })
            }
            Entrance::Stranger => Ok(at_the_door(plan)),
        }
    }

    /// Looks whether that is a code. Whoever keyed one is told that the owner decides, and goes.
    pub(super) async fn pair(&self, record: &Arc<Record>, keyed: Keyed) {
        let (paired, last) = self.try_code(record, keyed).await.unwrap_or_else(|fault| {
            let (code, hint) = (fault.code, fault.hint.as_deref());
            tracing::error!(call = %record.id, code, hint, "a pairing code was not looked at: {fault}");
            (false, true)
        });
        if paired {
            tracing::info!(call = %record.id, "a caller waits to be paired: `offhook pairing list` says who");
            command(record, Command::Say(PAIRED.to_owned().into()));
        } else {
            command(record, Command::Disprove(NO_CODE.to_owned().into()));
        }
        if paired || last {
            command(record, Command::Dismiss);
        }
    }

    /// Whether it was one, and whether no more are looked at.
    async fn try_code(&self, record: &Record, keyed: Keyed) -> Result<(bool, bool), Fault> {
        let Some(number) = &record.caller else {
            return Ok((false, true));
        };
        let now = Timestamp::now().as_millisecond();
        let guess = self
            .guesses
            .begin(record.id.to_string(), Some(number), now)
            .await?;
        let Some(guess) = guess else {
            return Ok((false, true));
        };
        let paired = self.pairings.redeem(keyed, number, now).await?;
        if paired {
            self.guesses.was_right(guess).await?;
        }
        Ok((paired, false))
    }
}

impl Desk {
    /// Whether one more stranger may come to the door: one at a time, and few in an hour.
    fn may_knock(&self, rules: &Rules) -> Result<(), Refusal> {
        let at = || rules.answer.at.clone();
        let mut up = self.calls.values().filter(|it| !it.log.is_closed());
        if up.any(|it| it.entrance == Entrance::Stranger) {
            return Err(Refusal::TooManyCalls { most: 1, at: at() });
        }
        let lately = |it: &&Instant| it.elapsed() < HOUR;
        if self.knocks.iter().filter(lately).count() >= KNOCKS {
            return Err(Refusal::TooOften {
                most: KNOCKS,
                at: at(),
            });
        }
        Ok(())
    }

    /// A stranger came.
    pub(super) fn knock(&mut self) {
        while self.knocks.len() >= KNOCKS {
            self.knocks.pop_front();
        }
        self.knocks.push_back(Instant::now());
    }
}

/// What somebody meets who has nothing but perhaps a code.
fn at_the_door(plan: &Arc<Plan>) -> Welcome {
    let request = Private::from(REQUEST.to_owned());
    let mut short = Plan::clone(plan);
    let longest = &mut short.rules.max_length.value;
    *longest = (*longest).min(LONGEST);
    short.patience.silence = short.patience.silence.min(SILENCE);
    short.phrases.goodbye = GOODBYE.to_owned().into();
    Welcome {
        mode: Mode::Conversation {
            opening: Opening::Say(request.clone()),
        },
        answerer: Answerer::Words {
            agent: Arc::new(Doorkeeper::new(request.clone())),
            opens: Opens::With(request),
        },
        plan: Arc::new(short),
        kept: Kept::Here,
        allowed_by: plan.rules.lets_pair(),
    }
}

/// Nobody waits under that name.
pub(crate) fn nobody(id: &str) -> Fault {
    let message = format!("nobody waits to be paired as {id:?}");
    Fault::new(Blame::Caller, code::POLICY_PAIRING, message)
        .hint("`offhook pairing list` says who waits")
}

const REQUEST: &str = "Hello. This line answers people it knows. If you have a pairing code, please key \
                       it now, then pound.";
const PAIRED: &str = "Thank you. The owner must now confirm you. Please call again then.";
const GOODBYE: &str = "Goodbye.";
const NO_CODE: &str = "I am sorry, that is no code.";

/// How long a stranger may stay at the door, in all and without a word.
const LONGEST: Duration = Duration::from_secs(120);
const SILENCE: Duration = Duration::from_secs(30);

const HOUR: Duration = Duration::from_secs(3_600);
/// So many strangers are answered in an hour.
const KNOCKS: usize = 20;
