//! Smart-Turn v3.2: does speech that ends like this sound finished?

use std::f64::consts::PI;
use std::sync::Arc;

use ort::value::TensorRef;
use ports::Fault;
use realfft::{RealFftPlanner, RealToComplex};

use super::onnx::{self, Model, failed};
use crate::models::Store;

/// One copy of the model.
pub(super) struct SmartTurn {
    judge: Model,
    spectrum: Spectrum,
}

impl SmartTurn {
    /// The rate of the sound it judges.
    pub(super) const RATE: u32 = 16_000;

    /// Loads it.
    pub(super) fn load(store: &Store) -> Result<Self, Fault> {
        Ok(Self {
            judge: onnx::open(store, "smart-turn/smart-turn-v3.2.onnx")?,
            spectrum: Spectrum::new(),
        })
    }

    /// How sure it is that the speech is over: 0 to 1. Only the last eight seconds count.
    pub(super) fn judge(&mut self, sound: &[f32]) -> Result<f32, Fault> {
        let features = self.spectrum.of(sound);
        self.run(&features).map_err(failed)
    }

    fn run(&mut self, features: &[f32]) -> ort::Result<f32> {
        let input = TensorRef::from_array_view(([1, MELS, FRAMES], features))?;
        let out = self.judge.run(ort::inputs!["input_features" => input])?;
        let (_, probability) = out["logits"].try_extract_tensor::<f32>()?;
        // The name says logits; the model ends in a sigmoid.
        Ok(probability.first().copied().unwrap_or(0.5).clamp(0.0, 1.0))
    }
}

/// Log-mel features as Whisper makes them, for eight seconds.
pub(super) struct Spectrum {
    fft: Arc<dyn RealToComplex<f64>>,
    window: Vec<f64>,
    /// For each mel band: its first bin, and the weights from there on.
    bands: Vec<(usize, Vec<f64>)>,
}

impl Spectrum {
    pub(super) fn new() -> Self {
        let hann = |n| 0.5 - 0.5 * (2.0 * PI * f64::from(n) / FFT as f64).cos();
        Self {
            fft: RealFftPlanner::new().plan_fft_forward(FFT),
            window: (0..FFT as u32).map(hann).collect(),
            bands: bands(),
        }
    }

    /// `MELS` rows of `FRAMES` values.
    pub(super) fn of(&self, sound: &[f32]) -> Vec<f32> {
        let padded = reflect(&normalise(sound));
        let mut input = self.fft.make_input_vec();
        let mut bins = self.fft.make_output_vec();
        let mut mels = vec![0.0; MELS * FRAMES];
        for frame in 0..FRAMES {
            let piece = &padded[frame * HOP..frame * HOP + FFT];
            for (to, (sample, weight)) in input.iter_mut().zip(piece.iter().zip(&self.window)) {
                *to = sample * weight;
            }
            let done = self.fft.process(&mut input, &mut bins);
            done.expect("the buffers were made by this very transform");
            for (row, (first, weights)) in self.bands.iter().enumerate() {
                let pairs = weights.iter().zip(&bins[*first..]);
                let sum: f64 = pairs.map(|(weight, bin)| weight * bin.norm_sqr()).sum();
                mels[row * FRAMES + frame] = sum.max(FLOOR).log10();
            }
        }
        let loudest = mels.iter().copied().fold(f64::MIN, f64::max);
        let scale = |it: &f64| ((it.max(loudest - 8.0) + 4.0) / 4.0) as f32;
        mels.iter().map(scale).collect()
    }
}

