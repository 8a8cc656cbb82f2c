//! `<Dial>`: a call that is made for another one, and the two people on them.
//!
//! Source: the TwiML references of `<Dial>` and `<Number>`, and the carrier's debugger for the numbers of errors.

use super::life::{Conversation, End, Progress, Turn, absolute, finish};
use super::twiml::{Dial, Method, Onward};
use super::webhook::{self, Webhook};
use super::{Call, Callback, Carrier, Command, Own, form, number_sid};
use crate::bridge::{Bridge, Came};
use crate::ledger::{Direction, EndedBy, Happening, Kind, Status};
use crate::line::Band;
use crate::office::fresh;
use crate::phone::Rung;
use crate::standing::Terms;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::sleep_until;

/// The call that is made, while it lives.
struct Child {
    call: Arc<Call>,
    commands: mpsc::Receiver<Command>,
    progress: Progress,
    bridge: Bridge,
}

/// What came of it, as `action` is told.
pub(super) struct Dialled(Vec<(String, String)>);

impl Dialled {
    pub(super) fn fields(self) -> Vec<(String, String)> {
        self.0
    }

    /// Nobody could be called.
    fn refused() -> Self {
        Self::of(&[("DialCallStatus", "failed"), ("DialBridged", "false")])
    }

    pub(super) fn of(fields: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self(fields.iter().map(owned).collect())
    }
}

impl Conversation {
    /// Calls someone, and lets the two talk until one of them hangs up. What takes the caller elsewhere ends both.
    pub(super) async fn dial(&mut self, dial: &Dial, base: &str) -> Result<Dialled, Turn> {
        // What is left of a stream is not heard any more.
        self.line.restart();
        let Ok(mut child) = self.place(dial, base) else {
            return Ok(Dialled::refused());
        };
        let done = self.put_through(&mut child).await;
        let Child {
            call,
            progress,
            bridge,
            ..
        } = child;
        let answered = bridge.is_answered();
        let (status, by) = match &done {
            Ok(end) => *end,
            Err(_) if answered => (Status::Completed, EndedBy::OtherLeg),
            Err(_) => (Status::Canceled, EndedBy::OtherLeg),
        };
        let recorded = bridge.part(&mut self.line);
        let seconds = recorded.talked.as_secs_f64().ceil().to_string();
        let mut said = vec![
            ("DialCallStatus", status.as_str()),
            ("DialCallSid", &call.id),
            ("DialBridged", if answered { "true" } else { "false" }),
        ];
        if answered {
            said.push(("DialCallDuration", &seconds));
        }
        let dialled = Dialled::of(&said);
        call.change(&self.carrier.office.ledger, status, recorded.talked);
        let end = End {
            status,
            by,
            recorded,
        };
        let carrier = Arc::clone(&self.carrier);
        let over = async move { finish(&carrier, &call, progress, end).await };
        self.carrier.office.spawn(over);
        match done {
            Ok(_) => Ok(dialled),
            Err(turn) => {
                if let (Turn::Ended(_), Onward::Fetch(action)) = (&turn, &dial.action) {
                    self.tell_action(dial.method, absolute(action, base), dialled);
                }
                Err(turn)
            }
        }
    }

    /// Makes the call, unless it is one that the carrier does not make.
    fn place(&self, dial: &Dial, base: &str) -> Result<Child, ()> {
        let (carrier, to) = (&self.carrier, dial.to.as_str());
        let refuse = |code: u32, text: String| {
            carrier.office.ledger.warn(code, &self.call.id, text);
        };
        let standing = carrier.office.standing();
        if !form::is_number(to) {
            refuse(13_224, format!("<Number>: {to:?} is not a phone number"));
            return Err(());
        }
        if standing.unverified(to) || standing.terms == Terms::Spent {
            refuse(13_225, format!("<Number>: this account may not call {to}"));
            return Err(());
        }
        if standing.closes(to) {
            refuse(
                13_227,
                format!("<Number>: {to} is where this account may not call"),
            );
            return Err(());
        }
        let from = dial.caller_id.as_deref().unwrap_or(&self.call.from);
        let ours = [&self.call.from, &self.call.to]
            .into_iter()
            .any(|it| it == from);
        let number = carrier.office.number(from);
        if number.is_none() && !ours {
            refuse(
                13_214,
                format!("<Dial>: the callerId {from:?} is not this account's"),
            );
            return Err(());
        }
        let own = Own {
            number_sid: number.map(|it| number_sid(&it.id)).unwrap_or_default(),
            callback: Callback {
                url: match dial.callback.url.as_str() {
                    "" => String::new(),
                    url => absolute(url, base),
                },
                ..dial.callback.clone()
            },
            parent: Some(self.call.id.clone()),
            recordings: Vec::new(),
        };
        let (call, commands) = Call::new(fresh("CA"), Direction::Outbound, (from, to), own);
        if carrier.calls.enter(Arc::clone(&call)).is_err() {
            refuse(10_004, "Call concurrency limit exceeded".to_owned());
            return Err(());
        }
        let plan = carrier.office.phone(to);
        let mut progress = Progress::new(carrier, &call, carrier.office.mischief().callbacks);
        progress.to(Status::Initiated);
        if plan.pickup.rings() {
            progress.to(Status::Ringing);
        }
        Ok(Child {
            call,
            commands,
            progress,
            bridge: Bridge::ring(plan, Band::Narrow, dial.timeout, dial.time_limit),
        })
    }

