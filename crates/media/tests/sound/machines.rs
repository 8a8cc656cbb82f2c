//! People and answering machines, told apart over a line: a small part of `cargo xtask bench machines`.

use media::machine::{Answerer, Ending, Finding};
use media::{Law, Packet, Session};

use crate::line::{ms, setup, tone};
use crate::prompts::{babble, prompt, scaled};

/// Short prompts that a person could say.
const PEOPLE: [&str; 5] = [
    "hello",
    "calling",
    "one-moment-please",
    "sorry",
    "extension",
];

/// Prompts for callers of those who are not there.
const MACHINES: [&str; 4] = [
    "vm-intro",
    "demo-congrats",
    "vm-instructions",
    "basic-pbx-ivr-main",
];

/// What is found of sound that is heard from the answer on, µ-law, with a packet lost here and there.
fn findings(sound: &[i16]) -> Vec<Finding> {
    let mut session = Session::new(setup());
    session.judge_answerer();
    let mut found = Vec::new();
    for (index, frame) in sound.chunks(160).enumerate() {
        if index % 97 == 31 {
            continue;
        }
        let payload: Vec<u8> = frame.iter().map(|it| Law::Mu.encode(*it)).collect();
        session.receive(Packet {
            index: index as u64,
            payload: &payload,
        });
        while session.ready() {
            found.extend(session.tick(ms(20) * index as u32, |_| {}).answerer);
        }
    }
    found
}

fn who(findings: &[Finding]) -> Answerer {
    match findings.first() {
        Some(Finding::Answered(answerer, evidence)) => {
            let spoke = evidence.speech.unwrap_or_default();
            assert!(
                evidence.at - spoke <= media::machine::VERDICT,
                "{evidence:?}"
            );
            *answerer
        }
        Some(Finding::GreetingEnded(_)) | None => panic!("no verdict: {findings:?}"),
    }
}

fn said(name: &str, length: u64) -> Vec<i16> {
    prompt(name).unwrap_or_else(|| babble(length as u32, ms(length)))
}

fn quiet(length: usize) -> Vec<i16> {
    vec![0; length * 8]
}

#[test]
fn people_say_little_and_wait() {
    for name in PEOPLE {
        for (delay, db) in [(100, 0.0), (900, -12.0)] {
            let hello = scaled(&said(name, 700), db);
            let sound = [quiet(delay), hello, quiet(3_000)].concat();
            assert_eq!(who(&findings(&sound)), Answerer::Human, "{name} at {db} dB");
        }
    }
}

#[test]
fn machines_speak_on_and_beep() {
    for (index, name) in MACHINES.iter().enumerate() {
        for (hz, db) in [(620.0, 0.0), (1_000.0, -12.0), (1_400.0, -6.0)] {
            let beep = tone(
                media::Rate::Hz8000,
                hz,
                6_000.0,
                ms(200 + 100 * index as u64),
            );
            let parts = [
                quiet(300),
                said(name, 9_000),
                quiet(600),
                beep,
                quiet(1_000),
            ];
            let found = findings(&scaled(&parts.concat(), db));
            assert_eq!(who(&found), Answerer::Machine, "{name} at {db} dB");
            let Some(Finding::GreetingEnded(Ending::Beep(beep))) = found.last() else {
                panic!("{name}, {hz} Hz: {found:?}");
            };
            assert!(beep.hz.abs_diff(hz as u32) <= 6, "{beep:?}");
        }
    }
}
