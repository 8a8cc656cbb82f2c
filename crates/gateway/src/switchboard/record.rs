//! What is known of a call from outside it.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use super::Handover;
use super::pairing::Entrance;
use call::event::End;
use call::input::{self, Command, Input};
use call::{
    Attestation, Dialling, Direction, Event, Heard, Keys, Mode, Number, Place, Private, Trust,
};
use policy::{Pressed, Proof};
use ports::agent::{Line, Objective};
use ports::carrier::{Leg, Stream};
use ports::{Blame, Fault, code};
use serde::Serialize;
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, watch};
use tokio::time::sleep;
use uuid::Uuid;

use crate::flight::Landing;
use crate::journal::{Began, CallLog, Parties, Past, Pen};
use crate::line::Wire;
use crate::meeting::Chair;
use crate::recorder;
use crate::runner::Control;

/// Our name for a call. Later calls have greater names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(Uuid);

impl CallId {
    /// A new name.
    pub fn random() -> Self {
        Self(Uuid::now_v7())
    }

    /// Reads a name as [`fmt::Display`] writes it.
    pub fn parse(text: &str) -> Option<Self> {
        Uuid::try_parse(text).ok().map(Self)
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

/// One call.
#[derive(Debug)]
pub struct Record {
    /// Our name for it.
    pub id: CallId,
    /// Who called whom.
    pub direction: Direction,
    /// The person's number, if it is known.
    pub caller: Option<Number>,
    /// Our number.
    pub number: Number,
    /// A key of [`crate::config::Plan::carriers`].
    pub carrier: String,
    /// A key of [`crate::config::Plan::agents`].
    pub agent: String,
    /// Who vouches for the number that the person shows.
    pub(super) attestation: Attestation,
    /// By which right they are on it.
    pub(super) entrance: Entrance,
    talk: Talks,
    /// What happened.
    pub log: CallLog,
    pub(super) landing: Landing,
    pub(crate) control: mpsc::Sender<Control<Wire>>,
    leg: Mutex<Option<Leg>>,
    streams: Mutex<Streams>,
    /// We are hanging up: whoever asks what to do with the call is told so.
    leaving: AtomicBool,
    /// Whether it costs money at its carrier.
    bill: watch::Sender<Bill>,
    /// Somebody was heard to have picked up, also when nobody here wanted them any more.
    picked_up: AtomicBool,
    /// Somebody sees to it that it is over at its carrier.
    insisted: AtomicBool,
    fault: OnceLock<Report>,
    notices: Mutex<HashSet<String>>,
    /// How its carrier is to put it through; `None`: it is not.
    handover: Mutex<Option<Handover>>,
    /// Somebody takes its caller away from their agent just now.
    departing: AtomicBool,
    /// The keys that were pressed on it.
    pub(super) pressed: Mutex<Pressed>,
    /// What was said on it before another process lost it.
    before: OnceLock<Vec<Line>>,
    /// Where its dial stands; one that we did not make is as good as placed.
    dialling: watch::Sender<Dialling>,
    /// What the person proved before another process lost it.
    earlier: OnceLock<Proof>,
}

/// Where a call's sound has gone so far. Each time it gets another socket, with a number of its own.
#[derive(Debug)]
struct Streams {
    last: u64,
    stream: Option<Stream>,
}

/// A fault as people see it.
#[derive(Clone, Debug, Serialize, utoipa::ToSchema)]
pub struct Report {
    /// One of [`ports::code`].
    pub code: &'static str,
    /// Whose it is.
    pub blame: &'static str,
    /// What happened.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl From<&Fault> for Report {
    fn from(fault: &Fault) -> Self {
        Self {
            code: fault.code,
            blame: match fault.blame {
                Blame::Agent => "agent",
                Blame::Caller => "caller",
                Blame::Carrier => "carrier",
                Blame::Config => "config",
                Blame::Gateway => "gateway",
                Blame::Vendor => "vendor",
            },
            message: fault.message.clone(),
            hint: fault.hint.clone(),
        }
    }
}

/// How a call stands with whoever is to be paid for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bill {
    /// It may be up at its carrier, and cost money there, also when it is over here.
    Runs,
    /// Its carrier said that it is over, when it was this old; or it was never made.
    Stopped(Duration),
    /// Nobody knows what it came to. By now its carrier has ended it by itself.
    Unknown,
}

/// What a call is made of before anything happens on it.
#[derive(Clone)]
pub(super) struct Born {
    pub(super) direction: Direction,
    pub(super) caller: Option<Number>,
    pub(super) number: Number,
    pub(super) carrier: String,
    pub(super) agent: String,
    pub(super) talk: Talks,
    pub(super) allowed_by: String,
    pub(super) attestation: Attestation,
    pub(super) trust: Trust,
    pub(super) entrance: Entrance,
    /// What it is for, if somebody said.
    pub(super) objective: Option<Objective>,
    /// What the token is called that it was asked for with, if that matters.
    pub(super) asked_by: Option<String>,
}

/// What is talked about on a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Talks {
    /// Whatever comes up: an agent talks.
    WithAgent,
    /// Nothing that could wait.
    Otherwise,
}

