//! The gateway's doors, and those who try them without a right to.

use std::time::Duration;

use carriers::twilio::signature::{Algorithm, sign};
use exchange::mischief::Mischief;
use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Error;

use crate::house::{House, OURS, STRANGER, THEIRS, TOKEN, soon};
use crate::{listener, ms};
use exchange::phone::Step;

fn client() -> reqwest::Client {
    reqwest::Client::builder()
        .no_proxy()
        .build()
        .expect("a provider is installed by the exchange")
}

#[tokio::test(flavor = "multi_thread")]
async fn unsigned_oversized_and_strange_requests_are_refused_and_change_nothing() {
    let house = House::new(listener(), Mischief::default()).await;
    let form = [
        ("CallSid", "CA00000000000000000000000000000001"),
        ("From", THEIRS),
        ("To", OURS),
    ];
    let post = |door: &str| client().post(house.door(door)).form(&form);
    let status = async |request: reqwest::RequestBuilder| {
        soon(request.send())
            .await
            .expect("an answer")
            .status()
            .as_u16()
    };
    assert_eq!(status(post("voice")).await, 403, "unsigned");
    let signed = |value: &str| post("voice").header("x-twilio-signature", value);
    assert_eq!(
        status(signed("AAAAAAAAAAAAAAAAAAAAAAAAAAA=")).await,
        403,
        "forged"
    );
    assert_eq!(status(signed("%%%")).await, 403, "garbage");
    let large = client().post(house.door("voice")).body(vec![b'a'; 100_000]);
    assert_eq!(status(large).await, 413, "oversized");
    let packed = post("voice").header("content-encoding", "gzip");
    assert_eq!(status(packed).await, 415, "compressed");
    assert_eq!(
        status(client().post(format!("{}/nobody/voice", house.public))).await,
        404
    );
    assert_eq!(status(client().get(house.door("voice"))).await, 405);
    assert!(house.gateway.board.calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_replayed_gets_the_same_answer_and_no_second_call() {
    let house = House::new(listener(), Mischief::default()).await;
    let call = house
        .exchange
        .call_in(THEIRS, OURS, [Step::Wait(ms(1_500)), Step::HangUp])
        .expect("ours");
    while house.gateway.board.calls().is_empty() {
        tokio::task::yield_now().await;
    }
    let replay = async || {
        let all = house.exchange.deliveries();
        let voice = all.iter().find(|it| it.event == "voice").cloned();
        let voice = voice?;
        let again = client()
            .post(&voice.url)
            .form(&voice.params)
            .header("x-twilio-signature", &voice.signature);
        let answer = soon(again.send()).await.expect("an answer");
        Some(soon(answer.text()).await.expect("a body"))
    };
    let first = loop {
        if let Some(body) = replay().await {
            break body;
        }
        tokio::task::yield_now().await;
    };
    for _ in 0..5 {
        assert_eq!(replay().await.as_ref(), Some(&first));
    }
    soon(house.exchange.call(&call)).await;
    assert_eq!(
        replay().await.as_ref(),
        Some(&first),
        "also when the call is over"
    );
    assert_eq!(house.gateway.board.calls().len(), 1);
    // The token in that answer was used by the call itself.
    let url = first
        .split("url=\"")
        .nth(1)
        .and_then(|it| it.split('"').next())
        .expect("it has a stream");
    assert_eq!(knock(url).await, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_gateway_answers_a_replayed_webhook_as_the_one_before_did() {
    let house = House::new(listener(), Mischief::default()).await;
    let script = [Step::Wait(ms(500)), Step::HangUp];
    let call = house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    soon(house.exchange.call(&call)).await;
    let heard: Vec<_> = house.exchange.deliveries();
    let replay = async || {
        let mut answers = Vec::new();
        for it in heard
            .iter()
            .filter(|it| !it.signature.is_empty() && it.event != "stream")
        {
            let mut params = it.params.clone();
            params.reverse();
            let again = client()
                .post(&it.url)
                .form(&params)
                .header("x-twilio-signature", &it.signature);
            let answer = soon(again.send()).await.expect("an answer");
            assert_eq!(answer.status().as_u16(), 200, "{}", it.event);
            answers.push(soon(answer.text()).await.expect("a body"));
        }
        answers
    };
    let before = replay().await;
    assert!(before.iter().any(|it| it.contains("/media/")), "{before:?}");
    let house = house.with_another_gateway().await;
    assert_eq!(replay().await, before);
    assert!(house.gateway.board.calls().is_empty(), "nothing has begun");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_not_taken_whose_end_was_told_already() {
    let house = House::new(listener(), Mischief::default()).await;
    let sid = "CA00000000000000000000000000000009";
    let post = async |door: &str, status: &str| {
        let form = [
            ("AccountSid", "AC00000000000000000000000000000000"),
            ("CallSid", sid),
            ("CallStatus", status),
            ("Direction", "inbound"),
            ("From", THEIRS),
            ("To", OURS),
        ];
        let fields = form.iter().map(|&(k, v)| (k.into(), v.into())).collect();
        let (url, secret) = (house.door(door), ports::Secret::new(TOKEN));
        let signature = sign(Algorithm::HmacSha1, &secret, &url, &fields);
        let asked = client().post(&url).form(&form);
        let asked = asked.header("x-twilio-signature", signature).send();
        let answer = soon(asked).await.expect("an answer");
        assert_eq!(answer.status().as_u16(), 200);
        soon(answer.text()).await.expect("a body")
    };
    post("status", "completed").await;
    let answer = post("voice", "ringing").await;
    assert!(answer.contains("<Reject"), "{answer}");
    assert!(house.gateway.board.calls().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_with_no_token_or_a_wrong_one_is_not_let_in() {
    let house = House::new(listener(), Mischief::default()).await;
    let base = house.door("media").replacen("http", "ws", 1);
    let wrong = "0".repeat(64);
    for token in [wrong.as_str(), "x", "%2e%2e", TOKEN] {
        assert_eq!(knock(&format!("{base}/{token}")).await, 403, "{token}");
    }
    assert_eq!(knock(&base).await, 404);
}

/// Tries to open a socket; the HTTP status it is refused with.
async fn knock(url: &str) -> u16 {
    match soon(connect_async(url)).await {
        Err(Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok((mut socket, _)) => {
            let _ = socket.send("{}".into()).await;
            panic!("the socket was let in: {:?}", socket.next().await)
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_control_api_wants_its_token_and_no_foreign_page() {
    let house = House::new(listener(), Mischief::default()).await;
    let url = format!("{}/v1/calls", house.public);
    let order = serde_json::json!({ "to": THEIRS, "say": "Hi" });
    let token = house.gateway.token.reveal();
    let status = async |request: reqwest::RequestBuilder| {
        soon(request.send())
            .await
            .expect("an answer")
            .status()
            .as_u16()
    };
    let post = || client().post(&url).json(&order);
    assert_eq!(status(post()).await, 401);
    assert_eq!(status(post().bearer_auth("wrong")).await, 401);
    assert_eq!(
        status(
            post()
                .bearer_auth(token)
                .header("origin", "http://evil.example")
        )
        .await,
        403
    );
    let named = |host: &str| client().get(&url).bearer_auth(token).header("host", host);
    for host in [
        "evil.example:8787",
        "evil.example",
        "[::2]:80",
        "a b",
        "127.0.0.1:",
        "@",
    ] {
        let foreign = host != "127.0.0.1:";
        assert_eq!(status(named(host)).await == 421, foreign, "{host}");
    }
    for host in ["localhost", "LOCALHOST:1", "[::1]:8787", "127.0.0.1"] {
        assert_eq!(status(named(host)).await, 200, "{host}");
    }
    let garbled = client().post(&url).bearer_auth(token).body("{");
    assert_eq!(status(garbled).await, 415);
    assert!(house.exchange.requests().is_empty());
    let stranger = serde_json::json!({ "to": STRANGER, "say": "Hi" });
    assert_eq!(
        status(client().post(&url).json(&stranger).bearer_auth(token)).await,
        403
    );
    let typo = serde_json::json!({ "too": THEIRS });
    assert_eq!(
        status(client().post(&url).json(&typo).bearer_auth(token)).await,
        422
    );
    assert!(house.exchange.requests().is_empty());
    assert_eq!(status(post().bearer_auth(token)).await, 201);
    house.outcome().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_who_says_nothing_is_sent_away() {
    let house = House::new(listener(), Mischief::default()).await;
    let address = house.gateway.address;
    let mut stream = tokio::net::TcpStream::connect(address)
        .await
        .expect("it listens");
    stream
        .write_all(b"POST /any/voice HTTP/1.1\r\nhost: a\r\n")
        .await
        .expect("it reads");
    let mut rest = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(10), stream.read_to_end(&mut rest)).await;
    assert!(read.is_ok(), "a slow stranger was kept");
}
