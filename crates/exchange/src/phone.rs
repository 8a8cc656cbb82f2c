//! The phone: a person who picks up, or does not, and then follows a script.

use crate::ear::{FRAME_TIME, Frame, RATE, WIDE_RATE, loudness, millis, samples};
use crate::wav::Piece;
use std::collections::VecDeque;
use std::f64::consts::TAU;
use std::time::Duration;

/// What a phone does when it is called.
#[derive(Clone, Debug)]
pub struct PhonePlan {
    /// Whether and when somebody picks up.
    pub pickup: Pickup,
    /// What the person then does.
    pub script: Vec<Step>,
}

/// Whether and when somebody picks up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pickup {
    /// Rings for this long and is answered.
    Answer(Duration),
    /// The same by a machine, which a carrier that is asked to knows from a person by itself, in whatever way.
    Machine(Duration),
    /// Is busy.
    Busy,
    /// Rings until the carrier gives up.
    NoAnswer,
    /// Rings for this long and is rejected by the person, which carriers report as busy.
    Reject(Duration),
    /// Is not reachable at all.
    Unreachable,
}

/// What came of ringing a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rung {
    Answered,
    Busy,
    Rejected,
    Unanswered,
    Unreachable,
}

impl Pickup {
    /// Whether the phone rings at all.
    pub(crate) fn rings(self) -> bool {
        match self {
            Self::Answer(_) | Self::Machine(_) | Self::NoAnswer | Self::Reject(_) => true,
            Self::Busy | Self::Unreachable => false,
        }
    }

    /// Whether it is a machine that picks up.
    pub(crate) fn is_machine(self) -> bool {
        matches!(self, Self::Machine(_))
    }

    /// Rings the phone until somebody picks up, or for as long as the carrier lets it ring.
    pub(crate) async fn ring(self, longest: Duration) -> Rung {
        let (after, then) = match self {
            Self::Unreachable => return Rung::Unreachable,
            Self::Busy => return Rung::Busy,
            Self::NoAnswer => (longest, Rung::Unanswered),
            Self::Answer(after) | Self::Machine(after) => (after, Rung::Answered),
            Self::Reject(after) => (after, Rung::Rejected),
        };
        tokio::time::sleep(after.min(longest)).await;
        if after < longest {
            then
        } else {
            Rung::Unanswered
        }
    }
}

/// One step of a person's script. After the last step the person stays on the line and listens.
#[derive(Clone, Debug)]
pub enum Step {
    /// Says these samples (8 kHz, mono). [`crate::wav`] reads them from files.
    Say(Vec<i16>),
    /// The same at 16 kHz. What a narrow line does not carry of it is lost.
    SayWide(Vec<i16>),
    /// Waits.
    Wait(Duration),
    /// Waits until the far end has spoken and has then been silent for `quiet`, at most for `timeout`.
    WaitForAgent {
        /// How long the far end must be silent after it spoke.
        quiet: Duration,
        /// When the person goes on without.
        timeout: Duration,
    },
    /// Waits until this much of the far end's speech has been heard since the step began, at most for `timeout`;
    /// a [`Step::Say`] behind it interrupts.
    InterruptAfter {
        /// How much speech, by energy; pauses do not count.
        speech: Duration,
        /// When the person goes on without.
        timeout: Duration,
    },
    /// Presses a key: the carrier's message, and the tone in the sound.
    Press(char),
    /// Hangs up.
    HangUp,
    /// Stays on the line until the far end hangs up, at most for `timeout`.
    WaitForHangUp {
        /// When the person goes on with the script.
        timeout: Duration,
    },
}

/// How long after the answer a carrier that is asked to says who picked up.
pub(crate) const JUDGED: Duration = Duration::from_millis(2_000);

impl PhonePlan {
    /// A phone that is answered after `ring` by a person who follows `script`.
    pub fn answers(ring: Duration, script: impl Into<Vec<Step>>) -> Self {
        Self {
            pickup: Pickup::Answer(ring),
            script: script.into(),
        }
    }

    /// A phone nobody talks at, for the other ways a call can end.
    pub fn never_talks(pickup: Pickup) -> Self {
        Self {
            pickup,
            script: Vec::new(),
        }
    }
}

/// A step that ran into its time-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Missed {
    /// Which step of the script, from 0.
    pub step: usize,
    /// When, since the answer.
    #[serde(rename = "at_ms", serialize_with = "millis")]
    pub at: Duration,
}

/// What the person does in one 20 ms frame.
pub(crate) struct Spoke {
    /// At the rate of the person's line.
    pub(crate) sound: Vec<i16>,
    pub(crate) deed: Deed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Nothing,
    Starts,
    Ends,
    Presses(char),
    HangsUp,
}

