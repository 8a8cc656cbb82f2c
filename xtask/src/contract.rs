//! The contract between the gateway and every carrier: which stories hold on which line.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

/// Tells every story over every line, and prints a table of what came of them.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let mut command = Command::new("cargo");
    command.args(TELL).current_dir(root).stdout(Stdio::piped());
    let mut told = command
        .spawn()
        .map_err(|fault| format!("cannot run cargo: {fault}"))?;
    let out = told.stdout.take().expect("standard output was asked for");
    let mut table = Table::default();
    for line in BufReader::new(out).lines() {
        let line = line.map_err(|fault| format!("cannot read what cargo says: {fault}"))?;
        // Also what a story that failed has to say.
        eprintln!("{line}");
        if let Some(told) = read(&line) {
            table.enter(told);
        }
    }
    let status = told.wait();
    let status = status.map_err(|fault| format!("cannot wait for cargo: {fault}"))?;
    print!("{}", table.shown());
    if table.stories.is_empty() {
        return Err("no story was told".to_owned());
    }
    let failed = table.count(Outcome::Failed);
    match status.success() && failed == 0 {
        true => Ok(()),
        false => Err(format!("{failed} did not go as they should")),
    }
}

/// What came of one story on one line.
struct Told<'t> {
    line: &'t str,
    story: &'t str,
    outcome: Outcome,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Held,
    Failed,
}

/// Reads a line such as `test contract::LINE::STORY ... ok`.
fn read(line: &str) -> Option<Told<'_>> {
    let (path, result) = line.strip_prefix("test contract::")?.split_once(" ... ")?;
    let (line, story) = path.split_once("::")?;
    let outcome = match result {
        "ok" => Outcome::Held,
        _ => Outcome::Failed,
    };
    Some(Told {
        line,
        story,
        outcome,
    })
}

#[derive(Default)]
struct Table {
    lines: BTreeSet<String>,
    stories: BTreeMap<String, BTreeMap<String, Outcome>>,
}

impl Table {
    fn enter(&mut self, told: Told<'_>) {
        let line = told.line.to_owned();
        self.lines.insert(line.clone());
        let story = self.stories.entry(told.story.to_owned()).or_default();
        story.insert(line, told.outcome);
    }

    fn count(&self, outcome: Outcome) -> usize {
        let all = self.stories.values().flat_map(BTreeMap::values);
        all.filter(|it| **it == outcome).count()
    }

    fn shown(&self) -> String {
        let longest = self.stories.keys().map(String::len).max().unwrap_or(0);
        let mut text = format!("{:longest$}", "");
        for line in &self.lines {
            text += &format!("  {line}");
        }
        text.push('\n');
        for (story, outcomes) in &self.stories {
            text += &format!("{:longest$}", story.replace('_', " "));
            for line in &self.lines {
                let word = match outcomes.get(line) {
                    Some(Outcome::Held) => "yes",
                    Some(Outcome::Failed) => "NO",
                    None => "-",
                };
                text += &format!("  {word:width$}", width = line.len());
            }
            text = text.trim_end().to_owned() + "\n";
        }
        let (stories, held) = (self.stories.len(), self.count(Outcome::Held));
        let all = held + self.count(Outcome::Failed);
        text += &format!("{stories} stories, {held} of {all} hold\n");
        text
    }
}

const TELL: &[&str] = &[
    "test",
    "--locked",
    "--package",
    "gateway",
    "--test",
    "wire",
    "--",
    "contract::",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_says_which_story_holds_where() {
        let mut table = Table::default();
        let lines = [
            "test contract::north::a_busy_phone ... ok",
            "test contract::south::a_busy_phone ... FAILED",
            "test contract::north::a_transfer ... ok",
            "test meetings::three ... ok",
            "test result: FAILED. 2 passed",
        ];
        for told in lines.into_iter().filter_map(read) {
            table.enter(told);
        }
        let shown = "              north  south\n\
                     a busy phone  yes    NO\n\
                     a transfer    yes    -\n\
                     2 stories, 2 of 3 hold\n";
        assert_eq!(table.shown(), shown);
    }
}
