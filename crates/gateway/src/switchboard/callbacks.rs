//! Calls back: promised by an agent on a call, made when their time has come as any other call that is wanted.

use std::sync::Arc;
use std::time::Duration;

use call::event::What;
use call::{Number, Private};
use jiff::Timestamp;
use policy::Permit;
use ports::agent::Objective;
use ports::{Blame, Fault, code};
use tokio::time::{MissedTickBehavior, interval};

use super::spending::Leave;
use super::whole::whole;
use super::{CallId, Record, Switchboard, Wish};
use crate::callbacks::{Given, MOST, Promise, State};

/// A call back that was promised.
#[derive(Clone, Debug)]
pub struct Callback {
    /// Our name for the call that it becomes.
    pub id: String,
    /// On which call it was promised.
    pub of: String,
    /// Whom to call.
    pub to: Private<String>,
    /// What the owner calls them, if they gave the number a name.
    pub contact: Option<String>,
    /// What for.
    pub why: Private<String>,
    /// Since when it is promised.
    pub since: Timestamp,
    /// For when.
    pub due: Timestamp,
    /// `waiting`, `begun`, `made`, `refused`, `cancelled` or `too_late`.
    pub state: &'static str,
}

impl Switchboard {
    /// Promises whoever is on a call to call them back, with the same agent and from the same number, if that could be
    /// done as the rules are. Returns our name for the call that it becomes.
    pub(super) async fn promise(
        self: &Arc<Self>,
        record: &Record,
        (due, why): (Timestamp, Private<String>),
    ) -> Result<String, Fault> {
        let wish = wish_of(record, why)?;
        let permit = self.may_call_back(&wish, &record.agent, due).await;
        if let Err(fault) = &permit {
            self.refused_on(record, What::Dial, fault);
        }
        let permit = permit?;
        let call = CallId::random().to_string();
        let promise = Promise {
            call: call.clone(),
            of: record.id.to_string(),
            at: Timestamp::now().as_millisecond(),
            due: due.as_millisecond(),
            state: State::Waiting,
            wish: wish.written(),
        };
        match self.callbacks.give(promise).await? {
            Given::Now => {
                self.allowed_on(record, What::Dial, permit.rule);
                tracing::info!(call = %record.id, "a call back is promised: `offhook callbacks`");
                Ok(call)
            }
            Given::Before(due) => Err(no(&format!(
                "they were promised a call already, at {}",
                moment(due)
            ))),
            Given::TooMany => Err(no(&format!(
                "{MOST} calls are promised, and no more can be"
            ))),
        }
    }

    /// What a promise was for has come: it is due.
    pub(super) async fn answer_promise(
        &self,
        record: &Record,
        (call, why): (String, Private<String>),
    ) -> Result<(), Fault> {
        let wish = wish_of(record, why)?.written();
        let now = Timestamp::now().as_millisecond();
        // Somebody may have taken it off meanwhile.
        self.callbacks.hasten(call, now, wish).await?;
        Ok(())
    }

    /// Whether somebody could be called then, as things stand now, and if nobody else were on the phone.
    async fn may_call_back(
        &self,
        wish: &Wish,
        agent: &str,
        due: Timestamp,
    ) -> Result<Permit, Fault> {
        self.goes_on()?;
        let entry = self.entry(String::new(), &wish.to, agent)?;
        let mut standing = self.ledger.standing(entry).await?;
        // The owner is asked when it is made, if they are to be.
        (standing.approved, standing.purposeful) = (true, true);
        self.may_dial_then(&wish.to, (due, 0), standing)
    }

    /// Keeps promises, for as long as it is polled.
    pub(crate) async fn keep_promises(self: Arc<Self>) {
        let mut often = interval(OFTEN);
        often.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut told = false;
        loop {
            often.tick().await;
            match self.call_back(Timestamp::now()).await {
                Ok(()) => told = false,
                Err(fault) if !told => {
                    let (code, hint) = (fault.code, fault.hint.as_deref());
                    tracing::error!(code, hint, "promised calls cannot be looked at: {fault}");
                    told = true;
                }
                Err(_) => {}
            }
        }
    }

    /// Makes the calls back whose time has come by now. Each is begun once, whatever becomes of that.
    ///
    /// # Errors
    /// What is promised cannot be read or written.
    pub async fn call_back(self: &Arc<Self>, now: Timestamp) -> Result<(), Fault> {
        let promises = self.callbacks.waiting().await?;
        let due = |it: &Promise| it.due <= now.as_millisecond();
        for promise in promises.into_iter().filter(due) {
            if now.as_millisecond() - promise.due > LATEST.as_millis() as i64 {
                self.callbacks.take(promise.call, State::TooLate).await?;
                continue;
            }
            let board = self.clone();
            whole(async move { board.keep(promise).await }).await?;
        }
        Ok(())
    }

