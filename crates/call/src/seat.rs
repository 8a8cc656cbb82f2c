//! A call whose person sits at a meeting: others make the sound, and hear it.

use media::{Edge, UtteranceId};

use crate::conversation::Conversation;
use crate::event::{End, Party, Why};
use crate::hearing::Hearing;
use crate::input::{Agent, Carrier, Command, Input, Media, Meeting, Speech};
use crate::last_words::LastWords;
use crate::memory::Thread;
use crate::moment::Moment;
use crate::plan::Place;
use crate::screening::Heard;
use crate::voice::Voice;
use crate::words::has_words;
use crate::{Event, Private, output};

/// A person at a meeting.
#[derive(Debug)]
pub(crate) struct Seat {
    place: Place,
    /// All they hear of the others is one endless utterance.
    sound: UtteranceId,
    hearing: Hearing,
    /// What waits for them when they stand up.
    after: After,
}

/// What a person who stands up goes back to.
#[derive(Debug)]
enum After {
    /// Nothing: they came for the meeting alone.
    Nothing,
    /// The agent they talked to before.
    Conversation(Box<Conversation>),
}

/// What becomes of someone who sat.
#[derive(Debug)]
pub(crate) enum Next {
    /// They stay.
    Sits,
    /// They talk to their agent again.
    Talks(Box<Conversation>, Option<End>),
    /// There is nothing left for them to do.
    Ends(End),
}

impl Seat {
    /// Someone who is called to a meeting, and has sound now.
    pub(crate) fn take(place: &Place, at: &mut Moment<'_>) -> Self {
        Self::sit(place.clone(), UtteranceId(1), After::Nothing, at)
    }

    /// The same who was listened to already: what they said is passed on, and so is what the owner wants said.
    pub(crate) fn take_heard(place: &Place, heard: Heard, at: &mut Moment<'_>) -> Self {
        let mut seat = Self::take(place, at);
        seat.hearing = heard.hearing;
        let (said, _) = seat.hearing.take();
        if !said.is_empty() {
            at.meeting(output::Meeting::Said(said.into()));
        }
        if !seat.hearing.is_speaking() {
            seat.hearing.finalize(at);
        }
        for (_, text) in heard.waiting {
            at.meeting(output::Meeting::Say(text.into()));
        }
        seat
    }

    /// Someone who talked to an agent until now.
    pub(crate) fn leave_agent(
        place: Place,
        mut talk: Box<Conversation>,
        at: &mut Moment<'_>,
    ) -> Self {
        let hearing = talk.step_aside(at);
        let sound = talk.reserve();
        Self {
            hearing,
            ..Self::sit(place, sound, After::Conversation(talk), at)
        }
    }

    fn sit(place: Place, sound: UtteranceId, after: After, at: &mut Moment<'_>) -> Self {
        at.event(Event::MeetingJoined {
            meeting: place.meeting.clone(),
        });
        at.meeting(output::Meeting::Sit(sound));
        Self {
            place,
            sound,
            hearing: Hearing::default(),
            after,
        }
    }

    /// Someone who sat at a meeting when their gateway was lost. They have no line yet.
    pub(crate) fn recall(
        place: Place,
        last: UtteranceId,
        thread: Option<Thread>,
        at: &Moment<'_>,
    ) -> Self {
        let after = thread.map_or(After::Nothing, |thread| {
            After::Conversation(Box::new(Conversation::recall(thread, at)))
        });
        Self {
            place,
            sound: last,
            hearing: Hearing::default(),
            after,
        }
    }

    /// What must be remembered: where they sit, the last utterance, and what they would go back to.
    pub(crate) fn memory(&self) -> (Place, UtteranceId, Option<Thread>) {
        let thread = match &self.after {
            After::Nothing => None,
            After::Conversation(talk) => talk.memory().map(|(thread, _)| thread),
        };
        (self.place.clone(), self.sound, thread)
    }

    /// There is a line again.
    pub(crate) fn go_on(&mut self, at: &mut Moment<'_>) {
        self.hearing.give_up(at);
        self.hearing.speech_lost();
        at.meeting(output::Meeting::Sit(self.sound));
    }

