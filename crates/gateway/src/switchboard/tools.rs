//! Doing what an agent wants done on a call: where the owner's rules allow it for whoever is on the line.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use call::event::What;
use call::{Keys, Private, Trust};
use futures_util::future::join_all;
use jiff::Timestamp;
use policy::Power;
use ports::agent::{Then, Tool, Use, Used};
use ports::{Blame, Fault, code};
use serde_json::{Value, json};

use super::callbacks::when;
use super::{Record, Switchboard};
use crate::config::Plan;
use crate::runner::Toolbox;
use crate::tools::{Address, Builtin, How, Server, fetch};

/// What one call's agent may have done. Clones are the same.
#[derive(Clone)]
pub(super) struct Toolkit {
    pub(super) board: Arc<Switchboard>,
    pub(super) record: Arc<Record>,
    pub(super) plan: Arc<Plan>,
}

impl Toolkit {
    pub(super) fn of(board: Arc<Switchboard>, record: Arc<Record>, plan: Arc<Plan>) -> Self {
        Self {
            board,
            record,
            plan,
        }
    }

    /// The tool of the owner's that the agent knows by that name, if its table names it.
    fn tool(&self, name: &str) -> Option<Known<'_>> {
        let listed = &self.plan.agents.get(&self.record.agent)?.tools;
        let of = |table: &'_ String| -> Option<Known<'_>> {
            let (table, plan) = self.plan.tools.get_key_value(table)?;
            let does = match &plan.how {
                How::Address(address) if *table == *name => Does::Asks(address),
                How::Address(_) => return None,
                How::Server(server) => match server.offer(name) {
                    Some(offer) => Does::Has(server, offer.theirs),
                    None if *table == *name => Does::Nothing,
                    None => return None,
                },
            };
            let patience = plan.patience;
            Some(Known {
                table,
                patience,
                does,
            })
        };
        listed.iter().find_map(of)
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

