//! Every code of a fault has a page, is used, and is never written as a bare text.

use super::Finding;
use crate::errors::{CODES, PAGES, codes, pages};
use crate::tree::{File, Tree};

/// Codes are documented, used, and written only in their own file.
pub(super) fn check(tree: &Tree) -> Vec<Finding> {
    let codes = codes(tree);
    let mut found = Vec::new();
    for code in &codes {
        if code.page.is_empty() {
            let message = format!("`{}` has no documentation", code.code);
            found.push(Finding::new(CODES, code.line, message, WRITE_PAGE));
        }
        let mut others = tree.rust().filter(|file| file.path != CODES);
        if !others.any(|file| file.text.contains(&code.constant)) {
            let message = format!("no fault carries `{}`", code.code);
            found.push(Finding::new(CODES, code.line, message, UNUSED));
        }
    }
    let written = tree.file(PAGES).map_or("", |file| file.text.as_str());
    if written != pages(&codes) {
        let message = "the pages are not those of the codes";
        found.push(Finding::new(PAGES, 1, message, RUN_DOCS));
    }
    let bare = tree.below("crates/").filter(|file| file.path != CODES);
    found.extend(bare.flat_map(bare_codes));
    found
}

/// Faults made with a text where a code belongs.
fn bare_codes(file: &File) -> Vec<Finding> {
    if !file.path.ends_with(".rs") {
        return Vec::new();
    }
    let mut found = Vec::new();
    let mut end_of_tests = 0;
    for (at, line) in file.lines_without_tests() {
        end_of_tests = at;
        if line.trim_start().starts_with("code: \"") {
            found.push(Finding::new(
                &file.path,
                at,
                "a code is a bare text",
                USE_CONSTANT,
            ));
        }
    }
    let judged: Vec<&str> = file.text.lines().take(end_of_tests).collect();
    let judged = judged.join("\n");
    for (start, _) in judged.match_indices(NEW_FAULT) {
        let arguments = judged[start + NEW_FAULT.len()..].splitn(3, ',');
        if arguments
            .skip(1)
            .take(1)
            .any(|it| it.trim_start().starts_with('"'))
        {
            let at = judged[..start].matches('\n').count() + 1;
            found.push(Finding::new(
                &file.path,
                at,
                "a code is a bare text",
                USE_CONSTANT,
            ));
        }
    }
    found
}

const NEW_FAULT: &str = "Fault::new(";
const WRITE_PAGE: &str = "add a `///` line above it: that line is its page";
const UNUSED: &str = "delete it, or use it where that fault is made";
const RUN_DOCS: &str = "run `cargo xtask docs` and commit docs/errors.md";
const USE_CONSTANT: &str = "use a constant of `ports::code`, and add one there if none fits";

#[cfg(test)]
mod tests {
    use super::super::places;
    use super::*;

    const ONE: &str = "/// The line is dead.\npub const LINE_DEAD: &str = \"line.dead\";\n";
    const USED: &str = "fn a() { Fault::new(Blame::Caller, code::LINE_DEAD, \"x\") }\n";

    fn with_pages(codes_file: &str, files: &[(&str, &str)]) -> Vec<String> {
        let written = pages(&codes(&Tree::of(&[(CODES, codes_file)])));
        let mut all = vec![(CODES, codes_file), (PAGES, written.as_str())];
        all.extend(files);
        places(check, &all)
    }

    #[test]
    fn a_code_with_a_page_that_is_used_is_fine() {
        assert!(with_pages(ONE, &[("crates/a/src/a.rs", USED)]).is_empty());
    }

    #[test]
    fn a_code_without_documentation_is_found() {
        let bare = ONE.replace("/// The line is dead.", "");
        let found = with_pages(&bare, &[("crates/a/src/a.rs", USED)]);
        assert_eq!(found, [format!("{CODES}:2")]);
    }

    #[test]
    fn a_code_nobody_uses_is_found() {
        assert_eq!(with_pages(ONE, &[]), [format!("{CODES}:2")]);
    }

    #[test]
    fn pages_out_of_date_are_found() {
        let files = [
            (CODES, ONE),
            (PAGES, "# Errors\n"),
            ("crates/a/src/a.rs", USED),
        ];
        assert_eq!(places(check, &files), [format!("{PAGES}:1")]);
    }

    #[test]
    fn a_bare_code_is_found_in_both_spellings() {
        let text = format!(
            "{USED}\nFault::new(\n  Blame::Caller,\n  \"line.dead\",\n  \"x\",\n)\ncode: \"line.dead\",\n"
        );
        let found = with_pages(ONE, &[("crates/a/src/a.rs", &text)]);
        assert_eq!(found, ["crates/a/src/a.rs:8", "crates/a/src/a.rs:3"]);
    }
}
