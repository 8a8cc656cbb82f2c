//! What one message of sound costs, both ways, beside the plain way of doing it in the same run.
//!
//! The plain way reads and writes every message as a `serde_json::Value`, and makes a new buffer
//! for each.

#![allow(clippy::print_stdout, reason = "a benchmark says what it found")]
#![allow(missing_docs, reason = "a program, not a library")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ports::carrier::{Carrier, Sound, StreamCommand, StreamEvent, StreamProtocol};
use ports::{Problem, Secret, Settings, Value};
use serde_json::json;

fn main() {
    for dialect in [PLIVO, TELNYX, TWILIO] {
        println!("{}", dialect.name);
        measure(dialect);
    }
}

fn measure(dialect: Dialect) {
    let mut stream = begun(dialect);
    let messages: Vec<String> = (0..MESSAGES).map(dialect.message).collect();
    let sound: Vec<u8> = (0..160).collect();
    let mut out = String::new();
    let mut best = [Duration::MAX; 4];
    // The ways take turns, and the quickest of each counts: what disturbs one disturbs all.
    for _ in 0..ROUNDS {
        let times = [
            time(&messages, |text| heard(stream.as_mut(), text)),
            time(&messages, plainly_heard),
            time(&messages, |_| spoken(stream.as_mut(), &sound, &mut out)),
            time(&messages, |_| plainly_spoken(dialect, &sound)),
        ];
        for (best, time) in best.iter_mut().zip(times) {
            *best = time.min(*best);
        }
    }
    let [decode, plain_decode, encode, plain_encode] = best.map(per_message);
    let line = |what: &str, ours: f64, plain: f64| {
        let ratio = plain / ours;
        println!("  {what:12} {ours:7.0} ns   plain {plain:7.0} ns   {ratio:5.1} times as fast");
    };
    line("decode", decode, plain_decode);
    line("encode", encode, plain_encode);
    line("both", decode + encode, plain_decode + plain_encode);
}

/// What one carrier's messages look like.
#[derive(Clone, Copy)]
struct Dialect {
    name: &'static str,
    build: fn(&Settings) -> Result<Carrier, Vec<Problem>>,
    settings: fn() -> Settings,
    start: fn() -> String,
    /// A message of sound, by its number.
    message: fn(usize) -> String,
    /// One of ours, with this payload.
    spoken: fn(&str) -> serde_json::Value,
}

const TWILIO: Dialect = Dialect {
    name: "twilio",
    build: carriers::twilio::ENTRY.build,
    settings: || {
        Settings::default()
            .with("account_sid", Value::Text(format!("AC{:032}", 1)))
            .with("auth_token", Value::Secret(Secret::new("unused")))
    },
    start: || {
        format!(
            r#"{{"event":"start","start":{{"callSid":"{CALL}","mediaFormat":{{"encoding":"audio/x-mulaw","sampleRate":8000,"channels":1}}}},"streamSid":"{SID}"}}"#
        )
    },
    message: |at| {
        format!(
            r#"{{"event":"media","sequenceNumber":"{}","media":{{"track":"inbound","chunk":"{}","timestamp":"{}","payload":"{}"}},"streamSid":"{SID}"}}"#,
            at + 2,
            at + 1,
            at * 20,
            payload(at),
        )
    },
    spoken: |payload| json!({"event": "media", "streamSid": SID, "media": {"payload": payload}}),
};

const TELNYX: Dialect = Dialect {
    name: "telnyx",
    build: carriers::telnyx::ENTRY.build,
    settings: || {
        Settings::default()
            .with("api_key", Value::Secret(Secret::new("unused")))
            .with("public_key", Value::Text(STANDARD.encode([7; 32])))
            .with("connection_id", Value::Text("1494404757140276705".into()))
    },
    start: || {
        format!(
            r#"{{"event":"start","start":{{"call_control_id":"v3:{CALL}","media_format":{{"encoding":"PCMU","sample_rate":8000,"channels":1}}}},"stream_id":"{STREAM}"}}"#
        )
    },
    message: |at| {
        format!(
            r#"{{"event":"media","sequence_number":"{}","media":{{"track":"inbound","chunk":"{}","timestamp":"{}","payload":"{}"}},"stream_id":"{STREAM}"}}"#,
            at + 2,
            at + 1,
            at * 20,
            payload(at),
        )
    },
    spoken: |payload| json!({"event": "media", "media": {"payload": payload}}),
};

