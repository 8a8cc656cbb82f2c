//! `offhook flight`.

use std::path::{Path, PathBuf};

use ports::{Blame, Fault, code};
use serde_json::Value;

use super::call::{accepted, garbled, unreachable};
use super::{Done, Out};
use crate::flight::Shelf;
use crate::http::FlightView;
use crate::state::{self, Running};

/// Which call.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The call: its name, or how it ends.
    call: String,
}

/// Writes down what a call was told, if it is up or was lately, and says where that is.
pub(super) async fn run(args: Args, out: &mut Out) -> Result<Done, Fault> {
    if let Some(running) = Running::find().await {
        match ask(&running, &args.call).await {
            Ok(view) => {
                out.json(&view);
                out.line(format_args!(
                    "what the call was told ({} things, {} events): {}",
                    view.steps,
                    view.events,
                    view.path.display()
                ));
                hint(&view.path, out);
                return Ok(Done::Well);
            }
            // There may be one from before.
            Err(fault) if [code::CALL_UNKNOWN, code::FLIGHT_NONE].contains(&fault.code) => {}
            Err(fault) => return Err(fault),
        }
    }
    let path = written(&args.call)?;
    let call = path.file_stem().and_then(|it| it.to_str());
    out.json(&serde_json::json!({ "call": call, "path": path }));
    out.line(format_args!("written before: {}", path.display()));
    hint(&path, out);
    Ok(Done::Well)
}

fn hint(path: &Path, out: &mut Out) {
    out.line(format_args!(
        "\nrun it again: offhook replay {}",
        path.display()
    ));
}

/// Asks the gateway for the flight recording of the one call whose name ends so.
async fn ask(running: &Running, end: &str) -> Result<FlightView, Fault> {
    let asked = running.get("/v1/calls?most=1000").send().await;
    let answer = accepted(asked.map_err(unreachable)?).await?;
    let body = answer.bytes().await.map_err(unreachable)?;
    let calls: Vec<Value> = serde_json::from_slice(&body).map_err(garbled)?;
    let names = calls.iter().filter_map(|it| it["id"].as_str());
    let call = only(names.filter(|it| it.ends_with(end)), end)?;
    let asked = running.post(&format!("/v1/calls/{call}/flight"));
    let answer = accepted(asked.send().await.map_err(unreachable)?).await?;
    let body = answer.bytes().await.map_err(unreachable)?;
    serde_json::from_slice(&body).map_err(garbled)
}

/// A recording that was written before, by a fault or on request.
fn written(end: &str) -> Result<PathBuf, Fault> {
    let found = Shelf::of(&state::folder()).ending(end).map_err(|error| {
        let message = "the folder of flight recordings cannot be read";
        Fault::new(Blame::Config, code::GATEWAY_BROKEN, message)
            .hint("it is `flights` in the folder of XDG_STATE_HOME: grant access to it")
            .because(error)
    })?;
    if found.is_empty() {
        let message = format!("there is no flight recording of a call {end:?}");
        let hint = "the gateway that runs keeps what its last calls were told; of others, only those \
                    that ended by a fault are written";
        return Err(Fault::new(Blame::Caller, code::FLIGHT_NONE, message).hint(hint));
    }
    only(found.into_iter(), end)
}

fn only<T>(mut found: impl Iterator<Item = T>, end: &str) -> Result<T, Fault> {
    let wrong = |message: String| {
        Fault::new(Blame::Caller, code::CALL_UNKNOWN, message)
            .hint("`offhook calls` lists those there are")
    };
    match (found.next(), found.next()) {
        (Some(call), None) => Ok(call),
        (Some(_), Some(_)) => Err(wrong(format!("several calls end in {end:?}"))),
        (None, _) => Err(wrong(format!("no call ends in {end:?}"))),
    }
}
