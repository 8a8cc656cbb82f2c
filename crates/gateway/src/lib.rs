//! The shell: runs calls, serves carriers and owners, and is the command `offhook`.

pub mod cli;
pub mod config;
pub mod gateway;
pub mod http;
pub mod journal;
pub mod line;
pub mod recorder;
pub mod rules;
pub mod runner;
mod sound;
pub mod state;
pub mod switchboard;
