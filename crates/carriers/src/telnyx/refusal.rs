use ports::{Blame, Fault, Retry, code};
use serde::Deserialize;

/// How Telnyx says no.
///
/// Source: [API error codes](https://support.telnyx.com/en/articles/4386788-telnyx-api-error-codes).
/// Several errors may come together; the first says most.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Refusal {
    #[serde(default)]
    errors: Vec<Error>,
}

#[derive(Debug, Deserialize)]
struct Error {
    #[serde(default)]
    code: String,
    #[serde(default)]
    title: String,
}

impl Refusal {
    /// Reads the body of a refusal. One that is not Telnyx's, but perhaps a proxy's, has no errors.
    pub(super) fn read(body: &[u8]) -> Self {
        serde_json::from_slice(body).unwrap_or_default()
    }

    /// Telnyx knows no such call, or it is over: there is nothing left to end.
    pub(super) fn is_over(&self, status: u16) -> bool {
        status == 404 || self.has("90018") || self.has("90015")
    }

    /// Telnyx has not answered the call yet.
    pub(super) fn is_unanswered(&self) -> bool {
        self.has("90034")
    }

    /// The call's sound goes where it was told to go already.
    pub(super) fn is_streaming(&self) -> bool {
        self.has("90045")
    }

    /// The same in our words. `status` is the HTTP status, below 500.
    pub(super) fn fault(&self, status: u16) -> Fault {
        let mut meanings = self.errors.iter().filter_map(|it| Meaning::of(&it.code));
        let meaning = meanings.next().or_else(|| Meaning::of_status(status));
        match (meaning, self.errors.first()) {
            (Some(meaning), first) => meaning.fault(first.map_or("", |it| &it.code)),
            (None, Some(error)) => error.unnamed(status),
            (None, None) => {
                let message = format!("Telnyx answered with HTTP status {status}");
                Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message)
                    .hint("check `api_url`, and whether a proxy stands in between")
            }
        }
    }

    fn has(&self, code: &str) -> bool {
        self.errors.iter().any(|it| it.code == code)
    }
}

impl Error {
    /// A refusal in Telnyx's words, since we have none for it. Its title is a fixed text; what its
    /// detail says may be private.
    fn unnamed(&self, status: u16) -> Fault {
        let title: String = self.title.chars().take(LONGEST_TITLE).collect();
        let message = match (self.code.as_str(), title.as_str()) {
            ("", _) => format!("Telnyx answered with HTTP status {status}"),
            (number, "") => format!("Telnyx refused with error {number}"),
            (number, title) => format!("Telnyx refused with error {number}: {title}"),
        };
        Fault::new(Blame::Carrier, code::CARRIER_REFUSED, message)
            .hint("see the debugging page of the call on portal.telnyx.com")
    }
}

/// What a refusal comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Busy,
    Credentials,
    NoSuchCall,
    NoSuchNumber,
    NotOwned,
    NotPermitted,
}

impl Meaning {
    fn of(number: &str) -> Option<Self> {
        Some(match number {
            "10011" | "90041" | "90042" | "90043" => Self::Busy,
            "10009" => Self::Credentials,
            "10005" | "90015" | "90018" => Self::NoSuchCall,
            "10016" => Self::NoSuchNumber,
            "10010" | "10039" => Self::NotPermitted,
            "10038" => Self::NotOwned,
            _ => return None,
        })
    }

    /// By the HTTP status, where there is no number.
    fn of_status(status: u16) -> Option<Self> {
        Some(match status {
            401 => Self::Credentials,
            403 => Self::NotPermitted,
            404 => Self::NoSuchCall,
            429 => Self::Busy,
            _ => return None,
        })
    }

    pub(super) fn fault(self, number: &str) -> Fault {
        let (blame, code, message, hint) = self.words();
        let retry = match self {
            // Refused before anything was done.
            Self::Busy => Retry::IfNotSent,
            Self::Credentials
            | Self::NoSuchCall
            | Self::NoSuchNumber
            | Self::NotOwned
            | Self::NotPermitted => Retry::Never,
        };
        let message = match number {
            "" => message.to_owned(),
            number => format!("{message} (error {number})"),
        };
        Fault::new(blame, code, message).hint(hint).retry(retry)
    }

    fn words(self) -> (Blame, &'static str, &'static str, &'static str) {
        match self {
            Self::Busy => (
                Blame::Carrier,
                code::CARRIER_BUSY,
                "Telnyx has more to do for this account than it allows at once",
                "make fewer calls at a time, or raise the limits of the account, the outbound voice \
                 profile or the application",
            ),
            Self::Credentials => (
                Blame::Config,
                code::CARRIER_CREDENTIALS,
                "Telnyx refused the API key",
                "compare `api_key` with Keys & Credentials on portal.telnyx.com",
            ),
            Self::NoSuchCall => (
                Blame::Gateway,
                code::CARRIER_NO_SUCH_CALL,
                "Telnyx has nothing under that name, or the call is over",
                "check that `connection_id` and `api_url` are those of the account that the call is \
                 in",
            ),
            Self::NoSuchNumber => (
                Blame::Agent,
                code::CARRIER_NO_SUCH_NUMBER,
                "Telnyx says that a number is not one",
                "check the number, with its country code",
            ),
            Self::NotOwned => (
                Blame::Config,
                code::CARRIER_NUMBER_NOT_OWNED,
                "the number we call from is not this Telnyx account's",
                "use a number that is under Numbers, My numbers on portal.telnyx.com",
            ),
            Self::NotPermitted => (
                Blame::Config,
                code::CARRIER_NOT_PERMITTED,
                "Telnyx does not let this account make that call",
                "look at the outbound voice profile of the application on portal.telnyx.com: its \
                 countries, its limits, and whether the account is verified",
            ),
        }
    }
}

/// Telnyx's titles are a few words.
const LONGEST_TITLE: usize = 120;
