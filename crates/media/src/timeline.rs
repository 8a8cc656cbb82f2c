/// What the caller hears, by the time at which it plays: a window of the recent past and of the
/// little that was sent ahead. Time is counted in samples.
#[derive(Debug)]
pub(crate) struct Timeline {
    /// As long as a power of two.
    ring: Box<[i16]>,
    /// Sound was written up to here.
    end: u64,
}

impl Timeline {
    /// Remembers at least the last `span` samples written.
    pub(crate) fn new(span: usize) -> Self {
        Self {
            ring: vec![0; span.next_power_of_two()].into(),
            end: 0,
        }
    }

    /// Writes sound that plays from `at` on, which must not be before the end of what was written.
    pub(crate) fn write(&mut self, at: u64, samples: &[i16]) {
        debug_assert!(at >= self.end, "sound is sent one after the other");
        let gap = at.saturating_sub(self.end).min(self.ring.len() as u64);
        for t in at - gap..at {
            let slot = self.slot(t);
            self.ring[slot] = 0;
        }
        let start = self.slot(at);
        let first = samples.len().min(self.ring.len() - start);
        self.ring[start..start + first].copy_from_slice(&samples[..first]);
        self.ring[..samples.len() - first].copy_from_slice(&samples[first..]);
        self.end = at + samples.len() as u64;
    }

    /// Forgets what would have played from `at` on.
    pub(crate) fn truncate(&mut self, at: u64) {
        self.end = self.end.min(at);
    }

    /// Reads what plays from `at` on. What was never written is silence.
    pub(crate) fn read(&self, at: u64, out: &mut [i16]) {
        let oldest = self.end.saturating_sub(self.ring.len() as u64);
        if at >= oldest && at + out.len() as u64 <= self.end {
            let start = self.slot(at);
            let first = out.len().min(self.ring.len() - start);
            let (head, tail) = out.split_at_mut(first);
            head.copy_from_slice(&self.ring[start..start + first]);
            tail.copy_from_slice(&self.ring[..tail.len()]);
            return;
        }
        if at >= self.end || at + out.len() as u64 <= oldest {
            out.fill(0);
            return;
        }
        for (i, sample) in out.iter_mut().enumerate() {
            let t = at + i as u64;
            let known = (oldest..self.end).contains(&t);
            *sample = if known { self.ring[self.slot(t)] } else { 0 };
        }
    }

    fn slot(&self, t: u64) -> usize {
        t as usize & (self.ring.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_is_read_where_it_was_written() {
        let mut line = Timeline::new(16);
        line.write(4, &[1, 2, 3]);
        line.write(10, &[4, 5]);
        let mut out = [9; 10];
        line.read(3, &mut out);
        assert_eq!(out, [0, 1, 2, 3, 0, 0, 0, 4, 5, 0]);
        line.truncate(11);
        line.write(11, &[7; 12]);
        let mut out = [9; 4];
        line.read(9, &mut out);
        assert_eq!(out, [0, 4, 7, 7]);
        line.read(4, &mut out);
        assert_eq!(out, [0, 0, 0, 0], "too long ago to be known");
    }
}
