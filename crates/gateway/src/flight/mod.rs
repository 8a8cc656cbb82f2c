//! The flight recorder: everything a call was told, and when, so that it can be run again.
//!
//! A call is a pure machine: it does the same again if it is told the same at the same times. So
//! nothing of its inside is recorded, only what goes in. A [`Flight`] is a call that cannot be told
//! anything without noting it on its [`Tape`]; sealed, with the events that came of it, that is a
//! [`Recording`], which [`replay()`] runs again and [`story()`] turns into a test.

mod recording;
mod replay;
mod shelf;
mod story;
mod tape;
mod thin;
mod wire;

use std::sync::Arc;
use std::time::{Duration, Instant};

use call::{Call, Input, Memory, Output, Plan};
use tokio::sync::watch;

use crate::journal::{CallLog, Entry};
pub(crate) use recording::BUILD;
pub use recording::{MOST_BYTES, Recording};
pub use replay::{Replayed, replay};
pub use shelf::{Shelf, open, write};
pub use story::story;
pub use tape::{Full, MOST, Tape};
pub use wire::{Beginning, Step};

/// A call that is recorded as it goes.
#[derive(Debug)]
pub struct Flight {
    call: Call,
    /// Taken when the flight is over.
    tape: Option<Tape>,
    landing: Landing,
}

impl Flight {
    /// Starts a call, whose events go to `log` and whose tape is found on `landing` afterwards.
    pub fn start(now: Instant, plan: Plan, log: &CallLog, landing: Landing) -> (Self, Vec<Output>) {
        let began = log.began().at;
        let beginning = Beginning::Start {
            at: now.saturating_duration_since(began),
            plan: plan.clone(),
        };
        let call = Call::start(now, plan);
        Self::board(call, Tape::start(began, beginning), landing)
    }

    /// The same of a call that another process lost so long ago.
    pub fn resume(
        now: Instant,
        plan: Plan,
        (memory, gone): (Memory, Duration),
        log: &CallLog,
        landing: Landing,
    ) -> (Self, Vec<Output>) {
        let began = log.began().at;
        let beginning = Beginning::Resume {
            at: now.saturating_duration_since(began),
            plan: plan.clone(),
            memory: Box::new(memory.clone()),
            gone,
            past: log.before(),
        };
        let call = Call::resume(now, plan, memory, gone);
        Self::board(call, Tape::start(began, beginning), landing)
    }

    fn board(
        (call, first): (Call, Vec<Output>),
        tape: Tape,
        landing: Landing,
    ) -> (Self, Vec<Output>) {
        let flight = Self {
            call,
            tape: Some(tape),
            landing,
        };
        (flight, first)
    }

    /// [`Call::memory`].
    pub fn memory(&self, now: Instant) -> Memory {
        self.call.memory(now)
    }

    /// [`Call::handle`]. `waiting` outputs of what it was told before are not performed yet: this
    /// answers one of them.
    #[must_use = "a call whose outputs are not performed is stuck"]
    pub fn handle(&mut self, now: Instant, waiting: usize, input: Input) -> Vec<Output> {
        // Before, and not after: a call that breaks on it must leave it behind.
        if let Some(tape) = &mut self.tape {
            tape.note(now, waiting, &input);
        }
        self.call.handle(now, input)
    }

    /// [`Call::deadline`].
    pub fn deadline(&self) -> Option<(Instant, &'static str)> {
        self.call.deadline()
    }

    /// [`Call::is_over`].
    pub fn is_over(&self) -> bool {
        self.call.is_over()
    }

    /// What it was told up to now.
    pub fn tape(&self) -> Option<&Tape> {
        self.tape.as_ref()
    }
}

/// The tape is handed on whenever the flight is let go of, also when that is because it broke.
impl Drop for Flight {
    fn drop(&mut self) {
        if let Some(tape) = self.tape.take() {
            self.landing.0.send_replace(Landed::Here(Arc::new(tape)));
        }
    }
}

/// Where a call's tape is found when the call is over. Clones are the same place.
#[derive(Clone, Debug, Default)]
pub struct Landing(watch::Sender<Landed>);

#[derive(Clone, Debug, Default)]
enum Landed {
    /// The call is not over.
    #[default]
    NotYet,
    Here(Arc<Tape>),
    /// Not kept any more, or there never was one.
    Gone,
}

impl Landing {
    /// Waits for the call to be over. `None`: its tape is not kept.
    pub async fn tape(&self) -> Option<Arc<Tape>> {
        let mut landed = self.0.subscribe();
        let landed = landed
            .wait_for(|it| !matches!(it, Landed::NotYet))
            .await
            .ok()?;
        match &*landed {
            Landed::Here(tape) => Some(tape.clone()),
            Landed::NotYet | Landed::Gone => None,
        }
    }

    /// Notes on a tape that has landed that its call broke.
    pub(crate) fn broke(&self, now: Instant) {
        self.0.send_modify(|it| {
            if let Landed::Here(tape) = it {
                Arc::make_mut(tape).broke(now);
            }
        });
    }

    /// Nothing will land here any more that has not: the call may never have started.
    pub(crate) fn close(&self) {
        self.0.send_if_modified(|it| {
            let waits = matches!(it, Landed::NotYet);
            if waits {
                *it = Landed::Gone;
            }
            waits
        });
    }

    /// How many bytes are kept here.
    pub(crate) fn size(&self) -> usize {
        match &*self.0.borrow() {
            Landed::Here(tape) => tape.len(),
            Landed::NotYet | Landed::Gone => 0,
        }
    }

    /// Lets go of the tape. There will be none any more.
    pub(crate) fn clear(&self) {
        self.0.send_replace(Landed::Gone);
    }
}

/// A call's tape, and the events that had come of it when it was taken.
#[derive(Clone, Debug)]
pub struct Snapshot {
    /// What it was told.
    pub tape: Arc<Tape>,
    /// What came of it.
    pub entries: Vec<Entry>,
}

#[cfg(test)]
mod tests;
