//! The REST API: calls, live calls, numbers and the account, refused as Plivo refuses.
//!
//! Source: the carrier's API reference and its SDK. Every path ends with a slash; refusals have no numbers, only a status.

use super::body::{Body, LARGEST};
use super::cause::status_word;
use super::numbers;
use super::xml::{Stream, Unstreamable};
use super::webhook::billed;
use super::{Call, Carrier, Command, Notice, Own, digits, life, recording, tones, uuid};
use crate::LONGEST_CALL;
use crate::ledger::{Direction, Request, Status};
use crate::office::{Trouble, cut};
use crate::standing::Terms;
use axum::Router;
use axum::body::to_bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::sync::Arc;
use tokio::sync::mpsc::error::TrySendError;

/// The API as an HTTP service.
pub(crate) fn router(carrier: Arc<Carrier>) -> Router {
    Router::new().fallback(answer).with_state(carrier)
}

/// A request as far as it matters here.
struct Asked {
    method: String,
    path: String,
    authorization: String,
    query: Vec<(String, String)>,
    body: Body,
    /// Where this exchange was reached.
    base: String,
}

/// A refusal, in the carrier's words.
pub(super) struct Refusal {
    status: u16,
    error: String,
}

pub(super) fn refusal(status: u16, error: impl Into<String>) -> Refusal {
    Refusal {
        status,
        error: error.into(),
    }
}

/// What a request came to. A deletion has no words.
pub(super) type Answered = Result<(u16, Option<Value>), Refusal>;

async fn answer(State(carrier): State<Arc<Carrier>>, request: axum::extract::Request) -> Response {
    let mut asked = match read(request).await {
        Ok(asked) => asked,
        Err(refusal) => return respond(Err(refusal)),
    };
    if let ("GET", Some(id)) = (&*asked.method, media(&carrier, &asked.path)) {
        return play(&carrier, &asked, id);
    }
    let trouble = carrier.office.next_trouble();
    let answered = match trouble {
        Some(Trouble::TooMany) => Err(refusal(429, "too many requests")),
        Some(Trouble::Unavailable) => Err(refusal(503, "service unavailable")),
        Some(Trouble::Slow(_) | Trouble::Cut(_)) | None => route(&carrier, &mut asked),
    };
    carrier.office.ledger.requested(Request {
        method: asked.method,
        path: asked.path,
        query: asked.query,
        form: asked.body.into_form(),
        status: match &answered {
            Ok((status, _)) => *status,
            Err(refusal) => refusal.status,
        },
        code: 0,
    });
    if let Some(Trouble::Slow(time)) = trouble {
        tokio::time::sleep(time).await;
    }
    if let Some(Trouble::Cut(bytes)) = trouble {
        return cut(respond(answered), bytes).await;
    }
    respond(answered)
}

async fn read(request: axum::extract::Request) -> Result<Asked, Refusal> {
    let (parts, body) = request.into_parts();
    let bytes = to_bytes(body, LARGEST)
        .await
        .map_err(|_| refusal(413, format!("a request has at most {LARGEST} bytes")))?;
    let text = |name| {
        parts
            .headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned()
    };
    let query = form_urlencoded::parse(parts.uri.query().unwrap_or_default().as_bytes());
    Ok(Asked {
        base: format!("http://{}", text(header::HOST)),
        method: parts.method.to_string(),
        path: parts.uri.path().to_owned(),
        authorization: text(header::AUTHORIZATION),
        query: query.into_owned().collect(),
        body: Body::read(&text(header::CONTENT_TYPE), &bytes)?,
    })
}

fn respond(answered: Answered) -> Response {
    let (status, body) = match answered {
        Ok((status, body)) => (status, body),
        Err(Refusal { status, error }) => (status, Some(json!({"error": error}))),
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let Some(mut body) = body else {
        return status.into_response();
    };
    body["api_id"] = json!(uuid());
    let kind = [(header::CONTENT_TYPE, "application/json")];
    let mut response = (status, kind, body.to_string()).into_response();
    if status == StatusCode::UNAUTHORIZED {
        let value = header::HeaderValue::from_static("Basic realm=\"Login Required\"");
        response
            .headers_mut()
            .insert(header::WWW_AUTHENTICATE, value);
    }
    response
}

/// The recording that a path is to be had at.
fn media<'p>(carrier: &Carrier, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix("/v1/Account/")?;
    let rest = rest.strip_prefix(&carrier.account.id)?;
    rest.strip_prefix("/Recording/")?.strip_suffix(".wav")
}

