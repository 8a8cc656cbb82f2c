use std::collections::VecDeque;

use media::Mark;

/// The far end of the wire: plays what it was sent, a frame at a time, and reports marks.
#[derive(Debug, Default)]
pub(crate) struct Far {
    buffer: VecDeque<Sent>,
    /// How many frames it has played.
    pub(crate) played: u64,
    /// In each step so far, whether it played one.
    pub(crate) steps: Vec<bool>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sent {
    Frame,
    Mark(Mark),
}

impl Far {
    pub(crate) fn send(&mut self, sent: Sent) {
        self.buffer.push_back(sent);
    }

    /// Plays for 20 ms, and returns the marks it comes by.
    pub(crate) fn play(&mut self) -> Vec<Mark> {
        let mut marks = self.marks();
        let frame = self.buffer.pop_front();
        self.steps.push(frame.is_some());
        if frame.is_some() {
            self.played += 1;
            marks.extend(self.marks());
        }
        marks
    }

    /// Throws everything away, and returns the marks that were in it.
    pub(crate) fn clear(&mut self) -> Vec<Mark> {
        let marks = self.buffer.drain(..).filter_map(|it| match it {
            Sent::Frame => None,
            Sent::Mark(mark) => Some(mark),
        });
        marks.collect()
    }

    fn marks(&mut self) -> Vec<Mark> {
        let mut marks = Vec::new();
        while let Some(Sent::Mark(mark)) = self.buffer.front() {
            marks.push(*mark);
            self.buffer.pop_front();
        }
        marks
    }
}
