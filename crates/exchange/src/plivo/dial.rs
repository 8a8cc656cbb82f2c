//! `<Dial>`: a leg that is made for a call, and the two people on both.
//!
//! Source: the carrier's pages on the Dial element and on the reporting of its status.

use super::cause::{Cause, Ending, Hangup, status_word};
use super::life::{Ask, Conversation, News, Turn};
use super::rest::{is_number, plus};
use super::webhook::{self, Notices, Webhook};
use super::xml::{Afterwards, Dial};
use super::{Call, Carrier, Command, Notice, Own, digits, uuid};
use crate::bridge::{Bridge, Came};
use crate::call::Recorded;
use crate::ledger::{Direction, EndedBy, Happening, Kind, Status};
use crate::phone::Rung;
use crate::standing::Terms;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

/// The second leg, while it lives.
struct Leg {
    call: Arc<Call>,
    commands: mpsc::Receiver<Command>,
    bridge: Bridge,
    told: Told,
}

/// Tells the application how a second leg is doing, if it asked for that.
enum Told {
    Nobody,
    To(Notice, Notices),
}

/// What came of a `<Dial>`, as its `action` is told.
type Outcome = Vec<(String, String)>;

impl Conversation {
    /// Calls someone, and lets the two talk until one of them hangs up; then asks the application what to do, if it is to be
    /// asked. What takes the caller elsewhere ends the second leg.
    pub(super) async fn dial(&mut self, dial: Dial) -> Result<(), Turn> {
        let (outcome, done) = match self.place(&dial) {
            Err(cause) => (self.outcome(Status::Failed, cause, None), Ok(())),
            Ok(mut leg) => {
                let done = self.put_through(&mut leg).await;
                self.end(leg, done)
            }
        };
        match (done, dial.action, dial.afterwards) {
            (Err(Turn::Ended(ending)), Some(action), _) => {
                let (ledger, talked) = (&self.carrier.office.ledger, self.line.clock());
                self.call.change(ledger, Status::Completed, talked);
                self.tell_action(action, outcome);
                Err(Turn::Ended(ending))
            }
            (Err(turn), _, _) => Err(turn),
            (Ok(()), Some(action), Afterwards::Redirected) => {
                Err(Turn::Onward(Ask::action(action, outcome)))
            }
            (Ok(()), Some(action), Afterwards::GoesOn) => {
                self.tell_action(action, outcome);
                Ok(())
            }
            (Ok(()), None, _) => Ok(()),
        }
    }

    /// Makes the second leg, unless it is one that the carrier does not make.
    fn place(&self, dial: &Dial) -> Result<Leg, Cause> {
        let carrier = &self.carrier;
        if !is_number(&dial.to) {
            self.warn(format!("<Number>: {:?} is not a phone number", dial.to));
            return Err(Cause::InvalidDestination);
        }
        let to = plus(&dial.to);
        let standing = carrier.office.standing();
        if standing.unverified(&to) || standing.closes(&to) || standing.terms == Terms::Spent {
            self.warn(format!("<Number>: the account may not call {to}"));
            return Err(Cause::Barred);
        }
        let from = match dial.caller_id.as_deref().map(plus) {
            Some(from) if carrier.office.number(&from).is_none() => {
                self.warn(format!("<Dial>: the callerId {from} is not the account's"));
                return Err(Cause::UnknownCaller);
            }
            Some(from) => from,
            None => self.call.from.clone(),
        };
        let own = Own {
            parent: Some(self.call.id.clone()),
            ..Own::default()
        };
        let (call, commands) = Call::new(uuid(), Direction::Outbound, (&from, &to), own);
        if carrier.calls.enter(Arc::clone(&call)).is_err() {
            self.warn("concurrent calls limit reached");
            return Err(Cause::Unknown);
        }
        let (plan, ledger) = (carrier.office.phone(&to), &carrier.office.ledger);
        call.change(ledger, Status::Initiated, Duration::ZERO);
        if plan.pickup.rings() {
            call.change(ledger, Status::Ringing, Duration::ZERO);
        }
        let told = match &dial.callback {
            None => Told::Nobody,
            Some(there) => {
                let mischief = carrier.office.mischief().callbacks;
                Told::To(there.clone(), Notices::new(carrier, &self.call, mischief))
            }
        };
        Ok(Leg {
            call,
            commands,
            bridge: Bridge::ring(plan, carrier.office.band, dial.timeout, dial.time_limit),
            told,
        })
    }

