//! Rows now, sums soon: what committed request rows add up to, kept in memory and written about once a second.
//!
//! A random update for each call would cost twelve times the append. So a call appends its row, and everything that
//! sums over rows (the counters of a session, the sums by minute) is written in one transaction that also stores up to
//! which row of this boot it reaches. Rows that a dead boot left unfolded are read and folded by whoever starts or
//! cleans up next: nothing is counted twice, nothing is lost.

use std::sync::{Mutex, PoisonError};

use super::backend::{reread, transact};
use super::codec::DbUuid;
use super::lookup::patiently;
use super::order;
use super::outage::Work;
use super::rows::NewRequest;
use super::statements::{self, Dialect, RowStatement, json};
use super::sums::Sums;
use super::touches::Touches;
use super::{Store, StoreError};
use crate::model::request::RequestStatus;
use crate::model::timestamp::Timestamp;

/// Sums that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Fold {
    waiting: Mutex<Waiting>,
    /// Up to which row the sums in the database reach, as far as we know; held while more are written.
    mark: tokio::sync::Mutex<i64>,
}

#[derive(Debug, Default)]
struct Waiting {
    sums: Sums,
    /// Rows up to this one were folded from the table. Some of them may still be on their way to us: others took this boot
    /// for dead and folded what it had committed, before it knew that it had.
    folded: i64,
}

/// Sums on their way to the database. Unless they arrive there, they go back (also when whoever writes them is dropped).
struct InHand<'a> {
    fold: &'a Fold,
    sums: Sums,
}

impl Fold {
    /// Adds a committed row.
    pub(super) fn add(&self, request: &NewRequest, seq: i64) {
        let mut waiting = self.lock();
        if seq > waiting.folded {
            waiting.sums.add(request, seq);
        }
    }

    fn take(&self) -> InHand<'_> {
        InHand { fold: self, sums: std::mem::take(&mut self.lock().sums) }
    }

    /// Rows up to `reached` were folded from the table, and are ignored from now on. Sums that already have some of those
    /// are of no use any more; they come into hand, because all of their rows have to be folded from the table as well.
    fn folded_up_to(&self, reached: i64) -> Option<InHand<'_>> {
        let mut waiting = self.lock();
        let first = waiting.sums.first();
        if first == 0 || first > reached {
            waiting.folded = reached;
            return None;
        }
        Some(InHand { fold: self, sums: std::mem::take(&mut waiting.sums) })
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InHand<'_> {
    /// They are in the database.
    fn arrived(mut self) {
        self.sums = Sums::default();
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        if self.sums.seq() > 0 {
            self.fold.lock().sums.join(std::mem::take(&mut self.sums));
        }
    }
}

const MOVE_MARK: &str = "UPDATE archon_mcp_boots SET folded_seq = $1 WHERE number = $2 AND folded_seq = $3";

const UNFOLDED: &str = "SELECT r.seq, r.session_id, r.protocol_session_id, \
     COALESCE(s.client_type, p.client_type, 'Unknown') AS client_type, \
     r.method, r.tool_name, r.timestamp, r.duration_us, r.status, CAST(r.prompt_tokens AS BIGINT) AS prompt_tokens, \
     CAST(r.completion_tokens AS BIGINT) AS completion_tokens FROM archon_mcp_requests r \
     LEFT JOIN archon_mcp_sessions s ON s.session_id = r.session_id \
     LEFT JOIN archon_mcp_protocol_sessions p ON p.protocol_session_id = r.protocol_session_id \
     WHERE r.boot = $1 AND r.seq > $2 AND r.seq <= $3 ORDER BY r.seq LIMIT $4";

/// How many rows are folded from the table at once.
const FOLD_CHUNK: i64 = 500;

/// What one transaction of a flush writes.
struct Flush<'a> {
    boot: i64,
    /// The mark that the sums go on from.
    from: i64,
    sums: &'a Sums,
    touches: &'a Touches,
}

