use crate::Rate;

/// Turns a stream of frames at one of a call's rates into the same sound at another: as many frames
/// come out as go in, at once, 4 ms late.
///
/// For what is on its way; [`crate::Resampler`] is for whole pieces, and for any rate.
#[derive(Debug)]
pub struct Converter {
    /// So many steps a sample out is after the one before, in steps of which a sample in has `up`.
    down: usize,
    up: usize,
    /// Where the next sample out is, from the next one in.
    at: usize,
    /// A low-pass for each place that a sample out can have between two in, the oldest tap first.
    phases: Vec<Box<[f32]>>,
    /// What a low-pass needs of what has gone by, and then what there is now.
    samples: Vec<f32>,
}

impl Converter {
    /// From one rate to another.
    pub fn new(from: Rate, to: Rate) -> Self {
        let (from, to) = (from.hz() as usize, to.hz() as usize);
        let step = gcd(from, to);
        let (up, down) = (to / step, from / step);
        let taps = TAPS * down.div_ceil(up).max(1);
        let phases = (0..up).map(|it| low_pass(it, up, down, taps)).collect();
        Self {
            down,
            up,
            at: 0,
            phases,
            samples: vec![0.0; taps - 1],
        }
    }

    /// Puts what these samples come to onto the end of `out`.
    pub fn convert(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        let taps = self.phases[0].len();
        self.samples.extend(samples.iter().map(|it| f32::from(*it)));
        let end = samples.len() * self.up;
        while self.at < end {
            let (sample, phase) = (self.at / self.up, self.at % self.up);
            let sum = product(&self.phases[phase], &self.samples[sample..sample + taps]);
            out.push(sum.round() as i16);
            self.at += self.down;
        }
        self.at -= end;
        self.samples.drain(..samples.len());
    }
}

/// Eight sums side by side: a machine can do them at once.
fn product(taps: &[f32], samples: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    let (taps, samples) = (taps.as_chunks::<8>().0, samples.as_chunks::<8>().0);
    for (taps, samples) in taps.iter().zip(samples) {
        for ((sum, tap), sample) in sums.iter_mut().zip(taps).zip(samples) {
            *sum += tap * sample;
        }
    }
    sums.iter().sum()
}

/// A sinc under a Blackman window, `phase` of `up` steps after a sample. Its sum is one, so that what
/// does not change stays as it is.
fn low_pass(phase: usize, up: usize, down: usize, taps: usize) -> Box<[f32]> {
    // Of the rate that comes in.
    let cutoff = PASS * (up as f64 / down as f64).min(1.0);
    let middle = taps as f64 / 2.0;
    let tap = |it: usize| {
        let x = (it as f64) - middle - phase as f64 / up as f64 + 0.5;
        let sinc = if x == 0.0 {
            1.0
        } else {
            (std::f64::consts::PI * cutoff * x).sin() / (std::f64::consts::PI * cutoff * x)
        };
        let part = std::f64::consts::PI * x / (middle + 0.5);
        sinc * (0.42 + 0.5 * part.cos() + 0.08 * (2.0 * part).cos())
    };
    let taps: Vec<f64> = (0..taps).map(tap).collect();
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|it| (it / sum) as f32).collect()
}

fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Taps of each low-pass, where the rate does not fall: a multiple of eight.
const TAPS: usize = 64;
/// What passes, as a share of the lower rate's band.
const PASS: f64 = 0.92;

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: [Rate; 4] = [Rate::Hz8000, Rate::Hz16000, Rate::Hz24000, Rate::Hz48000];

    /// A second of a tone, frame by frame.
    fn converted(from: Rate, to: Rate, hz: f64) -> Vec<i16> {
        let step = hz * std::f64::consts::TAU / f64::from(from.hz());
        let sound: Vec<i16> = (0..from.hz())
            .map(|it| ((f64::from(it) * step).sin() * 10_000.0) as i16)
            .collect();
        let (mut converter, mut out) = (Converter::new(from, to), Vec::new());
        for (count, frame) in sound.chunks(from.samples_per_frame()).enumerate() {
            converter.convert(frame, &mut out);
            assert_eq!(out.len(), (count + 1) * to.samples_per_frame());
        }
        out
    }

    /// How loud the tone is, and how loud everything else, in dB.
    fn levels(sound: &[i16], rate: Rate, hz: f64) -> (f64, f64) {
        let middle = &sound[sound.len() / 4..sound.len() * 3 / 4];
        let step = hz * std::f64::consts::TAU / f64::from(rate.hz());
        let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
        for (at, sample) in middle.iter().enumerate() {
            let sample = f64::from(*sample) / 10_000.0;
            re += sample * (at as f64 * step).cos();
            im += sample * (at as f64 * step).sin();
            power += sample * sample;
        }
        let n = middle.len() as f64;
        let tone = (re.hypot(im) * 2.0 / n).powi(2);
        let rest = (power * 2.0 / n - tone).max(1e-12);
        (10.0 * tone.log10(), 10.0 * rest.log10())
    }

    #[test]
    fn a_tone_stays_as_high_and_as_loud_as_it_was() {
        for from in RATES {
            for to in RATES {
                let band = f64::from(from.hz().min(to.hz())) / 8_000.0;
                for hz in [150.0, 1_000.0, 3_000.0 * band, 3_300.0 * band] {
                    let (tone, rest) = levels(&converted(from, to, hz), to, hz);
                    assert!(
                        tone.abs() < 0.5,
                        "{hz} Hz from {from:?} to {to:?}: {tone} dB"
                    );
                    assert!(rest < -60.0, "{hz} Hz from {from:?} to {to:?}: {rest} dB");
                }
            }
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_hold_vanishes() {
        for (from, to, hz) in [
            (Rate::Hz16000, Rate::Hz8000, 4_400.0),
            (Rate::Hz16000, Rate::Hz8000, 6_000.0),
            (Rate::Hz48000, Rate::Hz8000, 4_400.0),
            (Rate::Hz24000, Rate::Hz16000, 8_800.0),
        ] {
            let (_, rest) = levels(&converted(from, to, hz), to, 1_000.0);
            assert!(rest < -60.0, "{hz} Hz from {from:?} to {to:?}: {rest} dB");
        }
    }
}
