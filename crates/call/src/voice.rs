use std::collections::VecDeque;
use std::time::{Duration, Instant};

use media::{Cut, Progress, UtteranceId};

use crate::clause;
use crate::moment::Moment;
use crate::output::{Agent, Media, Speech};
use crate::words::join;
use crate::{Event, Policy, Private, TurnId};

/// What we say: what has been asked of the mouth, and how much of it has been heard.
#[derive(Debug)]
pub(crate) struct Voice {
    last: UtteranceId,
    /// What the caller has not heard all of, oldest first.
    queue: VecDeque<Utterance>,
    /// What was cut, until it is known how much of it was heard.
    silenced: Option<Silenced>,
    pace: Pace,
    /// How often the mouth failed in a row.
    failures: u32,
    hold: Hold,
    /// Whether they were told why nothing was heard for a while.
    gap: Gap,
    /// Until then keys are heard, and what we say waits behind them.
    keys_until: Option<Instant>,
    /// Whether any of it was ever heard.
    sounded: bool,
}

/// Whether there is a line to speak on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    /// There is.
    Speaking,
    /// There is none for now; what is said waits.
    Held,
    /// The same, and the world was told what was cut short by it.
    Told,
}

/// Whether there is a silence to apologise for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Gap {
    /// There is none, or it was.
    Over,
    /// The line is back, and nothing of what is to be said has sound yet: by then it has to.
    Lasts { until: Instant },
}

/// Something still to be said, as it is remembered of a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Rest {
    pub(crate) whose: Whose,
    pub(crate) text: String,
}

impl Rest {
    fn new(whose: Whose, text: &str) -> Self {
        Self {
            whose,
            text: text.to_owned(),
        }
    }
}

/// What the caller has not heard.
#[derive(Debug)]
pub(crate) struct Unheard {
    /// The last utterance there was.
    pub(crate) last: UtteranceId,
    /// What was heard of the clause that is being said.
    pub(crate) heard: String,
    /// In whose name it is.
    pub(crate) of: Whose,
    /// What was not, clause by clause.
    pub(crate) rest: Vec<Rest>,
}

/// In whose name something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whose {
    /// The owner's, by a command.
    Owner,
    /// Ours: a filler, an apology, a goodbye.
    Ours,
    /// Nobody's: a sound without words, which says that somebody is at work.
    Pulse,
    /// The agent's.
    Turn,
}

/// Who must be told that something was cut short.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// Nobody: it was our own, or it was taken back.
    Nobody,
    /// The agent, of its opening line, of which this much was heard before.
    Opening { heard: String },
    /// The agent, of its turn, of which this much was heard before.
    Turn { turn: TurnId, heard: String },
}

/// Something the mouth could not say.
#[derive(Debug)]
pub(crate) struct Unsaid {
    pub(crate) whose: Whose,
    pub(crate) text: String,
    /// What was heard of it all the same.
    pub(crate) heard: String,
}

#[derive(Debug)]
struct Utterance {
    text: String,
    whose: Whose,
    /// Its name, once the mouth was asked for it.
    asked: Option<UtteranceId>,
    played: Duration,
    /// Known once all of it has been made.
    length: Option<Duration>,
    /// When it last did what it should: be asked for, come to the front, be heard a little more.
    moved: Instant,
    /// The mouth gave it up. It is taken out once it is at the front.
    failed: bool,
}

#[derive(Debug)]
struct Silenced {
    utterances: VecDeque<Utterance>,
    stopped: Stopped,
}

/// How fast the mouth speaks, learned from what it has said on this call.
#[derive(Debug)]
struct Pace {
    chars: f64,
    seconds: f64,
}

impl Voice {
    pub(crate) fn new() -> Self {
        Self {
            last: UtteranceId(0),
            queue: VecDeque::new(),
            silenced: None,
            pace: Pace {
                chars: TYPICAL_CHARS_PER_SECOND * 2.0,
                seconds: 2.0,
            },
            failures: 0,
            hold: Hold::Speaking,
            gap: Gap::Over,
            keys_until: None,
            sounded: false,
        }
    }

