//! Reports that arrive: what happened on calls, told to the owner's own systems.
//!
//! For each `[reports.NAME]` somebody reads the journal along, from where they stopped: what has not become durable is not
//! told, and what has is told at least once. What waits is kept on the disk under a name that stays the same, so that
//! whoever was told twice can see that. `queue` says what is due when; `report` writes it, from the journal, at the
//! moment when it is sent; `door` hands it over.

mod courier;
mod door;
mod kinds;
mod queue;
mod report;
mod store;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use ports::Fault;
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;

use crate::config::Plan;
use crate::journal::Journal;
use crate::ledger::Ledger;
use courier::{Courier, Follower, Mail};
pub use door::{Door, Post, Way};
pub use kinds::{ALL, Kinds, REPORT};
pub use queue::Backoff;
use report::Writer;
pub(crate) use store::{Account, DeadLetter, Store, Which};

/// Where reports go, and which.
#[derive(Clone)]
pub struct ReportPlan {
    /// Where.
    pub door: Door,
    /// What is told there.
    pub kinds: Kinds,
    /// How long one try may take.
    pub patience: Duration,
    /// How long is waited after each.
    pub backoff: Backoff,
}

/// The outbox of a running gateway.
#[derive(Debug)]
pub(crate) struct Outbox {
    store: Store,
    /// Whoever carries the messages of a destination looks again at what waits.
    nudges: BTreeMap<String, Arc<Notify>>,
    /// Since when the oldest waits, by destination.
    oldest: Arc<Mutex<BTreeMap<String, Timestamp>>>,
    resting: watch::Sender<bool>,
}

impl Outbox {
    /// Opens the outbox of a folder. A destination that is new is told of what is written after `last`.
    ///
    /// # Errors
    /// It cannot be kept.
    pub(crate) fn open(
        folder: &Path,
        plans: &BTreeMap<String, ReportPlan>,
        last: u64,
    ) -> Result<Self, Fault> {
        let store = Store::open(folder)?;
        for name in plans.keys() {
            store.begin(name, last)?;
        }
        let nudge = |name: &String| (name.clone(), Arc::default());
        Ok(Self {
            store,
            nudges: plans.keys().map(nudge).collect(),
            oldest: Arc::default(),
            resting: watch::Sender::new(false),
        })
    }

    /// Has every destination told what it wants to know, until that is to [rest](Self::rest) or is dropped.
    pub(crate) fn carry(
        &self,
        journal: &Journal,
        ledger: &Ledger,
        plan: Arc<dyn Fn() -> Arc<Plan> + Send + Sync>,
    ) -> JoinSet<()> {
        let plans = plan().reports.clone();
        let mut couriers = JoinSet::new();
        for (name, nudged) in &self.nudges {
            let (Some(report), Ok(reader)) = (plans.get(name), journal.reader()) else {
                continue;
            };
            let writer = Writer::new(reader.clone(), ledger.clone(), plan.clone());
            let follower = Follower::new(
                reader,
                journal.durable(),
                (name.clone(), report.kinds.clone()),
            );
            let mail = Mail::new(writer, report.clone());
            let courier = Courier::new(
                name.clone(),
                (self.store.clone(), self.oldest.clone()),
                Arc::new(mail),
                report.clone(),
            );
            let resting = self.resting.subscribe();
            couriers.spawn(courier.run(follower, nudged.clone(), resting));
        }
        couriers
    }

    /// Begins nothing more: what waits is for the next gateway.
    pub(crate) fn rest(&self) {
        self.resting.send_replace(true);
    }

    /// Whether a destination of this name is told anything.
    pub(crate) fn tells(&self, name: &str) -> bool {
        self.nudges.contains_key(name)
    }

    /// What is kept.
    pub(crate) fn store(&self) -> &Store {
        &self.store
    }

    /// Has dead letters tried again now. How many that are.
    ///
    /// # Errors
    /// It cannot be written down.
    pub(crate) async fn revive(
        &self,
        which: Which,
        since: Option<Timestamp>,
    ) -> Result<usize, Fault> {
        let revived = self.store.revive(which, since, Timestamp::now()).await?;
        self.nudges.values().for_each(|it| it.notify_one());
        Ok(revived)
    }

    /// For how long what waits longest has been waiting.
    pub(crate) fn age(&self, now: Timestamp) -> Duration {
        let oldest = self.oldest.lock().unwrap_or_else(PoisonError::into_inner);
        let oldest = oldest.values().min().copied();
        let age = oldest.map(|it| now.duration_since(it));
        age.and_then(|it| it.try_into().ok()).unwrap_or_default()
    }
}
