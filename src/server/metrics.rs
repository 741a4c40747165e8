//! `/metrics`, for Prometheus.

use axum::response::Response;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, StatusCode};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use super::App;
use super::gauges::{Encoded, NO_LABELS, counter, gauge};
use super::health::text;
use super::metered::Limited;
use super::vitals::Vitals;
use crate::model::refused::Reason;
use crate::session::status::Status;
use crate::store::commit::WriterStats;

/// Handles a scrape.
pub(super) async fn metrics(app: &App) -> Response {
    let sessions = app.engine.sessions();
    let status = sessions.status().await;
    let limited = Limited::now(app, &status);
    let snapshot = Snapshot {
        status,
        ends: sessions.ends_by_reason(),
        writer: sessions.store().writer().stats(),
        log_bytes: sessions.store().log_bytes(),
        opened: sessions.opened(),
        resumed: sessions.resumed(),
        refused: sessions.refusals().collect(),
        ended_elsewhere: sessions.ended_elsewhere(),
        cached: sessions.cached(),
        streams: app.engine.open_streams(),
    };
    let mut registry = Registry::with_prefix("archonctl");
    app.engine.meter().register(&mut registry);
    registry.register_collector(Box::new(snapshot));
    registry.register_collector(Box::new(limited));
    registry.register_collector(Box::new(Vitals::now(app)));
    let mut out = String::with_capacity(8192);
    if prometheus_client::encoding::text::encode(&mut out, &registry).is_err() {
        return text(StatusCode::INTERNAL_SERVER_ERROR, "the metrics could not be written\n");
    }
    let mut response = text(StatusCode::OK, out);
    let kind = HeaderValue::from_static("application/openmetrics-text; version=1.0.0; charset=utf-8");
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

const CONNECTIONS: &str = "Live connections (protocol sessions), as list counts them: active ones were used within the \
     session timeout or have a stream open, idle ones were not";

/// What is read at each scrape rather than counted along the way.
#[derive(Debug)]
struct Snapshot {
    status: Status,
    ends: Vec<(&'static str, u64)>,
    writer: WriterStats,
    /// The size of SQLite's write-ahead log.
    log_bytes: u64,
    opened: u64,
    resumed: u64,
    refused: Vec<(Reason, u64)>,
    ended_elsewhere: u64,
    cached: usize,
    streams: usize,
}

impl Collector for Snapshot {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Encoded {
        self.sessions(&mut encoder)?;
        self.store(&mut encoder)
    }
}

impl Snapshot {
    fn sessions(&self, encoder: &mut DescriptorEncoder<'_>) -> Encoded {
        if let Some(living) = self.status.connections {
            let mut connections = encoder.encode_descriptor("connections", CONNECTIONS, None, MetricType::Gauge)?;
            for (state, count) in [("active", living.active), ("idle", living.idle)] {
                ConstGauge::new(count).encode(connections.encode_family(&[("state", state)])?)?;
            }
        }
        if let Some(count) = self.status.active_sessions {
            gauge(encoder, "sessions_active", "Live Archon sessions", count)?;
        }
        let mut active = encoder.encode_descriptor("sessions", "Live sessions, by kind", None, MetricType::Gauge)?;
        for (kind, count) in [("archon", self.status.active_sessions), ("protocol", self.status.protocol_sessions)] {
            if let Some(count) = count {
                ConstGauge::new(count).encode(active.encode_family(&[("kind", kind), ("status", "active")])?)?;
            }
        }
        let mut ended = encoder.encode_descriptor(
            "sessions_ended",
            "Archon sessions that ended since this server began, by reason, whoever ended them; timeout ends no connection",
            None,
            MetricType::Counter,
        )?;
        for (reason, count) in &self.ends {
            ConstCounter::new(*count).encode(ended.encode_family(&[("reason", *reason)])?)?;
        }
        let mut age = encoder.encode_descriptor(
            "count_age_seconds",
            "How old the counts of live sessions are",
            None,
            MetricType::Gauge,
        )?;
        ConstGauge::new(self.status.age.as_secs_f64()).encode(age.encode_family(&NO_LABELS)?)?;
        gauge(encoder, "sessions_cached", "Sessions in memory", i64::try_from(self.cached).unwrap_or(i64::MAX))?;
        let streams = i64::try_from(self.streams).unwrap_or(i64::MAX);
        gauge(encoder, "open_streams", "Streams that clients hold open to hear messages", streams)?;
        gauge(
            encoder,
            "recovered_sessions",
            "Sessions that were live when this boot began",
            self.status.recovered.unwrap_or(0),
        )?;
        counter(encoder, "sessions_opened", "Sessions opened in this boot", self.opened)?;
        counter(encoder, "sessions_resumed", "Sessions of earlier boots that came back", self.resumed)?;
        let of_session = self.refused.iter().filter(|(reason, _)| reason.is_of_session()).map(|(_, count)| count).sum();
        counter(encoder, "sessions_refused", "Requests refused for their session", of_session)?;
        let about = "Requests refused, by reason: their session, token, Host or Origin, form, or room for them";
        let mut refused = encoder.encode_descriptor("requests_refused", about, None, MetricType::Counter)?;
        for (reason, count) in &self.refused {
            ConstCounter::new(*count).encode(refused.encode_family(&[("reason", reason.as_str())])?)?;
        }
        let elsewhere = "Sessions whose end elsewhere was learnt before their next request";
        counter(encoder, "sessions_ended_elsewhere", elsewhere, self.ended_elsewhere)?;
        counter(encoder, "sessions_cleaned_up", "Sessions ended by the cleanup", self.status.cleaned_up)?;
        gauge(encoder, "boot_number", "Which start of the server this is", self.status.boot_number)
    }

    fn store(&self, encoder: &mut DescriptorEncoder<'_>) -> Encoded {
        gauge(encoder, "database_up", "Whether the database answers", i64::from(self.status.database_answers))?;
        let writable = i64::from(self.status.database_writable);
        gauge(encoder, "database_writable", "Whether the database takes what we write", writable)?;
        gauge(
            encoder,
            "queue_rows",
            "Rows that wait for a commit",
            i64::try_from(self.writer.waiting).unwrap_or(i64::MAX),
        )?;
        let log = i64::try_from(self.log_bytes).unwrap_or(i64::MAX);
        gauge(encoder, "write_ahead_log_bytes", "Size of SQLite's write-ahead log", log)?;
        counter(encoder, "rows_committed", "Rows committed", self.writer.committed)?;
        counter(encoder, "commits", "Commits", self.writer.batches)?;
        let mut time =
            encoder.encode_descriptor("commit_seconds", "Time spent in commits", None, MetricType::Counter)?;
        ConstCounter::new(self.writer.commit_time.as_secs_f64()).encode(time.encode_family(&NO_LABELS)?)?;
        counter(encoder, "rows_deferred", "Answers that left before their row was committed", self.writer.deferred)?;
        counter(encoder, "rows_dropped", "Rows that could not be stored", self.writer.dropped)
    }
}
