use std::time::Duration;

use crate::event::{Judge, Why};
use crate::meeting::{After, Announcing, Attention};
use crate::{Private, Rounds};

/// Everything decided about a call before it starts.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Who started it.
    pub direction: Direction,
    /// What it is for.
    pub mode: Mode,
    /// What becomes of a call we make that a machine picks up.
    pub machine: Machine,
    /// How patient it is.
    pub policy: Policy,
    /// What is said when the agent cannot.
    pub phrases: Phrases,
    /// What is heard before anything is said; `None`: nothing.
    pub announcement: Option<Announcement>,
    /// Whether it is recorded.
    pub recording: Recording,
}

/// What everyone hears before anything is said: sound that was made before the call began, so that it
/// is there whatever has become of the mouth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The words in it.
    pub text: Private<String>,
    /// SHA-256 of its samples, in hexadecimal.
    pub sha256: String,
    /// How many bytes those are.
    pub bytes: u64,
    /// How long it is.
    pub length: Duration,
}

/// Whether a call is recorded, and from when on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recording {
    /// It is not.
    Never,
    /// From the first sound: it is the owner's own call.
    AtOnce,
    /// Once the announcement was heard that says so.
    Announced,
    /// Once the one on the phone has said yes to the question that ends the announcement.
    Asked,
}

/// Who called whom.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Someone called us.
    Inbound,
    /// We called someone.
    Outbound,
}

/// What a call is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Two parties take turns.
    Conversation {
        /// Who speaks first.
        opening: Opening,
    },
    /// The caller sits at a meeting: others make the sound, and hear it.
    Seat(Place),
    /// Say one thing, wait a little, hang up.
    Notify {
        /// What to say.
        text: Private<String>,
    },
    /// The caller hears what the caller says: sound is played back, no one takes turns.
    Loopback,
}

/// A place at a meeting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// Our name for the meeting.
    pub meeting: String,
    /// What the others call this person.
    pub name: Private<String>,
    /// The agent that sits there too; `None`: none does.
    pub agent: Option<String>,
    /// Whether it is said there who comes and goes.
    pub announcing: Announcing,
    /// Who was put through to whom there; `None`: nobody was.
    pub through: Option<Through>,
}

/// What someone at a table knows of the transfer that it is for: enough to go on with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Through {
    /// What they are in it.
    pub side: Side,
    /// By what the one is called aloud who was asked.
    pub target: Private<String>,
    /// What becomes of the caller when that one hangs up.
    pub after: After,
    /// What the agent does that has stayed with the two.
    pub attention: Attention,
}

/// What someone is in a transfer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The one who was put through.
    Caller,
    /// The one who was asked.
    Target,
    /// Someone who came to sit with them.
    Beside,
}

/// A wish to put the caller through to someone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Referral {
    /// To whom: a name that the owner gave them.
    pub to: String,
    /// What the caller wants of them, in a few words; may be empty.
    pub about: Private<String>,
}

/// Someone whom the carrier puts a call through to, without us.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlindTransfer {
    /// A name that the owner gave them.
    pub to: String,
    /// How long it may take until they talk, or the carrier says that they will not.
    pub patience: Duration,
    /// What the caller is told who could not be put through.
    pub regrets: Regrets,
}

/// What a caller is told who could not be put through. Complete sentences, with the name in them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Regrets {
    /// Nobody picked up.
    pub nobody: Private<String>,
    /// They are on another call.
    pub busy: Private<String>,
    /// They do not want to, or cannot.
    pub declined: Private<String>,
}

impl Regrets {
    /// What to say when a call to them ended for this reason.
    pub(crate) fn of(&self, why: Why) -> &Private<String> {
        match why {
            Why::Busy => &self.busy,
            Why::Rejected | Why::HungUp | Why::Completed => &self.declined,
            Why::NoAnswer
            | Why::Canceled
            | Why::Silence
            | Why::TimeLimit
            | Why::Machine
            | Why::Policy
            | Why::Loop
            | Why::Fault => &self.nobody,
        }
    }
}