/// Recordings are kept for the account alone.
fn play(carrier: &Carrier, asked: &Asked, id: &str) -> Response {
    let found = authenticate(carrier, asked).and_then(|()| {
        let tape = carrier.office.tapes.find(id);
        tape.ok_or_else(|| refusal(404, "not found"))
    });
    match found {
        Ok(tape) => ([(header::CONTENT_TYPE, "audio/x-wav")], tape.wav.to_vec()).into_response(),
        Err(refusal) => respond(Err(refusal)),
    }
}

fn route(carrier: &Arc<Carrier>, asked: &mut Asked) -> Answered {
    authenticate(carrier, asked)?;
    let not_found = || refusal(404, "not found");
    let place = format!("/v1/Account/{}/", carrier.account.id);
    let path = asked.path.clone();
    let rest = path.strip_prefix(&place).ok_or_else(not_found)?;
    // Without the slash at the end there is nothing.
    let whole = rest.is_empty() || rest.ends_with('/');
    let parts: Vec<&str> = rest.split_terminator('/').collect();
    let method = asked.method.as_str();
    match (whole, method, &parts[..]) {
        (false, _, _) => Err(not_found()),
        (true, "GET", []) => Ok((200, Some(numbers::account(carrier)))),
        (true, "GET", ["Number"]) => Ok((200, Some(numbers::list(carrier, &asked.query)))),
        (true, "GET", ["Number", number]) => carrier
            .office
            .number(&plus(number))
            .map(|known| (200, Some(numbers::describe(carrier, number, &known))))
            .ok_or_else(not_found),
        (true, "POST", ["Number", number]) => numbers::change(carrier, &plus(number), &asked.body),
        (true, "GET", ["Application"]) => Ok((200, Some(numbers::applications(carrier, &asked.query)))),
        (true, "POST", ["Application"]) => numbers::make(carrier, &asked.body),
        (true, "GET", ["Application", id]) => numbers::application(carrier, id),
        (true, "POST", ["Application", id]) => numbers::change_application(carrier, id, &asked.body),
        (true, "POST", ["Call"]) => create(carrier, &mut asked.body),
        (true, "GET", ["Call"]) => list(carrier, &asked.query),
        (true, "GET", ["Conference", name]) => carrier.conferences.describe(&name.replace("%20", " ")),
        (true, "DELETE", ["Conference", name]) => carrier.conferences.close(&name.replace("%20", " ")),
        (true, "GET", ["Recording", id]) => recording::describe(carrier, id, &asked.base),
        (true, "DELETE", ["Request", request]) => cancel(carrier, request),
        (true, _, ["Call", id, rest @ ..]) => {
            let call = carrier.calls.find(id).ok_or_else(not_found)?;
            match (method, rest) {
                ("GET", []) => show(carrier, &call, &asked.query),
                ("POST", []) => transfer(carrier, &call, &mut asked.body),
                ("DELETE", []) => hang_up(&call),
                ("POST", ["DTMF"]) => press(carrier, &call, &mut asked.body),
                ("POST", ["Record"]) => recording::begin(carrier, &call, &asked.body, &asked.base),
                ("POST", ["Stream"]) => stream(carrier, &call, &mut asked.body),
                ("DELETE", ["Stream"]) => stop_stream(&call, None),
                ("DELETE", ["Stream", stream]) => stop_stream(&call, Some(stream)),
                (_, [] | ["DTMF" | "Record" | "Stream"] | ["Stream", _]) => Err(not_allowed()),
                _ => Err(not_found()),
            }
        }
        (true, _, [] | ["Call" | "Number" | "Application"] | ["Number" | "Application" | "Request", _]) => Err(not_allowed()),
        _ => Err(not_found()),
    }
}

fn not_allowed() -> Refusal {
    refusal(405, "method not allowed")
}

fn authenticate(carrier: &Carrier, asked: &Asked) -> Result<(), Refusal> {
    let credentials = asked
        .authorization
        .strip_prefix("Basic ")
        .and_then(|encoded| STANDARD.decode(encoded).ok())
        .and_then(|decoded| String::from_utf8(decoded).ok());
    let expected = format!("{}:{}", carrier.account.id, carrier.account.secret);
    match credentials {
        Some(credentials) if credentials == expected => Ok(()),
        Some(_) | None => Err(refusal(401, "authentication credentials invalid")),
    }
}

