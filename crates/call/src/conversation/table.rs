//! A conversation with several people at once: an agent's at a meeting.

use super::Conversation;
use crate::Event;
use crate::event::End;
use crate::floor::Floor;
use crate::input::Meeting;
use crate::moment::Moment;
use crate::voice::Stopped;

impl Conversation {
    /// Something happened to the agent at the meeting. While nobody hears it, it says nothing, and is given
    /// no turn.
    pub(super) fn meeting(&mut self, news: Meeting, at: &mut Moment<'_>) -> Option<End> {
        match news {
            Meeting::Muted => {
                at.event(Event::MeetingMuted);
                self.muted = true;
                self.fall_silent(at)
            }
            Meeting::Speaking => {
                at.event(Event::MeetingSpeaking);
                None
            }
            Meeting::StoppedSpeaking => {
                at.event(Event::MeetingStoppedSpeaking);
                None
            }
            Meeting::Unmuted => {
                at.event(Event::MeetingUnmuted);
                self.muted = false;
                None
            }
        }
    }

    /// Nobody hears the rest of what is being said.
    fn fall_silent(&mut self, at: &mut Moment<'_>) -> Option<End> {
        self.floor = match self.floor.take() {
            Floor::Closing { end, .. } => return Some(end),
            Floor::Thinking { turn } | Floor::Agent { turn } | Floor::Contested { turn, .. } => {
                self.stop(turn, at);
                if self.hearing.is_speaking() {
                    Floor::Caller
                } else {
                    Floor::Open { since: at.now }
                }
            }
            floor @ (Floor::Open { .. }
            | Floor::Caller
            | Floor::Pause { .. }
            | Floor::Finalizing { .. }) => {
                self.voice.cut(Stopped::Nobody, at);
                floor
            }
        };
        None
    }
}
