//! What the owner's rules said, written down in the journal: also of calls that never came to be.
//!
//! What they allow of a call is in its first event. What they refuse, what they allow beside a call and
//! what waits for the owner is written beside it, or under a name of its own where there is no call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use call::event::What;
use call::{Direction, Event, Number, Private, Trust};
use ports::Fault;

use super::{CallId, Record, Switchboard};
use crate::journal::Parties;

/// Who asked for what, where there is no call.
pub(super) struct About<'a> {
    pub(super) what: What,
    pub(super) direction: Direction,
    /// Our number, as it was written.
    pub(super) ours: &'a str,
    /// Theirs.
    pub(super) theirs: &'a str,
    pub(super) carrier: &'a str,
    pub(super) agent: &'a str,
}

impl<'a> About<'a> {
    /// A call that somebody wanted made.
    pub(super) fn dial(
        what: What,
        (to, from): (&'a str, Option<&'a str>),
        agent: Option<&'a str>,
    ) -> Self {
        Self {
            what,
            direction: Direction::Outbound,
            ours: from.unwrap_or_default(),
            theirs: to,
            carrier: "",
            agent: agent.unwrap_or_default(),
        }
    }

    fn parties(&self) -> Parties {
        // Whatever a stranger calls themselves is not written down at any length.
        let short = |text: &str| Private::from(text.chars().take(LONGEST).collect::<String>());
        Parties {
            direction: match self.direction {
                Direction::Inbound => "inbound",
                Direction::Outbound => "outbound",
            },
            number: short(self.ours),
            caller: Some(short(self.theirs)),
            carrier: self.carrier.to_owned(),
            agent: self.agent.to_owned(),
            allowed_by: String::new(),
            trust: Trust::Unknown,
            objective: None,
            asked_by: None,
        }
    }
}

/// Refusals that are written down one by one, and those that are only counted: strangers may call, and
/// agents ask, as often as they like.
#[derive(Debug, Default)]
pub(super) struct Flood(Mutex<Counted>);

#[derive(Debug, Default)]
struct Counted {
    /// Since when those are counted.
    since: Option<Instant>,
    written: u32,
    /// By what and code, with the rule of the last.
    more: BTreeMap<(&'static str, &'static str), (What, String, u64)>,
}

/// What becomes of a refusal.
#[derive(Debug, PartialEq, Eq)]
enum Told {
    /// It is written down.
    Written,
    /// It is counted.
    Counted,
    /// It is counted, as the first; those are to be told after so long.
    First(Duration),
}