/// Where to say that a machine picked up, without keeping the call waiting for it.
fn machine(body: &mut Body) -> Result<Option<Notice>, Refusal> {
    let asked = body.text("machine_detection")?;
    let to = body.notice("machine_detection")?;
    match asked.as_deref() {
        None => Ok(None),
        Some("true") => Ok(to),
        Some("hangup") => Err(refusal(400, "machine_detection=hangup is not played here")),
        Some(_) => Err(refusal(400, "machine_detection parameter is invalid")),
    }
}

fn create(carrier: &Arc<Carrier>, body: &mut Body) -> Answered {
    let from = body.required("from")?;
    let to = body.required("to")?;
    if to.contains('<') {
        return Err(refusal(400, "several destinations are not played here"));
    }
    if !is_number(&from) {
        return Err(refusal(400, format!("from parameter is invalid: {from}")));
    }
    if !is_number(&to) && !to.starts_with("sip:") {
        return Err(refusal(400, format!("to parameter is invalid: {to}")));
    }
    let standing = carrier.office.standing();
    if standing.unverified(&plus(&to)) || standing.closes(&to) || standing.terms == Terms::Spent {
        return Err(refusal(403, "the account may not call that destination"));
    }
    let answer = body
        .notice("answer")?
        .ok_or_else(|| refusal(400, "answer_url is required"))?;
    let (ring, hangup) = (body.notice("ring")?, body.notice("hangup")?);
    let order = life::Order {
        answer,
        fallback: body.notice("fallback")?,
        time_limit: body.seconds("time_limit")?.unwrap_or(LONGEST_CALL),
        keys: keys(&body.text("send_digits")?.unwrap_or_default())?,
        machine: machine(body)?,
    };
    let longest_ring = body.seconds("ring_timeout")?.unwrap_or(life::LONGEST_RING);
    let longest_ring = body
        .seconds("hangup_on_ring")?
        .map_or(longest_ring, |most| most.min(longest_ring));
    let (from, to) = (plus(&from), plus(&to));
    let ringing = life::Ringing {
        longest: longest_ring,
        // A caller's number that is not the account's is found out only when the call is placed.
        plan: carrier
            .office
            .number(&from)
            .map(|_| carrier.office.phone(&to)),
    };
    let request = uuid();
    let own = Own {
        request: Some(request.clone()),
        ring,
        hangup,
        ..Own::default()
    };
    let (call, commands) = Call::new(uuid(), Direction::Outbound, (&from, &to), own);
    carrier
        .calls
        .enter(Arc::clone(&call))
        .map_err(|_| refusal(403, "concurrent calls limit reached"))?;
    body.warn_of_strangers(&carrier.office.ledger, &call.id, CREATE);
    let life = life::outbound(Arc::clone(carrier), call, commands, ringing, order);
    carrier.office.spawn(life);
    Ok((
        201,
        Some(json!({"message": "call fired", "request_uuid": request})),
    ))
}

/// Keys to press at the answer; how long each is held is not played.
fn keys(text: &str) -> Result<Vec<i16>, Refusal> {
    let digits = text.split_once('@').map_or(text, |(digits, _)| digits);
    tones(digits).ok_or_else(|| refusal(400, format!("send_digits parameter is invalid: {text}")))
}

fn cancel(carrier: &Carrier, request: &str) -> Answered {
    let calls = carrier.calls.all();
    let call = calls.iter().find(|call| {
        let state = call.state();
        // An answered request is no request any more.
        let waits = state.started.is_none() && !state.status.is_final();
        waits && state.own.request.as_deref() == Some(request)
    });
    let call = call.ok_or_else(|| refusal(404, "call not found"))?;
    command(call, Command::Cancel)?;
    Ok((204, None))
}

fn hang_up(call: &Call) -> Answered {
    if call.state().status.is_final() {
        return Err(refusal(404, "call not found"));
    }
    command(call, Command::HangUp)?;
    Ok((204, None))
}

fn transfer(carrier: &Carrier, call: &Call, body: &mut Body) -> Answered {
    let legs = body.text("legs")?.unwrap_or_else(|| "aleg".to_owned());
    if !["aleg", "bleg", "both"].contains(&legs.as_str()) {
        return Err(refusal(400, format!("legs parameter is invalid: {legs}")));
    }
    let there = body.notice("aleg")?;
    let there = there.filter(|_| legs == "aleg");
    let there = there.ok_or_else(|| refusal(400, "only the aleg is there, and aleg_url says where to"))?;
    live(call)?;
    body.warn_of_strangers(&carrier.office.ledger, &call.id, TRANSFER);
    command(call, Command::Transfer(there))?;
    let message = json!({"message": "call transferred", "call_uuids": [call.id]});
    Ok((202, Some(message)))
}

