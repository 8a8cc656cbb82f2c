//! Keys on their way out: the sound that a telephone makes when they are pressed.

use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::time::Duration;

use crate::frame::Rate;

/// What a key sounds for, what is quiet behind it, and what a `w` waits for.
pub const KEY_TONE: Duration = Duration::from_millis(100);
/// See [`KEY_TONE`].
pub const KEY_GAP: Duration = Duration::from_millis(100);
/// See [`KEY_TONE`].
pub const KEY_PAUSE: Duration = Duration::from_millis(500);

/// Key sound that has not been sent, and the last of what has: it may have to be sent again.
#[derive(Debug, Default)]
pub(crate) struct Tones {
    samples: VecDeque<i16>,
    /// So many of them were sent.
    sent: usize,
}

impl Tones {
    /// Adds keys: digits, `*`, `#`, `A` to `D`, and `w` to wait. Anything else is silent. What comes
    /// while [`LONGEST`] is still to be heard is not kept.
    pub(crate) fn press(&mut self, keys: &str, rate: Rate) {
        for key in keys.chars() {
            if self.left() < rate.samples_in(LONGEST) {
                self.add(key, rate);
            }
        }
    }

    /// How many samples are still to be sent.
    pub(crate) fn left(&self) -> usize {
        self.samples.len() - self.sent
    }

    /// Takes as many as fit, and remembers the last `keep` of what it ever gave.
    pub(crate) fn take(&mut self, out: &mut [i16], keep: usize) -> usize {
        let taken = self.left().min(out.len());
        let ahead = self.samples.range(self.sent..self.sent + taken);
        out.iter_mut().zip(ahead).for_each(|(to, from)| *to = *from);
        self.sent += taken;
        let old = self.sent.saturating_sub(keep);
        self.samples.drain(..old);
        self.sent -= old;
        taken
    }

    /// The far end threw away the last so many.
    pub(crate) fn call_back(&mut self, samples: usize) {
        self.sent = self.sent.saturating_sub(samples);
    }

    fn add(&mut self, key: char, rate: Rate) {
        let (tone, quiet) = match tones(key) {
            Some(pair) => (Some(pair), KEY_GAP),
            None => (None, KEY_PAUSE),
        };
        if let Some((row, column)) = tone {
            let sample = |at: usize| {
                let time = at as f64 / f64::from(rate.hz());
                ((TAU * row * time).sin() * ROW + (TAU * column * time).sin() * COLUMN) as i16
            };
            self.samples
                .extend((0..rate.samples_in(KEY_TONE)).map(sample));
        }
        let silence = std::iter::repeat_n(0, rate.samples_in(quiet));
        self.samples.extend(silence);
    }
}

/// The two tones of a key, in hertz (ITU-T Q.23).
fn tones(key: char) -> Option<(f64, f64)> {
    let place = KEYS.find(key.to_ascii_uppercase())?;
    let rows = [697.0, 770.0, 852.0, 941.0];
    let columns = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
    Some((rows[place / 4], columns[place % 4]))
}

/// More is not kept ready.
const LONGEST: Duration = Duration::from_secs(60);
const KEYS: &str = "123A456B789C*0#D";
/// Peaks, about -9 dBm0 together: the higher tone a little louder, since lines carry it worse.
const ROW: f64 = 5_000.0;
const COLUMN: f64 = 6_000.0;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dtmf::Keys;

    #[test]
    fn what_is_pressed_is_what_our_own_ear_hears() {
        let mut tones = Tones::default();
        tones.press("123A456w B789C*0#Dd11", Rate::Hz8000);
        let (mut ear, mut heard) = (Keys::new(), String::new());
        let mut frame = [0; 160];
        while tones.left() > 0 {
            let filled = tones.take(&mut frame, 800);
            heard.extend(ear.push(&frame[..filled]));
        }
        assert_eq!(heard, "123A456B789C*0#DD11");
        assert!(tones.samples.len() <= 800, "what was sent is forgotten");
    }

    #[test]
    fn nobody_presses_keys_for_ever() {
        let mut tones = Tones::default();
        for _ in 0..1_000 {
            tones.press("w1", Rate::Hz8000);
        }
        let second = Rate::Hz8000.samples_in(Duration::from_secs(1));
        assert!((60 * second..61 * second).contains(&tones.left()));
    }

    #[test]
    fn what_the_far_end_threw_away_is_sent_again() {
        let mut tones = Tones::default();
        tones.press("7", Rate::Hz8000);
        let whole: Vec<i16> = tones.samples.iter().copied().collect();
        let mut first = vec![0; 480];
        tones.take(&mut first, 800);
        tones.call_back(160);
        let mut rest = vec![0; 4_000];
        let taken = tones.take(&mut rest, 800);
        assert_eq!(rest[..taken], whole[320..]);
    }
}
