//! The calls of a load run: webhook, instructions, socket, and what is said on it.

use super::media::target;
use super::twiml::{self, Method, Verb};
use super::webhook::{self, Webhook, sign};
use super::{Call, Callback, Carrier, Command, Own};
use crate::ledger::{Direction, Kind, Status};
use crate::load::{Callers, Dialect, Load, LoadPlan, Payload, Told, drive, open, push_number};
use crate::office::{Account, Office, fresh};
use crate::wire::Wire;
use serde_json::Value;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The carrier and its callers.
pub(super) fn prepare(account: Account, office: Office, plan: LoadPlan) -> Load {
    let carrier = Arc::new(Carrier::new(account, office));
    let crowd = Crowd {
        carrier: Arc::clone(&carrier),
        plan: plan.clone(),
    };
    Load::new(carrier, drive(plan, crowd))
}

struct Crowd {
    carrier: Arc<Carrier>,
    plan: LoadPlan,
}

/// A call, and what the REST API asks of it.
struct Caller {
    call: Arc<Call>,
    commands: mpsc::Receiver<Command>,
}

impl Callers for Crowd {
    type Call = Caller;
    type Dialect = Stream;

    fn call(&self, from: &str) -> Caller {
        let own = Own::new(&fresh(""), Callback::default());
        let parties = (from, self.plan.to.as_str());
        let (call, commands) = Call::new(fresh("CA"), Direction::Inbound, parties, own);
        Caller { call, commands }
    }

    async fn connect(&self, caller: &mut Caller) -> Result<(Wire, Stream), String> {
        let call = &caller.call;
        let entered = self.carrier.calls.enter(Arc::clone(call));
        entered.map_err(|_| "the exchange takes no more calls")?;
        let form = webhook::fields(&self.carrier, call);
        let body = self
            .post(call, "voice", &self.plan.voice_path, form)
            .await
            .map_err(|reason| format!("voice webhook: {reason}"))?;
        let document = twiml::parse(&body).map_err(|why| format!("instructions: {}", why.0))?;
        let stream = document.verbs.into_iter().find_map(|verb| match verb {
            Verb::Connect { stream, .. } => Some(stream),
            Verb::Hangup
            | Verb::Reject { .. }
            | Verb::Say { .. }
            | Verb::Pause { .. }
            | Verb::Redirect { .. }
            | Verb::Play
            | Verb::Confer(_)
            | Verb::Dial(_) => None,
        });
        let stream = stream.ok_or("instructions: no stream")?;
        let office = &self.carrier.office;
        call.change(&office.ledger, Status::InProgress, Duration::ZERO);
        target(office, &stream.url).map_err(|unopened| unopened.text)?;
        let signature = sign(&self.carrier.account.secret, &stream.url, &[]);
        let wire = open(office, &stream.url, &[("x-twilio-signature", signature)]).await?;
        let dialect = Stream {
            account: self.carrier.account.id.clone(),
            call: call.id.clone(),
            sid: fresh("MZ"),
            parameters: stream.parameters,
            sequence: 0,
        };
        Ok((wire, dialect))
    }

    async fn hung_up(&self, caller: &mut Caller) {
        loop {
            match caller.commands.recv().await {
                Some(Command::Complete | Command::Cancel) => return,
                // The callers stay on their first stream.
                Some(Command::Redirect(_) | Command::TimeLimit(_)) => {}
                None => pending().await,
            }
        }
    }

    async fn end(&self, Caller { call, .. }: Caller, ago: Duration) -> Result<(), String> {
        let ledger = &self.carrier.office.ledger;
        call.change(ledger, Status::Completed, ago);
        let mut form = webhook::fields(&self.carrier, &call);
        let more = [
            ("CallDuration", ago.as_secs().to_string()),
            ("CallbackSource", "call-progress-events".to_owned()),
            ("SequenceNumber", "0".to_owned()),
        ];
        form.extend(more.map(|(name, value)| (name.to_owned(), value)));
        let path = &self.plan.status_path;
        self.post(&call, "completed", path, form).await?;
        Ok(())
    }
}

impl Crowd {
    async fn post(
        &self,
        call: &Call,
        event: &str,
        path: &str,
        form: Vec<(String, String)>,
    ) -> Result<String, String> {
        let url = format!("{}{path}", self.plan.public_url.trim_end_matches('/'));
        let token = fresh("");
        let (method, kind) = (Method::Post, Kind::Genuine);
        let webhook = Webhook {
            event,
            url: &url,
            method,
            form,
            kind,
            token: &token,
        };
        let page = webhook::send(&self.carrier, call, webhook)
            .await
            .map_err(|unanswered| unanswered.text)?;
        if (200..300).contains(&page.status) {
            Ok(page.body)
        } else {
            Err(format!("HTTP {}", page.status))
        }
    }
}

/// What is said on one call's socket.
struct Stream {
    account: String,
    call: String,
    sid: String,
    parameters: Vec<(String, String)>,
    sequence: u64,
}

impl Dialect for Stream {
    fn begin(&mut self) -> Vec<String> {
        let connected = r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#;
        let parameters: serde_json::Map<String, Value> = self
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), Value::String(value.clone())))
            .collect();
        let start = serde_json::json!({
            "event": "start",
            "sequenceNumber": self.next_sequence().to_string(),
            "start": {
                "accountSid": self.account,
                "streamSid": self.sid,
                "callSid": self.call,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": parameters,
            },
            "streamSid": self.sid,
        });
        vec![connected.to_owned(), start.to_string()]
    }

    fn sound(&mut self, tick: u32, payload: Payload<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"event":"media","sequenceNumber":""#);
        push_number(out, self.next_sequence());
        out.extend_from_slice(br#"","media":{"track":"inbound","chunk":""#);
        push_number(out, u64::from(tick) + 1);
        out.extend_from_slice(br#"","timestamp":""#);
        push_number(out, u64::from(tick) * 20);
        out.extend_from_slice(br#"","payload":""#);
        payload.write(out);
        out.extend_from_slice(br#""},"streamSid":""#);
        out.extend_from_slice(self.sid.as_bytes());
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
        let sequence = self.next_sequence().to_string();
        let message = serde_json::json!({
            "event": "mark", "sequenceNumber": sequence, "streamSid": self.sid, "mark": {"name": mark},
        });
        message.to_string()
    }

    fn cleared(&mut self, marks: Vec<String>) -> Vec<String> {
        marks.iter().map(|mark| self.reached(mark)).collect()
    }

    fn end(&mut self) -> Option<String> {
        let (sequence, sid) = (self.next_sequence(), &self.sid);
        let (account, call) = (&self.account, &self.call);
        Some(format!(
            r#"{{"event":"stop","sequenceNumber":"{sequence}","stop":{{"accountSid":"{account}","callSid":"{call}"}},"streamSid":"{sid}"}}"#,
        ))
    }
}

impl Stream {
    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}
