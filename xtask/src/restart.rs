//! The restart drill: a gateway is killed in the middle of what it says, again and again, and the
//! other end of the wire says what became of the calls.
//!
//! Nothing the gateway says of itself counts here. Who was hung up on, who was dialled, for how long
//! an ear heard nothing and what it heard is taken from the exchange alone. What was said is written
//! down from its recordings: sentences are all different, so one that was said twice in full is found
//! twice. A call that did not hear the last of them is lost, however it ended. Only sentences that are
//! understood in a call which nobody disturbs are looked for.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::bench::echo::{TOKEN, free_port};
use crate::bench::process::{On, Server};
use crate::bench::table::{self, Goal, Row, quantile};
use crate::bench::{BUILD, cargo, release};

/// How often, and under how many.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Arguments {
    /// How often the gateway is killed.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    kills: u32,
    /// How many calls are up each time.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=50))]
    calls: u32,
    /// What the carrier does with a call whose socket broke: goes-on, stays, or ends it.
    #[arg(long, default_value = "goes-on")]
    abrupt: Abrupt,
    /// How long nobody starts the gateway again, in milliseconds.
    #[arg(long, default_value_t = 100)]
    pause: u64,
    /// Use what was built before, as it is.
    #[arg(long)]
    no_build: bool,
}

#[derive(Clone, Copy, Debug, clap::ValueEnum)]
enum Abrupt {
    GoesOn,
    Stays,
    Ends,
}

/// Kills, and counts who noticed.
pub(crate) fn run(root: &Path, arguments: Arguments) -> Result<(), String> {
    if !arguments.no_build {
        cargo(root, BUILD)?;
        cargo(root, TRANSCRIBE)?;
    }
    let mut drill = Drill::prepare(&release(root), arguments)?;
    let sentences = drill.undisturbed()?;
    let mut tally = Tally::default();
    while tally.kills < arguments.kills {
        drill.batch(&mut tally, &sentences)?;
        eprintln!("restart: kill {} of {}", tally.kills, arguments.kills);
    }
    println!(
        "\nkill -9 at {} random instants, {} calls up, a carrier that {}",
        tally.kills,
        arguments.calls,
        arguments.abrupt.about()
    );
    table::print(&tally.rows(), "");
    if tally.lost + tally.redialled + tally.twice > 0 {
        return Err("not every call came through".to_owned());
    }
    Ok(())
}

impl Abrupt {
    fn name(self) -> &'static str {
        match self {
            Self::GoesOn => "goes-on",
            Self::Stays => "stays",
            Self::Ends => "ends",
        }
    }

    fn about(self) -> &'static str {
        match self {
            Self::GoesOn => "goes on with its instructions",
            Self::Stays => "only waits",
            Self::Ends => "ends a call whose socket broke",
        }
    }
}

struct Drill {
    arguments: Arguments,
    release: PathBuf,
    place: PathBuf,
    port: u16,
    gateway: Option<Server>,
    exchange: Exchange,
}

/// The exchange, and what it has told so far.
struct Exchange {
    child: Child,
    told: Receiver<(Instant, Value)>,
    calls: BTreeMap<String, Seen>,
    dials: u64,
}

/// What the exchange has seen of a call.
#[derive(Clone, Debug, Default)]
struct Seen {
    answered: Option<Instant>,
    streams: u32,
    ended_by: Option<String>,
}

#[derive(Default)]
struct Tally {
    kills: u32,
    calls: u64,
    lost: u64,
    redialled: u64,
    twice: u64,
    swallowed: u64,
    /// Of each call at each kill, in milliseconds.
    gaps: Vec<f64>,
    /// From the start of a process to its listening, in milliseconds.
    starts: Vec<f64>,
}

/// Why a call was not made.
enum Refused {
    /// The gateway has not told its token yet.
    TooEarly,
    Wrong(String),
}

/// A sentence, as ears write it down: all of it, and what only it is about.
struct Sentence {
    whole: Vec<String>,
    about: String,
}

