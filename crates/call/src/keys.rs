use std::fmt;
use std::time::Duration;

use media::{KEY_GAP, KEY_PAUSE, KEY_TONE};

use crate::Digit;

/// Keys to press on a call, in order: digits, `*`, `#`, `A` to `D`, and `w` for half a second's pause.
#[derive(Clone, PartialEq, Eq)]
pub struct Keys(String);

impl Keys {
    /// Reads what a person wrote. `None`: it is no key, nothing, or more than [`Keys::MOST`].
    pub fn parse(text: &str) -> Option<Self> {
        let known = |key: char| matches!(key, 'w' | 'W') || Digit::new(key).is_some();
        let pressed = text.chars().any(|key| Digit::new(key).is_some());
        let fits = text.len() <= Self::MOST && pressed && text.chars().all(known);
        fits.then(|| Self(text.to_owned()))
    }

    /// The keys, as written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How long pressing them takes.
    pub fn length(&self) -> Duration {
        let lengths = self.0.chars().map(|key| match key {
            'w' | 'W' => KEY_PAUSE,
            _ => KEY_TONE + KEY_GAP,
        });
        lengths.sum()
    }

    /// More are not pressed at once.
    pub const MOST: usize = 64;
}

/// Keys may spell a secret.
impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(•••)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_what_a_telephone_has() {
        for good in ["1", "123#", "*0w1", "wABCDabcd9"] {
            assert!(Keys::parse(good).is_some(), "{good}");
        }
        let long = "1".repeat(Keys::MOST + 1);
        for bad in ["", "w", "12 3", "1,2", "E", "+1", "\u{661}", &long] {
            assert!(Keys::parse(bad).is_none(), "{bad}");
        }
        let length = Keys::parse("12w#").map(|it| it.length());
        assert_eq!(length, Some(Duration::from_millis(1_100)));
        let keys = Keys::parse("1234").expect("keys");
        assert_eq!(keys.as_str(), "1234");
        assert_eq!(format!("{keys:?}"), "Keys(•••)");
    }
}
