//! Meetings: who is called to them, who is brought there, and who is put through to whom.

use std::collections::hash_map::Entry;
use std::sync::Arc;
use std::time::{Duration, Instant};

use agents::asking::{self, Asking};
use call::event::{End, Judge, Party, What, Why};
use call::meeting::{After, Announcing, Command, Consent, PartyId, Phrases, Transfer};
use call::{
    Event, Machine, Meeting, Mode, Opening, Place, Private, Referral, Regrets, Side, Through, input,
};
use policy::Money;
use ports::agent::{Agent, Answerer, Objective};
use ports::{Blame, Fault, code};
use tokio::sync::mpsc;

use super::audit::About;
use super::life::Kept;
use super::spending::{Leave, Purposeful, Terms};
use super::whole::{Carried, whole};
use super::wish::{answerer, judge, our_number};
use super::{CallId, Once, Record, Switchboard};
use crate::config::{AgentThen, By, Destination};
use crate::meeting::{
    self, Attention, CALLER, Chair, MOUTH, MeetingId, Newcomer, Room, Sits, TARGET, Table, Wanted,
    chair, serve,
};

/// A meeting that someone wants.
#[derive(Clone, Debug, Default)]
pub struct Meet {
    /// Who is called to it.
    pub guests: Vec<Guest>,
    /// Which agent sits there too; `None`: none.
    pub agent: Option<String>,
    /// Whether it is said there who comes and goes.
    pub announcing: Announcing,
}

/// Someone to call to a meeting.
#[derive(Clone, Debug, Default)]
pub struct Guest {
    /// What the others call them; `None`: Guest and a number.
    pub name: Option<String>,
    /// Whom to call, as written.
    pub to: String,
    /// From which of our numbers, as written; `None`: the first.
    pub from: Option<String>,
    /// What they are called for, if that was said.
    pub purpose: Option<Private<String>>,
}

/// Someone a caller is put through to.
#[derive(Clone, Debug)]
pub struct Target {
    /// What we call them.
    pub name: String,
    /// Whom to call, and from which number.
    pub guest: Guest,
    /// What the caller wants, in a few words; may be empty.
    pub about: Private<String>,
    /// What becomes of the caller when they hang up.
    pub after: After,
    /// What becomes of the agent that the caller talks to.
    pub agent: AgentThen,
    /// How long they may take to pick up and say that they will.
    pub patience: Duration,
}

/// Where a caller is put through.
#[derive(Clone, Debug)]
pub enum Referred {
    /// At a meeting of ours.
    Here(Arc<Room>),
    /// By their carrier.
    ToCarrier,
}

/// What a call that we make is.
pub(super) struct Cast {
    pub(super) agent: String,
    pub(super) answerer: Answerer,
    pub(super) mode: Mode,
    pub(super) machine: Machine,
    pub(super) chair: Option<Chair>,
    pub(super) kept: Kept,
    pub(super) leave: Leave,
    /// The most that it may cost, if somebody was told so.
    pub(super) ceiling: Option<Money>,
    /// What the call is for, if that was said.
    pub(super) objective: Option<Objective>,
    /// What the token is called that it was asked for with, if that matters.
    pub(super) asked_by: Option<String>,
}

impl Switchboard {
    /// Opens a meeting and calls people to it, each if the owner allows it. Returns as soon as it
    /// exists; who came is told by how it stands.
    ///
    /// # Errors
    /// The first of them who may not be called: nobody is, then, and whoever was already is hung up on.
    pub async fn meet(self: &Arc<Self>, meet: Meet) -> Result<Arc<Room>, Fault> {
        let (board, id) = (self.clone(), MeetingId::random());
        whole(async move { board.meet_now(id, meet).await }).await
    }

    /// The same, but for a request that may come again.
    pub async fn meet_once(
        self: &Arc<Self>,
        once: Option<Once>,
        meet: Meet,
    ) -> Result<Carried<Arc<Room>>, Fault> {
        let (board, id) = (self.clone(), MeetingId::random());
        let meeting = async move { board.meet_now(id, meet).await };
        self.once(once, id.to_string(), meeting).await
    }

