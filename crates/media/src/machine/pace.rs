//! When somebody speaks, by loudness alone, and for how long.

use std::time::Duration;

use crate::FRAME;
use crate::gate::power;

/// The timing of what is said from the beginning of the sound. Counts in frames.
#[derive(Debug, Default)]
pub(super) struct Pace {
    frames: u32,
    /// Mean square of the line's own noise; of nothing heard yet, nothing.
    floor: f32,
    run: Run,
    /// The frame in which the first burst began.
    began: Option<u32>,
    /// The frame after the last burst's last.
    ended: u32,
    longest_pause: u32,
    bursts: u32,
    /// How long it has been as loud as it is.
    even: Even,
}

/// The stretch of sound going on.
#[derive(Clone, Copy, Debug, Default)]
enum Run {
    #[default]
    Quiet,
    /// Since that frame, with so many loud ones and so many quiet ones since the last of those.
    Loud { since: u32, loud: u32, gap: u32 },
}

#[derive(Clone, Copy, Debug, Default)]
struct Even {
    power: f32,
    frames: u32,
}

impl Pace {
    pub(super) fn push(&mut self, samples: &[i16], is_tone: bool) {
        let power = power(samples);
        let threshold = (self.floor * LOUD).max(LOUD_AT_LEAST);
        let loud = self.frames > 0 && power > threshold && !is_tone && !self.is_even(power);
        self.floor = if self.frames == 0 || power < self.floor {
            let was = if self.frames == 0 { power } else { self.floor };
            was + (power - was) * FALL
        } else {
            self.floor * RISE
        }
        .clamp(LOWEST, HIGHEST);
        self.run = self.next(loud);
        self.frames = self.frames.saturating_add(1);
    }

    /// When they began to speak.
    pub(super) fn began(&self) -> Option<Duration> {
        self.began.map(|it| FRAME * it)
    }

    /// From there to their last sound.
    pub(super) fn greeting(&self) -> Duration {
        FRAME
            * self
                .began
                .map_or(0, |began| self.ended.saturating_sub(began))
    }

    /// How long it has been quiet.
    pub(super) fn quiet(&self) -> Duration {
        FRAME * self.frames.saturating_sub(self.ended)
    }

    pub(super) fn longest_pause(&self) -> Duration {
        FRAME * self.longest_pause
    }

    pub(super) fn bursts(&self) -> u32 {
        self.bursts
    }

    fn next(&mut self, is_loud: bool) -> Run {
        let now = self.frames;
        match (self.run, is_loud) {
            (Run::Quiet, false) => Run::Quiet,
            (Run::Quiet, true) => Run::Loud {
                since: now,
                loud: 1,
                gap: 0,
            },
            (Run::Loud { since, loud, .. }, true) => {
                let loud = loud + 1;
                if loud == WORD {
                    self.burst(since);
                }
                if loud >= WORD {
                    self.ended = now + 1;
                }
                Run::Loud {
                    since,
                    loud,
                    gap: 0,
                }
            }
            (Run::Loud { gap, .. }, false) if gap + 1 >= BETWEEN => Run::Quiet,
            (Run::Loud { since, loud, gap }, false) => Run::Loud {
                since,
                loud,
                gap: gap + 1,
            },
        }
    }

    fn burst(&mut self, since: u32) {
        if self.began.is_some() {
            let pause = since.saturating_sub(self.ended);
            self.longest_pause = self.longest_pause.max(pause);
        }
        self.began.get_or_insert(since);
        self.bursts = self.bursts.saturating_add(1);
    }

    /// Whether it has been too even for too long to be a voice: tones of the network, a hum.
    fn is_even(&mut self, power: f32) -> bool {
        let (low, high) = (self.even.power / UNEVEN, self.even.power * UNEVEN);
        if (low..=high).contains(&power) {
            self.even.frames += 1;
            self.even.power += (power - self.even.power) * 0.2;
        } else {
            self.even = Even { power, frames: 0 };
        }
        self.even.frames >= EVEN
    }
}

/// 10 dB above the floor.
const LOUD: f32 = 10.0;
/// And never below this, -47 dB of full scale.
const LOUD_AT_LEAST: f32 = 150.0 * 150.0;
/// The floor's way down in a frame, as a part of the distance.
const FALL: f32 = 0.3;
/// The floor's way up in a frame: 1 dB in 50 frames.
const RISE: f32 = 1.004_616;
const LOWEST: f32 = 12.0 * 12.0;
const HIGHEST: f32 = 500.0 * 500.0;
/// A shorter stretch of sound is a click: 80 ms.
const WORD: u32 = 4;
/// So much quiet is between two stretches: 60 ms.
const BETWEEN: u32 = 3;
/// No voice keeps within half a decibel for 240 ms.
const UNEVEN: f32 = 1.12;
const EVEN: u32 = 12;
