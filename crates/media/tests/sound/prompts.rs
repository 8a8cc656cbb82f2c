//! Human speech: the prompts of Debian's `asterisk-core-sounds-en-wav`, where they are installed.

use std::path::Path;
use std::time::Duration;

use media::{Echo, Edge, Law, Setup};

use crate::line::{Call, ms, setup};

const FOLDER: &str = "/usr/share/asterisk/sounds/en_US_f_Allison";

/// Whole sentences, all by one speaker: for telling voices apart, the hardest case.
const SENTENCES: [&str; 12] = [
    "all-circuits-busy-now",
    "auth-incorrect",
    "auth-thankyou",
    "basic-pbx-ivr-main",
    "call-forwarding",
    "demo-congrats",
    "demo-instruct",
    "demo-thanks",
    "demo-abouttotry",
    "tt-monkeysintro",
    "vm-intro",
    "vm-options",
];

/// One prompt at 8 kHz. `None` where it is not installed.
pub(crate) fn prompt(name: &str) -> Option<Vec<i16>> {
    let path = Path::new(FOLDER).join(name).with_extension("wav");
    let file = hound::WavReader::open(&path);
    let samples = file
        .ok()?
        .into_samples::<i16>()
        .collect::<Result<Vec<_>, _>>();
    Some(samples.expect("Debian's WAV files are whole"))
}

/// Speech-like sound of nobody: voiced bursts with a gliding pitch and moving formants.
pub(crate) fn babble(seed: u32, length: Duration) -> Vec<i16> {
    let mut phase = 0.0f32;
    let glide = seed as f32 * 1.7;
    (0..length.as_millis() as usize * 8)
        .map(|i| {
            let t = i as f32 / 8_000.0;
            let pitch = 110.0 + seed as f32 * 13.0 + 25.0 * (t * 5.1 + glide).sin();
            phase += pitch / 8_000.0;
            let formant = 500.0 + 250.0 * (t * 7.3 + glide * 2.0).sin();
            let voice: f32 = (1..20)
                .map(|k| {
                    let hz = pitch * k as f32;
                    (phase * k as f32 * std::f32::consts::TAU).sin()
                        / (1.0 + ((hz - formant) / 150.0).powi(2))
                })
                .sum();
            let syllable =
                (t * 12.0 + glide * 3.0).sin().max(0.0) * (t * 1.9 + glide).sin().max(0.0).sqrt();
            (voice * syllable * 6_000.0) as i16
        })
        .collect()
}

fn speeches() -> Vec<Vec<i16>> {
    let human: Vec<_> = SENTENCES.iter().filter_map(|it| prompt(it)).collect();
    if human.is_empty() {
        (0..10).map(|it| babble(it, ms(4_000))).collect()
    } else {
        human
    }
}

fn starts(call: &Call) -> Vec<Duration> {
    let began = |it: &(Duration, Edge)| match it.1 {
        Edge::SpeechStarted { ago } => Some(it.0 - ago),
        Edge::SpeechEnded { .. } => None,
    };
    call.edges.iter().filter_map(began).collect()
}

pub(crate) fn scaled(samples: &[i16], db: f32) -> Vec<i16> {
    let by = 10f32.powf(db / 20.0);
    samples
        .iter()
        .map(|&it| (f32::from(it) * by) as i16)
        .collect()
}

fn added(a: &[i16], b: &[i16]) -> Vec<i16> {
    let n = a.len().max(b.len());
    let at = |it: &[i16], i| it.get(i).copied().unwrap_or(0);
    (0..n).map(|i| at(a, i).saturating_add(at(b, i))).collect()
}

/// What comes back of `said` after `delay`, over a path that is no plain wire.
fn echo(said: &[i16], delay: Duration, db: f32) -> Vec<i16> {
    let path = [(0, 0.75f32), (3, -0.35), (7, 0.3), (12, -0.2), (21, 0.12)];
    let by = 10f32.powf(db / 20.0);
    let mut back = vec![0; delay.as_millis() as usize * 8 + said.len() + 32];
    for i in 0..said.len() + 32 {
        let sum: f32 = path
            .iter()
            .filter_map(|&(tap, gain)| Some(f32::from(*said.get(i.checked_sub(tap)?)?) * gain))
            .sum();
        let at = delay.as_millis() as usize * 8 + i;
        if at < back.len() {
            back[at] = Law::Mu.decode(Law::Mu.encode((sum * by) as i16));
        }
    }
    back
}

/// A call in which the agent says this, and this comes back at the same time.
fn talk(agent: &[i16], caller: &[i16]) -> Call {
    let mut call = Call::new(setup());
    call.silence(ms(500));
    call.says(1, agent);
    call.hears(caller).silence(ms(700));
    call
}

