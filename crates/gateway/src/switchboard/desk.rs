//! Carries a call's orders to its carrier, one after another, away from the call's own task.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use call::event::{What, Why};
use call::{Dialling, Heard, input, output};
use ports::carrier::{Calls, Detect, Dial, Limits, Offers, Status};
use ports::{Fault, Retry, code};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::dialled::{Astray, NOT_MADE};
use super::liveness::{self, HungUp};
use super::renewed::Renewed;
use super::{Record, Switchboard};
use crate::config::Plan;
use crate::pulse::Pulse;
use crate::runner::{Control, Order};

/// Serves one call's orders until the call drops its end, and lets the carrier go on with it for
/// another while as long as it does not.
pub(super) async fn serve(
    board: Arc<Switchboard>,
    (record, pulse): (Arc<Record>, Arc<Pulse>),
    (plan, detect): (Arc<Plan>, Detect),
    mut orders: mpsc::Receiver<Order>,
) {
    let calls = Renewed {
        plan: plan.clone(),
        carrier: record.carrier.clone(),
        board: board.clone(),
    };
    // Neither an order nor a question waits for the other. It ends with this.
    let mut watch = JoinSet::new();
    watch.spawn(liveness::watch(calls.clone(), record.clone(), pulse));
    let desk = Arc::new(Desk {
        calls,
        limit: plan.rules.limit() + GOODBYE,
        detect,
        plan,
        board,
        record,
    });
    let mut lease = Lease::NotYet;
    loop {
        tokio::select! {
            order = orders.recv() => match order {
                Some(order) => desk.carry_out(order).await,
                None => return,
            },
            () = lease.due(&desk.record) => lease = desk.prolong().await,
        }
    }
}

struct Desk {
    board: Arc<Switchboard>,
    record: Arc<Record>,
    /// What the call began with.
    plan: Arc<Plan>,
    calls: Renewed,
    /// How long the call may last in all, with a goodbye.
    limit: Duration,
    /// What the carrier should find out of who picks up.
    detect: Detect,
}

/// Until when the carrier lets the call go on without another word from us: if we are gone by then,
/// nobody pays for a call that nobody is on.
enum Lease {
    /// There is no sound yet. What was said when the call was made holds.
    NotYet,
    /// It is time for another word then.
    Until(Instant),
    /// As long as the call may last.
    Whole,
}

impl Lease {
    async fn due(&self, record: &Record) {
        match self {
            Self::NotYet => record.log.connected().await,
            Self::Until(when) => sleep_until(*when).await,
            Self::Whole => std::future::pending().await,
        }
    }
}

impl Desk {
    async fn carry_out(self: &Arc<Self>, order: Order) {
        match order {
            Order::Carrier(output::Carrier::Dial) => self.dial().await,
            Order::Carrier(output::Carrier::Answer) => self.answer().await,
            Order::Carrier(output::Carrier::HangUp) => self.hang_up().await,
            Order::Carrier(output::Carrier::Reconnect) => self.reconnect().await,
            // It may take long, and hanging up must not wait for it.
            Order::Carrier(output::Carrier::Transfer(to)) => {
                let desk = self.clone();
                tokio::spawn(async move { desk.transfer(&to).await });
            }
            Order::PutThrough(referral) => self.board.refer_or_say(&self.record, referral).await,
        }
    }

    async fn dial(&self) {
        let (record, plan) = (&self.record, &self.plan);
        let Some(to) = &record.caller else {
            return;
        };
        if let Err(fault) = self.board.about_to_dial(record).await {
            self.board.refused_on(record, What::Dial, &fault);
            tracing::warn!(call = %record.id, code = fault.code, "nobody is dialled: {fault}");
            return self.broke(&fault).await;
        }
        let since = SystemTime::now();
        let base = format!("{}/{}", plan.public_url, record.carrier);
        let dial = Dial {
            name: &record.id.to_string(),
            from: &record.number,
            to,
            voice_url: &format!("{base}/voice?call={}", record.id),
            status_url: &format!("{base}/status?call={}", record.id),
            ring: plan.patience.ring,
            limit: self.first_limit(),
            detect: self.detect,
        };
        match self.calls.dial(dial).await {
            // A leg that is another call's already is refused where its webhooks come in.
            Ok(leg) => {
                let _ = self.board.bind(record, &leg);
                self.board.dial_heard(record, Heard::Taken).await;
            }
            Err(fault) if fault.code == code::CARRIER_UNKNOWN => {
                tracing::warn!(call = %record.id, code = fault.code, hint = fault.hint, "whether a call was made is not known: {fault}");
                self.lost(since).await;
            }
            // Whatever the fault says about trying again: one request, one dial.
            Err(fault) => {
                tracing::warn!(call = %record.id, code = fault.code, "the call could not be made: {fault}");
                self.board.dial_heard(record, Heard::Refused).await;
                self.broke(&fault).await;
            }
        }
    }

    /// Nobody can tell whether the carrier took the call. It waits as one that rings, and is dialled by
    /// nobody again: it may name itself by a webhook, and its carrier is asked.
    async fn lost(&self, since: SystemTime) {
        let record = &self.record;
        self.board.dial_heard(record, Heard::Lost).await;
        if record.dialling() == Dialling::Unknown
            && let Some(astray) = Astray::of(record, since)
        {
            let asks = self.board.clone().ask_after_dial(astray, Duration::ZERO);
            tokio::spawn(asks);
        }
    }

    /// How long the carrier lets a call go on without another word from us, if it takes one.
    fn first_limit(&self) -> Duration {
        if self.calls.has_limits() {
            self.limit.min(SLICE)
        } else {
            self.limit
        }
    }

