//! The line of one answered call: the person at one end, the carrier's playout buffer at the other, the ear on both.

use crate::ear::{Ear, FRAME, FRAME_TIME, Frame, Noted, RATE, Span, WIDE_FRAME, WIDE_RATE, time};
use crate::narrow::{Narrower, Widener};
use crate::phone::{Deed, Missed, Person, Step};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// One answered call's sound, moved on by [`Line::tick`] every 20 ms.
pub(crate) struct Line {
    playout: Playout,
    person: Person,
    heard: Frame,
    ear: Ear,
    answered: Instant,
    ticks: u32,
    speaking_since: Duration,
    breadth: Breadth,
}

/// How much of a voice a line carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Band {
    /// What telephones always have: 8 kHz.
    #[default]
    Narrow,
    /// 16 kHz.
    Wide,
}

impl Band {
    /// What a gateway's configuration says to have it.
    pub(crate) fn setting(self) -> &'static str {
        match self {
            Self::Narrow => "",
            Self::Wide => "sound = \"l16\"\n",
        }
    }
}

/// A line's band, and what goes between the two.
enum Breadth {
    /// Wide sound from the far end is made narrow.
    Narrow(Narrower),
    Wide(Box<Both>),
}

/// Narrow sound from the far end, made wide; and what a narrow ear would have heard of each side.
#[derive(Default)]
struct Both {
    played: Widener,
    said: Narrower,
    heard: Narrower,
}

/// What a tick brings for the far end.
pub(crate) struct Tick {
    /// What the person said in the 20 ms before the tick.
    pub(crate) sound: Frame,
    /// The same at 16 kHz; empty where the line is narrow.
    pub(crate) wide: Vec<i16>,
    /// What they hear in the 20 ms after it.
    pub(crate) played: Frame,
    /// The key they pressed or the hang-up, if any.
    pub(crate) deed: Deed,
    /// The names of the marks up to which everything has been played.
    pub(crate) marks: Vec<String>,
}

impl Line {
    /// A line that has just been answered. Its first tick is due 20 ms later, as [`Line::next_tick`] says.
    pub(crate) fn new(person: Person, answered: Instant) -> Self {
        Self::with(person, Breadth::Narrow(Narrower::default()), answered)
    }

    /// A line of this band, and on it a person with this script.
    pub(crate) fn of(band: Band, script: Vec<Step>, answered: Instant) -> Self {
        match band {
            Band::Narrow => Self::new(Person::new(script), answered),
            Band::Wide => {
                let person = Person::at(WIDE_RATE, script);
                Self::with(person, Breadth::Wide(Box::default()), answered)
            }
        }
    }

    fn with(person: Person, breadth: Breadth, answered: Instant) -> Self {
        Self {
            breadth,
            playout: Playout::new(),
            person,
            heard: [0; FRAME],
            ear: Ear::default(),
            answered,
            ticks: 0,
            speaking_since: Duration::ZERO,
        }
    }

    /// When the next tick is due: an absolute grid, so lateness never adds up.
    pub(crate) fn next_tick(&self) -> Instant {
        self.answered + FRAME_TIME * (self.ticks + 1)
    }

