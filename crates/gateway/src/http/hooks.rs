//! Webhooks: proved genuine before they are read, and answered in the carrier's own words.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use ports::carrier::{Carrier, Door, News, Orders, Reply, Request, Webhook};
use ports::{Fault, code};

use super::{BODY, Desk, probe};
use crate::config::Plan;
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
    let terms = terms(desk, name);
    if terms.is_empty() {
        return StatusCode::NOT_FOUND.into_response();
    }
    let (parts, body) = request.into_parts();
    let body = match read(&parts.headers, body).await {
        Ok(body) => body,
        Err((status, why)) => {
            tracing::warn!(carrier = name, "a webhook was refused: {why}");
            return status.into_response();
        }
    };
    if parts.headers.contains_key(probe::HEADER) {
        let (webhooks, public) = (&terms[0].carrier.webhooks, &terms[0].public_url);
        let request = gather(public, &parts.method, &parts.uri, &parts.headers, body);
        return probe::answer(webhooks.as_ref(), &request).into_response();
    }
    let hint = hint(&parts.uri);
    let mut request = gather("", &parts.method, &parts.uri, &parts.headers, body);
    let path = std::mem::take(&mut request.url);
    let (one, webhook) = match read_by(&terms, door, &path, request) {
        Ok(read) => read,
        Err(fault) => {
            let (code, hint) = (fault.code, fault.hint.as_deref());
            tracing::warn!(carrier = name, code, hint, "a webhook was refused: {fault}");
            let status = match code {
                code::WEBHOOK_FORGED => StatusCode::FORBIDDEN,
                _ => StatusCode::BAD_REQUEST,
            };
            return status.into_response();
        }
    };
    if !one.speaks_of(desk, name, hint, &webhook) {
        let why = "it is signed as only those about earlier calls may be";
        tracing::warn!(carrier = name, "a webhook was refused: {why}");
        return StatusCode::FORBIDDEN.into_response();
    }
    let carrier = &one.carrier;
    let after = told(&parts.uri, "after=").and_then(|it| it.parse().ok());
    match &carrier.orders {
        Orders::Replied => match door {
            Door::Voice => {
                let verdict = desk.board.asked(name, hint, &webhook).await;
                written(verdict.reply(carrier.webhooks.as_ref()))
            }
            Door::Again => {
                let verdict = desk.board.adrift(name, hint, after, &webhook).await;
                written(verdict.reply(carrier.webhooks.as_ref()))
            }
            Door::Status => {
                desk.board.told(name, hint, &webhook).await;
                say(carrier, Reply::Taken)
            }
        },
        // It waits for no reply, so it is thanked at once, and hears from us in its own time.
        Orders::Requested(_) => {
            let (board, carrier, name) = (desk.board.clone(), carrier.clone(), name.to_owned());
            tokio::spawn(async move { board.hear(&name, &carrier, (hint, after), &webhook).await });
            say(&one.carrier, Reply::Taken)
        }
    }
}

/// By which credentials, and at which address, a carrier may speak to us.
struct Terms {
    carrier: Carrier,
    public_url: String,
    age: Age,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Age {
    /// It is in force.
    InForce,
    /// It was, when some call that is up began.
    Earlier,
}

/// That of the plan in force, then those that calls which are up began with, where they differ.
fn terms(desk: &Desk, name: &str) -> Vec<Terms> {
    let mut terms: Vec<Terms> = Vec::new();
    for (at, plan) in desk.board.plans().into_iter().enumerate() {
        let Some(carrier) = plan.carriers.get(name) else {
            continue;
        };
        if !terms.iter().any(|it| it.is_of(&plan, carrier)) {
            terms.push(Terms {
                carrier: carrier.clone(),
                public_url: plan.public_url.clone(),
                age: if at == 0 { Age::InForce } else { Age::Earlier },
            });
        }
    }
    terms
}

impl Terms {
    fn is_of(&self, plan: &Plan, carrier: &Carrier) -> bool {
        Arc::ptr_eq(&self.carrier.webhooks, &carrier.webhooks) && self.public_url == plan.public_url
    }

    /// Whether this may be told by it: credentials that were replaced begin nothing new.
    fn speaks_of(&self, desk: &Desk, name: &str, hint: Option<CallId>, webhook: &Webhook) -> bool {
        match self.age {
            Age::InForce => true,
            Age::Earlier => {
                // An offer is about its leg alone, whatever call its address names.
                let is_offer = matches!(webhook.news, News::Offered { .. });
                let hint = hint.filter(|_| !is_offer);
                let began_with =
                    desk.board
                        .began_with(name, hint, (&webhook.leg, &webhook.dialled));
                let carrier = |it: &Plan| it.carriers.get(name).cloned();
                began_with
                    .is_some_and(|plan| carrier(&plan).is_some_and(|it| self.is_of(&plan, &it)))
            }
        }
    }
}

/// Verifies, then reads, by the first terms that know the signature; or says what was wrong
/// by the one in force.
fn read_by<'b>(
    terms: &'b [Terms],
    door: Door,
    path: &str,
    mut request: Request,
) -> Result<(&'b Terms, Webhook), Fault> {
    let mut wrong = None;
    for one in terms {
        request.url = format!("{}{path}", one.public_url);
        let webhooks = &one.carrier.webhooks;
        let read = webhooks.verify(&request);
        match read.and_then(|genuine| webhooks.decode(door, genuine)) {
            Ok(webhook) => return Ok((one, webhook)),
            Err(fault) => wrong = wrong.or(Some(fault)),
        }
    }
    Err(wrong.expect("without terms nothing is read"))
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
pub(crate) fn gather(
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
        received: SystemTime::now(),
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
    written(carrier.webhooks.reply(reply))
}

fn written(response: ports::carrier::Response) -> Response {
    (
        [(header::CONTENT_TYPE, response.content_type)],
        response.body,
    )
        .into_response()
}

/// A stranger has this long to send a body.
const BODY_TIME: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    /// CVE-2026-28465: it was.
    #[test]
    fn what_a_proxy_says_of_an_address_is_not_believed() {
        let mut headers = HeaderMap::new();
        for name in [
            "host",
            "forwarded",
            "x-forwarded-host",
            "x-forwarded-proto",
            "x-forwarded-prefix",
            "x-original-url",
            "x-rewrite-url",
        ] {
            let value = "host=evil.example".parse().expect("it is a header");
            headers.insert(name, value);
        }
        let public = "https://voice.example.com";
        for uri in ["/a/voice?call=1", "http://evil.example/a/voice?call=1"] {
            let uri: Uri = uri.parse().expect("it is an address");
            let request = gather(public, &Method::POST, &uri, &headers, Vec::new());
            assert_eq!(request.url, "https://voice.example.com/a/voice?call=1");
        }
    }
}
