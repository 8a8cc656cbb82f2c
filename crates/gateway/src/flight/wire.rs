//! How a flight recording writes down what is not serializable by itself.
//!
//! Only the public events of a call are a promise to anyone. What a recording holds is private, and
//! tied to the build that made it: each type here mirrors one of the `call` crate, which stays free to
//! change. Where it does, this file no longer compiles, and the number of the format goes up.

use std::time::Duration;

use call::event::{End, Judge, Party, Refused, Who, Why};
use call::{
    Announcement, BlindTransfer, Digit, Direction, Keys, Machine, Memory, Mode, Opening, Phrases,
    Place, Plan, Policy, Private, Recording, Referral, Regrets, Rounds, Trust, TurnId, input,
};
use media::machine::{Answerer, Beep, Ending, Evidence, Finding};
use media::{Edge, Progress, UtteranceId};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::journal::Past;
use crate::memory::{SavedPlace, Stage};

/// Where a recording begins.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Beginning {
    /// With the call itself.
    Start {
        /// So long after the call's log began.
        #[serde(with = "nanos")]
        at: Duration,
        /// What was decided before.
        #[serde(with = "PlanDef")]
        plan: Plan,
    },
    /// Where another process lost the call.
    Resume {
        /// So long after this process's log of the call began.
        #[serde(with = "nanos")]
        at: Duration,
        /// What was decided before.
        #[serde(with = "PlanDef")]
        plan: Plan,
        /// How the call stood.
        #[serde(with = "memory")]
        memory: Box<Memory>,
        /// How long it had been lost.
        #[serde(with = "nanos")]
        gone: Duration,
        /// What others had written of it.
        #[serde(with = "PastDef")]
        past: Past,
    },
}

impl Beginning {
    /// What other processes had written of the call.
    pub(super) fn past(&self) -> Past {
        match self {
            Self::Start { .. } => Past::default(),
            Self::Resume { past, .. } => *past,
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Past")]
struct PastDef {
    entries: u64,
    #[serde(with = "nanos")]
    age: Duration,
    connected: bool,
    seated: bool,
}

/// One thing that happened to a call.
#[derive(Clone, Debug)]
pub enum Step {
    /// It was told something, by [`call::Call::handle`].
    Told {
        /// So long after the call's log began.
        at: Duration,
        /// How many outputs of what it was told before had not been performed yet: this answers one
        /// of them. None: they all had.
        waiting: usize,
        /// What.
        input: input::Input,
    },
    /// It broke and was ended from outside.
    Broke {
        /// So long after the call's log began.
        at: Duration,
    },
}

/// A step as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Read {
    Told {
        #[serde(with = "nanos")]
        at: Duration,
        #[serde(default)]
        waiting: usize,
        #[serde(with = "InputDef")]
        input: input::Input,
    },
    Heard(
        #[serde(with = "nanos")] Duration,
        u32,
        #[serde(with = "nanos")] Duration,
        bool,
    ),
    Broke {
        #[serde(with = "nanos")]
        at: Duration,
    },
}

impl From<Read> for Step {
    fn from(read: Read) -> Self {
        match read {
            Read::Told { at, waiting, input } => Self::Told { at, waiting, input },
            Read::Heard(at, utterance, played, done) => Self::Told {
                at,
                waiting: 0,
                input: input::Input::Media(input::Media::Progress(Progress {
                    utterance: UtteranceId(utterance),
                    played,
                    done,
                })),
            },
            Read::Broke { at } => Self::Broke { at },
        }
    }
}

/// The same as it is written, while the call runs: nothing is copied for it.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Write<'a> {
    Told {
        #[serde(with = "nanos")]
        at: Duration,
        #[serde(skip_serializing_if = "is_none")]
        waiting: usize,
        input: Shown<'a>,
    },
    /// How much was heard comes more often than all else together, and is written shortly.
    Heard(
        #[serde(with = "nanos")] Duration,
        u32,
        #[serde(with = "nanos")] Duration,
        bool,
    ),
    Broke {
        #[serde(with = "nanos")]
        at: Duration,
    },
}

impl<'a> Write<'a> {
    pub(super) fn told(at: Duration, waiting: usize, input: &'a input::Input) -> Self {
        if let input::Input::Media(input::Media::Progress(progress)) = input
            && waiting == 0
        {
            let UtteranceId(utterance) = progress.utterance;
            return Self::Heard(at, utterance, progress.played, progress.done);
        }
        Self::Told {
            at,
            waiting,
            input: Shown(input),
        }
    }
}

fn is_none(waiting: &usize) -> bool {
    *waiting == 0
}

/// An input that can be written.
pub(super) struct Shown<'a>(&'a input::Input);

