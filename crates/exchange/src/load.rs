//! Load: many calls at once, each as cheap as a call can be made, and what becomes of their sound.
//!
//! Every 20 ms frame carries a serial number in its first samples, quiet enough to be silence to an ear. A gateway that
//! echoes the caller sends it back, however it cuts its messages; the time between is the echo's latency.

use serde::Serialize;
use std::collections::BTreeMap;
use std::time::Duration;

/// The carriers that are played under load, as configurations name them.
pub const CARRIERS: &[&str] = &["twilio"];

/// What to do to a gateway.
#[derive(Clone, Debug)]
pub struct LoadPlan {
    /// Where it is, as `http://127.0.0.1:8787`.
    pub gateway: String,
    /// What it believes its address to be (its `public_url`); requests are signed for this one.
    pub public_url: String,
    /// The path of its voice webhook.
    pub voice_path: String,
    /// The path of its status callback.
    pub status_path: String,
    /// The account's id.
    pub account: String,
    /// The account's token.
    pub token: String,
    /// The number to call.
    pub to: String,
    /// How many calls at once.
    pub calls: usize,
    /// How long all of them are up together.
    pub duration: Duration,
    /// Over which time they begin.
    pub ramp: Duration,
    /// What the callers say.
    pub sound: Sound,
}

/// What callers say under load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sound {
    /// Nothing.
    Silence,
    /// Something that rises and falls like speech, with pauses.
    #[default]
    Speech,
}

/// What became of the calls and their frames.
#[derive(Clone, Debug, Default, Serialize)]
pub struct LoadReport {
    /// Calls tried.
    pub calls: usize,
    /// Calls whose socket was opened.
    pub set_up: usize,
    /// Calls that did not reach their end, by reason.
    pub failed: BTreeMap<String, usize>,
    /// Frames with a serial number that were sent.
    pub frames_sent: u64,
    /// Those that came back, each counted once.
    pub frames_back: u64,
    /// Those that did not.
    pub frames_lost: u64,
    /// Those that came back more than a frame's length after they were written.
    pub frames_late: u64,
    /// Serial numbers that came back again.
    pub frames_repeated: u64,
    /// From the moment a frame is written to the moment the message with its serial number is read.
    pub echo: Percentiles,
    /// How late frames were written by their clock: the load's own unpunctuality.
    pub lateness: Percentiles,
    /// From the first byte of the voice webhook to the accepted upgrade.
    pub set_up_time: Percentiles,
    /// From the start of the stream to the first echo.
    pub first_echo: Percentiles,
    /// Messages of the gateway that were neither sound, mark nor clear.
    pub odd_messages: u64,
}

/// A distribution of times in microseconds, each within 3 % of the truth; the maximum is exact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// How many.
    pub count: u64,
    /// Half are at most this.
    pub p50_us: u64,
    /// Nine tenths are at most this.
    pub p90_us: u64,
    /// All but one in a hundred are at most this.
    pub p99_us: u64,
    /// All are at most this.
    pub max_us: u64,
}

/// Calls a gateway as planned and measures. Run it in a process of its own, away from the gateway's core.
///
/// # Errors
/// When no HTTP client can be built; whatever the gateway does is in the report.
pub async fn run(plan: LoadPlan) -> std::io::Result<LoadReport> {
    crate::twilio::load::run(plan).await
}

/// Counts times in buckets that grow with them.
pub(crate) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Histogram {
    pub(crate) fn new() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            count: 0,
            max: 0,
        }
    }

    pub(crate) fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(micros)] += 1;
        self.count += 1;
        self.max = self.max.max(micros);
    }

    pub(crate) fn add(&mut self, other: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += more;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    pub(crate) fn percentiles(&self) -> Percentiles {
        let at = |percent: u64| {
            let wanted = (self.count * percent).div_ceil(100);
            let mut seen = 0;
            for (index, count) in self.buckets.iter().enumerate() {
                seen += count;
                if seen >= wanted && seen > 0 {
                    return highest(index).min(self.max);
                }
            }
            0
        };
        Percentiles {
            count: self.count,
            p50_us: at(50),
            p90_us: at(90),
            p99_us: at(99),
            max_us: self.max,
        }
    }
}

/// Up to 64 µs each has its own bucket; above, each power of two is cut into 32.
fn bucket(micros: u64) -> usize {
    if micros < 64 {
        return micros as usize;
    }
    let exponent = 63 - micros.leading_zeros() as usize;
    (64 + (exponent - 6) * 32 + ((micros >> (exponent - 5)) as usize & 31)).min(BUCKETS - 1)
}

fn highest(bucket: usize) -> u64 {
    if bucket < 64 {
        return bucket as u64;
    }
    let (exponent, part) = ((bucket - 64) / 32 + 6, (bucket - 64) % 32);
    ((32 + part as u64 + 1) << (exponent - 5)) - 1
}

/// Up to about an hour.
const BUCKETS: usize = 64 + 26 * 32;

