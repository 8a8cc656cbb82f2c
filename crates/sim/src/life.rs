//! How a call that is watched begins and ends, and where it is in between.

use call::{Memory, memory};

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
