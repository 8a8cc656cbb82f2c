//! A tone in is the same tone out, through each codec and rate, both ways.

use media::{Codec, Format, Rate, Setup};

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
                        spoken: codec,
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

#[test]
fn keys_are_heard_at_every_rate() {
    for rate in [Rate::Hz8000, Rate::Hz16000, Rate::Hz24000, Rate::Hz48000] {
        let mut call = Call::new(Setup {
            format: Format {
                codec: Codec::Alaw,
                rate,
            },
            spoken: Codec::Alaw,
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
