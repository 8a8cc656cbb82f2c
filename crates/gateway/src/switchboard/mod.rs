//! Finds calls, starts them, and is asked before anything costs money.

mod adopt;
mod announce;
mod asking;
mod audit;
mod callbacks;
mod closing;
mod desk;
mod dialled;
#[cfg(test)]
mod fixture;
mod flights;
mod handover;
mod heed;
mod histories;
mod host;
mod late;
mod life;
mod liveness;
mod meetings;
mod outcomes;
mod pairing;
mod planned;
mod presses;
mod proving;
mod record;
mod recover;
mod renewed;
mod requested;
mod said;
mod spending;
mod stopping;
mod tapes;
mod tokens;
mod tools;
mod trust;
mod unconnected;
mod unwanted;
mod voices;
mod wanted;
mod whole;
mod wish;

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, RwLock};
use std::time::{Duration, Instant};

use call::event::What;
use call::{Attestation, Direction, Machine, Mode, Number, input};
use jiff::Timestamp;
use ports::agent::Answerer;
use ports::carrier::{Leg, News, Stream, Webhook};
use ports::speech::Voice;
use ports::{Blame, Fault, Secret, code};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::approvals::Approvals;
use crate::callbacks::Callbacks;
use crate::claims::{Claims, Once};
use crate::clips::Clips;
use crate::config::{OurNumber, Plan};
use crate::connections::Connections;
use crate::guesses::Guesses;
use crate::hands::Hands;
use crate::jobs::Jobs;
use crate::journal::Journal;
use crate::ledger::Ledger;
use crate::line::Wire;
use crate::meeting::{MeetingId, Room};
use crate::metrics::metrics;
use crate::outbox::Outbox;
use crate::pairings::Pairings;
use crate::receipts::Receipts;
use crate::runner::Control;
use crate::sessions::Sessions;
use crate::sound::Attached;
use crate::tools::Questions;
pub use adopt::Tightened;
pub use asking::Approval;
use asking::asks_first;
use audit::{About, Flood};
pub use callbacks::Callback;
use dialled::Astray;
pub use handover::Handover;
use life::{Begin, Given, Kept, Part, Voiced};
use meetings::Cast;
pub use meetings::{Guest, Meet, Referred, Target};
pub use outcomes::Asker;
pub(crate) use pairing::nobody as nobody_waits;
use pairing::{Entrance, Welcome};
use planned::Plans;
pub use planned::Proposal;
use record::{Born, Talks};
pub use record::{CallId, Record, Report};
pub use recover::Lost;
use spending::{Leave, Purposeful, Terms};
use tokens::Tokens;
use unwanted::Unwanted;
use voices::Voices;
pub use wanted::Placed;
use wanted::placed;
pub use whole::Carried;
pub use wish::{OnMachine, Purpose, Verdict, Wish};
use wish::{answerer, machine, mode, our_number};

/// Everything that knows about more than one call.
pub struct Switchboard {
    plan: RwLock<Arc<Plan>>,
    /// Where what outlives the process is kept.
    state: PathBuf,
    journal: Arc<Journal>,
    claims: Claims,
    jobs: Jobs,
    ledger: Ledger,
    outbox: Outbox,
    receipts: Receipts,
    guesses: Guesses,
    pairings: Pairings,
    plans: Plans,
    voices: Voices,
    clips: Clips,
    desk: Mutex<Desk>,
    stopping: AtomicBool,
    /// The owner has stopped everything.
    stopped: AtomicBool,
    /// Calls that wait for the owner.
    approvals: Approvals,
    /// Calls back that were promised.
    callbacks: Callbacks,
    flood: Flood,
    hands: Hands,
    connections: Connections,
    questions: Questions,
    /// Names of conversations that go on from one call to the next.
    sessions: Sessions,
    /// Those who said so on a call and are not on the list yet.
    unwanted: Unwanted,
    /// Those who ask what came of calls; `None`: nobody is to any more.
    judges: Mutex<Option<JoinSet<()>>>,
    /// Places for calls of which is asked what came of them.
    judging: Semaphore,
    /// Held by whoever writes that down: it is looked at first whether somebody has.
    writes_outcome: tokio::sync::Mutex<()>,
}

