//! The phone as a tool: how soon a call that a host of the Model Context Protocol wants placed is asked of its carrier,
//! and how soon what was said is told to whoever listens.
//!
//! Real programs: a gateway that hears with its own models, and a phone company at whose phone somebody speaks.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::echo::{TOKEN, configuration, free_port};
use super::process::{On, Server};
use super::table::{Goal, Row, quantile};

/// How much to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Calls {
    /// Calls, one after the other.
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    calls: u32,
}

/// Places calls, listens, and takes the figures.
pub(crate) fn measure(release: &Path, calls: Calls) -> Result<Vec<Row>, String> {
    let mut scene = Scene::new(release)?;
    let (mut placed, mut told) = (Vec::new(), Vec::new());
    for call in 1..=calls.calls {
        eprintln!("phone: call {call} of {}", calls.calls);
        let (one, other) = scene.call()?;
        placed.push(millis(one));
        told.push(millis(other));
    }
    let of = |part, figures: &[f64]| quantile(part, figures.iter().copied());
    Ok(vec![
        Row::new("calls", f64::from(calls.calls), Goal::None),
        Row::new(
            "place_call to its carrier p50, ms",
            of(0.5, &placed),
            Goal::AtMost(15.0),
        ),
        Row::new(
            "place_call to its carrier p99, ms",
            of(0.99, &placed),
            Goal::None,
        ),
        Row::new(
            "words that are sure to listen p50, ms",
            of(0.5, &told),
            Goal::AtMost(30.0),
        ),
        Row::new(
            "words that are sure to listen p99, ms",
            of(0.99, &told),
            Goal::None,
        ),
    ])
}

/// A gateway, a phone company, and what both tell of themselves.
struct Scene {
    address: String,
    token: String,
    _gateway: Server,
    exchange: Child,
    /// When a call was asked of the phone company.
    dialled: Receiver<Instant>,
    /// When words became sure, by the clock.
    said: Receiver<Timestamp>,
}

impl Scene {
    fn new(release: &Path) -> Result<Self, String> {
        let scratch = release.join("bench/phone");
        let _ = fs::remove_dir_all(&scratch);
        let wrong = |fault: std::io::Error| format!("the scene cannot be set: {fault}");
        fs::create_dir_all(&scratch).map_err(wrong)?;
        let speech = speech(&scratch)?;
        let (port, api_port) = (free_port()?, free_port()?);
        let (exchange, dialled) = phones(release, api_port, port, &speech)?;
        let config = scratch.join("offhook.toml");
        let text = configuration(port, api_port, 100)
            .replace("[server]", "[server]\ncalls_per_minute = 100000")
            .replace("[policy]", POLICY);
        fs::write(&config, text).map_err(wrong)?;
        let config = config.display().to_string();
        let serve = ["serve", "--config", &config];
        let mut gateway = Server::start(On::AnyCore, &release.join("offhook"), &serve, &scratch)?;
        gateway.wait_for(port)?;
        let address = format!("127.0.0.1:{port}");
        let token = token(&scratch)?;
        let said = said(&address, &token).map_err(wrong)?;
        let scene = Self {
            address,
            token,
            _gateway: gateway,
            exchange,
            dialled,
            said,
        };
        // Its ears and mouth are loaded as soon as a host looks.
        scene.rpc("tools/list", &json!({}))?;
        Ok(scene)
    }

    /// One call: from the order to the carrier, and from words that are sure to whoever listens.
    fn call(&mut self) -> Result<(Duration, Duration), String> {
        while self.dialled.try_recv().is_ok() || self.said.try_recv().is_ok() {}
        let order =
            json!({ "to": "+15551234567", "objective": "to measure", "opening_line": "Hello." });
        let begin = Instant::now();
        let call = self.tool("place_call", &order)?;
        let dialled = self.dialled.recv_timeout(PATIENCE);
        let dialled = dialled.map_err(|_| format!("the carrier was not asked: {call}"))?;
        let begun = dialled.saturating_duration_since(begin);
        let listens = json!({ "call": call["id"], "wait_s": 25 });
        let heard = loop {
            let heard = self.tool("listen", &listens)?;
            let now = Timestamp::now();
            if heard["heard"] == "said" {
                break now;
            }
            if heard["heard"] == "over" {
                return Err(format!("nothing was said: {heard}"));
            }
        };
        let mut last = self.said.recv_timeout(PATIENCE);
        while let Ok(later) = self.said.try_recv() {
            last = Ok(later);
        }
        let sure = last.map_err(|_| "no words became sure".to_owned())?;
        self.tool("end_call", &json!({ "call": call["id"] }))?;
        let told = Duration::try_from(heard.duration_since(sure));
        Ok((begun, told.unwrap_or_default()))
    }

