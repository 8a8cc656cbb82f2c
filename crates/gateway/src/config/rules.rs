//! `[policy]`, `[contacts.NAME]` and `[rates]`: who may be called, who may call, when and how much.

use std::collections::BTreeSet;
use std::time::Duration;

use call::{Digit, Number, NumberFault};
use policy::{
    Approve, Callers, Class, ClassFault, Consent, Contact, Hours, Kind, Known, Limits, Listed,
    Money, Prefix, Rates, Rules, Whom,
};

use super::plug::{self, Plugs};
use super::problem::{Findings, Place};
use super::section::{Section, Spot};

/// Reads the three tables. What is not there allows nothing, and limits to the defaults. `ours` are our
/// own numbers.
pub(super) fn read(
    root: &mut Section<'_>,
    ours: BTreeSet<Number>,
    plugs: &Plugs<'_>,
    found: &mut Findings,
) -> Rules {
    let mut section = root.section("policy", found);
    let mut whom = Whom::default();
    contacts(root, &mut whom, plugs, found);
    let rates = rates(root.section("rates", found), found);
    let call = section.list("call", found);
    let answer = section.list("answer", found);
    let owner = section.list("owner", found);
    let own = section.flag("call_own_numbers", found);
    let hours = section.text("hours", found);
    let opt_out_key = section.text("opt_out_key", found);
    let pin = plugs.pin(&mut section, found);
    let max_calls = section.number("max_calls", 0..=10_000, found);
    let max_minutes = section.number("max_minutes", 1..=24 * 60, found);
    let calls_per_hour = section.number("calls_per_hour", 0..=1_000_000, found);
    let new_numbers = section.number("new_numbers", 0..=1_000_000, found);
    let approve = section.text("approve", found);
    let consent = section.text("consent", found);
    let limits = limits(&mut section, found);
    let table = section.place.clone();
    section.close(found);

    callees(call.as_ref(), &mut whom, found);
    let (answerable, pairing) = callers(answer.as_ref(), found);
    let owner = phones(owner.as_ref(), &ours, found);
    let minutes = whole(max_minutes, DEFAULT_MAX_MINUTES);
    let of_table = |value| listed(value, None::<&Spot<()>>, &table, found);
    let call_own = of_table(own.unwrap_or_default());
    let at = |written: Option<&Spot<u64>>, value| listed(value, written, &table, found);
    let rules = Rules {
        call: listed(whom, call.as_ref(), &table, found),
        call_own,
        answer: listed(answerable, answer.as_ref(), &table, found),
        pairing,
        max_calls: at(max_calls.as_ref(), whole(max_calls, DEFAULT_MAX_CALLS)),
        max_length: listed(
            Duration::from_secs(60 * minutes as u64),
            max_minutes.as_ref(),
            &table,
            found,
        ),
        calls_per_hour: at(
            calls_per_hour.as_ref(),
            whole(calls_per_hour, DEFAULT_CALLS_PER_HOUR),
        ),
        new_numbers: at(
            new_numbers.as_ref(),
            whole(new_numbers, DEFAULT_NEW_NUMBERS),
        ),
        consent: consent_when(consent.as_ref(), &table, found),
        approve: approve_when(approve.as_ref(), &table, found),
        hours: hours.and_then(|it| self::hours(&it, "in [policy]", found)),
        opt_out_key: opt_out_key.and_then(|it| key(&it, found)),
        pin,
        ours,
        owner,
        rates,
        limits,
    };
    doubts(&rules, table, found);
    rules
}

/// What is wrong, or odd, with all of it together.
fn doubts(rules: &Rules, table: Place, found: &mut Findings) {
    let around_a_pin = |it: Digit| "*#".contains(it.as_char());
    if rules.has_pins() && rules.opt_out_key.is_some_and(around_a_pin) {
        let message = "`opt_out_key` in [policy] is one of the two keys around a PIN";
        found.problem(
            table.clone(),
            message,
            "choose a digit: `opt_out_key = \"9\"`",
        );
    }
    if rules.call.value.is_nobody()
        && rules.answer.value == Callers::These(BTreeSet::new())
        && !rules.pairing
    {
        let message = "nobody may be called, and nobody may call";
        let hint = "list numbers under `call` or `answer` in [policy]";
        found.warning(table, message, hint);
    }
}

