//! `offhook policy explain`: may this number be called, when, at what price, and who says so?

use std::path::PathBuf;

use call::Number;
use jiff::Timestamp;
use policy::{Entry, Known, Now, Refusal, Rules, Standing, When};
use ports::Fault;
use serde::Serialize;

use super::{Done, Out};
use crate::ledger::{self, Ledger};
use crate::pairings::Pairings;
use crate::{rules, state};

/// What to do with the owner's rules.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say whether someone may be called, when, at what price, and which line says so. Calls nobody.
    Explain {
        /// A number, such as +15551234567, or a contact's name.
        number: String,
    },
    /// Never call a number again. There is no way to take that back.
    DoNotCall {
        /// The number, such as +15551234567.
        number: String,
    },
}

/// What the rules say of a number.
#[derive(Debug, PartialEq, Serialize)]
struct Verdict {
    /// Whether it may be called now.
    allowed: bool,
    /// The rule that decides: a line of the configuration, or a code for what no line allows.
    rule: String,
    /// Why, in a sentence.
    reason: String,
    /// What could be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    /// What kind of line its digits say it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    /// The country of its digits.
    #[serde(skip_serializing_if = "Option::is_none")]
    country: Option<String>,
    /// The most that a call to it can cost, in the currency of `[rates]`.
    price_ceiling: Option<f64>,
    /// When it may be called.
    when: Option<Times>,
    /// Whether whoever has it may call, by a pairing that the owner confirmed.
    #[serde(skip_serializing_if = "Option::is_none")]
    paired: Option<bool>,
}

#[derive(Debug, PartialEq, Serialize)]
struct Times {
    /// Such as `08:00-21:00`, by the clocks there, or `any`.
    hours: String,
    /// Whose clocks: all of these must agree.
    zones: Vec<String>,
    /// Whether it is the time now.
    now: bool,
    /// The next moment at which it is.
    next: Option<Timestamp>,
}

/// Explains.
pub(super) async fn run(args: Args, config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    match args.command {
        Command::Explain { number } => explain_it(&number, config, out).await,
        Command::DoNotCall { number } => never_call(&number, out).await,
    }
}

async fn never_call(number: &str, out: &mut Out) -> Result<Done, Fault> {
    let number = Number::parse(number).map_err(|fault| rules::told(Refusal::NotANumber(fault)))?;
    let now = Timestamp::now().as_millisecond();
    let ledger = Ledger::open(&state::folder(), now)?;
    let new = ledger.do_not_call(&number, now).await?;
    out.json(&serde_json::json!({ "do_not_call": number.masked(), "new": new }));
    let known = if new {
        "will not be called any more"
    } else {
        "was not to be called before"
    };
    out.line(format_args!("{number:?} {known}"));
    Ok(Done::Well)
}

async fn explain_it(number: &str, config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    let plan = match super::load(config, out) {
        Ok(plan) => plan,
        Err(done) => return Ok(done),
    };
    let at = Timestamp::now();
    let standing = match plan.rules.known(number) {
        Ok(known) => standing(known, at).await?,
        Err(_) => Standing::default(),
    };
    let mut verdict = explain(&plan.rules, number, (at, standing));
    verdict.paired = paired(&plan.rules, number).await?;
    out.json(&verdict);
    show(&verdict, out);
    Ok(Done::Well)
}

/// Whether the owner paired whoever has this number; `None`: nobody is paired here.
async fn paired(rules: &Rules, number: &str) -> Result<Option<bool>, Fault> {
    let number = Number::parse(rules.call.value.meant(number)).ok();
    let Some(number) = number.filter(|_| rules.pairing) else {
        return Ok(None);
    };
    let pairings = Pairings::open(&state::folder())?;
    pairings.is_paired(&number).await.map(Some)
}

/// What was dialled and spent so far, for a call by nobody in particular.
async fn standing(known: Known, at: Timestamp) -> Result<Standing, Fault> {
    let at = at.as_millisecond();
    let entry = ledger::Entry {
        name: String::new(),
        to: known.number,
        agent: String::new(),
        at,
        stranger: false,
    };
    Ledger::open(&state::folder(), at)?.standing(entry).await
}

fn explain(rules: &Rules, to: &str, (at, standing): (Timestamp, Standing)) -> Verdict {
    let known = rules.known(to);
    let entry = known.as_ref().ok().and_then(|it| rules.entry(it).ok());
    let now = Now {
        at,
        up: 0,
        standing,
    };
    let found = known.as_ref().ok();
    let (allowed, rule, reason, hint) = match rules.may_dial(to, now) {
        Ok(permit) => (
            true,
            permit.rule,
            "the owner lets it be called".to_owned(),
            None,
        ),
        Err(refusal) => {
            let fault = rules::told(refusal);
            let rule = entry.map_or_else(|| fault.code.to_owned(), |it| it.rule());
            (false, rule, fault.to_string(), fault.hint)
        }
    };
    Verdict {
        allowed,
        rule,
        reason,
        hint,
        kind: found.map(|it| it.kind.to_string()),
        country: found.and_then(|it| Some(it.country?.as_str().to_owned())),
        price_ceiling: found.map(|it| price(rules, it)),
        when: found
            .zip(entry)
            .map(|(it, entry)| times(rules, it, entry, at)),
        paired: None,
    }
}

