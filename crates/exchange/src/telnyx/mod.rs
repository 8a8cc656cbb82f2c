//! Telnyx's side of the wire: Call Control v2, its events, its media socket.
//!
//! What differs from the real thing, on purpose: everything is plain HTTP and `ws` on loopback
//! ([`crate::Builder::tunnel`] lets an application keep its public `https` address); an application is told its events
//! one after the other, unless mischief says otherwise; a call has one leg until it is transferred; sound is G.711, and L16 from the
//! application. The end of a machine's greeting, gathering, speaking, playing files, bridges, conferences and TeXML are
//! not played: their commands are refused, and parameters that would ask for them are accepted and warned of.
//!
//! The carrier numbers what its API and its socket refuse. What only its debugger would show has the number 0.

mod body;
mod codec;
mod life;
mod load;
mod media;
mod numbers;
mod recording;
mod rest;
mod transfer;
mod webhook;

use crate::call;
use crate::ledger::Direction;
use crate::office::{Account, Office, fresh, lock};
use crate::phone::Step;
use crate::{Entry, LONGEST_CALL, LONGEST_RING, Played};
use axum::Router;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use body::StreamOrder;
use jiff::Timestamp;
use serde_json::Value;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::Instant;
use uuid::Uuid;
use transfer::TransferOrder;
use webhook::Signer;

/// The carrier played here.
pub(crate) const ENTRY: Entry = Entry {
    name: "telnyx",
    account: "1494404757140276705",
    secret: "KEY0123456789ABCDEF0123456789ABCDEF_0123456789abcdef",
    open: |account, office| Arc::new(Carrier::new(account, office)),
    load: load::prepare,
};

/// The carrier: its account, its calls, and the commands it has just obeyed.
struct Carrier {
    /// The id is the connection's, the secret the API key.
    account: Account,
    user_id: String,
    signer: Signer,
    forger: Signer,
    office: Office,
    calls: call::Calls<Command, Own>,
    obeyed: Mutex<VecDeque<Obeyed>>,
}

/// One call as the carrier keeps it; its id is the `call_control_id`.
type Call = call::Call<Command, Own>;

/// What it keeps of a call beyond what all carriers do.
#[derive(Clone)]
struct Own {
    leg: String,
    session: String,
    /// Comes back in every event.
    client_state: Option<String>,
    webhook_url: String,
    /// The stream that is on, or about to be.
    stream: Option<String>,
    recordings: Vec<recording::Recording>,
}

/// What the REST API asks of a live call.
enum Command {
    Answer(Option<StreamOrder>),
    Reject(Cause),
    Hangup,
    StartStream(StreamOrder),
    StopStream,
    /// Plays keys to the phone.
    Keys(Vec<i16>),
    Transfer(Box<TransferOrder>),
}

/// How a call is rejected.
#[derive(Clone, Copy)]
enum Cause {
    Rejected,
    Busy,
}

/// A command with an id, and what it was answered.
struct Obeyed {
    at: Instant,
    /// The call it was for; empty for a call that is only to be.
    call: String,
    command: String,
    answer: Value,
}

impl Own {
    fn new(webhook_url: String) -> Self {
        Self {
            leg: uuid(),
            session: uuid(),
            client_state: None,
            webhook_url,
            stream: None,
            recordings: Vec::new(),
        }
    }
}

impl Carrier {
    fn new(account: Account, office: Office) -> Self {
        Self {
            user_id: uuid(),
            signer: Signer::of(&account.secret),
            forger: Signer::of("not the key of this account"),
            account,
            office,
            calls: call::Calls::new(),
            obeyed: Mutex::default(),
        }
    }

    /// What a command was answered that is repeated within a minute.
    fn answered(&self, call: &str, command: &str) -> Option<Value> {
        let mut obeyed = lock(&self.obeyed);
        while obeyed.front().is_some_and(|first| first.at.elapsed() >= REMEMBERED) {
            obeyed.pop_front();
        }
        obeyed
            .iter()
            .find(|known| known.call == call && known.command == command)
            .map(|known| known.answer.clone())
    }

    fn remember(&self, call: &str, command: &str, answer: &Value) {
        let mut obeyed = lock(&self.obeyed);
        if obeyed.len() >= MOST_REMEMBERED {
            obeyed.pop_front();
        }
        obeyed.push_back(Obeyed {
            at: Instant::now(),
            call: call.to_owned(),
            command: command.to_owned(),
            answer: answer.clone(),
        });
    }
}

impl Played for Carrier {
    fn office(&self) -> &Office {
        &self.office
    }

    fn configuration(&self, api: &str) -> String {
        let Account { id, secret } = &self.account;
        let key = self.signer.public_key();
        let sound = self.office.band.setting();
        format!(
            "[carriers.{}]\napi_key = \"{secret}\"\npublic_key = \"{key}\"\nconnection_id = \"{id}\"\napi_url = \"{api}\"\n{sound}",
            ENTRY.name
        )
    }

    fn router(self: Arc<Self>) -> Router {
        rest::router(self)
    }

    fn call_in(self: Arc<Self>, from: &str, to: &str, script: Vec<Step>) -> Option<String> {
        let number = self.office.called(to)?;
        let own = Own::new(number.voice_url);
        let (call, commands) = Call::new(control_id(), Direction::Inbound, (from, to), own);
        self.calls.enter(Arc::clone(&call)).ok()?;
        let id = call.id.clone();
        let order = life::Order {
            judge: life::Judge::Silent,
            timeout: LONGEST_RING,
            time_limit: LONGEST_CALL,
            stream: None,
        };
        let life = life::inbound(Arc::clone(&self), call, commands, script, order);
        self.office.spawn(life);
        Some(id)
    }
}

/// A handle on a call, as opaque as the carrier's.
fn control_id() -> String {
    let token = fresh("") + &fresh("");
    format!("v3:{}", URL_SAFE_NO_PAD.encode(&token.as_bytes()[..39]))
}

fn uuid() -> String {
    Uuid::new_v4().to_string()
}

/// A date as the carrier writes it (ISO 8601, UTC, microseconds).
fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%S%.6fZ").to_string()
}

/// For this long a command is not obeyed twice.
const REMEMBERED: Duration = Duration::from_secs(60);
const MOST_REMEMBERED: usize = 10_000;
