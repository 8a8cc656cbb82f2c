//! The calls of a load run: the first event, the command that answers, the stream, the events that follow.

use super::body::{Back, Spoken, StreamOrder, Track};
use super::life::{Hangup, answered, initiated};
use super::webhook::Events;
use super::{Call, Carrier, Command, Own, control_id};
use crate::ledger::{Direction, Status};
use crate::load::{Callers, Dialect, Load, LoadPlan, Payload, Told, drive, open, push_number};
use crate::mischief::Callbacks;
use crate::office::{Account, Office};
use crate::standing::Vouched;
use crate::wire::Wire;
use serde_json::{Map, Value, json};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;

/// The carrier and its callers.
pub(super) fn prepare(account: Account, office: Office, plan: LoadPlan) -> Load {
    let carrier = Arc::new(Carrier::new(account, office));
    let crowd = Crowd {
        carrier: Arc::clone(&carrier),
        webhook_url: format!(
            "{}{}",
            plan.public_url.trim_end_matches('/'),
            plan.voice_path
        ),
        to: plan.to.clone(),
    };
    Load::new(carrier, drive(plan, crowd))
}

struct Crowd {
    carrier: Arc<Carrier>,
    /// Where all events go.
    webhook_url: String,
    to: String,
}

/// A call, what the REST API asks of it, and what is told of it.
struct Caller {
    call: Arc<Call>,
    commands: mpsc::Receiver<Command>,
    events: Events,
    streaming: Streaming,
}

enum Streaming {
    Never,
    /// To this URL.
    Began(String),
}

impl Callers for Crowd {
    type Call = Caller;
    type Dialect = Stream;

    fn call(&self, from: &str) -> Caller {
        let own = Own::new(self.webhook_url.clone());
        let parties = (from, self.to.as_str());
        let (call, commands) = Call::new(control_id(), Direction::Inbound, parties, own);
        let events = Events::new(&self.carrier, &call, Callbacks::default());
        Caller {
            call,
            commands,
            events,
            streaming: Streaming::Never,
        }
    }

    async fn connect(&self, caller: &mut Caller) -> Result<(Wire, Stream), String> {
        let entered = self.carrier.calls.enter(Arc::clone(&caller.call));
        entered.map_err(|_| "the exchange takes no more calls")?;
        let Caller { call, events, .. } = &*caller;
        events.tell("call.initiated", initiated(call, Vouched::Unsigned));
        let order = timeout(PATIENCE, self.ordered(caller)).await;
        let order = order.map_err(|_| self.unanswered(&caller.call))??;
        let Caller { call, events, .. } = &*caller;
        if (order.back, order.track) != (Back::Plays(Spoken::Pcmu), Track::Inbound)
            || order.codec.as_ref().is_some_and(|codec| codec != "PCMU")
        {
            return Err("answered: the stream is not one of PCMU both ways".to_owned());
        }
        let bearer = order.token.iter().map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = bearer.map(|token| ("authorization", token)).collect();
        let wire = open(&self.carrier.office, &order.url, &headers).await?;
        events.tell("streaming.started", json!({"stream_url": order.url}));
        let call = Arc::clone(call);
        caller.streaming = Streaming::Began(order.url.clone());
        let dialect = Stream {
            user: self.carrier.user_id.clone(),
            call,
            order,
            sequence: 0,
        };
        Ok((wire, dialect))
    }

    async fn hung_up(&self, caller: &mut Caller) {
        loop {
            match caller.commands.recv().await {
                Some(Command::Hangup | Command::StopStream) => return,
                Some(
                    Command::Answer(_)
                    | Command::Reject(_)
                    | Command::StartStream(_)
                    | Command::Transfer(_)
                    | Command::Keys(_),
                ) => {}
                None => pending().await,
            }
        }
    }

    async fn end(&self, caller: Caller, ago: Duration) -> Result<(), String> {
        let Caller { call, events, .. } = caller;
        let ledger = &self.carrier.office.ledger;
        call.change(ledger, Status::Completed, ago);
        if let Streaming::Began(url) = caller.streaming {
            events.tell("streaming.stopped", json!({"stream_url": url}));
        }
        let hangup = Hangup("normal_clearing", "caller", "unspecified");
        events.tell("call.hangup", hangup.payload(&call));
        events.finish().await;
        let mut warnings = ledger.warnings_of(&call.id).into_iter();
        match warnings.find(|warning| warning.text.starts_with("call.hangup")) {
            Some(undelivered) => Err(undelivered.text),
            None => Ok(()),
        }
    }
}

