use std::collections::VecDeque;
use std::time::{Duration, Instant};

use call::TurnId;
use call::input::Agent;

/// What the agent does with one turn.
#[derive(Clone, Debug)]
pub struct Reply {
    think: Duration,
    steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Say(&'static str),
    Wait(Duration),
    Work(Duration),
    Finish,
    HangUp,
    Fail(&'static str),
}

impl Reply {
    /// Says this after thinking for 100 ms, and no more.
    pub fn say(text: &'static str) -> Self {
        Self {
            think: Duration::from_millis(100),
            steps: vec![Step::Say(text), Step::Finish],
        }
    }

    /// Says this, and wants to hang up then.
    pub fn farewell(text: &'static str) -> Self {
        Self {
            steps: vec![Step::Say(text), Step::HangUp],
            ..Self::say("")
        }
    }

    /// Says this, and fails then.
    pub fn fail(text: &'static str, code: &'static str) -> Self {
        Self {
            steps: vec![Step::Say(text), Step::Fail(code)],
            ..Self::say("")
        }
    }

    /// Says nothing, ever.
    pub fn silence() -> Self {
        Self {
            steps: Vec::new(),
            ..Self::say("")
        }
    }

    /// Thinks for so long first.
    #[must_use]
    pub fn after(self, ms: u64) -> Self {
        Self {
            think: Duration::from_millis(ms),
            ..self
        }
    }

    /// Is at work for so long first, and says how long that may take.
    #[must_use]
    pub fn working(mut self, ms: u64, most: Duration) -> Self {
        self.steps.insert(0, Step::Work(most));
        self.steps.insert(1, Step::Wait(Duration::from_millis(ms)));
        self
    }

    /// Says this first, and then waits for so long.
    #[must_use]
    pub fn beginning(mut self, text: &'static str, ms: u64) -> Self {
        self.steps.insert(0, Step::Say(text));
        self.steps.insert(1, Step::Wait(Duration::from_millis(ms)));
        self
    }
}

/// An agent that answers from a list, and never listens to being told to stop.
#[derive(Debug)]
pub(crate) struct Agents {
    replies: VecDeque<Reply>,
    due: VecDeque<(Instant, Agent)>,
}

impl Agents {
    /// Forgets what it was about to say.
    pub(crate) fn forget(&mut self) {
        self.due.clear();
    }

    pub(crate) fn new(replies: Vec<Reply>) -> Self {
        Self {
            replies: replies.into(),
            due: VecDeque::new(),
        }
    }

    /// It is asked something.
    pub(crate) fn turn(&mut self, now: Instant, turn: TurnId) {
        let Some(reply) = self.replies.pop_front() else {
            return;
        };
        let mut at = now + reply.think;
        for step in reply.steps {
            let answer = match step {
                // Token by token, as models do.
                Step::Say(text) => {
                    for token in text.split_inclusive(' ') {
                        self.due.push_back((at, Agent::Say(turn, token.into())));
                    }
                    continue;
                }
                Step::Wait(time) => {
                    at += time;
                    continue;
                }
                Step::Work(most) => Agent::Working(turn, most),
                Step::Finish => Agent::Finish(turn),
                Step::HangUp => Agent::HangUp(turn),
                Step::Fail(code) => Agent::Failed(turn, code),
            };
            self.due.push_back((at, answer));
        }
    }

    /// What it says by now.
    pub(crate) fn answers(&mut self, now: Instant) -> Vec<Agent> {
        let (due, later) = self.due.drain(..).partition(|(at, _)| *at <= now);
        self.due = later;
        let due: VecDeque<(Instant, Agent)> = due;
        due.into_iter().map(|(_, answer)| answer).collect()
    }
}
