//! Dials whose fate may not be known: written down before they are sent, and asked after until it is.
//!
//! What is sent is never sent again. A dial without an answer is settled by its carrier: by a webhook
//! that names the call, which it does by itself, or by its lists. What they have is taken up, or ended
//! where nobody wants it any more.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use call::event::{End, Party, Why};
use call::{Dialling, Heard, Inquiry, Number, Remedy, Sighting, input};
use ports::carrier::{Calls as _, Leg, News, Sought, Status, Traces, Webhook};
use ports::{Blame, Fault, code};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::liveness::HungUp;
use super::record::Bill;
use super::renewed::Renewed;
use super::{CallId, Record, Switchboard, desk};
use crate::jobs::Job;
use crate::journal::Reader;
use crate::rules::told;

/// A dial of which nobody knows what became of it.
#[derive(Clone)]
pub(super) struct Astray {
    /// Our name for the call.
    call: CallId,
    carrier: String,
    from: Number,
    to: Number,
    since: SystemTime,
    /// The call; `None`: it was another process's, and nobody wants it any more.
    record: Option<Arc<Record>>,
}

impl Astray {
    /// That of a call which is there.
    pub(super) fn of(record: &Arc<Record>, since: SystemTime) -> Option<Self> {
        Some(Self {
            call: record.id,
            carrier: record.carrier.clone(),
            from: record.number.clone(),
            to: record.caller.clone()?,
            since,
            record: Some(record.clone()),
        })
    }

    /// Whether a call of this one's could be taken for one of that.
    fn is_like(&self, other: &Self) -> bool {
        let pair = |it: &Self| (it.carrier.clone(), it.from.clone(), it.to.clone());
        self.call != other.call && pair(self) == pair(other)
    }
}

