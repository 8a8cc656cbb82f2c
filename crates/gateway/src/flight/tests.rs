//! Calls of every kind go onto tape and come back the same.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use call::event::{End, Judge, Party, Who, Why};
use call::input::{Agent, Carrier, Command, Media, Speech};
use call::meeting::{After, Announcing, Attention};
use call::{
    ANNOUNCEMENT, Announcement, BlindTransfer, Digit, Direction, Event, Keys, Machine, Mode,
    Opening, Phrases, Place, Policy, Private, Regrets, Side, Through, TurnId, input, output,
};
use media::machine::{Answerer, Beep, Ending, Evidence, Finding};
use media::{Cut, Edge, Progress, UtteranceId};
use ports::code;

use super::replay::replay_from;
use super::*;
use crate::journal::{Parties, Pen};

/// What runs a call here: everything is done as it is asked, and some of it cannot be.
struct Runner {
    flight: Flight,
    log: CallLog,
    landing: Landing,
    outputs: Vec<Output>,
}

impl Runner {
    /// A call that starts a moment after its log began.
    fn new(plan: Plan) -> (Self, Instant) {
        let parties = Parties {
            direction: "inbound",
            number: "+15550001111".into(),
            caller: Some("+15551234567".into()),
            carrier: "a \"carrier\"".into(),
            agent: "agent".into(),
            allowed_by: "a rule".to_owned(),
            objective: None,
            asked_by: None,
            trust: call::Trust::CallerId,
        };
        let log = CallLog::new("call".into(), parties, Pen::dry());
        let now = log.began().at + Duration::from_micros(77);
        let landing = Landing::default();
        let (flight, first) = Flight::start(now, plan, &log, landing.clone());
        let mut runner = Self {
            flight,
            log,
            landing,
            outputs: Vec::new(),
        };
        runner.perform(now, first, &mut Dice(1));
        (runner, now)
    }

    fn tell(&mut self, now: Instant, input: Input, dice: &mut Dice) {
        let outputs = self.flight.handle(now, 0, input);
        self.perform(now, outputs, dice);
    }

    fn perform(&mut self, now: Instant, outputs: Vec<Output>, dice: &mut Dice) {
        let mut outputs = VecDeque::from(outputs);
        while let Some(output) = outputs.pop_front() {
            self.outputs.push(output.clone());
            let answer = match output {
                Output::Event(event) => {
                    self.log.push(now, event);
                    None
                }
                Output::Media(output::Media::Cut(last)) => {
                    let cut = dice.roll(3) > 0;
                    let played = dice.time(3_000);
                    let utterance = last;
                    Some(Input::Media(Media::Cut(
                        cut.then_some(Cut { utterance, played }),
                    )))
                }
                Output::Speech(output::Speech::Synthesize(id, _)) if dice.roll(10) == 0 => Some(
                    Input::Speech(Speech::MouthFailed(id, code::SPEECH_OVERLOADED)),
                ),
                Output::Agent(output::Agent::Turn { turn, .. }) if dice.roll(10) == 0 => {
                    let failed = Agent::Failed(turn, code::AGENT_UNREACHABLE);
                    Some(Input::Agent(failed))
                }
                Output::Media(output::Media::Announce) if dice.roll(10) > 0 => {
                    Some(Input::Media(Media::Progress(Progress {
                        utterance: ANNOUNCEMENT,
                        played: Duration::from_secs(1),
                        done: true,
                    })))
                }
                Output::Media(
                    output::Media::Announce
                    | output::Media::JudgeAnswerer
                    | output::Media::Press(_)
                    | output::Media::Record,
                )
                | Output::Meeting(_)
                | Output::Speech(_)
                | Output::Agent(_)
                | Output::Carrier(_) => None,
            };
            // A call may be told anything in the middle of its outputs, events before and behind.
            let answer = answer.or_else(|| (dice.roll(20) == 0).then(|| dice.input()));
            if let Some(answer) = answer {
                let more = self.flight.handle(now, outputs.len(), answer);
                for output in more.into_iter().rev() {
                    outputs.push_front(output);
                }
            }
        }
    }

