//! The owner stops everything, or lets it go on.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use call::Event;
use call::event::What;
use jiff::Timestamp;
use ports::{Fault, code};

use super::{CallId, Switchboard};
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
