use std::time::{Duration, Instant};

use crate::conversation::Conversation;
use crate::disclosing::{After, Disclosed, Disclosing, Then, record};
use crate::event::{Consent, End, Party, Who, Why};
use crate::input::{Carrier, Command, Input};
use crate::last_words::LastWords;
use crate::memory::{self, Memory};
use crate::moment::Moment;
use crate::notice::Notice;
use crate::screening::{Heard, Screened, Screening};
use crate::seat::{Next, Seat};
use crate::{Direction, Event, Machine, Mode, Place, Plan, Private, Recording, output};

/// A call with sound.
#[derive(Debug)]
pub(crate) struct Live {
    limit: Instant,
    talk: Talk,
}

/// What the sound is for.
#[derive(Debug)]
enum Talk {
    Conversation(Box<Conversation>),
    Notice(Box<Notice>),
    Seat(Box<Seat>),
    /// Nothing yet: it is not known who picked up.
    Screening(Box<Screening>),
    /// Nothing yet: they hear who speaks to them.
    Disclosing(Box<Disclosing>),
    Loopback,
}

impl Live {
    pub(crate) fn start(at: &mut Moment<'_>) -> Self {
        if at.plan.recording == Recording::AtOnce {
            record(Consent::Own, at);
        }
        let talk = match &at.plan.mode {
            Mode::Conversation { .. } | Mode::Notify { .. } if screens(at.plan) => {
                Talk::Screening(Box::new(Screening::start(at)))
            }
            Mode::Conversation { .. } | Mode::Notify { .. } | Mode::Seat(_) | Mode::Loopback
                if at.plan.announcement.is_some() =>
            {
                Talk::next(Then::AsPlanned, Heard::default(), at)
            }
            Mode::Conversation { opening } => {
                Talk::Conversation(Box::new(Conversation::start(opening, at)))
            }
            Mode::Notify { text } => Talk::Notice(Box::new(Notice::start(text, at))),
            Mode::Seat(place) => Talk::Seat(Box::new(Seat::take(place, at))),
            Mode::Loopback => Talk::Loopback,
        };
        Self {
            limit: at.now + at.plan.policy.limit,
            talk,
        }
    }

    /// A call as it was remembered, without a line yet.
    /// Tells what was heard of the clause that broke off.
    pub(crate) fn recall(
        left: Duration,
        broken: Private<String>,
        talk: memory::Talk,
        at: &mut Moment<'_>,
    ) -> Self {
        let talk = match talk {
            memory::Talk::Conversation(thread) => {
                Talk::Conversation(Box::new(Conversation::recall(thread, at)))
            }
            memory::Talk::Notice { last, unheard } => {
                Talk::Notice(Box::new(Notice::recall(last, unheard, at)))
            }
            memory::Talk::Seat {
                place,
                last,
                thread,
            } => {
                let thread = thread.map(|it| *it);
                Talk::Seat(Box::new(Seat::recall(*place, last, thread, at)))
            }
            memory::Talk::Loopback => Talk::Loopback,
        };
        if !broken.reveal().is_empty() {
            match &talk {
                Talk::Conversation(talk) => talk.broke(broken, at),
                Talk::Notice(notice) => notice.broke(broken, at),
                Talk::Seat(_) | Talk::Screening(_) | Talk::Disclosing(_) | Talk::Loopback => {}
            }
        }
        Self {
            limit: at.now + left,
            talk,
        }
    }

    /// What must be remembered of it.
    pub(crate) fn memory(&self, now: Instant) -> Memory {
        let talk = match &self.talk {
            Talk::Conversation(talk) => {
                let thread = talk.memory();
                thread.map(|(it, heard)| (memory::Talk::Conversation(it), heard))
            }
            Talk::Notice(notice) => notice.memory(),
            Talk::Seat(seat) => {
                let (place, last, thread) = seat.memory();
                let seat = memory::Talk::Seat {
                    place: Box::new(place),
                    last,
                    thread: thread.map(Box::new),
                };
                Some((seat, String::new()))
            }
            // Nothing was said: whoever takes it up listens again, and says again who speaks.
            Talk::Screening(_) | Talk::Disclosing(_) => None,
            Talk::Loopback => Some((memory::Talk::Loopback, String::new())),
        };
        let left = self.limit.saturating_duration_since(now);
        talk.map_or(Memory::Answered, |(talk, broken)| Memory::Up {
            left,
            broken: broken.into(),
            talk,
        })
    }

