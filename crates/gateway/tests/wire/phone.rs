//! An agent somewhere else picks up the phone: by the API, and as a tool.

use std::process::Stdio;

use exchange::EndedBy;
use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Step};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};

use crate::contract::is_dial;
use crate::house::{House, STRANGER, THEIRS, hearing, soon};
use crate::ms;
use crate::owners::client;

/// Picks up, and says something twice, each time once they were spoken to.
pub(crate) fn talker() -> PhonePlan {
    let speech = || (0..12_000_u32).map(|it| if it / 20 % 2 == 0 { 9_000 } else { -9_000 });
    let timeout = ms(20_000);
    let listens = Step::WaitForAgent {
        quiet: ms(500),
        timeout,
    };
    let steps = [
        listens.clone(),
        Step::Say(speech().collect()),
        listens,
        Step::Say(speech().collect()),
        Step::WaitForHangUp { timeout },
        Step::HangUp,
    ];
    PhonePlan::answers(ms(100), steps)
}

async fn house() -> House {
    let house = House::new(talker(), Mischief::default()).await;
    let board = &house.gateway.board;
    board.want_voice(hearing("Who is it?"));
    board.renew_voice().await.expect("it loads");
    house
}

/// Asks for something of JSON-RPC's over HTTP.
pub(crate) async fn rpc(house: &House, method: &str, params: Value) -> Value {
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let asked = client()
        .post(format!("{}/mcp", house.public))
        .bearer_auth(house.gateway.token.reveal())
        .header("accept", "application/json, text/event-stream")
        .json(&message);
    let answer = soon(asked.send()).await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 200, "{method}");
    let answer: Value = soon(answer.json()).await.expect("it is JSON");
    answer["result"].clone()
}

