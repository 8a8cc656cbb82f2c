//! Callers who are put through to somebody.

use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use call::Referral;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::api::connected;
use super::ask::{Given, Keyed, Named, replayed};
use super::pace::{Bearer, places};
use super::{Desk, Problem};
use crate::access::Scope;
use crate::switchboard::Carried;

/// Whom to put a caller through to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct PutThrough {
    /// The name of a `[transfers.…]` table: never digits.
    to: String,
    /// What the caller wants, in a few words.
    #[serde(default)]
    about: String,
}

/// Put a caller through to someone
///
/// The caller hears music while the other one is called and asked; if they will not or cannot, the
/// agent has the caller back and says why. Where the table says `by = "carrier"` the phone company does
/// it by itself, and asks nobody. But for a token that may do everything, it is done where the agent itself may: to whom
/// its `transfer_to` names, for a caller of whom we are as sure as the table's `trust` says.
#[utoipa::path(post, path = "/v1/calls/{id}/transfer", tag = "calls",
    params(("id" = String, Path, description = "The call."), Keyed), request_body = PutThrough,
    responses(
        (status = 202, description = "They are being called, or were by the same request before.",
            headers(("idempotent-replayed" = String, description = "`true`"))),
        (status = 400, description = "The body is no JSON, or the Idempotency-Key makes no sense.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The policy does not allow it.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such call, or nobody of that name.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "Nobody talks to an agent on the call, not yet or not any more.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It names nobody, or the key was used for something else.", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "As many calls are up, or were made in the last hour, or by this token in the last minute, as may be.", body = Problem, content_type = "application/problem+json",
            headers(("retry-after" = u64, description = "Where it is the token's minute: in so many seconds there is room."))),
        (status = 502, description = "A vendor of speech failed.", body = Problem, content_type = "application/problem+json"),
        (status = 503, description = "No call is made now.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn transfer(
    State(desk): State<Desk>,
    asks: (Extension<Scope>, Extension<Bearer>),
    Named(id): Named,
    keyed: Keyed,
    Given(given): Given<PutThrough>,
) -> Response {
    let (Extension(scope), Extension(bearer)) = asks;
    let once = keyed.once(&("transfer", &id, &given));
    let places = match places(&desk, bearer, 1) {
        Ok(places) => places,
        Err(too_often) => return *too_often,
    };
    let referred = async {
        let record = connected(&desk, &id)?;
        let referral = Referral {
            to: given.to,
            about: given.about.into(),
        };
        if scope < Scope::Admin {
            // Whoever has it may be as easily talked into something as an agent.
            desk.board.trusts(&record, &referral)?;
        }
        desk.board.refer_once(once, &record, referral).await
    };
    match referred.await {
        Ok(Carried::Now(_)) => {
            places.taken();
            StatusCode::ACCEPTED.into_response()
        }
        Ok(Carried::Before(_)) => replayed(StatusCode::ACCEPTED),
        Err(fault) => Problem::answer(&fault),
    }
}
