//! `offhook demo`: a whole conversation over the carrier's real wire, on this machine alone.

mod phone;
mod told;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use exchange::{Exchange, Outcome};
use media::Rate;
use ports::{Blame, Fault, code};
use serde_json::Value;
use speech::local::Scribe;
use speech::models::{Progress, Store};

use super::{Done, Out, lists, load_voice, story};
use crate::blocking::blocking;
use crate::gateway::Gateway;
use crate::switchboard::{Record, Wish};
use crate::{config, flight};
use phone::{Band, Caller};
use told::Files;

/// Where to put what the demo leaves behind, and who calls.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where the recordings go.
    #[arg(long, value_name = "DIR", default_value = "out/demo")]
    out: PathBuf,
    /// Over this carrier's wire.
    #[arg(long, value_name = "NAME", value_parser = clap::builder::PossibleValuesParser::new(exchange::CARRIERS))]
    carrier: Option<String>,
    /// In wideband sound (16 kHz), where the carrier has it.
    #[arg(long)]
    wide: bool,
    /// Let this recorded voice be the caller, one file a turn (WAV, mono).
    #[arg(long = "caller", value_name = "WAV")]
    recorded: Vec<PathBuf>,
}

/// Plays a conversation and says how it went.
pub async fn run(args: Args, out: &mut Out) -> Result<Done, Fault> {
    let dir = fs::create_dir_all(&args.out).and_then(|()| fs::canonicalize(&args.out));
    let dir = dir.map_err(|error| cannot_write(&args.out, error))?;
    let store = Store::of_user();
    let band = if args.wide { Band::Wide } else { Band::Narrow };
    let caller = prepare(&store, &args.recorded, band, out).await?;
    let exchange = exchange(&caller, args.carrier.as_deref(), band).await?;
    let gateway = gateway(&exchange, &dir).await?;
    out.line("a phone rings, and a person picks up. No account, no key, no network.\n");

    let wish = Wish {
        to: THEIRS.to_owned(),
        ..Wish::default()
    };
    let record = gateway.board.dial(wish).await?;
    follow(&record, out).await;
    let outcome = outcome(&exchange).await?;
    let silence = gateway.board.plan().patience.endpoint;
    let inside = args.out.join(format!("{}.wav", record.id));
    let flight = keep_flight(&gateway, &record, &args.out).await?;
    gateway.close(Duration::from_secs(3)).await;

    let heard = args.out.join("heard.wav");
    outcome
        .ear
        .write_wav(&heard)
        .map_err(|error| cannot_write(&heard, error))?;
    let (agent, person) = transcribe(store, &outcome).await?;
    let summary = told::Summary::of(
        &record,
        &outcome,
        (&agent, &person),
        silence,
        &Files {
            heard,
            inside,
            flight,
        },
    );
    summary.print(out);
    Ok(summary.done())
}

/// Fetches what is missing, and readies the caller's side.
async fn prepare(
    store: &Store,
    recorded: &[PathBuf],
    band: Band,
    out: &mut Out,
) -> Result<Caller, Fault> {
    out.line("loading ears and voices …");
    let (store, recorded) = (store.clone(), recorded.to_vec());
    blocking("the demo", move || {
        store.fetch(Progress::detect())?;
        match recorded.as_slice() {
            [] => Caller::spoken(&store, band),
            files => Caller::recorded(files),
        }
    })
    .await
}

/// The other end of the wire, with a phone that is picked up.
async fn exchange(caller: &Caller, carrier: Option<&str>, band: Band) -> Result<Exchange, Fault> {
    let exchange = Exchange::builder()
        .number(OURS, "http://127.0.0.1:9/not-used")
        .phone(THEIRS, caller.plan());
    let exchange = match carrier {
        Some(name) => exchange.carrier(name),
        None => exchange,
    };
    let exchange = match band {
        Band::Narrow => exchange,
        Band::Wide => exchange.wideband(),
    };
    let built = exchange.start().await;
    built.map_err(|error| broken("the exchange cannot start").because(error))
}

