//! Ends of sessions as they happen, whoever makes them: the events table, read again and again.
//!
//! PostgreSQL wakes us by NOTIFY; behind a pooler, and on SQLite, we look a few times a second. A server does not depend on
//! it (see the lease of its sessions); it is only faster with it.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::sleep;
use uuid::Uuid;

use super::backend::{Backend, reread};
use super::codec::DbUuid;
use super::lookup::{Ended, patiently};
use super::pooler;
use super::tail::Tail;
use super::{Store, StoreError, Tables};
use crate::model::timestamp::Timestamp;

/// The channel that the triggers notify.
const CHANNEL: &str = "archonctl_ends";
/// How often we look where nobody wakes us.
const POLL: Duration = Duration::from_millis(250);
/// How often we look although somebody would wake us: a message may be lost with its connection.
const POLL_WHILE_LISTENING: Duration = Duration::from_secs(5);
/// How many are read at once.
const PAGE: i64 = 1000;

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The Archon session.
    pub session_id: Option<Uuid>,
    /// The protocol session; `None` where it is the end of the Archon session itself.
    pub protocol_session_id: Option<String>,
    /// When, why and by whom.
    pub ended: Ended,
}

type EndRow = (i64, Option<DbUuid>, Option<String>, Timestamp, Option<String>, Option<String>);

/// Follows the ends in one database.
#[derive(Debug)]
pub struct Feed {
    store: Store,
    waker: Waker,
    /// `None` until the first look, which sees nothing but where the end is.
    tail: Option<Tail>,
}

/// What tells us to look.
#[derive(Debug)]
enum Waker {
    Clock,
    /// Not connected at first, and after an error.
    Listener(Option<Box<PgListener>>),
}

impl Store {
    /// Follows the ends of sessions from now on.
    pub fn ends(&self) -> Feed {
        let waker = match &self.inner.backend {
            Backend::Postgres(postgres) if !postgres.pooled => Waker::Listener(None),
            _ => Waker::Clock,
        };
        Feed { store: self.clone(), waker, tail: None }
    }
}

impl Feed {
    /// Waits until there may be news; gives the ends since the last time, none twice.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; what is missed then comes the next time.
    pub async fn next(&mut self) -> Result<Vec<End>, StoreError> {
        if self.tail.is_some() {
            self.wait().await;
        }
        self.look().await
    }

    async fn wait(&mut self) {
        let Waker::Listener(listener) = &mut self.waker else { return sleep(POLL).await };
        if listener.is_none() {
            *listener = connect(&self.store).await.map(Box::new);
        }
        match listener {
            None => sleep(POLL).await,
            Some(awake) => tokio::select! {
                // A lost connection is news, too: something may have happened meanwhile.
                heard = awake.try_recv() => if heard.is_err() { *listener = None },
                () = sleep(POLL_WHILE_LISTENING) => {}
            },
        }
    }

    async fn look(&mut self) -> Result<Vec<End>, StoreError> {
        let Some(tail) = &mut self.tail else {
            // The first look: what stands there is old.
            let newest = self.store.last_event().await?;
            let mut tail = self.store.tail(newest);
            tail.know(&ends_after(&self.store, tail.floor()).await?, |(number, _)| *number);
            self.tail = Some(tail);
            return Ok(Vec::new());
        };
        let read = ends_after(&self.store, tail.floor()).await?;
        Ok(tail.new_ones(read, |(number, _)| *number).into_iter().map(|(_, end)| end).collect())
    }
}

/// The ends after that event, each with its number.
async fn ends_after(store: &Store, number: i64) -> Result<Vec<(i64, End)>, StoreError> {
    let (mut after, mut ends) = (number, Vec::new());
    loop {
        let rows: Vec<EndRow> = patiently(async {
            reread!(store, db => sqlx::query_as(
                "SELECT id, session_id, protocol_session_id, at, reason, actor FROM archon_mcp_session_events \
                 WHERE id > $1 AND kind = 'ended' ORDER BY id LIMIT $2")
                .bind(after).bind(PAGE).fetch_all(db).await)
        })
        .await?;
        let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == PAGE);
        after = rows.last().map_or(after, |(id, ..)| *id);
        ends.extend(rows.into_iter().map(|(id, session_id, protocol_session_id, at, reason, by)| {
            let ended = Ended { at: Some(at), reason: reason.unwrap_or_default(), by: by.unwrap_or_default() };
            (id, End { session_id: session_id.map(|id| id.0), protocol_session_id, ended })
        }));
        if !is_full {
            return Ok(ends);
        }
    }
}

/// Rings when sessions end. Only some databases have one; all others have to be looked at.
#[derive(Debug)]
pub struct Bell(PgListener);

impl Bell {
    /// Waits until it rings; `false` when its connection is lost, and it will ring no more.
    pub async fn ring(&mut self) -> bool {
        matches!(self.0.try_recv().await, Ok(Some(_)))
    }
}

impl Store {
    /// The bell of this database: PostgreSQL's NOTIFY. None where nobody would ring it, or no connection is to be had.
    pub async fn bell(&self) -> Option<Bell> {
        let Backend::Postgres(postgres) = &self.inner.backend else { return None };
        if self.tables() == Tables::Original {
            return None;
        }
        // Commands take every database for one behind a pooler, because to find out takes longer than what they ask.
        let is_pooled = async || pooler::is_in_between(&postgres.pool.connect_options()).await.unwrap_or(true);
        if postgres.pooled && is_pooled().await {
            return None;
        }
        connect(self).await.map(Bell)
    }
}

async fn connect(store: &Store) -> Option<PgListener> {
    let Backend::Postgres(postgres) = &store.inner.backend else { return None };
    let mut listener = PgListener::connect_with(&postgres.pool).await.ok()?;
    listener.listen(CHANNEL).await.ok()?;
    Some(listener)
}
