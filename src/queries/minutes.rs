//! Calls by minute: the curves of the last half hour.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Queries;
use super::percentiles::{Latencies, Scale};
use crate::model::request::RequestStatus;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::reports::minutes::MinuteRow;

/// Tool calls of one minute: `{"minute": "2026-01-10T12:00:00.000Z", "calls": 120, "errors": 3, "p95_ms": 4.2}`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Minute {
    /// Its beginning.
    pub minute: Timestamp,
    /// Tool calls.
    pub calls: i64,
    /// Those that failed, or ran out of time.
    pub errors: i64,
    /// The latency that 95 % of them did not exceed.
    pub p95_ms: Option<f64>,
}

/// Calls and errors of the last minutes, this one included.
pub fn last(minutes: &[Minute], now: Timestamp, count: u64) -> (i64, i64) {
    let since = now.minus(Duration::from_mins(count)).minute();
    let recent = minutes.iter().filter(|minute| minute.minute >= since);
    recent.fold((0, 0), |(calls, errors), minute| (calls + minute.calls, errors + minute.errors))
}

impl Queries {
    /// The minutes with calls, from the one in which that moment lies.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn minutes(&self, since: Timestamp) -> Result<Vec<Minute>, StoreError> {
        let scale = if self.store.has_sums() { Scale::Buckets } else { Scale::Exact };
        Ok(summed(&self.store.minutes(since).await?, scale))
    }
}

fn summed(rows: &[MinuteRow], scale: Scale) -> Vec<Minute> {
    let mut minutes = BTreeMap::<Timestamp, (i64, i64, Latencies)>::new();
    for row in rows {
        let (calls, errors, latencies) = minutes.entry(row.minute).or_default();
        *calls += row.calls;
        *errors += if row.status.is(RequestStatus::Success) { 0 } else { row.calls };
        latencies.add(row.latency, row.calls.try_into().unwrap_or(0));
    }
    let minute = |(minute, (calls, errors, latencies)): (Timestamp, (i64, i64, Latencies))| Minute {
        minute,
        calls,
        errors,
        p95_ms: latencies.percentiles(scale).p95_ms,
    };
    minutes.into_iter().map(minute).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_is_the_sum_of_its_rows() {
        let at = |m: i64| Timestamp::from_millis(m * 60_000);
        let row = |m, status: RequestStatus, latency, calls| MinuteRow {
            minute: at(m),
            status: status.into(),
            latency,
            calls,
        };
        let (good, failed, late) = (RequestStatus::Success, RequestStatus::Error, RequestStatus::Timeout);
        let rows = [row(2, good, 3000, 19), row(1, failed, 1000, 2), row(2, late, 9000, 1)];
        let minutes = summed(&rows, Scale::Exact);
        assert_eq!(minutes[0], Minute { minute: at(1), calls: 2, errors: 2, p95_ms: Some(1.0) });
        assert_eq!(minutes[1], Minute { minute: at(2), calls: 20, errors: 1, p95_ms: Some(3.0) });
    }
}
