//! Calls that are not made without the owner's yes to each.

use crate::limits::{Limits, Standing};
use crate::money::Money;
use crate::whom::{Entry, Listed};

/// Which calls the owner wants to be asked about before they are made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Approve {
    /// All of them.
    Always,
    /// Those to whoever is no contact, and never picked up before.
    Unknown,
    /// None, as long as there is no [burst](Asks::Burst).
    #[default]
    Never,
}

impl Approve {
    /// Reads it as it is written in the configuration.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "always" => Some(Self::Always),
            "unknown" => Some(Self::Unknown),
            "never" => Some(Self::Never),
            _ => None,
        }
    }
}

/// Whether people who are called must have agreed to it. The owner's own phones are called as they like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Consent {
    /// Nobody is called without a purpose who is not a contact that agreed.
    Required,
    /// Whoever may be called is; what for, and what they agreed to, is written down.
    #[default]
    Recorded,
}

impl Consent {
    /// Reads it as it is written in the configuration.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "required" => Some(Self::Required),
            "recorded" => Some(Self::Recorded),
            _ => None,
        }
    }
}

/// What is missing of a call to somebody else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lacking {
    /// What it is for.
    Purpose,
    /// What they agreed to.
    Consent,
}

/// Why the owner is asked first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asks {
    /// They want to be, about this call.
    Approve {
        /// Where that is said.
        at: String,
    },
    /// Too many numbers were dialled for the first time, one soon after the other, or calls to them cost
    /// too much: as when somebody else makes the calls.
    Burst {
        /// How many may be.
        most: usize,
        /// Where that is said.
        at: String,
    },
}

impl Approve {
    /// Whether the owner is to be asked about a call that this line allows.
    pub(crate) fn asks(self, entry: Entry<'_>, standing: &Standing) -> bool {
        match (self, entry) {
            (Self::Always, _) => true,
            (Self::Never, _) | (Self::Unknown, Entry::Contact(..)) => false,
            (Self::Unknown, Entry::Number(_) | Entry::Class(_)) => !standing.reached_before,
        }
    }
}

/// Whether a call that this line allows is one too many to a number that nobody named and that was never
/// dialled before. A burst of three may cost a hundredth of what may be spent in a day, and one that is
/// longer as much more.
pub(crate) fn is_burst(
    entry: Entry<'_>,
    standing: &Standing,
    (most, limits): (&Listed<usize>, &Limits),
) -> bool {
    let named = match entry {
        Entry::Contact(..) | Entry::Number(_) => true,
        Entry::Class(_) => false,
    };
    if named || standing.dialled_before {
        return false;
    }
    standing.strangers >= most.value
        || standing.strangers_cost > burst_cost(limits.per_day.value, most.value)
}

/// What calls of a burst may cost before it is over.
pub(crate) fn burst_cost(day: Money, most: usize) -> Money {
    let most = u64::try_from(most).unwrap_or(u64::MAX);
    Money::micros((day.as_micros() / 300).saturating_mul(most))
}

#[cfg(test)]
mod tests {
    use call::Number;
    use proptest::prelude::*;

    use super::*;
    use crate::class::Class;

    fn limits(day: u64) -> Limits {
        Limits {
            per_call: None,
            per_hour: None,
            per_day: Listed::new(Money::micros(day), ""),
            per_month: None,
            per_number: None,
            per_agent: None,
            calls_per_number: Listed::new(3, ""),
        }
    }

    #[test]
    fn who_is_named_is_no_stranger() {
        let standing = Standing {
            strangers: 100,
            ..Standing::default()
        };
        let limits = limits(1_000);
        let most = Listed::new(3, "");
        assert!(!is_burst(
            Entry::Number("here"),
            &standing,
            (&most, &limits)
        ));
        let class = Listed::new(Class::parse("US").expect("a class"), "here");
        let class = Entry::Class(&class);
        assert!(is_burst(class, &standing, (&most, &limits)));
        let before = Standing {
            dialled_before: true,
            ..standing
        };
        assert!(!is_burst(class, &before, (&most, &limits)));
    }

    #[test]
    fn the_owner_is_asked_as_they_want() {
        let number = Number::parse("+15551234567").expect("a number");
        let contact = crate::whom::Contact {
            number,
            hours: None,
            zone: None,
            pin: None,
            consent: None,
        };
        let contact = Listed::new(contact, "here");
        let contact = Entry::Contact("mom", &contact);
        let new = Standing::default();
        let reached = Standing {
            reached_before: true,
            ..new
        };
        for (approve, entry, standing, asks) in [
            (Approve::Always, contact, &reached, true),
            (Approve::Unknown, contact, &new, false),
            (Approve::Unknown, Entry::Number(""), &new, true),
            (Approve::Unknown, Entry::Number(""), &reached, false),
            (Approve::Never, Entry::Number(""), &new, false),
        ] {
            assert_eq!(approve.asks(entry, standing), asks, "{approve:?} {entry:?}");
        }
        for (text, read) in [
            ("always", Some(Approve::Always)),
            ("unknown", Some(Approve::Unknown)),
            ("never", Some(Approve::Never)),
            ("", None),
        ] {
            assert_eq!(Approve::parse(text), read);
        }
    }

    #[test]
    fn consent_is_wanted_as_it_is_written() {
        for (text, read) in [
            ("required", Some(Consent::Required)),
            ("recorded", Some(Consent::Recorded)),
            ("never", None),
            ("", None),
        ] {
            assert_eq!(Consent::parse(text), read);
        }
    }

    #[test]
    fn a_burst_of_three_may_cost_a_hundredth_of_the_day_and_no_more() {
        let (day, most) = (30_000_000, Listed::new(3, ""));
        assert_eq!(
            burst_cost(Money::micros(day), most.value),
            Money::micros(300_000)
        );
        let class = Listed::new(Class::parse("US").expect("a class"), "here");
        for (cost, burst) in [(300_000, false), (300_001, true)] {
            let standing = Standing {
                strangers: 1,
                strangers_cost: Money::micros(cost),
                ..Standing::default()
            };
            let rules = (&most, &limits(day));
            assert_eq!(is_burst(Entry::Class(&class), &standing, rules), burst);
        }
    }

    proptest! {
        /// Somebody dials one new number after the other, and no call ends. However dear they are and
        /// however many are tried: three are made at most, and when the last began no more than a hundredth
        /// of the day's money was set aside.
        #[test]
        fn an_attack_is_stopped_within_three_calls(
            day in 300_u64..1_000_000_000,
            prices in prop::collection::vec(0_u64..50_000_000, 1..40),
        ) {
            let (limits, most) = (limits(day), Listed::new(3, ""));
            let class = Listed::new(Class::parse("US").expect("a class"), "here");
            let (mut made, mut standing) = (0, Standing::default());
            for price in prices {
                if is_burst(Entry::Class(&class), &standing, (&most, &limits)) {
                    continue;
                }
                prop_assert!(standing.strangers_cost.as_micros() <= day / 100);
                made += 1;
                standing.strangers += 1;
                standing.strangers_cost = standing.strangers_cost.plus(Money::micros(price));
            }
            prop_assert!(made <= 3);
        }
    }
}
