//! Every decoder against libFuzzer: what breaks a promise is kept to be looked at, and what shows something
//! new is kept in `fuzz/corpus`, as little of it as shows the same.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// Which, and how long.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which decoders; none: all.
    names: Vec<String>,
    /// How long each, by the clock.
    #[arg(long, default_value_t = 60.0)]
    minutes: f64,
    /// What watches memory besides; `address` also sees what code that is not safe Rust does, at half the speed.
    #[arg(long, value_enum, default_value = "none")]
    sanitizer: Sanitizer,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Sanitizer {
    None,
    Address,
}

/// What came of telling a decoder things, all runs together.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Figures {
    minutes: f64,
    executions: u64,
    /// What libFuzzer tells apart, at the last run's end.
    features: u64,
    /// Inputs that broke a promise. Each is mended by a change that keeps it in the corpus.
    broken: u64,
}

/// Tells decoders things at random, one after the other, and writes down what came of it.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<(), String> {
    let all = decoders(root)?;
    let unknown = arguments.names.iter().find(|it| !all.contains_key(*it));
    if let Some(name) = unknown {
        return Err(format!("there is no decoder {name}: {}", names(&all)));
    }
    let chosen = |name: &String| arguments.names.is_empty() || arguments.names.contains(name);
    let mut broken = Vec::new();
    for (name, longest) in all.iter().filter(|(name, _)| chosen(name)) {
        let program = build(root, name, arguments.sanitizer)?;
        let room = Room::new(root, name)?;
        let began = Instant::now();
        let figures = room.fuzz(&program, *longest, arguments.minutes)?;
        println!("{name}: {figures:?} in {:.0?}", began.elapsed());
        if figures.broken > 0 {
            broken.push(format!("{name} (see {})", room.found.display()));
        }
        room.keep(&program, *longest)?;
        record(root, name, &figures)?;
    }
    if broken.is_empty() {
        return Ok(());
    }
    Err(format!("a promise is broken: {}", broken.join(", ")))
}

/// Every decoder on the list of `fuzz/src/lib.rs`, and how many bytes it is told.
fn decoders(root: &Path) -> Result<BTreeMap<String, u32>, String> {
    let path = root.join("fuzz/src/lib.rs");
    let text = fs::read_to_string(&path)
        .map_err(|fault| format!("cannot read {}: {fault}", path.display()))?;
    let lines = text.lines().filter_map(|line| {
        let (name, rest) = line.trim().strip_prefix("decoder(\"")?.split_once("\", ")?;
        let (longest, _) = rest.split_once(',')?;
        Some((name.to_owned(), longest.parse().ok()?))
    });
    Ok(lines.collect())
}

fn names(all: &BTreeMap<String, u32>) -> String {
    all.keys().cloned().collect::<Vec<_>>().join(", ")
}

/// Builds one target. A sanitizer is asked for by a flag that a stable compiler takes only when it is told to be
/// something else.
fn build(root: &Path, name: &str, sanitizer: Sanitizer) -> Result<PathBuf, String> {
    let (sanitizer, env): (_, &[_]) = match sanitizer {
        Sanitizer::None => ("none", &[]),
        Sanitizer::Address => ("address", &[("RUSTC_BOOTSTRAP", "1")]),
    };
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or("target".into(), PathBuf::from);
    let target = root.join(target);
    // What is fuzzed is what is built.
    fs::copy(
        root.join("Cargo.lock"),
        root.join(FOLDER).join("Cargo.lock"),
    )
    .map_err(|fault| format!("cannot write {FOLDER}/Cargo.lock: {fault}"))?;
    let mut command = polite("cargo");
    command
        .args(["fuzz", "build", name, "--fuzz-dir", FOLDER])
        .args(["--sanitizer", sanitizer, "--target", TRIPLE, "--target-dir"])
        .arg(&target)
        .envs(env.iter().copied())
        .current_dir(root);
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(_) => {
            return Err(format!(
                "{name} cannot be built; it takes `cargo install cargo-fuzz` and a C++ compiler"
            ));
        }
        Err(fault) => return Err(format!("cannot run cargo: {fault}")),
    }
    Ok(target.join(TRIPLE).join("release").join(name))
}