    /// Keys go before what we say, and take this long.
    pub(crate) fn press(&mut self, length: Duration, at: &Moment<'_>) {
        let from = self.keys_until.map_or(at.now, |it| it.max(at.now));
        self.keys_until = Some((from + length).min(at.now + MOST_KEYS));
    }

    /// A voice that has no line yet, and this to say once it has. `last` was the last utterance.
    pub(crate) fn recall(last: UtteranceId, rest: Vec<Rest>, now: Instant) -> Self {
        let queue = rest.into_iter();
        Self {
            last,
            queue: queue
                .map(|it| Utterance::new(it.whose, it.text, now))
                .collect(),
            hold: Hold::Held,
            sounded: true,
            ..Self::new()
        }
    }

    /// What the caller has not heard yet. What has begun and would be over `soon` counts as heard:
    /// it is not said a second time.
    pub(crate) fn rest(&self, soon: Duration) -> Unheard {
        let mut queue = self.queue.iter().filter(|it| !it.failed);
        let front = queue.next();
        let (heard, left) = front.map_or(("", ""), |it| it.broken(soon, &self.pace));
        let left = front.map(|it| Rest::new(it.whose, left));
        let rest = left
            .into_iter()
            .chain(queue.map(|it| Rest::new(it.whose, &it.text)));
        Unheard {
            last: self.last,
            heard: heard.to_owned(),
            of: front.map_or(Whose::Ours, |it| it.whose),
            rest: rest.filter(|it| !it.text.is_empty()).collect(),
        }
    }

    /// Tells what of the clause was heard that broke off in another process.
    pub(crate) fn broke(&self, heard: Private<String>, at: &mut Moment<'_>) {
        let unheard = self.unheard().into();
        at.event(Event::AgentInterrupted { heard, unheard });
    }

    /// The line is gone: what has not been heard waits for another. Returns what of the agent's
    /// was heard of the clause that broke off.
    pub(crate) fn hold(&mut self, at: &mut Moment<'_>) -> String {
        let _ = self.silenced(None, at);
        if self.hold != Hold::Speaking {
            return String::new();
        }
        self.hold = Hold::Held;
        self.gap = Gap::Over;
        if let Some(last) = self.last_asked() {
            at.media(Media::Cut(last));
            at.speech(Speech::Cancel(last));
        }
        self.queue
            .retain(|it| !it.failed && it.whose != Whose::Pulse);
        let (mut broken, mut of_turn) = (None, String::new());
        if let Some(front) = self.queue.front_mut().filter(|it| !it.played.is_zero()) {
            let (heard, unheard) = front.split(&self.pace);
            let (heard, unheard) = (heard.to_owned(), unheard.to_owned());
            if front.whose == Whose::Turn {
                of_turn.clone_from(&heard);
            }
            front.text = unheard;
            broken = Some(heard);
        }
        self.queue.retain(|it| !it.text.is_empty());
        for utterance in &mut self.queue {
            let text = std::mem::take(&mut utterance.text);
            *utterance = Utterance::new(utterance.whose, text, at.now);
        }
        if let Some(heard) = broken {
            self.hold = Hold::Told;
            let (heard, unheard) = (heard.into(), self.unheard().into());
            at.event(Event::AgentInterrupted { heard, unheard });
        }
        of_turn
    }

    /// Says nothing for a while: all that was being said was cut, and its end is still to be told.
    pub(crate) fn wait(&mut self) {
        self.hold = Hold::Told;
        self.gap = Gap::Over;
    }

    /// There is a line again, after this long without one: says what waits for one. If that is too
    /// long, now or by the time any of it has sound, this comes first.
    pub(crate) fn go_on(&mut self, gone: Duration, apology: &str, at: &mut Moment<'_>) {
        if self.hold == Hold::Speaking {
            return;
        }
        self.hold = Hold::Speaking;
        // What was left of an apology for an earlier gap is not worth saying.
        let old = |it: &mut Utterance| it.whose == Whose::Ours && apology.contains(&it.text);
        while self.queue.pop_front_if(old).is_some() {}
        match UNNOTICED.checked_sub(gone) {
            Some(left) if !self.queue.is_empty() => {
                let until = at.now + left;
                self.gap = Gap::Lasts { until };
            }
            Some(_) => {}
            None => self.say_first(Whose::Ours, apology, at.now),
        }
        self.ask(at);
    }

