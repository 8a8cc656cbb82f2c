//! A human voice and our own, heard over the line.

use media::Rate;
use speech::local::{Reader, Speaker};

use crate::kit::{Score, models, over_the_line, prompt, scribe};

/// Prompts that are whole sentences of eight words or more and shorter than fifteen seconds, one or
/// two from each part of the exchange's list, picked before any was transcribed. The words are the
/// package's own.
const SAID: &[(&str, &str)] = &[
    (
        "agent-alreadyon",
        "That agent is already logged on. Please enter your agent number followed by the pound key.",
    ),
    (
        "at-tone-time-exactly",
        "At the sound of the tone, the time will be exactly",
    ),
    (
        "conf-invalid",
        "That is not a valid conference number. Please try again.",
    ),
    (
        "conf-onlyperson",
        "You are currently the only person in this conference.",
    ),
    (
        "conf-waitforleader",
        "The conference will begin when the leader arrives.",
    ),
    (
        "confbridge-lock-no-join",
        "The conference is currently locked and cannot be joined.",
    ),
    (
        "confbridge-pin-bad",
        "You have entered too many invalid personal identification numbers.",
    ),
    (
        "demo-nomatch",
        "I'm sorry there are no matches for those keywords",
    ),
    (
        "dir-instr",
        "If this is the person you are looking for press 1 now, otherwise please press star now.",
    ),
    (
        "feature-not-avail-line",
        "That feature is not available on this line.",
    ),
    (
        "followme/pls-hold-while-try",
        "please hold while I try to locate the person you are calling",
    ),
    (
        "followme/status",
        "the person you are calling is not at their desk; I will try to locate them for you",
    ),
    (
        "pbx-invalidpark",
        "I am sorry, there is no call parked on that extension. Please try again.",
    ),
    (
        "privacy-prompt",
        "Please enter your phone number, starting with the area code.",
    ),
    (
        "queue-youarenext",
        "Your call is now first in line and will be answered by the next available representative.",
    ),
    (
        "ss-noservice",
        "The number you have dialed is not in service. Please check the number and try again.",
    ),
    (
        "vm-forward",
        "Press 1 to enter an extension, press 2 to use the directory",
    ),
    (
        "vm-instructions",
        "To look into your messages press 1 now. You may quit voicemail at any time by pressing the pound key.",
    ),
    (
        "vm-mismatch",
        "The passwords you entered and re-entered did not match. Please try again.",
    ),
    (
        "vm-nobodyavail",
        "Nobody is available to take your call at the moment",
    ),
    (
        "vm-rec-name",
        "After the tone say your name and then press the pound key.",
    ),
    (
        "vm-review",
        "press 1 to accept this recording press 2 to listen to it press 3 to rerecord your message",
    ),
    ("vm-sorry", "I'm sorry I did not understand your response."),
    (
        "vm-tocallback",
        "press 2 to call the person who sent this message",
    ),
];

const READ: &[&str] = &[
    "Hello, this is the office of Doctor Brown. How can I help you today?",
    "We open at nine and close at five every day but Sunday.",
    "I'm sorry, she is not at her desk right now. May I take a message?",
    "Thank you. I will make sure that she gets your message this afternoon.",
    "Your appointment is on Thursday at 3:30 in the afternoon.",
    "You can reach us at 555-123-4567 during business hours.",
    "That will be $5.50, and the delivery takes two days.",
    "Goodbye, and have a wonderful evening!",
];

#[test]
fn a_human_voice_is_understood_over_the_line() {
    let mut score = Score::default();
    for (name, said) in SAID {
        let heard = scribe().transcribe(&over_the_line(&prompt(name)), Rate::Hz8000);
        score.add(said, &heard.expect("the models work"));
    }
    println!(
        "human prompts over µ-law: WER {:.3} over {} prompts",
        score.rate(),
        SAID.len()
    );
    assert!(score.rate() <= 0.10, "word error rate {:.3}", score.rate());
}

#[test]
fn the_best_voice_is_understood_over_the_line() {
    let rate = read_and_heard(Speaker::Piper);
    assert!(rate <= 0.10, "word error rate {rate:.3}");
}

#[test]
fn the_plain_voice_is_understood_over_the_line() {
    let rate = read_and_heard(Speaker::Flite);
    assert!(rate <= 0.20, "word error rate {rate:.3}");
}

#[test]
fn a_long_recording_with_pauses_is_heard_to_its_end() {
    let mut recording = Vec::new();
    for name in [
        "vm-nobodyavail",
        "vm-rec-name",
        "queue-youarenext",
        "dir-instr",
        "vm-review",
    ] {
        recording.extend(prompt(name));
        recording.extend([0; 12_000]);
    }
    let said: Vec<&str> = [
        "vm-nobodyavail",
        "vm-rec-name",
        "queue-youarenext",
        "dir-instr",
        "vm-review",
    ]
    .iter()
    .filter_map(|name| SAID.iter().find(|(it, _)| it == name))
    .map(|(_, said)| *said)
    .collect();
    let mut score = Score::default();
    let heard = scribe().transcribe(&over_the_line(&recording), Rate::Hz8000);
    score.add(&said.join(" "), &heard.expect("the models work"));
    assert!(score.rate() <= 0.10, "word error rate {:.3}", score.rate());
}

#[test]
fn silence_and_hum_have_no_words() {
    for sound in [
        vec![0; 16_000],
        crate::kit::noise(3, 3.0),
        Vec::new(),
        vec![900; 400],
    ] {
        let heard = scribe()
            .transcribe(&sound, Rate::Hz8000)
            .expect("the models work");
        assert_eq!(heard, "");
    }
}

#[test]
fn speech_is_as_loud_as_a_telephone_talker_and_nothing_is_cut_off() {
    for speaker in [Speaker::Piper, Speaker::Flite] {
        let reader = Reader::open(&models(), speaker).expect("all models are there");
        for text in READ {
            let samples = reader.speak(text, Rate::Hz8000).expect("the voice works");
            let square = |it: &i16| f64::from(*it).powi(2);
            let power = samples.iter().map(square).sum::<f64>() / samples.len() as f64;
            let level = 10.0 * (power / 32_768_f64.powi(2)).log10();
            let peak = samples
                .iter()
                .map(|it| it.unsigned_abs())
                .max()
                .unwrap_or(0);
            assert!(
                (-21.0..-13.0).contains(&level),
                "{speaker:?} {level:.1} dBFS: {text}"
            );
            assert!(peak < 32_767, "{speaker:?} is cut off: {text}");
            let quiet = |it: &&i16| it.unsigned_abs() < 150;
            let before = samples.iter().take_while(quiet).count();
            let after = samples.iter().rev().take_while(quiet).count();
            assert!(
                before < 800 && after < 2_400,
                "{speaker:?} silence {before} {after}: {text}"
            );
        }
    }
}

fn read_and_heard(speaker: Speaker) -> f64 {
    let reader = Reader::open(&models(), speaker).expect("all models are there");
    let mut score = Score::default();
    for text in READ {
        let samples = reader.speak(text, Rate::Hz8000).expect("the voice works");
        let heard = scribe().transcribe(&over_the_line(&samples), Rate::Hz8000);
        score.add(text, &heard.expect("the models work"));
    }
    println!("{speaker:?} over µ-law: WER {:.3}", score.rate());
    score.rate()
}
