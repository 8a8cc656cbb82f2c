//! Strange calls: everything happens, in any order, at any time, and the promises hold.

use std::time::{Duration, Instant};

use call::event::{End, Event, Judge, Party, Refused, Who, Why};
use call::input::{Agent, Carrier, Command, Input, Media, Speech};
use call::{
    ANNOUNCEMENT, Announcement, Digit, Direction, Keys, Machine, Mode, Opening, Output, Phrases,
    Plan, Policy, Recording, Trust, TurnId, output,
};
use media::machine::{Answerer, Ending, Evidence, Finding};
use media::{Cut, Edge, Progress, UtteranceId};
use sim::Watched;

use crate::script::ms;

#[test]
fn promises_are_kept_in_a_hundred_thousand_strange_calls() {
    let begun = Instant::now();
    let mut seen = Seen::default();
    for seed in 0..CALLS {
        match std::panic::catch_unwind(|| Strange::new(seed, Tape::Off).live()) {
            Ok(strange) => seen.add(&strange.seen),
            // Once more, and aloud.
            Err(_) => {
                println!("seed {seed}:");
                Strange::new(seed, Tape::On).live();
            }
        }
    }
    println!("{CALLS} strange calls in {:?}", begun.elapsed());
    println!("{seen:#?}");
    seen.check();
}

const CALLS: u64 = 100_000;

const REFUSED: Refused = Refused {
    code: "policy.trust",
    needs: Trust::Proven,
    trust: Trust::Unknown,
};

/// One strange call.
struct Strange {
    dice: Dice,
    now: Instant,
    begun: Instant,
    tape: Tape,
    plan: Plan,
    call: Watched,
    /// How likely the next thing makes no sense, in percent.
    nonsense: u64,
    inputs: u64,
    speaking: Talks,
    /// The last turn given, and the last ones before.
    turn: TurnId,
    answering: Answering,
    utterances: Vec<Utterance>,
    asked: u32,
    cut: Vec<UtteranceId>,
    seen: Seen,
}

/// Whether to print what happens.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tape {
    On,
    Off,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Talks {
    Yes,
    No,
}

struct Utterance {
    id: UtteranceId,
    length: Duration,
    told: Told,
    played: Duration,
}

/// Whether the agent has a turn that it has not finished.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Answering {
    Yes,
    No,
}

/// Whether the call knows how long an utterance is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    Yes,
    No,
}

impl Strange {
    fn new(seed: u64, tape: Tape) -> Self {
        let mut dice = Dice::new(seed);
        let now = Instant::now();
        let plan = dice.plan();
        let nonsense = [2, 10, 60][dice.roll(3) as usize];
        let (call, out) = Watched::start(now, plan.clone());
        let mut strange = Self {
            plan,
            dice,
            now,
            begun: now,
            tape,
            call,
            nonsense,
            inputs: 0,
            speaking: Talks::No,
            turn: TurnId(0),
            answering: Answering::No,
            utterances: Vec::new(),
            asked: 0,
            cut: Vec::new(),
            seen: Seen::default(),
        };
        strange.perform(&out);
        strange
    }

    /// Goes through a whole call.
    fn live(mut self) -> Self {
        if self.dice.percent(90) {
            if self.dice.percent(50) {
                self.tell(Input::Carrier(Carrier::Ringing));
            }
            if self.dice.percent(80) {
                self.tell(Input::Carrier(Carrier::Answered));
            }
            self.tell(Input::Carrier(Carrier::Connected));
        }
        let length = 10 + self.dice.roll(80);
        while self.inputs < length && !self.call.is_over() {
            self.step();
        }
        // From anywhere, waiting is enough to reach the end.
        let out = self.call.wait(self.now);
        self.perform(&out);
        assert!(self.call.is_over(), "the call never ended");
        let input = self.dice.nonsense();
        let _ = self.call.handle(self.now, input);
        self
    }

