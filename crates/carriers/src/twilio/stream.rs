//! Media Streams: one JSON object a message, in text frames.
//!
//! Source: [the messages](https://www.twilio.com/docs/voice/media-streams/websocket-messages).
//! Twilio writes its numbers as strings; it is strict about what it is sent (a field too many is
//! [error 31951](https://www.twilio.com/docs/api/errors/31951)), so we write exactly what it reads.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use call::Private;
use media::{Line, Mark, Packet};
use ports::Fault;
use ports::carrier::{Leg, Repeated, Started, StreamCommand, StreamEvent, StreamProtocol};

use super::is_sid;
use super::message::{WithDtmf, WithMark, WithStart};
use crate::socket::{BASE64, Media, Named, WithMedia, compact_media, digit, malformed, mark, read};

/// The dialect of one socket.
pub(super) fn protocol() -> Box<dyn StreamProtocol> {
    Box::new(Stream::Waiting)
}

/// What is known of the stream.
enum Stream {
    /// Nothing: it has not started.
    Waiting,
    Started {
        /// Everything of an audio message that comes before the sound.
        before_sound: String,
        /// What every other message of ours ends with.
        sid: String,
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
        // Fifty times a second it is sound, in Twilio's own compact spelling.
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
            _ => Ok(StreamEvent::Unknown),
        }
    }

    fn stops_by_closing(&self) -> bool {
        false
    }

    fn encode(&mut self, command: StreamCommand<'_>, out: &mut String) {
        let Self::Started {
            before_sound, sid, ..
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
                out.push_str(r#"{"event":"mark","streamSid":""#);
                out.push_str(sid);
                write!(out, r#"","mark":{{"name":"g{generation}-{index}"}}}}"#)
                    .expect("a String can always be written to");
            }
            StreamCommand::Clear => {
                out.push_str(r#"{"event":"clear","streamSid":""#);
                out.push_str(sid);
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
        let sid = start.stream_sid.or(message.stream_sid);
        let sid = sid.ok_or_else(|| malformed("a stream has no `streamSid`"))?;
        // It goes into our messages as it is, so it must not need escaping.
        if sid.is_empty() || sid.len() > MAX_SID || !sid.bytes().all(is_plain) {
            return Err(malformed(
                "the `streamSid` of a stream is not MZ and 32 hex digits",
            ));
        }
        if !is_sid("CA", &start.call_sid) {
            return Err(malformed(
                "the `callSid` of a stream is not CA and 32 hex digits",
            ));
        }
        let format = start.media_format.read()?;
        *self = Self::Started {
            before_sound: format!(
                r#"{{"event":"media","streamSid":"{}","media":{{"payload":""#,
                &*sid
            ),
            sid: sid.0.into_owned(),
            sound: Vec::new(),
        };
        let parameters = start.custom_parameters.unwrap_or_default();
        Ok(Started {
            leg: Leg(start.call_sid.0.into_owned()),
            token: Repeated::Token(Private::new(
                parameters
                    .token
                    .map_or_else(String::new, |it| it.0.into_owned()),
            )),
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
            // Twilio counts from one.
            index: media.chunk.saturating_sub(1),
            payload: &sound[..length],
        }))
    }
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// Twenty milliseconds of sound are less than 400 bytes of JSON.
const MAX_MESSAGE: usize = 64 * 1024;

/// Twilio's ids have 34 characters.
const MAX_SID: usize = 64;
