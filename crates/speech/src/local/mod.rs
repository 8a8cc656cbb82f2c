//! Speech on this machine, without a vendor: Moonshine hears, Silero and Smart-Turn judge, Piper
//! speaks, and flite speaks where Piper cannot.

mod detector;
mod ears;
mod flite;
mod moonshine;
mod mouth;
mod onnx;
mod phonemes;
mod phrases;
mod piper;
mod pool;
mod say;
mod scribe;
mod shelf;
mod silero;
mod sound;
mod turn;
mod works;

use std::sync::Arc;

use ports::speech::{Entry, SpeechDetector, Voice};
use ports::{Blame, Fault, Key, Kind, Need, Settings, code};

use crate::models::Store;
pub use detector::Detector;
use ears::{Ears, Turns};
use mouth::Mouth;
use phrases::Phrases;
use pool::Pool;
pub use scribe::{Reader, Scribe};
pub use works::Speaker;
use works::Works;

/// How the configuration calls it.
pub const ENTRY: Entry = Entry {
    name: "local",
    keys: &[
        Key {
            name: "voice",
            kind: Kind::Text,
            need: Need::Optional,
            help: "`piper` or `flite`; the best there is if left out",
        },
        Key {
            name: "threads",
            kind: Kind::Number,
            need: Need::Optional,
            help: "how many threads run the models; one for each core if left out",
        },
    ],
    build: |settings| build(&Store::of_user(), settings),
};

/// Loads the models of a store. Blocks for seconds.
///
/// # Errors
/// Says what to run where the ears' model, or every voice, is missing. The detector and the judge
/// of turns can be done without.
pub fn build(store: &Store, settings: &Settings) -> Result<Voice, Fault> {
    let threads = settings
        .number("threads")
        .map_or_else(cores, |it| it.clamp(1, MOST_THREADS) as usize);
    let works = Works::of(store, threads);
    works.ears.warm()?;
    let speaker = match settings.text("voice") {
        None => works::best(&works)?,
        Some("piper") => works.mouth.warm().map(|()| Speaker::Piper)?,
        Some("flite") => flite::require().map(|()| Speaker::Flite)?,
        Some(other) => {
            let message = format!("there is no voice `{other}`");
            let fault = Fault::new(Blame::Config, code::CONFIG_INVALID, message);
            return Err(fault.hint("set `voice` to `piper` or `flite`, or leave it out"));
        }
    };
    let turns = match works.turn.warm() {
        Ok(()) => Turns::Judged,
        Err(fault) => {
            tracing::warn!(
                code = fault.code,
                reason = fault.message,
                "silence alone ends turns"
            );
            Turns::Unjudged
        }
    };
    let pool = Pool::start(threads);
    Ok(Voice {
        ears: Arc::new(Ears {
            works: Arc::clone(&works),
            pool: pool.clone(),
            turns,
        }),
        mouth: Arc::new(Mouth {
            works,
            pool,
            speaker,
            phrases: Arc::new(Phrases::new(KEPT_PHRASES)),
        }),
        detector: detector(store),
    })
}

fn detector(store: &Store) -> Option<Arc<dyn SpeechDetector>> {
    match Detector::start(store) {
        Ok(detector) => Some(Arc::new(detector)),
        Err(fault) => {
            tracing::warn!(
                code = fault.code,
                reason = fault.message,
                "loudness alone tells speech"
            );
            None
        }
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

const MOST_THREADS: u64 = 256;
/// In bytes: about a quarter of an hour of speech at 8 kHz.
const KEPT_PHRASES: usize = 16 << 20;
