//! The words this system uses in public.
//!
//! These types are the wire contract: the event log, the API, the console and the command line all
//! show exactly these. They are the only serializable types in this crate, so a change to anything
//! else is never a breaking change.

use std::time::Duration;

use media::machine::{Answerer, Evidence};
use serde::Serialize;

use crate::{Data, Private, Trust};

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
    /// Who picked up a call of ours, a person or a machine. Said once, and only of calls whose owner
    /// wants something else done with a machine than with a person.
    #[serde(rename = "call.answered_by")]
    AnsweredBy(Answered),
    /// The greeting of the machine that picked up is over.
    #[serde(rename = "call.greeting_ended")]
    GreetingEnded {
        /// Whether with a beep; else with silence, or not at all.
        beep: bool,
    },
    /// The sound is gone, and the call is perhaps still up.
    #[serde(rename = "call.disconnected")]
    Disconnected,
    /// Sound flows again.
    #[serde(rename = "call.reconnected")]
    Reconnected {
        /// How long it was gone, in milliseconds.
        gap_ms: u64,
    },
    /// The call is over. Exactly one, and the last of the call itself.
    #[serde(rename = "call.ended")]
    Ended(End),
    /// What came of a call that was to achieve something. It is told beside the call, behind its end; where it is told
    /// again, because somebody judged what nobody had judged before, the last counts.
    #[serde(rename = "call.outcome")]
    Outcome(Box<Outcome>),

    /// The caller is to be put through to someone, and hears so.
    #[serde(rename = "call.transferring")]
    Transferring {
        /// The name that the owner gave them.
        to: String,
    },
    /// The carrier was told to put the caller through by itself: meanwhile we neither hear them nor
    /// are heard.
    #[serde(rename = "call.handed_over")]
    HandedOver {
        /// The name that the owner gave whom it calls.
        to: String,
    },
    /// The caller talks to them. We are not on the line any more.
    #[serde(rename = "call.transferred")]
    Transferred {
        /// The name that the owner gave them.
        to: String,
    },
    /// They did not take the call. The caller comes back and hears so.
    #[serde(rename = "call.transfer_failed")]
    TransferFailed {
        /// The name that the owner gave them.
        to: String,
        /// Why.
        why: Why,
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
    /// It is not this caller any more: somebody else speaks, or nobody.
    #[serde(rename = "meeting.stopped_speaking")]
    MeetingStoppedSpeaking,
    /// Nobody at the meeting hears the caller any more.
    #[serde(rename = "meeting.muted")]
    MeetingMuted,
    /// They hear the caller again.
    #[serde(rename = "meeting.unmuted")]
    MeetingUnmuted,

    /// The one on the phone heard to its end who speaks to them. Comes before the agent's first turn.
    #[serde(rename = "disclosure.played")]
    DisclosurePlayed {
        /// The words in it.
        text: Private<String>,
        /// SHA-256 of its samples, in hexadecimal.
        sha256: String,
        /// How many bytes those are.
        bytes: u64,
    },
    /// From now on the call is recorded. Nothing of it was before.
    #[serde(rename = "recording.started")]
    RecordingStarted {
        /// Why it may be.
        consent: Consent,
    },
    /// The call is not recorded, because the one on the phone was asked.
    #[serde(rename = "recording.refused")]
    RecordingRefused {
        /// What they answered.
        why: Unrecorded,
    },

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

    /// The caller keyed the right PIN. Its keys are told to nobody.
    #[serde(rename = "caller.proved")]
    CallerProved,
    /// The caller keyed a PIN that is not right, or may not try another just now.
    #[serde(rename = "caller.failed_proof")]
    CallerFailedProof,
    /// The caller spoke of an emergency, and was told to call for help.
    #[serde(rename = "caller.in_emergency")]
    CallerInEmergency,

    /// The one we called said, or pressed, that they are not to be called any more, and will not be.
    #[serde(rename = "caller.opted_out")]
    CallerOptedOut,

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
    /// The agent has something done for it.
    #[serde(rename = "agent.called_tool")]
    AgentCalledTool {
        /// What, by the name that the owner gave it.
        name: String,
    },
    /// The agent took down a message for its owner.
    #[serde(rename = "agent.took_message")]
    AgentTookMessage {
        /// Who left it.
        name: Private<String>,
        /// What they said.
        text: Private<String>,
    },
    /// The agent wrote down something for its owner, and for nobody else.
    #[serde(rename = "agent.noted")]
    AgentNoted {
        /// What.
        text: Private<String>,
    },
    /// How long a turn took that answers the caller, stage by stage. Said once, when it is over.
    #[serde(rename = "agent.turn_timed")]
    AgentTurnTimed(Timed),
    /// The agent was slow, so something was said to fill the gap.
    #[serde(rename = "agent.stalled")]
    AgentStalled,
    /// The agent wanted something that it may not for this caller, and was told so.
    #[serde(rename = "agent.refused")]
    AgentRefused(Refused),
    /// The agent failed.
    #[serde(rename = "agent.failed")]
    AgentFailed {
        /// A stable code.
        code: &'static str,
    },
    /// The owner's rules allow something beside a call: what they allow of calls themselves is in the
    /// first event of each.
    #[serde(rename = "policy.allowed")]
    PolicyAllowed {
        /// What.
        what: What,
        /// Which rule, and where it stands.
        rule: String,
    },
    /// The owner's rules refuse something: a call that never came to be, or something on one.
    #[serde(rename = "policy.refused")]
    PolicyRefused {
        /// What.
        what: What,
        /// A stable code.
        code: &'static str,
        /// Which rule, and where it stands.
        rule: String,
        /// How many more were refused by that code meanwhile, and are not told one by one.
        #[serde(skip_serializing_if = "is_none")]
        more: u64,
    },
    /// Somebody other than the owner is called: what for, and what they agreed to.
    #[serde(rename = "policy.purpose")]
    PolicyPurpose {
        /// What for, as whoever wanted the call put it.
        #[serde(skip_serializing_if = "Option::is_none")]
        purpose: Option<Private<String>>,
        /// What the owner wrote down of their consent: private, where that to a recording is not.
        #[serde(rename = "agreed_to", skip_serializing_if = "Option::is_none")]
        consent: Option<Private<String>>,
    },
    /// Something waits for the owner's yes.
    #[serde(rename = "policy.held")]
    PolicyHeld {
        /// What.
        what: What,
        /// Which rule wants that, and where it stands.
        rule: String,
    },
    /// Ears or mouth failed.
    #[serde(rename = "speech.failed")]
    SpeechFailed {
        /// A stable code.
        code: &'static str,
    },
}

