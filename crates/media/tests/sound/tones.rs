//! A tone in is the same tone out, through each codec and rate, both ways.

use media::{Codec, Endian, Format, Rate, Setup};

use crate::line::{Call, ms, setup, tone};

/// How strong a tone is in a sound, as an amplitude, and how strong everything is.
fn strengths(sound: &[i16], rate: Rate, hz: f64) -> (f64, f64) {
    let step = hz * std::f64::consts::TAU / f64::from(rate.hz());
    let (mut re, mut im, mut power) = (0.0, 0.0, 0.0);
    for (i, &sample) in sound.iter().enumerate() {
        let sample = f64::from(sample);
        re += sample * (i as f64 * step).cos();
        im += sample * (i as f64 * step).sin();
        power += sample * sample;
    }
    let n = sound.len() as f64;
    (re.hypot(im) * 2.0 / n, (power * 2.0 / n).sqrt())
}

#[test]
fn a_tone_goes_through_both_ways() {
    for codec in [Codec::Ulaw, Codec::Alaw] {
        for rate in [Rate::Hz8000, Rate::Hz16000, Rate::Hz24000, Rate::Hz48000] {
            for hz in [150.0, 400.0, 1_000.0, 3_400.0] {
                for amplitude in [300.0, 3_000.0, 30_000.0] {
                    let mut call = Call::new(Setup {
                        format: Format { codec, rate },
                        spoken: Format { codec, rate },
                        ..setup()
                    });
                    let sound = tone(rate, hz, amplitude, ms(1_000));
                    call.says(1, &sound);
                    call.hears(&sound);
                    let what = format!("{codec:?} {rate:?} {hz} Hz at {amplitude}");
                    for (way, out) in [("heard", call.heard.clone()), ("sent", call.sent_samples())]
                    {
                        let cut = rate.samples_in(ms(100));
                        let (tone, all) = strengths(&out[cut..out.len() - cut], rate, hz);
                        assert!(
                            (tone / amplitude - 1.0).abs() < 0.02,
                            "{what}, {way}: {tone}"
                        );
                        let noise = (all * all - tone * tone).max(0.0).sqrt();
                        assert!(noise < tone * 0.03, "{what}, {way}: noise {noise}");
                    }
                }
            }
        }
    }
}

/// Each codec, the highest tone it carries, how much weaker than the tone all else is, in dB, and how much
/// of the tone may be missing.
const WIDE: [(Codec, f64, f64, f64); 4] = [
    (Codec::L16(Endian::Big), 7_000.0, 70.0, 0.01),
    (Codec::L16(Endian::Little), 7_000.0, 70.0, 0.01),
    (Codec::G722, 6_000.0, 12.0, 1.5),
    (Codec::Opus, 6_000.0, 12.0, 1.5),
];

fn wide(codec: Codec) -> Format {
    Format {
        codec,
        rate: Rate::Hz16000,
    }
}

/// A tone in dB against what it should be, and how far everything else is below it.
fn purity(sound: &[i16], rate: Rate, hz: f64, amplitude: f64) -> (f64, f64) {
    let cut = rate.samples_in(ms(200));
    let (tone, all) = strengths(&sound[cut..sound.len() - cut], rate, hz);
    let rest = (all * all - tone * tone).max(1e-6).sqrt();
    (
        20.0 * (tone / amplitude).log10(),
        20.0 * (tone / rest).log10(),
    )
}

#[test]
fn a_tone_above_the_telephone_band_goes_through_both_ways() {
    for (codec, highest, clean, less) in WIDE {
        for hz in [400.0, 1_000.0, 3_400.0, 6_000.0, highest] {
            for amplitude in [3_000.0, 12_000.0] {
                let mut call = Call::new(Setup {
                    format: wide(codec),
                    spoken: wide(codec),
                    ..setup()
                });
                let sound = tone(Rate::Hz16000, hz, amplitude, ms(1_000));
                call.says(1, &sound);
                call.hears(&sound);
                for (way, out) in [("heard", call.heard.clone()), ("sent", call.sent_samples())] {
                    let (tone, snr) = purity(&out, Rate::Hz16000, hz, amplitude);
                    println!(
                        "{codec:?} {hz} Hz at {amplitude}, {way}: {tone:.2} dB, {snr:.1} dB above the rest"
                    );
                    assert!(tone.abs() <= less, "{codec:?} {hz} Hz, {way}: {tone} dB");
                    assert!(snr >= clean, "{codec:?} {hz} Hz, {way}: {snr} dB");
                }
            }
        }
    }
}

