//! Has a call's carrier press keys, in their order, away from the call's own task and from the desk
//! that carries its orders: a call is hung up no later for a key that is being pressed.

use std::sync::Arc;

use call::Keys;
use ports::carrier::Presses as _;
use ports::{Blame, Fault, Retry, code};
use tokio::sync::mpsc;

use super::renewed::Renewed;
use super::{Record, Switchboard};
use crate::config::Plan;
use crate::runner::{Control, Pressed};

/// Where the keys of a call go, if its carrier presses them by itself.
pub(super) fn of(
    board: &Arc<Switchboard>,
    record: &Arc<Record>,
    plan: &Arc<Plan>,
) -> Option<mpsc::Sender<Keys>> {
    let carrier = Renewed {
        plan: plan.clone(),
        carrier: record.carrier.clone(),
        board: board.clone(),
    };
    if !carrier.has_presses() {
        return None;
    }
    let (tx, wanted) = mpsc::channel(MOST);
    tokio::spawn(serve(carrier, record.clone(), wanted));
    Some(tx)
}

/// Ends when the call drops its end.
async fn serve(carrier: Renewed, record: Arc<Record>, mut wanted: mpsc::Receiver<Keys>) {
    while let Some(keys) = wanted.recv().await {
        let outcome = match record.leg() {
            Some(leg) => carrier.press(&leg, &keys).await,
            None => Err(nameless()),
        };
        let pressed = match outcome {
            Ok(()) => Pressed::ByCarrier(keys),
            Err(fault) => {
                tracing::warn!(call = %record.id, code = fault.code, "keys were not pressed by the carrier: {fault}");
                if is_in_doubt(&fault) {
                    Pressed::ByCarrier(keys)
                } else {
                    Pressed::ByNobody(keys)
                }
            }
        };
        let _ = record.control.send(Control::Pressed(pressed)).await;
    }
}

/// Whether keys were perhaps pressed all the same. Nobody wants a PIN twice.
fn is_in_doubt(fault: &Fault) -> bool {
    fault.code == code::CARRIER_UNREACHABLE && fault.retry != Retry::IfNotSent
}

fn nameless() -> Fault {
    let message = "the carrier has not said yet what it calls this call";
    Fault::new(Blame::Gateway, code::CARRIER_NO_SUCH_CALL, message)
}

/// So many times keys may wait to be pressed; what comes then are tones in the sound.
const MOST: usize = 8;
