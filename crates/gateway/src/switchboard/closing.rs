//! Calls that are over here: each keeps its place, and the money that is set aside for it, until it costs
//! nothing more at its carrier.

use std::sync::Arc;
use std::time::Duration;

use call::Dialling;

use super::record::Bill;
use super::{Record, Switchboard};

impl Switchboard {
    /// Settles what a call did cost, and gives its place to others: now, or when its carrier says that it is
    /// over. To be asked for when everything that the call ordered has been done.
    pub(super) async fn close(self: &Arc<Self>, record: &Arc<Record>) {
        if !record.log.has_end() {
            // Another process goes on with it, and with its money.
            return self.vacate(record);
        }
        if let Some(bill) = unbilled(record) {
            record.stop_bill(bill);
        }
        match record.bill() {
            Bill::Runs => {}
            bill @ (Bill::Stopped(_) | Bill::Unknown) => return self.pay(record, bill).await,
        }
        if let Some(leg) = record.leg() {
            self.end_at_carrier(record, &leg);
        }
        // A switchboard that is gone is not kept for it: what is set aside stays so.
        let (board, record) = (Arc::downgrade(self), record.clone());
        tokio::spawn(async move {
            let bill = record.is_said_to_be_over().await;
            if let Some(board) = board.upgrade() {
                board.pay(&record, bill).await;
            }
        });
    }

    /// Its cost is settled before its place is free.
    async fn pay(&self, record: &Record, bill: Bill) {
        self.settle_cost(record, bill).await;
        self.vacate(record);
    }

    fn vacate(&self, record: &Record) {
        let mut desk = self.desk();
        desk.up = desk.up.saturating_sub(1);
        desk.plans.remove(&record.id);
    }
}

/// What a call comes to of which no carrier will speak.
fn unbilled(record: &Record) -> Option<Bill> {
    if record.leg().is_some() {
        return None;
    }
    match record.dialling() {
        Dialling::Queued | Dialling::Refused => Some(Bill::Stopped(Duration::ZERO)),
        // Its carrier has it by a name that is another's here; or whoever sent the dial broke.
        Dialling::Placed | Dialling::Sending => Some(Bill::Unknown),
        // It is asked after.
        Dialling::Unknown => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use call::event::{End, Event, Party, Why};
    use call::{Heard, input};
    use ports::carrier::Leg;

    use super::super::fixture::{House, THEIRS};
    use super::super::liveness::HungUp;
    use super::*;

    const HUNG_UP: End = End {
        by: Party::Owner,
        why: Why::HungUp,
    };

    /// A call that was picked up, and that we hung up on.
    async fn hung_up(house: &House) -> Arc<Record> {
        let record = house.dialled(THEIRS).await;
        record.dial_heard(Heard::Sends);
        record.dial_heard(Heard::Taken);
        record.bind(&Leg("a".into()));
        let now = Instant::now();
        record.log.push(now, Event::Answered);
        record.log.push(now, Event::Ended(HUNG_UP));
        // Whoever carried the hang-up out sees to it that it is done.
        assert!(record.is_to_be_insisted());
        house.board.close(&record).await;
        record
    }

    #[tokio::test(start_paused = true)]
    async fn a_call_keeps_its_money_and_its_place_until_its_carrier_says_that_it_is_over() {
        let house = House::new("");
        let record = hung_up(&house).await;
        assert_eq!(house.stands().await, (house.ceiling(), 1));
        tokio::time::advance(Duration::from_secs(61)).await;
        record.tell(input::Carrier::Ended(HUNG_UP)).await;
        let minutes = house.minute().plus(house.minute());
        house.until((minutes, 0)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_call_cost_that_was_never_said_to_be_over_is_all_that_was_set_aside() {
        let house = House::new("");
        let record = hung_up(&house).await;
        let hung_up = HungUp {
            plan: house.board.plan(),
            leg: Leg("a".into()),
            limit: Duration::from_secs(60),
            record,
        };
        let lost = Arc::downgrade(&house.board);
        let began = tokio::time::Instant::now();
        hung_up.insist(lost, Ok(())).await;
        assert!(began.elapsed() >= Duration::from_secs(60));
        house.until((house.ceiling(), 0)).await;
    }

    #[tokio::test]
    async fn a_call_that_was_never_made_costs_nothing() {
        let house = House::new("");
        let record = house.dialled(THEIRS).await;
        record.log.push(Instant::now(), Event::Ended(HUNG_UP));
        house.board.close(&record).await;
        assert_eq!(house.stands().await, (policy::Money::ZERO, 0));
    }
}
