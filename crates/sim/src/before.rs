use call::TurnId;
use call::event::End;
use call::input::{self, Carrier, Input};
use media::UtteranceId;

/// What has to be known of an input once the call has taken it.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) kind: Kind,
    pub(crate) connected: bool,
    pub(crate) ended: bool,
}

#[derive(Debug)]
pub(crate) enum Kind {
    Ended(End),
    Final(String),
    Say(TurnId, String),
    /// The mouth failed in this.
    Failed(UtteranceId),
    Message,
    Progress,
    Timeout,
    Other,
}

impl Before {
    pub(crate) fn new(input: &Input, (connected, ended): (bool, bool)) -> Self {
        let kind = match input {
            Input::Carrier(Carrier::Ended(end)) => Kind::Ended(*end),
            Input::Speech(input::Speech::Final(text)) => Kind::Final(text.reveal().clone()),
            Input::Agent(input::Agent::Say(turn, text)) => Kind::Say(*turn, text.reveal().clone()),
            Input::Speech(input::Speech::MouthFailed(id, _)) => Kind::Failed(*id),
            Input::Speech(input::Speech::Length(id, length)) if length.is_zero() => {
                Kind::Failed(*id)
            }
            Input::Agent(input::Agent::Message { .. }) => Kind::Message,
            Input::Media(input::Media::Progress(_)) => Kind::Progress,
            Input::Timeout => Kind::Timeout,
            Input::Agent(_)
            | Input::Carrier(_)
            | Input::Command(_)
            | Input::Media(_)
            | Input::Meeting(_)
            | Input::Speech(_) => Kind::Other,
        };
        Self {
            kind,
            connected,
            ended,
        }
    }
}