    fn step(&mut self) {
        if self.dice.percent(self.nonsense) {
            self.now += ms(self.dice.roll(1_500));
            let input = self.dice.nonsense();
            self.tell(input);
            return;
        }
        if self.dice.percent(60) {
            self.likely();
            return;
        }
        match self.dice.roll(100) {
            0..=24 => self.wait(),
            25..=39 => self.edge(),
            40..=49 => self.ears(),
            50..=71 => self.agent(),
            72..=93 => self.mouth(),
            95 => {
                let text = format!("owner {}.", self.dice.unique());
                self.tell(Input::Command(Command::Say(text.into())));
            }
            94 => self.put_through(),
            96 => self.tell(Input::Carrier(Carrier::Pressed(key()))),
            // Another process takes up what this one lost.
            97 if self.dice.percent(50) => self.restart(),
            97 => {
                let probability = self.dice.roll(11) as f32 / 10.0;
                self.tell(Input::Speech(Speech::EndOfTurn { probability }));
            }
            98 if self.dice.percent(30) => {
                let lost = [Carrier::Disconnected, Carrier::Dropped];
                let lost = lost[self.dice.roll(2) as usize].clone();
                self.tell(Input::Carrier(lost));
                if self.dice.percent(70) {
                    self.now += ms(self.dice.roll(4_000));
                    self.tell(Input::Carrier(Carrier::Connected));
                }
            }
            99 if self.dice.percent(30) => {
                let end = self.dice.end();
                self.tell(Input::Carrier(Carrier::Ended(end)));
            }
            _ => self.now += ms(self.dice.roll(300)),
        }
    }

    /// The carrier puts the caller through, or says that it cannot.
    fn put_through(&mut self) {
        self.tell(Input::Command(Command::Transfer(ben())));
        self.now += ms(self.dice.roll(20_000));
        if self.dice.percent(30) {
            self.restart();
        }
        if self.dice.percent(60) {
            self.tell(Input::Carrier(Carrier::Joined));
            self.now += ms(self.dice.roll(200_000));
            self.tell(Input::Carrier(Carrier::Parted));
        } else if self.dice.percent(80) {
            self.tell(Input::Carrier(Carrier::PutBack(Why::Busy)));
            self.tell(Input::Carrier(Carrier::Connected));
        }
    }

    /// The process is gone, and all that it did not write down with it.
    fn restart(&mut self) {
        let memory = self.call.memory(self.now);
        let gone = ms(self.dice.roll(4_000));
        let (call, out) = Watched::resume(self.now, self.plan.clone(), memory, gone);
        self.call = call;
        self.utterances.clear();
        self.cut.clear();
        (self.speaking, self.answering, self.asked) = (Talks::No, Answering::No, 0);
        self.seen.restarted += 1;
        self.perform(&out);
        if self.dice.percent(80) {
            self.tell(Input::Carrier(Carrier::Connected));
        }
    }

    /// What usually happens next.
    fn likely(&mut self) {
        if self.asked > 0 {
            self.ears();
        } else if self.speaking == Talks::Yes && self.dice.percent(50) {
            self.edge();
        } else if self.answering == Answering::Yes && self.dice.percent(70) {
            self.agent();
        } else if !self.utterances.is_empty() && self.dice.percent(85) {
            self.mouth();
        } else if self.dice.percent(50) {
            self.wait();
        } else {
            self.edge();
        }
    }

    /// Time passes, as far as something is due, or not quite.
    fn wait(&mut self) {
        let Some((due, _)) = self.call.deadline() else {
            return;
        };
        if self.dice.percent(70) {
            self.now = self.now.max(due);
            self.tell(Input::Timeout);
        } else {
            let most = due.saturating_duration_since(self.now).as_millis() as u64;
            self.now += ms(self.dice.roll(most.clamp(1, 2_000)));
        }
    }

    fn edge(&mut self) {
        self.now += ms(self.dice.roll(400));
        let ago = ms(self.dice.roll(300));
        let edge = match self.speaking {
            Talks::No => Edge::SpeechStarted { ago },
            Talks::Yes => Edge::SpeechEnded { ago },
        };
        self.speaking = match self.speaking {
            Talks::No => Talks::Yes,
            Talks::Yes => Talks::No,
        };
        self.tell(Input::Media(Media::Edge(edge)));
    }

