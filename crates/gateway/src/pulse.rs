//! When anything was last noticed of a call: written on the road of its sound, read beside it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use call::Signs;

/// When anything was last noticed of a call.
#[derive(Debug)]
pub struct Pulse {
    began: Instant,
    /// Which of its sockets is open; 0: none.
    socket: AtomicU64,
    /// These in milliseconds since it began, each counted from 1; 0: never.
    sound: AtomicU64,
    probe: AtomicU64,
    word: AtomicU64,
}

impl Default for Pulse {
    fn default() -> Self {
        Self {
            began: tokio::time::Instant::now().into_std(),
            socket: AtomicU64::new(0),
            sound: AtomicU64::new(0),
            probe: AtomicU64::new(0),
            word: AtomicU64::new(0),
        }
    }
}

impl Pulse {
    /// Its socket of this number is open; `None`: none is any more, about which its carrier will have
    /// something to say.
    pub(crate) fn socket(&self, now: Instant, number: Option<u64>) {
        self.sound(now);
        self.word(now);
        self.socket.store(number.unwrap_or(0), Ordering::Relaxed);
    }

    /// Something came on its socket.
    pub(crate) fn sound(&self, now: Instant) {
        self.sound.store(self.stamp(now), Ordering::Relaxed);
    }

    /// The far end of its socket answered a probe.
    pub(crate) fn probe(&self, now: Instant) {
        self.probe.store(self.stamp(now), Ordering::Relaxed);
    }

    /// Its carrier said something about it.
    pub(crate) fn word(&self, now: Instant) {
        self.word.store(self.stamp(now), Ordering::Relaxed);
    }

    /// What was noticed, and on which socket.
    pub(crate) fn signs(&self) -> (Option<u64>, Signs) {
        let at = |stamp: &AtomicU64| match stamp.load(Ordering::Relaxed) {
            0 => None,
            ms => Some(self.began + Duration::from_millis(ms - 1)),
        };
        let socket = Some(self.socket.load(Ordering::Relaxed)).filter(|it| *it > 0);
        let signs = Signs {
            sound: socket.and_then(|_| at(&self.sound)),
            probe: at(&self.probe),
            word: at(&self.word).unwrap_or(self.began),
        };
        (socket, signs)
    }

    fn stamp(&self, now: Instant) -> u64 {
        let since = now.saturating_duration_since(self.began).as_millis();
        u64::try_from(since).unwrap_or(u64::MAX - 1) + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noticed_is_told_to_the_millisecond() {
        let pulse = Pulse::default();
        let at = |ms| pulse.began + Duration::from_millis(ms);
        assert_eq!(
            pulse.signs(),
            (
                None,
                Signs {
                    sound: None,
                    probe: None,
                    word: at(0)
                }
            )
        );
        pulse.word(at(100));
        pulse.socket(at(200), Some(3));
        pulse.sound(at(220));
        pulse.probe(at(230));
        let noticed = Signs {
            sound: Some(at(220)),
            probe: Some(at(230)),
            word: at(200),
        };
        assert_eq!(pulse.signs(), (Some(3), noticed));
        pulse.socket(at(300), None);
        let gone = Signs {
            sound: None,
            word: at(300),
            ..noticed
        };
        assert_eq!(pulse.signs(), (None, gone));
    }
}
