//! Ends of sessions as they happen, whoever makes them: the events table, read again and again.
//!
//! PostgreSQL wakes us by NOTIFY; behind a pooler, and on SQLite, we look a few times a second. A server does not depend on
//! it (see the lease of its sessions); it is only faster with it.

use std::collections::{HashSet, VecDeque};
use std::time::Duration;

use sqlx::postgres::PgListener;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use super::backend::{Backend, reread};
use super::codec::DbUuid;
use super::lookup::patiently;
use super::pooler;
use super::{Store, StoreError, Tables};

/// The channel that the triggers notify.
const CHANNEL: &str = "archonctl_ends";
/// How often we look where nobody wakes us.
const POLL: Duration = Duration::from_millis(250);
/// How often we look although somebody would wake us: a message may be lost with its connection.
const POLL_WHILE_LISTENING: Duration = Duration::from_secs(5);
/// Numbers of PostgreSQL's events are given before their commit: a smaller one may appear after a greater, this much later.
const OVERLAP: Duration = Duration::from_secs(10);
/// So many are read at once.
const PAGE: i64 = 1000;

/// The end of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct End {
    /// The Archon session.
    pub session_id: Option<Uuid>,
    /// The protocol session; `None` where it is the end of the Archon session itself.
    pub protocol_session_id: Option<String>,
}

/// Follows the ends in one database.
#[derive(Debug)]
pub struct Feed {
    store: Store,
    waker: Waker,
    window: Window,
}

/// What tells us to look.
#[derive(Debug)]
enum Waker {
    Clock,
    /// Not connected at first, and after an error.
    Listener(Option<Box<PgListener>>),
}

/// Which events were seen, and below which number none will appear any more.
#[derive(Debug, Default)]
struct Window {
    /// `None` until the first look, which sees nothing but where the end is.
    last: Option<i64>,
    seen: HashSet<i64>,
    /// The greatest numbers at moments of the last seconds.
    marks: VecDeque<(Instant, i64)>,
}

impl Window {
    /// Events after this number are to be read.
    fn floor(&self) -> i64 {
        self.marks.front().map_or(0, |(_, id)| *id)
    }

    /// Takes what was read now; `true` for each event that is new.
    fn take(&mut self, now: Instant, overlap: Duration, ids: &[i64]) -> Vec<bool> {
        let new = ids.iter().map(|id| self.seen.insert(*id)).collect();
        let last = ids.iter().copied().max().max(self.last).unwrap_or(0);
        self.last = Some(last);
        self.marks.push_back((now, last));
        while self.marks.get(1).is_some_and(|(at, _)| now.duration_since(*at) >= overlap) {
            self.marks.pop_front();
        }
        let floor = self.floor();
        self.seen.retain(|id| *id > floor);
        new
    }
}

impl Store {
    /// Follows the ends of sessions from now on.
    pub fn ends(&self) -> Feed {
        let waker = match &self.inner.backend {
            Backend::Postgres(postgres) if !postgres.pooled => Waker::Listener(None),
            _ => Waker::Clock,
        };
        Feed { store: self.clone(), waker, window: Window::default() }
    }
}

impl Feed {
    /// Waits until there may be news; gives the ends since the last time, none twice.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when the database does not answer; what is missed then comes the next time.
    pub async fn next(&mut self) -> Result<Vec<End>, StoreError> {
        if self.window.last.is_some() {
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
        if self.window.last.is_none() {
            let last: i64 = patiently(async {
                reread!(self.store, db => sqlx::query_scalar("SELECT COALESCE(MAX(id), 0) FROM archon_mcp_session_events")
                    .fetch_one(db).await)
            })
            .await?;
            self.window.take(Instant::now(), OVERLAP, &[last]);
            return Ok(Vec::new());
        }
        let mut ends = Vec::new();
        let mut after = self.window.floor();
        let mut ids = Vec::new();
        loop {
            let rows: Vec<(i64, Option<DbUuid>, Option<String>)> = patiently(async {
                reread!(self.store, db => sqlx::query_as(
                    "SELECT id, session_id, protocol_session_id FROM archon_mcp_session_events \
                     WHERE id > $1 AND kind = 'ended' ORDER BY id LIMIT $2")
                    .bind(after).bind(PAGE).fetch_all(db).await)
            })
            .await?;
            let full = i64::try_from(rows.len()).is_ok_and(|count| count == PAGE);
            after = rows.last().map_or(after, |(id, ..)| *id);
            for (id, session_id, protocol_session_id) in rows {
                ids.push(id);
                ends.push(End { session_id: session_id.map(|id| id.0), protocol_session_id });
            }
            if !full {
                break;
            }
        }
        let mut new = self.window.take(Instant::now(), OVERLAP, &ids).into_iter();
        ends.retain(|_| new.next().unwrap_or(true));
        Ok(ends)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_number_that_comes_late_is_seen_once() {
        let (mut window, start) = (Window::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        window.take(at(0), OVERLAP, &[7]);
        assert_eq!((window.last, window.floor()), (Some(7), 7));
        assert_eq!(window.take(at(1), OVERLAP, &[9, 10]), [true, true]);
        assert_eq!(window.floor(), 7, "8 may still come");
        assert_eq!(window.take(at(2), OVERLAP, &[8, 9, 10]), [true, false, false]);
        for seconds in 3..14 {
            assert!(window.take(at(seconds), OVERLAP, &[]).is_empty());
        }
        assert_eq!(window.floor(), 10, "nothing comes so late");
        assert!(window.seen.is_empty(), "nothing is kept for ever");
        assert!(window.marks.len() < 20);
    }
}