impl Crowd {
    /// Waits for the command that starts a stream.
    async fn ordered(&self, caller: &mut Caller) -> Result<StreamOrder, String> {
        let ledger = &self.carrier.office.ledger;
        let Caller { call, events, .. } = caller;
        loop {
            let order = match caller.commands.recv().await {
                Some(Command::Answer(order)) => {
                    call.change(ledger, Status::InProgress, Duration::ZERO);
                    events.tell("call.answered", answered(call));
                    order
                }
                Some(Command::StartStream(order)) => Some(order),
                Some(Command::Hangup | Command::Reject(_)) => return Err("rejected".to_owned()),
                Some(Command::StopStream | Command::Transfer(_) | Command::Keys(_)) => None,
                None => return Err("the exchange is gone".to_owned()),
            };
            if let Some(order) = order {
                call.set(|own| own.stream = Some(order.id.clone()));
                return Ok(order);
            }
        }
    }

    /// What there is to say of a call that no command answers.
    fn unanswered(&self, call: &Call) -> String {
        let warning = self.carrier.office.ledger.warnings_of(&call.id).pop();
        warning.map_or("not answered".to_owned(), |warning| {
            format!("not answered: {}", warning.text)
        })
    }
}

/// What is said on one call's socket.
struct Stream {
    user: String,
    call: Arc<Call>,
    order: StreamOrder,
    sequence: u64,
}

impl Dialect for Stream {
    fn begin(&mut self) -> Vec<String> {
        let own = self.call.state().own;
        let parameters: Map<String, Value> = self
            .order
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), json!(value)))
            .collect();
        let start = json!({
            "event": "start",
            "sequence_number": self.next_sequence().to_string(),
            "start": {
                "user_id": self.user,
                "call_control_id": self.call.id,
                "call_session_id": own.session,
                "from": self.call.from,
                "to": self.call.to,
                "tags": [],
                "client_state": own.client_state,
                "custom_parameters": parameters,
                "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
            },
            "stream_id": self.order.id,
        });
        let connected = r#"{"event":"connected","version":"1.0.0"}"#;
        vec![connected.to_owned(), start.to_string()]
    }

    fn sound(&mut self, tick: u32, payload: Payload<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"event":"media","sequence_number":""#);
        push_number(out, self.next_sequence());
        out.extend_from_slice(br#"","media":{"track":"inbound","chunk":""#);
        push_number(out, u64::from(tick) + 1);
        out.extend_from_slice(br#"","timestamp":""#);
        push_number(out, u64::from(tick) * 20);
        out.extend_from_slice(br#"","payload":""#);
        payload.write(out);
        out.extend_from_slice(br#""},"stream_id":""#);
        out.extend_from_slice(self.order.id.as_bytes());
        out.extend_from_slice(br#""}"#);
    }

    fn read(&self, message: &Value) -> Told {
        match (message["event"].as_str(), message["mark"]["name"].as_str()) {
            (Some("mark"), Some(name)) => Told::Mark(name.to_owned()),
            (Some("clear"), _) => Told::Clear,
            _ => Told::Odd,
        }
    }

    fn reached(&mut self, mark: &str) -> String {
        let message = json!({
            "event": "mark",
            "stream_id": self.order.id,
            "sequence_number": self.next_sequence().to_string(),
            "mark": {"name": mark},
        });
        message.to_string()
    }

    fn cleared(&mut self, marks: Vec<String>) -> Vec<String> {
        marks.iter().map(|mark| self.reached(mark)).collect()
    }

    fn end(&mut self) -> Option<String> {
        let stop = json!({
            "event": "stop",
            "sequence_number": self.next_sequence().to_string(),
            "stop": {"user_id": self.user, "call_control_id": self.call.id},
            "stream_id": self.order.id,
        });
        Some(stop.to_string())
    }
}

impl Stream {
    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

/// Longer than three attempts to tell a gateway of its call: one that has not answered by then will not.
const PATIENCE: Duration = Duration::from_secs(10);
