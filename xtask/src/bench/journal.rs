//! The journal under load: whether calls feel it, how soon whoever watches sees an event, and how soon
//! a call that is asked for reaches its carrier.
//!
//! The same gateway on one core has its turn with the callers of the echo test alone, and with a journal
//! that is kept busy beside them. Last it is watched and asked for calls while it is that busy.

use std::fmt;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;

use super::echo::{Seen, TOKEN, configuration, free_port};
use super::process::pinned;
use super::table::{Goal, Row, quantile};

/// How much to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Load {
    /// Calls at once.
    #[arg(long, default_value_t = Load::default().calls)]
    calls: u32,
    /// Events a second that are written beside them.
    #[arg(long, default_value_t = Load::default().events)]
    events: u32,
    /// How long all calls are up.
    #[arg(long, default_value_t = Load::default().seconds, value_parser = clap::value_parser!(u32).range(5..))]
    seconds: u32,
    /// How often each kind of turn is taken.
    #[arg(long, default_value_t = Load::default().rounds, value_parser = clap::value_parser!(u32).range(1..))]
    rounds: u32,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            calls: 100,
            events: 2_500,
            seconds: 10,
            rounds: 3,
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            events,
            seconds,
            rounds,
        } = self;
        write!(
            f,
            "{calls} calls of {seconds} s, {rounds} times without and with {events} events/s beside them"
        )
    }
}

/// Measures.
pub(crate) fn measure(release: &Path, load: Load) -> Result<Vec<Row>, String> {
    let place = Place::new(release)?;
    let (mut quiet, mut busy) = (Vec::new(), Vec::new());
    for round in 1..=load.rounds {
        eprintln!("journal: round {round} of {}: calls alone", load.rounds);
        quiet.push(place.turn(load, 0, |_| Ok(()))?.0);
        eprintln!("journal: round {round} of {}: a busy journal", load.rounds);
        busy.push(place.turn(load, load.events, |_| Ok(()))?);
    }
    eprintln!("journal: watched, and asked for calls");
    let mut watched = Watched::default();
    let watch = |busy: &Busy| {
        thread::park_timeout(SETTLING);
        watched = place.watch(busy)?;
        Ok(())
    };
    place.turn(load, load.events, watch)?;
    Ok(rows(load, &quiet, &busy, &watched))
}

/// Where the programs are, and a folder to work in.
struct Place<'p> {
    release: &'p Path,
    scratch: PathBuf,
    config: PathBuf,
    carrier: TcpListener,
}

/// The gateway under measurement.
struct Busy {
    child: Child,
    stdin: Option<ChildStdin>,
    stdout: BufReader<ChildStdout>,
    address: String,
}

/// What became of the events that were written beside the calls.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Written {
    events: u64,
    seconds: f64,
    commits: u64,
    /// Whether none was lost.
    kept: bool,
}

/// In milliseconds.
#[derive(Debug, Default)]
struct Watched {
    /// From an event's own time to whoever reads along.
    seen: Vec<f64>,
    /// From asking for a call to the carrier's having been asked.
    dialled: Vec<f64>,
}

impl<'p> Place<'p> {
    fn new(release: &'p Path) -> Result<Self, String> {
        let scratch = release.join("bench/journal");
        let _ = fs::remove_dir_all(&scratch);
        let (config, port) = (scratch.join("busy.toml"), free_port()?);
        let carrier = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
        let carrier = carrier.map_err(|fault| format!("no free port: {fault}"))?;
        let api_port = carrier.local_addr().map_or(0, |it| it.port());
        let text = configuration(port, api_port, 10_000)
            .replace("[server]", "[server]\ncalls_per_minute = 100000")
            .replace(
                "[policy]",
                "[policy]\ncall = [\"+15551234567\"]\ncalls_per_hour = 100000",
            );
        let written = fs::create_dir_all(&scratch).and_then(|()| fs::write(&config, text));
        written.map_err(|fault| format!("cannot write {}: {fault}", config.display()))?;
        Ok(Self {
            release,
            scratch,
            config,
            carrier,
        })
    }

