//! Where secrets come from: the environment, a file, or the configuration itself.

use std::fs;
use std::io::Read;
use std::path::Path;

use ports::Secret;

use super::file::{Audience, audience};

/// What a configuration may look up outside its own file.
pub(super) struct Outside<'o> {
    /// A variable of the environment.
    pub env: &'o dyn Fn(&str) -> Option<String>,
    /// The folder that relative paths start from.
    pub folder: &'o Path,
}

/// A secret, and whether it stands in the configuration itself.
pub(super) struct Found {
    pub secret: Secret,
    pub origin: Origin,
}

/// Where a secret was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// Behind `env:` or `file:`.
    Elsewhere,
    /// In the configuration.
    Here,
}

/// Why a secret cannot be had: what is wrong, and what to do. Never repeats what was written.
pub(super) struct Unfound {
    pub message: String,
    pub hint: String,
}

/// Follows `env:NAME` and `file:PATH`; anything else is the secret itself.
pub(super) fn resolve(written: &str, outside: &Outside<'_>) -> Result<Found, Unfound> {
    if let Some(name) = written.strip_prefix("env:") {
        return from_env(name.trim(), outside).map(elsewhere);
    }
    if let Some(path) = written.strip_prefix("file:") {
        return from_file(path.trim(), outside).map(elsewhere);
    }
    let origin = Origin::Here;
    Ok(Found {
        secret: Secret::new(written),
        origin,
    })
}

fn elsewhere(secret: Secret) -> Found {
    Found {
        secret,
        origin: Origin::Elsewhere,
    }
}

fn from_env(name: &str, outside: &Outside<'_>) -> Result<Secret, Unfound> {
    let named = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(named) {
        return Err(unfound(
            "names no variable: after `env:` comes a name of letters, digits and _",
            "write it as `env:MY_TOKEN`, and put the value into the environment",
        ));
    }
    let value = (outside.env)(name).unwrap_or_default();
    if value.trim().is_empty() {
        // Someone may have written the secret itself behind `env:`; names are in capitals.
        let capitals = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_';
        let name = if name.chars().all(capitals) {
            name
        } else {
            "…"
        };
        let message = format!("asks for the environment variable {name}, which is not set");
        let hint = format!("run `export {name}=…` before offhook, or use `file:PATH`");
        return Err(unfound(message, hint));
    }
    Ok(Secret::new(value.trim()))
}

fn from_file(path: &str, outside: &Outside<'_>) -> Result<Secret, Unfound> {
    if path.is_empty() {
        return Err(unfound("names no file", "write it as `file:PATH`"));
    }
    let full = outside.folder.join(path);
    let cannot = |error: &std::io::Error| {
        let message = format!("asks for the file {path}, which cannot be read: {error}");
        unfound(
            message,
            "paths start from the folder of the configuration; `~` means nothing",
        )
    };
    let file = fs::File::open(full).map_err(|error| cannot(&error))?;
    let meta = file.metadata().map_err(|error| cannot(&error))?;
    if audience(&meta) == Audience::Everyone {
        let message = format!("asks for the file {path}, which everyone on this machine can read");
        return Err(unfound(message, format!("run `chmod 600 {path}`")));
    }
    let mut text = String::new();
    let read = file.take(LARGEST + 1).read_to_string(&mut text);
    read.map_err(|error| cannot(&error))?;
    if text.len() as u64 > LARGEST {
        let message = format!("asks for the file {path}, which is too long for a secret");
        return Err(unfound(message, "put the secret there and nothing else"));
    }
    if text.trim().is_empty() {
        let message = format!("asks for the file {path}, which is empty");
        return Err(unfound(message, "put the secret there and nothing else"));
    }
    Ok(Secret::new(text.trim()))
}

fn unfound(message: impl Into<String>, hint: impl Into<String>) -> Unfound {
    Unfound {
        message: message.into(),
        hint: hint.into(),
    }
}

const LARGEST: u64 = 64 * 1024;
