//! The audio stream's socket, from the carrier's side: sound out every 20 ms, sound in as it comes, checkpoints, clears and
//! keys.
//!
//! Source: the carrier's audio streaming pages and the types of its stream SDK.

use super::cause::{Cause, Ending};
use super::life::{Ask, Conversation, News, Turn};
use super::webhook::{self, WRONG_TOKEN, Webhook, nonce, sign, sign_v2};
use super::told::{Told, read};
use super::xml::{Codec, Stream};
use super::{Carrier, Method, date};
use crate::ear::FRAME_TIME;
use crate::g711::Law;
use crate::ledger::{EndedBy, Happening, Kind, Mark, Returned};
use crate::line::{Fit, Marked, Tick};
use crate::narrow::Widener;
use crate::mischief::{Abrupt, Format, Signature, Socket};
use crate::office::authority;
use crate::phone::Deed;
use crate::socket::{Breach, MediaSocket, Obstacle, Said, Sent, Unopened};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::future::pending;
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// A call's audio stream. There is one at a time.
pub(crate) enum Streaming {
    Idle,
    Opening(Opening),
    Open(Box<Media>),
    /// It is over, and this is how it ended.
    Over(Closing),
}

/// A stream whose socket is being connected.
pub(crate) struct Opening {
    stream: Stream,
    id: String,
    // A set, so that dropping it gives up.
    socket: JoinSet<Result<MediaSocket, Unopened>>,
}

/// How a stream came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Closing {
    ByApplication,
    /// By its time-out, the REST API, or the call's end.
    ByCarrier,
    Unopened,
    Broken,
    Reset,
}

impl Closing {
    /// What is told of it.
    fn event(self) -> &'static str {
        match self {
            Self::ByApplication | Self::ByCarrier => "StopStream",
            Self::Unopened | Self::Broken | Self::Reset => "DroppedStream",
        }
    }

    /// Who or what ends the call when nothing follows.
    fn ended_by(self) -> EndedBy {
        match self {
            Self::ByApplication => EndedBy::SocketClosed,
            Self::ByCarrier => EndedBy::Instructions,
            Self::Unopened | Self::Broken | Self::Reset => EndedBy::SocketFailed,
        }
    }
}

impl Streaming {
    /// Whether the elements behind the stream wait for its end.
    pub(crate) fn keeps_call_alive(&self) -> bool {
        match self {
            Self::Opening(opening) => opening.stream.keeps_call_alive,
            Self::Open(media) => media.stream.keeps_call_alive,
            Self::Idle | Self::Over(_) => false,
        }
    }

    /// Waits for what the stream brings. Nothing is lost when this is cancelled.
    pub(crate) async fn next(&mut self) -> News {
        match self {
            Self::Idle | Self::Over(_) => pending().await,
            Self::Opening(opening) => match opening.socket.join_next().await {
                Some(Ok(opened)) => News::Opened(opened),
                Some(Err(_)) | None => News::StreamOver,
            },
            Self::Open(media) => tokio::select! {
                said = media.socket.hear() => News::Said(said),
                () = sleep_until(media.until) => News::StreamOver,
            },
        }
    }
}

impl Conversation {
    /// Begins to open a stream; the call goes on meanwhile.
    pub(crate) fn open_stream(&mut self, stream: Stream, id: String) {
        self.call.set(|own| own.stream = Some(id.clone()));
        let (carrier, url) = (Arc::clone(&self.carrier), stream.url.clone());
        let mischief = self.socket.clone();
        let mut socket = JoinSet::new();
        socket.spawn(async move { connect(&carrier, &url, &mischief).await });
        self.streaming = Streaming::Opening(Opening { stream, id, socket });
    }

    /// Lives on the stream until it ends; who or what then ends the call if nothing follows.
    pub(crate) async fn stay(&mut self) -> Result<EndedBy, Turn> {
        let closing = loop {
            match self.streaming {
                Streaming::Over(closing) => break closing,
                Streaming::Idle => break Closing::ByCarrier,
                Streaming::Opening(_) | Streaming::Open(_) => {}
            }
            let news = self.next().await;
            self.take(news)?;
        };
        if let Some(there) = self.transfer.take() {
            return Err(Turn::Onward(Ask::transfer(there)));
        }
        let by = closing.ended_by();
        if matches!(closing, Closing::Broken | Closing::Reset) {
            match self.socket.abrupt {
                Abrupt::GoesOn => {}
                Abrupt::Stays => self.aside(pending()).await?,
                Abrupt::Ends => {
                    let cause = Cause::EndOfXml;
                    return Err(Turn::Ended(Ending { by, cause }));
                }
            }
        }
        Ok(by)
    }

