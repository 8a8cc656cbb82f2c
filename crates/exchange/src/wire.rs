//! A WebSocket client of few instructions, for load: frames are built once and written with one call.
//!
//! RFC 6455, client side: text frames of less than 64 KiB, whole messages, no extensions. The mask is all zeros; a
//! server spends the same on it as on any other.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};
use std::io;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// An open WebSocket.
pub(crate) struct Wire {
    stream: TcpStream,
    input: Vec<u8>,
    start: usize,
}

/// What came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Frame<'a> {
    Text(&'a str),
    Ping,
    Closed,
    Other,
}

impl Wire {
    /// Asks for the upgrade and checks the answer.
    pub(crate) async fn upgrade(
        stream: TcpStream,
        host: &str,
        path: &str,
        headers: &[(&str, String)],
    ) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        let key = STANDARD.encode(rand::random::<[u8; 16]>());
        let headers: String = headers
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n{headers}\r\n"
        );
        let mut wire = Self {
            stream,
            input: Vec::with_capacity(ROOM),
            start: 0,
        };
        wire.write(request.as_bytes()).await?;
        let head = loop {
            if let Some(end) = wire
                .input
                .windows(4)
                .position(|window| window == b"\r\n\r\n")
            {
                let head = String::from_utf8_lossy(&wire.input[..end]).into_owned();
                wire.start = end + 4;
                break head;
            }
            if wire.input.len() > LONGEST_HEAD || wire.read().await? == 0 {
                return Err(io::Error::other("the upgrade was not answered"));
            }
        };
        let status = head.split(' ').nth(1).unwrap_or_default();
        if status != "101" {
            return Err(io::Error::other(format!(
                "the upgrade was answered with {status}"
            )));
        }
        let expected = STANDARD.encode(Sha1::digest(format!(
            "{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        )));
        let accepted = head
            .lines()
            .filter_map(|line| line.split_once(':'))
            .any(|(name, value)| {
                name.eq_ignore_ascii_case("sec-websocket-accept") && value.trim() == expected
            });
        if accepted {
            Ok(wire)
        } else {
            Err(io::Error::other(
                "the upgrade was accepted with the wrong key",
            ))
        }
    }

    /// Begins a text frame in `out`; [`Self::finish_text`] ends it.
    pub(crate) fn begin_text(out: &mut Vec<u8>) {
        out.clear();
        out.extend_from_slice(&[0x81, 0x80 | 126, 0, 0, 0, 0, 0, 0]);
    }

    /// Fills in the length of the text frame in `out`, which must be shorter than 64 KiB.
    pub(crate) fn finish_text(out: &mut [u8]) {
        let length = u16::try_from(out.len() - HEADER)
            .expect("messages of load are far shorter than 64 KiB");
        out[2..4].copy_from_slice(&length.to_be_bytes());
    }

    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.write(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8]).await
    }

    pub(crate) async fn pong(&mut self) -> io::Result<()> {
        self.write(&[0x8A, 0x80, 0, 0, 0, 0]).await
    }

    /// Writes bytes; a far end that takes none for five seconds is an error.
    pub(crate) async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.stream.try_write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    timeout(STUCK, self.stream.writable()).await.map_err(|_| {
                        io::Error::new(io::ErrorKind::TimedOut, "the far end reads nothing")
                    })??;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads what is there, or waits for it; 0 is the end. Nothing is lost when this is cancelled.
    pub(crate) async fn read(&mut self) -> io::Result<usize> {
        if self.start == self.input.len() {
            self.input.clear();
            self.start = 0;
        }
        self.input.reserve(ROOM);
        self.stream.read_buf(&mut self.input).await
    }

    /// The next whole frame of what has been read.
    pub(crate) fn next(&mut self) -> io::Result<Option<Frame<'_>>> {
        let rest = &self.input[self.start..];
        let &[first, second, ..] = rest else {
            return Ok(None);
        };
        let (header, length) = match (second & 0x7F, rest) {
            (126, &[_, _, high, low, ..]) => (4, usize::from(u16::from_be_bytes([high, low]))),
            (126, _) => return Ok(None),
            (127, _) => return Err(io::Error::other("a frame of 64 KiB or more")),
            (length, _) => (2, usize::from(length)),
        };
        if rest.len() < header + length {
            if self.start > 0 {
                self.input.drain(..self.start);
                self.start = 0;
            }
            return Ok(None);
        }
        let from = self.start + header;
        self.start = from + length;
        let payload = &self.input[from..from + length];
        let frame = match first & 0x0F {
            0x1 if first & 0x80 != 0 => {
                Frame::Text(std::str::from_utf8(payload).map_err(io::Error::other)?)
            }
            0x0 | 0x1 => return Err(io::Error::other("a message in parts")),
            0x8 => Frame::Closed,
            0x9 => Frame::Ping,
            _ => Frame::Other,
        };
        Ok(Some(frame))
    }
}

const HEADER: usize = 8;
/// How much is read at once, at least.
const ROOM: usize = 2_048;
const LONGEST_HEAD: usize = 8_192;
const STUCK: Duration = Duration::from_secs(5);
