//! Keys the caller presses, each counted once.

use std::collections::VecDeque;
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

/// Some carriers say that a key was pressed, some let its tone through, and some do both, where one way
/// may lag behind the other by several keys.
#[derive(Debug)]
pub(crate) struct Keypad {
    /// Presses that came one way and not yet the other, the oldest first: by one way alone.
    single: VecDeque<(Instant, Digit, Way)>,
}

impl Default for Keypad {
    fn default() -> Self {
        Self {
            single: VecDeque::with_capacity(MOST),
        }
    }
}

impl Keypad {
    /// Whether this is a press of its own, and not an earlier one again by the other way.
    pub(crate) fn is_press(&mut self, now: Instant, digit: Digit, way: Way) -> bool {
        let late = |it: &(Instant, Digit, Way)| now.saturating_duration_since(it.0) >= APART;
        while self.single.front().is_some_and(late) {
            self.single.pop_front();
        }
        let known = |it: &(Instant, Digit, Way)| it.1 == digit && it.2 != way;
        if let Some(at) = self.single.iter().position(known) {
            self.single.remove(at);
            return false;
        }
        if self.single.len() == MOST {
            self.single.pop_front();
        }
        self.single.push_back((now, digit, way));
        true
    }
}

/// The two ways of one press come no further apart than this.
const APART: Duration = Duration::from_millis(600);

/// No more keys than this are pressed meanwhile: each lasts 40 ms at least, and so does the pause after
/// it (ITU-T Q.24).
const MOST: usize = 8;

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
    #[test]
    fn keys_pressed_quickly_are_counted_once_though_one_way_lags_behind() {
        let begin = Instant::now();
        for lag in [0, 90, 250, 450] {
            let mut ways: Vec<(u64, char, Way)> = Vec::new();
            for (index, key) in "1221934".chars().enumerate() {
                let at = 100 * index as u64;
                ways.push((at, key, Way::Sound));
                ways.push((at + lag, key, Way::Message));
            }
            ways.sort_by_key(|it| it.0);
            let mut keypad = Keypad::default();
            let pressed: String = ways
                .into_iter()
                .filter(|(ms, key, way)| {
                    let digit = Digit::new(*key).expect("it is a key");
                    keypad.is_press(begin + Duration::from_millis(*ms), digit, *way)
                })
                .map(|(_, key, _)| key)
                .collect();
            assert_eq!(pressed, "1221934", "{lag} ms");
        }
    }
}
