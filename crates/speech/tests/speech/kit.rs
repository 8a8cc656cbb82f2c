//! What the tests share: the models, the line, and sounds.

use std::f64::consts::TAU;
use std::path::Path;
use std::sync::OnceLock;

use media::{Law, Rate};
use speech::local::Scribe;
use speech::models::{State, Store};
use speech::words;

/// The store with all models in it.
pub(crate) fn models() -> Store {
    let store = Store::of_user();
    for model in store.list() {
        assert!(
            matches!(model.state, State::Present(_)),
            "the model `{}` is not in {}: run `offhook models fetch`",
            model.name,
            store.dir().display()
        );
    }
    store
}

/// Writes down what is said; loaded once for all tests.
pub(crate) fn scribe() -> &'static Scribe {
    static SCRIBE: OnceLock<Scribe> = OnceLock::new();
    SCRIBE.get_or_init(|| Scribe::open(&models()).expect("all models are there"))
}

/// What sound becomes on its way through a telephone network.
pub(crate) fn over_the_line(samples: &[i16]) -> Vec<i16> {
    samples
        .iter()
        .map(|it| Law::Mu.decode(Law::Mu.encode(*it)))
        .collect()
}

/// One of the recorded prompts of a telephone exchange, at 8 kHz.
pub(crate) fn prompt(name: &str) -> Vec<i16> {
    let path = Path::new(PROMPTS).join(format!("{name}.wav"));
    let wav = hound::WavReader::open(&path);
    let wav = wav.unwrap_or_else(|_| panic!("{} is missing: run `{INSTALL}`", path.display()));
    assert_eq!(wav.spec().sample_rate, 8_000, "{name}");
    let samples = wav.into_samples::<i16>();
    samples.map(|it| it.expect("the file is whole")).collect()
}

/// Words heard wrongly, and words said.
#[derive(Default)]
pub(crate) struct Score {
    wrong: f64,
    said: usize,
}

impl Score {
    pub(crate) fn add(&mut self, said: &str, heard: &str) {
        let rate = words::error_rate(said, heard);
        self.wrong += rate * words::count(said) as f64;
        self.said += words::count(said);
        println!("{rate:.2}  {said}\n   →  {heard}");
    }

    pub(crate) fn rate(&self) -> f64 {
        self.wrong / self.said as f64
    }
}

/// Sine waves, all at once, each as loud as 1/8 of what there can be.
pub(crate) fn tones(hertz: &[f64], seconds: f64) -> Vec<i16> {
    let rate = f64::from(Rate::Hz8000.hz());
    let sample = |n: usize| {
        hertz
            .iter()
            .map(|it| 4_096.0 * (TAU * it * n as f64 / rate).sin())
            .sum::<f64>()
    };
    (0..(seconds * rate) as usize)
        .map(|n| sample(n) as i16)
        .collect()
}

/// White noise, the same every time.
pub(crate) fn noise(amplitude: i16, seconds: f64) -> Vec<i16> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 40) as f64 / f64::from(1 << 24) * 2.0 - 1.0
    };
    let count = (seconds * 8_000.0) as usize;
    (0..count)
        .map(|_| (next() * f64::from(amplitude)) as i16)
        .collect()
}

const PROMPTS: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";
const INSTALL: &str = "sudo apt-get install -y asterisk-core-sounds-en-wav";
