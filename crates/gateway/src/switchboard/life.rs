//! A call's life, from the outside: what it is given, and what is done when it is over.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use call::event::{End, Party, Why};
use call::{
    Direction, Event, Machine, Memory, Mode, Opening, Phrases, Private, TurnId, memory, output,
};
use futures_util::FutureExt;
use policy::Proof;
use ports::Fault;
use ports::agent::{Answerer, Company, Introduction, Line, Objective, Past};
use ports::carrier::{Detect, Sound};
use ports::speech::Voice;
use tokio::sync::mpsc;

use super::tools::{self, Toolkit};
use super::trust::seen;
use super::{Record, Switchboard, announce, desk, host, presses, proving, tapes};
use crate::clips::Clip;
use crate::config::Plan;
use crate::flight::Flight;
use crate::line::Wire;
use crate::meeting::{Chair, FORMAT, InnerLine};
use crate::presses::Presses;
use crate::pulse::Pulse;
use crate::runner::{Control, Order, Parts, PinPad, Talk, Tape, run};

/// What a call is given when it begins.
pub(super) struct Given {
    /// What was in force when it began, which it keeps.
    pub(super) plan: Arc<Plan>,
    /// Where it is told things.
    pub(super) control: mpsc::Receiver<Control<Wire>>,
    /// How it hears and speaks.
    pub(super) voice: Voiced,
    /// What it is.
    pub(super) part: Part,
}

/// What a call is.
pub(super) struct Part {
    /// What it is for.
    pub(super) mode: Mode,
    /// What becomes of it if a machine picks up.
    pub(super) machine: Machine,
    /// Who answers.
    pub(super) answerer: Answerer,
    /// Where it begins.
    pub(super) begin: Begin,
    /// Its place at a meeting, if it is made for one.
    pub(super) chair: Option<Chair>,
    /// Whether another process is to take it up.
    pub(super) kept: Kept,
}

/// What leads out of a call's task.
struct Doors {
    orders: mpsc::Sender<Order>,
    presses: Presses,
    pulse: Arc<Pulse>,
    pad: Option<PinPad>,
}

/// How a call hears and speaks.
pub(super) enum Voiced {
    /// Like this; `None`: its sound comes back.
    Ready(Option<Voice>),
    /// As soon as that is loaded. Its sound may come before, and waits.
    Loading,
}

/// What becomes of a call when its process dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kept {
    /// Another takes it up.
    AcrossProcesses,
    /// It is ended, unless its caller sits at a meeting.
    Here,
}

impl Kept {
    /// What a call is to achieve in the end: one that ends with its process only asks something for another, which has
    /// an objective of its own.
    pub(super) fn aims_at(self, objective: Option<Objective>) -> Option<Objective> {
        match self {
            Self::AcrossProcesses => objective,
            Self::Here => None,
        }
    }
}

/// Where a call begins.
pub(super) enum Begin {
    /// At its beginning.
    Now,
    /// There too, for an agent that talked on another call before.
    Beside {
        /// Who called whom there.
        direction: Direction,
        /// What was said.
        past: Vec<Line>,
    },
    /// Where another process lost it.
    Again(Box<Broken>),
}

/// A call that another process lost.
pub(super) struct Broken {
    /// How it stood.
    pub(super) memory: Memory,
    /// Since when it has been without anyone.
    pub(super) since: Instant,
    /// What was said until then.
    pub(super) past: Vec<Line>,
    /// Whether it was recorded.
    pub(super) recorded: bool,
}

impl Switchboard {
    /// Starts a call's task, and the desk that carries its orders.
    pub(super) fn start(self: &Arc<Self>, record: &Arc<Record>, given: Given) {
        let (orders, ordered) = mpsc::channel(ORDERS);
        let detect = match given.part.machine {
            Machine::Talk => Detect::Nothing,
            Machine::HangUp(_) | Machine::Leave(..) => Detect::Machines,
        };
        let plan = given.plan.clone();
        let presses = presses::of(self, record, &plan);
        if let Begin::Now = given.part.begin {
            tapes::begin(self, record, &plan);
        }
        let pulse = Arc::new(Pulse::default());
        let call = (record.clone(), pulse.clone());
        let desk = desk::serve(self.clone(), call, (plan, detect), ordered);
        let doors = Doors {
            orders,
            presses,
            pulse,
            pad: proving::of(self, record, &given.plan),
        };
        self.start_with(record, given, doors, desk);
    }

