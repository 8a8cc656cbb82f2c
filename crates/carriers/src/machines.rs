//! Who says whether a machine picked up: the same key for every carrier.

use ports::carrier::Machines;
use ports::{Key, Kind, Need, Problem, Settings};

/// `machines = "own"` or `"carrier"`.
pub(crate) const KEY: Key = Key {
    name: NAME,
    kind: Kind::Text,
    need: Need::Optional,
    help: "Who says whether a machine picked up: \"own\" (the gateway, by the sound) or \"carrier\" (which costs extra)",
};

/// What a carrier's table says, where the carrier itself would say this much.
pub(crate) fn read(settings: &Settings, carrier: Machines) -> Result<Machines, Problem> {
    match settings.text(NAME) {
        None | Some("own") => Ok(Machines::Heard),
        Some("carrier") => Ok(carrier),
        Some(_) => Err(Problem {
            key: NAME,
            message: "`machines` says who tells machines from people".to_owned(),
            hint: "write \"own\" or \"carrier\"".to_owned(),
        }),
    }
}

const NAME: &str = "machines";
