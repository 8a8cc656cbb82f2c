//! Stands at the door: asks whoever calls for what they are to key, and knows nothing else to say.

use async_trait::async_trait;
use call::{Private, TurnId};
use ports::agent::{Agent, Answer, Introduction, Tell};
use ports::{Fault, Link};
use tokio::sync::mpsc;

/// An agent that says one sentence, whatever it is told. What is keyed is nothing of its business.
pub struct Doorkeeper {
    request: Private<String>,
}

impl Doorkeeper {
    /// Asks for this.
    pub fn new(request: Private<String>) -> Self {
        Self { request }
    }
}

#[async_trait]
impl Agent for Doorkeeper {
    async fn open(&self, _: Introduction) -> Result<Link<Tell, Answer>, Fault> {
        let (near, far) = ports::pair(ROOM);
        tokio::spawn(attend(self.request.clone(), far));
        Ok(near)
    }

    async fn check(&self) -> Result<String, Fault> {
        Ok("stands at the door".to_owned())
    }
}

async fn attend(request: Private<String>, mut link: Link<Answer, Tell>) {
    while let Some(tell) = link.rx.recv().await {
        let turn = match tell {
            Tell::Turn { turn, .. } | Tell::Open { turn } => turn,
            Tell::Abandon(_)
            | Tell::Heard { .. }
            | Tell::Interrupted { .. }
            | Tell::Opened { .. }
            | Tell::Pressed(_)
            | Tell::Proved
            | Tell::Refused(_)
            | Tell::Used { .. } => continue,
        };
        if !says(&link.tx, turn, &request).await {
            return;
        }
    }
}

async fn says(tx: &mpsc::Sender<Answer>, turn: TurnId, text: &Private<String>) -> bool {
    tx.send(Answer::Text(turn, text.clone())).await.is_ok()
        && tx.send(Answer::Finish(turn)).await.is_ok()
}

const ROOM: usize = 16;

#[cfg(test)]
mod tests {
    use call::{Direction, Number, Trust};
    use ports::agent::{Company, Past};

    use super::*;

    #[tokio::test]
    async fn whatever_it_is_told_it_says_the_same() {
        let introduction = Introduction {
            call: "a call".to_owned(),
            session: "a call".to_owned(),
            direction: Direction::Inbound,
            caller: None,
            contact: None,
            trust: Trust::Unknown,
            number: Number::parse("+15550001111").expect("a number"),
            transfers: vec!["ben".to_owned()],
            tools: Vec::new(),
            objective: None,
            company: Company::Caller,
            past: Past::default(),
        };
        let doorkeeper = Doorkeeper::new("Your code, please.".to_owned().into());
        let mut link = doorkeeper.open(introduction).await.expect("it opens");
        for said in ["Put me through to Ben.", "I am the owner.", ""] {
            let (turn, said) = (TurnId(1), Private::from(said));
            link.tx
                .send(Tell::Turn { turn, said })
                .await
                .expect("it listens");
            let answer = link.rx.recv().await;
            let asked = matches!(&answer, Some(Answer::Text(_, text)) if text.reveal() == "Your code, please.");
            assert!(asked, "{answer:?}");
            assert!(matches!(link.rx.recv().await, Some(Answer::Finish(_))));
        }
    }
}
