//! The configuration as written: a tree in which every key knows its line.

use std::fs;
use std::io::Read;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ports::code;
use toml::de::{DeTable, DeValue};

use super::problem::{ConfigProblem, Findings, Place};

/// A file as a person wrote it. It may hold secrets, so there is no way to print it.
pub(super) struct File {
    /// The folder that relative paths in it start from.
    pub folder: PathBuf,
    /// Everything in it.
    pub entries: Vec<Entry>,
    /// Whether everyone on this machine can read it.
    pub audience: Audience,
}

/// One `key = value`, or one table.
pub(super) struct Entry {
    /// As written, without quotes.
    pub key: String,
    /// Counted from one.
    pub line: usize,
    /// What stands behind the key.
    pub value: Written,
}

/// A value as written.
pub(super) enum Written {
    /// A string.
    Text(String),
    /// A whole number.
    Number(i64),
    /// A number with a fraction, digit for digit.
    Fraction(String),
    /// An array, with the line of each element.
    List(Vec<(usize, Written)>),
    /// A table.
    Table(Vec<Entry>),
    /// Yes or no.
    Flag(bool),
    /// Something that no key takes, by what people call it.
    Other(&'static str),
}

/// Who can read a file on this machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Audience {
    /// Its owner, and perhaps a group.
    Few,
    /// Everyone.
    Everyone,
}

impl File {
    /// Reads the file at `path`.
    pub(super) fn read(path: &Path) -> Result<Self, Vec<ConfigProblem>> {
        let name = shown(path);
        let (text, audience) = contents(path).map_err(|problem| vec![problem.in_file(&name)])?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Self::parse(&name, &text, folder, audience)
    }

    /// Reads `text`, which is called `name` in problems.
    pub(super) fn parse(
        name: &str,
        text: &str,
        folder: PathBuf,
        audience: Audience,
    ) -> Result<Self, Vec<ConfigProblem>> {
        let lines = Lines::of(text);
        let (table, errors) = DeTable::parse_recoverable(text);
        let mut findings = Findings::new(name);
        for error in errors {
            // Only the parser's own words: what stands in the file may be a secret.
            let line = error.span().map_or(1, |span| lines.line(&span));
            let message = format!("this is not TOML: {}", error.message());
            findings.problem(
                Place::Line(line),
                message,
                "see https://toml.io for how to write it",
            );
        }
        findings.into_result()?;
        let entries = entries(table.get_ref(), &lines);
        Ok(Self {
            folder,
            entries,
            audience,
        })
    }
}

impl Written {
    /// What people call such a value.
    pub(super) fn what(&self) -> &'static str {
        match self {
            Self::Text(_) => "a string",
            Self::Number(_) => "a number",
            Self::Fraction(_) => "a number with a fraction",
            Self::List(_) => "a list",
            Self::Table(_) => "a table",
            Self::Flag(_) => "true or false",
            Self::Other(what) => what,
        }
    }
}

/// How a path is called in problems.
pub(crate) fn shown(path: &Path) -> String {
    let path = path.strip_prefix("./").unwrap_or(path);
    path.display().to_string()
}

/// Who can read an open file.
#[cfg(unix)]
pub(super) fn audience(meta: &fs::Metadata) -> Audience {
    use std::os::unix::fs::PermissionsExt;
    const READABLE_BY_OTHERS: u32 = 0o004;
    if meta.permissions().mode() & READABLE_BY_OTHERS == 0 {
        Audience::Few
    } else {
        Audience::Everyone
    }
}

/// Who can read an open file. Where permissions are not Unix's, nobody is accused.
#[cfg(not(unix))]
pub(super) fn audience(_meta: &fs::Metadata) -> Audience {
    Audience::Few
}

