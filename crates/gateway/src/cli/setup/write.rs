//! The configuration that was asked for: its text, and the files it comes to.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use call::Number;
use ports::{Blame, Fault, Secret, code};

use crate::state::make_folder;
use crate::tunnel::Tunnel;

/// Everything that was answered.
pub(super) struct Answers<'a> {
    pub(super) listen: SocketAddr,
    pub(super) public: &'a Public,
    /// The carrier's table.
    pub(super) carrier: &'a str,
    pub(super) lines: &'a [(&'static str, String)],
    pub(super) number: &'a Number,
    /// The kind of agent that answers.
    pub(super) agent: &'a str,
    /// The owner's phone.
    pub(super) phone: Option<&'a Number>,
}

/// How carriers reach this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Public {
    /// By an address that leads here.
    At(String),
    /// By a tunnel.
    Through(Tunnel),
}

impl Answers<'_> {
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{HEAD}\n[server]\nlisten = {}\n",
            quoted(&self.listen.to_string())
        );
        let _ = match self.public {
            Public::At(url) => writeln!(text, "public_url = {}", quoted(url)),
            Public::Through(tunnel) => writeln!(text, "expose = {}", quoted(tunnel.name())),
        };
        let _ = writeln!(text, "\n[carriers.{}]", self.carrier);
        for (key, value) in self.lines {
            let _ = writeln!(text, "{key} = {}", quoted(value));
        }
        let (number, carrier) = (quoted(self.number.as_str()), quoted(self.carrier));
        let _ = writeln!(
            text,
            "\n[numbers.{number}]\ncarrier = {carrier}\nagent = \"reception\""
        );
        let _ = writeln!(text, "\n[agents.reception]\nkind = {}", quoted(self.agent));
        let phone = self.phone.map(|it| quoted(it.as_str())).unwrap_or_default();
        let _ = writeln!(
            text,
            "\n{POLICY}\ncall = [{phone}]\nanswer = [{phone}]\nowner = [{phone}]"
        );
        text
    }
}

fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// A configuration that is written, but not yet in its place.
pub(super) struct Draft {
    at: PathBuf,
    place: PathBuf,
}

impl Draft {
    /// Writes it beside its place, and the secrets to where it says they are; for the owner alone.
    pub(super) fn write(
        place: &Path,
        text: &str,
        secrets: &[(String, Secret)],
    ) -> Result<Self, Fault> {
        let folder = folder(place);
        let mut at = place.as_os_str().to_owned();
        at.push(".new");
        let draft = Self {
            at: PathBuf::from(at),
            place: place.to_owned(),
        };
        let written = || -> io::Result<()> {
            for (file, secret) in secrets {
                let file = folder.join(file);
                make_folder(file.parent().unwrap_or(&folder))?;
                private(&file, secret.reveal())?;
            }
            private(&draft.at, text)
        };
        written().map_err(|error| cannot(&draft.at, error))?;
        Ok(draft)
    }

    pub(super) fn path(&self) -> &Path {
        &self.at
    }

    /// Puts it into its place. What was there is kept beside it: where.
    pub(super) fn settle(self) -> Result<Option<PathBuf>, Fault> {
        let put = || -> io::Result<Option<PathBuf>> {
            let kept = if self.place.exists() {
                let kept = unused(&self.place);
                fs::rename(&self.place, &kept)?;
                Some(kept)
            } else {
                None
            };
            fs::rename(&self.at, &self.place)?;
            Ok(kept)
        };
        put().map_err(|error| cannot(&self.place, error))
    }
}

/// Where a file stands.
pub(super) fn folder(of: &Path) -> PathBuf {
    match of.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        Some(_) | None => PathBuf::from("."),
    }
}

/// The first name of its kind that nothing has.
fn unused(place: &Path) -> PathBuf {
    let named = |count: u32| {
        let mut name = place.as_os_str().to_owned();
        name.push(format!(".old{count}"));
        PathBuf::from(name)
    };
    let mut names = (1..).map(named);
    names.find(|it| !it.exists()).unwrap_or_else(|| named(0))
}

/// Writes a file that only its owner can read, whole or not at all.
fn private(path: &Path, text: &str) -> io::Result<()> {
    let mut half = path.as_os_str().to_owned();
    half.push(".half");
    // Removed first, so that the mode below is the file's mode even if it was there.
    let _ = fs::remove_file(&half);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&half)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&half, path)
}

fn cannot(path: &Path, error: io::Error) -> Fault {
    let message = format!("cannot write {}", path.display());
    Fault::new(Blame::Config, code::CONFIG_INVALID, message)
        .hint("choose a folder that you may write to, with --config")
        .because(error)
}

const HEAD: &str = "# Written by `offhook setup`. What else may stand here, `offhook init` explains line by line.\n";

const POLICY: &str = "# Nothing is called and nothing is answered that is not listed here. \"any\" lets everybody call.\n\
                      [policy]";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_there_is_kept() {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let place = folder.path().join("offhook.toml");
        for round in ["one", "two", "three"] {
            let secret = [("s/token".to_owned(), Secret::new(round))];
            let draft = Draft::write(&place, round, &secret).expect("it can be written");
            draft.settle().expect("it can be moved");
        }
        let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("it is there");
        assert_eq!(read("offhook.toml"), "three");
        assert_eq!(
            (read("offhook.toml.old1"), read("offhook.toml.old2")),
            ("one".into(), "two".into())
        );
        assert_eq!(read("s/token"), "three");
        for name in ["offhook.toml", "s/token"] {
            use std::os::unix::fs::PermissionsExt as _;
            let found = fs::metadata(folder.path().join(name)).expect("it is there");
            assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
        }
    }
}
