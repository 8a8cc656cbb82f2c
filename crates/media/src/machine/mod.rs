//! Who picked up a call we made: a person, or a machine that plays a greeting and a beep.
//!
//! Nothing is understood here, only timed. A person says little and waits; a machine speaks on, and
//! then beeps. The times have the names and about the sizes that phone companies and switches publish
//! for theirs (initial silence, greeting, after-greeting silence, total time), tuned on the corpus of
//! `cargo xtask bench machines`.

mod beep;
mod pace;

use std::time::Duration;

use crate::FRAME;
pub use beep::Beep;
use beep::{Beeps, Tone};
use pace::Pace;

/// What is found out about whoever picked up, in this order and each at most once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// Who it is: at most [`VERDICT`] after they began to speak, or [`INITIAL_SILENCE`] after the sound did.
    Answered(Answerer, Evidence),
    /// Their first words are over: what is said now is not said into a greeting.
    GreetingEnded(Ending),
}

/// Who picked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answerer {
    /// A person.
    Human,
    /// A machine.
    Machine,
    /// Nobody can tell: they say nothing.
    Unknown,
}

/// What a verdict rests on. Times count from the beginning of the sound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// When it was given.
    pub at: Duration,
    /// When they began to speak; `None`: they have not.
    pub speech: Option<Duration>,
    /// From there to their last sound of speech, with the pauses in between.
    pub greeting: Duration,
    /// The longest of those pauses.
    pub pause: Duration,
    /// How long they have been quiet since.
    pub silence: Duration,
    /// How many stretches of sound that was, each as long as a word at least.
    pub bursts: u32,
    /// The beep, if that decided it.
    pub beep: Option<Beep>,
}

/// How a greeting ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// With this beep.
    Beep(Beep),
    /// With silence, and no beep up to now.
    Silence,
    /// It does not end.
    Endless,
}

/// Listens to whoever picked up.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    pace: Pace,
    beeps: Beeps,
    stage: Stage,
    /// How many frames there were.
    frames: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    #[default]
    Deciding,
    /// The verdict was given, and they may still be speaking.
    Greeting,
    /// The same, with a beep already heard.
    Beeped(Beep),
    Done,
}

impl Machine {
    /// Takes a frame's samples at 8 kHz, and whether a key is down in them.
    pub(crate) fn push(&mut self, samples: &[i16], key_is_down: bool) -> Option<Finding> {
        if self.stage == Stage::Done {
            return None;
        }
        self.frames = self.frames.saturating_add(1);
        let tone = self.beeps.push(samples, key_is_down);
        self.pace.push(samples, tone.is_sounding || key_is_down);
        match self.stage {
            Stage::Deciding => {
                let answerer = self.decide(&tone)?;
                self.stage = tone.beep.map_or(Stage::Greeting, Stage::Beeped);
                Some(Finding::Answered(answerer, self.evidence(tone.beep)))
            }
            Stage::Greeting | Stage::Beeped(_) => {
                let ending = self.ending(tone.beep)?;
                self.stage = Stage::Done;
                Some(Finding::GreetingEnded(ending))
            }
            Stage::Done => None,
        }
    }

    /// Whether there is nothing more to find out.
    pub(crate) fn is_done(&self) -> bool {
        self.stage == Stage::Done
    }

    fn decide(&self, tone: &Tone) -> Option<Answerer> {
        if tone.beep.is_some() {
            return Some(Answerer::Machine);
        }
        let now = FRAME * self.frames;
        let Some(began) = self.pace.began() else {
            return (now >= INITIAL_SILENCE).then_some(Answerer::Unknown);
        };
        let (greeting, quiet) = (self.pace.greeting(), self.pace.quiet());
        let patience = match greeting {
            it if it <= SHORT => AFTER_SHORT,
            it if it <= LONG => AFTER_LONG,
            _ => AFTER_LONGER,
        };
        // What sounds now may be the beep: nobody has fallen silent.
        let quiet = if tone.is_pending {
            Duration::ZERO
        } else {
            quiet
        };
        if quiet >= patience {
            return Some(Answerer::Human);
        }
        (now - began >= VERDICT).then_some(if quiet >= PAUSE {
            Answerer::Human
        } else {
            Answerer::Machine
        })
    }

    fn ending(&self, beep: Option<Beep>) -> Option<Ending> {
        match (self.stage, beep) {
            (Stage::Beeped(beep), _) | (_, Some(beep)) => Some(Ending::Beep(beep)),
            _ if self.pace.quiet() >= SILENCE => Some(Ending::Silence),
            _ if FRAME * self.frames >= ENDLESS => Some(Ending::Endless),
            _ => None,
        }
    }

    fn evidence(&self, beep: Option<Beep>) -> Evidence {
        Evidence {
            at: FRAME * self.frames,
            speech: self.pace.began(),
            greeting: self.pace.greeting(),
            pause: self.pace.longest_pause(),
            silence: self.pace.quiet(),
            bursts: self.pace.bursts(),
            beep,
        }
    }
}

/// The verdict comes at most this long after they began to speak, whatever is heard: in this time
/// companies greet, and machines do not.
pub const VERDICT: Duration = Duration::from_secs(4);

/// The same where nobody speaks, from the beginning of the sound.
pub const INITIAL_SILENCE: Duration = Duration::from_millis(2_500);

/// A greeting up to this long is a person's, if they then wait.
const SHORT: Duration = Duration::from_millis(1_300);

/// So long a pause ends a short greeting: longer than between the words of "Hi, this is …".
const AFTER_SHORT: Duration = Duration::from_millis(800);

/// A greeting of one sentence is no longer.
const LONG: Duration = Duration::from_millis(2_200);

/// The same pause in one that has sentences.
const AFTER_LONG: Duration = Duration::from_millis(950);

/// The same in a longer one, behind which a beep may come as well.
const AFTER_LONGER: Duration = Duration::from_millis(1_100);

/// A pause of which it cannot be said yet what it is, when time is up.
const PAUSE: Duration = Duration::from_millis(500);

/// After a greeting with no beep, it is over when it was quiet for so long.
const SILENCE: Duration = Duration::from_secs(2);

/// No greeting is longer than this.
const ENDLESS: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
