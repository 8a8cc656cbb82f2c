//! What happened on calls, told to OpenTelemetry: a trace for each call, a span for each turn.
//!
//! Off unless the owner says where to. Everything is read from the journal once a call is over, so no
//! call waits for it; what the collector does not take in time is dropped. Words and numbers are
//! attributes under [`PRIVATE`], which are left out unless the owner wants them there.

use std::time::Duration;

use jiff::Timestamp;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue, any_value};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{Event, SpanKind};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span, Status};
use prost::Message as _;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::config::plan::Telemetry;
use crate::journal::{Reader, Wanted};
use crate::metrics::metrics;

/// The prefix of every attribute that holds words or numbers.
pub const PRIVATE: &str = "offhook.private.";

/// Tells of every call that ends from here on, until dropped or the gateway ends.
pub(crate) async fn tell(mut reader: Reader, after: u64, telemetry: Telemetry) {
    let (tx, rx) = mpsc::channel(WAITING);
    let sending = send(rx, telemetry.otlp.clone());
    let reading = async move {
        let mut wanted = Wanted {
            after,
            ..Wanted::default()
        };
        while let Ok(Some(rows)) = reader.next(&mut wanted).await {
            for row in rows {
                let event: Value = serde_json::from_str(&row.entry).unwrap_or_default();
                if event["type"] == "call.ended"
                    && let Some(call) = event["call"].as_str()
                    && let Ok(events) = reader.whole(call).await
                    && tx.try_send(spans(&events, &telemetry)).is_err()
                {
                    metrics().traces_dropped.inc();
                }
            }
        }
    };
    tokio::join!(reading, sending);
}

/// Hands spans over, some calls' at a time. What is not taken is dropped.
async fn send(mut waiting: mpsc::Receiver<Vec<Span>>, otlp: String) {
    let client = reqwest::Client::builder().timeout(PATIENCE).build();
    let client = client.expect("the TLS provider is installed at start");
    let mut calls = Vec::new();
    let mut away = false;
    while waiting.recv_many(&mut calls, TOGETHER).await > 0 {
        let many = calls.len() as u64;
        let request = request(calls.drain(..).flatten().collect());
        let posted = client
            .post(&otlp)
            .header("content-type", "application/x-protobuf")
            .body(request.encode_to_vec())
            .send();
        let taken = posted.await.is_ok_and(|it| it.status().is_success());
        if !taken {
            metrics().traces_dropped.inc_by(many);
        }
        if taken == away {
            away = !taken;
            if away {
                tracing::warn!("the collector of traces does not take them: they are dropped");
            } else {
                tracing::info!("the collector of traces takes them again");
            }
        }
    }
}

fn request(spans: Vec<Span>) -> ExportTraceServiceRequest {
    let version = env!("CARGO_PKG_VERSION");
    let about = [
        text("service.name", "offhook"),
        text("service.version", version),
    ];
    let scope = InstrumentationScope {
        name: "offhook".to_owned(),
        version: version.to_owned(),
        ..InstrumentationScope::default()
    };
    ExportTraceServiceRequest {
        resource_spans: vec![ResourceSpans {
            resource: Some(Resource {
                attributes: about.into(),
                ..Resource::default()
            }),
            scope_spans: vec![ScopeSpans {
                scope: Some(scope),
                spans,
                ..ScopeSpans::default()
            }],
            ..ResourceSpans::default()
        }],
    }
}

/// A call's trace: the call, and in it the agent's turns.
fn spans(events: &[Value], telemetry: &Telemetry) -> Vec<Span> {
    // What came of it is told behind its end, and is no part of it.
    let end = events.iter().rposition(|it| it["type"] == "call.ended");
    let events = &events[..end.map_or(events.len(), |it| it + 1)];
    let (Some(first), Some(last)) = (events.first(), events.last()) else {
        return Vec::new();
    };
    let trace = Trace {
        id: first["call"].as_str().unwrap_or_default(),
        private: telemetry.private,
    };
    let mut call = trace.call(first, last);
    let moments = events.iter().filter(|it| is_moment(it));
    call.events = moments.map(moment).collect();
    let starts: Vec<_> = (0..events.len())
        .filter(|at| events[*at]["type"] == "agent.turn_started")
        .collect();
    let ends = starts.iter().skip(1).copied().chain([events.len()]);
    let turns = starts.iter().zip(ends).enumerate();
    let turns = turns.map(|(turn, (from, to))| trace.turn(turn, &events[*from..to], &call));
    let turns: Vec<_> = turns.collect();
    [call].into_iter().chain(turns).collect()
}

