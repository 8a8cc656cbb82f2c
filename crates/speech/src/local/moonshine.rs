//! Moonshine base: English speech to words, a whole utterance at a time.

use std::borrow::Cow;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ort::memory::Allocator;
use ort::session::SessionInputValue;
use ort::value::{DynValue, Tensor, TensorRef};
use ports::{Blame, Fault, code};

use super::onnx::{self, Model, failed};
use super::sound;
use crate::models::Store;

/// One copy of the model.
pub(super) struct Moonshine {
    encoder: Model,
    cross: Model,
    decoder: Model,
    tokens: Vec<Vec<u8>>,
    /// The decoder's memory of its own tokens: the name it goes in by and the one it comes out by.
    own: Vec<(String, String)>,
    /// The same for what it remembers of the sound.
    heard: Vec<(String, String)>,
}

impl Moonshine {
    /// The rate of the sound it hears.
    pub(super) const RATE: u32 = 16_000;

    /// Looks whether all of it is there.
    pub(super) fn find(store: &Store) -> Result<(), Fault> {
        let all = [ENCODER, CROSS, DECODER, TOKENS];
        all.iter().try_for_each(|it| store.require(it).map(|_| ()))
    }

    /// Loads it.
    pub(super) fn load(store: &Store) -> Result<Self, Fault> {
        let names = |kind: &'static str| {
            let layers = (0..LAYERS).flat_map(move |layer| {
                ["key", "value"].map(|half| format!("{layer}.{kind}.{half}"))
            });
            let both = layers.map(|it| (format!("past_key_values.{it}"), format!("present.{it}")));
            both.collect()
        };
        Ok(Self {
            encoder: onnx::open(store, ENCODER)?,
            cross: onnx::open(store, CROSS)?,
            decoder: onnx::open(store, DECODER)?,
            tokens: tokens(&store.require(TOKENS)?)?,
            own: names("decoder"),
            heard: names("encoder"),
        })
    }

    /// The words in sound at [`Moonshine::RATE`]; none if there is hardly any sound. Gives up early,
    /// with what it has, once `stop` is set.
    pub(super) fn hear(&mut self, sound: &[f32], stop: &AtomicBool) -> Result<String, Fault> {
        if sound.len() < LEAST || sound::loudness(sound) < QUIET {
            return Ok(String::new());
        }
        let most = (MOST_TOKENS * sound.len() as f32 / Self::RATE as f32).ceil() as usize + 4;
        let ids = self.decode(sound, most, stop).map_err(failed)?;
        Ok(self.words(&ids))
    }

    fn decode(&mut self, sound: &[f32], most: usize, stop: &AtomicBool) -> ort::Result<Vec<usize>> {
        let input = TensorRef::from_array_view(([1, sound.len()], sound))?;
        let hidden = self
            .encoder
            .run(ort::inputs!["input_values" => input])?
            .remove("last_hidden_state")
            .expect("the encoder was exported with this output");
        let mut made = self
            .cross
            .run(ort::inputs!["encoder_hidden_states" => &hidden])?;
        let heard: Vec<DynValue> = self
            .heard
            .iter()
            .map(|(_, name)| taken(&mut made, name))
            .collect();
        drop(made);
        let mut own = Vec::with_capacity(self.own.len());
        for _ in &self.own {
            own.push(
                Tensor::<f32>::new(&Allocator::default(), [1_usize, HEADS, 0, HEAD])?.into_dyn(),
            );
        }
        let mut ids = Vec::new();
        let mut last = START;
        while ids.len() < most && !stop.load(Ordering::Relaxed) {
            let token = [last];
            let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> =
                Vec::with_capacity(1 + 4 * LAYERS);
            let token = TensorRef::from_array_view(([1_usize, 1], &token[..]))?;
            inputs.push(("input_ids".into(), token.into()));
            for (names, values) in [(&self.own, &own), (&self.heard, &heard)] {
                let named = names.iter().zip(values);
                inputs.extend(named.map(|((name, _), value)| (name.as_str().into(), value.into())));
            }
            let mut out = self.decoder.run(inputs)?;
            // Without this it now and then takes a whole sentence for silence.
            let barred = ids.is_empty().then_some(END);
            let (_, logits) = out["logits"].try_extract_tensor::<f32>()?;
            let best = likeliest(logits, barred);
            if best == END {
                break;
            }
            own = self
                .own
                .iter()
                .map(|(_, name)| taken(&mut out, name))
                .collect();
            ids.push(best);
            if let Some(sane) = before_loop(&ids) {
                ids.truncate(sane);
                break;
            }
            last = best as i64;
        }
        Ok(ids)
    }

    fn words(&self, ids: &[usize]) -> String {
        let bytes: Vec<u8> = ids
            .iter()
            .filter_map(|id| self.tokens.get(*id))
            .flatten()
            .copied()
            .collect();
        let text = String::from_utf8_lossy(&bytes).replace('\u{2581}', " ");
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

fn taken(outputs: &mut ort::session::SessionOutputs<'_>, name: &str) -> DynValue {
    outputs
        .remove(name)
        .expect("the graph was made with this output")
}

fn likeliest(logits: &[f32], barred: Option<usize>) -> usize {
    let allowed = logits
        .iter()
        .enumerate()
        .filter(|(id, _)| Some(*id) != barred);
    let best = allowed.max_by(|(_, one), (_, other)| one.total_cmp(other));
    best.map_or(END, |(id, _)| id)
}

/// Where the tokens began to go round in circles, if they did.
fn before_loop(ids: &[usize]) -> Option<usize> {
    (1..=LONGEST_LOOP).find_map(|period| {
        let rounds = if period <= 2 { 6 } else { 4 };
        let from = ids.len().checked_sub(period * rounds)?;
        let tail = &ids[from..];
        let circles = tail
            .iter()
            .zip(&tail[period..])
            .all(|(one, next)| one == next);
        circles.then_some(from + period)
    })
}

/// Reads the list of tokens: each is its length, in one byte or in two, and then its bytes.
fn tokens(path: &Path) -> Result<Vec<Vec<u8>>, Fault> {
    let broken = || {
        Fault::new(
            Blame::Config,
            code::SPEECH_MODEL_BROKEN,
            "the speech model's list of tokens makes no sense",
        )
        .hint("run `offhook models verify`")
    };
    let bytes = fs::read(path).map_err(|wrong| broken().because(wrong))?;
    let mut rest = bytes.as_slice();
    let mut tokens = Vec::new();
    while let Some((&first, after)) = rest.split_first() {
        let (length, after) = match first {
            0..128 => (usize::from(first), after),
            128.. => {
                let (&second, after) = after.split_first().ok_or_else(broken)?;
                (usize::from(second) * 128 + usize::from(first) - 128, after)
            }
        };
        let (token, after) = after.split_at_checked(length).ok_or_else(broken)?;
        tokens.push(token.to_vec());
        rest = after;
    }
    Ok(tokens)
}

const ENCODER: &str = "moonshine/encoder.onnx";
const CROSS: &str = "moonshine/cross_kv.onnx";
const DECODER: &str = "moonshine/decoder_step.onnx";
const TOKENS: &str = "moonshine/tokenizer.bin";
const LAYERS: usize = 8;
const HEADS: usize = 8;
const HEAD: usize = 52;
const START: i64 = 1;
const END: usize = 2;
/// Nobody says more tokens than this in a second.
const MOST_TOKENS: f32 = 6.5;
const LONGEST_LOOP: usize = 12;
/// A tenth of a second: no word is shorter.
const LEAST: usize = 1_600;
/// About -58 dBFS.
const QUIET: f32 = 0.001_2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn circles_are_cut_to_one_round() {
        assert_eq!(before_loop(&[5, 7, 7, 7, 7, 7]), None);
        assert_eq!(before_loop(&[5, 7, 7, 7, 7, 7, 7]), Some(2));
        assert_eq!(
            before_loop(&[9, 1, 2, 3, 1, 2, 3, 1, 2, 3, 1, 2, 3]),
            Some(4)
        );
        assert_eq!(before_loop(&[1, 2, 3, 4, 5, 6]), None);
    }
}
