use call::{Digit, Private};
use media::{Codec, Endian, Format, Line, Mark, Packet, Rate};
use ports::carrier::{Leg, Repeated, Sound, Started, StreamCommand, StreamEvent, StreamProtocol};
use ports::code;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::carrier;

const DOCUMENTED: &str = include_str!("../../src/plivo/fixtures/stream.jsonl");
const ODD: &str = include_str!("../../src/plivo/fixtures/odd.jsonl");
const CALL: &str = "12345678-1234-1234-1234-123456789abc";
const STREAM: &str = "87654321-4321-4321-4321-cba987654321";

#[test]
fn documented_messages_are_read() {
    let ramp: Vec<u8> = (0..160).collect();
    let expected = [
        StreamEvent::Started(started("t0k3n")),
        audio(0, &[0xFF; 160]),
        audio(1, &ramp),
        StreamEvent::Pressed(Digit::new('1').expect("a key")),
        StreamEvent::Marked(mark(3, 17)),
        StreamEvent::Idle,
        StreamEvent::Idle,
    ];
    replay(DOCUMENTED, &expected);
    // None of them says that the stream is over.
    assert!(begun().stops_by_closing());
}

#[test]
fn messages_spelled_otherwise_are_read_too() {
    let expected = [
        StreamEvent::Started(started("t0k3n")),
        audio(6, &[0xD5; 3]),
        StreamEvent::Idle,
        StreamEvent::Pressed(Digit::new('#').expect("a key")),
        StreamEvent::Marked(mark(0, 0)),
        StreamEvent::Unknown,
        StreamEvent::Stopped,
    ];
    replay(ODD, &expected);
}

