//! Asks carriers about calls of which nothing is heard, and about calls that were hung up.
//!
//! What tells us that a call is over may be lost: webhooks, the last message of its socket, the end of
//! that itself, and our own request to hang up. When to ask, and what an answer means, is said by
//! [`call::Liveness`] and [`call::Release`].

use std::sync::{Arc, Weak};
use std::time::Duration;

use call::event::{End, Party, Why};
use call::{Direction, Event, Finding, Hold, Liveness, Release, Word};
use ports::Fault;
use ports::carrier::{Calls, Leg, Status};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::record::Bill;
use super::renewed::Renewed;
use super::{Record, Switchboard};
use crate::config::Plan;
use crate::journal::Entry;
use crate::pulse::Pulse;
use crate::runner::Control;

/// Watches a call until it is hung up, or over.
pub(super) async fn watch(calls: Renewed, record: Arc<Record>, pulse: Arc<Pulse>) {
    let mut liveness = Liveness::new(now());
    loop {
        let due = liveness.due(&pulse.signs().1);
        sleep_until(Instant::from_std(due)).await;
        if record.is_leaving() {
            return;
        }
        if liveness.due(&pulse.signs().1) > now() {
            continue;
        }
        let patience = liveness.ask(now());
        // One that cannot take this hears enough.
        let _ = record.control.try_send(Control::Probe);
        // Until it has a name with its carrier there is nothing to ask about.
        let word = match record.leg() {
            Some(leg) => ask(&calls, (&record, &leg), patience).await,
            None => Word::Waits,
        };
        let (socket, signs) = pulse.signs();
        match liveness.answer(now(), word, &signs) {
            Finding::Well => {}
            Finding::Over(end) => {
                tracing::info!(call = %record.id, "a call is over, as its carrier said when it was asked");
                return record.tell_over(end_of(&record, end)).await;
            }
            Finding::Stranded => {
                tracing::warn!(call = %record.id, "the socket of a call leads nowhere, and the call is up: it gets another");
                if let Some(socket) = socket {
                    let _ = record.control.send(Control::Stranded(socket)).await;
                }
            }
        }
    }
}

/// A call that was hung up.
pub(super) struct HungUp {
    /// What it began with.
    pub(super) plan: Arc<Plan>,
    /// It.
    pub(super) record: Arc<Record>,
    /// Its carrier's name for it.
    pub(super) leg: Leg,
    /// Its carrier ends it by itself after this.
    pub(super) limit: Duration,
}

impl HungUp {
    /// Hangs up again and again until the carrier says that the call is over, on whatever way, and in
    /// no case for longer than it would go on by itself. Goes on when the call is over for everybody
    /// else; a switchboard that is gone is not kept for it.
    pub(super) async fn insist(self, board: Weak<Switchboard>, first: Result<(), Fault>) {
        let (record, release) = (&self.record, Release::new(now(), self.limit));
        let mut outcome = first;
        loop {
            if let Err(fault) = &outcome {
                tracing::warn!(call = %record.id, code = fault.code, hint = fault.hint, "a call could not be hung up, which is tried again: {fault}");
            }
            tokio::select! {
                _ = record.is_said_to_be_over() => return,
                () = sleep(Release::PAUSE) => {}
            }
            let Some(board) = board.upgrade() else {
                return;
            };
            let calls = Renewed {
                plan: self.plan.clone(),
                carrier: record.carrier.clone(),
                board,
            };
            let word = ask(&calls, (record, &self.leg), Release::ANSWER).await;
            if word == Word::Up {
                record.was_picked_up();
            }
            match release.answer(now(), word) {
                Hold::Released => {
                    if let Word::Over(end) = word {
                        record.tell_over(end).await;
                    }
                    return;
                }
                Hold::Again => outcome = calls.hang_up(&self.leg).await,
                Hold::GivenUp => return self.give_up(outcome),
            }
        }
    }

    fn give_up(&self, outcome: Result<(), Fault>) {
        let call = self.record.id;
        self.record.stop_bill(Bill::Unknown);
        match outcome {
            Ok(()) => {
                tracing::error!(%call, "a carrier was told to end a call and never said that it did: look whether it is up there");
            }
            Err(fault) => {
                tracing::error!(%call, code = fault.code, hint = fault.hint, "a call could not be hung up: {fault}");
                self.record.fail(&fault);
            }
        }
    }
}

/// Not every carrier says why a call is over: one that nobody picked up was not hung up on.
fn end_of(record: &Record, end: End) -> End {
    let log = &record.log;
    let answered = |entry: &Entry| matches!(entry.event, Event::Answered | Event::Connected);
    let picked_up = log.is_connected() || log.after(0).iter().any(answered);
    if record.direction == Direction::Outbound && !picked_up && end.why == Why::HungUp {
        return NO_ANSWER;
    }
    end
}

const NO_ANSWER: End = End {
    by: Party::Caller,
    why: Why::NoAnswer,
};

/// What the carrier says of a call. That it says nothing is no news of the call.
async fn ask(calls: &Renewed, (record, leg): (&Record, &Leg), patience: Duration) -> Word {
    match timeout(patience, calls.status(leg)).await {
        Ok(Ok(Status::Pending)) => Word::Waits,
        Ok(Ok(Status::Up)) => Word::Up,
        Ok(Ok(Status::Ended(end))) => Word::Over(end),
        Ok(Err(fault)) => {
            tracing::info!(call = %record.id, code = fault.code, "a carrier was asked about a call, and did not say: {fault}");
            Word::Nothing
        }
        Err(_) => {
            tracing::info!(call = %record.id, "a carrier was asked about a call, and did not answer in time");
            Word::Nothing
        }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
