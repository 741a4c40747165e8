//! After a server was killed and started again: when the first answer comes, and how many of its sessions still live.

use std::cell::{Cell, RefCell};
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use clap::Args;
use serde::Serialize;
use tokio::time::sleep;

use crate::http::{Connection, Endpoint};
use crate::session::{Call, Session};
use crate::tell;

#[derive(Args)]
pub(crate) struct Options {
    /// The MCP endpoint: http://HOST:PORT/PATH
    #[arg(long)]
    url: Endpoint,
    /// The ids of sessions from before, one a line
    #[arg(long)]
    ids: PathBuf,
    /// When the server was killed, in nanoseconds since 1970
    #[arg(long)]
    since: u64,
}

#[derive(Serialize)]
struct Report {
    /// From the kill to the first call that is answered, whatever the answer says of the session.
    first_answer_ms: f64,
    asked: usize,
    alive: usize,
    /// Calls that were answered 503 and had to be made again.
    put_off: usize,
    /// Of the first calls of all these sessions.
    calls_per_second: f64,
}

const CONNECTIONS: usize = 16;
/// After a 503.
const PAUSE: Duration = Duration::from_millis(50);
/// A server that does not answer by then is not coming back.
const PATIENCE: Duration = Duration::from_mins(2);

/// Dead sessions are what is counted here, and no error.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Option<String>> {
    let text = fs::read_to_string(&options.ids).with_context(|| format!("no file {}", options.ids.display()))?;
    let mut ids = text.lines();
    let first = ids.next().context("there are no ids")?;
    let sum = Sum::default();
    first_answer(&options.url, first, &sum).await?;
    let killed = UNIX_EPOCH + Duration::from_nanos(options.since);
    let first_answer_ms = SystemTime::now().duration_since(killed)?.as_secs_f64() * 1e3;

    let (start, rest) = (Instant::now(), RefCell::new(ids));
    futures_util::future::try_join_all((0..CONNECTIONS).map(|_| ask(&options.url, &rest, &sum))).await?;
    let asked = text.lines().count();
    #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^53 sessions")]
    let calls_per_second = (asked - 1) as f64 / start.elapsed().as_secs_f64();
    tell(&Report { first_answer_ms, asked, alive: sum.alive.get(), put_off: sum.put_off.get(), calls_per_second })?;
    Ok(None)
}

#[derive(Default)]
struct Sum {
    alive: Cell<usize>,
    put_off: Cell<usize>,
}

/// Calls as soon as anybody listens and can tell.
async fn first_answer(endpoint: &Endpoint, id: &str, sum: &Sum) -> anyhow::Result<()> {
    call(endpoint, &mut None, id, sum).await.with_context(|| format!("no answer within {PATIENCE:?}"))
}

/// Calls once in each session that nobody else has taken from the list.
async fn ask<'a>(endpoint: &Endpoint, ids: &RefCell<impl Iterator<Item = &'a str>>, sum: &Sum) -> anyhow::Result<()> {
    let mut connection = None;
    loop {
        let next = ids.borrow_mut().next();
        let Some(id) = next else { return Ok(()) };
        call(endpoint, &mut connection, id, sum).await?;
    }
}

/// Calls once, and again for as long as nobody listens, the connection breaks, or the server cannot tell.
async fn call(endpoint: &Endpoint, open: &mut Option<Connection>, id: &str, sum: &Sum) -> anyhow::Result<()> {
    let mut call = Call::new(endpoint, &Session { id: Some(id.to_owned()) }, "health_check");
    let begun = Instant::now();
    loop {
        let outcome = exchange(endpoint, open, call.next()).await;
        let is_hopeless = begun.elapsed() > PATIENCE;
        match outcome {
            Ok((status, is_success)) if status < 500 => {
                sum.alive.set(sum.alive.get() + usize::from(is_success));
                return Ok(());
            }
            Ok((503, _)) if !is_hopeless => {
                sum.put_off.set(sum.put_off.get() + 1);
                sleep(PAUSE).await;
            }
            Ok((status, _)) => bail!("it answers {status}"),
            Err(broken) if is_hopeless => return Err(broken),
            Err(_) => {
                *open = None;
                sleep(Duration::from_millis(1)).await;
            }
        }
    }
}

/// The status, and whether the tool worked; on a new connection where there is none.
async fn exchange(endpoint: &Endpoint, open: &mut Option<Connection>, call: &[u8]) -> anyhow::Result<(u16, bool)> {
    let connection = match open {
        Some(connection) => connection,
        None => open.insert(Connection::open(endpoint).await?),
    };
    let answer = connection.exchange(call).await?;
    Ok((answer.status, answer.is_success()))
}
