//! The Twilio carrier against what Twilio publishes: its signatures, its description of the API,
//! its messages.

#[path = "../far/broken.rs"]
mod broken;
mod conferences;
mod dial;
mod imprints;
mod machines;
mod openapi;
mod recorder;
mod recordings;
mod refusals;
mod reply;
mod requests;
mod settings;
mod signatures;
mod stream;
mod transfers;
mod webhooks;

use std::path::Path;
use std::sync::LazyLock;
use std::time::SystemTime;

use ports::carrier::{Carrier, Entry, Request};
use ports::{Secret, Settings, Value};

const ACCOUNT: &str = "AC00000000000000000000000000000000";
const CALL: &str = "CA11111111111111111111111111111111";
const KEY: &str = "SK22222222222222222222222222222222";
const TOKEN: &str = "12345678901234567890123456789012";

/// The carrier as it is found on the list.
fn entry() -> Entry {
    let found = carriers::LIST.iter().find(|it| it.name == "twilio");
    *found.expect("twilio is on the list")
}

fn settings() -> Settings {
    Settings::default()
        .with("account_sid", Value::Text(ACCOUNT.to_owned()))
        .with("auth_token", Value::Secret(Secret::new(TOKEN)))
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

/// A form post as the gateway hands it on, signed as if by Twilio.
fn signed_post(url: &str, fields: &[(&str, &str)]) -> Request {
    let signature = carriers::twilio::signature::sign(
        carriers::twilio::signature::Algorithm::HmacSha1,
        &Secret::new(TOKEN),
        url,
        &fields.iter().map(|&(k, v)| (k.into(), v.into())).collect(),
    );
    post(url, fields, &signature)
}

fn post(url: &str, fields: &[(&str, &str)], signature: &str) -> Request {
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.extend_pairs(fields);
    let kind = "application/x-www-form-urlencoded; charset=UTF-8";
    Request {
        method: "POST".to_owned(),
        url: url.to_owned(),
        headers: vec![
            ("content-type".to_owned(), kind.to_owned()),
            ("x-twilio-signature".to_owned(), signature.to_owned()),
        ],
        body: body.finish().into_bytes(),
        received: SystemTime::UNIX_EPOCH,
    }
}

/// One of the files of facts that lie beside the repository.
fn oracle(path: &str) -> serde_json::Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/oracles");
    let path = root.join(path);
    let text = std::fs::read_to_string(&path)
        .unwrap_or_else(|error| panic!("the oracle {} is missing: {error}", path.display()));
    serde_json::from_str(&text).expect("an oracle is JSON")
}
