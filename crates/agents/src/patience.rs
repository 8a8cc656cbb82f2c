//! How long an agent that is somewhere else may take, and whose turn it is that is awaited.

use std::future::pending;
use std::time::Duration;

use call::TurnId;
use ports::agent::Answer;
use ports::{Blame, Fault, Key, Kind, Need, Problem, Retry, Settings, code};
use tokio::time::{Instant, sleep_until};

/// How long to wait for what.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// For the first word of an answer.
    pub(crate) first_token: Duration,
    /// For each word after that.
    pub(crate) token: Duration,
    /// For the whole answer.
    pub(crate) turn: Duration,
}

impl Patience {
    /// Where nobody says.
    pub(crate) const DEFAULT: Self = Self {
        first_token: Duration::from_secs(8),
        token: Duration::from_secs(5),
        turn: Duration::from_secs(60),
    };

    /// As it is written in the configuration.
    pub(crate) fn of(settings: &Settings, problems: &mut Vec<Problem>) -> Self {
        let mut seconds = |key, default: Duration, most| {
            Duration::from_secs(number(settings, key, (default.as_secs(), most), problems))
        };
        Self {
            first_token: seconds(FIRST_TOKEN.name, Self::DEFAULT.first_token, 300),
            token: seconds(TOKEN.name, Self::DEFAULT.token, 300),
            turn: seconds(TURN.name, Self::DEFAULT.turn, 3_600),
        }
    }
}

/// A number from 1 to the most that makes sense, or the usual one where there is none.
pub(crate) fn number(
    settings: &Settings,
    key: &'static str,
    (usual, most): (u64, u64),
    problems: &mut Vec<Problem>,
) -> u64 {
    let number = settings.number(key).unwrap_or(usual);
    if !(1..=most).contains(&number) {
        let message = format!("it must be from 1 to {most}");
        let hint = format!("such as `{key} = {usual}`");
        problems.push(Problem { key, message, hint });
    }
    number
}

pub(crate) const FIRST_TOKEN: Key = Key::new(
    "first_token_timeout_s",
    Kind::Number,
    Need::Optional,
    "how long its first word may take; default 8",
);
pub(crate) const TOKEN: Key = Key::new(
    "token_timeout_s",
    Kind::Number,
    Need::Optional,
    "how long it may pause between words; default 5",
);
pub(crate) const TURN: Key = Key::new(
    "turn_timeout_s",
    Kind::Number,
    Need::Optional,
    "how long one answer may take in all; default 60",
);

/// The answer that is awaited, if any is.
#[derive(Debug)]
pub(crate) struct Awaited {
    patience: Patience,
    open: Option<Open>,
    /// The turn that was asked for last.
    last: Option<TurnId>,
}

#[derive(Debug)]
struct Open {
    turn: TurnId,
    /// When its next word is late.
    next: Instant,
    /// When the whole of it is.
    whole: Instant,
    /// How many things are being done for it: while that is so, it is we who are awaited.
    doing: usize,
}

impl Awaited {
    /// Nothing is, yet.
    pub(crate) fn new(patience: Patience) -> Self {
        Self {
            patience,
            open: None,
            last: None,
        }
    }

    /// It was asked to answer.
    pub(crate) fn asked(&mut self, turn: TurnId, now: Instant) {
        self.last = Some(turn);
        self.open = Some(Open {
            turn,
            next: now + self.patience.first_token,
            whole: now + self.patience.turn,
            doing: 0,
        });
    }

    /// It answers something: whether that is for the turn that is awaited.
    pub(crate) fn answers(&mut self, answer: &Answer, now: Instant) -> bool {
        let Some(turn) = turn_of(answer) else {
            return true;
        };
        let Some(open) = self.open.as_mut().filter(|it| it.turn == turn) else {
            // That it was the last word, it may think of when it has said it.
            return matches!(answer, Answer::HangUp(_)) && self.last == Some(turn);
        };
        match answer {
            Answer::Text(..) => open.next = now + self.patience.token,
            Answer::Use(..) => open.doing += 1,
            Answer::Working(_, most) => {
                open.next = now + *most;
                open.whole = open.whole.max(open.next);
            }
            Answer::Message { .. } => {}
            Answer::Failed(..) | Answer::Finish(_) | Answer::HangUp(_) | Answer::PutThrough(..) => {
                self.open = None
            }
        }
        true
    }