    async fn answer(&self) {
        // The call was bound to its leg before it was started, and has a stream since.
        let (Some(leg), Some(stream)) = (self.record.leg(), self.record.last_stream()) else {
            return;
        };
        let mut outcome = self.calls.answer(&leg, &stream).await;
        for _ in 0..ANSWERS {
            match &outcome {
                // It may be done twice, so whatever may pass is tried again.
                Err(fault) if fault.retry != Retry::Never => sleep(PAUSE).await,
                Ok(()) | Err(_) => break,
            }
            outcome = self.calls.answer(&leg, &stream).await;
        }
        if let Err(fault) = outcome {
            tracing::warn!(call = %self.record.id, code = fault.code, "the call could not be answered: {fault}");
            self.broke(&fault).await;
        }
    }

    async fn hang_up(&self) {
        self.record.leave();
        let Some(leg) = self.record.leg() else {
            return;
        };
        let first = self.calls.hang_up(&leg).await;
        if !self.record.is_to_be_insisted() {
            return;
        }
        let hung_up = HungUp {
            plan: self.plan.clone(),
            record: self.record.clone(),
            leg,
            limit: self.limit,
        };
        tokio::spawn(hung_up.insist(Arc::downgrade(&self.board), first));
    }

    /// Gets the call its sound back, or learns from the carrier that it is over.
    async fn reconnect(&self) {
        let Some(leg) = self.record.leg() else {
            return;
        };
        for _ in 0..TRIES {
            let record = &self.record;
            let stream = record.next_stream(|number| self.board.mint(record, number));
            match self.calls.reconnect(&leg, &stream).await {
                Ok(()) => return,
                // It may be done twice, so whatever may pass is tried again.
                Err(fault) if fault.retry != Retry::Never => sleep(PAUSE).await,
                Err(fault) => return self.ask_why(&fault).await,
            }
        }
    }

    /// Has the carrier put the caller through. What was perhaps done is not done again: it makes a
    /// phone ring.
    async fn transfer(&self, to: &str) {
        let record = &self.record;
        let Some(leg) = record.leg() else {
            return self.keep().await;
        };
        let handover = match self.board.handover(record, &self.plan, to).await {
            Ok(handover) => handover,
            Err(fault) => {
                self.board.refused_on(record, What::Transfer, &fault);
                tracing::warn!(call = %record.id, code = fault.code, hint = fault.hint, "a caller is not put through: {fault}");
                return self.keep().await;
            }
        };
        record.divert(Some(handover.clone()));
        let mut outcome = handover.request(&self.calls, &leg).await;
        for _ in 0..ANSWERS {
            match &outcome {
                Err(fault) if fault.retry == Retry::IfNotSent => sleep(PAUSE).await,
                Ok(()) | Err(_) => break,
            }
            outcome = handover.request(&self.calls, &leg).await;
        }
        match outcome {
            Ok(()) => {
                let _ = record.control.send(Control::LetGo).await;
                handover.watch(&self.calls, record);
            }
            // The answer was lost, and they talk all the same.
            Err(fault) if record.diverted().is_none() => {
                tracing::warn!(call = %record.id, code = fault.code, "a caller was put through, though its carrier did not answer: {fault}");
            }
            Err(fault) => {
                tracing::warn!(call = %record.id, code = fault.code, hint = fault.hint, "a caller could not be put through: {fault}");
                self.keep().await;
            }
        }
    }

    /// The carrier has not taken the caller away.
    async fn keep(&self) {
        self.record.divert(None);
        let _ = self.record.control.send(Control::Kept(Why::Fault)).await;
    }

    async fn ask_why(&self, refused: &Fault) {
        let Some(leg) = self.record.leg() else {
            return;
        };
        match self.calls.status(&leg).await {
            Ok(Status::Ended(end)) => self.record.tell_over(end).await,
            // It rings. Its sound comes when it is answered.
            Ok(Status::Pending) => {}
            Ok(Status::Up) | Err(_) => {
                tracing::warn!(call = %self.record.id, code = refused.code, hint = refused.hint, "the sound of a call is gone and was not given back: {refused}");
            }
        }
    }

    /// Lets the carrier go on with the call for another while.
    async fn prolong(&self) -> Lease {
        let leg = self.record.leg().filter(|_| !self.record.is_leaving());
        let Some(leg) = leg.filter(|_| self.calls.has_limits()) else {
            return Lease::Whole;
        };
        // It counts from the answer, and we from a little earlier: that is on the safe side.
        let age = self.record.log.age();
        let length = (age + SLICE).min(self.limit);
        let lease = match self.calls.limit(&leg, length).await {
            Ok(()) if length == self.limit => return Lease::Whole,
            Ok(()) => SLICE.mul_f64(RENEWED),
            Err(fault) => {
                tracing::warn!(call = %self.record.id, code = fault.code, "the carrier was not told how long a call may last: {fault}");
                AGAIN
            }
        };
        Lease::Until(Instant::now() + lease)
    }

    async fn broke(&self, fault: &Fault) {
        self.record.fail(fault);
        self.record.tell(input::Carrier::Ended(NOT_MADE)).await;
    }
}

/// A carrier ends a call of its own accord when it has not heard of us for so long.
const SLICE: Duration = Duration::from_secs(600);

/// When it hears of us again, as a part of that.
const RENEWED: f64 = 0.7;

/// The same, where it did not listen.
const AGAIN: Duration = Duration::from_secs(30);

/// A call that has reached its longest allowed length is still said goodbye to.
pub(super) const GOODBYE: Duration = policy::OVERRUN;

/// A carrier that cannot be reached is tried this often, with pauses in between.
const TRIES: u32 = 20;

/// So often an offered call is tried to be answered once more, while it rings.
const ANSWERS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);
