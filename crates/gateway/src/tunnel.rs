//! A public address for a machine that has none: a tunnel of somebody else's, run beside the gateway
//! for as long as it lives.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use ports::{Blame, Fault, code};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use url::Url;

/// A program that opens a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tunnel {
    /// A quick tunnel of Cloudflare's: needs no account, and has another address each time.
    Cloudflared,
    /// Needs an account.
    Ngrok,
    /// A funnel: needs an account, and always has the same address.
    Tailscale,
}

/// A tunnel that is kept open until this is dropped.
#[derive(Debug)]
pub struct Exposed {
    state: watch::Receiver<State>,
    keeping: JoinHandle<()>,
}

/// How a tunnel is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Not open. What its program said last.
    Shut(String),
    /// This address leads here, as far as its program says.
    Open(String),
}

impl Tunnel {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Cloudflared, Self::Ngrok, Self::Tailscale];

    /// As written in the configuration, and as its program is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cloudflared => "cloudflared",
            Self::Ngrok => "ngrok",
            Self::Tailscale => "tailscale",
        }
    }

    /// The tunnel of that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.name() == name)
    }

    /// Where its program is, if it is installed.
    pub fn program(self) -> Option<PathBuf> {
        self.program_in(&std::env::var_os("PATH")?)
    }

    fn program_in(self, path: &OsString) -> Option<PathBuf> {
        let mut all = std::env::split_paths(path).map(|it| it.join(self.name()));
        all.find(|it| is_program(it))
    }

    /// What to do where its program is not installed.
    pub fn to_install(self) -> &'static str {
        match self {
            Self::Cloudflared => {
                "install it from https://github.com/cloudflare/cloudflared/releases and put it into the \
                 PATH; it needs no account"
            }
            Self::Ngrok => {
                "install it from https://ngrok.com/download, and run `ngrok config add-authtoken TOKEN` \
                 with the token from https://dashboard.ngrok.com"
            }
            Self::Tailscale => {
                "install it from https://tailscale.com/download, run `tailscale up`, and switch on \
                 HTTPS and Funnel for the tailnet at https://login.tailscale.com/admin"
            }
        }
    }

    fn arguments(self, port: u16) -> Vec<String> {
        let here = format!("http://127.0.0.1:{port}");
        let arguments: &[&str] = match self {
            // A configuration that is there is for other tunnels, and keeps quick ones from working.
            Self::Cloudflared => &[
                "tunnel",
                "--no-autoupdate",
                "--config",
                "/dev/null",
                "--url",
                &here,
            ],
            Self::Ngrok => &["http", &here, "--log=stdout", "--log-format=json"],
            Self::Tailscale => &["funnel", "--bg=false", &here],
        };
        arguments.iter().map(|&it| it.to_owned()).collect()
    }

    /// The address that a line of the program's output announces.
    ///
    /// Sources: cloudflared puts it into a box on its log ([quick tunnels]), ngrok's JSON log has a
    /// record `started tunnel` with a `url` ([agent]), tailscale prints it by itself on a line below
    /// `Available on the internet:` ([funnel]).
    ///
    /// [quick tunnels]: https://developers.cloudflare.com/cloudflare-one/connections/connect-networks/do-more-with-tunnels/trycloudflare/
    /// [agent]: https://ngrok.com/docs/agent/
    /// [funnel]: https://tailscale.com/kb/1311/tailscale-funnel
    pub fn announced(self, line: &str) -> Option<String> {
        match self {
            Self::Cloudflared => address(line, ".trycloudflare.com")
                // That one is asked for tunnels, and named in faults.
                .filter(|it| it != "https://api.trycloudflare.com"),
            Self::Ngrok => {
                let record: Value = serde_json::from_str(line).ok()?;
                let url = (record["msg"] == "started tunnel").then(|| record["url"].as_str());
                address(url??, "")
            }
            Self::Tailscale => address(line, ".ts.net"),
        }
    }
}

/// The first `https` address on a line whose host ends so, without a path.
fn address(line: &str, end: &str) -> Option<String> {
    let mut words = line.split([' ', '|', '\t', '"']);
    words.find_map(|word| {
        let url = Url::parse(word.strip_prefix("https://").map(|_| word)?).ok()?;
        let host = url.host_str().filter(|it| it.ends_with(end))?;
        Some(match url.port() {
            Some(port) => format!("https://{host}:{port}"),
            None => format!("https://{host}"),
        })
    })
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    let found = path.metadata();
    found.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
}