impl Flush<'_> {
    fn is_empty(&self) -> bool {
        self.sums.seq() == 0 && self.touches.archon.is_empty() && self.touches.protocol.is_empty()
    }

    /// The ids of all sessions in it, as JSON arrays: Archon sessions and protocol sessions.
    fn ids(&self) -> [Option<String>; 2] {
        let archon: Vec<_> = self.touches.archon_rows(self.sums.by_session()).into_keys().collect();
        let protocol: Vec<_> = self.touches.protocol_rows(self.sums.by_connection()).into_keys().collect();
        [json(&archon), json(&protocol)]
    }

    /// Its statements, each with its rows; without the sums where the mark is not where they go on from.
    fn statements(&self, with_sums: bool) -> impl Iterator<Item = (RowStatement, String)> {
        let none = Sums::default();
        let sums = if with_sums { self.sums } else { &none };
        let archon: Vec<_> = self.touches.archon_rows(sums.by_session()).into_values().collect();
        let protocol: Vec<_> = self.touches.protocol_rows(sums.by_connection()).into_values().collect();
        // The rows that all servers share come last.
        [
            (statements::FLUSH_ARCHON, json(&archon)),
            (statements::FLUSH_PROTOCOL, json(&protocol)),
            (statements::LATE, json(&sums.windows(self.boot, self.from))),
            (statements::ROLL_UP, json(&sums.by_minute())),
            (statements::ROLL_UP_HOURS, json(&sums.by_hour())),
            (statements::ROLL_UP_DAYS, json(&sums.by_day())),
        ]
        .into_iter()
        .filter_map(|(statement, rows)| rows.map(|rows| (statement, rows)))
    }
}

impl Store {
    /// Writes touches and the sums of committed rows, in one transaction with the mark up to which they reach.
    ///
    /// # Errors
    /// On any error the sums are kept for the next flush, and touches that were not written come back to the caller.
    pub async fn flush(&self, boot: i64, touches: Touches) -> Result<(), (StoreError, Touches)> {
        let outcome = self.write_flush(boot, touches).await;
        match &outcome {
            // With nothing to write nothing is known.
            Ok(wrote) if *wrote => self.outage().note(Work::Sums, Ok(())),
            Ok(_) => {}
            Err((error, _)) => self.outage().note(Work::Sums, Err(error)),
        }
        outcome.map(|_| ())
    }

    /// `false` when there was nothing to write.
    async fn write_flush(&self, boot: i64, touches: Touches) -> Result<bool, (StoreError, Touches)> {
        let fold = &self.inner.fold;
        let mut mark = fold.mark.lock().await;
        let in_hand = fold.take();
        let flush = Flush { boot, from: *mark, sums: &in_hand.sums, touches: &touches };
        if flush.is_empty() {
            return Ok(false);
        }
        match self.write_sums(&flush).await {
            Ok(true) => {
                *mark = in_hand.sums.seq().max(*mark);
                in_hand.arrived();
                Ok(true)
            }
            // The mark is not where we left it: the answer to an earlier COMMIT was lost, or others took this boot for
            // dead and folded its rows. The rows know.
            Ok(false) => match self.fold_from_table(boot, in_hand).await {
                Ok(reached) => {
                    *mark = reached;
                    Ok(true)
                }
                Err(error) => Err((error, Touches::default())),
            },
            Err(error) => Err((error, touches)),
        }
    }

    /// Writes the flush, and moves the mark if it stands where expected; `false` when it does not: then the touches are
    /// written, and the sums are not.
    async fn write_sums(&self, flush: &Flush<'_>) -> Result<bool, StoreError> {
        let (dialect, upto) = (self.dialect(), flush.sums.seq());
        let [archon, protocol] = if dialect == Dialect::Postgres { flush.ids() } else { [None, None] };
        transact!(self, tx => async {
            if let Some(archon) = &archon {
                sqlx::query(order::LOCK_ARCHON).bind(archon).bind("[]").execute(&mut *tx).await?;
            }
            if let Some(protocol) = &protocol {
                sqlx::query(order::LOCK_CONNECTIONS).bind("[]").bind(protocol).execute(&mut *tx).await?;
            }
            // The boot's row makes a second folder wait, and then find the mark moved.
            let moved = upto == 0 || sqlx::query(MOVE_MARK)
                .bind(upto).bind(flush.boot).bind(flush.from).execute(&mut *tx).await?.rows_affected() == 1;
            for (statement, rows) in flush.statements(moved) {
                let sql = sqlx::AssertSqlSafe(statement.sql(dialect));
                sqlx::query(sql).bind(rows).execute(&mut *tx).await?;
            }
            Ok::<_, StoreError>(moved)
        }.await)
    }

