//! A call's life: from queued to its last callback, and what its instructions do in between.

use super::twiml::{self, Method, Onward, Reason, Verb};
use super::webhook::{self, StatusCourier, Webhook};
use super::{Call, Carrier, Command, Fetch, Instructions, recording};
use crate::call::Recorded;
use crate::ledger::{EndedBy, Happening, Kind, Mark, Status};
use crate::line::{Line, Tick};
use crate::mischief::Socket;
use crate::office::fresh;
use crate::phone::{Deed, JUDGED, Person, PhonePlan, Pickup, Rung, Step};
use std::convert::Infallible;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until};

/// What a call was asked to be.
pub(crate) struct Order {
    pub(crate) instructions: Instructions,
    /// How long it may ring.
    pub(crate) timeout: Duration,
    /// How long it may last.
    pub(crate) time_limit: Duration,
    /// Where to say who picked up; nothing where that was not asked.
    pub(crate) answered_by: Option<String>,
}

/// How a call ended, and what was recorded of it.
pub(super) struct End {
    pub(super) status: Status,
    pub(super) by: EndedBy,
    pub(super) recorded: Recorded,
}

/// Lives an outbound call from queued to its outcome.
pub(crate) async fn outbound(
    carrier: Arc<Carrier>,
    call: Arc<Call>,
    mut commands: mpsc::Receiver<Command>,
    plan: PhonePlan,
    order: Order,
) {
    let mischief = carrier.office.mischief();
    let mut progress = Progress::new(&carrier, &call, mischief.callbacks);
    progress.to(Status::Initiated);
    let end = match ring(&mut progress, &mut commands, &plan, order.timeout).await {
        Err((status, by)) => End {
            status,
            by,
            recorded: Recorded::default(),
        },
        Ok(()) => {
            progress.to(Status::InProgress);
            let person = Person::new(plan.script);
            let mut conversation =
                Conversation::new(&carrier, &call, commands, person, mischief.socket);
            conversation.limit(order.time_limit);
            let judge = judge(&carrier, &call, order.answered_by, plan.pickup);
            let by = tokio::select! {
                by = conversation.run(order.instructions) => by,
                never = judge => match never {},
            };
            End {
                status: Status::Completed,
                by,
                recorded: conversation.recorded(),
            }
        }
    };
    finish(&carrier, &call, progress, end).await;
}

/// Says who picked up, without keeping the call waiting (`AsyncAmd`), and does nothing else for as long as it lasts.
async fn judge(carrier: &Carrier, call: &Call, tell: Option<String>, pickup: Pickup) -> Infallible {
    if let Some(url) = tell {
        sleep(JUDGED).await;
        let who = if pickup.is_machine() {
            "machine_start"
        } else {
            "human"
        };
        let form = [
            ("AccountSid", carrier.account.id.clone()),
            ("AnsweredBy", who.to_owned()),
            ("CallSid", call.id.clone()),
            ("MachineDetectionDuration", JUDGED.as_millis().to_string()),
        ];
        let told = Webhook {
            event: "answered-by",
            url: &url,
            method: Method::Post,
            form: form.map(|(name, value)| (name.to_owned(), value)).into(),
            kind: Kind::Genuine,
            token: &fresh(""),
        };
        if let Err(unanswered) = webhook::send(carrier, call, told).await {
            let ledger = &carrier.office.ledger;
            ledger.warn(unanswered.code, &call.id, unanswered.text);
        }
    }
    pending().await
}

/// Lives an inbound call: instructions are fetched while it rings, and only a document that begins with
/// `<Reject>` keeps it from being answered.
pub(crate) async fn inbound(
    carrier: Arc<Carrier>,
    call: Arc<Call>,
    commands: mpsc::Receiver<Command>,
    script: Vec<Step>,
    order: Order,
) {
    let mischief = carrier.office.mischief();
    let mut progress = Progress::new(&carrier, &call, mischief.callbacks);
    let loaded = load(&carrier, &call, order.instructions, "").await;
    let end = match loaded {
        Ok(Loaded { document, .. })
            if matches!(document.verbs.first(), Some(Verb::Reject { .. })) =>
        {
            let status = match document.verbs.first() {
                Some(Verb::Reject {
                    reason: Reason::Busy,
                }) => Status::Busy,
                _ => Status::NoAnswer,
            };
            End {
                status,
                by: EndedBy::Rejected,
                recorded: Recorded::default(),
            }
        }
        loaded => {
            progress.to(Status::InProgress);
            let person = Person::new(script);
            let mut conversation =
                Conversation::new(&carrier, &call, commands, person, mischief.socket);
            conversation.limit(order.time_limit);
            let by = conversation.perform_all(loaded).await;
            End {
                status: Status::Completed,
                by,
                recorded: conversation.recorded(),
            }
        }
    };
    finish(&carrier, &call, progress, end).await;
}

