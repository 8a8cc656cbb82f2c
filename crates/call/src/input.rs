//! Everything that can happen to a call.

use std::time::Duration;

use media::machine::Finding;
use media::{Cut, Edge, Progress, UtteranceId};

use crate::event::{End, Refused, Who, Why};
use crate::{BlindTransfer, Digit, Keys, Place, Private, Referral, TurnId};

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The agent said or did something.
    Agent(Agent),
    /// The phone company told us something.
    Carrier(Carrier),
    /// The owner wants something.
    Command(Command),
    /// The sound did something.
    Media(Media),
    /// Something happened to the caller at a meeting.
    Meeting(Meeting),
    /// Words were heard, or made into sound.
    Speech(Speech),
    /// [`crate::Call::deadline`] has come.
    Timeout,
}

/// What a carrier tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// The far end picked up.
    Answered,
    /// Who that was, by the carrier's judgement.
    AnsweredBy(Who),
    /// Sound flows.
    Connected,
    /// Sound stopped, and the carrier said so: usually the call is over.
    Disconnected,
    /// Sound stopped without a word: the socket broke, and the call is perhaps still up.
    Dropped,
    /// The call is over.
    Ended(End),
    /// A key was pressed.
    Pressed(Digit),
    /// The caller talks to whom the carrier put them through to.
    Joined,
    /// They do not any more, and the caller is still there.
    Parted,
    /// Nobody took the caller whom the carrier was to put through, for this reason: they are still
    /// there, and will have sound in a moment.
    PutBack(Why),
    /// The far end rings.
    Ringing,
}

/// What the sound does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Media {
    /// Something was found out about whoever picked up, as asked by
    /// [`crate::output::Media::JudgeAnswerer`].
    Answerer(Finding),
    /// The agent was silenced as asked; what was heard of the utterance then playing. `None` if
    /// none was. Comes back at once for every [`crate::output::Media::Cut`].
    Cut(Option<Cut>),
    /// The caller began or stopped making speech.
    Edge(Edge),
    /// How much of an utterance has been heard. Given before any edge, words or timeout, so that
    /// a decision never rests on an old figure.
    Progress(Progress),
}

/// What happens to the caller at a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// Nobody hears them any more.
    Muted,
    /// They are the one who speaks now.
    Speaking,
    /// They are not any more.
    StoppedSpeaking,
    /// They are heard again.
    Unmuted,
}

/// What ears and mouths tell.
#[derive(Clone, Debug, PartialEq)]
pub enum Speech {
    /// The first sound of an utterance has been made.
    Begun(UtteranceId),
    /// The turn detector's opinion of the speech that just ended: 0 more will come, 1 it is done.
    EndOfTurn {
        /// Between 0 and 1.
        probability: f32,
    },
    /// The ears cannot hear any more; the code of the fault.
    EarsFailed(&'static str),
    /// The transcriber is sure of these words. Empty: sure that there are none.
    Final(Private<String>),
    /// How long a whole utterance is, now that all of it has been made.
    Length(UtteranceId, Duration),
    /// An utterance could not be made into sound (any more); the code of the fault.
    MouthFailed(UtteranceId, &'static str),
    /// The transcriber hears words, but may change its mind: all words since the last final.
    Partial(Private<String>),
}

/// What an agent tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agent {
    /// It failed in this turn; the code of the fault.
    Failed(TurnId, &'static str),
    /// It has said all it wants to say in this turn.
    Finish(TurnId),
    /// It has said all it wants to say, and wants to hang up once that was heard. A caller who
    /// takes the floor before it was heard takes this back too.
    HangUp(TurnId),
    /// It took down a message for its owner.
    Message {
        /// Who left it.
        name: Private<String>,
        /// What they said.
        text: Private<String>,
    },
    /// It wrote this down for its owner, and for nobody else.
    Note(Private<String>),
    /// It has something of this name done in this turn, which may take this long at most.
    CallsTool(TurnId, String, Duration),
    /// It is at work on something in this turn, which may take this long at most: a tool, a question to someone
    /// else. It thinks no longer than usual once it is done.
    Working(TurnId, Duration),
    /// A few more words of this turn. Clauses are cut here, not by the agent.
    Say(TurnId, Private<String>),
    /// It has said all it wants to say, and wants the caller put through once that was heard. A caller
    /// who takes the floor before it was heard takes this back too.
    PutThrough(TurnId, Referral),
}

/// What the owner wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// The meeting has no more use for the caller, who is hung up on. A conversation ends with a
    /// goodbye.
    Dismiss,
    /// The caller tried to prove who they are and could not, and is told this.
    Disprove(Private<String>),
    /// End the call now. Always allowed.
    HangUp,
    /// The caller speaks of an emergency, and is told this at once, whoever speaks. What they said is
    /// nobody else's to answer.
    Help(Private<String>),
    /// The owner's rules no longer allow this call. A conversation ends with a goodbye, everything
    /// else at once.
    Forbid,
    /// The one we called said that they are not to be called any more. As [`Command::Forbid`], and it
    /// is told.
    OptOut,
    /// May last at most this long, counted from where its sound began. Never lengthens a call.
    Limit(Duration),
    /// Press these keys, now, whoever speaks. Before there is sound nobody could hear them, and they
    /// are not kept.
    Press(Keys),
    /// The caller proved who they are, and is told this.
    Prove(Private<String>),
    /// The agent wanted something that it may not: it is told so, and the caller this.
    Refuse(Refused, Private<String>),
    /// Say this to the caller: now if nobody speaks, else as soon as it interrupts nobody. Before
    /// there is sound nobody could hear it, and it is not kept.
    Say(Private<String>),
    /// The caller leaves the agent for a meeting, for as long as that wants. Only from a conversation.
    Sit(Place),
    /// The caller is told this, and comes back from a meeting to the agent; or, having come for the
    /// meeting alone, is done.
    Stand(Private<String>),
    /// The carrier is to put the caller through by itself. Only from a conversation.
    Transfer(BlindTransfer),
}
