//! The sockets in the wall: what a carrier, a speech vendor or an agent must offer to plug in.
//!
//! There is one file per kind of plug. A capability is a value, not a flag: what a carrier cannot
//! do it has no value for, and nobody ever asks a carrier its name.

pub mod account;
pub mod agent;
pub mod carrier;
pub mod code;
mod fault;
mod link;
mod secret;
mod settings;
pub mod speech;

pub use fault::{Blame, Fault, Retry};
pub use link::{Link, pair};
pub use secret::Secret;
pub use settings::{Key, Kind, Need, Problem, Settings, Value};
