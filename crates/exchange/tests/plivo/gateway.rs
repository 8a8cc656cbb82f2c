//! A tiny gateway for Plivo's side of the exchange: it answers webhooks with what it was told and lets each test talk on the
//! socket.

use crate::gateway::encode;
use axum::Router;
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
use sha2::Sha256;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub(crate) const ACCOUNT: &str = "MAZZZZZZZZZZZZZZZZZZ";
pub(crate) const TOKEN: &str = "a token of the tests";

pub(crate) struct Gateway {
    address: String,
    inside: Arc<Inside>,
    server: JoinHandle<()>,
}

type Talk = Box<dyn Fn(Socket) -> BoxFuture<'static, ()> + Send + Sync>;

struct Inside {
    talk: Talk,
    answers: Mutex<HashMap<String, (u16, String)>>,
    hooks: Mutex<Vec<Hook>>,
    upgrades: Mutex<Vec<Hook>>,
    heard: Mutex<Vec<Value>>,
    changed: Notify,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Hook {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: String,
    pub(crate) form: Vec<(String, String)>,
    headers: HeaderMap,
}

impl Hook {
    pub(crate) fn field(&self, name: &str) -> &str {
        let found = self.form.iter().find(|(known, _)| known == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    /// Whether it is signed for `origin`, the scheme and host it was sent to.
    pub(crate) fn is_signed_for(&self, origin: &str) -> bool {
        let mut query: Vec<_> = form_urlencoded::parse(self.query.as_bytes()).collect();
        query.sort();
        let query: Vec<_> = query
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        let mut form = self.form.clone();
        form.sort();
        let form: String = form
            .iter()
            .map(|(name, value)| format!("{name}{value}"))
            .collect();
        let mark = if query.is_empty() && form.is_empty() {
            ""
        } else {
            "?"
        };
        let dot = if query.is_empty() || form.is_empty() {
            ""
        } else {
            "."
        };
        let nonce = self.header("x-plivo-signature-v3-nonce");
        let text = format!(
            "{origin}{}{mark}{}{dot}{form}.{nonce}",
            self.path,
            query.join("&")
        );
        let v2 = format!(
            "{origin}{}{}",
            self.path,
            self.header("x-plivo-signature-v2-nonce")
        );
        let signed = |name: &str, text: &str| self.header(name) == hmac(text);
        !nonce.is_empty()
            && signed("x-plivo-signature-v3", &text)
            && signed("x-plivo-signature-ma-v3", &text)
            && signed("x-plivo-signature-v2", &v2)
    }
}

fn hmac(text: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(TOKEN.as_bytes()).unwrap();
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
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

    /// One that listens on every socket until it closes.
    pub(crate) async fn listening() -> Self {
        Self::start(|mut socket| async move { while socket.hear().await.is_some() {} }).await
    }

    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn socket_url(&self) -> String {
        format!("ws://{}/media", self.address)
    }

    /// What the path answers with: these elements.
    pub(crate) fn answer(&self, path: &str, elements: &str) {
        self.answer_with(path, 200, &format!("<Response>{elements}</Response>"));
    }

    pub(crate) fn answer_with(&self, path: &str, status: u16, body: &str) {
        let mut answers = self.inside.answers.lock().unwrap();
        answers.insert(path.to_owned(), (status, body.to_owned()));
    }

    pub(crate) fn all_hooks(&self) -> Vec<Hook> {
        self.inside.hooks.lock().unwrap().clone()
    }

    pub(crate) fn hooks(&self, path: &str) -> Vec<Hook> {
        let mut hooks = self.all_hooks();
        hooks.retain(|hook| hook.path == path);
        hooks
    }

    pub(crate) fn upgrades(&self) -> Vec<Hook> {
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

    pub(crate) async fn wait_for_hooks(&self, path: &str, count: usize) {
        self.wait(|gateway| gateway.hooks(path).len() >= count)
            .await;
    }

    pub(crate) async fn wait_for_heard(&self, event: &str) {
        self.wait(|gateway| {
            gateway
                .heard()
                .iter()
                .any(|message| message["event"] == event)
        })
        .await;
    }

    pub(crate) async fn wait_for_messages(&self, count: usize) {
        self.wait(|gateway| gateway.heard().len() >= count).await;
    }

    async fn wait(&self, done: impl Fn(&Self) -> bool) {
        let waiting = async {
            loop {
                let changed = self.inside.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if done(self) {
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
    let body = axum::body::to_bytes(body, 65_536).await.unwrap();
    let path = parts.uri.path().to_owned();
    inside.hooks.lock().unwrap().push(Hook {
        method: parts.method.to_string(),
        path: path.clone(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        form: form_urlencoded::parse(&body).into_owned().collect(),
        headers: parts.headers,
    });
    inside.changed.notify_waiters();
    let answer = inside.answers.lock().unwrap().get(&path).cloned();
    let notice = ["/ring", "/hangup", "/stream"].contains(&path.as_str());
    let (status, body) = match answer {
        Some(answer) => answer,
        None => (if notice { 200 } else { 404 }, String::new()),
    };
    let kind = [(header::CONTENT_TYPE, "application/xml")];
    (StatusCode::from_u16(status).unwrap(), kind, body).into_response()
}

async fn media(
    State(inside): State<Arc<Inside>>,
    headers: HeaderMap,
    uri: Uri,
    upgrade: WebSocketUpgrade,
) -> Response {
    inside.upgrades.lock().unwrap().push(Hook {
        method: "GET".to_owned(),
        path: uri.path().to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        form: Vec::new(),
        headers,
    });
    inside.changed.notify_waiters();
    upgrade.on_upgrade(move |websocket| async move {
        let socket = Socket {
            websocket,
            inside: Arc::clone(&inside),
            stream: String::new(),
        };
        (inside.talk)(socket).await;
    })
}

/// The gateway's end of a media socket.
pub(crate) struct Socket {
    websocket: WebSocket,
    inside: Arc<Inside>,
    pub(crate) stream: String,
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
                self.stream = message["start"]["streamId"].as_str().unwrap().to_owned();
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

    /// Hears so many messages of sound.
    pub(crate) async fn hear_sound(&mut self, count: usize) {
        for _ in 0..count {
            self.hear_until("media").await;
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
            self.play_as("audio/x-mulaw", json!(8_000), part).await;
        }
    }

    pub(crate) async fn play_as(&mut self, kind: &str, rate: Value, sound: &[u8]) {
        let payload = STANDARD.encode(sound);
        let media = json!({"contentType": kind, "sampleRate": rate, "payload": payload});
        self.send(json!({"event": "playAudio", "media": media}))
            .await;
    }

    pub(crate) async fn checkpoint(&mut self, name: &str) {
        self.send(json!({"event": "checkpoint", "streamId": self.stream, "name": name}))
            .await;
    }

    pub(crate) async fn clear(&mut self) {
        self.send(json!({"event": "clearAudio", "streamId": self.stream}))
            .await;
    }

    pub(crate) async fn close(mut self) {
        let _ = self.websocket.send(Message::Close(None)).await;
        while let Some(Ok(_)) = self.websocket.recv().await {}
    }
}

/// The bytes of a media message.
pub(crate) fn payload(message: &Value) -> Vec<u8> {
    let payload = message["media"]["payload"].as_str().unwrap_or_default();
    STANDARD.decode(payload).unwrap_or_default()
}