impl Drill {
    fn prepare(release: &Path, arguments: Arguments) -> Result<Self, String> {
        let place = release.join("bench/restart");
        let _ = fs::remove_dir_all(&place);
        let (port, api_port) = (free_port()?, free_port()?);
        let made = fs::create_dir_all(place.join("heard"))
            .and_then(|()| fs::write(place.join("restart.toml"), configuration(port, api_port)));
        made.map_err(|fault| format!("cannot write to {}: {fault}", place.display()))?;
        let exchange = Exchange::start(release, &place, (port, api_port), arguments.abrupt)?;
        let mut drill = Self {
            arguments,
            release: release.to_owned(),
            place,
            port,
            gateway: None,
            exchange,
        };
        drill.serve(&mut Tally::default())?;
        Ok(drill)
    }

    fn serve(&mut self, tally: &mut Tally) -> Result<(), String> {
        let began = Instant::now();
        let config = self.place.join("restart.toml").display().to_string();
        let program = self.release.join("offhook");
        let arguments = ["serve", "--config", &config];
        let mut server = Server::start(On::AnyCore, &program, &arguments, &self.place)?;
        server.wait_for(self.port)?;
        tally.starts.push(began.elapsed().as_secs_f64() * 1e3);
        self.gateway = Some(server);
        Ok(())
    }

    /// One call that nobody disturbs: what is understood of it.
    fn undisturbed(&mut self) -> Result<Vec<Sentence>, String> {
        self.call(0)?;
        let all_over = |seen: &BTreeMap<String, Seen>| {
            seen.len() == 1 && seen.values().all(|it| it.ended_by.is_some())
        };
        self.exchange.wait(LONGEST, all_over)?;
        let sids: Vec<String> = self.exchange.calls.keys().cloned().collect();
        let written = self.written(&sids)?;
        let heard = written.first().ok_or("the first call was never seen")?;
        self.exchange.calls.clear();
        let mut all = sentences();
        let count = all.len();
        all.retain(|it| it.times(heard) == 1 && it.is_told(heard));
        if all.len() * 2 < count {
            return Err(format!("only {} of {count} are understood", all.len()));
        }
        eprintln!("restart: {} of {count} sentences are understood", all.len());
        Ok(all)
    }

    /// So many calls as are wanted, and kills for as long as they talk.
    fn batch(&mut self, tally: &mut Tally, sentences: &[Sentence]) -> Result<(), String> {
        self.exchange.calls.clear();
        let dials = self.exchange.dials;
        let calls = self.arguments.calls;
        for line in 0..calls {
            self.call(line)?;
            // They are not to say the same at the same time.
            self.exchange.rest(APART);
        }
        let all_up = |seen: &BTreeMap<String, Seen>| {
            seen.len() == calls as usize && seen.values().all(|it| it.streams > 0)
        };
        self.exchange.wait(PATIENCE, all_up)?;
        let mut kills = Vec::new();
        let most = (self.arguments.kills - tally.kills).min(KILLS_PER_BATCH);
        for _ in 0..most {
            self.exchange.rest(instant(tally.kills));
            kills.push(Instant::now());
            self.gateway = None;
            tally.kills += 1;
            thread::park_timeout(Duration::from_millis(self.arguments.pause));
            let before = self.exchange.calls.clone();
            self.serve(tally)?;
            // Whoever does not come back is counted when all is over.
            let _ = self.exchange.wait(BACK, |seen| {
                seen.iter().all(|(sid, it)| {
                    it.ended_by.is_some() || it.streams > before.get(sid).map_or(0, |it| it.streams)
                })
            });
        }
        let all_over =
            |seen: &BTreeMap<String, Seen>| seen.values().all(|it| it.ended_by.is_some());
        self.exchange.wait(LONGEST, all_over)?;
        tally.calls += u64::from(calls);
        tally.redialled += self.exchange.dials - dials - u64::from(calls);
        let calls = self.exchange.calls.clone();
        let sids: Vec<String> = calls.keys().cloned().collect();
        let written = self.written(&sids)?;
        for ((sid, seen), heard) in calls.iter().zip(&written) {
            let told = sentences.last().is_some_and(|it| it.is_told(heard));
            self.judge((sid, seen, told), &kills, tally)?;
            for sentence in sentences {
                tally.twice += sentence.twice(sid, heard);
                tally.swallowed += sentence.swallowed(sid, heard);
            }
        }
        Ok(())
    }

