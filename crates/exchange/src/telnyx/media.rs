//! The media socket, from the carrier's side: sound out every 20 ms, sound in as it comes, marks and clears.
//!
//! Source: the carrier's media streaming documents and the AsyncAPI description of its socket.

use super::body::{Back, Spoken, StreamOrder, Track};
use super::codec::{Decoder, Encoder};
use super::life::Leg;
use super::{Carrier, date};
use crate::ear::{FRAME_TIME, Frame, RATE};
use crate::g711::Law;
use crate::ledger::{Happening, Mark, Returned};
use crate::line::{Fit, Marked, Tick};
use crate::mischief::{Format, Signature, Socket};
use crate::phone::Deed;
use crate::socket::{MediaSocket, Said, Sent, Unopened};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;

/// The stream of a call, if it has one.
pub(super) enum Attached {
    Nothing,
    Opening(Box<StreamOrder>, Opening),
    Open(Box<Media>),
}

type Opening = Pin<Box<dyn Future<Output = Result<Box<Media>, Unopened>> + Send>>;

/// What has become of a stream.
pub(super) enum News {
    Opened(Box<Media>),
    Unopened(Box<StreamOrder>, Unopened),
    Said(Said),
}

impl Attached {
    pub(super) fn opening(carrier: Arc<Carrier>, order: StreamOrder, mischief: Socket) -> Self {
        let kept = Box::new(order.clone());
        let token = match (&order.token, mischief.signature) {
            (Some(token), Signature::Genuine) => Some(format!("Bearer {token}")),
            (Some(_), Signature::Forged) => Some("Bearer another-token".to_owned()),
            (Some(_), Signature::Absent) | (None, _) => None,
        };
        let opening = async move {
            let headers: Vec<_> = token.map(|token| ("authorization", token)).into_iter().collect();
            let socket =
                MediaSocket::open(&carrier.office, &order.url, &headers, &mischief).await?;
            Ok(Box::new(Media::new(socket, order, &mischief.format)))
        };
        Self::Opening(kept, Box::pin(opening))
    }

    /// Waits for news; without a stream there are none. Nothing is lost when this is cancelled.
    pub(super) async fn next(&mut self) -> News {
        match self {
            Self::Nothing => pending().await,
            Self::Opening(order, opening) => match opening.await {
                Ok(media) => News::Opened(media),
                Err(unopened) => News::Unopened(order.clone(), unopened),
            },
            Self::Open(media) => News::Said(media.socket.hear().await),
        }
    }
}

/// An open stream.
pub(super) struct Media {
    pub(super) socket: MediaSocket,
    pub(super) order: StreamOrder,
    format: Value,
    encoder: Encoder,
    back: Decoder,
    sequence: u64,
    ticks: u64,
    complained: Vec<u32>,
    warned_of_slowness: bool,
}

/// What the application may say.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Media(Vec<u8>),
    Mark(String),
    Clear,
}

/// What is wrong with a message: the carrier's number and some detail.
type Fault = (u32, String);

/// Reads a message. Members nobody asked for are passed over.
fn read(text: &str) -> Result<Told, Fault> {
    let malformed = |why: String| (MALFORMED, why);
    let value: Map<String, Value> =
        serde_json::from_str(text).map_err(|why| malformed(format!("not a JSON object: {why}")))?;
    let member = |object: &str, name: &str| {
        let text = value.get(object).and_then(|object| object[name].as_str());
        text.ok_or_else(|| malformed(format!("{object}.{name} is missing or not a string")))
    };
    match value.get("event").and_then(Value::as_str) {
        Some("media") => match STANDARD.decode(member("media", "payload")?) {
            Ok(codes) => Ok(Told::Media(codes)),
            Err(why) => Err((INVALID_MEDIA, format!("the payload is not base64: {why}"))),
        },
        Some("mark") => Ok(Told::Mark(member("mark", "name")?.to_owned())),
        Some("clear") => Ok(Told::Clear),
        Some(other) => Err(malformed(format!("{other} is not an event that is known"))),
        None => Err(malformed("no event".to_owned())),
    }
}

impl Media {
    fn new(socket: MediaSocket, order: StreamOrder, format: &Format) -> Self {
        let (encoding, sample_rate, encoder) = heard(&order, format);
        Self {
            socket,
            format: json!({
                "encoding": encoding,
                "sample_rate": sample_rate,
                "channels": format.channels,
            }),
            encoder,
            back: decoder(order.back),
            order,
            sequence: 0,
            ticks: 0,
            complained: Vec::new(),
            warned_of_slowness: false,
        }
    }

