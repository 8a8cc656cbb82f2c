use std::time::{Duration, Instant};

use media::{Edge, UtteranceId};

use crate::clause::clauses;
use crate::conversation::SOON;
use crate::event::{End, Party, Why};
use crate::hearing::Hearing;
use crate::input::{Carrier, Command, Input, Media, Speech};
use crate::last_words::LastWords;
use crate::memory::Talk;
use crate::moment::Moment;
use crate::screening::Heard;
use crate::voice::{Rest, Stopped, Voice, Whose};
use crate::words::has_words;
use crate::{Event, Policy, Private};

/// Saying one thing to whoever picks up.
///
/// People say "Hello?" when they pick up. Whoever begins to within [`HELLO`] of the sound is heard
/// out, for at most [`LONGEST_HELLO`]; then we speak and are not interrupted. It takes no ears to
/// be told something: if they fail, the words are said all the same.
#[derive(Debug)]
pub(crate) struct Notice {
    stage: Stage,
    text: String,
    /// What the owner wants said besides.
    waiting: Vec<String>,
    /// All that has been said, clause by clause.
    script: Vec<String>,
    /// What has to be said again, because some of it could not be said.
    again: Vec<String>,
    /// How often the mouth failed.
    failures: u32,
    hearing: Hearing,
    voice: Voice,
}

#[derive(Debug)]
enum Stage {
    /// Sound flows since then. Perhaps they say hello.
    Listening { since: Instant },
    /// They do.
    Hello { until: Instant },
    /// We speak.
    Speaking,
    /// All was heard. They may want to say something.
    Lingering { until: Instant },
    /// They did, and may have this much longer.
    Extended { until: Instant },
}

impl Notice {
    pub(crate) fn start(text: &Private<String>, at: &Moment<'_>) -> Self {
        Self {
            stage: Stage::Listening { since: at.now },
            text: text.reveal().clone(),
            waiting: Vec::new(),
            script: Vec::new(),
            again: Vec::new(),
            failures: 0,
            hearing: Hearing::default(),
            voice: Voice::new(),
        }
    }

    /// The same to someone who was listened to already: said now, or as soon as they stop speaking.
    pub(crate) fn screened(text: &Private<String>, heard: Heard, at: &mut Moment<'_>) -> Self {
        let mut notice = Self::start(text, at);
        notice.hearing = heard.hearing;
        notice.waiting = heard.waiting.into_iter().map(|(_, it)| it).collect();
        if notice.hearing.is_speaking() && notice.waiting.is_empty() {
            notice.stage = Stage::Hello {
                until: at.now + LONGEST_HELLO,
            };
        } else {
            notice.hearing.finalize(at);
            notice.speak(at);
        }
        notice
    }

    /// The same to a machine whose greeting is over, whatever it does.
    pub(crate) fn left(text: &Private<String>, heard: Heard, at: &mut Moment<'_>) -> Self {
        let mut notice = Self::start(text, at);
        notice.hearing = heard.hearing;
        notice.waiting = heard.waiting.into_iter().map(|(_, it)| it).collect();
        notice.hearing.finalize(at);
        notice.speak(at);
        notice
    }

    /// Handles one input. Returns how the call should end, if it should.
    pub(crate) fn handle(&mut self, input: Input, at: &mut Moment<'_>) -> Option<End> {
        if !matches!(input, Input::Media(Media::Cut(_))) {
            // Sound that was cut has answered by now, or never will.
            self.voice.silenced(None, at);
        }
        match input {
            Input::Media(Media::Edge(edge)) => self.edge(edge, at),
            Input::Media(Media::Progress(progress)) => {
                let mut end = None;
                for skipped in self.voice.skipped(progress) {
                    end = end.or(self.mouth_failed(skipped, MOUTH_STUCK, at));
                }
                self.voice.progress(progress, at);
                self.settle(at);
                return end;
            }
            Input::Media(Media::Cut(cut)) => {
                self.voice.silenced(cut, at);
            }
            Input::Speech(input) => return self.speech(input, at),
            Input::Carrier(Carrier::Pressed(digit)) => at.event(Event::CallerPressed {
                digit: Private::new(digit.as_char()),
            }),
            Input::Command(Command::Press(keys)) => self.voice.press(keys.length(), at),
            Input::Command(
                Command::Disprove(text)
                | Command::Help(text)
                | Command::Prove(text)
                | Command::Refuse(_, text)
                | Command::Say(text),
            ) => {
                self.waiting.push(text.into_revealed());
                match self.stage {
                    Stage::Listening { .. } | Stage::Hello { .. } => {}
                    Stage::Speaking | Stage::Lingering { .. } | Stage::Extended { .. } => {
                        self.speak_waiting(at);
                    }
                }
            }
            Input::Timeout => return self.timeout(at),

            // There is no agent; the rest is the call's business.
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
            | Input::Media(Media::Answerer(_))
            | Input::Meeting(_) => {}
        }
        None
    }

