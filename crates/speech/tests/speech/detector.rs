//! Speech told from other sound, for many calls at once.

use std::time::Duration;

use media::WINDOW;
use ports::speech::{SpeechDetector, Verdict};
use speech::local::Detector;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::kit::{models, noise, prompt, tones};

#[tokio::test]
async fn speech_is_told_from_the_sounds_of_a_telephone() {
    let detector = Detector::start(&models()).expect("all models are there");
    let speech = judged(&detector, &prompt("ss-noservice")).await;
    println!("speech: {:.2} of the windows", share(&speech));
    assert!(share(&speech) > 0.7);
    let sounds = [
        ("DTMF", tones(&[770.0, 1336.0], 3.0)),
        ("ring-back", tones(&[440.0, 480.0], 3.0)),
        ("hum", tones(&[60.0], 3.0)),
        ("noise", noise(2_000, 3.0)),
        ("silence", vec![0; 24_000]),
    ];
    for (name, sound) in sounds {
        let verdicts = judged(&detector, &sound).await;
        println!("{name}: {:.2} of the windows", share(&verdicts));
        assert!(share(&verdicts) < 0.02, "{name} is taken for speech");
    }
}

#[tokio::test]
async fn many_calls_at_once_are_judged_as_each_alone() {
    let detector = Detector::start(&models()).expect("all models are there");
    let sounds = [
        "vm-sorry",
        "vm-nobodyavail",
        "dir-instr",
        "vm-forward",
        "conf-invalid",
        "vm-review",
    ];
    let mut alone = Vec::new();
    for name in sounds {
        alone.push(judged(&detector, &prompt(name)[..WINDOW * 60]).await);
    }
    // All windows of a moment are handed in before anyone reads a verdict, as calls would.
    let mut calls: Vec<_> = (0..48)
        .map(|n| {
            let (tx, rx) = mpsc::channel(64);
            (detector.open(tx), rx, prompt(sounds[n % sounds.len()]))
        })
        .collect();
    let mut together: Vec<Vec<Verdict>> = vec![Vec::new(); calls.len()];
    for window in 0..60 {
        for (windows, _, sound) in &mut calls {
            assert!(windows.submit(window as u64, chunk(sound, window)));
        }
        for ((_, rx, _), verdicts) in calls.iter_mut().zip(&mut together) {
            verdicts.push(next(rx).await);
        }
    }
    let mut worst = 0.0_f32;
    for (n, verdicts) in together.iter().enumerate() {
        let single = &alone[n % sounds.len()];
        for (one, other) in verdicts.iter().zip(single) {
            assert_eq!(one.window, other.window);
            worst = worst.max((one.probability - other.probability).abs());
        }
    }
    println!("the greatest difference is {worst}");
    assert!(worst < 1e-3, "the greatest difference is {worst}");
}

#[tokio::test]
async fn after_a_gap_the_past_is_forgotten() {
    let detector = Detector::start(&models()).expect("all models are there");
    let sound = prompt("vm-nobodyavail");
    let fresh = judged(&detector, &sound[WINDOW * 20..WINDOW * 21]).await;
    let (tx, mut rx) = mpsc::channel(64);
    let mut windows = detector.open(tx);
    for n in 0..20 {
        assert!(windows.submit(n as u64, chunk(&sound, n)));
        next(&mut rx).await;
    }
    assert!(windows.submit(500, chunk(&sound, 20)));
    let after = next(&mut rx).await;
    assert!((after.probability - fresh[0].probability).abs() < 1e-3);
}

#[tokio::test]
async fn a_call_that_reads_nothing_stops_nobody() {
    let detector = Detector::start(&models()).expect("all models are there");
    let sound = prompt("vm-nobodyavail");
    let (deaf, _unread) = mpsc::channel(1);
    let mut deaf = detector.open(deaf);
    let mut refused = 0;
    for n in 0..5_000 {
        refused += u32::from(!deaf.submit(n, chunk(&sound, 3)));
    }
    println!("{refused} of 5000 windows at once were refused");
    let (tx, mut rx) = mpsc::channel(8);
    let mut other = detector.open(tx);
    // The queue may still be full; it empties by itself.
    while !other.submit(0, chunk(&sound, 20)) {
        tokio::task::yield_now().await;
    }
    assert_eq!(next(&mut rx).await.window, 0);
}

async fn judged(detector: &Detector, sound: &[i16]) -> Vec<Verdict> {
    let (tx, mut rx) = mpsc::channel(8);
    let mut windows = detector.open(tx);
    let mut verdicts = Vec::new();
    for n in 0..sound.len() / WINDOW {
        assert!(windows.submit(n as u64, chunk(sound, n)));
        verdicts.push(next(&mut rx).await);
    }
    verdicts
}

async fn next(rx: &mut mpsc::Receiver<Verdict>) -> Verdict {
    let verdict = timeout(Duration::from_secs(60), rx.recv()).await;
    verdict
        .expect("a verdict comes")
        .expect("the detector lives")
}

fn chunk(sound: &[i16], n: usize) -> &[i16; WINDOW] {
    let piece = &sound[n * WINDOW..(n + 1) * WINDOW];
    piece.try_into().expect("it was cut to that length")
}

fn share(verdicts: &[Verdict]) -> f64 {
    let speech = verdicts.iter().filter(|it| it.probability > 0.5).count();
    speech as f64 / verdicts.len() as f64
}
