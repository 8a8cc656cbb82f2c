use ports::{Blame, Fault, Retry, code};
use serde::Deserialize;
use serde_json::Value;

use crate::rest::masked;

/// How Plivo says no: by the HTTP status, and in a sentence. It has no numbers for errors.
///
/// Source: [the API's answers](https://docs.plivo.com/docs/voice/api/overview).
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    /// Text, or an object of texts.
    #[serde(default)]
    error: Value,
}

impl Refusal {
    /// Reads the body of a refusal. One that is not Plivo's, but perhaps a proxy's, says nothing.
    pub(super) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// The same in our words. `status` is the HTTP status, below 500.
    pub(super) fn fault(&self, status: u16) -> Fault {
        let (blame, code, message, hint) = match status {
            401 => (
                Blame::Config,
                code::CARRIER_CREDENTIALS,
                "Plivo refused the account's credentials",
                "compare `auth_id` and `auth_token` with the first page of console.plivo.com",
            ),
            403 => (
                Blame::Config,
                code::CARRIER_NOT_PERMITTED,
                "Plivo does not let this account make that call",
                "allow the country under Voice, Geo permissions on console.plivo.com; a trial \
                 account calls only numbers that it has verified",
            ),
            404 => (
                Blame::Gateway,
                code::CARRIER_NO_SUCH_CALL,
                "Plivo has nothing under that name in this account",
                "check that `auth_id` and `api_url` are those of the account that the call is in",
            ),
            429 => (
                Blame::Carrier,
                code::CARRIER_BUSY,
                "Plivo has more to do for this account than it allows at once",
                "make fewer calls at a time, or ask Plivo to raise the account's limits",
            ),
            _ => return self.unnamed(status),
        };
        let retry = match status {
            // Refused before anything was done.
            429 => Retry::IfNotSent,
            _ => Retry::Never,
        };
        Fault::new(blame, code, message).hint(hint).retry(retry)
    }

    /// A refusal in Plivo's words, since we have none for it.
    fn unnamed(&self, status: u16) -> Fault {
        let said = match &self.error {
            Value::Null => String::new(),
            Value::String(text) => masked(text),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                masked(&other.to_string())
            }
        };
        let (message, hint) = if said.is_empty() {
            (
                format!("Plivo answered with HTTP status {status}"),
                "check `api_url`, and whether a proxy stands in between",
            )
        } else {
            (
                format!("Plivo refused: {said}"),
                "check the numbers, and the account on console.plivo.com",
            )
        };
        Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message).hint(hint)
    }
}
