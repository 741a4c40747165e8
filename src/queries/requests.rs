//! The list of handled requests.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::Queries;
use super::find::Found;
use crate::model::request::RequestStatus;
use crate::model::session::SessionRule;
use crate::model::timestamp::Timestamp;
use crate::model::word::Word;
use crate::store::StoreError;
use crate::store::reports::requests::{Owner, Part, RequestFilter, RequestRow};

/// A handled request:
///
/// ```json
/// {"id": "17", "timestamp": "2026-01-10T12:00:00.000Z", "session_id": "…", "protocol_session_id": "…",
///  "client_type": "Claude Code", "user_name": null, "method": "tools/call", "tool_name": "health_check",
///  "status": "success", "duration_ms": 1.5, "prompt_tokens": 10, "completion_tokens": 20, "estimated_cost_usd": null,
///  "error_message": null, "session_rule": "bound", "late": false}
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// Its id: a number, or a UUID in an original Archon's table.
    pub id: String,
    /// When it arrived.
    pub timestamp: Option<Timestamp>,
    /// The Archon session, once there is one.
    pub session_id: Option<String>,
    /// The protocol session.
    pub protocol_session_id: Option<String>,
    /// The detected program.
    pub client_type: Option<String>,
    /// Whose session it was.
    pub user_name: Option<String>,
    /// `tools/call`, `tools/list`, …
    pub method: Option<String>,
    /// The tool.
    pub tool_name: Option<String>,
    /// How it went.
    pub status: Option<Word<RequestStatus>>,
    /// How long the tool (or method) alone took.
    pub duration_ms: Option<f64>,
    /// Tokens of the arguments.
    pub prompt_tokens: Option<i64>,
    /// Tokens of the result.
    pub completion_tokens: Option<i64>,
    /// From the price table of the server's operator.
    pub estimated_cost_usd: Option<f64>,
    /// What went wrong.
    pub error_message: Option<String>,
    /// The rule that gave it its Archon session.
    pub session_rule: Option<Word<SessionRule>>,
    /// It began before its session ended and finished after.
    pub late: bool,
}

impl Request {
    /// Its number, for those who follow; zero in an original's table, where ids are no numbers.
    pub fn number(&self) -> i64 {
        self.id.parse().unwrap_or(0)
    }
}

impl From<RequestRow> for Request {
    fn from(row: RequestRow) -> Self {
        #[expect(clippy::cast_precision_loss, reason = "285 years in microseconds still have all their digits")]
        let duration_ms = row.duration_us.map(|us| us as f64 / 1000.0);
        Self {
            id: row.id,
            timestamp: row.timestamp,
            session_id: row.session_id,
            protocol_session_id: row.protocol_session_id,
            client_type: row.client_type,
            user_name: row.user_name,
            method: row.method,
            tool_name: row.tool_name,
            status: row.status,
            duration_ms,
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            estimated_cost_usd: row.estimated_cost,
            error_message: row.error_message,
            session_rule: row.session_rule,
            late: row.late,
        }
    }
}

/// Which requests.
#[derive(Debug, Clone, Default)]
pub struct RequestQuery {
    /// Of that session.
    pub session: Option<Found>,
    /// Of that client type or name, whatever its case.
    pub client: Option<String>,
    /// Of that user's name or address, whatever its case.
    pub user: Option<String>,
    /// Of that tool.
    pub tool: Option<String>,
    /// That went like this.
    pub status: Option<RequestStatus>,
    /// Arrived within that time.
    pub since: Option<Duration>,
}

impl Queries {
    /// The last requests that pass a filter, the oldest first; `None` is all.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn requests(&self, query: &RequestQuery, limit: Option<usize>) -> Result<Vec<Request>, StoreError> {
        let limit = limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
        self.requests_in(query, Part::Last(limit)).await
    }

    /// The first requests after that number that pass a filter.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn requests_after(&self, query: &RequestQuery, after: i64) -> Result<Vec<Request>, StoreError> {
        self.requests_in(query, Part::After(after, super::events::AT_ONCE)).await
    }

    async fn requests_in(&self, query: &RequestQuery, part: Part) -> Result<Vec<Request>, StoreError> {
        let mut filter = RequestFilter {
            owner: None,
            client: query.client.as_deref().map(str::to_lowercase),
            user: query.user.as_deref().map(str::to_lowercase),
            tool: query.tool.clone(),
            status: query.status,
            since: query.since.map(|since| self.clock.now().minus(since)),
        };
        let rows = match (self.owner(query.session.as_ref()).await?, part) {
            (Some(Owner::Connection(id)), Part::Last(limit)) => self.last_of_connection(&id, filter, limit).await?,
            (owner, _) => {
                filter.owner = owner;
                self.store.requests(&filter, part).await?
            }
        };
        Ok(rows.into_iter().map(Request::from).collect())
    }

    /// A connection's last requests. One Archon session comes after the other, so the last ones are enough: a busy
    /// connection has hundreds of thousands of rows, and no index has them all in order.
    async fn last_of_connection(
        &self,
        id: &str,
        filter: RequestFilter,
        limit: i64,
    ) -> Result<Vec<RequestRow>, StoreError> {
        let ask = async |owner| {
            let filter = RequestFilter { owner: Some(owner), ..filter.clone() };
            self.store.requests(&filter, Part::Last(limit)).await
        };
        let enough = usize::try_from(limit).unwrap_or(usize::MAX);
        let mut rows = Vec::new();
        for archon in self.store.archon_sessions_of(id).await?.iter().rev() {
            if rows.len() >= enough {
                break;
            }
            if let Ok(archon) = Uuid::parse_str(&archon.session_id) {
                rows.extend(ask(Owner::Within(archon, id.to_owned())).await?);
            }
        }
        rows.extend(ask(Owner::Unbound(id.to_owned())).await?);
        rows.sort_by_key(|row: &RequestRow| row.number);
        Ok(rows.split_off(rows.len().saturating_sub(enough)))
    }

    /// Whose requests are meant: the Archon session's, if that was named and is there, else the connection's.
    async fn owner(&self, found: Option<&Found>) -> Result<Option<Owner>, StoreError> {
        let Some(found) = found else { return Ok(None) };
        let connection = found.connection().map(|id| Owner::Connection(id.to_owned()));
        Ok(match found.session_id {
            Some(id) if connection.is_none() || self.store.archon_row(id).await?.is_some() => Some(Owner::Session(id)),
            _ => connection,
        })
    }
}