#[test]
fn an_echo_of_the_agent_is_not_the_caller() {
    let (mut calls, mut passed) = (0, 0);
    for mut said in speeches() {
        said.truncate(8 * 10_000);
        for delay in [20, 80, 150, 240, 390, 590] {
            for db in [0.0, -6.0, -14.0, -22.0] {
                let call = talk(&said, &echo(&said, ms(delay), db));
                calls += 1;
                passed += starts(&call).len();
            }
        }
    }
    println!("{passed} false starts in {calls} calls with echo");
    assert!(passed * 50 <= calls, "{passed} of {calls}");
}

#[test]
fn a_caller_whose_own_sound_is_played_back_is_heard() {
    for said in speeches().iter().take(4) {
        let heard = |echo| {
            let mut call = Call::new(Setup { echo, ..setup() });
            call.silence(ms(500));
            for frame in said.chunks(160) {
                call.says(1, frame);
                call.hears(frame);
            }
            call.silence(ms(700));
            starts(&call)
        };
        assert_eq!(heard(Echo::Expected), starts(&talk(&[], said)));
    }
}

#[test]
fn a_caller_who_speaks_over_the_agent_is_heard() {
    let all = speeches();
    let mut late = Vec::new();
    let mut missed = 0;
    for (i, agent) in all.iter().enumerate() {
        for (j, caller) in all.iter().enumerate().filter(|it| it.0 != i) {
            for pause in [300, 900] {
                let caller: Vec<i16> = [
                    vec![0; pause * 8],
                    scaled(&caller[..caller.len().min(16_000)], -3.0),
                ]
                .concat();
                let decided = |call: &Call| call.edges.first().map(|it| it.0);
                let alone = decided(&talk(&[], &caller));
                match (decided(&talk(agent, &caller)), alone) {
                    (Some(over), Some(alone)) => late.push(over.saturating_sub(alone)),
                    (None, Some(_)) => missed += 1,
                    (_, None) => panic!("{i} {j}: the caller is not heard even alone"),
                }
            }
        }
    }
    late.sort();
    let held_up = late.iter().filter(|it| !it.is_zero()).count();
    println!(
        "{missed} missed; {held_up} of {} held up, {:?} at most",
        late.len(),
        late.last()
    );
    // One voice is everyone's here, or a machine's. Two voices are less alike.
    assert!(missed * 100 <= late.len());
    assert!(held_up * 6 <= late.len());
    assert!(late[late.len() * 98 / 100] <= ms(200));
}

#[test]
fn a_caller_who_speaks_over_an_echo_is_heard() {
    let all = speeches();
    let (mut late, mut missed) = (Vec::new(), 0);
    for (i, agent) in all.iter().enumerate() {
        let agent: Vec<i16> = agent.iter().copied().cycle().take(8 * 6_000).collect();
        for caller in all.iter().skip(i + 1).step_by(3) {
            let pause = 1_500;
            let caller: Vec<i16> = [vec![0; pause * 8], scaled(caller, -3.0)].concat();
            let begins = starts(&talk(&[], &caller))[0];
            let both = added(&echo(&agent, ms(180), -20.0), &caller);
            let call = talk(&agent, &both);
            match call
                .edges
                .iter()
                .find(|it| it.0 >= begins && matches!(it.1, Edge::SpeechStarted { .. }))
            {
                Some(edge) => late.push(edge.0 - begins),
                None if starts(&call).is_empty() => missed += 1,
                // A false start before is another test's business.
                None => {}
            }
        }
    }
    late.sort();
    println!(
        "{missed} missed of {}; noticed after {:?} (median), {:?} at most",
        late.len(),
        late[late.len() / 2],
        late.last()
    );
    assert_eq!(missed, 0);
    assert!(late[late.len() / 2] <= ms(140));
}

#[test]
fn no_keys_are_heard_in_speech() {
    let folder = std::fs::read_dir(FOLDER);
    let mut names: Vec<String> = folder
        .map(|all| {
            all.filter_map(|it| Some(it.ok()?.path().file_stem()?.to_str()?.to_owned()))
                .collect()
        })
        .unwrap_or_default();
    names.sort();
    // Some are tones by trade.
    names.retain(|it| {
        ![
            "beep",
            "beeperr",
            "ascending-2tone",
            "descending-2tone",
            "confbridge-join",
            "confbridge-leave",
        ]
        .contains(&it.as_str())
    });
    let mut speech: Vec<(String, Vec<i16>)> = names
        .into_iter()
        .filter_map(|it| Some((it.clone(), prompt(&it)?)))
        .collect();
    speech.extend((0..20).map(|it| (format!("babble {it}"), babble(it, ms(10_000)))));
    let mut length = 0;
    for (name, samples) in &speech {
        for db in [0.0, 8.0] {
            let mut call = Call::new(setup());
            call.hears(&scaled(samples, db));
            assert_eq!(call.keys, "", "{name}");
        }
        length += samples.len();
    }
    println!("no key in {} s of speech, twice", length / 8_000);
}
