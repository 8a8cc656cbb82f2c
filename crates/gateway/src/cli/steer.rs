//! `offhook say`, `offhook end` and `offhook status`: what one does to a gateway that runs.

use ports::{Blame, Fault, code};
use serde_json::{Value, json};

use super::call::{accepted, garbled, keyed, unreachable};
use super::{Done, Out, reload};
use crate::state::Running;

/// What to say, and on which call.
#[derive(Debug, clap::Args)]
pub(super) struct SayArgs {
    /// The call: its name, or how it ends.
    call: String,
    /// The words.
    text: String,
}

/// What to press, and on which call.
#[derive(Debug, clap::Args)]
pub(super) struct DigitsArgs {
    /// The call: its name, or how it ends.
    call: String,
    /// The keys: 0 to 9, *, #, A to D, and w for half a second's pause.
    digits: String,
}

/// Which call.
#[derive(Debug, clap::Args)]
pub(super) struct EndArgs {
    /// The call: its name, or how it ends.
    call: String,
}

/// Whom to put a caller through to.
#[derive(Debug, clap::Args)]
pub(super) struct TransferArgs {
    /// The call: its name, or how it ends.
    call: String,
    /// The name of a [transfers.…] table.
    to: String,
    /// What the caller wants, in a few words.
    #[arg(long, default_value = "")]
    about: String,
}

/// Puts a caller through to someone.
pub(super) async fn transfer(args: TransferArgs, out: &mut Out) -> Result<Done, Fault> {
    let running = running().await?;
    let call = find(&running, &args.call).await?;
    let wanted = json!({ "to": args.to, "about": args.about });
    let asked = keyed(running.post(&format!("/v1/calls/{call}/transfer"))).json(&wanted);
    accepted(asked.send().await.map_err(unreachable)?).await?;
    out.json(&json!({ "call": call, "accepted": true }));
    out.line(format_args!("{} is being called", args.to));
    Ok(Done::Well)
}

/// Says something on a call that is up.
pub(super) async fn say(args: SayArgs, out: &mut Out) -> Result<Done, Fault> {
    let running = running().await?;
    let call = find(&running, &args.call).await?;
    let words = json!({ "text": args.text });
    let asked = running.post(&format!("/v1/calls/{call}/say")).json(&words);
    accepted(asked.send().await.map_err(unreachable)?).await?;
    out.json(&json!({ "call": call, "accepted": true }));
    out.line("it will be said as soon as nobody speaks");
    Ok(Done::Well)
}

/// Presses keys on a call that is up.
pub(super) async fn digits(args: DigitsArgs, out: &mut Out) -> Result<Done, Fault> {
    let running = running().await?;
    let call = find(&running, &args.call).await?;
    let keys = json!({ "digits": args.digits });
    let asked = running
        .post(&format!("/v1/calls/{call}/digits"))
        .json(&keys);
    accepted(asked.send().await.map_err(unreachable)?).await?;
    out.json(&json!({ "call": call, "accepted": true }));
    out.line("they are being pressed");
    Ok(Done::Well)
}

/// Ends a call. Always allowed.
pub(super) async fn end(args: EndArgs, out: &mut Out) -> Result<Done, Fault> {
    let running = running().await?;
    let call = find(&running, &args.call).await?;
    let asked = running.post(&format!("/v1/calls/{call}/end"));
    accepted(asked.send().await.map_err(unreachable)?).await?;
    out.json(&json!({ "call": call, "accepted": true }));
    out.line("it is being ended");
    Ok(Done::Well)
}

/// Says whether a gateway runs here, and what is up on it.
pub(super) async fn status(out: &mut Out) -> Result<Done, Fault> {
    let running = running().await?;
    let up = up(&running).await?;
    let standing = reload::standing(&running).await?;
    let stopped = stopped(&running).await?;
    out.json(&json!({ "url": running.url(), "up": up, "stopped": stopped, "config": standing }));
    out.line(format_args!("a gateway runs at {}", running.url()));
    if stopped {
        out.line("everything is stopped: `offhook stop-all --lift` lets calls begin again");
    }
    out.line(match up.len() {
        0 => "no call is up".to_owned(),
        1 => "1 call is up".to_owned(),
        many => format!("{many} calls are up"),
    });
    for call in &up {
        let text = |key: &str| call[key].as_str().unwrap_or("—").to_owned();
        out.line(format_args!(
            "  {}  {} {} {}",
            text("id"),
            text("direction"),
            text("caller"),
            text("agent")
        ));
    }
    if let Some(standing) = &standing {
        reload::show(standing, out);
    }
    Ok(Done::Well)
}

/// Whether the owner has stopped everything.
async fn stopped(running: &Running) -> Result<bool, Fault> {
    let asked = running.get("/v1/stop-all").send().await;
    let answer = accepted(asked.map_err(unreachable)?).await?;
    let body = answer.bytes().await.map_err(unreachable)?;
    let stands: Value = serde_json::from_slice(&body).map_err(garbled)?;
    Ok(stands["stopped"].as_bool().unwrap_or_default())
}

pub(super) async fn running() -> Result<Running, Fault> {
    Running::find().await.ok_or_else(|| {
        let message = "no gateway runs here";
        Fault::new(Blame::Config, code::GATEWAY_UNREACHABLE, message)
            .hint("start one with `offhook serve`")
    })
}

/// The one call that is up and whose name ends so.
async fn find(running: &Running, end: &str) -> Result<String, Fault> {
    let up = up(running).await?;
    let names = up.iter().filter_map(|it| it["id"].as_str());
    let mut names = names.filter(|it| !end.is_empty() && it.ends_with(end));
    let wrong = |message: String| {
        Fault::new(Blame::Caller, code::CALL_UNKNOWN, message)
            .hint("`offhook status` lists the calls that are up")
    };
    match (names.next(), names.next()) {
        (Some(call), None) => Ok(call.to_owned()),
        (Some(_), Some(_)) => Err(wrong(format!("several calls that are up end in {end:?}"))),
        (None, _) => Err(wrong(format!("no call that is up ends in {end:?}"))),
    }
}

async fn up(running: &Running) -> Result<Vec<Value>, Fault> {
    let asked = running.get("/v1/calls?up=true&most=1000").send().await;
    let answer = accepted(asked.map_err(unreachable)?).await?;
    let body = answer.bytes().await.map_err(unreachable)?;
    serde_json::from_slice(&body).map_err(garbled)
}