    /// When something is due, and what.
    pub(crate) fn deadline(&self, policy: &Policy) -> Option<(Instant, &'static str)> {
        let stage = match &self.stage {
            Stage::Listening { since } => Some((*since + HELLO, "hello")),
            Stage::Hello { until } => Some((*until, "the end of their hello")),
            Stage::Speaking => None,
            Stage::Lingering { until } | Stage::Extended { until } => Some((*until, "linger")),
        };
        let voice = self.voice.deadline(policy).map(|it| (it, "sound"));
        stage.into_iter().chain(voice).min()
    }

    /// The line is gone: what has not been heard waits for another.
    pub(crate) fn hold(&mut self, at: &mut Moment<'_>) {
        self.voice.hold(at);
        if self.hearing.is_answered() {
            self.hearing.finalize(at);
        }
    }

    /// There is a line again, after this long without one.
    pub(crate) fn go_on(&mut self, gone: Duration, at: &mut Moment<'_>) {
        self.hearing.give_up(at);
        self.hearing.speech_lost();
        match self.stage {
            // Nothing was said yet: they may say hello again.
            Stage::Listening { .. } | Stage::Hello { .. } => {
                self.voice.go_on_unexcused(at);
                self.stage = Stage::Listening { since: at.now };
            }
            Stage::Speaking | Stage::Lingering { .. } | Stage::Extended { .. } => {
                let back = at.plan.phrases.back.reveal();
                self.voice.go_on(gone, back, at);
                // What was heard is not said again, whatever fails from here on.
                self.script = self.unsaid();
                self.stage = Stage::Speaking;
                self.settle(at);
            }
        }
    }

    fn unsaid(&self) -> Vec<String> {
        let rest = self.voice.rest(Duration::ZERO).rest;
        rest.into_iter().map(|it| it.text).collect()
    }

    /// What must be remembered, and what was heard of the clause that is being said. `None`:
    /// nothing yet.
    pub(crate) fn memory(&self) -> Option<(Talk, String)> {
        match self.stage {
            Stage::Listening { .. } | Stage::Hello { .. } => None,
            Stage::Speaking | Stage::Lingering { .. } | Stage::Extended { .. } => {
                let voice = self.voice.rest(SOON);
                let rest = voice.rest.into_iter().map(|it| it.text);
                let again = self.again.iter().cloned();
                let notice = Talk::Notice {
                    last: voice.last,
                    unheard: rest.chain(again).map(Private::from).collect(),
                };
                Some((notice, voice.heard))
            }
        }
    }

    /// Tells what of the clause was heard that broke off in another process.
    pub(crate) fn broke(&self, heard: Private<String>, at: &mut Moment<'_>) {
        self.voice.broke(heard, at);
    }

    /// A notice as it was remembered, without a line yet.
    pub(crate) fn recall(
        last: UtteranceId,
        unheard: Vec<Private<String>>,
        at: &Moment<'_>,
    ) -> Self {
        let rest = |text: Private<String>| Rest {
            whose: Whose::Ours,
            text: text.into_revealed(),
        };
        let rest = unheard.into_iter().map(rest).collect();
        Self {
            stage: Stage::Speaking,
            voice: Voice::recall(last, rest, at.now),
            ..Self::start(&String::new().into(), at)
        }
    }

    /// Stops speaking, because there is nobody to hear it any more.
    pub(crate) fn leave(mut self, at: &mut Moment<'_>) -> LastWords {
        self.voice.cut(Stopped::Nobody, at);
        LastWords::new(self.hearing, self.voice)
    }