/// What the owner's rules say something about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// To call someone.
    Dial,
    /// To take a call.
    Answer,
    /// To put a caller through.
    Transfer,
    /// To call someone to a meeting.
    Invitation,
    /// What an agent wants done.
    Tool,
    /// The owner's word about a call that waited for it.
    Approval,
    /// All there is: the owner stops it, or lets it go on.
    Everything,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde wants it so")]
fn is_none(more: &u64) -> bool {
    *more == 0
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

/// Why an agent may not what it wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Refused {
    /// A stable code.
    pub code: &'static str,
    /// How sure we would have to be of who is on the line.
    pub needs: Trust,
    /// How sure we are.
    pub trust: Trust,
}

/// Who picked up, by whose judgement, and what that rests on. Milliseconds count from the beginning of
/// the sound. What was not heard is left out, and so is everything where the carrier judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Answered {
    /// Who.
    pub who: Who,
    /// By whose judgement.
    pub by: Judge,
    /// When it was given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged_ms: Option<u64>,
    /// When they began to speak.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub speech_ms: Option<u64>,
    /// How long they spoke, with the pauses between.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greeting_ms: Option<u64>,
    /// The longest of those pauses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause_ms: Option<u64>,
    /// How long they had been quiet since.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub silence_ms: Option<u64>,
    /// How many stretches of sound that was, each as long as a word at least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bursts: Option<u32>,
    /// When the beep began that decided it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beep_ms: Option<u64>,
    /// How high it was, in hertz.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beep_hz: Option<u32>,
}

