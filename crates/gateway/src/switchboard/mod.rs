//! Finds calls, starts them, and is asked before anything costs money.

mod desk;
mod record;
mod tokens;

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use call::event::{End, Party, Why};
use call::{Call, Direction, Event, Mode, Number, Opening, Private, input, output};
use futures_util::FutureExt;
use media::Format;
use ports::agent::{Answerer, Introduction};
use ports::carrier::{Leg, News, Reply, Stream, StreamProtocol, Webhook};
use ports::speech::Voice;
use ports::{Blame, Fault, Secret, code};
use tokio::sync::{OnceCell, mpsc};

use crate::config::Plan;
use crate::line::SocketLine;
use crate::runner::{ASSUMED, Control, Parts, Talk, run};
use crate::sound::Attached;
use record::Born;
pub use record::{CallId, Record, Report};
use tokens::Tokens;

/// Everything that knows about more than one call.
pub struct Switchboard {
    plan: Plan,
    load_voice: LoadVoice,
    voice: OnceCell<Voice>,
    desk: Mutex<Desk>,
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
    legs: HashMap<(String, Leg), CallId>,
    tokens: Tokens,
    /// When the calls of the last hour were dialled.
    dialled: VecDeque<Instant>,
}

/// A call that someone wants made.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    /// Whom to call, as written.
    pub to: String,
    /// From which of our numbers, as written; `None`: the first.
    pub from: Option<String>,
    /// With which agent; `None`: the number's own.
    pub agent: Option<String>,
    /// What to do when they pick up.
    pub purpose: Purpose,
}

/// What to do when they pick up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Purpose {
    /// Talk, and let the agent begin as it always does.
    #[default]
    Converse,
    /// Talk, and begin with these words.
    ConverseFrom(Private<String>),
    /// Say this, and hang up.
    Notify(Private<String>),
}

/// Calls that are over are remembered, this many of them.
const REMEMBERED: usize = 1_000;

const HOUR: Duration = Duration::from_secs(60 * 60);

impl Switchboard {
    /// Opens for business.
    pub fn new(plan: Plan, load_voice: LoadVoice) -> Arc<Self> {
        Arc::new(Self {
            plan,
            load_voice,
            voice: OnceCell::new(),
            desk: Mutex::default(),
        })
    }

    /// What the owner wrote.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Makes a call, if the owner allows it. Returns as soon as the call exists; whether anyone
    /// picks up is told by its log.
    pub async fn dial(self: &Arc<Self>, wish: Wish) -> Result<Arc<Record>, Fault> {
        self.may_dial(&self.desk(), &wish.to)?;
        let number = self.our_number(wish.from.as_deref())?;
        let ours = &self.plan.numbers[&number];
        let agent = wish.agent.unwrap_or_else(|| ours.agent.clone());
        let answerer = self.answerer(&agent)?;
        let mode = self.mode(&agent, &answerer, wish.purpose);
        let voice = self.voice_for(&mode).await?;

        let mut desk = self.desk();
        let to = self.may_dial(&desk, &wish.to)?;
        desk.dialled.push_back(Instant::now());
        let born = Born {
            direction: Direction::Outbound,
            caller: Some(to),
            number,
            carrier: ours.carrier.clone(),
            agent,
        };
        let (control, heard) = mpsc::channel(CONTROL);
        let record = desk.add(Record::new(born, control));
        drop(desk);
        self.start(&record, heard, mode, answerer, voice);
        Ok(record)
    }

    /// What to tell a carrier that asks what to do with a call.
    pub async fn asked(
        self: &Arc<Self>,
        carrier: &str,
        hint: Option<CallId>,
        webhook: Webhook,
    ) -> Verdict {
        match &webhook.news {
            News::Offered { from, to } => {
                let (from, to) = (from.reveal().as_str(), to.reveal().as_str());
                self.offered(carrier, &webhook.leg, from, to).await
            }
            News::Answered => match self.told(carrier, hint, &webhook).await {
                Some(record) if !record.log.is_closed() => Verdict::Connect(self.stream(&record)),
                // A call we do not know, or that is over: it must not go on costing money.
                Some(_) | None => Verdict::HangUp,
            },
            News::Ended(_) | News::Ringing | News::Nothing => {
                self.told(carrier, hint, &webhook).await;
                Verdict::HangUp
            }
        }
    }

