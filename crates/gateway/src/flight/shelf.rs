//! Where flight recordings are kept: a folder that only its owner can look into.

use std::fs;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use ports::{Blame, Fault, code};

use super::{MOST_BYTES, Recording};
use crate::state::{make_folder, open_file};

/// The recordings of a folder.
#[derive(Clone, Debug)]
pub struct Shelf {
    folder: PathBuf,
}

/// As many are kept as this; the oldest goes first.
const KEPT: usize = 100;

const ENDING: &str = "flight";

impl Shelf {
    /// The recordings of the state folder `state`.
    pub fn of(state: &Path) -> Self {
        let folder = state.join("flights");
        Self { folder }
    }

    /// Those of calls whose names end so, the oldest first.
    ///
    /// # Errors
    /// The folder cannot be read; that there is none is no error.
    pub fn ending(&self, end: &str) -> io::Result<Vec<PathBuf>> {
        let mut kept = match self.kept() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            kept => kept?,
        };
        let name = |path: &PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
        kept.retain(|it| name(it).is_some_and(|it| it.ends_with(end)));
        Ok(kept)
    }

    /// Writes a call's recording down, readable by its owner alone, and forgets the oldest.
    ///
    /// # Errors
    /// The folder cannot be written to.
    pub fn put(&self, call: &str, recording: &[u8]) -> Result<PathBuf, Fault> {
        let path = self.path(call);
        let written = || -> io::Result<()> {
            make_folder(&self.folder)?;
            write(&path, recording)?;
            self.forget()
        };
        written().map_err(|error| {
            let message = format!("cannot write {}", path.display());
            Fault::new(Blame::Config, code::GATEWAY_BROKEN, message)
                .hint("is the disk full? else set XDG_STATE_HOME to a folder you may write to")
                .because(error)
        })?;
        Ok(path)
    }

    fn path(&self, call: &str) -> PathBuf {
        self.folder.join(call).with_extension(ENDING)
    }

    fn kept(&self) -> io::Result<Vec<PathBuf>> {
        let mut kept = Vec::new();
        for file in fs::read_dir(&self.folder)? {
            let path = file?.path();
            if path.extension().is_some_and(|it| it == ENDING) {
                kept.push(path);
            }
        }
        // Later calls have greater names.
        kept.sort();
        Ok(kept)
    }

    fn forget(&self) -> io::Result<()> {
        let kept = self.kept()?;
        let many = kept.len().saturating_sub(KEPT);
        kept[..many].iter().try_for_each(fs::remove_file)
    }
}

/// Writes a recording to a path of one's own, readable by its owner alone; there is all of it, or
/// what was there before.
///
/// # Errors
/// The folder cannot be written to.
pub fn write(path: &Path, recording: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    // What a gateway before us did not finish.
    let _ = fs::remove_file(&part);
    let mut file = open_file(&part)?;
    file.write_all(recording)?;
    file.sync_all()?;
    fs::rename(&part, path)
}

/// Reads a recording.
///
/// # Errors
/// There is none, or it is none.
pub fn open(path: &Path) -> Result<Recording, Fault> {
    let unreadable = |error: io::Error| {
        let message = format!("cannot read {}", path.display());
        Fault::new(Blame::Caller, code::FLIGHT_BROKEN, message)
            .hint("`offhook flight CALL` says where a call's recording is")
            .because(error)
    };
    let mut bytes = Vec::new();
    let file = fs::File::open(path).map_err(unreadable)?;
    // One byte more than there may be: such a file loses its seal here, and is refused.
    let mut file = file.take(MOST_BYTES + 1);
    file.read_to_end(&mut bytes).map_err(unreadable)?;
    Recording::read(&bytes)
}
