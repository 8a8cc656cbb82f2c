//! The exchange against a tiny gateway that speaks the raw protocol and shares no code with it.

#![allow(
    clippy::unwrap_used,
    reason = "in a test a failure is a failure, and the line says which"
)]

mod gateway;
mod plivo;
mod stories;
mod telnyx;
