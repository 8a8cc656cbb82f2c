//! How well the keys of a telephone are heard, through G.711 µ-law and among speech.
//!
//! `cargo bench -p media --bench keys` (or `cargo xtask bench keys`) presses each of the sixteen keys
//! fifty times as ITU-T Q.23 and Q.24 let telephones press them, and again at the very limits of what
//! they let pass; then it plays speech in which nobody presses anything, of Debian's prompt packages
//! and synthetic voices. It fails if one key is missed, doubled or taken for another, or one is heard
//! in speech. Every figure stands twice, for two seeds: the detector was made with an eye on the first,
//! the second is there to contradict it, and may be any (`--seed=N`). With `--all` each failure is
//! listed.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

mod dial;
#[path = "../machines/voices.rs"]
mod voices;

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use dial::{Dice, KEYS, Manner, Press};
use media::{Codec, Detector, Echo, Format, Law, Line, Packet, Rate, Session, Setup};

fn main() -> ExitCode {
    let held_out = std::env::args().find_map(|it| it.strip_prefix("--seed=")?.parse().ok());
    let mut table = Table {
        seeds: [1, held_out.unwrap_or(2)],
        list: std::env::args().any(|it| it == "--all"),
        good: true,
    };
    let [first, second] = table.seeds.map(|it| format!("seed {it}"));
    row("", &first, &second, "goal");
    table.pressed(Manner::Usual, "usual");
    table.pressed(Manner::Limits, "at the limits");
    let recorded = said(voices::prompts());
    table.unpressed("recorded speech", &recorded);
    let spoken = |text: &&str| voices::VOICES.map(|it| it.say(text));
    let synthetic = said(TEXTS.iter().flat_map(spoken).collect());
    table.unpressed("synthetic speech", &synthetic);
    let minutes = recorded.len() / 8_000 / 60;
    if minutes < ENOUGH {
        println!("only {minutes} minutes: asterisk-core-sounds-en-wav is not installed");
    }
    if table.good && minutes >= ENOUGH {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// The figures, as they are printed.
struct Table {
    seeds: [u64; 2],
    /// Whether each failure is named.
    list: bool,
    /// Whether every goal was reached so far.
    good: bool,
}

impl Table {
    fn pressed(&mut self, manner: Manner, name: &str) {
        let all = self.seeds.map(|seed| Tally::of(seed, manner, self.list));
        let mut line = |what: &str, figure: fn(&Tally) -> usize, goal: usize| {
            self.line(&format!("{name}: {what}"), all.each_ref().map(figure), goal);
        };
        line("keys pressed", |it| it.pressed, KEYS.len() * TIMES);
        line("heard once, and right", |it| it.right, KEYS.len() * TIMES);
        line("missed", |it| it.missed, 0);
        line("wrong", |it| it.wrong, 0);
        line("doubled", |it| it.doubled, 0);
    }

    fn unpressed(&mut self, name: &str, speech: &[i16]) {
        let minutes = speech.len() as f64 / 8_000.0 / 60.0;
        for level in LEVELS {
            let keys = self
                .seeds
                .map(|it| false_keys(speech, level, it, self.list));
            let what = format!("false keys, {minutes:.0} min of {name}, {level} dB");
            self.line(&what, keys, 0);
        }
    }

    fn line(&mut self, what: &str, figures: [usize; 2], goal: usize) {
        self.good &= figures == [goal; 2];
        let [first, second] = figures.map(|it| it.to_string());
        row(what, &first, &second, &goal.to_string());
    }
}

fn row(what: &str, first: &str, second: &str, goal: &str) {
    println!("{what:<50}{first:>12}{second:>12}{goal:>8}");
}

/// What became of the keys that were pressed.
#[derive(Default)]
struct Tally {
    pressed: usize,
    right: usize,
    missed: usize,
    wrong: usize,
    doubled: usize,
}

impl Tally {
    /// Presses every key [`TIMES`] times, in no order, on one call.
    fn of(seed: u64, manner: Manner, list: bool) -> Self {
        let mut dice = Dice::new(seed);
        let presses = dial::presses(&mut dice, manner, TIMES);
        let mut sound = vec![0.0; 8_000];
        let mut begins = Vec::new();
        for press in &presses {
            begins.push(sound.len());
            press.add_to(&mut sound, &mut dice);
        }
        sound.extend([0.0; 8_000]);
        let mut heard = vec![String::new(); presses.len()];
        let mut nobody = 0;
        listen(sound.iter().map(|it| *it as i16), |at, key| {
            // A key is known when the frame it became certain in is here, and not before that.
            match begins.iter().rposition(|it| it + EARLIEST <= at) {
                Some(index) => heard[index].push(key),
                None => nobody += 1,
            }
        });
        let mut tally = Self {
            wrong: nobody,
            ..Self::default()
        };
        for (press, heard) in presses.iter().zip(&heard) {
            tally.count(press, heard);
            if list && *heard != press.key.to_string() {
                println!("{press}: heard {heard:?}");
            }
        }
        tally
    }

    fn count(&mut self, press: &Press, heard: &str) {
        let right = heard.matches(press.key).count();
        self.pressed += 1;
        self.right += usize::from(right == 1 && heard.chars().count() == 1);
        self.missed += usize::from(right == 0);
        self.doubled += right.saturating_sub(1);
        self.wrong += heard.chars().count() - right;
    }
}

impl fmt::Display for Press {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            tones: [row, column],
            ..
        } = self;
        let (length, pause) = (self.length / 8, self.pause / 8);
        write!(f, "{key}: {row}, {column}, {length} ms, {pause} ms")
    }
}

