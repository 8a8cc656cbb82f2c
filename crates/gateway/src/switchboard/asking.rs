//! Calls that are not made before the owner has said yes to them.

use std::sync::Arc;
use std::time::Duration;

use call::event::What;
use call::{Event, Number};
use jiff::Timestamp;
use policy::Money;
use ports::{Blame, Fault, code};

use super::audit::About;
use super::spending::Leave;
use super::whole::whole;
use super::{CallId, Record, Switchboard, Wish};
use crate::approvals::{Answer, MOST, Waiting};

/// A call that waits for its owner's yes.
#[derive(Clone, Debug)]
pub struct Approval {
    /// Our name for the call that it becomes.
    pub id: String,
    /// What is wanted.
    pub wish: Wish,
    /// What the owner calls whom it is to, if they gave the number a name.
    pub contact: Option<String>,
    /// Which rule has it wait.
    pub rule: String,
    /// The most that it can cost, in millionths of the currency of `[rates]`.
    pub ceiling: u64,
    /// Since when.
    pub since: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// `waiting`, `approved`, `refused` or `too_late`.
    pub state: &'static str,
}

impl Approval {
    fn of(waiting: Waiting) -> Self {
        let moment = |ms| Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH);
        Self {
            wish: Wish::read(&waiting.wish),
            contact: None,
            rule: waiting.rule,
            ceiling: waiting.ceiling,
            since: moment(waiting.at),
            until: moment(waiting.until),
            state: waiting.answer.name(),
            id: waiting.call,
        }
    }

    /// The same for whoever cannot wait.
    pub fn fault(&self) -> Fault {
        let message = "the call waits for its owner's yes";
        Fault::new(Blame::Config, code::POLICY_APPROVAL, message)
            .by_rule(self.rule.clone())
            .hint(format!("`offhook approve {}` makes it", self.id))
    }
}

/// Whether nothing is in the way of a call but that the owner is to be asked.
pub(super) fn asks_first(fault: &Fault) -> bool {
    [code::POLICY_APPROVAL, code::POLICY_BURST].contains(&fault.code)
}

impl Switchboard {
    /// Has a call wait for its owner.
    pub(super) async fn hold(
        self: &Arc<Self>,
        id: CallId,
        wish: &Wish,
        fault: &Fault,
    ) -> Result<Approval, Fault> {
        // Whatever else is in the way is said now, and again when it is made.
        let permit = self.may_wish(wish, Leave::Given).await?;
        // What the owner says yes to is what they were shown.
        let wish = wish.pinned(&self.plan(), &permit)?;
        self.forget_late().await;
        let now = Timestamp::now().as_millisecond();
        let rule = fault.rule.clone().unwrap_or_default();
        let waiting = Waiting {
            call: id.to_string(),
            at: now,
            until: now + PATIENCE.as_millis() as i64,
            answer: Answer::None,
            wish: wish.written(),
            rule: rule.clone(),
            ceiling: permit.ceiling.as_micros(),
        };
        if !self.approvals.hold(waiting.clone()).await? {
            let message = format!("{MOST} calls wait for their owner, and no more can");
            return Err(Fault::new(Blame::Config, code::CALL_APPROVALS, message)
                .hint("`offhook approvals` lists them: say yes or no to some"));
        }
        let about = About::dial(
            What::Dial,
            (&wish.to, wish.from.as_deref()),
            wish.agent.as_deref(),
        );
        let event = Event::PolicyHeld {
            what: What::Dial,
            rule,
        };
        self.judged(&waiting.call, Some(&about), event);
        tracing::info!(call = waiting.call, "a call waits for its owner's yes");
        let board = Arc::downgrade(self);
        tokio::spawn(async move {
            tokio::time::sleep(PATIENCE + Duration::from_secs(1)).await;
            if let Some(board) = board.upgrade() {
                board.forget_late().await;
            }
        });
        Ok(self.shown(waiting))
    }

    /// As it is shown to the owner.
    fn shown(&self, waiting: Waiting) -> Approval {
        let mut approval = Approval::of(waiting);
        if let Ok(number) = Number::parse(&approval.wish.to) {
            let contact = self.plan().rules.contact(&number).map(str::to_owned);
            approval.contact = contact;
        }
        approval
    }

    /// The calls that wait for the owner, the oldest first.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn approvals(&self) -> Result<Vec<Approval>, Fault> {
        self.forget_late().await;
        let waiting = self.approvals.waiting().await?.into_iter();
        Ok(waiting.map(|it| self.shown(it)).collect())
    }

    /// A call that waits, or waited.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn approval(&self, id: &str) -> Result<Option<Approval>, Fault> {
        let found = self.approvals.of(id.to_owned()).await?;
        Ok(found.map(|it| self.shown(it)))
    }

    /// The owner says yes: the call is made now, if all other rules allow it still.
    ///
    /// # Errors
    /// It does not wait, or not any more; or what keeps it from being made.
    pub async fn approve(self: &Arc<Self>, id: &str) -> Result<Arc<Record>, Fault> {
        let (board, id) = (self.clone(), id.to_owned());
        whole(async move { board.approve_now(&id).await }).await
    }

    async fn approve_now(self: &Arc<Self>, id: &str) -> Result<Arc<Record>, Fault> {
        let waiting = self.answered(id, Answer::Yes).await?;
        let call = CallId::parse(&waiting.call).ok_or_else(none)?;
        let event = Event::PolicyAllowed {
            what: What::Approval,
            rule: YES.to_owned(),
        };
        self.judged(&waiting.call, None, event);
        let wish = Wish {
            ceiling: Some(Money::micros(waiting.ceiling)),
            ..Wish::read(&waiting.wish)
        };
        let placed = self.place(call, wish.clone(), Leave::Given).await;
        self.wished(&wish, placed)
    }

    /// The owner says no.
    ///
    /// # Errors
    /// It does not wait, or not any more.
    pub async fn refuse_call(&self, id: &str) -> Result<(), Fault> {
        let waiting = self.answered(id, Answer::No).await?;
        self.was_refused(&waiting.call, NO);
        Ok(())
    }

    async fn answered(&self, id: &str, answer: Answer) -> Result<Waiting, Fault> {
        self.forget_late().await;
        let now = Timestamp::now().as_millisecond();
        let answered = self.approvals.answer(id.to_owned(), answer, now).await?;
        answered.ok_or_else(none)
    }

    /// Who has waited long enough is refused.
    async fn forget_late(&self) {
        let now = Timestamp::now().as_millisecond();
        match self.approvals.expire(now).await {
            Ok(late) => late.iter().for_each(|it| self.was_refused(&it.call, LATE)),
            Err(fault) => {
                let (code, hint) = (fault.code, fault.hint.as_deref());
                tracing::error!(code, hint, "calls that wait cannot be looked at: {fault}");
            }
        }
    }

    fn was_refused(&self, call: &str, rule: &str) {
        let event = Event::PolicyRefused {
            what: What::Approval,
            code: code::POLICY_APPROVAL,
            rule: rule.to_owned(),
            more: 0,
        };
        self.judged(call, None, event);
    }
}

fn none() -> Fault {
    let message = "no call waits by that name, or not any more";
    Fault::new(Blame::Caller, code::CALL_APPROVALS, message)
        .hint("`offhook approvals` lists those that wait")
}

/// A call waits so long for its owner, and is refused then.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

const YES: &str = "the owner said yes";
const NO: &str = "the owner said no";
const LATE: &str = "the owner said nothing in time";
