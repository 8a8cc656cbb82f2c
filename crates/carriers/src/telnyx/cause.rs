use call::event::{End, Party, Why};

use super::webhook::Direction;

/// How a call ended, by the `hangup_cause` of its `call.hangup`.
///
/// `normal_clearing` says only that a call is over. If it was us who ended it we know that already:
/// where `hangup_source` names our side, whom the call was put through to has hung up, and else the
/// caller has.
///
/// Source: [the `call.hangup` event](https://developers.telnyx.com/api-reference/callbacks/call-hangup).
pub(super) fn end(cause: &str, source: &str, direction: Direction) -> End {
    let (by, why) = match cause {
        "normal_clearing" => match (source, direction) {
            ("callee", Direction::Incoming) | ("caller", Direction::Outgoing) => {
                (Party::Carrier, Why::Completed)
            }
            _ => (Party::Caller, Why::HungUp),
        },
        "user_busy" => (Party::Caller, Why::Busy),
        "call_rejected" => (Party::Caller, Why::Rejected),
        "timeout" | "no_answer" => (Party::Caller, Why::NoAnswer),
        // Only who makes a call can withdraw it.
        "originator_cancel" => match direction {
            Direction::Incoming => (Party::Caller, Why::Canceled),
            Direction::Outgoing => (Party::Gateway, Why::Canceled),
        },
        "time_limit" => (Party::Carrier, Why::TimeLimit),
        // `not_found`, `unspecified`, and what did not exist when this was written.
        _ => (Party::Carrier, Why::Fault),
    };
    End { by, why }
}
