//! A carrier as a call began with it, with whatever credentials are good by now.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use call::Keys;
use ports::carrier::{
    Calls, Carrier, Conference, Conferences, Dial, Leg, Limits, Offers, Orders, Presses, Recording,
    Recordings, Status, Stream, Tape, Transfer, Transfers,
};
use ports::{Blame, Fault, code};
use tokio::sync::mpsc;

use super::Switchboard;
use crate::config::Plan;

/// The carrier of one call. Where the credentials it began with have been changed since, and the
/// carrier does not take them any more, those in force are tried: else a call could not even be
/// hung up, and would go on costing money.
#[derive(Clone)]
pub(super) struct Renewed {
    /// What the call began with.
    pub(super) plan: Arc<Plan>,
    /// A key of [`Plan::carriers`].
    pub(super) carrier: String,
    /// Who knows what is in force.
    pub(super) board: Arc<Switchboard>,
}

impl Renewed {
    fn own(&self) -> &Carrier {
        &self.plan.carriers[&self.carrier]
    }

    /// The carrier of that name by the plan in force, if `fault` is one that it could mend.
    fn other(&self, fault: &Fault) -> Option<Carrier> {
        let now = self.board.plan();
        let carrier = now.carriers.get(&self.carrier)?;
        (fault.code == code::CARRIER_CREDENTIALS && !Arc::ptr_eq(&now, &self.plan))
            .then(|| carrier.clone())
    }

    /// Whether the carrier presses keys by itself.
    pub(super) fn has_presses(&self) -> bool {
        self.own().presses.is_some()
    }

    /// Whether the carrier changes how long a call may last.
    pub(super) fn has_limits(&self) -> bool {
        self.own().limits.is_some()
    }
}

#[async_trait]
impl Calls for Renewed {
    async fn dial(&self, dial: Dial<'_>) -> Result<Leg, Fault> {
        self.own().calls.dial(dial).await
    }

    async fn hang_up(&self, leg: &Leg) -> Result<(), Fault> {
        match self.own().calls.hang_up(leg).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => other.calls.hang_up(leg).await,
                None => Err(fault),
            },
            Ok(()) => Ok(()),
        }
    }

    async fn reconnect(&self, leg: &Leg, stream: &Stream) -> Result<(), Fault> {
        match self.own().calls.reconnect(leg, stream).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => other.calls.reconnect(leg, stream).await,
                None => Err(fault),
            },
            Ok(()) => Ok(()),
        }
    }

    async fn status(&self, leg: &Leg) -> Result<Status, Fault> {
        match self.own().calls.status(leg).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => other.calls.status(leg).await,
                None => Err(fault),
            },
            Ok(status) => Ok(status),
        }
    }

    async fn check(&self) -> Result<String, Fault> {
        self.own().calls.check().await
    }
}

#[async_trait]
impl Limits for Renewed {
    async fn limit(&self, leg: &Leg, length: Duration) -> Result<(), Fault> {
        match limit(self.own(), leg, length).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => limit(&other, leg, length).await,
                None => Err(fault),
            },
            Ok(()) => Ok(()),
        }
    }
}

#[async_trait]
impl Offers for Renewed {
    async fn answer(&self, leg: &Leg, stream: &Stream) -> Result<(), Fault> {
        match answer(self.own(), leg, stream).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => answer(&other, leg, stream).await,
                None => Err(fault),
            },
            Ok(()) => Ok(()),
        }
    }

    /// Calls that are turned away never begin, and so began with nothing.
    async fn reject(&self, leg: &Leg) -> Result<(), Fault> {
        match &self.own().orders {
            Orders::Replied => Ok(()),
            Orders::Requested(offers) => offers.reject(leg).await,
        }
    }
}

#[async_trait]
impl Transfers for Renewed {
    async fn transfer(&self, leg: &Leg, transfer: &Transfer<'_>) -> Result<(), Fault> {
        match put_through(self.own(), leg, transfer).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => put_through(&other, leg, transfer).await,
                None => Err(fault),
            },
            Ok(()) => Ok(()),
        }
    }
}

#[async_trait]
impl Conferences for Renewed {
    async fn admit(&self, leg: &Leg, conference: &Conference<'_>) -> Result<(), Fault> {
        match conferences(self.own())?.admit(leg, conference).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => conferences(&other)?.admit(leg, conference).await,
                None => Err(fault),
            },
            Ok(()) => Ok(()),
        }
    }

    async fn holds(&self, leg: &Leg, name: &str) -> Result<bool, Fault> {
        match conferences(self.own())?.holds(leg, name).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => conferences(&other)?.holds(leg, name).await,
                None => Err(fault),
            },
            Ok(held) => Ok(held),
        }
    }
}

fn conferences(carrier: &Carrier) -> Result<&dyn Conferences, Fault> {
    carrier.conferences.as_deref().ok_or_else(|| {
        let message = "this carrier keeps no conferences";
        Fault::new(Blame::Config, code::CONFIG_INVALID, message)
            .hint("name a `number` in its [transfers.…] table")
    })
}

#[async_trait]
impl Presses for Renewed {
    async fn press(&self, leg: &Leg, keys: &Keys) -> Result<(), Fault> {
        match press(self.own(), leg, keys).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => press(&other, leg, keys).await,
                None => Err(fault),
            },
            Ok(()) => Ok(()),
        }
    }
}

#[async_trait]
impl Recordings for Renewed {
    async fn record(&self, leg: &Leg, recording: &Recording<'_>) -> Result<(), Fault> {
        match recordings(self.own())?.record(leg, recording).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => recordings(&other)?.record(leg, recording).await,
                None => Err(fault),
            },
            Ok(()) => Ok(()),
        }
    }

    async fn fetch(&self, tape: &Tape, pieces: mpsc::Sender<Vec<u8>>) -> Result<(), Fault> {
        recordings(self.own())?.fetch(tape, pieces).await
    }
}

fn recordings(carrier: &Carrier) -> Result<&dyn Recordings, Fault> {
    carrier.recordings.as_deref().ok_or_else(|| {
        let message = "this carrier records no calls by itself";
        Fault::new(Blame::Config, code::CONFIG_INVALID, message)
            .hint("remove `by` from [recordings]")
    })
}

async fn press(carrier: &Carrier, leg: &Leg, keys: &Keys) -> Result<(), Fault> {
    match &carrier.presses {
        Some(presses) => presses.press(leg, keys).await,
        None => {
            let message = "this carrier presses no keys by itself";
            Err(Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message))
        }
    }
}

async fn put_through(carrier: &Carrier, leg: &Leg, transfer: &Transfer<'_>) -> Result<(), Fault> {
    match &carrier.transfers {
        Some(transfers) => transfers.transfer(leg, transfer).await,
        None => {
            let message = "this carrier puts nobody through by itself";
            Err(Fault::new(Blame::Config, code::CONFIG_INVALID, message)
                .hint("remove `by` from its [transfers.…] table"))
        }
    }
}

/// What was said when the call was made holds, where nothing else can be said.
async fn limit(carrier: &Carrier, leg: &Leg, length: Duration) -> Result<(), Fault> {
    match &carrier.limits {
        Some(limits) => limits.limit(leg, length).await,
        None => Ok(()),
    }
}

async fn answer(carrier: &Carrier, leg: &Leg, stream: &Stream) -> Result<(), Fault> {
    match &carrier.orders {
        // The reply to the offer did.
        Orders::Replied => Ok(()),
        Orders::Requested(offers) => offers.answer(leg, stream).await,
    }
}
