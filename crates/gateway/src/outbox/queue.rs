//! What is due when: of each call one message at a time, in the order in which things happened; how long is waited after
//! one that was not taken, and when nobody waits any longer. Pure: time and luck are arguments.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// Where a message stands among the others of its destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Place {
    /// The entry of the journal that it tells of.
    pub(crate) entry: u64,
    /// What it tells of that.
    pub(crate) what: What,
}

/// What a message tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum What {
    /// The event itself.
    Event,
    /// All there is to say about the call, whose end the entry is.
    Report,
}

/// How long is waited after each try, until there are no more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backoff(pub Vec<Duration>);

/// The messages of one destination that wait, and those that are under way.
#[derive(Debug)]
pub(crate) struct Queue {
    waiting: BTreeMap<Place, Waiting>,
    /// Of each call, all that wait or are under way.
    calls: BTreeMap<String, BTreeSet<Place>>,
    /// The first of each call, unless it is under way, by when it is due.
    firsts: BTreeSet<(Timestamp, Place)>,
    under_way: BTreeSet<Place>,
    /// Those that were tried while nobody was there.
    astray: BTreeSet<Place>,
    /// So many at most are under way.
    most: usize,
    backoff: Backoff,
}

#[derive(Debug)]
struct Waiting {
    call: String,
    tries: Tries,
    due: Timestamp,
}

/// How often a message was tried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tries {
    pub(crate) all: u32,
    /// Of those, while nobody was there to take any message.
    pub(crate) away: u32,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    /// Somebody was there who did not take it, and perhaps asked for so long a pause.
    Refused(Option<Duration>),
    /// Nobody was there.
    Away,
}

/// What becomes of a message that was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It is tried again then.
    Again(Timestamp),
    /// It is not.
    Dead,
}

impl Default for Backoff {
    /// Quickly at first, for what is only restarted; then as Standard Webhooks suggest, for more than three days.
    fn default() -> Self {
        const MINUTE: u64 = 60;
        const HOUR: u64 = 60 * MINUTE;
        let seconds = [
            1,
            5,
            15,
            30,
            MINUTE,
            5 * MINUTE,
            30 * MINUTE,
            2 * HOUR,
            5 * HOUR,
            10 * HOUR,
            14 * HOUR,
            20 * HOUR,
            24 * HOUR,
        ];
        Self(seconds.map(Duration::from_secs).into())
    }
}

impl Backoff {
    /// How long is waited after so many tries; `None`: there are no more. `luck` is from 0 to 1, and spreads
    /// out what failed together.
    fn after(&self, attempts: u32, luck: f64) -> Option<Duration> {
        let tried = usize::try_from(attempts).unwrap_or(usize::MAX);
        let wait = self.0.get(tried.checked_sub(1)?)?;
        Some(wait.mul_f64(1.0 - SPREAD + 2.0 * SPREAD * luck.clamp(0.0, 1.0)))
    }

    /// No message waits longer than this, unless the clock was set.
    pub(crate) fn longest(&self) -> Duration {
        let longest = self.0.iter().max().copied().unwrap_or_default();
        longest.mul_f64(1.0 + SPREAD).max(LONGEST_ASKED)
    }
}

impl Queue {
    /// An empty one.
    pub(crate) fn new(most: usize, backoff: Backoff) -> Self {
        Self {
            waiting: BTreeMap::new(),
            calls: BTreeMap::new(),
            firsts: BTreeSet::new(),
            under_way: BTreeSet::new(),
            astray: BTreeSet::new(),
            most,
            backoff,
        }
    }

