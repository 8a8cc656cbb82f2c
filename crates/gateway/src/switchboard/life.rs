//! A call's life, from the outside: what it is given, and what is done when it is over.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Instant;

use call::event::{End, Party, Why};
use call::{Event, Mode, Opening, Private, output};
use futures_util::FutureExt;
use ports::Fault;
use ports::agent::{Answerer, Introduction};
use ports::carrier::Leg;
use ports::speech::Voice;
use tokio::sync::mpsc;

use super::{Record, Switchboard, desk};
use crate::flight::Flight;
use crate::line::SocketLine;
use crate::runner::{ASSUMED, Control, Parts, Talk, run};

/// What a call is given when it begins.
pub(super) struct Given {
    /// Where it is told things.
    pub(super) control: mpsc::Receiver<Control<SocketLine>>,
    /// What it is for.
    pub(super) mode: Mode,
    /// Who answers.
    pub(super) answerer: Answerer,
    /// How it hears and speaks; `None`: its sound comes back.
    pub(super) voice: Option<Voice>,
}

impl Switchboard {
    /// Starts a call's task, and the desk that carries its orders.
    pub(super) fn start(self: &Arc<Self>, record: &Arc<Record>, given: Given) {
        let (orders, ordered) = mpsc::channel(ORDERS);
        let (board, record) = (self.clone(), record.clone());
        tracing::info!(call = %record.id, direction = ?record.direction, number = ?record.number, caller = record.caller.as_ref().map(tracing::field::debug), "a call begins");
        tokio::spawn(async move {
            let carrier = board.plan.carriers[&record.carrier].clone();
            let desk = {
                let outbound = board.outbound(&record);
                let (board, bound) = (board.clone(), record.clone());
                let bind = move |leg: &Leg| {
                    // A leg that is another call's already is refused where its webhooks come in.
                    let _ = board.bind(&bound, leg);
                };
                desk::serve(carrier.calls, record.clone(), outbound, ordered, bind)
            };
            let desk = tokio::spawn(desk);
            let life = board.live(&record, given, orders.clone());
            if AssertUnwindSafe(life).catch_unwind().await.is_err() {
                tracing::error!(call = %record.id, "a call broke");
                let _ = orders.send(output::Carrier::HangUp).await;
                let end = End {
                    by: Party::Gateway,
                    why: Why::Fault,
                };
                let now = Instant::now();
                record.log.push(now, Event::Ended(end));
                record.landing.broke(now);
            }
            record.landing.close();
            drop(orders);
            board.over(&record).await;
            let _ = desk.await;
        });
    }

    /// One call, from its first to its last moment.
    async fn live(&self, record: &Record, given: Given, orders: mpsc::Sender<output::Carrier>) {
        let Given {
            control,
            mode,
            answerer,
            voice,
        } = given;
        let talk = match voice {
            Some(voice) => match self.talk(record, &mode, &answerer, voice).await {
                Ok(talk) => Some(talk),
                Err(fault) => {
                    // An offered call was already told where its sound goes.
                    let _ = orders.send(output::Carrier::HangUp).await;
                    return refuse(record, &fault);
                }
            },
            None => None,
        };
        let plan = call::Plan {
            direction: record.direction,
            mode,
            policy: call::Policy {
                limit: self.plan.rules.max_length.value,
                ..self.plan.patience
            },
            phrases: self.plan.phrases.clone(),
        };
        let now = Instant::now();
        let (flight, first) = Flight::start(now, plan, &record.log, record.landing.clone());
        let recording = self.plan.recordings.as_ref();
        let parts = Parts {
            talk,
            control,
            orders,
            log: record.log.clone(),
            recording: recording.map(|dir| dir.join(format!("{}.wav", record.id))),
        };
        run(flight, (now, first), parts).await;
    }

    /// Opens mouth and agent, while the phone rings.
    async fn talk(
        &self,
        record: &Record,
        mode: &Mode,
        answerer: &Answerer,
        voice: Voice,
    ) -> Result<Talk, Fault> {
        let phrases = &self.plan.phrases;
        let (first, agent) = match (mode, answerer) {
            (
                Mode::Conversation {
                    opening: Opening::Say(text),
                },
                Answerer::Words { agent, .. },
            ) => (Some(text), Some(agent)),
            (Mode::Conversation { .. }, Answerer::Words { agent, .. }) => (None, Some(agent)),
            (Mode::Notify { text }, _) => (Some(text), None),
            (Mode::Conversation { .. } | Mode::Loopback, _) => (None, None),
        };
        let agent = match agent {
            Some(agent) => agent.open(introduction(record)).await?,
            None => nobody(),
        };
        let prepare = [&phrases.filler, &phrases.apology, &phrases.goodbye];
        Ok(Talk {
            mouth: voice.mouth.open(ASSUMED).await?,
            agent,
            language: self.plan.agents[&record.agent].language.clone(),
            prepare: first.into_iter().chain(prepare).flat_map(spoken).collect(),
            voice,
        })
    }

    async fn over(&self, record: &Record) {
        {
            let mut desk = self.desk();
            desk.up = desk.up.saturating_sub(1);
            desk.tokens.forget(record.id);
            desk.land(record.id);
        }
        let seconds = record.log.age().as_secs();
        if let Some(Event::Ended(End { by, why })) = record.log.last().map(|entry| entry.event) {
            tracing::info!(call = %record.id, ?by, ?why, seconds, "a call ended");
            if why == Why::Fault {
                self.keep_flight(record).await;
            }
        }
    }

    /// Writes the flight recording of a call that ended by a fault.
    async fn keep_flight(&self, record: &Record) {
        // A call that never started was never told anything.
        let Ok(snapshot) = self.flight(record).await else {
            return;
        };
        match self.put_flight(record, snapshot).await {
            Ok(path) => {
                let path = path.display();
                tracing::info!(call = %record.id, %path, "a flight recording was written");
            }
            Err(fault) => {
                tracing::warn!(call = %record.id, code = fault.code, "a flight recording is lost: {fault}");
            }
        }
    }

    fn outbound(&self, record: &Record) -> desk::Outbound {
        let base = format!("{}/{}", self.plan.public_url, record.carrier);
        desk::Outbound {
            voice_url: format!("{base}/voice?call={}", record.id),
            status_url: format!("{base}/status?call={}", record.id),
            ring: self.plan.patience.ring,
            limit: self.plan.rules.max_length.value,
        }
    }
}

/// A call that could not be given a voice ends before it begins.
fn refuse(record: &Record, fault: &Fault) {
    tracing::error!(call = %record.id, code = fault.code, "a call could not begin: {fault}");
    record.fail(fault);
    let end = End {
        by: Party::Gateway,
        why: Why::Fault,
    };
    record.log.push(Instant::now(), Event::Ended(end));
}

fn introduction(record: &Record) -> Introduction {
    Introduction {
        call: record.id.to_string(),
        direction: record.direction,
        caller: record.caller.clone(),
        number: record.number.clone(),
    }
}

/// A text as the mouth will be given it: clause by clause.
fn spoken(text: &Private<String>) -> Vec<Private<String>> {
    let clauses = call::clauses(text.reveal());
    clauses.into_iter().map(Private::from).collect()
}

/// An agent for calls that need none: it listens and says nothing.
fn nobody() -> ports::Link<ports::agent::Tell, ports::agent::Answer> {
    let (near, mut far) = ports::pair(16);
    tokio::spawn(async move { while far.rx.recv().await.is_some() {} });
    near
}

/// How many orders may wait for the carrier.
const ORDERS: usize = 8;
