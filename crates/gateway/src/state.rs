//! How a command finds the gateway that is running on this machine.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};

use crate::config::FILE_NAME;
use crate::gateway::Gateway;

/// A gateway that is running, and what opens its control API.
#[derive(Serialize, Deserialize)]
pub struct Running {
    url: String,
    token: String,
    pid: u32,
    /// What it was started with.
    config: PathBuf,
}

impl Running {
    /// Writes down where a gateway is, readable by its owner alone.
    pub fn announce(gateway: &Gateway, config: &Path) -> Result<Self, Fault> {
        let running = Self {
            url: format!("http://{}", gateway.address),
            token: gateway.token.reveal().to_owned(),
            pid: std::process::id(),
            config: fs::canonicalize(config).unwrap_or_else(|_| config.to_owned()),
        };
        let written = || -> std::io::Result<()> {
            make_folder(&folder())?;
            replace(&path(), &serde_json::to_vec(&running)?)
        };
        written().map_err(|error| {
            let message = format!("cannot write {}", path().display());
            Fault::new(Blame::Config, code::GATEWAY_BROKEN, message)
                .hint("set XDG_STATE_HOME to a folder you may write to")
                .because(error)
        })?;
        Ok(running)
    }

    /// Takes the note away, unless another gateway has replaced it.
    pub fn withdraw(self) {
        if Self::read().is_some_and(|it| it.pid == self.pid) {
            let _ = fs::remove_file(path());
        }
    }

    /// The gateway that is running, if one is and answers.
    pub async fn find() -> Option<Self> {
        let running = Self::read()?;
        let answer = client()
            .get(format!("{}/healthz", running.url))
            .timeout(BRIEFLY)
            .send()
            .await;
        answer
            .is_ok_and(|it| it.status().is_success())
            .then_some(running)
    }

    /// The gateway that says it runs here, whether it answers or not.
    pub(crate) fn noted() -> Option<Self> {
        Self::read()
    }

    /// Whether it was started with this configuration; where none was named and none is, it was.
    pub(crate) fn serves(&self, config: &Path) -> bool {
        fs::canonicalize(config).map_or(config == Path::new(FILE_NAME), |it| it == self.config)
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn get(&self, path: &str) -> reqwest::RequestBuilder {
        client()
            .get(format!("{}{path}", self.url))
            .bearer_auth(&self.token)
    }

    pub(crate) fn post(&self, path: &str) -> reqwest::RequestBuilder {
        client()
            .post(format!("{}{path}", self.url))
            .bearer_auth(&self.token)
    }

    pub(crate) fn delete(&self, path: &str) -> reqwest::RequestBuilder {
        client()
            .delete(format!("{}{path}", self.url))
            .bearer_auth(&self.token)
    }

    fn read() -> Option<Self> {
        serde_json::from_slice(&fs::read(path()).ok()?).ok()
    }
}

fn client() -> reqwest::Client {
    // On this machine no proxy has any business.
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("the TLS provider is installed at start")
}

/// Where things that outlive a process are kept: `$XDG_STATE_HOME/offhook`.
pub fn folder() -> PathBuf {
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".local/state");
    let base = std::env::var_os("XDG_STATE_HOME").filter(|it| !it.is_empty());
    base.map_or_else(home, PathBuf::from).join("offhook")
}

/// Makes a folder that only its owner can look into, unless it is there.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700).create(folder)
}

/// Opens a file that only its owner can read, for reading and writing, and begins it if need be, and its
/// folder.
pub(crate) fn open_file(path: &Path) -> io::Result<fs::File> {
    if let Some(folder) = path.parent() {
        make_folder(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.mode(0o600).open(path)
}

/// The same, with the file to ourselves for as long as it is open: what several processes write.
/// Blocks while another has it, but not for ever.
pub(crate) fn open_locked(path: &Path) -> io::Result<fs::File> {
    let file = open_file(path)?;
    patiently(OTHERS, || file.try_lock())?;
    Ok(file)
}

/// Writes a file that only its owner can read, all of it or nothing: who reads it meanwhile, or after
/// this process died, finds what was there before.
pub(crate) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    // Removed first, so that the mode below is the file's mode even if it was there.
    let _ = fs::remove_file(&new);
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    // So that the name, too, outlives a loss of power.
    fs::File::open(path.parent().unwrap_or(path))?.sync_all()
}

/// What to do about a file of ours that cannot be used.
pub(crate) fn remedy(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::TimedOut {
        "another offhook holds it: try again, or stop that one"
    } else {
        "set XDG_STATE_HOME to a folder you may write to"
    }
}

/// Tries for a lock until it is had, or until `patience` is over.
pub(crate) fn patiently(
    patience: Duration,
    lock: impl Fn() -> Result<(), fs::TryLockError>,
) -> io::Result<()> {
    let end = Instant::now() + patience;
    loop {
        match lock() {
            Ok(()) => return Ok(()),
            Err(fs::TryLockError::Error(error)) => return Err(error),
            Err(fs::TryLockError::WouldBlock) if Instant::now() > end => {
                let message = "another process keeps it locked";
                return Err(io::Error::new(io::ErrorKind::TimedOut, message));
            }
            Err(fs::TryLockError::WouldBlock) => thread::park_timeout(MOMENT),
        }
    }
}

fn path() -> PathBuf {
    folder().join("gateway.json")
}

/// Others have a file for milliseconds, unless something is wrong with them.
const OTHERS: Duration = Duration::from_secs(2);
const MOMENT: Duration = Duration::from_millis(5);

const BRIEFLY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_begun_where_there_is_no_folder_yet() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("new").join("it");
        open_file(&path).expect("it is made, and its folder");
        assert!(path.is_file());
    }

    #[test]
    fn a_file_that_another_holds_is_not_waited_for_for_ever() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("it");
        let held = open_locked(&path).expect("nobody else has it");
        let other = open_file(&path).expect("it is there");
        let waited = patiently(Duration::ZERO, || other.try_lock());
        let error = waited.expect_err("it is held");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(remedy(&error).contains("another"));
        drop(held);
        patiently(Duration::ZERO, || other.try_lock()).expect("nobody else has it");
    }
}
