//! Media streaming: one JSON object a message, in text frames.
//!
//! Source: [media streaming](https://developers.telnyx.com/docs/voice/programmable-voice/media-streaming).
//! Telnyx writes its numbers as strings, does not promise that sound comes in order, and needs no
//! name of the stream in what we send.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use media::{Format, Line, Mark, Packet};
use ports::carrier::{Leg, Repeated, Started, StreamCommand, StreamEvent, StreamProtocol};
use ports::{Blame, Fault, code};
use serde::Deserialize;

use super::is_call;
use super::sound::Sound;
use crate::socket::{
    BASE64, Media, Named, Text, WithMedia, compact_media, digit, malformed, mark, number, read,
};

/// The dialect of one socket.
pub(super) fn protocol(sound: Sound) -> Box<dyn StreamProtocol> {
    Box::new(Stream::Waiting(sound))
}

/// What is known of the stream.
enum Stream {
    /// Only what was asked for: it has not started.
    Waiting(Sound),
    Started {
        /// The last message's sound, decoded. Kept only so as not to be allocated again.
        sound: Vec<u8>,
    },
}

impl StreamProtocol for Stream {
    fn decode<'m>(&'m mut self, message: &'m str) -> Result<StreamEvent<'m>, Fault> {
        if message.len() > MAX_MESSAGE {
            return Err(malformed(
                "a message on the media socket is longer than 64 KiB",
            ));
        }
        // Fifty times a second it is sound, in a compact spelling.
        if let Some(media) = compact_media(message) {
            return self.hear(&media);
        }
        let Named { event } = read(message)?;
        match &*event {
            "media" => {
                let WithMedia { media } = read(message)?;
                self.hear(&media)
            }
            "mark" => {
                let WithMark { mark: named } = read(message)?;
                Ok(mark(&named.name).map_or(StreamEvent::Idle, StreamEvent::Marked))
            }
            "dtmf" => {
                let WithDtmf { dtmf } = read(message)?;
                digit(&dtmf.digit).map(StreamEvent::Pressed)
            }
            "start" => self.start(read(message)?).map(StreamEvent::Started),
            "stop" => Ok(StreamEvent::Stopped),
            "connected" => Ok(StreamEvent::Idle),
            "error" => Err(refused(&read(message)?)),
            _ => Ok(StreamEvent::Unknown),
        }
    }

    fn stops_by_closing(&self) -> bool {
        false
    }

    fn encode(&mut self, command: StreamCommand<'_>, out: &mut String) {
        let Self::Started { .. } = self else {
            return;
        };
        match command {
            StreamCommand::Audio(sound) => {
                out.push_str(r#"{"event":"media","media":{"payload":""#);
                STANDARD.encode_string(sound, out);
                out.push_str(r#""}}"#);
            }
            StreamCommand::Mark(Mark { generation, index }) => {
                write!(
                    out,
                    r#"{{"event":"mark","mark":{{"name":"g{generation}-{index}"}}}}"#
                )
                .expect("a String can always be written to");
            }
            StreamCommand::Clear => out.push_str(r#"{"event":"clear"}"#),
        }
    }
}

impl Stream {
    fn start(&mut self, message: WithStart<'_>) -> Result<Started, Fault> {
        let Self::Waiting(asked) = *self else {
            return Err(malformed("a stream started twice"));
        };
        let start = message.start;
        if !is_call(&start.call_control_id) {
            return Err(malformed(
                "the `call_control_id` of a stream is not like those of calls",
            ));
        }
        let format = start.media_format.read(asked)?;
        *self = Self::Started { sound: Vec::new() };
        Ok(Started {
            leg: Leg(start.call_control_id.0.into_owned()),
            token: Repeated::Nothing,
            format,
            // What we ask for; what we hear may be what the far end speaks.
            spoken: asked.spoken(),
            line: Line::Shuffled { depth: DEPTH },
        })
    }

    fn hear<'m>(&'m mut self, media: &Media<'_>) -> Result<StreamEvent<'m>, Fault> {
        let Self::Started { sound } = self else {
            return Err(malformed("sound came before its stream started"));
        };
        if &*media.track != "inbound" {
            return Ok(StreamEvent::Idle);
        }
        // Grows to the longest message there was, and then stays.
        let room = base64::decoded_len_estimate(media.payload.len());
        if sound.len() < room {
            sound.resize(room, 0);
        }
        let length = BASE64
            .decode_slice(media.payload.as_bytes(), sound)
            .map_err(|_| malformed("the sound in a message is not base64"))?;
        Ok(StreamEvent::Audio(Packet {
            // Telnyx counts from one.
            index: media.chunk.saturating_sub(1),
            payload: &sound[..length],
        }))
    }
}

#[derive(Deserialize)]
struct WithStart<'m> {
    #[serde(borrow)]
    start: Start<'m>,
}

#[derive(Deserialize)]
struct Start<'m> {
    #[serde(borrow)]
    call_control_id: Text<'m>,
    #[serde(borrow)]
    media_format: MediaFormat<'m>,
}

#[derive(Deserialize)]
struct MediaFormat<'m> {
    #[serde(borrow)]
    encoding: Text<'m>,
    #[serde(deserialize_with = "number")]
    sample_rate: u64,
    #[serde(deserialize_with = "number")]
    channels: u64,
}

impl MediaFormat<'_> {
    /// What the caller's sound is written in, if we can read it.
    fn read(&self, asked: Sound) -> Result<Format, Fault> {
        let (rate, channels) = (self.sample_rate, self.channels);
        asked.heard(&self.encoding, rate, channels).ok_or_else(|| {
            let encoding: String = self.encoding.chars().take(40).collect();
            let message =
                format!("a stream carries {encoding:?} at {rate} Hz in {channels} channels");
            Fault::new(Blame::Carrier, code::STREAM_FORMAT, message).hint(
                "offhook reads PCMU, PCMA, G722, OPUS and L16: choose codecs among these for \
                     the connection, on portal.telnyx.com",
            )
        })
    }
}

#[derive(Deserialize)]
struct WithMark<'m> {
    #[serde(borrow)]
    mark: Name<'m>,
}

#[derive(Deserialize)]
struct Name<'m> {
    #[serde(borrow)]
    name: Text<'m>,
}

#[derive(Deserialize)]
struct WithDtmf<'m> {
    #[serde(borrow)]
    dtmf: Dtmf<'m>,
}

#[derive(Deserialize)]
struct Dtmf<'m> {
    #[serde(borrow)]
    digit: Text<'m>,
}

#[derive(Deserialize)]
struct WithError {
    payload: Complaint,
}

#[derive(Deserialize)]
struct Complaint {
    #[serde(deserialize_with = "number")]
    code: u64,
}

fn refused(complaint: &WithError) -> Fault {
    let number = complaint.payload.code;
    let what = match number {
        100_003 => "cannot read a message of ours",
        100_004 => "cannot play the sound of a message of ours",
        100_005 => "says that we send too much at once",
        _ => "complains about its media socket",
    };
    malformed(format!("Telnyx {what} (error {number})"))
}

/// How many later packets may be here before a missing one is given up: 60 ms of sound.
const DEPTH: usize = 3;

/// Twenty milliseconds of sound are less than 400 bytes of JSON.
const MAX_MESSAGE: usize = 64 * 1024;
