//! One call's ears: gathers the caller's speech, starts on it before the turn is surely over, and
//! answers when it is.

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use call::Private;
use media::{Edge, Frame, Rate};
use ports::speech::{Hearing, Listen, Transcriber};
use ports::{Blame, Fault, Link, code, pair};

use super::pool::{Pending, Pool, Urgency};
use super::sound;
use super::works::Works;

/// Ears for many calls.
pub(super) struct Ears {
    /// The models.
    pub(super) works: Arc<Works>,
    /// Who runs them.
    pub(super) pool: Pool,
    /// What is said about the end of turns.
    pub(super) turns: Turns,
}

/// Whether there is a model that judges turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turns {
    /// There is.
    Judged,
    /// There is not: silence alone decides.
    Unjudged,
}

#[async_trait]
impl Transcriber for Ears {
    async fn open(&self, language: &str, rate: Rate) -> Result<Link<Listen, Hearing>, Fault> {
        let spoken = language.to_lowercase();
        if !(spoken.is_empty() || spoken == "en" || spoken.starts_with("en-")) {
            return Err(Fault::new(
                Blame::Config,
                code::CONFIG_INVALID,
                format!("the local ears understand English, and not `{language}`"),
            )
            .hint("set the language to `en`"));
        }
        let (near, far) = pair(LINK);
        let listener = Listener {
            works: Arc::clone(&self.works),
            pool: self.pool.clone(),
            turns: self.turns,
            rate,
            before: VecDeque::new(),
            stretch: Vec::new(),
            caller: Caller::Quiet,
            turn: None,
            partial: None,
            due: VecDeque::new(),
            link: far,
        };
        tokio::spawn(listener.run());
        Ok(near)
    }

    async fn warm(&self) -> Result<(), Fault> {
        let works = Arc::clone(&self.works);
        let warm = tokio::task::spawn_blocking(move || works.ears.warm());
        warm.await.unwrap_or_else(|broken| {
            let message = "loading the ears broke";
            Err(Fault::new(Blame::Gateway, code::SPEECH_MODEL_BROKEN, message).because(broken))
        })
    }
}

struct Listener {
    works: Arc<Works>,
    pool: Pool,
    turns: Turns,
    rate: Rate,
    /// The last of what was heard while the caller was silent.
    before: VecDeque<i16>,
    /// The caller's speech since the last final.
    stretch: Vec<i16>,
    caller: Caller,
    turn: Option<Pending<f32>>,
    partial: Option<Pending<String>>,
    /// Finals in the order they must be sent in.
    due: VecDeque<Due>,
    link: Link<Hearing, Listen>,
}

/// What the caller is doing.
enum Caller {
    /// Silent, and everything said before is final.
    Quiet,
    /// Speaking; the next partial is worth making when the stretch is this long, in samples.
    Speaking { partial_at: usize },
    /// Silent after speech. If that was all, these will be the words.
    Paused { guess: Pending<String> },
}

/// A final under way.
enum Due {
    /// Asked for, and there was no speech.
    Empty,
    /// Asked for.
    Asked(Pending<String>),
    /// Not asked for: the stretch had become too long. Sent only if there are words in it.
    Inner(Pending<String>),
}

/// Something that happened.
enum Happened {
    Told(Listen),
    Final(Result<Option<String>, Fault>),
    Turn(Result<f32, Fault>),
    Partial(Result<String, Fault>),
}

impl Listener {
    /// Until the call drops its end.
    async fn run(mut self) {
        while let Some(happened) = self.next().await {
            let sent = match happened {
                Happened::Told(listen) => {
                    self.told(listen);
                    Ok(())
                }
                Happened::Final(Ok(None)) => Ok(()),
                Happened::Final(Ok(Some(text))) => {
                    self.link.tx.send(Hearing::Final(text.into())).await
                }
                Happened::Final(Err(fault)) => self.link.tx.send(Hearing::Failed(fault)).await,
                Happened::Turn(Ok(probability)) => {
                    self.link.tx.send(Hearing::EndOfTurn(probability)).await
                }
                Happened::Partial(Ok(text)) => {
                    self.partial_done(text);
                    Ok(())
                }
                // Both can be done without.
                Happened::Turn(Err(fault)) | Happened::Partial(Err(fault)) => {
                    tracing::debug!(code = fault.code, "speech was judged without a model");
                    Ok(())
                }
            };
            if sent.is_err() {
                return;
            }
        }
    }

