//! A call without its sound: the line is lost, or the carrier puts the caller through.

use std::time::{Duration, Instant};

use crate::event::{End, Party, Why};
use crate::input::{Carrier, Command, Input, Speech};
use crate::last_words::LastWords;
use crate::live::Live;
use crate::memory::{Elsewhere, Memory};
use crate::moment::Moment;
use crate::{BlindTransfer, Event, Private, output};

/// A call without its sound.
#[derive(Debug)]
pub(crate) struct Away {
    live: Box<Live>,
    since: Instant,
    told: Told,
    wait: Wait,
    until: Instant,
}

/// What it waits for.
#[derive(Debug)]
enum Wait {
    /// The carrier says why. Usually it says in a moment that the call is over; if it does not, it is
    /// asked for the sound.
    Word,
    /// The sound comes back.
    Sound,
    /// Someone picks up to whom the carrier puts the caller through.
    Person(BlindTransfer),
    /// They are done with each other.
    Company(BlindTransfer),
}

/// What a caller who is back is told.
#[derive(Debug)]
enum Told {
    /// That the line was gone, if it was gone for long.
    Apology,
    /// Why nobody took their call.
    Regrets(Private<String>),
}

/// What becomes of a call without its sound.
#[derive(Debug)]
pub(crate) enum Next {
    /// It waits on.
    Waits(Away),
    /// There is sound again; `Some`: and it should end like this.
    Goes(Box<Live>, Option<End>),
    /// It should end like this.
    Ends(Box<Live>, End),
}

impl Away {
    /// The sound stopped, and the carrier said so.
    pub(crate) fn stopped(live: Box<Live>, at: &mut Moment<'_>) -> Self {
        let until = at.now + at.plan.policy.release;
        Self::lost(live, (at.now, Told::Apology), Wait::Word, until, at)
    }

    /// The sound broke off: it is asked for.
    pub(crate) fn dropped(live: Box<Live>, at: &mut Moment<'_>) -> Self {
        at.event(Event::Disconnected);
        Self::ask(live, (at.now, Told::Apology), at)
    }

    /// Another process lost it, so long ago. It has been asked for.
    pub(crate) fn resumed(live: Box<Live>, gone: Duration, at: &mut Moment<'_>) -> Self {
        let until = at.now + at.plan.policy.regain;
        Self {
            live,
            since: at.before(gone),
            told: Told::Apology,
            wait: Wait::Sound,
            until,
        }
    }

    /// The carrier is to put the caller through, from a talk that may wait for them.
    pub(crate) fn hand_over(mut live: Box<Live>, to: BlindTransfer, at: &mut Moment<'_>) -> Self {
        live.settle_cut(&Input::Timeout, at);
        live.step_aside(at);
        at.event(Event::HandedOver { to: to.to.clone() });
        at.carrier(output::Carrier::Transfer(to.to.clone()));
        Self {
            live,
            since: at.now,
            told: Told::Apology,
            until: at.now + to.patience,
            wait: Wait::Person(to),
        }
    }

    /// The same where another process was told so.
    pub(crate) fn elsewhere(
        live: Box<Live>,
        (to, stage): (BlindTransfer, Elsewhere),
        gone: Duration,
        at: &Moment<'_>,
    ) -> Self {
        Self {
            live,
            since: at.before(gone),
            told: Told::Apology,
            until: at.now + to.patience,
            wait: match stage {
                Elsewhere::Rings => Wait::Person(to),
                Elsewhere::Talks => Wait::Company(to),
            },
        }
    }

    /// When something is due, and what.
    pub(crate) fn deadline(&self) -> (Instant, &'static str) {
        match &self.wait {
            Wait::Word => (self.until, "waiting for the carrier to say why"),
            Wait::Sound => (self.until, "waiting for the sound to come back"),
            Wait::Person(_) => (self.until, "waiting for someone to take the caller"),
            Wait::Company(_) => (self.live.limit(), "time limit"),
        }
    }

    /// What must be remembered of it.
    pub(crate) fn memory(&self, now: Instant) -> Memory {
        let (to, stage) = match &self.wait {
            Wait::Word | Wait::Sound => return self.live.memory(now),
            Wait::Person(to) => (to, Elsewhere::Rings),
            Wait::Company(to) => (to, Elsewhere::Talks),
        };
        match self.live.thread() {
            Some(thread) => Memory::Elsewhere {
                left: self.live.limit().saturating_duration_since(now),
                thread: Box::new(thread),
                to: to.clone(),
                stage,
            },
            None => self.live.memory(now),
        }
    }

    /// Takes this much of its time away.
    pub(crate) fn shorten(&mut self, less: Duration, now: Instant) {
        self.live.shorten(less, now);
    }

    /// Nobody waits for it any more.
    pub(crate) fn leave(self, at: &mut Moment<'_>) -> LastWords {
        self.live.leave(at)
    }

