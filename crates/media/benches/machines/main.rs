//! How well people and answering machines are told apart, on a corpus of greetings made here.
//!
//! `cargo bench -p media --bench machines` (or `cargo xtask bench machines`) makes it of Debian's prompt
//! packages and synthetic voices, sends every greeting over a simulated line, and fails if people are
//! taken for machines more often, or judged later, than they may be. With `--all` it lists each one.
#![expect(clippy::print_stdout, reason = "printing is what it is for")]

mod corpus;
mod voices;

use std::process::ExitCode;
use std::time::Duration;

use corpus::{Greeting, Kind};
use media::machine::{Answerer, Beep, Ending, Evidence, Finding, VERDICT};
use media::{Codec, Detector, Echo, Format, Law, Line, Packet, Rate, Session, Setup};

fn main() -> ExitCode {
    let greetings = corpus::greetings();
    let list = std::env::args().any(|it| it == "--all");
    let calls: Vec<(&Greeting, Call)> = greetings.iter().map(|it| (it, Call::of(it))).collect();
    for (greeting, call) in calls.iter().filter(|it| list || it.1.is_odd(it.0)) {
        println!("{greeting}: {call}");
    }
    let speech = corpus::speech();
    let false_beeps = beeps(&speech);
    let minutes = speech.len() as f64 / 8_000.0 / 60.0;
    if report(&calls, (false_beeps, minutes)) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Prints the figures, and says whether they were reached.
#[expect(clippy::too_many_lines, reason = "a table")]
fn report(calls: &[(&Greeting, Call)], (false_beeps, minutes): (usize, f64)) -> bool {
    let some = |kind: Kind| calls.iter().filter(move |it| it.0.kind == kind);
    let called = |kind, answerer| some(kind).filter(|it| it.1.answerer == answerer).count();
    let (people, machines) = (some(Kind::Human).count(), some(Kind::Machine).count());
    let wrong = percent(called(Kind::Human, Answerer::Machine), people);
    let since = |call: &Call| {
        let spoke = call.evidence.speech.unwrap_or_default();
        call.evidence.at.saturating_sub(spoke)
    };
    let latest = calls.iter().map(|it| since(&it.1)).max();
    let latest = latest.unwrap_or(Duration::MAX);
    let answer = calls
        .iter()
        .map(|it| it.1.evidence.at)
        .max()
        .unwrap_or(Duration::MAX);
    let mut waits: Vec<Duration> = some(Kind::Human)
        .filter_map(|it| it.1.waited(it.0))
        .collect();
    waits.sort();
    let beeps = machines - some(Kind::Machine).filter(|it| it.0.beep.is_none()).count();
    let found = some(Kind::Machine)
        .filter(|it| it.1.found_beep(it.0))
        .count();

    let row = |what: &str, figure: String, goal: &str| println!("{what:<52}{figure:>12}{goal:>12}");
    row("people", people.to_string(), ">= 60");
    row("machines", machines.to_string(), ">= 60");
    row("people called machines", format!("{wrong:.1} %"), "<= 2 %");
    row(
        "people nobody can judge",
        called(Kind::Human, Answerer::Unknown).to_string(),
        "",
    );
    let missed = percent(called(Kind::Machine, Answerer::Human), machines);
    row("machines called people", format!("{missed:.1} %"), "");
    row(
        "machines nobody can judge",
        called(Kind::Machine, Answerer::Unknown).to_string(),
        "",
    );
    row(
        "latest verdict, from their first sound",
        format!("{latest:.2?}"),
        "<= 4 s",
    );
    row(
        "latest verdict, from the answer",
        format!("{answer:.2?}"),
        "",
    );
    let at = |part: usize| {
        waits
            .get(waits.len() * part / 100)
            .copied()
            .unwrap_or_default()
    };
    row(
        "people wait after their last sound, median",
        format!("{:.2?}", at(50)),
        "",
    );
    row(
        "people wait after their last sound, 95 %",
        format!("{:.2?}", at(95)),
        "",
    );
    row("beeps found", format!("{:.1} %", percent(found, beeps)), "");
    row(
        &format!("beeps heard in {minutes:.0} minutes of speech"),
        false_beeps.to_string(),
        "",
    );
    people >= 60 && machines >= 60 && wrong <= 2.0 && latest <= VERDICT && minutes >= 10.0
}

fn percent(part: usize, all: usize) -> f64 {
    100.0 * part as f64 / all.max(1) as f64
}

/// What was found out of one greeting.
struct Call {
    answerer: Answerer,
    evidence: Evidence,
    ending: Option<Ending>,
}

impl Call {
    fn of(greeting: &Greeting) -> Self {
        let mut call = Self {
            answerer: Answerer::Unknown,
            evidence: Evidence {
                at: Duration::MAX,
                ..Evidence::default()
            },
            ending: None,
        };
        let mut session = session();
        session.judge_answerer();
        listen(&mut session, &greeting.sound, |_, finding| match finding {
            Finding::Answered(answerer, evidence) => {
                (call.answerer, call.evidence) = (answerer, evidence);
            }
            Finding::GreetingEnded(ending) => call.ending = Some(ending),
        });
        call
    }

    fn is_odd(&self, greeting: &Greeting) -> bool {
        let right = match greeting.kind {
            Kind::Human => Answerer::Human,
            Kind::Machine => Answerer::Machine,
        };
        self.answerer != right || greeting.beep.is_some() && !self.found_beep(greeting)
    }

    /// Whether the right beep ended the greeting.
    fn found_beep(&self, greeting: &Greeting) -> bool {
        let Some((at, length)) = greeting.beep else {
            return false;
        };
        let beep: Option<Beep> = match self.ending {
            Some(Ending::Beep(beep)) => Some(beep),
            Some(Ending::Silence | Ending::Endless) | None => None,
        };
        beep.is_some_and(|it| {
            (it.at + it.length).abs_diff(at + length) < Duration::from_millis(150)
        })
    }

    /// How long a person who said something waited to be known for one.
    fn waited(&self, greeting: &Greeting) -> Option<Duration> {
        (self.answerer == Answerer::Human).then(|| self.evidence.at.saturating_sub(greeting.spoken))
    }
}

impl std::fmt::Display for Call {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            answerer,
            evidence,
            ending,
        } = self;
        write!(f, "{answerer:?} {evidence:?} {ending:?}")
    }
}