    /// Lives until the child is over, and how it ended; or until the caller is taken elsewhere.
    async fn put_through(&mut self, child: &mut Child) -> Result<(Status, EndedBy), Turn> {
        loop {
            let came = tokio::select! {
                command = self.commands.recv() => {
                    self.obey(command)?;
                    continue;
                }
                command = child.commands.recv() => match child.obey(&self.carrier, command) {
                    Some(end) => return Ok(end),
                    None => continue,
                },
                came = child.bridge.next(&mut self.line) => came,
                () = sleep_until(self.deadline) => return Err(Turn::Ended(EndedBy::TimeLimit)),
            };
            match came {
                Came::Tick => {
                    let tick = self.tick()?;
                    child.bridge.pass(&tick);
                }
                Came::Answered => child.progress.to(Status::InProgress),
                Came::Pressed(key) => {
                    let call = child.call.id.clone();
                    let ledger = &self.carrier.office.ledger;
                    ledger.tell(Happening::Pressed { call, key });
                }
                Came::Unanswered(rung) => {
                    let status = match rung {
                        Rung::Busy | Rung::Rejected => Status::Busy,
                        Rung::Unanswered => Status::NoAnswer,
                        Rung::Answered | Rung::Unreachable => Status::Failed,
                    };
                    return Ok((status, EndedBy::Phone));
                }
                Came::HungUp => return Ok((Status::Completed, EndedBy::Caller)),
                Came::TimeLimit => return Ok((Status::Completed, EndedBy::TimeLimit)),
            }
        }
    }

    /// Tells the application what came of a `<Dial>` whose caller is gone: its reply changes nothing any more.
    pub(super) fn tell_action(&self, method: Method, url: String, dialled: Dialled) {
        let (carrier, call) = (Arc::clone(&self.carrier), Arc::clone(&self.call));
        call.change(&carrier.office.ledger, Status::Completed, self.line.clock());
        let mut form = webhook::fields(&carrier, &call);
        form.extend(dialled.fields());
        self.carrier.office.spawn(async move {
            let token = fresh("");
            let webhook = Webhook {
                event: "action",
                url: &url,
                method,
                form,
                kind: Kind::Genuine,
                token: &token,
            };
            if let Err(unanswered) = webhook::send(&carrier, &call, webhook).await {
                let ledger = &carrier.office.ledger;
                ledger.warn(unanswered.code, &call.id, unanswered.text);
            }
        });
    }
}

impl Child {
    /// Does what the REST API asks of the call that was made; how it ended, if that ends it.
    fn obey(&self, carrier: &Carrier, command: Option<Command>) -> Option<(Status, EndedBy)> {
        match command {
            Some(Command::Complete) if self.bridge.is_answered() => {
                Some((Status::Completed, EndedBy::Api))
            }
            Some(Command::Cancel) if self.bridge.is_answered() => None,
            Some(Command::Complete | Command::Cancel) => Some((Status::Canceled, EndedBy::Api)),
            Some(Command::Redirect(_) | Command::TimeLimit(_)) => {
                let text = "the call that a <Dial> made can only be hung up here";
                carrier.office.ledger.warn(0, &self.call.id, text);
                None
            }
            None => Some((Status::Canceled, EndedBy::Exchange)),
        }
    }
}
