//! What waits for each destination, on the disk: which entry of the journal is to be told, how often that was tried, and
//! when it is tried again. Not what is told: that is read from the journal when it is sent, and so is as well kept there
//! as the owner wants it.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use ports::{Blame, Fault, code};
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, Row, TransactionBehavior, params};

use super::queue::{Miss, Place, Tries, What};
use crate::blocking::blocking;
use crate::state::open_file;

/// The outbox of a folder. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Store(Arc<Mutex<Connection>>);

/// A message that waits, or is given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    /// What it is called, however often it is sent.
    pub(crate) id: String,
    /// The name of its table.
    pub(crate) destination: String,
    pub(crate) place: Place,
    /// About which call.
    pub(crate) call: String,
    /// What happened.
    pub(crate) kind: String,
    /// When.
    pub(crate) at: Timestamp,
    pub(crate) tries: Tries,
    pub(crate) state: State,
}

/// How a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// It is tried then.
    Waits(Timestamp),
    /// Nobody tries it any more.
    Dead,
}

/// One that nobody tries any more, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct DeadLetter {
    pub(crate) letter: Letter,
    pub(crate) error: String,
}

/// How a destination stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) waiting: u64,
    pub(crate) delivered: u64,
    /// Tries that came to nothing.
    pub(crate) failed: u64,
    pub(crate) dead: u64,
    /// When what waits longest happened.
    pub(crate) oldest: Option<Timestamp>,
    /// When it was last tried.
    pub(crate) tried: Option<Timestamp>,
    /// Why the last try came to nothing; `None`: it did not.
    pub(crate) error: Option<String>,
}

/// Which dead letters are meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// All there are.
    All,
    /// Those of a destination, or the one that is called so, or whose name ends so.
    Named(String),
}

impl Store {
    /// Opens the outbox of a folder.
    ///
    /// # Errors
    /// It cannot be kept.
    pub(crate) fn open(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join(FILE);
        open_file(&path).map_err(cannot)?;
        let opened = || -> rusqlite::Result<Connection> {
            let file = Connection::open(&path)?;
            file.busy_timeout(BUSY)?;
            file.pragma_update(None, "journal_mode", "wal")?;
            // It outlives the process. Of a machine that loses its power the last moments may be gone: then the
            // journal is read from further back, and what was told is told again under the same name.
            file.pragma_update(None, "synchronous", "normal")?;
            file.execute_batch(TABLES)?;
            Ok(file)
        };
        Ok(Self(Arc::new(Mutex::new(opened().map_err(cannot)?))))
    }

