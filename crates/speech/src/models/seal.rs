//! What we found each file to be when we put it in place, so that a glance is enough later.

use std::collections::BTreeMap;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::Path;
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The seals of a store's files, by where each is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Seals(BTreeMap<String, Seal>);

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Seal {
    sha256: String,
    size: u64,
    modified_ns: u64,
}

impl Seals {
    /// None if there are none, or if they cannot be read: then everything is hashed again.
    pub(super) fn read(store: &Path) -> Self {
        let text = fs::read_to_string(store.join(FILE)).unwrap_or_default();
        serde_json::from_str(&text).unwrap_or_default()
    }

    /// Replaces the seals of a store in one step.
    pub(super) fn write(&self, store: &Path) -> io::Result<()> {
        let new = store.join(format!("{FILE}.new"));
        fs::write(&new, serde_json::to_string_pretty(self)?)?;
        fs::rename(new, store.join(FILE))
    }

    /// Remembers what a file in its place is.
    pub(super) fn seal(&mut self, kept: &str, sha256: String, meta: &Metadata) {
        let seal = Seal {
            sha256,
            size: meta.len(),
            modified_ns: modified_ns(meta),
        };
        self.0.insert(kept.to_owned(), seal);
    }

    /// The hash a file had when it was put in place.
    pub(super) fn sealed(&self, kept: &str) -> Option<&str> {
        self.0.get(kept).map(|seal| seal.sha256.as_str())
    }

    /// The same, if the file has not been touched since.
    pub(super) fn unbroken(&self, kept: &str, meta: &Metadata) -> Option<&str> {
        let seal = self.0.get(kept)?;
        let same = seal.size == meta.len() && seal.modified_ns == modified_ns(meta);
        same.then_some(seal.sha256.as_str())
    }
}

/// The SHA-256 of a file, in hexadecimal.
pub(super) fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let n = file.read(&mut buffer)?;
        if n == 0 {
            break;
        }
        hash.update(&buffer[..n]);
    }
    let hex = |byte: &u8| format!("{byte:02x}");
    Ok(hash.finalize().iter().map(hex).collect())
}

fn modified_ns(meta: &Metadata) -> u64 {
    let since = meta
        .modified()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_nanos() as u64)
}

const FILE: &str = "seals.json";
