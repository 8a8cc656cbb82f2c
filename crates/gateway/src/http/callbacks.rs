//! Calls back that agents have promised.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use call::Private;
use serde::Serialize;
use utoipa::ToSchema;

use super::approvals::not_the_owner;
use super::ask::Named;
use super::guard::Owner;
use super::{Desk, Problem};
use crate::access::Scope;
use crate::switchboard::Callback;

/// A call back that was promised.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CallbackView {
    /// Our name for the call that it becomes.
    id: String,
    /// `waiting`; `begun`, where nobody knows what became of it; `made`, `refused`, `cancelled`, or `too_late`.
    state: String,
    /// On which call it was promised.
    call: String,
    /// Whom it is to: their number.
    #[schema(value_type = String)]
    to: Private<String>,
    /// What the owner calls them, if they are a contact.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    contact: Option<String>,
    /// What it is for.
    #[schema(value_type = String)]
    why: Private<String>,
    /// When it was promised.
    since: String,
    /// For when.
    due: String,
}

impl From<Callback> for CallbackView {
    fn from(callback: Callback) -> Self {
        Self {
            id: callback.id,
            state: callback.state.to_owned(),
            call: callback.of,
            to: callback.to,
            contact: callback.contact,
            why: callback.why,
            since: callback.since.to_string(),
            due: callback.due.to_string(),
        }
    }
}

/// The calls back that agents have promised
///
/// Those of the last week and those to come, the first due first.
#[utoipa::path(get, path = "/v1/callbacks", tag = "callbacks",
    responses((status = 200, description = "The calls back.", body = [CallbackView])))]
pub(super) async fn list(State(desk): State<Desk>, _: Extension<Owner>) -> Response {
    match desk.board.callbacks().await {
        Ok(all) => {
            let all = all.into_iter().map(CallbackView::from);
            Json(all.collect::<Vec<_>>()).into_response()
        }
        Err(fault) => Problem::answer(&fault),
    }
}

/// Take a call back off
///
/// Nobody is told: whoever was promised it is not called.
#[utoipa::path(delete, path = "/v1/callbacks/{id}", tag = "callbacks",
    params(("id" = String, Path, description = "The call, or the end of its name.")),
    responses(
        (status = 204, description = "It will not be made."),
        (status = 403, description = "The token may not say so.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No call back waits by that name.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn cancel(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Extension(scope): Extension<Scope>,
    Named(id): Named,
) -> Response {
    if let Some(refusal) = not_the_owner(scope) {
        return refusal;
    }
    match desk.board.cancel_callback(&id).await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(fault) => Problem::answer(&fault),
    }
}
