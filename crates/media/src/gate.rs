/// Tells whether there is any sound worth a closer look, by loudness above the line's own noise.
///
/// The noise floor follows the quietest moments: down within a few frames, up by a decibel a
/// second, so that speech does not raise it and a fan that is switched on is forgotten.
#[derive(Debug)]
pub(crate) struct Gate {
    /// Mean square.
    floor: f32,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Closed,
    /// Open for so many more frames, unless there is more sound.
    Open(u32),
}

/// How loud a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loudness {
    /// As the line is when nobody speaks.
    Quiet,
    /// Perhaps the end of a word.
    Faint,
    /// Someone speaks, or something rings.
    Loud,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self {
            floor: 60.0 * 60.0,
            state: State::Closed,
        }
    }

    /// Takes a frame's mean square.
    pub(crate) fn push(&mut self, power: f32) -> Loudness {
        let loudness = if power > (self.floor * LOUD).max(LOUD_AT_LEAST) {
            Loudness::Loud
        } else if power > (self.floor * FAINT).max(FAINT_AT_LEAST) {
            Loudness::Faint
        } else {
            Loudness::Quiet
        };
        self.floor = if power < self.floor {
            self.floor + (power - self.floor) * FALL
        } else {
            self.floor * RISE
        }
        .clamp(LOWEST, HIGHEST);
        self.state = match (loudness, self.state) {
            (Loudness::Faint | Loudness::Loud, _) => State::Open(HANG),
            (Loudness::Quiet, State::Open(left)) if left > 0 => State::Open(left - 1),
            (Loudness::Quiet, State::Open(_) | State::Closed) => State::Closed,
        };
        loudness
    }

    pub(crate) fn is_open(&self) -> bool {
        self.state != State::Closed
    }
}

/// The mean square of a frame.
pub(crate) fn power(samples: &[i16]) -> f32 {
    // Eight sums side by side, or the compiler must add one after the other. Frames of every rate
    // are multiples of eight long.
    let mut sums = [0.0f32; 8];
    for some in samples.chunks_exact(8) {
        for (sum, &sample) in sums.iter_mut().zip(some) {
            *sum += f32::from(sample) * f32::from(sample);
        }
    }
    sums.iter().sum::<f32>() / samples.len().max(1) as f32
}

/// 10 dB and 6 dB above the floor.
const LOUD: f32 = 10.0;
const FAINT: f32 = 4.0;
/// And never below these, -47 and -50 dB of full scale: such a voice cannot be understood anyway.
const LOUD_AT_LEAST: f32 = 150.0 * 150.0;
const FAINT_AT_LEAST: f32 = 100.0 * 100.0;
/// The floor's way down in a frame, as a part of the distance.
const FALL: f32 = 0.2;
/// The floor's way up in a frame: 1 dB in 50 frames.
const RISE: f32 = 1.004_616;
const LOWEST: f32 = 12.0 * 12.0;
const HIGHEST: f32 = 1_500.0 * 1_500.0;
/// 300 ms: longer than the model's verdict on the end of speech takes.
const HANG: u32 = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_opens_for_sound_and_closes_after_a_while() {
        let mut gate = Gate::new();
        for _ in 0..50 {
            assert_eq!(gate.push(20.0 * 20.0), Loudness::Quiet);
        }
        assert!(!gate.is_open());
        assert_eq!(gate.push(1_000.0 * 1_000.0), Loudness::Loud);
        for _ in 0..HANG {
            gate.push(20.0 * 20.0);
            assert!(gate.is_open());
        }
        gate.push(20.0 * 20.0);
        assert!(!gate.is_open());
    }

    #[test]
    fn steady_noise_becomes_the_floor() {
        let mut gate = Gate::new();
        let loud = (0..50 * 30)
            .filter(|_| gate.push(400.0 * 400.0) == Loudness::Loud)
            .count();
        assert!(loud < 50 * 10, "{loud} frames");
        assert!(!gate.is_open());
        assert_eq!(
            gate.push(4_000.0 * 4_000.0),
            Loudness::Loud,
            "speech above the noise"
        );
    }

    #[test]
    fn the_power_of_a_full_scale_square_wave_does_not_overflow() {
        assert_eq!(power(&[i16::MIN; 960]), 32_768.0 * 32_768.0);
        assert_eq!(power(&[]), 0.0);
    }
}
