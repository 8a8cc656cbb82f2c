//! A tiny gateway for the tests: it answers webhooks with what it was told and lets each test talk on the socket.

#![allow(
    clippy::unwrap_used,
    reason = "in a test a broken gateway is a failure, and the line says which"
)]

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub(crate) const ACCOUNT: &str = "AC00000000000000000000000000000000";
pub(crate) const TOKEN: &str = "12345678901234567890123456789012";

pub(crate) struct Gateway {
    address: String,
    inside: Arc<Inside>,
    server: JoinHandle<()>,
}

type Talk = Box<dyn Fn(Socket) -> BoxFuture<'static, ()> + Send + Sync>;

struct Inside {
    talk: Talk,
    answers: Mutex<HashMap<String, (u16, String, String)>>,
    hooks: Mutex<Vec<Hook>>,
    upgrades: Mutex<Vec<Upgrade>>,
    heard: Mutex<Vec<Value>>,
    changed: Notify,
}

#[derive(Clone, Debug)]
pub(crate) struct Hook {
    pub(crate) path: String,
    pub(crate) form: Vec<(String, String)>,
    pub(crate) signature: String,
    pub(crate) idempotency: String,
    pub(crate) content_type: String,
    pub(crate) host: String,
}

impl Hook {
    pub(crate) fn field(&self, name: &str) -> &str {
        self.form
            .iter()
            .find(|(known, _)| known == name)
            .map_or("", |(_, value)| value.as_str())
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Upgrade {
    pub(crate) signature: String,
    pub(crate) host: String,
}

impl Gateway {
    pub(crate) async fn start<T, F>(talk: T) -> Self
    where
        T: Fn(Socket) -> F + Send + Sync + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let inside = Arc::new(Inside {
            talk: Box::new(move |socket| Box::pin(talk(socket))),
            answers: Mutex::default(),
            hooks: Mutex::default(),
            upgrades: Mutex::default(),
            heard: Mutex::default(),
            changed: Notify::new(),
        });
        let router = Router::new()
            .route("/media", any(media))
            .route("/media/{token}", any(media))
            .fallback(hook)
            .with_state(Arc::clone(&inside));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            inside,
            server,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn socket_url(&self) -> String {
        format!("ws://{}", self.address)
    }

    pub(crate) fn answer(&self, path: &str, body: &str) {
        self.answer_with(path, 200, "text/xml; charset=utf-8", body);
    }

    pub(crate) fn answer_with(&self, path: &str, status: u16, kind: &str, body: &str) {
        let answer = (status, kind.to_owned(), body.to_owned());
        self.inside
            .answers
            .lock()
            .unwrap()
            .insert(path.to_owned(), answer);
    }

    pub(crate) fn all_hooks(&self) -> Vec<Hook> {
        self.inside.hooks.lock().unwrap().clone()
    }

    pub(crate) fn hooks(&self, path: &str) -> Vec<Hook> {
        self.all_hooks()
            .into_iter()
            .filter(|hook| hook.path == path)
            .collect()
    }

    pub(crate) fn upgrades(&self) -> Vec<Upgrade> {
        self.inside.upgrades.lock().unwrap().clone()
    }

    pub(crate) fn heard(&self) -> Vec<Value> {
        self.inside.heard.lock().unwrap().clone()
    }

    pub(crate) fn forget(&self) {
        self.inside.hooks.lock().unwrap().clear();
        self.inside.upgrades.lock().unwrap().clear();
        self.inside.heard.lock().unwrap().clear();
    }

    pub(crate) async fn wait_for_heard(&self, event: &str) {
        self.wait(|inside| {
            inside
                .heard
                .lock()
                .unwrap()
                .iter()
                .any(|message| message["event"] == event)
        })
        .await;
    }

    pub(crate) async fn wait_for_upgrades(&self, count: usize) {
        self.wait(|inside| inside.upgrades.lock().unwrap().len() >= count)
            .await;
    }

    pub(crate) async fn wait_for_hooks(&self, path: &str, count: usize) {
        self.wait(|inside| {
            let hooks = inside.hooks.lock().unwrap();
            hooks.iter().filter(|hook| hook.path == path).count() >= count
        })
        .await;
    }

    async fn wait(&self, done: impl Fn(&Inside) -> bool) {
        let waiting = async {
            loop {
                let changed = self.inside.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if done(&self.inside) {
                    return;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waiting)
            .await
            .expect("what was waited for happens");
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn hook(State(inside): State<Arc<Inside>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let body: Bytes = axum::body::to_bytes(body, 65_536).await.unwrap();
    let path = parts.uri.path().to_owned();
    inside.hooks.lock().unwrap().push(Hook {
        path: path.clone(),
        form: form_urlencoded::parse(&body)
            .map(|(name, value)| (name.into_owned(), value.into_owned()))
            .collect(),
        signature: text(&parts.headers, "x-twilio-signature"),
        idempotency: text(&parts.headers, "i-twilio-idempotency-token"),
        content_type: text(&parts.headers, "content-type"),
        host: text(&parts.headers, "host"),
    });
    inside.changed.notify_waiters();
    let answer = inside.answers.lock().unwrap().get(&path).cloned();
    let (status, kind, body) = match answer {
        Some(answer) => answer,
        None if path == "/status" => (204, "text/plain".to_owned(), String::new()),
        None => (404, "text/plain".to_owned(), String::new()),
    };
    (
        StatusCode::from_u16(status).unwrap(),
        [(header::CONTENT_TYPE, kind)],
        body,
    )
        .into_response()
}

async fn media(
    State(inside): State<Arc<Inside>>,
    headers: HeaderMap,
    _uri: Uri,
    upgrade: WebSocketUpgrade,
) -> Response {
    let signature = text(&headers, "x-twilio-signature");
    inside.upgrades.lock().unwrap().push(Upgrade {
        signature,
        host: text(&headers, "host"),
    });
    inside.changed.notify_waiters();
    upgrade.on_upgrade(move |websocket| async move {
        let socket = Socket {
            websocket,
            inside: Arc::clone(&inside),
            sid: String::new(),
        };
        (inside.talk)(socket).await;
    })
}

fn text(headers: &HeaderMap, name: &str) -> String {
    headers
        .get(name)
        .map(|value| value.to_str().unwrap().to_owned())
        .unwrap_or_default()
}

/// The gateway's end of a media socket.
pub(crate) struct Socket {
    websocket: WebSocket,
    inside: Arc<Inside>,
    pub(crate) sid: String,
}

impl Socket {
    /// The next message; what is not JSON comes as an object that says so.
    pub(crate) async fn hear(&mut self) -> Option<Value> {
        loop {
            let message = match self.websocket.recv().await?.ok()? {
                Message::Text(text) => serde_json::from_str(&text)
                    .unwrap_or_else(|_| json!({"not JSON": text.as_str()})),
                Message::Binary(_) => json!({"not JSON": "bytes"}),
                Message::Close(_) => return None,
                Message::Ping(_) | Message::Pong(_) => continue,
            };
            if message["event"] == "start" {
                self.sid = message["streamSid"].as_str().unwrap().to_owned();
            }
            self.inside.heard.lock().unwrap().push(message.clone());
            self.inside.changed.notify_waiters();
            return Some(message);
        }
    }

    pub(crate) async fn hear_for(&mut self, time: Duration) -> Option<Value> {
        tokio::time::timeout(time, self.hear()).await.ok().flatten()
    }

    pub(crate) async fn hear_until(&mut self, event: &str) -> Value {
        while let Some(message) = self.hear().await {
            if message["event"] == event {
                return message;
            }
        }
        json!(null)
    }

    pub(crate) async fn hear_mark(&mut self, name: &str) {
        loop {
            let message = self.hear_until("mark").await;
            if message.is_null() || message["mark"]["name"] == name {
                return;
            }
        }
    }

    /// Until the caller is heard, or is not heard any more.
    pub(crate) async fn hear_voice(&mut self, voice: bool) {
        loop {
            let message = self.hear_until("media").await;
            if message.is_null() || loud(&decode(&message)) == voice {
                return;
            }
        }
    }

    pub(crate) async fn send(&mut self, message: Value) {
        // The far end may be gone already; then the test sees that.
        let _ = self
            .websocket
            .send(Message::text(message.to_string()))
            .await;
    }

    pub(crate) async fn play(&mut self, sound: &[i16]) {
        let codes: Vec<u8> = sound.iter().map(|sample| encode(*sample)).collect();
        for part in codes.chunks(1_600) {
            let media = json!({"payload": STANDARD.encode(part)});
            self.send(json!({"event": "media", "streamSid": self.sid, "media": media}))
                .await;
        }
    }

    pub(crate) async fn mark(&mut self, name: &str) {
        self.send(json!({"event": "mark", "streamSid": self.sid, "mark": {"name": name}}))
            .await;
    }

    pub(crate) async fn clear(&mut self) {
        self.send(json!({"event": "clear", "streamSid": self.sid}))
            .await;
    }

    pub(crate) async fn close(mut self) {
        let _ = self.websocket.send(Message::Close(None)).await;
        while let Some(Ok(_)) = self.websocket.recv().await {}
    }
}

/// The carrier's signature, from its documentation: the URL, then the fields sorted by name, HMAC-SHA1, base64.
pub(crate) fn signature(url: &str, form: &[(String, String)]) -> String {
    let mut sorted = form.to_vec();
    sorted.sort();
    let text = sorted
        .iter()
        .fold(url.to_owned(), |text, (name, value)| text + name + value);
    let mut mac = Hmac::<Sha1>::new_from_slice(TOKEN.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The samples of a media message, by the textbook form of G.711 µ-law.
pub(crate) fn decode(message: &Value) -> Vec<i16> {
    let payload = message["media"]["payload"].as_str().unwrap_or_default();
    let codes = STANDARD.decode(payload).unwrap_or_default();
    codes
        .into_iter()
        .map(|code| {
            let bits = !code;
            let magnitude = (((i32::from(bits & 0x0F) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84;
            (if bits & 0x80 == 0 {
                magnitude
            } else {
                -magnitude
            }) as i16
        })
        .collect()
}

pub(crate) fn encode(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(32_635) + 0x84;
    let exponent = (31 - (magnitude as u32).leading_zeros())
        .saturating_sub(7)
        .min(7);
    let mantissa = ((magnitude >> (exponent + 3)) & 0x0F) as u8;
    !(sign | ((exponent as u8) << 4) | mantissa)
}

/// A tone of so many milliseconds.
pub(crate) fn tone(length: usize, frequency: f64) -> Vec<i16> {
    (0..length * 8)
        .map(|index| {
            ((index as f64 / 8_000.0 * frequency * std::f64::consts::TAU).sin() * 8_000.0) as i16
        })
        .collect()
}

/// How much of the power of what somebody heard is at that frequency.
pub(crate) fn share(sound: &[i16], hz: f64) -> f64 {
    let step = std::f64::consts::TAU * hz / 8_000.0;
    let (mut re, mut im, mut all) = (0.0, 0.0, 1.0);
    for (index, sample) in sound.iter().enumerate() {
        let (sample, angle) = (f64::from(*sample), step * index as f64);
        re += sample * angle.cos();
        im += sample * angle.sin();
        all += sample * sample;
    }
    2.0 * (re * re + im * im) / (sound.len() as f64 * all)
}

pub(crate) fn loud(sound: &[i16]) -> bool {
    sound
        .iter()
        .filter(|sample| sample.unsigned_abs() > 1_000)
        .count()
        > sound.len() / 8
}
