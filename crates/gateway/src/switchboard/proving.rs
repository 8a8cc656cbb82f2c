//! Callers who prove who they are by a PIN.

use std::sync::Arc;

use call::Direction;
use call::input::Command;
use jiff::Timestamp;
use policy::{Keyed, Keypad, Starts};
use ports::Fault;
use tokio::sync::mpsc;

use super::adopt::command;
use super::pairing::Entrance;
use super::{Record, Switchboard};
use crate::config::Plan;
use crate::runner::PinPad;

/// Where the keys of a call's PIN go, if there is one that its caller could key.
pub(super) fn of(board: &Arc<Switchboard>, record: &Arc<Record>, plan: &Plan) -> Option<PinPad> {
    let stranger = record.entrance == Entrance::Stranger;
    let has_pin = plan.rules.has_pin(record.caller.as_ref());
    if record.direction != Direction::Inbound || !(stranger || has_pin) {
        return None;
    }
    let (keyed, mut tried) = mpsc::channel(MOST);
    let (board, record) = (board.clone(), record.clone());
    tokio::spawn(async move {
        // Ends when the call drops its end.
        while let Some(keyed) = tried.recv().await {
            match record.entrance {
                Entrance::Listed | Entrance::Paired => board.prove(&record, &keyed).await,
                Entrance::Stranger => board.pair(&record, keyed).await,
            }
        }
    });
    Some(PinPad {
        keypad: Keypad::new(if stranger {
            Starts::AtOnce
        } else {
            Starts::WithStar
        }),
        keyed,
    })
}

impl Switchboard {
    /// Looks whether that is the PIN. One that is not, one too many and one too soon are told the same.
    async fn prove(&self, record: &Arc<Record>, keyed: &Keyed) {
        let proves = self.guess(record, keyed).await.unwrap_or_else(|fault| {
            let (code, hint) = (fault.code, fault.hint.as_deref());
            tracing::error!(call = %record.id, code, hint, "a PIN was not looked at: {fault}");
            false
        });
        let told = if proves {
            Command::Prove(PROVED.to_owned().into())
        } else {
            Command::Disprove(NOT_PROVED.to_owned().into())
        };
        command(record, told);
    }

    async fn guess(&self, record: &Record, keyed: &Keyed) -> Result<bool, Fault> {
        let (number, now) = (record.caller.as_ref(), Timestamp::now().as_millisecond());
        let guess = self
            .guesses
            .begin(record.id.to_string(), number, now)
            .await?;
        let Some(guess) = guess else {
            tracing::warn!(call = %record.id, "somebody guesses at a PIN");
            return Ok(false);
        };
        let proves = self.plan().rules.proves(number, keyed);
        if proves {
            self.guesses.was_right(guess).await?;
        }
        Ok(proves)
    }
}

const PROVED: &str = "Thank you. I know now who you are.";
const NOT_PROVED: &str = "I am sorry, that did not work.";

/// So many wait to be looked at.
const MOST: usize = 4;
