//! Rows that are in the table and not in the sums: those that a dead boot left unfolded, and those of a boot that cannot
//! tell any more what was folded.

use super::Totals;
use super::fold::InHand;
use super::touches::Touches;
use super::writing::Flush;
use crate::model::request::{RequestStatus, Tokens};
use crate::model::session::SessionRule;
use crate::model::timestamp::Timestamp;
use crate::store::backend::order::ROW_PATIENCE;
use crate::store::backend::{DbUuid, StoreError, reread};
use crate::store::rows::NewRequest;

/// Boots that may have rows which nobody has folded: after the mark, and ended.
const UNFOLDED_BOOTS: &str = "SELECT number FROM archon_mcp_boots b WHERE ended_at >= $1 AND folded_seq < \
     (SELECT COALESCE(MAX(r.seq), 0) FROM archon_mcp_requests r WHERE r.boot = b.number) ORDER BY number";

const UNFOLDED: &str = "SELECT r.seq, r.session_id, r.protocol_session_id, \
     COALESCE(s.client_type, p.client_type, 'Unknown') AS client_type, \
     r.method, r.tool_name, r.session_rule, r.timestamp, r.duration_us, r.status, CAST(r.prompt_tokens AS BIGINT) AS prompt_tokens, \
     CAST(r.completion_tokens AS BIGINT) AS completion_tokens FROM archon_mcp_requests r \
     LEFT JOIN archon_mcp_sessions s ON s.session_id = r.session_id \
     LEFT JOIN archon_mcp_protocol_sessions p ON p.protocol_session_id = r.protocol_session_id \
     WHERE r.boot = $1 AND r.seq > $2 AND r.seq <= $3 ORDER BY r.seq LIMIT $4";

/// How many rows are folded from the table at once.
const FOLD_CHUNK: i64 = 500;

impl Totals {
    /// Ended boots with rows beyond their mark.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn unfolded_boots(&self) -> Result<Vec<i64>, StoreError> {
        self.unfolded_since(Timestamp::from_millis(0)).await
    }

    /// The same of those that ended since that moment.
    pub(in crate::store) async fn unfolded_since(&self, since: Timestamp) -> Result<Vec<i64>, StoreError> {
        reread!(self, db => sqlx::query_scalar(UNFOLDED_BOOTS).bind(since).fetch_all(db).await)
    }

    /// Folds the rows of the sums in hand from the table, instead of those sums; returns the mark.
    pub(in crate::store) async fn fold_from_table(
        &self,
        boot: i64,
        mut in_hand: InHand<'_>,
    ) -> Result<i64, StoreError> {
        loop {
            let reached = self.fold_again(boot, in_hand.sums.seq()).await?;
            in_hand.arrived();
            match self.fold.folded_up_to(reached) {
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
        reread!(self, db => sqlx::query_as("SELECT folded_seq, ended_at IS NOT NULL FROM archon_mcp_boots WHERE number = $1")
            .bind(boot).fetch_optional(db).await)
    }

    /// Folds a boot's rows after the mark, and not after another, from the table.
    async fn fold_rows(&self, boot: i64, (mark, upto): (i64, i64), limit: i64) -> Result<usize, StoreError> {
        let rows: Vec<Leftover> = reread!(self, db => sqlx::query_as(UNFOLDED)
            .bind(boot).bind(mark).bind(upto).bind(limit).fetch_all(db).await)?;
        let rows: Vec<_> = rows.iter().map(|row| (row.to_request(), row.seq)).collect();
        let sums = self.fold.sums_of(rows.iter().map(|(request, seq)| (request, *seq)));
        if !rows.is_empty() {
            // If somebody else has folded these rows meanwhile, the mark is not there any more, and nothing is written.
            let touches = Touches::default();
            self.write_sums(&Flush { boot, from: mark, sums: &sums, touches: &touches, patience: ROW_PATIENCE })
                .await?;
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
    session_rule: Option<String>,
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
            tokens: Some(Tokens { prompt: count(self.prompt_tokens), completion: count(self.completion_tokens) }),
            estimated_cost: None,
            // Which rule is not asked; that there is one, is.
            rule: self.session_rule.as_ref().map(|rule| rule.parse().unwrap_or(SessionRule::Bound)),
            late: false,
            captured: None,
        }
    }
}
