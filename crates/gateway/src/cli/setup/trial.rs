//! The test call: the owner's phone rings, and says back what is said into it.

use std::sync::Arc;
use std::time::Duration;

use call::Number;
use call::event::Event;
use ports::agent::Answerer;
use ports::{Blame, Fault, code};

use crate::cli::{Out, load_voice, story};
use crate::config::plan::AgentPlan;
use crate::config::{self, Plan};
use crate::gateway::Gateway;
use crate::switchboard::{OnMachine, Purpose, Record, Wish};

/// How the call went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Went {
    /// Somebody picked up.
    Answered,
    /// It rang, or was busy.
    Rang,
}

impl Went {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Rang => "rang",
        }
    }
}

/// Calls `phone` from `number`, and waits for its end.
pub(super) async fn call(
    mut plan: Plan,
    number: &Number,
    phone: &Number,
    out: &mut Out,
) -> Result<Went, Fault> {
    plan.agents.insert(
        AGENT.to_owned(),
        AgentPlan {
            answerer: Answerer::Loopback,
            opening: None,
            language: "en".to_owned(),
            transfer_to: Vec::new(),
            tools: Vec::new(),
            history: config::History::Call,
            call_back_after: config::CALL_BACK_AFTER,
            on_machine: config::OnMachine::Talk,
        },
    );
    let whom = &mut plan.rules.call.value.numbers;
    whom.insert(phone.clone(), "what setup asked".to_owned());
    // They have just said yes to it.
    plan.rules.approve.value = policy::Approve::Never;
    plan.rules.owner.insert(phone.clone());
    plan.rules.max_length.value = plan.rules.max_length.value.min(LONGEST);
    // It is recorded nowhere, and leaves nothing behind.
    plan.recordings = None;
    let state = std::env::temp_dir().join(format!("offhook-setup-{}", uuid::Uuid::new_v4()));
    let voice = load_voice(&plan);
    let gateway = Gateway::start(plan, voice, state.clone()).await?;
    let wish = Wish {
        to: phone.as_str().into(),
        from: Some(number.as_str().to_owned()),
        agent: Some(AGENT.to_owned()),
        purpose: Purpose::Converse,
        on_machine: OnMachine::Talk,
        ..Wish::default()
    };
    let went = match gateway.board.dial(wish).await {
        Ok(record) => follow(&record, out).await,
        Err(fault) => Err(fault),
    };
    gateway.close(PATIENCE).await;
    // What is left of it is of no use to anybody.
    let _ = std::fs::remove_dir_all(&state);
    went
}

async fn follow(record: &Arc<Record>, out: &mut Out) -> Result<Went, Fault> {
    let (mut seen, mut went) = (0, None);
    loop {
        let entries = tokio::select! {
            entries = record.log.wait(seen) => entries,
            _ = tokio::signal::ctrl_c() => {
                record.hang_up().await;
                continue;
            }
        };
        if entries.is_empty() {
            break;
        }
        seen += entries.len();
        for entry in entries {
            if entry.event == Event::Answered {
                went = Some(Went::Answered);
            } else if entry.event == Event::Ringing {
                went = went.or(Some(Went::Rang));
            }
            let told = serde_json::to_value(entry).expect("an entry has only strings for keys");
            if let Some(line) = story::line(&told) {
                out.line(line);
            }
        }
    }
    if let Some(report) = record.fault() {
        let code = code::find(report.code).unwrap_or(code::CARRIER_REFUSED);
        let fault = Fault::new(Blame::Carrier, code, report.message.clone());
        return Err(match &report.hint {
            Some(hint) => fault.hint(hint.clone()),
            None => fault,
        });
    }
    went.ok_or_else(|| {
        let message = "the phone did not ring, and the carrier does not say why";
        Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message).hint(
            "look at the account's call log in the carrier's console, and run `offhook doctor`",
        )
    })
}

const AGENT: &str = "setup";
const LONGEST: Duration = Duration::from_secs(30);
/// How long the carrier has to confirm the end.
const PATIENCE: Duration = Duration::from_secs(8);
