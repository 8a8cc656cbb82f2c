//! What someone wants of a call, and what it comes to.

use call::event::Judge;
use call::{Machine, Mode, Number, Opening, Private};
use policy::{Money, Permit};
use ports::agent::{Answerer, Objective, Opens};
use ports::carrier::{Machines, Reply, Response, Stream, Webhooks};
use ports::{Blame, Fault, code};

use serde_json::{Value, json};

use super::Handover;
use crate::config::{self, Plan};
use crate::outcome::Schema;

/// A call that someone wants made.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Whom to call, as written.
    pub to: String,
    /// From which of our numbers, as written; `None`: the first.
    pub from: Option<String>,
    /// With which agent; `None`: the number's own.
    pub agent: Option<String>,
    /// What to do when they pick up.
    pub purpose: Purpose,
    /// What to do if a machine does.
    pub on_machine: OnMachine,
    /// What the call is for; `None`: nobody said.
    pub objective: Option<Objective>,
    /// What the token is called that asks for it, where that matters.
    pub asked_by: Option<String>,
    /// The most that it may cost, where somebody was told so before; `None`: whatever the rules allow.
    pub ceiling: Option<Money>,
}

/// What to do when they pick up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Talk, and let the agent begin as it always does.
    #[default]
    Converse,
    /// Talk, and begin with these words.
    ConverseFrom(Private<String>),
    /// Say this, and hang up.
    Notify(Private<String>),
}

/// What to do when a machine picks up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum OnMachine {
    /// Leave it what was to be said; to talk, do as the agent's table says.
    #[default]
    AsUsual,
    /// Hang up.
    HangUp,
    /// Leave it what was to be said, or the agent's own message for machines.
    Leave,
    /// Leave it this.
    LeaveThis(Private<String>),
    /// Treat it as a person.
    Talk,
}

impl Wish {
    /// The same of this very number, from this line of ours and by this agent, whatever the names in it come to
    /// mean, and for no more than it may cost now: what somebody is shown, and says yes to.
    pub(super) fn pinned(&self, plan: &Plan, permit: &Permit) -> Result<Self, Fault> {
        let from = our_number(plan, self.from.as_deref())?;
        let agent = self.agent.clone();
        let agent = agent.unwrap_or_else(|| plan.numbers[&from].agent.clone());
        Ok(Self {
            to: permit.number.as_str().to_owned(),
            from: Some(from.as_str().to_owned()),
            agent: Some(agent),
            ceiling: Some(permit.ceiling),
            ..self.clone()
        })
    }

    /// As it is kept while it waits for the owner.
    pub(super) fn written(&self) -> Value {
        let (how, say) = match &self.purpose {
            Purpose::Converse => ("converse", None),
            Purpose::ConverseFrom(text) => ("converse_from", Some(text.reveal())),
            Purpose::Notify(text) => ("notify", Some(text.reveal())),
        };
        let (machine, leave) = match &self.on_machine {
            OnMachine::AsUsual => ("as_usual", None),
            OnMachine::HangUp => ("hang_up", None),
            OnMachine::Leave => ("leave", None),
            OnMachine::LeaveThis(text) => ("leave_this", Some(text.reveal())),
            OnMachine::Talk => ("talk", None),
        };
        json!({
            "to": self.to, "from": self.from, "agent": self.agent,
            "how": how, "say": say, "machine": machine, "leave": leave,
            "reason": self.objective.as_ref().map(|it| it.goal.reveal()),
            "brief": self.objective.as_ref().and_then(Objective::brief),
            "asked_by": self.asked_by,
        })
    }

    /// Reads what [`Self::written`] wrote. What cannot be read calls nobody.
    pub(super) fn read(written: &Value) -> Self {
        let text = |key: &str| written[key].as_str().map(str::to_owned);
        let private = |key: &str| Private::from(text(key).unwrap_or_default());
        Self {
            to: text("to").unwrap_or_default(),
            from: text("from"),
            agent: text("agent"),
            purpose: match written["how"].as_str() {
                Some("converse") => Purpose::Converse,
                Some("converse_from") => Purpose::ConverseFrom(private("say")),
                Some(_) | None => Purpose::Notify(private("say")),
            },
            on_machine: match written["machine"].as_str() {
                Some("leave") => OnMachine::Leave,
                Some("leave_this") => OnMachine::LeaveThis(private("leave")),
                Some("talk") => OnMachine::Talk,
                Some("as_usual") => OnMachine::AsUsual,
                Some(_) | None => OnMachine::HangUp,
            },
            objective: Objective::read(&written["reason"], &written["brief"]),
            asked_by: text("asked_by"),
            // What the owner was shown stands beside it.
            ceiling: None,
        }
    }
}

