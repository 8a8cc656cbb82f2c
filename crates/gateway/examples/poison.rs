//! Configurations with one thing wrong each: none of them may start anything, and each must say what.
//!
//! They are made from one good configuration that names every key it can: each key in turn has a value
//! that it cannot have, or is misspelt, or is there twice. What is wrong must be told of with the key's
//! own name, or its table's.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use gateway::cli::lists;
use gateway::config::{self, ConfigProblem};
use serde_json::json;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are its whole output"
)]
fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = std::env::temp_dir().join(format!("offhook-poison-{}", std::process::id()));
    if let Err(error) = std::fs::create_dir(&folder) {
        eprintln!("{}: {error}", folder.display());
        return ExitCode::FAILURE;
    }
    let file = folder.join("offhook.toml");
    let good = load(&file, GOOD);
    let poisons = poisons();
    let (mut started, mut unnamed) = (0, 0);
    for poison in &poisons {
        match load(&file, &poison.text) {
            Ok(()) => {
                started += 1;
                eprintln!("started: {}", poison.what);
            }
            Err(problems) if !problems.iter().any(|it| poison.is_named(it)) => {
                unnamed += 1;
                eprintln!("not named: {}: {problems:#?}", poison.what);
            }
            Err(_) => {}
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
    if let Err(problems) = &good {
        eprintln!("the good one is not: {problems:#?}");
    }
    let none = json!({ "at_most": 0.0 });
    println!(
        "{}",
        json!([
            { "what": "good ones refused", "figure": f64::from(u8::from(good.is_err())), "goal": none },
            { "what": "poisoned ones", "figure": poisons.len() as f64, "goal": { "at_least": 300.0 } },
            { "what": "of those started", "figure": f64::from(started), "goal": none },
            { "what": "of those not named", "figure": f64::from(unnamed), "goal": none },
        ])
    );
    ExitCode::SUCCESS
}

fn load(file: &PathBuf, text: &str) -> Result<(), Vec<ConfigProblem>> {
    // A file that cannot be written is one that cannot be read.
    let _ = std::fs::write(file, text);
    config::load(Path::new(file), &lists()).map(drop)
}

/// One configuration with one thing wrong.
struct Poison {
    what: String,
    text: String,
    /// One of these must be in what is told of it.
    names: Vec<String>,
}

impl Poison {
    fn is_named(&self, problem: &ConfigProblem) -> bool {
        let told = format!("{} {}", problem.message, problem.hint);
        self.names.iter().any(|it| told.contains(it))
    }
}

fn poisons() -> Vec<Poison> {
    let lines: Vec<&str> = GOOD.lines().collect();
    let mut poisons = Vec::new();
    let mut table = "";
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with('[') {
            table = line;
            continue;
        }
        let Some((key, value)) = line.split_once(" = ") else {
            continue;
        };
        let plain = key.trim_matches('"');
        let mut poison = |what: &str, instead: String| {
            let mut text = lines.clone();
            text[at] = &instead;
            poisons.push(Poison {
                what: format!("{table} {key}: {what}"),
                text: text.join("\n"),
                names: vec![
                    format!("`{plain}`"),
                    "duplicate key".to_owned(),
                    table.to_owned(),
                ],
            });
        };
        for (what, wrong) in wrong_for(value) {
            poison(what, format!("{key} = {wrong}"));
        }
        poison("there twice", format!("{line}\n{line}"));
        if plain == key {
            poison("misspelt", format!("{key}x = {value}"));
        }
    }
    poisons
}

/// Values that a key with this one cannot have.
fn wrong_for(value: &str) -> Vec<(&'static str, &'static str)> {
    let mut wrong = vec![
        ("a table", "{ a = 1 }"),
        ("a date", "2026-01-01"),
        ("a list of lists", "[[1]]"),
    ];
    if value.starts_with('"') {
        wrong.extend([
            ("a number", "7"),
            ("a flag", "true"),
            ("a list", "[\"x\"]"),
            ("empty", "\"\""),
            ("a fraction", "0.5"),
        ]);
    } else if value.starts_with('[') {
        wrong.extend([
            ("a number", "7"),
            ("a flag", "true"),
            ("a string", "\"x\""),
            ("numbers in it", "[1, 2]"),
            ("nonsense in it", "[\"x\"]"),
        ]);
    } else if value == "true" || value == "false" {
        wrong.extend([
            ("a number", "7"),
            ("a string", "\"true\""),
            ("a list", "[true]"),
        ]);
    } else {
        wrong.extend([
            ("a string", "\"7\""),
            ("a flag", "true"),
            ("negative", "-1"),
            ("huge", "99999999999999999999"),
            ("a list", "[7]"),
            ("no number", "nan"),
        ]);
    }
    wrong
}

const GOOD: &str = r#"[server]
listen = "127.0.0.1:8787"
public_url = "https://voice.example.com"
drain_seconds = 5
[carriers.twilio]
account_sid = "AC00000000000000000000000000000000"
auth_token = "0123456789abcdef0123456789abcdef"
[carriers.plivo]
auth_id = "MA000000000000000000"
auth_token = "0123456789abcdef"
[numbers."+15550002222"]
carrier = "twilio"
agent = "reception"
[agents.reception]
kind = "answering-service"
opening = "Hello."
on_machine = "leave"
machine_message = "Please call back."
transfer_to = ["ben"]
language = "en"
tools = ["take_message", "calendar"]
call_back_after_s = 60
history = "caller"
history_trust = "proven"
[agents.echo]
kind = "echo-test"
[tools.calendar]
url = "http://127.0.0.1:9000/calendar"
about = "When the owner is free"
token = "0123456789abcdef"
timeout_s = 30
trust = "caller-id"
[transfers.ben]
number = "+15557654321"
spoken = "Ben"
wait_seconds = 30
after = "end"
agent = "leaves"
trust = "attested"
[contacts.mom]
number = "+4930123456"
hours = "08:00-21:00"
zone = "Europe/Berlin"
[policy]
call = ["+15557654321"]
answer = ["+15557654321"]
owner = ["+15557654321"]
hours = "08:00-21:00"
opt_out_key = "9"
new_numbers = 3
approve = "unknown"
consent = "recorded"
call_own_numbers = false
max_calls = 3
max_minutes = 10
calls_per_hour = 20
calls_per_number = 5
spend_per_call = 1.5
spend_per_hour = 5
spend_per_day = 20
spend_per_month = 100
spend_per_number = 10
spend_per_agent = 10
[rates]
"+1" = 0.014
default = 0.5
[turns]
endpoint_ms = 600
endpoint_short_ms = 300
endpoint_long_ms = 1300
barge_in_ms = 300
silence_s = 60
ring_s = 45
[phrases]
goodbye = "Goodbye."
apology = "I am sorry."
[recordings]
dir = "recordings"
by = "gateway"
[reports.crm]
url = "https://crm.example.com/calls"
secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
events = ["call.report", "caller.*"]
timeout_s = 20
[reports.archive]
file = "reports.jsonl"
[journal]
days = 90
max_mib = 1024
"#;
