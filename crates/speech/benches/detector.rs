//! How many calls one core can tell speech from other sound for, sound and all: every caller
//! speaks all the time, which none does.
//!
//! `cargo xtask bench silero` runs it on one core. Calls are taken through their sound in step and
//! as fast as they can be; nothing waits for a clock.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::error::Error;
use std::path::Path;
use std::time::{Duration, Instant};

use media::{Codec, Detector as Kind, FRAME, Format, Law, Line, Packet, Rate, Session, Setup};
use ports::speech::{SpeechDetector, Verdict, Windows};
use speech::local::Detector;
use speech::models::Store;
use tokio::sync::mpsc;

fn main() -> Result<(), Box<dyn Error>> {
    let calls = CALLS;
    let detector = Detector::start(&Store::of_user())?;
    let voice = voice()?;
    let mut lines: Vec<_> = (0..calls).map(|it| OneLine::new(&detector, it)).collect();
    // The first second loads what is loaded late.
    let mut asked = 0;
    for frame in 0..PER_SECOND {
        step(&mut lines, &voice, frame);
    }
    let began = Instant::now();
    for frame in PER_SECOND..PER_SECOND * (1 + SECONDS) {
        asked += step(&mut lines, &voice, frame);
    }
    let took = began.elapsed();
    let call_seconds = (calls * SECONDS) as f64;
    let each = took.as_secs_f64() / call_seconds;
    let most = (SECONDS * PER_SECOND * calls) as f64 * FRAME.as_secs_f64() / WINDOW_TIME;
    println!(
        "windows judged                {:>8.0} % of all",
        100.0 * asked as f64 / most
    );
    println!("CPU per call-second           {:>8.0} µs", each * 1e6);
    println!(
        "calls on one core             {:>8.0}    target ≥ {TARGET}",
        1.0 / each
    );
    Ok(())
}

/// Twenty milliseconds of every call, and every verdict it asks for. How many those were.
fn step(lines: &mut [OneLine], voice: &[u8], frame: usize) -> usize {
    let asked = lines
        .iter_mut()
        .map(|line| usize::from(line.hear(voice, frame)));
    let asked = asked.sum();
    for line in lines.iter_mut() {
        line.learn();
    }
    asked
}

/// One call's sound, and its end of the detector.
struct OneLine {
    session: Session,
    windows: Box<dyn Windows>,
    verdicts: mpsc::Receiver<Verdict>,
    /// Where in the voice this call begins: not all say the same thing at once.
    offset: usize,
    waiting: usize,
}

impl OneLine {
    fn new(detector: &Detector, index: usize) -> Self {
        let (judged, verdicts) = mpsc::channel(8);
        Self {
            session: Session::new(Setup {
                format: ULAW,
                spoken: ULAW,
                line: Line::Ordered,
                detector: Kind::Model,
                lead: Duration::from_millis(100),
                echo: media::Echo::Guarded,
            }),
            windows: detector.open(judged),
            verdicts,
            offset: index * 7_919,
            waiting: 0,
        }
    }

    /// Hears a frame. Whether the detector was asked about it.
    fn hear(&mut self, voice: &[u8], frame: usize) -> bool {
        let samples = Rate::Hz8000.samples_per_frame();
        let frames = voice.len() / samples;
        let start = (self.offset + frame) % frames * samples;
        self.session.receive(Packet {
            index: frame as u64,
            payload: &voice[start..start + samples],
        });
        let tick = self.session.tick(FRAME * frame as u32, |_| {});
        let Some((window, samples)) = tick.window else {
            return false;
        };
        assert!(
            self.windows.submit(window, samples),
            "the detector has room for every call"
        );
        self.waiting += 1;
        true
    }

    /// Waits for every verdict it asked for, and takes it.
    fn learn(&mut self) {
        while self.waiting > 0 {
            let verdict = self.verdicts.blocking_recv();
            let verdict = verdict.expect("the detector lives as long as its windows");
            self.session.judged(verdict.window, verdict.probability);
            self.waiting -= 1;
        }
    }
}

/// A recorded voice in µ-law, with its pauses cut out.
fn voice() -> Result<Vec<u8>, Box<dyn Error>> {
    let mut wav = hound::WavReader::open(Path::new(PROMPT))?;
    let samples = wav.samples::<i16>().collect::<Result<Vec<_>, _>>()?;
    let frames = samples.chunks_exact(Rate::Hz8000.samples_per_frame());
    let loud = frames.filter(|frame| frame.iter().any(|it| it.unsigned_abs() > PAUSE));
    let mut voice = Vec::new();
    for frame in loud {
        Law::Mu.encode_into(frame, &mut voice);
    }
    Ok(voice)
}

/// From the Debian package asterisk-core-sounds-en-wav: half a minute of one voice.
const PROMPT: &str = "/usr/share/asterisk/sounds/en_US_f_Allison/demo-congrats.wav";
/// A frame with no sample beyond this is a pause.
const PAUSE: u16 = 500;
const CALLS: usize = 300;
const SECONDS: usize = 10;
const PER_SECOND: usize = 50;
const WINDOW_TIME: f64 = 0.032;
const TARGET: usize = 300;

const ULAW: Format = Format {
    codec: Codec::Ulaw,
    rate: Rate::Hz8000,
};
