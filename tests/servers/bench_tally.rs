//! What the load counts: latencies, errors, CPU time; and how it tells them.

use std::fs;
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

/// What one caller saw, or all of them.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) latencies: Latencies,
    errors: u64,
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
    count: u64,
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

    /// The upper edge, in nanoseconds, of the bucket in which `percent` of all durations are reached.
    fn percentile(&self, percent: u64) -> u64 {
        let wanted = (self.count * percent).div_ceil(100);
        let mut seen = 0;
        let reached = self.buckets.iter().position(|count| {
            seen += count;
            seen >= wanted
        });
        upper_edge(reached.unwrap_or(LAST_BUCKET)).min(self.max)
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

/// CPU time so far, of the server and of this process.
pub(crate) struct Cpu {
    /// None when nobody named a process.
    server: Option<Duration>,
    load: Duration,
}

impl Cpu {
    pub(crate) fn now(servers: &[u32]) -> anyhow::Result<Self> {
        let server = servers.iter().map(|pid| cpu_time(&pid.to_string())).sum::<anyhow::Result<Duration>>()?;
        Ok(Self { server: (!servers.is_empty()).then_some(server), load: cpu_time("self")? })
    }

    pub(crate) fn since(&self, earlier: &Self) -> Self {
        let server = self.server.zip(earlier.server).map(|(now, then)| now.saturating_sub(then));
        Self { server, load: self.load.saturating_sub(earlier.load) }
    }
}

/// User and system time of all threads of a process: proc(5), fields 14 and 15 of `stat`.
fn cpu_time(pid: &str) -> anyhow::Result<Duration> {
    /// Linux shows a hundred a second on every machine, whatever its kernel counts.
    const TICK: Duration = Duration::from_millis(10);
    let path = format!("/proc/{pid}/stat");
    let stat = fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))?;
    // The second field is the program's name and may hold anything, but the last ')' ends it.
    let (_, fields) = stat.rsplit_once(')').with_context(|| format!("{path} has no name"))?;
    let ticks = fields.split_whitespace().skip(11).take(2).map(str::parse::<u32>).sum::<Result<u32, _>>()?;
    Ok(TICK * ticks)
}

/// The measured window, in the units of its readers.
#[derive(Serialize)]
pub(crate) struct Report {
    connections: usize,
    seconds: f64,
    calls: u64,
    pub(crate) errors: u64,
    body_bytes: usize,
    calls_per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    max_ms: f64,
    /// Of the processes that `--pid` named.
    server_cpu_us_per_call: Option<f64>,
    /// How busy this process was: near 100, it is the load that limits the rate.
    load_cpu_percent: f64,
}

impl Report {
    pub(crate) fn new(connections: usize, tally: &Tally, elapsed: Duration, cpu: &Cpu) -> Self {
        let latencies = &tally.latencies;
        let calls = latencies.count.max(1);
        Self {
            connections,
            seconds: elapsed.as_secs_f64(),
            calls: latencies.count,
            errors: tally.errors,
            body_bytes: tally.body_bytes,
            calls_per_second: real(latencies.count) / elapsed.as_secs_f64(),
            p50_ms: millis(latencies.percentile(50)),
            p99_ms: millis(latencies.percentile(99)),
            max_ms: millis(latencies.max),
            server_cpu_us_per_call: cpu.server.map(|time| time.as_secs_f64() * 1e6 / real(calls)),
            load_cpu_percent: 100.0 * cpu.load.as_secs_f64() / elapsed.as_secs_f64(),
        }
    }

    /// For people.
    pub(crate) fn print(&self) {
        let Self { connections, seconds, calls, errors, body_bytes, .. } = self;
        println!(
            "{calls} calls in {seconds:.2} s on {connections} connections, {errors} errors, {body_bytes} bytes each"
        );
        println!("rate    {:.0} calls/s", self.calls_per_second);
        println!("latency p50 {:.3} ms, p99 {:.3} ms, max {:.3} ms", self.p50_ms, self.p99_ms, self.max_ms);
        if let Some(cpu) = self.server_cpu_us_per_call {
            println!("server  {cpu:.1} µs of CPU a call");
        }
        println!("load    {:.0} % of a core", self.load_cpu_percent);
    }
}

fn millis(nanos: u64) -> f64 {
    real(nanos) / 1e6
}

#[expect(clippy::cast_precision_loss, reason = "counts and nanoseconds of a benchmark are far below 2^53")]
fn real(count: u64) -> f64 {
    count as f64
}
