//! Webhooks: proved genuine before they are read, and answered in the carrier's own words.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use ports::carrier::{Carrier, Door, Imprint, News, Orders, Reply, Request, Webhook};
use ports::{Fault, code};

use super::lobby::Guest;
use super::{BODY, Desk, probe};
use crate::config::Plan;
use crate::metrics::{Delivered, metrics};
use crate::receipts::{Answer, Given};
use crate::switchboard::{CallId, Switchboard};

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
    let (one, imprint, webhook) = match read_by(&terms, door, &path, request) {
        Ok(read) => read,
        Err(fault) => {
            let (code, hint) = (fault.code, fault.hint.as_deref());
            tracing::warn!(carrier = name, code, hint, "a webhook was refused: {fault}");
            let (status, kind) = match code {
                code::WEBHOOK_FORGED => (StatusCode::FORBIDDEN, Delivered::Forged),
                _ => (StatusCode::BAD_REQUEST, Delivered::Senseless),
            };
            metrics().webhook(kind);
            return status.into_response();
        }
    };
    if !one.speaks_of(desk, name, hint, &webhook) {
        let why = "it is signed as only those about earlier calls may be";
        tracing::warn!(carrier = name, "a webhook was refused: {why}");
        return StatusCode::FORBIDDEN.into_response();
    }
    if let Some(guest) = parts.extensions.get::<Arc<Guest>>() {
        guest.proved();
    }
    let told = Told {
        board: desk.board.clone(),
        carrier: one.carrier.clone(),
        name: name.to_owned(),
        door,
        hint,
        after: told(&parts.uri, "after=").and_then(|it| it.parse().ok()),
        webhook,
    };
    // Whoever asked may go away: what was begun is then done and written down all the same.
    match tokio::spawn(told.answered(imprint)).await {
        Ok(answer) => written(answer),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// A webhook that may be acted upon.
struct Told {
    board: Arc<Switchboard>,
    carrier: Carrier,
    name: String,
    door: Door,
    hint: Option<CallId>,
    after: Option<u64>,
    webhook: Webhook,
}

impl Told {
    /// Acts upon it and says what is to be answered, or says it again.
    async fn answered(self, imprint: Imprint) -> Answer {
        let receipts = self.board.receipts().clone();
        let now = Timestamp::now().as_millisecond();
        match receipts.answer(imprint, now, self.acted_upon(now)).await {
            Given::Now(answer) => answer,
            Given::Before(answer) => {
                metrics().webhook(Delivered::Repeated);
                answer
            }
        }
    }

    async fn acted_upon(self, now: i64) -> Answer {
        let (name, leg) = (&self.name, &self.webhook.leg);
        match &self.webhook.news {
            News::Ended(_) => self.board.receipts().ended(name, leg, now).await,
            News::Offered { .. } => match self.board.receipts().has_ended(name, leg).await {
                Ok(false) => {}
                Ok(true) => {
                    tracing::info!(carrier = name, "a call is offered that is over");
                    metrics().webhook(Delivered::Late);
                    return self.say(Reply::Reject);
                }
                Err(fault) => {
                    let (code, hint) = (fault.code, fault.hint.as_deref());
                    tracing::error!(
                        carrier = name,
                        code,
                        hint,
                        "a caller was turned away: {fault}"
                    );
                    return self.say(Reply::Reject);
                }
            },
            News::Adrift
            | News::Answered
            | News::AnsweredBy(_)
            | News::Joined
            | News::Nothing
            | News::Parted
            | News::PutBack(_)
            | News::Recorded(_)
            | News::Ringing
            | News::Unconnected(_) => {}
        }
        metrics().webhook(Delivered::News);
        self.act().await
    }

    async fn act(self) -> Answer {
        let (board, name, webhook) = (&self.board, &self.name, &self.webhook);
        let webhooks = self.carrier.webhooks.as_ref();
        match (&self.carrier.orders, self.door) {
            (Orders::Replied, Door::Voice) => {
                let verdict = board.asked(name, self.hint, webhook).await;
                said(verdict.reply(webhooks))
            }
            (Orders::Replied, Door::Again) => {
                let verdict = board.adrift(name, self.hint, self.after, webhook).await;
                said(verdict.reply(webhooks))
            }
            (Orders::Replied, Door::Status) => {
                board.told(name, self.hint, webhook).await;
                self.say(Reply::Taken)
            }
            // It waits for no reply, so it is thanked at once, and hears from us in its own time.
            (Orders::Requested(_), Door::Voice | Door::Again | Door::Status) => {
                let thanks = self.say(Reply::Taken);
                tokio::spawn(async move {
                    let places = (self.hint, self.after);
                    let Self {
                        board,
                        carrier,
                        name,
                        ..
                    } = &self;
                    board.hear(name, carrier, places, &self.webhook).await;
                });
                thanks
            }
        }
    }

    fn say(&self, reply: Reply<'_>) -> Answer {
        said(self.carrier.webhooks.reply(reply))
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
) -> Result<(&'b Terms, Imprint, Webhook), Fault> {
    let mut wrong = None;
    for one in terms {
        request.url = format!("{}{path}", one.public_url);
        let webhooks = &one.carrier.webhooks;
        let read = webhooks.verify(&request).and_then(|genuine| {
            let imprint = webhooks.imprint(&genuine);
            Ok((imprint, webhooks.decode(door, genuine)?))
        });
        match read {
            Ok((imprint, webhook)) => return Ok((one, imprint, webhook)),
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

fn said(response: ports::carrier::Response) -> Answer {
    Answer {
        kind: response.content_type.to_owned(),
        body: response.body.into(),
    }
}

fn written(answer: Answer) -> Response {
    let kind = [(header::CONTENT_TYPE, answer.kind)];
    (kind, answer.body.into_revealed()).into_response()
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
