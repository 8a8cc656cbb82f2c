//! The Plivo carrier against what Plivo publishes: its signatures, its library's requests, its
//! messages.

#[path = "../far/broken.rs"]
mod broken;
mod conferences;
mod dial;
mod imprints;
mod machines;
mod presses;
mod recordings;
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

use carriers::plivo::signature::{fields, sign};
use ports::carrier::{Carrier, Entry, Request};
use ports::{Secret, Settings, Value};

const ID: &str = "MAZZZZZZZZZZZZZZZZZZ";
const TOKEN: &str = "my_auth_token";
const NONCE: &str = "05429567804466091622";
const CALL: &str = "97ceeb52-58b6-11e1-86da-77300b68f8bb";
const REQUEST: &str = "9834029e-58b6-11e1-b8b7-a5bd0e4e126f";

/// The carrier as it is found on the list.
fn entry() -> Entry {
    let found = carriers::LIST.iter().find(|it| it.name == "plivo");
    *found.expect("plivo is on the list")
}

fn settings() -> Settings {
    Settings::default()
        .with("auth_id", Value::Text(ID.to_owned()))
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

/// A form post as the gateway hands it on, signed as if by Plivo.
fn signed_post(url: &str, form: &[(&str, &str)]) -> Request {
    let mut body = form_urlencoded::Serializer::new(String::new());
    let body = body.extend_pairs(form).finish();
    let form = fields(body.as_bytes());
    let signature = sign(&Secret::new(TOKEN), "POST", url, &form, NONCE);
    request("POST", url, &body, &signature)
}

fn request(method: &str, url: &str, body: &str, signature: &str) -> Request {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Request {
        method: method.to_owned(),
        url: url.to_owned(),
        headers: vec![
            header("content-type", "application/x-www-form-urlencoded"),
            header("x-plivo-signature-v3-nonce", NONCE),
            header("x-plivo-signature-v3", signature),
        ],
        body: body.as_bytes().to_vec(),
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