impl Talks {
    pub(super) fn of(mode: &Mode) -> Self {
        match mode {
            Mode::Conversation { .. } => Self::WithAgent,
            Mode::Loopback | Mode::Notify { .. } | Mode::Seat(_) => Self::Otherwise,
        }
    }
}

/// Someone on the way from their agent to somewhere else, where nobody else can take them. Dropped, they may
/// be taken again.
#[derive(Debug)]
pub(super) struct Departure(Arc<Record>);

impl Departure {
    /// They have been told where to go: waits, aside, until they have gone.
    pub(super) fn see_off(self) {
        tokio::spawn(async move {
            // A call that has something else to do does not go.
            let _ = tokio::time::timeout(SEEN_OFF, self.0.log.left_alone()).await;
        });
    }
}

impl Drop for Departure {
    fn drop(&mut self) {
        self.0.departing.store(false, Ordering::Release);
    }
}

/// By then a call has done what it was told, also behind all that its caller has to hear first, or will not.
const SEEN_OFF: Duration = Duration::from_secs(20);
/// A carrier that says a call is over when it is asked is about to say so by itself.
const ITS_OWN_WORD: Duration = Duration::from_secs(2);

impl Talks {
    /// With somebody who calls us. Strangers do not get to any agent.
    pub(super) fn of_caller(entrance: Entrance, mode: &Mode) -> Self {
        match entrance {
            Entrance::Listed | Entrance::Paired => Self::of(mode),
            Entrance::Stranger => Self::Otherwise,
        }
    }
}

/// A carrier sends a handful of notices about a call; more than this and it is not one we know.
const NOTICES: usize = 256;

impl Streams {
    fn next(&mut self, make: impl FnOnce(u64) -> Stream) -> Stream {
        self.last += 1;
        let stream = make(self.last);
        self.stream = Some(stream.clone());
        stream
    }
}

impl Record {
    pub(super) fn new(
        id: CallId,
        born: Born,
        control: mpsc::Sender<Control<Wire>>,
        pen: Pen,
    ) -> Self {
        Self::resume(id, born, control, pen, (Past::default(), 0))
    }

