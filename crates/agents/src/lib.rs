//! Who answers the phone.
//!
//! One folder or file per kind of agent, and one line in [`LIST`]. An agent works with words: it is
//! told what the caller said and what of its own words was heard, and answers with more words.

mod answering;
pub mod asking;
mod by_hand;
mod command;
mod dialogue;
pub mod doorkeeper;
mod echo;
mod http;
mod judging;
mod letters;
mod marker;
pub mod once;
pub mod openai;
mod past;
mod patience;
mod phrases;
pub mod program;
mod reach;
mod relay;
mod round;
pub mod sign;
pub mod sse;
#[cfg(test)]
mod trial;
mod utf8;
mod websocket;
mod words;

/// Every kind of agent there is.
pub const LIST: &[ports::agent::Entry] = &[
    answering::ENTRY,
    by_hand::ENTRY,
    command::ENTRY,
    echo::ENTRY,
    http::ENTRY,
    openai::ENTRY,
    relay::ENTRY,
    websocket::ENTRY,
];
