//! Callers whom their carrier puts through to someone by itself.

use std::sync::Arc;
use std::time::Duration;

use call::input::{self, Command};
use call::{BlindTransfer, Number, Private, Regrets};
use policy::Standing;
use ports::carrier::{
    Conference, Conferences, Leg, Reply, Response, Transfer, Transfers, Webhooks,
};
use ports::{Blame, Fault, code};
use tokio::time::{Instant, sleep};

use super::meetings::regrets;
use super::renewed::Renewed;
use super::spending::Terms;
use super::tapes::is_recorded_by_carrier;
use super::{Record, Switchboard};
use crate::config::{Destination, PhonePlan, Plan, TransferPlan};
use crate::runner::Control;

/// What a carrier is to do with a call: told it once by us, and again whenever it asks.
#[derive(Clone, Debug)]
pub struct Handover {
    to: Goal,
    limit: Duration,
    back: String,
    report: String,
}

/// Where the call goes.
#[derive(Clone, Debug)]
enum Goal {
    Phone {
        to: Number,
        from: Number,
        ring: Duration,
    },
    Conference {
        name: String,
        /// How long the carrier may take to let it in.
        wait: Duration,
    },
}

impl Handover {
    /// The carrier's own words for it.
    pub(super) fn reply(&self, webhooks: &dyn Webhooks) -> Response {
        match &self.to {
            Goal::Phone { to, from, ring } => {
                webhooks.reply(Reply::Transfer(&self.transfer((to, from), *ring)))
            }
            Goal::Conference { name, .. } => webhooks.reply(Reply::Admit(&self.conference(name))),
        }
    }

    /// Tells the carrier.
    pub(super) async fn request(&self, carrier: &Renewed, leg: &Leg) -> Result<(), Fault> {
        match &self.to {
            Goal::Phone { to, from, ring } => {
                let transfer = self.transfer((to, from), *ring);
                carrier.transfer(leg, &transfer).await
            }
            Goal::Conference { name, .. } => carrier.admit(leg, &self.conference(name)).await,
        }
    }

    /// Has it known that the call is in its room once it is. The carrier need not say so: what a room
    /// reports goes where whoever opened it wants it.
    pub(super) fn watch(&self, carrier: &Renewed, record: &Arc<Record>) {
        let Goal::Conference { name, wait } = &self.to else {
            return;
        };
        let (name, until) = (name.clone(), Instant::now() + *wait);
        let (carrier, record) = (carrier.clone(), Arc::clone(record));
        tokio::spawn(async move {
            while Instant::now() < until {
                sleep(LOOK).await;
                let Some(leg) = record.leg().filter(|_| record.waits_elsewhere()) else {
                    return;
                };
                if is_there(&carrier, &record, (&leg, &name)).await {
                    record.divert(None);
                    return record.tell(input::Carrier::Joined).await;
                }
            }
        });
    }

    fn transfer<'h>(
        &'h self,
        (to, from): (&'h Number, &'h Number),
        ring: Duration,
    ) -> Transfer<'h> {
        Transfer {
            to,
            from,
            ring,
            limit: self.limit,
            back: &self.back,
            report: &self.report,
        }
    }

    fn conference<'h>(&'h self, name: &'h str) -> Conference<'h> {
        Conference {
            name,
            limit: self.limit,
            back: &self.back,
            report: &self.report,
        }
    }
}

