//! The codecs of a media stream, from the carrier's side.

use super::body::Spoken;
use crate::ear::{FRAME, Frame, RATE, WIDE_FRAME, WIDE_RATE};
use crate::g711::Law;
use crate::line::{Fit, Line};
use crate::narrow::Widener;
use audio_codec::Encoder as _;
use audio_codec::g722::{G722Decoder, G722Encoder};
use ropus::{Application, Channels, DecodeMode};

/// Sound as the person hears it.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sound {
    Narrow(Vec<i16>),
    Wide(Vec<i16>),
}

impl Sound {
    pub(super) fn play(self, line: &mut Line) -> Fit {
        match self {
            Self::Narrow(sound) => line.play(sound),
            Self::Wide(sound) => line.play_wide(sound),
        }
    }
}

/// Makes samples of what the application sends.
pub(super) enum Decoder {
    Law(Law),
    Linear8,
    Linear16,
    G722(Box<G722Decoder>),
    Opus(Box<ropus::Decoder>),
}

impl Decoder {
    pub(super) fn new(spoken: Spoken) -> Self {
        match spoken {
            Spoken::Pcmu => Self::Law(Law::Mu),
            Spoken::Pcma => Self::Law(Law::A),
            Spoken::Linear8 => Self::Linear8,
            Spoken::Linear16 => Self::Linear16,
            Spoken::G722 => Self::G722(Box::default()),
            Spoken::Opus => {
                let decoder = ropus::Decoder::new(WIDE_RATE, Channels::Mono);
                Self::Opus(Box::new(decoder.expect("Opus has this rate")))
            }
        }
    }

    /// The sound of one message: from 20 milliseconds to 30 seconds of whole samples, and of Opus one packet.
    pub(super) fn decode(&mut self, codes: &[u8]) -> Result<Sound, &'static str> {
        let (width, rate) = match self {
            Self::Law(_) => (1, RATE),
            // A byte has two samples at 16 kHz: the count is that of the clock.
            Self::G722(_) => (1, RATE),
            Self::Linear8 => (2, RATE),
            Self::Linear16 => (2, WIDE_RATE),
            Self::Opus(decoder) => {
                let mut sound = vec![0; LONGEST_PACKET];
                let samples = decoder
                    .decode(codes, &mut sound, DecodeMode::Normal)
                    .map_err(|_| "this is not a packet of Opus")?;
                if samples < WIDE_FRAME {
                    return Err("a message holds from 20 milliseconds to 30 seconds of sound");
                }
                sound.truncate(samples);
                return Ok(Sound::Wide(sound));
            }
        };
        if !codes.len().is_multiple_of(width) {
            return Err("half a sample is left over");
        }
        let (samples, rate) = (codes.len() / width, rate as usize);
        if samples * 50 < rate || samples > 30 * rate {
            return Err("a message holds from 20 milliseconds to 30 seconds of sound");
        }
        let linear =
            || codes.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect();
        Ok(match self {
            Self::Law(law) => Sound::Narrow(codes.iter().map(|code| law.decode(*code)).collect()),
            Self::Linear8 => Sound::Narrow(linear()),
            Self::Linear16 => Sound::Wide(linear()),
            Self::G722(decoder) => Sound::Wide(decoder.decode_frame(codes)),
            Self::Opus(_) => return Err("this is not a packet of Opus"),
        })
    }
}

/// Writes what the application hears.
pub(super) enum Encoder {
    Law(Law),
    Linear8,
    Linear16(Widener),
    G722(Widener, Box<G722Encoder>),
    Opus(Widener, Box<ropus::Encoder>),
}

impl Encoder {
    /// The encoder of this name, if the carrier has it, and the rate it is said to have.
    pub(super) fn named(codec: &str, wide_linear: bool) -> Option<(Self, u32)> {
        let widener = Widener::default();
        Some(match codec {
            "PCMU" => (Self::Law(Law::Mu), RATE),
            "PCMA" => (Self::Law(Law::A), RATE),
            "L16" if wide_linear => (Self::Linear16(widener), WIDE_RATE),
            "L16" => (Self::Linear8, RATE),
            "G722" => (Self::G722(widener, Box::default()), RATE),
            "OPUS" => {
                let encoder = ropus::Encoder::builder(WIDE_RATE, Channels::Mono, Application::Voip);
                let encoder = encoder.build().expect("Opus has this rate");
                (Self::Opus(widener, Box::new(encoder)), WIDE_RATE)
            }
            _ => return None,
        })
    }

