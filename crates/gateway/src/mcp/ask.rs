//! Asking the control API within the process.

use std::fmt;

use axum::Router;
use axum::body::Body;
use http::{HeaderValue, Method, Request, header};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use ports::{Blame, Fault, code};
use serde_json::Value;

use crate::http::Problem;

/// The control API, as somebody with this token sees it.
pub(super) struct Api {
    routes: TowerToHyperService<Router>,
    token: Option<HeaderValue>,
}

/// What the API says where it does not do what it was asked.
#[derive(Debug)]
pub(super) struct Refusal(Problem);

impl Refusal {
    /// Something that nobody could ask.
    pub(super) fn senseless(title: impl Into<String>, hint: &str) -> Self {
        let fault = Fault::new(Blame::Caller, code::API_INVALID, title);
        Self(Problem::from(&fault.hint(hint)))
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem {
            title, code, hint, ..
        } = &self.0;
        write!(f, "error: {title}\ncode: {code}")?;
        if let Some(hint) = hint {
            write!(f, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

impl Api {
    pub(super) fn new(routes: Router, token: Option<HeaderValue>) -> Self {
        Self {
            routes: TowerToHyperService::new(routes),
            token,
        }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.ask(Method::GET, path, None, None).await
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Value, Refusal> {
        self.ask(Method::POST, path, Some(body), None).await
    }

    /// Asks for something that is done once for one key.
    pub(super) async fn post_once(
        &self,
        path: &str,
        body: Value,
        key: HeaderValue,
    ) -> Result<Value, Refusal> {
        self.ask(Method::POST, path, Some(body), Some(key)).await
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Value>,
        key: Option<HeaderValue>,
    ) -> Result<Value, Refusal> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, "localhost");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token);
        }
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        let body = match body {
            Some(body) => {
                request = request.header(header::CONTENT_TYPE, "application/json");
                Body::from(body.to_string())
            }
            None => Body::empty(),
        };
        let request = request.body(body).map_err(|_| {
            Refusal::senseless("that is the name of no call", "`list_calls` has them")
        })?;
        let Ok(answer) = self.routes.call(request).await;
        let done = answer.status().is_success();
        let body = axum::body::to_bytes(answer.into_body(), MOST).await;
        let body = body.unwrap_or_default();
        if done {
            // Something that was merely taken down has no body.
            return Ok(serde_json::from_slice(&body).unwrap_or(Value::Null));
        }
        let problem = serde_json::from_slice(&body);
        Err(problem.map_or_else(
            |_| Refusal::senseless("the gateway said no, and not why", "look at its log"),
            Refusal,
        ))
    }
}

/// No answer of the API is longer.
const MOST: usize = 16 * 1024 * 1024;
