//! Who may ask: a token for what is asked, by one of our names, from no page of another site.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::uri::Authority;
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use ports::{Blame, Fault, code};

use super::lobby::Guest;
use super::pace::Bearer;
use super::{Desk, Problem};
use crate::access::{self, Scope};

/// Lets in whoever has a token for what they ask, by one of our names, and no page of another site.
pub(super) async fn authorize(
    State(desk): State<Desk>,
    headers: HeaderMap,
    mut request: axum::extract::Request,
    next: Next,
) -> Response {
    if let Some(refusal) = foreign(&desk, &headers, Names::Ours) {
        return refusal;
    }
    let given = headers.get(header::AUTHORIZATION);
    let given = given.and_then(|it| it.to_str().ok()?.strip_prefix("Bearer "));
    let scope = match given {
        Some(token) if desk.token.is(token) => Some(Scope::Admin),
        Some(token) => {
            let (token, state) = (token.to_owned(), desk.board.state().to_owned());
            let found = tokio::task::spawn_blocking(move || access::scope(&state, &token)).await;
            found.ok().flatten()
        }
        None => None,
    };
    let needed = match *request.method() {
        Method::GET | Method::HEAD => Scope::Read,
        _ => Scope::Call,
    };
    match scope {
        None => {
            let message = "this needs a token of the gateway's";
            let fault = Fault::new(Blame::Gateway, code::GATEWAY_TOKEN, message);
            Problem::answer(&fault.hint(
                "make one with `offhook token create`, and send it as `Authorization: Bearer …`",
            ))
        }
        Some(scope) if scope < needed => {
            let message = "this token may only look";
            let fault = Fault::new(Blame::Gateway, code::GATEWAY_SCOPE, message);
            Problem::answer(&fault.hint("make one with `offhook token create --scope call`"))
        }
        Some(scope) => {
            if let Some(token) = given {
                let (token, state) = (token.to_owned(), desk.board.state().to_owned());
                let own = desk.token.is(&token);
                let bearer = Bearer::of(&token);
                let pass = Pass(Arc::new(move || {
                    own || access::scope(&state, &token).is_some()
                }));
                request.extensions_mut().insert(pass);
                request.extensions_mut().insert(bearer);
            }
            if let Some(guest) = request.extensions().get::<Arc<Guest>>() {
                guest.proved();
            }
            request.extensions_mut().insert(Owner);
            request.extensions_mut().insert(scope);
            next.run(request).await
        }
    }
}

/// What takes no token is told to no page of another site either, nor to a name that is not ours.
pub(super) async fn name(
    State(desk): State<Desk>,
    headers: HeaderMap,
    request: axum::extract::Request,
    next: Next,
) -> Response {
    match foreign(&desk, &headers, Names::OursAndNumbers) {
        Some(refusal) => refusal,
        None => next.run(request).await,
    }
}

/// What a request may call this gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Names {
    /// By a name of ours.
    Ours,
    /// By any address too: whoever watches over a machine asks it by the number that it has just now,
    /// which is no name that somebody could make lead here.
    OursAndNumbers,
}

/// Whether the token that a request came with still opens what it did. Reads a file.
#[derive(Clone)]
pub(super) struct Pass(Arc<dyn Fn() -> bool + Send + Sync>);

impl Pass {
    /// Returns soon after the token was revoked.
    pub(super) async fn revoked(self) {
        loop {
            tokio::time::sleep(LOOK).await;
            let look = self.0.clone();
            let good = tokio::task::spawn_blocking(move || look()).await;
            if !good.unwrap_or(false) {
                return;
            }
        }
    }
}

/// So often an answer that goes on and on looks whether it still may.
const LOOK: Duration = Duration::from_millis(500);

/// A name that leads here by somebody else's doing (DNS rebinding) is refused, and so is a page
/// from elsewhere: browsers send both along.
fn foreign(desk: &Desk, headers: &HeaderMap, names: Names) -> Option<Response> {
    let plan = desk.board.plan();
    let text = |name| headers.get(name).and_then(|it| it.to_str().ok());
    let public = url::Url::parse(&plan.public_url).ok();
    let ours = |host: &str| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost")
            || address.parse::<IpAddr>().is_ok_and(|it| {
                it.is_loopback() || it == plan.listen.ip() || names == Names::OursAndNumbers
            })
            || public
                .as_ref()
                .and_then(|it| it.host_str())
                .is_some_and(|it| it.eq_ignore_ascii_case(host))
    };
    let host = text(header::HOST).and_then(|it| it.parse::<Authority>().ok());
    let Some(host) = host.filter(|it| ours(it.host())) else {
        let message = "this is not the name of this gateway";
        let fault = Fault::new(Blame::Gateway, code::GATEWAY_FOREIGN, message)
            .hint("use 127.0.0.1, localhost, or the host of `public_url`");
        let status = StatusCode::MISDIRECTED_REQUEST;
        return Some(Problem::answer_with(status, &fault));
    };
    let origin = headers.get(header::ORIGIN)?.to_str().ok();
    if origin
        .and_then(|it| it.split_once("://"))
        .is_some_and(|(_, it)| host == it)
    {
        return None;
    }
    let message = "pages of other sites have no business here";
    let fault = Fault::new(Blame::Gateway, code::GATEWAY_FOREIGN, message)
        .hint("ask from a program, or from a page of this gateway's own");
    Some(Problem::answer_with(StatusCode::FORBIDDEN, &fault))
}

/// Proof that [`authorize`] let the request in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner;