    async fn next(&mut self) -> Option<Happened> {
        tokio::select! {
            biased;
            told = self.link.rx.recv() => told.map(Happened::Told),
            text = done(self.due.front_mut()) => {
                self.due.pop_front();
                Some(Happened::Final(text))
            }
            probability = ready(self.turn.as_mut()) => {
                self.turn = None;
                Some(Happened::Turn(probability))
            }
            text = ready(self.partial.as_mut()) => {
                self.partial = None;
                Some(Happened::Partial(text))
            }
        }
    }

    fn told(&mut self, listen: Listen) {
        match listen {
            Listen::Frame(frame) => self.heard(&frame),
            Listen::Edge(Edge::SpeechStarted { ago }) => self.started(ago),
            Listen::Edge(Edge::SpeechEnded { .. }) => self.ended(),
            Listen::Finalize => self.finalize(),
        }
    }

    fn heard(&mut self, frame: &Frame) {
        let partial_at = match &self.caller {
            Caller::Quiet | Caller::Paused { .. } => {
                self.before.extend(frame.samples());
                let surplus = self
                    .before
                    .len()
                    .saturating_sub(self.rate.samples_in(KEPT_BEFORE));
                self.before.drain(..surplus);
                return;
            }
            Caller::Speaking { partial_at } => *partial_at,
        };
        self.stretch.extend_from_slice(frame.samples());
        if self.stretch.len() >= self.rate.samples_in(LONGEST) {
            self.split();
        } else if self.stretch.len() >= partial_at && self.partial.is_none() && self.pool.spare() {
            self.partial = Some(self.transcribe(Urgency::Partial, self.stretch.clone()));
        }
    }

    /// Speech starts, or goes on after a pause.
    fn started(&mut self, ago: Duration) {
        let wanted = match std::mem::replace(&mut self.caller, Caller::Quiet) {
            speaking @ Caller::Speaking { .. } => {
                self.caller = speaking;
                return;
            }
            Caller::Quiet => self.rate.samples_in(ago + PRE_ROLL),
            // A long stretch is best ended in a pause, and its words are there already.
            Caller::Paused { guess } if self.stretch.len() >= self.rate.samples_in(LONG) => {
                self.due.push_back(Due::Inner(guess));
                self.stretch.clear();
                self.rate.samples_in(ago + PRE_ROLL)
            }
            // The guess was wrong. The pause is part of the speech.
            Caller::Paused { .. } => self.before.len(),
        };
        self.turn = None;
        let skipped = self.before.len().saturating_sub(wanted);
        self.stretch.extend(self.before.drain(..).skip(skipped));
        self.caller = self.speaking();
    }

    /// Speech ends, perhaps for now: the words are made at once, since they are wanted at once if
    /// this was all.
    fn ended(&mut self) {
        if !matches!(self.caller, Caller::Speaking { .. }) {
            return;
        }
        self.partial = None;
        if self.turns == Turns::Judged {
            let (works, rate) = (Arc::clone(&self.works), self.rate);
            let last = self.stretch.len().saturating_sub(rate.samples_in(JUDGED));
            let tail = self.stretch[last..].to_vec();
            let judge = move |_: &_| works.over(&tail, rate.hz());
            self.turn = Some(self.pool.begin(Urgency::Turn, judge));
        }
        let guess = self.transcribe(Urgency::Words, self.stretch.clone());
        self.caller = Caller::Paused { guess };
    }