/// One after the other, with half a second between them.
fn said(parts: Vec<Vec<i16>>) -> Vec<i16> {
    let gap = [0; 4_000];
    let with_gap = |it: Vec<i16>| it.into_iter().chain(gap);
    parts.into_iter().flat_map(with_gap).collect()
}

/// How many keys are heard where nobody pressed any. The seed says where its frames begin, and what
/// noise there is on the line.
fn false_keys(speech: &[i16], level: i32, seed: u64, list: bool) -> usize {
    let mut dice = Dice::new(seed);
    let gain = dial::ratio(f64::from(level));
    let shift = dice.below(160);
    let noisy = |it: &i16| {
        let noise = dice.noise() * dial::peak(LINE_NOISE);
        (f64::from(*it) * gain + noise).clamp(-32_768.0, 32_767.0) as i16
    };
    let mut keys = 0;
    listen(speech.iter().skip(shift).map(noisy), |at, key| {
        keys += 1;
        if list {
            println!(
                "{key} in speech at {:.2} s, {level} dB",
                at as f64 / 8_000.0
            );
        }
    });
    keys
}

/// Sends sound over a µ-law line to the ear of a call, and says after which sample each key was heard.
fn listen(sound: impl Iterator<Item = i16>, mut pressed: impl FnMut(usize, char)) {
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
    let line: Vec<u8> = sound.map(|it| Law::Mu.encode(it)).collect();
    for (index, payload) in line.chunks_exact(160).enumerate() {
        session.receive(Packet {
            index: index as u64,
            payload,
        });
        while session.ready() {
            let now = Duration::from_millis(20) * index as u32;
            if let Some(key) = session.tick(now, |_| {}).key {
                pressed((index + 1) * 160, key);
            }
        }
    }
}

/// How often each key is pressed.
const TIMES: usize = 50;
/// No key is certain before so many samples of it are here: Q.24 has less than 23 ms ignored.
const EARLIEST: usize = 23 * 8;
/// How loud the speech is, beside how it was recorded: in dB.
const LEVELS: [i32; 4] = [6, 0, -10, -20];
/// What is always on a line, in dBm0.
const LINE_NOISE: f64 = -60.0;
/// Minutes of recorded speech.
const ENOUGH: usize = 10;

/// What the voices say: long enough to go through the sounds of the language.
const TEXTS: &[&str] = &[
    "When the sunlight strikes raindrops in the air, they act as a prism and form a rainbow. The rainbow is a division of white light into many beautiful colours.",
    "Hello, you are through to the front desk. I would like to change my booking from Tuesday the nineteenth to Friday the twenty second, for four people, if that is possible.",
    "My number is zero two zero, seven nine four six, zero nine five eight. The reference is B D three eight C, five six one two A.",
    "Oh no! Really? Ha ha, that is wonderful. Well, see you soon then, bye, bye, bye bye.",
];
