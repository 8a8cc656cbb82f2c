//! Voices from WAV files: any rate, any number of channels, to the telephone's 8 kHz mono.

use crate::ear::{RATE, WIDE_RATE};
use std::f64::consts::PI;
use std::fs::File;
use std::io::{BufReader, Read};
use std::ops::Range;
use std::path::Path;

/// Reads a WAV file as 8 kHz mono samples.
///
/// Channels are averaged; other rates are brought to 8 kHz with a windowed sinc, whose stop band lies more than
/// 60 dB down. Integer samples of 8 to 32 bits and 32-bit floats are read.
///
/// # Errors
/// What `hound` says about a file that is missing, not WAV, or cut short.
pub fn read(path: impl AsRef<Path>) -> Result<Vec<i16>, hound::Error> {
    read_from(BufReader::new(File::open(path)?))
}

/// The same of a file that is open, or in memory.
///
/// # Errors
/// As of [`read`].
pub fn read_from(file: impl Read) -> Result<Vec<i16>, hound::Error> {
    let mut reader = hound::WavReader::new(file)?;
    let spec = reader.spec();
    let scale = 1.0 / f64::from(1_u32 << (spec.bits_per_sample - 1).min(31));
    let samples: Vec<f64> = match spec.sample_format {
        hound::SampleFormat::Int => reader
            .samples::<i32>()
            .map(|sample| sample.map(|sample| f64::from(sample) * scale))
            .collect::<Result<_, _>>()?,
        hound::SampleFormat::Float => reader
            .samples::<f32>()
            .map(|sample| sample.map(f64::from))
            .collect::<Result<_, _>>()?,
    };
    let channels = usize::from(spec.channels.max(1));
    let mono: Vec<f64> = samples
        .chunks_exact(channels)
        .map(|frame| frame.iter().sum::<f64>() / channels as f64)
        .collect();
    Ok(resample(&mono, spec.sample_rate, RATE)
        .into_iter()
        .map(|sample| (sample * 32_768.0).round().clamp(-32_768.0, 32_767.0) as i16)
        .collect())
}

/// Brings 16-bit mono samples of any rate to the telephone's 8 kHz, for synthesizers that speak at their own rate.
pub fn to_line_rate(samples: &[i16], rate: u32) -> Vec<i16> {
    if rate == RATE {
        return samples.to_vec();
    }
    convert(samples, rate, RATE)
}

/// The same to the rate of a wideband line, 16 kHz.
pub fn to_wide_rate(samples: &[i16], rate: u32) -> Vec<i16> {
    convert(samples, rate, WIDE_RATE)
}

/// Brings a whole piece of 16-bit mono samples from one rate to another.
pub(crate) fn convert(samples: &[i16], from: u32, to: u32) -> Vec<i16> {
    let piece = Piece::new(samples.to_vec(), from, to);
    piece.part(0..piece.len())
}

/// 16-bit mono samples that are brought to another rate a part at a time: all of it at once would take
/// longer than a phone's frame lasts.
pub(crate) struct Piece {
    samples: Vec<i16>,
    /// `None`: the rate is the right one.
    resampler: Option<Resampler>,
}

impl Piece {
    pub(crate) fn new(samples: Vec<i16>, from: u32, to: u32) -> Self {
        let resampler = (from != to).then(|| Resampler::new(from, to));
        Self { samples, resampler }
    }

    /// How many samples there are at the other rate.
    pub(crate) fn len(&self) -> usize {
        let length = self.samples.len();
        self.resampler
            .as_ref()
            .map_or(length, |it| it.length(length))
    }

    /// Some of them; where there are no more, fewer.
    pub(crate) fn part(&self, part: Range<usize>) -> Vec<i16> {
        let end = part.end.min(self.len());
        let part = part.start.min(end)..end;
        let Some(resampler) = &self.resampler else {
            return self.samples[part].to_vec();
        };
        let at = |index| resampler.at(&self.samples, index);
        part.map(|index| at(index).round().clamp(-32_768.0, 32_767.0) as i16)
            .collect()
    }
}

fn resample(input: &[f64], from: u32, to: u32) -> Vec<f64> {
    if from == to || input.is_empty() {
        return input.to_vec();
    }
    let resampler = Resampler::new(from, to);
    let length = resampler.length(input.len());
    (0..length)
        .map(|index| resampler.at(input, index))
        .collect()
}