    /// Says what the stream is.
    pub(super) fn begin(&mut self, leg: &Leg<'_>) {
        self.socket
            .greet(r#"{"event":"connected","version":"1.0.0"}"#);
        let own = leg.call.state().own;
        let parameters: Map<String, Value> = self
            .order
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let start = json!({
            "event": "start",
            "sequence_number": self.next_sequence(),
            "start": {
                "user_id": leg.carrier.user_id,
                "call_control_id": leg.call.id,
                "call_session_id": own.session,
                "from": leg.call.from,
                "to": leg.call.to,
                "tags": [],
                "client_state": own.client_state,
                "custom_parameters": parameters,
                "media_format": self.format,
            },
            "stream_id": self.order.id,
        });
        self.socket.send(start.to_string());
    }

    /// Sends what a tick brings: marks, keys, and sound, which is always there.
    pub(super) fn send_tick(&mut self, tick: Tick, leg: &mut Leg<'_>) {
        for name in tick.marks {
            self.give_back(leg, name, Returned::Played);
        }
        if let Deed::Presses(key) = tick.deed {
            let dtmf = json!({
                "event": "dtmf",
                "stream_id": self.order.id,
                "occurred_at": date(Timestamp::now()),
                "sequence_number": self.next_sequence(),
                "dtmf": {"digit": key.to_string()},
            });
            self.socket.send(dtmf.to_string());
        }
        self.ticks += 1;
        let (inbound, outbound) = match self.order.track {
            Track::Inbound => (true, false),
            Track::Outbound => (false, true),
            Track::Both => (true, true),
        };
        let mut sent = Sent::Sent;
        if inbound {
            sent = self.send_sound("inbound", &tick.sound, &tick.wide);
        }
        if outbound {
            sent = self.send_sound("outbound", &tick.played, &[]);
        }
        if sent == Sent::TooSlow && !self.warned_of_slowness {
            self.warned_of_slowness = true;
            leg.warn(0, "the application reads too slowly; sound is dropped");
        }
    }

    fn send_sound(&mut self, track: &str, sound: &Frame, wide: &[i16]) -> Sent {
        let codes = self.encoder.encode(sound, wide);
        let (sequence, chunk) = (self.next_sequence(), self.ticks);
        let timestamp = (chunk - 1) * FRAME_TIME.as_millis() as u64;
        let id = &self.order.id;
        let message = format!(
            r#"{{"event":"media","sequence_number":"{sequence}","media":{{"track":"{track}","chunk":"{chunk}","timestamp":"{timestamp}","payload":"{}"}},"stream_id":"{id}"}}"#,
            STANDARD.encode(codes),
        );
        self.socket.send_sound(message, || {
            [
                format!(r#"{{"event":"weather","stream_id":"{id}","weather":{{"sky":"grey"}}}}"#),
                format!(
                    r#"{{"event":"media","sequence_number":"0","media":{{"track":"{track}","chunk":"0","timestamp":"0","payload":"%%%"}},"stream_id":"{id}"}}"#
                ),
            ]
        })
    }

    /// Does what the application says.
    pub(super) fn hear(&mut self, leg: &mut Leg<'_>, text: &str) {
        match read(text) {
            Err((code, why)) => self.refuse(leg, code, &why),
            Ok(Told::Media(codes)) => self.play(leg, &codes),
            Ok(Told::Mark(name)) => match leg.line.mark(name) {
                Marked::Waits => {}
                Marked::AtOnce(name) => self.give_back(leg, name, Returned::AtOnce),
                Marked::Overflows => self.refuse(leg, RATE_LIMIT, "too many marks are waiting"),
            },
            Ok(Told::Clear) => {
                let at = leg.line.clock();
                for name in leg.line.clear() {
                    self.give_back(leg, name, Returned::Cleared);
                }
                self.back = decoder(self.order.back);
                let call = leg.call.id.clone();
                leg.carrier.office.ledger.tell(Happening::Cleared { call, at });
            }
        }
    }

    fn play(&mut self, leg: &mut Leg<'_>, codes: &[u8]) {
        match self.order.back {
            Back::Mp3 => {
                let why = "stream_bidirectional_mode is mp3, and this is not an MP3 file that is played here";
                return self.refuse(leg, INVALID_MEDIA, why);
            }
            Back::ToNobody => {
                let why = "stream_bidirectional_target_legs is opposite, and there is no other leg: nobody hears this";
                return self.complain(leg, 0, why);
            }
            Back::Plays(_) => {}
        }
        let sound = match self.back.decode(codes) {
            Ok(sound) => sound,
            Err(why) => return self.refuse(leg, INVALID_MEDIA, why),
        };
        if sound.play(&mut leg.line) == Fit::Overflows {
            self.refuse(leg, RATE_LIMIT, "the buffer is full; sound is dropped");
        }
    }

    /// Tells the application what is wrong with its message, and the debugger the first time.
    pub(super) fn refuse(&mut self, leg: &Leg<'_>, code: u32, why: &str) {
        let title = match code {
            MALFORMED => "malformed_frame",
            INVALID_MEDIA => "invalid_media",
            RATE_LIMIT => "rate_limit_reached",
            _ => "unknown_error",
        };
        let error = json!({
            "event": "error",
            "payload": {"code": code, "title": title, "detail": why},
            "stream_id": self.order.id,
        });
        self.socket.send(error.to_string());
        self.complain(leg, code, why);
    }

    /// Warns of what the application does wrong, once per stream.
    fn complain(&mut self, leg: &Leg<'_>, code: u32, why: &str) {
        if !self.complained.contains(&code) {
            self.complained.push(code);
            leg.warn(code, why);
        }
    }

    /// Returns a mark to the application.
    fn give_back(&mut self, leg: &mut Leg<'_>, name: String, why: Returned) {
        let message = json!({
            "event": "mark",
            "stream_id": self.order.id,
            "sequence_number": self.next_sequence(),
            "mark": {"name": name},
        });
        self.socket.send(message.to_string());
        let mark = Mark {
            name,
            at: leg.line.clock(),
            why,
        };
        leg.carrier.office.ledger.tell(Happening::Marked {
            call: leg.call.id.clone(),
            mark: mark.clone(),
        });
        if leg.marks.len() < MOST_MARKS {
            leg.marks.push(mark);
        }
    }

    /// Ends the stream from the carrier's side.
    pub(super) fn stop(mut self, leg: &Leg<'_>) {
        let stop = json!({
            "event": "stop",
            "sequence_number": self.next_sequence(),
            "stop": {"user_id": leg.carrier.user_id, "call_control_id": leg.call.id},
            "stream_id": self.order.id,
        });
        self.socket.finish(stop.to_string());
    }

    fn next_sequence(&mut self) -> String {
        self.sequence += 1;
        self.sequence.to_string()
    }
}

impl Track {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Inbound => "inbound_track",
            Self::Outbound => "outbound_track",
            Self::Both => "both_tracks",
        }
    }
}