    /// Begins the stream on its socket, or gives it up.
    pub(crate) fn begin_stream(&mut self, opened: Result<MediaSocket, Unopened>) {
        let Opening { stream, id, .. } = match std::mem::replace(&mut self.streaming, Streaming::Idle) {
            Streaming::Opening(opening) => opening,
            other @ (Streaming::Idle | Streaming::Open(_) | Streaming::Over(_)) => {
                self.streaming = other;
                return;
            }
        };
        match opened {
            Err(unopened) => {
                self.warn(format!("the stream was not opened: {}", unopened.text));
                self.end_stream(&stream, &id, Closing::Unopened);
            }
            Ok(socket) => {
                let call = self.call.id.clone();
                let host = authority(&stream.url).unwrap_or_default();
                let ledger = &self.carrier.office.ledger;
                ledger.tell(Happening::Streaming { call, host });
                self.tell_stream(&stream, &id, "StartStream");
                let mut media = Media::new(socket, stream, id, &self.socket.format);
                media.begin(&self.carrier.account.id, &self.call.id);
                self.streaming = Streaming::Open(Box::new(media));
            }
        }
    }

    /// Ends the stream from the carrier's side, if there is one.
    pub(crate) fn stop_stream(&mut self) {
        match std::mem::replace(&mut self.streaming, Streaming::Over(Closing::ByCarrier)) {
            Streaming::Open(media) => {
                let Media {
                    socket, stream, id, ..
                } = *media;
                socket.close();
                self.end_stream(&stream, &id, Closing::ByCarrier);
            }
            Streaming::Opening(_) => self.call.set(|own| own.stream = None),
            none @ (Streaming::Idle | Streaming::Over(_)) => self.streaming = none,
        }
    }

    /// Takes the open stream out of the call, for as long as it is being dealt with.
    fn take_media(&mut self) -> Option<Box<Media>> {
        match std::mem::replace(&mut self.streaming, Streaming::Idle) {
            Streaming::Open(media) => Some(media),
            other @ (Streaming::Idle | Streaming::Opening(_) | Streaming::Over(_)) => {
                self.streaming = other;
                None
            }
        }
    }

    /// What was not played yet goes with the stream.
    fn end_stream(&mut self, stream: &Stream, id: &str, closing: Closing) {
        self.streaming = Streaming::Over(closing);
        self.call.set(|own| own.stream = None);
        self.line.restart();
        self.tell_stream(stream, id, closing.event());
    }

    /// Lives with what the application said, or with the end of the connection.
    pub(crate) fn listen(&mut self, said: Said) {
        let Some(mut media) = self.take_media() else {
            return;
        };
        let closing = match said {
            Said::Text(text) => {
                self.hear(&mut media, &text);
                None
            }
            Said::Binary => {
                self.complain(&mut media, "binary", "a binary message");
                None
            }
            Said::Closed => Some(Closing::ByApplication),
            Said::Broken(broken) => {
                self.warn(format!("the stream's socket: {}", broken.text));
                Some(match broken.how {
                    Breach::Misspoken | Breach::Ended => Closing::Broken,
                    Breach::Reset => Closing::Reset,
                })
            }
        };
        let Some(closing) = closing else {
            self.streaming = Streaming::Open(media);
            return;
        };
        let Media {
            socket, stream, id, ..
        } = *media;
        if closing == Closing::Reset {
            self.carrier.office.spawn(socket.cut());
        } else {
            socket.close();
        }
        self.end_stream(&stream, &id, closing);
    }

    fn hear(&mut self, media: &mut Media, text: &str) {
        let told = match read(text, &media.id) {
            Err(why) => return self.complain(media, "message", &why),
            Ok(_) if !media.stream.bidirectional => {
                return self.complain(media, "one way", "the stream is not bidirectional");
            }
            Ok(told) => told,
        };
        match told {
            Told::Sound(sound) => match sound.samples(media.stream.codec) {
                Err(why) => self.complain(media, "sound", &why),
                Ok(sound) => {
                    let fit = match media.stream.codec {
                        Codec::Mulaw | Codec::Linear => self.line.play(sound),
                        Codec::Wide => self.line.play_wide(sound),
                    };
                    if fit == Fit::Overflows {
                        self.complain(media, "buffer", "the buffer is full; sound is dropped");
                    }
                }
            },
            Told::Checkpoint(name) => match self.line.mark(name) {
                Marked::Waits => {}
                Marked::AtOnce(name) => self.pass(media, name, Returned::AtOnce),
                Marked::Overflows => {
                    self.complain(media, "checkpoints", "too many checkpoints are waiting");
                }
            },
            Told::Clear => {
                let at = self.line.clock();
                // Checkpoints that were not reached are forgotten without a word.
                self.line.clear();
                let message = json!({"event": "clearedAudio"});
                media.send(message);
                let call = self.call.id.clone();
                let ledger = &self.carrier.office.ledger;
                ledger.tell(Happening::Cleared { call, at });
            }
            Told::Keys(keys) => {
                self.line.play(keys);
            }
        }
    }