    fn finalize(&mut self) {
        self.turn = None;
        self.partial = None;
        match std::mem::replace(&mut self.caller, Caller::Quiet) {
            Caller::Quiet => self.due.push_back(Due::Empty),
            Caller::Paused { guess } => {
                self.due.push_back(Due::Asked(guess));
                self.stretch.clear();
            }
            Caller::Speaking { .. } => {
                let stretch = std::mem::take(&mut self.stretch);
                let words = self.transcribe(Urgency::Words, stretch);
                self.due.push_back(Due::Asked(words));
                self.caller = self.speaking();
            }
        }
    }

    /// The stretch is as long as the model can take. Cuts it where it is quietest.
    fn split(&mut self) {
        let hop = self.rate.samples_per_frame();
        let late = self
            .stretch
            .len()
            .saturating_sub(self.rate.samples_in(CUT_WITHIN));
        let quietness = |chunk: &[i16]| sound::loudness(&sound::to_float(chunk));
        let chunks = self.stretch[late..]
            .chunks_exact(hop)
            .map(quietness)
            .enumerate();
        let quietest = chunks.min_by(|(_, one), (_, other)| one.total_cmp(other));
        let cut = quietest.map_or(self.stretch.len(), |(n, _)| late + n * hop);
        let rest = self.stretch.split_off(cut);
        let first = std::mem::replace(&mut self.stretch, rest);
        self.partial = None;
        let words = self.transcribe(Urgency::Words, first);
        self.due.push_back(Due::Inner(words));
        self.caller = self.speaking();
    }

    fn partial_done(&mut self, text: String) {
        self.caller = match std::mem::replace(&mut self.caller, Caller::Quiet) {
            Caller::Speaking { .. } => {
                if !text.is_empty() {
                    // There will be a better one soon if there is no room for this one.
                    let _ = self.link.tx.try_send(Hearing::Partial(Private::new(text)));
                }
                self.speaking()
            }
            other @ (Caller::Quiet | Caller::Paused { .. }) => other,
        };
    }

    fn speaking(&self) -> Caller {
        Caller::Speaking {
            partial_at: self.stretch.len() + self.rate.samples_in(BETWEEN_PARTIALS),
        }
    }

    fn transcribe(&self, urgency: Urgency, samples: Vec<i16>) -> Pending<String> {
        let (works, rate) = (Arc::clone(&self.works), self.rate);
        self.pool
            .begin(urgency, move |stop| works.hear(&samples, rate.hz(), stop))
    }
}

/// The words of a final, once they are there; `None` if it need not be sent.
async fn done(due: Option<&mut Due>) -> Result<Option<String>, Fault> {
    match due {
        None => pending().await,
        Some(Due::Empty) => Ok(Some(String::new())),
        Some(Due::Asked(words)) => ready(Some(words)).await.map(Some),
        Some(Due::Inner(words)) => {
            let words = ready(Some(words)).await?;
            Ok(Some(words).filter(|it| !it.is_empty()))
        }
    }
}

/// The result of some work, once it is there; never, if there is none.
pub(super) async fn ready<T>(work: Option<&mut Pending<T>>) -> Result<T, Fault> {
    match work {
        None => pending().await,
        Some(work) => (&mut work.task).await.unwrap_or_else(|wrong| {
            let message = "a speech model failed while running";
            Err(Fault::new(Blame::Gateway, code::SPEECH_FAILED, message).because(wrong))
        }),
    }
}

/// Frames and commands that may wait: 2.5 s.
const LINK: usize = 128;
/// Speech is heard from this long before the detector says it began.
const PRE_ROLL: Duration = Duration::from_millis(300);
/// Enough for the slowest detector and the time above.
const KEPT_BEFORE: Duration = Duration::from_millis(1_500);
const BETWEEN_PARTIALS: Duration = Duration::from_millis(700);
/// From here on a pause ends the stretch for good.
const LONG: Duration = Duration::from_secs(12);
/// From here on it is ended without a pause.
const LONGEST: Duration = Duration::from_secs(25);
/// Where in the end of it to look for a quiet place.
const CUT_WITHIN: Duration = Duration::from_secs(5);
/// All that the turn model looks at.
const JUDGED: Duration = Duration::from_secs(8);
