//! What the owner's own systems are told, and what becomes of it where they are away.

use std::collections::VecDeque;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use exchange::mischief::Mischief;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;

use crate::house::{House, OURS, THEIRS, soon};
use crate::listener;
use crate::owners::{client, get};

/// A message as it came.
struct Heard {
    id: String,
    stamp: String,
    signature: String,
    body: Bytes,
}

impl Heard {
    fn told(&self) -> Value {
        serde_json::from_slice(&self.body).expect("it is JSON")
    }

    /// As the scheme says, and as nothing of ours does it.
    fn is_genuine(&self) -> bool {
        let signed = [
            self.id.as_bytes(),
            b".",
            self.stamp.as_bytes(),
            b".",
            &self.body,
        ]
        .concat();
        let expected = format!("v1,{}", STANDARD.encode(hmac(KEY, &signed)));
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .expect("it is later");
        let sent = self.stamp.parse().expect("it is in seconds");
        self.signature == expected && now.as_secs().abs_diff(sent) < 60
    }
}

/// RFC 2104.
fn hmac(key: &[u8], message: &[u8]) -> [u8; 32] {
    let pad = |with: u8| -> [u8; 64] {
        std::array::from_fn(|at| key.get(at).copied().unwrap_or_default() ^ with)
    };
    let inner = Sha256::new().chain_update(pad(0x36)).chain_update(message);
    let outer = Sha256::new().chain_update(pad(0x5c));
    outer.chain_update(inner.finalize()).finalize().into()
}

#[test]
fn the_tests_own_hmac_is_right() {
    // RFC 4231, the second case.
    let made = hmac(b"Jefe", b"what do ya want for nothing?");
    assert!(made.starts_with(&[0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e]));
}

/// Someone who is told, and answers first so, and then well.
struct Receiver {
    url: String,
    heard: mpsc::UnboundedReceiver<Heard>,
}

type Desk = (mpsc::UnboundedSender<Heard>, Arc<Mutex<VecDeque<u16>>>);

