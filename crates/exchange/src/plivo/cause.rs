//! Why a call ended, in the carrier's own codes.
//!
//! Source: the carrier's list of hangup causes and sources.

use crate::ledger::{Direction, EndedBy, Status};

/// How a call ended, as its last webhook and its record tell it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Hangup {
    pub(crate) code: u32,
    pub(crate) name: &'static str,
    /// The older word for it.
    pub(crate) cause: &'static str,
    pub(crate) source: &'static str,
}

/// How a call came to its end: for the exchange's books, and for the carrier's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ending {
    pub(crate) by: EndedBy,
    pub(crate) cause: Cause,
}

/// Why a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    /// The person hung up.
    Person,
    /// The REST API hung up.
    Api,
    /// The REST API hung up before the answer.
    Canceled,
    /// A `<Hangup>` was performed.
    HangupElement,
    /// There were no more elements.
    EndOfXml,
    TimeLimit,
    Busy,
    /// The person rejected the call.
    Declined,
    Unanswered,
    Unreachable,
    /// What was to be called is no number.
    InvalidDestination,
    /// The account may not call there.
    Barred,
    /// The other leg ended, after the two had talked.
    Parted,
    /// The other leg ended while this one rang.
    Withdrawn,
    /// The application called from a number it does not have.
    UnknownCaller,
    /// The application rejected the call, or was busy.
    Rejected,
    RejectedAsBusy,
    Fault(Fault),
    Unknown,
}

/// What is wrong with the instructions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) what: Wrong,
    pub(crate) source: Source,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    /// The URL gave no answer with status 200.
    Unreached,
    /// The URL is none.
    NoUrl,
    /// The answer cannot be performed.
    Xml,
}

/// Where instructions come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    Answer,
    /// Where a `<Dial>` leads.
    Action,
    Transfer,
    Redirect,
}

impl Ending {
    /// The end of a call whose instructions have a fault.
    pub(crate) fn fault(fault: Fault) -> Self {
        Self {
            by: EndedBy::Fault(fault.code()),
            cause: Cause::Fault(fault),
        }
    }
}

impl Fault {
    pub(crate) fn code(self) -> u32 {
        let class = match self.what {
            Wrong::Unreached => 7010,
            Wrong::NoUrl => 7020,
            Wrong::Xml => 8010,
        };
        let place = match self.source {
            Source::Answer => 1,
            Source::Action => 2,
            Source::Transfer => 3,
            Source::Redirect => 4,
        };
        class + place
    }

    fn name(self) -> &'static str {
        match (self.what, self.source) {
            (Wrong::Unreached, Source::Answer) => "Error Reaching Answer URL",
            (Wrong::Unreached, Source::Action) => "Error Reaching Action URL",
            (Wrong::Unreached, Source::Transfer) => "Error Reaching Transfer URL",
            (Wrong::Unreached, Source::Redirect) => "Error Reaching Redirect URL",
            (Wrong::NoUrl, Source::Answer) => "Invalid Answer URL",
            (Wrong::NoUrl, Source::Action) => "Invalid Action URL",
            (Wrong::NoUrl, Source::Transfer) => "Invalid Transfer URL",
            (Wrong::NoUrl, Source::Redirect) => "Invalid Redirect URL",
            (Wrong::Xml, Source::Answer) => "Invalid Answer XML",
            (Wrong::Xml, Source::Action) => "Invalid Action XML",
            (Wrong::Xml, Source::Transfer) => "Invalid Transfer XML",
            (Wrong::Xml, Source::Redirect) => "Invalid Redirect XML",
        }
    }
}

impl Cause {
    /// How the carrier tells it.
    pub(crate) fn hangup(self, direction: Direction) -> Hangup {
        let person = match direction {
            Direction::Inbound => "Caller",
            Direction::Outbound => "Call recipient",
        };
        let (code, name, cause, source) = match self {
            Self::Person => (4000, "Normal Hangup", CLEARED, person),
            Self::Api => (4000, "Normal Hangup", CLEARED, "API Request"),
            Self::HangupElement => (4000, "Normal Hangup", CLEARED, "Answer XML"),
            Self::EndOfXml => (4010, "End Of XML Instructions", CLEARED, "Plivo"),
            Self::Canceled => (1000, "Canceled", "ORIGINATOR_CANCEL", "API Request"),
            Self::TimeLimit => (6000, "Scheduled Hangup", "ALLOTTED_TIMEOUT", "Plivo"),
            Self::Busy => (3010, "Busy Line", "USER_BUSY", "Carrier"),
            Self::Declined => (3020, "Rejected", "CALL_REJECTED", person),
            Self::Unanswered => (6010, "Ring Timeout Reached", "NO_ANSWER", "Plivo"),
            Self::Unreachable => (
                2010,
                "Destination Out Of Service",
                "DESTINATION_OUT_OF_ORDER",
                "Carrier",
            ),
            Self::InvalidDestination => (
                2000,
                "Invalid Destination Address",
                "INVALID_NUMBER_FORMAT",
                "Plivo",
            ),
            Self::Barred => (
                2030,
                "Destination Country Barred",
                "OUTGOING_CALL_BARRED",
                "Plivo",
            ),
            Self::Parted => (4000, "Normal Hangup", CLEARED, "Caller"),
            Self::Withdrawn => (1000, "Canceled", "ORIGINATOR_CANCEL", "Caller"),
            Self::UnknownCaller => (3030, "Unknown Caller ID", "CALL_REJECTED", "Plivo"),
            Self::Rejected => (3020, "Rejected", "CALL_REJECTED", "Answer XML"),
            Self::RejectedAsBusy => (3010, "Busy Line", "USER_BUSY", "Answer XML"),
            Self::Fault(fault) => (fault.code(), fault.name(), CLEARED, "Error"),
            Self::Unknown => (0, "Unknown", CLEARED, "Unknown"),
        };
        Hangup {
            code,
            name,
            cause,
            source,
        }
    }
}

/// The carrier's word for a status. An inbound call that is over is completed, however it went.
pub(crate) fn status_word(status: Status, direction: Direction) -> &'static str {
    if direction == Direction::Inbound && status.is_final() {
        return "completed";
    }
    match status {
        Status::Queued | Status::Initiated => "queued",
        Status::Ringing => "ringing",
        Status::InProgress => "in-progress",
        Status::Completed => "completed",
        Status::Busy => "busy",
        Status::NoAnswer => "no-answer",
        Status::Failed => "failed",
        Status::Canceled => "cancel",
    }
}

const CLEARED: &str = "NORMAL_CLEARING";
