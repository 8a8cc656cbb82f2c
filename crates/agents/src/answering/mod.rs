//! An answering machine that needs no model: it greets, takes a name and a message, reads both
//! back, and says goodbye.

mod machine;
mod referral;
#[cfg(test)]
mod stories;

use std::sync::Arc;

use async_trait::async_trait;
use call::{Referral, TurnId};
use ports::agent::{Agent, Answer, Answerer, Entry, Introduction, Line, Opens, Past, Tell};
use ports::{Fault, Key, Kind, Link, Need, Problem, Settings, pair};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendError;

use machine::{Machine, Reply, Script, Then};
use referral::referral;

/// How this kind of agent is listed.
pub(crate) const ENTRY: Entry = Entry {
    kind: "answering-service",
    about: "takes a name and a message, without any model",
    keys: &[
        Key {
            name: "greeting",
            kind: Kind::Text,
            need: Need::Optional,
            help: "its first words; if they ask nothing, it asks for the caller's name",
        },
        Key {
            name: "owner",
            kind: Kind::Text,
            need: Need::Optional,
            help: "whose line it answers, as callers should hear it",
        },
    ],
    build,
};

fn build(settings: &Settings) -> Result<Answerer, Vec<Problem>> {
    let text = |key| settings.text(key).map(str::to_owned);
    let script = Script {
        greeting: text("greeting"),
        owner: text("owner"),
    };
    let opens = Opens::With(Machine::new(script.clone()).greeting().into());
    let agent = Arc::new(AnsweringService { script });
    Ok(Answerer::Words { agent, opens })
}

struct AnsweringService {
    script: Script,
}

#[async_trait]
impl Agent for AnsweringService {
    async fn open(&self, call: Introduction) -> Result<Link<Tell, Answer>, Fault> {
        let (near, far) = pair(CAPACITY);
        let mut machine = Machine::new(self.script.clone());
        let last = recall(&mut machine, call.past, &call.transfers);
        tokio::spawn(answer(machine, call.transfers, last, far));
        Ok(near)
    }

    async fn check(&self) -> Result<String, Fault> {
        Ok("it is part of offhook, and always there".to_owned())
    }
}

/// Goes through what was said before, without a word, and returns the turn that is not over. What
/// it took down then was kept then.
fn recall(machine: &mut Machine, past: Past, transfers: &[String]) -> Option<TurnId> {
    let mut whose = Whose::Greeting;
    for line in past.lines {
        match line {
            Line::Caller(said) if referral(said.reveal(), transfers).is_some() => {
                whose = Whose::Referral;
            }
            Line::Caller(said) => {
                let _ = machine.turn(said.reveal());
                whose = Whose::Machine;
            }
            Line::Agent(_) => match whose {
                Whose::Greeting => machine.opened(),
                Whose::Machine => machine.settle(),
                Whose::Referral => {}
            },
        }
    }
    let turn = past.open.map(|(turn, _)| turn);
    turn.filter(|_| whose != Whose::Referral)
}

/// To what the words that we said belong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Whose {
    /// We greeted the caller.
    Greeting,
    /// The machine answered.
    Machine,
    /// The caller wanted someone else, of which the machine was never told.
    Referral,
}

/// Brings the machine's words to the call, until the call hangs up.
async fn answer(
    mut machine: Machine,
    transfers: Vec<String>,
    mut last: Option<TurnId>,
    mut link: Link<Answer, Tell>,
) {
    while let Some(tell) = link.rx.recv().await {
        let (turn, reply) = match tell {
            Tell::Open { turn } => (turn, machine.open()),
            Tell::Turn { turn, said } => match referral(said.reveal(), &transfers) {
                Some(referral) => {
                    // What the machine was told before still counts, should they come back.
                    if put_through(&link.tx, turn, referral).await.is_err() {
                        return;
                    }
                    continue;
                }
                None => (turn, machine.turn(said.reveal())),
            },
            Tell::Opened { .. } => {
                machine.opened();
                continue;
            }
            Tell::Heard { turn, .. } | Tell::Interrupted { turn, .. } => {
                if last == Some(turn) {
                    machine.settle();
                }
                continue;
            }
            Tell::Abandon(turn) => {
                if last == Some(turn) {
                    machine.abandon();
                }
                continue;
            }
            // The caller was told what is to be told.
            Tell::Proved | Tell::Refused(_) | Tell::Used { .. } => continue,
            Tell::Pressed(_) => {
                machine.pressed();
                continue;
            }
        };
        last = Some(turn);
        if say(&link.tx, turn, reply).await.is_err() {
            return;
        }
    }
}

async fn put_through(
    tx: &mpsc::Sender<Answer>,
    turn: TurnId,
    referral: Referral,
) -> Result<(), SendError<Answer>> {
    let say = format!("One moment, please. I will try to reach {}.", referral.to);
    tx.send(Answer::Text(turn, say.into())).await?;
    tx.send(Answer::PutThrough(turn, referral)).await
}

async fn say(
    tx: &mpsc::Sender<Answer>,
    turn: TurnId,
    reply: Reply,
) -> Result<(), SendError<Answer>> {
    // First of all: a message must not be lost to a caller who hangs up over our goodbye.
    if let Some(taken) = reply.taken {
        let (name, text) = (taken.name.into(), taken.text.into());
        tx.send(Answer::Message { name, text }).await?;
    }
    tx.send(Answer::Text(turn, reply.say.into())).await?;
    let last = match reply.then {
        Then::Listen => Answer::Finish(turn),
        Then::HangUp => Answer::HangUp(turn),
    };
    tx.send(last).await
}

