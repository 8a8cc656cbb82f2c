//! Transfers: a leg that is made for another one, and the two people on both.
//!
//! Source: the carrier's OpenAPI description (TransferCall). The first leg stays where it is until the second one is
//! answered, and if that does not happen it is up for other commands. When the two have talked the end of one is the end of
//! both, unless `park_after_unbridge` says otherwise.
//!
//! The first leg's stream is ended by the command.

use super::body::Body;
use super::life::{End, Hangup, Leg, finish, initiated};
use super::media::Attached;
use super::rest::{Refusal, refusal};
use super::webhook::Events;
use super::{Call, Carrier, Command, Own, control_id, date, uuid};
use crate::LONGEST_CALL;
use crate::bridge::{Bridge, Came};
use crate::ledger::{Direction, EndedBy, Happening, Status};
use crate::line::{Line, Tick};
use crate::phone::{Deed, Rung};
use crate::standing::{Terms, Vouched};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

/// What a transfer is to be.
pub(super) struct TransferOrder {
    to: String,
    from: String,
    /// How long it may ring.
    timeout: Duration,
    /// How long the two may talk.
    time_limit: Duration,
    /// Comes back in every event of the second leg.
    client_state: Option<String>,
    afterwards: Afterwards,
}

/// What the first leg does when the second one has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Afterwards {
    HangsUp,
    Parks,
}

impl TransferOrder {
    /// Reads a command for this call.
    pub(super) fn read(carrier: &Carrier, call: &Call, body: &Body<'_>) -> Result<Self, Refusal> {
        let to = body.party("to")?;
        let from = match body.text("from")? {
            Some(_) => body.party("from")?,
            None => &call.to,
        };
        if carrier.office.number(from).is_none() {
            let text = format!("{from} is not a number of this account");
            return Err(refusal(403, 10010, text).at("from"));
        }
        let standing = carrier.office.standing();
        if standing.unverified(to) || standing.closes(to) || standing.terms == Terms::Spent {
            let text = "This account may not call that destination";
            return Err(refusal(403, 10010, text).at("to"));
        }
        let afterwards = match body.choice("park_after_unbridge", &["self"])? {
            Some(_) => Afterwards::Parks,
            None => Afterwards::HangsUp,
        };
        let timeout = body.number("timeout_secs", 5..=600)?.unwrap_or(30);
        let longest = LONGEST_CALL.as_secs();
        let time_limit = body.number("time_limit_secs", 30..=longest)?;
        let client_state = body.state("target_leg_client_state")?;
        Ok(Self {
            to: to.to_owned(),
            from: from.to_owned(),
            timeout: Duration::from_secs(timeout),
            time_limit: Duration::from_secs(time_limit.unwrap_or(longest)),
            client_state: client_state.map(str::to_owned),
            afterwards,
        })
    }
}

/// The second leg, if there is one.
pub(super) enum Second {
    Nobody,
    With(Box<Other>),
}

/// A second leg while it lives.
pub(super) struct Other {
    call: Arc<Call>,
    commands: mpsc::Receiver<Command>,
    events: Events,
    bridge: Bridge,
    afterwards: Afterwards,
}

/// What happens next.
pub(super) enum Next {
    Came(Came),
    /// Of the second leg, by the REST API.
    Asked(Option<Command>),
}

impl Second {
    /// Waits for what is next, at the latest for the first line's tick. Nothing is lost when this is cancelled.
    pub(super) async fn next(&mut self, first: &mut Line) -> Next {
        match self {
            Self::Nobody => {
                sleep_until(first.next_tick()).await;
                Next::Came(Came::Tick)
            }
            Self::With(other) => tokio::select! {
                command = other.commands.recv() => Next::Asked(command),
                came = other.bridge.next(first) => Next::Came(came),
            },
        }
    }

    /// Lets the second person hear what the first one said.
    pub(super) fn pass(&mut self, tick: &Tick) {
        match self {
            Self::Nobody => {}
            Self::With(other) => other.bridge.pass(tick),
        }
    }
}

