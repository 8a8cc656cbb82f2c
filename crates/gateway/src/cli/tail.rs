//! `offhook tail`.

use std::path::PathBuf;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use ports::{Blame, Fault, code};
use serde_json::Value;

use super::feed::Feed;
use super::{Done, Out, journal, story};
use crate::journal::{Keys, Reader, Wanted};
use crate::state::{self, Running};

/// Which events.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Of this call alone: its name, or how it ends.
    #[arg(long, value_name = "CALL")]
    call: Option<String>,
    /// Also what happened since then: `10m`, `2h`, or a moment such as `2026-01-31T12:00:00Z`.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Only what the rules refused, allowed beside calls, or have wait.
    #[arg(long)]
    policy: bool,
}

/// Prints events as they happen, until stopped; goes on when the gateway restarts.
pub(super) async fn run(args: Args, config: Option<PathBuf>, out: &mut Out) -> Result<Done, Fault> {
    let since = match &args.since {
        Some(text) => moment(text, Timestamp::now())?,
        None => Timestamp::now(),
    };
    let mut tail = Tail {
        keys: journal::keys(config.as_deref(), out),
        call: args.call,
        policy: args.policy,
        since: since.as_millisecond(),
        after: 0,
    };
    let follow = async {
        let mut said = false;
        loop {
            if let Some(running) = Running::find().await {
                // A gateway that stops or restarts in this moment is simply looked for again.
                let _ = tail.follow(&running, out).await;
                said = false;
            } else {
                tail.catch_up(out).await?;
                if !std::mem::replace(&mut said, true) {
                    out.aside("no gateway runs here; waiting for one (`offhook serve`)");
                }
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    tokio::select! {
        fault = follow => fault,
        _ = tokio::signal::ctrl_c() => Ok(Done::Well),
    }
}

struct Tail {
    keys: Keys,
    call: Option<String>,
    policy: bool,
    since: i64,
    after: u64,
}

impl Tail {
    /// Reads along for as long as this gateway runs.
    async fn follow(&mut self, running: &Running, out: &mut Out) -> Result<(), Fault> {
        let path = format!("/v1/events?since={}", self.since);
        let mut feed = Feed::open(running, &path, self.after).await?;
        while let Some((id, event)) = feed.next().await {
            self.tell(id, &event, out);
        }
        Ok(())
    }

    /// Reads what a gateway that is gone has left.
    async fn catch_up(&mut self, out: &mut Out) -> Result<(), Fault> {
        let Ok(reader) = Reader::of_folder(&state::folder()) else {
            // There has never been a gateway: nothing is missed.
            return Ok(());
        };
        let reader = reader.with_keys(self.keys.clone());
        loop {
            let wanted = Wanted {
                after: self.after,
                call: None,
                since: Some(self.since),
            };
            let rows = reader.after(&wanted).await?;
            if rows.is_empty() {
                journal::explain(&reader, out);
                return Ok(());
            }
            for row in rows {
                let event = serde_json::from_str(&row.entry).unwrap_or(Value::Null);
                self.tell(row.id, &event, out);
            }
        }
    }

    fn tell(&mut self, id: u64, event: &Value, out: &mut Out) {
        self.after = id;
        let call = event["call"].as_str().unwrap_or_default();
        if self
            .call
            .as_ref()
            .is_some_and(|it| !call.ends_with(it.as_str()))
        {
            return;
        }
        let kind = event["type"].as_str().unwrap_or_default();
        if self.policy && !kind.starts_with("policy.") {
            return;
        }
        out.json(event);
        if let Some(line) = story::line(event) {
            out.line(format_args!("{} {} {line}", clock(event), short(call)));
        }
    }
}

/// When an event happened, by the clock on the wall.
pub(super) fn clock(event: &Value) -> String {
    clock_of(event["time"].as_str().unwrap_or_default())
}

/// A moment, by the clock on the wall.
pub(super) fn clock_of(time: &str) -> String {
    let time = time.parse::<Timestamp>().ok();
    let time = time.map(|it| it.to_zoned(TimeZone::system()));
    time.map_or_else(String::new, |it| it.strftime("%H:%M:%S").to_string())
}

/// The end of a call's name, which is what tells it from others.
pub(super) fn short(call: &str) -> &str {
    &call[call.len().saturating_sub(6)..]
}

/// A moment, or so long ago.
pub(super) fn moment(text: &str, now: Timestamp) -> Result<Timestamp, Fault> {
    let ago = text.parse::<SignedDuration>().ok();
    let ago = ago.and_then(|it| now.checked_sub(it.abs()).ok());
    ago.or_else(|| text.parse().ok()).ok_or_else(|| {
        let message = format!("`{text}` is no time");
        Fault::new(Blame::Caller, code::CONFIG_INVALID, message)
            .hint("write it as 10m, 2h, 1h30m, or 2026-01-31T12:00:00Z")
    })
}

/// How soon a gateway that was lost is looked for again.
const AGAIN: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_people_write_it() {
        let now: Timestamp = "2026-01-31T12:00:00Z".parse().expect("it is a moment");
        let read = |text| moment(text, now).map(|it| it.to_string()).ok();
        assert_eq!(read("10m").as_deref(), Some("2026-01-31T11:50:00Z"));
        assert_eq!(read("1h30m").as_deref(), Some("2026-01-31T10:30:00Z"));
        assert_eq!(
            read("2026-01-30T00:00:00Z").as_deref(),
            Some("2026-01-30T00:00:00Z")
        );
        assert_eq!(read("yesterday"), None);
    }
}
