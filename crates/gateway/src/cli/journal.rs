//! `offhook journal`.

use ports::Fault;

use super::{Done, Out};
use crate::journal::Reader;
use crate::state;

/// What to do with the journal.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Copy, Debug, clap::Subcommand)]
enum What {
    /// Check that nothing in it was changed, taken out or put elsewhere.
    Verify,
}

/// Does it.
pub(super) async fn run(args: Args, out: &mut Out) -> Result<Done, Fault> {
    match args.what {
        What::Verify => verify(out).await,
    }
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
