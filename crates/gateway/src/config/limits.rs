//! `[policy]` and `[turns]`: who, how much and how patiently.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use call::{Number, NumberFault, Policy};

use super::plan::{Callers, Listed, Rules};
use super::problem::{Findings, Place};
use super::section::{Section, Spot};

/// Reads `[policy]`. What is not there allows nothing, and limits to the defaults.
pub(super) fn rules(mut section: Section<'_>, found: &mut Findings) -> Rules {
    let call = section.list("call", found);
    let answer = section.list("answer", found);
    let max_calls = section.number("max_calls", 0..=10_000, found);
    let max_minutes = section.number("max_minutes", 1..=24 * 60, found);
    let calls_per_hour = section.number("calls_per_hour", 0..=1_000_000, found);
    let table = section.place.clone();
    section.close(found);

    let rules = Rules {
        call: listed(callees(call.as_ref(), found), call.as_ref(), &table, found),
        answer: listed(
            callers(answer.as_ref(), found),
            answer.as_ref(),
            &table,
            found,
        ),
        max_calls: listed(
            whole(max_calls, DEFAULT_MAX_CALLS),
            max_calls.as_ref(),
            &table,
            found,
        ),
        max_length: listed(
            Duration::from_secs(60 * whole(max_minutes, DEFAULT_MAX_MINUTES) as u64),
            max_minutes.as_ref(),
            &table,
            found,
        ),
        calls_per_hour: listed(
            whole(calls_per_hour, DEFAULT_CALLS_PER_HOUR),
            calls_per_hour.as_ref(),
            &table,
            found,
        ),
    };
    if rules.call.value.is_empty() && rules.answer.value == Callers::These(BTreeSet::new()) {
        let message = "nobody may be called, and nobody may call";
        let hint = "list numbers under `call` or `answer` in [policy]";
        found.warning(table, message, hint);
    }
    rules
}

/// Reads `[turns]`: how patient calls are.
pub(super) fn patience(mut section: Section<'_>, rules: &Rules, found: &mut Findings) -> Policy {
    let mut policy = Policy::default();
    let mut lines = BTreeMap::new();
    for pace in &PACES {
        if let Some(number) = section.number(pace.key, pace.least..=pace.most, found) {
            *(pace.field)(&mut policy) = pace.unit.of(number.value);
            lines.insert(pace.key, number.line);
        }
    }
    let table = section.place.clone();
    section.close(found);
    policy.limit = rules.max_length.value;

    let place = |keys: &[&str]| {
        let written = keys.iter().filter_map(|key| lines.get(key)).max();
        written.map_or_else(|| table.clone(), |line| Place::Line(*line))
    };
    if policy.barge_in <= DETECTOR_HANG_OVER {
        let hang_over = DETECTOR_HANG_OVER.as_millis();
        let message = format!(
            "`barge_in_ms` in [turns] must be longer than {hang_over}: the speech detector takes \
             that long to hear that a murmur has ended, and every cough would interrupt"
        );
        let hint = format!(
            "such as `barge_in_ms = {}`",
            Policy::default().barge_in.as_millis()
        );
        found.problem(place(&["barge_in_ms"]), message, hint);
    }
    for (shorter, longer) in ORDERED {
        if in_order(&mut policy, shorter, longer) {
            continue;
        }
        let message = format!("`{shorter}` in [turns] must not be more than `{longer}`");
        let hint = format!("lower `{shorter}` or raise `{longer}`");
        found.problem(place(&[shorter, longer]), message, hint);
    }
    policy
}

/// How people call the table of a number, without showing all of it.
pub(super) fn number_title(key: &str) -> String {
    match Number::parse(key) {
        Ok(number) => format!("[numbers.\"{number:?}\"]"),
        Err(_) => "[numbers.\"…\"]".to_owned(),
    }
}

/// The keys of `[turns]`, each with its default, for `offhook init`.
pub(crate) fn turns_help() -> impl Iterator<Item = (&'static str, u128, &'static str)> {
    PACES.iter().map(|pace| {
        let default = *(pace.field)(&mut Policy::default());
        let number = match pace.unit {
            Unit::Milliseconds => default.as_millis(),
            Unit::Seconds => u128::from(default.as_secs()),
        };
        (pace.key, number, pace.help)
    })
}

/// The defaults of `[policy]`: calls at once, minutes per call, calls per hour.
pub(crate) const POLICY_DEFAULTS: [usize; 3] = [
    DEFAULT_MAX_CALLS,
    DEFAULT_MAX_MINUTES,
    DEFAULT_CALLS_PER_HOUR,
];

fn callees(written: Option<&Spot<Vec<Spot<&str>>>>, found: &mut Findings) -> BTreeSet<Number> {
    let mut numbers = BTreeSet::new();
    for entry in written.into_iter().flat_map(|list| &list.value) {
        if entry.value == ANY {
            let message = "`call` in [policy] cannot hold \"any\": only numbers can be dialled";
            found.problem(
                entry.place(),
                message,
                "list each number that may be called",
            );
            continue;
        }
        insert("call", entry, &mut numbers, found);
    }
    numbers
}