    /// Lives until the second leg is over, and how it ended; or until the caller is taken elsewhere.
    async fn put_through(&mut self, leg: &mut Leg) -> Result<(Status, Ending), Turn> {
        let over = |status, by, cause| Ok((status, Ending { by, cause }));
        loop {
            let came = tokio::select! {
                command = self.commands.recv() => {
                    self.take(News::Asked(command))?;
                    continue;
                }
                news = self.streaming.next() => {
                    self.take(news)?;
                    continue;
                }
                () = sleep_until(self.deadline.0) => {
                    self.take(News::Deadline)?;
                    continue;
                }
                command = leg.commands.recv() => match leg.obey(&self.carrier, command) {
                    Some(end) => return Ok(end),
                    None => continue,
                },
                came = leg.bridge.next(&mut self.line) => came,
            };
            match came {
                Came::Tick => {
                    let tick = self.hear_person()?;
                    leg.bridge.pass(&tick);
                    self.speak(tick);
                }
                Came::Answered => leg.answered(&self.carrier, &self.call),
                Came::Pressed(key) => {
                    let call = leg.call.id.clone();
                    self.carrier
                        .office
                        .ledger
                        .tell(Happening::Pressed { call, key });
                }
                Came::Unanswered(rung) => {
                    let by = EndedBy::Phone;
                    return match rung {
                        Rung::Busy => over(Status::Busy, by, Cause::Busy),
                        Rung::Rejected => over(Status::Busy, by, Cause::Declined),
                        Rung::Unanswered => over(Status::NoAnswer, by, Cause::Unanswered),
                        Rung::Answered | Rung::Unreachable => {
                            over(Status::Failed, by, Cause::Unreachable)
                        }
                    };
                }
                Came::HungUp => return over(Status::Completed, EndedBy::Caller, Cause::Person),
                Came::TimeLimit => {
                    return over(Status::Completed, EndedBy::TimeLimit, Cause::TimeLimit);
                }
            }
        }
    }

    /// Closes the books on the second leg; what came of it, and what the call does now.
    fn end(
        &mut self,
        leg: Leg,
        done: Result<(Status, Ending), Turn>,
    ) -> (Outcome, Result<(), Turn>) {
        let Leg {
            call, bridge, told, ..
        } = leg;
        let answered = bridge.is_answered();
        let by = EndedBy::OtherLeg;
        let (status, Ending { by, cause }) = match &done {
            Ok(end) => *end,
            Err(_) if answered => (
                Status::Completed,
                Ending {
                    by,
                    cause: Cause::Parted,
                },
            ),
            Err(_) => (
                Status::Canceled,
                Ending {
                    by,
                    cause: Cause::Withdrawn,
                },
            ),
        };
        let outcome = self.outcome(status, cause, Some((&call, answered)));
        let recorded = bridge.part(&mut self.line);
        let hangup = cause.hangup(Direction::Outbound);
        call.set(|own| own.ended = Some(hangup));
        call.change(&self.carrier.office.ledger, status, recorded.talked);
        if let Told::To(there, notices) = &told {
            let mut fields = told_fields(&self.call, &call, "hangup");
            fields.extend(last_fields(&recorded, hangup));
            notices.tell("DialHangup", there.clone(), fields);
        }
        let carrier = Arc::clone(&self.carrier);
        self.carrier.office.spawn(async move {
            if let Told::To(_, notices) = told {
                notices.finish().await;
            }
            call.close(&carrier.office.ledger, by, recorded);
        });
        (outcome, done.map(drop))
    }

