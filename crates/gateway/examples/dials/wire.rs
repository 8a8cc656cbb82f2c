//! A wire to an exchange that breaks where it hurts most.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::keeper::Keeper;

/// The wire. Clones are the same.
#[derive(Clone)]
pub(crate) struct Wire(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    far: String,
    keeper: Mutex<Option<Arc<Keeper>>>,
    books: Mutex<Books>,
}

#[derive(Default)]
pub(crate) struct Books {
    /// How many dials came.
    dials: usize,
    /// How many of them broke.
    pub(crate) broken: u64,
    /// By whom they were to: our names of the calls that the exchange took.
    pub(crate) taken: HashMap<String, Vec<String>>,
}

/// Where a dial breaks.
enum Break {
    Nowhere,
    /// After so many bytes of the request.
    Request(usize),
    /// After so many bytes of the answer.
    Answer(usize),
    /// The answer says nothing.
    Trouble,
    /// The gateway dies when so many bytes of the request are sent.
    KillAt(usize),
    /// The gateway dies before the answer.
    Kill,
}

impl Wire {
    pub(crate) async fn lay(far: SocketAddr) -> Result<Self, String> {
        let listener = TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.map_err(|error| error.to_string())?;
        let address = listener.local_addr().map_err(|error| error.to_string())?;
        let wire = Self(Arc::new(Inner {
            address,
            far: far.to_string(),
            keeper: Mutex::default(),
            books: Mutex::default(),
        }));
        let serving = wire.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let wire = serving.clone();
                tokio::spawn(async move { wire.carry(near).await });
            }
        });
        Ok(wire)
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// From now on it can kill this one's gateway.
    pub(crate) fn arm(&self, keeper: Arc<Keeper>) {
        *self.0.keeper.lock().unwrap_or_else(PoisonError::into_inner) = Some(keeper);
    }

    pub(crate) fn books(&self) -> std::sync::MutexGuard<'_, Books> {
        self.0.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One connection, until it breaks or is done with.
    async fn carry(&self, mut near: TcpStream) {
        while let Some(request) = message(&mut near).await {
            let dial = is_dial(&request).then(|| Dial::read(&request));
            let whole = self.carry_one(&mut near, &request, dial).await;
            if whole.is_none() {
                return;
            }
        }
    }

    /// `None`: the connection is broken.
    async fn carry_one(
        &self,
        near: &mut TcpStream,
        request: &[u8],
        dial: Option<Dial>,
    ) -> Option<()> {
        let breaks = match dial {
            Some(_) => self.next_break(request.len()),
            None => Break::Nowhere,
        };
        let mut far = TcpStream::connect(&self.0.far).await.ok()?;
        if let Break::Request(bytes) | Break::KillAt(bytes) = breaks {
            far.write_all(&request[..bytes]).await.ok()?;
            far.flush().await.ok()?;
            if let Break::KillAt(_) = breaks {
                self.kill().await;
            }
            return None;
        }
        far.write_all(request).await.ok()?;
        let answer = message(&mut far).await?;
        let good = answer.starts_with(b"HTTP/1.1 2");
        if let Some(dial) = dial.filter(|_| good) {
            self.books()
                .taken
                .entry(dial.to)
                .or_default()
                .push(dial.call);
        }
        match breaks {
            Break::Nowhere => near.write_all(&answer).await.ok(),
            Break::Answer(bytes) => {
                let begin = &answer[..bytes % answer.len()];
                let _ = near.write_all(begin).await;
                None
            }
            Break::Trouble => {
                let trouble = b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n";
                near.write_all(trouble).await.ok()
            }
            Break::Kill => {
                self.kill().await;
                None
            }
            Break::Request(_) | Break::KillAt(_) => None,
        }
    }

    /// Every byte has its turn.
    fn next_break(&self, length: usize) -> Break {
        let mut books = self.books();
        let number = books.dials;
        books.dials += 1;
        // Coprime to the ways there are, so that each way comes to each byte.
        let at = number.wrapping_mul(7);
        let breaks = match number % 10 {
            0 | 5 => return Break::Nowhere,
            1 | 2 | 6 => Break::Request(at % length),
            3 | 7 => Break::Answer(at),
            4 | 8 => Break::Trouble,
            _ => match number / 10 % 6 {
                0 => Break::KillAt(at % length),
                3 => Break::Kill,
                _ => Break::Answer(at),
            },
        };
        books.broken += 1;
        breaks
    }

    async fn kill(&self) {
        let keeper = self
            .0
            .keeper
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        if let Some(keeper) = keeper {
            keeper.kill_and_start().await;
        }
    }
}

/// Whom a dial is to, and what the call is called.
struct Dial {
    to: String,
    call: String,
}

impl Dial {
    fn read(request: &[u8]) -> Self {
        let text = String::from_utf8_lossy(request);
        let after = |mark: &str, skip: usize, most: usize| {
            let at = text.find(mark)? + skip;
            let rest = text.get(at..)?;
            Some(rest.chars().take(most).collect::<String>())
        };
        let call = after("call%3D", 7, 32).or_else(|| after("call=", 5, 32));
        Self {
            to: after(THEIRS, 0, THEIRS.len() + 6).unwrap_or_default(),
            call: call.unwrap_or_default(),
        }
    }
}

fn is_dial(request: &[u8]) -> bool {
    let line = request.split(|it| *it == b'\r').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let path = line
        .strip_prefix("POST ")
        .and_then(|it| it.split(' ').next());
    path.is_some_and(|it| {
        ["/Calls.json", "/v2/calls", "/Call/"]
            .iter()
            .any(|end| it.ends_with(end))
    })
}

/// A request or an answer, whole.
async fn message(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let (mut read, mut end) = (Vec::new(), None);
    loop {
        if end.is_none() {
            end = length(&read);
        }
        if let Some(end) = end.filter(|end| read.len() >= *end) {
            read.truncate(end);
            return Some(read);
        }
        if read.len() > LONGEST || stream.read_buf(&mut read).await.ok()? == 0 {
            return None;
        }
    }
}

/// How long a message is, once its head is there.
fn length(read: &[u8]) -> Option<usize> {
    let head = read.windows(4).position(|it| it == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&read[..head]).to_ascii_lowercase();
    let lines = &mut text.lines();
    let length = lines.find_map(|it| it.strip_prefix("content-length:")?.trim().parse().ok());
    Some(head + length.unwrap_or(0))
}

/// What every number begins with that is called here, without its plus.
pub(crate) const THEIRS: &str = "12025";
const LONGEST: usize = 1024 * 1024;
