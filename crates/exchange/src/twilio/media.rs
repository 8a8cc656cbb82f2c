//! The media socket, from the carrier's side: sound out every 20 ms, sound in as it comes, marks and clears.
//!
//! Source: the Media Streams WebSocket messages reference.

use super::life::{Conversation, Ended, Turn};
use super::twiml::{Method, Onward, Stream};
use super::webhook::{self, Webhook, authority, sign};
use super::{Reach, date, fresh};
use crate::ear::FRAME_TIME;
use crate::g711::Law;
use crate::ledger::{EndedBy, Happening, Kind, Mark, Returned};
use crate::line::{Fit, Marked, Tick};
use crate::mischief::{Abrupt, Chatter, Chunks, Connect, Signature, Socket, Wire};
use crate::phone::Deed;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use jiff::Timestamp;
use serde_json::{Value, json};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, client_async_with_config};

impl Conversation {
    /// Runs a bidirectional stream until the application closes it, it fails, or the call turns elsewhere.
    pub(crate) async fn stream(&mut self, stream: &Stream) -> Result<Ended, Turn> {
        let sid = fresh("MZ");
        let (carrier, call, socket) = (
            Arc::clone(&self.carrier),
            Arc::clone(&self.call),
            self.socket.clone(),
        );
        let connected = self.aside(connect(&carrier, stream, &socket)).await?;
        let websocket = match connected {
            Ok(websocket) => websocket,
            Err(refused) => {
                carrier
                    .ledger
                    .warn(refused.code, &call.sid, refused.text.clone());
                self.tell_stream(stream, &sid, "stream-error", &refused.text);
                return Ok(Ended {
                    stream: sid,
                    event: "stream-error",
                    by: EndedBy::SocketFailed,
                });
            }
        };
        let host = authority(&stream.url).unwrap_or_default();
        carrier.ledger.tell(Happening::Streaming {
            call: call.sid.clone(),
            host,
        });
        self.tell_stream(stream, &sid, "stream-started", "");
        let mut media = Media::new(websocket, sid.clone(), &socket);
        media.begin(&carrier.account.sid, &call.sid, stream);
        self.line.restart(media.law);
        let end = self.converse(&mut media).await;
        match end {
            Ok(closing) => {
                let (event, by) = match closing {
                    Closing::ByApplication => ("stream-stopped", EndedBy::SocketClosed),
                    Closing::Broken | Closing::Reset => ("stream-error", EndedBy::SocketFailed),
                };
                if closing == Closing::Reset {
                    media.cut().await
                } else {
                    media.close()
                }
                self.tell_stream(stream, &sid, event, "");
                if closing != Closing::ByApplication {
                    match self.socket.abrupt {
                        Abrupt::GoesOn => {}
                        Abrupt::Stays => self.aside(pending()).await?,
                        Abrupt::Ends => return Err(Turn::Ended(by)),
                    }
                }
                Ok(Ended {
                    stream: sid,
                    event,
                    by,
                })
            }
            Err(turn) => {
                media.stop(&carrier.account.sid, &call.sid);
                self.tell_stream(stream, &sid, "stream-stopped", "");
                Err(turn)
            }
        }
    }

    async fn converse(&mut self, media: &mut Media) -> Result<Closing, Turn> {
        let started = Instant::now();
        let (drop_at, stall_at) = match self.socket.line {
            Wire::Holds => (FAR, FAR),
            Wire::DropsAt(after) => (after, FAR),
            Wire::StallsAt(after) => (FAR, after),
        };
        loop {
            let reads = started.elapsed() < stall_at;
            tokio::select! {
                command = self.commands.recv() => self.obey(command)?,
                message = media.reader.next(), if reads => match message {
                    Some(Ok(message)) => {
                        if let Heard::Closed = self.hear(media, message) {
                            self.warn(31921, "the application closed the socket");
                            return Ok(Closing::ByApplication);
                        }
                    }
                    Some(Err(error)) => {
                        let (code, text) = why_broken(&error);
                        self.warn(code, text);
                        return Ok(Closing::Broken);
                    }
                    None => {
                        self.warn(31903, "the connection ended without a close");
                        return Ok(Closing::Broken);
                    }
                },
                () = sleep_until(self.line.next_tick()) => {
                    let tick = self.tick()?;
                    if media.send_tick(tick, self) == Sent::TooSlow && !media.warned_of_slowness {
                        media.warned_of_slowness = true;
                        self.warn(31930, "the application reads too slowly; sound is dropped");
                    }
                }
                () = sleep_until(started + drop_at) => {
                    self.warn(31903, "the connection was reset");
                    return Ok(Closing::Reset);
                }
                () = sleep_until(self.deadline) => return Err(Turn::Ended(EndedBy::TimeLimit)),
            }
        }
    }

