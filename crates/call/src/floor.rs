use std::time::Instant;

use crate::event::End;
use crate::turn::Turn;

/// Who has the floor: whose turn it is to speak.
///
/// This is kept apart from the call's life. "The agent is speaking" is not a kind of "answered",
/// and neither is a kind of "ended". What is decided here: who may speak. What is being heard is
/// the voice's business: a filler sounds while the agent thinks.
#[derive(Debug)]
pub(crate) enum Floor {
    /// Nobody's. Silence counts from `since`.
    Open { since: Instant },
    /// The caller is speaking.
    Caller,
    /// The caller paused at `ended`. If nothing more is said by `until`, the turn is over.
    Pause { ended: Instant, until: Instant },
    /// The caller's turn is over, and the transcriber was asked for its last words. If they do not
    /// come by `until`, the words last heard must do.
    Finalizing { ended: Instant, until: Instant },
    /// The agent has the turn and nothing to say yet, or nothing more yet.
    Thinking { turn: Turn },
    /// The agent is speaking, or will as soon as its words are sound.
    Agent { turn: Turn },
    /// Both are speaking. If the caller keeps on until `until`, the floor is the caller's.
    Contested { turn: Turn, until: Instant },
    /// We said goodbye. Once that was heard, or at `until`, the call ends like this.
    Closing { end: End, until: Instant },
}

impl Floor {
    /// The turn of the one who speaks in our name, if someone does.
    pub(crate) fn turn_mut(&mut self) -> Option<&mut Turn> {
        match self {
            Self::Thinking { turn } | Self::Agent { turn } | Self::Contested { turn, .. } => {
                Some(turn)
            }
            Self::Open { .. }
            | Self::Caller
            | Self::Pause { .. }
            | Self::Finalizing { .. }
            | Self::Closing { .. } => None,
        }
    }

    /// The same, giving it up.
    pub(crate) fn into_turn(self) -> Option<Turn> {
        match self {
            Self::Thinking { turn } | Self::Agent { turn } | Self::Contested { turn, .. } => {
                Some(turn)
            }
            Self::Open { .. }
            | Self::Caller
            | Self::Pause { .. }
            | Self::Finalizing { .. }
            | Self::Closing { .. } => None,
        }
    }

    /// Takes the floor to decide about it. Whoever takes it puts one back.
    pub(crate) fn take(&mut self) -> Self {
        std::mem::replace(self, Self::Caller)
    }
}
