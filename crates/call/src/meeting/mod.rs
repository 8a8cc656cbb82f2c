//! More than two on one line, as a state machine.
//!
//! A [`Meeting`] knows who is there, who is awaited, who hears whom, and what becomes of everyone when
//! someone comes, goes, or does not come. Each person is a [`crate::Call`] of their own, whose sound
//! goes to the meeting while they sit; so is an agent that sits there, whose line is the meeting itself.
//! Like a call it never waits, never fails and never looks at a clock.

mod seats;

use std::time::{Duration, Instant};

pub use self::seats::{Audience, Kind, MOST, PartyId, Seats};
use crate::event::End;
use crate::{Private, Regrets, input};

/// Several people, and perhaps an agent.
#[derive(Debug)]
pub struct Meeting {
    stage: Stage,
    seats: Seats,
    phrases: Phrases,
    /// How long one person waits for company.
    patience: Duration,
    announcing: Announcing,
    /// Who was last told that they are the one who speaks.
    speaking: Option<PartyId>,
}

/// What a meeting is for, and how far it has come.
#[derive(Debug)]
enum Stage {
    /// Whoever is there talks to whoever is there.
    Open,
    /// One person is there, and nobody to talk to. If nobody comes until then, it is over.
    Alone { until: Instant },
    /// A caller waits, with music, while someone is called and asked whether they will take the call.
    Fetching(Transfer, Instant),
    /// They will, and talk.
    Together(Transfer),
    /// They did, and their gateway was lost: whoever is back waits for the other one until then.
    Parted(Transfer, Instant),
    /// It is over.
    Over,
}

/// A caller who is put through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transfer {
    /// Who wants to be put through. They talked to an agent, and may come back to it.
    pub caller: PartyId,
    /// To whom.
    pub target: PartyId,
    /// What becomes of the caller when the target hangs up.
    pub after: After,
}

/// What becomes of a caller whose talk with another person is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum After {
    /// The call is over.
    End,
    /// The agent has them back.
    Return,
}

/// What an agent at a meeting is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attention {
    /// Answer what is said.
    Talk,
    /// Hear what is said, and answer when it may talk again.
    Listen,
}

/// Whether those at a meeting of three or more are told who comes and who goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Announcing {
    /// They are.
    #[default]
    On,
    /// They are not.
    Off,
}

/// What is announced of someone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// They have joined.
    Joined,
    /// They have left.
    Left,
}

/// What people are told. Complete sentences, with the names in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrases {
    /// To the caller: it came to nothing.
    pub regrets: Regrets,
    /// To the caller, who is back: the other one has hung up.
    pub left: Private<String>,
    /// To someone who has nobody to talk to any more.
    pub alone: Private<String>,
}

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// Someone is to come.
    Awaited(PartyId, Kind),
    /// Someone is to come back who sat here until their gateway was lost: that is no news.
    Back(PartyId),
    /// Someone sits, and hears and is heard.
    Joined(PartyId),
    /// Someone's call is over, or they left for their agent.
    Left(PartyId, End),
    /// Someone who was asked whether they take the call has answered.
    Consented(PartyId, Consent),
    /// Someone else speaks now; `None`: nobody does.
    Speaking(Option<PartyId>),
    /// The owner wants something.
    Command(Command),
    /// [`Meeting::deadline`] has come.
    Timeout,
}

/// What someone says who is asked whether they take a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// They do.
    Yes,
    /// They do not, or did not say so.
    No,
}

/// What the owner wants of a meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Nobody is to hear this one.
    Mute(PartyId),
    /// They may again.
    Unmute(PartyId),
    /// This one is to leave.
    Remove(PartyId),
    /// Everybody is to hear this.
    Announce(Private<String>),
    /// It is over.
    End,
}

/// Something to do, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Who hears whom has changed: see [`Meeting::seats`].
    Hear,
    /// Give this one, who will take the call, a seat.
    Seat(PartyId),
    /// Tell someone's call.
    Tell(PartyId, input::Input),
    /// Let these hear this.
    Say(Audience, Private<String>),
    /// Let these hear that someone has come or gone, by name.
    Announce(Audience, PartyId, Passage),
    /// Nobody is left. The last.
    Over,
}