/// What becomes of a call we make that a machine picks up. Where it matters, nothing is said before it
/// is known who picked up; whose verdict that waits for stands beside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Machine {
    /// It is talked to as a person would be, and nobody asks what it is.
    Talk,
    /// It is hung up on.
    HangUp(Judge),
    /// It is left this message, once its greeting is over.
    Leave(Judge, Private<String>),
}

/// Who speaks first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opening {
    /// We do, with these words. They can be made into sound while the phone rings.
    Say(Private<String>),
    /// The agent does, with words of its own.
    Ask,
    /// The caller does.
    Wait,
}

/// How patient a call is. Each limit is a deadline of the state it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// How long the far end may ring.
    pub ring: Duration,
    /// How long an answered call may go without sound.
    pub connect: Duration,
    /// How long the carrier may take to confirm a hang-up.
    pub release: Duration,
    /// How long a call that is up may take to get its sound back.
    pub regain: Duration,
    /// How long a call may last once there is sound.
    pub limit: Duration,
    /// How long nobody may say anything.
    pub silence: Duration,
    /// How long a pause ends the caller's turn, from the true end of speech.
    pub endpoint: Duration,
    /// The same where the turn detector is sure that the caller is done.
    pub endpoint_short: Duration,
    /// The same where the turn detector is sure that the caller is not done.
    pub endpoint_long: Duration,
    /// How long after asking the transcriber for its last words we wait for them.
    pub finalize: Duration,
    /// How long the caller must speak over the agent to take the floor, from the true start of
    /// speech. Must exceed the detector's own patience, or a murmur cannot end before it counts.
    pub barge_in: Duration,
    /// How long the agent may think before something is said to fill the gap.
    pub filler: Duration,
    /// How long it may be silent again while the agent thinks, or is at work, before a sound says that it is;
    /// zero: none does.
    pub pulse: Duration,
    /// How long after words of ours the agent may be at work before there are more.
    pub still: Duration,
    /// How long the agent may think before we apologise for it.
    pub think: Duration,
    /// How long the synthesizer may take to make its first sound of an utterance.
    pub synthesize: Duration,
    /// In a notification: how long to stay on the line after the words were heard.
    pub linger: Duration,
    /// How long a conversation may lead nowhere.
    pub rounds: Rounds,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            ring: Duration::from_secs(45),
            connect: Duration::from_secs(10),
            release: Duration::from_secs(5),
            regain: Duration::from_secs(20),
            limit: Duration::from_secs(30 * 60),
            silence: Duration::from_secs(60),
            endpoint: Duration::from_millis(600),
            endpoint_short: Duration::from_millis(300),
            endpoint_long: Duration::from_millis(1_300),
            finalize: Duration::from_millis(1_500),
            barge_in: Duration::from_millis(280),
            filler: Duration::from_millis(1_500),
            pulse: Duration::from_millis(1_500),
            still: Duration::from_secs(10),
            think: Duration::from_secs(10),
            synthesize: Duration::from_secs(5),
            linger: Duration::from_millis(1_500),
            rounds: Rounds::default(),
        }
    }
}

/// What is said when the agent cannot speak for itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Phrases {
    /// Said when the agent is slow.
    pub filler: Private<String>,
    /// Said when it is at work for long, again and again.
    pub still: Private<String>,
    /// Said when the agent failed once.
    pub apology: Private<String>,
    /// Said when the line is back after it was gone for a while.
    pub back: Private<String>,
    /// Said before hanging up because the agent keeps failing, the line is silent or time is up.
    pub goodbye: Private<String>,
}

impl Default for Phrases {
    fn default() -> Self {
        Self {
            filler: "One moment, please.".into(),
            still: "I am still on it.".into(),
            apology: "Sorry, I did not get that. Could you say it again?".into(),
            back: "Sorry, the line was gone for a moment.".into(),
            goodbye: "I am sorry, I have to end this call now. Goodbye.".into(),
        }
    }
}
