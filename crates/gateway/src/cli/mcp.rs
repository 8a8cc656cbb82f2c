//! `offhook mcp`: the phone as a tool of the program that starts this, over standard input and output.
//!
//! It hands each message to the gateway that runs here, which has the tools, and each answer back: the transport of the
//! [specification] in which a message is a line of JSON.
//!
//! [specification]: https://modelcontextprotocol.io/specification

use std::collections::HashMap;
use std::time::Duration;

use agents::sse::Events;
use futures_util::StreamExt;
use ports::{Blame, Fault, code};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, JoinSet};

use super::Done;
use crate::state::Running;

/// Serves whoever is at the other end of standard input, until they close it.
pub(super) async fn run() -> Result<Done, Fault> {
    let (answers, mut said) = mpsc::channel::<Value>(ROOM);
    let writing = tokio::spawn(async move {
        let mut out = tokio::io::stdout();
        while let Some(answer) = said.recv().await {
            let line = format!("{answer}\n");
            if out.write_all(line.as_bytes()).await.is_err() || out.flush().await.is_err() {
                return;
            }
        }
    });
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut host = Host::default();
    loop {
        tokio::select! {
            line = lines.next_line() => match line {
                Ok(Some(line)) => host.take(&line, &answers).await,
                Ok(None) => break,
                Err(error) => {
                    let message = "cannot read from standard input";
                    return Err(Fault::new(Blame::Caller, code::API_INVALID, message).because(error));
                }
            },
            Some(_) = host.asked.join_next() => {}
        }
    }
    // What was asked last is answered, unless it takes too long for somebody who has gone.
    let all = async { while host.asked.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GONE, all).await;
    host.asked.abort_all();
    drop(answers);
    let _ = writing.await;
    Ok(Done::Well)
}

/// The program that uses the phone.
#[derive(Default)]
struct Host {
    /// What it has asked and was not answered.
    asked: JoinSet<()>,
    under_way: HashMap<String, AbortHandle>,
    /// As the gateway and it agreed.
    version: std::sync::Arc<std::sync::OnceLock<String>>,
}

impl Host {
    async fn take(&mut self, line: &str, answers: &mpsc::Sender<Value>) {
        if line.trim().is_empty() {
            return;
        }
        let Ok(message) = serde_json::from_str::<Value>(line) else {
            let _ = answers
                .send(error(&Value::Null, -32_700, "that is no JSON"))
                .await;
            return;
        };
        // The gateway answers each message by itself, and knows of no others: whoever does not want an answer any more
        // is to be told here.
        if message["method"] == "notifications/cancelled" {
            let name = message["params"]["requestId"].to_string();
            if let Some(request) = self.under_way.remove(&name) {
                request.abort();
            }
            return;
        }
        let (answers, version) = (answers.clone(), self.version.clone());
        let id = message.get("id").cloned();
        let request = self.asked.spawn(async move {
            ask(message, &version, &answers).await;
        });
        self.under_way.retain(|_, it| !it.is_finished());
        if let Some(id) = id {
            self.under_way.insert(id.to_string(), request);
        }
    }
}

/// Has the gateway answer one message.
async fn ask(message: Value, version: &std::sync::OnceLock<String>, answers: &mpsc::Sender<Value>) {
    let id = message.get("id").cloned();
    let greeting = message["method"] == "initialize";
    let answered = match Running::find().await {
        Some(running) => hand(&running, &message, version.get(), answers).await,
        None => Err("no gateway runs here: start one with `offhook serve`".to_owned()),
    };
    match (answered, id) {
        (Ok(last), _) if greeting => {
            if let Some(agreed) = last["result"]["protocolVersion"].as_str() {
                let _ = version.set(agreed.to_owned());
            }
        }
        (Ok(_), _) | (Err(_), None) => {}
        (Err(what), Some(id)) => {
            let _ = answers.send(error(&id, -32_000, &what)).await;
        }
    }
}

/// Hands a message over and passes on what comes back. Returns the last of it.
async fn hand(
    running: &Running,
    message: &Value,
    version: Option<&String>,
    answers: &mpsc::Sender<Value>,
) -> Result<Value, String> {
    let gone = |_| "the gateway does not answer any more".to_owned();
    let mut request = running
        .post("/mcp")
        .header("accept", "application/json, text/event-stream")
        .json(message);
    if let Some(version) = version {
        request = request.header("mcp-protocol-version", version);
    }
    let answer = request.send().await.map_err(gone)?;
    let kind = answer.headers().get("content-type").cloned();
    let streams = kind.is_some_and(|it| it.as_bytes().starts_with(b"text/event-stream"));
    let status = answer.status();
    let mut last = Value::Null;
    if !streams {
        let body = answer.bytes().await.map_err(gone)?;
        if let Ok(told) = serde_json::from_slice::<Value>(&body) {
            if told["jsonrpc"] != "2.0" {
                // A refusal of the gateway's own.
                let title = told["title"].as_str().unwrap_or("the gateway said no");
                return Err(title.to_owned());
            }
            last = told.clone();
            let _ = answers.send(told).await;
        } else if !status.is_success() {
            return Err(format!("the gateway said no: {status}"));
        }
        return Ok(last);
    }
    let (mut chunks, mut events) = (answer.bytes_stream(), Events::default());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(gone)?;
        let endless = |_| "the gateway sent an event without end".to_owned();
        events.push(&chunk).map_err(endless)?;
        while let Some(event) = events.next() {
            if let Ok(told) = serde_json::from_str::<Value>(&event.data) {
                last = told.clone();
                let _ = answers.send(told).await;
            }
        }
    }
    Ok(last)
}

/// An answer of JSON-RPC's that says what went wrong.
fn error(id: &Value, code: i32, message: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "error": { "code": code, "message": message } })
}

const ROOM: usize = 64;
const GONE: Duration = Duration::from_secs(2);
