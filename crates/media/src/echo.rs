use std::time::Duration;

use crate::gate::Loudness;
use crate::{Edge, FRAME, Rate};

/// Keeps the agent's own voice, coming back from the far end, from passing for the caller's.
///
/// What the caller hears is remembered for [`LATEST`]. When speech starts while the agent is
/// speaking, or shortly after, the sound since then is laid over what was played before, at every
/// delay an echo can have. If it is mostly a copy, the edge is held back; and let go as soon as
/// there is more in the sound than the copy explains.
///
/// It compares waveforms, thinned out to 2 kHz and flattened in spectrum, rather than envelopes:
/// a tenth of a second of one voice's envelope is like any other's, but its waveform is not.
#[derive(Debug)]
pub(crate) struct Guard {
    /// Samples averaged into one.
    thinning: usize,
    /// The agent's side, then the caller's; both end now.
    played: Trace<{ LATEST + WINDOW }>,
    heard: Trace<WINDOW>,
    /// Frames since the agent was last to be heard.
    quiet: u32,
    delay: Delay,
    suspect: Suspect,
}

/// How late the echo on this line is, in thinned samples.
#[derive(Clone, Copy, Debug)]
enum Delay {
    /// There has been none.
    Unknown,
    /// There seemed to be one, but it may have been chance.
    Guessed(usize),
    /// Sound that came later was late by the same.
    Known(usize),
}

#[derive(Clone, Copy, Debug)]
enum Suspect {
    None,
    /// The caller seems to speak, but it is an echo; the last so many frames were loud.
    Held {
        loud: u32,
    },
}

/// The last `N` thinned samples, oldest first.
#[derive(Debug)]
struct Trace<const N: usize> {
    /// A little longer than needed, so that it is moved down only now and then.
    samples: Box<[f32]>,
    end: usize,
    last: f32,
}

impl Guard {
    pub(crate) fn new(rate: Rate) -> Self {
        Self {
            thinning: (rate.hz() / THIN_HZ) as usize,
            played: Trace::new(),
            heard: Trace::new(),
            quiet: FORGOTTEN,
            delay: Delay::Unknown,
            suspect: Suspect::None,
        }
    }

    /// Takes a frame from both sides. May let go of an edge that was held back.
    pub(crate) fn push(
        &mut self,
        heard: &[i16],
        loudness: Loudness,
        playing: &[i16],
    ) -> Option<Edge> {
        let speaks = playing.iter().any(|it| it.unsigned_abs() > AUDIBLE);
        if !speaks && self.quiet >= FORGOTTEN {
            return None;
        }
        if self.quiet >= FORGOTTEN {
            self.played.clear();
            self.heard.clear();
        }
        self.quiet = if speaks { 0 } else { self.quiet + 1 };
        self.played.push(playing, self.thinning);
        self.heard.push(heard, self.thinning);
        self.review(loudness)
    }

    /// Lets an edge pass, or holds it back.
    pub(crate) fn pass(&mut self, edge: Option<Edge>) -> Option<Edge> {
        match (edge?, self.suspect) {
            (Edge::SpeechStarted { ago }, _)
                if self.quiet < FORGOTTEN && self.is_echo(samples(ago)) =>
            {
                self.suspect = Suspect::Held { loud: 0 };
                None
            }
            (edge @ Edge::SpeechStarted { .. }, _) => Some(edge),
            (Edge::SpeechEnded { .. }, Suspect::Held { .. }) => {
                self.suspect = Suspect::None;
                None
            }
            (edge @ Edge::SpeechEnded { .. }, Suspect::None) => Some(edge),
        }
    }

    /// Looks again at what was held back, wherever it is loud for as long as one look takes.
    fn review(&mut self, loudness: Loudness) -> Option<Edge> {
        let Suspect::Held { loud } = self.suspect else {
            return None;
        };
        let loud = if loudness == Loudness::Loud {
            loud + 1
        } else {
            0
        };
        self.suspect = Suspect::Held { loud };
        if loud < REVIEW || self.quiet < FORGOTTEN && self.is_echo(REVIEW as usize * THIN_PER_FRAME)
        {
            return None;
        }
        self.suspect = Suspect::None;
        if let Delay::Guessed(_) = self.delay {
            self.delay = Delay::Unknown;
        }
        // The caller has come in over the echo, some time within what was just looked at.
        Some(Edge::SpeechStarted {
            ago: FRAME * REVIEW,
        })
    }

