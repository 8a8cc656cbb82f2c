//! Journals that somebody, or a disk, has damaged.

use std::fs;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tempfile::TempDir;

use super::mark::Mark;
use super::store::{Line, Note, Store};
use super::{Flaw, Journal, Keep, Keys, LOCK, Reader, Row, Wanted};
use crate::state::open_file;

/// More than a start looks at.
const ENTRIES: u64 = 1_600;
/// Written in one go.
const TOGETHER: usize = 40;

/// A journal with some entries; killed, or closed properly.
struct Whole {
    folder: TempDir,
    rows: Vec<Row>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Left {
    /// Most of it is not in the main file yet.
    Killed,
    Closed,
}

impl Whole {
    async fn new(left: Left) -> Self {
        let (at_work, folder) = (tempfile::tempdir(), tempfile::tempdir());
        let (at_work, folder) = (at_work.expect("a folder"), folder.expect("a folder"));
        let mut store = Store::open(&super::path(at_work.path())).expect("the folder is ours");
        let lock = open_file(&at_work.path().join(LOCK)).expect("the folder is ours");
        let line = |n: u64| {
            let (call, seq) = (format!("call-{}", n % 5), n / 5 + 1);
            let at = n as i64;
            let time = jiff::Timestamp::from_millisecond(at).expect("it is in our days");
            let text = "w".repeat(90);
            let entry = serde_json::json!({ "call": call, "seq": seq, "time": time, "text": text });
            let entry = entry.to_string();
            Note::Entry(Line {
                call,
                seq,
                at,
                entry,
            })
        };
        let lines: Vec<_> = (0..ENTRIES).map(line).collect();
        for some in lines.chunks(TOGETHER) {
            store.append(some).expect("there is room");
        }
        Mark::new(lock).set(ENTRIES).expect("the folder is ours");
        if left == Left::Closed {
            drop(store);
            copy(at_work.path(), folder.path());
        } else {
            copy(at_work.path(), folder.path());
            drop(store);
        }
        let rows = read(folder.path()).await.expect("it is whole");
        assert_eq!(rows.len() as u64, ENTRIES);
        Self { folder, rows }
    }

