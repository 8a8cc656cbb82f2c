//! Agents that sit at meetings: each has a call of its own, whose line ends at the table.

use std::sync::Arc;

use call::event::{End, Party, Why};
use call::{Direction, Machine, Private, input, output};
use ports::Fault;
use ports::speech::Voice;
use tokio::sync::mpsc;

use super::life::{Begin, Given, Kept, Part, Voiced};
use super::record::{Born, Talks};
use super::wish::{answerer, mode, our_number};
use super::{CONTROL, CallId, Purpose, Record, Switchboard};
use crate::line::Wire;
use crate::meeting::{FORMAT, Inner, InnerLine, Newcomer, Room, Sits, TableEars, line};
use crate::runner::{Control, Order};
use crate::sound::Attached;

impl Switchboard {
    /// Gives an agent a place: a call of its own, whose line ends at the table.
    pub(super) async fn seat_agent(
        self: &Arc<Self>,
        room: &Arc<Room>,
        agent: &str,
        voice: Voice,
    ) -> Result<(), Fault> {
        let plan = self.plan();
        let answerer = answerer(&plan, agent)?;
        let mode = mode(&plan, agent, &answerer, Purpose::Converse)?;
        let party = room.number()?;
        let born = Born {
            direction: Direction::Inbound,
            caller: None,
            number: our_number(&plan, None)?,
            carrier: HOUSE.to_owned(),
            agent: agent.to_owned(),
            talk: Talks::of(&mode),
            allowed_by: plan.rules.allowed(Direction::Inbound),
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
                begin: Begin::Now,
                chair: None,
                kept: Kept::Here,
            },
        };
        self.start_here(&record, given, near);
        let name = Private::from(agent.to_owned());
        let newcomer = Newcomer {
            party,
            name,
            record,
            sits: Sits::Agent(far),
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
            Order::PutThrough(_) => {}
        }
    }
}

const LEFT: End = End {
    by: Party::Gateway,
    why: Why::Completed,
};

/// The line of an agent's call is no carrier's.
const HOUSE: &str = "house";