    /// Tells the application that a checkpoint was reached.
    fn pass(&mut self, media: &mut Media, name: String, why: Returned) {
        media.send(json!({"event": "playedStream", "name": name}));
        let mark = Mark {
            name,
            at: self.line.clock(),
            why,
        };
        let call = self.call.id.clone();
        let happening = Happening::Marked {
            call,
            mark: mark.clone(),
        };
        self.carrier.office.ledger.tell(happening);
        if self.marks.len() < MOST_MARKS {
            self.marks.push(mark);
        }
    }

    /// Sends what a tick brings: checkpoints, keys, and sound, which is always there.
    pub(crate) fn speak(&mut self, mut tick: Tick) {
        let Some(mut media) = self.take_media() else {
            return;
        };
        for name in std::mem::take(&mut tick.marks) {
            self.pass(&mut media, name, Returned::Played);
        }
        if let Deed::Presses(key) = tick.deed {
            let timestamp = media.timestamp();
            let dtmf = json!({"track": "inbound", "digit": key.to_string(), "timestamp": timestamp});
            media.send(json!({"event": "dtmf", "dtmf": dtmf}));
        }
        if media.send_sound(&tick) == Sent::TooSlow && !media.slow {
            media.slow = true;
            self.warn("the application reads too slowly; sound is dropped");
            self.tell_stream(&media.stream, &media.id, "DegradedStream");
        }
        self.streaming = Streaming::Open(media);
    }

    /// Warns of what the application does wrong, once per stream and kind.
    fn complain(&mut self, media: &mut Media, kind: &'static str, why: &str) {
        if !media.complained.contains(&kind) {
            media.complained.push(kind);
            self.warn(why);
        }
    }

    /// Tells the application about its stream, if it asked for that.
    fn tell_stream(&self, stream: &Stream, id: &str, event: &'static str) {
        let Some(to) = stream.status.clone() else {
            return;
        };
        let mut form = webhook::fields(&self.carrier, &self.call, event);
        form.retain(|(name, _)| ["CallUUID", "Direction", "Event", "From", "To"].contains(&name.as_str()));
        form.extend(webhook::owned(&[
            ("Name", ""),
            ("ServiceURL", &stream.url),
            ("StreamID", id),
            ("Timestamp", &date(Timestamp::now())),
        ]));
        let (carrier, call) = (Arc::clone(&self.carrier), Arc::clone(&self.call));
        self.carrier.office.spawn(async move {
            let nonce = nonce();
            let webhook = Webhook {
                event,
                to: &to,
                form,
                kind: Kind::Genuine,
                nonce: &nonce,
            };
            if let Err(why) = webhook::send(&carrier, &call, webhook).await {
                let text = format!("{event}: {why}");
                carrier.office.ledger.warn(0, &call.id, text);
            }
        });
    }
}

/// One audio stream's open socket.
pub(crate) struct Media {
    id: String,
    stream: Stream,
    socket: MediaSocket,
    until: Instant,
    /// What `start` says the sound is.
    claimed: (String, u32),
    extra_headers: String,
    began: i64,
    sequence: u64,
    chunk: u64,
    complained: Vec<&'static str>,
    slow: bool,
    /// For a wide stream of a narrow line.
    widener: Widener,
}

impl Media {
    fn new(socket: MediaSocket, stream: Stream, id: String, format: &Format) -> Self {
        let claimed = if *format == Format::default() {
            (stream.codec.content_type().to_owned(), stream.codec.rate())
        } else {
            (format.encoding.clone(), format.sample_rate)
        };
        Self {
            until: Instant::now() + stream.timeout,
            claimed,
            extra_headers: stream.headers(),
            began: Timestamp::now().as_millisecond(),
            sequence: 0,
            chunk: 0,
            complained: Vec::new(),
            slow: false,
            widener: Widener::default(),
            id,
            stream,
            socket,
        }
    }

