//! Events: how they are written, signed, sent, and sent again.
//!
//! Source: the carrier's webhook documents and the webhook schemas of its OpenAPI description; its SDKs for the
//! signature.

use super::{Call, Carrier, date, uuid};
use crate::courier::{Courier, Errand, Overburdened, Round};
use crate::ledger::{Answer, Delivery, Direction, Kind};
use crate::mischief::Callbacks;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::sleep;

/// Signs events with the key that belongs to an account.
pub(super) struct Signer(Ed25519KeyPair);

impl Signer {
    /// The exchange's own custom: the seed of the key is the SHA-256 of the secret, so that a gateway's
    /// configuration stays the same from one exchange to the next.
    pub(super) fn of(secret: &str) -> Self {
        Self::from_seed(&Sha256::digest(secret.as_bytes()))
    }

    fn from_seed(seed: &[u8]) -> Self {
        Self(Ed25519KeyPair::from_seed_unchecked(seed).expect("any 32 bytes are a seed"))
    }

    /// As the carrier's portal shows it.
    pub(super) fn public_key(&self) -> String {
        STANDARD.encode(self.0.public_key())
    }

    fn sign(&self, timestamp: &str, body: &str) -> String {
        let signature = self.0.sign(format!("{timestamp}|{body}").as_bytes());
        STANDARD.encode(signature)
    }
}

/// Tells the application what happens to a call.
pub(super) struct Events {
    carrier: Arc<Carrier>,
    call: Arc<Call>,
    courier: Courier<Event>,
}

/// One event, as it was when it happened.
pub(super) struct Event {
    name: &'static str,
    id: String,
    occurred_at: String,
    payload: Map<String, Value>,
    url: String,
}

impl Events {
    pub(super) fn new(carrier: &Arc<Carrier>, call: &Arc<Call>, mischief: Callbacks) -> Self {
        let (carrier, call) = (Arc::clone(carrier), Arc::clone(call));
        let deliveries = Deliveries {
            carrier: Arc::clone(&carrier),
            call: Arc::clone(&call),
        };
        Self {
            carrier,
            call,
            courier: Courier::new(deliveries, mischief),
        }
    }

    /// Takes note of what has happened now, with what this event says beyond the ids; the delivery happens later.
    pub(super) fn tell(&self, name: &'static str, more: Value) {
        let own = self.call.state().own;
        if own.webhook_url.is_empty() {
            return;
        }
        let mut payload = Map::new();
        let mut add = |name: &str, value: Value| payload.insert(name.to_owned(), value);
        add("call_control_id", json!(self.call.id));
        add("call_leg_id", json!(own.leg));
        add("call_session_id", json!(own.session));
        add("connection_id", json!(self.carrier.account.id));
        add("client_state", json!(own.client_state));
        add("from", json!(self.call.from));
        add("to", json!(self.call.to));
        if let Value::Object(more) = more {
            payload.extend(more);
        }
        let event = Event {
            name,
            id: uuid(),
            occurred_at: date(Timestamp::now()),
            payload,
            url: own.webhook_url,
        };
        if let Err(Overburdened) = self.courier.take(event) {
            let text = format!("{name}: too many events are waiting");
            self.carrier.office.ledger.warn(0, &self.call.id, text);
        }
    }

    /// Waits until everything has been delivered.
    pub(super) async fn finish(self) {
        self.courier.finish().await;
    }
}

struct Deliveries {
    carrier: Arc<Carrier>,
    call: Arc<Call>,
}

impl Round for Deliveries {
    type Event = Event;

    fn name(event: &Event) -> &str {
        event.name
    }

    async fn deliver(&self, event: &Event, kind: Kind) {
        if kind == Kind::Forged {
            // Whoever forges does not try again.
            self.attempt(&self.forge(event), kind, 1).await;
            return;
        }
        for attempt in 1..=MOST_ATTEMPTS {
            let why = match self.attempt(event, kind, attempt).await {
                Answer::Status(200..=299) => return,
                Answer::Status(status) => format!("HTTP {status}"),
                Answer::Nothing(why) => why,
            };
            if attempt == MOST_ATTEMPTS {
                let text = format!("{}: {why}, {attempt} times", event.name);
                self.carrier.office.ledger.warn(0, &self.call.id, text);
            } else {
                sleep(BETWEEN_ATTEMPTS).await;
            }
        }
    }
}

