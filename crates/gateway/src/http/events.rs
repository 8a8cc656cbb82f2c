//! What happened on calls, as it happens, and the sound of it.

use std::convert::Infallible;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::sse::{self, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use ports::{Blame, Fault, code};
use serde::Deserialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use super::api::find;
use super::ask::{Asked, Named, senseless};
use super::guard::{Owner, Pass};
use super::{Desk, Problem};
use crate::journal::{Row, Summary, Wanted};
use crate::recorder;
use crate::switchboard::CallId;

/// Which events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Events {
    /// Of this call; absent: of all.
    #[param(nullable = false)]
    call: Option<String>,
    /// Not before this, in milliseconds since 1970.
    #[param(nullable = false, minimum = 0, maximum = 253402300799999i64)]
    since: Option<i64>,
    /// Those there are, and no more.
    #[serde(default)]
    #[param(default = false)]
    past: bool,
}

/// Which of a call's events.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct CallEvents {
    /// Not before this, in milliseconds since 1970.
    #[param(nullable = false, minimum = 0, maximum = 253402300799999i64)]
    since: Option<i64>,
    /// Those there are, and no more.
    #[serde(default)]
    #[param(default = false)]
    past: bool,
}

/// One server-sent event.
#[derive(ToSchema)]
#[expect(
    dead_code,
    reason = "it is written by the web server, and described here"
)]
pub(super) struct Told {
    /// Its place in the journal, to go on from.
    id: String,
    /// What happened, as JSON: `v`, `call`, `seq`, `ms`, `time`, `type`, and what belongs to that type.
    data: String,
}

