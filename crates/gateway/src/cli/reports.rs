//! `offhook reports`: what the owner's own systems are told, what did not arrive there, and trying that again.

use std::path::PathBuf;

use jiff::Timestamp;
use ports::Fault;

use super::call::{accepted, garbled, unreachable};
use super::tail::{moment, short};
use super::{Done, Out};
use crate::http::reports::{
    DeadView, DestinationView, MOST_LISTED, ReplayOrder, Replayed, nothing_dead,
};
use crate::outbox::{Account, DeadLetter, Store, Which};
use crate::state::{self, Running};

/// What to do with reports.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Where they go, and how that stands: what is done if nothing else is said.
    List,
    /// What is tried no more.
    Dead,
    /// Try that again.
    Replay(ReplayArgs),
}

/// What to try again.
#[derive(Debug, clap::Args)]
struct ReplayArgs {
    /// A destination, or a message: its name, or how it ends.
    #[arg(required_unless_present = "all_dead", conflicts_with = "all_dead")]
    which: Option<String>,
    /// Whatever is tried no more.
    #[arg(long)]
    all_dead: bool,
    /// Only of what happened since then: `10m`, `2h`, or a moment such as `2026-01-31T12:00:00Z`.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
}

/// Does it.
pub(super) async fn run(args: Args, config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    match args.what {
        None | Some(What::List) => list(config, out).await,
        Some(What::Dead) => dead(out).await,
        Some(What::Replay(args)) => replay(args, out).await,
    }
}

async fn list(config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    // Whatever else is wrong with the configuration is not of interest here.
    let path = crate::config::find(config.as_deref());
    let loaded = crate::config::load(&path, &super::lists()).ok();
    let plans = loaded.map(|it| it.plan.reports).unwrap_or_default();
    let accounts = match Store::of_folder(&state::folder())? {
        Some(store) => store.accounts().await?,
        None => Vec::new(),
    };
    if accounts.is_empty() {
        out.line(
            "nobody is told of calls yet: write a [reports.NAME] table, and restart the gateway",
        );
    }
    for account in accounts {
        let door = plans.get(&account.name).map(|it| it.door.shown());
        out.line(row(&account, door.as_deref()));
        if let Some(error) = &account.error {
            let tried = account.tried.map(|it| format!("{it:.0}"));
            let tried = tried.unwrap_or_default();
            out.line(format_args!("        last try, {tried}: {error}"));
        }
        out.json(&DestinationView::of(account, door.is_some()));
    }
    Ok(Done::Well)
}

fn row(account: &Account, door: Option<&str>) -> String {
    let Account {
        name,
        waiting,
        delivered,
        dead,
        ..
    } = account;
    let door = door.unwrap_or("not in the configuration");
    format!("{name:<16}  waiting {waiting}  delivered {delivered}  dead {dead}  to {door}")
}

async fn dead(out: &mut Out) -> Result<Done, Fault> {
    let dead = match Store::of_folder(&state::folder())? {
        Some(store) => store.dead(MOST_LISTED).await?,
        None => Vec::new(),
    };
    if dead.is_empty() {
        out.line("all reports arrived, or are still being tried");
    }
    for dead in dead.into_iter().rev() {
        let DeadLetter { letter, error } = &dead;
        let (call, time) = (short(&letter.call), letter.at);
        out.line(format_args!(
            "{}  {time:.0}  {} of call {call} to {}: {error}, {} tries",
            letter.id, letter.kind, letter.destination, letter.tries.all
        ));
        out.json(&DeadView::from(dead));
    }
    Ok(Done::Well)
}

/// The gateway that runs here does it, or is told by the next one's outbox.
async fn replay(args: ReplayArgs, out: &mut Out) -> Result<Done, Fault> {
    let now = Timestamp::now();
    let since = args
        .since
        .as_deref()
        .map(|it| moment(it, now))
        .transpose()?;
    let which = args.which;
    let replayed = match Running::find().await {
        Some(running) => {
            let order = ReplayOrder { which, since };
            let asked = running.post("/v1/reports/replay").json(&order).send();
            let answer = accepted(asked.await.map_err(unreachable)?).await?;
            let body = answer.bytes().await.map_err(unreachable)?;
            let replayed: Replayed = serde_json::from_slice(&body).map_err(garbled)?;
            replayed.replayed
        }
        None => {
            let named = which.map_or(Which::All, Which::Named);
            let store = Store::open(&state::folder())?;
            match store.revive(named.clone(), since, now).await? {
                0 if named != Which::All => return Err(nothing_dead()),
                replayed => replayed,
            }
        }
    };
    out.json(&Replayed { replayed });
    out.line(match replayed {
        0 => "there was nothing to try again".to_owned(),
        1 => "1 report is tried again".to_owned(),
        many => format!("{many} reports are tried again"),
    });
    Ok(Done::Well)
}
