//! Sound as the models want it.

use rubato::audioadapter_buffers::direct::InterleavedSlice;
use rubato::{Fft, FixedSync, Resampler};

/// From 16-bit samples to -1..1.
pub(super) fn to_float(samples: &[i16]) -> Vec<f32> {
    samples.iter().map(|&it| f32::from(it) / 32_768.0).collect()
}

/// From -1..1 to 16-bit samples. What is louder is cut off.
pub(super) fn to_pcm(samples: &[f32]) -> Vec<i16> {
    let round = |it: &f32| (it * 32_767.0).round().clamp(-32_768.0, 32_767.0) as i16;
    samples.iter().map(round).collect()
}

/// A whole clip at another rate, with nothing above half of the lower one.
pub(super) fn resample(samples: Vec<f32>, from: u32, to: u32) -> Vec<f32> {
    if from == to || samples.is_empty() {
        return samples;
    }
    let length = (samples.len() as u64 * u64::from(to)).div_ceil(u64::from(from)) as usize;
    let mut resampler = Fft::<f32>::new(from as usize, to as usize, CHUNK, 1, FixedSync::Both)
        .expect("both rates and the chunk are greater than zero");
    let clip = InterleavedSlice::new(&samples, 1, samples.len())
        .expect("one channel of as many frames as there are samples");
    let out = resampler
        .process_all(&clip, samples.len(), None)
        .expect("the clip has one channel, as the resampler was told");
    let mut samples = out.take_data();
    samples.truncate(length);
    samples
}

/// How loud sound is, as the root of its mean square; 1 is the loudest there can be.
pub(super) fn loudness(samples: &[f32]) -> f32 {
    if samples.is_empty() {
        return 0.0;
    }
    let sum: f32 = samples.iter().map(|it| it * it).sum();
    (sum / samples.len() as f32).sqrt()
}

/// Cuts the silence before and after speech down to what is left in `before` and `after`, in
/// samples.
pub(super) fn trim(samples: &[f32], rate: u32, before: usize, after: usize) -> &[f32] {
    let hop = (rate / 100).max(1) as usize;
    let loud = |chunk: &[f32]| loudness(chunk) > SILENCE;
    let Some(first) = samples.chunks(hop).position(loud) else {
        return &[];
    };
    let last = samples.chunks(hop).rposition(loud).unwrap_or(first);
    let start = (first * hop).saturating_sub(before);
    let end = ((last + 1) * hop + after).min(samples.len());
    &samples[start..end]
}

/// Brings speech to the level of a telephone talker. What would be louder than the line can carry
/// is bent, not cut.
pub(super) fn level(samples: &mut [f32], rate: u32) {
    let hop = (rate / 50).max(1) as usize;
    let speech = samples.chunks(hop).map(loudness).filter(|it| *it > SILENCE);
    let (sum, count) = speech.fold((0.0, 0.0), |(sum, n), it| (sum + it * it, n + 1.0));
    if count == 0.0 {
        return;
    }
    let active: f32 = f32::sqrt(sum / count);
    let gain = (LEVEL / active).min(MOST_GAIN);
    for sample in samples {
        *sample = bend(*sample * gain);
    }
}

/// Straight up to the knee, then ever flatter, never reaching 1.
fn bend(sample: f32) -> f32 {
    let size = sample.abs();
    if size <= KNEE {
        return sample;
    }
    let room = 1.0 - KNEE;
    let bent = KNEE + room * ((size - KNEE) / room).tanh() * 0.99;
    bent.copysign(sample)
}

const CHUNK: usize = 1024;
/// About -50 dBFS.
const SILENCE: f32 = 0.003;
/// About -16 dBFS over the parts that are speech.
const LEVEL: f32 = 0.16;
/// 20 dB.
const MOST_GAIN: f32 = 10.0;
const KNEE: f32 = 0.7;