    fn ears(&mut self) {
        self.now += ms(self.dice.roll(300));
        if self.asked > 0 && self.dice.percent(80) {
            self.asked -= 1;
            let words = self.dice.words();
            self.tell(Input::Speech(Speech::Final(words.into())));
        } else if self.dice.percent(70) {
            let words = self.dice.words();
            self.tell(Input::Speech(Speech::Partial(words.into())));
        } else if self.dice.percent(90) {
            let words = self.dice.words();
            self.tell(Input::Speech(Speech::Final(words.into())));
        } else if self.dice.percent(20) {
            self.tell(Input::Speech(Speech::EarsFailed("speech.failed")));
        }
    }

    fn agent(&mut self) {
        self.now += ms(self.dice.roll(300));
        // Often the turn it was given, sometimes one that is long over.
        let turn = if self.dice.percent(85) {
            self.turn
        } else {
            TurnId(self.dice.roll(u64::from(self.turn.0) + 2) as u32)
        };
        let answer = match self.dice.roll(20) {
            0..=10 => Agent::Say(turn, self.dice.answer().into()),
            11..=15 => Agent::Finish(turn),
            16..=17 => Agent::HangUp(turn),
            18 if self.dice.percent(25) => Agent::Working(turn, ms(self.dice.roll(30_000))),
            18 if self.dice.percent(33) => {
                Agent::CallsTool(turn, "calendar".into(), ms(self.dice.roll(30_000)))
            }
            18 => Agent::Failed(turn, "agent.refused"),
            _ => Agent::Message {
                name: "Ann".into(),
                text: "Call me.".into(),
            },
        };
        self.tell(Input::Agent(answer));
    }

    /// The mouth makes more sound, or the caller hears more of it.
    fn mouth(&mut self) {
        self.now += ms(self.dice.roll(400));
        if self.utterances.is_empty() {
            return;
        }
        if let Some(next) = self.utterances.iter_mut().find(|it| it.told == Told::No)
            && self.dice.percent(60)
        {
            next.told = Told::Yes;
            let (id, length) = (next.id, next.length);
            let input = match self.dice.roll(60) {
                0 => Speech::MouthFailed(id, "speech.failed"),
                1 => Speech::Length(id, Duration::ZERO),
                _ => Speech::Length(id, length),
            };
            self.tell(Input::Speech(input));
            return;
        }
        let front = &mut self.utterances[0];
        let done = front.told == Told::Yes && self.dice.percent(60);
        front.played = if done {
            front.length
        } else {
            (front.played + ms(self.dice.roll(800))).min(front.length)
        };
        let progress = Progress {
            utterance: front.id,
            played: front.played,
            done,
        };
        if done {
            self.utterances.remove(0);
        }
        self.tell(Input::Media(Media::Progress(progress)));
    }

    fn tell(&mut self, input: Input) {
        self.inputs += 1;
        let before = Words::of(&input);
        if matches!(
            input,
            Input::Carrier(Carrier::Disconnected | Carrier::Dropped)
        ) {
            // There is nothing left that could say how much of a cut was heard.
            self.utterances.clear();
        }
        let out = self.hand(input);
        self.seen.guessed += u64::from(before.guessed(&out));
        self.answer_cuts();
    }

    #[expect(clippy::print_stdout, reason = "a tape is for whoever mends the call")]
    fn hand(&mut self, input: Input) -> Vec<Output> {
        if self.tape == Tape::On {
            println!("{:?} <- {}", self.now - self.begun, spell(&input));
        }
        let out = self.call.handle(self.now, input);
        if self.tape == Tape::On {
            out.iter()
                .for_each(|it| println!("    -> {}", spell_output(it)));
        }
        self.perform(&out);
        out
    }

    /// The sound answers a cut at once; or, strangely, late, wrongly, or not at all.
    fn answer_cuts(&mut self) {
        for last in std::mem::take(&mut self.cut) {
            let front = self.utterances.iter().find(|it| it.id <= last);
            let cut = front.map(|it| Cut {
                utterance: it.id,
                played: it.played + ms(self.dice.roll(40)),
            });
            self.utterances.retain(|it| it.id > last);
            match self.dice.roll(10) {
                0 => {}
                1 => {
                    let input = self.dice.nonsense();
                    self.hand(input);
                    self.hand(Input::Media(Media::Cut(cut)));
                }
                2 => {
                    self.hand(Input::Media(Media::Cut(None)));
                }
                _ => {
                    self.hand(Input::Media(Media::Cut(cut)));
                }
            }
        }
    }

