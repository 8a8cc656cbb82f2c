use std::time::Duration;

use crate::gate::Loudness;
use crate::vad::Sound;
use crate::{Edge, WINDOW};

/// Hands out windows of sound for a speech model to judge, and turns its verdicts into edges.
///
/// While nothing is to be heard a window counts as "no speech" without asking. A verdict may come
/// late, after a later one, or never; windows are weighed in their own order, and one that has
/// waited too long is judged by loudness.
#[derive(Debug)]
pub(crate) struct Windows {
    sound: [[i16; WINDOW]; SOUNDS],
    /// Samples in the window being filled.
    filled: usize,
    /// Whether any of it was loud.
    loud: bool,
    /// Windows filled since the call began; also the name of the one being filled.
    count: u64,
    /// The next window to hand out.
    next: u64,
    /// The next window to weigh.
    weighed: u64,
    cases: [Case; CASES],
    gate_was_open: bool,
    /// Where the sound that opened the gate began, in samples.
    onset: u64,
    speech: Speech,
}

#[derive(Clone, Copy, Debug)]
enum Case {
    /// Nothing was to be heard.
    Still,
    /// The model has it, or will.
    Pending {
        loud: bool,
    },
    Judged(f32),
}

#[derive(Clone, Copy, Debug)]
enum Speech {
    /// None; but the last so many windows sounded like it.
    Silence { likely: u64 },
    /// Some; but the last so many windows did not sound like it.
    Speaking { unlikely: u64 },
}

impl Default for Windows {
    fn default() -> Self {
        Self {
            sound: [[0; WINDOW]; SOUNDS],
            filled: 0,
            loud: false,
            count: 0,
            next: 0,
            weighed: 0,
            cases: [Case::Still; CASES],
            gate_was_open: false,
            onset: 0,
            speech: Speech::Silence { likely: 0 },
        }
    }
}

impl Windows {
    pub(crate) fn push(&mut self, sound: Sound<'_>) -> Option<Edge> {
        if sound.gate_is_open && !self.gate_was_open {
            self.onset = self.heard();
            self.look_back();
        }
        self.gate_was_open = sound.gate_is_open;
        let loud = sound.loudness == Loudness::Loud;
        let mut samples = sound.samples;
        while !samples.is_empty() {
            let take = samples.len().min(WINDOW - self.filled);
            let window = &mut self.sound[self.count as usize % SOUNDS];
            window[self.filled..self.filled + take].copy_from_slice(&samples[..take]);
            samples = &samples[take..];
            self.filled += take;
            self.loud |= loud;
            if self.filled == WINDOW {
                self.fill(sound.gate_is_open);
            }
        }
        self.weigh()
    }

    /// The next window for the model, if there is one.
    pub(crate) fn hand_out(&mut self) -> Option<(u64, &[i16; WINDOW])> {
        // Sound that has been overwritten cannot be judged any more.
        let kept = (self.count + 1).saturating_sub(SOUNDS as u64);
        let pending = (self.next.max(kept)..self.count)
            .find(|&it| matches!(self.cases[it as usize % CASES], Case::Pending { .. }));
        self.next = pending.map_or(self.count, |it| it + 1);
        pending.map(|it| (it, &self.sound[it as usize % SOUNDS]))
    }

    pub(crate) fn judged(&mut self, window: u64, probability: f32) -> Option<Edge> {
        if (self.weighed..self.next).contains(&window) {
            let case = &mut self.cases[window as usize % CASES];
            if let Case::Pending { .. } = case {
                *case = Case::Judged(probability);
            }
        }
        self.weigh()
    }

    /// The model should hear how a sound began, and a little of the silence before it.
    fn look_back(&mut self) {
        let first = self.count.saturating_sub(PRE_ROLL).max(self.weighed);
        for window in first..self.count {
            let case = &mut self.cases[window as usize % CASES];
            if let Case::Still = case {
                *case = Case::Pending { loud: false };
                self.next = self.next.min(window);
            }
        }
    }

    fn fill(&mut self, gate_is_open: bool) {
        self.cases[self.count as usize % CASES] = if gate_is_open {
            Case::Pending { loud: self.loud }
        } else {
            Case::Still
        };
        self.count += 1;
        (self.filled, self.loud) = (0, false);
    }