/// Loads ears and mouth. May take seconds, and is called where it may.
pub type LoadVoice = Arc<dyn Fn() -> Result<Voice, Fault> + Send + Sync>;

/// What is shared between calls: looked at a few times in a call's life, never for its sound.
#[derive(Default)]
struct Desk {
    calls: HashMap<CallId, Arc<Record>>,
    /// In order of their beginning; the oldest are forgotten.
    order: VecDeque<CallId>,
    up: usize,
    /// What each call that is up began with.
    plans: HashMap<CallId, Arc<Plan>>,
    legs: HashMap<(String, Leg), CallId>,
    tokens: Tokens,
    /// Calls that are over and whose tapes are kept, the latest last.
    landed: VecDeque<CallId>,
    /// Dials of which nobody knows what became of them.
    astray: Vec<Astray>,
    /// When strangers were last answered, who may ask to be paired.
    knocks: VecDeque<Instant>,
    /// Those that are not over.
    meetings: HashMap<MeetingId, Arc<Room>>,
}

/// Calls that are over are remembered, this many of them.
const REMEMBERED: usize = 1_000;

impl Switchboard {
    /// Opens for business. What must outlive the process is kept in the folder `state`.
    ///
    /// # Errors
    /// The journal in that folder cannot be kept.
    pub fn new(plan: Plan, load_voice: LoadVoice, state: PathBuf) -> Result<Arc<Self>, Fault> {
        let journal = Journal::open(&state, plan.keep, plan.keys.clone())?;
        let now = Timestamp::now().as_millisecond();
        let outbox = Outbox::open(&state, &plan.reports, journal.last())?;
        let claims = Claims::open(&state, now)?;
        let jobs = Jobs::open(&state, now)?;
        let ledger = Ledger::open(&state, now)?;
        let receipts = Receipts::open(&state, plan.keys.clone(), now)?;
        let clips = Clips::new(&state);
        let stopped = ledger.stopped()?.is_some();
        let approvals = Approvals::open(&state, now, plan.keys.clone())?;
        let callbacks = Callbacks::open(&state, now, plan.keys.clone())?;
        let sessions = Sessions::open(&state)?;
        let guesses = Guesses::open(&state, now)?;
        let pairings = Pairings::open(&state)?;
        Ok(Arc::new(Self {
            clips,
            plan: RwLock::new(Arc::new(plan)),
            state,
            journal,
            claims,
            jobs,
            ledger,
            outbox,
            receipts,
            guesses,
            pairings,
            plans: Plans::default(),
            voices: Voices::new(load_voice),
            desk: Mutex::default(),
            stopping: AtomicBool::new(false),
            stopped: AtomicBool::new(stopped),
            approvals,
            callbacks,
            flood: Flood::default(),
            hands: Hands::default(),
            connections: Connections::default(),
            questions: Questions::default(),
            sessions,
            unwanted: Unwanted::default(),
            judges: Mutex::new(Some(JoinSet::new())),
            judging: Semaphore::new(outcomes::AT_ONCE),
            writes_outcome: tokio::sync::Mutex::default(),
        }))
    }

    /// What happened on every call.
    pub fn journal(&self) -> &Journal {
        &self.journal
    }

    /// What is told to the owner's own systems.
    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Tells it, until the outbox is to rest.
    pub(crate) async fn report(self: Arc<Self>) {
        let board = self.clone();
        let plan = Arc::new(move || board.plan());
        let couriers = self.outbox.carry(&self.journal, &self.ledger, plan);
        couriers.join_all().await;
    }

    /// What webhooks were answered.
    pub(crate) fn receipts(&self) -> &Receipts {
        &self.receipts
    }

    /// What agents ask the owner while their callers wait.
    pub(crate) fn questions(&self) -> &Questions {
        &self.questions
    }

