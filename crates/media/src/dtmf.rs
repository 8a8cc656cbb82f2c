/// Hears the keys of a telephone in its sound (ITU-T Q.23, Q.24).
///
/// Eight Goertzel filters look at blocks of 12.75 ms. Where one row and one column tone stand out of
/// two blocks in a row, at the same strength, the two are looked at as one, with soft edges so that
/// neither tone hides what is beside the other: a key holds one row and one column tone of like
/// strength and little else, both where they should be. One press is one key, however long, until it
/// has been gone for two blocks.
#[derive(Debug)]
pub(crate) struct Keys {
    /// This block, after the one before it.
    sound: [f32; 2 * BLOCK],
    filled: usize,
    filters: Filters,
    before: Block,
    press: Press,
}

/// What a block holds.
#[derive(Clone, Copy, Debug)]
enum Block {
    Other,
    Key { key: Key, power: f32 },
}

#[derive(Clone, Copy, Debug)]
enum Press {
    None,
    /// This key is down, but was not heard in the last so many blocks.
    Down {
        key: Key,
        missed: u32,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    row: usize,
    column: usize,
}

#[derive(Clone, Copy, Debug, Default)]
struct Filters {
    s1: [f32; 8],
    s2: [f32; 8],
    power: f32,
}

impl Keys {
    pub(crate) fn new() -> Self {
        Self {
            sound: [0.0; 2 * BLOCK],
            filled: 0,
            filters: Filters::default(),
            before: Block::Other,
            press: Press::None,
        }
    }

    /// Listens to sound at 8 kHz, at most a frame of it. A key is reported when it goes down.
    pub(crate) fn push(&mut self, mut samples: &[i16]) -> Option<char> {
        let mut pressed = None;
        while !samples.is_empty() {
            let take = samples.len().min(BLOCK - self.filled);
            let room = &mut self.sound[BLOCK + self.filled..BLOCK + self.filled + take];
            room.iter_mut()
                .zip(samples)
                .for_each(|(to, &from)| *to = f32::from(from));
            self.filters.push(room);
            self.filled += take;
            samples = &samples[take..];
            if self.filled == BLOCK {
                pressed = self.block().or(pressed);
                self.sound.copy_within(BLOCK.., 0);
                self.filled = 0;
                self.filters = Filters::default();
            }
        }
        pressed
    }

    /// Nothing is to be heard now.
    pub(crate) fn rest(&mut self) {
        if self.filled > 0 || self.is_down() {
            (self.filled, self.filters) = (0, Filters::default());
            (self.before, self.press) = (Block::Other, Press::None);
        }
    }

    /// Whether a key is being pressed.
    pub(crate) fn is_down(&self) -> bool {
        matches!(self.press, Press::Down { .. })
    }

    fn block(&mut self) -> Option<char> {
        let before = std::mem::replace(&mut self.before, self.filters.block());
        match (self.before, self.press) {
            (Block::Key { key, .. }, Press::Down { key: down, .. }) if key == down => {
                self.press = Press::Down { key, missed: 0 };
                None
            }
            (Block::Key { key, power }, Press::None | Press::Down { .. })
                if self.is_steady(before, key, power) =>
            {
                self.press = Press::Down { key, missed: 0 };
                Some(key.name())
            }
            (Block::Key { .. } | Block::Other, Press::Down { key, missed }) => {
                self.press = if missed + 1 < MISSED {
                    Press::Down {
                        key,
                        missed: missed + 1,
                    }
                } else {
                    Press::None
                };
                None
            }
            (Block::Key { .. } | Block::Other, Press::None) => None,
        }
    }

    /// Whether both blocks hold this key, as loud in the one as in the other, and nothing else.
    fn is_steady(&self, before: Block, key: Key, power: f32) -> bool {
        let Block::Key {
            key: same,
            power: was,
        } = before
        else {
            return false;
        };
        same == key
            && power < was * UNSTEADY
            && was < power * UNSTEADY
            && self.is_whole()
            && self.in_tune(TONES[key.row])
            && self.in_tune(TONES[4 + key.column])
            && self.is_pure(key)
            && self.is_clear(key)
    }

