//! Reading one table: asks for its keys one by one, then complains about the rest.

use std::ops::RangeInclusive;

use policy::Money;
use strsim::damerau_levenshtein;

use super::file::{Entry, Written};
use super::problem::{Findings, Place};

/// A table being read. It remembers which keys were asked for: what is left over is a typing error.
pub(super) struct Section<'f> {
    /// As people write it: `[policy]`. Empty for the file's own level.
    pub name: String,
    /// Where it stands.
    pub place: Place,
    entries: &'f [Entry],
    asked: Vec<&'static str>,
}

/// A value and its line.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spot<T> {
    /// The value.
    pub value: T,
    /// Counted from one.
    pub line: usize,
}

impl<T> Spot<T> {
    /// The place of the line.
    pub(super) fn place(&self) -> Place {
        Place::Line(self.line)
    }

    /// Another value from the same line.
    pub(super) fn with<V>(&self, value: V) -> Spot<V> {
        Spot {
            value,
            line: self.line,
        }
    }
}

impl<'f> Section<'f> {
    /// The file's own level.
    pub(super) fn root(entries: &'f [Entry]) -> Self {
        Self {
            name: String::new(),
            place: Place::File,
            entries,
            asked: Vec::new(),
        }
    }

    /// The table `[key]`. If it is not there, one without keys.
    pub(super) fn section(&mut self, key: &'static str, found: &mut Findings) -> Section<'f> {
        let name = format!("[{key}]");
        let (place, entries) = match self.table(key, found) {
            Some(table) => (table.place(), table.value),
            None => (Place::Table(name.clone()), &[][..]),
        };
        Section {
            name,
            place,
            entries,
            asked: Vec::new(),
        }
    }

    /// The tables `[key.NAME]`, by name, in the order of the file. `title` says how people call
    /// one of them.
    pub(super) fn sections(
        &mut self,
        key: &'static str,
        title: impl Fn(&str) -> String,
        found: &mut Findings,
    ) -> Vec<(&'f str, Section<'f>)> {
        let mut sections = Vec::new();
        let entries = self.table(key, found).map_or(&[][..], |table| table.value);
        for entry in entries {
            let name = title(&entry.key);
            let Written::Table(entries) = &entry.value else {
                let message = format!("{name} must be a table, but it is {}", entry.value.what());
                let hint = format!("begin with the line {name}, and write its keys below");
                found.problem(Place::Line(entry.line), message, hint);
                continue;
            };
            let section = Section {
                name,
                place: Place::Line(entry.line),
                entries,
                asked: Vec::new(),
            };
            sections.push((entry.key.as_str(), section));
        }
        sections
    }

    /// A string that is not empty.
    pub(super) fn text(
        &mut self,
        key: &'static str,
        found: &mut Findings,
    ) -> Option<Spot<&'f str>> {
        let entry = self.ask(key)?;
        match &entry.value {
            Written::Text(text) if text.trim().is_empty() => {
                let message = format!("`{key}`{} is empty", self.within());
                found.problem(
                    Place::Line(entry.line),
                    message,
                    "write a value, or remove the line",
                );
                None
            }
            Written::Text(text) => Some(Spot {
                value: text,
                line: entry.line,
            }),
            Written::Number(_)
            | Written::Fraction(_)
            | Written::List(_)
            | Written::Table(_)
            | Written::Flag(_)
            | Written::Other(_) => {
                self.wrong(
                    entry,
                    "a string",
                    &format!("write it as `{key} = \"…\"`"),
                    found,
                );
                None
            }
        }
    }

    /// Yes or no.
    pub(super) fn flag(&mut self, key: &'static str, found: &mut Findings) -> Option<bool> {
        let entry = self.ask(key)?;
        if let Written::Flag(flag) = entry.value {
            return Some(flag);
        }
        let hint = format!("write it without quotes: `{key} = true`");
        self.wrong(entry, "true or false", &hint, found);
        None
    }