/// How many beeps are heard where there are none.
fn beeps(speech: &[i16]) -> usize {
    let mut session = session();
    let mut beeps = 0;
    session.judge_answerer();
    listen(&mut session, speech, |session, finding| {
        if let Finding::GreetingEnded(ending) = finding {
            if let Ending::Beep(beep) = ending {
                println!("no machine: {beep:?}");
                beeps += 1;
            }
            session.judge_answerer();
        }
    });
    beeps
}

fn session() -> Session {
    let format = Format {
        codec: Codec::Ulaw,
        rate: Rate::Hz8000,
    };
    Session::new(Setup {
        format,
        spoken: format,
        line: Line::Ordered,
        detector: Detector::Energy,
        lead: Duration::from_millis(100),
        echo: Echo::Guarded,
    })
}

/// Sends sound over a line that loses one packet in two hundred.
fn listen(session: &mut Session, sound: &[i16], mut found: impl FnMut(&mut Session, Finding)) {
    let mut dice = corpus::Dice::new(7);
    for (index, frame) in sound.chunks(160).enumerate() {
        if dice.roll(200) == 0 {
            continue;
        }
        let payload: Vec<u8> = frame.iter().map(|it| Law::Mu.encode(*it)).collect();
        let payload = &payload[..];
        session.receive(Packet {
            index: index as u64,
            payload,
        });
        while session.ready() {
            let now = Duration::from_millis(20) * index as u32;
            let finding = session.tick(now, |_| {}).answerer;
            if let Some(finding) = finding {
                found(session, finding);
            }
        }
    }
}
