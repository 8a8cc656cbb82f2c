//! How a call that is watched begins and ends, and where it is in between.

use call::{ANNOUNCEMENT, Event, Memory, Output, Plan, Recording, memory, output};

/// How it begins and ends.
#[derive(Debug, Default)]
pub(crate) struct Life {
    pub(crate) connected: bool,
    /// The sound is gone.
    pub(crate) lost: bool,
    /// The caller is at a meeting.
    pub(crate) seated: bool,
    /// The agent is at a meeting, and nobody there hears it.
    pub(crate) muted: bool,
    /// How far the carrier has put the caller through.
    pub(crate) handed: Handed,
    pub(crate) hung_up: bool,
    pub(crate) ended: bool,
    /// Somebody said who picked up.
    pub(crate) judged: bool,
    /// They know who speaks to them, or need not be told.
    pub(crate) disclosed: bool,
    /// Whether the call may be recorded, and since when it is.
    pub(crate) recording: Option<Recording>,
    pub(crate) recorded: bool,
}

/// How far a carrier has put a caller through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Handed {
    #[default]
    No,
    Rings,
    Talks,
}

impl Life {
    /// Of a call that is yet to begin.
    pub(crate) fn of(plan: &Plan) -> Self {
        Self {
            disclosed: plan.announcement.is_none(),
            recording: Some(plan.recording),
            ..Self::default()
        }
    }

    /// Nobody is talked to who does not know who speaks, and nobody is recorded who was not told.
    pub(crate) fn check_law(&mut self, output: &Output) {
        let talks = matches!(
            output,
            Output::Agent(output::Agent::Turn { .. } | output::Agent::Open { .. })
                | Output::Speech(output::Speech::Synthesize(..) | output::Speech::Pulse(_))
                | Output::Meeting(output::Meeting::Sit(_))
                | Output::Event(Event::AgentTurnStarted { .. } | Event::AgentSaid { .. })
        );
        assert!(self.disclosed || !talks, "they do not know who speaks");
        assert!(!(self.muted && talks), "spoke and was not heard");
        if let Output::Event(Event::RecordingStarted { .. }) = output {
            let told = match self.recording {
                None | Some(Recording::Never) => false,
                Some(Recording::AtOnce) => true,
                Some(Recording::Announced | Recording::Asked) => self.disclosed,
            };
            assert!(told && !self.recorded, "nobody was told of it");
            self.recorded = true;
        }
    }

    /// What is asked of the sound fits how the call stands.
    pub(crate) fn check_media(&self, media: &output::Media) {
        match media {
            output::Media::Press(_) => assert!(self.connected, "keys that nobody can hear"),
            output::Media::JudgeAnswerer => assert!(self.connected, "there is nothing to judge"),
            output::Media::Announce => {
                assert!(self.connected && !self.lost, "nobody hears it");
                assert!(!self.disclosed, "they know that already");
            }
            output::Media::Record => {
                assert!(self.recorded, "recorded without a word about it");
            }
            output::Media::Cut(ANNOUNCEMENT) => assert!(!self.disclosed, "cut what is over"),
            output::Media::Cut(_) => {}
        }
    }

    /// Whether we and the caller hear each other, and nobody else does.
    pub(crate) fn is_alone(&self) -> bool {
        !self.hung_up && !self.lost && !self.seated && !self.muted
    }

    /// There is sound again.
    pub(crate) fn reconnect(&mut self) {
        assert!(self.lost, "the sound was never gone");
        self.lost = false;
        self.handed = Handed::No;
    }

    /// They are back from a meeting.
    pub(crate) fn stand(&mut self) {
        assert!(self.seated, "stands up twice");
        self.seated = false;
    }

    /// Whoever sits is muted by themselves; an agent that talks there, as a talk.
    pub(crate) fn mute(&mut self) {
        self.muted = !self.seated;
    }

    /// They know who speaks to them.
    pub(crate) fn disclose(&mut self) {
        assert!(!self.disclosed, "told twice");
        self.disclosed = true;
    }

    /// There is sound for the first time.
    pub(crate) fn connect(&mut self) {
        assert!(!self.connected, "connected twice");
        self.connected = true;
        self.lost = false;
    }

    /// Somebody says who picked up.
    pub(crate) fn judge(&mut self) {
        assert!(!self.hung_up, "it no longer matters");
        assert!(!self.judged, "one verdict stands");
        self.judged = true;
    }

    /// A caller is put through once.
    pub(crate) fn hand_over(&mut self) {
        assert!(self.connected, "puts through who is not there");
        assert!(!self.lost && !self.seated, "is elsewhere already");
        self.handed = Handed::Rings;
    }

    /// Whoever was called takes the call, or does not.
    pub(crate) fn called(&mut self, then: Handed) {
        assert_eq!(self.handed, Handed::Rings, "nobody was called");
        self.handed = then;
    }
}

impl Handed {
    /// As it is remembered.
    pub(crate) fn of(memory: &Memory) -> Self {
        match memory {
            Memory::Elsewhere { stage, .. } => match stage {
                memory::Elsewhere::Rings => Self::Rings,
                memory::Elsewhere::Talks => Self::Talks,
            },
            Memory::Waiting
            | Memory::Answered
            | Memory::Up { .. }
            | Memory::Ending(_)
            | Memory::Over => Self::No,
        }
    }
}