const CAPACITY: usize = 16;

#[cfg(test)]
mod tests {
    use call::{Digit, Direction, Number};
    use ports::agent::Company;

    use super::*;

    /// The whole of a call as the call sees it: turns, a key, a turn taken back, a message.
    #[tokio::test]
    async fn a_call_from_hello_to_goodbye() {
        let Ok(Answerer::Words {
            agent,
            opens: Opens::With(_),
        }) = build(&Settings::default())
        else {
            panic!("it works with words and speaks first");
        };
        let number = Number::parse("+15550001111").expect("it is a number");
        let direction = Direction::Inbound;
        let call = Introduction {
            transfers: Vec::new(),
            call: "1".into(),
            session: "1".into(),
            direction,
            caller: None,
            contact: None,
            trust: call::Trust::Unknown,
            number,
            tools: Vec::new(),
            objective: None,
            company: Company::Caller,
            past: Past::default(),
        };
        let mut link = agent.open(call).await.expect("it is always there");

        let hello = ask(&mut link, Tell::Open { turn: TurnId(0) }).await;
        assert!(
            hello[0].ends_with("May I have your name, please?"),
            "{hello:?}"
        );
        tell(
            &link,
            Tell::Heard {
                turn: TurnId(0),
                text: hello[0].as_str().into(),
            },
        )
        .await;
        tell(&link, Tell::Pressed(Digit::new('5').expect("it is a key"))).await;
        ask(&mut link, turn(1, "This is Anna.")).await;
        tell(&link, Tell::Abandon(TurnId(1))).await;
        ask(&mut link, turn(2, "This is Anna. Please call me back.")).await;
        tell(
            &link,
            Tell::Interrupted {
                turn: TurnId(2),
                heard: "Thank you".into(),
            },
        )
        .await;
        let goodbye = ask(&mut link, turn(3, "Yes.")).await;
        assert_eq!(
            goodbye,
            [
                "Anna: Please call me back.",
                "Thank you. I will pass it on. Goodbye.",
                "hangs up"
            ]
        );
    }

    /// What was for someone else is no name and no message, however often it is gone through.
    #[tokio::test]
    async fn it_remembers_no_wish_to_be_put_through() {
        let Ok(Answerer::Words { agent, .. }) = build(&Settings::default()) else {
            panic!("it works with words");
        };
        let lines = [
            Line::Agent("Hello. May I have your name, please?".into()),
            Line::Caller("This is Anna.".into()),
            Line::Agent("Thank you, Anna. What is your message?".into()),
            Line::Caller("Could you put me through to Ben about my order?".into()),
            Line::Agent("One moment, please. I will try to reach ben.".into()),
            Line::Agent("I am sorry, Ben does not answer.".into()),
        ];
        let call = Introduction {
            transfers: vec!["ben".to_owned()],
            call: "1".into(),
            session: "1".into(),
            direction: Direction::Inbound,
            caller: None,
            contact: None,
            trust: call::Trust::Unknown,
            number: Number::parse("+15550001111").expect("it is a number"),
            tools: Vec::new(),
            objective: None,
            company: Company::Caller,
            past: Past {
                lines: lines.into(),
                open: None,
            },
        };
        let mut link = agent.open(call).await.expect("it is always there");
        let reply = ask(&mut link, turn(2, "Please call me back.")).await;
        assert_eq!(
            reply,
            ["Thank you. The message from Anna is: Please call me back. Is that right?"]
        );
    }

    #[tokio::test]
    async fn it_ends_with_the_call() {
        let (near, far) = pair(CAPACITY);
        let script = Script {
            greeting: None,
            owner: None,
        };
        let machine = tokio::spawn(answer(Machine::new(script), Vec::new(), None, far));
        drop(near);
        machine.await.expect("it does not panic");
    }

    fn turn(turn: u32, said: &str) -> Tell {
        Tell::Turn {
            turn: TurnId(turn),
            said: said.into(),
        }
    }

    async fn tell(link: &Link<Tell, Answer>, tell: Tell) {
        link.tx
            .send(tell)
            .await
            .expect("it listens as long as we do");
    }

    /// What the agent says to one turn, up to its end.
    async fn ask(link: &mut Link<Tell, Answer>, told: Tell) -> Vec<String> {
        tell(link, told).await;
        let mut said = Vec::new();
        while let Some(answer) = link.rx.recv().await {
            match answer {
                Answer::Text(_, text) => said.push(text.into_revealed()),
                Answer::Finish(_) => return said,
                Answer::HangUp(_) => {
                    said.push("hangs up".to_owned());
                    return said;
                }
                Answer::Message { name, text } => {
                    said.push(format!("{}: {}", name.reveal(), text.reveal()));
                }
                Answer::PutThrough(_, referral) => {
                    said.push(format!("puts through to {}", referral.to));
                    return said;
                }
                Answer::Use(..) | Answer::Working(..) => panic!("it never takes long"),
                Answer::Failed(_, fault) => panic!("{fault}"),
            }
        }
        panic!("it went away");
    }
}
