//! Rows now, sums soon: what committed request rows add up to, kept in memory and written about once a second.
//!
//! A random update for each call would cost twelve times the append. So a call appends its row, and everything that
//! sums over rows (the counters of a session, the sums by minute) is written in one transaction that also stores up to
//! which row of this boot it reaches. Rows that a dead boot left unfolded are read and folded by whoever starts or
//! cleans up next: nothing is counted twice, nothing is lost.

use std::sync::{Mutex, PoisonError};

use super::backend::{read, transact};
use super::codec::DbUuid;
use super::lookup::patiently;
use super::outage::Work;
use super::rows::NewRequest;
use super::statements::{self, RowStatement, json};
use super::sums::Sums;
use super::touches::Touches;
use super::{Store, StoreError};
use crate::model::request::RequestStatus;
use crate::model::timestamp::Timestamp;

/// Sums that wait to be written.
#[derive(Debug, Default)]
pub(super) struct Fold {
    sums: Mutex<Sums>,
    /// Up to which row the sums in the database reach, as far as we know; held while more are written.
    mark: tokio::sync::Mutex<i64>,
}

/// Sums on their way to the database. Unless they arrive there, they go back (also when whoever writes them is dropped).
struct InHand<'a> {
    fold: &'a Fold,
    sums: Sums,
}

impl Fold {
    /// Adds a committed row.
    pub(super) fn add(&self, request: &NewRequest, seq: i64) {
        self.lock().add(request, seq);
    }

    fn take(&self) -> InHand<'_> {
        InHand { fold: self, sums: std::mem::take(&mut *self.lock()) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Sums> {
        self.sums.lock().unwrap_or_else(PoisonError::into_inner)
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
            self.fold.lock().join(std::mem::take(&mut self.sums));
        }
    }
}

const MOVE_MARK: &str = "UPDATE archon_mcp_boots SET folded_seq = $1 WHERE number = $2 AND folded_seq = $3";

const UNFOLDED: &str = "SELECT r.seq, r.session_id, COALESCE(s.client_type, p.client_type, 'Unknown') AS client_type, \
     r.method, r.tool_name, r.timestamp, r.duration_us, r.status, CAST(r.prompt_tokens AS BIGINT) AS prompt_tokens, \
     CAST(r.completion_tokens AS BIGINT) AS completion_tokens FROM archon_mcp_requests r \
     LEFT JOIN archon_mcp_sessions s ON s.session_id = r.session_id \
     LEFT JOIN archon_mcp_protocol_sessions p ON p.protocol_session_id = r.protocol_session_id \
     WHERE r.boot = $1 AND r.seq > $2 AND r.seq <= $3 ORDER BY r.seq LIMIT $4";

/// So many rows are folded from the table at once.
const FOLD_CHUNK: i64 = 500;

/// One statement of a flush, with its rows.
struct Piece {
    statement: RowStatement,
    rows: String,
    /// Whether it adds up rows, and so must go with the mark.
    sums: bool,
}

