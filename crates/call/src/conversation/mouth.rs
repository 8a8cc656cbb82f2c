//! What becomes of what we say in a conversation, in whoever's name.

use std::time::Duration;

use media::{Progress, UtteranceId};

use super::{Conversation, MOST_FAILURES, gateway};
use crate::Event;
use crate::event::{End, Why};
use crate::floor::Floor;
use crate::input::{Input, Media};
use crate::moment::Moment;
use crate::turn::Turn;
use crate::voice::Whose;

impl Conversation {
    /// More of what we say was heard.
    pub(super) fn progress(&mut self, progress: Progress, at: &mut Moment<'_>) -> Option<End> {
        let mut end = None;
        for skipped in self.voice.skipped(progress) {
            end = end.or(self.mouth_failed(skipped, MOUTH_STUCK, at));
        }
        let was_silent = self.voice.is_silent();
        let heard = self.voice.progress(progress, at);
        if let Some(turn) = self.floor.turn_mut() {
            if let Some(stages) = &mut turn.stages {
                stages.heard(progress, at.now);
            }
            turn.hear(&heard);
            turn.begun |= !heard.is_empty() || self.voice.is_heard(turn.is_whose());
            if self.voice.is_silent() && !was_silent {
                turn.quiet = at.now;
            }
        }
        end.or_else(|| self.settle(at))
    }

    pub(super) fn mouth_failed(
        &mut self,
        id: UtteranceId,
        code: &'static str,
        at: &mut Moment<'_>,
    ) -> Option<End> {
        let unsaid = self.voice.fail(id, at)?;
        if unsaid.whose != Whose::Pulse {
            at.event(Event::SpeechFailed { code });
        }
        if self.voice.failures() >= MOST_FAILURES {
            // There is nothing left to say it with.
            return Some(match self.floor {
                Floor::Closing { end, .. } => end,
                Floor::Open { .. }
                | Floor::Caller
                | Floor::Pause { .. }
                | Floor::Finalizing { .. }
                | Floor::Thinking { .. }
                | Floor::Agent { .. }
                | Floor::Contested { .. } => gateway(Why::Fault),
            });
        }
        match unsaid.whose {
            Whose::Turn => {
                if let Some(turn) = self.floor.turn_mut() {
                    turn.hear(&unsaid.heard);
                }
            }
            Whose::Owner => self.waiting.push_back((at.now, unsaid.text)),
            Whose::Ours | Whose::Pulse => {}
        }
        self.settle(at)
    }

    /// Says what the owner wants said, if that interrupts nobody.
    pub(super) fn speak_waiting(&mut self, at: &mut Moment<'_>) {
        match &self.floor {
            _ if self.muted => {}
            Floor::Caller | Floor::Pause { .. } | Floor::Finalizing { .. } => {}
            Floor::Open { .. }
            | Floor::Thinking { .. }
            | Floor::Agent { .. }
            | Floor::Contested { .. }
            | Floor::Closing { .. } => self.speak_all_waiting(at),
        }
    }

    pub(super) fn speak_all_waiting(&mut self, at: &mut Moment<'_>) {
        for (_, text) in std::mem::take(&mut self.waiting) {
            self.voice.say_all(Whose::Owner, &text, at);
        }
        if matches!(self.floor, Floor::Open { .. }) && !self.voice.is_silent() {
            self.floor = Floor::Agent {
                turn: Turn::ours(at.now),
            };
        }
    }

    /// Takes the sound's answer to a cut. It comes at once; if something else comes first, the
    /// last figures known must do.
    pub(crate) fn settle_cut(&mut self, input: &Input, at: &mut Moment<'_>) {
        let cut = match input {
            Input::Media(Media::Cut(cut)) => *cut,
            Input::Agent(_)
            | Input::Carrier(_)
            | Input::Command(_)
            | Input::Media(Media::Answerer(_) | Media::Edge(_) | Media::Progress(_))
            | Input::Meeting(_)
            | Input::Speech(_)
            | Input::Timeout => None,
        };
        for text in self.voice.silenced(cut, at).into_iter().rev() {
            self.waiting.push_front((at.now, text));
        }
    }
}

/// How long the owner's words wait for a caller who does not stop speaking.
pub(super) const OWNER_WAITS: Duration = Duration::from_secs(10);

/// The codes of faults that nobody reports, as `ports::code` has them.
pub(super) const MOUTH_STUCK: &str = "speech.failed";
pub(super) const MOUTH_SILENT: &str = "speech.failed";
