//! The reference for load: the least a gateway can do to echo its callers.
//!
//! It answers every voice webhook with a stream and returns each message's sound, having read the JSON, decoded the base64 and
//! the µ-law, and done it all again backwards. No signature is checked, no state is kept. One thread.
//!
//! `cargo run --release -p exchange --example bare-echo -- 127.0.0.1:8788`, then
//! `exchange load --gateway http://127.0.0.1:8788`.

use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::post;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use exchange::g711::Law;
use futures_util::{SinkExt, StreamExt};
use serde::{Deserialize, Serialize};
use std::error::Error;
use std::io::Write;
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::accept_async;
use tokio_tungstenite::tungstenite::Message;

#[derive(Deserialize)]
#[serde(tag = "event", rename_all = "camelCase")]
enum Told<'a> {
    Connected,
    #[serde(rename_all = "camelCase")]
    Start {
        stream_sid: &'a str,
    },
    Media {
        #[serde(borrow)]
        media: Sound<'a>,
    },
    Stop,
    Mark,
    Dtmf,
}

#[derive(Deserialize)]
struct Sound<'a> {
    payload: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Media<'a> {
    event: &'static str,
    stream_sid: &'a str,
    media: Payload<'a>,
}

#[derive(Serialize)]
struct Payload<'a> {
    payload: &'a str,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:8788".to_owned());
    let sockets = TcpListener::bind("127.0.0.1:0").await?;
    let media = format!("ws://{}/media", sockets.local_addr()?);
    let router = Router::new()
        .route("/twilio/voice", post(voice))
        .route("/twilio/status", post(async || ()))
        .with_state(media);
    let listener = TcpListener::bind(&address).await?;
    writeln!(std::io::stdout(), "listening on http://{address}")?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = sockets.accept().await {
            // A call that fails is the load's to report.
            tokio::spawn(async move { echo(stream).await.ok() });
        }
    });
    axum::serve(listener, router).await?;
    Ok(())
}

async fn voice(State(media): State<String>) -> impl IntoResponse {
    let document = format!(r#"<Response><Connect><Stream url="{media}"/></Connect></Response>"#);
    ([(header::CONTENT_TYPE, "text/xml")], document)
}

async fn echo(stream: TcpStream) -> Result<(), Box<dyn Error + Send + Sync>> {
    stream.set_nodelay(true)?;
    let mut socket = accept_async(stream).await?;
    let mut sid = String::new();
    let (mut codes, mut samples, mut text) = (Vec::new(), Vec::new(), String::new());
    while let Some(message) = socket.next().await {
        let Message::Text(message) = message? else {
            continue;
        };
        match serde_json::from_str(&message)? {
            Told::Start { stream_sid } => stream_sid.clone_into(&mut sid),
            Told::Media { media } => {
                codes.clear();
                STANDARD.decode_vec(media.payload, &mut codes)?;
                samples.clear();
                samples.extend(codes.iter().map(|code| Law::Mu.decode(*code)));
                codes.clear();
                codes.extend(samples.iter().map(|sample: &i16| Law::Mu.encode(*sample)));
                text.clear();
                STANDARD.encode_string(&codes, &mut text);
                let media = Media {
                    event: "media",
                    stream_sid: &sid,
                    media: Payload { payload: &text },
                };
                socket
                    .send(Message::text(serde_json::to_string(&media)?))
                    .await?;
            }
            Told::Stop => break,
            Told::Connected | Told::Mark | Told::Dtmf => {}
        }
    }
    socket.close(None).await?;
    Ok(())
}
