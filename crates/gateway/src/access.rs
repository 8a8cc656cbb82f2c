//! The tokens that open the control API, and what each may do. Of a token only a hash is kept.

use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use ports::{Blame, Fault, code};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::hex;
use crate::state::{look_locked, make_folder, open_locked, remedy};

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
    file: File,
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
            let mut file = open_locked(&path)?;
            let mut text = String::new();
            file.read_to_string(&mut text)?;
            Ok((file, parse(&text)?))
        };
        let (file, all) = opened().map_err(|error| unusable(&path, error))?;
        Ok(Self { path, file, all })
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
        let saved = self
            .file
            .rewind()
            .and_then(|()| self.file.write_all(&text))
            .and_then(|()| self.file.set_len(text.len() as u64))
            .and_then(|()| self.file.sync_all());
        saved.map_err(|error| unusable(&self.path, error))
    }
}

/// What this token may do; `None`: it opens nothing.
pub fn scope(folder: &Path, token: &str) -> Option<Scope> {
    // Compared as hashes: how long that takes tells nothing about a token.
    let hash = hash(token);
    let mut file = look_locked(&path(folder)).ok()?;
    let mut text = String::new();
    file.read_to_string(&mut text).ok()?;
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
    use super::*;

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
