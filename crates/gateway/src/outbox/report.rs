//! What is told: an event as it is in the journal, or all there is to say about a call that is over.

use std::sync::Arc;

use call::Number;
use jiff::Timestamp;
use ports::Fault;
use serde_json::{Map, Value, json};

use super::kinds::{END, OUTCOME, REPORT};
use super::queue::What;
use super::store::Letter;
use crate::config::Plan;
use crate::journal::Reader;
use crate::ledger::{Cost, Ledger};
use crate::transcript::line;

/// Writes messages, from what is known when they are sent.
#[derive(Clone)]
pub(crate) struct Writer {
    reader: Reader,
    ledger: Ledger,
    /// The configuration in force.
    plan: Arc<dyn Fn() -> Arc<Plan> + Send + Sync>,
}

/// What came of writing a message.
#[derive(Debug)]
pub(crate) enum Written {
    /// This.
    Body(Vec<u8>),
    /// What the call cost is about to be known.
    NotYet,
    /// The journal does not know any more what happened.
    Forgotten,
}

impl Writer {
    pub(crate) fn new(
        reader: Reader,
        ledger: Ledger,
        plan: Arc<dyn Fn() -> Arc<Plan> + Send + Sync>,
    ) -> Self {
        Self {
            reader,
            ledger,
            plan,
        }
    }

    /// Writes one.
    ///
    /// # Errors
    /// The journal or the ledger cannot be read.
    pub(crate) async fn write(&self, letter: &Letter, now: Timestamp) -> Result<Written, Fault> {
        let entry = self.reader.entry(letter.place.entry).await?;
        // One of another journal, which was begun where this one was, may have the same number.
        let Some(entry) = entry.filter(|it| it["call"] == letter.call.as_str()) else {
            return Ok(Written::Forgotten);
        };
        let time = entry["time"].clone();
        let data = match letter.place.what {
            What::Event => entry,
            What::Report => {
                let cost = self.ledger.cost(letter.call.clone()).await?;
                let fresh = now.duration_since(letter.at) < SETTLED;
                if fresh && matches!(cost, Cost::SetAside(_)) {
                    return Ok(Written::NotYet);
                }
                let events = self.reader.whole(&letter.call).await?;
                report(&events, cost, &(self.plan)())
            }
        };
        let kind = match letter.place.what {
            What::Event => letter.kind.as_str(),
            What::Report => REPORT,
        };
        let told = json!({ "type": kind, "id": letter.id, "timestamp": time, "data": data });
        Ok(Written::Body(told.to_string().into_bytes()))
    }
}

/// All there is to say about a call.
fn report(events: &[Value], cost: Cost, plan: &Plan) -> Value {
    let first = events.first().unwrap_or(&Value::Null);
    let of = |kind: &str| events.iter().find(|it| it["type"] == kind);
    let last = |kind: &str| events.iter().rfind(|it| it["type"] == kind);
    let time = |kind: &str| of(kind).map(|it| it["time"].clone());
    let ms = |kind: &str| of(kind).and_then(|it| it["ms"].as_u64());
    let ended = last(END);
    let length = ended.and_then(|it| it["ms"].as_u64()).unwrap_or_default();
    let talked = ms("call.answered").map_or(0, |it| length.saturating_sub(it));
    let (number, caller) = (&first["number"], &first["caller"]);
    let (from, to) = match first["direction"].as_str() {
        Some("inbound") => (caller, number),
        Some(_) | None => (number, caller),
    };
    let purpose = of("policy.purpose").map(|it| &it["purpose"]);
    let purpose = purpose.filter(|it| !it.is_null());
    let lines: Vec<_> = events.iter().filter_map(line).collect();
    let messages = events
        .iter()
        .filter(|it| it["type"] == "agent.took_message");
    let messages =
        messages.map(|it| json!({ "name": it["name"], "text": it["text"], "ms": it["ms"] }));
    let recorded = of("recording.started").is_some() && plan.recordings.is_some();
    let id = first["call"].as_str().unwrap_or_default();
    let recording = recorded.then(|| format!("{}/v1/calls/{id}/recording", plan.public_url));
    json!({
        "call": id,
        "direction": first["direction"],
        "from": from,
        "to": to,
        "contact": contact(caller, plan),
        "carrier": first["carrier"],
        "agent": first["agent"],
        "purpose": purpose.unwrap_or(&first["objective"]),
        "started": first["time"],
        "answered": time("call.answered"),
        "ended": ended.map(|it| &it["time"]),
        "duration_ms": length,
        "talked_ms": talked,
        "end": ended.map(|it| json!({ "by": it["by"], "why": it["why"] })),
        "outcome": last(OUTCOME).map(outcome),
        "transcript": lines,
        "messages": messages.collect::<Vec<_>>(),
        "cost": money(cost),
        "recording": recording,
    })
}

/// What the owner calls whoever was on the phone.
fn contact(caller: &Value, plan: &Plan) -> Option<String> {
    let number = Number::parse(caller.as_str()?).ok()?;
    let mut contacts = plan.rules.call.value.contacts.iter();
    let found = contacts.find(|(_, it)| it.value.number == number);
    found.map(|(name, _)| name.clone())
}