    /// The agents that are connected.
    pub(crate) fn connections(&self) -> &Connections {
        &self.connections
    }

    /// The calls that are held by hand.
    pub(crate) fn hands(&self) -> &Hands {
        &self.hands
    }

    /// The dials whose requests were sent.
    pub(crate) fn jobs(&self) -> &Jobs {
        &self.jobs
    }

    /// Where what outlives the process is kept.
    pub fn state(&self) -> &Path {
        &self.state
    }

    async fn place(
        self: &Arc<Self>,
        id: CallId,
        wish: Wish,
        leave: Leave,
    ) -> Result<Arc<Record>, Fault> {
        let plan = self.plan();
        let number = our_number(&plan, wish.from.as_deref())?;
        let ours = &plan.numbers[&number];
        let agent = wish.agent.unwrap_or_else(|| ours.agent.clone());
        let answerer = answerer(&plan, &agent)?;
        let mode = mode(&plan, &agent, &answerer, wish.purpose)?;
        let machine = machine(&plan, (&agent, &ours.carrier), &mode, wish.on_machine)?;
        let cast = Cast {
            agent,
            answerer,
            mode,
            machine,
            chair: None,
            kept: Kept::AcrossProcesses,
            leave,
            ceiling: wish.ceiling,
            objective: wish.objective,
            asked_by: wish.asked_by,
        };
        self.dial_as(id, (&wish.to, wish.from.as_deref()), cast)
            .await
    }

    /// Makes a call to a number, from one of ours.
    async fn dial_as(
        self: &Arc<Self>,
        id: CallId,
        (to, from): (&str, Option<&str>),
        cast: Cast,
    ) -> Result<Arc<Record>, Fault> {
        let plan = self.plan();
        let number = our_number(&plan, from)?;
        let ours = &plan.numbers[&number];
        let Cast {
            agent,
            answerer,
            mode,
            machine,
            chair,
            kept,
            leave,
            ceiling,
            objective,
            asked_by,
        } = cast;
        let voice = self.voice_for(&mode).await?;
        if let Ok(known) = plan.rules.known(to) {
            let whose = (Direction::Outbound, Some(&known.number));
            self.announcement(&plan, whose, &mode).await?;
        }

        let terms = Terms {
            leave,
            purposeful: Purposeful::of(objective.as_ref().map(|it| &it.goal)),
            ceiling,
        };
        let (permit, seat) = self.reserve(id.to_string(), to, &agent, terms).await?;
        let purpose = objective.as_ref().map(|it| it.goal.clone());
        self.write_purpose(id, &permit.number, purpose);
        let (direction, attestation) = (Direction::Outbound, Attestation::Nothing);
        let born = Born {
            direction,
            attestation,
            entrance: Entrance::Listed,
            trust: trust::at_first(
                &plan.rules,
                (direction, Entrance::Listed),
                Some(&permit.number),
                attestation,
            ),
            caller: Some(permit.number),
            number,
            carrier: ours.carrier.clone(),
            agent,
            talk: Talks::of(&mode),
            allowed_by: permit.rule,
            objective: kept.aims_at(objective),
            asked_by,
        };
        let (control, heard) = mpsc::channel(CONTROL);
        let record = Record::new(id, born, control, self.journal.pen());
        let record = self.desk().add(record);
        drop(seat);
        let given = Given {
            plan,
            control: heard,
            voice: Voiced::Ready(voice),
            part: Part {
                mode,
                machine,
                answerer,
                begin: Begin::Now,
                chair,
                kept,
            },
        };
        self.start(&record, given);
        Ok(record)
    }