    fn land(self) -> Vec<u8> {
        let Self {
            flight,
            log,
            landing,
            ..
        } = self;
        drop(flight);
        sealed(&landing, &log)
    }
}

fn sealed(landing: &Landing, log: &CallLog) -> Vec<u8> {
    let landed = landing.0.borrow().clone();
    let Landed::Here(tape) = landed else {
        panic!("it has not landed: {landed:?}");
    };
    let entries = log.after(0);
    Snapshot { tape, entries }.seal(log)
}

#[test]
fn strange_calls_are_the_same_when_they_are_run_again() {
    let (mut connected, mut answered, mut cut) = (0, 0, 0);
    for seed in 0..CALLS {
        let mut dice = Dice(seed);
        let (mut runner, mut now) = Runner::new(dice.plan());
        if dice.roll(10) > 0 {
            now += dice.time(2_000);
            runner.tell(now, Input::Carrier(Carrier::Connected), &mut dice);
        }
        for _ in 0..10 + dice.roll(80) {
            now += dice.time(400);
            let due = runner.flight.deadline().map(|(at, _)| at);
            let input = match due {
                Some(due) if dice.roll(5) == 0 => {
                    now = now.max(due);
                    Input::Timeout
                }
                Some(_) | None => dice.input(),
            };
            runner.tell(now, input, &mut dice);
        }
        let happened = |it: &Event| runner.outputs.contains(&Output::Event(it.clone()));
        connected += u64::from(happened(&Event::Connected));
        cut += u64::from(
            runner
                .outputs
                .iter()
                .any(|it| matches!(it, Output::Media(_))),
        );
        let log: Vec<String> = runner.log.after(0).iter().map(replay::public).collect();
        let bytes = runner.land();
        let recording = Recording::read(&bytes).expect("it was just written");
        answered += u64::from(recording.steps.iter().any(is_answer));
        // From any moment on the clock: only what has passed between counts.
        for base in [Instant::now(), now + Duration::from_secs(86_400)] {
            let replayed = replay_from(base, &recording);
            assert_eq!(replayed.differs(&recording), None, "seed {seed}");
            let again: Vec<String> = replayed.entries.iter().map(replay::public).collect();
            assert_eq!(again, log, "seed {seed}");
        }
        if seed.is_multiple_of(100) {
            assert_eq!(thin::told(&thin::thin(&recording)), thin::told(&recording));
            assert!(story(&recording).is_ok_and(|it| it.contains("Recorded::start(")));
        }
    }
    for (what, count) in [
        ("connected", connected),
        ("answered", answered),
        ("cut", cut),
    ] {
        assert!(count > CALLS / 10, "{what}: only {count}");
    }
}

const CALLS: u64 = 600;

fn is_answer(step: &Step) -> bool {
    matches!(step, Step::Told { waiting: 1.., .. })
}

#[test]
fn a_call_that_breaks_leaves_what_broke_it_behind() {
    let mut dice = Dice(7);
    let (mut runner, now) = Runner::new(dice.plan());
    let (log, landing) = (runner.log.clone(), runner.landing.clone());
    let began = log.began().at;
    runner.tell(now, Input::Carrier(Carrier::Connected), &mut dice);
    let broken = std::panic::catch_unwind(std::panic::AssertUnwindSafe(move || {
        let _runner = runner;
        panic!("as anything may");
    }));
    assert!(broken.is_err());
    // As the switchboard does then.
    let now = now + Duration::from_millis(1_234);
    let end = End {
        by: Party::Gateway,
        why: Why::Fault,
    };
    log.push(now, Event::Ended(end));
    landing.broke(now);
    let recording = Recording::read(&sealed(&landing, &log)).expect("it was just written");
    assert!(matches!(recording.steps.last(), Some(Step::Broke { at }) if began + *at == now));
    assert_eq!(replay(&recording).differs(&recording), None);
}

