//! A dial is never sent twice, wherever it breaks, and says truly whether it may be tried again.

use std::net::SocketAddr;

use ports::carrier::Leg;
use ports::{Fault, Retry, code};

use super::broken::{Break, break_after, listen, read_request, stop};
use super::requests::{self, number};
use super::{REQUEST, carrier_at};

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let listener = listen().await;
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let outcome = dial(address).await;
    assert_eq!(
        fault(&outcome),
        (code::CARRIER_UNREACHABLE, Retry::IfNotSent)
    );
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
    for after in (1..800).step_by(23) {
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
    let body =
        format!(r#"{{"message":"call fired","request_uuid":"{REQUEST}","api_id":"97ceeb52"}}"#);
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
    let dialled = dial(address).await.expect("it is whole");
    assert_eq!(dialled, Leg(format!("request/{REQUEST}")));
    assert_eq!(stop(far_end).await, 1);
    println!("places in the answer where it was broken off: {places}");
}

#[tokio::test]
async fn answers_that_are_no_answer() {
    for (answer, expected) in [
        (
            "HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 0\r\n\r\n",
            (code::CARRIER_UNKNOWN, Retry::Never),
        ),
        (
            "HTTP/1.1 408 Request Timeout\r\ncontent-length: 0\r\n\r\n",
            (code::CARRIER_UNKNOWN, Retry::Never),
        ),
        (
            "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull",
            (code::CARRIER_UNKNOWN, Retry::Never),
        ),
        ("nonsense\r\n\r\n", (code::CARRIER_UNKNOWN, Retry::Never)),
        (
            "HTTP/1.1 429 Too Many Requests\r\nretry-after: 0\r\ncontent-length: 0\r\n\r\n",
            (code::CARRIER_BUSY, Retry::IfNotSent),
        ),
        (
            "HTTP/1.1 307 Temporary Redirect\r\nlocation: /\r\ncontent-length: 0\r\n\r\n",
            (code::CARRIER_REFUSED, Retry::Never),
        ),
        (
            "HTTP/1.1 401 Unauthorized\r\ncontent-length: 9\r\n\r\nnot JSON.",
            (code::CARRIER_CREDENTIALS, Retry::Never),
        ),
    ] {
        let (address, far_end) = break_after(usize::MAX, answer.as_bytes(), Break::Close).await;
        assert_eq!(fault(&dial(address).await), expected, "{answer}");
        assert_eq!(stop(far_end).await, 1, "{answer}");
    }
}

async fn dial(address: SocketAddr) -> Result<Leg, Fault> {
    let (from, to) = (number("+15551230001"), number("+15551230000"));
    let calls = carrier_at(address).calls;
    calls.dial(requests::dial(&from, &to)).await
}

fn expect_unknown(outcome: &Result<Leg, Fault>) {
    assert_eq!(fault(outcome), (code::CARRIER_UNKNOWN, Retry::Never));
}

fn fault(outcome: &Result<Leg, Fault>) -> (&'static str, Retry) {
    let fault = outcome.as_ref().expect_err("it did not work");
    assert!(fault.hint.is_some(), "{fault}");
    let told = format!("{fault:?}");
    assert!(!told.contains("5551230"), "{told}");
    (fault.code, fault.retry)
}
