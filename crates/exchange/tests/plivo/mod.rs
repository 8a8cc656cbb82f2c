//! The same exchange as another carrier: what every story of Plivo needs.

mod calls;
mod conferences;
mod gateway;
mod load;
mod mischief;
mod streams;
mod transfers;

use exchange::mischief::Mischief;
use exchange::phone::PhonePlan;
use exchange::{Exchange, Outcome};
use gateway::{ACCOUNT, Gateway, TOKEN};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const OURS: &str = "+15550001111";
const PHONE: &str = "+15551234567";

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// A stream to the gateway as an agent wants it, with more attributes, and what follows it.
fn stream(gateway: &Gateway, attributes: &str, after: &str) -> String {
    format!(
        r#"<Stream bidirectional="true" keepCallAlive="true" contentType="audio/x-mulaw;rate=8000" {attributes}>{}</Stream>{after}"#,
        gateway.socket_url()
    )
}

async fn exchange_with(gateway: &Gateway, plan: PhonePlan, mischief: Mischief) -> Exchange {
    Exchange::builder()
        .carrier("plivo")
        .account(ACCOUNT, TOKEN)
        .number(OURS, &gateway.url("/answer/"))
        .status_url(&gateway.url("/hangup"))
        .phone(PHONE, plan)
        .mischief(mischief)
        .start()
        .await
        .expect("a free port of 127.0.0.1 can be listened on")
}

async fn honest(gateway: &Gateway, plan: PhonePlan) -> Exchange {
    exchange_with(gateway, plan, Mischief::default()).await
}

/// A request to the REST API with the right credentials, in JSON when there is something to say.
async fn ask(exchange: &Exchange, method: &str, path: &str, body: Value) -> (u16, Value) {
    let url = format!("{}/v1/Account/{ACCOUNT}/{path}", exchange.base_url());
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let request = client.request(method.parse().unwrap(), url);
    let request = if body.is_null() {
        request
    } else {
        request.json(&body)
    };
    let answer = request
        .basic_auth(ACCOUNT, Some(TOKEN))
        .send()
        .await
        .unwrap();
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    if text.is_empty() {
        return (status, json!(null));
    }
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["api_id"].as_str().unwrap().len(), 36);
    (status, value)
}

/// What an application says to have the phone called.
fn call_for(gateway: &Gateway, more: Value) -> Value {
    let mut body = json!({
        "from": OURS,
        "to": PHONE,
        "answer_url": gateway.url("/answer/"),
        "ring_url": gateway.url("/ring"),
        "hangup_url": gateway.url("/hangup"),
    });
    for (name, value) in more.as_object().into_iter().flatten() {
        body[name] = value.clone();
    }
    body
}

/// Dials the phone as an application would; the request's id, which is not the call's.
async fn dial(exchange: &Exchange, gateway: &Gateway, more: Value) -> String {
    let (status, fired) = ask(exchange, "POST", "Call/", call_for(gateway, more)).await;
    assert_eq!(status, 201, "{fired}");
    assert_eq!(fired["message"], "call fired");
    fired["request_uuid"].as_str().unwrap().to_owned()
}

async fn outcome(exchange: &Exchange, call: &str) -> Arc<Outcome> {
    tokio::time::timeout(Duration::from_secs(30), exchange.call(call))
        .await
        .expect("the call ends")
}

async fn next_outcome(exchange: &Exchange) -> Arc<Outcome> {
    tokio::time::timeout(Duration::from_secs(30), exchange.next_outcome())
        .await
        .expect("a call ends")
}

fn codes(outcome: &Outcome) -> Vec<u32> {
    outcome
        .warnings
        .iter()
        .map(|warning| warning.code)
        .collect()
}

/// What a gateway was told of a call's end.
fn hangup(gateway: &Gateway) -> (String, String, String) {
    let hook = gateway.hooks("/hangup").pop().unwrap();
    assert_eq!(hook.field("Event"), "Hangup");
    let field = |name: &str| hook.field(name).to_owned();
    (
        field("CallStatus"),
        field("HangupCauseCode"),
        field("HangupSource"),
    )
}

fn told(status: &str, code: u32, source: &str) -> (String, String, String) {
    (status.to_owned(), code.to_string(), source.to_owned())
}
