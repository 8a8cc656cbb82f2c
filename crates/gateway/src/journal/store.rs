//! The file itself.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension as _, params};
use serde_json::Value;
use tokio::sync::oneshot;

use super::chain::{BEGINNING, Hash, link};
use super::seal::Keys;

/// The journal's file, open for writing.
#[derive(Debug)]
pub(super) struct Store {
    file: Connection,
    id: u64,
    hash: Hash,
    keys: Keys,
}

/// Something on its way into the file.
#[derive(Debug)]
pub(super) enum Note {
    /// Something happened.
    Entry(Line),
    /// How a carrier calls one of our calls: so that it can be asked about it after a crash.
    Leg { call: String, leg: String },
    /// How a call stands: replaces what was remembered of it before.
    Memory {
        call: String,
        /// Milliseconds since 1970.
        at: i64,
        memory: String,
    },
    /// A call is over: nothing need be remembered of it.
    Forget { call: String },
    /// Someone wants to know when all before it is durable.
    Flush(oneshot::Sender<()>),
}

/// One entry on its way into the file.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) call: String,
    pub(super) seq: u64,
    /// Milliseconds since 1970.
    pub(super) at: i64,
    /// The public form, as JSON.
    pub(super) entry: String,
}

/// Something in the journal that was not written by us, or is not there any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The first entry that is wrong.
    pub id: u64,
    /// What is wrong with it.
    pub what: &'static str,
}

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS entries (
        id INTEGER PRIMARY KEY,
        call TEXT NOT NULL,
        seq INTEGER NOT NULL,
        at INTEGER NOT NULL,
        entry TEXT NOT NULL,
        hash BLOB NOT NULL
    ) STRICT;
    CREATE INDEX IF NOT EXISTS by_call ON entries (call, seq);
    CREATE INDEX IF NOT EXISTS by_time ON entries (at);
    CREATE INDEX IF NOT EXISTS beginnings ON entries (id) WHERE seq = 1;
    CREATE INDEX IF NOT EXISTS verdicts ON entries (id) WHERE seq = 0;
    CREATE TABLE IF NOT EXISTS legs (call TEXT PRIMARY KEY, leg TEXT NOT NULL) STRICT;
    CREATE TABLE IF NOT EXISTS memories (
        call TEXT PRIMARY KEY,
        at INTEGER NOT NULL,
        memory TEXT NOT NULL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS ends (
        -- 'first': what the oldest entry follows; 'last': the newest entry
        which TEXT PRIMARY KEY,
        id INTEGER NOT NULL,
        hash BLOB NOT NULL
    ) STRICT;
    -- Which keys sealed entries, and the last each did.
    CREATE TABLE IF NOT EXISTS seals (key TEXT PRIMARY KEY, id INTEGER NOT NULL) STRICT;
    PRAGMA user_version = 1;
";

impl Store {
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let file = Connection::open(path)?;
        file.busy_timeout(BUSY)?;
        file.pragma_update(None, "journal_mode", "wal")?;
        // What was acknowledged must survive the power going, not only the process.
        file.pragma_update(None, "synchronous", "full")?;
        file.execute_batch(SCHEMA)?;
        file.execute(
            "INSERT OR IGNORE INTO ends VALUES ('first', 0, ?1), ('last', 0, ?1)",
            params![BEGINNING],
        )?;
        let (id, hash) = end(&file, "last")?;
        let keys = Keys::default();
        Ok(Self {
            file,
            id,
            hash,
            keys,
        })
    }

    /// Seals new entries as these say. `Some`: there are entries that none of them opens, by the name
    /// of their key.
    pub(super) fn use_keys(&mut self, keys: &Keys) -> rusqlite::Result<Option<String>> {
        let used: Vec<String> = {
            let mut used = self
                .file
                .prepare("SELECT key FROM seals ORDER BY id DESC")?;
            let names = used.query_map([], |row| row.get(0))?;
            names.collect::<rusqlite::Result<_>>()?
        };
        self.keys = keys.clone();
        let unknown = |name: &String| !keys.all().any(|it| it.name() == name);
        Ok(used.into_iter().find(unknown))
    }

    /// The newest entry.
    pub(super) fn last(&self) -> u64 {
        self.id
    }

    /// What is wrong with the newest entries, which is where the next goes, or with how far they go.
    pub(super) fn flaw(&self, acknowledged: u64) -> Option<Flaw> {
        let newest = || {
            let (first, hash) = end(&self.file, "first")?;
            let from = self.id.saturating_sub(LOOKED_AT);
            let from = if from <= first {
                (first, hash)
            } else {
                let hash = "SELECT hash FROM entries WHERE id = ?1";
                let hash = self.file.query_row(hash, [from], |row| row.get(0))?;
                (from, hash)
            };
            walk(&self.file, from)
        };
        match flawed(newest) {
            Ok(Err(flaw)) => Some(flaw),
            Ok(Ok(last)) if last < acknowledged => Some(Flaw {
                id: last + 1,
                what: "entries that were acknowledged are missing",
            }),
            Ok(Ok(_)) => None,
            Err(_) => Some(Flaw {
                id: self.id,
                what: "it cannot be read",
            }),
        }
    }

    /// Makes these durable, all or none, and returns the id of the last.
    pub(super) fn append(&mut self, notes: &[Note]) -> rusqlite::Result<u64> {
        let (mut id, mut hash) = (self.id, self.hash);
        let write = self.file.transaction()?;
        {
            let mut insert =
                write.prepare_cached("INSERT INTO entries VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
            let mut bind = write.prepare_cached("INSERT OR REPLACE INTO legs VALUES (?1, ?2)")?;
            let mut remember =
                write.prepare_cached("INSERT OR REPLACE INTO memories VALUES (?1, ?2, ?3)")?;
            let mut forget = write.prepare_cached("DELETE FROM memories WHERE call = ?1")?;
            for note in notes {
                let line = match note {
                    Note::Entry(line) => line,
                    Note::Leg { call, leg } => {
                        bind.execute(params![call, leg])?;
                        continue;
                    }
                    Note::Memory { call, at, memory } => {
                        let memory = kept(&self.keys, call, memory);
                        remember.execute(params![call, at, memory])?;
                        continue;
                    }
                    Note::Forget { call } => {
                        forget.execute([call])?;
                        continue;
                    }
                    Note::Flush(_) => continue,
                };
                id += 1;
                let sealed = self.keys.seal(&line.entry);
                let entry = sealed.as_ref().unwrap_or(&line.entry);
                hash = link(&hash, id, entry);
                insert.execute(params![id, line.call, line.seq, line.at, entry, hash])?;
            }
            if let Some(key) = &self.keys.seal {
                let mut used = write.prepare_cached("REPLACE INTO seals VALUES (?1, ?2)")?;
                used.execute(params![key.name(), id])?;
            }
            let mut end =
                write.prepare_cached("UPDATE ends SET id = ?1, hash = ?2 WHERE which = 'last'")?;
            end.execute(params![id, hash])?;
        }
        write.commit()?;
        (self.id, self.hash) = (id, hash);
        Ok(id)
    }

    /// Forgets the oldest entries: those from before `before` (milliseconds since 1970), and as many
    /// as it takes for the rest to need no more than `room` bytes. Returns how many that were; a
    /// bounded number, so there may be more.
    ///
    /// What is old is told by the order of writing: an entry goes only if all before it may go, so a
    /// clock that was once set back cannot take entries from the middle.
    pub(super) fn prune(&mut self, before: i64, room: u64) -> rusqlite::Result<u64> {
        let used = self.used()?;
        let write = self.file.transaction()?;
        let (first, _) = end(&write, "first")?;
        let young = write
            .query_row(
                "SELECT id FROM entries WHERE at >= ?1 ORDER BY id LIMIT 1",
                [before],
                |row| row.get::<_, u64>(0),
            )
            .optional()?;
        let aged = young.map_or(self.id, |id| id - 1);
        let share = used.saturating_sub(room) as f64 / used.max(1) as f64;
        let excess = ((self.id - first) as f64 * share).ceil() as u64;
        let old = aged.max(first + excess).min(first + AT_ONCE).min(self.id);
        if old <= first {
            return Ok(0);
        }
        let hash: Hash =
            write.query_row("SELECT hash FROM entries WHERE id = ?1", [old], |row| {
                row.get(0)
            })?;
        write.execute(
            "UPDATE ends SET id = ?1, hash = ?2 WHERE which = 'first'",
            params![old, hash],
        )?;
        // Not simply those of calls without entries: one that just began has none yet.
        write.execute(
            "DELETE FROM legs WHERE call IN (SELECT call FROM entries WHERE id <= ?1) AND NOT EXISTS
             (SELECT 1 FROM entries WHERE entries.call = legs.call AND entries.id > ?1)",
            [old],
        )?;
        let gone = write.execute("DELETE FROM entries WHERE id <= ?1", [old])?;
        // A key that sealed none of what is left is not needed any more.
        write.execute("DELETE FROM seals WHERE id <= ?1", [old])?;
        write.commit()?;
        Ok(gone as u64)
    }

    /// How many bytes of the file are in use. What is forgotten leaves room in the file, which is
    /// used again.
    fn used(&self) -> rusqlite::Result<u64> {
        let ask = |what: &str| {
            self.file
                .pragma_query_value(None, what, |row| row.get::<_, u64>(0))
        };
        let pages = ask("page_count")?.saturating_sub(ask("freelist_count")?);
        Ok(pages * ask("page_size")?)
    }
}

/// What is remembered of a call, as it is kept: sealed as an entry is, for it holds the same words.
fn kept(keys: &Keys, call: &str, memory: &str) -> String {
    let plain = serde_json::json!({ "call": call, "seq": 0, "memory": memory }).to_string();
    keys.seal(&plain).unwrap_or(plain)
}

/// Opens a journal to look at it only.
pub(super) fn look(path: &Path) -> rusqlite::Result<Connection> {
    let file = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    file.busy_timeout(BUSY)?;
    Ok(file)
}

/// Goes through the whole journal, of which all up to `acknowledged` must be there. `Ok(Ok(n))`: its
/// `n` entries are what was written, in order, and none is missing.
pub(super) fn verify(file: &Connection, acknowledged: u64) -> rusqlite::Result<Result<u64, Flaw>> {
    flawed(|| {
        let first = end(file, "first")?;
        Ok(walk(file, first)?.and_then(|last| {
            if last < acknowledged {
                let (id, what) = (last + 1, "entries that were acknowledged are missing");
                return Err(Flaw { id, what });
            }
            Ok(last - first.0)
        }))
    })
}

/// Goes through the entries that follow one, to the end; the last there is.
fn walk(file: &Connection, from: (u64, Hash)) -> rusqlite::Result<Result<u64, Flaw>> {
    let (mut id, mut hash) = from;
    let last = end(file, "last")?;
    let mut all = file
        .prepare("SELECT id, call, seq, at, entry, hash FROM entries WHERE id > ?1 ORDER BY id")?;
    let mut rows = all.query([id])?;
    loop {
        let flaw = |what| Ok(Err(Flaw { id: id + 1, what }));
        let row = match rows.next() {
            Ok(Some(row)) => row,
            Ok(None) => break,
            Err(error) if is_damage(&error) => return flaw("the file is damaged here"),
            Err(error) => return Err(error),
        };
        let line = || -> rusqlite::Result<(u64, String, u64, i64, String, Hash)> {
            Ok((
                row.get(0)?,
                row.get(1)?,
                row.get(2)?,
                row.get(3)?,
                row.get(4)?,
                row.get(5)?,
            ))
        };
        let Ok((this, call, seq, at, entry, kept)) = line() else {
            return flaw("an entry is not what was written");
        };
        if this != id + 1 {
            return flaw("an entry is missing");
        }
        if kept != link(&hash, this, &entry) {
            return flaw("an entry is not what was written");
        }
        if !says(&entry, &call, seq) {
            return flaw("an entry is filed under another call");
        }
        if !happened(&entry, at) {
            return flaw("an entry is filed under another time");
        }
        (id, hash) = (this, kept);
    }
    if (id, hash) != last {
        let what = "the end is missing, or is not what was written";
        return Ok(Err(Flaw { id: id + 1, what }));
    }
    Ok(Ok(id))
}

/// What cannot be read because it is damaged is a flaw, and not a reason to try again.
fn flawed<T>(
    read: impl FnOnce() -> rusqlite::Result<Result<T, Flaw>>,
) -> rusqlite::Result<Result<T, Flaw>> {
    read().or_else(|error| {
        if !is_damage(&error) {
            return Err(error);
        }
        let what = "the file is damaged, or is no journal";
        Ok(Err(Flaw { id: 1, what }))
    })
}

fn is_damage(error: &rusqlite::Error) -> bool {
    !matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::DatabaseBusy
                | ErrorCode::DatabaseLocked
                | ErrorCode::CannotOpen
                | ErrorCode::PermissionDenied
                | ErrorCode::OutOfMemory
        )
    )
}

