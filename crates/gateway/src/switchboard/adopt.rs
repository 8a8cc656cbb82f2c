//! A new plan comes into force while calls are up.

use std::sync::{Arc, PoisonError};

use call::input::Command;
use ports::Fault;
use ports::carrier::Leg;

use super::host::HOUSE;
use super::pairing::Entrance;
use super::{CallId, LoadVoice, Record, Switchboard};
use crate::config::Plan;
use crate::runner::Control;

/// What a new plan did to the calls that were up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tightened {
    /// So many are being ended, because the rules do not allow them any more.
    pub forbidden: usize,
    /// So many may not last as long as they might have.
    pub shortened: usize,
}

impl Switchboard {
    /// What the owner wrote, as it is in force now. A call keeps what it began with.
    pub fn plan(&self) -> Arc<Plan> {
        let plan = self.plan.read().unwrap_or_else(PoisonError::into_inner);
        plan.clone()
    }

    /// Puts `plan` in force. Calls that are up keep what they began with, but what the new rules
    /// forbid ends, and what they limit is limited.
    pub fn adopt(&self, plan: Plan) -> Tightened {
        let plan = Arc::new(plan);
        // In this order: a call that is not seen below is not there yet, and is asked about the
        // new rules before it is.
        *self.plan.write().unwrap_or_else(PoisonError::into_inner) = plan.clone();
        let desk = self.desk();
        let up = desk.calls.values().filter(|it| !it.log.is_closed());
        let up: Vec<_> = up
            .map(|it| (it.clone(), desk.plans.get(&it.id).cloned()))
            .collect();
        drop(desk);
        let mut tightened = Tightened::default();
        let limit = plan.rules.limit();
        for (record, began_with) in up {
            // An agent at a meeting is nobody's to allow: those who sit with it are looked at.
            let rules = &plan.rules;
            let allowed = record.carrier == HOUSE
                || rules.still_allows(record.direction, record.caller.as_ref())
                || (rules.pairing && record.entrance != Entrance::Listed);
            if !allowed {
                tracing::info!(call = %record.id, "a call ends: the rules no longer allow it");
                tightened.forbidden += 1;
                command(&record, Command::Forbid);
            } else if began_with.is_none_or(|it| limit < it.rules.limit()) {
                tightened.shortened += 1;
                command(&record, Command::Limit(limit));
            }
        }
        tightened
    }

    /// Wants other ears and another mouth for calls to come. They are loaded by
    /// [`Switchboard::renew_voice`]; until then the old ones serve.
    pub fn want_voice(&self, load: LoadVoice) {
        self.voices.want(load);
    }

    /// Loads the ears and the mouth that are wanted, if any agent needs them.
    ///
    /// # Errors
    /// They cannot be loaded. The old ones serve on.
    pub async fn renew_voice(&self) -> Result<(), Fault> {
        if self.needs_voice() {
            self.voices.fulfil().await?;
            self.make_announcements().await?;
        }
        Ok(())
    }

    /// Every plan by which a carrier may now speak to us: the one in force, then those that calls
    /// which are up began with.
    pub fn plans(&self) -> Vec<Arc<Plan>> {
        let mut plans = vec![self.plan()];
        for plan in self.desk().plans.values() {
            if !plans.iter().any(|it| Arc::ptr_eq(it, plan)) {
                plans.push(plan.clone());
            }
        }
        plans
    }

    /// What a call that is up began with: the one of that leg, else the one of our own name for it.
    pub fn began_with(
        &self,
        carrier: &str,
        hint: Option<CallId>,
        (leg, dialled): (&Leg, &Leg),
    ) -> Option<Arc<Plan>> {
        let desk = self.desk();
        let mut names = [leg, dialled].into_iter();
        let known =
            names.find_map(|leg| desk.legs.get(&(carrier.to_owned(), leg.clone())).copied());
        let id = known.or(hint)?;
        desk.plans.get(&id).cloned()
    }

    /// The plan that a call which is up began with; else the one in force.
    pub(super) fn plan_of(&self, call: CallId) -> Arc<Plan> {
        let own = self.desk().plans.get(&call).cloned();
        own.unwrap_or_else(|| self.plan())
    }
}

/// Tells a call. One that has much to listen to is told as soon as it can listen.
pub(super) fn command(record: &Arc<Record>, command: Command) {
    if let Err(tokio::sync::mpsc::error::TrySendError::Full(control)) =
        record.control.try_send(Control::Command(command))
    {
        let record = record.clone();
        tokio::spawn(async move { record.control.send(control).await });
    }
}
