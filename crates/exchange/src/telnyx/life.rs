//! A call's life: from its first event to its last, and what commands and people do in between.

use super::body::StreamOrder;
use super::media::{Attached, News};
use super::transfer::Second;
use super::webhook::Events;
use super::{Call, Carrier, Cause, Command, date, recording};
use crate::call::Recorded;
use crate::ledger::{Direction, EndedBy, Happening, Mark, Status};
use crate::line::Line;
use crate::mischief::{Abrupt, Socket};
use crate::office::authority;
use crate::standing::Vouched;
use crate::phone::{Deed, JUDGED, PhonePlan, Pickup, Rung, Step};
use crate::socket::{Breach, Broken, Said};
use serde_json::json;
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// What a call was asked to be.
pub(super) struct Order {
    /// How long it may ring.
    pub(super) timeout: Duration,
    /// How long it may last.
    pub(super) time_limit: Duration,
    /// The stream that begins with the answer.
    pub(super) stream: Option<StreamOrder>,
    pub(super) judge: Judge,
}

/// Whether the carrier says who picked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judge {
    Silent,
    Tells,
    /// In the words of its better kind of detection.
    TellsMore,
}

/// How a call ended.
pub(super) struct End {
    pub(super) status: Status,
    pub(super) by: EndedBy,
    pub(super) hangup: Hangup,
}

