//! Calls that are held by hand: what was said, and what is answered. And what was said on any call.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use call::{Event, Private};
use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api::{find, no_such_call};
use super::ask::{Given, Named, senseless};
use super::guard::Owner;
use super::{Desk, Problem};
use crate::hands::{Answered, Heard, Then};
use crate::switchboard::Record;
use crate::transcript::{self, LineView, Transcript};

/// How long to listen.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Listening {
    /// So many seconds at most, until there is something to hear.
    #[serde(default = "a_while")]
    #[schema(minimum = 0, maximum = 60, default = 25)]
    wait_s: u64,
}

fn a_while() -> u64 {
    25
}

/// What there was to hear.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HeardView {
    /// `said`: the caller said `text` and waits for an answer; `pressed`: they pressed `key`; `nothing`: for as long
    /// as was waited; `over`: the call is, and `ended` says how.
    heard: &'static str,
    /// What they said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    text: Option<Private<String>>,
    /// Which key they pressed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    key: Option<Private<String>>,
    /// How the call ended: `no_answer`, `busy`, `hung_up` and the like.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    ended: Option<String>,
    /// Whether they can hear and be heard by now.
    connected: bool,
}

/// Hear what the caller says
///
/// On a call whose agent is `by-hand`. Whoever was told what was said has a minute to answer it; meanwhile the caller
/// hears that somebody is at work. Listening again without an answer says nothing to it.
#[utoipa::path(post, path = "/v1/calls/{id}/listen", tag = "calls", params(("id" = String, Path, description = "The call.")),
    request_body = Listening,
    responses(
        (status = 200, description = "What there was to hear.", body = HeardView),
        (status = 400, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such call.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another agent talks on the call.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It is not how long to listen.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn listen(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Named(id): Named,
    Given(Listening { wait_s }): Given<Listening>,
) -> Response {
    if wait_s > MOST_WAITED {
        let message = format!("wait_s is from 0 to {MOST_WAITED}");
        return senseless(StatusCode::UNPROCESSABLE_ENTITY, message);
    }
    let record = match in_hand(&desk, &id).await {
        Ok(record) => record,
        Err(fault) => return Problem::answer(&fault),
    };
    let within = Duration::from_secs(wait_s);
    let call = record.id.to_string();
    let heard = desk.board.hands().listen(&call, within).await;
    let connected = record.log.is_connected() && !record.log.is_closed();
    let view = |heard, text, key, ended| HeardView {
        heard,
        text,
        key,
        ended,
        connected,
    };
    let view = match heard {
        Heard::Said(text) => view("said", Some(text), None, None),
        Heard::Pressed(digit) => {
            let key = Private::from(digit.as_char().to_string());
            view("pressed", None, Some(key), None)
        }
        Heard::Nothing => view("nothing", None, None, None),
        Heard::Over => {
            let _ = tokio::time::timeout(SOON, record.log.ended()).await;
            view("over", None, None, how(&record))
        }
    };
    Json(view).into_response()
}

/// An answer to the caller.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Answer {
    /// What to say, as it is spoken: a sentence or three, without lists or markup.
    text: String,
    /// What follows.
    #[serde(default)]
    then: ThenOrder,
}

/// What follows an answer.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ThenOrder {
    /// The caller speaks.
    #[default]
    Listen,
    /// The call ends once it was heard.
    HangUp,
}

/// What became of an answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct AnsweredView {
    /// `whole`: they heard all of it; `interrupted`: they began to speak, and heard only `text`; `taken_back`: they
    /// went on speaking before it began, and what they said comes when you listen; `said`: nobody had asked anything,
    /// so it is being said as soon as it interrupts nobody; `over`: the call is.
    heard: &'static str,
    /// What they heard of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, nullable = false)]
    text: Option<Private<String>>,
}

