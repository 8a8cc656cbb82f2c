//! Every secret and every PIN of a story is a canary: when the story is over, all that its gateway wrote down and all
//! that it answers is looked through for them, as they are and as others would write them.
//!
//! With `OFFHOOK_CANARIES` naming a folder, all that the stories log, at the finest level, is looked through as well,
//! and what was looked through is added up there in `tally.jsonl`, for `cargo xtask drill canaries`.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Once, PoisonError, RwLock};
use std::time::Duration;

use aho_corasick::AhoCorasick;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use gateway::cli::lists;
use gateway::gateway::Gateway;
use ports::Kind;
use tempfile::TempDir;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

/// The folder of a story, which is looked through when it is dropped.
pub(crate) struct Watched {
    folder: TempDir,
    /// Where its gateway answers, and to what token.
    door: Option<(String, String)>,
}

impl Watched {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        listen();
        Self {
            folder: TempDir::new().expect("there is a temporary folder"),
            door: None,
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// From now on this gateway is asked, and what it logs is listened to.
    pub(crate) fn asks(&mut self, gateway: &Gateway) {
        let token = gateway.token.reveal().to_owned();
        self.door = Some((gateway.address.to_string(), token));
        remember(self.canaries().0.secrets);
    }

    /// All that is secret here, and the files where it may be.
    fn canaries(&self) -> (Canaries, Vec<PathBuf>) {
        let text = fs::read_to_string(self.path().join(CONFIG)).unwrap_or_default();
        let (secrets, kept) = secrets(&text, self.path());
        let token = self.door.iter().map(|(_, token)| token.clone());
        (Canaries::new(secrets.into_iter().chain(token)), kept)
    }

    fn look_through(&self) -> Found {
        let (canaries, kept) = self.canaries();
        let mut found = Found::default();
        for file in files(self.path()) {
            // Where the owner wrote them, they are.
            if kept.contains(&file) {
                continue;
            }
            let bytes = fs::read(&file).unwrap_or_default();
            found.files += 1;
            found.bytes += bytes.len() as u64;
            if canaries.sing_in(&bytes) {
                found.hits.push(file.display().to_string());
            }
        }
        for path in ANSWERS {
            let Some(answer) = self.door.as_ref().and_then(|door| ask(door, path)) else {
                continue;
            };
            found.answers += 1;
            if canaries.sing_in(&answer) {
                found.hits.push((*path).to_owned());
            }
        }
        found
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        // A story that broke off has something else to say.
        if std::thread::panicking() {
            return;
        }
        let mut found = self.look_through();
        if let Some(folder) = tallied() {
            found.lines = LINES.swap(0, Ordering::Relaxed);
            let sung = std::mem::take(&mut *SUNG.write().unwrap_or_else(PoisonError::into_inner));
            found.hits.extend(sung);
            found.tell(&folder);
        }
        assert!(found.hits.is_empty(), "a secret is in {:?}", found.hits);
    }
}

#[derive(Default)]
struct Found {
    files: u64,
    bytes: u64,
    answers: u64,
    lines: u64,
    /// Where a canary was: the names of files, addresses, and what logged it.
    hits: Vec<String>,
}

impl Found {
    fn tell(&self, folder: &Path) {
        let line = serde_json::json!({
            "files": self.files, "bytes": self.bytes, "answers": self.answers,
            "lines": self.lines, "hits": self.hits,
        });
        let tally = OpenOptions::new()
            .create(true)
            .append(true)
            .open(folder.join("tally.jsonl"));
        let told = tally.and_then(|mut it| it.write_all(format!("{line}\n").as_bytes()));
        told.expect("the tally can be written");
    }
}

/// Secrets, in every way that somebody may write them.
struct Canaries {
    secrets: Vec<String>,
    as_written: AhoCorasick,
    /// The secrets without what is between their letters and digits.
    bare: AhoCorasick,
}

impl Canaries {
    fn new(secrets: impl IntoIterator<Item = String>) -> Self {
        let secrets: Vec<_> = secrets.into_iter().collect();
        let ways: BTreeSet<Vec<u8>> = secrets.iter().flat_map(|it| ways(it)).collect();
        let bare = secrets.iter().map(|it| letters(it.as_bytes()));
        Self {
            as_written: AhoCorasick::new(&ways).expect("they are few"),
            bare: AhoCorasick::new(bare).expect("they are few"),
            secrets,
        }
    }

