//! The echo test: what a call costs the gateway, beside what it would cost any server.
//!
//! Both servers run on the same core in turn, with the same callers on another. The callers are the
//! exchange's, so what is measured is the carrier's real wire.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::process::{self, Cost, On, Server, pinned};
use super::table::{Goal, Row, quantile};

/// How much to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Load {
    /// Calls at once.
    #[arg(long, default_value_t = 500)]
    pub(super) calls: u32,
    /// How long each lasts once all are up.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(3..))]
    pub(super) seconds: u32,
    /// How often each server has its turn.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) rounds: u32,
}

impl Load {
    /// Over which time the calls begin: not all in one instant, as they would not.
    fn ramp(self) -> u32 {
        self.calls.div_ceil(CALLS_BEGUN_PER_SECOND)
    }

    /// When all calls are up, counted from the start of the callers' program.
    fn all_up(self) -> Range<Duration> {
        let ramp = Duration::from_secs(self.ramp().into());
        let end = ramp + Duration::from_secs(self.seconds.into());
        ramp + SETTLING..end
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            calls,
            seconds,
            rounds,
        } = self;
        write!(
            f,
            "{calls} calls of {seconds} s, each server {rounds} times in turn"
        )
    }
}

/// Measures both servers in turn.
pub(crate) fn measure(release: &Path, load: Load) -> Result<Vec<Row>, String> {
    let place = Place::new(release)?;
    let (mut bare, mut ours) = (Vec::new(), Vec::new());
    for round in 1..=load.rounds {
        eprintln!("echo: round {round} of {}: bare", load.rounds);
        bare.push(place.bare(load)?);
        eprintln!("echo: round {round} of {}: offhook", load.rounds);
        ours.push(place.gateway(load)?);
    }
    Ok(rows(load, &Figures::of(&bare), &Figures::of(&ours)))
}

/// Where the programs are, and a folder to work in.
pub(super) struct Place<'p> {
    release: &'p Path,
    scratch: PathBuf,
}

/// One server's turn.
pub(super) struct Turn {
    /// Before the first call.
    idle: Cost,
    /// From the moment all calls were up to the first end of one.
    busy: Vec<Sample>,
    /// What the callers saw.
    seen: Seen,
}

#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Since the callers were started.
    at: Duration,
    /// What the server has cost.
    cost: Cost,
    /// How long the server's core has been busy, with whatever.
    core: Duration,
}

/// What the callers report when they are done.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Seen {
    /// Calls that came about.
    set_up: u32,
    /// Reasons why others did not, or ended early.
    failed: BTreeMap<String, u32>,
    /// Frames sent, and frames that did not come back.
    frames_sent: u64,
    frames_lost: u64,
    /// From a frame's leaving to its return.
    echo: Times,
    /// How late the callers themselves were.
    lateness: Times,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Times {
    p50_us: u64,
    p99_us: u64,
}

/// The figures of a server: the median of its turns, but every frame and the fewest calls of any.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(super) struct Figures {
    /// Microseconds of a core for each second of each call.
    pub(super) cpu_us: f64,
    pub(super) p50_ms: f64,
    pub(super) p99_ms: f64,
    pub(super) late_ms: f64,
    pub(super) others: f64,
    pub(super) calls: u32,
    pub(super) frames: u64,
    pub(super) lost: u64,
    idle_mib: f64,
    call_kib: f64,
}

impl Seen {
    pub(super) fn p50_ms(&self) -> f64 {
        self.echo.p50_us as f64 / 1e3
    }

    pub(super) fn p99_ms(&self) -> f64 {
        self.echo.p99_us as f64 / 1e3
    }

    pub(super) fn late_ms(&self) -> f64 {
        self.lateness.p99_us as f64 / 1e3
    }

    pub(super) fn calls(&self) -> f64 {
        f64::from(self.set_up)
    }

    pub(super) fn lost(&self) -> f64 {
        self.frames_lost as f64
    }
}

impl<'p> Place<'p> {
    pub(super) fn new(release: &'p Path) -> Result<Self, String> {
        let scratch = release.join("bench");
        let made = fs::create_dir_all(&scratch);
        made.map_err(|fault| format!("cannot make {}: {fault}", scratch.display()))?;
        Ok(Self { release, scratch })
    }

    pub(super) fn release(&self) -> &Path {
        self.release
    }

    /// Where files may be left.
    pub(super) fn scratch(&self) -> &Path {
        &self.scratch
    }

    pub(super) fn bare(&self, load: Load) -> Result<Turn, String> {
        let program = self.release.join("xtask");
        let (server, url) = Server::start_speaking(SERVER_CORE, &program, &["bare-echo"])?;
        self.turn(&server, load, &url, OF_OURS)
    }