    fn perform(&mut self, out: &[Output]) {
        for output in out {
            self.seen.output(output);
            match output {
                Output::Agent(output::Agent::Turn { turn, .. } | output::Agent::Open { turn }) => {
                    self.turn = *turn;
                    self.answering = Answering::Yes;
                }
                Output::Agent(
                    output::Agent::Abandon(_)
                    | output::Agent::Heard { .. }
                    | output::Agent::Interrupted { .. },
                ) => self.answering = Answering::No,
                Output::Media(output::Media::Announce) => self.utterances.push(Utterance {
                    id: ANNOUNCEMENT,
                    length: ms(2_000),
                    told: Told::Yes,
                    played: Duration::ZERO,
                }),
                Output::Media(
                    output::Media::JudgeAnswerer | output::Media::Press(_) | output::Media::Record,
                )
                | Output::Meeting(_) => {}
                Output::Media(output::Media::Cut(last)) => self.cut.push(*last),
                Output::Speech(output::Speech::Finalize) => self.asked += 1,
                Output::Speech(output::Speech::Synthesize(id, text)) => {
                    self.utterances.push(Utterance {
                        id: *id,
                        length: ms(text.reveal().len() as u64 * 60),
                        told: Told::No,
                        played: Duration::ZERO,
                    });
                }
                Output::Speech(output::Speech::Pulse(id)) => self.utterances.push(Utterance {
                    id: *id,
                    length: ms(220),
                    told: Told::No,
                    played: Duration::ZERO,
                }),
                Output::Speech(output::Speech::Cancel(_))
                | Output::Agent(
                    output::Agent::Opened { .. }
                    | output::Agent::Pressed(_)
                    | output::Agent::Proved
                    | output::Agent::Refused(_),
                )
                | Output::Carrier(_)
                | Output::Event(_) => {}
            }
        }
    }
}

/// Whether an input brings the words that a `caller.said` may repeat.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Words {
    Final,
    None,
}

impl Words {
    fn of(input: &Input) -> Self {
        if matches!(input, Input::Speech(Speech::Final(_))) {
            Self::Final
        } else {
            Self::None
        }
    }

    fn guessed(self, out: &[Output]) -> bool {
        let said = |it: &Output| matches!(it, Output::Event(Event::CallerSaid { .. }));
        self == Self::None && out.iter().any(said)
    }
}

/// In how many calls, or how often, something was seen.
#[derive(Debug, Default)]
struct Seen {
    live: u64,
    restarted: u64,
    turns: u64,
    heard: u64,
    taken_back: u64,
    interrupted: u64,
    broken_off: u64,
    put_through: u64,
    put_back: u64,
    opened: u64,
    finalized: u64,
    guessed: u64,
    stalled: u64,
    agent_failed: u64,
    speech_failed: u64,
    ends: std::collections::BTreeMap<String, u64>,
}

impl Seen {
    fn output(&mut self, output: &Output) {
        let count = match output {
            Output::Event(Event::Connected) => &mut self.live,
            Output::Agent(output::Agent::Turn { .. }) => &mut self.turns,
            Output::Agent(output::Agent::Heard { .. }) => &mut self.heard,
            Output::Agent(output::Agent::Abandon(_)) => &mut self.taken_back,
            Output::Agent(output::Agent::Interrupted { .. }) => &mut self.interrupted,
            Output::Agent(output::Agent::Opened { .. }) => &mut self.opened,
            Output::Event(Event::AgentInterrupted { .. }) => &mut self.broken_off,
            Output::Event(Event::Transferred { .. }) => &mut self.put_through,
            Output::Event(Event::TransferFailed { .. }) => &mut self.put_back,
            Output::Speech(output::Speech::Finalize) => &mut self.finalized,
            Output::Event(Event::AgentStalled) => &mut self.stalled,
            Output::Event(Event::AgentFailed { .. }) => &mut self.agent_failed,
            Output::Event(Event::SpeechFailed { .. }) => &mut self.speech_failed,
            Output::Event(Event::Ended(End { by, why })) => {
                self.ends.entry(format!("{by:?} {why:?}")).or_default()
            }
            Output::Agent(_)
            | Output::Carrier(_)
            | Output::Event(_)
            | Output::Media(_)
            | Output::Meeting(_)
            | Output::Speech(_) => return,
        };
        *count += 1;
    }

