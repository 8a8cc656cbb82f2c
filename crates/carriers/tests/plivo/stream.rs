use call::{Digit, Private};
use media::{Codec, Format, Line, Mark, Packet, Rate};
use ports::carrier::{Leg, Repeated, Sound, Started, StreamCommand, StreamEvent, StreamProtocol};
use ports::code;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::{CALL, carrier};

#[test]
fn a_stream_as_plivo_documents_it() {
    let mut stream = protocol();
    let start = start("audio/x-mulaw", 8000, "token=t0k3n;x=1");
    assert_eq!(
        heard(&mut *stream, &start),
        Some(StreamEvent::Started(Started {
            leg: Leg(CALL.to_owned()),
            token: Repeated::Token(Private::from("t0k3n")),
            format: Format {
                codec: Codec::Ulaw,
                rate: Rate::Hz8000,
            },
            spoken: Codec::Ulaw,
            line: Line::Ordered,
        }))
    );
    let media = r#"{"event":"media","sequenceNumber":2,"streamId":"s","media":{"track":"inbound","timestamp":"1758","chunk":1,"payload":"fn7/fg=="},"extra_headers":"token=t0k3n"}"#;
    for spelled in [
        media.to_owned(),
        media.replace(':', ": "),
        media.replace(":1,", ":\"1\","),
    ] {
        let sound = heard(&mut *stream, &spelled);
        let payload: &[u8] = &[0x7e, 0x7e, 0xff, 0x7e];
        assert_eq!(
            sound,
            Some(StreamEvent::Audio(Packet { index: 0, payload })),
            "{spelled}"
        );
    }
    let dtmf = r#"{"event":"dtmf","sequenceNumber":9,"streamId":"s","dtmf":{"track":"inbound","digit":"1","timestamp":"5"}}"#;
    let one = Digit::new('1').expect("a key");
    assert_eq!(heard(&mut *stream, dtmf), Some(StreamEvent::Pressed(one)));
    for name in ["playedStream", "played"] {
        let played = json!({"event": name, "sequenceNumber": 10, "streamId": "s", "name": "g2-7"});
        let ours = Mark {
            generation: 2,
            index: 7,
        };
        let played = played.to_string();
        assert_eq!(
            heard(&mut *stream, &played),
            Some(StreamEvent::Marked(ours))
        );
    }
    let cleared = r#"{"event":"clearedAudio","sequenceNumber":11,"streamId":"s"}"#;
    assert_eq!(heard(&mut *stream, cleared), Some(StreamEvent::Idle));
    assert_eq!(
        heard(&mut *stream, r#"{"event":"stop"}"#),
        Some(StreamEvent::Stopped)
    );
    assert_eq!(
        heard(&mut *stream, r#"{"event":"weather"}"#),
        Some(StreamEvent::Unknown)
    );
    assert_eq!(
        heard(&mut *stream, r#"{"event":"error","reason":"x"}"#),
        None
    );
}

#[test]
fn headers_are_found_however_they_are_written() {
    for headers in [
        "token=t",
        "a=1;token=t",
        "a=1,token=t",
        r#"{"a":"1","token":"t"}"#,
    ] {
        let mut stream = protocol();
        let start = start("audio/x-mulaw", 8000, headers);
        let Some(StreamEvent::Started(started)) = heard(&mut *stream, &start) else {
            panic!("it starts: {headers}");
        };
        assert_eq!(
            started.token,
            Repeated::Token(Private::from("t")),
            "{headers}"
        );
    }
    let mut stream = protocol();
    let start = start("audio/x-mulaw", 8000, "a=1");
    let Some(StreamEvent::Started(started)) = heard(&mut *stream, &start) else {
        panic!("it starts");
    };
    assert_eq!(started.token, Repeated::Token(Private::from("")));
}

#[test]
fn sound_that_cannot_be_decoded_is_refused_by_name() {
    for (encoding, rate) in [("audio/x-l16", 8000), ("audio/x-mulaw", 16_000)] {
        let mut stream = protocol();
        let fault = stream
            .decode(&start(encoding, rate, ""))
            .expect_err("it is not read");
        assert_eq!(fault.code, code::STREAM_FORMAT);
    }
}

#[test]
fn only_what_plivo_documents_is_written() {
    let mut stream = protocol();
    let mut out = String::new();
    stream.encode(StreamCommand::Clear, &mut out);
    assert_eq!(out, "", "nothing is said before the stream starts");
    stream
        .decode(&start("audio/x-mulaw", 8000, ""))
        .expect("it starts");
    let mut said = |command| {
        out.clear();
        stream.encode(command, &mut out);
        serde_json::from_str::<Value>(&out).expect("it is JSON")
    };
    assert_eq!(
        said(StreamCommand::Audio(&[0xff, 0x7e])),
        json!({"event": "playAudio", "media": {"contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": "/34="}})
    );
    let mark = Mark {
        generation: 1,
        index: 2,
    };
    assert_eq!(
        said(StreamCommand::Mark(mark)),
        json!({"event": "checkpoint", "streamId": "s-1", "name": "g1-2"})
    );
    assert_eq!(
        said(StreamCommand::Clear),
        json!({"event": "clearAudio", "streamId": "s-1"})
    );
}

proptest! {
    #[test]
    fn no_text_is_too_strange(text in ".*", event in "start|media|dtmf|playedStream|error") {
        let mut stream = protocol();
        let _ = stream.decode(&text);
        let _ = stream.decode(&start("audio/x-mulaw", 8000, &text));
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
    dialect()
}

fn start(encoding: &str, rate: u32, headers: &str) -> String {
    json!({
        "event": "start", "sequenceNumber": 1,
        "start": {
            "callId": CALL, "streamId": "s-1", "accountId": "MA", "tracks": ["inbound"],
            "mediaFormat": {"encoding": encoding, "sampleRate": rate},
        },
        "extra_headers": headers,
    })
    .to_string()
}
