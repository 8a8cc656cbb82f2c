//! Times by the million, counted.

use super::Percentiles;
use std::time::Duration;

/// Counts times in buckets that grow with them.
pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Histogram {
    pub(super) fn new() -> Self {
        Self {
            buckets: vec![0; BUCKETS],
            count: 0,
            max: 0,
        }
    }

    pub(super) fn record(&mut self, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        self.buckets[bucket(micros)] += 1;
        self.count += 1;
        self.max = self.max.max(micros);
    }

    pub(super) fn add(&mut self, other: &Self) {
        for (bucket, more) in self.buckets.iter_mut().zip(&other.buckets) {
            *bucket += more;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    pub(super) fn percentiles(&self) -> Percentiles {
        let at = |percent: u64| {
            let wanted = (self.count * percent).div_ceil(100);
            let mut seen = 0;
            for (index, count) in self.buckets.iter().enumerate() {
                seen += count;
                if seen >= wanted && seen > 0 {
                    return highest(index).min(self.max);
                }
            }
            0
        };
        Percentiles {
            count: self.count,
            p50_us: at(50),
            p90_us: at(90),
            p99_us: at(99),
            max_us: self.max,
        }
    }
}

/// Up to 64 µs each has its own bucket; above, each power of two is cut into 32.
fn bucket(micros: u64) -> usize {
    if micros < 64 {
        return micros as usize;
    }
    let exponent = 63 - micros.leading_zeros() as usize;
    (64 + (exponent - 6) * 32 + ((micros >> (exponent - 5)) as usize & 31)).min(BUCKETS - 1)
}

fn highest(bucket: usize) -> u64 {
    if bucket < 64 {
        return bucket as u64;
    }
    let (exponent, part) = ((bucket - 64) / 32 + 6, (bucket - 64) % 32);
    ((32 + part as u64 + 1) << (exponent - 5)) - 1
}

/// Up to about an hour.
const BUCKETS: usize = 64 + 26 * 32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_within_three_percent() {
        let mut histogram = Histogram::new();
        for micros in 1..=100_000 {
            histogram.record(Duration::from_micros(micros));
        }
        let found = histogram.percentiles();
        for (found, truth) in [
            (found.p50_us, 50_000),
            (found.p90_us, 90_000),
            (found.p99_us, 99_000),
        ] {
            assert!(
                found >= truth && found - truth <= truth * 3 / 100 + 1,
                "{found} {truth}"
            );
        }
        assert_eq!((found.max_us, found.count), (100_000, 100_000));
        assert_eq!(Histogram::new().percentiles(), Percentiles::default());
        for micros in [0, 63, 64, 65, 127, 128, 1_000_000, u64::MAX] {
            assert!(highest(bucket(micros)) >= micros.min(3_000_000_000));
        }
    }
}