#[test]
fn what_comes_in_one_way_and_goes_out_in_another_runs_at_the_better_rate() {
    let narrow = Format {
        codec: Codec::Alaw,
        rate: Rate::Hz8000,
    };
    for codec in [Codec::L16(Endian::Big), Codec::G722, Codec::Opus] {
        for (format, spoken) in [(narrow, wide(codec)), (wide(codec), narrow)] {
            let setup = Setup {
                format,
                spoken,
                ..setup()
            };
            assert_eq!(setup.rate(), Rate::Hz16000);
            let mut call = Call::new(setup);
            let sound = tone(Rate::Hz16000, 1_000.0, 6_000.0, ms(1_000));
            call.says(1, &sound);
            call.hears(&sound);
            assert_eq!(call.heard.len(), sound.len());
            assert_eq!(call.sent_samples().len(), sound.len());
            for out in [&call.heard, &call.sent_samples()] {
                let (tone, snr) = purity(out, Rate::Hz16000, 1_000.0, 6_000.0);
                assert!(tone.abs() < 1.5 && snr > 15.0, "{codec:?}: {tone} {snr}");
            }
        }
    }
}

/// The one mistake with L16 that nobody is told of: it is noise, and loud.
#[test]
fn bytes_in_the_wrong_order_are_no_tone() {
    let mut call = Call::new(Setup {
        format: wide(Codec::L16(Endian::Big)),
        spoken: wide(Codec::L16(Endian::Big)),
        ..setup()
    });
    let swapped: Vec<i16> = tone(Rate::Hz16000, 440.0, 3_000.0, ms(1_000))
        .iter()
        .map(|it| it.swap_bytes())
        .collect();
    call.hears(&swapped);
    let (_, snr) = purity(&call.heard, Rate::Hz16000, 440.0, 3_000.0);
    assert!(snr < 0.0, "{snr}");
}

#[test]
fn keys_are_heard_in_every_wide_codec() {
    for (codec, ..) in WIDE {
        let mut call = Call::new(Setup {
            format: wide(codec),
            spoken: wide(codec),
            ..setup()
        });
        call.silence(ms(500));
        for (row, column) in [(697.0, 1_209.0), (941.0, 1_633.0)] {
            let low = tone(Rate::Hz16000, row, 5_000.0, ms(80));
            let high = tone(Rate::Hz16000, column, 5_000.0, ms(80));
            let key: Vec<i16> = low.iter().zip(&high).map(|(a, b)| a + b).collect();
            call.hears(&key).silence(ms(80));
        }
        assert_eq!(call.keys, "1D", "{codec:?}");
    }
}

#[test]
fn keys_are_heard_at_every_rate() {
    for rate in [Rate::Hz8000, Rate::Hz16000, Rate::Hz24000, Rate::Hz48000] {
        let format = Format {
            codec: Codec::Alaw,
            rate,
        };
        let mut call = Call::new(Setup {
            format,
            spoken: format,
            ..setup()
        });
        call.silence(ms(500));
        for (row, column) in [
            (697.0, 1_209.0),
            (770.0, 1_336.0),
            (852.0, 1_477.0),
            (941.0, 1_633.0),
        ] {
            let low = tone(rate, row, 5_000.0, ms(80));
            let high = tone(rate, column, 5_000.0, ms(80));
            let key: Vec<i16> = low.iter().zip(&high).map(|(a, b)| a + b).collect();
            call.hears(&key).silence(ms(80));
        }
        assert_eq!(call.keys, "159D", "{rate:?}");
        assert_eq!(call.edges, [], "{rate:?}: keys are not speech");
    }
}
