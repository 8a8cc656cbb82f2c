//! What is kept of a call in case its process dies.

use std::time::Duration;

use call::input::{self, Input};
use call::memory::Talk;
use call::{Memory, Mode};
use tokio::time::Instant;

use super::Runner;
use crate::line::Line;
use crate::memory::Remembered;

/// What is kept of the call in case this process dies.
pub(super) struct Notebook {
    mode: Mode,
    written: Option<Memory>,
    /// When the next look is due. Whatever the world is told of is written down at once.
    pub(super) next: Instant,
}

impl<L: Line> Runner<L> {
    /// Writes down how the call stands, unless it stands as it did. Nothing here waits.
    pub(super) fn remember(&mut self) {
        let Some(notebook) = &mut self.notebook else {
            return;
        };
        notebook.next = Instant::now() + REMEMBERED;
        if self.log.pen().is_dry() || self.flight.is_over() {
            return;
        }
        let now = Instant::now().into_std();
        // An echo has no words: it stands as it stood.
        if let Some(progress) = self.progress().filter(|_| self.voice.is_some()) {
            self.hand(now, Input::Media(input::Media::Progress(progress)));
        }
        let memory = self.flight.memory(now);
        if let Some(notebook) = &mut self.notebook
            && let Some(memory) = notebook.worth(memory)
            && notebook.is_news(&memory)
        {
            let remembered = Remembered {
                mode: notebook.mode.clone(),
                memory,
            };
            self.log
                .pen()
                .remember(self.log.call(), || remembered.write());
            notebook.written = Some(remembered.memory);
        }
    }
}

impl Notebook {
    pub(super) fn of(mode: Mode) -> Self {
        Self {
            mode,
            written: None,
            next: Instant::now(),
        }
    }

    /// What of it another process could go on with.
    fn worth(&self, mut memory: Memory) -> Option<Memory> {
        match (&self.mode, &mut memory) {
            (Mode::Seat(_), Memory::Up { talk, .. }) => match talk {
                // Whoever came for the meeting alone goes back to nothing: not even to the one who asked
                // whether they would come.
                Talk::Seat { thread, .. } => *thread = None,
                Talk::Conversation(_) | Talk::Notice { .. } | Talk::Loopback => {
                    return None;
                }
            },
            (
                Mode::Conversation { .. } | Mode::Notify { .. } | Mode::Loopback | Mode::Seat(_),
                _,
            ) => {}
        }
        Some(memory)
    }

    /// Whether a call stands otherwise than was written down. How much of its time is left says
    /// the date.
    fn is_news(&self, memory: &Memory) -> bool {
        match (&self.written, memory) {
            (
                Some(Memory::Up {
                    broken: was,
                    talk: before,
                    ..
                }),
                Memory::Up { broken, talk, .. },
            ) => (was, before) != (broken, talk),
            (written, memory) => written.as_ref() != Some(memory),
        }
    }
}

/// How old what is remembered may be, of what nobody was told.
const REMEMBERED: Duration = Duration::from_millis(250);