    async fn keep(self: &Arc<Self>, promise: Promise) -> Result<(), Fault> {
        let of = CallId::parse(&promise.of).and_then(|it| self.call(it));
        if of.is_some_and(|it| it.log.summary().ended.is_none()) {
            // They are on the phone with us.
            return Ok(());
        }
        let wish = Wish::read(&promise.wish);
        if let Err(fault) = self.may_wish(&wish, Leave::NotAsked).await
            && NOT_YET.contains(&fault.code)
        {
            return Ok(());
        }
        let call = CallId::parse(&promise.call);
        // On the disk before anything is dialled: a process that dies now leaves a promise that was begun.
        if !self
            .callbacks
            .take(promise.call.clone(), State::Begun)
            .await?
        {
            return Ok(());
        }
        let placed = match call {
            Some(call) => self.place_or_hold(call, wish.clone()).await.map(|_| ()),
            None => Err(no("what was promised cannot be read")),
        };
        let became = match self.wished(&wish, placed) {
            Ok(()) => State::Made,
            Err(_) => State::Refused,
        };
        self.callbacks.settle(promise.call, became).await?;
        Ok(())
    }

    /// The calls back that were promised lately, the first due first.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn callbacks(&self) -> Result<Vec<Callback>, Fault> {
        let plan = self.plan();
        let shown = |it: Promise| {
            let wish = Wish::read(&it.wish);
            let number = Number::parse(&wish.to).ok();
            let contact = number.and_then(|it| plan.rules.contact(&it).map(str::to_owned));
            Callback {
                to: wish.to.into(),
                contact,
                why: wish
                    .objective
                    .map_or_else(|| String::new().into(), |it| it.goal),
                since: moment(it.at),
                due: moment(it.due),
                state: it.state.name(),
                id: it.call,
                of: it.of,
            }
        };
        let all = self.callbacks.all().await?;
        Ok(all.into_iter().map(shown).collect())
    }

    /// Takes a promise back, by its name or the end of that.
    ///
    /// # Errors
    /// It does not wait, or not any more.
    pub async fn cancel_callback(&self, id: &str) -> Result<(), Fault> {
        let waiting = self.callbacks.waiting().await?.into_iter();
        let named = |it: &Promise| !id.is_empty() && it.call.ends_with(id);
        let mut found: Vec<_> = waiting.filter(named).collect();
        let one = found.pop().filter(|_| found.is_empty());
        let Some(promise) = one else {
            return Err(none());
        };
        if self.callbacks.take(promise.call, State::Cancelled).await? {
            return Ok(());
        }
        Err(none())
    }
}

/// A call to whoever is on this one.
fn wish_of(record: &Record, why: Private<String>) -> Result<Wish, Fault> {
    let Some(caller) = &record.caller else {
        return Err(no("their number is not known"));
    };
    Ok(Wish {
        to: caller.as_str().to_owned(),
        from: Some(record.number.as_str().to_owned()),
        agent: Some(record.agent.clone()),
        objective: Some(Objective::goal(why)),
        ..Wish::default()
    })
}

/// When somebody is to be called back, as an agent says it.
///
/// # Errors
/// Why not then, in words for the agent.
pub(super) fn when(said: &serde_json::Value, now: Timestamp) -> Result<Timestamp, &'static str> {
    let text = said.as_str().map(str::trim);
    let minutes = said.as_i64().or_else(|| text?.parse().ok());
    let due = match minutes {
        Some(minutes) => minutes
            .checked_mul(60)
            .and_then(|it| now.checked_add(jiff::SignedDuration::from_secs(it)).ok()),
        None => text.and_then(|it| it.parse::<Timestamp>().ok()),
    };
    let due = due.ok_or(
        "`when` is a whole number of minutes, or a time with its offset, such as 2030-01-31T09:00:00+01:00",
    )?;
    let wait = due.duration_since(now);
    if wait < jiff::SignedDuration::from_secs(SOONEST) {
        return Err("that is too soon: a call back is a minute away at least");
    }
    if wait > jiff::SignedDuration::from_secs(LONGEST) {
        return Err("that is too late: a call back is a week away at most");
    }
    Ok(due)
}

