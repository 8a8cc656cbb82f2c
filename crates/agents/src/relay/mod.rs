//! A server that speaks ConversationRelay, as some carriers do with servers of their customers': we play the carrier's
//! side of it, whichever carrier has the call.

mod socket;
#[cfg(test)]
mod tests;
mod tongue;

use std::sync::Arc;

use async_trait::async_trait;
use ports::agent::{Agent, Answer, Answerer, Entry, Introduction, Opens, Tell};
use ports::{Fault, Key, Kind, Link, Need, Problem, Settings, pair};

use crate::dialogue::{Dialogue, Kept};
use crate::patience::{FIRST_TOKEN, Patience, TOKEN, TURN};
use socket::Server;
use tongue::Relay;

/// How this kind of agent is listed.
pub(crate) const ENTRY: Entry = Entry {
    kind: "conversation-relay",
    about: "a server of yours that speaks ConversationRelay, whichever carrier has the call",
    keys: &[
        Key::new(
            "url",
            Kind::Text,
            Need::Required,
            "where the server is, such as wss://agent.example.com/relay",
        ),
        Key::new(
            "lang",
            Kind::Text,
            Need::Optional,
            "the language that it is told the caller speaks; default en-US",
        ),
        FIRST_TOKEN,
        TOKEN,
        TURN,
    ],
    build,
};

fn build(settings: &Settings) -> Result<Answerer, Vec<Problem>> {
    let mut problems = Vec::new();
    let patience = Patience::of(settings, &mut problems);
    let server = Server::new(settings.text("url").unwrap_or_default());
    if server.is_none() {
        problems.push(Problem {
            key: "url",
            message: "it is no address of a websocket".to_owned(),
            hint: "write it as `wss://agent.example.com/relay`".to_owned(),
        });
    }
    match server.filter(|_| problems.is_empty()) {
        Some(server) => Ok(Answerer::Words {
            agent: Arc::new(Relayed {
                server,
                language: settings.text("lang").unwrap_or("en-US").to_owned(),
                patience,
            }),
            // Such servers wait to be spoken to: their carriers greet in their name.
            opens: Opens::Caller,
        }),
        None => Err(problems),
    }
}

struct Relayed {
    server: Server,
    language: String,
    patience: Patience,
}

#[async_trait]
impl Agent for Relayed {
    async fn open(&self, call: Introduction) -> Result<Link<Tell, Answer>, Fault> {
        let (near, far) = pair(CAPACITY);
        let tongue = Box::new(Relay::new(self.language.clone()));
        let way = (Box::new(self.server.clone()) as _, tongue as _);
        let dialogue = Dialogue::new(call, far, way, (Kept::Call, self.patience));
        tokio::spawn(dialogue.run());
        Ok(near)
    }

    async fn check(&self) -> Result<String, Fault> {
        self.server.connect().await?;
        Ok("the server takes connections".to_owned())
    }
}

const CAPACITY: usize = 64;
