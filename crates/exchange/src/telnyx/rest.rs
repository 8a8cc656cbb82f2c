//! The REST API: calls and their commands, refused as Telnyx refuses.
//!
//! Source: the carrier's OpenAPI description and its list of error codes. The codes are the carrier's own; the details
//! are not.

use super::body::{Body, NOT_PLAYED, known};
use super::numbers;
use super::transfer::TransferOrder;
use super::webhook::flat;
use super::{Call, Carrier, Cause, Command, Own, control_id, date, life, recording};
use crate::LONGEST_CALL;
use crate::ledger::{Direction, Request, Status};
use crate::office::{Trouble, cut};
use crate::standing::Terms;
use axum::Router;
use axum::body::{Body as Bytes, to_bytes};
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc::error::TrySendError;

/// The API as an HTTP service.
pub(super) fn router(carrier: Arc<Carrier>) -> Router {
    Router::new().fallback(answer).with_state(carrier)
}

/// A request as far as it matters here.
pub(super) struct Asked {
    method: String,
    pub(super) path: String,
    pub(super) authorization: String,
    pub(super) query: Vec<(String, String)>,
    /// Where this exchange was reached.
    base: String,
    body: Map<String, Value>,
}

/// A refusal, in the carrier's words.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    status: u16,
    pub(super) code: u32,
    detail: String,
    /// The member of the body that is at fault.
    member: Option<String>,
}

pub(super) fn refusal(status: u16, code: u32, detail: impl Into<String>) -> Refusal {
    Refusal {
        status,
        code,
        detail: detail.into(),
        member: None,
    }
}

impl Refusal {
    pub(super) fn at(mut self, member: &str) -> Self {
        self.member = Some(member.to_owned());
        self
    }

    fn body(&self) -> Value {
        let mut error = json!({
            "code": self.code.to_string(),
            "title": title(self.code),
            "detail": self.detail,
            "meta": {"url": format!("https://developers.telnyx.com/docs/overview/errors/{}", self.code)},
        });
        if let Some(member) = &self.member {
            error["source"] = json!({"pointer": format!("/{member}")});
        }
        json!({"errors": [error]})
    }
}

/// What is answered with 200, or why it is not.
pub(super) type Answered = Result<Value, Refusal>;

async fn answer(State(carrier): State<Arc<Carrier>>, request: axum::extract::Request) -> Response {
    let asked = match read(request).await {
        Ok(asked) => asked,
        Err(refusal) => return respond(&Err(refusal)),
    };
    if let Some(response) = recording::stored(&carrier, &asked) {
        return response;
    }
    let trouble = carrier.office.next_trouble();
    let answered = match trouble {
        Some(Trouble::TooMany) => Err(refusal(429, 10011, "Too many requests")),
        Some(Trouble::Unavailable) => Err(refusal(503, 10026, "Service unavailable")),
        Some(Trouble::Slow(_) | Trouble::Cut(_)) | None => route(&carrier, &asked),
    };
    let (status, code) = match &answered {
        Ok(_) => (200, 0),
        Err(refusal) => (refusal.status, refusal.code),
    };
    carrier.office.ledger.requested(Request {
        method: asked.method,
        path: asked.path,
        query: asked.query,
        form: flat(&asked.body),
        status,
        code,
    });
    if let Some(Trouble::Slow(time)) = trouble {
        tokio::time::sleep(time).await;
    }
    if let Some(Trouble::Cut(bytes)) = trouble {
        return cut(respond(&answered), bytes).await;
    }
    respond(&answered)
}

async fn read(request: axum::extract::Request) -> Result<Asked, Refusal> {
    let (parts, body) = request.into_parts();
    let body = to_bytes(body, LARGEST_BODY).await.map_err(|_| {
        refusal(413, 10015, format!("a body has at most {LARGEST_BODY} bytes"))
    })?;
    let body = if body.is_empty() {
        Map::new()
    } else {
        serde_json::from_slice(&body)
            .map_err(|why| refusal(400, 10015, format!("The body is not a JSON object: {why}")))?
    };
    let authorization = parts
        .headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let host = parts.headers.get(header::HOST);
    let host = host.and_then(|value| value.to_str().ok()).unwrap_or_default();
    let query = parts.uri.query().unwrap_or_default();
    Ok(Asked {
        base: format!("http://{host}"),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        authorization: authorization.to_owned(),
        query: form_urlencoded::parse(query.as_bytes())
            .into_owned()
            .collect(),
        body,
    })
}