impl Deliveries {
    async fn attempt(&self, event: &Event, kind: Kind, attempt: u32) -> Answer {
        let body = json!({
            "data": {
                "record_type": "event",
                "event_type": event.name,
                "id": event.id,
                "occurred_at": event.occurred_at,
                "payload": event.payload,
            },
            "meta": {"attempt": attempt, "delivered_to": event.url},
        });
        let body = body.to_string();
        let timestamp = Timestamp::now().as_second().to_string();
        let signer = match kind {
            Kind::Genuine | Kind::Duplicate => &self.carrier.signer,
            Kind::Forged => &self.carrier.forger,
        };
        let signature = signer.sign(&timestamp, &body);
        let errand = Errand {
            method: reqwest::Method::POST,
            url: &event.url,
            headers: vec![
                ("Content-Type", "application/json"),
                ("User-Agent", "telnyx-webhooks"),
                ("telnyx-signature-ed25519", &signature),
                ("telnyx-timestamp", &timestamp),
            ],
            body: body.into_bytes(),
            within: ACKNOWLEDGED,
        };
        let answer = match errand.run(&self.carrier.office).await {
            Ok(page) => Answer::Status(page.status),
            Err(failure) => Answer::Nothing(failure.text().to_owned()),
        };
        self.carrier.office.ledger.delivered(Delivery {
            call: self.call.id.clone(),
            event: event.name.to_owned(),
            url: event.url.clone(),
            params: params(event, attempt),
            signature,
            kind,
            answer: answer.clone(),
        });
        answer
    }

    /// An event of the same call that claims it is over.
    fn forge(&self, event: &Event) -> Event {
        let mut payload = event.payload.clone();
        for (name, value) in [
            ("state", "hangup"),
            ("hangup_cause", "normal_clearing"),
            ("hangup_source", self.person()),
            ("sip_hangup_cause", "200"),
        ] {
            payload.insert(name.to_owned(), json!(value));
        }
        Event {
            name: "call.hangup",
            id: uuid(),
            occurred_at: event.occurred_at.clone(),
            payload,
            url: event.url.clone(),
        }
    }

    fn person(&self) -> &'static str {
        match self.call.direction {
            Direction::Inbound => "caller",
            Direction::Outbound => "callee",
        }
    }
}

/// What an event says, as the books keep it.
fn params(event: &Event, attempt: u32) -> Vec<(String, String)> {
    let mut params: Vec<(String, String)> = [
        ("event_type", event.name.to_owned()),
        ("id", event.id.clone()),
        ("occurred_at", event.occurred_at.clone()),
        ("attempt", attempt.to_string()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    params.extend(flat(&event.payload));
    params
}

/// An object's members, texts as they are and anything else as JSON.
pub(super) fn flat(object: &Map<String, Value>) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    object
        .iter()
        .map(|(name, value)| (name.clone(), text(value)))
        .collect()
}

/// An application has this long to acknowledge an event.
const ACKNOWLEDGED: Duration = Duration::from_secs(2);
const MOST_ATTEMPTS: u32 = 3;
const BETWEEN_ATTEMPTS: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn signs_as_the_carriers_own_sdk_accepts() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/oracles/vectors/webhook-signatures.json");
        let text = std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        let vectors: Value = serde_json::from_slice(&text).unwrap();
        let seed = vectors["telnyx_private_seed_hex_for_making_more"].as_str().unwrap();
        let seed: Vec<u8> = (0..seed.len())
            .step_by(2)
            .map(|at| u8::from_str_radix(&seed[at..at + 2], 16).unwrap())
            .collect();
        let signer = Signer::from_seed(&seed);
        let mut checked = 0;
        for vector in vectors["telnyx"].as_array().unwrap() {
            assert_eq!(signer.public_key(), vector["public_key_base64"]);
            if vector["sdk_accepts"] == true {
                let text = |name: &str| vector[name].as_str().unwrap();
                let signature = signer.sign(text("timestamp"), text("body"));
                assert_eq!(signature, vector["signature_base64"], "{}", vector["name"]);
                checked += 1;
            }
        }
        assert!(checked >= 2, "{checked}");
    }
}
