//! A call's life: from the request to its last webhook, and what its instructions do in between.

use super::body::is_url;
use super::cause::{Cause, Ending, Fault, Source, Wrong};
use super::media::Streaming;
use super::webhook::{self, Notices, Webhook};
use super::xml::{self, Document, Instruction, Reason};
use super::{Call, Carrier, Command, Notice, recording, uuid};
use crate::call::Recorded;
use crate::ear::time;
use crate::ledger::{EndedBy, Happening, Kind, Mark, Status};
use crate::line::{Line, Tick};
use crate::mischief::Socket;
use crate::phone::{Deed, JUDGED, PhonePlan, Pickup, Rung, Step};
use crate::socket::{MediaSocket, Said, Unopened};
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// What a call was asked to be once it is answered.
pub(crate) struct Order {
    pub(crate) answer: Notice,
    /// Asked when `answer` gives nothing.
    pub(crate) fallback: Option<Notice>,
    pub(crate) time_limit: Duration,
    /// The sound of keys to be pressed at the answer.
    pub(crate) keys: Vec<i16>,
    /// Where to say that a machine picked up; nothing where that was not asked.
    pub(crate) machine: Option<Notice>,
}

/// How a phone is called.
pub(crate) struct Ringing {
    pub(crate) longest: Duration,
    /// Nothing when the call is from a number that is not the account's.
    pub(crate) plan: Option<PhonePlan>,
}

/// How a call ended, and what was recorded of it.
struct End {
    status: Status,
    ending: Ending,
    recorded: Recorded,
}

/// Lives an outbound call from the request to its outcome.
pub(crate) async fn outbound(
    carrier: Arc<Carrier>,
    call: Arc<Call>,
    mut commands: mpsc::Receiver<Command>,
    ringing: Ringing,
    order: Order,
) {
    let mischief = carrier.office.mischief();
    let notices = Notices::new(&carrier, &call, mischief.callbacks);
    let ledger = &carrier.office.ledger;
    call.change(ledger, Status::Initiated, Duration::ZERO);
    let end = match ring(&carrier, &call, &notices, &mut commands, ringing).await {
        Err((status, ending)) => End::unanswered(status, ending),
        Ok((script, pickup)) => {
            call.change(ledger, Status::InProgress, Duration::ZERO);
            let mut conversation =
                Conversation::new(&carrier, &call, commands, script, mischief.socket);
            conversation.limit(order.time_limit);
            conversation.line.play(order.keys);
            let ask = Ask {
                whom: order.answer,
                fallback: order.fallback,
                source: Source::Answer,
                more: Vec::new(),
            };
            let judge = judge(&notices, order.machine, pickup);
            let ending = tokio::select! {
                ending = conversation.run(Turn::Onward(ask)) => ending,
                never = judge => match never {},
            };
            End::answered(ending, conversation)
        }
    };
    finish(&carrier, &call, notices, end).await;
}

/// Says so if a machine picked up, without keeping the call waiting, and does nothing else for as long as it lasts. Of
/// people nothing is said.
async fn judge(notices: &Notices, tell: Option<Notice>, pickup: Pickup) -> Infallible {
    if let Some(to) = tell.filter(|_| pickup.is_machine()) {
        sleep(JUDGED).await;
        let more = [("IfMachine", "continue"), ("Machine", "true")];
        let more = more.map(|(name, value)| (name.to_owned(), value.to_owned()));
        notices.tell("MachineDetection", to, more.into());
    }
    pending().await
}

