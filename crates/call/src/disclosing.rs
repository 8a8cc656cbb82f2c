use std::time::{Duration, Instant};

use media::{Edge, UtteranceId};

use crate::event::{Consent, End, Party, Unrecorded, Why};
use crate::input::{Carrier, Command, Input, Media, Speech};
use crate::last_words::LastWords;
use crate::moment::Moment;
use crate::screening::Heard;
use crate::voice::Voice;
use crate::words::{Said, Yes, answer};
use crate::{Announcement, Digit, Event, Place, Private, Recording, output};

/// Everyone hears first who speaks to them, and perhaps that the call is recorded.
///
/// The sound of it was made before the call began, so it takes no mouth, and nobody cuts it short:
/// what they say meanwhile is kept for whoever talks to them next. After a break of the line it is
/// heard from its beginning again.
#[derive(Debug)]
pub(crate) struct Disclosing {
    stage: Stage,
    then: Then,
    heard: Heard,
    /// Nobody hears what they say.
    deaf: bool,
    /// Where at a meeting they are wanted once it was heard.
    place: Option<Place>,
}

#[derive(Debug)]
enum Stage {
    /// It is heard. By then it must have been.
    Playing { until: Instant },
    /// They were asked whether the call may be recorded, and may answer until then. What they began to
    /// say before is no answer: many a phone is picked up with "yes?".
    Asked { until: Instant, reply: Reply },
}

/// Whether what is heard can be an answer.
#[derive(Debug)]
enum Reply {
    /// They have said nothing since they were asked.
    NotYet,
    /// They have, and had said this before.
    Begun { before: String },
}

/// What follows it.
#[derive(Debug)]
pub(crate) enum Then {
    /// What was planned.
    AsPlanned,
    /// This, said to a machine.
    Leave(Private<String>),
}

/// Whether it is over.
#[derive(Debug)]
pub(crate) enum Disclosed {
    Wait,
    Over,
    /// The call ends like this.
    End(End),
}

/// What there is once it is over.
#[derive(Debug)]
pub(crate) struct After {
    pub(crate) then: Then,
    pub(crate) heard: Heard,
    pub(crate) deaf: bool,
    pub(crate) place: Option<Place>,
}

impl Disclosing {
    pub(crate) fn start(
        announcement: &Announcement,
        then: Then,
        heard: Heard,
        at: &mut Moment<'_>,
    ) -> Self {
        at.media(output::Media::Announce);
        Self {
            stage: playing(announcement, at),
            then,
            heard,
            deaf: false,
            place: None,
        }
    }

    /// Handles one input.
    pub(crate) fn handle(&mut self, input: Input, at: &mut Moment<'_>) -> Disclosed {
        match input {
            Input::Media(Media::Progress(progress))
                if progress.utterance == ANNOUNCEMENT && progress.done =>
            {
                return self.played(at);
            }
            Input::Media(Media::Edge(edge)) => {
                if let Edge::SpeechStarted { .. } = edge {
                    self.reply();
                }
                self.heard.edge(edge, at);
            }
            Input::Speech(Speech::EarsFailed(code)) => {
                at.event(Event::SpeechFailed { code });
                self.deaf = true;
            }
            Input::Speech(input) => self.heard.speech(input, at),
            Input::Carrier(Carrier::Pressed(digit)) => return self.pressed(digit, at),
            Input::Command(Command::Press(keys)) => {
                // They are heard in the middle of it.
                if let Stage::Playing { until } = &mut self.stage {
                    *until += keys.length();
                }
            }
            // Nothing is said before who speaks is, and this comes before all else.
            Input::Command(Command::Help(text)) => {
                self.heard.waiting.insert(0, (at.now, text.into_revealed()));
            }
            Input::Command(
                Command::Disprove(text)
                | Command::Prove(text)
                | Command::Refuse(_, text)
                | Command::Say(text),
            ) => {
                self.heard.waiting.push((at.now, text.into_revealed()));
            }
            Input::Timeout => return self.timeout(at),

            // No turn was given yet; the rest is the call's business.
            Input::Agent(_)
            | Input::Carrier(
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
                | Command::Sit(_)
                | Command::Stand(_)
                | Command::Transfer(_),
            )
            | Input::Meeting(_)
            | Input::Media(Media::Answerer(_) | Media::Cut(_) | Media::Progress(_)) => {}
        }
        self.answered(at)
    }

    /// They are to take this place at a meeting once they know who speaks to them.
    pub(crate) fn sits(&mut self, place: Place) {
        self.place = Some(place);
    }

    /// When something is due, and what.
    pub(crate) fn deadline(&self) -> (Instant, &'static str) {
        match &self.stage {
            Stage::Playing { until } => (*until, "the end of the disclosure"),
            Stage::Asked { until, .. } => (*until, "whether the call may be recorded"),
        }
    }

    /// There is a line again, after it was gone.
    pub(crate) fn go_on(&mut self, at: &mut Moment<'_>) {
        self.heard.hearing.give_up(at);
        self.heard.hearing.speech_lost();
        match (&self.stage, &at.plan.announcement) {
            (Stage::Playing { .. }, Some(announcement)) => {
                self.stage = playing(announcement, at);
                at.media(output::Media::Announce);
            }
            (Stage::Playing { .. }, None) | (Stage::Asked { .. }, _) => self.ask(at),
        }
    }

