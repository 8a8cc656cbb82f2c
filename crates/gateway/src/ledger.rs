//! What was dialled and what it cost, in one file that all gateways and commands of a folder share.
//!
//! Before anyone is dialled, what the call may cost at most is set aside; when it is over, what it did
//! cost takes that place. Both are one transaction, so whoever crashes or races with others: never is
//! more set aside than the limits allow. What a call had set aside that nobody knows the end of stays
//! spent.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use call::Number;
use policy::{BURST, Money, Permit, Standing};
use ports::{Blame, Fault, code};
use rusqlite::{
    Connection, OptionalExtension as _, Transaction, TransactionBehavior, named_params, params,
};
use sha2::{Digest, Sha256};

use crate::blocking::blocking;
use crate::state::open_file;

/// The ledger of a folder. Clones are the same.
#[derive(Clone, Debug)]
pub struct Ledger(Arc<Mutex<Connection>>);

/// A call that is to be made.
#[derive(Clone, Debug)]
pub struct Entry {
    /// What it is called here: of each name there is one.
    pub name: String,
    /// Whom it is to; of it only a hash is kept.
    pub to: Number,
    /// Whose it is.
    pub agent: String,
    /// When, in milliseconds since 1970.
    pub at: i64,
    /// Whether no line of the owner's names the number: only a country does.
    pub stranger: bool,
}

/// What a call cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// Nothing was set aside for it: no price of it is known.
    Unknown,
    /// So much at most: it is not settled yet.
    SetAside(Money),
    /// So much.
    Settled(Money),
}

impl Ledger {
    /// Opens the ledger of a folder.
    ///
    /// # Errors
    /// It cannot be kept: nobody may be dialled then.
    pub fn open(folder: &Path, now: i64) -> Result<Self, Fault> {
        let path = folder.join("ledger.db");
        open_file(&path).map_err(cannot)?;
        let opened = || -> rusqlite::Result<Connection> {
            let file = Connection::open(&path)?;
            file.busy_timeout(BUSY)?;
            file.pragma_update(None, "journal_mode", "wal")?;
            file.pragma_update(None, "synchronous", "full")?;
            file.execute_batch(TABLE)?;
            widen(&file)?;
            file.execute("DELETE FROM dials WHERE at < ?1", [now - MONTH])?;
            Ok(file)
        };
        let file = opened().map_err(cannot)?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    /// How things stand for a call like this one.
    ///
    /// # Errors
    /// It cannot be read.
    pub async fn standing(&self, entry: Entry) -> Result<Standing, Fault> {
        let stands = move |file: &mut Connection| standing(&file.transaction()?, &entry);
        self.with(move |file| stands(file).map_err(cannot)).await?
    }

    /// Lets `decide` say whether a call may be made as things stand, and writes down what it may cost
    /// before anyone else is asked. What it says besides is dropped where that fails.
    ///
    /// # Errors
    /// What `decide` says; or it cannot be written down, and nothing is then.
    pub async fn reserve<T: Send + 'static>(
        &self,
        entry: Entry,
        decide: impl FnOnce(Standing) -> Result<(Permit, T), Fault> + Send + 'static,
    ) -> Result<(Permit, T), Fault> {
        self.with(move |file| {
            let begun = file.transaction_with_behavior(WRITING);
            let file = begun.map_err(cannot)?;
            let standing = standing(&file, &entry).map_err(cannot)?;
            let (permit, besides) = decide(standing)?;
            set_aside(&file, &entry, &permit).map_err(cannot)?;
            file.commit().map_err(cannot)?;
            Ok((permit, besides))
        })
        .await?
    }

