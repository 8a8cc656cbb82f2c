//! Running a recorded call again.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use call::event::{End, Party, Why};
use call::{Call, Event, Input, Memory, Output, Private};

use super::Recording;
use super::wire::{Beginning, Step};
use crate::journal::{Began, CallLog, Entry, Pen};

/// What a call does that is told the same again.
#[derive(Clone, Debug)]
pub struct Replayed {
    /// The events, stamped as they were.
    pub entries: Vec<Entry>,
    /// The step on which the call broke, counted from 1; `None`: it did not.
    pub broke: Option<usize>,
}

impl Replayed {
    /// The first event that is not as recorded: its number from 1, and both, where there are both.
    pub fn differs<'r>(
        &self,
        recording: &'r Recording,
    ) -> Option<(usize, Option<&'r str>, Option<String>)> {
        let again: Vec<String> = self.entries.iter().map(public).collect();
        let then: Vec<&String> = recording.events.iter().map(Private::reveal).collect();
        // What came after a tape was full could not be told again.
        let compared = if recording.full.is_some() {
            again.len()
        } else {
            again.len().max(then.len())
        };
        let at = (0..compared).find(|at| then.get(*at).copied() != again.get(*at))?;
        let (then, again) = (then.get(at), again.get(at));
        Some((at + 1, then.map(|it| it.as_str()), again.cloned()))
    }
}

/// An event as the journal holds it.
pub(crate) fn public(entry: &Entry) -> String {
    serde_json::to_string(entry).expect("an entry has only strings for keys")
}

/// Tells a call everything again. Takes no time, and does nothing but tell.
pub fn replay(recording: &Recording) -> Replayed {
    // Any moment would do. An hour from now is far from the first moment of any clock.
    replay_from(Instant::now() + Duration::from_secs(60 * 60), recording)
}

pub(super) fn replay_from(base: Instant, recording: &Recording) -> Replayed {
    let began = Began {
        at: base,
        time: recording.began,
    };
    let (call, parties) = (recording.call.clone(), recording.parties.clone());
    let log = CallLog::since(began, recording.beginning.past(), call, parties, Pen::dry());
    let mut again = Again::begin(base, &recording.beginning, log);
    let broke = recording.steps.iter().position(|step| {
        let broken = catch_unwind(AssertUnwindSafe(|| again.step(step))).is_err();
        if broken {
            // What was still to be done then, nobody did.
            again.waiting.clear();
        }
        broken
    });
    if let Some(at) = broke {
        for step in &recording.steps[at + 1..] {
            // A call that broke is told nothing more, but that it did.
            if let Step::Broke { .. } = step {
                again.step(step);
            }
        }
    }
    let left = recording.full.map_or(0, |it| it.waiting);
    again.perform(left);
    Replayed {
        entries: again.log.after(0),
        broke: broke.map(|it| it + 1),
    }
}

/// A call that is told everything again, and what came of it so far.
struct Again {
    base: Instant,
    now: Instant,
    call: Call,
    waiting: VecDeque<Output>,
    log: CallLog,
}

impl Again {
    fn begin(base: Instant, beginning: &Beginning, log: CallLog) -> Self {
        let (now, (call, first)) = match beginning {
            Beginning::Start { at, plan } => {
                let now = base + *at;
                (now, Call::start(now, plan.clone()))
            }
            Beginning::Resume {
                at,
                plan,
                memory,
                gone,
                ..
            } => {
                let now = base + *at;
                (
                    now,
                    Call::resume(now, plan.clone(), Memory::clone(memory), *gone),
                )
            }
        };
        Self {
            base,
            now,
            call,
            waiting: first.into(),
            log,
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Told { at, waiting, input } => self.tell(*at, *waiting, input.clone()),
            Step::Broke { at } => {
                self.perform(0);
                let end = End {
                    by: Party::Gateway,
                    why: Why::Fault,
                };
                self.log.push(self.base + *at, Event::Ended(end));
            }
        }
    }

    fn tell(&mut self, at: Duration, waiting: usize, input: Input) {
        self.perform(waiting);
        self.now = self.base + at;
        // An answer's own outputs come before those that still wait.
        for output in self.call.handle(self.now, input).into_iter().rev() {
            self.waiting.push_front(output);
        }
    }

    /// Performs outputs, until so many are left.
    fn perform(&mut self, left: usize) {
        while self.waiting.len() > left
            && let Some(output) = self.waiting.pop_front()
        {
            match output {
                Output::Event(event) => self.log.push(self.now, event),
                Output::Agent(_)
                | Output::Carrier(_)
                | Output::Media(_)
                | Output::Meeting(_)
                | Output::Speech(_) => {}
            }
        }
    }
}
