//! What happened on every call, kept: an append-only log that everything else is fed from.
//!
//! One file of SQLite, one thread that writes it. What is written in the same moment is made durable
//! together, away from the calls; readers see an entry once it is durable, and not before. Each
//! entry carries a hash of itself and of the one before, so that nothing can be changed unseen.

mod chain;
mod log;
mod reader;
mod store;
mod writer;

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ports::{Blame, Fault, code};
use tokio::sync::watch;

use crate::state::{make_folder, open_file};
pub use log::{CallLog, Entry, Parties};
pub use reader::{Reader, Row, Summary, Wanted};
pub use store::Flaw;
use store::Store;
pub use writer::Pen;

/// The journal of a running gateway. There is one on a folder at a time.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    pen: Pen,
    durable: watch::Receiver<u64>,
    /// Held for as long as the gateway lives.
    _lock: File,
}

impl Journal {
    /// Opens the journal in a folder, or begins one.
    ///
    /// # Errors
    /// Another gateway uses the folder, it cannot be written to, or what is there is no journal.
    pub fn open(folder: &Path) -> Result<Arc<Self>, Fault> {
        let lock = lock(folder)?;
        let path = path(folder);
        // The database makes what it needs beside it as private as this.
        let private = open_file(&path).map_err(|error| unusable(&path, error));
        private.map(drop)?;
        let store = Store::open(&path).map_err(|error| unusable(&path, error))?;
        let last = store.last();
        let (pen, durable) = writer::start(store, last);
        Ok(Arc::new(Self {
            path,
            pen,
            durable,
            _lock: lock,
        }))
    }

    /// What calls write with.
    pub fn pen(&self) -> Pen {
        self.pen.clone()
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
        Reader::open(&self.path, Some(self.durable.clone()))
    }
}

/// Where the journal of a folder is.
pub fn path(folder: &Path) -> PathBuf {
    folder.join("journal.db")
}

fn lock(folder: &Path) -> Result<File, Fault> {
    let path = folder.join("journal.lock");
    let file = make_folder(folder)
        .and_then(|()| File::create(&path))
        .map_err(|error| {
            let message = format!("cannot write {}", path.display());
            Fault::new(Blame::Config, code::JOURNAL_BROKEN, message)
                .hint("set XDG_STATE_HOME to a folder you may write to")
                .because(error)
        })?;
    file.try_lock().map_err(|error| {
        let message = format!("another gateway keeps its journal in {}", folder.display());
        Fault::new(Blame::Config, code::JOURNAL_TAKEN, message)
            .hint("stop it, or set XDG_STATE_HOME to another folder for this one")
            .because(error)
    })?;
    Ok(file)
}

fn unusable(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    let message = format!("the journal {} cannot be used", path.display());
    Fault::new(Blame::Config, code::JOURNAL_BROKEN, message)
        .hint("look at it with `offhook journal verify`; moved away, a new one is begun")
        .because(error)
}
