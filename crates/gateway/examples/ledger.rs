//! Processes that race for the same money, some of which die between setting it aside and settling.
//!
//! Eight writers share a ledger. Each asks for one call after the other, settles some by what they cost,
//! leaves some open, and now and then is gone in the middle. Meanwhile this process reads the sum by a
//! query of its own, again and again: it must never be more than the limit.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::Duration;

use call::Number;
use gateway::ledger::{Entry, Ledger};
use policy::{Limits, Listed, Money, Permit};
use ports::{Blame, Fault};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are its whole output"
)]
fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let Ok(runtime) = runtime else {
        return ExitCode::FAILURE;
    };
    if let [_, word, folder, seed] = arguments.as_slice()
        && word == "--writer"
    {
        let seed = seed.parse().unwrap_or_default();
        return match runtime.block_on(write(Path::new(folder), seed)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(fault) => {
                eprintln!("{fault}");
                ExitCode::FAILURE
            }
        };
    }
    let runs = if arguments.iter().any(|it| it == "--short") {
        20
    } else {
        1_000
    };
    let mut tally = Tally::default();
    for run in 0..runs {
        if let Err(what) = runtime.block_on(race(run, &mut tally)) {
            eprintln!("run {run}: {what}");
            return ExitCode::FAILURE;
        }
    }
    println!("{}", tally.rows(runs));
    ExitCode::SUCCESS
}

#[derive(Default)]
struct Tally {
    /// Sums that were read while writers raced.
    looks: u64,
    /// Of them more than the limit.
    overspent: u64,
    /// The most that was ever set aside, in parts of the limit.
    fullest: f64,
    calls: u64,
    /// Writers that died in the middle, as they should.
    died: u64,
    /// Writers that ended as they should not.
    broken: u64,
    /// Calls without an end after recovery.
    leaked: u64,
}

impl Tally {
    fn rows(&self, runs: u64) -> serde_json::Value {
        let none = json!({ "at_most": 0.0 });
        json!([
            { "what": "races of eight", "figure": runs as f64, "goal": "none" },
            { "what": "calls granted", "figure": self.calls as f64, "goal": { "at_least": 10.0 * runs as f64 } },
            { "what": "writers dead in the middle", "figure": self.died as f64, "goal": { "at_least": runs as f64 } },
            { "what": "writers that broke", "figure": self.broken as f64, "goal": none },
            { "what": "sums looked at", "figure": self.looks as f64, "goal": { "at_least": runs as f64 } },
            { "what": "of those overspent", "figure": self.overspent as f64, "goal": none },
            { "what": "fullest, of the limit", "figure": self.fullest, "goal": { "at_most": 1.0 } },
            { "what": "left open after recovery", "figure": self.leaked as f64, "goal": none },
        ])
    }

    fn look(&mut self, file: &Connection) -> Result<(), String> {
        let sum = file.query_row(SUM, [], |row| row.get::<_, u64>(0));
        let sum = sum.map_err(|error| error.to_string())?;
        self.looks += 1;
        self.overspent += u64::from(sum > LIMIT.as_micros());
        self.fullest = self.fullest.max(sum as f64 / LIMIT.as_micros() as f64);
        Ok(())
    }
}

async fn race(run: u64, tally: &mut Tally) -> Result<(), String> {
    let folder = Folder::new(run)?;
    let ledger = Ledger::open(&folder.0, NOW).map_err(|fault| fault.to_string())?;
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
    let file = Connection::open_with_flags(folder.0.join("ledger.db"), flags);
    let file = file.map_err(|error| error.to_string())?;
    let mut writers = Vec::new();
    for writer in 0..WRITERS {
        writers.push(spawn(&folder.0, run * WRITERS + writer)?);
    }
    while !writers.is_empty() {
        tally.look(&file)?;
        std::thread::park_timeout(Duration::from_millis(1));
        let mut left = Vec::new();
        for mut writer in writers {
            match writer.try_wait().map_err(|error| error.to_string())? {
                None => left.push(writer),
                Some(status) if status.success() => {}
                // Killed by a signal, which was its own.
                Some(status) if status.code().is_none() => tally.died += 1,
                Some(_) => tally.broken += 1,
            }
        }
        writers = left;
    }
    tally.look(&file)?;
    let calls = "SELECT COUNT(*) FROM dials";
    let calls = file.query_row(calls, [], |row| row.get::<_, u64>(0));
    tally.calls += calls.map_err(|error| error.to_string())?;
    let closed = ledger.close_but(Vec::new()).await;
    closed.map_err(|fault| fault.to_string())?;
    let open = "SELECT COUNT(*) FROM dials WHERE spent IS NULL";
    let open = file.query_row(open, [], |row| row.get::<_, u64>(0));
    tally.leaked += open.map_err(|error| error.to_string())?;
    tally.look(&file)
}

fn spawn(folder: &Path, seed: u64) -> Result<Child, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut command = Command::new(program);
    command.arg("--writer").arg(folder).arg(seed.to_string());
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().map_err(|error| error.to_string())
}

/// Makes calls until there is no money for another.
async fn write(folder: &Path, seed: u64) -> Result<(), Fault> {
    let mut random = StdRng::seed_from_u64(seed);
    let ledger = Ledger::open(folder, NOW)?;
    let limits = limits();
    let (mut refused, mut calls) = (0, 0);
    while refused < 3 && calls < MOST {
        let (name, limits) = (format!("{seed}-{calls}"), limits.clone());
        let ceiling = RATE.for_call(MINUTE * random.random_range(1..=8));
        let decide = move |standing| {
            let permit = Permit {
                number: number(),
                rule: String::new(),
                ceiling,
                rate: RATE,
            };
            let full = |_| Fault::new(Blame::Config, ports::code::POLICY_SPEND, "it is spent");
            limits.fit(&standing, ceiling).map_err(full)?;
            Ok((permit, ()))
        };
        calls += 1;
        let entry = Entry {
            name: name.clone(),
            to: number(),
            agent: "a".to_owned(),
            at: NOW,
            stranger: false,
        };
        match ledger.reserve(entry, decide).await {
            Ok(_) => refused = 0,
            Err(fault) if fault.code == ports::code::POLICY_SPEND => {
                refused += 1;
                continue;
            }
            Err(fault) => return Err(fault),
        }
        match random.random_range(0..20) {
            0 => std::process::abort(),
            1..=4 => {}
            _ => {
                ledger
                    .settle(name, MINUTE * random.random_range(0..=1))
                    .await?
            }
        }
    }
    Ok(())
}

fn limits() -> Limits {
    Limits {
        per_call: None,
        per_hour: None,
        per_day: Listed::new(LIMIT, ""),
        per_month: None,
        per_number: None,
        per_agent: None,
        calls_per_number: Listed::new(usize::MAX, ""),
    }
}

#[expect(clippy::expect_used, reason = "a number of this file's own")]
fn number() -> Number {
    Number::parse("+15551234567").expect("a number")
}

/// A folder for a race, gone after it.
struct Folder(PathBuf);

impl Folder {
    fn new(run: u64) -> Result<Self, String> {
        let name = format!("offhook-ledger-{}-{run}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).map_err(|error| error.to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const WRITERS: u64 = 8;
/// Of one writer.
const MOST: u64 = 60;
const NOW: i64 = 1_700_000_000_000;
const MINUTE: Duration = Duration::from_secs(60);
const RATE: Money = Money::micros(10_000);
const LIMIT: Money = Money::micros(1_420_000);
const SUM: &str = "SELECT COALESCE(SUM(COALESCE(spent, reserved)), 0) FROM dials";
