//! `offhook calls` and `offhook show`.

use std::path::PathBuf;

use ports::{Blame, Fault, code};
use serde_json::Value;

use super::tail::{clock, short};
use super::{Done, Out, journal, story};
use crate::journal::{Reader, Summary, Wanted};

/// Which calls.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many, the latest first.
    #[arg(long, value_name = "N", default_value_t = 20)]
    most: usize,
    /// Only those that are up.
    #[arg(long)]
    up: bool,
}

/// Lists calls, the latest last, as one reads a log.
pub(super) async fn run(args: Args, config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    let reader = journal::reader(config.as_deref(), out)?;
    let most = args.most.min(MOST);
    let mut calls = reader.calls(if args.up { MOST } else { most }).await?;
    calls.retain(|it| !args.up || it.ended.is_none());
    calls.truncate(most);
    if calls.is_empty() {
        out.line("no calls yet");
    }
    for call in calls.iter().rev() {
        out.json(call);
        out.line(row(call));
    }
    journal::explain(&reader, out);
    Ok(Done::Well)
}

fn row(call: &Summary) -> String {
    let text = |key: &str| call.began[key].as_str().unwrap_or("—").to_owned();
    let date = text("time");
    let (arrow, end) = (arrow(&call.began), call.ended.as_ref());
    let length = end.map_or(String::new(), seconds);
    format!(
        "{}  {} {}  {} {arrow} {}  {:<12} {length:>7}  {}",
        short(&call.id),
        date.get(..10).unwrap_or_default(),
        clock(&call.began),
        text("number"),
        text("caller"),
        text("agent"),
        end.map_or("up".to_owned(), story::end),
    )
}

fn arrow(began: &Value) -> &'static str {
    if began["direction"] == "inbound" {
        "<-"
    } else {
        "->"
    }
}

fn seconds(ended: &Value) -> String {
    format!(
        "{:.1} s",
        ended["ms"].as_f64().unwrap_or_default() / 1_000.0
    )
}

/// Which call.
#[derive(Debug, clap::Args)]
pub(super) struct ShowArgs {
    /// Its name, or how it ends, as `offhook calls` prints it.
    call: String,
}

/// Tells a call's story.
pub(super) async fn show(
    args: ShowArgs,
    config: Option<PathBuf>,
    out: &mut Out,
) -> Result<Done, Fault> {
    let reader = journal::reader(config.as_deref(), out)?;
    let call = find(&reader, &args.call).await?;
    let mut wanted = Wanted {
        call: Some(call.id.clone()),
        ..Wanted::default()
    };
    let mut events = Vec::new();
    loop {
        let rows = reader.after(&wanted).await?;
        let Some(last) = rows.last() else { break };
        wanted.after = last.id;
        let read = rows
            .iter()
            .map(|it| serde_json::from_str::<Value>(&it.entry));
        events.extend(read.filter_map(Result::ok));
    }
    out.json(&serde_json::json!({ "id": call.id, "events": events }));
    tell(&call, &events, out);
    journal::explain(&reader, out);
    Ok(Done::Well)
}

/// Tells people a call's story from its events.
pub(super) fn tell(call: &Summary, events: &[Value], out: &mut Out) {
    head(call, out);
    for event in events {
        if let Some(line) = story::line(event) {
            out.line(line);
        }
    }
    waits(events, out);
}

fn head(call: &Summary, out: &mut Out) {
    let text = |key: &str| call.began[key].as_str().unwrap_or("—").to_owned();
    out.line(format_args!("call     {}", call.id));
    let arrow = arrow(&call.began);
    out.line(format_args!(
        "parties  {} {arrow} {}, over {}, agent {}",
        text("number"),
        text("caller"),
        text("carrier"),
        text("agent")
    ));
    out.line(format_args!("began    {}", text("time")));
    match &call.ended {
        Some(end) => out.line(format_args!(
            "ended    {}, after {}\n",
            story::end(end),
            seconds(end)
        )),
        None => out.line("ended    not yet, or its gateway was lost\n"),
    }
}

/// How long the agent took to have its turn, each time: from the caller's last sound, as heard by
/// the gateway, to the moment the words went to the agent.
fn waits(events: &[Value], out: &mut Out) {
    let (mut fell_silent, mut turn) = (None, 0);
    for event in events {
        let ms = event["ms"].as_u64().unwrap_or_default();
        match event["type"].as_str() {
            Some("caller.speech_ended") => fell_silent = Some(ms),
            Some("agent.turn_started") => {
                turn += 1;
                if turn == 1 {
                    out.line("");
                }
                if let Some(since) = fell_silent.take() {
                    let took = ms.saturating_sub(since);
                    out.line(format_args!(
                        "turn {turn}: the agent was told {took} ms after the caller's speech was over"
                    ));
                }
            }
            Some(_) | None => {}
        }
    }
}

/// The one call whose name ends so.
async fn find(reader: &Reader, end: &str) -> Result<Summary, Fault> {
    if let Some(call) = reader.call(end.to_owned()).await? {
        return Ok(call);
    }
    let mut calls = reader.calls(MOST).await?;
    calls.retain(|it| it.id.ends_with(end));
    let unknown = |message: String| {
        Fault::new(Blame::Caller, code::CALL_UNKNOWN, message)
            .hint("`offhook calls` lists those there are")
    };
    match (calls.pop(), calls.is_empty()) {
        (Some(call), true) if !end.is_empty() => Ok(call),
        (Some(_), _) => Err(unknown(format!(
            "there are several calls that end in {end:?}"
        ))),
        (None, _) => Err(unknown(format!("there is no call {end:?}"))),
    }
}

/// So many calls are looked through.
const MOST: usize = 10_000;