impl Meeting {
    /// A meeting of whoever comes. One person waits that long for company.
    pub fn open(
        now: Instant,
        phrases: Phrases,
        patience: Duration,
        announcing: Announcing,
    ) -> Self {
        Self {
            stage: Stage::Alone {
                until: now + patience,
            },
            patience,
            seats: Seats::default(),
            phrases,
            announcing,
            speaking: None,
        }
    }

    /// A caller is to be put through to someone, who has so long to pick up and say that they will.
    pub fn transfer(
        now: Instant,
        phrases: Phrases,
        transfer: Transfer,
        patience: Duration,
    ) -> Self {
        let stage = Stage::Fetching(transfer, now + patience);
        Self::of_two(stage, transfer, phrases, patience)
    }

    /// A caller was put through to someone, and they talked until their gateway was lost. Whoever comes
    /// back waits so long for the other one.
    pub fn parted(now: Instant, phrases: Phrases, transfer: Transfer, patience: Duration) -> Self {
        let stage = Stage::Parted(transfer, now + patience);
        Self::of_two(stage, transfer, phrases, patience)
    }

    fn of_two(stage: Stage, transfer: Transfer, phrases: Phrases, patience: Duration) -> Self {
        let mut seats = Seats::default();
        seats.expect(transfer.caller, Kind::Person);
        seats.expect(transfer.target, Kind::Person);
        Self {
            stage,
            patience,
            seats,
            phrases,
            // The two have just been told of each other.
            announcing: Announcing::Off,
            speaking: None,
        }
    }

    /// Who sits there, and who hears whom.
    pub fn seats(&self) -> &Seats {
        &self.seats
    }

    /// Whether [`Output::Over`] has been said.
    pub fn is_over(&self) -> bool {
        matches!(self.stage, Stage::Over)
    }

    /// When to call [`Meeting::handle`] with [`Input::Timeout`], and what for.
    pub fn deadline(&self) -> Option<(Instant, &'static str)> {
        match &self.stage {
            Stage::Alone { until } => Some((*until, "waiting for company")),
            Stage::Fetching(_, until) => Some((*until, "waiting for the one who is called")),
            Stage::Parted(_, until) => Some((*until, "waiting for the other one to come back")),
            Stage::Open | Stage::Together(_) | Stage::Over => None,
        }
    }

    /// Tells the meeting what happened, and learns what to do about it.
    #[must_use = "a meeting whose outputs are not performed is stuck"]
    pub fn handle(&mut self, now: Instant, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        if self.is_over() {
            return out;
        }
        let before = self.seats.clone();
        match input {
            Input::Awaited(party, kind) => self.seats.expect(party, kind),
            Input::Back(party) => self.seats.expect_back(party),
            Input::Joined(party) => self.joined(party, &mut out),
            Input::Left(party, end) => self.left(party, end, &mut out),
            Input::Consented(party, consent) => self.consented(party, consent, &mut out),
            Input::Speaking(who) => self.speaks(who, &mut out),
            Input::Command(command) => self.command(command, &mut out),
            Input::Timeout => self.timeout(now, &mut out),
        }
        self.settle(now, &mut out);
        if self.seats != before {
            out.insert(0, Output::Hear);
        }
        out
    }

    fn joined(&mut self, party: PartyId, out: &mut Vec<Output>) {
        let news = !self.seats.is_seated(party);
        self.seats.sit(party);
        // Who was muted before they came is told now: until then it was nobody's to hear them.
        if news && self.seats.is_seated(party) {
            if self.seats.is_muted(party) {
                out.push(told(party, input::Meeting::Muted));
            }
            if !self.seats.is_back(party) && self.is_crowd_for(party) {
                self.announce(party, Passage::Joined, out);
            }
        }
        match self.stage {
            Stage::Fetching(transfer, _) if party == transfer.target => {
                self.stage = Stage::Together(transfer);
            }
            Stage::Parted(transfer, _) if self.are_seated(transfer) => {
                self.stage = Stage::Together(transfer);
            }
            Stage::Fetching(..)
            | Stage::Parted(..)
            | Stage::Open
            | Stage::Alone { .. }
            | Stage::Together(_)
            | Stage::Over => {}
        }
    }

