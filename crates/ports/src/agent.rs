//! What an agent must offer: answers.

mod objective;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use call::event::{Refused, Speaker};
use call::{Digit, Direction, Number, Private, Referral, Trust, TurnId};

use crate::{Fault, Key, Link, Problem, Settings};
pub use objective::Objective;

/// One kind of agent, as the list of agents holds it.
#[derive(Clone, Copy)]
pub struct Entry {
    /// As written in the configuration under `kind`.
    pub kind: &'static str,
    /// What it does, in one line.
    pub about: &'static str,
    /// What it may be told.
    pub keys: &'static [Key],
    /// Builds it.
    pub build: fn(&Settings) -> Result<Answerer, Vec<Problem>>,
}

/// Who answers the phone.
#[derive(Clone)]
pub enum Answerer {
    /// Someone who works with words.
    Words {
        /// The agent.
        agent: Arc<dyn Agent>,
        /// Who says the first word, where the configuration does not say.
        opens: Opens,
    },
    /// Someone who connects to the gateway by themselves, and works with words too.
    Connects {
        /// How they are talked to.
        agent: Arc<dyn Connects>,
        /// As of the other.
        opens: Opens,
    },
    /// Whoever asks for it over the gateway's own doors: what the caller says waits there, and is answered from
    /// there. The caller has the first word, unless the configuration has one.
    ByHand,
    /// Nobody: the caller's own sound comes back.
    Loopback,
}

/// Who says the first word of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opens {
    /// The agent, with words it thinks of when it is asked.
    Agent,
    /// The caller.
    Caller,
    /// We do, in the agent's name: always the same words, so that sound can be made of them while
    /// the phone still rings.
    With(Private<String>),
}

/// Someone to talk to.
#[async_trait]
pub trait Agent: Send + Sync {
    /// Starts one call's conversation. Must return quickly and connect in the background: the
    /// phone may still be ringing. The link ends when the call does.
    async fn open(&self, call: Introduction) -> Result<Link<Tell, Answer>, Fault>;

    /// Checks that the agent can be reached, for `offhook doctor`. Returns a line for people.
    async fn check(&self) -> Result<String, Fault>;

    /// Who judges what came of a call that it has talked on; `None`: it cannot.
    fn judge(&self) -> Option<Box<dyn Judge>> {
        None
    }
}

/// Someone who is asked what came of a call, once it is over.
#[async_trait]
pub trait Judge: Send {
    /// Asks once. Returns what was answered, which is to be one object of JSON with `goal`, `reached`, `summary`,
    /// `facts` and `proof`; whether it makes sense is looked at elsewhere. Dropped, it stops asking.
    async fn judge(&mut self, matter: &Matter) -> Result<Private<String>, Fault>;
}

/// A call that is over, as whoever is to judge it is told of it.
#[derive(Clone, Debug)]
pub struct Matter {
    /// The call, with its objective.
    pub call: Introduction,
    /// What was said, as it was heard. It is data: nothing in it is an instruction.
    pub transcript: Vec<Heard>,
    /// What was wrong with the answer before, where this is asked once more.
    pub wrong: Option<Wrong>,
}

/// A line of a transcript.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heard {
    /// Counts from 1.
    pub line: u32,
    /// Who said it.
    pub who: Speaker,
    /// What was heard of it.
    pub text: Private<String>,
}

/// An answer that makes no sense, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrong {
    /// What was answered, or the beginning of it.
    pub answer: Private<String>,
    /// What is wrong with it.
    pub why: Private<String>,
}

/// An agent that connects by itself, and is told of all its calls over what it connected with.
pub trait Connects: Send + Sync {
    /// Starts one call's conversation, in letters that are carried to the agent as long as it is connected. Must
    /// return at once.
    fn open(&self, call: Introduction, carrier: Box<dyn Carries>) -> Link<Tell, Answer>;

    /// Who judges what came of a call that it has talked on, asked in letters too.
    fn judge(&self, carrier: Box<dyn Carries>) -> Box<dyn Judge>;
}

/// Whoever carries letters to an agent and from it: one piece of JSON each.
#[async_trait]
pub trait Carries: Send {
    /// Begins to carry for one call. The link ends when nobody carries any more, and the call may go on all the same.
    async fn begin(&mut self) -> Result<Link<String, String>, Fault>;
}

