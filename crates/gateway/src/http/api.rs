//! What an owner may ask for: the same things as on the command line.

use std::convert::Infallible;

use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use call::{Event, Private};
use futures_util::{StreamExt, stream};
use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Desk, Problem};
use crate::journal::{Row, Summary, Wanted};
use crate::switchboard::{CallId, Purpose, Record, Report, Wish};

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
    /// Who talks to whom.
    #[serde(flatten)]
    pub parties: Value,
    /// How it ended, if it has.
    pub ended: Option<Value>,
    /// What broke before the call could say so itself.
    pub fault: Option<Report>,
}

impl From<&Record> for CallView {
    fn from(record: &Record) -> Self {
        Self {
            id: record.id.to_string(),
            parties: serde_json::to_value(record.log.parties()).unwrap_or_default(),
            ended: record.log.last().and_then(|it| {
                if let Event::Ended(end) = it.event {
                    serde_json::to_value(end).ok()
                } else {
                    None
                }
            }),
            fault: record.fault().cloned(),
        }
    }
}

impl CallView {
    /// A call of the journal, which may be up.
    fn of(summary: Summary, desk: &Desk) -> Self {
        let part = |event: &Value, keys: &[&str]| {
            let pick = |key: &&str| Some(((*key).to_owned(), event.get(*key)?.clone()));
            Value::Object(keys.iter().filter_map(pick).collect())
        };
        let record = CallId::parse(&summary.id).and_then(|id| desk.board.call(id));
        Self {
            parties: part(&summary.began, PARTIES),
            ended: summary.ended.map(|it| part(&it, &["by", "why", "ms"])),
            fault: record.and_then(|it| it.fault().cloned()),
            id: summary.id,
        }
    }
}

/// What of a call's first event says who talks to whom, and since when.
const PARTIES: &[&str] = &["direction", "number", "caller", "carrier", "agent", "time"];

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

/// Lets in whoever has the token, and no page of another site.
pub(super) async fn authorize(
    State(desk): State<Desk>,
    headers: HeaderMap,
    mut request: axum::extract::Request,
    next: Next,
) -> Response {
    let given = headers
        .get(header::AUTHORIZATION)
        .and_then(|it| it.to_str().ok());
    let good = given
        .and_then(|it| it.strip_prefix("Bearer "))
        .is_some_and(|it| desk.token.is(it));
    if headers.contains_key(header::ORIGIN) || !good {
        let fault = Fault::new(
            Blame::Gateway,
            code::GATEWAY_TOKEN,
            "this needs the gateway's token",
        );
        return Problem::answer(&fault);
    }
    request.extensions_mut().insert(Owner);
    next.run(request).await
}

/// Proof that [`authorize`] let the request in.
#[derive(Clone, Copy, Debug)]
pub(super) struct Owner;

pub(super) async fn dial(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Json(order): Json<Order>,
) -> Response {
    match desk.board.dial(order.into_wish()).await {
        Ok(record) => (StatusCode::CREATED, Json(CallView::from(&*record))).into_response(),
        Err(fault) => Problem::answer(&fault),
    }
}

/// Which calls.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Listed {
    /// How many, at most.
    #[serde(default = "a_hundred")]
    most: usize,
}

fn a_hundred() -> usize {
    100
}

pub(super) async fn list(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Query(listed): Query<Listed>,
) -> Response {
    let calls = async {
        let reader = desk.board.journal().reader()?;
        reader.calls(listed.most.min(MOST_CALLS)).await
    };
    match calls.await {
        Ok(calls) => {
            let calls = calls.into_iter().map(|it| CallView::of(it, &desk));
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
    let found = async {
        if let Ok(record) = find(&desk, &id) {
            return Ok(CallView::from(&*record));
        }
        let reader = desk.board.journal().reader()?;
        let summary = reader.call(id).await?;
        let summary = summary.ok_or_else(no_such_call)?;
        Ok(CallView::of(summary, &desk))
    };
    match found.await {
        Ok(view) => Json(view).into_response(),
        Err(fault) => Problem::answer(&fault),
    }
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

pub(super) async fn say(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Path(id): Path<String>,
    Json(words): Json<Words>,
) -> Response {
    match find(&desk, &id) {
        Ok(record) if record.say(Private::from(words.text)).await => {
            StatusCode::ACCEPTED.into_response()
        }
        Ok(_) => StatusCode::CONFLICT.into_response(),
        Err(fault) => Problem::answer(&fault),
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

/// More calls are not listed at once.
const MOST_CALLS: usize = 1_000;