#[test]
fn a_tape_that_is_full_tells_the_call_up_to_there() {
    let mut dice = Dice(1);
    let plan = Plan {
        mode: Mode::Conversation {
            opening: Opening::Wait,
        },
        ..dice.plan()
    };
    let (mut runner, now) = Runner::new(plan);
    runner.tell(now, Input::Carrier(Carrier::Connected), &mut dice);
    let room = 2_000_000;
    runner.flight.tape.as_mut().expect("it flies").left = room;
    let flood: Private<String> = "more and more ".repeat(2_000).into();
    for at in 0..100 {
        let input = Input::Agent(Agent::Say(TurnId(9), flood.clone()));
        runner.tell(now + Duration::from_secs(at), input, &mut dice);
        runner.tell(
            now + Duration::from_secs(at),
            Input::Carrier(Carrier::Pressed(five())),
            &mut dice,
        );
    }
    let tape = runner.flight.tape().expect("it flies").clone();
    assert!(room / 2 < tape.len() && tape.len() <= room && tape.full().is_some());
    let recording = Recording::read(&runner.land()).expect("it was just written");
    let replayed = replay(&recording);
    assert_eq!(replayed.differs(&recording), None);
    let printed = format!("{recording:?}{tape:?}");
    assert!(
        !printed.contains("more") && !printed.contains("+1555"),
        "words are for nobody"
    );
    let (told, all) = (replayed.entries.len(), recording.events.len());
    assert!(20 < told && told < all, "{told} of {all}");
}

#[tokio::test]
async fn nobody_waits_for_a_call_that_never_started() {
    let landing = Landing::default();
    let waits = tokio::spawn({
        let landing = landing.clone();
        async move { landing.tape().await.is_none() }
    });
    landing.close();
    assert!(waits.await.expect("it does not break"));
    let (runner, _) = Runner::new(Dice(1).plan());
    let landing = runner.landing.clone();
    drop(runner);
    landing.close();
    assert!(landing.tape().await.is_some(), "what has landed stays");
    landing.clear();
    assert!(landing.tape().await.is_none());
}

#[test]
fn another_event_than_then_is_found() {
    let mut dice = Dice(3);
    let (mut runner, now) = Runner::new(dice.plan());
    runner.tell(now, Input::Command(Command::HangUp), &mut dice);
    runner.tell(now, Input::Carrier(Carrier::Ended(dice.end())), &mut dice);
    let mut recording = Recording::read(&runner.land()).expect("it was just written");
    let replayed = replay(&recording);
    let last = recording.events.pop().expect("it ended");
    let count = recording.events.len();
    assert_eq!(
        replayed.differs(&recording),
        Some((count + 1, None, Some(last.into_revealed())))
    );
    recording.events[0] = "{}".into();
    let (at, then, _) = replayed
        .differs(&recording)
        .expect("two are not as they were");
    assert_eq!((at, then), (1, Some("{}")));
}

#[test]
fn a_recording_of_another_format_says_so() {
    let mut dice = Dice(3);
    let bytes = Runner::new(dice.plan()).0.land();
    let text = String::from_utf8(bytes).expect("it is text");
    let other = text.replacen("\"offhook_flight\":6", "\"offhook_flight\":1", 1);
    let code = |bytes: &[u8]| Recording::read(bytes).err().map(|it| it.code);
    assert_eq!(code(other.as_bytes()), Some(code::FLIGHT_FORMAT));
    assert_eq!(code(b"RIFF"), Some(code::FLIGHT_BROKEN));
    assert_eq!(code(b""), Some(code::FLIGHT_BROKEN));
}

