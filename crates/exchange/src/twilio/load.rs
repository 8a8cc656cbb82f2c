//! One call of a load run: webhook, instructions, socket, frames both ways.

use super::media::target;
use super::twiml::{self, Method, Verb};
use super::webhook::{self, Webhook, sign};
use super::{Call, Callback, Carrier, Own};
use crate::ear::{FRAME, FRAME_TIME};
use crate::ledger::{Direction, Kind, Status};
use crate::load::{Histogram, LoadPlan, LoadReport, MARK, Scanner, bodies, serial_mark};
use crate::office::{Account, Office, Setup, Tunnel, authority, fresh};
use crate::wire::{Frame, Wire};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep_until, timeout};

pub(crate) async fn run(plan: LoadPlan) -> io::Result<LoadReport> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let bare = |url: &str| url.trim_end_matches('/').to_owned();
    let tunnel = Tunnel {
        public: bare(&plan.public_url),
        local: bare(&plan.gateway),
    };
    let account = Account {
        id: plan.account.clone(),
        secret: plan.token.clone(),
    };
    let office = Office::new(Setup {
        tunnels: vec![tunnel],
        ..Setup::default()
    });
    let load = Arc::new(Load {
        carrier: Carrier::new(account, office.map_err(io::Error::other)?),
        bodies: bodies(plan.sound)
            .iter()
            .map(|body| STANDARD.encode(body))
            .collect(),
        until: Instant::now() + plan.ramp + plan.duration,
        plan,
    });
    let begin = Instant::now();
    let mut calls = JoinSet::new();
    for index in 0..load.plan.calls {
        let load = Arc::clone(&load);
        let offset = load.plan.ramp * index as u32 / load.plan.calls.max(1) as u32;
        calls.spawn(async move {
            sleep_until(begin + offset + phase(index)).await;
            one(&load, index).await
        });
    }
    let mut total = Tally::new();
    while let Some(joined) = calls.join_next().await {
        match joined {
            Ok(tally) => total.add(&tally),
            Err(error) => total.fail(format!("panic: {error}")),
        }
    }
    total.report.calls = load.plan.calls;
    Ok(total.into_report())
}

/// Callers' clocks are not in step: each call's frames have a place of their own within 20 ms.
fn phase(index: usize) -> Duration {
    const GOLDEN: f64 = 0.618_033_988_75;
    FRAME_TIME.mul_f64((index as f64 * GOLDEN).fract())
}

struct Load {
    carrier: Carrier,
    plan: LoadPlan,
    /// The frames' sound behind the mark, in base64: the mark's 12 codes are 16 characters of their own.
    bodies: Vec<String>,
    until: Instant,
}

/// What one call, or all of them, came to.
struct Tally {
    report: LoadReport,
    echo: Histogram,
    lateness: Histogram,
    set_up_time: Histogram,
    first_echo: Histogram,
}

impl Tally {
    fn new() -> Self {
        Self {
            report: LoadReport::default(),
            echo: Histogram::new(),
            lateness: Histogram::new(),
            set_up_time: Histogram::new(),
            first_echo: Histogram::new(),
        }
    }

    fn fail(&mut self, reason: String) {
        *self.report.failed.entry(reason).or_default() += 1;
    }

    fn add(&mut self, other: &Self) {
        let (mine, more) = (&mut self.report, &other.report);
        mine.set_up += more.set_up;
        mine.frames_sent += more.frames_sent;
        mine.frames_back += more.frames_back;
        mine.frames_late += more.frames_late;
        mine.frames_repeated += more.frames_repeated;
        mine.odd_messages += more.odd_messages;
        for (reason, count) in &more.failed {
            *mine.failed.entry(reason.clone()).or_default() += count;
        }
        self.echo.add(&other.echo);
        self.lateness.add(&other.lateness);
        self.set_up_time.add(&other.set_up_time);
        self.first_echo.add(&other.first_echo);
    }

    fn into_report(mut self) -> LoadReport {
        self.report.frames_lost = self.report.frames_sent - self.report.frames_back;
        self.report.echo = self.echo.percentiles();
        self.report.lateness = self.lateness.percentiles();
        self.report.set_up_time = self.set_up_time.percentiles();
        self.report.first_echo = self.first_echo.percentiles();
        self.report
    }
}

