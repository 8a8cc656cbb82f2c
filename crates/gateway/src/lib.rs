//! The shell: runs calls, serves carriers and owners, and is the command `offhook`.

pub mod access;
mod alive;
mod blocking;
mod claims;
pub mod cli;
pub mod config;
mod dialled;
pub mod flight;
pub mod gateway;
mod hex;
pub mod http;
pub mod journal;
mod keypad;
pub mod line;
mod logbook;
pub mod meeting;
pub mod memory;
mod metrics;
pub mod recorder;
pub mod rulebook;
pub mod rules;
pub mod runner;
mod sound;
pub mod state;
pub mod switchboard;
pub mod traces;
