//! Speech on this machine, without a vendor: Moonshine hears, Silero and Smart-Turn judge, Piper
//! speaks, and flite speaks where Piper cannot.

mod detector;
mod ears;
mod figures;
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

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread;

use ports::speech::{Entry, SpeechDetector, Voice};
use ports::{Blame, Fault, Key, Kind, Need, Problem, Settings, code};

use crate::models::Store;
pub use detector::Detector;
use ears::{Ears, Turns};
use moonshine::Moonshine;
use mouth::Mouth;
pub(crate) use onnx::rest;
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
    languages: &["en"],
    check,
    build: |settings| build(&Store::of_user(), settings),
};

fn check(settings: &Settings) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    let mut problem = |key, message, hint: &str| {
        let hint = hint.to_owned();
        problems.push(Problem { key, message, hint });
    };
    match settings.text("voice") {
        None | Some("piper" | "flite") => {}
        Some(other) => problem("voice", no_voice(other), VOICES),
    }
    match settings.number("threads") {
        None | Some(1..=MOST_THREADS) => {}
        Some(other) => {
            let hint = format!("write 1 to {MOST_THREADS}, or leave it out");
            problem("threads", format!("{other} threads make no sense"), &hint);
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

fn no_voice(name: &str) -> String {
    format!("there is no voice `{name}`")
}

const VOICES: &str = "set it to `piper` or `flite`, or leave it out";

/// Loads the voice of a store, and leaves the rest to [`ports::speech::Transcriber::warm`]: calls that
/// broke off wait to be spoken to. Blocks for a second.
///
/// # Errors
/// Says what to run where the ears' model, or every voice, is missing. The detector and the judge
/// of turns can be done without.
pub fn build(store: &Store, settings: &Settings) -> Result<Voice, Fault> {
    let threads = settings
        .number("threads")
        .map_or_else(cores, |it| it.clamp(1, MOST_THREADS) as usize);
    Moonshine::find(store)?;
    let works = Works::of(store, threads);
    let (speaker, turns, detector) = thread::scope(|at_once| {
        let others = at_once.spawn(|| (turns(&works), detector(store)));
        let speaker = speaker(&works, settings.text("voice"));
        let others = others.join();
        let (turns, detector) = others.unwrap_or_else(|broken| resume_unwind(broken));
        (speaker, turns, detector)
    });
    let speaker = speaker?;
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
        detector,
    })
}

fn speaker(works: &Works, chosen: Option<&str>) -> Result<Speaker, Fault> {
    match chosen {
        None => works::best(works),
        Some("piper") => works.mouth.warm().map(|()| Speaker::Piper),
        Some("flite") => flite::require().map(|()| Speaker::Flite),
        Some(other) => {
            let fault = Fault::new(Blame::Config, code::CONFIG_INVALID, no_voice(other));
            Err(fault.hint(VOICES))
        }
    }
}

fn turns(works: &Works) -> Turns {
    match works.turn.warm() {
        Ok(()) => Turns::Judged,
        Err(fault) => {
            tracing::warn!(
                code = fault.code,
                reason = fault.message,
                "silence alone ends turns"
            );
            Turns::Unjudged
        }
    }
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
