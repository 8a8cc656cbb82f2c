//! The tokens that open the control API, and what each may do. Of a token only a hash is kept.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex;
use crate::state::{make_folder, open_locked, remedy, replace};

/// What a token may do. Each may do what those before it may.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, clap::ValueEnum,
)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Look at calls.
    Read,
    /// Make calls, say things on them, end them.
    Call,
    /// Everything.
    Admin,
}

/// A token, without what it opens with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Access {
    /// What it is called, to revoke it by.
    pub id: String,
    /// What it may do.
    pub scope: Scope,
    /// When it was made.
    pub created: Timestamp,
    hash: String,
}

/// All tokens of a folder; locked while it is open.
#[derive(Debug)]
pub struct Tokens {
    path: PathBuf,
    /// Held while they are open.
    _lock: File,
    all: Vec<Access>,
}

impl Tokens {
    /// Opens the tokens of a folder, of which there may be none.
    ///
    /// # Errors
    /// The file cannot be read or written, or is something else.
    pub fn open(folder: &Path) -> Result<Self, Fault> {
        let path = path(folder);
        let opened = || -> io::Result<(File, Vec<Access>)> {
            make_folder(folder)?;
            // The tokens themselves are replaced as a whole, so the lock is a file beside them.
            let lock = open_locked(&folder.join("tokens.lock"))?;
            let all = match fs::read_to_string(&path) {
                Ok(text) => parse(&text)?,
                Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
                Err(error) => return Err(error),
            };
            Ok((lock, all))
        };
        let (lock, all) = opened().map_err(|error| unusable(&path, error))?;
        Ok(Self {
            path,
            _lock: lock,
            all,
        })
    }

    /// Makes a token. It is told here and nowhere else.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn create(&mut self, scope: Scope, now: Timestamp) -> Result<(Access, String), Fault> {
        let token = format!("offhook_{}", hex::random(32));
        let access = Access {
            id: hex::random(4),
            scope,
            created: now,
            hash: hash(&token),
        };
        self.all.push(access.clone());
        self.save()?;
        Ok((access, token))
    }

    /// All there are, the oldest first.
    pub fn all(&self) -> &[Access] {
        &self.all
    }

    /// Makes a token worthless. `false`: there is none of this name.
    ///
    /// # Errors
    /// That cannot be written down.
    pub fn revoke(&mut self, id: &str) -> Result<bool, Fault> {
        let before = self.all.len();
        self.all.retain(|it| it.id != id);
        self.save()?;
        Ok(self.all.len() < before)
    }

    fn save(&mut self) -> Result<(), Fault> {
        let text = serde_json::to_vec(&self.all).expect("a token is plain data");
        replace(&self.path, &text).map_err(|error| unusable(&self.path, error))
    }
}

/// What this token may do; `None`: it opens nothing.
pub fn scope(folder: &Path, token: &str) -> Option<Scope> {
    // Compared as hashes: how long that takes tells nothing about a token.
    let hash = hash(token);
    let text = fs::read_to_string(path(folder)).ok()?;
    let all = parse(&text).ok()?;
    all.iter().find(|it| it.hash == hash).map(|it| it.scope)
}

fn parse(text: &str) -> io::Result<Vec<Access>> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    Ok(serde_json::from_str(text)?)
}

fn path(folder: &Path) -> PathBuf {
    folder.join("tokens.json")
}

fn hash(token: &str) -> String {
    hex::of(&Sha256::digest(token))
}

fn unusable(path: &Path, error: io::Error) -> Fault {
    let message = format!("the tokens in {} cannot be used", path.display());
    Fault::new(Blame::Config, code::GATEWAY_BROKEN, message)
        .hint(format!(
            "{}; or remove the file, and every token with it",
            remedy(&error)
        ))
        .because(error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn tokens_are_replaced_as_a_whole() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let open = || Tokens::open(folder.path()).expect("the folder is ours");
        let create = |scope| open().create(scope, Timestamp::UNIX_EPOCH);
        let (_, token) = create(Scope::Read).expect("it can be written");
        // Whoever reads them meanwhile has all of the old ones.
        let before = fs::File::open(path(folder.path())).expect("it is there");
        create(Scope::Call).expect("it can be written");
        let text = io::read_to_string(before).expect("it is still there");
        assert_eq!(parse(&text).map(|it| it.len()).ok(), Some(1));
        // A process that died while it wrote has left something behind.
        let half = path(folder.path()).with_extension("new");
        fs::write(half, "[{").expect("the folder is ours");
        assert_eq!(scope(folder.path(), &token), Some(Scope::Read));
        create(Scope::Admin).expect("it can be written");
        assert_eq!(open().all().len(), 3);
        let mode = fs::metadata(path(folder.path())).map(|it| it.permissions().mode());
        assert_eq!(mode.ok().map(|it| it & 0o777), Some(0o600));
    }

    #[test]
    fn a_token_opens_until_it_is_revoked() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        assert_eq!(scope(folder.path(), "anything"), None);
        let open = || Tokens::open(folder.path()).expect("the folder is ours");
        let (kept, token) = open()
            .create(Scope::Call, Timestamp::UNIX_EPOCH)
            .expect("it can be written");
        let (_, other) = open()
            .create(Scope::Read, Timestamp::UNIX_EPOCH)
            .expect("it can be written");
        assert_eq!(scope(folder.path(), &token), Some(Scope::Call));
        assert_eq!(scope(folder.path(), &other), Some(Scope::Read));
        let file = std::fs::read_to_string(path(folder.path())).expect("it is there");
        assert!(!file.contains(&token) && !file.contains(&token[8..]));
        assert!(open().revoke(&kept.id).expect("it can be written"));
        assert!(!open().revoke(&kept.id).expect("it can be written"));
        assert_eq!(scope(folder.path(), &token), None);
        assert_eq!(open().all().len(), 1);
    }
}
