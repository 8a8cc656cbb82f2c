//! Conversations with a server on loopback that speaks ConversationRelay as customers of carriers write it.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::routing::get;
use call::{Digit, TurnId};
use ports::Value;
use ports::agent::Used;
use serde_json::{Value as Json, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::*;
use crate::trial::{answers, ask, heard, introduction, tell, turn};

#[tokio::test]
async fn it_is_set_up_prompted_and_answers() {
    let (mut server, mut link) = call().await;
    let mut socket = server
        .recv()
        .await
        .expect("it connects while the phone rings");
    let setup = read(&mut socket).await;
    assert_eq!(setup["type"], "setup");
    assert_eq!(
        (&setup["callSid"], &setup["direction"]),
        (&json!("c1"), &json!("inbound"))
    );
    assert_eq!(
        (&setup["from"], &setup["to"]),
        (&json!("+15557654321"), &json!("+15550001111"))
    );
    assert_eq!(setup["customParameters"]["trust"], "caller-id");
    tell(&link, turn(1, "When?")).await;
    let prompt = json!({ "type": "prompt", "voicePrompt": "When?", "lang": "en-US", "last": true });
    assert_eq!(read(&mut socket).await, prompt);
    write(
        &mut socket,
        json!({ "type": "text", "token": "On ", "last": false }),
    )
    .await;
    write(
        &mut socket,
        json!({ "type": "text", "token": "Friday.", "last": true }),
    )
    .await;
    assert_eq!(
        answers(&mut link).await.concat(),
        "works 8 sOn Friday.(finish)"
    );
    let key = Digit::new('5').expect("it is a key");
    tell(&link, Tell::Pressed(key)).await;
    assert_eq!(
        read(&mut socket).await,
        json!({ "type": "dtmf", "digit": "5" })
    );
    tell(&link, heard(1, "On Friday.")).await;
    // It thinks of it when all was said.
    write(&mut socket, json!({ "type": "end", "handoffData": "{}" })).await;
    assert_eq!(answers(&mut link).await, ["(hang up)"]);
    drop(link);
    let last = socket.recv().await;
    assert!(
        matches!(last, Some(Ok(Message::Close(_))) | None),
        "{last:?}"
    );
}

#[tokio::test]
async fn it_is_told_of_interruptions_and_what_it_knows_is_not_said_twice() {
    let (mut server, link) = call().await;
    let mut socket = server.recv().await.expect("it connects");
    read(&mut socket).await;
    tell(&link, turn(1, "Are you")).await;
    read(&mut socket).await;
    tell(&link, Tell::Abandon(TurnId(1))).await;
    let interrupt = read(&mut socket).await;
    assert_eq!(
        (&interrupt["type"], &interrupt["utteranceUntilInterrupt"]),
        (&json!("interrupt"), &json!(""))
    );
    assert!(interrupt["durationUntilInterruptMs"].is_u64());
    tell(&link, turn(2, "Are you open?")).await;
    assert_eq!(read(&mut socket).await["voicePrompt"], "open?");
    let (turn, said) = (TurnId(2), "We are".into());
    tell(&link, Tell::Interrupted { turn, heard: said }).await;
    assert_eq!(read(&mut socket).await["utteranceUntilInterrupt"], "We are");
    tell(&link, crate::trial::turn(3, "Are you open? Hello?")).await;
    assert_eq!(
        read(&mut socket).await["voicePrompt"],
        "Are you open? Hello?"
    );
}

#[tokio::test]
async fn keys_are_pressed_and_nonsense_is_complained_of() {
    let (mut server, mut link) = call().await;
    let mut socket = server.recv().await.expect("it connects");
    read(&mut socket).await;
    tell(&link, turn(1, "For sales, press one.")).await;
    read(&mut socket).await;
    write(
        &mut socket,
        json!({ "type": "sendDigits", "digits": "1w#" }),
    )
    .await;
    let said = answers(&mut link).await.concat();
    assert_eq!(
        said,
        r#"works 8 s(digits_1 uses press_keys for {"keys":"1w#"})"#
    );
    let (turn, id, used) = (TurnId(1), "digits_1".to_owned(), Used::Done("done".into()));
    tell(&link, Tell::Used { turn, id, used }).await;
    write(
        &mut socket,
        json!({ "type": "play", "source": "https://example.com/a.mp3" }),
    )
    .await;
    write(&mut socket, json!({ "type": "foo" })).await;
    assert_eq!(answers(&mut link).await, ["(agent.refused)"]);
    assert_eq!(read(&mut socket).await["type"], "error");
}

#[tokio::test]
async fn it_does_not_speak_first() {
    let (_server, mut link) = call().await;
    tell(&link, Tell::Open { turn: TurnId(0) }).await;
    assert_eq!(answers(&mut link).await, ["(finish)"]);
}

#[tokio::test]
async fn a_server_that_goes_is_connected_to_again() {
    let (mut server, mut link) = call().await;
    let mut socket = server.recv().await.expect("it connects");
    read(&mut socket).await;
    tell(&link, turn(1, "Hello?")).await;
    read(&mut socket).await;
    drop(socket);
    assert_eq!(
        answers(&mut link).await.concat(),
        "works 8 s(agent.unreachable)"
    );
    tell(&link, turn(2, "Hello? Are you there?")).await;
    let mut socket = server.recv().await.expect("it connects again");
    assert_eq!(read(&mut socket).await["type"], "setup");
    assert_eq!(
        read(&mut socket).await["voicePrompt"],
        "Hello? Are you there?"
    );
    write(
        &mut socket,
        json!({ "type": "text", "token": "Yes.", "last": true }),
    )
    .await;
    assert_eq!(answers(&mut link).await.concat(), "works 8 sYes.(finish)");
}

#[tokio::test]
async fn nobody_there_fails_the_turn_and_doctor_says_so() {
    let mut link = open("ws://127.0.0.1:1/relay").await;
    let said = ask(&mut link, 1, "Hello?").await;
    assert_eq!(said.last().map(String::as_str), Some("(agent.unreachable)"));
    let (address, _server) = serve().await;
    let at = |path| Server::new(&format!("ws://{address}/{path}")).expect("an address");
    at("relay").connect().await.expect("it is there");
    let fault = at("elsewhere")
        .connect()
        .await
        .expect_err("it is not there");
    assert_eq!(fault.code, ports::code::AGENT_REFUSED);
}

#[test]
fn wrong_settings_are_named() {
    for url in ["http://127.0.0.1/relay", "ws:relay", "wss://", "relay"] {
        let settings = Settings::default().with("url", Value::Text(url.to_owned()));
        let problems = build(&settings).err().expect("it is no socket's");
        assert_eq!(problems[0].key, "url", "{url}");
    }
}

async fn call() -> (mpsc::Receiver<WebSocket>, Link<Tell, Answer>) {
    let (address, server) = serve().await;
    (server, open(&format!("ws://{address}/relay")).await)
}

/// A server, and the sockets that it takes.
async fn serve() -> (SocketAddr, mpsc::Receiver<WebSocket>) {
    let (tx, rx) = mpsc::channel(4);
    let listener = TcpListener::bind("127.0.0.1:0")
        .await
        .expect("loopback is there");
    let address = listener.local_addr().expect("it is bound");
    let app = Router::new().route("/relay", get(take)).with_state(tx);
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, rx)
}

async fn take(
    State(tx): State<mpsc::Sender<WebSocket>>,
    upgrade: WebSocketUpgrade,
) -> axum::response::Response {
    // The test may be over by then.
    upgrade.on_upgrade(|socket| async move { drop(tx.send(socket).await) })
}

async fn open(url: &str) -> Link<Tell, Answer> {
    let settings = Settings::default().with("url", Value::Text(url.to_owned()));
    let Ok(Answerer::Words { agent, .. }) = build(&settings) else {
        panic!("it is an agent with words");
    };
    agent
        .open(introduction())
        .await
        .expect("it is there at once")
}

async fn read(socket: &mut WebSocket) -> Json {
    loop {
        match socket.recv().await.expect("it is told").expect("it stands") {
            Message::Text(text) => return serde_json::from_str(&text).expect("it is JSON"),
            Message::Ping(_) | Message::Pong(_) | Message::Binary(_) => {}
            Message::Close(_) => panic!("it is closed"),
        }
    }
}

async fn write(socket: &mut WebSocket, message: Json) {
    let text = Message::Text(message.to_string().into());
    socket.send(text).await.expect("it is read");
}
