//! How sure we are of who is on the line.

use serde::Serialize;

/// How sure we are that somebody is who they seem to be: the later, the surer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Trust {
    /// Not at all: no number is shown, or none that the owner knows.
    Unknown,
    /// They show a number that the owner knows. Anyone can show any number.
    CallerId,
    /// The same, and a phone company vouches that the number is theirs.
    Attested,
    /// They keyed the owner's PIN, or picked up when we called them.
    Proven,
}

impl Trust {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Unknown, Self::CallerId, Self::Attested, Self::Proven];

    /// As it is written and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::CallerId => "caller-id",
            Self::Attested => "attested",
            Self::Proven => "proven",
        }
    }

    /// Reads what [`Trust::as_str`] writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|it| it.as_str() == text)
    }
}

/// What a phone company says of the number that a caller shows (STIR/SHAKEN).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Attestation {
    /// Nothing, or something that did not exist when this was written.
    #[default]
    Nothing,
    /// Someone signed for it, and that could not be verified.
    Failed,
    /// Verified: who signed knows where the call came in, or who made it, but not whose number that is.
    Partial,
    /// Verified: who signed knows that the number is the caller's (level A).
    Full,
}
