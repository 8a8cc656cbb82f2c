//! What every webhook was answered, written down: one that comes again, from its carrier or from
//! somebody who recorded it, is answered the same and does nothing, also after a restart.
//!
//! A signature of some carriers never grows old. So what is remembered is not who signed when, but
//! [what was signed](Imprint); and of each call that its end was told, since nothing begins after it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use call::Private;
use ports::carrier::{Imprint, Leg};
use ports::{Blame, Fault, code};
use rusqlite::{Connection, OptionalExtension as _, params};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::OnceCell;

use crate::blocking::blocking;
use crate::journal::Keys;
use crate::state::open_file;

/// The receipts of a folder. Clones are the same.
#[derive(Clone, Debug)]
pub(crate) struct Receipts(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: Mutex<File>,
    /// Webhooks that are being answered: who comes again meanwhile waits for that.
    under_way: Mutex<HashMap<[u8; 32], Arc<OnceCell<Answer>>>>,
    keys: Keys,
}

#[derive(Debug)]
struct File {
    rows: Connection,
    /// How many answers there are, at most.
    count: u64,
    most: u64,
}

/// What a carrier was told. It may hold a number, and what opens a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) kind: String,
    pub(crate) body: Private<String>,
}

/// An answer, and whether it was given before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Given {
    Now(Answer),
    Before(Answer),
}

impl Receipts {
    pub(crate) fn open(folder: &Path, keys: Keys, now: i64) -> Result<Self, Fault> {
        Self::open_for(folder, keys, now, MOST)
    }

    fn open_for(folder: &Path, keys: Keys, now: i64, most: u64) -> Result<Self, Fault> {
        let path = folder.join("webhooks.db");
        open_file(&path).map_err(cannot)?;
        let opened = || -> rusqlite::Result<File> {
            let rows = Connection::open(&path)?;
            rows.busy_timeout(BUSY)?;
            rows.pragma_update(None, "journal_mode", "wal")?;
            // It outlives the process. Of a machine that loses its power the last moments may be gone,
            // for which no call has to wait.
            rows.pragma_update(None, "synchronous", "normal")?;
            rows.execute_batch(TABLES)?;
            let old = now - KEPT.as_millis() as i64;
            rows.execute("DELETE FROM answers WHERE at < ?1", [old])?;
            rows.execute("DELETE FROM ended WHERE at < ?1", [old])?;
            let count = rows.query_row("SELECT COUNT(*) FROM answers", [], |row| row.get(0))?;
            Ok(File { rows, count, most })
        };
        Ok(Self(Arc::new(Inner {
            file: Mutex::new(opened().map_err(cannot)?),
            under_way: Mutex::default(),
            keys,
        })))
    }

    /// What was answered to a webhook before; or else what `make` says, which is done once, whoever
    /// asks at the same time.
    pub(crate) async fn answer(
        &self,
        imprint: Imprint,
        now: i64,
        make: impl Future<Output = Answer>,
    ) -> Given {
        let cell = self.under_way().entry(imprint.notice).or_default().clone();
        let mut is_new = false;
        let answer = cell.get_or_init(async || match self.before(imprint).await {
            Ok(Some(answer)) => answer,
            looked => {
                if let Err(fault) = looked {
                    tracing::error!(code = fault.code, hint = fault.hint, "{fault}");
                }
                is_new = true;
                let answer = make.await;
                self.keep(imprint, answer.clone(), now).await;
                answer
            }
        });
        let answer = answer.await.clone();
        // From now on the file says it.
        self.under_way().remove(&imprint.notice);
        if is_new {
            Given::Now(answer)
        } else {
            Given::Before(answer)
        }
    }

    /// Writes down that a carrier told the end of a call.
    pub(crate) async fn ended(&self, carrier: &str, leg: &Leg, now: i64) {
        let name = name(carrier, leg);
        let kept = self.with(move |file| {
            let add = "INSERT OR IGNORE INTO ended VALUES (?1, ?2)";
            file.rows.execute(add, params![name, now]).map(drop)
        });
        complain(kept.await);
    }

    /// Whether a carrier told the end of a call before.
    ///
    /// # Errors
    /// Nobody can say, and so nothing may begin.
    pub(crate) async fn has_ended(&self, carrier: &str, leg: &Leg) -> Result<bool, Fault> {
        let name = name(carrier, leg);
        let look = "SELECT EXISTS (SELECT 1 FROM ended WHERE leg = ?1)";
        self.with(move |file| file.rows.query_row(look, [name], |row| row.get(0)))
            .await
    }