/// What the last event says about it: the cause, who hung up, and the SIP answer.
pub(super) struct Hangup(pub(super) &'static str, pub(super) &'static str, pub(super) &'static str);

/// Lives an outbound call from dialled to its outcome.
pub(super) async fn outbound(
    carrier: Arc<Carrier>,
    call: Arc<Call>,
    mut commands: mpsc::Receiver<Command>,
    plan: PhonePlan,
    order: Order,
) {
    let mischief = carrier.office.mischief();
    let events = Events::new(&carrier, &call, mischief.callbacks);
    call.change(&carrier.office.ledger, Status::Initiated, Duration::ZERO);
    events.tell("call.initiated", initiated(&call, carrier.office.vouched()));
    if plan.pickup.rings() {
        call.change(&carrier.office.ledger, Status::Ringing, Duration::ZERO);
    }
    let (end, recorded) = match ring(&mut commands, &plan, order.timeout).await {
        Err(end) => (end, Recorded::default()),
        Ok(()) => {
            let judge = judge(&events, order.judge, plan.pickup);
            let leg = Leg::answered(&carrier, &call, &events, plan.script);
            tokio::select! {
                lived = leg.live(commands, mischief.socket, order) => lived,
                never = judge => match never {},
            }
        }
    };
    finish(&carrier, &call, events, end, recorded).await;
}

/// Says who picked up, if that was asked, and does nothing else for as long as the call lasts.
async fn judge(events: &Events, judge: Judge, pickup: Pickup) -> Infallible {
    let (event, result) = match (judge, pickup.is_machine()) {
        (Judge::Silent, _) => return pending().await,
        (Judge::Tells, true) => ("call.machine.detection.ended", "machine"),
        (Judge::Tells, false) => ("call.machine.detection.ended", "human"),
        (Judge::TellsMore, true) => ("call.machine.premium.detection.ended", "machine"),
        (Judge::TellsMore, false) => ("call.machine.premium.detection.ended", "human_residence"),
    };
    sleep(JUDGED).await;
    events.tell(event, json!({"result": result}));
    pending().await
}

/// Lives an inbound call: it is parked until a command answers or ends it, and rings the caller's patience out otherwise.
pub(super) async fn inbound(
    carrier: Arc<Carrier>,
    call: Arc<Call>,
    mut commands: mpsc::Receiver<Command>,
    script: Vec<Step>,
    mut order: Order,
) {
    let mischief = carrier.office.mischief();
    let events = Events::new(&carrier, &call, mischief.callbacks);
    events.tell("call.initiated", initiated(&call, carrier.office.vouched()));
    let (end, recorded) = match parked(&mut commands, order.timeout).await {
        Err(end) => (end, Recorded::default()),
        Ok(stream) => {
            order.stream = stream;
            let leg = Leg::answered(&carrier, &call, &events, script);
            leg.live(commands, mischief.socket, order).await
        }
    };
    finish(&carrier, &call, events, end, recorded).await;
}

/// Rings the phone; when it is not answered, how the call ends.
async fn ring(
    commands: &mut mpsc::Receiver<Command>,
    plan: &PhonePlan,
    timeout: Duration,
) -> Result<(), End> {
    let over = |status, by, hangup| Err(End { status, by, hangup });
    let ringing = plan.pickup.ring(timeout);
    tokio::pin!(ringing);
    loop {
        tokio::select! {
            rung = &mut ringing => return match rung {
                Rung::Answered => Ok(()),
                Rung::Busy => over(Status::Busy, EndedBy::Phone, Hangup("user_busy", "callee", "486")),
                Rung::Rejected => over(Status::Busy, EndedBy::Phone, Hangup("call_rejected", "callee", "603")),
                Rung::Unanswered => over(Status::NoAnswer, EndedBy::Phone, Hangup("timeout", "caller", "487")),
                Rung::Unreachable => over(Status::Failed, EndedBy::Phone, Hangup("not_found", "callee", "404")),
            },
            command = commands.recv() => match command {
                Some(Command::Hangup) => {
                    return over(Status::Canceled, EndedBy::Api, Hangup("originator_cancel", "caller", "487"));
                }
                // The REST room refuses all else before the answer.
                Some(_) => {}
                None => return over(Status::Canceled, EndedBy::Exchange, Hangup("unspecified", "unknown", "unspecified")),
            },
        }
    }
}

/// Waits for a command that answers the call, with a stream or without; when there is none, how the call ends.
async fn parked(
    commands: &mut mpsc::Receiver<Command>,
    timeout: Duration,
) -> Result<Option<StreamOrder>, End> {
    let over = |status, by, hangup| Err(End { status, by, hangup });
    let unanswered = sleep(timeout);
    tokio::pin!(unanswered);
    loop {
        tokio::select! {
            () = &mut unanswered => {
                return over(Status::NoAnswer, EndedBy::Phone, Hangup("timeout", "caller", "unspecified"));
            }
            command = commands.recv() => match command {
                Some(Command::Answer(stream)) => return Ok(stream),
                Some(Command::Reject(Cause::Busy)) => {
                    return over(Status::Busy, EndedBy::Rejected, Hangup("user_busy", "callee", "unspecified"));
                }
                Some(Command::Reject(Cause::Rejected)) => {
                    return over(Status::NoAnswer, EndedBy::Rejected, Hangup("call_rejected", "callee", "unspecified"));
                }
                Some(Command::Hangup) => {
                    return over(Status::NoAnswer, EndedBy::Api, Hangup("call_rejected", "callee", "unspecified"));
                }
                // The REST room refuses all else before the answer.
                Some(_) => {}
                None => return over(Status::Canceled, EndedBy::Exchange, Hangup("unspecified", "unknown", "unspecified")),
            },
        }
    }
}

pub(super) async fn finish(
    carrier: &Carrier,
    call: &Call,
    events: Events,
    end: End,
    recorded: Recorded,
) {
    let ledger = &carrier.office.ledger;
    call.change(ledger, end.status, recorded.talked);
    events.tell("call.hangup", end.hangup.payload(call));
    recording::end(carrier, call, &events, &recorded);
    events.finish().await;
    call.close(ledger, end.by, recorded);
}

impl Hangup {
    /// What the last event says.
    pub(super) fn payload(&self, call: &Call) -> serde_json::Value {
        let Self(cause, source, sip) = self;
        json!({
            "state": "hangup",
            "start_time": date(call.created),
            "hangup_cause": cause,
            "hangup_source": source,
            "sip_hangup_cause": sip,
        })
    }
}

/// What the first event says.
pub(super) fn initiated(call: &Call, vouched: Vouched) -> serde_json::Value {
    let (direction, state) = match call.direction {
        Direction::Inbound => ("incoming", "parked"),
        Direction::Outbound => ("outgoing", "bridging"),
    };
    let mut initiated = json!({
        "direction": direction,
        "state": state,
        "start_time": date(call.created),
        "caller_id_name": call.from,
        "connection_codecs": "PCMU,PCMA",
        "offered_codecs": "PCMU,PCMA",
        "custom_headers": [],
        "sip_headers": [],
        "tags": [],
    });
    let said = match (call.direction, vouched) {
        (Direction::Outbound, _) | (Direction::Inbound, Vouched::Unsigned) => None,
        (Direction::Inbound, Vouched::Failed) => Some(("A", false)),
        (Direction::Inbound, Vouched::Gateway) => Some(("C", true)),
        (Direction::Inbound, Vouched::Partial) => Some(("B", true)),
        (Direction::Inbound, Vouched::Full) => Some(("A", true)),
    };
    if let Some((level, validated)) = said {
        initiated["shaken_stir_attestation"] = json!(level);
        initiated["shaken_stir_validated"] = json!(validated);
    }
    initiated
}

/// What the event of the answer says.
pub(super) fn answered(call: &Call) -> serde_json::Value {
    json!({
        "state": "answered",
        "start_time": date(call.created),
        "custom_headers": [],
        "sip_headers": [],
        "tags": [],
    })
}

/// The leg of an answered call.
pub(super) struct Leg<'a> {
    pub(super) carrier: &'a Arc<Carrier>,
    pub(super) call: &'a Call,
    pub(super) events: &'a Events,
    pub(super) line: Line,
    pub(super) marks: Vec<Mark>,
    answered: Instant,
}

