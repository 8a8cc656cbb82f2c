//! What happened on every call, kept: an append-only log that everything else is fed from.
//!
//! One file of SQLite, one thread that writes it. What is written in the same moment is made durable
//! together, away from the calls; readers see an entry once it is durable, and not before. Each
//! entry carries a hash of itself and of the one before, so that nothing can be changed unseen.

mod chain;
#[cfg(test)]
mod damage;
mod log;
mod mark;
mod reader;
mod seal;
mod store;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ports::{Blame, Fault, code};
use tokio::sync::watch;

use crate::state::{make_folder, open_file, patiently};
pub use log::{Began, CallLog, Entry, Parties, Past};
use mark::Mark;
pub(crate) use reader::Head;
pub use reader::{Reader, Row, Summary, Wanted};
pub use seal::{HIDDEN, Keys, SealKey};
pub use store::Flaw;
use store::Store;
pub use writer::Pen;

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keep {
    /// Entries that are older are forgotten.
    pub age: Duration,
    /// So that the rest needs no more than so many bytes, the oldest are.
    pub room: u64,
}

impl Default for Keep {
    fn default() -> Self {
        Self {
            age: Duration::from_secs(90 * 24 * 60 * 60),
            room: 1_024 * 1_024 * 1_024,
        }
    }
}

/// The journal of a running gateway. There is one on a folder at a time.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    pen: Pen,
    durable: watch::Receiver<u64>,
    keys: Keys,
}

impl Journal {
    /// Opens the journal in a folder, or begins one.
    ///
    /// # Errors
    /// Another gateway uses the folder, it cannot be written to, or what is there is no journal, or
    /// one that was sealed with a key that is not among these.
    pub fn open(folder: &Path, keep: Keep, keys: Keys) -> Result<Arc<Self>, Fault> {
        let lock = lock(folder)?;
        let path = path(folder);
        let acknowledged = Mark::read(&folder.join(LOCK));
        let is_new = !path.exists();
        // The database makes what it needs beside it as private as this.
        let private = open_file(&path).map_err(|error| unusable(&path, error));
        private.map(drop)?;
        let mut store = Store::open(&path).map_err(|error| unusable(&path, error))?;
        let unknown = store.use_keys(&keys);
        if let Some(name) = unknown.map_err(|error| unusable(&path, error))? {
            return Err(locked(&path, &name, &keys));
        }
        if is_new && acknowledged > 0 {
            tracing::warn!("the journal that was here is gone: a new one is begun");
        } else if let Some(flaw) = store.flaw(acknowledged) {
            return Err(damaged(&path, flaw));
        }
        let mark = Mark::new(lock);
        let set = mark.set(store.last());
        set.map_err(|error| unusable(&path, error))?;
        let (pen, durable) = writer::start(store, mark, keep);
        Ok(Arc::new(Self {
            path,
            pen,
            durable,
            keys,
        }))
    }

    /// What calls write with.
    pub fn pen(&self) -> Pen {
        self.pen.clone()
    }

    /// The last entry that is durable, as it goes on.
    pub fn durable(&self) -> watch::Receiver<u64> {
        self.durable.clone()
    }

    /// The last entry there is: from here on, what comes is new.
    pub fn last(&self) -> u64 {
        *self.durable.borrow()
    }

    /// Someone who reads along.
    ///
    /// # Errors
    /// The file cannot be opened any more.
    pub fn reader(&self) -> Result<Reader, Fault> {
        let reader = Reader::open(&self.path, Some(self.durable.clone()))?;
        Ok(reader.with_keys(self.keys.clone()))
    }
}

/// Where the journal of a folder is.
pub fn path(folder: &Path) -> PathBuf {
    folder.join("journal.db")
}

fn lock(folder: &Path) -> Result<File, Fault> {
    let path = folder.join(LOCK);
    let file = make_folder(folder)
        .and_then(|()| open_file(&path))
        .map_err(|error| {
            let message = format!("cannot write {}", path.display());
            Fault::new(Blame::Config, code::JOURNAL_BROKEN, message)
                .hint("set XDG_STATE_HOME to a folder you may write to")
                .because(error)
        })?;
    patiently(LEAVING, || file.try_lock()).map_err(|error| {
        let message = format!("another gateway keeps its journal in {}", folder.display());
        Fault::new(Blame::Config, code::JOURNAL_TAKEN, message)
            .hint("stop it, or set XDG_STATE_HOME to another folder for this one")
            .because(error)
    })?;
    Ok(file)
}

fn damaged(path: &Path, flaw: Flaw) -> Fault {
    let Flaw { id, what } = flaw;
    let message = format!(
        "the journal {} is damaged: entry {id}: {what}",
        path.display()
    );
    Fault::new(Blame::Config, code::JOURNAL_BROKEN, message).hint(MOVE_AWAY)
}

const MOVE_AWAY: &str = "look at it with `offhook journal verify`; with journal.db, journal.db-wal and journal.db-shm \
                         moved away, a new one is begun";

/// A gateway that is ending writes its last entries meanwhile.
const LEAVING: Duration = Duration::from_millis(500);

/// Who holds it keeps the journal beside it.
const LOCK: &str = "journal.lock";

fn unusable(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    let message = format!("the journal {} cannot be used", path.display());
    Fault::new(Blame::Config, code::JOURNAL_BROKEN, message)
        .hint(MOVE_AWAY)
        .because(error)
}

/// Whoever starts with the wrong key, or without one, would keep entries that nobody can read
/// together with the others.
fn locked(path: &Path, name: &str, keys: &Keys) -> Fault {
    let message = match &keys.seal {
        Some(key) => format!(
            "the journal {} was encrypted with the key {name}, and not with {}",
            path.display(),
            key.name()
        ),
        None => format!(
            "the journal {} was encrypted with the key {name}, which is not given",
            path.display()
        ),
    };
    Fault::new(Blame::Config, code::JOURNAL_KEY, message)
        .hint("give that key as `key` in [journal]; or under `old_keys`, to go on with another or without one")
}