impl Switchboard {
    /// Writes down that a call's dial is about to be sent. What must be known of it after a crash is
    /// durable then: whom it is to, and that it may have been made.
    pub(super) async fn about_to_dial(&self, record: &Record) -> Result<(), Fault> {
        self.goes_on()?;
        if let Some(number) = &record.caller {
            self.unwanted.may_be_called(number)?;
        }
        let pen = record.log.pen();
        if timeout(FLUSHED, pen.flush()).await.is_err() {
            let message = "what happens on calls is not written down in time, so nobody is dialled";
            let fault = Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message);
            return Err(fault.hint("is the disk slow, or full?"));
        }
        pen.check()?;
        self.may_still_dial(record).await?;
        let now = jiff::Timestamp::now().as_millisecond();
        let (call, carrier) = (record.id.to_string(), record.carrier.clone());
        self.jobs.send(call, carrier, now).await?;
        record.dial_heard(Heard::Sends);
        Ok(())
    }

    /// The moment that counts: whatever was decided before, nobody is dialled who may not be now. What other
    /// processes have written down counts too.
    async fn may_still_dial(&self, record: &Record) -> Result<(), Fault> {
        let Some(to) = &record.caller else {
            return Ok(());
        };
        let entry = self.entry(String::new(), to.as_str(), &record.agent)?;
        let (standing, now) = (self.ledger.standing(entry).await?, jiff::Timestamp::now());
        let rules = &self.plan().rules;
        rules.may_still_dial(to, now, &standing).map_err(told)?;
        // It may have been stopped while that was read.
        self.goes_on()
    }

    /// Writes down what was heard of a call's dial.
    pub(super) async fn dial_heard(&self, record: &Record, heard: Heard) {
        record.dial_heard(heard);
        noted(self.jobs.hear(record.id.to_string(), heard).await);
    }

    /// The carrier speaks of a call: if its dial was in doubt, it is not any more. A call that nobody
    /// wants by now is ended at once.
    pub(super) async fn named(self: &Arc<Self>, record: &Arc<Record>, webhook: &Webhook) {
        match record.dialling() {
            Dialling::Queued | Dialling::Placed => return,
            Dialling::Sending | Dialling::Unknown => {}
            Dialling::Refused => self.pay_after_all(record.id).await,
        }
        self.dial_heard(record, Heard::Named).await;
        let is_over = matches!(webhook.news, News::Ended(_));
        if record.is_leaving() && !is_over {
            // Whatever was concluded before: it is ended until its carrier says so.
            record.run_bill();
            tracing::warn!(call = %record.id, "a carrier has a call after all that is over here: it is ended");
            self.end_at_carrier(record, &webhook.leg);
        }
    }

    /// The same for a call that this process does not know.
    pub(super) async fn named_by_nobody(&self, carrier: &str, call: CallId, webhook: &Webhook) {
        let job = self.jobs.of(call.to_string()).await;
        let job = job.ok().flatten().filter(|it| it.carrier == carrier);
        match job.map(|it| it.state) {
            None | Some(Dialling::Placed) => return,
            Some(Dialling::Queued | Dialling::Sending | Dialling::Unknown) => {}
            Some(Dialling::Refused) => self.pay_after_all(call).await,
        }
        noted(self.jobs.hear(call.to_string(), Heard::Named).await);
        if !matches!(webhook.news, News::Ended(_)) {
            tracing::warn!(%call, "a carrier has a call that nobody knows any more: it is ended");
            let ended = self.end_and_see(carrier, &webhook.leg).await;
            ended_or_not(call, ended);
        }
    }

    /// A call was made of which it was concluded that it was not: how long it was up, nobody here has seen.
    async fn pay_after_all(&self, call: CallId) {
        noted(self.ledger.charge(call.to_string()).await);
    }

    /// Settles every dial that another process left in doubt: those of calls that were taken up again
    /// go on with them, the others are not wanted any more. Nobody is dialled.
    pub(super) async fn settle_dials(self: &Arc<Self>, reader: &Reader) {
        for record in self.up() {
            let job = self.jobs.of(record.id.to_string()).await;
            if matches!(job, Ok(Some(job)) if job.state == Dialling::Placed) {
                record.dial_heard(Heard::Sends);
                record.dial_heard(Heard::Taken);
            }
        }
        let unsettled = match self.jobs.unsettled().await {
            Ok(unsettled) => unsettled,
            Err(fault) => return noted(Err::<(), _>(fault)),
        };
        for job in unsettled {
            noted(self.jobs.hear(job.call.clone(), Heard::Lost).await);
            let Some(astray) = self.astray(reader, &job).await else {
                tracing::error!(
                    call = job.call,
                    "a dial may have been sent of which nothing else is known: look at the carrier's list of calls"
                );
                continue;
            };
            if let Some(record) = &astray.record {
                record.dial_heard(Heard::Sends);
                record.dial_heard(Heard::Lost);
                if record.leg().is_some() {
                    self.dial_heard(record, Heard::Named).await;
                    continue;
                }
            }
            let ago = SystemTime::now().duration_since(astray.since);
            let asks = self.clone().ask_after_dial(astray, ago.unwrap_or_default());
            tokio::spawn(asks);
        }
    }

    /// What is known of such a dial, by the journal.
    async fn astray(&self, reader: &Reader, job: &Job) -> Option<Astray> {
        let call = CallId::parse(&job.call)?;
        let since = u64::try_from(job.sent).unwrap_or_default();
        let since = SystemTime::UNIX_EPOCH + Duration::from_millis(since);
        if let Some(record) = self.call(call) {
            return Astray::of(&record, since);
        }
        let began = reader.call(job.call.clone()).await.ok().flatten()?.began;
        let number = |key: &str| Number::parse(began[key].as_str()?).ok();
        Some(Astray {
            call,
            carrier: job.carrier.clone(),
            from: number("number")?,
            to: number("caller")?,
            since,
            record: None,
        })
    }

    /// Asks a carrier after a dial until it is known what became of it. A process that is gone sent it so long `ago`.
    pub(super) async fn ask_after_dial(self: Arc<Self>, astray: Astray, ago: Duration) {
        let pace = self.plan().inquiry;
        let mut inquiry = Inquiry::new(now(), ago, pace, self.carriers_own_end());
        self.desk().astray.push(astray.clone());
        loop {
            tokio::select! {
                () = named_by_itself(&astray) => break,
                () = sleep_until(Instant::from_std(inquiry.due())) => {}
            }
            if self.is_placed(&astray).await {
                break;
            }
            let (sighting, legs) = self.look_for(&astray, pace.answer).await;
            match inquiry.answer(now(), sighting) {
                Remedy::Ask => continue,
                Remedy::Adopt => self.take_or_end(&astray, &legs).await,
                Remedy::EndAll => {
                    tracing::error!(call = %astray.call, calls = legs.len(), "several calls may be the one that was dialled: all are ended");
                    for leg in &legs {
                        let ended = self.end_and_see(&astray.carrier, leg).await;
                        ended_or_not(astray.call, ended);
                    }
                    if let Some(record) = &astray.record {
                        record.stop_bill(Bill::Unknown);
                    }
                    self.was_not_made(&astray, Heard::Found).await;
                }
                Remedy::NotPlaced => {
                    tracing::warn!(call = %astray.call, "a call was not made, by its carrier's word");
                    self.was_not_made(&astray, Heard::Missing).await;
                }
                Remedy::NotUp => {
                    tracing::error!(call = %astray.call, "a call was not made, or is over, by its carrier's word, which knows no better: look at its list of calls");
                    if let Some(record) = &astray.record {
                        record.stop_bill(Bill::Unknown);
                    }
                    self.was_not_made(&astray, Heard::Missing).await;
                }
                Remedy::GiveUp => {
                    tracing::error!(call = %astray.call, "whether a call was made was not to be learned: look at the carrier's list of calls");
                    if let Some(record) = &astray.record {
                        record.stop_bill(Bill::Unknown);
                    }
                }
            }
            break;
        }
        let mut desk = self.desk();
        desk.astray.retain(|it| it.call != astray.call);
    }

    /// A carrier has ended a call by itself after so long, of which it never heard more from us.
    fn carriers_own_end(&self) -> Duration {
        let plan = self.plan();
        plan.patience.ring + plan.rules.limit() + desk::GOODBYE
    }

    async fn is_placed(&self, astray: &Astray) -> bool {
        let job = self.jobs.of(astray.call.to_string()).await;
        matches!(job, Ok(Some(job)) if job.state == Dialling::Placed)
    }

    /// What the carrier has of a dial, without those calls that are known to be others.
    async fn look_for(&self, astray: &Astray, patience: Duration) -> (Sighting, Vec<Leg>) {
        let unsaid = (Sighting::Unsaid, Vec::new());
        let plan = self.plan();
        let carrier = plan.carriers.get(&astray.carrier);
        let Some(finds) = carrier.and_then(|it| it.finds.clone()) else {
            return unsaid;
        };
        let name = astray.call.to_string();
        let sought = Sought {
            name: &name,
            from: &astray.from,
            to: &astray.to,
            since: astray.since,
        };
        let found = match timeout(patience, finds.find(&sought)).await {
            Ok(Ok(found)) => found,
            Ok(Err(fault)) => {
                tracing::warn!(call = %astray.call, code = fault.code, "a carrier was asked after a dial, and did not say: {fault}");
                return unsaid;
            }
            Err(_) => {
                tracing::warn!(call = %astray.call, "a carrier was asked after a dial, and did not answer in time");
                return unsaid;
            }
        };
        let mut legs = match found {
            Traces::Up(None) => return (Sighting::NotUp, Vec::new()),
            Traces::Up(Some(leg)) => return (Sighting::One, vec![leg]),
            Traces::Among(legs) => legs,
        };
        let mut unknown = Vec::new();
        for leg in legs.drain(..) {
            match self.is_anothers(astray, &leg).await {
                Ok(true) => {}
                Ok(false) => unknown.push(leg),
                Err(_) => return unsaid,
            }
        }
        let sighting = match (unknown.len(), self.has_others_like(astray)) {
            (0, _) => Sighting::Missing,
            (1, false) => Sighting::One,
            (_, _) => Sighting::Several,
        };
        (sighting, unknown)
    }

    /// Whether that is another call of ours, which has learned its name.
    async fn is_anothers(&self, astray: &Astray, leg: &Leg) -> Result<bool, Fault> {
        let key = (astray.carrier.clone(), leg.clone());
        if let Some(call) = self.desk().legs.get(&key) {
            return Ok(*call != astray.call);
        }
        let owner = self.journal.reader()?.whose(leg.0.clone()).await?;
        Ok(owner.is_some_and(|it| it != astray.call.to_string()))
    }

    /// Whether another dial between the same two may have made a call that has not said whose it is.
    fn has_others_like(&self, astray: &Astray) -> bool {
        let desk = self.desk();
        if desk.astray.iter().any(|it| it.is_like(astray)) {
            return true;
        }
        let sending = desk.calls.values().filter(|it| it.is_dial_open());
        let mut sending = sending.filter_map(|it| Astray::of(it, astray.since));
        sending.any(|it| it.is_like(astray))
    }

    /// The call that was dialled is found: it goes on, or is ended if nobody wants it any more.
    async fn take_or_end(self: &Arc<Self>, astray: &Astray, legs: &[Leg]) {
        let Some(leg) = legs.first() else {
            return;
        };
        match &astray.record {
            Some(record) => {
                let taken = !record.is_leaving() && self.bind(record, leg);
                tracing::warn!(call = %record.id, taken, "a call was made after all, by its carrier's word");
                self.dial_heard(record, Heard::Found).await;
                if !taken {
                    self.end_at_carrier(record, leg);
                }
            }
            None => {
                noted(self.jobs.hear(astray.call.to_string(), Heard::Found).await);
                let ended = self.end_and_see(&astray.carrier, leg).await;
                ended_or_not(astray.call, ended);
            }
        }
    }

    async fn was_not_made(&self, astray: &Astray, heard: Heard) {
        match &astray.record {
            Some(record) => {
                let message =
                    "the carrier's answer to the dial did not come, and it has no such call";
                record.fail(&Fault::new(Blame::Carrier, code::CARRIER_UNKNOWN, message));
                record.tell(input::Carrier::Ended(NOT_MADE)).await;
                self.dial_heard(record, heard).await;
            }
            None => noted(self.jobs.hear(astray.call.to_string(), heard).await),
        }
    }

    /// Hangs up on a call of ours until its carrier says that it is over, unless somebody does already.
    pub(super) fn end_at_carrier(self: &Arc<Self>, record: &Arc<Record>, leg: &Leg) {
        if !record.is_to_be_insisted() {
            return;
        }
        let plan = self.plan();
        let calls = Renewed {
            plan: plan.clone(),
            carrier: record.carrier.clone(),
            board: self.clone(),
        };
        let hung_up = HungUp {
            limit: plan.rules.limit() + desk::GOODBYE,
            plan,
            record: record.clone(),
            leg: leg.clone(),
        };
        let board = Arc::downgrade(self);
        tokio::spawn(async move {
            let first = calls.hang_up(&hung_up.leg).await;
            drop(calls);
            hung_up.insist(board, first).await;
        });
    }

    /// The same for one that has no record here.
    pub(super) async fn end_and_see(&self, carrier: &str, leg: &Leg) -> Result<(), Fault> {
        let mut outcome = Ok(());
        for _ in 0..ENDINGS {
            let plan = self.plan();
            let Some(carrier) = plan.carriers.get(carrier) else {
                let message = "the carrier of a call is not in the configuration any more";
                return Err(Fault::new(
                    Blame::Config,
                    code::CARRIER_NO_SUCH_CALL,
                    message,
                ));
            };
            outcome = carrier.calls.hang_up(leg).await;
            if let Ok(Status::Ended(_)) = carrier.calls.status(leg).await {
                return Ok(());
            }
            sleep(BETWEEN).await;
        }
        outcome
    }
}

