//! Calls that somebody wants made: now, once, or once the owner has said yes.

use std::sync::Arc;

use call::event::What;
use jiff::Timestamp;
use policy::Permit;
use ports::{Blame, Fault, code};

use super::audit::About;
use super::spending::{Leave, Purposeful, Terms};
use super::whole::whole;
use super::wish::{check_objective, our_number};
use super::{Approval, CallId, Once, Record, Switchboard, Wish, asks_first};
use crate::claims::Claim;

impl Switchboard {
    /// Makes a call, if the owner allows it. Returns as soon as the call exists; whether anyone
    /// picks up is told by its log.
    pub async fn dial(self: &Arc<Self>, wish: Wish) -> Result<Arc<Record>, Fault> {
        match self.ask_or_dial(wish).await? {
            Placed::Now(record) => Ok(record),
            Placed::Held(approval) => Err(approval.fault()),
            Placed::Before(_) => unreachable!("without a key there is no before"),
        }
    }

    /// The same, but a call that its owner is to be asked about waits for that.
    pub async fn ask_or_dial(self: &Arc<Self>, wish: Wish) -> Result<Placed, Fault> {
        let board = self.clone();
        whole(async move { board.ask_or_dial_now(wish).await }).await
    }

    async fn ask_or_dial_now(self: &Arc<Self>, wish: Wish) -> Result<Placed, Fault> {
        let id = CallId::random();
        let placed = match self.may_wish(&wish, Leave::NotAsked).await {
            Ok(_) => self.place_or_hold(id, wish.clone()).await,
            Err(fault) if asks_first(&fault) => self
                .hold(id, &wish, &fault)
                .await
                .map(|it| Placed::Held(Box::new(it))),
            Err(fault) => Err(fault),
        };
        self.wished(&wish, placed)
    }

    /// Writes down that a wish was refused.
    pub(super) fn wished<T>(
        self: &Arc<Self>,
        wish: &Wish,
        placed: Result<T, Fault>,
    ) -> Result<T, Fault> {
        if let Err(fault) = &placed {
            let dialled = (wish.to.as_str(), wish.from.as_deref());
            self.refused(
                &About::dial(What::Dial, dialled, wish.agent.as_deref()),
                fault,
            );
        }
        placed
    }

    pub(super) async fn place_or_hold(
        self: &Arc<Self>,
        id: CallId,
        wish: Wish,
    ) -> Result<Placed, Fault> {
        match self.place(id, wish.clone(), Leave::NotAsked).await {
            Ok(record) => Ok(Placed::Now(record)),
            // Others were faster, and this one is too many now.
            Err(fault) if asks_first(&fault) => self
                .hold(id, &wish, &fault)
                .await
                .map(|it| Placed::Held(Box::new(it))),
            Err(fault) => Err(fault),
        }
    }

    /// The same, but for a request that may come again: it is carried out once, also across restarts.
    pub async fn dial_once(self: &Arc<Self>, once: Once, wish: Wish) -> Result<Placed, Fault> {
        let board = self.clone();
        whole(async move { board.dial_once_now(once, wish).await }).await
    }

    async fn dial_once_now(self: &Arc<Self>, once: Once, wish: Wish) -> Result<Placed, Fault> {
        if let Some(before) = placed(self.claims.look(once).await?)? {
            return Ok(before);
        }
        // A request that is refused may be made again when the owner has changed the rules.
        match self.may_wish(&wish, Leave::NotAsked).await {
            Err(fault) if !asks_first(&fault) => return self.wished(&wish, Err(fault)),
            Ok(_) | Err(_) => {}
        }
        let (id, now) = (CallId::random(), Timestamp::now().as_millisecond());
        if let Some(before) = placed(self.claims.claim(once, id.to_string(), now).await?)? {
            return Ok(before);
        }
        let placed = self.place_or_hold(id, wish.clone()).await;
        if placed.is_err() {
            self.claims.release(once).await?;
        }
        self.wished(&wish, placed)
    }

    /// Whether a wish would be granted now, before anything is spent on it.
    pub(super) async fn may_wish(&self, wish: &Wish, leave: Leave) -> Result<Permit, Fault> {
        self.is_open()?;
        let plan = self.plan();
        let ours = &plan.numbers[&our_number(&plan, wish.from.as_deref())?];
        let agent = wish.agent.as_ref().unwrap_or(&ours.agent);
        let terms = Terms {
            leave,
            purposeful: Purposeful::of(wish.objective.as_ref().map(|it| &it.goal)),
            ceiling: wish.ceiling,
        };
        let permit = self.would_dial(&wish.to, agent, (0, terms)).await?;
        wish.purpose.check()?;
        if let Some(objective) = &wish.objective {
            check_objective(objective)?;
        }
        wish.on_machine.check()?;
        Ok(permit)
    }
}

/// What came of a request that may have come before.
pub enum Placed {
    /// The call was made for it now.
    Now(Arc<Record>),
    /// It waits for the owner.
    Held(Box<Approval>),
    /// This call was made for it before, or waits for the owner.
    Before(String),
}

pub(super) fn placed(claim: Claim) -> Result<Option<Placed>, Fault> {
    Ok(before(claim)?.map(Placed::Before))
}

/// What came of the same request before, by our name for it.
pub(super) fn before(claim: Claim) -> Result<Option<String>, Fault> {
    match claim {
        Claim::Fresh => Ok(None),
        Claim::Before(name) => Ok(Some(name)),
        Claim::Another => {
            let message = "something else was asked with that Idempotency-Key before";
            let fault = Fault::new(Blame::Caller, code::CALL_KEY, message);
            Err(fault.hint("choose a new key for each new request"))
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::poll;

    use super::super::fixture::{House, THEIRS};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_call_that_was_asked_for_is_made_also_when_whoever_asked_has_gone() {
        let house = House::new("");
        let wish = Wish {
            to: THEIRS.into(),
            ..Wish::default()
        };
        let mut asked = Box::pin(house.board.ask_or_dial(wish));
        assert!(poll!(&mut asked).is_pending());
        drop(asked);
        while house.board.calls().is_empty() {
            tokio::task::yield_now().await;
        }
        // Its carrier refuses it, and nothing stays set aside.
        house.until((policy::Money::ZERO, 0)).await;
    }
}