impl Answered {
    /// By the carrier's word, which comes without its reasons.
    pub(crate) fn by_carrier(who: Who) -> Self {
        Self {
            who,
            by: Judge::Carrier,
            judged_ms: None,
            speech_ms: None,
            greeting_ms: None,
            pause_ms: None,
            silence_ms: None,
            bursts: None,
            beep_ms: None,
            beep_hz: None,
        }
    }

    /// By what we heard.
    pub(crate) fn by_us(who: Answerer, evidence: Evidence) -> Self {
        let who = match who {
            Answerer::Human => Who::Human,
            Answerer::Machine => Who::Machine,
            Answerer::Unknown => Who::Unknown,
        };
        let ms = |it: Duration| u64::try_from(it.as_millis()).unwrap_or(u64::MAX);
        let spoken = |it: Duration| evidence.speech.map(|_| ms(it));
        Self {
            by: Judge::Gateway,
            judged_ms: Some(ms(evidence.at)),
            speech_ms: evidence.speech.map(ms),
            greeting_ms: spoken(evidence.greeting),
            pause_ms: spoken(evidence.pause),
            silence_ms: Some(ms(evidence.silence)),
            bursts: evidence.speech.map(|_| evidence.bursts),
            beep_ms: evidence.beep.map(|it| ms(it.at)),
            beep_hz: evidence.beep.map(|it| it.hz),
            ..Self::by_carrier(who)
        }
    }
}

/// Who picked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// A person.
    Human,
    /// A machine: one that plays a greeting, or one that receives faxes.
    Machine,
    /// Nobody can tell.
    Unknown,
}

/// Who judges who picked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Judge {
    /// The phone company.
    Carrier,
    /// Us.
    Gateway,
}

/// Why a call may be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// It is the owner's own.
    Own,
    /// The one on the phone was told.
    Announced,
    /// They were asked, and said yes.
    Given,
}

/// What someone answered who was asked whether the call may be recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unrecorded {
    /// No.
    Declined,
    /// Nothing.
    NoAnswer,
}

/// What came of a call that was to achieve something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outcome {
    /// Whom it reached.
    pub reached: Reached,
    /// What became of what it was for.
    pub goal: Goal,
    /// Who says so.
    pub judged_by: JudgedBy,
    /// What happened, in a sentence or two, as whoever judged it puts it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<Private<String>>,
    /// What was learned, in the shape that whoever wanted the call gave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub facts: Option<Private<Data>>,
    /// The words on the call that show it: each was looked up, and is there.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub proof: Vec<Proof>,
    /// What was claimed without any such words: `goal`, or the names of facts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unproven: Vec<Private<String>>,
    /// Why the agent that was asked did not judge it: a stable code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unjudged: Option<&'static str>,
}

/// Words on a call that show something.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// What they show: `goal`, or the name of a fact.
    pub of: Private<String>,
    /// In which line of the transcript, counted from 1.
    pub line: u32,
    /// Who said them.
    pub who: Speaker,
    /// The words, as they stand there.
    pub text: Private<String>,
    /// When that line was heard: milliseconds after the call began.
    pub ms: u64,
}

/// Who said something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Speaker {
    /// The person on the phone.
    Caller,
    /// Whoever spoke in our name.
    Agent,
}

impl Speaker {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Agent => "agent",
        }
    }
}

/// Whom a call reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Reached {
    /// A person, who talked.
    Person,
    /// A machine.
    Voicemail,
    /// Nobody.
    Nobody,
    /// Someone who did not want the call.
    Refused,
}

/// What became of what a call was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Goal {
    /// It was achieved.
    Met,
    /// It was not.
    NotMet,
    /// Nobody can tell.
    Unclear,
}

/// Who judges what came of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum JudgedBy {
    /// The agent that talked.
    Agent,
    /// Whoever wanted the call, over the gateway's doors.
    Hand,
    /// Us: by how the call went, and no more than that.
    Gateway,
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
    /// A machine picked up, and those are to be hung up on.
    Machine,
    /// The owner changed the rules, and they no longer allow it.
    Policy,
    /// Two machines talked with each other, or a conversation went round in circles.
    Loop,
    /// Something broke.
    Fault,
}
