//! Dials whose requests were sent, or are about to be: written down, durably, before the first byte.
//!
//! Whoever starts after a crash finds here what may have been sent, and asks its carrier. Numbers are
//! not in it: they are in the call's first event, which is made durable before this is.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use call::{Dialling, Heard};
use ports::{Blame, Fault, code};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, TransactionBehavior, params};

use crate::blocking::blocking;
use crate::database;

/// The dials of a folder. Clones are the same.
#[derive(Clone, Debug)]
pub struct Jobs(Arc<Mutex<Connection>>);

/// A dial that was sent, or was about to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Job {
    /// Our name for the call.
    pub call: String,
    /// A key of [`crate::config::Plan::carriers`].
    pub carrier: String,
    /// Where it stands.
    pub state: Dialling,
    /// When it was sent, in milliseconds since 1970.
    pub sent: i64,
}

impl Jobs {
    /// Opens the dials of a folder.
    ///
    /// # Errors
    /// They cannot be kept: nobody may be dialled then.
    pub fn open(folder: &Path, now: i64) -> Result<Self, Fault> {
        let path = folder.join("jobs.db");
        let file = database::open(&path, TABLE).map_err(cannot)?;
        let old = now - KEPT.as_millis() as i64;
        file.execute("DELETE FROM jobs WHERE sent < ?1", [old])
            .map_err(cannot)?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// The dials of a folder whose gateway need not run; `None`: there never were any.
    ///
    /// # Errors
    /// They cannot be read.
    pub fn of_folder(folder: &Path) -> Result<Option<Self>, Fault> {
        let path = folder.join("jobs.db");
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(path, flags).map_err(cannot)?;
        file.busy_timeout(database::BUSY).map_err(cannot)?;
        Ok(Some(Self(Arc::new(Mutex::new(file)))))
    }

    /// Writes down that a call's dial is about to be sent. Once for each call.
    ///
    /// # Errors
    /// It cannot be written down, or was sent before: then it must not be sent.
    pub async fn send(&self, call: String, carrier: String, now: i64) -> Result<(), Fault> {
        let state = Dialling::Queued.hears(Heard::Sends).name();
        let add = "INSERT INTO jobs VALUES (?1, ?2, ?3, ?4)";
        self.with(move |file| file.execute(add, params![call, carrier, state, now]))
            .await
            .map(drop)
    }

    /// Writes down what was heard of a call's dial, and returns where it stands now; `None`: it was
    /// never sent.
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn hear(&self, call: String, heard: Heard) -> Result<Option<Dialling>, Fault> {
        self.with(move |file| {
            let file = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let Some(job) = find(&file, &call)? else {
                return Ok(None);
            };
            let state = job.state.hears(heard);
            if state != job.state {
                let set = "UPDATE jobs SET state = ?2 WHERE call = ?1";
                file.execute(set, params![call, state.name()])?;
            }
            file.commit()?;
            Ok(Some(state))
        })
        .await
    }

    /// A call's dial, if it was sent.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn of(&self, call: String) -> Result<Option<Job>, Fault> {
        self.with(move |file| find(file, &call)).await
    }

    /// Those of these calls that were sent, and of which it is not known that their carrier took them.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn not_placed(&self, calls: Vec<String>) -> Result<Vec<Job>, Fault> {
        self.with(move |file| {
            let found = calls.iter().filter_map(|call| find(file, call).transpose());
            let unsettled = |it: &rusqlite::Result<Job>| {
                it.as_ref().map_or(true, |it| it.state != Dialling::Placed)
            };
            found.filter(unsettled).collect()
        })
        .await
    }

    /// Those of which nobody knows what became of them, the oldest first.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn unsettled(&self) -> Result<Vec<Job>, Fault> {
        self.with(|file| {
            let mut all = file.prepare(UNSETTLED)?;
            let found = all.query_map([], job)?;
            found.collect()
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let file = self.0.clone();
        blocking("writing a dial down", move || {
            work(&mut file.lock().unwrap_or_else(PoisonError::into_inner)).map_err(cannot)
        })
        .await
    }
}

fn find(file: &Connection, call: &str) -> rusqlite::Result<Option<Job>> {
    let mut found = file.prepare_cached("SELECT * FROM jobs WHERE call = ?1")?;
    found.query_row([call], job).optional()
}

fn job(row: &Row<'_>) -> rusqlite::Result<Job> {
    let state: String = row.get(2)?;
    Ok(Job {
        call: row.get(0)?,
        carrier: row.get(1)?,
        // What another build wrote is asked about too.
        state: Dialling::parse(&state).unwrap_or(Dialling::Unknown),
        sent: row.get(3)?,
    })
}

fn cannot(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    let message = "a dial cannot be written down, so it is not made";
    Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message)
        .hint("is the disk full?")
        .because(error)
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS jobs (
    call TEXT PRIMARY KEY, carrier TEXT NOT NULL, state TEXT NOT NULL, sent INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS jobs_unsettled ON jobs (sent) WHERE state NOT IN ('placed', 'refused');
CREATE INDEX IF NOT EXISTS jobs_sent ON jobs (sent);";

const UNSETTLED: &str = "SELECT * FROM jobs WHERE state NOT IN ('placed', 'refused') ORDER BY sent";

/// As long as the journal, unless that is told otherwise: a carrier ends every call long before.
const KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_dial_is_sent_once_also_across_restarts() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let open = || Jobs::open(folder.path(), 5).expect("the folder is ours");
        let jobs = open();
        let send = async |jobs: &Jobs, call: &str| {
            jobs.send(call.to_owned(), "twilio".to_owned(), 5).await
        };
        send(&jobs, "a").await.expect("it is new");
        send(&jobs, "b").await.expect("it is new");
        let heard = jobs.hear("b".into(), Heard::Taken).await;
        assert_eq!(heard.ok(), Some(Some(Dialling::Placed)));
        assert_eq!(jobs.hear("c".into(), Heard::Taken).await.ok(), Some(None));
        drop(jobs);
        let jobs = open();
        send(&jobs, "a").await.expect_err("it was sent before");
        let unsettled = jobs.unsettled().await.expect("they can be read");
        let job = Job {
            call: "a".into(),
            carrier: "twilio".into(),
            state: Dialling::Sending,
            sent: 5,
        };
        assert_eq!(unsettled, std::slice::from_ref(&job));
        let asked = vec!["a".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(jobs.not_placed(asked).await.ok(), Some(vec![job]));
        for (heard, state) in [
            (Heard::Lost, Dialling::Unknown),
            (Heard::Missing, Dialling::Refused),
            (Heard::Named, Dialling::Placed),
        ] {
            let stands = jobs.hear("a".into(), heard).await;
            assert_eq!(stands.ok(), Some(Some(state)), "{heard:?}");
        }
        assert_eq!(jobs.unsettled().await.ok(), Some(Vec::new()));
    }
}