    /// Whether that is news for others, at a table of so many.
    fn is_crowd_for(&self, party: PartyId) -> bool {
        let seated = self.seats.is_seated(party) && self.seats.kind(party) == Some(Kind::Person);
        seated && self.seats.awaited() >= CROWD && self.announcing == Announcing::On
    }

    fn announce(&self, party: PartyId, passage: Passage, out: &mut Vec<Output>) {
        let others = self.seats.all_but(party);
        if others != Audience::default() {
            out.push(Output::Announce(others, party, passage));
        }
    }

    /// Someone else has the floor, or nobody has. Each is told of it, and that it is over.
    fn speaks(&mut self, who: Option<PartyId>, out: &mut Vec<Output>) {
        let who = who.filter(|it| self.seats.is_heard(*it));
        if who == self.speaking {
            return;
        }
        let before = std::mem::replace(&mut self.speaking, who);
        let before = before.filter(|it| self.seats.is_seated(*it));
        out.extend(before.map(|it| told(it, input::Meeting::StoppedSpeaking)));
        out.extend(who.map(|it| told(it, input::Meeting::Speaking)));
    }

    fn are_seated(&self, transfer: Transfer) -> bool {
        self.seats.is_seated(transfer.caller) && self.seats.is_seated(transfer.target)
    }

    fn left(&mut self, party: PartyId, end: End, out: &mut Vec<Output>) {
        let news = self.is_crowd_for(party);
        self.seats.leave(party);
        self.speaking = self.speaking.filter(|it| *it != party);
        if news {
            self.announce(party, Passage::Left, out);
        }
        match self.stage {
            Stage::Fetching(transfer, _) if party == transfer.target => {
                let why = self.phrases.regrets.of(end.why);
                out.push(stand(transfer.caller, why));
                self.stage = Stage::Open;
            }
            Stage::Together(transfer) | Stage::Parted(transfer, _) if party == transfer.target => {
                self.target_left(transfer, out);
            }
            // Whoever called is gone: there is nothing to put through any more.
            Stage::Fetching(transfer, _)
            | Stage::Together(transfer)
            | Stage::Parted(transfer, _)
                if party == transfer.caller =>
            {
                self.caller_left(transfer, out);
            }
            Stage::Fetching(..)
            | Stage::Together(_)
            | Stage::Parted(..)
            | Stage::Open
            | Stage::Alone { .. } => {}
            Stage::Over => {}
        }
    }

    /// Whoever was asked does not talk to the caller any more.
    fn target_left(&mut self, transfer: Transfer, out: &mut Vec<Output>) {
        match transfer.after {
            After::Return => {
                self.clear_agents(out);
                out.push(stand(transfer.caller, &self.phrases.left));
            }
            After::End => out.push(dismiss(transfer.caller)),
        }
        self.stage = Stage::Open;
    }

    fn caller_left(&mut self, transfer: Transfer, out: &mut Vec<Output>) {
        // One that has not come back is not waited for.
        if let Stage::Parted(..) = self.stage
            && !self.seats.is_seated(transfer.target)
        {
            self.seats.leave(transfer.target);
        }
        out.push(dismiss(transfer.target));
        self.stage = Stage::Open;
    }

    fn consented(&mut self, party: PartyId, consent: Consent, out: &mut Vec<Output>) {
        let Stage::Fetching(transfer, _) = self.stage else {
            return;
        };
        if party != transfer.target {
            return;
        }
        match consent {
            Consent::Yes => out.push(Output::Seat(party)),
            // Their call says goodbye by itself.
            Consent::No => {
                self.seats.leave(party);
                out.push(stand(transfer.caller, &self.phrases.regrets.declined));
                self.stage = Stage::Open;
            }
        }
    }

