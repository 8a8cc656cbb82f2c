//! One call's mouth: clause by clause, in order, until it is told to stop.

use std::collections::VecDeque;
use std::mem;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use call::Private;
use media::{Rate, UtteranceId};
use ports::speech::{Speak, Spoken, Synthesizer};
use ports::{Blame, Fault, Link, code, pair};

use super::ears::ready;
use super::flite;
use super::phrases::{Phrase, Phrases};
use super::pool::{Pending, Pool, Urgency};
use super::works::{Speaker, Works};

/// Mouths for many calls.
pub(super) struct Mouth {
    /// The models.
    pub(super) works: Arc<Works>,
    /// Who runs them.
    pub(super) pool: Pool,
    /// Whose voice it is.
    pub(super) speaker: Speaker,
    /// What was said before.
    pub(super) phrases: Arc<Phrases>,
}

#[async_trait]
impl Synthesizer for Mouth {
    async fn open(&self, rate: Rate) -> Result<Link<Speak, Spoken>, Fault> {
        let (near, far) = pair(LINK);
        let talker = Talker {
            making: Making {
                works: Arc::clone(&self.works),
                pool: self.pool.clone(),
                speaker: self.speaker,
                phrases: Arc::clone(&self.phrases),
                rate,
            },
            fresh: true,
            asked: VecDeque::new(),
            now: None,
            prepared: VecDeque::new(),
            out: VecDeque::new(),
            link: far,
        };
        tokio::spawn(talker.run());
        Ok(near)
    }
}

struct Talker {
    making: Making,
    /// Nothing was ever made for this call.
    fresh: bool,
    /// Clauses not begun.
    asked: VecDeque<(UtteranceId, Private<String>)>,
    /// The clause being made.
    now: Option<(UtteranceId, Pending<Arc<[i16]>>)>,
    /// What is being made for later.
    prepared: VecDeque<(Phrase, Pending<Arc<[i16]>>)>,
    /// What is made and not sent.
    out: VecDeque<Spoken>,
    link: Link<Spoken, Speak>,
}

/// Something that happened.
enum Happened {
    Told(Speak),
    Made(Result<Arc<[i16]>, Fault>),
    Prepared,
    Sent,
    Gone,
}

/// How sound is made.
struct Making {
    works: Arc<Works>,
    pool: Pool,
    speaker: Speaker,
    phrases: Arc<Phrases>,
    rate: Rate,
}

impl Talker {
    /// Until the call drops its end.
    async fn run(mut self) {
        loop {
            self.begin();
            match self.next().await {
                Happened::Told(told) => self.told(told),
                Happened::Made(made) => self.made(made),
                Happened::Prepared => drop(self.prepared.pop_front()),
                Happened::Sent => {}
                Happened::Gone => return,
            }
        }
    }

    async fn next(&mut self) -> Happened {
        let now = self.now.as_mut().map(|(_, work)| work);
        tokio::select! {
            biased;
            told = self.link.rx.recv() => told.map_or(Happened::Gone, Happened::Told),
            room = self.link.tx.reserve(), if !self.out.is_empty() => {
                let Ok(room) = room else {
                    return Happened::Gone;
                };
                if let Some(next) = self.out.pop_front() {
                    room.send(next);
                }
                Happened::Sent
            }
            made = ready(now) => Happened::Made(made),
            _ = ready(self.prepared.front_mut().map(|(_, work)| work)) => Happened::Prepared,
        }
    }

    /// Begins the next clause, if the last is made. One clause ahead of what is sent is enough.
    fn begin(&mut self) {
        while self.now.is_none() && self.out.len() < AHEAD {
            let Some((utterance, text)) = self.asked.pop_front() else {
                return;
            };
            self.fresh = false;
            let phrase = self.making.phrase(text);
            if let Some(samples) = self.making.phrases.find(&phrase) {
                self.send(utterance, &samples);
                continue;
            }
            // What is already being made need not be made twice. What only waits to be made waits
            // behind everything that is wanted now, as this is.
            let same = self.prepared.iter().position(|(it, _)| *it == phrase);
            let prepared = same.and_then(|it| self.prepared.remove(it));
            if let Some((_, work)) = prepared.filter(|(_, work)| work.has_begun()) {
                self.now = Some((utterance, work));
                continue;
            }
            let urgency = if self.out.is_empty() {
                Urgency::FirstClause
            } else {
                Urgency::NextClause
            };
            self.now = Some((utterance, self.making.make(urgency, phrase)));
        }
    }

