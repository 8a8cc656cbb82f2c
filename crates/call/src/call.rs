use std::time::{Duration, Instant};

use crate::away::{self, Away};
use crate::event::{End, Event, Party, Why};
use crate::input::{Agent, Carrier, Command, Input};
use crate::last_words::LastWords;
use crate::live::Live;
use crate::memory::{self, Memory};
use crate::moment::Moment;
use crate::output::{self, Output};
use crate::plan::{Direction, Mode, Plan};
use crate::{BlindTransfer, Private};

/// One phone call.
#[derive(Debug)]
pub struct Call {
    plan: Plan,
    state: State,
}

/// Where a call is in its life.
///
/// Each state holds the deadlines that make sense in it and no others, so a timer cannot outlive
/// the state that set it. States only follow one another downwards: news of an earlier one that
/// comes late, or twice, changes nothing.
#[derive(Debug)]
enum State {
    /// We asked the carrier for the far end, or to take a caller it offered.
    Setup { until: Instant },
    /// The same, and the far end rings.
    Ringing { until: Instant },
    /// Answered, but no sound yet.
    Answered { until: Instant },
    /// There is sound.
    Live(Box<Live>),
    /// The sound is gone.
    Away(Away),
    /// We hung up and wait for the carrier to say so too.
    Ending {
        end: End,
        last: LastWords,
        until: Instant,
    },
    /// Over.
    Ended,
}

impl Call {
    /// Starts a call: dials it, or takes it, as its plan says.
    pub fn start(now: Instant, plan: Plan) -> (Self, Vec<Output>) {
        let (event, ask) = match plan.direction {
            Direction::Inbound => (Event::Offered, output::Carrier::Answer),
            Direction::Outbound => (Event::Dialed, output::Carrier::Dial),
        };
        let state = State::Setup {
            until: now + plan.policy.ring,
        };
        let out = vec![Output::Event(event), Output::Carrier(ask)];
        (Self { plan, state }, out)
    }

    /// Takes a call up where another process lost it, this long ago. It has been asked for its
    /// sound already; nothing here dials.
    pub fn resume(now: Instant, plan: Plan, memory: Memory, gone: Duration) -> (Self, Vec<Output>) {
        let mut at = Moment::new(now, &plan);
        let state = match memory {
            Memory::Waiting => State::Setup {
                until: now + plan.policy.ring,
            },
            Memory::Answered => State::Answered {
                until: now + plan.policy.regain,
            },
            Memory::Up { left, broken, talk } => {
                at.event(Event::Disconnected);
                let live = Live::recall(left, broken, talk, &mut at);
                State::Away(Away::resumed(Box::new(live), gone, &mut at))
            }
            Memory::Elsewhere {
                left,
                thread,
                to,
                stage,
            } => {
                let talk = memory::Talk::Conversation(*thread);
                let live = Live::recall(left, Private::new(String::new()), talk, &mut at);
                State::Away(Away::elsewhere(Box::new(live), (to, stage), gone, &at))
            }
            Memory::Ending(end) => {
                at.carrier(output::Carrier::HangUp);
                State::Ending {
                    end,
                    last: LastWords::None,
                    until: now + plan.policy.release,
                }
            }
            Memory::Over => State::Ended,
        };
        let out = at.out;
        (Self { plan, state }, out)
    }

    /// What must be remembered of the call, should this process not live to see its end.
    pub fn memory(&self, now: Instant) -> Memory {
        match &self.state {
            State::Setup { .. } | State::Ringing { .. } => Memory::Waiting,
            State::Answered { .. } => Memory::Answered,
            State::Live(live) => live.memory(now),
            State::Away(away) => away.memory(now),
            State::Ending { end, .. } => Memory::Ending(*end),
            State::Ended => Memory::Over,
        }
    }

    /// Tells the call what happened, and learns what to do about it.
    #[must_use = "a call whose outputs are not performed is stuck"]
    pub fn handle(&mut self, now: Instant, input: Input) -> Vec<Output> {
        if let Input::Command(Command::Limit(limit)) = input {
            self.shorten(limit, now);
        }
        let mut at = Moment::new(now, &self.plan);
        let state = std::mem::replace(&mut self.state, State::Ended);
        self.state = state.next(input, &mut at);
        at.out
    }

    /// Takes time away from a call, or does nothing.
    fn shorten(&mut self, limit: Duration, now: Instant) {
        let less = self.plan.policy.limit.saturating_sub(limit);
        self.plan.policy.limit -= less;
        match &mut self.state {
            State::Live(live) => live.shorten(less, now),
            State::Away(away) => away.shorten(less, now),
            State::Setup { .. }
            | State::Ringing { .. }
            | State::Answered { .. }
            | State::Ending { .. }
            | State::Ended => {}
        }
    }

