//! One phone call, as a state machine.
//!
//! A [`Call`] is told what happened and when, and answers with what to do about it:
//!
//! ```text
//!            Input                        Output
//!   carrier ───────►┌────────────────┐───────► carrier
//!     media ───────►│      Call      │───────► media
//!    speech ───────►│ handle(now, …) │───────► speech
//!     agent ───────►│                │───────► agent
//!   timeout ───────►└────────────────┘───────► event log
//! ```
//!
//! It never waits, never fails and never looks at a clock. The caller of [`Call::handle`] performs
//! the outputs in order, and calls again with [`Input::Timeout`] once [`Call::deadline`] has come.

mod away;
mod call;
mod circles;
mod clause;
mod conversation;
mod data;
mod dialling;
mod disclosing;
mod emergency;
pub mod event;
mod floor;
mod hearing;
pub mod input;
mod keys;
mod last_words;
mod live;
mod liveness;
pub mod meeting;
pub mod memory;
mod moment;
mod notice;
mod number;
pub mod output;
mod plan;
mod private;
mod screening;
mod seat;
mod stages;
mod trust;
mod turn;
mod voice;
mod words;

pub use call::Call;
pub use circles::Rounds;
pub use clause::clauses;
pub use data::Data;
pub use dialling::{Dialling, Heard, Inquiry, Pace, Remedy, Sighting};
pub use disclosing::ANNOUNCEMENT;
pub use event::Event;
pub use input::Input;
pub use keys::Keys;
pub use liveness::{Finding, Hold, Liveness, Release, Signs, Word};
pub use meeting::Meeting;
pub use memory::Memory;
pub use number::{Number, NumberFault};
pub use output::Output;
pub use plan::{
    Announcement, BlindTransfer, Direction, Machine, Mode, Opening, Phrases, Place, Plan, Policy,
    Recording, Referral, Regrets, Side, Through,
};
pub use private::Private;
pub use trust::{Attestation, Trust};

/// Names one turn of the agent's: what it was told, and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TurnId(pub u32);

/// A key on a telephone: `0`–`9`, `*`, `#`, `A`–`D`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digit(char);

impl Digit {
    /// Takes a character if it names a key. Lower-case letters are taken as their key.
    pub fn new(c: char) -> Option<Self> {
        let c = c.to_ascii_uppercase();
        matches!(c, '0'..='9' | '*' | '#' | 'A'..='D').then_some(Self(c))
    }

    /// The key's character.
    pub fn as_char(self) -> char {
        self.0
    }
}

/// Keys may spell a secret: what is logged is that one was pressed, not which.
impl std::fmt::Debug for Digit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Digit(•)")
    }
}