#[test]
fn headers_are_found_however_they_are_written() {
    for (headers, token) in [
        (json!("token=t"), "t"),
        (json!("a=1;token=t"), "t"),
        (json!("a=1, token = t"), "t"),
        (json!(r#"{"a":"1","token":"t"}"#), "t"),
        (json!("xtoken=1;token2=2;a=token"), ""),
        (json!(""), ""),
        (json!("token"), ""),
        (json!(null), ""),
    ] {
        let mut start = start();
        start["extra_headers"] = headers.clone();
        let mut stream = protocol();
        let message = start.to_string();
        let event = stream.decode(&message).expect("it starts");
        assert_eq!(event, StreamEvent::Started(started(token)), "{headers}");
    }
}

#[test]
fn only_what_plivo_documents_is_written() {
    let mut stream = begun();
    for (command, expected) in [
        (
            StreamCommand::Audio(&[0x00, 0x7F, 0xFF, 0x80]),
            json!({"event": "playAudio", "media": {
                "contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": "AH//gA==",
            }}),
        ),
        (
            StreamCommand::Mark(mark(2, 40)),
            json!({"event": "checkpoint", "streamId": STREAM, "name": "g2-40"}),
        ),
        (
            StreamCommand::Clear,
            json!({"event": "clearAudio", "streamId": STREAM}),
        ),
    ] {
        let mut out = String::new();
        stream.encode(command, &mut out);
        let written: Value = serde_json::from_str(&out).expect("it is JSON");
        assert_eq!(written, expected);
    }
}

#[test]
fn a_mark_comes_back_as_it_was_sent() {
    let mut stream = begun();
    for mark in [mark(0, 0), mark(1, u32::MAX), mark(u32::MAX, 7)] {
        let mut out = String::new();
        stream.encode(StreamCommand::Mark(mark), &mut out);
        let back = out.replace("checkpoint", "playedStream");
        let event = stream.decode(&back).expect("a mark");
        assert_eq!(event, StreamEvent::Marked(mark));
    }
}

/// Plivo does not give back what it cleared, and says only that it cleared something: nobody waits
/// for those marks.
#[test]
fn marks_that_were_cleared_may_come_or_not() {
    let mut stream = begun();
    for message in [
        json!({"event": "clearedAudio", "streamId": STREAM}),
        json!({"event": "clearedAudio"}),
        json!({"event": "playedStream"}),
        json!({"event": "playedStream", "name": "g0-1"}),
    ] {
        let message = message.to_string();
        let event = stream.decode(&message);
        if message.contains("clearedAudio") {
            assert_eq!(event.expect("it makes sense"), StreamEvent::Idle);
        } else if message.contains("name") {
            assert_eq!(event.expect("late"), StreamEvent::Marked(mark(0, 1)));
        } else {
            assert_eq!(event.expect_err("nameless").code, code::STREAM_MALFORMED);
        }
    }
}

#[test]
fn nothing_is_said_before_the_stream_starts() {
    let mut stream = protocol();
    let mut out = String::new();
    for command in [
        StreamCommand::Audio(&[0]),
        StreamCommand::Clear,
        StreamCommand::Mark(mark(0, 0)),
    ] {
        stream.encode(command, &mut out);
    }
    assert_eq!(out, "");
    let fault = stream.decode(DOCUMENTED.lines().nth(1).expect("sound"));
    assert_eq!(fault.expect_err("too early").code, code::STREAM_MALFORMED);
}

#[test]
fn a_stream_starts_once() {
    let start = start().to_string();
    let mut stream = begun();
    let fault = stream.decode(&start).expect_err("twice");
    assert_eq!(fault.code, code::STREAM_MALFORMED);
}

#[test]
fn sound_that_cannot_be_decoded_is_refused_by_name() {
    for (encoding, rate) in [("audio/x-l16", 24_000), ("audio/x-mulaw", 16_000), ("", 0)] {
        let mut start = start();
        start["start"]["mediaFormat"] = json!({"encoding": encoding, "sampleRate": rate});
        let fault = protocol().decode(&start.to_string()).map(|_| ());
        let fault = fault.expect_err("not a format of ours");
        assert_eq!(fault.code, code::STREAM_FORMAT, "{encoding}");
        assert!(fault.message.contains(&rate.to_string()) && fault.hint.is_some());
    }
}

#[test]
fn what_a_stream_says_it_carries_decides_both_ways() {
    for (encoding, rate, l16) in [
        ("audio/x-l16", 8_000, Rate::Hz8000),
        ("audio/x-l16", 16_000, Rate::Hz16000),
        ("audio/x-l16;rate=16000", 16_000, Rate::Hz16000),
    ] {
        let mut start = start();
        start["start"]["mediaFormat"] = json!({"encoding": encoding, "sampleRate": rate});
        let (mut stream, start) = (protocol(), start.to_string());
        let Ok(StreamEvent::Started(started)) = stream.decode(&start) else {
            panic!("it starts");
        };
        let codec = Codec::L16(Endian::Little);
        assert_eq!(started.format, Format { codec, rate: l16 });
        assert_eq!(started.spoken, started.format);
        let mut out = String::new();
        stream.encode(StreamCommand::Audio(&[0x34, 0x12]), &mut out);
        // The rate is a field, and no part of the name.
        assert_eq!(
            serde_json::from_str::<Value>(&out).expect("it is JSON"),
            json!({"event": "playAudio", "media": {
                "contentType": "audio/x-l16", "sampleRate": rate, "payload": "NBI=",
            }})
        );
    }
}

#[test]
fn a_start_without_what_is_needed_is_refused() {
    for name in ["callId", "streamId", "mediaFormat"] {
        let mut start = start();
        let inner = start["start"].as_object_mut().expect("an object");
        inner.remove(name);
        refuse(&start.to_string());
    }
    for name in ["callId", "streamId"] {
        for id in ["", "\",\"x\":\"", "a\\", "../x", "é", &"M".repeat(65)] {
            let mut start = start();
            start["start"][name] = json!(id);
            refuse(&start.to_string());
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused_without_repeating_it() {
    let mut stream = begun();
    for message in [
        "",
        "hello secret",
        "[]",
        "{}",
        r#"{"event":7}"#,
        r#"{"event":"media"}"#,
        r#"{"event":"media","media":{"chunk":1,"payload":"secret"}}"#,
        r#"{"event":"media","media":{"track":"inbound","payload":"secret"}}"#,
        r#"{"event":"media","media":{"track":"inbound","chunk":"secret","payload":""}}"#,
        r#"{"event":"media","media":{"track":"inbound","chunk":-1,"payload":""}}"#,
        r#"{"event":"media","media":{"track":"inbound","chunk":1.5,"payload":""}}"#,
        r#"{"event":"media","media":{"track":"inbound","chunk":1}}"#,
        r#"{"event":"media","media":{"track":"inbound","chunk":1,"payload":"secret!"}}"#,
        r#"{"event":"playedStream"}"#,
        r#"{"event":"playedStream","name":7}"#,
        r#"{"event":"dtmf","dtmf":{"digit":"secret"}}"#,
        r#"{"event":"dtmf","dtmf":{"digit":""}}"#,
        r#"{"event":"error","reason":"secret"}"#,
        r#"{"event":"playFailed","reason":"secret"}"#,
    ] {
        let fault = stream.decode(message).map(|_| ()).expect_err(message);
        assert_eq!(fault.code, code::STREAM_MALFORMED, "{message}");
        assert!(!format!("{fault:?}").contains("secret"), "{fault:?}");
    }
    let long = format!(r#"{{"event":"x{}"}}"#, "x".repeat(64 * 1024));
    assert!(stream.decode(&long).is_err());
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in any::<String>()) {
        let _either = protocol().decode(&text).is_ok();
        let _either = begun().decode(&text).is_ok();
        let mut start = start();
        start["extra_headers"] = json!(text);
        prop_assert!(protocol().decode(&start.to_string()).is_ok());
    }

    #[test]
    fn no_damage_is_too_strange((message, _) in damaged(DOCUMENTED.lines().chain(ODD.lines()))) {
        let _either = protocol().decode(&message).is_ok();
        let _either = begun().decode(&message).is_ok();
    }

    /// A space after the first brace sends a message the long way.
    #[test]
    fn the_short_way_reads_sound_as_the_long_way_does(
        (message, whole) in damaged(DOCUMENTED.lines().filter(|it| it.contains("payload"))),
    ) {
        let (mut short, mut long) = (begun(), begun());
        let spaced = message.replacen('{', "{ ", 1);
        let (short, long) = (short.decode(&message), long.decode(&spaced));
        prop_assert_eq!(short.as_ref().ok(), long.as_ref().ok());
        let sound = matches!(short, Ok(StreamEvent::Audio(_)));
        prop_assert!(sound || message != whole);
    }

    #[test]
    fn sound_of_any_length_survives_both_ways(sound in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut stream = begun();
        let mut out = String::new();
        stream.encode(StreamCommand::Audio(&sound), &mut out);
        let sent: Value = serde_json::from_str(&out).expect("it is JSON");
        let payload = &sent["media"]["payload"];
        let media = json!({"track": "inbound", "chunk": 9, "payload": payload});
        let message = json!({"event": "media", "media": media}).to_string();
        prop_assert_eq!(stream.decode(&message).expect("sound"), audio(8, &sound));
    }
}

/// One of these messages with something cut out of it and something put in, and as it was.
fn damaged(
    lines: impl Iterator<Item = &'static str>,
) -> impl Strategy<Value = (String, &'static str)> {
    let line = prop::sample::select(lines.collect::<Vec<_>>());
    let put = r#"[{}\[\]":,\\0-9a-z\x00é]{0,6}"#;
    (line, 0..600_usize, 0..20_usize, put).prop_map(|(line, at, cut, put)| {
        let at = line.floor_char_boundary(at.min(line.len()));
        let end = line.floor_char_boundary((at + cut).min(line.len()));
        (format!("{}{put}{}", &line[..at], &line[end..]), line)
    })
}

/// Plays a conversation and compares it line by line.
fn replay(lines: &str, expected: &[StreamEvent<'_>]) {
    let mut stream = protocol();
    assert_eq!(lines.lines().count(), expected.len());
    for (line, expected) in lines.lines().zip(expected) {
        let event = stream.decode(line).expect("it makes sense");
        assert_eq!(&event, expected, "{line}");
    }
}

fn refuse(message: &str) {
    let fault = protocol().decode(message).map(|_| ()).expect_err(message);
    assert_eq!(fault.code, code::STREAM_MALFORMED, "{message}");
}

fn protocol() -> Box<dyn StreamProtocol> {
    let Sound::Stream(dialect) = carrier().sound;
    dialect.open()
}

/// A stream that has started.
fn begun() -> Box<dyn StreamProtocol> {
    let mut stream = protocol();
    stream.decode(&start().to_string()).expect("it starts");
    stream
}

fn start() -> Value {
    let line = DOCUMENTED.lines().next().expect("it starts");
    serde_json::from_str(line).expect("it is JSON")
}

fn started(token: &str) -> Started {
    Started {
        leg: Leg(CALL.to_owned()),
        token: Repeated::Token(Private::from(token)),
        format: ULAW,
        spoken: ULAW,
        line: Line::Ordered,
    }
}

fn mark(generation: u32, index: u32) -> Mark {
    Mark { generation, index }
}

fn audio(index: u64, payload: &[u8]) -> StreamEvent<'_> {
    StreamEvent::Audio(Packet { index, payload })
}

const ULAW: Format = Format {
    codec: Codec::Ulaw,
    rate: Rate::Hz8000,
};
