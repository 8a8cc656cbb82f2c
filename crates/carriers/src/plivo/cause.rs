use call::event::{End, Party, Why};

/// Who called whom, as Plivo sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// Someone called one of our numbers.
    Inbound,
    /// We made the call.
    Outbound,
}

impl Direction {
    pub(super) fn parse(text: &str) -> Self {
        match text {
            "outbound" => Self::Outbound,
            _ => Self::Inbound,
        }
    }
}

/// How a call ended, by its `HangupCauseCode`; `None`: this number says nothing of that.
///
/// `4000` says only that an answered call is over. If it was us who ended it we know that already, so
/// here it can only mean that the caller hung up.
///
/// Source: [hangup causes](https://docs.plivo.com/docs/voice/troubleshooting/hangup-causes).
pub(super) fn by_code(code: u32, direction: Direction) -> Option<End> {
    let (by, why) = match code {
        1000 => match direction {
            Direction::Inbound => (Party::Caller, Why::Canceled),
            Direction::Outbound => (Party::Gateway, Why::Canceled),
        },
        3000 => (Party::Caller, Why::NoAnswer),
        3010 => (Party::Caller, Why::Busy),
        3020 => (Party::Caller, Why::Rejected),
        4000..=4999 => (Party::Caller, Why::HungUp),
        1001..=2999 | 6000..=9999 => (Party::Carrier, Why::Fault),
        _ => return None,
    };
    Some(End { by, why })
}

/// The same, by the `CallStatus` that a call ends with; `None`: it has not ended.
pub(super) fn by_status(status: &str, direction: Direction) -> Option<End> {
    let (by, why) = match (status, direction) {
        ("completed", _) => (Party::Caller, Why::HungUp),
        ("busy", _) => (Party::Caller, Why::Busy),
        ("no-answer" | "timeout", _) => (Party::Caller, Why::NoAnswer),
        ("cancel" | "canceled", Direction::Inbound) => (Party::Caller, Why::Canceled),
        ("cancel" | "canceled", Direction::Outbound) => (Party::Gateway, Why::Canceled),
        ("failed", _) => (Party::Carrier, Why::Fault),
        _ => return None,
    };
    Some(End { by, why })
}
