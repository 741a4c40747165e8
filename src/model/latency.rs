//! Latency buckets: four a doubling, so that a percentile read from them is within 19 % of the true one.

use std::time::Duration;

/// The bucket of a duration: 0 is below 1 µs; bucket `4 k + q` starts at `2^k · (1 + q/4)` µs.
pub fn bucket(duration: Duration) -> i32 {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    if micros == 0 {
        return 0;
    }
    let octave = micros.ilog2();
    // The two bits below the highest one: which quarter of the octave.
    let quarter = if octave >= 2 { (micros >> (octave - 2)) & 3 } else { (micros << (2 - octave)) & 3 };
    i32::try_from(u64::from(octave) * 4 + quarter + 1).unwrap_or(i32::MAX)
}

/// The upper edge of a bucket, in microseconds.
pub fn upper_micros(bucket: i32) -> f64 {
    if bucket <= 0 {
        return 1.0;
    }
    let (octave, quarter) = ((bucket - 1) / 4, (bucket - 1) % 4);
    2f64.powi(octave) * (1.0 + f64::from(quarter + 1) / 4.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_lies_below_the_edge_of_its_bucket_and_not_below_the_one_before() {
        for micros in [1, 2, 3, 4, 5, 7, 8, 100, 999, 1000, 123_456, 86_400_000_000] {
            let b = bucket(Duration::from_micros(micros));
            #[expect(clippy::cast_precision_loss, reason = "test values are small")]
            let m = micros as f64;
            assert!(m < upper_micros(b), "{micros} in {b}");
            assert!(b == 1 || m >= upper_micros(b - 1), "{micros} in {b}");
        }
        assert_eq!(bucket(Duration::ZERO), 0);
    }
}
