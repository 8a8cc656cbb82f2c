//! Small files of SQLite: each change is on the disk before it counts, and readers do not wait for writers.

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

use crate::state::open_file;

/// Opens one that nobody else may read, or begins it, with these tables.
pub(crate) fn open(
    path: &Path,
    tables: &str,
) -> Result<Connection, Box<dyn std::error::Error + Send + Sync>> {
    // The database makes what it needs beside it as private as this.
    drop(open_file(path)?);
    let file = Connection::open(path)?;
    file.busy_timeout(BUSY)?;
    file.pragma_update(None, "journal_mode", "wal")?;
    file.pragma_update(None, "synchronous", "full")?;
    file.execute_batch(tables)?;
    Ok(file)
}

/// How long another process may be at it.
pub(crate) const BUSY: Duration = Duration::from_secs(5);
