//! What a call is to achieve, and what came of it.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use call::Private;
use ports::agent::Objective;
use ports::code;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::ask::{Given, Named};
use super::guard::Owner;
use super::pace::Bearer;
use super::{Desk, Problem};
use crate::access::Scope;
use crate::outcome::{Claim, GoalWord, Judgement, ReachedWord};
use crate::switchboard::Asker;

/// What a call is to achieve. Its agent is told all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ObjectiveOrder {
    /// What is to be achieved.
    #[schema(max_length = 4096, example = "Find a time for dinner on Friday.")]
    pub goal: String,
    /// What the agent may go by, and say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub facts: Vec<String>,
    /// What it is not to say.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub avoid: Vec<String>,
    /// What to do where the goal cannot be achieved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(max_length = 1024)]
    pub fallback: Option<String>,
    /// By what one can tell that it was.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub success: Vec<String>,
    /// The shape of what is to be found out: a JSON schema, which refers to nothing outside of itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub schema: Option<Value>,
}

impl From<ObjectiveOrder> for Objective {
    fn from(order: ObjectiveOrder) -> Self {
        let private = |list: Vec<String>| list.into_iter().map(Private::from).collect();
        Self {
            goal: order.goal.into(),
            facts: private(order.facts),
            avoid: private(order.avoid),
            fallback: order.fallback.map(Private::from),
            success: private(order.success),
            schema: order.schema.map(Private::new),
        }
    }
}

/// What came of a call.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct OutcomeView {
    /// Whom it reached: what the gateway knows of that is not left to whoever judges.
    pub reached: ReachedWord,
    /// What became of what it was for.
    pub goal: GoalWord,
    /// Who says so: the `agent` that talked, whoever wanted the call (`hand`), or the `gateway`, which knows no more than
    /// how the call went.
    pub judged_by: String,
    /// What happened, in a sentence or two.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub summary: Option<String>,
    /// What was found out, by the schema that was given with the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub facts: Option<Value>,
    /// The words on the call that show it: each was looked up in the transcript, and stands there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proof: Vec<ProofView>,
    /// What was claimed without any such words: `goal`, or the names of facts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unproven: Vec<String>,
    /// The code of why the agent that was asked did not judge it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub unjudged: Option<String>,
    /// When it was written down.
    pub time: String,
}

/// Words on a call that show something.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProofView {
    /// What they show: `goal`, or the name of a fact.
    pub of: String,
    /// In which line of the transcript, counted from 1.
    pub line: u32,
    /// `caller`, or `agent`.
    pub who: String,
    /// The words, as they stand there.
    pub text: String,
    /// Milliseconds after the call began.
    pub ms: u64,
}

impl OutcomeView {
    /// As its event tells it.
    pub(super) fn of(event: Value) -> Option<Self> {
        serde_json::from_value(event).ok()
    }
}

/// What somebody says came of a call.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct JudgementOrder {
    /// What became of what it was for.
    goal: GoalWord,
    /// Whom it reached, where the gateway does not know.
    #[serde(default)]
    reached: Option<ReachedWord>,
    /// What happened, in a sentence or two.
    #[serde(default)]
    summary: Option<String>,
    /// What was found out: by the schema that was given with the call, or an object where none was.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    facts: Option<Value>,
    /// Which words of the transcript show it.
    #[serde(default)]
    #[schema(max_items = 64)]
    proof: Vec<Claim>,
}

/// Say what came of a call
///
/// Of a call with an objective that is over, and of which its agent has not said so: one that you held by hand, say. It
/// can be said once, with the token that made the call or one of scope `admin`. What you claim is looked up in the
/// transcript.
#[utoipa::path(post, path = "/v1/calls/{id}/outcome", tag = "calls",
    params(("id" = String, Path, description = "The call.")), request_body = JudgementOrder,
    responses(
        (status = 201, description = "It was written down.", body = OutcomeView),
        (status = 400, description = "The body is no JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "There is no such call.", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The call is up, was for nothing in particular, was judged before, or was made with another token.", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The body is too large.", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "The body is not said to be JSON.", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "It makes no sense, or its facts are not what the schema wants.", body = Problem, content_type = "application/problem+json"),
    ))]
pub(super) async fn judge(
    State(desk): State<Desk>,
    asks: (Extension<Owner>, Extension<Scope>, Extension<Bearer>),
    Named(id): Named,
    Given(order): Given<JudgementOrder>,
) -> Response {
    let (_, Extension(scope), Extension(bearer)) = asks;
    let asker = match scope {
        Scope::Admin => Asker::Owner,
        Scope::Read | Scope::Call => Asker::Bearer(bearer.name()),
    };
    let judgement = Judgement {
        goal: order.goal,
        reached: order.reached,
        summary: order.summary,
        facts: order.facts,
        proof: order.proof,
    };
    match desk.board.say_outcome(&id, judgement, &asker).await {
        Ok(event) => (StatusCode::CREATED, Json(OutcomeView::of(event))).into_response(),
        Err(fault) if fault.code == code::API_INVALID => {
            Problem::answer_with(StatusCode::UNPROCESSABLE_ENTITY, &fault)
        }
        Err(fault) => Problem::answer(&fault),
    }
}
