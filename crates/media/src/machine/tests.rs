use super::*;

/// A tone of so many hertz and milliseconds, with this peak.
fn tone(hz: &[f32], ms: usize, peak: f32) -> Vec<i16> {
    let sample = |i: usize| {
        let time = i as f32 / 8_000.0;
        let sum: f32 = hz
            .iter()
            .map(|hz| (std::f32::consts::TAU * hz * time).sin())
            .sum();
        (sum * peak) as i16
    };
    (0..ms * 8).map(sample).collect()
}

/// Something with the pace of speech: voiced bursts of 100 ms with as much between them.
fn talk(ms: usize) -> Vec<i16> {
    let mut phase = 0.0f32;
    (0..ms * 8)
        .map(|i| {
            let time = i as f32 / 8_000.0;
            phase += (120.0 + 30.0 * (time * 6.0).sin()) / 8_000.0;
            let voice: f32 = (1..18)
                .map(|k| (phase * k as f32 * std::f32::consts::TAU).sin() / k as f32)
                .sum();
            let syllable = (time * 5.0 * std::f32::consts::TAU).sin().max(0.0);
            (voice * syllable * 5_000.0) as i16
        })
        .collect()
}

fn quiet(ms: usize) -> Vec<i16> {
    vec![0; ms * 8]
}

/// What is found, each with the time it was found at in milliseconds.
fn findings(parts: &[Vec<i16>]) -> Vec<(u128, Finding)> {
    let mut machine = Machine::default();
    let sound = parts.concat();
    let found = |(i, frame): (usize, &[i16])| {
        let at = (FRAME * (i as u32 + 1)).as_millis();
        machine.push(frame, false).map(|it| (at, it))
    };
    sound.chunks(160).enumerate().filter_map(found).collect()
}

fn answerer(parts: &[Vec<i16>]) -> (u128, Answerer) {
    match findings(parts)[0] {
        (at, Finding::Answered(answerer, evidence)) => {
            assert_eq!(at, evidence.at.as_millis());
            (at, answerer)
        }
        (_, Finding::GreetingEnded(_)) => panic!("a verdict comes first"),
    }
}

fn beeps(sound: &[i16]) -> Vec<Beep> {
    let mut beeps = Beeps::default();
    let mut padded = sound.to_vec();
    padded.extend(quiet(600));
    let beep = |frame| beeps.push(frame, false).beep;
    padded.chunks(160).filter_map(beep).collect()
}

#[test]
fn who_says_little_and_waits_is_a_person() {
    let (at, who) = answerer(&[quiet(600), talk(500), quiet(3_000)]);
    assert_eq!(who, Answerer::Human);
    assert!((1_860..=1_960).contains(&at), "{at}");
}

#[test]
fn who_speaks_on_is_a_machine_and_its_greeting_ends_with_the_beep() {
    let found = findings(&[
        quiet(400),
        talk(6_000),
        quiet(700),
        tone(&[1_000.0], 400, 6_000.0),
        quiet(500),
    ]);
    let [
        (verdict, Finding::Answered(Answerer::Machine, evidence)),
        (ended, Finding::GreetingEnded(Ending::Beep(beep))),
    ] = found[..]
    else {
        panic!("{found:?}");
    };
    assert!(verdict <= 4_500, "{verdict}");
    assert!(
        evidence
            .speech
            .is_some_and(|it| it <= Duration::from_millis(460))
    );
    assert!(evidence.bursts >= 10, "{evidence:?}");
    assert!((998..=1_002).contains(&beep.hz), "{beep:?}");
    assert!(beep.at.as_millis().abs_diff(7_100) <= 20, "{beep:?}");
    assert!(beep.length.as_millis().abs_diff(400) <= 40, "{beep:?}");
    assert!((7_500..=7_620).contains(&ended), "{ended}");
}

#[test]
fn a_beep_says_at_once_that_it_is_a_machine_and_that_it_has_greeted() {
    let beep = tone(&[700.0], 300, 3_000.0);
    let found = findings(&[quiet(300), talk(900), quiet(400), beep, quiet(400)]);
    assert!(matches!(
        found[..],
        [
            (
                _,
                Finding::Answered(Answerer::Machine, Evidence { beep: Some(_), .. })
            ),
            (_, Finding::GreetingEnded(Ending::Beep(_))),
        ]
    ));
}

#[test]
fn who_says_nothing_is_unknown_within_the_time() {
    assert_eq!(answerer(&[quiet(5_000)]), (2_500, Answerer::Unknown));
}

#[test]
fn a_greeting_without_a_beep_ends_with_silence() {
    let found = findings(&[quiet(200), talk(5_000), quiet(3_000)]);
    let [_, (at, Finding::GreetingEnded(Ending::Silence))] = found[..] else {
        panic!("{found:?}");
    };
    assert!((7_100..=7_260).contains(&at), "{at}");
}

#[test]
fn a_greeting_that_never_ends_is_waited_for_no_longer_than_a_minute() {
    let found = findings(&[talk(70_000)]);
    assert!(matches!(
        found[..],
        [_, (60_000, Finding::GreetingEnded(Ending::Endless))]
    ));
}

#[test]
fn beeps_of_every_height_length_and_loudness_are_heard() {
    for hz in [350.0, 425.0, 512.5, 800.0, 987.0, 1_000.0, 1_400.0, 1_993.0] {
        for (ms, peak) in [(220, 900.0), (200, 12_000.0), (500, 3_000.0)] {
            let heard = beeps(&[quiet(313), tone(&[hz], ms, peak)].concat());
            let [beep] = heard[..] else {
                panic!("{hz} Hz, {ms} ms: {heard:?}");
            };
            assert!((beep.hz as f32 - hz).abs() < 6.0, "{hz}: {beep:?}");
        }
    }
}

#[test]
fn other_tones_are_no_beeps() {
    let none: [(&str, Vec<i16>); 9] = [
        ("key 5", tone(&[770.0, 1_336.0], 200, 4_000.0)),
        ("key D", tone(&[941.0, 1_633.0], 300, 4_000.0)),
        (
            "ringing, North America",
            tone(&[440.0, 480.0], 2_000, 3_000.0),
        ),
        (
            "ringing, United Kingdom",
            tone(&[400.0, 450.0], 400, 3_000.0),
        ),
        ("ringing, Europe", tone(&[425.0], 1_000, 3_000.0)),
        ("busy, North America", tone(&[480.0, 620.0], 500, 3_000.0)),
        ("a blip", tone(&[1_000.0], 60, 6_000.0)),
        ("a hum", tone(&[1_000.0], 4_000, 6_000.0)),
        (
            "special information",
            [
                tone(&[950.0], 330, 5_000.0),
                tone(&[1_400.0], 330, 5_000.0),
                tone(&[1_800.0], 330, 5_000.0),
            ]
            .concat(),
        ),
    ];
    for (what, sound) in none {
        assert_eq!(beeps(&sound), [], "{what}");
    }
    assert_eq!(beeps(&talk(20_000)), []);
}

#[test]
fn tones_are_not_taken_for_a_greeting() {
    let ringing = tone(&[440.0, 480.0], 2_000, 3_000.0);
    let (_, who) = answerer(&[ringing, quiet(4_000)]);
    assert_ne!(who, Answerer::Machine);
}
