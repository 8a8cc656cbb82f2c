//! What came of calls that were to achieve something: asked of whoever talked, once, when a call is over, and written
//! down behind its end. Nobody waits for it: neither whoever hangs up nor a gateway that stops. What a gateway did not
//! live to ask, the next one asks.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use call::event::{JudgedBy, Outcome};
use call::{Direction, Event, Number, Private, Trust};
use jiff::Timestamp;
use ports::agent::{Answerer, Company, Introduction, Judge, Matter, Objective, Past, Wrong};
use ports::{Blame, Fault, code};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout_at};

use super::Switchboard;
use crate::journal::{Reader, Summary, Wanted};
use crate::outcome::{self, Judgement, Known};
use crate::transcript;

/// Who asks over the gateway's doors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The owner, who may say anything of any call.
    Owner,
    /// Someone with a token, by what it is called where that matters: of the calls that they made.
    Bearer(String),
}

impl Switchboard {
    /// Has it judged what came of a call that is over, if it was to achieve something. Returns at once.
    pub(super) fn judge_aside(self: &Arc<Self>, call: String) {
        let board = self.clone();
        let mut judges = self.judges.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(judges) = &mut *judges else {
            // The gateway stops: the next one asks.
            return;
        };
        while judges.try_join_next().is_some() {}
        judges.spawn(async move {
            // Those whose calls end together are asked a few at a time.
            let Ok(_place) = board.judging.acquire().await else {
                return;
            };
            if let Err(fault) = board.judge(&call).await {
                let code = fault.code;
                tracing::warn!(
                    call,
                    code,
                    "what came of a call is not written down: {fault}"
                );
            }
        });
    }

    /// Judges nothing any more, and lets go of what is being judged: the next gateway begins with it again.
    pub(crate) fn judge_no_more(&self) {
        let judges = self.judges.lock();
        judges.unwrap_or_else(PoisonError::into_inner).take();
    }

    /// The same as [`Self::judge_aside`] for calls of gateways before this one.
    pub(crate) async fn judge_lost(self: &Arc<Self>) {
        let since = Timestamp::now() - LATEST;
        let lost = async {
            let reader = self.journal.reader()?;
            reader.unjudged(since.as_millisecond(), MOST_LOST).await
        };
        match lost.await {
            Ok(calls) => calls.into_iter().for_each(|it| self.judge_aside(it)),
            Err(fault) => {
                let code = fault.code;
                tracing::error!(
                    code,
                    "what came of lost calls cannot be looked for: {fault}"
                );
            }
        }
    }

    async fn judge(self: &Arc<Self>, call: &str) -> Result<(), Fault> {
        // What is not durable yet cannot be read.
        self.journal.pen().flush().await;
        let reader = self.journal.reader()?;
        let Some((summary, objective)) = purposeful(&reader, call).await? else {
            return Ok(());
        };
        let known = known(&reader, call).await?;
        if !known.is_over() || reader.outcome(call.to_owned()).await?.is_some() {
            return Ok(());
        }
        let judged = if known.is_worth_asking() {
            self.asks(&summary, &objective, &known).await
        } else {
            known.alone(None)
        };
        let _one_at_a_time = self.writes_outcome.lock().await;
        // Whoever wanted the call may have been faster.
        self.journal.pen().flush().await;
        if reader.outcome(call.to_owned()).await?.is_none() {
            self.write_outcome(call, judged);
        }
        Ok(())
    }

    /// What came of a call, as its agent says, or why it does not.
    async fn asks(&self, summary: &Summary, objective: &Objective, known: &Known) -> Outcome {
        let Some((mut judge, call)) = self.judge_of(summary, objective) else {
            return known.alone(None);
        };
        let (by, mut late) = (Instant::now() + WAITS, code::AGENT_TIMEOUT);
        let mut matter = Matter {
            call,
            transcript: known.told(),
            wrong: None,
        };
        for _ in 0..TRIES {
            let asked = ask(&mut *judge, &matter, &mut late);
            let answer = match timeout_at(by, asked).await {
                Ok(Ok(answer)) => answer,
                Ok(Err(fault)) => return known.alone(Some(fault.code)),
                Err(_) => return known.alone(Some(late)),
            };
            let read = outcome::read(answer.reveal());
            let judged = read.and_then(|it| known.judged(it, (objective, JudgedBy::Agent)));
            match judged {
                Ok(judged) => return judged,
                Err(why) => {
                    tracing::debug!(call = summary.id, "a judgement makes no sense");
                    let answer: String = answer.reveal().chars().take(SHOWN).collect();
                    matter.wrong = Some(Wrong {
                        answer: answer.into(),
                        why: why.into(),
                    });
                }
            }
        }
        known.alone(Some(code::AGENT_REFUSED))
    }

