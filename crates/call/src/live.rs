use std::time::Instant;

use crate::conversation::Conversation;
use crate::event::{End, Party, Why};
use crate::input::{Carrier, Command, Input};
use crate::last_words::LastWords;
use crate::moment::Moment;
use crate::notice::Notice;
use crate::{Event, Mode, Plan, Private, output};

/// A call with sound.
#[derive(Debug)]
pub(crate) struct Live {
    limit: Instant,
    talk: Talk,
}

/// What the sound is for.
#[derive(Debug)]
enum Talk {
    Conversation(Box<Conversation>),
    Notice(Box<Notice>),
    Loopback,
}

impl Live {
    pub(crate) fn start(at: &mut Moment<'_>) -> Self {
        let talk = match &at.plan.mode {
            Mode::Conversation { opening } => {
                Talk::Conversation(Box::new(Conversation::start(opening, at)))
            }
            Mode::Notify { text } => Talk::Notice(Box::new(Notice::start(text, at))),
            Mode::Loopback => Talk::Loopback,
        };
        Self {
            limit: at.now + at.plan.policy.limit,
            talk,
        }
    }

    /// Handles one input. Returns how the call should end, if it should.
    pub(crate) fn handle(&mut self, input: Input, at: &mut Moment<'_>) -> Option<End> {
        let too_long = matches!(input, Input::Timeout) && self.limit <= at.now;
        let end = End {
            by: Party::Gateway,
            why: Why::TimeLimit,
        };
        if let Input::Command(Command::Press(keys)) = &input {
            at.event(Event::AgentPressed {
                digits: Private::from(keys.as_str()),
            });
            at.media(output::Media::Press(keys.clone()));
        }
        match &mut self.talk {
            Talk::Conversation(talk) if too_long && !talk.is_closing() => talk.close(end, at),
            Talk::Conversation(talk) => talk.handle(input, at),
            // A notification that lasts this long is beyond a goodbye, and an echo has no voice.
            Talk::Notice(_) | Talk::Loopback if too_long => Some(end),
            Talk::Notice(notice) => notice.handle(input, at),
            Talk::Loopback => {
                if let Input::Carrier(Carrier::Pressed(digit)) = input {
                    at.event(Event::CallerPressed {
                        digit: Private::new(digit.as_char()),
                    });
                }
                None
            }
        }
    }

    /// When something is due, and what.
    pub(crate) fn deadline(&self, plan: &Plan) -> Option<(Instant, &'static str)> {
        let limit = Some((self.limit, "time limit"));
        let (talk, limit) = match &self.talk {
            // It has a deadline of its own by which it ends.
            Talk::Conversation(talk) if talk.is_closing() => (talk.deadline(plan), None),
            Talk::Conversation(talk) => (talk.deadline(plan), limit),
            Talk::Notice(notice) => (notice.deadline(&plan.policy), limit),
            Talk::Loopback => (None, limit),
        };
        talk.into_iter().chain(limit).min()
    }

    /// Stops speaking, because there is nobody to hear it any more.
    pub(crate) fn leave(self, at: &mut Moment<'_>) -> LastWords {
        match self.talk {
            Talk::Conversation(talk) => talk.leave(at),
            Talk::Notice(notice) => notice.leave(at),
            Talk::Loopback => LastWords::None,
        }
    }
}
