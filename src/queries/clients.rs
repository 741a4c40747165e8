//! Clients: how their programs treat the server.

use serde::{Deserialize, Serialize};

use super::Queries;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::reports::clients::ClientRow;

/// So many sessions of a client must have run out of time, or be open, before it is said to close none.
const RUN_OUT: i64 = 3;
const OPEN: i64 = 10;

/// The sessions of one client type and version:
///
/// ```json
/// {"client_type": "Claude Code", "client_version": "1.0.0", "sessions": 12, "open": 3, "silent": 1, "closed": 8,
///  "timed_out": 1, "calls": 240, "errors": 2, "archon_sessions": 14, "lasted": 9, "lasted_s": 5400}
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClientUse {
    /// The client's type.
    pub client_type: String,
    /// The client's version as given; empty if unknown.
    pub client_version: String,
    /// All of them.
    pub sessions: i64,
    /// Those that a server would accept.
    pub open: i64,
    /// Those that called no tool.
    pub silent: i64,
    /// Those that their client closed.
    pub closed: i64,
    /// Those whose time ran out.
    pub timed_out: i64,
    /// Tool calls.
    pub calls: i64,
    /// Tool calls that failed.
    pub errors: i64,
    /// Its Archon sessions: one connection has one after the other.
    pub archon_sessions: i64,
    /// Those of them with a duration.
    pub lasted: i64,
    /// How long those lasted together, in seconds.
    pub lasted_s: i64,
}

impl ClientUse {
    /// How long its Archon sessions lasted on average, in seconds.
    pub fn mean_s(&self) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "a mean of seconds")]
        (self.lasted > 0).then(|| self.lasted_s as f64 / self.lasted as f64)
    }

    /// Whether it never closes what it opens: the time of several ran out or many are open, and it closed none.
    pub fn leaks(&self) -> bool {
        self.closed == 0 && (self.timed_out >= RUN_OUT || self.open >= OPEN)
    }
}

impl From<ClientRow> for ClientUse {
    fn from(row: ClientRow) -> Self {
        Self {
            client_type: row.client_type,
            client_version: row.client_version,
            sessions: row.sessions,
            open: row.open,
            silent: row.silent,
            closed: row.closed,
            timed_out: row.timed_out,
            calls: row.calls,
            errors: row.errors,
            archon_sessions: row.archon_sessions,
            lasted: row.lasted,
            lasted_s: row.lasted_s,
        }
    }
}

impl Queries {
    /// Sessions by client type and version; the most sessions first.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn clients(&self) -> Result<Vec<ClientUse>, StoreError> {
        let moment = self.moment().await?;
        Ok(self.store.clients(&moment).await?.into_iter().map(ClientUse::from).collect())
    }

    /// How many sessions began in each hour since then.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begun_by_hour(&self, since: Timestamp) -> Result<Vec<(Timestamp, i64)>, StoreError> {
        let rows = self.store.begun_by_hour(since).await?;
        Ok(rows.into_iter().filter_map(|(hour, n)| Some((Timestamp::parse_sql(&hour)?, n))).collect())
    }
}
