/// The two laws of ITU-T G.711: a byte a sample, finer where it is quiet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law, of North America and Japan.
    Mu,
    /// A-law, of everywhere else.
    A,
}

impl Law {
    /// The byte that stands for silence.
    pub const fn silence(self) -> u8 {
        match self {
            Self::Mu => 0xff,
            Self::A => 0xd5,
        }
    }

    /// One sample from its byte (ITU-T G.711, scaled to 16 bits).
    pub const fn decode(self, byte: u8) -> i16 {
        match self {
            Self::Mu => ULAW_DECODE[byte as usize],
            Self::A => ALAW_DECODE[byte as usize],
        }
    }

    /// One sample as its byte. Rounds as the ITU's own reference (G.191) does: µ-law drops the two
    /// lowest bits of a sample and A-law the four lowest, before looking for the nearest step.
    pub const fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Mu => ULAW_ENCODE[ulaw_row(sample)],
            Self::A => ALAW_ENCODE[alaw_row(sample)],
        }
    }

    /// Decodes `bytes` onto the end of `samples`.
    pub fn decode_into(self, bytes: &[u8], samples: &mut Vec<i16>) {
        let table = match self {
            Self::Mu => &ULAW_DECODE,
            Self::A => &ALAW_DECODE,
        };
        samples.extend(bytes.iter().map(|&byte| table[usize::from(byte)]));
    }

    /// Encodes `samples` onto the end of `bytes`.
    pub fn encode_into(self, samples: &[i16], bytes: &mut Vec<u8>) {
        match self {
            Self::Mu => bytes.extend(samples.iter().map(|&it| ULAW_ENCODE[ulaw_row(it)])),
            Self::A => bytes.extend(samples.iter().map(|&it| ALAW_ENCODE[alaw_row(it)])),
        }
    }
}

const fn ulaw_row(sample: i16) -> usize {
    (sample as u16 >> 2) as usize
}

const fn alaw_row(sample: i16) -> usize {
    (sample as u16 >> 4) as usize
}

static ULAW_DECODE: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = ulaw_decode(byte as u8);
        byte += 1;
    }
    table
};

static ALAW_DECODE: [i16; 256] = {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        table[byte] = alaw_decode(byte as u8);
        byte += 1;
    }
    table
};

static ULAW_ENCODE: [u8; 1 << 14] = {
    let mut table = [0; 1 << 14];
    let mut row = 0;
    while row < table.len() {
        table[row] = ulaw_encode((row << 2) as u16 as i16);
        row += 1;
    }
    table
};

static ALAW_ENCODE: [u8; 1 << 12] = {
    let mut table = [0; 1 << 12];
    let mut row = 0;
    while row < table.len() {
        table[row] = alaw_encode((row << 4) as u16 as i16);
        row += 1;
    }
    table
};

const fn ulaw_decode(byte: u8) -> i16 {
    let byte = !byte;
    let exponent = (byte >> 4) & 7;
    let magnitude = ((((byte & 15) as i32) << 3) + ULAW_BIAS) << exponent;
    let magnitude = (magnitude - ULAW_BIAS) as i16;
    if byte & 0x80 == 0 {
        magnitude
    } else {
        -magnitude
    }
}

const fn ulaw_encode(sample: i16) -> u8 {
    // Negative samples are mirrored by complement, not by sign: that is the reference's rounding.
    let magnitude = if sample < 0 { !sample } else { sample };
    let magnitude = (magnitude >> 2) as i32 + (ULAW_BIAS >> 2);
    let magnitude = if magnitude > 0x1fff {
        0x1fff
    } else {
        magnitude
    };
    let exponent = 26 - magnitude.leading_zeros() as i32;
    let mantissa = (magnitude >> (exponent + 1)) & 15;
    let sign = if sample < 0 { 0x80 } else { 0 };
    !(sign | (exponent << 4) | mantissa) as u8
}

const fn alaw_decode(byte: u8) -> i16 {
    let byte = byte ^ 0x55;
    let exponent = (byte >> 4) & 7;
    let mantissa = ((byte & 15) as i16) << 4;
    let magnitude = if exponent == 0 {
        mantissa + 8
    } else {
        (mantissa + 0x108) << (exponent - 1)
    };
    if byte & 0x80 == 0 {
        -magnitude
    } else {
        magnitude
    }
}

const fn alaw_encode(sample: i16) -> u8 {
    let magnitude = (if sample < 0 { !sample } else { sample }) >> 4;
    let code = if magnitude < 32 {
        magnitude
    } else {
        let exponent = 12 - magnitude.leading_zeros() as i16;
        (exponent << 4) | ((magnitude >> (exponent - 1)) & 15)
    };
    let sign = if sample < 0 { 0 } else { 0x80 };
    (code as u8 | sign) ^ 0x55
}

/// Added to a magnitude so that every µ-law segment starts at a power of two.
const ULAW_BIAS: i32 = 132;

#[cfg(test)]
mod tests {
    use super::*;

    fn oracle(name: &str) -> Vec<u8> {
        let path = format!(
            "{}/../../../shared/oracles/g711/{name}",
            env!("CARGO_MANIFEST_DIR")
        );
        std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
    }

    fn decoded(name: &str) -> Vec<i16> {
        let text = String::from_utf8(oracle(name)).unwrap();
        let numbers = text.split(|it: char| !(it.is_ascii_digit() || it == '-'));
        numbers
            .filter(|it| !it.is_empty())
            .map(|it| it.parse().unwrap())
            .collect()
    }

    #[test]
    fn every_byte_decodes_as_everyone_decodes_it() {
        for (law, name) in [(Law::Mu, "ulaw-decode.json"), (Law::A, "alaw-decode.json")] {
            let ours: Vec<i16> = (0..=255).map(|byte| law.decode(byte)).collect();
            assert_eq!(ours, decoded(name), "{law:?}");
        }
    }

    #[test]
    fn every_sample_encodes_as_the_itu_encodes_it() {
        for (law, name) in [
            (Law::Mu, "itu-ulaw-encode.bin"),
            (Law::A, "itu-alaw-encode.bin"),
        ] {
            let theirs = oracle(name);
            assert_eq!(theirs.len(), 1 << 16);
            let wrong = (i16::MIN..=i16::MAX)
                .filter(|&it| law.encode(it) != theirs[(i32::from(it) + 32_768) as usize]);
            assert_eq!(wrong.count(), 0, "{law:?}");
        }
    }

    #[test]
    fn every_byte_survives_a_round_trip() {
        for law in [Law::Mu, Law::A] {
            for byte in 0..=255 {
                // In µ-law 0x7f is "minus zero": it decodes to the same sample as 0xff.
                if (law, byte) != (Law::Mu, 0x7f) {
                    assert_eq!(law.encode(law.decode(byte)), byte, "{law:?}");
                }
            }
            assert!(law.decode(law.silence()).abs() <= 8);
        }
    }
}