fn consent_when(
    written: Option<&Spot<&str>>,
    table: &Place,
    found: &mut Findings,
) -> Listed<Consent> {
    let read = written.map(|it| Consent::parse(it.value));
    if let (Some(written), Some(None)) = (written, read) {
        let message = "`consent` in [policy] says nothing that is known";
        let hint = "write \"required\" or \"recorded\"";
        found.problem(written.place(), message, hint);
    }
    listed(read.flatten().unwrap_or_default(), written, table, found)
}

fn approve_when(
    written: Option<&Spot<&str>>,
    table: &Place,
    found: &mut Findings,
) -> Listed<Approve> {
    let read = written.map(|it| Approve::parse(it.value));
    if let (Some(written), Some(None)) = (written, read) {
        let message = "`approve` in [policy] says nothing that is known";
        let hint = "write \"always\", \"unknown\" or \"never\"";
        found.problem(written.place(), message, hint);
    }
    listed(read.flatten().unwrap_or_default(), written, table, found)
}

fn key(written: &Spot<&str>, found: &mut Findings) -> Option<Digit> {
    let mut letters = written.value.chars();
    let key = letters.next().and_then(Digit::new);
    let key = key.filter(|_| letters.next().is_none());
    if key.is_none() {
        let message = "`opt_out_key` in [policy] is not one key of a telephone";
        found.problem(written.place(), message, "such as `opt_out_key = \"9\"`");
    }
    key
}

/// `[contacts.NAME]`: people the owner knows, who may be called by name.
fn contacts(root: &mut Section<'_>, whom: &mut Whom, plugs: &Plugs<'_>, found: &mut Findings) {
    let title = |name: &str| plug::title("contacts", name);
    for (name, mut section) in root.sections("contacts", title, found) {
        plug::check_name(name, &section, found);
        let within = section.within();
        let number = section.text("number", found);
        let hours = section.text("hours", found);
        let zone = section.text("zone", found);
        let consent = section.text("consent", found).map(|it| it.value.to_owned());
        let pin = plugs.pin(&mut section, found);
        let hint = "write whom the name means: `number = \"+15551234567\"`";
        section.require("number", hint, found);
        let at = found.at(&section.place);
        section.close(found);

        let hours = hours.and_then(|it| self::hours(&it, &within, found));
        let zone = zone.and_then(|it| {
            let zone = policy::zone(it.value);
            if zone.is_none() {
                let message = format!("`zone`{} is not a time zone", within);
                let hint = "write it as `zone = \"Europe/Berlin\"` (IANA)";
                found.problem(it.place(), message, hint);
            }
            zone
        });
        let what = format!("`number`{within}");
        let number = number.and_then(|it| self::number(&what, &it, found));
        if let Some(number) = number {
            let contact = Contact {
                number,
                hours,
                zone,
                consent,
                pin,
            };
            whom.contacts
                .insert(name.to_owned(), Listed::new(contact, at));
        }
    }
}

fn hours(written: &Spot<&str>, within: &str, found: &mut Findings) -> Option<Listed<Hours>> {
    match Hours::parse(written.value) {
        Ok(hours) => Some(Listed::new(hours, found.at(&written.place()))),
        Err(fault) => {
            let within = within.trim();
            let message = format!("`hours` {within} cannot be read: {fault}");
            let hint = "write it as `hours = \"08:00-21:00\"`; any time is `\"00:00-24:00\"`";
            found.problem(written.place(), message, hint);
            None
        }
    }
}

