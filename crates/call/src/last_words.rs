use crate::hearing::Hearing;
use crate::input::{Input, Media, Speech};
use crate::moment::Moment;
use crate::voice::Voice;

/// What may still come in after the talking is over: the transcriber's last words, and how much
/// was heard of ours.
#[derive(Debug)]
pub(crate) enum LastWords {
    /// There was never anything to hear.
    None,
    Spoken(Box<Spoken>),
}

#[derive(Debug)]
pub(crate) struct Spoken {
    hearing: Hearing,
    voice: Voice,
}

impl LastWords {
    pub(crate) fn new(hearing: Hearing, voice: Voice) -> Self {
        Self::Spoken(Box::new(Spoken { hearing, voice }))
    }

    /// Asks for the caller's last words, for the record.
    pub(crate) fn ask(mut self, at: &mut Moment<'_>) -> Self {
        match &mut self {
            Self::Spoken(spoken) if spoken.hearing.is_answered() => {
                spoken.hearing.finalize(at);
            }
            Self::Spoken(_) | Self::None => {}
        }
        self
    }

    pub(crate) fn handle(&mut self, input: Input, at: &mut Moment<'_>) {
        match self {
            Self::None => {}
            Self::Spoken(spoken) => spoken.handle(input, at),
        }
    }

    /// The sound's answer to the last cut has not come, and will not.
    pub(crate) fn settled(mut self, at: &mut Moment<'_>) -> Self {
        match &mut self {
            Self::None => {}
            Self::Spoken(spoken) => {
                spoken.voice.silenced(None, at);
            }
        }
        self
    }

    /// Nothing more will come: what is known must do.
    pub(crate) fn end(self, at: &mut Moment<'_>) {
        match self {
            Self::None => {}
            Self::Spoken(mut spoken) => {
                spoken.voice.silenced(None, at);
                spoken.hearing.give_up(at);
            }
        }
    }
}

impl Spoken {
    fn handle(&mut self, input: Input, at: &mut Moment<'_>) {
        let cut = match &input {
            Input::Media(Media::Cut(cut)) => *cut,
            Input::Agent(_)
            | Input::Carrier(_)
            | Input::Command(_)
            | Input::Media(Media::Answerer(_) | Media::Edge(_) | Media::Progress(_))
            | Input::Meeting(_)
            | Input::Speech(_)
            | Input::Timeout => None,
        };
        self.voice.silenced(cut, at);
        match input {
            Input::Speech(Speech::Final(text)) => {
                self.hearing.words(text.reveal(), at);
            }
            Input::Speech(Speech::Partial(text)) => {
                self.hearing.partial(text.reveal());
            }
            Input::Agent(_)
            | Input::Carrier(_)
            | Input::Command(_)
            | Input::Media(_)
            | Input::Meeting(_)
            | Input::Speech(
                Speech::Begun(_)
                | Speech::EndOfTurn { .. }
                | Speech::EarsFailed(_)
                | Speech::Length(..)
                | Speech::MouthFailed(..),
            )
            | Input::Timeout => {}
        }
    }
}
