//! One meeting's task: moves its sound along, fifty times a second, and does what it decides.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use call::event::{End, Party, Why};
use call::meeting::{Audience, Consent, Input, Kind, MOST, Output, PartyId, Passage};
use call::{Meeting, Place, Private, input};
use media::{FRAME, Frame, UtteranceId};
use ports::Link;
use ports::speech::{Speak, Spoken};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, Interval, MissedTickBehavior, Sleep, interval, sleep_until};

use super::ears::Minutes;
use super::mix::Mix;
use super::room::{Newcomer, Room, Seated, Sits, View, Wanted};
use super::{Said, chair};
use crate::switchboard::Record;

/// A meeting and everything it talks to.
pub(crate) struct Table {
    room: Arc<Room>,
    meeting: Meeting,
    people: [Option<Person>; MOST as usize],
    mix: Mix,
    minutes: Minutes,
    announcer: Announcer,
    wanted: mpsc::Receiver<Wanted>,
    shown: watch::Sender<View>,
    speaking: Option<PartyId>,
}

/// Someone who is there or expected.
struct Person {
    name: Private<String>,
    kind: Kind,
    record: Arc<Record>,
    sits: Sits,
    /// Whether any of their sound has come.
    here: bool,
    /// What they are saying, nobody has heard all of.
    aside: bool,
}

/// Who says what is to be heard by some or all.
struct Announcer {
    mouth: Link<Speak, Spoken>,
    last: UtteranceId,
    /// What is to be said, and to whom: the first is being said.
    waiting: VecDeque<(UtteranceId, Audience)>,
}

enum Happened {
    Wanted(Option<Wanted>),
    Spoken(Option<Spoken>),
    Tick,
    Due,
}

impl Table {
    pub(crate) fn new(
        room: Arc<Room>,
        meeting: Meeting,
        mouth: Link<Speak, Spoken>,
        wanted: mpsc::Receiver<Wanted>,
        shown: watch::Sender<View>,
    ) -> Self {
        Self {
            room,
            meeting,
            people: Default::default(),
            mix: Mix::new(),
            minutes: Minutes::new(),
            announcer: Announcer {
                mouth,
                last: UtteranceId(0),
                waiting: VecDeque::new(),
            },
            wanted,
            shown,
            speaking: None,
        }
    }
}

/// Runs a meeting until everybody has left.
pub(crate) async fn serve(mut table: Table) {
    let mut ticks = interval(FRAME);
    // A tick that comes late is made up for, so that nobody's sound falls behind.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let mut timer = Box::pin(sleep_until(Instant::now()));
    while !table.meeting.is_over() {
        let happened = table.next(&mut ticks, timer.as_mut()).await;
        table.take(happened);
        table.show();
    }
}

impl Table {
    async fn next(&mut self, ticks: &mut Interval, mut timer: Pin<&mut Sleep>) -> Happened {
        let due = self.meeting.deadline().map(|(at, _)| Instant::from_std(at));
        timer
            .as_mut()
            .reset(due.unwrap_or_else(|| Instant::now() + FAR));
        tokio::select! {
            biased;
            wanted = self.wanted.recv() => Happened::Wanted(wanted),
            spoken = self.announcer.mouth.rx.recv(), if !self.announcer.waiting.is_empty() => {
                Happened::Spoken(spoken)
            }
            () = timer => Happened::Due,
            _ = ticks.tick() => Happened::Tick,
        }
    }

    fn take(&mut self, happened: Happened) {
        match happened {
            Happened::Wanted(Some(wanted)) => self.want(wanted),
            // Its room is always there as long as it is.
            Happened::Wanted(None) => {}
            Happened::Spoken(spoken) => self.announced(spoken),
            Happened::Due => self.tell(Input::Timeout),
            Happened::Tick => self.tick(),
        }
    }

    fn want(&mut self, wanted: Wanted) {
        match wanted {
            Wanted::Newcomer(newcomer) => self.expect(newcomer),
            Wanted::Consented(party, consent) => self.consented(party, consent),
            Wanted::Ended(party, end) => self.gone(party, end),
            Wanted::Ears(ears) => self.minutes.open(ears),
            Wanted::Attend(attention) => self.minutes.attend(attention),
            Wanted::Command(command) => self.tell(Input::Command(command)),
        }
    }

    fn expect(&mut self, newcomer: Newcomer) {
        let kind = newcomer.kind();
        let Newcomer {
            party,
            name,
            record,
            sits,
            back,
        } = newcomer;
        let Some(place) = self.people.get_mut(usize::from(party.0)) else {
            return;
        };
        *place = Some(Person {
            name,
            kind,
            record,
            sits,
            here: false,
            aside: false,
        });
        self.tell(if back {
            Input::Back(party)
        } else {
            Input::Awaited(party, kind)
        });
    }