/// What `[policy]` says of money.
fn limits(section: &mut Section<'_>, found: &mut Findings) -> Limits {
    let table = section.place.clone();
    let mut amount = |key| {
        let amount = section.amount(key, found)?;
        Some(Listed::new(amount.value, found.at(&amount.place())))
    };
    let [per_call, per_hour, per_month] =
        ["spend_per_call", "spend_per_hour", "spend_per_month"].map(&mut amount);
    let [per_number, per_agent] = ["spend_per_number", "spend_per_agent"].map(&mut amount);
    let per_day = amount("spend_per_day");
    let calls = section.number("calls_per_number", 0..=1_000_000, found);
    Limits {
        per_call,
        per_hour,
        per_day: per_day
            .unwrap_or_else(|| listed(DEFAULT_SPEND_PER_DAY, None::<&Spot<()>>, &table, found)),
        per_month,
        per_number,
        per_agent,
        calls_per_number: listed(
            whole(calls, DEFAULT_CALLS_PER_NUMBER),
            calls.as_ref(),
            &table,
            found,
        ),
    }
}

/// `[rates]`: what a minute costs, by the first digits of a number.
fn rates(section: Section<'_>, found: &mut Findings) -> Rates {
    let mut otherwise = None;
    let mut by_prefix: Vec<(Prefix, Money)> = Vec::new();
    for (key, price) in section.amounts(found) {
        if key.value == "default" {
            otherwise = Some(price);
        } else if let Some(prefix) = Prefix::parse(key.value) {
            by_prefix.push((prefix, price));
        } else {
            let message = "a key in [rates] is not the beginning of a number";
            let hint = "write it as `\"+49\" = 0.02`, and what all others cost as `default = 1.0`";
            found.problem(key.place(), message, hint);
        }
    }
    Rates::new(by_prefix, otherwise)
}

/// The defaults of `[policy]`: calls at once, minutes per call, calls per hour, those to one number,
/// what may be spent in a day, and numbers that were never called before in ten minutes.
pub(crate) const POLICY_DEFAULTS: [usize; 6] = [
    DEFAULT_MAX_CALLS,
    DEFAULT_MAX_MINUTES,
    DEFAULT_CALLS_PER_HOUR,
    DEFAULT_CALLS_PER_NUMBER,
    (DEFAULT_SPEND_PER_DAY.as_micros() / 1_000_000) as usize,
    DEFAULT_NEW_NUMBERS,
];

fn callees(written: Option<&Spot<Vec<Spot<&str>>>>, whom: &mut Whom, found: &mut Findings) {
    for entry in written.into_iter().flat_map(|list| &list.value) {
        let at = found.at(&entry.place());
        if entry.value == ANY {
            let message = "`call` in [policy] cannot hold \"any\": only numbers and classes of them can be dialled";
            let hint =
                "list each number that may be called, or countries: `\"DE\"`, `\"US toll-free\"`";
            found.problem(entry.place(), message, hint);
        } else if entry.value.starts_with(|it: char| it.is_ascii_uppercase()) {
            match Class::parse(entry.value) {
                Ok(class) => whom.classes.push(Listed::new(class, at)),
                Err(fault) => no_class(entry, fault, found),
            }
        } else if let Some(number) = number(CALLEE, entry, found)
            && whom.numbers.insert(number, at).is_some()
        {
            twice("call", entry, found);
        }
    }
}

fn no_class(entry: &Spot<&str>, fault: ClassFault, found: &mut Findings) {
    let message =
        format!("an entry of `call` in [policy] is neither a number nor a class: {fault}");
    let hint = "such as `\"DE\"`, `\"DE mobile\"` or `\"US landline mobile\"`";
    found.problem(entry.place(), message, hint);
}

