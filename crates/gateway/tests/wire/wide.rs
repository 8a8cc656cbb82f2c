//! Sound that no telephone of old could carry goes through a call both ways.

use std::f64::consts::TAU;

use exchange::Outcome;
use exchange::ear::{RATE, WIDE_RATE};
use exchange::mischief::Mischief;
use exchange::phone::Step;

use crate::house::{House, OURS, THEIRS, exchange_of, soon};
use crate::{listener, ms};

/// A second of a tone that is said to a line which echoes; what came of it, and its recording: the
/// caller's side, ours, and their rate.
async fn echoed(wire: &str, sound: &str) -> (std::sync::Arc<Outcome>, [Vec<i16>; 2], u32) {
    let other = |_: &std::path::Path, text: String| {
        let text = text.replace("sound = \"l16\"", sound);
        text + "\n[recordings]\ndir = \"recordings\"\n"
    };
    let house = House::beside(exchange_of(wire), listener(), Mischief::default(), other).await;
    let script = [
        Step::Wait(ms(500)),
        Step::SayWide(tone(HIGH, WIDE_RATE)),
        Step::Wait(ms(700)),
        Step::HangUp,
    ];
    let call = house.exchange.call_in(THEIRS, OURS, script).expect("ours");
    let outcome = soon(house.exchange.call(&call)).await;
    assert!(outcome.warnings.is_empty(), "{:?}", outcome.warnings);
    let record = house.gateway.board.calls()[0].clone();
    soon(record.log.ended()).await;
    let file = house.file(&format!("recordings/{}.wav", record.id));
    let written = async {
        loop {
            if let Ok(wav) = hound::WavReader::open(&file)
                && wav.duration() > wav.spec().sample_rate * 2
            {
                return wav;
            }
            tokio::time::sleep(ms(20)).await;
        }
    };
    let wav = soon(written).await;
    let rate = wav.spec().sample_rate;
    let samples: Vec<i16> = wav.into_samples().map_while(Result::ok).collect();
    let side = |side: usize| samples.iter().skip(side).step_by(2).copied().collect();
    (outcome, [side(0), side(1)], rate)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tone_above_the_telephone_band_is_heard_and_comes_back() {
    for (wire, sound) in WIRES {
        let (outcome, [caller, agent], rate) = echoed(wire, sound).await;
        let (heard, clean) = strongest(outcome.ear.wide_agent(), WIDE_RATE, HIGH);
        println!(
            "{wire}, {sound}: {HIGH} Hz comes back at {heard:.1} dB of what was said, {clean:.1} dB above all else"
        );
        assert!(
            heard > -3.0 && clean > 10.0,
            "{wire}, {sound}: {heard} dB, {clean} dB"
        );
        assert_eq!(rate, WIDE_RATE, "the recording has the call's rate");
        for side in [&caller, &agent] {
            let (recorded, _) = strongest(side, rate, HIGH);
            assert!(recorded > -3.0, "{wire}, {sound}: {recorded} dB");
        }
    }
}

/// What the tests above find is not there by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_narrow_call_has_none_of_it() {
    for wire in ["telnyx", "plivo", "twilio"] {
        let (outcome, _, rate) = echoed(wire, "").await;
        assert_eq!((outcome.ear.wide_agent().len(), rate), (0, RATE));
        // Neither itself nor what it would fold back to.
        let (heard, _) = strongest(outcome.ear.agent(), RATE, f64::from(RATE) - HIGH);
        assert!(heard < -40.0, "{wire}: {heard} dB");
    }
    // A wide line with a stream that was asked for as it always was.
    let (outcome, _, rate) = echoed("telnyx_wide", "sound = \"narrow\"").await;
    assert_eq!(rate, RATE);
    let (heard, _) = strongest(outcome.ear.wide_agent(), WIDE_RATE, HIGH);
    assert!(heard < -40.0, "{heard} dB");
}

/// The far end's order of bytes is not ours: loud noise, as the setting's help says.
#[tokio::test(flavor = "multi_thread")]
async fn bytes_in_another_order_are_noise() {
    let sound = "sound = \"l16\"\nl16_order = \"little-endian\"";
    let (_, [caller, _], rate) = echoed("telnyx_wide", sound).await;
    let (_, clean) = strongest(&caller, rate, HIGH);
    assert!(clean < 3.0, "{clean} dB");
    let loudest = caller.iter().map(|it| it.unsigned_abs()).max();
    assert!(loudest > Some(30_000), "{loudest:?}");
}

/// How strong a tone is where it is strongest, in dB against what was said, and how far it is above all
/// else there.
fn strongest(sound: &[i16], rate: u32, hz: f64) -> (f64, f64) {
    let window = rate as usize / 2;
    let step = hz * TAU / f64::from(rate);
    let level = |sound: &[i16]| {
        let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
        for (at, sample) in sound.iter().enumerate() {
            let sample = f64::from(*sample);
            re += sample * (at as f64 * step).cos();
            im += sample * (at as f64 * step).sin();
            power += sample * sample;
        }
        let count = sound.len() as f64;
        let tone = (re.hypot(im) * 2.0 / count).max(1e-3);
        let rest = (power * 2.0 / count - tone * tone).max(1e-6).sqrt();
        (tone, rest)
    };
    let starts = (0..sound.len().saturating_sub(window)).step_by(rate as usize / 50);
    let levels = starts.map(|at| level(&sound[at..at + window]));
    let (tone, rest) = levels.fold(
        (1e-3, 1e-3),
        |most, it| if it.0 > most.0 { it } else { most },
    );
    let decibels = |ratio: f64| 20.0 * ratio.log10();
    (decibels(tone / AMPLITUDE), decibels(tone / rest))
}

fn tone(hz: f64, rate: u32) -> Vec<i16> {
    let step = hz * TAU / f64::from(rate);
    (0..rate)
        .map(|at| (AMPLITUDE * (f64::from(at) * step).sin()) as i16)
        .collect()
}

const HIGH: f64 = 6_010.0;
const AMPLITUDE: f64 = 8_000.0;

/// Every way in which sound can be wide.
const WIRES: [(&str, &str); 4] = [
    ("plivo_wide", "sound = \"l16\""),
    ("telnyx_wide", "sound = \"l16\""),
    ("telnyx_wide", "sound = \"g722\""),
    ("telnyx_wide", "sound = \"opus\""),
];
