//! What must not be left lying about: unfinished work, switched-off tests, one machine's paths,
//! and names that mean the author did not find the noun.

use super::Finding;
use crate::tree::{File, Tree};

/// No leftovers in any Rust file, no machine's own paths in any file.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found: Vec<Finding> = tree.rust().flat_map(in_lines).collect();
    found.extend(tree.rust().flat_map(in_names));
    let ours = tree.files().filter(|file| file.path != "Cargo.lock");
    found.extend(ours.flat_map(in_paths));
    found
}

fn in_lines(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, line) in file.lines() {
        for (word, hint) in WORDS {
            if line.contains(word) {
                let message = format!("`{word}` is left here");
                found.push(Finding::new(&file.path, at, message, hint));
            }
        }
    }
    found
}

/// A module is named by its file, its folder, or a `mod` in a file.
fn in_names(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    for part in file.path.split('/') {
        let stem = part.strip_suffix(".rs").unwrap_or(part);
        if NO_NOUNS.contains(&stem) {
            let message = format!("a module is called `{stem}`");
            found.push(Finding::new(&file.path, 1, message, FIND_THE_NOUN));
        }
    }
    for (at, line) in file.lines() {
        if let Some(name) = inline_module(line)
            && NO_NOUNS.contains(&name)
        {
            let message = format!("a module is called `{name}`");
            found.push(Finding::new(&file.path, at, message, FIND_THE_NOUN));
        }
    }
    found
}

/// The name of a module that is written out where it is declared.
fn inline_module(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once("mod ")?;
    let name = rest.strip_suffix('{')?;
    Some(name.trim())
}

fn in_paths(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, line) in file.lines() {
        for path in MACHINE_PATHS {
            if leads_somewhere(line, path) {
                let message = format!("`{path}` is a path of one machine");
                found.push(Finding::new(&file.path, at, message, RELATIVE));
            }
        }
    }
    found
}

/// Whether a name follows the folder: the folder alone may be what a test looks for.
fn leads_somewhere(line: &str, folder: &str) -> bool {
    let mut after = line.split(folder).skip(1);
    after.any(|rest| rest.starts_with(|c: char| c.is_alphanumeric() || c == '.'))
}

const WORDS: &[(&str, &str)] = &[
    (
        concat!("to", "do!"),
        "finish it, or leave the whole of it out",
    ),
    (
        concat!("unimplement", "ed!"),
        "finish it, or leave the whole of it out",
    ),
    (concat!("#[ig", "nore"), "mend the test, or delete it"),
    (
        concat!("db", "g!("),
        "delete it, or make it a `tracing` line",
    ),
    (
        concat!("FIX", "ME"),
        "mend it now, or write an issue and say what holds meanwhile",
    ),
    (
        concat!("XX", "X"),
        "mend it now, or write an issue and say what holds meanwhile",
    ),
];

const NO_NOUNS: &[&str] = &[
    "common", "core", "glue", "handler", "handlers", "helper", "helpers", "manager", "misc",
    "service", "services", "types", "util", "utils",
];

const MACHINE_PATHS: &[&str] = &[concat!("/ro", "ot/"), concat!("/wo", "rk/")];

const FIND_THE_NOUN: &str = "call it by what it is; these words mean the noun was not found";
const RELATIVE: &str = "write it relative to the checkout, or ask the environment";

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn every_leftover_word_is_found() {
        for (word, _) in WORDS {
            let text = format!("fn a() {{}}\n    {word}\n");
            assert_eq!(places(check, &[("a.rs", &text)]), ["a.rs:2"], "{word}");
        }
    }

    #[test]
    fn a_module_without_a_noun_is_found_in_every_spelling() {
        let found = places(
            check,
            &[
                ("crates/a/src/utils.rs", ""),
                ("crates/a/src/core/b.rs", ""),
                ("crates/a/src/lib.rs", "\nmod helpers {\n}\n"),
            ],
        );
        let expected = [
            "crates/a/src/utils.rs:1",
            "crates/a/src/core/b.rs:1",
            "crates/a/src/lib.rs:2",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_path_of_one_machine_is_found_in_any_file() {
        for path in MACHINE_PATHS {
            let text = format!("see {path}x\n");
            assert_eq!(places(check, &[("README.md", &text)]), ["README.md:1"]);
            let folder = format!("a test looks for \"{path}\"\n");
            assert!(places(check, &[("a.rs", &folder)]).is_empty());
        }
    }

    #[test]
    fn honest_work_is_fine() {
        let text = "mod frame;\nfn core_of() {} // the common case\n";
        assert!(places(check, &[("crates/a/src/lib.rs", text)]).is_empty());
    }
}
