use std::collections::VecDeque;
use std::time::{Duration, Instant};

use call::event::{End, Timed, Who};
use call::input::{self, Carrier, Command, Input};
use call::{
    ANNOUNCEMENT, Call, Event, Memory, Mode, Output, Phrases, Plan, Private, TurnId, memory, output,
};
use media::UtteranceId;

use crate::before::{Before, Kind};
use crate::life::{Handed, Life};
use crate::saying::Saying;

/// A call that is watched: it panics when a promise is broken.
///
/// The promises are those of the architecture, and a few that follow from the documentation of
/// [`call::input`] and [`call::output`]. They are checked from outside, by what goes in and what
/// comes out, so that they hold for any implementation of a call.
#[derive(Debug)]
pub struct Watched {
    call: Call,
    life: Life,
    hearing: Hearing,
    turns: Turns,
    saying: Saying,
    owner: Owner,
    /// How often in a row something that was due was still due afterwards.
    in_vain: u32,
}

/// What the caller said.
#[derive(Debug, Default)]
struct Hearing {
    /// Whether there is anyone to hear it.
    has_ears: bool,
    /// What the agent has not been told.
    untold: Vec<String>,
    /// What the transcriber last thought it heard.
    partial: String,
    /// All it ever thought it heard.
    partials: Vec<String>,
    /// Whether words were ever used before the transcriber was sure. From then on it takes
    /// knowledge of the inside to say which final repeats them.
    guessed: bool,
}

/// The agent's turns.
#[derive(Debug, Default)]
struct Turns {
    last: Option<TurnId>,
    open: Option<Open>,
    /// Whether the agent may say what it has not been given a turn for.
    closed: Vec<TurnId>,
    /// The last one that was timed.
    timed: u32,
}

#[derive(Debug)]
struct Open {
    turn: TurnId,
    /// What it was told, to be told again if it is taken back.
    words: Vec<String>,
    /// What was made into sound for it, and could be.
    clauses: Vec<String>,
    /// Whether any of it was heard to the end.
    begun: bool,
    /// Whether the mouth failed in it, so that parts of clauses may have been heard.
    broken: bool,
}

/// What the owner wants said, and since when. Emptied as it is said.
#[derive(Debug, Default)]
struct Owner {
    wanted: Vec<(Instant, String)>,
    /// A machine is greeting us, and nothing is said into that.
    waits_for_a_machine: bool,
}

impl Watched {
    /// Starts a call, and watches it.
    pub fn start(now: Instant, plan: Plan) -> (Self, Vec<Output>) {
        let has_ears = match plan.mode {
            Mode::Conversation { .. } | Mode::Notify { .. } | Mode::Seat(_) => true,
            Mode::Loopback => false,
        };
        let phrases = spoken_phrases(&plan.mode, &plan.phrases);
        let life = Life::of(&plan);
        let (call, out) = Call::start(now, plan);
        let mut carriers = out.iter().filter(|it| matches!(it, Output::Carrier(_)));
        assert!(
            matches!(
                carriers.next(),
                Some(Output::Carrier(
                    output::Carrier::Dial | output::Carrier::Answer
                ))
            ) && carriers.next().is_none(),
            "a call starts by asking for it, once"
        );
        let watched = Self {
            call,
            life,
            hearing: Hearing {
                has_ears,
                ..Hearing::default()
            },
            turns: Turns::default(),
            saying: Saying {
                last: UtteranceId(0),
                barred: UtteranceId(0),
                pending: VecDeque::new(),
                cut: Vec::new(),
                cut_short: false,
                phrases,
            },
            owner: Owner::default(),
            in_vain: 0,
        };
        (watched, out)
    }

