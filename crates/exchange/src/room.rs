//! A room in which people hear one another: everyone hears all others, and nobody themselves.
//!
//! Each line keeps a grid of its own, so what one says waits for the others' next ticks. A voice that begins, or comes late, is
//! kept back by one frame: two grids never meet so closely that the one outruns the other by more.

use crate::ear::{FRAME, Frame};
use crate::office::lock;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};

/// The room, as long as somebody is in it.
#[derive(Default)]
pub(crate) struct Room(Mutex<Seats>);

#[derive(Default)]
struct Seats {
    next: u64,
    /// What each of them is still to hear, by whoever says it.
    taken: BTreeMap<u64, BTreeMap<u64, Voice>>,
}

/// One person's place in a room; leaving it leaves the room.
pub(crate) struct Seat {
    room: Arc<Room>,
    number: u64,
}

#[derive(Default)]
struct Voice {
    frames: VecDeque<Frame>,
    flows: bool,
}

impl Room {
    /// A place for somebody.
    pub(crate) fn sit(self: &Arc<Self>) -> Seat {
        let mut seats = lock(&self.0);
        let number = seats.next;
        seats.next += 1;
        seats.taken.insert(number, BTreeMap::new());
        Seat {
            room: Arc::clone(self),
            number,
        }
    }
}

impl Seat {
    /// Lets all others hear 20 ms.
    pub(crate) fn say(&self, sound: &Frame) {
        let mut seats = lock(&self.room.0);
        let others = seats.taken.iter_mut().filter(|(it, _)| **it != self.number);
        for (_, voices) in others {
            voices.entry(self.number).or_default().say(*sound);
        }
    }

    /// What all others say in the next 20 ms.
    pub(crate) fn hear(&self) -> Frame {
        let mut seats = lock(&self.room.0);
        let voices = seats.taken.get_mut(&self.number);
        mix(voices.into_iter().flatten().filter_map(|(_, it)| it.hear()))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = lock(&self.room.0);
        seats.taken.remove(&self.number);
        for voices in seats.taken.values_mut() {
            voices.remove(&self.number);
        }
    }
}

impl Voice {
    fn say(&mut self, sound: Frame) {
        if self.frames.len() == MOST_WAITING {
            self.frames.pop_front();
        }
        self.frames.push_back(sound);
        self.flows |= self.frames.len() > KEPT_BACK;
    }

    fn hear(&mut self) -> Option<Frame> {
        let frame = if self.flows {
            self.frames.pop_front()
        } else {
            None
        };
        self.flows = frame.is_some();
        frame
    }
}

/// The sum of all voices, as loud as a sample can be at most.
fn mix(voices: impl Iterator<Item = Frame>) -> Frame {
    let mut sum = [0_i32; FRAME];
    for voice in voices {
        for (sum, sample) in sum.iter_mut().zip(voice) {
            *sum += i32::from(sample);
        }
    }
    sum.map(|it| it.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16)
}

const KEPT_BACK: usize = 1;
/// A line that is so late has lost what was said meanwhile.
const MOST_WAITING: usize = 10;

#[cfg(test)]
mod tests {
    use super::*;

    /// Everyone says these, in this order, and hears then; what each heard last.
    fn rounds(seats: &[Seat], said: &[i16], times: usize) -> Vec<i16> {
        let mut heard = Vec::new();
        for _ in 0..times {
            for (seat, said) in seats.iter().zip(said) {
                seat.say(&[*said; FRAME]);
            }
            heard = seats.iter().map(|it| it.hear()[0]).collect();
        }
        heard
    }

    #[test]
    fn everyone_hears_all_others_and_not_themselves() {
        let room = Arc::new(Room::default());
        let seats = [room.sit(), room.sit(), room.sit()];
        assert_eq!(rounds(&seats, &[1, 20, 300], 3), [320, 301, 21]);
    }

    #[test]
    fn loud_voices_do_not_wrap_around() {
        let room = Arc::new(Room::default());
        let seats = [room.sit(), room.sit(), room.sit()];
        let heard = rounds(&seats, &[30_000, 30_000, -30_000], 3);
        assert_eq!(heard, [0, 0, i16::MAX]);
        assert_eq!(rounds(&seats, &[-30_000, -30_000, 0], 3)[2], i16::MIN);
    }

    #[test]
    fn whoever_leaves_is_heard_no_longer() {
        let room = Arc::new(Room::default());
        let (first, second) = (room.sit(), room.sit());
        for _ in 0..3 {
            second.say(&[5; FRAME]);
        }
        drop(second);
        assert_eq!(first.hear(), [0; FRAME]);
        assert_eq!(lock(&room.0).taken.len(), 1);
    }

    #[test]
    fn a_voice_flows_whichever_grid_is_ahead() {
        let room = Arc::new(Room::default());
        let (first, second) = (room.sit(), room.sit());
        let mut heard = Vec::new();
        for number in 0..100 {
            // The one is now before the other, now behind it.
            if number % 7 < 3 {
                second.say(&[number + 1; FRAME]);
                heard.push(first.hear()[0]);
            } else {
                heard.push(first.hear()[0]);
                second.say(&[number + 1; FRAME]);
            }
        }
        let sounding: Vec<i16> = heard.into_iter().filter(|it| *it != 0).collect();
        let gaps = sounding.windows(2).filter(|it| it[1] != it[0] + 1).count();
        assert!(sounding.len() >= 97 && gaps == 0, "{sounding:?}");
    }

    #[test]
    fn what_nobody_hears_is_bounded() {
        let room = Arc::new(Room::default());
        let (first, second) = (room.sit(), room.sit());
        for number in 0..1_000 {
            second.say(&[number; FRAME]);
        }
        assert_eq!(first.hear()[0], 990);
    }
}
