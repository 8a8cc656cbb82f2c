//! Reading along, with a cursor.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use ports::{Blame, Fault, code};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;

use super::mark::Mark;
use super::seal::Keys;
use super::store::{self, Flaw};
use crate::blocking::blocking;

/// Reads a journal, whether its gateway runs or not. Clones read the same one.
#[derive(Clone, Debug)]
pub struct Reader {
    file: Arc<Mutex<Connection>>,
    /// Where it says how far the journal was acknowledged.
    mark: PathBuf,
    /// The last entry that is durable; `None`: nobody writes.
    durable: Option<watch::Receiver<u64>>,
    keys: Arc<Keys>,
    /// Whether something was read that none of the keys opens.
    hidden: Arc<AtomicBool>,
}

/// Which entries someone wants.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those after this one.
    pub after: u64,
    /// Those of this call; `None`: of all.
    pub call: Option<String>,
    /// Where nothing is named in `after`: those from the first that is not before this, in
    /// milliseconds since 1970, or those to come. From there on the order of writing counts alone, so
    /// that a clock that is set back hides nothing.
    pub since: Option<i64>,
}

/// One entry, as it was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// Counts up through the whole journal: the cursor.
    pub id: u64,
    /// The public form, as JSON.
    pub entry: String,
}

/// What can be told of an entry without a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// The entry's cursor.
    pub(crate) id: u64,
    /// Of which call.
    pub(crate) call: String,
    /// What happened.
    pub(crate) kind: String,
    /// When, in milliseconds since 1970.
    pub(crate) at: i64,
}

/// A call, as its first and last entries tell it.
#[derive(Clone, Debug, Serialize)]
pub struct Summary {
    /// Our name for it.
    pub id: String,
    /// Its first event: who called whom, and when.
    pub began: Value,
    /// Its last event, if it is over.
    pub ended: Option<Value>,
    /// How many events it has.
    #[serde(skip)]
    pub seq: u64,
}

impl Reader {
    /// Opens a journal to read it.
    ///
    /// # Errors
    /// There is none, or it is none.
    pub(super) fn open(path: &Path, durable: Option<watch::Receiver<u64>>) -> Result<Self, Fault> {
        let file = store::look(path).map_err(|error| {
            let message = format!("there is no journal at {}", path.display());
            Fault::new(Blame::Config, code::JOURNAL_BROKEN, message)
                .hint("`offhook serve` begins one; is XDG_STATE_HOME what it was then?")
                .because(error)
        })?;
        Ok(Self {
            file: Arc::new(Mutex::new(file)),
            mark: path.with_file_name(super::LOCK),
            durable,
            keys: Arc::default(),
            hidden: Arc::default(),
        })
    }

    /// The same, and reads what was sealed with these keys.
    #[must_use]
    pub fn with_keys(mut self, keys: Keys) -> Self {
        self.keys = Arc::new(keys);
        self
    }

    /// Whether something was read so far that none of the keys opens: it reads [`HIDDEN`].
    ///
    /// [`HIDDEN`]: super::HIDDEN
    pub fn hid_something(&self) -> bool {
        self.hidden.load(Ordering::Relaxed)
    }

