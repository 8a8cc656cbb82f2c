//! Calls that wait for their owner's yes, in a file: each is answered once, and none waits for ever.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ports::{Blame, Fault, code};
use rusqlite::{Connection, OptionalExtension as _, Row, TransactionBehavior, params};
use serde_json::{Value, json};

use crate::blocking::blocking;
use crate::database;
use crate::journal::Keys;

/// The calls of a folder that wait, or waited. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Approvals {
    file: Arc<Mutex<Connection>>,
    keys: Arc<Keys>,
}

/// A call that waits, or waited.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Waiting {
    /// Our name for the call that it becomes.
    pub(crate) call: String,
    /// Since when, in milliseconds since 1970.
    pub(crate) at: i64,
    /// Until when.
    pub(crate) until: i64,
    /// What became of it.
    pub(crate) answer: Answer,
    /// What is wanted: whom to call and what to say.
    pub(crate) wish: Value,
    /// Which rule has it wait.
    pub(crate) rule: String,
    /// The most that it can cost, in millionths.
    pub(crate) ceiling: u64,
}

/// What became of a call that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing yet.
    None,
    /// The owner said yes.
    Yes,
    /// The owner said no.
    No,
    /// Nobody said anything in time.
    TooLate,
}

impl Answer {
    /// As it is written down.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::None => "waiting",
            Self::Yes => "approved",
            Self::No => "refused",
            Self::TooLate => "too_late",
        }
    }

    fn parse(name: &str) -> Self {
        match name {
            "waiting" => Self::None,
            "approved" => Self::Yes,
            "too_late" => Self::TooLate,
            // What another build wrote is no yes.
            _ => Self::No,
        }
    }
}

impl Approvals {
    /// Opens those of a folder. What is wanted is encrypted as the journal is.
    pub(crate) fn open(folder: &Path, now: i64, keys: Keys) -> Result<Self, Fault> {
        let path = folder.join("approvals.db");
        let file = database::open(&path, TABLE).map_err(cannot)?;
        let old = now - KEPT.as_millis() as i64;
        file.execute("DELETE FROM approvals WHERE until < ?1", [old])
            .map_err(cannot)?;
        Ok(Self {
            file: Arc::new(Mutex::new(file)),
            keys: Arc::new(keys),
        })
    }

    /// Has one more call wait. `false`: as many wait as may.
    pub(crate) async fn hold(&self, waiting: Waiting) -> Result<bool, Fault> {
        let wish = json!({ "call": waiting.call, "seq": 0, "wish": waiting.wish }).to_string();
        let wish = self.keys.seal(&wish).unwrap_or(wish);
        self.with(move |file, _| {
            let file = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let waits = "SELECT COUNT(*) FROM approvals WHERE answer = 'waiting'";
            if file.query_row(waits, [], |row| row.get::<_, usize>(0))? >= MOST {
                return Ok(false);
            }
            let Waiting {
                call,
                at,
                until,
                answer,
                rule,
                ceiling,
                ..
            } = waiting;
            let ceiling = i64::try_from(ceiling).unwrap_or(i64::MAX);
            let add = "INSERT INTO approvals VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
            let row = params![call, at, until, answer.name(), wish, rule, ceiling];
            file.execute(add, row)?;
            file.commit()?;
            Ok(true)
        })
        .await
    }

    /// Writes the owner's answer down, once; `None`: it does not wait any more, or never did.
    pub(crate) async fn answer(
        &self,
        call: String,
        answer: Answer,
        now: i64,
    ) -> Result<Option<Waiting>, Fault> {
        self.with(move |file, keys| {
            let file = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let set = "UPDATE approvals SET answer = ?2
                       WHERE call = ?1 AND answer = 'waiting' AND until > ?3";
            if file.execute(set, params![call, answer.name(), now])? == 0 {
                return Ok(None);
            }
            let found = find(&file, &call, keys)?;
            file.commit()?;
            Ok(found)
        })
        .await
    }

    /// Has those be too late that have waited long enough, and returns them.
    pub(crate) async fn expire(&self, now: i64) -> Result<Vec<Waiting>, Fault> {
        self.with(move |file, keys| {
            let file = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let late = "SELECT call FROM approvals WHERE answer = 'waiting' AND until <= ?1";
            let late: Vec<String> = file
                .prepare(late)?
                .query_map([now], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let set = "UPDATE approvals SET answer = 'too_late'
                       WHERE answer = 'waiting' AND until <= ?1";
            file.execute(set, [now])?;
            let found = late
                .iter()
                .filter_map(|call| find(&file, call, keys).transpose());
            let found = found.collect::<Result<_, _>>()?;
            file.commit()?;
            Ok(found)
        })
        .await
    }

    /// One of them.
    pub(crate) async fn of(&self, call: String) -> Result<Option<Waiting>, Fault> {
        self.with(move |file, keys| find(file, &call, keys)).await
    }

    /// Those that wait, the oldest first.
    pub(crate) async fn waiting(&self) -> Result<Vec<Waiting>, Fault> {
        self.with(|file, keys| {
            let mut all =
                file.prepare("SELECT * FROM approvals WHERE answer = 'waiting' ORDER BY at")?;
            let found = all.query_map([], |row| read(row, keys))?;
            found.collect()
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection, &Keys) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let (file, keys) = (self.file.clone(), self.keys.clone());
        blocking("writing down a call that waits", move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut file, &keys).map_err(cannot)
        })
        .await
    }
}