    /// A whole number within `range`.
    pub(super) fn number(
        &mut self,
        key: &'static str,
        range: RangeInclusive<u64>,
        found: &mut Findings,
    ) -> Option<Spot<u64>> {
        let entry = self.ask(key)?;
        let (least, most) = (*range.start(), *range.end());
        let bounds = if most == u64::MAX {
            format!("a whole number from {least}")
        } else {
            format!("a whole number from {least} to {most}")
        };
        match &entry.value {
            Written::Number(number) => {
                let number = u64::try_from(*number).ok().filter(|it| range.contains(it));
                let Some(value) = number else {
                    let message = format!("`{key}`{} must be {bounds}", self.within());
                    found.problem(
                        Place::Line(entry.line),
                        message,
                        format!("such as `{key} = {}`", least.max(1)),
                    );
                    return None;
                };
                Some(Spot {
                    value,
                    line: entry.line,
                })
            }
            Written::Text(_)
            | Written::Fraction(_)
            | Written::List(_)
            | Written::Table(_)
            | Written::Flag(_)
            | Written::Other(_) => {
                let hint = format!("write it without quotes: `{key} = {}`", least.max(1));
                self.wrong(entry, &bounds, &hint, found);
                None
            }
        }
    }

    /// An amount of money.
    pub(super) fn amount(
        &mut self,
        key: &'static str,
        found: &mut Findings,
    ) -> Option<Spot<Money>> {
        let entry = self.ask(key)?;
        let value = self.money(entry, found)?;
        let line = entry.line;
        Some(Spot { value, line })
    }

    /// Amounts under keys that the owner chooses, in the order of the file.
    pub(super) fn amounts(self, found: &mut Findings) -> Vec<(Spot<&'f str>, Money)> {
        let mut amounts = Vec::new();
        for entry in self.entries {
            let (value, line) = (entry.key.as_str(), entry.line);
            let money = self.money(entry, found);
            amounts.extend(money.map(|it| (Spot { value, line }, it)));
        }
        amounts
    }

    /// All keys and their texts, in a table whose keys are the owner's own.
    pub(super) fn texts(self, found: &mut Findings) -> Vec<(Spot<&'f str>, Spot<&'f str>)> {
        let mut texts = Vec::new();
        for entry in self.entries {
            let (value, line) = (entry.key.as_str(), entry.line);
            match &entry.value {
                Written::Text(text) if !text.trim().is_empty() => {
                    let text = Spot {
                        value: text.as_str(),
                        line,
                    };
                    texts.push((Spot { value, line }, text));
                }
                Written::Text(_)
                | Written::Number(_)
                | Written::Fraction(_)
                | Written::List(_)
                | Written::Table(_)
                | Written::Flag(_)
                | Written::Other(_) => {
                    self.wrong(entry, "words", "write it as `DE = \"…\"`", found);
                }
            }
        }
        texts
    }

    fn money(&self, entry: &Entry, found: &mut Findings) -> Option<Money> {
        let written = match &entry.value {
            Written::Number(number) => number.to_string(),
            Written::Fraction(number) => number.clone(),
            Written::Text(_)
            | Written::List(_)
            | Written::Table(_)
            | Written::Flag(_)
            | Written::Other(_) => entry.value.what().to_owned(),
        };
        let money = Money::parse(&written);
        if let Err(fault) = money {
            let key = if looks_like_a_key(&entry.key) {
                &entry.key
            } else {
                "…"
            };
            let message = format!("`{key}`{} is not an amount: {fault}", self.within());
            let hint = "write it without quotes, such as `0.014`";
            found.problem(Place::Line(entry.line), message, hint);
        }
        money.ok()
    }

