//! The media socket of any carrier: how it is opened, written, read, closed and cut, with the mischief that was asked for.

use crate::mischief::{Chatter, Chunks, Connect, Socket, Wire};
use crate::office::{Office, Reach, authority};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
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

/// An open media socket.
pub(crate) struct MediaSocket {
    reader: SplitStream<WebSocketStream<TcpStream>>,
    messages: mpsc::Sender<Message>,
    writer: JoinHandle<()>,
    opened: Instant,
    speaks: bool,
    wire: Wire,
    chatter: Chatter,
    chunks: Chunks,
    held: Vec<String>,
    chunk: u64,
}

/// What came of reading.
pub(crate) enum Said {
    Text(String),
    Binary,
    /// The application closed the socket.
    Closed,
    /// The connection broke.
    Broken(Broken),
}

/// How a connection broke.
pub(crate) struct Broken {
    pub(crate) how: Breach,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Breach {
    /// It ended without a close.
    Ended,
    /// The application broke the WebSocket's own rules.
    Misspoken,
    /// The exchange was asked to reset it: [`MediaSocket::cut`] does.
    Reset,
}

/// Whether a message was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Sent,
    /// The application reads too slowly; the message is dropped.
    TooSlow,
}

/// Why there is no socket.
#[derive(Debug)]
pub(crate) struct Unopened {
    pub(crate) why: Obstacle,
    pub(crate) text: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    /// The URL is not one of a socket, or has something a carrier does not take.
    Url,
    /// It would take TLS, which is not played.
    Tls,
    /// Nothing answered in time.
    Silence,
    /// The connection was refused.
    Refused,
    /// The connection was cut before the upgrade.
    Cut,
    /// The upgrade was refused.
    Upgrade,
}

fn unopened(why: Obstacle, text: impl Into<String>) -> Unopened {
    Unopened {
        why,
        text: text.into(),
    }
}