async fn is_there(carrier: &Renewed, record: &Record, (leg, room): (&Leg, &str)) -> bool {
    carrier.holds(leg, room).await.unwrap_or_else(|fault| {
        let (code, hint) = (fault.code, fault.hint.as_deref());
        tracing::warn!(call = %record.id, code, hint, "nobody says whether a caller is in a conference: {fault}");
        false
    })
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
        let departure = caller.depart()?;
        let plan = self.plan_of(caller.id);
        if is_recorded_by_carrier(&plan) {
            // Of a plan in which nobody was put through like this.
            let message =
                "the carrier may be recording this call, and whoever is there was not told";
            let hint = "calls that began with the configuration of now can be put through";
            return Err(Fault::new(Blame::Config, code::CONFIG_INVALID, message).hint(hint));
        }
        let carrier = plan.carriers.get(&caller.carrier);
        match &named.to {
            Destination::Conference(_) => {
                if carrier.is_none_or(|it| it.conferences.is_none()) {
                    let message = "the carrier of this call keeps no conferences";
                    let hint = format!("name a `number` in [transfers.{name}]");
                    return Err(Fault::new(Blame::Config, code::CONFIG_INVALID, message).hint(hint));
                }
            }
            Destination::Phone(phone) => {
                if carrier.is_none_or(|it| it.transfers.is_none()) {
                    let message = "the carrier of this call puts nobody through by itself";
                    let hint = format!("remove `by` from [transfers.{name}]");
                    return Err(Fault::new(Blame::Config, code::CONFIG_INVALID, message).hint(hint));
                }
                let to = phone.number.as_str();
                self.would_dial(to, &caller.agent, (0, Terms::OWNERS))
                    .await?;
            }
        }
        let to = BlindTransfer {
            to: name,
            patience: named.patience + GRACE,
            regrets: match &named.to {
                Destination::Conference(_) => shut_out(&named.spoken),
                Destination::Phone(_) => regrets(&named.spoken),
            },
        };
        let command = Control::Command(Command::Transfer(to));
        // A call that is over is not put through.
        let _ = caller.control.send(command).await;
        departure.see_off();
        Ok(())
    }

    /// What the carrier of a call is told that puts it through to someone of this name. It is a dial,
    /// counted from now on.
    ///
    /// # Errors
    /// There is nobody of that name any more, or they may not be called.
    pub(super) async fn handover(
        self: &Arc<Self>,
        record: &Record,
        began_with: &Plan,
        name: &str,
    ) -> Result<Handover, Fault> {
        let plan = self.plan();
        let named = plan.transfers.get(name).ok_or_else(|| {
            let message = format!("there is nobody called {name:?} any more");
            Fault::new(Blame::Config, code::CALL_UNKNOWN, message)
        })?;
        if let Destination::Phone(phone) = &named.to {
            self.reserve_beside(record, phone.number.as_str()).await?;
        }
        Ok(told(record, (began_with, &plan), named))
    }

    /// The same where another process told the carrier so, and counted it: should it ask, it has not
    /// dialled yet. `None`: it is not to any more.
    pub(super) fn handover_again(&self, record: &Record, name: &str) -> Option<Handover> {
        let plan = self.plan();
        let named = plan.transfers.get(name)?;
        if let Destination::Phone(phone) = &named.to {
            let (to, up) = (phone.number.as_str(), self.desk().up);
            let standing = Standing {
                approved: true,
                purposeful: true,
                stopped: self.is_stopped(),
                ..Standing::default()
            };
            self.may_dial(to, up, standing).ok()?;
        }
        Some(told(record, (&plan, &plan), named))
    }
}

fn told(record: &Record, (began_with, now): (&Plan, &Plan), named: &TransferPlan) -> Handover {
    let (id, after) = (record.id, record.last_socket());
    let base = format!("{}/{}", began_with.public_url, record.carrier);
    let longest = began_with.rules.limit().min(now.rules.limit());
    let left = longest.saturating_sub(record.log.age());
    Handover {
        to: match &named.to {
            Destination::Conference(name) => Goal::Conference {
                name: name.clone(),
                wait: named.patience,
            },
            Destination::Phone(PhonePlan { number, from, .. }) => Goal::Phone {
                to: number.clone(),
                from: from.clone().unwrap_or_else(|| record.number.clone()),
                ring: named.patience,
            },
        },
        limit: left.max(SHORTEST),
        back: format!("{base}/again?call={id}&after={after}"),
        report: format!("{base}/status?call={id}&after={after}"),
    }
}

/// What a caller is told who is not let into a conference, for whatever reason.
fn shut_out(name: &str) -> Regrets {
    let phrase = || {
        Private::from(format!(
            "I am sorry, I cannot let you into {name} right now."
        ))
    };
    Regrets {
        nobody: phrase(),
        busy: phrase(),
        declined: phrase(),
    }
}

/// No carrier takes a limit of nothing.
const SHORTEST: Duration = Duration::from_secs(1);

/// A carrier that says nothing is not believed to be still ringing.
const GRACE: Duration = Duration::from_secs(10);

/// A caller is looked for in a room so often, at first after this long: a carrier that says by itself that
/// they are there has said so by then.
const LOOK: Duration = Duration::from_secs(1);
