//! What a speech vendor must offer: ears, a mouth, and an ear for speech itself.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use call::Private;
use media::{Edge, Frame, Rate, UtteranceId, WINDOW};
use tokio::sync::mpsc;

use crate::{Fault, Link};

/// How calls hear and speak. Built once; each call opens its own links.
#[derive(Clone)]
pub struct Voice {
    /// Turns sound into words.
    pub ears: Arc<dyn Transcriber>,
    /// Turns words into sound.
    pub mouth: Arc<dyn Synthesizer>,
    /// Tells speech from other sound. Without one, loudness decides.
    pub detector: Option<Arc<dyn SpeechDetector>>,
}

/// Turns sound into words.
#[async_trait]
pub trait Transcriber: Send + Sync {
    /// Opens one call's ears. Frames come at `rate`; resampling is the adapter's business.
    async fn open(&self, language: &str, rate: Rate) -> Result<Link<Listen, Hearing>, Fault>;

    /// Sees to it that they can hear, which may take seconds where models have to be loaded. Ears that
    /// are open before hear a little later.
    ///
    /// # Errors
    /// Says what is missing or broken.
    async fn warm(&self) -> Result<(), Fault> {
        Ok(())
    }
}

/// What ears are given.
#[derive(Clone, Debug)]
pub enum Listen {
    /// Twenty milliseconds of the caller.
    Frame(Frame),
    /// Our own detector heard speech start or end. Ears with a detector of their own ignore it.
    Edge(Edge),
    /// The caller's turn is over. Answer with one [`Hearing::Final`], at once if possible, for all
    /// speech since the last; with an empty one if there was none.
    Finalize,
}

/// What ears report.
#[derive(Debug)]
pub enum Hearing {
    /// How sure the ears are that the speech that just ended was the end of a turn: 0 to 1.
    EndOfTurn(f32),
    /// They cannot hear any more.
    Failed(Fault),
    /// These words will not change.
    Final(Private<String>),
    /// All words since the last final; may change.
    Partial(Private<String>),
}

/// Turns words into sound.
#[async_trait]
pub trait Synthesizer: Send + Sync {
    /// Opens one call's mouth. Audio must come at `rate`.
    async fn open(&self, rate: Rate) -> Result<Link<Speak, Spoken>, Fault>;
}

/// What a mouth is given.
#[derive(Clone, Debug)]
pub enum Speak {
    /// Stop for every utterance up to this one.
    Cancel(UtteranceId),
    /// One clause.
    Text(UtteranceId, Private<String>),
    /// These words will probably be needed soon: make and keep them, send nothing.
    Prepare(Private<String>),
}

/// What a mouth makes.
#[derive(Debug)]
pub enum Spoken {
    /// Some sound, in order within its utterance.
    Audio(UtteranceId, Vec<i16>),
    /// All sound of this utterance was sent; this is how long it is.
    Done(UtteranceId, Duration),
    /// This utterance cannot be made.
    Failed(UtteranceId, Fault),
}

/// Tells speech from other sound, better than loudness can.
pub trait SpeechDetector: Send + Sync {
    /// Opens one call's detector; verdicts go to `verdicts` and are dropped if it is full.
    fn open(&self, verdicts: mpsc::Sender<Verdict>) -> Box<dyn Windows>;
}

/// Where one call's windows of sound go. Dropping it ends the detection.
pub trait Windows: Send {
    /// Hands in a window of 8 kHz sound. Never waits: `false` when there is no room, and then no
    /// verdict will come for it.
    fn submit(&mut self, window: u64, samples: &[i16; WINDOW]) -> bool;
}

/// How likely a window holds speech.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Verdict {
    /// Which window.
    pub window: u64,
    /// Between 0 and 1.
    pub probability: f32,
}

/// One speech vendor, as the list of vendors holds it.
#[derive(Clone, Copy)]
pub struct Entry {
    /// As written in the configuration under `[speech] vendor`.
    pub name: &'static str,
    /// What it may be told.
    pub keys: &'static [crate::Key],
    /// What it hears and speaks: `en` stands for every English.
    pub languages: &'static [&'static str],
    /// Says what is wrong with what it was told, without loading anything.
    pub check: fn(&crate::Settings) -> Result<(), Vec<crate::Problem>>,
    /// Builds it. May take seconds: it loads what it takes to speak. Call it where blocking is
    /// allowed.
    pub build: fn(&crate::Settings) -> Result<Voice, Fault>,
}
