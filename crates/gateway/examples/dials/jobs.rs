//! Whoever wants calls made, and what the books say in the end.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use exchange::Exchange;
use exchange::phone::{PhonePlan, Step};
use gateway::jobs::Jobs;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Tally;
use crate::keeper::Keeper;
use crate::wire::{THEIRS, Wire};

/// A carrier, a gateway for it, and a wire between them.
pub(crate) struct Scene {
    _exchange: Exchange,
    wire: Wire,
    keeper: Arc<Keeper>,
    folder: Folder,
    public: String,
    longest: Mutex<Duration>,
    jobs: std::sync::atomic::AtomicU64,
}

impl Scene {
    pub(crate) async fn set(carrier: &str, at: u64) -> Result<Self, String> {
        let brief = [Step::Wait(Duration::from_millis(20)), Step::HangUp];
        let exchange = Exchange::builder()
            .carrier(carrier)
            .number(OURS, "http://127.0.0.1:9/")
            .anyone(PhonePlan::answers(Duration::from_millis(80), brief))
            .start()
            .await
            .map_err(|error| error.to_string())?;
        let base = exchange.base_url();
        let far: SocketAddr = base
            .trim_start_matches("http://")
            .parse()
            .map_err(|_| "an address")?;
        let wire = Wire::lay(far).await?;
        let port = exchange::free_port().map_err(|error| error.to_string())?;
        let public = format!("http://127.0.0.1:{port}");
        let door = |name: &str| format!("{public}/{carrier}/{name}");
        exchange.set_number(OURS, &door("voice"), &door("status"));
        let folder = Folder::new(at)?;
        let table = exchange.configuration().replace(&base, &wire.url());
        let text = configuration(&public, carrier, &table);
        let file = folder.0.join("offhook.toml");
        std::fs::write(file, text).map_err(|error| error.to_string())?;
        let keeper = Keeper::start(folder.0.clone()).await?;
        wire.arm(keeper.clone());
        Ok(Self {
            _exchange: exchange,
            wire,
            keeper,
            folder,
            public,
            longest: Mutex::default(),
            jobs: std::sync::atomic::AtomicU64::new(0),
        })
    }

    /// Has so many calls made, many at once.
    pub(crate) async fn play(self: Arc<Self>, jobs: u64) -> Result<(), String> {
        self.jobs.store(jobs, Ordering::Relaxed);
        let room = Arc::new(Semaphore::new(AT_ONCE));
        let watching = tokio::spawn(self.clone().watch());
        let mut asking = JoinSet::new();
        for job in 0..jobs {
            let place = room.clone().acquire_owned().await;
            let place = place.map_err(|error| error.to_string())?;
            let scene = self.clone();
            asking.spawn(async move {
                let asked = scene.ask(job).await;
                drop(place);
                asked
            });
            // And now and then out of the blue.
            if job % KILLED_EVERY == KILLED_EVERY - 1 {
                self.keeper.kill_and_start().await;
            }
        }
        while let Some(asked) = asking.join_next().await {
            asked.map_err(|error| error.to_string())??;
        }
        let until = Instant::now() + SETTLED;
        while Instant::now() < until && self.unsettled().await != Some(0) {
            tokio::time::sleep(LOOK).await;
        }
        watching.abort();
        Ok(())
    }

