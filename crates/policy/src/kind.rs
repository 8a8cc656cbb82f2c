use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{LazyLock, OnceLock};

use call::Number;
use phonenumber::Metadata;
use phonenumber::metadata::{DATABASE, Descriptor};
use regex::{Regex, RegexBuilder};

/// A country, by its two letters (ISO 3166-1 alpha-2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Country([u8; 2]);

impl Country {
    /// Reads two capital letters of a country that has telephone numbers.
    pub fn parse(text: &str) -> Option<Self> {
        let [a, b] = *text.as_bytes() else {
            return None;
        };
        // It knows none but by capital letters.
        let known = DATABASE.by_id(text).is_some();
        known.then_some(Self([a, b]))
    }

    /// The two letters.
    pub fn as_str(&self) -> &str {
        // Two ASCII letters, as `parse` saw.
        str::from_utf8(&self.0).unwrap_or("??")
    }
}

impl fmt::Debug for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of line a number belongs to, as far as its digits tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A line in a house.
    Landline,
    /// A mobile telephone.
    Mobile,
    /// One of the two: in some countries the digits do not tell which.
    LandlineOrMobile,
    /// A line over the internet.
    Voip,
    /// Who is called pays.
    TollFree,
    /// A company's number for the whole country.
    Company,
    /// Someone's mailbox.
    Voicemail,
    /// One that no telephone has: the area code 555 of North America is not given to anybody, and stands
    /// in examples. No phone company can put such a call through, or charge for it.
    Fictitious,
    /// One that is never dialled.
    Dangerous(Danger),
}

/// Why a kind of number is never dialled, whatever the owner wrote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Danger {
    /// Whoever is called earns by it.
    Premium,
    /// Costs are shared, at a price that the digits do not tell.
    SharedCost,
    /// A satellite's, or a network's that belongs to no country (ITU-T E.164, shared country codes).
    International,
    /// A number that follows its owner, at a price that the digits do not tell.
    Personal,
    /// A pager.
    Pager,
    /// No numbering plan has it.
    Unknown,
}

/// A number, and what is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// The number.
    pub number: Number,
    /// The country it is of; `None`: of none, or of one that is not known.
    pub country: Option<Country>,
    /// What kind of line it is.
    pub kind: Kind,
}

impl Known {
    /// Looks a number up in libphonenumber's numbering plans.
    pub fn of(number: &Number) -> Self {
        let (country, kind) = look_up(number.as_str());
        Self {
            number: number.clone(),
            country,
            kind,
        }
    }
}

fn look_up(text: &str) -> (Option<Country>, Kind) {
    let unknown = (None, Kind::Dangerous(Danger::Unknown));
    if is_fictitious(text) {
        return (None, Kind::Fictitious);
    }
    if is_pay_per_call(text) {
        return (None, Kind::Dangerous(Danger::Premium));
    }
    if SHARED_CODES.iter().any(|it| text.starts_with(it)) {
        return (None, Kind::Dangerous(Danger::International));
    }
    let plans = (1..=3).find_map(|length| plan(text.get(1..)?, length));
    plans.unwrap_or(unknown)
}

/// The plan that has this number, if so many of its digits are a country's code. Digit for digit:
/// what people dial besides, a `0` or a `1` within the country, is not taken away.
fn plan(digits: &str, length: usize) -> Option<(Option<Country>, Kind)> {
    let (code, national) = digits.split_at_checked(length)?;
    let plans = PLANS.get(&code.parse::<u16>().ok()?)?;
    let found = plans.iter().find_map(|plan| plan.kind(national));
    Some(found.unwrap_or((None, Kind::Dangerous(Danger::Unknown))))
}

/// The code of the country, or of the countries, that a number is of.
pub(crate) fn country_code(number: &Number) -> Option<&str> {
    let digits = number.as_str().get(1..)?;
    let codes = (1..=3).filter_map(|length| digits.get(..length));
    codes
        .into_iter()
        .find(|it| it.parse().is_ok_and(|it: u16| PLANS.contains_key(&it)))
}

