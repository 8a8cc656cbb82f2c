use std::fmt;

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Indexing, Resampler as _, WindowFunction};

/// Turns a stream of samples at one rate into the same sound at another.
///
/// Works in blocks of about 20 ms; what does not fill a block waits for more, or for
/// [`Resampler::flush`]. The filter's own delay (half a block) is taken off the front, so the
/// first sample out is the first sample in, and a whole stream comes out as long as it went in.
pub struct Resampler {
    rates: Rates,
    engine: Engine,
}

#[derive(Clone, Copy, Debug)]
struct Rates {
    from: u64,
    to: u64,
    taken: u64,
    given: u64,
}

enum Engine {
    /// The rates are the same.
    Copy,
    Fft(Box<Blocks>),
}

struct Blocks {
    fft: Fft<f32>,
    waiting: Vec<f32>,
    out: Vec<f32>,
    /// Of the filter's delay, how much is still to be taken off.
    skip: usize,
}

impl Resampler {
    /// Sets up a stream from one rate to another, both in samples per second.
    ///
    /// # Panics
    ///
    /// If a rate is zero.
    pub fn new(from: u32, to: u32) -> Self {
        assert!(from > 0 && to > 0, "a rate is at least one sample a second");
        let rates = Rates {
            from: u64::from(from),
            to: u64::from(to),
            taken: 0,
            given: 0,
        };
        let engine = if from == to {
            Engine::Copy
        } else {
            Engine::Fft(Box::new(Blocks::new(from as usize, to as usize)))
        };
        Self { rates, engine }
    }

    /// Takes `samples`, and puts what is finished onto the end of `out`.
    pub fn push(&mut self, samples: &[i16], out: &mut Vec<i16>) {
        self.rates.taken += samples.len() as u64;
        match &mut self.engine {
            Engine::Copy => out.extend_from_slice(samples),
            Engine::Fft(blocks) => self.rates.given += blocks.push(samples, out),
        }
    }

    /// Puts the rest onto the end of `out`, so that all that went in has come out, and starts
    /// afresh.
    pub fn flush(&mut self, out: &mut Vec<i16>) {
        let owed = (self.rates.taken * self.rates.to).div_ceil(self.rates.from);
        if let Engine::Fft(blocks) = &mut self.engine {
            while self.rates.given < owed {
                let before = out.len();
                self.rates.given += blocks.pad(out);
                let surplus = self.rates.given.saturating_sub(owed) as usize;
                out.truncate((out.len() - surplus).max(before));
            }
            blocks.reset();
        }
        (self.rates.taken, self.rates.given) = (0, 0);
    }
}

impl fmt::Debug for Resampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resampler")
            .field("rates", &self.rates)
            .finish_non_exhaustive()
    }
}

impl Blocks {
    fn new(from: usize, to: usize) -> Self {
        // "Both" ends fixed takes one transform a block, which is what keeps the filter long
        // enough to be steep; more, shorter transforms would eat into the speech band.
        let fft = Fft::new_custom(
            from,
            to,
            from / BLOCKS_PER_SECOND,
            1,
            1,
            WindowFunction::BlackmanHarris2,
            FixedSync::Both,
        )
        .expect("both rates and the block are above zero, which is all it asks");
        let skip = fft.output_delay();
        let waiting = Vec::with_capacity(2 * fft.input_frames_next());
        let out = vec![0.0; fft.output_frames_max()];
        Self {
            fft,
            waiting,
            out,
            skip,
        }
    }

    fn push(&mut self, mut samples: &[i16], out: &mut Vec<i16>) -> u64 {
        let want = self.fft.input_frames_next();
        let mut given = 0;
        while self.waiting.len() + samples.len() >= want {
            let (now, later) = samples.split_at(want - self.waiting.len());
            self.waiting.extend(now.iter().map(|&it| f32::from(it)));
            samples = later;
            given += self.turn(out);
        }
        self.waiting.extend(samples.iter().map(|&it| f32::from(it)));
        given
    }

    /// Fills the block with silence, and turns it.
    fn pad(&mut self, out: &mut Vec<i16>) -> u64 {
        self.waiting.resize(self.fft.input_frames_next(), 0.0);
        self.turn(out)
    }

    fn turn(&mut self, out: &mut Vec<i16>) -> u64 {
        let (frames_in, frames_out) = (self.waiting.len(), self.out.len());
        let source = InterleavedSlice::new(self.waiting.as_slice(), 1, frames_in)
            .expect("one channel, as long as the slice");
        let mut sink = InterleavedSlice::new_mut(self.out.as_mut_slice(), 1, frames_out)
            .expect("one channel, as long as the slice");
        let (_, made) = self
            .fft
            .process_into_buffer(&source, &mut sink, None::<&Indexing>)
            .expect("both buffers are as long as it says it needs");
        self.waiting.clear();
        let skipped = self.skip.min(made);
        self.skip -= skipped;
        let made = &self.out[skipped..made];
        out.extend(made.iter().map(|&it| it.round() as i16));
        made.len() as u64
    }

