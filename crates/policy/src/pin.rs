//! PINs: keyed and never spoken, compared in a time that says nothing, and guessed at seldom.

use std::fmt;
use std::time::Duration;

use call::Digit;
use subtle::{Choice, ConstantTimeEq as _};

/// Digits that prove who somebody is.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(Digits);

/// What somebody keyed.
#[derive(Clone, PartialEq, Eq)]
pub struct Keyed(Digits);

/// Up to [`LONGEST`] digits in a field of always the same length; what is not used of it is zero, which is no
/// digit.
#[derive(Clone, PartialEq, Eq)]
struct Digits {
    field: [u8; LONGEST],
    length: usize,
}

impl Pin {
    /// Reads a PIN: 6 to 32 digits. `None`: it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.bytes().all(|it| it.is_ascii_digit());
        if !digits || !(SHORTEST..=LONGEST).contains(&text.len()) {
            return None;
        }
        let mut keyed = Keyed::default();
        text.bytes().for_each(|it| keyed.push(it));
        Some(Self(keyed.0))
    }

    /// As [`Keyed::as_bytes`].
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.field
    }

    /// Whether this was keyed. Looks at all of the field, whatever is in it.
    pub fn is(&self, keyed: &Keyed) -> Choice {
        let fits = Choice::from(u8::from(keyed.0.length <= LONGEST));
        self.0.field.ct_eq(&keyed.0.field) & fits
    }
}

impl Keyed {
    /// The digits, for whoever compares them with what is kept as a hash: always as many bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.field
    }

    fn push(&mut self, digit: u8) {
        if let Some(place) = self.0.field.get_mut(self.0.length) {
            *place = digit;
        }
        // One that is too long is none, and stays so.
        self.0.length = self.0.length.saturating_add(1);
    }
}

impl Default for Keyed {
    fn default() -> Self {
        Self(Digits {
            field: [0; LONGEST],
            length: 0,
        })
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(•••)")
    }
}

impl fmt::Debug for Keyed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keyed(•••)")
    }
}

/// Keys on their way into a call: those of a PIN, from the star to the pound, are kept back. Time is counted from
/// wherever its user likes.
#[derive(Clone, Debug)]
pub struct Keypad {
    starts: Starts,
    keying: Option<Keying>,
    /// Until when it needs no star: somebody was told how to key a PIN, or was slow at it.
    awaited: Option<Duration>,
}

/// When keys are those of a PIN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Starts {
    /// From a star on.
    WithStar,
    /// Always: nobody else listens.
    AtOnce,
}

#[derive(Clone, Debug)]
struct Keying {
    keyed: Keyed,
    /// When the next key is too late.
    until: Duration,
}

/// What becomes of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Key {
    /// The call is told.
    Told(Digit),
    /// Nobody is told.
    Kept,
    /// Nor of this one; it was the last.
    Last(Keyed),
}

impl Keypad {
    /// One on which nothing was pressed.
    pub fn new(starts: Starts) -> Self {
        Self {
            starts,
            keying: None,
            awaited: None,
        }
    }

    /// A PIN is about to be keyed, perhaps by somebody who forgets the star: until a pound, or for as long as that
    /// may take, every key is one of it.
    pub fn expect(&mut self, now: Duration) {
        self.awaited = Some(now + AWAITED);
    }

    /// Takes a key.
    pub fn press(&mut self, now: Duration, digit: Digit) -> Key {
        self.give_up(now);
        self.awaited.take_if(|it| *it <= now);
        let until = now + PATIENCE;
        let needs_star = self.starts == Starts::WithStar && self.awaited.is_none();
        match (digit.as_char(), &mut self.keying) {
            ('*', keying) => {
                let keyed = Keyed::default();
                *keying = Some(Keying { keyed, until });
                // What comes after too long a pause is the rest of it, and still nobody's business.
                self.expect(now);
                Key::Kept
            }
            ('#', keying @ Some(_)) => {
                let keyed = keying.take().map(|it| it.keyed);
                self.awaited = None;
                keyed.map_or(Key::Kept, Key::Last)
            }
            (digit, Some(keying)) => {
                // A letter is no digit of a PIN, so there is none with it.
                keying.keyed.push(digit as u8);
                keying.until = until;
                Key::Kept
            }
            (_, None) if needs_star => Key::Told(digit),
            ('#', None) => {
                self.awaited = None;
                Key::Kept
            }
            (digit, None) => {
                let mut keyed = Keyed::default();
                keyed.push(digit as u8);
                self.keying = Some(Keying { keyed, until });
                Key::Kept
            }
        }
    }

    /// When the keys so far are forgotten, if any are kept.
    pub fn deadline(&self) -> Option<Duration> {
        self.keying.as_ref().map(|it| it.until)
    }

    /// Forgets keys after which none came for too long.
    pub fn give_up(&mut self, now: Duration) {
        self.keying.take_if(|it| it.until <= now);
    }

    /// Whether a PIN is being keyed just now.
    pub fn is_keying(&self) -> bool {
        self.keying.is_some()
    }
}

