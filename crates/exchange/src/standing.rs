//! How an account stands with its carrier: what it may not do, what its numbers belong to, and what it is told of its callers.

/// How the account stands. By default it is a paid one that may call everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// What it pays.
    pub terms: Terms,
    /// The calling codes it may not call, without a plus; for Telnyx any of them means that it may call nobody.
    pub closed: Vec<String>,
    /// How many seconds the carrier's clock is ahead of this machine's.
    pub ahead: i64,
}

/// What an account pays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Terms {
    /// For its calls.
    #[default]
    Paid,
    /// It has used up what it paid for.
    Spent,
    /// Nothing yet: it may call these numbers only.
    Trial(Vec<String>),
}

/// Who has a number of the account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Owner {
    /// Nobody but the number itself: its own addresses count.
    #[default]
    Itself,
    /// An application (a connection, where numbers have those), by its id.
    Application(String),
    /// A trunk, by its id. Carriers that have none take it for an application.
    Trunk(String),
}

/// What the carrier says of the number that a caller shows (STIR/SHAKEN), in its own words for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Vouched {
    /// Nobody signed for it, as in most countries.
    #[default]
    Unsigned,
    /// Somebody did at level A, and that could not be verified.
    Failed,
    /// Level C: where the call came in is known.
    Gateway,
    /// Level B: who made it is known.
    Partial,
    /// Level A: the number is known to be theirs.
    Full,
}

impl Standing {
    /// Whether the account may not call this number, on trial.
    pub(crate) fn unverified(&self, number: &str) -> bool {
        match &self.terms {
            Terms::Paid | Terms::Spent => false,
            Terms::Trial(verified) => !verified.iter().any(|it| it == number),
        }
    }

    /// Whether the account may not call this number's country.
    pub(crate) fn closes(&self, number: &str) -> bool {
        let digits = number.trim_start_matches('+');
        self.closed
            .iter()
            .any(|code| digits.starts_with(code.as_str()))
    }
}

impl Owner {
    /// The id of whatever has the number, if anything has.
    pub(crate) fn id(&self) -> Option<&str> {
        match self {
            Self::Itself => None,
            Self::Application(id) | Self::Trunk(id) => Some(id),
        }
    }
}
