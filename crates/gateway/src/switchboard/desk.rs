//! Carries a call's orders to its carrier, one after another, away from the call's own task.

use std::sync::Arc;
use std::time::Duration;

use call::event::{End, Party, Why};
use call::{input, output};
use ports::carrier::{Calls, Dial, Leg};
use tokio::sync::mpsc;

use super::Record;

/// What a dial needs that the call does not know.
pub(super) struct Outbound {
    pub(super) voice_url: String,
    pub(super) status_url: String,
    pub(super) ring: Duration,
    pub(super) limit: Duration,
}

/// Serves one call's orders until the call drops its end.
pub(super) async fn serve(
    calls: Arc<dyn Calls>,
    record: Arc<Record>,
    outbound: Outbound,
    mut orders: mpsc::Receiver<output::Carrier>,
    bind: impl Fn(&Leg),
) {
    while let Some(order) = orders.recv().await {
        match order {
            output::Carrier::Dial => dial(&*calls, &record, &outbound, &bind).await,
            output::Carrier::Answer => answer(&*calls, &record).await,
            output::Carrier::HangUp => hang_up(&*calls, &record).await,
        }
    }
}

async fn dial(calls: &dyn Calls, record: &Record, outbound: &Outbound, bind: &impl Fn(&Leg)) {
    let Some(to) = &record.caller else {
        return;
    };
    let dial = Dial {
        from: &record.number,
        to,
        voice_url: &outbound.voice_url,
        status_url: &outbound.status_url,
        ring: outbound.ring,
        limit: outbound.limit,
    };
    match calls.dial(dial).await {
        Ok(leg) => bind(&leg),
        // Whatever the fault says about trying again: one request, one dial.
        Err(fault) => {
            tracing::warn!(call = %record.id, code = fault.code, "the call could not be made: {fault}");
            record.fail(&fault);
            // A call whose fate we do not know may yet announce itself by a webhook, which will
            // find it over and hang up.
            record.tell(input::Carrier::Ended(NOT_MADE)).await;
        }
    }
}

async fn answer(calls: &dyn Calls, record: &Record) {
    // An offer's reply carries the stream; the call was bound to its leg before it was started.
    let (Some(leg), Some(stream)) = (record.leg(), record.stream.get()) else {
        return;
    };
    if let Err(fault) = calls.answer(leg, stream).await {
        tracing::warn!(call = %record.id, code = fault.code, "the call could not be answered: {fault}");
        record.fail(&fault);
        record.tell(input::Carrier::Ended(NOT_MADE)).await;
    }
}

async fn hang_up(calls: &dyn Calls, record: &Record) {
    let Some(leg) = record.leg() else {
        return;
    };
    if let Err(fault) = calls.hang_up(leg).await {
        tracing::error!(call = %record.id, code = fault.code, "the call could not be hung up: {fault}");
        record.fail(&fault);
    }
}

const NOT_MADE: End = End {
    by: Party::Carrier,
    why: Why::Fault,
};
