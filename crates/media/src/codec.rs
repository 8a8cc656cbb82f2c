use crate::Rate;

/// How samples are written on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// G.711 µ-law, one byte a sample.
    Ulaw,
    /// G.711 A-law, one byte a sample.
    Alaw,
}

/// What one leg of a call carries: mono sound, in this codec, at this rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// How a sample is written.
    pub codec: Codec,
    /// How many samples a second.
    pub rate: Rate,
}
