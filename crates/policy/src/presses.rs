//! Keys pressed on a call that is up: whoever answered may be an exchange that dials on for us, and what it dials is
//! on nobody's list.
//!
//! # Where the line is drawn
//!
//! Most keys are choices of a menu and account numbers, and a number that would be dangerous somewhere hides in many of
//! those. So a number counts only from where somebody would begin to dial it: at the first key of what is pressed at
//! once, after a pause, after `*` or `#`. What follows within a few seconds belongs to it, whoever presses it how.
//!
//! - What is for an outside line (`9`, `0` or `8`), or for another country (`00`, `011`), and then reaches such a number:
//!   refused, whatever digits come after. An account of eleven digits and more that begins in just that way is refused
//!   with it, one in a few hundred of those that begin with 9, 0 or 8.
//! - Without that, a number that costs is refused as a whole and as it is dialled in the country of either end:
//!   `900 555 1234` in North America. A credit card's sixteen digits are none, nor any other number longer than it.
//! - A number that no plan has is refused only behind `00` or `011`, and only if it is as long as that country's are:
//!   accounts begin with zeros too.
//! - The numbers for help that every exchange knows, and those of the countries of both ends, are refused as they stand
//!   or behind an outside line's key; two digits only behind one. Longer numbers that begin with them are accounts
//!   and dates.

use std::fmt;
use std::time::Duration;

use call::{Keys, Number};

use crate::kind::{Danger, Kind, Known, country_code, is_as_long_as_its_countrys};

/// What was pressed on a call so far.
#[derive(Clone, Default)]
pub struct Pressed {
    /// Digits that may yet be parts of one number.
    run: String,
    /// Where in them somebody may have begun to dial.
    starts: Vec<usize>,
    /// When the last key was over, since the call began.
    until: Duration,
    /// How many keys in all.
    count: usize,
}

/// Why keys are not pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unpressable {
    /// They would dial an emergency number.
    Emergency,
    /// They would dial a number of this kind.
    Dangerous(Danger),
    /// So many were pressed on this call.
    TooMany(usize),
}

/// Whether keys may be pressed so long after a call began, after those that were; and what was pressed then. `ends`: the
/// number of either side.
///
/// # Errors
/// They would have whoever answered dial what is never dialled, or there is no end of them.
pub fn may_press(
    before: &Pressed,
    (now, keys): (Duration, &Keys),
    ends: &[&Number],
) -> Result<Pressed, Unpressable> {
    let mut pressed = before.clone();
    if before.until + TOGETHER <= now {
        pressed.forget();
    }
    pressed.begin();
    for key in keys.as_str().chars() {
        match key {
            '0'..='9' => pressed.run.push(key),
            'w' | 'W' => {
                pressed.look(ends)?;
                pressed.begin();
            }
            // Stars, pounds and letters stand in no number.
            _ => {
                pressed.look(ends)?;
                pressed.forget();
                pressed.begin();
            }
        }
        pressed.count += usize::from(!matches!(key, 'w' | 'W'));
    }
    pressed.look(ends)?;
    if pressed.count > MOST {
        return Err(Unpressable::TooMany(MOST));
    }
    pressed.until = now + keys.length();
    Ok(pressed)
}

impl Pressed {
    fn begin(&mut self) {
        let here = self.run.len();
        if self.starts.last() != Some(&here) {
            self.starts.push(here);
        }
        // What began so long ago was looked at when it was all there.
        self.starts.retain(|it| here - it <= LONGEST);
    }

    fn forget(&mut self) {
        self.run.clear();
        self.starts.clear();
    }

    fn look(&self, ends: &[&Number]) -> Result<(), Unpressable> {
        self.starts
            .iter()
            .try_for_each(|it| dials(&self.run[*it..], ends))
    }
}

/// They may spell a secret.
impl fmt::Debug for Pressed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pressed(•••)")
    }
}

