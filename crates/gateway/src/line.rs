//! A media socket, as the runner sees it: messages in, messages out, nothing that waits.

use std::collections::VecDeque;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, close_code};
use futures_util::{FutureExt, SinkExt, StreamExt};

use crate::meeting::InnerLine;

/// The carrier's end of a call's sound.
///
/// Reading waits; writing never does, because whoever writes also keeps the call's time.
pub trait Line: Send + 'static {
    /// The next message. Safe to give up on half-way.
    fn recv(&mut self) -> impl Future<Output = Incoming> + Send;
    /// Queues a message to be written.
    fn push(&mut self, text: &str, weight: Weight);
    /// Writes as much as fits without waiting.
    fn flush(&mut self);
    /// Asks the far end for a sign that it is there: [`Incoming::Alive`]. A line that cannot break
    /// without a word need not.
    fn probe(&mut self) {}
    /// Says goodbye, politely but briefly.
    fn close(self) -> impl Future<Output = ()> + Send;
    /// How many messages were thrown away because the far end does not keep up.
    fn dropped(&self) -> u64;
}

/// Where a call's messages go.
#[derive(Debug)]
pub enum Wire {
    /// To a carrier.
    Socket(Box<SocketLine>),
    /// To a meeting in this house.
    Inner(InnerLine),
}

impl Line for Wire {
    async fn recv(&mut self) -> Incoming {
        match self {
            Self::Socket(line) => line.recv().await,
            Self::Inner(line) => line.recv().await,
        }
    }

    fn push(&mut self, text: &str, weight: Weight) {
        match self {
            Self::Socket(line) => line.push(text, weight),
            Self::Inner(line) => line.push(text, weight),
        }
    }

    fn flush(&mut self) {
        match self {
            Self::Socket(line) => line.flush(),
            Self::Inner(line) => line.flush(),
        }
    }

    fn probe(&mut self) {
        match self {
            Self::Socket(line) => line.probe(),
            Self::Inner(line) => line.probe(),
        }
    }

    async fn close(self) {
        match self {
            Self::Socket(line) => line.close().await,
            Self::Inner(line) => line.close().await,
        }
    }

    fn dropped(&self) -> u64 {
        match self {
            Self::Socket(line) => line.dropped(),
            Self::Inner(line) => line.dropped(),
        }
    }
}

/// What came over a [`Line`].
#[derive(Debug)]
pub enum Incoming {
    /// The far end answered a probe.
    Alive,
    /// One message.
    Text(Utf8Bytes),
    /// The far end is gone, and said so.
    Closed,
    /// The far end is gone.
    Broke,
}

/// What may be thrown away when the far end does not keep up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Sound: worthless when late.
    Sound,
    /// Everything else: kept, in order.
    Control,
}

/// A [`Line`] over a websocket.
#[derive(Debug)]
pub struct SocketLine {
    socket: WebSocket,
    /// Messages that must not be lost, waiting for room.
    kept: VecDeque<Utf8Bytes>,
    unflushed: bool,
    broken: bool,
    dropped: u64,
}

/// So many control messages wait for a far end that reads nothing; then the line counts as broken.
const KEPT: usize = 256;

impl SocketLine {
    /// Takes over a socket.
    pub fn new(socket: WebSocket) -> Self {
        Self {
            socket,
            kept: VecDeque::new(),
            unflushed: false,
            broken: false,
            dropped: 0,
        }
    }

    /// Ends the socket because of something its far end did.
    pub async fn refuse(mut self, reason: &'static str) {
        let close = CloseFrame {
            code: close_code::POLICY,
            reason: Utf8Bytes::from_static(reason),
        };
        let goodbye = self.socket.send(Message::Close(Some(close)));
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }

    /// Hands a message to the socket if there is room for it right now.
    fn feed(&mut self, text: Utf8Bytes) -> Result<(), Utf8Bytes> {
        let ready = at_once(std::future::poll_fn(|cx| self.socket.poll_ready_unpin(cx)));
        match ready {
            Some(Ok(())) => {
                self.broken |= self.socket.start_send_unpin(Message::Text(text)).is_err();
                self.unflushed = true;
                Ok(())
            }
            Some(Err(_)) => {
                self.broken = true;
                Ok(())
            }
            None => Err(text),
        }
    }

    fn feed_kept(&mut self) {
        while let Some(text) = self.kept.pop_front() {
            if let Err(text) = self.feed(text) {
                self.kept.push_front(text);
                return;
            }
        }
    }
}

impl Line for SocketLine {
    async fn recv(&mut self) -> Incoming {
        if self.broken {
            return Incoming::Broke;
        }
        loop {
            match self.socket.next().await {
                Some(Ok(Message::Text(text))) => return Incoming::Text(text),
                // The library answers pings by itself; no carrier we know sends binary messages.
                Some(Ok(Message::Pong(_))) => return Incoming::Alive,
                Some(Ok(Message::Ping(_) | Message::Binary(_))) => {}
                Some(Ok(Message::Close(_))) => return Incoming::Closed,
                Some(Err(_)) | None => return Incoming::Broke,
            }
        }
    }

    fn push(&mut self, text: &str, weight: Weight) {
        self.feed_kept();
        if self.kept.is_empty() {
            let text = Utf8Bytes::try_from(Bytes::copy_from_slice(text.as_bytes()))
                .expect("a str is valid UTF-8");
            match (self.feed(text), weight) {
                (Ok(()), _) => {}
                (Err(_), Weight::Sound) => self.dropped += 1,
                (Err(text), Weight::Control) => self.kept.push_back(text),
            }
            return;
        }
        match weight {
            Weight::Sound => self.dropped += 1,
            Weight::Control if self.kept.len() < KEPT => self.kept.push_back(text.into()),
            Weight::Control => self.broken = true,
        }
    }

    fn flush(&mut self) {
        if !self.kept.is_empty() {
            self.feed_kept();
        }
        if self.unflushed {
            match at_once(self.socket.flush()) {
                Some(Ok(())) => self.unflushed = false,
                Some(Err(_)) => self.broken = true,
                // There is no room: the next frame, 20 ms from now, tries again.
                None => {}
            }
        }
    }

    fn probe(&mut self) {
        let ready = at_once(std::future::poll_fn(|cx| self.socket.poll_ready_unpin(cx)));
        // A far end that takes nothing more answers nothing either.
        if let Some(Ok(())) = ready {
            let ping = Message::Ping(Bytes::new());
            self.broken |= self.socket.start_send_unpin(ping).is_err();
            self.unflushed = true;
        }
    }

    async fn close(mut self) {
        let goodbye = async {
            let close = CloseFrame {
                code: close_code::NORMAL,
                reason: Utf8Bytes::from_static("the call is over"),
            };
            let _ = self.socket.send(Message::Close(Some(close))).await;
            while let Some(Ok(_)) = self.socket.next().await {}
        };
        let _ = tokio::time::timeout(GOODBYE, goodbye).await;
    }

    fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// What comes of this without waiting. That a task has done much already, which makes the runtime
/// ask it for a pause, is no reason to think the far end slow.
fn at_once<F: Future>(what: F) -> Option<F::Output> {
    tokio::task::unconstrained(what).now_or_never()
}

/// How long a far end has to say goodbye.
const GOODBYE: std::time::Duration = std::time::Duration::from_secs(2);
