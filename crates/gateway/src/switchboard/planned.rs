//! Calls that somebody wants to look at before they are made.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use policy::Permit;
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
            wish: wish.pinned(&self.plan(), &permit)?,
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
        let planned = planned.ok_or_else(|| {
            let message = "no call is planned with that token, or not any more";
            Fault::new(Blame::Caller, code::CALL_PLANS, message).hint("plan it again")
        })?;
        self.dial_once(once, planned.wish).await
    }
}

/// A plan is good for so long.
const GOOD: Duration = Duration::from_secs(10 * 60);
/// There are no more plans than this at once.
const MOST: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::super::fixture::{House, THEIRS};
    use super::*;

    /// The owner's contacts, and what a minute costs.
    fn mom(number: &str, rate: &str) -> String {
        format!("[contacts.mom]\nnumber = \"{number}\"\n[rates]\n\"+1\" = {rate}\n")
    }

    fn wish() -> Wish {
        Wish {
            to: "mom".into(),
            ..Wish::default()
        }
    }

    #[tokio::test]
    async fn the_call_that_was_planned_is_made_and_no_other() {
        let house = House::new(&mom(THEIRS, "0.1"));
        let plan = house.board.propose(wish()).await.expect("it may be made");
        let other = house.board.propose(wish()).await.expect("it may be made");
        // By now she has another number.
        house.rewrite(&mom("+15551234567", "0.1"));
        let placed = house.board.carry_out(&plan.token).await;
        let Ok(Placed::Now(record)) = placed else {
            panic!("it is made")
        };
        assert_eq!(record.caller.as_ref().map(|it| it.as_str()), Some(THEIRS));
        house.rewrite(&mom("+15551234567", "0.2"));
        let placed = house.board.carry_out(&other.token).await;
        let fault = placed.err().expect("it is dearer");
        assert_eq!(fault.code, code::POLICY_SPEND, "{fault}");
        assert!(fault.message.contains("by now"), "{fault}");
    }

    #[tokio::test]
    async fn the_call_that_the_owner_said_yes_to_is_made_and_no_other() {
        let always = |number, rate| format!("approve = \"always\"\n{}", mom(number, rate));
        let house = House::new(&always(THEIRS, "0.1"));
        let mut held = Vec::new();
        for _ in 0..2 {
            match house.board.ask_or_dial(wish()).await {
                Ok(Placed::Held(approval)) => held.push(approval),
                Ok(Placed::Now(_) | Placed::Before(_)) | Err(_) => panic!("it waits"),
            }
        }
        assert_eq!(held[0].wish.to, THEIRS);
        assert_eq!(held[0].contact.as_deref(), Some("mom"));
        house.rewrite(&always("+15551234567", "0.1"));
        let made = house.board.approve(&held[0].id).await.expect("it is made");
        assert_eq!(made.caller.as_ref().map(|it| it.as_str()), Some(THEIRS));
        house.rewrite(&always("+15551234567", "0.2"));
        let fault = house.board.approve(&held[1].id).await;
        let fault = fault.expect_err("it is dearer");
        assert_eq!(fault.code, code::POLICY_SPEND, "{fault}");
    }

    #[test]
    fn a_plan_is_good_for_a_while_and_there_are_not_too_many() {
        let (plans, now) = (Plans::default(), Instant::now());
        let planned = |from: Instant| Planned {
            wish: Wish::default(),
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
