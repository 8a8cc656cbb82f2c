//! Runs one call: the only place where a call meets the clock.
//!
//! One task owns the call, its sound and its links. Nothing is shared, so nothing is locked. Each
//! turn of the loop takes one thing that happened, tells the call, and does what the call asks.

mod errands;
mod notebook;
mod proving;
mod seat;
mod tape;
mod wishes;

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use call::event::Why;
use call::input::{self, Input};
use call::{Mode, Output, Private, Referral, output};
use media::{Frame, Progress, Rate, UtteranceId};
use ports::agent::{Answer, Tell};
use ports::speech::{Hearing, Listen, Speak, Spoken, Verdict, Voice, Windows};
use ports::{Fault, Link, code};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, Sleep, sleep_until};

pub use self::errands::Toolbox;
use self::errands::{Came, Errands};
use self::notebook::Notebook;
pub use self::tape::{Begins, Others, Tape};
use crate::clips::Clip;
use crate::flight::{Flight, Snapshot};
use crate::journal::CallLog;
use crate::line::{Incoming, Line};
use crate::meeting::Chair;
use crate::presses::{Pressed, Presses};
use crate::pulse::Pulse;
use crate::recorder::Recorder;
pub use crate::sound::Attached;
use crate::sound::{Found, Sound, Wiring};
pub use proving::PinPad;
use wishes::Wishes;

/// Everything one call talks to.
pub struct Parts<L> {
    /// Ears, mouth and agent; `None` in a call whose sound comes back.
    pub talk: Option<Talk>,
    /// News, commands and the sound itself, when it is there.
    pub control: mpsc::Receiver<Control<L>>,
    /// What the carrier should do.
    pub orders: mpsc::Sender<Order>,
    /// Who presses keys.
    pub presses: Presses,
    /// Where the keys of a PIN go; `None`: there is none to be keyed.
    pub pad: Option<PinPad>,
    /// Where events go.
    pub log: CallLog,
    /// Where the call is recorded once it may be; `None`: it is not.
    pub recording: Option<Tape>,
    /// What is heard before anything is said; `None`: nothing.
    pub clip: Option<Arc<Clip>>,
    /// What the call is for: remembered with how it stands. `None`: it ends with this process, and
    /// nothing is remembered of it until its caller sits at a meeting.
    pub mode: Option<Mode>,
    /// Its place at a meeting, if it is made for one.
    pub chair: Option<Chair>,
    /// Where it is noted that something is heard of it.
    pub pulse: Arc<Pulse>,
}

/// What turns sound into conversation.
pub struct Talk {
    /// How the call hears and speaks.
    pub voice: Voice,
    /// The voice's mouth, opened while the phone rings.
    pub mouth: Link<Speak, Spoken>,
    /// What it was opened for. A leg that speaks another rate gets a new mouth when it connects.
    pub rate: Rate,
    /// Who answers.
    pub agent: Link<Tell, Answer>,
    /// Whom it may put callers through to, by name.
    pub transfers: Vec<String>,
    /// Who does things for it; `None`: nobody.
    pub toolbox: Option<Arc<dyn Toolbox>>,
    /// What language is heard.
    pub language: String,
    /// What will surely or perhaps be said: made into sound while the phone rings.
    pub prepare: Vec<Private<String>>,
}

/// What a call wants done outside it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// By its carrier.
    Carrier(output::Carrier),
    /// By its switchboard: the caller is to be put through.
    PutThrough(Referral),
}