    /// The line is gone.
    pub(crate) fn hold(&mut self, at: &mut Moment<'_>) {
        match &mut self.talk {
            Talk::Conversation(talk) => talk.hold(at),
            Talk::Notice(notice) => notice.hold(at),
            // The others go on without them.
            Talk::Seat(_) | Talk::Screening(_) | Talk::Disclosing(_) | Talk::Loopback => {}
        }
    }

    /// There is a line again, after this long without one. Returns how the call should end, if it
    /// should.
    pub(crate) fn go_on(&mut self, gone: Duration, at: &mut Moment<'_>) -> Option<End> {
        match &mut self.talk {
            Talk::Conversation(talk) => talk.go_on(gone, at),
            Talk::Notice(notice) => {
                notice.go_on(gone, at);
                None
            }
            Talk::Seat(seat) => {
                seat.go_on(at);
                None
            }
            Talk::Screening(screening) => {
                let next = screening.go_on(at);
                self.screen(next, at)
            }
            Talk::Disclosing(disclosing) => {
                disclosing.go_on(at);
                None
            }
            Talk::Loopback => None,
        }
    }

    /// The carrier says who picked up, while there is no line.
    pub(crate) fn answered_without_line(&mut self, who: Who) {
        match &mut self.talk {
            Talk::Screening(screening) => screening.told_without_line(who),
            Talk::Conversation(_)
            | Talk::Notice(_)
            | Talk::Seat(_)
            | Talk::Disclosing(_)
            | Talk::Loopback => {}
        }
    }

    /// Whether there is a conversation that can wait for a caller who is taken elsewhere.
    pub(crate) fn may_wait(&self) -> bool {
        match &self.talk {
            Talk::Conversation(talk) => !talk.is_closing(),
            Talk::Notice(_)
            | Talk::Seat(_)
            | Talk::Screening(_)
            | Talk::Disclosing(_)
            | Talk::Loopback => false,
        }
    }

    /// The caller is taken elsewhere.
    pub(crate) fn step_aside(&mut self, at: &mut Moment<'_>) {
        match &mut self.talk {
            Talk::Conversation(talk) => {
                let hearing = talk.step_aside(at);
                talk.take_back(hearing);
            }
            Talk::Notice(_)
            | Talk::Seat(_)
            | Talk::Screening(_)
            | Talk::Disclosing(_)
            | Talk::Loopback => {}
        }
    }

    /// The caller is back from elsewhere, and is told this. Returns how the call should end, if it
    /// should.
    pub(crate) fn come_back(&mut self, text: &Private<String>, at: &mut Moment<'_>) -> Option<End> {
        match &mut self.talk {
            Talk::Conversation(talk) => talk.return_to(text, at),
            Talk::Notice(_)
            | Talk::Seat(_)
            | Talk::Screening(_)
            | Talk::Disclosing(_)
            | Talk::Loopback => self.go_on(Duration::ZERO, at),
        }
    }

    /// Takes the sound's answer to a cut.
    pub(crate) fn settle_cut(&mut self, input: &Input, at: &mut Moment<'_>) {
        match &mut self.talk {
            Talk::Conversation(talk) => talk.settle_cut(input, at),
            Talk::Notice(_)
            | Talk::Seat(_)
            | Talk::Screening(_)
            | Talk::Disclosing(_)
            | Talk::Loopback => {}
        }
    }

    /// When it has lasted as long as it may.
    pub(crate) fn limit(&self) -> Instant {
        self.limit
    }

    /// The conversation as it must be remembered, if it is one.
    pub(crate) fn thread(&self) -> Option<memory::Thread> {
        match &self.talk {
            Talk::Conversation(talk) => Some(talk.thread().0),
            Talk::Notice(_)
            | Talk::Seat(_)
            | Talk::Screening(_)
            | Talk::Disclosing(_)
            | Talk::Loopback => None,
        }
    }

    /// Handles one input. Returns how the call should end, if it should.
    pub(crate) fn handle(&mut self, input: Input, at: &mut Moment<'_>) -> Option<End> {
        let too_long = matches!(input, Input::Timeout) && self.limit <= at.now;
        let end = End {
            by: Party::Gateway,
            why: Why::TimeLimit,
        };
        if too_long && !self.is_closing() {
            return self.close(end, at);
        }
        if let Input::Command(Command::Press(keys)) = &input {
            at.event(Event::AgentPressed {
                digits: Private::from(keys.as_str()),
            });
            at.media(output::Media::Press(keys.clone()));
        }
        self.note(&input, at);
        if let Input::Command(Command::Sit(place)) = &input
            && self.sit(place, at)
        {
            return None;
        }
        match &mut self.talk {
            Talk::Conversation(talk) => talk.handle(input, at),
            Talk::Notice(notice) => notice.handle(input, at),
            Talk::Seat(seat) => {
                let next = seat.handle(input, at);
                self.rise(next)
            }
            Talk::Screening(screening) => {
                let next = screening.handle(input, at);
                self.screen(next, at)
            }
            Talk::Disclosing(disclosing) => match disclosing.handle(input, at) {
                Disclosed::Wait => None,
                Disclosed::End(end) => Some(end),
                Disclosed::Over => self.disclosed(at),
            },
            Talk::Loopback => {
                if let Input::Carrier(Carrier::Pressed(digit)) = input {
                    at.event(Event::CallerPressed {
                        digit: Private::new(digit.as_char()),
                    });
                }
                None
            }
        }
    }