impl Flood {
    fn refused(&self, now: Instant, (what, code, rule): (What, &'static str, &str)) -> Told {
        let mut counted = self.counted();
        let since = counted
            .since
            .filter(|it| now.saturating_duration_since(*it) < WINDOW);
        if since.is_none() && counted.more.is_empty() {
            (counted.since, counted.written) = (Some(now), 0);
        }
        if counted.written < ONE_BY_ONE && counted.more.is_empty() {
            counted.written += 1;
            return Told::Written;
        }
        let first = counted.more.is_empty();
        let began = counted.since.unwrap_or(now);
        if counted.more.len() < KINDS || counted.more.contains_key(&(name(what), code)) {
            let kind = counted.more.entry((name(what), code));
            let (_, last, more) = kind.or_insert_with(|| (what, String::new(), 0));
            rule.clone_into(last);
            *more += 1;
        }
        if first {
            return Told::First((began + WINDOW).saturating_duration_since(now));
        }
        Told::Counted
    }

    /// What was counted, to be told now.
    fn take(&self) -> Vec<(What, &'static str, String, u64)> {
        let mut counted = self.counted();
        counted.since = None;
        let more = std::mem::take(&mut counted.more).into_iter();
        more.map(|((_, code), (what, rule, more))| (what, code, rule, more))
            .collect()
    }

    fn counted(&self) -> std::sync::MutexGuard<'_, Counted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Switchboard {
    /// Writes down that something was refused which is no call yet, and now never will be. What is wrong
    /// otherwise is no verdict.
    pub(super) fn refused(self: &Arc<Self>, about: &About<'_>, fault: &Fault) {
        if !is_verdict(fault) {
            return;
        }
        let id = CallId::random().to_string();
        self.write_refusal(&id, Some(about.parties()), (about.what, fault));
    }

    /// The same of something on a call.
    pub(super) fn refused_on(self: &Arc<Self>, record: &Record, what: What, fault: &Fault) {
        if is_verdict(fault) {
            self.write_refusal(&record.id.to_string(), None, (what, fault));
        }
    }

    /// Writes down that something was allowed on a call.
    pub(super) fn allowed_on(&self, record: &Record, what: What, rule: String) {
        let event = Event::PolicyAllowed { what, rule };
        self.journal
            .pen()
            .beside(&record.id.to_string(), None, event);
    }

    /// Writes down what somebody other than the owner is called for, and what they agreed to.
    pub(super) fn write_purpose(&self, id: CallId, to: &Number, purpose: Option<Private<String>>) {
        let plan = self.plan();
        if plan.rules.is_owner(Some(to)) {
            return;
        }
        let consent = plan.rules.consent_of(&policy::Known::of(to));
        let consent = consent.map(|it| Private::from(it.to_owned()));
        if purpose.is_some() || consent.is_some() {
            let event = Event::PolicyPurpose { purpose, consent };
            self.judged(&id.to_string(), None, event);
        }
    }

    /// Writes down what the owner said of something, or that it waits for that.
    pub(super) fn judged(&self, call: &str, about: Option<&About<'_>>, event: Event) {
        let parties = about.map(About::parties);
        self.journal.pen().beside(call, parties, event);
    }

    fn write_refusal(
        self: &Arc<Self>,
        call: &str,
        parties: Option<Parties>,
        (what, fault): (What, &Fault),
    ) {
        let rule = fault.rule.clone().unwrap_or_default();
        match self
            .flood
            .refused(Instant::now(), (what, fault.code, &rule))
        {
            Told::Written => {
                let event = Event::PolicyRefused {
                    what,
                    code: fault.code,
                    rule,
                    more: 0,
                };
                self.journal.pen().beside(call, parties, event);
            }
            Told::Counted => {}
            Told::First(wait) => {
                let board = self.clone();
                tokio::spawn(async move {
                    tokio::time::sleep(wait).await;
                    board.tell_the_rest();
                });
            }
        }
    }

    /// Writes down how many refusals were not told one by one.
    pub(super) fn tell_the_rest(&self) {
        for (what, code, rule, more) in self.flood.take() {
            let event = Event::PolicyRefused {
                what,
                code,
                rule,
                more,
            };
            self.journal
                .pen()
                .beside(&CallId::random().to_string(), None, event);
        }
    }
}

fn is_verdict(fault: &Fault) -> bool {
    fault.code.starts_with("policy.")
}

fn name(what: What) -> &'static str {
    match what {
        What::Dial => "dial",
        What::Answer => "answer",
        What::Transfer => "transfer",
        What::Invitation => "invitation",
        What::Tool => "tool",
        What::Approval => "approval",
        What::Everything => "everything",
    }
}

/// So many refusals are written down one by one, within this time.
const ONE_BY_ONE: u32 = 30;
const WINDOW: Duration = Duration::from_secs(60);
/// There are fewer codes than this.
const KINDS: usize = 64;
/// The longest number, twice.
const LONGEST: usize = 32;

#[cfg(test)]
mod tests {
    use ports::code;

    use super::*;

    #[test]
    fn a_flood_is_counted_and_told_once() {
        let (flood, now) = (Flood::default(), Instant::now());
        let refused = |at: u64, code| {
            let at = now + Duration::from_millis(at);
            flood.refused(at, (What::Answer, code, "here"))
        };
        for at in 0..u64::from(ONE_BY_ONE) {
            assert_eq!(refused(at, code::POLICY_CALLER), Told::Written);
        }
        let first = refused(1_000, code::POLICY_CALLER);
        assert_eq!(first, Told::First(WINDOW - Duration::from_secs(1)));
        for at in 0..10_000 {
            let code = [code::POLICY_CALLER, code::POLICY_TOO_MANY_CALLS][usize::from(at % 2 == 0)];
            assert_eq!(refused(2_000 + at, code), Told::Counted);
        }
        let told = flood.take();
        let many: u64 = told.iter().map(|(.., more)| more).sum();
        assert_eq!((told.len(), many), (2, 10_001));
        assert_eq!(refused(61_000, code::POLICY_CALLER), Told::Written);
        assert!(flood.take().is_empty());
    }
}