/// What a call can be told from outside.
#[derive(Debug)]
pub enum Control<L> {
    /// By its carrier.
    News(input::Carrier),
    /// A place at a meeting. It is taken when the call is told to, or sits already.
    Chair(Chair),
    /// By its owner, or its meeting.
    Command(input::Command),
    /// Its carrier has taken the caller away to put them through: the sound there was then goes.
    LetGo,
    /// Its carrier has not, for this reason: the sound there was then is still there.
    Kept(Why),
    /// Let go of the call, and of this when that is done: another process takes it up.
    Leave(mpsc::Sender<()>),
    /// Something happened at its meeting.
    Meeting(input::Meeting),
    /// Its carrier was asked to press keys.
    Pressed(Pressed),
    /// Nothing is heard of it: its socket is to be probed.
    Probe,
    /// The socket of this number leads nowhere, and the call is up.
    Stranded(u64),
    /// Its sound has arrived.
    Sound(Box<Attached<L>>),
    /// Somebody wants to know all it was told up to now.
    Flight(oneshot::Sender<Snapshot>),
}

impl<L> std::fmt::Debug for Attached<L> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attached({:?})", self.format)
    }
}

/// The rate of a telephone line: what a mouth is made ready for where no carrier says another.
pub const ASSUMED: Rate = Rate::Hz8000;

/// Runs a call to its end, from what it asked for `first` when it started at `began`.
pub async fn run<L: Line>(
    flight: Flight,
    (began, first): (std::time::Instant, Vec<Output>),
    parts: Parts<L>,
) {
    let mut runner = Runner::new(flight, parts);
    runner.remember();
    runner.perform(began, first);
    let mut timer = Box::pin(sleep_until(Instant::now()));
    while !runner.flight.is_over() && runner.left.is_none() {
        runner.arm(timer.as_mut());
        let happened = runner.next(timer.as_mut()).await;
        runner.take(happened).await;
    }
    runner.close().await;
}

struct Runner<L> {
    flight: Flight,
    sound: Option<Sound<L>>,
    /// How to open ears and a new mouth; `None` in a call whose sound comes back.
    voice: Option<(Voice, String)>,
    /// Each of these is there until its other end goes away.
    ears: Option<Link<Listen, Hearing>>,
    mouth: Option<Link<Speak, Spoken>>,
    /// What the mouth speaks.
    rate: Rate,
    agent: Option<Link<Tell, Answer>>,
    wishes: Wishes,
    errands: Errands,
    /// What a speech model found; `None` in a call that has none.
    verdicts: Option<mpsc::Receiver<Verdict>>,
    control: mpsc::Receiver<Control<L>>,
    orders: mpsc::Sender<Order>,
    presses: Presses,
    pad: Option<PinPad>,
    log: CallLog,
    recording: Option<Tape>,
    others: Others,
    clip: Option<Arc<Clip>>,
    /// The recording of a call whose socket is gone.
    recorder: Option<Recorder>,
    /// What was cut so far: sound that was already being made of it comes too late.
    barred: UtteranceId,
    notebook: Option<Notebook>,
    chair: Option<Chair>,
    pulse: Arc<Pulse>,
    /// What a meeting's sound is played as, while the caller sits there.
    seated: Option<UtteranceId>,
    /// How many sockets the call has had.
    sockets: u64,
    /// Which of them it had when its carrier was told to put the caller through.
    handed: u64,
    /// The call goes on without this process; whoever wanted that waits until this is dropped.
    left: Option<mpsc::Sender<()>>,
    found: Vec<Found>,
    /// The last utterance of which there is sound.
    begun: Option<UtteranceId>,
}

enum Happened<L> {
    Message(Incoming),
    Timer,
    Control(Control<L>),
    /// Nobody outside can reach the call any more.
    Orphaned,
    Verdict(Verdict),
    Hearing(Option<Hearing>),
    Spoken(Option<Spoken>),
    Answer(Option<Answer>),
    Came(Came),
    Mixed(Option<Frame>),
}

