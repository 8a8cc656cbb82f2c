//! The owner stops everything, or lets it go on.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use call::Event;
use call::event::What;
use jiff::Timestamp;
use ports::{Fault, code};

use tokio::time::{MissedTickBehavior, interval};

use super::{CallId, Switchboard};
use crate::blocking::blocking;
use crate::rules;

impl Switchboard {
    /// Ends every call, and has none begin any more, also after a restart. Returns how many are ended.
    ///
    /// # Errors
    /// It cannot be written down: this process is stopped all the same, and the next would not be.
    pub async fn stop_all(self: &Arc<Self>) -> Result<usize, Fault> {
        // First, whatever the disk says: what begins from here on sees it.
        self.stopped.store(true, Ordering::SeqCst);
        let up = self.up();
        tracing::warn!(calls = up.len(), "the owner stops everything");
        for record in &up {
            let record = record.clone();
            // One that is busy hears it a little later.
            tokio::spawn(async move { record.hang_up().await });
        }
        let event = Event::PolicyRefused {
            what: What::Everything,
            code: code::POLICY_STOPPED,
            rule: "`offhook stop-all`".to_owned(),
            more: 0,
        };
        self.judged(&CallId::random().to_string(), None, event);
        let now = Timestamp::now().as_millisecond();
        self.ledger.stop(now).await.map(|()| up.len())
    }

    /// Looks again and again whether another process has written down that everything is to stop, for as long as it
    /// is polled: whoever could not reach this one could write at least that. What is lifted is lifted by telling us,
    /// since what could not be written down is not written there either.
    pub async fn watch_for_stop(self: Arc<Self>) {
        let mut often = interval(OFTEN);
        often.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            often.tick().await;
            if self.is_stopped() || !self.is_stop_written().await {
                continue;
            }
            if let Err(fault) = self.stop_all().await {
                let (code, hint) = (fault.code, fault.hint.as_deref());
                tracing::error!(
                    code,
                    hint,
                    "that everything is stopped is not written down: {fault}"
                );
            }
        }
    }

    async fn is_stop_written(&self) -> bool {
        let ledger = self.ledger.clone();
        let read = blocking("reading whether everything is stopped", move || {
            ledger.stopped()
        });
        match read.await {
            Ok(since) => since.is_some(),
            Err(fault) => {
                let (code, hint) = (fault.code, fault.hint.as_deref());
                tracing::warn!(
                    code,
                    hint,
                    "whether everything is stopped cannot be read: {fault}"
                );
                false
            }
        }
    }

    /// Lets calls begin again. `false`: nothing was stopped.
    ///
    /// # Errors
    /// It cannot be written down: everything stays stopped.
    pub async fn lift(&self) -> Result<bool, Fault> {
        let lifted = self.ledger.lift().await?;
        self.stopped.store(false, Ordering::SeqCst);
        if lifted {
            tracing::warn!("the owner lets calls begin again");
            let event = Event::PolicyAllowed {
                what: What::Everything,
                rule: "`offhook stop-all --lift`".to_owned(),
            };
            self.judged(&CallId::random().to_string(), None, event);
        }
        Ok(lifted)
    }

    /// Whether the owner has stopped everything.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// Nothing begins that could be stopped.
    pub(super) fn goes_on(&self) -> Result<(), Fault> {
        if self.is_stopped() {
            return Err(rules::stopped());
        }
        Ok(())
    }
}

/// So soon a call is ended that was stopped where we were not told.
const OFTEN: Duration = Duration::from_secs(1);
