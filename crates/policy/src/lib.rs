//! What an agent with a phone may do: whom it may call, when, and what that may cost.
//!
//! Everything here is arithmetic on what the owner wrote and what is known of a number. Time comes in
//! as an argument, nothing is read or written, and the same question has the same answer. What is not
//! allowed by a line of the owner's is refused, and some kinds of number are refused whatever stands
//! there.
//!
//! ```text
//!   Number ──► Known (country, kind) ──► Whom ──► Entry ──► Hours ──► Rates ──► Limits
//!                    │ refused kinds       │ nobody           │ at night  │ too dear
//!                    ▼                     ▼                  ▼           ▼
//!                                      Refused
//! ```

mod asks;
mod class;
mod emergency;
mod hours;
mod kind;
mod limits;
mod money;
mod pin;
mod presses;
mod refusal;
mod rules;
mod trust;
mod whom;
mod wishes;
mod zone;

pub use asks::{Approve, Asks, Consent, Lacking};
pub use class::{Class, ClassFault};
pub use emergency::emergency;
pub use hours::{Hours, HoursFault};
pub use kind::{Country, Danger, Kind, Known};
pub use limits::{BURST, Beyond, Limits, Standing};
pub use money::{Money, MoneyFault, Prefix, Rates};
pub use pin::{Guesses, Key, Keyed, Keypad, Pin, Starts};
pub use presses::{Pressed, Unpressable, may_press};
pub use refusal::Refusal;
pub use rules::{Callers, Now, OVERRUN, Permit, Rules, When};
pub use trust::{Power, Proof, Seen, shown};
pub use whom::{Contact, Entry, Listed, Whom};
pub use wishes::opts_out;
pub use zone::{Zones, zone};
