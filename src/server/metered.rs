//! The limits in `/metrics`: where each lies, how much of it is used, and how often it was reached.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use super::App;
use crate::session::status::Status;
use crate::session::{Limit, reserve};

/// The limits at one moment.
#[derive(Debug)]
pub(super) struct Limited {
    lines: Vec<Line>,
    reached: Vec<(&'static str, u64)>,
}

/// One of them.
#[derive(Debug)]
struct Line {
    name: &'static str,
    /// `None` where there is none.
    most: Option<u64>,
    /// `None` where that is not known.
    used: Option<u64>,
}

const MOST: &str = "What is allowed at most, of disk_free_bytes at least; a limit that is switched off has no line. What ends \
     with per_client or per_principal, and initialize_burst (openings at once, which refill with --max-initialize-rate), is of each";
const USED: &str = "What is taken of it now; of what each may take, by whoever takes the most";
const REACHED: &str =
    "How often a limit was reached: requests that were refused; connections before which idle ones gave way";

impl Limited {
    pub(super) fn now(app: &App, status: &Status) -> Self {
        let sessions = app.engine.sessions();
        let (caps, openings, space) = (sessions.policy().caps, sessions.openings(), sessions.space());
        let (requests, bytes, bytes_each) = (app.shares.requests(), app.shares.bytes(), app.shares.bytes_each());
        let disk = space.and_then(|space| space.disk);
        let live = status.protocol_sessions.and_then(|count| u64::try_from(count).ok());
        let limit = |name, most, used| Line { name, most, used };
        let here = |name, (most, used): (usize, usize)| limit(name, Some(most as u64), Some(used as u64));
        let all = vec![
            limit("sessions", caps.sessions, live),
            limit("sessions_per_principal", caps.per_principal, openings.live),
            limit("sessions_per_hour", caps.per_hour(), openings.hour),
            limit("initialize_burst", caps.burst(), openings.burst),
            limit("database_bytes", caps.database_bytes, space.map(|space| space.bytes)),
            limit("disk_free_bytes", disk.map(reserve), disk.map(|disk| disk.free)),
            here("connections", (app.connections.most(), app.connections.count())),
            here("requests_per_client", requests),
            here("request_bytes", bytes),
            here("request_bytes_per_client", bytes_each),
        ];
        let reached = Limit::ALL.iter().map(|limit| (limit.as_str(), sessions.limits().count(*limit))).collect();
        Self { lines: all, reached }
    }
}

impl Collector for Limited {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let gauge = |value: u64| ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
        let mut limits = encoder.encode_descriptor("limit", MOST, None, MetricType::Gauge)?;
        for (name, most) in self.lines.iter().filter_map(|line| Some((line.name, line.most?))) {
            gauge(most).encode(limits.encode_family(&[("limit", name)])?)?;
        }
        let mut used = encoder.encode_descriptor("limit_used", USED, None, MetricType::Gauge)?;
        for (name, now) in self.lines.iter().filter_map(|line| Some((line.name, line.used?))) {
            gauge(now).encode(used.encode_family(&[("limit", name)])?)?;
        }
        let mut reached = encoder.encode_descriptor("limit_reached", REACHED, None, MetricType::Counter)?;
        for (name, count) in &self.reached {
            ConstCounter::new(*count).encode(reached.encode_family(&[("limit", *name)])?)?;
        }
        Ok(())
    }
}