    fn judge(
        &self,
        (sid, seen, told): (&str, &Seen, bool),
        kills: &[Instant],
        tally: &mut Tally,
    ) -> Result<(), String> {
        // All has been said, and we hung up: any other end is one that nobody asked for.
        if !told || seen.ended_by.as_deref() != Some("api") {
            let all = if told { "all" } else { "not all" };
            eprintln!(
                "restart: {sid} heard {all} and was ended by {:?}",
                seen.ended_by
            );
            tally.lost += 1;
        }
        let heard = self.heard(sid)?;
        let answered = seen.answered.ok_or("a call was never answered")?;
        for kill in kills {
            let at = kill.saturating_duration_since(answered);
            tally.gaps.extend(gap(&heard, at));
        }
        Ok(())
    }

    /// What the far ears heard, word by word, call by call.
    fn written(&self, sids: &[String]) -> Result<Vec<Vec<String>>, String> {
        let mut command = Command::new(self.release.join("examples/transcribe"));
        // The caller is on the left, we are on the right.
        command.arg("1");
        command.args(sids.iter().map(|it| self.recording(it)));
        let out = command.stderr(Stdio::inherit()).output();
        let out = out.map_err(|fault| format!("nobody writes down what was heard: {fault}"))?;
        let text = String::from_utf8_lossy(&out.stdout);
        let lines = text.lines().map(serde_json::from_str::<String>);
        let texts: Vec<String> = lines.collect::<Result<_, _>>().unwrap_or_default();
        if texts.len() != sids.len() {
            return Err("what was heard could not be written down".to_owned());
        }
        Ok(texts.iter().map(|it| words(it)).collect())
    }

    fn recording(&self, sid: &str) -> PathBuf {
        self.place.join(format!("heard/{sid}.wav"))
    }

    /// Has the gateway call line number `line`, and tell it all.
    fn call(&self, line: u32) -> Result<(), String> {
        let end = Instant::now() + BACK;
        loop {
            // A new gateway announces its token a moment after it listens.
            match self.try_call(line) {
                Err(Refused::TooEarly) if Instant::now() < end => {
                    thread::park_timeout(Duration::from_millis(20));
                }
                Err(Refused::TooEarly) => return Err("the gateway takes no token".to_owned()),
                Err(Refused::Wrong(what)) => return Err(what),
                Ok(()) => return Ok(()),
            }
        }
    }

    fn try_call(&self, line: u32) -> Result<(), Refused> {
        let note = fs::read(self.place.join("offhook/gateway.json"));
        let note = note.map_err(|_| Refused::TooEarly)?;
        let note: Value = serde_json::from_slice(&note).unwrap_or_default();
        let body = json!({ "to": phone(line), "say": script() }).to_string();
        let request = format!(
            "POST /v1/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            note["token"].as_str().unwrap_or_default(),
            body.len()
        );
        let wrong =
            |fault: std::io::Error| Refused::Wrong(format!("the gateway cannot be asked: {fault}"));
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).map_err(wrong)?;
        socket.write_all(request.as_bytes()).map_err(wrong)?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).map_err(wrong)?;
        match answer.get(..12) {
            Some("HTTP/1.1 201") => Ok(()),
            Some("HTTP/1.1 401") => Err(Refused::TooEarly),
            Some(_) | None => Err(Refused::Wrong(format!(
                "the gateway would not call: {answer}"
            ))),
        }
    }

    /// What the far ear heard of the gateway.
    fn heard(&self, sid: &str) -> Result<Vec<i16>, String> {
        let path = self.recording(sid);
        let wav = fs::read(&path);
        let wav = wav.map_err(|fault| format!("cannot read {}: {fault}", path.display()))?;
        // Two channels of 16 bits, behind a head of 44 bytes.
        let both = wav.get(44..).unwrap_or_default().chunks_exact(4);
        Ok(both.map(|it| i16::from_le_bytes([it[2], it[3]])).collect())
    }
}