    /// A list of strings.
    pub(super) fn list(
        &mut self,
        key: &'static str,
        found: &mut Findings,
    ) -> Option<Spot<Vec<Spot<&'f str>>>> {
        let entry = self.ask(key)?;
        let hint = format!("write it as `{key} = [\"…\", \"…\"]`");
        let Written::List(elements) = &entry.value else {
            self.wrong(entry, "a list of strings", &hint, found);
            return None;
        };
        let mut value = Vec::new();
        for (line, element) in elements {
            if let Written::Text(text) = element {
                value.push(Spot {
                    value: text.as_str(),
                    line: *line,
                });
                continue;
            }
            let what = element.what();
            let within = self.within();
            let message = format!("`{key}`{within} must be a list of strings, but {what} is in it");
            found.problem(Place::Line(*line), message, &*hint);
        }
        Some(Spot {
            value,
            line: entry.line,
        })
    }

    /// Whether the key is there at all, rightly written or not.
    pub(super) fn has(&self, key: &str) -> bool {
        self.entries.iter().any(|entry| entry.key == key)
    }

    /// Whether a list is written there.
    pub(super) fn has_list(&self, key: &str) -> bool {
        let list = |entry: &Entry| matches!(entry.value, Written::List(_));
        self.entries.iter().any(|it| it.key == key && list(it))
    }

    /// Complains if a key is not there at all.
    pub(super) fn require(&self, key: &str, hint: &str, found: &mut Findings) {
        if !self.has(key) {
            let message = format!("`{key}`{} is missing", self.within());
            found.problem(self.place.clone(), message, hint);
        }
    }

    /// Complains about every key that nobody asked for.
    pub(super) fn close(self, found: &mut Findings) {
        for entry in self.entries {
            let key = entry.key.as_str();
            if self.asked.contains(&key) {
                continue;
            }
            let (noun, of) = match (&entry.value, self.name.as_str()) {
                (Written::Table(_), "") => ("table", "the configuration"),
                (Written::Table(_), name) => ("table", name),
                (_, "") => ("key", "the configuration"),
                (_, name) => ("key", name),
            };
            // The key may itself be a number, or a secret put in the wrong place.
            let key = if looks_like_a_key(key) { key } else { "…" };
            let message = format!("`{key}` is not a {noun} of {of}");
            let hint = nearest(key, self.asked.iter().copied());
            found.problem(Place::Line(entry.line), message, hint);
        }
    }

    /// ` in [policy]`, or nothing at the file's own level.
    pub(super) fn within(&self) -> String {
        match self.name.as_str() {
            "" => String::new(),
            name => format!(" in {name}"),
        }
    }

    fn table(&mut self, key: &'static str, found: &mut Findings) -> Option<Spot<&'f [Entry]>> {
        let entry = self.ask(key)?;
        let Written::Table(entries) = &entry.value else {
            let hint = format!("write it as a line `[{key}]` with its keys below");
            self.wrong(entry, "a table", &hint, found);
            return None;
        };
        Some(Spot {
            value: entries,
            line: entry.line,
        })
    }

    fn ask(&mut self, key: &'static str) -> Option<&'f Entry> {
        self.asked.push(key);
        self.entries.iter().find(|entry| entry.key == key)
    }

    fn wrong(&self, entry: &Entry, right: &str, hint: &str, found: &mut Findings) {
        let (key, what) = (&entry.key, entry.value.what());
        let message = format!("`{key}`{} must be {right}, but it is {what}", self.within());
        found.problem(Place::Line(entry.line), message, hint);
    }
}

/// A hint that names the known word nearest to a wrong one, or all of them if none is near.
pub(super) fn nearest<'w>(wrong: &str, known: impl Iterator<Item = &'w str>) -> String {
    let mut known: Vec<&str> = known.collect();
    known.sort_unstable();
    known.dedup();
    let lower = wrong.to_lowercase().replace('-', "_");
    let far = |word: &&str| {
        let word = word.replace('-', "_");
        let part = lower.len().min(word.len()) >= 4;
        let begins = word.starts_with(&lower) || lower.starts_with(&word);
        if part && begins {
            1
        } else {
            damerau_levenshtein(&lower, &word)
        }
    };
    let allowed = (wrong.chars().count() / 3).clamp(1, 4);
    match known.iter().min_by_key(|word| far(word)) {
        Some(best) if far(best) <= allowed => format!("did you mean `{best}`?"),
        Some(_) => format!("known here: {}", known.join(", ")),
        None => "nothing is known here; remove it".to_owned(),
    }
}

/// Whether a text can be shown: short, and made as keys are.
fn looks_like_a_key(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_uppercase() || c == '_' || c == '-';
    text.len() <= 32 && !text.is_empty() && text.chars().all(plain)
}