#[test]
fn only_so_many_are_kept_and_only_for_their_owner() {
    use std::os::unix::fs::PermissionsExt as _;

    let state = tempfile::tempdir().expect("there is a temporary folder");
    let shelf = Shelf::of(state.path());
    assert_eq!(
        shelf.ending("").expect("no folder is no error"),
        [""; 0].map(std::path::PathBuf::from)
    );
    for call in 0..105 {
        shelf
            .put(&format!("{call:04}"), b"x")
            .expect("it can be written");
    }
    let kept = shelf.ending("").expect("it can be read");
    assert_eq!(kept.len(), 100);
    assert!(kept[0].ends_with("0005.flight"), "{kept:?}");
    assert_eq!(
        shelf.ending("104").expect("it can be read"),
        [kept[99].clone()]
    );
    for path in [&kept[0], &state.path().join("flights")] {
        let mode = std::fs::metadata(path)
            .expect("it is there")
            .permissions()
            .mode();
        assert_eq!(mode & 0o077, 0, "{} is {mode:o}", path.display());
    }
}

fn ben() -> BlindTransfer {
    BlindTransfer {
        to: "ben".to_owned(),
        patience: Duration::from_secs(45),
        regrets: Regrets {
            nobody: "nobody".into(),
            busy: "busy".into(),
            declined: "declined".into(),
        },
    }
}

fn place() -> Place {
    Place {
        meeting: "0192".to_owned(),
        name: "Anna \"A\"".into(),
        agent: Some("host".to_owned()),
        announcing: Announcing::Off,
        through: Some(Through {
            side: Side::Target,
            target: "Ben".into(),
            after: After::Return,
            attention: Attention::Listen,
        }),
    }
}

fn five() -> Digit {
    Digit::new('5').expect("5 is a key")
}

