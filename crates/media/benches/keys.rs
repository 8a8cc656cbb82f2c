//! How well a telephone's keys are heard in its sound, through µ-law, and how often speech is taken for
//! one.
//!
//! `cargo bench -p media --bench keys` (or `cargo xtask bench keys`) presses every key fifty times, each
//! time a little differently, as ITU-T Q.23 and Q.24 let telephones differ, and then listens to the
//! prompts of Debian's packages. It fails where a key is missed, taken for another or heard twice, or
//! where speech is taken for one.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

#[path = "machines/voices.rs"]
#[expect(dead_code, reason = "its synthetic voices are not needed here")]
mod voices;

use std::f64::consts::TAU;
use std::process::ExitCode;
use std::time::Duration;

use media::{Codec, Detector, Echo, Format, Law, Line, Packet, Rate, Session, Setup};

fn main() -> ExitCode {
    let mut good = true;
    // The second is not the one that anything was ever tried out with.
    for seed in [7, 20_261_123] {
        good &= keys(seed);
    }
    good &= speech();
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Presses every key and counts what is heard.
fn keys(seed: u64) -> bool {
    let mut dice = Dice(seed);
    let (mut right, mut missed, mut wrong, mut doubled) = (0, 0, 0, 0);
    let mut pressed = 0;
    for turn in 0..TURNS {
        for (row, column) in (0..4).flat_map(|row| (0..4).map(move |column| (row, column))) {
            let key = KEYS[row][column];
            let press = Press::of(row, column, turn, &mut dice);
            let heard = listen(&press.sound(&mut dice));
            pressed += 1;
            match &heard[..] {
                [one] if *one == key => right += 1,
                [] => missed += 1,
                [_] => wrong += 1,
                [_, _, ..] => doubled += 1,
            }
            if heard != [key] {
                println!("{key}: heard {heard:?}: {press:?}");
            }
        }
    }
    println!("seed {seed}: {pressed} keys of -10 to -30 dBm0");
    row(
        "recognised",
        &format!("{:.2} %", 100.0 * f64::from(right) / f64::from(pressed)),
        "100 %",
    );
    row(
        "missed, taken for another, heard twice",
        &format!("{missed}, {wrong}, {doubled}"),
        "0",
    );
    right == pressed
}

/// Listens to speech at several levels, and counts what is taken for keys.
fn speech() -> bool {
    let prompts = voices::prompts();
    let samples: usize = prompts.iter().map(Vec::len).sum();
    let minutes = samples as f64 / 8_000.0 / 60.0;
    let mut none = true;
    println!("speech: {minutes:.1} minutes, three times");
    for (name, gain) in [
        ("as it is", 1.0),
        ("6 dB louder", 2.0),
        ("12 dB softer", 0.25),
    ] {
        let heard: usize = prompts
            .iter()
            .map(|prompt| {
                let louder = prompt.iter().map(|it| clip(f64::from(*it) * gain));
                listen(&louder.collect::<Vec<_>>()).len()
            })
            .sum();
        row(&format!("taken for keys, {name}"), &heard.to_string(), "0");
        none &= heard == 0;
    }
    if minutes < 10.0 {
        println!("that is less than ten minutes: apt install asterisk-core-sounds-en-wav");
    }
    none && minutes >= 10.0
}

/// One press of a key, as one telephone makes it.
#[derive(Debug)]
struct Press {
    /// In hertz.
    tones: [f64; 2],
    /// Of each tone, in dBm0.
    levels: [f64; 2],
    phases: [f64; 2],
    length: Duration,
    /// Before it.
    quiet: Duration,
}

impl Press {
    fn of(row: usize, column: usize, turn: u32, dice: &mut Dice) -> Self {
        // Evenly over the range, so that its ends are there.
        let level = -10.0 - 20.0 * f64::from(turn) / f64::from(TURNS - 1);
        let twist = dice.between(-4.0, 4.0);
        let off = |dice: &mut Dice| 1.0 + dice.between(-0.015, 0.015);
        Self {
            tones: [ROWS[row] * off(dice), COLUMNS[column] * off(dice)],
            levels: [level, (level + twist).clamp(-30.0, -10.0)],
            phases: [dice.between(0.0, TAU), dice.between(0.0, TAU)],
            length: Duration::from_secs_f64(dice.between(0.040, 0.120)),
            quiet: Duration::from_secs_f64(dice.between(0.100, 0.140)),
        }
    }

    /// With the noise of a line, at about -60 dBm0.
    fn sound(&self, dice: &mut Dice) -> Vec<i16> {
        let samples = |time: Duration| (time.as_secs_f64() * 8_000.0) as usize;
        let quiet = samples(self.quiet);
        let end = quiet + samples(self.length);
        let sample = |at: usize| {
            let noise = dice.between(-40.0, 40.0);
            let is_down = (quiet..end).contains(&at);
            let tones = self.tones.iter().zip(self.levels).zip(self.phases);
            let tones = tones.map(|((hz, level), phase)| {
                amplitude(level) * (TAU * hz * at as f64 / 8_000.0 + phase).sin()
            });
            let tones: f64 = if is_down { tones.sum() } else { 0.0 };
            clip(tones + noise)
        };
        (0..end + 1_600).map(sample).collect()
    }
}

/// The peak of a tone of so many dBm0: one that just fits into µ-law has +3.17 (ITU-T G.711).
fn amplitude(dbm0: f64) -> f64 {
    f64::from(LOUDEST) * 10.0_f64.powf((dbm0 - 3.17) / 20.0)
}

/// What a call hears in this sound, sent through µ-law.
fn listen(sound: &[i16]) -> Vec<char> {
    let format = Format {
        codec: Codec::Ulaw,
        rate: Rate::Hz8000,
    };
    let mut session = Session::new(Setup {
        format,
        spoken: format,
        line: Line::Ordered,
        detector: Detector::Energy,
        lead: Duration::from_millis(100),
        echo: Echo::Guarded,
    });
    let mut heard = Vec::new();
    for (index, frame) in sound.chunks(160).enumerate() {
        let payload: Vec<u8> = frame.iter().map(|it| Law::Mu.encode(*it)).collect();
        session.receive(Packet {
            index: index as u64,
            payload: &payload,
        });
        while session.ready() {
            let now = Duration::from_millis(20) * index as u32;
            heard.extend(session.tick(now, |_| {}).key);
        }
    }
    heard
}

fn clip(sample: f64) -> i16 {
    sample.round().clamp(-32_768.0, 32_767.0) as i16
}

fn row(what: &str, figure: &str, goal: &str) {
    println!("  {what:<46}{figure:>12}{goal:>8}");
}

/// The same numbers for the same seed (xorshift64*).
struct Dice(u64);

impl Dice {
    fn between(&mut self, low: f64, high: f64) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let rolled = self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11;
        low + (high - low) * rolled as f64 / (1_u64 << 53) as f64
    }
}

const TURNS: u32 = 50;
/// What the greatest code decodes to (ITU-T G.711).
const LOUDEST: i16 = 32_124;
const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1_209.0, 1_336.0, 1_477.0, 1_633.0];
const KEYS: [[char; 4]; 4] = [
    ['1', '2', '3', 'A'],
    ['4', '5', '6', 'B'],
    ['7', '8', '9', 'C'],
    ['*', '0', '#', 'D'],
];
