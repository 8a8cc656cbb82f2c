//! Rules about the house that the compiler does not know, each in its own file with a test that
//! breaks it.

mod advisories;
mod codes;
mod leftovers;
mod lock;
mod names;
mod purity;
mod rooms;
mod size;

use std::fmt;
use std::path::Path;

use crate::tree::Tree;

/// Checks every rule and prints what breaks one.
pub(crate) fn run(root: &Path) -> Result<(), String> {
    let tree = crate::house(root)?;
    let found: Vec<Finding> = RULES.iter().flat_map(|(_, rule)| rule(&tree)).collect();
    for finding in &found {
        eprintln!("{finding}");
    }
    if found.is_empty() {
        let rules: Vec<_> = RULES.iter().map(|(name, _)| *name).collect();
        let files = tree.files().count();
        println!("tidy: {files} files keep the rules of {}", rules.join(", "));
        return Ok(());
    }
    Err(format!("tidy found {} things to mend", found.len()))
}

/// A place that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    message: String,
    hint: &'static str,
}

type Rule = fn(&Tree) -> Vec<Finding>;

impl Finding {
    fn new(path: &str, line: usize, message: impl Into<String>, hint: &'static str) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
            hint,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}:{}: {}", self.path, self.line, self.message)?;
        write!(f, "  hint: {}", self.hint)
    }
}

const RULES: &[(&str, Rule)] = &[
    ("names", names::check),
    ("purity", purity::check),
    ("rooms", rooms::check),
    ("lock file", lock::check),
    ("size", size::check),
    ("leftovers", leftovers::check),
    ("codes", codes::check),
    ("advisories", advisories::check),
];

/// What a rule finds on an invented tree, as `path:line`.
#[cfg(test)]
fn places(rule: Rule, files: &[(&str, &str)]) -> Vec<String> {
    let found = rule(&Tree::of(files));
    let place = |it: &Finding| format!("{}:{}", it.path, it.line);
    found.iter().map(place).collect()
}