    /// The outbox of a folder whose gateway need not run, to look at it; `None`: there never was one.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) fn of_folder(folder: &Path) -> Result<Option<Self>, Fault> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let file = Connection::open_with_flags(path, flags).map_err(cannot)?;
        file.busy_timeout(BUSY).map_err(cannot)?;
        Ok(Some(Self(Arc::new(Mutex::new(file)))))
    }

    /// Begins with a destination, which is told of nothing that was written before `last`. One that was there before
    /// goes on where it stopped.
    ///
    /// # Errors
    /// It cannot be written down.
    pub(crate) fn begin(&self, name: &str, last: u64) -> Result<(), Fault> {
        let file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let add = "INSERT OR IGNORE INTO destinations (name, cursor) VALUES (?1, ?2)";
        file.execute(add, params![name, last])
            .map_err(cannot)
            .map(drop)
    }

    /// Up to which entry of the journal a destination's messages were made.
    pub(crate) async fn cursor(&self, name: String) -> Result<u64, Fault> {
        let cursor = "SELECT cursor FROM destinations WHERE name = ?1";
        let found = self
            .with(move |file| file.query_row(cursor, [name], |row| row.get(0)).optional())
            .await?;
        Ok(found.unwrap_or_default())
    }

    /// Adds these, which are all there were up to this entry of the journal.
    pub(crate) async fn add(
        &self,
        name: String,
        letters: Vec<Letter>,
        cursor: u64,
    ) -> Result<(), Fault> {
        self.with(move |file| {
            let file = file.transaction_with_behavior(WRITING)?;
            for letter in &letters {
                let (entry, what) = (letter.place.entry, number(letter.place.what));
                let due = due(letter.state);
                let at = letter.at.as_millisecond();
                file.prepare_cached(ADD)?.execute(params![
                    name,
                    entry,
                    what,
                    letter.id,
                    letter.call,
                    letter.kind,
                    at,
                    due
                ])?;
            }
            let set = "UPDATE destinations SET cursor = ?2 WHERE name = ?1";
            file.execute(set, params![name, cursor])?;
            file.commit()
        })
        .await
    }

    /// All that wait for a destination, the oldest first.
    pub(crate) async fn waiting(&self, name: String) -> Result<Vec<Letter>, Fault> {
        let all = format!(
            "SELECT {LETTER} FROM messages WHERE destination = ?1 AND due IS NOT NULL ORDER BY entry, what"
        );
        self.with(move |file| {
            file.prepare_cached(&all)?
                .query_map([name], letter)?
                .collect()
        })
        .await
    }

    /// One was taken.
    pub(crate) async fn delivered(
        &self,
        name: String,
        place: Place,
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.with(move |file| {
            let file = file.transaction_with_behavior(WRITING)?;
            let gone = "DELETE FROM messages WHERE destination = ?1 AND entry = ?2 AND what = ?3";
            file.execute(gone, params![name, place.entry, number(place.what)])?;
            let count = "UPDATE destinations SET delivered = delivered + 1, tried = ?2, error = NULL WHERE name = ?1";
            file.execute(count, params![name, now.as_millisecond()])?;
            file.commit()
        })
        .await
    }

    /// One was not taken, for this reason, and stands like this from here on.
    pub(crate) async fn failed(
        &self,
        name: String,
        place: Place,
        (miss, state, error): (Miss, State, String),
        now: Timestamp,
    ) -> Result<(), Fault> {
        self.with(move |file| {
            let file = file.transaction_with_behavior(WRITING)?;
            let key = (place.entry, number(place.what));
            let away = miss == Miss::Away;
            file.execute(FAILED, params![name, key.0, key.1, due(state), error, away])?;
            let count = "UPDATE destinations SET failed = failed + 1, tried = ?2, error = ?3 WHERE name = ?1";
            file.execute(count, params![name, now.as_millisecond(), error])?;
            if state == State::Dead {
                file.execute(FORGET, params![name, MOST_DEAD])?;
            }
            file.commit()
        })
        .await
    }

    /// Has dead letters tried again from now on: those that happened since then, if that is said. How many that are.
    pub(crate) async fn revive(
        &self,
        which: Which,
        since: Option<Timestamp>,
        now: Timestamp,
    ) -> Result<usize, Fault> {
        let name = match which {
            Which::All => None,
            Which::Named(name) => Some(name),
        };
        let since = since.map_or(i64::MIN, Timestamp::as_millisecond);
        self.with(move |file| file.execute(REVIVE, params![name, since, now.as_millisecond()]))
            .await
    }

    /// Those that nobody tries any more, the latest first.
    pub(crate) async fn dead(&self, most: usize) -> Result<Vec<DeadLetter>, Fault> {
        let all = format!(
            "SELECT {LETTER}, error FROM messages WHERE due IS NULL ORDER BY entry DESC, what DESC LIMIT ?1"
        );
        let read = |row: &Row<'_>| {
            Ok(DeadLetter {
                letter: letter(row)?,
                error: row.get::<_, Option<String>>(10)?.unwrap_or_default(),
            })
        };
        self.with(move |file| {
            file.prepare_cached(&all)?
                .query_map([most], read)?
                .collect()
        })
        .await
    }

    /// How each destination stands, by its name.
    pub(crate) async fn accounts(&self) -> Result<Vec<Account>, Fault> {
        let read = |row: &Row<'_>| {
            Ok(Account {
                name: row.get(0)?,
                delivered: row.get(1)?,
                failed: row.get(2)?,
                tried: moment(row.get(3)?),
                error: row.get(4)?,
                waiting: row.get(5)?,
                dead: row.get(6)?,
                oldest: moment(row.get(7)?),
            })
        };
        self.with(move |file| {
            file.prepare_cached(ACCOUNTS)?
                .query_map([], read)?
                .collect()
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let file = self.0.clone();
        blocking("keeping reports", move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut file).map_err(cannot)
        })
        .await
    }
}

fn letter(row: &Row<'_>) -> rusqlite::Result<Letter> {
    let what = match row.get(2)? {
        REPORT => What::Report,
        _ => What::Event,
    };
    Ok(Letter {
        destination: row.get(0)?,
        place: Place {
            entry: row.get(1)?,
            what,
        },
        id: row.get(3)?,
        call: row.get(4)?,
        kind: row.get(5)?,
        at: moment(row.get(6)?).unwrap_or_default(),
        tries: Tries {
            all: row.get(7)?,
            away: row.get(8)?,
        },
        state: moment(row.get(9)?).map_or(State::Dead, State::Waits),
    })
}

fn moment(ms: Option<i64>) -> Option<Timestamp> {
    Timestamp::from_millisecond(ms?).ok()
}

fn due(state: State) -> Option<i64> {
    match state {
        State::Waits(at) => Some(at.as_millisecond()),
        State::Dead => None,
    }
}

fn number(what: What) -> u8 {
    match what {
        What::Event => EVENT,
        What::Report => REPORT,
    }
}

fn cannot(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    let message = "which reports wait cannot be written down or looked up";
    Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message)
        .hint("is the disk full?")
        .because(error)
}

const FILE: &str = "outbox.db";
const EVENT: u8 = 0;
const REPORT: u8 = 1;
const WRITING: TransactionBehavior = TransactionBehavior::Immediate;
const BUSY: Duration = Duration::from_secs(2);
/// Of each destination, so many dead letters are kept.
const MOST_DEAD: usize = 10_000;

