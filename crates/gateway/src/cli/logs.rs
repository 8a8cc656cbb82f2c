//! `offhook logs`.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use ports::{Blame, Fault, code};
use serde_json::Value;
use tracing::Level;

use super::tail::{clock_of, short};
use super::{Done, Out};
use crate::logbook::Lines;
use crate::state;

/// Which lines.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Go on with what is added.
    #[arg(long, short)]
    follow: bool,
    /// Only what matters as much, or more: error, warn, info, debug or trace.
    #[arg(long, default_value_t = Level::TRACE, hide_default_value = true)]
    level: Level,
    /// Only lines about this call: its name, or how it ends.
    #[arg(long, value_name = "CALL")]
    call: Option<String>,
    /// The last so many.
    #[arg(long, value_name = "N", default_value_t = 200)]
    most: usize,
}

/// Prints what the gateway logged, words, numbers and secrets as dots.
pub(super) async fn run(args: Args, out: &mut Out) -> Result<Done, Fault> {
    let mut lines = Lines::of_folder(&state::folder());
    if lines.is_empty() {
        out.line("nothing has been logged here yet");
    }
    let mut kept = std::collections::VecDeque::new();
    while let Some(line) = next(&mut lines)? {
        if args.wants(&line) {
            kept.push_back(line);
            if kept.len() > args.most {
                kept.pop_front();
            }
        }
    }
    for line in &kept {
        print(line, out);
    }
    if !args.follow {
        return Ok(Done::Well);
    }
    loop {
        while let Some(line) = next(&mut lines)? {
            if args.wants(&line) {
                print(&line, out);
            }
        }
        if lines.is_empty() {
            lines = Lines::of_folder(&state::folder());
        }
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => {}
            _ = tokio::signal::ctrl_c() => return Ok(Done::Well),
        }
    }
}

impl Args {
    fn wants(&self, line: &Value) -> bool {
        let level = line["level"]
            .as_str()
            .and_then(|it| it.parse::<Level>().ok());
        let call = line["call"].as_str().unwrap_or_default();
        level.is_none_or(|it| it <= self.level)
            && self
                .call
                .as_ref()
                .is_none_or(|it| call.ends_with(it.as_str()))
    }
}

fn next(lines: &mut Lines) -> Result<Option<Value>, Fault> {
    let line = lines.next().map_err(|error| {
        let message = "the log cannot be read";
        Fault::new(Blame::Config, code::GATEWAY_BROKEN, message)
            .hint("is XDG_STATE_HOME yours to read?")
            .because(error)
    })?;
    // A line that was torn by a crash is shown as it is.
    Ok(line.map(|it| {
        serde_json::from_str(&it).unwrap_or_else(|_| serde_json::json!({ "message": it }))
    }))
}

fn print(line: &Value, out: &mut Out) {
    out.json(line);
    let text = |key: &str| line[key].as_str().unwrap_or_default();
    let level = text("level");
    let color = match level {
        "ERROR" => AnsiColor::Red,
        "WARN" => AnsiColor::Yellow,
        "INFO" => AnsiColor::Green,
        _ => AnsiColor::Blue,
    };
    let (paint, dim) = (
        Style::new().fg_color(Some(color.into())),
        Style::new().dimmed(),
    );
    let fields = line.as_object().into_iter().flatten();
    let more = fields.filter(|(key, _)| !SHOWN.contains(&key.as_str()));
    let more = more.map(|(key, value)| match value.as_str() {
        Some(text) => format!(" {key}={text}"),
        None => format!(" {key}={value}"),
    });
    let more: String = more.collect();
    out.line(format_args!(
        "{} {paint}{level:>5}{paint:#} {:>6} {}{dim}{more}{dim:#}",
        clock_of(text("timestamp")),
        short(text("call")),
        text("message"),
    ));
}

/// What has a place of its own in a line.
const SHOWN: [&str; 5] = ["timestamp", "level", "call", "message", "target"];

/// How soon what was added is looked for.
const AGAIN: Duration = Duration::from_millis(250);
