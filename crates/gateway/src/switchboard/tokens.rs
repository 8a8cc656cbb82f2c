//! The tokens that open media sockets: one call, one use, a short life.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};

use super::CallId;
use crate::hex;

/// The tokens that are out. What is kept of each is a hash, so that finding one takes no time that
/// depends on how close a guess was.
#[derive(Debug, Default)]
pub(super) struct Tokens(HashMap<[u8; 32], Issued>);

#[derive(Debug)]
struct Issued {
    call: CallId,
    carrier: String,
    until: Instant,
}

/// How long a carrier has to open the socket.
const LIFE: Duration = Duration::from_secs(30);

impl Tokens {
    /// Makes a token: 256 random bits in hexadecimal. Those that the call had before open nothing any
    /// more: its sound is to go elsewhere now.
    pub(super) fn mint(&mut self, now: Instant, call: CallId, carrier: &str) -> String {
        self.0.retain(|_, it| it.until > now && it.call != call);
        let token = hex::random(32);
        let issued = Issued {
            call,
            carrier: carrier.to_owned(),
            until: now + LIFE,
        };
        self.0.insert(hash(&token), issued);
        token
    }

    /// The call a token opens, if it is good. Does not use it up.
    pub(super) fn peek(&self, now: Instant, token: &str, carrier: &str) -> Option<CallId> {
        let issued = self.0.get(&hash(token))?;
        (issued.until > now && issued.carrier == carrier).then_some(issued.call)
    }

    /// Uses a token up.
    pub(super) fn redeem(&mut self, now: Instant, token: &str, carrier: &str) -> Option<CallId> {
        let call = self.peek(now, token, carrier)?;
        self.0.remove(&hash(token));
        Some(call)
    }

    /// Forgets the tokens of a call that is over.
    pub(super) fn forget(&mut self, call: CallId) {
        self.0.retain(|_, it| it.call != call);
    }
}

fn hash(token: &str) -> [u8; 32] {
    Sha256::digest(token.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_one_socket_of_one_carrier_for_a_while() {
        let now = Instant::now();
        let call = CallId::random();
        let mut tokens = Tokens::default();
        let token = tokens.mint(now, call, "a");
        assert_eq!(token.len(), 64);
        assert_eq!(
            tokens.peek(now, &token, "b"),
            None,
            "another carrier's door"
        );
        assert_eq!(tokens.peek(now + LIFE, &token, "a"), None, "too late");
        assert_eq!(tokens.peek(now, &token[1..], "a"), None, "not a token");
        assert_eq!(tokens.redeem(now, &token, "a"), Some(call));
        assert_eq!(tokens.redeem(now, &token, "a"), None, "used");
        let token = tokens.mint(now, call, "a");
        let next = tokens.mint(now, call, "a");
        assert_eq!(tokens.peek(now, &token, "a"), None, "there is a later one");
        let token = next;
        assert_eq!(tokens.peek(now, &token, "a"), Some(call));
        tokens.forget(call);
        assert_eq!(tokens.redeem(now, &token, "a"), None, "the call is over");
    }
}