impl<L: Line> Runner<L> {
    fn new(flight: Flight, parts: Parts<L>) -> Self {
        let (mut voice, mut mouth, mut agent) = (None, None, None);
        let mut rate = ASSUMED;
        let (mut transfers, mut toolbox) = (Vec::new(), None);
        if let Some(talk) = parts.talk {
            for text in talk.prepare {
                // A mouth too busy to prepare makes the sound when it is needed.
                let _ = talk.mouth.tx.try_send(Speak::Prepare(text));
            }
            voice = Some((talk.voice, talk.language));
            mouth = Some(talk.mouth);
            rate = talk.rate;
            agent = Some(talk.agent);
            transfers = talk.transfers;
            toolbox = talk.toolbox;
        }
        Self {
            flight,
            sound: None,
            voice,
            ears: None,
            mouth,
            rate,
            agent,
            wishes: Wishes::of(transfers),
            errands: Errands::new(toolbox),
            verdicts: None,
            control: parts.control,
            orders: parts.orders,
            presses: parts.presses,
            pad: parts.pad,
            log: parts.log,
            others: parts
                .recording
                .as_ref()
                .map_or(Others::MayNotBe, |it| it.others),
            recording: parts.recording,
            clip: parts.clip,
            recorder: None,
            barred: UtteranceId(0),
            notebook: parts.mode.map(Notebook::of),
            chair: parts.chair,
            pulse: parts.pulse,
            seated: None,
            sockets: 0,
            handed: 0,
            left: None,
            found: Vec::new(),
            begun: None,
        }
    }

    /// Sets the timer, but only if it would be too late: one that is early costs a look around,
    /// setting it for every frame would cost more.
    fn arm(&self, timer: Pin<&mut Sleep>) {
        let call = self.flight.deadline().map(|(at, _)| Instant::from_std(at));
        let sound = self
            .sound
            .as_ref()
            .map(|it| Instant::from_std(it.deadline()));
        let keys = self.keys_deadline().map(Instant::from_std);
        let due = call.into_iter().chain(sound).chain(keys).min();
        let due = due.unwrap_or_else(|| Instant::now() + FAR);
        if timer.is_elapsed() || due < timer.deadline() {
            timer.reset(due);
        }
    }

    /// Waits for the next thing to happen.
    async fn next(&mut self, timer: Pin<&mut Sleep>) -> Happened<L> {
        tokio::select! {
            biased;
            message = recv(self.sound.as_mut()) => Happened::Message(message),
            () = timer => Happened::Timer,
            control = self.control.recv() => control.map_or(Happened::Orphaned, Happened::Control),
            verdict = judged(&mut self.verdicts) => Happened::Verdict(verdict),
            hearing = hear(&mut self.ears) => Happened::Hearing(hearing),
            spoken = hear(&mut self.mouth) => Happened::Spoken(spoken),
            answer = hear(&mut self.agent) => Happened::Answer(answer),
            Some(Ok(came)) = self.errands.under_way.join_next() => Happened::Came(came),
            mixed = hear(&mut self.chair) => Happened::Mixed(mixed),
        }
    }

    async fn take(&mut self, happened: Happened<L>) {
        let now = Instant::now().into_std();
        match happened {
            Happened::Message(Incoming::Alive) => self.pulse.probe(now),
            Happened::Message(Incoming::Text(text)) => {
                self.pulse.sound(now);
                if let Some(sound) = &mut self.sound {
                    sound.receive(now, text.as_str(), &mut self.found);
                }
            }
            Happened::Message(Incoming::Closed) => {
                let sound = self.sound.as_ref();
                self.found.push(sound.map_or(Found::Broke, Sound::closed));
            }
            Happened::Message(Incoming::Broke) => self.found.push(Found::Broke),
            Happened::Timer => self.wake(),
            Happened::Control(control) => self.obey(now, control).await,
            Happened::Orphaned => self.tell(Input::Command(input::Command::HangUp)),
            Happened::Verdict(verdict) => {
                let edge = self.sound.as_mut().and_then(|it| it.judged(verdict));
                self.found.extend(edge.map(Found::Edge));
            }
            Happened::Hearing(hearing) => self.heard(hearing),
            Happened::Spoken(spoken) => self.spoke(spoken),
            Happened::Answer(answer) => self.answered(answer),
            Happened::Came((turn, id, used)) => self.used(turn, id, used),
            Happened::Mixed(mixed) => self.mixed(now, mixed),
        }
        self.report();
        self.give_up_keys(now);
        // Checked here and not only when the timer fires: a far end that never pauses must not
        // outlast the call's own limits.
        if self.flight.deadline().is_some_and(|(at, _)| at <= now) {
            self.tell(Input::Timeout);
        }
        if let Some(sound) = &mut self.sound {
            sound.line.flush();
        }
        if self
            .notebook
            .as_ref()
            .is_some_and(|it| it.next <= Instant::now())
        {
            self.remember();
        }
    }