    /// The caller is promised to be called back, where they could be.
    async fn call_back(&self, takes: &Value) -> Used {
        let why = takes["why"].as_str().unwrap_or_default().trim();
        if why.is_empty() {
            return failed("there is nothing in `why`");
        }
        let due = match when(&takes["when"], Timestamp::now()) {
            Ok(due) => due,
            Err(why) => return failed(why),
        };
        let why: String = why.chars().take(LONGEST_WHY).collect();
        let why = format!("You call back, as you promised to. {why}");
        match self.board.promise(&self.record, (due, why.into())).await {
            Ok(_) => Used::Done(format!("They will be called at {due}.").into()),
            Err(fault) => failed(&fault.message),
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

    async fn have_done(&self, tool: Known<'_>, takes: &Value) -> Used {
        let rule = format!("[tools.{}]", tool.table);
        self.board.allowed_on(&self.record, What::Tool, rule);
        match tool.does {
            Does::Asks(address) => self.fetch(&tool, address, takes).await,
            Does::Has(server, theirs) => server.have_done(&theirs, takes).await,
            Does::Nothing => failed("it is not there at the moment"),
        }
    }

    async fn fetch(&self, tool: &Known<'_>, address: &Address, takes: &Value) -> Used {
        let trust = self.board.trust(&self.record);
        let text = |number: &call::Number| number.as_str().to_owned();
        let body = json!({
            "tool": tool.table, "arguments": takes,
            "call": { "id": self.record.id.to_string(), "trust": trust.as_str(),
                "caller": self.record.caller.as_ref().map(text), "number": text(&self.record.number) },
        });
        match fetch(address, &body, tool.patience).await {
            Ok(text) => Used::Done(text.into()),
            Err(why) => Used::Failed(why.into()),
        }
    }

    /// Whether it may be done for whoever is on the line.
    fn may(&self, name: &str) -> bool {
        let power = Builtin::of(name).map_or(Power::UseTool, Builtin::power);
        let trust = self.board.trust(&self.record);
        let table = self.tool(name).map_or(name, |it| it.table);
        power.allow(self.wanted(table), trust).is_ok()
    }

    /// How sure the owner wants us to be of whom it is done for: what the stricter plan says.
    fn wanted(&self, table: &str) -> Option<Trust> {
        let of = |plan: &Plan| plan.tools.get(table).map(|it| it.trust);
        of(&self.plan).max(of(&self.board.plan()))
    }

    fn refuse(&self, name: &str) {
        let message = "this may not be done for this caller";
        let fault = Fault::new(Blame::Caller, code::POLICY_TRUST, message);
        let rule = match Builtin::of(name) {
            Some(_) => format!("who is trusted with `{name}`"),
            None => {
                let table = self.tool(name).map_or(name, |it| it.table);
                format!("`trust` in [tools.{table}]")
            }
        };
        let fault = fault.by_rule(rule);
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
        let patience = self.patience(&used.tool).unwrap_or_default();
        self.in_time(used, patience).await
    }
}

impl Toolkit {
    /// Has it done, which may take as long as it takes.
    pub(super) async fn have_it_done(&self, used: &Use) -> Used {
        let takes: Value = serde_json::from_str(used.takes.reveal()).unwrap_or(json!({}));
        match Builtin::of(&used.tool) {
            Some(Builtin::AskOwner) => self.ask(&takes).await,
            Some(Builtin::PressKeys) => self.press(&takes).await,
            Some(Builtin::CallBackLater) => self.call_back(&takes).await,
            // These are the call's own to do.
            Some(Builtin::HangUp | Builtin::TransferTo | Builtin::TakeMessage | Builtin::Note) => {
                failed("it is done otherwise")
            }
            None => match self.tool(&used.tool) {
                Some(tool) => self.have_done(tool, &takes).await,
                None => failed("there is no such tool"),
            },
        }
    }
}

/// A tool of the owner's.
struct Known<'p> {
    /// What the owner calls it.
    table: &'p str,
    patience: Duration,
    does: Does<'p>,
}

/// How it is done.
enum Does<'p> {
    /// An address is asked.
    Asks(&'p Address),
    /// A server has it, by this name.
    Has(&'p Server, String),
    /// It is not there.
    Nothing,
}

/// Has those servers be there whose tools a call's agent may use. Nobody is kept waiting for one that takes long.
pub(super) async fn come(plan: &Plan, agent: &str) {
    let listed = plan.agents.get(agent).map_or(&[][..], |it| &it.tools);
    let server = |name: &String| match &plan.tools.get(name)?.how {
        How::Server(server) => Some(server.come(COMING)),
        How::Address(_) => None,
    };
    join_all(listed.iter().filter_map(server)).await;
}

/// What a call's agent is told that it may have done.
pub(super) fn told(plan: &Plan, agent: &str) -> Vec<Tool> {
    let Some(agent) = plan.agents.get(agent) else {
        return Vec::new();
    };
    let tools = |name: &String| match Builtin::of(name) {
        Some(Builtin::TransferTo) if agent.transfer_to.is_empty() => Vec::new(),
        Some(builtin) => vec![builtin.tool(&agent.transfer_to)],
        None => match plan.tools.get(name).map(|it| &it.how) {
            Some(How::Address(address)) => vec![Tool {
                name: name.clone(),
                about: address.about.clone(),
                takes: address.takes.clone(),
                then: Then::GoesOn,
            }],
            Some(How::Server(server)) => server.told(),
            None => Vec::new(),
        },
    };
    let mut told: Vec<Tool> = agent.tools.iter().flat_map(tools).collect();
    told.truncate(MOST);
    told
}

fn failed(why: &str) -> Used {
    Used::Failed(Private::from(why.to_owned()))
}

const LONGEST_QUESTION: usize = 1_000;
const LONGEST_WHY: usize = 1_000;
/// How long a call waits for servers of tools before its agent is told what there is.
const COMING: Duration = Duration::from_secs(2);
/// More than that, endpoints of models refuse.
const MOST: usize = 100;
