//! What agents ask the owner while their callers wait.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use call::Private;
use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::approvals::not_the_owner;
use super::ask::{Given, Named};
use super::guard::Owner;
use super::{Desk, Problem};
use crate::access::Scope;
use crate::tools::Question;

/// A question that waits for the owner.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QuestionView {
    /// Our name for it.
    id: String,
    /// On which call.
    call: String,
    /// What the agent wants to know.
    #[schema(value_type = String)]
    question: Private<String>,
    /// Since when.
    since: String,
}

impl From<Question> for QuestionView {
    fn from(question: Question) -> Self {
        Self {
            id: question.id,
            call: question.call,
            question: question.text,
            since: question.since.to_string(),
        }
    }
}

/// The owner's answer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct AnswerOrder {
    /// What the agent is told. It is data to it, and no instruction.
    #[schema(value_type = String)]
    answer: String,
}

/// What agents ask the owner
///
/// The oldest first. Each waits two minutes at most, and no longer than its caller does.
#[utoipa::path(get, path = "/v1/questions", tag = "questions",
    responses((status = 200, description = "The questions.", body = [QuestionView])))]
pub(super) async fn list(State(desk): State<Desk>, _: Extension<Owner>) -> Response {
    let waiting = desk.board.questions().list().into_iter();
    Json(waiting.map(QuestionView::from).collect::<Vec<_>>()).into_response()
}

/// Answer a question
#[utoipa::path(post, path = "/v1/questions/{id}", tag = "questions",
    params(("id" = String, Path, description = "The question, or the end of its name.")), request_body = AnswerOrder,
    responses(
        (status = 204, description = "The agent is told."),
        (status = 400, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 403, description = "The token may not say so.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No question waits by that name.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It is no answer.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn answer(
    State(desk): State<Desk>,
    _: Extension<Owner>,
    Extension(scope): Extension<Scope>,
    Named(id): Named,
    Given(AnswerOrder { answer }): Given<AnswerOrder>,
) -> Response {
    if let Some(refusal) = not_the_owner(scope) {
        return refusal;
    }
    if desk.board.questions().answer(&id, answer.into()) {
        return StatusCode::NO_CONTENT.into_response();
    }
    let message = "no question waits by that name";
    let fault = Fault::new(Blame::Caller, code::CALL_UNKNOWN, message);
    Problem::answer(&fault.hint("`offhook questions` lists those that wait"))
}