    /// Does what was said from outside, or tells the call.
    async fn obey(&mut self, now: std::time::Instant, control: Control<L>) {
        match control {
            Control::News(news) => {
                self.pulse.word(now);
                self.tell(Input::Carrier(news));
            }
            Control::Command(command) => {
                self.await_keys(&command);
                self.tell(Input::Command(command));
            }
            Control::LetGo => {
                if self.sound.is_some() && self.handed == self.sockets {
                    self.lose(input::Carrier::Disconnected);
                }
            }
            Control::Kept(why) => {
                self.tell(Input::Carrier(input::Carrier::PutBack(why)));
                if self.sound.is_some() && self.handed == self.sockets {
                    self.tell(Input::Carrier(input::Carrier::Connected));
                }
            }
            Control::Pressed(pressed) => {
                pressed.settle(now, self.sound.as_mut(), &mut self.found);
            }
            Control::Probe => {
                if let Some(sound) = &mut self.sound {
                    sound.line.probe();
                }
            }
            Control::Stranded(socket) => {
                let (open, signs) = self.pulse.signs();
                // What waited to be read while it was asked about was read before this.
                let quiet = signs
                    .sound
                    .is_some_and(|at| now.saturating_duration_since(at) > QUIET);
                if self.sound.is_some() && open == Some(socket) && quiet {
                    self.lose(input::Carrier::Dropped);
                }
            }
            Control::Meeting(news) => self.tell(Input::Meeting(news)),
            Control::Chair(chair) => self.seat(chair),
            Control::Leave(left) => {
                self.remember();
                self.left = Some(left);
            }
            Control::Sound(attached) => self.attach(*attached).await,
            Control::Flight(asked) => self.hand_out(asked),
        }
    }

    fn progress(&self) -> Option<Progress> {
        let now = Instant::now().into_std();
        self.sound.as_ref().and_then(|it| it.progress(now))
    }

    fn wake(&mut self) {
        let now = Instant::now().into_std();
        if let Some(sound) = &mut self.sound
            && sound.deadline() <= now
        {
            sound.wake(now, &mut self.found);
        }
    }

    /// Tells the call what was found in the sound.
    fn report(&mut self) {
        while !self.found.is_empty() {
            for found in std::mem::take(&mut self.found) {
                match found {
                    Found::Answerer(finding) => {
                        self.tell(Input::Media(input::Media::Answerer(finding)));
                    }
                    Found::Edge(edge) => self.tell(Input::Media(input::Media::Edge(edge))),
                    Found::Finished(progress) => {
                        self.tell(Input::Media(input::Media::Progress(progress)));
                    }
                    Found::Pressed(digit) => self.pressed(digit),
                    Found::Stopped => self.lose(input::Carrier::Disconnected),
                    Found::Broke => self.lose(input::Carrier::Dropped),
                }
            }
        }
    }

    /// Tells the call that its sound is gone, and in which way.
    fn lose(&mut self, how: input::Carrier) {
        // What was heard until then is known only as long as there is a socket.
        if let Some(progress) = self.progress() {
            self.tell(Input::Media(input::Media::Progress(progress)));
        }
        self.detach();
        self.tell(Input::Carrier(how));
    }