    fn hear(&mut self, media: &mut Media, message: Message) -> Heard {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Heard::Closed,
            Message::Ping(_) | Message::Pong(_) | Message::Frame(_) => return Heard::Message,
            Message::Binary(_) => {
                self.complain(media, 31924, "a binary message");
                return Heard::Message;
            }
        };
        match read(&text, &media.sid) {
            Err(why) => self.complain(media, 31951, &why),
            Ok(Told::Media(codes)) => {
                if self.line.play(codes) == Fit::Overflows {
                    self.complain(media, 31930, "the buffer is full; sound is dropped");
                }
            }
            Ok(Told::Mark(name)) => match self.line.mark(name) {
                Marked::Waits => {}
                Marked::AtOnce(name) => self.give_back(media, name, Returned::AtOnce),
                Marked::Overflows => self.complain(media, 31951, "too many marks are waiting"),
            },
            Ok(Told::Clear) => {
                let at = self.line.clock();
                for name in self.line.clear() {
                    self.give_back(media, name, Returned::Cleared);
                }
                self.carrier.ledger.tell(Happening::Cleared {
                    call: self.call.sid.clone(),
                    at,
                });
            }
        }
        Heard::Message
    }

    /// Returns a mark to the application.
    fn give_back(&mut self, media: &mut Media, name: String, why: Returned) {
        let sequence = media.next_sequence();
        media.send(
            json!({"event": "mark", "sequenceNumber": sequence, "streamSid": media.sid, "mark": {"name": name}})
                .to_string(),
        );
        let mark = Mark {
            name,
            at: self.line.clock(),
            why,
        };
        self.carrier.ledger.tell(Happening::Marked {
            call: self.call.sid.clone(),
            mark: mark.clone(),
        });
        if self.marks.len() < MOST_MARKS {
            self.marks.push(mark);
        }
    }

    /// Warns of what the application does wrong, once per stream.
    fn complain(&mut self, media: &mut Media, code: u32, why: &str) {
        if !media.complained.contains(&code) {
            media.complained.push(code);
            self.warn(code, why);
        }
    }

    fn warn(&self, code: u32, text: impl Into<String>) {
        self.carrier.ledger.warn(code, &self.call.sid, text);
    }

    /// Tells the application about its stream, if it asked for that.
    fn tell_stream(&self, stream: &Stream, sid: &str, event: &'static str, error: &str) {
        let Onward::Fetch(url) = stream.status_callback.clone() else {
            return;
        };
        let mut form: Vec<(String, String)> = [
            ("AccountSid", self.carrier.account.sid.as_str()),
            ("CallSid", &self.call.sid),
            ("StreamSid", sid),
            ("StreamName", &stream.name),
            ("StreamEvent", event),
            ("Timestamp", &date(Timestamp::now())),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if !error.is_empty() {
            form.push(("StreamError".to_owned(), error.to_owned()));
        }
        let (carrier, call) = (Arc::clone(&self.carrier), Arc::clone(&self.call));
        self.carrier.spawn(async move {
            let (method, kind, token) = (Method::Post, Kind::Genuine, fresh(""));
            let webhook = Webhook {
                event: "stream",
                url: &url,
                method,
                form,
                kind,
                token: &token,
            };
            if let Err(unanswered) = webhook::send(&carrier, &call, webhook).await {
                carrier
                    .ledger
                    .warn(unanswered.code, &call.sid, unanswered.text);
            }
        });
    }
}

/// How a media socket came to its end, when it was not the call that ended it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Closing {
    ByApplication,
    Broken,
    Reset,
}

enum Heard {
    Message,
    Closed,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Sent {
    Sent,
    TooSlow,
}

/// What the application may say.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    Media(Vec<u8>),
    Mark(String),
    Clear,
}

