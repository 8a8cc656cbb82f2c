//! Names for conversations that go on from one call to the next: the same for the same caller, and nothing that a number
//! could be read from.

use std::io::{Read as _, Write as _};
use std::path::Path;

use call::Number;
use hmac::{Hmac, Mac as _};
use ports::{Blame, Fault, Secret, code};
use serde_json::json;
use sha2::Sha256;

use crate::hex;
use crate::state::{open_locked, remedy};

/// What names are made with. It stays in the folder, so that they stay the same.
#[derive(Debug)]
pub(crate) struct Sessions(Secret);

impl Sessions {
    /// Those of a folder.
    ///
    /// # Errors
    /// Its key cannot be read or written.
    pub(crate) fn open(folder: &Path) -> Result<Self, Fault> {
        let opened = || -> std::io::Result<String> {
            let mut file = open_locked(&folder.join("sessions.key"))?;
            let mut key = String::new();
            (&mut file)
                .take(LENGTH as u64 * 2)
                .read_to_string(&mut key)?;
            // One that was cut short by a full disk is none.
            if key.len() < LENGTH * 2 {
                key = hex::random(LENGTH);
                file.set_len(0)?;
                std::io::Seek::rewind(&mut file)?;
                file.write_all(key.as_bytes())?;
                file.sync_all()?;
            }
            Ok(key)
        };
        let key = opened().map_err(|error| {
            let message = "the key for names of conversations cannot be kept";
            let hint = remedy(&error);
            Fault::new(Blame::Config, code::GATEWAY_BROKEN, message)
                .hint(hint)
                .because(error)
        })?;
        Ok(Self(Secret::new(key)))
    }

    /// That of an agent and a caller.
    pub(crate) fn with(&self, agent: &str, caller: &Number) -> String {
        self.name(&json!(["caller", agent, caller.as_str()]).to_string())
    }

    /// That of an agent and all its callers.
    pub(crate) fn of_all(&self, agent: &str) -> String {
        self.name(&json!(["shared", agent]).to_string())
    }

    fn name(&self, of: &str) -> String {
        let mac = Hmac::<Sha256>::new_from_slice(self.0.reveal().as_bytes());
        let mut mac = mac.expect("a key may have any length");
        mac.update(of.as_bytes());
        hex::of(&mac.finalize().into_bytes()[..16])
    }
}

/// In bytes.
const LENGTH: usize = 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_the_same_and_tells_nothing() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let open = || Sessions::open(folder.path()).expect("the folder is ours");
        let number = |text| Number::parse(text).expect("a number");
        let [mom, ben] = ["+15551234567", "+15557654321"].map(number);
        let name = open().with("reception", &mom);
        assert_eq!(name, open().with("reception", &mom));
        assert_eq!(name.len(), 32);
        let others = [
            open().with("reception", &ben),
            open().with("other", &mom),
            open().of_all("reception"),
        ];
        assert!(!others.contains(&name), "{others:?}");
        let elsewhere = tempfile::tempdir().expect("a folder can be made");
        let elsewhere = Sessions::open(elsewhere.path()).expect("the folder is ours");
        assert_ne!(elsewhere.with("reception", &mom), name);
        // What was cut short is made anew.
        std::fs::write(folder.path().join("sessions.key"), "abc").expect("it is ours");
        assert_ne!(open().with("reception", &mom), name);
        assert_eq!(
            open().with("reception", &mom),
            open().with("reception", &mom)
        );
    }
}
