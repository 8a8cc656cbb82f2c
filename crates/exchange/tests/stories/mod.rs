//! What every story needs.

mod calls;
mod conferences;
mod load;
mod mischief;
mod streams;
mod transfers;

use crate::gateway::{self, ACCOUNT, Gateway, TOKEN, decode, loud, signature, tone};
use exchange::load::{LoadPlan, Sound};
use exchange::mischief::{
    Callbacks, Chatter, Chunks, Connect, Format, Mischief, Order, Signature, Socket, Wire,
};
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::stopwatch::{Clear, Reply};
use exchange::{Direction, EndedBy, Exchange, Kind, Outcome, Returned, Status, Trouble};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

const OURS: &str = "+15550001111";
const PHONE: &str = "+15551234567";

fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

fn connect(gateway: &Gateway) -> String {
    format!(
        r#"<Response><Connect><Stream url="{}/media"/></Connect></Response>"#,
        gateway.socket_url()
    )
}

async fn exchange_with(gateway: &Gateway, plan: PhonePlan, mischief: Mischief) -> Exchange {
    Exchange::builder()
        .account(ACCOUNT, TOKEN)
        .number(OURS, &gateway.url("/voice"))
        .status_url(&gateway.url("/status"))
        .phone(PHONE, plan)
        .mischief(mischief)
        .start()
        .await
        .expect("a free port of 127.0.0.1 can be listened on")
}

async fn honest(gateway: &Gateway, plan: PhonePlan) -> Exchange {
    exchange_with(gateway, plan, Mischief::default()).await
}

fn socket_mischief(socket: Socket) -> Mischief {
    Mischief {
        socket,
        ..Mischief::default()
    }
}

/// A request to the REST API with the right credentials.
async fn ask(exchange: &Exchange, path: &str, form: &[(&str, &str)]) -> (u16, Value) {
    let url = format!(
        "{}/2010-04-01/Accounts/{ACCOUNT}/{path}",
        exchange.base_url()
    );
    let client = reqwest::Client::builder()
        .no_proxy()
        .tls_certs_only([])
        .build()
        .unwrap();
    let request = if form.is_empty() {
        client.get(url)
    } else {
        client.post(url).form(form)
    };
    let answer = request
        .basic_auth(ACCOUNT, Some(TOKEN))
        .send()
        .await
        .unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

/// Dials the phone as an application would, with all status events.
async fn dial(exchange: &Exchange, gateway: &Gateway, more: &[(&str, &str)]) -> String {
    let (url, status) = (gateway.url("/voice"), gateway.url("/status"));
    let mut form = vec![
        ("To", PHONE),
        ("From", OURS),
        ("Url", &url),
        ("StatusCallback", &status),
    ];
    form.extend(
        ["initiated", "ringing", "answered", "completed"]
            .map(|event| ("StatusCallbackEvent", event)),
    );
    form.extend(more);
    let (status, call) = ask(exchange, "Calls.json", &form).await;
    assert_eq!(status, 201, "{call}");
    assert_eq!(call["status"], "queued");
    call["sid"].as_str().unwrap().to_owned()
}

async fn outcome(exchange: &Exchange, call: &str) -> Arc<Outcome> {
    tokio::time::timeout(Duration::from_secs(30), exchange.call(call))
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

fn statuses(gateway: &Gateway) -> Vec<(String, String)> {
    let hooks = gateway.hooks("/status");
    hooks
        .iter()
        .map(|hook| {
            (
                hook.field("CallStatus").to_owned(),
                hook.field("SequenceNumber").to_owned(),
            )
        })
        .collect()
}

fn near(left: Duration, right: Duration, tolerance: Duration) -> bool {
    left.abs_diff(right) <= tolerance
}
