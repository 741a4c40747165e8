//! What the load counts, latencies and errors, and how it tells them.

use std::time::Duration;

use serde::Serialize;

/// What one caller saw, or all of them.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) latencies: Latencies,
    pub(crate) errors: u64,
    pub(crate) first_error: Option<String>,
    /// Of the last good answer.
    pub(crate) body_bytes: usize,
}

impl Tally {
    pub(crate) fn error(&mut self, what: String) {
        self.errors += 1;
        self.first_error.get_or_insert(what);
    }

    pub(crate) fn add(&mut self, other: Self) {
        self.latencies.add(&other.latencies);
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        self.body_bytes = self.body_bytes.max(other.body_bytes);
    }
}

/// Durations counted in buckets of nanoseconds, 64 a doubling: a percentile is at most 1.6 % above the true one.
pub(crate) struct Latencies {
    buckets: Vec<u64>,
    pub(crate) count: u64,
    max: u64,
}

/// Two to this many buckets a doubling.
const PRECISION: u32 = 6;
/// The first bucket beyond four and a half minutes; whatever is longer lies in it.
const LAST_BUCKET: usize = 33 << PRECISION;

impl Default for Latencies {
    fn default() -> Self {
        Self { buckets: vec![0; LAST_BUCKET + 1], count: 0, max: 0 }
    }
}

impl Latencies {
    pub(crate) fn record(&mut self, duration: Duration) {
        let nanos = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.buckets[bucket(nanos)] += 1;
        self.count += 1;
        self.max = self.max.max(nanos);
    }

    fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine += theirs;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    /// The upper edge of the bucket in which `percent` of all durations are reached.
    pub(crate) fn percentile_ms(&self, percent: u64) -> f64 {
        let wanted = (self.count * percent).div_ceil(100);
        let mut seen = 0;
        let reached = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        real(upper_edge(reached.unwrap_or(LAST_BUCKET)).min(self.max)) / 1e6
    }
}

/// Below 64 ns each has its own bucket; above, the six bits after the highest one tell buckets apart.
fn bucket(nanos: u64) -> usize {
    let shift = nanos.checked_ilog2().unwrap_or_default().saturating_sub(PRECISION);
    let index = (u64::from(shift) << PRECISION) + (nanos >> shift);
    usize::try_from(index).unwrap_or(LAST_BUCKET).min(LAST_BUCKET)
}

fn upper_edge(bucket: usize) -> u64 {
    let shift = (bucket >> PRECISION).saturating_sub(1);
    let next = (bucket - (shift << PRECISION) + 1) as u64;
    (next << shift) - 1
}

/// The measured window, in the units of its readers.
#[derive(Serialize)]
pub(crate) struct Report {
    seconds: f64,
    count: u64,
    errors: u64,
    body_bytes: usize,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// Of the processes that `--pid` named.
    server_cpu_us: Option<f64>,
    /// How busy this process was: near 100, it is the load that limits the rate.
    load_cpu_percent: f64,
}

impl Report {
    /// `cpu`: of the servers, and of this process.
    pub(crate) fn new(tally: &Tally, elapsed: Duration, cpu: (Option<Duration>, Duration)) -> Self {
        let latencies = &tally.latencies;
        Self {
            seconds: elapsed.as_secs_f64(),
            count: latencies.count,
            errors: tally.errors,
            body_bytes: tally.body_bytes,
            per_second: real(latencies.count) / elapsed.as_secs_f64(),
            p50_ms: latencies.percentile_ms(50),
            p99_ms: latencies.percentile_ms(99),
            max_ms: real(latencies.max) / 1e6,
            server_cpu_us: cpu.0.map(|time| time.as_secs_f64() * 1e6 / real(latencies.count.max(1))),
            load_cpu_percent: 100.0 * cpu.1.as_secs_f64() / elapsed.as_secs_f64(),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds of a benchmark are far below 2^53")]
pub(crate) fn real(count: u64) -> f64 {
    count as f64
}