struct Trace<'a> {
    id: &'a str,
    private: bool,
}

impl Trace<'_> {
    fn call(&self, first: &Value, last: &Value) -> Span {
        let mut attributes = vec![text("offhook.call", self.id)];
        for key in ["direction", "carrier", "agent"] {
            attributes.extend(word(first, key, &format!("offhook.{key}")));
        }
        for key in ["by", "why"] {
            attributes.extend(word(last, key, &format!("offhook.ended.{key}")));
        }
        if self.private {
            for key in ["number", "caller"] {
                attributes.extend(word(first, key, &format!("{PRIVATE}{key}")));
            }
        }
        let kind = match first["direction"].as_str() {
            Some("outbound") => SpanKind::Client,
            Some(_) | None => SpanKind::Server,
        };
        let broken = last["why"] == "fault";
        let code = if broken {
            StatusCode::Error
        } else {
            StatusCode::Ok
        };
        Span {
            trace_id: self.trace_id(),
            span_id: self.span_id("call"),
            name: "call".to_owned(),
            kind: kind.into(),
            start_time_unix_nano: nanos(first),
            end_time_unix_nano: nanos(last),
            attributes,
            status: Some(Status {
                code: code.into(),
                ..Status::default()
            }),
            ..Span::default()
        }
    }

    /// A turn, from the end of the caller's speech to its own. `events` are those from its start to
    /// the next one's.
    fn turn(&self, turn: usize, events: &[Value], call: &Span) -> Span {
        let started = &events[0];
        let timed = events.iter().find(|it| it["type"] == "agent.turn_timed");
        let told = timed
            .and_then(|it| it["told_ms"].as_u64())
            .unwrap_or_default();
        let silent = nanos(started).saturating_sub(told.saturating_mul(1_000_000));
        let mut attributes = Vec::new();
        for (key, value) in timed.and_then(Value::as_object).into_iter().flatten() {
            if let (true, Some(ms)) = (key.ends_with("_ms"), value.as_i64()) {
                attributes.push(attribute(
                    &format!("offhook.turn.{key}"),
                    any_value::Value::IntValue(ms),
                ));
            }
        }
        let cut = events.iter().any(|it| it["type"] == "agent.interrupted");
        let cut = any_value::Value::BoolValue(cut);
        attributes.push(attribute("offhook.turn.interrupted", cut));
        if self.private {
            attributes.extend(word(started, "text", &format!("{PRIVATE}said")));
            let heard = events.iter().filter_map(heard).collect::<Vec<_>>();
            attributes.push(text(&format!("{PRIVATE}heard"), &heard.join(" ")));
        }
        Span {
            trace_id: call.trace_id.clone(),
            span_id: self.span_id(&format!("turn {turn}")),
            parent_span_id: call.span_id.clone(),
            name: "turn".to_owned(),
            kind: SpanKind::Internal.into(),
            start_time_unix_nano: silent.max(call.start_time_unix_nano),
            end_time_unix_nano: timed.map_or(call.end_time_unix_nano, nanos),
            attributes,
            ..Span::default()
        }
    }

    fn trace_id(&self) -> Vec<u8> {
        let id = uuid::Uuid::try_parse(self.id).unwrap_or_default();
        id.as_bytes().to_vec()
    }

    /// The same each time it is asked for, so that a trace sent twice is one trace.
    fn span_id(&self, what: &str) -> Vec<u8> {
        Sha256::digest(format!("{} {what}", self.id))[..8].to_vec()
    }
}

/// What the caller heard of the agent in this event.
fn heard(event: &Value) -> Option<&str> {
    match event["type"].as_str()? {
        "agent.said" => event["text"].as_str(),
        "agent.interrupted" => event["heard"].as_str(),
        _ => None,
    }
}