fn find(file: &Connection, call: &str, keys: &Keys) -> rusqlite::Result<Option<Waiting>> {
    let found = "SELECT * FROM approvals WHERE call = ?1";
    let read = |row: &Row<'_>| read(row, keys);
    file.query_row(found, [call], read).optional()
}

fn read(row: &Row<'_>, keys: &Keys) -> rusqlite::Result<Waiting> {
    let (wish, _) = keys.open(row.get(4)?);
    let mut wish: Value = serde_json::from_str(&wish).unwrap_or_default();
    let answer: String = row.get(3)?;
    Ok(Waiting {
        call: row.get(0)?,
        at: row.get(1)?,
        until: row.get(2)?,
        answer: Answer::parse(&answer),
        wish: wish["wish"].take(),
        rule: row.get(5)?,
        ceiling: row.get(6)?,
    })
}

fn cannot(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    let message = "a call that waits for its owner cannot be written down, so it is not made";
    Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message)
        .hint("is the disk full?")
        .because(error)
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS approvals (
    call TEXT PRIMARY KEY, at INTEGER NOT NULL, until INTEGER NOT NULL, answer TEXT NOT NULL,
    wish TEXT NOT NULL, rule TEXT NOT NULL, ceiling INTEGER NOT NULL
) STRICT, WITHOUT ROWID;";

/// As many may wait at once.
pub(crate) const MOST: usize = 100;
/// Whoever asked may ask again what became of it.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::SealKey;

    fn waiting(call: &str, until: i64) -> Waiting {
        Waiting {
            call: call.to_owned(),
            at: 1,
            until,
            answer: Answer::None,
            wish: json!({ "to": "+15551234567" }),
            rule: "`approve` in [policy]".to_owned(),
            ceiling: 100,
        }
    }

    #[tokio::test]
    async fn a_call_that_waits_is_answered_once_also_across_restarts() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let keys = || Keys {
            seal: SealKey::parse(&"7".repeat(64)),
            old: Vec::new(),
        };
        let open = || Approvals::open(folder.path(), 0, keys()).expect("the folder is ours");
        let approvals = open();
        for call in ["a", "b", "c"] {
            let until = if call == "c" { 10 } else { 100 };
            assert_eq!(approvals.hold(waiting(call, until)).await.ok(), Some(true));
        }
        drop(approvals);
        let approvals = open();
        let waits = approvals.waiting().await.expect("they can be read");
        assert_eq!(waits.len(), 3);
        assert_eq!(waits[0].wish, json!({ "to": "+15551234567" }));
        let on_disk = std::fs::read(folder.path().join("approvals.db-wal")).expect("it is there");
        let number = b"5551234567";
        assert!(!on_disk.windows(number.len()).any(|it| it == number));
        let answer = async |call: &str, answer, now| {
            let answered = approvals.answer(call.to_owned(), answer, now).await;
            answered.expect("it can be written").map(|it| it.answer)
        };
        assert_eq!(answer("a", Answer::Yes, 50).await, Some(Answer::Yes));
        assert_eq!(answer("a", Answer::No, 50).await, None, "it was answered");
        assert_eq!(answer("c", Answer::Yes, 50).await, None, "it is too late");
        assert_eq!(answer("d", Answer::Yes, 50).await, None, "there is none");
        let late = approvals.expire(50).await.expect("it can be written");
        assert_eq!(late.iter().map(|it| &*it.call).collect::<Vec<_>>(), ["c"]);
        assert!(approvals.expire(50).await.is_ok_and(|it| it.is_empty()));
        assert_eq!(answer("b", Answer::No, 99).await, Some(Answer::No));
        assert!(approvals.waiting().await.is_ok_and(|it| it.is_empty()));
        for at in 0..MOST {
            let held = approvals.hold(waiting(&format!("n{at}"), 1_000)).await;
            assert_eq!(held.ok(), Some(true));
        }
        assert_eq!(approvals.hold(waiting("z", 1_000)).await.ok(), Some(false));
    }
}
