//! How long the models take, and how much waits for them, as Prometheus reads it.

use std::sync::LazyLock;
use std::time::Duration;

use prometheus::{
    Histogram, HistogramVec, IntGaugeVec, histogram_opts, register_histogram_vec,
    register_int_gauge_vec,
};

use super::pool::Urgency;

/// The figures of one kind of work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Telling speech from noise.
    Speech,
    /// What the pool does.
    Pool(Urgency),
}

/// Some work took this long.
pub(super) fn took(kind: Kind, time: Duration) {
    TOOK[kind.index()].observe(time.as_secs_f64());
}

/// More of this work waits, or less.
pub(super) fn waiting(kind: Kind, more: i64) {
    WAITING.with_label_values(&[KINDS[kind.index()]]).add(more);
}

impl Kind {
    fn index(self) -> usize {
        match self {
            Self::Speech => 0,
            Self::Pool(urgency) => urgency as usize + 1,
        }
    }
}

const KINDS: [&str; 7] = [
    "speech",
    "end_of_turn",
    "words",
    "first_clause",
    "next_clause",
    "partial",
    "prepare",
];

static TOOK: LazyLock<[Histogram; KINDS.len()]> = LazyLock::new(|| {
    let buckets = vec![
        0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0,
    ];
    let help = "How long a speech model worked, by what for.";
    let opts = histogram_opts!("offhook_speech_inference_seconds", help, buckets);
    let took: HistogramVec = register_histogram_vec!(opts, &["kind"]).expect(ONCE);
    KINDS.map(|it| took.with_label_values(&[it]))
});

static WAITING: LazyLock<IntGaugeVec> = LazyLock::new(|| {
    let help = "Work that waits for a speech model, by what for.";
    register_int_gauge_vec!("offhook_speech_waiting", help, &["kind"]).expect(ONCE)
});

const ONCE: &str = "each figure is named once, and well";
