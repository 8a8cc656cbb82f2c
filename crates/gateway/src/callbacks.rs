//! Calls back that agents have promised, in a file: each is made once, or not at all.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ports::{Blame, Fault, code};
use rusqlite::{Connection, Row, TransactionBehavior, params};
use serde_json::{Value, json};

use crate::blocking::blocking;
use crate::database;
use crate::journal::Keys;

/// The promises of a folder. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Callbacks {
    file: Arc<Mutex<Connection>>,
    keys: Arc<Keys>,
}

/// A promise.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Promise {
    /// Our name for the call that it becomes.
    pub(crate) call: String,
    /// On which call it was given.
    pub(crate) of: String,
    /// When, in milliseconds since 1970.
    pub(crate) at: i64,
    /// For when.
    pub(crate) due: i64,
    /// How it stands.
    pub(crate) state: State,
    /// What is wanted: whom to call and what for.
    pub(crate) wish: Value,
}

/// How a promise stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Its time has not come.
    Waiting,
    /// It was about to be kept. Where nothing else follows, nobody knows whether it was, and it is not tried again.
    Begun,
    /// The call was made, or waits for its owner's yes.
    Made,
    /// The owner's rules did not allow the call when its time had come.
    Refused,
    /// Somebody took it back.
    Cancelled,
    /// There was no gateway when its time had come, or no room.
    TooLate,
}

/// What became of giving one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    /// It is given.
    Now,
    /// The same person was promised a call already, for then.
    Before(i64),
    /// As many wait as may.
    TooMany,
}

impl State {
    /// As it is written down.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Begun => "begun",
            Self::Made => "made",
            Self::Refused => "refused",
            Self::Cancelled => "cancelled",
            Self::TooLate => "too_late",
        }
    }

    fn parse(name: &str) -> Self {
        match name {
            "waiting" => Self::Waiting,
            "made" => Self::Made,
            "refused" => Self::Refused,
            "cancelled" => Self::Cancelled,
            "too_late" => Self::TooLate,
            // What another build wrote is not tried again.
            _ => Self::Begun,
        }
    }
}

impl Callbacks {
    /// Opens those of a folder. What is wanted is encrypted as the journal is.
    pub(crate) fn open(folder: &Path, now: i64, keys: Keys) -> Result<Self, Fault> {
        let path = folder.join("callbacks.db");
        let file = database::open(&path, TABLE).map_err(cannot)?;
        let old = now - KEPT.as_millis() as i64;
        file.execute("DELETE FROM callbacks WHERE due < ?1", [old])
            .map_err(cannot)?;
        Ok(Self {
            file: Arc::new(Mutex::new(file)),
            keys: Arc::new(keys),
        })
    }

    /// Gives one. A person is promised one call at a time.
    pub(crate) async fn give(&self, promise: Promise) -> Result<Given, Fault> {
        let wish = json!({ "call": promise.call, "seq": 0, "wish": promise.wish }).to_string();
        let wish = self.keys.seal(&wish).unwrap_or(wish);
        self.with(move |file, keys| {
            let file = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let waiting = waiting(&file, keys)?;
            let same = waiting
                .iter()
                .find(|it| it.wish["to"] == promise.wish["to"]);
            if let Some(before) = same {
                return Ok(Given::Before(before.due));
            }
            if waiting.len() >= MOST {
                return Ok(Given::TooMany);
            }
            let Promise {
                call,
                of,
                at,
                due,
                state,
                ..
            } = promise;
            let add = "INSERT INTO callbacks VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            file.execute(add, params![call, of, at, due, state.name(), wish])?;
            file.commit()?;
            Ok(Given::Now)
        })
        .await
    }

    /// Has one that waits be due then, and for this. `false`: it does not wait, or not any more.
    pub(crate) async fn hasten(&self, call: String, due: i64, wish: Value) -> Result<bool, Fault> {
        let wish = json!({ "call": call, "seq": 0, "wish": wish }).to_string();
        let wish = self.keys.seal(&wish).unwrap_or(wish);
        self.with(move |file, _| {
            let set = "UPDATE callbacks SET due = ?2, wish = ?3
                       WHERE call = ?1 AND state = 'waiting'";
            Ok(file.execute(set, params![call, due, wish])? == 1)
        })
        .await
    }

    /// Writes down that something becomes of one that waits. `false`: it does not, or not any more.
    pub(crate) async fn take(&self, call: String, becomes: State) -> Result<bool, Fault> {
        self.change(call, State::Waiting, becomes).await
    }

    /// Writes down what became of one that was begun.
    pub(crate) async fn settle(&self, call: String, became: State) -> Result<bool, Fault> {
        self.change(call, State::Begun, became).await
    }

    async fn change(&self, call: String, from: State, to: State) -> Result<bool, Fault> {
        self.with(move |file, _| {
            let set = "UPDATE callbacks SET state = ?3 WHERE call = ?1 AND state = ?2";
            let changed = file.execute(set, params![call, from.name(), to.name()])?;
            Ok(changed == 1)
        })
        .await
    }

    /// Those that wait, the first due first.
    pub(crate) async fn waiting(&self) -> Result<Vec<Promise>, Fault> {
        self.with(|file, keys| waiting(file, keys)).await
    }

    /// All that are remembered, the first due first.
    pub(crate) async fn all(&self) -> Result<Vec<Promise>, Fault> {
        self.with(|file, keys| {
            let last =
                "SELECT * FROM (SELECT * FROM callbacks ORDER BY due DESC LIMIT ?1) ORDER BY due";
            let mut last = file.prepare(last)?;
            let found = last.query_map([SHOWN], |row| read(row, keys))?;
            found.collect()
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection, &Keys) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let (file, keys) = (self.file.clone(), self.keys.clone());
        blocking("writing down a promised call", move || {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut file, &keys).map_err(cannot)
        })
        .await
    }
}

