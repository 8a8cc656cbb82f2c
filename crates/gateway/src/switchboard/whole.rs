//! What is done to its end, also when whoever asked for it goes away.
//!
//! A request whose sender hangs up is dropped wherever it waits. Dropped between the ledger and the call, it
//! would leave money set aside for nobody; between the call and its place at a meeting, a phone that rings for
//! nothing.

use ports::{Blame, Fault, code};

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
