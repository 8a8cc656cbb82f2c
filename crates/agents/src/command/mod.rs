//! A program that answers: what the caller says goes to its input, and what it writes is spoken. In plain text, or in
//! letters of JSON, one a line.

mod blocks;
pub(crate) mod child;
mod lines;
mod plain;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use call::Private;
use ports::agent::{Agent, Answer, Answerer, Entry, Introduction, Judge, Matter, Opens, Tell};
use ports::{Blame, Fault, Key, Kind, Link, Need, Problem, Settings, code, pair};

use crate::dialogue::{Dialogue, Kept, Letters};
use crate::judging::ByLetter;
use crate::patience::{Patience, TOKEN, TURN};
use child::Program;
use lines::Lines;
use plain::{Manner, Plain, Told};

/// How this kind of agent is listed.
pub(crate) const ENTRY: Entry = Entry {
    kind: "command",
    about: "a program on this machine, in plain text or lines of JSON",
    keys: &[
        Key::new(
            "command",
            Kind::List,
            Need::Required,
            "the program and its arguments: `command = [\"claude\", \"-p\"]`",
        ),
        Key::new(
            "per",
            Kind::Text,
            Need::Optional,
            "how long it runs: for each \"turn\", or for a whole \"call\"; default \"turn\"",
        ),
        Key::new(
            "speaks",
            Kind::Text,
            Need::Optional,
            "how it is talked to: in plain \"text\", or in lines of \"json\"; default \"text\"",
        ),
        Key::new(
            "told",
            Kind::Text,
            Need::Optional,
            "what one that runs for a turn is told: \"everything\" that was said, or what was \"said\" last; default \"everything\"",
        ),
        Key::new(
            "instructions",
            Kind::Text,
            Need::Optional,
            "what one that is told everything reads before it",
        ),
        Key::new(
            "prompt",
            Kind::Text,
            Need::Optional,
            "what one that runs for a call writes when it waits; without it, its answers end at a blank line",
        ),
        Key::new(
            "folder",
            Kind::Text,
            Need::Optional,
            "where it runs, if not where the gateway does",
        ),
        Key::new(
            "environment",
            Kind::List,
            Need::Optional,
            "variables of the gateway's that it may see, besides the usual ones",
        ),
        FIRST_TOKEN,
        TOKEN,
        TURN,
    ],
    build,
};

/// Programs think longer than others before they begin.
const FIRST_TOKEN: Key = Key::new(
    "first_token_timeout_s",
    Kind::Number,
    Need::Optional,
    "how long its first word may take; default 45",
);

fn build(settings: &Settings) -> Result<Answerer, Vec<Problem>> {
    let mut problems = Vec::new();
    let patience = patience(settings, &mut problems);
    let mut wrong = |key, message: &str, hint: &str| {
        let (message, hint) = (message.to_owned(), hint.to_owned());
        problems.push(Problem { key, message, hint });
    };
    let text = |key| settings.text(key);
    let kept = match text("per") {
        None | Some("turn") => Kept::Turn,
        Some("call") => Kept::Call,
        Some(_) => {
            wrong("per", "it is neither of the two", "write `turn` or `call`");
            Kept::Turn
        }
    };
    let told = match text("told") {
        None | Some("everything") => Told::Everything,
        Some("said") => Told::Said,
        Some(_) => {
            wrong(
                "told",
                "it is neither of the two",
                "write `everything` or `said`",
            );
            Told::Everything
        }
    };
    let manner = Manner {
        kept,
        prompt: text("prompt").map(str::to_owned),
        instructions: text("instructions").map(str::to_owned),
        told,
        patience,
    };
    let speaks = match text("speaks") {
        None | Some("text") => Speaks::Text(manner),
        Some("json") => Speaks::Json(kept, patience),
        Some(_) => {
            wrong(
                "speaks",
                "it is neither of the two",
                "write `text` or `json`",
            );
            Speaks::Text(manner)
        }
    };
    let list = |key| settings.list(key).unwrap_or_default().to_vec();
    let program = Program {
        command: list("command"),
        folder: text("folder").map(str::to_owned),
        environment: list("environment"),
    };
    if program.command.first().is_none_or(String::is_empty) {
        wrong(
            "command",
            "there is no program in it",
            "write it as `command = [\"my-agent\"]`",
        );
    }
    if problems.is_empty() {
        let agent = Arc::new(Commanded { program, speaks });
        let opens = Opens::Agent;
        return Ok(Answerer::Words { agent, opens });
    }
    Err(problems)
}

fn patience(settings: &Settings, problems: &mut Vec<Problem>) -> Patience {
    let patience = Patience::of(settings, problems);
    match settings.number(FIRST_TOKEN.name) {
        Some(_) => patience,
        None => Patience {
            first_token: SLOW,
            ..patience
        },
    }
}

/// An agent that is a program.
struct Commanded {
    program: Program,
    speaks: Speaks,
}

/// How a program is talked to.
enum Speaks {
    Text(Manner),
    Json(Kept, Patience),
}

#[async_trait]
impl Agent for Commanded {
    async fn open(&self, call: Introduction) -> Result<Link<Tell, Answer>, Fault> {
        let (near, far) = pair(CAPACITY);
        let program = self.program.clone();
        match &self.speaks {
            Speaks::Text(manner) => {
                let plain = Plain::new((program, manner.clone()), call, far);
                tokio::spawn(plain.run());
            }
            Speaks::Json(kept, patience) => {
                let lines = Lines {
                    program,
                    call: call.clone(),
                };
                let letters = Box::new(Letters::about(&call));
                let dialogue =
                    Dialogue::new(call, far, (Box::new(lines), letters), (*kept, *patience));
                tokio::spawn(dialogue.run());
            }
        }
        Ok(near)
    }

    async fn check(&self) -> Result<String, Fault> {
        let program = self.program.command.first().map_or("", String::as_str);
        if found(program) {
            return Ok(format!("the program {program} is there"));
        }
        let message = format!("the program {program} is not there");
        let fault = Fault::new(Blame::Config, code::AGENT_UNREACHABLE, message);
        Err(fault.hint("install it, or write where it is in the agent's `command`"))
    }

    fn judge(&self) -> Option<Box<dyn Judge>> {
        match &self.speaks {
            Speaks::Json(..) => Some(Box::new(Judging(self.program.clone()))),
            // What it writes is spoken, and nothing else.
            Speaks::Text(_) => None,
        }
    }
}

/// Asks a program what came of a call: it is started for that alone.
struct Judging(Program);

#[async_trait]
impl Judge for Judging {
    async fn judge(&mut self, matter: &Matter) -> Result<Private<String>, Fault> {
        let lines = Lines {
            program: self.0.clone(),
            call: matter.call.clone(),
        };
        ByLetter(Box::new(lines)).judge(matter).await
    }
}

/// Whether a program is there, as far as can be told without running it.
fn found(program: &str) -> bool {
    if program.contains('/') {
        return std::path::Path::new(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|it| it.join(program).is_file())
}

const CAPACITY: usize = 64;
const SLOW: Duration = Duration::from_secs(45);
