//! How far the journal was acknowledged, beside it: a file that lost its end, or is another, is found
//! out though it looks whole.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Where it is written down: in the file that is locked for as long as somebody writes.
#[derive(Debug)]
pub(super) struct Mark(File);

impl Mark {
    /// Goes on with the mark in an open file.
    pub(super) fn new(file: File) -> Self {
        Self(file)
    }

    /// Notes that all entries up to this one are durable. Written after them and not waited for: it
    /// may be behind them, but never before.
    pub(super) fn set(&self, id: u64) -> io::Result<()> {
        // Always as long, so that no other end is left over from before.
        self.0.write_all_at(format!("{id:020}\n").as_bytes(), 0)
    }

    /// The last entry that was acknowledged, as far as is known.
    pub(super) fn read(path: &Path) -> u64 {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        text.trim().parse().unwrap_or(0)
    }
}
