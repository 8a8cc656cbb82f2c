use std::time::{Duration, Instant};

use media::Edge;
use media::machine::{Answerer, Ending, Evidence, Finding};

use crate::event::{Answered, End, Judge, Party, Who, Why};
use crate::hearing::Hearing;
use crate::input::{Carrier, Command, Input, Media, Speech};
use crate::last_words::LastWords;
use crate::moment::Moment;
use crate::voice::Voice;
use crate::words::has_words;
use crate::{Event, Machine, Mode, Plan, Private, output};

/// Listening to whoever picked up a call of ours before anything is said: is it a person?
///
/// The first verdict stands, whoever gives it. Where the carrier is to give it, our own waits, and
/// counts if the carrier says nothing in time or a beep says it all. Where a greeting ends, only the
/// sound can tell.
#[derive(Debug)]
pub(crate) struct Screening {
    stage: Stage,
    /// The greeting was heard to its end, perhaps before anyone knew what it was.
    ended: Option<Ending>,
    /// What they said.
    heard: Heard,
    /// The carrier's word, where it came while there was no line.
    told: Option<Who>,
}

/// What was heard, and what the owner wants said, before we said anything.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) hearing: Hearing,
    pub(crate) waiting: Vec<(Instant, String)>,
}

#[derive(Debug)]
enum Stage {
    /// Nobody has given a verdict that counts.
    Judging {
        until: Instant,
        own: Option<(Answerer, Evidence)>,
    },
    /// It is a machine, and it is to be left a message.
    Greeting { until: Instant },
}

/// What follows.
#[derive(Debug)]
pub(crate) enum Screened {
    Wait,
    /// The call ends like this.
    End(End),
    /// It goes on as planned.
    Person,
    /// This is said to the machine, now.
    Leave(Private<String>),
}

impl Screening {
    pub(crate) fn start(at: &mut Moment<'_>) -> Self {
        at.media(output::Media::JudgeAnswerer);
        Self {
            stage: Stage::Judging {
                until: at.now + DECIDED,
                own: None,
            },
            ended: None,
            heard: Heard::default(),
            told: None,
        }
    }

    /// Handles one input.
    pub(crate) fn handle(&mut self, input: Input, at: &mut Moment<'_>) -> Screened {
        match input {
            Input::Carrier(Carrier::AnsweredBy(who)) => return self.told(who, at),
            Input::Media(Media::Answerer(Finding::Answered(who, evidence))) => {
                return self.found(who, evidence, at);
            }
            Input::Media(Media::Answerer(Finding::GreetingEnded(ending))) => {
                self.ended = Some(ending);
                return self.greeting_over(at);
            }
            Input::Media(Media::Edge(edge)) => self.heard.edge(edge, at),
            Input::Speech(input) => return self.speech(input, at),
            Input::Carrier(Carrier::Pressed(digit)) => {
                at.event(Event::CallerPressed {
                    digit: Private::new(digit.as_char()),
                });
                at.agent(output::Agent::Pressed(digit));
            }
            Input::Command(
                Command::Disprove(text)
                | Command::Help(text)
                | Command::Prove(text)
                | Command::Refuse(_, text)
                | Command::Say(text),
            ) => {
                self.heard.waiting.push((at.now, text.into_revealed()));
            }
            Input::Timeout => return self.timeout(at),

            // Nothing has been said, no turn was given; the rest is the call's business.
            Input::Agent(_)
            | Input::Carrier(
                Carrier::Answered
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
                | Command::Stand(_)
                | Command::Transfer(_),
            )
            | Input::Meeting(_)
            | Input::Media(Media::Cut(_) | Media::Progress(_)) => {}
        }
        Screened::Wait
    }

    /// When something is due, and what.
    pub(crate) fn deadline(&self) -> (Instant, &'static str) {
        match self.stage {
            Stage::Judging { until, .. } => (until, "who picked up"),
            Stage::Greeting { until } => (until, "the end of a machine's greeting"),
        }
    }

    /// The carrier says who picked up, and there is no line to do anything about it.
    pub(crate) fn told_without_line(&mut self, who: Who) {
        self.told = Some(who);
    }

    /// There is a line again, after it was gone.
    pub(crate) fn go_on(&mut self, at: &mut Moment<'_>) -> Screened {
        self.heard.hearing.give_up(at);
        self.heard.hearing.speech_lost();
        self.ended = None;
        at.media(output::Media::JudgeAnswerer);
        match &mut self.stage {
            Stage::Judging { until, .. } => *until = at.now + DECIDED,
            Stage::Greeting { until } => *until = at.now + ENDLESS,
        }
        let told = self.told.take();
        told.map_or(Screened::Wait, |who| self.told(who, at))
    }

    /// Ends it: something else follows.
    pub(crate) fn into_heard(self) -> Heard {
        self.heard
    }

    /// Nobody hears anything any more.
    pub(crate) fn leave(self) -> LastWords {
        LastWords::new(self.heard.hearing, Voice::new())
    }

