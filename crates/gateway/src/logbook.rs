//! The gateway's own log, kept in a few files of bounded size that only their owner can read.
//!
//! Whoever logs never waits: lines are handed to a thread that writes them, and are counted and left
//! out where it cannot keep up. Words, numbers and secrets do not get in: they print as dots by their
//! type.

use std::fs::{self, File};
use std::io::{self, BufRead as _, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use tracing_subscriber::fmt::MakeWriter;

use crate::state::make_folder;

/// Takes lines. Clones write to the same files.
#[derive(Clone, Debug)]
pub(crate) struct Logbook {
    lines: SyncSender<Vec<u8>>,
    lost: Arc<AtomicU64>,
}

impl Logbook {
    /// Begins to write into a folder, after what is there.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub(crate) fn open(folder: &Path) -> io::Result<Self> {
        make_folder(folder)?;
        let pages = Pages::open(folder, PAGE)?;
        let (lines, coming) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let missed = lost.clone();
        let named = thread::Builder::new().name("log".to_owned());
        named.spawn(move || write(pages, &coming, &missed))?;
        Ok(Self { lines, lost })
    }
}

fn write(mut pages: Pages, coming: &Receiver<Vec<u8>>, lost: &AtomicU64) {
    while let Ok(line) = coming.recv() {
        // A log that cannot be written has nowhere to say so; the next line may fit again.
        let _ = pages.write(&line);
        let lost = lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            let line = format!(
                "{{\"timestamp\":\"{}\",\"level\":\"WARN\",\"message\":\"{lost} lines of the log are missing here\"}}\n",
                jiff::Timestamp::now()
            );
            let _ = pages.write(line.as_bytes());
        }
    }
}

/// One line on its way.
impl Write for Logbook {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if self.lines.try_send(line.to_vec()).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Logbook {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// The files: one that is written to, and those before it.
#[derive(Debug)]
struct Pages {
    folder: PathBuf,
    file: File,
    size: u64,
    most: u64,
}

impl Pages {
    fn open(folder: &Path, most: u64) -> io::Result<Self> {
        // A second gateway, before it is refused, writes behind the first and not over it.
        let mut options = fs::OpenOptions::new();
        let file = options.append(true).create(true).mode(0o600);
        let file = file.open(path(folder, 0))?;
        let size = file.metadata()?.len();
        let folder = folder.to_owned();
        Ok(Self {
            folder,
            file,
            size,
            most,
        })
    }

    fn write(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + line.len() as u64 > self.most {
            self.turn()?;
        }
        self.size += line.len() as u64;
        self.file.write_all(line)
    }

    /// Begins a new file, and forgets the oldest.
    fn turn(&mut self) -> io::Result<()> {
        for page in (0..PAGES - 1).rev() {
            let from = path(&self.folder, page);
            if from.exists() {
                fs::rename(from, path(&self.folder, page + 1))?;
            }
        }
        *self = Self::open(&self.folder, self.most)?;
        Ok(())
    }
}

/// The lines of a folder's log, the oldest first, and then those that are added.
#[derive(Debug)]
pub(crate) struct Lines {
    folder: PathBuf,
    /// What is being read, and how far.
    file: Option<BufReader<File>>,
    /// The files still to be read, the newest first.
    older: Vec<usize>,
    partial: String,
}

impl Lines {
    /// Begins to read.
    pub(crate) fn of_folder(folder: &Path) -> Self {
        let exists = |page: &usize| path(folder, *page).exists();
        Self {
            folder: folder.to_owned(),
            file: None,
            older: (0..PAGES).filter(exists).collect(),
            partial: String::new(),
        }
    }

    /// Whether there is anything to read at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.file.is_none() && self.older.is_empty()
    }

    /// The next line. `None`: there is no more now.
    ///
    /// # Errors
    /// A file cannot be read.
    pub(crate) fn next(&mut self) -> io::Result<Option<String>> {
        loop {
            let Some(file) = &mut self.file else {
                let Some(page) = self.older.pop() else {
                    return Ok(None);
                };
                self.file = Some(BufReader::new(File::open(path(&self.folder, page))?));
                continue;
            };
            file.read_line(&mut self.partial)?;
            if self.partial.ends_with('\n') {
                let line = std::mem::take(&mut self.partial);
                return Ok(Some(line.trim_end().to_owned()));
            }
            if self.older.is_empty() && !self.turned()? {
                return Ok(None);
            }
            self.file = None;
            self.partial.clear();
        }
    }

    /// Whether a new file was begun behind the one being read.
    fn turned(&mut self) -> io::Result<bool> {
        use std::os::unix::fs::MetadataExt as _;
        let Some(file) = &self.file else {
            return Ok(false);
        };
        let read = file.get_ref().metadata()?.ino();
        let newest = fs::metadata(path(&self.folder, 0)).map(|it| it.ino());
        let turned = newest.is_ok_and(|it| it != read);
        if turned {
            self.older.push(0);
        }
        Ok(turned)
    }
}

fn path(folder: &Path, page: usize) -> PathBuf {
    folder.join(match page {
        0 => "gateway.log".to_owned(),
        page => format!("gateway.log.{page}"),
    })
}

/// A file is this large at most, in bytes, and there are so many.
const PAGE: u64 = 4 * 1024 * 1024;
const PAGES: usize = 5;
/// Lines that wait for a slow disk.
const WAITING: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    fn all(lines: &mut Lines) -> Vec<String> {
        std::iter::from_fn(|| lines.next().expect("it can be read")).collect()
    }

    #[test]
    fn the_oldest_lines_are_forgotten_and_the_rest_is_read_in_order() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut pages = Pages::open(folder.path(), 100).expect("the folder is ours");
        for line in 0..200 {
            let line = format!("line {line:03}\n");
            pages.write(line.as_bytes()).expect("the folder is ours");
        }
        let read = all(&mut Lines::of_folder(folder.path()));
        // Eleven lines to a file, and the last file is not full.
        let expected: Vec<_> = (154..200).map(|it| format!("line {it:03}")).collect();
        assert_eq!(read, expected);
        assert_eq!(
            fs::read_dir(folder.path()).expect("it is there").count(),
            PAGES
        );
    }

    #[test]
    fn whoever_reads_along_misses_nothing_when_a_new_file_is_begun() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let mut pages = Pages::open(folder.path(), 30).expect("the folder is ours");
        let mut lines = Lines::of_folder(folder.path());
        let mut read = Vec::new();
        for line in 0..20 {
            // Half a line is none yet.
            pages.write(b"li").expect("the folder is ours");
            read.extend(all(&mut lines));
            let rest = format!("ne {line}\n");
            pages.file.write_all(rest.as_bytes()).expect("it is ours");
            read.extend(all(&mut lines));
        }
        let expected: Vec<_> = (0..20).map(|it| format!("line {it}")).collect();
        assert_eq!(read, expected);
    }
}