/// Whether it has as many digits as numbers of a country with its code have.
pub(crate) fn is_as_long_as_its_countrys(text: &str) -> bool {
    let fits = |length: usize| {
        let (code, national) = text.get(1..)?.split_at_checked(length)?;
        let plans = PLANS.get(&code.parse::<u16>().ok()?)?;
        let lines = plans.iter().flat_map(|it| [&it.landline, &it.mobile]);
        let mut lengths = lines.flatten().flat_map(|it| it.lengths);
        Some(lengths.any(|it| usize::from(*it) == national.len()))
    };
    (1..=3).find_map(fits).unwrap_or(false)
}

/// +1 555 and seven digits.
fn is_fictitious(text: &str) -> bool {
    text.len() == 12 && text.starts_with("+1555")
}

/// North America's exchange 976 of any area code: those who are called charge what they like, and the
/// numbering plans below know nothing of it.
fn is_pay_per_call(text: &str) -> bool {
    text.len() == 12 && text.starts_with("+1") && &text[5..8] == "976"
}

/// The plans of each country code, the main country's first.
static PLANS: LazyLock<BTreeMap<u16, Vec<Plan>>> = LazyLock::new(|| {
    let codes: BTreeSet<u16> = DATABASE.iter().map(Metadata::country_code).collect();
    let plans = |code| {
        let regions = DATABASE.region(&code).unwrap_or_default();
        let plans = regions.iter().filter_map(|it| DATABASE.by_id(*it));
        plans.map(Plan::new).collect()
    };
    codes.into_iter().map(|code| (code, plans(code))).collect()
});

/// A country's numbering plan. The library's own matching is content with a number's beginning, so only
/// its data is used.
struct Plan {
    source: &'static Metadata,
    /// What tells this country's numbers from those of others with its code, where that is so simple.
    leads: Option<Pattern>,
    general: Pattern,
    /// The dangerous ones first, where a number may be several.
    special: Vec<(Pattern, Kind)>,
    landline: Option<Pattern>,
    mobile: Option<Pattern>,
}

impl Plan {
    fn new(source: &'static Metadata) -> Self {
        let all = source.descriptors();
        let special = [
            (all.premium_rate(), Kind::Dangerous(Danger::Premium)),
            (all.shared_cost(), Kind::Dangerous(Danger::SharedCost)),
            (all.personal_number(), Kind::Dangerous(Danger::Personal)),
            (all.pager(), Kind::Dangerous(Danger::Pager)),
            (all.toll_free(), Kind::TollFree),
            (all.voip(), Kind::Voip),
            (all.uan(), Kind::Company),
            (all.voicemail(), Kind::Voicemail),
        ];
        let special = special.into_iter();
        Self {
            source,
            leads: source
                .leading_digits()
                .map(|it| Pattern::start(it.as_str())),
            general: Pattern::whole(all.general()),
            special: special
                .filter_map(|(it, kind)| Some((Pattern::whole(it?), kind)))
                .collect(),
            landline: all.fixed_line().map(Pattern::whole),
            mobile: all.mobile().map(Pattern::whole),
        }
    }

    /// What this plan says of a number, if it is of this country.
    fn kind(&self, national: &str) -> Option<(Option<Country>, Kind)> {
        let unknown = Kind::Dangerous(Danger::Unknown);
        let is = |it: &Option<Pattern>| it.as_ref().is_some_and(|it| it.fits(national));
        let kind = if self.general.fits(national) {
            let special = self.special.iter().find(|(it, _)| it.fits(national));
            match special {
                Some((_, kind)) => *kind,
                None if is(&self.landline) && is(&self.mobile) => Kind::LandlineOrMobile,
                None if is(&self.landline) => Kind::Landline,
                None if is(&self.mobile) => Kind::Mobile,
                None => unknown,
            }
        } else {
            unknown
        };
        let its = self.leads.as_ref().map(|it| it.fits(national));
        let its = its.unwrap_or(kind != unknown);
        its.then(|| (Country::parse(self.source.id()), kind))
    }
}