/// Random, and the same every time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// Less than so many milliseconds, to the nanosecond.
    fn time(&mut self, ms: u64) -> Duration {
        Duration::from_nanos(self.roll(ms * 1_000_000))
    }

    fn plan(&mut self) -> Plan {
        let mode = match self.roll(8) {
            0 => Mode::Notify {
                text: "Your table is ready.".into(),
            },
            1 => Mode::Loopback,
            2 => Mode::Seat(place()),
            it => Mode::Conversation {
                opening: match it % 3 {
                    0 => Opening::Say("Good \"morning\" to you.\n".into()),
                    1 => Opening::Ask,
                    _ => Opening::Wait,
                },
            },
        };
        Plan {
            direction: match self.roll(2) {
                0 => Direction::Inbound,
                _ => Direction::Outbound,
            },
            mode,
            machine: match self.roll(3) {
                0 => Machine::HangUp(Judge::Gateway),
                1 => Machine::Leave(Judge::Carrier, "Call us \"back\".".into()),
                _ => Machine::Talk,
            },
            policy: Policy {
                limit: Duration::from_secs(8 + self.roll(100)),
                linger: self.time(2_000),
                ..Policy::default()
            },
            phrases: Phrases {
                filler: "Hm…".into(),
                ..Phrases::default()
            },
            announcement: (self.roll(3) == 0).then(|| Announcement {
                text: "You speak with a \"machine\".".into(),
                sha256: "c0ffee".into(),
                bytes: 32_000,
                length: Duration::from_secs(1),
            }),
            recording: match self.roll(4) {
                0 => call::Recording::AtOnce,
                1 => call::Recording::Announced,
                2 => call::Recording::Asked,
                _ => call::Recording::Never,
            },
        }
    }

    fn end(&mut self) -> End {
        let by = [Party::Caller, Party::Agent, Party::Owner, Party::Carrier];
        let why = [Why::HungUp, Why::Busy, Why::NoAnswer, Why::Canceled];
        End {
            by: by[self.roll(4) as usize],
            why: why[self.roll(4) as usize],
        }
    }

    fn finding(&mut self) -> Finding {
        let beep = Beep {
            at: self.time(3_000),
            length: self.time(500),
            hz: 1_000,
        };
        let evidence = Evidence {
            at: self.time(4_000),
            speech: (self.roll(2) == 0).then(|| self.time(900)),
            beep: (self.roll(2) == 0).then_some(beep),
            ..Evidence::default()
        };
        match self.roll(5) {
            0 => Finding::Answered(Answerer::Human, evidence),
            1 => Finding::Answered(Answerer::Machine, evidence),
            2 => Finding::GreetingEnded(Ending::Silence),
            3 => Finding::GreetingEnded(Ending::Endless),
            _ => Finding::GreetingEnded(Ending::Beep(beep)),
        }
    }

    /// Anything at all, and the end of the call rarely.
    fn input(&mut self) -> Input {
        let (id, turn) = (
            UtteranceId(self.roll(12) as u32),
            TurnId(self.roll(8) as u32),
        );
        let words = [
            "",
            "uh-huh",
            "wait \u{1f600}\\",
            "We open at nine. And close, ",
        ];
        let words = || words[(id.0 % 4) as usize].to_owned().into();
        match self.roll(24) {
            0..=3 => Input::Media(Media::Edge(Edge::SpeechStarted {
                ago: self.time(300),
            })),
            4..=6 => Input::Media(Media::Edge(Edge::SpeechEnded {
                ago: self.time(300),
            })),
            7..=9 => Input::Speech(Speech::Final(words())),
            10 => Input::Speech(Speech::Partial(words())),
            11 => {
                let odd = [0.93, f32::NAN, f32::INFINITY, -0.0];
                let probability = odd[self.roll(4) as usize];
                Input::Speech(Speech::EndOfTurn { probability })
            }
            12..=14 => Input::Agent(Agent::Say(turn, words())),
            15 => Input::Agent(Agent::Finish(turn)),
            16..=17 => Input::Media(Media::Progress(Progress {
                utterance: id,
                played: self.time(3_000),
                done: self.roll(2) == 0,
            })),
            18..=19 => Input::Speech(Speech::Length(id, self.time(3_000))),
            20 => Input::Command(Command::Say(words())),
            21 => Input::Carrier(Carrier::Pressed(five())),
            22 if self.roll(2) == 0 => Input::Agent(Agent::Note(words())),
            22 => Input::Agent(Agent::Message {
                name: words(),
                text: words(),
            }),
            _ => match self.roll(23) {
                0 => Input::Carrier(Carrier::Ended(self.end())),
                1 => Input::Carrier(Carrier::Disconnected),
                2 => Input::Command(Command::HangUp),
                3 => Input::Speech(Speech::EarsFailed(code::SPEECH_FAILED)),
                4 => Input::Agent(Agent::HangUp(turn)),
                5 => Input::Agent(Agent::Failed(turn, code::AGENT_TIMEOUT)),
                20 => Input::Agent(Agent::Working(turn, self.time(30_000))),
                6 => Input::Carrier(Carrier::Answered),
                7 => Input::Carrier(Carrier::Ringing),
                8 => Input::Media(Media::Cut(None)),
                14 => Input::Media(Media::Answerer(self.finding())),
                15 => Input::Carrier(Carrier::AnsweredBy(Who::Machine)),
                9 => Input::Command(Command::Press(Keys::parse("12w#").expect("they are keys"))),
                10 => Input::Command(Command::Sit(place())),
                11 => Input::Command(Command::Stand(words())),
                12 => Input::Command(Command::Dismiss),
                13 => Input::Meeting(input::Meeting::Speaking),
                16 => Input::Command(Command::Transfer(ben())),
                17 => Input::Carrier(Carrier::PutBack(Why::Busy)),
                18 => Input::Carrier(Carrier::Joined),
                19 => Input::Carrier(Carrier::Parted),
                _ => Input::Timeout,
            },
        }
    }
}