/// A person on the line. [`Person::live`] is called once per 20 ms.
pub(crate) struct Person {
    rate: u32,
    steps: VecDeque<Step>,
    doing: Doing,
    lived: Duration,
    step: usize,
    missed: Vec<Missed>,
}

enum Doing {
    Nothing,
    Saying {
        sound: Piece,
        at: usize,
    },
    Waiting {
        until: Duration,
    },
    Listening {
        quiet: Duration,
        silence: Silence,
        until: Duration,
    },
    Counting {
        left: Duration,
        until: Duration,
    },
    Pressing {
        sound: Piece,
        at: usize,
    },
    HoldingOn {
        until: Duration,
    },
}

enum Silence {
    NotYetSpoken,
    For(Duration),
}

impl Person {
    pub(crate) fn new(script: Vec<Step>) -> Self {
        Self::at(RATE, script)
    }

    /// A person on a line of this rate.
    pub(crate) fn at(rate: u32, script: Vec<Step>) -> Self {
        Self {
            rate,
            steps: script.into(),
            doing: Doing::Nothing,
            lived: Duration::ZERO,
            step: 0,
            missed: Vec::new(),
        }
    }

    /// The person's next 20 ms, while hearing this frame.
    pub(crate) fn live(&mut self, heard: &Frame) -> Spoke {
        let mut deed = Deed::Nothing;
        while let Doing::Nothing = self.doing {
            let Some(step) = self.steps.pop_front() else {
                break;
            };
            deed = self.begin(step);
            self.step += 1;
            if deed == Deed::HangsUp {
                break;
            }
        }
        self.lived += FRAME_TIME;
        let sound = self.sound();
        // The first frame of an utterance or a key is never its end; that is judged from the next one on.
        if let Deed::Nothing = deed {
            deed = self.listen(heard);
        }
        Spoke { sound, deed }
    }

    pub(crate) fn is_speaking(&self) -> bool {
        matches!(self.doing, Doing::Saying { .. })
    }

    pub(crate) fn missed(&self) -> &[Missed] {
        &self.missed
    }

    fn begin(&mut self, step: Step) -> Deed {
        let now = self.lived;
        let (doing, deed) = match step {
            Step::Say(sound) => {
                let sound = Piece::new(sound, RATE, self.rate);
                (Doing::Saying { sound, at: 0 }, Deed::Starts)
            }
            Step::SayWide(sound) => {
                let sound = Piece::new(sound, WIDE_RATE, self.rate);
                (Doing::Saying { sound, at: 0 }, Deed::Starts)
            }
            Step::Wait(time) => (Doing::Waiting { until: now + time }, Deed::Nothing),
            Step::WaitForAgent { quiet, timeout } => {
                let silence = Silence::NotYetSpoken;
                (
                    Doing::Listening {
                        quiet,
                        silence,
                        until: now + timeout,
                    },
                    Deed::Nothing,
                )
            }
            Step::InterruptAfter { speech, timeout } => (
                Doing::Counting {
                    left: speech,
                    until: now + timeout,
                },
                Deed::Nothing,
            ),
            Step::Press(key) => (
                Doing::Pressing {
                    sound: Piece::new(key_tone(key, TONE), RATE, self.rate),
                    at: 0,
                },
                Deed::Presses(key),
            ),
            Step::HangUp => (Doing::Nothing, Deed::HangsUp),
            Step::WaitForHangUp { timeout } => (
                Doing::HoldingOn {
                    until: now + timeout,
                },
                Deed::Nothing,
            ),
        };
        self.doing = doing;
        deed
    }

    fn sound(&mut self) -> Vec<i16> {
        let samples = (self.rate / 50) as usize;
        let mut frame = vec![0; samples];
        match &mut self.doing {
            Doing::Saying { sound, at } | Doing::Pressing { sound, at } => {
                let part = sound.part(*at..*at + samples);
                frame[..part.len()].copy_from_slice(&part);
                *at += samples;
            }
            Doing::Nothing
            | Doing::Waiting { .. }
            | Doing::Listening { .. }
            | Doing::Counting { .. }
            | Doing::HoldingOn { .. } => {}
        }
        frame
    }