    /// Handles one input.
    pub(crate) fn handle(&mut self, input: Input, at: &mut Moment<'_>) -> Next {
        if let After::Conversation(talk) = &mut self.after {
            talk.settle_cut(&input, at);
        }
        match input {
            Input::Agent(input) => self.agent(input, at),
            Input::Carrier(Carrier::Pressed(digit)) => {
                at.event(Event::CallerPressed {
                    digit: Private::new(digit.as_char()),
                });
                at.meeting(output::Meeting::Pressed(digit));
            }
            Input::Command(
                Command::Disprove(text)
                | Command::Help(text)
                | Command::Prove(text)
                | Command::Refuse(_, text)
                | Command::Say(text),
            ) => at.meeting(output::Meeting::Say(text)),
            Input::Command(Command::Stand(text)) => return self.stand(&text, at),
            Input::Meeting(news) => at.event(match news {
                Meeting::Muted => Event::MeetingMuted,
                Meeting::Speaking => Event::MeetingSpeaking,
                Meeting::StoppedSpeaking => Event::MeetingStoppedSpeaking,
                Meeting::Unmuted => Event::MeetingUnmuted,
            }),
            Input::Media(Media::Edge(edge)) => self.edge(edge, at),
            Input::Speech(input) => self.speech(input, at),
            // Nobody takes turns here, and the rest is the call's business.
            Input::Carrier(
                Carrier::Answered
                | Carrier::AnsweredBy(_)
                | Carrier::Connected
                | Carrier::Disconnected
                | Carrier::Dropped
                | Carrier::Ended(_)
                | Carrier::Joined
                | Carrier::Parted
                | Carrier::PutBack(_)
                | Carrier::Ringing,
            )
            | Input::Command(
                Command::Dismiss
                | Command::Forbid
                | Command::OptOut
                | Command::HangUp
                | Command::Limit(_)
                | Command::Press(_)
                | Command::Sit(_)
                | Command::Transfer(_),
            )
            | Input::Media(Media::Answerer(_) | Media::Cut(_) | Media::Progress(_))
            | Input::Timeout => {}
        }
        Next::Sits
    }

    fn edge(&mut self, edge: Edge, at: &mut Moment<'_>) {
        match edge {
            Edge::SpeechStarted { .. } => {
                at.event(Event::CallerSpeechStarted);
                self.hearing.speech_started();
                at.meeting(output::Meeting::Speaks);
            }
            Edge::SpeechEnded { ago } => {
                at.event(Event::CallerSpeechEnded);
                self.hearing.speech_ended(at.before(ago));
                if !self.hearing.finalize(at) {
                    at.meeting(output::Meeting::Said(String::new().into()));
                }
            }
        }
    }

    fn speech(&mut self, input: Speech, at: &mut Moment<'_>) {
        match input {
            Speech::EarsFailed(code) => {
                at.event(Event::SpeechFailed { code });
                at.meeting(output::Meeting::Said(String::new().into()));
            }
            Speech::Final(text) => {
                let words = self.hearing.words(text.reveal(), at);
                // It is all passed on, and nothing of it waits for a turn.
                self.hearing.take();
                at.meeting(output::Meeting::Said(words.into()));
            }
            Speech::Partial(text) => {
                self.hearing.partial(text.reveal());
                if has_words(text.reveal()) {
                    at.event(Event::CallerHearing { text });
                }
            }
            // Nothing is said here in our name, and nobody waits for the end of a turn.
            Speech::Begun(_)
            | Speech::EndOfTurn { .. }
            | Speech::Length(..)
            | Speech::MouthFailed(..) => {}
        }
    }

    /// The agent goes on thinking, but what it says waits.
    fn agent(&mut self, input: Agent, at: &mut Moment<'_>) {
        if let After::Conversation(talk) = &mut self.after {
            // A conversation without a line does not end of itself.
            let _ = talk.handle(Input::Agent(input), at);
        }
    }

    fn stand(&mut self, text: &Private<String>, at: &mut Moment<'_>) -> Next {
        at.event(Event::MeetingLeft {
            meeting: self.place.meeting.clone(),
        });
        at.meeting(output::Meeting::Stand);
        match std::mem::replace(&mut self.after, After::Nothing) {
            After::Nothing => Next::Ends(OVER),
            After::Conversation(mut talk) => {
                talk.take_back(std::mem::take(&mut self.hearing));
                let end = talk.come_back(text, at);
                Next::Talks(talk, end)
            }
        }
    }

    /// Nobody sits here any more.
    pub(crate) fn leave(self, at: &mut Moment<'_>) -> LastWords {
        match self.after {
            After::Nothing => LastWords::new(self.hearing, Voice::new()),
            After::Conversation(mut talk) => {
                talk.take_back(self.hearing);
                talk.leave(at)
            }
        }
    }
}

/// A meeting that is over is over for whoever came for it alone.
const OVER: End = End {
    by: Party::Gateway,
    why: Why::Completed,
};