    fn reset(&mut self) {
        self.fft.reset();
        self.waiting.clear();
        self.skip = self.fft.output_delay();
    }
}

/// A block is a frame: what comes in frame by frame goes out frame by frame.
const BLOCKS_PER_SECOND: usize = 50;

#[cfg(test)]
mod tests {
    use super::*;

    const RATES: [u32; 6] = [8_000, 16_000, 22_050, 24_000, 44_100, 48_000];

    fn tone(rate: u32, hz: f64) -> Vec<i16> {
        let step = hz * std::f64::consts::TAU / f64::from(rate);
        (0..rate)
            .map(|i| ((f64::from(i) * step).sin() * 10_000.0) as i16)
            .collect()
    }

    /// A second of sound, in pieces of odd sizes.
    fn resampled(from: u32, to: u32, sound: &[i16]) -> Vec<i16> {
        let mut resampler = Resampler::new(from, to);
        let mut out = Vec::new();
        let mut rest = sound;
        for size in [1, 7, 160, 441, 1_000, 3].into_iter().cycle() {
            let (now, later) = rest.split_at(size.min(rest.len()));
            resampler.push(now, &mut out);
            rest = later;
            if rest.is_empty() {
                break;
            }
        }
        resampler.flush(&mut out);
        out
    }

    /// How strong a tone is in the middle of a sound, against 10 000.
    fn level(sound: &[i16], rate: u32, hz: f64) -> f64 {
        let middle = &sound[sound.len() / 4..sound.len() * 3 / 4];
        let step = hz * std::f64::consts::TAU / f64::from(rate);
        let (mut re, mut im) = (0.0, 0.0);
        for (i, &sample) in middle.iter().enumerate() {
            re += f64::from(sample) * (i as f64 * step).cos();
            im += f64::from(sample) * (i as f64 * step).sin();
        }
        db(re.hypot(im) * 2.0 / middle.len() as f64 / 10_000.0)
    }

    fn loudness(sound: &[i16]) -> f64 {
        let middle = &sound[sound.len() / 4..sound.len() * 3 / 4];
        let power: f64 = middle.iter().map(|&it| f64::from(it) * f64::from(it)).sum();
        db((power / middle.len() as f64 * 2.0).sqrt() / 10_000.0)
    }

    fn db(ratio: f64) -> f64 {
        20.0 * ratio.max(1e-9).log10()
    }

    fn each_pair(mut check: impl FnMut(u32, u32)) {
        for from in RATES {
            RATES.into_iter().for_each(|to| check(from, to));
        }
    }

    #[test]
    fn a_tone_stays_as_high_and_as_loud_as_it_was() {
        each_pair(|from, to| {
            for hz in [150.0, 400.0, 1_000.0, 3_000.0, 3_400.0] {
                let out = resampled(from, to, &tone(from, hz));
                let (tone, all) = (level(&out, to, hz), loudness(&out));
                assert!(tone.abs() < 0.2, "{hz} Hz from {from} to {to}: {tone} dB");
                assert!(
                    (all - tone).abs() < 0.01,
                    "{hz} Hz from {from} to {to}: {tone} of {all} dB"
                );
            }
        });
    }

    #[test]
    fn what_the_new_rate_cannot_hold_vanishes() {
        each_pair(|from, to| {
            let nyquist = f64::from(to) / 2.0;
            for hz in [nyquist * 1.03, nyquist * 1.2, nyquist * 1.5, nyquist * 1.9] {
                if to < from && hz < f64::from(from) / 2.0 {
                    let rest = loudness(&resampled(from, to, &tone(from, hz)));
                    assert!(rest < -60.0, "{hz} Hz from {from} to {to}: {rest} dB");
                }
            }
        });
    }

    #[test]
    fn no_sample_is_lost_or_late() {
        each_pair(|from, to| {
            for length in [0, 1, 100, 441, 12_345] {
                let mut sound = vec![0i16; length];
                if let Some(last) = length.checked_sub(60) {
                    sound[last] = 20_000;
                }
                let out = resampled(from, to, &sound);
                let owed = (length as u64 * u64::from(to)).div_ceil(u64::from(from));
                assert_eq!(out.len() as u64, owed, "{length} from {from} to {to}");
                if length >= 441 {
                    let peak = (0..out.len()).max_by_key(|&i| out[i].abs()).unwrap();
                    let expected = (length - 60) as f64 * f64::from(to) / f64::from(from);
                    assert!(
                        (peak as f64 - expected).abs() <= f64::from(to.max(from)) / f64::from(from),
                        "{peak} {expected} from {from} to {to}"
                    );
                }
            }
        });
    }

    #[test]
    fn the_second_stream_is_as_the_first() {
        let sound = tone(24_000, 400.0);
        let mut resampler = Resampler::new(24_000, 8_000);
        let mut outs = [Vec::new(), Vec::new()];
        for out in &mut outs {
            resampler.push(&sound, out);
            resampler.flush(out);
        }
        assert_eq!(outs[0], outs[1]);
    }
}
