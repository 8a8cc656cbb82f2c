//! Keys the caller presses, each counted once.

use std::time::{Duration, Instant};

use call::Digit;

/// How a key became known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// The carrier said so.
    Message,
    /// It was heard in the caller's sound.
    Sound,
}

/// Some carriers say that a key was pressed, some let its tone through, and some do both.
#[derive(Debug, Default)]
pub(crate) struct Keypad {
    last: Option<(Instant, Digit, Way)>,
}

impl Keypad {
    /// Whether this is a press of its own, and not the last one again by the other way.
    pub(crate) fn is_press(&mut self, now: Instant, digit: Digit, way: Way) -> bool {
        let again = self.last.is_some_and(|(at, known, by)| {
            known == digit && by != way && now.saturating_duration_since(at) < APART
        });
        self.last = if again { None } else { Some((now, digit, way)) };
        !again
    }
}

/// The two ways of one press come no further apart than this.
const APART: Duration = Duration::from_millis(600);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_comes_both_ways_is_pressed_once() {
        let begin = Instant::now();
        let mut keypad = Keypad::default();
        let mut press = |ms, key, way| {
            let digit = Digit::new(key).expect("it is a key");
            keypad.is_press(begin + Duration::from_millis(ms), digit, way)
        };
        assert!(press(0, '5', Way::Message));
        assert!(!press(140, '5', Way::Sound));
        assert!(press(400, '5', Way::Sound), "pressed again, heard first");
        assert!(!press(500, '5', Way::Message));
        assert!(press(700, '6', Way::Message));
        assert!(
            press(800, '6', Way::Message),
            "the same way is a press each"
        );
        assert!(press(2_000, '6', Way::Sound), "too late to be the same");
        assert!(press(2_100, '7', Way::Message));
    }
}
