use std::collections::VecDeque;
use std::time::Instant;

use crate::moment::Moment;
use crate::words::{after, has_words, join, resembles};
use crate::{Event, output};

/// What the caller has said, as far as the transcriber has told.
///
/// The one promise kept here is that no word is lost and none is counted twice.
#[derive(Debug, Default)]
pub(crate) struct Hearing {
    /// Words the agent has not been told. Only a turn takes from it.
    untold: String,
    /// When the transcriber was last sure of any of them.
    sure_of_untold: Option<Instant>,
    /// All words since the last final ones; they may still change.
    partial: String,
    /// Whether the caller is making speech now.
    speaking: bool,
    /// Whether there was sound of speech since the last final words.
    sounded: bool,
    /// When speech last ended, truly.
    ended: Option<Instant>,
    /// When the transcriber was last sure without being asked.
    sure: Option<Instant>,
    /// How many requests to finalize have not been answered.
    asked: u32,
    /// Whether the caller has spoken since the last one, so that its answer does not cover all.
    spoken_since: bool,
    /// Words taken from partials because the final did not come in time, oldest first.
    used: VecDeque<Used>,
}

/// Words that were used before the transcriber was sure of them.
#[derive(Debug)]
struct Used {
    words: String,
    /// Whether the caller has spoken again since.
    spoken_since: bool,
}

impl Hearing {
    /// A hearing that remembers what the agent has not been told.
    pub(crate) fn recall(untold: String) -> Self {
        Self {
            untold,
            ..Self::default()
        }
    }

    /// What the agent has not been told.
    pub(crate) fn untold(&self) -> &str {
        &self.untold
    }

    /// Words that the transcriber is not sure of yet.
    pub(crate) fn in_doubt(&self) -> &str {
        if has_words(&self.partial) {
            &self.partial
        } else {
            ""
        }
    }

    /// The line was gone: other ears listen from now on, and know nothing of what was before.
    pub(crate) fn speech_lost(&mut self) {
        *self = Self::recall(std::mem::take(&mut self.untold));
    }

    pub(crate) fn speech_started(&mut self) {
        self.speaking = true;
        self.sounded = true;
        self.spoken_since = true;
        for used in &mut self.used {
            used.spoken_since = true;
        }
    }

    pub(crate) fn speech_ended(&mut self, when: Instant) {
        self.speaking = false;
        self.ended = Some(when);
        // The transcriber may have noticed the end of the speech before the detector did. If it
        // was asked, its words are those up to then; only what it says unasked covers them all.
        if self.sure.is_some_and(|it| it >= when) {
            self.sounded = false;
        }
    }

    /// Takes words that may still change, and returns those not yet used.
    pub(crate) fn partial(&mut self, text: &str) -> &str {
        let fresh = self.used.iter().rev().find_map(|it| after(text, &it.words));
        self.partial = fresh.unwrap_or(text).trim().to_owned();
        &self.partial
    }

    /// Takes words that will not change, tells the world of them, and returns those that are new.
    pub(crate) fn words(&mut self, text: &str, at: &mut Moment<'_>) -> String {
        let words = match self.late(text) {
            // This answers a request we gave up on, and whose words we took from a partial. They
            // are not taken again; only words that go beyond them are new.
            Some(used) => after(text, &used).unwrap_or_default(),
            None => {
                let more = self.asked > 0 && self.spoken_since;
                if self.asked == 0 {
                    self.sure = Some(at.now);
                }
                self.asked = self.asked.saturating_sub(1);
                self.sounded = self.speaking || more;
                self.partial.clear();
                text
            }
        };
        let words = self.keep(words.trim().to_owned(), at);
        if !words.is_empty() {
            self.sure_of_untold = Some(at.now);
        }
        words
    }

    /// Asks for the last words, unless they are there already. Returns whether it asked.
    pub(crate) fn finalize(&mut self, at: &mut Moment<'_>) -> bool {
        let uncovered = self.is_uncovered();
        if uncovered {
            self.asked += 1;
            self.spoken_since = false;
            at.speech(output::Speech::Finalize);
        }
        uncovered
    }

    /// Waits no longer for the last words: what was last heard must do.
    pub(crate) fn give_up(&mut self, at: &mut Moment<'_>) {
        self.asked = 0;
        self.sounded = self.speaking;
        let words = std::mem::take(&mut self.partial);
        if has_words(&words) {
            if self.used.len() == MOST_USED {
                self.used.pop_front();
            }
            self.used.push_back(Used {
                words: words.clone(),
                spoken_since: self.speaking,
            });
            self.keep(words, at);
        }
    }

    /// Whether every request to finalize has been answered.
    pub(crate) fn is_answered(&self) -> bool {
        self.asked == 0
    }

    pub(crate) fn is_speaking(&self) -> bool {
        self.speaking
    }

    /// Whether there was sound of speech since the last final words.
    pub(crate) fn has_sounded(&self) -> bool {
        self.sounded
    }

    /// Whether the agent has something to be told, or may have once the transcriber is asked.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_uncovered() || !self.untold.is_empty()
    }

    pub(crate) fn ended(&self) -> Option<Instant> {
        self.ended
    }

    /// Takes what the agent has not been told, and when the transcriber was sure of the last of it.
    pub(crate) fn take(&mut self) -> (String, Option<Instant>) {
        (std::mem::take(&mut self.untold), self.sure_of_untold.take())
    }

    /// Returns the words of a turn that was taken back.
    pub(crate) fn put_back(&mut self, said: String) {
        self.untold = join(said, &self.untold);
    }

    /// Whether there was speech that no final has covered yet.
    fn is_uncovered(&self) -> bool {
        self.sounded || has_words(&self.partial)
    }

    fn keep(&mut self, words: String, at: &mut Moment<'_>) -> String {
        if !has_words(&words) {
            return String::new();
        }
        at.event(Event::CallerSaid {
            text: words.clone().into(),
        });
        self.untold = join(std::mem::take(&mut self.untold), &words);
        words
    }

    /// Whether a final is the late answer to a request that was given up, and for which words
    /// were taken from a partial: returns those.
    ///
    /// If the caller has not spoken since, it can be nothing else. If he has, it is late only if
    /// it looks like the words that were used. Transcribers answer in order, so once a final is
    /// about something newer, the late one will never come and is forgotten.
    fn late(&mut self, text: &str) -> Option<String> {
        let late = |it: &Used| !it.spoken_since || resembles(text, &it.words);
        let Some(index) = self.used.iter().position(late) else {
            if has_words(text) {
                self.used.clear();
            }
            return None;
        };
        self.used.drain(..=index).next_back().map(|it| it.words)
    }
}

/// Requests given up and not answered since. More is a transcriber that never answers.
const MOST_USED: usize = 4;
