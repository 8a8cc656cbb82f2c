//! The guard rails: whether a call may be made or taken.
//!
//! Everything here compares parsed [`Number`]s and nothing else: a number is on a list, digit for
//! digit, or it is not. A refusal never shows a whole number, neither in its message nor in its
//! hint, so that both may be logged; whoever asked knows which number they meant.

use std::time::Duration;

use call::{Direction, Number, NumberFault};
use ports::{Blame, Fault, Retry, code};

use crate::config::plan::{Callers, Rules};

/// Why a call may not be made or taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The number to dial is none, or belongs to an emergency service.
    NotANumber(NumberFault),
    /// The number to dial is not on the list.
    MayNotDial {
        /// Which number.
        to: Number,
        /// Where the list stands.
        at: String,
    },
    /// The caller is not on the list.
    MayNotCall {
        /// Who calls.
        from: Number,
        /// Where the list stands.
        at: String,
    },
    /// The caller hides, and only those on the list may call.
    Hidden {
        /// Where the list stands.
        at: String,
    },
    /// As many calls are up as may be.
    TooManyCalls {
        /// How many.
        most: usize,
        /// Where that is said.
        at: String,
    },
    /// As many calls were dialled in the last hour as may be.
    TooOften {
        /// How many.
        most: usize,
        /// Where that is said.
        at: String,
    },
}

impl Rules {
    /// Whether `to` may be dialled while `up` calls are up and `dialled` were dialled in the last
    /// hour. `to` is as someone wrote it.
    pub fn may_dial(&self, to: &str, up: usize, dialled: usize) -> Result<Number, Refusal> {
        let to = Number::parse(to).map_err(Refusal::NotANumber)?;
        if !self.call.value.contains(&to) {
            let at = self.call.at.clone();
            return Err(Refusal::MayNotDial { to, at });
        }
        self.room(up)?;
        if dialled >= self.calls_per_hour.value {
            let (most, at) = (self.calls_per_hour.value, self.calls_per_hour.at.clone());
            return Err(Refusal::TooOften { most, at });
        }
        Ok(to)
    }

    /// Whether a caller may reach us while `up` calls are up, and by which number they are known.
    /// `from` is as the carrier wrote it: perhaps empty, perhaps `anonymous`, perhaps anything.
    pub fn may_answer(&self, from: &str, up: usize) -> Result<Option<Number>, Refusal> {
        let from = Number::parse(from).ok();
        let at = || self.answer.at.clone();
        match (&self.answer.value, &from) {
            (Callers::Any, _) => {}
            (Callers::These(_), None) => return Err(Refusal::Hidden { at: at() }),
            (Callers::These(numbers), Some(from)) if !numbers.contains(from) => {
                return Err(Refusal::MayNotCall {
                    from: from.clone(),
                    at: at(),
                });
            }
            (Callers::These(_), Some(_)) => {}
        }
        self.room(up)?;
        Ok(from)
    }

    /// Which rule allows a call that goes this way, and where it stands.
    pub fn allowed(&self, direction: Direction) -> String {
        match (direction, &self.answer.value) {
            (Direction::Outbound, _) => format!("`call` in [policy], {}", self.call.at),
            (Direction::Inbound, Callers::Any) => {
                format!("\"any\" under `answer` in [policy], {}", self.answer.at)
            }
            (Direction::Inbound, Callers::These(_)) => {
                format!("`answer` in [policy], {}", self.answer.at)
            }
        }
    }

    /// Whether a call that is up may go on: by who is on it, not by how many there are.
    pub fn still_allows(&self, direction: Direction, caller: Option<&Number>) -> bool {
        match (direction, &self.answer.value) {
            (Direction::Outbound, _) => caller.is_some_and(|it| self.call.value.contains(it)),
            (Direction::Inbound, Callers::Any) => true,
            (Direction::Inbound, Callers::These(numbers)) => {
                caller.is_some_and(|it| numbers.contains(it))
            }
        }
    }

    /// How long any call may last.
    pub fn limit(&self) -> Duration {
        self.max_length.value
    }