impl Leg<'_> {
    /// Begins to call someone for this leg, whose stream ends.
    pub(super) fn transfer(
        &mut self,
        order: TransferOrder,
        attached: &mut Attached,
        second: &mut Second,
    ) {
        self.stop(attached);
        self.leave(second);
        let first = self.call.state().own;
        let own = Own {
            leg: uuid(),
            session: first.session,
            client_state: order.client_state,
            webhook_url: first.webhook_url,
            stream: None,
            recordings: Vec::new(),
        };
        let parties = (order.from.as_str(), order.to.as_str());
        let (call, commands) = Call::new(control_id(), Direction::Outbound, parties, own);
        if self.carrier.calls.enter(Arc::clone(&call)).is_err() {
            return self.warn(90_041, "User channel limit exceeded");
        }
        let office = &self.carrier.office;
        let (plan, ledger) = (office.phone(&order.to), &office.ledger);
        let events = Events::new(self.carrier, &call, office.mischief().callbacks);
        call.change(ledger, Status::Initiated, Duration::ZERO);
        events.tell("call.initiated", initiated(&call, Vouched::Unsigned));
        if plan.pickup.rings() {
            call.change(ledger, Status::Ringing, Duration::ZERO);
        }
        *second = Second::With(Box::new(Other {
            call,
            commands,
            events,
            bridge: Bridge::ring(plan, office.band, order.timeout, order.time_limit),
            afterwards: order.afterwards,
        }));
    }

    /// Takes note of what has happened; fails when that ends this leg.
    pub(super) fn went(
        &mut self,
        next: Next,
        attached: &mut Attached,
        second: &mut Second,
    ) -> Result<(), EndedBy> {
        let came = match (next, &mut *second) {
            (Next::Came(Came::Tick), _) => return self.tick_with(attached, second),
            (Next::Came(came), _) => came,
            (Next::Asked(command), Second::With(other)) => {
                return match other.obey(self.carrier, command) {
                    Some(by) => self.over(second, by),
                    None => Ok(()),
                };
            }
            (Next::Asked(_), Second::Nobody) => return Ok(()),
        };
        match came {
            Came::Tick => Ok(()),
            Came::Answered => {
                if let Second::With(other) = second {
                    other.answered(self.carrier);
                    self.events.tell("call.bridged", json!({}));
                }
                Ok(())
            }
            Came::Pressed(key) => {
                if let Second::With(other) = second {
                    other.pressed(self.carrier, key);
                }
                Ok(())
            }
            Came::Unanswered(rung) => {
                let (status, hangup) = match rung {
                    Rung::Busy => (Status::Busy, Hangup("user_busy", "callee", "486")),
                    Rung::Rejected => (Status::Busy, Hangup("call_rejected", "callee", "603")),
                    Rung::Unanswered => (Status::NoAnswer, Hangup("timeout", "caller", "487")),
                    Rung::Answered | Rung::Unreachable => {
                        (Status::Failed, Hangup("not_found", "callee", "404"))
                    }
                };
                let by = EndedBy::Phone;
                self.end(second, End { status, by, hangup });
                Ok(())
            }
            Came::HungUp => self.over(second, EndedBy::Caller),
            Came::TimeLimit => self.over(second, EndedBy::TimeLimit),
        }
    }

    fn tick_with(&mut self, attached: &mut Attached, second: &mut Second) -> Result<(), EndedBy> {
        match self.tick(attached, second) {
            Deed::HangsUp => Err(EndedBy::Caller),
            Deed::Nothing | Deed::Starts | Deed::Ends | Deed::Presses(_) => Ok(()),
        }
    }

    /// Ends the second leg with this one.
    pub(super) fn leave(&mut self, second: &mut Second) {
        let by = EndedBy::OtherLeg;
        if let Second::With(other) = second {
            let end = other.ended(by);
            self.end(second, end);
        }
    }

    /// The second leg is over; fails when that ends this one.
    fn over(&mut self, second: &mut Second, by: EndedBy) -> Result<(), EndedBy> {
        let Second::With(other) = second else {
            return Ok(());
        };
        let end = other.ended(by);
        let talked = other.bridge.is_answered();
        let afterwards = other.afterwards;
        self.end(second, end);
        match afterwards {
            Afterwards::HangsUp if talked => Err(EndedBy::OtherLeg),
            Afterwards::HangsUp | Afterwards::Parks => Ok(()),
        }
    }

    /// Closes the books on the second leg.
    fn end(&mut self, second: &mut Second, end: End) {
        let Second::With(other) = std::mem::replace(second, Second::Nobody) else {
            return;
        };
        let Other {
            call,
            events,
            bridge,
            ..
        } = *other;
        let recorded = bridge.part(&mut self.line);
        call.change(&self.carrier.office.ledger, end.status, recorded.talked);
        let carrier = Arc::clone(self.carrier);
        let over = async move { finish(&carrier, &call, events, end, recorded).await };
        self.carrier.office.spawn(over);
    }
}

impl Other {
    fn answered(&self, carrier: &Carrier) {
        let ledger = &carrier.office.ledger;
        self.call.change(ledger, Status::InProgress, Duration::ZERO);
        let answered = json!({
            "state": "answered",
            "start_time": date(self.call.created),
            "custom_headers": [],
            "sip_headers": [],
            "tags": [],
        });
        self.events.tell("call.answered", answered);
        self.events.tell("call.bridged", json!({}));
    }

    fn pressed(&self, carrier: &Carrier, key: char) {
        let call = self.call.id.clone();
        carrier.office.ledger.tell(Happening::Pressed { call, key });
        let digit = json!({"digit": key.to_string()});
        self.events.tell("call.dtmf.received", digit);
    }

    /// Does what the REST API asks of the second leg; who ended it, if that does.
    fn obey(&mut self, carrier: &Carrier, command: Option<Command>) -> Option<EndedBy> {
        match command {
            Some(Command::Hangup) => return Some(EndedBy::Api),
            Some(Command::Keys(sound)) => self.bridge.play(sound),
            Some(Command::StartStream(_) | Command::StopStream | Command::Transfer(_)) => {
                self.call.set(|own| own.stream = None);
                let text =
                    "the second leg of a transfer has no stream here, and is not put through";
                carrier.office.ledger.warn(0, &self.call.id, text);
            }
            // The REST room refuses them for a leg that goes out.
            Some(Command::Answer(_) | Command::Reject(_)) => {}
            None => return Some(EndedBy::Exchange),
        }
        None
    }

    /// How it ends when it is ended by this.
    fn ended(&self, by: EndedBy) -> End {
        let hangup = match by {
            _ if !self.bridge.is_answered() => {
                let (status, hangup) = (
                    Status::Canceled,
                    Hangup("originator_cancel", "caller", "487"),
                );
                return End { status, by, hangup };
            }
            EndedBy::Caller => Hangup("normal_clearing", "callee", "200"),
            EndedBy::TimeLimit => Hangup("time_limit", "unknown", "200"),
            EndedBy::Api
            | EndedBy::Instructions
            | EndedBy::SocketClosed
            | EndedBy::SocketFailed
            | EndedBy::Fault(_)
            | EndedBy::Phone
            | EndedBy::Rejected
            | EndedBy::OtherLeg
            | EndedBy::Exchange => Hangup("normal_clearing", "caller", "200"),
        };
        let status = Status::Completed;
        End { status, by, hangup }
    }
}
