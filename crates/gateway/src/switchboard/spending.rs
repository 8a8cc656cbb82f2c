//! What calls that we make may cost: asked before, set aside while they are up, settled after.

use std::sync::Arc;
use std::time::Duration;

use call::Private;
use call::event::What;
use jiff::Timestamp;
use policy::{Money, Now, Permit, Standing};
use ports::{Blame, Fault, code};

use super::record::Bill;
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

/// On which terms a call is to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) leave: Leave,
    pub(super) purposeful: Purposeful,
    /// The most that it may cost, where somebody was told so before; `None`: whatever the rules allow.
    pub(super) ceiling: Option<Money>,
}

impl Terms {
    /// Those of a call that the owner wrote down in the configuration.
    pub(super) const OWNERS: Self = Self {
        leave: Leave::Given,
        purposeful: Purposeful::Yes,
        ceiling: None,
    };

    fn hold(self, permit: Permit) -> Result<Permit, Fault> {
        let Some(most) = self.ceiling.filter(|it| permit.ceiling > *it) else {
            return Ok(permit);
        };
        let message = format!(
            "that call was to cost {most} at most, and may cost {} by now",
            permit.ceiling
        );
        let fault = Fault::new(Blame::Config, code::POLICY_SPEND, message);
        Err(fault.hint("plan it, or ask for it, again"))
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
        (others, terms): (usize, Terms),
    ) -> Result<Permit, Fault> {
        let entry = self.entry(String::new(), to, agent)?;
        let mut standing = self.ledger.standing(entry).await?;
        standing.dialled += others;
        let up = self.desk().up + others;
        standing.approved = terms.leave == Leave::Given;
        standing.purposeful = terms.purposeful == Purposeful::Yes;
        terms.hold(self.may_dial(to, up, standing)?)
    }

    /// Sets aside what a call of this name may cost, if it may be made.
    pub(super) async fn reserve(
        self: &Arc<Self>,
        name: String,
        to: &str,
        agent: &str,
        terms: Terms,
    ) -> Result<(Permit, Seat), Fault> {
        self.recall_opt_outs().await;
        let entry = self.entry(name, to, agent)?;
        let (board, to) = (self.clone(), to.to_owned());
        let decide = move |mut standing: Standing| {
            standing.approved = terms.leave == Leave::Given;
            standing.purposeful = terms.purposeful == Purposeful::Yes;
            board.goes_on()?;
            let mut desk = board.desk();
            let permit = terms.hold(board.may_dial(&to, desk.up, standing)?)?;
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
        let (permit, _) = self.reserve(name, to, &record.agent, Terms::OWNERS).await?;
        self.allowed_on(record, What::Transfer, permit.rule);
        Ok(())
    }

    /// Writes down what a call did cost that costs nothing more.
    pub(super) async fn settle_cost(&self, record: &Record, bill: Bill) {
        let (name, picked_up) = (record.id.to_string(), record.is_picked_up());
        unwritten(match bill {
            Bill::Runs => return,
            Bill::Stopped(age) if picked_up => self.ledger.settle(name, age).await,
            Bill::Stopped(_) => self.ledger.settle(name, Duration::ZERO).await,
            Bill::Unknown => self.ledger.close(name, picked_up).await,
        });
    }

    /// Counts as spent what was set aside for calls that no gateway has any more. To be done before any
    /// others are made here: those that are known by then settle themselves.
    pub(crate) async fn close_lost_costs(&self) {
        let ours = self.calls().iter().map(|it| it.id.to_string()).collect();
        match self.ledger.close_but(ours).await {
            Ok(0) => {}
            Ok(calls) => tracing::warn!(calls, "what lost calls had set aside counts as spent"),
            Err(fault) => unwritten(Err(fault)),
        }
    }

    pub(super) fn may_dial(
        &self,
        to: &str,
        up: usize,
        standing: Standing,
    ) -> Result<Permit, Fault> {
        self.may_dial_then(to, (Timestamp::now(), up), standing)
    }

    /// The same at another time, when so many calls would be up.
    pub(super) fn may_dial_then(
        &self,
        to: &str,
        (at, up): (Timestamp, usize),
        mut standing: Standing,
    ) -> Result<Permit, Fault> {
        let plan = self.plan();
        if let Ok(known) = plan.rules.known(to) {
            standing.unwanted |= self.unwanted.holds(&known.number);
        }
        let now = Now { at, up, standing };
        plan.rules.may_dial(to, now).map_err(rules::told)
    }

    pub(super) fn entry(&self, name: String, to: &str, agent: &str) -> Result<Entry, Fault> {
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

#[cfg(test)]
mod tests {
    use super::super::fixture::{House, THEIRS};
    use super::*;

    #[tokio::test]
    async fn what_a_lost_call_had_set_aside_is_spent_before_another_is_made() {
        let house = House::new("");
        let name = CallId::random().to_string();
        let board = &house.board;
        let reserved = board.reserve(name.clone(), THEIRS, "cave", Terms::OWNERS);
        reserved.await.expect("there is money");
        let (gateway, house) = house.with_a_gateway().await;
        let settled = gateway.board.ledger.settle(name, Duration::ZERO).await;
        settled.expect("nothing changes");
        assert_eq!(house.stands().await, (house.ceiling(), 0));
    }
}
