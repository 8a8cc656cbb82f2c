use std::collections::VecDeque;
use std::time::{Duration, Instant};

use call::input::Speech;

/// What kind of transcriber listens.
#[derive(Clone, Copy, Debug)]
pub struct Ears {
    /// Tells words as they come, this long after they were said.
    pub partials: Option<Duration>,
    /// Says when it is sure without being asked, this long after the last word.
    pub eager: Option<Duration>,
    /// Answers a request to finalize after this long; or never.
    pub answers: Option<Duration>,
    /// Judges whether a turn is over, this long after the speech ended.
    pub judges: Duration,
}

impl Default for Ears {
    fn default() -> Self {
        Self {
            partials: None,
            eager: None,
            answers: Some(Duration::from_millis(200)),
            judges: Duration::from_millis(100),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Listening {
    ears: Ears,
    /// Words said since the last final, and when each was over.
    words: VecDeque<(Instant, &'static str)>,
    /// How many of them were told as a partial.
    told: usize,
    /// When requests to finalize will be answered, and up to when they want words.
    asked: VecDeque<(Instant, Instant)>,
    verdicts: VecDeque<(Instant, f32)>,
    speaking_until: Instant,
}

impl Listening {
    pub(crate) fn new(ears: Ears, start: Instant) -> Self {
        Self {
            ears,
            words: VecDeque::new(),
            told: 0,
            asked: VecDeque::new(),
            verdicts: VecDeque::new(),
            speaking_until: start,
        }
    }

    /// Somebody says this, evenly, from now on.
    pub(crate) fn speech(&mut self, now: Instant, length: Duration, words: &'static str) {
        let words: Vec<&str> = words.split_whitespace().collect();
        let each = length / words.len().max(1) as u32;
        for (n, word) in words.into_iter().enumerate() {
            self.words.push_back((now + each * (n as u32 + 1), word));
        }
        self.speaking_until = now + length;
    }

    /// The speech ended, and this is how likely the turn is over.
    pub(crate) fn judge(&mut self, now: Instant, probability: f32) {
        self.verdicts
            .push_back((now + self.ears.judges, probability));
    }

    pub(crate) fn finalize(&mut self, now: Instant) {
        if let Some(latency) = self.ears.answers {
            self.asked.push_back((now + latency, now));
        }
    }

    /// What they tell by now.
    pub(crate) fn hear(&mut self, now: Instant) -> Vec<Speech> {
        let mut told = Vec::new();
        if let Some(latency) = self.ears.partials {
            let heard = self.words.iter().take_while(|(at, _)| *at + latency <= now);
            let heard = heard.count();
            if heard > self.told {
                self.told = heard;
                told.push(Speech::Partial(self.text(heard).into()));
            }
        }
        if let Some((_, probability)) = self.verdicts.pop_front_if(|(at, _)| *at <= now) {
            told.push(Speech::EndOfTurn { probability });
        }
        if let Some((_, until)) = self.asked.pop_front_if(|(at, _)| *at <= now) {
            told.push(self.finish(until));
        }
        let eager = self
            .ears
            .eager
            .is_some_and(|it| self.speaking_until + it <= now);
        if eager && !self.words.is_empty() {
            told.push(self.finish(now));
        }
        told
    }

    fn finish(&mut self, until: Instant) -> Speech {
        let said = self.words.iter().take_while(|(at, _)| *at <= until).count();
        let text = self.text(said);
        self.words.drain(..said);
        self.told = self.told.saturating_sub(said);
        Speech::Final(text.into())
    }

    fn text(&self, count: usize) -> String {
        let words: Vec<&str> = self.words.iter().take(count).map(|(_, it)| *it).collect();
        words.join(" ")
    }
}