    /// One more waits, after so many tries. One that does already stays as it is.
    pub(crate) fn add(&mut self, place: Place, call: &str, tries: Tries, due: Timestamp) {
        if self.waiting.contains_key(&place) {
            return;
        }
        let of_call = self.calls.entry(call.to_owned()).or_default();
        let first = of_call.first().copied();
        of_call.insert(place);
        if let Some(first) = first.filter(|first| place < *first) {
            self.firsts.remove(&(self.waiting[&first].due, first));
        }
        // What went before it may be under way: then it waits for that as well.
        let is_first = first.is_none_or(|first| place < first);
        let busy = of_call.iter().any(|it| self.under_way.contains(it));
        if is_first && !busy {
            self.firsts.insert((due, place));
        }
        if tries.away > 0 {
            self.astray.insert(place);
        }
        let call = call.to_owned();
        self.waiting.insert(place, Waiting { call, tries, due });
    }

    /// One that is due now, and is under way from here on.
    pub(crate) fn start(&mut self, now: Timestamp) -> Option<Place> {
        let (due, place) = *self.firsts.first()?;
        if due > now || self.under_way.len() >= self.most {
            return None;
        }
        self.firsts.pop_first();
        self.under_way.insert(place);
        Some(place)
    }

    /// When the next will be due, if one could be sent then.
    pub(crate) fn wakes(&self) -> Option<Timestamp> {
        let (due, _) = self.firsts.first()?;
        (self.under_way.len() < self.most).then_some(*due)
    }

    /// One that was under way was taken. So somebody is there again: what was tried while nobody was is due at once, and as if
    /// it had not been.
    pub(crate) fn delivered(&mut self, place: Place, now: Timestamp) {
        self.over(place);
        for place in std::mem::take(&mut self.astray) {
            let Some(waiting) = self.waiting.get_mut(&place) else {
                continue;
            };
            waiting.tries.all = waiting.tries.all.saturating_sub(waiting.tries.away);
            waiting.tries.away = 0;
            let due = waiting.due.min(now);
            let before = std::mem::replace(&mut waiting.due, due);
            if self.firsts.remove(&(before, place)) {
                self.firsts.insert((due, place));
            }
        }
    }

    /// One that was under way is given up.
    pub(crate) fn over(&mut self, place: Place) {
        self.under_way.remove(&place);
        let Some(gone) = self.waiting.remove(&place) else {
            return;
        };
        self.firsts.remove(&(gone.due, place));
        self.astray.remove(&place);
        if let Some(of_call) = self.calls.get_mut(&gone.call) {
            of_call.remove(&place);
        }
        self.first_of(&gone.call);
    }

    /// One that was under way was not taken.
    pub(crate) fn failed(&mut self, place: Place, now: Timestamp, miss: Miss, luck: f64) -> Fate {
        let Some(waiting) = self.waiting.get_mut(&place) else {
            return Fate::Dead;
        };
        waiting.tries.all += 1;
        let asked = match miss {
            Miss::Refused(asked) => asked.unwrap_or_default().min(LONGEST_ASKED),
            Miss::Away => {
                waiting.tries.away += 1;
                self.astray.insert(place);
                Duration::ZERO
            }
        };
        let Some(wait) = self.backoff.after(waiting.tries.all, luck) else {
            self.over(place);
            return Fate::Dead;
        };
        let at = later(now, wait.max(asked));
        self.again(place, at);
        Fate::Again(at)
    }

    /// One that was under way could not be sent yet, which is nobody's failure.
    pub(crate) fn again(&mut self, place: Place, at: Timestamp) {
        self.under_way.remove(&place);
        if let Some(waiting) = self.waiting.get_mut(&place) {
            waiting.due = at;
            let call = waiting.call.clone();
            self.first_of(&call);
        }
    }

    /// How many wait or are under way.
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Puts the first of a call where it is found once it is due.
    fn first_of(&mut self, call: &str) {
        let Some(of_call) = self.calls.get(call) else {
            return;
        };
        let Some(first) = of_call.first() else {
            self.calls.remove(call);
            return;
        };
        if !of_call.iter().any(|it| self.under_way.contains(it)) {
            self.firsts.insert((self.waiting[first].due, *first));
        }
    }
}

/// So long after.
pub(crate) fn later(now: Timestamp, wait: Duration) -> Timestamp {
    let wait = SignedDuration::try_from(wait).unwrap_or(SignedDuration::MAX);
    now.checked_add(wait).unwrap_or(Timestamp::MAX)
}

