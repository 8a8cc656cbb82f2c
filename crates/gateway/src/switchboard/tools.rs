//! Doing what an agent wants done on a call: where the owner's rules allow it for whoever is on the line.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use call::event::What;
use call::{Keys, Private, Trust};
use policy::Power;
use ports::agent::{Then, Tool, Use, Used};
use ports::{Blame, Fault, code};
use serde_json::{Value, json};

use super::{Record, Switchboard};
use crate::config::Plan;
use crate::runner::Toolbox;
use crate::tools::{Builtin, ToolPlan, fetch};

/// What one call's agent may have done.
pub(super) struct Toolkit {
    board: Arc<Switchboard>,
    record: Arc<Record>,
    plan: Arc<Plan>,
}

impl Toolkit {
    pub(super) fn of(board: Arc<Switchboard>, record: Arc<Record>, plan: Arc<Plan>) -> Self {
        Self {
            board,
            record,
            plan,
        }
    }

    fn tool(&self, name: &str) -> Option<&ToolPlan> {
        let listed = &self.plan.agents.get(&self.record.agent)?.tools;
        listed.iter().find(|it| *it == name)?;
        self.plan.tools.get(name)
    }

    /// The owner is asked, and the caller waits.
    async fn ask(&self, takes: &Value) -> Used {
        let question = takes["question"].as_str().unwrap_or_default().trim();
        if question.is_empty() {
            return failed("there is no question in `question`");
        }
        let text: String = question.chars().take(LONGEST_QUESTION).collect();
        let questions = self.board.questions();
        let asked = questions.ask(self.record.id.to_string(), text.into());
        let Some(asked) = asked else {
            return failed("the owner is asked too much already");
        };
        tracing::info!(call = %self.record.id, "the owner is asked something: `offhook questions`");
        match asked.answered().await {
            Some(answer) => Used::Done(answer),
            None => failed("the owner gave no answer"),
        }
    }

    async fn press(&self, takes: &Value) -> Used {
        let keys = takes["keys"].as_str().and_then(Keys::parse);
        let Some(keys) = keys else {
            return failed("`keys` are 1 to 64 of 0-9, *, #, A-D and w");
        };
        match self.board.press(&self.record, keys).await {
            Ok(true) => Used::Done("They are pressed.".to_owned().into()),
            Ok(false) => failed("the call is over"),
            Err(fault) => failed(&fault.message),
        }
    }

    async fn fetch(&self, name: &str, tool: &ToolPlan, takes: &Value) -> Used {
        let rule = format!("[tools.{name}]");
        self.board.allowed_on(&self.record, What::Tool, rule);
        let trust = self.board.trust(&self.record);
        let text = |number: &call::Number| number.as_str().to_owned();
        let body = json!({
            "tool": name, "arguments": takes,
            "call": { "id": self.record.id.to_string(), "trust": trust.as_str(),
                "caller": self.record.caller.as_ref().map(text), "number": text(&self.record.number) },
        });
        match fetch(&tool.http, &body, tool.patience).await {
            Ok(text) => Used::Done(text.into()),
            Err(why) => Used::Failed(why.into()),
        }
    }

    /// Whether it may be done for whoever is on the line.
    fn may(&self, name: &str) -> bool {
        let power = Builtin::of(name).map_or(Power::UseTool, Builtin::power);
        let trust = self.board.trust(&self.record);
        power.allow(self.wanted(name), trust).is_ok()
    }

    /// How sure the owner wants us to be of whom it is done for: what the stricter plan says.
    fn wanted(&self, name: &str) -> Option<Trust> {
        let of = |plan: &Plan| plan.tools.get(name).map(|it| it.trust);
        of(&self.plan).max(of(&self.board.plan()))
    }

    fn refuse(&self, name: &str) {
        let message = "this may not be done for this caller";
        let fault = Fault::new(Blame::Caller, code::POLICY_TRUST, message);
        let fault = fault.by_rule(format!("`trust` in [tools.{name}]"));
        self.board.refused_on(&self.record, What::Tool, &fault);
    }
}

#[async_trait]
impl Toolbox for Toolkit {
    fn patience(&self, tool: &str) -> Option<Duration> {
        if let Some(builtin) = Builtin::of(tool) {
            let listed = &self.plan.agents.get(&self.record.agent)?.tools;
            listed.iter().find(|it| *it == tool)?;
            return Some(builtin.patience());
        }
        self.tool(tool).map(|it| it.patience)
    }

    async fn run(&self, used: &Use) -> Used {
        if !self.may(&used.tool) {
            self.refuse(&used.tool);
            return failed(
                "this may not be done for this caller: nobody is sure enough of who they are. If they have a PIN, they \
                 can press star, the PIN, and pound",
            );
        }
        let takes: Value = serde_json::from_str(used.takes.reveal()).unwrap_or(json!({}));
        match Builtin::of(&used.tool) {
            Some(Builtin::AskOwner) => self.ask(&takes).await,
            Some(Builtin::PressKeys) => self.press(&takes).await,
            // These are the call's own to do.
            Some(Builtin::HangUp | Builtin::TransferTo | Builtin::TakeMessage) => {
                failed("it is done otherwise")
            }
            None => match self.tool(&used.tool) {
                Some(tool) => self.fetch(&used.tool, tool, &takes).await,
                None => failed("there is no such tool"),
            },
        }
    }
}

/// What a call's agent is told that it may have done.
pub(super) fn told(plan: &Plan, agent: &str) -> Vec<Tool> {
    let Some(agent) = plan.agents.get(agent) else {
        return Vec::new();
    };
    let tool = |name: &String| match Builtin::of(name) {
        Some(Builtin::TransferTo) if agent.transfer_to.is_empty() => None,
        Some(builtin) => Some(builtin.tool(&agent.transfer_to)),
        None => plan.tools.get(name).map(|it| Tool {
            name: name.clone(),
            about: it.about.clone(),
            takes: it.takes.clone(),
            then: Then::GoesOn,
        }),
    };
    agent.tools.iter().filter_map(tool).collect()
}

fn failed(why: &str) -> Used {
    Used::Failed(Private::from(why.to_owned()))
}

const LONGEST_QUESTION: usize = 1_000;
