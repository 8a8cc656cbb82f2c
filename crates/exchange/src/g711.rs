//! G.711 as the exchange speaks it (ITU-T G.711, the integer forms of the ITU's own tool library).
//!
//! The exchange has its own codec so that it judges the gateway's sound by different arithmetic.

/// Which of the two G.711 companding laws a line speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Law {
    /// µ-law, used in North America and Japan.
    Mu,
    /// A-law, used elsewhere.
    A,
}

impl Law {
    /// The code for one 16-bit sample.
    pub fn encode(self, sample: i16) -> u8 {
        match self {
            Self::Mu => encode_mu(sample),
            Self::A => encode_a(sample),
        }
    }

    /// The 16-bit sample a code stands for.
    pub fn decode(self, code: u8) -> i16 {
        match self {
            Self::Mu => MU[code as usize],
            Self::A => A[code as usize],
        }
    }

    /// The code of silence: the one a carrier sends when nobody speaks.
    pub fn silence(self) -> u8 {
        match self {
            Self::Mu => 0xFF,
            Self::A => 0xD5,
        }
    }
}

const fn encode_mu(sample: i16) -> u8 {
    let wide = sample as i32;
    let magnitude = (if wide < 0 { !wide } else { wide } >> 2) + 33;
    let magnitude = if magnitude > 0x1FFF {
        0x1FFF
    } else {
        magnitude
    };
    // The segment is the position of the highest bit above the six that every magnitude fills.
    let segment = 32 - ((magnitude >> 6) as u32).leading_zeros() + 1;
    let code = ((8 - segment) << 4) as u8 | (0x0F - ((magnitude >> segment) & 0x0F) as u8);
    if wide >= 0 { code | 0x80 } else { code }
}

const fn encode_a(sample: i16) -> u8 {
    let wide = sample as i32;
    let mut code = if wide < 0 { !wide } else { wide } >> 4;
    if code > 15 {
        let mut exponent = 1;
        while code > 31 {
            code >>= 1;
            exponent += 1;
        }
        code = code - 16 + (exponent << 4);
    }
    let code = code as u8;
    (if wide >= 0 { code | 0x80 } else { code }) ^ 0x55
}

const fn decode_mu(code: u8) -> i16 {
    let inverted = !code;
    let exponent = ((inverted >> 4) & 7) as i32;
    let mantissa = (inverted & 0x0F) as i32;
    let step = 8 << exponent;
    let magnitude = (0x80 << exponent) + step * mantissa + step / 2 - 4 * 33;
    if code < 0x80 {
        -magnitude as i16
    } else {
        magnitude as i16
    }
}

const fn decode_a(code: u8) -> i16 {
    let bits = (code ^ 0x55) & 0x7F;
    let exponent = (bits >> 4) as i32;
    let mantissa = (bits & 0x0F) as i32 + if exponent > 0 { 16 } else { 0 };
    let magnitude = ((mantissa << 4) + 8) << if exponent > 1 { exponent - 1 } else { 0 };
    if code > 127 {
        magnitude as i16
    } else {
        -magnitude as i16
    }
}

const fn table(law: Law) -> [i16; 256] {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = match law {
            Law::Mu => decode_mu(code as u8),
            Law::A => decode_a(code as u8),
        };
        code += 1;
    }
    table
}

const MU: [i16; 256] = table(Law::Mu);
const A: [i16; 256] = table(Law::A);

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    fn oracle(name: &str) -> Vec<u8> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../../shared/oracles/g711")
            .join(name);
        std::fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
    }

    fn decodes(law: Law, name: &str) {
        let expected: Vec<i16> = serde_json::from_slice(&oracle(name)).unwrap();
        assert_eq!(expected.len(), 256);
        for (code, expected) in expected.iter().enumerate() {
            assert_eq!(law.decode(code as u8), *expected, "{law:?} {code}");
        }
    }

    fn encodes(law: Law, name: &str) {
        let expected = oracle(name);
        assert_eq!(expected.len(), 65_536);
        for (sample, expected) in (i16::MIN..=i16::MAX).zip(expected) {
            assert_eq!(law.encode(sample), expected, "{law:?} {sample}");
        }
    }

    #[test]
    fn decodes_every_code_as_the_tables_say() {
        decodes(Law::Mu, "ulaw-decode.json");
        decodes(Law::A, "alaw-decode.json");
    }

    #[test]
    fn encodes_every_sample_as_the_itu_does() {
        encodes(Law::Mu, "itu-ulaw-encode.bin");
        encodes(Law::A, "itu-alaw-encode.bin");
    }

    #[test]
    fn silence_is_the_code_of_zero() {
        assert_eq!(Law::Mu.decode(Law::Mu.silence()), 0);
        assert_eq!(Law::A.encode(0), Law::A.silence());
    }
}
