//! `offhook pairing`: callers who are not in the configuration, and who may call all the same.

use call::Number;
use jiff::Timestamp;
use policy::Refusal;
use ports::{Blame, Fault, code};
use serde_json::json;

use super::{Done, Out};
use crate::pairings::{Caller, GOOD_FOR, Pairings};
use crate::switchboard::nobody_waits;
use crate::{rules, state};

/// What to do with callers who ask to be paired.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Those who wait for you, and those who may call.
    List,
    /// Make a code for one caller to key. It is shown now and never again.
    New,
    /// Let whoever waits under this name call from now on.
    Confirm {
        /// The name, as `offhook pairing list` prints it.
        id: String,
    },
    /// Forget whoever waits under this name.
    Refuse {
        /// The name, as `offhook pairing list` prints it.
        id: String,
    },
    /// Let somebody not call any more.
    Remove {
        /// Their number, such as +15551234567.
        number: String,
    },
}

/// Does it.
pub(super) async fn run(args: Args, out: &mut Out) -> Result<Done, Fault> {
    let (pairings, now) = (
        Pairings::open(&state::folder())?,
        Timestamp::now().as_millisecond(),
    );
    match args.what.unwrap_or(What::List) {
        What::List => list(&pairings, out).await?,
        What::New => {
            let code = pairings.new_code(now).await?;
            out.json(&json!({ "code": code, "good_for": GOOD_FOR.as_secs() }));
            out.line(format_args!("{code}"));
            let minutes = GOOD_FOR.as_secs() / 60;
            out.line(format_args!(
                "good once, for {minutes} minutes: whoever keys it waits for your `offhook pairing confirm`"
            ));
        }
        What::Confirm { id } => {
            let number = pairings.confirm(&id, now).await?;
            let number = number.ok_or_else(|| nobody_waits(&id))?;
            out.json(&json!({ "paired": number.as_str() }));
            out.line(format_args!("{} may call from now on", number.as_str()));
        }
        What::Refuse { id } => {
            if !pairings.refuse(&id).await? {
                return Err(nobody_waits(&id));
            }
            out.json(&json!({ "refused": id }));
            out.line(format_args!("{id} is forgotten"));
        }
        What::Remove { number } => {
            let number =
                Number::parse(&number).map_err(|fault| rules::told(Refusal::NotANumber(fault)))?;
            if !pairings.remove(&number).await? {
                let message = format!("{number:?} was not paired");
                return Err(Fault::new(Blame::Caller, code::POLICY_PAIRING, message)
                    .hint("`offhook pairing list` says who is"));
            }
            out.json(&json!({ "removed": number.as_str() }));
            out.line(format_args!("{} may not call any more", number.as_str()));
        }
    }
    Ok(Done::Well)
}

async fn list(pairings: &Pairings, out: &mut Out) -> Result<(), Fault> {
    let callers = pairings.callers().await?;
    let when = |at: i64| Timestamp::from_millisecond(at).unwrap_or_default();
    let told =
        |it: &Caller| json!({ "id": it.id, "number": it.number.as_str(), "since": when(it.at) });
    out.json(&json!({
        "waiting": callers.waiting.iter().map(told).collect::<Vec<_>>(),
        "paired": callers.paired.iter().map(told).collect::<Vec<_>>(),
    }));
    for it in &callers.waiting {
        let (number, since) = (it.number.as_str(), when(it.at));
        out.line(format_args!(
            "{}  waits   {number}  since {since:.0}",
            it.id
        ));
    }
    for it in &callers.paired {
        let (number, since) = (it.number.as_str(), when(it.at));
        out.line(format_args!("          paired  {number}  since {since:.0}"));
    }
    if callers.waiting.is_empty() && callers.paired.is_empty() {
        out.line("nobody waits, and nobody is paired");
    }
    Ok(())
}
