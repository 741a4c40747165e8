//! A window of time in which every caller asks again as soon as it is answered: the rate is what the server sustains with
//! that many callers waiting.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::{Duration, Instant};

use clap::Args;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::http::{Answer, Connection, Endpoint};
use crate::process::Cpu;
use crate::session::{Call, Session};
use crate::tally::{Report, Tally};
use crate::tell;

#[derive(Args)]
pub(crate) struct Options {
    /// The MCP endpoint, http://HOST:PORT/PATH. With several, a session opened at one is used at the next
    #[arg(long, required = true)]
    url: Vec<Endpoint>,
    /// Callers, each with a connection of its own
    #[arg(long, default_value_t = 16)]
    connections: usize,
    /// Length of the measured window
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Seconds before it that are not counted
    #[arg(long, default_value_t = 1.0)]
    warmup: f64,
    /// The tool; called without arguments
    #[arg(long, default_value = "health_check")]
    tool: String,
    /// A process whose CPU time counts as the server's, with its children's; may be given more than once
    #[arg(long)]
    pid: Vec<u32>,
}

/// Calls of a tool.
pub(crate) async fn calls(options: &Options) -> anyhow::Result<Option<String>> {
    let mut callers = Vec::with_capacity(options.connections);
    for number in 0..options.connections {
        let opened_at = &options.url[number % options.url.len()];
        let used_at = &options.url[(number + 1) % options.url.len()];
        let session = Session::open(&mut Connection::open(opened_at).await?, opened_at).await?;
        let ask = Ask::Call(Call::new(used_at, &session, &options.tool));
        callers.push(Caller { connection: Connection::open(used_at).await?, ask });
    }
    measure(options, callers).await
}

/// Sessions opened.
pub(crate) async fn sessions(options: &Options) -> anyhow::Result<Option<String>> {
    let mut callers = Vec::with_capacity(options.connections);
    for endpoint in options.url.iter().cycle().take(options.connections) {
        let ask = Ask::Session(Session::handshake(endpoint));
        callers.push(Caller { connection: Connection::open(endpoint).await?, ask });
    }
    measure(options, callers).await
}

/// What the callers are to do with the request at hand: see [`WARMING`], [`COUNTING`], [`OVER`].
type Stage = Arc<AtomicU8>;
/// Make it, do not count it.
const WARMING: u8 = 0;
/// Make it and count it.
const COUNTING: u8 = 1;
/// Make no more.
const OVER: u8 = 2;

/// An answer that takes longer than this after the window is an error, not a silence.
const LAST_ANSWER: Duration = Duration::from_secs(10);

async fn measure(options: &Options, callers: Vec<Caller>) -> anyhow::Result<Option<String>> {
    let stage = Stage::new(AtomicU8::new(WARMING));
    let mut running = JoinSet::new();
    for caller in callers {
        running.spawn(caller.run(Arc::clone(&stage)));
    }
    sleep(Duration::try_from_secs_f64(options.warmup)?).await;
    let (start, cpu) = (Instant::now(), Cpu::now(&options.pid)?);
    stage.store(COUNTING, Ordering::Relaxed);
    sleep(Duration::try_from_secs_f64(options.seconds)?).await;
    stage.store(OVER, Ordering::Relaxed);
    let (elapsed, cpu) = (start.elapsed(), Cpu::now(&options.pid)?.since(&cpu));

    let mut tally = Tally::default();
    while let Ok(Some(caller)) = timeout(LAST_ANSWER, running.join_next()).await {
        tally.add(caller?);
    }
    for _ in 0..running.len() {
        tally.error(format!("no answer within {LAST_ANSWER:?}"));
    }
    tell(&Report::new(&tally, elapsed, cpu))?;
    Ok(tally.first_error)
}

/// A connection, and what is asked on it.
struct Caller {
    connection: Connection,
    ask: Ask,
}

enum Ask {
    Call(Call),
    Session(Vec<u8>),
}

impl Ask {
    fn next(&mut self) -> &[u8] {
        match self {
            Self::Call(call) => call.next(),
            Self::Session(handshake) => handshake,
        }
    }

    fn is_answered(&self, answer: &Answer<'_>) -> bool {
        match self {
            Self::Call(_) => answer.is_success(),
            Self::Session(_) => answer.is_success() && answer.header("mcp-session-id").is_some(),
        }
    }
}

impl Caller {
    /// Asks until the time is over or the connection breaks.
    async fn run(mut self, stage: Stage) -> Tally {
        let mut tally = Tally::default();
        while stage.load(Ordering::Relaxed) != OVER {
            let start = Instant::now();
            let answer = self.connection.exchange(self.ask.next()).await;
            if stage.load(Ordering::Relaxed) == COUNTING {
                tally.latencies.record(start.elapsed());
            }
            match answer {
                Ok(answer) if self.ask.is_answered(&answer) => tally.body_bytes = answer.body.len(),
                Ok(answer) => tally.error(answer.describe()),
                Err(broken) => {
                    tally.error(format!("{broken:#}"));
                    break;
                }
            }
        }
        tally
    }
}