const TABLES: &str = "CREATE TABLE IF NOT EXISTS destinations (
    name TEXT PRIMARY KEY, cursor INTEGER NOT NULL, delivered INTEGER NOT NULL DEFAULT 0,
    failed INTEGER NOT NULL DEFAULT 0, tried INTEGER, error TEXT
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS messages (
    destination TEXT NOT NULL, entry INTEGER NOT NULL, what INTEGER NOT NULL,
    id TEXT NOT NULL, call TEXT NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL,
    tries INTEGER NOT NULL, away INTEGER NOT NULL, due INTEGER, error TEXT,
    PRIMARY KEY (destination, entry, what)
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dead ON messages (entry) WHERE due IS NULL;";

const LETTER: &str = "destination, entry, what, id, call, kind, at, tries, away, due";
const ADD: &str =
    "INSERT OR IGNORE INTO messages VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, 0, ?8, NULL)";
const FAILED: &str = "UPDATE messages SET tries = tries + 1, away = away + ?6, due = ?4, error = ?5
    WHERE destination = ?1 AND entry = ?2 AND what = ?3";
const FORGET: &str = "DELETE FROM messages WHERE destination = ?1 AND due IS NULL AND entry <= (
    SELECT entry FROM messages WHERE destination = ?1 AND due IS NULL ORDER BY entry DESC, what DESC LIMIT 1 OFFSET ?2)";
const REVIVE: &str =
    "UPDATE messages SET due = ?3, tries = 0, away = 0 WHERE due IS NULL AND at >= ?2
    AND (?1 IS NULL OR destination = ?1 OR (length(?1) >= 6 AND substr(id, -length(?1)) = ?1))";
const ACCOUNTS: &str = "SELECT name, delivered, failed, tried, destinations.error,
    COUNT(entry) - COUNT(entry) FILTER (WHERE due IS NULL), COUNT(entry) FILTER (WHERE due IS NULL),
    MIN(at) FILTER (WHERE due IS NOT NULL)
    FROM destinations LEFT JOIN messages ON destination = name GROUP BY name ORDER BY name";

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_outlives_its_gateway_and_what_is_dead_can_be_tried_again() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let store = Store::open(folder.path()).expect("the folder is ours");
        store.begin("crm", 4).expect("there is room");
        let letters = vec![letter(5, What::Event), letter(5, What::Report)];
        let added = store.add("crm".into(), letters.clone(), 9).await;
        added.expect("there is room");
        drop(store);
        let store = Store::open(folder.path()).expect("the folder is ours");
        store.begin("crm", 100).expect("there is room");
        assert_eq!(store.cursor("crm".into()).await.ok(), Some(9));
        assert_eq!(
            store.waiting("crm".into()).await.ok(),
            Some(letters.clone())
        );
        let (now, event, report) = (at(20), letters[0].place, letters[1].place);
        let taken = store.delivered("crm".into(), event, now).await;
        taken.expect("there is room");
        let dead = (Miss::Away, State::Dead, "it cannot be reached".to_owned());
        let failed = store.failed("crm".into(), report, dead, now).await;
        failed.expect("there is room");
        let account = &store.accounts().await.expect("it can be read")[0];
        let counted = (
            account.waiting,
            account.delivered,
            account.failed,
            account.dead,
        );
        assert_eq!(counted, (0, 1, 1, 1));
        assert_eq!(account.error.as_deref(), Some("it cannot be reached"));
        assert_eq!((account.tried, account.oldest), (Some(now), None));
        let dead = &store.dead(10).await.expect("it can be read")[0];
        let tries = Tries { all: 1, away: 1 };
        assert_eq!((dead.letter.tries, dead.letter.state), (tries, State::Dead));
        let revive = async |name: &str, since| {
            let which = Which::Named(name.to_owned());
            store
                .revive(which, since, at(30))
                .await
                .expect("there is room")
        };
        assert_eq!(revive("other", None).await, 0);
        assert_eq!(revive("rt", None).await, 0, "that could be many");
        assert_eq!(revive("crm", Some(at(6))).await, 0, "it happened before");
        assert_eq!(revive("-5-Report", None).await, 1);
        let waits = &store.waiting("crm".into()).await.expect("it can be read")[0];
        let again = (Tries::default(), State::Waits(at(30)));
        assert_eq!((waits.tries, waits.state), again);
        assert_eq!(waits.id, letters[1].id);
    }

    fn letter(entry: u64, what: What) -> Letter {
        Letter {
            id: format!("msg-{entry}-{what:?}"),
            destination: "crm".into(),
            place: Place { entry, what },
            call: "c1".into(),
            kind: "call.ended".into(),
            at: at(5),
            tries: Tries::default(),
            state: State::Waits(at(10)),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is a moment")
    }
}
