//! What the fuzzers found worth keeping, and what was planted, told to every decoder again: as it is, and bent.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fuzz::{DECODERS, Decoder};

#[test]
fn every_decoder_keeps_its_promises_whatever_was_found() {
    for decoder in DECODERS {
        for (name, bytes) in corpus(decoder) {
            // Shown if the test fails: the last of these is what broke it.
            println!("{}/{name}", decoder.name);
            (decoder.tell)(&bytes);
        }
    }
}

/// A poor man's fuzzer, for every change: the same bytes with a few of them wrong. `FUZZ_BENDS` has each bent
/// that many times.
#[test]
fn every_decoder_keeps_its_promises_when_that_is_bent() {
    let bends = std::env::var("FUZZ_BENDS").ok();
    let bends = bends.and_then(|it| it.parse().ok()).unwrap_or(BENDS);
    let only = std::env::var("FUZZ_ONLY").unwrap_or_default();
    let told = DECODERS.iter().filter(|it| it.name.contains(&only));
    let broken: Vec<String> = told.filter_map(|it| broken(it, bends)).collect();
    assert!(broken.is_empty(), "a promise is broken: {broken:#?}");
}

/// The first bend that breaks a decoder, where it was put.
fn broken(decoder: &Decoder, bends: u64) -> Option<String> {
    let corpus: Vec<_> = corpus(decoder).into_iter().map(|(_, it)| it).collect();
    let mut dice = Dice(bends);
    for (at, bytes) in corpus.iter().enumerate() {
        for bend in 0..bends {
            let mut bent = bytes.clone();
            for _ in 0..=dice.roll(3) {
                dice.bend(&mut bent, &corpus);
            }
            bent.truncate(decoder.longest);
            if std::panic::catch_unwind(|| (decoder.tell)(&bent)).is_err() {
                let found = std::env::temp_dir().join(format!("{}-{at}-{bend}", decoder.name));
                fs::write(&found, &bent).expect("there is room for a few bytes");
                return Some(found.display().to_string());
            }
        }
    }
    None
}

#[test]
fn every_decoder_is_a_target() {
    let listed: BTreeSet<String> = DECODERS.iter().map(|it| it.name.to_owned()).collect();
    assert_eq!(listed.len(), DECODERS.len(), "two have the same name");
    let files = fs::read_dir(here("libfuzzer/targets")).expect("it is there");
    let targets: BTreeSet<String> = files
        .map(|it| it.expect("it is there").path())
        .filter_map(|it| Some(it.file_stem()?.to_str()?.to_owned()))
        .collect();
    assert_eq!(targets, listed);
    let manifest = fs::read_to_string(here("libfuzzer/Cargo.toml")).expect("it is there");
    for name in &listed {
        let target = fs::read_to_string(here(&format!("libfuzzer/targets/{name}.rs")));
        let tells = format!("fuzz::tell(\"{name}\"");
        assert!(target.is_ok_and(|it| it.contains(&tells)), "{name}");
        let built = format!("name = \"{name}\"\npath = \"targets/{name}.rs\"");
        assert!(manifest.contains(&built), "{name}");
    }
}

/// So that nobody who clones the house has to fetch more than two megabytes of this.
#[test]
fn the_corpora_are_small() {
    let all = DECODERS.iter().flat_map(corpus);
    let size: usize = all.map(|(_, bytes)| bytes.len()).sum();
    assert!(size < 2 * 1024 * 1024, "{size} bytes");
}

/// In the order of their names, so that the same bends come of them everywhere.
fn corpus(decoder: &Decoder) -> Vec<(String, Vec<u8>)> {
    let folder = here(&format!("corpus/{}", decoder.name));
    let files = fs::read_dir(folder).expect("every decoder has a corpus");
    let mut all: Vec<_> = files
        .map(|it| it.expect("it is there"))
        .map(|it| (it.file_name(), fs::read(it.path()).expect("it is there")))
        .map(|(name, bytes)| (name.to_string_lossy().into_owned(), bytes))
        .collect();
    all.sort();
    assert!(!all.is_empty(), "{} has nothing to read", decoder.name);
    all
}

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// Random numbers, the same for the same seed (splitmix64).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((x ^ (x >> 31)) % sides.max(1) as u64) as usize
    }

    fn bend(&mut self, bytes: &mut Vec<u8>, others: &[Vec<u8>]) {
        let at = self.roll(bytes.len() + 1);
        let end = (at + self.roll(16)).min(bytes.len());
        match self.roll(8) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            3 => {
                let other = &others[self.roll(others.len())];
                let from = self.roll(other.len() + 1);
                let to = (from + self.roll(64)).min(other.len());
                bytes.splice(at..end, other[from..to].iter().copied());
            }
            4 => bytes.insert(at, ODD[self.roll(ODD.len())]),
            5 => {
                let digit = bytes[at..].iter().position(u8::is_ascii_digit);
                if let Some(digit) = digit {
                    bytes[at + digit] = b'0' + self.roll(10) as u8;
                }
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.roll(8);
                }
            }
        }
    }
}

/// What decoders often trip over.
const ODD: &[u8] = b"\0\n\r\"'\\/%&=;<>{}[],:+-.0Ee9~\x7f\x80\xc3\xe2\xff";

const BENDS: u64 = 200;
