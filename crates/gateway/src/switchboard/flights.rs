//! The flight recordings of calls: those that are up, and the last that were.

use std::path::PathBuf;
use std::sync::Arc;

use ports::{Blame, Fault, code};
use tokio::sync::oneshot;

use super::{CallId, Desk, Record, Switchboard};
use crate::flight::{Landing, Shelf, Snapshot};
use crate::runner::Control;

/// Of so many calls that are over, what they were told is kept in memory…
const LANDED: usize = 32;
/// … and no more bytes of it, but for the last call's.
const LANDED_BYTES: usize = 64 * 1024 * 1024;

impl Switchboard {
    /// What a call was told up to now, and what came of it.
    ///
    /// # Errors
    /// It has been over for too long, or never started.
    pub async fn flight(&self, record: &Record) -> Result<Arc<Snapshot>, Fault> {
        let (asked, told) = oneshot::channel();
        // A call that is over hands out nothing more: what it was told has landed, or is about to.
        if !record.log.is_closed()
            && record.control.send(Control::Flight(asked)).await.is_ok()
            && let Ok(snapshot) = told.await
        {
            return Ok(Arc::new(snapshot));
        }
        let tape = record.landing.tape().await.ok_or_else(|| {
            let message = "what that call was told is not kept any more";
            Fault::new(Blame::Caller, code::FLIGHT_NONE, message)
                .hint("ask while the call is up, or soon after; calls that end by a fault are written by themselves")
        })?;
        let entries = record.log.after(0);
        Ok(Arc::new(Snapshot { tape, entries }))
    }

    /// Writes a flight recording into the state folder, and says where.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub async fn put_flight(
        &self,
        record: &Record,
        snapshot: Arc<Snapshot>,
    ) -> Result<PathBuf, Fault> {
        let shelf = Shelf::of(self.state());
        let (log, call) = (record.log.clone(), record.id.to_string());
        let put = move || shelf.put(&call, &snapshot.seal(&log));
        let put = tokio::task::spawn_blocking(put).await;
        put.unwrap_or_else(|error| {
            let message = "writing a flight recording broke";
            Err(Fault::new(Blame::Gateway, code::GATEWAY_BROKEN, message).because(error))
        })
    }
}

impl Desk {
    /// A call is over; the tapes of those that were over long before are let go of.
    pub(super) fn land(&mut self, call: CallId) {
        let landing = |call: &CallId| self.calls.get(call).map(|it| &it.landing);
        self.landed.push_back(call);
        let size = |call| landing(call).map_or(0, Landing::size);
        let mut bytes: usize = self.landed.iter().map(size).sum();
        while self.landed.len() > 1 && (self.landed.len() > LANDED || bytes > LANDED_BYTES) {
            let oldest = self.landed.pop_front();
            if let Some(landing) = oldest.as_ref().and_then(landing) {
                bytes -= landing.size();
                landing.clear();
            }
        }
    }
}
