//! Asking the owner's address, and reading its answer as it comes.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use call::Private;
use ports::{Fault, Problem};
use reqwest::header::CONTENT_TYPE;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::{Ending, Reader};
use crate::patience::{Patience, late, nonsense};
use crate::reach::{Hints, Refused, twice};
use crate::sign::Signer;

/// Where an agent is asked.
pub(super) struct Address {
    client: Client,
    url: String,
    signer: Option<Signer>,
    patience: Patience,
    /// Before asking once more where it was busy.
    again: Duration,
}

impl Address {
    pub(super) fn new(
        url: &str,
        signer: Option<Signer>,
        patience: Patience,
        again: Duration,
    ) -> Result<Self, Problem> {
        Ok(Self {
            client: HINTS.client(url)?,
            url: url.to_owned(),
            signer,
            patience,
            again,
        })
    }

    /// Asks, and hands the answer to `say` piece by piece. Dropping this ends the request. The same request has
    /// the same `id`, however often it is sent.
    pub(super) async fn answer<F>(
        &self,
        id: &str,
        asked: &Value,
        say: impl Fn(String) -> F,
    ) -> Result<Ending, Fault>
    where
        F: Future<Output = ()>,
    {
        let whole = self.read(id, asked, say);
        match timeout(self.patience.turn, whole).await {
            Ok(result) => result,
            Err(_) => Err(late("did not come to an end of its answer")),
        }
    }

    /// Tells it something that it has nothing to say to.
    pub(super) async fn tell(&self, id: &str, told: &Value) -> Result<(), Fault> {
        let sent = timeout(NEWS, self.send(id, told)).await;
        sent.map_err(|_| late("did not answer"))??;
        Ok(())
    }

    /// Asks what came of a call, and returns what it writes.
    pub(super) async fn judge(&self, id: &str, asked: &Value) -> Result<Private<String>, Fault> {
        let mut response = twice(self.again, || self.send(id, asked)).await?;
        let mut body = Vec::new();
        let broke = |error: reqwest::Error| HINTS.unreachable(&error);
        while let Some(bytes) = response.chunk().await.map_err(broke)? {
            if body.len() + bytes.len() > LONGEST_JUDGEMENT {
                return Err(nonsense("sent an answer without end"));
            }
            body.extend_from_slice(&bytes);
        }
        match String::from_utf8(body) {
            Ok(text) if !text.trim().is_empty() => Ok(text.into()),
            Ok(_) | Err(_) => Err(nonsense("says nothing of what came of the call")),
        }
    }

    async fn read<F>(
        &self,
        id: &str,
        asked: &Value,
        say: impl Fn(String) -> F,
    ) -> Result<Ending, Fault>
    where
        F: Future<Output = ()>,
    {
        let mut by = Instant::now() + self.patience.first_token;
        let slow = || late("did not say a first word in time");
        let sent = timeout_at(by, twice(self.again, || self.send(id, asked))).await;
        let mut response = sent.map_err(|_| slow())??;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Ending::Listen);
        }
        let kind = response.headers().get(CONTENT_TYPE);
        let mut reader = Reader::of(kind.and_then(|it| it.to_str().ok()))?;
        let mut has_spoken = false;
        while !reader.is_over() {
            let chunk = match timeout_at(by, response.chunk()).await {
                Ok(chunk) => chunk.map_err(|error| HINTS.unreachable(&error))?,
                Err(_) if has_spoken => return Err(late("stopped in the middle of its answer")),
                Err(_) => return Err(slow()),
            };
            let Some(bytes) = chunk else { break };
            reader.push(&bytes)?;
            while let Some(text) = reader.next() {
                has_spoken = true;
                say(text).await;
            }
            if has_spoken {
                by = Instant::now() + self.patience.token;
            }
        }
        let (rest, ending) = reader.finish()?;
        for text in rest {
            say(text).await;
        }
        Ok(ending)
    }

    async fn send(&self, id: &str, body: &Value) -> Result<Response, Refused> {
        let body = body.to_string();
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = now.map_or(0, |it| it.as_secs());
        let mut request = self.client.post(&self.url);
        if let Some(signer) = &self.signer {
            let signature = signer.sign(id, seconds, body.as_bytes());
            request = request.header("webhook-signature", signature);
        }
        let request = request
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let response = HINTS.send(request).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(HINTS.refused(response.status(), response.headers(), ""))
    }
}

const HINTS: Hints = Hints {
    address: "url",
    credentials: "look at the agent's `secret`",
    nothing_there: "look at the agent's `url`, to which each turn is posted",
    nobody_there: "is it running, and is the agent's `url` right?",
};
/// For what it has nothing to say to.
const NEWS: Duration = Duration::from_secs(5);
/// In bytes.
const LONGEST_JUDGEMENT: usize = 64 * 1024;
