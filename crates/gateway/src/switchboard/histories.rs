//! What an agent is told of earlier calls, when another begins.

use std::time::Duration;

use call::{Direction, Number, Trust};
use ports::Fault;
use ports::agent::Line;
use serde_json::Value;
use tokio::time::timeout;

use super::said::Said;
use super::{Record, Switchboard};
use crate::config::{History, Plan};
use crate::journal::{HIDDEN, Reader, Summary, Wanted};

/// Which earlier calls an agent may know of on this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach<'r> {
    /// None.
    None,
    /// Those with the same caller, where we were so sure that it was they.
    With(&'r Number, Trust),
    /// All, where we were so sure of whoever it was.
    All(Trust),
}

/// What an agent knows of earlier calls.
pub(super) struct Earlier {
    /// The conversation that goes on.
    pub(super) session: String,
    /// What was said on them.
    pub(super) lines: Vec<Line>,
}

impl Switchboard {
    /// What a call's agent is told of earlier ones, where we are as sure of who is on it as the owner wants.
    pub(super) async fn earlier(&self, plan: &Plan, record: &Record, trust: Trust) -> Earlier {
        let on = (record.direction, record.caller.as_ref());
        let reach = reach_of(plan, &record.agent, on, trust);
        let session = self.session_of(reach, &record.agent, &record.id.to_string());
        let read = timeout(PATIENCE, self.said_before(plan, record, reach)).await;
        let lines = match read {
            Ok(Ok(lines)) => lines,
            Ok(Err(fault)) => {
                let (code, hint) = (fault.code, fault.hint.as_deref());
                tracing::warn!(call = %record.id, code, hint, "an agent is not reminded of earlier calls: {fault}");
                Vec::new()
            }
            Err(_) => {
                tracing::warn!(call = %record.id, "earlier calls take too long to look up");
                Vec::new()
            }
        };
        Earlier { session, lines }
    }

    /// The conversation that a call of this agent's is a part of.
    pub(super) fn session(
        &self,
        plan: &Plan,
        (agent, call): (&str, &str),
        on: (Direction, Option<&Number>),
        trust: Trust,
    ) -> String {
        self.session_of(reach_of(plan, agent, on, trust), agent, call)
    }

    fn session_of(&self, reach: Reach<'_>, agent: &str, call: &str) -> String {
        match reach {
            Reach::None => call.to_owned(),
            Reach::With(caller, _) => self.sessions.with(agent, caller),
            Reach::All(_) => self.sessions.of_all(agent),
        }
    }

    async fn said_before(
        &self,
        plan: &Plan,
        record: &Record,
        reach: Reach<'_>,
    ) -> Result<Vec<Line>, Fault> {
        let wanted = match reach {
            Reach::None => return Ok(Vec::new()),
            Reach::With(_, wanted) | Reach::All(wanted) => wanted,
        };
        let reader = self.journal.reader()?;
        let (mut calls, mut room) = (Vec::new(), ROOM);
        // The latest first: what does not fit is the oldest.
        for call in reader.calls(LOOKED_AT).await? {
            if calls.len() >= MOST || room == 0 {
                break;
            }
            let this = call.id == record.id.to_string();
            if this || call.ended.is_none() || !reach.holds(&record.agent, &call.began) {
                continue;
            }
            let (lines, proved) = said(&reader, &call, plan).await?;
            if !(proved || sure(&call.began, wanted)) {
                continue;
            }
            let lines = newest(lines, &mut room);
            if !lines.is_empty() {
                calls.push((began(&call), lines));
            }
        }
        Ok(told(calls))
    }
}

impl Reach<'_> {
    /// Whether a call that began so is one of them.
    fn holds(&self, agent: &str, began: &Value) -> bool {
        began["agent"] == agent
            && match self {
                Self::None => false,
                Self::With(caller, _) => began["caller"] == caller.as_str(),
                Self::All(_) => true,
            }
    }
}

fn reach_of<'r>(
    plan: &Plan,
    agent: &str,
    on: (Direction, Option<&'r Number>),
    trust: Trust,
) -> Reach<'r> {
    let history = plan.agents.get(agent);
    let history = history.map_or(History::Call, |it| it.history);
    reach(history, on, (trust, plan.rules.is_owner(on.1)))
}

fn reach<'r>(
    history: History,
    (direction, caller): (Direction, Option<&'r Number>),
    (trust, is_owner): (Trust, bool),
) -> Reach<'r> {
    let Some(caller) = caller else {
        return Reach::None;
    };
    // Who calls shows a number, as anyone can. Whom we called has it.
    let sure = |wanted| direction == Direction::Outbound || trust >= wanted;
    match history {
        History::Caller(wanted) if sure(wanted) => Reach::With(caller, wanted),
        History::Shared(wanted) if sure(wanted) && is_owner => Reach::All(wanted),
        History::Call | History::Caller(_) | History::Shared(_) => Reach::None,
    }
}

/// Whether we were so sure of who was on a call, when it began: what a stranger said under somebody's number is not
/// remembered as theirs.
fn sure(began: &Value, wanted: Trust) -> bool {
    let trust = began["trust"].as_str().and_then(Trust::parse);
    began["direction"] == "outbound" || trust.is_some_and(|it| it >= wanted)
}