    /// A call that another process began, and whose sockets it numbered up to `last` at most.
    pub(super) fn resume(
        id: CallId,
        born: Born,
        control: mpsc::Sender<Control<Wire>>,
        pen: Pen,
        (past, last): (Past, u64),
    ) -> Self {
        let text = |number: &Number| Private::from(number.as_str().to_owned());
        let parties = Parties {
            direction: match born.direction {
                Direction::Inbound => "inbound",
                Direction::Outbound => "outbound",
            },
            number: text(&born.number),
            caller: born.caller.as_ref().map(text),
            carrier: born.carrier.clone(),
            agent: born.agent.clone(),
            allowed_by: born.allowed_by,
            trust: born.trust,
            objective: born.objective,
            asked_by: born.asked_by,
        };
        Self {
            id,
            direction: born.direction,
            caller: born.caller,
            number: born.number,
            carrier: born.carrier,
            agent: born.agent,
            attestation: born.attestation,
            entrance: born.entrance,
            talk: born.talk,
            log: CallLog::since(Began::now(), past, id.to_string(), parties, pen),
            landing: Landing::default(),
            control,
            leg: Mutex::default(),
            streams: Mutex::new(Streams { last, stream: None }),
            leaving: AtomicBool::new(false),
            bill: watch::Sender::new(Bill::Runs),
            picked_up: AtomicBool::new(false),
            insisted: AtomicBool::new(false),
            fault: OnceLock::new(),
            notices: Mutex::default(),
            handover: Mutex::default(),
            departing: AtomicBool::new(false),
            pressed: Mutex::default(),
            before: OnceLock::new(),
            dialling: watch::Sender::new(match born.direction {
                Direction::Inbound => Dialling::Placed,
                Direction::Outbound => Dialling::Queued,
            }),
            earlier: OnceLock::new(),
        }
    }

    /// Where its dial stands.
    pub fn dialling(&self) -> Dialling {
        *self.dialling.borrow()
    }

    /// Whether a call may come of its dial that has not been heard of.
    pub(super) fn is_dial_open(&self) -> bool {
        match self.dialling() {
            Dialling::Sending | Dialling::Unknown => true,
            Dialling::Queued | Dialling::Placed | Dialling::Refused => false,
        }
    }

    /// Takes what was heard of its dial.
    pub(super) fn dial_heard(&self, heard: Heard) -> Dialling {
        self.dialling.send_modify(|it| *it = it.hears(heard));
        self.dialling()
    }

    /// Waits until its carrier is known to have it.
    pub(super) async fn is_placed(&self) {
        let mut dialling = self.dialling.subscribe();
        // Its other end is here.
        let _ = dialling.wait_for(|it| *it == Dialling::Placed).await;
    }

    /// Learns what was said on it in another process.
    pub(super) fn remind(&self, lines: Vec<Line>) {
        let _ = self.before.set(lines);
    }

    /// What was said on it in other processes.
    pub(super) fn said_before(&self) -> Vec<Line> {
        self.before.get().cloned().unwrap_or_default()
    }

    /// Learns what the person proved of who they are in another process.
    pub(super) fn remind_of_proof(&self, proof: Proof) {
        let _ = self.earlier.set(proof);
    }

    /// What they proved in other processes.
    pub(super) fn proved_before(&self) -> Proof {
        self.earlier.get().copied().unwrap_or_default()
    }

    /// The name of the file it is recorded in. Each process that has had the call records one.
    pub(super) fn recording(&self) -> String {
        recorder::name(&self.id.to_string(), self.log.before().entries)
    }

    /// The carrier's name for the call, once it is known.
    pub fn leg(&self) -> Option<Leg> {
        self.known_leg().clone()
    }

    /// Learns the carrier's name for the call. `false`: it already has another.
    pub(super) fn bind(&self, leg: &Leg) -> bool {
        let mut known = self.known_leg();
        let learned = known.get_or_insert_with(|| {
            self.log.pen().bind(self.log.call(), &leg.0);
            leg.clone()
        });
        learned == leg
    }

    /// Learns the name that the carrier has given the call since it was dialled.
    pub(super) fn rename(&self, dialled: &Leg, leg: &Leg) {
        let mut known = self.known_leg();
        if known.as_ref() == Some(dialled) {
            self.log.pen().bind(self.log.call(), &leg.0);
            *known = Some(leg.clone());
        }
    }