/// Behind everything else that the machine does.
fn polite(program: &str) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "19", program]);
    command
}

/// Where a decoder's inputs lie.
struct Room {
    /// In the house.
    corpus: PathBuf,
    /// What this machine found, kept from run to run, and what broke a promise.
    found: PathBuf,
    inputs: PathBuf,
}

impl Room {
    fn new(root: &Path, name: &str) -> Result<Self, String> {
        let found = root.join("target/fuzz/kept").join(name);
        let inputs = found.join("inputs");
        fs::create_dir_all(&inputs)
            .map_err(|fault| format!("cannot make {}: {fault}", inputs.display()))?;
        let corpus = root.join("fuzz/corpus").join(name);
        Ok(Self {
            corpus,
            found,
            inputs,
        })
    }

    fn fuzz(&self, program: &Path, longest: u32, minutes: f64) -> Result<Figures, String> {
        let seconds = (minutes * 60.0).ceil();
        let before = self.broken();
        let out = Command::new("sh")
            .args(["-c", TIMED, "sh", "nice", "-n", "19"])
            .arg(program)
            .args([&self.inputs, &self.corpus])
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-max_len={longest}"))
            .arg(format!("-artifact_prefix={}/", self.found.display()))
            .args(["-print_final_stats=1", "-timeout=60", "-rss_limit_mb=2048"])
            .output()
            .map_err(|fault| format!("cannot run {}: {fault}", program.display()))?;
        let told = String::from_utf8_lossy(&out.stderr);
        let broken = self.broken() - before;
        if broken > 0 || !out.status.success() {
            let last: Vec<&str> = told.lines().rev().take(40).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            eprintln!("{}", last.join("\n"));
        }
        Ok(Figures {
            minutes: worked(&String::from_utf8_lossy(&out.stdout)),
            executions: executions(&told),
            features: features(&told),
            broken,
        })
    }

    /// How many inputs that broke something lie here.
    fn broken(&self) -> u64 {
        let names = fs::read_dir(&self.found).into_iter().flatten();
        let names = names.filter_map(|it| it.ok()?.file_name().into_string().ok());
        names
            .filter(|it| BROKEN.iter().any(|kind| it.starts_with(kind)))
            .count() as u64
    }

    /// Puts into the corpus what shows something that the rest does not, the shortest first, as long as there
    /// is room; what was planted stays.
    fn keep(&self, program: &Path, longest: u32) -> Result<(), String> {
        let cannot =
            |fault: std::io::Error| format!("cannot keep {}: {fault}", self.corpus.display());
        let least = self.found.join("least");
        let _ = fs::remove_dir_all(&least);
        fs::create_dir_all(&least).map_err(cannot)?;
        let merged = polite(&program.display().to_string())
            .args(["-merge=1", &format!("-max_len={longest}")])
            .args([&least, &self.corpus, &self.inputs])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        if !merged.is_ok_and(|it| it.success()) {
            return Err(format!(
                "the inputs in {} cannot be merged",
                self.found.display()
            ));
        }
        let mut all: Vec<(u64, PathBuf)> = fs::read_dir(&least)
            .map_err(cannot)?
            .filter_map(|it| it.ok())
            .filter_map(|it| Some((it.metadata().ok()?.len(), it.path())))
            .collect();
        all.sort();
        for old in fs::read_dir(&self.corpus).map_err(cannot)? {
            let path = old.map_err(cannot)?.path();
            if !is_planted(&path) {
                fs::remove_file(path).map_err(cannot)?;
            }
        }
        let mut room = ROOM;
        for (length, path) in &all {
            let Some(left) = room.checked_sub(*length) else {
                break;
            };
            let name = path.file_name().unwrap_or_default();
            fs::copy(path, self.corpus.join(name)).map_err(cannot)?;
            room = left;
        }
        Ok(())
    }
}

/// By hand: a seed, or what once broke a promise.
fn is_planted(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.contains('-')
}

