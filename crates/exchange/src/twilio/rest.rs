//! The REST API: calls and numbers, refused as Twilio refuses.
//!
//! Source: the carrier's OpenAPI description (CreateCall, UpdateCall, FetchCall, ListCall, ListIncomingPhoneNumber).
//! The numbers of errors are the carrier's own; the texts are not.

use super::account;
use super::form::{CREATE, Form, LIST_CALLS, UPDATE, is_number, known, once};
use super::{
    Call, Callback, Carrier, Command, Own, conferences, date, direction, life, recording,
};
use crate::LONGEST_CALL;
use crate::call::CallState;
use crate::ledger::{Direction, Request, Status};
use crate::office::{Trouble, cut, fresh};
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;

/// The API as an HTTP service.
pub(crate) fn router(carrier: Arc<Carrier>) -> Router {
    Router::new().fallback(answer).with_state(carrier)
}

/// A request as far as it matters here.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    authorization: String,
    pub(super) query: Vec<(String, String)>,
    pub(super) form: Vec<(String, String)>,
}

/// A refusal, in the carrier's words.
pub(super) struct Refusal {
    status: u16,
    code: u32,
    message: String,
}

pub(super) fn refusal(status: u16, code: u32, message: impl Into<String>) -> Refusal {
    Refusal {
        status,
        code,
        message: message.into(),
    }
}

pub(super) type Answered = Result<(u16, Value), Refusal>;

async fn answer(State(carrier): State<Arc<Carrier>>, request: axum::extract::Request) -> Response {
    let asked = match read(request).await {
        Ok(asked) => asked,
        Err(refusal) => return respond(Err(&refusal)),
    };
    let trouble = carrier.office.next_trouble();
    if let ("GET", None, Some(id)) = (&*asked.method, trouble, media(&carrier, &asked.path)) {
        return play(&carrier, &asked, id);
    }
    let answered = match trouble {
        Some(Trouble::TooMany) => Err(refusal(429, 20429, "Too many requests")),
        Some(Trouble::Unavailable) => Err(refusal(503, 20503, "Service unavailable")),
        Some(Trouble::Slow(_) | Trouble::Cut(_)) | None => route(&carrier, &asked),
    };
    let (status, code) = match &answered {
        Ok((status, _)) => (*status, 0),
        Err(refusal) => (refusal.status, refusal.code),
    };
    let Asked {
        method,
        path,
        query,
        form,
        ..
    } = asked;
    carrier.office.ledger.requested(Request {
        method,
        path,
        query,
        form,
        status,
        code,
    });
    if let Some(Trouble::Slow(time)) = trouble {
        tokio::time::sleep(time).await;
    }
    if let Some(Trouble::Cut(bytes)) = trouble {
        return cut(respond(answered.as_ref()), bytes).await;
    }
    respond(answered.as_ref())
}

async fn read(request: axum::extract::Request) -> Result<Asked, Refusal> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_FORM).await.map_err(|_| {
        refusal(
            413,
            20413,
            format!("a form has at most {LARGEST_FORM} bytes"),
        )
    })?;
    let text = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let kind = text(header::CONTENT_TYPE);
    if !body.is_empty() && !kind.starts_with("application/x-www-form-urlencoded") {
        return Err(refusal(
            415,
            20415,
            format!("Content-Type {kind:?} is not a form"),
        ));
    }
    Ok(Asked {
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        authorization: text(header::AUTHORIZATION),
        query: pairs(parts.uri.query().unwrap_or_default().as_bytes()),
        form: pairs(&body),
    })
}

