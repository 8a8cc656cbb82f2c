//! Drills: what is promised for the worst moment, tried in many of them.
//!
//! A drill is a program of some room, an example, that prints its figures as JSON, each with its target;
//! or it is here, where it takes several processes. [`DRILLS`] lists them. A short one is for every
//! change, the whole one for a night.

mod canaries;
mod journal;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use clap::builder::PossibleValuesParser;
use serde_json::{Value, json};

use crate::bench::table::{self, Row};

/// Which, and how long.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Which drills.
    #[arg(value_parser = PossibleValuesParser::new(DRILLS.iter().map(|it| it.name)), required_unless_present = "all")]
    names: Vec<String>,
    /// All of them.
    #[arg(long)]
    all: bool,
    /// A part of each, for every change.
    #[arg(long)]
    short: bool,
    /// Print JSON for programs too.
    #[arg(long)]
    json: bool,
}

struct Drill {
    name: &'static str,
    /// What is promised.
    promise: &'static str,
    how: How,
}

enum How {
    /// An example of this package prints the figures; with `--short`, those of a part.
    Example(&'static str),
    /// Measured here.
    Here(fn(&Path, Length) -> Result<Vec<Row>, String>),
}

/// How much of a drill.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Whole,
    Short,
}

const DRILLS: &[Drill] = &[
    Drill {
        name: "numbers",
        promise: "no risky number is dialled, in no spelling",
        how: How::Example("policy"),
    },
    Drill {
        name: "ledger",
        promise: "no limit is overspent, whoever races or dies",
        how: How::Example("gateway"),
    },
    Drill {
        name: "dials",
        promise: "no call is dialled twice, wherever its request breaks and whoever dies",
        how: How::Example("gateway"),
    },
    Drill {
        name: "poison",
        promise: "no configuration with a mistake in it starts anything",
        how: How::Example("gateway"),
    },
    Drill {
        name: "hostile",
        promise: "no agent, however hostile, goes beyond what its owner allows for its caller",
        how: How::Example("gateway"),
    },
    Drill {
        name: "journal",
        promise: "what the journal acknowledged outlives kill -9",
        how: How::Here(journal::measure),
    },
    Drill {
        name: "canaries",
        promise: "no secret and no PIN is written, logged or answered anywhere",
        how: How::Here(canaries::measure),
    },
    Drill {
        name: "webhooks",
        promise: "a webhook that comes again, or is forged, changes nothing",
        how: How::Example("gateway"),
    },
    Drill {
        name: "outbox",
        promise: "every report arrives, in order and under one name, whoever fails or dies",
        how: How::Example("gateway"),
    },
    Drill {
        name: "flood",
        promise: "strangers at the door hurt no call and cost next to nothing",
        how: How::Example("gateway"),
    },
    Drill {
        name: "zombies",
        promise: "a call that is over is noticed, and one that is not is left alone",
        how: How::Example("sim"),
    },
];

/// Runs drills, and fails if any figure is missed.
pub(crate) fn run(root: &Path, arguments: &Arguments) -> Result<(), String> {
    let chosen = |it: &&Drill| arguments.all || arguments.names.iter().any(|name| name == it.name);
    let chosen: Vec<_> = DRILLS.iter().filter(chosen).collect();
    let length = if arguments.short {
        Length::Short
    } else {
        Length::Whole
    };
    let (mut all, mut missed) = (serde_json::Map::new(), Vec::new());
    for drill in chosen {
        let began = Instant::now();
        let rows = drill.measure(root, length)?;
        println!(
            "\n{}: {} ({:.0?})",
            drill.name,
            drill.promise,
            began.elapsed()
        );
        table::print(&rows, "");
        let short = rows.iter().filter(|it| !it.is_reached());
        missed.extend(short.map(|it| format!("{}: {}", drill.name, it.what())));
        all.insert(drill.name.to_owned(), json!(rows));
    }
    if arguments.json {
        println!("{}", Value::Object(all));
    }
    if missed.is_empty() {
        return Ok(());
    }
    Err(format!("missed: {}", missed.join("; ")))
}

impl Drill {
    fn measure(&self, root: &Path, length: Length) -> Result<Vec<Row>, String> {
        match self.how {
            How::Example(package) => self.example(root, package, length),
            How::Here(measure) => measure(root, length),
        }
    }

    fn example(&self, root: &Path, package: &str, length: Length) -> Result<Vec<Row>, String> {
        let short = length == Length::Short;
        let mut command = Command::new("cargo");
        command.args(["run", "--quiet", "--locked"]);
        // A part takes no longer than building it otherwise would.
        command.args((!short).then_some("--release"));
        command.args(["--package", package, "--example", self.name, "--"]);
        command.args(short.then_some("--short"));
        command.current_dir(root).stdout(Stdio::piped());
        let failed = |what: String| format!("the drill {} failed: {what}", self.name);
        let done = command
            .spawn()
            .and_then(std::process::Child::wait_with_output);
        let done = done.map_err(|fault| failed(fault.to_string()))?;
        if !done.status.success() {
            return Err(failed(done.status.to_string()));
        }
        serde_json::from_slice(&done.stdout).map_err(|fault| failed(fault.to_string()))
    }
}