/// Lives an inbound call: instructions are fetched while it rings, and a document that begins with a `<Hangup>` that has
/// a reason keeps it from being answered, as do instructions that cannot be had.
pub(crate) async fn inbound(
    carrier: Arc<Carrier>,
    call: Arc<Call>,
    commands: mpsc::Receiver<Command>,
    script: Vec<Step>,
    order: Order,
) {
    let mischief = carrier.office.mischief();
    let notices = Notices::new(&carrier, &call, mischief.callbacks);
    let ask = Ask {
        whom: order.answer,
        fallback: order.fallback,
        source: Source::Answer,
        more: Vec::new(),
    };
    let end = match load(&carrier, &call, &ask).await {
        Err(fault) => End::unanswered(Status::Failed, Ending::fault(fault)),
        Ok(mut document) => {
            sleep(document.before_answer().min(LONGEST_RING)).await;
            match document.rejection() {
                Some((status, ending)) => End::unanswered(status, ending),
                None => {
                    let ledger = &carrier.office.ledger;
                    call.change(ledger, Status::InProgress, Duration::ZERO);
                    let mut conversation =
                        Conversation::new(&carrier, &call, commands, script, mischief.socket);
                    conversation.limit(order.time_limit);
                    let turn = conversation.perform(document).await;
                    let ending = conversation.run(turn).await;
                    End::answered(ending, conversation)
                }
            }
        }
    };
    finish(&carrier, &call, notices, end).await;
}

/// Rings the phone: what the person who picks up will do, or how the call ends.
async fn ring(
    carrier: &Carrier,
    call: &Call,
    notices: &Notices,
    commands: &mut mpsc::Receiver<Command>,
    ringing: Ringing,
) -> Result<(Vec<Step>, Pickup), (Status, Ending)> {
    let over = |status, by, cause| Err((status, Ending { by, cause }));
    let Some(plan) = ringing.plan else {
        return over(Status::Failed, EndedBy::Phone, Cause::UnknownCaller);
    };
    if plan.pickup.rings() {
        call.change(&carrier.office.ledger, Status::Ringing, Duration::ZERO);
        notices.ring();
    }
    let rung = plan.pickup.ring(ringing.longest);
    tokio::pin!(rung);
    loop {
        tokio::select! {
            rung = &mut rung => return match rung {
                Rung::Answered => Ok((plan.script, plan.pickup)),
                Rung::Busy => over(Status::Busy, EndedBy::Phone, Cause::Busy),
                Rung::Rejected => over(Status::Busy, EndedBy::Phone, Cause::Declined),
                Rung::Unanswered => over(Status::NoAnswer, EndedBy::Phone, Cause::Unanswered),
                Rung::Unreachable => over(Status::Failed, EndedBy::Phone, Cause::Unreachable),
            },
            command = commands.recv() => match command {
                Some(Command::HangUp | Command::Cancel) => {
                    return over(Status::Canceled, EndedBy::Api, Cause::Canceled);
                }
                // The REST room refuses these before the answer.
                Some(Command::Transfer(_) | Command::Keys(_) | Command::Stream(_) | Command::StopStream) => {}
                None => return over(Status::Canceled, EndedBy::Exchange, Cause::Unknown),
            },
        }
    }
}

impl End {
    fn unanswered(status: Status, ending: Ending) -> Self {
        Self {
            status,
            ending,
            recorded: Recorded::default(),
        }
    }

    fn answered(ending: Ending, conversation: Conversation) -> Self {
        Self {
            status: Status::Completed,
            ending,
            recorded: conversation.recorded(),
        }
    }
}

async fn finish(carrier: &Arc<Carrier>, call: &Arc<Call>, notices: Notices, end: End) {
    let ledger = &carrier.office.ledger;
    let hangup = end.ending.cause.hangup(call.direction);
    call.set(|own| own.ended = Some(hangup));
    call.change(ledger, end.status, end.recorded.talked);
    notices.hangup();
    notices.finish().await;
    recording::end(carrier, call, &end.recorded).await;
    call.close(ledger, end.ending.by, end.recorded);
}

impl Document {
    /// How long what comes before the answer takes.
    fn before_answer(&mut self) -> Duration {
        let mut length = Duration::ZERO;
        while let Some(Instruction::PreAnswer(more)) = self.instructions.first() {
            length += *more;
            self.instructions.remove(0);
        }
        length
    }

