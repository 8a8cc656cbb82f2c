use std::time::Duration;

use crate::gate::Loudness;
use crate::windows::Windows;

/// The caller began or stopped making speech-like sound.
///
/// A detector is sure only some time after the fact; `ago` says how long, so that deadlines can be
/// counted from the true moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// Speech began `ago` before now.
    SpeechStarted {
        /// How long before now the speech truly began.
        ago: Duration,
    },
    /// Speech ended `ago` before now.
    SpeechEnded {
        /// How long before now the speech truly ended.
        ago: Duration,
    },
}

/// What tells speech from other sound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Detector {
    /// Loudness alone.
    Energy,
    /// A model outside this crate, which judges [`WINDOW`]s handed out by [`crate::Tick`].
    Model,
}

/// Samples in one window for a speech model: 32 ms at 8 kHz.
pub const WINDOW: usize = 256;

/// What one frame holds, for a detector.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sound<'a> {
    /// 160 samples at 8 kHz.
    pub(crate) samples: &'a [i16],
    pub(crate) loudness: Loudness,
    pub(crate) gate_is_open: bool,
}

/// When the caller starts and stops speaking.
#[derive(Debug)]
pub(crate) enum Vad {
    Energy(Energy),
    Model(Box<Windows>),
}

impl Vad {
    pub(crate) fn new(detector: Detector) -> Self {
        match detector {
            Detector::Energy => Self::Energy(Energy::default()),
            Detector::Model => Self::Model(Box::default()),
        }
    }

    pub(crate) fn push(&mut self, sound: Sound<'_>) -> Option<Edge> {
        match self {
            Self::Energy(energy) => energy.push(sound.loudness),
            Self::Model(windows) => windows.push(sound),
        }
    }

    pub(crate) fn window(&mut self) -> Option<(u64, &[i16; WINDOW])> {
        match self {
            Self::Energy(_) => None,
            Self::Model(windows) => windows.hand_out(),
        }
    }

    pub(crate) fn judged(&mut self, window: u64, probability: f32) -> Option<Edge> {
        match self {
            Self::Energy(_) => None,
            Self::Model(windows) => windows.judged(window, probability),
        }
    }
}

/// Speech is what is loud for a while, until it has been quiet for a while. Counts in frames.
#[derive(Debug, Default)]
pub(crate) struct Energy {
    state: State,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nobody speaks, but the last so many frames may be a beginning, of which so many were loud.
    Silence { since: u32, loud: u32 },
    /// Somebody speaks, but has been quiet for so long.
    Speech { quiet: u32 },
}

impl Default for State {
    fn default() -> Self {
        Self::Silence { since: 0, loud: 0 }
    }
}

impl Energy {
    fn push(&mut self, loudness: Loudness) -> Option<Edge> {
        match &mut self.state {
            State::Silence { since, loud } => {
                match loudness {
                    Loudness::Quiet => (*since, *loud) = (0, 0),
                    Loudness::Faint if *loud == 0 => {}
                    Loudness::Faint => *since += 1,
                    Loudness::Loud => {
                        *since += 1;
                        *loud += 1;
                    }
                }
                if *loud < TO_START {
                    return None;
                }
                let ago = crate::FRAME * *since;
                self.state = State::Speech { quiet: 0 };
                Some(Edge::SpeechStarted { ago })
            }
            State::Speech { quiet } => {
                *quiet = if loudness == Loudness::Quiet {
                    *quiet + 1
                } else {
                    0
                };
                if *quiet < TO_END {
                    return None;
                }
                let ago = crate::FRAME * *quiet;
                self.state = State::default();
                Some(Edge::SpeechEnded { ago })
            }
        }
    }
}

/// 60 ms of loud sound: longer than a click, shorter than a word.
const TO_START: u32 = 3;
/// 200 ms of quiet: longer than the closure of any consonant.
const TO_END: u32 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(sound: &str) -> Vec<(usize, Edge)> {
        let mut energy = Energy::default();
        let of = |it| match it {
            'L' => Loudness::Loud,
            'f' => Loudness::Faint,
            _ => Loudness::Quiet,
        };
        let all = sound.chars().map(of).enumerate();
        all.filter_map(|(i, it)| energy.push(it).map(|edge| (i, edge)))
            .collect()
    }

    fn started(ms: u64) -> Edge {
        Edge::SpeechStarted {
            ago: Duration::from_millis(ms),
        }
    }

    fn ended(ms: u64) -> Edge {
        Edge::SpeechEnded {
            ago: Duration::from_millis(ms),
        }
    }

    #[test]
    fn speech_is_dated_back_to_where_it_began_and_ended() {
        assert_eq!(
            edges("..LLLLLLf.........."),
            [(4, started(60)), (18, ended(200))]
        );
        assert_eq!(edges("..fLfLL"), [(6, started(80))]);
    }

    #[test]
    fn clicks_do_not_start_and_gaps_do_not_end() {
        assert_eq!(edges("..LL....L....LL.f.f.f.."), []);
        assert_eq!(
            edges("LLL.........L.........f........."),
            [(2, started(60))]
        );
    }
}
