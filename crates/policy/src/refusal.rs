//! Why a call may not be made or taken, and the rule that says so.

use call::{Number, NumberFault};
use jiff::Timestamp;

use crate::asks::{Asks, Lacking};
use crate::hours::Hours;
use crate::kind::Danger;
use crate::limits::Beyond;
use crate::money::Money;

/// Why a call may not be made or taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The number to dial is none, or belongs to an emergency service.
    NotANumber(NumberFault),
    /// The number to dial is of a kind that is never dialled.
    Dangerous {
        /// Which number.
        to: Number,
        /// What kind.
        danger: Danger,
    },
    /// The number to dial is not on the list.
    MayNotDial {
        /// Which number.
        to: Number,
        /// Where the list stands.
        at: String,
    },
    /// The number to dial is one of ours.
    Ours {
        /// Which number.
        to: Number,
        /// Where that could be allowed.
        at: String,
    },
    /// Whoever has the number said that they are not to be called any more.
    Unwanted {
        /// Which number.
        to: Number,
    },
    /// It is not the time to call there.
    WrongTime {
        /// Which number.
        to: Number,
        /// When it would be.
        hours: Hours,
        /// Where that is said; `None`: it is what is usual.
        at: Option<String>,
        /// From when on it may be called; `None`: that never is, in all places where it may be.
        next: Option<Timestamp>,
    },
    /// The caller is not on the list.
    MayNotCall {
        /// Who calls.
        from: Number,
        /// Where the list stands.
        at: String,
    },
    /// The caller hides, and only those on the list may call.
    Hidden {
        /// Where the list stands.
        at: String,
    },
    /// As many calls are up as may be.
    TooManyCalls {
        /// How many.
        most: usize,
        /// Where that is said.
        at: String,
    },
    /// As many calls were dialled in the last hour as may be.
    TooOften {
        /// How many.
        most: usize,
        /// Where that is said.
        at: String,
    },
    /// As many calls to this number were dialled in the last hour as may be.
    TooOftenTo {
        /// Which number.
        to: Number,
        /// How many.
        most: usize,
        /// Where that is said.
        at: String,
    },
    /// It could cost more than may be spent.
    TooDear {
        /// What it could cost.
        ceiling: Money,
        /// The limit.
        beyond: Beyond,
    },
    /// The owner has stopped everything.
    Stopped,
    /// Somebody else is not called without a purpose, and their consent.
    NoConsent {
        /// Which number.
        to: Number,
        /// What is missing.
        lacks: Lacking,
        /// Where that is wanted.
        at: String,
    },
    /// It may be made once the owner has said yes to it.
    AsksFirst {
        /// Which number.
        to: Number,
        /// Why.
        asks: Asks,
    },
}

impl Refusal {
    /// The rule that decided, and where it stands.
    pub fn rule(&self) -> String {
        let line = |key: &str, at: &str| format!("`{key}` in [policy], {at}");
        match self {
            Self::NotANumber(NumberFault::Emergency) => {
                "emergency numbers are never dialled".into()
            }
            Self::NotANumber(
                NumberFault::NoPlus
                | NumberFault::NotDigits
                | NumberFault::Length
                | NumberFault::LeadingZero,
            ) => "only numbers in E.164 form are dialled".into(),
            Self::Dangerous { .. } => "some kinds of number are never dialled".into(),
            Self::MayNotDial { at, .. } => line("call", at),
            Self::Ours { at, .. } => line("call_own_numbers", at),
            Self::Unwanted { .. } => "who does not want to be called is not".into(),
            Self::WrongTime { at: Some(at), .. } => format!("`hours`, {at}"),
            Self::WrongTime { at: None, .. } => {
                "the hours at which people are usually called".into()
            }
            Self::MayNotCall { at, .. } | Self::Hidden { at } => line("answer", at),
            Self::TooManyCalls { at, .. } => line("max_calls", at),
            Self::TooOften { at, .. } => line("calls_per_hour", at),
            Self::TooOftenTo { at, .. } => line("calls_per_number", at),
            Self::TooDear { beyond, .. } => line(beyond.key, &beyond.most.at),
            Self::NoConsent { at, .. } => line("consent", at),
            Self::Stopped => "the owner has stopped everything".into(),
            Self::AsksFirst { asks, .. } => match asks {
                Asks::Approve { at } => line("approve", at),
                Asks::Burst { at, .. } => line("new_numbers", at),
            },
        }
    }
}
