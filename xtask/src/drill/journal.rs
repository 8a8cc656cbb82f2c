//! A gateway with calls on it is killed at a random instant, again and again on the same data.
//! Whoever read its events has seen only what it called durable; all of that must be there after.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::bench::echo::{TOKEN, configuration, free_port};
use crate::bench::process::{On, Server};
use crate::bench::table::{Goal, Row, quantile};
use crate::bench::{BUILD, cargo, release};

use super::Length;

/// Kills often, and counts what was lost.
pub(super) fn measure(root: &Path, length: Length) -> Result<Vec<Row>, String> {
    cargo(root, BUILD)?;
    let kills = match length {
        Length::Whole => 200,
        Length::Short => 10,
    };
    let drill = Drill::prepare(&release(root))?;
    let mut tally = Tally::default();
    for kill in 0..kills {
        if kill % 20 == 0 {
            eprintln!("journal: kill {} of {kills}", kill + 1);
        }
        drill.round(kill, &mut tally)?;
    }
    drill.look_again(&mut tally)?;
    Ok(tally.rows(kills))
}

struct Drill {
    release: PathBuf,
    state: PathBuf,
    config: String,
    port: u16,
}

#[derive(Default)]
struct Tally {
    /// What was acknowledged and not looked for since.
    fresh: BTreeMap<u64, String>,
    acknowledged: u64,
    /// The latest of them all.
    last: u64,
    lost: u64,
    changed: u64,
    flawed: u64,
    /// From the start of a process to its listening, in milliseconds.
    starts: Vec<f64>,
    /// From the start of a process to its first answer, in milliseconds.
    answers: Vec<f64>,
}

impl Drill {
    fn prepare(release: &Path) -> Result<Self, String> {
        let state = release.join("bench/drill");
        let _ = fs::remove_dir_all(&state);
        let (port, api_port) = (free_port()?, free_port()?);
        let config = state.join("drill.toml");
        let written = fs::create_dir_all(&state)
            .and_then(|()| fs::write(&config, configuration(port, api_port, 1_000)));
        written.map_err(|fault| format!("cannot write {}: {fault}", config.display()))?;
        Ok(Self {
            release: release.to_owned(),
            state,
            config: config.display().to_string(),
            port,
        })
    }

    fn round(&self, kill: u32, tally: &mut Tally) -> Result<(), String> {
        let server = self.serve(tally)?;
        self.compare(tally)?;
        let reading = self.read_along(tally.last)?;
        let mut callers = Command::new(self.release.join("exchange"));
        let gateway = format!("http://127.0.0.1:{}", self.port);
        callers.args(["load", "--json", "--gateway", &gateway, "--token", TOKEN]);
        callers.args(["--listen", "127.0.0.1:0"]);
        callers.args(["--calls", "20", "--seconds", "1", "--ramp", "1"]);
        callers
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut callers = callers
            .spawn()
            .map_err(|fault| format!("cannot call: {fault}"))?;
        thread::park_timeout(instant(kill));
        drop(server);
        let _ = callers.kill();
        let _ = callers.wait();
        let seen = reading.join().map_err(|_| "the reader broke")?;
        tally.acknowledged += seen.len() as u64;
        tally.last = seen.last_key_value().map_or(tally.last, |(id, _)| *id);
        tally.fresh = seen;
        tally.flawed += u64::from(!self.is_whole());
        Ok(())
    }

    fn serve(&self, tally: &mut Tally) -> Result<Server, String> {
        let began = Instant::now();
        let arguments = ["serve", "--config", &self.config];
        let program = self.release.join("offhook");
        let mut server = Server::start(On::Core(0), &program, &arguments, &self.state)?;
        server.wait_for(self.port)?;
        tally.starts.push(began.elapsed().as_secs_f64() * 1e3);
        // It listens before it knows its calls; whoever asks meanwhile waits.
        self.request("/healthz", "")?;
        tally.answers.push(began.elapsed().as_secs_f64() * 1e3);
        Ok(server)
    }

    /// One more start, to look for what the last round acknowledged.
    fn look_again(&self, tally: &mut Tally) -> Result<(), String> {
        let _server = self.serve(tally)?;
        self.compare(tally)
    }

