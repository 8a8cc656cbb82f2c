use std::fmt;

use crate::emergency::is_emergency;

/// A telephone number in E.164 form, parsed once and compared exactly.
///
/// `+` and 7 to 15 ASCII digits, the first not zero ([ITU-T E.164]); nothing else: no spaces, no
/// extensions, no `00`. Numbers that reach an emergency service do not parse at all, so no code
/// that holds a `Number` can dial one.
///
/// [ITU-T E.164]: https://www.itu.int/rec/T-REC-E.164
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(String);

/// Why a text is not a number that may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberFault {
    /// It does not start with `+`.
    NoPlus,
    /// Something in it is not an ASCII digit.
    NotDigits,
    /// Fewer than 7 or more than 15 digits.
    Length,
    /// No country code starts with zero.
    LeadingZero,
    /// It reaches an emergency service.
    Emergency,
}

impl Number {
    /// Reads a number, exactly as written.
    pub fn parse(text: &str) -> Result<Self, NumberFault> {
        if is_emergency(text) {
            return Err(NumberFault::Emergency);
        }
        let digits = text.strip_prefix('+').ok_or(NumberFault::NoPlus)?;
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(NumberFault::NotDigits);
        }
        if !(7..=15).contains(&digits.len()) {
            return Err(NumberFault::Length);
        }
        if digits.starts_with('0') {
            return Err(NumberFault::LeadingZero);
        }
        Ok(Self(text.to_owned()))
    }

    /// The number as dialled. Not for logs.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first three and last two digits: enough to recognise one's own, not enough to call.
    pub fn masked(&self) -> String {
        let end = self.0.len() - 2;
        format!("{}…{}", &self.0[..4], &self.0[end..])
    }
}

/// As [`Number::masked`].
impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl fmt::Display for NumberFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoPlus => "a number starts with + and the country code, such as +15551234567",
            Self::NotDigits => "after the + a number has only the digits 0 to 9",
            Self::Length => "a number has 7 to 15 digits",
            Self::LeadingZero => "a country code does not start with 0",
            Self::Emergency => "emergency numbers are never dialled",
        })
    }
}

impl std::error::Error for NumberFault {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_read_exactly_as_written() {
        for text in [
            "+15551234567",
            "+4911212345678",
            "+6834112",
            "+123456789012345",
        ] {
            assert_eq!(Number::parse(text).unwrap().as_str(), text);
        }
        for (text, fault) in [
            ("", NumberFault::NoPlus),
            ("15551234567", NumberFault::NoPlus),
            ("0015551234567", NumberFault::NoPlus),
            (" +15551234567", NumberFault::NoPlus),
            ("+1 555 123 4567", NumberFault::NotDigits),
            ("+15551234567;ext=911", NumberFault::NotDigits),
            ("+1555123456７", NumberFault::NotDigits),
            ("++15551234567", NumberFault::NotDigits),
            ("+155512", NumberFault::Length),
            ("+1234567890123456", NumberFault::Length),
            ("+05551234567", NumberFault::LeadingZero),
            ("+1212911", NumberFault::Emergency),
            ("+3530112", NumberFault::Emergency),
            ("+112", NumberFault::Emergency),
            ("999", NumberFault::Emergency),
            ("9 - 1 - 1", NumberFault::Emergency),
        ] {
            assert_eq!(Number::parse(text).unwrap_err(), fault, "{text}");
        }
    }

    #[test]
    fn who_wrote_something_else_is_told_what_a_number_is() {
        for (text, told) in [
            ("15551234567", "starts with +"),
            ("+1 555", "only the digits"),
            ("+155512", "7 to 15"),
            ("+05551234567", "does not start with 0"),
            ("911", "never dialled"),
        ] {
            let fault = Number::parse(text).unwrap_err().to_string();
            assert!(fault.contains(told), "{text}: {fault}");
        }
    }

    #[test]
    fn a_number_is_not_printed_whole() {
        let number = Number::parse("+15551234567").unwrap();
        assert_eq!(format!("{number:?}"), "+155…67");
    }
}