    async fn before(&self, imprint: Imprint) -> Result<Option<Answer>, Fault> {
        let found = self.with(move |file| {
            let keys = params![imprint.notice, imprint.proof];
            let row = file.rows.query_row(BEFORE, keys, |row| {
                Ok((row.get::<_, [u8; 32]>(0)?, row.get(1)?, row.get(2)?))
            });
            row.optional()
        });
        let Some((notice, kind, body)) = found.await? else {
            return Ok(None);
        };
        Ok(Some(self.read(notice, kind, body)))
    }

    async fn keep(&self, imprint: Imprint, answer: Answer, now: i64) {
        let sealed = json!({ "body": answer.body.reveal() });
        let sealed = self.0.keys.seal_alone(&place(imprint.notice), sealed);
        let kept = self.with(move |file| {
            let Imprint { notice, proof } = imprint;
            let row = params![notice, proof, now, answer.kind, sealed.to_string()];
            let added = file.rows.execute(ADD, row)?;
            file.count += added as u64;
            if file.count > file.most {
                file.count -= file.rows.execute(FORGET, [file.most / 16 + 1])? as u64;
                tracing::warn!(
                    "so many webhooks come that some are remembered for less than a week"
                );
            }
            Ok(())
        });
        complain(kept.await);
    }

    /// What cannot be read any more, since its key is gone, was answered all the same.
    fn read(&self, notice: [u8; 32], kind: String, body: String) -> Answer {
        let sealed: Value = serde_json::from_str(&body).unwrap_or_default();
        let opened = self.0.keys.open_alone(&place(notice), sealed);
        let body = opened.and_then(|it| it["body"].as_str().map(str::to_owned));
        Answer {
            kind,
            body: body.unwrap_or_default().into(),
        }
    }

    async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut File) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, Fault> {
        let inner = self.0.clone();
        blocking("writing a webhook down", move || {
            let mut file = inner.file.lock().unwrap_or_else(PoisonError::into_inner);
            work(&mut file).map_err(cannot)
        })
        .await
    }

    fn under_way(&self) -> std::sync::MutexGuard<'_, HashMap<[u8; 32], Arc<OnceCell<Answer>>>> {
        self.0
            .under_way
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// What is sealed for one webhook cannot be opened for another.
fn place(notice: [u8; 32]) -> String {
    format!("webhook {} ", crate::hex::of(&notice))
}

fn name(carrier: &str, leg: &Leg) -> [u8; 32] {
    let named = Sha256::new()
        .chain_update(carrier.len().to_le_bytes())
        .chain_update(carrier);
    named.chain_update(&leg.0).finalize().into()
}

/// The call goes on: while this process lives, its own memory keeps it from being told twice.
fn complain(kept: Result<(), Fault>) {
    if let Err(fault) = kept {
        tracing::error!(code = fault.code, hint = fault.hint, "{fault}");
    }
}

fn cannot(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    let message = "what a carrier said cannot be written down or looked up";
    Fault::new(Blame::Gateway, code::JOURNAL_BROKEN, message)
        .hint("is the disk full?")
        .because(error)
}

const TABLES: &str = "CREATE TABLE IF NOT EXISTS answers (
    notice BLOB PRIMARY KEY, proof BLOB NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS answers_proof ON answers (proof);
