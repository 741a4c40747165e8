//! Statistics of tool calls.

use std::collections::HashMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Queries;
use super::percentiles::{Latencies, Percentiles, Scale};
pub use crate::model::group::Group;
use crate::model::request::RequestStatus;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
use crate::store::reports::usage::{CounterRow, UsageRow};

/// Where there are no more calls to read than this, statistics by session and user come from the rows even unasked.
const READ_UNASKED: i64 = 20_000;
/// Hours and days without a call are told too, up to this number.
const MOST_GAPS: usize = 10_000;

/// Where statistics come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Sums by minute with latency buckets: whole minutes, percentiles within 19 %.
    Rollups,
    /// The counters of the sessions that were used: all their calls, no percentiles.
    Counters,
    /// The request rows: exact.
    Rows,
}

/// The calls of one group:
///
/// ```json
/// {"name": "health_check", "calls": 12, "errors": 1, "timeouts": 0, "mean_ms": 1.5, "p50_ms": 1.2, "p95_ms": 3.1,
///  "p99_ms": 3.9, "prompt_tokens": 120, "completion_tokens": 240}
/// ```
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// The tool, the client's type, the session's id, the user, or the beginning of the hour or day; empty if unknown.
    pub name: String,
    /// Tool calls.
    pub calls: i64,
    /// Those that failed, or ran out of time.
    pub errors: i64,
    /// Those that ran out of time; unknown to counters.
    pub timeouts: Option<i64>,
    /// The mean latency; unknown to counters.
    pub mean_ms: Option<f64>,
    /// The latency that half of them did not exceed; unknown to counters.
    pub p50_ms: Option<f64>,
    /// The same of 95 %.
    pub p95_ms: Option<f64>,
    /// The same of 99 %.
    pub p99_ms: Option<f64>,
    /// Tokens of arguments.
    pub prompt_tokens: i64,
    /// Tokens of results.
    pub completion_tokens: i64,
}

/// Statistics.
#[derive(Debug, Clone)]
pub struct Statistics {
    /// By what.
    pub by: Group,
    /// Where they come from.
    pub source: Source,
    /// Since when, exactly.
    pub since: Option<Timestamp>,
    /// Of all groups together.
    pub total: Usage,
    /// The groups: hours and days in their order, all else with the most calls first.
    pub groups: Vec<Usage>,
    /// Whether there are more than the limit let in.
    pub more: bool,
    /// When they were read.
    pub now: Timestamp,
}

/// Which calls.
#[derive(Debug, Clone, Copy)]
pub struct UsageQuery {
    /// Grouped by.
    pub by: Group,
    /// Within that time; `None` is all.
    pub since: Option<Duration>,
    /// Whether the very rows are read.
    pub exact: bool,
    /// The maximum number of groups, those with the most calls first; hours and days are never left out. `None` is all.
    pub limit: Option<usize>,
}

#[derive(Debug, Default)]
struct Sum {
    usage: Usage,
    duration_us: i64,
    timeouts: i64,
    latencies: Latencies,
}

impl Sum {
    fn add(&mut self, row: &UsageRow) {
        self.usage.calls += row.calls;
        self.usage.errors += if row.status.is(RequestStatus::Success) { 0 } else { row.calls };
        self.timeouts += if row.status.is(RequestStatus::Timeout) { row.calls } else { 0 };
        self.usage.prompt_tokens += row.prompt_tokens;
        self.usage.completion_tokens += row.completion_tokens;
        self.duration_us += row.duration_us;
        self.latencies.add(row.latency, row.calls.try_into().unwrap_or(0));
    }

    fn finished(mut self, name: String, scale: Scale) -> Usage {
        #[expect(clippy::cast_precision_loss, reason = "a mean, shown with three digits")]
        let mean = |us: i64, calls: i64| (us as f64 / calls as f64 / 10.0).round() / 100.0;
        self.usage.mean_ms = (self.usage.calls > 0).then(|| mean(self.duration_us, self.usage.calls));
        self.usage.timeouts = Some(self.timeouts);
        let Percentiles { p50_ms, p95_ms, p99_ms } = self.latencies.percentiles(scale);
        Usage { name, p50_ms, p95_ms, p99_ms, ..self.usage }
    }
}

impl Queries {
    /// Statistics of tool calls.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn usage(&self, query: UsageQuery) -> Result<Statistics, StoreError> {
        let now = self.clock.now();
        let since = query.since.map(|since| now.minus(since));
        let from = since.unwrap_or(Timestamp::from_millis(0));
        let counted = matches!(query.by, Group::Session | Group::User);
        let (source, (total, mut groups)) = if query.exact || !self.store.has_sums() {
            (Source::Rows, add_up(&self.store.summed(query.by, from).await?, query.by, Scale::Exact))
        } else if counted {
            self.by_counters(query, from).await?
        } else {
            (Source::Rollups, add_up(&self.store.rolled_up(query.by, from).await?, query.by, Scale::Buckets))
        };
        let limit = query.limit.filter(|_| !matches!(query.by, Group::Day | Group::Hour)).unwrap_or(usize::MAX);
        let more = groups.len() > limit;
        groups.truncate(limit);
        // Rollups know whole minutes.
        let since = since.map(|since| if source == Source::Rollups { since.minute() } else { since });
        Ok(Statistics { by: query.by, source, since, total, groups, more, now })
    }

    async fn by_counters(
        &self,
        query: UsageQuery,
        from: Timestamp,
    ) -> Result<(Source, (Usage, Vec<Usage>)), StoreError> {
        // One more tells whether there are more.
        let limit = query.limit.map_or(i64::MAX, |limit| i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1));
        let (total, rows) = tokio::join!(self.store.counted_in_all(from), self.store.counted(query.by, from, limit));
        let (total, rows) = (Usage::from(total?), rows?);
        if total.calls <= READ_UNASKED {
            return Ok((Source::Rows, add_up(&self.store.summed(query.by, from).await?, query.by, Scale::Exact)));
        }
        Ok((Source::Counters, (total, rows.into_iter().map(Usage::from).collect())))
    }
}