/// A gateway as anyone would run it, from a configuration that is left behind to look at.
async fn gateway(exchange: &Exchange, dir: &Path) -> Result<Gateway, Fault> {
    let port =
        exchange::free_port().map_err(|error| broken("there is no free port").because(error))?;
    let path = dir.join("offhook.toml");
    let text = configuration(exchange, port, dir);
    fs::write(&path, text).map_err(|error| cannot_write(&path, error))?;
    let loaded = config::load(&path, &lists()).map_err(|problems| {
        let all: Vec<_> = problems.iter().map(ToString::to_string).collect();
        broken(format!(
            "the demo's own configuration is wrong: {}",
            all.join("; ")
        ))
    })?;
    let voice = load_voice(&loaded.plan);
    let gateway = Gateway::start(loaded.plan, voice, dir.join("state")).await?;
    gateway.board.warm_up().await?;
    Ok(gateway)
}

fn configuration(exchange: &Exchange, port: u16, dir: &Path) -> String {
    let (carrier, table) = (exchange.carrier(), exchange.configuration());
    let dir = toml::Value::from(dir.display().to_string());
    format!(
        r#"# Written by `offhook demo`. Its carrier is a program on this machine.
[server]
listen = "127.0.0.1:{port}"
public_url = "http://127.0.0.1:{port}"

{table}
[numbers."{OURS}"]
carrier = "{carrier}"
agent = "front-desk"

[agents.front-desk]
kind = "answering-service"

[policy]
call = ["{THEIRS}"]
owner = ["{THEIRS}"]

[recordings]
dir = {dir}
"#
    )
}

/// Tells the story as it happens.
async fn follow(record: &Record, out: &mut Out) {
    let mut seen = 0;
    loop {
        let entries = record.log.wait(seen).await;
        if entries.is_empty() {
            return;
        }
        seen += entries.len();
        for entry in entries {
            let event = serde_json::to_value(entry).unwrap_or(Value::Null);
            if let Some(line) = story::line(&event) {
                out.line(line);
            }
        }
    }
}

/// Writes what the call was told next to its sound. A call that never started was told nothing.
async fn keep_flight(
    gateway: &Gateway,
    record: &Record,
    dir: &Path,
) -> Result<Option<PathBuf>, Fault> {
    let Ok(snapshot) = gateway.board.flight(record).await else {
        return Ok(None);
    };
    let (path, log) = (
        dir.join(format!("{}.flight", record.id)),
        record.log.clone(),
    );
    blocking("writing the flight recording", move || {
        let written = flight::write(&path, &snapshot.seal(&log));
        written.map_err(|error| cannot_write(&path, error))?;
        Ok(Some(path))
    })
    .await
}

async fn outcome(exchange: &Exchange) -> Result<Arc<Outcome>, Fault> {
    let outcome = tokio::time::timeout(Duration::from_secs(20), exchange.next_outcome()).await;
    outcome.map_err(|_| broken("the exchange did not see the call end"))
}

/// Both sides of what the phone heard, written down again by the ears.
async fn transcribe(store: Store, outcome: &Outcome) -> Result<(String, String), Fault> {
    let ear = &outcome.ear;
    let (agent, caller, rate) = match ear.wide_agent() {
        [] => (ear.agent(), ear.caller(), Rate::Hz8000),
        wide => (wide, ear.wide_caller(), Rate::Hz16000),
    };
    let (agent, caller) = (agent.to_vec(), caller.to_vec());
    blocking("the demo", move || {
        let scribe = Scribe::open(&store)?;
        let agent = scribe.transcribe(&agent, rate)?;
        Ok((agent, scribe.transcribe(&caller, rate)?))
    })
    .await
}

fn cannot_write(path: &Path, error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Fault {
    Fault::new(
        Blame::Config,
        code::GATEWAY_BROKEN,
        format!("cannot write {}", path.display()),
    )
    .hint("choose another folder with --out")
    .because(error)
}

fn broken(what: impl Into<String>) -> Fault {
    Fault::new(Blame::Gateway, code::GATEWAY_BROKEN, what)
}

/// Numbers that belong to nobody: 555-01xx is kept for stories, as is the rest of area code 555.
const OURS: &str = "+15550001111";
const THEIRS: &str = "+15551234567";