    /// Tells the call one thing, and does everything that follows from it.
    fn tell(&mut self, input: Input) {
        let now = Instant::now().into_std();
        // A decision never rests on an old figure of what was heard.
        if let Some(progress) = self.progress() {
            self.hand(now, Input::Media(input::Media::Progress(progress)));
        }
        self.hand(now, input);
    }

    fn hand(&mut self, now: std::time::Instant, input: Input) {
        let outputs = self.flight.handle(now, 0, input);
        self.perform(now, outputs);
    }

    /// Does what the call asked for, in the order it asked. Nothing here waits, and all of it happens
    /// in the moment in which the call was told: told the same again, it says the same.
    fn perform(&mut self, now: std::time::Instant, outputs: Vec<Output>) {
        let mut outputs = VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            let answer = match output {
                Output::Event(event) => {
                    tracing::debug!(?event);
                    if let Some(notebook) = &mut self.notebook {
                        notebook.next = Instant::now();
                    }
                    self.log.push(now, event);
                    None
                }
                Output::Carrier(order) => {
                    if let output::Carrier::Transfer(_) = order {
                        self.handed = self.sockets;
                    }
                    let sent = self.orders.try_send(Order::Carrier(order));
                    sent.err()
                        .map(|_| Input::Carrier(input::Carrier::Ended(BROKEN)))
                }
                Output::Media(output::Media::Announce) => self.announce(),
                Output::Media(output::Media::Record) => self.record(),
                Output::Media(output::Media::JudgeAnswerer) => {
                    if let Some(sound) = &mut self.sound {
                        sound.judge_answerer();
                    }
                    None
                }
                Output::Media(output::Media::Press(keys)) => {
                    let now = Instant::now().into_std();
                    let sound = self.sound.as_mut();
                    self.presses.press(now, keys, sound, &mut self.found);
                    None
                }
                Output::Media(output::Media::Cut(last)) => {
                    self.barred = self.barred.max(last);
                    let cut = self.sound.as_mut().and_then(|it| it.cut(now, last));
                    Some(Input::Media(input::Media::Cut(cut)))
                }
                Output::Meeting(meeting) => {
                    self.meet(meeting);
                    None
                }
                Output::Speech(speech) => self.speech(speech),
                Output::Agent(agent) => self.agent(agent),
            };
            if let Some(answer) = answer {
                let more = self.flight.handle(now, outputs.len(), answer);
                for output in more.into_iter().rev() {
                    outputs.push_front(output);
                }
            }
        }
    }

    /// Hands out what the call was told up to now, with what came of it.
    fn hand_out(&self, asked: oneshot::Sender<Snapshot>) {
        if let Some(tape) = self.flight.tape() {
            let tape = Arc::new(tape.clone());
            let entries = self.log.after(0);
            // Whoever asked may have gone.
            let _ = asked.send(Snapshot { tape, entries });
        }
    }

    fn speech(&mut self, speech: output::Speech) -> Option<Input> {
        let mouth = self.mouth.as_ref().map(|it| &it.tx);
        match speech {
            output::Speech::Synthesize(id, text) => {
                let sent = mouth.is_some_and(|it| it.try_send(Speak::Text(id, text)).is_ok());
                let failed = input::Speech::MouthFailed(id, code::SPEECH_OVERLOADED);
                (!sent).then_some(Input::Speech(failed))
            }
            output::Speech::Pulse(id) => Some(Input::Speech(self.pulse(id))),
            output::Speech::Cancel(id) => {
                // A mouth that does not hear this makes sound that is thrown away on arrival.
                let _ = mouth.map(|it| it.try_send(Speak::Cancel(id)));
                None
            }
            output::Speech::Finalize => {
                let sent = self
                    .ears
                    .as_ref()
                    .map(|it| it.tx.try_send(Listen::Finalize));
                let deaf = Input::Speech(input::Speech::EarsFailed(code::SPEECH_OVERLOADED));
                (!matches!(sent, Some(Ok(())))).then_some(deaf)
            }
        }
    }

    fn agent(&mut self, output: output::Agent) -> Option<Input> {
        self.errands.note(&output);
        let turn = match &output {
            output::Agent::Open { turn } | output::Agent::Turn { turn, .. } => Some(*turn),
            output::Agent::Abandon(_)
            | output::Agent::Heard { .. }
            | output::Agent::Interrupted { .. }
            | output::Agent::Opened { .. }
            | output::Agent::Pressed(_)
            | output::Agent::Proved
            | output::Agent::Refused(_) => None,
        };
        let sent = self.agent.as_ref().map(|it| it.tx.try_send(tell(output)));
        let deaf = !matches!(sent, Some(Ok(())));
        let failed = |turn| Input::Agent(input::Agent::Failed(turn, code::AGENT_UNREACHABLE));
        turn.filter(|_| deaf).map(failed)
    }

    fn heard(&mut self, hearing: Option<Hearing>) {
        let input = match hearing {
            Some(Hearing::EndOfTurn(probability)) => input::Speech::EndOfTurn { probability },
            Some(Hearing::Final(text)) => input::Speech::Final(text),
            Some(Hearing::Partial(text)) => input::Speech::Partial(text),
            Some(Hearing::Failed(fault)) => {
                note(&fault);
                input::Speech::EarsFailed(fault.code)
            }
            None => {
                self.ears = None;
                input::Speech::EarsFailed(code::SPEECH_FAILED)
            }
        };
        self.tell(Input::Speech(input));
    }

    fn spoke(&mut self, spoken: Option<Spoken>) {
        let now = Instant::now().into_std();
        match (spoken, &mut self.sound) {
            (Some(Spoken::Audio(id, _) | Spoken::Done(id, _)), _) if id <= self.barred => {}
            (Some(Spoken::Audio(id, samples)), Some(sound)) => {
                sound.play(now, id, &samples, &mut self.found);
                if self.begun.replace(id) != Some(id) {
                    self.tell(Input::Speech(input::Speech::Begun(id)));
                }
            }
            (Some(Spoken::Done(id, length)), sound) => {
                if let Some(sound) = sound {
                    sound.complete(now, id, &mut self.found);
                }
                self.tell(Input::Speech(input::Speech::Length(id, length)));
            }
            (Some(Spoken::Failed(id, fault)), _) => {
                note(&fault);
                self.tell(Input::Speech(input::Speech::MouthFailed(id, fault.code)));
            }
            // Without sound there is no one to hear it.
            (Some(Spoken::Audio(..)), None) => {}
            // That it is gone is noticed when it is next asked to speak.
            (None, _) => self.mouth = None,
        }
    }

    /// Sound has come: gives it ears and a mouth of its rate, and tells the call.
    async fn attach(&mut self, attached: Attached<L>) {
        if self.sound.is_some() {
            // A newer socket: the carrier has given the old one up, whatever we still hear of it.
            self.lose(input::Carrier::Disconnected);
        }
        let rate = attached.rate();
        let opened = self.open_voice(rate).await;
        let wiring = Wiring {
            loopback: self.voice.is_none(),
            ears: self.ears.as_ref().map(|it| it.tx.clone()),
            windows: self.open_windows(),
            recorder: self.recorder(rate),
            others: self.others,
        };
        self.sound = Some(Sound::new(Instant::now().into_std(), attached, wiring));
        self.sockets += 1;
        self.hush();
        let now = Instant::now().into_std();
        self.pulse.socket(now, Some(self.sockets));
        self.tell(Input::Carrier(input::Carrier::Connected));
        if let Err(fault) = opened {
            note(&fault);
            self.tell(Input::Speech(input::Speech::EarsFailed(fault.code)));
        }
    }

    /// Opens ears, and a new mouth if the one opened while it rang speaks another rate.
    async fn open_voice(&mut self, rate: Rate) -> Result<(), Fault> {
        let Some((voice, language)) = &self.voice else {
            return Ok(());
        };
        if rate != self.rate {
            self.mouth = Some(voice.mouth.open(rate).await?);
            self.rate = rate;
        }
        self.ears = Some(voice.ears.open(language, rate).await?);
        Ok(())
    }

    /// Opens the speech model, where there is one.
    fn open_windows(&mut self) -> Option<Box<dyn Windows>> {
        let (voice, _) = self.voice.as_ref()?;
        let detector = voice.detector.as_ref()?;
        let (tx, rx) = mpsc::channel(VERDICTS);
        self.verdicts = Some(rx);
        Some(detector.open(tx))
    }

    /// The sound is gone.
    fn detach(&mut self) {
        self.ears = None;
        self.pulse.socket(Instant::now().into_std(), None);
        if let Some(mut sound) = self.sound.take() {
            self.recorder = sound.take_recorder();
            tokio::spawn(put_away(sound));
        }
    }

    async fn close(mut self) {
        self.ears = None;
        self.mouth = None;
        self.agent = None;
        if let Some(sound) = self.sound.take() {
            put_away(sound).await;
        }
        if let Some(recorder) = self.recorder.take() {
            recorder.finish().await;
        }
    }
}