    /// Opens what was sealed.
    fn unseal(&self) -> impl Fn(String) -> String + Send + 'static {
        let (keys, hidden) = (self.keys.clone(), self.hidden.clone());
        move |entry| {
            let (entry, some) = keys.open(entry);
            hidden.fetch_or(some, Ordering::Relaxed);
            entry
        }
    }

    /// Opens the journal of a folder whose gateway need not run.
    ///
    /// # Errors
    /// There is none, or it is none.
    pub fn of_folder(folder: &Path) -> Result<Self, Fault> {
        Self::open(&super::path(folder), None)
    }

    /// The next entries, a bounded number of them, in order. Empty: there are no more now.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn after(&self, wanted: &Wanted) -> Result<Vec<Row>, Fault> {
        let (mut wanted, unseal) = (wanted.clone(), self.unseal());
        self.with(move |file| {
            begin(file, &mut wanted)?;
            next(file, &wanted, unseal)
        })
        .await
    }

    /// The next entries, waiting for some where there are none yet, and moves the cursor behind
    /// them. `None`: there never will be, for nobody writes this journal.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn next(&mut self, wanted: &mut Wanted) -> Result<Option<Vec<Row>>, Fault> {
        let mut begun = wanted.clone();
        if begun.since.is_some() {
            *wanted = self
                .with(move |file| begin(file, &mut begun).map(|()| begun))
                .await?;
        }
        loop {
            if let Some(durable) = &mut self.durable {
                // What becomes durable from here on is waited for below.
                durable.borrow_and_update();
            }
            let rows = self.after(wanted).await?;
            if let Some(last) = rows.last() {
                wanted.after = last.id;
                return Ok(Some(rows));
            }
            let Some(durable) = &mut self.durable else {
                return Ok(None);
            };
            if durable.changed().await.is_err() {
                return Ok(None);
            }
        }
    }

    /// What the next entries are, a bounded number of them, in order, without their words. Empty: there are no
    /// more now.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) async fn heads(&self, after: u64) -> Result<Vec<Head>, Fault> {
        let read = |row: &rusqlite::Row<'_>| {
            Ok(Head {
                id: row.get(0)?,
                call: row.get(1)?,
                at: row.get(2)?,
                kind: row.get::<_, Option<String>>(3)?.unwrap_or_default(),
            })
        };
        self.with(move |file| {
            let mut found = file.prepare_cached(HEADS)?;
            found.query_map(params![after, PAGE], read)?.collect()
        })
        .await
    }

    /// One entry; `None`: it is forgotten.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) async fn entry(&self, id: u64) -> Result<Option<Value>, Fault> {
        let unseal = self.unseal();
        let entry = "SELECT entry FROM entries WHERE id = ?1";
        let text: Option<String> = self
            .with(move |file| file.query_row(entry, [id], |row| row.get(0)).optional())
            .await?;
        Ok(text.and_then(|it| serde_json::from_str(&unseal(it)).ok()))
    }

    /// Everything that happened on a call, in order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(crate) async fn whole(&self, call: &str) -> Result<Vec<Value>, Fault> {
        let mut wanted = Wanted {
            call: Some(call.to_owned()),
            ..Wanted::default()
        };
        let mut events = Vec::new();
        loop {
            let rows = self.after(&wanted).await?;
            let Some(last) = rows.last() else {
                return Ok(events);
            };
            wanted.after = last.id;
            let read = rows.iter().map(|it| serde_json::from_str(&it.entry));
            events.extend(read.filter_map(Result::ok));
        }
    }

    /// How its carrier calls a call, if that was learned.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn leg(&self, call: String) -> Result<Option<String>, Fault> {
        let leg = "SELECT leg FROM legs WHERE call = ?1";
        self.with(move |file| file.query_row(leg, [call], |row| row.get(0)).optional())
            .await
    }

    /// Which call a carrier calls so.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn whose(&self, leg: String) -> Result<Option<String>, Fault> {
        let call = "SELECT call FROM legs WHERE leg = ?1";
        self.with(move |file| file.query_row(call, [leg], |row| row.get(0)).optional())
            .await
    }

    /// How a call stood when that was last written down, and when that was, in milliseconds since
    /// 1970.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn memory(&self, call: String) -> Result<Option<(i64, String)>, Fault> {
        let memory = "SELECT at, memory FROM memories WHERE call = ?1";
        let unseal = self.unseal();
        self.with(move |file| {
            let row = |row: &rusqlite::Row<'_>| {
                let kept: Value = serde_json::from_str(&unseal(row.get(1)?)).unwrap_or_default();
                let memory = kept["memory"].as_str().unwrap_or_default();
                Ok((row.get(0)?, memory.to_owned()))
            };
            file.query_row(memory, [call], row).optional()
        })
        .await
    }

    /// The calls of which is remembered how they stood: those that were up when their gateway went.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn remembered(&self) -> Result<Vec<String>, Fault> {
        self.with(|file| {
            let mut all = file.prepare("SELECT call FROM memories ORDER BY call")?;
            let calls = all.query_map([], |row| row.get(0))?;
            calls.collect()
        })
        .await
    }

    /// A call, if the journal knows it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn call(&self, id: String) -> Result<Option<Summary>, Fault> {
        let unseal = self.unseal();
        self.with(move |file| Ok(calls(file, 1, Some(&id), unseal)?.pop()))
            .await
    }

    /// The last `most` calls, the latest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn calls(&self, most: usize) -> Result<Vec<Summary>, Fault> {
        let unseal = self.unseal();
        self.with(move |file| calls(file, most, None, unseal)).await
    }

    /// What the owner's rules said beside calls, the latest `most` of it, the latest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn verdicts(&self, most: usize) -> Result<Vec<Value>, Fault> {
        let unseal = self.unseal();
        let verdicts = "SELECT entry FROM entries WHERE seq = 0
             AND entry NOT LIKE '%\"type\":\"call.outcome\"%' ORDER BY id DESC LIMIT ?1";
        self.with(move |file| {
            let mut found = file.prepare_cached(verdicts)?;
            let read = |row: &rusqlite::Row<'_>| {
                let text = unseal(row.get(0)?);
                Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
            };
            found.query_map([most], read)?.collect()
        })
        .await
    }

    /// Whom we called since then, in milliseconds since 1970, and who said that they are not to be called any more.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn opted_out(&self, since: i64) -> Result<Vec<String>, Fault> {
        let unseal = self.unseal();
        self.with(move |file| {
            let mut found = file.prepare(OPTED_OUT)?;
            let caller = |row: &rusqlite::Row<'_>| {
                let began: Value = serde_json::from_str(&unseal(row.get(0)?)).unwrap_or_default();
                Ok(began["caller"].as_str().unwrap_or_default().to_owned())
            };
            found.query_map([since], caller)?.collect()
        })
        .await
    }

    /// What its agent noted on a call, in order.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn notes(&self, call: String) -> Result<Vec<String>, Fault> {
        let unseal = self.unseal();
        self.with(move |file| {
            let mut found = file.prepare_cached(NOTED)?;
            let text = |row: &rusqlite::Row<'_>| {
                let noted: Value = serde_json::from_str(&unseal(row.get(0)?)).unwrap_or_default();
                Ok(noted["text"].as_str().unwrap_or_default().to_owned())
            };
            found.query_map([call], text)?.collect()
        })
        .await
    }

    /// What came of a call, as it was written down last; `None`: nobody has.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn outcome(&self, call: String) -> Result<Option<Value>, Fault> {
        let unseal = self.unseal();
        self.with(move |file| {
            let mut found = file.prepare_cached(OUTCOME)?;
            let entry = |row: &rusqlite::Row<'_>| {
                Ok(serde_json::from_str(&unseal(row.get(0)?)).unwrap_or_default())
            };
            found.query_row([call], entry).optional()
        })
        .await
    }

    /// Calls that were to achieve something and ended since then, in milliseconds since 1970, of which nobody has
    /// written down what came of them: `most` of them, the latest first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn unjudged(&self, since: i64, most: usize) -> Result<Vec<String>, Fault> {
        self.with(move |file| {
            let mut found = file.prepare(UNJUDGED)?;
            let calls = found.query_map(params![since, most], |row| row.get(0))?;
            calls.collect()
        })
        .await
    }

    /// Goes through the whole journal; how many entries there are, or what is wrong first.
    ///
    /// # Errors
    /// The file cannot be read.
    pub async fn verify(&self) -> Result<Result<u64, Flaw>, Fault> {
        // Looked at first: a gateway that runs moves it on, behind what it writes.
        let acknowledged = Mark::read(&self.mark);
        self.with(move |file| {
            // All of it as it is at one moment, whatever is written meanwhile.
            let moment = file.unchecked_transaction()?;
            store::verify(&moment, acknowledged)
        })
        .await
    }

    async fn with<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let file = self.file.clone();
        let broken = |error| {
            let message = "the journal cannot be read";
            Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message)
                .hint("look at it with `offhook journal verify`")
                .because(error)
        };
        blocking("reading the journal", move || {
            read(&file.lock().unwrap_or_else(PoisonError::into_inner)).map_err(broken)
        })
        .await
    }
}

