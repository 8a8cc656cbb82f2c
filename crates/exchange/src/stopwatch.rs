//! The stopwatch: what the ear heard, as times.
//!
//! Everything is measured on the decoded sound, in windows of 10 ms, on the ear's own clock. Only two things are taken
//! from elsewhere: which stretches of the caller's track belong to one utterance (the script knows), and when a
//! `clear` arrived.

use crate::ear::{Ear, FRAME, Noted, RATE, Span, loudness, millis, samples, time};
use serde::Serialize;
use std::time::Duration;

/// The times of one call.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// The caller's utterances, in order.
    pub turns: Vec<Turn>,
    /// The utterances with which the caller interrupted the agent, in order.
    pub interruptions: Vec<Interruption>,
    /// Holes of 20 to 200 ms in the agent's speech where the carrier had nothing to play and the far end went on after.
    pub underruns: Vec<Span>,
    /// The longest time in which neither side made a sound, between the first sound and the last.
    #[serde(rename = "longest_silence_ms", serialize_with = "millis")]
    pub longest_silence: Duration,
    /// How long the agent was to be heard in all, without its pauses.
    #[serde(rename = "agent_spoke_ms", serialize_with = "millis")]
    pub agent_spoke: Duration,
}

/// One utterance of the caller, and the agent's reply to it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Turn {
    /// From its first sound to its last, by energy.
    pub said: Span,
    /// When the agent was heard next.
    pub reply: Reply,
}

/// When the agent was heard after the caller.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "reply")]
pub enum Reply {
    /// So long after the caller's last sound: the voice-to-voice gap.
    After {
        /// The gap.
        #[serde(rename = "gap_ms", serialize_with = "millis")]
        gap: Duration,
    },
    /// The agent was already speaking when the caller ended.
    Overlapping,
    /// Not before the caller spoke again, or the call ended.
    Never,
}

/// One interruption of the agent by the caller.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Interruption {
    /// When the caller's first sound was.
    #[serde(rename = "at_ms", serialize_with = "millis")]
    pub at: Duration,
    /// From there to the agent's last sound.
    #[serde(rename = "stop_ms", serialize_with = "millis")]
    pub stop: Duration,
    /// What the far end did about the carrier's buffer.
    pub clear: Clear,
}

/// What the far end did about the carrier's buffer when it was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "clear")]
pub enum Clear {
    /// Nothing.
    Never,
    /// It emptied the buffer.
    Sent {
        /// From the caller's first sound to the arrival of the clear: the decision.
        #[serde(rename = "decided_ms", serialize_with = "millis")]
        after: Duration,
        /// From the arrival of the clear to the agent's last sound.
        #[serde(rename = "stop_after_clear_ms", serialize_with = "millis")]
        stop: Duration,
    },
}

impl Report {
    /// The voice-to-voice gaps, in order.
    pub fn gaps(&self) -> Vec<Duration> {
        self.turns
            .iter()
            .filter_map(|turn| match turn.reply {
                Reply::After { gap } => Some(gap),
                Reply::Overlapping | Reply::Never => None,
            })
            .collect()
    }
}

/// Measures a call.
pub fn measure(ear: &Ear) -> Report {
    let caller = Activity::of(ear.caller());
    let agent = Activity::of(ear.agent());
    let said: Vec<Span> = ear
        .utterances()
        .iter()
        .filter_map(|utterance| caller.within(*utterance))
        .collect();
    let mut report = Report {
        underruns: underruns(ear, &agent),
        longest_silence: longest_silence(&caller, &agent),
        agent_spoke: time(agent.windows.iter().filter(|active| **active).count() * WINDOW),
        ..Report::default()
    };
    for (index, span) in said.iter().enumerate() {
        let next = said.get(index + 1).map_or(ear.length(), |next| next.from);
        let mut silent_from = span.to;
        if agent.speaks_through(span.from) {
            let interruption = interruption(ear, &agent, *span, next);
            silent_from = silent_from.max(interruption.at + interruption.stop);
            report.interruptions.push(interruption);
        }
        report.turns.push(Turn {
            said: *span,
            reply: reply(&agent, *span, silent_from, next),
        });
    }
    report
}

fn interruption(ear: &Ear, agent: &Activity, said: Span, next: Duration) -> Interruption {
    let clear = ear
        .notes()
        .iter()
        .find(|note| note.what == Noted::Cleared && note.at >= said.from && note.at < next)
        .map(|note| note.at);
    let stopped = agent.silent_for_good(said.from, clear.unwrap_or(said.from));
    Interruption {
        at: said.from,
        stop: stopped.saturating_sub(said.from),
        clear: match clear {
            None => Clear::Never,
            Some(clear) => Clear::Sent {
                after: clear - said.from,
                stop: stopped.saturating_sub(clear),
            },
        },
    }
}