    /// Ends it: something else follows.
    pub(crate) fn over(self) -> After {
        let Self {
            stage,
            then,
            mut heard,
            deaf,
            place,
        } = self;
        if let Stage::Asked {
            reply: Reply::Begun { before },
            ..
        } = stage
        {
            heard.hearing.put_back(before);
        }
        After {
            then,
            heard,
            deaf,
            place,
        }
    }

    /// Nobody hears anything any more.
    pub(crate) fn leave(self, at: &mut Moment<'_>) -> LastWords {
        at.media(output::Media::Cut(ANNOUNCEMENT));
        LastWords::new(self.heard.hearing, Voice::new())
    }

    /// They heard all of it.
    fn played(&mut self, at: &mut Moment<'_>) -> Disclosed {
        let (Stage::Playing { .. }, Some(announcement)) = (&self.stage, &at.plan.announcement)
        else {
            return Disclosed::Wait;
        };
        at.event(Event::DisclosurePlayed {
            text: announcement.text.clone(),
            sha256: announcement.sha256.clone(),
            bytes: announcement.bytes,
        });
        match at.plan.recording {
            Recording::Never | Recording::AtOnce => Disclosed::Over,
            Recording::Announced => {
                record(Consent::Announced, at);
                Disclosed::Over
            }
            Recording::Asked => {
                self.ask(at);
                Disclosed::Wait
            }
        }
    }

    fn ask(&mut self, at: &mut Moment<'_>) {
        // Whatever is left of what they said before comes now, and not as an answer.
        self.heard.hearing.finalize(at);
        self.stage = Stage::Asked {
            until: at.now + ANSWER,
            reply: Reply::NotYet,
        };
    }

    /// They begin to speak.
    fn reply(&mut self) {
        if let Stage::Asked {
            reply: reply @ Reply::NotYet,
            ..
        } = &mut self.stage
            && self.heard.hearing.is_answered()
            && !self.heard.hearing.is_speaking()
        {
            let (before, _) = self.heard.hearing.take();
            *reply = Reply::Begun { before };
        }
    }

    /// Whether what they said is an answer.
    fn answered(&mut self, at: &mut Moment<'_>) -> Disclosed {
        let Stage::Asked {
            reply: Reply::Begun { .. },
            ..
        } = &self.stage
        else {
            return Disclosed::Wait;
        };
        if !self.heard.hearing.is_speaking() && self.heard.hearing.is_answered() {
            self.heard.hearing.finalize(at);
        }
        match answer(self.heard.hearing.untold()) {
            None => Disclosed::Wait,
            Some((yes, Said::NothingElse)) => {
                // The agent never asked for it.
                self.heard.hearing.take();
                self.decided(yes, at)
            }
            Some((yes, Said::More)) => self.decided(yes, at),
        }
    }

    fn decided(&mut self, yes: Yes, at: &mut Moment<'_>) -> Disclosed {
        match yes {
            Yes::Yes => record(Consent::Given, at),
            Yes::No => at.event(Event::RecordingRefused {
                why: Unrecorded::Declined,
            }),
        }
        Disclosed::Over
    }

    fn pressed(&mut self, digit: Digit, at: &mut Moment<'_>) -> Disclosed {
        at.event(Event::CallerPressed {
            digit: Private::new(digit.as_char()),
        });
        match (&self.stage, digit.as_char()) {
            (Stage::Asked { .. }, '1') => self.decided(Yes::Yes, at),
            (Stage::Asked { .. }, _) => self.decided(Yes::No, at),
            (Stage::Playing { .. }, _) => {
                at.agent(output::Agent::Pressed(digit));
                Disclosed::Wait
            }
        }
    }

    fn timeout(&mut self, at: &mut Moment<'_>) -> Disclosed {
        match &mut self.stage {
            // Whoever cannot be told is not talked to.
            Stage::Playing { until } if *until <= at.now => Disclosed::End(End {
                by: Party::Gateway,
                why: Why::Fault,
            }),
            // They are still at it.
            Stage::Asked { until, .. } if *until <= at.now && self.heard.hearing.is_speaking() => {
                *until = at.now + LONGER;
                Disclosed::Wait
            }
            Stage::Asked { until, .. } if *until <= at.now => {
                at.event(Event::RecordingRefused {
                    why: Unrecorded::NoAnswer,
                });
                Disclosed::Over
            }
            Stage::Playing { .. } | Stage::Asked { .. } => Disclosed::Wait,
        }
    }
}

/// From now on the call is recorded.
pub(crate) fn record(consent: Consent, at: &mut Moment<'_>) {
    at.event(Event::RecordingStarted { consent });
    at.media(output::Media::Record);
}

fn playing(announcement: &Announcement, at: &Moment<'_>) -> Stage {
    Stage::Playing {
        until: at.now + announcement.length + OVERDUE,
    }
}

/// What an announcement is played as: it comes before every utterance of the mouth's.
pub const ANNOUNCEMENT: UtteranceId = UtteranceId(0);

/// How much longer than its sound an announcement may take to be heard.
const OVERDUE: Duration = Duration::from_secs(10);

/// How long someone may think about whether the call may be recorded.
const ANSWER: Duration = Duration::from_secs(8);

/// How much longer, where they speak.
const LONGER: Duration = Duration::from_secs(4);