    /// The carrier's word.
    fn told(&mut self, who: Who, at: &mut Moment<'_>) -> Screened {
        match self.stage {
            Stage::Judging { .. } => self.decided(Answered::by_carrier(who), at),
            Stage::Greeting { .. } => Screened::Wait,
        }
    }

    /// Our own.
    fn found(&mut self, who: Answerer, evidence: Evidence, at: &mut Moment<'_>) -> Screened {
        match &mut self.stage {
            Stage::Judging { own, .. } => {
                if judge(at.plan) == Judge::Gateway || evidence.beep.is_some() {
                    return self.decided(Answered::by_us(who, evidence), at);
                }
                *own = Some((who, evidence));
                Screened::Wait
            }
            Stage::Greeting { .. } => Screened::Wait,
        }
    }

    fn decided(&mut self, answered: Answered, at: &mut Moment<'_>) -> Screened {
        let who = answered.who;
        at.event(Event::AnsweredBy(answered));
        match (who, &at.plan.machine) {
            (Who::Machine, Machine::HangUp(_)) => Screened::End(End {
                by: Party::Gateway,
                why: Why::Machine,
            }),
            (Who::Machine, Machine::Leave(_, _)) => {
                self.stage = Stage::Greeting {
                    until: at.now + ENDLESS,
                };
                self.greeting_over(at)
            }
            (Who::Human | Who::Unknown, _) | (Who::Machine, Machine::Talk) => Screened::Person,
        }
    }

    /// Speaks once it is a machine and its greeting is over.
    fn greeting_over(&mut self, at: &mut Moment<'_>) -> Screened {
        let (Stage::Greeting { .. }, Some(ending)) = (&self.stage, self.ended) else {
            return Screened::Wait;
        };
        at.event(Event::GreetingEnded {
            beep: matches!(ending, Ending::Beep(_)),
        });
        match &at.plan.machine {
            Machine::Leave(_, text) => Screened::Leave(text.clone()),
            Machine::HangUp(_) | Machine::Talk => Screened::Person,
        }
    }

    fn timeout(&mut self, at: &mut Moment<'_>) -> Screened {
        match self.stage {
            Stage::Judging { until, own } if until <= at.now => {
                let (who, evidence) = own.unwrap_or((Answerer::Unknown, Evidence::default()));
                self.decided(Answered::by_us(who, evidence), at)
            }
            Stage::Greeting { until } if until <= at.now => {
                self.ended.get_or_insert(Ending::Endless);
                self.greeting_over(at)
            }
            Stage::Judging { .. } | Stage::Greeting { .. } => Screened::Wait,
        }
    }

    fn speech(&mut self, input: Speech, at: &mut Moment<'_>) -> Screened {
        if let Speech::EarsFailed(code) = input {
            at.event(Event::SpeechFailed { code });
            // Whoever cannot hear must not pretend to listen. To say something takes no ears.
            if let Mode::Conversation { .. } = at.plan.mode {
                return Screened::End(End {
                    by: Party::Gateway,
                    why: Why::Fault,
                });
            }
        } else {
            self.heard.speech(input, at);
        }
        Screened::Wait
    }
}

impl Heard {
    pub(crate) fn edge(&mut self, edge: Edge, at: &mut Moment<'_>) {
        match edge {
            Edge::SpeechStarted { .. } => {
                at.event(Event::CallerSpeechStarted);
                self.hearing.speech_started();
            }
            Edge::SpeechEnded { ago } => {
                at.event(Event::CallerSpeechEnded);
                self.hearing.speech_ended(at.before(ago));
            }
        }
    }

    pub(crate) fn speech(&mut self, input: Speech, at: &mut Moment<'_>) {
        match input {
            Speech::Final(text) => {
                self.hearing.words(text.reveal(), at);
            }
            Speech::Partial(text) => {
                self.hearing.partial(text.reveal());
                if has_words(text.reveal()) {
                    at.event(Event::CallerHearing { text });
                }
            }
            // Nothing was asked of the mouth, and deaf ears are for others to judge.
            Speech::Begun(_)
            | Speech::EarsFailed(_)
            | Speech::EndOfTurn { .. }
            | Speech::Length(..)
            | Speech::MouthFailed(..) => {}
        }
    }
}

/// Whose verdict is waited for.
fn judge(plan: &Plan) -> Judge {
    match &plan.machine {
        Machine::HangUp(judge) | Machine::Leave(judge, _) => *judge,
        Machine::Talk => Judge::Gateway,
    }
}

/// Our own verdict is there by [`media::machine::VERDICT`] of sound, the carrier's mostly too: this is
/// for sound that does not come, and for carriers that do not say.
const DECIDED: Duration = Duration::from_secs(6);

/// No greeting is longer, whatever the sound says: a little over what the sound says itself.
const ENDLESS: Duration = Duration::from_secs(70);
