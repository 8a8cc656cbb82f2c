//! Reports to a receiver that fails nearly every third time and is away for a while, from a gateway that is killed again
//! and again: what arrives, in which order, under which names.
//!
//! Calls come in over a carrier's wire to a gateway in a process of its own, which is killed as hard as it gets. The
//! receiver takes some messages and says that it did not, so that they come again. In the end what arrived is held
//! against the journal.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use agents::sign::Signer;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::{Exchange, free_port};
use gateway::cli::lists;
use gateway::config;
use gateway::gateway::Gateway;
use gateway::journal::Reader;
use gateway::rulebook::Source;
use ports::{Blame, Fault, Secret, code};
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio::time::sleep;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are its whole output"
)]
#[tokio::main]
async fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let short = arguments.iter().any(|it| it == "--short");
    if arguments.first().is_some_and(|it| it == SERVE) {
        return serve(Path::new(&arguments[1]), short).await;
    }
    let drill = if short {
        Drill {
            calls: 60,
            away: Duration::from_secs(3),
            kills: 3,
            short,
        }
    } else {
        Drill {
            calls: 1_000,
            away: Duration::from_secs(60),
            kills: 20,
            short,
        }
    };
    match drill.run().await {
        Ok(rows) => {
            println!("{rows}");
            ExitCode::SUCCESS
        }
        Err(what) => {
            eprintln!("outbox: {what}");
            ExitCode::FAILURE
        }
    }
}

/// How much of it.
struct Drill {
    calls: usize,
    /// For how long the receiver is away.
    away: Duration,
    kills: usize,
    short: bool,
}

