//! A call's events, as a person would tell them.

use anstyle::{AnsiColor, Style};
use serde_json::Value;

use crate::plain::plain;

/// One event of the public kind as a line, or nothing if it is not worth one.
#[expect(clippy::too_many_lines, reason = "a table")]
pub fn line(event: &Value) -> Option<String> {
    let text = |key: &str| plain(event[key].as_str().unwrap_or_default()).into_owned();
    let caller = paint(AnsiColor::Cyan);
    let agent = paint(AnsiColor::Green);
    let told = match event["type"].as_str()? {
        "call.dialed" => "dialling".to_owned(),
        "call.offered" => "a caller is at the door".to_owned(),
        "call.ringing" => "it rings".to_owned(),
        "call.answered" => "answered".to_owned(),
        "call.connected" => "connected".to_owned(),
        "call.answered_by" => match text("who").as_str() {
            "human" => "a person picked up".to_owned(),
            "machine" => "a machine picked up".to_owned(),
            _ => "nobody can tell who picked up".to_owned(),
        },
        "call.greeting_ended" if event["beep"] == true => aside("its beep"),
        "call.greeting_ended" => aside("its greeting is over, without a beep"),
        "call.ended" => format!("ended: {}", end(event)),
        "call.outcome" => outcome(event),
        "caller.said" => format!("{caller}caller:{caller:#} {}", text("text")),
        "caller.pressed" => "caller pressed a key".to_owned(),
        "disclosure.played" => format!("{agent}disclosed:{agent:#} {}", text("text")),
        "recording.started" => match text("consent").as_str() {
            "own" => "is recorded: it is the owner's own call".to_owned(),
            "given" => "is recorded: they said yes".to_owned(),
            _ => "is recorded: they were told".to_owned(),
        },
        "recording.refused" if text("why") == "declined" => {
            "is not recorded: they said no".to_owned()
        }
        "recording.refused" => "is not recorded: they did not answer".to_owned(),
        "caller.proved" => aside("proved who they are"),
        "caller.failed_proof" => aside("could not prove who they are"),
        "caller.in_emergency" => aside("spoke of an emergency, and was told to call for help"),
        "caller.opted_out" => "is not to be called any more, and will not be".to_owned(),
        "agent.said" => format!("{agent}agent:{agent:#}  {}", text("text")),
        "agent.interrupted" => format!(
            "{agent}agent:{agent:#}  {} — {}",
            text("heard"),
            aside(&format!("interrupted; not heard: {}", text("unheard")))
        ),
        "agent.took_message" => format!("message from {}: {}", text("name"), text("text")),
        "agent.noted" => format!("note: {}", text("text")),
        "agent.pressed" => format!("keys pressed: {}", text("digits")),
        "call.handed_over" => aside(&format!("the carrier calls {}", text("to"))),
        "call.transferred" => aside(&format!("talks to {}", text("to"))),
        "call.transfer_failed" => aside(&format!("could not be put through to {}", text("to"))),
        "call.transferring" => aside(&format!("is to be put through to {}", text("to"))),
        "meeting.joined" => aside("sits at a meeting"),
        "meeting.left" => aside("is back from the meeting"),
        "meeting.speaking" => aside("has the floor of the meeting"),
        "meeting.stopped_speaking" => aside("has it no more"),
        "meeting.muted" => aside("is muted"),
        "meeting.unmuted" => aside("is heard again"),
        "call.disconnected" => aside("the line is gone"),
        "call.reconnected" => {
            let seconds = event["gap_ms"].as_u64().unwrap_or_default() as f64 / 1_000.0;
            aside(&format!("the line is back after {seconds:.1} s"))
        }
        // `offhook latency` and `offhook show` tell how long turns took.
        "agent.turn_timed" => return None,
        "agent.stalled" => aside("the agent is slow"),
        "policy.allowed" => aside(&format!("{} allowed by {}", text("what"), text("rule"))),
        "policy.purpose" => {
            let said = |key: &str| event[key].as_str().unwrap_or("not said").to_owned();
            aside(&format!(
                "for: {}; consent: {}",
                said("purpose"),
                said("agreed_to")
            ))
        }
        "policy.held" => format!(
            "{} waits for the owner's yes: {}",
            text("what"),
            text("rule")
        ),
        "policy.refused" => refused(event),
        "agent.refused" => aside(&format!(
            "the agent may not: {} (trust {}, needs {})",
            text("code"),
            text("trust"),
            text("needs")
        )),
        "agent.failed" | "speech.failed" => aside(&format!("failed: {}", text("code"))),
        _ => return None,
    };
    let ms = event["ms"].as_u64().unwrap_or_default();
    Some(format!(
        "{} {told}",
        aside(&format!("{:>7.2}s", ms as f64 / 1000.0))
    ))
}