/// The frame of a serial number: a mark of 12 quiet µ-law codes, then the sound.
pub(crate) fn serial_mark(serial: u32) -> [u8; MARK] {
    let mut mark = [0; MARK];
    mark[..4].copy_from_slice(&SYNC);
    let mut check = 0_u8;
    for (index, code) in mark[4..10].iter_mut().enumerate() {
        let nibble = (serial >> (20 - 4 * index)) as u8 & 0x0F;
        check = check.wrapping_mul(7).wrapping_add(nibble + 1);
        *code = 0xF0 | nibble;
    }
    mark[10] = 0xF0 | (check >> 4);
    mark[11] = 0xF0 | (check & 0x0F);
    mark
}

/// Finds serial numbers in a stream of codes, wherever its messages are cut.
#[derive(Default)]
pub(crate) struct Scanner {
    tail: Vec<u8>,
}

impl Scanner {
    /// The serial numbers that are complete with these codes.
    pub(crate) fn scan(&mut self, codes: &[u8], mut found: impl FnMut(u32)) {
        self.tail.extend_from_slice(codes);
        let mut at = 0;
        while at + MARK <= self.tail.len() {
            let window = &self.tail[at..at + MARK];
            if window[0] != SYNC[0] || window[..4] != SYNC {
                at += 1;
                continue;
            }
            let serial = window[4..10]
                .iter()
                .fold(0, |serial, code| serial << 4 | u32::from(code & 0x0F));
            if window == serial_mark(serial) {
                found(serial);
                at += MARK;
            } else {
                at += 1;
            }
        }
        self.tail.drain(..at.min(self.tail.len()));
    }
}

/// The codes behind the mark for one second of frames; none of them looks like a mark.
pub(crate) fn bodies(sound: Sound) -> Vec<[u8; crate::ear::FRAME - MARK]> {
    let law = crate::g711::Law::Mu;
    (0..50)
        .map(|frame| {
            std::array::from_fn(|index| {
                let code = match sound {
                    Sound::Silence => law.silence(),
                    Sound::Speech => law.encode(speech(frame * crate::ear::FRAME + MARK + index)),
                };
                if SYNC.contains(&code) { 0x72 } else { code }
            })
        })
        .collect()
}

/// A buzz of 120 Hz with two formants, in syllables of 200 ms, four of them, then a pause.
fn speech(index: usize) -> i16 {
    let time = index as f64 / f64::from(crate::ear::RATE);
    if time % 1.0 > 0.8 {
        return 0;
    }
    let tone = |frequency: f64| (std::f64::consts::TAU * frequency * time).sin();
    let syllable = (std::f64::consts::PI * (time % 0.2) / 0.2).sin();
    let voice = tone(120.0) + 0.8 * tone(600.0) + 0.5 * tone(1_200.0) + 0.2 * tone(2_400.0);
    (voice * syllable * 3_000.0) as i16
}

pub(crate) const MARK: usize = 12;
/// About -120 and -112: codes that neither silence nor the numbers of a mark use.
const SYNC: [u8; 4] = [0x70, 0x71, 0x70, 0x71];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::g711::Law;

    #[test]
    fn serial_numbers_are_found_however_the_stream_is_cut() {
        let mut stream = vec![0xFF; 37];
        let bodies = bodies(Sound::Speech);
        for serial in 0..200_u32 {
            stream.extend_from_slice(&serial_mark(serial * 77_777 % 0x00FF_FFFF));
            stream.extend_from_slice(&bodies[serial as usize % 50]);
        }
        let expected: Vec<u32> = (0..200)
            .map(|serial| serial * 77_777 % 0x00FF_FFFF)
            .collect();
        for cut in [1, 7, 159, 160, 161, 800, 100_000] {
            let mut scanner = Scanner::default();
            let mut found = Vec::new();
            for part in stream.chunks(cut) {
                scanner.scan(part, |serial| found.push(serial));
            }
            assert_eq!(found, expected, "{cut}");
            assert!(scanner.tail.len() < MARK);
        }
    }

    #[test]
    fn a_mark_survives_decoding_and_encoding_and_is_quiet() {
        let mark = serial_mark(0x00AB_CDEF);
        assert_eq!(mark.map(|code| Law::Mu.encode(Law::Mu.decode(code))), mark);
        assert!(mark.iter().all(|code| Law::Mu.decode(*code).abs() <= 120));
    }

    #[test]
    fn percentiles_are_within_three_percent() {
        let mut histogram = Histogram::new();
        for micros in 1..=100_000 {
            histogram.record(Duration::from_micros(micros));
        }
        let found = histogram.percentiles();
        for (found, truth) in [
            (found.p50_us, 50_000),
            (found.p90_us, 90_000),
            (found.p99_us, 99_000),
        ] {
            assert!(
                found >= truth && found - truth <= truth * 3 / 100 + 1,
                "{found} {truth}"
            );
        }
        assert_eq!((found.max_us, found.count), (100_000, 100_000));
        assert_eq!(Histogram::new().percentiles(), Percentiles::default());
        for micros in [0, 63, 64, 65, 127, 128, 1_000_000, u64::MAX] {
            assert!(highest(bucket(micros)) >= micros.min(3_000_000_000));
        }
    }
}
