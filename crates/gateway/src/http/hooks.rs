//! Webhooks: proved genuine before they are read, and answered in the carrier's own words.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ports::carrier::{Carrier, Door, Reply, Request, Webhook};
use ports::code;

use super::{BODY, Desk};
use crate::switchboard::CallId;

pub(super) async fn voice(
    state: State<Desk>,
    carrier: Path<String>,
    request: axum::extract::Request,
) -> Response {
    serve(&state, &carrier, Door::Voice, request).await
}

pub(super) async fn again(
    state: State<Desk>,
    carrier: Path<String>,
    request: axum::extract::Request,
) -> Response {
    serve(&state, &carrier, Door::Again, request).await
}

pub(super) async fn status(
    state: State<Desk>,
    carrier: Path<String>,
    request: axum::extract::Request,
) -> Response {
    serve(&state, &carrier, Door::Status, request).await
}

async fn serve(desk: &Desk, name: &str, door: Door, request: axum::extract::Request) -> Response {
    let Some(carrier) = desk.board.plan().carriers.get(name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let (parts, body) = request.into_parts();
    let body = match read(&parts.headers, body).await {
        Ok(body) => body,
        Err((status, why)) => {
            tracing::warn!(carrier = name, "a webhook was refused: {why}");
            return status.into_response();
        }
    };
    let request = gather(
        &desk.board.plan().public_url,
        &parts.method,
        &parts.uri,
        &parts.headers,
        body,
    );
    let webhook = match understand(carrier, door, &request) {
        Ok(webhook) => webhook,
        Err(status) => {
            return status.into_response();
        }
    };
    let hint = hint(&parts.uri);
    match door {
        Door::Voice => {
            let verdict = desk.board.asked(name, hint, webhook).await;
            say(carrier, verdict.reply())
        }
        Door::Again => {
            let after = told(&parts.uri, "after=").and_then(|it| it.parse().ok());
            let verdict = desk.board.adrift(name, hint, after, &webhook).await;
            say(carrier, verdict.reply())
        }
        Door::Status => {
            desk.board.told(name, hint, &webhook).await;
            say(carrier, Reply::Taken)
        }
    }
}

/// Verifies, then reads.
fn understand(carrier: &Carrier, door: Door, request: &Request) -> Result<Webhook, StatusCode> {
    let webhook = carrier
        .webhooks
        .verify(request)
        .and_then(|genuine| carrier.webhooks.decode(door, genuine));
    webhook.map_err(|fault| {
        tracing::warn!(
            carrier = carrier.name,
            code = fault.code,
            hint = fault.hint,
            "a webhook was refused: {fault}"
        );
        match fault.code {
            code::WEBHOOK_FORGED => StatusCode::FORBIDDEN,
            _ => StatusCode::BAD_REQUEST,
        }
    })
}

/// A body of bounded size, in bounded time.
async fn read(headers: &HeaderMap, body: Body) -> Result<Vec<u8>, (StatusCode, &'static str)> {
    if headers.contains_key(header::CONTENT_ENCODING) {
        return Err((StatusCode::UNSUPPORTED_MEDIA_TYPE, "its body is compressed"));
    }
    match tokio::time::timeout(BODY_TIME, axum::body::to_bytes(body, BODY)).await {
        Ok(Ok(bytes)) => Ok(bytes.into()),
        Ok(Err(_)) => Err((
            StatusCode::PAYLOAD_TOO_LARGE,
            "its body is too long or broke off",
        )),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "its body did not come in time")),
    }
}

/// The request as its sender saw it: at the public address we gave, whatever its headers say.
pub(super) fn gather(
    public: &str,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: Vec<u8>,
) -> Request {
    let path = uri.path_and_query().map_or("/", |it| it.as_str());
    let text = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
        let value = value.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    };
    Request {
        method: method.as_str().to_owned(),
        url: format!("{public}{path}"),
        headers: headers.iter().filter_map(text).collect(),
        body,
    }
}

/// Our own name for the call, which we put into the address.
fn hint(uri: &Uri) -> Option<CallId> {
    CallId::parse(told(uri, "call=")?)
}

/// A value that we put into the address.
fn told<'u>(uri: &'u Uri, name: &str) -> Option<&'u str> {
    let mut pairs = uri.query()?.split('&');
    pairs.find_map(|pair| pair.strip_prefix(name))
}

fn say(carrier: &Carrier, reply: Reply<'_>) -> Response {
    let response = carrier.webhooks.reply(reply);
    (
        [(header::CONTENT_TYPE, response.content_type)],
        response.body,
    )
        .into_response()
}

/// A stranger has this long to send a body.
const BODY_TIME: Duration = Duration::from_secs(5);
