//! What an owner may ask for: the same things as on the command line.

use std::convert::Infallible;

use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use call::event::End;
use call::{Direction, Event, Private};
use futures_util::{Stream, StreamExt, stream};
use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};

use super::{Desk, Problem};
use crate::journal::Entry;
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
    /// `inbound` or `outbound`.
    pub direction: &'static str,
    /// Our number.
    pub number: String,
    /// The person's number, if it is known.
    pub caller: Option<String>,
    /// Which agent answers.
    pub agent: String,
    /// How it ended, if it has.
    pub ended: Option<End>,
    /// What broke before the call could say so itself.
    pub fault: Option<Report>,
}

impl From<&Record> for CallView {
    fn from(record: &Record) -> Self {
        let last = record.log.after(0).pop().map(|it| it.event);
        Self {
            id: record.id.to_string(),
            direction: match record.direction {
                Direction::Inbound => "inbound",
                Direction::Outbound => "outbound",
            },
            number: record.number.as_str().to_owned(),
            caller: record.caller.as_ref().map(|it| it.as_str().to_owned()),
            agent: record.agent.clone(),
            ended: last.and_then(|it| {
                if let Event::Ended(end) = it {
                    Some(end)
                } else {
                    None
                }
            }),
            fault: record.fault().cloned(),
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

pub(super) async fn list(State(desk): State<Desk>, _: Extension<Owner>) -> Response {
    let calls: Vec<_> = desk
        .board
        .calls()
        .iter()
        .map(|it| CallView::from(&**it))
        .collect();
    Json(calls).into_response()
}

pub(super) async fn show(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Path(id): Path<String>,
) -> Response {
    with(&desk, &id, |record| {
        Json(CallView::from(record)).into_response()
    })
}

pub(super) async fn events(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Response {
    let last = headers.get("last-event-id").and_then(|it| it.to_str().ok());
    let seen = last.and_then(|it| it.parse().ok()).unwrap_or(0);
    with(&desk, &id, |record| {
        Sse::new(follow(record, seen))
            .keep_alive(sse::KeepAlive::default())
            .into_response()
    })
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

/// A call's events after the first `seen`, until it is over.
fn follow(
    record: &Record,
    seen: usize,
) -> impl Stream<Item = Result<sse::Event, Infallible>> + use<> {
    let log = record.log.clone();
    stream::unfold((log, seen), |(log, seen)| async move {
        let entries = log.wait(seen).await;
        let next = seen + entries.len();
        (!entries.is_empty()).then_some((stream::iter(entries), (log, next)))
    })
    .flatten()
    .map(|entry| Ok(frame(&entry)))
}

fn frame(entry: &Entry) -> sse::Event {
    let data = serde_json::to_string(entry).expect("an entry has only strings for keys");
    sse::Event::default().id(entry.seq.to_string()).data(data)
}

fn with(desk: &Desk, id: &str, show: impl FnOnce(&Record) -> Response) -> Response {
    match find(desk, id) {
        Ok(record) => show(&record),
        Err(fault) => Problem::answer(&fault),
    }
}

fn find(desk: &Desk, id: &str) -> Result<std::sync::Arc<Record>, Fault> {
    let found = CallId::parse(id).and_then(|id| desk.board.call(id));
    found.ok_or_else(|| Fault::new(Blame::Config, code::CALL_UNKNOWN, "there is no such call"))
}