/// Rings the phone; when it is not answered, how the call ends.
async fn ring(
    progress: &mut Progress,
    commands: &mut mpsc::Receiver<Command>,
    plan: &PhonePlan,
    timeout: Duration,
) -> Result<(), (Status, EndedBy)> {
    if plan.pickup.rings() {
        progress.to(Status::Ringing);
    }
    let ringing = plan.pickup.ring(timeout);
    tokio::pin!(ringing);
    loop {
        tokio::select! {
            rung = &mut ringing => return match rung {
                Rung::Answered => Ok(()),
                Rung::Busy | Rung::Rejected => Err((Status::Busy, EndedBy::Phone)),
                Rung::Unanswered => Err((Status::NoAnswer, EndedBy::Phone)),
                Rung::Unreachable => Err((Status::Failed, EndedBy::Phone)),
            },
            command = commands.recv() => match command {
                Some(Command::Complete | Command::Cancel) => return Err((Status::Canceled, EndedBy::Api)),
                // The REST room refuses redirects before the answer, and a time limit counts from it.
                Some(Command::Redirect(_) | Command::TimeLimit(_)) => {}
                None => return Err((Status::Canceled, EndedBy::Exchange)),
            },
        }
    }
}

pub(super) async fn finish(
    carrier: &Arc<Carrier>,
    call: &Arc<Call>,
    mut progress: Progress,
    end: End,
) {
    let ledger = &carrier.office.ledger;
    call.change(ledger, end.status, end.recorded.talked);
    progress.tell();
    progress.courier.finish().await;
    recording::end(carrier, call, &end.recorded).await;
    call.close(ledger, end.by, end.recorded);
}

/// The call's status and the callbacks that tell it.
pub(super) struct Progress {
    carrier: Arc<Carrier>,
    call: Arc<Call>,
    courier: StatusCourier,
}

impl Progress {
    pub(super) fn new(
        carrier: &Arc<Carrier>,
        call: &Arc<Call>,
        mischief: crate::mischief::Callbacks,
    ) -> Self {
        let courier = StatusCourier::new(Arc::clone(carrier), Arc::clone(call), mischief);
        Self {
            carrier: Arc::clone(carrier),
            call: Arc::clone(call),
            courier,
        }
    }

    pub(super) fn to(&mut self, status: Status) {
        self.call
            .change(&self.carrier.office.ledger, status, Duration::ZERO);
        self.tell();
    }

    fn tell(&mut self) {
        self.courier.tell(&self.carrier, &self.call);
    }
}

/// An answered call.
pub(crate) struct Conversation {
    pub(crate) carrier: Arc<Carrier>,
    pub(crate) call: Arc<Call>,
    pub(crate) commands: mpsc::Receiver<Command>,
    pub(crate) line: Line,
    pub(crate) marks: Vec<Mark>,
    pub(crate) socket: Socket,
    pub(crate) deadline: Instant,
    answered: Instant,
}

/// What takes the call out of the instruction it is in.
pub(crate) enum Turn {
    Ended(EndedBy),
    Redirected(Instructions),
}

/// A document, and the URL its own URLs are relative to.
struct Loaded {
    document: twiml::Document,
    base: String,
}

/// The instructions could not be had or read; the carrier's number for why.
struct Unloaded(u32);

impl Conversation {
    fn new(
        carrier: &Arc<Carrier>,
        call: &Arc<Call>,
        commands: mpsc::Receiver<Command>,
        person: Person,
        socket: Socket,
    ) -> Self {
        let answered = Instant::now();
        Self {
            carrier: Arc::clone(carrier),
            call: Arc::clone(call),
            commands,
            line: Line::new(person, answered),
            marks: Vec::new(),
            socket,
            deadline: answered + FOREVER,
            answered,
        }
    }

    fn recorded(self) -> Recorded {
        Recorded::on(self.line, self.marks)
    }

    fn limit(&mut self, time_limit: Duration) {
        self.deadline = self.answered + time_limit.min(FOREVER);
    }

    async fn run(&mut self, first: Instructions) -> EndedBy {
        match self.load(first, "").await {
            Ok(loaded) => self.perform_all(loaded).await,
            Err(Turn::Ended(by)) => by,
            Err(Turn::Redirected(instructions)) => Box::pin(self.run(instructions)).await,
        }
    }