    /// Whether the last `length` samples of the caller are mostly what the agent said before.
    fn is_echo(&mut self, length: usize) -> bool {
        let length = length.clamp(SHORTEST, WINDOW);
        let heard = &self.heard.all()[WINDOW - length..];
        let power: f32 = heard.iter().map(|it| it * it).sum();
        if power == 0.0 {
            return false;
        }
        let played = self.played.all();
        let likeness = |delay: usize| {
            let end = played.len() - delay;
            let then = &played[end - length..end];
            let (product, energy) = products(heard, then);
            product.abs() / (power * energy).sqrt().max(1.0)
        };
        // A line's echo does not wander: where it was found before it need not be searched, and
        // anywhere else it is less to be believed.
        let found = match self.delay {
            Delay::Unknown => FOUND,
            Delay::Guessed(delay) | Delay::Known(delay) => {
                let near = delay.saturating_sub(NEAR).max(EARLIEST)..=(delay + NEAR).min(LATEST);
                if near.into_iter().any(|it| likeness(it) > COPY) {
                    self.delay = Delay::Known(delay);
                    return true;
                }
                match self.delay {
                    Delay::Known(_) => FOUND_ELSEWHERE,
                    Delay::Unknown | Delay::Guessed(_) => FOUND,
                }
            }
        };
        let likely = (EARLIEST..=LATEST).map(|it| (likeness(it), it));
        let Some((most, delay)) = likely.max_by(|a, b| a.0.total_cmp(&b.0)) else {
            return false;
        };
        if most > found {
            self.delay = Delay::Guessed(delay);
        }
        most > found
    }
}

impl<const N: usize> Trace<N> {
    fn new() -> Self {
        Self {
            samples: vec![0.0; N + ROOM].into(),
            end: N,
            last: 0.0,
        }
    }

    fn clear(&mut self) {
        self.samples.fill(0.0);
        (self.end, self.last) = (N, 0.0);
    }

    fn push(&mut self, frame: &[i16], thinning: usize) {
        if self.end + THIN_PER_FRAME > self.samples.len() {
            self.samples.copy_within(self.end - N..self.end, 0);
            self.end = N;
        }
        for some in frame.chunks_exact(thinning) {
            let mean = some.iter().map(|&it| i32::from(it)).sum::<i32>() as f32 / thinning as f32;
            self.samples[self.end] = mean - FLATTEN * self.last;
            self.last = mean;
            self.end += 1;
        }
    }

    fn all(&self) -> &[f32] {
        &self.samples[self.end - N..self.end]
    }
}

/// The product of two traces, and the energy of the second.
fn products(a: &[f32], b: &[f32]) -> (f32, f32) {
    // Eight sums side by side, or the compiler must add one after the other.
    let (mut product, mut energy) = ([0.0f32; 8], [0.0f32; 8]);
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        for k in 0..8 {
            product[k] += a[k] * b[k];
            energy[k] += b[k] * b[k];
        }
    }
    (product.iter().sum(), energy.iter().sum())
}

fn samples(time: Duration) -> usize {
    (time.as_millis() as usize * THIN_HZ as usize / 1_000).div_ceil(8) * 8
}

const THIN_HZ: u32 = 2_000;
const THIN_PER_FRAME: usize = THIN_HZ as usize / 50;
const ROOM: usize = 10 * THIN_PER_FRAME;
/// An echo comes back after 20 to 600 ms.
const EARLIEST: usize = THIN_HZ as usize / 50;
const LATEST: usize = THIN_HZ as usize * 6 / 10;
/// Of the caller's sound, at most 200 ms are looked at, and at least 64.
const WINDOW: usize = 400;
const SHORTEST: usize = 128;
/// Frames that are looked at again: 100 ms.
const REVIEW: u32 = 5;
/// How far from the last echo's delay the next is looked for.
const NEAR: usize = 6;
/// How alike sound must be to be an echo: anywhere; at the delay of one before; and elsewhere when
/// there was one before.
const FOUND: f32 = 0.63;
const COPY: f32 = 0.5;
const FOUND_ELSEWHERE: f32 = 0.8;
/// Takes the weight off the low tones, in which all voices are alike.
const FLATTEN: f32 = 0.9;
/// Under this the agent cannot be heard.
const AUDIBLE: u16 = 100;
/// After so many frames of silence nothing can come back any more.
const FORGOTTEN: u32 = 45;
