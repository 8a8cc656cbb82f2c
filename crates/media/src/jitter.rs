/// Puts packets back in order and hands them out one by one.
///
/// It waits until `depth` packets are in hand, then gives. A hole is reported as [`Pop::Lost`];
/// running dry as [`Pop::Idle`], after which it fills up again. It holds at most [`SLOTS`] packets
/// and `room` bytes; past that the far end is flooding us, not jittering, and the oldest go.
#[derive(Debug)]
pub(crate) struct Jitter {
    depth: usize,
    room: usize,
    slots: Box<[Slot]>,
    waiting: usize,
    bytes: usize,
    /// The packet to give next.
    next: Option<u64>,
    flow: Flow,
    /// Packets in a row that found far more waiting than need be.
    crowded: u32,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    index: Option<u64>,
    payload: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flow {
    Filling,
    Giving,
}

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Insert {
    /// It is in hand; so many older ones had to go.
    Kept { dropped: u64 },
    /// Its turn has passed, or it was here before; making room, so many others had to go.
    Late { dropped: u64 },
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pop<'a> {
    /// The next packet; before it, so many were skipped because their time had passed.
    Payload {
        payload: &'a [u8],
        skipped: u64,
    },
    Lost,
    Idle,
}

impl Jitter {
    pub(crate) fn new(depth: usize, room: usize) -> Self {
        Self {
            depth: depth.clamp(1, SLOTS),
            room,
            slots: vec![Slot::default(); SLOTS].into(),
            waiting: 0,
            bytes: 0,
            next: None,
            flow: Flow::Filling,
            crowded: 0,
        }
    }

    pub(crate) fn insert(&mut self, index: u64, payload: &[u8]) -> Insert {
        let mut dropped = 0;
        if let Some(next) = self.next {
            if index.abs_diff(next) > FAR {
                // The far end has begun to count anew.
                dropped += self.clear();
            } else if index < next {
                return Insert::Late { dropped };
            }
        }
        if self.next.is_none()
            && self
                .lowest()
                .is_some_and(|it| it > index && self.out_of_reach(index))
        {
            dropped += self.clear();
        }
        while self.waiting > 0
            && (self.out_of_reach(index) || self.bytes + payload.len() > self.room)
        {
            dropped += self.drop_oldest();
        }
        let slot = &mut self.slots[index as usize % SLOTS];
        if slot.index == Some(index) || self.next.is_some_and(|next| index < next) {
            return Insert::Late { dropped };
        }
        slot.index = Some(index);
        slot.payload.clear();
        slot.payload.extend_from_slice(payload);
        self.waiting += 1;
        self.bytes += payload.len();
        Insert::Kept {
            dropped: dropped + self.relieve(),
        }
    }

    pub(crate) fn pop(&mut self) -> Pop<'_> {
        if self.flow == Flow::Filling && self.waiting < self.depth {
            return Pop::Idle;
        }
        let Some(lowest) = self.lowest() else {
            self.flow = Flow::Filling;
            return Pop::Idle;
        };
        let next = self.next.unwrap_or(lowest);
        let skipped = match self.flow {
            // The holes before it have been filled while we waited.
            Flow::Filling => lowest - next,
            Flow::Giving if lowest - next > HOLES => lowest - next,
            Flow::Giving if lowest > next => {
                self.next = Some(next + 1);
                return Pop::Lost;
            }
            Flow::Giving => 0,
        };
        self.flow = Flow::Giving;
        self.next = Some(lowest.saturating_add(1));
        self.waiting -= 1;
        let slot = &mut self.slots[lowest as usize % SLOTS];
        slot.index = None;
        self.bytes -= slot.payload.len();
        Pop::Payload {
            payload: &slot.payload,
            skipped,
        }
    }

    /// How many bytes could be had now.
    pub(crate) fn in_hand(&self) -> usize {
        match self.flow {
            Flow::Filling if self.waiting < self.depth => 0,
            Flow::Filling | Flow::Giving => self.bytes,
        }
    }

    /// How many packets could be had now.
    pub(crate) fn packets_in_hand(&self) -> usize {
        match self.flow {
            Flow::Filling if self.waiting < self.depth => 0,
            Flow::Filling | Flow::Giving => self.waiting,
        }
    }

    /// After a burst, or when the far end's clock is faster than ours, packets wait longer than
    /// they have to: one is given up each second until it is right.
    fn relieve(&mut self) -> u64 {
        let is_crowded = self.flow == Flow::Giving && self.waiting > self.depth + CROWD;
        self.crowded = if is_crowded { self.crowded + 1 } else { 0 };
        if self.crowded < PATIENCE {
            return 0;
        }
        self.crowded = 0;
        self.drop_oldest()
    }

    fn out_of_reach(&self, index: u64) -> bool {
        self.lowest()
            .is_some_and(|lowest| index.abs_diff(lowest) >= SLOTS as u64)
    }

    fn drop_oldest(&mut self) -> u64 {
        let Some(lowest) = self.lowest() else {
            return 0;
        };
        let slot = &mut self.slots[lowest as usize % SLOTS];
        slot.index = None;
        self.bytes -= slot.payload.len();
        self.waiting -= 1;
        // Before the first packet was given, one with a lower index may still turn up.
        self.next = self.next.map(|_| lowest.saturating_add(1));
        1
    }

