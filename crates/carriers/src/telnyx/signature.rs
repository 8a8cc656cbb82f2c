//! Proves that a webhook is Telnyx's.
//!
//! Telnyx signs the time and the body, to the byte, with Ed25519
//! ([webhook signing](https://developers.telnyx.com/development/api-fundamentals/webhooks/receiving-webhooks)).
//! Nothing else of a request is signed: neither its address nor its method.

use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ports::carrier::Request;
use ring::signature::{ED25519, UnparsedPublicKey};

/// The account's public key: 32 bytes.
#[derive(Clone, Debug)]
pub(super) struct Key([u8; 32]);

impl Key {
    /// Reads a key as the portal shows it, in base64.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text.trim()).ok()?;
        bytes.try_into().ok().map(Self)
    }
}

/// Why a request is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Its signature or its time is missing, or neither one nor the other.
    Unsigned,
    /// It was signed too long ago, or is yet to be.
    Stale,
    /// Someone else signed it, or it was changed since.
    Mismatch,
    /// It has its news in its address, which is not signed.
    Get,
}

/// Whether `request` was signed by the owner of `key`, not long before or after it came.
pub(super) fn check(request: &Request, key: &Key) -> Result<(), Doubt> {
    if request.method != "POST" {
        return Err(Doubt::Get);
    }
    let signature = request.header(SIGNATURE).ok_or(Doubt::Unsigned)?;
    let written = request.header(TIMESTAMP).ok_or(Doubt::Unsigned)?;
    let signature = STANDARD.decode(signature).map_err(|_| Doubt::Unsigned)?;
    let signed = timestamp(written).ok_or(Doubt::Unsigned)?;
    let apart = match request.received.duration_since(signed) {
        Ok(since) => since,
        Err(until) => until.duration(),
    };
    // Whole seconds, as Telnyx's own libraries count them.
    if apart.as_secs() > TOLERANCE.as_secs() {
        return Err(Doubt::Stale);
    }
    let mut message = Vec::with_capacity(written.len() + 1 + request.body.len());
    message.extend_from_slice(written.as_bytes());
    message.push(b'|');
    message.extend_from_slice(&request.body);
    UnparsedPublicKey::new(&ED25519, &key.0)
        .verify(&message, &signature)
        .map_err(|_| Doubt::Mismatch)
}

fn timestamp(text: &str) -> Option<SystemTime> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let seconds = text.parse().ok().filter(|_| digits)?;
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

const SIGNATURE: &str = "telnyx-signature-ed25519";
const TIMESTAMP: &str = "telnyx-timestamp";

/// How old a webhook may be, and how far ahead the far clock.
const TOLERANCE: Duration = Duration::from_secs(300);
