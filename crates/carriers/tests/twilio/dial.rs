//! A dial is never sent twice, wherever it breaks, and says truly whether it may be tried again.

use std::net::SocketAddr;
use std::time::Duration;

use call::Number;
use ports::carrier::{Detect, Dial, Leg};
use ports::{Fault, Retry, code};
use tokio::io::AsyncWriteExt as _;

use super::broken::{Break, break_after, listen, read_request, stop};
use super::{CALL, carrier_at};

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let listener = listen().await;
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    expect_not_sent(&dial(address).await);
}

#[tokio::test]
async fn an_answer_that_never_comes_leaves_the_call_unknown() {
    let listener = listen().await;
    let address = listener.local_addr().expect("it is bound");
    let far_end = async {
        let (mut socket, _) = listener.accept().await.expect("someone dials");
        read_request(&mut socket, usize::MAX).await;
        // From here on only the clock can move, and it is the test's.
        tokio::time::pause();
        socket
    };
    let (outcome, _socket) = tokio::join!(dial(address), far_end);
    expect_unknown(&outcome);
}

#[tokio::test]
async fn a_connection_that_breaks_at_any_byte_leaves_the_call_unknown() {
    let mut places = 0;
    for after in (1..700).step_by(23) {
        for how in [Break::Close, Break::Reset] {
            let (address, far_end) = break_after(after, b"", how).await;
            expect_unknown(&dial(address).await);
            assert_eq!(stop(far_end).await, 1, "{after} {how:?}");
            places += 1;
        }
    }
    println!("places in the request where a dial was broken: {places}");
}

#[tokio::test]
async fn an_answer_that_breaks_off_leaves_the_call_unknown() {
    let body = format!(r#"{{"sid":"{CALL}","status":"queued"}}"#);
    let whole = format!(
        "HTTP/1.1 201 Created\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut places = 0;
    for length in (0..whole.len()).step_by(7) {
        let answer = &whole.as_bytes()[..length];
        let (address, far_end) = break_after(usize::MAX, answer, Break::Close).await;
        expect_unknown(&dial(address).await);
        assert_eq!(stop(far_end).await, 1, "{length}");
        places += 1;
    }
    let (address, far_end) = break_after(usize::MAX, whole.as_bytes(), Break::Close).await;
    assert_eq!(
        dial(address).await.expect("it is whole"),
        Leg(CALL.to_owned())
    );
    assert_eq!(stop(far_end).await, 1);
    println!("places in the answer where it was broken off: {places}");
}

#[tokio::test]
async fn answers_that_are_no_answer() {
    for (answer, expected) in [
        (
            "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
            Unknown,
        ),
        (
            "HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n",
            Unknown,
        ),
        (
            "HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n",
            Unknown,
        ),
        (
            "HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 0\r\n\r\n",
            Unknown,
        ),
        (
            "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",
            Unknown,
        ),
        ("HTTP/1.1 201 Created\r\ncontent-length: 0\r\n\r\n", Unknown),
        (
            "HTTP/1.1 201 Created\r\ncontent-length: 2\r\n\r\n{}",
            Unknown,
        ),
        (
            "HTTP/1.1 201 Created\r\ncontent-length: 13\r\n\r\n{\"sid\":\"CA1\"}",
            Unknown,
        ),
        ("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull", Unknown),
        ("nonsense\r\n\r\n", Unknown),
        (
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n",
            NotSent,
        ),
        (
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: /\r\ncontent-length: 0\r\n\r\n",
            Refused,
        ),
        (
            "HTTP/1.1 400 Bad Request\r\ncontent-length: 99\r\n\r\n{\"code\":2",
            Refused,
        ),
    ] {
        let (address, far_end) = break_after(usize::MAX, answer.as_bytes(), Break::Close).await;
        let outcome = dial(address).await;
        match expected {
            Unknown => expect_unknown(&outcome),
            NotSent => assert_eq!(fault(&outcome), (code::CARRIER_BUSY, Retry::IfNotSent)),
            Refused => assert_eq!(fault(&outcome), (code::CARRIER_REFUSED, Retry::Never)),
        }
        assert_eq!(stop(far_end).await, 1, "{answer}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_not_read_for_ever() {
    let listener = listen().await;
    let address = listener.local_addr().expect("it is bound");
    let far_end = tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.expect("someone dials");
        read_request(&mut socket, usize::MAX).await;
        let head = b"HTTP/1.1 201 Created\r\ntransfer-encoding: chunked\r\n\r\n";
        let mut sent = socket.write_all(head).await;
        let mut chunks = 0;
        while sent.is_ok() {
            sent = socket
                .write_all(format!("1000\r\n{:4096}\r\n", "").as_bytes())
                .await;
            chunks += 1;
        }
        chunks
    });
    expect_unknown(&dial(address).await);
    let chunks = far_end.await.expect("it ends when we hang up");
    assert!(chunks > 16, "{chunks}");
}

use Expected::{NotSent, Refused, Unknown};

#[derive(Clone, Copy)]
enum Expected {
    NotSent,
    Refused,
    Unknown,
}

async fn dial(address: SocketAddr) -> Result<Leg, Fault> {
    let from = Number::parse("+15551230001").expect("a number");
    let to = Number::parse("+15551230000").expect("a number");
    let dial = Dial {
        name: "0192",
        from: &from,
        to: &to,
        voice_url: "https://voice.example.com/twilio/voice",
        status_url: "https://voice.example.com/twilio/status",
        ring: Duration::from_secs(25),
        limit: Duration::from_secs(600),
        detect: Detect::Nothing,
    };
    carrier_at(address).calls.dial(dial).await
}

fn fault(outcome: &Result<Leg, Fault>) -> (&'static str, Retry) {
    let fault = outcome.as_ref().expect_err("it did not work");
    assert!(fault.hint.is_some(), "{fault}");
    let told = format!("{fault:?}");
    assert!(!told.contains("5551230"), "{told}");
    (fault.code, fault.retry)
}

fn expect_not_sent(outcome: &Result<Leg, Fault>) {
    assert_eq!(
        fault(outcome),
        (code::CARRIER_UNREACHABLE, Retry::IfNotSent)
    );
}

fn expect_unknown(outcome: &Result<Leg, Fault>) {
    assert_eq!(fault(outcome), (code::CARRIER_UNKNOWN, Retry::Never));
}
