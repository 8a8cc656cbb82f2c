//! Hears the beep after which an answering machine records.
//!
//! A beep is one steady tone. Blocks of 40 ms are searched for the tone that explains most of them, by
//! Goertzel filters; a block in which one tone explains nearly all is pure. A voice is seldom pure,
//! never for long, and its pitch moves; the keys of a telephone and most tones of the network are two
//! tones at once, and those that announce a fault are three in a row.

use std::f32::consts::TAU;
use std::time::Duration;

use crate::FRAME;
use crate::gate::power;

/// The beep after which a machine records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beep {
    /// When it began, counted from the beginning of the sound.
    pub at: Duration,
    /// How long it was.
    pub length: Duration,
    /// How high it was, in hertz.
    pub hz: u32,
}

/// What one frame has to do with tones.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tone {
    /// A beep was just found. It ended a little while ago.
    pub(super) beep: Option<Beep>,
    /// Something is to be heard that is no voice.
    pub(super) is_sounding: bool,
    /// That is, or was just now, and may yet be a beep.
    pub(super) is_pending: bool,
}

/// Listens for beeps. Counts in frames.
#[derive(Debug)]
pub(super) struct Beeps {
    /// This frame, after the one before it.
    sound: [f32; BLOCK],
    frames: u32,
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Nothing,
    /// A tone, in so many blocks, and how many have gone by without it.
    Sounding {
        tone: Run,
        missed: u32,
    },
    /// It is over, and was a beep if no other follows; so many frames have passed.
    Over {
        tone: Run,
        frames: u32,
    },
    /// Several tones in a row: not over before it has been quiet for a while.
    Tune {
        quiet: u32,
    },
}

/// A tone that goes on.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// The frame of its first block.
    since: u32,
    blocks: u32,
    hz: f32,
    /// Mean square of the loudest block.
    power: f32,
}

/// One tone that explains nearly all of a block.
#[derive(Clone, Copy, Debug)]
struct Pure {
    hz: f32,
    power: f32,
}

impl Default for Beeps {
    fn default() -> Self {
        Self {
            sound: [0.0; BLOCK],
            frames: 0,
            state: State::Nothing,
        }
    }
}

impl Beeps {
    /// Listens to a frame at 8 kHz.
    pub(super) fn push(&mut self, samples: &[i16], key_is_down: bool) -> Tone {
        self.sound.copy_within(HOP.., 0);
        let room = &mut self.sound[BLOCK - HOP..];
        room.iter_mut()
            .zip(samples)
            .for_each(|(to, &from)| *to = f32::from(from));
        let audible = power(samples) > FAINTEST && !key_is_down;
        let pure = if audible { self.pure() } else { None };
        let before = self.state;
        self.state = self.next(pure);
        self.frames = self.frames.saturating_add(1);
        let beep = match (before, self.state) {
            (State::Over { tone, .. }, State::Nothing) => tone.beep(),
            _ => None,
        };
        let is_sounding = match self.state {
            State::Nothing | State::Over { .. } => false,
            State::Sounding { tone, .. } => tone.blocks >= SOUNDING,
            State::Tune { .. } => pure.is_some(),
        };
        let is_over = matches!(self.state, State::Over { .. });
        Tone {
            beep,
            is_sounding,
            is_pending: is_sounding || is_over,
        }
    }

    fn next(&self, pure: Option<Pure>) -> State {
        match (self.state, pure) {
            (State::Nothing, None) => State::Nothing,
            (State::Nothing, Some(pure)) => self.start(pure),
            (State::Sounding { tone, .. }, Some(pure)) if tone.is_like(pure) => {
                let tone = tone.with(pure);
                if tone.blocks > LONGEST {
                    return State::Tune { quiet: 0 };
                }
                State::Sounding { tone, missed: 0 }
            }
            (State::Sounding { tone, .. }, Some(pure)) if tone.blocks < SHORTEST => {
                self.start(pure)
            }
            (State::Sounding { .. } | State::Over { .. }, Some(_)) => State::Tune { quiet: 0 },
            (State::Sounding { tone, missed }, None) if missed < MISSED => State::Sounding {
                tone,
                missed: missed + 1,
            },
            (State::Sounding { tone, .. }, None) if tone.blocks >= tone.shortest() => {
                State::Over { tone, frames: 0 }
            }
            (State::Sounding { .. }, None) => State::Nothing,
            (State::Over { frames, .. }, None) if frames + 1 >= ALONE => State::Nothing,
            (State::Over { tone, frames }, None) => State::Over {
                tone,
                frames: frames + 1,
            },
            (State::Tune { .. }, Some(_)) => State::Tune { quiet: 0 },
            (State::Tune { quiet }, None) if quiet + 1 >= TUNE_OVER => State::Nothing,
            (State::Tune { quiet }, None) => State::Tune { quiet: quiet + 1 },
        }
    }