/// Worth a mark on the call's span.
fn is_moment(event: &Value) -> bool {
    let told = ["call.", "agent.failed", "agent.stalled", "speech."];
    let kind = event["type"].as_str().unwrap_or_default();
    told.iter().any(|it| kind.starts_with(it))
}

fn moment(event: &Value) -> Event {
    Event {
        time_unix_nano: nanos(event),
        name: event["type"].as_str().unwrap_or_default().to_owned(),
        attributes: word(event, "code", "offhook.code").into_iter().collect(),
        ..Event::default()
    }
}

fn nanos(event: &Value) -> u64 {
    let time = event["time"].as_str().and_then(|it| it.parse().ok());
    let time = time.unwrap_or(Timestamp::UNIX_EPOCH);
    u64::try_from(time.as_nanosecond()).unwrap_or_default()
}

fn word(event: &Value, key: &str, name: &str) -> Option<KeyValue> {
    Some(text(name, event[key].as_str()?))
}

fn text(name: &str, value: &str) -> KeyValue {
    attribute(name, any_value::Value::StringValue(value.to_owned()))
}

fn attribute(name: &str, value: any_value::Value) -> KeyValue {
    KeyValue {
        key: name.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
        ..KeyValue::default()
    }
}

/// Calls whose traces wait for the collector.
const WAITING: usize = 256;
/// Calls sent together.
const TOGETHER: usize = 32;
/// A collector has this long to take them.
const PATIENCE: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn story() -> Vec<Value> {
        let call = "0197f3c47d1e7c50a3a7b0a1c2d3e4f5";
        let event = |second: u32, kind: &str, rest: Value| {
            let time = format!("2026-01-31T12:00:{second:02}Z");
            let mut event = json!({ "call": call, "time": time, "type": kind });
            let more = rest.as_object().expect("it has fields").clone();
            event.as_object_mut().expect("it has fields").extend(more);
            event
        };
        vec![
            event(
                0,
                "call.offered",
                json!({ "direction": "inbound", "number": "+15550001111",
                "caller": "+15551234567", "carrier": "a", "agent": "b" }),
            ),
            event(1, "call.connected", json!({})),
            event(
                5,
                "agent.turn_started",
                json!({ "text": "a secret question" }),
            ),
            event(7, "agent.said", json!({ "text": "a secret answer" })),
            event(
                8,
                "agent.turn_timed",
                json!({ "turn": 1, "told_ms": 600, "at_ear_ms": 1_500 }),
            ),
            event(9, "call.ended", json!({ "by": "caller", "why": "hung_up" })),
        ]
    }

    fn told(private: bool) -> Vec<Span> {
        let otlp = String::new();
        spans(&story(), &Telemetry { otlp, private })
    }

    #[test]
    fn a_call_is_a_trace_and_its_turns_are_in_it() {
        let spans = told(false);
        let [call, turn] = &spans[..] else {
            panic!("{spans:?}")
        };
        assert_eq!((call.trace_id.len(), call.span_id.len()), (16, 8));
        assert_eq!(turn.trace_id, call.trace_id);
        assert_eq!(turn.parent_span_id, call.span_id);
        let second = |it: u64| it % 60_000_000_000 / 100_000_000;
        assert_eq!(second(call.start_time_unix_nano), 0);
        assert_eq!(second(call.end_time_unix_nano), 90);
        assert_eq!(second(turn.start_time_unix_nano), 44, "told after 600 ms");
        assert_eq!(second(turn.end_time_unix_nano), 80);
        assert_eq!(call.events.len(), 3);
    }

    #[test]
    fn words_and_numbers_are_told_only_where_the_owner_wants_them() {
        let closed = format!("{:?}", told(false));
        assert!(
            !closed.contains("secret") && !closed.contains("555"),
            "{closed}"
        );
        assert!(!closed.contains(PRIVATE));
        let open = told(true);
        let all = open.iter().flat_map(|it| &it.attributes);
        let hidden = all.filter(|it| it.key.starts_with(PRIVATE));
        assert_eq!(hidden.count(), 4, "{open:?}");
    }
}
