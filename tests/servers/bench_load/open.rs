//! Many idle sessions, and the memory that each takes.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde::Serialize;
use tokio::time::sleep;

use crate::http::{Connection, Endpoint};
use crate::process::resident;
use crate::session::{Call, Session};
use crate::tell;

#[derive(Args)]
pub(crate) struct Options {
    /// The MCP endpoint: http://HOST:PORT/PATH
    #[arg(long)]
    url: Endpoint,
    /// How many
    #[arg(long)]
    sessions: usize,
    /// The server's process
    #[arg(long)]
    pid: u32,
    /// Where their ids are written, one a line
    #[arg(long)]
    ids: PathBuf,
}

#[derive(Serialize)]
struct Report {
    sessions: usize,
    seconds: f64,
    resident_before_bytes: u64,
    resident_after_bytes: u64,
    bytes_per_session: u64,
}

/// Of these: what a server makes once, for its first sessions and calls, is no session's memory.
const BEFORE: usize = 64;
const CONNECTIONS: usize = 16;
/// What is written or dropped behind the last answer is done by then: our sums are written once a second.
const SETTLED: Duration = Duration::from_secs(3);

pub(crate) async fn run(options: &Options) -> anyhow::Result<Option<String>> {
    let later = options.sessions.checked_sub(BEFORE).with_context(|| format!("fewer sessions than {BEFORE}"))?;
    let ids = RefCell::new(Vec::with_capacity(options.sessions));
    open(&options.url, BEFORE, &ids).await?;
    let first = ids.borrow().clone();
    call(&options.url, &first).await?;
    sleep(SETTLED).await;
    let before = resident(options.pid)?;

    let start = Instant::now();
    let share = |number| later / CONNECTIONS + usize::from(number < later % CONNECTIONS);
    let callers = (0..CONNECTIONS).map(|number| open(&options.url, share(number), &ids));
    futures_util::future::try_join_all(callers).await?;
    let seconds = start.elapsed().as_secs_f64();
    sleep(SETTLED).await;
    let after = resident(options.pid)?;

    let ids = ids.into_inner().join("\n") + "\n";
    fs::write(&options.ids, ids).with_context(|| format!("{} cannot be written", options.ids.display()))?;
    tell(&Report {
        sessions: options.sessions,
        seconds,
        resident_before_bytes: before,
        resident_after_bytes: after,
        bytes_per_session: after.saturating_sub(before) / later.max(1) as u64,
    })?;
    Ok(None)
}

async fn open(endpoint: &Endpoint, sessions: usize, ids: &RefCell<Vec<String>>) -> anyhow::Result<()> {
    let mut connection = Connection::open(endpoint).await?;
    for _ in 0..sessions {
        let id = Session::open(&mut connection, endpoint).await?.id.context("initialize gave no session id")?;
        ids.borrow_mut().push(id);
    }
    Ok(())
}

async fn call(endpoint: &Endpoint, ids: &[String]) -> anyhow::Result<()> {
    let mut connection = Connection::open(endpoint).await?;
    for id in ids {
        let session = Session { id: Some(id.clone()) };
        connection.exchange(Call::new(endpoint, &session, "health_check").next()).await?;
    }
    Ok(())
}