    /// Who judges a call, and how they are told of it; `None`: whoever talked on it cannot.
    fn judge_of(
        &self,
        summary: &Summary,
        objective: &Objective,
    ) -> Option<(Box<dyn Judge>, Introduction)> {
        let plan = self.plan();
        let text = |name: &str| summary.began[name].as_str().unwrap_or_default();
        let agent = text("agent");
        let judge = match &plan.agents.get(agent)?.answerer {
            Answerer::Words { agent, .. } => agent.judge()?,
            Answerer::Connects { agent: it, .. } => {
                it.judge(self.connections.carrier(agent, &summary.id))
            }
            // Whoever holds it says so by themselves.
            Answerer::ByHand | Answerer::Loopback => return None,
        };
        let caller = Number::parse(text("caller")).ok();
        let contact = caller.as_ref().and_then(|it| plan.rules.contact(it));
        let direction = match text("direction") {
            "inbound" => Direction::Inbound,
            _ => Direction::Outbound,
        };
        let trust = Trust::parse(text("trust")).unwrap_or(Trust::Unknown);
        let names = (agent, summary.id.as_str());
        let call = Introduction {
            call: summary.id.clone(),
            session: self.session(&plan, names, (direction, caller.as_ref()), trust),
            direction,
            contact: contact.map(str::to_owned),
            caller,
            trust,
            number: Number::parse(text("number")).ok()?,
            transfers: Vec::new(),
            tools: Vec::new(),
            objective: Some(objective.clone()),
            company: Company::Caller,
            past: Past::default(),
        };
        Some((judge, call))
    }

    fn write_outcome(&self, call: &str, outcome: Outcome) {
        tracing::info!(call, reached = ?outcome.reached, goal = ?outcome.goal, by = ?outcome.judged_by, unjudged = outcome.unjudged, "what came of a call");
        let event = Event::Outcome(Box::new(outcome));
        self.journal.pen().beside(call, None, event);
    }

