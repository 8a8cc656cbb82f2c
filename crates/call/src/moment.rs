use std::time::{Duration, Instant};

use crate::output::{Agent, Carrier, Media, Meeting, Output, Speech};
use crate::{Event, Plan};

/// One moment of a call: what time it is, what was planned, and what is asked for in it.
#[derive(Debug)]
pub(crate) struct Moment<'a> {
    pub(crate) now: Instant,
    pub(crate) plan: &'a Plan,
    pub(crate) out: Vec<Output>,
}

impl<'a> Moment<'a> {
    pub(crate) fn new(now: Instant, plan: &'a Plan) -> Self {
        Self {
            now,
            plan,
            out: Vec::new(),
        }
    }

    pub(crate) fn agent(&mut self, tell: Agent) {
        self.out.push(Output::Agent(tell));
    }

    pub(crate) fn carrier(&mut self, tell: Carrier) {
        self.out.push(Output::Carrier(tell));
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.out.push(Output::Event(event));
    }

    pub(crate) fn media(&mut self, ask: Media) {
        self.out.push(Output::Media(ask));
    }

    pub(crate) fn meeting(&mut self, tell: Meeting) {
        self.out.push(Output::Meeting(tell));
    }

    pub(crate) fn speech(&mut self, ask: Speech) {
        self.out.push(Output::Speech(ask));
    }

    /// The true moment of something that is reported `ago` later.
    pub(crate) fn before(&self, ago: Duration) -> Instant {
        // A clock that cannot go back that far has just begun, so now is as true as it gets.
        self.now.checked_sub(ago).unwrap_or(self.now)
    }
}