    /// Takes a call up that another process lost, and watches it. What was promised of what came
    /// before is not known any more.
    pub fn resume(now: Instant, plan: Plan, memory: Memory, gone: Duration) -> (Self, Vec<Output>) {
        let (mut watched, _) = Self::start(now, plan.clone());
        let (hung_up, lost) = match &memory {
            Memory::Waiting => (false, false),
            Memory::Answered | Memory::Up { .. } | Memory::Elsewhere { .. } => (false, true),
            Memory::Ending(_) | Memory::Over => (true, true),
        };
        watched.life.connected = !matches!(memory, Memory::Waiting | Memory::Answered);
        watched.life.lost = lost;
        watched.life.disclosed |= watched.life.connected;
        watched.life.seated = matches!(
            &memory,
            Memory::Up {
                talk: call::memory::Talk::Seat { .. },
                ..
            }
        );
        watched.life.handed = Handed::of(&memory);
        watched.life.ended = matches!(memory, Memory::Over);
        watched.hearing.has_ears &= !hung_up;
        watched.remember(&memory);
        let (call, out) = Call::resume(now, plan, memory, gone);
        let asked = out.iter().any(|it| {
            matches!(
                it,
                Output::Carrier(output::Carrier::Dial | output::Carrier::Answer)
            )
        });
        assert!(!asked, "a call that is taken up again was dialled");
        watched.life.hung_up = hung_up;
        watched.call = call;
        (watched, out)
    }

    fn remember(&mut self, memory: &Memory) {
        let thread = match memory {
            Memory::Up {
                talk: memory::Talk::Conversation(thread),
                ..
            } => thread,
            Memory::Elsewhere { thread, .. } => thread,
            Memory::Up { .. }
            | Memory::Waiting
            | Memory::Answered
            | Memory::Ending(_)
            | Memory::Over => return,
        };
        self.turns.last = Some(thread.turn);
        self.saying.last = thread.last;
        self.hearing.untold = words(&thread.untold);
        let owners = thread.waiting.iter();
        self.saying
            .phrases
            .extend(owners.map(|it| it.reveal().clone()));
        for unheard in &thread.unheard {
            match unheard.name {
                memory::Name::Owner | memory::Name::Ours => {
                    self.saying.phrases.push(unheard.text.reveal().clone());
                }
                memory::Name::Agent => {}
            }
        }
        if let memory::Holder::Agent(answering) = &thread.floor {
            self.turns.open = Some(Open {
                turn: answering.turn,
                words: words(&answering.said),
                clauses: Vec::new(),
                begun: false,
                broken: true,
            });
        }
    }

    /// As [`Call::memory`].
    pub fn memory(&self, now: Instant) -> Memory {
        self.call.memory(now)
    }

    /// As [`Call::handle`].
    pub fn handle(&mut self, now: Instant, input: Input) -> Vec<Output> {
        let was_over = self.call.is_over();
        let before = Before::new(&input, (self.life.connected, self.life.ended));
        self.note(now, &input);
        let barred = self.saying.barred;
        let out = self.call.handle(now, input);
        assert!(!was_over || out.is_empty(), "a dead call spoke: {out:?}");
        for output in &out {
            self.check(now, &before, output);
        }
        self.check_words(&before, &out);
        if barred == self.saying.barred && !matches!(before.kind, Kind::Message) {
            // Whatever was cut before, this input has settled it.
            self.saying.check_cut();
            self.saying.cut.clear();
        }
        assert_eq!(self.life.ended, self.call.is_over());
        if self.life.ended {
            self.check_end(&out);
        } else {
            let (due, what) = self
                .call
                .deadline()
                .expect("a call always waits for something");
            assert!(!what.is_empty());
            if matches!(before.kind, Kind::Timeout) && due > now {
                self.owner.check(&self.life, now);
            }
            let in_vain = matches!(before.kind, Kind::Timeout) && due <= now;
            self.in_vain = if in_vain { self.in_vain + 1 } else { 0 };
            assert!(self.in_vain < 20, "waiting for {what} in vain");
        }
        out
    }

    /// As [`Call::deadline`].
    pub fn deadline(&self) -> Option<(Instant, &'static str)> {
        self.call.deadline()
    }

