//! What a request brings, read; and what is said where it makes no sense.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use ports::{Blame, Fault, code};
use serde::de::DeserializeOwned;

use super::Problem;
use super::api::no_such_call;

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