    /// What to tell a carrier that asks what to do with a call.
    pub async fn asked(
        self: &Arc<Self>,
        carrier: &str,
        hint: Option<CallId>,
        webhook: &Webhook,
    ) -> Verdict {
        match &webhook.news {
            News::Offered {
                from,
                to,
                attestation,
            } => {
                let call = Offer {
                    from: from.reveal(),
                    to: to.reveal(),
                    attestation: *attestation,
                };
                self.offered(carrier, &webhook.leg, call).await
            }
            News::Answered => match self.told(carrier, hint, webhook).await {
                Some(record) if !record.is_leaving() => Verdict::Connect(self.stream(&record)),
                // A call we do not know, or that is over: it must not go on costing money.
                Some(_) | None => Verdict::HangUp,
            },
            News::Adrift
            | News::AnsweredBy(_)
            | News::Ended(_)
            | News::Joined
            | News::Parted
            | News::PutBack(_)
            | News::Recorded(_)
            | News::Ringing
            | News::Unconnected(_)
            | News::Nothing => {
                self.told(carrier, hint, webhook).await;
                Verdict::HangUp
            }
        }
    }

    /// What to tell a carrier that asks what to do with a call whose socket of number `after` is
    /// gone. A call we know nothing of, or that is being hung up, must not go on costing money.
    pub async fn adrift(
        self: &Arc<Self>,
        carrier: &str,
        hint: Option<CallId>,
        after: Option<u64>,
        webhook: &Webhook,
    ) -> Verdict {
        let record = self.told(carrier, hint, webhook).await;
        let up = match &webhook.news {
            News::Adrift | News::PutBack(_) => record.filter(|it| !it.is_leaving()),
            News::Answered
            | News::AnsweredBy(_)
            | News::Ended(_)
            | News::Joined
            | News::Nothing
            | News::Offered { .. }
            | News::Parted
            | News::Recorded(_)
            | News::Ringing
            | News::Unconnected(_) => None,
        };
        match up.zip(after) {
            Some((record, after)) => {
                let asks = webhook.news == News::Adrift;
                if let Some(handover) = record.diverted().filter(|_| asks) {
                    return Verdict::Transfer(handover);
                }
                record.divert(None);
                let stream = record.stream_after(after, |number| self.mint(&record, number));
                Verdict::Connect(stream)
            }
            None => Verdict::HangUp,
        }
    }

    /// Passes on what a carrier says about a call. `None`: it is not a call of ours.
    pub async fn told(
        self: &Arc<Self>,
        carrier: &str,
        hint: Option<CallId>,
        webhook: &Webhook,
    ) -> Option<Arc<Record>> {
        if let News::Recorded(tape) = &webhook.news {
            self.recorded(carrier, hint, (webhook, tape)).await;
        }
        let found = self.find(carrier, hint, (&webhook.leg, &webhook.dialled));
        match (&found, hint) {
            (Some(record), _) => self.named(record, webhook).await,
            (None, Some(call)) => self.named_by_nobody(carrier, call, webhook).await,
            (None, None) => {}
        }
        let record = found?;
        let news = match &webhook.news {
            News::Answered => Some(input::Carrier::Answered),
            News::AnsweredBy(who) => Some(input::Carrier::AnsweredBy(*who)),
            News::Ended(end) => Some(input::Carrier::Ended(*end)),
            News::Joined => {
                // It need not be told again, and is not taken back any more.
                record.divert(None);
                Some(input::Carrier::Joined)
            }
            News::Parted => Some(input::Carrier::Parted),
            News::PutBack(why) => Some(input::Carrier::PutBack(*why)),
            News::Ringing => Some(input::Carrier::Ringing),
            News::Adrift | News::Nothing | News::Offered { .. } | News::Recorded(_) => None,
            News::Unconnected(why) => {
                if record.is_news(&webhook.notice) {
                    self.unconnected(&record, why).await;
                }
                None
            }
        };
        if let Some(news) = news
            && record.is_news(&webhook.notice)
        {
            record.tell(news).await;
        }
        Some(record)
    }

    /// What the call began with whose socket a token would open. Does not use the token up.
    pub fn knows(&self, carrier: &str, token: &str) -> Option<Arc<Plan>> {
        let call = self.desk().tokens.peek(Instant::now(), token, carrier)?;
        Some(self.plan_of(call))
    }

    /// Uses a token up. `None`: it was never good, or no longer is.
    pub fn redeem(&self, carrier: &str, token: &str) -> Option<Arc<Record>> {
        let mut desk = self.desk();
        let call = desk.tokens.redeem(Instant::now(), token, carrier)?;
        desk.calls.get(&call).cloned()
    }