    fn clear(&mut self) -> u64 {
        let dropped = self.waiting as u64;
        for slot in &mut self.slots {
            slot.index = None;
        }
        (self.waiting, self.bytes, self.next, self.flow) = (0, 0, None, Flow::Filling);
        dropped
    }

    fn lowest(&self) -> Option<u64> {
        // In the common case the next packet is here, and there is nothing to look for.
        if let Some(next) = self.next
            && self.slots[next as usize % SLOTS].index == Some(next)
        {
            return Some(next);
        }
        self.slots.iter().filter_map(|it| it.index).min()
    }
}

/// More packets than a second holds of any size carriers send but 10 ms.
const SLOTS: usize = 64;
/// A jump in the index by more than this is a new count, not a loss.
pub(crate) const FAR: u64 = 500;
/// A hole of more packets than this is not filled packet by packet.
const HOLES: u64 = 3;
/// So many packets more than the depth may wait, and for so many packets' time.
const CROWD: usize = 2;
const PATIENCE: u32 = 50;

#[cfg(test)]
mod tests {
    use super::*;

    fn given(jitter: &mut Jitter) -> String {
        match jitter.pop() {
            Pop::Payload {
                payload,
                skipped: 0,
            } => format!("{}", payload[0]),
            Pop::Payload { payload, skipped } => format!("{}(-{skipped})", payload[0]),
            Pop::Lost => "lost".into(),
            Pop::Idle => "idle".into(),
        }
    }

    fn insert(jitter: &mut Jitter, index: u64) -> Insert {
        jitter.insert(index, &[index as u8])
    }

    const LATE: Insert = Insert::Late { dropped: 0 };
    const KEPT: Insert = Insert::Kept { dropped: 0 };

    #[test]
    fn reorders_and_reports_holes() {
        let mut jitter = Jitter::new(2, 8_000);
        insert(&mut jitter, 2);
        assert_eq!(given(&mut jitter), "idle", "not deep enough yet");
        insert(&mut jitter, 1);
        insert(&mut jitter, 4);
        let all: Vec<_> = (0..5).map(|_| given(&mut jitter)).collect();
        assert_eq!(all, ["1", "2", "lost", "4", "idle"]);
    }

    #[test]
    fn late_packets_and_doubles_are_refused() {
        let mut jitter = Jitter::new(1, 8_000);
        assert_eq!(insert(&mut jitter, 5), KEPT);
        assert_eq!(insert(&mut jitter, 6), KEPT);
        assert_eq!(insert(&mut jitter, 6), LATE);
        assert_eq!(given(&mut jitter), "5");
        assert_eq!(insert(&mut jitter, 4), LATE);
        assert_eq!(insert(&mut jitter, 5), LATE);
        assert_eq!(given(&mut jitter), "6");
    }

    #[test]
    fn after_running_dry_it_fills_up_again_and_skips_what_was_missed() {
        let mut jitter = Jitter::new(2, 8_000);
        insert(&mut jitter, 0);
        insert(&mut jitter, 1);
        assert_eq!(
            [given(&mut jitter), given(&mut jitter), given(&mut jitter)],
            ["0", "1", "idle"]
        );
        insert(&mut jitter, 4);
        assert_eq!(given(&mut jitter), "idle");
        insert(&mut jitter, 5);
        assert_eq!([given(&mut jitter), given(&mut jitter)], ["4(-2)", "5"]);
    }

    #[test]
    fn a_flood_pushes_out_the_oldest() {
        let mut jitter = Jitter::new(2, 8_000);
        let dropped: u64 = (0..1_000)
            .map(|index| match jitter.insert(index, &[index as u8; 160]) {
                Insert::Kept { dropped } => dropped,
                Insert::Late { .. } => panic!("in order"),
            })
            .sum();
        assert_eq!(dropped, 950, "50 packets of 160 bytes are one second");
        assert_eq!(given(&mut jitter), format!("{}", 950u64 as u8));
    }

    #[test]
    fn what_a_burst_leaves_behind_is_worked_off() {
        let mut jitter = Jitter::new(2, 8_000);
        (0..12).for_each(|index| assert_eq!(insert(&mut jitter, index), KEPT));
        let mut dropped = 0;
        for index in 12..1_012 {
            given(&mut jitter);
            if insert(&mut jitter, index) != KEPT {
                dropped += 1;
            }
        }
        assert_eq!(dropped, 8, "four are left of twelve");
        assert_eq!(jitter.waiting, 2 + CROWD);
    }

    #[test]
    fn a_new_count_starts_anew() {
        let mut jitter = Jitter::new(1, 8_000);
        insert(&mut jitter, 10_000);
        assert_eq!(given(&mut jitter), format!("{}", 10_000u64 as u8));
        assert_eq!(insert(&mut jitter, 3), KEPT);
        assert_eq!(given(&mut jitter), "3");
        insert(&mut jitter, u64::MAX - 1);
        assert_eq!(given(&mut jitter), "254");
    }
}