impl<'a> Leg<'a> {
    fn answered(
        carrier: &'a Arc<Carrier>,
        call: &'a Call,
        events: &'a Events,
        script: Vec<Step>,
    ) -> Self {
        call.change(&carrier.office.ledger, Status::InProgress, Duration::ZERO);
        events.tell("call.answered", answered(call));
        let answered = Instant::now();
        Self {
            carrier,
            call,
            events,
            line: Line::of(carrier.office.band, script, answered),
            marks: Vec::new(),
            answered,
        }
    }

    async fn live(
        mut self,
        mut commands: mpsc::Receiver<Command>,
        mischief: Socket,
        order: Order,
    ) -> (End, Recorded) {
        let deadline = self.answered + order.time_limit;
        let mut attached = Attached::Nothing;
        let mut second = Second::Nobody;
        if let Some(stream) = order.stream {
            attached = self.attach(stream, &mischief);
        }
        let by = loop {
            tokio::select! {
                command = commands.recv() => {
                    match self.obey(command, &mut attached, &mut second, &mischief) {
                        Ok(()) => {}
                        Err(by) => break by,
                    }
                }
                news = attached.next() => match self.learn(news, &mut attached, &mischief).await {
                    Ok(()) => {}
                    Err(by) => break by,
                },
                next = second.next(&mut self.line) => {
                    match self.went(next, &mut attached, &mut second) {
                        Ok(()) => {}
                        Err(by) => break by,
                    }
                }
                () = sleep_until(deadline) => break EndedBy::TimeLimit,
            }
        };
        self.stop(&mut attached);
        self.leave(&mut second);
        let hangup = self.hangup(by);
        let end = End {
            status: Status::Completed,
            by,
            hangup,
        };
        (end, Recorded::on(self.line, self.marks))
    }

    /// Does what the REST API asks; fails when that ends the call.
    fn obey(
        &mut self,
        command: Option<Command>,
        attached: &mut Attached,
        second: &mut Second,
        mischief: &Socket,
    ) -> Result<(), EndedBy> {
        match command {
            Some(Command::Hangup) => return Err(EndedBy::Api),
            Some(Command::StartStream(order)) => *attached = self.attach(order, mischief),
            Some(Command::StopStream) => self.stop(attached),
            Some(Command::Keys(sound)) => {
                self.line.play(sound);
            }
            Some(Command::Transfer(order)) => self.transfer(*order, attached, second),
            // Too late: the REST room refuses them from the answer on.
            Some(Command::Answer(_) | Command::Reject(_)) => {}
            None => return Err(EndedBy::Exchange),
        }
        Ok(())
    }

    /// Begins to open a stream.
    fn attach(&self, order: StreamOrder, mischief: &Socket) -> Attached {
        let id = order.id.clone();
        self.call.set(|own| own.stream = Some(id));
        Attached::opening(Arc::clone(self.carrier), order, mischief.clone())
    }

    /// Moves the line on, and tells what the person does.
    pub(super) fn tick(&mut self, attached: &mut Attached, second: &mut Second) -> Deed {
        let tick = self.line.tick();
        let deed = tick.deed;
        second.pass(&tick);
        if let Deed::Presses(key) = deed {
            let call = self.call.id.clone();
            self.carrier.office.ledger.tell(Happening::Pressed { call, key });
            let digit = json!({"digit": key.to_string()});
            self.events.tell("call.dtmf.received", digit);
        }
        if let Attached::Open(media) = attached
            && deed != Deed::HangsUp
        {
            media.send_tick(tick, self);
        }
        deed
    }