/// Whether digits would dial something that is never dialled.
fn dials(digits: &str, ends: &[&Number]) -> Result<(), Unpressable> {
    let codes = || ends.iter().filter_map(|it| country_code(it));
    if reaches_help(digits, codes()) {
        return Err(Unpressable::Emergency);
    }
    let abroad = |digits: &str| match ABROAD.iter().find_map(|it| digits.strip_prefix(it)) {
        Some(number) => begins_dangerously(number).or_else(|| is_unknown(number)),
        None => None,
    };
    let within = |digits: &str, is: fn(&str) -> Option<Danger>| {
        codes().find_map(|code| as_dialled(digits, code).find_map(|it| is(&it)))
    };
    let outside = OUTSIDE.iter().filter_map(|it| digits.strip_prefix(it));
    let found = abroad(digits)
        .or_else(|| within(digits, is_costly))
        .or_else(|| {
            let mut outside = outside;
            outside.find_map(|it| abroad(it).or_else(|| within(it, begins_dangerously)))
        });
    found.map_or(Ok(()), |danger| Err(Unpressable::Dangerous(danger)))
}

fn reaches_help<'c>(digits: &str, mut codes: impl Iterator<Item = &'c str>) -> bool {
    let behind = OUTSIDE.iter().find_map(|it| {
        let rest = digits.strip_prefix(it)?;
        (rest.len() >= 2).then_some(rest)
    });
    let is = |known: &[&str]| {
        let whole = digits.len() > 2 && known.contains(&digits);
        whole || behind.is_some_and(|it| known.contains(&it))
    };
    let of = |code: &str| HELP.iter().any(|(it, known)| *it == code && is(known));
    is(HELP_ANYWHERE) || codes.any(of)
}

/// How a number that is dialled so within a country is written.
fn as_dialled(digits: &str, code: &str) -> impl Iterator<Item = String> {
    let trunk = if code == "1" { '1' } else { '0' };
    let long = digits.strip_prefix(trunk);
    // Where there is no trunk prefix the zero belongs to the number, as in Italy; North America has a short form.
    let plain = (code == "1" || long.is_some()).then_some(digits);
    let [long, plain] = [long, plain].map(|it| it.map(|it| format!("+{code}{it}")));
    long.into_iter().chain(plain)
}

/// What costs money, if that is all of this number.
fn is_costly(number: &str) -> Option<Danger> {
    danger(number).filter(|it| match it {
        Danger::Premium | Danger::SharedCost => true,
        // As many accounts look like these as there are such numbers.
        Danger::International | Danger::Personal | Danger::Pager | Danger::Unknown => false,
    })
}

/// What is dangerous of the numbers that these digits begin with: who dials needs no more.
fn begins_dangerously(number: &str) -> Option<Danger> {
    let digits = number.strip_prefix('+').unwrap_or(number);
    (SHORTEST..=digits.len().min(LONGEST_NUMBER)).find_map(|length| {
        let found = danger(&format!("+{}", &digits[..length]));
        found.filter(|it| *it != Danger::Unknown)
    })
}

/// Whether it is no number of the country whose code it begins with, and as long as those are that can be reached
/// from elsewhere.
fn is_unknown(digits: &str) -> Option<Danger> {
    let number = format!("+{digits}");
    let unknown = digits.len() >= FROM_ELSEWHERE && danger(&number) == Some(Danger::Unknown);
    (unknown && is_as_long_as_its_countrys(&number)).then_some(Danger::Unknown)
}

fn danger(number: &str) -> Option<Danger> {
    match Known::of(&Number::parse(number).ok()?).kind {
        Kind::Dangerous(danger) => Some(danger),
        Kind::Landline
        | Kind::Mobile
        | Kind::LandlineOrMobile
        | Kind::Voip
        | Kind::TollFree
        | Kind::Company
        | Kind::Voicemail
        | Kind::Fictitious => None,
    }
}

/// What gets an outside line in a house, and the other countries' numbers from anywhere.
const OUTSIDE: &[&str] = &["9", "0", "8"];
const ABROAD: &[&str] = &["00", "011"];

