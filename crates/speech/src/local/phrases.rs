//! Sound that was made before, for all calls.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use call::Private;
use media::Rate;

use super::works::Speaker;

/// Who says what, at which rate.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Phrase {
    /// Who.
    pub(super) speaker: Speaker,
    /// Samples per second.
    pub(super) hz: u32,
    /// What.
    pub(super) text: Private<String>,
}

/// The phrases used last, of a bounded size in all.
pub(super) struct Phrases {
    state: Mutex<State>,
    most: usize,
}

#[derive(Default)]
struct State {
    kept: HashMap<Phrase, Kept>,
    bytes: usize,
    uses: u64,
}

struct Kept {
    samples: Arc<[i16]>,
    used: u64,
}

impl Phrase {
    pub(super) fn new(speaker: Speaker, rate: Rate, text: Private<String>) -> Self {
        Self {
            speaker,
            hz: rate.hz(),
            text,
        }
    }

    fn bytes(&self, samples: &[i16]) -> usize {
        size_of_val(samples) + self.text.reveal().len() + OVERHEAD
    }
}

impl Phrases {
    /// Keeps at most this many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            state: Mutex::default(),
            most,
        }
    }

    /// The sound of a phrase, if it is kept.
    pub(super) fn find(&self, phrase: &Phrase) -> Option<Arc<[i16]>> {
        let mut state = self.lock();
        state.uses += 1;
        let now = state.uses;
        let kept = state.kept.get_mut(phrase)?;
        kept.used = now;
        Some(Arc::clone(&kept.samples))
    }

    /// Keeps the sound of a phrase, and forgets the ones not used for longest if there is no room.
    pub(super) fn keep(&self, phrase: Phrase, samples: Arc<[i16]>) {
        let bytes = phrase.bytes(&samples);
        if bytes > self.most / 4 {
            return;
        }
        let mut state = self.lock();
        state.uses += 1;
        let used = state.uses;
        state.bytes += bytes;
        if let Some(old) = state.kept.insert(phrase.clone(), Kept { samples, used }) {
            state.bytes -= phrase.bytes(&old.samples);
        }
        while state.bytes > self.most {
            let oldest = state.kept.iter().min_by_key(|(_, kept)| kept.used);
            let Some(oldest) = oldest.map(|(phrase, _)| phrase.clone()) else {
                return;
            };
            if let Some(old) = state.kept.remove(&oldest) {
                state.bytes -= oldest.bytes(&old.samples);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic happens under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// About what a map and a shared slice cost besides.
const OVERHEAD: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    fn phrase(text: &str) -> Phrase {
        Phrase::new(Speaker::Piper, Rate::Hz8000, text.into())
    }

    #[test]
    fn what_was_not_used_for_longest_is_forgotten_first() {
        let phrases = Phrases::new(10_000);
        let sound: Arc<[i16]> = vec![1; 1_000].into();
        for text in ["one", "two", "three", "four"] {
            phrases.keep(phrase(text), Arc::clone(&sound));
        }
        assert!(phrases.find(&phrase("one")).is_some());
        phrases.keep(phrase("five"), Arc::clone(&sound));
        assert!(phrases.find(&phrase("two")).is_none());
        assert!(phrases.find(&phrase("one")).is_some());
        assert!(phrases.lock().bytes <= 10_000);
    }

    #[test]
    fn keeping_twice_counts_once_and_rates_differ() {
        let phrases = Phrases::new(10_000);
        let sound: Arc<[i16]> = vec![1; 100].into();
        phrases.keep(phrase("one"), Arc::clone(&sound));
        let once = phrases.lock().bytes;
        phrases.keep(phrase("one"), sound);
        assert_eq!(phrases.lock().bytes, once);
        let wide = Phrase::new(Speaker::Piper, Rate::Hz16000, "one".into());
        assert!(phrases.find(&wide).is_none());
    }

    #[test]
    fn what_would_push_out_all_the_rest_is_not_kept() {
        let phrases = Phrases::new(1_000);
        phrases.keep(phrase("long"), vec![1; 1_000].into());
        assert!(phrases.find(&phrase("long")).is_none());
    }
}