    async fn meet_now(self: &Arc<Self>, id: MeetingId, meet: Meet) -> Result<Arc<Room>, Fault> {
        self.is_open()?;
        let plan = self.plan();
        if let Some(agent) = &meet.agent {
            talks(&answerer(&plan, agent)?, agent)?;
        }
        for (more, guest) in meet.guests.iter().enumerate() {
            let ours = our_number(&plan, guest.from.as_deref())?;
            let agent = &plan.numbers[&ours].agent;
            let terms = Terms {
                leave: Leave::NotAsked,
                purposeful: Purposeful::of(guest.purpose.as_ref()),
                ..Terms::OWNERS
            };
            let permit = self.would_dial(&guest.to, agent, (more, terms)).await;
            self.invited(guest, permit)?;
        }
        let (now, phrases) = (Instant::now(), phrases("The other person"));
        let meeting = Meeting::open(now, phrases, COMPANY, meet.announcing);
        let seats = meeting::Cast {
            agent: meet.agent,
            announcing: meet.announcing,
            through: None,
        };
        let room = self.open_room(id, seats, meeting).await?;
        for guest in meet.guests {
            if let Err(fault) = self.invite_now(&room, guest, CallId::random()).await {
                // Whoever was called before is not left there with a phone that rings for nothing.
                room.command(Command::End).await;
                return Err(fault);
            }
        }
        Ok(room)
    }

    /// Calls one more to a meeting, if the owner allows it, for a request that may come again.
    pub async fn invite_once(
        self: &Arc<Self>,
        once: Option<Once>,
        room: &Arc<Room>,
        guest: Guest,
    ) -> Result<Carried<Arc<Record>>, Fault> {
        let (board, room, call) = (self.clone(), room.clone(), CallId::random());
        let invited = async move { board.invite_now(&room, guest, call).await };
        self.once(once, call.to_string(), invited).await
    }

    async fn invite_now(
        self: &Arc<Self>,
        room: &Arc<Room>,
        guest: Guest,
        call: CallId,
    ) -> Result<Arc<Record>, Fault> {
        self.is_open()?;
        let plan = self.plan();
        let number = our_number(&plan, guest.from.as_deref())?;
        let agent = room.agent.clone();
        let agent = agent.unwrap_or_else(|| plan.numbers[&number].agent.clone());
        let party = room.number()?;
        let name = guest
            .name
            .clone()
            .map_or_else(|| meeting::guest(party), Private::from);
        let (near, far) = chair();
        let cast = Cast {
            answerer: answerer(&plan, &agent)?,
            agent,
            mode: Mode::Seat(room.place(party, &name)),
            machine: Machine::Talk,
            chair: Some(near),
            kept: Kept::AcrossProcesses,
            leave: Leave::NotAsked,
            ceiling: None,
            objective: guest.purpose.clone().map(Objective::goal),
            asked_by: None,
        };
        let from = guest.from.as_deref();
        let record = self.dial_as(call, (&guest.to, from), cast).await;
        let record = self.invited(&guest, record)?;
        let newcomer = Newcomer {
            party,
            name,
            record: record.clone(),
            sits: Sits::Here(far),
            back: false,
        };
        self.seat_at(room, newcomer).await;
        Ok(record)
    }

    /// Writes down that someone may not be invited.
    fn invited<T>(self: &Arc<Self>, guest: &Guest, invited: Result<T, Fault>) -> Result<T, Fault> {
        if let Err(fault) = &invited {
            let dialled = (guest.to.as_str(), guest.from.as_deref());
            self.refused(&About::dial(What::Invitation, dialled, None), fault);
        }
        invited
    }