fn waiting(file: &Connection, keys: &Keys) -> rusqlite::Result<Vec<Promise>> {
    let waiting = "SELECT * FROM callbacks WHERE state = 'waiting' ORDER BY due";
    let mut waiting = file.prepare(waiting)?;
    let found = waiting.query_map([], |row| read(row, keys))?;
    found.collect()
}

fn read(row: &Row<'_>, keys: &Keys) -> rusqlite::Result<Promise> {
    let (wish, _) = keys.open(row.get(5)?);
    let mut wish: Value = serde_json::from_str(&wish).unwrap_or_default();
    let state: String = row.get(4)?;
    Ok(Promise {
        call: row.get(0)?,
        of: row.get(1)?,
        at: row.get(2)?,
        due: row.get(3)?,
        state: State::parse(&state),
        wish: wish["wish"].take(),
    })
}

fn cannot(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    let message = "a promised call cannot be written down, so it is not made";
    Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message)
        .hint("is the disk full?")
        .because(error)
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS callbacks (
    call TEXT PRIMARY KEY, of TEXT NOT NULL, at INTEGER NOT NULL, due INTEGER NOT NULL,
    state TEXT NOT NULL, wish TEXT NOT NULL
) STRICT, WITHOUT ROWID;";

/// As many may wait at once.
pub(crate) const MOST: usize = 100;
const SHOWN: usize = 200;
/// Whoever wonders may ask what became of one.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::SealKey;

    fn promise(call: &str, to: &str, due: i64) -> Promise {
        Promise {
            call: call.to_owned(),
            of: "call-1".to_owned(),
            at: 1,
            due,
            state: State::Waiting,
            wish: json!({ "to": to }),
        }
    }

    #[tokio::test]
    async fn a_promise_is_taken_once_also_across_restarts() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let keys = || Keys {
            seal: SealKey::parse(&"7".repeat(64)),
            old: Vec::new(),
        };
        let open = |now| Callbacks::open(folder.path(), now, keys()).expect("the folder is ours");
        let callbacks = open(0);
        let give = async |call: &str, to: &str, due| {
            let given = callbacks.give(promise(call, to, due)).await;
            given.expect("it can be written")
        };
        assert_eq!(give("a", "+15551234567", 20).await, Given::Now);
        assert_eq!(give("b", "+15551234567", 30).await, Given::Before(20));
        assert_eq!(give("b", "+15557654321", 10).await, Given::Now);
        drop(callbacks);
        let callbacks = open(0);
        let waiting = callbacks.waiting().await.expect("they can be read");
        let [first, then] = [("b", "+15557654321", 10), ("a", "+15551234567", 20)]
            .map(|(call, to, due)| promise(call, to, due));
        assert_eq!(waiting, [first, then]);
        let on_disk = std::fs::read(folder.path().join("callbacks.db-wal")).expect("it is there");
        let number = b"5551234567";
        assert!(!on_disk.windows(number.len()).any(|it| it == number));

        let wish = json!({ "to": "+15551234567", "reason": "It is here." });
        let hasten = async |call: &str| callbacks.hasten(call.to_owned(), 5, wish.clone()).await;
        assert!(hasten("a").await.is_ok_and(|it| it));
        let waiting = callbacks.waiting().await.expect("they can be read");
        assert_eq!((waiting[0].due, &waiting[0].wish), (5, &wish));

        let take = async |callbacks: &Callbacks, call: &str, state| {
            let taken = callbacks.take(call.to_owned(), state).await;
            taken.expect("it can be written")
        };
        assert!(take(&callbacks, "b", State::Begun).await);
        assert!(!take(&callbacks, "b", State::Begun).await, "it was begun");
        assert!(!take(&callbacks, "b", State::Cancelled).await);
        assert!(take(&callbacks, "a", State::Cancelled).await);
        assert!(hasten("a").await.is_ok_and(|it| !it), "it was taken back");
        let settled = callbacks.settle("a".to_owned(), State::Made).await;
        assert!(settled.is_ok_and(|it| !it), "it was taken back");
        drop(callbacks);
        // Nobody lived to see what became of it: it is not tried again.
        let callbacks = open(0);
        assert!(callbacks.waiting().await.is_ok_and(|it| it.is_empty()));
        let states = async |callbacks: &Callbacks| -> Vec<State> {
            let all = callbacks.all().await.expect("they can be read");
            all.into_iter().map(|it| it.state).collect()
        };
        assert_eq!(states(&callbacks).await, [State::Cancelled, State::Begun]);
        drop(callbacks);
        let callbacks = open(KEPT.as_millis() as i64 + 7);
        assert_eq!(states(&callbacks).await, [State::Begun]);
    }

    #[tokio::test]
    async fn no_more_wait_than_anyone_would_keep() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let callbacks = Callbacks::open(folder.path(), 0, Keys::default()).expect("it is ours");
        for at in 0..=MOST {
            let given = callbacks
                .give(promise(&format!("c{at}"), &format!("+{at}"), 9))
                .await;
            let expected = if at < MOST {
                Given::Now
            } else {
                Given::TooMany
            };
            assert_eq!(given.ok(), Some(expected));
        }
    }

    #[test]
    fn every_state_is_read_as_it_is_written() {
        let all = [
            State::Waiting,
            State::Begun,
            State::Made,
            State::Refused,
            State::Cancelled,
            State::TooLate,
        ];
        assert!(all.iter().all(|it| State::parse(it.name()) == *it));
        assert_eq!(State::parse("anything"), State::Begun);
    }
}
