use crate::Rate;

/// Company for someone who waits: a slow, soft round of four chords, about 26 dB below the loudest
/// tone a telephone line carries. It never ends and has no seam.
#[derive(Debug)]
pub struct Music {
    rate: f32,
    /// Samples since it began.
    at: u64,
    voices: [Voice; VOICES],
}

/// One note, as a point that goes round a circle.
#[derive(Clone, Copy, Debug, Default)]
struct Voice {
    x: f32,
    y: f32,
    cos: f32,
    sin: f32,
}

impl Music {
    /// From its beginning, at this rate.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate: rate.hz() as f32,
            at: 0,
            voices: [Voice::default(); VOICES],
        }
    }

    /// Adds what comes next to `sound`.
    pub fn add_to(&mut self, sound: &mut [i16]) {
        let length = (self.rate * CHORD) as u64;
        for sample in sound {
            let (chord, within) = (self.at / length, self.at % length);
            if within == 0 {
                self.strike(CHORDS[chord as usize % CHORDS.len()]);
            }
            let loudness = envelope(within as f32 / length as f32);
            let sum: f32 = self.voices.iter_mut().map(Voice::next).sum();
            *sample = sample.saturating_add((sum * loudness * LEVEL) as i16);
            self.at += 1;
        }
    }

    fn strike(&mut self, chord: [f32; VOICES]) {
        for (voice, hz) in self.voices.iter_mut().zip(chord) {
            let (sin, cos) = (std::f32::consts::TAU * hz / self.rate).sin_cos();
            *voice = Voice {
                x: 1.0,
                y: 0.0,
                cos,
                sin,
            };
        }
    }
}

impl Voice {
    fn next(&mut self) -> f32 {
        let Self { x, y, cos, sin } = *self;
        (self.x, self.y) = (x * cos - y * sin, x * sin + y * cos);
        self.y
    }
}

/// How loud a chord is at a part of its time: it comes in a fifth of it, and goes as slowly.
fn envelope(part: f32) -> f32 {
    let rise = (part / 0.2).min(1.0);
    let fall = ((1.0 - part) / 0.6).min(1.0);
    let shape = rise * fall;
    shape * shape * (3.0 - 2.0 * shape)
}

const VOICES: usize = 4;

/// In Hz: C with a major seventh, A minor, F, and G with a sixth.
const CHORDS: [[f32; VOICES]; 4] = [
    [261.63, 329.63, 392.0, 493.88],
    [220.0, 329.63, 440.0, 523.25],
    [349.23, 440.0, 523.25, 659.26],
    [293.66, 392.0, 493.88, 659.26],
];

/// How long each lasts, in seconds.
const CHORD: f32 = 2.4;
const LEVEL: f32 = 700.0;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_soft_and_steady_and_never_silent_for_long() {
        for rate in [Rate::Hz8000, Rate::Hz16000] {
            let mut music = Music::new(rate);
            let second = rate.hz() as usize;
            let mut sound = vec![0; second * 30];
            for frame in sound.chunks_mut(rate.samples_per_frame()) {
                music.add_to(frame);
            }
            let loudest = sound.iter().map(|it| it.unsigned_abs()).max();
            assert!(loudest < Some(3_000), "{loudest:?}");
            for second in sound.chunks(second) {
                let power = second.iter().map(|it| f64::from(*it).powi(2)).sum::<f64>();
                let rms = (power / second.len() as f64).sqrt();
                assert!((120.0..1_500.0).contains(&rms), "{rms}");
            }
            let steepest = sound.windows(2).map(|it| (it[1] - it[0]).abs()).max();
            assert!(steepest < Some(1_500), "a click of {steepest:?}");
        }
    }
}
