//! What the owner alone decides: which calls that wait are made, and whether any are.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use call::Private;
use ports::{Blame, Fault, code};
use serde::Serialize;
use utoipa::ToSchema;

use super::api::{CallView, OnMachineOrder};
use super::ask::Named;
use super::guard::Owner;
use super::{Desk, Problem};
use crate::access::Scope;
use crate::switchboard::{Approval, OnMachine, Purpose};

/// A call that waits for its owner's yes, or waited.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct ApprovalView {
    /// Our name for the call that it becomes.
    id: String,
    /// `waiting`, `approved`, `refused`, or `too_late`.
    state: String,
    /// Whom it is to: their number.
    #[schema(value_type = String)]
    to: Private<String>,
    /// What the owner calls them, if they are a contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    contact: Option<String>,
    /// From which of our numbers; absent: the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    from: Option<String>,
    /// With which agent; absent: the number's own.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    agent: Option<String>,
    /// What is to be said; absent: the agent talks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, nullable = false)]
    say: Option<Private<String>>,
    /// What to do when a machine picks up; absent: as the agent's table says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    on_machine: Option<OnMachineOrder>,
    /// What a machine is left, if not the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, nullable = false)]
    machine_message: Option<Private<String>>,
    /// What the call is for, if whoever asked for it said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, nullable = false)]
    purpose: Option<Private<String>>,
    /// What its agent is told beside it, if that is more: `facts`, `avoid`, `fallback`, `success`, `schema`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>, nullable = false)]
    brief: Option<Private<serde_json::Value>>,
    /// Which rule has it wait, and where that stands.
    rule: String,
    /// The most that it can cost, in the currency of `[rates]`.
    price_ceiling: f64,
    /// Since when it waits.
    since: String,
    /// Until when; then it is refused.
    until: String,
}

impl From<Approval> for ApprovalView {
    fn from(approval: Approval) -> Self {
        let wish = approval.wish;
        let (on_machine, machine_message) = match wish.on_machine {
            OnMachine::AsUsual => (None, None),
            OnMachine::HangUp => (Some(OnMachineOrder::HangUp), None),
            OnMachine::Leave => (Some(OnMachineOrder::Leave), None),
            OnMachine::LeaveThis(text) => (Some(OnMachineOrder::Leave), Some(text)),
            OnMachine::Talk => (Some(OnMachineOrder::Talk), None),
        };
        Self {
            on_machine,
            machine_message,
            brief: wish
                .objective
                .as_ref()
                .and_then(ports::agent::Objective::brief)
                .map(Private::new),
            purpose: wish.objective.map(|it| it.goal),
            id: approval.id,
            state: approval.state.to_owned(),
            to: wish.to.into(),
            contact: approval.contact,
            from: wish.from,
            agent: wish.agent,
            say: match wish.purpose {
                Purpose::Converse => None,
                Purpose::ConverseFrom(text) | Purpose::Notify(text) => Some(text),
            },
            rule: approval.rule,
            price_ceiling: approval.ceiling as f64 / 1e6,
            since: approval.since.to_string(),
            until: approval.until.to_string(),
        }
    }
}

/// Tells whoever asked for a call that it waits.
pub(super) fn held(approval: Approval) -> Response {
    (StatusCode::ACCEPTED, Json(ApprovalView::from(approval))).into_response()
}

/// The calls that wait for the owner's yes
///
/// The oldest first.
#[utoipa::path(get, path = "/v1/approvals", tag = "approvals",
    responses((status = 200, description = "The calls.", body = [ApprovalView])))]
pub(super) async fn list(State(desk): State<Desk>, _: Extension<Owner>) -> Response {
    match desk.board.approvals().await {
        Ok(waiting) => {
            let waiting = waiting.into_iter().map(ApprovalView::from);
            Json(waiting.collect::<Vec<_>>()).into_response()
        }
        Err(fault) => Problem::answer(&fault),
    }
}

/// Say yes to a call
///
/// It is made now, if all other rules allow it still.
#[utoipa::path(post, path = "/v1/approvals/{id}/approve", tag = "approvals",
    params(("id" = String, Path, description = "The call.")),
    responses(
        (status = 201, description = "The call was made.", body = CallView),
        (status = 403, description = "The token may not say so, or the policy does not allow the call any more.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No call waits by that name.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It cannot be made any more as it was wanted.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "As many calls are up, or were made in the last hour, as may be.", body = Problem, content_type = "application/problem+json"),
        (status = 502, description = "The agent or a vendor of speech failed.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn approve(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Extension(scope): Extension<Scope>,
    Named(id): Named,
) -> Response {
    if let Some(refusal) = not_the_owner(scope) {
        return refusal;
    }
    match desk.board.approve(&id).await {
        Ok(record) => (StatusCode::CREATED, Json(CallView::of_record(&record))).into_response(),
        Err(fault) => Problem::answer(&fault),
    }
}

/// Say no to a call
#[utoipa::path(post, path = "/v1/approvals/{id}/refuse", tag = "approvals",
    params(("id" = String, Path, description = "The call.")),
    responses(
        (status = 204, description = "It will not be made."),
        (status = 403, description = "The token may not say so.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No call waits by that name.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn refuse(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Extension(scope): Extension<Scope>,
    Named(id): Named,
) -> Response {
    if let Some(refusal) = not_the_owner(scope) {
        return refusal;
    }
    match desk.board.refuse_call(&id).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(fault) => Problem::answer(&fault),
    }
}

/// How everything stands.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(super) struct Stopped {
    /// Whether nothing begins.
    stopped: bool,
    /// How many calls are being ended.
    ended: usize,
}

/// Stop everything
///
/// Every call is ended, and none begins any more: nobody is called, put through or invited, and nobody who
/// calls is answered, also after a restart.
#[utoipa::path(post, path = "/v1/stop-all", tag = "gateway",
    responses((status = 200, description = "Everything is stopped.", body = Stopped)))]
pub(super) async fn stop(State(desk): State<Desk>, _: Extension<Owner>) -> Response {
    match desk.board.stop_all().await {
        Ok(ended) => Json(Stopped {
            stopped: true,
            ended,
        })
        .into_response(),
        Err(fault) => Problem::answer(&fault),
    }
}

/// Let calls begin again
#[utoipa::path(post, path = "/v1/stop-all/lift", tag = "gateway",
    responses(
        (status = 200, description = "They do.", body = Stopped),
        (status = 403, description = "The token may not do that.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn lift(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Extension(scope): Extension<Scope>,
) -> Response {
    if let Some(refusal) = not_the_owner(scope) {
        return refusal;
    }
    match desk.board.lift().await {
        Ok(_) => Json(Stopped {
            stopped: false,
            ended: 0,
        })
        .into_response(),
        Err(fault) => Problem::answer(&fault),
    }
}

/// Whether everything is stopped
#[utoipa::path(get, path = "/v1/stop-all", tag = "gateway",
    responses((status = 200, description = "Whether it is.", body = Stopped)))]
pub(super) async fn stopped(State(desk): State<Desk>, _: Extension<Owner>) -> Response {
    Json(Stopped {
        stopped: desk.board.is_stopped(),
        ended: 0,
    })
    .into_response()
}

/// An agent that may make calls does not say yes to its own.
pub(super) fn not_the_owner(scope: Scope) -> Option<Response> {
    if scope >= Scope::Admin {
        return None;
    }
    let message = "this token may not speak for the owner";
    let fault = Fault::new(Blame::Gateway, code::GATEWAY_SCOPE, message);
    Some(Problem::answer(
        &fault.hint("make one with `offhook token create --scope admin`"),
    ))
}