    /// What it was waiting for has not come.
    pub(crate) fn timeout(mut self, at: &mut Moment<'_>) -> Next {
        self.settle_cut(&Input::Timeout, at);
        match self.wait {
            Wait::Word => {
                at.event(Event::Disconnected);
                Next::Waits(Self::ask(self.live, (self.since, self.told), at))
            }
            Wait::Sound => Next::Ends(self.live, NOT_BACK),
            Wait::Person(to) => {
                let told = failed(&to, Why::NoAnswer, at);
                Next::Waits(Self::ask(self.live, (self.since, told), at))
            }
            Wait::Company(_) => Next::Ends(self.live, TIME_LIMIT),
        }
    }

    /// Something happens.
    pub(crate) fn handle(mut self, input: Input, at: &mut Moment<'_>) -> Next {
        self.settle_cut(&input, at);
        match (input, self.wait) {
            (Input::Carrier(Carrier::Connected), Wait::Person(to)) => {
                let told = failed(&to, Why::Fault, at);
                come_back(self.live, self.since, told, at)
            }
            (Input::Carrier(Carrier::Connected), Wait::Word | Wait::Sound | Wait::Company(_)) => {
                come_back(self.live, self.since, self.told, at)
            }
            (Input::Carrier(Carrier::Joined), Wait::Person(to)) => {
                at.event(Event::Transferred { to: to.to.clone() });
                Next::Waits(Self {
                    wait: Wait::Company(to),
                    ..self
                })
            }
            (Input::Carrier(Carrier::PutBack(why)), Wait::Person(to)) => {
                let told = failed(&to, why, at);
                Next::Waits(Self {
                    told,
                    wait: Wait::Word,
                    until: at.now + at.plan.policy.release,
                    ..self
                })
            }
            // That they talked was not said, or comes late.
            (Input::Carrier(Carrier::Parted), Wait::Person(_))
            | (Input::Carrier(Carrier::Parted | Carrier::PutBack(_)), Wait::Company(_)) => {
                Next::Ends(self.live, PARTED)
            }
            (input, wait) => Self { wait, ..self }.wait_on(input, at),
        }
    }

    /// Nothing that changes what it waits for.
    fn wait_on(mut self, input: Input, at: &mut Moment<'_>) -> Next {
        let end = match input {
            // Its ears went with its sound, its deadlines wait, and nobody would hear a key or be helped.
            Input::Timeout
            | Input::Media(_)
            | Input::Speech(Speech::EarsFailed(_))
            | Input::Command(Command::Help(_) | Command::Press(_) | Command::Transfer(_)) => None,
            Input::Carrier(Carrier::AnsweredBy(who)) => {
                self.live.answered_without_line(who);
                None
            }
            Input::Command(Command::Sit(_)) if self.is_elsewhere() => None,
            Input::Agent(_)
            | Input::Carrier(_)
            | Input::Command(_)
            | Input::Meeting(_)
            | Input::Speech(_) => self.live.handle(input, at),
        };
        match end {
            Some(end) => Next::Ends(self.live, end),
            None => Next::Waits(self),
        }
    }

    /// What was being said when the caller was handed over was cut, and the sound that is being left
    /// answers to that.
    fn settle_cut(&mut self, input: &Input, at: &mut Moment<'_>) {
        if self.is_elsewhere() {
            self.live.settle_cut(input, at);
        }
    }

    fn is_elsewhere(&self) -> bool {
        match self.wait {
            Wait::Word | Wait::Sound => false,
            Wait::Person(_) | Wait::Company(_) => true,
        }
    }

    /// Asks for the sound.
    fn ask(live: Box<Live>, gone: (Instant, Told), at: &mut Moment<'_>) -> Self {
        at.carrier(output::Carrier::Reconnect);
        let until = at.now + at.plan.policy.regain;
        Self::lost(live, gone, Wait::Sound, until, at)
    }

    /// What was being said waits.
    fn lost(
        mut live: Box<Live>,
        (since, told): (Instant, Told),
        wait: Wait,
        until: Instant,
        at: &mut Moment<'_>,
    ) -> Self {
        live.hold(at);
        Self {
            live,
            since,
            told,
            wait,
            until,
        }
    }
}

fn failed(to: &BlindTransfer, why: Why, at: &mut Moment<'_>) -> Told {
    at.event(Event::TransferFailed {
        to: to.to.clone(),
        why,
    });
    Told::Regrets(to.regrets.of(why).clone())
}

fn come_back(mut live: Box<Live>, since: Instant, told: Told, at: &mut Moment<'_>) -> Next {
    let gone = at.now.saturating_duration_since(since);
    let gap_ms = u64::try_from(gone.as_millis()).unwrap_or(u64::MAX);
    at.event(Event::Reconnected { gap_ms });
    let end = match told {
        Told::Apology => live.go_on(gone, at),
        Told::Regrets(text) => live.come_back(&text, at),
    };
    Next::Goes(live, end)
}

const NOT_BACK: End = End {
    by: Party::Carrier,
    why: Why::Fault,
};

const TIME_LIMIT: End = End {
    by: Party::Gateway,
    why: Why::TimeLimit,
};

/// The other one hung up, and nothing is left to be said. Some carriers end the call by themselves then.
const PARTED: End = End {
    by: Party::Carrier,
    why: Why::Completed,
};
