//! Media Streams: one JSON object a message, in text frames.
//!
//! Source: [the messages](https://www.twilio.com/docs/voice/media-streams/websocket-messages).
//! Twilio writes its numbers as strings; it is strict about what it is sent (a field too many is
//! [error 31951](https://www.twilio.com/docs/api/errors/31951)), so we write exactly what it reads.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::ops::Deref;
use std::str::FromStr;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD};
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use call::{Digit, Private};
use media::{Codec, Format, Mark, Packet, Rate};
use ports::carrier::{Leg, Started, StreamCommand, StreamEvent, StreamProtocol};
use ports::{Blame, Fault, code};
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

use super::is_sid;

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
                let WithMark { mark } = read(message)?;
                Ok(parse_mark(&mark.name).map_or(StreamEvent::Idle, StreamEvent::Marked))
            }
            "dtmf" => {
                let WithDtmf { dtmf } = read(message)?;
                parse_digit(&dtmf.digit).map(StreamEvent::Pressed)
            }
            "start" => self.start(read(message)?).map(StreamEvent::Started),
            "stop" => Ok(StreamEvent::Stopped),
            "connected" => Ok(StreamEvent::Idle),
            _ => Ok(StreamEvent::Unknown),
        }
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
            token: Private::new(
                parameters
                    .token
                    .map_or_else(String::new, |it| it.0.into_owned()),
            ),
            format,
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

/// A message of which only the kind is read.
#[derive(Deserialize)]
struct Named<'m> {
    #[serde(borrow)]
    event: Text<'m>,
}

#[derive(Deserialize)]
struct WithStart<'m> {
    #[serde(borrow)]
    start: Start<'m>,
    #[serde(borrow, rename = "streamSid")]
    stream_sid: Option<Text<'m>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Start<'m> {
    #[serde(borrow)]
    call_sid: Text<'m>,
    #[serde(borrow)]
    stream_sid: Option<Text<'m>>,
    #[serde(borrow)]
    media_format: MediaFormat<'m>,
    #[serde(borrow)]
    custom_parameters: Option<Parameters<'m>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MediaFormat<'m> {
    #[serde(borrow)]
    encoding: Text<'m>,
    #[serde(deserialize_with = "number")]
    sample_rate: u64,
    #[serde(deserialize_with = "number")]
    channels: u64,
}

/// What our TwiML gave the stream to repeat.
#[derive(Default, Deserialize)]
struct Parameters<'m> {
    #[serde(borrow)]
    token: Option<Text<'m>>,
}

#[derive(Deserialize)]
struct WithMedia<'m> {
    #[serde(borrow)]
    media: Media<'m>,
}

#[derive(Debug, PartialEq, Deserialize)]
struct Media<'m> {
    #[serde(borrow)]
    track: Text<'m>,
    #[serde(deserialize_with = "number")]
    chunk: u64,
    #[serde(borrow)]
    payload: Text<'m>,
}

#[derive(Deserialize)]
struct WithMark<'m> {
    #[serde(borrow)]
    mark: MarkName<'m>,
}

#[derive(Deserialize)]
struct MarkName<'m> {
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

/// Text that is copied only if it is escaped, which serde does by itself only outside an `Option`.
#[derive(Debug, PartialEq, Deserialize)]
struct Text<'m>(#[serde(borrow)] Cow<'m, str>);

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Reads JSON of any spelling. What went wrong is told without repeating what was said.
fn read<'m, T: Deserialize<'m>>(message: &'m str) -> Result<T, Fault> {
    serde_json::from_str(message).map_err(|error| {
        malformed(format!(
            "a message on the media socket is not what it should be, at character {}",
            error.column()
        ))
    })
}

/// Reads a whole number, which Twilio writes sometimes as a number and sometimes as a string.
fn number<'de, D: Deserializer<'de>>(from: D) -> Result<u64, D::Error> {
    struct Number;

    impl Visitor<'_> for Number {
        type Value = u64;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a whole number, or a string that holds one")
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<u64, E> {
            Ok(number)
        }

        fn visit_str<E: de::Error>(self, text: &str) -> Result<u64, E> {
            whole(text).ok_or_else(|| E::custom("not a whole number"))
        }
    }

    from.deserialize_any(Number)
}

/// Reads digits alone: no sign, no spaces.
fn whole<T: FromStr>(text: &str) -> Option<T> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

/// Reads a sound message that is spelled without spaces and escapes, its fields in any order.
/// `None` says nothing about a message but that this cannot read it.
///
/// Reading every message with [`read`] takes about three times as long.
fn compact_media(message: &str) -> Option<Media<'_>> {
    let (mut event, mut media) = (None, None);
    let mut rest = message.strip_prefix('{')?;
    loop {
        let (key, after) = plain_string(rest)?;
        let after = after.strip_prefix(':')?;
        rest = if key == "media" {
            let (value, after) = compact_sound(after)?;
            only(&mut media, value)?;
            after
        } else {
            let (value, after) = plain_string(after)?;
            if key == "event" {
                only(&mut event, value)?;
            }
            after
        };
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None => break,
        }
    }
    (rest == "}" && event == Some("media")).then_some(media?)
}

