//! The stories of the wire, every secret and PIN in them a canary: whatever their gateways wrote, answered and logged at
//! the finest level is looked through by `crates/gateway/tests/wire/canaries.rs`, and added up here.

use std::fs;
use std::io::{self, BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::bench::release;
use crate::bench::table::{Goal, Row};

use super::Length;

/// Tells every story, or for short those with secrets in the middle of them.
pub(super) fn measure(root: &Path, length: Length) -> Result<Vec<Row>, String> {
    let folder = release(root).join("bench/canaries");
    let _ = fs::remove_dir_all(&folder);
    let failed = |what: String| format!("the drill canaries failed: {what}");
    fs::create_dir_all(&folder).map_err(|fault| failed(fault.to_string()))?;
    let mut command = Command::new("cargo");
    command.args([
        "test",
        "--quiet",
        "--locked",
        "--package",
        "gateway",
        "--test",
        "wire",
        "--",
    ]);
    match length {
        Length::Whole => {}
        Length::Short => drop(command.args(FEW)),
    }
    command.current_dir(root).env("OFFHOOK_CANARIES", &folder);
    // Stories that log everything take longer than others: as many at once as `make test` has.
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        command.env("RUST_TEST_THREADS", "3");
    }
    let late = stories_that_failed(&mut command).map_err(|fault| failed(fault.to_string()))?;
    let tally = fs::read_to_string(folder.join("tally.jsonl"));
    let tally = tally.map_err(|fault| failed(format!("no story was looked through: {fault}")))?;
    let stories: Vec<Value> = tally
        .lines()
        .filter_map(|it| serde_json::from_str(it).ok())
        .collect();
    let hits = stories.iter().filter_map(|it| it["hits"].as_array());
    let hits: Vec<_> = hits.flatten().collect();
    for hit in &hits {
        eprintln!("canaries: {hit}");
    }
    let sum = |what: &str| {
        stories
            .iter()
            .filter_map(|it| it[what].as_f64())
            .sum::<f64>()
    };
    let counted = |what, figure| Row::new(what, figure, Goal::None);
    Ok(vec![
        counted("stories", stories.len() as f64),
        counted("files looked through", sum("files")),
        counted("megabytes in them", sum("bytes") / 1e6),
        counted("answers looked through", sum("answers")),
        counted("log lines looked through", sum("lines")),
        Row::new(
            "secrets and PINs found",
            hits.len() as f64,
            Goal::AtMost(0.0),
        ),
        // At the finest level of the log everything is late, and some stories notice. They are looked through all the same;
        // whether they hold is for `cargo test` to say.
        Row::new(
            "of the stories, those that failed",
            late,
            Goal::AtMost(0.05),
        ),
    ])
}

/// Tells them, and which part of them failed. What that prints belongs to people: the figures go to the output.
fn stories_that_failed(command: &mut Command) -> io::Result<f64> {
    let mut child = command.stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().expect("standard output was asked for");
    let mut part = 1.0;
    for line in BufReader::new(out).lines() {
        let line = line?;
        eprintln!("{line}");
        part = failed_of(&line).unwrap_or(part);
    }
    child.wait()?;
    Ok(part)
}

/// Reads `test result: FAILED. 428 passed; 7 failed; …`.
fn failed_of(line: &str) -> Option<f64> {
    let counts = line.strip_prefix("test result: ")?.split_once(". ")?.1;
    let count = |what: &str| {
        let mut counts = counts.split("; ");
        let found = counts.find_map(|it| it.strip_suffix(what))?;
        found.trim().parse::<f64>().ok()
    };
    let (passed, failed) = (count("passed")?, count("failed")?);
    Some(failed / (passed + failed).max(1.0))
}

/// Where PINs are keyed, secrets rotate, doors are knocked at, and configurations are wrong.
const FEW: &[&str] = &["trust::", "law::", "rails::", "reload::", "disk::"];

#[cfg(test)]
mod tests {
    use super::failed_of;

    #[test]
    fn it_is_read_how_many_failed() {
        let line = "test result: FAILED. 6 passed; 2 failed; 0 ignored; 0 measured";
        assert_eq!(failed_of(line), Some(0.25));
        assert_eq!(failed_of("test result: ok. 6 passed; 0 failed"), Some(0.0));
        assert_eq!(failed_of("running 8 tests"), None);
    }
}