    /// Moves the line on by 20 ms.
    pub(crate) fn tick(&mut self) -> Tick {
        self.ticks += 1;
        let spoke = self.person.live(&self.heard);
        let (sound, agent, wide, marks) = match &mut self.breadth {
            Breadth::Narrow(_) => {
                let mut agent = [0; FRAME];
                let (fed, marks) = self.playout.pull(&mut agent);
                let sound = frame(&spoke.sound);
                self.ear.push(&sound, &agent, narrow_count(fed));
                (sound, agent, Vec::new(), marks)
            }
            Breadth::Wide(both) => {
                let mut wide = [0; WIDE_FRAME];
                let (fed, marks) = self.playout.pull(&mut wide);
                let sound = frame(&both.said.narrow(spoke.sound.iter().copied()));
                let agent = frame(&both.heard.narrow(wide.iter().copied()));
                self.ear.push(&sound, &agent, narrow_count(fed / 2));
                self.ear.push_wide(&spoke.sound, &wide);
                (sound, agent, spoke.sound, marks)
            }
        };
        self.heard = agent;
        let now = FRAME_TIME * self.ticks;
        match spoke.deed {
            Deed::Starts => self.speaking_since = now - FRAME_TIME,
            Deed::Ends => self.ear.said(Span {
                from: self.speaking_since,
                to: now,
            }),
            Deed::Presses(key) => self.ear.note(now - FRAME_TIME, Noted::Pressed(key)),
            Deed::Nothing | Deed::HangsUp => {}
        }
        Tick {
            sound,
            wide,
            played: agent,
            deed: spoke.deed,
            marks,
        }
    }

    /// Sound from the far end at 8 kHz, to be played after all that came before it.
    pub(crate) fn play(&mut self, sound: Vec<i16>) -> Fit {
        let sound = match &mut self.breadth {
            Breadth::Narrow(_) => sound,
            Breadth::Wide(both) => both.played.widen(&sound),
        };
        self.playout.play(sound)
    }

    /// The same at 16 kHz.
    pub(crate) fn play_wide(&mut self, sound: Vec<i16>) -> Fit {
        let sound = match &mut self.breadth {
            Breadth::Narrow(narrower) => narrower.narrow(sound.into_iter()),
            Breadth::Wide(_) => sound,
        };
        self.playout.play(sound)
    }

    /// A mark from the far end. True when there is nothing to wait for and it goes back at once.
    pub(crate) fn mark(&mut self, name: String) -> Marked {
        self.playout.mark(name)
    }

    /// Empties the buffer; the names of all marks that were waiting, in order.
    pub(crate) fn clear(&mut self) -> Vec<String> {
        self.ear.note(self.clock(), Noted::Cleared);
        self.playout.clear()
    }

    /// A new stream begins: nothing of the one before is left to play.
    pub(crate) fn restart(&mut self) {
        self.playout = Playout::new();
    }

    /// The time on the ear's clock: the real one, kept between the last tick and the next, so that a late exchange does not
    /// date what it hears later than what it plays.
    pub(crate) fn clock(&self) -> Duration {
        let last = FRAME_TIME * self.ticks;
        self.answered.elapsed().clamp(last, last + FRAME_TIME)
    }

    /// The ear and the steps that timed out, at the end of the call.
    pub(crate) fn into_parts(mut self) -> (Ear, Vec<Missed>) {
        let end = time(self.ear.caller().len());
        if self.person.is_speaking() {
            self.ear.said(Span {
                from: self.speaking_since,
                to: end,
            });
        }
        let missed = self.person.missed().to_vec();
        (self.ear, missed)
    }
}

/// Whether sound fitted into the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fit {
    Fits,
    Overflows,
}

/// What became of a mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Marked {
    AtOnce(String),
    Waits,
    Overflows,
}

/// The carrier's buffer: sound and marks in order, played at real time.
struct Playout {
    queue: VecDeque<Entry>,
    samples: usize,
    marks: usize,
    passed: Vec<String>,
    sounding: bool,
}

enum Entry {
    Sound { sound: Vec<i16>, at: usize },
    Mark(String),
}

impl Playout {
    fn new() -> Self {
        Self {
            queue: VecDeque::new(),
            samples: 0,
            marks: 0,
            passed: Vec::new(),
            sounding: false,
        }
    }

    fn play(&mut self, sound: Vec<i16>) -> Fit {
        if self.samples + sound.len() > MOST_SAMPLES {
            return Fit::Overflows;
        }
        if !sound.is_empty() {
            self.samples += sound.len();
            self.queue.push_back(Entry::Sound { sound, at: 0 });
        }
        Fit::Fits
    }

