/// How bad the line is. Counts in packets.
#[derive(Clone, Copy, Debug, Default)]
pub struct Network {
    /// Of so many, one is lost.
    pub lose_every: Option<u64>,
    /// Of so many, one comes in its neighbor's place, and the neighbor in its.
    pub swap_every: Option<u64>,
    /// Of so many, one comes twice.
    pub repeat_every: Option<u64>,
}

impl Network {
    /// Whether packets stay in order.
    pub(crate) fn is_ordered(&self) -> bool {
        self.swap_every.is_none() && self.repeat_every.is_none()
    }

    /// Which packets arrive instead of this one.
    pub(crate) fn carry(&self, index: u64) -> Vec<u64> {
        let hit = |every: Option<u64>| every.is_some_and(|n| index % n == n - 1);
        // Swapping the n-th with the one before it, whichever of the two is asked about.
        let next_hit = self.swap_every.is_some_and(|n| (index + 1) % n == n - 1);
        let arrives = if next_hit {
            index + 1
        } else if hit(self.swap_every) {
            index - 1
        } else {
            index
        };
        let lost = self.lose_every.is_some_and(|n| arrives % n == n - 1);
        match (lost, hit(self.repeat_every)) {
            (true, _) => Vec::new(),
            (false, true) => vec![arrives, arrives],
            (false, false) => vec![arrives],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_packet_that_is_not_lost_arrives() {
        let network = Network {
            lose_every: Some(10),
            swap_every: Some(4),
            repeat_every: Some(7),
        };
        let mut arrived: Vec<u64> = (0..40).flat_map(|it| network.carry(it)).collect();
        assert_eq!(arrived[..4], [0, 1, 3, 2], "swapped");
        arrived.sort_unstable();
        arrived.dedup();
        let lost: Vec<u64> = (0..40).filter(|it| !arrived.contains(it)).collect();
        assert_eq!(lost, [9, 19, 29, 39]);
    }
}