    async fn perform_all(&mut self, first: Result<Loaded, Unloaded>) -> EndedBy {
        let mut loaded = first;
        for _ in 0..MOST_DOCUMENTS {
            let (mut base, mut turn) = match loaded {
                Err(Unloaded(code)) => return EndedBy::Fault(code),
                Ok(Loaded { document, base }) => {
                    let turn = self.perform(document, &base).await;
                    (base, turn)
                }
            };
            loaded = loop {
                match turn {
                    Turn::Ended(by) => return by,
                    Turn::Redirected(instructions) => match self.load(instructions, &base).await {
                        Ok(loaded) => break loaded,
                        Err(next) => {
                            base = String::new();
                            turn = next;
                        }
                    },
                }
            };
        }
        self.carrier
            .office.ledger
            .warn(11200, &self.call.id, "too many documents in one call");
        EndedBy::Fault(11200)
    }

    /// Gets a document while the line lives on.
    async fn load(
        &mut self,
        instructions: Instructions,
        base: &str,
    ) -> Result<Result<Loaded, Unloaded>, Turn> {
        let (carrier, call) = (Arc::clone(&self.carrier), Arc::clone(&self.call));
        self.aside(load(&carrier, &call, instructions, base)).await
    }

    async fn perform(&mut self, document: twiml::Document, base: &str) -> Turn {
        let mut last = EndedBy::Instructions;
        for verb in document.verbs {
            last = EndedBy::Instructions;
            let done = match verb {
                Verb::Hangup | Verb::Reject { .. } => return Turn::Ended(EndedBy::Instructions),
                Verb::Redirect { url, method } => {
                    return Turn::Redirected(onward(url, method, base, "voice", Vec::new()));
                }
                Verb::Play => Ok(()),
                Verb::Pause { length } => self.aside(sleep(length)).await,
                Verb::Say { text } => {
                    let length =
                        SPEAKING * u32::try_from(text.trim().chars().count()).unwrap_or(u32::MAX);
                    self.aside(sleep(length.min(FOREVER))).await
                }
                Verb::Confer(confer) => match self.confer(&confer, base).await {
                    Err(turn) => return turn,
                    Ok(dialled) => match confer.action {
                        Onward::Fetch(url) => {
                            let extra = dialled.fields();
                            let next = onward(url, confer.method, base, "action", extra);
                            return Turn::Redirected(next);
                        }
                        Onward::NextVerb => Ok(()),
                    },
                },
                Verb::Dial(dial) => match self.dial(&dial, base).await {
                    Err(turn) => return turn,
                    Ok(dialled) => match dial.action {
                        Onward::Fetch(url) => {
                            let extra = dialled.fields();
                            let next = onward(url, dial.method, base, "action", extra);
                            return Turn::Redirected(next);
                        }
                        Onward::NextVerb => Ok(()),
                    },
                },
                Verb::Connect {
                    stream,
                    action,
                    method,
                } => {
                    let streamed = self.stream(&stream).await;
                    match (streamed, action) {
                        (Err(turn), _) => return turn,
                        (Ok(ended), Onward::Fetch(url)) => {
                            let extra = vec![
                                ("StreamSid".to_owned(), ended.stream),
                                ("StreamEvent".to_owned(), ended.event.to_owned()),
                            ];
                            return Turn::Redirected(onward(url, method, base, "action", extra));
                        }
                        (Ok(ended), Onward::NextVerb) => {
                            last = ended.by;
                            Ok(())
                        }
                    }
                }
            };
            if let Err(turn) = done {
                return turn;
            }
        }
        Turn::Ended(last)
    }

    /// Does something else while the line lives on: the person may speak, press keys or hang up, and the REST API may
    /// interfere.
    pub(crate) async fn aside<W: Future>(&mut self, work: W) -> Result<W::Output, Turn> {
        tokio::pin!(work);
        loop {
            tokio::select! {
                output = &mut work => return Ok(output),
                command = self.commands.recv() => self.obey(command)?,
                () = sleep_until(self.line.next_tick()) => {
                    self.tick()?;
                }
                () = sleep_until(self.deadline) => return Err(Turn::Ended(EndedBy::TimeLimit)),
            }
        }
    }

    /// Moves the line on; fails when the person hangs up.
    pub(crate) fn tick(&mut self) -> Result<Tick, Turn> {
        let tick = self.line.tick();
        match tick.deed {
            Deed::HangsUp => Err(Turn::Ended(EndedBy::Caller)),
            Deed::Presses(key) => {
                let call = self.call.id.clone();
                self.carrier.office.ledger.tell(Happening::Pressed { call, key });
                Ok(tick)
            }
            Deed::Nothing | Deed::Starts | Deed::Ends => Ok(tick),
        }
    }