    /// What became of a call, and of whoever its caller was put through to by their carrier: it was
    /// connected for so long. What was settled before stays as it is.
    ///
    /// # Errors
    /// It cannot be written down: what was set aside counts as spent.
    pub async fn settle(&self, name: String, connected: Duration) -> Result<(), Fault> {
        self.with(move |file| {
            let file = file.transaction_with_behavior(WRITING)?;
            let open: Vec<(String, u64)> = file
                .prepare("SELECT name, rate FROM dials WHERE spent IS NULL AND (name = ?1 OR name LIKE ?1 || '+%')")?
                .query_map([&name], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            for (name, rate) in open {
                let spent = kept(Money::micros(rate).for_call(connected));
                file.execute(SETTLE, params![name, spent, !connected.is_zero()])?;
            }
            file.commit()
        })
        .await?
        .map_err(cannot)
    }

    /// What became of a call, and of whoever its caller was put through to, is not known: all that was set
    /// aside for it counts as spent. What was settled before stays as it is.
    ///
    /// # Errors
    /// It cannot be written down: what was set aside counts as spent all the same.
    pub async fn close(&self, name: String, reached: bool) -> Result<(), Fault> {
        self.with(move |file| file.execute(CLOSE, params![name, reached]))
            .await?
            .map_err(cannot)
            .map(drop)
    }

    /// What a call cost, with whoever its caller was put through to by their carrier, as far as that is known.
    ///
    /// # Errors
    /// It cannot be read.
    pub(crate) async fn cost(&self, name: String) -> Result<Cost, Fault> {
        let cost = "SELECT SUM(COALESCE(spent, reserved)), SUM(spent IS NULL) FROM dials
             WHERE name = ?1 OR name LIKE ?1 || '+%'";
        let read = |row: &rusqlite::Row<'_>| {
            Ok((row.get::<_, Option<u64>>(0)?, row.get::<_, Option<u64>>(1)?))
        };
        let found = self.with(move |file| file.query_row(cost, [name], read));
        Ok(match found.await?.map_err(cannot)? {
            (Some(money), Some(0)) => Cost::Settled(Money::micros(money)),
            (Some(money), Some(_) | None) => Cost::SetAside(Money::micros(money)),
            (None, _) => Cost::Unknown,
        })
    }

    /// A call was made after all that was settled as one that was not: all that was set aside for it counts as
    /// spent.
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn charge(&self, name: String) -> Result<(), Fault> {
        self.with(move |file| file.execute(CHARGE, params![name]))
            .await?
            .map_err(cannot)
            .map(drop)
    }

    /// Settles every call but these, by all that was set aside for it: nobody knows their end. Returns how
    /// many those were.
    ///
    /// # Errors
    /// It cannot be written down: what was set aside counts as spent.
    pub async fn close_but(&self, up: Vec<String>) -> Result<usize, Fault> {
        self.with(move |file| {
            let file = file.transaction_with_behavior(WRITING)?;
            let open: Vec<String> = file
                .prepare("SELECT name FROM dials WHERE spent IS NULL")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_, _>>()?;
            let is_up = |it: &String| up.iter().any(|id| it.split('+').next() == Some(id));
            let lost: Vec<_> = open.into_iter().filter(|it| !is_up(it)).collect();
            for name in &lost {
                file.execute("UPDATE dials SET spent = reserved WHERE name = ?1", [name])?;
            }
            file.commit()?;
            Ok(lost.len())
        })
        .await?
        .map_err(|error: rusqlite::Error| cannot(error))
    }

    /// Writes down that whoever has this number is not to be called any more. `false`: that was known.
    /// There is no way to take it back.
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn do_not_call(&self, number: &Number, at: i64) -> Result<bool, Fault> {
        let number = hash(number);
        self.with(move |file| {
            let add = "INSERT OR IGNORE INTO do_not_call VALUES (?1, ?2)";
            file.execute(add, params![number, at]).map(|rows| rows == 1)
        })
        .await?
        .map_err(cannot)
    }

    /// Has nobody be dialled any more, by whatever process, until that is [lifted](Self::lift).
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn stop(&self, at: i64) -> Result<(), Fault> {
        self.with(move |file| file.execute("INSERT OR IGNORE INTO stopped VALUES (1, ?1)", [at]))
            .await?
            .map_err(cannot)
            .map(drop)
    }