    fn weigh(&mut self) -> Option<Edge> {
        while self.weighed < self.count {
            let waited = self.count - self.weighed;
            let probability = match self.cases[self.weighed as usize % CASES] {
                Case::Judged(probability) => probability,
                // It may yet be wanted for how a sound began.
                Case::Still if waited <= PRE_ROLL => return None,
                Case::Still => 0.0,
                Case::Pending { .. } if waited <= PATIENCE => return None,
                Case::Pending { loud } => f32::from(u8::from(loud)),
            };
            self.weighed += 1;
            let edge = self.step(probability);
            if edge.is_some() {
                return edge;
            }
        }
        None
    }

    /// Weighs the window before `self.weighed`.
    fn step(&mut self, probability: f32) -> Option<Edge> {
        match &mut self.speech {
            Speech::Silence { likely } => {
                *likely = if probability > STARTS { *likely + 1 } else { 0 };
                if *likely < TO_START {
                    return None;
                }
                let began = (self.weighed - *likely) * WINDOW as u64;
                // Loudness tells to the frame where in its first window the sound began.
                let began = if (began..began + WINDOW as u64).contains(&self.onset) {
                    self.onset
                } else {
                    began
                };
                self.speech = Speech::Speaking { unlikely: 0 };
                Some(Edge::SpeechStarted {
                    ago: self.ago(began),
                })
            }
            Speech::Speaking { unlikely } => {
                *unlikely = if probability < ENDS { *unlikely + 1 } else { 0 };
                if *unlikely < TO_END {
                    return None;
                }
                let ended = (self.weighed - *unlikely) * WINDOW as u64;
                self.speech = Speech::Silence { likely: 0 };
                Some(Edge::SpeechEnded {
                    ago: self.ago(ended),
                })
            }
        }
    }

    fn ago(&self, sample: u64) -> Duration {
        Duration::from_micros((self.heard() - sample) * 125)
    }

    /// Samples heard since the call began.
    fn heard(&self) -> u64 {
        self.count * WINDOW as u64 + self.filled as u64
    }
}

