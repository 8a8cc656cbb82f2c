//! Who guessed at a PIN, and when, in one file that all gateways of a folder share: whoever restarts us does not
//! get more guesses for it. Of numbers only a hash is kept, and of what was keyed nothing.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use call::Number;
use policy::Guesses as Made;
use ports::{Blame, Fault, code};
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, named_params, params};
use sha2::{Digest, Sha256};

use crate::blocking::blocking;
use crate::database;

/// The guesses of a folder. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Guesses(Arc<Mutex<Connection>>);

/// A guess that may be made. Until it is said to be right, it was wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Guess(i64);

impl Guesses {
    /// Opens those of a folder.
    ///
    /// # Errors
    /// They cannot be kept: nobody can prove who they are then.
    pub(crate) fn open(folder: &Path, now: i64) -> Result<Self, Fault> {
        let path = folder.join("guesses.db");
        let file = database::open(&path, TABLE).map_err(cannot)?;
        file.execute("DELETE FROM guesses WHERE at < ?1", [now - 2 * DAY])
            .map_err(cannot)?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// Writes down that somebody guesses, before anybody looks whether they are right. `None`: they may not.
    ///
    /// # Errors
    /// It cannot be written down, and nobody may guess.
    pub(crate) async fn begin(
        &self,
        call: String,
        number: Option<&Number>,
        at: i64,
    ) -> Result<Option<Guess>, Fault> {
        // Those who hide their number share one.
        let number: [u8; 32] = Sha256::digest(number.map_or("", Number::as_str)).into();
        self.with(move |file| {
            let file = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let query = named_params! { ":call": call, ":number": number, ":day": at - DAY };
            let made = file.query_row(MADE, query, |row| {
                // A clock that was set back must not make anyone wait for ever.
                let since = |at: usize| -> rusqlite::Result<Option<i64>> { row.get(at) };
                let since =
                    |place| Ok::<_, rusqlite::Error>(since(place)?.map(|last| ago(at, last)));
                Ok(Made {
                    on_call: row.get(0)?,
                    by_number: row.get(1)?,
                    by_all: row.get(2)?,
                    number_since: since(3)?,
                    all_since: since(4)?,
                })
            })?;
            if !made.allow_another() {
                return Ok(None);
            }
            let add = "INSERT INTO guesses (call, number, at) VALUES (?1, ?2, ?3) RETURNING id";
            let id = file.query_row(add, params![call, number, at], |row| row.get(0));
            let id = id.optional()?;
            file.commit()?;
            Ok(id.map(Guess))
        })
        .await?
        .map_err(|error: rusqlite::Error| cannot(error))
    }

    /// A guess was right: it does not count any more.
    ///
    /// # Errors
    /// It cannot be written down, and counts as wrong.
    pub(crate) async fn was_right(&self, guess: Guess) -> Result<(), Fault> {
        self.with(move |file| file.execute("DELETE FROM guesses WHERE id = ?1", [guess.0]))
            .await?
            .map(drop)
            .map_err(cannot)
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let file = self.0.clone();
        blocking("writing down a guess", move || {
            Ok(work(
                &mut file.lock().unwrap_or_else(PoisonError::into_inner),
            ))
        })
        .await
    }
}

fn ago(now: i64, then: i64) -> Duration {
    Duration::from_millis(u64::try_from(now - then).unwrap_or_default())
}

fn cannot(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    let message = "guesses at PINs cannot be written down, so none is looked at";
    Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message)
        .hint("is the disk full?")
        .because(error)
}

const TABLE: &str = "CREATE TABLE IF NOT EXISTS guesses (
    id INTEGER PRIMARY KEY, call TEXT NOT NULL, number BLOB NOT NULL, at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS guesses_at ON guesses (at);";

const MADE: &str = "SELECT
    COALESCE(SUM(call = :call), 0), COALESCE(SUM(number = :number), 0), COUNT(*),
    MAX(CASE WHEN number = :number THEN at END), MAX(at)
    FROM guesses WHERE at > :day";

const DAY: i64 = 24 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn open(folder: &Path, now: i64) -> Guesses {
        Guesses::open(folder, now).expect("the folder is ours")
    }

    async fn guess(guesses: &Guesses, call: &str, from: Option<&str>, at: i64) -> Option<Guess> {
        let number = from.map(|it| Number::parse(it).expect("it is a number"));
        let begun = guesses.begin(call.to_owned(), number.as_ref(), at).await;
        begun.expect("it can be written")
    }

    #[tokio::test]
    async fn a_call_has_three_and_a_number_ten_also_across_restarts() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let (mut made, mut at) = (0, 0);
        for call in 0..10 {
            let guesses = open(folder.path(), at);
            let mut on_call = 0;
            for _ in 0..10 {
                at += 600_000;
                let from = Some("+15551234567");
                on_call += i32::from(guess(&guesses, &call.to_string(), from, at).await.is_some());
            }
            assert!(on_call <= 3);
            made += on_call;
        }
        assert_eq!(made, 10);
        let guesses = open(folder.path(), at);
        assert!(
            guess(&guesses, "x", Some("+15559876543"), at + 600_000)
                .await
                .is_some()
        );
        assert!(
            guess(&guesses, "y", Some("+15551234567"), at + DAY + 1)
                .await
                .is_some()
        );
    }

    #[tokio::test]
    async fn all_numbers_together_have_a_hundred_a_day() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let guesses = open(folder.path(), 0);
        let mut made = 0;
        for at in 0..400 {
            let from = format!("+1555{at:07}");
            let begun = guess(&guesses, &from, Some(&from), at * 200_000).await;
            made += i32::from(begun.is_some());
        }
        assert!((50..=100).contains(&made), "{made}");
    }

    #[tokio::test]
    async fn those_who_hide_share_their_guesses_and_right_ones_do_not_count() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let guesses = open(folder.path(), 0);
        for call in 0..20 {
            let right = guess(&guesses, &call.to_string(), None, call * 600_000).await;
            guesses
                .was_right(right.expect("it may"))
                .await
                .expect("it can be written");
        }
        let mut made = 0;
        for call in 20..60 {
            let begun = guess(&guesses, &call.to_string(), None, call * 600_000).await;
            made += i32::from(begun.is_some());
        }
        assert_eq!(made, 10);
    }

    #[tokio::test]
    async fn a_guess_right_after_a_wrong_one_is_not_looked_at() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let guesses = open(folder.path(), 0);
        let from = Some("+15551234567");
        assert!(guess(&guesses, "a", from, 0).await.is_some());
        assert!(guess(&guesses, "a", from, 999).await.is_none());
        assert!(guess(&guesses, "a", from, 1_000).await.is_some());
    }
}