    fn known_leg(&self) -> MutexGuard<'_, Option<Leg>> {
        self.leg.lock().expect("no one panics while learning a leg")
    }

    /// Where the call's sound goes, made with its number where it is not made yet: a carrier that
    /// asks again is told the same.
    pub(super) fn stream(&self, make: impl FnOnce(u64) -> Stream) -> Stream {
        let mut streams = self.streams();
        match &streams.stream {
            Some(stream) => stream.clone(),
            None => streams.next(make),
        }
    }

    /// The same, if it was ever made.
    pub(super) fn last_stream(&self) -> Option<Stream> {
        self.streams().stream.clone()
    }

    /// Where it goes now that the socket of number `after` is gone. A question that was answered
    /// before, or is older, is told the same.
    pub(super) fn stream_after(&self, after: u64, make: impl FnOnce(u64) -> Stream) -> Stream {
        let mut streams = self.streams();
        match &streams.stream {
            Some(stream) if after < streams.last => stream.clone(),
            Some(_) | None => streams.next(make),
        }
    }

    /// The number of its last socket.
    pub(super) fn last_socket(&self) -> u64 {
        self.streams().last
    }

    /// From now on its carrier is to put it through like this; `None`: not any more.
    pub(super) fn divert(&self, handover: Option<Handover>) {
        *self.handover() = handover;
    }

    /// How its carrier is to put it through.
    pub(super) fn diverted(&self) -> Option<Handover> {
        self.handover().clone()
    }

    /// Whether its carrier was told to put it through, and has not said that it is.
    pub(super) fn waits_elsewhere(&self) -> bool {
        self.handover().is_some() && !self.is_leaving()
    }

    fn handover(&self) -> MutexGuard<'_, Option<Handover>> {
        self.handover
            .lock()
            .expect("no one panics while handing over")
    }

    /// Where it goes from now on, by our own will.
    pub(super) fn next_stream(&self, make: impl FnOnce(u64) -> Stream) -> Stream {
        self.streams().next(make)
    }

    fn streams(&self) -> MutexGuard<'_, Streams> {
        self.streams
            .lock()
            .expect("no one panics while making a stream")
    }

    /// From now on the call is being hung up.
    pub(super) fn leave(&self) {
        self.leaving.store(true, Ordering::Relaxed);
    }

    /// Whether the call is over, or is being hung up.
    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.load(Ordering::Relaxed) || self.log.is_closed()
    }

    /// Whether it costs money at its carrier, as far as anybody knows.
    pub(super) fn bill(&self) -> Bill {
        *self.bill.borrow()
    }

    /// It costs nothing more. What was known of that before stays so.
    pub(super) fn stop_bill(&self, stopped: Bill) {
        self.bill.send_if_modified(|bill| {
            let runs = *bill == Bill::Runs;
            if runs {
                *bill = stopped;
            }
            runs
        });
    }

    /// It costs money after all, whatever was known of that.
    pub(super) fn run_bill(&self) {
        self.bill.send_replace(Bill::Runs);
    }

    /// Waits until its carrier says that it is over, however long that is after we said so, or cannot have
    /// it any more.
    pub(super) async fn is_said_to_be_over(&self) -> Bill {
        let mut bill = self.bill.subscribe();
        let stopped = bill.wait_for(|it| *it != Bill::Runs).await;
        // Its other end is here.
        stopped.map_or(Bill::Unknown, |it| *it)
    }

    /// Somebody picked up, or the carrier has it as one that is up.
    pub(super) fn was_picked_up(&self) {
        self.picked_up.store(true, Ordering::Relaxed);
    }

    /// Whether somebody picked up, as far as anybody knows.
    pub(super) fn is_picked_up(&self) -> bool {
        let picked_up = |it: &Event| matches!(it, Event::Answered | Event::Connected);
        self.picked_up.load(Ordering::Relaxed)
            || self.log.before().connected
            || self.log.after(0).iter().any(|it| picked_up(&it.event))
    }

    /// Has its end at its carrier be seen to by whoever asks first. `false`: somebody does.
    pub(super) fn is_to_be_insisted(&self) -> bool {
        !self.insisted.swap(true, Ordering::AcqRel)
    }

    /// What went wrong, if something did before there was a call to tell.
    pub fn fault(&self) -> Option<&Report> {
        self.fault.get()
    }

    pub(super) fn fail(&self, fault: &Fault) {
        let _ = self.fault.set(Report::from(fault));
    }

    /// Whether this notice is heard for the first time.
    pub(super) fn is_news(&self, notice: &str) -> bool {
        let mut notices = self
            .notices
            .lock()
            .expect("no one panics while adding a notice");
        notices.len() < NOTICES && notices.insert(notice.to_owned())
    }

    /// Takes somebody who talks to an agent here away from it, for whoever asks first.
    ///
    /// # Errors
    /// Nobody does, or somebody else takes them.
    pub(super) fn depart(self: &Arc<Self>) -> Result<Departure, Fault> {
        let departs = !self.departing.swap(true, Ordering::AcqRel);
        // Looked at only now: whoever took them before has by now seen them off.
        let departure = departs.then(|| Departure(self.clone()));
        if let Some(departure) = departure
            && self.talk == Talks::WithAgent
            && self.log.is_alone()
        {
            return Ok(departure);
        }
        let message = "nobody talks to an agent on that call just now";
        Err(Fault::new(Blame::Caller, code::CALL_NOT_UP, message)
            .hint("`offhook show` tells how the call stands"))
    }

    /// Tells the call what its carrier said. A call that is over does not listen.
    pub(super) async fn tell(&self, news: input::Carrier) {
        match news {
            input::Carrier::Ended(_) => self.stop_bill(Bill::Stopped(self.log.age())),
            input::Carrier::Answered => self.was_picked_up(),
            input::Carrier::AnsweredBy(_)
            | input::Carrier::Connected
            | input::Carrier::Disconnected
            | input::Carrier::Dropped
            | input::Carrier::Joined
            | input::Carrier::Parted
            | input::Carrier::Pressed(_)
            | input::Carrier::PutBack(_)
            | input::Carrier::Ringing => {}
        }
        let _ = self.control.send(Control::News(news)).await;
    }

    /// Tells the call that it is over, as its carrier said when it was asked: unless it says so by itself
    /// in a moment, and then better, since not every carrier answers why.
    pub(super) async fn tell_over(&self, asked: End) {
        let age = self.log.age();
        tokio::select! {
            _ = self.is_said_to_be_over() => {}
            () = self.log.ended() => {}
            () = sleep(ITS_OWN_WORD) => self.tell(input::Carrier::Ended(asked)).await,
        }
        self.stop_bill(Bill::Stopped(age));
    }

    /// Gives the call a place at a meeting, which it takes if it talks to an agent.
    pub(crate) fn sit(&self, chair: Chair, place: Place) {
        self.give_chair(chair);
        self.pass_on(Input::Command(Command::Sit(place)));
    }

    /// Gives a call that sits already its chair.
    pub(crate) fn give_chair(&self, chair: Chair) {
        self.send(Control::Chair(chair));
    }

    /// Tells the call what its meeting says. Never waits.
    pub(crate) fn pass_on(&self, input: Input) {
        match input {
            Input::Command(command) => self.send(Control::Command(command)),
            Input::Meeting(news) => self.send(Control::Meeting(news)),
            // A meeting has nothing else to say.
            Input::Agent(_)
            | Input::Carrier(_)
            | Input::Media(_)
            | Input::Speech(_)
            | Input::Timeout => {}
        }
    }

    fn send(&self, control: Control<Wire>) {
        if let Err(TrySendError::Full(control)) = self.control.try_send(control) {
            // It is busy, and not over: it is told as soon as it listens.
            let tx = self.control.clone();
            tokio::spawn(async move { tx.send(control).await });
        }
    }

    /// Ends the call. Always allowed, in any state, more than once.
    pub async fn hang_up(&self) {
        let _ = self.control.send(Control::Command(Command::HangUp)).await;
    }

    /// Presses keys. `false`: the call is over.
    pub(super) async fn press(&self, keys: Keys) -> bool {
        let command = Control::Command(Command::Press(keys));
        self.control.send(command).await.is_ok()
    }

    /// Says something to the caller. `false`: the call is over.
    pub async fn say(&self, text: Private<String>) -> bool {
        self.control
            .send(Control::Command(Command::Say(text)))
            .await
            .is_ok()
    }
}