/// By how much of itself a wait is shorter or longer.
const SPREAD: f64 = 0.2;
/// No destination is left alone for longer because it asked for that.
const LONGEST_ASKED: Duration = Duration::from_secs(60 * 60);

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("it is a moment")
    }

    fn event(entry: u64) -> Place {
        Place {
            entry,
            what: What::Event,
        }
    }

    fn seconds(waits: &[u64]) -> Backoff {
        Backoff(waits.iter().map(|it| Duration::from_secs(*it)).collect())
    }

    #[test]
    fn a_later_message_of_a_call_waits_and_other_calls_go_on() {
        let mut queue = Queue::new(8, seconds(&[10]));
        queue.add(event(1), "a", Tries::default(), at(0));
        queue.add(event(2), "a", Tries::default(), at(0));
        queue.add(event(3), "b", Tries::default(), at(0));
        assert_eq!(queue.start(at(0)), Some(event(1)));
        assert_eq!(queue.start(at(0)), Some(event(3)));
        assert_eq!(queue.start(at(0)), None);
        let fate = queue.failed(event(1), at(0), Miss::Refused(None), 0.5);
        assert_eq!(fate, Fate::Again(at(10)));
        assert_eq!((queue.start(at(9)), queue.wakes()), (None, Some(at(10))));
        assert_eq!(queue.start(at(10)), Some(event(1)));
        // The last try: what comes after it goes on without it.
        assert_eq!(
            queue.failed(event(1), at(10), Miss::Refused(None), 0.5),
            Fate::Dead
        );
        assert_eq!(queue.start(at(10)), Some(event(2)));
    }

    #[test]
    fn a_destination_is_left_alone_as_long_as_it_asks_within_bounds() {
        let asked = |seconds| {
            let mut queue = Queue::new(1, self::seconds(&[10]));
            queue.add(event(1), "a", Tries::default(), at(0));
            queue.start(at(0)).expect("it is due");
            let asked = Miss::Refused(Some(Duration::from_secs(seconds)));
            queue.failed(event(1), at(0), asked, 0.5)
        };
        assert_eq!(asked(3), Fate::Again(at(10)));
        assert_eq!(asked(60), Fate::Again(at(60)));
        assert_eq!(asked(1_000_000), Fate::Again(at(3_600)));
    }

    #[test]
    fn once_somebody_is_there_again_what_was_tried_meanwhile_is_due_at_once() {
        let mut queue = Queue::new(8, seconds(&[10, 100]));
        for (entry, call) in [(1, "a"), (2, "b"), (3, "c")] {
            queue.add(event(entry), call, Tries::default(), at(0));
            queue.start(at(0)).expect("it is due");
        }
        queue.failed(event(1), at(0), Miss::Away, 0.5);
        queue.failed(event(2), at(0), Miss::Refused(None), 0.5);
        queue.delivered(event(3), at(1));
        assert_eq!(queue.start(at(1)), Some(event(1)), "it did nothing wrong");
        assert_eq!(queue.start(at(1)), None, "this one was there to be refused");
        let fate = queue.failed(event(1), at(1), Miss::Refused(None), 0.5);
        assert_eq!(fate, Fate::Again(at(11)), "as after the first try");
        queue.failed(event(1), at(11), Miss::Refused(None), 0.5);
        let fate = queue.failed(event(1), at(111), Miss::Away, 0.5);
        assert_eq!(
            fate,
            Fate::Dead,
            "if nobody comes back it ends all the same"
        );
    }

    #[test]
    fn waits_are_spread_out_and_come_to_an_end_after_days() {
        let backoff = Backoff::default();
        assert_eq!(backoff.after(1, 0.0), Some(Duration::from_millis(800)));
        assert_eq!(backoff.after(1, 1.0), Some(Duration::from_millis(1_200)));
        assert_eq!(backoff.after(0, 0.5), None, "it was not tried");
        let all = u32::try_from(backoff.0.len()).expect("they are few");
        assert_eq!(backoff.after(all + 1, 0.5), None);
        let whole: Duration = backoff.0.iter().sum();
        assert!(whole > Duration::from_secs(3 * 24 * 60 * 60));
    }

    /// What a destination does with a message.
    #[derive(Clone, Copy, Debug)]
    enum Answer {
        Takes,
        Fails,
        IsAway,
        GivesUp,
        NotYet,
    }

    fn answers() -> impl Strategy<Value = Answer> {
        prop_oneof![
            4 => Just(Answer::Takes),
            3 => Just(Answer::Fails),
            1 => Just(Answer::IsAway),
            1 => Just(Answer::GivesUp),
            1 => Just(Answer::NotYet),
        ]
    }

    proptest! {
        #[test]
        fn whatever_happens_calls_are_told_in_order_and_nothing_is_forgotten(
            calls in prop::collection::vec(0_u8..5, 1..60),
            answers in prop::collection::vec(answers(), 0..200),
            picks in prop::collection::vec(any::<prop::sample::Index>(), 200),
            luck in 0.0..1.0_f64,
            most in 1_usize..6,
        ) {
            let mut queue = Queue::new(most, seconds(&[1, 3]));
            let (mut now, mut under_way, mut done) = (at(0), Vec::new(), BTreeMap::new());
            let mut tries: BTreeMap<Place, usize> = BTreeMap::new();
            let mut answers = answers.into_iter();
            // They come while others are on their way.
            let mut coming = calls.iter().enumerate();
            let mut steps = picks.iter().cycle();
            loop {
                if let Some((entry, call)) = coming.next() {
                    let call = call.to_string();
                    queue.add(event(entry as u64), &call, Tries::default(), now);
                }
                let due = queue.wakes();
                while let Some(place) = queue.start(now) {
                    prop_assert!(due.is_some_and(|it| it <= now), "nothing before it is due");
                    let call = calls[place.entry as usize];
                    let same = |it: &&Place| calls[it.entry as usize] == call;
                    prop_assert!(!under_way.iter().any(|it| same(&it)), "one of a call at a time");
                    let later = |it: &u64| *it > place.entry && calls[*it as usize] == call;
                    prop_assert!(!done.keys().any(later), "none before an earlier one");
                    *tries.entry(place).or_default() += 1;
                    under_way.push(place);
                    prop_assert!(under_way.len() <= most);
                }
                if under_way.is_empty() {
                    match queue.wakes() {
                        Some(at) => now = now.max(at),
                        None if coming.len() == 0 => break,
                        None => {}
                    }
                    continue;
                }
                let pick = steps.next().expect("it goes round").index(under_way.len());
                let place = under_way.swap_remove(pick);
                // In the end it takes all.
                let answer = answers.next().unwrap_or(Answer::Takes);
                let miss = match answer {
                    Answer::IsAway => Miss::Away,
                    Answer::Fails | Answer::Takes | Answer::GivesUp | Answer::NotYet => {
                        Miss::Refused(None)
                    }
                };
                match answer {
                    Answer::Takes => {
                        queue.delivered(place, now);
                        done.insert(place.entry, ());
                    }
                    Answer::GivesUp => {
                        queue.over(place);
                        done.insert(place.entry, ());
                    }
                    Answer::NotYet => {
                        queue.again(place, later(now, Duration::from_millis(100)));
                        *tries.get_mut(&place).expect("it was tried") -= 1;
                    }
                    Answer::Fails | Answer::IsAway => {
                        match queue.failed(place, now, miss, luck) {
                            Fate::Again(at) => prop_assert!(at > now),
                            Fate::Dead => {
                                prop_assert!(tries[&place] >= 3, "as often as there are waits, and once");
                                done.insert(place.entry, ());
                            }
                        }
                    }
                }
            }
            prop_assert_eq!(done.len(), calls.len());
            prop_assert_eq!((queue.len(), queue.calls.len()), (0, 0));
            prop_assert_eq!((queue.firsts.len(), queue.astray.len()), (0, 0));
        }
    }
}
