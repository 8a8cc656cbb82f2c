//! The least a media socket can cost: what a carrier's dialect demands, and nothing else.
//!
//! One thread, one websocket per call. Each message is parsed, its sound decoded to samples and
//! encoded again, and sent back. Webhooks are answered with the socket's address, unread. There is no token, no jitter, no playout, no voice activity, no
//! keys, no record, no other call to think of: the gateway's figures stand beside this one's.

use std::fmt::Write as _;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::{self, Message};

/// Serves until it is killed, and says on standard output where.
pub(crate) fn serve() -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .build()
        .map_err(|fault| format!("cannot start the runtime: {fault}"))?;
    let served = runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        println!("http://{}", listener.local_addr()?);
        accept(listener).await
    });
    served.map_err(|fault| format!("cannot listen: {fault}"))
}

async fn accept(listener: TcpListener) -> io::Result<()> {
    let here = listener.local_addr()?;
    loop {
        let (socket, _) = listener.accept().await?;
        tokio::spawn(serve_one(socket, here));
    }
}

/// A webhook or a media socket, whichever it turns out to be.
async fn serve_one(socket: TcpStream, here: SocketAddr) -> io::Result<()> {
    socket.set_nodelay(true)?;
    let mut method = [0; 4];
    let seen = socket.peek(&mut method).await?;
    if &method[..seen] == b"POST" {
        return connect(socket, here).await;
    }
    // A call ends when the far end does, or on anything that makes no sense.
    let _ = echo(socket).await;
    Ok(())
}

/// Answers any webhook with the place of the media socket.
async fn connect(socket: TcpStream, here: SocketAddr) -> io::Result<()> {
    let mut socket = BufReader::new(socket);
    let mut length = 0;
    loop {
        let mut line = String::new();
        let read = (&mut socket).take(HEADER).read_line(&mut line).await?;
        if read == 0 || line == "\r\n" {
            break;
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap_or(0);
        }
    }
    let mut body = Vec::new();
    (&mut socket).take(length).read_to_end(&mut body).await?;
    let answer = format!("<Response><Connect><Stream url=\"ws://{here}/\"/></Connect></Response>");
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{answer}",
        answer.len()
    );
    socket.write_all(answer.as_bytes()).await?;
    socket.shutdown().await
}

async fn echo(socket: TcpStream) -> Result<(), tungstenite::Error> {
    let mut socket = tokio_tungstenite::accept_async(socket).await?;
    let mut call = Call::default();
    while let Some(message) = socket.next().await {
        let Message::Text(text) = message? else {
            continue;
        };
        if let Some(answer) = call.answer(&text) {
            socket.send(Message::text(answer)).await?;
        }
    }
    Ok(())
}

/// What one call keeps between messages: its name, and room to work in.
#[derive(Default)]
struct Call {
    stream: String,
    encoded: Vec<u8>,
    samples: Vec<i16>,
    payload: String,
}

#[derive(Deserialize)]
struct Heard<'m> {
    event: &'m str,
    #[serde(borrow, rename = "streamSid")]
    stream: Option<&'m str>,
    #[serde(borrow)]
    media: Option<Media<'m>>,
}

#[derive(Deserialize)]
struct Media<'m> {
    payload: &'m str,
}

impl Call {
    fn answer(&mut self, text: &str) -> Option<String> {
        let heard: Heard<'_> = serde_json::from_str(text).ok()?;
        if heard.event == "start" {
            self.stream = heard.stream?.to_owned();
        }
        let media = heard.media?;
        self.encoded.clear();
        STANDARD.decode_vec(media.payload, &mut self.encoded).ok()?;
        self.samples.clear();
        self.samples
            .extend(self.encoded.iter().map(|it| decode(*it)));
        self.encoded.clear();
        self.encoded
            .extend(self.samples.iter().map(|it| encode(*it)));
        self.payload.clear();
        STANDARD.encode_string(&self.encoded, &mut self.payload);
        Some(self.written())
    }

    fn written(&self) -> String {
        let mut out = String::with_capacity(self.payload.len() + 96);
        let Self {
            stream, payload, ..
        } = self;
        write!(
            out,
            "{{\"event\":\"media\",\"streamSid\":\"{stream}\",\"media\":{{\"payload\":\"{payload}\"}}}}"
        )
        .expect("writing to a String cannot fail");
        out
    }
}

/// µ-law to linear, after ITU-T G.711.
const fn decode(code: u8) -> i16 {
    let code = !code;
    let exponent = (code >> 4) & 0x07;
    let mantissa = (code & 0x0f) as i16;
    let magnitude = (((mantissa << 3) + 0x84) << exponent) - 0x84;
    if code & 0x80 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

/// Linear to µ-law, after ITU-T G.711.
fn encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = sample.unsigned_abs().min(32_635) + 0x84;
    let exponent = 8 - magnitude.leading_zeros();
    let mantissa = (magnitude >> (exponent + 3)) & 0x0f;
    !(sign | (exponent << 4) as u8 | mantissa as u8)
}

const HEADER: u64 = 16 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_survives_the_way_there_and_back() {
        // 0x7f is the second zero of µ-law; nothing encodes to it.
        for code in (0..=255).filter(|it| *it != 0x7f) {
            assert_eq!(encode(decode(code)), code, "{code:#x}");
        }
    }

    #[test]
    fn a_media_message_comes_back_as_the_carrier_wants_it() {
        let mut call = Call::default();
        let start =
            "{\"event\":\"start\",\"sequenceNumber\":\"1\",\"start\":{},\"streamSid\":\"MZ1\"}";
        assert_eq!(call.answer(start), None);
        let media = "{\"event\":\"media\",\"streamSid\":\"MZ1\",\"media\":{\"track\":\"inbound\",\"chunk\":\"1\",\"payload\":\"/wBA\"}}";
        let expected =
            "{\"event\":\"media\",\"streamSid\":\"MZ1\",\"media\":{\"payload\":\"/wBA\"}}";
        assert_eq!(call.answer(media).as_deref(), Some(expected));
    }

    #[tokio::test]
    async fn it_answers_on_a_socket() {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = bound.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let serving = tokio::spawn(accept(listener));
        let dialled = TcpStream::connect(address).await.expect("it listens");
        let url = format!("ws://{address}/");
        let (mut line, _) = tokio_tungstenite::client_async(url, dialled)
            .await
            .expect("it speaks websocket");
        for text in [
            "{\"event\":\"start\",\"streamSid\":\"MZ1\"}",
            "{\"event\":\"media\",\"streamSid\":\"MZ1\",\"media\":{\"payload\":\"AAEC\"}}",
        ] {
            line.send(Message::text(text)).await.expect("it reads");
        }
        let answer = line.next().await.expect("it answers").expect("in a frame");
        assert!(answer.to_text().expect("as text").contains("\"AAEC\""));
        let mut webhook = TcpStream::connect(address).await.expect("it listens");
        let request = b"POST /twilio/voice HTTP/1.1\r\nContent-Length: 3\r\n\r\na=b";
        webhook.write_all(request).await.expect("it reads");
        let mut answer = String::new();
        webhook
            .read_to_string(&mut answer)
            .await
            .expect("it answers");
        assert!(answer.contains(&format!("<Stream url=\"ws://{address}/\"/>")));
        serving.abort();
    }
}
