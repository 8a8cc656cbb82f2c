use std::collections::VecDeque;

use crate::UtteranceId;

/// A point in the sound sent, which the far end reports back when it has played that far.
///
/// A cut starts a new generation: marks of an older one come back because the far buffer was
/// cleared, not because they were heard, and are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// How many cuts came before.
    pub generation: u32,
    /// Counts up within the call.
    pub index: u32,
}

/// The marks of one call.
#[derive(Debug)]
pub(crate) struct Marks {
    generation: u32,
    next: u32,
    /// Frames sent since the last mark.
    frames: u32,
    /// Those that have not come back, with what had been sent by then.
    out: VecDeque<(u32, UtteranceId, u64)>,
}

impl Marks {
    pub(crate) fn new() -> Self {
        Self {
            generation: 0,
            next: 0,
            frames: 0,
            out: VecDeque::with_capacity(MARKS),
        }
    }

    pub(crate) fn frame(&mut self) {
        self.frames += 1;
    }

    /// Whether so much was sent since the last mark that it is time for another.
    pub(crate) fn is_due(&self) -> bool {
        self.frames >= FRAMES_PER_MARK
    }

    pub(crate) fn peek(&self) -> Mark {
        Mark {
            generation: self.generation,
            index: self.next,
        }
    }

    pub(crate) fn set(&mut self, utterance: UtteranceId, sent: u64) -> Mark {
        let mark = self.peek();
        if self.out.len() == MARKS {
            self.out.pop_front();
        }
        self.out.push_back((mark.index, utterance, sent));
        self.next += 1;
        self.frames = 0;
        mark
    }

    /// What had been sent before this mark, and forgets those before it. `None` for a mark that
    /// was never made, came before, or belongs to a time before a cut.
    pub(crate) fn back(&mut self, mark: Mark) -> Option<(UtteranceId, u64)> {
        if mark.generation != self.generation || mark.index >= self.next {
            return None;
        }
        let mut last = None;
        while let Some((_, utterance, sent)) = self.out.pop_front_if(|it| it.0 <= mark.index) {
            last = Some((utterance, sent));
        }
        last
    }

    pub(crate) fn cut(&mut self) {
        self.generation += 1;
        self.frames = 0;
        self.out.clear();
    }
}

/// 400 ms.
const FRAMES_PER_MARK: u32 = 20;
/// So many marks may be out; the oldest is forgotten, since any later one stands for it too.
const MARKS: usize = 64;
