//! Ends of sessions as they happen, whoever makes them, and cancellations of calls that run on another server: the events
//! table, read again and again.
//!
//! PostgreSQL wakes us by NOTIFY; behind a pooler, and on SQLite, we look a few times a second. A server does not depend on
//! it (see the lease of its sessions); it is only faster with it.

use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::sleep;
use uuid::Uuid;

use super::lookup::Ended;
use crate::model::timestamp::Timestamp;
use crate::store::backend::{Backend, DbUuid, is_pooler_in_between, reread, transact};
use crate::store::tail::Tail;
use crate::store::{Store, StoreError};

/// The channel that the triggers notify.
const CHANNEL: &str = "archonctl_ends";
/// How often we look where nobody wakes us.
const POLL: Duration = Duration::from_millis(250);
/// How often we look although somebody would wake us: a message may be lost with its connection.
const POLL_WHILE_LISTENING: Duration = Duration::from_secs(5);
/// How many are read at once.
const PAGE: i64 = 1000;

/// The kind of event that is a cancellation.
const CANCELLED: &str = "cancelled";

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

/// A request was cancelled by way of a server on which it does not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancellation {
    /// The protocol session.
    pub protocol_session_id: String,
    /// The request's JSON-RPC id, as its client wrote it.
    pub request: String,
}

/// What the feed tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// A session has ended.
    Ended(End),
    /// A request is cancelled.
    Cancelled(Cancellation),
}

/// Number, kind, Archon session, connection, time, reason, actor.
type NewsRow = (i64, String, Option<DbUuid>, Option<String>, Timestamp, Option<String>, Option<String>);

/// Follows the news of one database.
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
    /// Follows ends and cancellations from now on.
    pub fn news(&self) -> Feed {
        let waker = match self.backend() {
            Backend::Postgres(postgres) if !postgres.pooled => Waker::Listener(None),
            _ => Waker::Clock,
        };
        Feed { store: self.clone(), waker, tail: None }
    }
}

impl Feed {
    /// Waits until there may be news; gives the news since the last time, none twice.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; what is missed then comes the next time.
    pub async fn next(&mut self) -> Result<Vec<News>, StoreError> {
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

    async fn look(&mut self) -> Result<Vec<News>, StoreError> {
        let Some(tail) = &mut self.tail else {
            // The first look: what stands there is old.
            let newest = self.store.last_event().await?;
            let mut tail = self.store.tail(newest);
            tail.know(&news_after(&self.store, tail.floor()).await?, |(number, _)| *number);
            self.tail = Some(tail);
            return Ok(Vec::new());
        };
        let read = news_after(&self.store, tail.floor()).await?;
        Ok(tail.new_ones(read, |(number, _)| *number).into_iter().map(|(_, news)| news).collect())
    }
}

/// The news after that event, each with its number.
async fn news_after(store: &Store, number: i64) -> Result<Vec<(i64, News)>, StoreError> {
    let (mut after, mut news) = (number, Vec::new());
    loop {
        let rows: Vec<NewsRow> = reread!(store, db => sqlx::query_as(
            "SELECT id, kind, session_id, protocol_session_id, at, reason, actor FROM archon_mcp_session_events \
             WHERE id > $1 AND kind IN ('ended', 'cancelled') ORDER BY id LIMIT $2")
            .bind(after).bind(PAGE).fetch_all(db).await)?;
        let is_full = i64::try_from(rows.len()).is_ok_and(|count| count == PAGE);
        after = rows.last().map_or(after, |(id, ..)| *id);
        news.extend(rows.into_iter().filter_map(news_of));
        if !is_full {
            return Ok(news);
        }
    }
}

fn news_of(row: NewsRow) -> Option<(i64, News)> {
    let (number, kind, session_id, protocol_session_id, at, reason, by) = row;
    let news = if kind == CANCELLED {
        News::Cancelled(Cancellation { protocol_session_id: protocol_session_id?, request: reason? })
    } else {
        let ended = Ended { at: Some(at), reason: reason.unwrap_or_default(), by: by.unwrap_or_default() };
        News::Ended(End { session_id: session_id.map(|id| id.0), protocol_session_id, ended })
    };
    Some((number, news))
}

/// Rings when sessions end. Only some databases have one; all others have to be looked at.
#[derive(Debug)]
pub struct ChangeListener(PgListener);

impl ChangeListener {
    /// Waits until it rings; `false` when its connection is lost, and it will ring no more.
    pub async fn ring(&mut self) -> bool {
        matches!(self.0.try_recv().await, Ok(Some(_)))
    }
}

impl Store {
    /// Tells the other servers of this database that a request is cancelled.
    ///
    /// # Errors
    /// [`StoreError`]; then it is unknown whether they were told.
    pub async fn announce_cancelled(&self, at: Timestamp, cancelled: &Cancellation) -> Result<(), StoreError> {
        transact!(self, tx => async {
            sqlx::query("INSERT INTO archon_mcp_session_events (at, kind, protocol_session_id, reason, actor) \
                         VALUES ($1, $2, $3, $4, 'client')")
                .bind(at).bind(CANCELLED).bind(&cancelled.protocol_session_id).bind(&cancelled.request)
                .execute(&mut *tx).await?;
            if self.is_shared() {
                sqlx::query(sqlx::AssertSqlSafe(format!("SELECT pg_notify('{CHANNEL}', '')"))).execute(&mut *tx).await?;
            }
            Ok::<_, StoreError>(())
        }.await)
    }

    /// The bell of this database: PostgreSQL's NOTIFY. None where nobody would ring it, or no connection is to be had.
    pub async fn bell(&self) -> Option<ChangeListener> {
        let Backend::Postgres(postgres) = self.backend() else { return None };
        if !self.has_events() {
            return None;
        }
        // Commands take every database for one behind a pooler, because to find out takes longer than what they ask.
        let is_pooled = async || is_pooler_in_between(&postgres.pool.connect_options()).await.unwrap_or(true);
        if postgres.pooled && is_pooled().await {
            return None;
        }
        connect(self).await.map(ChangeListener)
    }
}

async fn connect(store: &Store) -> Option<PgListener> {
    let Backend::Postgres(postgres) = store.backend() else { return None };
    let mut listener = PgListener::connect_with(&postgres.pool).await.ok()?;
    listener.listen(CHANNEL).await.ok()?;
    Some(listener)
}
