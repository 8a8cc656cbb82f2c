//! What a configuration says, key by key, as hashes: enough to see what another one says
//! differently, and nothing that could be read.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use call::Number;
use ports::Secret;
use sha2::{Digest, Sha256};

use super::file::{Entry, File, Written};
use super::plug;

/// What a configuration says, key by key. It cannot be printed.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Marks(BTreeMap<Vec<String>, [u8; 32]>);

/// The secrets behind `env:` and `file:`, by the line and the key that ask for them.
#[derive(Default)]
pub(super) struct Behind(RefCell<BTreeMap<(usize, String), [u8; 32]>>);

impl Behind {
    pub(super) fn note(&self, line: usize, key: &str, secret: &Secret) {
        let digest = Sha256::digest(secret.reveal()).into();
        self.0.borrow_mut().insert((line, key.to_owned()), digest);
    }
}

impl Marks {
    pub(super) fn of(file: &File, behind: &Behind) -> Self {
        let mut marks = Self::default();
        marks.add(&mut Vec::new(), &file.entries, behind);
        marks
    }

    /// The keys that another configuration has differently, as people write them. Whole numbers
    /// are not shown.
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let all = self.0.keys().chain(other.0.keys());
        let mut differing: Vec<String> = all
            .filter(|it| self.0.get(*it) != other.0.get(*it))
            .map(|it| shown(it))
            .collect();
        differing.sort();
        differing.dedup();
        differing
    }

    /// Whether another configuration says the same in the table `[table.name]`.
    pub fn agree_on(&self, other: &Self, table: &str, name: &str) -> bool {
        let below = |marks: &Self| -> Vec<(Vec<String>, [u8; 32])> {
            let all = marks.0.iter();
            let ours =
                all.filter(|(path, _)| path.len() > 2 && path[0] == table && path[1] == name);
            ours.map(|(path, mark)| (path.clone(), *mark)).collect()
        };
        below(self) == below(other)
    }

    fn add(&mut self, path: &mut Vec<String>, entries: &[Entry], behind: &Behind) {
        for entry in entries {
            path.push(entry.key.clone());
            if let Written::Table(inner) = &entry.value {
                self.add(path, inner, behind);
            } else {
                let mut hash = Sha256::new();
                absorb(&mut hash, &entry.value);
                let key = (entry.line, entry.key.clone());
                if let Some(secret) = behind.0.borrow().get(&key) {
                    hash.update(secret);
                }
                self.0.insert(path.clone(), hash.finalize().into());
            }
            path.pop();
        }
    }
}

/// The files that a configuration names, if it can be read so far. A text that only looks like the
/// name of a secret's file does no harm.
pub fn named_files(path: &Path) -> Vec<PathBuf> {
    let mut named = Vec::new();
    if let Ok(file) = File::read(path) {
        walk(&file.entries, &mut |text| {
            if let Some(path) = text.strip_prefix("file:") {
                named.push(file.folder.join(path.trim()));
            }
        });
    }
    named.truncate(MOST_FILES);
    named
}

fn walk(entries: &[Entry], found: &mut impl FnMut(&str)) {
    for entry in entries {
        match &entry.value {
            Written::Text(text) => found(text),
            Written::Table(inner) => walk(inner, found),
            Written::Flag(_)
            | Written::Number(_)
            | Written::Fraction(_)
            | Written::List(_)
            | Written::Other(_) => {}
        }
    }
}

fn absorb(hash: &mut Sha256, value: &Written) {
    let mut part = |kind: u8, bytes: &[u8]| {
        hash.update([kind]);
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    match value {
        Written::Text(text) => part(1, text.as_bytes()),
        Written::Number(number) => part(2, &number.to_le_bytes()),
        Written::Fraction(number) => part(7, number.as_bytes()),
        Written::Other(what) => part(3, what.as_bytes()),
        Written::Flag(flag) => part(6, &[u8::from(*flag)]),
        Written::List(elements) => {
            part(4, &(elements.len() as u64).to_le_bytes());
            for (_, element) in elements {
                absorb(hash, element);
            }
        }
        Written::Table(entries) => {
            part(5, &(entries.len() as u64).to_le_bytes());
            for entry in entries {
                hash.update(entry.key.as_bytes());
                absorb(hash, &entry.value);
            }
        }
    }
}

fn shown(path: &[String]) -> String {
    let part = |part: &String| match Number::parse(part) {
        Ok(number) => format!("\"{number:?}\""),
        Err(_) => plug::shown(part).to_owned(),
    };
    path.iter().map(part).collect::<Vec<_>>().join(".")
}

/// More are not looked after.
const MOST_FILES: usize = 64;