    /// The same for a call whose line ends in this house, and which ends with it.
    pub(super) fn start_here(
        self: &Arc<Self>,
        record: &Arc<Record>,
        given: Given,
        line: InnerLine,
    ) {
        let (orders, ordered) = mpsc::channel(ORDERS);
        let desk = host::attend(record.clone(), line, ordered);
        let pulse = Arc::new(Pulse::default());
        let doors = Doors {
            orders,
            presses: Presses::InSound,
            pulse,
            pad: None,
        };
        self.start_with(record, given, doors, desk);
    }

    fn start_with(
        self: &Arc<Self>,
        record: &Arc<Record>,
        given: Given,
        doors: Doors,
        desk: impl Future<Output = ()> + Send + 'static,
    ) {
        let (board, record) = (self.clone(), record.clone());
        self.desk().plans.insert(record.id, given.plan.clone());
        tracing::info!(call = %record.id, direction = ?record.direction, number = ?record.number, caller = record.caller.as_ref().map(tracing::field::debug), "a call begins");
        let (heeding, heeded) = (self.clone(), record.clone());
        tokio::spawn(async move { heeding.heed(&heeded).await });
        tokio::spawn(async move {
            let desk = tokio::spawn(desk);
            let orders = doors.orders.clone();
            let life = board.live(&record, given, doors);
            if AssertUnwindSafe(life).catch_unwind().await.is_err() {
                tracing::error!(call = %record.id, "a call broke");
                let _ = orders.send(Order::Carrier(output::Carrier::HangUp)).await;
                let end = End {
                    by: Party::Gateway,
                    why: Why::Fault,
                };
                let now = Instant::now();
                record.log.push(now, Event::Ended(end));
                record.landing.broke(now);
            }
            record.landing.close();
            drop(orders);
            board.over(&record).await;
            if record.log.has_end() && record.log.parties().objective.is_some() {
                board.judge_aside(record.id.to_string());
            }
            tokio::select! {
                _ = desk => {}
                _ = record.is_said_to_be_over() => {}
            }
            board.close(&record).await;
        });
    }

    /// One call, from its first to its last moment.
    async fn live(self: &Arc<Self>, record: &Arc<Record>, given: Given, doors: Doors) {
        let Given {
            plan: began_with,
            control,
            voice,
            part,
        } = given;
        // Before anything that takes time: every moment of it is one of silence.
        ask_for_sound(&part.begin, &doors.orders).await;
        let voice = match voice {
            Voiced::Ready(voice) => voice,
            Voiced::Loading => match self.voices.get().await {
                Ok(voice) => Some(voice),
                Err(fault) => {
                    hang_up(&doors.orders).await;
                    return refuse(record, &fault);
                }
            },
        };
        let given = async {
            let clip = self.heard_first(record, &began_with, &part).await?;
            let talk = match voice {
                Some(voice) => Some(talk(self, (record, &began_with), &part, voice).await?),
                None => None,
            };
            Ok::<_, Fault>((clip, talk))
        };
        let (clip, talk) = match given.await {
            Ok(given) => given,
            Err(fault) => {
                // An offered call was already told where its sound goes.
                hang_up(&doors.orders).await;
                return refuse(record, &fault);
            }
        };
        let (plan, tape) = self.decided(record, &began_with, &part, clip.as_deref());
        let Part {
            mode,
            begin,
            chair,
            kept,
            ..
        } = part;
        let remembered = (kept == Kept::AcrossProcesses).then_some(mode);
        let (now, log, landing) = (Instant::now(), &record.log, record.landing.clone());
        let mut pad = doors.pad;
        let (flight, first) = match begin {
            Begin::Now | Begin::Beside { .. } => Flight::start(now, plan, log, landing),
            Begin::Again(broken) => {
                // A PIN may have been half keyed when the process was lost, and goes on without its star.
                if let Some(pad) = &mut pad {
                    pad.expect(log, now);
                }
                let Broken { memory, since, .. } = *broken;
                let gone = now.saturating_duration_since(since);
                Flight::resume(now, plan, (memory, gone), log, landing)
            }
        };
        let parts = Parts {
            talk,
            control,
            orders: doors.orders,
            presses: doors.presses,
            pad,
            log: record.log.clone(),
            recording: tape,
            clip,
            mode: remembered,
            chair,
            pulse: doors.pulse,
        };
        run(flight, (now, first), parts).await;
    }

