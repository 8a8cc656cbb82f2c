//! Meetings: several calls whose sound is mixed here, so that their lines may be different carriers'.
//!
//! Each person's call goes on by itself, and while they sit here it is joined to the meeting by a
//! [`Chair`]. One task, `table`, owns the meeting and its mixer; nothing is shared with it but
//! channels. An agent that sits here has a call of its own too, whose line ends in this house.

mod ears;
mod inner;
mod mix;
mod room;
mod table;

use std::fmt;

use call::meeting::PartyId;
use call::{Digit, Private};
use media::Frame;
use ports::Link;
use uuid::Uuid;

pub(crate) use self::ears::TableEars;
pub use self::inner::InnerLine;
pub(crate) use self::inner::{FORMAT, Inner, OuterEnd, line};
pub(crate) use self::mix::MOUTH;
pub use self::room::{Attention, Room, Seated, View};
pub(crate) use self::room::{CALLER, Cast, Newcomer, Sits, TARGET, Wanted};
pub(crate) use self::table::{Table, serve};

/// Our name for a meeting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeetingId(Uuid);

impl MeetingId {
    /// A new name.
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads a name as [`fmt::Display`] writes it.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for MeetingId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// A call's end of its place at a meeting: it says what its caller does, and gets what the others do,
/// frame by frame at its own rate.
pub type Chair = Link<Said, Frame>;

/// What a meeting is told by a call that sits there.
#[derive(Debug)]
pub enum Said {
    /// The caller pressed a key.
    Pressed(Digit),
    /// The caller said this; nothing, if what sounded like speech was none.
    Said(Private<String>),
    /// The owner wants this said to the caller alone.
    Say(Private<String>),
    /// Twenty milliseconds of the caller.
    Sound(Frame),
    /// The caller begins to speak.
    Speaks,
}

/// Makes both ends of a place.
pub(crate) fn chair() -> (Chair, Link<Frame, Said>) {
    ports::pair(WAITING)
}

/// By what the others call someone who gave no name.
pub(crate) fn guest(party: PartyId) -> Private<String> {
    format!("Guest {}", party.0 + 1).into()
}

/// So much may wait between a call and its meeting: a second of sound.
const WAITING: usize = 50;