/// Who helps, where mobile telephones and most exchanges connect these to somebody.
const HELP_ANYWHERE: &[&str] = &["112", "911", "999"];

/// The same by country code.
const HELP: &[(&str, &[&str])] = &[
    ("1", &["933", "988"]),
    ("7", &["01", "02", "03", "101", "102", "103"]),
    ("30", &["100", "166"]),
    ("33", &["15", "17", "18", "114"]),
    ("34", &["061", "062", "091"]),
    ("39", &["113", "115", "118"]),
    ("41", &["117", "118", "144"]),
    ("43", &["122", "133", "144"]),
    ("48", &["997", "998"]),
    ("49", &["110"]),
    ("55", &["190", "192", "193"]),
    ("61", &["000", "106"]),
    ("64", &["111"]),
    ("65", &["995"]),
    ("81", &["110", "118", "119"]),
    ("82", &["119"]),
    ("86", &["110", "119", "120"]),
    ("91", &["100", "101", "102", "108"]),
    ("852", &["992"]),
    ("972", &["100", "101", "102"]),
];

/// Exchanges take digits for those of one number that are no further apart (ITU-T Q.931, T302: 10 to 15 seconds).
const TOGETHER: Duration = Duration::from_secs(15);

/// So many keys are pressed on one call: a bank with a number for everything wants fewer.
const MOST: usize = 256;

/// No number is longer with all that is dialled before it, nor one without that.
const LONGEST: usize = 32;
const LONGEST_NUMBER: usize = 15;
const SHORTEST: usize = 7;

