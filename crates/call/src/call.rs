use std::time::Instant;

use crate::input::Input;
use crate::output::Output;
use crate::plan::Plan;

/// One phone call.
#[derive(Debug)]
pub struct Call {
    plan: Plan,
}

#[expect(unused_variables, clippy::todo, reason = "the shape first")]
impl Call {
    /// Starts a call: dials it, or takes it, as its plan says.
    pub fn start(now: Instant, plan: Plan) -> (Self, Vec<Output>) {
        todo!()
    }

    /// Tells the call what happened, and learns what to do about it.
    #[must_use = "a call whose outputs are not performed is stuck"]
    pub fn handle(&mut self, now: Instant, input: Input) -> Vec<Output> {
        todo!("{:?}", self.plan)
    }

    /// When to call [`Call::handle`] with [`Input::Timeout`], and what for.
    pub fn deadline(&self) -> Option<(Instant, &'static str)> {
        todo!()
    }

    /// Whether `call.ended` has been said.
    pub fn is_over(&self) -> bool {
        todo!()
    }
}
