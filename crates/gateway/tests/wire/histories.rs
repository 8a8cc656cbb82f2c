//! What agents are told of earlier calls.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::routing::post;
use axum::{Json, Router};
use exchange::phone::Step;
use exchange::standing::Vouched;
use gateway::switchboard::Record;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::house::{House, OURS, THEIRS, soon};
use crate::ms;
use crate::tools::{ANN, Desk, asks, calls, house_of, says, until_said};

async fn house(agent: &str, tail: &str) -> House {
    let tables = format!("[agents.model]\n{agent}\nhistory = \"caller\"\n{tail}[policy]");
    house_of(asks([]), &tables).await
}

fn model(address: SocketAddr) -> String {
    format!("kind = \"openai\"\nbase_url = \"http://{address}/v1\"\nmodel = \"small\"")
}

/// Ends a call, and waits until the journal knows.
async fn end(house: &House, record: &Record) {
    record.hang_up().await;
    soon(record.log.ended()).await;
    let reader = house.gateway.board.journal().reader().expect("it is there");
    let kept = async {
        loop {
            let call = reader
                .call(record.id.to_string())
                .await
                .expect("it can be read");
            if call.is_some_and(|it| it.ended.is_some()) {
                return;
            }
            tokio::time::sleep(ms(20)).await;
        }
    };
    soon(kept).await;
}

/// Ann's number calls, and the model is asked for its first words: what it was told.
async fn rings(house: &House, desk: &Desk, vouched: Vouched) -> String {
    let before = desk.asked().len();
    house.exchange.set_vouched(vouched);
    let timeout = ms(30_000);
    let steps = [Step::WaitForHangUp { timeout }];
    house.exchange.call_in(THEIRS, OURS, steps).expect("ours");
    let asked = async {
        while desk.asked().len() == before {
            tokio::time::sleep(ms(20)).await;
        }
    };
    soon(asked).await;
    let messages = desk.asked()[before]["messages"].to_string();
    for record in house.gateway.board.calls() {
        if record.log.summary().ended.is_none() {
            end(house, &record).await;
        }
    }
    messages
}

#[tokio::test(flavor = "multi_thread")]
async fn earlier_words_are_told_where_it_is_sure_who_calls() {
    let answers = [says("The key is under the mat.")];
    let (desk, address) = Desk::serve(answers, ms(0)).await;
    let house = house(&model(address), ANN).await;
    let record = calls(&house).await;
    until_said(&record, "The key is under the mat.").await;
    assert!(
        !desk.asked()[0]["messages"]
            .to_string()
            .contains("earlier call")
    );
    end(&house, &record).await;

    // Anyone can show her number.
    let told = rings(&house, &desk, Vouched::Unsigned).await;
    assert!(!told.contains("under the mat"), "{told}");
    let told = rings(&house, &desk, Vouched::Full).await;
    assert!(
        told.contains("(This was said on an earlier call, at "),
        "{told}"
    );
    assert!(told.contains("Am I free on Friday?"), "{told}");
    assert!(told.contains("The key is under the mat."), "{told}");
    assert!(told.contains("That call is over."), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_has_a_name_that_stays_from_call_to_call() {
    let asked = Arc::new(Mutex::new(Vec::<Value>::new()));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
    let listener = listener.expect("a free port");
    let url = format!("http://{}/turn", listener.local_addr().expect("it listens"));
    let answer = |State(asked): State<Arc<Mutex<Vec<Value>>>>, Json(turn): Json<Value>| async move {
        if turn["event"] == "turn" {
            asked.lock().expect("nobody broke it").push(turn);
        }
        "It is noon."
    };
    let app = Router::new().route("/turn", post(answer));
    let app = app.with_state(asked.clone());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let house = house(&format!("kind = \"http\"\nurl = \"{url}\""), ANN).await;
    let mut ids = Vec::new();
    for _ in 0..2 {
        let record = calls(&house).await;
        until_said(&record, "It is noon.").await;
        end(&house, &record).await;
        ids.push(record.id.to_string());
    }
    let asked = asked.lock().expect("nobody broke it").clone();
    let session = |at: usize| asked[at]["call"]["session"].as_str().expect("a name");
    assert_eq!(session(0), session(1));
    assert!(!ids.iter().any(|it| it == session(0)));
    assert!(!session(0).contains(&THEIRS[1..]));
    let past = asked[1]["past"].to_string();
    assert!(past.contains("It is noon."), "{past}");
}