    /// Brings someone to a meeting who talks to an agent.
    ///
    /// # Errors
    /// Nobody does on that call, they are on their way elsewhere, or the meeting is full.
    pub async fn bring(
        &self,
        room: &Arc<Room>,
        record: Arc<Record>,
        name: Option<String>,
    ) -> Result<(), Fault> {
        let departure = record.depart()?;
        let party = room.number()?;
        let name = name.map_or_else(|| meeting::guest(party), Private::from);
        self.lead(room, record, (party, name)).await;
        departure.see_off();
        Ok(())
    }

    /// Takes someone from their agent to a seat at a meeting.
    async fn lead(
        &self,
        room: &Arc<Room>,
        record: Arc<Record>,
        (party, name): (PartyId, Private<String>),
    ) {
        let (near, far) = chair();
        let place = room.place(party, &name);
        let newcomer = Newcomer {
            party,
            name,
            record: record.clone(),
            sits: Sits::Here(far),
            back: false,
        };
        self.seat_at(room, newcomer).await;
        record.sit(near, place);
    }

    /// Puts a caller who talks to an agent through to someone, who is asked first; meanwhile the
    /// caller hears music. Returns as soon as that is under way.
    ///
    /// # Errors
    /// The target may not be called, or the caller is not there any more.
    pub async fn put_through(
        self: &Arc<Self>,
        caller: &Arc<Record>,
        target: Target,
    ) -> Result<Arc<Room>, Fault> {
        let (board, caller) = (self.clone(), caller.clone());
        whole(async move { board.put_through_now(&caller, target).await }).await
    }

    async fn put_through_now(
        self: &Arc<Self>,
        caller: &Arc<Record>,
        target: Target,
    ) -> Result<Arc<Room>, Fault> {
        self.is_open()?;
        let departure = caller.depart()?;
        self.would_dial(&target.guest.to, &caller.agent, (0, Terms::OWNERS))
            .await?;
        let number = target.guest.from.clone();
        let number = number.unwrap_or_else(|| caller.number.as_str().to_owned());
        let plan = self.plan();
        let ours = &plan.numbers[&our_number(&plan, Some(&number))?];
        let phrases = phrases(&target.name);
        let transfer = transfer(target.after);
        let meeting = Meeting::transfer(Instant::now(), phrases, transfer, target.patience);
        let (stays, attention) = match target.agent {
            AgentThen::Leaves => (false, Attention::Talk),
            AgentThen::Listens => (true, Attention::Listen),
            AgentThen::Stays => (true, Attention::Talk),
        };
        let seats = meeting::Cast {
            agent: stays.then(|| caller.agent.clone()),
            announcing: Announcing::Off,
            through: Some(Through {
                side: Side::Beside,
                target: target.name.clone().into(),
                after: target.after,
                attention,
            }),
        };
        let room = self.open_room(MeetingId::random(), seats, meeting).await?;
        let seat = (CALLER, Private::from("the caller".to_owned()));
        self.lead(&room, caller.clone(), seat).await;
        let dialled = (target.guest.to.as_str(), Some(number.as_str()));
        let judge = judge(&plan, &ours.carrier);
        let cast = ask(caller, &target, &room, judge);
        let record = match self.dial_as(CallId::random(), dialled, cast).await {
            Ok(record) => record,
            Err(fault) => {
                // The caller is not left with music.
                room.tell(Wanted::Ended(TARGET, NOT_MADE)).await;
                return Err(fault);
            }
        };
        let name = Private::from(target.name);
        let newcomer = Newcomer {
            party: TARGET,
            name,
            record,
            sits: Sits::IfTheyWill,
            back: false,
        };
        self.seat_at(&room, newcomer).await;
        departure.see_off();
        if stays {
            self.stay(&room, caller, attention);
        }
        Ok(room)
    }

    /// Puts a caller through to someone whom the owner gave a name.
    ///
    /// # Errors
    /// There is nobody of that name, they may not be called, or the caller is not there any more.
    pub async fn refer(
        self: &Arc<Self>,
        caller: &Arc<Record>,
        referral: Referral,
    ) -> Result<Referred, Fault> {
        let (board, caller) = (self.clone(), caller.clone());
        whole(async move { board.refer_now(&caller, referral).await }).await
    }