async fn one(load: &Load, index: usize) -> Tally {
    let mut tally = Tally::new();
    let from = format!("+1555{:07}", 2_000_000 + index);
    let own = Own::new(&fresh(""), Callback::default());
    let parties = (from.as_str(), load.plan.to.as_str());
    let (call, _commands) = Call::new(fresh("CA"), Direction::Inbound, parties, own);
    let began = Instant::now();
    let talked = match set_up(load, &call).await {
        Err(reason) => Err(reason),
        Ok((wire, start)) => {
            tally.set_up_time.record(began.elapsed());
            tally.report.set_up = 1;
            let mut stream = Stream::new(load, wire, start);
            let talked = stream.talk(&call, &mut tally).await;
            talked.map_err(|error| error.to_string())
        }
    };
    if let Err(reason) = talked {
        tally.fail(reason);
    }
    call.change(&load.carrier.office.ledger, Status::Completed, began.elapsed());
    let mut form = webhook::fields(&load.carrier, &call);
    form.push((
        "CallDuration".to_owned(),
        began.elapsed().as_secs().to_string(),
    ));
    form.push((
        "CallbackSource".to_owned(),
        "call-progress-events".to_owned(),
    ));
    form.push(("SequenceNumber".to_owned(), "0".to_owned()));
    if let Err(reason) = post(load, &call, "completed", &load.plan.status_path, form).await {
        tally.fail(format!("status callback: {reason}"));
    }
    tally
}

async fn post(
    load: &Load,
    call: &Call,
    event: &str,
    path: &str,
    form: Vec<(String, String)>,
) -> Result<String, String> {
    let url = format!("{}{path}", load.plan.public_url.trim_end_matches('/'));
    let token = fresh("");
    let (method, kind) = (Method::Post, Kind::Genuine);
    let webhook = Webhook {
        event,
        url: &url,
        method,
        form,
        kind,
        token: &token,
    };
    let page = webhook::send(&load.carrier, call, webhook)
        .await
        .map_err(|unanswered| unanswered.text)?;
    if (200..300).contains(&page.status) {
        Ok(page.body)
    } else {
        Err(format!("HTTP {}", page.status))
    }
}

/// The voice webhook, its instructions, and the socket they name.
async fn set_up(load: &Load, call: &Call) -> Result<(Wire, twiml::Stream), String> {
    let form = webhook::fields(&load.carrier, call);
    let body = post(load, call, "voice", &load.plan.voice_path, form)
        .await
        .map_err(|reason| format!("voice webhook: {reason}"))?;
    let document = twiml::parse(&body).map_err(|why| format!("instructions: {}", why.0))?;
    let stream = document.verbs.into_iter().find_map(|verb| match verb {
        Verb::Connect { stream, .. } => Some(stream),
        Verb::Hangup
        | Verb::Reject { .. }
        | Verb::Say { .. }
        | Verb::Pause { .. }
        | Verb::Redirect { .. }
        | Verb::Play
        | Verb::Dial(_) => None,
    });
    let stream = stream.ok_or("instructions: no stream")?;
    let local = target(&load.carrier.office, &stream.url).map_err(|unopened| unopened.text)?;
    let address = authority(&local).unwrap_or_default();
    let host = authority(&stream.url).unwrap_or_default();
    let path = stream
        .url
        .split_once("://")
        .map_or("", |(_, rest)| &rest[host.len()..]);
    let path = if path.is_empty() { "/" } else { path };
    let signature = sign(&load.plan.token, &stream.url, &[]);
    let upgraded = async {
        let tcp = TcpStream::connect(&address).await?;
        Wire::upgrade(tcp, &host, path, &signature).await
    };
    let wire = timeout(CONNECTING, upgraded)
        .await
        .map_err(|_| "upgrade: no answer".to_owned())?;
    Ok((wire.map_err(|error| format!("upgrade: {error}"))?, stream))
}

/// One call's media socket under load.
struct Stream<'a> {
    load: &'a Load,
    wire: Wire,
    instructions: twiml::Stream,
    sid: String,
    out: Vec<u8>,
    /// The sound of the message at hand.
    codes: Vec<u8>,
    scanner: Scanner,
    /// When the latest frames were written, by serial number; 10 s of them.
    written: Vec<Written>,
    sequence: u64,
    began: Instant,
    playing_until: Instant,
    marks: VecDeque<(Instant, String)>,
}

#[derive(Clone, Copy)]
enum Written {
    Nothing,
    Frame { serial: u32, at: Instant },
    Back { serial: u32 },
}

