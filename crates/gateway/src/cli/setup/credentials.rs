//! The account: what proves that it is ours, where that is kept, and whether it is right.

use std::collections::BTreeMap;
use std::path::Path;

use ports::carrier::{Carrier, Entry};
use ports::{Blame, Fault, Key, Kind, Need, Problem, Secret, Settings, Value, code};

use super::ask::Asker;
use crate::cli::Out;

/// A carrier that took our credentials, and what to write down to have it again.
pub(super) struct Proven {
    pub(super) carrier: Carrier,
    /// The lines of its table.
    pub(super) lines: Vec<(&'static str, String)>,
    /// What was typed and must not stand in the configuration: the files to keep it in.
    pub(super) secrets: Vec<(String, Secret)>,
}

/// Asks for what the carrier needs until it takes it. `folder` is the configuration's.
pub(super) async fn prove(
    entry: &Entry,
    given: &BTreeMap<String, String>,
    folder: &Path,
    asker: Asker,
    out: &mut Out,
) -> Result<Proven, Fault> {
    for name in given.keys() {
        if !entry.keys.iter().any(|key| key.name == name) {
            let known: Vec<&str> = entry.keys.iter().map(|it| it.name).collect();
            let message = format!("--set {name}: {} has no such key", entry.name);
            return Err(Fault::new(Blame::Config, code::CONFIG_INVALID, message)
                .hint(format!("it has {}", known.join(", "))));
        }
    }
    let mut given = given.clone();
    for _ in 0..ROUNDS {
        let proven = gather(entry, &given, folder, asker, out).await?;
        out.line(format_args!("asking {} …", proven.carrier.name));
        match proven.carrier.calls.check().await {
            Ok(line) => {
                out.line(format_args!("{line}"));
                return Ok(proven);
            }
            Err(fault) if asker == Asker::Nobody => return Err(fault),
            Err(fault) => {
                // What was asked for may be asked for again; the rest stands.
                out.fault(&fault);
                given.retain(|name, _| !is_secret(entry, name));
            }
        }
    }
    let message = "the carrier took none of the credentials";
    Err(
        Fault::new(Blame::Config, code::CARRIER_CREDENTIALS, message)
            .hint("copy them from the carrier's console, and run `offhook setup` again"),
    )
}

fn is_secret(entry: &Entry, name: &str) -> bool {
    entry
        .keys
        .iter()
        .any(|it| it.name == name && it.kind == Kind::Secret)
}

/// Asks once for everything, and again for what the carrier's own check finds wrong.
async fn gather(
    entry: &Entry,
    given: &BTreeMap<String, String>,
    folder: &Path,
    asker: Asker,
    out: &mut Out,
) -> Result<Proven, Fault> {
    let mut answers = BTreeMap::new();
    let mut wrong: Vec<Problem> = Vec::new();
    for _ in 0..ROUNDS {
        for key in entry.keys {
            let again = wrong.iter().any(|it| it.key == key.name);
            if answers.contains_key(key.name) && !again {
                continue;
            }
            let given = given.get(key.name).filter(|_| !again);
            if let Some(answer) = answer(entry, key, given, folder, asker).await? {
                answers.insert(key.name, answer);
            }
        }
        let mut settings = Settings::default();
        for (name, answer) in &answers {
            settings = settings.with(name, answer.value.clone());
        }
        match (entry.build)(&settings) {
            Ok(carrier) => return Ok(proven(entry, carrier, answers)),
            Err(problems) => wrong = problems,
        }
        let first = wrong
            .first()
            .map(|it| (it.message.clone(), it.hint.clone()));
        let (message, hint) = first.unwrap_or_default();
        if asker == Asker::Nobody {
            let fault = Fault::new(Blame::Config, code::CONFIG_INVALID, message);
            return Err(fault.hint(hint));
        }
        for problem in &wrong {
            out.aside(format_args!(
                "  {}: {}; {}",
                problem.key, problem.message, problem.hint
            ));
        }
    }
    let message = format!("nothing that was said is right for {}", entry.name);
    Err(Fault::new(Blame::Config, code::CONFIG_INVALID, message))
}

/// The answer to one question.
struct Answer {
    value: Value,
    /// What stands in the configuration.
    written: String,
    /// What stands in a file of its own.
    kept: Option<(String, Secret)>,
}

async fn answer(
    entry: &Entry,
    key: &Key,
    given: Option<&String>,
    folder: &Path,
    asker: Asker,
) -> Result<Option<Answer>, Fault> {
    let flag = format!("--set {}=…", key.name);
    if key.need == Need::Optional && given.is_none() {
        return Ok(None);
    }
    let question = format!("{} ({}):", key.name, key.help);
    if key.kind != Kind::Secret {
        let plain = |text: &str| match text {
            "" => Err("it cannot be empty".to_owned()),
            text => Ok(text.to_owned()),
        };
        let text = asker
            .text(&flag, &question, (given.map(String::as_str), None), plain)
            .await?;
        return Ok(Some(Answer {
            value: Value::Text(text.clone()),
            written: text,
            kept: None,
        }));
    }
    let name = format!("{}_{}", entry.name, key.name);
    let env = name.to_uppercase();
    if let Some(given) = given {
        return refer(&flag, given, folder).map(Some);
    }
    if std::env::var(&env).is_ok_and(|it| !it.is_empty()) {
        return refer(&flag, &format!("env:{env}"), folder).map(Some);
    }
    let question = format!(
        "{question} it is kept in a file for you alone; to keep it yourself, stop and set ${env}:"
    );
    let secret = asker.secret(&flag, &question).await?;
    let file = unused(folder, &name, &secret);
    Ok(Some(Answer {
        value: Value::Secret(secret.clone()),
        written: format!("file:{file}"),
        kept: Some((file, secret)),
    }))
}

/// A file for a secret. One that holds another is left to whoever may still need it.
fn unused(folder: &Path, name: &str, secret: &Secret) -> String {
    let named = |count: u32| match count {
        1 => format!("{SECRETS}/{name}"),
        count => format!("{SECRETS}/{name}.{count}"),
    };
    let is_free = |file: &String| match std::fs::read_to_string(folder.join(file)) {
        Ok(kept) => secret.is(&kept),
        Err(_) => !folder.join(file).exists(),
    };
    let mut names = (1..=MOST_SECRETS).map(named);
    names.find(is_free).unwrap_or_else(|| named(MOST_SECRETS))
}

/// A secret that is kept elsewhere. On a command line everybody would see it.
fn refer(flag: &str, written: &str, folder: &Path) -> Result<Answer, Fault> {
    let fault = |message: String| {
        Fault::new(Blame::Config, code::CONFIG_INVALID, message)
            .hint("write env:NAME, with the secret in that variable, or file:PATH")
    };
    let secret = match written.split_once(':') {
        Some(("env", name)) => {
            std::env::var(name).map_err(|_| fault(format!("${name} is not set")))?
        }
        Some(("file", path)) => std::fs::read_to_string(folder.join(path.trim()))
            .map_err(|error| fault(format!("{path} cannot be read: {error}")))?,
        Some(_) | None => {
            let flag = flag.replace('…', "env:NAME");
            return Err(fault(format!(
                "a secret does not belong on a command line: use {flag}"
            )));
        }
    };
    Ok(Answer {
        value: Value::Secret(Secret::new(secret.trim())),
        written: written.to_owned(),
        kept: None,
    })
}

fn proven(entry: &Entry, carrier: Carrier, answers: BTreeMap<&'static str, Answer>) -> Proven {
    let mut answers = answers;
    let mut proven = Proven {
        carrier,
        lines: Vec::new(),
        secrets: Vec::new(),
    };
    for key in entry.keys {
        if let Some(answer) = answers.remove(key.name) {
            proven.lines.push((key.name, answer.written));
            proven.secrets.extend(answer.kept);
        }
    }
    proven
}

/// How often it is tried with other credentials.
const ROUNDS: usize = 5;

/// So many secrets of one name may be kept.
const MOST_SECRETS: u32 = 1_000;

/// The folder of files with secrets, beside the configuration.
const SECRETS: &str = "offhook-secrets";
