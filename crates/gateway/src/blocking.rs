//! Work that waits for a disk or keeps a core busy, away from the threads that serve calls.

use ports::{Blame, Fault, code};

/// Does `work` on a thread of its own. Should it panic, that is a fault: `what` names the work.
pub(crate) async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
) -> Result<T, Fault> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        let message = format!("{what} broke");
        Err(Fault::new(Blame::Gateway, code::GATEWAY_BROKEN, message).because(error))
    })
}