/// Who may call, and whether others may ask to.
fn callers(written: Option<&Spot<Vec<Spot<&str>>>>, found: &mut Findings) -> (Callers, bool) {
    let mut numbers = BTreeSet::new();
    let (mut any, mut pairing) = (None, false);
    for entry in written.into_iter().flat_map(|list| &list.value) {
        if entry.value == ANY {
            any = Some(entry);
            continue;
        }
        if entry.value == PAIRING {
            pairing = true;
            continue;
        }
        if let Some(number) = plain_number(CALLER, entry, found)
            && !numbers.insert(number)
        {
            twice("answer", entry, found);
        }
    }
    let Some(any) = any else {
        return (Callers::These(numbers), pairing);
    };
    if !numbers.is_empty() || pairing {
        let message = "\"any\" lets everyone call, so what stands beside it changes nothing";
        found.warning(any.place(), message, "keep \"any\" or the others");
    }
    (Callers::Any, false)
}

/// The owner's own phones. None of them is a number of ours: those answer as the agent.
fn phones(
    written: Option<&Spot<Vec<Spot<&str>>>>,
    ours: &BTreeSet<Number>,
    found: &mut Findings,
) -> BTreeSet<Number> {
    let mut numbers = BTreeSet::new();
    for entry in written.into_iter().flat_map(|list| &list.value) {
        let Some(number) = plain_number(OWNER, entry, found) else {
            continue;
        };
        if ours.contains(&number) {
            let message = format!("{OWNER} is one of the gateway's own numbers");
            let hint = "list the phones that you pick up yourself";
            found.problem(entry.place(), message, hint);
        } else if !numbers.insert(number) {
            twice("owner", entry, found);
        }
    }
    numbers
}

/// Reads a number that may be called, and warns of one that never is.
fn number(what: &str, entry: &Spot<&str>, found: &mut Findings) -> Option<Number> {
    let number = plain_number(what, entry, found)?;
    if let Kind::Dangerous(danger) = Known::of(&number).kind {
        let message = format!("{what} is of a kind that is never dialled: {danger}");
        found.warning(entry.place(), message, "remove it");
    }
    Some(number)
}

fn plain_number(what: &str, entry: &Spot<&str>, found: &mut Findings) -> Option<Number> {
    match Number::parse(entry.value) {
        Ok(number) => Some(number),
        Err(fault) => {
            let message = format!("{what} is not a number: {fault}");
            let hint = match fault {
                NumberFault::Emergency => "remove it",
                NumberFault::NoPlus
                | NumberFault::NotDigits
                | NumberFault::Length
                | NumberFault::LeadingZero => "write it as `\"+15551234567\"`, without spaces",
            };
            found.problem(entry.place(), message, hint);
            None
        }
    }
}

fn twice(key: &str, entry: &Spot<&str>, found: &mut Findings) {
    let message = format!("a number stands twice in `{key}` in [policy]");
    found.warning(entry.place(), message, "remove one of the two");
}

fn whole(written: Option<Spot<u64>>, default: usize) -> usize {
    let value = written.and_then(|it| usize::try_from(it.value).ok());
    value.unwrap_or(default)
}

fn listed<V, T>(value: V, written: Option<&Spot<T>>, table: &Place, found: &Findings) -> Listed<V> {
    let at = match (written, table) {
        (Some(spot), _) => found.at(&spot.place()),
        (None, Place::Table(_)) => found.at(table),
        (None, Place::Line(_) | Place::File) => found.at(&Place::Table("[policy]".to_owned())),
    };
    Listed { value, at }
}

const CALLEE: &str = "an entry of `call` in [policy]";
const CALLER: &str = "an entry of `answer` in [policy]";
const OWNER: &str = "an entry of `owner` in [policy]";
const DEFAULT_MAX_CALLS: usize = 4;
const DEFAULT_MAX_MINUTES: usize = 30;
const DEFAULT_CALLS_PER_HOUR: usize = 20;
const DEFAULT_CALLS_PER_NUMBER: usize = 3;
const DEFAULT_NEW_NUMBERS: usize = 3;
const DEFAULT_SPEND_PER_DAY: Money = Money::micros(50_000_000);
const ANY: &str = "any";
const PAIRING: &str = "pairing";