impl From<CounterRow> for Usage {
    fn from(row: CounterRow) -> Self {
        Self {
            name: row.name,
            calls: row.calls,
            errors: row.errors,
            prompt_tokens: row.prompt_tokens,
            completion_tokens: row.completion_tokens,
            ..Self::default()
        }
    }
}

/// The rows of each group, and of all, in one sum each.
fn add_up(rows: &[UsageRow], by: Group, scale: Scale) -> (Usage, Vec<Usage>) {
    let mut total = Sum::default();
    let mut sums = HashMap::<&str, Sum>::new();
    for row in rows {
        sums.entry(&row.name).or_default().add(row);
        total.add(row);
    }
    let name = |text: &str| match (by, Timestamp::parse_sql(text)) {
        (Group::Day | Group::Hour, Some(begin)) => begin.to_string(),
        _ => text.to_owned(),
    };
    let mut groups: Vec<_> = sums.into_iter().map(|(text, sum)| sum.finished(name(text), scale)).collect();
    match by {
        Group::Hour => fill_gaps(&mut groups, Duration::from_hours(1)),
        Group::Day => fill_gaps(&mut groups, Duration::from_hours(24)),
        _ => groups.sort_by(|a, b| b.calls.cmp(&a.calls).then_with(|| a.name.cmp(&b.name))),
    }
    (total.finished(String::new(), scale), groups)
}

/// Hours or days without a call, between those with some.
fn fill_gaps(groups: &mut Vec<Usage>, step: Duration) {
    groups.sort_by(|a, b| a.name.cmp(&b.name));
    let time = |group: Option<&Usage>| {
        let text = &group?.name;
        Timestamp::parse_sql(text)
    };
    let (Some(mut at), Some(last)) = (time(groups.first()), time(groups.last())) else { return };
    let step_ms = i64::try_from(step.as_millis()).unwrap_or(i64::MAX);
    let gaps = usize::try_from((last.millis() - at.millis()) / step_ms).unwrap_or(usize::MAX);
    if gaps > MOST_GAPS {
        return;
    }
    let mut filled = Vec::with_capacity(gaps + 1);
    for group in groups.drain(..) {
        while time(Some(&group)).is_some_and(|then| at < then) {
            filled.push(Usage { name: at.to_string(), timeouts: Some(0), ..Usage::default() });
            at = at.plus(step);
        }
        at = at.plus(step);
        filled.push(group);
    }
    *groups = filled;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, status: RequestStatus, latency: i64, calls: i64) -> UsageRow {
        UsageRow {
            name: name.into(),
            status: status.into(),
            latency,
            calls,
            duration_us: latency * calls,
            prompt_tokens: calls,
            completion_tokens: 0,
        }
    }

    #[test]
    fn groups_are_sums_of_their_rows_and_the_total_of_all() {
        use RequestStatus::{Error, Success, Timeout};
        let rows = [row("a", Success, 1000, 3), row("a", Timeout, 9000, 1), row("b", Error, 2000, 5)];
        let (total, groups) = add_up(&rows, Group::Tool, Scale::Exact);
        let names: Vec<_> = groups.iter().map(|g| (g.name.as_str(), g.calls, g.errors, g.timeouts)).collect();
        assert_eq!(names, [("b", 5, 5, Some(0)), ("a", 4, 1, Some(1))]);
        assert_eq!((total.calls, total.errors, total.mean_ms), (9, 6, Some(2.44)));
        assert_eq!((groups[1].mean_ms, groups[1].p50_ms, groups[1].p99_ms), (Some(3.0), Some(1.0), Some(9.0)));
    }

    #[test]
    fn hours_without_a_call_are_told() {
        let row = |begin: &str, calls| row(begin, RequestStatus::Success, 1, calls);
        let rows = [row("2026-01-10 12:00:00.000", 1), row("2026-01-10 15:00:00.000", 2)];
        let (_, groups) = add_up(&rows, Group::Hour, Scale::Exact);
        let calls: Vec<_> = groups.iter().map(|g| (g.name.as_str(), g.calls)).collect();
        let expected = [
            ("2026-01-10T12:00:00.000Z", 1),
            ("2026-01-10T13:00:00.000Z", 0),
            ("2026-01-10T14:00:00.000Z", 0),
            ("2026-01-10T15:00:00.000Z", 2),
        ];
        assert_eq!(calls, expected);
        let days = [row("2026-01-10 00:00:00.000", 3), row("2026-01-12 00:00:00.000", 1)];
        let (_, days) = add_up(&days, Group::Day, Scale::Exact);
        assert_eq!((days.len(), days[0].name.as_str(), days[1].calls), (3, "2026-01-10T00:00:00.000Z", 0));
    }
}
