//! Voices: recorded prompts of Debian's packages, and what its synthesizers say.

use std::path::{Path, PathBuf};
use std::process::Command;

use media::Resampler;

/// Who speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Voice {
    Flite(&'static str),
    Espeak(&'static str),
}

pub(crate) const VOICES: [Voice; 12] = [
    Voice::Flite("slt"),
    Voice::Espeak("en-us"),
    Voice::Flite("rms"),
    Voice::Espeak("en-gb+f2"),
    Voice::Flite("awb"),
    Voice::Espeak("en-us+f3"),
    Voice::Flite("kal"),
    Voice::Espeak("en-gb+m3"),
    Voice::Flite("kal16"),
    Voice::Espeak("en-gb-scotland+f4"),
    Voice::Espeak("en-us+m7"),
    Voice::Espeak("en-gb-x-rp+f1"),
];

impl Voice {
    /// What is said, at 8 kHz, without the silence around it. Empty where the synthesizer is not installed.
    pub(crate) fn say(self, text: &str) -> Vec<i16> {
        let file = scratch();
        let mut command = match self {
            Self::Flite(voice) => {
                let mut command = Command::new("flite");
                command.args(["-voice", voice, "-t", text, "-o"]).arg(&file);
                command
            }
            Self::Espeak(voice) => {
                let mut command = Command::new("espeak-ng");
                command
                    .args(["-v", voice, "-s", "160", "-w"])
                    .arg(&file)
                    .arg(text);
                command
            }
        };
        let said = command.output().is_ok_and(|it| it.status.success());
        let sound = if said { read(&file) } else { None };
        // It is in the way of nobody if it stays.
        let _ = std::fs::remove_file(&file);
        trimmed(sound.unwrap_or_default())
    }
}

/// One recorded prompt. `None` where it is not installed.
pub(crate) fn prompt(name: &str) -> Option<Vec<i16>> {
    let path = Path::new(PROMPTS).join(name).with_extension("wav");
    read(&path).map(trimmed)
}

/// All recorded prompts that are speech.
pub(crate) fn prompts() -> Vec<Vec<i16>> {
    let Ok(folder) = std::fs::read_dir(PROMPTS) else {
        return Vec::new();
    };
    let names = folder.filter_map(|it| Some(it.ok()?.path().file_stem()?.to_str()?.to_owned()));
    let mut names: Vec<String> = names.filter(|it| !TONES.contains(&it.as_str())).collect();
    names.sort();
    names.iter().filter_map(|it| prompt(it)).collect()
}

fn read(path: &Path) -> Option<Vec<i16>> {
    let file = hound::WavReader::open(path).ok()?;
    let rate = file.spec().sample_rate;
    let samples: Vec<i16> = file.into_samples::<i16>().collect::<Result<_, _>>().ok()?;
    if rate == 8_000 {
        return Some(samples);
    }
    let mut thinned = Vec::new();
    Resampler::new(rate, 8_000).push(&samples, &mut thinned);
    Some(thinned)
}

/// Without what is quieter than a hundredth of full scale before and behind.
fn trimmed(samples: Vec<i16>) -> Vec<i16> {
    let loud = |it: &i16| it.unsigned_abs() > 330;
    let first = samples.iter().position(loud).unwrap_or(0);
    let last = samples.iter().rposition(loud).map_or(0, |it| it + 1);
    samples[first.min(last)..last].to_vec()
}

fn scratch() -> PathBuf {
    std::env::temp_dir().join(format!("offhook-machines-{}.wav", std::process::id()))
}

const PROMPTS: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";

/// Some are tones by trade.
const TONES: [&str; 6] = [
    "beep",
    "beeperr",
    "ascending-2tone",
    "descending-2tone",
    "confbridge-join",
    "confbridge-leave",
];
