use crate::Rate;

/// Fills what was lost with more of what came before, after G.711 Appendix I: the last pitch period
/// is repeated, and fades to silence within [`FADED_MS`].
///
/// Unlike the appendix it never holds sound back to smooth the joint in advance: on a phone call
/// 4 ms of everything are worth more than the last bit of smoothness of what is lost anyway.
#[derive(Debug)]
pub(crate) struct Concealer {
    per_ms: usize,
    /// The last sound that was truly heard.
    history: Box<[i16]>,
    period: Vec<i16>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Hearing,
    /// So many samples have been made up.
    Filling {
        made: usize,
        /// How far the repeated period starts from where the true sound stopped.
        step: i32,
    },
    Silent,
}

impl Concealer {
    pub(crate) fn new(rate: Rate) -> Self {
        let per_ms = rate.hz() as usize / 1_000;
        Self {
            per_ms,
            history: vec![0; HISTORY_MS * per_ms].into(),
            period: Vec::with_capacity(LONGEST_MS * per_ms),
            state: State::Silent,
        }
    }

    /// Takes sound that arrived; its first few milliseconds are blended into what was made up.
    pub(crate) fn heard(&mut self, samples: &mut [i16]) {
        match self.state {
            State::Hearing => {}
            State::Filling { made, step } => {
                let blend = samples.len().min(BLEND_MS * self.per_ms);
                for (i, sample) in samples[..blend].iter_mut().enumerate() {
                    let old = i32::from(self.made_up(made + i, step)) * (blend - i) as i32;
                    let new = i32::from(*sample) * i as i32;
                    *sample = ((old + new) / blend as i32) as i16;
                }
            }
            State::Silent => {
                let blend = samples.len().min(self.per_ms);
                for (i, sample) in samples[..blend].iter_mut().enumerate() {
                    *sample = (i32::from(*sample) * (i as i32 + 1) / (blend as i32 + 1)) as i16;
                }
            }
        }
        self.state = State::Hearing;
        self.remember(samples);
    }

    /// Makes up sound to fill `out`.
    pub(crate) fn fill(&mut self, out: &mut [i16]) {
        if self.state == State::Hearing {
            self.state = self.begin();
        }
        if let State::Filling { made, step } = self.state {
            for (i, sample) in out.iter_mut().enumerate() {
                *sample = self.made_up(made + i, step);
            }
            let made = made + out.len();
            self.state = if made < FADED_MS * self.per_ms {
                State::Filling { made, step }
            } else {
                State::Silent
            };
        } else {
            out.fill(0);
        }
    }

    fn begin(&mut self) -> State {
        let n = self.history.len();
        let Some(lag) = self.pitch() else {
            return State::Silent;
        };
        self.period.clear();
        self.period.extend_from_slice(&self.history[n - lag..]);
        // The end of the period is bent towards what came before its beginning, so that it can be
        // put end to end with itself.
        let bend = lag / 4;
        for i in 0..bend {
            let at = lag - bend + i;
            let before = i32::from(self.history[n - 2 * lag + at]);
            let own = i32::from(self.period[at]);
            let weight = (i + 1) as i32;
            self.period[at] =
                ((before * weight + own * (bend as i32 - weight)) / bend as i32) as i16;
        }
        let step = i32::from(self.history[n - 1]) - i32::from(self.history[n - lag - 1]);
        State::Filling { made: 0, step }
    }

    /// The lag at which the last sound most resembles itself. `None` if there was hardly any.
    fn pitch(&self) -> Option<usize> {
        let n = self.history.len();
        let window = WINDOW_MS * self.per_ms;
        let recent = &self.history[n - window..];
        if power(recent) < AUDIBLE * window as f32 {
            return None;
        }
        let score = |lag: usize| {
            let past = &self.history[n - window - lag..n - lag];
            let product: f32 = recent
                .iter()
                .zip(past)
                .map(|(&a, &b)| f32::from(a) * f32::from(b))
                .sum();
            product.max(0.0) / power(past).max(1.0).sqrt()
        };
        let lags = SHORTEST_MS * self.per_ms..=LONGEST_MS * self.per_ms;
        lags.map(|lag| (score(lag), lag))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .map(|it| it.1)
    }

