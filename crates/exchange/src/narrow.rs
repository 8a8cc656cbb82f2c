//! Between wideband sound and the telephone's: 16 kHz and 8 kHz, as it comes.

use std::collections::VecDeque;
use std::f64::consts::PI;
use std::sync::LazyLock;

/// Halves the rate of sound that comes in pieces, without a seam between them.
#[derive(Default)]
pub(crate) struct Narrower {
    /// The latest samples, the oldest first.
    past: VecDeque<f64>,
    odd: bool,
}

impl Narrower {
    /// The samples at 8 kHz for these at 16 kHz; they come 4 ms late.
    pub(crate) fn narrow(&mut self, wide: impl Iterator<Item = i16>) -> Vec<i16> {
        self.past.resize(TAPS, 0.0);
        let mut narrow = Vec::with_capacity(wide.size_hint().0 / 2 + 1);
        for sample in wide {
            self.past.pop_front();
            self.past.push_back(f64::from(sample));
            self.odd = !self.odd;
            if !self.odd {
                let sum: f64 = self
                    .past
                    .iter()
                    .zip(KERNEL.iter())
                    .map(|(past, tap)| past * tap)
                    .sum();
                narrow.push(sum.round().clamp(-32_768.0, 32_767.0) as i16);
            }
        }
        narrow
    }
}

/// Doubles the rate of sound that comes in pieces. What it had none of it does not get: nothing above 3.7 kHz.
#[derive(Default)]
pub(crate) struct Widener {
    past: VecDeque<f64>,
}

impl Widener {
    /// The samples at 16 kHz for these at 8 kHz; they come 4 ms late.
    pub(crate) fn widen(&mut self, narrow: &[i16]) -> Vec<i16> {
        self.past.resize(TAPS, 0.0);
        let mut wide = Vec::with_capacity(2 * narrow.len());
        for put in narrow
            .iter()
            .flat_map(|sample| [f64::from(*sample) * 2.0, 0.0])
        {
            self.past.pop_front();
            self.past.push_back(put);
            let sum: f64 = self
                .past
                .iter()
                .zip(KERNEL.iter())
                .map(|(past, tap)| past * tap)
                .sum();
            wide.push(sum.round().clamp(-32_768.0, 32_767.0) as i16);
        }
        wide
    }
}

/// A low-pass at 3.7 kHz: a sinc under a Blackman window, of unit gain for what does not change.
static KERNEL: LazyLock<Vec<f64>> = LazyLock::new(|| {
    let middle = (TAPS - 1) as f64 / 2.0;
    let raw: Vec<f64> = (0..TAPS)
        .map(|tap| {
            let x = tap as f64 - middle;
            let sinc = if x == 0.0 {
                1.0
            } else {
                (PI * CUTOFF * x).sin() / (PI * CUTOFF * x)
            };
            let phase = PI * x / (middle + 1.0);
            sinc * (0.42 + 0.5 * phase.cos() + 0.08 * (2.0 * phase).cos())
        })
        .collect();
    let sum: f64 = raw.iter().sum();
    raw.into_iter().map(|tap| tap / sum).collect()
});

const TAPS: usize = 127;
/// As a share of the wide sound's highest frequency, 8 kHz.
const CUTOFF: f64 = 3_700.0 / 8_000.0;

#[cfg(test)]
mod tests {
    use super::*;

    /// How loud a tone is after it was narrowed in pieces of odd sizes, as a share of what it was.
    fn gain(frequency: f64) -> f64 {
        let wide: Vec<i16> = (0..16_000)
            .map(|index| {
                ((f64::from(index) / 16_000.0 * frequency * 2.0 * PI).sin() * 10_000.0) as i16
            })
            .collect();
        let mut narrower = Narrower::default();
        let narrow: Vec<i16> = wide
            .chunks(333)
            .flat_map(|part| narrower.narrow(part.iter().copied()))
            .collect();
        assert_eq!(narrow.len(), 8_000);
        crate::ear::loudness(&narrow[200..]) / crate::ear::loudness(&wide)
    }

    #[test]
    fn what_is_widened_is_as_it_was() {
        for frequency in [100.0, 1_000.0, 3_400.0] {
            let narrow: Vec<i16> = (0..8_000)
                .map(|index| {
                    ((f64::from(index) / 8_000.0 * frequency * 2.0 * PI).sin() * 10_000.0) as i16
                })
                .collect();
            let mut widener = Widener::default();
            let wide: Vec<i16> = narrow
                .chunks(77)
                .flat_map(|part| widener.widen(part))
                .collect();
            assert_eq!(wide.len(), 16_000);
            let mut narrower = Narrower::default();
            let back = narrower.narrow(wide.iter().copied());
            let gain = crate::ear::loudness(&back[200..]) / crate::ear::loudness(&narrow);
            assert!((0.95..1.05).contains(&gain), "{frequency} Hz: {gain}");
        }
    }

    #[test]
    fn the_voice_band_passes_and_nothing_folds_back() {
        for frequency in [100.0, 1_000.0, 3_400.0] {
            assert!(
                (0.97..1.03).contains(&gain(frequency)),
                "{frequency} Hz: {}",
                gain(frequency)
            );
        }
        for frequency in [4_400.0, 5_000.0, 7_000.0] {
            assert!(
                gain(frequency) < 0.01,
                "{frequency} Hz: {}",
                gain(frequency)
            );
        }
    }
}