    /// Gives a call its sound. `false`: the call is over, or this is not its leg.
    pub async fn connect(&self, record: &Record, leg: &Leg, attached: Attached<Wire>) -> bool {
        if !self.bind(record, leg) {
            return false;
        }
        record
            .control
            .send(Control::Sound(Box::new(attached)))
            .await
            .is_ok()
    }

    /// A call by our name for it.
    pub fn call(&self, id: CallId) -> Option<Arc<Record>> {
        self.desk().calls.get(&id).cloned()
    }

    /// All calls that are remembered, the latest first.
    pub fn calls(&self) -> Vec<Arc<Record>> {
        let desk = self.desk();
        let latest = desk.order.iter().rev();
        latest
            .filter_map(|id| desk.calls.get(id).cloned())
            .collect()
    }

    /// Begins no new calls from now on, and waits for those that are up, or until `patience` is over.
    pub async fn drain(&self, patience: Duration) {
        self.stopping.store(true, Ordering::Relaxed);
        let over = async {
            for record in self.up() {
                record.log.ended().await;
            }
        };
        let _ = tokio::time::timeout(patience, over).await;
    }

    /// Lets go of every call that is up, so that another gateway can take it up, and returns how many
    /// those are. Nobody is hung up on.
    pub async fn hand_over(&self) -> usize {
        self.stopping.store(true, Ordering::Relaxed);
        let up = self.up();
        let (left, mut all_left) = mpsc::channel(1);
        for record in &up {
            let _ = record.control.send(Control::Leave(left.clone())).await;
        }
        drop(left);
        // Nothing is ever sent: it closes when the last call has let go.
        let _ = tokio::time::timeout(LEAVING, all_left.recv()).await;
        up.len()
    }

    /// Whether any call is up.
    pub fn is_busy(&self) -> bool {
        !self.up().is_empty()
    }

    fn up(&self) -> Vec<Arc<Record>> {
        let calls = self.calls().into_iter();
        calls.filter(|it| !it.log.is_closed()).collect()
    }

    /// Whether new calls may begin.
    fn is_open(&self) -> Result<(), Fault> {
        self.goes_on()?;
        if self.stopping.load(Ordering::Relaxed) {
            let message = "the gateway is stopping, and begins no new calls";
            return Err(Fault::new(Blame::Gateway, code::GATEWAY_STOPPING, message)
                .hint("ask again when it has been started again"));
        }
        self.journal.pen().check()
    }

    /// Ends every call and waits until all are over, or until `patience` is.
    pub async fn hang_up_all(&self, patience: Duration) {
        let up = self.up();
        let all = async {
            for record in &up {
                record.hang_up().await;
            }
            for record in &up {
                record.log.ended().await;
            }
        };
        let _ = tokio::time::timeout(patience, all).await;
    }

    /// Whether calls would be taken now.
    ///
    /// # Errors
    /// Says what is missing: the journal, or ears and mouth that are still being loaded.
    pub fn ready(&self) -> Result<(), Fault> {
        self.is_open()?;
        if self.needs_voice() && !self.voices.are_loaded() {
            let message = "ears and mouth are still being loaded";
            return Err(Fault::new(Blame::Gateway, code::SPEECH_OVERLOADED, message)
                .hint("ask again in a few seconds"));
        }
        Ok(())
    }

    fn needs_voice(&self) -> bool {
        let plan = self.plan();
        let mut agents = plan.agents.iter();
        agents.any(|(name, agent)| match agent.answerer {
            Answerer::Words { .. } | Answerer::Connects { .. } => true,
            // It is always there, and not always used.
            Answerer::ByHand => plan.numbers.values().any(|it| it.agent == *name),
            Answerer::Loopback => false,
        })
    }

    /// Loads ears and mouth now rather than for the first caller, if any agent needs them.
    pub async fn warm_up(&self) -> Result<(), Fault> {
        if self.needs_voice() {
            self.warm_up_to_talk().await?;
        }
        Ok(())
    }

