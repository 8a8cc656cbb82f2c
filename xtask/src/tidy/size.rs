//! A newcomer should know a room at a glance, and an exception should say why it is one.

use super::Finding;
use crate::tree::{File, Tree};

/// Files fit the budget, and every lint that is switched off says why.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in tree.rust() {
        let lines = file.lines_without_tests().count();
        if lines > LINES {
            let message = format!("{lines} lines without tests, and {LINES} is the budget");
            found.push(Finding::new(&file.path, 1, message, TOO_LONG));
        }
        found.extend(exceptions(file));
    }
    found
}

/// Lints switched off without a reason, or with the attribute that never notices when it is not
/// needed any more; a program of tests or measurements may use that one for the whole of itself.
fn exceptions(file: &File) -> Vec<Finding> {
    let mut found = Vec::new();
    for (at, line) in file.lines() {
        let line = line.trim_start();
        let allows = [ALLOW, ALLOW_ALL].iter().any(|it| line.starts_with(it));
        let expects = [EXPECT, EXPECT_ALL].iter().any(|it| line.starts_with(it));
        if allows && !file.is_test() {
            let message = "a lint is switched off with `allow`";
            found.push(Finding::new(&file.path, at, message, USE_EXPECT));
        } else if (allows || expects) && !has_reason(file, at) {
            let message = "a lint is switched off without a reason";
            found.push(Finding::new(&file.path, at, message, SAY_WHY));
        }
    }
    found
}

/// Whether the attribute that starts in this line holds a reason before it ends.
fn has_reason(file: &File, start: usize) -> bool {
    for (_, line) in file.lines().skip(start - 1) {
        if line.contains("reason = \"") {
            return true;
        }
        if line.contains(")]") {
            return false;
        }
    }
    false
}

const LINES: usize = 800;
const ALLOW: &str = concat!("#[", "allow(");
const ALLOW_ALL: &str = concat!("#![", "allow(");
const EXPECT: &str = concat!("#[", "expect(");
const EXPECT_ALL: &str = concat!("#![", "expect(");

const TOO_LONG: &str = "find the second noun in the file and give it a file of its own";
const USE_EXPECT: &str = "use `#[expect(lint, reason = \"…\")]`: it warns once it is not needed";
const SAY_WHY: &str = "add `reason = \"…\"` that tells a reader why the rule does not fit here";

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let long = "//\n".repeat(LINES + 1);
        let tested = format!("//\n#[cfg(test)]\n{long}");
        let files = [("a.rs", long.as_str()), ("b.rs", tested.as_str())];
        assert_eq!(places(check, &files), ["a.rs:1"]);
    }

    #[test]
    fn exceptions_need_a_reason() {
        let text = format!("fn a() {{}}\n{EXPECT}clippy::too_many_lines)]\nfn b() {{}}\n");
        assert_eq!(places(check, &[("a.rs", &text)]), ["a.rs:2"]);
    }

    #[test]
    fn an_exception_with_a_reason_is_fine() {
        let text = format!("{EXPECT}\n    clippy::too_many_lines,\n    reason = \"a table\"\n)]\n");
        assert!(places(check, &[("a.rs", &text)]).is_empty());
    }

    #[test]
    fn allow_is_found_and_in_tests_needs_a_reason() {
        let bare = format!("{ALLOW}dead_code)]\nfn a() {{}}\n");
        let reasoned = format!("{ALLOW_ALL}dead_code, reason = \"shared\")]\n");
        let files = [
            ("a.rs", bare.as_str()),
            ("tests/b.rs", bare.as_str()),
            ("tests/c.rs", reasoned.as_str()),
        ];
        assert_eq!(places(check, &files), ["a.rs:1", "tests/b.rs:1"]);
    }
}