/// Reads a message as strictly as the carrier: exactly the documented fields.
fn read(text: &str, stream: &str) -> Result<Told, String> {
    let value: Value = serde_json::from_str(text).map_err(|why| format!("not JSON: {why}"))?;
    let field = |path: &str| value.pointer(path).and_then(Value::as_str);
    let event = field("/event").ok_or("no event")?;
    if field("/streamSid") != Some(stream) {
        return Err(format!(
            "{event}: the streamSid is missing or not this stream's"
        ));
    }
    let fields =
        |path: &str, expected: &[&str]| match value.pointer(path).and_then(Value::as_object) {
            Some(object)
                if object.len() == expected.len()
                    && expected.iter().all(|name| object.contains_key(*name)) =>
            {
                Ok(())
            }
            Some(object) => {
                let found: Vec<_> = object.keys().map(String::as_str).collect();
                Err(format!(
                    "{event}: the fields are {found:?}, not {expected:?}"
                ))
            }
            None => Err(format!("{event}: {path} is missing")),
        };
    match event {
        "media" => {
            fields("", &["event", "streamSid", "media"])?;
            fields("/media", &["payload"])?;
            let payload = field("/media/payload").ok_or("media: the payload is not a string")?;
            let codes = STANDARD
                .decode(payload)
                .map_err(|why| format!("media: not base64: {why}"))?;
            Ok(Told::Media(codes))
        }
        "mark" => {
            fields("", &["event", "streamSid", "mark"])?;
            fields("/mark", &["name"])?;
            let name = field("/mark/name").ok_or("mark: the name is not a string")?;
            Ok(Told::Mark(name.to_owned()))
        }
        "clear" => {
            fields("", &["event", "streamSid"])?;
            Ok(Told::Clear)
        }
        other => Err(format!("{other} is not an event the carrier knows")),
    }
}

/// One media socket.
struct Media {
    sid: String,
    law: Law,
    reader: SplitStream<WebSocketStream<TcpStream>>,
    messages: mpsc::Sender<Message>,
    writer: JoinHandle<()>,
    speaks: bool,
    chatter: Chatter,
    chunks: Chunks,
    format: Value,
    sequence: u64,
    chunk: u64,
    held: Vec<String>,
    complained: Vec<u32>,
    warned_of_slowness: bool,
}

impl Media {
    fn new(websocket: WebSocketStream<TcpStream>, sid: String, socket: &Socket) -> Self {
        let (writer, reader) = websocket.split();
        let (messages, inbox) = mpsc::channel(QUEUE);
        Self {
            sid,
            law: if socket.format.encoding.contains("alaw") {
                Law::A
            } else {
                Law::Mu
            },
            reader,
            messages,
            writer: tokio::spawn(write(writer, inbox)),
            speaks: socket.connect != Connect::Mute,
            chatter: socket.chatter,
            chunks: socket.chunks,
            format: json!({
                "encoding": socket.format.encoding,
                "sampleRate": socket.format.sample_rate,
                "channels": socket.format.channels,
            }),
            sequence: 0,
            chunk: 0,
            held: Vec::new(),
            complained: Vec::new(),
            warned_of_slowness: false,
        }
    }

