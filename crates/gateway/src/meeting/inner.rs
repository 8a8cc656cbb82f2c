//! The line of an agent that sits at a meeting: it ends in this house, and has a dialect of its own.

use std::fmt::Write as _;

use axum::extract::ws::Utf8Bytes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use media::{Codec, Endian, Format, Mark, Packet, Rate};
use ports::Fault;
use ports::carrier::{StreamCommand, StreamEvent, StreamProtocol};
use tokio::sync::mpsc;

use crate::line::{Incoming, Line, Weight};

/// What an agent's sound is written in on its way through the house: as it is. It is as good as the best
/// line can be; whoever has a lesser one hears what that carries.
pub(crate) const FORMAT: Format = Format {
    codec: Codec::L16(Endian::Little),
    rate: Rate::Hz16000,
};

/// The agent's end of it.
#[derive(Debug)]
pub struct InnerLine {
    tx: mpsc::Sender<String>,
    rx: mpsc::Receiver<String>,
    dropped: u64,
}

/// The meeting's end of it.
#[derive(Debug)]
pub(crate) struct OuterEnd {
    tx: mpsc::Sender<String>,
    rx: mpsc::Receiver<String>,
}

/// What comes from an agent.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum FromAgent {
    Sound(Vec<i16>),
    Clear,
    Mark(String),
}

/// Makes both ends.
pub(crate) fn line() -> (InnerLine, OuterEnd) {
    let (near_tx, far_rx) = mpsc::channel(ROOM);
    let (far_tx, near_rx) = mpsc::channel(ROOM);
    let near = InnerLine {
        tx: near_tx,
        rx: near_rx,
        dropped: 0,
    };
    let far = OuterEnd {
        tx: far_tx,
        rx: far_rx,
    };
    (near, far)
}

impl OuterEnd {
    /// Lets the agent hear a frame. One that does not listen misses it.
    pub(crate) fn play(&self, samples: &[i16]) {
        let bytes: Vec<_> = samples.iter().flat_map(|it| it.to_le_bytes()).collect();
        let message = format!("{SOUND}{}", STANDARD.encode(bytes));
        let _ = self.tx.try_send(message);
    }

    /// Says that everything before a mark was played, or cleared.
    pub(crate) fn played(&self, mark: &str) {
        let _ = self.tx.try_send(format!("{MARK}{mark}"));
    }

    /// What the agent sent since; `None`: nothing.
    pub(crate) fn take(&mut self) -> Option<FromAgent> {
        let message = self.rx.try_recv().ok()?;
        let rest = message.get(1..).unwrap_or_default();
        match message.chars().next() {
            Some(SOUND) => {
                let bytes = STANDARD.decode(rest).ok()?;
                let (samples, _) = bytes.as_chunks();
                let samples = samples.iter().map(|it| i16::from_le_bytes(*it));
                Some(FromAgent::Sound(samples.collect()))
            }
            Some(MARK) => Some(FromAgent::Mark(rest.to_owned())),
            Some(CLEAR) => Some(FromAgent::Clear),
            Some(_) | None => None,
        }
    }
}

impl Line for InnerLine {
    async fn recv(&mut self) -> Incoming {
        match self.rx.recv().await {
            Some(text) => Incoming::Text(Utf8Bytes::from(text)),
            None => Incoming::Closed,
        }
    }

    fn push(&mut self, text: &str, _: Weight) {
        // The meeting empties it fifty times a second: one that does not is over.
        if self.tx.try_send(text.to_owned()).is_err() {
            self.dropped += 1;
        }
    }

    fn flush(&mut self) {}

    async fn close(self) {}

    fn dropped(&self) -> u64 {
        self.dropped
    }
}

/// The dialect of an inner line: one letter, and what belongs to it.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    heard: u64,
    payload: Vec<u8>,
}

impl StreamProtocol for Inner {
    fn decode<'m>(&'m mut self, message: &'m str) -> Result<StreamEvent<'m>, Fault> {
        let rest = message.get(1..).unwrap_or_default();
        Ok(match message.chars().next() {
            Some(SOUND) => {
                self.payload.clear();
                if STANDARD.decode_vec(rest, &mut self.payload).is_err() {
                    return Ok(StreamEvent::Unknown);
                }
                self.heard += 1;
                StreamEvent::Audio(Packet {
                    index: self.heard,
                    payload: &self.payload,
                })
            }
            Some(MARK) => match mark(rest) {
                Some(mark) => StreamEvent::Marked(mark),
                None => StreamEvent::Unknown,
            },
            Some(_) | None => StreamEvent::Unknown,
        })
    }

    fn stops_by_closing(&self) -> bool {
        true
    }

    fn encode(&mut self, command: StreamCommand<'_>, out: &mut String) {
        match command {
            StreamCommand::Audio(sound) => {
                out.push(SOUND);
                STANDARD.encode_string(sound, out);
            }
            StreamCommand::Clear => out.push(CLEAR),
            StreamCommand::Mark(mark) => {
                out.push(MARK);
                // Into a string nothing fails.
                let _ = write!(out, "{}.{}", mark.generation, mark.index);
            }
        }
    }
}

fn mark(text: &str) -> Option<Mark> {
    let (generation, index) = text.split_once('.')?;
    Some(Mark {
        generation: generation.parse().ok()?,
        index: index.parse().ok()?,
    })
}

const SOUND: char = 's';
const MARK: char = 'm';
const CLEAR: char = 'c';

/// Messages that may wait either way: a second and a half of sound.
const ROOM: usize = 75;
