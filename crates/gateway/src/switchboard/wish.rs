//! What someone wants of a call, and what it comes to.

use call::{Mode, Number, Opening, Private};
use ports::agent::{Answerer, Opens};
use ports::carrier::{Reply, Stream};
use ports::{Blame, Fault, code};

use crate::config::Plan;

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

impl Purpose {
    /// Nobody is called to be told nothing.
    pub(super) fn check(&self) -> Result<(), Fault> {
        match self {
            Self::ConverseFrom(text) | Self::Notify(text)
                if call::clauses(text.reveal()).is_empty() =>
            {
                let message = "there is nothing to say in that text";
                let fault = Fault::new(Blame::Caller, code::CALL_WORDLESS, message);
                Err(fault.hint("give it words"))
            }
            Self::Converse | Self::ConverseFrom(_) | Self::Notify(_) => Ok(()),
        }
    }
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
}

impl Verdict {
    /// As the carrier's port wants to be told.
    pub fn reply(&self) -> Reply<'_> {
        match self {
            Self::Connect(stream) => Reply::Connect(stream),
            Self::HangUp => Reply::HangUp,
            Self::Reject => Reply::Reject,
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
        (Purpose::ConverseFrom(text), Answerer::Words { .. }) => Mode::Conversation {
            opening: Opening::Say(text),
        },
        (Purpose::Converse, Answerer::Words { opens, .. }) => {
            let opening = match (fixed, opens) {
                (Some(text), _) => Opening::Say(text),
                (None, Opens::With(text)) => Opening::Say(text.clone()),
                (None, Opens::Agent) => Opening::Ask,
                (None, Opens::Caller) => Opening::Wait,
            };
            Mode::Conversation { opening }
        }
    })
}