/// How somebody guessed until now, wrongly.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Guesses {
    /// On this call.
    pub on_call: usize,
    /// From this number, in the last 24 hours.
    pub by_number: usize,
    /// From any number, in the last 24 hours.
    pub by_all: usize,
    /// How long ago the last one from this number was.
    pub number_since: Option<Duration>,
    /// The same for any number.
    pub all_since: Option<Duration>,
}

impl Guesses {
    /// Whether another guess is looked at at all.
    pub fn allow_another(&self) -> bool {
        let over = |since: Option<Duration>, wait| since.is_none_or(|it| it >= wait);
        self.on_call < PER_CALL
            && self.by_number < PER_NUMBER
            && self.by_all < PER_DAY
            && over(self.number_since, wait(self.by_number))
            && over(
                self.all_since,
                wait(self.by_all.saturating_sub(PER_DAY / 2) / 5),
            )
    }
}

/// How long after so many wrong ones: each time twice as long.
fn wait(wrong: usize) -> Duration {
    let doubled = u32::try_from(wrong.min(LONGEST_WAIT)).unwrap_or_default();
    match doubled {
        0 => Duration::ZERO,
        wrong => Duration::from_millis(500 << wrong),
    }
}

/// So many wrong guesses on one call, and in 24 hours from one number and from all of them. Of the million
/// PINs of six digits that is one in ten thousand a day.
const PER_CALL: usize = 3;
const PER_NUMBER: usize = 10;
const PER_DAY: usize = 100;
/// After this many it does not become longer: eight minutes and a half.
const LONGEST_WAIT: usize = 10;

const SHORTEST: usize = 6;
const LONGEST: usize = 32;

/// Longer than this between two keys, and it is no PIN.
const PATIENCE: Duration = Duration::from_secs(20);

