//! Keys that are nobody's business: those of a PIN never become news of the call.

use call::input::{self, Input};
use policy::{Key, Keyed, Keypad};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::Runner;
use crate::line::Line;
use call::Digit;

/// Where the keys of a PIN go.
#[derive(Debug)]
pub struct PinPad {
    /// Which keys those are.
    pub keypad: Keypad,
    /// Whoever looks whether they are right.
    pub keyed: mpsc::Sender<Keyed>,
}

impl<L: Line> Runner<L> {
    /// A key was pressed: the call is told, unless it is one of a PIN.
    pub(super) fn pressed(&mut self, digit: Digit) {
        let Some(pad) = &mut self.pad else {
            return self.tell(Input::Carrier(input::Carrier::Pressed(digit)));
        };
        match pad.keypad.press(Instant::now().into_std(), digit) {
            Key::Told(digit) => self.tell(Input::Carrier(input::Carrier::Pressed(digit))),
            Key::Kept => {}
            Key::Last(keyed) => {
                // Who keys faster than anyone can look has guessed enough.
                let _ = pad.keyed.try_send(keyed);
            }
        }
        self.hush();
    }

    /// Forgets keys after which none came.
    pub(super) fn give_up_keys(&mut self, now: std::time::Instant) {
        if let Some(pad) = &mut self.pad
            && pad.keypad.deadline().is_some_and(|at| at <= now)
        {
            pad.keypad.give_up(now);
            self.hush();
        }
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
