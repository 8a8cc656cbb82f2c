use std::fmt;

use jiff::Timestamp;
use jiff::civil::Time;

use crate::zone::Zones;

/// From when until when people may be called, by their own clocks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from: Time,
    /// The first moment that is too late; midnight: the day's end.
    until: Time,
}

/// Why a text is not hours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoursFault {
    /// It is not two times of the day, as in `08:00-21:00`.
    Form,
    /// It begins after it ends: a night is two days, and nobody is called through it by mistake.
    Order,
}

impl Hours {
    /// From eight to nine in the evening: when 47 CFR 64.1200(c)(1) lets people be called.
    pub const USUAL: Self = Self {
        from: Time::constant(8, 0, 0, 0),
        until: Time::constant(21, 0, 0, 0),
    };

    /// Reads `HH:MM-HH:MM`; `24:00` is the day's end.
    pub fn parse(text: &str) -> Result<Self, HoursFault> {
        let (from, until) = text.split_once('-').ok_or(HoursFault::Form)?;
        let from = time(from).ok_or(HoursFault::Form)?;
        let until = match until {
            "24:00" => Time::midnight(),
            other => time(other)
                .filter(|it| *it != Time::midnight())
                .ok_or(HoursFault::Form)?,
        };
        let ordered = until == Time::midnight() || from < until;
        ordered
            .then_some(Self { from, until })
            .ok_or(HoursFault::Order)
    }

    /// Whether it is one of these hours `at` that moment, wherever the number may be. Of a number that
    /// may be anywhere it never is.
    pub fn allow(&self, zones: &Zones, at: Timestamp) -> bool {
        let mut known = false;
        zones.iter().all(|zone| {
            known = true;
            let clock = at.to_zoned(zone.clone()).time();
            self.from <= clock && (self.until == Time::midnight() || clock < self.until)
        }) && known
    }

    /// The first moment from `at` on, to the quarter of an hour, at which it is; `None`: not within a
    /// week, for the number may be in too many places.
    pub fn next(&self, zones: &Zones, at: Timestamp) -> Option<Timestamp> {
        if self.allow(zones, at) {
            return Some(at);
        }
        let quarter = 15 * 60;
        let first = at.as_second().div_euclid(quarter) + 1;
        let mut ahead =
            (first..first + WEEK).filter_map(|it| Timestamp::from_second(it * quarter).ok());
        ahead.find(|it| self.allow(zones, *it))
    }
}

fn time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let two = |it: &str| {
        let digits = it.len() == 2 && it.bytes().all(|it| it.is_ascii_digit());
        digits.then(|| it.parse::<i8>().ok()).flatten()
    };
    Time::new(two(hour)?, two(minute)?, 0, 0).ok()
}

/// Quarters of an hour in a week.
const WEEK: i64 = 7 * 24 * 4;

/// As [`Hours::parse`] reads it.
impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let until = match self.until {
            it if it == Time::midnight() => "24:00".to_owned(),
            it => it.strftime("%H:%M").to_string(),
        };
        write!(f, "{}-{until}", self.from.strftime("%H:%M"))
    }
}

impl fmt::Debug for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for HoursFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "hours are two times of the day, such as 08:00-21:00",
            Self::Order => "hours begin before they end",
        })
    }
}

impl std::error::Error for HoursFault {}

#[cfg(test)]
mod tests {
    use call::Number;
    use jiff::ToSpan as _;
    use proptest::prelude::*;

    use super::*;

