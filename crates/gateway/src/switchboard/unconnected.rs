//! Sound that a carrier could not connect to us.

use std::sync::Arc;

use ports::carrier::Calls as _;
use ports::{Blame, Fault, Retry, code};

use super::renewed::Renewed;
use super::{Record, Switchboard};

impl Switchboard {
    /// Has the carrier try it with another socket, a few times. A call that had sound before has it
    /// connected again by itself.
    pub(super) async fn unconnected(self: &Arc<Self>, record: &Arc<Record>, why: &str) {
        if record.log.is_connected() || record.is_leaving() {
            return;
        }
        let fault = unreached(why);
        tracing::warn!(call = %record.id, code = fault.code, hint = fault.hint, "a call has no sound yet: {fault}");
        let Some(leg) = record.leg().filter(|_| record.last_socket() < MOST) else {
            return record.fail(&fault);
        };
        let carrier = Renewed {
            plan: self.plan_of(record.id),
            carrier: record.carrier.clone(),
            board: self.clone(),
        };
        let stream = record.next_stream(|number| self.mint(record, number));
        if let Err(refused) = carrier.reconnect(&leg, &stream).await {
            let code = refused.code;
            tracing::warn!(call = %record.id, code, "its carrier does not try again: {refused}");
            record.fail(&fault);
        }
    }
}

fn unreached(why: &str) -> Fault {
    // In the carrier's words, of which only a sentence is believed.
    let why: String = why
        .chars()
        .filter(|it| !it.is_control())
        .take(100)
        .collect();
    let message = format!("the carrier could not connect a call's sound to `public_url`: {why}");
    Fault::new(Blame::Config, code::CARRIER_UNREACHED, message)
        .retry(Retry::IfNotSent)
        .hint("do websockets get through to `public_url`? `offhook doctor` looks")
}

/// So many sockets a call is offered before its first sound.
const MOST: u64 = 3;
