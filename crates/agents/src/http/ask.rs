//! Asking the owner's address, and reading its answer as it comes.

use std::future::Future;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ports::{Blame, Fault, Problem, Retry, code};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, timeout, timeout_at};

use super::answer::{Ending, Reader};
use super::sign::Signer;
use crate::patience::{Patience, late};

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
        let client = client(url).map_err(|_| Problem {
            key: "url",
            message: "no client can be made for it".to_owned(),
            hint: "is the certificate store of this machine in order?".to_owned(),
        })?;
        Ok(Self {
            client,
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
        match sent.map_err(|_| late("did not answer"))? {
            Ok(_) => Ok(()),
            Err(Refused::Once { fault, .. } | Refused::Finally(fault)) => Err(fault),
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
        let sent = timeout_at(by, self.ask_twice(id, asked)).await;
        let mut response = sent.map_err(|_| slow())??;
        if response.status() == StatusCode::NO_CONTENT {
            return Ok(Ending::Listen);
        }
        let kind = response.headers().get(CONTENT_TYPE);
        let mut reader = Reader::of(kind.and_then(|it| it.to_str().ok()))?;
        let mut has_spoken = false;
        while !reader.is_over() {
            let chunk = match timeout_at(by, response.chunk()).await {
                Ok(chunk) => chunk.map_err(|error| unreachable(&error))?,
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

    /// Asks, and once more where that may help and nothing was said yet.
    async fn ask_twice(&self, id: &str, asked: &Value) -> Result<Response, Fault> {
        let fault = match self.send(id, asked).await {
            Ok(response) => return Ok(response),
            Err(Refused::Once { fault, wait }) => {
                tokio::time::sleep(wait.unwrap_or(self.again).min(LONGEST_WAIT)).await;
                fault
            }
            Err(Refused::Finally(fault)) => return Err(fault),
        };
        tracing::debug!(code = fault.code, "asking the agent once more");
        match self.send(id, asked).await {
            Ok(response) => Ok(response),
            Err(Refused::Once { fault, .. } | Refused::Finally(fault)) => Err(fault),
        }
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
        let response = request.send().await.map_err(|error| {
            let fault = unreachable(&error);
            if error.is_connect() {
                Refused::Once { fault, wait: None }
            } else {
                Refused::Finally(fault)
            }
        })?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(refused(&response))
    }
}

/// Why a request was not answered.
enum Refused {
    /// Asking once more may help.
    Once {
        fault: Fault,
        wait: Option<Duration>,
    },
    /// It will not.
    Finally(Fault),
}

fn client(url: &str) -> reqwest::Result<Client> {
    // The program may have chosen a provider. If it did not, a client could not be made at all.
    let _already = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("offhook/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT)
        .redirect(Policy::none())
        .retry(reqwest::retry::never());
    if url.starts_with("http://") {
        // Without TLS there are no certificates to look for.
        builder.tls_certs_only([]).build()
    } else {
        builder.build()
    }
}

fn refused(response: &Response) -> Refused {
    let status = response.status();
    let wait = response.headers().get(RETRY_AFTER);
    let wait = wait.and_then(|it| it.to_str().ok()?.parse().ok());
    let wait = wait.map(Duration::from_secs);
    let message = format!("the agent answered {}", status.as_u16());
    let fault = |blame, code| Fault::new(blame, code, message.clone());
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Refused::Finally(
            fault(Blame::Config, code::AGENT_CREDENTIALS).hint("look at the agent's `secret`"),
        ),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Refused::Finally(
            fault(Blame::Config, code::AGENT_REFUSED)
                .hint("look at the agent's `url`, to which each turn is posted"),
        ),
        StatusCode::TOO_MANY_REQUESTS => Refused::Once {
            fault: fault(Blame::Agent, code::AGENT_REFUSED).retry(Retry::Now),
            wait,
        },
        status if status.is_server_error() => Refused::Once {
            fault: fault(Blame::Agent, code::AGENT_UNREACHABLE).retry(Retry::Now),
            wait,
        },
        _ => Refused::Finally(fault(Blame::Agent, code::AGENT_REFUSED)),
    }
}

fn unreachable(error: &reqwest::Error) -> Fault {
    // The error itself would show the address, which may be private; its kind is enough.
    let how = if error.is_timeout() {
        "did not answer in time"
    } else if error.is_connect() {
        "cannot be reached"
    } else {
        "broke off"
    };
    crate::patience::unreachable(how).hint("is it running, and is the agent's `url` right?")
}

const CONNECT: Duration = Duration::from_secs(3);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
/// For what it has nothing to say to.
const NEWS: Duration = Duration::from_secs(5);
