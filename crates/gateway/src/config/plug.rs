//! The tables of plugs: what a carrier, an agent or a speech vendor is told. Nothing here knows
//! any of them by name; each declares its keys.

use std::collections::BTreeMap;

use policy::Pin;
use ports::{Key, Kind, Need, Problem, Secret, Settings, Value};
use url::Url;

use super::file::Audience;
use super::marks::Behind;
use super::problem::{Findings, Place};
use super::secret::{Origin, Outside, resolve};
use super::section::{Section, Spot};

/// Reads plugs' tables.
pub(super) struct Plugs<'o> {
    outside: &'o Outside<'o>,
    audience: Audience,
    /// The secrets that were found elsewhere.
    pub behind: Behind,
}

/// On which line each key of a plug stands.
pub(super) type KeyLines = BTreeMap<&'static str, usize>;

impl<'o> Plugs<'o> {
    /// `audience` is who can read the configuration, should a secret stand in it.
    pub(super) fn new(outside: &'o Outside<'o>, audience: Audience) -> Self {
        Self {
            outside,
            audience,
            behind: Behind::default(),
        }
    }

    /// Reads the declared keys of a plug. Without problems, every required one is there.
    pub(super) fn settings(
        &self,
        section: &mut Section<'_>,
        keys: &[Key],
        found: &mut Findings,
    ) -> (Settings, KeyLines) {
        let mut settings = Settings::default();
        let mut lines = KeyLines::new();
        for key in keys {
            match key.need {
                Need::Required => section.require(key.name, key.help, found),
                Need::Optional => {}
            }
            if let Some(value) = self.value(section, key, found) {
                lines.insert(key.name, value.line);
                settings = settings.with(key.name, value.value);
            }
        }
        (settings, lines)
    }

    fn value(
        &self,
        section: &mut Section<'_>,
        key: &Key,
        found: &mut Findings,
    ) -> Option<Spot<Value>> {
        match key.kind {
            Kind::Text => {
                let text = section.text(key.name, found)?;
                Some(text.with(Value::Text(text.value.to_owned())))
            }
            Kind::Number => {
                let number = section.number(key.name, 0..=u64::MAX, found)?;
                Some(number.with(Value::Number(number.value)))
            }
            Kind::List => {
                let list = section.list(key.name, found)?;
                let texts = list.value.iter().map(|it| it.value.to_owned());
                Some(list.with(Value::List(texts.collect())))
            }
            Kind::Url => {
                let text = section.text(key.name, found)?;
                let name = format!("`{}`{}", key.name, section.within());
                let url = web_address(&name, text, found)?;
                let url = url.as_str().trim_end_matches('/').to_owned();
                Some(text.with(Value::Text(url)))
            }
            Kind::Secret => {
                let text = section.text(key.name, found)?;
                self.secret(&section.within(), key.name, text, found)
            }
        }
    }

    /// Reads the secrets of a table whose keys are the owner's own.
    pub(super) fn secrets(
        &self,
        section: Section<'_>,
        found: &mut Findings,
    ) -> Vec<(String, Secret)> {
        let within = section.within();
        let mut secrets = Vec::new();
        for (key, written) in section.texts(found) {
            if let Some(Spot {
                value: Value::Secret(secret),
                ..
            }) = self.secret(&within, key.value, written, found)
            {
                secrets.push((key.value.to_owned(), secret));
            }
        }
        secrets
    }

    fn secret(
        &self,
        within: &str,
        key: &str,
        written: Spot<&str>,
        found: &mut Findings,
    ) -> Option<Spot<Value>> {
        let name = format!("`{key}`{within}");
        match resolve(written.value, self.outside) {
            Ok(it) => {
                if it.origin == Origin::Here && self.audience == Audience::Everyone {
                    let message =
                        format!("{name} is in a file that everyone on this machine can read");
                    let hint = "run `chmod 600` on the configuration, or use `env:NAME`";
                    found.warning(written.place(), message, hint);
                }
                self.behind.note(written.line, key, &it.secret);
                Some(written.with(Value::Secret(it.secret)))
            }
            Err(unfound) => {
                let message = format!("{name} {}", unfound.message);
                found.problem(written.place(), message, unfound.hint);
                None
            }
        }
    }

    /// Reads a PIN, which may not stand in the configuration itself.
    pub(super) fn pin(&self, section: &mut Section<'_>, found: &mut Findings) -> Option<Pin> {
        let written = section.text("pin", found)?;
        let within = section.within();
        let mut wrong = |message: &str, hint: &str| {
            found.problem(written.place(), format!("`pin`{within} {message}"), hint);
            None
        };
        let secret = match resolve(written.value, self.outside) {
            Ok(it) if it.origin == Origin::Here => {
                let message = "stands in the configuration itself";
                return wrong(message, "write it as `env:NAME` or `file:PATH`");
            }
            Ok(it) => it.secret,
            Err(unfound) => return wrong(&unfound.message, &unfound.hint),
        };
        self.behind.note(written.line, "pin", &secret);
        let pin = Pin::parse(secret.reveal());
        if pin.is_none() {
            return wrong("is none", "a PIN is 6 to 32 digits");
        }
        pin
    }
}

/// Builds a plug, unless there were problems since `before`: its own would only repeat them.
pub(super) fn build<T>(
    before: usize,
    table: &Place,
    lines: &KeyLines,
    found: &mut Findings,
    build: impl FnOnce() -> Result<T, Vec<Problem>>,
) -> Option<T> {
    if found.count() > before {
        return None;
    }
    match build() {
        Ok(plug) => Some(plug),
        Err(problems) => {
            for problem in problems {
                let line = lines.get(problem.key);
                let place = line.map_or_else(|| table.clone(), |line| Place::Line(*line));
                let message = format!("`{}`: {}", problem.key, problem.message);
                found.problem(place, message, problem.hint);
            }
            None
        }
    }
}

/// An `http` or `https` address that others can be sent below. What is wrong with it is said
/// without repeating it: it may hold a password.
pub(super) fn web_address(name: &str, written: Spot<&str>, found: &mut Findings) -> Option<Url> {
    let mut wrong = |what: &str, hint: &str| {
        found.problem(written.place(), format!("{name} {what}"), hint);
        None
    };
    let Ok(url) = Url::parse(written.value) else {
        return wrong(
            "is not a web address",
            "write it as `https://voice.example.com`",
        );
    };
    if url.scheme() != "http" && url.scheme() != "https" {
        return wrong(
            "does not begin with http:// or https://",
            "write it as `https://voice.example.com`",
        );
    }
    if !url.username().is_empty() || url.password().is_some() {
        return wrong(
            "holds a user name or password",
            "an address here has none; remove it",
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return wrong("has a `?` or `#` in it", "end the address before it");
    }
    Some(url)
}

/// How people call the table of a plug: `[agents.echo]`.
pub(super) fn title(table: &str, name: &str) -> String {
    format!("[{table}.{}]", shown(name))
}

/// Names appear in addresses, events and on the command line, so they are kept plain.
pub(super) fn check_name(name: &str, section: &Section<'_>, found: &mut Findings) {
    if !is_plain(name) {
        let message = "the name of this table has other signs than a to z, 0 to 9, - and _";
        let hint = "choose a plain name, such as `reception`";
        found.problem(section.place.clone(), message, hint);
    }
}

/// A name, if it is one and not something put in its place by accident.
pub(super) fn shown(name: &str) -> &str {
    if is_plain(name) { name } else { "…" }
}

fn is_plain(name: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '_';
    (1..=32).contains(&name.len()) && name.chars().all(plain)
}