    /// Judges whether what the person is doing is over.
    fn listen(&mut self, heard: &Frame) -> Deed {
        let now = self.lived;
        let loud = loudness(heard) >= AUDIBLE;
        let (over, missed, deed) = match &mut self.doing {
            Doing::Nothing => (false, false, Deed::Nothing),
            Doing::Saying { sound, at } => {
                let over = *at >= sound.len();
                (over, false, if over { Deed::Ends } else { Deed::Nothing })
            }
            Doing::Pressing { sound, at } => (*at >= sound.len(), false, Deed::Nothing),
            Doing::Waiting { until } => (now >= *until, false, Deed::Nothing),
            Doing::Listening {
                quiet,
                silence,
                until,
            } => {
                let silent = match silence {
                    _ if loud => Duration::ZERO,
                    Silence::NotYetSpoken => Duration::ZERO,
                    Silence::For(silent) => *silent + FRAME_TIME,
                };
                if loud || matches!(silence, Silence::For(_)) {
                    *silence = Silence::For(silent);
                }
                let done = matches!(silence, Silence::For(_)) && silent >= *quiet;
                (done || now >= *until, !done && now >= *until, Deed::Nothing)
            }
            Doing::Counting { left, until } => {
                if loud {
                    *left = left.saturating_sub(FRAME_TIME);
                }
                (
                    left.is_zero() || now >= *until,
                    !left.is_zero() && now >= *until,
                    Deed::Nothing,
                )
            }
            Doing::HoldingOn { until } => (now >= *until, now >= *until, Deed::Nothing),
        };
        if missed {
            self.missed.push(Missed {
                step: self.step - 1,
                at: now,
            });
        }
        if over {
            self.doing = Doing::Nothing;
        }
        deed
    }
}

/// The tone of a key that is held for so long, and a pause behind it (ITU-T Q.23, Q.24).
pub(crate) fn key_tone(key: char, held: Duration) -> Vec<i16> {
    let Some(place) = KEYS.find(key.to_ascii_uppercase()) else {
        return Vec::new();
    };
    let (low, high) = (ROWS[place / 4], COLUMNS[place % 4]);
    let mut sound: Vec<i16> = (0..samples(held))
        .map(|index| {
            let time = index as f64 / f64::from(RATE);
            ((TAU * low * time).sin() * 5_000.0 + (TAU * high * time).sin() * 6_000.0) as i16
        })
        .collect();
    sound.resize(samples(held + PAUSE), 0);
    sound
}

/// Louder than this is sound to a person: about -46 dB below full scale, far above the codec's own noise.
pub(crate) const AUDIBLE: f64 = 160.0;

const KEYS: &str = "123A456B789C*0#D";
const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// As long as a quick finger holds a key.
const TONE: Duration = Duration::from_millis(100);
const PAUSE: Duration = Duration::from_millis(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ear::FRAME;

    const LOUD: Frame = [3_000; FRAME];
    const QUIET: Frame = [0; FRAME];

    fn live(person: &mut Person, heard: &Frame, frames: usize) -> Vec<Deed> {
        (0..frames).map(|_| person.live(heard).deed).collect()
    }

    #[test]
    fn waits_for_the_agent_to_speak_and_to_be_silent() {
        let quiet = Duration::from_millis(100);
        let mut person = Person::new(vec![
            Step::WaitForAgent {
                quiet,
                timeout: Duration::from_secs(5),
            },
            Step::HangUp,
        ]);
        assert!(!live(&mut person, &QUIET, 20).contains(&Deed::HangsUp));
        assert!(!live(&mut person, &LOUD, 20).contains(&Deed::HangsUp));
        assert!(!live(&mut person, &QUIET, 5).contains(&Deed::HangsUp));
        assert_eq!(person.live(&QUIET).deed, Deed::HangsUp);
        assert!(person.missed().is_empty());
    }

    #[test]
    fn interrupts_after_so_much_speech_without_counting_pauses() {
        let mut person = Person::new(vec![
            Step::InterruptAfter {
                speech: Duration::from_millis(200),
                timeout: Duration::from_secs(5),
            },
            Step::Say(vec![1_000; 400]),
        ]);
        live(&mut person, &LOUD, 5);
        live(&mut person, &QUIET, 50);
        assert!(!live(&mut person, &LOUD, 5).contains(&Deed::Starts));
        let spoke = person.live(&LOUD);
        assert_eq!(spoke.deed, Deed::Starts);
        assert_eq!(spoke.sound[0], 1_000);
        assert_eq!(live(&mut person, &LOUD, 2), [Deed::Nothing, Deed::Ends]);
    }

    #[test]
    fn a_time_out_is_told() {
        let timeout = Duration::from_millis(60);
        let mut person = Person::new(vec![
            Step::WaitForAgent {
                quiet: timeout,
                timeout,
            },
            Step::HangUp,
        ]);
        assert_eq!(live(&mut person, &QUIET, 4).last(), Some(&Deed::HangsUp));
        assert_eq!(
            person.missed(),
            [Missed {
                step: 0,
                at: timeout
            }]
        );
    }
}
