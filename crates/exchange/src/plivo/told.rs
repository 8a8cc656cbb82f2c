//! What the application says on an audio stream's socket.
//!
//! Source: the carrier's audio streaming pages and the types of its stream SDK.

use super::tones;
use super::xml::Codec;
use crate::g711::Law;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// What the application may say.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Told {
    Sound(Sound),
    Checkpoint(String),
    Clear,
    Keys(Vec<i16>),
}

/// Sound as the application claims it to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Sound {
    content_type: String,
    rate: u32,
    bytes: Vec<u8>,
}

impl Sound {
    /// Its samples, if it is what the stream speaks.
    pub(super) fn samples(self, codec: Codec) -> Result<Vec<i16>, String> {
        let Self {
            content_type,
            rate,
            bytes,
        } = self;
        let (expected, its_rate) = (codec.content_type(), codec.rate());
        if content_type != expected || rate != its_rate {
            return Err(format!(
                "playAudio: {content_type} at {rate} is not the stream's {expected} at {its_rate}; the sound is dropped"
            ));
        }
        match codec {
            Codec::Mulaw => Ok(bytes.iter().map(|code| Law::Mu.decode(*code)).collect()),
            Codec::Linear | Codec::Wide if bytes.len().is_multiple_of(2) => Ok(bytes
                .chunks_exact(2)
                .map(|pair| i16::from_le_bytes([pair[0], pair[1]]))
                .collect()),
            Codec::Linear | Codec::Wide => Err("playAudio: half a sample at the end; the sound is dropped".to_owned()),
        }
    }
}

/// Reads a message strictly: exactly the documented fields, and a `streamId` where it is not needed.
pub(super) fn read(text: &str, stream: &str) -> Result<Told, String> {
    let value: Value = serde_json::from_str(text).map_err(|why| format!("not JSON: {why}"))?;
    let field = |path: &str| value.pointer(path).and_then(Value::as_str);
    let event = field("/event").ok_or("no event")?;
    let named = value.pointer("/streamId").is_some();
    if named && field("/streamId") != Some(stream) {
        return Err(format!("{event}: the streamId is not this stream's"));
    }
    let fields = |path: &str, expected: &[&str]| {
        let object = value.pointer(path).and_then(Value::as_object);
        let object = object.ok_or_else(|| format!("{event}: {path} is missing"))?;
        let found: Vec<_> = object
            .keys()
            .map(String::as_str)
            .filter(|name| !(path.is_empty() && *name == "streamId"))
            .collect();
        if found.len() == expected.len() && expected.iter().all(|name| found.contains(name)) {
            Ok(())
        } else {
            Err(format!("{event}: the fields are {found:?}, not {expected:?}"))
        }
    };
    if matches!(event, "checkpoint" | "clearAudio") && !named {
        return Err(format!("{event}: the streamId is missing"));
    }
    match event {
        "playAudio" => {
            fields("", &["event", "media"])?;
            fields("/media", &["contentType", "sampleRate", "payload"])?;
            read_sound(&value).map(Told::Sound)
        }
        "checkpoint" => {
            fields("", &["event", "name"])?;
            let name = field("/name").ok_or("checkpoint: the name is not a string")?;
            Ok(Told::Checkpoint(name.to_owned()))
        }
        "clearAudio" => {
            fields("", &["event"])?;
            Ok(Told::Clear)
        }
        "sendDTMF" => {
            fields("", &["event", "dtmf"])?;
            field("/dtmf")
                .filter(|keys| !keys.contains(['w', 'W']))
                .and_then(tones)
                .map(Told::Keys)
                .ok_or_else(|| "sendDTMF: those are not keys".to_owned())
        }
        other => Err(format!("{other} is not an event the carrier knows")),
    }
}

fn read_sound(message: &Value) -> Result<Sound, String> {
    let media = &message["media"];
    let content_type = media["contentType"].as_str();
    let content_type = content_type.ok_or("playAudio: the contentType is not a string")?;
    let rate = &media["sampleRate"];
    let rate = match rate.as_str() {
        Some(text) => text.parse().ok(),
        None => rate.as_u64().and_then(|rate| u32::try_from(rate).ok()),
    };
    let payload = media["payload"].as_str();
    let payload = payload.ok_or("playAudio: the payload is not a string")?;
    Ok(Sound {
        content_type: content_type.to_owned(),
        rate: rate.ok_or("playAudio: the sampleRate is not a number")?,
        bytes: STANDARD
            .decode(payload)
            .map_err(|why| format!("playAudio: not base64: {why}"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_exactly_the_documented_messages() {
        let told = |text: &str| read(text, "s1");
        for rate in ["8000", r#""8000""#] {
            let text = format!(
                r#"{{"event":"playAudio","media":{{"contentType":"audio/x-mulaw","sampleRate":{rate},"payload":"//8="}}}}"#
            );
            let sound = Sound {
                content_type: "audio/x-mulaw".into(),
                rate: 8_000,
                bytes: vec![255, 255],
            };
            assert_eq!(told(&text), Ok(Told::Sound(sound)));
        }
        assert_eq!(
            told(r#"{"event":"checkpoint","streamId":"s1","name":"a"}"#),
            Ok(Told::Checkpoint("a".into()))
        );
        assert_eq!(
            told(r#"{"event":"clearAudio","streamId":"s1"}"#),
            Ok(Told::Clear)
        );
        assert!(matches!(
            told(r#"{"event":"sendDTMF","dtmf":"12#"}"#),
            Ok(Told::Keys(sound)) if sound.len() == 3 * 1_280
        ));
        for wrong in [
            "hello",
            "[]",
            r#"{"event":"clearAudio"}"#,
            r#"{"event":"clearAudio","streamId":"s2"}"#,
            r#"{"event":"clearAudio","streamId":"s1","now":true}"#,
            r#"{"event":"checkpoint","name":"a"}"#,
            r#"{"event":"checkpoint","streamId":"s1","name":7}"#,
            r#"{"event":"clear","streamId":"s1"}"#,
            r#"{"event":"sendDTMF","dtmf":"1w2"}"#,
            r#"{"event":"sendDTMF","dtmf":12}"#,
            r#"{"event":"playAudio","media":{"payload":"//8="}}"#,
            r#"{"event":"playAudio","media":{"contentType":"audio/x-mulaw","sampleRate":"fast","payload":"//8="}}"#,
            r#"{"event":"playAudio","media":{"contentType":"audio/x-mulaw","sampleRate":8000,"payload":"%"}}"#,
        ] {
            assert!(told(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn sound_must_be_what_the_stream_speaks() {
        let sound = |content_type: &str, rate| Sound {
            content_type: content_type.to_owned(),
            rate,
            bytes: vec![0x34, 0x12],
        };
        assert_eq!(sound("audio/x-l16", 8_000).samples(Codec::Linear), Ok(vec![0x1234]));
        assert_eq!(sound("audio/x-l16", 16_000).samples(Codec::Wide), Ok(vec![0x1234]));
        assert!(sound("audio/x-l16", 8_000).samples(Codec::Wide).is_err());
        assert!(sound("audio/x-mulaw", 8_000).samples(Codec::Mulaw).is_ok());
        for (content_type, rate) in [
            ("audio/x-l16", 8_000),
            ("audio/x-mulaw", 16_000),
            ("audio/x-mulaw;rate=8000", 8_000),
        ] {
            assert!(sound(content_type, rate).samples(Codec::Mulaw).is_err());
        }
    }
}
