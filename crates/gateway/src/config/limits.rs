//! `[turns]`: how patiently.

use std::collections::BTreeMap;
use std::time::Duration;

use call::{Number, Policy, Rounds};
use policy::Rules;

use super::problem::{Findings, Place};
use super::section::Section;

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
    for count in &COUNTS {
        if let Some(number) = section.number(count.key, count.least..=count.most, found) {
            *(count.field)(&mut policy.rounds) = u32::try_from(number.value).unwrap_or(u32::MAX);
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
    let counts = COUNTS.iter().map(|it| {
        let default = *(it.field)(&mut Rounds::default());
        (it.key, u128::from(default), it.help)
    });
    let paces = PACES.iter().map(|pace| {
        let default = *(pace.field)(&mut Policy::default());
        let number = match pace.unit {
            Unit::Milliseconds => default.as_millis(),
            Unit::Seconds => u128::from(default.as_secs()),
        };
        (pace.key, number, pace.help)
    });
    paces.chain(counts)
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

static PACES: [Pace; 15] = [
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
    ms(
        "pulse_ms",
        0,
        60_000,
        |p| &mut p.pulse,
        "while an agent thinks or works, a soft sound after silences this long says so; 0: none does",
    ),
    s(
        "still_s",
        2,
        600,
        |p| &mut p.still,
        "an agent at work this long has it said again that it is",
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

/// One key of `[turns]` that counts rounds: what the far end said and the answer to it.
struct Count {
    key: &'static str,
    least: u64,
    most: u64,
    field: fn(&mut Rounds) -> &mut u32,
    help: &'static str,
}

static COUNTS: [Count; 3] = [
    Count {
        key: "stale_rounds",
        least: 2,
        most: 1_000,
        field: |it| &mut it.stale,
        help: "so many rounds in a row that bring nothing new end a conversation",
    },
    Count {
        key: "machine_rounds",
        least: 1,
        most: 1_000,
        field: |it| &mut it.machine,
        help: "so many rounds may be had with a far end that says it is a machine",
    },
    Count {
        key: "most_rounds",
        least: 1,
        most: 100_000,
        field: |it| &mut it.most,
        help: "so many rounds may be had at all",
    },
];

/// The first must not be more than the second.
const ORDERED: [(&str, &str); 3] = [
    ("endpoint_short_ms", "endpoint_ms"),
    ("endpoint_ms", "endpoint_long_ms"),
    ("filler_ms", "think_s"),
];

/// How long `media`'s detectors, by loudness or by model, take to be sure that speech has ended.
const DETECTOR_HANG_OVER: Duration = Duration::from_millis(200);
