//! Faults as HTTP tells them.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A fault, in the form of RFC 9457. Only the code is stable.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// The code again, as a name of the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// One of [`ports::code`].
    pub code: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub hint: Option<String>,
}

impl From<&Fault> for Problem {
    fn from(fault: &Fault) -> Self {
        Self {
            kind: format!("urn:offhook:{}", fault.code),
            title: fault.message.clone(),
            status: status(fault).as_u16(),
            code: fault.code.to_owned(),
            hint: fault.hint.clone(),
        }
    }
}

impl Problem {
    pub(super) fn answer(fault: &Fault) -> Response {
        Self::answer_with(status(fault), fault)
    }

    /// Where one code has several statuses.
    pub(super) fn answer_with(status: StatusCode, fault: &Fault) -> Response {
        let problem = Self {
            status: status.as_u16(),
            ..Self::from(fault)
        };
        let kind = [(header::CONTENT_TYPE, "application/problem+json")];
        (status, kind, Json(problem)).into_response()
    }
}

fn status(fault: &Fault) -> StatusCode {
    match fault.code {
        code::CALL_UNKNOWN
        | code::CALL_APPROVALS
        | code::CALL_CALLBACKS
        | code::FLIGHT_NONE
        | code::MEETING_UNKNOWN
        | code::REPORT_UNKNOWN => {
            return StatusCode::NOT_FOUND;
        }
        code::CALL_PLANS | code::MEETING_FULL => return StatusCode::CONFLICT,
        code::GATEWAY_SCOPE => return StatusCode::FORBIDDEN,
        code::CALL_KEY => return StatusCode::UNPROCESSABLE_ENTITY,
        code::CALL_UNSURE | code::CALL_NOT_UP | code::CALL_NOT_BY_HAND | code::CALL_OUTCOME => {
            return StatusCode::CONFLICT;
        }
        code::API_INVALID => return StatusCode::BAD_REQUEST,
        code::GATEWAY_TOKEN => return StatusCode::UNAUTHORIZED,
        code::POLICY_SPEND
        | code::POLICY_BURST
        | code::POLICY_TOO_MANY_CALLS
        | code::POLICY_TOO_OFTEN => {
            return StatusCode::TOO_MANY_REQUESTS;
        }
        // What is meant to pass: nothing is wrong with the request.
        code::GATEWAY_STOPPING | code::JOURNAL_BROKEN | code::SPEECH_OVERLOADED => {
            return StatusCode::SERVICE_UNAVAILABLE;
        }
        code::POLICY_NUMBER
        | code::POLICY_NOT_ALLOWED
        | code::POLICY_DANGEROUS
        | code::POLICY_OWN_NUMBER
        | code::POLICY_DO_NOT_CALL
        | code::POLICY_APPROVAL
        | code::POLICY_CONSENT
        | code::POLICY_STOPPED
        | code::POLICY_TRUST
        | code::POLICY_HOURS => return StatusCode::FORBIDDEN,
        _ => {}
    }
    match fault.blame {
        Blame::Config | Blame::Caller => StatusCode::UNPROCESSABLE_ENTITY,
        Blame::Agent | Blame::Carrier | Blame::Vendor => StatusCode::BAD_GATEWAY,
        Blame::Gateway => StatusCode::INTERNAL_SERVER_ERROR,
    }
}