    /// As [`Call::is_over`].
    pub fn is_over(&self) -> bool {
        self.call.is_over()
    }

    /// Waits and does nothing else. However a call stands, that must end it.
    pub fn wait(&mut self, mut now: Instant) -> Vec<Output> {
        let mut all = Vec::new();
        let mut woken = 0;
        while let Some((due, what)) = self.deadline() {
            woken += 1;
            assert!(woken < 2_000, "waiting for {what} never ends");
            now = now.max(due);
            let mut out = self.handle(now, Input::Timeout);
            // Somebody must say that the sound was cut.
            if out.iter().any(|it| matches!(it, Output::Media(_))) {
                out.extend(self.handle(now, Input::Media(input::Media::Cut(None))));
            }
            all.extend(out);
        }
        all
    }

    /// Takes note of an input before the call does.
    fn note(&mut self, now: Instant, input: &Input) {
        if !self.life.connected || self.life.ended {
            return;
        }
        match input {
            // There is no sound any more that could say either.
            Input::Media(input::Media::Progress(progress)) if !self.life.lost => {
                if progress.done || !progress.played.is_zero() {
                    self.saying.sounded(progress.utterance);
                }
            }
            Input::Media(input::Media::Cut(Some(cut)))
                if !cut.played.is_zero() && !self.life.lost =>
            {
                self.saying.sounded_cut(cut.utterance);
            }
            Input::Speech(input::Speech::Partial(text)) => {
                self.hearing.partial = text.reveal().trim().to_owned();
                self.hearing.partials.push(self.hearing.partial.clone());
            }
            Input::Speech(input::Speech::Length(id, length)) if !length.is_zero() => {
                self.saying.complete(*id);
            }
            Input::Carrier(Carrier::Disconnected | Carrier::Dropped) => self.lose(),
            Input::Command(Command::Help(text)) => {
                self.saying.phrases.push(text.reveal().clone());
            }
            Input::Command(
                Command::Disprove(text)
                | Command::Prove(text)
                | Command::Refuse(_, text)
                | Command::Say(text),
            ) => {
                if self.hears_owner() {
                    self.owner.wanted.push((now, text.reveal().clone()));
                }
                self.saying.phrases.push(text.reveal().clone());
            }
            Input::Agent(_)
            | Input::Carrier(_)
            | Input::Command(_)
            | Input::Media(_)
            | Input::Meeting(_)
            | Input::Speech(_)
            | Input::Timeout => {}
        }
    }

    /// What is being said breaks off, and goes on when there is sound again.
    fn lose(&mut self) {
        self.life.lost = true;
        self.break_off();
    }

    fn break_off(&mut self) {
        self.owner.wanted.clear();
        if let Some(open) = &mut self.turns.open {
            open.broken = true;
        }
    }

    fn hears_owner(&self) -> bool {
        self.hearing.has_ears && self.life.is_alone()
    }