    /// What came of a call, as its event tells it; `None`: that is not known, or not yet.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn outcome(&self, call: &str) -> Result<Option<Value>, Fault> {
        self.journal.reader()?.outcome(call.to_owned()).await
    }

    /// The same, waiting until it is known, as long as that may take.
    ///
    /// # Errors
    /// The journal cannot be read.
    pub async fn outcome_in_time(&self, call: &str) -> Result<Option<Value>, Fault> {
        let mut reader = self.journal.reader()?;
        let by = Instant::now() + WAITS + SLACK;
        let mut wanted = Wanted {
            call: Some(call.to_owned()),
            ..Wanted::default()
        };
        loop {
            match timeout_at(by, reader.next(&mut wanted)).await {
                Ok(Ok(Some(rows))) => {
                    let told = rows.iter().rev().map(|it| serde_json::from_str(&it.entry));
                    let mut told = told.filter_map(Result::<Value, _>::ok);
                    if let Some(outcome) = told.find(|it| it["type"] == OUTCOME) {
                        return Ok(Some(outcome));
                    }
                }
                Ok(Ok(None)) | Err(_) => return Ok(None),
                Ok(Err(fault)) => return Err(fault),
            }
        }
    }

    /// Writes down what came of a call that nobody has judged, as whoever wanted it says.
    ///
    /// # Errors
    /// The call is up, was to achieve nothing in particular, was judged before or was wanted by somebody else; or what
    /// they say makes no sense.
    pub async fn say_outcome(
        &self,
        call: &str,
        judgement: Judgement,
        asker: &Asker,
    ) -> Result<Value, Fault> {
        let reader = self.journal.reader()?;
        self.journal.pen().flush().await;
        let Some((summary, objective)) = purposeful(&reader, call).await? else {
            return Err(cannot("the call was to achieve nothing in particular")
                .hint("give it an `objective`, or a `purpose`, when you make it"));
        };
        let wanted_by = summary.began["asked_by"].as_str();
        match asker {
            Asker::Owner => {}
            Asker::Bearer(name) if wanted_by == Some(name) => {}
            Asker::Bearer(_) => {
                return Err(cannot("the call was made with another token")
                    .hint("say it with the token that made the call, or one of scope `admin`"));
            }
        }
        let known = known(&reader, call).await?;
        if !known.is_over() {
            return Err(cannot("the call is up").hint("end it, or wait for `call.ended`"));
        }
        let _one_at_a_time = self.writes_outcome.lock().await;
        self.journal.pen().flush().await;
        let before = reader.outcome(call.to_owned()).await?;
        if before.is_some_and(|it| it["judged_by"] != "gateway") {
            let fault = cannot("it was judged before what came of the call");
            return Err(fault.hint("`GET /v1/calls/{id}` has it as `outcome`"));
        }
        let said = known.judged(judgement, (&objective, JudgedBy::Hand));
        let said = said.map_err(|why| {
            let fault = Fault::new(Blame::Caller, code::API_INVALID, why);
            fault.hint(
                "`GET /v1/calls/{id}/transcript` has the lines; the schema came with the call",
            )
        })?;
        self.write_outcome(call, said);
        self.journal.pen().flush().await;
        let written = reader.outcome(call.to_owned()).await?;
        written.ok_or_else(|| {
            let message = "it could not be written down what came of the call";
            Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message)
        })
    }
}

/// Asks once, and again where nobody is there: whoever connects by themselves may be about to.
/// `late` says why there is no answer in time.
async fn ask(
    judge: &mut dyn Judge,
    matter: &Matter,
    late: &mut &'static str,
) -> Result<Private<String>, Fault> {
    loop {
        match judge.judge(matter).await {
            Err(fault) if fault.code == code::AGENT_UNREACHABLE => {
                *late = fault.code;
                sleep(AGAIN).await;
            }
            asked => return asked,
        }
    }
}

/// A call that the journal knows, and what it was to achieve; `None`: nothing in particular.
async fn purposeful(reader: &Reader, call: &str) -> Result<Option<(Summary, Objective)>, Fault> {
    let summary = reader.call(call.to_owned()).await?.ok_or_else(|| {
        let fault = Fault::new(Blame::Config, code::CALL_UNKNOWN, "there is no such call");
        fault.hint("`offhook calls` lists those there are")
    })?;
    let objective = Objective::read(&summary.began["objective"], &summary.began["brief"]);
    Ok(objective.map(|it| (summary, it)))
}

async fn known(reader: &Reader, call: &str) -> Result<Known, Fault> {
    let mut known = Known::default();
    transcript::events(reader, call, |it| known.read(it)).await?;
    Ok(known)
}

fn cannot(why: &str) -> Fault {
    Fault::new(Blame::Caller, code::CALL_OUTCOME, why)
}

const OUTCOME: &str = "call.outcome";
/// So many calls are judged at once.
pub(super) const AT_ONCE: usize = 8;
/// How long all of it may take, with every try.
const WAITS: Duration = Duration::from_secs(20);
/// What comes to it where it is waited for: until it is asked, and until it is written.
const SLACK: Duration = Duration::from_secs(5);
/// An agent is asked so often where its answer makes no sense.
const TRIES: usize = 2;
/// Until one that is not there is asked once more.
const AGAIN: Duration = Duration::from_secs(1);
/// In characters, of an answer that made no sense.
const SHOWN: usize = 4_000;
/// What came of calls that ended longer ago is not asked any more.
const LATEST: Duration = Duration::from_secs(24 * 60 * 60);
/// Nor of more than so many.
const MOST_LOST: usize = 200;
