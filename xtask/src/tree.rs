//! The files of a checkout, in memory, so that a rule can be tried on a small invented one.

use std::fs;
use std::io;
use std::path::Path;

/// Text files by their path from the root, with `/` between the parts, sorted.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: Vec<File>,
}

/// One text file.
#[derive(Debug)]
pub(crate) struct File {
    /// From the root.
    pub(crate) path: String,
    /// All of it.
    pub(crate) text: String,
}

impl Tree {
    /// Reads a checkout: every text file, but not what builds leave behind.
    pub(crate) fn read(root: &Path) -> io::Result<Self> {
        let mut tree = Self::default();
        tree.gather(root, "")?;
        tree.files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(tree)
    }

    /// All files.
    pub(crate) fn files(&self) -> impl Iterator<Item = &File> {
        self.files.iter()
    }

    /// Rust files of our crates.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files().filter(|file| file.path.ends_with(".rs"))
    }

    /// Files below a folder, which is written with a slash at its end.
    pub(crate) fn below<'t>(&'t self, folder: &'t str) -> impl Iterator<Item = &'t File> {
        self.files()
            .filter(move |file| file.path.starts_with(folder))
    }

    /// The file at this path.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files().find(|file| file.path == path)
    }

    fn gather(&mut self, root: &Path, folder: &str) -> io::Result<()> {
        for entry in fs::read_dir(root.join(folder))? {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let path = match folder {
                "" => name.clone(),
                folder => format!("{folder}/{name}"),
            };
            if LEFT_BEHIND.contains(&name.as_str()) {
                continue;
            }
            let kind = entry.file_type()?;
            if kind.is_dir() {
                self.gather(root, &path)?;
            }
            // What is not UTF-8 is sound or a picture, and no rule speaks of those.
            // In a second worktree `.git` is a file.
            if kind.is_file()
                && !LEFT_BEHIND.contains(&name.as_str())
                && let Ok(text) = String::from_utf8(fs::read(entry.path())?)
            {
                self.files.push(File { path, text });
            }
        }
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Self {
            files: files.iter().map(file).collect(),
        }
    }
}

impl File {
    /// The lines with their numbers, from one.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(at, it)| (at + 1, it))
    }

    /// The lines before the tests, which stand last in every file.
    pub(crate) fn lines_without_tests(&self) -> impl Iterator<Item = (usize, &str)> {
        let all = if self.is_test() { 0 } else { usize::MAX };
        let tests = self.lines().find(|(_, line)| is_test_gate(line));
        let end = tests.map_or(usize::MAX, |(at, _)| at).min(all);
        self.lines().take_while(move |(at, _)| *at < end)
    }

    /// Whether the whole file is there for tests or measurements.
    pub(crate) fn is_test(&self) -> bool {
        let mut parts = self.path.split('/');
        parts.any(|part| {
            matches!(
                part,
                "tests" | "benches" | "examples" | "fixtures" | "tests.rs"
            )
        })
    }
}

fn is_test_gate(line: &str) -> bool {
    line.starts_with("#[cfg(test)]") || line.starts_with("#![cfg(test)]")
}

/// Folders that are not part of the house, and what only machines read. In a second checkout `.git` is a file.
const LEFT_BEHIND: &[&str] = &[".git", "corpus", "node_modules", "out", "target"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_at_the_end_of_a_file_are_set_apart() {
        let tree = Tree::of(&[("a.rs", "one\n#[cfg(test)]\nmod tests {}\n")]);
        let file = tree.file("a.rs").expect("it was just put there");
        let lines: Vec<_> = file.lines_without_tests().collect();
        assert_eq!(lines, [(1, "one")]);
    }

    #[test]
    fn a_file_of_tests_has_nothing_else() {
        let tree = Tree::of(&[("crates/a/tests/b.rs", "one\n")]);
        let file = tree.file("crates/a/tests/b.rs").expect("it is there");
        assert_eq!(file.lines_without_tests().count(), 0);
    }
}
