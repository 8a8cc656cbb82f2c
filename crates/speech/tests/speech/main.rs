//! What the local vendor hears and says, with the real models; and the models' store, without.
//!
//! The models must be there: `offhook models fetch` brings them, and `make test` runs it. A test
//! that misses one fails and says so.

#![allow(
    clippy::print_stdout,
    reason = "the figures are part of what the tests tell"
)]

mod detector;
mod kit;
mod links;
mod people;
mod store;
mod turns;
