//! Something between a carrier and a gateway, which writes down what passes, and may be a bad line.

use std::io;
use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rand::Rng as _;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, timeout};

/// One webhook, to the byte, and its answer.
#[derive(Clone)]
pub(crate) struct Heard {
    pub(crate) request: Vec<u8>,
    pub(crate) answer: Vec<u8>,
}

/// How webhooks are delivered.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// As they were sent.
    Honest,
    /// What waits for no answer comes late, out of order, and five times.
    Twisted,
}

pub(crate) struct Relay {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    inside: u16,
    heard: Mutex<Vec<Heard>>,
    twisted: AtomicBool,
    under_way: AtomicUsize,
}

impl Relay {
    pub(crate) async fn start(inside: u16) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let state = Arc::new(State {
            inside,
            heard: Mutex::default(),
            twisted: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
        });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(pass(stream, shared.clone()));
            }
        });
        Ok(Self { port, state })
    }

    pub(crate) fn wire(&self, wire: Wire) {
        let twisted = wire == Wire::Twisted;
        self.state.twisted.store(twisted, Ordering::Relaxed);
    }

    /// Waits until all that was held back has been delivered, and nothing more comes.
    pub(crate) async fn settle(&self) {
        let mut quiet = Instant::now();
        let mut count = 0;
        while quiet.elapsed() < QUIET {
            let heard = self.heard().len();
            if heard != count || self.state.under_way.load(Ordering::Relaxed) > 0 {
                (count, quiet) = (heard, Instant::now());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn heard(&self) -> Vec<Heard> {
        self.state.heard.lock().expect("no one panics here").clone()
    }
}

async fn pass(mut stream: TcpStream, state: Arc<State>) {
    let _ = stream.set_nodelay(true);
    let mut line = None;
    while let Ok(request) = message(&mut stream).await {
        if !request.starts_with(b"POST ") {
            // A media socket.
            if let Ok(mut inside) = TcpStream::connect((Ipv4Addr::LOCALHOST, state.inside)).await {
                let _ = inside.set_nodelay(true);
                let _ = inside.write_all(&request).await;
                let _ = copy_bidirectional(&mut stream, &mut inside).await;
            }
            return;
        }
        let answer = if state.twisted.load(Ordering::Relaxed) && waits_for_nothing(&request) {
            state.under_way.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(twist(request, state.clone()));
            THANKS.to_vec()
        } else {
            let answer = ask(state.inside, &mut line, &request).await;
            let mut heard = state.heard.lock().expect("no one panics here");
            heard.push(Heard {
                request,
                answer: answer.clone(),
            });
            drop(heard);
            answer
        };
        if stream.write_all(&answer).await.is_err() {
            return;
        }
    }
}

async fn twist(request: Vec<u8>, state: Arc<State>) {
    let mut line = None;
    // Not longer than a call is up: what would begin it comes before it is over.
    let mut pauses: Vec<u64> = (0..5).map(|_| rand::rng().random_range(0..800)).collect();
    pauses.sort_unstable();
    let mut waited = 0;
    for pause in pauses {
        sleep(Duration::from_millis(pause - waited)).await;
        waited = pause;
        ask(state.inside, &mut line, &request).await;
    }
    state.under_way.fetch_sub(1, Ordering::Relaxed);
}

/// Whether the carrier wants no more than thanks: it reports, or, where it speaks JSON, it is told by
/// requests what to do.
fn waits_for_nothing(request: &[u8]) -> bool {
    let line = request.split(|it| *it == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    line.contains("/status") || body(request).first() == Some(&b'{')
}

/// Sends a request as it is, and reads the answer. The connection is used again.
pub(crate) async fn ask(port: u16, line: &mut Option<TcpStream>, request: &[u8]) -> Vec<u8> {
    for _ in 0..TRIES {
        let mut stream = match line.take() {
            Some(stream) => stream,
            None => match TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await {
                Ok(stream) => stream,
                Err(_) => {
                    sleep(Duration::from_millis(20)).await;
                    continue;
                }
            },
        };
        let _ = stream.set_nodelay(true);
        let asked = async {
            stream.write_all(request).await?;
            message(&mut stream).await
        };
        if let Ok(Ok(answer)) = timeout(LONG, asked).await {
            *line = Some(stream);
            return answer;
        }
    }
    Vec::new()
}

/// A head, and as much of a body as it says.
async fn message(from: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let head = loop {
        if let Some(at) = bytes.windows(4).position(|it| it == b"\r\n\r\n") {
            break at + 4;
        }
        if from.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    };
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let length = text
        .lines()
        .find_map(|it| it.strip_prefix("content-length:"));
    let length: usize = length.and_then(|it| it.trim().parse().ok()).unwrap_or(0);
    while bytes.len() < head + length {
        if from.read_buf(&mut bytes).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(bytes)
}

pub(crate) fn status(answer: &[u8]) -> u16 {
    let text = String::from_utf8_lossy(answer.get(9..12).unwrap_or_default()).into_owned();
    text.parse().unwrap_or(0)
}

pub(crate) fn body(answer: &[u8]) -> &[u8] {
    let at = answer.windows(4).position(|it| it == b"\r\n\r\n");
    at.map_or(answer, |at| &answer[at + 4..])
}

/// The same, written anew as far as its signature stays good: a form in another order.
pub(crate) fn rewritten(request: &[u8]) -> Vec<u8> {
    let told = body(request);
    if told.first() == Some(&b'{') {
        return request.to_vec();
    }
    let mut pairs: Vec<&[u8]> = told.split(|it| *it == b'&').collect();
    let (turn, length) = (rand::rng().random_range(0..pairs.len()), told.len());
    pairs.rotate_left(turn);
    let mut anew = request[..request.len() - length].to_vec();
    anew.extend(pairs.join(&b'&'));
    anew
}

/// The same, with one character changed of what is signed.
pub(crate) fn forged(request: &[u8]) -> Vec<u8> {
    let mut forged = request.to_vec();
    let told = body(request).len();
    let from = request.len() - told;
    // Letters and digits are what they are, in a form and in JSON.
    loop {
        let at = from + rand::rng().random_range(0..told);
        if forged[at].is_ascii_alphanumeric() {
            // Of an escape only the case may change, which says the same.
            let before = &forged[at.saturating_sub(2).max(from)..at];
            if !before.contains(&b'%') {
                forged[at] = if forged[at] == b'7' { b'8' } else { b'7' };
                return forged;
            }
        }
    }
}

const THANKS: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}";
const QUIET: Duration = Duration::from_millis(600);
const LONG: Duration = Duration::from_secs(10);
const TRIES: usize = 5;
