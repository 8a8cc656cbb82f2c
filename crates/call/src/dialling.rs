//! A call that is to be dialled: what is known of it at its carrier, and when to ask.
//!
//! Whether a carrier took a request that was sent is sometimes not known: its answer broke off, did not
//! come, or we were gone. Such a dial is never sent again. The carrier's own word settles it: a webhook
//! that names the call, or a list that has it or has not.

use std::time::{Duration, Instant};

/// Where a dial stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialling {
    /// Nothing of it has been sent.
    Queued,
    /// Its request is being sent, or was.
    Sending,
    /// Its carrier has the call, or had it.
    Placed,
    /// Its carrier has no such call.
    Refused,
    /// Its carrier may have the call or not, and is asked.
    Unknown,
}

/// Something that is heard of a dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// The first byte of its request is about to be sent.
    Sends,
    /// The carrier took it.
    Taken,
    /// The carrier did not take it, or cannot have had it.
    Refused,
    /// Nobody can tell whether the carrier took it.
    Lost,
    /// The carrier speaks of the call by itself.
    Named,
    /// The carrier was asked, and has the call.
    Found,
    /// The carrier was asked often enough, and has no such call.
    Missing,
}

impl Dialling {
    /// Where it stands after that. What makes no sense changes nothing, and nothing leads back.
    #[must_use]
    pub fn hears(self, heard: Heard) -> Self {
        match (self, heard) {
            // That there is a call outweighs whatever was concluded before.
            (Self::Queued, Heard::Taken | Heard::Named | Heard::Found) => Self::Queued,
            (_, Heard::Taken | Heard::Named | Heard::Found) => Self::Placed,
            (Self::Queued, Heard::Sends) => Self::Sending,
            (Self::Queued | Self::Sending, Heard::Refused) => Self::Refused,
            (Self::Sending, Heard::Lost) => Self::Unknown,
            (Self::Unknown, Heard::Missing) => Self::Refused,
            (
                Self::Queued | Self::Sending | Self::Placed | Self::Refused | Self::Unknown,
                Heard::Sends | Heard::Refused | Heard::Lost | Heard::Missing,
            ) => self,
        }
    }

    /// Whether its request may be sent: once, and never again.
    pub fn may_be_sent(self) -> bool {
        self == Self::Queued
    }

    /// Whether it is known what became of it.
    pub fn is_settled(self) -> bool {
        match self {
            Self::Placed | Self::Refused => true,
            Self::Queued | Self::Sending | Self::Unknown => false,
        }
    }

    /// As it is written down.
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sending => "sending",
            Self::Placed => "placed",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// Reads what [`Self::name`] wrote.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [
            Self::Queued,
            Self::Sending,
            Self::Placed,
            Self::Refused,
            Self::Unknown,
        ];
        all.into_iter().find(|it| it.name() == name)
    }
}

/// How long a carrier is given to speak of a call by itself, and how long its lists may be behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// For a request to be on its way.
    pub request: Duration,
    /// Before it is asked.
    pub first: Duration,
    /// And then before it is believed that it has no such call.
    pub second: Duration,
    /// For an answer.
    pub answer: Duration,
    /// Before it is asked again, having given none.
    pub again: Duration,
}

impl Pace {
    /// How long it takes at most until a dial that is in doubt is settled, whose carrier answers when it is asked.
    pub fn longest(&self) -> Duration {
        self.first + self.second + self.answer
    }
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(15),
            first: Duration::from_secs(15),
            second: Duration::from_secs(18),
            answer: Duration::from_secs(5),
            again: Duration::from_secs(5),
        }
    }
}

/// What a carrier has, asked for a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sighting {
    /// No such call.
    Missing,
    /// No such call that is up: one that is over would not be seen.
    NotUp,
    /// That call.
    One,
    /// Several that may be it.
    Several,
    /// It did not say.
    Unsaid,
}

/// What to do with a dial of which nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Ask again, when that is due.
    Ask,
    /// The call that was found is it.
    Adopt,
    /// Any of those that were found may be it: they are ended, so that it is not up in any case.
    EndAll,
    /// There is no call.
    NotPlaced,
    /// There is no call, or none any more: one that there was may have cost something.
    NotUp,
    /// The carrier cannot be asked, and would have ended the call by itself by now.
    GiveUp,
}

