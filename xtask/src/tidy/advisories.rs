//! Each test that `docs/advisories.md` names is there.

use std::collections::BTreeSet;

use super::Finding;
use crate::tree::Tree;

/// Every advisory has a test that is there, or says with what it comes.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let Some(table) = tree.file(TABLE) else {
        return vec![Finding::new(TABLE, 1, "there is no table", HINT)];
    };
    let tests = tests(tree);
    let mut found = Vec::new();
    for (at, line) in table.lines() {
        let Some(cells) = line
            .strip_prefix("| ")
            .filter(|it| !it.starts_with("what went"))
        else {
            continue;
        };
        let last = cells.trim_end_matches(" |").rsplit(" | ").next();
        let last = last.unwrap_or_default();
        let named: Vec<&str> = last.split('`').skip(1).step_by(2).collect();
        if named.is_empty() && !last.contains("with ") {
            found.push(Finding::new(TABLE, at, "no test is named", HINT));
        }
        for name in named.iter().filter(|it| !tests.contains(**it)) {
            found.push(Finding::new(
                TABLE,
                at,
                format!("there is no test `{name}`"),
                HINT,
            ));
        }
    }
    found
}

/// Functions that follow an attribute of a test. One that a macro makes for each carrier counts by its own name.
fn tests(tree: &Tree) -> BTreeSet<&str> {
    let mut tests = BTreeSet::new();
    for file in tree.rust() {
        let mut attributed = false;
        for line in file.text.lines().map(str::trim_start) {
            attributed |= line.starts_with("#[test]") || line.starts_with("#[tokio::test");
            let name = ["fn ", "async fn "]
                .iter()
                .find_map(|it| line.strip_prefix(it));
            if let Some(name) = name.filter(|_| std::mem::take(&mut attributed)) {
                tests.extend(name.split(['(', '<']).next());
            }
        }
    }
    tests
}

const TABLE: &str = "docs/advisories.md";
const HINT: &str = "name the test that fails where the same is done, or say with what it comes";

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::check;

    #[test]
    fn a_test_that_is_not_there_is_found() {
        let table = "| what went wrong | it teaches | the test |\n|---|---|---|\n| a | b | `one`, `two` |\n| a | b | with c |\n| a | b |  |\n";
        let code = "#[test]\nfn one() {}\n\nfn two() {}\n#[tokio::test]\nasync fn three() {}\n";
        let files = [("docs/advisories.md", table), ("crates/a/src/b.rs", code)];
        assert_eq!(
            places(check, &files),
            ["docs/advisories.md:3", "docs/advisories.md:5"]
        );
    }

    #[test]
    fn tests_that_are_there_are_fine() {
        let table = "| a | b | `one`, `three` |\n";
        let code = "#[test]\nfn one() {}\n    #[tokio::test(start_paused = true)]\n    async fn three() {}\n";
        let files = [("docs/advisories.md", table), ("crates/a/src/b.rs", code)];
        assert!(places(check, &files).is_empty());
    }
}
