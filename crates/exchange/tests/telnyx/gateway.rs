//! A tiny gateway for the stories of Telnyx: it acknowledges events, and lets each test talk on the socket.

use crate::gateway::encode;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::routing::any;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

pub(crate) struct Gateway {
    address: String,
    inside: Arc<Inside>,
    server: JoinHandle<()>,
}

type Talk = Box<dyn Fn(Socket) -> BoxFuture<'static, ()> + Send + Sync>;

struct Inside {
    talk: Talk,
    /// What the next events are answered with, 0 for nothing in time; 200 when there is nothing more.
    answers: Mutex<VecDeque<u16>>,
    events: Mutex<Vec<Event>>,
    upgrades: Mutex<Vec<String>>,
    heard: Mutex<Vec<Value>>,
    changed: Notify,
}

/// An event as it came.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) headers: HeaderMap,
    pub(crate) raw: String,
    pub(crate) path: String,
    pub(crate) data: Value,
    pub(crate) meta: Value,
}

impl Event {
    pub(crate) fn name(&self) -> &str {
        self.data["event_type"].as_str().unwrap()
    }

    pub(crate) fn payload(&self, name: &str) -> &Value {
        &self.data["payload"][name]
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }
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
            events: Mutex::default(),
            upgrades: Mutex::default(),
            heard: Mutex::default(),
            changed: Notify::new(),
        });
        let router = Router::new()
            .route("/media", any(media))
            .fallback(event)
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

    /// A gateway that listens on its sockets and says nothing.
    pub(crate) async fn silent() -> Self {
        Self::start(|mut socket| async move { while socket.hear().await.is_some() {} }).await
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub(crate) fn media_url(&self) -> String {
        format!("ws://{}/media", self.address)
    }

    pub(crate) fn answer_next(&self, statuses: &[u16]) {
        self.inside.answers.lock().unwrap().extend(statuses);
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.inside.events.lock().unwrap().clone()
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let events = self.events();
        events.iter().map(|event| event.name().to_owned()).collect()
    }

    pub(crate) fn heard(&self) -> Vec<Value> {
        self.inside.heard.lock().unwrap().clone()
    }

    /// The `Authorization` of each upgrade.
    pub(crate) fn upgrades(&self) -> Vec<String> {
        self.inside.upgrades.lock().unwrap().clone()
    }

    /// The first event of that name, when it comes.
    pub(crate) async fn event(&self, name: &str) -> Event {
        self.nth_event(name, 0).await
    }

    /// The first event of that name and that call, when it comes.
    pub(crate) async fn event_of(&self, name: &str, call: &str) -> Event {
        self.wait(|inside| {
            let events = inside.events.lock().unwrap();
            let mut named = events.iter().filter(|event| event.name() == name);
            named
                .find(|event| *event.payload("call_control_id") == call)
                .cloned()
        })
        .await
    }

    /// The one after so many of that name, when it comes.
    pub(crate) async fn nth_event(&self, name: &str, earlier: usize) -> Event {
        self.wait(|inside| {
            let events = inside.events.lock().unwrap();
            let mut named = events.iter().filter(|event| event.name() == name);
            named.nth(earlier).cloned()
        })
        .await
    }

    /// Until so many messages of that kind have been heard on sockets.
    pub(crate) async fn wait_for_heard(&self, event: &str, count: usize) {
        self.wait(|inside| {
            let heard = inside.heard.lock().unwrap();
            let of_that_kind = heard.iter().filter(|message| message["event"] == event);
            (of_that_kind.count() >= count).then_some(())
        })
        .await;
    }

    async fn wait<T>(&self, look: impl Fn(&Inside) -> Option<T>) -> T {
        let waiting = async {
            loop {
                let changed = self.inside.changed.notified();
                tokio::pin!(changed);
                changed.as_mut().enable();
                if let Some(found) = look(&self.inside) {
                    return found;
                }
                changed.await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), waiting)
            .await
            .expect("what was waited for happens")
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn event(
    State(inside): State<Arc<Inside>>,
    uri: axum::http::Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let raw = String::from_utf8(body.to_vec()).unwrap();
    let mut value: Value = serde_json::from_str(&raw).unwrap();
    inside.events.lock().unwrap().push(Event {
        headers,
        raw,
        path: uri.path().to_owned(),
        data: value["data"].take(),
        meta: value["meta"].take(),
    });
    inside.changed.notify_waiters();
    let status = inside.answers.lock().unwrap().pop_front().unwrap_or(200);
    if status == 0 {
        tokio::time::sleep(Duration::from_millis(2_100)).await;
    }
    StatusCode::from_u16(status).unwrap_or_default()
}

async fn media(
    State(inside): State<Arc<Inside>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let token = headers
        .get("authorization")
        .map_or("", |value| value.to_str().unwrap());
    inside.upgrades.lock().unwrap().push(token.to_owned());
    inside.changed.notify_waiters();
    let upgrade = upgrade.max_message_size(4 * 1024 * 1024);
    upgrade.on_upgrade(move |websocket| async move {
        let socket = Socket {
            websocket,
            inside: Arc::clone(&inside),
        };
        (inside.talk)(socket).await;
    })
}

/// The gateway's end of a media socket.
pub(crate) struct Socket {
    websocket: WebSocket,
    inside: Arc<Inside>,
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
            self.inside.heard.lock().unwrap().push(message.clone());
            self.inside.changed.notify_waiters();
            return Some(message);
        }
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

    pub(crate) async fn hear_to_the_end(&mut self) {
        while self.hear().await.is_some() {}
    }

    pub(crate) async fn send(&mut self, message: Value) {
        self.say(&message.to_string()).await;
    }

    pub(crate) async fn say(&mut self, text: &str) {
        // The far end may be gone already; then the test sees that.
        let _ = self.websocket.send(Message::text(text)).await;
    }

    pub(crate) async fn play_codes(&mut self, codes: &[u8]) {
        let media = json!({"payload": STANDARD.encode(codes)});
        self.send(json!({"event": "media", "media": media})).await;
    }

    /// Plays sound in µ-law.
    pub(crate) async fn play(&mut self, sound: &[i16]) {
        let codes: Vec<u8> = sound.iter().map(|sample| encode(*sample)).collect();
        self.play_codes(&codes).await;
    }

    pub(crate) async fn mark(&mut self, name: &str) {
        self.send(json!({"event": "mark", "mark": {"name": name}}))
            .await;
    }

    pub(crate) async fn clear(&mut self) {
        self.send(json!({"event": "clear"})).await;
    }

    pub(crate) async fn close(mut self) {
        let _ = self.websocket.send(Message::Close(None)).await;
        while let Some(Ok(_)) = self.websocket.recv().await {}
    }
}