    fn check(&mut self, now: Instant, before: &Before, output: &Output) {
        assert!(!self.life.ended, "{output:?} after the end");
        self.life.check_law(output);
        match output {
            Output::Agent(told) => self.turns.told(told, &mut self.hearing, &self.saying),
            Output::Carrier(output::Carrier::Dial | output::Carrier::Answer) => {
                panic!("asked for the call again");
            }
            Output::Carrier(output::Carrier::HangUp) => {
                assert!(!self.life.hung_up, "hung up twice");
                self.life.hung_up = true;
                self.owner.wanted.clear();
            }
            Output::Carrier(output::Carrier::Reconnect) => {
                assert!(!self.life.hung_up, "wants sound after hanging up");
                assert!(self.life.lost, "wants sound that is there");
                assert_eq!(self.life.handed, Handed::No, "takes a caller back");
            }
            Output::Carrier(output::Carrier::Transfer(_)) => {
                assert!(!self.life.hung_up, "puts through whom it hung up on");
                assert_eq!(self.life.handed, Handed::Rings, "the world does not know");
            }
            Output::Event(event) => self.check_event(before, event),
            Output::Meeting(output::Meeting::Sit(_)) => {
                assert!(self.life.connected, "sits without a line");
            }
            Output::Meeting(_) => {}
            Output::Media(media) => {
                self.life.check_media(media);
                if let output::Media::Cut(last) = media
                    && *last != ANNOUNCEMENT
                {
                    self.saying.cut(*last);
                }
            }
            Output::Speech(output::Speech::Synthesize(id, text)) => {
                let text = text.reveal();
                assert!(!self.life.hung_up, "spoke after hanging up");
                assert_eq!(self.life.handed, Handed::No, "spoke to nobody");
                assert!(
                    !matches!(&before.kind, Kind::Say(turn, said)
                        if self.turns.closed.contains(turn) && said.contains(text.as_str())),
                    "spoke in a turn that was over"
                );
                self.owner.said(now, text);
                self.saying.synthesize(*id, text);
                if let Some(open) = &mut self.turns.open
                    && !self.saying.phrases.contains(text)
                {
                    open.clauses.push(text.clone());
                }
            }
            Output::Speech(output::Speech::Pulse(id)) => {
                assert!(!self.life.hung_up, "sounds after hanging up");
                assert_eq!(self.life.handed, Handed::No, "sounds to nobody");
                self.saying.pulse(*id);
            }
            Output::Speech(output::Speech::Cancel(last)) => {
                assert_eq!(*last, self.saying.barred, "cancelled what was not cut");
            }
            Output::Speech(output::Speech::Finalize) => {
                assert!(self.hearing.has_ears, "asked ears that are not there");
            }
        }
    }

    #[expect(clippy::too_many_lines, reason = "a table")]
    fn check_event(&mut self, before: &Before, event: &Event) {
        match event {
            Event::DisclosurePlayed { .. } => self.life.disclose(),
            Event::Connected => self.life.connect(),
            Event::Disconnected => assert!(self.life.lost, "there is sound"),
            Event::Reconnected { .. } => self.life.reconnect(),
            Event::HandedOver { .. } => {
                self.life.hand_over();
                self.life.muted = false;
                self.lose();
            }
            Event::Transferred { .. } => self.life.called(Handed::Talks),
            Event::TransferFailed { .. } => self.life.called(Handed::No),
            Event::MeetingJoined { .. } => self.sit(),
            Event::MeetingLeft { .. } => self.life.stand(),
            Event::MeetingMuted => self.mute(),
            Event::MeetingUnmuted => self.life.muted = false,
            Event::AnsweredBy(answered) => {
                self.life.judge();
                self.owner.waits_for_a_machine = answered.who == Who::Machine;
            }
            Event::GreetingEnded { .. } => {
                let waited = std::mem::take(&mut self.owner.waits_for_a_machine);
                assert!(waited, "nobody greeted us");
            }
            Event::Ended(end) => self.check_reason(before, *end),
            Event::CallerSaid { text } => self.check_said(before, text.reveal().clone()),
            Event::AgentSaid { text } => {
                self.saying.said(text.reveal());
                if let Some(open) = &mut self.turns.open {
                    open.begun |= open.clauses.contains(text.reveal());
                }
            }
            // What was held back while there was no sound, and never will be heard.
            Event::AgentInterrupted { heard, .. }
                if self.life.lost && self.saying.cut.is_empty() && heard.reveal().is_empty() => {}
            Event::AgentInterrupted { heard, unheard } => {
                self.saying.interrupted(heard.reveal(), unheard.reveal());
            }
            Event::SpeechFailed { .. } => {
                if let Some(failed) = self.saying.failed(before)
                    && let Some(open) = &mut self.turns.open
                {
                    open.broken = true;
                    open.clauses.retain(|it| *it != failed);
                }
            }
            Event::AgentTurnTimed(timed) => self.check_timed(timed),
            Event::PolicyAllowed { .. }
            | Event::PolicyRefused { .. }
            | Event::PolicyPurpose { .. }
            | Event::Outcome(_)
            | Event::PolicyHeld { .. } => panic!("a call judges nothing"),
            Event::Dialed
            | Event::RecordingStarted { .. }
            | Event::RecordingRefused { .. }
            | Event::Transferring { .. }
            | Event::Offered
            | Event::Ringing
            | Event::Answered
            | Event::CallerSpeechStarted
            | Event::CallerSpeechEnded
            | Event::CallerHearing { .. }
            | Event::CallerPressed { .. }
            | Event::CallerOptedOut
            | Event::AgentTurnStarted { .. }
            | Event::MeetingSpeaking
            | Event::MeetingStoppedSpeaking
            | Event::CallerProved
            | Event::CallerFailedProof
            | Event::CallerInEmergency
            | Event::AgentRefused(_)
            | Event::AgentPressed { .. }
            | Event::AgentCalledTool { .. }
            | Event::AgentTookMessage { .. }
            | Event::AgentNoted { .. }
            | Event::AgentStalled
            | Event::AgentFailed { .. } => {}
        }
    }

