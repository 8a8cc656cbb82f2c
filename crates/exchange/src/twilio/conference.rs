//! `<Dial><Conference>`: named rooms of the account, who is in them, and what is told of that.
//!
//! Source: the TwiML reference of `<Conference>` and the carrier's documents on conference events. Beeps and the music for
//! whoever waits make no sound here.

use super::dial::Dialled;
use super::life::{Conversation, Turn, absolute};
use super::twiml::{Confer, Method, Onward};
use super::webhook::{self, Webhook};
use super::{Call, Callback, Carrier, date};
use crate::courier::{Courier, Round};
use crate::ledger::{EndedBy, Kind};
use crate::mischief::Callbacks;
use crate::office::{fresh, lock};
use crate::room::{Room, Seat};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

/// The rooms of an account, open and closed, the latest last.
#[derive(Default)]
pub(crate) struct Conferences(Mutex<VecDeque<Arc<Conference>>>);

/// One room, from the first who comes to the last who leaves.
pub(super) struct Conference {
    pub(super) sid: String,
    pub(super) name: String,
    pub(super) created: Timestamp,
    stage: watch::Sender<Stage>,
    room: Arc<Room>,
    people: Mutex<People>,
    /// What is told; the first who came said where.
    events: Vec<String>,
}

/// How far a room has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Whoever is there waits.
    Init,
    InProgress,
    Completed(Reason),
}

/// Why a room was closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    Api,
    /// Someone left without whom it does not go on.
    Host,
    Empty,
}

struct People {
    here: Vec<Participant>,
    told: u32,
    /// Takes what is told along, until the room is closed.
    courier: Option<mpsc::Sender<Event>>,
}

#[derive(Clone)]
pub(super) struct Participant {
    pub(super) call: Arc<Call>,
    pub(super) label: String,
    pub(super) muted: bool,
    pub(super) starts: bool,
    pub(super) ends: bool,
}

/// Why somebody is not let in.
enum Shut {
    Full,
    TooMany,
}

impl Stage {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Init => "init",
            Self::InProgress => "in-progress",
            Self::Completed(_) => "completed",
        }
    }

    pub(super) fn is_over(self) -> bool {
        match self {
            Self::Init | Self::InProgress => false,
            Self::Completed(_) => true,
        }
    }
}

impl Reason {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Api => "conference-ended-via-api",
            Self::Host => "participant-with-end-conference-on-exit-left",
            Self::Empty => "last-participant-left",
        }
    }
}

impl Conferences {
    pub(super) fn all(&self) -> Vec<Arc<Conference>> {
        lock(&self.0).iter().cloned().collect()
    }

    pub(super) fn find(&self, sid: &str) -> Option<Arc<Conference>> {
        lock(&self.0).iter().find(|it| it.sid == sid).cloned()
    }

    /// Lets somebody into the open room of that name, which is opened if there is none.
    fn enter(
        &self,
        carrier: &Arc<Carrier>,
        call: &Arc<Call>,
        (confer, base): (&Confer, &str),
    ) -> Result<Arc<Conference>, Shut> {
        let mut all = lock(&self.0);
        let open = |it: &&Arc<Conference>| it.name == confer.name && !it.stage().is_over();
        let conference = match all.iter().find(open) {
            Some(open) => Arc::clone(open),
            None => {
                if all.len() == MOST_ROOMS {
                    let over = all.iter().position(|it| it.stage().is_over());
                    all.remove(over.ok_or(Shut::TooMany)?);
                }
                let opened = Arc::new(Conference::open(carrier, confer, base));
                all.push_back(Arc::clone(&opened));
                opened
            }
        };
        let participant = Participant {
            call: Arc::clone(call),
            label: confer.label.clone(),
            muted: confer.muted,
            starts: confer.starts,
            ends: confer.ends,
        };
        // Still behind the lock of all: an empty room closes, and nobody is let into a closed one.
        conference.join(participant, confer.most)?;
        Ok(conference)
    }

    /// Somebody is not in a room any more.
    fn leave(&self, conference: &Conference, call: &Call) {
        let _all = lock(&self.0);
        conference.leave(call);
    }

    /// Closes a room for all who are in it.
    pub(super) fn close(&self, conference: &Conference) {
        let _all = lock(&self.0);
        conference.complete(Reason::Api, None);
    }
}

