//! The door for agents that connect by themselves: one socket carries the letters of all their calls.

use std::collections::HashMap;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::extract::ws::{
    Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection,
};
use axum::http::StatusCode;
use axum::response::Response;
use ports::agent::Answerer;
use ports::{Blame, Fault, Link, code};
use serde::Deserialize;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};

use super::ask::Named;
use super::guard::Pass;
use super::{Desk, Problem};
use crate::access::Scope;
use crate::connections::Beginning;

pub(super) async fn connect(
    State(desk): State<Desk>,
    Extension(scope): Extension<Scope>,
    Extension(pass): Extension<Pass>,
    Named(name): Named,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
) -> Response {
    if scope < Scope::Call {
        let message = "this token may only look";
        let fault = Fault::new(Blame::Gateway, code::GATEWAY_SCOPE, message);
        return Problem::answer(&fault.hint("make one with `offhook token create --scope call`"));
    }
    let agent = desk
        .board
        .plan()
        .agents
        .get(&name)
        .map(|it| it.answerer.clone());
    if !matches!(agent, Some(Answerer::Connects { .. })) {
        let message = "no agent of this name connects by itself";
        let fault = Fault::new(Blame::Caller, code::API_UNKNOWN, message);
        let fault = fault.hint("its table in the configuration says which kind it is");
        return Problem::answer_with(StatusCode::NOT_FOUND, &fault);
    }
    let Ok(upgrade) = upgrade else {
        let message = "this is a websocket, and was not asked for as one";
        let fault = Fault::new(Blame::Caller, code::API_INVALID, message);
        return Problem::answer_with(StatusCode::UPGRADE_REQUIRED, &fault);
    };
    upgrade
        .max_message_size(LONGEST)
        .max_frame_size(LONGEST)
        .on_upgrade(move |socket| async move {
            tracing::info!(agent = name, "an agent has connected");
            let calls = desk.board.connections().open(&name);
            let how = tokio::select! {
                how = Wire::new(socket, calls).carry() => how,
                () = pass.revoked() => "its token was revoked",
            };
            tracing::info!(agent = name, "an agent is not connected any more: {how}");
        })
}

/// A socket, and the calls whose letters it carries.
struct Wire {
    socket: WebSocket,
    beginnings: mpsc::Receiver<Beginning>,
    /// Where the letters of each call go.
    calls: HashMap<String, Carried>,
    /// How often one began.
    begun: u64,
    /// From all calls; a call that is over says nothing more.
    letters: mpsc::Receiver<Letter>,
    into_letters: mpsc::Sender<Letter>,
    /// When the agent was last heard of.
    alive: Instant,
}

/// A call whose letters are carried. It may begin anew on the same connection, and is another then.
struct Carried {
    tx: mpsc::Sender<String>,
    nth: u64,
}

/// What a call has to be told.
enum Letter {
    Text(String),
    /// Nothing more.
    Over {
        call: String,
        nth: u64,
    },
}

/// What a letter says of which call it is about.
#[derive(Deserialize)]
struct About {
    call: String,
}

impl Wire {
    fn new(socket: WebSocket, beginnings: mpsc::Receiver<Beginning>) -> Self {
        let (into_letters, letters) = mpsc::channel(LETTERS);
        Self {
            socket,
            beginnings,
            calls: HashMap::new(),
            begun: 0,
            letters,
            into_letters,
            alive: Instant::now(),
        }
    }

    /// Until it breaks, and says how. Its calls notice by themselves.
    async fn carry(mut self) -> &'static str {
        let mut pings = tokio::time::interval(PING);
        let mut replaced = false;
        loop {
            let sent = tokio::select! {
                message = self.socket.recv() => match message {
                    Some(Ok(message)) => {
                        self.alive = Instant::now();
                        if let Message::Text(text) = message {
                            self.deliver(text.as_str());
                        }
                        true
                    }
                    Some(Err(_)) => return "its connection broke",
                    None => return "it has gone",
                },
                begun = self.beginnings.recv(), if !replaced => {
                    // Another connection has its new calls.
                    replaced = begun.is_none();
                    begun.into_iter().for_each(|it| self.begin(it));
                    true
                }
                letter = self.letters.recv() => match letter {
                    Some(Letter::Text(text)) => self.send(Message::Text(text.into())).await,
                    Some(Letter::Over { call, nth }) => {
                        self.calls.retain(|it, carried| *it != call || carried.nth != nth);
                        true
                    }
                    None => true,
                },
                _ = pings.tick() => {
                    if self.alive.elapsed() > SILENCE {
                        return "it answers no pings";
                    }
                    self.send(Message::Ping(Vec::new().into())).await
                }
            };
            if !sent {
                return "it does not read";
            }
            if replaced && self.calls.is_empty() {
                return "another has connected in its name";
            }
        }
    }

    fn begin(&mut self, beginning: Beginning) {
        let Beginning { call, letters } = beginning;
        let Link { tx, mut rx } = letters;
        self.begun += 1;
        let nth = self.begun;
        self.calls.insert(call.clone(), Carried { tx, nth });
        let into = self.into_letters.clone();
        tokio::spawn(async move {
            while let Some(letter) = rx.recv().await {
                if into.send(Letter::Text(letter)).await.is_err() {
                    return;
                }
            }
            let _ = into.send(Letter::Over { call, nth }).await;
        });
    }

    /// Hands a letter to its call. One that writes faster than its call reads loses it.
    fn deliver(&mut self, text: &str) {
        let Ok(About { call }) = serde_json::from_str(text) else {
            tracing::debug!("an agent wrote a letter that names no call");
            return;
        };
        let Some(carried) = self.calls.get(&call) else {
            return;
        };
        if carried.tx.try_send(text.to_owned()).is_err() {
            tracing::warn!(
                call,
                code = code::AGENT_REFUSED,
                "an agent writes more than its call can take"
            );
            self.calls.remove(&call);
        }
    }

    async fn send(&mut self, message: Message) -> bool {
        let sent = timeout(SENDING, self.socket.send(message)).await;
        matches!(sent, Ok(Ok(())))
    }
}

/// In bytes.
const LONGEST: usize = 256 * 1024;
const LETTERS: usize = 256;
const PING: Duration = Duration::from_secs(10);
/// Who was not heard of for so long has gone.
const SILENCE: Duration = Duration::from_secs(30);
/// Who does not read for so long has gone.
const SENDING: Duration = Duration::from_secs(5);