    /// Looks for everything the last gateway acknowledged in what this one shows.
    fn compare(&self, tally: &mut Tally) -> Result<(), String> {
        let Some((first, _)) = tally.fresh.first_key_value() else {
            return Ok(());
        };
        let kept = events(self.ask("/v1/events?past=true", first - 1)?);
        for (id, event) in std::mem::take(&mut tally.fresh) {
            match kept.get(&id) {
                None => tally.lost += 1,
                Some(it) if *it != event => tally.changed += 1,
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Reads events until there is nobody any more to send them.
    fn read_along(&self, after: u64) -> Result<JoinHandle<BTreeMap<u64, String>>, String> {
        let now = self.ask("/v1/events", after)?;
        Ok(thread::spawn(move || events(now)))
    }

    fn ask(&self, path: &str, after: u64) -> Result<BufReader<TcpStream>, String> {
        let end = Instant::now() + PATIENCE;
        loop {
            // A new gateway announces its token a moment after it listens.
            let asked = self.try_ask(path, after);
            if asked.is_ok() || Instant::now() > end {
                return asked;
            }
            thread::park_timeout(Duration::from_millis(10));
        }
    }

    fn try_ask(&self, path: &str, after: u64) -> Result<BufReader<TcpStream>, String> {
        let wrong = |what: String| format!("the gateway's note cannot be read: {what}");
        let note = fs::read(self.state.join("offhook/gateway.json"));
        let note = note.map_err(|fault| wrong(fault.to_string()))?;
        let note: Value =
            serde_json::from_slice(&note).map_err(|fault| wrong(fault.to_string()))?;
        let token = note["token"].as_str().unwrap_or_default();
        let headers = format!("Authorization: Bearer {token}\r\nLast-Event-ID: {after}\r\n");
        self.request(path, &headers)
    }

    fn request(&self, path: &str, headers: &str) -> Result<BufReader<TcpStream>, String> {
        let wrong = |what: String| format!("the gateway cannot be asked: {what}");
        let socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let mut socket = socket.map_err(|fault| wrong(fault.to_string()))?;
        let request =
            format!("GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Connection: close\r\n\r\n");
        let sent = socket.write_all(request.as_bytes());
        sent.map_err(|fault| wrong(fault.to_string()))?;
        let mut answer = BufReader::new(socket);
        let mut status = String::new();
        let read = answer.read_line(&mut status);
        read.map_err(|fault| wrong(fault.to_string()))?;
        if status.contains(" 200 ") {
            Ok(answer)
        } else {
            Err(wrong(format!("it answered {status:?}")))
        }
    }

    fn is_whole(&self) -> bool {
        let mut verify = Command::new(self.release.join("offhook"));
        verify
            .args(["journal", "verify"])
            .env("XDG_STATE_HOME", &self.state);
        verify.stdout(Stdio::null()).stderr(Stdio::null());
        verify.status().is_ok_and(|it| it.success())
    }
}

impl Tally {
    fn rows(&self, kills: u32) -> Vec<Row> {
        let starts = || self.starts.iter().copied();
        let answers = || self.answers.iter().copied();
        let none = |what, count: u64| Row::new(what, count as f64, Goal::AtMost(0.0));
        vec![
            Row::new("kills", f64::from(kills), Goal::None),
            Row::new(
                "events acknowledged",
                self.acknowledged as f64,
                Goal::AtLeast(1.0),
            ),
            none("of those lost", self.lost),
            none("of those changed", self.changed),
            none("journals with a flaw", self.flawed),
            Row::new(
                "start to listening p50, ms",
                quantile(0.5, starts()),
                Goal::None,
            ),
            Row::new(
                "start to listening, most",
                quantile(1.0, starts()),
                Goal::None,
            ),
            Row::new(
                "start to answering p50, ms",
                quantile(0.5, answers()),
                Goal::None,
            ),
            Row::new(
                "start to answering, most",
                quantile(1.0, answers()),
                Goal::None,
            ),
        ]
    }
}

/// The events of a stream, whole ones only.
fn events(stream: BufReader<TcpStream>) -> BTreeMap<u64, String> {
    let (mut found, mut id, mut data) = (BTreeMap::new(), None, None);
    for line in stream.lines().map_while(Result::ok) {
        if let Some(it) = line.strip_prefix("id: ") {
            id = it.trim().parse().ok();
        } else if let Some(it) = line.strip_prefix("data: ") {
            data = Some(it.to_owned());
        } else if line.is_empty()
            && let (Some(id), Some(data)) = (id.take(), data.take())
        {
            found.insert(id, data);
        }
    }
    found
}

/// When a gateway dies: anything from its first moments to its calls' last.
fn instant(kill: u32) -> Duration {
    let mixed = (u64::from(kill) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    Duration::from_millis(30 + mixed % 2_000)
}

const PATIENCE: Duration = Duration::from_secs(5);