    fn begin(&mut self, account: &str, call: &str, stream: &Stream) {
        let _ = self.messages.try_send(Message::text(
            r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#,
        ));
        let parameters: serde_json::Map<String, Value> = stream
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), Value::String(value.clone())))
            .collect();
        let start = json!({
            "event": "start",
            "sequenceNumber": self.next_sequence(),
            "start": {
                "accountSid": account,
                "streamSid": self.sid,
                "callSid": call,
                "tracks": ["inbound"],
                "mediaFormat": self.format,
                "customParameters": parameters,
            },
            "streamSid": self.sid,
        });
        self.send(start.to_string());
    }

    /// Sends what a tick brings: marks, keys, and sound, which is always there.
    fn send_tick(&mut self, tick: Tick, conversation: &mut Conversation) -> Sent {
        for name in tick.marks {
            conversation.give_back(self, name, Returned::Played);
        }
        if let Deed::Presses(key) = tick.deed {
            let dtmf = json!({
                "event": "dtmf",
                "streamSid": self.sid,
                "sequenceNumber": self.next_sequence(),
                "dtmf": {"track": "inbound_track", "digit": key.to_string()},
            });
            self.send(dtmf.to_string());
        }
        let codes = tick.sound.map(|sample| self.law.encode(sample));
        let (sequence, timestamp) = (
            self.next_sequence(),
            self.chunk * FRAME_TIME.as_millis() as u64,
        );
        self.chunk += 1;
        let message = format!(
            r#"{{"event":"media","sequenceNumber":"{sequence}","media":{{"track":"inbound","chunk":"{}","timestamp":"{timestamp}","payload":"{}"}},"streamSid":"{}"}}"#,
            self.chunk,
            STANDARD.encode(codes),
            self.sid
        );
        self.chat();
        match self.chunks {
            Chunks::InOrder => self.send(message),
            Chunks::Doubled => {
                self.send(message.clone());
                self.send(message)
            }
            Chunks::Swapped if self.held.is_empty() => {
                self.held.push(message);
                Sent::Sent
            }
            Chunks::Swapped => {
                let sent = self.send(message);
                for late in std::mem::take(&mut self.held) {
                    self.send(late);
                }
                sent
            }
        }
    }

    fn chat(&mut self) {
        if self.chatter == Chatter::Nothing || !self.chunk.is_multiple_of(5) {
            return;
        }
        let sid = &self.sid;
        let message = match (self.chunk / 5) % 4 {
            0 => Message::text(format!(
                r#"{{"event":"weather","streamSid":"{sid}","weather":{{"sky":"grey"}}}}"#
            )),
            1 => Message::text("this is not JSON {"),
            2 => Message::binary(vec![0, 159, 146, 150]),
            _ => Message::text(format!(
                r#"{{"event":"media","sequenceNumber":"0","media":{{"track":"inbound","chunk":"0","timestamp":"0","payload":"%%%"}},"streamSid":"{sid}"}}"#
            )),
        };
        let _ = self.messages.try_send(message);
    }

    fn send(&mut self, text: String) -> Sent {
        if !self.speaks {
            return Sent::Sent;
        }
        match self.messages.try_send(Message::text(text)) {
            Ok(()) => Sent::Sent,
            Err(mpsc::error::TrySendError::Full(_)) => Sent::TooSlow,
            // The writer has ended because the connection has; the reader will say so.
            Err(mpsc::error::TrySendError::Closed(_)) => Sent::Sent,
        }
    }

    fn next_sequence(&mut self) -> String {
        self.sequence += 1;
        self.sequence.to_string()
    }

    /// Ends the stream from the carrier's side.
    fn stop(mut self, account: &str, call: &str) {
        let stop = json!({
            "event": "stop",
            "sequenceNumber": self.next_sequence(),
            "stop": {"accountSid": account, "callSid": call},
            "streamSid": self.sid,
        });
        self.send(stop.to_string());
        self.close();
    }

    /// Closes the connection; what is queued is still sent, for a while.
    fn close(self) {
        let Self {
            reader,
            messages,
            writer,
            ..
        } = self;
        drop(messages);
        tokio::spawn(async move {
            // The reader is kept until the writer is done: reading is what lets the closing handshake finish.
            let drained = reader.for_each(|_| std::future::ready(()));
            let closed = async {
                let _ = writer.await;
                drained.await;
            };
            let _ = timeout(CLOSING, closed).await;
        });
    }

    /// Cuts the connection without a word. Its socket lingers for no time, so this is a reset.
    async fn cut(self) {
        self.writer.abort();
        let _ = self.writer.await;
    }
}

async fn write(
    mut sink: SplitSink<WebSocketStream<TcpStream>, Message>,
    mut inbox: mpsc::Receiver<Message>,
) {
    while let Some(message) = inbox.recv().await {
        if sink.send(message).await.is_err() {
            return;
        }
    }
    let _ = timeout(CLOSING, sink.close()).await;
}

/// Why there is no socket: the carrier's number for it.
pub(super) struct Refused {
    pub(super) code: u32,
    pub(super) text: String,
}

