//! Conversations with agents that are somewhere else.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use call::Event;
use exchange::EndedBy;
use exchange::mischief::Mischief;
use exchange::phone::{PhonePlan, Step};
use futures_util::{SinkExt, StreamExt};
use gateway::switchboard::{Purpose, Record, Wish};
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error as Refused, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, accept_async, connect_async};

use crate::house::{House, THEIRS, events, hearing, soon};
use crate::ms;

/// Each turn is posted, its answer spoken, and what was heard of it told; the agent ends the call.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_behind_an_address_holds_a_conversation() {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a free port");
    let url = format!("http://{}/turn", listener.local_addr().expect("it listens"));
    let app = Router::new().route("/turn", post(answer));
    let app = app.with_state(Arc::clone(&asked));
    tokio::spawn(async move { axum::serve(listener, app).await });
    let house = house(&format!("kind = \"http\"\nurl = \"{url}\"")).await;
    let record = converses(&house).await;
    assert_eq!(said(&record), ["Hi.", "You are free.", "Goodbye."]);
    let ended = async {
        loop {
            let told = asked.lock().expect("nobody broke it").clone();
            if told.last().is_some_and(|it: &Value| it["event"] == "ended") {
                return told;
            }
            tokio::time::sleep(ms(20)).await;
        }
    };
    let told = soon(ended).await;
    assert_eq!(told.len(), 3, "{told:?}");
    assert_eq!(told[0]["said"], "Am I free on Friday?");
    assert_eq!(told[1]["heard"]["text"], "You are free.");
    let past = told[2]["past"].as_array().expect("a list");
    assert_eq!(past.len(), 5, "{past:?}");
}

/// One program for the whole call: a line in, an answer out, and it ends the call.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_is_a_program_holds_a_conversation() {
    let script = "read said; echo $said; echo; read said; echo Goodbye. [[hangup]]; echo";
    let table =
        format!("kind = \"command\"\nper = \"call\"\ncommand = [\"sh\", \"-c\", \"{script}\"]");
    let house = house(&table).await;
    let record = converses(&house).await;
    assert_eq!(said(&record), ["Hi.", "Am I free on Friday?", "Goodbye."]);
}

/// It connects to the gateway, is told of the call there, and answers over the same socket.
#[tokio::test(flavor = "multi_thread")]
async fn an_agent_that_connects_by_itself_holds_a_conversation() {
    let house = house("kind = \"websocket\"").await;
    let token = Some(house.gateway.token.reveal());
    for (name, token, status) in [("mine", None, 401), ("nobody", token, 404)] {
        let refused = connect(&house, name, token).await.err();
        assert_eq!(refused, Some(status), "{name}");
    }
    let mut socket = connect(&house, "mine", token).await.expect("it is let in");
    let agent = tokio::spawn(async move {
        let mut told = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else {
                continue;
            };
            let letter: Value = serde_json::from_str(&text).expect("JSON");
            let (turn, call) = (&letter["turn"], &letter["call"]);
            let (words, last) = match told.iter().filter(|it| **it == "turn").count() {
                0 => ("You are free.", "finish"),
                _ => ("Goodbye.", "hang_up"),
            };
            if letter["type"] == "turn" {
                let say = json!({ "type": "say", "call": call, "turn": turn, "text": words });
                let end = json!({ "type": last, "call": call, "turn": turn });
                for letter in [say, end] {
                    let text = Message::text(letter.to_string());
                    socket.send(text).await.expect("it is read");
                }
            }
            let kind = letter["type"].as_str().expect("a text").to_owned();
            told.push(kind);
            if told.last().is_some_and(|it| it == "ended") {
                break;
            }
        }
        told
    });
    let record = converses(&house).await;
    assert_eq!(said(&record), ["Hi.", "You are free.", "Goodbye."]);
    let told = soon(agent).await.expect("it does not panic");
    let expected = ["call", "opened", "turn", "heard", "turn", "heard", "ended"];
    assert_eq!(told, expected);
}