    fn mark(&mut self, name: String) -> Marked {
        if self.queue.is_empty() && !self.sounding {
            return Marked::AtOnce(name);
        }
        if self.marks >= MOST_MARKS {
            return Marked::Overflows;
        }
        self.marks += 1;
        self.queue.push_back(Entry::Mark(name));
        Marked::Waits
    }

    fn clear(&mut self) -> Vec<String> {
        let mut marks = std::mem::take(&mut self.passed);
        marks.extend(self.queue.drain(..).filter_map(|entry| match entry {
            Entry::Mark(name) => Some(name),
            Entry::Sound { .. } => None,
        }));
        (self.samples, self.marks) = (0, 0);
        marks
    }

    /// Fills the next frame. The marks are those up to which everything was played by the end of the frame before.
    fn pull(&mut self, frame: &mut [i16]) -> (usize, Vec<String>) {
        let mut due = std::mem::take(&mut self.passed);
        let mut filled = 0;
        while let Some(entry) = self.queue.front_mut() {
            match entry {
                Entry::Mark(name) => {
                    let list = if filled == 0 {
                        &mut due
                    } else {
                        &mut self.passed
                    };
                    list.push(std::mem::take(name));
                    self.marks -= 1;
                    self.queue.pop_front();
                }
                Entry::Sound { .. } if filled == frame.len() => break,
                Entry::Sound { sound, at } => {
                    let count = (sound.len() - *at).min(frame.len() - filled);
                    frame[filled..filled + count].copy_from_slice(&sound[*at..*at + count]);
                    filled += count;
                    *at += count;
                    self.samples -= count;
                    if *at == sound.len() {
                        self.queue.pop_front();
                    }
                }
            }
        }
        self.sounding = filled > 0;
        (filled, due)
    }
}

fn narrow_count(samples: usize) -> u8 {
    u8::try_from(samples).expect("a narrow frame has 160 samples")
}

fn frame(samples: &[i16]) -> Frame {
    samples.try_into().expect("20 ms are a frame")
}

/// Ten minutes of narrow sound, five of wide. The carrier's true bound is not documented; this one keeps a runaway far end harmless.
const MOST_SAMPLES: usize = 10 * 60 * RATE as usize;
const MOST_MARKS: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn pull(playout: &mut Playout) -> (usize, Vec<String>) {
        playout.pull(&mut [0; FRAME])
    }

    #[test]
    fn a_mark_comes_back_when_all_before_it_has_been_played() {
        let mut playout = Playout::new();
        assert_eq!(playout.mark("first".into()), Marked::AtOnce("first".into()));
        assert_eq!(playout.play(vec![0; 240]), Fit::Fits);
        assert_eq!(playout.mark("end".into()), Marked::Waits);
        assert_eq!(pull(&mut playout), (160, vec![]));
        assert_eq!(pull(&mut playout), (80, vec![]));
        assert_eq!(pull(&mut playout), (0, vec!["end".to_owned()]));
        assert_eq!(playout.mark("late".into()), Marked::AtOnce("late".into()));
    }

    #[test]
    fn a_clear_returns_every_waiting_mark_and_drops_the_sound() {
        let mut playout = Playout::new();
        playout.play(vec![0; 200]);
        playout.mark("a".into());
        playout.play(vec![0; 200]);
        playout.mark("b".into());
        pull(&mut playout);
        pull(&mut playout);
        assert_eq!(playout.clear(), ["a", "b"]);
        assert_eq!(pull(&mut playout), (0, vec![]));
        assert_eq!(playout.samples, 0);
    }

    #[test]
    fn the_buffer_is_bounded() {
        let mut playout = Playout::new();
        assert_eq!(playout.play(vec![0; MOST_SAMPLES]), Fit::Fits);
        assert_eq!(playout.play(vec![0; 1]), Fit::Overflows);
        for index in 0..MOST_MARKS {
            assert_eq!(playout.mark(index.to_string()), Marked::Waits);
        }
        assert_eq!(playout.mark("one more".into()), Marked::Overflows);
    }
}