    /// Passes on what a carrier says about a call. `None`: it is not a call of ours.
    pub async fn told(
        &self,
        carrier: &str,
        hint: Option<CallId>,
        webhook: &Webhook,
    ) -> Option<Arc<Record>> {
        let record = self.find(carrier, hint, &webhook.leg)?;
        let news = match &webhook.news {
            News::Answered => Some(input::Carrier::Answered),
            News::Ended(end) => Some(input::Carrier::Ended(*end)),
            News::Ringing => Some(input::Carrier::Ringing),
            News::Nothing | News::Offered { .. } => None,
        };
        if let Some(news) = news
            && record.is_news(&webhook.notice)
        {
            record.tell(news).await;
        }
        Some(record)
    }

    /// Whether a token would open a socket, without using it up.
    pub fn knows(&self, carrier: &str, token: &str) -> bool {
        self.desk()
            .tokens
            .peek(Instant::now(), token, carrier)
            .is_some()
    }

    /// Uses a token up. `None`: it was never good, or no longer is.
    pub fn redeem(&self, carrier: &str, token: &str) -> Option<Arc<Record>> {
        let mut desk = self.desk();
        let call = desk.tokens.redeem(Instant::now(), token, carrier)?;
        desk.calls.get(&call).cloned()
    }

    /// Gives a call its sound. `false`: the call is over, or this is not its leg.
    pub async fn connect(
        &self,
        record: &Record,
        leg: &Leg,
        sound: (SocketLine, Box<dyn StreamProtocol>, Format),
    ) -> bool {
        if !self.bind(record, leg) {
            return false;
        }
        let (line, protocol, format) = sound;
        let attached = Attached {
            line,
            protocol,
            format,
        };
        record.control.send(Control::Sound(Box::new(attached))).await.is_ok()
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

    /// Ends every call and waits until all are over, or until `patience` is.
    pub async fn hang_up_all(&self, patience: Duration) {
        let up: Vec<_> = self
            .calls()
            .into_iter()
            .filter(|it| !it.log.is_closed())
            .collect();
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

    /// Loads ears and mouth now rather than for the first caller, if any agent needs them.
    pub async fn warm_up(&self) -> Result<(), Fault> {
        let mut answerers = self.plan.agents.values().map(|it| &it.answerer);
        if answerers.any(|it| matches!(it, Answerer::Words { .. })) {
            self.voice().await?;
        }
        Ok(())
    }

    async fn offered(self: &Arc<Self>, carrier: &str, leg: &Leg, from: &str, to: &str) -> Verdict {
        if let Some(record) = self.find(carrier, None, leg) {
            // The carrier asks again, or someone replays its question: the same answer, no more.
            return Verdict::Connect(self.stream(&record));
        }
        match self.take(carrier, leg, from, to).await {
            Ok(record) => Verdict::Connect(self.stream(&record)),
            Err(fault) => {
                tracing::info!(
                    carrier,
                    code = fault.code,
                    hint = fault.hint,
                    "a caller was turned away: {fault}"
                );
                Verdict::Reject
            }
        }
    }

    async fn take(
        self: &Arc<Self>,
        carrier: &str,
        leg: &Leg,
        from: &str,
        to: &str,
    ) -> Result<Arc<Record>, Fault> {
        let ours = Number::parse(to)
            .ok()
            .and_then(|number| self.plan.numbers.get_key_value(&number));
        let Some((number, ours)) = ours.filter(|(_, it)| it.carrier == carrier) else {
            let fault = Fault::new(
                Blame::Config,
                code::POLICY_NUMBER,
                "a call came for a number that is not in the configuration",
            );
            return Err(fault.hint("add the number called as [numbers.\"+…\"]"));
        };
        self.may_answer(&self.desk(), from)?;
        let answerer = self.answerer(&ours.agent)?;
        let mode = self.mode(&ours.agent, &answerer, Purpose::Converse);
        let voice = self.voice_for(&mode).await?;

        let mut desk = self.desk();
        let caller = self.may_answer(&desk, from)?;
        let key = (carrier.to_owned(), leg.clone());
        if let Some(record) = desk.legs.get(&key).and_then(|id| desk.calls.get(id)) {
            // The same question came twice at once.
            return Ok(record.clone());
        }
        let born = Born {
            direction: Direction::Inbound,
            caller,
            number: number.clone(),
            carrier: carrier.to_owned(),
            agent: ours.agent.clone(),
        };
        let (control, heard) = mpsc::channel(CONTROL);
        let record = desk.add(Record::new(born, control));
        desk.legs.insert(key, record.id);
        drop(desk);
        record.bind(leg);
        self.stream(&record);
        self.start(&record, heard, mode, answerer, voice);
        Ok(record)
    }

    /// Starts a call's task, and the desk that carries its orders.
    fn start(
        self: &Arc<Self>,
        record: &Arc<Record>,
        control: mpsc::Receiver<Control<SocketLine>>,
        mode: Mode,
        answerer: Answerer,
        voice: Option<Voice>,
    ) {
        let (orders, given) = mpsc::channel(ORDERS);
        let (board, record) = (self.clone(), record.clone());
        tracing::info!(call = %record.id, direction = ?record.direction, number = ?record.number, caller = ?record.caller, "a call begins");
        tokio::spawn(async move {
            let carrier = board.plan.carriers[&record.carrier].clone();
            let desk = {
                let outbound = board.outbound(&record);
                let (board, bound) = (board.clone(), record.clone());
                let bind = move |leg: &Leg| drop(board.bind(&bound, leg));
                desk::serve(carrier.calls, record.clone(), outbound, given, bind)
            };
            let desk = tokio::spawn(desk);
            let life = board.live(&record, control, mode, (answerer, voice), orders.clone());
            if AssertUnwindSafe(life).catch_unwind().await.is_err() {
                tracing::error!(call = %record.id, "a call broke");
                let _ = orders.send(output::Carrier::HangUp).await;
                let end = End {
                    by: Party::Gateway,
                    why: Why::Fault,
                };
                record.log.push(Event::Ended(end));
            }
            drop(orders);
            board.over(&record);
            let _ = desk.await;
        });
    }

    /// One call, from its first to its last moment.
    async fn live(
        &self,
        record: &Record,
        control: mpsc::Receiver<Control<SocketLine>>,
        mode: Mode,
        (answerer, voice): (Answerer, Option<Voice>),
        orders: mpsc::Sender<output::Carrier>,
    ) {
        let talk = match voice {
            Some(voice) => match self.talk(record, &mode, &answerer, voice).await {
                Ok(talk) => Some(talk),
                Err(fault) => {
                    // An offered call was already told where its sound goes.
                    let _ = orders.send(output::Carrier::HangUp).await;
                    return refuse(record, &fault);
                }
            },
            None => None,
        };
        let plan = call::Plan {
            direction: record.direction,
            mode,
            policy: call::Policy {
                limit: self.plan.rules.max_length.value,
                ..self.plan.patience
            },
            phrases: self.plan.phrases.clone(),
        };
        let (call, first) = Call::start(Instant::now(), plan);
        let recording = self.plan.recordings.as_ref();
        let parts = Parts {
            talk,
            control,
            orders,
            log: record.log.clone(),
            recording: recording.map(|dir| dir.join(format!("{}.wav", record.id))),
        };
        run(call, first, parts).await;
    }

    /// Opens mouth and agent, while the phone rings.
    async fn talk(
        &self,
        record: &Record,
        mode: &Mode,
        answerer: &Answerer,
        voice: Voice,
    ) -> Result<Talk, Fault> {
        let phrases = &self.plan.phrases;
        let (first, agent) = match (mode, answerer) {
            (
                Mode::Conversation {
                    opening: Opening::Say(text),
                },
                Answerer::Words { agent, .. },
            ) => (Some(text), Some(agent)),
            (Mode::Conversation { .. }, Answerer::Words { agent, .. }) => (None, Some(agent)),
            (Mode::Notify { text }, _) => (Some(text), None),
            (Mode::Conversation { .. } | Mode::Loopback, _) => (None, None),
        };
        let agent = match agent {
            Some(agent) => agent.open(introduction(record)).await?,
            None => nobody(),
        };
        let prepare = [&phrases.filler, &phrases.apology, &phrases.goodbye];
        Ok(Talk {
            mouth: voice.mouth.open(ASSUMED).await?,
            agent,
            language: self.plan.agents[&record.agent].language.clone(),
            prepare: first.into_iter().chain(prepare).cloned().collect(),
            voice,
        })
    }

    fn over(&self, record: &Record) {
        let mut desk = self.desk();
        desk.up = desk.up.saturating_sub(1);
        desk.tokens.forget(record.id);
        let end = record.log.after(0).pop().map(|entry| entry.event);
        tracing::info!(call = %record.id, ?end, seconds = record.log.age().as_secs(), "a call ended");
    }

    /// Where a call's sound goes: made once for each call, with a token of its own.
    fn stream(&self, record: &Record) -> Stream {
        let make = || {
            let token = self
                .desk()
                .tokens
                .mint(Instant::now(), record.id, &record.carrier);
            let base = self.plan.public_url.replacen("http", "ws", 1);
            Stream {
                url: format!("{base}/{}/media/{token}", record.carrier),
                token: Secret::new(token),
            }
        };
        record.stream(make).clone()
    }

    fn outbound(&self, record: &Record) -> desk::Outbound {
        let base = format!("{}/{}", self.plan.public_url, record.carrier);
        desk::Outbound {
            voice_url: format!("{base}/voice?call={}", record.id),
            status_url: format!("{base}/status?call={}", record.id),
            ring: self.plan.patience.ring,
            limit: self.plan.rules.max_length.value,
        }
    }

    /// Learns the carrier's name for a call. `false`: the call has another.
    fn bind(&self, record: &Record, leg: &Leg) -> bool {
        let key = (record.carrier.clone(), leg.clone());
        let mut desk = self.desk();
        let known = *desk.legs.entry(key).or_insert(record.id);
        known == record.id && record.bind(leg)
    }

    fn find(&self, carrier: &str, hint: Option<CallId>, leg: &Leg) -> Option<Arc<Record>> {
        let key = (carrier.to_owned(), leg.clone());
        let desk = self.desk();
        let id = desk.legs.get(&key).copied().or(hint)?;
        let record = desk.calls.get(&id)?.clone();
        drop(desk);
        (record.carrier == carrier && self.bind(&record, leg)).then_some(record)
    }

    fn may_dial(&self, desk: &Desk, to: &str) -> Result<Number, Fault> {
        let hour = |at: &&Instant| at.elapsed() < HOUR;
        let recent = desk.dialled.iter().filter(hour).count();
        Ok(self.plan.rules.may_dial(to, desk.up, recent)?)
    }

    fn may_answer(&self, desk: &Desk, from: &str) -> Result<Option<Number>, Fault> {
        Ok(self.plan.rules.may_answer(from, desk.up)?)
    }

    fn our_number(&self, from: Option<&str>) -> Result<Number, Fault> {
        let number = match from {
            Some(text) => Number::parse(text)
                .ok()
                .filter(|it| self.plan.numbers.contains_key(it)),
            None => self.plan.numbers.keys().next().cloned(),
        };
        number.ok_or_else(|| {
            Fault::new(
                Blame::Config,
                code::POLICY_NUMBER,
                "there is no such number of ours to call from",
            )
            .hint("add it to the configuration as [numbers.\"+…\"]")
        })
    }

    fn answerer(&self, agent: &str) -> Result<Answerer, Fault> {
        let found = self.plan.agents.get(agent).map(|it| it.answerer.clone());
        found.ok_or_else(|| {
            let names: Vec<_> = self.plan.agents.keys().map(String::as_str).collect();
            Fault::new(
                Blame::Config,
                code::CONFIG_INVALID,
                format!("there is no agent {agent:?}"),
            )
            .hint(format!("the agents are: {}", names.join(", ")))
        })
    }

    fn mode(&self, agent: &str, answerer: &Answerer, purpose: Purpose) -> Mode {
        let fixed = self
            .plan
            .agents
            .get(agent)
            .and_then(|it| it.opening.clone());
        match (purpose, answerer) {
            (Purpose::Notify(text), _) => Mode::Notify { text },
            (_, Answerer::Loopback) => Mode::Loopback,
            (Purpose::ConverseFrom(text), Answerer::Words { .. }) => Mode::Conversation {
                opening: Opening::Say(text),
            },
            (Purpose::Converse, Answerer::Words { opens, .. }) => {
                let opening = match (fixed, opens) {
                    (Some(text), _) => Opening::Say(text),
                    (None, true) => Opening::Ask,
                    (None, false) => Opening::Wait,
                };
                Mode::Conversation { opening }
            }
        }
    }

    async fn voice_for(&self, mode: &Mode) -> Result<Option<Voice>, Fault> {
        match mode {
            Mode::Loopback => Ok(None),
            Mode::Conversation { .. } | Mode::Notify { .. } => self.voice().await.map(Some),
        }
    }

    async fn voice(&self) -> Result<Voice, Fault> {
        let load = || async {
            let load = self.load_voice.clone();
            let loaded = tokio::task::spawn_blocking(move || load()).await;
            loaded.unwrap_or_else(|error| {
                Err(Fault::new(
                    Blame::Gateway,
                    code::SPEECH_MODEL_BROKEN,
                    "loading the speech models broke",
                )
                .because(error))
            })
        };
        self.voice.get_or_try_init(load).await.cloned()
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        self.desk
            .lock()
            .expect("no one panics while holding the desk")
    }
}

/// What to tell a carrier that asked what to do with a call.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Connect its sound to this.
    Connect(Stream),
    /// End it.
    HangUp,
    /// Do not take it.
    Reject,
}

impl Verdict {
    /// As the carrier's port wants to be told.
    pub fn reply(&self) -> Reply<'_> {
        match self {
            Self::Connect(stream) => Reply::Connect(stream),
            Self::HangUp => Reply::HangUp,
            Self::Reject => Reply::Reject,
        }
    }
}

impl Desk {
    fn add(&mut self, record: Record) -> Arc<Record> {
        let record = Arc::new(record);
        self.calls.insert(record.id, record.clone());
        self.order.push_back(record.id);
        self.up += 1;
        self.dialled.retain(|at| at.elapsed() < HOUR);
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

/// A call that could not be given a voice ends before it begins.
fn refuse(record: &Record, fault: &Fault) {
    tracing::error!(call = %record.id, code = fault.code, "a call could not begin: {fault}");
    record.fail(fault);
    record.log.push(Event::Ended(End {
        by: Party::Gateway,
        why: Why::Fault,
    }));
}

fn introduction(record: &Record) -> Introduction {
    Introduction {
        call: record.id.to_string(),
        direction: record.direction,
        caller: record.caller.clone(),
        number: record.number.clone(),
    }
}

/// An agent for calls that need none: it listens and says nothing.
fn nobody() -> ports::Link<ports::agent::Tell, ports::agent::Answer> {
    let (near, mut far) = ports::pair(16);
    tokio::spawn(async move { while far.rx.recv().await.is_some() {} });
    near
}

/// How much a call may be told at once, and order at once.
const CONTROL: usize = 64;
const ORDERS: usize = 8;