    /// What happens to be known of a call, whoever has the word on it.
    fn note(&self, input: &Input, at: &mut Moment<'_>) {
        match input {
            Input::Command(Command::Refuse(refused, _)) => {
                at.event(Event::AgentRefused(*refused));
                at.agent(output::Agent::Refused(*refused));
            }
            Input::Command(Command::Prove(_)) => {
                at.event(Event::CallerProved);
                at.agent(output::Agent::Proved);
            }
            Input::Command(Command::Disprove(_)) => at.event(Event::CallerFailedProof),
            Input::Command(Command::Help(_)) => at.event(Event::CallerInEmergency),
            Input::Command(
                Command::Dismiss
                | Command::Forbid
                | Command::HangUp
                | Command::Limit(_)
                | Command::OptOut
                | Command::Press(_)
                | Command::Say(_)
                | Command::Sit(_)
                | Command::Stand(_)
                | Command::Transfer(_),
            )
            | Input::Agent(_)
            | Input::Carrier(_)
            | Input::Media(_)
            | Input::Meeting(_)
            | Input::Speech(_)
            | Input::Timeout => {}
        }
    }

    /// From a talk with an agent to a meeting. `false`: nobody else has anything to leave for it, nor has
    /// who hears a goodbye.
    fn sit(&mut self, place: &Place, at: &mut Moment<'_>) -> bool {
        self.take_for_a_person(at);
        if let Talk::Disclosing(disclosing) = &mut self.talk {
            disclosing.sits(place.clone());
            return true;
        }
        let (talk, sits) = match std::mem::replace(&mut self.talk, Talk::Loopback) {
            Talk::Conversation(talk) if !talk.is_closing() => {
                let seat = Seat::leave_agent(place.clone(), talk, at);
                (Talk::Seat(Box::new(seat)), true)
            }
            talk @ (Talk::Conversation(_)
            | Talk::Notice(_)
            | Talk::Seat(_)
            | Talk::Screening(_)
            | Talk::Disclosing(_)
            | Talk::Loopback) => (talk, false),
        };
        self.talk = talk;
        sits
    }

    /// Whoever puts someone through, or calls them to a table, takes them for a person.
    pub(crate) fn take_for_a_person(&mut self, at: &mut Moment<'_>) {
        if let (Talk::Screening(_), Mode::Conversation { .. }) = (&self.talk, &at.plan.mode) {
            self.screened(Then::AsPlanned, at);
        }
    }

    fn rise(&mut self, next: Next) -> Option<End> {
        match next {
            Next::Sits => None,
            Next::Talks(talk, end) => {
                self.talk = Talk::Conversation(talk);
                end
            }
            Next::Ends(end) => Some(end),
        }
    }

    /// Ends the call like this: a conversation says goodbye first, unless it already does.
    pub(crate) fn close(&mut self, end: End, at: &mut Moment<'_>) -> Option<End> {
        match &mut self.talk {
            // It goes on with its goodbye, but takes note that something happened.
            Talk::Conversation(talk) if talk.is_closing() => {
                talk.handle(Input::Command(Command::Forbid), at)
            }
            Talk::Conversation(talk) => talk.close(end, at),
            // A notice is no talk that could be rounded off, and an echo has no voice.
            // At a meeting others have the word.
            Talk::Notice(_)
            | Talk::Seat(_)
            | Talk::Screening(_)
            | Talk::Disclosing(_)
            | Talk::Loopback => Some(end),
        }
    }

    /// Takes this much of its time away.
    pub(crate) fn shorten(&mut self, less: Duration, now: Instant) {
        // What would have been over before the clock's first moment is over now.
        self.limit = self.limit.checked_sub(less).unwrap_or(now);
    }

    fn is_closing(&self) -> bool {
        match &self.talk {
            Talk::Conversation(talk) => talk.is_closing(),
            Talk::Notice(_)
            | Talk::Seat(_)
            | Talk::Screening(_)
            | Talk::Disclosing(_)
            | Talk::Loopback => false,
        }
    }