/// From one rate to another. A sample lies between two others in one of a few ways, each of which is
/// worked out once.
struct Resampler {
    from: usize,
    to: usize,
    shared: usize,
    reach: usize,
    taps: Vec<Vec<f64>>,
}

impl Resampler {
    fn new(from: u32, to: u32) -> Self {
        let cutoff = (f64::from(to) / f64::from(from)).min(1.0) * PASS;
        let reach = (ZERO_CROSSINGS / cutoff).ceil() as isize;
        let (from, to) = (from as usize, to as usize);
        let shared = greatest_shared(from, to);
        let taps = (0..to / shared).map(|phase| {
            let between = (phase * shared) as f64 / to as f64;
            let tap = |at: isize| cutoff * kernel((at as f64 - between) * cutoff);
            (-reach..=reach + 1).map(tap).collect()
        });
        Self {
            from,
            to,
            shared,
            reach: reach.unsigned_abs(),
            taps: taps.collect(),
        }
    }

    fn length(&self, input: usize) -> usize {
        (input * self.to + self.from / 2) / self.from
    }

    fn at<T: Copy + Into<f64>>(&self, input: &[T], index: usize) -> f64 {
        let (whole, part) = (index * self.from / self.to, index * self.from % self.to);
        let taps = &self.taps[part / self.shared];
        let first = whole.saturating_sub(self.reach);
        let skipped = first + self.reach - whole;
        let input = &input[first.min(input.len())..];
        let products = input.iter().zip(&taps[skipped..]);
        products.map(|(sample, tap)| (*sample).into() * tap).sum()
    }
}

fn greatest_shared(a: usize, b: usize) -> usize {
    if b == 0 { a } else { greatest_shared(b, a % b) }
}

/// A sinc under a Blackman window that reaches `ZERO_CROSSINGS` to either side.
fn kernel(x: f64) -> f64 {
    if x.abs() >= ZERO_CROSSINGS {
        return 0.0;
    }
    let sinc = if x == 0.0 {
        1.0
    } else {
        (PI * x).sin() / (PI * x)
    };
    let phase = PI * x / ZERO_CROSSINGS;
    sinc * (0.42 + 0.5 * phase.cos() + 0.08 * (2.0 * phase).cos())
}

/// The share of the lower Nyquist frequency that passes; the rest is the filter's slope.
const PASS: f64 = 0.9;
const ZERO_CROSSINGS: f64 = 32.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(frequency: f64, rate: u32) -> Vec<f64> {
        (0..rate)
            .map(|index| {
                (2.0 * PI * frequency * f64::from(index) / f64::from(rate)).sin() * 10_000.0
            })
            .collect()
    }

    fn rms(samples: &[f64]) -> f64 {
        (samples.iter().map(|sample| sample * sample).sum::<f64>() / samples.len() as f64).sqrt()
    }

    #[test]
    fn a_tone_keeps_its_level_and_an_alias_is_gone() {
        for rate in [16_000, 22_050, 24_000, 44_100, 48_000] {
            let kept = resample(&tone(1_000.0, rate), rate, RATE);
            assert_eq!(kept.len(), 8_000);
            let level = rms(&kept[400..7_600]) / (10_000.0 / 2.0_f64.sqrt());
            assert!((level - 1.0).abs() < 0.01, "{rate}: {level}");
            let gone = resample(&tone(5_000.0, rate), rate, RATE);
            let left = rms(&gone[400..7_600]) / (10_000.0 / 2.0_f64.sqrt());
            assert!(left < 0.001, "{rate}: {left}");
        }
    }

    #[test]
    fn reads_a_stereo_file_at_another_rate() {
        let path = std::env::temp_dir().join(format!("exchange-wav-{}.wav", std::process::id()));
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 16_000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        for sample in tone(500.0, 16_000) {
            writer.write_sample(sample as i16).unwrap();
            writer.write_sample(sample as i16).unwrap();
        }
        writer.finalize().unwrap();
        let read = read(&path);
        std::fs::remove_file(&path).unwrap();
        let read: Vec<f64> = read.unwrap().into_iter().map(f64::from).collect();
        assert_eq!(read.len(), 8_000);
        assert!((rms(&read[400..7_600]) - 7_071.0).abs() < 80.0);
    }
}