fn executions(told: &str) -> u64 {
    let mut lines = told.lines();
    let line = lines.find_map(|it| it.strip_prefix("stat::number_of_executed_units:"));
    line.and_then(|it| it.trim().parse().ok())
        .unwrap_or_default()
}

fn features(told: &str) -> u64 {
    let last = told.lines().rev().find_map(|it| it.split_once(" ft: "));
    let word = last.and_then(|(_, rest)| rest.split(' ').next());
    word.and_then(|it| it.parse().ok()).unwrap_or_default()
}

/// The processor's time that a shell says its children had, in its last line: `1m2.34s 0m0.56s`.
fn worked(times: &str) -> f64 {
    let last = times.lines().last().unwrap_or_default();
    let seconds = last.split(' ').filter_map(|it| {
        let (minutes, seconds) = it.trim_end_matches('s').split_once('m')?;
        Some(minutes.parse::<f64>().ok()? * 60.0 + seconds.parse::<f64>().ok()?)
    });
    (seconds.sum::<f64>() / 6.0).round() / 10.0
}

/// Adds a run to the figures of all before, and writes the table.
fn record(root: &Path, name: &str, run: &Figures) -> Result<(), String> {
    let path = root.join("fuzz/figures.json");
    let text = fs::read_to_string(&path).unwrap_or_else(|_| "{}".to_owned());
    let mut all: BTreeMap<String, Figures> =
        serde_json::from_str(&text).map_err(|fault| format!("{}: {fault}", path.display()))?;
    let figures = all.entry(name.to_owned()).or_default();
    figures.minutes = ((figures.minutes + run.minutes) * 10.0).round() / 10.0;
    figures.executions += run.executions;
    figures.features = run.features.max(figures.features);
    figures.broken += run.broken;
    let text = serde_json::to_string_pretty(&all).expect("its keys are strings");
    let written = fs::write(&path, text + "\n")
        .and_then(|()| fs::write(root.join("docs/fuzzing.md"), table(&all)));
    written.map_err(|fault| format!("cannot write the figures: {fault}"))
}

fn table(all: &BTreeMap<String, Figures>) -> String {
    let mut table = HEAD.to_owned();
    for (name, it) in all {
        table += &format!(
            "| `{name}` | {} | {} | {} | {} |\n",
            it.minutes, it.executions, it.features, it.broken
        );
    }
    table
}

const HEAD: &str = "# What the fuzzers were told to find out

Written by `cargo xtask fuzz`, which tells every decoder of what comes from outside things at random, and sees
whether it keeps its promises (`fuzz/src`). Minutes are those that a core worked for it; all runs are added up.
Features are what libFuzzer tells apart. Of what broke a promise, the input is in `fuzz/corpus` and was
mended; everything there is told again by every `cargo test`.

| decoder | minutes | executions | features | broken |
|---|--:|--:|--:|--:|
";

/// A busy machine gives a fuzzer little of an hour: what counts is what it had.
const TIMED: &str = "\"$@\"; code=$?; times; exit $code";
const FOLDER: &str = "fuzz/libfuzzer";
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
const BROKEN: [&str; 4] = ["crash-", "timeout-", "oom-", "leak-"];
/// In bytes, of each corpus.
const ROOM: u64 = 64 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_libfuzzer_tells_is_read() {
        let told = "#2\tINITED cov: 12 ft: 13 corp: 1/1b\n#99\tDONE   cov: 40 ft: 57 corp: 9/80b\n\
                    stat::number_of_executed_units: 99\nstat::average_exec_per_sec:     0\n";
        assert_eq!((executions(told), features(told)), (99, 57));
        assert_eq!((executions(""), features("")), (0, 0));
        let times = "0m0.01s 0m0.00s\n1m30.50s 0m29.50s\n";
        assert_eq!((worked(times), worked("")), (2.0, 0.0));
    }

    #[test]
    fn what_was_planted_is_told_from_what_was_found() {
        assert!(is_planted(Path::new("corpus/number/seed-0")));
        assert!(is_planted(Path::new("corpus/number/crash-of-long-ago")));
        let found = "corpus/number/0a4d55a8d778e5022fab701977c5d840bbc486d0";
        assert!(!is_planted(Path::new(found)));
    }
}