    fn copy(&self) -> TempDir {
        let copied = tempfile::tempdir().expect("a folder can be made");
        copy(self.folder.path(), copied.path());
        copied
    }
}

fn copy(from: &Path, to: &Path) {
    for file in fs::read_dir(from).expect("it is there") {
        let file = file.expect("it is there");
        // Shared memory belongs to those who run.
        if !file.file_name().to_string_lossy().ends_with("-shm") {
            fs::copy(file.path(), to.join(file.file_name())).expect("the folder is ours");
        }
    }
}

async fn read(folder: &Path) -> Option<Vec<Row>> {
    let reader = Reader::of_folder(folder).ok()?;
    let (mut rows, mut wanted) = (Vec::new(), Wanted::default());
    loop {
        let page = reader.after(&wanted).await.ok()?;
        let Some(last) = page.last() else {
            return Some(rows);
        };
        wanted.after = last.id;
        rows.extend(page);
    }
}

/// Damages one of the files, somewhere.
fn damage(folder: &Path, dice: &mut StdRng) {
    let names = ["journal.db", "journal.db-wal"];
    let files = names.map(|it| folder.join(it));
    let holds_some = |path: &&PathBuf| fs::metadata(path).is_ok_and(|it| it.len() > 0);
    let there: Vec<_> = files.iter().filter(holds_some).collect();
    let path = there[dice.random_range(0..there.len())];
    let mut bytes = fs::read(path).expect("it is there");
    let at = dice.random_range(0..bytes.len());
    match dice.random_range(0..5) {
        0 => bytes.truncate(at),
        1 => bytes.fill(0),
        2 => {
            let end = (at + 4_096).min(bytes.len());
            bytes[at..end].fill(0);
        }
        3 => {
            let end = (at + 512).min(bytes.len());
            dice.fill(&mut bytes[at..end]);
        }
        _ => bytes[at] ^= 1 << dice.random_range(0..8),
    }
    fs::write(path, bytes).expect("the folder is ours");
}

/// What a start makes of a damaged journal: refused, found out later, or nothing was lost.
#[derive(Debug, Default)]
struct Tally {
    refused: u32,
    found: u32,
    harmless: u32,
}

async fn start(folder: &Path, whole: &Whole, tally: &mut Tally) {
    let journal = match Journal::open(folder, Keep::default(), Keys::default()) {
        Ok(journal) => journal,
        Err(fault) => {
            assert!(fault.hint.is_some(), "{fault:?}");
            tally.refused += 1;
            return;
        }
    };
    let reader = journal.reader().expect("it was just opened");
    if let Ok(Ok(entries)) = reader.verify().await {
        assert_eq!(entries, ENTRIES, "nothing may be lost unseen");
        assert_eq!(read(folder).await.as_ref(), Some(&whole.rows));
        tally.harmless += 1;
    } else {
        tally.found += 1;
    }
}

#[tokio::test]
async fn a_damaged_journal_is_never_taken_for_a_whole_one() {
    let mut dice = StdRng::seed_from_u64(3);
    for left in [Left::Killed, Left::Closed] {
        let (whole, mut tally) = (Whole::new(left).await, Tally::default());
        for _ in 0..80 {
            let copied = whole.copy();
            damage(copied.path(), &mut dice);
            start(copied.path(), &whole, &mut tally).await;
        }
        println!("{left:?}: {tally:?}");
        assert!(tally.refused > 20, "{tally:?}");
        assert!(left == Left::Killed || tally.found > 5, "{tally:?}");
    }
}

#[tokio::test]
async fn a_journal_that_lost_its_end_is_not_written_on() {
    let whole = Whole::new(Left::Killed).await;
    let copied = whole.copy();
    // As it was before its last entries, and whole in itself.
    fs::remove_file(copied.path().join("journal.db-wal")).expect("it is there");
    let fault = Journal::open(copied.path(), Keep::default(), Keys::default());
    let fault = fault.expect_err("it lost entries");
    assert!(fault.message.contains("damaged"), "{fault}");
    let reader = Reader::of_folder(copied.path()).expect("it is there");
    let verified = reader.verify().await.expect("it can be read");
    assert!(matches!(verified, Err(Flaw { .. })), "{verified:?}");
    // Moved away on purpose, it is begun anew.
    for name in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _ = fs::remove_file(copied.path().join(name));
    }
    let journal = Journal::open(copied.path(), Keep::default(), Keys::default());
    let journal = journal.expect("there is none");
    let reader = journal.reader().expect("it is there");
    assert_eq!(reader.verify().await.ok(), Some(Ok(0)));
}

#[tokio::test]
async fn a_clock_that_is_set_back_hides_nothing_from_those_who_read_along() {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut store = Store::open(&super::path(folder.path())).expect("the folder is ours");
    let mut write = |seq: u64, at: i64| {
        let time = jiff::Timestamp::from_millisecond(at).expect("it is in our days");
        let entry = serde_json::json!({ "call": "c", "seq": seq, "time": time }).to_string();
        let call = "c".to_owned();
        let line = Line {
            call,
            seq,
            at,
            entry,
        };
        store.append(&[Note::Entry(line)]).expect("there is room");
    };
    for (seq, at) in [(1, 1_000), (2, 2_000), (3, 500), (4, 600)] {
        write(seq, at);
    }
    let reader = Reader::of_folder(folder.path()).expect("it is there");
    let ids = async |after, since| {
        let wanted = Wanted {
            after,
            call: None,
            since,
        };
        let rows = reader.after(&wanted).await.expect("it is ours");
        rows.iter().map(|it| it.id).collect::<Vec<_>>()
    };
    assert_eq!(ids(0, Some(2_000)).await, [2, 3, 4]);
    assert_eq!(ids(0, Some(550)).await, [1, 2, 3, 4]);
    assert_eq!(
        ids(3, Some(2_000)).await,
        [4],
        "a place that was reached counts"
    );
    // From now on: what comes is seen, whatever the clock says by then.
    let (mut along, mut wanted) = (reader.clone(), Wanted::default());
    wanted.since = Some(3_000);
    assert_eq!(
        along.next(&mut wanted).await.ok(),
        Some(None),
        "nobody writes"
    );
    assert_eq!(wanted.after, 4);
    write(5, 700);
    let rows = along.next(&mut wanted).await.ok().flatten();
    assert_eq!(rows.map(|it| it[0].id), Some(5));
}
