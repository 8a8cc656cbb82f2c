use std::collections::BTreeSet;
use std::fmt;

use crate::kind::{Country, Kind, Known};

/// Numbers of a country, all ordinary ones or those of some kinds: `DE`, `DE mobile`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Class {
    country: Country,
    kinds: BTreeSet<Kind>,
}

/// Why a text is not a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClassFault {
    /// It does not begin with a country's two letters.
    Country,
    /// A word after them is no kind of number that may be called.
    Kind,
}

impl Class {
    /// Reads a country's two letters, and perhaps kinds, with spaces between.
    ///
    /// A country alone is its ordinary lines: landlines, mobiles and those over the internet.
    pub fn parse(text: &str) -> Result<Self, ClassFault> {
        let mut words = text.split(' ');
        let country = words.next().and_then(Country::parse);
        let country = country.ok_or(ClassFault::Country)?;
        let mut kinds = BTreeSet::new();
        for word in words {
            let named = NAMED.iter().find(|(name, _)| *name == word);
            kinds.insert(named.ok_or(ClassFault::Kind)?.1);
        }
        if kinds.is_empty() {
            kinds.extend(ORDINARY);
        }
        Ok(Self { country, kinds })
    }

    /// Whether a number is one of these. What the digits leave open must be allowed either way.
    pub fn holds(&self, known: &Known) -> bool {
        known.country == Some(self.country)
            && match known.kind {
                Kind::LandlineOrMobile => {
                    self.kinds.contains(&Kind::Landline) && self.kinds.contains(&Kind::Mobile)
                }
                Kind::Landline
                | Kind::Mobile
                | Kind::Voip
                | Kind::TollFree
                | Kind::Company
                | Kind::Voicemail => self.kinds.contains(&known.kind),
                Kind::Fictitious | Kind::Dangerous(_) => false,
            }
    }
}

const ORDINARY: [Kind; 3] = [Kind::Landline, Kind::Mobile, Kind::Voip];

const NAMED: [(&str, Kind); 5] = [
    ("landline", Kind::Landline),
    ("mobile", Kind::Mobile),
    ("voip", Kind::Voip),
    ("toll-free", Kind::TollFree),
    ("company", Kind::Company),
];

impl fmt::Display for ClassFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Country => "a class of numbers begins with a country's two capital letters",
            Self::Kind => "the kinds of number are landline, mobile, voip, toll-free and company",
        })
    }
}

impl std::error::Error for ClassFault {}

#[cfg(test)]
mod tests {
    use call::Number;

    use super::*;

    fn holds(class: &str, number: &str) -> bool {
        let known = Known::of(&Number::parse(number).unwrap());
        Class::parse(class).unwrap().holds(&known)
    }

    #[test]
    fn a_class_holds_its_countrys_numbers_of_its_kinds() {
        assert!(holds("DE", "+4930123456"));
        assert!(holds("DE", "+4915112345678"));
        assert!(holds("DE mobile", "+4915112345678"));
        assert!(!holds("DE mobile", "+4930123456"));
        assert!(!holds("AT", "+4930123456"));
        assert!(holds("DE landline mobile", "+4930123456"));
        assert!(!holds("US", "+14165550123"), "Canada shares a country code");
        assert!(!holds("US", "+18005551234"));
        assert!(holds("US toll-free", "+18005551234"));
        assert!(!holds("US", "+19005551234"));
        assert!(
            !holds("US", "+15551234567"),
            "nobody's numbers are only called by name"
        );
    }

    #[test]
    fn a_line_that_may_be_a_mobile_is_not_just_a_landline() {
        assert!(holds("US", "+12025550123"));
        assert!(holds("US landline mobile", "+12025550123"));
        assert!(!holds("US landline", "+12025550123"));
        assert!(!holds("US mobile", "+12025550123"));
    }

    #[test]
    fn who_wrote_something_else_is_told_what_a_class_is() {
        let told = |text| Class::parse(text).unwrap_err().to_string();
        assert!(told("Germany").contains("two capital letters"));
        assert!(told("DE premium").contains("landline, mobile, voip, toll-free"));
    }

    #[test]
    fn what_is_no_class_is_told_apart() {
        for text in ["", "any", "Germany", "de", "*", " DE", "ZZ mobile", "+49"] {
            assert_eq!(Class::parse(text), Err(ClassFault::Country), "{text:?}");
        }
        for text in [
            "DE ",
            "DE  mobile",
            "DE premium",
            "DE mobile,voip",
            "DE Mobile",
        ] {
            assert_eq!(Class::parse(text), Err(ClassFault::Kind), "{text:?}");
        }
    }
}
