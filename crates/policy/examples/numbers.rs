//! Tries to dial what must never be dialled, by rules that list all of it.
//!
//! The prefixes are those of regulators' own tables of premium, shared-cost, personal and satellite
//! numbers, not of the data that the rules look them up in.

use std::collections::BTreeSet;
use std::time::Duration;

use call::Number;
use jiff::Timestamp;
use policy::{Approve, Callers, Consent, Limits, Listed, Money, Now, Rates, Rules, Standing, Whom};
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::json;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are its whole output"
)]
fn main() {
    let short = std::env::args().any(|it| it == "--short");
    let (risky, strings) = if short {
        (500, 10_000)
    } else {
        (5_000, 100_000)
    };
    let mut random = StdRng::seed_from_u64(0x0ff_400c);
    let numbers: BTreeSet<String> = std::iter::repeat_with(|| number(&mut random))
        .take(4 * risky)
        .collect();
    let numbers: Vec<String> = numbers.into_iter().take(risky).collect();
    let rules = rules(numbers.iter().chain(&FRIENDS.map(str::to_owned)));
    let spelled = numbers.iter().flat_map(|it| spellings(it));
    let (mut tried, mut dialled) = (0, Vec::new());
    for text in spelled {
        tried += 1;
        dialled.extend(rules.may_dial(&text, NOW).is_ok().then_some(text));
    }
    for text in &dialled {
        eprintln!("dialled: {text:?}");
    }
    let (wrong, allowed) = strangers(&mut random, strings);
    let exactly = |most: usize| json!({ "at_most": most as f64 });
    println!(
        "{}",
        json!([
            { "what": "risky numbers", "figure": numbers.len() as f64, "goal": { "at_least": risky as f64 } },
            { "what": "spellings of them tried", "figure": f64::from(tried), "goal": { "at_least": 20.0 * risky as f64 } },
            { "what": "of those dialled", "figure": dialled.len() as f64, "goal": exactly(0) },
            { "what": "random strings", "figure": f64::from(strings), "goal": "none" },
            { "what": "of those allowed", "figure": f64::from(allowed), "goal": { "at_least": 100.0 } },
            { "what": "of those judged wrongly", "figure": f64::from(wrong), "goal": exactly(0) },
        ])
    );
}

/// Strings, from noise to near misses: allowed exactly if they are, letter for letter, a number of the
/// list.
fn strangers(random: &mut StdRng, strings: u32) -> (u32, u32) {
    let rules = rules(FRIENDS.map(str::to_owned).iter());
    let (mut wrong, mut allowed) = (0, 0);
    for _ in 0..strings {
        let text = strange(random);
        let listed = FRIENDS.contains(&text.as_str());
        let dials = rules.may_dial(&text, NOW).is_ok();
        allowed += u32::from(dials);
        wrong += u32::from(dials != listed);
    }
    (wrong, allowed)
}

fn strange(random: &mut StdRng) -> String {
    if random.random_bool(0.3) {
        let length = random.random_range(0..20);
        return (0..length)
            .filter_map(|_| char::from_u32(random.random_range(0..0x3000)))
            .collect();
    }
    let mut text: Vec<char> = FRIENDS.choose(random).map_or("", |it| it).chars().collect();
    for _ in 0..random.random_range(0..3) {
        let at = random.random_range(0..text.len().max(1));
        let sign = SIGNS.choose(random).copied().unwrap_or('+');
        match random.random_range(0..3) {
            0 => text.insert(at, sign),
            1 if at < text.len() => text[at] = sign,
            _ => text.push(sign),
        }
    }
    text.into_iter().collect()
}

fn number(random: &mut StdRng) -> String {
    let (prefix, digits) = RISKY.choose(random).copied().unwrap_or(("+1900", 7));
    let tail = (0..digits).map(|_| char::from(b'0' + random.random_range(0..10_u8)));
    format!("{prefix}{}", tail.collect::<String>())
}