impl Drill {
    async fn run(&self) -> Result<Value, String> {
        let mut receiver = Receiver::new()?;
        let house = House::build(&receiver, self.short).await;
        let mut serving = house.serve();
        let (made, enough) = (
            Arc::new(AtomicUsize::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let mut callers = JoinSet::new();
        for caller in &house.callers {
            let (exchange, caller) = (house.exchange.clone(), caller.clone());
            let (made, enough) = (made.clone(), enough.clone());
            callers.spawn(async move {
                while !enough.load(Ordering::Relaxed) {
                    let stays = [Step::Wait(ms(150)), Step::HangUp];
                    if let Ok(call) = exchange.call_in(&caller, OURS, stays) {
                        exchange.call(&call).await;
                    }
                    made.fetch_add(1, Ordering::Relaxed);
                    sleep(ms(50)).await;
                }
            });
        }
        let began = Instant::now();
        let (mut killed, mut away, mut was_away) = (0, None, Duration::ZERO);
        // Kills and the receiver's absence are spread over the calls.
        loop {
            let over = house.over().await.len();
            if away.is_none() && was_away.is_zero() && over * 3 >= self.calls {
                receiver.leave();
                away = Some(Instant::now());
            }
            if let Some(since) = away.filter(|it| it.elapsed() >= self.away) {
                receiver.come_back()?;
                (away, was_away) = (None, since.elapsed());
            }
            if killed < self.kills && over * (self.kills + 1) >= self.calls * (killed + 1) {
                drop(serving);
                serving = house.serve();
                killed += 1;
            }
            if over >= self.calls && killed == self.kills {
                enough.store(true, Ordering::Relaxed);
                if away.is_none() && callers.is_empty() && house.all_over().await {
                    break;
                }
            }
            while callers.try_join_next().is_some() {}
            if began.elapsed() > LONGEST {
                return Err(format!("{over} calls are over, and it takes too long"));
            }
            sleep(ms(100)).await;
        }
        let told = Instant::now();
        let over = house.over().await;
        while !over.is_subset(&receiver.reported()) && told.elapsed() < LONGEST {
            sleep(ms(100)).await;
        }
        // What is sent twice may be so a moment later.
        sleep(ms(500)).await;
        drop(serving);
        Ok(receiver.rows(&over, (killed, was_away), self))
    }
}

/// An exchange, the folder of a gateway, and who calls it.
struct House {
    exchange: Arc<Exchange>,
    folder: tempfile::TempDir,
    callers: Vec<String>,
    short: bool,
}

impl House {
    async fn build(receiver: &Receiver, short: bool) -> Self {
        let port = free_port().expect("there is a free port");
        let public = format!("http://127.0.0.1:{port}");
        let callers: Vec<String> = (0..CALLERS).map(|it| format!("+1555123{it:04}")).collect();
        let mut exchange = Exchange::builder().number(OURS, "http://127.0.0.1:9/");
        for caller in &callers {
            exchange = exchange.phone(caller, PhonePlan::never_talks(Pickup::Busy));
        }
        let exchange = exchange.start().await.expect("the exchange starts");
        let carrier = exchange.carrier();
        let door = |name: &str| format!("{public}/{carrier}/{name}");
        exchange.set_number(OURS, &door("voice"), &door("status"));
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let (table, url) = (exchange.configuration(), receiver.url());
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"{public}\"\n{table}\n\
             [numbers.\"{OURS}\"]\ncarrier = \"{carrier}\"\nagent = \"echo\"\n\
             [agents.echo]\nkind = \"echo-test\"\n\
             [policy]\nanswer = {callers:?}\nowner = {callers:?}\nmax_calls = 64\n\
             [reports.receiver]\nurl = \"{url}\"\nsecret = \"{SECRET}\"\n\
             events = [\"call.offered\", \"call.ended\", \"call.report\"]\n"
        );
        std::fs::write(folder.path().join("offhook.toml"), text).expect("the folder is ours");
        Self {
            exchange: Arc::new(exchange),
            folder,
            callers,
            short,
        }
    }

    /// A gateway in a process of its own.
    fn serve(&self) -> Serving {
        let mut command = Command::new(std::env::current_exe().expect("it runs"));
        command.arg(SERVE).arg(self.folder.path());
        command.args(self.short.then_some("--short"));
        command.stdout(Stdio::null());
        Serving(command.spawn().expect("it starts"))
    }

    /// The calls whose ends are in the journal.
    async fn over(&self) -> BTreeSet<String> {
        let calls = self.calls().await.into_iter();
        calls
            .filter_map(|(call, over)| over.then_some(call))
            .collect()
    }

    async fn all_over(&self) -> bool {
        self.calls().await.iter().all(|(_, over)| *over)
    }

    async fn calls(&self) -> Vec<(String, bool)> {
        let Ok(reader) = Reader::of_folder(&self.folder.path().join("state")) else {
            return Vec::new();
        };
        let calls = reader.calls(MANY).await.unwrap_or_default();
        calls
            .into_iter()
            .map(|it| (it.id, it.ended.is_some()))
            .collect()
    }
}

/// A gateway in a process of its own. Dropped, it is killed as hard as it gets: no destructor runs.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Serves until it is killed.
#[expect(clippy::print_stderr, reason = "it says why it cannot")]
async fn serve(folder: &Path, short: bool) -> ExitCode {
    let path = folder.join("offhook.toml");
    let longest = if short { ms(500) } else { ms(15_000) };
    loop {
        match start(&path, folder.join("state"), longest).await {
            Ok(_gateway) => std::future::pending().await,
            Err(fault) if [code::GATEWAY_PORT, code::JOURNAL_TAKEN].contains(&fault.code) => {
                sleep(ms(20)).await;
            }
            Err(fault) => {
                eprintln!("{fault}");
                return ExitCode::FAILURE;
            }
        }
    }
}

async fn start(path: &Path, state: PathBuf, longest: Duration) -> Result<Gateway, Fault> {
    let loaded = config::load(path, &lists());
    let mut loaded = loaded.unwrap_or_else(|problems| panic!("{problems:#?}"));
    // Nobody is to sit through the hours that a message waits which was refused again and again.
    for report in loaded.plan.reports.values_mut() {
        report
            .backoff
            .0
            .iter_mut()
            .for_each(|it| *it = longest.min(*it));
    }
    let no_voice = || {
        let message = "an echo needs no voice";
        Err(Fault::new(
            Blame::Config,
            code::SPEECH_MODEL_MISSING,
            message,
        ))
    };
    let source = Source {
        path: path.to_owned(),
        lists: lists(),
        voice: Arc::new(move |_| Arc::new(no_voice)),
    };
    let (gateway, lost) = Gateway::start_from(source, loaded, state).await?;
    gateway.board.settle(lost).await;
    Ok(gateway)
}

/// Someone who is told.
struct Receiver {
    port: u16,
    /// While it is there. Taken away, it is gone with all its connections.
    threads: Option<Runtime>,
    tally: Arc<Mutex<Tally>>,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.leave();
    }
}

/// What came.
#[derive(Default)]
struct Tally {
    came: usize,
    /// Of those, how many were not taken, or said not to be.
    failed: usize,
    unsigned: usize,
    /// How often something came that was told after something later of the same call.
    disordered: usize,
    /// The names under which each thing was told.
    names: BTreeMap<(String, String), BTreeSet<String>>,
    /// What each name told.
    things: BTreeMap<String, BTreeSet<(String, String)>>,
    /// How much of each call was told.
    far: BTreeMap<String, usize>,
    /// How often something came that was taken before.
    again: usize,
    taken: BTreeSet<String>,
    /// Those whose report was taken.
    reported: BTreeSet<String>,
}

impl Receiver {
    fn new() -> Result<Self, String> {
        let port = free_port().map_err(|error| error.to_string())?;
        let mut receiver = Self {
            port,
            threads: None,
            tally: Arc::default(),
        };
        receiver.come_back()?;
        Ok(receiver)
    }

    fn url(&self) -> String {
        format!("http://127.0.0.1:{}/calls", self.port)
    }

