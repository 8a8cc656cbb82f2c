use std::sync::LazyLock;

use call::Number;
use jiff::tz::{TimeZone, TimeZoneDatabase};

/// The time zones a number may be in: all of a country's where its digits tell no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Zones(Vec<TimeZone>);

impl Zones {
    /// Looks up where a number is, by its longest prefix in libphonenumber's table.
    pub fn of(number: &Number) -> Self {
        let digits = &number.as_str()[1..];
        let found = (1..=digits.len().min(LONGEST)).rev().find_map(|length| {
            let prefix = &digits[..length];
            let at = TABLE.binary_search_by_key(&prefix, |(prefix, _)| prefix);
            at.ok().map(|at| TABLE[at].1)
        });
        let names = found.into_iter().flat_map(|names| names.split(' '));
        Self(names.filter_map(zone).collect())
    }

    /// One that the owner named.
    pub fn one(zone: TimeZone) -> Self {
        Self(vec![zone])
    }

    /// Each of them. None: nobody knows where the number is.
    pub fn iter(&self) -> impl Iterator<Item = &TimeZone> {
        self.0.iter()
    }

    /// Their names (IANA).
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(TimeZone::iana_name)
    }
}

/// A time zone by its name, such as `Europe/Berlin` (IANA), from the data in this program.
pub fn zone(name: &str) -> Option<TimeZone> {
    DATABASE.get(name).ok()
}

static DATABASE: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// Prefixes without their `+`, in order, each with the names of its zones.
static TABLE: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let lines = ZONES.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once(": "));
    let mut table: Vec<_> = pairs
        .flat_map(|(names, prefixes)| prefixes.split(' ').map(move |it| (it, names)))
        .collect();
    table.sort_unstable();
    table
});

const ZONES: &str = include_str!("../data/zones.txt");
/// No prefix of the table has more digits.
const LONGEST: usize = 9;

#[cfg(test)]
mod tests {
    use super::*;

    fn names(number: &str) -> Vec<String> {
        let zones = Zones::of(&Number::parse(number).unwrap());
        zones.names().map(str::to_owned).collect()
    }

    #[test]
    fn a_number_is_where_its_longest_prefix_says() {
        assert_eq!(names("+12025550123"), ["America/New_York"]);
        assert_eq!(names("+14155550123"), ["America/Los_Angeles"]);
        assert_eq!(names("+4930123456"), ["Europe/Berlin"]);
        assert_eq!(names("+18072745555"), ["America/Winnipeg"]);
        assert!(
            names("+15551234567").len() > 20,
            "anywhere in North America"
        );
        assert!(names("+79161234567").contains(&"Europe/Moscow".to_owned()));
        assert!(names("+999123456789").is_empty());
    }

    #[test]
    fn every_zone_of_the_table_is_one() {
        for (prefix, zones) in TABLE.iter() {
            assert!(prefix.bytes().all(|it| it.is_ascii_digit()) && prefix.len() <= LONGEST);
            for name in zones.split(' ') {
                assert!(zone(name).is_some(), "{name}");
            }
        }
        assert!(TABLE.len() > 3_000);
        assert!(zone("Europe/Nowhere").is_none());
    }
}
