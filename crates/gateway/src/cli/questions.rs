//! `offhook questions` and `offhook answer`: what agents want to know from their owner while callers wait.

use ports::Fault;
use serde_json::{Value, json};

use super::call::{accepted, garbled, unreachable};
use super::steer::running;
use super::tail::{clock_of, short};
use super::{Done, Out};

/// What to answer.
#[derive(Debug, clap::Args)]
pub(super) struct AnswerArgs {
    /// The question: its name, or how it ends.
    question: String,
    /// The answer.
    #[arg(required = true)]
    answer: Vec<String>,
}

/// Lists the questions that wait.
pub(super) async fn list(out: &mut Out) -> Result<Done, Fault> {
    let asked = running().await?.get("/v1/questions");
    let answer = accepted(asked.send().await.map_err(unreachable)?).await?;
    let body = answer.bytes().await.map_err(unreachable)?;
    let waiting: Vec<Value> = serde_json::from_slice(&body).map_err(garbled)?;
    if waiting.is_empty() {
        out.line("no question waits");
    }
    for question in &waiting {
        out.json(question);
        let text = |key: &str| question[key].as_str().unwrap_or("—").to_owned();
        out.line(format_args!(
            "{}  {}  on call {}  {}",
            short(&text("id")),
            clock_of(&text("since")),
            short(&text("call")),
            text("question"),
        ));
    }
    Ok(Done::Well)
}

/// Answers one.
pub(super) async fn answer(args: AnswerArgs, out: &mut Out) -> Result<Done, Fault> {
    let words = args.answer.join(" ");
    let asked = running()
        .await?
        .post(&format!("/v1/questions/{}", args.question))
        .json(&json!({ "answer": words }));
    accepted(asked.send().await.map_err(unreachable)?).await?;
    out.json(&json!({ "question": args.question, "answered": true }));
    out.line("the agent is told");
    Ok(Done::Well)
}