    fn consented(&mut self, party: PartyId, consent: Consent) {
        self.tell(Input::Consented(party, consent));
    }

    fn gone(&mut self, party: PartyId, end: End) {
        let Some(place) = self.people.get_mut(usize::from(party.0)) else {
            return;
        };
        if place.is_some() {
            self.mix.leave(party);
            self.minutes.give_up(party);
            // By then they still have a name.
            self.tell(Input::Left(party, end));
            self.people[usize::from(party.0)] = None;
        }
    }

    /// Tells the meeting one thing, and does everything that follows from it.
    fn tell(&mut self, input: Input) {
        for output in self.meeting.handle(std::time::Instant::now(), input) {
            match output {
                Output::Hear => self.hear(),
                Output::Seat(party) => self.seat(party),
                Output::Tell(party, input) => self.pass_on(party, input),
                Output::Say(audience, text) => self.say(audience, &text),
                Output::Announce(audience, party, passage) => {
                    self.announce(audience, party, passage);
                }
                Output::Over => tracing::info!(meeting = %self.room.id, "a meeting is over"),
            }
        }
    }

    /// Who hears whom has changed. What someone who is muted says is not heard, in words as in sound.
    fn hear(&mut self) {
        let seats = self.meeting.seats();
        self.mix.hear(seats);
        self.minutes.unmute();
        for (party, person) in each(&mut self.people) {
            if !seats.is_muted(party) {
                continue;
            }
            match person.kind {
                Kind::Agent => self.minutes.mute(),
                Kind::Person => {
                    person.aside = true;
                    self.minutes.give_up(party);
                }
            }
        }
    }

    /// Gives someone a chair who has said that they will come.
    fn seat(&mut self, party: PartyId) {
        let place = self.place(party);
        if let Some(person) = self.person_mut(party) {
            let (near, far) = chair();
            person.sits = Sits::Here(far);
            if let Some(place) = place {
                person.record.sit(near, place);
            }
        }
    }

    fn place(&self, party: PartyId) -> Option<Place> {
        let person = self.people.get(usize::from(party.0))?.as_ref()?;
        Some(self.room.place(party, &person.name))
    }

    fn pass_on(&mut self, party: PartyId, input: input::Input) {
        if let Some(person) = self.person_mut(party) {
            person.record.pass_on(input);
        }
    }

    fn say(&mut self, audience: Audience, text: &Private<String>) {
        for clause in call::clauses(text.reveal()) {
            let id = UtteranceId(self.announcer.last.0 + 1);
            let asked = Speak::Text(id, clause.into());
            if self.announcer.mouth.tx.try_send(asked).is_ok() {
                self.announcer.last = id;
                self.announcer.waiting.push_back((id, audience));
            }
        }
    }

    fn announce(&mut self, audience: Audience, party: PartyId, passage: Passage) {
        let what = match passage {
            Passage::Joined => "has joined",
            Passage::Left => "has left",
        };
        if let Some(person) = self.person_mut(party) {
            let text = format!("{} {what}.", person.name.reveal());
            self.say(audience, &text.into());
        }
    }

    fn announced(&mut self, spoken: Option<Spoken>) {
        let (over, sound) = match spoken {
            Some(Spoken::Audio(id, samples)) => (None, Some((id, samples))),
            Some(Spoken::Done(id, _) | Spoken::Failed(id, _)) => (Some(id), None),
            None => {
                self.announcer.waiting.clear();
                return;
            }
        };
        if let Some((id, samples)) = sound {
            let said = self.announcer.waiting.iter().find(|it| it.0 == id);
            if let Some((_, audience)) = said {
                self.mix.announce(*audience, &samples);
            }
        }
        if let Some(over) = over {
            self.announcer.waiting.retain(|it| it.0 > over);
        }
    }

    fn tick(&mut self) {
        self.collect();
        self.minutes.listen();
        self.mix.mix();
        for (party, person) in each(&mut self.people) {
            match &mut person.sits {
                Sits::Here(link) => {
                    if let Some(frame) = self.mix.take(party) {
                        // A call that does not keep up misses it.
                        let _ = link.tx.try_send(frame);
                    }
                }
                Sits::Agent(line) => self.mix.play_to(party, line),
                Sits::IfTheyWill => {}
            }
        }
        let speaking = self.mix.speaker();
        if speaking != self.speaking {
            self.speaking = speaking;
            self.tell(Input::Speaking(speaking));
        }
    }