    /// All that is decided about a call before it starts, and where it is recorded.
    fn decided(
        &self,
        record: &Record,
        began_with: &Plan,
        part: &Part,
        clip: Option<&Clip>,
    ) -> (call::Plan, Option<Tape>) {
        let (recording, tape) = announce::recording(began_with, record, part);
        // The rules may have become stricter while it was being prepared.
        let most = began_with.rules.limit().min(self.plan().rules.limit());
        let plan = call::Plan {
            direction: record.direction,
            mode: part.mode.clone(),
            machine: part.machine.clone(),
            policy: call::Policy {
                limit: limit(&part.begin, most, record.log.age()),
                ..began_with.patience
            },
            phrases: phrases(began_with, company(record)),
            announcement: clip.map(Clip::announcement),
            recording,
        };
        (plan, tape)
    }

    async fn over(&self, record: &Record) {
        {
            let mut desk = self.desk();
            desk.tokens.forget(record.id);
            desk.land(record.id);
        }
        let seconds = record.log.age().as_secs();
        if let Some(Event::Ended(End { by, why })) =
            record.log.after(0).pop().map(|entry| entry.event)
        {
            tracing::info!(call = %record.id, ?by, ?why, seconds, "a call ended");
            if why == Why::Fault {
                self.keep_flight(record).await;
            }
        }
    }

    /// Writes the flight recording of a call that ended by a fault.
    async fn keep_flight(&self, record: &Record) {
        if self.plan().keys.seal.is_some() {
            // It holds numbers and words as they are, which here are not to lie about.
            tracing::info!(call = %record.id, "no flight recording is written by itself where the journal is encrypted");
            return;
        }
        // A call that never started was never told anything.
        let Ok(snapshot) = self.flight(record).await else {
            return;
        };
        match self.put_flight(record, snapshot).await {
            Ok(path) => {
                let path = path.display();
                tracing::info!(call = %record.id, %path, "a flight recording was written");
            }
            Err(fault) => {
                tracing::warn!(call = %record.id, code = fault.code, "a flight recording is lost: {fault}");
            }
        }
    }
}

/// How long a call may last from where its sound begins: where another process had it before anything was said, what is
/// left of that since it began.
fn limit(begin: &Begin, most: Duration, age: Duration) -> Duration {
    match begin {
        Begin::Now | Begin::Beside { .. } => most,
        Begin::Again(broken) => match broken.memory {
            Memory::Answered => most.saturating_sub(age),
            // It rings yet; or remembers by itself what is left.
            Memory::Waiting
            | Memory::Up { .. }
            | Memory::Elsewhere { .. }
            | Memory::Ending(_)
            | Memory::Over => most,
        },
    }
}

async fn hang_up(orders: &mpsc::Sender<Order>) {
    // A desk that is gone has hung up.
    let _ = orders.send(Order::Carrier(output::Carrier::HangUp)).await;
}

/// A call that another process lost has none.
async fn ask_for_sound(begin: &Begin, orders: &mpsc::Sender<Order>) {
    if let Begin::Again(broken) = begin {
        match broken.memory {
            Memory::Answered | Memory::Up { .. } => {
                let _ = orders
                    .send(Order::Carrier(output::Carrier::Reconnect))
                    .await;
            }
            // One that was put through goes on without us.
            Memory::Waiting | Memory::Elsewhere { .. } | Memory::Ending(_) | Memory::Over => {}
        }
    }
}