    /// When to call [`Call::handle`] with [`Input::Timeout`], and what for. It may be in the past:
    /// then it is due at once.
    pub fn deadline(&self) -> Option<(Instant, &'static str)> {
        self.state.deadline(&self.plan)
    }

    /// Whether `call.ended` has been said.
    pub fn is_over(&self) -> bool {
        matches!(self.state, State::Ended)
    }
}

impl State {
    fn deadline(&self, plan: &Plan) -> Option<(Instant, &'static str)> {
        match self {
            Self::Setup { until } | Self::Ringing { until } => Some((*until, "ringing")),
            Self::Answered { until } => Some((*until, "waiting for sound")),
            Self::Live(live) => live.deadline(plan),
            Self::Away(away) => Some(away.deadline()),
            Self::Ending { until, .. } => Some((*until, "waiting for the carrier to hang up")),
            Self::Ended => None,
        }
    }

    fn next(self, input: Input, at: &mut Moment<'_>) -> Self {
        let due = self
            .deadline(at.plan)
            .is_some_and(|(when, _)| when <= at.now);
        match (self, input) {
            (Self::Ended, _) => Self::Ended,

            // A message is kept whenever it comes: someone left it.
            (state, Input::Agent(Agent::Message { name, text })) => {
                at.event(Event::AgentTookMessage { name, text });
                state
            }

            (state, Input::Agent(Agent::Note(text))) => {
                at.event(Event::AgentNoted { text });
                state
            }

            // Whatever the call does just then, they said it.
            (state, Input::Command(Command::OptOut)) => {
                at.event(Event::CallerOptedOut);
                state.next(Input::Command(Command::Forbid), at)
            }

            // We hung up first, so the reason is ours.
            (Self::Ending { end, last, .. }, Input::Carrier(Carrier::Ended(_))) => {
                over(end, last, at)
            }
            (state @ Self::Ending { .. }, Input::Timeout) if due => state.timeout(at),
            (
                Self::Ending {
                    end,
                    mut last,
                    until,
                },
                input,
            ) => {
                last.handle(input, at);
                Self::Ending { end, last, until }
            }

            (state, Input::Carrier(Carrier::Ended(end))) => {
                let last = state.leave(at);
                over(end, last, at)
            }
            (state, Input::Command(Command::HangUp)) => {
                state.hang_up(by(Party::Owner, Why::HungUp), at)
            }
            (Self::Live(live), Input::Command(Command::Forbid)) => {
                close(live, by(Party::Gateway, Why::Policy), at)
            }
            (state, Input::Command(Command::Forbid)) => {
                state.hang_up(by(Party::Gateway, Why::Policy), at)
            }
            (state, Input::Command(Command::Dismiss)) => state.dismiss(at),
            (state, Input::Timeout) if due => state.timeout(at),

            (Self::Live(live), Input::Carrier(Carrier::Disconnected)) => {
                Self::Away(Away::stopped(live, at))
            }
            (Self::Live(live), Input::Carrier(Carrier::Dropped)) => {
                Self::Away(Away::dropped(live, at))
            }
            (Self::Live(live), Input::Command(Command::Transfer(to))) => hand_over(live, to, at),
            (Self::Live(live), input) => live_on(live, input, at),
            (Self::Away(away), input) => away_on(away.handle(input, at), at),

            // Only the carrier means anything before there is sound.
            (
                state @ (Self::Setup { .. } | Self::Ringing { .. } | Self::Answered { .. }),
                Input::Carrier(news),
            ) => state.come_up(news, at),
            // Whoever is called for a meeting alone need not come any more.
            (
                state @ (Self::Setup { .. } | Self::Ringing { .. } | Self::Answered { .. }),
                Input::Command(Command::Stand(_)),
            ) if matches!(at.plan.mode, Mode::Seat(_)) => state.dismiss(at),
            (state @ (Self::Setup { .. } | Self::Ringing { .. } | Self::Answered { .. }), _) => {
                state
            }
        }
    }