    fn check_said(&mut self, before: &Before, text: String) {
        if !matches!(before.kind, Kind::Final(_)) {
            let mut partials = self.hearing.partials.iter();
            let last = self.hearing.partial == text;
            let known = self.hearing.guessed && partials.any(|it| it.ends_with(&text));
            assert!(last || known, "{text:?} comes from nowhere");
            self.hearing.guessed = true;
            self.hearing.partial.clear();
        }
        // What is said at a meeting is said to the meeting.
        if !self.life.seated {
            self.hearing.untold.push(text);
        }
    }

    fn mute(&mut self) {
        self.life.mute();
        self.owner.wanted.clear();
    }

    fn sit(&mut self) {
        assert!(!self.life.seated, "sits twice");
        self.life.seated = true;
        self.life.muted = false;
        self.break_off();
    }

    fn check_timed(&mut self, timed: &Timed) {
        assert!(timed.turn > self.turns.timed, "a turn was timed twice");
        self.turns.timed = timed.turn;
        let told = [timed.transcribed_ms, Some(timed.told_ms)];
        let then = [timed.first_token_ms, timed.first_clause_ms, timed.at_ear_ms];
        let stages: Vec<_> = told.into_iter().chain(then).flatten().collect();
        assert!(stages.is_sorted(), "a stage before its time: {timed:?}");
    }

    fn check_reason(&mut self, before: &Before, end: End) {
        self.life.ended = true;
        match &before.kind {
            Kind::Ended(reason) if !self.life.hung_up => {
                assert_eq!(end, *reason, "the carrier's word is what counts");
            }
            Kind::Ended(_)
            | Kind::Final(_)
            | Kind::Say(..)
            | Kind::Failed(_)
            | Kind::Message
            | Kind::Progress
            | Kind::Timeout
            | Kind::Other => assert!(self.life.hung_up, "ended without hanging up: {end:?}"),
        }
    }

    /// Final words are told to the world, unless they repeat what was used already.
    fn check_words(&mut self, before: &Before, out: &[Output]) {
        let Kind::Final(text) = &before.kind else {
            return;
        };
        if before.connected && !before.ended && self.hearing.has_ears && !self.hearing.guessed {
            let said = |it: &Output| {
                matches!(it, Output::Event(Event::CallerSaid { text: told })
                    if told.reveal() == text.trim())
            };
            assert!(
                text.trim().is_empty() || out.iter().any(said),
                "{text:?} was lost"
            );
        }
        self.hearing.partial.clear();
    }