fn moment(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

fn no(why: &str) -> Fault {
    Fault::new(Blame::Caller, code::CALL_CALLBACKS, why.to_owned())
        .hint("`offhook callbacks` lists those that are promised")
}

fn none() -> Fault {
    no("no call back waits by that name, or not any more")
}

/// What keeps a call from being made that may be gone in a moment. Nobody who waits longer than that is forgotten:
/// they are too late.
const NOT_YET: [&str; 4] = [
    code::POLICY_TOO_MANY_CALLS,
    code::POLICY_STOPPED,
    code::GATEWAY_STOPPING,
    code::JOURNAL_BROKEN,
];

/// So often it is seen whether a time has come.
const OFTEN: Duration = Duration::from_secs(5);

/// A call back that is so much too late surprises whoever it is to.
const LATEST: Duration = Duration::from_secs(30 * 60);

/// In seconds.
const SOONEST: i64 = 60;
const LONGEST: i64 = 7 * 24 * 60 * 60;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::fixture::{House, THEIRS};
    use super::*;

    #[test]
    fn when_is_said_in_minutes_or_as_a_time() {
        let now: Timestamp = "2030-01-31T08:00:00Z".parse().expect("a time");
        let said = |it: serde_json::Value| when(&it, now).map(|it| it.to_string());
        let half_past = Ok("2030-01-31T08:30:00Z".to_owned());
        assert_eq!(said(json!(30)), half_past);
        assert_eq!(said(json!(" 30 ")), half_past);
        assert_eq!(said(json!("2030-01-31T09:30:00+01:00")), half_past);
        for wrong in [
            json!("tomorrow"),
            json!("2030-01-31T09:30:00"),
            json!(null),
            json!(1.5),
            json!(i64::MAX),
            json!(0),
            json!(-5),
            json!("2030-01-31T08:00:30Z"),
            json!("2030-02-07T08:00:01Z"),
        ] {
            assert!(said(wrong.clone()).is_err(), "{wrong}");
        }
    }

    async fn promised(house: &House, due: Timestamp) -> String {
        promised_to(THEIRS, house, due).await
    }

    async fn promised_to(to: &str, house: &House, due: Timestamp) -> String {
        let wish = Wish {
            to: to.into(),
            objective: Some(Objective::goal("They asked for the price.".into())),
            ..Wish::default()
        };
        let call = CallId::random().to_string();
        let promise = Promise {
            call: call.clone(),
            of: "call-1".to_owned(),
            at: 0,
            due: due.as_millisecond(),
            state: State::Waiting,
            wish: wish.written(),
        };
        let given = house.board.callbacks.give(promise).await;
        assert_eq!(given.ok(), Some(Given::Now));
        call
    }

    async fn state(house: &House) -> &'static str {
        let all = house.board.callbacks().await.expect("they can be read");
        all.last().expect("there is one").state
    }

    #[tokio::test(start_paused = true)]
    async fn a_promise_is_kept_once_when_its_time_has_come() {
        let house = House::new("");
        let due: Timestamp = "2030-01-31T08:00:00Z".parse().expect("a time");
        let call = promised(&house, due).await;
        let second = jiff::SignedDuration::from_secs(1);
        let early = house.board.call_back(due - second).await;
        assert!(early.is_ok() && house.board.calls().is_empty());
        assert!(house.board.call_back(due).await.is_ok());
        let calls = house.board.calls();
        let ids: Vec<_> = calls.iter().map(|it| it.id.to_string()).collect();
        assert_eq!(ids, [call]);
        assert_eq!(state(&house).await, "made");
        assert!(house.board.call_back(due).await.is_ok());
        assert_eq!(house.board.calls().len(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_taken_back_or_is_too_late_calls_nobody() {
        let house = House::new("");
        let due: Timestamp = "2030-01-31T08:00:00Z".parse().expect("a time");
        let call = promised(&house, due).await;
        assert!(house.board.cancel_callback("").await.is_err());
        assert!(house.board.cancel_callback(&call[20..]).await.is_ok());
        assert!(house.board.cancel_callback(&call).await.is_err());
        assert!(house.board.call_back(due).await.is_ok());
        assert_eq!(state(&house).await, "cancelled");
        promised(&house, due).await;
        let late = due + jiff::SignedDuration::from_secs(31 * 60);
        assert!(house.board.call_back(late).await.is_ok());
        assert_eq!(state(&house).await, "too_late");
        assert!(house.board.calls().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn who_may_not_be_called_when_the_time_has_come_is_not() {
        let house = House::new("");
        let due: Timestamp = "2030-01-31T08:00:00Z".parse().expect("a time");
        promised_to("+15550009999", &house, due).await;
        assert!(house.board.call_back(due).await.is_ok());
        assert_eq!(state(&house).await, "refused");
        assert!(house.board.calls().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stopped_gateway_keeps_no_promise() {
        let house = House::new("");
        let due: Timestamp = "2030-01-31T08:00:00Z".parse().expect("a time");
        promised(&house, due).await;
        assert!(house.board.stop_all().await.is_ok());
        assert!(house.board.call_back(due).await.is_ok());
        assert_eq!(state(&house).await, "waiting");
        assert!(house.board.calls().is_empty());
    }
}
