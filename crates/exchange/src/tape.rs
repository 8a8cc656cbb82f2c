//! Recordings that a carrier makes of its calls, and keeps for whoever asks.

use crate::ear::{Ear, RATE, samples};
use crate::office::lock;
use hound::{SampleFormat, WavSpec, WavWriter};
use jiff::Timestamp;
use std::collections::VecDeque;
use std::io::Cursor;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A recording under way.
#[derive(Clone, Debug)]
pub(crate) struct Taping {
    /// What the carrier calls it.
    pub(crate) id: String,
    begun: Timestamp,
    longest: Duration,
    channels: Channels,
}

/// Who is on which channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Channels {
    /// Both on one.
    Mixed,
    /// The person on the first, and what they hear on the second.
    Apart,
}

impl Taping {
    /// Begins now, and goes on for so long at most.
    pub(crate) fn new(id: String, longest: Duration, channels: Channels) -> Self {
        Self {
            id,
            begun: Timestamp::now(),
            longest,
            channels,
        }
    }

    /// What is on it once the call is over that was answered then, and how long that is.
    pub(crate) fn wav(&self, answered: Option<Timestamp>, ear: &Ear) -> (Arc<[u8]>, Duration) {
        let since = answered.map_or(0, |it| self.begun.duration_since(it).as_millis());
        let begun = Duration::from_millis(u64::try_from(since).unwrap_or(0));
        let from = samples(begun).min(ear.agent().len());
        let to = (from + samples(self.longest)).min(ear.agent().len());
        let sides = (&ear.caller()[from..to], &ear.agent()[from..to]);
        (wav(self.channels, sides), crate::ear::time(to - from))
    }
}

fn wav(channels: Channels, (person, heard): (&[i16], &[i16])) -> Arc<[u8]> {
    let spec = WavSpec {
        channels: match channels {
            Channels::Mixed => 1,
            Channels::Apart => 2,
        },
        sample_rate: RATE,
        bits_per_sample: 16,
        sample_format: SampleFormat::Int,
    };
    let mut bytes = Cursor::new(Vec::new());
    let mut writer = WavWriter::new(&mut bytes, spec).expect("memory takes what is written");
    for (person, heard) in person.iter().zip(heard) {
        let both = match channels {
            Channels::Mixed => vec![person.saturating_add(*heard)],
            Channels::Apart => vec![*person, *heard],
        };
        for sample in both {
            writer
                .write_sample(sample)
                .expect("memory takes what is written");
        }
    }
    writer.finalize().expect("memory takes what is written");
    bytes.into_inner().into()
}

/// The recordings that are kept; the oldest make room.
#[derive(Default)]
pub(crate) struct Tapes(Mutex<VecDeque<Tape>>);

/// A recording that is to be had.
#[derive(Clone)]
pub(crate) struct Tape {
    pub(crate) id: String,
    pub(crate) call: String,
    pub(crate) wav: Arc<[u8]>,
    pub(crate) length: Duration,
}

impl Tapes {
    pub(crate) fn keep(&self, tape: Tape) {
        let mut tapes = lock(&self.0);
        if tapes.len() == MOST_TAPES {
            tapes.pop_front();
        }
        tapes.push_back(tape);
    }

    pub(crate) fn find(&self, id: &str) -> Option<Tape> {
        lock(&self.0).iter().find(|it| it.id == id).cloned()
    }
}

const MOST_TAPES: usize = 100;