/// An objective fits into what an agent can be told, and its schema is one.
pub(super) fn check_objective(objective: &Objective) -> Result<(), Fault> {
    let wrong = objective.check().and_then(|()| match &objective.schema {
        Some(schema) => Schema::of(schema.reveal()).map(drop),
        None => Ok(()),
    });
    wrong.map_err(|why| {
        let fault = Fault::new(Blame::Caller, code::CALL_OBJECTIVE, why);
        fault.hint("say less, or give a JSON schema of an object that refers to nothing elsewhere")
    })
}

impl OnMachine {
    /// No machine is left nothing.
    pub(super) fn check(&self) -> Result<(), Fault> {
        match self {
            Self::LeaveThis(text) if call::clauses(text.reveal()).is_empty() => Err(wordless()),
            Self::AsUsual | Self::HangUp | Self::Leave | Self::LeaveThis(_) | Self::Talk => Ok(()),
        }
    }
}

impl Purpose {
    /// Nobody is called to be told nothing.
    pub(super) fn check(&self) -> Result<(), Fault> {
        match self {
            Self::ConverseFrom(text) | Self::Notify(text)
                if call::clauses(text.reveal()).is_empty() =>
            {
                Err(wordless())
            }
            Self::Converse | Self::ConverseFrom(_) | Self::Notify(_) => Ok(()),
        }
    }
}

fn wordless() -> Fault {
    let message = "there is nothing to say in that text";
    Fault::new(Blame::Caller, code::CALL_WORDLESS, message).hint("give it words")
}

/// What to tell a carrier that asked what to do with a call.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Connect its sound to this.
    Connect(Stream),
    /// End it.
    HangUp,
    /// Do not take it.
    Reject,
    /// Put it through.
    Transfer(Handover),
}

impl Verdict {
    /// In the carrier's own words.
    pub fn reply(&self, webhooks: &dyn Webhooks) -> Response {
        match self {
            Self::Connect(stream) => webhooks.reply(Reply::Connect(stream)),
            Self::HangUp => webhooks.reply(Reply::HangUp),
            Self::Reject => webhooks.reply(Reply::Reject),
            Self::Transfer(handover) => handover.reply(webhooks),
        }
    }
}

/// Which of our numbers a wish means.
pub(super) fn our_number(plan: &Plan, from: Option<&str>) -> Result<Number, Fault> {
    let number = match from {
        Some(text) => Number::parse(text)
            .ok()
            .filter(|it| plan.numbers.contains_key(it)),
        None => plan.numbers.keys().next().cloned(),
    };
    number.ok_or_else(|| {
        Fault::new(
            Blame::Config,
            code::POLICY_NUMBER,
            "there is no such number of ours to call from",
        )
        .hint("add it to the configuration as [numbers.\"+…\"]")
    })
}

/// The agent of that name.
pub(super) fn answerer(plan: &Plan, agent: &str) -> Result<Answerer, Fault> {
    let found = plan.agents.get(agent).map(|it| it.answerer.clone());
    found.ok_or_else(|| {
        let names: Vec<_> = plan.agents.keys().map(String::as_str).collect();
        Fault::new(
            Blame::Config,
            code::CONFIG_INVALID,
            format!("there is no agent {agent:?}"),
        )
        .hint(format!("the agents are: {}", names.join(", ")))
    })
}

