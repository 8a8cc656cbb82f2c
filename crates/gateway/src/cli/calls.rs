//! `offhook calls` and `offhook show`.

use std::path::PathBuf;

use call::Dialling;
use ports::{Blame, Fault, code};
use serde_json::Value;

use super::tail::{clock, short};
use super::{Done, Out, journal, latency, story};
use crate::jobs::{Job, Jobs};
use crate::journal::{Reader, Summary};
use crate::state;

/// Which calls.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// How many, the latest first.
    #[arg(long, value_name = "N", default_value_t = 20)]
    most: usize,
    /// Only those that are up.
    #[arg(long)]
    up: bool,
    /// Those that never came to be: what the rules refused, and what waited for a yes.
    #[arg(long, conflicts_with = "up")]
    refused: bool,
}

/// Lists calls, the latest last, as one reads a log.
pub(super) async fn run(args: Args, config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    let reader = journal::reader(config.as_deref(), out)?;
    let most = args.most.min(MOST);
    if args.refused {
        return refused(&reader, most, out).await;
    }
    let mut calls = reader.calls(if args.up { MOST } else { most }).await?;
    calls.retain(|it| !args.up || it.ended.is_none());
    calls.truncate(most);
    if calls.is_empty() {
        out.line("no calls yet");
    }
    let ids = calls.iter().map(|it| it.id.clone()).collect();
    let jobs = not_placed(ids).await?;
    for call in calls.iter().rev() {
        let job = jobs.iter().find(|it| it.call == call.id);
        out.json(&with_dial(call, job));
        out.line(row(call, job));
    }
    journal::explain(&reader, out);
    Ok(Done::Well)
}

/// Those of these calls whose carrier has not taken them, or perhaps not.
async fn not_placed(calls: Vec<String>) -> Result<Vec<Job>, Fault> {
    match Jobs::of_folder(&state::folder())? {
        Some(jobs) => jobs.not_placed(calls).await,
        None => Ok(Vec::new()),
    }
}

fn with_dial(call: &Summary, job: Option<&Job>) -> Value {
    let mut told = serde_json::to_value(call).unwrap_or_default();
    if let Some(job) = job {
        told["dial"] = job.state.name().into();
    }
    told
}

/// Where a dial stands, for people.
fn stands(job: &Job) -> &'static str {
    match job.state {
        Dialling::Queued | Dialling::Sending => "sending",
        Dialling::Placed => "placed",
        Dialling::Refused => "its carrier did not take it",
        Dialling::Unknown => "unknown: asking the carrier",
    }
}

/// Lists what the rules said beside calls, the latest last.
async fn refused(reader: &Reader, most: usize, out: &mut Out) -> Result<Done, Fault> {
    let verdicts = reader.verdicts(most).await?;
    if verdicts.is_empty() {
        out.line("nothing was refused yet");
    }
    for event in verdicts.iter().rev() {
        out.json(event);
        let date = event["time"].as_str().unwrap_or_default();
        let call = event["call"].as_str().unwrap_or_default();
        if let Some(line) = story::line(event) {
            let (date, time) = (date.get(..10).unwrap_or_default(), clock(event));
            out.line(format_args!("{}  {date} {time} {line}", short(call)));
        }
    }
    journal::explain(reader, out);
    Ok(Done::Well)
}

fn row(call: &Summary, job: Option<&Job>) -> String {
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
        doubt(job).map_or_else(|| end.map_or("up".to_owned(), story::end), str::to_owned),
    )
}

/// What is not known of a call outweighs what is.
fn doubt(job: Option<&Job>) -> Option<&'static str> {
    let open = job.filter(|it| !it.state.is_settled());
    open.map(stands)
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
    let events = reader.whole(&call.id).await?;
    let jobs = not_placed(vec![call.id.clone()]).await?;
    let verdict = call.ended.as_ref().map(story::verdict);
    out.json(&serde_json::json!({
        "id": call.id,
        "allowed_by": call.began["allowed_by"],
        "trust": call.began["trust"],
        "verdict": verdict,
        "cost": Value::Null,
        "dial": jobs.first().map(|it| it.state.name()),
        "outcome": events.iter().rfind(|it| it["type"] == "call.outcome"),
        "events": events,
    }));
    if let Some(job) = jobs.first() {
        out.line(format_args!("dial     {}", stands(job)));
    }
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
    turns(events, out);
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
    out.line(format_args!("allowed  by {}", text("allowed_by")));
    out.line(format_args!("trust    {}", text("trust")));
    out.line(format_args!("began    {}", text("time")));
    match &call.ended {
        Some(end) => {
            let (told, took) = (story::end(end), seconds(end));
            out.line(format_args!("ended    {told}, after {took}"));
            out.line(format_args!("verdict  {}", story::verdict(end)));
        }
        None => out.line("ended    not yet, or its gateway was lost"),
    }
    // No carrier's price is in the configuration, and none is made up.
    out.line("cost     no price known\n");
}

/// How long each answer took, stage by stage.
fn turns(events: &[Value], out: &mut Out) {
    let timed = events.iter().filter(|it| it["type"] == "agent.turn_timed");
    for (at, event) in timed.enumerate() {
        if at == 0 {
            out.line("\nafter the caller fell silent, in milliseconds:");
        }
        let stages = latency::STAGES.iter().filter_map(|(key, name)| {
            let ms = event[key].as_u64()?;
            Some(format!("{name} {ms}"))
        });
        let stages = stages.collect::<Vec<_>>().join(", ");
        out.line(format_args!("  turn {}: {stages}", event["turn"]));
    }
}

/// The one call whose name ends so.
pub(super) async fn find(reader: &Reader, end: &str) -> Result<Summary, Fault> {
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
pub(super) const MOST: usize = 10_000;
