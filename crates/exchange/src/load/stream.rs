//! One call's media socket under load: frames both ways.

use super::crowd::Run;
use super::serial::{MARK, Scanner, serial_mark};
use super::tally::Tally;
use crate::ear::{FRAME, FRAME_TIME};
use crate::wire::{Frame, Wire};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::collections::VecDeque;
use std::io;
use std::time::Duration;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

/// How a carrier's media socket speaks.
pub(crate) trait Dialect: Send {
    /// The messages that come before all sound.
    fn begin(&mut self) -> Vec<String>;

    /// Writes the message with the sound of a tick.
    fn sound(&mut self, tick: u32, payload: Payload<'_>, out: &mut Vec<u8>);

    /// Reads a message that has no sound.
    fn read(&self, message: &Value) -> Told;

    /// Says that the gateway's sound was played as far as this mark.
    fn reached(&mut self, mark: &str) -> String;

    /// Says that what was still to be played was cleared, with these marks in it.
    fn cleared(&mut self, marks: Vec<String>) -> Vec<String>;

    /// The message that comes after all sound, where there is one.
    fn end(&mut self) -> Option<String>;
}

/// Sound in base64, in two parts.
#[derive(Clone, Copy)]
pub(crate) struct Payload<'a> {
    mark: &'a [u8; DIGITS],
    body: &'a str,
}

impl Payload<'_> {
    pub(crate) fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.mark);
        out.extend_from_slice(self.body.as_bytes());
    }
}

/// What a gateway says besides sound.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Told {
    Mark(String),
    Clear,
    Odd,
}

/// One call's media socket.
pub(super) struct Stream<'a, C, D> {
    run: &'a Run<C>,
    wire: Wire,
    dialect: D,
    out: Vec<u8>,
    /// The sound of the message at hand.
    codes: Vec<u8>,
    scanner: Scanner,
    /// When the latest frames were written, by serial number; 10 s of them.
    written: Vec<Written>,
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

impl<'a, C, D: Dialect> Stream<'a, C, D> {
    pub(super) fn new(run: &'a Run<C>, wire: Wire, dialect: D) -> Self {
        let now = Instant::now();
        Self {
            run,
            wire,
            dialect,
            out: Vec::with_capacity(512),
            codes: Vec::with_capacity(FRAME),
            scanner: Scanner::default(),
            written: vec![Written::Nothing; REMEMBERED],
            began: now,
            playing_until: now,
            marks: VecDeque::new(),
        }
    }

    /// Talks and listens until the run is over.
    pub(super) async fn talk(&mut self, tally: &mut Tally) -> io::Result<()> {
        for message in self.dialect.begin() {
            self.send_text(&message).await?;
        }
        let first = Instant::now() + FRAME_TIME;
        let mut clock = interval_at(first, FRAME_TIME);
        clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let last = self.run.until.max(first + FRAME_TIME);
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
        if let Some(message) = self.dialect.end() {
            self.send_text(&message).await?;
        }
        self.wire.close().await?;
        // The far end's own close, and whatever it still says, is read so that the connection ends in order.
        let _ = timeout(CLOSING, async {
            while matches!(self.wire.read().await, Ok(1..)) {}
        })
        .await;
        Ok(())
    }

    /// Writes one frame of sound, with its serial number while frames count.
    async fn send_frame(&mut self, tick: u32, counts: bool, tally: &mut Tally) -> io::Result<()> {
        let now = Instant::now();
        while self.marks.front().is_some_and(|(due, _)| *due <= now) {
            if let Some((_, name)) = self.marks.pop_front() {
                self.return_mark(&name).await?;
            }
        }
        let mark = if counts {
            serial_mark(tick)
        } else {
            [0xFF; MARK]
        };
        let mut digits = [0; DIGITS];
        STANDARD
            .encode_slice(mark, &mut digits)
            .expect("12 bytes are 16 characters");
        let payload = Payload {
            mark: &digits,
            body: &self.run.bodies[tick as usize % self.run.bodies.len()],
        };
        Wire::begin_text(&mut self.out);
        self.dialect.sound(tick, payload, &mut self.out);
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
                Some(Frame::Text(text)) => hear(text, &self.dialect, &mut self.codes),
                Some(Frame::Ping) => Heard::Ping,
                Some(Frame::Closed) => {
                    return Err(io::Error::other("the gateway closed the socket"));
                }
                Some(Frame::Other) => Heard::Told(Told::Odd),
            };
            match heard {
                Heard::Sound => self.match_back(tally),
                Heard::Told(Told::Mark(name)) => self.keep_mark(name).await?,
                Heard::Told(Told::Clear) => {
                    self.playing_until = Instant::now();
                    let waiting = std::mem::take(&mut self.marks);
                    let marks = waiting.into_iter().map(|(_, name)| name).collect();
                    for message in self.dialect.cleared(marks) {
                        self.send_text(&message).await?;
                    }
                }
                Heard::Told(Told::Odd) => tally.report.odd_messages += 1,
                Heard::Ping => self.wire.pong().await?,
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
        let message = self.dialect.reached(name);
        self.send_text(&message).await
    }

    async fn send_text(&mut self, text: &str) -> io::Result<()> {
        Wire::begin_text(&mut self.out);
        self.out.extend_from_slice(text.as_bytes());
        Wire::finish_text(&mut self.out);
        self.wire.write(&self.out).await
    }
}

enum Heard {
    Sound,
    Told(Told),
    Ping,
}

/// Reads a message without a JSON parser where it is sound, which almost all are.
fn hear(text: &str, dialect: &impl Dialect, codes: &mut Vec<u8>) -> Heard {
    if let Some((_, rest)) = text.split_once(r#""payload":""#) {
        codes.clear();
        let decoded = rest
            .split_once('"')
            .map(|(payload, _)| STANDARD.decode_vec(payload, codes));
        return if let Some(Ok(())) = decoded {
            Heard::Sound
        } else {
            Heard::Told(Told::Odd)
        };
    }
    let message: Value = serde_json::from_str(text).unwrap_or_default();
    Heard::Told(dialect.read(&message))
}

/// Writes a number in digits.
pub(crate) fn push_number(out: &mut Vec<u8>, number: u64) {
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

/// A mark in base64.
const DIGITS: usize = MARK / 3 * 4;
const REMEMBERED: usize = 500;
const MOST_MARKS: usize = 1_000;
const CLOSING: Duration = Duration::from_secs(1);
/// How long sound without serial numbers follows, so that the last echoes come back.
const DRAINING: Duration = Duration::from_millis(500);
