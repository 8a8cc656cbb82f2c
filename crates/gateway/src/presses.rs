//! Keys pressed on a call: by its carrier, which what is being said waits for, or as tones in the sound.

use std::time::{Duration, Instant};

use call::Keys;
use tokio::sync::mpsc;

use crate::line::Line;
use crate::sound::{Found, Sound};

/// Who presses a call's keys.
#[derive(Debug)]
pub enum Presses {
    /// Its carrier: what goes in here is answered with [`crate::runner::Control::Pressed`].
    ByCarrier(mpsc::Sender<Keys>),
    /// We do, with tones.
    InSound,
}

/// What became of keys that a carrier was asked to press.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pressed {
    /// It presses them now, as far as anybody knows.
    ByCarrier(Keys),
    /// It does not.
    ByNobody(Keys),
}

impl Presses {
    /// Presses keys, if there is sound: else nobody would hear them.
    pub(crate) fn press<L: Line>(
        &self,
        now: Instant,
        keys: Keys,
        sound: Option<&mut Sound<L>>,
        found: &mut Vec<Found>,
    ) {
        let Some(sound) = sound else {
            return;
        };
        match self {
            Self::ByCarrier(carrier) => match carrier.try_send(keys) {
                Ok(()) => sound.hold(now),
                // It is gone, or has too much to do.
                Err(unsent) => sound.press(now, &unsent.into_inner(), found),
            },
            Self::InSound => sound.press(now, &keys, found),
        }
    }
}

impl Pressed {
    /// Whoever speaks goes on behind the keys.
    pub(crate) fn settle<L: Line>(
        &self,
        now: Instant,
        sound: Option<&mut Sound<L>>,
        found: &mut Vec<Found>,
    ) {
        let Some(sound) = sound else {
            return;
        };
        match self {
            Self::ByCarrier(keys) => sound.make_room(now, keys.length()),
            Self::ByNobody(keys) => {
                sound.make_room(now, Duration::ZERO);
                sound.press(now, keys, found);
            }
        }
    }
}
