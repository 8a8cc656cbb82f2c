//! `[reports.NAME]`: where it is told what happened.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use agents::sign::Signer;
use ports::{Key, Kind, Need, Settings};
use url::Url;

use super::file::File;
use super::plug::{self, KeyLines};
use super::problem::{Findings, Place};
use super::section::{Section, Spot, nearest};
use crate::outbox::{ALL, Backoff, Door, Kinds, Post, ReportPlan, Way};

/// Reads the tables.
pub(super) fn read(
    root: &mut Section<'_>,
    file: &File,
    plugs: &plug::Plugs<'_>,
    found: &mut Findings,
) -> BTreeMap<String, ReportPlan> {
    let mut reports = BTreeMap::new();
    let title = |name: &str| plug::title("reports", name);
    for (name, mut section) in root.sections("reports", title, found) {
        plug::check_name(name, &section, found);
        if reports.len() == MOST {
            let message = format!("there are more than {MOST} [reports.…] tables");
            let hint = "tell one system, and have that one tell the others";
            found.problem(section.place.clone(), message, hint);
        }
        let events = section.list("events", found);
        let kinds = events.map_or_else(Kinds::report, |it| kinds(&it, found));
        let patience = section.number("timeout_s", 1..=LONGEST, found);
        let (settings, lines) = plugs.settings(&mut section, KEYS, found);
        let table = Table {
            title: section.name.clone(),
            place: section.place.clone(),
            lines,
            has: ["url", "secret"].map(|it| section.has(it)),
        };
        let said = DOORS.iter().filter(|it| section.has(it)).count();
        section.close(found);
        if said != 1 {
            let message = format!(
                "{} must have exactly one of `url`, `command` and `file`",
                table.title
            );
            let hint = "say where it is told: an address, a program, or a file";
            found.problem(table.place, message, hint);
            continue;
        }
        if let Some(door) = door(&settings, &table, file, found) {
            let report = ReportPlan {
                door,
                kinds,
                patience: Duration::from_secs(patience.map_or(USUAL, |it| it.value)),
                backoff: Backoff::default(),
            };
            reports.insert(name.to_owned(), report);
        }
    }
    reports
}

/// One table, to say where something is wrong in it.
struct Table {
    title: String,
    place: Place,
    lines: KeyLines,
    /// Whether `url` and `secret` are there, rightly written or not.
    has: [bool; 2],
}

impl Table {
    fn wrong(&self, key: &str, what: &str, hint: &str, found: &mut Findings) {
        let line = self.lines.get(key).map(|line| Place::Line(*line));
        let message = format!("`{key}` in {} {what}", self.title);
        found.problem(line.unwrap_or_else(|| self.place.clone()), message, hint);
    }
}

fn kinds(written: &Spot<Vec<Spot<&str>>>, found: &mut Findings) -> Kinds {
    let mut kinds = Kinds::default();
    for kind in &written.value {
        if !kinds.add(kind.value) {
            let message = "`events` in [reports.…] names no event that there is";
            let hint = nearest(kind.value, ALL.iter().copied());
            found.problem(kind.place(), message, hint);
        }
    }
    if written.value.is_empty() {
        let message = "`events` in [reports.…] is empty, so nothing would be told";
        let hint = "name some, or remove the line: it is then `[\"call.report\"]`";
        found.problem(written.place(), message, hint);
    }
    kinds
}

/// `None`: something is wrong, and was said.
fn door(settings: &Settings, table: &Table, file: &File, found: &mut Findings) -> Option<Door> {
    let [has_url, has_secret] = table.has;
    if has_secret && !has_url {
        let what = "is for a `url`, and nothing else is signed";
        table.wrong("secret", what, "remove it", found);
        return None;
    }
    if let Some(path) = settings.text("file") {
        if path.starts_with('~') {
            let hint = "write the whole path of your home folder";
            table.wrong(
                "file",
                "begins with `~`, which means nothing here",
                hint,
                found,
            );
            return None;
        }
        return Some(Door::File(file.folder.join(PathBuf::from(path))));
    }
    if let Some(command) = settings.list("command") {
        if command.first().is_none_or(String::is_empty) {
            let hint = "write it as `command = [\"my-program\"]`";
            table.wrong("command", "has no program in it", hint, found);
            return None;
        }
        return Some(Door::Command(command.to_vec()));
    }
    let url = settings.text("url")?;
    let signer = signer(settings, table, found);
    let way = Way::to(&Url::parse(url).ok()?);
    let way = way.map_err(|[what, hint]| table.wrong("url", what, hint, found));
    Some(Door::Url(Box::new(Post {
        url: url.to_owned(),
        signer: signer?,
        way: way.ok()?,
    })))
}

fn signer(settings: &Settings, table: &Table, found: &mut Findings) -> Option<Signer> {
    let Some(secret) = settings.secret("secret") else {
        // One that cannot be had was complained about.
        if !table.has[1] {
            let message = format!("`secret` in {} is missing", table.title);
            found.problem(table.place.clone(), message, SECRET);
        }
        return None;
    };
    let signer = Signer::new(secret);
    if signer.is_none() {
        let what = "is none by the Standard Webhooks scheme";
        table.wrong("secret", what, SECRET, found);
    }
    signer
}

const KEYS: &[Key] = &[
    Key::new(
        "url",
        Kind::Url,
        Need::Optional,
        "where it is posted: `url = \"https://crm.example.com/calls\"`",
    ),
    Key::new("secret", Kind::Secret, Need::Optional, SECRET),
    Key::new(
        "command",
        Kind::List,
        Need::Optional,
        "a program that reads it: `command = [\"my-program\"]`",
    ),
    Key::new(
        "file",
        Kind::Text,
        Need::Optional,
        "a file that it is added to, a line for each: `file = \"reports.jsonl\"`",
    ),
];

const DOORS: [&str; 3] = ["url", "command", "file"];
const SECRET: &str =
    "write `whsec_` and at least 16 bytes in base64: `openssl rand -base64 32` makes some";
const MOST: usize = 16;
/// In seconds.
const USUAL: u64 = 20;
const LONGEST: u64 = 120;