/// What an event says besides which one it is.
fn outcome(event: &Value) -> Value {
    let fields = event.as_object().cloned().unwrap_or_default();
    let own = fields
        .into_iter()
        .filter(|(key, _)| !STAMP.contains(&key.as_str()));
    Value::Object(own.collect::<Map<_, _>>())
}

fn money(cost: Cost) -> Value {
    match cost {
        Cost::Unknown => Value::Null,
        Cost::Settled(money) => {
            json!({ "amount": money.as_micros() as f64 / 1e6, "settled": true })
        }
        Cost::SetAside(money) => {
            json!({ "amount": money.as_micros() as f64 / 1e6, "settled": false })
        }
    }
}

/// What every event has.
const STAMP: &[&str] = &["v", "call", "seq", "ms", "time", "type"];

/// So long after a call's end it is known what it cost, or what was set aside has to do.
const SETTLED: jiff::SignedDuration = jiff::SignedDuration::from_secs(15);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::fakes::LISTS;
    use policy::Money;

    fn plan() -> Plan {
        let folder = tempfile::tempdir().expect("a folder can be made");
        let path = folder.path().join("offhook.toml");
        let text = "[server]\npublic_url = \"https://voice.example.com\"\n[contacts.mom]\nnumber = \"+4930123456\"\n\
                    [recordings]\ndir = \"sounds\"\n";
        std::fs::write(&path, text).expect("the folder is ours");
        crate::config::load(&path, &LISTS)
            .expect("it is right")
            .plan
    }

    fn story(direction: &str) -> Vec<Value> {
        let lines = [
            r#"{"v":1,"call":"c1","seq":1,"ms":0,"time":"T0","direction":"WAY","number":"+15550001111","caller":"+4930123456","carrier":"pigeon","agent":"reception","objective":"to ask","type":"call.dialed"}"#,
            r#"{"v":1,"call":"c1","seq":2,"ms":900,"time":"T1","type":"call.answered"}"#,
            r#"{"v":1,"call":"c1","seq":3,"ms":950,"time":"T1","type":"recording.started","consent":"announced"}"#,
            r#"{"v":1,"call":"c1","seq":4,"ms":1000,"time":"T2","type":"caller.said","text":"Hello?"}"#,
            r#"{"v":1,"call":"c1","seq":5,"ms":2000,"time":"T3","type":"agent.interrupted","heard":"Good","unheard":"day."}"#,
            r#"{"v":1,"call":"c1","seq":6,"ms":2500,"time":"T4","type":"agent.took_message","name":"Ann","text":"Call me."}"#,
            r#"{"v":1,"call":"c1","seq":7,"ms":2600,"time":"T4","type":"call.outcome","result":"done","note":"ok"}"#,
            r#"{"v":1,"call":"c1","seq":8,"ms":3000,"time":"T5","type":"call.ended","by":"caller","why":"hung_up"}"#,
        ];
        let read = |it: &&str| serde_json::from_str(&it.replace("WAY", direction));
        lines
            .iter()
            .map(read)
            .map(|it| it.expect("it is JSON"))
            .collect()
    }

    #[test]
    fn a_report_says_all_there_is_to_say_of_a_call() {
        let told = report(
            &story("outbound"),
            Cost::Settled(Money::micros(14_000)),
            &plan(),
        );
        let expected = json!({
            "call": "c1", "direction": "outbound", "from": "+15550001111", "to": "+4930123456", "contact": "mom",
            "carrier": "pigeon", "agent": "reception", "purpose": "to ask",
            "started": "T0", "answered": "T1", "ended": "T5", "duration_ms": 3000, "talked_ms": 2100,
            "end": { "by": "caller", "why": "hung_up" },
            "outcome": { "result": "done", "note": "ok" },
            "transcript": [
                { "who": "caller", "text": "Hello?", "ms": 1000 },
                { "who": "agent", "text": "Good", "unheard": "day.", "ms": 2000 },
            ],
            "messages": [{ "name": "Ann", "text": "Call me.", "ms": 2500 }],
            "cost": { "amount": 0.014, "settled": true },
            "recording": "https://voice.example.com/v1/calls/c1/recording",
        });
        assert_eq!(told, expected);
    }

    #[test]
    fn what_did_not_happen_is_null() {
        let mut events = story("inbound");
        events.retain(|it| {
            ["call.dialed", "call.ended"].contains(&it["type"].as_str().unwrap_or_default())
        });
        let told = report(&events, Cost::Unknown, &plan());
        assert_eq!(
            (&told["from"], &told["to"]),
            (&json!("+4930123456"), &json!("+15550001111"))
        );
        for key in ["answered", "outcome", "cost", "recording"] {
            assert_eq!(told[key], Value::Null, "{key}");
        }
        assert_eq!(
            (&told["talked_ms"], &told["transcript"]),
            (&json!(0), &json!([]))
        );
    }
}