fn callers(written: Option<&Spot<Vec<Spot<&str>>>>, found: &mut Findings) -> Callers {
    let mut numbers = BTreeSet::new();
    let mut any = None;
    for entry in written.into_iter().flat_map(|list| &list.value) {
        if entry.value == ANY {
            any = Some(entry);
            continue;
        }
        insert("answer", entry, &mut numbers, found);
    }
    let Some(any) = any else {
        return Callers::These(numbers);
    };
    if !numbers.is_empty() {
        let message = "\"any\" lets everyone call, so the numbers beside it change nothing";
        found.warning(any.place(), message, "keep \"any\" or the numbers");
    }
    Callers::Any
}

fn insert(key: &str, entry: &Spot<&str>, numbers: &mut BTreeSet<Number>, found: &mut Findings) {
    match Number::parse(entry.value) {
        Ok(number) => {
            if !numbers.insert(number) {
                let message = format!("a number stands twice in `{key}` in [policy]");
                found.warning(entry.place(), message, "remove one of the two");
            }
        }
        Err(fault) => {
            let message = format!("an entry of `{key}` in [policy] is not a number: {fault}");
            let hint = match fault {
                NumberFault::Emergency => "remove it",
                NumberFault::NoPlus
                | NumberFault::NotDigits
                | NumberFault::Length
                | NumberFault::LeadingZero => "write it as `\"+15551234567\"`, without spaces",
            };
            found.problem(entry.place(), message, hint);
        }
    }
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

fn in_order(policy: &mut Policy, shorter: &str, longer: &str) -> bool {
    let mut of = |key: &str| {
        let pace = PACES.iter().find(|pace| pace.key == key);
        *(pace.expect("ORDERED names keys of PACES").field)(policy)
    };
    of(shorter) <= of(longer)
}

/// One key of `[turns]`.
struct Pace {
    key: &'static str,
    unit: Unit,
    least: u64,
    most: u64,
    field: fn(&mut Policy) -> &mut Duration,
    help: &'static str,
}

#[derive(Clone, Copy)]
enum Unit {
    Milliseconds,
    Seconds,
}

impl Unit {
    fn of(self, number: u64) -> Duration {
        match self {
            Self::Milliseconds => Duration::from_millis(number),
            Self::Seconds => Duration::from_secs(number),
        }
    }
}

const fn ms(
    key: &'static str,
    least: u64,
    most: u64,
    field: fn(&mut Policy) -> &mut Duration,
    help: &'static str,
) -> Pace {
    Pace {
        key,
        unit: Unit::Milliseconds,
        least,
        most,
        field,
        help,
    }
}

const fn s(
    key: &'static str,
    least: u64,
    most: u64,
    field: fn(&mut Policy) -> &mut Duration,
    help: &'static str,
) -> Pace {
    Pace {
        key,
        unit: Unit::Seconds,
        least,
        most,
        field,
        help,
    }
}

static PACES: [Pace; 13] = [
    ms(
        "endpoint_ms",
        100,
        5_000,
        |p| &mut p.endpoint,
        "a pause this long ends the caller's turn",
    ),
    ms(
        "endpoint_short_ms",
        50,
        5_000,
        |p| &mut p.endpoint_short,
        "the same when the caller surely is done",
    ),
    ms(
        "endpoint_long_ms",
        100,
        10_000,
        |p| &mut p.endpoint_long,
        "the same when the caller surely is not done",
    ),
    ms(
        "finalize_ms",
        100,
        10_000,
        |p| &mut p.finalize,
        "how long to wait for the last words of a turn",
    ),
    ms(
        "barge_in_ms",
        50,
        5_000,
        |p| &mut p.barge_in,
        "speaking over the agent this long interrupts it",
    ),
    ms(
        "filler_ms",
        300,
        60_000,
        |p| &mut p.filler,
        "an agent silent this long has a filler said for it",
    ),
    s(
        "think_s",
        1,
        120,
        |p| &mut p.think,
        "an agent silent this long is apologised for",
    ),
    ms(
        "synthesize_ms",
        500,
        60_000,
        |p| &mut p.synthesize,
        "how long the voice may take to begin",
    ),
    s(
        "silence_s",
        5,
        3_600,
        |p| &mut p.silence,
        "a call in which nobody speaks this long is ended",
    ),
    s(
        "ring_s",
        5,
        600,
        |p| &mut p.ring,
        "how long a phone we call may ring",
    ),
    s(
        "connect_s",
        1,
        60,
        |p| &mut p.connect,
        "how long an answered call may be without sound",
    ),
    s(
        "release_s",
        1,
        60,
        |p| &mut p.release,
        "how long the carrier may take to end a call",
    ),
    ms(
        "linger_ms",
        0,
        30_000,
        |p| &mut p.linger,
        "how long to stay on the line after a notice",
    ),
];

/// The first must not be more than the second.
const ORDERED: [(&str, &str); 3] = [
    ("endpoint_short_ms", "endpoint_ms"),
    ("endpoint_ms", "endpoint_long_ms"),
    ("filler_ms", "think_s"),
];

/// How long `media`'s detectors, by loudness or by model, take to be sure that speech has ended.
const DETECTOR_HANG_OVER: Duration = Duration::from_millis(200);
const DEFAULT_MAX_CALLS: usize = 4;
const DEFAULT_MAX_MINUTES: usize = 30;
const DEFAULT_CALLS_PER_HOUR: usize = 20;
const ANY: &str = "any";
