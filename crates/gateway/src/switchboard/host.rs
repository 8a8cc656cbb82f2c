//! Agents that sit at meetings: each has a call of its own, whose line ends at the table.

use std::sync::Arc;

use call::event::{End, Party, Why};
use call::{Attestation, Direction, Machine, Mode, Number, Opening, Private, Trust, input, output};
use ports::Fault;
use ports::agent::Answerer;
use ports::speech::Voice;
use tokio::sync::mpsc;

use super::life::{Begin, Given, Kept, Part, Voiced};
use super::pairing::Entrance;
use super::record::{Born, Talks};
use super::said::Said;
use super::wish::{answerer, mode, our_number};
use super::{CONTROL, CallId, Purpose, Record, Switchboard};
use crate::config::Plan;
use crate::line::Wire;
use crate::meeting::{
    Attention, CALLER, FORMAT, Inner, InnerLine, Newcomer, Room, Sits, TARGET, TableEars, View,
    line,
};
use crate::runner::{Control, Order};
use crate::sound::Attached;

/// An agent that is to sit at a meeting.
struct Host {
    plan: Arc<Plan>,
    /// A key of [`Plan::agents`].
    agent: String,
    answerer: Answerer,
    mode: Mode,
    begin: Begin,
    /// Whom it talked to before, if it did, and on which number.
    caller: Option<Number>,
    number: Number,
}

impl Switchboard {
    /// Gives an agent a place at a meeting whose people it does not know yet.
    pub(super) async fn welcome(self: &Arc<Self>, room: &Arc<Room>, agent: String) {
        let seated = match self.stranger(&agent) {
            Ok(host) => self.seat_agent(room, host).await,
            Err(fault) => Err(fault),
        };
        report(room, seated);
    }

    /// Has the agent that a caller talked to sit with them and whom they were put through to, once both
    /// are there. Who does not come, or has left again, is not waited for.
    pub(super) fn stay(
        self: &Arc<Self>,
        room: &Arc<Room>,
        caller: &Arc<Record>,
        attention: Attention,
    ) {
        let (board, room, caller) = (self.clone(), room.clone(), caller.clone());
        tokio::spawn(async move {
            room.until(are_here).await;
            if room.is_over() || !are_here(&room.view()) {
                return;
            }
            room.attend(attention).await;
            let seated = match board.acquaintance(&caller) {
                Ok(host) => board.seat_agent(&room, host).await,
                Err(fault) => Err(fault),
            };
            report(&room, seated);
        });
    }

    fn stranger(&self, agent: &str) -> Result<Host, Fault> {
        let plan = self.plan();
        let answerer = answerer(&plan, agent)?;
        Ok(Host {
            mode: mode(&plan, agent, &answerer, Purpose::Converse)?,
            number: our_number(&plan, None)?,
            plan,
            agent: agent.to_owned(),
            answerer,
            begin: Begin::Now,
            caller: None,
        })
    }

    /// An agent that has talked to this caller greets nobody, and knows what was said.
    fn acquaintance(&self, caller: &Record) -> Result<Host, Fault> {
        let plan = self.plan_of(caller.id);
        let mut said = Said::after(caller.said_before(), &plan.phrases);
        for entry in caller.log.after(0) {
            said.hear(&entry.event);
        }
        Ok(Host {
            answerer: answerer(&plan, &caller.agent)?,
            plan,
            agent: caller.agent.clone(),
            mode: Mode::Conversation {
                opening: Opening::Wait,
            },
            begin: Begin::Beside {
                direction: caller.direction,
                past: said.lines(),
            },
            caller: caller.caller.clone(),
            number: caller.number.clone(),
        })
    }

    /// Gives an agent a place: a call of its own, whose line ends at the table.
    async fn seat_agent(self: &Arc<Self>, room: &Arc<Room>, host: Host) -> Result<(), Fault> {
        let Host {
            plan,
            agent,
            answerer,
            mode,
            begin,
            caller,
            number,
        } = host;
        let voice = self.voices.get().await?;
        let party = room.number()?;
        let born = Born {
            direction: Direction::Inbound,
            caller,
            number,
            carrier: HOUSE.to_owned(),
            agent: agent.clone(),
            // A whole table is put through to nobody.
            talk: Talks::Otherwise,
            allowed_by: plan.rules.lets_in(),
            // A whole table is nobody in particular.
            attestation: Attestation::Nothing,
            trust: Trust::Unknown,
            entrance: Entrance::Listed,
            objective: None,
            asked_by: None,
        };
        let (control, heard) = mpsc::channel(CONTROL);
        let record = Record::new(CallId::random(), born, control, self.journal.pen());
        let record = self.desk().add(record);
        let (near, far) = line();
        let given = Given {
            plan,
            control: heard,
            voice: Voiced::Ready(Some(Voice {
                ears: Arc::new(TableEars(room.tx())),
                ..voice
            })),
            part: Part {
                mode,
                machine: Machine::Talk,
                answerer,
                begin,
                chair: None,
                kept: Kept::Here,
            },
        };
        self.start_here(&record, given, near);
        let name = Private::from(agent);
        let newcomer = Newcomer {
            party,
            name,
            record,
            sits: Sits::Agent(far),
            back: false,
        };
        self.seat_at(room, newcomer).await;
        Ok(())
    }
}

/// Serves the orders of a call whose line ends in this house.
pub(super) async fn attend(
    record: Arc<Record>,
    near: InnerLine,
    mut orders: mpsc::Receiver<Order>,
) {
    let mut line = Some(near);
    while let Some(order) = orders.recv().await {
        match order {
            Order::Carrier(output::Carrier::Answer | output::Carrier::Dial) => {
                if let Some(line) = line.take() {
                    let attached = Attached {
                        line: Wire::Inner(line),
                        protocol: Box::new(Inner::default()),
                        format: FORMAT,
                        spoken: FORMAT,
                        order: media::Line::Ordered,
                    };
                    let sound = Control::Sound(Box::new(attached));
                    let _ = record.control.send(sound).await;
                }
            }
            // The table is gone, and with it the line.
            Order::Carrier(output::Carrier::HangUp | output::Carrier::Reconnect) => {
                record.tell(input::Carrier::Ended(LEFT)).await;
            }
            // A whole table is put through to nobody.
            Order::Carrier(output::Carrier::Transfer(_)) => {
                let _ = record.control.send(Control::Kept(Why::Fault)).await;
            }
            Order::PutThrough(_) => {
                let sorry = "I am sorry, I cannot put anyone through from here.".to_owned();
                let _ = record.say(sorry.into()).await;
            }
        }
    }
}

/// Whether the two of a transfer are.
fn are_here(view: &View) -> bool {
    [CALLER, TARGET].iter().all(|party| {
        let people = &mut view.people.iter();
        people.any(|it| it.seat == party.0 && it.here)
    })
}

fn report(room: &Room, seated: Result<(), Fault>) {
    if let Err(fault) = seated {
        let code = fault.code;
        tracing::error!(meeting = %room.id, code, "an agent could not come to a meeting: {fault}");
    }
}

const LEFT: End = End {
    by: Party::Gateway,
    why: Why::Completed,
};

/// The line of an agent's call is no carrier's.
pub(super) const HOUSE: &str = "house";
