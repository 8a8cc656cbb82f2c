//! Where messages are handed over: an address, a program, a file.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use agents::once::{self, Ended};
use agents::sign::Signer;
use egress::{Destination, Egress};
use ports::{Blame, Fault, code};
use reqwest::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode};

use super::store::Letter;
use crate::blocking::blocking;
use crate::state::make_folder;

/// Where the messages of a destination go.
#[derive(Clone)]
pub enum Door {
    /// An address of somebody's.
    Url(Box<Post>),
    /// A program on this machine.
    Command(Vec<String>),
    /// The end of a file.
    File(PathBuf),
}

/// An address, and what is signed for it.
#[derive(Clone)]
pub struct Post {
    /// The whole of it.
    pub url: String,
    /// What it knows us by.
    pub signer: Signer,
    /// How it is reached.
    pub way: Way,
}

/// How an address is reached.
#[derive(Clone)]
pub enum Way {
    /// A machine on the public net.
    Public(Egress, Destination),
    /// This machine, or one beside it, which the owner named as such.
    Beside(Client),
}

/// What came of handing a message over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was taken.
    Delivered,
    /// It was not, for this reason; and perhaps a pause was asked for.
    Failed(String, Option<Duration>),
    /// Nobody was there to take any, for this reason.
    Away(String),
    /// Nobody need try that again.
    Refused(String),
    /// It cannot be written yet.
    NotYet,
}

impl Way {
    /// How an address is reached that the owner wrote.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub(crate) fn to(url: &url::Url) -> Result<Self, [&'static str; 2]> {
        let broken = |_| {
            let hint = "is the certificate store of this machine in order?";
            ["cannot be reached from here", hint]
        };
        if is_beside(url) {
            // The program may have chosen a provider. If it did not, a client could not be made at all.
            let _already = rustls::crypto::ring::default_provider().install_default();
            let client = Client::builder()
                .user_agent(concat!("offhook/", env!("CARGO_PKG_VERSION")))
                .redirect(Policy::none())
                .retry(reqwest::retry::never())
                .no_proxy()
                .connect_timeout(CONNECT);
            let client = if url.scheme() == "http" {
                // Without TLS there are no certificates to look for.
                client.tls_certs_only([])
            } else {
                client
            };
            return client.build().map(Self::Beside).map_err(broken);
        }
        let egress = Egress::new().map_err(broken)?;
        let destination = egress.destination(url.as_str()).map_err(|_| {
            let hint = "write the https address of a public machine by its name, or one of this machine or its own network";
            ["leads to no machine that is told of calls", hint]
        })?;
        Ok(Self::Public(egress, destination))
    }
}

/// Whether an address is of this machine or its own network by what it says itself: then the owner means it.
fn is_beside(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(it)) => !egress::is_public(it.into()),
        Some(url::Host::Ipv6(it)) => !egress::is_public(it.into()),
        Some(url::Host::Domain(name)) => egress::is_own(name),
        None => false,
    }
}

impl Door {
    /// For people, without what follows the machine's name: that may open something.
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Url(post) => {
                let url = url::Url::parse(&post.url).ok();
                let host = url.as_ref().and_then(url::Url::host_str).unwrap_or("…");
                format!("url {host}")
            }
            Self::Command(command) => {
                let program = command.first().map_or("…", String::as_str);
                format!("command {program}")
            }
            Self::File(path) => format!("file {}", path.display()),
        }
    }

    /// So many messages are handed over at once.
    pub(crate) fn width(&self) -> usize {
        match self {
            Self::Url(_) => 8,
            Self::Command(_) => 2,
            Self::File(_) => 1,
        }
    }

    /// Hands one over.
    pub(crate) async fn hand(&self, letter: &Letter, body: Vec<u8>, patience: Duration) -> Outcome {
        match self {
            Self::Url(post) => post.send(&letter.id, body, patience).await,
            Self::Command(command) => {
                let variables = [
                    ("OFFHOOK_CALL", letter.call.as_str()),
                    ("OFFHOOK_REPORT", letter.id.as_str()),
                ];
                let why = match once::run(command, &body, &variables, patience).await {
                    Ended::Well => return Outcome::Delivered,
                    Ended::Badly(Some(status)) => format!("the program ended with {status}"),
                    Ended::Badly(None) => "the program was ended by a signal".to_owned(),
                    Ended::Unstarted => {
                        return Outcome::Away("the program could not be started".to_owned());
                    }
                    Ended::Late => "the program did not end in time".to_owned(),
                };
                Outcome::Failed(why, None)
            }
            Self::File(path) => {
                let path = path.clone();
                let written = blocking("writing a report", move || {
                    append(&path, &body).map_err(unwritten)
                });
                match written.await {
                    Ok(()) => Outcome::Delivered,
                    Err(fault) => Outcome::Away(fault.message),
                }
            }
        }
    }
}

