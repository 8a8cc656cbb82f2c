//! `offhook init --list-options`: everything that may stand in a configuration, for programs that write one.
//!
//! It is read off the file that `offhook init` writes, so that both say the same.

use serde::Serialize;

/// A table of a configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Table<'a> {
    /// As it is named in the file: `policy`, `agents.NAME`.
    name: &'a str,
    /// What it is for.
    about: String,
    options: Vec<Choice<'a>>,
}

/// A line of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Choice<'a> {
    key: &'a str,
    /// What the file says without it, or what it could say, in TOML.
    example: &'a str,
    /// What it does.
    help: String,
}

/// Reads what `offhook init` writes.
pub(super) fn options(text: &str) -> Vec<Table<'_>> {
    let mut tables: Vec<Table<'_>> = Vec::new();
    let mut help: Vec<&str> = Vec::new();
    for line in text.lines() {
        match (Line::read(line), tables.last_mut()) {
            (Line::Said(text), _) => help.push(text),
            (Line::Blank, _) => help.clear(),
            (Line::Head(name), _) => tables.push(Table {
                name,
                about: take(&mut help),
                options: Vec::new(),
            }),
            (Line::Key { key, example }, Some(table)) => {
                let help = take(&mut help);
                let choice = Choice { key, example, help };
                table.options.push(choice);
            }
            // No table is without a head.
            (Line::Key { .. }, None) => {}
        }
    }
    tables
}

fn take(help: &mut Vec<&str>) -> String {
    std::mem::take(help).join(" ")
}

enum Line<'a> {
    Blank,
    Said(&'a str),
    Head(&'a str),
    Key { key: &'a str, example: &'a str },
}

impl<'a> Line<'a> {
    /// A line that is switched off has `#` and no space before it, or three of them where it stands for others.
    fn read(line: &'a str) -> Self {
        let off = line.strip_prefix("#   ").or_else(|| {
            let off = line.strip_prefix('#')?;
            (!off.starts_with(' ')).then_some(off)
        });
        if line.is_empty() {
            return Self::Blank;
        }
        let written = match (off, line.strip_prefix("# ")) {
            (Some(off), _) => off,
            (None, Some(said)) => return Self::Said(said),
            (None, None) => line,
        };
        let head = written
            .strip_prefix('[')
            .and_then(|it| it.strip_suffix(']'));
        match (head, written.split_once(" = ")) {
            (Some(name), _) => Self::Head(name),
            (None, Some((key, example))) => Self::Key { key, example },
            (None, None) => Self::Said(written),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{init, lists};

    #[test]
    fn all_that_may_stand_in_a_configuration_is_listed() {
        let text = init::text(&lists());
        let tables = options(&text);
        let choice = |table: &str, key: &str| {
            let table = tables.iter().find(|it| it.name == table)?;
            table.options.iter().find(|it| it.key == key)
        };
        let calls = choice("policy", "call").expect("it is there");
        assert_eq!(calls.example, "[]");
        assert!(calls.help.starts_with("Whom it may dial"), "{}", calls.help);
        assert!(calls.help.ends_with("never dialled."), "{}", calls.help);
        let opening = choice("agents.NAME", "opening").expect("every agent has it");
        assert_eq!(opening.example, "\"Hello, what can I do for you?\"");
        for entry in lists().carriers {
            for key in entry.keys {
                let there = choice(&format!("carriers.{}", entry.name), key.name);
                assert!(there.is_some_and(|it| !it.help.is_empty()), "{}", key.name);
            }
        }
        assert!(tables.iter().all(|it| !it.options.is_empty()));
    }
}
