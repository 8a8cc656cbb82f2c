//! Who and what is needed for a call: programs, ports, a folder, Pipecat.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::Wire;
use super::sound;
use crate::bench::cargo;
use crate::bench::process::{On, Server};

/// What all calls share.
pub(super) struct Stage {
    python: PathBuf,
    programs: PathBuf,
    /// Our side of Pipecat.
    peer: PathBuf,
}

/// One wire's own.
pub(super) struct Place<'s> {
    stage: &'s Stage,
    pub(super) wire: Wire,
    pub(super) folder: PathBuf,
    /// Where the carrier's API will be.
    pub(super) api: String,
    /// What the gateway's configuration says of the carrier.
    pub(super) configuration: String,
}

/// The port of the exchange, kept for it until it calls.
pub(super) struct Kept(TcpListener);

/// A call as the exchange tells it.
pub(super) struct Told {
    pub(super) happenings: Vec<Value>,
    /// What was said at the phone, and what was heard there.
    pub(super) said: Vec<i16>,
    pub(super) heard: Vec<i16>,
}

impl Stage {
    pub(super) fn prepare(root: &Path, python: &Path) -> Result<Self, String> {
        let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
        let programs = root.join(target).join("debug");
        let folder = programs.join("pipecat");
        let _ = fs::remove_dir_all(&folder);
        let peer = folder.join("peer.py");
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&peer, PEER));
        written.map_err(|fault| format!("cannot write {}: {fault}", peer.display()))?;
        let stage = Self {
            python: python.to_owned(),
            programs,
            peer,
        };
        stage.find_pipecat()?;
        Ok(stage)
    }

    pub(super) fn build(root: &Path) -> Result<(), String> {
        cargo(root, PROGRAMS)?;
        cargo(root, DIALECT)
    }

    fn find_pipecat(&self) -> Result<(), String> {
        let python = self.python.display();
        let mut ask = Command::new(&self.python);
        ask.arg("-c").arg(ASK).stdin(Stdio::null());
        let answer = ask.output();
        let answer = answer.map_err(|fault| format!("cannot run {python}: {fault}; {HINT}"))?;
        let version = String::from_utf8_lossy(&answer.stdout);
        match version.trim() {
            "" => Err(format!("{python} has no Pipecat: {HINT}")),
            version if PIN.ends_with(&format!("=={version}")) => Ok(()),
            version => Err(format!("{python} has Pipecat {version}: {HINT}")),
        }
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    pub(super) fn place(&self, wire: Wire, what: &str) -> Result<(Place<'_>, Kept), String> {
        let folder = self
            .programs
            .join(format!("pipecat/{}-{}-{what}", wire.carrier, wire.law));
        fs::create_dir_all(&folder)
            .map_err(|fault| format!("cannot make {}: {fault}", folder.display()))?;
        let kept = Kept::new()?;
        let api = format!("http://{}", kept.address()?);
        let carrier = ["--json", "serve", "--carrier", wire.carrier];
        let carrier = [&carrier[..], &["--listen", "127.0.0.1:0"]].concat();
        // It says what it takes to use it, and is not needed for more.
        let (_, line) = Server::start_speaking(0, &self.program("exchange"), &carrier)?;
        let line: Value = serde_json::from_str(&line).unwrap_or_default();
        let told = line["configuration"].as_str().zip(line["url"].as_str());
        let (configuration, its_api) = told.ok_or("the exchange does not say how it is used")?;
        let place = Place {
            stage: self,
            wire,
            folder,
            configuration: configuration.replace(its_api, &api),
            api,
        };
        place.peer(&["sounds"])?;
        Ok((place, kept))
    }
}

