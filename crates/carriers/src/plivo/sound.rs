use media::{Codec, Endian, Format, Rate};
use ports::{Problem, Settings};

/// How sound is written on an audio stream, both ways alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sound {
    /// µ-law at 8 kHz.
    Narrow,
    /// 16 bits at 16 kHz.
    L16,
}

impl Sound {
    /// Reads the setting, or says what is wrong with it.
    pub(super) fn read(settings: &Settings) -> Result<Self, Problem> {
        match settings.text(SOUND) {
            None | Some("narrow") => Ok(Self::Narrow),
            Some("l16") => Ok(Self::L16),
            Some(_) => Err(Problem {
                key: SOUND,
                message: "there is no such sound".to_owned(),
                hint: "write \"narrow\" or \"l16\"".to_owned(),
            }),
        }
    }

    /// What calls run at that have it.
    pub(super) fn rate(self) -> Rate {
        match self {
            Self::Narrow => Rate::Hz8000,
            Self::L16 => Rate::Hz16000,
        }
    }

    /// What is asked for.
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Narrow => "audio/x-mulaw;rate=8000",
            Self::L16 => "audio/x-l16;rate=16000",
        }
    }
}

/// What a stream says its sound is, if we can read it, and what a message of ours begins with that
/// has the same.
pub(super) fn heard(encoding: &str, rate: u64) -> Option<(Format, &'static str)> {
    // Some of the library's messages repeat the rate, which the pages do not.
    let (name, _) = encoding.split_once(';').unwrap_or((encoding, ""));
    let (codec, rate, begins) = match (name, rate) {
        ("audio/x-mulaw", 8_000) => (Codec::Ulaw, Rate::Hz8000, MULAW),
        ("audio/x-l16", 8_000) => (Codec::L16(Endian::Little), Rate::Hz8000, L16_8),
        ("audio/x-l16", 16_000) => (Codec::L16(Endian::Little), Rate::Hz16000, L16_16),
        _ => return None,
    };
    Some((Format { codec, rate }, begins))
}

pub(super) const SOUND: &str = "sound";

/// Here the name has no rate in it: that is a field of its own.
const MULAW: &str =
    r#"{"event":"playAudio","media":{"contentType":"audio/x-mulaw","sampleRate":8000,"payload":""#;
const L16_8: &str =
    r#"{"event":"playAudio","media":{"contentType":"audio/x-l16","sampleRate":8000,"payload":""#;
const L16_16: &str =
    r#"{"event":"playAudio","media":{"contentType":"audio/x-l16","sampleRate":16000,"payload":""#;