/// So long after a star, or after somebody was told how to key a PIN, no star is needed. It is not counted anew with
/// each key: whoever pressed a star by mistake must be heard again without knowing of the pound.
const AWAITED: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    fn digit(key: char) -> Digit {
        Digit::new(key).unwrap()
    }

    fn keyed(text: &str) -> Keyed {
        let mut keyed = Keyed::default();
        text.bytes().for_each(|it| keyed.push(it));
        keyed
    }

    #[test]
    fn a_pin_is_six_digits_at_least() {
        for good in ["123456", "000000", &"9".repeat(32)] {
            assert!(Pin::parse(good).is_some(), "{good}");
        }
        for bad in [
            "",
            "12345",
            "12345a",
            "１２３４５６",
            "123 456",
            " 123456",
            &"9".repeat(33),
        ] {
            assert!(Pin::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_the_pin_itself_is_the_pin() {
        let pin = Pin::parse("123456").unwrap();
        assert!(bool::from(pin.is(&keyed("123456"))));
        assert_eq!(pin.as_bytes(), keyed("123456").as_bytes());
        assert_eq!(pin.as_bytes()[..6], *b"123456");
        let long = "123456".to_owned() + &"0".repeat(40);
        for wrong in [
            "", "023456", "123450", "12345", "1234567", "123456A", "654321", &long,
        ] {
            assert!(!bool::from(pin.is(&keyed(wrong))), "{wrong}");
        }
        let longest = "9".repeat(32);
        let pin = Pin::parse(&longest).unwrap();
        assert!(bool::from(pin.is(&keyed(&longest))));
        assert!(!bool::from(pin.is(&keyed(&format!("{longest}9")))));
    }

    /// What is compared is a field of one length, by a comparison that looks at all of it: a guess whose first
    /// digit is right is as much work as any other. The field is what this can see of that.
    #[test]
    fn whatever_is_keyed_is_compared_over_the_same_length() {
        for text in ["", "1", "123456", "923456", &"1".repeat(100)] {
            assert_eq!(keyed(text).as_bytes().len(), LONGEST, "{text}");
        }
        let zeros = keyed("12").as_bytes()[2..].iter().all(|it| *it == 0);
        assert!(zeros, "and holds nothing else");
    }

    #[test]
    fn what_is_secret_is_shown_to_nobody() {
        let shown = format!("{:?} {:?}", Pin::parse("123456"), keyed("123456"));
        assert_eq!(shown, "Some(Pin(•••)) Keyed(•••)");
    }

    #[test]
    fn keys_from_the_star_to_the_pound_are_kept_back() {
        let now = Duration::ZERO;
        let mut keypad = Keypad::new(Starts::WithStar);
        assert_eq!(keypad.press(now, digit('5')), Key::Told(digit('5')));
        assert_eq!(keypad.press(now, digit('#')), Key::Told(digit('#')));
        for key in "*9*12".chars() {
            assert_eq!(keypad.press(now, digit(key)), Key::Kept);
        }
        assert!(keypad.is_keying());
        assert_eq!(
            keypad.press(now, digit('#')),
            Key::Last(keyed("12")),
            "a star begins again"
        );
        assert!(!keypad.is_keying());
        assert_eq!(keypad.press(now, digit('1')), Key::Told(digit('1')));
    }

    #[test]
    fn keys_that_do_not_become_a_pin_are_forgotten_and_never_told() {
        let now = Duration::ZERO;
        let mut keypad = Keypad::new(Starts::WithStar);
        for key in "*123".chars() {
            assert_eq!(keypad.press(now, digit(key)), Key::Kept);
        }
        let late = keypad.deadline().unwrap();
        keypad.give_up(late);
        assert!(!keypad.is_keying());
        let rest = keypad.press(late, digit('4'));
        assert_eq!(rest, Key::Kept, "the rest of it, after a long pause");
        assert_eq!(keypad.press(AWAITED, digit('5')), Key::Told(digit('5')));
    }

    #[test]
    fn a_pin_that_is_awaited_needs_no_star() {
        let now = Duration::from_secs(100);
        let mut keypad = Keypad::new(Starts::WithStar);
        assert_eq!(keypad.press(now, digit('1')), Key::Told(digit('1')));
        keypad.expect(now);
        assert!(!keypad.is_keying(), "nothing is recorded as silence yet");
        for key in "918273".chars() {
            assert_eq!(keypad.press(now, digit(key)), Key::Kept);
        }
        assert_eq!(keypad.press(now, digit('#')), Key::Last(keyed("918273")));
        assert_eq!(keypad.press(now, digit('2')), Key::Told(digit('2')));

        keypad.expect(now);
        for key in "12*918273".chars() {
            assert_eq!(keypad.press(now, digit(key)), Key::Kept);
        }
        let last = keypad.press(now, digit('#'));
        assert_eq!(last, Key::Last(keyed("918273")), "a star does no harm");

        keypad.expect(now);
        assert_eq!(keypad.press(now, digit('#')), Key::Kept);
        let told = keypad.press(now, digit('3'));
        assert_eq!(told, Key::Told(digit('3')), "a pound is the end of it");

        keypad.expect(now);
        let told = keypad.press(now + AWAITED, digit('4'));
        assert_eq!(told, Key::Told(digit('4')), "nobody keyed one");
    }

    #[test]
    fn where_nobody_else_listens_no_star_is_needed() {
        let now = Duration::ZERO;
        let mut keypad = Keypad::new(Starts::AtOnce);
        assert_eq!(keypad.press(now, digit('#')), Key::Kept);
        for key in "123456".chars() {
            assert_eq!(keypad.press(now, digit(key)), Key::Kept);
        }
        assert_eq!(keypad.press(now, digit('#')), Key::Last(keyed("123456")));
    }

    #[test]
    fn nothing_of_it_is_printed() {
        let mut keypad = Keypad::new(Starts::WithStar);
        for key in "*918273".chars() {
            let _ = keypad.press(Duration::ZERO, digit(key));
        }
        let told = format!(
            "{keypad:?} {:?} {:?}",
            keyed("918273"),
            Pin::parse("918273")
        );
        assert!(!told.contains("918") && !told.contains("57"), "{told}");
    }

    /// Whoever guesses as fast and from as many numbers as they like has a hundred tries a day.
    #[test]
    fn guesses_are_few_whoever_makes_them() {
        let wrong = |on_call, by_number, by_all| Guesses {
            on_call,
            by_number,
            by_all,
            number_since: None,
            all_since: None,
        };
        assert!(wrong(2, 9, 99).allow_another());
        for too_many in [wrong(3, 0, 0), wrong(0, 10, 0), wrong(0, 0, 100)] {
            assert!(!too_many.allow_another(), "{too_many:?}");
        }
        let mut at = Duration::ZERO;
        let (mut last, mut made) = (None, 0);
        while at < Duration::from_secs(24 * 60 * 60) {
            let since = last.map(|last| at - last);
            let guesses = Guesses {
                number_since: since,
                all_since: since,
                ..wrong(0, made, made)
            };
            if guesses.allow_another() {
                (last, made) = (Some(at), made + 1);
            }
            at += Duration::from_millis(500);
        }
        assert_eq!(made, 10, "from one number");
    }

    #[test]
    fn each_wrong_guess_takes_longer_until_the_next() {
        assert_eq!(wait(0), Duration::ZERO);
        assert!((0..LONGEST_WAIT).all(|it| wait(it) < wait(it + 1)));
        assert_eq!(wait(1_000), wait(LONGEST_WAIT));
        let soon = Guesses {
            on_call: 1,
            by_number: 1,
            by_all: 1,
            number_since: Some(Duration::from_millis(999)),
            all_since: None,
        };
        assert!(!soon.allow_another());
        let later = Guesses {
            number_since: Some(Duration::from_secs(1)),
            ..soon
        };
        assert!(later.allow_another());
        // Half of a day's guesses are free of it; then five more of anybody's count as one of one's own.
        for (by_all, waited, allowed) in [(54, 0, true), (60, 1_999, false), (60, 2_000, true)] {
            let of_all = Guesses {
                by_all,
                all_since: Some(Duration::from_millis(waited)),
                ..Guesses::default()
            };
            assert_eq!(of_all.allow_another(), allowed, "{by_all} {waited}");
        }
    }
}
