//! What the owner wrote, read, checked and resolved.
//!
//! `file` is what stands there, with the line of every key; [`plan`] is what it means, with every
//! default chosen, every secret fetched and every name looked up. Between them all problems are
//! found at once. Nothing after start-up sees the file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

mod check;
pub(crate) mod disclosure;
#[cfg(test)]
pub(crate) mod fakes;
mod file;
mod journal;
pub(crate) mod limits;
mod marks;
pub mod plan;
mod plug;
mod problem;
mod recordings;
mod reports;
pub(crate) mod rules;
mod secret;
mod section;
#[cfg(test)]
mod tests;
mod tools;
mod transfers;
mod trust;

pub use check::{BY_HAND, CALL_BACK_AFTER};
pub(crate) use file::shown;
pub(crate) use journal::{defaults as journal_defaults, keys as journal_keys};
pub use marks::{Marks, named_files};
pub use plan::{
    AgentThen, By, Consent, Destination, Disclosed, Disclosure, History, OnMachine, OurNumber,
    PhonePlan, Plan, Recorder, Recordings, TransferPlan,
};
pub use problem::{ConfigProblem, Place, Severity};

/// Everything a configuration may name.
#[derive(Clone, Copy)]
pub struct Lists {
    /// The carriers there are.
    pub carriers: &'static [ports::carrier::Entry],
    /// The kinds of agent there are.
    pub agents: &'static [ports::agent::Entry],
    /// The speech vendors there are. The first is used where the configuration names none.
    pub vendors: &'static [ports::speech::Entry],
}

/// A configuration that can be used.
#[derive(Clone)]
pub struct Loaded {
    /// What it means.
    pub plan: Plan,
    /// What it probably does not mean.
    pub warnings: Vec<ConfigProblem>,
    /// What it says, to compare it with another.
    pub marks: Marks,
}

/// Reads, checks and resolves the configuration at `path`, or says everything that is wrong with
/// it. A file that is not there is one problem, of the code [`ports::code::CONFIG_MISSING`].
///
/// Building carriers may make HTTP clients, so the TLS provider must be installed before.
pub fn load(path: &Path, lists: &Lists) -> Result<Loaded, Vec<ConfigProblem>> {
    let file = file::File::read(path)?;
    check::check(&file, &file::shown(path), lists, &outside_env)
}

fn outside_env(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// Where the configuration is: what `--config` or `OFFHOOK_CONFIG` says, else `offhook.toml` here,
/// else `offhook/offhook.toml` in the user's folder of configurations. If there is none, where
/// the first would be looked for, so that [`load`] can say that it is missing.
pub fn find(named: Option<&Path>) -> PathBuf {
    let env = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    find_among(named, &env, &|path| path.is_file())
}

fn find_among(
    named: Option<&Path>,
    env: &dyn Fn(&str) -> Option<OsString>,
    exists: &dyn Fn(&Path) -> bool,
) -> PathBuf {
    if let Some(named) = named {
        return named.to_owned();
    }
    if let Some(named) = env("OFFHOOK_CONFIG") {
        return PathBuf::from(named);
    }
    let here = PathBuf::from(FILE_NAME);
    if exists(&here) {
        return here;
    }
    let home = || env("HOME").map(|home| PathBuf::from(home).join(".config"));
    let folder = env("XDG_CONFIG_HOME").map(PathBuf::from).or_else(home);
    let theirs = folder.map(|folder| folder.join("offhook").join(FILE_NAME));
    theirs.filter(|path| exists(path)).unwrap_or(here)
}

/// What a configuration is called.
pub const FILE_NAME: &str = "offhook.toml";
