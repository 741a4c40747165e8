//! Percentiles, from latency buckets or from exact latencies: computed here, and nowhere else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::latency::upper_micros;

/// What latencies are counted under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Buckets of [`crate::model::latency`]: within 19 % of the true value.
    Buckets,
    /// Microseconds.
    Exact,
}

/// How many calls took how long.
#[derive(Debug, Clone, Default)]
pub struct Latencies(BTreeMap<i64, u64>);

/// The latency that half of the calls, 95 % and 99 % of them did not exceed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Percentiles {
    /// Half of them; `None` where there are none, or nothing tells.
    pub p50_ms: Option<f64>,
    /// 95 %.
    pub p95_ms: Option<f64>,
    /// 99 %.
    pub p99_ms: Option<f64>,
}

impl Latencies {
    /// Adds a number of calls of a bucket, or of one latency in microseconds.
    pub fn add(&mut self, latency: i64, calls: u64) {
        *self.0.entry(latency).or_default() += calls;
    }

    /// Adds those of another.
    pub fn merge(&mut self, other: &Self) {
        for (latency, calls) in &other.0 {
            self.add(*latency, *calls);
        }
    }

    /// The three percentiles.
    pub fn percentiles(&self, scale: Scale) -> Percentiles {
        let at = |percent| self.percentile(percent, scale);
        Percentiles { p50_ms: at(50), p95_ms: at(95), p99_ms: at(99) }
    }

    /// The latency of the first call, in order of latency, that the given percentage of all do not exceed. In a bucket its
    /// calls are taken to lie evenly.
    #[expect(clippy::cast_precision_loss, reason = "counts of calls and microseconds, shown with three digits")]
    fn percentile(&self, percent: u64, scale: Scale) -> Option<f64> {
        let total: u64 = self.0.values().sum();
        let rank = (total * percent).div_ceil(100);
        let mut before = 0;
        for (latency, calls) in &self.0 {
            if before + calls < rank || *calls == 0 {
                before += calls;
                continue;
            }
            let micros = match scale {
                Scale::Exact => *latency as f64,
                Scale::Buckets => {
                    let bucket = i32::try_from(*latency).unwrap_or(i32::MAX);
                    let (low, high) = (if bucket > 0 { upper_micros(bucket - 1) } else { 0.0 }, upper_micros(bucket));
                    low + (high - low) * ((rank - before) as f64 / *calls as f64)
                }
            };
            return Some((micros / 10.0).round() / 100.0);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::latency::bucket;
    use std::time::Duration;

    #[test]
    fn of_nothing_there_are_none() {
        assert_eq!(Latencies::default().percentiles(Scale::Exact), Percentiles::default());
    }

    #[test]
    fn exact_ones_are_the_nearest_rank() {
        let mut latencies = Latencies::default();
        (1..=100).for_each(|ms| latencies.add(ms * 1000, 1));
        let expected = Percentiles { p50_ms: Some(50.0), p95_ms: Some(95.0), p99_ms: Some(99.0) };
        assert_eq!(latencies.percentiles(Scale::Exact), expected);
        let mut one = Latencies::default();
        one.add(1234, 1);
        assert_eq!(one.percentiles(Scale::Exact).p50_ms, Some(1.23));
    }

    #[test]
    fn those_of_buckets_are_near() {
        let (mut exact, mut buckets) = (Latencies::default(), Latencies::default());
        for n in 1..=5000u64 {
            let micros = n * n / 7 + 3;
            exact.add(i64::try_from(micros).expect("small"), 1);
            buckets.add(bucket(Duration::from_micros(micros)).into(), 1);
        }
        let (exact, buckets) = (exact.percentiles(Scale::Exact), buckets.percentiles(Scale::Buckets));
        for (e, b) in [(exact.p50_ms, buckets.p50_ms), (exact.p95_ms, buckets.p95_ms), (exact.p99_ms, buckets.p99_ms)] {
            let (e, b) = (e.expect("some"), b.expect("some"));
            assert!((e - b).abs() / e < 0.19, "{e} and {b}");
        }
    }
}
