use crate::Tick;

/// Writes a call's two sides as one stereo sound: the caller left, the agent right.
///
/// Feed it every [`Tick`]; it holds nothing back. What to do with the samples (a WAV file, a
/// socket) is the owner's business.
#[derive(Debug, Default)]
pub struct Stereo {
    samples: Vec<i16>,
}

impl Stereo {
    /// A recording that has not begun.
    pub fn new() -> Self {
        Self::default()
    }

    /// Interleaves one tick's sound: left, right, left, right.
    pub fn frame(&mut self, tick: &Tick<'_>) -> &[i16] {
        self.samples.clear();
        let both = tick.heard.iter().zip(tick.playing);
        self.samples
            .extend(both.flat_map(|(&caller, &agent)| [caller, agent]));
        &self.samples
    }
}
