//! Who answers the phone.
//!
//! One folder or file per kind of agent, and one line in [`LIST`]. An agent works with words: it is
//! told what the caller said and what of its own words was heard, and answers with more words.

mod answering;
pub mod asking;
mod by_hand;
pub mod doorkeeper;
mod echo;
pub mod openai;
mod phrases;
pub mod sse;
mod words;

/// Every kind of agent there is.
pub const LIST: &[ports::agent::Entry] =
    &[answering::ENTRY, by_hand::ENTRY, echo::ENTRY, openai::ENTRY];
