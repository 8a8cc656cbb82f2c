//! What is kept of a call while it runs.

use std::time::{Duration, Instant};

use call::Input;
use serde::{Deserialize, Serialize};

use super::wire::{Beginning, Now, Shown, Step};

/// Everything a call was told so far, each thing on a line of its own.
///
/// It holds the whole call from its beginning: what a call does next rests on all it was told before,
/// so that an end without its beginning could be read but not run again. It is bounded all the same:
/// see [`MOST`].
#[derive(Clone, Debug)]
pub struct Tape {
    beginning: Beginning,
    /// When the call's log began, from which all times are counted.
    began: Instant,
    lines: Vec<u8>,
    steps: usize,
    full: Option<Full>,
}

/// Where a tape ended before its call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Full {
    /// So many outputs of what the call was told last had not been performed yet.
    pub waiting: usize,
    /// How long the call had lasted.
    pub seconds: u64,
}

/// No more than this is kept of a call: hours of talk. A call that goes on beyond it, as one with
/// an agent that floods it might, is kept up to there.
pub const MOST: usize = 4 * 1024 * 1024;

/// Room for the first minute, so that nothing is moved about in it.
const FIRST: usize = 32 * 1024;

impl Tape {
    pub(super) fn start(began: Instant, beginning: Beginning) -> Self {
        Self {
            beginning,
            began,
            lines: Vec::with_capacity(FIRST),
            steps: 0,
            full: None,
        }
    }

    /// Notes what a call is about to be told.
    pub(super) fn note(&mut self, now: Instant, waiting: usize, input: &Input) {
        let at = self.at(now);
        let input = Shown(input);
        self.write(at, waiting, &Now::Told { at, waiting, input });
    }

    /// Notes that the call broke.
    pub(super) fn broke(&mut self, now: Instant) {
        let at = self.at(now);
        self.write(at, 0, &Step::Broke { at });
    }

    /// Where it begins.
    pub(super) fn beginning(&self) -> &Beginning {
        &self.beginning
    }

    /// Its lines.
    pub(super) fn lines(&self) -> &[u8] {
        &self.lines
    }

    /// How many things the call was told.
    pub fn steps(&self) -> usize {
        self.steps
    }

    /// Where it ended before its call did, if it had to.
    pub fn full(&self) -> Option<Full> {
        self.full
    }

    fn at(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }

    fn write(&mut self, at: Duration, waiting: usize, line: &impl Serialize) {
        if self.full.is_some() {
            return;
        }
        let before = self.lines.len();
        serde_json::to_writer(&mut self.lines, line).expect("a step is plain data");
        self.lines.push(b'\n');
        if self.lines.len() > MOST {
            self.lines.truncate(before);
            let seconds = at.as_secs();
            self.full = Some(Full { waiting, seconds });
        } else {
            self.steps += 1;
        }
    }
}
