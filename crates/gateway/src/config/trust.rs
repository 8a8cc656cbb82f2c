//! `trust`: how sure one must be of who is on the line before an agent may do something for them.

use call::Trust;
use policy::Power;

use super::plug;
use super::problem::Findings;
use super::section::Spot;

/// As it is written, or what the power needs where nobody says. What cannot be read is for those alone of whom we
/// are sure.
pub(super) fn trust(written: Option<Spot<&str>>, power: Power, found: &mut Findings) -> Trust {
    trust_under("trust", written, power, found)
}

/// The same under another key.
pub(super) fn trust_under(
    key: &str,
    written: Option<Spot<&str>>,
    power: Power,
    found: &mut Findings,
) -> Trust {
    let Some(written) = written else {
        return power.needs();
    };
    Trust::parse(written.value).unwrap_or_else(|| {
        let message = format!("`{key}` cannot be `{}`", plug::shown(written.value));
        let hint = "\"unknown\" lets it be done for anyone, \"caller-id\" for whoever shows a number that you know, \"attested\" the same where a phone company vouches for it, \"proven\" for those who keyed a PIN or whom we called";
        found.problem(written.place(), message, hint);
        Trust::Proven
    })
}