    fn timeout(&mut self, at: &mut Moment<'_>) -> Option<End> {
        if self.voice.owes_apology(at.now) {
            self.voice.apologise(at.plan.phrases.back.reveal(), at);
            self.script = self.unsaid();
        }
        if let Some(id) = self.voice.stuck(at) {
            return self.mouth_failed(id, MOUTH_STUCK, at);
        }
        let completed = End {
            by: Party::Agent,
            why: Why::Completed,
        };
        match self.stage {
            Stage::Listening { since } if since + HELLO <= at.now => self.speak(at),
            Stage::Hello { until } if until <= at.now => self.speak(at),
            Stage::Lingering { until } if until <= at.now && self.hearing.is_speaking() => {
                self.stage = Stage::Extended {
                    until: at.now + at.plan.policy.linger,
                };
            }
            Stage::Lingering { until } | Stage::Extended { until } if until <= at.now => {
                return Some(completed);
            }
            Stage::Listening { .. }
            | Stage::Hello { .. }
            | Stage::Speaking
            | Stage::Lingering { .. }
            | Stage::Extended { .. } => {}
        }
        None
    }

    fn edge(&mut self, edge: Edge, at: &mut Moment<'_>) {
        match edge {
            Edge::SpeechStarted { .. } => {
                at.event(Event::CallerSpeechStarted);
                self.hearing.speech_started();
                if let Stage::Listening { since } = self.stage {
                    self.stage = Stage::Hello {
                        until: since + LONGEST_HELLO,
                    };
                }
            }
            Edge::SpeechEnded { ago } => {
                at.event(Event::CallerSpeechEnded);
                self.hearing.speech_ended(at.before(ago));
                // Nobody takes turns here: what they said is for the record.
                self.hearing.finalize(at);
                if let Stage::Hello { .. } = self.stage {
                    self.speak(at);
                }
            }
        }
    }

    fn speech(&mut self, input: Speech, at: &mut Moment<'_>) -> Option<End> {
        match input {
            Speech::Begun(_) => self.voice.begun(),
            Speech::EndOfTurn { .. } => {}
            Speech::EarsFailed(code) => at.event(Event::SpeechFailed { code }),
            Speech::Final(text) => {
                self.hearing.words(text.reveal(), at);
            }
            Speech::Length(id, length) if length.is_zero() => {
                return self.mouth_failed(id, MOUTH_STUCK, at);
            }
            Speech::Length(id, length) => self.voice.length(id, length),
            Speech::MouthFailed(id, code) => return self.mouth_failed(id, code, at),
            Speech::Partial(text) => {
                self.hearing.partial(text.reveal());
                if has_words(text.reveal()) {
                    at.event(Event::CallerHearing { text });
                }
            }
        }
        None
    }

    fn mouth_failed(
        &mut self,
        id: UtteranceId,
        code: &'static str,
        at: &mut Moment<'_>,
    ) -> Option<End> {
        let unsaid = self.voice.fail(id, at)?;
        at.event(Event::SpeechFailed { code });
        self.failures += 1;
        if self.failures >= MOST_FAILURES {
            return Some(End {
                by: Party::Gateway,
                why: Why::Fault,
            });
        }
        // It is all we called for, so it is said again, and in order.
        let first = self.script.iter().position(|it| *it == unsaid.text);
        let again = &self.script[first.unwrap_or_default()..];
        if again.len() > self.again.len() {
            self.again = again.to_vec();
        }
        self.settle(at);
        None
    }

    fn speak(&mut self, at: &mut Moment<'_>) {
        self.script = clauses(&std::mem::take(&mut self.text));
        for clause in &self.script {
            self.voice.say(Whose::Ours, clause.clone(), at);
        }
        self.speak_waiting(at);
    }

    fn speak_waiting(&mut self, at: &mut Moment<'_>) {
        for text in std::mem::take(&mut self.waiting) {
            for clause in clauses(&text) {
                self.script.push(clause.clone());
                self.voice.say(Whose::Owner, clause, at);
            }
        }
        self.stage = Stage::Speaking;
        self.settle(at);
    }

    fn settle(&mut self, at: &mut Moment<'_>) {
        self.voice.skip_failed(at);
        if !matches!(self.stage, Stage::Speaking) || !self.voice.is_silent() {
            return;
        }
        if self.again.is_empty() {
            self.stage = Stage::Lingering {
                until: at.now + at.plan.policy.linger,
            };
        }
        for clause in std::mem::take(&mut self.again) {
            self.voice.say(Whose::Ours, clause, at);
        }
    }
}

/// How long to wait for someone who picked up to say hello.
const HELLO: Duration = Duration::from_millis(700);

/// From the beginning of the sound to our first word, at most.
const LONGEST_HELLO: Duration = Duration::from_secs(2);

/// The code of a fault that only time can tell, as `ports::code` has it.
const MOUTH_STUCK: &str = "speech.failed";

/// How often the mouth may fail before we give up.
const MOST_FAILURES: u32 = 3;