fn reply(agent: &Activity, said: Span, silent_from: Duration, next: Duration) -> Reply {
    if silent_from == said.to && agent.active_at(said.to) {
        return Reply::Overlapping;
    }
    match agent.next_sound(silent_from) {
        Some(sound) if sound < next => Reply::After {
            gap: sound - said.to,
        },
        Some(_) | None => Reply::Never,
    }
}

/// Holes where the buffer ran dry in the middle of speech. A hole that begins with a `clear` was wanted.
fn underruns(ear: &Ear, agent: &Activity) -> Vec<Span> {
    let mut holes = Vec::new();
    let mut dry_from = None;
    for (index, fed) in ear.fed().iter().enumerate() {
        let start = index * FRAME;
        if let (Some(from), true) = (dry_from, *fed > 0) {
            holes.push(Span {
                from: time(from),
                to: time(start),
            });
            dry_from = None;
        }
        if dry_from.is_none() && usize::from(*fed) < FRAME && index > 0 {
            dry_from = Some(start + usize::from(*fed));
        }
    }
    holes.retain(|hole| {
        let length = hole.to - hole.from;
        let cleared = ear.notes().iter().any(|note| {
            note.what == Noted::Cleared
                && note.at + HOLE_AFTER_CLEAR >= hole.from
                && note.at < hole.to
        });
        (SHORTEST_HOLE..=LONGEST_HOLE).contains(&length)
            && !cleared
            && agent.any(hole.from.saturating_sub(BESIDE_HOLE), hole.from)
            && agent.any(hole.to, hole.to + BESIDE_HOLE)
    });
    holes
}

fn longest_silence(caller: &Activity, agent: &Activity) -> Duration {
    let sounding = |index: usize| caller.is_active(index) || agent.is_active(index);
    let count = caller.windows.len().max(agent.windows.len());
    let (mut longest, mut last) = (0, None);
    for index in (0..count).filter(|index| sounding(*index)) {
        if let Some(last) = last {
            longest = longest.max(index - last - 1);
        }
        last = Some(index);
    }
    time(longest * WINDOW)
}

/// In which windows of 10 ms a track sounds.
struct Activity {
    windows: Vec<bool>,
}

impl Activity {
    fn of(track: &[i16]) -> Self {
        let levels: Vec<f64> = track.chunks(WINDOW).map(loudness).collect();
        let loudest = levels.iter().copied().fold(0.0, f64::max);
        let floor = (loudest * RELATIVE_FLOOR).max(FLOOR);
        Self {
            windows: levels.into_iter().map(|level| level >= floor).collect(),
        }
    }

    fn is_active(&self, index: usize) -> bool {
        self.windows.get(index).copied().unwrap_or(false)
    }

    fn active_at(&self, at: Duration) -> bool {
        self.is_active(samples(at) / WINDOW)
    }

    fn any(&self, from: Duration, to: Duration) -> bool {
        (samples(from) / WINDOW..samples(to).div_ceil(WINDOW)).any(|index| self.is_active(index))
    }

    /// From the first sound within a span to the last, if there is any.
    fn within(&self, span: Span) -> Option<Span> {
        let mut active = (samples(span.from) / WINDOW..samples(span.to).div_ceil(WINDOW))
            .filter(|index| self.is_active(*index));
        let first = active.next()?;
        let last = active.next_back().unwrap_or(first);
        Some(Span {
            from: time(first * WINDOW),
            to: time((last + 1) * WINDOW),
        })
    }

    /// Whether there is sound shortly before a moment and shortly after it.
    fn speaks_through(&self, at: Duration) -> bool {
        self.any(at.saturating_sub(PAUSE), at) && self.any(at, at + PAUSE)
    }

    /// The end of the last sound before a pause that cannot be one inside speech; the pause may begin earlier than
    /// `decided`, but lasts beyond it.
    fn silent_for_good(&self, from: Duration, decided: Duration) -> Duration {
        let mut last = from;
        for index in samples(from) / WINDOW..self.windows.len() {
            let end = time((index + 1) * WINDOW);
            if self.is_active(index) {
                last = end;
            } else if end >= decided + PAUSE && end >= last + PAUSE {
                break;
            }
        }
        last
    }

    fn next_sound(&self, from: Duration) -> Option<Duration> {
        (samples(from).div_ceil(WINDOW)..self.windows.len())
            .find(|index| self.is_active(*index))
            .map(|index| time(index * WINDOW))
    }
}