async fn put_away<L: Line>(sound: Sound<L>) {
    let (line, recorder, oddities) = sound.into_parts();
    let dropped = line.dropped();
    if dropped + oddities.malformed + oddities.unknown + oddities.unheard_frames > 0 {
        tracing::warn!(dropped, ?oddities, "the line was not clean");
    }
    line.close().await;
    if let Some(recorder) = recorder {
        recorder.finish().await;
    }
}

async fn recv<L: Line>(sound: Option<&mut Sound<L>>) -> Incoming {
    match sound {
        Some(sound) => sound.line.recv().await,
        None => pending().await,
    }
}

async fn hear<O, I>(link: &mut Option<Link<O, I>>) -> Option<I> {
    match link {
        Some(link) => link.rx.recv().await,
        None => pending().await,
    }
}

async fn judged(verdicts: &mut Option<mpsc::Receiver<Verdict>>) -> Verdict {
    if let Some(rx) = verdicts {
        if let Some(verdict) = rx.recv().await {
            return verdict;
        }
        *verdicts = None;
    }
    pending().await
}

fn tell(output: output::Agent) -> Tell {
    match output {
        output::Agent::Abandon(turn) => Tell::Abandon(turn),
        output::Agent::Heard { turn, text } => Tell::Heard { turn, text },
        output::Agent::Interrupted { turn, heard } => Tell::Interrupted { turn, heard },
        output::Agent::Open { turn } => Tell::Open { turn },
        output::Agent::Opened { text } => Tell::Opened { text },
        output::Agent::Pressed(digit) => Tell::Pressed(digit),
        output::Agent::Proved => Tell::Proved,
        output::Agent::Refused(refused) => Tell::Refused(refused),
        output::Agent::Turn { turn, said } => Tell::Turn { turn, said },
    }
}

fn note(fault: &Fault) {
    tracing::warn!(code = fault.code, blame = ?fault.blame, hint = fault.hint, "{fault}");
}

/// A call that cannot reach its own carrier is over.
const BROKEN: call::event::End = call::event::End {
    by: call::event::Party::Gateway,
    why: call::event::Why::Fault,
};

/// Verdicts waiting to be read: two seconds' worth.
const VERDICTS: usize = 64;

/// A socket on which something came since then leads somewhere.
const QUIET: Duration = Duration::from_secs(1);

/// When nothing is due.
const FAR: Duration = Duration::from_secs(60);
