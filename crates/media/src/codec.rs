use std::fmt;

use audio_codec::Encoder as _;
use audio_codec::g722::{G722Decoder, G722Encoder};
use ropus::{Application, Bitrate, Channels, DecodeMode};

use crate::{Converter, Law, Rate};

/// How samples are written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law, one byte a sample.
    Ulaw,
    /// G.711 A-law, one byte a sample.
    Alaw,
    /// The samples themselves, two bytes each.
    L16(Endian),
    /// ITU-T G.722 at 64 kbit/s: one byte for two samples, always at 16 kHz.
    G722,
    /// Opus (RFC 6716), one channel: a packet for each frame, of no fixed length. Its sound has no
    /// rate of its own; a format's is the one it is decoded to.
    Opus,
}

/// Which of a sample's two bytes comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endian {
    /// The high one, as RFC 3551 has it.
    Big,
    /// The low one.
    Little,
}

/// What one direction of a leg carries: mono sound, in this codec, at this rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// How a sample is written.
    pub codec: Codec,
    /// How many samples a second.
    pub rate: Rate,
}

impl Format {
    /// How many bytes one [`crate::FRAME`] takes; for a codec of no fixed length, at most.
    pub const fn bytes_per_frame(self) -> usize {
        let samples = self.rate.samples_per_frame();
        match self.codec {
            Codec::Ulaw | Codec::Alaw => samples,
            Codec::L16(_) => 2 * samples,
            Codec::G722 => samples / 2,
            Codec::Opus => LONGEST_PACKET,
        }
    }
}

/// Reads the sound of one stream, which must come to it in order and without a gap in a packet.
pub struct Decoder {
    reading: Reading,
    /// To the rate it is wanted at, where that is another.
    conversion: Option<Conversion>,
}

enum Reading {
    G711(Law),
    L16(Endian),
    G722(Box<G722Decoder>),
    Opus {
        decoder: Box<ropus::Decoder>,
        /// The samples of the longest packet there can be.
        longest: usize,
    },
}

/// Writes the sound of one stream.
pub struct Encoder {
    writing: Writing,
    conversion: Option<Conversion>,
    /// A frame that is a little quieter. Kept to be used again.
    softer: Vec<i16>,
}

enum Writing {
    G711(Law),
    L16(Endian),
    G722(Box<G722Encoder>),
    Opus(Box<ropus::Encoder>),
}

struct Conversion {
    converter: Converter,
    samples: Vec<i16>,
}

impl Conversion {
    fn between(from: Rate, to: Rate) -> Option<Self> {
        (from != to).then(|| Self {
            converter: Converter::new(from, to),
            samples: Vec::new(),
        })
    }
}

impl Decoder {
    /// Reads what is written in `format`, and gives samples at `rate`.
    pub fn new(format: Format, rate: Rate) -> Self {
        let reading = match format.codec {
            Codec::Ulaw => Reading::G711(Law::Mu),
            Codec::Alaw => Reading::G711(Law::A),
            Codec::L16(endian) => Reading::L16(endian),
            Codec::G722 => Reading::G722(Box::default()),
            Codec::Opus => Reading::Opus {
                decoder: ropus::Decoder::new(format.rate.hz(), Channels::Mono)
                    .map(Box::new)
                    .expect("Opus has each of our rates"),
                longest: LONGEST_FRAMES * format.rate.samples_per_frame(),
            },
        };
        Self {
            reading,
            conversion: Conversion::between(format.rate, rate),
        }
    }

    /// Decodes one packet onto the end of `samples`. One that cannot be read gives nothing, as if it
    /// had been lost.
    pub fn decode_into(&mut self, bytes: &[u8], samples: &mut Vec<i16>) {
        match &mut self.conversion {
            None => self.reading.read(bytes, samples),
            Some(Conversion {
                converter,
                samples: before,
            }) => {
                before.clear();
                self.reading.read(bytes, before);
                converter.convert(before, samples);
            }
        }
    }
}

