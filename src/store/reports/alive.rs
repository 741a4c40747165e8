//! Which active rows are alive: a server would accept them now, or when it is started now; and which of those are in use.

use std::time::Duration;

use crate::model::timestamp::Timestamp;
use crate::store::backend::report;
use crate::store::boots::SILENT_AFTER;
use crate::store::{Store, StoreError};

/// The longest outage that is credited unless the operator of the server chose otherwise (`--recover-window`).
const USUAL_RECOVER_WINDOW: Duration = Duration::from_hours(24);
/// Who was typed by hand has no credit to come, as if it had all; and NULL would be neither alive nor over.
const CREDITED: &str = "COALESCE(credited, 9223372036854775807)";
/// What servers go by unless their operator chose otherwise (`--session-timeout`, `--protocol-session-timeout`).
const USUAL_SESSION_TIMEOUT: Duration = Duration::from_hours(1);
const USUAL_PROTOCOL_TIMEOUT: Duration = Duration::from_hours(24 * 30);
/// No more outages than these, the last ones: each is a part of the conditions.
const OUTAGES_KEPT: i64 = 256;

/// The times that the newest server goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// A connection that was not used for this long is idle.
    pub session_timeout: Duration,
    /// And for this long, ends.
    pub protocol_timeout: Duration,
    /// The greatest age of a connection.
    pub max_age: Option<Duration>,
}

impl Default for Rules {
    fn default() -> Self {
        Self { session_timeout: USUAL_SESSION_TIMEOUT, protocol_timeout: USUAL_PROTOCOL_TIMEOUT, max_age: None }
    }
}

/// A moment, the outages that lie before it, and the rules: what tells rows that are alive from rows that are over.
#[derive(Debug, Clone, Default)]
pub struct Moment {
    /// The moment.
    pub now: Timestamp,
    /// The outages by number, and by how many milliseconds each moves the ends of sessions; with the one that goes on now
    /// if no server is alive.
    pub outages: Vec<(i64, i64)>,
    /// What the newest server goes by.
    pub rules: Rules,
}

/// What a row says of its time.
#[derive(Debug, Clone, Copy)]
pub struct Time {
    /// When it began.
    pub began: Timestamp,
    /// When it was last used.
    pub last_activity: Timestamp,
    /// When a stream of it was last known to be open.
    pub stream_at: Option<Timestamp>,
    /// Until when it is valid, as stored.
    pub expires_at: Option<Timestamp>,
    /// The last outage that this includes; none: no outage counts.
    pub credited: Option<i64>,
}

impl Moment {
    /// Since when a session that is in use was used.
    pub fn in_use_since(&self) -> Timestamp {
        self.now.minus(self.rules.session_timeout)
    }

    /// The end of an Archon session's time; `None` for rows that say none.
    pub fn end_of_archon(&self, time: &Time) -> Option<Timestamp> {
        time.expires_at.map(|at| self.credit(at, time.credited))
    }

    /// The end of a connection's time: rows that a server with a shorter limit has written have the time of today's.
    pub fn end_of_connection(&self, time: &Time) -> Option<Timestamp> {
        let own = time.last_activity.plus(self.rules.protocol_timeout);
        let end = self.credit(time.expires_at.map_or(own, |at| at.max(own)), time.credited);
        Some(self.rules.max_age.map_or(end, |age| end.min(time.began.plus(age))))
    }

    /// Whether a connection's end at that moment is that of its greatest age.
    pub fn is_too_old(&self, time: &Time, end: Timestamp) -> bool {
        self.rules.max_age.is_some_and(|age| time.began.plus(age) <= end)
    }

    /// Whether a live session is in use.
    pub fn is_used(&self, time: &Time) -> bool {
        time.last_activity.max(time.stream_at.unwrap_or(time.last_activity)) >= self.in_use_since()
    }

    fn credit(&self, at: Timestamp, credited: Option<i64>) -> Timestamp {
        let Some(credited) = credited else { return at };
        let to_come: i64 = self.outages.iter().filter(|(number, _)| *number > credited).map(|(_, ms)| ms).sum();
        Timestamp::from_millis(at.millis().saturating_add(to_come))
    }

    /// What is alive of Archon sessions, in SQL. Exactly at the end is alive.
    pub(super) fn archon_alive_sql(&self) -> String {
        // Not `expires_at` itself: PostgreSQL takes its condition and that of the status for two that have nothing to do
        // with each other, expects hardly any row, and reads and sorts all that are active instead of the last used ones.
        self.alive_sql(|end| format!("COALESCE(expires_at, '9999-12-31') >= '{}'", end.sql_text()))
    }

