//! What the process counts of itself, as Prometheus reads it.
//!
//! Counting is an atomic addition: no lock, no allocation, so that it may be done on the road of the
//! sound. No label says anything about a call, a number or a word: each has a handful of values.

use std::sync::LazyLock;
use std::time::Duration;

use call::event::{Event, Timed};
use ports::Fault;
use prometheus::{
    Encoder, Gauge, Histogram, HistogramVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec,
    TextEncoder, histogram_opts, register_gauge, register_histogram, register_histogram_vec,
    register_int_counter, register_int_counter_vec, register_int_gauge, register_int_gauge_vec,
};
use serde::Serialize;

use crate::sound::Oddities;
use crate::switchboard::Switchboard;

/// All figures of this process.
pub(crate) fn metrics() -> &'static Metrics {
    &METRICS
}

static METRICS: LazyLock<Metrics> = LazyLock::new(Metrics::new);

/// See the help of each.
pub(crate) struct Metrics {
    calls: IntGaugeVec,
    begun: IntCounterVec,
    answered: IntCounterVec,
    ended: IntCounterVec,
    refused: IntCounterVec,
    faults: IntCounterVec,
    interruptions: IntCounter,
    stages: [Histogram; STAGES.len()],
    /// How much later than it should a caller's frame came.
    pub(crate) frame_late: Histogram,
    /// How late sound that was due was looked after.
    pub(crate) wake_late: Histogram,
    underruns: IntCounter,
    oddities: IntCounterVec,
    /// Events written down.
    pub(crate) journal_entries: IntCounter,
    /// Events that wait to be.
    pub(crate) journal_waiting: IntGauge,
    /// How long it takes to make what waits durable.
    pub(crate) journal_flush: Histogram,
    journal_writable: IntGauge,
    /// Calls whose traces the collector did not take.
    pub(crate) traces_dropped: IntCounter,
    webhooks: IntCounterVec,
    reports: IntCounterVec,
    reports_oldest: Gauge,
}

/// What came of a try to deliver a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reported {
    /// It was taken.
    Delivered,
    /// It was not, and is tried again.
    Failed,
    /// It was not, and is given up.
    Dead,
}

/// What a webhook turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivered {
    /// It was acted upon.
    News,
    /// It came before, and was answered as it was then.
    Repeated,
    /// It would have begun a call whose end was told before.
    Late,
    /// No carrier signed it.
    Forged,
    /// It cannot be read.
    Senseless,
}

/// The stages of an answer, each counted from the end of the caller's speech.
const STAGES: [&str; 6] = [
    "transcribed",
    "told",
    "first_token",
    "first_clause",
    "first_audio",
    "at_ear",
];