/// What the rules refused, to whom or of whom.
pub(crate) fn refused(event: &Value) -> String {
    let text = |key: &str| event[key].as_str().unwrap_or_default().to_owned();
    let who = match (text("direction").as_str(), event["caller"].as_str()) {
        ("inbound", Some(caller)) if !caller.is_empty() => format!(" from {caller}"),
        ("outbound", Some(caller)) if !caller.is_empty() => format!(" to {caller}"),
        _ => String::new(),
    };
    let more = match event["more"].as_u64() {
        Some(more) => format!(", {more} more times"),
        None => String::new(),
    };
    let rule = match text("rule") {
        rule if rule.is_empty() => String::new(),
        rule => format!(" by {rule}"),
    };
    format!(
        "{}{who} refused{more}: {}{rule}",
        text("what"),
        text("code")
    )
}

/// How a call ended, in words.
pub(crate) fn end(event: &Value) -> String {
    let by = event["by"].as_str().unwrap_or("someone");
    let why = match event["why"].as_str().unwrap_or_default() {
        "hung_up" => "hung up",
        "completed" => "had said it all",
        "busy" => "was busy",
        "no_answer" => "did not answer",
        "rejected" => "rejected the call",
        "canceled" => "withdrew the call",
        "silence" => "ended it because nobody spoke",
        "time_limit" => "ended it because time was up",
        "machine" => "ended it because a machine picked up",
        "policy" => "ended it because the rules no longer allow it",
        "loop" => "ended it because it went round in circles",
        _ => "failed",
    };
    format!("the {by} {why}")
}

/// What came of a call, in words.
pub(crate) fn outcome(event: &Value) -> String {
    let text = |key: &str| plain(event[key].as_str().unwrap_or_default()).into_owned();
    let reached = match text("reached").as_str() {
        "person" => "a person was reached",
        "voicemail" => "a machine was reached",
        "refused" => "they did not want the call",
        _ => "nobody was reached",
    };
    let goal = match text("goal").as_str() {
        "met" => "the goal was met",
        "not_met" => "the goal was not met",
        _ => "nobody can tell whether the goal was met",
    };
    let unproven = event["unproven"].as_array();
    let unproven: Vec<_> = unproven
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let mut told = format!("outcome: {reached}, {goal}");
    if !unproven.is_empty() {
        told += &format!(" (unproven: {})", plain(&unproven.join(", ")));
    }
    if !text("summary").is_empty() {
        told += &format!(": {}", text("summary"));
    }
    if !event["facts"].is_null() {
        told += &format!("; facts: {}", plain(&event["facts"].to_string()));
    }
    told
}

/// Whose fault a call's end is, if it is one.
pub(crate) fn verdict(end: &Value) -> &'static str {
    let word = |key: &str| end[key].as_str().unwrap_or_default();
    match (word("why"), word("by")) {
        ("hung_up" | "completed" | "silence" | "time_limit" | "loop", _) => "success",
        ("busy" | "no_answer" | "rejected" | "canceled" | "machine", _) => "theirs",
        ("fault", "gateway" | "agent" | "owner") => "ours",
        ("fault", "carrier") => "theirs",
        _ => "cannot tell",
    }
}

fn aside(text: &str) -> String {
    let dim = Style::new().dimmed();
    format!("{dim}{text}{dim:#}")
}

fn paint(color: AnsiColor) -> Style {
    Style::new().fg_color(Some(color.into()))
}
