//! Reading the gateway's events as it sends them (server-sent events, as HTML 5 defines them).

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use ports::Fault;
use serde_json::Value;

use crate::state::Running;

/// A stream of events.
pub(super) struct Feed {
    chunks: BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    pending: Vec<u8>,
    id: u64,
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
            pending: Vec::new(),
            id: after,
        })
    }

    /// The next event and its place in the journal. `None`: the gateway sends no more. Safe to give
    /// up on half-way.
    pub(super) async fn next(&mut self) -> Option<(u64, Value)> {
        loop {
            while let Some(end) = self.pending.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.pending.drain(..=end).collect();
                let line = String::from_utf8_lossy(&line);
                if let Some(id) = line.strip_prefix("id:") {
                    self.id = id.trim().parse().unwrap_or(self.id);
                } else if let Some(data) = line.strip_prefix("data:")
                    && let Ok(event) = serde_json::from_str(data)
                {
                    return Some((self.id, event));
                }
            }
            if self.pending.len() > LONGEST_LINE {
                return None;
            }
            self.pending
                .extend_from_slice(&self.chunks.next().await?.ok()?);
        }
    }
}

/// No event is longer.
const LONGEST_LINE: usize = 1_024 * 1_024;
