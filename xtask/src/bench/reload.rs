//! What a configuration that changes all the time costs the calls that are up: nothing that an ear
//! would notice, or so it should be.
//!
//! The same calls twice, on a gateway whose file stays as it is and on one whose file is saved again
//! and again, each time with something else in it. The callers are the exchange's.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::echo::{self, TOKEN};
use super::process::{On, Server, pinned};
use super::table::{Goal, Row};

/// How much to measure.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Load {
    /// Calls at once.
    #[arg(long, default_value_t = 20)]
    calls: u32,
    /// How long each lasts once all are up.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(3..))]
    seconds: u32,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            calls: 20,
            seconds: 30,
        }
    }
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, seconds } = self;
        let every = SAVED_EVERY.as_millis();
        write!(
            f,
            "{calls} calls of {seconds} s, the file saved every {every} ms"
        )
    }
}

/// What the callers report, and how often the gateway said that it had reloaded.
struct Turn {
    seen: Seen,
    reloads: usize,
}

/// What the callers report when they are done.
#[derive(Clone, Copy, Debug, Deserialize)]
struct Seen {
    set_up: u32,
    frames_sent: u64,
    frames_lost: u64,
    /// Back later than a frame's own length.
    frames_late: u64,
    echo: Times,
}

#[derive(Clone, Copy, Debug, Deserialize)]
struct Times {
    p99_us: u64,
    max_us: u64,
}

/// Measures both gateways in turn.
pub(crate) fn measure(release: &Path, load: Load) -> Result<Vec<Row>, String> {
    eprintln!("reload: the file stays as it is");
    let still = turn(release, load, Saving::Never)?;
    eprintln!("reload: the file is saved again and again");
    let saved = turn(release, load, Saving::AllTheTime)?;
    Ok(rows(load, &still, &saved))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Saving {
    Never,
    AllTheTime,
}

fn turn(release: &Path, load: Load, saving: Saving) -> Result<Turn, String> {
    let scratch = release.join("bench");
    let made = fs::create_dir_all(&scratch);
    made.map_err(|fault| format!("cannot make {}: {fault}", scratch.display()))?;
    let (port, api_port) = (echo::free_port()?, echo::free_port()?);
    let config = scratch.join("reload.toml");
    let text = echo::configuration(port, api_port, load.calls + SPARE_CALLS);
    save(&config, &text)?;
    let path = config.display().to_string();
    let program = release.join("offhook");
    let arguments = ["serve", "--config", &path];
    let mut server = Server::start(On::Core(SERVER_CORE), &program, &arguments, &scratch)?;
    server.wait_for(port)?;
    let over = AtomicBool::new(false);
    let seen = std::thread::scope(|scope| {
        let saver = scope.spawn(|| match saving {
            Saving::Never => Ok(()),
            Saving::AllTheTime => save_until(&over, &config, &text),
        });
        let seen = callers(release, load, port);
        over.store(true, Ordering::Relaxed);
        let saved = saver.join().map_err(|_| "the thread that saves broke")?;
        saved.and(seen)
    })?;
    let log = fs::read_to_string(scratch.join("server.log")).unwrap_or_default();
    let reloads = log.matches("the configuration was reloaded").count();
    Ok(Turn { seen, reloads })
}

/// Saves the file with something else in it, until it is over.
fn save_until(over: &AtomicBool, config: &Path, text: &str) -> Result<(), String> {
    let mut due = Instant::now();
    for round in 0_u64.. {
        if over.load(Ordering::Relaxed) {
            break;
        }
        // Rules, patience, phrases, and a carrier, whose client is made anew.
        let slash = if round % 2 == 0 { "" } else { "/2010" };
        let text = text.replace("\"\n\n[numbers", &format!("{slash}\"\n\n[numbers"));
        let minutes = 10 + round % 2;
        let patience = 60 + round % 2;
        let more = format!(
            "max_minutes = {minutes}\n[turns]\nsilence_s = {patience}\n\
             [phrases]\ngoodbye = \"Goodbye number {round}.\"\n"
        );
        save(config, &(text + &more))?;
        due += SAVED_EVERY;
        std::thread::park_timeout(due.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// As an editor does: another file takes the name.
fn save(config: &Path, text: &str) -> Result<(), String> {
    let fresh = config.with_extension("fresh");
    let saved = fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, config));
    saved.map_err(|fault| format!("cannot write {}: {fault}", config.display()))
}

fn callers(release: &Path, load: Load, port: u16) -> Result<Seen, String> {
    let program = release.join("exchange");
    let mut command = pinned(CALLER_CORE, &program);
    let gateway = format!("http://127.0.0.1:{port}");
    command.args(["load", "--json", "--gateway", &gateway, "--token", TOKEN]);
    command.args(["--listen", "127.0.0.1:0"]);
    for (name, value) in [
        ("--calls", load.calls),
        ("--seconds", load.seconds),
        ("--ramp", 1),
    ] {
        command.args([name, &value.to_string()]);
    }
    let out = command.stdin(Stdio::null()).stderr(Stdio::inherit());
    let out = out.output();
    let out = out.map_err(|fault| format!("cannot run {}: {fault}", program.display()))?;
    let text = String::from_utf8_lossy(&out.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last)
        .map_err(|fault| format!("the callers' report makes no sense: {fault}: {last}"))
}

fn rows(load: Load, still: &Turn, saved: &Turn) -> Vec<Row> {
    let row = |what, of: &dyn Fn(&Turn) -> f64, goal| {
        Row::with_reference(what, of(saved), of(still), goal)
    };
    let calls = f64::from(load.calls);
    vec![
        row(
            "calls that came about",
            &|it| f64::from(it.seen.set_up),
            Goal::AtLeast(calls),
        ),
        row("reloads", &|it| it.reloads as f64, Goal::None),
        row("frames sent", &|it| it.seen.frames_sent as f64, Goal::None),
        row(
            "frames lost",
            &|it| it.seen.frames_lost as f64,
            Goal::AtMost(0.0),
        ),
        row(
            "frames over 20 ms late",
            &|it| it.seen.frames_late as f64,
            Goal::AtMost(0.0),
        ),
        row(
            "there and back p99, ms",
            &|it| it.seen.echo.p99_us as f64 / 1e3,
            Goal::None,
        ),
        row(
            "there and back at most, ms",
            &|it| it.seen.echo.max_us as f64 / 1e3,
            Goal::None,
        ),
    ]
}

const SAVED_EVERY: Duration = Duration::from_millis(200);
const SPARE_CALLS: u32 = 8;
const SERVER_CORE: usize = 0;
const CALLER_CORE: usize = 1;
