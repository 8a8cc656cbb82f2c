//! Packets that all come, but may overtake one another on the way.

/// Puts packets back in order without delaying those that are.
///
/// The next packet goes on at once. One that came before its turn is held until those before it are
/// here, or until more than `depth` are held: then those are not coming.
#[derive(Debug)]
pub(crate) struct Shuffle {
    depth: usize,
    /// The packet that goes on next, once there has been one.
    next: Option<u64>,
    held: Vec<(u64, Vec<u8>)>,
    /// Kept to be used again.
    spare: Vec<Vec<u8>>,
}

/// What is to be heard now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    /// This packet, which was held; before it, so many never came.
    Held { payload: Vec<u8>, lost: u64 },
    /// Nothing more for now.
    Nothing,
}

/// What is to be done with a packet that comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// Hear it now, and then what [`Shuffle::turn`] gives.
    Now,
    /// Its turn has passed, or it was here before.
    Late,
    /// It is held. Hear what [`Shuffle::turn`] gives.
    Kept,
}

impl Shuffle {
    pub(crate) fn new(depth: usize) -> Self {
        Self {
            depth: depth.clamp(1, MOST),
            next: None,
            held: Vec::with_capacity(MOST + 1),
            spare: Vec::new(),
        }
    }

    pub(crate) fn place(&mut self, index: u64, payload: &[u8]) -> Place {
        let next = self.next.unwrap_or(index);
        if index.abs_diff(next) > crate::jitter::FAR {
            // The far end has begun to count anew.
            self.spare.extend(self.held.drain(..).map(|(_, it)| it));
            self.next = Some(index.saturating_add(1));
            return Place::Now;
        }
        if index == next {
            self.next = Some(index.saturating_add(1));
            return Place::Now;
        }
        if index < next || self.held.iter().any(|(it, _)| *it == index) {
            return Place::Late;
        }
        let mut room = self.spare.pop().unwrap_or_default();
        room.clear();
        room.extend_from_slice(payload);
        self.held.push((index, room));
        Place::Kept
    }

    /// A packet whose turn has come, if there is one. Its room is to be given [`Shuffle::back`].
    pub(crate) fn turn(&mut self) -> Turn {
        let Some(next) = self.next else {
            return Turn::Nothing;
        };
        let lowest = (0..self.held.len()).min_by_key(|at| self.held[*at].0);
        let Some(lowest) = lowest else {
            return Turn::Nothing;
        };
        let index = self.held[lowest].0;
        if index > next && self.held.len() <= self.depth {
            return Turn::Nothing;
        }
        self.next = Some(index.saturating_add(1));
        Turn::Held {
            payload: self.held.swap_remove(lowest).1,
            lost: index - next,
        }
    }

    pub(crate) fn back(&mut self, room: Vec<u8>) {
        self.spare.push(room);
    }
}

/// More than this are never held: a third of a second of ordinary packets.
const MOST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;

    /// What is heard of packets that come in this order, and how many were lost.
    fn heard(depth: usize, come: &[u64]) -> (Vec<u64>, u64) {
        let mut shuffle = Shuffle::new(depth);
        let (mut heard, mut lost) = (Vec::new(), 0);
        for &index in come {
            if shuffle.place(index, &index.to_le_bytes()) == Place::Now {
                heard.push(index);
            }
            while let Turn::Held {
                payload,
                lost: some,
            } = shuffle.turn()
            {
                let index = u64::from_le_bytes(payload[..].try_into().expect("eight bytes"));
                heard.push(index);
                lost += some;
                shuffle.back(payload);
            }
        }
        (heard, lost)
    }

    #[test]
    fn in_order_nothing_waits() {
        assert_eq!(heard(3, &[5, 6, 7, 8]), (vec![5, 6, 7, 8], 0));
    }

    #[test]
    fn what_came_early_waits_for_what_comes_late() {
        assert_eq!(heard(3, &[1, 3, 2, 6, 5, 4, 7]), ((1..=7).collect(), 0));
    }

    #[test]
    fn what_never_comes_is_not_waited_for_for_ever() {
        assert_eq!(heard(2, &[1, 3, 4, 5, 2, 6]), (vec![1, 3, 4, 5, 6], 1));
    }

    #[test]
    fn what_comes_twice_is_heard_once() {
        assert_eq!(heard(3, &[1, 1, 3, 3, 2, 2, 4]), ((1..=4).collect(), 0));
    }

    #[test]
    fn a_new_count_is_followed() {
        assert_eq!(
            heard(3, &[9_000, 9_001, 1, 2]),
            (vec![9_000, 9_001, 1, 2], 0)
        );
    }
}
