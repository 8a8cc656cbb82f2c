//! Tools that are done by asking an address of the owner's.

use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use serde_json::Value;

use super::Address;

/// Asks for it, and gives the text that comes. What went wrong is told in words for the agent.
pub(crate) async fn fetch(
    to: &Address,
    body: &Value,
    patience: Duration,
) -> Result<String, String> {
    let client = Client::builder()
        .user_agent(concat!("offhook/", env!("CARGO_PKG_VERSION")))
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .timeout(patience)
        .build()
        .map_err(|_| "it cannot be asked from this machine".to_owned())?;
    let mut request = client.post(&to.url).json(body);
    if let Some(token) = &to.token {
        request = request.bearer_auth(token.reveal());
    }
    let answer = request.send().await.map_err(|error| {
        // The error itself would show the address, which may be private.
        if error.is_timeout() {
            "it took too long".to_owned()
        } else {
            "it cannot be reached".to_owned()
        }
    })?;
    let status = answer.status();
    let text = whole(answer).await?;
    if status.is_success() {
        return Ok(text);
    }
    Err(format!("it answered {}: {text}", status.as_u16()))
}

/// As much of a body as an agent can make sense of.
async fn whole(mut answer: Response) -> Result<String, String> {
    let mut body = Vec::new();
    let broke = |_| "its answer broke off".to_owned();
    while let Some(bytes) = answer.chunk().await.map_err(broke)? {
        if body.len() + bytes.len() > MOST {
            return Err("its answer is too long".to_owned());
        }
        body.extend_from_slice(&bytes);
    }
    String::from_utf8(body).map_err(|_| "its answer is no text".to_owned())
}

const MOST: usize = 64 * 1024;
