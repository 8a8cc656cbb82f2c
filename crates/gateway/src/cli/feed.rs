//! Reading the gateway's events as it sends them.

use agents::sse::Events;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use ports::Fault;
use serde_json::Value;

use crate::state::Running;

/// A stream of events.
pub(super) struct Feed {
    chunks: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    events: Events,
}

impl Feed {
    /// Opens one of the gateway's streams, behind the event `after` if one was seen.
    ///
    /// # Errors
    /// The gateway does not answer, or refuses.
    pub(super) async fn open(running: &Running, path: &str, after: u64) -> Result<Self, Fault> {
        let asked = running.get(path).header("Last-Event-ID", after.to_string());
        let answer = asked.send().await.map_err(super::call::unreachable)?;
        let answer = super::call::accepted(answer).await?;
        Ok(Self {
            chunks: answer.bytes_stream().boxed(),
            events: Events::default(),
        })
    }

    /// The next event and its place in the journal. `None`: the gateway sends no more. Safe to give
    /// up on half-way.
    pub(super) async fn next(&mut self) -> Option<(u64, Value)> {
        loop {
            while let Some(event) = self.events.next() {
                let id = event.id.parse().unwrap_or_default();
                if let Ok(told) = serde_json::from_str(&event.data) {
                    return Some((id, told));
                }
            }
            let chunk = self.chunks.next().await?.ok()?;
            self.events.push(&chunk).ok()?;
        }
    }
}
