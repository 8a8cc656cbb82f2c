//! Has a call's carrier press keys, in their order, away from the call's own task and from the desk
//! that carries its orders: a call is hung up no later for a key that is being pressed.

use std::sync::{Arc, PoisonError};

use call::event::What;
use call::{Keys, Number};
use policy::may_press;
use ports::carrier::Presses as _;
use ports::{Blame, Fault, Retry, code};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::renewed::Renewed;
use super::{Record, Switchboard};
use crate::config::Plan;
use crate::presses::{Pressed, Presses};
use crate::rules;
use crate::runner::Control;

/// Who presses the keys of a call.
pub(super) fn of(board: &Arc<Switchboard>, record: &Arc<Record>, plan: &Arc<Plan>) -> Presses {
    let carrier = Renewed {
        plan: plan.clone(),
        carrier: record.carrier.clone(),
        board: board.clone(),
    };
    if !carrier.has_presses() {
        return Presses::InSound;
    }
    let (tx, wanted) = mpsc::channel(MOST);
    tokio::spawn(serve(carrier, record.clone(), wanted));
    Presses::ByCarrier(tx)
}

impl Switchboard {
    /// Presses keys on a call, if they may be. `false`: the call is over.
    ///
    /// # Errors
    /// They would have whoever answered dial what is never dialled, or there is no end of them.
    pub async fn press(self: &Arc<Self>, record: &Record, keys: Keys) -> Result<bool, Fault> {
        let ends: Vec<&Number> = record.caller.iter().chain([&record.number]).collect();
        let pressed = {
            let mut pressed = record
                .pressed
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            may_press(&pressed, (record.log.age(), &keys), &ends).map(|it| *pressed = it)
        };
        if let Err(why) = pressed {
            let fault = rules::unpressable(why);
            self.refused_on(record, What::Tool, &fault);
            return Err(fault);
        }
        Ok(record.press(keys).await)
    }
}

/// Ends when the call drops its end.
async fn serve(carrier: Renewed, record: Arc<Record>, mut wanted: mpsc::Receiver<Keys>) {
    let mut next = wanted.recv().await;
    while let Some(keys) = next {
        let length = keys.length();
        let pressed = ask(&carrier, &record, keys).await;
        let by_nobody = matches!(pressed, Pressed::ByNobody(_));
        // A call that is over has no use for it.
        let _ = record.control.send(Control::Pressed(pressed)).await;
        let over = Instant::now() + length;
        next = if by_nobody {
            overtaken(&record, &mut wanted, over).await
        } else {
            behind(&mut wanted, over).await
        };
    }
}

async fn ask(carrier: &Renewed, record: &Record, keys: Keys) -> Pressed {
    let outcome = match record.leg() {
        Some(leg) => carrier.press(&leg, &keys).await,
        None => Err(nameless()),
    };
    let Err(fault) = outcome else {
        return Pressed::ByCarrier(keys);
    };
    tracing::warn!(call = %record.id, code = fault.code, "keys were not pressed by the carrier: {fault}");
    if is_in_doubt(&fault) {
        Pressed::ByCarrier(keys)
    } else {
        Pressed::ByNobody(keys)
    }
}

/// The keys after those that the carrier presses until then: not before, or they would mix.
async fn behind(wanted: &mut mpsc::Receiver<Keys>, over: Instant) -> Option<Keys> {
    let next = wanted.recv().await;
    if next.is_some() {
        sleep_until(over).await;
    }
    next
}

/// The same after keys that are tones until then: what comes meanwhile is tones too, or the carrier
/// would press it before them.
async fn overtaken(
    record: &Record,
    wanted: &mut mpsc::Receiver<Keys>,
    mut over: Instant,
) -> Option<Keys> {
    while let Ok(next) = timeout_at(over, wanted.recv()).await {
        let keys = next?;
        over += keys.length();
        let pressed = Control::Pressed(Pressed::ByNobody(keys));
        let _ = record.control.send(pressed).await;
    }
    wanted.recv().await
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