/// What becomes of a call with that agent, over that carrier, if a machine picks up.
pub(super) fn machine(
    plan: &Plan,
    (agent, carrier): (&str, &str),
    mode: &Mode,
    wanted: OnMachine,
) -> Result<Machine, Fault> {
    let judge = judge(plan, carrier);
    let usual = plan.agents.get(agent).map(|it| &it.on_machine);
    let wanted_message = wanted == OnMachine::Leave;
    Ok(match (wanted, mode) {
        (_, Mode::Loopback | Mode::Seat(_)) | (OnMachine::Talk, _) => Machine::Talk,
        (OnMachine::HangUp, _) => Machine::HangUp(judge),
        (OnMachine::LeaveThis(text), _) => Machine::Leave(judge, text),
        (OnMachine::AsUsual | OnMachine::Leave, Mode::Notify { text }) => {
            Machine::Leave(judge, text.clone())
        }
        (OnMachine::AsUsual | OnMachine::Leave, Mode::Conversation { .. }) => {
            match usual {
                Some(config::OnMachine::Leave(text)) => Machine::Leave(judge, text.clone()),
                Some(_) | None if wanted_message => {
                    let message = format!("the agent {agent:?} has no message for machines");
                    return Err(Fault::new(Blame::Config, code::CONFIG_INVALID, message)
                    .hint("give the message with the call, or write `machine_message` in its table"));
                }
                Some(config::OnMachine::HangUp) => Machine::HangUp(judge),
                Some(config::OnMachine::Talk) | None => Machine::Talk,
            }
        }
    })
}

/// Who tells machines from people on that carrier's calls.
pub(super) fn judge(plan: &Plan, carrier: &str) -> Judge {
    match plan.carriers.get(carrier).map(|it| it.machines) {
        Some(Machines::Told) => Judge::Carrier,
        Some(Machines::Heard | Machines::Noticed) | None => Judge::Gateway,
    }
}

/// What a call with that agent, for that purpose, comes to.
pub(super) fn mode(
    plan: &Plan,
    agent: &str,
    answerer: &Answerer,
    purpose: Purpose,
) -> Result<Mode, Fault> {
    let fixed = plan.agents.get(agent).and_then(|it| it.opening.clone());
    Ok(match (purpose, answerer) {
        (Purpose::Notify(text), _) => Mode::Notify { text },
        (Purpose::Converse, Answerer::Loopback) => Mode::Loopback,
        (Purpose::ConverseFrom(_), Answerer::Loopback) => {
            let message = format!("the agent {agent:?} only says back what it hears");
            return Err(Fault::new(Blame::Config, code::CONFIG_INVALID, message)
                .hint("leave out --converse, or choose another with --agent"));
        }
        (
            Purpose::ConverseFrom(text),
            Answerer::Words { .. } | Answerer::Connects { .. } | Answerer::ByHand,
        ) => Mode::Conversation {
            opening: Opening::Say(text),
        },
        (Purpose::Converse, Answerer::Words { opens, .. } | Answerer::Connects { opens, .. }) => {
            let opening = match (fixed, opens) {
                (Some(text), _) => Opening::Say(text),
                (None, Opens::With(text)) => Opening::Say(text.clone()),
                (None, Opens::Agent) => Opening::Ask,
                (None, Opens::Caller) => Opening::Wait,
            };
            Mode::Conversation { opening }
        }
        (Purpose::Converse, Answerer::ByHand) => Mode::Conversation {
            opening: fixed.map_or(Opening::Wait, Opening::Say),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn objective() -> Objective {
        Objective {
            avoid: vec!["the price".into()],
            schema: Some(Private::new(json!({ "type": "object" }))),
            ..Objective::goal("Find a day.".into())
        }
    }

    #[test]
    fn a_wish_that_waits_is_the_same_after_it() {
        let text = || Private::from("Hi!");
        let purposes = [
            Purpose::Converse,
            Purpose::ConverseFrom(text()),
            Purpose::Notify(text()),
        ];
        let machines = [
            OnMachine::AsUsual,
            OnMachine::HangUp,
            OnMachine::Leave,
            OnMachine::LeaveThis(text()),
            OnMachine::Talk,
        ];
        for purpose in &purposes {
            for on_machine in &machines {
                let wish = Wish {
                    to: "mom".into(),
                    from: Some("+15550001111".into()),
                    agent: None,
                    purpose: purpose.clone(),
                    on_machine: on_machine.clone(),
                    objective: Some(objective()),
                    asked_by: Some("a token".to_owned()),
                    ceiling: None,
                };
                let again = Wish::read(&wish.written());
                assert_eq!((again.to, again.from), (wish.to, wish.from));
                assert_eq!((again.agent, again.objective), (wish.agent, wish.objective));
                assert_eq!(again.asked_by, wish.asked_by);
                assert_eq!((&again.purpose, &again.on_machine), (purpose, on_machine));
            }
        }
        let nothing = Wish::read(&Value::Null);
        assert!(nothing.purpose.check().is_err());
    }
}
