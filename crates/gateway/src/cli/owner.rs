//! `offhook approvals`, `offhook approve`, `offhook refuse` and `offhook stop-all`: what the owner alone decides.

use std::time::Duration;

use jiff::Timestamp;
use ports::{Blame, Fault, code};
use serde_json::{Value, json};

use super::call::{accepted, garbled, unreachable};
use super::steer::running;
use super::tail::{clock_of, short};
use super::{Done, Out};
use crate::ledger::Ledger;
use crate::state::{self, Running};

/// Which call that waits.
#[derive(Debug, clap::Args)]
pub(super) struct AnswerArgs {
    /// The call: its name, or how it ends.
    call: String,
}

/// Whether to stop everything, or to let it go on.
#[derive(Debug, clap::Args)]
pub(super) struct StopArgs {
    /// Let calls begin again.
    #[arg(long)]
    lift: bool,
}

/// Lists the calls that wait.
pub(super) async fn list(out: &mut Out) -> Result<Done, Fault> {
    let waiting = waiting(&running().await?).await?;
    if waiting.is_empty() {
        out.line("no call waits for a yes");
    }
    for call in &waiting {
        out.json(call);
        let text = |key: &str| call[key].as_str().unwrap_or("—").to_owned();
        let whom = match call["contact"].as_str() {
            Some(contact) => format!("{contact}, {}", text("to")),
            None => text("to"),
        };
        out.line(format_args!(
            "{}  {}  to {whom}  at most {:.2}  until {}  {}",
            short(&text("id")),
            clock_of(&text("since")),
            call["price_ceiling"].as_f64().unwrap_or_default(),
            clock_of(&text("until")),
            call["say"].as_str().unwrap_or("an agent talks"),
        ));
        for line in details(call) {
            out.line(format_args!("        {line}"));
        }
        out.line(format_args!("        waits because of {}", text("rule")));
    }
    Ok(Done::Well)
}

/// What else the owner says yes to.
fn details(call: &Value) -> Vec<String> {
    let text = |key: &str| call[key].as_str();
    let machine = match (text("on_machine"), text("machine_message")) {
        (_, Some(message)) => Some(format!("a machine is left: {message}")),
        (Some("hang_up"), None) => Some("a machine is hung up on".to_owned()),
        (Some("leave"), None) => Some("a machine is left a message".to_owned()),
        (Some("talk"), None) => Some("a machine is treated as a person".to_owned()),
        (Some(_) | None, None) => None,
    };
    let by = match (text("agent"), text("from")) {
        (Some(agent), Some(from)) => Some(format!("by {agent}, from {from}")),
        (Some(agent), None) => Some(format!("by {agent}")),
        (None, Some(from)) => Some(format!("from {from}")),
        (None, None) => None,
    };
    let purpose = text("purpose").map(|it| format!("for: {it}"));
    by.into_iter().chain(machine).chain(purpose).collect()
}

/// Says yes: the call is made.
pub(super) async fn approve(args: AnswerArgs, out: &mut Out) -> Result<Done, Fault> {
    let running = running().await?;
    let id = find(&running, &args.call).await?;
    let asked = running.post(&format!("/v1/approvals/{id}/approve"));
    accepted(asked.send().await.map_err(unreachable)?).await?;
    out.json(&json!({ "call": id, "approved": true }));
    out.line(format_args!(
        "it is being made: offhook show {}",
        short(&id)
    ));
    Ok(Done::Well)
}

/// Says no.
pub(super) async fn refuse(args: AnswerArgs, out: &mut Out) -> Result<Done, Fault> {
    let running = running().await?;
    let id = find(&running, &args.call).await?;
    let asked = running.post(&format!("/v1/approvals/{id}/refuse"));
    accepted(asked.send().await.map_err(unreachable)?).await?;
    out.json(&json!({ "call": id, "approved": false }));
    out.line("it will not be made");
    Ok(Done::Well)
}

