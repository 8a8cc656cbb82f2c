//! `offhook config check`: is the configuration right?

use std::path::PathBuf;

use clap::Subcommand;
use ports::Fault;
use serde::Serialize;

use super::{Done, Out, lists};
use crate::config::plan::{Callers, Plan};
use crate::config::{self, ConfigProblem, Severity};

/// What to do with the configuration.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read the configuration and report every problem at once, with its line.
    Check,
}

/// A configuration, judged.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether it can be used.
    pub(super) ok: bool,
    /// Which file.
    pub(super) file: String,
    /// What it allows, if it can be used.
    pub(super) summary: Option<Summary>,
    /// What is wrong, and what probably is.
    pub(super) problems: Vec<ProblemReport>,
}

/// What a configuration allows, in numbers.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Summary {
    /// How many numbers are ours.
    pub(super) numbers: usize,
    /// Our carriers.
    pub(super) carriers: Vec<String>,
    /// Our agents.
    pub(super) agents: Vec<String>,
    /// How many numbers may be called.
    pub(super) may_be_called: usize,
    /// Who may call.
    pub(super) may_call: String,
}

/// One problem.
#[derive(Debug, Serialize)]
pub(super) struct ProblemReport {
    /// `error` or `warning`.
    pub(super) severity: &'static str,
    /// One of [`ports::code`].
    pub(super) code: &'static str,
    /// Such as `offhook.toml:14`.
    pub(super) at: String,
    /// What is wrong.
    pub(super) message: String,
    /// What to do.
    pub(super) hint: String,
}

/// Checks.
pub(super) async fn run(args: Args, config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    let Command::Check = args.command;
    let path = config::find(config.as_deref());
    let loaded = config::load(&path, &lists());
    let file = path.display().to_string();
    let (summary, problems) = match &loaded {
        Ok(loaded) => (Some(Summary::of(&loaded.plan)), &loaded.warnings),
        Err(problems) => (None, problems),
    };
    if !out.is_json() {
        for problem in problems {
            out.problem("problem", problem);
        }
    }
    if let Some(summary) = &summary {
        out.line(format_args!("{file} is right: {}", summary.render()));
    }
    let ok = loaded.is_ok();
    let problems = problems.iter().map(ProblemReport::from).collect();
    out.json(&Report {
        ok,
        file,
        summary,
        problems,
    });
    Ok(if ok { Done::Well } else { Done::Refused })
}

impl Summary {
    /// What a plan allows.
    pub(super) fn of(plan: &Plan) -> Self {
        let may_call = match &plan.rules.answer.value {
            Callers::Any => "anyone".to_owned(),
            Callers::These(numbers) if plan.rules.pairing => {
                format!("{} and whoever is paired", count(numbers.len(), "number"))
            }
            Callers::These(numbers) => count(numbers.len(), "number"),
        };
        Self {
            numbers: plan.numbers.len(),
            carriers: plan.carriers.keys().cloned().collect(),
            agents: plan.agents.keys().cloned().collect(),
            may_be_called: plan.rules.call.value.named().count(),
            may_call,
        }
    }

    /// In one line, for people.
    pub(super) fn render(&self) -> String {
        format!(
            "{} of ours, {}, {}; {} may be called, {} may call",
            count(self.numbers, "number"),
            count(self.carriers.len(), "carrier"),
            count(self.agents.len(), "agent"),
            count(self.may_be_called, "number"),
            self.may_call,
        )
    }
}

impl From<&ConfigProblem> for ProblemReport {
    fn from(problem: &ConfigProblem) -> Self {
        Self {
            severity: match problem.severity {
                Severity::Error => "error",
                Severity::Warning => "warning",
            },
            code: problem.code,
            at: problem.at(),
            message: problem.message.clone(),
            hint: problem.hint.clone(),
        }
    }
}

fn count(count: usize, noun: &str) -> String {
    match count {
        0 => format!("no {noun}"),
        1 => format!("1 {noun}"),
        _ => format!("{count} {noun}s"),
    }
}