fn press(carrier: &Carrier, call: &Call, body: &mut Body) -> Answered {
    let digits = body.required("digits")?;
    let sound = tones(&digits)
        .ok_or_else(|| refusal(400, format!("digits parameter is invalid: {digits}")))?;
    match body.text("leg")?.as_deref() {
        None | Some("aleg") => {}
        Some(leg) => return Err(refusal(400, format!("leg parameter is invalid: {leg}"))),
    }
    live(call)?;
    body.warn_of_strangers(&carrier.office.ledger, &call.id, &["digits", "leg"]);
    command(call, Command::Keys(sound))?;
    Ok((202, Some(json!({"message": "digits sent"}))))
}

fn stream(carrier: &Carrier, call: &Call, body: &mut Body) -> Answered {
    let url = body.required("service_url")?;
    let said = |name: &str| {
        let (_, field) = STREAM.iter().find(|(known, _)| *known == name)?;
        body.text(field).ok().flatten()
    };
    let stream = Stream::read(&url, said).map_err(|why| match why {
        Unstreamable::Bad(text) | Unstreamable::NotPlayed(text) => refusal(400, text),
    })?;
    live(call)?;
    let id = uuid();
    let taken = call.set(|own| match &own.stream {
        Some(_) => false,
        None => {
            own.stream = Some(id.clone());
            true
        }
    });
    if !taken {
        return Err(refusal(409, "the call has a stream already"));
    }
    let mut known: Vec<&str> = STREAM.iter().map(|(_, field)| *field).collect();
    known.push("service_url");
    body.warn_of_strangers(&carrier.office.ledger, &call.id, &known);
    command(call, Command::Stream(Box::new(stream)))?;
    let message = json!({"message": "audio streaming started", "stream_id": id});
    Ok((202, Some(message)))
}

fn stop_stream(call: &Call, stream: Option<&str>) -> Answered {
    let there = call.state().own.stream;
    let there = there.filter(|there| stream.is_none_or(|stream| stream == there));
    there.ok_or_else(|| refusal(404, "stream not found"))?;
    command(call, Command::StopStream)?;
    Ok((204, None))
}

fn live(call: &Call) -> Result<(), Refusal> {
    if call.state().status == Status::InProgress {
        Ok(())
    } else {
        Err(refusal(404, "call not found"))
    }
}

fn command(call: &Call, command: Command) -> Result<(), Refusal> {
    match call.commands.try_send(command) {
        // Closed: the call has just ended by itself.
        Ok(()) | Err(TrySendError::Closed(_)) => Ok(()),
        Err(TrySendError::Full(_)) => Err(refusal(429, "too many requests")),
    }
}

/// The place of a call in the API: its record exists only when it is over.
#[derive(PartialEq, Eq)]
enum Stage {
    Queued,
    Live,
    Over,
}

fn stage(query: &[(String, String)]) -> Result<Stage, Refusal> {
    match query.iter().find(|(name, _)| name == "status") {
        None => Ok(Stage::Over),
        Some((_, status)) if status == "live" => Ok(Stage::Live),
        Some((_, status)) if status == "queued" => Ok(Stage::Queued),
        Some((_, status)) => Err(refusal(400, format!("there is no status {status}"))),
    }
}

fn stage_of(call: &Call) -> Stage {
    match call.state().status {
        Status::Queued | Status::Initiated => Stage::Queued,
        Status::Ringing | Status::InProgress => Stage::Live,
        Status::Completed | Status::Busy | Status::NoAnswer | Status::Failed | Status::Canceled => {
            Stage::Over
        }
    }
}

fn show(carrier: &Carrier, call: &Call, query: &[(String, String)]) -> Answered {
    let stage = stage(query)?;
    if stage_of(call) != stage {
        return Err(refusal(404, "call not found"));
    }
    let described = match stage {
        Stage::Over => record(carrier, call),
        Stage::Queued | Stage::Live => describe_live(call),
    };
    Ok((200, Some(described)))
}