/// Waits until the carrier has spoken of a call by itself.
async fn named_by_itself(astray: &Astray) {
    match &astray.record {
        Some(record) => record.is_placed().await,
        None => std::future::pending().await,
    }
}

fn noted<T>(written: Result<T, Fault>) {
    if let Err(fault) = written {
        let (code, hint) = (fault.code, fault.hint.as_deref());
        tracing::error!(
            code,
            hint,
            "what became of a dial is not written down: {fault}"
        );
    }
}

fn ended_or_not(call: CallId, ended: Result<(), Fault>) {
    if let Err(fault) = ended {
        let (code, hint) = (fault.code, fault.hint.as_deref());
        tracing::error!(%call, code, hint, "a call that nobody wants could not be ended: {fault}");
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}

/// What a dial comes to that its carrier does not have.
pub(super) const NOT_MADE: End = End {
    by: Party::Carrier,
    why: Why::Fault,
};

/// How long a slow disk has before nobody is dialled.
const FLUSHED: Duration = Duration::from_secs(5);

/// So often a call that nobody knows is hung up, until it is over.
const ENDINGS: u32 = 60;
const BETWEEN: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::super::fixture::{House, THEIRS, number};
    use super::*;

    #[tokio::test]
    async fn who_may_not_be_dialled_any_more_is_not_when_it_comes_to_that() {
        let house = House::new("");
        let record = house.dialled(THEIRS).await;
        let later = jiff::Timestamp::now() + Duration::from_secs(2 * 60 * 60);
        let later = later.to_zoned(jiff::tz::TimeZone::UTC).hour();
        house.rewrite(&format!(
            "[contacts.ann]\nnumber = \"{THEIRS}\"\nzone = \"UTC\"\nhours = \"{later:02}:00-{:02}:00\"",
            later + 1
        ));
        let fault = house.board.about_to_dial(&record).await;
        let fault = fault.expect_err("they are asleep");
        assert_eq!(fault.code, code::POLICY_HOURS);
        house.rewrite("");
        let listed = house.board.ledger.do_not_call(&number(THEIRS), 1).await;
        listed.expect("it is written");
        let fault = house.board.about_to_dial(&record).await;
        let fault = fault.expect_err("they do not want it any more");
        assert_eq!(fault.code, code::POLICY_DO_NOT_CALL);
        // By a command, while this gateway has not heard of it.
        house.board.ledger.stop(1).await.expect("it is written");
        let fault = house.board.about_to_dial(&record).await;
        let fault = fault.expect_err("everything is stopped");
        assert_eq!(fault.code, code::POLICY_STOPPED);
    }

    #[tokio::test(start_paused = true)]
    async fn a_dial_of_which_nothing_is_ever_learned_cost_all_that_was_set_aside() {
        let house = House::new("");
        let record = house.dialled(THEIRS).await;
        record.dial_heard(Heard::Sends);
        house.board.dial_heard(&record, Heard::Lost).await;
        record.log.push(now(), call::Event::Ended(NOT_MADE));
        house.board.close(&record).await;
        assert_eq!(house.stands().await, (house.ceiling(), 1));
        let astray = Astray::of(&record, SystemTime::now()).expect("it is to somebody");
        let asks = house.board.clone().ask_after_dial(astray, Duration::ZERO);
        asks.await;
        house.until((house.ceiling(), 0)).await;
        // It stays spent.
        let name = record.id.to_string();
        let settled = house.board.ledger.settle(name, Duration::ZERO).await;
        settled.expect("nothing changes");
        assert_eq!(house.stands().await, (house.ceiling(), 0));
    }
    #[tokio::test(start_paused = true)]
    async fn a_dial_that_may_have_come_and_gone_cost_all_that_was_set_aside() {
        let house = House::of("forgetful", "");
        let record = house.dialled(THEIRS).await;
        record.dial_heard(Heard::Sends);
        house.board.dial_heard(&record, Heard::Lost).await;
        let astray = Astray::of(&record, SystemTime::now()).expect("it is to somebody");
        let asks = house.board.clone().ask_after_dial(astray, Duration::ZERO);
        asks.await;
        assert_eq!(record.dialling(), Dialling::Refused);
        record.log.push(now(), call::Event::Ended(NOT_MADE));
        house.board.close(&record).await;
        assert_eq!(house.stands().await, (house.ceiling(), 0));
    }

    #[tokio::test]
    async fn a_call_that_its_carrier_has_after_all_is_paid_for_after_all() {
        let house = House::new("");
        let record = house.dialled(THEIRS).await;
        for heard in [Heard::Sends, Heard::Lost, Heard::Missing] {
            record.dial_heard(heard);
        }
        record.tell(input::Carrier::Ended(NOT_MADE)).await;
        record.log.push(now(), call::Event::Ended(NOT_MADE));
        house.board.close(&record).await;
        assert_eq!(house.stands().await, (policy::Money::ZERO, 0));
        let leg = Leg("late".into());
        let webhook = Webhook {
            dialled: leg.clone(),
            leg,
            notice: "1".into(),
            news: News::Ended(NOT_MADE),
        };
        house.board.told("pigeon", Some(record.id), &webhook).await;
        assert_eq!(house.stands().await, (house.ceiling(), 0));
    }

    #[tokio::test]
    async fn a_call_that_its_carrier_has_after_all_is_ended_until_it_says_so() {
        let house = House::new("");
        let record = house.dialled(THEIRS).await;
        for heard in [Heard::Sends, Heard::Lost, Heard::Missing] {
            record.dial_heard(heard);
        }
        record.tell(input::Carrier::Ended(NOT_MADE)).await;
        record.log.push(now(), call::Event::Ended(NOT_MADE));
        let leg = Leg("late".into());
        let webhook = Webhook {
            dialled: leg.clone(),
            leg,
            notice: "1".into(),
            news: News::Ringing,
        };
        house.board.told("pigeon", Some(record.id), &webhook).await;
        assert_eq!(record.bill(), Bill::Runs);
        assert!(!record.is_to_be_insisted(), "somebody does");
    }
}
