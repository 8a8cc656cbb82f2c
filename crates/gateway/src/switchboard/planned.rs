//! Calls that somebody wants to look at before they are made.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use policy::{Money, Permit};
use ports::{Blame, Fault, code};

use super::spending::Leave;
use super::{Once, Placed, Switchboard, Wish, asks_first, placed};
use crate::hex;

/// Calls that may be made by their tokens, for as long as their plans are good.
#[derive(Debug, Default)]
pub(super) struct Plans(Mutex<HashMap<String, Planned>>);

#[derive(Clone, Debug)]
struct Planned {
    wish: Wish,
    ceiling: Money,
    until: Instant,
}

/// A call that could be made now.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// What makes it, once.
    pub token: String,
    /// Which rule allows it, and what it can cost at most.
    pub permit: Permit,
    /// Which rule has the call wait for the owner's yes, once it is asked for; `None`: none does.
    pub asks: Option<String>,
    /// How long the token is good.
    pub good_for: Duration,
}

impl Plans {
    fn keep(&self, now: Instant, planned: Planned) -> Option<String> {
        let mut plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.retain(|_, it| now < it.until);
        if plans.len() >= MOST {
            return None;
        }
        let token = hex::random(32);
        plans.insert(token.clone(), planned);
        Some(token)
    }

    fn find(&self, now: Instant, token: &str) -> Option<Planned> {
        let plans = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        plans.get(token).filter(|it| now < it.until).cloned()
    }
}

impl Switchboard {
    /// Whether a call could be made now, for how much at most, and what makes exactly that call. Nobody is
    /// dialled and nothing is set aside.
    ///
    /// # Errors
    /// It could not; or there are too many plans.
    pub async fn propose(&self, wish: Wish) -> Result<Proposal, Fault> {
        let (permit, asks) = self.may_wish_once_asked(&wish).await?;
        let now = Instant::now();
        let planned = Planned {
            wish,
            ceiling: permit.ceiling,
            until: now + GOOD,
        };
        let token = self.plans.keep(now, planned).ok_or_else(|| {
            let message = format!("{MOST} calls are planned, and no more can be");
            Fault::new(Blame::Caller, code::CALL_PLANS, message)
                .hint("make them, or wait: a plan is forgotten after a while")
        })?;
        Ok(Proposal {
            token,
            permit,
            asks,
            good_for: GOOD,
        })
    }

    /// Whether a call could be made now, if the owner says yes where they are to be asked; and which rule
    /// has them asked.
    async fn may_wish_once_asked(&self, wish: &Wish) -> Result<(Permit, Option<String>), Fault> {
        match self.may_wish(wish, Leave::NotAsked).await {
            Ok(permit) => Ok((permit, None)),
            Err(fault) if asks_first(&fault) => {
                let permit = self.may_wish(wish, Leave::Given).await?;
                Ok((permit, Some(fault.rule.unwrap_or_default())))
            }
            Err(fault) => Err(fault),
        }
    }

    /// Makes the call of a token: once, however often it is asked for, also across restarts.
    ///
    /// # Errors
    /// Nobody planned it, or too long ago; or it may not be made any more, or not for as little.
    pub async fn carry_out(self: &std::sync::Arc<Self>, token: &str) -> Result<Placed, Fault> {
        let once = Once::new(&format!("plan {token}"), token.as_bytes());
        if let Some(before) = placed(self.claims.look(once).await?)? {
            return Ok(before);
        }
        let planned = self.plans.find(Instant::now(), token);
        let Planned { wish, ceiling, .. } = planned.ok_or_else(|| {
            let message = "no call is planned with that token, or not any more";
            Fault::new(Blame::Caller, code::CALL_PLANS, message).hint("plan it again")
        })?;
        let permit = self.may_wish_once_asked(&wish).await;
        let (permit, _) = self.wished(&wish, permit)?;
        if permit.ceiling > ceiling {
            let message = format!(
                "that call was planned to cost {ceiling} at most, and may cost {} by now",
                permit.ceiling
            );
            return Err(
                Fault::new(Blame::Config, code::POLICY_SPEND, message).hint("plan it again")
            );
        }
        self.dial_once(once, wish).await
    }
}

/// A plan is good for so long.
const GOOD: Duration = Duration::from_secs(10 * 60);
/// There are no more plans than this at once.
const MOST: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_good_for_a_while_and_there_are_not_too_many() {
        let (plans, now) = (Plans::default(), Instant::now());
        let planned = |from: Instant| Planned {
            wish: Wish::default(),
            ceiling: Money::ZERO,
            until: from + GOOD,
        };
        let token = plans.keep(now, planned(now)).expect("there is room");
        assert!(plans.find(now, &token).is_some());
        assert!(plans.find(now + GOOD, &token).is_none());
        assert!(plans.find(now, "another").is_none());
        for _ in 1..MOST {
            assert!(plans.keep(now, planned(now)).is_some());
        }
        assert!(plans.keep(now, planned(now)).is_none());
        let later = now + GOOD;
        assert!(
            plans.keep(later, planned(later)).is_some(),
            "the old ones are forgotten"
        );
    }
}
