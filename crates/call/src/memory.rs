//! What is remembered of a call that another process may have to take up.

use std::time::Duration;

use media::UtteranceId;

use crate::event::End;
use crate::{BlindTransfer, Place, Private, TurnId};

/// What must be remembered of a call, so that another process can take it up where it broke off.
///
/// It is taken by [`crate::Call::memory`] while the call goes on, and given to
/// [`crate::Call::resume`]. It holds what people would notice: who has said what to its end, what
/// waits for an answer, what we were about to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Memory {
    /// Nobody has picked up yet.
    Waiting,
    /// Someone has, and nothing has been said that would have to be remembered.
    Answered,
    /// There was sound.
    Up {
        /// How much longer the call may last.
        left: Duration,
        /// What was heard of the clause that broke off.
        broken: Private<String>,
        /// What was going on.
        talk: Talk,
    },
    /// Its carrier was to put it through, or has.
    Elsewhere {
        /// How much longer the call may last.
        left: Duration,
        /// What it would come back to.
        thread: Box<Thread>,
        /// To whom.
        to: BlindTransfer,
        /// How far that has come.
        stage: Elsewhere,
    },
    /// It was being hung up.
    Ending(End),
    /// It is over.
    Over,
}

/// How far a call has come that its carrier puts through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Elsewhere {
    /// They are being called.
    Rings,
    /// They talk.
    Talks,
}

/// What was going on in a call with sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Talk {
    /// Two parties took turns.
    Conversation(Thread),
    /// We said one thing, of which this has not been heard.
    Notice {
        /// The last utterance.
        last: UtteranceId,
        /// Clause by clause; none: all has been heard.
        unheard: Vec<Private<String>>,
    },
    /// The caller sat at a meeting.
    Seat {
        /// Where.
        place: Box<Place>,
        /// The last utterance.
        last: UtteranceId,
        /// What they would go back to; `None`: nothing.
        thread: Option<Box<Thread>>,
    },
    /// The caller's own sound came back.
    Loopback,
}

/// A conversation that broke off.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thread {
    /// The last turn the agent was given.
    pub turn: TurnId,
    /// The last turn of which everything was heard.
    pub heard: TurnId,
    /// The last utterance.
    pub last: UtteranceId,
    /// What the caller said and the agent has not answered with a word.
    pub untold: Private<String>,
    /// What the owner wants said.
    pub waiting: Vec<Private<String>>,
    /// What we were saying and was not heard, clause by clause.
    pub unheard: Vec<Unheard>,
    /// Who had the floor.
    pub floor: Holder,
}

/// A clause of ours that the caller has not heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unheard {
    /// In whose name it is said.
    pub name: Name,
    /// The clause, or what is left of it.
    pub text: Private<String>,
}

/// In whose name something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// The owner's.
    Owner,
    /// Ours: a filler, an apology, a goodbye.
    Ours,
    /// The agent's.
    Agent,
}

/// Who had the floor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Holder {
    /// Nobody, or something that needs no answer is said.
    Nobody,
    /// The caller.
    Caller,
    /// The agent, with words of its own.
    Agent(Answering),
    /// We do, with the opening line, of which this was heard.
    Opening(Private<String>),
    /// We do, with a goodbye.
    Closing(End),
}

/// A turn of the agent's that broke off. Words it had not yet thought of are not waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answering {
    /// Which turn.
    pub turn: TurnId,
    /// What the caller had said.
    pub said: Private<String>,
    /// What was heard of the answer.
    pub heard: Private<String>,
    /// Whether the agent wants to hang up after it.
    pub hangs_up: bool,
}