    /// Takes what everybody has said since the last tick.
    fn collect(&mut self) {
        for index in 0..MOST {
            let party = PartyId(index);
            let Some(person) = self.person_mut(party) else {
                continue;
            };
            let news = match &mut person.sits {
                Sits::Here(link) => heard(link),
                Sits::Agent(_) | Sits::IfTheyWill => Vec::new(),
            };
            for said in news {
                self.said(party, said);
            }
            self.collect_agent(party);
        }
    }

    fn collect_agent(&mut self, party: PartyId) {
        let Some(Person {
            sits: Sits::Agent(line),
            here,
            ..
        }) = self
            .people
            .get_mut(usize::from(party.0))
            .and_then(Option::as_mut)
        else {
            return;
        };
        self.mix.hear_agent(party, line);
        if !std::mem::replace(here, true) {
            self.tell(Input::Joined(party));
        }
    }

    fn said(&mut self, party: PartyId, news: News) {
        match news {
            News::Said(Said::Sound(frame)) => {
                self.mix.put(party, &frame);
                let joins = self
                    .person_mut(party)
                    .is_some_and(|it| !std::mem::replace(&mut it.here, true));
                if joins {
                    self.tell(Input::Joined(party));
                }
            }
            News::Said(Said::Speaks) => {
                let heard = self.meeting.seats().is_heard(party);
                if let Some(person) = self.person_mut(party) {
                    person.aside = !heard;
                }
                if heard {
                    self.minutes.speaks(party);
                }
            }
            News::Said(Said::Said(text)) => {
                let line = self.line(party, text.reveal());
                self.minutes.said(party, line);
            }
            News::Said(Said::Say(text)) => {
                let audience = Audience::of(party);
                self.say(audience, &text);
            }
            // Keys mean something to whoever asked for them, and nobody here did.
            News::Said(Said::Pressed(_)) => {}
            News::Stood => self.gone(party, STOOD),
        }
    }

    /// What someone said, with their name where there are several; `None`: nothing, or not to everyone.
    fn line(&self, party: PartyId, text: &str) -> Option<String> {
        if text.is_empty() {
            return None;
        }
        let here = |it: &&Person| it.here && it.kind == Kind::Person;
        let people = self.people.iter().flatten().filter(here).count();
        let person = self.people.get(usize::from(party.0))?.as_ref()?;
        if person.aside {
            return None;
        }
        Some(if people > 1 {
            format!("{}: {text}", person.name.reveal())
        } else {
            text.to_owned()
        })
    }

    fn person_mut(&mut self, party: PartyId) -> Option<&mut Person> {
        self.people.get_mut(usize::from(party.0))?.as_mut()
    }

    /// Shows those outside how it stands.
    fn show(&self) {
        self.shown.send_if_modified(|view| {
            let now = self.view();
            let news = *view != now;
            *view = now;
            news
        });
    }

    fn view(&self) -> View {
        let seats = self.meeting.seats();
        let people = self
            .people
            .iter()
            .enumerate()
            .filter_map(|(index, person)| {
                let person = person.as_ref()?;
                let party = PartyId(u8::try_from(index).ok()?);
                Some(Seated {
                    seat: party.0,
                    name: person.name.clone(),
                    call: person.record.id.to_string(),
                    agent: person.kind == Kind::Agent,
                    here: seats.is_seated(party),
                    muted: seats.is_muted(party),
                    speaking: self.speaking == Some(party),
                })
            });
        View {
            people: people.collect(),
            over: self.meeting.is_over(),
        }
    }
}

/// What comes from a chair.
enum News {
    Said(Said),
    /// Nobody sits there any more.
    Stood,
}

fn heard(link: &mut Link<Frame, Said>) -> Vec<News> {
    let mut news = Vec::new();
    loop {
        match link.rx.try_recv() {
            Ok(said) => news.push(News::Said(said)),
            Err(mpsc::error::TryRecvError::Empty) => return news,
            Err(mpsc::error::TryRecvError::Disconnected) => {
                news.push(News::Stood);
                return news;
            }
        }
    }
}

fn each(people: &mut [Option<Person>]) -> impl Iterator<Item = (PartyId, &mut Person)> {
    (0..MOST)
        .map(PartyId)
        .zip(people)
        .filter_map(|(party, person)| Some((party, person.as_mut()?)))
}

/// Someone went back to their agent.
const STOOD: End = End {
    by: Party::Gateway,
    why: Why::Completed,
};

/// When nothing is due.
const FAR: Duration = Duration::from_secs(60);