/// Twenty ways to write a number, the right one first.
fn spellings(number: &str) -> Vec<String> {
    let digits = &number[1..];
    let (head, tail) = digits.split_at(digits.len() / 2);
    let in_script = |zero: u32| -> String {
        let written = digits.chars().map(|it| it.to_digit(10).unwrap_or_default());
        written.filter_map(|it| char::from_u32(zero + it)).collect()
    };
    vec![
        number.to_owned(),
        digits.to_owned(),
        format!("00{digits}"),
        format!("011{digits}"),
        format!("++{digits}"),
        format!("+{head} {tail}"),
        format!("+{head}-{tail}"),
        format!("+({head}){tail}"),
        format!("+{head}.{tail}"),
        format!("+{}", in_script(0xff10)),
        format!("+{}", in_script(0x0660)),
        format!("＋{digits}"),
        format!("tel:{number}"),
        format!("sip:{number}@example.com"),
        format!("{number}@example.com"),
        format!("{number};ext=1"),
        format!("{number}p1"),
        format!("{number}w1"),
        format!(" {number}\n"),
        format!("+{head}\u{200b}{tail}"),
    ]
}

fn rules<'n>(call: impl Iterator<Item = &'n String>) -> Rules {
    let numbers = call.filter_map(|it| Some((Number::parse(it).ok()?, String::new())));
    let whom = Whom {
        numbers: numbers.collect(),
        ..Whom::default()
    };
    let none = |value| Listed::new(value, "");
    Rules {
        call: Listed::new(whom, ""),
        hours: None,
        ours: BTreeSet::new(),
        owner: BTreeSet::new(),
        call_own: Listed::new(false, ""),
        answer: Listed::new(Callers::Any, ""),
        pairing: false,
        max_calls: none(usize::MAX),
        max_length: Listed::new(Duration::from_secs(60), ""),
        calls_per_hour: none(usize::MAX),
        new_numbers: none(usize::MAX),
        approve: Listed::new(Approve::Never, ""),
        consent: Listed::new(Consent::Recorded, ""),
        opt_out_key: None,
        pin: None,
        rates: Rates::default(),
        limits: Limits {
            per_call: None,
            per_hour: None,
            per_day: Listed::new(Money::micros(u64::MAX), ""),
            per_month: None,
            per_number: None,
            per_agent: None,
            calls_per_number: none(usize::MAX),
        },
    }
}

const NOW: Now = Now {
    at: Timestamp::UNIX_EPOCH,
    up: 0,
    standing: Standing {
        stopped: false,
        approved: false,
        purposeful: false,
        dialled_before: false,
        reached_before: false,
        strangers: 0,
        strangers_cost: Money::ZERO,
        unwanted: false,
        dialled: 0,
        to_number: 0,
        hour: Money::ZERO,
        day: Money::ZERO,
        month: Money::ZERO,
        number: Money::ZERO,
        agent: Money::ZERO,
    },
};

const FRIENDS: [&str; 3] = ["+12025550123", "+4930123456", "+919876543210"];
const SIGNS: [char; 14] = [
    '+', '0', '1', '5', '9', ' ', '-', '٣', '５', '\0', '\n', ';', '@', '(',
];

/// The first digits of numbers, and how many follow.
const RISKY: [(&str, usize); 62] = [
    ("+1900", 7),
    ("+1976", 7),
    ("+1500", 7),
    ("+1700", 7),
    ("+1809976", 4),
    ("+4490", 8),
    ("+4491", 8),
    ("+4498", 8),
    ("+4470", 8),
    ("+44871", 7),
    ("+44843", 7),
    ("+44118", 3),
    ("+49900", 7),
    ("+491805", 6),
    ("+49137", 7),
    ("+49700", 8),
    ("+49118", 2),
    ("+3389", 7),
    ("+3381", 7),
    ("+3382", 7),
    ("+33118", 3),
    ("+39899", 6),
    ("+39892", 3),
    ("+39144", 6),
    ("+39178", 7),
    ("+34803", 6),
    ("+34806", 6),
    ("+34905", 6),
    ("+34901", 6),
    ("+34118", 2),
    ("+31900", 4),
    ("+31906", 7),
    ("+31909", 7),
    ("+32903", 5),
    ("+32907", 5),
    ("+32909", 5),
    ("+41900", 6),
    ("+41901", 6),
    ("+41906", 6),
    ("+41840", 6),
    ("+43900", 6),
    ("+43930", 6),
    ("+43810", 6),
    ("+46900", 6),
    ("+46939", 7),
    ("+48700", 6),
    ("+48801", 6),
    ("+351601", 6),
    ("+351760", 6),
    ("+61190", 7),
    ("+6113", 4),
    ("+81990", 6),
    ("+81570", 6),
    ("+7803", 7),
    ("+7809", 7),
    ("+870", 9),
    ("+8816", 8),
    ("+88213", 7),
    ("+883510", 9),
    ("+979", 9),
    ("+808", 8),
    ("+878", 12),
];
