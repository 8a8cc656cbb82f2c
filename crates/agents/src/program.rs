//! Programs of the owner's that are run: what they see of us, and how they are ended.

use std::ffi::OsString;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;

/// Ends a program and all that it started, when it is dropped. The program has to have been started in a group of its
/// own.
#[derive(Debug)]
pub struct Group(Option<Pid>);

impl Group {
    /// Of a program that was just started.
    pub fn of(child: &Child) -> Self {
        let group = child.id().and_then(|it| i32::try_from(it).ok());
        Self(group.and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // There may be nobody left in it.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Our variables that programs need, and that hold no secrets.
pub fn usual() -> impl Iterator<Item = (&'static str, OsString)> {
    let names = USUAL.iter().copied();
    names.filter_map(|name| Some((name, std::env::var_os(name)?)))
}

const USUAL: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "TERM",
    "TMPDIR",
    "TZ",
    "XDG_CONFIG_HOME",
    "XDG_DATA_HOME",
    "XDG_CACHE_HOME",
    "XDG_STATE_HOME",
    "XDG_RUNTIME_DIR",
];
