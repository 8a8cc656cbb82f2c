use std::error::Error;
use std::fmt;

/// Something outside went wrong.
///
/// A fault answers the questions an operator asks: whose is it, what happened, is it worth trying
/// again, and what should I do. Messages hold no secret, no words of a call, no whole number.
#[derive(Debug, thiserror::Error)]
pub struct Fault {
    /// Who has to act.
    pub blame: Blame,
    /// Stable and searchable, one of [`crate::code`].
    pub code: &'static str,
    /// What happened, in a sentence.
    pub message: String,
    /// Whether trying again can help.
    pub retry: Retry,
    /// What to do about it.
    pub hint: Option<String>,
    /// The rule of the owner's that decided, and where it stands; `None`: none did.
    pub rule: Option<String>,
    /// What lies underneath.
    #[source]
    pub source: Option<Box<dyn Error + Send + Sync>>,
}

/// Who has to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blame {
    /// The agent's own side.
    Agent,
    /// The person on the phone.
    Caller,
    /// The phone company.
    Carrier,
    /// Whoever wrote the configuration.
    Config,
    /// Us.
    Gateway,
    /// The speech vendor.
    Vendor,
}

/// Whether trying again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// It will fail the same way.
    Never,
    /// It may work now, and doing it twice does no harm.
    Now,
    /// The far end cannot have acted on it. A dial that may have been sent is never this.
    IfNotSent,
}

impl Fault {
    /// A fault that is not worth retrying.
    pub fn new(blame: Blame, code: &'static str, message: impl Into<String>) -> Self {
        Self {
            blame,
            code,
            message: message.into(),
            retry: Retry::Never,
            hint: None,
            rule: None,
            source: None,
        }
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Says which rule of the owner's decided.
    #[must_use]
    pub fn by_rule(mut self, rule: impl Into<String>) -> Self {
        self.rule = Some(rule.into());
        self
    }

    /// Says whether trying again can help.
    #[must_use]
    pub fn retry(mut self, retry: Retry) -> Self {
        self.retry = retry;
        self
    }

    /// Adds what lies underneath.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}
