//! `offhook callbacks`: the calls back that agents have promised, and taking one off.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use ports::Fault;
use serde_json::{Value, json};

use super::call::{accepted, garbled, unreachable};
use super::steer::running;
use super::tail::short;
use super::{Done, Out};

/// What to do with them.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Take this one off: its name, or how it ends.
    #[arg(long, value_name = "CALL")]
    cancel: Option<String>,
}

/// Lists them, or takes one off.
pub(super) async fn run(args: Args, out: &mut Out) -> Result<Done, Fault> {
    match args.cancel {
        Some(id) => cancel(&id, out).await,
        None => list(out).await,
    }
}

async fn list(out: &mut Out) -> Result<Done, Fault> {
    let asked = running().await?.get("/v1/callbacks");
    let answer = accepted(asked.send().await.map_err(unreachable)?).await?;
    let body = answer.bytes().await.map_err(unreachable)?;
    let all: Vec<Value> = serde_json::from_slice(&body).map_err(garbled)?;
    if all.is_empty() {
        out.line("no call back is promised");
    }
    for callback in &all {
        out.json(callback);
        let text = |key: &str| callback[key].as_str().unwrap_or("—").to_owned();
        let whom = match callback["contact"].as_str() {
            Some(contact) => format!("{contact}, {}", text("to")),
            None => text("to"),
        };
        out.line(format_args!(
            "{}  {}  to {whom}  {}  {}",
            short(&text("id")),
            day_and_time(&text("due")),
            text("state"),
            text("why"),
        ));
    }
    Ok(Done::Well)
}

/// As the clock on the wall here shows it.
fn day_and_time(time: &str) -> String {
    let time = time.parse::<Timestamp>().ok();
    let time = time.map(|it| it.to_zoned(TimeZone::system()));
    time.map_or_else(String::new, |it| it.strftime("%Y-%m-%d %H:%M").to_string())
}

async fn cancel(id: &str, out: &mut Out) -> Result<Done, Fault> {
    let asked = running().await?.delete(&format!("/v1/callbacks/{id}"));
    accepted(asked.send().await.map_err(unreachable)?).await?;
    out.json(&json!({ "callback": id, "cancelled": true }));
    out.line("it will not be made");
    Ok(Done::Well)
}
