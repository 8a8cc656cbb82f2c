//! Ears and mouths: what turns a call's sound into words and words into sound.
//!
//! One folder per vendor, one line here for each. Nothing outside a vendor's folder and the
//! manifest of models knows a vendor's or a model's name.

pub mod local;
pub mod models;
pub mod words;

/// To be called when the process is about to end: waits, no longer than `patience`, until no model is
/// being loaded or run, and lets none begin.
pub fn rest(patience: std::time::Duration) {
    local::rest(patience);
}

/// Every vendor there is.
pub const LIST: &[ports::speech::Entry] = &[local::ENTRY];