impl Conference {
    fn open(carrier: &Arc<Carrier>, confer: &Confer, base: &str) -> Self {
        let (told, events) = mpsc::channel(MOST_WAITING);
        let callback = Callback {
            url: match confer.callback.url.as_str() {
                "" => String::new(),
                url => absolute(url, base),
            },
            ..confer.callback.clone()
        };
        let told_of = match callback.url.as_str() {
            "" => Vec::new(),
            _ => callback.events.clone(),
        };
        let reports = Reports {
            carrier: Arc::clone(carrier),
            callback,
        };
        let mischief = carrier.office.mischief().callbacks;
        carrier.office.spawn(report(reports, mischief, events));
        Self {
            sid: fresh("CF"),
            name: confer.name.clone(),
            created: Timestamp::now(),
            stage: watch::Sender::new(Stage::Init),
            room: Arc::default(),
            people: Mutex::new(People {
                here: Vec::new(),
                told: 0,
                courier: Some(told),
            }),
            events: told_of,
        }
    }

    pub(super) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    pub(super) fn people(&self) -> Vec<Participant> {
        lock(&self.people).here.clone()
    }

    /// Waits until it is closed.
    async fn closed(&self) {
        // Its sender is here, so it is there.
        let _ = self.stage.subscribe().wait_for(|it| it.is_over()).await;
    }

    fn join(&self, participant: Participant, most: usize) -> Result<(), Shut> {
        let mut people = lock(&self.people);
        if people.here.len() >= most {
            return Err(Shut::Full);
        }
        people.here.push(participant.clone());
        self.tell(&mut people, "participant-join", (&participant, &[]));
        let ready = people.here.len() > 1 && people.here.iter().any(|it| it.starts);
        if ready && self.stage() == Stage::Init {
            self.stage.send_replace(Stage::InProgress);
            self.tell(&mut people, "conference-start", (&participant, &[]));
        }
        Ok(())
    }

    fn leave(&self, call: &Call) {
        let mut people = lock(&self.people);
        let Some(at) = people.here.iter().position(|it| it.call.id == call.id) else {
            return;
        };
        let gone = people.here.remove(at);
        self.tell(&mut people, "participant-leave", (&gone, &[]));
        let empty = people.here.is_empty();
        drop(people);
        if gone.ends {
            self.complete(Reason::Host, Some(&gone));
        } else if empty {
            self.complete(Reason::Empty, Some(&gone));
        }
    }

    fn complete(&self, reason: Reason, by: Option<&Participant>) {
        if self.stage().is_over() {
            return;
        }
        let mut people = lock(&self.people);
        let left = std::mem::take(&mut people.here);
        for participant in &left {
            self.tell(&mut people, "participant-leave", (participant, &[]));
        }
        self.stage.send_replace(Stage::Completed(reason));
        if let Some(last) = by.or(left.last()) {
            let ending = by.map_or("", |it| it.call.id.as_str());
            let more = [
                ("CallSidEndingConference", ending),
                ("ReasonConferenceEnded", reason.as_str()),
                ("Reason", reason.as_str()),
            ];
            self.tell(&mut people, "conference-end", (last, &more));
        }
        people.courier = None;
    }

    /// Has it told what happened, where that was asked for.
    fn tell(
        &self,
        people: &mut People,
        name: &'static str,
        (of, more): (&Participant, &[(&str, &str)]),
    ) {
        let short = name.split_once('-').map_or(name, |(_, short)| short);
        if !self.events.iter().any(|it| it == short) {
            return;
        }
        people.told += 1;
        let number = people.told.to_string();
        let time = date(Timestamp::now());
        let mut form: Vec<(String, String)> = Vec::new();
        let mut add = |name: &str, value: &str| form.push((name.to_owned(), value.to_owned()));
        add("ConferenceSid", &self.sid);
        add("FriendlyName", &self.name);
        add("SequenceNumber", &number);
        add("StatusCallbackEvent", name);
        add("Timestamp", &time);
        if name.starts_with("participant") {
            let truth = |it: bool| if it { "true" } else { "false" };
            add("CallSid", &of.call.id);
            add("Coaching", "false");
            add("EndConferenceOnExit", truth(of.ends));
            add("Hold", "false");
            add("Muted", truth(of.muted));
            add("StartConferenceOnEnter", truth(of.starts));
            if !of.label.is_empty() {
                add("ParticipantLabel", &of.label);
            }
        }
        for (name, value) in more {
            add(name, value);
        }
        let event = Event {
            name,
            call: Arc::clone(&of.call),
            form,
            token: fresh(""),
        };
        if let Some(courier) = &people.courier {
            // An application that is so far behind misses it.
            let _ = courier.try_send(event);
        }
    }
}

