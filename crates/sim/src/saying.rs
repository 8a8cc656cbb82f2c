//! What a watched call says, and what becomes of it.

use std::collections::VecDeque;

use media::UtteranceId;

use crate::before::{Before, Kind};

/// What is being said.
#[derive(Debug)]
pub(crate) struct Saying {
    pub(crate) last: UtteranceId,
    pub(crate) barred: UtteranceId,
    pub(crate) pending: VecDeque<Utterance>,
    /// What was cut by the last input, and has not been accounted for.
    pub(crate) cut: Vec<Utterance>,
    /// There may have been more to say behind that.
    pub(crate) cut_short: bool,
    /// What is never the agent's own words.
    pub(crate) phrases: Vec<String>,
}

#[derive(Debug)]
pub(crate) struct Utterance {
    pub(crate) id: UtteranceId,
    pub(crate) text: String,
    pub(crate) complete: bool,
    pub(crate) failed: bool,
    pub(crate) sounded: bool,
}

impl Saying {
    pub(crate) fn synthesize(&mut self, id: UtteranceId, text: &str) {
        assert!(id > self.last, "utterances only grow");
        assert!(id > self.barred, "spoke in a cut utterance");
        assert!(!text.trim().is_empty(), "said nothing");
        self.push(id, text);
    }

    /// A sound without words.
    pub(crate) fn pulse(&mut self, id: UtteranceId) {
        assert!(id > self.last, "utterances only grow");
        self.push(id, "");
    }

    fn push(&mut self, id: UtteranceId, text: &str) {
        self.last = id;
        self.pending.push_back(Utterance {
            id,
            text: text.to_owned(),
            complete: false,
            failed: false,
            sounded: false,
        });
        let waiting = self.pending.len();
        assert!(waiting <= ASKED_AHEAD, "the mouth is asked for too much");
    }

    pub(crate) fn said(&mut self, text: &str) {
        while self
            .pending
            .pop_front_if(|it| it.failed || it.is_pulse())
            .is_some()
        {}
        let first = self
            .pending
            .pop_front()
            .expect("only what is said is heard");
        assert_eq!(first.text, text, "heard out of order");
        assert!(first.sounded, "{text:?} cannot have been heard");
    }

    /// What was cut, or else one utterance that broke off, is accounted for.
    pub(crate) fn interrupted(&mut self, heard: &str, unheard: &str) {
        let told = [heard, unheard].join(" ");
        let told = told.trim();
        let cut: Vec<&str> = self.cut.iter().map(|it| it.text.as_str()).collect();
        let all = cut.join(" ");
        let longer = || self.cut_short && told.starts_with(&all);
        if !cut.is_empty() && (told == all || longer()) {
            self.cut.clear();
            return;
        }
        let first = self.pending.iter().find(|it| !it.failed && !it.is_pulse());
        let one = first.map(|it| it.text.as_str());
        assert_eq!(Some(told), one, "the halves do not add up: {:?}", self.cut);
    }

    pub(crate) fn cut(&mut self, last: UtteranceId) {
        assert!(last > self.barred, "cut twice");
        assert!(last <= self.last, "cut what was not said");
        self.barred = last;
        self.check_cut();
        self.cut.clear();
        self.cut_short = self.pending.len() >= ASKED_AHEAD;
        while let Some(utterance) = self.pending.pop_front_if(|it| it.id <= last) {
            if !utterance.failed && !utterance.is_pulse() {
                self.cut.push(utterance);
            }
        }
    }

    /// What was cut was told of, if any of it was heard.
    pub(crate) fn check_cut(&self) {
        let sounded = self.cut.iter().any(|it| it.sounded);
        assert!(
            !sounded,
            "nobody was told that this was cut: {:?}",
            self.cut
        );
    }

    pub(crate) fn failed(&mut self, before: &Before) -> Option<String> {
        let utterance = match &before.kind {
            Kind::Failed(id) => self.pending.iter_mut().find(|it| it.id == *id),
            Kind::Timeout => self
                .pending
                .iter_mut()
                .find(|it| !it.failed && !it.is_pulse()),
            Kind::Progress => self
                .pending
                .iter_mut()
                .find(|it| !it.failed && !it.complete && !it.is_pulse()),
            // The ears.
            Kind::Ended(_) | Kind::Final(_) | Kind::Say(..) | Kind::Message | Kind::Other => {
                return None;
            }
        };
        let utterance = utterance.expect("only what is being said can fail");
        utterance.failed = true;
        Some(utterance.text.clone())
    }

    pub(crate) fn complete(&mut self, id: UtteranceId) {
        if let Some(utterance) = self.pending.iter_mut().find(|it| it.id == id) {
            utterance.complete = true;
        }
    }

    /// What comes before it has been heard too, if it was ever made.
    pub(crate) fn sounded(&mut self, id: UtteranceId) {
        if self.pending.iter().all(|it| it.id != id) {
            return;
        }
        for utterance in self.pending.iter_mut().take_while(|it| it.id <= id) {
            utterance.sounded |= utterance.id == id || utterance.complete;
        }
    }

    pub(crate) fn has_sounded(&self, text: &str) -> bool {
        let mut all = self.pending.iter().chain(&self.cut);
        all.any(|it| it.sounded && it.text == text)
    }

    pub(crate) fn sounded_cut(&mut self, id: UtteranceId) {
        if let Some(utterance) = self.cut.iter_mut().find(|it| it.id == id) {
            utterance.sounded = true;
        }
    }
}

impl Utterance {
    fn is_pulse(&self) -> bool {
        self.text.is_empty()
    }
}

/// More than this does not wait for the mouth.
const ASKED_AHEAD: usize = 8;