    /// Does what the REST API asks.
    pub(crate) fn obey(&mut self, command: Option<Command>) -> Result<(), Turn> {
        match command {
            Some(Command::Complete) => Err(Turn::Ended(EndedBy::Api)),
            Some(Command::Redirect(instructions)) => Err(Turn::Redirected(instructions)),
            Some(Command::TimeLimit(limit)) => {
                self.limit(limit);
                Ok(())
            }
            // Cancelling never affects an answered call.
            Some(Command::Cancel) => Ok(()),
            None => Err(Turn::Ended(EndedBy::Exchange)),
        }
    }
}

/// Gets a document, by way of the fallback when it has one and the first address fails.
async fn load(
    carrier: &Carrier,
    call: &Call,
    instructions: Instructions,
    base: &str,
) -> Result<Loaded, Unloaded> {
    let (text, base) = match instructions {
        Instructions::Inline(text) => (text, base.to_owned()),
        Instructions::Fetch(fetch) => {
            let extra = fetch.extra.clone();
            let first = fetch_page(carrier, call, &fetch.url, &fetch, extra).await;
            match (first, &fetch.fallback) {
                (Ok(text), _) => (text, fetch.url),
                (Err(Unloaded(code)), Onward::NextVerb) => return Err(Unloaded(code)),
                (Err(Unloaded(code)), Onward::Fetch(url)) => {
                    let extra = vec![
                        ("ErrorCode".to_owned(), code.to_string()),
                        ("ErrorUrl".to_owned(), fetch.url.clone()),
                    ];
                    (
                        fetch_page(carrier, call, url, &fetch, extra).await?,
                        url.clone(),
                    )
                }
            }
        }
    };
    let document = twiml::parse(&text).map_err(|why| {
        carrier.office.ledger.warn(12100, &call.id, why.0);
        Unloaded(12100)
    })?;
    for warning in &document.warnings {
        carrier.office.ledger.warn(12200, &call.id, warning.clone());
    }
    Ok(Loaded { document, base })
}

async fn fetch_page(
    carrier: &Carrier,
    call: &Call,
    url: &str,
    fetch: &Fetch,
    extra: Vec<(String, String)>,
) -> Result<String, Unloaded> {
    let mut form = webhook::fields(carrier, call);
    form.extend(extra);
    let token = fresh("");
    let (event, method, kind) = (fetch.event, fetch.method, Kind::Genuine);
    let request = Webhook {
        event,
        url,
        method,
        form,
        kind,
        token: &token,
    };
    let page = webhook::send(carrier, call, request)
        .await
        .map_err(|unanswered| {
            carrier
                .office.ledger
                .warn(unanswered.code, &call.id, unanswered.text);
            Unloaded(unanswered.code)
        })?;
    if !(200..300).contains(&page.status) {
        carrier.office.ledger.warn(
            11200,
            &call.id,
            format!("HTTP {} from {event}", page.status),
        );
        return Err(Unloaded(11200));
    }
    let kind = page
        .content_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    if !READABLE.contains(&kind.as_str()) {
        carrier.office.ledger.warn(
            12300,
            &call.id,
            format!("instructions cannot be read from {kind:?}"),
        );
        return Err(Unloaded(12300));
    }
    Ok(page.body)
}

/// The next document; its URL may be relative to this one's.
fn onward(
    url: String,
    method: Method,
    base: &str,
    event: &'static str,
    extra: Vec<(String, String)>,
) -> Instructions {
    Instructions::Fetch(Fetch {
        url: absolute(&url, base),
        method,
        fallback: Onward::NextVerb,
        event,
        extra,
    })
}

/// A URL that may be relative to the one its document came from.
pub(super) fn absolute(url: &str, base: &str) -> String {
    match url::Url::parse(base).and_then(|base| base.join(url)) {
        // An absolute URL is kept byte for byte: it is what gets signed.
        Ok(joined) if !url.contains("://") => joined.to_string(),
        Ok(_) | Err(_) => url.to_owned(),
    }
}

/// How a stream ended, when the call goes on.
pub(crate) struct Ended {
    pub(crate) stream: String,
    pub(crate) event: &'static str,
    pub(crate) by: EndedBy,
}

/// A character spoken by `<Say>` takes about this long.
const SPEAKING: Duration = Duration::from_millis(60);
const MOST_DOCUMENTS: usize = 100;
/// Longer than any call; a clock can still add it.
const FOREVER: Duration = Duration::from_secs(24 * 60 * 60);
const READABLE: &[&str] = &["text/xml", "application/xml", "text/html"];