fn contents(path: &Path) -> Result<(String, Audience), ConfigProblem> {
    let file = match fs::File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(missing()),
        Err(error) => return Err(unreadable(&error)),
    };
    let meta = file.metadata().map_err(|error| unreadable(&error))?;
    let mut text = String::new();
    file.take(LARGEST + 1)
        .read_to_string(&mut text)
        .map_err(|error| unreadable(&error))?;
    if text.len() as u64 > LARGEST {
        let message = format!("the configuration is longer than {LARGEST} bytes");
        let hint = "is this the right file?";
        return Err(ConfigProblem::whole_file(
            code::CONFIG_INVALID,
            message,
            hint,
        ));
    }
    Ok((text, audience(&meta)))
}

fn missing() -> ConfigProblem {
    ConfigProblem::whole_file(
        code::CONFIG_MISSING,
        "there is no configuration, and without one nothing is called and nothing is answered",
        "`offhook init` writes one, with every line explained",
    )
}

fn unreadable(error: &std::io::Error) -> ConfigProblem {
    ConfigProblem::whole_file(
        code::CONFIG_INVALID,
        format!("the configuration cannot be read: {error}"),
        "the file must be text, and readable for whoever runs offhook",
    )
}

fn entries(table: &DeTable<'_>, lines: &Lines) -> Vec<Entry> {
    let mut entries: Vec<Entry> = table
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            line: lines.line(&key.span()),
            value: written(value.get_ref(), lines),
        })
        .collect();
    // The parser sorts by key; problems are read in the order of the file.
    entries.sort_by_key(|entry| entry.line);
    entries
}

fn written(value: &DeValue<'_>, lines: &Lines) -> Written {
    match value {
        DeValue::String(text) => Written::Text(text.to_string()),
        DeValue::Integer(number) => {
            let digits = number.as_str();
            match i64::from_str_radix(digits, number.radix()) {
                Ok(number) => Written::Number(number),
                Err(_) => Written::Other("a number too large"),
            }
        }
        DeValue::Float(number) => Written::Fraction(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Written::Flag(*flag),
        DeValue::Datetime(_) => Written::Other("a date"),
        DeValue::Array(elements) => {
            let element = elements.iter();
            let element = element.map(|it| (lines.line(&it.span()), written(it.get_ref(), lines)));
            Written::List(element.collect())
        }
        DeValue::Table(table) => Written::Table(entries(table, lines)),
    }
}

/// Where the lines of a text begin.
struct Lines(Vec<usize>);

impl Lines {
    fn of(text: &str) -> Self {
        let breaks = text.match_indices('\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(breaks).collect())
    }

    /// The line in which a span begins, counted from one.
    fn line(&self, span: &Range<usize>) -> usize {
        self.0.partition_point(|start| *start <= span.start)
    }
}

const LARGEST: u64 = 1 << 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one() {
        let lines = Lines::of("a\nbc\n\nd");
        let line = |at: usize| lines.line(&(at..at + 1));
        assert_eq!(
            [line(0), line(1), line(2), line(4), line(5), line(6)],
            [1, 1, 2, 2, 3, 4]
        );
    }

    #[test]
    fn every_key_knows_its_line_also_inside_inline_tables() {
        let text = "a = 1\n[b.c]\nd = [\n  1,\n  2,\n]\n[numbers.\"+1\"]\nx = { y = 0x1F }\n";
        let file = File::parse("t", text, PathBuf::new(), Audience::Few).expect("it is TOML");
        let mut seen = Vec::new();
        walk("", &file.entries, &mut seen);
        let expected = [
            "a:1",
            "b:2",
            "b.c:2",
            "b.c.d:3",
            "numbers:7",
            "numbers.+1:7",
            "numbers.+1.x:8",
            "numbers.+1.x.y:8",
        ];
        assert_eq!(seen, expected);
    }

    fn walk(path: &str, entries: &[Entry], seen: &mut Vec<String>) {
        for entry in entries {
            let path = format!("{path}{}", entry.key);
            seen.push(format!("{path}:{}", entry.line));
            if let Written::Table(inner) = &entry.value {
                walk(&format!("{path}."), inner, seen);
            }
        }
    }
}