fn pairs(encoded: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(encoded)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

fn respond(answered: Result<&(u16, Value), &Refusal>) -> Response {
    let (status, body) = match answered {
        Ok((status, body)) => (*status, body.clone()),
        Err(refusal) => (
            refusal.status,
            json!({
                "code": refusal.code,
                "message": refusal.message,
                "more_info": format!("https://www.twilio.com/docs/errors/{}", refusal.code),
                "status": refusal.status,
            }),
        ),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (
        status,
        [(header::CONTENT_TYPE, "application/json;charset=utf-8")],
        Body::from(body.to_string()),
    )
        .into_response();
    if status == StatusCode::UNAUTHORIZED {
        let value = header::HeaderValue::from_static("Basic realm=\"Twilio API\"");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// The recording that a path is to be had at.
fn media<'p>(carrier: &Carrier, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix("/2010-04-01/Accounts/")?;
    let rest = rest.strip_prefix(&carrier.account.id)?;
    rest.strip_prefix("/Recordings/")?.strip_suffix(".wav")
}

fn play(carrier: &Carrier, asked: &Asked, id: &str) -> Response {
    let found = authenticate(carrier, asked).and_then(|()| {
        let text = format!("The requested resource {} was not found", asked.path);
        let tape = carrier.office.tapes.find(id);
        tape.ok_or_else(|| refusal(404, 20404, text))
    });
    carrier.office.ledger.requested(Request {
        method: asked.method.clone(),
        path: asked.path.clone(),
        query: asked.query.clone(),
        form: Vec::new(),
        status: found.as_ref().map_or_else(|it| it.status, |_| 200),
        code: found.as_ref().map_or_else(|it| it.code, |_| 0),
    });
    match found {
        Ok(tape) => {
            let kind = [(header::CONTENT_TYPE, "audio/x-wav")];
            (kind, tape.wav.to_vec()).into_response()
        }
        Err(refusal) => respond(Err(&refusal)),
    }
}

fn route(carrier: &Arc<Carrier>, asked: &Asked) -> Answered {
    authenticate(carrier, asked)?;
    let not_found = || {
        refusal(
            404,
            20404,
            format!("The requested resource {} was not found", asked.path),
        )
    };
    if asked.path == "/v1/DialingPermissions/Countries" {
        return account::countries(carrier, asked);
    }
    let rest = asked
        .path
        .strip_prefix("/2010-04-01/Accounts/")
        .ok_or_else(not_found)?;
    if asked.method == "GET" && rest == format!("{}.json", carrier.account.id) {
        return Ok((200, account::describe(carrier)));
    }
    let (account, rest) = rest.split_once('/').ok_or_else(not_found)?;
    if account != carrier.account.id {
        return Err(not_found());
    }
    match (asked.method.as_str(), rest) {
        ("POST", "Calls.json") => create(carrier, asked),
        ("GET", "Calls.json") => list(carrier, asked),
        ("GET", "IncomingPhoneNumbers.json") => account::numbers(carrier, asked),
        (_, rest) if rest.starts_with("IncomingPhoneNumbers/") => account::number(carrier, asked, rest),
        (_, rest) if rest.starts_with("Conferences") => conferences::answer(carrier, asked, rest),
        ("POST", rest) if rest.starts_with("Calls/") && rest.ends_with("/Recordings.json") => {
            let sid = rest.trim_start_matches("Calls/");
            let sid = sid.trim_end_matches("/Recordings.json");
            let call = carrier.calls.find(sid).ok_or_else(not_found)?;
            recording::begin(carrier, &call, asked)
        }
        (method, rest) => {
            let sid = rest
                .strip_prefix("Calls/")
                .and_then(|rest| rest.strip_suffix(".json"))
                .ok_or_else(not_found)?;
            let call = carrier.calls.find(sid).ok_or_else(not_found)?;
            match method {
                "GET" => {
                    known(&asked.query, &[])?;
                    Ok((200, describe(carrier, &call)))
                }
                "POST" => update(carrier, &call, asked),
                _ => Err(refusal(405, 20004, "Method not allowed")),
            }
        }
    }
}

fn authenticate(carrier: &Carrier, asked: &Asked) -> Result<(), Refusal> {
    let credentials = asked
        .authorization
        .strip_prefix("Basic ")
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .and_then(|decoded| String::from_utf8(decoded).ok());
    let credentials = credentials.as_deref().and_then(|it| it.split_once(':'));
    match credentials {
        Some((user, password)) if carrier.knows(user, password) => Ok(()),
        Some(_) | None => Err(refusal(401, 20003, "Authenticate")),
    }
}

fn create(carrier: &Arc<Carrier>, asked: &Asked) -> Answered {
    known(&asked.query, &[])?;
    known(&asked.form, CREATE)?;
    once(
        &asked.form,
        &["StatusCallbackEvent", "RecordingStatusCallbackEvent"],
    )?;
    let form = Form(&asked.form);
    let to = form.get("To").filter(|to| !to.is_empty());
    let to = to.ok_or_else(|| refusal(400, 21201, "No 'To' number is specified"))?;
    let from = form.get("From").filter(|from| !from.is_empty());
    let from = from.ok_or_else(|| refusal(400, 21213, "No 'From' number is specified"))?;
    if !is_number(to) && !to.starts_with("sip:") && !to.starts_with("client:") {
        return Err(refusal(
            400,
            21211,
            format!("The phone number you are attempting to call, {to}, is not valid"),
        ));
    }
    if !is_number(from) {
        return Err(refusal(
            400,
            21212,
            format!("The source phone number provided, {from}, is not valid"),
        ));
    }
    let number = carrier.office.number(from).ok_or_else(|| {
        refusal(
            400,
            21210,
            format!(
                "The source phone number provided, {from}, is not yet verified for your account"
            ),
        )
    })?;
    account::may_call(carrier, to)?;
    let instructions = form
        .instructions()?
        .ok_or_else(|| refusal(400, 21205, "Url parameter is required"))?;
    let callback = form.callback(Callback::default())?;
    let timeout = form
        .seconds("Timeout", 1..=600)?
        .unwrap_or(Duration::from_secs(60));
    let time_limit = form
        .seconds("TimeLimit", 1..=86_400)?
        .unwrap_or(LONGEST_CALL);
    form.check_the_rest()?;

    let plan = carrier.office.phone(to);
    let own = Own::new(&number.id, callback);
    let (call, commands) = Call::new(fresh("CA"), Direction::Outbound, (from, to), own);
    carrier
        .calls
        .enter(Arc::clone(&call))
        .map_err(|_| refusal(429, 10004, "Call concurrency limit exceeded"))?;
    let described = describe(carrier, &call);
    let order = life::Order {
        instructions,
        timeout,
        time_limit,
        answered_by: form.answered_by(),
    };
    carrier.office.spawn(life::outbound(
        Arc::clone(carrier),
        call,
        commands,
        plan,
        order,
    ));
    Ok((201, described))
}

fn update(carrier: &Carrier, call: &Call, asked: &Asked) -> Answered {
    known(&asked.query, &[])?;
    known(&asked.form, UPDATE)?;
    once(&asked.form, &[])?;
    let form = Form(&asked.form);
    let state = call.state();
    let mut commands = Vec::new();
    match form.get("Status") {
        None => {}
        Some("completed") => commands.push(Command::Complete),
        Some("canceled") => commands.push(Command::Cancel),
        Some(other) => {
            return Err(refusal(
                400,
                21225,
                format!("{other} is not a status a call can be given"),
            ));
        }
    }
    if form.get("Url").is_some() && form.get("Twiml").is_some() {
        return Err(refusal(400, 20001, "Url and Twiml cannot both be given"));
    }
    if let Some(instructions) = form.instructions()? {
        if state.status != Status::InProgress {
            return Err(refusal(
                400,
                21220,
                "Call is not in-progress. Cannot redirect.",
            ));
        }
        commands.push(Command::Redirect(instructions));
    }
    if let Some(limit) = form.seconds("TimeLimit", 1..=86_400)? {
        commands.push(Command::TimeLimit(limit));
    }
    let callback = form.callback(state.own.callback)?;
    call.set(|own| own.callback = callback);
    if !state.status.is_final() {
        for command in commands {
            match call.commands.try_send(command) {
                // Closed: the call has just ended by itself.
                Ok(()) | Err(TrySendError::Closed(_)) => {}
                Err(TrySendError::Full(_)) => return Err(refusal(429, 20429, "Too many requests")),
            }
        }
    }
    Ok((200, describe(carrier, call)))
}

fn list(carrier: &Carrier, asked: &Asked) -> Answered {
    known(&asked.query, LIST_CALLS)?;
    let query = Form(&asked.query);
    let size = query.page_size()?;
    let wanted = |name: &str, value: &str| query.get(name).is_none_or(|wanted| wanted == value);
    let calls: Vec<Value> = carrier
        .calls
        .all()
        .iter()
        .filter(|call| {
            wanted("To", &call.to)
                && wanted("From", &call.from)
                && wanted("Status", call.state().status.as_str())
                && in_time(
                    &query,
                    "StartTime",
                    call.state().started.unwrap_or(call.created),
                )
        })
        .take(size)
        .map(|call| describe(carrier, call))
        .collect();
    Ok((200, page(carrier, "Calls", "calls", calls, size)))
}

/// Whether a day-grained time filter lets a call through; the carrier compares dates in UTC.
fn in_time(query: &Form<'_>, name: &str, time: jiff::Timestamp) -> bool {
    let day = time.strftime("%Y-%m-%d").to_string();
    let bound = |suffix: &str| {
        query
            .get(&format!("{name}{suffix}"))
            .map(|value| value.chars().take(10).collect())
    };
    let (on, before, after): (Option<String>, Option<String>, Option<String>) =
        (bound(""), bound("<"), bound(">"));
    on.is_none_or(|on| day == on)
        && before.is_none_or(|before| day <= before)
        && after.is_none_or(|after| day >= after)
}

pub(super) fn page(carrier: &Carrier, resource: &str, key: &str, items: Vec<Value>, size: usize) -> Value {
    let uri = format!(
        "/2010-04-01/Accounts/{}/{resource}.json?PageSize={size}&Page=0",
        carrier.account.id
    );
    json!({
        "first_page_uri": uri,
        "uri": uri,
        "next_page_uri": null,
        "previous_page_uri": null,
        "page": 0,
        "page_size": size,
        "start": 0,
        "end": items.len().saturating_sub(1),
        key: items,
    })
}

/// A call as the API shows it.
fn describe(carrier: &Carrier, call: &Call) -> Value {
    let CallState {
        status,
        updated,
        started,
        ended,
        talked,
        own,
    } = call.state();
    let account = &carrier.account.id;
    let uri = format!("/2010-04-01/Accounts/{account}/Calls/{}", call.id);
    let direction = direction(call.direction, &own);
    json!({
        "sid": call.id,
        "account_sid": account,
        "api_version": "2010-04-01",
        "parent_call_sid": own.parent,
        "group_sid": null,
        "trunk_sid": "",
        "phone_number_sid": own.number_sid,
        "from": call.from,
        "from_formatted": formatted(&call.from),
        "to": call.to,
        "to_formatted": formatted(&call.to),
        "status": status.as_str(),
        "direction": direction,
        "answered_by": null,
        "caller_name": null,
        "forwarded_from": null,
        "date_created": date(call.created),
        "date_updated": date(updated),
        "start_time": started.map(date),
        "end_time": ended.map(date),
        "duration": status.is_final().then(|| talked.as_secs_f64().ceil().to_string()),
        "price": null,
        "price_unit": "USD",
        "queue_time": "0",
        "uri": format!("{uri}.json"),
        "subresource_uris": {
            "events": format!("{uri}/Events.json"),
            "notifications": format!("{uri}/Notifications.json"),
            "recordings": format!("{uri}/Recordings.json"),
            "streams": format!("{uri}/Streams.json"),
        },
    })
}

/// A number as the carrier writes it for people: North American ones with brackets, others as they are.
pub(super) fn formatted(number: &str) -> String {
    match number.strip_prefix("+1") {
        Some(digits) if digits.len() == 10 && digits.is_ascii() => {
            format!("({}) {}-{}", &digits[..3], &digits[3..6], &digits[6..])
        }
        Some(_) | None => number.to_owned(),
    }
}

const LARGEST_FORM: usize = 64 * 1024;