impl Exchange {
    fn start(
        release: &Path,
        place: &Path,
        (port, api_port): (u16, u16),
        abrupt: Abrupt,
    ) -> Result<Self, String> {
        let mut command = Command::new(release.join("exchange"));
        command.args([
            "serve",
            "--json",
            "--token",
            TOKEN,
            "--abrupt",
            abrupt.name(),
        ]);
        command.args(["--account", ACCOUNT, "--listen"]);
        command.arg(format!("127.0.0.1:{api_port}"));
        command.arg("--out").arg(place.join("heard"));
        command.arg("--number");
        command.arg(format!("{OURS}=http://127.0.0.1:{port}/twilio/voice"));
        for line in 0..50 {
            command
                .arg("--phone")
                .arg(format!("{}=listen", phone(line)));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut child = command
            .spawn()
            .map_err(|fault| format!("cannot start the exchange: {fault}"))?;
        let out = child.stdout.take().expect("standard output was asked for");
        let (tell, told) = channel();
        thread::spawn(move || {
            for line in BufReader::new(out).lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_default();
                if tell.send((Instant::now(), event)).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            child,
            told,
            calls: BTreeMap::new(),
            dials: 0,
        })
    }

    /// Lets so much time pass.
    fn rest(&mut self, time: Duration) {
        let _ = self.wait(time, |_| false);
    }

    fn wait(
        &mut self,
        patience: Duration,
        done: impl Fn(&BTreeMap<String, Seen>) -> bool,
    ) -> Result<(), String> {
        let end = Instant::now() + patience;
        while !done(&self.calls) {
            let left = end.saturating_duration_since(Instant::now());
            let Ok((at, event)) = self.told.recv_timeout(left) else {
                return Err(format!("not after {patience:?}: {:?}", self.calls));
            };
            self.note(at, &event);
        }
        Ok(())
    }

    fn note(&mut self, at: Instant, event: &Value) {
        let text = |name: &str| event[name].as_str().unwrap_or_default();
        let mut seen = |call: &str| self.calls.entry(call.to_owned()).or_default().clone();
        let mut now = seen(text("call"));
        match text("type") {
            "requested" => {
                self.calls.remove("");
                self.dials += u64::from(text("path").ends_with("/Calls.json"));
                return;
            }
            "changed" if text("status") == "in-progress" => now.answered = Some(at),
            "streaming" => now.streams += 1,
            "ended" => now.ended_by = Some(text("ended_by").to_owned()),
            _ => {
                self.calls.remove("");
                return;
            }
        }
        self.calls.insert(text("call").to_owned(), now);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Sentence {
    /// How often it was heard from its beginning to its end.
    fn times(&self, heard: &[String]) -> usize {
        let windows = heard.windows(self.whole.len());
        windows.filter(|it| *it == self.whole.as_slice()).count()
    }

    /// Whether what it is about was heard, in it or in what was left of it.
    fn is_told(&self, heard: &[String]) -> bool {
        heard.contains(&self.about)
    }

    fn twice(&self, sid: &str, heard: &[String]) -> u64 {
        let again = self.times(heard).saturating_sub(1);
        if again > 0 {
            eprintln!("restart: {sid} heard {:?} again", self.whole.join(" "));
        }
        again as u64
    }

    fn swallowed(&self, sid: &str, heard: &[String]) -> u64 {
        let told = self.is_told(heard);
        if !told {
            eprintln!("restart: {sid} did not hear {:?}", self.about);
        }
        u64::from(!told)
    }
}

impl Tally {
    fn rows(&self) -> Vec<Row> {
        let gaps = || self.gaps.iter().copied();
        let none = |what, count: u64| Row::new(what, count as f64, Goal::AtMost(0.0));
        vec![
            Row::new("kills", f64::from(self.kills), Goal::None),
            Row::new("calls", self.calls as f64, Goal::None),
            none("of those lost", self.lost),
            none("dialled twice", self.redialled),
            none("sentences heard twice in full", self.twice),
            Row::new(
                "last words cut or misheard",
                self.swallowed as f64,
                Goal::None,
            ),
            Row::new(
                "gaps at the ear",
                self.gaps.len() as f64,
                Goal::AtLeast(1.0),
            ),
            Row::new("gap p50, ms", quantile(0.5, gaps()), Goal::None),
            Row::new("gap p99, ms", quantile(0.99, gaps()), Goal::AtMost(2_500.0)),
            Row::new("gap, longest, ms", quantile(1.0, gaps()), Goal::None),
            Row::new(
                "start to listening p50, ms",
                quantile(0.5, self.starts.iter().copied()),
                Goal::None,
            ),
        ]
    }
}

/// For how long nothing was heard after a kill, in milliseconds. `None`: the call had ended, or the
/// kill fell into a silence that was over before it could be noticed.
fn gap(heard: &[i16], kill: Duration) -> Option<f64> {
    let silent: Vec<bool> = heard
        .chunks(FRAME)
        .map(|frame| frame.iter().all(|it| it.unsigned_abs() < AUDIBLE))
        .collect();
    let from = (kill.as_millis() / 20) as usize;
    // What was on its way when the gateway died is still heard.
    let first = (from..from + 40).find(|at| {
        silent
            .get(*at..at + 8)
            .is_some_and(|it| it.iter().all(|it| *it))
    })?;
    let begins = (0..=first).rev().take_while(|at| silent[*at]).last()?;
    let ends = (first..silent.len()).find(|at| !silent[*at])?;
    Some((ends - begins.max(from)) as f64 * 20.0)
}

/// The words of a text, as far as they can be heard.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|it: char| !it.is_alphanumeric());
    let words = words.filter(|it| !it.is_empty());
    words.map(str::to_lowercase).collect()
}

/// A long text of sentences that are all different.
fn script() -> String {
    let all: Vec<String> = THINGS
        .iter()
        .enumerate()
        .map(|(at, (thing, about))| format!("{} {thing} {about}.", opening(at)))
        .collect();
    all.join(" ")
}

fn sentences() -> Vec<Sentence> {
    let sentence = |(at, (thing, about)): (usize, &(&str, &str))| Sentence {
        whole: words(&format!("{} {thing} {about}", opening(at))),
        about: (*about).to_owned(),
    };
    THINGS.iter().enumerate().map(sentence).collect()
}

/// No numbers: ears write those in more ways than one.
fn opening(at: usize) -> &'static str {
    [
        "We begin with",
        "Then there is",
        "After that comes",
        "Now look at",
    ][at % 4]
}

const THINGS: [(&str, &str); 20] = [
    ("a red", "bicycle"),
    ("the morning", "train"),
    ("an open", "window"),
    ("the old", "harbor"),
    ("a jar of", "honey"),
    ("the tall", "tower"),
    ("a wooden", "boat"),
    ("the quiet", "garden"),
    ("a paper", "lantern"),
    ("the last", "bus"),
    ("a basket of", "apples"),
    ("the frozen", "lake"),
    ("a silver", "spoon"),
    ("the narrow", "bridge"),
    ("a letter from", "abroad"),
    ("the kitchen", "clock"),
    ("a flock of", "geese"),
    ("the village", "baker"),
    ("a broken", "umbrella"),
    ("the northern", "star"),
];

fn phone(line: u32) -> String {
    format!("+1555123{:04}", 4_000 + line)
}

fn configuration(port: u16, api_port: u16) -> String {
    let phones: Vec<String> = (0..50).map(|line| format!("{:?}", phone(line))).collect();
    let phones = phones.join(", ");
    format!(
        "[server]\ncalls_per_minute = 10000\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\n\
         [carriers.twilio]\naccount_sid = \"{ACCOUNT}\"\nauth_token = \"{TOKEN}\"\n\
         api_url = \"http://127.0.0.1:{api_port}\"\n\
         [numbers.\"{OURS}\"]\ncarrier = \"twilio\"\nagent = \"reader\"\n\
         [agents.reader]\nkind = \"answering-service\"\n\
         [policy]\ncall = [{phones}]\nowner = [{phones}]\nmax_calls = 60\ncalls_per_hour = 10000\n",
    )
}

/// When the next kill comes: while a sentence is being said, or between two.
fn instant(kill: u32) -> Duration {
    let mixed = (u64::from(kill) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    Duration::from_millis(3_000 + mixed % 4_000)
}

/// Who writes down what was heard.
const TRANSCRIBE: &[&str] = &[
    "build",
    "--release",
    "--locked",
    "--package",
    "speech",
    "--example",
    "transcribe",
];
const ACCOUNT: &str = "AC00000000000000000000000000000000";
const OURS: &str = "+15550001111";
/// So many kills one call has to live through.
const KILLS_PER_BATCH: u32 = 10;
const APART: Duration = Duration::from_millis(370);
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a call may take to get its sound back before the next kill comes.
const BACK: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(240);
/// Samples of a frame of 20 ms.
const FRAME: usize = 160;
/// What is below this, of 32,768, nobody hears.
const AUDIBLE: u16 = 64;