/// As the authors of such models advise: speech begins above this, and ends below that.
const STARTS: f32 = 0.5;
const ENDS: f32 = 0.35;
/// 64 ms.
const TO_START: u64 = 2;
/// 192 ms.
const TO_END: u64 = 6;
/// Windows from before the gate opened that the model is given.
const PRE_ROLL: u64 = 2;
/// A verdict may take so many windows, 256 ms; the model is overloaded after that.
const PATIENCE: u64 = 8;
/// Windows whose sound is kept: handing out one a tick, at most a few are waiting.
const SOUNDS: usize = 6;
/// Windows whose case is kept.
const CASES: usize = 16;

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;

    /// Frames of a call: what the gate makes of each comes from its first letter. `S`peech,
    /// `n`oise that is loud but no speech, `.` nothing.
    struct Call {
        windows: Windows,
        /// The model: what it has been given, and when it will answer, in frames.
        given: VecDeque<(u32, u64, f32)>,
        asked: Vec<u64>,
        hang: u32,
        frames: u32,
        edges: Vec<(u32, Edge)>,
    }

    #[derive(Clone, Copy)]
    enum Model {
        AnswersAfter(u32),
        AnswersBackwards,
        NeverAnswers,
    }

    fn run(sound: &str, model: Model) -> Call {
        let mut call = Call {
            windows: Windows::default(),
            given: VecDeque::new(),
            asked: Vec::new(),
            hang: 0,
            frames: 0,
            edges: Vec::new(),
        };
        sound.chars().for_each(|it| call.frame(it, model));
        call
    }

    impl Call {
        fn frame(&mut self, sound: char, model: Model) {
            let loudness = if sound == '.' {
                Loudness::Quiet
            } else {
                Loudness::Loud
            };
            self.hang = if sound == '.' {
                self.hang.saturating_sub(1)
            } else {
                16
            };
            self.frames += 1;
            let samples = [if sound == 'S' { 1_000 } else { 1 }; 160];
            let edge = self.windows.push(Sound {
                samples: &samples,
                loudness,
                gate_is_open: self.hang > 0,
            });
            self.note(edge);
            if let Some((name, samples)) = self.windows.hand_out() {
                let speech = samples.iter().filter(|&&it| it == 1_000).count();
                let probability = if speech > WINDOW / 2 { 0.9 } else { 0.1 };
                self.asked.push(name);
                self.given.push_back((self.frames, name, probability));
            }
            match model {
                Model::AnswersAfter(frames) => {
                    while self
                        .given
                        .front()
                        .is_some_and(|it| it.0 + frames <= self.frames)
                    {
                        self.answer(0);
                    }
                }
                Model::AnswersBackwards if self.given.len() == 3 => {
                    (0..3).rev().for_each(|it| self.answer(it))
                }
                Model::AnswersBackwards | Model::NeverAnswers => {}
            }
        }

        fn answer(&mut self, at: usize) {
            if let Some((_, window, probability)) = self.given.remove(at) {
                let edge = self.windows.judged(window, probability);
                self.note(edge);
            }
        }

        fn note(&mut self, edge: Option<Edge>) {
            self.edges.extend(edge.map(|it| (self.frames, it)));
        }

        /// When speech began and ended, in milliseconds, and how late that was known.
        fn spans(&self) -> Vec<(char, u128, u128)> {
            let of = |&(frame, edge): &(u32, Edge)| {
                let (what, ago) = match edge {
                    Edge::SpeechStarted { ago } => ('+', ago.as_millis()),
                    Edge::SpeechEnded { ago } => ('-', ago.as_millis()),
                };
                (what, u128::from(frame) * 20 - ago, ago)
            };
            self.edges.iter().map(of).collect()
        }
    }

    fn pattern(parts: &[(char, usize)]) -> String {
        parts
            .iter()
            .map(|&(what, frames)| what.to_string().repeat(frames))
            .collect()
    }

    #[test]
    fn speech_is_found_soon_and_dated_well() {
        for quiet in 20..36 {
            let call = run(
                &pattern(&[('.', quiet), ('S', 40), ('.', 40)]),
                Model::AnswersAfter(0),
            );
            let [(_, began, _), (_, ended, _)] = call.spans()[..] else {
                panic!("{:?}", call.edges);
            };
            let true_start = quiet as u128 * 20;
            assert!(began.abs_diff(true_start) <= 20, "{began} {true_start}");
            assert!(
                ended.abs_diff(true_start + 800) <= 32,
                "{ended} {true_start}"
            );
            let known = u128::from(call.edges[0].0) * 20 - true_start;
            assert!(known <= 140, "known after {known} ms");
            let known = u128::from(call.edges[1].0) * 20 - true_start - 800;
            assert!(known <= 260, "end known after {known} ms");
        }
    }

    #[test]
    fn nothing_is_asked_while_nothing_is_heard() {
        let call = run(&pattern(&[('.', 500)]), Model::AnswersAfter(0));
        assert_eq!(call.asked, [0u64; 0]);
        let call = run(
            &pattern(&[('.', 100), ('n', 10), ('.', 100)]),
            Model::AnswersAfter(0),
        );
        assert_eq!(call.edges, [], "the model says it is no speech");
        let first = 100 * 160 / WINDOW as u64;
        assert_eq!(
            call.asked[0],
            first - PRE_ROLL,
            "with a little of the silence before"
        );
        assert!(
            call.asked.windows(2).all(|it| it[1] == it[0] + 1),
            "without a hole"
        );
        assert!(call.asked.len() < 22, "{}", call.asked.len());
    }

    #[test]
    fn late_and_disordered_verdicts_tell_the_same_story() {
        let sound = pattern(&[('.', 30), ('S', 40), ('.', 40), ('S', 30), ('.', 60)]);
        let story = |model| -> Vec<_> {
            run(&sound, model)
                .spans()
                .iter()
                .map(|it| (it.0, it.1))
                .collect()
        };
        let prompt = story(Model::AnswersAfter(0));
        assert_eq!(prompt.len(), 4);
        assert_eq!(story(Model::AnswersAfter(4)), prompt);
        assert_eq!(story(Model::AnswersAfter(10)), prompt);
        assert_eq!(story(Model::AnswersBackwards), prompt);
    }

    #[test]
    fn without_verdicts_loudness_decides() {
        let sound = pattern(&[('.', 30), ('S', 40), ('.', 40), ('n', 30), ('.', 60)]);
        for model in [Model::NeverAnswers, Model::AnswersAfter(30)] {
            let call = run(&sound, model);
            let what: String = call.spans().iter().map(|it| it.0).collect();
            assert_eq!(what, "+-+-");
            assert!(
                call.spans().iter().all(|it| it.2 < 700),
                "{:?}",
                call.spans()
            );
        }
    }

    #[test]
    fn verdicts_on_windows_that_do_not_exist_change_nothing() {
        let mut windows = Windows::default();
        for name in [0, 1, 7, u64::MAX] {
            assert_eq!(windows.judged(name, 1.0), None);
        }
    }
}
