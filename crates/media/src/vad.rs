use std::time::Duration;

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
