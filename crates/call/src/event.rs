//! The words this system uses in public.
//!
//! These types are the wire contract: the event log, the API, the console and the command line all
//! show exactly these. They are the only serializable types in this crate, so a change to anything
//! else is never a breaking change.

use serde::Serialize;

use crate::Private;

/// Something that happened on a call, in the past tense.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "type")]
pub enum Event {
    /// We called someone.
    #[serde(rename = "call.dialed")]
    Dialed,
    /// A caller is at the door.
    #[serde(rename = "call.offered")]
    Offered,
    /// The far end rings.
    #[serde(rename = "call.ringing")]
    Ringing,
    /// The far end picked up, or we did.
    #[serde(rename = "call.answered")]
    Answered,
    /// Sound flows.
    #[serde(rename = "call.connected")]
    Connected,
    /// The sound is gone, and the call is perhaps still up.
    #[serde(rename = "call.disconnected")]
    Disconnected,
    /// Sound flows again.
    #[serde(rename = "call.reconnected")]
    Reconnected {
        /// How long it was gone, in milliseconds.
        gap_ms: u64,
    },
    /// The call is over. Exactly one, and the last.
    #[serde(rename = "call.ended")]
    Ended(End),

    /// The caller is to be put through to someone, and hears so.
    #[serde(rename = "call.transferring")]
    Transferring {
        /// The name that the owner gave them.
        to: String,
    },
    /// The caller sits at a meeting.
    #[serde(rename = "meeting.joined")]
    MeetingJoined {
        /// Our name for it.
        meeting: String,
    },
    /// The caller is back from a meeting.
    #[serde(rename = "meeting.left")]
    MeetingLeft {
        /// Our name for it.
        meeting: String,
    },
    /// Of all at the meeting, it is this caller who speaks now.
    #[serde(rename = "meeting.speaking")]
    MeetingSpeaking,
    /// Nobody at the meeting hears the caller any more.
    #[serde(rename = "meeting.muted")]
    MeetingMuted,
    /// They hear the caller again.
    #[serde(rename = "meeting.unmuted")]
    MeetingUnmuted,

    /// Sound that is speech, not yet words.
    #[serde(rename = "caller.speech_started")]
    CallerSpeechStarted,
    /// The speech stopped.
    #[serde(rename = "caller.speech_ended")]
    CallerSpeechEnded,
    /// Words that may still change.
    #[serde(rename = "caller.hearing")]
    CallerHearing {
        /// All words since the last final ones.
        text: Private<String>,
    },
    /// Words that will not change.
    #[serde(rename = "caller.said")]
    CallerSaid {
        /// The words.
        text: Private<String>,
    },
    /// A key was pressed.
    #[serde(rename = "caller.pressed")]
    CallerPressed {
        /// The key.
        digit: Private<char>,
    },

    /// The agent was told this, and it is its turn.
    #[serde(rename = "agent.turn_started")]
    AgentTurnStarted {
        /// What the caller said.
        text: Private<String>,
    },
    /// The caller heard all of `text`.
    #[serde(rename = "agent.said")]
    AgentSaid {
        /// One clause.
        text: Private<String>,
    },
    /// The caller heard `heard` and then it was cut short, nearly always because the caller took
    /// the floor.
    #[serde(rename = "agent.interrupted")]
    AgentInterrupted {
        /// The beginning of what was being said.
        heard: Private<String>,
        /// The rest of it.
        unheard: Private<String>,
    },
    /// Keys were pressed in our name.
    #[serde(rename = "agent.pressed")]
    AgentPressed {
        /// Which; `w` is a pause.
        digits: Private<String>,
    },
    /// The agent took down a message for its owner.
    #[serde(rename = "agent.took_message")]
    AgentTookMessage {
        /// Who left it.
        name: Private<String>,
        /// What they said.
        text: Private<String>,
    },
    /// How long a turn took that answers the caller, stage by stage. Said once, when it is over.
    #[serde(rename = "agent.turn_timed")]
    AgentTurnTimed(Timed),
    /// The agent was slow, so something was said to fill the gap.
    #[serde(rename = "agent.stalled")]
    AgentStalled,
    /// The agent failed.
    #[serde(rename = "agent.failed")]
    AgentFailed {
        /// A stable code.
        code: &'static str,
    },
    /// Ears or mouth failed.
    #[serde(rename = "speech.failed")]
    SpeechFailed {
        /// A stable code.
        code: &'static str,
    },
}

/// How long an answer took: milliseconds from the true end of the caller's speech to each stage.
/// What the turn did not come to is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Timed {
    /// Counts the agent's turns on this call.
    pub turn: u32,
    /// The transcriber was sure of the last words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transcribed_ms: Option<u64>,
    /// The caller's turn was taken to be over, and the agent was told.
    pub told_ms: u64,
    /// The agent gave its first words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<u64>,
    /// They were a clause, and the mouth was asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_clause_ms: Option<u64>,
    /// The mouth gave its first sound.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_audio_ms: Option<u64>,
    /// The caller heard it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_ear_ms: Option<u64>,
}

/// Who ended a call, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct End {
    /// Who.
    pub by: Party,
    /// Why.
    pub why: Why,
}

/// Someone who can end a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// The person on the phone, also when we called them.
    Caller,
    /// The agent.
    Agent,
    /// The owner, by a command.
    Owner,
    /// The phone company.
    Carrier,
    /// Us.
    Gateway,
}

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// Someone hung up.
    HungUp,
    /// What was to be said has been said.
    Completed,
    /// The far end was on another call.
    Busy,
    /// Nobody picked up.
    NoAnswer,
    /// The far end did not want the call.
    Rejected,
    /// The call was withdrawn before it was answered.
    Canceled,
    /// Nobody said anything for too long.
    Silence,
    /// The call reached its longest allowed length.
    TimeLimit,
    /// The owner changed the rules, and they no longer allow it.
    Policy,
    /// Something broke.
    Fault,
}