fn price(rules: &Rules, known: &Known) -> f64 {
    rules.ceiling(known).as_micros() as f64 / 1e6
}

fn times(rules: &Rules, known: &Known, entry: Entry<'_>, at: Timestamp) -> Times {
    match rules.when(&known.number, entry) {
        When::Always => Times {
            hours: "any".to_owned(),
            zones: Vec::new(),
            now: true,
            next: Some(at),
        },
        When::At { hours, zones, .. } => Times {
            hours: hours.to_string(),
            zones: zones.names().map(str::to_owned).collect(),
            now: hours.allow(&zones, at),
            next: hours.next(&zones, at),
        },
    }
}

fn show(verdict: &Verdict, out: &mut Out) {
    let may = if verdict.allowed {
        "may be called"
    } else {
        "may not be called"
    };
    let country = verdict.country.as_deref().map(|it| format!(", {it}"));
    let what = verdict
        .kind
        .as_ref()
        .map(|it| format!(" ({it}{})", country.unwrap_or_default()));
    out.line(format_args!("{may}{}", what.unwrap_or_default()));
    out.line(format_args!("  why    {}", verdict.reason));
    out.line(format_args!("  rule   {}", verdict.rule));
    if let Some(times) = &verdict.when {
        let zones = match times.zones.as_slice() {
            [] => String::new(),
            [one] => format!(" in {one}"),
            several => format!(" in each of its {} time zones", several.len()),
        };
        let next = times.next.filter(|_| !times.now);
        let next = next.map(|it| format!(", next from {}", it.strftime("%Y-%m-%dT%H:%MZ")));
        out.line(format_args!(
            "  when   {}{zones}{}",
            times.hours,
            next.unwrap_or_default()
        ));
    }
    if let Some(paired) = verdict.paired {
        let told = if paired {
            "may call: it is paired (`offhook pairing remove` undoes that)"
        } else {
            "is not paired"
        };
        out.line(format_args!("  calls  {told}"));
    }
    if let Some(price) = verdict.price_ceiling {
        out.line(format_args!("  price  at most {price:.2}"));
    }
    if let Some(hint) = &verdict.hint {
        out.line(format_args!("  hint   {hint}"));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::time::Duration;

    use policy::{Callers, Class, Limits, Listed, Money, Rates, Whom};

    use super::*;

    #[test]
    fn a_verdict_says_which_line_decides_when_and_for_how_much() {
        let rules = rules();
        let at = |moment: &str| moment.parse().expect("a moment");
        let then = |moment: &str| (at(moment), Standing::default());
        let night = explain(&rules, "+4930999999", then("2026-01-15T02:00:00Z"));
        assert!(!night.allowed);
        assert_eq!(night.rule, "`call` in [policy], offhook.toml:15");
        assert_eq!(night.price_ceiling, Some(31.0));
        let times = night.when.expect("it may be called at some time");
        assert_eq!((times.hours.as_str(), times.now), ("08:00-21:00", false));
        assert_eq!(times.zones, ["Europe/Berlin"]);
        assert_eq!(times.next, Some(at("2026-01-15T07:00:00Z")));
        let day = explain(&rules, "+4930999999", then("2026-01-15T12:00:00Z"));
        assert!(day.allowed && day.when.is_some_and(|it| it.now));
        let friend = explain(&rules, "+15551234567", then("2026-01-15T02:00:00Z"));
        assert!(friend.allowed);
        assert_eq!(friend.rule, "`call` in [policy], offhook.toml:14");
        assert_eq!(friend.when.map(|it| it.hours).as_deref(), Some("any"));
        for (to, code) in [
            ("+19005551234", "policy.dangerous"),
            ("911", "policy.number"),
            ("+33123456789", "policy.not_allowed"),
            ("0049 30 999999", "policy.number"),
        ] {
            let verdict = explain(&rules, to, then("2026-01-15T12:00:00Z"));
            assert_eq!(
                (verdict.allowed, verdict.rule.as_str()),
                (false, code),
                "{to}"
            );
            assert_eq!(verdict.when, None);
        }
    }

    fn rules() -> Rules {
        let friend = Number::parse("+15551234567").expect("a number");
        let class = Class::parse("DE").expect("a class");
        let line = |line: usize| format!("offhook.toml:{line}");
        let whom = Whom {
            numbers: [(friend, line(14))].into(),
            classes: vec![Listed::new(class, line(15))],
            ..Whom::default()
        };
        Rules {
            call: Listed::new(whom, line(13)),
            hours: None,
            ours: BTreeSet::new(),
            owner: BTreeSet::new(),
            call_own: Listed::new(false, line(12)),
            answer: Listed::new(Callers::Any, line(12)),
            pairing: false,
            max_calls: Listed::new(4, line(12)),
            max_length: Listed::new(Duration::from_secs(1_800), line(12)),
            calls_per_hour: Listed::new(20, line(12)),
            new_numbers: Listed::new(3, line(12)),
            approve: Listed::new(policy::Approve::Never, line(12)),
            consent: Listed::new(policy::Consent::Recorded, line(12)),
            opt_out_key: None,
            pin: None,
            rates: Rates::default(),
            limits: Limits {
                per_call: None,
                per_hour: None,
                per_day: Listed::new(Money::micros(50_000_000), line(12)),
                per_month: None,
                per_number: None,
                per_agent: None,
                calls_per_number: Listed::new(6, line(12)),
            },
        }
    }
}