    /// The same of connections.
    pub(super) fn connection_alive_sql(&self) -> String {
        let alive = self.alive_sql(|end| {
            let used = end.minus(self.rules.protocol_timeout).sql_text();
            format!("(COALESCE(expires_at, '9999-12-31') >= '{}' OR last_activity >= '{used}')", end.sql_text())
        });
        match self.rules.max_age {
            None => alive,
            Some(age) => format!("({alive} AND connected_at >= '{}')", self.now.minus(age).sql_text()),
        }
    }

    /// True of rows whose end, as they say it themselves, is not before now less the credit that they have to come.
    /// `ends_from` is the condition that a row's own end is at a moment or later.
    fn alive_sql(&self, ends_from: impl Fn(Timestamp) -> String) -> String {
        let from = |credit: i64| ends_from(Timestamp::from_millis(self.now.millis().saturating_sub(credit)));
        let (least, most) = self.credits();
        if (least, most) == (0, 0) {
            return from(0);
        }
        let mut ranges = Vec::new();
        // The last outages first: each adds to the credit of older rows.
        let (mut credit, mut below) = (0, "TRUE".to_owned());
        for (number, ms) in self.outages.iter().rev() {
            ranges.push(format!("{CREDITED} >= {number} AND {below} AND {}", from(credit)));
            below = format!("{CREDITED} < {number}");
            credit += ms;
        }
        ranges.push(format!("{below} AND {}", from(credit)));
        // Most rows are far from their end: nobody needs to know what they have to come.
        format!("({} OR ({} AND (({}))))", from(least), from(most), ranges.join(") OR ("))
    }

    /// The least and the greatest credit that a row may have to come.
    fn credits(&self) -> (i64, i64) {
        self.outages
            .iter()
            .rev()
            .fold(((0, 0), 0), |((least, most), sum): ((i64, i64), i64), (_, ms)| {
                let sum = sum + ms;
                ((least.min(sum), most.max(sum)), sum)
            })
            .0
    }

    /// No row whose `expires_at` is that or later is past its time; none where a row may say any time, because there is a
    /// greatest age.
    pub(super) fn over_before(&self) -> Option<Timestamp> {
        let latest = self.now.millis().saturating_sub(self.credits().0);
        self.rules.max_age.is_none().then_some(Timestamp::from_millis(latest))
    }
}

impl Store {
    /// What is alive at that moment.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn moment(&self, now: Timestamp) -> Result<Moment, StoreError> {
        if !self.has_events() {
            // Whoever tells no rules says himself what is idle, and lists it.
            let session_timeout = now.since(Timestamp::from_millis(0));
            return Ok(Moment { now, rules: Rules { session_timeout, ..Rules::default() }, ..Moment::default() });
        }
        let mut outages: Vec<(i64, i64)> = report!(self, db => sqlx::query_as(self.report_text(
            "SELECT number, credit_ms FROM archon_mcp_outages ORDER BY number DESC LIMIT $1"))
            .bind(OUTAGES_KEPT).fetch_all(db).await)?;
        outages.reverse();
        let (last_alive, alive): (Option<Timestamp>, i64) = report!(self, db => sqlx::query_as(self.report_text(
            "SELECT MAX(COALESCE(ended_at, heartbeat_at)), \
             COUNT(CASE WHEN ended_at IS NULL AND heartbeat_at >= $1 THEN 1 END) FROM archon_mcp_boots"))
            .bind(now.minus(SILENT_AFTER)).fetch_one(db).await)?;
        if let (Some(last), 0) = (last_alive, alive) {
            let number = outages.last().map_or(1, |(number, _)| number + 1);
            let outage = now.since(last).min(USUAL_RECOVER_WINDOW);
            outages.push((number, i64::try_from(outage.as_millis()).unwrap_or(i64::MAX)));
        }
        Ok(Moment { now, outages, rules: self.rules().await? })
    }

    /// What the newest server goes by.
    async fn rules(&self) -> Result<Rules, StoreError> {
        type Row = (Option<i64>, Option<i64>, Option<i64>);
        let newest: Option<Row> = report!(self, db => sqlx::query_as(self.report_text(
            "SELECT session_timeout_ms, protocol_timeout_ms, max_age_ms FROM archon_mcp_boots \
             ORDER BY number DESC LIMIT 1")).fetch_optional(db).await)?;
        let (session, protocol, max_age) = newest.unwrap_or_default();
        let millis = |ms: i64| Duration::from_millis(ms.try_into().unwrap_or(0));
        let usual = Rules::default();
        Ok(Rules {
            session_timeout: session.map_or(usual.session_timeout, millis),
            protocol_timeout: protocol.map_or(usual.protocol_timeout, millis),
            max_age: max_age.map(millis),
        })
    }
}

#[cfg(test)]
mod tests;
