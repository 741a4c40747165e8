//! What a session did last, and the words of one call.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::Queries;
use super::percentiles::{Latencies, Scale};
use crate::model::request::RequestStatus;
use crate::store::StoreError;
use crate::store::reports::latest::CallRow;
pub use crate::store::reports::latest::CaptureRow;

/// The number of calls of a session that are looked at.
pub const LOOKED_AT: usize = 30;

/// The last calls of a session, in figures.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latest {
    /// The tool that was called last.
    pub last_tool: Option<String>,
    /// How long that call took.
    pub last_ms: Option<f64>,
    /// The latency that 95 % of the last [`LOOKED_AT`] calls did not exceed.
    pub p95_ms: Option<f64>,
    /// The number of last calls in a row that were of that tool and failed.
    pub failed_in_a_row: usize,
}

impl Queries {
    /// What these Archon sessions did last, by their ids.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn latest(&self, sessions: &[String]) -> Result<HashMap<String, Latest>, StoreError> {
        if sessions.is_empty() {
            return Ok(HashMap::new());
        }
        let each = i64::try_from(LOOKED_AT).unwrap_or(i64::MAX);
        let mut calls = HashMap::<String, Vec<CallRow>>::new();
        for row in self.store.latest_calls(sessions, each).await? {
            calls.entry(row.session_id.clone()).or_default().push(row);
        }
        Ok(calls.into_iter().map(|(id, calls)| (id, Latest::of(&calls))).collect())
    }

    /// The words of the call with that number; `None` where they were not kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn capture(&self, request: i64) -> Result<Option<CaptureRow>, StoreError> {
        self.store.capture(request).await
    }
}

impl Latest {
    /// Of calls, the newest first.
    fn of(calls: &[CallRow]) -> Self {
        let mut latencies = Latencies::default();
        for call in calls {
            latencies.add(call.duration_us, 1);
        }
        let last = calls.first();
        let failed = |call: &&CallRow| {
            !call.status.is(RequestStatus::Success) && last.is_some_and(|last| last.tool_name == call.tool_name)
        };
        #[expect(clippy::cast_precision_loss, reason = "285 years in microseconds still have all their digits")]
        let ms = |call: &CallRow| call.duration_us as f64 / 1000.0;
        Self {
            last_tool: last.map(|call| call.tool_name.clone()),
            last_ms: last.map(ms),
            p95_ms: latencies.percentiles(Scale::Exact).p95_ms,
            failed_in_a_row: calls.iter().take_while(failed).count(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(tool: &str, status: RequestStatus, duration_us: i64) -> CallRow {
        CallRow { session_id: "s".into(), timestamp: None, tool_name: tool.into(), status: status.into(), duration_us }
    }

    #[test]
    fn failures_are_counted_in_a_row_of_the_same_tool() {
        use RequestStatus::{Error, Success, Timeout};
        let latest = Latest::of(&[call("a", Error, 2000), call("a", Timeout, 1000), call("b", Error, 1)]);
        assert_eq!((latest.failed_in_a_row, latest.last_tool.as_deref(), latest.last_ms), (2, Some("a"), Some(2.0)));
        let latest = Latest::of(&[call("a", Success, 1000), call("a", Error, 1000)]);
        assert_eq!((latest.failed_in_a_row, latest.p95_ms), (0, Some(1.0)));
        assert_eq!(Latest::of(&[]), Latest::default());
    }
}
