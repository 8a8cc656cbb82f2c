use std::collections::VecDeque;
use std::time::{Duration, Instant};

use call::{Input, Output, Plan};

use crate::Watched;

/// A call that is told exactly what a real one was told, at exactly the same times.
///
/// `offhook replay --story` writes such calls from flight recordings. Unlike in a [`crate::World`],
/// nobody else is there: what the sound, the ears, the mouth and the agent did is part of the script.
#[derive(Debug)]
pub struct Recorded {
    call: Watched,
    begun: Instant,
    now: Instant,
    waiting: VecDeque<Output>,
    past: String,
}

impl Recorded {
    /// A call that starts `at` so long after its log began.
    pub fn start(at: Duration, plan: Plan) -> Self {
        let begun = Instant::now();
        let now = begun + at;
        let (call, first) = Watched::start(now, plan);
        Self {
            call,
            begun,
            now,
            waiting: first.into(),
            past: String::new(),
        }
    }

    /// Tells the call something, once everything it asked for before was done.
    #[must_use]
    pub fn at(mut self, at: Duration, input: Input) -> Self {
        self.perform(0);
        self.now = self.begun + at;
        self.tell(input);
        self
    }

    /// Tells the call something in the same moment, as the answer to something it asked for, while
    /// `waiting` of its outputs are still to be performed.
    #[must_use]
    pub fn amid(mut self, waiting: usize, input: Input) -> Self {
        self.perform(waiting);
        self.tell(input);
        self
    }

    /// The events, one a line, each behind its milliseconds.
    pub fn story(mut self) -> String {
        self.perform(0);
        self.past
    }

    fn tell(&mut self, input: Input) {
        for output in self.call.handle(self.now, input).into_iter().rev() {
            self.waiting.push_front(output);
        }
    }

    fn perform(&mut self, left: usize) {
        while self.waiting.len() > left
            && let Some(output) = self.waiting.pop_front()
        {
            match output {
                Output::Event(event) => {
                    let at = (self.now - self.begun).as_millis();
                    let event = serde_json::to_string(&event).expect("an event is plain data");
                    self.past += &format!("{at:06}  {event}\n");
                }
                Output::Agent(_)
                | Output::Carrier(_)
                | Output::Media(_)
                | Output::Meeting(_)
                | Output::Speech(_) => {}
            }
        }
    }
}
