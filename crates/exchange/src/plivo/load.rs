//! The calls of a load run: the answer URL, its XML, the stream, and the news of the end.

use super::cause::Cause;
use super::media::signatures;
use super::webhook::{self, Webhook, nonce};
use super::xml::{self, Codec, Instruction};
use super::{Call, Carrier, Command, Method, Notice, Own, uuid};
use crate::ledger::{Direction, Kind, Status};
use crate::load::{Callers, Dialect, Load, LoadPlan, Payload, Told, drive, open, push_number};
use crate::office::{Account, Office};
use crate::wire::Wire;
use jiff::Timestamp;
use serde_json::{Value, json};
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// The carrier and its callers.
pub(super) fn prepare(account: Account, office: Office, plan: LoadPlan) -> Load {
    let carrier = Arc::new(Carrier::new(account, office));
    let notice = |path: &str| Notice {
        url: format!("{}{path}", plan.public_url.trim_end_matches('/')),
        method: Method::Post,
    };
    let crowd = Crowd {
        carrier: Arc::clone(&carrier),
        answer: notice(&plan.voice_path),
        hangup: notice(&plan.status_path),
        to: plan.to.clone(),
    };
    Load::new(carrier, drive(plan, crowd))
}

struct Crowd {
    carrier: Arc<Carrier>,
    answer: Notice,
    hangup: Notice,
    to: String,
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
        let own = Own {
            hangup: Some(self.hangup.clone()),
            ..Own::default()
        };
        let parties = (from, self.to.as_str());
        let (call, commands) = Call::new(uuid(), Direction::Inbound, parties, own);
        Caller { call, commands }
    }

    async fn connect(&self, caller: &mut Caller) -> Result<(Wire, Stream), String> {
        let call = &caller.call;
        let entered = self.carrier.calls.enter(Arc::clone(call));
        entered.map_err(|_| "the exchange takes no more calls")?;
        let form = webhook::fields(&self.carrier, call, "StartApp");
        let page = self.post(call, "StartApp", &self.answer, form).await;
        let page = page.map_err(|why| format!("answer URL: {why}"))?;
        let document = xml::parse(&page).map_err(|why| format!("instructions: {}", why.0))?;
        let stream = document
            .instructions
            .into_iter()
            .find_map(|instruction| match instruction {
                Instruction::Stream(stream) => Some(stream),
                Instruction::Redirect(_)
                | Instruction::Hangup { .. }
                | Instruction::Conference(_)
                | Instruction::Dial(_)
                | Instruction::Silence(_)
                | Instruction::PreAnswer(_)
                | Instruction::Keys(_) => None,
            });
        let stream = stream.ok_or("instructions: no stream")?;
        if !stream.bidirectional || stream.codec != Codec::Mulaw {
            return Err("instructions: the stream is not one of µ-law both ways".to_owned());
        }
        let office = &self.carrier.office;
        call.change(&office.ledger, Status::InProgress, Duration::ZERO);
        let id = uuid();
        call.set(|own| own.stream = Some(id.clone()));
        let headers = signatures(&self.carrier.account.secret, &stream.url);
        let wire = open(office, &stream.url, &headers).await?;
        let dialect = Stream {
            account: self.carrier.account.id.clone(),
            call: call.id.clone(),
            id,
            extra_headers: json!(stream.headers()).to_string(),
            began: Timestamp::now().as_millisecond(),
            sequence: 0,
        };
        Ok((wire, dialect))
    }

    async fn hung_up(&self, caller: &mut Caller) {
        loop {
            match caller.commands.recv().await {
                Some(Command::HangUp | Command::StopStream) => return,
                // The callers stay on their first stream.
                Some(
                    Command::Cancel | Command::Transfer(_) | Command::Keys(_) | Command::Stream(_),
                ) => {}
                None => pending().await,
            }
        }
    }

    async fn end(&self, Caller { call, .. }: Caller, ago: Duration) -> Result<(), String> {
        let hangup = Cause::Person.hangup(call.direction);
        call.set(|own| own.ended = Some(hangup));
        call.change(&self.carrier.office.ledger, Status::Completed, ago);
        let mut form = webhook::fields(&self.carrier, &call, "Hangup");
        form.extend(webhook::last_fields(&call));
        self.post(&call, "Hangup", &self.hangup, form).await?;
        Ok(())
    }
}

impl Crowd {
    async fn post(
        &self,
        call: &Call,
        event: &str,
        to: &Notice,
        form: Vec<(String, String)>,
    ) -> Result<String, String> {
        let (kind, nonce) = (Kind::Genuine, nonce());
        let webhook = Webhook {
            event,
            to,
            form,
            kind,
            nonce: &nonce,
        };
        let page = webhook::send(&self.carrier, call, webhook).await?;
        Ok(page.body)
    }
}

/// What is said on one call's socket.
struct Stream {
    account: String,
    call: String,
    id: String,
    /// As every message has them: in quotes.
    extra_headers: String,
    /// In milliseconds of the epoch.
    began: i64,
    sequence: u64,
}

impl Dialect for Stream {
    fn begin(&mut self) -> Vec<String> {
        let extra_headers: Value = serde_json::from_str(&self.extra_headers).unwrap_or_default();
        let start = json!({
            "event": "start",
            "sequenceNumber": self.next_sequence(),
            "start": {
                "callId": self.call,
                "streamId": self.id,
                "accountId": self.account,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000},
            },
            "extra_headers": extra_headers,
        });
        vec![start.to_string()]
    }

    fn sound(&mut self, tick: u32, payload: Payload<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"event":"media","sequenceNumber":"#);
        push_number(out, self.next_sequence());
        out.extend_from_slice(br#","streamId":""#);
        out.extend_from_slice(self.id.as_bytes());
        out.extend_from_slice(br#"","media":{"track":"inbound","timestamp":""#);
        push_number(out, self.began.unsigned_abs() + u64::from(tick) * 20);
        out.extend_from_slice(br#"","chunk":"#);
        push_number(out, u64::from(tick) + 1);
        out.extend_from_slice(br#","payload":""#);
        payload.write(out);
        out.extend_from_slice(br#""},"extra_headers":"#);
        out.extend_from_slice(self.extra_headers.as_bytes());
        out.push(b'}');
    }

    fn read(&self, message: &Value) -> Told {
        match (message["event"].as_str(), message["name"].as_str()) {
            (Some("checkpoint"), Some(name)) => Told::Mark(name.to_owned()),
            (Some("clearAudio"), _) => Told::Clear,
            _ => Told::Odd,
        }
    }

    fn reached(&mut self, mark: &str) -> String {
        let message = json!({
            "event": "playedStream",
            "sequenceNumber": self.next_sequence(),
            "streamId": self.id,
            "name": mark,
        });
        message.to_string()
    }

    /// Checkpoints that were not reached are forgotten without a word.
    fn cleared(&mut self, _marks: Vec<String>) -> Vec<String> {
        let message = json!({
            "event": "clearedAudio",
            "sequenceNumber": self.next_sequence(),
            "streamId": self.id,
        });
        vec![message.to_string()]
    }

    /// The end is that the socket closes.
    fn end(&mut self) -> Option<String> {
        None
    }
}

impl Stream {
    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}
