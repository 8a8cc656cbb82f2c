//! Sound as a gateway hears and makes it: the textbook form of G.711 µ-law, and tones.

/// The samples that µ-law codes stand for.
pub(crate) fn decode(codes: &[u8]) -> Vec<i16> {
    codes
        .iter()
        .map(|code| {
            let bits = !code;
            let magnitude = (((i32::from(bits & 0x0F) << 3) + 0x84) << ((bits >> 4) & 7)) - 0x84;
            (if bits & 0x80 == 0 {
                magnitude
            } else {
                -magnitude
            }) as i16
        })
        .collect()
}

/// The µ-law codes of samples.
pub(crate) fn encode(sound: &[i16]) -> Vec<u8> {
    sound.iter().map(|sample| code(*sample)).collect()
}

fn code(sample: i16) -> u8 {
    let sign = if sample < 0 { 0x80 } else { 0 };
    let magnitude = i32::from(sample).abs().min(32_635) + 0x84;
    let exponent = (31 - (magnitude as u32).leading_zeros())
        .saturating_sub(7)
        .min(7);
    let mantissa = ((magnitude >> (exponent + 3)) & 0x0F) as u8;
    !(sign | ((exponent as u8) << 4) | mantissa)
}

/// A tone of so many milliseconds.
pub(crate) fn tone(length: usize, frequency: f64) -> Vec<i16> {
    (0..length * 8)
        .map(|index| {
            ((index as f64 / 8_000.0 * frequency * std::f64::consts::TAU).sin() * 8_000.0) as i16
        })
        .collect()
}

pub(crate) fn loud(sound: &[i16]) -> bool {
    sound
        .iter()
        .filter(|sample| sample.unsigned_abs() > 1_000)
        .count()
        > sound.len() / 8
}
