//! How many calls each token makes in a minute: one that was stolen, or whose agent asks and asks, makes few.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderValue, header};
use axum::response::Response;
use ports::{Blame, Fault, Retry, code};
use sha2::{Digest, Sha256};

use super::{Desk, Problem};
use crate::hex;
use crate::metrics::metrics;

/// The calls that tokens made of late. Clones are the same.
#[derive(Clone, Debug, Default)]
pub struct Pace(Arc<Mutex<HashMap<Bearer, VecDeque<Instant>>>>);

/// Who asks: a token that is good, of which only a hash is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Bearer([u8; 32]);

impl Bearer {
    pub(super) fn of(token: &str) -> Self {
        Self(Sha256::digest(token).into())
    }

    /// What it is called where it matters who asked for something. It opens nothing.
    pub(super) fn name(self) -> String {
        hex::of(&self.0[..8])
    }
}

/// Places of calls that may be made. Unless they were, they are given back when dropped.
pub(super) struct Places {
    pace: Pace,
    bearer: Bearer,
    calls: usize,
}

impl Places {
    /// The calls were made.
    pub(super) fn taken(mut self) {
        self.calls = 0;
    }
}

impl Drop for Places {
    fn drop(&mut self) {
        let mut made = self.pace.made();
        if let Some(made) = made.get_mut(&self.bearer) {
            made.truncate(made.len().saturating_sub(self.calls));
        }
    }
}

impl Pace {
    /// Places for so many calls of a token that may make `most` in a minute; or how long it takes until there are.
    fn take(
        &self,
        now: Instant,
        bearer: Bearer,
        (calls, most): (usize, usize),
    ) -> Result<Places, Duration> {
        let mut all = self.made();
        let recent = |it: &Instant| now.saturating_duration_since(*it) < MINUTE;
        // Tokens are few, and those that are not used any more are forgotten.
        all.retain(|it, made| {
            made.retain(recent);
            *it == bearer || !made.is_empty()
        });
        let made = all.entry(bearer).or_default();
        let over = (made.len() + calls).saturating_sub(most);
        if over > 0 {
            // More than may ever be made at once is told to come back as if it were not.
            let frees = made.get(over - 1).or(made.back());
            let since = frees.map_or(Duration::ZERO, |it| now.saturating_duration_since(*it));
            return Err(MINUTE.saturating_sub(since));
        }
        made.extend(std::iter::repeat_n(now, calls));
        drop(all);
        Ok(Places {
            pace: self.clone(),
            bearer,
            calls,
        })
    }

    fn made(&self) -> MutexGuard<'_, HashMap<Bearer, VecDeque<Instant>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Places for so many calls; or what whoever asks so often is told.
pub(super) fn places(desk: &Desk, bearer: Bearer, calls: usize) -> Result<Places, Box<Response>> {
    let most = desk.board.plan().calls_per_minute;
    let places = desk.pace.take(Instant::now(), bearer, (calls, most));
    places.map_err(|wait| {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let message = format!("this token made as many calls in the last minute as it may: {most}");
        let fault = Fault::new(Blame::Caller, code::POLICY_TOO_OFTEN, message)
            .retry(Retry::IfNotSent)
            .hint(format!(
                "ask again in {seconds} s, or raise `calls_per_minute` in [server]"
            ));
        metrics().refused("outbound", &fault);
        let mut answer = Problem::answer(&fault);
        let retry = (header::RETRY_AFTER, HeaderValue::from(seconds));
        answer.headers_mut().insert(retry.0, retry.1);
        Box::new(answer)
    })
}

const MINUTE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_makes_so_many_calls_a_minute_and_others_as_many() {
        let (pace, begin) = (Pace::default(), Instant::now());
        let at = |seconds| begin + Duration::from_secs(seconds);
        let (one, other) = (Bearer::of("one"), Bearer::of("other"));
        for second in [0, 10, 20] {
            let places = pace.take(at(second), one, (1, 3));
            places.expect("it may").taken();
        }
        let wait = pace.take(at(30), one, (1, 3)).err();
        assert_eq!(
            wait,
            Some(Duration::from_secs(30)),
            "until the first is old"
        );
        let two = pace.take(at(30), one, (2, 3)).err();
        assert_eq!(two, Some(Duration::from_secs(40)));
        assert!(pace.take(at(30), other, (3, 3)).is_ok());
        assert!(pace.take(at(60), one, (1, 3)).is_ok());
        assert!(pace.take(at(60), one, (1, 3)).is_ok(), "it was not made");
        assert_eq!(
            pace.take(at(60), one, (9, 3)).err(),
            Some(MINUTE.mul_f64(20.0 / 60.0))
        );
        assert_eq!(pace.take(at(500), other, (1, 0)).err(), Some(MINUTE));
        assert_eq!(pace.made().len(), 1, "nobody asks any more");
    }
}