/// Whether an entry is of this call and has this place in it.
fn says(entry: &str, call: &str, seq: u64) -> bool {
    serde_json::from_str::<Value>(entry)
        .is_ok_and(|entry| entry["call"] == call && entry["seq"] == seq)
}

/// Whether an entry is of this moment, in milliseconds since 1970.
fn happened(entry: &str, at: i64) -> bool {
    let entry: Value = serde_json::from_str(entry).unwrap_or_default();
    let time = entry["time"].as_str().and_then(|it| it.parse().ok());
    time.is_some_and(|it: jiff::Timestamp| it.as_millisecond() == at)
}

fn end(file: &Connection, which: &str) -> rusqlite::Result<(u64, Hash)> {
    let found = file
        .query_row(
            "SELECT id, hash FROM ends WHERE which = ?1",
            [which],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    // Without its ends nothing can be said of a journal.
    found.ok_or(rusqlite::Error::QueryReturnedNoRows)
}

/// So many of the newest entries are looked at before more are written behind them.
const LOOKED_AT: u64 = 1_000;
/// So many entries are forgotten at once: writing does not wait long for it.
const AT_ONCE: u64 = 5_000;
/// How long one process waits for another that has the file.
const BUSY: Duration = Duration::from_secs(2);

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, SeedableRng};

    use super::*;

    fn line(n: u64) -> Note {
        line_at(n, n as i64 * 1_000)
    }

    fn line_at(n: u64, at: i64) -> Note {
        let (call, seq) = (format!("call-{}", n % 3), n / 3 + 1);
        let time = jiff::Timestamp::from_millisecond(at).expect("it is in our days");
        let text = format!("word {n}");
        let entry = serde_json::json!({ "call": call, "seq": seq, "time": time, "text": text });
        Note::Entry(Line {
            call,
            seq,
            at,
            entry: entry.to_string(),
        })
    }

    fn written(entries: u64) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut store = Store::open(&folder.path().join("it.db")).expect("the folder is ours");
        let lines: Vec<_> = (0..entries).map(line).collect();
        for some in lines.chunks(7) {
            store.append(some).expect("there is room");
        }
        (folder, store)
    }

    fn flawless(file: &Connection) -> bool {
        // A journal that cannot even be read is found out as well.
        verify(file, 0).is_ok_and(|it| it.is_ok())
    }

    #[test]
    fn what_was_written_is_found_again_after_a_restart() {
        let (folder, store) = written(50);
        assert_eq!(verify(&store.file, 0), Ok(Ok(50)));
        drop(store);
        let mut store = Store::open(&folder.path().join("it.db")).expect("it is there");
        assert_eq!(store.last(), 50);
        assert_eq!(store.append(&[line(50)]), Ok(51));
        assert_eq!(verify(&store.file, 0), Ok(Ok(51)));
    }

    #[test]
    fn forgetting_the_oldest_leaves_a_whole_journal() {
        let (_folder, mut store) = written(50);
        assert_eq!(store.prune(10_000, u64::MAX), Ok(10));
        assert_eq!(verify(&store.file, 0), Ok(Ok(40)));
        assert_eq!(store.prune(10_000, u64::MAX), Ok(0));
        assert_eq!(store.append(&[line(50)]), Ok(51));
        assert_eq!(verify(&store.file, 0), Ok(Ok(41)));
        assert_eq!(store.prune(i64::MAX, u64::MAX), Ok(41));
        assert_eq!(verify(&store.file, 0), Ok(Ok(0)));
        assert_eq!(store.append(&[line(51)]), Ok(52));
        assert_eq!(verify(&store.file, 0), Ok(Ok(1)));
    }

    #[test]
    fn a_call_is_known_by_the_last_name_its_carrier_gave_it() {
        let (_folder, mut store) = written(1);
        let leg = |leg: &str| Note::Leg {
            call: "call-0".to_owned(),
            leg: leg.to_owned(),
        };
        for name in ["request/1", "2"] {
            assert_eq!(store.append(&[leg(name)]), Ok(1));
        }
        let sql = "SELECT leg FROM legs WHERE call = 'call-0'";
        let known = store.file.query_row(sql, [], |row| row.get(0));
        assert_eq!(known, Ok("2".to_owned()));
    }

    #[test]
    fn a_leg_is_kept_for_as_long_as_its_call() {
        let (_folder, mut store) = written(9);
        let leg = |call: &str| Note::Leg {
            call: call.to_owned(),
            leg: "CA1".to_owned(),
        };
        // The second has begun, and nothing has happened on it yet.
        let legs = [leg("call-0"), leg("call-new")];
        assert_eq!(store.append(&legs), Ok(9));
        let legs = |store: &Store| {
            let mut all = store
                .file
                .prepare("SELECT call FROM legs ORDER BY call")
                .expect("SQL");
            let calls = all.query_map([], |row| row.get(0)).expect("SQL");
            calls.map(|it| it.expect("a text")).collect::<Vec<String>>()
        };
        assert_eq!(store.prune(3_000, u64::MAX), Ok(3));
        assert_eq!(legs(&store), ["call-0", "call-new"]);
        assert_eq!(store.prune(i64::MAX, u64::MAX), Ok(6));
        assert_eq!(legs(&store), ["call-new"]);
    }

    #[test]
    fn a_journal_that_needs_too_much_room_forgets_its_oldest() {
        let (_folder, mut store) = written(20_000);
        let used = store.used().expect("it can be read");
        let half = used / 2;
        let mut gone = 0;
        loop {
            match store.prune(i64::MIN, half).expect("it can be written") {
                0 => break,
                some => gone += some,
            }
        }
        assert!(store.used().expect("it can be read") <= half);
        assert!((8_000..13_000).contains(&gone), "{gone} of 20000 are gone");
        assert_eq!(verify(&store.file, 0), Ok(Ok(20_000 - gone)));
    }

    #[test]
    fn a_clock_that_jumps_takes_no_entry_that_follows_a_young_one() {
        let (_folder, mut store) = written(0);
        // Minutes: two old entries, then the clock is set back to 1970 and forward again.
        for (n, minute) in [(0, 100), (1, 101), (2, 0), (3, 1), (4, 102)] {
            let line = line_at(n, minute * 60_000);
            store.append(&[line]).expect("there is room");
        }
        assert_eq!(store.prune(100 * 60_000, u64::MAX), Ok(0));
        assert_eq!(store.prune(101 * 60_000, u64::MAX), Ok(1));
        assert_eq!(verify(&store.file, 0), Ok(Ok(4)));
        let order: Vec<u64> = {
            let mut all = store
                .file
                .prepare("SELECT id FROM entries ORDER BY id")
                .expect("SQL");
            let ids = all.query_map([], |row| row.get(0)).expect("SQL");
            ids.map(|it| it.expect("a number")).collect()
        };
        assert_eq!(order, [2, 3, 4, 5]);
        // The two from 1970 go with the young one they follow, not before it.
        assert_eq!(store.prune(102 * 60_000, u64::MAX), Ok(3));
    }

    /// One byte of one entry's text, hash, place or time; an entry less; two that change places; an end
    /// cut off.
    fn tamper(file: &Connection, dice: &mut StdRng) {
        let id = dice.random_range(1..=60_i64);
        let set = |sql: &str, id: i64, value: &dyn rusqlite::ToSql| {
            file.execute(sql, params![value, id]).expect("it is a row");
        };
        match dice.random_range(0..7) {
            0 => {
                let text: String = file
                    .query_row("SELECT entry FROM entries WHERE id = ?1", [id], |row| {
                        row.get(0)
                    })
                    .expect("it is a row");
                let mut bytes = text.into_bytes();
                let at = dice.random_range(0..bytes.len());
                bytes[at] = (bytes[at] + dice.random_range(1..0x60)) % 0x80;
                let text = String::from_utf8(bytes).expect("it is ASCII");
                set("UPDATE entries SET entry = ?1 WHERE id = ?2", id, &text);
            }
            1 => {
                let mut hash: Hash = file
                    .query_row("SELECT hash FROM entries WHERE id = ?1", [id], |row| {
                        row.get(0)
                    })
                    .expect("it is a row");
                hash[dice.random_range(0..32)] ^= 1 << dice.random_range(0..8);
                set("UPDATE entries SET hash = ?1 WHERE id = ?2", id, &hash);
            }
            2 => set("UPDATE entries SET call = ?1 WHERE id = ?2", id, &"call-9"),
            3 => {
                file.execute("DELETE FROM entries WHERE id = ?1", [id])
                    .expect("it is a row");
            }
            4 => {
                let column = ["at", "seq"][dice.random_range(0..2)];
                let move_it =
                    format!("UPDATE entries SET {column} = {column} + 1000 WHERE id = ?1");
                file.execute(&move_it, [id]).expect("it is a row");
            }
            5 => {
                let other = id % 60 + 1;
                let swap = "UPDATE entries SET id = ?1 WHERE id = ?2";
                set(swap, id, &-1);
                set(swap, other, &id);
                set(swap, -1, &other);
            }
            _ => {
                file.execute("DELETE FROM entries WHERE id >= ?1", [id])
                    .expect("there are such rows");
            }
        }
    }

    #[test]
    fn nothing_can_be_changed_unseen() {
        let (_folder, store) = written(60);
        let mut dice = StdRng::seed_from_u64(7);
        let mut found = 0;
        for _ in 0..1_000 {
            let file = &store.file;
            file.execute_batch("BEGIN").expect("nothing is under way");
            tamper(file, &mut dice);
            found += u32::from(!flawless(file));
            file.execute_batch("ROLLBACK").expect("it was begun");
            assert!(flawless(file));
        }
        println!("edits, deletions, swaps and cuts found: {found} of 1000");
        assert_eq!(found, 1_000);
    }
}