impl Post {
    async fn send(&self, id: &str, body: Vec<u8>, patience: Duration) -> Outcome {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        let seconds = now.map_or(0, |it| it.as_secs());
        let signature = self.signer.sign(id, seconds, &body);
        let request = match &self.way {
            Way::Public(egress, to) => egress.post(to),
            Way::Beside(client) => client.post(&self.url),
        };
        let sent = request
            .timeout(patience)
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", signature)
            .header(CONTENT_TYPE, "application/json")
            .body(body)
            .send();
        match sent.await {
            Ok(answer) => judged(answer.status(), answer.headers()),
            // The error itself would show the address, which may be private; its kind is enough.
            Err(error) if error.is_timeout() => {
                Outcome::Failed("it did not answer in time".to_owned(), None)
            }
            Err(error) if error.is_connect() => Outcome::Away("it cannot be reached".to_owned()),
            Err(_) => Outcome::Failed("it broke off".to_owned(), None),
        }
    }
}

fn judged(status: StatusCode, headers: &HeaderMap) -> Outcome {
    if status.is_success() {
        return Outcome::Delivered;
    }
    let why = format!("it answered {}", status.as_u16());
    if status == StatusCode::GONE {
        return Outcome::Refused(why);
    }
    let asked = headers.get(RETRY_AFTER);
    let asked = asked.and_then(|it| it.to_str().ok()?.trim().parse().ok());
    Outcome::Failed(why, asked.map(Duration::from_secs))
}

/// Writes one more line, which is on the disk afterwards.
fn append(path: &Path, body: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600);
    let mut file = options.open(path)?;
    let mut line = Vec::with_capacity(body.len() + 2);
    // What a machine that lost its power left half is not to spoil the next.
    if file.seek(SeekFrom::End(0))? > 0 {
        let mut last = [0];
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
        if last != *b"\n" {
            line.push(b'\n');
        }
    }
    line.extend_from_slice(body);
    line.push(b'\n');
    file.write_all(&line)?;
    file.sync_data()
}

fn unwritten(error: io::Error) -> Fault {
    let message = format!("the file cannot be written: {}", error.kind());
    Fault::new(Blame::Config, code::REPORT_UNDELIVERED, message)
        .hint("is there room, and may offhook write there?")
        .because(error)
}

const CONNECT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_an_address_says_of_itself_decides_how_it_is_reached() {
        let way = |url: &str| Way::to(&url::Url::parse(url).expect("it is one"));
        for beside in [
            "http://127.0.0.1:9000/x",
            "http://localhost/x",
            "https://192.168.1.5/x",
            "http://n8n.lan/x",
            "http://[::1]:9000/",
            "http://desk:9000/",
        ] {
            assert!(matches!(way(beside), Ok(Way::Beside(_))), "{beside}");
        }
        let public = way("https://crm.example.com/calls");
        assert!(matches!(public, Ok(Way::Public(..))));
        for wrong in ["http://crm.example.com/calls", "https://8.8.8.8/calls"] {
            assert!(way(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn answers_say_whether_to_try_again() {
        let mut headers = HeaderMap::new();
        let judged = |status: u16, headers: &HeaderMap| {
            super::judged(StatusCode::from_u16(status).expect("it is one"), headers)
        };
        assert_eq!(judged(204, &headers), Outcome::Delivered);
        let refused = Outcome::Refused("it answered 410".to_owned());
        assert_eq!(judged(410, &headers), refused);
        let failed = |status: u16, wait| Outcome::Failed(format!("it answered {status}"), wait);
        for status in [302, 400, 404, 500] {
            assert_eq!(judged(status, &headers), failed(status, None));
        }
        headers.insert(RETRY_AFTER, "7".parse().expect("it is one"));
        let wait = Some(Duration::from_secs(7));
        assert_eq!(judged(503, &headers), failed(503, wait));
    }

    #[test]
    fn a_line_is_whole_also_behind_half_of_one() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("new").join("reports.jsonl");
        append(&path, b"{1}").expect("the folder is ours");
        append(&path, b"{2}").expect("the folder is ours");
        std::fs::write(&path, "{1}\n{2}\n{3").expect("the folder is ours");
        append(&path, b"{3}").expect("the folder is ours");
        let text = std::fs::read_to_string(&path).expect("it is there");
        assert_eq!(text, "{1}\n{2}\n{3\n{3}\n");
        let mode = std::fs::metadata(&path).expect("it is there").permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
    }
}
