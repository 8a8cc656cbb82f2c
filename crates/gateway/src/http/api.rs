//! What an owner may ask for: the same things as on the command line.

use std::convert::Infallible;
use std::net::IpAddr;

use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use call::Private;
use futures_util::{StreamExt, stream};
use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Desk, Problem};
use crate::access::{self, Scope};
use crate::claims::Once;
use crate::journal::{Row, Summary, Wanted};
use crate::switchboard::{CallId, Placed, Purpose, Record, Report, Wish};

/// A call to make.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// Whom to call, in E.164 form.
    pub to: String,
    /// From which of our numbers; absent: the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// With which agent; absent: the number's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// What to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub say: Option<String>,
    /// Whether to stay and talk after saying it.
    #[serde(default)]
    pub converse: bool,
}

impl Order {
    /// The same, as the switchboard wants it.
    pub fn into_wish(self) -> Wish {
        let purpose = match (self.say, self.converse) {
            (None, _) => Purpose::Converse,
            (Some(text), true) => Purpose::ConverseFrom(text.into()),
            (Some(text), false) => Purpose::Notify(text.into()),
        };
        Wish {
            to: self.to,
            from: self.from,
            agent: self.agent,
            purpose,
        }
    }
}

/// A call as owners see it.
#[derive(Clone, Debug, Serialize)]
pub struct CallView {
    /// Our name for it.
    pub id: String,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// Our number.
    pub number: Private<String>,
    /// The person's number, if it is known.
    pub caller: Option<Private<String>>,
    /// By which carrier.
    pub carrier: String,
    /// Which agent answers.
    pub agent: String,
    /// When it began.
    pub time: String,
    /// How it ended, if it has.
    pub ended: Option<Ended>,
    /// What broke before the call could say so itself.
    pub fault: Option<Report>,
}

/// How a call ended.
#[derive(Clone, Debug, Serialize)]
pub struct Ended {
    /// Who ended it.
    pub by: String,
    /// Why.
    pub why: String,
    /// Milliseconds after it began.
    pub ms: u64,
}

impl CallView {
    /// A call of this process.
    pub(super) fn of_record(record: &Record) -> Self {
        Self::new(record.log.summary(), record.fault())
    }

    /// A call of the journal, which may be up.
    fn of_journal(summary: Summary, desk: &Desk) -> Self {
        let record = CallId::parse(&summary.id).and_then(|id| desk.board.call(id));
        Self::new(summary, record.as_ref().and_then(|it| it.fault()))
    }

    fn new(summary: Summary, fault: Option<&Report>) -> Self {
        let text = |key: &str| summary.began[key].as_str().unwrap_or_default().to_owned();
        let end = summary.ended.as_ref().map(|it| Ended {
            by: it["by"].as_str().unwrap_or_default().to_owned(),
            why: it["why"].as_str().unwrap_or_default().to_owned(),
            ms: it["ms"].as_u64().unwrap_or_default(),
        });
        Self {
            direction: text("direction"),
            number: text("number").into(),
            caller: summary.began["caller"].as_str().map(Private::from),
            carrier: text("carrier"),
            agent: text("agent"),
            time: text("time"),
            ended: end,
            fault: fault.cloned(),
            id: summary.id,
        }
    }
}

/// Something to say.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Words {
    /// The words.
    pub text: String,
}

pub(super) async fn healthz(State(desk): State<Desk>) -> Response {
    Json(serde_json::json!({ "offhook": "ok", "instance": desk.instance })).into_response()
}

/// Whether calls would be taken: 200, or 503 and why not.
pub(super) async fn readyz(State(desk): State<Desk>) -> Response {
    match desk.board.ready() {
        Ok(()) => Json(serde_json::json!({ "offhook": "ready" })).into_response(),
        Err(fault) => Problem::answer_with(StatusCode::SERVICE_UNAVAILABLE, &fault),
    }
}

/// Lets in whoever has a token for what they ask, by one of our names, and no page of another site.
pub(super) async fn authorize(
    State(desk): State<Desk>,
    headers: HeaderMap,
    mut request: axum::extract::Request,
    next: Next,
) -> Response {
    if let Some(refusal) = foreign(&desk, &headers) {
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
        Some(_) => {
            request.extensions_mut().insert(Owner);
            next.run(request).await
        }
    }
}