/// With their country's code hardly any are shorter.
const FROM_ELSEWHERE: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    const US: &str = "+12025550123";
    const GERMAN: &str = "+4930123456";
    const BRITISH: &str = "+442079460123";

    /// Presses one after the other, so far apart.
    fn press(end: &str, presses: &[&str], apart: u64) -> Result<Pressed, Unpressable> {
        let end = Number::parse(end).expect("a number");
        let mut pressed = Pressed::default();
        let mut now = Duration::from_secs(5);
        for keys in presses {
            let keys = Keys::parse(keys).expect("keys");
            pressed = may_press(&pressed, (now, &keys), &[&end])?;
            now += keys.length() + Duration::from_secs(apart);
        }
        Ok(pressed)
    }

    #[test]
    fn menus_accounts_and_dates_go_through() {
        let accounts = [
            "1",
            "2#",
            "0",
            "00",
            "*0w1",
            "159w*#D",
            "1234",
            "0000",
            "1122#",
            "12251999",
            "1125",
            "123456789#",
            "0012345678",
            "000012345678",
            "4111111111111111",
            "5331234567890123",
            "2025550123",
            "12025550123",
            "912025550123",
            "8001234567",
            "9115551234",
            "11235813#",
            "999912345678",
            "112",
            "01120119",
        ];
        for keys in accounts.iter().filter(|it| **it != "112") {
            for end in [US, GERMAN, BRITISH] {
                assert_eq!(press(end, &[keys], 1).err(), None, "{keys} {end}");
            }
        }
        let one_by_one: Vec<String> = "4111111111111111#".chars().map(String::from).collect();
        let one_by_one: Vec<&str> = one_by_one.iter().map(String::as_str).collect();
        assert_eq!(press(US, &one_by_one, 1).err(), None);
        let menu = press(US, &["1", "1", "2", "9", "1", "1"], 16);
        assert_eq!(
            menu.err(),
            None,
            "each after what was said to the one before"
        );
    }

    #[test]
    fn nobody_is_called_for_help_by_keys() {
        for keys in [
            "911", "112", "999", "9911", "9112", "0112", "8911", "9w911", "1#911", "12*112#",
            "w999",
        ] {
            let refused = press(US, &[keys], 1).err();
            assert_eq!(refused, Some(Unpressable::Emergency), "{keys}");
        }
        for (end, keys) in [
            (GERMAN, "110"),
            ("+33123456789", "017"),
            ("+61212345678", "000"),
        ] {
            let refused = press(end, &[keys], 1).err();
            assert_eq!(refused, Some(Unpressable::Emergency), "{keys}");
            assert_eq!(press(US, &[keys], 1).err(), None, "{keys}");
        }
        let choice = press("+33123456789", &["15"], 1).err();
        assert_eq!(
            choice, None,
            "two keys are a choice, also where they are a call for help"
        );
        for presses in [
            &["9", "1", "1"][..],
            &["9", "91", "1"],
            &["5", "9", "911"],
            &["1", "1", "2"],
        ] {
            let refused = press(US, presses, 3).err();
            assert_eq!(refused, Some(Unpressable::Emergency), "{presses:?}");
        }
    }

    #[test]
    fn what_is_never_dialled_is_not_dialled_by_whoever_answered() {
        let premium = Unpressable::Dangerous(Danger::Premium);
        for keys in [
            "9005551234",
            "19005551234",
            "919005551234",
            "99005551234",
            "9w19005551234",
            "12345#19005551234#",
            "1w19005551234",
            "9190055512349999",
            "2129761234",
            "001900555123400",
            "900449012345678",
        ] {
            assert_eq!(press(US, &[keys], 1).err(), Some(premium), "{keys}");
        }
        let international = Unpressable::Dangerous(Danger::International);
        for keys in [
            "011881612345678",
            "9011881612345678",
            "00881612345678",
            "000881612345678",
            "00979123456789",
            "9w00w88213123456",
        ] {
            assert_eq!(press(US, &[keys], 1).err(), Some(international), "{keys}");
        }
        assert_eq!(press(BRITISH, &["09012345678"], 1).err(), Some(premium));
        assert_eq!(press(BRITISH, &["909012345678"], 1).err(), Some(premium));
        let shared = Unpressable::Dangerous(Danger::SharedCost);
        assert_eq!(press(GERMAN, &["01801234567"], 1).err(), Some(shared));
        let unknown = Unpressable::Dangerous(Danger::Unknown);
        assert_eq!(press(US, &["01110005550123"], 1).err(), Some(unknown));
        // A landline somewhere else, and digits that are too few.
        for keys in ["0114930123456", "0111202555012"] {
            assert_eq!(press(US, &[keys], 1).err(), None, "{keys}");
        }
    }

    #[test]
    fn a_number_in_pieces_is_a_number() {
        let premium = Some(Unpressable::Dangerous(Danger::Premium));
        let one_by_one: Vec<String> = "919005551234".chars().map(String::from).collect();
        let one_by_one: Vec<&str> = one_by_one.iter().map(String::as_str).collect();
        assert_eq!(press(US, &one_by_one, 1).err(), premium);
        assert_eq!(press(US, &["9", "1900", "5551", "234"], 10).err(), premium);
        assert_eq!(press(US, &["3", "9", "1900555", "1234"], 2).err(), premium);
        let apart = press(US, &["9", "1900", "5551", "234"], 15);
        assert_eq!(apart.err(), None, "no exchange waits so long");
        // Behind however many others.
        let behind = press(US, &["2222222222", "3333333333", "4444444444", "911"], 1);
        assert_eq!(behind.err(), Some(Unpressable::Emergency));
    }

    #[test]
    fn there_is_an_end_to_keys() {
        let many = "1*".repeat(32);
        let few: Vec<&str> = std::iter::repeat_n(many.as_str(), MOST / 64).collect();
        let pressed = press(US, &few, 1).expect("as many as may be");
        let (now, one) = (Duration::from_secs(900), Keys::parse("1").expect("a key"));
        let refused = may_press(&pressed, (now, &one), &[]).err();
        assert_eq!(refused, Some(Unpressable::TooMany(MOST)));
        assert_eq!(format!("{pressed:?}"), "Pressed(•••)");
    }
}
