//! After a server was killed and started again: when the first answer comes, and how many of its sessions still live.

use std::cell::RefCell;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, ensure};
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
    /// Of the first calls of all these sessions.
    calls_per_second: f64,
}

const CONNECTIONS: usize = 16;
/// A server that does not answer by then is not coming back.
const PATIENCE: Duration = Duration::from_secs(120);

/// Dead sessions are what is counted here, and no error.
pub(crate) async fn run(options: &Options) -> anyhow::Result<Option<String>> {
    let text = fs::read_to_string(&options.ids).with_context(|| format!("no file {}", options.ids.display()))?;
    let mut ids = text.lines();
    let first = ids.next().context("there are no ids")?;
    let is_alive = first_answer(&options.url, first).await?;
    let killed = UNIX_EPOCH + Duration::from_nanos(options.since);
    let first_answer_ms = SystemTime::now().duration_since(killed)?.as_secs_f64() * 1e3;

    let (start, rest) = (Instant::now(), RefCell::new(ids));
    let alive = futures_util::future::try_join_all((0..CONNECTIONS).map(|_| ask(&options.url, &rest))).await?;
    let asked = text.lines().count();
    #[expect(clippy::cast_precision_loss, reason = "there are fewer than 2^53 sessions")]
    let calls_per_second = (asked - 1) as f64 / start.elapsed().as_secs_f64();
    let alive = alive.into_iter().sum::<usize>() + usize::from(is_alive);
    tell(&Report { first_answer_ms, asked, alive, calls_per_second })?;
    Ok(None)
}

/// Whether the session lives, as soon as anybody listens and can tell.
async fn first_answer(endpoint: &Endpoint, id: &str) -> anyhow::Result<bool> {
    let begun = Instant::now();
    loop {
        if let Ok(mut connection) = Connection::open(endpoint).await
            && let Ok(known) = call(&mut connection, endpoint, id).await
        {
            return Ok(known);
        }
        ensure!(begun.elapsed() < PATIENCE, "no answer within {PATIENCE:?}");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Calls once in each session that nobody else has taken from the list.
async fn ask<'a>(endpoint: &Endpoint, ids: &RefCell<impl Iterator<Item = &'a str>>) -> anyhow::Result<usize> {
    let (mut connection, mut alive) = (Connection::open(endpoint).await?, 0);
    loop {
        let next = ids.borrow_mut().next();
        let Some(id) = next else { return Ok(alive) };
        alive += usize::from(call(&mut connection, endpoint, id).await?);
    }
}

async fn call(connection: &mut Connection, endpoint: &Endpoint, id: &str) -> anyhow::Result<bool> {
    let session = Session { id: Some(id.to_owned()) };
    let answer = connection.exchange(Call::new(endpoint, &session, "health_check").next()).await?;
    ensure!(answer.status < 500, "it cannot tell: {}", answer.describe());
    Ok(answer.is_success())
}
