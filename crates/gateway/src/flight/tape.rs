//! What is kept of a call while it runs.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use call::Input;
use serde::{Deserialize, Serialize};

use super::wire::{Beginning, Write};

/// Everything a call was told so far, each thing on a line of its own.
///
/// It holds the whole call from its beginning: what a call does next rests on all it was told before,
/// so that an end without its beginning could be read but not run again. It is bounded all the same:
/// see [`MOST`].
#[derive(Clone)]
pub struct Tape {
    beginning: Beginning,
    /// When the call's log began, from which all times are counted.
    began: Instant,
    /// Pieces that are full, and the one that is being written: a tape that grows moves nothing, and
    /// one that is copied shares what it has.
    pieces: Vec<Arc<Vec<u8>>>,
    piece: Vec<u8>,
    steps: usize,
    full: Option<Full>,
    /// How many bytes more it holds.
    pub(super) left: usize,
}

/// Without what it holds: that is words.
impl fmt::Debug for Tape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tape({} steps, {} bytes)", self.steps, self.len())
    }
}

/// Where a tape ended before its call did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Full {
    /// So many outputs of what the call was told last had not been performed yet.
    pub waiting: usize,
    /// How long the call had lasted.
    pub seconds: u64,
}

/// No more than this is kept of a call, in bytes. Talk fills some 16 kB a minute, so that this is more than
/// the 24 hours that a call may last at most. One whose agent floods it is kept up to there.
pub const MOST: usize = 32 * 1024 * 1024;

/// The length of a piece: about two minutes.
const PIECE: usize = 32 * 1024;

impl Tape {
    pub(super) fn start(began: Instant, beginning: Beginning) -> Self {
        Self {
            beginning,
            began,
            pieces: Vec::new(),
            piece: Vec::with_capacity(PIECE * 2),
            steps: 0,
            full: None,
            left: MOST,
        }
    }

    /// Notes what a call is about to be told.
    pub(super) fn note(&mut self, now: Instant, waiting: usize, input: &Input) {
        let at = self.at(now);
        self.write(at, waiting, &Write::told(at, waiting, input));
    }

    /// Notes that the call broke.
    pub(super) fn broke(&mut self, now: Instant) {
        let at = self.at(now);
        self.write(at, 0, &Write::Broke { at });
    }

    /// Where it begins.
    pub(super) fn beginning(&self) -> &Beginning {
        &self.beginning
    }

    /// Its lines, in pieces.
    pub(super) fn lines(&self) -> impl Iterator<Item = &[u8]> {
        let full = self.pieces.iter().map(|it| it.as_slice());
        full.chain([self.piece.as_slice()])
    }

    /// How many bytes its lines are.
    pub(crate) fn len(&self) -> usize {
        self.lines().map(<[u8]>::len).sum()
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
        let before = self.piece.len();
        serde_json::to_writer(&mut self.piece, line).expect("a step is plain data");
        self.piece.push(b'\n');
        self.left = match self.left.checked_sub(self.piece.len() - before) {
            Some(left) => left,
            None => {
                self.piece.truncate(before);
                let seconds = at.as_secs();
                self.full = Some(Full { waiting, seconds });
                return;
            }
        };
        self.steps += 1;
        if self.piece.len() >= PIECE {
            let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE * 2));
            self.pieces.push(Arc::new(piece));
        }
    }
}
