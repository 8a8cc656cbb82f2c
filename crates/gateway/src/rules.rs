//! How a refusal of the owner's rules is told.
//!
//! It never shows a whole number, neither in its message nor in its hint, so that both may be logged;
//! whoever asked knows which number they meant.

use call::{Number, NumberFault};
use jiff::Timestamp;
use policy::{Asks, Beyond, Danger, Hours, Lacking, Money, Refusal, Unpressable};
use ports::{Blame, Fault, Retry, code};

/// A refusal, as it is told.
pub(crate) fn told(refusal: Refusal) -> Fault {
    let rule = refusal.rule();
    in_words(refusal).by_rule(rule)
}

fn in_words(refusal: Refusal) -> Fault {
    match refusal {
        Refusal::NotANumber(fault) => not_a_number(fault),
        Refusal::Dangerous { to, danger } => {
            let message = format!(
                "{to:?} is {} number, and those are never dialled",
                a(danger)
            );
            Fault::new(Blame::Caller, code::POLICY_DANGEROUS, message)
                .hint("no line of the configuration allows it; use a telephone, if it must be")
        }
        Refusal::MayNotDial { to, at } => {
            let message = format!("{to:?} is not on the list of numbers that may be called");
            Fault::new(Blame::Config, code::POLICY_NOT_ALLOWED, message)
                .hint(format!("add it to `call` in [policy], {at}"))
        }
        Refusal::Ours { to, at } => {
            let message =
                format!("{to:?} is one of our own numbers: an agent would talk to itself");
            Fault::new(Blame::Config, code::POLICY_OWN_NUMBER, message).hint(format!(
                "if that is meant, `call_own_numbers = true` in [policy], {at}"
            ))
        }
        Refusal::Unwanted { to } => {
            let message =
                format!("whoever has {to:?} said that they are not to be called any more");
            Fault::new(Blame::Caller, code::POLICY_DO_NOT_CALL, message)
                .hint("nothing takes a number off that list; they may call themselves")
        }
        Refusal::WrongTime {
            to,
            hours,
            at,
            next,
        } => wrong_time(&to, hours, at, next),
        Refusal::MayNotCall { from, at } => {
            let message = format!("{from:?} is not on the list of those who may call");
            Fault::new(Blame::Config, code::POLICY_CALLER, message)
                .hint(format!("add it to `answer` in [policy], {at}"))
        }
        Refusal::Hidden { at } => {
            let message = "the caller's number is hidden, and only listed numbers may call";
            let hint = format!("only \"any\" under `answer` in [policy] lets them in, {at}");
            Fault::new(Blame::Config, code::POLICY_CALLER, message).hint(hint)
        }
        Refusal::TooManyCalls { most, at } => {
            let message = format!("{most} calls are up, and no more may be");
            let hint = format!("wait for one to end, or raise `max_calls` in [policy], {at}");
            for_now(code::POLICY_TOO_MANY_CALLS, message, hint)
        }
        Refusal::TooOften { most, at } => {
            let message = format!("{most} calls were dialled in the last hour, and no more may be");
            let hint = format!("wait, or raise `calls_per_hour` in [policy], {at}");
            for_now(code::POLICY_TOO_OFTEN, message, hint)
        }
        Refusal::TooOftenTo { to, most, at } => {
            let message =
                format!("{to:?} was dialled {most} times in the last hour, and no more may be");
            let hint = format!("wait, or raise `calls_per_number` in [policy], {at}");
            for_now(code::POLICY_TOO_OFTEN, message, hint)
        }
        Refusal::TooDear { ceiling, beyond } => too_dear(ceiling, beyond),
        Refusal::Stopped => stopped(),
        Refusal::NoConsent { to, lacks, at } => no_consent(&to, lacks, &at),
        Refusal::AsksFirst { to, asks } => asks_first(&to, asks),
    }
}

/// Keys that are not pressed on a call.
pub(crate) fn unpressable(why: Unpressable) -> Fault {
    let exchange =
        "whoever answered may be an exchange that dials them; use a telephone, if it must be";
    let fault = match why {
        Unpressable::Emergency => {
            let message = "those keys would dial an emergency number, and those are never dialled";
            Fault::new(Blame::Caller, code::POLICY_NUMBER, message).hint(exchange)
        }
        Unpressable::Dangerous(danger) => {
            let message = format!(
                "those keys would dial {} number, and those are never dialled",
                a(danger)
            );
            Fault::new(Blame::Caller, code::POLICY_DANGEROUS, message).hint(exchange)
        }
        Unpressable::TooMany(most) => {
            let message = format!("{most} keys were pressed on this call, and no more may be");
            Fault::new(Blame::Caller, code::POLICY_TOO_OFTEN, message)
                .hint("make another call, if there is more to be keyed")
        }
    };
    fault.by_rule("keys on a call")
}