/// Stops everything, or lets it go on, also where no gateway runs: the next one finds it written down.
pub(super) async fn stop_all(args: StopArgs, out: &mut Out) -> Result<Done, Fault> {
    if args.lift {
        return lift(out).await;
    }
    // First of all, whether or not a gateway can be told: one that cannot be finds it there.
    let now = Timestamp::now().as_millisecond();
    let written = match Ledger::open(&state::folder(), now) {
        Ok(ledger) => ledger.stop(now).await,
        Err(fault) => Err(fault),
    };
    let told = match Running::noted() {
        Some(running) => told(&running, "/v1/stop-all").await,
        None => Told::Nobody,
    };
    let ended = match &told {
        Told::Done(answer) => answer["ended"].clone(),
        Told::Nobody | Told::Silent(_) => Value::Null,
    };
    written?;
    out.json(&json!({ "stopped": true, "ended": ended }));
    out.line(match ended.as_u64() {
        Some(calls) => format!("everything is stopped; calls that are being ended: {calls}"),
        None => "everything is stopped".to_owned(),
    });
    if let Told::Silent(fault) = told {
        out.line(format_args!(
            "the gateway could not be told ({fault}): it ends its calls as soon as it reads that, within seconds if it is alive"
        ));
    }
    out.line("nobody is called, put through, invited or answered until `offhook stop-all --lift`");
    Ok(Done::Well)
}

/// A gateway that is stopped goes on only if it is told to.
async fn lift(out: &mut Out) -> Result<Done, Fault> {
    let told = match Running::noted() {
        Some(running) => told(&running, "/v1/stop-all/lift").await,
        None => Told::Nobody,
    };
    match told {
        Told::Done(_) => {}
        Told::Nobody => {
            let now = Timestamp::now().as_millisecond();
            Ledger::open(&state::folder(), now)?.lift().await?;
        }
        Told::Silent(fault) => return Err(fault),
    }
    out.json(&json!({ "stopped": false, "ended": null }));
    out.line("calls may begin again");
    Ok(Done::Well)
}

/// What came of telling a gateway something.
enum Told {
    /// It did so, and says this.
    Done(Value),
    /// There is none where one was.
    Nobody,
    /// There is one, and it did not, or does not say so.
    Silent(Fault),
}

async fn told(running: &Running, path: &str) -> Told {
    let asked = running.post(path).timeout(PATIENCE).send().await;
    let answer = match asked {
        Err(error) if error.is_connect() => return Told::Nobody,
        Err(error) => Err(unreachable(error)),
        Ok(answer) => read(answer).await,
    };
    answer.map_or_else(Told::Silent, Told::Done)
}

async fn read(answer: reqwest::Response) -> Result<Value, Fault> {
    let body = accepted(answer).await?.bytes().await.map_err(unreachable)?;
    serde_json::from_slice(&body).map_err(garbled)
}

async fn waiting(running: &Running) -> Result<Vec<Value>, Fault> {
    let asked = running.get("/v1/approvals").send().await;
    let answer = accepted(asked.map_err(unreachable)?).await?;
    let body = answer.bytes().await.map_err(unreachable)?;
    serde_json::from_slice(&body).map_err(garbled)
}

/// The one call that waits and whose name ends so.
async fn find(running: &Running, end: &str) -> Result<String, Fault> {
    let waiting = waiting(running).await?;
    let names = waiting.iter().filter_map(|it| it["id"].as_str());
    let mut names = names.filter(|it| !end.is_empty() && it.ends_with(end));
    let wrong = |message: String| {
        Fault::new(Blame::Caller, code::CALL_APPROVALS, message)
            .hint("`offhook approvals` lists the calls that wait")
    };
    match (names.next(), names.next()) {
        (Some(call), None) => Ok(call.to_owned()),
        (Some(_), Some(_)) => Err(wrong(format!("several calls that wait end in {end:?}"))),
        (None, _) => Err(wrong(format!("no call that waits ends in {end:?}"))),
    }
}

/// A gateway with all its calls to end says so sooner.
const PATIENCE: Duration = Duration::from_secs(10);
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_shown_all_that_they_say_yes_to() {
        let call = json!({
            "to": "+15551234567", "from": "+15550001111", "agent": "reception",
            "on_machine": "leave", "machine_message": "Buy now!", "purpose": "a reminder",
        });
        assert_eq!(
            details(&call),
            [
                "by reception, from +15550001111",
                "a machine is left: Buy now!",
                "for: a reminder"
            ]
        );
        assert!(details(&json!({ "to": "+15551234567" })).is_empty());
    }
}