/// Finds the place where someone begins who knows only since when.
fn begin(file: &Connection, wanted: &mut Wanted) -> rusqlite::Result<()> {
    let Some(since) = wanted.since.take().filter(|_| wanted.after == 0) else {
        return Ok(());
    };
    let first = file.query_row(
        "SELECT min(id) FROM entries WHERE at >= ?1",
        [since],
        |row| row.get::<_, Option<u64>>(0),
    )?;
    wanted.after = match first {
        Some(id) => id - 1,
        None => file.query_row("SELECT id FROM ends WHERE which = 'last'", [], |row| {
            row.get(0)
        })?,
    };
    Ok(())
}

fn next(
    file: &Connection,
    wanted: &Wanted,
    unseal: impl Fn(String) -> String,
) -> rusqlite::Result<Vec<Row>> {
    let row = |row: &rusqlite::Row<'_>| {
        Ok(Row {
            id: row.get(0)?,
            entry: unseal(row.get(1)?),
        })
    };
    let after = wanted.after;
    match &wanted.call {
        Some(call) => {
            let mut found = file.prepare_cached(OF_A_CALL)?;
            found.query_map(params![after, PAGE, call], row)?.collect()
        }
        None => {
            let mut found = file.prepare_cached(OF_ALL)?;
            found.query_map(params![after, PAGE], row)?.collect()
        }
    }
}