    fn made_up(&self, at: usize, step: i32) -> i16 {
        let lag = self.period.len();
        let (full, faded) = (FULL_MS * self.per_ms, FADED_MS * self.per_ms);
        let left = faded.saturating_sub(at.max(full)) as i32;
        let bridge = (lag / 4).saturating_sub(at) as i32 * step / (lag / 4) as i32;
        let sample = i32::from(self.period[at % lag]) + bridge;
        (sample * left / (faded - full) as i32).clamp(i16::MIN.into(), i16::MAX.into()) as i16
    }

    fn remember(&mut self, samples: &[i16]) {
        let n = self.history.len();
        let keep = n.saturating_sub(samples.len());
        self.history.copy_within(n - keep.., 0);
        self.history[keep..].copy_from_slice(&samples[samples.len() - (n - keep)..]);
    }
}

fn power(samples: &[i16]) -> f32 {
    samples
        .iter()
        .map(|&it| f32::from(it) * f32::from(it))
        .sum()
}

/// Repeated at full strength for so long, then fading until [`FADED_MS`].
const FULL_MS: usize = 10;
const FADED_MS: usize = 60;
/// How long true sound is blended with what was made up before it.
const BLEND_MS: usize = 4;
/// The periods looked for: voices of 66 to 200 Hz, or a multiple.
const SHORTEST_MS: usize = 5;
const LONGEST_MS: usize = 15;
const WINDOW_MS: usize = 20;
const HISTORY_MS: usize = LONGEST_MS + WINDOW_MS;
/// Mean square under which there is nothing worth repeating.
const AUDIBLE: f32 = 100.0;

#[cfg(test)]
mod tests {
    use super::*;

    fn voice(hz: f32, at: std::ops::Range<usize>) -> Vec<i16> {
        let wave =
            |i: usize, k: f32| (i as f32 * hz * k * std::f32::consts::TAU / 8_000.0).sin() / k;
        at.map(|i| ((wave(i, 1.0) + wave(i, 2.0) + wave(i, 3.0)) * 5_000.0) as i16)
            .collect()
    }

    fn steepest(samples: &[i16]) -> i32 {
        samples
            .windows(2)
            .map(|it| (i32::from(it[1]) - i32::from(it[0])).abs())
            .max()
            .unwrap_or(0)
    }

    #[test]
    fn a_hole_in_a_voice_is_filled_without_a_click() {
        for hz in [80.0, 117.0, 150.0, 199.0] {
            let mut concealer = Concealer::new(Rate::Hz8000);
            let mut all = voice(hz, 0..800);
            let natural = steepest(&all);
            concealer.heard(&mut all);
            let mut hole = vec![0; 160];
            concealer.fill(&mut hole);
            let expected = voice(hz, 800..880);
            let error: f32 = hole
                .iter()
                .zip(&expected)
                .map(|(&a, &b)| (f32::from(a) - f32::from(b)).powi(2))
                .sum();
            assert!(
                error < 0.15 * power(&expected),
                "{hz} Hz: the first 10 ms go on as the voice did"
            );
            let mut after = voice(hz, 960..1_120);
            concealer.heard(&mut after);
            all.extend(hole);
            all.extend(after);
            assert!(
                steepest(&all[100..]) <= natural * 3 / 2,
                "{hz} Hz: {} {natural}",
                steepest(&all[100..])
            );
        }
    }

    #[test]
    fn it_is_silent_after_sixty_milliseconds() {
        let mut concealer = Concealer::new(Rate::Hz8000);
        concealer.heard(&mut voice(150.0, 0..800));
        let mut hole = vec![1; 4 * 160];
        for frame in hole.chunks_mut(160) {
            concealer.fill(frame);
        }
        assert!(power(&hole[..160]) > power(&hole[160..320]));
        assert!(power(&hole[160..320]) > power(&hole[320..480]));
        assert_eq!(hole[480..], [0; 160]);
    }

    #[test]
    fn silence_is_followed_by_silence() {
        let mut concealer = Concealer::new(Rate::Hz8000);
        let mut hole = vec![1; 160];
        concealer.fill(&mut hole);
        assert_eq!(hole, [0; 160]);
    }
}
