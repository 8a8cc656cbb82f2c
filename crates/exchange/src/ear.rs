//! The ear: exactly what a person at the phone would hear, and say, on one clock.

use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// Samples a second on a telephone line.
pub const RATE: u32 = 8_000;

/// Samples in one 20 ms frame.
pub const FRAME: usize = 160;

/// Samples a second on a line that carries wideband sound.
pub const WIDE_RATE: u32 = 16_000;

/// Samples in one 20 ms frame of that.
pub(crate) const WIDE_FRAME: usize = 320;

/// The time of one frame.
pub const FRAME_TIME: Duration = Duration::from_millis(20);

/// One 20 ms frame of 8 kHz sound.
pub type Frame = [i16; FRAME];

/// What was heard at the phone, from the moment it was answered: two tracks of 8 kHz samples on one clock, and where the
/// line carries more than those hold, the same two at 16 kHz.
///
/// A sample's index is its time since the answer (index / 8000 s). What the carrier had nothing to play for is digital
/// silence, as a person would hear it.
#[derive(Clone, Debug, Default)]
pub struct Ear {
    caller: Vec<i16>,
    agent: Vec<i16>,
    /// Both once more at 16 kHz, if the line carries that.
    wide: [Vec<i16>; 2],
    fed: Vec<u8>,
    utterances: Vec<Span>,
    notes: Vec<Note>,
}

/// A stretch of time on the ear's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Span {
    /// When it starts, since the answer.
    #[serde(rename = "from_ms", serialize_with = "millis")]
    pub from: Duration,
    /// When it ends, since the answer.
    #[serde(rename = "to_ms", serialize_with = "millis")]
    pub to: Duration,
}

/// Something that happened to the agent's sound, on the ear's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// When, since the answer.
    pub at: Duration,
    /// What.
    pub what: Noted,
}

/// What a [`Note`] tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Noted {
    /// The far end emptied the carrier's buffer.
    Cleared,
    /// The person pressed a key.
    Pressed(char),
}

impl Ear {
    /// What the person said, with silence where they said nothing.
    pub fn caller(&self) -> &[i16] {
        &self.caller
    }

    /// What the person heard from the far end, with silence where the carrier had nothing to play.
    pub fn agent(&self) -> &[i16] {
        &self.agent[..self.agent.len().min(self.caller.len())]
    }

    /// What the person said, at 16 kHz; empty where the line is narrow.
    pub fn wide_caller(&self) -> &[i16] {
        &self.wide[0]
    }

    /// What the person heard, at 16 kHz; empty where the line is narrow.
    pub fn wide_agent(&self) -> &[i16] {
        &self.wide[1][..self.wide[1].len().min(self.wide[0].len())]
    }

    /// When the person spoke according to the script, each stretch including the silence its samples start and end with.
    pub fn utterances(&self) -> &[Span] {
        &self.utterances
    }

    /// What happened to the sound, in order.
    pub fn notes(&self) -> &[Note] {
        &self.notes
    }

    /// How long the ear listened.
    pub fn length(&self) -> Duration {
        time(self.caller.len())
    }

    /// Writes both tracks as a 16-bit stereo WAV file, at 16 kHz if the line carries that and else at 8 kHz: the caller
    /// left, the agent right.
    ///
    /// # Errors
    /// What `hound` says when the file cannot be written.
    pub fn write_wav(&self, path: impl AsRef<Path>) -> Result<(), hound::Error> {
        let (caller, agent, sample_rate) = match self.wide_caller() {
            [] => (self.caller(), self.agent(), RATE),
            wide => (wide, self.wide_agent(), WIDE_RATE),
        };
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec)?;
        for (caller, agent) in caller.iter().zip(agent) {
            writer.write_sample(*caller)?;
            writer.write_sample(*agent)?;
        }
        writer.finalize()
    }

    /// Takes one tick: what the person said in the 20 ms before it, what they hear in the 20 ms after it, and how
    /// many samples of the latter the far end had supplied. Past [`LONGEST`] nothing more is kept.
    pub(crate) fn push(&mut self, caller: &Frame, agent: &Frame, fed: u8) {
        if self.length() >= LONGEST {
            return;
        }
        if self.agent.is_empty() {
            self.agent.extend_from_slice(&[0; FRAME]);
            self.fed.push(0);
        }
        self.caller.extend_from_slice(caller);
        self.agent.extend_from_slice(agent);
        self.fed.push(fed);
    }

    /// The same tick once more, at 16 kHz.
    pub(crate) fn push_wide(&mut self, caller: &[i16], agent: &[i16]) {
        if self.length() >= LONGEST {
            return;
        }
        let [said, heard] = &mut self.wide;
        if heard.is_empty() {
            heard.resize(WIDE_FRAME, 0);
        }
        said.extend_from_slice(caller);
        heard.extend_from_slice(agent);
    }

    pub(crate) fn said(&mut self, utterance: Span) {
        if self.utterances.len() < MOST_NOTES {
            self.utterances.push(utterance);
        }
    }

    pub(crate) fn note(&mut self, at: Duration, what: Noted) {
        if self.notes.len() < MOST_NOTES {
            self.notes.push(Note { at, what });
        }
    }

    /// How many samples of each 20 ms frame of the agent's track the far end supplied.
    pub(crate) fn fed(&self) -> &[u8] {
        &self.fed
    }
}

/// The time of a sample's index.
pub(crate) fn time(samples: usize) -> Duration {
    Duration::from_micros(samples as u64 * 125)
}

/// The index of a time's sample.
pub(crate) fn samples(time: Duration) -> usize {
    usize::try_from(time.as_micros() / 125).unwrap_or(usize::MAX)
}

/// Writes a time as whole milliseconds.
pub(crate) fn millis<S: serde::Serializer>(
    time: &Duration,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// How loud a stretch of sound is: the root of its mean square.
pub(crate) fn loudness(sound: &[i16]) -> f64 {
    if sound.is_empty() {
        return 0.0;
    }
    let sum: f64 = sound
        .iter()
        .map(|sample| f64::from(*sample) * f64::from(*sample))
        .sum();
    (sum / sound.len() as f64).sqrt()
}

/// The ear keeps this much of a call; 32 kB a second.
pub const LONGEST: Duration = Duration::from_secs(30 * 60);

const MOST_NOTES: usize = 10_000;
