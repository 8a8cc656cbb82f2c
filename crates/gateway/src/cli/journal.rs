//! `offhook journal`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ports::{Blame, Fault, code};

use super::{Done, Out};
use crate::config;
use crate::journal::{HIDDEN, Keys, Reader, SealKey};
use crate::state;

/// What to do with the journal.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Make a key to encrypt the journal with, and say how to use it.
    Key {
        /// The file to write it to, which must not be there yet; else it is printed.
        file: Option<PathBuf>,
    },
    /// Check that nothing in it was changed, taken out or put elsewhere.
    Verify,
}

/// Does it.
pub(super) async fn run(args: Args, out: &mut Out) -> Result<Done, Fault> {
    match args.what {
        What::Key { file: Some(file) } => key(&file, out),
        What::Key { file: None } => {
            let key = SealKey::random();
            out.json(&serde_json::json!({ "key": key }));
            out.line(key);
            Ok(Done::Well)
        }
        What::Verify => verify(out).await,
    }
}

/// Someone who reads the journal whether a gateway runs or not, with the keys that the configuration
/// names.
pub(super) fn reader(config: Option<&Path>, out: &mut Out) -> Result<Reader, Fault> {
    let reader = Reader::of_folder(&state::folder())?;
    Ok(reader.with_keys(keys(config, out)))
}

/// The keys that the configuration names. Those that cannot be had are said on the side.
pub(super) fn keys(config: Option<&Path>, out: &mut Out) -> Keys {
    let keys = config::journal_keys(&config::find(config));
    keys.unwrap_or_else(|problems| {
        for problem in &problems {
            out.problem("warning", problem);
        }
        Keys::default()
    })
}

/// Says why there are dots, if there are.
pub(super) fn explain(reader: &Reader, out: &mut Out) {
    if reader.hid_something() {
        out.aside(format_args!(
            "{HIDDEN} is encrypted; its key is not what `key` or `old_keys` in [journal] name"
        ));
    }
}

fn key(path: &Path, out: &mut Out) -> Result<Done, Fault> {
    let key = SealKey::random();
    let mut options = OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(path);
    let written = file.and_then(|mut file| writeln!(file, "{key}"));
    written.map_err(|error| {
        let message = format!("cannot write the key to {}", path.display());
        Fault::new(Blame::Caller, code::JOURNAL_KEY, message)
            .hint("name a file that is not there yet, in a folder of yours")
            .because(error)
    })?;
    let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    out.json(&serde_json::json!({ "file": full }));
    out.line(format_args!(
        "the key is in {0}: keep a copy, for without it nobody reads the journal again\n\n\
         [journal]\nkey = \"file:{0}\"",
        full.display()
    ));
    Ok(Done::Well)
}

async fn verify(out: &mut Out) -> Result<Done, Fault> {
    let reader = Reader::of_folder(&state::folder())?;
    match reader.verify().await? {
        Ok(entries) => {
            out.json(&serde_json::json!({ "entries": entries, "flaw": null }));
            out.line(format_args!("{entries} entries, each as it was written"));
            Ok(Done::Well)
        }
        Err(flaw) => {
            out.json(&serde_json::json!({ "flaw": { "entry": flaw.id, "what": flaw.what } }));
            out.line(format_args!("entry {}: {}", flaw.id, flaw.what));
            Ok(Done::CallFailed)
        }
    }
}