/// What the application hears: what it asked for if the call is one that the carrier can transcode, and what the call speaks
/// otherwise. How fast its samples come if they are plain ones is as fast as those that it sends.
fn heard(order: &StreamOrder, format: &Format) -> (String, u32, Encoder) {
    let spoken = match format.encoding.as_str() {
        "audio/x-mulaw" => "PCMU",
        "audio/x-alaw" => "PCMA",
        other => other,
    };
    let wide = order.back == Back::Plays(Spoken::Linear16);
    let encoder = |name: &str| Encoder::named(name, wide).map(|it| (name.to_owned(), it));
    let asked = encoder(spoken).and_then(|own| order.codec.as_deref().and_then(encoder).or(Some(own)));
    match asked {
        Some((name, (encoder, rate))) if format.sample_rate == RATE => (name, rate, encoder),
        // Only claimed.
        Some((name, (encoder, _))) => (name, format.sample_rate, encoder),
        None => (spoken.to_owned(), format.sample_rate, Encoder::Law(Law::Mu)),
    }
}

fn decoder(back: Back) -> Decoder {
    Decoder::new(match back {
        Back::Plays(spoken) => spoken,
        Back::Mp3 | Back::ToNobody => Spoken::Pcmu,
    })
}

const MALFORMED: u32 = 100_003;
const INVALID_MEDIA: u32 = 100_004;
const RATE_LIMIT: u32 = 100_005;
const MOST_MARKS: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_documented_messages_and_passes_over_what_is_more() {
        for (text, told) in [
            (r#"{"event":"media","media":{"payload":"//8="}}"#, Told::Media(vec![255, 255])),
            (
                r#"{"event":"media","stream_id":"x","media":{"payload":"//8=","track":"inbound"}}"#,
                Told::Media(vec![255, 255]),
            ),
            (r#"{"event":"mark","mark":{"name":"a"}}"#, Told::Mark("a".into())),
            (r#"{"event":"clear","now":true}"#, Told::Clear),
        ] {
            assert_eq!(read(text), Ok(told), "{text}");
        }
        for (text, code) in [
            ("hello", MALFORMED),
            ("[]", MALFORMED),
            (r#"{"media":{"payload":"//8="}}"#, MALFORMED),
            (r#"{"event":"dance"}"#, MALFORMED),
            (r#"{"event":"mark","mark":{"name":7}}"#, MALFORMED),
            (r#"{"event":"media","media":{}}"#, MALFORMED),
            (r#"{"event":"media","media":{"payload":"%"}}"#, INVALID_MEDIA),
        ] {
            assert_eq!(read(text).map_err(|(code, _)| code), Err(code), "{text}");
        }
    }
}