    fn tool(&self, name: &str, takes: &Value) -> Result<Value, String> {
        let used = self.rpc("tools/call", &json!({ "name": name, "arguments": takes }))?;
        if used["isError"] == true {
            return Err(format!("{name}: {}", used["content"][0]["text"]));
        }
        Ok(used["structuredContent"].clone())
    }

    fn rpc(&self, method: &str, params: &Value) -> Result<Value, String> {
        let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let body = message.to_string();
        let asked = || -> std::io::Result<String> {
            let mut socket = TcpStream::connect(&self.address)?;
            let head = format!(
                "POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\
                 Content-Type: application/json\r\nAccept: application/json, text/event-stream\r\n\
                 Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
                self.token,
                body.len()
            );
            socket.write_all(head.as_bytes())?;
            let mut answer = String::new();
            socket.read_to_string(&mut answer)?;
            Ok(answer)
        };
        let answer = asked().map_err(|fault| format!("{method} was not answered: {fault}"))?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let answered: Value = serde_json::from_str(body).map_err(|fault| {
            format!("{method} has an answer that makes no sense: {fault}: {answer}")
        })?;
        Ok(answered["result"].clone())
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _ = self.exchange.kill();
        let _ = self.exchange.wait();
    }
}

/// What is said at the phone, as a telephone has it.
fn speech(scratch: &Path) -> Result<PathBuf, String> {
    let path = scratch.join("said.wav");
    let mut command = Command::new("espeak-ng");
    command.arg("-w").arg(&path).arg("Hello, who is there?");
    let done = command.status();
    if !done.is_ok_and(|it| it.success()) {
        return Err("nothing can be said: it takes Debian's espeak-ng".to_owned());
    }
    Ok(path)
}

/// A phone company; when it is asked for a call.
fn phones(
    release: &Path,
    api_port: u16,
    port: u16,
    speech: &Path,
) -> Result<(Child, Receiver<Instant>), String> {
    let program = release.join("exchange");
    let mut command = Command::new(&program);
    command.args(["serve", "--json", "--token", TOKEN, "--listen"]);
    command.arg(format!("127.0.0.1:{api_port}"));
    command.arg("--number");
    command.arg(format!("+15550001111=http://127.0.0.1:{port}/twilio/voice"));
    command.arg("--phone");
    command.arg(format!("+15551234567={}", speech.display()));
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|fault| format!("cannot start {}: {fault}", program.display()))?;
    let out = child.stdout.take().expect("standard output was asked for");
    let (tell, told) = mpsc::channel();
    let mut lines = BufReader::new(out).lines().map_while(Result::ok);
    lines
        .next()
        .ok_or("the exchange does not say where it listens")?;
    thread::spawn(move || {
        for line in lines {
            let now = Instant::now();
            let is_dial = line.starts_with(r#"{"type":"requested","method":"POST""#)
                && line.contains(r#"/Calls.json""#);
            if is_dial && tell.send(now).is_err() {
                break;
            }
        }
    });
    Ok((child, told))
}

/// When words become sure, by the gateway's own clock.
fn said(address: &str, token: &str) -> std::io::Result<Receiver<Timestamp>> {
    let mut socket = TcpStream::connect(address)?;
    let request = format!(
        "GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes())?;
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        for line in BufReader::new(socket).lines().map_while(Result::ok) {
            let event = line.split_once('{').map(|(_, it)| format!("{{{it}"));
            let event: Option<Value> = event.and_then(|it| serde_json::from_str(&it).ok());
            let Some(event) = event.filter(|it| it["type"] == "caller.said") else {
                continue;
            };
            let time = event["time"].as_str().and_then(|it| it.parse().ok());
            if time.is_some_and(|it| tell.send(it).is_err()) {
                break;
            }
        }
    });
    Ok(told)
}

/// What opens a gateway that keeps its state in this folder: it is written once the gateway listens.
fn token(scratch: &Path) -> Result<String, String> {
    let path = scratch.join("offhook/gateway.json");
    let end = Instant::now() + PATIENCE;
    loop {
        let note = fs::read(&path).ok();
        let note = note.and_then(|it| serde_json::from_slice::<Value>(&it).ok());
        if let Some(token) = note.as_ref().and_then(|it| it["token"].as_str()) {
            return Ok(token.to_owned());
        }
        if Instant::now() > end {
            return Err(format!("the gateway leaves no note in {}", path.display()));
        }
        thread::park_timeout(Duration::from_millis(20));
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

const POLICY: &str = "[policy]\ncall = [\"+15551234567\"]\nowner = [\"+15551234567\"]\n\
    calls_per_hour = 100000\ncalls_per_number = 100000\nspend_per_day = 100000";
const PATIENCE: Duration = Duration::from_secs(20);