/// What an agent is told before the first word.
#[derive(Clone, Debug)]
pub struct Introduction {
    /// Our name for the call.
    pub call: String,
    /// The conversation that it belongs to: it goes on from one call to the next where the owner wants that, and else
    /// is the call alone.
    pub session: String,
    /// Who called whom.
    pub direction: Direction,
    /// The person's number, if it is known.
    pub caller: Option<Number>,
    /// What the owner calls them, if they are a contact.
    pub contact: Option<String>,
    /// How sure we are that it is they.
    pub trust: Trust,
    /// Our number.
    pub number: Number,
    /// Whom the caller may be put through to, by the names that the owner gave them.
    pub transfers: Vec<String>,
    /// What it may have done for it besides.
    pub tools: Vec<Tool>,
    /// What the call is to achieve, if somebody said.
    pub objective: Option<Objective>,
    /// Whom it talks with.
    pub company: Company,
    /// What was said before, if the call has been going on for a while: another process had it, or
    /// the agent sits down with a caller it has talked to.
    pub past: Past,
}

/// Something that an agent may have done in the middle of a call. Whether it is done for this caller is decided when it
/// wants it, elsewhere.
#[derive(Clone, Debug, PartialEq)]
pub struct Tool {
    /// By which name it is asked for.
    pub name: String,
    /// What it does, told to whoever may want it.
    pub about: String,
    /// What it takes: a JSON schema of an object.
    pub takes: serde_json::Value,
    /// What becomes of the turn.
    pub then: Then,
}

/// What becomes of the turn in which a tool is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// It goes on, with what came of it.
    GoesOn,
    /// It is over: nothing comes of it in this turn that the agent could speak of.
    Ends,
}

/// A use of a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    /// By what its result is known, among those of a turn.
    pub id: String,
    /// Which tool.
    pub tool: String,
    /// What for: JSON, as the agent wrote it.
    pub takes: Private<String>,
}

/// What came of a use. It is data: whoever wrote it has no say in what the agent does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Used {
    /// It was done, and gave this.
    Done(Private<String>),
    /// It was not, for this reason, which is for the agent.
    Failed(Private<String>),
}

/// Whom an agent talks with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Company {
    /// One person on a phone, who talks to nobody else.
    Caller,
    /// Those who sit at a meeting, and talk with one another too. Where they are several, what each
    /// says comes with their name before it. An agent that finishes a turn without a word says
    /// nothing.
    Meeting,
}

/// What was said on a call so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Past {
    /// In order.
    pub lines: Vec<Line>,
    /// The turn that is not over, and what the caller had said. The agent says no more in it; what
    /// was heard of its answer is told when it is over.
    pub open: Option<(TurnId, Private<String>)>,
}

/// Something that was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// By the agent, as heard.
    Agent(Private<String>),
    /// By the caller, to the agent.
    Caller(Private<String>),
}

/// What we tell an agent. See [`call::output::Agent`] for each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tell {
    /// The turn was taken back before any of it was heard.
    Abandon(TurnId),
    /// The turn is over; this was heard, and it was all.
    Heard {
        /// Which turn.
        turn: TurnId,
        /// All of it.
        text: Private<String>,
    },
    /// The turn is over; only this was heard.
    Interrupted {
        /// Which turn.
        turn: TurnId,
        /// Perhaps nothing.
        heard: Private<String>,
    },
    /// Say hello in this turn.
    Open {
        /// Which turn.
        turn: TurnId,
    },
    /// We said this in the agent's name before its first turn.
    Opened {
        /// As heard.
        text: Private<String>,
    },
    /// A key was pressed.
    Pressed(Digit),
    /// The caller has proved who they are.
    Proved,
    /// What it wanted last it may not do for this caller. They were told that it cannot be done.
    Refused(Refused),
    /// Answer this.
    Turn {
        /// Which turn.
        turn: TurnId,
        /// What the caller said.
        said: Private<String>,
    },
    /// This came of a tool it used. Never of one in a turn that was taken back, or interrupted.
    Used {
        /// In which turn.
        turn: TurnId,
        /// Of which use.
        id: String,
        /// What came of it.
        used: Used,
    },
}

/// What an agent answers. See [`call::input::Agent`] for each.
#[derive(Debug)]
pub enum Answer {
    /// It failed in this turn.
    Failed(TurnId, Fault),
    /// It has said all it wants in this turn.
    Finish(TurnId),
    /// It has said all it wants, and the call should end once that was heard.
    HangUp(TurnId),
    /// It took down a message.
    Message {
        /// Who left it.
        name: Private<String>,
        /// What they said.
        text: Private<String>,
    },
    /// It has said all it wants, and the caller should be put through once that was heard.
    PutThrough(TurnId, Referral),
    /// A few tokens. The call gathers them into clauses.
    Text(TurnId, Private<String>),
    /// It wants something done, and goes on when it knows what came of it.
    Use(TurnId, Use),
    /// It is at work on something in this turn that may take this long at most.
    Working(TurnId, Duration),
}
