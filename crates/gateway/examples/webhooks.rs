//! Webhooks that come again, late, out of order and forged: what becomes of the calls they are about.
//!
//! Calls are made over every carrier's wire with something in between that writes down each webhook as it
//! was sent, and what it was answered. Then all of them are sent again and again, five times each,
//! shuffled, written anew where the signature allows that, some of them changed; every time to another
//! gateway on the same folder. And calls are made once more with webhooks that are delivered late, twice
//! and out of order while they are up.

mod relay;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use exchange::phone::{PhonePlan, Pickup, Step};
use exchange::{Exchange, free_port};
use gateway::cli::lists;
use gateway::config;
use gateway::gateway::Gateway;
use gateway::rulebook::Source;
use gateway::switchboard::{Purpose, Wish};
use ports::{Blame, Fault, code};
use rand::Rng as _;
use rand::seq::SliceRandom as _;
use relay::{Heard, Relay, Wire};
use serde_json::{Value, json};
use tokio::task::JoinSet;

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "figures are its whole output"
)]
#[tokio::main]
async fn main() -> ExitCode {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let short = std::env::args().any(|it| it == "--short");
    // Of each carrier: rounds of calls, and deliveries.
    let (rounds, deliveries) = if short { (2, 1_000) } else { (10, 33_334) };
    let mut all = Figures::default();
    for carrier in exchange::CARRIERS {
        eprintln!("webhooks: {carrier}");
        let house = House::build(carrier).await;
        let story = house.calls(rounds, Wire::Honest).await;
        let figures = house.storm(deliveries, &story).await;
        all.add(figures);
        let (told, twisted) = (house.endings().await, House::build(carrier).await);
        twisted.calls(rounds, Wire::Twisted).await;
        let other = twisted.endings().await;
        if told != other {
            eprintln!("webhooks: {carrier}: {told:?} and, out of order, {other:?}");
            all.endings += 1.0;
        }
    }
    println!("{}", all.rows(3.0 * deliveries as f64));
    ExitCode::SUCCESS
}

/// What came of it.
#[derive(Default)]
struct Figures {
    recorded: f64,
    sent: f64,
    forged: f64,
    accepted: f64,
    answered: f64,
    tokens: f64,
    requests: f64,
    stories: f64,
    endings: f64,
}

impl Figures {
    fn add(&mut self, other: Self) {
        self.recorded += other.recorded;
        self.sent += other.sent;
        self.forged += other.forged;
        self.accepted += other.accepted;
        self.answered += other.answered;
        self.tokens += other.tokens;
        self.requests += other.requests;
        self.stories += other.stories;
    }

    fn rows(&self, wanted: f64) -> Value {
        let none = json!({ "at_most": 0.0 });
        json!([
            { "what": "webhooks recorded", "figure": self.recorded, "goal": "none" },
            { "what": "sent again", "figure": self.sent, "goal": { "at_least": wanted } },
            { "what": "of those forged", "figure": self.forged, "goal": { "at_least": wanted / 200.0 } },
            { "what": "forged ones accepted", "figure": self.accepted, "goal": none },
            { "what": "other answers", "figure": self.answered, "goal": none },
            { "what": "tokens minted again", "figure": self.tokens, "goal": none },
            { "what": "requests to carriers", "figure": self.requests, "goal": none },
            { "what": "gateways told otherwise", "figure": self.stories, "goal": none },
            { "what": "carriers with other ends", "figure": self.endings, "goal": none },
        ])
    }
}

/// A carrier, a gateway, and what stands in between.
struct House {
    exchange: Exchange,
    relay: Relay,
    folder: tempfile::TempDir,
    inside: u16,
}

/// What is known of each call: how often something happened on it, and how it ended.
type Story = BTreeMap<String, (u64, String)>;