    /// How an unanswered call ends that is rejected.
    fn rejection(&self) -> Option<(Status, Ending)> {
        let Some(Instruction::Hangup { reason, .. }) = self.instructions.first() else {
            return None;
        };
        let (status, cause) = match reason {
            Reason::None => return None,
            Reason::Rejected => (Status::NoAnswer, Cause::Rejected),
            Reason::Busy => (Status::Busy, Cause::RejectedAsBusy),
        };
        let by = EndedBy::Rejected;
        Some((status, Ending { by, cause }))
    }
}

/// An answered call.
pub(crate) struct Conversation {
    pub(crate) carrier: Arc<Carrier>,
    pub(crate) call: Arc<Call>,
    pub(crate) line: Line,
    pub(crate) marks: Vec<Mark>,
    pub(crate) socket: Socket,
    pub(crate) streaming: Streaming,
    pub(super) commands: mpsc::Receiver<Command>,
    /// A transfer that waits for the end of the stream that keeps the call alive.
    pub(crate) transfer: Option<Notice>,
    answered: Instant,
    pub(super) deadline: (Instant, Ending),
}

/// What takes the call out of the instruction it is in.
pub(crate) enum Turn {
    Ended(Ending),
    Onward(Ask),
}

/// A request for instructions.
pub(crate) struct Ask {
    whom: Notice,
    fallback: Option<Notice>,
    source: Source,
    /// What is said beyond what is always said of a call.
    more: Vec<(String, String)>,
}

impl Ask {
    fn new(whom: Notice, source: Source) -> Self {
        Self {
            whom,
            fallback: None,
            source,
            more: Vec::new(),
        }
    }

    /// Takes note of what is wrong with the instructions.
    fn fault(&self, carrier: &Carrier, call: &Call, what: Wrong, text: String) -> Fault {
        let source = self.source;
        let fault = Fault { what, source };
        carrier.office.ledger.warn(fault.code(), &call.id, text);
        fault
    }

    /// What the application is asked when a `<Dial>` is over.
    pub(super) fn action(whom: Notice, more: Vec<(String, String)>) -> Self {
        Self {
            more,
            ..Self::new(whom, Source::Action)
        }
    }

    /// A transfer to other instructions.
    pub(crate) fn transfer(whom: Notice) -> Self {
        Self::new(whom, Source::Transfer)
    }
}

/// Something that happens while an instruction is being performed.
pub(crate) enum News {
    Asked(Option<Command>),
    Opened(Result<MediaSocket, Unopened>),
    Said(Said),
    /// The stream has had its time.
    StreamOver,
    Tick,
    Deadline,
}

impl Conversation {
    fn new(
        carrier: &Arc<Carrier>,
        call: &Arc<Call>,
        commands: mpsc::Receiver<Command>,
        script: Vec<Step>,
        socket: Socket,
    ) -> Self {
        let answered = Instant::now();
        let limit = Ending {
            by: EndedBy::TimeLimit,
            cause: Cause::TimeLimit,
        };
        Self {
            carrier: Arc::clone(carrier),
            call: Arc::clone(call),
            line: Line::of(carrier.office.band, script, answered),
            marks: Vec::new(),
            socket,
            streaming: Streaming::Idle,
            commands,
            transfer: None,
            answered,
            deadline: (answered + FOREVER, limit),
        }
    }

    fn limit(&mut self, time_limit: Duration) {
        self.deadline.0 = self.answered + time_limit.min(FOREVER);
    }

    fn recorded(mut self) -> Recorded {
        self.stop_stream();
        Recorded::on(self.line, self.marks)
    }

    /// Performs one document after the other until the call ends.
    async fn run(&mut self, first: Turn) -> Ending {
        let mut turn = first;
        for _ in 0..MOST_DOCUMENTS {
            let ask = match turn {
                Turn::Ended(ending) => return ending,
                Turn::Onward(ask) => ask,
            };
            let (carrier, call) = (Arc::clone(&self.carrier), Arc::clone(&self.call));
            turn = match self.aside(load(&carrier, &call, &ask)).await {
                Ok(Ok(document)) => self.perform(document).await,
                Ok(Err(fault)) => return Ending::fault(fault),
                Err(turn) => turn,
            };
        }
        self.warn("too many documents in one call");
        Ending {
            by: EndedBy::Instructions,
            cause: Cause::Unknown,
        }
    }

