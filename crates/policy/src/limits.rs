use std::time::Duration;

use crate::money::Money;
use crate::whom::Listed;

/// How much may be spent on calls that we make. What is not limited here is limited by how many calls
/// there may be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// On one call.
    pub per_call: Option<Listed<Money>>,
    /// In any hour.
    pub per_hour: Option<Listed<Money>>,
    /// In any 24 hours.
    pub per_day: Listed<Money>,
    /// In any 30 days.
    pub per_month: Option<Listed<Money>>,
    /// On one number in any 24 hours.
    pub per_number: Option<Listed<Money>>,
    /// By one agent in any 24 hours.
    pub per_agent: Option<Listed<Money>>,
    /// How often one number may be dialled in any hour.
    pub calls_per_number: Listed<usize>,
}

/// What was dialled and spent until now. Money that is set aside for calls which are up counts as
/// spent: all of it, until they are over and it is known what they cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Whether the owner has stopped everything.
    pub stopped: bool,
    /// Whether the owner said yes to this very call.
    pub approved: bool,
    /// Whether it is said what the call is for.
    pub purposeful: bool,
    /// Whether this number was dialled before, in the last 30 days.
    pub dialled_before: bool,
    /// Whether somebody picked up there, in the last 30 days.
    pub reached_before: bool,
    /// How many numbers were dialled for the first time in the last [`BURST`], that no line names.
    pub strangers: usize,
    /// What calls to them cost.
    pub strangers_cost: Money,
    /// Whether whoever has this number does not want to be called any more.
    pub unwanted: bool,
    /// How many calls were dialled in the last hour.
    pub dialled: usize,
    /// How many of them to this number.
    pub to_number: usize,
    /// What they cost.
    pub hour: Money,
    /// The same for 24 hours.
    pub day: Money,
    /// The same for 30 days.
    pub month: Money,
    /// What calls to this number cost in 24 hours.
    pub number: Money,
    /// What calls of this agent cost in 24 hours.
    pub agent: Money,
}

/// Numbers that were dialled for the first time within this are a burst, if they are many.
pub const BURST: Duration = Duration::from_mins(10);

/// A limit that a call would go beyond.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beyond {
    /// What is limited, such as `any 24 hours`.
    pub over: &'static str,
    /// The key in the configuration.
    pub key: &'static str,
    /// The limit, and where it stands.
    pub most: Listed<Money>,
    /// What was spent of it.
    pub spent: Money,
}

impl Limits {
    /// Whether a call that may cost so much fits in all of them.
    ///
    /// # Errors
    /// The first that it does not fit in.
    pub fn fit(&self, standing: &Standing, ceiling: Money) -> Result<(), Beyond> {
        let all = [
            (
                "one call",
                "spend_per_call",
                self.per_call.as_ref(),
                Money::ZERO,
            ),
            (
                "any hour",
                "spend_per_hour",
                self.per_hour.as_ref(),
                standing.hour,
            ),
            (
                "any 24 hours",
                "spend_per_day",
                Some(&self.per_day),
                standing.day,
            ),
            (
                "any 30 days",
                "spend_per_month",
                self.per_month.as_ref(),
                standing.month,
            ),
            (
                "one number in 24 hours",
                "spend_per_number",
                self.per_number.as_ref(),
                standing.number,
            ),
            (
                "one agent in 24 hours",
                "spend_per_agent",
                self.per_agent.as_ref(),
                standing.agent,
            ),
        ];
        for (over, key, most, spent) in all {
            if let Some(most) = most.filter(|it| spent.plus(ceiling) > it.value) {
                let most = most.clone();
                return Err(Beyond {
                    over,
                    key,
                    most,
                    spent,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(of: [Option<u64>; 6]) -> Limits {
        let [call, hour, day, month, number, agent] =
            of.map(|it| it.map(|it| Listed::new(Money::micros(it), "")));
        Limits {
            per_call: call,
            per_hour: hour,
            per_day: day.unwrap_or(Listed::new(Money::micros(u64::MAX), "")),
            per_month: month,
            per_number: number,
            per_agent: agent,
            calls_per_number: Listed::new(3, ""),
        }
    }

    #[test]
    fn the_first_limit_that_is_too_low_refuses() {
        let standing = Standing {
            hour: Money::micros(5),
            day: Money::micros(9),
            ..Standing::default()
        };
        let ceiling = Money::micros(1);
        let over = |of| limits(of).fit(&standing, ceiling).map_err(|it| it.key);
        assert_eq!(over([None; 6]), Ok(()));
        assert_eq!(
            over([Some(1), Some(6), Some(10), Some(1), Some(1), Some(1)]),
            Ok(())
        );
        assert_eq!(
            over([Some(0), None, None, None, None, None]),
            Err("spend_per_call")
        );
        assert_eq!(
            over([None, Some(5), None, None, None, None]),
            Err("spend_per_hour")
        );
        assert_eq!(
            over([None, None, Some(9), None, None, None]),
            Err("spend_per_day")
        );
        assert_eq!(
            over([None, None, None, Some(0), None, None]),
            Err("spend_per_month")
        );
        assert_eq!(
            over([None, None, None, None, Some(0), None]),
            Err("spend_per_number")
        );
        assert_eq!(
            over([None, None, None, None, None, Some(0)]),
            Err("spend_per_agent")
        );
    }

    proptest! {
        /// Whoever asks before each call and writes down what it may cost never spends more.
        #[test]
        fn nothing_is_spent_beyond_a_limit(most in 0_u64..1_000, ceilings in prop::collection::vec(0_u64..200, 0..60)) {
            let limits = limits([None, None, Some(most), None, None, None]);
            let mut standing = Standing::default();
            for ceiling in ceilings.into_iter().map(Money::micros) {
                let fits = limits.fit(&standing, ceiling).is_ok();
                prop_assert_eq!(fits, standing.day.plus(ceiling) <= Money::micros(most));
                if fits {
                    standing.day = standing.day.plus(ceiling);
                }
            }
            prop_assert!(standing.day <= Money::micros(most));
        }
    }
}