    fn add(&mut self, other: &Self) {
        self.live += other.live;
        self.restarted += other.restarted;
        self.turns += other.turns;
        self.heard += other.heard;
        self.taken_back += other.taken_back;
        self.interrupted += other.interrupted;
        self.broken_off += other.broken_off;
        self.put_through += other.put_through;
        self.put_back += other.put_back;
        self.opened += other.opened;
        self.finalized += other.finalized;
        self.guessed += other.guessed;
        self.stalled += other.stalled;
        self.agent_failed += other.agent_failed;
        self.speech_failed += other.speech_failed;
        for (end, count) in &other.ends {
            *self.ends.entry(end.clone()).or_default() += count;
        }
    }

    /// The calls went deep enough to mean something.
    fn check(&self) {
        for (what, count) in [
            ("live", self.live),
            ("restarted", self.restarted),
            ("turns", self.turns),
            ("heard", self.heard),
            ("taken back", self.taken_back),
            ("interrupted", self.interrupted),
            ("broken off", self.broken_off),
            ("opened", self.opened),
            ("finalized", self.finalized),
            ("guessed", self.guessed),
            ("stalled", self.stalled),
            ("agent failed", self.agent_failed),
            ("speech failed", self.speech_failed),
        ] {
            assert!(count >= CALLS / 50, "{what}: only {count}");
        }
        for (what, count) in [
            ("put through", self.put_through),
            ("put back", self.put_back),
        ] {
            assert!(count >= CALLS / 100, "{what}: only {count}");
        }
        for end in [
            "Agent Completed",
            "Agent HungUp",
            "Carrier Fault",
            "Caller HungUp",
            "Gateway Fault",
            "Gateway NoAnswer",
            "Gateway Policy",
            "Gateway Silence",
            "Gateway TimeLimit",
            "Owner HungUp",
        ] {
            let count = self.ends.get(end).copied().unwrap_or_default();
            assert!(count >= CALLS / 200, "{end}: only {count}");
        }
    }
}

/// With the words, which printing does not show.
fn spell(input: &Input) -> String {
    match input {
        Input::Speech(Speech::Final(text)) => format!("final {:?}", text.reveal()),
        Input::Speech(Speech::Partial(text)) => format!("partial {:?}", text.reveal()),
        Input::Agent(Agent::Say(turn, text)) => format!("{turn:?} says {:?}", text.reveal()),
        Input::Command(Command::Press(keys)) => format!("owner presses {}", keys.as_str()),
        Input::Command(Command::Sit(_)) => "to a meeting".to_owned(),
        Input::Command(Command::Stand(text)) => format!("back, {:?}", text.reveal()),
        Input::Command(Command::Dismiss) => "dismissed".to_owned(),
        Input::Meeting(news) => format!("at the meeting {news:?}"),
        Input::Command(Command::Say(text)) => format!("owner says {:?}", text.reveal()),
        Input::Agent(_)
        | Input::Carrier(_)
        | Input::Command(_)
        | Input::Media(_)
        | Input::Speech(_)
        | Input::Timeout => format!("{input:?}"),
    }
}

fn spell_output(output: &Output) -> String {
    match output {
        Output::Event(event) => serde_json::to_string(event).expect("an event is plain data"),
        Output::Speech(output::Speech::Synthesize(id, text)) => {
            format!("{id:?} {:?}", text.reveal())
        }
        Output::Agent(_)
        | Output::Carrier(_)
        | Output::Media(_)
        | Output::Meeting(_)
        | Output::Speech(_) => format!("{output:?}"),
    }
}

fn key() -> Digit {
    Digit::new('5').expect("5 is a key")
}

