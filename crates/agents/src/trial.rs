//! A call, as the tests of every kind of agent make one.

use call::event::Speaker;
use call::{Direction, Number, Trust, TurnId};
use ports::Link;
use ports::agent::{
    Answer, Company, Heard, Introduction, Matter, Objective, Past, Tell, Then, Tool,
};
use serde_json::json;

/// A caller with a number, and a calendar to look into.
pub(crate) fn introduction() -> Introduction {
    Introduction {
        call: "c1".to_owned(),
        session: "c1".to_owned(),
        direction: Direction::Inbound,
        caller: Number::parse("+15557654321").ok(),
        contact: Some("ann".to_owned()),
        trust: Trust::CallerId,
        number: Number::parse("+15550001111").expect("it is a number"),
        transfers: Vec::new(),
        tools: vec![tool("calendar", Then::GoesOn), tool("hang_up", Then::Ends)],
        objective: Some(Objective::goal("Find a day.".into())),
        company: Company::Caller,
        past: Past::default(),
    }
}

/// The same call when it is over, and what was said on it.
pub(crate) fn matter() -> Matter {
    let said = [
        (Speaker::Agent, "When are you free?"),
        (Speaker::Caller, "On Friday at nine."),
    ];
    let heard = |(line, (who, text)): (u32, (Speaker, &str))| Heard {
        line,
        who,
        text: text.into(),
    };
    Matter {
        call: introduction(),
        transcript: (1..).zip(said).map(heard).collect(),
        wrong: None,
    }
}

fn tool(name: &str, then: Then) -> Tool {
    Tool {
        name: name.to_owned(),
        about: "Something".to_owned(),
        takes: json!({ "type": "object" }),
        then,
    }
}

/// The caller says something.
pub(crate) fn turn(turn: u32, said: &str) -> Tell {
    Tell::Turn {
        turn: TurnId(turn),
        said: said.into(),
    }
}

/// All of an answer was heard.
pub(crate) fn heard(turn: u32, text: &str) -> Tell {
    Tell::Heard {
        turn: TurnId(turn),
        text: text.into(),
    }
}

pub(crate) async fn tell(link: &Link<Tell, Answer>, tell: Tell) {
    let told = link.tx.send(tell).await;
    told.expect("it listens as long as we do");
}

pub(crate) async fn ask(link: &mut Link<Tell, Answer>, id: u32, said: &str) -> Vec<String> {
    tell(link, turn(id, said)).await;
    answers(link).await
}

/// What the agent answers, up to where it waits for us.
pub(crate) async fn answers(link: &mut Link<Tell, Answer>) -> Vec<String> {
    let mut said = Vec::new();
    loop {
        said.push(next(link).await);
        if said.last().is_some_and(|it| it.starts_with('(')) {
            return said;
        }
    }
}

pub(crate) async fn next(link: &mut Link<Tell, Answer>) -> String {
    match link.rx.recv().await.expect("it answers") {
        Answer::Text(_, text) => text.into_revealed(),
        Answer::Finish(_) => "(finish)".to_owned(),
        Answer::HangUp(_) => "(hang up)".to_owned(),
        Answer::PutThrough(_, referral) => format!("(to {})", referral.to),
        Answer::Failed(_, fault) => format!("({})", fault.code),
        Answer::Use(_, used) => {
            let takes = used.takes.reveal();
            format!("({} uses {} for {takes})", used.id, used.tool)
        }
        Answer::Working(_, most) => format!("works {} s", most.as_secs()),
        Answer::Message { name, text } => format!("{}: {}", name.reveal(), text.reveal()),
    }
}
