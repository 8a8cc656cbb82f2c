//! Sounds, side by side.

use std::fmt;
use std::fs;
use std::path::Path;

/// How far two sounds are from each other, sample by sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Apart {
    pub(super) max: u16,
    pub(super) rms: f64,
}

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} / {:.1}", self.max, self.rms)
    }
}

/// Where in `whole` the stretch begins that is nearest to `part`, at the start of a 20 ms frame, and how
/// far from it that is. Nothing if `whole` is the shorter.
pub(super) fn nearest(part: &[i16], whole: &[i16]) -> Option<(usize, Apart)> {
    let last = whole.len().checked_sub(part.len())?;
    let stretch = |at: usize| &whole[at..at + part.len()];
    let starts = (0..=last).step_by(FRAME);
    let best = starts.min_by_key(|at| squares(part, stretch(*at)))?;
    Some((best, apart(part, stretch(best))))
}

/// Compares two sounds, as far as the shorter goes.
pub(super) fn apart(one: &[i16], other: &[i16]) -> Apart {
    let pairs = one.iter().zip(other);
    let count = one.len().min(other.len()).max(1) as f64;
    Apart {
        max: pairs.map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0),
        rms: (squares(one, other) as f64 / count).sqrt(),
    }
}

/// Whether `written` is what becomes of `sound` in one of the two laws of telephony: a step is at most a
/// sixteenth of the samples in it, and nothing lands further than half of one from where it was.
pub(super) fn is_rounded(written: &[i16], sound: &[i16]) -> bool {
    let mut pairs = written.iter().zip(sound);
    pairs.all(|(a, b)| a.abs_diff(*b) <= b.unsigned_abs() / 32 + SMALLEST)
}

/// Both channels of a recording, the caller's and the agent's.
pub(super) fn recording(path: &Path) -> Result<(Vec<i16>, Vec<i16>), String> {
    let (caller, agent) = samples(&behind_its_head(path)?)
        .chunks_exact(2)
        .map(|both| (both[0], both[1]))
        .unzip();
    Ok((caller, agent))
}

/// A sound of one channel.
pub(super) fn wav(path: &Path) -> Result<Vec<i16>, String> {
    Ok(samples(&behind_its_head(path)?))
}

/// Writes a sound of one channel, as telephones have it.
pub(super) fn write_wav(path: &Path, samples: &[i16]) -> Result<(), String> {
    let length = u32::try_from(2 * samples.len()).map_err(|_| "a sound is too long for a file")?;
    let mut bytes = Vec::with_capacity(HEAD + 2 * samples.len());
    bytes.extend(b"RIFF");
    bytes.extend((length + 36).to_le_bytes());
    bytes.extend(b"WAVEfmt ");
    bytes.extend(16_u32.to_le_bytes());
    // Plain samples, one channel of them.
    bytes.extend([1, 0, 1, 0]);
    bytes.extend(8_000_u32.to_le_bytes());
    bytes.extend(16_000_u32.to_le_bytes());
    // Two bytes each, sixteen bits each.
    bytes.extend([2, 0, 16, 0]);
    bytes.extend(b"data");
    bytes.extend(length.to_le_bytes());
    bytes.extend(samples.iter().flat_map(|it| it.to_le_bytes()));
    fs::write(path, bytes).map_err(|fault| format!("cannot write {}: {fault}", path.display()))
}

/// Samples without a head.
pub(super) fn raw(path: &Path) -> Result<Vec<i16>, String> {
    Ok(samples(&read(path)?))
}

/// Samples of 16 bits, the low byte first.
pub(super) fn samples(bytes: &[u8]) -> Vec<i16> {
    let pairs = bytes.chunks_exact(2);
    pairs.map(|it| i16::from_le_bytes([it[0], it[1]])).collect()
}

fn behind_its_head(path: &Path) -> Result<Vec<u8>, String> {
    let mut bytes = read(path)?;
    bytes.drain(..HEAD.min(bytes.len()));
    Ok(bytes)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|fault| format!("cannot read {}: {fault}", path.display()))
}

fn squares(one: &[i16], other: &[i16]) -> u64 {
    let pairs = one.iter().zip(other);
    pairs.map(|(a, b)| u64::from(a.abs_diff(*b)).pow(2)).sum()
}

/// Twenty milliseconds.
pub(super) const FRAME: usize = 160;
/// Half of the step that the laws have around silence.
const SMALLEST: u16 = 8;
/// Of a WAV file of plain samples.
const HEAD: usize = 44;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sound_is_found_in_another_and_one_wrong_sample_is_told() {
        let part: Vec<i16> = (0..320).map(|it| it * 7 % 1_001).collect();
        let mut whole = vec![0; 800];
        whole[320..640].copy_from_slice(&part);
        let same = Apart { max: 0, rms: 0.0 };
        assert_eq!(nearest(&part, &whole), Some((320, same)));
        whole[330] += 100;
        let (at, apart) = nearest(&part, &whole).expect("it is the longer");
        assert_eq!((at, apart.max), (320, 100));
        assert!(apart.rms > 5.0);
        assert_eq!(nearest(&whole, &part), None);
    }

    #[test]
    fn only_what_a_law_does_is_rounding() {
        assert!(is_rounded(&[7_932, -16], &[8_031, -12]));
        assert!(!is_rounded(&[7_932], &[8_300]));
        assert!(!is_rounded(&[0], &[100]));
    }
}