/// Random, and the same every time.
struct Dice {
    state: u64,
    words: u64,
}

impl Dice {
    fn new(seed: u64) -> Self {
        Self {
            state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x5851_f42d_4c95_7f2d,
            words: 0,
        }
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.state = self
            .state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % sides.max(1)
    }

    fn percent(&mut self, percent: u64) -> bool {
        self.roll(100) < percent
    }

    /// Never the same twice in a call.
    fn unique(&mut self) -> u64 {
        self.words += 1;
        self.words
    }

    fn plan(&mut self) -> Plan {
        let mode = match self.roll(20) {
            0..=2 => Mode::Notify {
                text: "Your table is ready.".into(),
            },
            3 => Mode::Loopback,
            4 => Mode::Seat(place()),
            it => Mode::Conversation {
                opening: match it % 4 {
                    0 => Opening::Say("Good morning to you.".into()),
                    1 => Opening::Ask,
                    _ => Opening::Wait,
                },
            },
        };
        let limit = if self.percent(20) { 8 } else { 1_800 };
        Plan {
            direction: if self.percent(50) {
                Direction::Inbound
            } else {
                Direction::Outbound
            },
            mode: mode.clone(),
            machine: match self.roll(4) {
                0 => Machine::HangUp(Judge::Gateway),
                1 => Machine::Leave(Judge::Gateway, "Please call us back.".into()),
                2 => Machine::Leave(Judge::Carrier, "Call us. Any time.".into()),
                _ => Machine::Talk,
            },
            policy: Policy {
                limit: Duration::from_secs(limit),
                ..Policy::default()
            },
            phrases: Phrases::default(),
            announcement: (self.percent(30) && mode != Mode::Loopback).then(|| Announcement {
                text: "You are speaking with a machine.".into(),
                sha256: "c0ffee".into(),
                bytes: 32_000,
                length: ms(2_000),
            }),
            recording: match self.roll(4) {
                0 => Recording::AtOnce,
                1 => Recording::Announced,
                _ => Recording::Never,
            },
        }
    }

    fn words(&mut self) -> String {
        match self.roll(8) {
            0 => String::new(),
            1 => "uh-huh".into(),
            2 => "okay yeah".into(),
            _ => format!("words {}", self.unique()),
        }
    }

    /// A few tokens, with or without the end of a clause.
    fn answer(&mut self) -> String {
        let n = self.unique();
        match self.roll(5) {
            0 => format!("token{n} "),
            1 => format!("Well, as it is now, answer{n} "),
            2 => format!("answer{n}. More{n} to come, "),
            _ => format!("This is answer{n}. "),
        }
    }

    fn end(&mut self) -> End {
        let why = [Why::HungUp, Why::Busy, Why::NoAnswer, Why::Canceled];
        End {
            by: Party::Caller,
            why: why[self.roll(4) as usize],
        }
    }

    fn who(&mut self) -> Who {
        [Who::Human, Who::Machine, Who::Unknown][self.roll(3) as usize]
    }

    fn meeting(&mut self) -> call::input::Meeting {
        match self.roll(4) {
            0 => call::input::Meeting::Muted,
            1 => call::input::Meeting::Speaking,
            2 => call::input::Meeting::StoppedSpeaking,
            _ => call::input::Meeting::Unmuted,
        }
    }

    fn finding(&mut self) -> Finding {
        let evidence = Evidence {
            at: ms(self.roll(4_000)),
            ..Evidence::default()
        };
        match self.roll(4) {
            0 => Finding::Answered(Answerer::Human, evidence),
            1 => Finding::Answered(Answerer::Machine, evidence),
            2 => Finding::Answered(Answerer::Unknown, evidence),
            _ => Finding::GreetingEnded(Ending::Silence),
        }
    }