    fn sing_in(&self, bytes: &[u8]) -> bool {
        self.as_written.is_match(bytes) || self.bare.is_match(&letters(bytes))
    }
}

/// As it is, in hexadecimal, in base64 wherever it begins in what was encoded, escaped for an address, and backwards.
fn ways(secret: &str) -> Vec<Vec<u8>> {
    let hex: String = secret.bytes().map(|it| format!("{it:02x}")).collect();
    let escaped: String = secret.bytes().map(|it| format!("%{it:02X}")).collect();
    let form = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let backwards = secret.chars().rev().collect();
    let mut ways = vec![
        secret.to_owned(),
        hex.to_uppercase(),
        hex,
        escaped,
        form,
        backwards,
    ];
    for before in 0..3 {
        let shifted = [&vec![b' '; before], secret.as_bytes()].concat();
        let encoded = STANDARD_NO_PAD.encode(&shifted);
        // What is at the edges shares its letters with its neighbours.
        let inner = encoded[(before * 8).div_ceil(6)..shifted.len() * 8 / 6].to_owned();
        ways.push(inner.replace('+', "-").replace('/', "_"));
        ways.push(inner);
    }
    ways.into_iter().map(String::into_bytes).collect()
}

/// A secret that is taken apart by spaces, quotes or escapes is the same secret.
fn letters(bytes: &[u8]) -> Vec<u8> {
    bytes
        .iter()
        .copied()
        .filter(u8::is_ascii_alphanumeric)
        .collect()
}

/// The secrets of a configuration, and the files where their owner keeps them.
fn secrets(text: &str, folder: &Path) -> (Vec<String>, Vec<PathBuf>) {
    let names = secret_keys();
    let (mut secrets, mut kept) = (Vec::new(), vec![folder.join(CONFIG)]);
    for line in text.lines() {
        let Some((key, value)) = line.split_once('=') else {
            continue;
        };
        let value = value.trim().trim_matches('"');
        if !names.contains(key.trim()) || value.starts_with("env:") {
            continue;
        }
        let Some(file) = value.strip_prefix("file:") else {
            secrets.push(value.to_owned());
            continue;
        };
        let file = folder.join(file);
        let text = fs::read_to_string(&file).unwrap_or_default();
        secrets.push(text.trim().to_owned());
        kept.push(file);
    }
    // Shorter ones are found anywhere.
    secrets.retain(|it| it.len() >= 8);
    (secrets, kept)
}

fn secret_keys() -> BTreeSet<&'static str> {
    let lists = lists();
    let carriers = lists.carriers.iter().flat_map(|it| it.keys);
    let keys = carriers
        .chain(lists.agents.iter().flat_map(|it| it.keys))
        .chain(lists.vendors.iter().flat_map(|it| it.keys));
    let secret = keys.filter(|it| it.kind == Kind::Secret);
    // Those of the house.
    secret.map(|it| it.name).chain(["pin", "key"]).collect()
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.filter_map(|it| it.ok()).map(|it| it.path());
    paths
        .flat_map(|it| if it.is_dir() { files(&it) } else { vec![it] })
        .collect()
}

/// What the gateway answers, if it is still there.
fn ask((address, token): &(String, String), path: &str) -> Option<Vec<u8>> {
    let address = address.parse().ok()?;
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    let asked = format!(
        "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\nconnection: close\r\n\r\n"
    );
    stream.write_all(asked.as_bytes()).ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok()?;
    answer.starts_with(b"HTTP/1.1 200").then_some(answer)
}

fn tallied() -> Option<PathBuf> {
    std::env::var_os("OFFHOOK_CANARIES").map(PathBuf::from)
}

/// Has all that is logged looked through, if anybody counts.
fn listen() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        if tallied().is_none() {
            return;
        }
        // The other end of the wire has the same secrets, and may say so; no gateway lets the library of websockets speak.
        let filter = EnvFilter::new("trace,exchange=off,tungstenite=off");
        let layer = tracing_subscriber::fmt::layer().json().with_writer(|| Ear);
        tracing_subscriber::registry()
            .with(filter)
            .with(layer)
            .init();
    });
}

/// From now on these are listened for in what is logged.
fn remember(secrets: Vec<String>) {
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    let mut all = known
        .as_ref()
        .map(|it| it.secrets.clone())
        .unwrap_or_default();
    let before = all.len();
    all.extend(secrets);
    all.sort();
    all.dedup();
    if all.len() > before {
        *known = Some(Canaries::new(all));
    }
}

/// Listens to a line that is logged.
struct Ear;

impl io::Write for Ear {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LINES.fetch_add(1, Ordering::Relaxed);
        let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
        if known.as_ref().is_some_and(|it| it.sing_in(line)) {
            let sung = &mut *SUNG.write().unwrap_or_else(PoisonError::into_inner);
            sung.push(String::from_utf8_lossy(line).into_owned());
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

static KNOWN: RwLock<Option<Canaries>> = RwLock::new(None);
static SUNG: RwLock<Vec<String>> = RwLock::new(Vec::new());
static LINES: AtomicU64 = AtomicU64::new(0);

const CONFIG: &str = "offhook.toml";
const PATIENCE: Duration = Duration::from_secs(2);

/// What an owner may ask that says something about calls or the house.
const ANSWERS: &[&str] = &[
    "/metrics",
    "/readyz",
    "/v1/calls",
    "/v1/config",
    "/v1/meetings",
    "/v1/approvals",
    "/v1/callbacks",
    "/v1/pairing",
    "/v1/reports",
    "/v1/reports/dead",
];

#[test]
fn a_canary_is_heard_however_it_is_written() {
    let secret = "k3y/with+odd=signs";
    let canaries = Canaries::new([secret.to_owned()]);
    let encoded = |text: String| STANDARD_NO_PAD.encode(text);
    let written = [
        format!("token={secret}&x"),
        encoded(format!("a{secret}bc")),
        encoded(format!("ab{secret}c")),
        encoded(format!("abc{secret}d")),
        "6b33792f776974682b6f64643d7369676e73".into(),
        "x=k3y%2Fwith%2Bodd%3Dsigns".into(),
        "\"k3y\", \"with\", \"odd\", \"signs\"".into(),
        secret.chars().rev().collect(),
    ];
    for text in &written {
        assert!(canaries.sing_in(text.as_bytes()), "{text}");
    }
    for text in ["k3y/with+odd=sign", "", "signs of odd k3ys"] {
        assert!(!canaries.sing_in(text.as_bytes()), "{text}");
    }
}

#[test]
fn a_secret_that_a_gateway_wrote_down_is_found() {
    let watched = Watched::new();
    let text = "[carriers.twilio]\nauth_token = \"a secret of a carrier\"\n";
    fs::write(watched.path().join(CONFIG), text).expect("it is ours");
    assert!(watched.look_through().hits.is_empty(), "its owner wrote it");
    let leak = watched.path().join("state.db");
    fs::write(&leak, "…a secret of a carrier…").expect("it is ours");
    assert_eq!(watched.look_through().hits, [leak.display().to_string()]);
    fs::remove_file(leak).expect("it is ours");
}