    /// Lets people be dialled again. `false`: nothing was stopped.
    ///
    /// # Errors
    /// It cannot be written down.
    pub async fn lift(&self) -> Result<bool, Fault> {
        let lift = |file: &mut Connection| file.execute("DELETE FROM stopped", []);
        self.with(move |file| lift(file).map(|rows| rows > 0))
            .await?
            .map_err(cannot)
    }

    /// Since when everything is stopped, in milliseconds since 1970, if it is. Does not wait for others.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn stopped(&self) -> Result<Option<i64>, Fault> {
        let file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let since = file.query_row("SELECT at FROM stopped", [], |row| row.get(0));
        since.optional().map_err(cannot)
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> T + Send + 'static,
    ) -> Result<T, Fault> {
        let file = self.0.clone();
        blocking("writing down what calls cost", move || {
            Ok(work(
                &mut file.lock().unwrap_or_else(PoisonError::into_inner),
            ))
        })
        .await
    }
}

fn standing(file: &Transaction<'_>, entry: &Entry) -> rusqlite::Result<Standing> {
    let params = named_params! {
        ":number": hash(&entry.to),
        ":agent": entry.agent,
        ":hour": entry.at - HOUR,
        ":day": entry.at - DAY,
        ":month": entry.at - MONTH,
        ":soon": entry.at + HOUR,
        ":burst": entry.at - BURST.as_millis() as i64,
    };
    file.query_row(STANDING, params, |row| {
        let money = |at| row.get::<_, u64>(at).map(Money::micros);
        Ok(Standing {
            stopped: row.get(8)?,
            // Whoever asks knows.
            approved: false,
            purposeful: false,
            dialled_before: row.get(9)?,
            reached_before: row.get(10)?,
            strangers: row.get(11)?,
            strangers_cost: money(12)?,
            unwanted: row.get(7)?,
            dialled: row.get(0)?,
            to_number: row.get(1)?,
            hour: money(2)?,
            day: money(3)?,
            month: money(4)?,
            number: money(5)?,
            agent: money(6)?,
        })
    })
}

fn set_aside(file: &Transaction<'_>, entry: &Entry, permit: &Permit) -> rusqlite::Result<()> {
    let add = "INSERT INTO dials (name, number, agent, at, rate, reserved, stranger)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let (rate, ceiling) = (kept(permit.rate), kept(permit.ceiling));
    let values = params![
        entry.name,
        hash(&entry.to),
        entry.agent,
        entry.at,
        rate,
        ceiling,
        entry.stranger
    ];
    file.execute(add, values).map(drop)
}

/// Gives a ledger of an earlier build what it did not have.
fn widen(file: &Connection) -> rusqlite::Result<()> {
    for column in ["stranger", "reached"] {
        let known = "SELECT EXISTS (SELECT 1 FROM pragma_table_info('dials') WHERE name = ?1)";
        if !file.query_row(known, [column], |row| row.get::<_, bool>(0))? {
            let add = format!("ALTER TABLE dials ADD COLUMN {column} INTEGER NOT NULL DEFAULT 0");
            file.execute_batch(&add)?;
        }
    }
    Ok(())
}

/// As a database keeps it: what is more than it can count is the most that it can.
fn kept(money: Money) -> i64 {
    i64::try_from(money.as_micros()).unwrap_or(MOST).min(MOST)
}

/// Numbers are few, so a hash alone hides little; the file is its owner's alone, and nothing in it
/// can be read at a glance.
fn hash(number: &Number) -> [u8; 32] {
    Sha256::digest(number.as_str()).into()
}

fn cannot(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    let message = "what calls cost cannot be written down, so nobody is dialled";
    Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message)
        .hint("is the disk full?")
        .because(error)
}