    /// The same, whoever is to talk.
    pub(crate) async fn warm_up_to_talk(&self) -> Result<(), Fault> {
        self.voices.warm_up().await?;
        self.make_announcements().await
    }

    async fn offered(self: &Arc<Self>, carrier: &str, leg: &Leg, call: Offer<'_>) -> Verdict {
        if let Some(record) = self.find(carrier, None, (leg, leg)) {
            // The carrier asks again, or someone replays its question: the same answer, no more.
            return Verdict::Connect(self.stream(&record));
        }
        match self.take(carrier, leg, call).await {
            Ok(record) => Verdict::Connect(self.stream(&record)),
            Err(fault) => {
                let about = About {
                    what: What::Answer,
                    direction: Direction::Inbound,
                    ours: call.to,
                    theirs: call.from,
                    carrier,
                    agent: "",
                };
                self.refused(&about, &fault);
                turned_away(carrier, &fault);
                Verdict::Reject
            }
        }
    }

    async fn take(
        self: &Arc<Self>,
        carrier: &str,
        leg: &Leg,
        Offer {
            from,
            to,
            attestation,
        }: Offer<'_>,
    ) -> Result<Arc<Record>, Fault> {
        let in_force = self.plan();
        let (number, ours) = number_called(&in_force, carrier, to)?;
        self.is_open()?;
        let entrance = self.entrance(&in_force.rules, from).await?;
        self.may_enter(&self.desk(), from, entrance)?;
        let Welcome {
            mode,
            answerer,
            plan,
            kept,
            allowed_by,
        } = Self::welcome_in(&in_force, &ours.agent, entrance)?;
        let voice = self.voice_for(&mode).await?;
        let known = Number::parse(from).ok();
        self.announcement(&plan, (Direction::Inbound, known.as_ref()), &mode)
            .await?;

        let mut desk = self.desk();
        // Whoever stops everything looks at the desk after saying so: one of the two sees the other.
        self.goes_on()?;
        let caller = self.may_enter(&desk, from, entrance)?;
        let key = (carrier.to_owned(), leg.clone());
        if let Some(record) = desk.legs.get(&key).and_then(|id| desk.calls.get(id)) {
            // The same question came twice at once.
            return Ok(record.clone());
        }
        let direction = Direction::Inbound;
        let way = (direction, entrance);
        let born = Born {
            direction,
            attestation,
            entrance,
            trust: trust::at_first(&plan.rules, way, caller.as_ref(), attestation),
            caller,
            number: number.clone(),
            carrier: carrier.to_owned(),
            agent: ours.agent.clone(),
            talk: Talks::of_caller(entrance, &mode),
            allowed_by,
            objective: None,
            asked_by: None,
        };
        let (control, heard) = mpsc::channel(CONTROL);
        let record = desk.add(Record::new(
            CallId::random(),
            born,
            control,
            self.journal.pen(),
        ));
        desk.legs.insert(key, record.id);
        if entrance == Entrance::Stranger {
            desk.knock();
        }
        drop(desk);
        record.bind(leg);
        self.stream(&record);
        let given = Given {
            plan,
            control: heard,
            voice: Voiced::Ready(voice),
            part: Part {
                mode,
                machine: Machine::Talk,
                answerer,
                begin: Begin::Now,
                chair: None,
                kept,
            },
        };
        self.start(&record, given);
        Ok(record)
    }

    /// Where a call's sound goes: made once for each call, with a token of its own.
    fn stream(&self, record: &Record) -> Stream {
        record.stream(|number| self.mint(record, number))
    }

    /// A socket for a call, with the token that opens it.
    fn mint(&self, record: &Record, number: u64) -> Stream {
        let (id, carrier) = (record.id, &record.carrier);
        let base = &self.plan_of(id).public_url;
        let token = self.desk().tokens.mint(Instant::now(), id, carrier);
        let socket = base.replacen("http", "ws", 1);
        Stream {
            url: format!("{socket}/{carrier}/media/{token}"),
            token: Secret::new(token),
            back: format!("{base}/{carrier}/again?call={id}&after={number}"),
        }
    }

