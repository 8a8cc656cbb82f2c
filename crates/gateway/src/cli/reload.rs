//! `offhook reload`, and what `offhook status` says about the configuration.

use ports::Fault;
use serde::de::DeserializeOwned;

use super::call::{accepted, garbled, unreachable};
use super::steer::running;
use super::{Done, Out};
use crate::http::Rejected;
use crate::rulebook::{Reloaded, Standing, Trouble};
use crate::state::Running;

/// Lets the gateway that runs here read its configuration again.
pub(super) async fn run(out: &mut Out) -> Result<Done, Fault> {
    let running = running().await?;
    let answer = running.post("/v1/reload").send().await;
    let answer = answer.map_err(unreachable)?;
    if answer.status() == reqwest::StatusCode::UNPROCESSABLE_ENTITY {
        let rejected: Rejected = read(answer).await?;
        out.json(&rejected);
        tell_all("error", &rejected.problems, out);
        out.aside(&rejected.problem.title);
        return Ok(Done::Refused);
    }
    let reloaded: Reloaded = read(accepted(answer).await?).await?;
    out.json(&reloaded);
    tell_all("warning", &reloaded.warnings, out);
    tell(&reloaded, out);
    Ok(Done::Well)
}

fn tell(reloaded: &Reloaded, out: &mut Out) {
    out.line(match reloaded.changed.as_slice() {
        [] => "nothing changed".to_owned(),
        changed => format!("in force now: {}", changed.join(", ")),
    });
    if !reloaded.at_next_start.is_empty() {
        let keys = reloaded.at_next_start.join(", ");
        out.line(format_args!("at the next start: {keys}"));
    }
    for (count, what) in [
        (
            reloaded.ended,
            "that the rules no longer allow: being ended",
        ),
        (reloaded.shortened, "that may not last as long any more"),
    ] {
        match count {
            0 => {}
            1 => out.line(format_args!("1 call {what}")),
            many => out.line(format_args!("{many} calls {what}")),
        }
    }
}

/// How the configuration stands, for `offhook status`; `None`: the gateway has no file.
pub(super) async fn standing(running: &Running) -> Result<Option<Standing>, Fault> {
    let answer = running.get("/v1/config").send().await;
    let answer = answer.map_err(unreachable)?;
    if answer.status() == reqwest::StatusCode::NOT_FOUND {
        return Ok(None);
    }
    read(accepted(answer).await?).await.map(Some)
}

/// Says what of the file is not in force, and why.
pub(super) fn show(standing: &Standing, out: &mut Out) {
    let file = &standing.file;
    if let Some(refused) = &standing.refused {
        let since = refused.since.strftime("%F %T UTC");
        out.line(format_args!(
            "{file} as it is since {since} is not in force; the one before is, and this is why:"
        ));
        tell_all("error", &refused.problems, out);
    }
    if !standing.at_next_start.is_empty() {
        let keys = standing.at_next_start.join(", ");
        out.line(format_args!(
            "in {file}, but in force only at the next start: {keys}"
        ));
    }
    if let Some(voice) = &standing.voice {
        tell_all("error", std::slice::from_ref(voice), out);
    }
}

/// For people; programs have all of it in the answer.
fn tell_all(kind: &str, troubles: &[Trouble], out: &mut Out) {
    if out.is_json() {
        return;
    }
    for trouble in troubles {
        let Trouble {
            at, message, hint, ..
        } = trouble;
        let told = format_args!("{kind}: {message}\n  at {at}\n\nhint: {hint}");
        out.problem(kind, &told);
    }
}

async fn read<T: DeserializeOwned>(answer: reqwest::Response) -> Result<T, Fault> {
    let body = answer.bytes().await.map_err(unreachable)?;
    serde_json::from_slice(&body).map_err(garbled)
}