    /// Whether the tones fill both blocks from end to end: a blip of 20 ms does not.
    fn is_whole(&self) -> bool {
        let mean = |it: &[f32]| it.iter().map(|it| it * it).sum::<f32>() / it.len() as f32;
        let least = mean(&self.sound) * PRESENT;
        mean(&self.sound[..END]) > least && mean(&self.sound[self.sound.len() - END..]) > least
    }

    /// Whether there is more sound at `hz` than a little beside it: a tone that is off by more than
    /// half of [`BESIDE`] fails.
    fn in_tune(&self, hz: f32) -> bool {
        let at = power_at(&self.sound, hz);
        at > power_at(&self.sound, hz * (1.0 + BESIDE))
            && at > power_at(&self.sound, hz * (1.0 - BESIDE))
    }

    /// Voices have overtones, keys have none.
    fn is_pure(&self, key: Key) -> bool {
        let column = TONES[4 + key.column];
        power_at(&self.sound, 2.0 * column) < OVERTONE * power_at(&self.sound, column)
    }

    /// Whether these are the tones of this key and no others. A block is too short and its edges too
    /// hard to be sure: what a tone spills there is up to -6 dB of the other, fainter one.
    fn is_clear(&self, key: Key) -> bool {
        let mut soft = self.sound;
        let mut mean = 0.0;
        for (at, sample) in soft.iter_mut().enumerate() {
            let turn = std::f32::consts::TAU * (at as f32 + 0.5) / (2 * BLOCK) as f32;
            *sample *= 1.0 - turn.cos();
            mean += *sample * *sample / SOFTENED / (2 * BLOCK) as f32;
        }
        let powers = TONES.map(|hz| power_at(&soft, hz));
        let (rows, columns) = powers.split_at(4);
        let (low, high) = (
            loudest_near(&soft, TONES[key.row]),
            loudest_near(&soft, TONES[4 + key.column]),
        );
        outstanding(rows, OTHERS) == Some(key.row)
            && outstanding(columns, OTHERS) == Some(key.column)
            && high < low * TWIST
            && low < high * REVERSE_TWIST
            && low + high > PURE * mean
    }
}

impl Key {
    fn name(self) -> char {
        NAMES[self.row][self.column]
    }
}

impl Filters {
    fn push(&mut self, samples: &[f32]) {
        let (mut s1, mut s2, mut power) = (self.s1, self.s2, self.power);
        for &sample in samples {
            power += sample * sample;
            let mut s0 = [0.0; 8];
            for (k, s0) in s0.iter_mut().enumerate() {
                *s0 = sample + COEFFICIENTS[k] * s1[k] - s2[k];
            }
            (s2, s1) = (s1, s0);
        }
        *self = Self { s1, s2, power };
    }