    /// Takes note of what has become of the stream; fails when that ends the call.
    async fn learn(
        &mut self,
        news: News,
        attached: &mut Attached,
        mischief: &Socket,
    ) -> Result<(), EndedBy> {
        match news {
            News::Opened(media) => {
                let mut media = *media;
                let host = authority(&media.order.url).unwrap_or_default();
                let call = self.call.id.clone();
                self.carrier.office.ledger.tell(Happening::Streaming { call, host });
                self.line.restart();
                media.begin(self);
                self.events.tell("streaming.started", json!({"stream_url": media.order.url}));
                *attached = Attached::Open(Box::new(media));
            }
            News::Unopened(order, unopened) => {
                self.warn(STREAMING_FAILED, unopened.text);
                self.fail(attached, &order);
            }
            News::Said(Said::Text(text)) => {
                if let Attached::Open(media) = attached {
                    media.hear(self, &text);
                }
            }
            News::Said(Said::Binary) => {
                if let Attached::Open(media) = attached {
                    media.refuse(self, 100_003, "a binary message");
                }
            }
            News::Said(Said::Closed) => {
                if let Some(media) = self.detach(attached) {
                    media.socket.close();
                    self.events.tell("streaming.stopped", json!({"stream_url": media.order.url}));
                }
            }
            News::Said(Said::Broken(broken)) => return self.mourn(broken, attached, mischief).await,
        }
        Ok(())
    }

    /// The connection broke: the leg stays up without a stream, unless mischief ends it.
    async fn mourn(
        &mut self,
        broken: Broken,
        attached: &mut Attached,
        mischief: &Socket,
    ) -> Result<(), EndedBy> {
        self.warn(STREAMING_FAILED, broken.text);
        if let Some(media) = self.detach(attached) {
            if broken.how == Breach::Reset {
                media.socket.cut().await;
            } else {
                media.socket.close();
            }
            self.fail(attached, &media.order);
        }
        match mischief.abrupt {
            Abrupt::GoesOn | Abrupt::Stays => Ok(()),
            Abrupt::Ends => Err(EndedBy::SocketFailed),
        }
    }

    fn fail(&mut self, attached: &mut Attached, order: &StreamOrder) {
        *attached = Attached::Nothing;
        self.call.set(|own| own.stream = None);
        let failed = json!({
            "failure_reason": "connection_failed",
            "stream_id": order.id,
            "stream_params": {"stream_url": order.url, "track": order.track.as_str()},
            "stream_type": "websocket",
        });
        self.events.tell("streaming.failed", failed);
    }

    /// Ends the stream from the carrier's side.
    pub(super) fn stop(&mut self, attached: &mut Attached) {
        if let Some(media) = self.detach(attached) {
            let url = media.order.url.clone();
            media.stop(self);
            self.events.tell("streaming.stopped", json!({"stream_url": url}));
        }
    }

    /// Takes the stream off the call, with whatever of it was still to be played.
    fn detach(&mut self, attached: &mut Attached) -> Option<super::media::Media> {
        self.call.set(|own| own.stream = None);
        match std::mem::replace(attached, Attached::Nothing) {
            Attached::Open(media) => {
                self.line.restart();
                Some(*media)
            }
            Attached::Nothing | Attached::Opening(..) => None,
        }
    }

    pub(super) fn warn(&self, code: u32, text: impl Into<String>) {
        self.carrier.office.ledger.warn(code, &self.call.id, text);
    }

    /// How the carrier words the end of an answered call.
    fn hangup(&self, by: EndedBy) -> Hangup {
        let (person, application, sip) = match self.call.direction {
            Direction::Inbound => ("caller", "callee", "unspecified"),
            Direction::Outbound => ("callee", "caller", "200"),
        };
        match by {
            EndedBy::Caller => Hangup("normal_clearing", person, sip),
            EndedBy::Api | EndedBy::OtherLeg => Hangup("normal_clearing", application, sip),
            EndedBy::TimeLimit => Hangup("time_limit", "unknown", sip),
            EndedBy::Instructions
            | EndedBy::SocketClosed
            | EndedBy::SocketFailed
            | EndedBy::Fault(_)
            | EndedBy::Phone
            | EndedBy::Rejected
            | EndedBy::Exchange => Hangup("unspecified", "unknown", sip),
        }
    }
}

/// The carrier's number for a stream that failed.
const STREAMING_FAILED: u32 = 90046;
