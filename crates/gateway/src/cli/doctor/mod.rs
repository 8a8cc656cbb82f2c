//! `offhook doctor`: tries everything a call needs, and says how to mend what is not right.

mod carrier;
mod machine;
pub(super) mod public;
mod reports;

use std::future::Future;
use std::path::PathBuf;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use ports::agent::Answerer;
use ports::{Blame, Fault, code};
use serde::Serialize;

use machine::Talking;
use public::Way;

use super::config::Summary;
use super::{Done, Out, lists};
use crate::config::{self, ConfigProblem, Plan};

/// Everything that was tried.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    /// Whether nothing failed.
    pub(super) ok: bool,
    /// In the order tried.
    pub(super) checks: Vec<Finding>,
}

/// What one check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// What was tried.
    pub(super) what: String,
    /// How it is.
    pub(super) health: Health,
    /// What was found.
    pub(super) message: String,
    /// How to mend it.
    pub(super) hint: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Health {
    /// As it should be.
    Ok,
    /// Calls work, but perhaps not as meant.
    Warn,
    /// Calls do not work.
    Fail,
}

/// Examines, and prints each finding as it is made.
pub(super) async fn run(config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    let mut checks = Checks {
        out,
        made: Vec::new(),
    };
    checks.add(machine::clock(Timestamp::now()));
    let path = config::find(config.as_deref());
    match config::load(&path, &lists()) {
        Err(problems) => {
            for problem in &problems {
                checks.add(Finding::config(Health::Fail, problem));
            }
            checks.add(machine::models(Talking::Unknown).await);
        }
        Ok(loaded) => {
            for warning in &loaded.warnings {
                checks.add(Finding::config(Health::Warn, warning));
            }
            let summary = Summary::of(&loaded.plan).render();
            checks.add(Finding::ok(
                "config",
                format!("{}: {summary}", path.display()),
            ));
            examine(&loaded.plan, &mut checks).await;
        }
    }
    let ok = checks.made.iter().all(|it| it.health != Health::Fail);
    let report = Report {
        ok,
        checks: checks.made,
    };
    out.line(if ok {
        "ready for calls"
    } else {
        "not ready yet: mend what is marked ✗"
    });
    out.json(&report);
    Ok(if ok { Done::Well } else { Done::Refused })
}

/// Waits for an answer, but not for ever.
async fn in_time<T>(asked: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    let late = |_| {
        Fault::new(Blame::Carrier, code::CARRIER_UNREACHABLE, "did not answer")
            .hint("is the network up?")
    };
    tokio::time::timeout(PATIENCE, asked).await.map_err(late)?
}

/// Prints findings as they come, and keeps them.
struct Checks<'o> {
    out: &'o mut Out,
    made: Vec<Finding>,
}

impl Checks<'_> {
    fn add(&mut self, finding: Finding) {
        self.out.line(finding.render());
        self.made.push(finding);
    }
}

/// Tries everything that the plan names.
async fn examine(plan: &Plan, checks: &mut Checks<'_>) {
    let mut plan = plan.clone();
    // The tunnel is there for as long as it is looked at.
    let (way, _opened) = match public::place(&mut plan).await {
        Ok(placed) => placed,
        Err(fault) => {
            checks.add(Finding::of_fault("expose", Health::Fail, &fault));
            (Way::Known, None)
        }
    };
    let plan = &plan;
    for (name, carrier) in &plan.carriers {
        for finding in carrier::examine(plan, name, carrier, way).await {
            checks.add(finding);
        }
    }
    let mut talking = Talking::Nobody;
    for (name, agent) in &plan.agents {
        let what = format!("agent {name}");
        match &agent.answerer {
            Answerer::Words { agent, .. } => {
                talking = Talking::Somebody;
                checks.add(ask(what, agent.check()).await);
            }
            Answerer::Connects { .. } => {
                talking = Talking::Somebody;
                checks.add(Finding::ok(what, "connects to the gateway by itself"));
            }
            // It is always there, and not always used.
            Answerer::ByHand if plan.numbers.values().all(|it| it.agent != *name) => {}
            Answerer::ByHand => {
                talking = Talking::Somebody;
                checks.add(Finding::ok(what, "is answered over the API or MCP"));
            }
            Answerer::Loopback => checks.add(Finding::ok(what, "needs nothing")),
        }
    }
    checks.add(machine::models(talking).await);
    if let Some(recordings) = &plan.recordings {
        checks.add(machine::recordings(&recordings.dir));
    }
    for finding in reports::examine(plan).await {
        checks.add(finding);
    }
    for finding in public::examine_patiently(plan).await {
        checks.add(finding);
    }
}

async fn ask(what: String, check: impl Future<Output = Result<String, Fault>>) -> Finding {
    match in_time(check).await {
        Ok(line) => Finding::ok(what, line),
        Err(fault) => Finding::of_fault(&what, Health::Fail, &fault),
    }
}

impl Finding {
    fn ok(what: impl Into<String>, message: impl Into<String>) -> Self {
        let (what, message) = (what.into(), message.into());
        Self {
            what,
            health: Health::Ok,
            message,
            hint: None,
        }
    }

    fn fail(what: impl Into<String>, message: impl Into<String>, hint: impl Into<String>) -> Self {
        let (what, message, hint) = (what.into(), message.into(), Some(hint.into()));
        Self {
            what,
            health: Health::Fail,
            message,
            hint,
        }
    }

    fn config(health: Health, problem: &ConfigProblem) -> Self {
        let message = format!("{} (at {})", problem.message, problem.at());
        let hint = Some(problem.hint.clone());
        Self {
            what: "config".to_owned(),
            health,
            message,
            hint,
        }
    }

    /// For people: a line, and one for the hint.
    pub(super) fn render(&self) -> String {
        let (sign, colour) = match self.health {
            Health::Ok => ("✓", AnsiColor::Green),
            Health::Warn => ("!", AnsiColor::Yellow),
            Health::Fail => ("✗", AnsiColor::Red),
        };
        let style = Style::new().fg_color(Some(colour.into()));
        let line = format!("{style}{sign}{style:#} {}: {}", self.what, self.message);
        match &self.hint {
            Some(hint) => format!("{line}\n    hint: {hint}"),
            None => line,
        }
    }
}

/// How long anything may take to answer.
const PATIENCE: Duration = Duration::from_secs(12);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fakes::LISTS;

    #[tokio::test]
    async fn carriers_and_agents_are_asked() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("offhook.toml");
        for (whistle, health) in [("tweet", Health::Ok), ("silence", Health::Fail)] {
            let text = format!(
                "[server]\npublic_url = \"http://127.0.0.1:1\"\n[carriers.pigeon]\n\
                 coop = \"north\"\nwhistle = \"{whistle}\"\n[agents.reception]\nkind = \"parrot\"\n"
            );
            std::fs::write(&path, text).expect("the folder is ours");
            let loaded = config::load(&path, &LISTS).expect("it is right");
            let carrier = &loaded.plan.carriers["pigeon"];
            let finding = ask("carrier pigeon".to_owned(), carrier.calls.check()).await;
            assert_eq!(finding.health, health);
            if health == Health::Fail {
                let plain = anstream::adapter::strip_str(&finding.render()).to_string();
                assert_eq!(
                    plain,
                    "✗ carrier pigeon: wrong whistle\n    hint: whistle better"
                );
            }
        }
    }
}