const PLIVO: Dialect = Dialect {
    name: "plivo",
    build: carriers::plivo::ENTRY.build,
    settings: || {
        Settings::default()
            .with("auth_id", Value::Text(format!("MA{:018}", 1)))
            .with("auth_token", Value::Secret(Secret::new("unused")))
    },
    start: || {
        format!(
            r#"{{"event":"start","start":{{"callId":"{CALL}","streamId":"{STREAM}","mediaFormat":{{"encoding":"audio/x-mulaw","sampleRate":8000}}}},"extra_headers":"{HEADERS}"}}"#
        )
    },
    message: |at| {
        format!(
            r#"{{"event":"media","sequenceNumber":{},"streamId":"{STREAM}","media":{{"track":"inbound","timestamp":"{}","chunk":{},"payload":"{}"}},"extra_headers":"{HEADERS}"}}"#,
            at + 2,
            1_705_312_200_000 + at * 20,
            at + 1,
            payload(at),
        )
    },
    spoken: |payload| {
        let media = json!({"contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": payload});
        json!({"event": "playAudio", "media": media})
    },
};

const MESSAGES: usize = 5_000;
const ROUNDS: usize = 30;
const CALL: &str = "CA00000000000000000000000000000002";
const SID: &str = "MZ00000000000000000000000000000003";
const STREAM: &str = "87654321-4321-4321-4321-cba987654321";
/// As long as a token of ours.
const HEADERS: &str = "token=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn per_message(time: Duration) -> f64 {
    time.as_nanos() as f64 / MESSAGES as f64
}

fn time(messages: &[String], mut work: impl FnMut(&str) -> usize) -> Duration {
    let start = Instant::now();
    for message in messages {
        black_box(work(black_box(message)));
    }
    start.elapsed()
}

fn heard(stream: &mut dyn StreamProtocol, text: &str) -> usize {
    match stream.decode(text) {
        Ok(StreamEvent::Audio(packet)) => packet.payload.len(),
        other => panic!("every message is sound, not {other:?}"),
    }
}

fn plainly_heard(text: &str) -> usize {
    let message: serde_json::Value = serde_json::from_str(text).expect("it is JSON");
    assert_eq!(message["event"], "media");
    assert_eq!(message["media"]["track"], "inbound");
    let chunk = &message["media"]["chunk"];
    let chunk: u64 = match chunk.as_str() {
        Some(text) => text.parse().expect("it is counted"),
        None => chunk.as_u64().expect("it is counted"),
    };
    let payload = message["media"]["payload"].as_str().expect("it has sound");
    black_box(chunk);
    STANDARD.decode(payload).expect("it is base64").len()
}

fn spoken(stream: &mut dyn StreamProtocol, sound: &[u8], out: &mut String) -> usize {
    out.clear();
    stream.encode(StreamCommand::Audio(sound), out);
    out.len()
}

fn plainly_spoken(dialect: Dialect, sound: &[u8]) -> usize {
    let payload = STANDARD.encode(sound);
    (dialect.spoken)(&payload).to_string().len()
}

fn payload(at: usize) -> String {
    let sound: Vec<u8> = (0..160).map(|it| (it * 7 + at * 13) as u8).collect();
    STANDARD.encode(sound)
}

/// A stream that has started.
fn begun(dialect: Dialect) -> Box<dyn StreamProtocol> {
    let Ok(carrier) = (dialect.build)(&(dialect.settings)()) else {
        panic!("the settings are good");
    };
    let Sound::Stream(spoken) = carrier.sound;
    let mut stream = spoken.open();
    let start = (dialect.start)();
    stream.decode(&start).expect("the stream starts");
    stream
}
