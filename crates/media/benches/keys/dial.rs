//! Keys as telephones press them: what ITU-T Q.23 lets them send, and Q.24 wants heard.

use std::fmt;

use media::Law;

/// How keys are pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// Anywhere within what the standards let pass.
    Usual,
    /// Everything at once at one end or the other of that, and as short as may be.
    Limits,
}

/// One key, pressed once.
pub(crate) struct Press {
    pub(crate) key: char,
    /// The lower tone and the higher one.
    pub(crate) tones: [Tone; 2],
    /// How long it sounds, and how long it is quiet after that: in samples.
    pub(crate) length: usize,
    pub(crate) pause: usize,
    /// In dBm0.
    noise: f64,
}

/// One of a key's tones.
#[derive(Clone, Copy)]
pub(crate) struct Tone {
    hz: f64,
    /// In dBm0.
    level: f64,
    /// What it is off by, as a part of its frequency.
    off: f64,
    /// Where in its turn it begins: 0 to 1.
    phase: f64,
}

impl fmt::Display for Tone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (hz, level, off) = (self.hz, self.level, self.off * 100.0);
        write!(f, "{hz} Hz {off:+.2} % at {level:.1} dBm0")
    }
}

/// Every key so many times, shuffled.
pub(crate) fn presses(dice: &mut Dice, manner: Manner, times: usize) -> Vec<Press> {
    let mut keys: Vec<char> = KEYS.chars().collect::<Vec<_>>().repeat(times);
    for last in (1..keys.len()).rev() {
        keys.swap(last, dice.below(last + 1));
    }
    keys.into_iter()
        .map(|key| Press::of(key, dice, manner))
        .collect()
}

impl Press {
    fn of(key: char, dice: &mut Dice, manner: Manner) -> Self {
        let place = KEYS.find(key).unwrap_or_default();
        let levels = levels(dice, manner);
        let hz = [ROWS[place / 4], COLUMNS[place % 4]];
        let tones = [0, 1].map(|it| Tone {
            hz: hz[it],
            level: levels[it],
            off: match manner {
                Manner::Usual => dice.between(-OFF, OFF),
                Manner::Limits => [-OFF, OFF][dice.below(2)],
            },
            phase: dice.between(0.0, 1.0),
        });
        let fainter = levels[0].min(levels[1]);
        let shortest = SHORTEST * 8;
        // One more or less than any number of blocks or frames, so that none begins where another did.
        let (length, pause) = match manner {
            Manner::Usual => (shortest + dice.below(641), shortest + dice.below(641)),
            Manner::Limits => (shortest, shortest + dice.below(8)),
        };
        Self {
            key,
            tones,
            length,
            pause,
            noise: fainter - dice.between(NOISE.start, NOISE.end),
        }
    }

    /// Adds its sound and the pause after it.
    pub(crate) fn add_to(&self, sound: &mut Vec<f64>, dice: &mut Dice) {
        let Self { length, pause, .. } = *self;
        let noise = peak(self.noise);
        sound.extend((0..length + pause).map(|at| {
            let tones: f64 = self.tones.iter().map(|it| it.at(at)).sum();
            let pressed = if at < length { tones } else { 0.0 };
            pressed + dice.noise() * noise
        }));
    }
}

impl Tone {
    fn at(&self, sample: usize) -> f64 {
        let turns = self.hz * (1.0 + self.off) * sample as f64 / 8_000.0 + self.phase;
        (turns * std::f64::consts::TAU).sin() * peak(self.level)
    }
}

/// Of the lower tone and the higher one: both from -30 to -10 dBm0, and no more than the twist apart.
fn levels(dice: &mut Dice, manner: Manner) -> [f64; 2] {
    match manner {
        Manner::Usual => loop {
            let row = dice.between(FAINTEST, LOUDEST);
            let column = row + dice.between(-REVERSE_TWIST, TWIST);
            if (FAINTEST..=LOUDEST).contains(&column) {
                return [row, column];
            }
        },
        Manner::Limits => [
            [FAINTEST, FAINTEST + TWIST],
            [FAINTEST + REVERSE_TWIST, FAINTEST],
            [LOUDEST - TWIST, LOUDEST],
            [LOUDEST, LOUDEST - REVERSE_TWIST],
        ][dice.below(4)],
    }
}

/// The peak of a sine of this level in dBm0, where linear samples have sixteen bits.
///
/// 0 dBm0 is what ITU-T G.711 (table 6, µ-law) says it is: the sequence of eight codes that decodes to
/// a sine of 1 kHz at that level. In other words, the largest sine that µ-law can carry, whose peak is
/// 8159 x 4 here, is at +3.17 dBm0.
pub(crate) fn peak(level: f64) -> f64 {
    let squares = MILLIWATT.map(|code| f64::from(Law::Mu.decode(code)).powi(2));
    let mean = squares.iter().sum::<f64>() / MILLIWATT.len() as f64;
    (2.0 * mean).sqrt() * ratio(level)
}

/// How many times as high a peak is that is so many decibels higher.
pub(crate) fn ratio(db: f64) -> f64 {
    10f64.powf(db / 20.0)
}

/// Random, and the same every time.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn below(&mut self, sides: usize) -> usize {
        (self.next() % sides as u64) as usize
    }

    fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// White, as loud as a sine whose peak is 1.
    pub(crate) fn noise(&mut self) -> f64 {
        self.between(-1.0, 1.0) * 1.5f64.sqrt()
    }

    /// `SplitMix64`.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// As they lie on a telephone, row by row.
pub(crate) const KEYS: &str = "123A456B789C*0#D";
/// In hertz (Q.23).
const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
/// What a tone may be off by, and must still be heard (Q.24: 1.5 % and 2 Hz, here the 1.5 %).
const OFF: f64 = 0.015;
/// How far the higher tone may be above the lower one, and the lower above the higher: in dB.
const TWIST: f64 = 4.0;
const REVERSE_TWIST: f64 = 8.0;
/// Of either tone, in dBm0.
const FAINTEST: f64 = -30.0;
const LOUDEST: f64 = -10.0;
/// Of a press, and of a pause: in milliseconds.
const SHORTEST: usize = 40;
/// How far the noise is below the fainter tone: in dB.
const NOISE: std::ops::Range<f64> = 20.0..40.0;
/// The codes of the digital milliwatt (G.711, table 6).
const MILLIWATT: [u8; 8] = [0x1e, 0x0b, 0x0b, 0x1e, 0x9e, 0x8b, 0x8b, 0x9e];