/// Answer the caller
///
/// On a call whose agent is `by-hand`. Comes back once it is known what the caller heard.
#[utoipa::path(post, path = "/v1/calls/{id}/answer", tag = "calls", params(("id" = String, Path, description = "The call.")),
    request_body = Answer,
    responses(
        (status = 200, description = "What became of it.", body = AnsweredView),
        (status = 400, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such call.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Another agent talks on the call, or nobody would hear it.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It is no answer.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn answer(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Named(id): Named,
    Given(Answer { text, then }): Given<Answer>,
) -> Response {
    if call::clauses(&text).is_empty() {
        return senseless(
            StatusCode::UNPROCESSABLE_ENTITY,
            "there are no words in `text`",
        );
    }
    let record = match in_hand(&desk, &id).await {
        Ok(record) => record,
        Err(fault) => return Problem::answer(&fault),
    };
    let follows = match then {
        ThenOrder::Listen => Then::Listen,
        ThenOrder::HangUp => Then::HangUp,
    };
    let (hand, call) = (desk.board.hands(), record.id.to_string());
    let answered = hand.answer(&call, Private::from(text.clone()), follows);
    let view = |heard, text| Json(AnsweredView { heard, text }).into_response();
    match answered.await {
        Answered::Whole(text) => view("whole", Some(text)),
        Answered::Interrupted(text) => view("interrupted", Some(text)),
        Answered::TakenBack => view("taken_back", None),
        Answered::Over => view("over", None),
        Answered::NoTurn => match unasked(&record, &text, follows).await {
            Ok(()) => view("said", None),
            Err(fault) => Problem::answer(&fault),
        },
    }
}

/// Says something that answers nothing.
async fn unasked(record: &Arc<Record>, text: &str, then: Then) -> Result<(), Fault> {
    let said = record.log.is_connected() && record.say(Private::from(text.to_owned())).await;
    if !said {
        let message = "nobody would hear it, not yet or not any more";
        let fault = Fault::new(Blame::Caller, code::CALL_NOT_UP, message);
        return Err(fault.hint("listen until `connected` is true"));
    }
    let Some(last) = call::clauses(text).pop().filter(|_| then == Then::HangUp) else {
        return Ok(());
    };
    let record = record.clone();
    tokio::spawn(async move {
        let _ = tokio::time::timeout(SPOKEN, heard(&record, &last)).await;
        record.hang_up().await;
    });
    Ok(())
}

/// Waits until this clause was heard, or its call is over.
async fn heard(record: &Record, last: &str) {
    let mut seen = record.log.after(0).len();
    loop {
        let entries = record.log.wait(seen).await;
        let is_heard = |it: &Event| {
            let whole = matches!(it, Event::AgentSaid { text } if text.reveal() == last);
            whole || matches!(it, Event::AgentInterrupted { .. })
        };
        if entries.is_empty() || entries.iter().any(|it| is_heard(&it.event)) {
            return;
        }
        seen += entries.len();
    }
}

/// A call that is held by hand, once it has an agent at all.
async fn in_hand(desk: &Desk, id: &str) -> Result<Arc<Record>, Fault> {
    let record = find(desk, id)?;
    let plan = desk.board.plan();
    let by_hand = plan.agents.get(&record.agent);
    if !by_hand.is_some_and(|it| matches!(it.answerer, ports::agent::Answerer::ByHand)) {
        let message = format!("the agent {:?} talks on this call", record.agent);
        let fault = Fault::new(Blame::Caller, code::CALL_NOT_BY_HAND, message);
        return Err(fault.hint("make it with the agent `by-hand`, or say something into it"));
    }
    // Its voice may still be being loaded.
    tokio::select! {
        () = desk.board.hands().taken(id) => {}
        () = record.log.ended() => {}
    }
    Ok(record)
}

fn how(record: &Record) -> Option<String> {
    let end = record.log.summary().ended?;
    end["why"].as_str().map(str::to_owned)
}

/// What was said on a call.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct TranscriptView {
    /// In order, as it was heard.
    lines: Vec<LineView>,
}

/// What was said on a call
///
/// What the agent said is what was heard of it, not what it would have said.
#[utoipa::path(get, path = "/v1/calls/{id}/transcript", tag = "calls", params(("id" = String, Path, description = "The call.")),
    responses(
        (status = 200, description = "What was said, up to now.", body = TranscriptView),
        (status = 404, description = "There is no such call.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn transcript(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Named(id): Named,
) -> Response {
    match lines(&desk, id).await {
        Ok(lines) => Json(TranscriptView { lines }).into_response(),
        Err(fault) => Problem::answer(&fault),
    }
}

async fn lines(desk: &Desk, id: String) -> Result<Vec<LineView>, Fault> {
    let reader = desk.board.journal().reader()?;
    if reader.call(id.clone()).await?.is_none() {
        find(desk, &id).map_err(|_| no_such_call())?;
    }
    let mut transcript = Transcript::default();
    transcript::events(&reader, &id, |it| transcript.read(it)).await?;
    Ok(transcript.lines.into_iter().map(LineView::from).collect())
}

const MOST_WAITED: u64 = 60;
/// That a call is over is known a moment before it is told how.
const SOON: Duration = Duration::from_secs(5);
/// Nobody says longer things unasked.
const SPOKEN: Duration = Duration::from_secs(120);