    fn start(&self, pure: Pure) -> State {
        let tone = Run {
            since: self.frames,
            blocks: 1,
            hz: pure.hz,
            power: pure.power,
        };
        State::Sounding { tone, missed: 0 }
    }

    /// The tone that explains nearly all of the block, if one does.
    fn pure(&self) -> Option<Pure> {
        let total = self.sound.iter().map(|it| it * it).sum::<f32>();
        let mut best = (0.0, 0.0);
        for bin in 0..BINS {
            let hz = LOWEST - STEP + STEP * bin as f32;
            let explained = explained(&self.sound, hz);
            if explained > best.1 {
                best = (hz, explained);
            }
        }
        // Half way between two bins there is 40 % of a tone left in each.
        if best.1 < total * 0.3 {
            return None;
        }
        let (hz, explained) = self.refine(best.0);
        let pure = (LOWEST..=HIGHEST).contains(&hz) && explained > PURE * total;
        pure.then_some(Pure {
            hz,
            power: total / BLOCK as f32,
        })
    }

    /// Finds where near `hz` the tone truly is.
    fn refine(&self, mut hz: f32) -> (f32, f32) {
        for step in [STEP / 3.0, STEP / 8.0, STEP / 20.0] {
            let [below, at, above] =
                [hz - step, hz, hz + step].map(|it| explained(&self.sound, it));
            let bend = below - 2.0 * at + above;
            let shift = if bend < 0.0 {
                (0.5 * (below - above) / bend).clamp(-2.0, 2.0)
            } else {
                (above - below).signum()
            };
            hz += shift * step;
        }
        (hz, explained(&self.sound, hz))
    }
}

impl Run {
    fn is_like(&self, pure: Pure) -> bool {
        (self.hz - pure.hz).abs() < (self.hz * IN_TUNE).max(IN_TUNE_HZ)
            && pure.power < self.power * UNSTEADY
            && self.power < pure.power * UNSTEADY
    }

    fn with(self, pure: Pure) -> Self {
        Self {
            blocks: self.blocks + 1,
            hz: self.hz + (pure.hz - self.hz) / (self.blocks + 1) as f32,
            power: self.power.max(pure.power),
            ..self
        }
    }

    /// How many blocks it takes: a voice can hum as low as this for a moment.
    fn shortest(&self) -> u32 {
        if self.hz < HUMMED {
            SHORTEST_HUMMED
        } else {
            SHORTEST
        }
    }

    /// Half of Europe hears its calls ring, and be busy, in a single tone of some 425 Hz.
    fn beep(self) -> Option<Beep> {
        let rings = RINGING.contains(&self.hz) && self.blocks > RINGING_BLOCKS;
        (!rings).then(|| Beep {
            at: FRAME * self.since.saturating_sub(1),
            length: FRAME * (self.blocks + 1),
            hz: self.hz.round() as u32,
        })
    }
}

/// How much of the sum of squares one tone explains.
fn explained(samples: &[f32], hz: f32) -> f32 {
    let coefficient = 2.0 * (TAU * hz / 8_000.0).cos();
    let (mut s1, mut s2) = (0.0f32, 0.0f32);
    for &sample in samples {
        let s0 = sample + coefficient * s1 - s2;
        (s2, s1) = (s1, s0);
    }
    (s1 * s1 + s2 * s2 - coefficient * s1 * s2) * 2.0 / samples.len() as f32
}

const HOP: usize = 160;
const BLOCK: usize = 2 * HOP;
/// Of the beep, in hertz: 350 to 2,000, and what is measured of those.
const LOWEST: f32 = 345.0;
const HIGHEST: f32 = 2_005.0;
/// In hertz: filters of 40 ms see no less.
const STEP: f32 = 25.0;
const BINS: usize = 69;
/// Mean square of the faintest beep, -49 dB of full scale.
const FAINTEST: f32 = 110.0 * 110.0;
/// As a part of the block's power: what is left is noise and overtones, 9 dB below the tone.
const PURE: f32 = 0.87;
const IN_TUNE: f32 = 0.012;
const IN_TUNE_HZ: f32 = 8.0;
/// 4 dB.
const UNSTEADY: f32 = 2.5;
/// Blocks overlap by a half: five in a row are 120 ms.
const SHORTEST: u32 = 5;
/// In hertz: below this it takes 180 ms.
const HUMMED: f32 = 430.0;
const SHORTEST_HUMMED: u32 = 8;
/// As many are no voice any more.
const SOUNDING: u32 = 4;
/// Two and a half seconds: longer is no beep.
const LONGEST: u32 = 125;
/// A block may be missed in a tone, where a packet was lost.
const MISSED: u32 = 2;
/// For 60 ms behind a beep there is no other tone.
const ALONE: u32 = 3;
const TUNE_OVER: u32 = 15;
const RINGING: std::ops::RangeInclusive<f32> = 395.0..=460.0;
const RINGING_BLOCKS: u32 = 35;