/// 10 ms.
const WINDOW: usize = RATE as usize / 100;
/// Below this a window is silence whatever the rest of the track is like.
const FLOOR: f64 = 60.0;
/// Below this share of its loudest window a window of a track is silence: -36 dB.
const RELATIVE_FLOOR: f64 = 0.016;
/// Silence this long ends speech; the closures inside words are shorter.
const PAUSE: Duration = Duration::from_millis(250);
const SHORTEST_HOLE: Duration = Duration::from_millis(20);
const LONGEST_HOLE: Duration = Duration::from_millis(200);
const BESIDE_HOLE: Duration = Duration::from_millis(60);
/// A hole that begins this soon after a clear is the clear's doing.
const HOLE_AFTER_CLEAR: Duration = Duration::from_millis(60);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ear::Frame;

    const LOUD: Frame = [4_000; FRAME];
    const QUIET: Frame = [0; FRAME];

    fn ms(time: u64) -> Duration {
        Duration::from_millis(time)
    }

    /// An ear that heard `agent` and `caller` in these spans of milliseconds, each a multiple of 20.
    fn ear(length: u64, caller: &[(u64, u64)], agent: &[(u64, u64)]) -> Ear {
        let mut ear = Ear::default();
        let within = |spans: &[(u64, u64)], at: u64| {
            spans.iter().any(|(from, to)| (*from..*to).contains(&at))
        };
        for at in (0..length).step_by(20) {
            // The caller's frame is the one before the tick, the agent's the one after it.
            let agent_speaks = within(agent, at + 20);
            let fed = if agent_speaks { 160 } else { 0 };
            let frame = |speaks| if speaks { LOUD } else { QUIET };
            ear.push(&frame(within(caller, at)), &frame(agent_speaks), fed);
        }
        for (from, to) in caller {
            ear.said(Span {
                from: ms(*from),
                to: ms(*to),
            });
        }
        ear
    }

    #[test]
    fn the_gap_is_from_the_callers_last_sound_to_the_agents_first() {
        let report = measure(&ear(3_000, &[(200, 1_000)], &[(1_640, 2_400)]));
        assert_eq!(report.gaps(), [ms(640)]);
        assert_eq!(
            report.turns[0].said,
            Span {
                from: ms(200),
                to: ms(1_000)
            }
        );
        assert_eq!(report.interruptions, []);
        assert_eq!(report.longest_silence, ms(640));
        assert_eq!(report.agent_spoke, ms(760));
    }

    #[test]
    fn an_utterance_with_a_pause_is_one_turn() {
        let mut ear = ear(3_000, &[(200, 500), (900, 1_000)], &[(1_400, 2_000)]);
        ear = {
            let mut whole = Ear::default();
            let frames = ear.caller().chunks(FRAME).zip(ear.agent().chunks(FRAME));
            for (caller, _) in frames {
                whole.push(caller.try_into().unwrap(), &QUIET, 0);
            }
            whole.said(Span {
                from: ms(200),
                to: ms(1_100),
            });
            whole
        };
        let report = measure(&ear);
        assert_eq!(report.turns.len(), 1);
        assert_eq!(
            report.turns[0].said,
            Span {
                from: ms(200),
                to: ms(1_000)
            }
        );
        assert_eq!(report.turns[0].reply, Reply::Never);
    }

    #[test]
    fn a_barge_in_is_timed_from_the_caller_and_from_the_clear() {
        let mut ear = ear(4_000, &[(1_000, 1_800)], &[(200, 1_240), (2_300, 3_000)]);
        ear.note(ms(1_220), Noted::Cleared);
        let report = measure(&ear);
        let clear = Clear::Sent {
            after: ms(220),
            stop: ms(20),
        };
        assert_eq!(
            report.interruptions,
            [Interruption {
                at: ms(1_000),
                stop: ms(240),
                clear
            }]
        );
        assert_eq!(report.gaps(), [ms(500)]);
        assert_eq!(report.underruns, []);
    }

    #[test]
    fn an_agent_that_does_not_stop_is_seen() {
        let report = measure(&ear(4_000, &[(1_000, 1_400)], &[(200, 3_000)]));
        assert_eq!(report.interruptions[0].stop, ms(2_000));
        assert_eq!(report.interruptions[0].clear, Clear::Never);
        assert_eq!(report.turns[0].reply, Reply::Never);
    }

    #[test]
    fn an_agent_that_speaks_too_early_overlaps() {
        let report = measure(&ear(4_000, &[(1_000, 1_400)], &[(1_300, 3_000)]));
        assert_eq!(report.turns[0].reply, Reply::Overlapping);
    }

    #[test]
    fn holes_in_the_agents_speech_are_underruns() {
        let report = measure(&ear(
            3_000,
            &[],
            &[(200, 600), (640, 1_000), (1_600, 2_000)],
        ));
        assert_eq!(
            report.underruns,
            [Span {
                from: ms(600),
                to: ms(640)
            }]
        );
        let mut cut = ear(3_000, &[], &[(200, 600), (640, 1_000)]);
        cut.note(ms(590), Noted::Cleared);
        assert_eq!(measure(&cut).underruns, []);
    }

    #[test]
    fn silence_has_nothing_to_measure() {
        assert_eq!(measure(&Ear::default()), Report::default());
        assert_eq!(measure(&ear(1_000, &[(0, 500)], &[])).turns.len(), 1);
    }
}
