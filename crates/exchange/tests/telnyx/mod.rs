//! The same exchange as another carrier: what every story of Telnyx needs.

mod calls;
mod gateway;
mod load;
mod mischief;
mod rest;
mod streams;
mod transfers;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::{EndedBy, Exchange, Outcome, Status};
use gateway::{Event, Gateway};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const CONNECTION: &str = "1494404757140276705";
const KEY: &str = "KEY-of-the-tests";
const OURS: &str = "+15550001111";
const PHONE: &str = "+15551234567";

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

async fn exchange_with(gateway: &Gateway, plan: PhonePlan, mischief: Mischief) -> Exchange {
    Exchange::builder()
        .carrier("telnyx")
        .account(CONNECTION, KEY)
        .number(OURS, &gateway.url("/events"))
        .phone(PHONE, plan)
        .mischief(mischief)
        .start()
        .await
        .expect("a free port of 127.0.0.1 can be listened on")
}

async fn honest(gateway: &Gateway, plan: PhonePlan) -> Exchange {
    exchange_with(gateway, plan, Mischief::default()).await
}

fn listens() -> PhonePlan {
    PhonePlan::answers(Duration::ZERO, [])
}

/// A request to the REST API with the right key.
async fn ask(exchange: &Exchange, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let url = format!("{}/v2/{path}", exchange.base_url());
    let mut request = client
        .request(method.parse().unwrap(), url)
        .bearer_auth(KEY);
    if !body.is_null() {
        request = request.json(body);
    }
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn get(exchange: &Exchange, path: &str) -> (u16, Value) {
    ask(exchange, "GET", path, &Value::Null).await
}

/// A command for a call; what it is answered.
async fn order(exchange: &Exchange, call: &str, action: &str, body: Value) -> (u16, Value) {
    ask(
        exchange,
        "POST",
        &format!("calls/{call}/actions/{action}"),
        &body,
    )
    .await
}

/// A command that is accepted.
async fn obeyed(exchange: &Exchange, call: &str, action: &str, body: Value) {
    let answer = order(exchange, call, action, body).await;
    assert_eq!(answer, (200, json!({"data": {"result": "ok"}})), "{action}");
}

/// The status and the code a command is refused with.
async fn refused(exchange: &Exchange, call: &str, action: &str, body: Value) -> (u16, String) {
    let (status, refusal) = order(exchange, call, action, body).await;
    (status, code(&refusal))
}

fn code(refusal: &Value) -> String {
    refusal["errors"][0]["code"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

fn with(mut body: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    body
}

/// A stream that is heard at the phone.
fn stream(gateway: &Gateway) -> Value {
    json!({
        "stream_url": gateway.media_url(),
        "stream_bidirectional_mode": "rtp",
        "stream_bidirectional_target_legs": "self",
    })
}

/// Dials the phone; the call's id.
async fn dial(exchange: &Exchange, more: Value) -> String {
    let body = with(
        json!({"connection_id": CONNECTION, "from": OURS, "to": PHONE}),
        more,
    );
    let (status, answer) = ask(exchange, "POST", "calls", &body).await;
    assert_eq!(status, 200, "{answer}");
    answer["data"]["call_control_id"]
        .as_str()
        .unwrap()
        .to_owned()
}

async fn outcome(exchange: &Exchange, call: &str) -> Arc<Outcome> {
    // More than the longest ring, for stories whose clock does not wait.
    tokio::time::timeout(Duration::from_secs(70), exchange.call(call))
        .await
        .expect("the call ends")
}

fn codes(outcome: &Outcome) -> Vec<u32> {
    outcome
        .warnings
        .iter()
        .map(|warning| warning.code)
        .collect()
}

/// Whether an event is signed with the key that the configuration names, as the carrier's documents say.
fn is_genuine(exchange: &Exchange, event: &Event) -> bool {
    is_signed_for(&exchange.configuration(), event)
}

fn is_signed_for(configuration: &str, event: &Event) -> bool {
    let key = configuration
        .lines()
        .find_map(|line| line.strip_prefix("public_key = "))
        .unwrap();
    let key = STANDARD.decode(key.trim_matches('"')).unwrap();
    let message = format!("{}|{}", event.header("telnyx-timestamp"), event.raw);
    let signature = STANDARD
        .decode(event.header("telnyx-signature-ed25519"))
        .unwrap();
    ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key)
        .verify(message.as_bytes(), &signature)
        .is_ok()
}