impl Exposed {
    /// Begins to keep a tunnel open that leads to `listen`.
    ///
    /// # Errors
    /// Its program is not installed.
    pub fn begin(tunnel: Tunnel, listen: SocketAddr) -> Result<Self, Fault> {
        let program = tunnel.program().ok_or_else(|| {
            let message = format!("`{}` is not installed", tunnel.name());
            Fault::new(Blame::Config, code::EXPOSE_MISSING, message).hint(tunnel.to_install())
        })?;
        let (tx, state) = watch::channel(State::Shut(String::new()));
        let keeping = tokio::spawn(keep(tunnel, program, listen, tx));
        Ok(Self { state, keeping })
    }

    /// The address, once there is one.
    ///
    /// # Errors
    /// There is none in time.
    pub async fn address(&mut self, tunnel: Tunnel) -> Result<String, Fault> {
        let opened = tokio::time::timeout(PATIENCE, async {
            self.state
                .wait_for(|it| matches!(it, State::Open(_)))
                .await
                .map(|it| it.clone())
        });
        if let Ok(Ok(State::Open(address))) = opened.await {
            return Ok(address);
        }
        let name = tunnel.name();
        let message = match &*self.state.borrow() {
            State::Shut(said) if !said.is_empty() => {
                format!("`{name}` opens no tunnel; it said last: {said}")
            }
            State::Shut(_) | State::Open(_) => {
                format!("`{name}` opens no tunnel, and says nothing")
            }
        };
        let hint = format!(
            "run it by hand to see why: {name} {}",
            tunnel.arguments(8787).join(" ")
        );
        Err(Fault::new(Blame::Config, code::EXPOSE_SHUT, message).hint(hint))
    }

    /// The next address that is another than `known`.
    pub async fn another(&mut self, known: &str) -> String {
        let open = self
            .state
            .wait_for(|it| matches!(it, State::Open(at) if at != known))
            .await;
        match open.map(|it| it.clone()) {
            Ok(State::Open(address)) => address,
            // It is kept until this is dropped.
            Ok(State::Shut(_)) | Err(_) => std::future::pending().await,
        }
    }
}

impl Drop for Exposed {
    fn drop(&mut self) {
        self.keeping.abort();
    }
}