    /// Calls, with so many events a second beside them, and whatever else is done meanwhile.
    fn turn(
        &self,
        load: Load,
        events: u32,
        meanwhile: impl FnOnce(&Busy) -> Result<(), String>,
    ) -> Result<(Seen, Written), String> {
        let busy = self.serve(events)?;
        let mut callers = pinned(CALLER_CORE, &self.release.join("exchange"));
        let gateway = format!("http://{}", busy.address);
        callers.args(["load", "--json", "--gateway", &gateway, "--token", TOKEN]);
        callers.args(["--listen", "127.0.0.1:0"]);
        callers.args(["--calls", &load.calls.to_string(), "--ramp", "1"]);
        callers.args(["--seconds", &load.seconds.to_string()]);
        callers.stdin(Stdio::null()).stdout(Stdio::piped());
        let callers = callers.spawn();
        let callers = callers.map_err(|fault| format!("cannot call: {fault}"))?;
        let done = thread::spawn(move || callers.wait_with_output());
        meanwhile(&busy)?;
        let out = done.join().map_err(|_| "the callers' thread broke")?;
        let out = out.map_err(|fault| format!("cannot read the callers' report: {fault}"))?;
        let text = String::from_utf8_lossy(&out.stdout);
        let last = text.lines().last().unwrap_or_default();
        let seen: Seen = serde_json::from_str(last)
            .map_err(|fault| format!("the callers' report makes no sense: {fault}: {last}"))?;
        Ok((seen, busy.stop()?))
    }

    fn serve(&self, events: u32) -> Result<Busy, String> {
        let program = self.release.join("examples/busy");
        let mut command = pinned(SERVER_CORE, &program);
        command.arg(&self.config).arg(events.to_string());
        command.env("XDG_STATE_HOME", &self.scratch);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let child = command.spawn();
        let mut child =
            child.map_err(|fault| format!("cannot start {}: {fault}", program.display()))?;
        let stdin = child.stdin.take();
        let stdout = child.stdout.take().expect("standard output was asked for");
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        let read = stdout.read_line(&mut line);
        read.map_err(|fault| format!("cannot read where it listens: {fault}"))?;
        let address = line.trim().trim_start_matches("http://").to_owned();
        Ok(Busy {
            child,
            stdin,
            stdout,
            address,
        })
    }

    fn watch(&self, busy: &Busy) -> Result<Watched, String> {
        let note = fs::read(self.scratch.join("offhook/gateway.json"));
        let note = note.map_err(|fault| format!("cannot read the gateway's note: {fault}"))?;
        let note: Value = serde_json::from_slice(&note).map_err(|fault| fault.to_string())?;
        let token = note["token"].as_str().unwrap_or_default();
        let wrong = |fault: std::io::Error| format!("the gateway cannot be watched: {fault}");
        let seen = seen(&busy.address, token).map_err(wrong)?;
        let carrier = self.carrier.try_clone().map_err(wrong)?;
        let (tell, asked) = mpsc::channel();
        thread::spawn(move || answer(&carrier, &tell));
        let mut dialled = Vec::new();
        for _ in 0..DIALS {
            thread::park_timeout(BETWEEN_DIALS);
            let begin = Instant::now();
            let answer = dial(&busy.address, token).map_err(wrong)?;
            let at = asked.recv_timeout(PATIENCE);
            let at = at.map_err(|_| format!("the carrier was not asked: {answer}"))?;
            dialled.push(millis(at.saturating_duration_since(begin)));
        }
        Ok(Watched { seen, dialled })
    }
}