/// What was said on a call, and whether whoever was on it proved who they are.
async fn said(reader: &Reader, call: &Summary, plan: &Plan) -> Result<(Vec<Line>, bool), Fault> {
    let mut said = Said::nothing(&plan.phrases);
    let mut wanted = Wanted {
        call: Some(call.id.clone()),
        ..Wanted::default()
    };
    for _ in 0..MOST_PAGES {
        let rows = reader.after(&wanted).await?;
        let Some(last) = rows.last() else {
            break;
        };
        wanted.after = last.id;
        for row in &rows {
            said.read(&serde_json::from_str(&row.entry).unwrap_or_default());
        }
    }
    let proved = said.proof(false) == policy::Proof::Pin;
    let mut lines = said.lines();
    lines.retain(|it| !text(it).is_empty() && text(it) != HIDDEN);
    Ok((lines, proved))
}

/// The last lines for which there is room, which they take up.
fn newest(lines: Vec<Line>, room: &mut usize) -> Vec<Line> {
    let mut kept: Vec<Line> = Vec::new();
    for line in lines.into_iter().rev() {
        let size = text(&line).len();
        if size > *room {
            *room = 0;
            break;
        }
        *room -= size;
        kept.push(line);
    }
    kept.reverse();
    kept
}

/// Calls in order, each with when it was. They come the latest first.
fn told(calls: Vec<(String, Vec<Line>)>) -> Vec<Line> {
    let any = !calls.is_empty();
    let mark = |text: String| Line::Caller(text.into());
    let calls = calls.into_iter().rev();
    let told = calls.flat_map(|(began, lines)| {
        let begins = mark(format!("(This was said on an earlier call, at {began}:)"));
        std::iter::once(begins).chain(lines)
    });
    let over = any.then(|| mark("(That call is over. This is another.)".to_owned()));
    told.chain(over).collect()
}

fn began(call: &Summary) -> String {
    call.began["time"]
        .as_str()
        .unwrap_or("another time")
        .to_owned()
}

fn text(line: &Line) -> &str {
    match line {
        Line::Agent(text) | Line::Caller(text) => text.reveal(),
    }
}

/// How long a call waits for it.
const PATIENCE: Duration = Duration::from_secs(2);
/// So many of the latest calls are looked at, and so many of those told of.
const LOOKED_AT: usize = 500;
const MOST: usize = 10;
/// Of one call's events.
const MOST_PAGES: usize = 16;
/// In bytes of words. Agents keep what they have room for.
const ROOM: usize = 24_000;

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn number() -> Number {
        Number::parse("+15551234567").expect("a number")
    }

    #[test]
    fn a_number_that_anyone_can_show_unlocks_nothing() {
        let number = number();
        let wanted = Trust::Attested;
        let of = |history, direction, trust, owner| {
            reach(history, (direction, Some(&number)), (trust, owner))
        };
        let [caller, shared] = [History::Caller(wanted), History::Shared(wanted)];
        let with = Reach::With(&number, wanted);
        for trust in [Trust::Unknown, Trust::CallerId] {
            let inbound = of(caller, Direction::Inbound, trust, true);
            assert_eq!(inbound, Reach::None, "{trust:?}");
            assert_eq!(of(shared, Direction::Inbound, trust, true), Reach::None);
            assert_eq!(of(caller, Direction::Outbound, trust, false), with);
        }
        for trust in [Trust::Attested, Trust::Proven] {
            assert_eq!(of(caller, Direction::Inbound, trust, false), with);
            let all = of(shared, Direction::Inbound, trust, true);
            assert_eq!(all, Reach::All(wanted));
            assert_eq!(of(shared, Direction::Inbound, trust, false), Reach::None);
            assert_eq!(
                of(History::Call, Direction::Inbound, trust, true),
                Reach::None
            );
        }
        let hidden = reach(caller, (Direction::Outbound, None), (Trust::Proven, true));
        assert_eq!(hidden, Reach::None);
    }

    #[test]
    fn what_was_said_under_somebodys_number_is_not_remembered_as_theirs() {
        let began = |direction: &str, trust: &str| json!({ "direction": direction, "trust": trust, "agent": "a", "caller": "+15551234567" });
        assert!(sure(&began("outbound", "unknown"), Trust::Attested));
        assert!(sure(&began("inbound", "attested"), Trust::Attested));
        assert!(!sure(&began("inbound", "caller-id"), Trust::Attested));
        assert!(!sure(&json!({}), Trust::Unknown), "nothing is known of it");
        let number = number();
        let reach = Reach::With(&number, Trust::Attested);
        let call = began("inbound", "attested");
        assert!(reach.holds("a", &call));
        assert!(!reach.holds("b", &call), "another agent talked there");
        assert!(!reach.holds("a", &json!({ "agent": "a", "caller": "+15557654321" })));
        assert!(!Reach::None.holds("a", &call));
    }

    #[test]
    fn the_oldest_does_not_fit() {
        let line = |text: &str| Line::Caller(text.to_owned().into());
        let mut room = 9;
        let kept = newest(vec![line("oldest"), line("old"), line("newest")], &mut room);
        assert_eq!(kept, [line("old"), line("newest")]);
        assert_eq!(room, 0);
        let told = told(vec![
            ("two".to_owned(), vec![line("b")]),
            ("one".to_owned(), vec![line("a")]),
        ]);
        let told: Vec<_> = told.iter().map(text).collect();
        assert_eq!(
            told,
            [
                "(This was said on an earlier call, at one:)",
                "a",
                "(This was said on an earlier call, at two:)",
                "b",
                "(That call is over. This is another.)",
            ]
        );
        assert!(super::told(Vec::new()).is_empty());
    }
}
