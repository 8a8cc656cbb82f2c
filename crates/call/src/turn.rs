use std::time::Instant;

use crate::clause::Clauses;
use crate::stages::Stages;
use crate::voice::Whose;
use crate::words::join;
use crate::{Policy, Referral, TurnId};

/// A turn of ours: what is said in one go, in someone's name.
#[derive(Debug)]
pub(crate) struct Turn {
    pub(crate) speaker: Speaker,
    pub(crate) clauses: Clauses,
    pub(crate) more: More,
    /// What was heard of it to the end, clause by clause.
    pub(crate) heard: String,
    /// Whether any sound of it was heard: then it can be interrupted, but not taken back.
    pub(crate) begun: bool,
    /// Whether it gave us anything to say.
    pub(crate) spoke: bool,
    /// Whether a filler was said, and when words of ours last filled the gap.
    pub(crate) filled: Filled,
    /// Until when it is at work on something that it has told us of.
    pub(crate) busy: Busy,
    /// Since when there is nothing to hear.
    pub(crate) quiet: Instant,
    /// Since when it could have given us more words, and has not.
    pub(crate) idle: Instant,
    /// How many characters it has given.
    pub(crate) chars: usize,
    /// How long it takes, if it answers the caller.
    pub(crate) stages: Option<Stages>,
}

/// Whether a gap in a turn was filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filled {
    /// There was none, or it was not.
    Not,
    /// Last then, with words.
    At(Instant),
}

/// Whether the agent is at work on something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Busy {
    /// It thinks.
    Not,
    /// That may take until then.
    Until(Instant),
}

/// In whose name a turn is said.
#[derive(Debug)]
pub(crate) enum Speaker {
    /// The agent's, in answer to this.
    Agent { id: TurnId, said: String },
    /// The agent's, before its first turn.
    Opening,
    /// The owner's or ours, while nobody has a turn.
    Ours,
}

/// What fills a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filler {
    /// The first words of ours.
    Words,
    /// Later ones.
    More,
    /// A sound.
    Pulse,
}

/// What is still to come in a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum More {
    /// More words.
    Words,
    /// Nothing.
    Nothing,
    /// The end of the call, once all was heard.
    HangUp,
    /// Someone else, once all was heard.
    PutThrough(Referral),
}

impl Turn {
    pub(crate) fn agent(id: TurnId, said: String, now: Instant) -> Self {
        Self::new(Speaker::Agent { id, said }, More::Words, now)
    }

    /// The same, in answer to the caller.
    pub(crate) fn answer(id: TurnId, said: String, stages: Stages, now: Instant) -> Self {
        Self {
            stages: Some(stages),
            ..Self::agent(id, said, now)
        }
    }

    pub(crate) fn opening(now: Instant) -> Self {
        Self::new(Speaker::Opening, More::Nothing, now)
    }

    pub(crate) fn ours(now: Instant) -> Self {
        Self::new(Speaker::Ours, More::Nothing, now)
    }

    fn new(speaker: Speaker, more: More, now: Instant) -> Self {
        Self {
            speaker,
            clauses: Clauses::default(),
            more,
            heard: String::new(),
            begun: false,
            spoke: false,
            filled: Filled::Not,
            busy: Busy::Not,
            quiet: now,
            idle: now,
            chars: 0,
            stages: None,
        }
    }

    /// Whether this is the agent's turn `id`.
    pub(crate) fn is(&self, id: TurnId) -> bool {
        match &self.speaker {
            Speaker::Agent { id: own, .. } => *own == id,
            Speaker::Opening | Speaker::Ours => false,
        }
    }

    pub(crate) fn is_whose(&self) -> Whose {
        match self.speaker {
            Speaker::Agent { .. } | Speaker::Opening => Whose::Turn,
            Speaker::Ours => Whose::Ours,
        }
    }

    /// The agent is at work until then at most.
    pub(crate) fn work(&mut self, until: Instant) {
        self.busy = match self.busy {
            Busy::Until(before) => Busy::Until(before.max(until)),
            Busy::Not => Busy::Until(until),
        };
    }

    /// Until when its next words are waited for.
    pub(crate) fn patience(&self, policy: &Policy) -> Instant {
        let idle = match self.busy {
            Busy::Until(until) => self.idle.max(until),
            Busy::Not => self.idle,
        };
        idle + policy.think
    }

    /// When the gap is to be filled, and with what, if nothing is to be heard.
    pub(crate) fn gap(&self, policy: &Policy) -> Option<(Instant, Filler)> {
        let Filled::At(filled) = self.filled else {
            return Some((self.quiet + policy.filler, Filler::Words));
        };
        let again = (filled + policy.still, Filler::More);
        let pulse = (!policy.pulse.is_zero()).then(|| (self.quiet + policy.pulse, Filler::Pulse));
        let again = matches!(self.busy, Busy::Until(_)).then_some(again);
        again.into_iter().chain(pulse).min_by_key(|(at, _)| *at)
    }

    /// Takes note of words that were heard to the end.
    pub(crate) fn hear(&mut self, text: &str) {
        self.heard = join(std::mem::take(&mut self.heard), text);
    }

    /// Takes a few more words, and returns the clauses that are complete.
    ///
    /// Nobody listens for [`MOST_CHARS`]: an agent that does not stop is stopped there.
    pub(crate) fn feed(&mut self, text: &str, now: Instant) -> Vec<String> {
        self.idle = now;
        self.busy = Busy::Not;
        self.chars += text.len();
        let mut clauses = self.clauses.push(text);
        if self.chars > MOST_CHARS {
            self.more = More::Nothing;
            clauses.extend(self.clauses.finish());
        }
        self.spoke |= !clauses.is_empty();
        clauses
    }

    /// Takes no more words, and returns the clauses that are left.
    pub(crate) fn finish(&mut self) -> Vec<String> {
        let clauses = self.clauses.finish();
        self.spoke |= !clauses.is_empty();
        clauses
    }
}

/// About twenty minutes of speech.
const MOST_CHARS: usize = 20_000;
