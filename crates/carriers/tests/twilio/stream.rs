use call::{Digit, Private};
use media::{Codec, Format, Line, Mark, Packet, Rate};
use ports::carrier::{Leg, Repeated, Sound, Started, StreamCommand, StreamEvent, StreamProtocol};
use ports::code;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::carrier;

const DOCUMENTED: &str = include_str!("../../src/twilio/fixtures/stream.jsonl");
const ODD: &str = include_str!("../../src/twilio/fixtures/odd.jsonl");
const SID: &str = "MZ00000000000000000000000000000003";

#[test]
fn documented_messages_are_read() {
    let ramp: Vec<u8> = (0..160).collect();
    let expected = [
        StreamEvent::Idle,
        StreamEvent::Started(started(Codec::Ulaw, "t0k3n")),
        audio(0, &[0xFF; 160]),
        audio(1, &ramp),
        StreamEvent::Pressed(Digit::new('1').expect("a key")),
        StreamEvent::Marked(Mark {
            generation: 3,
            index: 17,
        }),
        StreamEvent::Idle,
        audio(2, &[0xFF, 0x7F, 0x00, 0x80, 0xFF]),
        StreamEvent::Stopped,
    ];
    replay(DOCUMENTED, &expected);
}

#[test]
fn messages_spelled_otherwise_are_read_too() {
    let expected = [
        StreamEvent::Started(started(Codec::Alaw, "")),
        audio(6, &[0xD5; 3]),
        StreamEvent::Idle,
        StreamEvent::Pressed(Digit::new('#').expect("a key")),
        StreamEvent::Unknown,
        StreamEvent::Stopped,
    ];
    replay(ODD, &expected);
}

#[test]
fn only_the_fields_that_twilio_reads_are_written() {
    let mut stream = begun();
    let cases = [
        (
            StreamCommand::Audio(&[0x00, 0x7F, 0xFF, 0x80]),
            json!({"event": "media", "streamSid": SID, "media": {"payload": "AH//gA=="}}),
        ),
        (
            StreamCommand::Mark(Mark {
                generation: 2,
                index: 40,
            }),
            json!({"event": "mark", "streamSid": SID, "mark": {"name": "g2-40"}}),
        ),
        (
            StreamCommand::Clear,
            json!({"event": "clear", "streamSid": SID}),
        ),
    ];
    for (command, expected) in cases {
        let mut out = String::new();
        stream.encode(command, &mut out);
        let written: Value = serde_json::from_str(&out).expect("it is JSON");
        assert_eq!(written, expected);
    }
}

#[test]
fn a_mark_comes_back_as_it_was_sent() {
    let mut stream = begun();
    for mark in [(0, 0), (1, u32::MAX), (u32::MAX, 7)] {
        let mark = Mark {
            generation: mark.0,
            index: mark.1,
        };
        let mut out = String::new();
        stream.encode(StreamCommand::Mark(mark), &mut out);
        assert_eq!(
            stream.decode(&out).expect("a mark"),
            StreamEvent::Marked(mark)
        );
    }
}

#[test]
fn marks_of_others_mean_nothing() {
    let mut stream = begun();
    for name in [
        "",
        "g",
        "g1",
        "g1-",
        "g-1",
        "1-1",
        "g1-2-3",
        "g+1-2",
        "g1-4294967296",
        "G1-2",
    ] {
        let message = json!({"event": "mark", "mark": {"name": name}}).to_string();
        assert_eq!(
            stream.decode(&message).expect("it makes sense"),
            StreamEvent::Idle,
            "{name}"
        );
    }
}

#[test]
fn nothing_is_said_before_the_stream_starts() {
    let mut stream = protocol();
    let mut out = String::new();
    for command in [
        StreamCommand::Audio(&[0]),
        StreamCommand::Clear,
        StreamCommand::Mark(Mark {
            generation: 0,
            index: 0,
        }),
    ] {
        stream.encode(command, &mut out);
    }
    assert_eq!(out, "");
    let fault = stream.decode(DOCUMENTED.lines().nth(2).expect("sound"));
    assert_eq!(fault.expect_err("too early").code, code::STREAM_MALFORMED);
}

#[test]
fn sound_that_cannot_be_decoded_is_refused_by_name() {
    for (encoding, rate, channels) in [
        ("audio/x-l16", 8000, 1),
        ("audio/x-mulaw", 16000, 1),
        ("audio/x-mulaw", 8000, 2),
        ("", 0, 0),
    ] {
        let mut start = start();
        start["start"]["mediaFormat"] =
            json!({"encoding": encoding, "sampleRate": rate, "channels": channels});
        let fault = protocol().decode(&start.to_string()).map(|_| ());
        let fault = fault.expect_err("not a format of ours");
        assert_eq!(fault.code, code::STREAM_FORMAT, "{encoding}");
        assert!(fault.message.contains(&rate.to_string()) && fault.hint.is_some());
    }
}