/// The statements of a flush. `folded` is the mark: the sums are of that boot's rows after it.
fn pieces(sums: &Sums, touches: &mut Touches, (boot, folded): (i64, i64)) -> Vec<Piece> {
    touches.sort();
    // Archon sessions before protocol sessions, as in every transaction; the rows that all servers share come last.
    [
        (statements::TOUCH_ARCHON, json(&touches.archon), false),
        (statements::COUNT, json(&sums.by_session()), true),
        (statements::LATE, json(&sums.windows(boot, folded)), true),
        (statements::TOUCH_PROTOCOL, json(&touches.protocol), false),
        (statements::ROLL_UP, json(&sums.by_minute()), true),
        (statements::ROLL_UP_HOURS, json(&sums.by_hour()), true),
        (statements::ROLL_UP_DAYS, json(&sums.by_day()), true),
    ]
    .into_iter()
    .filter_map(|(statement, rows, sums)| rows.map(|rows| Piece { statement, rows, sums }))
    .collect()
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
    async fn write_flush(&self, boot: i64, mut touches: Touches) -> Result<bool, (StoreError, Touches)> {
        let fold = &self.inner.fold;
        let mut mark = fold.mark.lock().await;
        let in_hand = fold.take();
        let pieces = pieces(&in_hand.sums, &mut touches, (boot, *mark));
        if pieces.is_empty() {
            return Ok(false);
        }
        let upto = in_hand.sums.seq();
        match self.write_sums(boot, (*mark, upto), &pieces).await {
            Ok(true) => {
                *mark = upto.max(*mark);
                in_hand.arrived();
                Ok(true)
            }
            // The mark is not where we left it: the answer to an earlier COMMIT was lost, or others took this boot for
            // dead and folded its rows. The rows know.
            Ok(false) => match self.fold_again(boot, upto).await {
                Ok(reached) => {
                    *mark = reached;
                    in_hand.arrived();
                    Ok(true)
                }
                Err(error) => Err((error, Touches::default())),
            },
            Err(error) => Err((error, touches)),
        }
    }

    /// Writes the pieces, and moves the mark if it stands where expected; `false` when it does not: then the touches are
    /// written, and the sums are not.
    async fn write_sums(&self, boot: i64, (from, upto): (i64, i64), pieces: &[Piece]) -> Result<bool, StoreError> {
        let dialect = self.dialect();
        transact!(self, tx => async {
            // Taking the boot's row first makes a second folder wait, and then find the mark moved.
            let moved = upto == 0 || sqlx::query(MOVE_MARK)
                .bind(upto).bind(boot).bind(from).execute(&mut *tx).await?.rows_affected() == 1;
            for piece in pieces.iter().filter(|piece| moved || !piece.sums) {
                let sql = sqlx::AssertSqlSafe(piece.statement.sql(dialect));
                sqlx::query(sql).bind(&piece.rows).execute(&mut *tx).await?;
            }
            Ok::<_, StoreError>(moved)
        }.await)
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
    /// [`StoreError`]; then nothing was written.
    pub async fn fold_leftovers(&self, boot: i64, limit: i64) -> Result<usize, StoreError> {
        match self.mark_of(boot).await? {
            Some((mark, true)) => self.fold_rows(boot, (mark, i64::MAX), limit).await,
            _ => Ok(0),
        }
    }

    /// Up to which row a boot is folded, and whether it has ended.
    async fn mark_of(&self, boot: i64) -> Result<Option<(i64, bool)>, StoreError> {
        patiently(async {
            read!(self, db => sqlx::query_as("SELECT folded_seq, ended_at IS NOT NULL FROM archon_mcp_boots WHERE number = $1")
                .bind(boot).fetch_optional(db).await)
        })
        .await
    }

    /// Folds a boot's rows after the mark, and not after another, from the table.
    async fn fold_rows(&self, boot: i64, (mark, upto): (i64, i64), limit: i64) -> Result<usize, StoreError> {
        let rows: Vec<Leftover> = patiently(async {
            read!(self, db => sqlx::query_as(UNFOLDED)
                .bind(boot).bind(mark).bind(upto).bind(limit).fetch_all(db).await)
        })
        .await?;
        let mut sums = Sums::default();
        for row in &rows {
            sums.add(&row.to_request(), row.seq);
        }
        if !rows.is_empty() {
            // If somebody else has folded these rows meanwhile, the mark is not there any more, and nothing is written.
            let pieces = pieces(&sums, &mut Touches::default(), (boot, mark));
            self.write_sums(boot, (mark, sums.seq()), &pieces).await?;
        }
        Ok(rows.len())
    }
}

#[derive(sqlx::FromRow)]
struct Leftover {
    seq: i64,
    session_id: Option<DbUuid>,
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
            protocol_session_id: None,
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