fn list(carrier: &Carrier, query: &[(String, String)]) -> Answered {
    let stage = stage(query)?;
    let calls = carrier.calls.all();
    let calls: Vec<_> = calls.iter().filter(|call| stage_of(call) == stage).collect();
    let answer = match stage {
        Stage::Over => {
            let wanted = |name: &str, value: &str| {
                let asked = query.iter().find(|(it, _)| it == name);
                asked.is_none_or(|(_, asked)| asked == value)
            };
            let calls: Vec<_> = calls
                .into_iter()
                .filter(|call| {
                    wanted("from_number", digits(&call.from))
                        && wanted("to_number", digits(&call.to))
                        && wanted("call_direction", direction(call))
                })
                .collect();
            let records: Vec<_> = calls
                .iter()
                .take(PAGE)
                .map(|call| record(carrier, call))
                .collect();
            page(records, calls.len())
        }
        Stage::Queued | Stage::Live => {
            let ids: Vec<_> = calls.iter().map(|call| call.id.as_str()).collect();
            json!({"calls": ids})
        }
    };
    Ok((200, Some(answer)))
}

fn page(objects: Vec<Value>, total: usize) -> Value {
    json!({
        "meta": {"limit": PAGE, "next": null, "offset": 0, "previous": null, "total_count": total},
        "objects": objects,
    })
}

fn describe_live(call: &Call) -> Value {
    let state = call.state();
    json!({
        "call_uuid": call.id,
        "call_status": status_word(state.status, call.direction),
        "caller_name": call.from,
        "direction": direction(call),
        "from": digits(&call.from),
        "to": digits(&call.to),
        "request_uuid": state.own.request,
        "session_start": zoned(call.created),
        "stir_verification": "Not Applicable",
    })
}

/// The record of a call that is over.
fn record(carrier: &Carrier, call: &Call) -> Value {
    let state = call.state();
    let seconds = state.talked.as_secs_f64().ceil();
    let hangup = state.own.ended;
    json!({
        "call_uuid": call.id,
        "call_direction": direction(call),
        "call_state": if state.started.is_some() { "ANSWER" } else { "HANGUP" },
        "from_number": digits(&call.from),
        "to_number": digits(&call.to),
        "call_duration": seconds as u64,
        "bill_duration": seconds as u64,
        "billed_duration": billed(seconds) as u64,
        "initiation_time": zoned(call.created),
        "answer_time": state.started.map(zoned),
        "end_time": state.ended.map(zoned),
        "hangup_cause_code": hangup.map(|hangup| hangup.code),
        "hangup_cause_name": hangup.map(|hangup| hangup.name),
        "hangup_source": hangup.map(|hangup| hangup.source),
        "parent_call_uuid": state.own.parent,
        "stir_verification": "Not Applicable",
        "total_amount": "0.00000",
        "total_rate": "0.00000",
        "resource_uri": format!("/v1/Account/{}/Call/{}/", carrier.account.id, call.id),
    })
}

fn direction(call: &Call) -> &'static str {
    match call.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound",
    }
}

fn zoned(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S+00:00").to_string()
}

/// A number in E.164, with or without its plus.
pub(super) fn is_number(text: &str) -> bool {
    let digits = digits(text);
    (8..=15).contains(&digits.len())
        && !digits.starts_with('0')
        && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number as the exchange's books have it: with its plus.
pub(super) fn plus(number: &str) -> String {
    if is_number(number) {
        format!("+{}", digits(number))
    } else {
        number.to_owned()
    }
}

const PAGE: usize = 20;
/// What a stream is told of, in XML and here.
const STREAM: &[(&str, &str)] = &[
    ("bidirectional", "bidirectional"),
    ("audioTrack", "audio_track"),
    ("streamTimeout", "stream_timeout"),
    ("statusCallbackUrl", "status_callback_url"),
    ("statusCallbackMethod", "status_callback_method"),
    ("contentType", "content_type"),
    ("extraHeaders", "extra_headers"),
];
const TRANSFER: &[&str] = &["legs", "aleg_url", "aleg_method", "bleg_url", "bleg_method"];
const CREATE: &[&str] = &[
    "from",
    "to",
    "answer_url",
    "answer_method",
    "ring_url",
    "ring_method",
    "hangup_url",
    "hangup_method",
    "fallback_url",
    "fallback_method",
    "caller_name",
    "send_digits",
    "send_on_preanswer",
    "time_limit",
    "hangup_on_ring",
    "ring_timeout",
    "sip_headers",
    "machine_detection",
    "machine_detection_time",
    "machine_detection_url",
    "machine_detection_method",
    "machine_detection_maximum_speech_length",
    "machine_detection_initial_silence",
    "machine_detection_maximum_words",
    "machine_detection_initial_greeting",
    "machine_detection_silence",
    "machine_detection_answer_time",
    "parent_call_uuid",
    "error_if_parent_not_found",
];