impl<'a> Stream<'a> {
    fn new(load: &'a Load, wire: Wire, instructions: twiml::Stream) -> Self {
        let now = Instant::now();
        Self {
            load,
            wire,
            instructions,
            sid: fresh("MZ"),
            out: Vec::with_capacity(512),
            codes: Vec::with_capacity(FRAME),
            scanner: Scanner::default(),
            written: vec![Written::Nothing; REMEMBERED],
            sequence: 0,
            began: now,
            playing_until: now,
            marks: VecDeque::new(),
        }
    }

    async fn talk(&mut self, call: &Call, tally: &mut Tally) -> io::Result<()> {
        self.begin(call).await?;
        let first = Instant::now() + FRAME_TIME;
        let mut clock = interval_at(first, FRAME_TIME);
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let last = self.load.until.max(first + FRAME_TIME);
        let end = last + DRAINING;
        let mut tick = 0_u32;
        loop {
            tokio::select! {
                due = clock.tick() => {
                    if due >= end {
                        break;
                    }
                    tally.lateness.record(due.elapsed());
                    // A gateway may fade the very first frame in, which would spoil its mark.
                    let counts = tick > 0 && due < last;
                    self.send_frame(tick, counts, tally).await?;
                    tick += 1;
                }
                read = self.wire.read() => {
                    if read? == 0 {
                        return Err(io::Error::other("the gateway ended the connection"));
                    }
                    self.hear_all(tally).await?;
                }
            }
        }
        let stop = format!(
            r#"{{"event":"stop","sequenceNumber":"{}","stop":{{"accountSid":"{}","callSid":"{}"}},"streamSid":"{}"}}"#,
            self.next_sequence(),
            self.load.plan.account,
            call.id,
            self.sid
        );
        self.send_text(&stop).await?;
        self.wire.close().await?;
        // The far end's own close, and whatever it still says, is read so that the connection ends in order.
        let _ = timeout(CLOSING, async {
            while matches!(self.wire.read().await, Ok(1..)) {}
        })
        .await;
        Ok(())
    }