/// Everything is stopped.
pub(crate) fn stopped() -> Fault {
    let message = "the owner has stopped everything";
    Fault::new(Blame::Config, code::POLICY_STOPPED, message)
        .by_rule(Refusal::Stopped.rule())
        .hint("`offhook stop-all --lift` lets calls be made again")
}

fn no_consent(to: &Number, lacks: Lacking, at: &str) -> Fault {
    let (what, hint) = match lacks {
        Lacking::Purpose => (
            "what the call is for",
            "say so: `--purpose \"…\"`, or `purpose` in the order",
        ),
        Lacking::Consent => (
            "that they agreed to be called",
            "write down what they agreed to, and when, as `consent` in their [contacts.NAME]; the owner's own phones are listed under `owner` in [policy]",
        ),
    };
    let message = format!("{to:?} is not called without knowing {what}");
    Fault::new(Blame::Config, code::POLICY_CONSENT, message)
        .hint(format!("{hint}; `consent` in [policy], {at}, says so"))
}

fn asks_first(to: &Number, asks: Asks) -> Fault {
    let hint =
        "`offhook approvals` lists the calls that wait for a yes; what cannot wait is not made";
    match asks {
        Asks::Approve { at } => {
            let message =
                format!("a call to {to:?} is made only once its owner has said yes to it");
            Fault::new(Blame::Config, code::POLICY_APPROVAL, message)
                .hint(format!("{hint}; `approve` in [policy], {at}, says so"))
        }
        Asks::Burst { most, at } => {
            let message = format!(
                "{to:?} was never dialled before, and neither were others just now: as when somebody else makes the calls"
            );
            Fault::new(Blame::Config, code::POLICY_BURST, message).hint(format!(
                "{hint}; {most} in ten minutes may be, or less where they are dear: name numbers under `call`, or raise `new_numbers` in [policy], {at}"
            ))
        }
    }
}

fn not_a_number(fault: NumberFault) -> Fault {
    let hint = match fault {
        NumberFault::Emergency => "use a telephone to call for help",
        NumberFault::NoPlus
        | NumberFault::NotDigits
        | NumberFault::Length
        | NumberFault::LeadingZero => "write it as +15551234567, without spaces",
    };
    let message = format!("that cannot be dialled: {fault}");
    Fault::new(Blame::Caller, code::POLICY_NUMBER, message).hint(hint)
}

fn wrong_time(to: &Number, hours: Hours, at: Option<String>, next: Option<Timestamp>) -> Fault {
    let message = format!(
        "it is not the time to call {to:?}: they are called from {hours}, by their own clock"
    );
    let when = match next {
        Some(next) => format!("from {} on it is", next.strftime("%Y-%m-%dT%H:%MZ")),
        None => "it may be in too many time zones to be called at any time".to_owned(),
    };
    let change = match at {
        Some(at) => format!("`hours`, {at}, says so"),
        None => "`hours` in [policy] may say otherwise".to_owned(),
    };
    for_now(code::POLICY_HOURS, message, format!("{when}; {change}"))
}

fn too_dear(ceiling: Money, beyond: Beyond) -> Fault {
    let Beyond {
        over,
        key,
        most,
        spent,
    } = beyond;
    let (most, at) = (most.value, most.at);
    let message = format!(
        "that call may cost {ceiling}, and {spent} of {most} for {over} is spent or set aside"
    );
    let hint = format!(
        "write what a minute costs under [rates], lower `max_minutes`, or raise `{key}` in [policy], {at}"
    );
    for_now(code::POLICY_SPEND, message, hint)
}

/// What time may change by itself.
fn for_now(code: &'static str, message: String, hint: String) -> Fault {
    Fault::new(Blame::Config, code, message)
        .retry(Retry::IfNotSent)
        .hint(hint)
}

fn a(danger: Danger) -> String {
    match danger {
        Danger::International
        | Danger::Personal
        | Danger::Premium
        | Danger::SharedCost
        | Danger::Pager => format!("a {danger}"),
        Danger::Unknown => format!("an {danger}"),
    }
}