/// Opens mouth and agent, while the phone rings.
async fn talk(
    board: &Arc<Switchboard>,
    (record, plan): (&Arc<Record>, &Arc<Plan>),
    part: &Part,
    voice: Voice,
) -> Result<Talk, Fault> {
    let Part {
        mode,
        machine,
        answerer,
        begin,
        ..
    } = part;
    let (first, talks) = match mode {
        Mode::Conversation {
            opening: Opening::Say(text),
        } => (Some(text), true),
        Mode::Conversation {
            opening: Opening::Ask | Opening::Wait,
        } => (None, true),
        Mode::Notify { text } => (Some(text), false),
        Mode::Loopback | Mode::Seat(_) => (None, false),
    };
    let agent = if talks {
        agent(board, (record, plan), (answerer, begin)).await?
    } else {
        nobody()
    };
    let Phrases {
        filler,
        still,
        apology,
        back,
        goodbye,
    } = &plan.phrases;
    let others = [filler, still, apology, goodbye]
        .into_iter()
        .flat_map(spoken);
    let back = spoken(back);
    let prepare: Vec<_> = match begin {
        Begin::Now | Begin::Beside { .. } => {
            let first_text = first;
            let first = first.into_iter().flat_map(spoken);
            let message = match machine {
                Machine::Leave(_, text) if Some(text) != first_text => spoken(text),
                Machine::Leave(..) | Machine::HangUp(_) | Machine::Talk => Vec::new(),
            };
            first.chain(message).chain(back).chain(others).collect()
        }
        // Everyone who waits may have to hear why, before what is left to say can be made.
        Begin::Again(broken) => {
            let next = unheard(&broken.memory).into_iter().take(PREPARED);
            back.into_iter().chain(next).chain(others).collect()
        }
    };
    // An agent at a meeting has no carrier, and a line of this house's.
    let carrier = plan.carriers.get(&record.carrier);
    let rate = carrier.map_or(FORMAT.rate, |it| match &it.sound {
        Sound::Stream(dialect) => dialect.rate(),
    });
    Ok(Talk {
        mouth: voice.mouth.open(rate).await?,
        rate,
        agent,
        language: plan.agents[&record.agent].language.clone(),
        transfers: plan.agents[&record.agent].transfer_to.clone(),
        toolbox: Some(Arc::new(Toolkit::of(
            board.clone(),
            record.clone(),
            plan.clone(),
        ))),
        prepare,
        voice,
    })
}

/// Has an agent begin to talk.
async fn agent(
    board: &Arc<Switchboard>,
    (record, plan): (&Arc<Record>, &Arc<Plan>),
    (answerer, begin): (&Answerer, &Begin),
) -> Result<ports::Link<ports::agent::Tell, ports::agent::Answer>, Fault> {
    let call = board.introduce(plan, record, begin).await;
    Ok(match answerer {
        Answerer::Words { agent, .. } => agent.open(call).await?,
        Answerer::Connects { agent, .. } => {
            let carrier = board.connections.carrier(&record.agent, &call.call);
            agent.open(call, carrier)
        }
        Answerer::ByHand => board.hands.open(&call),
        Answerer::Loopback => nobody(),
    })
}

/// A call that could not be given a voice ends before it begins.
fn refuse(record: &Record, fault: &Fault) {
    tracing::error!(call = %record.id, code = fault.code, "a call could not begin: {fault}");
    record.fail(fault);
    let end = End {
        by: Party::Gateway,
        why: Why::Fault,
    };
    record.log.push(Instant::now(), Event::Ended(end));
}

/// What a call was about to say.
fn unheard(memory: &Memory) -> Vec<Private<String>> {
    match memory {
        Memory::Up { talk, .. } => match talk {
            memory::Talk::Conversation(thread) => {
                let unheard = thread.unheard.iter();
                unheard.map(|it| it.text.clone()).collect()
            }
            memory::Talk::Notice { unheard, .. } => unheard.clone(),
            memory::Talk::Loopback | memory::Talk::Seat { .. } => Vec::new(),
        },
        Memory::Elsewhere { .. }
        | Memory::Waiting
        | Memory::Answered
        | Memory::Ending(_)
        | Memory::Over => Vec::new(),
    }
}

/// The turn that the agent had when its process died, and that is not over.
pub(super) fn open_turn(memory: &Memory) -> Option<(TurnId, Private<String>)> {
    let Memory::Up { talk, .. } = memory else {
        return None;
    };
    let thread = match talk {
        memory::Talk::Conversation(thread) => thread,
        memory::Talk::Seat { thread, .. } => thread.as_deref()?,
        memory::Talk::Notice { .. } | memory::Talk::Loopback => return None,
    };
    match &thread.floor {
        memory::Holder::Agent(answering) => Some((answering.turn, answering.said.clone())),
        memory::Holder::Nobody
        | memory::Holder::Caller
        | memory::Holder::Opening(_)
        | memory::Holder::Closing(_) => None,
    }
}