impl Busy {
    /// Lets it write its last events, and asks what became of all.
    fn stop(mut self) -> Result<Written, String> {
        self.stdin = None;
        let mut report = String::new();
        let read = self.stdout.read_to_string(&mut report);
        read.map_err(|fault| format!("cannot read the gateway's report: {fault}"))?;
        serde_json::from_str(report.trim())
            .map_err(|fault| format!("the gateway's report makes no sense: {fault}: {report}"))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads along for a while; how long after they happened events were seen, in milliseconds.
fn seen(address: &str, token: &str) -> std::io::Result<Vec<f64>> {
    let now = Timestamp::now().as_millisecond();
    let mut socket = TcpStream::connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let request = format!(
        "GET /v1/events?since={now} HTTP/1.1\r\nHost: 127.0.0.1\r\n\
         Authorization: Bearer {token}\r\nConnection: close\r\n\r\n"
    );
    socket.write_all(request.as_bytes())?;
    let (begin, mut seen) = (Instant::now(), Vec::new());
    for line in BufReader::new(socket).lines() {
        let line = line?;
        let time = line.split_once("\"time\":\"").map(|(_, rest)| rest);
        let time = time.and_then(|rest| rest.split('"').next()?.parse::<Timestamp>().ok());
        if let Some(time) = time {
            let late = Timestamp::now().duration_since(time);
            seen.push(late.as_secs_f64() * 1e3);
        }
        if begin.elapsed() > WATCHED {
            break;
        }
    }
    Ok(seen)
}

/// Asks for a call, and reads the answer.
fn dial(address: &str, token: &str) -> std::io::Result<String> {
    let mut socket = TcpStream::connect(address)?;
    let order = r#"{"to":"+15551234567"}"#;
    let request = format!(
        "POST /v1/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{order}",
        order.len()
    );
    socket.write_all(request.as_bytes())?;
    let mut answer = String::new();
    socket.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The carrier's API, as far as it matters here: says when it was asked, and that all is well.
fn answer(listener: &TcpListener, tell: &mpsc::Sender<Instant>) {
    for (n, socket) in listener.incoming().map_while(Result::ok).enumerate() {
        let tell = tell.clone();
        thread::spawn(move || converse(socket, n, &tell));
    }
}

fn converse(socket: TcpStream, connection: usize, tell: &mpsc::Sender<Instant>) -> Option<()> {
    let mut answers = socket.try_clone().ok()?;
    let mut requests = BufReader::new(socket);
    for n in 0_u32.. {
        let (mut line, mut length) = (String::new(), 0);
        requests.read_line(&mut line).ok().filter(|it| *it > 0)?;
        let _ = tell.send(Instant::now());
        while line.trim() != "" {
            line.clear();
            requests.read_line(&mut line).ok()?;
            if let Some(it) = line.to_lowercase().strip_prefix("content-length:") {
                length = it.trim().parse().ok()?;
            }
        }
        requests.read_exact(&mut vec![0; length]).ok()?;
        let body = format!("{{\"sid\":\"CA{connection:016x}{n:016x}\",\"status\":\"queued\"}}");
        let head = "HTTP/1.1 201 Created\r\nContent-Type: application/json";
        let answer = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        answers.write_all(answer.as_bytes()).ok()?;
    }
    Some(())
}

fn rows(load: Load, quiet: &[Seen], busy: &[(Seen, Written)], watched: &Watched) -> Vec<Row> {
    let alone = |of: &dyn Fn(&Seen) -> f64| quantile(0.5, quiet.iter().map(of));
    let beside = |of: &dyn Fn(&Seen) -> f64| quantile(0.5, busy.iter().map(|(it, _)| of(it)));
    let written = |of: &dyn Fn(&Written) -> f64| quantile(0.5, busy.iter().map(|(_, it)| of(it)));
    let both = |what, of: &dyn Fn(&Seen) -> f64, goal| {
        Row::with_reference(what, beside(of), alone(of), goal)
    };
    let added = |of: &dyn Fn(&Seen) -> f64| beside(of) - alone(of);
    let (p50, p99) = (Seen::p50_ms, Seen::p99_ms);
    let calls = Goal::AtLeast(f64::from(load.calls));
    let lost = busy.iter().filter(|(_, it)| !it.kept).count();
    let seen = |part| quantile(part, watched.seen.iter().copied());
    let dialled = |part| quantile(part, watched.dialled.iter().copied());
    vec![
        both("calls that came about", &Seen::calls, calls),
        Row::new(
            "events durable, per second",
            written(&|it| it.events as f64 / it.seconds),
            Goal::AtLeast(2_000.0),
        ),
        Row::new(
            "commits, per second",
            written(&|it| it.commits as f64 / it.seconds),
            Goal::None,
        ),
        Row::new("turns that lost events", lost as f64, Goal::AtMost(0.0)),
        both("there and back p50, ms", &p50, Goal::None),
        both("there and back p99, ms", &p99, Goal::None),
        Row::new("added latency p50, ms", added(&p50), Goal::None),
        Row::new("added latency p99, ms", added(&p99), Goal::AtMost(1.0)),
        both("frames lost", &Seen::lost, Goal::AtMost(0.0)),
        both("callers late p99, ms", &Seen::late_ms, Goal::None),
        Row::new(
            "events watched",
            watched.seen.len() as f64,
            Goal::AtLeast(1.0),
        ),
        Row::new("seen after p50, ms", seen(0.5), Goal::None),
        Row::new("seen after p99, ms", seen(0.99), Goal::AtMost(50.0)),
        Row::new("asked to carrier p50, ms", dialled(0.5), Goal::None),
        Row::new(
            "asked to carrier p99, ms",
            dialled(0.99),
            Goal::AtMost(10.0),
        ),
    ]
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

const SERVER_CORE: usize = 0;
const CALLER_CORE: usize = 1;
/// Until all calls are up, and a little more.
const SETTLING: Duration = Duration::from_millis(1_500);
/// How long somebody watches before calls are asked for.
const WATCHED: Duration = Duration::from_secs(2);
const DIALS: u32 = 40;
const BETWEEN_DIALS: Duration = Duration::from_millis(25);
const PATIENCE: Duration = Duration::from_secs(5);