    async fn perform(&mut self, document: Document) -> Turn {
        let mut by = EndedBy::Instructions;
        for instruction in document.instructions {
            match self.perform_one(instruction).await {
                Ok(performed) => by = performed,
                Err(turn) => return turn,
            }
        }
        Turn::Ended(Ending {
            by,
            cause: Cause::EndOfXml,
        })
    }

    /// Performs one element; who or what ends the call if nothing follows.
    async fn perform_one(&mut self, instruction: Instruction) -> Result<EndedBy, Turn> {
        let hangup = Ending {
            by: EndedBy::Instructions,
            cause: Cause::HangupElement,
        };
        match instruction {
            Instruction::Stream(stream) => {
                let stays = stream.keeps_call_alive;
                if self.call.state().own.stream.is_some() {
                    self.warn("<Stream>: the call has a stream already; it is passed over");
                } else {
                    self.open_stream(*stream, uuid());
                    if stays {
                        return self.stay().await;
                    }
                }
            }
            Instruction::Conference(wanted) => self.confer(*wanted).await?,
            Instruction::Dial(dial) => self.dial(*dial).await?,
            Instruction::Redirect(there) if is_url(&there.url) => {
                return Err(Turn::Onward(Ask::new(there, Source::Redirect)));
            }
            Instruction::Redirect(there) => {
                self.warn(format!("<Redirect> to {:?}, which is no URL", there.url));
                let (what, source) = (Wrong::NoUrl, Source::Redirect);
                return Err(Turn::Ended(Ending::fault(Fault { what, source })));
            }
            Instruction::Hangup { after, .. } if after.is_zero() => {
                return Err(Turn::Ended(hangup));
            }
            Instruction::Hangup { after, .. } => {
                let at = Instant::now() + after;
                if at < self.deadline.0 {
                    self.deadline = (at, hangup);
                }
            }
            Instruction::Silence(length) => self.aside(sleep(length.min(FOREVER))).await?,
            Instruction::Keys(sound) => {
                let length = time(sound.len());
                self.line.play(sound);
                self.aside(sleep(length)).await?;
            }
            // The call is answered already.
            Instruction::PreAnswer(_) => {}
        }
        Ok(EndedBy::Instructions)
    }

    /// Does something else while the call lives on: the person may speak, press keys or hang up, a stream may be talking,
    /// and the REST API may interfere.
    pub(crate) async fn aside<W: Future>(&mut self, work: W) -> Result<W::Output, Turn> {
        tokio::pin!(work);
        loop {
            let news = tokio::select! {
                output = &mut work => return Ok(output),
                news = self.next() => news,
            };
            self.take(news)?;
        }
    }

    /// Waits for what happens next. Nothing is lost when this is cancelled.
    pub(crate) async fn next(&mut self) -> News {
        tokio::select! {
            command = self.commands.recv() => News::Asked(command),
            news = self.streaming.next() => news,
            () = sleep_until(self.line.next_tick()) => News::Tick,
            () = sleep_until(self.deadline.0) => News::Deadline,
        }
    }

    /// Lives with what has happened; fails when it takes the call elsewhere.
    pub(crate) fn take(&mut self, news: News) -> Result<(), Turn> {
        match news {
            News::Asked(command) => self.obey(command)?,
            News::Opened(opened) => self.begin_stream(opened),
            News::Said(said) => self.listen(said),
            News::StreamOver => self.stop_stream(),
            News::Tick => self.tick()?,
            News::Deadline => return Err(Turn::Ended(self.deadline.1)),
        }
        Ok(())
    }

