//! Hashes by which a webhook is known when it comes again.

use ports::carrier::Imprint;
use sha2::{Digest as _, Sha256};

/// Of what the carrier repeats, and of what it signed.
pub(crate) fn imprint(notice: &[u8], proof: &[u8]) -> Imprint {
    Imprint {
        notice: Sha256::digest(notice).into(),
        proof: Sha256::digest(proof).into(),
    }
}
