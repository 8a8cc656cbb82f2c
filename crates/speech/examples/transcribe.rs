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
        let text = scribe.transcribe(&samples, Rate::Hz8000)?;
        println!("{}", serde_json::to_string(&text)?);
    }
    Ok(())
}
