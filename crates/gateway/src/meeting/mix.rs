//! A meeting's sound: what each has sent and has not been mixed, and what each is to get.

use std::collections::VecDeque;

use call::meeting::{Audience, MOST, PartyId, Seats};
use media::{Codec, Frame, Rate};

use super::inner::{FORMAT, FromAgent, OuterEnd};

/// Everybody's sound, on its way to everybody else.
pub(super) struct Mix {
    parts: [Part; MOST as usize],
    /// What is announced, and to whom.
    announced: VecDeque<(Audience, i16)>,
}

#[derive(Default)]
struct Part {
    waiting: VecDeque<Frame>,
    /// What an agent has sent and has not been heard, with the marks in it.
    said: VecDeque<Piece>,
    now: Vec<i16>,
    heard: Audience,
    music: bool,
    out: Vec<i16>,
    at: u64,
}

enum Piece {
    Sample(i16),
    Mark(String),
}

impl Mix {
    pub(super) fn new() -> Self {
        Self {
            parts: Default::default(),
            announced: VecDeque::new(),
        }
    }

    /// Who hears whom from now on.
    pub(super) fn hear(&mut self, seats: &Seats) {
        for (party, part) in (0..MOST).map(PartyId).zip(&mut self.parts) {
            part.heard = seats.heard_by(party);
            part.music = seats.is_seated(party) && !seats.is_kept_company(party);
        }
    }

    pub(super) fn put(&mut self, party: PartyId, frame: &Frame) {
        let part = &mut self.parts[usize::from(party.0)];
        if part.waiting.len() == BEHIND {
            part.waiting.pop_front();
        }
        part.waiting.push_back(frame.clone());
    }

    pub(super) fn hear_agent(&mut self, party: PartyId, line: &mut OuterEnd) {
        let part = &mut self.parts[usize::from(party.0)];
        while let Some(news) = line.take() {
            match news {
                FromAgent::Sound(bytes) => {
                    let mut samples = Vec::with_capacity(bytes.len());
                    FORMAT.codec.decode_into(&bytes, &mut samples);
                    part.said.extend(samples.into_iter().map(Piece::Sample));
                }
                FromAgent::Mark(mark) => part.said.push_back(Piece::Mark(mark)),
                FromAgent::Clear => {
                    for piece in part.said.drain(..) {
                        if let Piece::Mark(mark) = piece {
                            line.played(&mark);
                        }
                    }
                }
            }
        }
        let mut frame = Vec::with_capacity(160);
        while frame.len() < 160 {
            match part.said.pop_front() {
                Some(Piece::Sample(sample)) => frame.push(sample),
                Some(Piece::Mark(mark)) => line.played(&mark),
                None => break,
            }
        }
        self.put(party, &Frame::from_samples(Rate::Hz8000, &frame));
    }

    pub(super) fn announce(&mut self, audience: Audience, samples: &[i16]) {
        self.announced.extend(samples.iter().map(|it| (audience, *it)));
    }

    pub(super) fn leave(&mut self, party: PartyId) {
        self.parts[usize::from(party.0)] = Part::default();
    }

    pub(super) fn mix(&mut self) {
        for part in &mut self.parts {
            part.now.clear();
            match part.waiting.pop_front() {
                Some(frame) => part.now.extend_from_slice(frame.samples()),
                None => part.now.resize(160, 0),
            }
        }
        let announced: Vec<_> = (0..160).map_while(|_| self.announced.pop_front()).collect();
        for listener in 0..usize::from(MOST) {
            let id = PartyId(listener as u8);
            let mut out = vec![0_i32; 160];
            for other in (0..MOST).filter(|it| self.parts[listener].heard.has(PartyId(*it))) {
                for (sum, it) in out.iter_mut().zip(&self.parts[usize::from(other)].now) {
                    *sum += i32::from(*it);
                }
            }
            for (sum, (audience, it)) in out.iter_mut().zip(&announced) {
                if audience.has(id) {
                    *sum += i32::from(*it);
                }
            }
            let part = &mut self.parts[listener];
            if part.music {
                for (index, sum) in out.iter_mut().enumerate() {
                    let at = (part.at + index as u64) as f64 / 8_000.0;
                    *sum += ((at * 440.0 * std::f64::consts::TAU).sin() * 800.0) as i32;
                }
            }
            part.at += 160;
            part.out.clear();
            part.out.extend(out.iter().map(|it| (*it).clamp(-32_768, 32_767) as i16));
        }
    }

    /// What this one is to get.
    pub(super) fn take(&mut self, party: PartyId) -> Option<Frame> {
        let part = &self.parts[usize::from(party.0)];
        Some(Frame::from_samples(Rate::Hz8000, &part.out))
    }

    pub(super) fn play_to(&mut self, party: PartyId, line: &OuterEnd) {
        let part = &self.parts[usize::from(party.0)];
        let mut bytes = Vec::with_capacity(160);
        Codec::Ulaw.encode_into(&part.out, &mut bytes);
        line.play(&bytes);
    }

    pub(super) fn speaker(&self) -> Option<PartyId> {
        None
    }
}

/// So many frames of someone's may wait: what comes later pushes the oldest out.
const BEHIND: usize = 4;
