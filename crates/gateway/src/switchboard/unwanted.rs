//! People who are not to be called any more and are not on the list yet, because it cannot be written just now.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use call::Number;
use jiff::Timestamp;
use policy::Refusal;
use ports::Fault;
use tokio::sync::OnceCell;

use super::Switchboard;
use crate::rules;

/// Whoever said so is here from that word on, until they are on the list.
#[derive(Debug, Default)]
pub(super) struct Unwanted {
    waiting: Mutex<Waiting>,
    /// Whether it was looked for those whom a process before this one did not live to write down.
    recalled: OnceCell<()>,
}

/// When each said so, in milliseconds since 1970. No more than there are calls while nothing can be written, and while
/// the journal cannot be, none begins.
#[derive(Debug, Default)]
struct Waiting {
    said: HashMap<Number, i64>,
    /// Whether somebody tries to write them down.
    is_tried: bool,
}

impl Unwanted {
    pub(super) fn holds(&self, number: &Number) -> bool {
        self.waiting().said.contains_key(number)
    }

    /// Whether nothing is known here against calling a number.
    pub(super) fn may_be_called(&self, number: &Number) -> Result<(), Fault> {
        if self.holds(number) {
            let to = number.clone();
            return Err(rules::told(Refusal::Unwanted { to }));
        }
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether whoever asks is to write down those who wait: nobody else does.
    fn is_mine_to_try(&self) -> bool {
        let mut waiting = self.waiting();
        let mine = !waiting.is_tried && !waiting.said.is_empty();
        waiting.is_tried |= mine;
        mine
    }
}

impl Switchboard {
    /// Has a number never be called again: from now on, and once it can be written down, for good.
    pub(super) async fn never_call(self: &Arc<Self>, number: &Number) {
        let now = Timestamp::now().as_millisecond();
        let held = number.clone();
        self.unwanted.waiting().said.entry(held).or_insert(now);
        if !self.write_unwanted().await && self.unwanted.is_mine_to_try() {
            // It ends when all is written, or with the switchboard.
            let board = Arc::downgrade(self);
            tokio::spawn(async move {
                let mut pace = SOON;
                loop {
                    tokio::time::sleep(pace).await;
                    pace = (pace * 2).min(LATE);
                    let Some(board) = board.upgrade() else {
                        return;
                    };
                    if board.write_unwanted().await && board.unwanted.is_done() {
                        return;
                    }
                }
            });
        }
    }

    /// Writes down all who wait. `false`: that failed, and those who are left wait on.
    async fn write_unwanted(&self) -> bool {
        let waiting: Vec<_> = {
            let waiting = self.unwanted.waiting();
            waiting
                .said
                .iter()
                .map(|(it, at)| (it.clone(), *at))
                .collect()
        };
        for (number, at) in waiting {
            if let Err(fault) = self.ledger.do_not_call(&number, at).await {
                let (code, hint) = (fault.code, fault.hint.as_deref());
                tracing::error!(
                    code,
                    hint,
                    "who is not to be called is not written down yet: {fault}"
                );
                return false;
            }
            self.unwanted.waiting().said.remove(&number);
        }
        true
    }

    /// Puts those on the list who said on a call of late that they are not to be called any more and whom whoever heard
    /// it did not live to write down. Done once, and before anyone is dialled.
    pub async fn recall_opt_outs(self: &Arc<Self>) {
        let recall = async {
            if let Err(fault) = self.recall().await {
                let (code, hint) = (fault.code, fault.hint.as_deref());
                tracing::error!(
                    code,
                    hint,
                    "who said of late that they are not to be called cannot be read: {fault}"
                );
            }
        };
        self.unwanted.recalled.get_or_init(|| recall).await;
    }

    async fn recall(self: &Arc<Self>) -> Result<(), Fault> {
        let since = Timestamp::now().as_millisecond() - LATELY;
        let reader = self.journal.reader()?;
        for number in reader.opted_out(since).await? {
            if let Ok(number) = Number::parse(&number) {
                self.never_call(&number).await;
            }
        }
        Ok(())
    }
}

impl Unwanted {
    /// Whether nobody waits any more. Whoever says so next finds nobody who tries.
    fn is_done(&self) -> bool {
        let mut waiting = self.waiting();
        waiting.is_tried = !waiting.said.is_empty();
        !waiting.is_tried
    }
}

/// How soon it is tried again, and how seldom at last.
const SOON: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_secs(30);

/// Longer than a disk stays full under an owner who looks after it: three days, in milliseconds.
const LATELY: i64 = 3 * 24 * 60 * 60 * 1_000;
