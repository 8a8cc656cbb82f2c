//! A meeting, as those outside it see it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use call::event::End;
pub use call::meeting::Attention;
use call::meeting::{Announcing, Command, Consent, Kind, MOST, PartyId};
use call::{Place, Private, Side, Through};
use media::Frame;
use ports::speech::{Hearing, Listen};
use ports::{Blame, Fault, Link, code};
use serde::Serialize;
use tokio::sync::{mpsc, watch};

use super::{MeetingId, OuterEnd, Said};
use crate::switchboard::Record;

/// One meeting.
#[derive(Debug)]
pub struct Room {
    /// Our name for it.
    pub id: MeetingId,
    /// A key of [`crate::config::Plan::agents`], if an agent sits there.
    pub agent: Option<String>,
    /// Who was put through to whom here, as someone who came to sit with them knows it.
    through: Option<Through>,
    announcing: Announcing,
    tx: mpsc::Sender<Wanted>,
    view: watch::Receiver<View>,
    /// How many have been given a number.
    numbers: AtomicU8,
}

/// What a meeting is told from outside.
#[derive(Debug)]
pub(crate) enum Wanted {
    /// Someone is to come.
    Newcomer(Newcomer),
    /// Someone who was asked whether they take the call has answered.
    Consented(PartyId, Consent),
    /// Someone's call is over.
    Ended(PartyId, End),
    /// The agent that sits there has ears.
    Ears(Link<Hearing, Listen>),
    /// The agent is to listen and say nothing, or not any more.
    Attend(Attention),
    /// Its owner wants something.
    Command(Command),
}

/// Someone who is to come.
#[derive(Debug)]
pub(crate) struct Newcomer {
    pub(crate) party: PartyId,
    /// What the others call them.
    pub(crate) name: Private<String>,
    pub(crate) record: Arc<Record>,
    pub(crate) sits: Sits,
    /// Whether they sat there until their gateway was lost.
    pub(crate) back: bool,
}

/// Where someone's sound comes from.
#[derive(Debug)]
pub(crate) enum Sits {
    /// A person's call, from this chair on.
    Here(Link<Frame, Said>),
    /// A person's call, once they say that they take it.
    IfTheyWill,
    /// The agent's call, whose line ends here.
    Agent(OuterEnd),
}

/// How a meeting stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct View {
    /// Who is there or expected.
    pub people: Vec<Seated>,
    /// Whether everybody has left.
    pub over: bool,
}

/// Someone at a meeting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Seated {
    /// The number of their seat.
    pub seat: u8,
    /// What the others call them.
    #[schema(value_type = String)]
    pub name: Private<String>,
    /// Their call.
    pub call: String,
    /// Whether it is an agent.
    pub agent: bool,
    /// Whether they are there.
    pub here: bool,
    /// Whether nobody hears them.
    pub muted: bool,
    /// Whether it is they who speak now.
    pub speaking: bool,
}

impl Room {
    pub(crate) fn new(
        id: MeetingId,
        cast: Cast,
    ) -> (Arc<Self>, mpsc::Receiver<Wanted>, watch::Sender<View>) {
        let (tx, rx) = mpsc::channel(WANTED);
        let (shown, view) = watch::channel(View::default());
        let Cast {
            agent,
            announcing,
            through,
        } = cast;
        // The two of a transfer have seats of their own, whoever comes first.
        let numbers = if through.is_some() { TARGET.0 + 1 } else { 0 };
        let room = Self {
            id,
            agent,
            through,
            announcing,
            tx,
            view,
            numbers: AtomicU8::new(numbers),
        };
        (Arc::new(room), rx, shown)
    }

    /// How it stands.
    pub fn view(&self) -> View {
        self.view.borrow().clone()
    }

    /// Waits until it stands like this, or is over.
    pub async fn until(&self, stands: impl FnMut(&View) -> bool + Send) {
        let mut view = self.view.clone();
        let mut stands = stands;
        let _ = view.wait_for(|it| it.over || stands(it)).await;
    }

    /// Whether everybody has left.
    pub fn is_over(&self) -> bool {
        self.view.borrow().over || self.tx.is_closed()
    }

    /// Tells it what its owner wants. `false`: it is over.
    pub async fn command(&self, command: Command) -> bool {
        self.tell(Wanted::Command(command)).await
    }

    /// Tells the agent that sits there what to do. `false`: it is over.
    pub async fn attend(&self, attention: Attention) -> bool {
        self.tell(Wanted::Attend(attention)).await
    }

    /// Whose seat that is, by its number or by the end of its call's name.
    pub fn party(&self, named: &str) -> Option<PartyId> {
        let people = self.view().people;
        let found = people.iter().find(|it| {
            it.seat.to_string() == named || it.name.reveal() == named || it.call == named
        });
        found.map(|it| PartyId(it.seat))
    }

    /// Whether an agent has that seat.
    pub fn is_agent(&self, party: PartyId) -> bool {
        let people = &self.view.borrow().people;
        people.iter().any(|it| it.seat == party.0 && it.agent)
    }

    /// What someone's call remembers of their place here.
    pub(crate) fn place(&self, party: PartyId, name: &Private<String>) -> Place {
        let side = match party {
            CALLER => Side::Caller,
            TARGET => Side::Target,
            PartyId(_) => Side::Beside,
        };
        let through = self.through.clone();
        Place {
            meeting: self.id.to_string(),
            name: name.clone(),
            agent: self.agent.clone(),
            announcing: self.announcing,
            through: through.map(|it| Through { side, ..it }),
        }
    }

    pub(crate) async fn tell(&self, wanted: Wanted) -> bool {
        self.tx.send(wanted).await.is_ok()
    }

    pub(crate) fn tx(&self) -> mpsc::Sender<Wanted> {
        self.tx.clone()
    }

    /// The next free seat.
    pub(crate) fn number(&self) -> Result<PartyId, Fault> {
        let taken = self
            .numbers
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |it| {
                (it < MOST).then_some(it + 1)
            });
        taken.map(PartyId).map_err(|_| {
            let message = format!("the meeting has had its {MOST} people");
            Fault::new(Blame::Caller, code::MEETING_FULL, message).hint("open another")
        })
    }
}

/// Who sits at a meeting besides those who are called to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cast {
    /// A key of [`crate::config::Plan::agents`].
    pub(crate) agent: Option<String>,
    /// Whether it is said who comes and goes.
    pub(crate) announcing: Announcing,
    /// Who was put through to whom; `None`: nobody was.
    pub(crate) through: Option<Through>,
}

impl Newcomer {
    pub(crate) fn kind(&self) -> Kind {
        match self.sits {
            Sits::Here(_) | Sits::IfTheyWill => Kind::Person,
            Sits::Agent(_) => Kind::Agent,
        }
    }
}

/// The seats of the two of a transfer.
pub(crate) const CALLER: PartyId = PartyId(0);
pub(crate) const TARGET: PartyId = PartyId(1);

/// How much a meeting may be told at once.
const WANTED: usize = 64;