/// Uses a tool; what it gave, or what it said no with.
pub(crate) async fn tool(house: &House, name: &str, takes: Value) -> Result<Value, String> {
    let used = rpc(
        house,
        "tools/call",
        json!({ "name": name, "arguments": takes }),
    )
    .await;
    if used["isError"] == true {
        return Err(used["content"][0]["text"].to_string());
    }
    Ok(used["structuredContent"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_has_the_phone_as_a_tool_talks_turn_by_turn() {
    let house = house().await;
    let asked = rpc(
        &house,
        "initialize",
        json!({ "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } }),
    )
    .await;
    assert_eq!(asked["serverInfo"]["name"], "offhook");
    let tools = rpc(&house, "tools/list", json!({})).await;
    let names: Vec<_> = tools["tools"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it["name"].clone())
        .collect();
    assert_eq!(names.len(), 8, "{names:?}");
    let order = json!({ "to": THEIRS, "objective": "to ask the time", "opening_line": "Hello, this is a robot." });
    let placed = tool(&house, "place_call", order).await.expect("it may");
    let call = placed["id"].as_str().expect("it has a name").to_owned();
    let listen = || tool(&house, "listen", json!({ "call": call, "wait_s": 15 }));
    let heard = listen().await.expect("it is by hand");
    assert_eq!(
        (&heard["heard"], &heard["text"]),
        (&json!("said"), &json!("Who is it?"))
    );
    let said = json!({ "call": call, "text": "It is the robot of Ann." });
    let answered = tool(&house, "say", said).await.expect("it is by hand");
    assert_eq!(answered["heard"], "whole", "{answered}");
    assert_eq!(answered["text"], "It is the robot of Ann.");
    assert_eq!(listen().await.expect("it is by hand")["heard"], "said");
    let bye = json!({ "call": call, "text": "Goodbye.", "then_hang_up": true });
    tool(&house, "say", bye).await.expect("it is by hand");
    assert_eq!(listen().await.expect("it was by hand")["heard"], "over");
    assert_eq!(house.outcome().await.ended_by, EndedBy::Api);
    let view = tool(&house, "get_call", json!({ "call": call }))
        .await
        .expect("it is known");
    let lines: Vec<_> = view["transcript"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|it| it["text"].clone())
        .collect();
    let whole = [
        "Hello, this is a robot.",
        "Who is it?",
        "It is the robot of Ann.",
        "Who is it?",
        "Goodbye.",
    ];
    assert_eq!(lines, whole, "{view:#}");
    assert_eq!(view["ended"]["by"], "agent", "{view:#}");
    let listed = tool(&house, "list_calls", json!({}))
        .await
        .expect("it may look");
    assert_eq!(listed["calls"][0]["id"], call.as_str());
}

/// A page that calls itself something else, or has another's name lead here, reaches no tool.
#[tokio::test(flavor = "multi_thread")]
async fn the_tools_want_a_token_and_no_foreign_page() {
    let house = house().await;
    let order = json!({ "to": THEIRS, "opening_line": "Hello." });
    let message = json!({
        "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "place_call", "arguments": order },
    });
    let status = async |token: Option<&str>, header: (&str, &str)| {
        let asked = client()
            .post(format!("{}/mcp", house.public))
            .header("accept", "application/json, text/event-stream")
            .header(header.0, header.1)
            .json(&message);
        let asked = match token {
            Some(token) => asked.bearer_auth(token),
            None => asked,
        };
        let answer = soon(asked.send()).await.expect("an answer");
        answer.status().as_u16()
    };
    let token = Some(house.gateway.token.reveal());
    let usual = ("host", "localhost");
    assert_eq!(status(None, usual).await, 401);
    assert_eq!(status(Some("wrong"), usual).await, 401);
    assert_eq!(status(token, ("host", "evil.example")).await, 421);
    assert_eq!(status(token, ("origin", "http://evil.example")).await, 403);
    assert!(!house.exchange.requests().iter().any(is_dial));
    assert_eq!(status(token, usual).await, 200);
    let dialled = async {
        while !house.exchange.requests().iter().any(is_dial) {
            tokio::time::sleep(ms(20)).await;
        }
    };
    soon(dialled).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_owner_does_not_allow_no_tool_does() {
    let house = house().await;
    for (name, takes) in [
        ("place_call", json!({ "to": STRANGER })),
        (
            "place_call",
            json!({ "to": "+19005551234", "mode": "notify", "opening_line": "Hi" }),
        ),
        ("place_call", json!({})),
        ("say", json!({ "call": "../../v1/stop-all", "text": "Hi" })),
        ("listen", json!({ "call": "no-such-call" })),
        ("press_keys", json!({ "call": "1" })),
        ("dial_anyone", json!({ "to": STRANGER })),
    ] {
        let refused = tool(&house, name, takes.clone())
            .await
            .expect_err("it may not");
        assert!(
            refused.contains("error: ") && refused.contains("hint: "),
            "{name} {takes}: {refused}"
        );
    }
    let view = tool(&house, "ask_permission", json!({ "to": STRANGER }))
        .await
        .expect("it may ask");
    assert_eq!(view["allowed"], false, "{view}");
    let view = tool(&house, "ask_permission", json!({ "to": THEIRS }))
        .await
        .expect("it may ask");
    assert_eq!(view["allowed"], true, "{view}");
    assert!(
        !house.exchange.requests().iter().any(is_dial),
        "nobody was dialled"
    );
    // Without a token there is no phone.
    let message = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" });
    let asked = client()
        .post(format!("{}/mcp", house.public))
        .json(&message);
    let answer = soon(asked.send()).await.expect("an answer");
    assert_eq!(answer.status().as_u16(), 401);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_asks_twice_with_one_key_calls_once() {
    let house = house().await;
    let order =
        json!({ "to": THEIRS, "opening_line": "Hi.", "mode": "notify", "idempotency_key": "one" });
    let first = tool(&house, "place_call", order.clone())
        .await
        .expect("it may");
    let again = tool(&house, "place_call", order).await.expect("it may");
    assert_eq!(first["id"], again["id"]);
    house.outcome().await;
    assert_eq!(
        house
            .exchange
            .requests()
            .iter()
            .filter(|it| is_dial(it))
            .count(),
        1
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_starts_a_process_has_the_same_phone() {
    let house = house().await;
    let state = tempfile::tempdir().expect("there is a temporary folder");
    let folder = state.path().join("offhook");
    std::fs::create_dir(&folder).expect("it is ours");
    let note = json!({
        "url": house.public, "token": house.gateway.token.reveal(), "pid": 1, "config": "offhook.toml",
    });
    std::fs::write(folder.join("gateway.json"), note.to_string()).expect("it is ours");
    let mut process = tokio::process::Command::new(env!("CARGO_BIN_EXE_offhook"))
        .arg("mcp")
        .env("XDG_STATE_HOME", state.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts");
    let mut to = process.stdin.take().expect("it is piped");
    let mut from = BufReader::new(process.stdout.take().expect("it is piped")).lines();
    let mut next = async |message: &Value| {
        let line = format!("{message}\n");
        to.write_all(line.as_bytes()).await.expect("it reads");
        let line = soon(from.next_line())
            .await
            .expect("it writes")
            .expect("a line");
        serde_json::from_str::<Value>(&line).expect("it is JSON")
    };
    let hello = json!({ "jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } });
    assert_eq!(
        next(&hello).await["result"]["serverInfo"]["name"],
        "offhook"
    );
    let tools = next(&json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" })).await;
    assert_eq!(tools["result"]["tools"].as_array().map(Vec::len), Some(8));
    let permission = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call",
        "params": { "name": "ask_permission", "arguments": { "to": THEIRS } } });
    let view = next(&permission).await;
    assert_eq!(
        view["result"]["structuredContent"]["allowed"], true,
        "{view}"
    );
    drop(to);
    let ended = soon(process.wait()).await.expect("it is ours");
    assert!(ended.success(), "{ended}");
}