    /// The carrier tells of a call that has no sound yet.
    fn come_up(self, news: Carrier, at: &mut Moment<'_>) -> Self {
        match (self, news) {
            // Some carriers open the stream before they say that the call was answered.
            (Self::Setup { .. } | Self::Ringing { .. }, Carrier::Connected) => {
                at.event(Event::Answered);
                connected(at)
            }
            (Self::Answered { .. }, Carrier::Connected) => connected(at),
            (Self::Setup { .. } | Self::Ringing { .. }, Carrier::Answered) => {
                at.event(Event::Answered);
                Self::Answered {
                    until: at.now + at.plan.policy.connect,
                }
            }
            (Self::Setup { until }, Carrier::Ringing) => {
                at.event(Event::Ringing);
                Self::Ringing { until }
            }
            (
                state,
                Carrier::Answered
                | Carrier::AnsweredBy(_)
                | Carrier::Disconnected
                | Carrier::Dropped
                | Carrier::Ended(_)
                | Carrier::Joined
                | Carrier::Parted
                | Carrier::Pressed(_)
                | Carrier::PutBack(_)
                | Carrier::Ringing
                | Carrier::Connected,
            ) => state,
        }
    }

    /// What it was waiting for has not come.
    fn timeout(self, at: &mut Moment<'_>) -> Self {
        match self {
            Self::Setup { .. } | Self::Ringing { .. } => {
                let why = match at.plan.direction {
                    Direction::Inbound => Why::Fault,
                    Direction::Outbound => Why::NoAnswer,
                };
                self.hang_up(by(Party::Gateway, why), at)
            }
            Self::Answered { .. } => self.hang_up(by(Party::Gateway, Why::Fault), at),
            Self::Live(live) => live_on(live, Input::Timeout, at),
            Self::Away(away) => away_on(away.timeout(at), at),
            Self::Ending { end, last, .. } => over(end, last, at),
            Self::Ended => Self::Ended,
        }
    }

    /// Nobody has any more use for the caller.
    fn dismiss(self, at: &mut Moment<'_>) -> Self {
        let completed = by(Party::Gateway, Why::Completed);
        match self {
            Self::Live(live) => close(live, completed, at),
            Self::Away(_) => self.hang_up(completed, at),
            Self::Setup { .. } | Self::Ringing { .. } | Self::Answered { .. } => {
                self.hang_up(by(Party::Gateway, Why::Canceled), at)
            }
            Self::Ending { .. } | Self::Ended => self,
        }
    }

    fn hang_up(self, end: End, at: &mut Moment<'_>) -> Self {
        let last = self.leave(at).ask(at);
        at.carrier(output::Carrier::HangUp);
        Self::Ending {
            end,
            last,
            until: at.now + at.plan.policy.release,
        }
    }

    /// Stops whatever is being said.
    fn leave(self, at: &mut Moment<'_>) -> LastWords {
        match self {
            Self::Live(live) => live.leave(at),
            Self::Away(away) => away.leave(at),
            Self::Ending { last, .. } => last.settled(at),
            Self::Setup { .. } | Self::Ringing { .. } | Self::Answered { .. } | Self::Ended => {
                LastWords::None
            }
        }
    }
}

fn connected(at: &mut Moment<'_>) -> State {
    at.event(Event::Connected);
    State::Live(Box::new(Live::start(at)))
}

/// What becomes of a call without its sound.
fn away_on(next: away::Next, at: &mut Moment<'_>) -> State {
    match next {
        away::Next::Waits(away) => State::Away(away),
        away::Next::Goes(live, None) => State::Live(live),
        away::Next::Goes(live, Some(end)) | away::Next::Ends(live, end) => {
            State::Live(live).hang_up(end, at)
        }
    }
}

/// The carrier is to put the caller through, if they talk to an agent.
fn hand_over(mut live: Box<Live>, to: BlindTransfer, at: &mut Moment<'_>) -> State {
    live.take_for_a_person(at);
    if live.may_wait() {
        State::Away(Away::hand_over(live, to, at))
    } else {
        live_on(live, Input::Command(Command::Transfer(to)), at)
    }
}

fn live_on(mut live: Box<Live>, input: Input, at: &mut Moment<'_>) -> State {
    match live.handle(input, at) {
        Some(end) => State::Live(live).hang_up(end, at),
        None => State::Live(live),
    }
}

/// A conversation says goodbye before it ends like this.
fn close(mut live: Box<Live>, end: End, at: &mut Moment<'_>) -> State {
    match live.close(end, at) {
        Some(end) => State::Live(live).hang_up(end, at),
        None => State::Live(live),
    }
}

fn over(end: End, last: LastWords, at: &mut Moment<'_>) -> State {
    last.end(at);
    at.event(Event::Ended(end));
    State::Ended
}

fn by(by: Party, why: Why) -> End {
    End { by, why }
}