    fn outcome(&self, status: Status, cause: Cause, leg: Option<(&Call, bool)>) -> Outcome {
        let hangup = cause.hangup(Direction::Outbound);
        let rang = leg.is_some_and(|_| !matches!(cause, Cause::Busy | Cause::Unreachable));
        // Nobody who did not answer has a name.
        let named = leg
            .filter(|(_, answered)| *answered)
            .map_or("", |(call, _)| &call.id);
        webhook::owned(&[
            ("DialALegUUID", &self.call.id),
            ("DialBLegUUID", named),
            ("DialHangupCause", hangup.cause),
            ("DialRingStatus", if rang { "true" } else { "false" }),
            ("DialStatus", status_word(status, Direction::Outbound)),
        ])
    }

    /// Tells the application what came of a `<Dial>`, where its reply changes nothing.
    pub(super) fn tell_action(&self, to: Notice, outcome: Outcome) {
        let (carrier, call) = (Arc::clone(&self.carrier), Arc::clone(&self.call));
        let mut form = webhook::fields(&carrier, &call, "Redirect");
        form.extend(outcome);
        self.carrier.office.spawn(async move {
            let nonce = webhook::nonce();
            let webhook = Webhook {
                event: "Redirect",
                to: &to,
                form,
                kind: Kind::Genuine,
                nonce: &nonce,
            };
            if let Err(why) = webhook::send(&carrier, &call, webhook).await {
                let text = format!("an action: {why}");
                carrier.office.ledger.warn(0, &call.id, text);
            }
        });
    }
}

impl Leg {
    fn answered(&self, carrier: &Carrier, first: &Call) {
        let ledger = &carrier.office.ledger;
        self.call.change(ledger, Status::InProgress, Duration::ZERO);
        if let Told::To(there, notices) = &self.told {
            for (event, action) in [("DialAnswer", "answer"), ("DialConnected", "connected")] {
                notices.tell(event, there.clone(), told_fields(first, &self.call, action));
            }
        }
    }

    /// Does what the REST API asks of the second leg; how it ended, if that ends it.
    fn obey(&mut self, carrier: &Carrier, command: Option<Command>) -> Option<(Status, Ending)> {
        let answered = self.bridge.is_answered();
        let ended = |status, by, cause| Some((status, Ending { by, cause }));
        match command {
            Some(Command::HangUp) if answered => ended(Status::Completed, EndedBy::Api, Cause::Api),
            Some(Command::HangUp) => ended(Status::Canceled, EndedBy::Api, Cause::Canceled),
            Some(Command::Keys(sound)) => {
                self.bridge.play(sound);
                None
            }
            Some(
                Command::Transfer(_) | Command::Stream(_) | Command::StopStream | Command::Cancel,
            ) => {
                let text = "the second leg of a <Dial> can only be hung up and played keys here";
                carrier.office.ledger.warn(0, &self.call.id, text);
                None
            }
            None => ended(Status::Canceled, EndedBy::Exchange, Cause::Unknown),
        }
    }
}

/// What is told of the second leg while the `<Dial>` lasts.
fn told_fields(first: &Call, second: &Call, action: &str) -> Vec<(String, String)> {
    webhook::owned(&[
        ("DialALegUUID", &first.id),
        ("DialAction", action),
        ("DialBLegFrom", digits(&second.from)),
        ("DialBLegPosition", "1"),
        ("DialBLegStatus", action),
        ("DialBLegTo", digits(&second.to)),
        ("DialBLegUUID", &second.id),
    ])
}

/// What is told of it at its end.
fn last_fields(recorded: &Recorded, hangup: Hangup) -> Vec<(String, String)> {
    let seconds = recorded.talked.as_secs_f64().ceil();
    webhook::owned(&[
        (
            "DialBLegBillDuration",
            &webhook::billed(seconds).to_string(),
        ),
        ("DialBLegDuration", &seconds.to_string()),
        ("DialBLegHangupCause", hangup.cause),
        ("DialBLegHangupCauseCode", &hangup.code.to_string()),
        ("DialBLegHangupCauseName", hangup.name),
        ("DialBLegHangupSource", hangup.source),
        ("DialBLegTotalCost", "0.00000"),
    ])
}
