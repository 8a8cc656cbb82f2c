//! The REST API: calls and numbers, refused as Twilio refuses.
//!
//! Source: the carrier's OpenAPI description (CreateCall, UpdateCall, FetchCall, ListCall, ListIncomingPhoneNumber).
//! The numbers of errors are the carrier's own; the texts are not.

use super::twiml::{Method, Onward};
use super::{
    Anyone, Call, CallState, Callback, Carrier, Command, Fetch, Instructions, Trouble, date, life,
};
use crate::ledger::{Direction, Request, Status};
use crate::phone::{PhonePlan, Pickup};
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
struct Asked {
    method: String,
    path: String,
    authorization: String,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
}

/// A refusal, in the carrier's words.
struct Refusal {
    status: u16,
    code: u32,
    message: String,
}

fn refusal(status: u16, code: u32, message: impl Into<String>) -> Refusal {
    Refusal {
        status,
        code,
        message: message.into(),
    }
}

type Answered = Result<(u16, Value), Refusal>;

async fn answer(State(carrier): State<Arc<Carrier>>, request: axum::extract::Request) -> Response {
    let asked = match read(request).await {
        Ok(asked) => asked,
        Err(refusal) => return respond(Err(&refusal)),
    };
    let trouble = carrier.next_trouble();
    let answered = match trouble {
        Some(Trouble::TooMany) => Err(refusal(429, 20429, "Too many requests")),
        Some(Trouble::Unavailable) => Err(refusal(503, 20503, "Service unavailable")),
        Some(Trouble::Slow(_)) | None => route(&carrier, &asked),
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
    carrier.ledger.requested(Request {
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

fn route(carrier: &Arc<Carrier>, asked: &Asked) -> Answered {
    authenticate(carrier, asked)?;
    let not_found = || {
        refusal(
            404,
            20404,
            format!("The requested resource {} was not found", asked.path),
        )
    };
    let rest = asked
        .path
        .strip_prefix("/2010-04-01/Accounts/")
        .ok_or_else(not_found)?;
    let (account, rest) = rest.split_once('/').ok_or_else(not_found)?;
    if account != carrier.account.sid {
        return Err(not_found());
    }
    match (asked.method.as_str(), rest) {
        ("POST", "Calls.json") => create(carrier, asked),
        ("GET", "Calls.json") => list(carrier, asked),
        ("GET", "IncomingPhoneNumbers.json") => numbers(carrier, asked),
        (method, rest) => {
            let sid = rest
                .strip_prefix("Calls/")
                .and_then(|rest| rest.strip_suffix(".json"))
                .ok_or_else(not_found)?;
            let call = carrier.call(sid).ok_or_else(not_found)?;
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
    let expected = format!("{}:{}", carrier.account.sid, carrier.account.token);
    match credentials {
        Some(credentials) if credentials == expected => Ok(()),
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
    let number = carrier.number(from).ok_or_else(|| {
        refusal(
            400,
            21210,
            format!(
                "The source phone number provided, {from}, is not yet verified for your account"
            ),
        )
    })?;
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

    let plan = match (carrier.phones.get(to), &carrier.anyone) {
        (Some(plan), _) | (None, Anyone::Follows(plan)) => plan.clone(),
        (None, Anyone::Unreachable) => PhonePlan::never_talks(Pickup::Unreachable),
    };
    let (call, commands) = Call::new(Direction::Outbound, (from, to), number.sid, callback);
    carrier
        .enter(Arc::clone(&call))
        .map_err(|_| refusal(429, 10004, "Call concurrency limit exceeded"))?;
    let described = describe(carrier, &call);
    let order = life::Order {
        instructions,
        timeout,
        time_limit,
    };
    carrier.spawn(life::outbound(
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
    let callback = form.callback(state.callback)?;
    call.set_callback(|kept| *kept = callback);
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
        .calls()
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

fn numbers(carrier: &Carrier, asked: &Asked) -> Answered {
    known(&asked.query, LIST_NUMBERS)?;
    let query = Form(&asked.query);
    let size = query.page_size()?;
    let account = &carrier.account.sid;
    let numbers: Vec<Value> = carrier
        .numbers()
        .into_iter()
        .filter(|(number, _)| query.get("PhoneNumber").is_none_or(|wanted| number.contains(wanted)))
        .take(size)
        .map(|(phone, number)| {
            json!({
                "sid": number.sid,
                "account_sid": account,
                "api_version": "2010-04-01",
                "friendly_name": formatted(&phone),
                "phone_number": phone,
                "capabilities": {"voice": true, "sms": false, "mms": false, "fax": false},
                "voice_url": number.voice_url,
                "voice_method": "POST",
                "voice_fallback_url": null,
                "voice_fallback_method": "POST",
                "voice_application_sid": null,
                "status_callback": number.status_url,
                "status_callback_method": "POST",
                "origin": "twilio",
                "status": "in-use",
                "uri": format!("/2010-04-01/Accounts/{account}/IncomingPhoneNumbers/{}.json", number.sid),
            })
        })
        .collect();
    Ok((
        200,
        page(
            carrier,
            "IncomingPhoneNumbers",
            "incoming_phone_numbers",
            numbers,
            size,
        ),
    ))
}

fn page(carrier: &Carrier, resource: &str, key: &str, items: Vec<Value>, size: usize) -> Value {
    let uri = format!(
        "/2010-04-01/Accounts/{}/{resource}.json?PageSize={size}&Page=0",
        carrier.account.sid
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
        ..
    } = call.state();
    let account = &carrier.account.sid;
    let uri = format!("/2010-04-01/Accounts/{account}/Calls/{}", call.sid);
    let direction = match call.direction {
        Direction::Inbound => "inbound",
        Direction::Outbound => "outbound-api",
    };
    json!({
        "sid": call.sid,
        "account_sid": account,
        "api_version": "2010-04-01",
        "parent_call_sid": null,
        "group_sid": null,
        "trunk_sid": "",
        "phone_number_sid": call.number_sid,
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
fn formatted(number: &str) -> String {
    match number.strip_prefix("+1") {
        Some(digits) if digits.len() == 10 && digits.is_ascii() => {
            format!("({}) {}-{}", &digits[..3], &digits[3..6], &digits[6..])
        }
        Some(_) | None => number.to_owned(),
    }
}

fn is_number(text: &str) -> bool {
    text.strip_prefix('+').is_some_and(|digits| {
        (8..=15).contains(&digits.len())
            && !digits.starts_with('0')
            && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

fn known(pairs: &[(String, String)], names: &[&str]) -> Result<(), Refusal> {
    let strangers: Vec<&str> = pairs
        .iter()
        .map(|(name, _)| name.as_str())
        .filter(|name| !names.contains(name))
        .collect();
    if strangers.is_empty() {
        return Ok(());
    }
    Err(refusal(
        400,
        20001,
        format!("Unknown parameters: {}", strangers.join(", ")),
    ))
}

fn once(pairs: &[(String, String)], repeatable: &[&str]) -> Result<(), Refusal> {
    for (index, (name, _)) in pairs.iter().enumerate() {
        let repeated = pairs[..index].iter().any(|(earlier, _)| earlier == name);
        if repeated && !repeatable.contains(&name.as_str()) {
            return Err(refusal(
                400,
                20001,
                format!("{name} is given more than once"),
            ));
        }
    }
    Ok(())
}

/// A form's fields, read by name.
struct Form<'a>(&'a [(String, String)]);

impl<'a> Form<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(known, _)| known == name)
            .map(|(_, value)| value.clone())
            .collect()
    }

    /// `Url` wins over `Twiml`; there are no applications here for `ApplicationSid` to name.
    fn instructions(&self) -> Result<Option<Instructions>, Refusal> {
        if let Some(sid) = self.get("ApplicationSid") {
            return Err(refusal(
                400,
                21218,
                format!("There is no application {sid}"),
            ));
        }
        let fallback = match self.url("FallbackUrl")? {
            Some(url) => Onward::Fetch(url),
            None => Onward::NextVerb,
        };
        let method = self.method("Method")?;
        self.method("FallbackMethod")?;
        if let Some(url) = self.url("Url")? {
            let fetch = Fetch {
                url,
                method,
                fallback,
                event: "voice",
                extra: Vec::new(),
            };
            return Ok(Some(Instructions::Fetch(fetch)));
        }
        match self.get("Twiml") {
            Some(twiml) if twiml.chars().count() > LONGEST_TWIML => Err(refusal(
                400,
                20001,
                format!("Twiml has at most {LONGEST_TWIML} characters"),
            )),
            Some(twiml) => Ok(Some(Instructions::Inline(twiml.to_owned()))),
            None => Ok(None),
        }
    }

    fn callback(&self, mut callback: Callback) -> Result<Callback, Refusal> {
        if let Some(url) = self.url("StatusCallback")? {
            callback.url = url;
        }
        if self.get("StatusCallbackMethod").is_some() || callback.method.is_empty() {
            callback.method = match self.method("StatusCallbackMethod")? {
                Method::Get => "GET".to_owned(),
                Method::Post => "POST".to_owned(),
            };
        }
        let events = self.all("StatusCallbackEvent");
        if let Some(stranger) = events
            .iter()
            .find(|event| !EVENTS.contains(&event.as_str()))
        {
            return Err(refusal(
                400,
                21626,
                format!("{stranger:?} is not a StatusCallbackEvent"),
            ));
        }
        if !events.is_empty() {
            callback.events = events;
        } else if callback.events.is_empty() {
            callback.events = vec!["completed".to_owned()];
        }
        Ok(callback)
    }

    /// A URL the carrier would call: absolute, `http` or `https`, without an underscore in the host.
    fn url(&self, name: &str) -> Result<Option<String>, Refusal> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        let bad = || refusal(400, 21205, format!("{name} is not a valid URL: {text}"));
        let url = url::Url::parse(text).map_err(|_| bad())?;
        let host = url.host_str().unwrap_or_default();
        if !matches!(url.scheme(), "http" | "https") || host.is_empty() || host.contains('_') {
            return Err(bad());
        }
        Ok(Some(text.to_owned()))
    }

    fn method(&self, name: &str) -> Result<Method, Refusal> {
        match self.get(name) {
            None | Some("POST") => Ok(Method::Post),
            Some("GET") => Ok(Method::Get),
            Some(other) => Err(refusal(
                400,
                21403,
                format!("{name} is GET or POST, not {other}"),
            )),
        }
    }

    fn seconds(
        &self,
        name: &str,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<Option<Duration>, Refusal> {
        let Some(text) = self.get(name) else {
            return Ok(None);
        };
        match text.parse() {
            Ok(seconds) if range.contains(&seconds) => Ok(Some(Duration::from_secs(seconds))),
            Ok(_) | Err(_) => {
                let (least, most) = range.into_inner();
                Err(refusal(
                    400,
                    20001,
                    format!("{name} is a whole number from {least} to {most}, not {text}"),
                ))
            }
        }
    }

    fn page_size(&self) -> Result<usize, Refusal> {
        match self.get("PageSize").map(str::parse) {
            None => Ok(50),
            Some(Ok(size @ 1..=1_000)) => Ok(size),
            Some(_) => Err(refusal(
                400,
                20007,
                "PageSize is a whole number from 1 to 1000",
            )),
        }
    }

    /// Parameters that are accepted and not played here are still checked.
    fn check_the_rest(&self) -> Result<(), Refusal> {
        for name in [
            "RecordingStatusCallback",
            "AsyncAmdStatusCallback",
            "ClientNotificationUrl",
        ] {
            self.url(name)?;
        }
        for name in [
            "RecordingStatusCallbackMethod",
            "AsyncAmdStatusCallbackMethod",
        ] {
            self.method(name)?;
        }
        for (name, range) in [
            ("MachineDetectionTimeout", 3..=59),
            ("MachineDetectionSpeechThreshold", 1_000..=6_000),
            ("MachineDetectionSpeechEndThreshold", 500..=5_000),
            ("MachineDetectionSilenceTimeout", 2_000..=10_000),
        ] {
            self.seconds(name, range)?;
        }
        for (name, values) in [
            ("Record", &["true", "false"][..]),
            ("RecordingChannels", &["mono", "dual"]),
            ("RecordingTrack", &["inbound", "outbound", "both"]),
            ("Trim", &["trim-silence", "do-not-trim"]),
            ("MachineDetection", &["Enable", "DetectMessageEnd"]),
            ("AsyncAmd", &["true", "false"]),
        ] {
            if let Some(value) = self.get(name).filter(|value| !values.contains(value)) {
                return Err(refusal(
                    400,
                    20001,
                    format!("{name} is one of {values:?}, not {value}"),
                ));
            }
        }
        let digits = self.get("SendDigits").unwrap_or_default();
        if digits.len() > 32
            || !digits
                .chars()
                .all(|digit| "0123456789ABCD#*wW".contains(digit))
        {
            return Err(refusal(
                400,
                21206,
                format!("SendDigits is not valid: {digits}"),
            ));
        }
        Ok(())
    }
}

const CREATE: &[&str] = &[
    "To",
    "From",
    "Method",
    "FallbackUrl",
    "FallbackMethod",
    "StatusCallback",
    "StatusCallbackEvent",
    "StatusCallbackMethod",
    "SendDigits",
    "Timeout",
    "Record",
    "RecordingChannels",
    "RecordingStatusCallback",
    "RecordingStatusCallbackMethod",
    "SipAuthUsername",
    "SipAuthPassword",
    "MachineDetection",
    "MachineDetectionTimeout",
    "RecordingStatusCallbackEvent",
    "Trim",
    "CallerId",
    "MachineDetectionSpeechThreshold",
    "MachineDetectionSpeechEndThreshold",
    "MachineDetectionSilenceTimeout",
    "AsyncAmd",
    "AsyncAmdStatusCallback",
    "AsyncAmdStatusCallbackMethod",
    "Byoc",
    "CallReason",
    "CallToken",
    "RecordingTrack",
    "TimeLimit",
    "ClientNotificationUrl",
    "Url",
    "Twiml",
    "ApplicationSid",
];
const UPDATE: &[&str] = &[
    "Url",
    "Method",
    "Status",
    "FallbackUrl",
    "FallbackMethod",
    "StatusCallback",
    "StatusCallbackMethod",
    "Twiml",
    "TimeLimit",
];
const LIST_CALLS: &[&str] = &[
    "To",
    "From",
    "ParentCallSid",
    "Status",
    "StartTime",
    "StartTime<",
    "StartTime>",
    "EndTime",
    "EndTime<",
    "EndTime>",
    "PageSize",
    "Page",
    "PageToken",
];
const LIST_NUMBERS: &[&str] = &[
    "Beta",
    "FriendlyName",
    "PhoneNumber",
    "Origin",
    "PageSize",
    "Page",
    "PageToken",
];
const EVENTS: &[&str] = &["initiated", "ringing", "answered", "completed"];
/// The longest a call may last when nobody says otherwise: four hours.
const LONGEST_CALL: Duration = Duration::from_secs(14_400);
const LONGEST_TWIML: usize = 4_000;
const LARGEST_FORM: usize = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// The lists of names are the carrier's own.
    #[test]
    fn the_known_parameters_are_those_of_the_openapi_description() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/oracles/twilio/twilio-operations.json");
        let text = std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let table: Value = serde_json::from_slice(&text).unwrap();
        for (operation, names) in [
            ("CreateCall", CREATE),
            ("UpdateCall", UPDATE),
            ("ListCall", LIST_CALLS),
            ("ListIncomingPhoneNumber", LIST_NUMBERS),
        ] {
            let entry = table["operations"]
                .as_array()
                .unwrap()
                .iter()
                .find(|entry| entry["operation"] == operation);
            let entry = entry.unwrap();
            let mut expected: Vec<&str> = match entry["body"]["params"].as_object() {
                Some(params) => params.keys().map(String::as_str).collect(),
                None => entry["query"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|name| name.as_str().unwrap())
                    .collect(),
            };
            let mut names = names.to_vec();
            expected.sort_unstable();
            names.sort_unstable();
            assert_eq!(names, expected, "{operation}");
        }
    }

    #[test]
    fn only_e164_is_a_number() {
        for good in ["+15551234567", "+493012345678"] {
            assert!(is_number(good), "{good}");
        }
        for bad in [
            "15551234567",
            "+0155512345",
            "+1555",
            "+1 555 123 4567",
            "",
            "+1555123456789012",
            "+١٢٣٤٥٦٧٨٩",
        ] {
            assert!(!is_number(bad), "{bad}");
        }
    }
}