    fn of(number: &str) -> Zones {
        Zones::of(&Number::parse(number).unwrap())
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn people_are_called_by_their_own_clocks() {
        let berlin = of("+4930123456");
        for (moment, allowed) in [
            ("2026-01-15T06:59:59Z", false),
            ("2026-01-15T07:00:00Z", true),
            ("2026-01-15T19:59:59Z", true),
            ("2026-01-15T20:00:00Z", false),
            // In summer an hour earlier.
            ("2026-07-15T05:59:59Z", false),
            ("2026-07-15T06:00:00Z", true),
            ("2026-07-15T19:00:00Z", false),
        ] {
            assert_eq!(Hours::USUAL.allow(&berlin, at(moment)), allowed, "{moment}");
        }
    }

    #[test]
    fn where_a_number_may_be_in_many_places_it_must_be_day_in_all_of_them() {
        let anywhere = of("+15551234567");
        assert!(
            !Hours::USUAL.allow(&anywhere, at("2026-01-15T17:00:00Z")),
            "night in Hawaii"
        );
        assert!(
            !Hours::USUAL.allow(&anywhere, at("2026-01-15T03:00:00Z")),
            "night in New York"
        );
        assert!(Hours::USUAL.allow(&anywhere, at("2026-01-15T22:30:00Z")));
    }

    #[test]
    fn a_number_that_is_nowhere_is_never_called() {
        let nowhere = of("+999123456789");
        let always = Hours::parse("00:00-24:00").unwrap();
        assert!(!always.allow(&nowhere, at("2026-01-15T12:00:00Z")));
        assert_eq!(always.next(&nowhere, at("2026-01-15T12:00:00Z")), None);
    }

    #[test]
    fn it_is_known_when_they_may_be_called_next() {
        let next = |number, moment| Hours::USUAL.next(&of(number), at(moment));
        let noon = "2026-01-15T12:00:00Z";
        assert_eq!(next("+4930123456", noon), Some(at(noon)));
        let night = "2026-01-15T22:10:00Z";
        assert_eq!(next("+4930123456", night), Some(at("2026-01-16T07:00:00Z")));
        // Delhi is half an hour off.
        assert_eq!(
            next("+919876543210", night),
            Some(at("2026-01-16T02:30:00Z"))
        );
        // What was allowed a quarter of an hour ago is no next time.
        let early = Hours::parse("08:00-20:10").unwrap();
        let over = early.next(&of("+4930123456"), at("2026-01-15T19:12:00Z"));
        assert_eq!(over, Some(at("2026-01-16T07:00:00Z")));
        let never = Hours::parse("08:00-08:05").unwrap();
        assert_eq!(never.next(&of("+15551234567"), at(noon)), None);
    }

    #[test]
    fn who_wrote_something_else_is_told_what_hours_are() {
        let told = |text| Hours::parse(text).unwrap_err().to_string();
        assert!(told("8-21").contains("08:00-21:00"));
        assert!(told("21:00-08:00").contains("begin before they end"));
        assert_eq!(format!("{:?}", Hours::USUAL), "08:00-21:00");
    }

    /// From Guam to Newfoundland it is fourteen hours in summer, and an hour less in winter.
    #[test]
    fn nobody_waits_longer_than_a_week_to_be_called() {
        let hours = Hours::parse("08:00-19:15").unwrap();
        let next = |moment| hours.next(&of("+15551234567"), at(moment));
        let winter = next("2026-01-15T12:00:00Z");
        assert_eq!(winter, Some(at("2026-01-15T22:00:00Z")));
        assert_eq!(next("2026-07-01T12:00:00Z"), None);
        // Their clocks go back on the first of November.
        let autumn = next("2026-10-27T12:00:00Z");
        assert_eq!(autumn, Some(at("2026-11-01T22:00:00Z")));
        assert_eq!(next("2026-10-25T12:00:00Z"), None);
    }

    #[test]
    fn hours_are_two_times_in_order() {
        for text in ["08:00-21:00", "00:00-24:00", "09:30-12:00"] {
            assert_eq!(Hours::parse(text).unwrap().to_string(), text);
        }
        for text in [
            "",
            "8-21",
            "8:00-21:00",
            "08:00",
            "08:00-21:60",
            "08:00-00:00",
            "08:00-25:00",
            "+8:00-21:00",
        ] {
            assert_eq!(Hours::parse(text), Err(HoursFault::Form), "{text}");
        }
        assert_eq!(Hours::parse("21:00-08:00"), Err(HoursFault::Order));
        assert_eq!(Hours::parse("08:00-08:00"), Err(HoursFault::Order));
    }

    proptest! {
        /// Over fifty countries' capitals, at any minute of forty years with their changes of the
        /// clock: what is allowed is between the two times on every clock there.
        #[test]
        fn nobody_is_called_outside_the_hours(second in 0_i64..1_262_304_000, pick in 0_usize..PLACES.len()) {
            let zones = of(PLACES[pick]);
            let moment = Timestamp::from_second(946_684_800 + second).unwrap();
            let allowed = Hours::USUAL.allow(&zones, moment);
            let inside = |it: &jiff::tz::TimeZone| {
                let clock = moment.to_zoned(it.clone());
                (8..21).contains(&clock.hour())
            };
            prop_assert_eq!(allowed, zones.iter().all(inside));
            if let Some(next) = Hours::USUAL.next(&zones, moment) {
                prop_assert!(next >= moment && Hours::USUAL.allow(&zones, next));
                prop_assert!(next <= moment.checked_add((7 * 24).hours()).unwrap());
            }
        }
    }

    const PLACES: [&str; 50] = [
        "+12025550123",
        "+13035550123",
        "+14155550123",
        "+18085550123",
        "+19075550123",
        "+16045550123",
        "+17095550123",
        "+5215512345678",
        "+5511912345678",
        "+541123456789",
        "+56221234567",
        "+573011234567",
        "+442079460123",
        "+35312345678",
        "+351211234567",
        "+34911234567",
        "+33123456789",
        "+3221234567",
        "+31201234567",
        "+4930123456",
        "+41441234567",
        "+4311234567",
        "+390612345678",
        "+4532123456",
        "+46812345678",
        "+4722123456",
        "+35891234567",
        "+48221234567",
        "+420221234567",
        "+3612345678",
        "+302101234567",
        "+40211234567",
        "+380441234567",
        "+902121234567",
        "+972212345678",
        "+20221234567",
        "+27111234567",
        "+2348012345678",
        "+254712345678",
        "+97141234567",
        "+919876543210",
        "+9779812345678",
        "+66212345678",
        "+6561234567",
        "+85221234567",
        "+8613812345678",
        "+81312345678",
        "+82212345678",
        "+61212345678",
        "+6491234567",
    ];
}
