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
    pub(super) async fn refer_to_carrier(
        &self,
        caller: &Arc<Record>,
        name: String,
        named: &TransferPlan,
    ) -> Result<(), Fault> {
        self.is_open()?;
        let plan = self.plan_of(caller.id);
        let carrier = plan.carriers.get(&caller.carrier);
        if carrier.is_none_or(|it| it.transfers.is_none()) {
            let message = "the carrier of this call puts nobody through by itself";
            return Err(Fault::new(Blame::Config, code::CONFIG_INVALID, message)
                .hint(format!("remove `by` from [transfers.{name}]")));
        }
        let dialled = self.dialled().await?;
        self.may_dial(&self.desk(), named.number.as_str(), dialled.count())?;
        dialled.add(SystemTime::now())?;
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

    /// What the carrier of a call is told that puts it through to someone of this name.
    pub(super) fn handover(&self, record: &Record, plan: &Plan, name: &str) -> Option<Handover> {
        let named = plan.transfers.get(name)?;
        let (id, after) = (record.id, record.last_socket());
        let base = format!("{}/{}", plan.public_url, record.carrier);
        let left = plan.rules.limit().saturating_sub(record.log.age());
        Some(Handover {
            to: named.number.clone(),
            from: named.from.clone().unwrap_or_else(|| record.number.clone()),
            ring: named.patience,
            limit: left.max(SHORTEST),
            back: format!("{base}/again?call={id}&after={after}"),
            report: format!("{base}/status?call={id}&after={after}"),
        })
    }
}

/// No carrier takes a limit of nothing.
const SHORTEST: Duration = Duration::from_secs(1);

/// A carrier that says nothing is not believed to be still ringing.
const GRACE: Duration = Duration::from_secs(10);
