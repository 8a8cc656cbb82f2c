//! Calls of which nothing is heard: when to ask their carrier, and what its answer means.
//!
//! How old a call is says nothing about it: only silence on its socket makes anyone ask, and only the
//! carrier's word that it is over ends it.

use std::time::{Duration, Instant};

use crate::event::End;

/// What was last noticed of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signs {
    /// When the carrier last sent anything on the call's socket, or opened it; `None`: there is none.
    pub sound: Option<Instant>,
    /// When the far end of that socket last answered a probe, as it does also where nothing is sent.
    pub probe: Option<Instant>,
    /// When the carrier last said anything about the call, or it began.
    pub word: Instant,
}

/// What a carrier says of a call when it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Word {
    /// It is not answered yet.
    Waits,
    /// It is up.
    Up,
    /// It is over.
    Over(End),
    /// Nothing: no answer came, or none that can be read.
    Nothing,
}

/// What is so of a call, by all that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is well, or nobody knows better.
    Well,
    /// It is over.
    Over(End),
    /// It is up, and its socket leads nowhere: it needs another.
    Stranded,
}

/// Looks after one call. It begins to doubt a call of which nothing is heard, has its socket probed and
/// its carrier asked, and believes only the carrier.
#[derive(Debug)]
pub struct Liveness {
    /// When its carrier was asked last.
    asked: Instant,
    /// Before this it is not asked again.
    not_before: Instant,
    /// Since when its socket has been in doubt, though the call is up.
    doubted: Option<Instant>,
    /// How often in a row its carrier said nothing.
    missed: u32,
    /// How often its socket led nowhere.
    stranded: u32,
}

impl Liveness {
    /// Of a call that begins now.
    pub fn new(now: Instant) -> Self {
        Self {
            asked: now,
            not_before: now,
            doubted: None,
            missed: 0,
            stranded: 0,
        }
    }

    /// When its carrier is to be asked, unless something is heard of it before.
    pub fn due(&self, signs: &Signs) -> Instant {
        let quiet = match signs.sound {
            Some(at) => at + QUIET,
            None => signs.word + UNTOLD,
        };
        let not_before = match self.doubted {
            Some(since) if !signs.lately(since) => self.asked + DOUBTED,
            Some(_) | None => self.not_before,
        };
        quiet.max(not_before)
    }

    /// Its carrier is asked now, and its socket is probed. Returns how long the answer is worth waiting
    /// for: longer, the more often none came.
    pub fn ask(&mut self, now: Instant) -> Duration {
        self.asked = now;
        let patience = ANSWER * 2_u32.saturating_pow(self.missed);
        patience.min(LONGEST_ANSWER)
    }

    /// Takes the answer, together with what was noticed meanwhile.
    pub fn answer(&mut self, now: Instant, word: Word, signs: &Signs) -> Finding {
        self.not_before = self.asked + AGAIN;
        match word {
            Word::Over(end) => return Finding::Over(end),
            Word::Nothing => {
                self.missed = self.missed.saturating_add(1);
                self.not_before = now + MISSED;
                return Finding::Well;
            }
            Word::Up | Word::Waits => self.missed = 0,
        }
        let (Word::Up, Some(heard)) = (word, signs.sound) else {
            self.doubted = None;
            return Finding::Well;
        };
        let since = self.doubted.unwrap_or(self.asked);
        if signs.lately(since) {
            self.doubted = None;
            return Finding::Well;
        }
        // The first answer may be faster than the socket's.
        let patience = QUIET * 2_u32.saturating_pow(self.stranded.min(MOST_DOUBLED));
        if self.doubted.is_some() && now.saturating_duration_since(heard) >= patience {
            self.doubted = None;
            self.stranded = self.stranded.saturating_add(1);
            return Finding::Stranded;
        }
        self.doubted = Some(since);
        Finding::Well
    }
}

impl Signs {
    /// Whether anything came over the socket after that moment.
    fn lately(&self, since: Instant) -> bool {
        self.sound.max(self.probe).is_some_and(|at| at > since)
    }
}

/// Sees to it that a call which was hung up is over: what was asked of the carrier may have been lost,
/// and so may its word that it was done.
#[derive(Debug)]
pub struct Release {
    until: Instant,
}

/// What to do about a call that was hung up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// Nothing: it is over.
    Released,
    /// Hang it up once more, and ask again after [`Release::PAUSE`].
    Again,
    /// Nothing more: by now its carrier has ended it of its own accord.
    GivenUp,
}

impl Release {
    /// Between a hang-up and the question whether that worked, which is for a carrier that has not said
    /// so by then.
    pub const PAUSE: Duration = Duration::from_secs(4);
    /// How long the answer to that is worth waiting for.
    pub const ANSWER: Duration = Duration::from_secs(8);

    /// Of a call that is hung up now, and that its carrier lets go on for so long at most.
    pub fn new(now: Instant, limit: Duration) -> Self {
        Self { until: now + limit }
    }

    /// Takes the carrier's answer to whether it is over.
    pub fn answer(&self, now: Instant, word: Word) -> Hold {
        match word {
            Word::Over(_) => Hold::Released,
            Word::Waits | Word::Up | Word::Nothing if now >= self.until => Hold::GivenUp,
            Word::Waits | Word::Up | Word::Nothing => Hold::Again,
        }
    }
}

/// A socket on which nothing comes for so long, where something comes every 20 ms, is in doubt.
const QUIET: Duration = Duration::from_secs(4);

/// A call without sound of which its carrier says nothing for so long is asked about.
const UNTOLD: Duration = Duration::from_secs(5);

/// The carrier of a call that is well is asked again after this.
const AGAIN: Duration = Duration::from_secs(5);

/// The same while its socket is in doubt: whoever is on it hears nothing.
const DOUBTED: Duration = Duration::from_secs(2);

/// The same where no answer came.
const MISSED: Duration = Duration::from_secs(1);

/// How long an answer is waited for at first, and at most.
const ANSWER: Duration = Duration::from_secs(4);
const LONGEST_ANSWER: Duration = Duration::from_secs(15);

/// A socket that leads nowhere, again and again, is given up more and more slowly: so often the time
/// doubles.
const MOST_DOUBLED: u32 = 3;