    /// The same without a word about it.
    pub(crate) fn go_on_unexcused(&mut self, at: &mut Moment<'_>) {
        self.hold = Hold::Speaking;
        self.ask(at);
    }

    /// The mouth gives sound.
    pub(crate) fn begun(&mut self) {
        self.gap = Gap::Over;
    }

    /// Whether nothing has had sound for too long since the line came back.
    pub(crate) fn owes_apology(&self, now: Instant) -> bool {
        match self.gap {
            Gap::Lasts { until } => until <= now,
            Gap::Over => false,
        }
    }

    /// Says this before everything else, none of which has sound yet.
    pub(crate) fn apologise(&mut self, apology: &str, at: &mut Moment<'_>) {
        self.gap = Gap::Over;
        let _ = self.silenced(None, at);
        self.queue.retain(|it| !it.failed);
        let mut asked = VecDeque::new();
        for utterance in &mut self.queue {
            let again = Utterance::new(utterance.whose, utterance.text.clone(), at.now);
            let before = std::mem::replace(utterance, again);
            // All of it is said again, whoever's it is.
            asked.extend(before.asked.is_some().then_some(Utterance {
                whose: Whose::Ours,
                ..before
            }));
        }
        if let Some(last) = asked.back().and_then(|it| it.asked) {
            at.media(Media::Cut(last));
            at.speech(Speech::Cancel(last));
            self.silenced = Some(Silenced {
                utterances: asked,
                stopped: Stopped::Nobody,
            });
        }
        self.say_first(Whose::Ours, apology, at.now);
        self.ask(at);
    }

    /// Asks the mouth for what comes next. Only so far ahead: however much there is to say, little
    /// of it waits anywhere else than here.
    fn ask(&mut self, at: &mut Moment<'_>) {
        if self.hold != Hold::Speaking {
            return;
        }
        let next = self.queue.iter_mut().take(ASKED_AHEAD);
        for utterance in next.filter(|it| it.asked.is_none()) {
            self.last = UtteranceId(self.last.0 + 1);
            utterance.asked = Some(self.last);
            utterance.moved = at.now;
            at.speech(match utterance.whose {
                Whose::Pulse => Speech::Pulse(self.last),
                Whose::Owner | Whose::Ours | Whose::Turn => {
                    Speech::Synthesize(self.last, utterance.text.clone().into())
                }
            });
        }
    }

    /// A name that no utterance has or will have.
    pub(crate) fn reserve(&mut self) -> UtteranceId {
        self.last = UtteranceId(self.last.0 + 1);
        self.last
    }

    fn last_asked(&self) -> Option<UtteranceId> {
        self.queue.iter().rev().find_map(|it| it.asked)
    }

    /// Says this before everything that the mouth has yet to be asked for.
    fn say_first(&mut self, whose: Whose, text: &str, now: Instant) {
        for clause in clause::clauses(text).into_iter().rev() {
            self.queue.push_front(Utterance::new(whose, clause, now));
        }
    }

    fn unheard(&self) -> String {
        let texts = self.queue.iter().map(|it| it.text.as_str());
        texts.fold(String::new(), join)
    }

    /// Says one clause, after everything that is being said. Returns its name if that is so little
    /// that the mouth was asked for it at once.
    pub(crate) fn say(
        &mut self,
        whose: Whose,
        text: String,
        at: &mut Moment<'_>,
    ) -> Option<UtteranceId> {
        self.queue.push_back(Utterance::new(whose, text, at.now));
        self.ask(at);
        self.queue.back().and_then(|it| it.asked)
    }

    /// Lets it be heard that somebody is at work.
    pub(crate) fn pulse(&mut self, at: &mut Moment<'_>) {
        let sound = Utterance::new(Whose::Pulse, String::new(), at.now);
        self.queue.push_back(sound);
        self.ask(at);
    }

