//! When calls were dialled: kept in a file, since a limit on calls per hour that forgets with each
//! process is none.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use ports::{Blame, Fault, code};

use crate::state;

/// The calls of the last hour, by every process of this user; locked while it is open.
#[derive(Debug)]
pub(crate) struct Dialled {
    path: PathBuf,
    file: File,
    /// Milliseconds since 1970.
    times: Vec<u64>,
}

impl Dialled {
    /// Opens what is kept in `folder`, waiting for another process that has it open.
    pub(crate) fn open(folder: &Path, now: SystemTime) -> Result<Self, Fault> {
        let path = folder.join("dialled");
        let opened = || -> io::Result<(File, String)> {
            state::make_folder(folder)?;
            let mut file = state::open_locked(&path)?;
            let mut text = String::new();
            (&mut file).take(LONGEST).read_to_string(&mut text)?;
            Ok((file, text))
        };
        let (file, text) = opened().map_err(|error| cannot(&path, error))?;
        let (now, hour) = (millis(now), HOUR.as_millis() as u64);
        // A clock set back must not hide calls, nor one set forward keep them for ever.
        let recent = |at: &u64| now.abs_diff(*at) < hour;
        let times = text.lines().filter_map(|line| line.parse().ok());
        let times = times.filter(recent).collect();
        Ok(Self { path, file, times })
    }

    /// How many there were.
    pub(crate) fn count(&self) -> usize {
        self.times.len()
    }

    /// Writes down one more. A call that cannot be counted must not be made.
    pub(crate) fn add(mut self, now: SystemTime) -> Result<(), Fault> {
        self.times.push(millis(now));
        let lines: String = self.times.iter().map(|at| format!("{at}\n")).collect();
        let written = self
            .file
            .rewind()
            .and_then(|()| self.file.write_all(lines.as_bytes()))
            .and_then(|()| self.file.set_len(lines.len() as u64));
        written.map_err(|error| cannot(&self.path, error))
    }
}

fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

fn cannot(path: &Path, error: io::Error) -> Fault {
    let message = format!(
        "cannot count the calls of the last hour in {}",
        path.display()
    );
    Fault::new(Blame::Config, code::GATEWAY_BROKEN, message)
        .hint(state::remedy(&error))
        .because(error)
}

const HOUR: Duration = Duration::from_secs(60 * 60);
/// More is not read: it would be hundreds of thousands of calls.
const LONGEST: u64 = 4 * 1_024 * 1_024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_counted_for_an_hour_and_across_processes() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let begin = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        for n in 0..3_u64 {
            let now = begin + Duration::from_secs(n * 1_000);
            let book = Dialled::open(folder.path(), now).expect("the folder is ours");
            assert_eq!(book.count() as u64, n);
            book.add(now).expect("the folder is ours");
        }
        let later = |seconds| {
            let now = begin + Duration::from_secs(seconds);
            let book = Dialled::open(folder.path(), now).expect("the folder is ours");
            book.count()
        };
        assert_eq!(later(3_599), 3);
        assert_eq!(later(3_600), 2);
        assert_eq!(later(9_000), 0);
    }

    #[test]
    fn what_cannot_be_counted_is_a_fault() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let file = folder.path().join("a file");
        std::fs::write(&file, "").expect("the folder is ours");
        let fault = Dialled::open(&file, UNIX_EPOCH).expect_err("a file is no folder");
        assert!(fault.hint.is_some());
    }
}
