use call::event::{End, Party, Why};

/// The state of a call, as Twilio writes it.
///
/// `initiated` is only ever said in callbacks, the others also by the REST API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CallStatus {
    Queued,
    Initiated,
    Ringing,
    InProgress,
    Completed,
    Busy,
    NoAnswer,
    Failed,
    Canceled,
}

/// Who called whom, as Twilio sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// Someone called one of our numbers.
    Inbound,
    /// We made the call through the API.
    Outbound,
    /// A leg of something that we do not use, such as `<Dial>` or a SIP trunk.
    Other,
}

/// Why the far telephone network ended a call, if Twilio says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The far end pressed "decline" ([SIP 603](https://www.rfc-editor.org/rfc/rfc3261#section-21.6.2)).
    Declined,
    /// Anything else, or nothing.
    Unsaid,
}

impl CallStatus {
    /// `None` for a state that Twilio did not have when this was written.
    pub(super) fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "queued" => Self::Queued,
            "initiated" => Self::Initiated,
            "ringing" => Self::Ringing,
            "in-progress" => Self::InProgress,
            "completed" => Self::Completed,
            "busy" => Self::Busy,
            "no-answer" => Self::NoAnswer,
            "failed" => Self::Failed,
            "canceled" => Self::Canceled,
            _ => return None,
        })
    }

    /// How the call ended, if this state is its last.
    ///
    /// `completed` says only that an answered call is over. If it was us who ended it we know
    /// that already, so here it can only mean that the caller hung up.
    pub(super) fn end(self, direction: Direction, cause: Cause) -> Option<End> {
        let (by, why) = match self {
            Self::Queued | Self::Initiated | Self::Ringing | Self::InProgress => return None,
            Self::Completed => (Party::Caller, Why::HungUp),
            Self::Busy | Self::Failed if cause == Cause::Declined => (Party::Caller, Why::Rejected),
            Self::Busy => (Party::Caller, Why::Busy),
            Self::NoAnswer => (Party::Caller, Why::NoAnswer),
            Self::Failed => (Party::Carrier, Why::Fault),
            // Only who makes a call can withdraw it.
            Self::Canceled => match direction {
                Direction::Inbound | Direction::Other => (Party::Caller, Why::Canceled),
                Direction::Outbound => (Party::Gateway, Why::Canceled),
            },
        };
        Some(End { by, why })
    }
}

impl Direction {
    /// Reads `inbound`, `outbound-api` and the rest.
    pub(super) fn parse(text: &str) -> Self {
        match text {
            "inbound" => Self::Inbound,
            "outbound-api" => Self::Outbound,
            _ => Self::Other,
        }
    }
}

impl Cause {
    /// Reads the `SipResponseCode` of a callback.
    pub(super) fn from_sip(code: Option<&str>) -> Self {
        match code {
            Some("603") => Self::Declined,
            Some(_) | None => Self::Unsaid,
        }
    }
}
