//! What of a call is kept as sound, and what its far end hears before that.

use std::path::PathBuf;
use std::sync::OnceLock;

use call::ANNOUNCEMENT;
use call::input::{self, Input};
use media::{Rate, UtteranceId};
use ports::code;
use tokio::time::Instant;

use super::Runner;
use crate::line::Line;
use crate::recorder::Recorder;
use crate::sound::Sound;

/// A recording to be made.
pub struct Tape {
    /// Where it goes. There is no file before it begins.
    pub path: PathBuf,
    /// When it begins.
    pub begins: Begins,
    /// Whether others at a meeting are on it.
    pub others: Others,
}

/// Whether what others at a meeting say is recorded on this call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Others {
    /// Everyone there was told that calls are recorded.
    MayBe,
    /// They were asked for themselves alone, and perhaps said no.
    MayNotBe,
}

/// When a recording begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begins {
    /// With the first sound: another process had begun it.
    AtOnce,
    /// When the call says so.
    WhenTold,
}

impl<L: Line> Runner<L> {
    /// Lets the far end hear who speaks to them. It answers nothing at once.
    pub(super) fn announce(&mut self) -> Option<Input> {
        let now = Instant::now().into_std();
        if let (Some(sound), Some(clip)) = (&mut self.sound, &self.clip) {
            let samples = clip.at(sound.rate());
            sound.play(now, ANNOUNCEMENT, &samples, &mut self.found);
            sound.complete(now, ANNOUNCEMENT, &mut self.found);
        }
        None
    }

    /// Lets the far end hear that somebody is at work.
    pub(super) fn pulse(&mut self, id: UtteranceId) -> input::Speech {
        let now = Instant::now().into_std();
        let Some(sound) = &mut self.sound else {
            return input::Speech::MouthFailed(id, code::SPEECH_FAILED);
        };
        let (rate, samples) = (sound.rate(), knocks(sound.rate()));
        sound.play(now, id, samples, &mut self.found);
        sound.complete(now, id, &mut self.found);
        input::Speech::Length(id, rate.duration_of(samples.len()))
    }

    /// Records the call from now on. The same.
    pub(super) fn record(&mut self) -> Option<Input> {
        if let Some(tape) = &mut self.recording {
            tape.begins = Begins::AtOnce;
        }
        if let Some(rate) = self.sound.as_ref().map(Sound::rate)
            && let Some(recorder) = self.recorder(rate)
            && let Some(sound) = &mut self.sound
        {
            sound.record(recorder);
        }
        None
    }

    /// The recording, if there is to be one by now.
    pub(super) fn recorder(&mut self, rate: Rate) -> Option<Recorder> {
        self.recorder.take().or_else(|| {
            let begun = |it: &mut Tape| it.begins == Begins::AtOnce;
            let tape = self.recording.take_if(begun)?;
            Some(Recorder::start(tape.path, rate))
        })
    }
}

/// What is heard every other second of a wait: made once for each rate.
fn knocks(rate: Rate) -> &'static [i16] {
    static MADE: [OnceLock<Vec<i16>>; 4] = [const { OnceLock::new() }; 4];
    let made = match rate {
        Rate::Hz8000 => &MADE[0],
        Rate::Hz16000 => &MADE[1],
        Rate::Hz24000 => &MADE[2],
        Rate::Hz48000 => &MADE[3],
    };
    made.get_or_init(|| media::pulse(rate))
}