    fn block(&self) -> Block {
        let mut powers = [0.0; 8];
        for (k, power) in powers.iter_mut().enumerate() {
            let (s1, s2) = (self.s1[k], self.s2[k]);
            *power = (s1 * s1 + s2 * s2 - COEFFICIENTS[k] * s1 * s2) * 2.0 / (BLOCK * BLOCK) as f32;
        }
        let (rows, columns) = powers.split_at(4);
        let (Some(row), Some(column)) = (outstanding(rows, SPILT), outstanding(columns, SPILT))
        else {
            return Block::Other;
        };
        let (low, high) = (rows[row], columns[column]);
        let is_key = low > FAINTEST
            && high > FAINTEST
            && high < low * TWIST * SPREAD
            && low < high * REVERSE_TWIST * SPREAD
            && low + high > MOSTLY * self.power / BLOCK as f32;
        if is_key {
            Block::Key {
                key: Key { row, column },
                power: low + high,
            }
        } else {
            Block::Other
        }
    }
}

/// Which of four tones is stronger than the others, which have at most this part of its power.
fn outstanding(powers: &[f32], others: f32) -> Option<usize> {
    let (best, most) = powers
        .iter()
        .enumerate()
        .max_by(|a, b| a.1.total_cmp(b.1))?;
    let mut beside = powers.iter().enumerate().filter(|it| it.0 != best);
    beside.all(|it| *it.1 < most * others).then_some(best)
}

/// The power of a tone that may be off by 1.5 %.
fn loudest_near(samples: &[f32], hz: f32) -> f32 {
    let near = [1.0 - NEAR, 1.0, 1.0 + NEAR].map(|off| power_at(samples, hz * off));
    near.into_iter().fold(0.0, f32::max)
}

fn power_at(samples: &[f32], hz: f32) -> f32 {
    let coefficient = 2.0 * (hz * std::f32::consts::TAU / 8_000.0).cos();
    let (mut s1, mut s2) = (0.0, 0.0);
    for &sample in samples {
        (s2, s1) = (s1, sample + coefficient * s1 - s2);
    }
    (s1 * s1 + s2 * s2 - coefficient * s1 * s2) * 2.0 / (samples.len() * samples.len()) as f32
}

/// Long enough to tell the rows from one another, short enough for two in the shortest press.
const BLOCK: usize = 102;
const TONES: [f32; 8] = [
    697.0, 770.0, 852.0, 941.0, 1_209.0, 1_336.0, 1_477.0, 1_633.0,
];
/// 2 cos(2π f / 8000) of each.
const COEFFICIENTS: [f32; 8] = [
    1.707_737_8,
    1.645_281_3,
    1.568_687,
    1.478_204_6,
    1.164_104,
    0.996_370_2,
    0.798_618_4,
    0.568_532_7,
];
const NAMES: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];
/// The mean square of the faintest tone, about -37 dBm0.
const FAINTEST: f32 = 50_000.0;
/// A column may be 4 dB above its row, a row 8 dB above its column; 1 dB more for the noise.
const TWIST: f32 = 3.16;
const REVERSE_TWIST: f32 = 7.94;
/// In one block a detuned tone looks up to 2 dB fainter than it is, and what the stronger one spills
/// takes up to 2 dB more from it.
const SPREAD: f32 = 2.0;
/// The part of the power that is in the two tones. The rest is noise, at most 6 dB below them: a voice
/// has more in the overtones beside the two.
const PURE: f32 = 0.8;
/// The same in one block, where a detuned tone looks fainter.
const MOSTLY: f32 = 0.62;
/// A tone that is off by up to 1.5 % is no further than half of this from it or one of the two beside it.
const NEAR: f32 = 0.01;
/// Of the strongest tone's power, what the others in its group may have: -12 dB.
const OTHERS: f32 = 0.063;
/// The same in one block: -5 dB. A tone that is off by 1.5 % spills up to -12 dB on the one beside it,
/// and one of the other group, 8 dB stronger, as much again; both may come in step.
const SPILT: f32 = 0.316;
/// What softening the edges makes of the mean square of any sound.
const SOFTENED: f32 = 1.5;
/// How much louder one block of a press may be than another: 4 dB.
const UNSTEADY: f32 = 2.5;
/// Each end of a press is this long, and holds at least this part of its mean power. The tones
/// beat against each other, but over so long never to less than half.
const END: usize = 22;
const PRESENT: f32 = 0.25;
/// Twice what a tone may be off by; the standard asks for 1.5 % to pass and 3.5 % to fail.
const BESIDE: f32 = 0.05;
/// -13 dB.
const OVERTONE: f32 = 0.05;
/// Blocks without the key before it is up.
const MISSED: u32 = 2;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Law;

    /// A random number from -1 to 1, the same every time.
    struct Noise(u64);

    impl Noise {
        fn next(&mut self) -> f32 {
            self.0 ^= self.0 << 13;
            self.0 ^= self.0 >> 7;
            self.0 ^= self.0 << 17;
            (self.0 >> 40) as f32 / (1u32 << 23) as f32 - 1.0
        }
    }

    /// The peak of a sine at 0 dBm0 (G.711: the code's largest sine is at +3.17 dBm0).
    const ZERO_DBM0: f32 = 22_300.0;

    fn db(level: f32) -> f32 {
        10f32.powf(level / 20.0)
    }

    #[derive(Clone, Copy)]
    struct Pressed {
        /// In dBm0, of the row and of the column.
        levels: (f32, f32),
        /// What each tone is off by.
        off: (f32, f32),
        ms: usize,
    }

    const PLAIN: Pressed = Pressed {
        levels: (-10.0, -10.0),
        off: (0.0, 0.0),
        ms: 60,
    };

    fn press(row: usize, column: usize, how: Pressed) -> Vec<f32> {
        let wave =
            |hz: f32, i: usize| (i as f32 * hz * std::f32::consts::TAU / 8_000.0).sin() * ZERO_DBM0;
        let tone = |i| {
            wave(TONES[row] * (1.0 + how.off.0), i) * db(how.levels.0)
                + wave(TONES[4 + column] * (1.0 + how.off.1), i) * db(how.levels.1)
        };
        (0..how.ms * 8).map(tone).collect()
    }

    /// What is heard of this, over a µ-law line.
    fn heard(sound: &[f32]) -> String {
        let mut keys = Keys::new();
        let line = |&it: &f32| Law::Mu.decode(Law::Mu.encode(it.clamp(-32_768.0, 32_767.0) as i16));
        let samples: Vec<i16> = sound.iter().map(line).collect();
        samples.chunks(160).filter_map(|it| keys.push(it)).collect()
    }

    fn each_key(mut check: impl FnMut(usize, usize, char)) {
        for (row, names) in NAMES.iter().enumerate() {
            for (column, &name) in names.iter().enumerate() {
                check(row, column, name);
            }
        }
    }

    #[test]
    fn every_key_is_heard_once_at_every_level_through_noise() {
        let mut noise = Noise(1);
        for level in [-3.0, -10.0, -20.0, -30.0] {
            each_key(|row, column, name| {
                for start in [0, 37, 80, 101] {
                    let mut sound = vec![0.0; 800 + start];
                    sound.extend(press(
                        row,
                        column,
                        Pressed {
                            levels: (level, level),
                            ..PLAIN
                        },
                    ));
                    sound.extend([0.0; 800]);
                    // 20 dB under the pair.
                    let loudness = ZERO_DBM0 * db(level - 20.0) * 3f32.sqrt();
                    sound
                        .iter_mut()
                        .for_each(|it| *it += noise.next() * loudness);
                    assert_eq!(heard(&sound), name.to_string(), "{level} dBm0, {start}");
                }
            });
        }
    }

    #[test]
    fn forty_milliseconds_of_tone_and_of_gap_are_enough() {
        each_key(|row, column, name| {
            for start in (0..102).step_by(3) {
                let mut sound = vec![0.0; start];
                for _ in 0..4 {
                    sound.extend(press(row, column, Pressed { ms: 40, ..PLAIN }));
                    sound.extend([0.0; 320]);
                }
                assert_eq!(heard(&sound), name.to_string().repeat(4), "{start}");
            }
        });
    }

    #[test]
    fn a_long_press_is_one_key_and_a_blip_is_none() {
        each_key(|row, column, name| {
            assert_eq!(
                heard(&press(row, column, Pressed { ms: 5_000, ..PLAIN })),
                name.to_string()
            );
            for start in 0..102 {
                let mut sound = vec![0.0; start];
                sound.extend(press(row, column, Pressed { ms: 20, ..PLAIN }));
                sound.extend([0.0; 400]);
                assert_eq!(heard(&sound), "", "{name} {start}");
            }
        });
    }

    #[test]
    fn tones_may_be_off_by_one_and_a_half_but_not_three_and_a_half_percent() {
        each_key(|row, column, name| {
            for off in [
                (0.015, 0.015),
                (-0.015, 0.015),
                (0.015, -0.015),
                (-0.015, -0.015),
            ] {
                assert_eq!(
                    heard(&press(row, column, Pressed { off, ..PLAIN })),
                    name.to_string(),
                    "{off:?}"
                );
            }
            for off in [(0.035, 0.0), (-0.035, 0.0), (0.0, 0.035), (0.0, -0.035)] {
                assert_eq!(
                    heard(&press(row, column, Pressed { off, ..PLAIN })),
                    "",
                    "{name} {off:?}"
                );
            }
        });
    }

    #[test]
    fn tones_may_differ_by_the_twist_and_no_more() {
        each_key(|row, column, name| {
            for levels in [(-10.0, -6.0), (-6.0, -14.0)] {
                let how = Pressed { levels, ..PLAIN };
                assert_eq!(
                    heard(&press(row, column, how)),
                    name.to_string(),
                    "{levels:?}"
                );
            }
            for levels in [(-20.0, -10.0), (-8.0, -22.0)] {
                let how = Pressed { levels, ..PLAIN };
                assert_eq!(heard(&press(row, column, how)), "", "{name} {levels:?}");
            }
        });
    }

    #[test]
    fn a_short_press_with_every_fault_that_it_may_have_is_heard() {
        each_key(|row, column, name| {
            for levels in [(-10.0, -18.0), (-22.0, -30.0), (-14.0, -10.0)] {
                for off in [
                    (0.015, 0.015),
                    (-0.015, 0.015),
                    (0.015, -0.015),
                    (-0.015, -0.015),
                ] {
                    let ms = 40;
                    for start in (0..102).step_by(7) {
                        let mut sound = vec![0.0; start];
                        sound.extend(press(row, column, Pressed { levels, off, ms }));
                        sound.extend([0.0; 320]);
                        assert_eq!(
                            heard(&sound),
                            name.to_string(),
                            "{levels:?} {off:?} {start}"
                        );
                    }
                }
            }
        });
    }

    #[test]
    fn a_voice_whose_overtones_are_where_a_key_has_its_tones_presses_none() {
        // The vowel of "name", as it was recorded: the third overtone and the seventh are those of A.
        let overtones = [-7.4, -7.6, -2.3, -15.0, -20.0, -22.0, -12.0];
        for pitch in 228..=238 {
            for start in [0, 40, 80] {
                let sample = |at: usize| {
                    let turn = (at + start) as f32 * pitch as f32 * std::f32::consts::TAU / 8_000.0;
                    let of = |(number, level): (usize, &f32)| {
                        ((number + 1) as f32 * turn).sin() * db(*level) * 7_800.0
                    };
                    overtones.iter().enumerate().map(of).sum::<f32>()
                };
                let sound: Vec<f32> = (0..4_000).map(sample).collect();
                assert_eq!(heard(&sound), "", "{pitch} Hz, {start}");
            }
        }
    }

    #[test]
    fn noise_single_tones_and_call_progress_tones_are_not_keys() {
        let mut noise = Noise(7);
        let hiss: Vec<f32> = (0..8_000 * 60).map(|_| noise.next() * 20_000.0).collect();
        assert_eq!(heard(&hiss), "");
        let wave =
            |hz: f32, i: usize| (i as f32 * hz * std::f32::consts::TAU / 8_000.0).sin() * 6_000.0;
        for pair in [
            (350.0, 440.0),
            (440.0, 480.0),
            (480.0, 620.0),
            (697.0, 0.0),
            (0.0, 1_209.0),
            (950.0, 1_400.0),
        ] {
            let tone: Vec<f32> = (0..16_000)
                .map(|i| wave(pair.0, i) + wave(pair.1, i))
                .collect();
            assert_eq!(heard(&tone), "", "{pair:?}");
        }
    }

    #[test]
    fn the_coefficients_are_those_of_the_tones() {
        for (tone, coefficient) in TONES.iter().zip(COEFFICIENTS) {
            let exact = 2.0 * (f64::from(*tone) * std::f64::consts::TAU / 8_000.0).cos();
            assert!(
                (exact - f64::from(coefficient)).abs() < 1e-6,
                "{tone}: {exact}"
            );
        }
    }
}