async fn connect(
    carrier: &super::Carrier,
    stream: &Stream,
    socket: &Socket,
) -> Result<WebSocketStream<TcpStream>, Refused> {
    let refused = |code: u32, text: String| Refused { code, text };
    match socket.connect {
        Connect::AtOnce | Connect::Cut | Connect::Mute => {}
        Connect::After(delay) => sleep(delay).await,
        Connect::Never => {
            sleep(CONNECTING).await;
            return Err(refused(
                31901,
                "no connection within the time for it".to_owned(),
            ));
        }
    }
    let target = target(carrier, &stream.url)?;
    let address = authority(&target).filter(|address| !address.is_empty());
    let address = address.ok_or_else(|| refused(31920, format!("{} has no host", stream.url)))?;
    let address = if address
        .rsplit(']')
        .next()
        .is_some_and(|tail| tail.contains(':'))
    {
        address
    } else {
        format!("{address}:80")
    };
    let tcp = timeout(CONNECTING, TcpStream::connect(&address))
        .await
        .map_err(|_| refused(31901, format!("{address} did not answer")))?
        .map_err(|why| refused(31902, format!("{address}: {why}")))?;
    let _ = tcp.set_nodelay(true);
    if matches!(socket.line, Wire::DropsAt(_)) || socket.connect == Connect::Cut {
        let _ = tcp.set_zero_linger();
    }
    if socket.connect == Connect::Cut {
        return Err(refused(
            31903,
            "the connection was cut before the upgrade".to_owned(),
        ));
    }
    let mut request = stream
        .url
        .as_str()
        .into_client_request()
        .map_err(|why| refused(31920, format!("{}: {why}", stream.url)))?;
    let signature = match socket.signature {
        Signature::Genuine => sign(&carrier.account.token, &stream.url, &[]),
        Signature::Forged => sign("not the token of this account", &stream.url, &[]),
        Signature::Absent => String::new(),
    };
    if !signature.is_empty() {
        let value = HeaderValue::from_str(&signature).expect("base64 is a header value");
        request.headers_mut().insert("x-twilio-signature", value);
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST));
    let (websocket, _) = timeout(
        CONNECTING,
        client_async_with_config(request, tcp, Some(config)),
    )
    .await
    .map_err(|_| refused(31901, "the upgrade was not answered".to_owned()))?
    .map_err(|why| refused(31920, format!("the upgrade was refused: {why}")))?;
    Ok(websocket)
}

/// Where the stream's URL leads, if it is one the carrier accepts: `ws` or `wss`, without a query.
pub(super) fn target(carrier: &super::Carrier, url: &str) -> Result<String, Refused> {
    let refused = |text: String| Err(Refused { code: 31920, text });
    if url.contains(['?', '#']) {
        return refused(format!("{url}: a stream's URL has no query"));
    }
    match carrier.reach(url) {
        Reach::Tunnelled(local) => Ok(local),
        Reach::Direct if url.starts_with("ws://") => Ok(url.to_owned()),
        Reach::Direct if url.starts_with("wss://") => Err(Refused {
            code: 31910,
            text: format!("{url}: no tunnel leads there, and there is no TLS here"),
        }),
        Reach::Direct => refused(format!("{url:?} is not the URL of a socket")),
    }
}

fn why_broken(error: &Error) -> (u32, String) {
    let misspoken = matches!(error, Error::Protocol(fault) if *fault != ProtocolError::ResetWithoutClosingHandshake)
        || matches!(error, Error::Capacity(_) | Error::Utf8(_));
    (if misspoken { 31924 } else { 31903 }, error.to_string())
}

/// Five seconds of messages wait for an application that reads slowly; then sound is dropped.
const QUEUE: usize = 250;
const MOST_MARKS: usize = 100_000;
const LARGEST: usize = 1024 * 1024;
const CONNECTING: Duration = Duration::from_secs(5);
const CLOSING: Duration = Duration::from_secs(2);
/// Longer than any call; a clock can still add it.
const FAR: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_exactly_the_documented_messages() {
        let told = |text: &str| read(text, "MZ1");
        assert_eq!(
            told(r#"{"event":"media","streamSid":"MZ1","media":{"payload":"//8="}}"#),
            Ok(Told::Media(vec![255, 255]))
        );
        assert_eq!(
            told(r#"{"event":"mark","streamSid":"MZ1","mark":{"name":"a"}}"#),
            Ok(Told::Mark("a".into()))
        );
        assert_eq!(
            told(r#"{"event":"clear","streamSid":"MZ1"}"#),
            Ok(Told::Clear)
        );
        for wrong in [
            "hello",
            "[]",
            r#"{"event":"clear"}"#,
            r#"{"event":"clear","streamSid":"MZ2"}"#,
            r#"{"event":"clear","streamSid":"MZ1","now":true}"#,
            r#"{"event":"dance","streamSid":"MZ1"}"#,
            r#"{"event":"mark","streamSid":"MZ1","mark":{"name":7}}"#,
            r#"{"event":"mark","streamSid":"MZ1","mark":{}}"#,
            r#"{"event":"mark","streamSid":"MZ1","name":"a"}"#,
            r#"{"event":"media","streamSid":"MZ1","media":{"payload":"%"}}"#,
            r#"{"event":"media","streamSid":"MZ1","media":{"payload":"//8=","track":"inbound"}}"#,
            r#"{"event":"media","streamSid":"MZ1","media":{}}"#,
        ] {
            assert!(told(wrong).is_err(), "{wrong}");
        }
    }
}