CREATE INDEX IF NOT EXISTS answers_at ON answers (at);
CREATE TABLE IF NOT EXISTS ended (leg BLOB PRIMARY KEY, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;";

const BEFORE: &str = "SELECT notice, kind, body FROM answers WHERE notice = ?1
    UNION ALL SELECT notice, kind, body FROM answers WHERE proof = ?2 LIMIT 1";
const ADD: &str = "INSERT OR IGNORE INTO answers VALUES (?1, ?2, ?3, ?4, ?5)";
const FORGET: &str =
    "DELETE FROM answers WHERE notice IN (SELECT notice FROM answers ORDER BY at LIMIT ?1)";

const BUSY: Duration = Duration::from_secs(2);
/// Webhooks are remembered for so long, as keys of requests are; a day is what carriers need.
const KEPT: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// So many of them: a hundred thousand calls a day, with ten each.
const MOST: u64 = 1_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journal::SealKey;

    #[tokio::test]
    async fn a_webhook_is_answered_once_also_across_restarts() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let receipts = open(folder.path(), Keys::default(), 0);
        let first = receipts.answer(imprint(1, 1), 0, says("connect")).await;
        assert_eq!(first, Given::Now(answer("connect")));
        drop(receipts);
        let receipts = open(folder.path(), Keys::default(), 1);
        // The carrier's own repetition, another reading of the same signature, and another webhook.
        for again in [imprint(1, 1), imprint(1, 2), imprint(2, 1)] {
            let before = receipts.answer(again, 1, never()).await;
            assert_eq!(before, Given::Before(answer("connect")));
        }
        let other = receipts.answer(imprint(3, 3), 1, says("thanks")).await;
        assert_eq!(other, Given::Now(answer("thanks")));
    }

    #[tokio::test]
    async fn who_comes_again_meanwhile_waits_for_the_first() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let receipts = open(folder.path(), Keys::default(), 0);
        let (go, gone) = tokio::sync::oneshot::channel::<()>();
        let slow = async {
            let _ = gone.await;
            answer("slow")
        };
        let first = receipts.answer(imprint(1, 1), 0, slow);
        let second = receipts.answer(imprint(1, 1), 0, never());
        let told = async {
            tokio::task::yield_now().await;
            go.send(()).expect("it is waited for");
        };
        let (first, second, ()) = tokio::join!(first, second, told);
        assert_eq!(first, Given::Now(answer("slow")));
        assert_eq!(second, Given::Before(answer("slow")));
        assert!(receipts.under_way().is_empty(), "nothing is left behind");
    }

    #[tokio::test]
    async fn they_are_kept_for_a_week_and_no_more_than_so_many() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let day = 24 * 60 * 60 * 1_000;
        let receipts =
            Receipts::open_for(folder.path(), Keys::default(), 0, 32).expect("the folder is ours");
        for at in 0..100u8 {
            receipts
                .answer(imprint(at, at), i64::from(at), says("it"))
                .await;
        }
        let count = |receipts: &Receipts| receipts.0.file.lock().expect("it is idle").count;
        assert!((30..=32).contains(&count(&receipts)));
        let last = receipts.answer(imprint(99, 99), 100, never()).await;
        assert_eq!(last, Given::Before(answer("it")), "the latest are kept");
        drop(receipts);
        let receipts = open(folder.path(), Keys::default(), 2 * day);
        assert!(count(&receipts) >= 30, "a day is nothing");
        drop(receipts);
        let receipts = open(folder.path(), Keys::default(), 8 * day);
        assert_eq!(count(&receipts), 0);
    }

    #[tokio::test]
    async fn what_is_sealed_is_not_to_be_read_in_the_file() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let keys = Keys {
            seal: SealKey::parse(&SealKey::random()),
            old: Vec::new(),
        };
        let receipts = open(folder.path(), keys.clone(), 0);
        receipts
            .answer(imprint(1, 1), 0, says("+15551234567"))
            .await;
        let before = receipts.answer(imprint(1, 1), 0, never()).await;
        assert_eq!(before, Given::Before(answer("+15551234567")));
        drop(receipts);
        for file in std::fs::read_dir(folder.path()).expect("it is there") {
            let bytes = std::fs::read(file.expect("it can be listed").path()).expect("it is ours");
            assert!(!bytes.windows(7).any(|it| it == b"1234567"));
        }
        // Without the key it is known that it was answered.
        let receipts = open(folder.path(), Keys::default(), 0);
        let before = receipts.answer(imprint(1, 1), 0, never()).await;
        assert_eq!(before, Given::Before(answer("")));
    }

    #[tokio::test]
    async fn a_call_that_is_over_stays_so() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let leg = Leg("CA1".to_owned());
        let receipts = open(folder.path(), Keys::default(), 0);
        assert_eq!(receipts.has_ended("twilio", &leg).await.ok(), Some(false));
        receipts.ended("twilio", &leg, 0).await;
        drop(receipts);
        let receipts = open(folder.path(), Keys::default(), 1);
        assert_eq!(receipts.has_ended("twilio", &leg).await.ok(), Some(true));
        assert_eq!(receipts.has_ended("other", &leg).await.ok(), Some(false));
    }

    fn open(folder: &Path, keys: Keys, now: i64) -> Receipts {
        Receipts::open(folder, keys, now).expect("the folder is ours")
    }

    fn imprint(notice: u8, proof: u8) -> Imprint {
        Imprint {
            notice: [notice; 32],
            proof: [proof; 32],
        }
    }

    fn answer(body: &str) -> Answer {
        Answer {
            kind: "text/xml".into(),
            body: body.to_owned().into(),
        }
    }

    async fn says(body: &str) -> Answer {
        answer(body)
    }

    async fn never() -> Answer {
        panic!("it was answered before")
    }
}
