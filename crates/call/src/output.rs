//! Everything a call can ask for.

use media::UtteranceId;

use crate::event::Refused;
use crate::{Digit, Event, Keys, Private, Referral, TurnId};

/// Something to do, in the order given.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Tell the agent.
    Agent(Agent),
    /// Tell the phone company.
    Carrier(Carrier),
    /// Tell the world.
    Event(Event),
    /// Do to the sound.
    Media(Media),
    /// Tell the meeting.
    Meeting(Meeting),
    /// Tell ears and mouth.
    Speech(Speech),
}

/// What to tell a carrier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// Take the call that is offered.
    Answer,
    /// Call the far end. Asked for once in a call's life, by [`crate::Call::start`].
    Dial,
    /// End the call.
    HangUp,
    /// The call is perhaps still up, and its sound is gone: bring it back, or say that it is over.
    Reconnect,
    /// Put the caller through to this one, whom the owner gave that name. Said to have been done by
    /// [`crate::input::Carrier::Joined`], or not by [`crate::input::Carrier::PutBack`].
    Transfer(String),
}

/// What to do to the sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Media {
    /// Let the far end hear the plan's announcement, as [`crate::ANNOUNCEMENT`].
    Announce,
    /// Record the call from now on.
    Record,
    /// Let the far end hear these keys, before anything else that is being said.
    Press(Keys),
    /// Find out who picked up, and when their greeting is over: [`crate::input::Media::Answerer`].
    JudgeAnswerer,
    /// Silence every utterance up to this one. Answered with [`crate::input::Media::Cut`].
    Cut(UtteranceId),
}

/// What to tell a meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meeting {
    /// The caller pressed a key.
    Pressed(Digit),
    /// The agent wants the caller put through: open one, if the owner allows it.
    PutThrough(Referral),
    /// The caller said this; nothing, if what sounded like speech was none.
    Said(Private<String>),
    /// The owner wants this said, to the caller alone.
    Say(Private<String>),
    /// From now on the caller's sound goes there, and what comes from there is played as this.
    Sit(UtteranceId),
    /// The caller begins to speak. What they say comes when they have.
    Speaks,
    /// Not any more; whatever of it waits to be heard is thrown away.
    Stand,
}

/// What to tell ears and mouth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speech {
    /// Stop making sound for every utterance up to this one.
    Cancel(UtteranceId),
    /// The caller's turn is over: give the last words now. Answered with
    /// [`crate::input::Speech::Final`].
    Finalize,
    /// Let the far end hear that somebody is at work: [`media::pulse`], as this.
    Pulse(UtteranceId),
    /// Make these words into sound: one clause, one utterance.
    Synthesize(UtteranceId, Private<String>),
}

/// What to tell an agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Agent {
    /// The turn was taken back before the caller heard any of it; say nothing more in it.
    Abandon(TurnId),
    /// The turn is over and the caller heard all of this.
    Heard {
        /// Which turn.
        turn: TurnId,
        /// What was heard: fillers and the owner's words are not part of it.
        text: Private<String>,
    },
    /// The caller took the floor: the turn is over, and only this was heard.
    Interrupted {
        /// Which turn.
        turn: TurnId,
        /// What was heard, perhaps nothing.
        heard: Private<String>,
    },
    /// Say hello: the caller is on the line and the agent speaks first.
    Open {
        /// Which turn.
        turn: TurnId,
    },
    /// We said this before the first turn, in the agent's name.
    Opened {
        /// As heard.
        text: Private<String>,
    },
    /// A key was pressed.
    Pressed(Digit),
    /// The caller has proved who they are.
    Proved,
    /// What it wanted last it may not, for this reason.
    Refused(Refused),
    /// Answer this.
    Turn {
        /// Which turn.
        turn: TurnId,
        /// What the caller said.
        said: Private<String>,
    },
}
