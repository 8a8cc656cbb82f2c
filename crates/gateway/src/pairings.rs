//! Who may call besides those in the configuration: callers who keyed a code that the owner made, and whom the
//! owner then confirmed. In one file that all gateways and commands of a folder share; it holds their numbers,
//! and is its owner's alone. Of a code only a hash is kept, until it is used or too old.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use call::Number;
use policy::{Keyed, Pin};
use ports::{Blame, Fault, code};
use rand::Rng as _;
use rusqlite::{Connection, OptionalExtension as _, TransactionBehavior, params};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use crate::blocking::blocking;
use crate::database;

/// The pairings of a folder. Clones are the same.
#[derive(Clone, Debug)]
pub struct Pairings(Arc<Mutex<Connection>>);

/// A caller who keyed a code and waits for the owner, or whom the owner confirmed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// What the owner calls the request by; empty once it is confirmed.
    pub id: String,
    /// Their number.
    pub number: Number,
    /// Since when, in milliseconds since 1970.
    pub at: i64,
}

/// Everyone who has to do with pairing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Callers {
    /// They wait for the owner.
    pub waiting: Vec<Caller>,
    /// They may call.
    pub paired: Vec<Caller>,
}

impl Pairings {
    /// Opens those of a folder.
    ///
    /// # Errors
    /// They cannot be kept.
    pub fn open(folder: &Path) -> Result<Self, Fault> {
        let path = folder.join("pairings.db");
        let file = database::open(&path, TABLES).map_err(cannot)?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// Makes a code, which is good once and for [`GOOD_FOR`]. It is shown now and never again.
    ///
    /// # Errors
    /// As many are good as may be, or it cannot be written down.
    pub async fn new_code(&self, now: i64) -> Result<String, Fault> {
        let code = format!("{:06}", rand::rng().random_range(0..1_000_000));
        let salt: [u8; 16] = rand::random();
        let sealed = Pin::parse(&code).map(|it| sealed(&salt, it.as_bytes()));
        let made = self.with(move |file| {
            let file = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
            file.execute("DELETE FROM codes WHERE until <= ?1", [now])?;
            let good: usize = file.query_row("SELECT COUNT(*) FROM codes", [], |row| row.get(0))?;
            if good >= MOST_CODES {
                return Ok(false);
            }
            let until = now + i64::try_from(GOOD_FOR.as_millis()).unwrap_or(i64::MAX);
            let add = "INSERT INTO codes (salt, sealed, until) VALUES (?1, ?2, ?3)";
            file.execute(add, params![salt, sealed, until])?;
            file.commit()?;
            Ok(true)
        });
        if made
            .await?
            .map_err(|error: rusqlite::Error| cannot(error))?
        {
            return Ok(code);
        }
        let message = format!("{MOST_CODES} pairing codes are good already");
        Err(Fault::new(Blame::Caller, code::POLICY_PAIRING, message)
            .hint("use one of them, or wait until they are too old"))
    }

    /// Uses a code up for whoever has this number. `false`: it was not good. All that are good are looked at,
    /// whichever it is.
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn redeem(&self, keyed: Keyed, number: &Number, now: i64) -> Result<bool, Fault> {
        let number = number.as_str().to_owned();
        let id = format!("{:08x}", rand::random::<u32>());
        self.with(move |file| {
            let file = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let codes: Vec<(i64, [u8; 16], [u8; 32])> = file
                .prepare("SELECT id, salt, sealed FROM codes WHERE until > ?1")?
                .query_map([now], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
                .collect::<Result<_, _>>()?;
            let (mut used, mut good) = (0_i64, Choice::from(0));
            for (code, salt, kept) in codes {
                let is = sealed(&salt, keyed.as_bytes()).ct_eq(&kept);
                used.conditional_assign(&code, is);
                good |= is;
            }
            if !bool::from(good) {
                return Ok(false);
            }
            file.execute("DELETE FROM codes WHERE id = ?1", [used])?;
            file.execute("DELETE FROM waiting WHERE at < ?1", [now - WAIT])?;
            let add = "INSERT OR REPLACE INTO waiting (id, number, at) SELECT ?1, ?2, ?3
                WHERE (SELECT COUNT(*) FROM waiting) < ?4";
            let added = file.execute(add, params![id, number, now, MOST_WAITING])?;
            file.commit()?;
            Ok(added == 1)
        })
        .await?
        .map_err(|error: rusqlite::Error| cannot(error))
    }

    /// Everyone who waits or may call.
    ///
    /// # Errors
    /// They cannot be read.
    pub async fn callers(&self) -> Result<Callers, Fault> {
        self.with(|file| {
            let waiting = "SELECT id, number, at FROM waiting ORDER BY at";
            let paired = "SELECT '', number, at FROM paired ORDER BY at";
            Ok(Callers {
                waiting: read(file, waiting)?,
                paired: read(file, paired)?,
            })
        })
        .await?
        .map_err(|error: rusqlite::Error| cannot(error))
    }

    /// Whether the owner confirmed whoever has this number.
    ///
    /// # Errors
    /// It cannot be read: they may not call then.
    pub async fn is_paired(&self, number: &Number) -> Result<bool, Fault> {
        let number = number.as_str().to_owned();
        let query = "SELECT EXISTS (SELECT 1 FROM paired WHERE number = ?1)";
        self.with(move |file| file.query_row(query, [number], |row| row.get(0)))
            .await?
            .map_err(cannot)
    }

    /// Lets whoever waits under this name call from now on. `None`: nobody does.
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn confirm(&self, id: &str, now: i64) -> Result<Option<Number>, Fault> {
        let id = id.to_owned();
        self.with(move |file| {
            let file = file.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let take = "DELETE FROM waiting WHERE id = ?1 RETURNING number";
            let number: Option<String> =
                file.query_row(take, [&id], |row| row.get(0)).optional()?;
            if let Some(number) = &number {
                let add = "INSERT OR REPLACE INTO paired (number, at) VALUES (?1, ?2)";
                file.execute(add, params![number, now])?;
            }
            file.commit()?;
            Ok(number.and_then(|it| Number::parse(&it).ok()))
        })
        .await?
        .map_err(|error: rusqlite::Error| cannot(error))
    }

    /// Forgets whoever waits under this name. `false`: nobody does.
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn refuse(&self, id: &str) -> Result<bool, Fault> {
        self.forget("DELETE FROM waiting WHERE id = ?1", id).await
    }

    /// Whoever has this number may not call any more. `false`: they might not before.
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn remove(&self, number: &Number) -> Result<bool, Fault> {
        let gone = "DELETE FROM paired WHERE number = ?1";
        self.forget(gone, number.as_str()).await
    }

    async fn forget(&self, what: &'static str, which: &str) -> Result<bool, Fault> {
        let which = which.to_owned();
        self.with(move |file| file.execute(what, [which]).map(|rows| rows == 1))
            .await?
            .map_err(cannot)
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let file = self.0.clone();
        blocking("looking at pairings", move || {
            Ok(work(
                &mut file.lock().unwrap_or_else(PoisonError::into_inner),
            ))
        })
        .await
    }
}

fn read(file: &Connection, query: &str) -> rusqlite::Result<Vec<Caller>> {
    let mut query = file.prepare(query)?;
    let rows = query.query_map([], |row| {
        let number: String = row.get(1)?;
        Ok((row.get(0)?, Number::parse(&number).ok(), row.get(2)?))
    })?;
    // What is no number any more is nobody's.
    rows.filter_map(|row| match row {
        Ok((id, Some(number), at)) => Some(Ok(Caller { id, number, at })),
        Ok((_, None, _)) => None,
        Err(error) => Some(Err(error)),
    })
    .collect()
}

fn sealed(salt: &[u8; 16], digits: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update(salt)
        .chain_update(digits)
        .finalize()
        .into()
}

fn cannot(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    let message = "who was paired cannot be looked up or written down";
    Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message)
        .hint("is the disk full?")
        .because(error)
}

const TABLES: &str = "CREATE TABLE IF NOT EXISTS codes (
    id INTEGER PRIMARY KEY, salt BLOB NOT NULL, sealed BLOB NOT NULL, until INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS waiting (
    id TEXT NOT NULL, number TEXT PRIMARY KEY, at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS paired (number TEXT PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

/// How long a code is good.
pub const GOOD_FOR: Duration = Duration::from_secs(600);

/// So many codes are good at once: each makes guessing one of them easier.
const MOST_CODES: usize = 3;

/// So many wait at once, for so long.
const MOST_WAITING: usize = 100;
const WAIT: i64 = 7 * 24 * 60 * 60 * 1_000;

#[cfg(test)]
mod tests {
    use call::Digit;
    use policy::{Key, Keypad, Starts};

    use super::*;

    fn keyed(text: &str) -> Keyed {
        let mut keypad = Keypad::new(Starts::AtOnce);
        let keys = text.chars().chain(['#']);
        let keys = keys.map(|it| keypad.press(Duration::ZERO, Digit::new(it).expect("a key")));
        match keys.last() {
            Some(Key::Last(keyed)) => keyed,
            other => panic!("it ends with a pound: {other:?}"),
        }
    }

    fn number(text: &str) -> Number {
        Number::parse(text).expect("it is a number")
    }

    #[tokio::test]
    async fn a_code_is_good_once_and_for_a_while_and_then_the_owner_decides() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let open = || Pairings::open(folder.path()).expect("the folder is ours");
        let pairings = open();
        let (ann, bo) = (number("+15551234567"), number("+15559876543"));
        let code = pairings.new_code(0).await.expect("it is made");
        let other = if code == "111111" { "222222" } else { "111111" };
        let redeem = |text: &str, who: &Number, now| {
            let (pairings, text, who) = (pairings.clone(), keyed(text), who.clone());
            async move {
                pairings
                    .redeem(text, &who, now)
                    .await
                    .expect("it can be written")
            }
        };
        assert!(!redeem(other, &ann, 1).await, "another code");
        assert!(!redeem(&code[..5], &ann, 1).await);
        assert!(redeem(&code, &ann, 1).await);
        assert!(!redeem(&code, &bo, 2).await, "it was used");
        assert!(
            !pairings.is_paired(&ann).await.expect("it can be read"),
            "nobody confirmed her"
        );
        let late = pairings.new_code(3).await.expect("it is made");
        assert!(!redeem(&late, &bo, 3 + 600_000).await, "it is too old");

        let pairings = open();
        let waiting = pairings.callers().await.expect("they can be read").waiting;
        assert_eq!(
            waiting.iter().map(|it| &it.number).collect::<Vec<_>>(),
            [&ann]
        );
        assert_eq!(
            pairings
                .confirm("nobody", 4)
                .await
                .expect("it can be written"),
            None
        );
        let confirmed = pairings.confirm(&waiting[0].id, 4).await;
        assert_eq!(confirmed.expect("it can be written").as_ref(), Some(&ann));
        assert!(open().is_paired(&ann).await.expect("it can be read"));
        assert!(!open().is_paired(&bo).await.expect("it can be read"));
        assert!(
            pairings
                .callers()
                .await
                .expect("they can be read")
                .waiting
                .is_empty()
        );
        assert!(pairings.remove(&ann).await.expect("it can be written"));
        assert!(!open().is_paired(&ann).await.expect("it can be read"));
    }

    #[tokio::test]
    async fn codes_are_few_and_none_is_written_down() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let pairings = Pairings::open(folder.path()).expect("the folder is ours");
        let mut codes = Vec::new();
        for _ in 0..MOST_CODES {
            codes.push(pairings.new_code(0).await.expect("it is made"));
        }
        let fault = pairings.new_code(1).await.expect_err("as many as may be");
        assert_eq!(fault.code, code::POLICY_PAIRING);
        assert!(pairings.new_code(600_000).await.is_ok(), "they are too old");
        for file in std::fs::read_dir(folder.path()).expect("it is there") {
            let bytes = std::fs::read(file.expect("it is there").path()).expect("it can be read");
            for code in &codes {
                assert!(!bytes.windows(6).any(|it| it == code.as_bytes()));
            }
        }
    }

    #[tokio::test]
    async fn whom_the_owner_refuses_waits_no_more() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let pairings = Pairings::open(folder.path()).expect("the folder is ours");
        let code = pairings.new_code(0).await.expect("it is made");
        let ann = number("+15551234567");
        assert!(
            pairings
                .redeem(keyed(&code), &ann, 1)
                .await
                .expect("it can be written")
        );
        let waiting = pairings.callers().await.expect("they can be read").waiting;
        assert!(
            pairings
                .refuse(&waiting[0].id)
                .await
                .expect("it can be written")
        );
        assert!(
            !pairings
                .refuse(&waiting[0].id)
                .await
                .expect("it can be written")
        );
        assert_eq!(
            pairings.callers().await.expect("they can be read"),
            Callers::default()
        );
    }
}
