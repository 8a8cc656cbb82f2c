use std::collections::VecDeque;
use std::time::{Duration, Instant};

use media::UtteranceId;

/// What kind of synthesizer speaks.
#[derive(Clone, Debug)]
pub struct Mouth {
    /// How long it takes to make its first sound.
    pub latency: Duration,
    /// How fast it speaks.
    pub per_char: Duration,
    /// Which of its utterances it fails to make, counting from 1.
    pub fails: Vec<u32>,
    /// Which of its utterances it never makes a sound for, nor says so.
    pub hangs: Vec<u32>,
}

impl Default for Mouth {
    fn default() -> Self {
        Self {
            latency: Duration::from_millis(200),
            per_char: Duration::from_millis(60),
            fails: Vec::new(),
            hangs: Vec::new(),
        }
    }
}

/// What comes out of a mouth.
#[derive(Debug)]
pub(crate) enum Spoken {
    Audio(UtteranceId, Vec<i16>),
    Done(UtteranceId, Duration),
    Failed(UtteranceId),
}

/// A mouth that never cancels: it makes what it was asked to make, utterance after utterance,
/// four times as fast as speech.
#[derive(Debug)]
pub(crate) struct Speaking {
    mouth: Mouth,
    jobs: VecDeque<Job>,
}

#[derive(Debug)]
struct Job {
    id: UtteranceId,
    from: Instant,
    length: Duration,
    made: Duration,
}

impl Speaking {
    pub(crate) fn new(mouth: Mouth) -> Self {
        Self {
            mouth,
            jobs: VecDeque::new(),
        }
    }

    /// The same kind, with nothing to say.
    pub(crate) fn again(&self) -> Self {
        Self::new(self.mouth.clone())
    }

    pub(crate) fn synthesize(&mut self, now: Instant, id: UtteranceId, text: &str) {
        self.jobs.push_back(Job {
            id,
            from: now + self.mouth.latency,
            length: self.mouth.per_char * text.chars().count() as u32,
            made: Duration::ZERO,
        });
    }

    /// A sound that is there already.
    pub(crate) fn pulse(&mut self, now: Instant, id: UtteranceId) {
        self.jobs.push_back(Job {
            id,
            from: now,
            length: Duration::from_millis(220),
            made: Duration::ZERO,
        });
    }

    /// What it makes in one step of `time`.
    pub(crate) fn speak(&mut self, now: Instant, time: Duration) -> Vec<Spoken> {
        let mut spoken = Vec::new();
        let hangs = |it: &Job, mouth: &Mouth| mouth.hangs.contains(&it.id.0);
        while self.jobs.front().is_some_and(|it| hangs(it, &self.mouth)) {
            self.jobs.pop_front();
        }
        let Some(job) = self.jobs.front_mut().filter(|it| it.from <= now) else {
            return spoken;
        };
        if self.mouth.fails.contains(&job.id.0) {
            spoken.push(Spoken::Failed(job.id));
            self.jobs.pop_front();
            return spoken;
        }
        let more = (time * 4).min(job.length - job.made);
        spoken.push(Spoken::Audio(job.id, tone(job.made, more)));
        job.made += more;
        if job.made == job.length {
            spoken.push(Spoken::Done(job.id, job.length));
            self.jobs.pop_front();
        }
        spoken
    }
}

/// 440 Hz, at 8 kHz.
fn tone(from: Duration, length: Duration) -> Vec<i16> {
    let first = from.as_millis() as u64 * 8;
    (first..first + length.as_millis() as u64 * 8)
        .map(|n| ((n as f64 * 440.0 / 8_000.0 * std::f64::consts::TAU).sin() * 9_000.0) as i16)
        .collect()
}
