use std::collections::VecDeque;

use crate::{Mark, UtteranceId};

/// One utterance on its way out.
#[derive(Debug)]
pub(crate) struct Speech {
    pub(crate) utterance: UtteranceId,
    /// What was not sent, and a little of what was: a cut of its forerunner may call it back.
    pub(crate) samples: VecDeque<i16>,
    /// How many of `samples` were sent.
    kept: usize,
    /// How many samples of it were ever sent.
    pub(crate) sent: u64,
    /// The far end has reported so many as played.
    pub(crate) reported: u64,
    pub(crate) stage: Stage,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// More audio may come.
    Arriving,
    /// All audio is here.
    Complete,
    /// All audio was sent: the caller hears the end of it at `at`, or when the mark comes back.
    Sent { at: u64, mark: Mark },
}

impl Speech {
    pub(crate) fn new(utterance: UtteranceId, samples: VecDeque<i16>) -> Self {
        Self {
            utterance,
            samples,
            kept: 0,
            sent: 0,
            reported: 0,
            stage: Stage::Arriving,
        }
    }

    pub(crate) fn has_begun(&self) -> bool {
        self.sent > 0 || matches!(self.stage, Stage::Sent { .. })
    }

    pub(crate) fn left(&self) -> usize {
        self.samples.len() - self.kept
    }

    pub(crate) fn take(&mut self, out: &mut [i16], keep: usize) {
        let range = self.kept..self.kept + out.len();
        let (front, back) = self.samples.as_slices();
        if range.end <= front.len() {
            out.copy_from_slice(&front[range]);
        } else if range.start >= front.len() {
            out.copy_from_slice(&back[range.start - front.len()..range.end - front.len()]);
        } else {
            let first = front.len() - range.start;
            out[..first].copy_from_slice(&front[range.start..]);
            out[first..].copy_from_slice(&back[..range.end - front.len()]);
        }
        self.kept += out.len();
        self.sent += out.len() as u64;
        let surplus = self.kept.saturating_sub(keep);
        self.samples.drain(..surplus);
        self.kept -= surplus;
    }

    /// The last `samples` that were sent were not heard, and never will be.
    pub(crate) fn call_back(&mut self, samples: u64) {
        let samples = samples.min(self.kept as u64);
        self.kept -= samples as usize;
        self.sent -= samples;
        self.reported = self.reported.min(self.sent);
        if samples > 0 && matches!(self.stage, Stage::Sent { .. }) {
            self.stage = Stage::Complete;
        }
    }
}