    /// The same, but for a request that may come again.
    ///
    /// # Errors
    /// The same, or the key is that of another request.
    pub async fn refer_once(
        self: &Arc<Self>,
        once: Option<Once>,
        caller: &Arc<Record>,
        referral: Referral,
    ) -> Result<Carried<Referred>, Fault> {
        let (board, caller, name) = (self.clone(), caller.clone(), caller.id.to_string());
        let referred = async move { board.refer_now(&caller, referral).await };
        self.once(once, name, referred).await
    }

    async fn refer_now(
        self: &Arc<Self>,
        caller: &Arc<Record>,
        referral: Referral,
    ) -> Result<Referred, Fault> {
        let referred = self.refer_to(caller, referral).await;
        if let Err(fault) = &referred {
            self.refused_on(caller, What::Transfer, fault);
        }
        referred
    }

    async fn refer_to(
        self: &Arc<Self>,
        caller: &Arc<Record>,
        referral: Referral,
    ) -> Result<Referred, Fault> {
        let plan = self.plan();
        let Some(named) = plan.transfers.get(&referral.to) else {
            let names: Vec<_> = plan.transfers.keys().map(String::as_str).collect();
            let message = format!(
                "there is nobody called {:?} to put callers through to",
                referral.to
            );
            let hint = if names.is_empty() {
                "add them as [transfers.NAME]".to_owned()
            } else {
                format!("there is: {}", names.join(", "))
            };
            return Err(Fault::new(Blame::Config, code::CALL_UNKNOWN, message).hint(hint));
        };
        let (phone, (after, agent)) = match &named.to {
            Destination::Phone(phone) => match phone.by {
                By::Gateway { after, agent } => (phone, (after, agent)),
                By::Carrier => {
                    self.refer_to_carrier(caller, referral.to, named).await?;
                    return Ok(Referred::ToCarrier);
                }
            },
            Destination::Conference(_) => {
                self.refer_to_carrier(caller, referral.to, named).await?;
                return Ok(Referred::ToCarrier);
            }
        };
        let target = Target {
            name: named.spoken.clone(),
            guest: Guest {
                name: Some(named.spoken.clone()),
                to: phone.number.as_str().to_owned(),
                from: phone.from.as_ref().map(|it| it.as_str().to_owned()),
                purpose: None,
            },
            about: referral.about,
            after,
            agent,
            patience: named.patience,
        };
        let room = self.put_through_now(caller, target).await;
        room.map(Referred::Here)
    }

    /// Whether the call's agent may have its caller put through there.
    ///
    /// # Errors
    /// The agent may not, or nobody is sure enough of who the caller is.
    pub fn trusts(self: &Arc<Self>, caller: &Record, referral: &Referral) -> Result<(), Fault> {
        let may = self.may_refer(caller, &referral.to);
        may.inspect_err(|fault| self.refused_on(caller, What::Tool, fault))
    }

    /// The same for an agent: what cannot be done is said to the caller.
    pub(super) async fn refer_or_say(self: &Arc<Self>, caller: &Arc<Record>, referral: Referral) {
        let name = referral.to.clone();
        let referred = async {
            self.trusts(caller, &referral)?;
            self.refer(caller, referral).await
        };
        if let Err(fault) = referred.await {
            let (code, hint) = (fault.code, fault.hint.as_deref());
            tracing::warn!(call = %caller.id, code, hint, "a caller could not be put through: {fault}");
            self.refuse(caller, &name, &fault);
        }
    }

    /// A meeting by our name for it.
    pub fn meeting(&self, id: MeetingId) -> Option<Arc<Room>> {
        self.desk().meetings.get(&id).cloned()
    }

    /// All meetings that are not over, the latest first.
    pub fn meetings(&self) -> Vec<Arc<Room>> {
        let mut rooms: Vec<_> = self.desk().meetings.values().cloned().collect();
        rooms.sort_by_key(|it| std::cmp::Reverse(it.id));
        rooms
    }