/// A name that leads here by somebody else's doing (DNS rebinding) is refused, and so is a page
/// from elsewhere: browsers send both along.
fn foreign(desk: &Desk, headers: &HeaderMap) -> Option<Response> {
    let plan = desk.board.plan();
    let text = |name| headers.get(name).and_then(|it| it.to_str().ok());
    let public = url::Url::parse(&plan.public_url).ok();
    let ours = |host: &str| {
        let address = host.trim_start_matches('[').trim_end_matches(']');
        host.eq_ignore_ascii_case("localhost")
            || address
                .parse::<IpAddr>()
                .is_ok_and(|it| it.is_loopback() || it == plan.listen.ip())
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

/// Makes a call. With an `Idempotency-Key`, once.
pub(super) async fn dial(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    headers: HeaderMap,
    order: Result<Json<Order>, JsonRejection>,
) -> Response {
    let Json(order) = match order {
        Ok(order) => order,
        Err(rejection) => return senseless(&rejection),
    };
    let placed = match headers.get("idempotency-key") {
        None => desk.board.dial(order.into_wish()).await.map(Placed::Now),
        Some(key) => match once(key, &order) {
            Ok(once) => desk.board.dial_once(once, order.into_wish()).await,
            Err(fault) => return Problem::answer_with(StatusCode::BAD_REQUEST, &fault),
        },
    };
    match placed {
        Ok(Placed::Now(record)) => {
            (StatusCode::CREATED, Json(CallView::of_record(&record))).into_response()
        }
        Ok(Placed::Before(call)) => before(&desk, call).await,
        Err(fault) => Problem::answer(&fault),
    }
}

fn once(key: &HeaderValue, order: &Order) -> Result<Once, Fault> {
    let order = serde_json::to_vec(order).expect("an order is plain data");
    let key = key
        .to_str()
        .ok()
        .filter(|it| (1..=LONGEST_KEY).contains(&it.len()));
    key.map(|it| Once::new(it, &order)).ok_or_else(|| {
        let message = "that Idempotency-Key makes no sense";
        let fault = Fault::new(Blame::Caller, code::CALL_KEY, message);
        fault.hint(format!(
            "send 1 to {LONGEST_KEY} visible characters of ASCII, such as a UUID"
        ))
    })
}

/// The call that the same request led to before.
async fn before(desk: &Desk, call: String) -> Response {
    match view(desk, call).await {
        Ok(Some(view)) => (
            StatusCode::OK,
            [("idempotent-replayed", "true")],
            Json(view),
        )
            .into_response(),
        Ok(None) => {
            let message = "that request was begun before, and what became of it is not known";
            let fault = Fault::new(Blame::Gateway, code::CALL_UNSURE, message);
            Problem::answer(
                &fault.hint(
                    "look at the carrier's list of calls before you ask again with a new key",
                ),
            )
        }
        Err(fault) => Problem::answer(&fault),
    }
}

/// A body that is not what was asked for.
fn senseless(rejection: &JsonRejection) -> Response {
    let fault = Fault::new(Blame::Caller, code::API_INVALID, rejection.body_text());
    Problem::answer_with(
        rejection.status(),
        &fault.hint("send the JSON that the documentation of this address asks for"),
    )
}

/// Which calls.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    /// How many, at most.
    #[serde(default = "a_hundred")]
    most: usize,
    /// Only those that are up.
    #[serde(default)]
    up: bool,
}

fn a_hundred() -> usize {
    100
}

pub(super) async fn list(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Query(listed): Query<Listed>,
) -> Response {
    let most = listed.most.min(MOST_CALLS);
    if listed.up {
        let up = desk.board.calls().into_iter();
        let up = up.filter(|it| !it.log.is_closed()).take(most);
        return Json(up.map(|it| CallView::of_record(&it)).collect::<Vec<_>>()).into_response();
    }
    let calls = async { desk.board.journal().reader()?.calls(most).await };
    match calls.await {
        Ok(calls) => {
            let calls = calls.into_iter().map(|it| CallView::of_journal(it, &desk));
            Json(calls.collect::<Vec<_>>()).into_response()
        }
        Err(fault) => Problem::answer(&fault),
    }
}

pub(super) async fn show(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Path(id): Path<String>,
) -> Response {
    match view(&desk, id).await {
        Ok(Some(view)) => Json(view).into_response(),
        Ok(None) => Problem::answer(&no_such_call()),
        Err(fault) => Problem::answer(&fault),
    }
}

/// A call that is up, or that the journal knows.
async fn view(desk: &Desk, id: String) -> Result<Option<CallView>, Fault> {
    if let Ok(record) = find(desk, &id) {
        return Ok(Some(CallView::of_record(&record)));
    }
    let summary = desk.board.journal().reader()?.call(id).await?;
    Ok(summary.map(|it| CallView::of_journal(it, desk)))
}

/// Which events.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    /// Of this call; absent: of all.
    call: Option<String>,
    /// Not before this, in milliseconds since 1970.
    since: Option<i64>,
    /// Those there are, and no more.
    #[serde(default)]
    past: bool,
}

/// Every call's events, as they happen. `Last-Event-ID` goes on after an entry that was seen.
pub(super) async fn all_events(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    headers: HeaderMap,
    Query(asked): Query<Asked>,
) -> Response {
    feed(&desk, &headers, asked, Until::Never)
}