/// Runs the program again and again, with longer pauses the more often it fails.
async fn keep(tunnel: Tunnel, program: PathBuf, listen: SocketAddr, state: watch::Sender<State>) {
    let mut pause = FIRST_PAUSE;
    loop {
        let said = match run(tunnel, &program, listen, &state, &mut pause).await {
            Ok(said) => said,
            Err(error) => error.to_string(),
        };
        tracing::warn!(
            tunnel = tunnel.name(),
            said,
            "the tunnel is shut, and is opened again"
        );
        state.send_replace(State::Shut(said));
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Runs the program until it ends, or has opened nothing in time. What it said last.
async fn run(
    tunnel: Tunnel,
    program: &Path,
    listen: SocketAddr,
    state: &watch::Sender<State>,
    pause: &mut Duration,
) -> std::io::Result<String> {
    let mut child = start(tunnel, program, listen)?;
    // Dropped with this, it takes the program with it.
    let _leash = child.stdin.take();
    let (tx, mut lines) = mpsc::channel(LINES);
    if let Some(out) = child.stdout.take() {
        tokio::spawn(read(out, tx.clone()));
    }
    if let Some(out) = child.stderr.take() {
        tokio::spawn(read(out, tx));
    }
    let mut last: VecDeque<String> = VecDeque::new();
    let mut until = Some(Instant::now() + PATIENCE);
    loop {
        let late = async {
            match until {
                Some(until) => tokio::time::sleep_until(until).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            line = lines.recv() => {
                // Without output it has ended, or is about to.
                let Some(line) = line else { break };
                if let Some(address) = tunnel.announced(&line) {
                    (*pause, until) = (FIRST_PAUSE, None);
                    state.send_replace(State::Open(address));
                }
                if last.len() == TOLD {
                    last.pop_front();
                }
                last.push_back(line);
            }
            () = late => break,
        }
    }
    Ok(Vec::from(last).join("; "))
}

/// The program runs under a shell that ends it once the other end of its own input is gone: also
/// if we are killed without a chance to do so.
fn start(tunnel: Tunnel, program: &Path, listen: SocketAddr) -> std::io::Result<Child> {
    let mut listen = listen;
    if listen.ip().is_unspecified() {
        listen.set_ip(Ipv4Addr::LOCALHOST.into());
    }
    Command::new("/bin/sh")
        .args(["-c", LEASH, "sh"])
        .arg(program)
        .args(tunnel.arguments(listen.port()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

/// Lines of bounded length; what is longer is cut into several.
async fn read(mut from: impl AsyncRead + Unpin, to: mpsc::Sender<String>) {
    let mut rest: Vec<u8> = Vec::new();
    let mut buffer = [0; 1_024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        rest.extend_from_slice(&buffer[..length]);
        while let Some(end) = rest.iter().position(|it| *it == b'\n') {
            let line: Vec<u8> = rest.drain(..=end).collect();
            say(&line, &to).await;
        }
        if rest.len() > LONGEST_LINE {
            let line = std::mem::take(&mut rest);
            say(&line, &to).await;
        }
    }
    say(&rest, &to).await;
}

async fn say(line: &[u8], to: &mpsc::Sender<String>) {
    let line = String::from_utf8_lossy(line);
    let line: String = line.chars().filter(|it| !it.is_control()).collect();
    if !line.trim().is_empty() {
        // Nobody who does not listen any more needs to hear it.
        let _ = to.send(line.trim().to_owned()).await;
    }
}

/// `$@` is the program. In the background a shell gives it no input, so ours is kept as another.
const LEASH: &str = r#"exec 3<&0
"$@" 3<&- </dev/null &
program=$!
(cat <&3 >/dev/null 2>&1; kill "$program" 2>/dev/null) >/dev/null 2>&1 &
watch=$!
wait "$program"
kill "$watch" 2>/dev/null
"#;

/// How long a program may take to open its tunnel.
const PATIENCE: Duration = Duration::from_secs(30);
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// How many of its lines may wait to be read.
const LINES: usize = 64;
const LONGEST_LINE: usize = 8_192;
/// How many of its last lines are told.
const TOLD: usize = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_program_announces_its_address_in_its_own_way() {
        let cloudflared = [
            (
                "2026-10-30T10:15:16Z INF Requesting new quick Tunnel on trycloudflare.com...",
                None,
            ),
            (
                "ERR Error requesting: Post \"https://api.trycloudflare.com/tunnel\": dial tcp",
                None,
            ),
            (
                "INF |  Your quick Tunnel has been created! Visit it at (it may take some time):  |",
                None,
            ),
            (
                "2026-10-30T10:15:18Z INF |  https://purple-rain-4d7f.trycloudflare.com                 |",
                Some("https://purple-rain-4d7f.trycloudflare.com"),
            ),
            (
                "see https://developers.cloudflare.com/cloudflare-one/",
                None,
            ),
        ];
        let ngrok = [
            (
                "{\"lvl\":\"info\",\"msg\":\"no configuration paths supplied\"}",
                None,
            ),
            (
                "{\"addr\":\"http://localhost:8787\",\"lvl\":\"info\",\"msg\":\"started tunnel\",\
                 \"name\":\"command_line\",\"obj\":\"tunnels\",\"url\":\"https://ab12.ngrok-free.app\"}",
                Some("https://ab12.ngrok-free.app"),
            ),
            (
                "{\"msg\":\"started tunnel\",\"url\":\"tcp://0.tcp.ngrok.io:1\"}",
                None,
            ),
            (
                "{\"msg\":\"failed\",\"url\":\"https://ngrok.com/docs\"}",
                None,
            ),
            ("not json", None),
        ];
        let tailscale = [
            ("Available on the internet:", None),
            (
                "https://home.tail9f3a.ts.net/",
                Some("https://home.tail9f3a.ts.net"),
            ),
            (
                "https://home.tail9f3a.ts.net:8443/",
                Some("https://home.tail9f3a.ts.net:8443"),
            ),
            ("|-- proxy http://127.0.0.1:8787", None),
            (
                "To enable, visit: https://login.tailscale.com/f/funnel?node=n1",
                None,
            ),
        ];
        let all = [
            (Tunnel::Cloudflared, cloudflared),
            (Tunnel::Ngrok, ngrok),
            (Tunnel::Tailscale, tailscale),
        ];
        for (tunnel, lines) in all {
            for (line, expected) in lines {
                assert_eq!(tunnel.announced(line).as_deref(), expected, "{line}");
            }
        }
    }

    #[test]
    fn only_a_program_is_one() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().as_os_str().to_owned();
        assert_eq!(Tunnel::Ngrok.program_in(&path), None);
        std::fs::write(folder.path().join("ngrok"), "a text").expect("the folder is ours");
        assert_eq!(Tunnel::Ngrok.program_in(&path), None);
    }
}