impl Conversation {
    /// Puts the caller into a room until they leave it, are taken elsewhere, or it is closed.
    pub(super) async fn confer(&mut self, confer: &Confer, base: &str) -> Result<Dialled, Turn> {
        self.line.restart();
        let carrier = Arc::clone(&self.carrier);
        let entered = carrier
            .conferences
            .enter(&carrier, &self.call, (confer, base));
        let conference = match entered {
            Ok(conference) => conference,
            Err(why) => {
                let text = match why {
                    Shut::Full => "<Conference>: the room is full",
                    Shut::TooMany => "<Conference>: the account has too many rooms",
                };
                carrier.office.ledger.warn(0, &self.call.id, text);
                return Ok(Dialled::of(&[("DialCallStatus", "failed")]));
            }
        };
        let until = Instant::now() + confer.time_limit;
        let seat = conference.room.sit();
        let done = self.talk(confer, (&conference, &seat), until).await;
        drop(seat);
        carrier.conferences.leave(&conference, &self.call);
        self.line.restart();
        let dialled = Dialled::of(&[("DialCallStatus", "answered")]);
        match done {
            Ok(()) => Ok(dialled),
            Err(turn) => {
                if let (Turn::Ended(_), Onward::Fetch(action)) = (&turn, &confer.action) {
                    self.tell_action(confer.method, absolute(action, base), dialled);
                }
                Err(turn)
            }
        }
    }

    async fn talk(
        &mut self,
        confer: &Confer,
        (conference, seat): (&Conference, &Seat),
        until: Instant,
    ) -> Result<(), Turn> {
        loop {
            tokio::select! {
                command = self.commands.recv() => self.obey(command)?,
                () = sleep_until(self.line.next_tick()) => {
                    self.line.play(seat.hear().to_vec());
                    let tick = self.tick()?;
                    if conference.stage() == Stage::InProgress && !confer.muted {
                        seat.say(&tick.sound);
                    }
                }
                () = conference.closed() => return Ok(()),
                () = sleep_until(until) => return Ok(()),
                () = sleep_until(self.deadline) => return Err(Turn::Ended(EndedBy::TimeLimit)),
            }
        }
    }
}

struct Event {
    name: &'static str,
    call: Arc<Call>,
    form: Vec<(String, String)>,
    token: String,
}

/// Carries what is told of a room to whoever the first in it named.
struct Reports {
    carrier: Arc<Carrier>,
    callback: Callback,
}

/// Reports until the room is closed and reported of whole.
async fn report(reports: Reports, mischief: Callbacks, mut events: mpsc::Receiver<Event>) {
    let courier = Courier::new(reports, mischief);
    while let Some(event) = events.recv().await {
        // An application that is so far behind misses it.
        let _ = courier.take(event);
    }
    courier.finish().await;
}

impl Round for Reports {
    type Event = Event;

    fn name(event: &Event) -> &str {
        event.name
    }

    async fn deliver(&self, event: &Event, kind: Kind) {
        let mut form = event.form.clone();
        form.push(("AccountSid".to_owned(), self.carrier.account.id.clone()));
        let webhook = Webhook {
            event: event.name,
            url: &self.callback.url,
            method: match self.callback.method.as_str() {
                "GET" => Method::Get,
                _ => Method::Post,
            },
            form,
            kind,
            token: &event.token,
        };
        let (code, text) = match webhook::send(&self.carrier, &event.call, webhook).await {
            Ok(page) if page.status < 400 || kind == Kind::Forged => return,
            Ok(page) => (11200, format!("HTTP {}", page.status)),
            Err(unanswered) => (unanswered.code, unanswered.text),
        };
        let text = format!("{}: {text}", event.name);
        self.carrier.office.ledger.warn(code, &event.call.id, text);
    }
}

const MOST_ROOMS: usize = 200;
const MOST_WAITING: usize = 256;
