//! Calls as a carrier's books keep them.

use crate::ear::Ear;
use crate::ledger::{Direction, EndedBy, Happening, Ledger, Mark, Outcome, Status};
use crate::line::Line;
use crate::office::lock;
use crate::phone::Missed;
use crate::stopwatch;
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::mpsc;

/// One call. `Command` is what its carrier's API may ask of it, `Own` what only that carrier keeps.
pub(crate) struct Call<Command, Own> {
    pub(crate) id: String,
    pub(crate) direction: Direction,
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) created: Timestamp,
    pub(crate) commands: mpsc::Sender<Command>,
    state: Mutex<CallState<Own>>,
}

#[derive(Clone)]
pub(crate) struct CallState<Own> {
    pub(crate) status: Status,
    pub(crate) updated: Timestamp,
    pub(crate) started: Option<Timestamp>,
    pub(crate) ended: Option<Timestamp>,
    pub(crate) talked: Duration,
    pub(crate) own: Own,
}

/// What was recorded of a call at its phone; nothing when it was never answered.
#[derive(Default)]
pub(crate) struct Recorded {
    pub(crate) talked: Duration,
    marks: Vec<Mark>,
    ear: Ear,
    missed: Vec<Missed>,
}

impl Recorded {
    /// What a line recorded that ends now, and the marks that were returned on it.
    pub(crate) fn on(line: Line, marks: Vec<Mark>) -> Self {
        let talked = line.clock();
        let (ear, missed) = line.into_parts();
        Self {
            talked,
            marks,
            ear,
            missed,
        }
    }

    pub(crate) fn ear(&self) -> &Ear {
        &self.ear
    }
}

impl<Command, Own: Clone> Call<Command, Own> {
    pub(crate) fn new(
        id: String,
        direction: Direction,
        (from, to): (&str, &str),
        own: Own,
    ) -> (Arc<Self>, mpsc::Receiver<Command>) {
        let (commands, obeyed) = mpsc::channel(16);
        let now = Timestamp::now();
        let status = match direction {
            Direction::Inbound => Status::Ringing,
            Direction::Outbound => Status::Queued,
        };
        let call = Self {
            id,
            direction,
            from: from.to_owned(),
            to: to.to_owned(),
            created: now,
            commands,
            state: Mutex::new(CallState {
                status,
                updated: now,
                started: None,
                ended: None,
                talked: Duration::ZERO,
                own,
            }),
        };
        (Arc::new(call), obeyed)
    }

    pub(crate) fn state(&self) -> CallState<Own> {
        lock(&self.state).clone()
    }

    /// Changes what only the carrier keeps.
    pub(crate) fn set<T>(&self, change: impl FnOnce(&mut Own) -> T) -> T {
        change(&mut lock(&self.state).own)
    }

    /// Changes the status. A final status never changes again.
    pub(crate) fn change(&self, ledger: &Ledger, status: Status, talked: Duration) {
        let mut state = lock(&self.state);
        if state.status.is_final() {
            return;
        }
        let now = Timestamp::now();
        state.status = status;
        state.updated = now;
        if status == Status::InProgress {
            state.started = Some(now);
        }
        if status.is_final() {
            state.ended = Some(now);
            state.talked = talked;
        }
        drop(state);
        ledger.tell(Happening::Changed {
            call: self.id.clone(),
            status,
        });
    }

    /// Closes the books on a call that is over.
    pub(crate) fn close(&self, ledger: &Ledger, ended_by: EndedBy, recorded: Recorded) {
        ledger.ended(Outcome {
            call: self.id.clone(),
            direction: self.direction,
            from: self.from.clone(),
            to: self.to.clone(),
            status: self.state().status,
            ended_by,
            talked: recorded.talked,
            report: stopwatch::measure(&recorded.ear),
            marks: recorded.marks,
            missed: recorded.missed,
            warnings: ledger.warnings_of(&self.id),
            ear: recorded.ear,
        });
    }
}

/// A carrier's calls, live and over.
pub(crate) struct Calls<Command, Own>(Mutex<VecDeque<Arc<Call<Command, Own>>>>);

/// There are as many live calls as the exchange can hold.
#[derive(Debug)]
pub(crate) struct Full;

impl<Command, Own: Clone> Calls<Command, Own> {
    pub(crate) fn new() -> Self {
        Self(Mutex::default())
    }

    /// Enters a call into the books; the oldest one that is over makes room.
    pub(crate) fn enter(&self, call: Arc<Call<Command, Own>>) -> Result<(), Full> {
        let mut calls = lock(&self.0);
        if calls.len() >= MOST_CALLS {
            let over = calls
                .iter()
                .position(|call| lock(&call.state).status.is_final())
                .ok_or(Full)?;
            calls.remove(over);
        }
        calls.push_back(call);
        Ok(())
    }

    pub(crate) fn find(&self, id: &str) -> Option<Arc<Call<Command, Own>>> {
        lock(&self.0).iter().find(|call| call.id == id).cloned()
    }

    /// All calls in the books, the newest first.
    pub(crate) fn all(&self) -> Vec<Arc<Call<Command, Own>>> {
        lock(&self.0).iter().rev().cloned().collect()
    }
}

const MOST_CALLS: usize = 5_000;