    async fn begin(&mut self, call: &Call) -> io::Result<()> {
        self.send_text(r#"{"event":"connected","protocol":"Call","version":"1.0.0"}"#)
            .await?;
        let parameters: serde_json::Map<String, Value> = self
            .instructions
            .parameters
            .iter()
            .map(|(name, value)| (name.clone(), Value::String(value.clone())))
            .collect();
        let start = serde_json::json!({
            "event": "start",
            "sequenceNumber": self.next_sequence().to_string(),
            "start": {
                "accountSid": self.load.plan.account,
                "streamSid": self.sid,
                "callSid": call.id,
                "tracks": ["inbound"],
                "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
                "customParameters": parameters,
            },
            "streamSid": self.sid,
        });
        self.send_text(&start.to_string()).await
    }

    /// Writes one frame of sound, with its serial number while frames count.
    async fn send_frame(&mut self, tick: u32, counts: bool, tally: &mut Tally) -> io::Result<()> {
        let now = Instant::now();
        while self.marks.front().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, name)) = self.marks.pop_front() {
                self.return_mark(&name).await?;
            }
        }
        let sequence = self.next_sequence();
        let mark = if counts {
            serial_mark(tick)
        } else {
            [0xFF; MARK]
        };
        let mut digits = [0; 16];
        STANDARD
            .encode_slice(mark, &mut digits)
            .expect("12 bytes are 16 characters");
        Wire::begin_text(&mut self.out);
        self.out
            .extend_from_slice(br#"{"event":"media","sequenceNumber":""#);
        push_number(&mut self.out, sequence);
        self.out
            .extend_from_slice(br#"","media":{"track":"inbound","chunk":""#);
        push_number(&mut self.out, u64::from(tick) + 1);
        self.out.extend_from_slice(br#"","timestamp":""#);
        push_number(&mut self.out, u64::from(tick) * 20);
        self.out.extend_from_slice(br#"","payload":""#);
        self.out.extend_from_slice(&digits);
        self.out
            .extend_from_slice(self.load.bodies[tick as usize % self.load.bodies.len()].as_bytes());
        self.out.extend_from_slice(br#""},"streamSid":""#);
        self.out.extend_from_slice(self.sid.as_bytes());
        self.out.extend_from_slice(br#""}"#);
        Wire::finish_text(&mut self.out);
        if counts {
            self.written[tick as usize % REMEMBERED] = Written::Frame {
                serial: tick,
                at: Instant::now(),
            };
            tally.report.frames_sent += 1;
        }
        self.wire.write(&self.out).await
    }

    async fn hear_all(&mut self, tally: &mut Tally) -> io::Result<()> {
        loop {
            let heard = match self.wire.next()? {
                None => return Ok(()),
                Some(Frame::Text(text)) => hear(text, &mut self.codes),
                Some(Frame::Ping) => Heard::Ping,
                Some(Frame::Closed) => {
                    return Err(io::Error::other("the gateway closed the socket"));
                }
                Some(Frame::Other) => Heard::Odd,
            };
            match heard {
                Heard::Sound => self.match_back(tally),
                Heard::Mark(name) => self.keep_mark(name).await?,
                Heard::Clear => {
                    self.playing_until = Instant::now();
                    for (_, name) in std::mem::take(&mut self.marks) {
                        self.return_mark(&name).await?;
                    }
                }
                Heard::Ping => self.wire.pong().await?,
                Heard::Odd => tally.report.odd_messages += 1,
            }
        }
    }

    fn match_back(&mut self, tally: &mut Tally) {
        let now = Instant::now();
        self.playing_until =
            self.playing_until.max(now) + Duration::from_micros(self.codes.len() as u64 * 125);
        let (written, began) = (&mut self.written, self.began);
        self.scanner.scan(&self.codes, |serial| {
            let place = &mut written[serial as usize % REMEMBERED];
            match *place {
                Written::Frame { serial: known, at } if known == serial => {
                    tally.echo.record(now - at);
                    tally.report.frames_late += u64::from(now - at > FRAME_TIME);
                    if tally.report.frames_back == 0 {
                        tally.first_echo.record(now - began);
                    }
                    tally.report.frames_back += 1;
                    *place = Written::Back { serial };
                }
                Written::Back { serial: known } if known == serial => {
                    tally.report.frames_repeated += 1
                }
                Written::Nothing | Written::Frame { .. } | Written::Back { .. } => {
                    tally.report.odd_messages += 1;
                }
            }
        });
    }

    async fn keep_mark(&mut self, name: String) -> io::Result<()> {
        if self.playing_until <= Instant::now() {
            return self.return_mark(&name).await;
        }
        if self.marks.len() < MOST_MARKS {
            self.marks.push_back((self.playing_until, name));
        }
        Ok(())
    }

    async fn return_mark(&mut self, name: &str) -> io::Result<()> {
        let sequence = self.next_sequence().to_string();
        let mark = serde_json::json!({
            "event": "mark", "sequenceNumber": sequence, "streamSid": self.sid, "mark": {"name": name},
        });
        self.send_text(&mark.to_string()).await
    }

    async fn send_text(&mut self, text: &str) -> io::Result<()> {
        Wire::begin_text(&mut self.out);
        self.out.extend_from_slice(text.as_bytes());
        Wire::finish_text(&mut self.out);
        self.wire.write(&self.out).await
    }

    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }
}

enum Heard {
    Sound,
    Mark(String),
    Clear,
    Ping,
    Odd,
}

/// Reads a message without a JSON parser where it is sound, which almost all are.
fn hear(text: &str, codes: &mut Vec<u8>) -> Heard {
    if let Some((_, rest)) = text.split_once(r#""payload":""#) {
        codes.clear();
        let decoded = rest
            .split_once('"')
            .map(|(payload, _)| STANDARD.decode_vec(payload, codes));
        return if let Some(Ok(())) = decoded {
            Heard::Sound
        } else {
            Heard::Odd
        };
    }
    let message: Value = serde_json::from_str(text).unwrap_or_default();
    match (message["event"].as_str(), message["mark"]["name"].as_str()) {
        (Some("mark"), Some(name)) => Heard::Mark(name.to_owned()),
        (Some("clear"), _) => Heard::Clear,
        _ => Heard::Odd,
    }
}

fn push_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [0; 20];
    let mut at = digits.len();
    let mut rest = number;
    loop {
        at -= 1;
        digits[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

const REMEMBERED: usize = 500;
const MOST_MARKS: usize = 1_000;
const CONNECTING: Duration = Duration::from_secs(5);
const CLOSING: Duration = Duration::from_secs(1);
/// How long sound without serial numbers follows, so that the last echoes come back.
const DRAINING: Duration = Duration::from_millis(500);