    /// Folds the rows of the sums in hand from the table, instead of those sums; returns the mark.
    async fn fold_from_table(&self, boot: i64, mut in_hand: InHand<'_>) -> Result<i64, StoreError> {
        loop {
            let reached = self.fold_again(boot, in_hand.sums.seq()).await?;
            in_hand.arrived();
            match self.inner.fold.folded_up_to(reached) {
                Some(overlapping) => in_hand = overlapping,
                None => return Ok(reached),
            }
        }
    }

    /// Folds the rows of this boot up to that one from the table; returns the mark.
    async fn fold_again(&self, boot: i64, upto: i64) -> Result<i64, StoreError> {
        loop {
            let mark = self.mark_of(boot).await?.map_or(0, |(mark, _)| mark);
            if self.fold_rows(boot, (mark, upto), FOLD_CHUNK).await? == 0 {
                return Ok(mark);
            }
        }
    }

    /// Folds up to `limit` rows that an ended boot left unfolded. Returns how many; call again until it is zero.
    ///
    /// # Errors
    /// [`StoreError`]; call again, what is folded already is not folded twice.
    pub async fn fold_leftovers(&self, boot: i64, limit: i64) -> Result<usize, StoreError> {
        match self.mark_of(boot).await? {
            Some((mark, true)) => self.fold_rows(boot, (mark, i64::MAX), limit).await,
            _ => Ok(0),
        }
    }

    /// Up to which row a boot is folded, and whether it has ended.
    async fn mark_of(&self, boot: i64) -> Result<Option<(i64, bool)>, StoreError> {
        patiently(async {
            reread!(self, db => sqlx::query_as("SELECT folded_seq, ended_at IS NOT NULL FROM archon_mcp_boots WHERE number = $1")
                .bind(boot).fetch_optional(db).await)
        })
        .await
    }

    /// Folds a boot's rows after the mark, and not after another, from the table.
    async fn fold_rows(&self, boot: i64, (mark, upto): (i64, i64), limit: i64) -> Result<usize, StoreError> {
        let rows: Vec<Leftover> = patiently(async {
            reread!(self, db => sqlx::query_as(UNFOLDED)
                .bind(boot).bind(mark).bind(upto).bind(limit).fetch_all(db).await)
        })
        .await?;
        let mut sums = Sums::default();
        for row in &rows {
            sums.add(&row.to_request(), row.seq);
        }
        if !rows.is_empty() {
            // If somebody else has folded these rows meanwhile, the mark is not there any more, and nothing is written.
            self.write_sums(&Flush { boot, from: mark, sums: &sums, touches: &Touches::default() }).await?;
        }
        Ok(rows.len())
    }
}

#[derive(sqlx::FromRow)]
struct Leftover {
    seq: i64,
    session_id: Option<DbUuid>,
    protocol_session_id: Option<String>,
    client_type: String,
    method: String,
    tool_name: Option<String>,
    timestamp: Timestamp,
    duration_us: i64,
    status: String,
    prompt_tokens: Option<i64>,
    completion_tokens: Option<i64>,
}

impl Leftover {
    fn to_request(&self) -> NewRequest {
        let status = [RequestStatus::Success, RequestStatus::Timeout].into_iter().find(|s| s.as_str() == self.status);
        let count = |tokens: Option<i64>| tokens.and_then(|t| u32::try_from(t).ok()).unwrap_or(0);
        NewRequest {
            session_id: self.session_id.map(|id| id.0),
            protocol_session_id: self.protocol_session_id.as_deref().map(Into::into),
            client_type: self.client_type.as_str().into(),
            method: self.method.as_str().into(),
            tool_name: self.tool_name.as_deref().map(Into::into),
            timestamp: self.timestamp,
            duration_us: self.duration_us,
            status: status.unwrap_or(RequestStatus::Error),
            error_message: None,
            tokens: Some(crate::model::request::Tokens {
                prompt: count(self.prompt_tokens),
                completion: count(self.completion_tokens),
            }),
            estimated_cost: None,
            rule: None,
            late: false,
            captured: None,
        }
    }
}