/// What a number within its country looks like. Read when it is first asked for.
struct Pattern {
    text: String,
    /// How many digits it has; empty: that is all in the text.
    lengths: &'static [u16],
    read: OnceLock<Option<Regex>>,
}

impl Pattern {
    fn whole(kind: &'static Descriptor) -> Self {
        Self {
            text: format!("^(?:{})$", kind.national_number().as_str()),
            lengths: kind.possible_length(),
            read: OnceLock::new(),
        }
    }

    fn start(text: &str) -> Self {
        Self {
            text: format!("^(?:{text})"),
            lengths: &[],
            read: OnceLock::new(),
        }
    }

    fn fits(&self, national: &str) -> bool {
        let long = self.lengths.is_empty();
        if !long
            && !self
                .lengths
                .iter()
                .any(|it| usize::from(*it) == national.len())
        {
            return false;
        }
        let read = || {
            RegexBuilder::new(&self.text)
                .ignore_whitespace(true)
                .unicode(false)
                .build()
        };
        let read = self.read.get_or_init(|| read().ok());
        read.as_ref().is_some_and(|it| it.is_match(national))
    }
}

/// Country codes that belong to no country: international freephone, shared cost, Inmarsat, universal
/// personal numbers, satellites, networks, disaster relief, international premium (ITU-T E.164, annex
/// D to the Operational Bulletin; those it keeps spare stand here too).
const SHARED_CODES: &[&str] = &[
    "+800", "+808", "+870", "+875", "+876", "+877", "+878", "+879", "+881", "+882", "+883", "+888",
    "+979", "+991", "+999",
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Landline => "landline",
            Self::Mobile => "mobile",
            Self::LandlineOrMobile => "landline or mobile",
            Self::Voip => "voip",
            Self::TollFree => "toll-free",
            Self::Company => "company",
            Self::Voicemail => "voicemail",
            Self::Fictitious => "fictitious",
            Self::Dangerous(danger) => return danger.fmt(f),
        })
    }
}