    /// Anything at all.
    fn nonsense(&mut self) -> Input {
        let id = UtteranceId(self.roll(9) as u32);
        let turn = TurnId(self.roll(6) as u32);
        match self.roll(60) {
            0..=1 => Input::Carrier(Carrier::Ringing),
            2..=4 => Input::Carrier(Carrier::Answered),
            5..=9 => Input::Carrier(Carrier::Connected),
            10 => Input::Carrier(Carrier::Pressed(key())),
            11 if self.percent(10) => Input::Carrier(Carrier::Disconnected),
            55 if self.percent(10) => Input::Carrier(Carrier::Dropped),
            12 if self.percent(10) => Input::Carrier(Carrier::Ended(self.end())),
            13 if self.percent(10) => Input::Command(Command::HangUp),
            13 if self.percent(10) => Input::Command(Command::Forbid),
            13 if self.percent(10) => Input::Command(Command::OptOut),
            13 if self.percent(5) => Input::Command(Command::Dismiss),
            13 if self.percent(20) => {
                Input::Command(Command::Help(format!("help {}", self.unique()).into()))
            }
            13 if self.percent(20) => Input::Command(Command::Refuse(
                REFUSED,
                format!("sorry {}", self.unique()).into(),
            )),
            13 if self.percent(20) => Input::Command(Command::Sit(place())),
            13 if self.percent(30) => {
                Input::Command(Command::Stand(format!("back {}", self.unique()).into()))
            }
            13 if self.percent(30) => Input::Command(Command::Transfer(ben())),
            58 if self.percent(20) => Input::Carrier(Carrier::Joined),
            58 if self.percent(20) => Input::Carrier(Carrier::PutBack(Why::Busy)),
            58 if self.percent(10) => Input::Carrier(Carrier::Parted),
            13 if self.percent(20) => Input::Meeting(self.meeting()),
            13 if self.percent(10) => Input::Command(Command::Limit(ms(self.roll(120_000)))),
            14 => Input::Agent(Agent::HangUp(turn)),
            15 => Input::Agent(Agent::Failed(turn, "agent.refused")),
            16 if self.percent(20) => {
                Input::Command(Command::Press(Keys::parse("12w#").expect("they are keys")))
            }
            16..=17 => Input::Command(Command::Say(format!("owner {}", self.unique()).into())),
            18..=24 => Input::Media(Media::Edge(Edge::SpeechStarted {
                ago: ms(self.roll(2_000)),
            })),
            25..=31 => Input::Media(Media::Edge(Edge::SpeechEnded {
                ago: ms(self.roll(2_000)),
            })),
            32..=34 => Input::Speech(Speech::Final(self.words().into())),
            35..=36 => Input::Speech(Speech::Partial(self.words().into())),
            37 => Input::Speech(Speech::EndOfTurn {
                probability: [0.0, 1.0, 0.5, f32::NAN, -3.0, f32::INFINITY][self.roll(6) as usize],
            }),
            38 if self.percent(50) => Input::Speech(Speech::Begun(id)),
            38..=39 => Input::Speech(Speech::Length(id, ms(self.roll(3_000)))),
            40 => Input::Speech(Speech::MouthFailed(id, "speech.failed")),
            41 if self.percent(5) => Input::Speech(Speech::EarsFailed("speech.failed")),
            42..=45 => Input::Agent(Agent::Say(turn, self.answer().into())),
            46..=47 => Input::Agent(Agent::Finish(turn)),
            48..=52 => Input::Media(Media::Progress(Progress {
                utterance: id,
                played: ms(self.roll(3_000)),
                done: self.percent(50),
            })),
            53 => Input::Media(Media::Cut(Some(Cut {
                utterance: id,
                played: ms(self.roll(3_000)),
            }))),
            54 => Input::Media(Media::Cut(None)),
            56 => Input::Carrier(Carrier::AnsweredBy(self.who())),
            57 => Input::Media(Media::Answerer(self.finding())),
            _ => Input::Timeout,
        }
    }
}

fn ben() -> call::BlindTransfer {
    call::BlindTransfer {
        to: "ben".to_owned(),
        patience: ms(45_000),
        regrets: call::Regrets {
            nobody: "Ben does not answer.".into(),
            busy: "Ben is busy.".into(),
            declined: "Ben does not want to.".into(),
        },
    }
}

fn place() -> call::Place {
    call::Place {
        meeting: "0192".to_owned(),
        name: "Anna".into(),
        agent: None,
        announcing: call::meeting::Announcing::On,
        through: None,
    }
}