/// Every call's events
///
/// As they happen, as server-sent events: `data` is one event in JSON, `id` its place in the journal.
#[utoipa::path(get, path = "/v1/events", tag = "events",
    params(Events, ("Last-Event-ID" = Option<u64>, Header, nullable = false, minimum = 0, maximum = 9223372036854775807i64,
        description = "Go on after this entry.")),
    responses(
        (status = 200, description = "The events, until you stop reading or `past` is done.",
            content_type = "text/event-stream", body = Told),
        (status = 400, description = "A parameter makes no sense.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn all_events(
    State(desk): State<Desk>,
    Extension(pass): Extension<Pass>,
    headers: HeaderMap,
    Asked(events): Asked<Events>,
) -> Response {
    feed(&desk, &headers, events, (Until::Never, pass))
}

/// One call's events
///
/// The same of one call, until it is over; of one with an objective, until it is known what came of it.
#[utoipa::path(get, path = "/v1/calls/{id}/events", tag = "events",
    params(("id" = String, Path, description = "The call."), CallEvents,
        ("Last-Event-ID" = Option<u64>, Header, nullable = false, minimum = 0, maximum = 9223372036854775807i64,
        description = "Go on after this entry.")),
    responses(
        (status = 200, description = "The events, up to the call's last.",
            content_type = "text/event-stream", body = Told),
        (status = 400, description = "A parameter makes no sense.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such call.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn events(
    State(desk): State<Desk>,
    Extension(pass): Extension<Pass>,
    headers: HeaderMap,
    Named(id): Named,
    Asked(CallEvents { since, past }): Asked<CallEvents>,
) -> Response {
    let known = async {
        let summary = desk.board.journal().reader()?.call(id.clone()).await?;
        match summary {
            Some(summary) => {
                let until = Until::of(summary.began["objective"].is_string());
                let over = match (&summary.ended, until) {
                    (None, _) => false,
                    (Some(_), Until::Outcome) => is_judged(&desk, &id, &summary).await?,
                    (Some(_), Until::CallIsOver | Until::Never) => true,
                };
                Ok((until, over))
            }
            None => {
                find(&desk, &id).map(|it| (Until::of(it.log.parties().objective.is_some()), false))
            }
        }
    };
    let (until, over) = match known.await {
        Ok(known) => known,
        Err(fault) => return Problem::answer(&fault),
    };
    let call = Some(id);
    // Behind the last event of a call nothing ever comes.
    let past = past || over;
    let events = Events { call, since, past };
    feed(&desk, &headers, events, (until, pass))
}

/// When a stream of events ends by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Until {
    Never,
    CallIsOver,
    /// It was to achieve something: it is told too what came of it.
    Outcome,
}

impl Until {
    fn of(has_objective: bool) -> Self {
        if has_objective {
            Self::Outcome
        } else {
            Self::CallIsOver
        }
    }

    /// Whether this is the last.
    fn is(self, row: &Row) -> bool {
        let last = match self {
            Self::Never => return false,
            Self::CallIsOver => "call.ended",
            Self::Outcome => "call.outcome",
        };
        serde_json::from_str::<Value>(&row.entry).is_ok_and(|it| it["type"] == last)
    }
}

/// Whether it is known what came of a call that is over, or will not be any more.
async fn is_judged(desk: &Desk, id: &str, summary: &Summary) -> Result<bool, Fault> {
    let ended = summary
        .ended
        .as_ref()
        .and_then(|it| it["time"].as_str()?.parse().ok());
    let age = ended.map(|it: Timestamp| Timestamp::now().duration_since(it));
    if age.is_none_or(|it| it > JUDGED) {
        return Ok(true);
    }
    Ok(desk.board.outcome(id).await?.is_some())
}

fn feed(desk: &Desk, headers: &HeaderMap, asked: Events, (until, pass): (Until, Pass)) -> Response {
    let reader = match desk.board.journal().reader() {
        Ok(reader) => reader,
        Err(fault) => return Problem::answer(&fault),
    };
    let last = headers.get("last-event-id").map(|it| it.to_str().ok());
    let last = last.map(|it| {
        it.and_then(|it| it.parse().ok())
            .filter(|it| *it <= LAST_ID)
    });
    let Some(after) = last.unwrap_or(Some(0)) else {
        let message = "Last-Event-ID is none that was sent from here";
        return senseless(StatusCode::BAD_REQUEST, message);
    };
    let since = asked.since.is_none_or(|it| (0..=LAST_MOMENT).contains(&it));
    if !since {
        let message = "since is no moment in milliseconds since 1970";
        return senseless(StatusCode::BAD_REQUEST, message);
    }
    let wanted = Wanted {
        after,
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
        let over = rows.iter().any(|it| until.is(it));
        Some((stream::iter(rows), (!over).then_some((reader, wanted))))
    });
    let frames = pages.flatten().map(|row: Row| {
        let frame = sse::Event::default().id(row.id.to_string()).data(row.entry);
        Ok::<_, Infallible>(frame)
    });
    // Who may not look any more is not told any more.
    Sse::new(frames.take_until(Box::pin(pass.revoked())))
        .keep_alive(sse::KeepAlive::default())
        .into_response()
}

/// The sound of a call
///
/// A stereo WAV: the caller left, the agent right. It is there once the call is over. What several
/// gateways recorded of a call, because one of them was killed, is put together without the silence
/// between.
#[utoipa::path(get, path = "/v1/calls/{id}/recording", tag = "calls",
    params(("id" = String, Path, description = "The call.")),
    responses(
        (status = 200, description = "The sound.", content_type = "audio/wav", body = [u8]),
        (status = 404, description = "There is no recording of such a call.", body = Problem,
            content_type = "application/problem+json"),
    ))]
pub(super) async fn recording(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Named(id): Named,
) -> Response {
    // Only what is a call's name may become part of a path.
    let of = CallId::parse(&id).and_then(|id| {
        let plan = desk.board.plan();
        let recordings = plan.recordings.as_ref()?;
        Some((recordings.dir.clone(), id))
    });
    let read = tokio::task::spawn_blocking(move || {
        let (folder, id) = of?;
        recorder::whole(&folder, &id.to_string())
    });
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

/// By then it was judged what came of a call, or nobody will.
const JUDGED: SignedDuration = SignedDuration::from_secs(60);

/// The greatest id the journal can give, which is a signed number there.
const LAST_ID: u64 = i64::MAX as u64;

/// The end of the year 9999.
const LAST_MOMENT: i64 = 253_402_300_799_999;