impl House {
    async fn build(carrier: &str) -> Self {
        let inside = free_port().expect("there is a free port");
        let relay = Relay::start(inside).await.expect("there is a free port");
        let public = format!("http://127.0.0.1:{}", relay.port);
        let talks = |wait| PhonePlan::answers(ms(150), [Step::Wait(ms(wait)), Step::HangUp]);
        let exchange = Exchange::builder()
            .carrier(carrier)
            .number(OURS, "http://127.0.0.1:9/")
            .phone(CALLERS[0], talks(1_200))
            .phone(CALLERS[1], PhonePlan::never_talks(Pickup::Busy))
            .phone(CALLERS[2], PhonePlan::never_talks(Pickup::Unreachable))
            .start()
            .await
            .expect("the exchange starts");
        let door = |name: &str| format!("{public}/{carrier}/{name}");
        exchange.set_number(OURS, &door("voice"), &door("status"));
        let folder = tempfile::tempdir().expect("there is a temporary folder");
        let table = exchange.configuration();
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:{inside}\"\npublic_url = \"{public}\"\n{table}\n\
             [numbers.\"{OURS}\"]\ncarrier = \"{carrier}\"\nagent = \"echo\"\n\
             [agents.echo]\nkind = \"echo-test\"\n\
             [policy]\ncall = {CALLERS:?}\nanswer = [\"{}\"]\nmax_calls = 64\ncalls_per_hour = 10000\n\
             calls_per_number = 10000\nspend_per_day = 100000\nmax_minutes = 1\n",
            CALLERS[0]
        );
        std::fs::write(folder.path().join("offhook.toml"), text).expect("the folder is ours");
        Self {
            exchange,
            relay,
            folder,
            inside,
        }
    }

    /// Makes calls of every kind, and waits until all is told.
    async fn calls(&self, rounds: usize, wire: Wire) -> Story {
        let gateway = start(self.folder.path()).await;
        self.relay.wire(wire);
        for _ in 0..rounds {
            let stays = [Step::Wait(ms(1_200)), Step::HangUp];
            let callers = [CALLERS[0], STRANGER];
            let inbound = callers.map(|from| self.exchange.call_in(from, OURS, stays.clone()));
            for to in CALLERS {
                let wish = Wish {
                    to: to.into(),
                    purpose: Purpose::Converse,
                    ..Wish::default()
                };
                gateway.board.dial(wish).await.expect("it may be dialled");
            }
            for call in inbound.into_iter().flatten() {
                self.exchange.call(&call).await;
            }
        }
        for record in gateway.board.calls() {
            record.log.ended().await;
        }
        self.relay.settle().await;
        let story = story(&gateway).await;
        gateway.close(ms(2_000)).await;
        story
    }

    /// Sends all that was heard again, to one gateway after another.
    async fn storm(&self, deliveries: usize, before: &Story) -> Figures {
        let heard = Arc::new(self.relay.heard());
        let tokens: BTreeSet<String> = heard.iter().flat_map(|it| tokens(&it.answer)).collect();
        let mut figures = Figures {
            recorded: heard.len() as f64,
            ..Figures::default()
        };
        let requests = self.exchange.requests().len();
        while figures.sent < deliveries as f64 {
            let gateway = start(self.folder.path()).await;
            let mut order: Vec<usize> = (0..heard.len()).flat_map(|it| [it; 5]).collect();
            order.shuffle(&mut rand::rng());
            order.truncate(deliveries.saturating_sub(figures.sent as usize));
            let mut senders = JoinSet::new();
            for part in order.chunks(order.len().div_ceil(SENDERS)) {
                let (part, heard) = (part.to_vec(), heard.clone());
                senders.spawn(send_all(self.inside, part, heard));
            }
            for sent in senders.join_all().await.into_iter().flatten() {
                figures.sent += 1.0;
                let Sent { of, forged, answer } = sent;
                let good = relay::status(&answer) == 200;
                if forged {
                    figures.forged += 1.0;
                    figures.accepted += f64::from(u8::from(good));
                } else if relay::body(&answer) != relay::body(&heard[of].answer) {
                    figures.answered += 1.0;
                }
                let fresh = self::tokens(&answer).into_iter();
                figures.tokens += fresh.filter(|it| !tokens.contains(it)).count() as f64;
            }
            // What a carrier is asked to do by a request is asked a moment later.
            tokio::time::sleep(ms(300)).await;
            let same = story(&gateway).await == *before && gateway.board.calls().is_empty();
            figures.stories += f64::from(u8::from(!same));
            gateway.close(ms(2_000)).await;
        }
        figures.requests = (self.exchange.requests().len() - requests) as f64;
        figures
    }

    /// How many calls ended how.
    async fn endings(&self) -> BTreeMap<String, usize> {
        let gateway = start(self.folder.path()).await;
        let mut endings = BTreeMap::new();
        for (_, end) in story(&gateway).await.into_values() {
            *endings.entry(end).or_default() += 1;
        }
        gateway.close(ms(2_000)).await;
        endings
    }
}

/// A gateway of the folder, once the one before has let go of it.
async fn start(folder: &Path) -> Gateway {
    let path = folder.join("offhook.toml");
    loop {
        let loaded = config::load(&path, &lists());
        let loaded = loaded.unwrap_or_else(|problems| panic!("{problems:#?}"));
        let no_voice = || {
            let message = "an echo needs no voice";
            Err(Fault::new(
                Blame::Config,
                code::SPEECH_MODEL_MISSING,
                message,
            ))
        };
        let source = Source {
            path: path.clone(),
            lists: lists(),
            voice: Arc::new(move |_| Arc::new(no_voice)),
        };
        match Gateway::start_from(source, loaded, folder.join("state")).await {
            Ok((gateway, _)) => return gateway,
            Err(fault) if [code::GATEWAY_PORT, code::JOURNAL_TAKEN].contains(&fault.code) => {
                tokio::time::sleep(ms(20)).await;
            }
            Err(fault) => panic!("{fault}"),
        }
    }
}

async fn story(gateway: &Gateway) -> Story {
    gateway.board.journal().pen().flush().await;
    let reader = gateway.board.journal().reader().expect("it can be read");
    let calls = reader.calls(MANY).await.expect("it can be read");
    let told = |it: &gateway::journal::Summary| {
        let end = it
            .ended
            .as_ref()
            .map_or(Value::Null, |it| it["end"].clone());
        (it.seq, format!("{} {end}", it.began["direction"]))
    };
    calls.iter().map(|it| (it.id.clone(), told(it))).collect()
}

/// One that was sent again.
struct Sent {
    of: usize,
    forged: bool,
    answer: Vec<u8>,
}

async fn send_all(port: u16, part: Vec<usize>, heard: Arc<Vec<Heard>>) -> Vec<Sent> {
    let mut line = None;
    let mut all = Vec::with_capacity(part.len());
    for of in part {
        let forged = rand::rng().random_ratio(1, 100);
        let request = match forged {
            true => relay::forged(&heard[of].request),
            false => relay::rewritten(&heard[of].request),
        };
        let answer = relay::ask(port, &mut line, &request).await;
        all.push(Sent { of, forged, answer });
    }
    all
}

/// What opens a socket, wherever it stands.
fn tokens(answer: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(answer);
    let after = text.split("/media/").skip(1);
    after
        .filter_map(|it| it.get(..64).map(str::to_owned))
        .collect()
}

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const OURS: &str = "+15550001111";
const CALLERS: [&str; 3] = ["+15551234567", "+15551234568", "+15551234569"];
const STRANGER: &str = "+15559876543";
const SENDERS: usize = 16;
const MANY: usize = 10_000;
