//! Ears and mouths: what turns a call's sound into words and words into sound.
//!
//! One folder per vendor, one line here for each. Nothing outside a vendor's folder and the
//! manifest of models knows a vendor's or a model's name.

pub mod local;
pub mod models;
pub mod words;

/// Every vendor there is.
pub const LIST: &[ports::speech::Entry] = &[local::ENTRY];