    fn check_end(&self, out: &[Output]) {
        assert!(
            out.is_empty() || matches!(out.last(), Some(Output::Event(Event::Ended(_)))),
            "something after the end: {out:?}"
        );
        let turns = &self.turns.open;
        assert!(turns.is_none(), "the agent was not told how it ended");
        self.saying.check_cut();
        let hearing = &self.hearing;
        assert!(
            hearing.partial.is_empty() || hearing.guessed || !hearing.has_ears,
            "{:?} was lost in the end",
            hearing.partial
        );
    }
}

impl Turns {
    fn told(&mut self, told: &output::Agent, hearing: &mut Hearing, saying: &Saying) {
        match told {
            output::Agent::Open { turn } => self.open(*turn, Vec::new()),
            output::Agent::Turn { turn, said } => {
                let words = std::mem::take(&mut hearing.untold);
                assert_eq!(
                    *said.reveal(),
                    words.join(" "),
                    "words were lost or invented"
                );
                self.open(*turn, words);
            }
            output::Agent::Abandon(turn) => {
                let mut open = self.close(*turn);
                let heard = open.clauses.iter().any(|it| saying.has_sounded(it));
                assert!(
                    open.broken || (!open.begun && !heard),
                    "took back what was heard"
                );
                open.words.append(&mut hearing.untold);
                hearing.untold = open.words;
            }
            output::Agent::Heard { turn, text } => {
                let open = self.close(*turn);
                let all = open.clauses.join(" ");
                assert!(
                    open.broken || *text.reveal() == all,
                    "{:?} was heard of {all:?}",
                    text.reveal()
                );
            }
            output::Agent::Interrupted { turn, heard } => {
                let open = self.close(*turn);
                let all = open.clauses.join(" ");
                assert!(
                    open.broken || all.starts_with(heard.reveal().as_str()),
                    "{:?} is no beginning of {all:?}",
                    heard.reveal()
                );
            }
            output::Agent::Opened { text } => {
                assert!(!text.reveal().is_empty(), "nothing was heard");
            }
            output::Agent::Pressed(_) | output::Agent::Proved | output::Agent::Refused(_) => {}
        }
    }

    fn open(&mut self, turn: TurnId, words: Vec<String>) {
        assert!(self.open.is_none(), "two turns at once");
        assert!(self.last < Some(turn), "an old turn");
        self.last = Some(turn);
        self.open = Some(Open {
            turn,
            words,
            clauses: Vec::new(),
            begun: false,
            broken: false,
        });
    }

    fn close(&mut self, turn: TurnId) -> Open {
        let open = self.open.take().expect("only an open turn ends");
        assert_eq!(open.turn, turn, "only the open turn ends");
        self.closed.push(turn);
        open
    }
}

impl Owner {
    fn said(&mut self, now: Instant, text: &str) {
        self.wanted.retain(|(since, it)| it != text || *since > now);
    }

    fn check(&self, life: &Life, now: Instant) {
        if self.waits_for_a_machine || !life.disclosed {
            return;
        }
        for (since, text) in &self.wanted {
            let patience = Duration::from_secs(10);
            assert!(
                *since + patience > now,
                "the owner's {text:?} was forgotten"
            );
        }
    }
}

fn words(text: &Private<String>) -> Vec<String> {
    let text = text.reveal();
    if text.is_empty() {
        Vec::new()
    } else {
        vec![text.clone()]
    }
}

fn spoken_phrases(mode: &Mode, phrases: &Phrases) -> Vec<String> {
    let Phrases {
        filler,
        still,
        apology,
        back,
        goodbye,
    } = phrases;
    let all = [filler, still, apology, back, goodbye];
    let mut all: Vec<String> = all.iter().map(|it| it.reveal().clone()).collect();
    match mode {
        Mode::Conversation { opening } => match opening {
            call::Opening::Say(text) => all.push(text.reveal().clone()),
            call::Opening::Ask | call::Opening::Wait => {}
        },
        Mode::Notify { text } => all.push(text.reveal().clone()),
        Mode::Seat(_) | Mode::Loopback => {}
    }
    all
}