    /// Moves the line on; fails when the person hangs up.
    fn tick(&mut self) -> Result<(), Turn> {
        let tick = self.hear_person()?;
        self.speak(tick);
        Ok(())
    }

    /// The same, before the stream has what the person said.
    pub(super) fn hear_person(&mut self) -> Result<Tick, Turn> {
        let tick = self.line.tick();
        match tick.deed {
            Deed::HangsUp => {
                return Err(Turn::Ended(Ending {
                    by: EndedBy::Caller,
                    cause: Cause::Person,
                }));
            }
            Deed::Presses(key) => {
                let call = self.call.id.clone();
                let ledger = &self.carrier.office.ledger;
                ledger.tell(Happening::Pressed { call, key });
            }
            Deed::Nothing | Deed::Starts | Deed::Ends => {}
        }
        Ok(tick)
    }

    /// Does what the REST API asks.
    fn obey(&mut self, command: Option<Command>) -> Result<(), Turn> {
        let ended = |by, cause| Err(Turn::Ended(Ending { by, cause }));
        match command {
            Some(Command::HangUp) => return ended(EndedBy::Api, Cause::Api),
            Some(Command::Transfer(there)) if self.streaming.keeps_call_alive() => {
                self.transfer = Some(there);
            }
            Some(Command::Transfer(there)) => return Err(Turn::Onward(Ask::transfer(there))),
            Some(Command::Keys(sound)) => {
                self.line.play(sound);
            }
            Some(Command::Stream(stream)) => {
                let id = self.call.state().own.stream.unwrap_or_else(uuid);
                self.open_stream(*stream, id);
            }
            Some(Command::StopStream) => self.stop_stream(),
            // Cancelling never affects an answered call.
            Some(Command::Cancel) => {}
            None => return ended(EndedBy::Exchange, Cause::Unknown),
        }
        Ok(())
    }

    pub(crate) fn warn(&self, text: impl Into<String>) {
        self.carrier.office.ledger.warn(0, &self.call.id, text);
    }
}

/// Gets a document, by way of the fallback when there is one and the first address gives nothing.
async fn load(carrier: &Carrier, call: &Call, ask: &Ask) -> Result<Document, Fault> {
    let page = match (fetch(carrier, call, ask, &ask.whom).await, &ask.fallback) {
        (Err(_), Some(fallback)) => fetch(carrier, call, ask, fallback).await?,
        (first, _) => first?,
    };
    let document = xml::parse(&page).map_err(|why| ask.fault(carrier, call, Wrong::Xml, why.0))?;
    for warning in &document.warnings {
        carrier.office.ledger.warn(0, &call.id, warning.clone());
    }
    Ok(document)
}

async fn fetch(carrier: &Carrier, call: &Call, ask: &Ask, to: &Notice) -> Result<String, Fault> {
    let event = match ask.source {
        Source::Answer | Source::Transfer => "StartApp",
        Source::Action | Source::Redirect => "Redirect",
    };
    let nonce = webhook::nonce();
    let mut form = webhook::fields(carrier, call, event);
    form.extend(ask.more.iter().cloned());
    let webhook = Webhook {
        event,
        to,
        form,
        kind: Kind::Genuine,
        nonce: &nonce,
    };
    let page = webhook::send(carrier, call, webhook).await.map_err(|why| {
        let text = format!("{}: {why}", to.url);
        ask.fault(carrier, call, Wrong::Unreached, text)
    })?;
    let kind = page.content_type.split(';').next().unwrap_or_default();
    if !READABLE.contains(&kind.trim().to_ascii_lowercase().as_str()) {
        let text = format!("XML is application/xml, not {kind:?}");
        carrier.office.ledger.warn(0, &call.id, text);
    }
    Ok(page.body)
}

/// A phone rings for this long when nobody says otherwise.
pub(crate) const LONGEST_RING: Duration = Duration::from_secs(120);
const MOST_DOCUMENTS: usize = 100;
/// Longer than any call; a clock can still add it.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);
const READABLE: &[&str] = &["application/xml", "text/xml"];
