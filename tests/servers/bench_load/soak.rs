//! Calls at an even rate for a long time, with all that happens to sessions meanwhile.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{bail, ensure};
use clap::Args;
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until};

use crate::http::{Connection, Endpoint};
use crate::process;
use crate::session::{Call, Session};
use crate::tally::{Tally, real};
use crate::tell;

#[derive(Args)]
pub(crate) struct Options {
    /// The MCP endpoint: http://HOST:PORT/PATH
    #[arg(long)]
    url: Endpoint,
    /// Calls a second, of all callers together
    #[arg(long)]
    rate: f64,
    /// Callers, each with a connection and a session of its own
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// Calls in a session. Then it is ended by DELETE, or left to the server's cleanup: by turns
    #[arg(long, default_value_t = 500)]
    calls: u32,
    /// For how long
    #[arg(long)]
    seconds: u64,
    /// Seconds before the first line, of which only the errors count
    #[arg(long, default_value_t = 0)]
    warmup: u64,
    /// Seconds between two lines
    #[arg(long, default_value_t = 10)]
    every: u64,
    /// The server's process
    #[arg(long)]
    pid: u32,
    /// Its SQLite file
    #[arg(long)]
    database: PathBuf,
}

/// One interval.
#[derive(Serialize)]
struct Sample {
    at_seconds: u64,
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
    errors: u64,
    /// Sessions opened, and those found ended by somebody else.
    opened: u64,
    ended_by_others: u64,
    resident_bytes: u64,
    descriptors: usize,
    wal_bytes: u64,
    database_bytes: u64,
}

/// What all callers saw since the last line.
#[derive(Default)]
struct Seen {
    tally: Tally,
    opened: u64,
    ended_by_others: u64,
}

type Shared = Arc<Mutex<Seen>>;

pub(crate) async fn run(options: &Options) -> anyhow::Result<Option<String>> {
    ensure!(options.rate > 0.0, "--rate must be above 0");
    let seen = Shared::default();
    let mut callers = JoinSet::new();
    for number in 0..options.connections {
        let period = Duration::try_from_secs_f64(f64::from(options.connections) / options.rate)?;
        let pace = Pace { next: Instant::now() + period * number / options.connections, period };
        callers.spawn(call(options.url.clone(), options.calls, pace, Arc::clone(&seen)));
    }
    let (begun, mut first_error) = (Instant::now(), None);
    for at in (0..=options.seconds / options.every).map(|n| n * options.every) {
        tokio::select! {
            () = sleep_until((begun + Duration::from_secs(options.warmup + at)).into()) => {}
            Some(ended) = callers.join_next() => ended??,
        }
        let seen = std::mem::take(&mut *seen.lock().unwrap_or_else(PoisonError::into_inner));
        if at > 0 {
            tell(&Sample::new(options, at, &seen)?)?;
        }
        first_error = first_error.or(seen.tally.first_error);
    }
    Ok(first_error)
}

impl Sample {
    fn new(options: &Options, at_seconds: u64, seen: &Seen) -> anyhow::Result<Self> {
        let latencies = &seen.tally.latencies;
        let mut wal = options.database.clone().into_os_string();
        wal.push("-wal");
        Ok(Self {
            at_seconds,
            per_second: real(latencies.count) / real(options.every),
            p50_ms: latencies.percentile_ms(50),
            p99_ms: latencies.percentile_ms(99),
            errors: seen.tally.errors,
            opened: seen.opened,
            ended_by_others: seen.ended_by_others,
            resident_bytes: process::resident(options.pid)?,
            descriptors: process::descriptors(options.pid)?,
            wal_bytes: process::size(wal.as_ref()),
            database_bytes: process::size(&options.database),
        })
    }
}

/// When the next call of a caller is due; one that is late is made at once.
struct Pace {
    next: Instant,
    period: Duration,
}

impl Pace {
    /// A caller this late does not catch up any more: the server cannot take the rate, and the lines show it.
    const HOPELESS: Duration = Duration::from_secs(1);

    async fn turn(&mut self) {
        if self.next.elapsed() > Self::HOPELESS {
            self.next = Instant::now();
        }
        sleep(self.next.saturating_duration_since(Instant::now())).await;
        self.next += self.period;
    }
}

/// One session after the other, until somebody aborts; only a broken connection or a refused handshake ends it.
async fn call(endpoint: Endpoint, calls: u32, mut pace: Pace, seen: Shared) -> anyhow::Result<()> {
    let seen = || seen.lock().unwrap_or_else(PoisonError::into_inner);
    let mut connection = Connection::open(&endpoint).await?;
    for number in 0_u64.. {
        let session = Session::open(&mut connection, &endpoint).await?;
        seen().opened += 1;
        let mut call = Call::new(&endpoint, &session, "health_check");
        let mut is_ours = true;
        for _ in 0..calls {
            pace.turn().await;
            let start = Instant::now();
            let answer = connection.exchange(call.next()).await?;
            let mut seen = seen();
            seen.tally.latencies.record(start.elapsed());
            is_ours = answer.status != 404;
            if !is_ours {
                seen.ended_by_others += 1;
                break;
            }
            if !answer.is_success() {
                seen.tally.error(answer.describe());
            }
        }
        if is_ours && number % 2 == 0 {
            let answer = connection.exchange(&session.goodbye(&endpoint)).await?;
            // Somebody may have been faster.
            if !matches!(answer.status, 204 | 404) {
                seen().tally.error(format!("DELETE: {}", answer.describe()));
            }
        }
    }
    bail!("out of numbers")
}