    /// Learns the carrier's name for a call. `false`: the call has another.
    fn bind(&self, record: &Record, leg: &Leg) -> bool {
        // It may be somebody else's, who is in a room with this call.
        if record.leg().is_some_and(|it| it != *leg) {
            return false;
        }
        let key = (record.carrier.clone(), leg.clone());
        let mut desk = self.desk();
        let known = *desk.legs.entry(key).or_insert(record.id);
        known == record.id && record.bind(leg)
    }

    /// A call by its carrier's name for it, or by what its dial was called; else by ours.
    fn find(
        &self,
        carrier: &str,
        hint: Option<CallId>,
        (leg, dialled): (&Leg, &Leg),
    ) -> Option<Arc<Record>> {
        let desk = self.desk();
        let mut names = [leg, dialled].into_iter();
        let known =
            names.find_map(|leg| desk.legs.get(&(carrier.to_owned(), leg.clone())).copied());
        let record = desk.calls.get(&known.or(hint)?)?.clone();
        drop(desk);
        if record.carrier != carrier {
            return None;
        }
        if leg != dialled {
            record.rename(dialled, leg);
        }
        self.bind(&record, leg).then_some(record)
    }

    async fn voice_for(&self, mode: &Mode) -> Result<Option<Voice>, Fault> {
        match mode {
            Mode::Loopback => Ok(None),
            Mode::Conversation { .. } | Mode::Notify { .. } | Mode::Seat(_) => {
                self.voices.get().await.map(Some)
            }
        }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk
            .lock()
            .expect("no one panics while holding the desk")
    }
}

/// Which of our numbers a carrier says was called.
fn number_called<'p>(
    plan: &'p Plan,
    carrier: &str,
    to: &str,
) -> Result<(&'p Number, &'p OurNumber), Fault> {
    let ours = Number::parse(to)
        .ok()
        .and_then(|number| plan.numbers.get_key_value(&number));
    ours.filter(|(_, it)| it.carrier == carrier).ok_or_else(|| {
        let message = "a call came for a number that is not in the configuration";
        Fault::new(Blame::Config, code::POLICY_NUMBER, message)
            .hint("add the number called as [numbers.\"+…\"]")
    })
}

/// A call that a carrier offers, as it says.
#[derive(Clone, Copy)]
struct Offer<'o> {
    from: &'o str,
    to: &'o str,
    attestation: Attestation,
}

/// The owner's rules at work are no more than worth knowing; what we cannot do is worth waking
/// somebody for.
fn turned_away(carrier: &str, fault: &Fault) {
    metrics().refused("inbound", fault);
    let (code, hint) = (fault.code, fault.hint.as_deref());
    if code.starts_with("policy.") {
        tracing::info!(carrier, code, hint, "a caller was turned away: {fault}");
    } else {
        tracing::error!(carrier, code, hint, "a caller was turned away: {fault}");
    }
}

impl Desk {
    fn add(&mut self, record: Record) -> Arc<Record> {
        let record = Arc::new(record);
        self.calls.insert(record.id, record.clone());
        self.order.push_back(record.id);
        self.up += 1;
        self.forget();
        record
    }

    /// Forgets the oldest calls that are over.
    fn forget(&mut self) {
        while self.order.len() > REMEMBERED + self.up {
            let Some(at) = self.order.iter().position(|id| self.is_over(*id)) else {
                return;
            };
            if let Some(id) = self.order.remove(at) {
                self.calls.remove(&id);
                self.legs.retain(|_, it| *it != id);
            }
        }
    }

    fn is_over(&self, id: CallId) -> bool {
        self.calls.get(&id).is_none_or(|it| it.log.is_closed())
    }
}

/// How long calls have to let go of their sound.
const LEAVING: Duration = Duration::from_secs(2);

/// How much a call may be told at once.
const CONTROL: usize = 64;
