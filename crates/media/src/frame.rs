use std::time::Duration;

/// The length of every frame, on every call, in both directions.
pub const FRAME: Duration = Duration::from_millis(20);

/// The sample rates a call can run at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rate {
    /// Narrow band: what G.711 carries.
    Hz8000,
    /// Wide band.
    Hz16000,
    /// What several speech vendors speak.
    Hz24000,
    /// Full band.
    Hz48000,
}

impl Rate {
    /// Samples per second.
    pub const fn hz(self) -> u32 {
        match self {
            Self::Hz8000 => 8_000,
            Self::Hz16000 => 16_000,
            Self::Hz24000 => 24_000,
            Self::Hz48000 => 48_000,
        }
    }

    /// How many samples one [`FRAME`] holds.
    pub const fn samples_per_frame(self) -> usize {
        (self.hz() / 50) as usize
    }

    /// How long `samples` last at this rate.
    pub fn duration_of(self, samples: usize) -> Duration {
        Duration::from_micros(samples as u64 * 1_000_000 / u64::from(self.hz()))
    }

    /// How many whole samples `duration` holds at this rate.
    pub fn samples_in(self, duration: Duration) -> usize {
        (duration.as_micros() as u64 * u64::from(self.hz()) / 1_000_000) as usize
    }
}

/// Twenty milliseconds of mono 16-bit PCM.
///
/// A frame is always full: its length is fixed by its rate, so no consumer has to ask.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    rate: Rate,
    samples: Box<[i16]>,
}

impl Frame {
    /// A frame of digital silence.
    pub fn silence(rate: Rate) -> Self {
        Self {
            rate,
            samples: vec![0; rate.samples_per_frame()].into(),
        }
    }

    /// Takes the first frame's worth of `samples`, padding with silence if there is less.
    pub fn from_samples(rate: Rate, samples: &[i16]) -> Self {
        let mut frame = Self::silence(rate);
        let n = samples.len().min(frame.samples.len());
        frame.samples[..n].copy_from_slice(&samples[..n]);
        frame
    }

    /// The rate this frame was made at.
    pub fn rate(&self) -> Rate {
        self.rate
    }

    /// Exactly `rate().samples_per_frame()` samples.
    pub fn samples(&self) -> &[i16] {
        &self.samples
    }
}