    /// Says a whole text of any length.
    pub(crate) fn say_all(&mut self, whose: Whose, text: &str, at: &mut Moment<'_>) {
        for clause in clause::clauses(text) {
            self.say(whose, clause, at);
        }
    }

    /// Whether anything of what was ever said has been heard.
    pub(crate) fn sounded(&self) -> bool {
        self.sounded
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether anything is being said in this name.
    pub(crate) fn says(&self, whose: Whose) -> bool {
        self.queue.iter().any(|it| it.whose == whose)
    }

    /// Whether anything of what is being said in this name has been heard.
    pub(crate) fn is_heard(&self, whose: Whose) -> bool {
        let heard = |it: &Utterance| it.whose == whose && !it.played.is_zero();
        self.queue.iter().any(heard)
    }

    /// How many times in a row the mouth has failed.
    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    /// How long saying all this should take at most, counted from now.
    pub(crate) fn patience(&self, policy: &Policy) -> Duration {
        let whole: Duration = self
            .queue
            .iter()
            .map(|it| self.pace.estimate(&it.text))
            .sum();
        policy.synthesize + whole * 2
    }

    /// By when what is at the front must have been heard a little more.
    pub(crate) fn deadline(&self, policy: &Policy) -> Option<Instant> {
        let front = self.queue.front().filter(|_| self.hold == Hold::Speaking)?;
        let stuck = self.moved(front) + policy.synthesize;
        match self.gap {
            Gap::Lasts { until } => Some(stuck.min(until)),
            Gap::Over => Some(stuck),
        }
    }

    /// What is at the front, if it has not been heard any more for too long.
    pub(crate) fn stuck(&self, at: &Moment<'_>) -> Option<UtteranceId> {
        let late = |it: &&Utterance| {
            self.hold == Hold::Speaking && self.moved(it) + at.plan.policy.synthesize <= at.now
        };
        self.queue.front().filter(late).and_then(|it| it.asked)
    }

    /// When something last did what it should, not counting that it waited behind keys.
    fn moved(&self, utterance: &Utterance) -> Instant {
        self.keys_until
            .map_or(utterance.moved, |it| it.max(utterance.moved))
    }

    pub(crate) fn length(&mut self, id: UtteranceId, length: Duration) {
        let found = |it: &&mut Utterance| it.is(id);
        let Some(utterance) = self.queue.iter_mut().find(found) else {
            return;
        };
        if utterance.length.is_none() {
            utterance.length = Some(length);
            if utterance.whose != Whose::Pulse {
                self.failures = 0;
                self.pace.learn(&utterance.text, length);
            }
        }
    }

    /// What the mouth has silently left out: sound comes in order, so what comes before what is
    /// heard now, and was never said to be complete, was never made.
    pub(crate) fn skipped(&self, progress: Progress) -> Vec<UtteranceId> {
        let is_heard = progress.done || !progress.played.is_zero();
        let known = self.queue.iter().position(|it| it.is(progress.utterance));
        let before = self
            .queue
            .iter()
            .take(known.filter(|_| is_heard).unwrap_or(0));
        before
            .filter(|it| it.length.is_none() && !it.failed)
            .filter_map(|it| it.asked)
            .collect()
    }

    /// Takes note of how much has been heard. Returns what of the agent's was heard to its end.
    pub(crate) fn progress(&mut self, progress: Progress, at: &mut Moment<'_>) -> String {
        let mut heard = String::new();
        let known = self.queue.iter().position(|it| it.is(progress.utterance));
        let Some(index) = known.filter(|_| progress.done || !progress.played.is_zero()) else {
            return heard;
        };
        self.sounded = true;
        self.gap = Gap::Over;
        // Sound comes in order: what was made before what is heard now was heard.
        let ended = if progress.done { index + 1 } else { index };
        for utterance in self.queue.drain(..ended).filter(|it| !it.failed) {
            match utterance.whose {
                Whose::Pulse => continue,
                Whose::Turn => heard = join(heard, &utterance.text),
                Whose::Owner | Whose::Ours => {}
            }
            at.event(Event::AgentSaid {
                text: utterance.text.into(),
            });
        }
        if let Some(front) = self.queue.front_mut() {
            if progress.done || ended > 0 || progress.played > front.played {
                front.moved = at.now;
            }
            if !progress.done {
                front.played = front.played.max(progress.played);
            }
        }
        self.ask(at);
        heard
    }

    /// The mouth could not say this. Returns it, or nothing if it is not being said.
    pub(crate) fn fail(&mut self, id: UtteranceId, at: &mut Moment<'_>) -> Option<Unsaid> {
        let found = |it: &&mut Utterance| it.is(id) && !it.failed;
        let utterance = self.queue.iter_mut().find(found)?;
        utterance.failed = true;
        if utterance.whose != Whose::Pulse {
            self.failures += 1;
        }
        let (heard, unheard) = utterance.split(&self.pace);
        let unsaid = Unsaid {
            whose: utterance.whose,
            text: utterance.text.clone(),
            heard: heard.to_owned(),
        };
        if !utterance.played.is_zero() && utterance.whose != Whose::Pulse {
            at.event(Event::AgentInterrupted {
                heard: heard.into(),
                unheard: unheard.into(),
            });
        }
        Some(unsaid)
    }

    /// Takes out what failed, once it is at the front: half of it may lie in the sound, and would
    /// wait there forever for its other half.
    pub(crate) fn skip_failed(&mut self, at: &mut Moment<'_>) {
        while let Some(front) = self.queue.pop_front_if(|it| it.failed) {
            if let Some(id) = front.asked {
                at.media(Media::Cut(id));
                at.speech(Speech::Cancel(id));
            }
            if let Some(next) = self.queue.front_mut() {
                next.moved = at.now;
            } else {
                self.gap = Gap::Over;
            }
        }
        self.ask(at);
    }

    /// Silences everything, at once. What was heard of it is told by [`Voice::silenced`].
    pub(crate) fn cut(&mut self, stopped: Stopped, at: &mut Moment<'_>) {
        // A second cut before the first was answered: its figures will not come any more.
        let _ = self.silenced(None, at);
        self.gap = Gap::Over;
        if self.queue.is_empty() {
            tell(stopped, "", at);
            return;
        }
        let Some(last) = self.last_asked() else {
            let unheard = self.unheard();
            self.queue.clear();
            if self.hold == Hold::Held && !matches!(stopped, Stopped::Nobody) {
                let (heard, unheard) = (String::new().into(), unheard.into());
                at.event(Event::AgentInterrupted { heard, unheard });
            }
            tell(stopped, "", at);
            return;
        };
        at.media(Media::Cut(last));
        at.speech(Speech::Cancel(last));
        self.silenced = Some(Silenced {
            utterances: std::mem::take(&mut self.queue),
            stopped,
        });
    }

    /// Tells what was heard of what was cut, by the sound's own figures or, without them, by the
    /// last ones known. Returns the owner's words of which nothing was heard.
    pub(crate) fn silenced(&mut self, cut: Option<Cut>, at: &mut Moment<'_>) -> Vec<String> {
        let Some(mut silenced) = self.silenced.take() else {
            return Vec::new();
        };
        let utterances = &mut silenced.utterances;
        utterances.retain(|it| !it.failed && it.whose != Whose::Pulse);
        let playing = cut.and_then(|cut| {
            let index = utterances.iter().position(|it| it.is(cut.utterance))?;
            let utterance = &mut utterances[index];
            utterance.played = utterance.played.max(cut.played);
            Some(index)
        });
        let (mut heard, mut unheard, mut of_turn) = (String::new(), String::new(), String::new());
        let mut unsaid = Vec::new();
        for (index, utterance) in utterances.iter().enumerate() {
            // What was heard is a beginning: after the first unheard word, nothing was.
            let earlier = playing.is_some_and(|playing| index < playing);
            let (before, after) = if earlier && utterance.length.is_some() {
                (utterance.text.as_str(), "")
            } else if unheard.is_empty() {
                utterance.split(&self.pace)
            } else {
                ("", utterance.text.as_str())
            };
            match utterance.whose {
                Whose::Turn => of_turn = join(of_turn, before),
                Whose::Owner if before.is_empty() => unsaid.push(utterance.text.clone()),
                Whose::Owner | Whose::Ours | Whose::Pulse => {}
            }
            heard = join(heard, before);
            unheard = join(unheard, after);
        }
        let sounded = utterances.iter().any(|it| !it.played.is_zero());
        let interrupted = !matches!(silenced.stopped, Stopped::Nobody);
        if sounded || (interrupted && !utterances.is_empty()) {
            at.event(Event::AgentInterrupted {
                heard: heard.into(),
                unheard: unheard.into(),
            });
        }
        tell(silenced.stopped, &of_turn, at);
        unsaid
    }
}

fn tell(stopped: Stopped, more: &str, at: &mut Moment<'_>) {
    match stopped {
        Stopped::Nobody => {}
        Stopped::Opening { heard } => {
            let text = join(heard, more);
            if !text.is_empty() {
                at.agent(Agent::Opened { text: text.into() });
            }
        }
        Stopped::Turn { turn, heard } => at.agent(Agent::Interrupted {
            turn,
            heard: join(heard, more).into(),
        }),
    }
}

impl Utterance {
    /// One that the mouth has yet to be asked for.
    fn new(whose: Whose, text: String, now: Instant) -> Self {
        Self {
            text,
            whose,
            asked: None,
            played: Duration::ZERO,
            length: None,
            moved: now,
            failed: false,
        }
    }

