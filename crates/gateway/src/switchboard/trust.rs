//! How sure we are of who is on a call, and what its agent may therefore have done: decided here, whatever
//! the agent was told, believes or says.

use std::sync::Arc;

use call::event::{Event, Refused, Who};
use call::input::Command;
use call::{Attestation, Direction, Number, Trust};
use policy::{Power, Proof, Rules, Seen};
use ports::{Blame, Fault, code};

use super::adopt::command;
use super::pairing::Entrance;
use super::{Record, Switchboard};
use crate::config::Plan;

impl Switchboard {
    /// How sure we are of who is on a call: by the rules it began with and by those in force, whichever are
    /// the stricter.
    pub fn trust(&self, record: &Record) -> Trust {
        let proof = proof(record);
        let by = |rules: &Rules| rules.trust(&seen(record, proof));
        by(&self.plan_of(record.id).rules).min(by(&self.plan().rules))
    }

    /// Whether a call's agent may have its caller put through to somebody of this name.
    ///
    /// # Errors
    /// The agent may not, or nobody is sure enough of who the caller is.
    pub(super) fn may_refer(&self, caller: &Record, name: &str) -> Result<(), Fault> {
        let plan = self.plan_of(caller.id);
        let agent = plan.agents.get(&caller.agent);
        if !agent.is_some_and(|it| it.transfer_to.iter().any(|known| known == name)) {
            let message = format!(
                "the agent {:?} may not put callers through there",
                caller.agent
            );
            return Err(Fault::new(Blame::Agent, code::POLICY_NOT_ALLOWED, message)
                .by_rule(format!("`transfer_to` in [agents.{}]", caller.agent))
                .hint("add the name to `transfer_to` in its table"));
        }
        let trust = self.trust(caller);
        let allowed = Power::PutThrough.allow(self.wanted(caller, name), trust);
        allowed.map_err(|needs| {
            let (has, needs) = (trust.as_str(), needs.as_str());
            let message = format!("a caller of whom we are no surer than {has:?} wants what takes {needs:?}");
            let fault = Fault::new(Blame::Caller, code::POLICY_TRUST, message);
            fault.by_rule(format!("`trust` in [transfers.{name}]")).hint(format!(
                "`trust` in [transfers.{name}] says for whom the agent may do that; [contacts.NAME] says whom you know"
            ))
        })
    }

    /// Tells a call's agent and its caller that what the agent wanted cannot be done.
    pub(super) fn refuse(&self, caller: &Arc<Record>, name: &str, fault: &Fault) {
        let wanted = self.wanted(caller, name);
        let refused = Refused {
            code: fault.code,
            needs: wanted.unwrap_or(Power::PutThrough.needs()),
            trust: self.trust(caller),
        };
        let rules = &self.plan_of(caller.id).rules;
        let may_key = caller.direction == Direction::Inbound
            && fault.code == code::POLICY_TRUST
            && rules.has_pin(caller.caller.as_ref());
        let told = if may_key { KEY_IT } else { SORRY };
        command(caller, Command::Refuse(refused, told.to_owned().into()));
    }

    /// How sure the owner wants us to be of who is put through there: what the stricter plan says.
    fn wanted(&self, caller: &Record, name: &str) -> Option<Trust> {
        let of = |plan: &Plan| plan.transfers.get(name).map(|it| it.trust);
        of(&self.plan_of(caller.id)).max(of(&self.plan()))
    }
}

/// How sure we are of who is on a call as it begins.
pub(super) fn at_first(
    rules: &Rules,
    (direction, entrance): (Direction, Entrance),
    number: Option<&Number>,
    attestation: Attestation,
) -> Trust {
    rules.trust(&Seen {
        direction,
        number,
        attestation,
        paired: entrance == Entrance::Paired,
        proof: Proof::Nothing,
    })
}

/// What is known of who is on a call that proved this.
pub(super) fn seen(record: &Record, proof: Proof) -> Seen<'_> {
    Seen {
        direction: record.direction,
        number: record.caller.as_ref(),
        attestation: record.attestation,
        paired: record.entrance == Entrance::Paired,
        proof,
    }
}

/// What whoever is on a call has proven, by what happened on it.
fn proof(record: &Record) -> Proof {
    let before = record.proved_before();
    let entries = record.log.after(0);
    let proved = |event: &Event| matches!(event, Event::CallerProved);
    if before == Proof::Pin || entries.iter().any(|it| proved(&it.event)) {
        return Proof::Pin;
    }
    let up = |event: &Event| matches!(event, Event::Answered | Event::Connected);
    let nobody = |event: &Event| matches!(event, Event::AnsweredBy(it) if it.who != Who::Human);
    let answered = before == Proof::PickedUp || entries.iter().any(|it| up(&it.event));
    match record.direction {
        Direction::Outbound if answered && !entries.iter().any(|it| nobody(&it.event)) => {
            Proof::PickedUp
        }
        Direction::Outbound | Direction::Inbound => Proof::Nothing,
    }
}

/// What a caller hears who could prove who they are.
const KEY_IT: &str =
    "For that I have to know who you are. Please press star, then your PIN, then pound.";

/// What a caller hears whom the agent may not put through.
const SORRY: &str = "I am sorry, I cannot put you through.";