impl Metrics {
    #[expect(
        clippy::too_many_lines,
        reason = "a table: each figure, its name and its help"
    )]
    fn new() -> Self {
        let stages = histogram_vec(
            "offhook_turn_stage_seconds",
            "From the end of the caller's speech to each stage of the answer.",
            &["stage"],
            &[
                0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0, 1.3, 1.6, 2.0, 3.0, 5.0, 10.0,
            ],
        );
        let build = gauge_vec(
            "offhook_build_info",
            "Which offhook this is; always 1.",
            &["version"],
        );
        build.with_label_values(&[env!("CARGO_PKG_VERSION")]).set(1);
        Self {
            calls: gauge_vec("offhook_calls", "Calls that are up, by state.", &["state"]),
            begun: counter_vec(
                "offhook_calls_begun_total",
                "Calls dialled and callers let in.",
                &["direction"],
            ),
            answered: counter_vec(
                "offhook_calls_answered_total",
                "Calls that were answered.",
                &["direction"],
            ),
            ended: counter_vec(
                "offhook_calls_ended_total",
                "Calls that ended, by whom and why.",
                &["by", "why"],
            ),
            refused: counter_vec(
                "offhook_calls_refused_total",
                "Calls that were not made and callers that were not let in, by the code of the fault.",
                &["direction", "code"],
            ),
            faults: counter_vec(
                "offhook_call_faults_total",
                "What failed during calls, by the code of the fault.",
                &["code"],
            ),
            interruptions: counter(
                "offhook_interruptions_total",
                "How often the agent was cut short.",
            ),
            stages: STAGES.map(|it| stages.with_label_values(&[it])),
            frame_late: histogram(
                "offhook_media_frame_lateness_seconds",
                "How much more than 20 ms after the one before a caller's frame came.",
                LATENESS,
            ),
            wake_late: histogram(
                "offhook_media_wake_lateness_seconds",
                "How late sound was sent that was due with no frame of the caller's.",
                LATENESS,
            ),
            underruns: counter(
                "offhook_media_underruns_total",
                "Gaps heard inside an utterance because its sound came too slowly; counted when a call's sound ends.",
            ),
            oddities: counter_vec(
                "offhook_media_oddities_total",
                "What was thrown away or made no sense on media sockets; counted when a call's sound ends.",
                &["kind"],
            ),
            journal_entries: counter("offhook_journal_entries_total", "Events written down."),
            journal_waiting: gauge(
                "offhook_journal_waiting",
                "Events that wait to be written down.",
            ),
            journal_flush: histogram(
                "offhook_journal_flush_seconds",
                "How long it took to make the events that waited durable.",
                &[
                    0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1.0, 5.0,
                ],
            ),
            journal_writable: gauge(
                "offhook_journal_writable",
                "1: new calls may begin. 0: the journal cannot be written.",
            ),
            traces_dropped: counter(
                "offhook_traces_dropped_total",
                "Calls whose traces the collector did not take in time.",
            ),
            webhooks: counter_vec(
                "offhook_webhooks_total",
                "Webhooks: news, repeated ones, those about a call whose end was told before, those that no carrier signed, and those that make no sense.",
                &["kind"],
            ),
            reports: counter_vec(
                "offhook_reports_total",
                "Tries to deliver a report: taken, failed and to be tried again, given up.",
                &["result"],
            ),
            reports_oldest: register_gauge!(
                "offhook_reports_oldest_waiting_seconds",
                "How long ago that happened of which a report waits longest; 0: none waits."
            )
            .expect(ONCE),
        }
    }

    /// Something happened on a call that goes this way.
    pub(crate) fn saw(&self, direction: &str, event: &Event) {
        match event {
            Event::Dialed | Event::Offered => count(&self.begun, &[direction]),
            Event::Answered => count(&self.answered, &[direction]),
            Event::Ended(end) => count(&self.ended, &[&word(end.by), &word(end.why)]),
            Event::AgentInterrupted { .. } => self.interruptions.inc(),
            Event::AgentTurnTimed(timed) => self.timed(timed),
            Event::AgentFailed { code } | Event::SpeechFailed { code } => {
                count(&self.faults, &[code]);
            }
            Event::Ringing
            | Event::AnsweredBy(_)
            | Event::GreetingEnded { .. }
            | Event::Connected
            | Event::Disconnected
            | Event::Reconnected { .. }
            | Event::Transferring { .. }
            | Event::HandedOver { .. }
            | Event::Transferred { .. }
            | Event::TransferFailed { .. }
            | Event::DisclosurePlayed { .. }
            | Event::RecordingStarted { .. }
            | Event::RecordingRefused { .. }
            | Event::MeetingJoined { .. }
            | Event::MeetingLeft { .. }
            | Event::MeetingSpeaking
            | Event::MeetingStoppedSpeaking
            | Event::MeetingMuted
            | Event::MeetingUnmuted
            | Event::PolicyAllowed { .. }
            | Event::PolicyRefused { .. }
            | Event::PolicyPurpose { .. }
            | Event::PolicyHeld { .. }
            | Event::Outcome(_)
            | Event::CallerSpeechStarted
            | Event::CallerSpeechEnded
            | Event::CallerHearing { .. }
            | Event::CallerSaid { .. }
            | Event::CallerPressed { .. }
            | Event::CallerOptedOut
            | Event::CallerProved
            | Event::CallerFailedProof
            | Event::CallerInEmergency
            | Event::AgentRefused(_)
            | Event::AgentTurnStarted { .. }
            | Event::AgentSaid { .. }
            | Event::AgentPressed { .. }
            | Event::AgentCalledTool { .. }
            | Event::AgentTookMessage { .. }
            | Event::AgentNoted { .. }
            | Event::AgentStalled => {}
        }
    }

    /// A call was not made, or a caller not let in.
    pub(crate) fn refused(&self, direction: &str, fault: &Fault) {
        count(&self.refused, &[direction, fault.code]);
    }

    /// A webhook came.
    pub(crate) fn webhook(&self, kind: Delivered) {
        let kind = match kind {
            Delivered::News => "news",
            Delivered::Repeated => "repeated",
            Delivered::Late => "late",
            Delivered::Forged => "forged",
            Delivered::Senseless => "senseless",
        };
        count(&self.webhooks, &[kind]);
    }

    /// A report was delivered, or not.
    pub(crate) fn report(&self, result: Reported) {
        let result = match result {
            Reported::Delivered => "delivered",
            Reported::Failed => "failed",
            Reported::Dead => "dead",
        };
        count(&self.reports, &[result]);
    }

    /// A call's sound is over, and this is what was wrong with it.
    pub(crate) fn sound_over(&self, oddities: Oddities, dropped: u64, underruns: u64) {
        self.underruns.inc_by(underruns);
        let kinds = [
            ("dropped_message", dropped),
            ("malformed_message", oddities.malformed),
            ("unknown_message", oddities.unknown),
            ("unheard_frame", oddities.unheard_frames),
        ];
        for (kind, many) in kinds {
            self.oddities.with_label_values(&[kind]).inc_by(many);
        }
    }

    /// Everything, in Prometheus' text format. What is so at the moment is asked of the switchboard.
    pub(crate) fn text(&self, board: &Switchboard) -> String {
        let up = board.calls();
        let up = up.iter().filter(|it| !it.log.is_closed());
        let (connected, ringing): (Vec<_>, Vec<_>) = up.partition(|it| it.log.is_connected());
        for (state, calls) in [("connected", connected), ("ringing", ringing)] {
            let many = i64::try_from(calls.len()).unwrap_or(i64::MAX);
            self.calls.with_label_values(&[state]).set(many);
        }
        let writable = board.journal().pen().check().is_ok();
        self.journal_writable.set(writable.into());
        let age = board.outbox().age(jiff::Timestamp::now());
        self.reports_oldest.set(age.as_secs_f64());
        let mut text = Vec::new();
        // Writing into memory does not fail.
        let _ = TextEncoder::new().encode(&prometheus::gather(), &mut text);
        String::from_utf8(text).unwrap_or_default()
    }

    fn timed(&self, timed: &Timed) {
        let stages = [
            timed.transcribed_ms,
            Some(timed.told_ms),
            timed.first_token_ms,
            timed.first_clause_ms,
            timed.first_audio_ms,
            timed.at_ear_ms,
        ];
        for (histogram, ms) in self.stages.iter().zip(stages) {
            if let Some(ms) = ms {
                histogram.observe(Duration::from_millis(ms).as_secs_f64());
            }
        }
    }
}

fn count(counter: &IntCounterVec, labels: &[&str]) {
    counter.with_label_values(labels).inc();
}

/// A word of the public ones, as it is written there.
fn word(it: impl Serialize) -> String {
    let word = serde_json::to_value(it).unwrap_or_default();
    word.as_str().unwrap_or_default().to_owned()
}

fn counter(name: &str, help: &str) -> IntCounter {
    register_int_counter!(name, help).expect(ONCE)
}

fn counter_vec(name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
    register_int_counter_vec!(name, help, labels).expect(ONCE)
}

fn gauge(name: &str, help: &str) -> IntGauge {
    register_int_gauge!(name, help).expect(ONCE)
}

fn gauge_vec(name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
    register_int_gauge_vec!(name, help, labels).expect(ONCE)
}

fn histogram(name: &str, help: &str, buckets: &[f64]) -> Histogram {
    register_histogram!(histogram_opts!(name, help, buckets.to_vec())).expect(ONCE)
}

fn histogram_vec(name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
    register_histogram_vec!(histogram_opts!(name, help, buckets.to_vec()), labels).expect(ONCE)
}

/// In seconds, around a frame.
const LATENESS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.5, 2.0];
const ONCE: &str = "each figure is named once, and well";