fn respond(answered: &Answered) -> Response {
    let (status, body) = match answered {
        Ok(body) => (StatusCode::OK, body.clone()),
        Err(refusal) => (
            StatusCode::from_u16(refusal.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            refusal.body(),
        ),
    };
    let mut response = (
        status,
        [(header::CONTENT_TYPE, "application/json; charset=utf-8")],
        Bytes::from(body.to_string()),
    )
        .into_response();
    if status == StatusCode::TOO_MANY_REQUESTS {
        for (name, value) in [("limit", "1"), ("remaining", "0"), ("reset", "1")] {
            let name = format!("x-ratelimit-{name}");
            let name = header::HeaderName::try_from(name).expect("a header's name");
            let value = header::HeaderValue::from_static(value);
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn route(carrier: &Arc<Carrier>, asked: &Asked) -> Answered {
    if asked.authorization != format!("Bearer {}", carrier.account.secret) {
        return Err(refusal(401, 10009, "No key found matching the API key"));
    }
    let path = asked.path.replace("%3A", ":").replace("%3a", ":");
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match (asked.method.as_str(), parts.as_slice()) {
        ("POST", ["v2", "calls"]) => dial(carrier, &asked.body),
        ("GET", ["v2", "calls", id]) => {
            let call = find(carrier, id)?;
            Ok(json!({"data": describe(&call)}))
        }
        (method, ["v2", "calls", id, "actions", action])
            if known(action).contains(&"client_state") && method == verb(action) =>
        {
            let call = find(carrier, id)?;
            command(carrier, &call, (action, &asked.base), &asked.body)
        }
        ("GET", ["v2", "recordings", id]) => recording::describe(carrier, id, &asked.base),
        ("GET", ["v2", "connections", id, "active_calls"]) => active(carrier, id),
        ("GET", ["v2", "call_events"]) => Ok(events(carrier, &asked.query)),
        ("GET", ["v2", "call_control_applications", id]) => numbers::application(carrier, id),
        ("PATCH", ["v2", "call_control_applications", id]) => {
            numbers::change_application(carrier, id, &asked.body)
        }
        ("GET", ["v2", "phone_numbers"]) => Ok(numbers::list(carrier, &asked.query)),
        ("PATCH", ["v2", "phone_numbers", id]) => numbers::change(carrier, id, &asked.body),
        _ => Err(not_found()),
    }
}

fn verb(action: &str) -> &'static str {
    if action == "client_state_update" { "PUT" } else { "POST" }
}

pub(super) fn not_found() -> Refusal {
    refusal(404, 10005, "The requested resource or URL could not be found.")
}

fn find(carrier: &Carrier, id: &str) -> Result<Arc<Call>, Refusal> {
    if !id.starts_with("v2:") && !id.starts_with("v3:") {
        return Err(refusal(422, 90015, "The call_control_id provided was not valid."));
    }
    carrier.calls.find(id).ok_or_else(not_found)
}

fn dial(carrier: &Arc<Carrier>, body: &Map<String, Value>) -> Answered {
    let body = Body(body);
    let command_id = body.text("command_id")?;
    if let Some(answer) = command_id.and_then(|id| carrier.answered("", id)) {
        return Ok(answer);
    }
    if body.required("connection_id")? != carrier.account.id {
        let text = "The requested connection_id is either invalid or does not exist. Only Call Control Apps are accepted.";
        return Err(refusal(422, 10015, text).at("connection_id"));
    }
    if body.0.get("to").is_some_and(Value::is_array) {
        return Err(refusal(422, 10015, "several destinations are not played by this exchange").at("to"));
    }
    let (to, from) = (body.party("to")?, body.party("from")?);
    let number = carrier.office.number(from).ok_or_else(|| {
        refusal(403, 10010, format!("{from} is not a number of this account")).at("from")
    })?;
    let standing = carrier.office.standing();
    if standing.unverified(to) || standing.closes(to) || standing.terms == Terms::Spent {
        return Err(refusal(403, 10010, "This account may not call that destination").at("to"));
    }
    let timeout = body.number("timeout_secs", 5..=600)?.unwrap_or(30);
    let longest = LONGEST_CALL.as_secs();
    let time_limit = body.number("time_limit_secs", 30..=longest)?;
    let client_state = body.client_state()?;
    let webhook_url = body.webhook_url()?;
    let order = life::Order {
        timeout: Duration::from_secs(timeout),
        time_limit: Duration::from_secs(time_limit.unwrap_or(longest)),
        stream: body.stream()?,
        judge: judge(&body)?,
    };
    let mut own = Own::new(webhook_url.map_or(number.voice_url, str::to_owned));
    own.client_state = client_state.map(str::to_owned);
    let (call, commands) = Call::new(control_id(), Direction::Outbound, (from, to), own);
    carrier
        .calls
        .enter(Arc::clone(&call))
        .map_err(|_| refusal(422, 90041, "User channel limit exceeded"))?;
    remark(carrier, &call, "dial", &body);
    let answer = json!({"data": describe(&call)});
    if let Some(id) = command_id {
        carrier.remember("", id, &answer);
    }
    let plan = carrier.office.phone(to);
    let life = life::outbound(Arc::clone(carrier), call, commands, plan, order);
    carrier.office.spawn(life);
    Ok(answer)
}

/// Asks something of a call. That is only accepted here; what comes of it is told in events.
fn command(
    carrier: &Carrier,
    call: &Call,
    (action, base): (&str, &str),
    body: &Map<String, Value>,
) -> Answered {
    let body = Body(body);
    let command_id = body.text("command_id")?;
    if let Some(answer) = command_id.and_then(|id| carrier.answered(&call.id, id)) {
        return Ok(answer);
    }
    check_state(call, action)?;
    let client_state = body.client_state()?;
    let webhook_url = body.webhook_url()?;
    let order = ordered(carrier, call, action, &body)?;
    let recording = match action {
        "record_start" => Some(recording::begin(call, &body, base)?),
        _ => None,
    };
    // Before the call obeys: what it then tells carries the new state already.
    call.set(|own| {
        if let Some(state) = client_state {
            own.client_state = Some(state.to_owned());
        }
        if let Some(url) = webhook_url {
            url.clone_into(&mut own.webhook_url);
        }
        if let Some(Command::StartStream(stream)) = &order {
            own.stream = Some(stream.id.clone());
        }
    });
    if let Some(order) = order {
        match call.commands.try_send(order) {
            Ok(()) => {}
            Err(TrySendError::Closed(_)) => return Err(ended()),
            Err(TrySendError::Full(_)) => return Err(refusal(429, 10011, "Too many requests")),
        }
    }
    remark(carrier, call, action, &body);
    let mut answer = json!({"data": {"result": "ok"}});
    if let Some(id) = recording {
        answer["data"]["recording_id"] = json!(id);
    }
    if let Some(id) = command_id {
        carrier.remember(&call.id, id, &answer);
    }
    Ok(answer)
}

/// Whether the call is in a state for that.
fn check_state(call: &Call, action: &str) -> Result<(), Refusal> {
    let status = call.state().status;
    if status.is_final() {
        return Err(ended());
    }
    let answered = status == Status::InProgress;
    match action {
        "answer" if call.direction == Direction::Outbound => {
            Err(refusal(422, 90102, "An outbound call cannot be answered."))
        }
        "reject" if call.direction == Direction::Outbound => {
            Err(refusal(422, 10015, "An outbound call cannot be rejected."))
        }
        "answer" | "reject" if answered => {
            Err(refusal(422, 10015, "This call has already been answered."))
        }
        "answer" | "reject" | "hangup" => Ok(()),
        _ if answered => Ok(()),
        _ => Err(refusal(422, 90034, "This call has not been answered yet.")),
    }
}

fn ended() -> Refusal {
    refusal(422, 90018, "This call is no longer active and can't receive commands.")
}

/// What the call is to do, if it is more than to remember something.
fn ordered(
    carrier: &Carrier,
    call: &Call,
    action: &str,
    body: &Body<'_>,
) -> Result<Option<Command>, Refusal> {
    let on = call.state().own.stream;
    Ok(match action {
        "answer" => Some(Command::Answer(body.stream()?)),
        "reject" => {
            body.required("cause")?;
            match body.choice("cause", &["CALL_REJECTED", "USER_BUSY"])? {
                Some("USER_BUSY") => Some(Command::Reject(Cause::Busy)),
                Some(_) | None => Some(Command::Reject(Cause::Rejected)),
            }
        }
        "hangup" => Some(Command::Hangup),
        "streaming_start" => {
            body.required("stream_url")?;
            if on.is_some() {
                return Err(refusal(422, 90045, "A stream of this call is already on."));
            }
            body.stream()?.map(Command::StartStream)
        }
        "streaming_stop" => {
            let which = body.text("stream_id")?;
            if on.is_none() || which.is_some_and(|which| on.as_deref() != Some(which)) {
                return Err(refusal(422, 90048, "No such stream of this call is on."));
            }
            Some(Command::StopStream)
        }
        "send_dtmf" => Some(Command::Keys(body.keys()?)),
        "transfer" => {
            let order = TransferOrder::read(carrier, call, body)?;
            Some(Command::Transfer(Box::new(order)))
        }
        "record_start" => None,
        _ => {
            body.required("client_state")?;
            None
        }
    })
}

/// Warns of what the request says that nobody reads.
/// Whether it is asked who picks up. Where a greeting ends is not told here.
fn judge(body: &Body<'_>) -> Result<life::Judge, Refusal> {
    Ok(match body.text("answering_machine_detection")? {
        None | Some("disabled") => life::Judge::Silent,
        Some("detect" | "detect_beep" | "detect_words" | "greeting_end") => life::Judge::Tells,
        Some("premium") => life::Judge::TellsMore,
        Some(other) => {
            let text = format!("answering_machine_detection cannot be {other:?}");
            return Err(refusal(422, 10015, text).at("answering_machine_detection"));
        }
    })
}

fn remark(carrier: &Carrier, call: &Call, operation: &str, body: &Body<'_>) {
    let ledger = &carrier.office.ledger;
    for stranger in body.strangers(known(operation)) {
        let text = format!("{operation}: there is no {stranger:?}");
        ledger.warn(10015, &call.id, text);
    }
    let asked = |name: &&&str| {
        let judged = operation == "dial" && **name == "answering_machine_detection";
        body.0.contains_key(**name) && !judged
    };
    for name in NOT_PLAYED.iter().filter(asked) {
        let text = format!("{operation}: {name} is accepted and not played by this exchange");
        ledger.warn(0, &call.id, text);
    }
}

/// A call as the API shows it.
fn describe(call: &Call) -> Value {
    let state = call.state();
    let over = state.status.is_final();
    let talked = match state.started {
        Some(started) if !over => Timestamp::now().duration_since(started).as_secs(),
        Some(_) | None => i64::try_from(state.talked.as_secs()).unwrap_or(i64::MAX),
    };
    let mut described = json!({
        "record_type": "call",
        "call_control_id": call.id,
        "call_leg_id": state.own.leg,
        "call_session_id": state.own.session,
        // Dialling is asynchronous: right after it, and only then, a call is neither over nor alive.
        "is_alive": !over && state.status != Status::Queued,
        "start_time": date(call.created),
        "call_duration": talked,
    });
    if let Some(client_state) = state.own.client_state {
        described["client_state"] = json!(client_state);
    }
    if let Some(time) = state.ended {
        described["end_time"] = json!(date(time));
    }
    described
}

fn active(carrier: &Carrier, connection: &str) -> Answered {
    if connection != carrier.account.id {
        return Err(not_found());
    }
    let live = |call: &Arc<Call>| !call.state().status.is_final();
    let calls: Vec<Value> = carrier.calls.all().iter().filter(|call| live(call)).map(|call| describe(call)).collect();
    let meta = json!({"total_items": calls.len(), "cursors": {"after": null, "before": null}});
    Ok(json!({"data": calls, "meta": meta}))
}

/// What happened on calls, also on those that are over: of each, that it began, and that it ended.
fn events(carrier: &Carrier, query: &[(String, String)]) -> Value {
    let said = |name: &str| query.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str());
    let among = |name: &str, own: &str| said(name).is_none_or(|wanted| wanted == own);
    let wanted = |call: &&Arc<Call>| {
        among("filter[connection_id]", &carrier.account.id)
            && among("filter[from]", &call.from)
            && among("filter[to]", &call.to)
            && said("filter[occurred_at][gte]").is_none_or(|since| date(call.created).as_str() >= since)
    };
    let calls = carrier.calls.all();
    let events = calls.iter().filter(wanted).flat_map(|call| {
        let state = call.state();
        let event = |name: &str, at: Timestamp| {
            json!({
                "record_type": "call_event",
                "type": "webhook",
                "name": name,
                "call_leg_id": state.own.leg,
                "call_session_id": state.own.session,
                "event_timestamp": date(at),
                "metadata": { "payload": {
                    "call_control_id": call.id,
                    "client_state": state.own.client_state,
                    "from": call.from,
                    "to": call.to,
                } },
            })
        };
        let began = event("call.initiated", call.created);
        let ended = state.ended.map(|at| event("call.hangup", at));
        std::iter::once(began).chain(ended).collect::<Vec<_>>()
    });
    let events: Vec<Value> = events.take(EVENTS).collect();
    let meta = json!({"total_pages": 1, "total_results": events.len(), "page_number": 1, "page_size": EVENTS});
    json!({"data": events, "meta": meta})
}

/// More than these are on another page, which nobody has asked for yet.
const EVENTS: usize = 250;

fn title(code: u32) -> &'static str {
    match code {
        10004 => "Missing required parameter",
        10005 => "Resource not found",
        10009 => "Authentication failed",
        10010 => "Authorization failed",
        10011 => "Too many requests",
        10016 => "Phone number must be in +E.164 format",
        10026 => "Service unavailable",
        10032 => "Invalid value for enumeration",
        90015 => "Invalid Call Control ID",
        90017 => "Invalid value for client_state",
        90018 => "Call has already ended",
        90034 => "Call not answered yet",
        90041 => "User channel limit exceeded",
        90045 => "Media streaming is already in use",
        90048 => "Media streaming is not used",
        90102 => "Answer is not possible on an outbound call",
        _ => "Bad request",
    }
}

const LARGEST_BODY: usize = 256 * 1024;
