//! The models without a call: for tests, the demo and the exchange's ear.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use media::Rate;
use ports::Fault;

use super::sound;
use super::works::{Speaker, Works, best};
use crate::models::Store;

/// Writes down what is said in a recording. Works on the thread that asks.
#[derive(Clone)]
pub struct Scribe {
    works: Arc<Works>,
}

/// Reads text aloud. Works on the thread that asks.
#[derive(Clone)]
pub struct Reader {
    works: Arc<Works>,
    speaker: Speaker,
}

impl Scribe {
    /// Loads the ears; shares them with everyone else in this process who uses the same store.
    ///
    /// # Errors
    /// Says what to run where a model is missing.
    pub fn open(store: &Store) -> Result<Self, Fault> {
        let works = Works::of(store, super::cores());
        works.ears.warm()?;
        Ok(Self { works })
    }

    /// The words in a recording of any length.
    ///
    /// # Errors
    /// Where a model fails.
    pub fn transcribe(&self, samples: &[i16], rate: Rate) -> Result<String, Fault> {
        let never = AtomicBool::new(false);
        let mut words: Vec<String> = Vec::new();
        for part in parts(samples, rate) {
            let heard = self.works.hear(part, rate.hz(), &never)?;
            words.extend(Some(heard).filter(|it| !it.is_empty()));
        }
        Ok(words.join(" "))
    }

    /// How sure the turn model is that speech which ends like this is over: 0 to 1.
    ///
    /// # Errors
    /// Where the model is missing or fails.
    pub fn end_of_turn(&self, samples: &[i16], rate: Rate) -> Result<f32, Fault> {
        self.works.over(samples, rate.hz())
    }
}

impl Reader {
    /// Loads a voice; shares it with everyone else in this process who uses the same store.
    ///
    /// # Errors
    /// Says what to run where a model or a program is missing.
    pub fn open(store: &Store, speaker: Speaker) -> Result<Self, Fault> {
        let works = Works::of(store, super::cores());
        match speaker {
            Speaker::Piper => works.mouth.warm()?,
            Speaker::Flite | Speaker::FliteMale => super::flite::require()?,
        }
        Ok(Self { works, speaker })
    }

    /// Loads the best voice there is on this machine.
    ///
    /// # Errors
    /// Says what to run where there is none.
    pub fn best(store: &Store) -> Result<Self, Fault> {
        let works = Works::of(store, super::cores());
        let speaker = best(&works)?;
        Ok(Self { works, speaker })
    }

    /// Loads a voice that nobody takes for the best one.
    ///
    /// # Errors
    /// Says what to run where there is none.
    pub fn second(store: &Store) -> Result<Self, Fault> {
        let best = Self::best(store)?;
        super::flite::require()?;
        let speaker = match best.speaker {
            Speaker::Piper => Speaker::Flite,
            Speaker::Flite | Speaker::FliteMale => Speaker::FliteMale,
        };
        Ok(Self { speaker, ..best })
    }

    /// Reads some text aloud, at about -16 dBFS, with hardly any silence around it.
    ///
    /// # Errors
    /// Where the voice fails.
    pub fn speak(&self, text: &str, rate: Rate) -> Result<Vec<i16>, Fault> {
        self.works.speak(self.speaker, text, rate.hz())
    }
}

/// Cuts a recording into the parts that have sound in them, each of at most [`LONGEST`] seconds, in
/// its pauses where it has any.
fn parts(samples: &[i16], rate: Rate) -> Vec<&[i16]> {
    let hop = rate.samples_per_frame();
    let loud: Vec<f32> = samples
        .chunks(hop)
        .map(|it| sound::loudness(&sound::to_float(it)))
        .collect();
    let mut parts = Vec::new();
    let mut frame = 0;
    while let Some(start) = (frame..loud.len()).find(|n| loud[*n] > SILENCE) {
        let end = end_of_part(&loud, start);
        let from = start.saturating_sub(MARGIN) * hop;
        let to = ((end + MARGIN) * hop).min(samples.len());
        parts.push(&samples[from.max(frame * hop)..to]);
        frame = end;
    }
    parts
}

/// The frame at which a part that begins at `start` is best cut.
fn end_of_part(loud: &[f32], start: usize) -> usize {
    let limit = (start + LONGEST).min(loud.len());
    let mut quiet = 0;
    let mut last_loud = start;
    for (n, level) in loud.iter().enumerate().take(limit).skip(start) {
        quiet = if *level > SILENCE { 0 } else { quiet + 1 };
        if quiet == 0 {
            last_loud = n;
        }
        // The longer the part is, the shorter a pause will do.
        let enough = if n - start > COMFORTABLE {
            SHORT_PAUSE
        } else {
            LONG_PAUSE
        };
        if quiet >= enough {
            return last_loud + 1;
        }
    }
    if limit == loud.len() {
        return last_loud + 1;
    }
    // No pause at all: the quietest place in the last quarter.
    let late = start + LONGEST * 3 / 4..limit;
    let quietest = late.min_by(|one, other| loud[*one].total_cmp(&loud[*other]));
    quietest.unwrap_or(limit)
}

/// In frames of 20 ms, as are all below: 15 s.
const LONGEST: usize = 750;
/// 9 s.
const COMFORTABLE: usize = 450;
/// 900 ms.
const LONG_PAUSE: usize = 45;
/// 240 ms.
const SHORT_PAUSE: usize = 12;
/// 200 ms around each part.
const MARGIN: usize = 10;
/// About -48 dBFS.
const SILENCE: f32 = 0.004;
