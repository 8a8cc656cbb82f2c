//! The media socket, from the carrier's side: sound out every 20 ms, sound in as it comes, marks and clears.
//!
//! Source: the Media Streams WebSocket messages reference.

use super::date;
use super::life::{Conversation, Ended, Turn};
use super::twiml::{Method, Onward, Stream};
use super::webhook::{self, Webhook, sign};
use crate::ear::FRAME_TIME;
use crate::g711::Law;
use crate::ledger::{EndedBy, Happening, Kind, Mark, Returned};
use crate::line::{Fit, Marked, Tick};
use crate::mischief::{Abrupt, Signature, Socket};
use crate::office::{Office, authority, fresh};
use crate::phone::Deed;
use crate::socket::{self, Breach, MediaSocket, Obstacle, Said, Sent, Unopened};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::future::pending;
use std::sync::Arc;
use tokio::time::sleep_until;

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
        let opened = match connected {
            Ok(opened) => opened,
            Err(unopened) => {
                self.warn(number(unopened.why), unopened.text.clone());
                self.tell_stream(stream, &sid, "stream-error", &unopened.text);
                return Ok(Ended {
                    stream: sid,
                    event: "stream-error",
                    by: EndedBy::SocketFailed,
                });
            }
        };
        let host = authority(&stream.url).unwrap_or_default();
        carrier.office.ledger.tell(Happening::Streaming {
            call: call.id.clone(),
            host,
        });
        self.tell_stream(stream, &sid, "stream-started", "");
        let mut media = Media::new(opened, sid.clone(), &socket);
        media.begin(&carrier.account.id, &call.id, stream);
        self.line.restart();
        let end = self.converse(&mut media).await;
        match end {
            Ok(closing) => {
                let (event, by) = match closing {
                    Closing::ByApplication => ("stream-stopped", EndedBy::SocketClosed),
                    Closing::Broken | Closing::Reset => ("stream-error", EndedBy::SocketFailed),
                };
                if closing == Closing::Reset {
                    media.socket.cut().await
                } else {
                    media.socket.close()
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
                media.stop(&carrier.account.id, &call.id);
                self.tell_stream(stream, &sid, "stream-stopped", "");
                Err(turn)
            }
        }
    }

    async fn converse(&mut self, media: &mut Media) -> Result<Closing, Turn> {
        loop {
            tokio::select! {
                // A request that was answered before the application closed its socket is obeyed before that is seen.
                biased;
                command = self.commands.recv() => self.obey(command)?,
                () = sleep_until(self.line.next_tick()) => {
                    let tick = self.tick()?;
                    if media.send_tick(tick, self) == Sent::TooSlow && !media.warned_of_slowness {
                        media.warned_of_slowness = true;
                        self.warn(31930, "the application reads too slowly; sound is dropped");
                    }
                }
                () = sleep_until(self.deadline) => return Err(Turn::Ended(EndedBy::TimeLimit)),
                said = media.socket.hear() => match said {
                    Said::Text(text) => self.hear(media, &text),
                    Said::Binary => self.complain(media, 31924, "a binary message"),
                    Said::Closed => {
                        self.warn(31921, "the application closed the socket");
                        return Ok(Closing::ByApplication);
                    }
                    Said::Broken(broken) => {
                        let (code, closing) = match broken.how {
                            Breach::Misspoken => (31924, Closing::Broken),
                            Breach::Ended => (31903, Closing::Broken),
                            Breach::Reset => (31903, Closing::Reset),
                        };
                        self.warn(code, broken.text);
                        return Ok(closing);
                    }
                },
            }
        }
    }

    fn hear(&mut self, media: &mut Media, text: &str) {
        match read(text, &media.sid) {
            Err(why) => self.complain(media, 31951, &why),
            Ok(Told::Media(codes)) => {
                let sound = codes.iter().map(|code| media.law.decode(*code)).collect();
                if self.line.play(sound) == Fit::Overflows {
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
                self.carrier.office.ledger.tell(Happening::Cleared {
                    call: self.call.id.clone(),
                    at,
                });
            }
        }
    }

    /// Returns a mark to the application.
    fn give_back(&mut self, media: &mut Media, name: String, why: Returned) {
        let sequence = media.next_sequence();
        media.socket.send(
            json!({"event": "mark", "sequenceNumber": sequence, "streamSid": media.sid, "mark": {"name": name}})
                .to_string(),
        );
        let mark = Mark {
            name,
            at: self.line.clock(),
            why,
        };
        self.carrier.office.ledger.tell(Happening::Marked {
            call: self.call.id.clone(),
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
        self.carrier.office.ledger.warn(code, &self.call.id, text);
    }

    /// Tells the application about its stream, if it asked for that.
    fn tell_stream(&self, stream: &Stream, sid: &str, event: &'static str, error: &str) {
        let Onward::Fetch(url) = stream.status_callback.clone() else {
            return;
        };
        let mut form: Vec<(String, String)> = [
            ("AccountSid", self.carrier.account.id.as_str()),
            ("CallSid", &self.call.id),
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
        self.carrier.office.spawn(async move {
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
                    .office
                    .ledger
                    .warn(unanswered.code, &call.id, unanswered.text);
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
    socket: MediaSocket,
    format: Value,
    sequence: u64,
    chunk: u64,
    complained: Vec<u32>,
    warned_of_slowness: bool,
}

impl Media {
    fn new(opened: MediaSocket, sid: String, mischief: &Socket) -> Self {
        Self {
            sid,
            law: if mischief.format.encoding.contains("alaw") {
                Law::A
            } else {
                Law::Mu
            },
            socket: opened,
            format: json!({
                "encoding": mischief.format.encoding,
                "sampleRate": mischief.format.sample_rate,
                "channels": mischief.format.channels,
            }),
            sequence: 0,
            chunk: 0,
            complained: Vec::new(),
            warned_of_slowness: false,
        }
    }

    fn begin(&mut self, account: &str, call: &str, stream: &Stream) {
        self.socket
            .greet(r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#);
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
        self.socket.send(start.to_string());
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
            self.socket.send(dtmf.to_string());
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
        let sid = &self.sid;
        self.socket.send_sound(message, || {
            [
                format!(r#"{{"event":"weather","streamSid":"{sid}","weather":{{"sky":"grey"}}}}"#),
                format!(
                    r#"{{"event":"media","sequenceNumber":"0","media":{{"track":"inbound","chunk":"0","timestamp":"0","payload":"%%%"}},"streamSid":"{sid}"}}"#
                ),
            ]
        })
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
        self.socket.finish(stop.to_string());
    }
}

async fn connect(
    carrier: &super::Carrier,
    stream: &Stream,
    mischief: &Socket,
) -> Result<MediaSocket, Unopened> {
    let signature = match mischief.signature {
        Signature::Genuine => Some(sign(&carrier.account.secret, &stream.url, &[])),
        Signature::Forged => Some(sign("not the token of this account", &stream.url, &[])),
        Signature::Absent => None,
    };
    let headers: Vec<_> = signature
        .map(|signature| ("x-twilio-signature", signature))
        .into_iter()
        .collect();
    target(&carrier.office, &stream.url)?;
    MediaSocket::open(&carrier.office, &stream.url, &headers, mischief).await
}

/// Where the stream's URL leads, if it is one the carrier accepts: `ws` or `wss`, without a query.
pub(super) fn target(office: &Office, url: &str) -> Result<String, Unopened> {
    if url.contains(['?', '#']) {
        return Err(Unopened {
            why: Obstacle::Url,
            text: format!("{url}: a stream's URL has no query"),
        });
    }
    socket::target(office, url)
}

/// The carrier's number for what keeps a socket from being opened.
fn number(obstacle: Obstacle) -> u32 {
    match obstacle {
        Obstacle::Silence => 31901,
        Obstacle::Refused => 31902,
        Obstacle::Cut => 31903,
        Obstacle::Tls => 31910,
        Obstacle::Url | Obstacle::Upgrade => 31920,
    }
}

const MOST_MARKS: usize = 100_000;

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