/// Reads the inner object of a sound message, as [`compact_media`] does.
fn compact_sound(text: &str) -> Option<(Media<'_>, &str)> {
    let (mut track, mut chunk, mut payload) = (None, None, None);
    let mut rest = text.strip_prefix('{')?;
    loop {
        let (key, after) = plain_string(rest)?;
        let (value, after) = plain_string(after.strip_prefix(':')?)?;
        match key {
            "track" => only(&mut track, value)?,
            "chunk" => only(&mut chunk, whole(value)?)?,
            "payload" => only(&mut payload, value)?,
            _ => {}
        }
        match after.strip_prefix(',') {
            Some(after) => rest = after,
            None => {
                let media = Media {
                    track: Text(Cow::Borrowed(track?)),
                    chunk: chunk?,
                    payload: Text(Cow::Borrowed(payload?)),
                };
                return Some((media, after.strip_prefix('}')?));
            }
        }
    }
}

/// Reads a string that is written as it is, and gives what comes after it.
fn plain_string(text: &str) -> Option<(&str, &str)> {
    let (value, rest) = text.strip_prefix('"')?.split_once('"')?;
    let plain = value.bytes().all(|b| b >= b' ' && b != b'\\');
    plain.then_some((value, rest))
}

/// Fills an empty place. A second value is what [`read`] would refuse.
fn only<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// Reads the name of a mark of ours.
fn parse_mark(name: &str) -> Option<Mark> {
    let (generation, index) = name.strip_prefix('g')?.split_once('-')?;
    Some(Mark {
        generation: whole(generation)?,
        index: whole(index)?,
    })
}

/// Reads a key. Which one it was is private, so a fault does not repeat it.
fn parse_digit(text: &str) -> Result<Digit, Fault> {
    let mut chars = text.chars();
    let digit = chars.next().and_then(Digit::new);
    let digit = digit.filter(|_| chars.next().is_none());
    digit.ok_or_else(|| malformed("a key was pressed that no telephone has"))
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

impl MediaFormat<'_> {
    /// What the sound is written in, if we can read it.
    fn read(&self) -> Result<Format, Fault> {
        let codec = match self.encoding.to_ascii_lowercase().as_str() {
            "audio/x-mulaw" => Some(Codec::Ulaw),
            "audio/x-alaw" => Some(Codec::Alaw),
            _ => None,
        };
        match (codec, self.sample_rate, self.channels) {
            (Some(codec), 8000, 1) => Ok(Format {
                codec,
                rate: Rate::Hz8000,
            }),
            (_, rate, channels) => {
                let encoding: String = self.encoding.chars().take(40).collect();
                let fault = Fault::new(
                    Blame::Config,
                    code::STREAM_FORMAT,
                    format!("a stream carries {encoding:?} at {rate} Hz in {channels} channels"),
                );
                Err(fault.hint("leave `<Stream>` at Twilio's default: mono µ-law at 8000 Hz"))
            }
        }
    }
}

fn malformed(message: impl Into<String>) -> Fault {
    Fault::new(Blame::Carrier, code::STREAM_MALFORMED, message)
}

/// Twenty milliseconds of sound are less than 400 bytes of JSON.
const MAX_MESSAGE: usize = 64 * 1024;

/// Twilio's ids have 34 characters.
const MAX_SID: usize = 64;

/// Standard base64, whether or not it is padded.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MEDIA: &str = r#"{"event":"media","sequenceNumber":"4","media":{"track":"inbound","chunk":"3","timestamp":"65","payload":"fn7/fg=="},"streamSid":"MZ00000000000000000000000000000001"}"#;

    #[test]
    fn sound_as_twilio_writes_it_is_read_the_short_way() {
        let media = compact_media(MEDIA).expect("Twilio's own spelling");
        assert_eq!(
            (&*media.track, media.chunk, &*media.payload),
            ("inbound", 3, "fn7/fg==")
        );
    }

    #[test]
    fn sound_spelled_in_another_way_is_left_to_the_long_way() {
        let spellings = [
            MEDIA.replace(':', ": "),
            MEDIA.replace("fn7/", r"fn7\/"),
            MEDIA.replace(r#""3""#, "3"),
            MEDIA.replace(r#""event""#, r#""event":"media","event""#),
            MEDIA.replace("}", "} "),
            MEDIA.replace("\"media\",", "\"mark\","),
        ];
        for spelling in spellings {
            assert_eq!(compact_media(&spelling), None, "{spelling}");
        }
    }

    proptest! {
        /// Wherever the short way answers at all, it answers as the long way does.
        #[test]
        fn the_short_way_agrees_with_the_long_way(
            at in 0..MEDIA.len(),
            cut in 0..12_usize,
            put in prop_oneof![
                r#"[{}":,\\ a-z0-9\x00-\x1f]{0,6}"#,
                Just(r#"","chunk":"9"#.to_owned()),
                Just(r#"","media":{}"#.to_owned()),
            ],
        ) {
            let end = (at + cut).min(MEDIA.len());
            let message = format!("{}{put}{}", &MEDIA[..at], &MEDIA[end..]);
            if let Some(short) = compact_media(&message) {
                let event = read::<Named<'_>>(&message).map(|it| it.event.0.into_owned());
                prop_assert!(event.is_ok_and(|it| it == "media"));
                let long = read::<WithMedia<'_>>(&message).map(|it| it.media);
                prop_assert_eq!(Some(short), long.ok());
            }
        }
    }
}