/// The last eight seconds, silence before them if they are fewer, with mean 0 and variance 1.
fn normalise(sound: &[f32]) -> Vec<f32> {
    let last = &sound[sound.len().saturating_sub(SAMPLES)..];
    let mut samples = vec![0.0; SAMPLES - last.len()];
    samples.extend_from_slice(last);
    let n = SAMPLES as f64;
    let mean = samples.iter().map(|it| f64::from(*it)).sum::<f64>() / n;
    let spread = samples
        .iter()
        .map(|it| (f64::from(*it) - mean).powi(2))
        .sum::<f64>()
        / n;
    let scale = (spread + 1e-7).sqrt();
    samples
        .iter()
        .map(|it| ((f64::from(*it) - mean) / scale) as f32)
        .collect()
}

/// Half a transform more at each end, mirrored.
fn reflect(samples: &[f32]) -> Vec<f64> {
    let half = FFT / 2;
    let before = samples[1..=half].iter().rev();
    let after = samples[samples.len() - 1 - half..samples.len() - 1]
        .iter()
        .rev();
    before
        .chain(samples)
        .chain(after)
        .map(|it| f64::from(*it))
        .collect()
}

fn bands() -> Vec<(usize, Vec<f64>)> {
    let top = to_mel(f64::from(SmartTurn::RATE) / 2.0);
    let edge = |n: usize| to_hertz(top * n as f64 / (MELS + 1) as f64);
    let bins = FFT / 2 + 1;
    let hertz = |bin: usize| f64::from(SmartTurn::RATE) / 2.0 * bin as f64 / (bins - 1) as f64;
    let band = |n: usize| {
        let (low, mid, high) = (edge(n), edge(n + 1), edge(n + 2));
        let weight = |bin: usize| {
            let up = (hertz(bin) - low) / (mid - low);
            let down = (high - hertz(bin)) / (high - mid);
            up.min(down).max(0.0) * 2.0 / (high - low)
        };
        let first = (0..bins).find(|bin| weight(*bin) > 0.0).unwrap_or(0);
        let weights = (first..bins).map(weight).take_while(|it| *it > 0.0);
        (first, weights.collect())
    };
    (0..MELS).map(band).collect()
}

/// Slaney's scale: straight up to 1 kHz, then logarithmic.
fn to_mel(hertz: f64) -> f64 {
    if hertz < 1_000.0 {
        return 3.0 * hertz / 200.0;
    }
    15.0 + (hertz / 1_000.0).ln() * 27.0 / 6.4_f64.ln()
}

fn to_hertz(mel: f64) -> f64 {
    if mel < 15.0 {
        return 200.0 * mel / 3.0;
    }
    1_000.0 * ((mel - 15.0) * 6.4_f64.ln() / 27.0).exp()
}

const FFT: usize = 400;
const HOP: usize = 160;
const MELS: usize = 80;
const FRAMES: usize = 800;
const SAMPLES: usize = FRAMES * HOP;
const FLOOR: f64 = 1e-10;

#[cfg(test)]
mod tests {
    use super::*;

    /// Three seconds of a rising tone that swells, over a steady one. The numbers were made from the
    /// same sound by the feature extractor that comes with the model.
    #[test]
    fn features_are_those_the_model_was_trained_on() {
        let sample = |n: u32| {
            let n = f64::from(n);
            let turn = |hertz: f64| (2.0 * PI * hertz * n / 16_000.0).sin();
            (0.3 * turn(200.0 + 0.02 * n) * turn(3.0) + 0.05 * turn(3_000.0)) as f32
        };
        let sound: Vec<f32> = (0..48_000).map(sample).collect();
        let features = Spectrum::new().of(&sound);
        let wanted = [
            (0, 0, -0.155_8),
            (5, 505, 1.770_3),
            (8, 505, 0.986_1),
            (15, 560, 1.814_4),
            (18, 560, 0.938_6),
            (54, 650, 1.326_6),
            (57, 650, -0.155_8),
            (45, 799, 1.416_1),
            (48, 799, 0.091_7),
        ];
        for (row, frame, value) in wanted {
            let made = features[row * FRAMES + frame];
            assert!(
                (made - value).abs() < 0.002,
                "row {row}, frame {frame}: {made} and not {value}"
            );
        }
    }
}
