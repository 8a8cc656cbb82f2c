//! `docs/errors.md`: a page for every code, from the documentation of the codes themselves.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::tree::{File, Tree};

/// Where the codes are.
pub(crate) const CODES: &str = "crates/ports/src/code.rs";
/// Where their pages are.
pub(crate) const PAGES: &str = "docs/errors.md";

/// One code of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Code {
    /// In which line of [`CODES`].
    pub(crate) line: usize,
    /// The constant.
    pub(crate) constant: String,
    /// What users see.
    pub(crate) code: String,
    /// What it means.
    pub(crate) page: String,
}

/// Writes the pages.
pub(crate) fn write(root: &Path) -> Result<(), String> {
    let tree = crate::house(root)?;
    let codes = codes(&tree);
    let path = root.join(PAGES);
    let folder = path.parent().unwrap_or(root);
    fs::create_dir_all(folder)
        .and_then(|()| fs::write(&path, pages(&codes)))
        .map_err(|fault| format!("cannot write {PAGES}: {fault}"))?;
    println!("{PAGES}: {} codes", codes.len());
    Ok(())
}

/// Every code, in the order of its file.
pub(crate) fn codes(tree: &Tree) -> Vec<Code> {
    tree.file(CODES).map(read).unwrap_or_default()
}

/// The text of `docs/errors.md`.
pub(crate) fn pages(codes: &[Code]) -> String {
    let mut text = String::from(INTRODUCTION);
    let mut family = "";
    for code in codes {
        let (head, _) = code.code.split_once('.').unwrap_or((&code.code, ""));
        if head != family {
            family = head;
            write!(text, "\n## {family}\n\n").expect("writing to a String cannot fail");
        }
        let Code { code, page, .. } = code;
        writeln!(text, "- **`{code}`** {page}").expect("writing to a String cannot fail");
    }
    text
}

fn read(file: &File) -> Vec<Code> {
    let mut codes = Vec::new();
    let mut page = String::new();
    let mut lines = file.lines().peekable();
    while let Some((line, text)) = lines.next() {
        if let Some(sentence) = text.strip_prefix("/// ") {
            if !page.is_empty() {
                page.push(' ');
            }
            page.push_str(sentence);
        } else if let Some(rest) = text.strip_prefix("pub const ") {
            // Rustfmt puts a long value on a line of its own.
            let mut whole = rest.to_owned();
            while !whole.contains(';') {
                let Some((_, more)) = lines.next() else { break };
                whole.push_str(more);
            }
            let page = std::mem::take(&mut page);
            codes.extend(constant(&whole).map(|(constant, code)| Code {
                line,
                constant,
                code,
                page,
            }));
        } else {
            page.clear();
        }
    }
    codes
}

/// `NAME: &str = "code";`
fn constant(text: &str) -> Option<(String, String)> {
    let (name, rest) = text.split_once(':')?;
    let code = rest.split('"').nth(1)?;
    Some((name.trim().to_owned(), code.to_owned()))
}

const INTRODUCTION: &str = "\
# Errors

Every error offhook reports has a code that never changes its meaning. The code is what to search
for, what a program may compare, and what `call.ended`, the log, the command line and the control
API all show. With it come a sentence about what happened, who has to act, whether trying again
can help, and, where there is one, a hint about what to do.

This file is written by `cargo xtask docs` from `crates/ports/src/code.rs`; change it there.
";

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "//! Codes.\n\n/// The line is dead.\n/// Again.\npub const LINE_DEAD: &str = \"line.dead\";\n/// Too long.\npub const LINE_LONG: &str =\n    \"line.long\";\npub const BARE: &str = \"line.bare\";\n";

    #[test]
    fn codes_come_with_their_documentation() {
        let codes = codes(&Tree::of(&[(CODES, FILE)]));
        let found: Vec<_> = codes
            .iter()
            .map(|it| (it.code.as_str(), it.page.as_str()))
            .collect();
        let expected = [
            ("line.dead", "The line is dead. Again."),
            ("line.long", "Too long."),
            ("line.bare", ""),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn pages_are_grouped_by_family() {
        let text = pages(&codes(&Tree::of(&[(CODES, FILE)])));
        assert!(text.contains("\n## line\n\n- **`line.dead`** The line is dead. Again.\n"));
        assert_eq!(text.matches("## line").count(), 1);
    }
}
