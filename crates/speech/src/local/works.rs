//! Everything loaded, shared by all who use the same store in this process.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use ports::{Blame, Fault, code};

use super::flite;
use super::moonshine::Moonshine;
use super::piper::Piper;
use super::say;
use super::shelf::Shelf;
use super::sound;
use super::turn::SmartTurn;
use crate::models::Store;

/// The models of one store.
pub(super) struct Works {
    /// Speech to words.
    pub(super) ears: Arc<Shelf<Moonshine>>,
    /// Words to speech, better than flite.
    pub(super) mouth: Arc<Shelf<Piper>>,
    /// Whether a turn is over.
    pub(super) turn: Arc<Shelf<SmartTurn>>,
}

/// Whose voice speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Speaker {
    /// A neural voice, male: the agent's.
    Piper,
    /// A plain voice, female: needs no model.
    Flite,
    /// A plain voice, male: stands in where the female one is taken.
    FliteMale,
}

/// What a speaker said.
pub(super) struct Speech {
    /// Between -1 and 1, levelled, without silence around it.
    pub(super) samples: Vec<f32>,
    /// Per second.
    pub(super) rate: u32,
}

impl Works {
    /// The models of a store, at most `copies` of each. Loads nothing yet.
    pub(super) fn of(store: &Store, copies: usize) -> Arc<Self> {
        static OPEN: Mutex<BTreeMap<PathBuf, Weak<Works>>> = Mutex::new(BTreeMap::new());
        let mut open = OPEN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(works) = open.get(store.dir()).and_then(Weak::upgrade) {
            return works;
        }
        let [ears, mouth, turn] = [(); 3].map(|()| store.clone());
        let works = Arc::new(Self {
            ears: Shelf::new(copies, move || Moonshine::load(&ears)),
            mouth: Shelf::new(copies, move || Piper::load(&mouth)),
            turn: Shelf::new(copies, move || SmartTurn::load(&turn)),
        });
        open.insert(store.dir().to_owned(), Arc::downgrade(&works));
        works
    }

    /// The words in a clip of at most half a minute.
    pub(super) fn hear(
        &self,
        samples: &[i16],
        rate: u32,
        stop: &AtomicBool,
    ) -> Result<String, Fault> {
        let sound = sound::resample(sound::to_float(samples), rate, Moonshine::RATE);
        self.ears.with(|ears| ears.hear(&sound, stop))?
    }

    /// How sure it is that speech which ends like this is over: 0 to 1.
    pub(super) fn over(&self, samples: &[i16], rate: u32) -> Result<f32, Fault> {
        let sound = sound::resample(sound::to_float(samples), rate, SmartTurn::RATE);
        self.turn.with(|turn| turn.judge(&sound))?
    }

    /// Says some text at `rate`.
    pub(super) fn speak(&self, speaker: Speaker, text: &str, rate: u32) -> Result<Vec<i16>, Fault> {
        let text = say::aloud(text);
        let speech = match speaker {
            Speaker::Piper => self.mouth.with(|voice| {
                let rate = voice.rate();
                voice.say(&text).map(|samples| Speech { samples, rate })
            })??,
            Speaker::Flite => plain(&text, "slt")?,
            Speaker::FliteMale => plain(&text, "rms")?,
        };
        let mut samples = sound::resample(speech.samples, speech.rate, rate);
        sound::level(&mut samples, rate);
        let ends = text.trim_end().ends_with(['.', '!', '?']);
        let per_ms = rate as usize / 1_000;
        let after = per_ms * if ends { AFTER_SENTENCE } else { AFTER_CLAUSE };
        let kept = sound::trim(&samples, rate, per_ms * BEFORE, after);
        Ok(sound::to_pcm(kept))
    }
}

fn plain(text: &str, voice: &str) -> Result<Speech, Fault> {
    let (samples, rate) = flite::say(text, voice)?;
    Ok(Speech { samples, rate })
}

/// The best voice there is on this machine.
///
/// # Errors
/// Says what to run where there is none at all.
pub(super) fn best(works: &Works) -> Result<Speaker, Fault> {
    let better = match works.mouth.warm() {
        Ok(()) => return Ok(Speaker::Piper),
        Err(fault) => fault,
    };
    if flite::present() {
        tracing::warn!(
            reason = better.message,
            hint = better.hint.unwrap_or_default(),
            "speaking with the plain voice"
        );
        return Ok(Speaker::Flite);
    }
    Err(Fault::new(
        Blame::Config,
        code::SPEECH_MODEL_MISSING,
        format!("there is no voice on this machine: {}", better.message),
    )
    .hint("run `sudo apt-get install -y espeak-ng flite`, then `offhook models fetch`"))
}

/// In milliseconds, as are the two below.
const BEFORE: usize = 30;
const AFTER_CLAUSE: usize = 80;
/// Speakers pause longer at a full stop.
const AFTER_SENTENCE: usize = 160;
