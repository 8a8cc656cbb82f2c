//! The configuration in force: how it stands to its file, and reading that again.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};

use super::guard::Owner;
use super::{Desk, Problem};
use crate::access::Scope;
use crate::rulebook::{Reloaded, Rulebook, Standing, Trouble};

/// Why the file was not put in force: a problem, and every single one.
#[derive(Clone, Debug, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Rejected {
    /// What it comes to.
    #[serde(flatten)]
    pub problem: Problem,
    /// All that is wrong, in the order of the file.
    pub problems: Vec<Trouble>,
}

/// How the file and what is in force stand to each other
#[utoipa::path(get, path = "/v1/config", tag = "gateway",
    responses(
        (status = 200, description = "How they stand.", body = Standing),
        (status = 404, description = "This gateway was not started from a file.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn standing(State(desk): State<Desk>, _: Extension<Owner>) -> Response {
    match rulebook(&desk) {
        Ok(rulebook) => Json(rulebook.standing()).into_response(),
        Err(fault) => Problem::answer_with(StatusCode::NOT_FOUND, &fault),
    }
}

/// Read the configuration again
///
/// It comes into force if nothing is wrong with it; else the one before stays in force.
#[utoipa::path(post, path = "/v1/reload", tag = "gateway",
    responses(
        (status = 200, description = "What changed.", body = Reloaded),
        (status = 404, description = "This gateway was not started from a file.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "Something is wrong with the file.", body = Rejected, content_type = "application/problem+json"),
    ))]
pub(super) async fn reload(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Extension(scope): Extension<Scope>,
) -> Response {
    if scope < Scope::Admin {
        let message = "this token may not change what is in force";
        let fault = Fault::new(Blame::Gateway, code::GATEWAY_SCOPE, message);
        return Problem::answer(&fault.hint("make one with `offhook token create --scope admin`"));
    }
    let rulebook = match rulebook(&desk) {
        Ok(rulebook) => rulebook,
        Err(fault) => return Problem::answer_with(StatusCode::NOT_FOUND, &fault),
    };
    match rulebook.reload().await {
        Ok(reloaded) => Json(reloaded).into_response(),
        Err(problems) => reject(problems),
    }
}

fn reject(problems: Vec<Trouble>) -> Response {
    let message = "the configuration was not reloaded: the one before stays in force";
    let hint = "mend what is wrong with the file, and save it or reload again";
    let fault = Fault::new(Blame::Config, code::CONFIG_INVALID, message).hint(hint);
    let problem = Problem::from(&fault);
    let kind = [(header::CONTENT_TYPE, "application/problem+json")];
    let rejected = Rejected { problem, problems };
    (StatusCode::UNPROCESSABLE_ENTITY, kind, Json(rejected)).into_response()
}

fn rulebook(desk: &Desk) -> Result<Arc<Rulebook>, Fault> {
    desk.rulebook.clone().ok_or_else(|| {
        let message = "this gateway was not started from a file";
        Fault::new(Blame::Config, code::CONFIG_MISSING, message)
            .hint("start one with `offhook serve`")
    })
}
