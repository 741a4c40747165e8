//! How each tool was used, hour by hour, and its slowest call: read whole once, and then only what can have changed.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Queries;
use super::requests::Request;
use crate::model::timestamp::Timestamp;
use crate::store::StoreError;
pub use crate::store::reports::trends::ToolHour;

/// The hours of all tools, and the slowest call of each.
#[derive(Debug, Clone, Default)]
pub struct Trends {
    hours: Vec<ToolHour>,
    /// With the hour in which it was found.
    slowest: BTreeMap<String, (ToolHour, Option<Request>)>,
    read_at: Option<Timestamp>,
}

impl Trends {
    /// Made-up ones.
    #[cfg(test)]
    pub(crate) fn of(hours: Vec<ToolHour>, slowest: Vec<Request>) -> Self {
        let found = |request: Request| {
            let tool = request.tool_name.clone()?;
            let hour = hours.iter().find(|hour| hour.tool == tool)?.clone();
            Some((tool, (hour, Some(request))))
        };
        let slowest = slowest.into_iter().filter_map(found).collect();
        Self { hours, slowest, read_at: None }
    }

    /// The hours with calls, in their order.
    pub fn hours(&self) -> &[ToolHour] {
        &self.hours
    }

    /// The slowest call of each tool within these hours, in order of the tools' names. Of calls whose latencies are in
    /// one bucket (19 %) it is the slowest of the last minute with any.
    pub fn slowest(&self) -> impl Iterator<Item = &Request> {
        self.slowest.values().filter_map(|(_, request)| request.as_ref())
    }

    /// Takes in hours that were read now: from the one of `since` on they replace those before; older than `first` none
    /// is kept.
    fn take(&mut self, rows: Vec<ToolHour>, since: Timestamp, first: Timestamp) {
        self.hours.retain(|hour| hour.hour >= first.hour() && hour.hour < since.hour());
        self.hours.extend(rows);
    }

    /// The hour with the slowest call of each tool; of several the last.
    fn tops(&self) -> BTreeMap<&str, &ToolHour> {
        let mut tops = BTreeMap::<&str, &ToolHour>::new();
        for hour in &self.hours {
            let top = tops.entry(&hour.tool).or_insert(hour);
            if hour.top >= top.top {
                *top = hour;
            }
        }
        tops
    }
}

impl Queries {
    /// Brings trends up to date, so that they reach back so far.
    ///
    /// # Errors
    /// [`StoreError`]; then they are as they were.
    pub async fn follow(&self, trends: &mut Trends, reach: Duration) -> Result<(), StoreError> {
        let now = self.clock.now();
        let first = now.minus(reach).minute();
        // Calls of the hour that went on at the last look, and of the one before: some may have been folded late.
        let since = trends.read_at.map_or(first, |at| at.minus(Duration::from_hours(1)).hour().max(first));
        let mut new = trends.clone();
        new.take(self.store.tool_hours(since).await?, since, first);
        let most = new.hours.iter().map(|hour| hour.top).max().unwrap_or(0);
        let mut slowest = BTreeMap::new();
        for (tool, top) in new.tops() {
            let known = trends.slowest.get(tool).filter(|(hour, _)| hour == top);
            let found = match known {
                Some(known) => known.clone(),
                None => (top.clone(), self.slowest_of(top, most).await?),
            };
            slowest.insert(tool.to_owned(), found);
        }
        new.slowest = slowest;
        new.read_at = Some(now);
        *trends = new;
        Ok(())
    }

    async fn slowest_of(&self, top: &ToolHour, most: i64) -> Result<Option<Request>, StoreError> {
        Ok(self.store.slowest_call(top, most).await?.map(Request::from))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    fn row(tool: &str, hour: i64, calls: i64, top: i64) -> ToolHour {
        ToolHour { tool: tool.into(), hour: Timestamp::from_millis(hour * HOUR), calls, top }
    }

    #[test]
    fn hours_that_are_read_again_replace_those_before_and_old_ones_go() {
        let at = |hour: i64| Timestamp::from_millis(hour * HOUR + 60_000);
        let mut trends = Trends::default();
        trends.take(vec![row("a", 1, 5, 9), row("a", 2, 6, 7), row("b", 3, 1, 1)], at(1), at(1));
        trends.take(vec![row("a", 3, 2, 7), row("b", 3, 4, 1)], at(3), at(2));
        let hours: Vec<_> = trends.hours.iter().map(|h| (h.tool.as_str(), h.hour.millis() / HOUR, h.calls)).collect();
        assert_eq!(hours, [("a", 2, 6), ("a", 3, 2), ("b", 3, 4)]);
        let tops = trends.tops();
        assert_eq!((tops["a"].hour, tops["b"].calls), (Timestamp::from_millis(3 * HOUR), 4), "of equals the last");
    }
}
