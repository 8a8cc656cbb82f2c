//! What the caller does in a conversation.

use std::time::Instant;

use media::Edge;

use super::{Conversation, gateway};
use crate::event::{End, Why};
use crate::floor::Floor;
use crate::moment::Moment;
use crate::stages::Stages;
use crate::turn::Turn;
use crate::words::{has_words, is_backchannel};
use crate::{Event, output};

impl Conversation {
    pub(super) fn edge(&mut self, edge: Edge, at: &mut Moment<'_>) -> Option<End> {
        match edge {
            Edge::SpeechStarted { ago } => {
                let began = at.before(ago);
                self.speech_started(began, at);
                None
            }
            Edge::SpeechEnded { ago } => {
                let ended = at.before(ago);
                self.speech_ended(ended, at)
            }
        }
    }

    fn speech_started(&mut self, began: Instant, at: &mut Moment<'_>) {
        at.event(Event::CallerSpeechStarted);
        self.hearing.speech_started();
        self.floor = match self.floor.take() {
            Floor::Open { .. } | Floor::Caller | Floor::Pause { .. } | Floor::Finalizing { .. } => {
                Floor::Caller
            }
            Floor::Thinking { turn } | Floor::Agent { turn } if turn.begun => Floor::Contested {
                turn,
                until: began + at.plan.policy.barge_in,
            },
            // The caller was not done after all, and has heard none of the answer.
            Floor::Thinking { turn } | Floor::Agent { turn } => {
                self.stop(turn, at);
                Floor::Caller
            }
            floor @ (Floor::Contested { .. } | Floor::Closing { .. }) => floor,
        };
    }

    fn speech_ended(&mut self, ended: Instant, at: &mut Moment<'_>) -> Option<End> {
        at.event(Event::CallerSpeechEnded);
        self.hearing.speech_ended(ended);
        self.floor = match self.floor.take() {
            Floor::Caller => Floor::Pause {
                ended,
                until: ended + at.plan.policy.endpoint,
            },
            // A murmur of assent, not a bid for the floor.
            Floor::Contested { turn, .. } => Floor::Agent { turn },
            floor @ (Floor::Open { .. }
            | Floor::Pause { .. }
            | Floor::Finalizing { .. }
            | Floor::Thinking { .. }
            | Floor::Agent { .. }
            | Floor::Closing { .. }) => floor,
        };
        self.settle(at)
    }

    /// The turn detector has an opinion. It moves the end of the pause, never beyond the longest.
    pub(super) fn end_of_turn_guessed(&mut self, probability: f32, at: &Moment<'_>) {
        let policy = &at.plan.policy;
        if let Floor::Pause { ended, until } = &mut self.floor {
            let pause = if probability > SURELY_DONE {
                policy.endpoint_short
            } else if probability < SURELY_NOT_DONE {
                policy.endpoint_long
            } else {
                policy.endpoint
            };
            *until = *ended + pause;
        }
    }

    /// Words in the making prove that a sound over the agent was speech.
    pub(super) fn partial(&mut self, text: &str, at: &mut Moment<'_>) -> Option<End> {
        let text = text.trim();
        let spoke = self.hearing.has_sounded();
        if has_words(text) {
            at.event(Event::CallerHearing { text: text.into() });
        }
        let fresh = self.hearing.partial(text);
        if !has_words(fresh) || is_backchannel(fresh) {
            return None;
        }
        match &self.floor {
            Floor::Contested { .. } => {
                self.barge_in(at);
                self.floor = Floor::Caller;
            }
            // The sound has ended already; that it was heard at all is half of the proof.
            Floor::Agent { turn } if turn.begun && spoke => self.lose_floor(at),
            // Too quiet for the detector, but not for the transcriber.
            Floor::Open { .. } => self.pause(at.now, at),
            Floor::Caller
            | Floor::Pause { .. }
            | Floor::Finalizing { .. }
            | Floor::Thinking { .. }
            | Floor::Agent { .. }
            | Floor::Closing { .. } => {}
        }
        None
    }

    /// Final words are never dropped, whoever has the floor when they arrive.
    pub(super) fn words(&mut self, text: &str, at: &mut Moment<'_>) -> Option<End> {
        let sounded = self.hearing.has_sounded();
        let words = self.hearing.words(text, at);
        match &self.floor {
            Floor::Finalizing { ended, .. } if self.hearing.is_answered() => {
                let ended = *ended;
                return self.end_of_turn(ended, at);
            }
            Floor::Open { .. } if !words.is_empty() => {
                let ended = self.hearing.ended().filter(|_| sounded);
                self.pause(ended.unwrap_or(at.now), at);
            }
            // A murmur neither stops the agent nor is it lost: it joins the next turn.
            Floor::Thinking { .. } | Floor::Agent { .. } | Floor::Contested { .. }
                if !words.is_empty() && !is_backchannel(&words) =>
            {
                self.lose_floor(at);
            }
            Floor::Open { .. }
            | Floor::Caller
            | Floor::Pause { .. }
            | Floor::Finalizing { .. }
            | Floor::Thinking { .. }
            | Floor::Agent { .. }
            | Floor::Contested { .. }
            | Floor::Closing { .. } => {}
        }
        None
    }

    /// The caller's pause has lasted long enough.
    pub(super) fn end_of_pause(&mut self, ended: Instant, at: &mut Moment<'_>) -> Option<End> {
        if !self.hearing.finalize(at) {
            return self.end_of_turn(ended, at);
        }
        self.floor = Floor::Finalizing {
            ended,
            until: at.now + at.plan.policy.finalize,
        };
        None
    }

    /// All words of the caller's turn are there.
    pub(super) fn end_of_turn(&mut self, ended: Instant, at: &mut Moment<'_>) -> Option<End> {
        let lasted = at.now.saturating_duration_since(self.began);
        let rounds = &at.plan.policy.rounds;
        if !self.hearing.untold().is_empty() && self.circles.is_enough(rounds, lasted) {
            return self.close(gateway(Why::Loop), at);
        }
        let (said, transcribed) = self.hearing.take();
        if said.is_empty() || self.muted {
            // Nobody would hear an answer: what was said waits for the next one.
            self.hearing.put_back(said);
            self.free(ended, at);
            return None;
        }
        let turn = self.next_turn();
        at.event(Event::AgentTurnStarted {
            text: said.clone().into(),
        });
        at.agent(output::Agent::Turn {
            turn,
            said: said.clone().into(),
        });
        self.floor = Floor::Thinking {
            turn: Turn::answer(
                turn,
                said,
                Stages::new(turn, ended, transcribed, at.now),
                at.now,
            ),
        };
        None
    }

    /// The caller's words take the floor from whoever speaks in our name.
    fn lose_floor(&mut self, at: &mut Moment<'_>) {
        self.barge_in(at);
        if self.hearing.is_speaking() {
            self.floor = Floor::Caller;
        } else {
            self.pause(at.now, at);
        }
    }

    fn pause(&mut self, ended: Instant, at: &Moment<'_>) {
        self.floor = Floor::Pause {
            ended,
            until: ended + at.plan.policy.endpoint,
        };
    }
}

/// What the turn detector must say to end a turn early, or late.
const SURELY_DONE: f32 = 0.7;
const SURELY_NOT_DONE: f32 = 0.3;