    /// Asks for one call, again and again while nobody is there to be asked.
    async fn ask(&self, job: u64) -> Result<(), String> {
        let client = reqwest::Client::builder().no_proxy().build();
        let client = client.map_err(|error| error.to_string())?;
        let order = json!({ "to": format!("+{THEIRS}{job:06}") });
        let until = Instant::now() + PATIENCE;
        let mut last = "nobody is there".to_owned();
        while Instant::now() < until {
            let asked = client
                .post(format!("{}/v1/calls", self.public))
                .header("idempotency-key", format!("job-{job}"))
                .bearer_auth(self.keeper.token().unwrap_or_default())
                .json(&order)
                .timeout(Duration::from_secs(10))
                .send()
                .await;
            match asked.map(|it| it.status().as_u16()) {
                // It was made, or was before, or nobody can say: it is not asked for with another key.
                Ok(200 | 201 | 409) => return Ok(()),
                Ok(status) => last = format!("status {status}"),
                Err(error) => last = error.to_string(),
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(format!("job {job}: {last}"))
    }

    /// Looks how long each dial is unknown.
    async fn watch(self: Arc<Self>) {
        let mut open: HashMap<String, i64> = HashMap::new();
        loop {
            if let Some(unsettled) = self.look().await {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                let now = i64::try_from(now.unwrap_or_default().as_millis()).unwrap_or_default();
                let gone = |call: &String| !unsettled.iter().any(|it| it.call == *call);
                let settled: Vec<_> = open.keys().filter(|it| gone(it)).cloned().collect();
                for call in settled {
                    let sent = open.remove(&call).unwrap_or(now);
                    let took = Duration::from_millis(u64::try_from(now - sent).unwrap_or_default());
                    let mut longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
                    *longest = took.max(*longest);
                }
                open.extend(unsettled.into_iter().map(|it| (it.call, it.sent)));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    async fn look(&self) -> Option<Vec<gateway::jobs::Job>> {
        let jobs = Jobs::of_folder(&self.folder.0.join("state")).ok()??;
        jobs.unsettled().await.ok()
    }

    async fn unsettled(&self) -> Option<usize> {
        self.look().await.map(|it| it.len())
    }

    /// Compares the books of both sides.
    pub(crate) async fn settle(&self, tally: &mut Tally) -> Result<(), String> {
        self.keeper.stop().await;
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
        let file = Connection::open_with_flags(self.folder.0.join("state/jobs.db"), flags);
        let file = file.map_err(|error| error.to_string())?;
        let read = || -> rusqlite::Result<HashMap<String, String>> {
            let mut all = file.prepare("SELECT call, state FROM jobs")?;
            let rows = all.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            rows.collect()
        };
        let ours = read().map_err(|error| error.to_string())?;
        let books = self.wire.books();
        let taken: Vec<&String> = books.taken.values().flatten().collect();
        let is = |call: &String, state: &str| ours.get(call).is_some_and(|it| it == state);
        let unsaid = |it: &String| is(it, "sending") || is(it, "unknown");
        tally.jobs += self.jobs.load(Ordering::Relaxed);
        tally.taken += books.taken.len() as u64;
        tally.broken += books.broken;
        tally.kills += self.keeper.kills.load(Ordering::Relaxed);
        tally.twice += books.taken.values().filter(|it| it.len() > 1).count() as u64;
        tally.unknown += ours.keys().filter(|it| unsaid(it)).count() as u64;
        let missed = taken.iter().filter(|it| !is(it, "placed") && !unsaid(it));
        let placed = ours.iter().filter(|(_, state)| *state == "placed");
        let made_up = placed.filter(|(call, _)| !taken.contains(call));
        tally.mistaken += (missed.count() + made_up.count()) as u64;
        let longest = self.longest.lock().unwrap_or_else(PoisonError::into_inner);
        tally.longest = tally.longest.max(*longest);
        Ok(())
    }
}

fn configuration(public: &str, carrier: &str, table: &str) -> String {
    let listen = public.trim_start_matches("http://");
    let mut call = String::new();
    for job in 0..MOST {
        let _ = write!(call, "\"+{THEIRS}{job:06}\", ");
    }
    format!(
        "[server]\ncalls_per_minute = 1000000\nlisten = \"{listen}\"\npublic_url = \"{public}\"\n{table}\n\
         [numbers.\"{OURS}\"]\ncarrier = \"{carrier}\"\nagent = \"echo\"\n\
         [agents.echo]\nkind = \"echo-test\"\n\
         [policy]\ncall = [{call}]\nmax_calls = 1000\nmax_minutes = 1\n\
         calls_per_hour = 1000000\ncalls_per_number = 1000000\nspend_per_day = 1000000\n\
         [rates]\ndefault = 0.001\n\"+1\" = 0.001\n"
    )
}

/// A folder for a scene, gone after it.
struct Folder(PathBuf);

impl Folder {
    fn new(at: u64) -> Result<Self, String> {
        let name = format!("offhook-dials-{}-{at}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).map_err(|error| error.to_string())?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const OURS: &str = "+15550001111";
/// Jobs of one carrier.
const MOST: u64 = 3_333;
const AT_ONCE: usize = 16;
const KILLED_EVERY: u64 = 61;
const LOOK: Duration = Duration::from_millis(50);
/// Nobody asks for a call for longer.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is not known by then is not known.
const SETTLED: Duration = Duration::from_secs(60);