/// One call's events, until it is over.
pub(super) async fn events(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    headers: HeaderMap,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Response {
    let known = async {
        if find(&desk, &id).is_ok() {
            return Ok(());
        }
        let summary = desk.board.journal().reader()?.call(id.clone()).await?;
        summary.map(drop).ok_or_else(no_such_call)
    };
    if let Err(fault) = known.await {
        return Problem::answer(&fault);
    }
    let call = Some(id);
    feed(&desk, &headers, Asked { call, ..asked }, Until::CallIsOver)
}

/// When a stream of events ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    Never,
    CallIsOver,
}

fn feed(desk: &Desk, headers: &HeaderMap, asked: Asked, until: Until) -> Response {
    let reader = match desk.board.journal().reader() {
        Ok(reader) => reader,
        Err(fault) => return Problem::answer(&fault),
    };
    let last = headers.get("last-event-id").and_then(|it| it.to_str().ok());
    let wanted = Wanted {
        after: last.and_then(|it| it.parse().ok()).unwrap_or(0),
        call: asked.call,
        since: asked.since,
    };
    let pages = stream::unfold(Some((reader, wanted)), move |state| async move {
        let (mut reader, mut wanted) = state?;
        let rows = if asked.past {
            let rows = reader.after(&wanted).await.ok()?;
            wanted.after = rows.last()?.id;
            rows
        } else {
            reader.next(&mut wanted).await.ok()??
        };
        let over = until == Until::CallIsOver && rows.last().is_some_and(is_end);
        Some((stream::iter(rows), (!over).then_some((reader, wanted))))
    });
    let frames = pages.flatten().map(|row: Row| {
        let frame = sse::Event::default().id(row.id.to_string()).data(row.entry);
        Ok::<_, Infallible>(frame)
    });
    Sse::new(frames)
        .keep_alive(sse::KeepAlive::default())
        .into_response()
}

fn is_end(row: &Row) -> bool {
    serde_json::from_str::<Value>(&row.entry).is_ok_and(|it| it["type"] == "call.ended")
}

/// The sound of a call, as a stereo WAV: the caller left, the agent right.
pub(super) async fn recording(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Path(id): Path<String>,
) -> Response {
    // Only what is a call's name may become part of a path.
    let path = CallId::parse(&id).and_then(|id| {
        let folder = desk.board.plan().recordings.as_ref()?;
        Some(folder.join(format!("{id}.wav")))
    });
    let read = tokio::task::spawn_blocking(move || std::fs::read(path?).ok());
    match read.await.ok().flatten() {
        Some(wav) => ([(header::CONTENT_TYPE, "audio/wav")], wav).into_response(),
        None => {
            let message = "there is no recording of such a call";
            let fault = Fault::new(Blame::Config, code::CALL_UNKNOWN, message);
            Problem::answer(
                &fault.hint("calls are recorded where [recordings] says in which folder"),
            )
        }
    }
}

pub(super) async fn say(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Path(id): Path<String>,
    words: Result<Json<Words>, JsonRejection>,
) -> Response {
    let Json(words) = match words {
        Ok(words) => words,
        Err(rejection) => return senseless(&rejection),
    };
    let record = match find(&desk, &id) {
        Ok(record) => record,
        Err(fault) => return Problem::answer(&fault),
    };
    let not_up = |message: &str, hint: &str| {
        let fault = Fault::new(Blame::Caller, code::CALL_NOT_UP, message);
        Problem::answer(&fault.hint(hint))
    };
    if !record.log.is_connected() {
        return not_up("nobody would hear it yet", "wait for `call.connected`");
    }
    if record.say(Private::from(words.text)).await {
        StatusCode::ACCEPTED.into_response()
    } else {
        not_up(
            "the call is over",
            "`offhook calls --up` lists those that are not",
        )
    }
}

pub(super) async fn end(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Path(id): Path<String>,
) -> Response {
    match find(&desk, &id) {
        Ok(record) => {
            record.hang_up().await;
            StatusCode::ACCEPTED.into_response()
        }
        Err(fault) => Problem::answer(&fault),
    }
}

fn find(desk: &Desk, id: &str) -> Result<std::sync::Arc<Record>, Fault> {
    let found = CallId::parse(id).and_then(|id| desk.board.call(id));
    found.ok_or_else(no_such_call)
}

fn no_such_call() -> Fault {
    let fault = Fault::new(Blame::Config, code::CALL_UNKNOWN, "there is no such call");
    fault.hint("`offhook calls` lists those there are")
}

/// In characters.
const LONGEST_KEY: usize = 255;

/// More calls are not listed at once.
const MOST_CALLS: usize = 1_000;
