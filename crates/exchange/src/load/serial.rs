//! Frames that can be told from each other when they come back.

use super::Sound;
use crate::ear::{FRAME, RATE};
use crate::g711::Law;

/// The frame of a serial number: a mark of 12 quiet µ-law codes, then the sound.
pub(super) fn serial_mark(serial: u32) -> [u8; MARK] {
    let mut mark = [0; MARK];
    mark[..4].copy_from_slice(&SYNC);
    let mut check = 0_u8;
    for (index, code) in mark[4..10].iter_mut().enumerate() {
        let nibble = (serial >> (20 - 4 * index)) as u8 & 0x0F;
        check = check.wrapping_mul(7).wrapping_add(nibble + 1);
        *code = 0xF0 | nibble;
    }
    mark[10] = 0xF0 | (check >> 4);
    mark[11] = 0xF0 | (check & 0x0F);
    mark
}

/// Finds serial numbers in a stream of codes, wherever its messages are cut.
#[derive(Default)]
pub(super) struct Scanner {
    tail: Vec<u8>,
}

impl Scanner {
    /// The serial numbers that are complete with these codes.
    pub(super) fn scan(&mut self, codes: &[u8], mut found: impl FnMut(u32)) {
        self.tail.extend_from_slice(codes);
        let mut at = 0;
        while at + MARK <= self.tail.len() {
            let window = &self.tail[at..at + MARK];
            if window[0] != SYNC[0] || window[..4] != SYNC {
                at += 1;
                continue;
            }
            let serial = window[4..10]
                .iter()
                .fold(0, |serial, code| serial << 4 | u32::from(code & 0x0F));
            if window == serial_mark(serial) {
                found(serial);
                at += MARK;
            } else {
                at += 1;
            }
        }
        self.tail.drain(..at.min(self.tail.len()));
    }
}

/// The codes behind the mark for one second of frames; none of them looks like a mark.
pub(super) fn bodies(sound: Sound) -> Vec<[u8; FRAME - MARK]> {
    let law = Law::Mu;
    (0..50)
        .map(|frame| {
            std::array::from_fn(|index| {
                let code = match sound {
                    Sound::Silence => law.silence(),
                    Sound::Speech => law.encode(speech(frame * FRAME + MARK + index)),
                };
                if SYNC.contains(&code) { 0x72 } else { code }
            })
        })
        .collect()
}

/// A buzz of 120 Hz with two formants, in syllables of 200 ms, four of them, then a pause.
fn speech(index: usize) -> i16 {
    let time = index as f64 / f64::from(RATE);
    if time % 1.0 > 0.8 {
        return 0;
    }
    let tone = |frequency: f64| (std::f64::consts::TAU * frequency * time).sin();
    let syllable = (std::f64::consts::PI * (time % 0.2) / 0.2).sin();
    let voice = tone(120.0) + 0.8 * tone(600.0) + 0.5 * tone(1_200.0) + 0.2 * tone(2_400.0);
    (voice * syllable * 3_000.0) as i16
}

pub(super) const MARK: usize = 12;
/// About -120 and -112: codes that neither silence nor the numbers of a mark use.
const SYNC: [u8; 4] = [0x70, 0x71, 0x70, 0x71];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn serial_numbers_are_found_however_the_stream_is_cut() {
        let mut stream = vec![0xFF; 37];
        let bodies = bodies(Sound::Speech);
        for serial in 0..200_u32 {
            stream.extend_from_slice(&serial_mark(serial * 77_777 % 0x00FF_FFFF));
            stream.extend_from_slice(&bodies[serial as usize % 50]);
        }
        let expected: Vec<u32> = (0..200)
            .map(|serial| serial * 77_777 % 0x00FF_FFFF)
            .collect();
        for cut in [1, 7, 159, 160, 161, 800, 100_000] {
            let mut scanner = Scanner::default();
            let mut found = Vec::new();
            for part in stream.chunks(cut) {
                scanner.scan(part, |serial| found.push(serial));
            }
            assert_eq!(found, expected, "{cut}");
            assert!(scanner.tail.len() < MARK);
        }
    }

    #[test]
    fn a_mark_survives_decoding_and_encoding_and_is_quiet() {
        let mark = serial_mark(0x00AB_CDEF);
        assert_eq!(mark.map(|code| Law::Mu.encode(Law::Mu.decode(code))), mark);
        assert!(mark.iter().all(|code| Law::Mu.decode(*code).abs() <= 120));
    }
}