    /// Opens a room, with an agent's chair where one sits there from the beginning. Opened twice at once,
    /// it is the same room.
    async fn open_room(
        self: &Arc<Self>,
        id: MeetingId,
        seats: meeting::Cast,
        meeting: Meeting,
    ) -> Result<Arc<Room>, Fault> {
        let voice = self.voices.get().await?;
        let mouth = voice.mouth.open(MOUTH).await?;
        let agent = seats.agent.clone().filter(|_| seats.through.is_none());
        let (room, wanted, shown) = Room::new(id, seats);
        match self.desk().meetings.entry(id) {
            Entry::Occupied(there) => return Ok(there.get().clone()),
            Entry::Vacant(free) => free.insert(room.clone()),
        };
        let table = Table::new(room.clone(), meeting, mouth, wanted, shown);
        let board = self.clone();
        tokio::spawn(async move {
            serve(table).await;
            board.desk().meetings.remove(&id);
        });
        if let Some(agent) = agent {
            let (board, room) = (self.clone(), room.clone());
            tokio::spawn(async move {
                // An agent does not greet an empty room.
                room.until(|view| view.people.iter().any(|it| it.here))
                    .await;
                if room.is_over() {
                    return;
                }
                board.welcome(&room, agent).await;
            });
        }
        Ok(room)
    }

    /// Tells a meeting who comes, and later that they are gone.
    pub(super) async fn seat_at(&self, room: &Arc<Room>, newcomer: Newcomer) {
        let (party, record) = (newcomer.party, newcomer.record.clone());
        room.tell(Wanted::Newcomer(newcomer)).await;
        let tx = room.tx();
        tokio::spawn(async move {
            record.log.ended().await;
            let end = match record.log.after(0).pop().map(|it| it.event) {
                Some(Event::Ended(end)) => end,
                Some(_) | None => NOT_MADE,
            };
            let _ = tx.send(Wanted::Ended(party, end)).await;
        });
    }

    /// Opens a meeting that another process had, by what someone's call remembers of it.
    async fn open_again(
        self: &Arc<Self>,
        id: MeetingId,
        place: &Place,
    ) -> Result<Arc<Room>, Fault> {
        let now = Instant::now();
        let meeting = match &place.through {
            Some(through) => {
                let phrases = phrases(through.target.reveal());
                Meeting::parted(now, phrases, transfer(through.after), COMPANY_AGAIN)
            }
            None => {
                let phrases = phrases("The other person");
                Meeting::open(now, phrases, COMPANY_AGAIN, place.announcing)
            }
        };
        let beside = |it: &Through| Through {
            side: Side::Beside,
            ..it.clone()
        };
        let seats = meeting::Cast {
            agent: place.agent.clone(),
            announcing: place.announcing,
            through: place.through.as_ref().map(beside),
        };
        self.open_room(id, seats, meeting).await
    }

    /// Someone whose gateway was lost sat at a meeting: it is opened again, with whoever comes back.
    pub(super) async fn sit_again(self: &Arc<Self>, record: &Arc<Record>, place: &Place) {
        let Some(id) = MeetingId::parse(&place.meeting) else {
            return;
        };
        let known = self.meeting(id);
        let room = match known {
            Some(room) => Ok(room),
            None => self.open_again(id, place).await,
        };
        let side = place.through.as_ref().map(|it| it.side);
        let party = room.and_then(|room| {
            let party = match side {
                Some(Side::Caller) => CALLER,
                Some(Side::Target) => TARGET,
                Some(Side::Beside) | None => room.number()?,
            };
            Ok((party, room))
        });
        match party {
            Ok((party, room)) => {
                let (near, far) = chair();
                record.give_chair(near);
                let name = place.name.clone();
                let newcomer = Newcomer {
                    party,
                    name,
                    record: record.clone(),
                    sits: Sits::Here(far),
                    back: true,
                };
                self.seat_at(&room, newcomer).await;
                if let (CALLER, Some(through), Some(_)) = (party, &place.through, &place.agent) {
                    self.stay(&room, record, through.attention);
                }
            }
            Err(fault) => {
                let code = fault.code;
                tracing::error!(call = %record.id, code, "a meeting cannot be opened again: {fault}");
                record.pass_on(input::Input::Command(input::Command::Stand(Private::from(
                    String::new(),
                ))));
            }
        }
    }
}

