//! How entries hang together.

use sha2::{Digest, Sha256};

/// Stands for an entry and for all before it.
pub(super) type Hash = [u8; 32];

/// Before the first entry of all.
pub(super) const BEGINNING: Hash = [0; 32];

/// The hash of an entry that follows the one with hash `before`.
pub(super) fn link(before: &Hash, id: u64, entry: &str) -> Hash {
    let mut hash = Sha256::new();
    hash.update(before);
    hash.update(id.to_le_bytes());
    hash.update(entry);
    hash.finalize().into()
}
