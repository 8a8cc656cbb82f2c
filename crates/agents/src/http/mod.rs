//! An agent behind an address of the owner's: one request for each turn, and whatever it answers is spoken.

mod answer;
mod ask;
mod talk;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use call::Private;
use ports::agent::{Agent, Answer, Answerer, Entry, Introduction, Judge, Matter, Opens, Tell};
use ports::{Fault, Key, Kind, Link, Need, Problem, Settings, pair};
use serde_json::json;

use crate::judging;
use crate::past::{self, HISTORY};
use crate::patience::{FIRST_TOKEN, Patience, TOKEN, TURN};
use crate::reach::AGAIN;
use crate::sign::Signer;
use ask::Address;
use talk::Talk;

/// How this kind of agent is listed.
pub(crate) const ENTRY: Entry = Entry {
    kind: "http",
    about: "an address of yours that is posted each turn, and answers with JSON, events or plain text",
    keys: &[
        Key::new(
            "url",
            Kind::Url,
            Need::Required,
            "where each turn is posted, such as http://127.0.0.1:9000/turn",
        ),
        Key::new(
            "secret",
            Kind::Secret,
            Need::Optional,
            "what requests are signed with, by the Standard Webhooks scheme: whsec_ and base64",
        ),
        FIRST_TOKEN,
        TOKEN,
        TURN,
        HISTORY,
    ],
    build,
};

fn build(settings: &Settings) -> Result<Answerer, Vec<Problem>> {
    let mut problems = Vec::new();
    let patience = Patience::of(settings, &mut problems);
    let room = past::room(settings, &mut problems);
    let secret = settings.secret("secret");
    let signer = secret.and_then(Signer::new);
    if secret.is_some() && signer.is_none() {
        problems.push(Problem {
            key: "secret",
            message: "it is none by the Standard Webhooks scheme".to_owned(),
            hint: "write `whsec_` and at least 16 bytes in base64: `openssl rand -base64 32` makes some".to_owned(),
        });
    }
    let url = settings.text("url").unwrap_or_default();
    let address = Address::new(url, signer, patience, AGAIN);
    let address = address.map_err(|it| problems.push(it)).ok();
    match address.filter(|_| problems.is_empty()) {
        Some(address) => {
            let agent = Arc::new(Http {
                address: Arc::new(address),
                room,
            });
            let opens = Opens::Agent;
            Ok(Answerer::Words { agent, opens })
        }
        None => Err(problems),
    }
}

struct Http {
    address: Arc<Address>,
    room: usize,
}

#[async_trait]
impl Agent for Http {
    async fn open(&self, call: Introduction) -> Result<Link<Tell, Answer>, Fault> {
        let (near, far) = pair(CAPACITY);
        let talk = Talk::new(Arc::clone(&self.address), call, self.room, far);
        tokio::spawn(talk.run());
        Ok(near)
    }

    async fn check(&self) -> Result<String, Fault> {
        self.address
            .tell("check", &json!({ "event": "check" }))
            .await?;
        Ok("the agent's address answers".to_owned())
    }

    fn judge(&self) -> Option<Box<dyn Judge>> {
        Some(Box::new(Judging(Arc::clone(&self.address))))
    }
}

/// Asks what came of a call.
struct Judging(Arc<Address>);

#[async_trait]
impl Judge for Judging {
    async fn judge(&mut self, matter: &Matter) -> Result<Private<String>, Fault> {
        let mut asked = judging::matter(matter);
        asked["event"] = json!("judge");
        let call = &matter.call.call;
        let id = match matter.wrong {
            None => format!("{call}.judge"),
            Some(_) => format!("{call}.judge.again"),
        };
        self.0.judge(&id, &asked).await
    }
}

const CAPACITY: usize = 64;
