//! What a request brings, read; and what is said where it makes no sense.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use ports::{Blame, Fault, code};
use serde::Serialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::Problem;
use super::api::no_such_call;
use crate::claims::Once;

/// A refusal on its way to whoever asked. Boxed: it is rare, and larger than what is let in.
pub(super) struct Refusal(Box<Response>);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        *self.0
    }
}

impl From<Response> for Refusal {
    fn from(response: Response) -> Self {
        Self(Box::new(response))
    }
}

/// The call that the path names, whether there is such a one or not.
pub(super) struct Named(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let named = Path::<String>::from_request_parts(parts, state).await;
        // What is not even text is the name of no call.
        named
            .map(|Path(id)| Self(id))
            .map_err(|_| Problem::answer(&no_such_call()).into())
    }
}

/// The `Idempotency-Key` of a request, if it has one: what it asks for is done once then.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
pub(super) struct Keyed {
    /// Names this request: a UUID, say. The same one dials once.
    #[param(
        rename = "Idempotency-Key",
        nullable = false,
        min_length = 1,
        max_length = 255,
        pattern = "^[!-~]+$"
    )]
    key: Option<String>,
}

impl Keyed {
    /// The key, together with all that is asked.
    pub(super) fn once(&self, order: &impl Serialize) -> Option<Once> {
        let order = serde_json::to_vec(order).expect("an order is plain data");
        self.key.as_ref().map(|key| Once::new(key, &order))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Keyed {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Refusal> {
        let Some(key) = parts.headers.get("idempotency-key") else {
            return Ok(Self { key: None });
        };
        let key = key
            .to_str()
            .ok()
            .filter(|it| (1..=LONGEST_KEY).contains(&it.len()))
            .filter(|it| it.bytes().all(|it| it.is_ascii_graphic()));
        match key {
            Some(key) => Ok(Self {
                key: Some(key.to_owned()),
            }),
            None => Err(Problem::answer_with(StatusCode::BAD_REQUEST, &nonsense()).into()),
        }
    }
}

fn nonsense() -> Fault {
    let message = "that Idempotency-Key makes no sense";
    let fault = Fault::new(Blame::Caller, code::CALL_KEY, message);
    fault.hint(format!(
        "send 1 to {LONGEST_KEY} visible characters of ASCII, such as a UUID"
    ))
}

/// In characters.
const LONGEST_KEY: usize = 255;

/// Says of an answer that the same request was carried out before.
pub(super) fn replayed(response: impl IntoResponse) -> Response {
    ([("idempotent-replayed", "true")], response).into_response()
}

/// What the query asks for.
pub(super) struct Asked<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Asked<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let asked: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, state).await;
        asked
            .map(|Query(asked)| Self(asked))
            .map_err(|it| senseless(StatusCode::BAD_REQUEST, it.body_text()).into())
    }
}

/// What the body says.
pub(super) struct Given<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Given<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let given: Result<Json<T>, JsonRejection> = Json::from_request(request, state).await;
        given
            .map(|Json(given)| Self(given))
            .map_err(|it| senseless(it.status(), it.body_text()).into())
    }
}

/// A request that is not what was asked for.
pub(super) fn senseless(status: StatusCode, message: impl Into<String>) -> Response {
    let fault = Fault::new(Blame::Caller, code::API_INVALID, message);
    Problem::answer_with(
        status,
        &fault.hint("GET /v1/openapi.json says what each address takes"),
    )
}

/// An address that leads nowhere.
pub(super) async fn nowhere() -> Response {
    let fault = Fault::new(Blame::Caller, code::API_UNKNOWN, "there is nothing here");
    Problem::answer_with(
        StatusCode::NOT_FOUND,
        &fault.hint("GET /v1/openapi.json lists the addresses there are"),
    )
}

/// An address that cannot be asked that.
pub(super) async fn otherwise() -> Response {
    let message = "this address cannot be asked with that method";
    let fault = Fault::new(Blame::Caller, code::API_UNKNOWN, message);
    Problem::answer_with(
        StatusCode::METHOD_NOT_ALLOWED,
        &fault.hint("the header `Allow` names the methods it can be asked with"),
    )
}
