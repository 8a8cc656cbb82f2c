//! The socket to a server that speaks ConversationRelay.

use std::time::Duration;

use async_trait::async_trait;
use futures_util::{SinkExt, StreamExt};
use ports::agent::Carries;
use ports::{Blame, Fault, Link, code, pair};
use reqwest::header::{
    CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use reqwest::redirect::Policy;
use reqwest::{Client, StatusCode, Upgraded};
use tokio::time::{Instant, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use crate::patience::{late, unreachable};

/// Where a server is.
#[derive(Clone, Debug)]
pub(super) struct Server {
    client: Client,
    /// As `http`, since that is what a socket begins with.
    url: String,
}

type Socket = WebSocketStream<Upgraded>;

impl Server {
    /// By its address as it is written, `ws://` or `wss://`. `None`: it is none, or no client can be made.
    pub(super) fn new(address: &str) -> Option<Self> {
        let rest = address.strip_prefix("ws")?;
        if !rest.starts_with("://") && !rest.starts_with("s://") {
            return None;
        }
        let url = format!("http{rest}");
        // The program may have chosen a provider. If it did not, a client could not be made at all.
        let _already = rustls::crypto::ring::default_provider().install_default();
        let builder = Client::builder()
            .user_agent(concat!("offhook/", env!("CARGO_PKG_VERSION")))
            .redirect(Policy::none())
            .retry(reqwest::retry::never())
            .http1_only();
        let client = if url.starts_with("http://") {
            // Without TLS there are no certificates to look for.
            builder.tls_certs_only([]).build()
        } else {
            builder.build()
        };
        let client = client.ok()?;
        client.get(&url).build().ok()?;
        Some(Self { client, url })
    }

    /// Connects to it.
    pub(super) async fn connect(&self) -> Result<Socket, Fault> {
        let connected = timeout(CONNECT, self.upgrade()).await;
        connected.map_err(|_| late("did not take the connection in time"))?
    }

    async fn upgrade(&self) -> Result<Socket, Fault> {
        let key = generate_key();
        let request = self.client.get(&self.url);
        let request = request
            .header(CONNECTION, "Upgrade")
            .header(UPGRADE, "websocket")
            .header(SEC_WEBSOCKET_VERSION, "13")
            .header(SEC_WEBSOCKET_KEY, &key);
        // The error itself would show the address, which may be private.
        let away = |_| {
            unreachable("cannot be reached").hint("is it running, and is the agent's `url` right?")
        };
        let response = request.send().await.map_err(away)?;
        let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT);
        let accepted = accepted
            .is_some_and(|it| it.as_bytes() == derive_accept_key(key.as_bytes()).as_bytes());
        if response.status() != StatusCode::SWITCHING_PROTOCOLS || !accepted {
            let message = format!(
                "the agent answered {} in place of a websocket",
                response.status().as_u16()
            );
            return Err(Fault::new(Blame::Config, code::AGENT_REFUSED, message)
                .hint("look at the agent's `url`"));
        }
        let upgraded = response.upgrade().await.map_err(away)?;
        let config = WebSocketConfig::default()
            .max_message_size(Some(LONGEST))
            .max_frame_size(Some(LONGEST));
        Ok(WebSocketStream::from_raw_socket(upgraded, Role::Client, Some(config)).await)
    }
}

#[async_trait]
impl Carries for Server {
    /// Connects in the background: the phone may still be ringing.
    async fn begin(&mut self) -> Result<Link<String, String>, Fault> {
        let (near, far) = pair(QUEUE);
        let server = self.clone();
        tokio::spawn(async move {
            match server.connect().await {
                Ok(socket) => carry(socket, far).await,
                Err(fault) => tracing::warn!(code = fault.code, hint = fault.hint, "{fault}"),
            }
        });
        Ok(near)
    }
}

async fn carry(mut socket: Socket, mut link: Link<String, String>) {
    let mut pings = tokio::time::interval(PING);
    let mut alive = Instant::now();
    loop {
        let message = tokio::select! {
            letter = link.rx.recv() => match letter {
                Some(letter) => Message::text(letter),
                None => break,
            },
            came = socket.next() => {
                alive = Instant::now();
                match came {
                    Some(Ok(Message::Text(text))) => {
                        if link.tx.send(text.as_str().to_owned()).await.is_err() {
                            break;
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return,
                }
                continue;
            }
            _ = pings.tick() => {
                if alive.elapsed() > SILENCE {
                    return;
                }
                Message::Ping(Vec::new().into())
            }
        };
        if !matches!(timeout(SENDING, socket.send(message)).await, Ok(Ok(()))) {
            return;
        }
    }
    // The call is over.
    let _ = timeout(SENDING, socket.close(None)).await;
}

const QUEUE: usize = 64;
/// In bytes.
const LONGEST: usize = 256 * 1024;
const CONNECT: Duration = Duration::from_secs(5);
const PING: Duration = Duration::from_secs(10);
const SILENCE: Duration = Duration::from_secs(30);
const SENDING: Duration = Duration::from_secs(5);
