//! Callers who ask to be paired, for whoever has the owner's token.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use call::Number;
use jiff::Timestamp;
use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::ask::{Given, Named};
use super::guard::Owner;
use super::{Desk, Problem};
use crate::access::Scope;
use crate::pairings::{Caller, GOOD_FOR};
use crate::switchboard::nobody_waits;

/// A code for one caller to key.
#[derive(Serialize, ToSchema)]
pub(super) struct Code {
    /// Six digits. They are shown now and never again.
    code: String,
    /// How many seconds it is good.
    good_for: u64,
}

/// Those who wait for the owner, and those who may call.
#[derive(Serialize, ToSchema)]
pub(super) struct Pairing {
    waiting: Vec<Waiting>,
    paired: Vec<Paired>,
}

/// Somebody who keyed a code.
#[derive(Serialize, ToSchema)]
pub(super) struct Waiting {
    /// What to call them when they are confirmed or refused.
    id: String,
    /// Their number.
    number: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// Somebody whom the owner confirmed.
#[derive(Serialize, ToSchema)]
pub(super) struct Paired {
    /// Their number.
    number: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    since: Timestamp,
}

/// Whom to remove.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Removal {
    /// Their number.
    #[schema(example = "+15551234567")]
    number: String,
}

/// What was done.
#[derive(Serialize, ToSchema)]
pub(super) struct Settled {
    settled: bool,
}

/// Who asks to be paired, and who is
#[utoipa::path(get, path = "/v1/pairing", tag = "pairing",
    responses((status = 200, description = "They.", body = Pairing)))]
pub(super) async fn list(State(desk): State<Desk>, _: Extension<Owner>) -> Response {
    let since = |it: &Caller| Timestamp::from_millisecond(it.at).unwrap_or_default();
    match desk.board.pairings().callers().await {
        Ok(callers) => Json(Pairing {
            waiting: callers
                .waiting
                .iter()
                .map(|it| Waiting {
                    id: it.id.clone(),
                    number: it.number.as_str().to_owned(),
                    since: since(it),
                })
                .collect(),
            paired: callers
                .paired
                .iter()
                .map(|it| Paired {
                    number: it.number.as_str().to_owned(),
                    since: since(it),
                })
                .collect(),
        })
        .into_response(),
        Err(fault) => Problem::answer(&fault),
    }
}

/// Make a code for one caller to key
///
/// Takes a token of the scope `admin`, as do the others that change who may call.
#[utoipa::path(post, path = "/v1/pairing", tag = "pairing",
    responses(
        (status = 201, description = "The code.", body = Code),
        (status = 409, description = "As many are good as may be.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn new(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Extension(scope): Extension<Scope>,
) -> Response {
    if let Some(refusal) = not_the_owner(scope) {
        return refusal;
    }
    let now = Timestamp::now().as_millisecond();
    match desk.board.pairings().new_code(now).await {
        Ok(code) => {
            let good_for = GOOD_FOR.as_secs();
            (StatusCode::CREATED, Json(Code { code, good_for })).into_response()
        }
        Err(fault) => Problem::answer_with(StatusCode::CONFLICT, &fault),
    }
}

/// Let somebody who waits call from now on
#[utoipa::path(post, path = "/v1/pairing/{id}/confirm", tag = "pairing", params(("id" = String, Path, description = "Who waits.")),
    responses(
        (status = 200, description = "They may.", body = Settled),
        (status = 404, description = "Nobody waits under that name.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn confirm(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Extension(scope): Extension<Scope>,
    Named(id): Named,
) -> Response {
    if let Some(refusal) = not_the_owner(scope) {
        return refusal;
    }
    let now = Timestamp::now().as_millisecond();
    let confirmed = desk.board.pairings().confirm(&id, now).await;
    settled(confirmed.map(|it| it.is_some()), || nobody_waits(&id))
}

/// Forget somebody who waits
#[utoipa::path(post, path = "/v1/pairing/{id}/refuse", tag = "pairing", params(("id" = String, Path, description = "Who waits.")),
    responses(
        (status = 200, description = "They are forgotten.", body = Settled),
        (status = 404, description = "Nobody waits under that name.", body = Problem, content_type = "application/problem+json"),
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
    settled(desk.board.pairings().refuse(&id).await, || {
        nobody_waits(&id)
    })
}

/// Let somebody not call any more
#[utoipa::path(post, path = "/v1/pairing/remove", tag = "pairing", request_body = Removal,
    responses(
        (status = 200, description = "They may not.", body = Settled),
        (status = 400, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "Nobody of that number was paired.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It names no number.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn remove(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Extension(scope): Extension<Scope>,
    Given(removal): Given<Removal>,
) -> Response {
    if let Some(refusal) = not_the_owner(scope) {
        return refusal;
    }
    let unknown = || {
        let message = "nobody of that number was paired";
        Fault::new(Blame::Caller, code::POLICY_PAIRING, message).hint("GET /v1/pairing says who is")
    };
    match Number::parse(&removal.number) {
        Ok(number) => settled(desk.board.pairings().remove(&number).await, unknown),
        Err(_) => settled(Ok(false), unknown),
    }
}

fn settled(done: Result<bool, Fault>, nobody: impl FnOnce() -> Fault) -> Response {
    match done {
        Ok(true) => Json(Settled { settled: true }).into_response(),
        Ok(false) => Problem::answer_with(StatusCode::NOT_FOUND, &nobody()),
        Err(fault) => Problem::answer(&fault),
    }
}

/// Who may call is for the owner to say.
fn not_the_owner(scope: Scope) -> Option<Response> {
    if scope >= Scope::Admin {
        return None;
    }
    let message = "this token may not change who may call";
    let fault = Fault::new(Blame::Gateway, code::GATEWAY_SCOPE, message);
    Some(Problem::answer(
        &fault.hint("make one with `offhook token create --scope admin`"),
    ))
}
