//! A conversation whose line is gone for a while: what is kept, and how it goes on.

use std::collections::VecDeque;
use std::time::Duration;

use media::UtteranceId;

use super::Conversation;
use crate::Private;
use crate::circles::Circles;
use crate::event::End;
use crate::floor::Floor;
use crate::hearing::Hearing;
use crate::memory::{Answering, Holder, Name, Thread, Unheard};
use crate::moment::Moment;
use crate::turn::{More, Speaker, Turn};
use crate::voice::{Rest, Stopped, Voice, Whose};
use crate::words::join;

impl Conversation {
    /// The line is gone. What was being said waits; the caller's last words are asked for.
    pub(crate) fn hold(&mut self, at: &mut Moment<'_>) {
        let heard = self.voice.hold(at);
        if let Some(turn) = self.floor.turn_mut() {
            turn.hear(&heard);
            turn.begun |= !heard.is_empty();
        }
        if self.hearing.is_answered() {
            self.hearing.finalize(at);
        }
        self.floor = match self.floor.take() {
            Floor::Contested { turn, .. } => Floor::Agent { turn },
            Floor::Caller | Floor::Pause { .. } | Floor::Finalizing { .. } => Floor::Caller,
            floor @ (Floor::Open { .. }
            | Floor::Thinking { .. }
            | Floor::Agent { .. }
            | Floor::Closing { .. }) => floor,
        };
    }

    /// There is a line again, after this long without one. Returns how the call should end, if it
    /// should.
    pub(crate) fn go_on(&mut self, gone: Duration, at: &mut Moment<'_>) -> Option<End> {
        self.hearing.give_up(at);
        self.hearing.speech_lost();
        if self.is_closing() || self.muted {
            self.voice.go_on_unexcused(at);
        } else {
            let back = at.plan.phrases.back.reveal();
            self.voice.go_on(gone, back, at);
        }
        self.take_floor_up(at)
    }

    /// The caller goes elsewhere for a while: what was being said is not worth saying any more.
    /// Returns what hears them meanwhile.
    pub(crate) fn step_aside(&mut self, at: &mut Moment<'_>) -> Hearing {
        match self.floor.take().into_turn() {
            Some(turn) => self.stop(turn, at),
            None => self.voice.cut(Stopped::Nobody, at),
        }
        self.floor = Floor::Open { since: at.now };
        self.muted = false;
        self.voice.wait();
        if self.hearing.is_answered() {
            self.hearing.finalize(at);
        }
        let (untold, _) = self.hearing.take();
        std::mem::replace(&mut self.hearing, Hearing::recall(untold))
    }

    /// The caller is heard here again.
    pub(crate) fn take_back(&mut self, hearing: Hearing) {
        let (untold, _) = self.hearing.take();
        self.hearing = hearing;
        self.hearing.put_back(untold);
    }

    /// The caller is back from elsewhere, and is told this first. Returns how the call should end, if
    /// it should.
    pub(crate) fn come_back(&mut self, text: &Private<String>, at: &mut Moment<'_>) -> Option<End> {
        self.voice.go_on_unexcused(at);
        self.voice.say_all(Whose::Ours, text.reveal(), at);
        self.take_floor_up(at)
    }

    /// The same where they had no line meanwhile.
    pub(crate) fn return_to(&mut self, text: &Private<String>, at: &mut Moment<'_>) -> Option<End> {
        self.hearing.give_up(at);
        self.hearing.speech_lost();
        self.come_back(text, at)
    }

    /// A name for sound that is not ours to say.
    pub(crate) fn reserve(&mut self) -> UtteranceId {
        self.voice.reserve()
    }

    fn take_floor_up(&mut self, at: &mut Moment<'_>) -> Option<End> {
        let patient = at.now + at.plan.policy.endpoint_long;
        match self.floor.take() {
            Floor::Open { .. } => self.free(at.now, at),
            // They may have been in the middle of a sentence.
            Floor::Caller
            | Floor::Pause { .. }
            | Floor::Finalizing { .. }
            | Floor::Contested { .. } => {
                self.floor = Floor::Pause {
                    ended: at.now,
                    until: patient,
                };
            }
            Floor::Thinking { mut turn } => {
                (turn.quiet, turn.idle) = (at.now, at.now);
                self.floor = Floor::Thinking { turn };
            }
            Floor::Agent { turn } => self.floor = Floor::Agent { turn },
            Floor::Closing { end, .. } => {
                let until = at.now + self.voice.patience(&at.plan.policy);
                self.floor = Floor::Closing { end, until };
            }
        }
        self.settle(at)
    }