    fn gateway(&self, load: Load) -> Result<Turn, String> {
        let port = free_port()?;
        let api_port = free_port()?;
        let config = self.scratch.join("echo.toml");
        let text = configuration(port, api_port, load.calls + SPARE_CALLS);
        let written = fs::write(&config, text);
        written.map_err(|fault| format!("cannot write {}: {fault}", config.display()))?;
        let config = config.display().to_string();
        let program = self.release.join("offhook");
        let arguments = ["serve", "--config", &config];
        let mut server = Server::start(On::Core(SERVER_CORE), &program, &arguments, &self.scratch)?;
        server.wait_for(port)?;
        let url = format!("http://127.0.0.1:{port}");
        self.turn(&server, load, &url, OF_OURS)
    }

    /// Drives a server with callers, of whom more may be said, and watches what it costs.
    pub(super) fn turn(
        &self,
        server: &Server,
        load: Load,
        gateway: &str,
        callers: &[&str],
    ) -> Result<Turn, String> {
        let idle = server.cost()?;
        let program = self.release.join("exchange");
        let mut command = pinned(CALLER_CORE, &program);
        command.args(["load", "--json", "--gateway", gateway]);
        command.args(callers);
        for (name, value) in [
            ("--calls", load.calls),
            ("--seconds", load.seconds),
            ("--ramp", load.ramp()),
        ] {
            command.args([name, &value.to_string()]);
        }
        command.stdout(Stdio::piped()).stdin(Stdio::null());
        let start = Instant::now();
        let started = command.spawn();
        let callers =
            started.map_err(|fault| format!("cannot start {}: {fault}", program.display()))?;
        let done = std::thread::spawn(move || callers.wait_with_output());
        let mut busy = Vec::new();
        while !done.is_finished() {
            busy.push(Sample {
                at: start.elapsed(),
                cost: server.cost()?,
                core: process::busy(SERVER_CORE).unwrap_or_default(),
            });
            std::thread::park_timeout(SAMPLE);
        }
        let out = done
            .join()
            .map_err(|_| "the thread that waits for the callers broke")?;
        let out = out.map_err(|fault| format!("cannot read the callers' report: {fault}"))?;
        let text = String::from_utf8_lossy(&out.stdout);
        let last = text.lines().last().unwrap_or_default();
        let seen: Seen = serde_json::from_str(last)
            .map_err(|fault| format!("the callers' report makes no sense: {fault}: {last}"))?;
        for (reason, count) in &seen.failed {
            eprintln!("echo: {count} calls failed: {reason}");
        }
        busy.retain(|sample| load.all_up().contains(&sample.at));
        Ok(Turn { idle, busy, seen })
    }
}

impl Figures {
    pub(super) fn of(turns: &[Turn]) -> Self {
        let median = |of: &dyn Fn(&Turn) -> f64| quantile(0.5, turns.iter().map(of));
        Self {
            cpu_us: median(&Turn::cpu_us),
            p50_ms: median(&|turn| turn.seen.p50_ms()),
            p99_ms: median(&|turn| turn.seen.p99_ms()),
            others: median(&Turn::others),
            late_ms: median(&|turn| turn.seen.late_ms()),
            calls: turns.iter().map(|turn| turn.seen.set_up).min().unwrap_or(0),
            frames: turns.iter().map(|turn| turn.seen.frames_sent).sum(),
            lost: turns.iter().map(|turn| turn.seen.frames_lost).sum(),
            idle_mib: median(&|turn| turn.idle.resident as f64 / 1_024.0),
            call_kib: median(&Turn::call_kib),
        }
    }
}

impl Turn {
    /// Microseconds of a core for each second of each call.
    pub(super) fn cpu_us(&self) -> f64 {
        let (first, last) = self.ends();
        let call_seconds = (last.at - first.at).as_secs_f64() * f64::from(self.seen.set_up);
        (last.cost.cpu - first.cost.cpu).as_secs_f64() * 1e6 / call_seconds
    }

    /// How many frames did not come back.
    pub(super) fn lost(&self) -> u64 {
        self.seen.frames_lost
    }

    /// How much of its core's time others took, in percent.
    pub(super) fn others(&self) -> f64 {
        let (first, last) = self.ends();
        let all = last.core.saturating_sub(first.core);
        let others = all.saturating_sub(last.cost.cpu - first.cost.cpu);
        100.0 * others.as_secs_f64() / (last.at - first.at).as_secs_f64()
    }

    fn call_kib(&self) -> f64 {
        let peak = self.busy.iter().map(|it| it.cost.resident).max();
        let more = peak.unwrap_or(0).saturating_sub(self.idle.resident);
        more as f64 / f64::from(self.seen.set_up)
    }

    /// The first and the last sample while all calls were up; there are some, since a run is
    /// longer than it takes to settle.
    fn ends(&self) -> (Sample, Sample) {
        let ends = self.busy.first().zip(self.busy.last());
        let (first, last) = ends.expect("a run outlasts its settling");
        (*first, *last)
    }
}

