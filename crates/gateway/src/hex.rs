//! Bytes as text.

use rand::RngCore;

/// Two digits for each byte.
pub(crate) fn of(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// So many random bytes, as text: a name or a token that nobody can guess.
pub(crate) fn random(bytes: usize) -> String {
    let mut bits = vec![0u8; bytes];
    rand::rng().fill_bytes(&mut bits);
    of(&bits)
}
