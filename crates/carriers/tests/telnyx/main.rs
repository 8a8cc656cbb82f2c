//! The Telnyx carrier against what Telnyx publishes: its signatures, its description of the API,
//! its messages.

mod imprints;
mod machines;
mod presses;
mod recordings;
mod requests;
mod settings;
mod signatures;
mod stream;
mod transfers;
mod webhooks;

use std::path::Path;
use std::sync::LazyLock;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ports::carrier::{Carrier, Entry, Request};
use ports::{Secret, Settings, Value};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

const CALL: &str = "v3:MdI91X4lWFEs7IgbBEOT9M4AigoY08M0WWZFISt1Yw2axZ_IiE4pqg";

/// When everything in these tests happens.
const NOW: u64 = 1_732_275_000;

/// The carrier as it is found on the list.
fn entry() -> Entry {
    let found = carriers::LIST.iter().find(|it| it.name == "telnyx");
    *found.expect("telnyx is on the list")
}

/// The pair of keys that the vectors were made with.
fn key() -> Ed25519KeyPair {
    let seed: Vec<u8> = (0..32).collect();
    Ed25519KeyPair::from_seed_unchecked(&seed).expect("32 bytes are a seed")
}

fn settings() -> Settings {
    let public = STANDARD.encode(key().public_key());
    Settings::default()
        .with("api_key", Value::Secret(Secret::new("KEY")))
        .with("public_key", Value::Text(public))
        .with("connection_id", Value::Text("1".to_owned()))
}

/// Made once: it reads all of this machine's trusted certificates.
static CARRIER: LazyLock<Carrier> =
    LazyLock::new(|| (entry().build)(&settings()).unwrap_or_else(|them| panic!("{them:?}")));

fn carrier() -> Carrier {
    CARRIER.clone()
}

/// The carrier with its API at `address` on this machine.
fn carrier_at(address: std::net::SocketAddr) -> Carrier {
    let settings = settings().with("api_url", Value::Text(format!("http://{address}")));
    (entry().build)(&settings).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// The same, and told this.
fn carrier_with(address: std::net::SocketAddr, key: &'static str, value: &str) -> Carrier {
    let settings = settings()
        .with("api_url", Value::Text(format!("http://{address}")))
        .with(key, Value::Text(value.to_owned()));
    (entry().build)(&settings).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// A webhook as the gateway hands it on, signed as if by Telnyx.
fn signed(body: &str) -> Request {
    let timestamp = NOW.to_string();
    let signature = key().sign(format!("{timestamp}|{body}").as_bytes());
    post(&timestamp, &STANDARD.encode(signature), body)
}

fn post(timestamp: &str, signature: &str, body: &str) -> Request {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Request {
        method: "POST".to_owned(),
        url: "https://a.example/telnyx/voice?call=1".to_owned(),
        headers: vec![
            header("content-type", "application/json"),
            header("telnyx-timestamp", timestamp),
            header("telnyx-signature-ed25519", signature),
        ],
        body: body.as_bytes().to_vec(),
        received: at(NOW),
    }
}

fn at(seconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// One of the files of facts that lie beside the repository.
fn oracle(path: &str) -> serde_json::Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracles");
    let path = root.join(path);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("the oracle {} is missing: {error}", path.display()));
    serde_json::from_str(&text).expect("an oracle is JSON")
}
