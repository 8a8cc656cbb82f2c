//! Requests that must not be carried out twice: each has a key of its sender's choice, and the key
//! is written down, durably, before anyone is called.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ports::{Blame, Fault, code};
use rusqlite::{Connection, OptionalExtension as _, params};
use sha2::{Digest, Sha256};

use crate::blocking::blocking;
use crate::state::open_file;

/// The keys of a folder. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Claims(Arc<Mutex<Connection>>);

/// What is known of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Claim {
    /// Nothing: it is the sender's from now on.
    Fresh,
    /// The same was asked before, and this call was made or is being made for it.
    Before(String),
    /// Something else was asked with it before.
    Another,
}

/// A key and what was asked with it, as they are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Once {
    key: [u8; 32],
    order: [u8; 32],
}

impl Once {
    /// `key` is the sender's, `order` all that was asked.
    pub fn new(key: &str, order: &[u8]) -> Self {
        Self {
            key: Sha256::digest(key).into(),
            // With the sender's key in it, of which only a hash is kept: of the order alone somebody
            // could try all numbers.
            order: Sha256::new()
                .chain_update(key.len().to_le_bytes())
                .chain_update(key)
                .chain_update(order)
                .finalize()
                .into(),
        }
    }
}

impl Claims {
    pub(crate) fn open(folder: &Path, now: i64) -> Result<Self, Fault> {
        let path = folder.join("requests.db");
        open_file(&path).map_err(cannot)?;
        let opened = || -> rusqlite::Result<Connection> {
            let file = Connection::open(&path)?;
            file.busy_timeout(BUSY)?;
            file.pragma_update(None, "journal_mode", "wal")?;
            file.pragma_update(None, "synchronous", "full")?;
            file.execute_batch(
                "CREATE TABLE IF NOT EXISTS requests (
                    key BLOB PRIMARY KEY, asked BLOB NOT NULL, call TEXT NOT NULL, at INTEGER NOT NULL
                ) STRICT, WITHOUT ROWID;",
            )?;
            file.execute(
                "DELETE FROM requests WHERE at < ?1",
                [now - KEPT.as_millis() as i64],
            )?;
            Ok(file)
        };
        let file = opened().map_err(cannot)?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// Claims a key for a call that is about to be made.
    pub(crate) async fn claim(&self, once: Once, call: String, now: i64) -> Result<Claim, Fault> {
        self.with(move |file| {
            let fresh = file.execute(
                "INSERT OR IGNORE INTO requests VALUES (?1, ?2, ?3, ?4)",
                params![once.key, once.order, call, now],
            )?;
            if fresh == 1 {
                return Ok(Claim::Fresh);
            }
            known(file, once)
        })
        .await
    }

    /// What became of a key before, if anything did.
    pub(crate) async fn look(&self, once: Once) -> Result<Claim, Fault> {
        self.with(move |file| known(file, once)).await
    }

    /// Gives a key back: nobody was called.
    pub(crate) async fn release(&self, once: Once) -> Result<(), Fault> {
        self.with(move |file| file.execute("DELETE FROM requests WHERE key = ?1", [once.key]))
            .await
            .map(drop)
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let file = self.0.clone();
        blocking("writing a request down", move || {
            work(&file.lock().unwrap_or_else(PoisonError::into_inner)).map_err(cannot)
        })
        .await
    }
}

fn known(file: &Connection, once: Once) -> rusqlite::Result<Claim> {
    let found = file
        .query_row(
            "SELECT asked, call FROM requests WHERE key = ?1",
            [once.key],
            |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, String>(1)?)),
        )
        .optional()?;
    Ok(match found {
        None => Claim::Fresh,
        Some((asked, call)) if asked == once.order => Claim::Before(call),
        Some(_) => Claim::Another,
    })
}

fn cannot(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    let message = "a request cannot be written down, so it is not carried out";
    Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message)
        .hint("is the disk full?")
        .because(error)
}

const BUSY: Duration = Duration::from_secs(2);
/// Keys are remembered for so long.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_key_is_claimed_once_also_across_restarts() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let open = |now| Claims::open(folder.path(), now).expect("the folder is ours");
        let (once, other) = (Once::new("k", b"call"), Once::new("k", b"call another"));
        let claims = open(0);
        assert_eq!(
            claims.claim(once, "c1".into(), 0).await.ok(),
            Some(Claim::Fresh)
        );
        drop(claims);
        let claims = open(1);
        let before = Some(Claim::Before("c1".into()));
        assert_eq!(claims.claim(once, "c2".into(), 1).await.ok(), before);
        assert_eq!(
            claims.claim(other, "c3".into(), 1).await.ok(),
            Some(Claim::Another)
        );
        assert_eq!(claims.look(once).await.ok(), before);
        claims.release(once).await.expect("it can be written");
        assert_eq!(claims.look(once).await.ok(), Some(Claim::Fresh));
        claims
            .claim(once, "c4".into(), 2)
            .await
            .expect("it can be written");
        let later = open(KEPT.as_millis() as i64 + 3);
        assert_eq!(later.look(once).await.ok(), Some(Claim::Fresh));
    }
}