    fn told(&mut self, told: Speak) {
        match told {
            Speak::Cancel(last) => {
                self.asked.retain(|(utterance, _)| *utterance > last);
                self.out.retain(|spoken| utterance_of(spoken) > last);
                self.now = self.now.take().filter(|(utterance, _)| *utterance > last);
            }
            Speak::Prepare(text) => self.prepare(text),
            Speak::Text(utterance, _) if self.asked.len() >= MOST_ASKED => {
                let message = "more clauses wait for the voice than may";
                let fault = Fault::new(Blame::Agent, code::SPEECH_OVERLOADED, message);
                self.out.push_back(Spoken::Failed(utterance, fault));
            }
            Speak::Text(utterance, text) => self.asked.push_back((utterance, text)),
        }
    }

    fn prepare(&mut self, text: Private<String>) {
        let phrase = self.making.phrase(text);
        if self.prepared.len() < MOST_PREPARED && self.making.phrases.find(&phrase).is_none() {
            // What comes first will be the first that is heard.
            let urgency = if mem::take(&mut self.fresh) {
                Urgency::FirstClause
            } else {
                Urgency::Prepare
            };
            let work = self.making.make(urgency, phrase.clone());
            self.prepared.push_back((phrase, work));
        }
    }

    fn made(&mut self, made: Result<Arc<[i16]>, Fault>) {
        let Some((utterance, _)) = self.now.take() else {
            return;
        };
        match made {
            Ok(samples) => self.send(utterance, &samples),
            Err(fault) => self.out.push_back(Spoken::Failed(utterance, fault)),
        }
    }

    fn send(&mut self, utterance: UtteranceId, samples: &[i16]) {
        let piece = self.making.rate.samples_in(PIECE);
        let pieces = samples
            .chunks(piece)
            .map(|it| Spoken::Audio(utterance, it.to_vec()));
        self.out.extend(pieces);
        let length = self.making.rate.duration_of(samples.len());
        self.out.push_back(Spoken::Done(utterance, length));
    }
}

impl Making {
    fn phrase(&self, text: Private<String>) -> Phrase {
        Phrase::new(self.speaker, self.rate, text)
    }

    /// Makes a phrase and keeps it for the next who wants it.
    fn make(&self, urgency: Urgency, phrase: Phrase) -> Pending<Arc<[i16]>> {
        let (works, phrases) = (Arc::clone(&self.works), Arc::clone(&self.phrases));
        self.pool.begin(urgency, move |_| {
            // Another call may have made it while this one waited.
            if let Some(samples) = phrases.find(&phrase) {
                return Ok(samples);
            }
            let samples: Arc<[i16]> = say(&works, &phrase)?.into();
            phrases.keep(phrase, Arc::clone(&samples));
            Ok(samples)
        })
    }
}

/// With the plain voice, should the better one fail.
fn say(works: &Works, phrase: &Phrase) -> Result<Vec<i16>, Fault> {
    let text = phrase.text.reveal();
    let said = works.speak(phrase.speaker, text, phrase.hz);
    match (said, phrase.speaker) {
        (Err(fault), Speaker::Piper) if flite::present() => {
            tracing::warn!(
                code = fault.code,
                reason = fault.message,
                "using the plain voice"
            );
            works.speak(Speaker::Flite, text, phrase.hz)
        }
        (said, Speaker::Piper | Speaker::Flite | Speaker::FliteMale) => said,
    }
}

fn utterance_of(spoken: &Spoken) -> UtteranceId {
    match spoken {
        Spoken::Audio(utterance, _) | Spoken::Done(utterance, _) | Spoken::Failed(utterance, _) => {
            *utterance
        }
    }
}

/// Commands that may wait, and pieces of sound.
const LINK: usize = 32;
const PIECE: Duration = Duration::from_millis(200);
/// Pieces made and not sent, beyond which nothing more is made.
const AHEAD: usize = 16;
const MOST_ASKED: usize = 64;
const MOST_PREPARED: usize = 16;
