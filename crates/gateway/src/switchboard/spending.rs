//! What calls that we make may cost: asked before, set aside while they are up, settled after.

use std::sync::Arc;

use call::Event;
use call::Private;
use call::event::What;
use jiff::Timestamp;
use policy::{Now, Permit, Standing};
use ports::Fault;

use super::{CallId, Record, Switchboard};
use crate::ledger::Entry;
use crate::rules;

/// What the owner said of a call that is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leave {
    /// Nothing: if they are to be asked, it is not made.
    NotAsked,
    /// Yes; or they named whom to call, and when, in the configuration.
    Given,
}

/// Whether it is said what a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purposeful {
    /// It is; or it is plain by what is done.
    Yes,
    /// It is not.
    No,
}

impl Purposeful {
    pub(super) fn of(purpose: Option<&Private<String>>) -> Self {
        match purpose {
            Some(text) if !text.reveal().trim().is_empty() => Self::Yes,
            Some(_) | None => Self::No,
        }
    }
}

/// The place of a call that may be made and is not there yet. It is given back when dropped.
pub(super) struct Seat(Arc<Switchboard>);

impl Drop for Seat {
    fn drop(&mut self) {
        let mut desk = self.0.desk();
        desk.up = desk.up.saturating_sub(1);
    }
}

impl Switchboard {
    /// Whether someone may be dialled as things stand, after so many others. Nothing is set aside.
    pub(super) async fn would_dial(
        &self,
        to: &str,
        agent: &str,
        (others, leave, purpose): (usize, Leave, Purposeful),
    ) -> Result<Permit, Fault> {
        let entry = self.entry(String::new(), to, agent)?;
        let mut standing = self.ledger.standing(entry).await?;
        standing.dialled += others;
        let up = self.desk().up + others;
        standing.approved = leave == Leave::Given;
        standing.purposeful = purpose == Purposeful::Yes;
        self.may_dial(to, up, standing)
    }

    /// Sets aside what a call of this name may cost, if it may be made.
    pub(super) async fn reserve(
        self: &Arc<Self>,
        name: String,
        to: &str,
        agent: &str,
        (leave, purpose): (Leave, Purposeful),
    ) -> Result<(Permit, Seat), Fault> {
        self.recall_opt_outs().await;
        let entry = self.entry(name, to, agent)?;
        let (board, to) = (self.clone(), to.to_owned());
        let decide = move |mut standing: Standing| {
            standing.approved = leave == Leave::Given;
            standing.purposeful = purpose == Purposeful::Yes;
            board.goes_on()?;
            let mut desk = board.desk();
            let permit = board.may_dial(&to, desk.up, standing)?;
            desk.up += 1;
            drop(desk);
            Ok((permit, Seat(board)))
        };
        self.ledger.reserve(entry, decide).await
    }

    /// Sets aside what it may cost that a caller is put through by their carrier.
    pub(super) async fn reserve_beside(
        self: &Arc<Self>,
        record: &Record,
        to: &str,
    ) -> Result<(), Fault> {
        let name = format!("{}+{}", record.id, CallId::random());
        // The owner named them in the configuration.
        let (permit, _) = self
            .reserve(name, to, &record.agent, (Leave::Given, Purposeful::Yes))
            .await?;
        self.allowed_on(record, What::Transfer, permit.rule);
        Ok(())
    }

    /// Writes down what a call did cost that is over.
    pub(super) async fn settle_cost(&self, record: &Record) {
        let picked_up = |it: &Event| matches!(it, Event::Answered | Event::Connected);
        let entries = record.log.after(0);
        let cost = record.log.before().connected || entries.iter().any(|it| picked_up(&it.event));
        let connected = if cost {
            record.log.age()
        } else {
            std::time::Duration::ZERO
        };
        unwritten(self.ledger.settle(record.id.to_string(), connected).await);
    }

    /// Counts as spent what was set aside for calls that no gateway has any more.
    pub(super) async fn close_lost_costs(&self) {
        let up = self.up().iter().map(|it| it.id.to_string()).collect();
        match self.ledger.close_but(up).await {
            Ok(0) => {}
            Ok(calls) => tracing::warn!(calls, "what lost calls had set aside counts as spent"),
            Err(fault) => unwritten(Err(fault)),
        }
    }

    pub(super) fn may_dial(
        &self,
        to: &str,
        up: usize,
        mut standing: Standing,
    ) -> Result<Permit, Fault> {
        let (at, plan) = (Timestamp::now(), self.plan());
        if let Ok(known) = plan.rules.known(to) {
            standing.unwanted |= self.unwanted.holds(&known.number);
        }
        let now = Now { at, up, standing };
        plan.rules.may_dial(to, now).map_err(rules::told)
    }

    fn entry(&self, name: String, to: &str, agent: &str) -> Result<Entry, Fault> {
        let plan = self.plan();
        let known = plan.rules.known(to).map_err(rules::told)?;
        let stranger = match plan.rules.entry(&known) {
            Ok(policy::Entry::Contact(..) | policy::Entry::Number(_)) => false,
            Ok(policy::Entry::Class(_)) | Err(_) => true,
        };
        Ok(Entry {
            stranger,
            name,
            to: known.number,
            agent: agent.to_owned(),
            at: Timestamp::now().as_millisecond(),
        })
    }
}

fn unwritten(written: Result<(), Fault>) {
    if let Err(fault) = written {
        let (code, hint) = (fault.code, fault.hint.as_deref());
        tracing::error!(code, hint, "what a call cost is not written down: {fault}");
    }
}