fn rows(load: Load, bare: &Figures, ours: &Figures) -> Vec<Row> {
    let (p50, p99) = (ours.p50_ms - bare.p50_ms, ours.p99_ms - bare.p99_ms);
    vec![
        Row::with_reference(
            "calls that came about",
            f64::from(ours.calls),
            f64::from(bare.calls),
            Goal::AtLeast(f64::from(load.calls)),
        ),
        Row::with_reference(
            "CPU per call-second, µs",
            ours.cpu_us,
            bare.cpu_us,
            Goal::None,
        ),
        Row::new(
            "CPU, times the bare echo",
            ours.cpu_us / bare.cpu_us,
            Goal::AtMost(1.3),
        ),
        Row::new("added latency p50, ms", p50, Goal::AtMost(1.0)),
        Row::new("added latency p99, ms", p99, Goal::AtMost(5.0)),
        Row::with_reference(
            "there and back p50, ms",
            ours.p50_ms,
            bare.p50_ms,
            Goal::None,
        ),
        Row::with_reference(
            "there and back p99, ms",
            ours.p99_ms,
            bare.p99_ms,
            Goal::None,
        ),
        Row::with_reference(
            "callers late p99, ms",
            ours.late_ms,
            bare.late_ms,
            Goal::None,
        ),
        Row::with_reference(
            "core taken by others, %",
            ours.others,
            bare.others,
            Goal::AtMost(TOLERABLE),
        ),
        Row::with_reference(
            "frames sent",
            ours.frames as f64,
            bare.frames as f64,
            Goal::None,
        ),
        Row::with_reference(
            "frames lost",
            ours.lost as f64,
            bare.lost as f64,
            Goal::AtMost(0.0),
        ),
        Row::with_reference(
            "memory per call, KiB",
            ours.call_kib,
            bare.call_kib,
            Goal::AtMost(64.0),
        ),
        Row::with_reference(
            "memory idle, MiB",
            ours.idle_mib,
            bare.idle_mib,
            Goal::AtMost(24.0),
        ),
    ]
}

/// A gateway whose every caller hears themselves.
pub(crate) fn configuration(port: u16, api_port: u16, calls: u32) -> String {
    let table = TABLE
        .replace("<api port>", &api_port.to_string())
        .replace("<token>", TOKEN);
    filled("twilio", &table, port, calls)
}

/// The same for the callers of a carrier, of which the configuration has this table.
pub(super) fn configuration_of(carrier: &str, table: &str, port: u16, load: Load) -> String {
    filled(carrier, table, port, load.calls + SPARE_CALLS)
}

fn filled(carrier: &str, table: &str, port: u16, calls: u32) -> String {
    CONFIG
        .replace("<table>", table.trim_end())
        .replace("<carrier>", carrier)
        .replace("<port>", &port.to_string())
        .replace("<calls>", &calls.to_string())
}

/// A port that nobody listens on. Someone may take it before it is used; then the server says so.
pub(crate) fn free_port() -> Result<u16, String> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|it| it.local_addr());
    bound
        .map(|it| it.port())
        .map_err(|fault| format!("no free port: {fault}"))
}

const CONFIG: &str = include_str!("echo.toml");
const TABLE: &str = r#"[carriers.twilio]
account_sid = "AC00000000000000000000000000000000"
auth_token = "<token>"
api_url = "http://127.0.0.1:<api port>""#;
pub(crate) const TOKEN: &str = "00000000000000000000000000000000";
/// Whose callers call both servers; nobody asks anything of their carrier.
const OF_OURS: &[&str] = &["--token", TOKEN, "--listen", "127.0.0.1:0"];
pub(super) const SERVER_CORE: usize = 0;
const CALLER_CORE: usize = 1;
const SAMPLE: Duration = Duration::from_millis(200);
/// Room for calls that are over, but whose end has not been confirmed.
const SPARE_CALLS: u32 = 64;
/// With more than this, the figures say more about the machine than about the servers.
const TOLERABLE: f64 = 10.0;
const SETTLING: Duration = Duration::from_secs(1);
const CALLS_BEGUN_PER_SECOND: u32 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_counts_only_while_all_calls_are_up() {
        let cost = |ms, resident| Cost {
            cpu: Duration::from_millis(ms),
            resident,
        };
        let turn = Turn {
            idle: cost(50, 4_000),
            busy: vec![
                Sample {
                    at: Duration::from_secs(10),
                    cost: cost(1_000, 5_000),
                    core: Duration::from_millis(7_000),
                },
                Sample {
                    at: Duration::from_secs(12),
                    cost: cost(1_400, 6_000),
                    core: Duration::from_millis(7_500),
                },
            ],
            seen: Seen {
                set_up: 100,
                failed: BTreeMap::new(),
                frames_sent: 10_000,
                frames_lost: 0,
                echo: Times {
                    p50_us: 100,
                    p99_us: 500,
                },
                lateness: Times {
                    p50_us: 10,
                    p99_us: 50,
                },
            },
        };
        // 0.4 s of CPU for 100 calls of 2 s.
        assert!((turn.cpu_us() - 2_000.0).abs() < 1e-6);
        assert!((turn.call_kib() - 20.0).abs() < 1e-6);
        // 0.1 s of 2 s.
        assert!((turn.others() - 5.0).abs() < 1e-6);
    }
}
