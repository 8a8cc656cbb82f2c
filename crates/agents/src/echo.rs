//! The echo test every telephone system has: callers hear themselves, through the whole of the
//! sound's path and back.

use ports::agent::{Answerer, Entry};
use ports::{Problem, Settings};

/// How this kind of agent is listed.
pub(crate) const ENTRY: Entry = Entry {
    kind: "echo-test",
    about: "sends the caller's own sound back, to test a line",
    keys: &[],
    build,
};

fn build(_settings: &Settings) -> Result<Answerer, Vec<Problem>> {
    Ok(Answerer::Loopback)
}