/// Whom a call's agent talks with.
fn company(record: &Record) -> Company {
    if record.carrier == host::HOUSE {
        Company::Meeting
    } else {
        Company::Caller
    }
}

/// What is said where an agent cannot. Those who talk with one another do not wait for it, and no
/// filler interrupts them.
fn phrases(plan: &Plan, company: Company) -> Phrases {
    let phrases = plan.phrases.clone();
    match company {
        Company::Caller => phrases,
        Company::Meeting => Phrases {
            filler: String::new().into(),
            still: String::new().into(),
            ..phrases
        },
    }
}

impl Switchboard {
    /// What a call's agent is told of it, and of those before.
    async fn introduce(&self, plan: &Plan, record: &Record, begin: &Begin) -> Introduction {
        let come = tools::come(plan, &record.agent);
        let mut call = introduction(plan, record, begin);
        match begin {
            Begin::Now | Begin::Again(_) => {
                let earlier = self.earlier(plan, record, call.trust);
                let (earlier, ()) = tokio::join!(earlier, come);
                call.session = earlier.session;
                call.past.lines.splice(..0, earlier.lines);
            }
            // It talked with that caller a moment ago.
            Begin::Beside { .. } => come.await,
        }
        call.tools = tools::told(plan, &record.agent);
        call
    }
}

fn introduction(plan: &Plan, record: &Record, begin: &Begin) -> Introduction {
    let (direction, lines, open) = match begin {
        Begin::Now => (record.direction, Vec::new(), None),
        Begin::Beside { direction, past } => (*direction, past.clone(), None),
        Begin::Again(broken) => {
            let open = open_turn(&broken.memory);
            (record.direction, broken.past.clone(), open)
        }
    };
    let agent = plan.agents.get(&record.agent);
    let caller = record.caller.as_ref();
    let contact = caller.and_then(|it| plan.rules.contact(it));
    // It talks with nobody before they picked up, and with no machine.
    let proof = match (record.proved_before(), record.direction) {
        (Proof::Pin, _) => Proof::Pin,
        (Proof::Nothing | Proof::PickedUp, Direction::Outbound) => Proof::PickedUp,
        (Proof::Nothing | Proof::PickedUp, Direction::Inbound) => Proof::Nothing,
    };
    Introduction {
        tools: Vec::new(),
        objective: record.log.parties().objective.clone(),
        company: company(record),
        past: Past { lines, open },
        transfers: agent.map(|it| it.transfer_to.clone()).unwrap_or_default(),
        contact: contact.map(str::to_owned),
        trust: plan.rules.trust(&seen(record, proof)),
        call: record.id.to_string(),
        session: record.id.to_string(),
        direction,
        caller: record.caller.clone(),
        number: record.number.clone(),
    }
}

/// A text as the mouth will be given it: clause by clause.
pub(super) fn spoken(text: &Private<String>) -> Vec<Private<String>> {
    let clauses = call::clauses(text.reveal());
    clauses.into_iter().map(Private::from).collect()
}

/// An agent for calls that need none: it listens and says nothing.
fn nobody() -> ports::Link<ports::agent::Tell, ports::agent::Answer> {
    let (near, mut far) = ports::pair(16);
    tokio::spawn(async move { while far.rx.recv().await.is_some() {} });
    near
}

/// Of what is left to say after a break, so many clauses are made before there is a line for them.
const PREPARED: usize = 2;
/// How many orders may wait for the carrier.
const ORDERS: usize = 8;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_lost_before_anything_was_said_does_not_begin_its_time_anew() {
        let lost = |memory| {
            Begin::Again(Box::new(Broken {
                memory,
                since: Instant::now(),
                past: Vec::new(),
                recorded: false,
            }))
        };
        let [most, age] = [600, 590].map(Duration::from_secs);
        assert_eq!(limit(&Begin::Now, most, Duration::ZERO), most);
        let answered = lost(Memory::Answered);
        assert_eq!(limit(&answered, most, age), Duration::from_secs(10));
        assert_eq!(limit(&answered, most, most * 2), Duration::ZERO);
        assert_eq!(limit(&lost(Memory::Waiting), most, age), most, "it rings");
    }
}
