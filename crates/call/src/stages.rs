use std::time::{Duration, Instant};

use media::{Progress, UtteranceId};

use crate::TurnId;
use crate::event::Timed;

/// How long an answer took, stage by stage, from the moment the caller fell silent.
#[derive(Debug)]
pub(crate) struct Stages {
    turn: TurnId,
    /// When the caller's speech truly ended.
    since: Instant,
    transcribed: Option<Instant>,
    told: Instant,
    first_token: Option<Instant>,
    /// The first clause, and when the mouth was asked for it.
    first_clause: Option<(UtteranceId, Instant)>,
    first_audio: Option<Instant>,
    at_ear: Option<Instant>,
}

impl Stages {
    /// The agent is told, now, what was said by a caller who fell silent at `since`.
    pub(crate) fn new(
        turn: TurnId,
        since: Instant,
        transcribed: Option<Instant>,
        now: Instant,
    ) -> Self {
        Self {
            turn,
            since,
            transcribed,
            told: now,
            first_token: None,
            first_clause: None,
            first_audio: None,
            at_ear: None,
        }
    }

    /// The agent gave words.
    pub(crate) fn token(&mut self, now: Instant) {
        self.first_token.get_or_insert(now);
    }

    /// The mouth was asked for a clause.
    pub(crate) fn clause(&mut self, id: UtteranceId, now: Instant) {
        self.first_clause.get_or_insert((id, now));
    }

    /// The mouth began to give sound for an utterance.
    pub(crate) fn audio(&mut self, id: UtteranceId, now: Instant) {
        if self.first_clause.is_some_and(|(first, _)| first == id) {
            self.first_audio.get_or_insert(now);
        }
    }

    /// Some of an utterance was heard.
    pub(crate) fn heard(&mut self, progress: Progress, now: Instant) {
        if let Some((first, asked)) = self.first_clause
            && first == progress.utterance
            && !progress.played.is_zero()
        {
            // What has been heard for a while began that while ago.
            let began = now.checked_sub(progress.played).unwrap_or(now);
            let began = began.max(self.first_audio.unwrap_or(asked));
            self.at_ear.get_or_insert(began);
        }
    }

    /// The figures, as the world reads them.
    pub(crate) fn timed(&self) -> Timed {
        let ms = |at: Instant| millis(at.saturating_duration_since(self.since));
        Timed {
            turn: self.turn.0,
            transcribed_ms: self.transcribed.map(ms),
            told_ms: ms(self.told),
            first_token_ms: self.first_token.map(ms),
            first_clause_ms: self.first_clause.map(|(_, at)| ms(at)),
            first_audio_ms: self.first_audio.map(ms),
            at_ear_ms: self.at_ear.map(ms),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