/// A call to someone who is asked whether they take another. A machine is not asked: nobody took it.
fn ask(caller: &Record, target: &Target, room: &Arc<Room>, judge: Judge) -> Cast {
    let (told, mut hears) = mpsc::channel(1);
    let tx = room.tx();
    tokio::spawn(async move {
        while let Some(consent) = hears.recv().await {
            let _ = tx.send(Wanted::Consented(TARGET, consent)).await;
            if consent == Consent::Yes {
                return;
            }
        }
    });
    let who = caller.caller.as_ref();
    let who = who.map_or_else(String::new, |it| format!(" from {}", spelled(it.as_str())));
    let about = target.about.reveal().trim().trim_end_matches('.');
    let about = if about.is_empty() {
        String::new()
    } else {
        format!(" They say: {about}.")
    };
    let again = "Shall I put them through? Please say yes or no, or press one.";
    let question = format!(
        "Hello {}. I have a caller{who} for you.{about} {again}",
        target.name
    );
    let phrases = asking::Phrases {
        again: again.to_owned().into(),
        thanks: "Thank you. I am putting them through.".to_owned().into(),
        regrets: "All right, I will tell them. Goodbye.".to_owned().into(),
    };
    let agent: Arc<dyn Agent> = Arc::new(Asking::new(phrases, told));
    let opens = ports::agent::Opens::With(question.clone().into());
    Cast {
        agent: caller.agent.clone(),
        answerer: Answerer::Words { agent, opens },
        mode: Mode::Conversation {
            opening: Opening::Say(question.into()),
        },
        machine: Machine::HangUp(judge),
        chair: None,
        // Whoever it asks for would not know any more what it was about.
        kept: Kept::Here,
        // The owner named them in the configuration.
        leave: Leave::Given,
        ceiling: None,
        objective: Some(Objective::goal("to put a caller through".into())),
        asked_by: None,
    }
}

/// A number, so that a mouth says its digits one by one.
fn spelled(number: &str) -> String {
    let digits = number.chars().filter(char::is_ascii_digit);
    digits
        .map(|it| format!("{it} "))
        .collect::<String>()
        .trim_end()
        .to_owned()
}

fn transfer(after: After) -> Transfer {
    Transfer {
        caller: CALLER,
        target: TARGET,
        after,
    }
}

fn talks(answerer: &Answerer, agent: &str) -> Result<(), Fault> {
    match answerer {
        Answerer::Words { .. } | Answerer::Connects { .. } | Answerer::ByHand => Ok(()),
        Answerer::Loopback => {
            let message = format!("the agent {agent:?} only says back what it hears");
            Err(Fault::new(Blame::Config, code::CONFIG_INVALID, message)
                .hint("choose another, or none, for a meeting"))
        }
    }
}

fn phrases(name: &str) -> Phrases {
    let phrase = |text: String| Private::from(text);
    Phrases {
        regrets: regrets(name),
        left: phrase(format!("{name} has hung up.")),
        alone: phrase("Nobody else is here any more.".to_owned()),
    }
}

/// What a caller is told who cannot be put through.
pub(super) fn regrets(name: &str) -> Regrets {
    let phrase = |text: String| Private::from(text);
    Regrets {
        nobody: phrase(format!("I am sorry, {name} does not answer.")),
        busy: phrase(format!("I am sorry, {name} is on another call.")),
        declined: phrase(format!(
            "I am sorry, {name} cannot take the call right now."
        )),
    }
}

const NOT_MADE: End = End {
    by: Party::Carrier,
    why: Why::Fault,
};

/// How long one person waits at a meeting for company; and where everybody was there already.
const COMPANY: Duration = Duration::from_secs(60);
const COMPANY_AGAIN: Duration = Duration::from_secs(15);
