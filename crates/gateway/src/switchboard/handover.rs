//! Callers whom their carrier puts through to someone by itself.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use call::input::Command;
use call::{BlindTransfer, Number};
use ports::carrier::Transfer;
use ports::{Blame, Fault, code};

use super::meetings::regrets;
use super::{Record, Switchboard};
use crate::config::{Plan, TransferPlan};
use crate::runner::Control;

/// What a carrier is to do with a call: told it once by us, and again whenever it asks.
#[derive(Clone, Debug)]
pub struct Handover {
    to: Number,
    from: Number,
    ring: Duration,
    limit: Duration,
    back: String,
    report: String,
}

impl Handover {
    /// As the port wants to be told.
    pub(super) fn transfer(&self) -> Transfer<'_> {
        Transfer {
            to: &self.to,
            from: &self.from,
            ring: self.ring,
            limit: self.limit,
            back: &self.back,
            report: &self.report,
        }
    }
}

impl Switchboard {
    /// Has a caller's carrier put them through to someone, if the owner allows that one to be called.
    /// Whether that is so still is looked at again when the carrier is told.
    pub(super) async fn refer_to_carrier(
        &self,
        caller: &Arc<Record>,
        name: String,
        named: &TransferPlan,
    ) -> Result<(), Fault> {
        self.is_open()?;
        caller.may_leave_agent()?;
        let plan = self.plan_of(caller.id);
        let carrier = plan.carriers.get(&caller.carrier);
        if carrier.is_none_or(|it| it.transfers.is_none()) {
            let message = "the carrier of this call puts nobody through by itself";
            return Err(Fault::new(Blame::Config, code::CONFIG_INVALID, message)
                .hint(format!("remove `by` from [transfers.{name}]")));
        }
        let dialled = self.dialled().await?;
        self.may_dial(&self.desk(), named.number.as_str(), dialled.count())?;
        drop(dialled);
        let to = BlindTransfer {
            to: name,
            patience: named.patience + GRACE,
            regrets: regrets(&named.spoken),
        };
        let command = Control::Command(Command::Transfer(to));
        // A call that is over is not put through.
        let _ = caller.control.send(command).await;
        Ok(())
    }

    /// What the carrier of a call is told that puts it through to someone of this name. It is a dial,
    /// counted from now on.
    ///
    /// # Errors
    /// There is nobody of that name any more, or they may not be called.
    pub(super) async fn handover(
        &self,
        record: &Record,
        began_with: &Plan,
        name: &str,
    ) -> Result<Handover, Fault> {
        let plan = self.plan();
        let named = plan.transfers.get(name).ok_or_else(|| {
            let message = format!("there is nobody called {name:?} any more");
            Fault::new(Blame::Config, code::CALL_UNKNOWN, message)
        })?;
        let dialled = self.dialled().await?;
        self.may_dial(&self.desk(), named.number.as_str(), dialled.count())?;
        dialled.add(SystemTime::now())?;
        Ok(told(record, (began_with, &plan), named))
    }

    /// The same where another process told the carrier so, and counted it: should it ask, it has not
    /// dialled yet. `None`: it is not to any more.
    pub(super) fn handover_again(&self, record: &Record, name: &str) -> Option<Handover> {
        let plan = self.plan();
        let named = plan.transfers.get(name)?;
        let allowed = self.may_dial(&self.desk(), named.number.as_str(), 0);
        allowed.ok()?;
        Some(told(record, (&plan, &plan), named))
    }
}

fn told(record: &Record, (began_with, now): (&Plan, &Plan), named: &TransferPlan) -> Handover {
    let (id, after) = (record.id, record.last_socket());
    let base = format!("{}/{}", began_with.public_url, record.carrier);
    let longest = began_with.rules.limit().min(now.rules.limit());
    let left = longest.saturating_sub(record.log.age());
    Handover {
        to: named.number.clone(),
        from: named.from.clone().unwrap_or_else(|| record.number.clone()),
        ring: named.patience,
        limit: left.max(SHORTEST),
        back: format!("{base}/again?call={id}&after={after}"),
        report: format!("{base}/status?call={id}&after={after}"),
    }
}

/// No carrier takes a limit of nothing.
const SHORTEST: Duration = Duration::from_secs(1);

/// A carrier that says nothing is not believed to be still ringing.
const GRACE: Duration = Duration::from_secs(10);
