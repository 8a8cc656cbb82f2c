//! Signatures by which whoever is told something knows that it is we who tell it ([Standard Webhooks]).
//!
//! [Standard Webhooks]: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use ports::Secret;
use sha2::Sha256;

/// What we sign with.
#[derive(Clone)]
pub struct Signer(Hmac<Sha256>);

impl Signer {
    /// Of a secret as it is written: `whsec_` and base64. `None`: it is not.
    pub fn new(secret: &Secret) -> Option<Self> {
        let key = secret.reveal().trim().strip_prefix("whsec_")?;
        let key = STANDARD.decode(key).ok()?;
        if key.len() < SHORTEST {
            return None;
        }
        Hmac::new_from_slice(&key).ok().map(Self)
    }

    /// The signature of a body under this name, sent so many seconds after the epoch.
    pub fn sign(&self, id: &str, seconds: u64, body: &[u8]) -> String {
        let mut mac = self.0.clone();
        mac.update(format!("{id}.{seconds}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

/// In bytes. Shorter ones can be guessed.
const SHORTEST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the reference libraries.
    #[test]
    fn it_signs_as_others_do() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signer = Signer::new(&secret).expect("it is one");
        let signature = signer.sign(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            br#"{"test": 2432232314}"#,
        );
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn what_is_no_secret_is_refused() {
        for wrong in ["sesame", "whsec_", "whsec_%%", "whsec_c2hvcnQ="] {
            assert!(Signer::new(&Secret::new(wrong)).is_none(), "{wrong}");
        }
    }
}
