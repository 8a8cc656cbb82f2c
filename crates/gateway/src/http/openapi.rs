//! What can be asked for, told to programs: OpenAPI 3.1, made from the code that answers.

use axum::Json;
use axum::response::{IntoResponse, Response};
use utoipa::OpenApi as _;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{Content, OpenApi, Ref, RefOr, ResponseBuilder};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::{
    Desk, api, approvals, callbacks, config, events, hand, meetings, outcome, pairing, questions,
    reports, transfer,
};

/// What everyone may ask.
pub(super) fn anyone() -> OpenApiRouter<Desk> {
    OpenApiRouter::new()
        .routes(routes!(api::healthz))
        .routes(routes!(api::readyz))
}

/// What takes a token.
pub(super) fn owners() -> OpenApiRouter<Desk> {
    OpenApiRouter::new()
        .routes(routes!(api::dial, api::list))
        .routes(routes!(api::show))
        .routes(routes!(events::events))
        .routes(routes!(events::recording))
        .routes(routes!(events::all_events))
        .routes(routes!(api::say))
        .routes(routes!(hand::listen))
        .routes(routes!(hand::answer))
        .routes(routes!(hand::transcript))
        .routes(routes!(outcome::judge))
        .routes(routes!(api::digits))
        .routes(routes!(transfer::transfer))
        .routes(routes!(api::end))
        .routes(routes!(api::flight))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::approve))
        .routes(routes!(approvals::refuse))
        .routes(routes!(approvals::stop, approvals::stopped))
        .routes(routes!(approvals::lift))
        .routes(routes!(callbacks::list))
        .routes(routes!(callbacks::cancel))
        .routes(routes!(questions::list))
        .routes(routes!(questions::answer))
        .routes(routes!(reports::list))
        .routes(routes!(reports::dead))
        .routes(routes!(reports::replay))
        .routes(routes!(meetings::open, meetings::list))
        .routes(routes!(meetings::show))
        .routes(routes!(meetings::invite))
        .routes(routes!(meetings::bring))
        .routes(routes!(meetings::person))
        .routes(routes!(meetings::say))
        .routes(routes!(meetings::end))
        .routes(routes!(pairing::list, pairing::new))
        .routes(routes!(pairing::confirm))
        .routes(routes!(pairing::refuse))
        .routes(routes!(pairing::remove))
        .routes(routes!(config::standing))
        .routes(routes!(config::reload))
        .routes(routes!(api::figures))
        .routes(routes!(openapi))
}

/// All of it, as a document.
pub fn document() -> OpenApi {
    let (_, anyone) = anyone().split_for_parts();
    let (_, mut owners) = owners().split_for_parts();
    for path in owners.paths.paths.values_mut() {
        for operation in [&mut path.get, &mut path.post] {
            operation.iter_mut().for_each(guarded);
        }
    }
    let mut document = Described::openapi().merge_from(owners).merge_from(anyone);
    let components = document.components.get_or_insert_default();
    let token = Http::builder()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("From `offhook token create`."));
    components.add_security_scheme(TOKEN, SecurityScheme::Http(token.build()));
    document
}

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "offhook",
        description = "A telephone for agents. Every refusal is an `application/problem+json` whose `code` is stable; \
                       `docs/errors.md` lists the codes."
    ),
    tags(
        (name = "calls", description = "Calls: made, looked at, spoken into, ended."),
        (name = "approvals", description = "Calls that wait for their owner's yes."),
        (name = "callbacks", description = "Calls back that agents have promised."),
        (name = "questions", description = "What agents ask their owner while a caller waits."),
        (name = "meetings", description = "Several people on one line."),
        (name = "pairing", description = "Callers who are not in the configuration, and may call once you say so."),
        (name = "reports", description = "What your own systems are told of calls, and what did not arrive there."),
        (name = "events", description = "What happens on calls, as it happens."),
        (name = "gateway", description = "The gateway itself."),
    )
)]
struct Described;

/// What is true of everything that takes a token.
fn guarded(operation: &mut Operation) {
    let refusals = [
        ("401", "There is no token, or none of ours."),
        (
            "403",
            "The token may not do that, or a page of another site asks.",
        ),
        (
            "421",
            "The request was sent to a name that is not this gateway's.",
        ),
        ("500", "A part of the gateway broke."),
        ("503", "The journal cannot be read or written."),
    ];
    for (status, description) in refusals {
        let answers = &mut operation.responses.responses;
        answers.entry(status.to_owned()).or_insert_with(|| {
            let problem = RefOr::Ref(Ref::from_schema_name("Problem"));
            let content = Content::new(Some(problem));
            let refusal = ResponseBuilder::new()
                .description(description)
                .content("application/problem+json", content);
            RefOr::T(refusal.build())
        });
    }
    let needed = SecurityRequirement::new::<_, _, String>(TOKEN, []);
    operation.security = Some(vec![needed]);
}

/// This document
#[utoipa::path(get, path = "/v1/openapi.json", tag = "gateway",
    responses((status = 200, description = "What can be asked for.", body = serde_json::Value)))]
async fn openapi() -> Response {
    Json(document()).into_response()
}

const TOKEN: &str = "token";