/// A server that was written for another carrier's calls.
#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_speaks_conversation_relay_holds_a_conversation() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a free port");
    let address = listener.local_addr().expect("it listens");
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.expect("it is connected to");
        let mut socket = accept_async(stream).await.expect("a websocket");
        let mut told = Vec::new();
        while let Some(Ok(message)) = socket.next().await {
            let Message::Text(text) = message else {
                continue;
            };
            let letter: Value = serde_json::from_str(&text).expect("JSON");
            let kind = letter["type"].as_str().expect("a text").to_owned();
            told.push(kind);
            let answers = match told.len() {
                2 => vec![json!({ "type": "text", "token": "You are free.", "last": true })],
                3 => vec![
                    json!({ "type": "text", "token": "Goodbye.", "last": true }),
                    json!({ "type": "end" }),
                ],
                _ => Vec::new(),
            };
            for answer in answers {
                let text = Message::text(answer.to_string());
                socket.send(text).await.expect("it is read");
            }
        }
        told
    });
    let table = format!("kind = \"conversation-relay\"\nurl = \"ws://{address}/relay\"");
    let house = house(&table).await;
    let record = converses(&house).await;
    assert_eq!(said(&record), ["Hi.", "You are free.", "Goodbye."]);
    let told = soon(server).await.expect("it does not panic");
    assert_eq!(told, ["setup", "prompt", "prompt"]);
}

/// Connects in the name of an agent, or is told why not.
async fn connect(
    house: &House,
    name: &str,
    token: Option<&str>,
) -> Result<WebSocketStream<MaybeTlsStream<TcpStream>>, u16> {
    let public = house.public.replacen("http", "ws", 1);
    let url = format!("{public}/v1/agents/{name}/connect");
    let mut request = url.into_client_request().expect("an address");
    if let Some(token) = token {
        let token = format!("Bearer {token}").parse().expect("a header");
        request.headers_mut().insert("authorization", token);
    }
    match soon(connect_async(request)).await {
        Ok((socket, _)) => Ok(socket),
        Err(Refused::Http(answer)) => Err(answer.status().as_u16()),
        Err(error) => panic!("{error}"),
    }
}

async fn answer(
    State(asked): State<Arc<Mutex<Vec<Value>>>>,
    Json(body): Json<Value>,
) -> Json<Value> {
    let mut asked = asked.lock().expect("nobody broke it");
    asked.push(body);
    Json(match asked.len() {
        1 => json!({ "say": "You are free." }),
        _ => json!({ "say": "Goodbye.", "then": "hang_up" }),
    })
}

/// Somebody picks up and asks twice, with the agent that is written in this table.
async fn house(agent: &str) -> House {
    let (quiet, timeout) = (ms(1_500), ms(20_000));
    let phone = PhonePlan::answers(
        ms(100),
        [
            Step::Wait(ms(600)),
            speech(),
            Step::WaitForAgent { quiet, timeout },
            speech(),
            Step::WaitForHangUp { timeout },
            Step::HangUp,
        ],
    );
    let tables = format!("[agents.mine]\n{agent}\n[policy]");
    let text = |_: &Path, text: String| {
        text.replace("agent = \"echo\"", "agent = \"mine\"")
            .replace("[policy]", &tables)
    };
    let house = House::with(phone, Mischief::default(), text).await;
    let board = &house.gateway.board;
    board.want_voice(hearing("Am I free on Friday?"));
    board.renew_voice().await.expect("it loads");
    house
}

fn speech() -> Step {
    let speech = (0..12_000_u32).map(|it| if it / 20 % 2 == 0 { 9_000 } else { -9_000 });
    Step::Say(speech.collect())
}

/// A whole conversation, which the agent ends.
async fn converses(house: &House) -> Arc<Record> {
    let wish = Wish {
        to: THEIRS.into(),
        purpose: Purpose::ConverseFrom("Hi.".into()),
        ..Wish::default()
    };
    let record = house.gateway.board.dial(wish).await.expect("it may");
    assert_eq!(house.outcome().await.ended_by, EndedBy::Api);
    soon(record.log.ended()).await;
    record
}

fn said(record: &Record) -> Vec<String> {
    let said = events(record).into_iter().filter_map(|it| {
        if let Event::AgentSaid { text } = it {
            return Some(text.into_revealed());
        }
        None
    });
    said.collect()
}