    /// It was told what came of something that it wanted done.
    pub(crate) fn used(&mut self, turn: TurnId, now: Instant) {
        if let Some(open) = self.open.as_mut().filter(|it| it.turn == turn) {
            open.doing = open.doing.saturating_sub(1);
            open.next = now + self.patience.first_token;
            open.whole = open.whole.max(now + self.patience.turn);
        }
    }

    /// Nobody waits for this turn's answer any more.
    pub(crate) fn over(&mut self, turn: TurnId) {
        self.open.take_if(|it| it.turn == turn);
    }

    /// When its answer is late.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let open = self.open.as_ref().filter(|it| it.doing == 0)?;
        Some(open.next.min(open.whole))
    }

    /// Gives up, and says on which turn.
    pub(crate) fn give_up(&mut self) -> Option<TurnId> {
        self.open.take().map(|it| it.turn)
    }
}

/// Which turn an answer is for.
fn turn_of(answer: &Answer) -> Option<TurnId> {
    match answer {
        Answer::Failed(turn, _)
        | Answer::Finish(turn)
        | Answer::HangUp(turn)
        | Answer::PutThrough(turn, _)
        | Answer::Text(turn, _)
        | Answer::Use(turn, _)
        | Answer::Working(turn, _) => Some(*turn),
        Answer::Message { .. } => None,
    }
}

/// Until then, if ever.
pub(crate) async fn until(late: Option<Instant>) {
    match late {
        Some(late) => sleep_until(late).await,
        None => pending().await,
    }
}

/// An agent took too long.
pub(crate) fn late(what: &str) -> Fault {
    let message = format!("the agent {what}");
    Fault::new(Blame::Agent, code::AGENT_TIMEOUT, message).retry(Retry::Now)
}

/// An agent is not there, or has gone.
pub(crate) fn unreachable(how: &str) -> Fault {
    let message = format!("the agent {how}");
    Fault::new(Blame::Agent, code::AGENT_UNREACHABLE, message).retry(Retry::Now)
}

/// An agent answered something that makes no sense.
pub(crate) fn nonsense(what: &str) -> Fault {
    let message = format!("the agent {what}");
    Fault::new(Blame::Agent, code::AGENT_REFUSED, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_turn_is_awaited_until_it_is_over_and_no_other() {
        let (mut awaited, now) = (Awaited::new(Patience::DEFAULT), Instant::now());
        let s = Duration::from_secs;
        awaited.asked(TurnId(1), now);
        assert_eq!(awaited.deadline(), Some(now + s(8)));
        assert!(awaited.answers(&Answer::Text(TurnId(1), "a".into()), now + s(2)));
        assert_eq!(awaited.deadline(), Some(now + s(7)));
        assert!(!awaited.answers(&Answer::Finish(TurnId(0)), now));
        assert!(awaited.answers(&Answer::Working(TurnId(1), s(90)), now + s(2)));
        assert_eq!(awaited.deadline(), Some(now + s(92)));
        awaited.over(TurnId(0));
        assert!(awaited.answers(&Answer::Finish(TurnId(1)), now));
        assert_eq!((awaited.deadline(), awaited.give_up()), (None, None));
        assert!(awaited.answers(&Answer::HangUp(TurnId(1)), now));
        assert!(!awaited.answers(&Answer::HangUp(TurnId(0)), now));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_late_whose_tool_is_being_used() {
        let (mut awaited, now) = (Awaited::new(Patience::DEFAULT), Instant::now());
        awaited.asked(TurnId(1), now);
        let (id, tool, takes) = ("1".to_owned(), "t".to_owned(), "{}".into());
        let wanted = ports::agent::Use { id, tool, takes };
        assert!(awaited.answers(&Answer::Use(TurnId(1), wanted), now));
        assert_eq!(awaited.deadline(), None);
        let later = now + Duration::from_secs(200);
        awaited.used(TurnId(1), later);
        assert_eq!(awaited.deadline(), Some(later + Duration::from_secs(8)));
        assert_eq!(awaited.give_up(), Some(TurnId(1)));
    }
}
