//! What the owner's own systems are told, and what did not arrive there.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use jiff::Timestamp;
use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::approvals::not_the_owner;
use super::ask::Given;
use super::guard::Owner;
use super::{Desk, Problem};
use crate::access::Scope;
use crate::outbox::{Account, DeadLetter, Which};

/// How a destination of reports stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DestinationView {
    /// The name of its table.
    name: String,
    /// Whether it is told anything: one that is not in the configuration any more is not.
    told: bool,
    /// How many messages wait, those that are under way with them.
    waiting: u64,
    /// How many arrived.
    delivered: u64,
    /// How many tries came to nothing.
    failed: u64,
    /// How many messages are tried no more.
    dead: u64,
    /// When that happened of which a message waits longest.
    oldest: Option<String>,
    /// When it was last tried.
    tried: Option<String>,
    /// Why the last try came to nothing, if it did.
    error: Option<String>,
}

impl DestinationView {
    pub(crate) fn of(account: Account, told: bool) -> Self {
        let text = |it: Option<Timestamp>| it.map(|it| it.to_string());
        Self {
            name: account.name,
            told,
            waiting: account.waiting,
            delivered: account.delivered,
            failed: account.failed,
            dead: account.dead,
            oldest: text(account.oldest),
            tried: text(account.tried),
            error: account.error,
        }
    }
}

/// A message that is tried no more.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct DeadView {
    /// What it is called: its `webhook-id`.
    id: String,
    /// For which destination.
    destination: String,
    /// About which call.
    call: String,
    /// What it tells of.
    event: String,
    /// When that happened.
    time: String,
    /// How often it was tried.
    attempts: u32,
    /// Why the last try came to nothing.
    error: String,
}

impl From<DeadLetter> for DeadView {
    fn from(dead: DeadLetter) -> Self {
        let DeadLetter { letter, error } = dead;
        Self {
            id: letter.id,
            destination: letter.destination,
            call: letter.call,
            event: letter.kind,
            time: letter.at.to_string(),
            attempts: letter.tries.all,
            error,
        }
    }
}

/// Which messages to try again.
#[derive(Clone, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReplayOrder {
    /// Those of this destination; or the one message of this name, or whose name ends so. Absent: all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) which: Option<String>,
    /// Only those of what happened since then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) since: Option<Timestamp>,
}

/// What is tried again.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Replayed {
    /// How many messages.
    pub(crate) replayed: usize,
}

/// Where reports go, and how that stands
#[utoipa::path(get, path = "/v1/reports", tag = "reports",
    responses((status = 200, description = "The destinations.", body = [DestinationView])))]
pub(super) async fn list(State(desk): State<Desk>, _: Extension<Owner>) -> Response {
    match desk.board.outbox().store().accounts().await {
        Ok(accounts) => {
            let views = accounts.into_iter().map(|it| {
                let told = desk.board.outbox().tells(&it.name);
                DestinationView::of(it, told)
            });
            Json(views.collect::<Vec<_>>()).into_response()
        }
        Err(fault) => Problem::answer(&fault),
    }
}

/// The messages that are tried no more
///
/// The latest first, a thousand at most.
#[utoipa::path(get, path = "/v1/reports/dead", tag = "reports",
    responses((status = 200, description = "The messages.", body = [DeadView])))]
pub(super) async fn dead(State(desk): State<Desk>, _: Extension<Owner>) -> Response {
    match desk.board.outbox().store().dead(MOST_LISTED).await {
        Ok(dead) => {
            let dead = dead.into_iter().map(DeadView::from);
            Json(dead.collect::<Vec<_>>()).into_response()
        }
        Err(fault) => Problem::answer(&fault),
    }
}

/// Try messages again
///
/// From now on and as often as new ones, under the names that they had.
#[utoipa::path(post, path = "/v1/reports/replay", tag = "reports", request_body = ReplayOrder,
    responses(
        (status = 200, description = "How many are.", body = Replayed),
        (status = 400, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token may not do that.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No message that is tried no more is called so, and no destination has any.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It does not say which.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn replay(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Extension(scope): Extension<Scope>,
    Given(ReplayOrder { which, since }): Given<ReplayOrder>,
) -> Response {
    if let Some(refusal) = not_the_owner(scope) {
        return refusal;
    }
    let named = which.map_or(Which::All, Which::Named);
    match desk.board.outbox().revive(named.clone(), since).await {
        Ok(0) if named != Which::All => Problem::answer(&nothing_dead()),
        Ok(replayed) => Json(Replayed { replayed }).into_response(),
        Err(fault) => Problem::answer(&fault),
    }
}

/// Nobody need try again what is not dead.
pub(crate) fn nothing_dead() -> Fault {
    let message =
        "nothing that is tried no more is called so, or is for a destination of that name";
    Fault::new(Blame::Caller, code::REPORT_UNKNOWN, message)
        .hint("`offhook reports dead` lists what is tried no more")
}

/// More are not listed at once.
pub(crate) const MOST_LISTED: usize = 1_000;