impl Reading {
    fn read(&mut self, bytes: &[u8], samples: &mut Vec<i16>) {
        match self {
            Self::G711(law) => law.decode_into(bytes, samples),
            Self::L16(Endian::Big) => {
                samples.extend(bytes.as_chunks().0.iter().copied().map(i16::from_be_bytes));
            }
            Self::L16(Endian::Little) => {
                samples.extend(bytes.as_chunks().0.iter().copied().map(i16::from_le_bytes));
            }
            Self::G722(decoder) => {
                fill(samples, 2 * bytes.len(), |room| {
                    decoder.decode_frame_into(bytes, room).ok()
                });
            }
            // Nothing would be read as a request to make something up.
            Self::Opus { .. } if bytes.is_empty() => {}
            Self::Opus { decoder, longest } => {
                fill(samples, *longest, |room| {
                    decoder.decode(bytes, room, DecodeMode::Normal).ok()
                });
            }
        }
    }
}

impl Encoder {
    /// Takes samples at `rate`, and writes them in `format`.
    pub fn new(format: Format, rate: Rate) -> Self {
        let writing = match format.codec {
            Codec::Ulaw => Writing::G711(Law::Mu),
            Codec::Alaw => Writing::G711(Law::A),
            Codec::L16(endian) => Writing::L16(endian),
            Codec::G722 => Writing::G722(Box::default()),
            Codec::Opus => Writing::Opus(Box::new(opus(format.rate))),
        };
        Self {
            writing,
            conversion: Conversion::between(rate, format.rate),
            softer: Vec::new(),
        }
    }

    /// Encodes one [`crate::FRAME`], which must be whole, onto the end of `bytes`.
    pub fn encode_into(&mut self, frame: &[i16], bytes: &mut Vec<u8>) {
        let Self {
            writing,
            conversion,
            softer,
        } = self;
        let frame = match conversion {
            None => frame,
            Some(Conversion { converter, samples }) => {
                samples.clear();
                converter.convert(frame, samples);
                samples
            }
        };
        match writing {
            Writing::G711(law) => law.encode_into(frame, bytes),
            Writing::L16(Endian::Big) => bytes.extend(frame.iter().flat_map(|it| it.to_be_bytes())),
            Writing::L16(Endian::Little) => {
                bytes.extend(frame.iter().flat_map(|it| it.to_le_bytes()));
            }
            Writing::G722(encoder) => {
                softer.clear();
                softer.extend(
                    frame
                        .iter()
                        .map(|it| ((i32::from(*it) * SOFTER) >> 15) as i16),
                );
                fill(bytes, frame.len() / 2, |room| {
                    encoder.encode_into(softer, room).ok()
                });
            }
            Writing::Opus(encoder) => {
                fill(bytes, LONGEST_PACKET, |room| {
                    encoder.encode(frame, room).ok()
                });
            }
        }
    }
}

impl fmt::Debug for Decoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decoder").finish_non_exhaustive()
    }
}

impl fmt::Debug for Encoder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Encoder").finish_non_exhaustive()
    }
}

fn opus(rate: Rate) -> ropus::Encoder {
    ropus::Encoder::builder(rate.hz(), Channels::Mono, Application::Voip)
        .bitrate(Bitrate::Bits(BITS_PER_SECOND))
        .complexity(COMPLEXITY)
        .build()
        .expect("Opus has each of our rates, and these settings")
}

/// Makes room at the end of `list`, and keeps as much of it as was filled.
fn fill<T: Copy + Default>(
    list: &mut Vec<T>,
    room: usize,
    filled: impl FnOnce(&mut [T]) -> Option<usize>,
) {
    let before = list.len();
    list.resize(before + room, T::default());
    let filled = filled(&mut list[before..]).unwrap_or(0);
    list.truncate(before + filled.min(room));
}

/// One Opus frame is never longer (RFC 6716, 3.2.1).
const LONGEST_PACKET: usize = 1_275;
/// One Opus packet has at most 120 ms of sound in it.
const LONGEST_FRAMES: usize = 6;
/// Where speech at 16 kHz leaves little to be wished for.
const BITS_PER_SECOND: u32 = 32_000;
/// Of 10: more takes longer than it is worth on the telephone.
const COMPLEXITY: u8 = 5;
/// One decibel less, of 32768: the loudest sound there is makes some decoders of G.722 overflow.
const SOFTER: i32 = 29_204;
