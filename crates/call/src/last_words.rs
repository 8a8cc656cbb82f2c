use crate::hearing::Hearing;
use crate::input::{Input, Media, Speech};
use crate::moment::Moment;
use crate::voice::Voice;

/// What may still come in after the talking is over: the transcriber's last words, and how much
/// was heard of ours.
#[derive(Debug)]
pub(crate) struct LastWords {
    hearing: Hearing,
    voice: Voice,
}

impl LastWords {
    /// Of a call on which nothing was said.
    pub(crate) fn none() -> Self {
        Self::new(Hearing::default(), Voice::new())
    }

    pub(crate) fn new(hearing: Hearing, voice: Voice) -> Self {
        Self { hearing, voice }
    }

    /// Asks for the caller's last words, for the record.
    pub(crate) fn ask(mut self, at: &mut Moment<'_>) -> Self {
        if self.hearing.is_answered() {
            self.hearing.finalize(at);
        }
        self
    }

    pub(crate) fn handle(&mut self, input: Input, at: &mut Moment<'_>) {
        match input {
            Input::Media(Media::Cut(cut)) => {
                self.voice.silenced(cut, at);
            }
            Input::Speech(Speech::Final(text)) => {
                self.hearing.words(text.reveal(), at);
            }
            Input::Speech(Speech::Partial(text)) => {
                self.hearing.partial(text.reveal());
            }
            Input::Agent(_)
            | Input::Carrier(_)
            | Input::Command(_)
            | Input::Media(Media::Edge(_) | Media::Progress(_))
            | Input::Speech(
                Speech::EndOfTurn { .. }
                | Speech::EarsFailed(_)
                | Speech::Length(..)
                | Speech::MouthFailed(..),
            )
            | Input::Timeout => {}
        }
    }

    /// Nothing more will come: what is known must do.
    pub(crate) fn end(mut self, at: &mut Moment<'_>) {
        self.voice.silenced(None, at);
        self.hearing.give_up(at);
    }
}