    fn leave(&mut self) {
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }

    fn come_back(&mut self) -> Result<(), String> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let threads = builder.worker_threads(1).enable_all().build();
        let threads = threads.map_err(|error| error.to_string())?;
        let (tally, port) = (self.tally.clone(), self.port);
        threads.spawn(async move {
            let listener = loop {
                match tokio::net::TcpListener::bind(("127.0.0.1", port)).await {
                    Ok(listener) => break listener,
                    Err(_) => sleep(ms(20)).await,
                }
            };
            let routes = Router::new().route("/calls", post(take)).with_state(tally);
            let _ = axum::serve(listener, routes).await;
        });
        self.threads = Some(threads);
        Ok(())
    }

    fn tally(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reported(&self) -> BTreeSet<String> {
        self.tally().reported.clone()
    }

    fn rows(&mut self, over: &BTreeSet<String>, done: (usize, Duration), drill: &Drill) -> Value {
        self.leave();
        let (killed, away) = done;
        let tally = self.tally();
        let none = json!({ "at_most": 0.0 });
        let lost = over.difference(&tally.reported).count();
        let several = |it: &&BTreeSet<String>| it.len() > 1;
        let names = tally.names.values().filter(several).count();
        let things = tally.things.values().filter(|it| it.len() > 1).count();
        let share = 100.0 * tally.failed as f64 / tally.came.max(1) as f64;
        let unknown = tally.reported.difference(over).count();
        json!([
            { "what": "calls that are over", "figure": over.len() as f64, "goal": { "at_least": drill.calls as f64 } },
            { "what": "kills of the gateway", "figure": killed as f64, "goal": { "at_least": drill.kills as f64 } },
            { "what": "the receiver away, s", "figure": away.as_secs_f64(), "goal": { "at_least": drill.away.as_secs_f64() } },
            { "what": "messages that came", "figure": tally.came as f64, "goal": "none" },
            { "what": "of those refused, %", "figure": share, "goal": { "at_least": 20.0 } },
            { "what": "came again after they were taken", "figure": tally.again as f64, "goal": "none" },
            { "what": "reports that did not arrive", "figure": lost as f64, "goal": none },
            { "what": "reports of calls that are not over", "figure": unknown as f64, "goal": none },
            { "what": "told out of order", "figure": tally.disordered as f64, "goal": none },
            { "what": "told under several names", "figure": names as f64, "goal": none },
            { "what": "names that told several things", "figure": things as f64, "goal": none },
            { "what": "not signed as they should be", "figure": tally.unsigned as f64, "goal": none },
        ])
    }
}

async fn take(
    State(tally): State<Arc<Mutex<Tally>>>,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let header = |name: &str| {
        let value = headers.get(name).and_then(|it| it.to_str().ok());
        value.unwrap_or_default().to_owned()
    };
    let (id, stamp) = (header("webhook-id"), header("webhook-timestamp"));
    let told: Value = serde_json::from_slice(&body).unwrap_or_default();
    let kind = told["type"].as_str().unwrap_or_default().to_owned();
    let call = told["data"]["call"].as_str().unwrap_or_default().to_owned();
    let signer = Signer::new(&Secret::new(SECRET)).expect("it is one");
    let signed = signer.sign(&id, stamp.parse().unwrap_or_default(), &body);
    let order = KINDS.iter().position(|it| *it == kind);
    let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
    tally.came += 1;
    tally.unsigned += usize::from(signed != header("webhook-signature"));
    let far = tally.far.entry(call.clone()).or_default();
    // It is the next, or the last once more.
    let in_order = order.is_some_and(|it| it <= *far && it + 1 >= *far);
    *far = order.map_or(*far, |it| (it + 1).max(*far));
    tally.disordered += usize::from(!in_order);
    let thing = (call.clone(), kind.clone());
    tally
        .names
        .entry(thing.clone())
        .or_default()
        .insert(id.clone());
    tally.things.entry(id.clone()).or_default().insert(thing);
    tally.again += usize::from(tally.taken.contains(&id));
    let chance: f64 = rand::random();
    if chance < FAILS {
        tally.failed += 1;
        // Half of the time it was read before that went wrong.
        if chance < FAILS / 2.0 {
            tally.taken.insert(id);
        }
        return StatusCode::INTERNAL_SERVER_ERROR;
    }
    tally.taken.insert(id);
    if kind == KINDS[2] {
        tally.reported.insert(call);
    }
    StatusCode::NO_CONTENT
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const SERVE: &str = "serve";
const OURS: &str = "+15550001111";
const CALLERS: usize = 16;
const MANY: usize = 100_000;
const FAILS: f64 = 0.3;
/// What is told of each call, in order.
const KINDS: [&str; 3] = ["call.offered", "call.ended", "call.report"];
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
/// No part of it takes longer.
const LONGEST: Duration = Duration::from_secs(900);
