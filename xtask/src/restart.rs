//! The restart drill: a gateway is killed in the middle of what it says, again and again, and the
//! other end of the wire says what became of the calls.
//!
//! Nothing the gateway says of itself counts here. Who was hung up on, who was dialled, for how long
//! an ear heard nothing and what it heard twice is taken from the exchange alone. The same words
//! make the same sound, to the bit; so a sentence was said twice in full where its beginning and its
//! end are found twice, as far apart as they are in a call that nobody disturbed.

use std::collections::{BTreeMap, BTreeSet};
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
use crate::bench::process::Server;
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

/// How a sentence sounds where nothing disturbs it.
struct Sentence {
    begins: Vec<u8>,
    ends: Vec<u8>,
    /// From the beginning of the one to that of the other, in bytes.
    apart: usize,
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
        let mut server = Server::start(0, &program, &arguments, &self.place)?;
        server.wait_for(self.port)?;
        tally.starts.push(began.elapsed().as_secs_f64() * 1e3);
        self.gateway = Some(server);
        Ok(())
    }

    /// One call that nobody disturbs: how each sentence sounds.
    fn undisturbed(&mut self) -> Result<Vec<Sentence>, String> {
        self.call(0)?;
        let all_over = |seen: &BTreeMap<String, Seen>| {
            seen.len() == 1 && seen.values().all(|it| it.ended_by.is_some())
        };
        self.exchange.wait(LONGEST, all_over)?;
        let sid = self.exchange.calls.keys().next().cloned();
        let sid = sid.ok_or("the first call was never seen")?;
        let heard = self.heard(&sid)?;
        let found = sentences(&heard);
        self.exchange.calls.clear();
        if found.len() < 5 {
            return Err(format!("only {} sentences can be told apart", found.len()));
        }
        Ok(found)
    }

    /// So many calls as are wanted, and kills for as long as they talk.
    fn batch(&mut self, tally: &mut Tally, sentences: &[Sentence]) -> Result<(), String> {
        self.exchange.calls.clear();
        let dials = self.exchange.dials;
        let calls = self.arguments.calls;
        for line in 0..calls {
            self.call(line)?;
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
        for (sid, seen) in self.exchange.calls.clone() {
            self.judge((&sid, &seen), &kills, sentences, tally)?;
        }
        Ok(())
    }

    fn judge(
        &self,
        (sid, seen): (&str, &Seen),
        kills: &[Instant],
        sentences: &[Sentence],
        tally: &mut Tally,
    ) -> Result<(), String> {
        // All has been said, and we hung up: any other end is one that nobody asked for.
        if seen.ended_by.as_deref() != Some("api") {
            eprintln!("restart: {sid} was ended by {:?}", seen.ended_by);
            tally.lost += 1;
        }
        let heard = self.heard(sid)?;
        let answered = seen.answered.ok_or("a call was never answered")?;
        for kill in kills {
            let at = kill.saturating_duration_since(answered);
            tally.gaps.extend(gap(&heard, at));
        }
        for (number, sentence) in sentences.iter().enumerate() {
            let times = sentence.times(&heard);
            if times > 1 {
                eprintln!("restart: {sid} heard sentence {} {times} times", number + 1);
                tally.twice += 1;
            }
        }
        Ok(())
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

    /// What the far ear heard of the gateway, as bytes of samples.
    fn heard(&self, sid: &str) -> Result<Vec<u8>, String> {
        let path = self.place.join(format!("heard/{sid}.wav"));
        let wav = fs::read(&path);
        let wav = wav.map_err(|fault| format!("cannot read {}: {fault}", path.display()))?;
        // The caller is on the left, we are on the right; 16 bits each, behind a head of 44 bytes.
        let both = wav.get(44..).unwrap_or_default().chunks_exact(4);
        Ok(both.flat_map(|it| [it[2], it[3]]).collect())
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
    fn times(&self, heard: &[u8]) -> usize {
        let ends: BTreeSet<usize> = places(heard, &self.ends).collect();
        let begins = places(heard, &self.begins);
        begins
            .filter(|at| ends.contains(&(at + self.apart)))
            .count()
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
fn gap(heard: &[u8], kill: Duration) -> Option<f64> {
    let silent: Vec<bool> = samples(heard)
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

/// The sentences of a call in which nothing happened: what lies between its longer silences.
fn sentences(heard: &[u8]) -> Vec<Sentence> {
    let samples = samples(heard);
    let loud = |frame: &[i16]| frame.iter().any(|it| it.unsigned_abs() >= AUDIBLE);
    let frames: Vec<bool> = samples.chunks(FRAME).map(loud).collect();
    let (mut found, mut start, mut quiet) = (Vec::new(), None, 0);
    for (at, loud) in frames.iter().enumerate() {
        match (loud, start) {
            (true, None) => (start, quiet) = (Some(at), 0),
            (true, Some(_)) => quiet = 0,
            (false, Some(from)) => {
                quiet += 1;
                if quiet == PAUSE {
                    found.extend(sentence(heard, from, at + 1 - PAUSE));
                    start = None;
                }
            }
            (false, None) => {}
        }
    }
    found
}

/// The one between these frames, if it is long enough to have a beginning and an end.
fn sentence(heard: &[u8], from: usize, to: usize) -> Option<Sentence> {
    let bytes = 2 * FRAME;
    if to < from + 2 * PRINT {
        return None;
    }
    let begins = heard.get(from * bytes..(from + PRINT) * bytes)?.to_vec();
    let ends = heard.get((to - PRINT) * bytes..to * bytes)?.to_vec();
    Some(Sentence {
        begins,
        ends,
        apart: (to - PRINT - from) * bytes,
    })
}

/// Where `what` is found.
fn places<'h>(heard: &'h [u8], what: &'h [u8]) -> impl Iterator<Item = usize> + 'h {
    let first = what.first().copied().unwrap_or_default();
    (0..heard.len().saturating_sub(what.len()))
        .step_by(2)
        .filter(move |at| heard[*at] == first && heard[*at..].starts_with(what))
}

fn samples(heard: &[u8]) -> Vec<i16> {
    let pairs = heard.chunks_exact(2);
    pairs.map(|it| i16::from_le_bytes([it[0], it[1]])).collect()
}

/// A long text of sentences that are all different.
fn script() -> String {
    let things = [
        "a red bicycle",
        "the morning train",
        "an open window",
        "the old harbour",
        "a jar of honey",
        "the tall lighthouse",
        "a wooden boat",
        "the quiet garden",
        "a paper lantern",
        "the last bus",
        "a basket of apples",
        "the frozen lake",
        "a silver spoon",
        "the narrow bridge",
        "a letter from abroad",
        "the kitchen clock",
        "a flock of geese",
        "the village baker",
        "a broken umbrella",
        "the northern star",
    ];
    let sentence = |(at, thing): (usize, &&str)| format!("Number {} is about {thing}.", at + 1);
    let all: Vec<String> = things.iter().enumerate().map(sentence).collect();
    all.join(" ")
}

fn phone(line: u32) -> String {
    format!("+1555123{:04}", 4_000 + line)
}

fn configuration(port: u16, api_port: u16) -> String {
    let phones: Vec<String> = (0..50).map(|line| format!("{:?}", phone(line))).collect();
    format!(
        "[server]\nlisten = \"127.0.0.1:{port}\"\npublic_url = \"http://127.0.0.1:{port}\"\n\
         [carriers.twilio]\naccount_sid = \"{ACCOUNT}\"\nauth_token = \"{TOKEN}\"\n\
         api_url = \"http://127.0.0.1:{api_port}\"\n\
         [numbers.\"{OURS}\"]\ncarrier = \"twilio\"\nagent = \"reader\"\n\
         [agents.reader]\nkind = \"answering-service\"\n\
         [policy]\ncall = [{}]\nmax_calls = 60\ncalls_per_hour = 10000\n",
        phones.join(", ")
    )
}

/// When the next kill comes: while a sentence is being said, or between two.
fn instant(kill: u32) -> Duration {
    let mixed = (u64::from(kill) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    Duration::from_millis(700 + mixed % 3_000)
}

const ACCOUNT: &str = "AC00000000000000000000000000000000";
const OURS: &str = "+15550001111";
/// So many kills one call has to live through.
const KILLS_PER_BATCH: u32 = 10;
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a call may take to get its sound back before the next kill comes.
const BACK: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(240);
/// Samples of a frame of 20 ms.
const FRAME: usize = 160;
/// What is below this, of 32,768, nobody hears.
const AUDIBLE: u16 = 64;
/// So many silent frames end a sentence.
const PAUSE: usize = 8;
/// So many frames of its beginning and of its end tell a sentence from all others.
const PRINT: usize = 15;