/// Asks a carrier after one dial.
#[derive(Debug)]
pub struct Inquiry {
    pace: Pace,
    due: Instant,
    /// What it says to a question asked from then on is the last word: its lists are not that far behind.
    last: Instant,
    /// The carrier has ended the call by itself by then.
    until: Instant,
}

impl Inquiry {
    /// Of a dial of which it is in doubt from now on what became of it, and which was sent so long ago by a process
    /// that is gone (none: by this one). Its carrier ends the call by itself after `limit`.
    ///
    /// What died while it waited for an answer has waited: however often there is a new process, the dial is settled.
    pub fn new(now: Instant, ago: Duration, pace: Pace, limit: Duration) -> Self {
        let left = |wait: Duration| wait.min((pace.request + wait).saturating_sub(ago));
        Self {
            pace,
            due: now + left(pace.first),
            last: now + left(pace.first + pace.second),
            until: now + pace.longest().max(limit.saturating_sub(ago)),
        }
    }

    /// When to ask.
    pub fn due(&self) -> Instant {
        self.due
    }

    /// Takes the answer to the question that was due.
    pub fn answer(&mut self, now: Instant, sighting: Sighting) -> Remedy {
        let last = self.due >= self.last;
        match sighting {
            Sighting::One => return Remedy::Adopt,
            Sighting::Missing if last => return Remedy::NotPlaced,
            Sighting::NotUp if last => return Remedy::NotUp,
            Sighting::Several if last => return Remedy::EndAll,
            Sighting::Missing | Sighting::NotUp | Sighting::Several => {
                self.due = now.max(self.last);
            }
            Sighting::Unsaid if now >= self.until => return Remedy::GiveUp,
            Sighting::Unsaid => self.due = now + self.pace.again,
        }
        Remedy::Ask
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Heard; 7] = [
        Heard::Sends,
        Heard::Taken,
        Heard::Refused,
        Heard::Lost,
        Heard::Named,
        Heard::Found,
        Heard::Missing,
    ];

    #[test]
    fn a_lost_dial_is_settled_by_its_carrier_and_by_nothing_else() {
        let lost = Dialling::Queued.hears(Heard::Sends).hears(Heard::Lost);
        assert_eq!(lost, Dialling::Unknown);
        for heard in [Heard::Sends, Heard::Refused, Heard::Lost] {
            assert_eq!(lost.hears(heard), Dialling::Unknown, "{heard:?}");
        }
        assert_eq!(lost.hears(Heard::Missing), Dialling::Refused);
        for heard in [Heard::Named, Heard::Found, Heard::Taken] {
            assert_eq!(lost.hears(heard), Dialling::Placed, "{heard:?}");
            let late = lost.hears(Heard::Missing).hears(heard);
            assert_eq!(late, Dialling::Placed, "{heard:?}: it was only late");
        }
    }

    /// Every order in which six things may be heard of a dial: more than a hundred thousand.
    #[test]
    fn nothing_is_sent_twice_whatever_is_heard() {
        let most = ALL.len().pow(6);
        for number in 0..most {
            let (mut dial, mut sent, mut left) = (Dialling::Queued, 0, number);
            for _ in 0..6 {
                let heard = ALL[left % ALL.len()];
                left /= ALL.len();
                // Whoever sends asks first.
                if heard == Heard::Sends && dial.may_be_sent() {
                    sent += 1;
                }
                let before = dial;
                dial = dial.hears(heard);
                assert!(
                    dial == before || !dial.may_be_sent(),
                    "{before:?} {heard:?}"
                );
                let undone = before == Dialling::Placed && dial != Dialling::Placed;
                assert!(!undone, "{heard:?} undid a call");
            }
            assert!(sent <= 1);
            assert_eq!(Dialling::parse(dial.name()), Some(dial));
        }
        assert!(most > 100_000);
    }

    /// From the first byte on: a request is given up after fifteen seconds.
    #[test]
    fn a_dial_is_settled_within_a_minute() {
        let pace = Pace::default();
        assert!(pace.request + pace.longest() <= Duration::from_secs(60));
    }
}