    fn begin(&mut self, account: &str, call: &str) {
        self.sequence += 1;
        let (encoding, rate) = &self.claimed;
        let start = json!({
            "event": "start",
            "sequenceNumber": self.sequence,
            "start": {
                "callId": call,
                "streamId": self.id,
                "accountId": account,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": encoding, "sampleRate": rate},
            },
            "extra_headers": self.extra_headers,
        });
        self.socket.send(start.to_string());
    }

    /// Sends a message with what all but the first have in common.
    fn send(&mut self, mut message: Value) {
        self.sequence += 1;
        message["sequenceNumber"] = json!(self.sequence);
        message["streamId"] = json!(self.id);
        if message["event"] == "dtmf" {
            message["extra_headers"] = json!(self.extra_headers);
        }
        self.socket.send(message.to_string());
    }

    fn send_sound(&mut self, tick: &Tick) -> Sent {
        let linear = |sound: &[i16]| -> Vec<u8> {
            sound.iter().flat_map(|sample| sample.to_le_bytes()).collect()
        };
        let payload = match self.stream.codec {
            Codec::Mulaw => STANDARD.encode(tick.sound.map(|sample| Law::Mu.encode(sample))),
            Codec::Linear => STANDARD.encode(linear(&tick.sound)),
            Codec::Wide if tick.wide.is_empty() => {
                STANDARD.encode(linear(&self.widener.widen(&tick.sound)))
            }
            Codec::Wide => STANDARD.encode(linear(&tick.wide)),
        };
        let timestamp = self.timestamp();
        self.sequence += 1;
        self.chunk += 1;
        let message = json!({
            "event": "media",
            "sequenceNumber": self.sequence,
            "streamId": self.id,
            "media": {
                "track": "inbound",
                "timestamp": timestamp,
                "chunk": self.chunk,
                "payload": payload,
            },
            "extra_headers": self.extra_headers,
        });
        let id = &self.id;
        self.socket.send_sound(message.to_string(), || {
            let weather = json!({"event": "weather", "streamId": id, "weather": {"sky": "grey"}});
            let unsound = json!({"event": "media", "sequenceNumber": 0, "streamId": id,
                "media": {"track": "inbound", "timestamp": "0", "chunk": 0, "payload": "%%%"}});
            [weather.to_string(), unsound.to_string()]
        })
    }

    /// When the next sound began, in milliseconds of the epoch.
    fn timestamp(&self) -> String {
        let passed = self.chunk * FRAME_TIME.as_millis() as u64;
        (self.began + passed as i64).to_string()
    }
}

/// Connects, and once more if that fails.
async fn connect(carrier: &Carrier, url: &str, mischief: &Socket) -> Result<MediaSocket, Unopened> {
    match connect_once(carrier, url, mischief).await {
        Err(Unopened {
            why: Obstacle::Silence | Obstacle::Refused | Obstacle::Cut | Obstacle::Upgrade,
            ..
        }) => connect_once(carrier, url, mischief).await,
        connected => connected,
    }
}

async fn connect_once(
    carrier: &Carrier,
    url: &str,
    mischief: &Socket,
) -> Result<MediaSocket, Unopened> {
    let token = match mischief.signature {
        Signature::Genuine => carrier.account.secret.as_str(),
        Signature::Forged => WRONG_TOKEN,
        Signature::Absent => {
            return MediaSocket::open(&carrier.office, url, &[], mischief).await;
        }
    };
    MediaSocket::open(&carrier.office, url, &signatures(token, url), mischief).await
}

/// The headers that sign the upgrade of a socket.
pub(super) fn signatures(token: &str, url: &str) -> [(&'static str, String); 6] {
    let (signed, nonce) = (signed_url(url), nonce());
    let v3 = sign(token, (Method::Get, &signed), &[], &nonce);
    let v2 = sign_v2(token, &signed, &nonce);
    [
        ("x-plivo-signature-v3", v3.clone()),
        ("x-plivo-signature-ma-v3", v3),
        ("x-plivo-signature-v3-nonce", nonce.clone()),
        ("x-plivo-signature-v2", v2.clone()),
        ("x-plivo-signature-ma-v2", v2),
        ("x-plivo-signature-v2-nonce", nonce),
    ]
}

/// A socket's URL as its upgrade is signed: as one of HTTP.
fn signed_url(url: &str) -> String {
    match url.strip_prefix("ws") {
        Some(rest) => format!("http{rest}"),
        None => url.to_owned(),
    }
}

const MOST_MARKS: usize = 100_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_upgrade_is_signed_as_a_request_of_http() {
        assert_eq!(signed_url("wss://e.com/m?a=1"), "https://e.com/m?a=1");
        assert_eq!(signed_url("ws://127.0.0.1:80/m"), "http://127.0.0.1:80/m");
    }
}