    fn command(&mut self, command: Command, out: &mut Vec<Output>) {
        match command {
            Command::Mute(party) => {
                let news = self.seats.mute(party) && self.seats.is_seated(party);
                out.extend(news.then(|| told(party, input::Meeting::Muted)));
            }
            Command::Unmute(party) => {
                let news = self.seats.unmute(party) && self.seats.is_seated(party);
                out.extend(news.then(|| told(party, input::Meeting::Unmuted)));
            }
            Command::Remove(party) if self.seats.knows(party) => out.push(dismiss(party)),
            Command::Remove(_) => {}
            Command::Announce(text) => out.push(Output::Say(self.seats.all(), text)),
            Command::End => self.let_go(&Private::from(String::new()), out),
        }
    }

    fn timeout(&mut self, now: Instant, out: &mut Vec<Output>) {
        match self.stage {
            Stage::Fetching(transfer, until) if until <= now => {
                self.seats.leave(transfer.target);
                out.push(dismiss(transfer.target));
                out.push(stand(transfer.caller, &self.phrases.regrets.nobody));
                self.stage = Stage::Open;
            }
            Stage::Parted(transfer, until) if until <= now => {
                let [caller, target] = [transfer.caller, transfer.target];
                if self.seats.is_seated(caller) {
                    self.seats.leave(target);
                    out.push(dismiss(target));
                    self.target_left(transfer, out);
                } else {
                    self.seats.leave(caller);
                    out.push(stand(caller, &self.phrases.left));
                    self.caller_left(transfer, out);
                }
            }
            Stage::Alone { until } if until <= now => {
                // They are told once.
                let text = self.phrases.alone.clone();
                self.let_go(&text, out);
            }
            Stage::Fetching(..)
            | Stage::Parted(..)
            | Stage::Alone { .. }
            | Stage::Open
            | Stage::Together(_)
            | Stage::Over => {}
        }
    }

    /// Whoever has an agent to go back to goes back, and is told this; the others are hung up on.
    fn let_go(&mut self, text: &Private<String>, out: &mut Vec<Output>) {
        self.clear_agents(out);
        let asked = self.asked();
        out.extend(self.seats.parties().map(|it| {
            if asked == Some(it) {
                dismiss(it)
            } else {
                stand(it, text)
            }
        }));
        // Who leaves first is nobody's loss any more, and no news.
        self.stage = Stage::Open;
        self.announcing = Announcing::Off;
    }

    /// Who was called for someone else's sake: what they talked to has nothing more to say to them.
    fn asked(&self) -> Option<PartyId> {
        match self.stage {
            Stage::Fetching(transfer, _)
            | Stage::Parted(transfer, _)
            | Stage::Together(transfer) => Some(transfer.target),
            Stage::Open | Stage::Alone { .. } | Stage::Over => None,
        }
    }

    /// An agent that someone goes back to does not sit here as well: it is heard no more, and leaves.
    fn clear_agents(&mut self, out: &mut Vec<Output>) {
        for agent in self.seats.agents() {
            self.seats.leave(agent);
            out.push(dismiss(agent));
        }
    }

    /// Sees who is left, and whether that is a meeting.
    fn settle(&mut self, now: Instant, out: &mut Vec<Output>) {
        let people = self.seats.people();
        match self.stage {
            Stage::Fetching(..) | Stage::Together(_) | Stage::Parted(..) | Stage::Over => {}
            Stage::Open | Stage::Alone { .. } if self.seats.is_deserted() => {
                out.extend(self.seats.parties().map(dismiss));
                out.push(Output::Over);
                self.stage = Stage::Over;
            }
            Stage::Open if people == 1 && !self.seats.has_agent() => {
                self.stage = Stage::Alone {
                    until: now + self.patience,
                };
            }
            Stage::Alone { .. } if people > 1 || (people == 1 && self.seats.has_agent()) => {
                self.stage = Stage::Open;
            }
            Stage::Open | Stage::Alone { .. } => {}
        }
    }
}

/// With fewer, nobody has to be told who is there.
const CROWD: u32 = 3;

fn told(party: PartyId, news: input::Meeting) -> Output {
    Output::Tell(party, input::Input::Meeting(news))
}

fn stand(party: PartyId, text: &Private<String>) -> Output {
    let command = input::Command::Stand(text.clone());
    Output::Tell(party, input::Input::Command(command))
}

fn dismiss(party: PartyId) -> Output {
    Output::Tell(party, input::Input::Command(input::Command::Dismiss))
}