impl Place<'_> {
    /// What the configuration gives the carrier, as pairs.
    pub(super) fn settings(&self) -> impl Iterator<Item = (&str, &str)> {
        let lines = self.configuration.lines();
        let pairs = lines.filter_map(|it| it.split_once(" = "));
        pairs.map(|(name, value)| (name, value.trim_matches('"')))
    }

    /// What the caller says.
    pub(super) fn words(&self) -> PathBuf {
        self.folder.join("caller.wav")
    }

    /// Has the other side of the wire do something, and waits until it is done.
    fn peer(&self, task: &[&str]) -> Result<(), String> {
        let mut command = Command::new(&self.stage.python);
        command.args(self.peer_arguments(task)).stdin(Stdio::null());
        let output = command.output();
        let output = output.map_err(|fault| format!("cannot run Python: {fault}"))?;
        if output.status.success() {
            return Ok(());
        }
        Err(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Starts the other side of the wire, and waits until it listens on `port`.
    pub(super) fn serve_peer(&self, port: u16, task: &[&str]) -> Result<Server, String> {
        let port_text = port.to_string();
        let task = [task, &["--port", &port_text]].concat();
        let arguments = self.peer_arguments(&task);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let python = &self.stage.python;
        let mut peer = Server::start(On::AnyCore, python, &arguments, &self.folder)?;
        peer.wait_for(port)?;
        Ok(peer)
    }

    fn peer_arguments(&self, task: &[&str]) -> Vec<String> {
        let peer = self.stage.peer.display().to_string();
        let folder = self.folder.display().to_string();
        let wire = self.wire;
        let who = [
            "--carrier",
            wire.carrier,
            "--law",
            wire.law,
            "--folder",
            &folder,
        ];
        let all = ["-W", "ignore", &peer]
            .into_iter()
            .chain(task.iter().copied());
        all.chain(who).map(str::to_owned).collect()
    }

    /// Calls whoever answers at `voice`, does what `script` says there, and tells what came of it.
    pub(super) fn call(&self, kept: Kept, voice: &str, script: &[&str]) -> Result<Told, String> {
        let listen = kept.address()?.to_string();
        // For a moment it is nobody's.
        drop(kept);
        let ears = self.folder.join("ears");
        let mut command = Command::new(self.stage.program("exchange"));
        command
            .args([
                "--json",
                "call",
                "--carrier",
                self.wire.carrier,
                "--listen",
                &listen,
            ])
            .args(["--voice-url", voice])
            .arg("--out")
            .arg(&ears)
            .args(script)
            .stdin(Stdio::null())
            .stderr(Stdio::inherit());
        let output = command.output();
        let output = output.map_err(|fault| format!("cannot start the exchange: {fault}"))?;
        let text = String::from_utf8_lossy(&output.stdout);
        let _ = fs::write(self.folder.join("exchange.jsonl"), &*text);
        let happenings: Vec<Value> = text
            .lines()
            .filter_map(|it| serde_json::from_str(it).ok())
            .collect();
        let ended = happenings.iter().find(|it| it["type"] == "ended");
        let call = ended.and_then(|it| it["call"].as_str());
        let call = call.ok_or_else(|| format!("no call came about: {text}"))?;
        let (said, heard) = sound::recording(&ears.join(format!("{call}.wav")))?;
        Ok(Told {
            happenings,
            said,
            heard,
        })
    }

    /// What the other side has to say, once it has seen the end of the call.
    pub(super) fn report(&self) -> Result<Value, String> {
        let path = self.folder.join("report.json");
        let end = Instant::now() + PATIENCE;
        loop {
            match fs::read(&path) {
                Ok(text) => {
                    return serde_json::from_slice(&text).map_err(|fault| fault.to_string());
                }
                Err(_) if Instant::now() < end => {
                    std::thread::park_timeout(Duration::from_millis(20));
                }
                Err(fault) => return Err(format!("cannot read {}: {fault}", path.display())),
            }
        }
    }

    /// The lines of a file in the folder.
    pub(super) fn lines(&self, name: &str) -> Result<Vec<Value>, String> {
        let path = self.folder.join(name);
        let text = fs::read_to_string(&path);
        let text = text.map_err(|fault| format!("cannot read {}: {fault}", path.display()))?;
        let lines = text.lines().map(serde_json::from_str);
        lines
            .collect::<Result<_, _>>()
            .map_err(|fault| format!("{}: {fault}", path.display()))
    }
}

impl Kept {
    fn new() -> Result<Self, String> {
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        bound.map(Self).map_err(no_port)
    }

    fn address(&self) -> Result<SocketAddr, String> {
        self.0.local_addr().map_err(no_port)
    }
}

fn no_port(fault: io::Error) -> String {
    format!("no free port: {fault}")
}

impl Told {
    /// The happenings of this kind.
    pub(super) fn of(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.happenings.iter().filter(move |it| it["type"] == kind)
    }

    /// The keys that were pressed, in order.
    pub(super) fn keys(&self) -> String {
        self.of("pressed")
            .filter_map(|it| it["key"].as_str())
            .collect()
    }

    /// What the carrier has to complain of, in its own words.
    pub(super) fn complaints(&self) -> Vec<String> {
        let all = self.of("warned").map(|it| it["text"].to_string());
        all.chain(self.refusals()).collect()
    }

    fn refusals(&self) -> impl Iterator<Item = String> {
        let refused = self
            .of("requested")
            .filter(|it| it["status"].as_u64() >= Some(300));
        refused.map(|it| format!("{} {}", it["path"], it["status"]))
    }
}

/// The release that the serializers are taken from.
pub(super) const PIN: &str = "pipecat-ai==1.14.0";
const HINT: &str = "`pip install pipecat-ai==1.14.0`, or name the Python that has it with --with";
const ASK: &str = "from importlib.metadata import version; print(version('pipecat-ai'))";
const PEER: &str = include_str!("peer.py");
const PATIENCE: Duration = Duration::from_secs(10);

const PROGRAMS: &[&str] = &[
    "build",
    "--locked",
    "--package",
    "gateway",
    "--package",
    "exchange",
    "--bins",
];
const DIALECT: &[&str] = &[
    "build",
    "--locked",
    "--package",
    "carriers",
    "--example",
    "dialect",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_names_the_pinned_release() {
        assert!(HINT.contains(PIN));
    }
}
