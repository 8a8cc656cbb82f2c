//! Writes down what is said in recordings of calls: for `cargo xtask restart`.
//!
//! `transcribe CHANNEL RECORDING…` reads this channel, counted from 0, of WAV files at 8 kHz, and
//! prints one JSON string for each, in order.

#![expect(clippy::print_stdout, reason = "its standard output is its report")]

use std::env;
use std::error::Error;

use media::Rate;
use speech::local::Scribe;
use speech::models::Store;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = env::args().skip(1);
    let channel: usize = arguments.next().ok_or("which channel?")?.parse()?;
    let scribe = Scribe::open(&Store::of_user())?;
    for path in arguments {
        let mut wav = hound::WavReader::open(&path).map_err(|wrong| format!("{path}: {wrong}"))?;
        let channels = usize::from(wav.spec().channels);
        let one = wav.samples::<i16>().skip(channel).step_by(channels);
        let samples: Vec<i16> = one.collect::<Result<_, _>>()?;
        let mut texts = Vec::new();
        for part in parts(&samples) {
            texts.push(scribe.transcribe(part, Rate::Hz8000)?);
        }
        println!("{}", serde_json::to_string(&texts.join(" "))?);
    }
    Ok(())
}

/// What lies between silences, each part alone: ears that know what came before may hear it again.
fn parts(samples: &[i16]) -> impl Iterator<Item = &[i16]> {
    let frames: Vec<&[i16]> = samples.chunks(FRAME).collect();
    let loud = |at: usize| frames[at].iter().any(|it| it.unsigned_abs() >= AUDIBLE);
    let loud: Vec<usize> = (0..frames.len()).filter(|at| loud(*at)).collect();
    let parts = loud.chunk_by(|one, next| next - one <= PAUSE);
    let parts: Vec<(usize, usize)> = parts.map(|it| (it[0], it[it.len() - 1])).collect();
    parts.into_iter().map(|(first, last)| {
        let from = first.saturating_sub(AROUND) * FRAME;
        &samples[from..samples.len().min((last + 1 + AROUND) * FRAME)]
    })
}

/// Samples in 20 ms, which is the unit of what follows.
const FRAME: usize = 160;
/// Speakers pause longer between sentences.
const PAUSE: usize = 7;
const AROUND: usize = 4;
/// What is below this, of 32,768, nobody hears.
const AUDIBLE: u16 = 64;