impl fmt::Display for Danger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Premium => "premium-rate",
            Self::SharedCost => "shared-cost",
            Self::International => "satellite or international",
            Self::Personal => "personal",
            Self::Pager => "pager",
            Self::Unknown => "unknown",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(text: &str) -> (Option<String>, Kind) {
        let known = Known::of(&Number::parse(text).unwrap());
        (known.country.map(|it| it.as_str().to_owned()), known.kind)
    }

    #[test]
    fn a_country_is_two_capital_letters() {
        let read = |text| Country::parse(text).map(|it| format!("{it:?}"));
        assert_eq!(read("DE").as_deref(), Some("DE"));
        for text in [
            "de", "De", "dE", "D1", "00", "DEU", "D", "", "ZZ", "001", "ß",
        ] {
            assert_eq!(read(text), None, "{text:?}");
        }
    }

    #[test]
    fn it_is_known_how_long_a_countrys_numbers_are() {
        for (text, fits) in [
            ("+12025550123", true),
            ("+1202555012", false),
            ("+120255501234", false),
            ("+33123456789", true),
            ("+3312345678", false),
            ("+999123456789", false),
        ] {
            assert_eq!(is_as_long_as_its_countrys(text), fits, "{text}");
        }
    }

    /// They are words of the configuration, and of what is told.
    #[test]
    fn every_kind_has_a_name_of_its_own() {
        let dangers = [
            Danger::Premium,
            Danger::SharedCost,
            Danger::International,
            Danger::Personal,
            Danger::Pager,
            Danger::Unknown,
        ];
        let kinds = [
            Kind::Landline,
            Kind::Mobile,
            Kind::LandlineOrMobile,
            Kind::Voip,
            Kind::TollFree,
            Kind::Company,
            Kind::Voicemail,
            Kind::Fictitious,
        ];
        let dangers = dangers.into_iter().map(Kind::Dangerous);
        let names: Vec<String> = kinds
            .into_iter()
            .chain(dangers)
            .map(|it| it.to_string())
            .collect();
        for (at, name) in names.iter().enumerate() {
            assert!(!name.is_empty() && !names[..at].contains(name), "{name:?}");
        }
        assert_eq!(names[0], "landline");
        assert_eq!(names[8], "premium-rate");
    }

    #[test]
    fn numbers_are_of_the_country_and_kind_their_plan_says() {
        for (text, country, kind) in [
            ("+12025550123", "US", Kind::LandlineOrMobile),
            ("+14165550123", "CA", Kind::LandlineOrMobile),
            ("+18095550123", "DO", Kind::LandlineOrMobile),
            ("+4930123456", "DE", Kind::Landline),
            ("+4915112345678", "DE", Kind::Mobile),
            ("+442079460123", "GB", Kind::Landline),
            ("+919876543210", "IN", Kind::Mobile),
            ("+33612345678", "FR", Kind::Mobile),
            ("+390612345678", "IT", Kind::Landline),
            ("+18005551234", "US", Kind::TollFree),
        ] {
            assert_eq!(known(text), (Some(country.to_owned()), kind), "{text}");
        }
        assert_eq!(known("+15551234567"), (None, Kind::Fictitious));
    }

    #[test]
    fn what_costs_more_than_a_call_is_dangerous() {
        for (text, danger) in [
            ("+19005551234", Danger::Premium),
            ("+12129761234", Danger::Premium),
            ("+18099761234", Danger::Premium),
            ("+449012345678", Danger::Premium),
            ("+491901234567", Danger::Unknown),
            ("+4990012345678", Danger::Unknown),
            ("+448712345678", Danger::Premium),
            ("+491801234567", Danger::SharedCost),
            ("+447012345678", Danger::Personal),
            ("+870776001234", Danger::International),
            ("+881612345678", Danger::International),
            ("+88213123456", Danger::International),
            ("+883510012345", Danger::International),
            ("+80012345678", Danger::International),
            ("+979123456789", Danger::International),
            ("+999123456789", Danger::International),
            ("+2101234567", Danger::Unknown),
            ("+1555123456", Danger::Unknown),
            ("+155512345678", Danger::Unknown),
            ("+10005550123", Danger::Unknown),
            // With a prefix that only people in the country dial.
            ("+49030123456", Danger::Unknown),
            ("+112025550123", Danger::Unknown),
        ] {
            assert_eq!(known(text).1, Kind::Dangerous(danger), "{text}");
        }
    }

    #[test]
    fn a_country_is_two_letters_that_have_numbers() {
        assert_eq!(
            Country::parse("DE")
                .map(|it| it.as_str().to_owned())
                .as_deref(),
            Some("DE")
        );
        for none in ["", "de", "D", "DEU", "ZZ", "XX", "001", "Ü"] {
            assert_eq!(Country::parse(none), None, "{none}");
        }
    }
}

#[cfg(test)]
mod data {
    use super::*;

    /// A pattern that cannot be read fits nothing, and a premium one must not fit nothing.
    #[test]
    fn every_pattern_can_be_read() {
        let mut patterns = 0;
        for plan in PLANS.values().flatten() {
            let special = plan.special.iter().map(|(it, _)| it);
            let all = plan.leads.iter().chain([&plan.general]).chain(special);
            for pattern in all.chain(&plan.landline).chain(&plan.mobile) {
                pattern.fits(&"1".repeat(pattern.lengths.first().copied().unwrap_or(1).into()));
                let read = pattern.read.get().and_then(Option::as_ref);
                assert!(read.is_some(), "{}", pattern.text);
                patterns += 1;
            }
        }
        assert!(patterns > 1_000);
    }
}