impl MediaSocket {
    /// Opens a socket to `url`, which a tunnel may lead elsewhere, with these headers on the upgrade.
    pub(crate) async fn open(
        office: &Office,
        url: &str,
        headers: &[(&'static str, String)],
        mischief: &Socket,
    ) -> Result<Self, Unopened> {
        match mischief.connect {
            Connect::AtOnce | Connect::Cut | Connect::Mute => {}
            Connect::After(delay) => sleep(delay).await,
            Connect::Never => {
                sleep(CONNECTING).await;
                return Err(unopened(
                    Obstacle::Silence,
                    "no connection within the time for it",
                ));
            }
        }
        let tcp = connect(&target(office, url)?).await?;
        if matches!(mischief.line, Wire::DropsAt(_)) || mischief.connect == Connect::Cut {
            let _ = tcp.set_zero_linger();
        }
        if mischief.connect == Connect::Cut {
            return Err(unopened(
                Obstacle::Cut,
                "the connection was cut before the upgrade",
            ));
        }
        let websocket = upgrade(tcp, url, headers).await?;
        Ok(Self::new(websocket, mischief))
    }

    fn new(websocket: WebSocketStream<TcpStream>, mischief: &Socket) -> Self {
        let (writer, reader) = websocket.split();
        let (messages, inbox) = mpsc::channel(QUEUE);
        Self {
            reader,
            messages,
            writer: tokio::spawn(write(writer, inbox)),
            opened: Instant::now(),
            speaks: mischief.connect != Connect::Mute,
            wire: mischief.line,
            chatter: mischief.chatter,
            chunks: mischief.chunks,
            held: Vec::new(),
            chunk: 0,
        }
    }

    /// Waits for what the application says, or for the connection's end. Nothing is lost when this is cancelled.
    pub(crate) async fn hear(&mut self) -> Said {
        let (drop_at, stall_at, freeze_at) = match self.wire {
            Wire::Holds | Wire::FreezesAtItsEnd | Wire::HushesAt(_) => (FAR, FAR, FAR),
            Wire::DropsAt(after) => (after, FAR, FAR),
            Wire::StallsAt(after) => (FAR, after, FAR),
            Wire::FreezesAt(after) => (FAR, FAR, after),
        };
        loop {
            let reads = self.opened.elapsed() < stall_at;
            tokio::select! {
                message = self.reader.next(), if reads => match message {
                    Some(Ok(Message::Text(text))) => return Said::Text(text.to_string()),
                    Some(Ok(Message::Binary(_))) => return Said::Binary,
                    Some(Ok(Message::Close(_))) => return Said::Closed,
                    Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
                    Some(Err(error)) => return Said::Broken(Broken::of(&error)),
                    None => return Said::Broken(Broken::ended()),
                },
                () = sleep_until(self.opened + freeze_at) => return Said::Broken(Broken::ended()),
                () = sleep_until(self.opened + drop_at) => return Said::Broken(Broken::reset()),
            }
        }
    }

    /// The first message, which even a socket that is otherwise mute sends.
    pub(crate) fn greet(&self, text: &'static str) {
        let _ = self.messages.try_send(Message::text(text));
    }

    pub(crate) fn send(&self, text: String) -> Sent {
        if !self.speaks || self.is_silent() {
            return Sent::Sent;
        }
        match self.messages.try_send(Message::text(text)) {
            Ok(()) => Sent::Sent,
            Err(mpsc::error::TrySendError::Full(_)) => Sent::TooSlow,
            // The writer has ended because the connection has; the reader will say so.
            Err(mpsc::error::TrySendError::Closed(_)) => Sent::Sent,
        }
    }

    /// Sends a message of sound, in the order and as often as asked for, and sometimes garbage before it: what `garbage` gives
    /// is an event nobody knows, and sound that is not base64.
    pub(crate) fn send_sound(
        &mut self,
        message: String,
        garbage: impl FnOnce() -> [String; 2],
    ) -> Sent {
        self.chunk += 1;
        self.chat(garbage);
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

    fn chat(&self, garbage: impl FnOnce() -> [String; 2]) {
        if self.chatter == Chatter::Nothing || self.is_silent() || !self.chunk.is_multiple_of(5) {
            return;
        }
        let [unknown, unsound] = garbage();
        let message = match (self.chunk / 5) % 4 {
            0 => Message::text(unknown),
            1 => Message::text("this is not JSON {"),
            2 => Message::binary(vec![0, 159, 146, 150]),
            _ => Message::text(unsound),
        };
        let _ = self.messages.try_send(message);
    }

    /// Says the last thing, and closes.
    pub(crate) fn finish(mut self, last: String) {
        if self.wire == Wire::FreezesAtItsEnd {
            self.wire = Wire::FreezesAt(Duration::ZERO);
        }
        self.send(last);
        self.close();
    }

    /// Whether nothing is sent any more.
    fn is_silent(&self) -> bool {
        self.is_frozen()
            || matches!(self.wire, Wire::HushesAt(after) if self.opened.elapsed() >= after)
    }

    fn is_frozen(&self) -> bool {
        matches!(self.wire, Wire::FreezesAt(after) if self.opened.elapsed() >= after)
    }

    /// Keeps the connection, and does nothing with it.
    fn freeze(self) {
        tokio::spawn(async move {
            sleep(FROZEN).await;
            drop(self);
        });
    }

    /// Closes the connection; what is queued is still sent, for a while.
    pub(crate) fn close(self) {
        if self.is_frozen() || self.wire == Wire::FreezesAtItsEnd {
            return self.freeze();
        }
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
    pub(crate) async fn cut(self) {
        self.writer.abort();
        let _ = self.writer.await;
    }
}

impl Broken {
    fn of(error: &Error) -> Self {
        let misspoken = matches!(error, Error::Protocol(fault) if *fault != ProtocolError::ResetWithoutClosingHandshake)
            || matches!(error, Error::Capacity(_) | Error::Utf8(_));
        Self {
            how: if misspoken {
                Breach::Misspoken
            } else {
                Breach::Ended
            },
            text: error.to_string(),
        }
    }

    fn ended() -> Self {
        Self {
            how: Breach::Ended,
            text: "the connection ended without a close".to_owned(),
        }
    }

    fn reset() -> Self {
        Self {
            how: Breach::Reset,
            text: "the connection was reset".to_owned(),
        }
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

/// Where a socket's URL leads, if it is one that can be reached: `ws`, or `wss` through a tunnel.
pub(crate) fn target(office: &Office, url: &str) -> Result<String, Unopened> {
    match office.reach(url) {
        Reach::Tunnelled(local) => Ok(local),
        Reach::Direct if url.starts_with("ws://") => Ok(url.to_owned()),
        Reach::Direct if url.starts_with("wss://") => Err(unopened(
            Obstacle::Tls,
            format!("{url}: no tunnel leads there, and there is no TLS here"),
        )),
        Reach::Direct => Err(unopened(
            Obstacle::Url,
            format!("{url:?} is not the URL of a socket"),
        )),
    }
}

async fn connect(target: &str) -> Result<TcpStream, Unopened> {
    let address = authority(target)
        .filter(|address| !address.is_empty())
        .ok_or_else(|| unopened(Obstacle::Url, format!("{target} has no host")))?;
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
        .map_err(|_| unopened(Obstacle::Silence, format!("{address} did not answer")))?
        .map_err(|why| unopened(Obstacle::Refused, format!("{address}: {why}")))?;
    let _ = tcp.set_nodelay(true);
    Ok(tcp)
}

async fn upgrade(
    tcp: TcpStream,
    url: &str,
    headers: &[(&'static str, String)],
) -> Result<WebSocketStream<TcpStream>, Unopened> {
    let mut request = url
        .into_client_request()
        .map_err(|why| unopened(Obstacle::Url, format!("{url}: {why}")))?;
    for (name, value) in headers {
        let value = HeaderValue::from_str(value).map_err(|_| {
            unopened(
                Obstacle::Upgrade,
                format!("{name} cannot be sent as a header"),
            )
        })?;
        request.headers_mut().insert(*name, value);
    }
    let config = WebSocketConfig::default()
        .max_message_size(Some(LARGEST))
        .max_frame_size(Some(LARGEST));
    let (websocket, _) = timeout(
        CONNECTING,
        client_async_with_config(request, tcp, Some(config)),
    )
    .await
    .map_err(|_| unopened(Obstacle::Silence, "the upgrade was not answered"))?
    .map_err(|why| unopened(Obstacle::Upgrade, format!("the upgrade was refused: {why}")))?;
    Ok(websocket)
}

/// Five seconds of messages wait for an application that reads slowly; then sound is dropped.
const QUEUE: usize = 250;
/// Thirty seconds of 16 kHz samples in base64, and some room.
const LARGEST: usize = 2 * 1024 * 1024;
const CONNECTING: Duration = Duration::from_secs(5);
/// So long a connection is half open.
const FROZEN: Duration = Duration::from_secs(120);
const CLOSING: Duration = Duration::from_secs(2);
/// Longer than any call; a clock can still add it.
const FAR: Duration = Duration::from_secs(7 * 24 * 60 * 60);