impl Receiver {
    async fn answering(first: &[u16]) -> Self {
        let (tx, heard) = mpsc::unbounded_channel();
        let answers = Arc::new(Mutex::new(first.iter().copied().collect()));
        let take = async |State((tx, answers)): State<Desk>, headers: HeaderMap, body: Bytes| {
            let header = |name: &str| {
                let value = headers.get(name).and_then(|it| it.to_str().ok());
                value.unwrap_or_default().to_owned()
            };
            let _ = tx.send(Heard {
                id: header("webhook-id"),
                stamp: header("webhook-timestamp"),
                signature: header("webhook-signature"),
                body,
            });
            let answer = answers.lock().expect("nobody broke").pop_front();
            StatusCode::from_u16(answer.unwrap_or(204)).expect("it is one")
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await;
        let listener = listener.expect("there is a free port");
        let address = listener.local_addr().expect("it is bound");
        let routes = Router::new()
            .route("/calls", post(take))
            .with_state((tx, answers));
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let url = format!("http://{address}/calls");
        Self { url, heard }
    }

    fn table(&self, events: &str) -> String {
        let secret = STANDARD.encode(KEY);
        let url = &self.url;
        format!("[reports.crm]\nurl = \"{url}\"\nsecret = \"whsec_{secret}\"\nevents = {events}\n")
    }

    async fn next(&mut self) -> Heard {
        soon(self.heard.recv()).await.expect("it is told")
    }
}

const KEY: &[u8] = b"a key of twenty-four by.";

/// A call that says something and is over.
async fn call(house: &House) -> String {
    let record = house
        .notify(THEIRS, "Hi!")
        .await
        .expect("it may be dialled");
    soon(record.log.ended()).await;
    record.id.to_string()
}

/// Waits until this is so of the only destination.
async fn stands(house: &House, so: impl Fn(&Value) -> bool) -> Value {
    soon(async {
        loop {
            let (status, text) = get(house, "/v1/reports", None).await;
            assert_eq!(status, 200, "{text}");
            let all: Value = serde_json::from_str(&text).expect("it is JSON");
            if so(&all[0]) {
                return all[0].clone();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_reported_signed_in_order_to_an_address_a_program_and_a_file() {
    let mut receiver = Receiver::answering(&[]).await;
    let events = r#"["call.answered", "agent.said", "call.ended", "call.report"]"#;
    let table = receiver.table(events);
    let house = House::with(listener(), Mischief::default(), |folder, text| {
        let program = format!(
            "cat >> {0}/ran.new && mv {0}/ran.new {0}/ran",
            folder.display()
        );
        text + &table
            + "[reports.archive]\nfile = \"told/reports.jsonl\"\n"
            + &format!("[reports.program]\ncommand = [\"sh\", \"-c\", \"{program}\"]\n")
    })
    .await;
    let id = call(&house).await;
    let mut kinds = Vec::new();
    let report = loop {
        let heard = receiver.next().await;
        assert!(
            heard.is_genuine() && heard.id.starts_with("msg_"),
            "{}",
            heard.id
        );
        let told = heard.told();
        assert_eq!(told["id"], heard.id.as_str());
        kinds.push(told["type"].as_str().unwrap_or_default().to_owned());
        if told["type"] == "call.report" {
            break told;
        }
        assert_eq!(
            (&told["data"]["call"], &told["data"]["type"]),
            (&json!(id), &told["type"])
        );
    };
    assert_eq!(
        kinds,
        ["call.answered", "agent.said", "call.ended", "call.report"]
    );
    let data = &report["data"];
    assert_eq!(data["call"], id.as_str());
    assert_eq!((&data["from"], &data["to"]), (&json!(OURS), &json!(THEIRS)));
    assert_eq!(data["end"], json!({ "by": "agent", "why": "completed" }));
    assert_eq!(data["cost"]["settled"], true, "{data}");
    let (_, transcript) = get(&house, &format!("/v1/calls/{id}/transcript"), None).await;
    let transcript: Value = serde_json::from_str(&transcript).expect("it is JSON");
    assert_eq!(data["transcript"], transcript["lines"]);
    assert_eq!(data["transcript"][0]["text"], "Hi!");
    for file in ["ran", "told/reports.jsonl"] {
        let path = house.file(file);
        let there = async {
            while !path.exists() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        soon(there).await;
        let text = std::fs::read_to_string(&path).expect("it is there");
        let told: Value = serde_json::from_str(text.trim_end()).expect("it is one line");
        assert_eq!(told["data"], *data, "{file}");
        assert_ne!(
            told["id"], report["id"],
            "another destination, another name"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_away_is_told_later_in_order_also_by_another_gateway() {
    let mut receiver = Receiver::answering(&[503]).await;
    let table = receiver.table(r#"["call.ended", "call.report"]"#);
    let house = House::with(listener(), Mischief::default(), |_, text| text + &table).await;
    let first = call(&house).await;
    let refused = receiver.next().await;
    assert_eq!(refused.told()["type"], "call.ended");
    // It waits a second at least before it is tried again.
    let waits = stands(&house, |it| it["failed"] == 1).await;
    assert_eq!(
        (&waits["waiting"], &waits["error"]),
        (&json!(2), &json!("it answered 503"))
    );
    let house = house.with_another_gateway().await;
    let again = receiver.next().await;
    assert!(again.is_genuine());
    assert_eq!((&again.id, &again.body), (&refused.id, &refused.body));
    let report = receiver.next().await.told();
    assert_eq!(
        (&report["type"], &report["data"]["call"]),
        (&json!("call.report"), &json!(first))
    );
    let second = call(&house).await;
    for kind in ["call.ended", "call.report"] {
        let told = receiver.next().await.told();
        assert_eq!(
            (&told["type"], &told["data"]["call"]),
            (&json!(kind), &json!(second))
        );
    }
    let well = stands(&house, |it| it["delivered"] == 4).await;
    assert_eq!(
        (&well["waiting"], &well["error"]),
        (&json!(0), &Value::Null)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_given_up_is_listed_and_told_again_when_the_owner_wants_it() {
    let mut receiver = Receiver::answering(&[410, 410]).await;
    let table = receiver.table(r#"["call.report"]"#);
    let house = House::with(listener(), Mischief::default(), |_, text| text + &table).await;
    let id = call(&house).await;
    let refused = receiver.next().await;
    stands(&house, |it| it["dead"] == 1 && it["waiting"] == 0).await;
    let (_, text) = get(&house, "/v1/reports/dead", None).await;
    let dead: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(
        (&dead[0]["id"], &dead[0]["call"]),
        (&json!(refused.id), &json!(id))
    );
    assert_eq!(dead[0]["error"], "it answered 410");
    let replay = async |order: Value| {
        let asked = client()
            .post(format!("{}/v1/reports/replay", house.public))
            .bearer_auth(house.gateway.token.reveal())
            .json(&order)
            .send();
        let answer = soon(asked).await.expect("it answers");
        let status = answer.status().as_u16();
        (
            status,
            soon(answer.json::<Value>()).await.expect("it is JSON"),
        )
    };
    assert_eq!(replay(json!({ "which": "nobody" })).await.0, 404);
    let late = json!({ "since": "2099-01-01T00:00:00Z" });
    assert_eq!(replay(late).await, (200, json!({ "replayed": 0 })));
    assert_eq!(
        replay(json!({ "which": "crm" })).await,
        (200, json!({ "replayed": 1 }))
    );
    assert_eq!(receiver.next().await.id, refused.id);
    stands(&house, |it| it["dead"] == 1 && it["failed"] == 2).await;

    // No gateway runs that could be told: the next one finds it.
    std::os::unix::fs::symlink(house.file("state"), house.file("offhook")).expect("it is new");
    let offhook = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_offhook"));
        command.arg("reports").args(arguments);
        command.arg("--config").arg(house.file("offhook.toml"));
        command.env("XDG_STATE_HOME", house.file(""));
        let done = command.output().expect("it runs");
        let told = String::from_utf8(done.stdout).expect("it is text");
        (done.status.code(), told)
    };
    let (code, told) = offhook(&["dead"]);
    assert_eq!(code, Some(0));
    assert!(
        told.contains(&refused.id) && told.contains("it answered 410"),
        "{told}"
    );
    let (_, told) = offhook(&[]);
    assert!(
        told.contains("crm") && told.contains("dead 1  to url 127.0.0.1"),
        "{told}"
    );
    assert_eq!(offhook(&["replay", "nobody"]).0, Some(2));
    let end = &refused.id[refused.id.len() - 8..];
    assert_eq!(
        offhook(&["replay", end, "--json"]),
        (Some(0), "{\"replayed\":1}\n".to_owned())
    );
    let house = house.with_another_gateway().await;
    let told = receiver.next().await;
    assert_eq!(
        (told.id.as_str(), told.is_genuine()),
        (refused.id.as_str(), true)
    );
    stands(&house, |it| it["dead"] == 0 && it["delivered"] == 1).await;
}
