//! A carrier as a call began with it, with whatever credentials are good by now.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use ports::carrier::{Calls, Dial, Leg, Status, Stream};
use ports::{Fault, code};

use super::Switchboard;
use crate::config::Plan;

/// The carrier of one call. Where the credentials it began with have been changed since, and the
/// carrier does not take them any more, those in force are tried: else a call could not even be
/// hung up, and would go on costing money.
pub(super) struct Renewed {
    /// What the call began with.
    pub(super) plan: Arc<Plan>,
    /// A key of [`Plan::carriers`].
    pub(super) carrier: String,
    /// Who knows what is in force.
    pub(super) board: Arc<Switchboard>,
}

impl Renewed {
    fn own(&self) -> &dyn Calls {
        &*self.plan.carriers[&self.carrier].calls
    }

    /// The carrier of that name by the plan in force, if `fault` is one that it could mend.
    fn other(&self, fault: &Fault) -> Option<Arc<dyn Calls>> {
        let now = self.board.plan();
        let carrier = now.carriers.get(&self.carrier)?;
        (fault.code == code::CARRIER_CREDENTIALS && !Arc::ptr_eq(&now, &self.plan))
            .then(|| carrier.calls.clone())
    }
}

#[async_trait]
impl Calls for Renewed {
    async fn dial(&self, dial: Dial<'_>) -> Result<Leg, Fault> {
        self.own().dial(dial).await
    }

    async fn answer(&self, leg: &Leg, stream: &Stream) -> Result<(), Fault> {
        match self.own().answer(leg, stream).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => other.answer(leg, stream).await,
                None => Err(fault),
            },
            Ok(()) => Ok(()),
        }
    }

    async fn hang_up(&self, leg: &Leg) -> Result<(), Fault> {
        match self.own().hang_up(leg).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => other.hang_up(leg).await,
                None => Err(fault),
            },
            Ok(()) => Ok(()),
        }
    }

    async fn reconnect(&self, leg: &Leg, stream: &Stream) -> Result<(), Fault> {
        match self.own().reconnect(leg, stream).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => other.reconnect(leg, stream).await,
                None => Err(fault),
            },
            Ok(()) => Ok(()),
        }
    }

    async fn limit(&self, leg: &Leg, length: Duration) -> Result<(), Fault> {
        match self.own().limit(leg, length).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => other.limit(leg, length).await,
                None => Err(fault),
            },
            Ok(()) => Ok(()),
        }
    }

    async fn status(&self, leg: &Leg) -> Result<Status, Fault> {
        match self.own().status(leg).await {
            Err(fault) => match self.other(&fault) {
                Some(other) => other.status(leg).await,
                None => Err(fault),
            },
            Ok(status) => Ok(status),
        }
    }

    async fn check(&self) -> Result<String, Fault> {
        self.own().check().await
    }
}