    /// What must be remembered, and what was heard of the clause that is being said. `None`:
    /// nothing yet.
    pub(crate) fn memory(&self) -> Option<(Thread, String)> {
        let (thread, heard) = self.thread();
        let untold = !thread.untold.reveal().is_empty();
        let heard_any = self.voice.sounded() || self.heard.0 > 0 || untold;
        heard_any.then_some((thread, heard))
    }

    /// The same, however little has been said.
    pub(crate) fn thread(&self) -> (Thread, String) {
        let voice = self.voice.rest(SOON);
        let mut of_turn = "";
        if voice.of == Whose::Turn {
            of_turn = &voice.heard;
        }
        let heard = |turn: &Turn| Private::from(join(turn.heard.clone(), of_turn));
        let mut untold = join(self.hearing.untold().to_owned(), self.hearing.in_doubt());
        let floor = match &self.floor {
            Floor::Open { .. } => Holder::Nobody,
            Floor::Caller | Floor::Pause { .. } | Floor::Finalizing { .. } => Holder::Caller,
            Floor::Closing { end, .. } => Holder::Closing(*end),
            Floor::Thinking { turn } | Floor::Agent { turn } | Floor::Contested { turn, .. } => {
                match &turn.speaker {
                    Speaker::Ours => Holder::Nobody,
                    Speaker::Opening => Holder::Opening(heard(turn)),
                    Speaker::Agent { id, said } if turn.spoke => Holder::Agent(Answering {
                        turn: *id,
                        said: said.clone().into(),
                        heard: heard(turn),
                        hangs_up: turn.more == More::HangUp,
                    }),
                    Speaker::Agent { said, .. } => {
                        untold = join(said.clone(), &untold);
                        Holder::Caller
                    }
                }
            }
        };
        let waiting = self.waiting.iter();
        let thread = Thread {
            turn: self.last,
            heard: self.heard,
            last: voice.last,
            untold: untold.into(),
            waiting: waiting.map(|(_, text)| text.clone().into()).collect(),
            unheard: voice.rest.into_iter().map(unheard).collect(),
            floor,
        };
        (thread, voice.heard)
    }

    /// Tells what of the clause was heard that broke off in another process.
    pub(crate) fn broke(&self, heard: Private<String>, at: &mut Moment<'_>) {
        self.voice.broke(heard, at);
    }

    /// A conversation as it was remembered, without a line yet.
    pub(crate) fn recall(thread: Thread, at: &Moment<'_>) -> Self {
        let now = at.now;
        let floor = match thread.floor {
            Holder::Nobody => Floor::Open { since: now },
            Holder::Caller => Floor::Caller,
            Holder::Closing(end) => Floor::Closing { end, until: now },
            Holder::Opening(heard) => {
                let mut turn = Turn::opening(now);
                turn.hear(heard.reveal());
                turn.begun = true;
                Floor::Agent { turn }
            }
            Holder::Agent(answering) => {
                let said = answering.said.into_revealed();
                let mut turn = Turn::agent(answering.turn, said, now);
                turn.hear(answering.heard.reveal());
                turn.begun = !turn.heard.is_empty();
                turn.spoke = true;
                turn.more = if answering.hangs_up {
                    More::HangUp
                } else {
                    More::Nothing
                };
                Floor::Agent { turn }
            }
        };
        let waiting = thread.waiting.into_iter();
        let rest = thread.unheard.into_iter().map(rest).collect();
        Self {
            floor,
            hearing: Hearing::recall(thread.untold.into_revealed()),
            voice: Voice::recall(thread.last, rest, now),
            waiting: waiting
                .map(|text| (now, text.into_revealed()))
                .collect::<VecDeque<_>>(),
            last: thread.turn,
            heard: thread.heard,
            failures: 0,
            muted: false,
            began: now,
            circles: Circles::default(),
        }
    }
}

fn unheard(rest: Rest) -> Unheard {
    let name = match rest.whose {
        Whose::Owner => Name::Owner,
        // Without words, it is never left to be said.
        Whose::Ours | Whose::Pulse => Name::Ours,
        Whose::Turn => Name::Agent,
    };
    Unheard {
        name,
        text: rest.text.into(),
    }
}

fn rest(unheard: Unheard) -> Rest {
    let whose = match unheard.name {
        Name::Owner => Whose::Owner,
        Name::Ours => Whose::Ours,
        Name::Agent => Whose::Turn,
    };
    Rest {
        whose,
        text: unheard.text.into_revealed(),
    }
}

/// Memories are taken a few times a second, and the far end plays on what it has: what would be
/// over by then counts as heard.
pub(crate) const SOON: Duration = Duration::from_millis(350);
