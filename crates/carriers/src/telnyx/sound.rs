use media::{Codec, Endian, Format, Rate};
use ports::{Problem, Settings};
use serde_json::{Value, json};

/// How sound is to travel between Telnyx and us.
///
/// It is asked for, both ways; what the caller's is written in, each stream says for itself, since
/// Telnyx leaves it as the call has it where it cannot change it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sound {
    asked: Asked,
    /// Telnyx does not say which byte of a sample comes first.
    endian: Endian,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Narrow,
    L16,
    G722,
    Opus,
}

impl Sound {
    /// Reads the settings, or says what is wrong with them.
    pub(super) fn read(settings: &Settings) -> Result<Self, Vec<Problem>> {
        let mut problems = Vec::new();
        let asked = match settings.text(SOUND) {
            None | Some("narrow") => Asked::Narrow,
            Some("l16") => Asked::L16,
            Some("g722") => Asked::G722,
            Some("opus") => Asked::Opus,
            Some(_) => {
                problems.push(Problem {
                    key: SOUND,
                    message: "there is no such sound".to_owned(),
                    hint: "write \"narrow\", \"l16\", \"g722\" or \"opus\"".to_owned(),
                });
                Asked::Narrow
            }
        };
        let endian = match settings.text(L16_ORDER) {
            None | Some("big-endian") => Endian::Big,
            Some("little-endian") => Endian::Little,
            Some(_) => {
                problems.push(Problem {
                    key: L16_ORDER,
                    message: "bytes come in no such order".to_owned(),
                    hint: "write \"big-endian\" or \"little-endian\"".to_owned(),
                });
                Endian::Big
            }
        };
        if problems.is_empty() {
            Ok(Self { asked, endian })
        } else {
            Err(problems)
        }
    }

    /// What ours is written in.
    pub(super) fn spoken(self) -> Format {
        let (codec, rate) = match self.asked {
            Asked::Narrow => (Codec::Ulaw, Rate::Hz8000),
            Asked::L16 => (Codec::L16(self.endian), Rate::Hz16000),
            Asked::G722 => (Codec::G722, Rate::Hz16000),
            Asked::Opus => (Codec::Opus, Rate::Hz16000),
        };
        Format { codec, rate }
    }

    /// What a stream's first message says that the caller's is written in, if we can read it.
    pub(super) fn heard(self, encoding: &str, rate: u64, channels: u64) -> Option<Format> {
        let (codec, rate) = match (encoding, rate, channels) {
            ("PCMU", 8_000, 1) => (Codec::Ulaw, Rate::Hz8000),
            ("PCMA", 8_000, 1) => (Codec::Alaw, Rate::Hz8000),
            // Its clock is said to run at half the rate of its sound (RFC 3551, 4.5.2).
            ("G722", 8_000 | 16_000, 1) => (Codec::G722, Rate::Hz16000),
            // It is always said to have two channels and 48 kHz (RFC 7587, 4.1), whatever is in it.
            ("OPUS", 8_000 | 16_000 | 24_000 | 48_000, 1 | 2) => (Codec::Opus, Rate::Hz16000),
            ("L16", 8_000, 1) => (Codec::L16(self.endian), Rate::Hz8000),
            ("L16", 16_000, 1) => (Codec::L16(self.endian), Rate::Hz16000),
            ("L16", 24_000, 1) => (Codec::L16(self.endian), Rate::Hz24000),
            ("L16", 48_000, 1) => (Codec::L16(self.endian), Rate::Hz48000),
            _ => return None,
        };
        Some(Format { codec, rate })
    }

    /// Asks for it, in so many words: Telnyx's own defaults are MP3, to a leg that this one is
    /// bridged with, and whatever the caller speaks.
    pub(super) fn ask(self) -> Value {
        let codec = match self.asked {
            Asked::Narrow => "PCMU",
            Asked::L16 => "L16",
            Asked::G722 => "G722",
            Asked::Opus => "OPUS",
        };
        json!({
            "stream_track": "inbound_track",
            "stream_codec": codec,
            "stream_bidirectional_mode": "rtp",
            "stream_bidirectional_codec": codec,
            "stream_bidirectional_target_legs": "self",
        })
    }

    /// Whether a command that has no word for the rate of our sound will do: its default is 8 kHz.
    pub(super) fn is_at_the_default_rate(self) -> bool {
        match self.asked {
            Asked::Narrow => true,
            Asked::L16 | Asked::G722 | Asked::Opus => false,
        }
    }
}

pub(super) const SOUND: &str = "sound";
pub(super) const L16_ORDER: &str = "l16_order";
