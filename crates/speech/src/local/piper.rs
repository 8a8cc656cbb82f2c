//! Piper, voice en_US-joe-medium: sounds of words to sound.

use std::collections::BTreeMap;
use std::fs;

use ort::value::TensorRef;
use ports::{Blame, Fault, code};
use serde::Deserialize;

use super::onnx::{self, Model, failed};
use super::phonemes::Phonemes;
use crate::models::Store;

/// One copy of the voice, with its own espeak-ng.
pub(super) struct Piper {
    voice: Model,
    phonemes: Phonemes,
    ids: BTreeMap<char, i64>,
    scales: [f32; 3],
    rate: u32,
}

#[derive(Deserialize)]
struct Config {
    audio: Audio,
    inference: Inference,
    phoneme_id_map: BTreeMap<String, Vec<i64>>,
}

#[derive(Deserialize)]
struct Audio {
    sample_rate: u32,
}

#[derive(Deserialize)]
struct Inference {
    noise_scale: f32,
    length_scale: f32,
    noise_w: f32,
}

impl Piper {
    /// Loads it.
    pub(super) fn load(store: &Store) -> Result<Self, Fault> {
        let path = store.require("piper/en_US-joe-medium.onnx.json")?;
        let broken = || {
            Fault::new(
                Blame::Config,
                code::SPEECH_MODEL_BROKEN,
                "the voice's description makes no sense",
            )
            .hint("run `offhook models verify`")
        };
        let text = fs::read_to_string(path).map_err(|wrong| broken().because(wrong))?;
        let config: Config =
            serde_json::from_str(&text).map_err(|wrong| broken().because(wrong))?;
        let ids = config.phoneme_id_map.iter().filter_map(|(name, ids)| {
            let mut chars = name.chars();
            let only = chars.next().filter(|_| chars.next().is_none())?;
            Some((only, *ids.first()?))
        });
        Ok(Self {
            phonemes: Phonemes::start()?,
            voice: onnx::open_fast(store, "piper/en_US-joe-medium.onnx")?,
            ids: ids.collect(),
            scales: [
                config.inference.noise_scale,
                config.inference.length_scale,
                config.inference.noise_w,
            ],
            rate: config.audio.sample_rate,
        })
    }

    /// Samples per second of what it says.
    pub(super) fn rate(&self) -> u32 {
        self.rate
    }

    /// Says some text. Empty if there is nothing to say.
    pub(super) fn say(&mut self, text: &str) -> Result<Vec<f32>, Fault> {
        let ipa = self.phonemes.of(text)?;
        if ipa.is_empty() {
            return Ok(Vec::new());
        }
        let ids = self.sequence(&ipa);
        self.run(&ids).map_err(failed)
    }

    /// What the voice was trained on: a start, a pause after every sound, an end.
    fn sequence(&self, ipa: &str) -> Vec<i64> {
        let known = ipa.chars().filter_map(|it| self.ids.get(&it));
        let sounds = known.flat_map(|id| [*id, PAUSE]);
        [START, PAUSE]
            .into_iter()
            .chain(sounds)
            .chain([END])
            .collect()
    }

    fn run(&mut self, ids: &[i64]) -> ort::Result<Vec<f32>> {
        let length = [ids.len() as i64];
        let inputs = ort::inputs![
            "input" => TensorRef::from_array_view(([1, ids.len()], ids))?,
            "input_lengths" => TensorRef::from_array_view(([1_usize], &length[..]))?,
            "scales" => TensorRef::from_array_view(([3_usize], &self.scales[..]))?,
        ];
        let out = self.voice.run(inputs)?;
        let (_, samples) = out["output"].try_extract_tensor::<f32>()?;
        Ok(samples.to_vec())
    }
}

const PAUSE: i64 = 0;
const START: i64 = 1;
const END: i64 = 2;
