use std::time::Duration;

/// Names one stretch of agent speech. Later utterances have greater ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UtteranceId(pub u32);

/// How much of an utterance the caller has heard, as far as we can know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Which utterance.
    pub utterance: UtteranceId,
    /// How much of it has been heard.
    pub played: Duration,
    /// All of it has been heard.
    pub done: bool,
}

/// What was lost when speech was cut short.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// The utterance the caller was hearing.
    pub utterance: UtteranceId,
    /// How much of it was heard.
    pub played: Duration,
}

/// A point in the sound sent, which the far end reports back when it has played that far.
///
/// A cut starts a new generation: marks of an older one come back because the far buffer was
/// cleared, not because they were heard, and are ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Mark {
    /// How many cuts came before.
    pub generation: u32,
    /// Counts up within the call.
    pub index: u32,
}
