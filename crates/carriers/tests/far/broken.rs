//! Far ends whose connections break, wherever a test wants them to.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A far end at work: how to stop it, and how many requests it will have seen.
pub(crate) type FarEnd = (oneshot::Sender<()>, JoinHandle<u32>);

/// How a connection ends.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Break {
    Close,
    Reset,
}

/// A far end that reads so many bytes of each request, answers, and breaks the connection. It
/// counts the connections on which it read anything.
pub(crate) async fn break_after(bytes: usize, answer: &[u8], how: Break) -> (SocketAddr, FarEnd) {
    let listener = listen().await;
    let address = listener.local_addr().expect("it is bound");
    let answer = answer.to_vec();
    let (stop, mut stopped) = oneshot::channel();
    let far_end = tokio::spawn(async move {
        let mut requests = 0;
        loop {
            let mut socket = tokio::select! {
                // Whoever is already at the door is let in before it is closed.
                biased;
                accepted = listener.accept() => accepted.expect("someone dials").0,
                _ = &mut stopped => return requests,
            };
            requests += u32::from(read_request(&mut socket, bytes).await > 0);
            socket
                .write_all(&answer)
                .await
                .expect("the near end listens");
            match how {
                Break::Close => drop(socket),
                Break::Reset => socket.set_zero_linger().expect("the socket is open"),
            }
        }
    });
    (address, (stop, far_end))
}

pub(crate) async fn stop((stop, far_end): FarEnd) -> u32 {
    stop.send(()).expect("the far end is there");
    far_end.await.expect("the far end does not panic")
}

/// Reads a request to its end, or so many bytes of it. Says how many there were.
pub(crate) async fn read_request(socket: &mut TcpStream, most: usize) -> usize {
    let mut read = Vec::new();
    let mut byte = [0];
    while read.len() < most {
        match socket.read(&mut byte).await {
            Ok(1) => read.push(byte[0]),
            Ok(_) | Err(_) => break,
        }
        if is_whole(&read) {
            break;
        }
    }
    read.len()
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let mut lines = head.lines();
    let length = lines.find_map(|it| {
        it.to_lowercase()
            .strip_prefix("content-length: ")
            .map(str::to_owned)
    });
    let length: usize = length.map_or(0, |it| it.parse().expect("a length"));
    body.len() >= length
}

pub(crate) async fn listen() -> TcpListener {
    let address = (Ipv4Addr::LOCALHOST, 0);
    TcpListener::bind(address).await.expect("a free port")
}