    fn room(&self, up: usize) -> Result<(), Refusal> {
        if up < self.max_calls.value {
            return Ok(());
        }
        let (most, at) = (self.max_calls.value, self.max_calls.at.clone());
        Err(Refusal::TooManyCalls { most, at })
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::NotANumber(fault) => {
                let hint = match fault {
                    NumberFault::Emergency => "use a telephone to call for help",
                    NumberFault::NoPlus
                    | NumberFault::NotDigits
                    | NumberFault::Length
                    | NumberFault::LeadingZero => "write it as +15551234567, without spaces",
                };
                let message = format!("that cannot be dialled: {fault}");
                Self::new(Blame::Caller, code::POLICY_NUMBER, message).hint(hint)
            }
            Refusal::MayNotDial { to, at } => {
                let message = format!("{to:?} is not on the list of numbers that may be called");
                Self::new(Blame::Config, code::POLICY_NOT_ALLOWED, message)
                    .hint(format!("add it to `call` in [policy], {at}"))
            }
            Refusal::MayNotCall { from, at } => {
                let message = format!("{from:?} is not on the list of those who may call");
                Self::new(Blame::Config, code::POLICY_CALLER, message)
                    .hint(format!("add it to `answer` in [policy], {at}"))
            }
            Refusal::Hidden { at } => {
                let message = "the caller's number is hidden, and only listed numbers may call";
                Self::new(Blame::Config, code::POLICY_CALLER, message).hint(format!(
                    "only \"any\" under `answer` in [policy] lets them in, {at}"
                ))
            }
            Refusal::TooManyCalls { most, at } => {
                let message = format!("{most} calls are up, and no more may be");
                Self::new(Blame::Config, code::POLICY_TOO_MANY_CALLS, message)
                    .retry(Retry::IfNotSent)
                    .hint(format!(
                        "wait for one to end, or raise `max_calls` in [policy], {at}"
                    ))
            }
            Refusal::TooOften { most, at } => {
                let message =
                    format!("{most} calls were dialled in the last hour, and no more may be");
                Self::new(Blame::Config, code::POLICY_TOO_OFTEN, message)
                    .retry(Retry::IfNotSent)
                    .hint(format!("wait, or raise `calls_per_hour` in [policy], {at}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::rngs::StdRng;
    use rand::seq::IndexedRandom;
    use rand::{Rng, SeedableRng};

    use super::*;
    use crate::config::plan::Listed;

    const FRIENDS: [&str; 3] = ["+15551234567", "+4930123456", "+919876543210"];

    #[test]
    fn a_listed_number_may_be_dialled_while_there_is_room() {
        let rules = rules(&FRIENDS, Callers::These(BTreeSet::new()));
        assert_eq!(
            rules.may_dial("+15551234567", 1, 4),
            Ok(number("+15551234567"))
        );
        let full = rules.may_dial("+15551234567", 2, 0);
        assert_eq!(
            full,
            Err(Refusal::TooManyCalls {
                most: 2,
                at: "offhook.toml:16".into()
            })
        );
        let often = rules.may_dial("+15551234567", 0, 5);
        assert_eq!(
            often,
            Err(Refusal::TooOften {
                most: 5,
                at: "offhook.toml:18".into()
            })
        );
    }

    #[test]
    fn an_empty_list_is_nobody() {
        let rules = rules(&[], Callers::These(BTreeSet::new()));
        for friend in FRIENDS {
            let refused = rules.may_dial(friend, 0, 0);
            assert!(matches!(refused, Err(Refusal::MayNotDial { .. })));
            let refused = rules.may_answer(friend, 0);
            assert!(matches!(refused, Err(Refusal::MayNotCall { .. })));
        }
    }

    #[test]
    fn nothing_but_the_exact_number_is_the_number() {
        let rules = rules(&FRIENDS, these(&FRIENDS));
        for near in [
            "15551234567",
            "+15551234567 ",
            " +15551234567",
            "+1 555 123 4567",
            "+1-555-123-4567",
            "0015551234567",
            "+155512345678",
            "+1555123456",
            "+15551234567;ext=1",
            "+15551234567,",
            "tel:+15551234567",
            "sip:+15551234567@example.com",
            "+１5551234567",
            "+15551234567\n",
            "+15551234567\0",
            "++15551234567",
            "+15551234567+15551234567",
            "",
            "+",
            "any",
            "anonymous",
            "Restricted",
            "+266696687",
            "client:anna",
        ] {
            assert!(rules.may_dial(near, 0, 0).is_err(), "{near:?}");
            assert!(rules.may_answer(near, 0).is_err(), "{near:?}");
        }
    }

    #[test]
    fn emergency_services_are_never_dialled() {
        let rules = rules(&FRIENDS, Callers::Any);
        for number in ["911", "112", "999", "+911", "+1911", "000", "110", "+112"] {
            let refused = rules.may_dial(number, 0, 0);
            assert!(matches!(refused, Err(Refusal::NotANumber(_))), "{number}");
        }
    }

    #[test]
    fn who_hides_is_nobody_unless_anyone_may_call() {
        let open = rules(&[], Callers::Any);
        for hidden in ["", "anonymous", "+266696687x", "\u{202e}+1555"] {
            assert_eq!(open.may_answer(hidden, 0), Ok(None), "{hidden:?}");
            let closed = rules(&[], these(&FRIENDS)).may_answer(hidden, 0);
            assert_eq!(
                closed,
                Err(Refusal::Hidden {
                    at: "offhook.toml:15".into()
                })
            );
        }
        assert_eq!(
            open.may_answer("+4930123456", 1),
            Ok(Some(number("+4930123456")))
        );
        assert!(matches!(
            open.may_answer("+4930123456", 2),
            Err(Refusal::TooManyCalls { .. })
        ));
    }

    #[test]
    fn a_call_goes_on_while_its_person_is_listed_for_its_direction() {
        let friend = number(FRIENDS[0]);
        let stranger = number("+15559999999");
        let rules_for = |out: &[&str], into: Callers| {
            let rules = rules(out, into);
            let asked = [Some(&friend), Some(&stranger), None];
            let of = |direction| asked.map(|it| rules.still_allows(direction, it));
            (of(Direction::Outbound), of(Direction::Inbound))
        };
        let only_out = rules_for(&FRIENDS, these(&[]));
        assert_eq!(only_out, ([true, false, false], [false; 3]));
        let only_in = rules_for(&[], these(&FRIENDS));
        assert_eq!(only_in, ([false; 3], [true, false, false]));
        assert_eq!(rules_for(&[], Callers::Any), ([false; 3], [true; 3]));
    }

    #[test]
    fn strangers_do_not_learn_that_the_lines_are_busy() {
        let rules = rules(&FRIENDS, these(&FRIENDS));
        let refused = rules.may_answer("+15559999999", 99);
        assert!(matches!(refused, Err(Refusal::MayNotCall { .. })));
    }

    #[test]
    fn a_refusal_says_which_line_to_change_and_shows_no_whole_number() {
        let rules = rules(&[], these(&[]));
        let fault: Fault = rules
            .may_dial("+15551234567", 0, 0)
            .expect_err("nobody is")
            .into();
        assert_eq!(fault.code, code::POLICY_NOT_ALLOWED);
        assert_eq!(
            fault.message,
            "+155…67 is not on the list of numbers that may be called"
        );
        assert_eq!(
            fault.hint.as_deref(),
            Some("add it to `call` in [policy], offhook.toml:14")
        );
        let fault: Fault = rules
            .may_answer("+15551234567", 0)
            .expect_err("nobody is")
            .into();
        assert_eq!(fault.code, code::POLICY_CALLER);
        assert!(!format!("{fault:?}").contains("1234"));
    }

    /// A hundred thousand strings, from noise to near misses: one is let through exactly if it
    /// reads as a number that is on the list.
    #[test]
    fn allowed_is_what_parses_to_a_listed_number() {
        let friends: BTreeSet<Number> = FRIENDS.iter().map(|it| number(it)).collect();
        let rules = rules(&FRIENDS, these(&FRIENDS));
        let mut random = StdRng::seed_from_u64(2);
        let mut allowed = 0;
        for _ in 0..100_000 {
            let text = strange(&mut random);
            let listed = Number::parse(&text).ok().filter(|it| friends.contains(it));
            assert_eq!(rules.may_dial(&text, 0, 0).ok(), listed, "{text:?}");
            assert_eq!(
                rules.may_answer(&text, 0).ok().flatten(),
                listed,
                "{text:?}"
            );
            // What is let through is letter for letter what stands on the list.
            if let Some(number) = listed {
                assert!(FRIENDS.contains(&text.as_str()) && number.as_str() == text);
                allowed += 1;
            }
        }
        assert!(
            allowed > 1_000,
            "only {allowed} were allowed: this shows little"
        );
    }

    fn strange(random: &mut StdRng) -> String {
        const SIGNS: [char; 16] = [
            '+', '0', '1', '5', '9', ' ', '-', '٣', '５', '\0', '\n', 'a', ';', '@', '(', 'é',
        ];
        if random.random_bool(0.3) {
            let length = random.random_range(0..18);
            return (0..length).filter_map(|_| SIGNS.choose(random)).collect();
        }
        let mut text: Vec<char> = FRIENDS
            .choose(random)
            .expect("there are three")
            .chars()
            .collect();
        for _ in 0..random.random_range(0..3) {
            let at = random.random_range(0..text.len());
            let sign = *SIGNS.choose(random).expect("there are sixteen");
            match random.random_range(0..4) {
                0 => text.insert(at, sign),
                1 => text[at] = sign,
                2 if text.len() > 1 => drop(text.remove(at)),
                _ => text.push(sign),
            }
        }
        text.into_iter().collect()
    }

    fn rules(call: &[&str], answer: Callers) -> Rules {
        fn listed<T>(value: T, line: usize) -> Listed<T> {
            Listed {
                value,
                at: format!("offhook.toml:{line}"),
            }
        }
        Rules {
            call: listed(call.iter().map(|it| number(it)).collect(), 14),
            answer: listed(answer, 15),
            max_calls: listed(2, 16),
            max_length: listed(Duration::from_secs(60), 17),
            calls_per_hour: listed(5, 18),
        }
    }

    fn these(numbers: &[&str]) -> Callers {
        Callers::These(numbers.iter().map(|it| number(it)).collect())
    }

    fn number(text: &str) -> Number {
        Number::parse(text).expect("it is a number")
    }
}
