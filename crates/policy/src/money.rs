use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::kind::{Country, Kind, Known};

/// An amount in the currency that the owner's account is in, to the millionth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(u64);

/// Why a text is not an amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoneyFault;

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// So many millionths.
    pub const fn micros(micros: u64) -> Self {
        Self(micros)
    }

    /// How many millionths.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Reads an amount such as `20`, `0.0140` or `3.5`: at most nine digits, and six after the point.
    pub fn parse(text: &str) -> Result<Self, MoneyFault> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |it: &str, most| {
            (1..=most).contains(&it.len()) && it.bytes().all(|it| it.is_ascii_digit())
        };
        if !digits(whole, 9) || !digits(part, 6) {
            return Err(MoneyFault);
        }
        let whole: u64 = whole.parse().map_err(|_| MoneyFault)?;
        let part: u64 = format!("{part:0<6}").parse().map_err(|_| MoneyFault)?;
        Ok(Self(whole * 1_000_000 + part))
    }

    /// The sum, or the most there can be.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// What is left, or nothing.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// What a call of this length costs at this price per minute. Every minute that has begun is paid
    /// for.
    #[must_use]
    pub fn for_call(self, length: Duration) -> Self {
        let minutes = length.as_millis().div_ceil(60_000);
        let minutes = u64::try_from(minutes).unwrap_or(u64::MAX);
        Self(self.0.saturating_mul(minutes))
    }
}

/// With two digits after the point, or as many as it takes.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let part = format!("{part:06}");
        let shown = part.trim_end_matches('0').len().max(2);
        write!(f, "{whole}.{}", &part[..shown])
    }
}

impl fmt::Display for MoneyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount is written as 20 or 0.014, with at most six digits after the point")
    }
}

impl std::error::Error for MoneyFault {}

/// The first digits of numbers, with a `+`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Prefix(String);

impl Prefix {
    /// Reads `+` and 1 to 15 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('+')?;
        let plain = digits.bytes().all(|it| it.is_ascii_digit()) && !digits.starts_with('0');
        (plain && (1..=15).contains(&digits.len())).then(|| Self(text.to_owned()))
    }
}

impl fmt::Display for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a minute costs, by the first digits of the number. The longest that fits counts; where none
/// does and the owner said nothing of such, more than an ordinary line costs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rates {
    by_prefix: BTreeMap<String, Money>,
    otherwise: Option<Money>,
}

impl Rates {
    /// What a minute costs to a number of which nobody knows: more than an ordinary one does anywhere.
    pub const UNKNOWN: Money = Money::micros(1_000_000);

    /// The same in the United States and Canada, where no line costs as much.
    pub const NEAR: Money = Money::micros(50_000);

    /// Prices, and one for all numbers that none of them fits, if the owner said one.
    pub fn new(
        by_prefix: impl IntoIterator<Item = (Prefix, Money)>,
        otherwise: Option<Money>,
    ) -> Self {
        let by_prefix = by_prefix.into_iter().map(|(prefix, rate)| (prefix.0, rate));
        Self {
            by_prefix: by_prefix.collect(),
            otherwise,
        }
    }

    /// What a minute costs.
    pub fn per_minute(&self, known: &Known) -> Money {
        let text = known.number.as_str();
        let lengths = (2..=text.len()).rev();
        let mut said = lengths.filter_map(|length| self.by_prefix.get(&text[..length]));
        said.next().copied().unwrap_or_else(|| self.unsaid(known))
    }

    fn unsaid(&self, known: &Known) -> Money {
        let country = known.country.as_ref().map(Country::as_str);
        match (self.otherwise, country, known.kind) {
            (Some(otherwise), _, _) => otherwise,
            (None, Some("US" | "CA"), _) | (None, None, Kind::Fictitious) => Self::NEAR,
            (None, _, _) => Self::UNKNOWN,
        }
    }
}

impl Default for Rates {
    fn default() -> Self {
        Self::new([], None)
    }
}

#[cfg(test)]
mod tests {
    use call::Number;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_read_and_shown_exactly() {
        for (text, micros, shown) in [
            ("20", 20_000_000, "20.00"),
            ("0.014", 14_000, "0.014"),
            ("3.5", 3_500_000, "3.50"),
            ("0.000001", 1, "0.000001"),
            ("999999999.999999", 999_999_999_999_999, "999999999.999999"),
            ("0", 0, "0.00"),
        ] {
            let money = Money::parse(text).unwrap();
            assert_eq!(
                (money.as_micros(), money.to_string().as_str()),
                (micros, shown)
            );
        }
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1,5",
            "1.0000001",
            "1234567890",
            "NaN",
            " 1",
        ] {
            assert_eq!(Money::parse(text), Err(MoneyFault), "{text}");
        }
    }

    #[test]
    fn who_wrote_something_else_is_told_what_an_amount_is() {
        let told = Money::parse("1,5").unwrap_err().to_string();
        assert!(told.contains("0.014"), "{told}");
        assert_eq!(Prefix::parse("+49").unwrap().to_string(), "+49");
    }

    #[test]
    fn a_minute_that_has_begun_is_paid_for() {
        let rate = Money::parse("0.02").unwrap();
        for (seconds, cost) in [
            (0, "0.00"),
            (1, "0.02"),
            (60, "0.02"),
            (61, "0.04"),
            (1_800, "0.60"),
        ] {
            let length = Duration::from_secs(seconds);
            assert_eq!(rate.for_call(length).to_string(), cost, "{seconds}");
        }
        assert_eq!(rate.for_call(Duration::MAX), Money::micros(u64::MAX));
    }

    #[test]
    fn the_longest_prefix_sets_the_price() {
        let rate = |prefix, price| (Prefix::parse(prefix).unwrap(), Money::parse(price).unwrap());
        let rates = [
            rate("+1", "0.01"),
            rate("+1907", "0.1"),
            rate("+49", "0.02"),
        ];
        let rates = Rates::new(rates, Some(Money::parse("2").unwrap()));
        let known = |number| Known::of(&Number::parse(number).unwrap());
        let price = |number| rates.per_minute(&known(number)).to_string();
        assert_eq!(price("+12025550123"), "0.01");
        assert_eq!(price("+19075550123"), "0.10");
        assert_eq!(price("+4930123456"), "0.02");
        assert_eq!(price("+33123456789"), "2.00");
        let unsaid = |number| Rates::default().per_minute(&known(number)).to_string();
        assert_eq!(unsaid("+12025550123"), "0.05");
        assert_eq!(
            unsaid("+18095550123"),
            "1.00",
            "the country code alone says little"
        );
        assert_eq!(unsaid("+4930123456"), "1.00");
        for none in ["", "+", "49", "+0", "+49x", "+1234567890123456", "+４９"] {
            assert_eq!(Prefix::parse(none), None, "{none}");
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_as_the_same(micros in 0_u64..1_000_000_000_000_000) {
            let money = Money::micros(micros);
            prop_assert_eq!(Money::parse(&money.to_string()), Ok(money));
        }
    }
}