    fn is(&self, id: UtteranceId) -> bool {
        self.asked == Some(id)
    }

    /// What the caller has heard and has not; all of it if it has begun and will be over `soon`.
    fn broken(&self, soon: Duration, pace: &Pace) -> (&str, &str) {
        let length = self.length.unwrap_or_else(|| pace.estimate(&self.text));
        if !self.played.is_zero() && self.played + soon >= length {
            return (&self.text, "");
        }
        self.split(pace)
    }

    /// Splits the text after the last word that was heard to its end.
    fn split(&self, pace: &Pace) -> (&str, &str) {
        let all = self.text.as_str();
        if self.length.is_some_and(|it| self.played >= it) {
            return if self.played.is_zero() {
                ("", all)
            } else {
                (all, "")
            };
        }
        let length = self.length.unwrap_or_else(|| pace.estimate(all));
        let share = self.played.as_secs_f64() / length.as_secs_f64();
        // The last word ends with the sound, and the sound has not ended.
        let reached = (all.chars().count() as f64 * share) as usize;
        let mut spaces = all.char_indices().enumerate();
        let end = spaces
            .by_ref()
            .take_while(|(count, _)| *count <= reached)
            .filter(|(_, (_, c))| c.is_whitespace())
            .last();
        match end {
            Some((_, (at, _))) => (&all[..at], all[at..].trim_start()),
            None => ("", all),
        }
    }
}

impl Pace {
    fn learn(&mut self, text: &str, length: Duration) {
        if !length.is_zero() {
            self.chars += text.chars().count() as f64;
            self.seconds += length.as_secs_f64();
        }
    }

    /// Never zero.
    fn estimate(&self, text: &str) -> Duration {
        let chars = text.chars().count().max(1) as f64;
        Duration::from_secs_f64(chars * self.seconds / self.chars)
    }
}

/// A silence that is broken by then needs no apology: those who listen wait a little longer, until
/// the sound has reached them, and two seconds are too long for them.
const UNNOTICED: Duration = Duration::from_millis(1_750);
/// More keys are not kept ready, and nothing waits longer behind them.
const MOST_KEYS: Duration = Duration::from_secs(60);
/// So many clauses are asked of the mouth before the first of them has been heard.
const ASKED_AHEAD: usize = 8;
/// Until this call has taught us better.
const TYPICAL_CHARS_PER_SECOND: f64 = 15.0;
