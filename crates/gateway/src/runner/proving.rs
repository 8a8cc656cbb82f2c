//! Keys that are nobody's business: those of a PIN never become news of the call.

use std::time::Duration;

use call::Digit;
use call::input::{self, Command, Input};
use policy::{Key, Keyed, Keypad};
use ports::code;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Runner;
use crate::journal::CallLog;
use crate::line::Line;

/// Where the keys of a PIN go.
#[derive(Debug)]
pub struct PinPad {
    /// Which keys those are.
    pub keypad: Keypad,
    /// Whoever looks whether they are right.
    pub keyed: mpsc::Sender<Keyed>,
}

impl PinPad {
    /// A PIN may be keyed from now on without a star.
    pub(crate) fn expect(&mut self, log: &CallLog, now: std::time::Instant) {
        self.keypad.expect(since(log, now));
    }
}

impl<L: Line> Runner<L> {
    /// A key was pressed: the call is told, unless it is one of a PIN.
    pub(super) fn pressed(&mut self, digit: Digit) {
        let Some(pad) = &mut self.pad else {
            return self.tell(Input::Carrier(input::Carrier::Pressed(digit)));
        };
        let now = since(&self.log, Instant::now().into_std());
        match pad.keypad.press(now, digit) {
            Key::Told(digit) => self.tell(Input::Carrier(input::Carrier::Pressed(digit))),
            Key::Kept => {}
            Key::Last(keyed) => {
                // Who keys faster than anyone can look has guessed enough.
                let _ = pad.keyed.try_send(keyed);
            }
        }
        self.hush();
    }

    /// Whoever is told how to key a PIN, or that theirs was wrong, keys one next.
    pub(super) fn await_keys(&mut self, told: &Command) {
        let asked = match told {
            Command::Disprove(_) => true,
            Command::Refuse(refused, _) => refused.code == code::POLICY_TRUST,
            Command::Dismiss
            | Command::Forbid
            | Command::HangUp
            | Command::Help(_)
            | Command::Limit(_)
            | Command::OptOut
            | Command::Press(_)
            | Command::Prove(_)
            | Command::Say(_)
            | Command::Sit(_)
            | Command::Stand(_)
            | Command::Transfer(_) => false,
        };
        if let Some(pad) = self.pad.as_mut().filter(|_| asked) {
            pad.expect(&self.log, Instant::now().into_std());
        }
    }

    /// Forgets keys after which none came.
    pub(super) fn give_up_keys(&mut self, now: std::time::Instant) {
        let now = since(&self.log, now);
        if let Some(pad) = &mut self.pad
            && pad.keypad.deadline().is_some_and(|at| at <= now)
        {
            pad.keypad.give_up(now);
            self.hush();
        }
    }

    /// When keys that are kept back are forgotten.
    pub(super) fn keys_deadline(&self) -> Option<std::time::Instant> {
        let at = self.pad.as_ref()?.keypad.deadline()?;
        self.log.began().at.checked_add(at)
    }

    /// While a PIN is keyed nothing is recorded or listened to.
    pub(super) fn hush(&mut self) {
        let keying = self.pad.as_ref().is_some_and(|it| it.keypad.is_keying());
        if let Some(sound) = &mut self.sound {
            if keying {
                sound.hush();
            } else {
                sound.unhush();
            }
        }
    }
}

/// How long after the call began.
fn since(log: &CallLog, now: std::time::Instant) -> Duration {
    now.saturating_duration_since(log.began().at)
}