impl Serialize for Shown<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        InputDef::serialize(self.0, to)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "input::Input", rename_all = "snake_case")]
enum InputDef {
    Agent(#[serde(with = "AgentDef")] input::Agent),
    Carrier(#[serde(with = "CarrierDef")] input::Carrier),
    Command(#[serde(with = "CommandDef")] input::Command),
    Media(#[serde(with = "MediaDef")] input::Media),
    Meeting(#[serde(with = "MeetingDef")] input::Meeting),
    Speech(#[serde(with = "SpeechDef")] input::Speech),
    Timeout,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "input::Carrier", rename_all = "snake_case")]
enum CarrierDef {
    Answered,
    AnsweredBy(#[serde(with = "WhoDef")] Who),
    Connected,
    Disconnected,
    Dropped,
    Ended(#[serde(with = "EndDef")] End),
    Joined,
    Parted,
    Pressed(#[serde(with = "digit")] Digit),
    PutBack(#[serde(with = "WhyDef")] Why),
    Ringing,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "input::Media", rename_all = "snake_case")]
enum MediaDef {
    Answerer(#[serde(with = "FindingDef")] Finding),
    Cut(#[serde(with = "cut")] Option<media::Cut>),
    Edge(#[serde(with = "EdgeDef")] Edge),
    Progress(#[serde(with = "ProgressDef")] Progress),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "input::Meeting", rename_all = "snake_case")]
enum MeetingDef {
    Muted,
    Speaking,
    StoppedSpeaking,
    Unmuted,
}

/// Named so, because what is read from a file would have to live for ever to be borrowed as it.
type Code = &'static str;

#[derive(Serialize, Deserialize)]
#[serde(remote = "input::Speech", rename_all = "snake_case")]
enum SpeechDef {
    Begun(#[serde(with = "UtteranceIdDef")] UtteranceId),
    EndOfTurn {
        #[serde(with = "bits")]
        probability: f32,
    },
    EarsFailed(#[serde(with = "fault_code")] Code),
    Final(#[serde(with = "words")] Private<String>),
    Length(
        #[serde(with = "UtteranceIdDef")] UtteranceId,
        #[serde(with = "nanos")] Duration,
    ),
    MouthFailed(
        #[serde(with = "UtteranceIdDef")] UtteranceId,
        #[serde(with = "fault_code")] Code,
    ),
    Partial(#[serde(with = "words")] Private<String>),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "input::Agent", rename_all = "snake_case")]
enum AgentDef {
    Failed(
        #[serde(with = "TurnIdDef")] TurnId,
        #[serde(with = "fault_code")] Code,
    ),
    Finish(#[serde(with = "TurnIdDef")] TurnId),
    HangUp(#[serde(with = "TurnIdDef")] TurnId),
    PutThrough(
        #[serde(with = "TurnIdDef")] TurnId,
        #[serde(with = "ReferralDef")] Referral,
    ),
    Message {
        #[serde(with = "words")]
        name: Private<String>,
        #[serde(with = "words")]
        text: Private<String>,
    },
    Note(#[serde(with = "words")] Private<String>),
    Working(#[serde(with = "TurnIdDef")] TurnId, Duration),
    CallsTool(#[serde(with = "TurnIdDef")] TurnId, String, Duration),
    Say(
        #[serde(with = "TurnIdDef")] TurnId,
        #[serde(with = "words")] Private<String>,
    ),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "input::Command", rename_all = "snake_case")]
enum CommandDef {
    Dismiss,
    Disprove(#[serde(with = "words")] Private<String>),
    Forbid,
    HangUp,
    Help(#[serde(with = "words")] Private<String>),
    Limit(#[serde(with = "nanos")] Duration),
    OptOut,
    Press(#[serde(with = "keys")] Keys),
    Prove(#[serde(with = "words")] Private<String>),
    Refuse(
        #[serde(with = "RefusedDef")] Refused,
        #[serde(with = "words")] Private<String>,
    ),
    Say(#[serde(with = "words")] Private<String>),
    Sit(#[serde(with = "place")] Place),
    Stand(#[serde(with = "words")] Private<String>),
    Transfer(#[serde(with = "BlindTransferDef")] BlindTransfer),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Refused")]
struct RefusedDef {
    #[serde(with = "fault_code")]
    code: Code,
    #[serde(with = "TrustDef")]
    needs: Trust,
    #[serde(with = "TrustDef")]
    trust: Trust,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Trust", rename_all = "kebab-case")]
enum TrustDef {
    Unknown,
    CallerId,
    Attested,
    Proven,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "BlindTransfer")]
struct BlindTransferDef {
    to: String,
    #[serde(with = "nanos")]
    patience: Duration,
    #[serde(with = "RegretsDef")]
    regrets: Regrets,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Regrets")]
struct RegretsDef {
    #[serde(with = "words")]
    nobody: Private<String>,
    #[serde(with = "words")]
    busy: Private<String>,
    #[serde(with = "words")]
    declined: Private<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Referral")]
struct ReferralDef {
    to: String,
    #[serde(with = "words")]
    about: Private<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Edge", rename_all = "snake_case")]
enum EdgeDef {
    SpeechStarted {
        #[serde(with = "nanos")]
        ago: Duration,
    },
    SpeechEnded {
        #[serde(with = "nanos")]
        ago: Duration,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Progress")]
struct ProgressDef {
    #[serde(with = "UtteranceIdDef")]
    utterance: UtteranceId,
    #[serde(with = "nanos")]
    played: Duration,
    done: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "UtteranceId")]
struct UtteranceIdDef(u32);

#[derive(Serialize, Deserialize)]
#[serde(remote = "TurnId")]
struct TurnIdDef(u32);

#[derive(Serialize, Deserialize)]
#[serde(remote = "End")]
struct EndDef {
    #[serde(with = "PartyDef")]
    by: Party,
    #[serde(with = "WhyDef")]
    why: Why,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Party", rename_all = "snake_case")]
enum PartyDef {
    Caller,
    Agent,
    Owner,
    Carrier,
    Gateway,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Why", rename_all = "snake_case")]
enum WhyDef {
    HungUp,
    Completed,
    Busy,
    NoAnswer,
    Rejected,
    Canceled,
    Silence,
    TimeLimit,
    Machine,
    Policy,
    Loop,
    Fault,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Plan")]
struct PlanDef {
    #[serde(with = "DirectionDef")]
    direction: Direction,
    #[serde(with = "ModeDef")]
    mode: Mode,
    #[serde(with = "MachineDef")]
    machine: Machine,
    #[serde(with = "PolicyDef")]
    policy: Policy,
    #[serde(with = "PhrasesDef")]
    phrases: Phrases,
    #[serde(with = "announcement", default)]
    announcement: Option<Announcement>,
    #[serde(with = "RecordingDef")]
    recording: Recording,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Announcement")]
struct AnnouncementDef {
    #[serde(with = "words")]
    text: Private<String>,
    sha256: String,
    bytes: u64,
    #[serde(with = "nanos")]
    length: Duration,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Recording", rename_all = "snake_case")]
enum RecordingDef {
    Never,
    AtOnce,
    Announced,
    Asked,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Direction", rename_all = "snake_case")]
enum DirectionDef {
    Inbound,
    Outbound,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Mode", rename_all = "snake_case")]
enum ModeDef {
    Conversation {
        #[serde(with = "OpeningDef")]
        opening: Opening,
    },
    Notify {
        #[serde(with = "words")]
        text: Private<String>,
    },
    Seat(#[serde(with = "place")] Place),
    Loopback,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Machine", rename_all = "snake_case")]
enum MachineDef {
    Talk,
    HangUp(#[serde(with = "JudgeDef")] Judge),
    Leave(
        #[serde(with = "JudgeDef")] Judge,
        #[serde(with = "words")] Private<String>,
    ),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Judge", rename_all = "snake_case")]
enum JudgeDef {
    Carrier,
    Gateway,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Who", rename_all = "snake_case")]
enum WhoDef {
    Human,
    Machine,
    Unknown,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Finding", rename_all = "snake_case")]
enum FindingDef {
    Answered(
        #[serde(with = "AnswererDef")] Answerer,
        #[serde(with = "EvidenceDef")] Evidence,
    ),
    GreetingEnded(#[serde(with = "EndingDef")] Ending),
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Answerer", rename_all = "snake_case")]
enum AnswererDef {
    Human,
    Machine,
    Unknown,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Evidence")]
struct EvidenceDef {
    at: Duration,
    speech: Option<Duration>,
    greeting: Duration,
    pause: Duration,
    silence: Duration,
    bursts: u32,
    #[serde(with = "beep")]
    beep: Option<Beep>,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Ending", rename_all = "snake_case")]
enum EndingDef {
    Beep(#[serde(with = "BeepDef")] Beep),
    Silence,
    Endless,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Beep")]
struct BeepDef {
    at: Duration,
    length: Duration,
    hz: u32,
}

/// A beep, or none.
mod beep {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Whole(#[serde(with = "BeepDef")] Beep);

    pub(super) fn serialize<S: Serializer>(it: &Option<Beep>, to: S) -> Result<S::Ok, S::Error> {
        it.map(Whole).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Beep>, D::Error> {
        Ok(Option::<Whole>::deserialize(from)?.map(|Whole(it)| it))
    }
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Opening", rename_all = "snake_case")]
enum OpeningDef {
    Say(#[serde(with = "words")] Private<String>),
    Ask,
    Wait,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Policy")]
struct PolicyDef {
    ring: Duration,
    connect: Duration,
    release: Duration,
    regain: Duration,
    limit: Duration,
    silence: Duration,
    endpoint: Duration,
    endpoint_short: Duration,
    endpoint_long: Duration,
    finalize: Duration,
    barge_in: Duration,
    filler: Duration,
    pulse: Duration,
    still: Duration,
    think: Duration,
    synthesize: Duration,
    linger: Duration,
    #[serde(with = "RoundsDef")]
    rounds: Rounds,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Rounds")]
struct RoundsDef {
    stale: u32,
    machine: u32,
    most: u32,
}

#[derive(Serialize, Deserialize)]
#[serde(remote = "Phrases")]
struct PhrasesDef {
    #[serde(with = "words")]
    filler: Private<String>,
    #[serde(with = "words")]
    still: Private<String>,
    #[serde(with = "words")]
    apology: Private<String>,
    #[serde(with = "words")]
    back: Private<String>,
    #[serde(with = "words")]
    goodbye: Private<String>,
}

/// Durations within a call, exact up to five hundred years.
mod nanos {
    use super::*;

    pub(super) fn serialize<S: Serializer>(it: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u64(u64::try_from(it.as_nanos()).unwrap_or(u64::MAX))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_nanos)
    }
}

/// How a call stands, as the journal holds it too.
mod memory {
    use super::*;

    pub(super) fn serialize<S: Serializer>(it: &Memory, to: S) -> Result<S::Ok, S::Error> {
        Stage::from(it).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Box<Memory>, D::Error> {
        Stage::deserialize(from).map(|stage| Box::new(stage.into()))
    }
}

/// Numbers that may be no number, which JSON has no way to write.
mod bits {
    use super::*;

    pub(super) fn serialize<S: Serializer>(it: &f32, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_u32(it.to_bits())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
        u32::deserialize(from).map(f32::from_bits)
    }
}

mod announcement {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Whole(#[serde(with = "AnnouncementDef")] Announcement);

    pub(super) fn serialize<S: Serializer>(
        it: &Option<Announcement>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        it.clone().map(Whole).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<Announcement>, D::Error> {
        Ok(Option::<Whole>::deserialize(from)?.map(|it| it.0))
    }
}

mod words {
    use super::*;

    pub(super) fn serialize<S: Serializer>(it: &Private<String>, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(it.reveal())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Private<String>, D::Error> {
        String::deserialize(from).map(Private::from)
    }
}

mod place {
    use super::*;

    pub(super) fn serialize<S: Serializer>(it: &Place, to: S) -> Result<S::Ok, S::Error> {
        SavedPlace::from(it).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Place, D::Error> {
        SavedPlace::deserialize(from).map(Place::from)
    }
}

mod digit {
    use super::*;

    pub(super) fn serialize<S: Serializer>(it: &Digit, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_char(it.as_char())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Digit, D::Error> {
        let key = char::deserialize(from)?;
        Digit::new(key).ok_or_else(|| de::Error::custom("no key of a telephone"))
    }
}

mod keys {
    use super::*;

    pub(super) fn serialize<S: Serializer>(it: &Keys, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(it.as_str())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Keys, D::Error> {
        let text = String::deserialize(from)?;
        Keys::parse(&text).ok_or_else(|| de::Error::custom("no keys of a telephone"))
    }
}

/// The codes of faults, which are those of this build.
mod fault_code {
    use super::*;

    pub(super) fn serialize<S: Serializer>(it: &Code, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(it)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<&'static str, D::Error> {
        let text = String::deserialize(from)?;
        ports::code::find(&text).ok_or_else(|| de::Error::custom("no code of a fault"))
    }
}

mod cut {
    use super::*;

    #[derive(Serialize, Deserialize)]
    struct Cut {
        #[serde(with = "UtteranceIdDef")]
        utterance: UtteranceId,
        #[serde(with = "nanos")]
        played: Duration,
    }

    pub(super) fn serialize<S: Serializer>(
        it: &Option<media::Cut>,
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let cut = it.map(|media::Cut { utterance, played }| Cut { utterance, played });
        cut.serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        from: D,
    ) -> Result<Option<media::Cut>, D::Error> {
        let cut = Option::<Cut>::deserialize(from)?;
        Ok(cut.map(|Cut { utterance, played }| media::Cut { utterance, played }))
    }
}