    /// One frame, which is `wide` too where the line carries that.
    pub(super) fn encode(&mut self, sound: &Frame, wide: &[i16]) -> Vec<u8> {
        let linear = |sound: &[i16]| sound.iter().flat_map(|it| it.to_be_bytes()).collect();
        let broad = |widener: &mut Widener| match wide {
            [] => widener.widen(sound),
            wide => wide.to_vec(),
        };
        match self {
            Self::Law(law) => sound.iter().map(|it| law.encode(*it)).collect(),
            Self::Linear8 => linear(sound),
            Self::Linear16(widener) => linear(&broad(widener)),
            Self::G722(widener, encoder) => {
                let mut codes = vec![0; FRAME];
                let written = encoder.encode_into(&broad(widener), &mut codes);
                codes.truncate(written.expect("two samples to a byte"));
                codes
            }
            Self::Opus(widener, encoder) => {
                let mut packet = vec![0; 1_275];
                let written = encoder.encode(&broad(widener), &mut packet);
                packet.truncate(written.expect("20 ms are a frame of Opus"));
                packet
            }
        }
    }
}

/// Samples at 16 kHz: 120 ms.
const LONGEST_PACKET: usize = 1_920;

#[cfg(test)]
mod tests {
    use super::*;

    fn samples(sound: &Sound) -> usize {
        match sound {
            Sound::Narrow(sound) | Sound::Wide(sound) => sound.len(),
        }
    }

    #[test]
    fn sound_is_from_20_milliseconds_to_30_seconds_of_whole_samples() {
        let decoded = |spoken, bytes: usize| {
            Decoder::new(spoken).decode(&vec![0; bytes]).map(|sound| samples(&sound))
        };
        assert_eq!(decoded(Spoken::Pcmu, 160), Ok(160));
        assert_eq!(decoded(Spoken::Pcma, 240_000), Ok(240_000));
        assert_eq!(decoded(Spoken::Linear8, 320), Ok(160));
        assert_eq!(decoded(Spoken::Linear16, 640), Ok(320));
        assert_eq!(decoded(Spoken::G722, 160), Ok(320));
        for (spoken, bytes) in [
            (Spoken::Pcmu, 159),
            (Spoken::Pcmu, 240_001),
            (Spoken::Linear8, 321),
            (Spoken::Linear16, 638),
            (Spoken::G722, 159),
        ] {
            assert!(decoded(spoken, bytes).is_err(), "{spoken:?} {bytes}");
        }
    }

    #[test]
    fn linear_samples_have_their_high_byte_first() {
        let mut decoder = Decoder::new(Spoken::Linear8);
        assert_eq!(decoder.decode(&[1, 2].repeat(160)), Ok(Sound::Narrow(vec![258; 160])));
        let (mut encoder, rate) = Encoder::named("L16", true).unwrap();
        let codes = encoder.encode(&[0; FRAME], &[258; WIDE_FRAME]);
        assert_eq!((codes, rate), ([1, 2].repeat(WIDE_FRAME), WIDE_RATE));
    }

    #[test]
    fn what_one_codec_writes_it_reads() {
        let wide: Vec<i16> = (0..WIDE_FRAME)
            .map(|at| ((at as f64 * 6_000.0 / 16_000.0 * std::f64::consts::TAU).sin() * 8_000.0) as i16)
            .collect();
        for (name, spoken) in [("L16", Spoken::Linear16), ("G722", Spoken::G722), ("OPUS", Spoken::Opus)] {
            let (mut encoder, _) = Encoder::named(name, true).unwrap();
            let mut decoder = Decoder::new(spoken);
            let mut last = None;
            for _ in 0..20 {
                last = decoder.decode(&encoder.encode(&[0; FRAME], &wide)).ok();
            }
            let Some(Sound::Wide(sound)) = last else {
                panic!("{name} is wide");
            };
            let gain = crate::ear::loudness(&sound) / crate::ear::loudness(&wide);
            assert!((0.8..1.2).contains(&gain), "{name}: {gain}");
        }
    }
}
