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

/// How a call ended, by its `HangupCauseCode` and `HangupSource`; `None`: this number says nothing of
/// that.
///
/// `4000` says only that someone hung up, and the source who. Plivo's pages have several names for the
/// person on the phone, and they are all that is left beside us. What it gives `4010` and its like for
/// are instructions that end, and ours do not.
///
/// Source: [hangup causes](https://plivo.com/docs/voice/troubleshooting/hangup-causes).
pub(super) fn by_code(code: u32, source: &str, direction: Direction) -> Option<End> {
    let ours = matches!(source, "API Request" | "Answer XML");
    let (by, why) = match code {
        // Only who makes a call can withdraw it, and who takes calls can turn them away.
        1000 if direction == Direction::Inbound && !ours => (Party::Caller, Why::Canceled),
        1000 => (Party::Gateway, Why::Canceled),
        3010 | 3020 if ours => (Party::Gateway, Why::Rejected),
        3000 | 6010 => (Party::Caller, Why::NoAnswer),
        3010 | 3100 => (Party::Caller, Why::Busy),
        3020 | 3040 | 3110 => (Party::Caller, Why::Rejected),
        4000 if ours => (Party::Gateway, Why::HungUp),
        4000 => (Party::Caller, Why::HungUp),
        4001..=4999 => (Party::Carrier, Why::HungUp),
        6000 => (Party::Carrier, Why::TimeLimit),
        // We were not reached, or not understood.
        7000..=8999 => (Party::Gateway, Why::Fault),
        1001..=9999 => (Party::Carrier, Why::Fault),
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

/// Plivo says that a call was hung up, and nothing that we understand about why.
pub(super) const UNSAID: End = End {
    by: Party::Carrier,
    why: Why::Fault,
};
