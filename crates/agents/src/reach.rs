//! Reaching an agent over HTTP: the client, what a request that failed says, and asking once more where that may help.

use std::future::Future;
use std::time::Duration;

use ports::{Blame, Fault, Problem, Retry, code};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};

use crate::patience;

/// What of an agent's table to look at, when what.
pub(crate) struct Hints {
    /// Its key with the address.
    pub(crate) address: &'static str,
    /// It will not have us.
    pub(crate) credentials: &'static str,
    /// There is nothing at the address.
    pub(crate) nothing_there: &'static str,
    /// Nobody is there.
    pub(crate) nobody_there: &'static str,
}

/// Why a request was not answered.
pub(crate) enum Refused {
    /// Asking once more may help.
    Once {
        fault: Fault,
        wait: Option<Duration>,
    },
    /// It will not.
    Finally(Fault),
}

impl From<Refused> for Fault {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Once { fault, .. } | Refused::Finally(fault) => fault,
        }
    }
}

impl Hints {
    /// A client for an address that the owner wrote.
    pub(crate) fn client(&self, url: &str) -> Result<Client, Problem> {
        // The program may have chosen a provider. If it did not, a client could not be made at all.
        let _already = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(concat!("offhook/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(CONNECT)
            .redirect(Policy::none())
            .retry(reqwest::retry::never());
        let client = if url.starts_with("http://") {
            // Without TLS there are no certificates to look for.
            builder.tls_certs_only([]).build()
        } else {
            builder.build()
        };
        client.map_err(|_| Problem {
            key: self.address,
            message: "no client can be made for it".to_owned(),
            hint: "is the certificate store of this machine in order?".to_owned(),
        })
    }

    /// Sends it. What comes back may be a refusal: see [`Self::refused`].
    pub(crate) async fn send(&self, request: RequestBuilder) -> Result<Response, Refused> {
        request.send().await.map_err(|error| {
            let fault = self.unreachable(&error);
            if error.is_connect() {
                Refused::Once { fault, wait: None }
            } else {
                Refused::Finally(fault)
            }
        })
    }

    /// It answered something else than success. `detail` is what it called that, as far as it can be shown.
    pub(crate) fn refused(&self, status: StatusCode, headers: &HeaderMap, detail: &str) -> Refused {
        let wait = headers.get(RETRY_AFTER);
        let wait = wait.and_then(|it| it.to_str().ok()?.parse().ok());
        let wait = wait.map(Duration::from_secs);
        let message = format!("the agent answered {}{detail}", status.as_u16());
        let fault = |blame, code| Fault::new(blame, code, message.clone());
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Refused::Finally(
                fault(Blame::Config, code::AGENT_CREDENTIALS).hint(self.credentials),
            ),
            StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => {
                Refused::Finally(fault(Blame::Config, code::AGENT_REFUSED).hint(self.nothing_there))
            }
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

    /// It cannot be reached, or broke off.
    pub(crate) fn unreachable(&self, error: &reqwest::Error) -> Fault {
        // The error itself would show the address, which may be private; its kind is enough.
        let how = if error.is_timeout() {
            "did not answer in time"
        } else if error.is_connect() {
            "cannot be reached"
        } else {
            "broke off"
        };
        patience::unreachable(how).hint(self.nobody_there)
    }
}

/// Asks, and once more where that may help: after as long as it wants, or else `again`.
pub(crate) async fn twice<F>(again: Duration, ask: impl Fn() -> F) -> Result<Response, Fault>
where
    F: Future<Output = Result<Response, Refused>>,
{
    match ask().await {
        Ok(response) => return Ok(response),
        Err(Refused::Once { fault, wait }) => {
            tracing::debug!(code = fault.code, "asking the agent once more");
            tokio::time::sleep(wait.unwrap_or(again).min(LONGEST_WAIT)).await;
        }
        Err(Refused::Finally(fault)) => return Err(fault),
    }
    Ok(ask().await?)
}

/// Before asking once more, where nobody says.
pub(crate) const AGAIN: Duration = Duration::from_millis(300);
const CONNECT: Duration = Duration::from_secs(3);
const LONGEST_WAIT: Duration = Duration::from_secs(2);
