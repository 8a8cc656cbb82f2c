use call::Digit;
use media::{Codec, Endian, Format, Line, Mark, Packet, Rate};
use ports::carrier::{Leg, Repeated, Sound, Started, StreamCommand, StreamEvent, StreamProtocol};
use ports::{Value as Setting, code};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{CALL, carrier, entry, settings};

#[test]
fn a_stream_as_telnyx_documents_it() {
    let mut stream = protocol();
    assert_eq!(
        heard(&mut *stream, r#"{"event":"connected","version":"1.0.0"}"#),
        Some(StreamEvent::Idle)
    );
    let start = start("PCMU", 8000);
    assert_eq!(
        heard(&mut *stream, &start),
        Some(StreamEvent::Started(Started {
            leg: Leg(CALL.to_owned()),
            token: Repeated::Nothing,
            format: ULAW,
            spoken: ULAW,
            line: Line::Shuffled { depth: 3 },
        }))
    );
    let media = r#"{"event":"media","sequence_number":"4","media":{"track":"inbound","chunk":"2","timestamp":"5","payload":"fn7/fg=="},"stream_id":"32de"}"#;
    assert_eq!(
        heard(&mut *stream, media),
        Some(audio(1, &[0x7e, 0x7e, 0xff, 0x7e]))
    );
    assert_eq!(
        heard(&mut *stream, &media.replace(':', ": ")),
        Some(audio(1, &[0x7e, 0x7e, 0xff, 0x7e]))
    );
    assert_eq!(
        heard(&mut *stream, &media.replace("inbound", "outbound")),
        Some(StreamEvent::Idle)
    );
    let dtmf = r#"{"event":"dtmf","stream_id":"32de","occurred_at":"2025-06-05T08:54:19.698408Z","sequence_number":"5","dtmf":{"digit":"1"}}"#;
    let one = Digit::new('1').expect("a key");
    assert_eq!(heard(&mut *stream, dtmf), Some(StreamEvent::Pressed(one)));
    let mark =
        r#"{"event":"mark","stream_id":"32de","sequence_number":"5","mark":{"name":"g2-7"}}"#;
    let ours = Mark {
        generation: 2,
        index: 7,
    };
    assert_eq!(heard(&mut *stream, mark), Some(StreamEvent::Marked(ours)));
    assert_eq!(
        heard(&mut *stream, &mark.replace("g2-7", "another's")),
        Some(StreamEvent::Idle)
    );
    assert_eq!(
        heard(&mut *stream, r#"{"event":"weather","sky":"grey"}"#),
        Some(StreamEvent::Unknown)
    );
    let stop = r#"{"event":"stop","sequence_number":"5","stop":{"user_id":"1","call_control_id":"v3:1"},"stream_id":"32de"}"#;
    assert_eq!(heard(&mut *stream, stop), Some(StreamEvent::Stopped));
}

#[test]
fn a_far_end_that_speaks_a_law_is_understood_and_spoken_to_in_mu_law() {
    let mut stream = protocol();
    let start = start("PCMA", 8000);
    let Some(StreamEvent::Started(started)) = heard(&mut *stream, &start) else {
        panic!("it starts");
    };
    assert_eq!((started.format.codec, started.spoken), (Codec::Alaw, ULAW));
}

#[test]
fn what_a_stream_says_it_carries_is_what_is_read() {
    let little = settings().with("l16_order", Setting::Text("little-endian".to_owned()));
    for (settings, encoding, rate, codec, hears) in [
        (
            settings(),
            "L16",
            16_000,
            Codec::L16(Endian::Big),
            Rate::Hz16000,
        ),
        (
            little,
            "L16",
            16_000,
            Codec::L16(Endian::Little),
            Rate::Hz16000,
        ),
        (
            settings(),
            "L16",
            8_000,
            Codec::L16(Endian::Big),
            Rate::Hz8000,
        ),
        (settings(), "G722", 8_000, Codec::G722, Rate::Hz16000),
        (settings(), "G722", 16_000, Codec::G722, Rate::Hz16000),
        (settings(), "OPUS", 48_000, Codec::Opus, Rate::Hz16000),
        (settings(), "PCMA", 8_000, Codec::Alaw, Rate::Hz8000),
    ] {
        let carrier = (entry().build)(&settings).unwrap_or_else(|them| panic!("{them:?}"));
        let Sound::Stream(dialect) = carrier.sound;
        let (mut stream, start) = (dialect.open(), start(encoding, rate));
        let Some(StreamEvent::Started(started)) = heard(&mut *stream, &start) else {
            panic!("{encoding} is read");
        };
        assert_eq!(started.format, Format { codec, rate: hears }, "{encoding}");
        // What ours is written in is what was asked for, whatever comes.
        assert_eq!(started.spoken, ULAW);
    }
}

#[test]
fn what_is_asked_for_is_what_is_spoken() {
    for (sound, codec) in [
        ("l16", Codec::L16(Endian::Big)),
        ("g722", Codec::G722),
        ("opus", Codec::Opus),
    ] {
        let settings = settings().with("sound", Setting::Text(sound.to_owned()));
        let carrier = (entry().build)(&settings).unwrap_or_else(|them| panic!("{them:?}"));
        let Sound::Stream(dialect) = carrier.sound;
        assert_eq!(dialect.rate(), Rate::Hz16000);
        let (mut stream, start) = (dialect.open(), start("PCMU", 8_000));
        let Some(StreamEvent::Started(started)) = heard(&mut *stream, &start) else {
            panic!("it starts");
        };
        let rate = Rate::Hz16000;
        assert_eq!(
            (started.format, started.spoken),
            (ULAW, Format { codec, rate })
        );
    }
}

#[test]
fn sound_that_cannot_be_decoded_is_refused_by_name() {
    for (encoding, rate) in [("AMR-WB", 16_000), ("L16", 22_050), ("PCMU", 16_000)] {
        let mut stream = protocol();
        let fault = stream
            .decode(&start(encoding, rate))
            .expect_err("it is not read");
        assert_eq!(fault.code, code::STREAM_FORMAT);
        assert!(fault.message.contains(encoding), "{fault}");
    }
}

#[test]
fn what_telnyx_complains_of_is_told() {
    let mut stream = protocol();
    let complaint = r#"{"event":"error","payload":{"code":100004,"title":"invalid_media","detail":"…"},"stream_id":"1"}"#;
    let fault = stream.decode(complaint).expect_err("it is an error");
    assert!(fault.message.contains("100004"), "{fault}");
}

#[test]
fn only_what_telnyx_documents_is_written() {
    let mut stream = protocol();
    let mut out = String::new();
    stream.encode(StreamCommand::Clear, &mut out);
    assert_eq!(out, "", "nothing is said before the stream starts");
    stream.decode(&start("PCMU", 8000)).expect("it starts");
    let mut said = |command| {
        out.clear();
        stream.encode(command, &mut out);
        serde_json::from_str::<Value>(&out).expect("it is JSON")
    };
    assert_eq!(
        said(StreamCommand::Audio(&[0xff, 0x7e])),
        json!({"event": "media", "media": {"payload": "/34="}})
    );
    let mark = Mark {
        generation: 1,
        index: 2,
    };
    assert_eq!(
        said(StreamCommand::Mark(mark)),
        json!({"event": "mark", "mark": {"name": "g1-2"}})
    );
    assert_eq!(said(StreamCommand::Clear), json!({"event": "clear"}));
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in ".*", event in "start|media|mark|dtmf|stop|error") {
        let mut stream = protocol();
        let _ = stream.decode(&text);
        let _ = stream.decode(&start("PCMU", 8000));
        let _ = stream.decode(&json!({"event": event, "media": {"payload": text}}).to_string());
        let _ = stream.decode(&json!({"event": event, event: text}).to_string());
    }
}

/// What a message means to a stream; `None`: nothing that makes sense.
fn heard<'m>(stream: &'m mut dyn StreamProtocol, message: &'m str) -> Option<StreamEvent<'m>> {
    stream.decode(message).ok()
}

fn protocol() -> Box<dyn StreamProtocol> {
    let Sound::Stream(dialect) = carrier().sound;
    dialect.open()
}

fn start(encoding: &str, rate: u32) -> String {
    json!({
        "event": "start", "sequence_number": "1",
        "start": {
            "user_id": "3e6f", "call_control_id": CALL, "call_session_id": "ff55",
            "from": "+15551234567", "to": "+15550001111", "tags": [], "client_state": "ZGlhbGxlZA==",
            "media_format": {"encoding": encoding, "sample_rate": rate, "channels": 1},
        },
        "stream_id": "32de",
    })
    .to_string()
}

fn audio(index: u64, payload: &[u8]) -> StreamEvent<'_> {
    StreamEvent::Audio(Packet { index, payload })
}

const ULAW: Format = Format {
    codec: Codec::Ulaw,
    rate: Rate::Hz8000,
};
