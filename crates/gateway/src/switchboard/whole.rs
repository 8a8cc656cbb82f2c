//! What is done to its end, also when whoever asked for it goes away.
//!
//! A request whose sender hangs up is dropped wherever it waits. Dropped between the ledger and the call, it
//! would leave money set aside for nobody; between the call and its place at a meeting, a phone that rings for
//! nothing.

use std::sync::Arc;

use jiff::Timestamp;
use ports::{Blame, Fault, code};

use super::wanted::before;
use super::{Once, Switchboard};

/// What came of a request that may come again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carried<T> {
    /// It was carried out now.
    Now(T),
    /// It was before, or is being: this came of it, by our name for that.
    Before(String),
}

impl Switchboard {
    /// Carries a request out, of which something of this name comes: where it has a key once, also across
    /// restarts. One that is refused may be made again.
    pub(super) async fn once<T: Send + 'static>(
        self: &Arc<Self>,
        once: Option<Once>,
        name: String,
        work: impl Future<Output = Result<T, Fault>> + Send + 'static,
    ) -> Result<Carried<T>, Fault> {
        let board = self.clone();
        whole(async move {
            let Some(once) = once else {
                return work.await.map(Carried::Now);
            };
            let now = Timestamp::now().as_millisecond();
            if let Some(name) = before(board.claims.claim(once, name, now).await?)? {
                return Ok(Carried::Before(name));
            }
            let done = work.await;
            if done.is_err() {
                board.claims.release(once).await?;
            }
            done.map(Carried::Now)
        })
        .await
    }
}

/// Does some work on a task of its own, and waits for it.
///
/// # Errors
/// What it says; or it broke.
pub(super) async fn whole<T: Send + 'static>(
    work: impl Future<Output = Result<T, Fault>> + Send + 'static,
) -> Result<T, Fault> {
    tokio::spawn(work).await.unwrap_or_else(|broken| {
        let message = "placing a call broke";
        Err(Fault::new(Blame::Gateway, code::GATEWAY_BROKEN, message).because(broken))
    })
}
