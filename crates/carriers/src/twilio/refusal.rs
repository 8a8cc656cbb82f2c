use ports::{Blame, Fault, Retry, code};
use serde::Deserialize;

use crate::rest::masked;

/// How Twilio says no.
///
/// Source: [errors](https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions).
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    pub(super) code: u32,
    #[serde(default)]
    message: String,
}

impl Refusal {
    /// Reads the body of a refusal. One that is not Twilio's, but perhaps a proxy's, has no code.
    pub(super) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Twilio knows no such call, or it is over: there is nothing left to end.
    pub(super) fn is_over(&self, status: u16) -> bool {
        status == 404 || self.code == 20404 || self.code == 21220
    }

    /// The same in our words. `status` is the HTTP status, below 500.
    pub(super) fn fault(&self, status: u16) -> Fault {
        let meaning = Meaning::of(self.code).or_else(|| Meaning::of_status(status));
        meaning.map_or_else(|| self.unnamed(status), |it| it.fault(self.code))
    }

    /// A refusal in Twilio's words, since we have none for it.
    fn unnamed(&self, status: u16) -> Fault {
        let said = masked(&self.message);
        let message = match (self.code, said.as_str()) {
            (0, _) => format!("Twilio answered with HTTP status {status}"),
            (number, "") => format!("Twilio refused with error {number}"),
            (number, said) => format!("Twilio refused with error {number}: {said}"),
        };
        let hint = match self.code {
            0 => "check `api_url`, and whether a proxy stands in between".to_owned(),
            number => format!("see https://www.twilio.com/docs/api/errors/{number}"),
        };
        Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message).hint(hint)
    }
}

/// What a refusal comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Busy,
    Credentials,
    GeoPermission,
    NoSuchCall,
    NoSuchNumber,
    NotOwned,
    NotPermitted,
    Trial,
}

impl Meaning {
    /// By Twilio's number for it, from its [list of errors](https://www.twilio.com/docs/api/errors).
    fn of(number: u32) -> Option<Self> {
        Some(match number {
            10004 | 20429 => Self::Busy,
            20003 => Self::Credentials,
            21215 | 13227 => Self::GeoPermission,
            20404 => Self::NoSuchCall,
            21201 | 21211 | 21214 | 21217 | 13224 => Self::NoSuchNumber,
            21210 | 21212 => Self::NotOwned,
            21216 | 13225 => Self::NotPermitted,
            21219 => Self::Trial,
            _ => return None,
        })
    }

    /// By the HTTP status, where there is no number.
    fn of_status(status: u16) -> Option<Self> {
        Some(match status {
            401 => Self::Credentials,
            404 => Self::NoSuchCall,
            429 => Self::Busy,
            _ => return None,
        })
    }

    /// `number` is Twilio's, or 0.
    pub(super) fn fault(self, number: u32) -> Fault {
        let (blame, code, message, hint) = self.words();
        let retry = match self {
            // "Never processed, always safe to retry": Twilio about error 20429.
            Self::Busy => Retry::IfNotSent,
            Self::Credentials
            | Self::GeoPermission
            | Self::NoSuchCall
            | Self::NoSuchNumber
            | Self::NotOwned
            | Self::NotPermitted
            | Self::Trial => Retry::Never,
        };
        let message = match number {
            0 => message.to_owned(),
            number => format!("{message} (error {number})"),
        };
        Fault::new(blame, code, message).hint(hint).retry(retry)
    }

    fn words(self) -> (Blame, &'static str, &'static str, &'static str) {
        match self {
            Self::Busy => (
                Blame::Carrier,
                code::CARRIER_BUSY,
                "Twilio has more to do for this account than it allows at once",
                "make fewer calls at a time, or ask Twilio to raise the account's limits",
            ),
            Self::Credentials => (
                Blame::Config,
                code::CARRIER_CREDENTIALS,
                "Twilio refused the account's credentials",
                "compare `account_sid` and `auth_token` with the first page of console.twilio.com; \
                 a region has a token of its own",
            ),
            Self::GeoPermission => (
                Blame::Config,
                code::CARRIER_NOT_PERMITTED,
                "Twilio does not let this account call that country",
                "allow it under Voice, Settings, Geo permissions on console.twilio.com",
            ),
            Self::NoSuchCall => (
                Blame::Gateway,
                code::CARRIER_NO_SUCH_CALL,
                "Twilio has nothing under that name in this account",
                "check that `account_sid` and `api_url` are those of the account and the region \
                 that the call is in",
            ),
            Self::NoSuchNumber => (
                Blame::Agent,
                code::CARRIER_NO_SUCH_NUMBER,
                "Twilio says that nobody can be reached at the number called",
                "check the number, with its country code",
            ),
            Self::NotOwned => (
                Blame::Config,
                code::CARRIER_NUMBER_NOT_OWNED,
                "the number we call from is not this Twilio account's",
                "use a number that is on console.twilio.com under Phone Numbers, Active numbers, \
                 or verify it as a caller id there",
            ),
            Self::NotPermitted => (
                Blame::Config,
                code::CARRIER_NOT_PERMITTED,
                "Twilio does not let this account call that number",
                "look at the account's voice settings on console.twilio.com",
            ),
            Self::Trial => (
                Blame::Config,
                code::CARRIER_NOT_PERMITTED,
                "a trial account of Twilio calls only numbers that it has verified",
                "verify the number on console.twilio.com under Verified caller ids, or upgrade",
            ),
        }
    }
}
