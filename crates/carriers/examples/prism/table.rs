//! What came of it, for people.

use std::collections::{BTreeMap, BTreeSet};

use crate::far::{Outcome, Record};
use crate::spoil::Spoiled;

/// One request of ours, and its spoiled ones.
pub(crate) struct Row {
    pub(crate) carrier: &'static str,
    pub(crate) template: String,
    pub(crate) record: Record,
    pub(crate) spoiled: Spoiled,
}

/// What came of all requests of one kind.
#[derive(Default)]
struct Line {
    stories: BTreeSet<String>,
    asked: usize,
    accepted: usize,
    refused: usize,
    absent: usize,
    by_mock: usize,
    by_names: usize,
    taken: usize,
}

/// Prints the table and what is wrong, and returns whether all is well.
pub(crate) fn print(rows: &[Row]) -> bool {
    let mut lines: BTreeMap<(&str, &str), Line> = BTreeMap::new();
    for row in rows {
        let line = lines.entry((row.carrier, &row.template)).or_default();
        line.add(row);
    }
    let mut all = Line::default();
    println!("{HEAD}");
    for ((carrier, template), line) in &lines {
        line.print(carrier, template);
        all.sum(line);
    }
    all.print("all", "every request");
    println!("{LEGEND}");
    let faults = rows.iter().map(tell).sum::<usize>();
    faults == 0 && all.accepted > 0 && all.by_mock > 0
}

impl Line {
    fn add(&mut self, row: &Row) {
        let stories = std::iter::once(&row.record.story).chain(&row.record.also);
        let short = stories.filter_map(|it| it.split([',', '(']).next());
        self.stories.extend(short.map(|it| it.trim().to_owned()));
        self.asked += 1;
        match row.record.outcome {
            Outcome::Accepted | Outcome::AllBut(_) => self.accepted += 1,
            Outcome::Absent(_) => self.absent += 1,
            Outcome::Refused(_) | Outcome::Misread(_) => self.refused += 1,
        }
        self.by_mock += row.spoiled.by_mock;
        self.by_names += row.spoiled.by_names;
        self.taken += row.spoiled.taken.len();
    }

    fn sum(&mut self, other: &Self) {
        self.asked += other.asked;
        self.accepted += other.accepted;
        self.refused += other.refused;
        self.absent += other.absent;
        self.by_mock += other.by_mock;
        self.by_names += other.by_names;
        self.taken += other.taken;
    }

    fn print(&self, carrier: &str, template: &str) {
        let Self {
            asked,
            accepted,
            refused,
            absent,
            by_mock,
            by_names,
            ..
        } = self;
        let spoiled = by_mock + by_names + self.taken;
        let spoiled = format!("{by_mock}+{by_names}/{spoiled}");
        let stories: Vec<_> = self.stories.iter().map(String::as_str).collect();
        let stories = match stories.join(", ") {
            none if none.is_empty() => none,
            some => format!(": {some}"),
        };
        println!(
            "{carrier:<8} {asked:>5} {accepted:>8} {refused:>7} {absent:>11} {spoiled:>15}  \
             {template}{stories}"
        );
    }
}

/// Says what is to be said of one request, and returns how much is wrong.
fn tell(row: &Row) -> usize {
    let Row {
        carrier,
        template,
        record,
        spoiled,
    } = row;
    let story = &record.story;
    let mut wrong = spoiled.taken.len();
    for taken in &spoiled.taken {
        println!("TAKEN    {carrier} {template}, {story}: though spoiled: {taken}");
    }
    match &record.outcome {
        Outcome::Absent(_) => {}
        Outcome::Accepted => wrong += unlooked(row),
        Outcome::AllBut(fields) => {
            wrong += unlooked(row);
            let fields = fields.join(", ");
            println!("note     {carrier} {template}, {story}: accepted but for the empty {fields}");
        }
        Outcome::Refused(violations) => {
            wrong += 1;
            for violation in violations {
                let (place, message) = (&violation.place, &violation.message);
                println!("REFUSED  {carrier} {template}, {story}: {place}: {message}");
            }
        }
        Outcome::Misread(fault) => {
            wrong += 1;
            println!("MISREAD  {carrier} {template}, {story}: {fault}");
        }
    }
    wrong
}

/// A request that is taken, and of which nothing wrong was refused, was not looked at.
fn unlooked(row: &Row) -> usize {
    if row.spoiled.by_mock > 0 {
        return 0;
    }
    println!(
        "UNLOOKED {} {}, {}",
        row.carrier, row.template, row.record.story
    );
    1
}

const HEAD: &str = "carrier   sent accepted refused not in data spoiled refused  request";
const LEGEND: &str = "spoiled refused: by the mock + by a name that is not in the description, which the \
mock passes over in a query and a form / of all that were spoiled";