/// Who means to write says so before reading: who reads first and finds that another wrote meanwhile
/// cannot write any more.
const WRITING: TransactionBehavior = TransactionBehavior::Immediate;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS dials (
    name TEXT PRIMARY KEY, number BLOB NOT NULL, agent TEXT NOT NULL, at INTEGER NOT NULL,
    rate INTEGER NOT NULL, reserved INTEGER NOT NULL, spent INTEGER,
    stranger INTEGER NOT NULL DEFAULT 0, reached INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS dials_at ON dials (at);
CREATE TABLE IF NOT EXISTS stopped (one INTEGER PRIMARY KEY CHECK (one = 1), at INTEGER NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS do_not_call (number BLOB PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TRIGGER IF NOT EXISTS do_not_call_stays BEFORE DELETE ON do_not_call
    BEGIN SELECT RAISE(ABORT, 'this list only grows'); END;
CREATE TRIGGER IF NOT EXISTS do_not_call_holds BEFORE UPDATE ON do_not_call
    BEGIN SELECT RAISE(ABORT, 'this list only grows'); END;";

/// A clock set back must not hide calls, nor one set forward keep them for ever.
const STANDING: &str = "WITH recent AS (
    SELECT number, agent, at, stranger, reached, at BETWEEN :hour + 1 AND :soon AS hour, at > :day AS day,
        COALESCE(spent, reserved) AS cost FROM dials WHERE at > :month OR spent IS NULL
), firsts AS (
    SELECT SUM(cost) AS cost FROM recent GROUP BY number HAVING MIN(at) > :burst AND MAX(stranger)
) SELECT
    COALESCE(SUM(hour), 0), COALESCE(SUM(hour AND number = :number), 0),
    COALESCE(SUM(cost * hour), 0), COALESCE(SUM(cost * day), 0), COALESCE(SUM(cost), 0),
    COALESCE(SUM(cost * (day AND number = :number)), 0),
    COALESCE(SUM(cost * (day AND agent = :agent)), 0),
    EXISTS (SELECT 1 FROM do_not_call WHERE number = :number), EXISTS (SELECT 1 FROM stopped),
    COALESCE(MAX(number = :number), 0), COALESCE(MAX(number = :number AND reached), 0),
    (SELECT COUNT(*) FROM firsts), (SELECT COALESCE(SUM(cost), 0) FROM firsts) FROM recent";

const SETTLE: &str = "UPDATE dials SET spent = ?2, reached = ?3 WHERE name = ?1";

const CLOSE: &str = "UPDATE dials SET spent = reserved, reached = ?2
    WHERE spent IS NULL AND (name = ?1 OR name LIKE ?1 || '+%')";

const CHARGE: &str = "UPDATE dials SET spent = reserved
    WHERE name = ?1 AND (spent IS NULL OR spent < reserved)";

const HOUR: i64 = 60 * 60 * 1_000;
const DAY: i64 = 24 * HOUR;
const MONTH: i64 = 30 * DAY;
const BUSY: Duration = Duration::from_secs(5);
/// A thousand calls at once at this price do not overflow a sum.
const MOST: i64 = i64::MAX / 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_set_aside_is_spent_until_the_call_is_over() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let open = |now| Ledger::open(folder.path(), now).expect("the folder is ours");
        let ledger = open(0);
        reserve(&ledger, "a", 1_000, 3)
            .await
            .expect("there is room");
        let standing = ledger
            .standing(entry("b", 2_000))
            .await
            .expect("it can be read");
        assert_eq!((standing.dialled, standing.to_number), (1, 1));
        assert_eq!(standing.day, Money::micros(3_000));
        assert_eq!(
            [
                standing.hour,
                standing.month,
                standing.number,
                standing.agent
            ],
            [standing.day; 4]
        );
        // A second after a minute has begun the second minute.
        let connected = Duration::from_secs(61);
        ledger
            .settle("a".into(), connected)
            .await
            .expect("it can be written");
        ledger
            .settle("a".into(), Duration::ZERO)
            .await
            .expect("once is enough");
        drop(ledger);
        let ledger = open(3_000);
        let standing = ledger
            .standing(entry("b", 3_000))
            .await
            .expect("it can be read");
        assert_eq!(standing.day, Money::micros(2_000));
        let other = Entry {
            to: number("+15559876543"),
            agent: "other".into(),
            ..entry("c", 3_000)
        };
        let standing = ledger.standing(other).await.expect("it can be read");
        assert_eq!(
            (standing.number, standing.agent, standing.to_number),
            (Money::ZERO, Money::ZERO, 0)
        );
        assert_eq!(standing.dialled, 1);
    }

    #[tokio::test]
    async fn hours_days_and_months_pass() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let ledger = Ledger::open(folder.path(), 0).expect("the folder is ours");
        reserve(&ledger, "a", 1_000, 3)
            .await
            .expect("there is room");
        ledger
            .settle("a".into(), Duration::from_secs(60))
            .await
            .expect("it can be written");
        let cost = Money::micros(1_000);
        for (after, dialled, hour, day, month) in [
            (HOUR - 1, 1, cost, cost, cost),
            (HOUR, 0, Money::ZERO, cost, cost),
            (DAY, 0, Money::ZERO, Money::ZERO, cost),
            (MONTH, 0, Money::ZERO, Money::ZERO, Money::ZERO),
            // The clock was set back by two hours, and by ten minutes.
            (-2 * HOUR, 0, Money::ZERO, cost, cost),
            (-HOUR / 6, 1, cost, cost, cost),
        ] {
            let standing = ledger
                .standing(entry("b", 1_000 + after))
                .await
                .expect("it can be read");
            let told = (
                standing.dialled,
                standing.hour,
                standing.day,
                standing.month,
            );
            assert_eq!(told, (dialled, hour, day, month), "{after}");
        }
    }

    #[tokio::test]
    async fn what_nobody_knows_the_end_of_stays_spent() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let ledger = Ledger::open(folder.path(), 0).expect("the folder is ours");
        for name in ["up", "lost"] {
            reserve(&ledger, name, 1_000, 3)
                .await
                .expect("there is room");
        }
        let closed = ledger.close_but(vec!["up".into()]).await;
        assert_eq!(closed.ok(), Some(1));
        ledger
            .settle("lost".into(), Duration::ZERO)
            .await
            .expect("nothing changes");
        ledger
            .settle("up".into(), Duration::ZERO)
            .await
            .expect("it can be written");
        let standing = ledger
            .standing(entry("c", 2_000))
            .await
            .expect("it can be read");
        assert_eq!(standing.day, Money::micros(3_000));
        assert_eq!(ledger.close_but(Vec::new()).await.ok(), Some(0));
    }

    #[tokio::test]
    async fn who_is_refused_leaves_nothing_behind() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let ledger = Ledger::open(folder.path(), 0).expect("the folder is ours");
        let refuse =
            |_| Err::<(Permit, ()), _>(Fault::new(Blame::Config, code::POLICY_SPEND, "too dear"));
        ledger
            .reserve(entry("a", 0), refuse)
            .await
            .expect_err("it was refused");
        let standing = ledger
            .standing(entry("a", 0))
            .await
            .expect("it can be read");
        assert_eq!(standing, Standing::default());
        assert!(reserve(&ledger, "a", 0, 1).await.is_ok());
        assert!(
            reserve(&ledger, "a", 0, 1).await.is_err(),
            "the same call twice"
        );
    }

    #[tokio::test]
    async fn what_is_stopped_stays_so_until_it_is_lifted() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let ledger = Ledger::open(folder.path(), 0).expect("the folder is ours");
        assert_eq!(ledger.stopped().ok(), Some(None));
        assert_eq!(ledger.lift().await.ok(), Some(false));
        for at in [7, 8] {
            ledger.stop(at).await.expect("it can be written");
        }
        // Another process, later.
        let other = Ledger::open(folder.path(), 9).expect("the folder is ours");
        assert_eq!(other.stopped().ok(), Some(Some(7)));
        let standing = other.standing(entry("a", 9)).await;
        assert!(standing.expect("it can be read").stopped);
        assert_eq!(other.lift().await.ok(), Some(true));
        assert_eq!(ledger.stopped().ok(), Some(None));
    }

    #[tokio::test]
    async fn strangers_are_counted_while_they_are_new() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let ledger = Ledger::open(folder.path(), 0).expect("the folder is ours");
        let stranger = |name: &str, at: i64, last: u32| Entry {
            to: number(&format!("+1555123456{last}")),
            ..entry(name, at)
        };
        let stands = async |at, last| {
            let standing = ledger.standing(stranger("", at, last)).await;
            standing.expect("it can be read")
        };
        for last in 1..=2 {
            let permit = |_| {
                let permit = Permit {
                    number: number("+15551234567"),
                    rule: String::new(),
                    ceiling: Money::micros(2_000),
                    rate: Money::micros(1_000),
                };
                Ok((permit, ()))
            };
            let name = last.to_string();
            let reserved = ledger.reserve(stranger(&name, 1_000, last), permit).await;
            reserved.expect("there is room");
        }
        let standing = stands(2_000, 3).await;
        let told = (standing.strangers, standing.strangers_cost);
        assert_eq!(told, (2, Money::micros(4_000)));
        assert!(!standing.dialled_before && !standing.reached_before);
        ledger
            .settle("1".into(), Duration::from_secs(9))
            .await
            .expect("it is written");
        ledger
            .settle("2".into(), Duration::ZERO)
            .await
            .expect("it is written");
        let (picked_up, not) = (stands(2_000, 1).await, stands(2_000, 2).await);
        assert!(picked_up.dialled_before && picked_up.reached_before);
        assert!(not.dialled_before && !not.reached_before);
        assert_eq!(picked_up.strangers_cost, Money::micros(1_000));
        let later = 1_000 + BURST.as_millis() as i64;
        assert_eq!(stands(later, 3).await.strangers, 0);
    }

    #[tokio::test]
    async fn who_is_not_to_be_called_stays_so() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let ledger = Ledger::open(folder.path(), 0).expect("the folder is ours");
        let unwanted = async |ledger: &Ledger, at| {
            let standing = ledger.standing(entry("a", at)).await;
            standing.expect("it can be read").unwanted
        };
        assert!(!unwanted(&ledger, 0).await);
        let listed = number("+15551234567");
        assert_eq!(ledger.do_not_call(&listed, 1).await.ok(), Some(true));
        assert_eq!(ledger.do_not_call(&listed, 2).await.ok(), Some(false));
        drop(ledger);
        let later = 100 * MONTH;
        let ledger = Ledger::open(folder.path(), later).expect("the folder is ours");
        assert!(unwanted(&ledger, later).await);
        let file = Connection::open(folder.path().join("ledger.db")).expect("it is there");
        for change in ["DELETE FROM do_not_call", "UPDATE do_not_call SET at = 0"] {
            let refused = file.execute(change, []).expect_err("the list only grows");
            assert!(refused.to_string().contains("only grows"), "{refused}");
        }
        let other = Entry {
            to: number("+15559876543"),
            ..entry("b", later)
        };
        let standing = ledger.standing(other).await.expect("it can be read");
        assert!(!standing.unwanted);
    }

    async fn reserve(ledger: &Ledger, name: &str, at: i64, minutes: u64) -> Result<Permit, Fault> {
        let permit = Permit {
            number: number("+15551234567"),
            rule: String::new(),
            ceiling: Money::micros(1_000 * minutes),
            rate: Money::micros(1_000),
        };
        let reserved = ledger
            .reserve(entry(name, at), move |_| Ok((permit, ())))
            .await;
        reserved.map(|(permit, ())| permit)
    }

    fn entry(name: &str, at: i64) -> Entry {
        Entry {
            name: name.into(),
            to: number("+15551234567"),
            agent: "reception".into(),
            at,
            stranger: true,
        }
    }

    fn number(text: &str) -> Number {
        Number::parse(text).expect("it is a number")
    }
}
