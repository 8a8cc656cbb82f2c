//! An agent that is somewhere else, and asks over the gateway's own doors what the caller said: a program at its API,
//! or an agent that has it as a tool.

use ports::agent::{Answerer, Entry};
use ports::{Problem, Settings};

/// How this kind of agent is listed.
pub(crate) const ENTRY: Entry = Entry {
    kind: "by-hand",
    about: "is answered turn by turn over the API or MCP, by whoever holds the call",
    keys: &[],
    build,
};

fn build(_settings: &Settings) -> Result<Answerer, Vec<Problem>> {
    Ok(Answerer::ByHand)
}
