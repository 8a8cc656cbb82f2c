//! An agent that connects to the gateway by itself, so that it needs no address of its own. It is told of each call, and
//! answers, in letters; who carries them is the gateway's business.

use std::sync::Arc;

use ports::agent::{Answer, Answerer, Carries, Connects, Entry, Introduction, Judge, Opens, Tell};
use ports::{Link, Problem, Settings, pair};

use crate::dialogue::{Dialogue, Kept, Letters};
use crate::judging::ByLetter;
use crate::patience::{FIRST_TOKEN, Patience, TOKEN, TURN};

/// How this kind of agent is listed.
pub(crate) const ENTRY: Entry = Entry {
    kind: "websocket",
    about: "an agent that connects to the gateway by itself, wherever it runs",
    keys: &[FIRST_TOKEN, TOKEN, TURN],
    build,
};

fn build(settings: &Settings) -> Result<Answerer, Vec<Problem>> {
    let mut problems = Vec::new();
    let patience = Patience::of(settings, &mut problems);
    if !problems.is_empty() {
        return Err(problems);
    }
    let agent = Arc::new(Connected { patience });
    let opens = Opens::Agent;
    Ok(Answerer::Connects { agent, opens })
}

struct Connected {
    patience: Patience,
}

impl Connects for Connected {
    fn open(&self, call: Introduction, carrier: Box<dyn Carries>) -> Link<Tell, Answer> {
        let (near, far) = pair(CAPACITY);
        let letters = Box::new(Letters::about(&call));
        let dialogue = Dialogue::new(call, far, (carrier, letters), (Kept::Call, self.patience));
        tokio::spawn(dialogue.run());
        near
    }

    fn judge(&self, carrier: Box<dyn Carries>) -> Box<dyn Judge> {
        Box::new(ByLetter(carrier))
    }
}

const CAPACITY: usize = 64;

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_trait::async_trait;
    use call::TurnId;
    use ports::Fault;
    use serde_json::{Value, json};
    use tokio::sync::mpsc;

    use super::*;
    use crate::patience::unreachable;
    use crate::trial::{answers, heard, introduction, matter, tell, turn};

    /// Carries on as many connections as there are.
    struct Fake(mpsc::Receiver<Link<String, String>>);

    #[async_trait]
    impl Carries for Fake {
        async fn begin(&mut self) -> Result<Link<String, String>, Fault> {
            self.0
                .try_recv()
                .map_err(|_| unreachable("is not connected"))
        }
    }

    fn call() -> (Link<Tell, Answer>, mpsc::Sender<Link<String, String>>) {
        let (connections, rx) = mpsc::channel(4);
        let Ok(Answerer::Connects { agent, .. }) = build(&Settings::default()) else {
            panic!("it connects by itself");
        };
        (agent.open(introduction(), Box::new(Fake(rx))), connections)
    }

    async fn connect(to: &mpsc::Sender<Link<String, String>>) -> Link<String, String> {
        let (near, far) = pair(16);
        to.send(near).await.expect("it has room");
        far
    }

    async fn read(agent: &mut Link<String, String>) -> Value {
        let letter = agent.rx.recv().await.expect("it is told");
        serde_json::from_str(&letter).expect("it is JSON")
    }

    async fn write(agent: &Link<String, String>, letter: Value) {
        agent.tx.send(letter.to_string()).await.expect("it listens");
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_connected_fails_softly_until_it_is() {
        let (mut link, connections) = call();
        tell(&link, turn(1, "Hello?")).await;
        assert_eq!(answers(&mut link).await, ["(agent.unreachable)"]);
        let mut agent = connect(&connections).await;
        tell(&link, heard(1, "Sorry.")).await;
        tell(&link, turn(2, "Are you there?")).await;
        let told = read(&mut agent).await;
        assert_eq!(
            (&told["type"], &told["call"]["id"]),
            (&json!("call"), &json!("c1"))
        );
        assert_eq!(told["past"][1], json!({ "who": "agent", "text": "Sorry." }));
        let told = read(&mut agent).await;
        let expected = json!({ "type": "turn", "turn": 2, "said": "Are you there?", "call": "c1" });
        assert_eq!(told, expected);
        for letter in [
            json!({ "type": "say", "call": "c1", "turn": 1, "text": "Late." }),
            json!({ "type": "say", "call": "c1", "turn": 2, "text": "Yes." }),
            json!({ "type": "finish", "call": "c1", "turn": 2 }),
        ] {
            write(&agent, letter).await;
        }
        assert_eq!(answers(&mut link).await.concat(), "works 8 sYes.(finish)");
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_breaks_fails_its_turn_and_no_other() {
        let (mut link, connections) = call();
        let mut agent = connect(&connections).await;
        tell(&link, turn(1, "Hello?")).await;
        while read(&mut agent).await["type"] != "turn" {}
        drop(agent);
        assert_eq!(
            answers(&mut link).await.concat(),
            "works 8 s(agent.unreachable)"
        );
        let mut agent = connect(&connections).await;
        tell(&link, turn(2, "Hello?")).await;
        while read(&mut agent).await["type"] != "turn" {}
        write(
            &agent,
            json!({ "type": "hang_up", "call": "c1", "turn": 2 }),
        )
        .await;
        assert_eq!(answers(&mut link).await.concat(), "works 8 s(hang up)");
        drop(link);
        assert_eq!(read(&mut agent).await["type"], "ended");
        assert!(agent.rx.recv().await.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn it_is_asked_over_its_connection_what_came_of_a_call() {
        let (connections, rx) = mpsc::channel(4);
        let Ok(Answerer::Connects { agent, .. }) = build(&Settings::default()) else {
            panic!("it connects by itself");
        };
        let mut judge = agent.judge(Box::new(Fake(rx)));
        let fault = judge.judge(&matter()).await.expect_err("it is not there");
        assert_eq!(fault.code, ports::code::AGENT_UNREACHABLE);
        let mut far = connect(&connections).await;
        let judged = json!({ "type": "judged", "call": "c1", "goal": "met" });
        let answers = async {
            let asked = read(&mut far).await;
            assert_eq!(
                (&asked["type"], &asked["call"]["id"]),
                (&json!("judge"), &json!("c1"))
            );
            assert_eq!(asked["transcript"][0]["text"], "When are you free?");
            write(&far, json!({ "type": "say", "turn": 1, "text": "Late." })).await;
            write(&far, judged.clone()).await;
        };
        let matter = matter();
        let (answer, ()) = tokio::join!(judge.judge(&matter), answers);
        assert_eq!(answer.expect("it answers").reveal(), &judged.to_string());
    }

    #[tokio::test(start_paused = true)]
    async fn who_says_nothing_or_nonsense_fails_the_turn() {
        let (mut link, connections) = call();
        let agent = connect(&connections).await;
        tell(&link, turn(1, "Hello?")).await;
        assert_eq!(
            answers(&mut link).await.concat(),
            "works 8 s(agent.timeout)"
        );
        tell(&link, turn(2, "Hello?")).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        write(&agent, json!({ "type": "sing" })).await;
        assert_eq!(
            answers(&mut link).await.concat(),
            "works 8 s(agent.refused)"
        );
        tell(&link, Tell::Abandon(TurnId(2))).await;
    }
}