    /// When something is due, and what.
    pub(crate) fn deadline(&self, plan: &Plan) -> Option<(Instant, &'static str)> {
        let limit = Some((self.limit, "time limit"));
        let (talk, limit) = match &self.talk {
            // It has a deadline of its own by which it ends.
            Talk::Conversation(talk) if talk.is_closing() => (talk.deadline(plan), None),
            Talk::Conversation(talk) => (talk.deadline(plan), limit),
            Talk::Notice(notice) => (notice.deadline(&plan.policy), limit),
            Talk::Screening(screening) => (Some(screening.deadline()), limit),
            Talk::Disclosing(disclosing) => (Some(disclosing.deadline()), limit),
            Talk::Seat(_) | Talk::Loopback => (None, limit),
        };
        talk.into_iter().chain(limit).min()
    }

    /// Stops speaking, because there is nobody to hear it any more.
    pub(crate) fn leave(self, at: &mut Moment<'_>) -> LastWords {
        match self.talk {
            Talk::Conversation(talk) => talk.leave(at),
            Talk::Notice(notice) => notice.leave(at),
            Talk::Seat(seat) => seat.leave(at),
            Talk::Screening(screening) => screening.leave(),
            Talk::Disclosing(disclosing) => disclosing.leave(at),
            Talk::Loopback => LastWords::None,
        }
    }

    /// It is known who picked up: what follows begins.
    fn screen(&mut self, next: Screened, at: &mut Moment<'_>) -> Option<End> {
        match next {
            Screened::Wait => None,
            Screened::End(end) => Some(end),
            Screened::Person => self.screened(Then::AsPlanned, at),
            Screened::Leave(text) => self.screened(Then::Leave(text), at),
        }
    }

    fn screened(&mut self, then: Then, at: &mut Moment<'_>) -> Option<End> {
        if let Talk::Screening(screening) = std::mem::replace(&mut self.talk, Talk::Loopback) {
            self.talk = Talk::next(then, screening.into_heard(), at);
        }
        None
    }

    /// They heard who speaks to them: what follows begins.
    fn disclosed(&mut self, at: &mut Moment<'_>) -> Option<End> {
        let Talk::Disclosing(disclosing) = std::mem::replace(&mut self.talk, Talk::Loopback) else {
            return None;
        };
        let After {
            then,
            heard,
            deaf,
            place,
        } = disclosing.over();
        self.talk = Talk::then(then, heard, at);
        match &mut self.talk {
            // Whoever cannot hear must not pretend to listen.
            Talk::Conversation(talk) if deaf => talk.close(
                End {
                    by: Party::Gateway,
                    why: Why::Fault,
                },
                at,
            ),
            Talk::Conversation(_)
            | Talk::Notice(_)
            | Talk::Seat(_)
            | Talk::Screening(_)
            | Talk::Disclosing(_)
            | Talk::Loopback => {
                if let Some(place) = place {
                    self.sit(&place, at);
                }
                None
            }
        }
    }
}

impl Talk {
    /// With someone who was listened to already, and is to hear first who speaks, if anything is to be
    /// heard of that.
    fn next(then: Then, heard: Heard, at: &mut Moment<'_>) -> Self {
        match &at.plan.announcement {
            Some(announcement) => {
                Self::Disclosing(Box::new(Disclosing::start(announcement, then, heard, at)))
            }
            None => Self::then(then, heard, at),
        }
    }

    /// The same once they know.
    fn then(then: Then, heard: Heard, at: &mut Moment<'_>) -> Self {
        match (then, &at.plan.mode) {
            (Then::Leave(text), _) => Self::Notice(Box::new(Notice::left(&text, heard, at))),
            (Then::AsPlanned, Mode::Conversation { opening }) => {
                Self::Conversation(Box::new(Conversation::screened(opening, heard, at)))
            }
            (Then::AsPlanned, Mode::Notify { text }) => {
                Self::Notice(Box::new(Notice::screened(text, heard, at)))
            }
            (Then::AsPlanned, Mode::Seat(place)) => {
                Self::Seat(Box::new(Seat::take_heard(place, heard, at)))
            }
            (Then::AsPlanned, Mode::Loopback) => Self::Loopback,
        }
    }
}

/// Whether it matters who picks up.
fn screens(plan: &Plan) -> bool {
    let asked = match plan.machine {
        Machine::Talk => false,
        Machine::HangUp(_) | Machine::Leave(..) => true,
    };
    asked && plan.direction == Direction::Outbound
}