#[test]
fn a_start_without_what_is_needed_is_refused() {
    for pointer in ["callSid", "mediaFormat"] {
        let mut start = start();
        start["start"]
            .as_object_mut()
            .expect("an object")
            .remove(pointer);
        refuse(&start.to_string());
    }
    let mut bare = start();
    bare.as_object_mut().expect("an object").remove("streamSid");
    assert!(
        protocol().decode(&bare.to_string()).is_ok(),
        "it is also inside"
    );
    bare["start"]
        .as_object_mut()
        .expect("an object")
        .remove("streamSid");
    refuse(&bare.to_string());
    for sid in ["", "MZ\",\"x\":\"", "MZ\\", &"M".repeat(65), "MZ é"] {
        let mut start = start();
        start["start"]["streamSid"] = json!(sid);
        refuse(&start.to_string());
    }
    for sid in ["", "CA", "MZ00000000000000000000000000000002"] {
        let mut start = start();
        start["start"]["callSid"] = json!(sid);
        refuse(&start.to_string());
    }
}

#[test]
fn a_stream_starts_once() {
    let fault = begun().decode(&start().to_string()).map(|_| ());
    assert_eq!(fault.expect_err("twice").code, code::STREAM_MALFORMED);
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
        r#"{"event":"media","media":{"chunk":"1","payload":"secret"}}"#,
        r#"{"event":"media","media":{"track":"inbound","payload":"secret"}}"#,
        r#"{"event":"media","media":{"track":"inbound","chunk":"secret","payload":""}}"#,
        r#"{"event":"media","media":{"track":"inbound","chunk":"-1","payload":""}}"#,
        r#"{"event":"media","media":{"track":"inbound","chunk":"1"}}"#,
        r#"{"event":"media","media":{"track":"inbound","chunk":"1","payload":"secret!"}}"#,
        r#"{"event":"mark"}"#,
        r#"{"event":"mark","mark":{}}"#,
        r#"{"event":"dtmf","dtmf":{"digit":"secret"}}"#,
        r#"{"event":"dtmf","dtmf":{"digit":""}}"#,
        r#"{"event":"dtmf","dtmf":{"digit":"x"}}"#,
        r#"{"event":"dtmf","dtmf":{"digit":"11"}}"#,
    ] {
        let fault = stream.decode(message).map(|_| ()).expect_err(message);
        assert_eq!(fault.code, code::STREAM_MALFORMED, "{message}");
        assert!(!format!("{fault:?}").contains("secret"), "{fault:?}");
    }
    let long = format!(r#"{{"event":"x{}"}}"#, "x".repeat(64 * 1024));
    assert!(stream.decode(&long).is_err());
}

#[test]
fn unknown_events_may_carry_anything() {
    let mut stream = begun();
    for message in [
        r#"{"event":"weather","media":7,"mark":[],"start":"now"}"#,
        r#"{"event":"","streamSid":null}"#,
    ] {
        assert_eq!(
            stream.decode(message).expect("merely unknown"),
            StreamEvent::Unknown
        );
    }
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in any::<String>()) {
        let _either = protocol().decode(&text).is_ok();
        let _either = begun().decode(&text).is_ok();
    }

    #[test]
    fn no_damage_is_too_strange(
        line in prop::sample::select(DOCUMENTED.lines().chain(ODD.lines()).collect::<Vec<_>>()),
        at in 0..600_usize,
        cut in 0..20_usize,
        put in r#"[{}\[\]":,\\0-9a-z\x00é]{0,6}"#,
    ) {
        let at = line.floor_char_boundary(at.min(line.len()));
        let end = (at + cut).min(line.len());
        let message = format!("{}{put}{}", &line[..at], &line[end..]);
        let _either = protocol().decode(&message).is_ok();
        let _either = begun().decode(&message).is_ok();
    }

    #[test]
    fn sound_of_any_length_survives_both_ways(sound in prop::collection::vec(any::<u8>(), 0..2000)) {
        let mut stream = begun();
        let mut out = String::new();
        stream.encode(StreamCommand::Audio(&sound), &mut out);
        let sent: Value = serde_json::from_str(&out).expect("it is JSON");
        let payload = &sent["media"]["payload"];
        let media = json!({"track": "inbound", "chunk": "9", "payload": payload});
        let message = json!({"event": "media", "media": media}).to_string();
        prop_assert_eq!(stream.decode(&message).expect("sound"), audio(8, &sound));
    }
}

/// Plays a conversation and compares it line by line.
fn replay(lines: &str, expected: &[StreamEvent<'_>]) {
    let mut stream = protocol();
    assert_eq!(lines.lines().count(), expected.len());
    for (line, expected) in lines.lines().zip(expected) {
        assert_eq!(
            &stream.decode(line).expect("it makes sense"),
            expected,
            "{line}"
        );
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
    let line = DOCUMENTED.lines().nth(1).expect("it starts");
    serde_json::from_str(line).expect("it is JSON")
}

fn started(codec: Codec, token: &str) -> Started {
    let rate = Rate::Hz8000;
    let format = Format { codec, rate };
    Started {
        leg: Leg("CA00000000000000000000000000000002".to_owned()),
        token: Repeated::Token(Private::from(token)),
        format,
        spoken: format,
        line: Line::Ordered,
    }
}

fn audio(index: u64, payload: &[u8]) -> StreamEvent<'_> {
    StreamEvent::Audio(Packet { index, payload })
}
