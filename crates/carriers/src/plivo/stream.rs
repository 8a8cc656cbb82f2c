//! Audio streaming: one JSON object a message, in text frames.
//!
//! Source: [audio streaming](https://plivo.com/docs/voice/audio-streaming/audio-streaming). Plivo
//! writes its numbers as numbers, says nothing when a stream ends, and does not give back the
//! checkpoints of sound that was cleared.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use call::Private;
use media::{Format, Line, Mark, Packet};
use ports::carrier::{Leg, Repeated, Started, StreamCommand, StreamEvent, StreamProtocol};
use ports::{Blame, Fault, code};
use serde::Deserialize;

use super::is_id;
use super::sound::heard;
use crate::socket::{
    BASE64, Media, Named, Text, WithMedia, compact_media, digit, malformed, mark, number, read,
};

/// The dialect of one socket.
pub(super) fn protocol() -> Box<dyn StreamProtocol> {
    Box::new(Stream::Waiting)
}

/// What is known of the stream.
enum Stream {
    /// Nothing: it has not started.
    Waiting,
    Started {
        id: String,
        /// What a message with sound of ours begins with.
        before_sound: &'static str,
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
            // Some of Plivo's pages have the one name, some the other.
            "playedStream" | "played" => {
                let Name { name } = read(message)?;
                Ok(mark(&name).map_or(StreamEvent::Idle, StreamEvent::Marked))
            }
            "dtmf" => {
                let WithDtmf { dtmf } = read(message)?;
                digit(&dtmf.digit).map(StreamEvent::Pressed)
            }
            "start" => self.start(read(message)?).map(StreamEvent::Started),
            "clearedAudio" => Ok(StreamEvent::Idle),
            // In no document, but in Plivo's own library.
            "stop" => Ok(StreamEvent::Stopped),
            "error" | "playFailed" => Err(malformed("Plivo complains about its media socket")),
            _ => Ok(StreamEvent::Unknown),
        }
    }

    fn stops_by_closing(&self) -> bool {
        true
    }

    fn encode(&mut self, command: StreamCommand<'_>, out: &mut String) {
        let Self::Started {
            id, before_sound, ..
        } = self
        else {
            return;
        };
        match command {
            StreamCommand::Audio(sound) => {
                out.push_str(before_sound);
                STANDARD.encode_string(sound, out);
                out.push_str(r#""}}"#);
            }
            StreamCommand::Mark(Mark { generation, index }) => {
                out.push_str(r#"{"event":"checkpoint","streamId":""#);
                out.push_str(id);
                write!(out, r#"","name":"g{generation}-{index}"}}"#)
                    .expect("a String can always be written to");
            }
            StreamCommand::Clear => {
                out.push_str(r#"{"event":"clearAudio","streamId":""#);
                out.push_str(id);
                out.push_str(r#""}"#);
            }
        }
    }
}

impl Stream {
    fn start(&mut self, message: WithStart<'_>) -> Result<Started, Fault> {
        let Self::Waiting = self else {
            return Err(malformed("a stream started twice"));
        };
        let start = message.start;
        // It goes into our messages as it is, so it must not need escaping.
        if !is_id(&start.stream_id) {
            return Err(malformed("the `streamId` of a stream is not an id"));
        }
        if !is_id(&start.call_id) {
            return Err(malformed("the `callId` of a stream is not an id"));
        }
        let (format, before_sound) = start.media_format.read()?;
        let token = message.extra_headers.as_deref().and_then(token);
        *self = Self::Started {
            id: start.stream_id.0.into_owned(),
            before_sound,
            sound: Vec::new(),
        };
        Ok(Started {
            leg: Leg(start.call_id.0.into_owned()),
            token: Repeated::Token(Private::from(token.unwrap_or_default())),
            format,
            spoken: format,
            line: Line::Ordered,
        })
    }

    fn hear<'m>(&'m mut self, media: &Media<'_>) -> Result<StreamEvent<'m>, Fault> {
        let Self::Started { sound, .. } = self else {
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
            // Plivo counts from one.
            index: media.chunk.saturating_sub(1),
            payload: &sound[..length],
        }))
    }
}

/// Finds the token among the headers we gave. Plivo's pages write them as pairs with `;` or `,` in
/// between, and one as JSON.
fn token(headers: &str) -> Option<String> {
    let pieces = headers.split([';', ',', '{', '}']).map(str::trim);
    let mut pairs = pieces.filter_map(|it| it.split_once(['=', ':']));
    let bare = |it: &str| it.trim_matches(['"', ' ']).to_owned();
    let found = pairs.find(|(name, _)| bare(name) == "token");
    found.map(|(_, value)| bare(value))
}

#[derive(Deserialize)]
struct WithStart<'m> {
    #[serde(borrow)]
    start: Start<'m>,
    #[serde(borrow)]
    extra_headers: Option<Text<'m>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start<'m> {
    #[serde(borrow)]
    call_id: Text<'m>,
    #[serde(borrow)]
    stream_id: Text<'m>,
    #[serde(borrow)]
    media_format: MediaFormat<'m>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MediaFormat<'m> {
    #[serde(borrow)]
    encoding: Text<'m>,
    #[serde(deserialize_with = "number")]
    sample_rate: u64,
}

impl MediaFormat<'_> {
    /// What the sound is written in, if we can read it, and what ours begins with.
    fn read(&self) -> Result<(Format, &'static str), Fault> {
        heard(&self.encoding, self.sample_rate).ok_or_else(|| {
            let encoding: String = self.encoding.chars().take(40).collect();
            let rate = self.sample_rate;
            let message = format!("a stream carries {encoding:?} at {rate} Hz");
            let fault = Fault::new(Blame::Carrier, code::STREAM_FORMAT, message);
            fault.hint("offhook asks for one that it reads: was the stream started by it?")
        })
    }
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

/// Twenty milliseconds of sound are less than 500 bytes of JSON.
const MAX_MESSAGE: usize = 64 * 1024;