const HEADS: &str = "SELECT id, call, at, json_extract(entry, '$.type') FROM entries
     WHERE id > ?1 ORDER BY id LIMIT ?2";

const OF_ALL: &str = "SELECT id, entry FROM entries WHERE id > ?1 ORDER BY id LIMIT ?2";

/// What happened beside a call has no number within it, and its place among the others.
const OF_A_CALL: &str = "SELECT id, entry FROM entries INDEXED BY by_call
     WHERE call = ?3 AND id > ?1 ORDER BY id LIMIT ?2";

/// What an event is called is open also where the rest of it is sealed.
const NOTED: &str = "SELECT entry FROM entries
     WHERE call = ?1 AND entry LIKE '%\"type\":\"agent.noted\"%' ORDER BY seq LIMIT 200";

const OPTED_OUT: &str = "SELECT DISTINCT first.entry FROM entries said JOIN entries first
     ON first.call = said.call AND first.seq = 1
     WHERE said.at >= ?1 AND said.entry LIKE '%\"type\":\"caller.opted_out\"%'";

const OUTCOME: &str = "SELECT entry FROM entries INDEXED BY by_call WHERE call = ?1 AND seq = 0
     AND entry LIKE '%\"type\":\"call.outcome\"%' ORDER BY id DESC LIMIT 1";

/// Which fields there are is open too.
const UNJUDGED: &str = "SELECT ended.call FROM entries ended
     JOIN entries first ON first.call = ended.call AND first.seq = 1
     WHERE ended.at >= ?1 AND ended.seq > 0 AND ended.entry LIKE '%\"type\":\"call.ended\"%'
     AND first.entry LIKE '%\"objective\":%'
     AND NOT EXISTS (SELECT 1 FROM entries told WHERE told.call = ended.call AND told.seq = 0
     AND told.entry LIKE '%\"type\":\"call.outcome\"%')
     ORDER BY ended.id DESC LIMIT ?2";

fn calls(
    file: &Connection,
    most: usize,
    only: Option<&str>,
    unseal: impl Fn(String) -> String,
) -> rusqlite::Result<Vec<Summary>> {
    let which = match only {
        Some(_) => "first.call = ?2",
        None => "?2 IS NULL",
    };
    let mut found = file.prepare_cached(&format!(
        "SELECT first.call, first.entry,
                (SELECT entry FROM entries last
                 WHERE last.call = first.call ORDER BY seq DESC LIMIT 1)
         FROM entries first WHERE first.seq = 1 AND {which}
         ORDER BY first.id DESC LIMIT ?1",
    ))?;
    let row = |row: &rusqlite::Row<'_>| {
        let event = |at| -> rusqlite::Result<Value> {
            let text = unseal(row.get(at)?);
            Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
        };
        Ok(Summary {
            id: row.get(0)?,
            began: event(1)?,
            seq: event(2)?["seq"].as_u64().unwrap_or(1),
            ended: Some(event(2)?).filter(|it| it["type"] == "call.ended"),
        })
    };
    found.query_map(params![most, only], row)?.collect()
}

/// So many entries are read at once.
const PAGE: usize = 500;
